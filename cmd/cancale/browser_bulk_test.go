package main

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestManyAssociationsInTheBrowser is a volunteer who finds the associations
// whose membership has ended, renews them at once, and announces something to
// one of them; what members send to these pages does nothing.
func TestManyAssociationsInTheBrowser(t *testing.T) {
	in := newInstallation(t)
	admin, _, _ := in.withSite(t)
	for _, name := range []string{"voisins", "voile"} {
		in.cancale(t, "account", "create", name, "--label", "Les gens de "+name, "--expires", "2026-01-31")
	}
	member, other := in.invited(t, "soizic", "voisins", "owner"), in.invited(t, "eve", "voile", "owner")
	expires := func(name string) string {
		t.Helper()
		var account struct{ Expires string }
		in.answer(t, &account, "account", "show", name, "--json")
		return account.Expires
	}

	// Only those whose membership has ended, all of them, after a page that says so.
	list := in.panel + "/admin/accounts?dues=ended"
	admin.visit(list)
	admin.sees("2 associations")
	if shown := admin.text("main table"); strings.Contains(shown, "Souffle en Baie") {
		t.Errorf("the filter shows: %s", shown)
	}
	admin.choose("#all")
	admin.pick("act", "renew")
	admin.click("main form[action^='/admin/accounts/bulk'] [type=submit]")
	admin.sees("2 associations concernées")
	if got := expires("voile"); !strings.HasPrefix(got, "2026-01-31") {
		t.Errorf("renewed before somebody said so: %s", got)
	}
	draft := admin.read("the address", chromedp.Location())

	// The attacks: members confirm it, or draw one up themselves.
	for _, address := range []string{draft, in.panel + "/admin/announcements", list} {
		member.visit(address)
		if body := member.text("body"); strings.Contains(body, "voile") || strings.Contains(body, "concernées") {
			t.Errorf("a member sees %s: %s", address, body)
		}
	}
	member.isRefused(in.panel, strings.TrimPrefix(draft, in.panel)+"/start", "name", "x")
	member.isRefused(in.panel, "/admin/announcements/new", "name", "x")
	if got := expires("voile"); !strings.HasPrefix(got, "2026-01-31") {
		t.Errorf("a member has renewed: %s", got)
	}

	admin.click("main form[action$='/start'] [type=submit]")
	admin.sees("fait pour 2 associations")
	for _, name := range []string{"voisins", "voile"} {
		if got := expires(name); strings.HasPrefix(got, "2026-01-31") || got < "2027" {
			t.Errorf("%s: until %s", name, got)
		}
	}
	if log := in.cancale(t, "audit", "list"); strings.Count(log, "account.renew") != 2 {
		t.Errorf("the audit log: %s", log)
	}

	// Announced to one, with markup, until a day that is far.
	admin.visit(in.panel + "/admin/accounts?q=voisins")
	admin.choose("main table input[type=checkbox]")
	admin.pick("act", "announce")
	admin.click("main form[action^='/admin/accounts/bulk'] [type=submit]")
	admin.sees("Les gens de voisins")
	admin.fill("title_fr", "Réunion <b>mardi</b>")
	admin.fill("text_fr", "À 20 h, <script>document.title='pris'</script> salle du port.")
	admin.run("until", chromedp.SetValue(chromedp.CSS("[name=until]"), "2099-12-31"))
	admin.click("main form.form [type=submit]")
	admin.sees("Réunion <b>mardi</b>")
	other.visit(in.panel + "/")
	if strings.Contains(other.text("body"), "Réunion") {
		t.Error("it is told to somebody else")
	}
	member.visit(in.panel + "/")
	member.sees("Réunion <b>mardi</b>")
	if title := member.read("the title", chromedp.Title()); title == "pris" {
		t.Error("what is announced is run")
	}
	member.click("form[action$='/dismiss'] [type=submit]")
	member.visit(in.panel + "/sites")
	if strings.Contains(member.text("body"), "Réunion") {
		t.Error("what was put away stays")
	}
}
