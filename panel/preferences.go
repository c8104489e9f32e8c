package panel

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/views"
)

// sessionLife is how long a browser keeps the cookie of a session; the store
// decides when the session itself ends.
const sessionLife = 30 * 24 * time.Hour

// setPreferences is POST /preferences: language, theme or both, for the person
// and for the browser.
func (s *server) setPreferences(r *Request) error {
	var form views.PreferencesForm
	r.into(&form)
	lang, theme := r.Session.Person.Language, r.Session.Person.Theme
	if known(form.Lang, i18n.Languages) {
		lang = form.Lang
		r.setCookie(languageCookie, lang, preferenceLife)
	}
	if known(form.Theme, themes) {
		theme = form.Theme
		r.setCookie(themeCookie, theme, preferenceLife)
	}
	if r.Actor.SignedIn() {
		if err := s.store.SetPreferences(r.Context(), r.Actor, lang, theme); err != nil {
			return err
		}
	}
	return r.redirect(r.back(form.Next))
}

// chooseAccount is POST /account: the association to act for.
func (s *server) chooseAccount(r *Request) error {
	n, err := strconv.ParseUint(r.form.Get("account"), 10, 64)
	if err != nil || !r.Actor.CanIn(hosting.AccountRead, hosting.AccountID(n)) {
		return hosting.Refuse(hosting.NotFound, "", "error.not_found")
	}
	id := hosting.AccountID(n)
	if _, err := s.store.Account(r.Context(), r.Actor.Scope(hosting.AccountRead), id); err != nil {
		return err
	}
	if err := s.store.ChooseAccount(r.Context(), r.Session, id); err != nil {
		return err
	}
	return r.redirect(sectionOf(localPath(r.form.Get("next"))))
}

// sectionOf is the list that a page belongs to: the thing itself is of the
// account that was just left.
func sectionOf(path string) string {
	path, _, _ = strings.Cut(path, "?")
	section, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch section {
	case "sites", "databases", "ftp", "people":
		return "/" + section
	}
	return "/"
}

// back is where a person was: next when it is a path of ours, else the page
// that sent the form.
func (r *Request) back(next string) string {
	if next = localPath(next); next != "" {
		return next
	}
	if u, err := url.Parse(r.echo.Request().Referer()); err == nil && strings.EqualFold(u.Host, r.echo.Request().Host) {
		return orHome(localPath(u.RequestURI()))
	}
	return "/"
}
