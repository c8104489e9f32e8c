package panel

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/views"
)

// Where a ceremony waits for its answer: the page that asks for it.
const (
	askMake   = "/profile/security/passkeys/make"
	askStep   = "/signin/code/passkey"
	askSignIn = "/signin/passkey"
)

// partyOf is the panel as authenticators know it: browsers have passkeys only
// where there is a name and encryption, or on the machine itself. Its zero value
// is nowhere.
func partyOf(public *url.URL) store.RelyingParty {
	host, port := strings.ToLower(public.Hostname()), public.Port()
	if ip, err := netip.ParseAddr(host); err == nil {
		if !ip.IsLoopback() {
			return store.RelyingParty{}
		}
		host = "localhost" // the same machine, by a name
	}
	local := host == "localhost" || strings.HasSuffix(host, ".localhost")
	if public.Scheme != "https" && !local {
		return store.RelyingParty{}
	}
	origin := public.Scheme + "://" + host
	if port != "" && (public.Scheme != "https" || port != "443") && (public.Scheme != "http" || port != "80") {
		origin += ":" + port
	}
	return store.RelyingParty{ID: host, Origin: origin}
}

// party is the panel with the name that people know.
func (r *Request) party() (store.RelyingParty, error) {
	settings, err := r.srv.store.Settings(r.ctx)
	party := r.srv.party
	party.Name = orName(settings.Mail.Platform, "Cancale")
	return party, err
}

// passkeyPlace tells whether the browser can use passkeys at the address that it
// came by.
func (r *Request) passkeyPlace() views.PasskeyPlace {
	scheme, host, _ := strings.Cut(r.srv.party.Origin, "://")
	asked := strings.ToLower(r.echo.Request().Host)
	if scheme == "https" {
		asked = strings.TrimSuffix(asked, ":443")
	} else {
		asked = strings.TrimSuffix(asked, ":80")
	}
	return views.PasskeyPlace{Here: host != "" && asked == host, Address: r.srv.party.Origin}
}

// newPasskey is GET /profile/security/passkeys/new.
func (s *server) newPasskey(r *Request) error {
	var form views.PasskeyForm
	r.into(&form)
	return r.page(func(p views.Page) error { return r.Render(views.PasskeyNewPage(p, r.passkeyPlace(), form)) })
}

// beginPasskey is POST /profile/security/passkeys/new.
func (s *server) beginPasskey(r *Request) error {
	var form views.PasskeyForm
	r.into(&form)
	password := form.Password
	form.Password = ""
	name, err := hosting.ParsePasskeyName("name", form.Name)
	if err == nil && !r.passkeyPlace().Here {
		err = hosting.Refuse(hosting.Conflict, "", "passkey.not_here")
	}
	var c store.Ceremony
	if err == nil {
		var party store.RelyingParty
		if party, err = r.party(); err != nil {
			return err
		}
		c, err = s.store.BeginPasskey(r.Context(), r.Actor, party, name, password)
	}
	if messages, ok := refused(err); ok {
		form.Errors = messages
		return r.page(func(p views.Page) error { return r.Invalid(views.PasskeyNewPage(p, r.passkeyPlace(), form)) })
	}
	if err != nil {
		return err
	}
	s.ceremonies.put(r.sessionKey(), askMake, c, r.now)
	return r.Redirect(askMake)
}

// makePasskeyPage is GET /profile/security/passkeys/make.
func (s *server) makePasskeyPage(r *Request) error {
	c, found := s.ceremonies.look(r.sessionKey(), askMake, r.now)
	if !found {
		return r.Redirect("/profile/security")
	}
	params := views.PasskeyMakeParams{Name: c.Name, Options: string(c.Options)}
	return r.page(func(p views.Page) error { return r.Render(views.PasskeyMakePage(p, params)) })
}

// addPasskey is POST /profile/security/passkeys/make.
func (s *server) addPasskey(r *Request) error {
	party, err := r.party()
	if err != nil {
		return err
	}
	var codes []string
	c, found := s.ceremonies.take(r.sessionKey(), askMake, r.now)
	if found {
		codes, err = s.store.AddPasskey(r.Context(), r.Actor, party, c, []byte(r.form.Get("credential")), r.Session)
	} else {
		err = errCeremonyOver
	}
	if messages, ok := refused(err); ok {
		// What was asked is answered, wrongly: it begins anew, with the password.
		form := views.PasskeyForm{Name: c.Name, Errors: messages}
		return r.page(func(p views.Page) error { return r.Invalid(views.PasskeyNewPage(p, r.passkeyPlace(), form)) })
	}
	if err != nil {
		return err
	}
	if len(codes) > 0 {
		return r.showOnce(secret{Text: strings.Join(codes, "\n"), Created: true, For: c.Name}, "/profile/security/codes")
	}
	r.Flash("passkey.added_done", c.Name)
	return r.Redirect("/profile/security")
}

// errCeremonyOver says that nothing waits for the answer: it came too late, or a
// second time.
var errCeremonyOver = hosting.Refuse(hosting.Invalid, "", "passkey.over")

// passkey is the one of the address, if it is the person's own.
func (r *Request) passkey() (hosting.Passkey, error) {
	id, err := r.id()
	if err != nil {
		return hosting.Passkey{}, err
	}
	return r.srv.store.Passkey(r.Context(), r.Actor, hosting.PasskeyID(id))
}

// showPasskey is GET /profile/security/passkeys/:id.
func (s *server) showPasskey(r *Request) error {
	key, err := r.passkey()
	if err != nil {
		return err
	}
	form := views.PasskeyForm{Name: key.Name}
	r.into(&form)
	return s.drawPasskey(r, key, form)
}

func (s *server) drawPasskey(r *Request, key hosting.Passkey, form views.PasskeyForm) error {
	factor, err := s.store.Factor(r.Context(), r.Actor.Person)
	if err != nil {
		return err
	}
	form.Password = ""
	params := views.PasskeyParams{Key: key, Last: !factor.Codes && factor.Passkeys == 1, Form: form}
	answer := r.Render
	if len(form.Errors) > 0 {
		answer = r.Invalid
	}
	return r.page(func(p views.Page) error { return answer(views.PasskeyPage(p, params)) })
}

// renamePasskey is POST /profile/security/passkeys/:id.
func (s *server) renamePasskey(r *Request) error {
	return s.changePasskey(r, func(key hosting.Passkey, form views.PasskeyForm) error {
		name, err := hosting.ParsePasskeyName("name", form.Name)
		if err != nil {
			return err
		}
		return s.store.RenamePasskey(r.Context(), r.Actor, key.ID, name)
	}, "passkey.renamed")
}

// removePasskey is POST /profile/security/passkeys/:id/remove.
func (s *server) removePasskey(r *Request) error {
	return s.changePasskey(r, func(key hosting.Passkey, form views.PasskeyForm) error {
		return s.store.RemovePasskey(r.Context(), r.Actor, key.ID, form.Password)
	}, "passkey.removed")
}

func (s *server) changePasskey(r *Request, change func(hosting.Passkey, views.PasskeyForm) error, done string) error {
	key, err := r.passkey()
	if err != nil {
		return err
	}
	form := views.PasskeyForm{Name: key.Name}
	if r.form.Has("name") {
		form.Name = r.form.Get("name")
	}
	form.Password = r.form.Get("password")
	err = change(key, form)
	if messages, ok := refused(err); ok {
		form.Errors = messages
		return s.drawPasskey(r, key, form)
	}
	if err != nil {
		return err
	}
	r.Flash(done, key.Name)
	return r.Redirect("/profile/security")
}

// guestKey names a browser without a session in what is kept in memory.
func (r *Request) guestKey() string { return "guest " + r.guest() }

// signInOptions is POST /signin/passkey/options: what the sign-in page asks the
// browser's authenticators, in JSON.
func (s *server) signInOptions(r *Request) error {
	party, err := r.party()
	if err != nil {
		return err
	}
	if !r.passkeyPlace().Here {
		return hosting.Refuse(hosting.Conflict, "", "passkey.not_here")
	}
	c, err := s.store.AskSignIn(r.Context(), party, r.echo.RealIP())
	if err != nil {
		return err
	}
	s.ceremonies.put(r.guestKey(), askSignIn, c, r.now)
	return r.echo.JSONBlob(http.StatusOK, c.Options)
}

// signInByPasskey is POST /signin/passkey.
func (s *server) signInByPasskey(r *Request) error {
	form, _ := r.signInForm()
	sess, token, err := s.answerCeremony(r, askSignIn, func(party store.RelyingParty, c store.Ceremony, answer []byte) (store.Session, string, error) {
		return s.store.SignInByPasskey(r.Context(), party, c, answer, r.echo.RealIP())
	})
	if err != nil {
		return r.refuseSignIn(form, err)
	}
	return r.arrive(sess, token, form)
}

// signInStep is POST /signin/code/passkey: a passkey in place of the code.
func (s *server) signInStep(r *Request) error {
	var form views.CodeForm
	r.into(&form)
	half, ok := r.halfway(form.State)
	if !ok {
		return r.Redirect("/signin")
	}
	sess, token, err := s.answerCeremony(r, askStep, func(party store.RelyingParty, c store.Ceremony, answer []byte) (store.Session, string, error) {
		return s.store.FinishStep(r.Context(), party, half.step(), c, answer, r.echo.RealIP())
	})
	return s.afterStep(r, half, form, sess, token, err)
}

// answerCeremony takes what waits for this browser at path, for the answer that
// was sent.
func (s *server) answerCeremony(r *Request, path string, with func(store.RelyingParty, store.Ceremony, []byte) (store.Session, string, error)) (store.Session, string, error) {
	party, err := r.party()
	if err != nil {
		return store.Session{}, "", err
	}
	c, found := s.ceremonies.take(r.guestKey(), path, r.now)
	if !found {
		return store.Session{}, "", errCeremonyOver
	}
	return with(party, c, []byte(r.form.Get("credential")))
}

// askPasskey is what the page of the second step asks authenticators; nothing
// when the person has no passkey, or browsers have none here.
func (s *server) askPasskey(r *Request, half halfway) (string, error) {
	if !r.passkeyPlace().Here {
		return "", nil
	}
	party, err := r.party()
	if err != nil {
		return "", err
	}
	c, asked, err := s.store.AskStep(r.Context(), party, half.step())
	if hosting.KindOf(orInternal(err)) == hosting.Unauthenticated { // the password changed meanwhile: the answer will tell
		return "", nil
	}
	if err != nil || !asked {
		return "", err
	}
	s.ceremonies.put(r.guestKey(), askStep, c, r.now)
	return string(c.Options), nil
}
