package views

import (
	"context"
	"strconv"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/views/ui"
)

// passkeyScript asks authenticators.
const passkeyScript = "passkey.js"

// PasskeyPlace tells whether browsers have passkeys where this page is.
type PasskeyPlace struct {
	Here    bool
	Address string // where they have, when not here; "" for nowhere
}

// PasskeyForm is POST /profile/security/passkeys/new and of a passkey's own page.
//
//	templ PasskeyNewPage(page Page, place PasskeyPlace, f PasskeyForm) // GET, POST /profile/security/passkeys/new
type PasskeyForm struct {
	Name     string `form:"name"`
	Password string `form:"password"` // never written back
	Errors   Errors `form:"-"`        // "", name, password
}

// PasskeyMakeParams is the moment when an authenticator makes a key.
//
//	templ PasskeyMakePage(page Page, p PasskeyMakeParams) // GET /profile/security/passkeys/make
type PasskeyMakeParams struct {
	Name    string
	Options string // as WebAuthn has them, in JSON
}

// PasskeyParams is one passkey of the person.
//
//	templ PasskeyPage(page Page, p PasskeyParams) // GET, POST /profile/security/passkeys/:id
type PasskeyParams struct {
	Key  hosting.Passkey
	Last bool // the password alone is left without it
	Form PasskeyForm
}

func passkeyPath(id hosting.PasskeyID, act string) string {
	return "/profile/security/passkeys/" + strconv.FormatUint(uint64(id), 10) + act
}

// passkeyTrail is the way to a page about a passkey.
func passkeyTrail(ctx context.Context, page Page, text string) []ui.Crumb {
	return trail(page,
		ui.Crumb{Text: i18n.T(ctx, "nav.profile"), URL: "/profile"},
		ui.Crumb{Text: i18n.T(ctx, "security.title"), URL: "/profile/security"},
		ui.Crumb{Text: text})
}
