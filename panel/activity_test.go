package panel

import (
	"net/http"
	"strings"
	"testing"

	"cancale/internal/hosting"
	"cancale/internal/store"
)

func TestOwnersReadWhoDidWhat(t *testing.T) {
	w := newWorld(t)
	o := w.as(owner)
	p := o.get("/activity")
	if p.status != http.StatusOK || !strings.Contains(p.text("tbody"), "Site créé : parc.asso.example") {
		t.Fatal(p.status, p.text("main"))
	}
	m := w.as(webmaster)
	m.get("/sites/" + number(w.site.ID))
	m.post("/sites/" + number(w.site.ID) + "/suspend")
	for query, want := range map[string]bool{
		"who=webmaster@asso.example": true, "who=cli:root": false, "thing=site": true, "thing=ftp": false, "q=site.suspend": true, "q=nothing": false,
		"since=2020-01-01": true, "until=2020-01-01": false, "thing=unheard": true, "who=webmaster@asso.example&thing=database": false,
	} {
		p := o.get("/activity?" + query)
		if got := strings.Contains(p.text("tbody"), "Site suspendu"); got != want || p.status != http.StatusOK {
			t.Errorf("%s: %v, %d", query, got, p.status)
		}
		csv := o.get("/activity/download?" + query)
		if got := strings.Contains(csv.body, "Site suspendu"); got != want || !strings.Contains(csv.header.Get("Content-Disposition"), "activite-baie-") {
			t.Errorf("%s as a table: %v %s", query, got, csv.header.Get("Content-Disposition"))
		}
	}
	o.get("/activity?since=hier").refusedAt(t, "")
	t.Run("nothing of others, whatever is asked", func(t *testing.T) {
		s := w.as(stranger)
		s.get("/")
		for _, query := range []string{"", "?account=" + number(w.account.ID), "?q=parc", "?who=webmaster@asso.example"} {
			for _, path := range []string{"/activity", "/activity/download"} {
				if p := s.get(path + query); strings.Contains(p.body, "parc.asso.example") || strings.Contains(p.body, "webmaster@asso.example</") {
					t.Errorf("%s%s shows another association's", path, query)
				}
			}
		}
	})
	t.Run("the team's table has the addresses, and no formula", func(t *testing.T) {
		_, err := w.store.CreateRequest(t.Context(), w.root, w.account.ID, hosting.RequestSpec{Subject: "=1+1", Body: "x"})
		w.must(err)
		csv := w.as(admin).get("/admin/audit/download?account=baie&q=request")
		if !strings.Contains(csv.body, "'=1+1") || !strings.Contains(csv.body, "request.create") {
			t.Error(csv.body)
		}
	})
}

func TestAnAdministratorActsInPlaceOfAnAssociation(t *testing.T) {
	w := newWorld(t)
	a := w.as(admin)
	a.get("/admin/accounts/" + number(w.account.ID))
	if p := a.post("/admin/accounts/" + number(w.account.ID) + "/act"); p.status != http.StatusSeeOther {
		t.Fatal(p.status, p.text("main"))
	}
	site := "/sites/" + number(w.site.ID)
	for _, path := range []string{"/", site, "/people", "/ftp"} {
		if p := a.get(path); p.status != http.StatusOK || !strings.Contains(p.text(".alert"), "Vous agissez au nom de Souffle en Baie") {
			t.Errorf("%s: %d, no banner: %s", path, p.status, p.text(".alert"))
		}
	}
	last := func() hosting.AuditEntry {
		rows, _, err := w.store.Audit(t.Context(), w.root.Scope(hosting.AdminAudit), store.AuditFilter{PerPage: 1})
		w.must(err)
		return rows[0]
	}
	a.get(site)
	if p := a.post(site + "/suspend"); p.status != http.StatusSeeOther {
		t.Fatal(p.status)
	}
	if e := last(); e.Actor != "administrator@asso.example" || e.Behalf != "baie" || e.Action != "site.suspend" {
		t.Errorf("%+v", e)
	}
	if p := w.as(owner).get("/activity"); !strings.Contains(p.text("tbody"), "administrator@asso.example, au nom de baie") {
		t.Error(p.text("tbody"))
	}
	t.Run("nothing but that association, and nothing that is somebody's own", func(t *testing.T) {
		before := w.counts()
		for _, path := range []string{"/admin", "/admin/persons", "/admin/accounts/" + number(w.other.ID), "/profile", "/profile/security"} {
			if p := a.get(path); p.status != http.StatusForbidden {
				t.Errorf("%s: %d", path, p.status)
			}
		}
		for _, c := range [][]string{
			{"/ftp/" + number(w.login.ID) + "/password"},
			{"/databases/" + number(w.database.ID) + "/password"},
			{"/people/invite", "email", "moi@asso.example", "name", "Moi", "role", "owner"},
			{"/people/" + number(w.people[webmaster].ID) + "/remove"},
			{"/people/handover", "sessions", "true", "step", "confirm"},
			{"/profile/password", "old_password", testPassword, "password", "une autre marée basse"},
		} {
			a.get(site)
			if p := a.post(c[0], c[1:]...); p.status != http.StatusForbidden {
				t.Errorf("%s: %d %s", c[0], p.status, p.text("main"))
			}
		}
		a.get("/")
		if p := a.post("/account", "account", number(w.other.ID)); p.status != http.StatusNotFound {
			t.Errorf("another association: %d", p.status)
		}
		if after := w.counts(); after != before {
			t.Errorf("written: %s, before %s", after, before)
		}
	})
	t.Run("the owners are told, by name, of an access that stays", func(t *testing.T) {
		told := func() (mails []hosting.Mail) {
			all, _, err := w.store.Mails(t.Context(), w.root.Scope(hosting.AdminMails), store.MailFilter{PerPage: 100})
			w.must(err)
			for _, m := range all {
				if m.Kind == hosting.MailAccess {
					mails = append(mails, m)
				}
			}
			return mails
		}
		if n := len(told()); n != 0 {
			t.Errorf("%d mails before", n)
		}
		a.get("/ftp/new")
		if p := a.post("/ftp/new", "login", "volunteer", "site", number(w.site.ID), "rights", "read_write"); p.status >= http.StatusBadRequest {
			t.Fatal(p.status, p.text("main"))
		}
		mails := told()
		if len(mails) != 1 || mails[0].Email != "owner@asso.example" || mails[0].AccountID != w.account.ID {
			t.Fatalf("%+v", mails)
		}
		m, err := w.store.Mail(t.Context(), w.root.Scope(hosting.AdminMails), mails[0].ID)
		w.must(err)
		if m.Args["author"] != "administrator@asso.example" || m.Args["act"] != "ftp_create" || !strings.Contains(m.Args["subject"], "volunteer") {
			t.Errorf("%+v", m.Args)
		}
		if p := w.as(owner).get("/activity"); !strings.Contains(p.text("tbody"), "administrator@asso.example, au nom de baie") || !strings.Contains(p.text("tbody"), "volunteer") {
			t.Error(p.text("tbody"))
		}
		o := w.as(owner) // one's own act is told to nobody
		o.get("/ftp/new")
		o.post("/ftp/new", "login", "own", "site", number(w.site.ID), "rights", "read_write")
		if n := len(told()); n != 1 {
			t.Errorf("%d mails", n)
		}
	})
	a.get("/")
	if p := a.post("/act/end"); p.status != http.StatusSeeOther {
		t.Fatal(p.status)
	}
	if p := a.get("/admin"); p.status != http.StatusOK || strings.Contains(p.text(".alert"), "au nom de") {
		t.Error("it did not end", p.status)
	}
	if e := last(); e.Action != "account.act_as_end" {
		t.Errorf("%+v", e)
	}
	t.Run("a role that is taken away ends it", func(t *testing.T) {
		a.get("/admin/accounts/" + number(w.account.ID))
		a.post("/admin/accounts/" + number(w.account.ID) + "/act")
		_, err := w.store.CreatePersonWithPassword(t.Context(), w.root, hosting.PersonSpec{Email: "second@asso.example", Role: hosting.Administrator}, nil, testPassword)
		w.must(err)
		_, err = w.store.UpdatePerson(t.Context(), w.root, w.people[admin].ID, hosting.PersonSpec{Email: "administrator@asso.example", Role: hosting.Technician})
		w.must(err)
		if p := a.get("/sites/new"); p.status != http.StatusForbidden {
			t.Errorf("a technician still acts in its place: %d", p.status)
		}
	})
}

func TestASignInWithANewBrowserIsTold(t *testing.T) {
	w := newWorld(t)
	office := w.mailServer()
	told := func() int {
		mails, _, err := w.store.Mails(t.Context(), w.root.Scope(hosting.AdminMails), store.MailFilter{Search: "owner@", PerPage: 100})
		w.must(err)
		n := 0
		for _, m := range mails {
			if m.Kind == hosting.MailDevice {
				n++
			}
		}
		return n
	}
	b := w.as(owner)
	for range 2 { // the same browser again
		b.get("/")
		b.post("/signout")
		b.get("/signin")
		b.post("/signin", "email", "owner@asso.example", "password", testPassword)
	}
	if n := told(); n != 0 {
		t.Fatalf("%d mails about the only browser", n)
	}
	forged := w.browser()
	forged.header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/140 <b>Bcc: x</b>")
	forged.setCookie(deviceCookie, "../../x")
	forged.get("/signin")
	if p := forged.post("/signin", "email", "owner@asso.example", "password", testPassword); p.status != http.StatusSeeOther {
		t.Fatal(p.status)
	}
	if n := told(); n != 1 {
		t.Fatalf("%d mails about a new browser", n)
	}
	letter := office.to(t, "owner@asso.example")
	if letter.Header.Get("Bcc") != "" || !strings.Contains(letter.Header.Get("Subject"), "=?") && !strings.Contains(letter.Header.Get("Subject"), "Nouvelle connexion") {
		t.Error(letter.Header)
	}
}
