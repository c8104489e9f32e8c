package views

import (
	"time"

	"cancale/internal/hosting"
)

// Public is what surrounds a page of somebody who is not signed in. The link
// to the other language is Path with ?lang=.
type Public struct {
	Theme string
	CSRF  string
	Path  string // without the query
}

// SignInForm is POST /signin. Next and Parked carry what a person was about to
// do when the session had ended: a page to go to, and the form that was sent,
// sealed.
//
//	templ SignInPage(pub Public, f SignInForm)
type SignInForm struct {
	Email    string `form:"email"`
	Password string `form:"password"` // never written back
	Next     string `form:"next"`
	Parked   string `form:"parked"`
	Ended    bool   `form:"-"` // the session ended in the middle of something
	Passkeys bool   `form:"-"` // browsers have them at this address
	Errors   Errors `form:"-"` // "", email, password
}

// ForgotForm is POST /forgot.
//
//	templ ForgotPage(pub Public, f ForgotForm)        // GET, POST /forgot
type ForgotForm struct {
	Email  string `form:"email"`
	Sent   bool   `form:"-"`
	Errors Errors `form:"-"` // "", email
}

// InvitationForm is POST /invitation/:token.
//
// A first administrator (First) gives a name, an address and a password; an
// invited person a name and a password; somebody with a password (Reset) only a
// new one.
//
//	templ InvitationPage(pub Public, f InvitationForm)
type InvitationForm struct {
	Token    string        `form:"-"`
	First    bool          `form:"-"`
	Reset    bool          `form:"-"`
	Account  string        `form:"-"` // label of the association that invites, may be empty
	Known    hosting.Email `form:"-"` // the address, when it is settled
	Name     string        `form:"name"`
	Email    string        `form:"email"`
	Password string        `form:"password"` // never written back
	Errors   Errors        `form:"-"`
}

// ForgotPage explains how a password is reset: the team makes a link.
//
//	templ ForgotPage(pub Public)
//
// InvitationGonePage is for a link that was used or is too old (410).
//
//	templ InvitationGonePage(pub Public)

// ErrorParams is a page about an error.
//
//	templ ErrorPage(pub Public, p ErrorParams)
type ErrorParams struct {
	Kind      ErrorKind
	Refusal   hosting.Message // why, when there is more to say than the kind does
	RequestID string          // for 500
	Wait      time.Duration   // for TooMany
	Back      string          // where to go back to, "" for the home
}

// ErrorKind chooses the text of an error page.
type ErrorKind string

const (
	PageNotFound  ErrorKind = "not_found"   // 404
	PageForbidden ErrorKind = "forbidden"   // 403
	PageInternal  ErrorKind = "internal"    // 500
	PageExpired   ErrorKind = "expired"     // 403, a form without its CSRF token or too old
	PageTooMany   ErrorKind = "too_many"    // 429
	PageMethod    ErrorKind = "method"      // 405
	PageTooLarge  ErrorKind = "too_large"   // 413
	PageDown      ErrorKind = "unavailable" // 503
	PageRefused   ErrorKind = "refused"     // 409 or 422, a button that cannot be followed as things are
)

// kind chooses the texts of the page.
func (f InvitationForm) kind() string {
	switch {
	case f.First:
		return "first"
	case f.Reset:
		return "reset"
	}
	return "invited"
}
