package panel

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/views"
)

// gate lets the request pass to its handler, or answers it: whoever is to sign
// in, or to make a second factor first, is sent there. Every kind of route goes
// through it.
func (r *Request) gate() (passed bool, err error) {
	err = r.admit()
	// Of a stream no form was read that could be filled in again.
	if errors.Is(err, errSignIn) && (!r.unsafe() || r.form != nil) {
		return false, r.askToSignIn()
	}
	if err != nil {
		return false, err
	}
	if err := r.inPlaceOnly(); err != nil {
		return false, err
	}
	bare, err := r.mustHaveFactor()
	if err != nil {
		return false, err
	}
	if bare {
		return false, r.redirect("/profile/security?team=1")
	}
	return true, nil
}

// admit refuses who may not have the page. Who is not signed in is asked to;
// the handler is not reached in any of these cases.
func (r *Request) admit() error {
	switch {
	case r.need == hosting.Public:
		return nil
	case !r.Actor.SignedIn():
		return errSignIn
	case r.need == hosting.SignedIn || r.Actor.Can(r.need):
		return nil
	}
	return errForbidden
}

// errForbidden says that the person's role does not allow it.
var errForbidden = hosting.Refuse(hosting.Forbidden, "", "error.forbidden")

// errSignIn says that the answer is the sign-in page.
var errSignIn = hosting.Refuse(hosting.Unauthenticated, "", "error.sign_in")

// askToSignIn sends a person to the sign-in page, to come back afterwards. A
// form that was sent travels along.
func (r *Request) askToSignIn() error {
	if !r.unsafe() {
		next := r.echo.Request().URL.RequestURI()
		if r.partial() { // a piece of a page: come back to the page
			next = currentPage(r.echo.Request())
		}
		if next = localPath(next); next == "" || next == "/" {
			return r.redirect("/signin")
		}
		return r.redirect("/signin?next=" + url.QueryEscape(next))
	}
	page := r.formPage()
	form := views.SignInForm{Ended: true, Next: page}
	form.Parked = r.srv.keys.park(parked{Person: r.ticket.Person, Account: r.ticket.Account, Page: page, Values: kept(r.form), At: r.now})
	return r.showSignIn(http.StatusUnauthorized, form)
}

// currentPage is the page that htmx asks from.
func currentPage(req *http.Request) string {
	u, err := url.Parse(req.Header.Get("HX-Current-URL"))
	if err != nil || !strings.EqualFold(u.Host, req.Host) {
		return ""
	}
	return u.RequestURI()
}

// signInPage is GET /signin.
func (s *server) signInPage(r *Request) error {
	next := localPath(r.Query("next"))
	if r.Actor.SignedIn() {
		return r.redirect(orHome(next))
	}
	return r.showSignIn(http.StatusOK, views.SignInForm{Next: next, Ended: next != "" && r.cookie(sessionCookie) != ""})
}

func (r *Request) showSignIn(status int, form views.SignInForm) error {
	form.Passkeys = r.passkeyPlace().Here
	return r.render(status, views.SignInPage(r.guestShell(), form))
}

// signIn is POST /signin.
func (s *server) signIn(r *Request) error {
	form, password := r.signInForm()
	sess, token, err := s.store.SignIn(r.Context(), strings.TrimSpace(form.Email), password, r.echo.RealIP())
	if step, is := errors.AsType[*store.SecondStep](err); is {
		return r.askForCode(step, form)
	}
	if err != nil {
		return r.refuseSignIn(form, err)
	}
	return r.arrive(sess, token, form)
}

// signInForm is what the sign-in page sent: what is to be shown again, and the
// password apart.
func (r *Request) signInForm() (views.SignInForm, string) {
	var form views.SignInForm
	r.into(&form)
	password := form.Password
	form.Password, form.Next = "", localPath(form.Next)
	_, form.Ended = r.srv.keys.unpark(form.Parked, r.now)
	if !form.Ended {
		form.Parked = ""
	}
	return form, password
}

// arrive lets somebody in who has just signed in, and leads to what they were
// about to do.
func (r *Request) arrive(sess store.Session, token string, form views.SignInForm) error {
	s := r.srv
	waiting, found := s.keys.unpark(form.Parked, r.now)
	r.enter(sess, token)
	if !found || waiting.Person != 0 && waiting.Person != sess.Person.ID {
		return r.redirect(orHome(form.Next))
	}
	if waiting.Account != 0 && r.Actor.CanIn(hosting.AccountRead, waiting.Account) {
		if err := s.store.ChooseAccount(r.Context(), r.Session, waiting.Account); err != nil {
			return err
		}
	}
	s.resumed.put(r.sessionKey(), waiting.Page, waiting.Values, r.now)
	return r.redirect(orHome(localPath(waiting.Page)))
}

func (r *Request) refuseSignIn(form views.SignInForm, err error) error {
	status := http.StatusUnprocessableEntity
	switch hosting.KindOf(err) {
	case hosting.OverLimit: // too many tries: wait
		status = http.StatusTooManyRequests
	case hosting.Unauthenticated, hosting.Invalid:
	default:
		return err
	}
	form.Errors = hosting.FieldErrors(err)
	return r.showSignIn(status, form)
}

// enter gives the browser a new session. One that it had ends: a session never
// changes hands.
func (r *Request) enter(sess store.Session, token string) {
	if r.token != "" {
		if err := r.srv.store.SignOut(r.Context(), r.token); err != nil {
			r.srv.logFailure(r.echo, "end of an earlier session", err)
		}
	}
	r.signedIn(sess, token)
	r.drawn, r.switcher = "", nil
	if err := r.srv.store.NameDevice(r.Context(), sess, r.echo.Request().UserAgent()); err != nil {
		r.srv.logFailure(r.echo, "name of a device", err)
	}
	device := r.cookie(deviceCookie)
	if !hosting.Token(device).Valid() {
		device = string(hosting.NewToken())
	}
	r.setCookie(deviceCookie, device, preferenceLife)
	if err := r.srv.store.KnowDevice(r.Context(), sess, device, r.echo.Request().UserAgent()); err != nil {
		r.srv.logFailure(r.echo, "device", err)
	}
	r.setCookie(sessionCookie, token, sessionLife)
	r.setCookie(guestCookie, "", -1)
}

// signOut is POST /signout.
func (s *server) signOut(r *Request) error {
	if err := s.store.SignOut(r.Context(), r.token); err != nil {
		return err
	}
	r.setCookie(sessionCookie, "", -1)
	return r.Redirect("/signin")
}

// invitationPage is GET /invitation/:token.
func (s *server) invitationPage(r *Request) error {
	form, err := s.invitation(r)
	if err != nil {
		return r.invitationGone(err)
	}
	return r.Render(views.InvitationPage(r.guestShell(), form))
}

// acceptInvitation is POST /invitation/:token: it sets the password and signs
// in.
func (s *server) acceptInvitation(r *Request) error {
	form, err := s.invitation(r)
	if err != nil {
		return r.invitationGone(err)
	}
	r.into(&form)
	password := form.Password
	form.Password = ""

	person, err := s.accept(r, form, password)
	if err != nil {
		return r.refuseInvitation(form, err)
	}
	sess, token, err := s.store.SignIn(r.Context(), string(person.Email), password, r.echo.RealIP())
	if step, is := errors.AsType[*store.SecondStep](err); is {
		return r.askForCode(step, views.SignInForm{})
	}
	if err != nil {
		return r.refuseSignIn(views.SignInForm{Email: string(person.Email)}, err)
	}
	r.enter(sess, token)
	if form.Reset {
		r.Flash("password.changed")
	} else {
		r.Flash("person.welcome", person.Name)
	}
	return r.Redirect("/")
}

// accept makes the person of the link one who can sign in. The first
// administrator was made without an address, and gives it now.
func (s *server) accept(r *Request, form views.InvitationForm, password string) (hosting.Person, error) {
	token, source := r.echo.Param("token"), r.echo.RealIP()
	var errs hosting.Errors
	name, err := hosting.ParseLabel("name", form.Name)
	errs.Add(err)
	if !form.First {
		if err := errs.Err(); err != nil {
			return hosting.Person{}, err
		}
		return s.store.AcceptInvitation(r.Context(), token, name, password, source)
	}
	email, err := hosting.ParseEmail(form.Email)
	errs.Add(err)
	if err := errs.Err(); err != nil {
		return hosting.Person{}, err
	}
	return s.store.AcceptFirst(r.Context(), token, email, name, password, source)
}

// invitation is the form of the link in the address.
func (s *server) invitation(r *Request) (views.InvitationForm, error) {
	token := r.echo.Param("token")
	person, invitation, err := s.store.Invitation(r.Context(), token)
	if err != nil {
		return views.InvitationForm{}, err
	}
	form := views.InvitationForm{Token: token, Name: person.Name, Reset: invitation.Reset, Known: person.Email}
	if person.Email == hosting.FirstEmail {
		form.First, form.Known = true, ""
	}
	return form, nil
}

// refuseInvitation shows the form again, or says that the link is no good.
func (r *Request) refuseInvitation(form views.InvitationForm, err error) error {
	messages, ok := refused(err)
	if !ok {
		return r.invitationGone(err)
	}
	form.Errors = messages
	return r.Invalid(views.InvitationPage(r.guestShell(), form))
}

func (r *Request) invitationGone(err error) error {
	switch hosting.KindOf(err) {
	case hosting.NotFound, hosting.Unauthenticated, hosting.Forbidden:
		return r.render(http.StatusGone, views.InvitationGonePage(r.guestShell()))
	}
	return err
}

func orHome(path string) string {
	if path == "" {
		return "/"
	}
	return path
}
