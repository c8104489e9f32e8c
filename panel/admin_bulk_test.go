package panel

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
)

// ended follows an act on many associations until its report is there.
func (b *browser) ended(path string) *page {
	b.w.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if p := b.get(path); p.doc.Find("meter").Length() == 0 {
			return p
		}
		if time.Now().After(end) {
			b.w.t.Fatal("it does not end")
		}
	}
}

func TestManyAssociationsAtOnce(t *testing.T) {
	w := newWorld(t)
	soon := time.Now().AddDate(0, 0, 5)
	ids := map[string]hosting.AccountID{}
	for _, name := range []string{"voile", "chorale", "yole"} {
		a, err := w.store.CreateAccount(t.Context(), w.root, hosting.AccountSpec{Name: hosting.AccountName(name), Label: "<b>" + name + "</b>", Plan: "grande", Expires: &soon})
		w.must(err)
		ids[name] = a.ID
	}
	account := func(name string) hosting.Account {
		t.Helper()
		row, err := w.store.Account(t.Context(), w.root.Scope(hosting.AdminRead), ids[name])
		w.must(err)
		return row.Account
	}
	b := w.as(admin)
	t.Run("nothing ticked, or nothing to do, is refused", func(t *testing.T) {
		b.get("/admin/accounts?dues=soon")
		for _, fields := range [][]string{{"act", "renew"}, {"account", number(ids["voile"])}, {"act", "purge", "all", "true"}, {"act", "plan", "all", "true"}, {"act", "renew", "account", "1 OR 1"}} {
			p := b.post("/admin/accounts/bulk?dues=soon", fields...)
			if p.status != http.StatusUnprocessableEntity || p.text(".errors") == "" || p.value("dues") != "soon" || p.doc.Find("tbody tr").Length() != 3 {
				t.Errorf("%v: %d %s", fields, p.status, p.text(".errors"))
			}
		}
	})
	t.Run("those ticked: a page says what will be done, then it is done to them", func(t *testing.T) {
		p := b.get("/admin/accounts?dues=soon")
		if p.doc.Find("tbody input[type=checkbox]").Length() != 3 || p.doc.Find("form form").Length() != 0 {
			t.Fatal(p.text("tbody"))
		}
		p = b.post("/admin/accounts/bulk?dues=soon", "act", "suspend", "account", number(ids["voile"]), "account", number(ids["yole"]))
		path := p.header.Get("Location")
		p = b.follow(p)
		if text := p.text("main"); !strings.Contains(text, "<b>voile</b>, <b>yole</b>") || strings.Contains(text, "chorale") || account("voile").Suspended {
			t.Fatal(text)
		}
		if p := b.post(path + "/start"); p.status != http.StatusSeeOther {
			t.Fatal(p.status)
		}
		if p = b.ended(path); !strings.Contains(p.text(".alert"), "fait pour 2 associations") || !account("voile").Suspended || account("chorale").Suspended {
			t.Error(p.text("main"))
		}
	})
	t.Run("all that the filter matches, with those that refuse", func(t *testing.T) {
		p := b.post("/admin/accounts/bulk?dues=soon&q=o", "act", "resume", "all", "true")
		path := p.header.Get("Location")
		if p = b.follow(p); !strings.Contains(p.text("main"), "Pas suspendue <b>chorale</b>") {
			t.Error(p.text("main"))
		}
		t.Run("not by somebody else, nor by a forged form", func(t *testing.T) {
			for _, who := range []string{technician, owner, stranger} {
				o := w.as(who)
				o.get("/")
				if p := o.post(path + "/start"); p.status != http.StatusNotFound && p.status != http.StatusForbidden {
					t.Errorf("%s: %d", who, p.status)
				}
			}
			if p := b.post(path+"/start", ticketField, "forged"); p.status != http.StatusForbidden {
				t.Error(p.status)
			}
		})
		b.get(path)
		b.post(path + "/start")
		b.post(path + "/start")
		if p = b.ended(path); !strings.Contains(p.text("main"), "Refusé pour 1 association") || account("voile").Suspended {
			t.Error(p.text("main"))
		}
		_, n, err := w.store.Audit(t.Context(), w.root.Scope(hosting.AdminAudit), store.AuditFilter{Account: ids["voile"], Search: "account.resume"})
		w.must(err)
		if n != 1 {
			t.Errorf("%d audit rows", n)
		}
	})
	t.Run("a technician suspends, and neither renews nor changes plans", func(t *testing.T) {
		o := w.as(technician)
		p := o.get("/admin/accounts")
		if p.doc.Find("[name=act] option[value=renew], [name=new_plan]").Length() != 0 || p.doc.Find("[name=act] option[value=suspend]").Length() != 1 {
			t.Error(p.text("[name=act]"))
		}
		for _, act := range []string{"renew", "plan"} {
			if p := o.post("/admin/accounts/bulk", "act", act, "new_plan", "grande", "all", "true"); p.status != http.StatusForbidden {
				t.Errorf("%s: %d", act, p.status)
			}
		}
	})
}
