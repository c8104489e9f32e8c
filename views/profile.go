package views

import (
	"context"
	"time"

	"cancale/internal/i18n"
	"cancale/views/ui"
)

// ProfileParams is a person's own settings.
//
//	templ ProfilePage(page Page, p ProfileParams)     // GET, POST /profile; answer of a refused POST /profile/password
type ProfileParams struct {
	Form     ProfileForm
	Password PasswordForm
	Sessions []SessionRow // this one first
}

// ProfileForm is POST /profile.
type ProfileForm struct {
	Name     string `form:"name"`
	Email    string `form:"email"`
	Password string `form:"current_password"` // for another address only; never written back
	Errors   Errors `form:"-"`                // "", name, email, current_password
}

// PasswordForm is POST /profile/password.
type PasswordForm struct {
	Old    string `form:"old"`      // never written back
	New    string `form:"password"` // never written back
	Errors Errors `form:"-"`        // "", old, password
}

// PreferencesForm is POST /preferences: language, theme or both, from the menu
// or the profile; then back to next.
type PreferencesForm struct {
	Lang  string `form:"lang"`  // "", "fr" or "en"
	Theme string `form:"theme"` // "", "auto", "light" or "dark"
	Next  string `form:"next"`
}

// SessionRow is a signed-in device. Ending is POST /profile/sessions with the
// field session: an ID, or "others".
type SessionRow struct {
	ID       string
	Agent    string // the User-Agent header, as it came
	Source   string // IP address
	LastSeen time.Time
	Current  bool
}

func languageOptions() []ui.Option {
	var options []ui.Option
	for _, lang := range i18n.Languages {
		options = append(options, ui.Option{Value: lang, Label: langName(lang)})
	}
	return options
}

func themeOptions(ctx context.Context) []ui.Option {
	var options []ui.Option
	for _, theme := range []string{"auto", "light", "dark"} {
		options = append(options, ui.Option{Value: theme, Label: i18n.T(ctx, "theme."+theme)})
	}
	return options
}

func themeValue(page Page) string {
	if page.Theme == "" {
		return "auto"
	}
	return page.Theme
}
