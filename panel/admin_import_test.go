package panel

import (
	"net/http"
	"strings"
	"testing"

	"cancale/internal/hosting"
	"cancale/internal/store"
)

func TestAListOfAssociationsIsCheckedAndImported(t *testing.T) {
	w := newWorld(t)
	b := w.as(admin)
	const path = "/admin/accounts/import"
	b.get(path)
	accounts := func() int {
		t.Helper()
		_, n, err := w.store.Accounts(t.Context(), hosting.System("test").Scope(hosting.AdminRead), store.AccountFilter{Page: 1, PerPage: 1})
		w.must(err)
		return n
	}
	before := accounts()
	list := "Nom;Nom court;Courriel;Responsable;Adhésion\n<b>Voile</b>;voile-libre;anne@voile.example;Anne;30/06/2027\nChorale;chorale;;;\n"

	t.Run("a line that is refused keeps all others from being created", func(t *testing.T) {
		p := b.post(path, "list", list+"Encore;Pas Bon;x;;\n", "act", "import")
		if p.status != http.StatusOK || accounts() != before {
			t.Errorf("%d: %d accounts, were %d", p.status, accounts(), before)
		}
		if text := p.text("main"); !strings.Contains(text, "1 ligne est à corriger") || !strings.Contains(text, "<b>Voile</b>") {
			t.Error(text)
		}
		if n := p.doc.Find("button[value=import]").Length(); n != 0 {
			t.Error("the list may be imported as it is")
		}
	})
	t.Run("a name twice in the list is refused", func(t *testing.T) {
		p := b.post(path, "list", "name,label\nchorale,A\nchorale,B", "act", "check")
		if text := p.text("main"); !strings.Contains(text, "Existe déjà") && !strings.Contains(text, "corriger") {
			t.Error(text)
		}
	})
	t.Run("no table at all is refused at the field", func(t *testing.T) {
		b.post(path, "list", "bonjour", "act", "check").refusedAt(t, "list")
	})
	t.Run("the check creates nothing", func(t *testing.T) {
		p := b.post(path, "list", list, "act", "check")
		if p.status != http.StatusOK || accounts() != before || p.doc.Find("button[value=import]").Length() != 1 || p.value("list") != strings.TrimSuffix(list, "\n") && p.value("list") != list {
			t.Errorf("%d: %d accounts: %q", p.status, accounts(), p.value("list"))
		}
	})
	t.Run("the import creates all, once", func(t *testing.T) {
		if p := b.post(path, "list", list, "act", "import"); p.status != http.StatusSeeOther || accounts() != before+2 {
			t.Fatalf("%d: %d accounts", p.status, accounts())
		}
		b.get(path)
		if p := b.post(path, "list", list, "act", "import"); p.status != http.StatusOK || accounts() != before+2 || !strings.Contains(p.text("main"), "Existe déjà") {
			t.Errorf("%d: %d accounts", p.status, accounts())
		}
		account, err := w.store.AccountByName(t.Context(), hosting.System("test").Scope(hosting.AdminRead), "voile-libre")
		w.must(err)
		if account.Label != "<b>Voile</b>" || account.Expires == nil || account.Expires.In(account.CreatedAt.Location()).Year() != 2027 {
			t.Errorf("%+v", account)
		}
	})
	t.Run("a technician may not", func(t *testing.T) {
		if p := w.as(technician).get(path); p.status != http.StatusForbidden && p.status != http.StatusNotFound {
			t.Errorf("%d", p.status)
		}
	})
}
