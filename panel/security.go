package panel

import (
	"bytes"
	"encoding/json"
	"errors"
	"image/png"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/pquerna/otp"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/views"
)

// halfway is somebody whose password was right, on the way to the page that
// asks for a code. It travels sealed.
type halfway struct {
	Person hosting.PersonID `json:"person"`
	Proof  []byte           `json:"proof"`
	Guest  string           `json:"guest"` // the browser that gave the password
	Next   string           `json:"next"`
	Parked string           `json:"parked"`
	At     time.Time        `json:"at"`
}

// halfwayLife is how long the code may take.
const halfwayLife = 10 * time.Minute

// step is what the store knows of it.
func (h halfway) step() store.SecondStep { return store.SecondStep{Person: h.Person, Proof: h.Proof} }

// askForCode shows the second step of a sign-in.
func (r *Request) askForCode(step *store.SecondStep, form views.SignInForm) error {
	half := halfway{Person: step.Person, Proof: step.Proof, Guest: r.guest(), Next: form.Next, Parked: form.Parked, At: r.now}
	data, err := json.Marshal(half)
	if err != nil {
		return err
	}
	return r.srv.drawCode(r, http.StatusOK, half, views.CodeForm{State: r.srv.keys.seal(data)})
}

// drawCode asks for a code, or for a passkey.
func (s *server) drawCode(r *Request, status int, half halfway, form views.CodeForm) error {
	factor, err := s.store.Factor(r.Context(), half.Person)
	if err != nil {
		return err
	}
	if form.Options, err = s.askPasskey(r, half); err != nil {
		return err
	}
	form.Code, form.Credential, form.Only = "", "", !factor.Codes
	return r.render(status, views.CodePage(r.guestShell(), form))
}

// signInCodePage is GET /signin/code: without a password before, there is
// nothing to ask.
func (s *server) signInCodePage(r *Request) error { return r.Redirect("/signin") }

// halfway opens what the page of the second step carried, if it is this
// browser's and not too old.
func (r *Request) halfway(state string) (half halfway, ok bool) {
	data, ours := r.srv.keys.unseal(state)
	ok = ours && json.Unmarshal(data, &half) == nil && half.Guest == r.cookie(guestCookie) && r.now.Sub(half.At) <= halfwayLife
	return half, ok
}

// signInCode is POST /signin/code.
func (s *server) signInCode(r *Request) error {
	var form views.CodeForm
	r.into(&form)
	half, ok := r.halfway(form.State)
	if !ok {
		return r.Redirect("/signin")
	}
	sess, token, err := s.store.FinishSignIn(r.Context(), half.step(), form.Code, r.echo.RealIP())
	return s.afterStep(r, half, form, sess, token, err)
}

// afterStep lets somebody in whose second step is done, or shows it again.
func (s *server) afterStep(r *Request, half halfway, form views.CodeForm, sess store.Session, token string, err error) error {
	if messages, ok := refused(err); ok {
		status := http.StatusUnprocessableEntity
		if hosting.KindOf(err) == hosting.OverLimit {
			status = http.StatusTooManyRequests
		}
		form.Errors = messages
		return s.drawCode(r, status, half, form)
	}
	if hosting.KindOf(orInternal(err)) == hosting.Unauthenticated { // the password changed meanwhile
		return r.Redirect("/signin")
	}
	if err != nil {
		return err
	}
	return r.arrive(sess, token, views.SignInForm{Next: half.Next, Parked: half.Parked})
}

// orInternal gives KindOf something to look at.
func orInternal(err error) error {
	if err == nil {
		return errors.New("panel: no error")
	}
	return err
}

// showSecurity is GET /profile/security.
func (s *server) showSecurity(r *Request) error { return s.drawSecurity(r, views.SecurityForm{}) }

func (s *server) drawSecurity(r *Request, form views.SecurityForm) error {
	factor, err := s.store.Factor(r.Context(), r.Actor.Person)
	if err != nil {
		return err
	}
	keys, err := s.store.Passkeys(r.Context(), r.Actor.Person)
	if err != nil {
		return err
	}
	params := views.SecurityParams{
		Team: r.Query("team") != "", On: factor.On, Codes: factor.Codes, Since: factor.Since, Recovery: factor.Recovery,
		Passkeys: keys, Place: r.passkeyPlace(), Form: form,
	}
	answer := r.Render
	if len(form.Errors) > 0 {
		answer = r.Invalid
	}
	return r.page(func(p views.Page) error { return answer(views.SecurityPage(p, params)) })
}

// secured answers a form of the security page.
func (s *server) secured(r *Request, form views.SecurityForm, err error, done func() error) error {
	if messages, ok := refused(err); ok {
		form.Password, form.Code, form.Errors = "", "", messages
		return s.drawSecurity(r, form)
	}
	if err != nil {
		return err
	}
	return done()
}

// beginFactor is POST /profile/security/begin.
func (s *server) beginFactor(r *Request) error {
	form := views.SecurityForm{What: "begin"}
	r.into(&form)
	err := s.store.BeginFactor(r.Context(), r.Actor, form.Password)
	return s.secured(r, form, err, func() error { return r.Redirect("/profile/security/confirm") })
}

// factorKey is what the actor's authenticator is to learn.
func (s *server) factorKey(r *Request) (*otp.Key, error) {
	secret, err := s.store.FactorKey(r.Context(), r.Actor)
	if err != nil {
		return nil, err
	}
	settings, err := s.store.Settings(r.Context())
	if err != nil {
		return nil, err
	}
	issuer := strings.ReplaceAll(orName(settings.Mail.Platform, "Cancale"), ":", " ")
	u := url.URL{Scheme: "otpauth", Host: "totp", Path: "/" + issuer + ":" + string(r.Session.Person.Email)}
	u.RawQuery = strings.ReplaceAll(url.Values{"secret": {secret}, "issuer": {issuer}}.Encode(), "+", "%20")
	return otp.NewKeyFromURL(u.String())
}

// confirmFactorPage is GET /profile/security/confirm.
func (s *server) confirmFactorPage(r *Request) error { return s.drawConfirm(r, views.SecurityForm{}) }

func (s *server) drawConfirm(r *Request, form views.SecurityForm) error {
	key, err := s.factorKey(r)
	if hosting.KindOf(orInternal(err)) == hosting.NotFound {
		return r.Redirect("/profile/security")
	}
	if err != nil {
		return err
	}
	answer := r.Render
	if len(form.Errors) > 0 {
		answer = r.Invalid
	}
	return r.page(func(p views.Page) error { return answer(views.SecurityConfirmPage(p, key.Secret(), form)) })
}

// qrSize is the width of the drawing, in pixels.
const qrSize = 240

// factorDrawing is GET /profile/security/code.png: the secret as a drawing for
// a telephone.
func (s *server) factorDrawing(r *Request) error {
	key, err := s.factorKey(r)
	if err != nil {
		return err
	}
	picture, err := key.Image(qrSize, qrSize)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		return err
	}
	return r.echo.Blob(http.StatusOK, "image/png", b.Bytes())
}

// confirmFactor is POST /profile/security/confirm.
func (s *server) confirmFactor(r *Request) error {
	form := views.SecurityForm{What: "confirm"}
	r.into(&form)
	codes, err := s.store.ConfirmFactor(r.Context(), r.Actor, form.Code, r.Session)
	if messages, ok := refused(err); ok {
		form.Code, form.Errors = "", messages
		return s.drawConfirm(r, form)
	}
	if err != nil {
		return err
	}
	return r.showOnce(secret{Text: strings.Join(codes, "\n"), Created: true}, "/profile/security/codes")
}

// showRecovery is GET /profile/security/codes: once.
func (s *server) showRecovery(r *Request) error {
	shown := r.shown()
	if shown.Text == "" {
		return r.Redirect("/profile/security")
	}
	return r.page(func(p views.Page) error {
		return r.Render(views.RecoveryPage(p, views.RecoveryParams{Codes: strings.Split(shown.Text, "\n"), Fresh: shown.Created, Key: shown.For != ""}))
	})
}

// renewRecovery is POST /profile/security/codes.
func (s *server) renewRecovery(r *Request) error {
	form := views.SecurityForm{What: "codes"}
	r.into(&form)
	codes, err := s.store.RenewRecovery(r.Context(), r.Actor, form.Password)
	return s.secured(r, form, err, func() error {
		return r.showOnce(secret{Text: strings.Join(codes, "\n")}, "/profile/security/codes")
	})
}

// endFactor is POST /profile/security/off.
func (s *server) endFactor(r *Request) error {
	form := views.SecurityForm{What: "off"}
	r.into(&form)
	err := s.store.EndFactor(r.Context(), r.Actor, form.Password, form.Code)
	return s.secured(r, form, err, func() error {
		r.Flash("factor.off_done")
		return r.Redirect("/profile/security")
	})
}

// resetFactor is POST /admin/persons/:id/totp-reset.
func (s *server) resetFactor(r *Request) error {
	row, err := r.person()
	if err != nil {
		return err
	}
	if err := s.store.ResetFactor(r.Context(), r.Actor, row.ID); err != nil {
		return err
	}
	r.Flash("factor.reset_done", string(row.Email))
	return r.Redirect("/admin/persons/%d", row.ID)
}

// mustHaveFactor sends somebody of the team who has no second factor to the
// page that makes one, when the installation wants it.
func (r *Request) mustHaveFactor() (bool, error) {
	if r.Actor.Platform() == hosting.NoRole || r.need == hosting.Public || strings.HasPrefix(r.path(), "/profile") || r.path() == "/signout" {
		return false, nil
	}
	settings, err := r.srv.store.Settings(r.ctx)
	if err != nil || !settings.People.TeamFactor {
		return false, err
	}
	factor, err := r.srv.store.Factor(r.ctx, r.Actor.Person)
	return err == nil && !factor.On, err
}
