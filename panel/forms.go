package panel

import (
	"net/http"
	"net/url"
	"strings"

	"cancale/internal/hosting"
	"cancale/views"
	"cancale/views/ui"
)

// ticketField is the hidden field of each form that holds its ticket.
const ticketField = ui.CSRFField

// csrf is the ticket of this page's forms.
func (r *Request) csrf() string {
	if r.drawn == "" {
		t := ticket{Nonce: newNonce(), Person: r.Actor.Person, Account: r.acting}
		r.drawn = r.srv.keys.issue(t, r.binding())
	}
	return r.drawn
}

// binding is the cookie that this browser's forms are bound to.
func (r *Request) binding() string {
	if r.Actor.SignedIn() {
		return r.token
	}
	return r.guest()
}

// checkTicket refuses a form that another site made the browser send. A form
// of ours whose session ended, or was replaced by another since, passes as not
// valid: it is shown again, never acted on.
func (r *Request) checkTicket() error {
	if !r.fromUs() {
		return &failure{status: http.StatusForbidden, page: views.PageExpired, why: "sent by another site"}
	}
	sent := r.form.Get(ticketField)
	bindings := []string{r.cookie(guestCookie)}
	if r.need != hosting.Public {
		bindings = nil
	}
	if r.Actor.SignedIn() {
		bindings = append(bindings, r.token)
	}
	for _, bound := range bindings {
		if t, valid := r.srv.keys.open(sent, bound); valid && (r.need == hosting.Public || t.Person == r.Actor.Person) {
			r.believe(t)
			return nil
		}
	}
	if r.need == hosting.Public {
		return &failure{status: http.StatusForbidden, page: views.PageExpired, why: "no valid ticket"}
	}
	// Ours after all? Either it bears the seal of the session that ended, or
	// the browser itself vouches for the page that sent it.
	t, ended := r.srv.keys.open(sent, r.cookie(sessionCookie))
	vouched := t != ticket{} && r.echo.Request().Header.Get("Sec-Fetch-Site") == "same-origin"
	if (ended || vouched) && (!r.Actor.SignedIn() || t.Person == r.Actor.Person) {
		r.stale, r.ticket = true, t
		return nil
	}
	return &failure{status: http.StatusForbidden, page: views.PageExpired, why: "no valid ticket"}
}

// believe takes over what a valid ticket says: the form acts for the account
// that its page showed.
func (r *Request) believe(t ticket) {
	r.ticket = t
	if t.Account != 0 && r.Actor.SignedIn() {
		r.acting = t.Account
	}
}

// fromUs reports whether the browser says, as far as it says anything, that
// the form comes from a page of ours.
func (r *Request) fromUs() bool {
	h := r.echo.Request().Header
	switch h.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return false
	}
	origin := h.Get("Origin")
	if origin == "" || origin == "null" && h.Get("Sec-Fetch-Site") == "same-origin" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.echo.Request().Host)
}

// showAgain answers a form of ours that cannot be believed any more: the page
// that it is on, filled in, for a fresh click.
func (r *Request) showAgain() error {
	page := r.formPage()
	r.srv.resumed.put(r.sessionKey(), page, kept(r.form), r.now)
	return r.redirect(page)
}

// formPage is the page whose form sends to the address of this request: the
// same address, or the page of the thing that a button acts on.
func (r *Request) formPage() string {
	if _, hasPage := r.srv.needs[http.MethodGet+" "+r.echo.Path()]; hasPage {
		return r.path()
	}
	route, path := r.echo.Path(), r.path()
	for strings.Count(route, "/") > 1 {
		route, path = route[:strings.LastIndexByte(route, '/')], path[:strings.LastIndexByte(path, '/')]
		if _, hasPage := r.srv.needs[http.MethodGet+" "+route]; hasPage {
			return path
		}
	}
	return "/"
}

// kept is a form without its ticket and its passwords, which would be shown to
// whoever signs in next.
func kept(form url.Values) url.Values {
	values := url.Values{}
	for name, v := range form {
		if name != ticketField && name != "old" && !strings.Contains(name, "password") {
			values[name] = v
		}
	}
	return values
}
