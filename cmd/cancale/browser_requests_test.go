package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestRequestsAndUndoInTheBrowser is a member who asks the team for room and is
// answered, a volunteer who imports associations from a spreadsheet and acts in
// the member's place, and a site that is removed and comes back with its files.
func TestRequestsAndUndoInTheBrowser(t *testing.T) {
	in := newInstallation(t)
	admin, _, www := in.withSite(t) // who is an administrator too
	in.cancale(t, "account", "create", "voisins", "--label", "Les Voisins")
	member, other := in.invited(t, "soizic", "souffle", "owner"), in.invited(t, "eve", "voisins", "owner")
	where := func(p *person) string {
		t.Helper()
		return p.read("the address", chromedp.Location())
	}

	// Asked, with markup; seen by the team in its queue; answered; closed.
	member.visit(in.panel + "/requests/new?about=space")
	member.fill("subject", "De la place pour <b>nos photos</b>")
	member.fill("body", "Bonjour, il nous faudrait <script>document.title='pris'</script> 5 Go.")
	member.send("/requests/new")
	member.sees("De la place pour <b>nos photos</b>")
	asked := strings.TrimPrefix(where(member), in.panel)
	admin.visit(in.panel + "/admin")
	admin.sees("De la place pour <b>nos photos</b>")
	admin.click("main a[href^='/admin/requests/']")
	admin.sees("il nous faudrait <script>")
	if title := admin.read("the title", chromedp.Title()); title == "pris" {
		t.Error("what a member asks is run in the team's browser")
	}
	answer := strings.TrimPrefix(where(admin), in.panel)
	admin.fill("body", "C’est fait : vous avez 10 Go.")
	admin.click("main form.card [type=submit]")
	member.visit(in.panel + "/requests")
	member.sees("Réponse donnée")
	member.visit(in.panel + asked)
	member.sees("vous avez 10 Go")
	for _, page := range []string{asked, answer, "/admin", "/admin/accounts"} {
		other.visit(in.panel + page)
		if body := other.text("body"); strings.Contains(body, "photos") || strings.Contains(body, "Souffle") {
			t.Errorf("somebody else sees %s: %s", page, body)
		}
	}
	member.click("form[action$='/close'] [type=submit]")
	member.sees("Close")

	// A list with a line that cannot be: nothing is made before it is mended.
	list := "name;label;email\nlecture;Le cercle de lecture;lise@lecture.example\nVOILE!;Voile;voile@example.org\n"
	admin.visit(in.panel + "/admin/accounts/import")
	admin.fill("list", list)
	admin.click("main [name=act][value=check]")
	admin.sees("Sera créée")
	if accounts := in.cancale(t, "account", "list"); strings.Contains(accounts, "lecture") {
		t.Errorf("a list was imported before somebody said so: %s", accounts)
	}
	admin.fill("list", strings.Replace(list, "VOILE!", "voile", 1))
	admin.click("main [name=act][value=check]")
	admin.click("main [name=act][value=import]")
	admin.sees("Liste importée")
	if accounts := in.cancale(t, "account", "list"); !strings.Contains(accounts, "lecture") || !strings.Contains(accounts, "voile") {
		t.Errorf("imported: %s", accounts)
	}

	// In the place of the neighbours, under a banner, and by both names in the log.
	admin.visit(in.panel + "/admin/accounts")
	admin.click("main table tr:has(.sub) a[href$='/2'], main table a[href='/admin/accounts/2']")
	admin.sees("Les Voisins")
	admin.click("main form[action$='/act'] [type=submit]")
	admin.sees("Vous agissez au nom de")
	admin.visit(in.panel + "/databases/new")
	admin.fill("name", "aide")
	admin.send("/databases/new")
	admin.text(".secret code")
	admin.click("form[action='/act/end'] [type=submit]")
	other.visit(in.panel + "/activity")
	other.sees("yann@souffle.example")

	// Removed by her who writes its name, and brought back with its files.
	if err := os.WriteFile(filepath.Join(www, "index.html"), []byte("<h1>Bonjour la baie</h1>"), 0o644); err != nil {
		t.Fatal(err)
	}
	visitor := func(code int, text string) func() bool {
		return func() bool {
			got, page, err := in.get(t, "souffle.example", "/")
			return err == nil && got == code && strings.Contains(page, text)
		}
	}
	within(t, browserLimit, "the site", visitor(http.StatusOK, "Bonjour la baie"))
	member.visit(in.panel + "/sites")
	member.click("main table a[href^='/sites/']")
	site := where(member)
	other.visit(site + "/delete")
	other.sees("existe pas")
	member.visit(site + "/delete")
	member.fill("confirm", "souffle")
	member.send(strings.TrimPrefix(site, in.panel) + "/delete")
	within(t, browserLimit, "the site, after a wrong name", visitor(http.StatusOK, "Bonjour la baie"))
	member.fill("confirm", "souffle.example")
	member.send(strings.TrimPrefix(site, in.panel) + "/delete")
	within(t, browserLimit, "the removed site", visitor(http.StatusNotFound, ""))
	other.visit(in.panel + "/trash")
	if strings.Contains(other.text("main"), "souffle.example") {
		t.Error("another association sees what was removed")
	}
	member.visit(in.panel + "/trash")
	member.click("main form[action$='/restore'] [type=submit]")
	member.sees("souffle.example")
	within(t, browserLimit, "the site, brought back", visitor(http.StatusOK, "Bonjour la baie"))
}
