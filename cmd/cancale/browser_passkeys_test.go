package main

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// TestPasskeysInTheBrowser is a member whose telephone keeps a passkey: it signs
// her in alone, or after the password, and nobody else; what is lost is replaced
// by a code, or by the team.
func TestPasskeysInTheBrowser(t *testing.T) {
	in := newInstallation(t)
	in.start(t)
	in.cancale(t, "account", "create", "souffle", "--label", "Souffle en Baie")
	bare := in.panel
	// At a bare address browsers have no passkeys; the panel says where they have.
	in.panel = strings.Replace(bare, "127.0.0.1", "localhost", 1)
	yann := in.invited(t, "yann", "souffle", "owner")
	yann.visit(bare + "/profile/security")
	yann.sees(in.panel)
	yann.visit(in.panel + "/signin")
	yann.signIn("yann@souffle.example", "un-bol-de-cidre-brut")
	telephone := yann.authenticator()

	yann.visit(in.panel + "/profile/security/passkeys/new")
	yann.fill("name", "Téléphone de Yann")
	yann.fill("password", "un-bol-de-cidre-brut")
	yann.send("/profile/security/passkeys/new")
	yann.send("/profile/security/passkeys/make")
	yann.sees("La clé d’accès est ajoutée")
	code := yann.text(".sheet .list code")
	yann.visit(in.panel + "/profile/security")
	yann.sees("Téléphone de Yann")

	// The same device is not asked to keep a second one.
	yann.visit(in.panel + "/profile/security/passkeys/new")
	yann.fill("name", "Encore lui")
	yann.fill("password", "un-bol-de-cidre-brut")
	yann.send("/profile/security/passkeys/new")
	yann.choose("form[data-passkey] button")
	yann.sees("garde déjà une clé d’accès de votre compte")

	// Alone, unless the telephone does not know who holds it.
	yann.signOut(in)
	yann.verified(telephone, false)
	yann.choose("form[data-passkey] button")
	yann.sees("La clé d’accès n’a pas servi")
	yann.verified(telephone, true)
	yann.click("form[data-passkey] button")
	yann.sees("Souffle en Baie")

	// After the password, and not without.
	yann.signOut(in)
	yann.signIn("yann@souffle.example", "un-bol-de-cidre-brut")
	yann.sees("Utiliser ma clé d’accès")
	yann.click("form[data-passkey] button")
	yann.sees("Souffle en Baie")
	thief := newPerson(t)
	thief.visit(in.panel + "/signin")
	thief.signIn("yann@souffle.example", "un-bol-de-cidre-brut")
	thief.authenticator()
	thief.choose("form[data-passkey] button")
	thief.sees("La clé d’accès n’a pas servi")
	thief.visit(in.panel + "/sites")
	thief.sees("Se connecter")

	// A telephone that is lost.
	found := newPerson(t)
	found.visit(in.panel + "/signin")
	found.signIn("yann@souffle.example", "un-bol-de-cidre-brut")
	found.fill("code", code)
	found.click("form[action='/signin/code'] button")
	found.sees("Souffle en Baie")
	var shown struct {
		TwoStep *struct{ Passkeys int } `json:"two_step"`
	}
	in.answer(t, &shown, "person", "show", "yann@souffle.example", "--json")
	if shown.TwoStep == nil || shown.TwoStep.Passkeys != 1 {
		t.Errorf("person show: %+v", shown.TwoStep)
	}
	in.cancale(t, "person", "totp-reset", "yann@souffle.example")
	yann.signOut(in)
	yann.click("form[data-passkey] button")
	yann.sees("Cette clé d’accès n’est pas acceptée")
	yann.signIn("yann@souffle.example", "un-bol-de-cidre-brut")
	yann.sees("Souffle en Baie")
}

// signIn fills in the page of that.
func (p *person) signIn(email, password string) {
	p.t.Helper()
	p.fill("email", email)
	p.fill("password", password)
	p.click("form[action='/signin'] [type=submit]")
}

// signOut leaves at the sign-in page.
func (p *person) signOut(in *installation) {
	p.t.Helper()
	p.visit(in.panel + "/profile")
	p.choose("details.topbar__end summary")
	p.click("form[action='/signout'] button")
	p.run("the sign-in page", chromedp.WaitVisible(chromedp.CSS("form[data-passkey] button")))
}

// authenticator gives the browser a device that keeps passkeys, and knows who
// holds it.
func (p *person) authenticator() webauthn.AuthenticatorID {
	p.t.Helper()
	var id webauthn.AuthenticatorID
	p.run("an authenticator", chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		if _, err := cdp.Call(ctx, target, webauthn.Enable, webauthn.EnableParams{}); err != nil {
			return err
		}
		made, err := cdp.Call(ctx, target, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
		}})
		id = made.AuthenticatorID
		return err
	}))
	return id
}

// verified lets the device know, or not, who holds it.
func (p *person) verified(id webauthn.AuthenticatorID, is bool) {
	p.t.Helper()
	p.run("who holds it", chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: id, IsUserVerified: is})
		return err
	}))
}
