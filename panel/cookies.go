package panel

import (
	"net/http"
	"time"

	"cancale/internal/hosting"
)

// The panel's cookies. Under https they get the prefix that keeps any other
// host name from setting them.
const (
	sessionCookie  = "cancale_session"
	guestCookie    = "cancale_guest"  // of a browser that nobody is signed in with: its sign-in form is bound to it
	deviceCookie   = "cancale_device" // of a browser that somebody has signed in with, whoever it was
	languageCookie = "cancale_lang"
	themeCookie    = "cancale_theme"
)

// preferenceLife is how long a browser remembers a language and a theme.
const preferenceLife = 365 * 24 * time.Hour

func (s *server) cookieName(name string) string {
	if s.https {
		return "__Host-" + name
	}
	return name
}

func (r *Request) cookie(name string) string {
	if c, err := r.echo.Cookie(r.srv.cookieName(name)); err == nil {
		return c.Value
	}
	return ""
}

// setCookie keeps a value in the browser for life; 0 is until it is closed,
// less than 0 forgets it.
func (r *Request) setCookie(name, value string, life time.Duration) {
	maxAge := int(life.Seconds())
	if life < 0 {
		maxAge = -1
	}
	r.echo.SetCookie(&http.Cookie{ //nolint:gosec // Secure follows the panel's own address: a browser drops it under http
		Name:     r.srv.cookieName(name),
		Value:    value,
		Path:     "/",
		MaxAge:   maxAge,
		HttpOnly: true,
		Secure:   r.srv.https,
		SameSite: http.SameSiteLaxMode,
	})
}

// guest is what the forms of a browser without a session are bound to.
func (r *Request) guest() string {
	if r.guestValue == "" {
		if r.guestValue = r.cookie(guestCookie); !hosting.Token(r.guestValue).Valid() {
			r.guestValue = string(hosting.NewToken())
			r.setCookie(guestCookie, r.guestValue, 0)
		}
	}
	return r.guestValue
}
