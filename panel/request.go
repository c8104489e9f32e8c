package panel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/internal/store"
	"cancale/views"
)

// Request is one request as a handler sees it: who asks, for which account,
// in which language, and the ways to answer.
type Request struct {
	Actor   hosting.Actor
	Session store.Session // the zero Session when nobody is signed in

	echo  echo.Context
	srv   *server
	ctx   context.Context
	need  hosting.Permission
	token string // of the session
	theme string
	now   time.Time

	guestValue string
	drawn      string // the ticket of this page's forms, once asked for
	ticket     ticket // of the form that was sent
	restored   bool   // the form is filled in again, after its session had ended
	stale      bool   // the form is ours, but of a session that is no more
	form       url.Values
	acting     hosting.AccountID // the account acted for
	switcher   []hosting.Account // what there is to act for, once read
	location   string            // where the answer redirects to
	verbatim   bool              // the page holds a file's text, of which every character counts
}

// receive finds out who asks and in which language they are to be answered.
func (s *server) receive(c echo.Context) (*Request, error) {
	if r, ok := c.Get(ctxRequest).(*Request); ok {
		return r, nil
	}
	r := &Request{echo: c, srv: s, ctx: c.Request().Context(), now: time.Now()}
	c.Set(ctxRequest, r)
	if token := r.cookie(sessionCookie); token != "" {
		sess, err := s.store.Session(r.ctx, token)
		switch {
		case err == nil:
			r.signedIn(sess, token)
		case hosting.KindOf(err) != hosting.Unauthenticated && hosting.KindOf(err) != hosting.NotFound:
			return nil, fmt.Errorf("panel: session: %w", err)
		}
	}
	r.speak()
	return r, nil
}

// signedIn makes the request that of a session.
func (r *Request) signedIn(sess store.Session, token string) {
	r.Session, r.Actor, r.token = sess, sess.Actor, token
	r.Actor.Source = r.echo.RealIP()
	r.acting = sess.Account
}

// speak settles language and theme: what the person chose, else what the
// browser remembers or asks for, else French.
func (r *Request) speak() {
	lang := r.Session.Person.Language
	r.theme = r.Session.Person.Theme
	if !r.Actor.SignedIn() {
		if asked := r.Query("lang"); known(asked, i18n.Languages) {
			r.setCookie(languageCookie, asked, preferenceLife)
			lang = asked
		} else {
			lang = r.cookie(languageCookie)
		}
		r.theme = r.cookie(themeCookie)
	}
	if !known(lang, i18n.Languages) {
		if accept := r.echo.Request().Header.Get("Accept-Language"); accept != "" {
			lang = i18n.Match(accept)
		} else {
			lang = i18n.Languages[0]
		}
	}
	if !known(r.theme, themes) {
		r.theme = themes[0]
	}
	r.ctx = i18n.WithLang(r.ctx, lang)
	r.echo.Response().Header().Set("Content-Language", lang)
}

var themes = []string{"auto", "light", "dark"}

func known(s string, list []string) bool { return slices.Contains(list, s) }

// Context is the request's context. It speaks the person's language; while a
// form is acted on it does not end when the person goes away.
func (r *Request) Context() context.Context { return r.ctx }

// Query is a value of the address.
func (r *Request) Query(name string) string { return r.echo.QueryParam(name) }

// id is the number in the address. What is not a number names nothing.
func (r *Request) id() (uint64, error) {
	n, err := strconv.ParseUint(r.echo.Param("id"), 10, 64)
	if err != nil || n == 0 {
		return 0, hosting.Refuse(hosting.NotFound, "", "error.not_found")
	}
	return n, nil
}

func (r *Request) path() string { return r.echo.Request().URL.Path }

func (r *Request) unsafe() bool {
	switch r.echo.Request().Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	return true
}

// readForm reads the form that was sent.
func (r *Request) readForm() error {
	req := r.echo.Request()
	if err := req.ParseForm(); err != nil {
		if httpErr, ok := errors.AsType[*echo.HTTPError](err); ok {
			return httpErr // the body is too large
		}
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return echo.NewHTTPError(http.StatusRequestEntityTooLarge).SetInternal(err)
		}
		return echo.NewHTTPError(http.StatusBadRequest).SetInternal(err)
	}
	r.form = req.PostForm
	return nil
}

// values are what was sent, or what was sent before a session ended; nil when
// there is neither.
func (r *Request) values() url.Values {
	if r.unsafe() {
		return r.form
	}
	values, _ := r.srv.resumed.take(r.sessionKey(), r.path(), r.now)
	r.restored = values != nil
	return values
}

// into fills the fields of a form struct that bear a form tag: with what was
// sent, or with what was sent before a session ended. Without either it leaves
// the form as it is.
func (r *Request) into(form any) {
	values := r.values()
	if values == nil {
		return
	}
	target := reflect.ValueOf(form).Elem()
	for i := range target.NumField() {
		name := target.Type().Field(i).Tag.Get("form")
		if name == "" || name == "-" {
			continue
		}
		switch f := target.Field(i); f.Kind() {
		case reflect.String:
			f.SetString(values.Get(name))
		case reflect.Slice:
			f.Set(reflect.ValueOf(slices.Clone(values[name])))
		case reflect.Bool:
			f.SetBool(values.Get(name) != "" && values.Get(name) != "false")
		default:
			panic("panel: a form has fields of texts, lists of texts and booleans only: " + name)
		}
	}
}

// sessionKey names the session in what is kept in memory.
func (r *Request) sessionKey() string {
	if r.Session.ID == 0 {
		return ""
	}
	return strconv.FormatUint(r.Session.ID, 10)
}

// Flash notes what was done, to be said on the next page.
func (r *Request) Flash(key string, args ...string) {
	if err := r.srv.store.AddFlash(r.ctx, r.Session, hosting.Msg(key, args...)); err != nil {
		r.srv.logFailure(r.echo, "flash", err) // the act itself is done: a lost word is no reason to say that it failed
	}
}

// Redirect answers a form: go to the page and look.
func (r *Request) Redirect(format string, args ...any) error {
	return r.redirect(fmt.Sprintf(format, args...))
}

func (r *Request) redirect(location string) error {
	r.location = location
	r.varies()
	if r.partial() {
		r.echo.Response().Header().Set("HX-Redirect", location)
		return r.echo.NoContent(http.StatusOK)
	}
	return r.echo.Redirect(http.StatusSeeOther, location)
}

// answer is Render or Invalid.
type answer func(body templ.Component) error

// Render answers with a page or a fragment.
func (r *Request) Render(body templ.Component) error { return r.render(http.StatusOK, body) }

// Invalid answers a form that cannot be accepted with the same form, filled in
// and with its errors.
func (r *Request) Invalid(body templ.Component) error {
	return r.render(http.StatusUnprocessableEntity, body)
}

// render draws into a buffer first: what fails halfway must not be half a page.
func (r *Request) render(status int, body templ.Component) error {
	buf := templ.GetBuffer()
	defer templ.ReleaseBuffer(buf)
	if err := body.Render(r.ctx, buf); err != nil {
		return fmt.Errorf("panel: render %s: %w", r.echo.Path(), err)
	}
	r.varies()
	page := buf.Bytes()
	if !r.verbatim {
		page = legible(page)
	}
	return r.echo.HTMLBlob(status, page)
}

// legible is a page without what no HTML may hold, whatever was typed or stored:
// bytes that are no text, and control characters.
func legible(page []byte) []byte {
	strange := func(c rune) bool { return unicode.IsControl(c) && c != '\n' && c != '\t' && c != '\r' }
	if utf8.Valid(page) && !bytes.ContainsFunc(page, strange) {
		return page
	}
	return bytes.Map(func(c rune) rune {
		if strange(c) {
			return utf8.RuneError
		}
		return c
	}, bytes.ToValidUTF8(page, []byte("\uFFFD")))
}

// varies tells caches what an answer depends on besides the address.
func (r *Request) varies() {
	h := r.echo.Response().Header()
	if len(h.Values("Vary")) == 0 || h.Get("Vary") == echo.HeaderAcceptEncoding {
		h.Add("Vary", "HX-Request, Cookie, Accept-Language")
	}
}

// partial reports whether htmx asks for a piece of a page rather than for a
// page.
func (r *Request) partial() bool {
	h := r.echo.Request().Header
	return h.Get("HX-Request") == "true" && h.Get("HX-Boosted") != "true" && h.Get("HX-History-Restore-Request") != "true"
}

// refused reports whether err is a refusal to be shown in a form, and its
// messages by field.
func refused(err error) (views.Errors, bool) {
	if es, ok := errors.AsType[hosting.Errors](err); ok {
		for _, e := range es {
			if !shownInForm(e.Kind) {
				return nil, false
			}
		}
		return hosting.FieldErrors(err), len(es) > 0
	}
	if e, ok := errors.AsType[*hosting.Error](err); ok && shownInForm(e.Kind) {
		return hosting.FieldErrors(err), true
	}
	return nil, false
}

func shownInForm(k hosting.Kind) bool {
	return k == hosting.Invalid || k == hosting.Conflict || k == hosting.OverLimit
}
