package main

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"
)

// TestSecondStepInTheBrowser is a member who takes a second step with her
// telephone, signs in with it, once with a code from paper, and sees where she
// is signed in.
func TestSecondStepInTheBrowser(t *testing.T) {
	in := newInstallation(t)
	member, _, _ := in.withSite(t)
	const password = "un-bol-de-cidre-brut"
	member.visit(in.panel + "/profile/security")
	member.fill("password", password)
	member.send("/profile/security/begin")
	key := strings.ReplaceAll(member.text(".secret code"), " ", "")
	code := func() string {
		t.Helper()
		now, err := totp.GenerateCode(strings.ReplaceAll(key, "\u00a0", ""), time.Now())
		if err != nil {
			t.Fatalf("the key %q: %v", key, err)
		}
		return now
	}
	member.fill("code", "000000")
	member.send("/profile/security/confirm")
	member.run("it is asked again", chromedp.WaitVisible(chromedp.CSS("[name=code]")))
	first := code()
	member.fill("code", first)
	member.send("/profile/security/confirm")
	recovery := member.text(".sheet code")

	another := newPerson(t)
	signIn := func() {
		t.Helper()
		another.visit(in.panel + "/signin")
		another.fill("email", "yann@souffle.example")
		another.fill("password", password)
		another.click("main form[action='/signin'] [type=submit]")
		another.run("the second step", chromedp.WaitVisible(chromedp.CSS("main form[action='/signin/code'] [name=code]")))
	}
	enter := func(with string) {
		t.Helper()
		another.fill("code", with)
		another.click("main form[action='/signin/code'] [type=submit]")
	}
	out := func() {
		t.Helper()
		another.visit(in.panel + "/profile")
		another.run("sign out", chromedp.Evaluate[chromedp.Void](`document.querySelector("form[action='/signout']").requestSubmit()`))
		another.run("the way in", chromedp.WaitVisible(chromedp.CSS("form[action='/signin']")))
	}
	signIn()
	// Half signed in is not signed in.
	another.visit(in.panel + "/sites")
	if body := another.text("body"); strings.Contains(body, "souffle.example") {
		t.Errorf("the password alone opens: %s", body)
	}
	signIn()
	enter(first) // which has served
	another.run("it is asked again", chromedp.WaitVisible(chromedp.CSS("main form[action='/signin/code'] [name=code]")))
	enter(recovery)
	another.visit(in.panel + "/sites")
	another.sees("souffle.example")
	out()
	signIn()
	enter(recovery)
	another.run("paper serves once", chromedp.WaitVisible(chromedp.CSS("main form[action='/signin/code'] [name=code]")))
	within(t, 2*time.Minute, "the next code of the telephone", func() bool { return code() != first })
	enter(code())
	another.visit(in.panel + "/profile")
	another.sees("Chrome sur Linux")
}
