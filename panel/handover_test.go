package panel

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
)

func TestABoardHandsOver(t *testing.T) {
	w := newWorld(t)
	o, leaving := w.as(owner), w.as(webmaster)
	roles := func() int {
		rows, err := w.store.Memberships(t.Context(), w.root.Scope(hosting.AdminRead), w.account.ID)
		w.must(err)
		return len(rows)
	}
	fields := []string{
		"leave", number(w.people[webmaster].ID), "leave", number(w.people[owner].ID), "email", "nouvelle@asso.example", "name", "Nolwenn <b>Riou</b>", "role", "owner", "until", "",
		"ftp", "true", "sessions", "true", "database", number(w.database.ID),
	}
	o.get("/people/handover")
	t.Run("somebody must stay who answers for it", func(t *testing.T) {
		p := o.post("/people/handover", "leave", number(w.people[owner].ID), "sessions", "true")
		if p.status != http.StatusUnprocessableEntity || !strings.Contains(p.text(".errors"), "responsable") {
			t.Error(p.status, p.text(".errors"))
		}
		o.post("/people/handover", "email", "pas une adresse", "name", "", "role", "owner", "until", "").refusedAt(t, "email-1")
		o.post("/people/handover").refusedAt(t, "")
	})
	before := w.counts()
	p := o.post("/people/handover", fields...)
	if p.status != http.StatusOK || !strings.Contains(p.text("main"), "Rien n’est encore fait") || !strings.Contains(p.text("main"), "nouvelle@") && !strings.Contains(p.text("main"), "Nolwenn <b>Riou</b>") {
		t.Fatal(p.status, p.text("main"))
	}
	if after := w.counts(); after != before || roles() != 3 || resets(w) != 0 {
		t.Errorf("the preview changed something: %s, before %s", after, before)
	}
	if p := o.post("/people/handover", append(fields, "step", "back")...); p.status != http.StatusOK || p.doc.Find("#leave-"+number(w.people[webmaster].ID)+"[checked]").Length() != 1 {
		t.Error("what was chosen is lost", p.status)
	}
	p = o.post("/people/handover", append(fields, "step", "confirm")...)
	if p = o.follow(p); p.status != http.StatusOK {
		t.Fatal(p.status, p.text("main"))
	}
	if p.doc.Find(".secret").Length() != 3 || regexpLink.FindString(p.body) == "" {
		t.Errorf("%d secrets: %s", p.doc.Find(".secret").Length(), p.text("main"))
	}
	link := regexpLink.FindString(p.body)
	if again := o.get("/people/handover/done"); again.status != http.StatusSeeOther {
		t.Error("shown twice", again.status)
	}
	if p := o.get("/people"); p.status == http.StatusOK && strings.Contains(p.body, "Souffle") {
		t.Error("who left still sees the association")
	}
	if p := leaving.get("/sites"); p.status != http.StatusSeeOther || !strings.HasPrefix(p.header.Get("Location"), "/signin") {
		t.Error("a session survived", p.status)
	}
	if resets(w) != 1 || roles() != 2 { // the contractor and who came
		t.Error("roles and passwords are not as asked", roles())
	}
	b := w.browser()
	b.get(strings.TrimPrefix(link, w.url))
	if p := b.post(strings.TrimPrefix(link, w.url), "password", "une grande marée basse"); p.status != http.StatusSeeOther {
		t.Error(p.status, p.text(".errors"))
	}
	rows, _, err := w.store.Audit(t.Context(), w.root.Scope(hosting.AdminAudit), store.AuditFilter{Search: "account.handover", PerPage: 5})
	w.must(err)
	if len(rows) != 1 || rows[0].Actor != "owner@asso.example" || strings.Contains(rows[0].After, "assword\":\"") {
		t.Errorf("%+v", rows)
	}
	t.Run("another association's people and databases are not found", func(t *testing.T) {
		s := w.as(stranger)
		s.get("/people/handover")
		for _, fields := range [][]string{{"leave", number(w.people[contractor].ID)}, {"database", number(w.database.ID), "ftp", "true"}} {
			if p := s.post("/people/handover", append(fields, "step", "confirm")...); p.status != http.StatusNotFound {
				t.Errorf("%v: %d %s", fields, p.status, p.text("main"))
			}
		}
		if roles() != 2 {
			t.Error("a role is gone")
		}
	})
}

// resets is how often the password of an FTP login was changed.
func resets(w *world) int {
	w.t.Helper()
	_, n, err := w.store.Audit(w.t.Context(), w.root.Scope(hosting.AdminAudit), store.AuditFilter{Search: "ftp.reset_password", PerPage: 1})
	w.must(err)
	return n
}

func TestARoleEndsAtItsDate(t *testing.T) {
	w := newWorld(t)
	o := w.as(owner)
	page := "/people/" + number(w.people[webmaster].ID)
	o.get(page)
	o.post(page, "role", "webmaster", "until", "2020-01-01").refusedAt(t, "until")
	tomorrow := time.Now().AddDate(0, 0, 1).Format(time.DateOnly)
	if p := o.post(page, "role", "webmaster", "until", tomorrow); p.status != http.StatusSeeOther {
		t.Fatal(p.status, p.text(".errors"))
	}
	if p := o.get(page); p.value("until") != tomorrow {
		t.Errorf("%q", p.value("until"))
	}
	self := "/people/" + number(w.people[owner].ID)
	o.get(self)
	o.post(self, "role", "owner", "until", tomorrow).refusedAt(t, "until")
	m := w.as(webmaster)
	if p := m.get("/sites"); p.status != http.StatusOK {
		t.Fatal(p.status)
	}
	w.must(w.store.SetMembership(t.Context(), w.root, w.people[webmaster].ID, store.MembershipSpec{Account: w.account.ID, Role: hosting.Webmaster, Until: new(time.Now().Add(-time.Second))}))
	for _, path := range []string{"/sites/" + number(w.site.ID), "/ftp/" + number(w.login.ID)} {
		if p := m.get(path); p.status != http.StatusNotFound && p.status != http.StatusForbidden {
			t.Errorf("%s: %d", path, p.status)
		}
	}
	if p := o.get("/people"); !strings.Contains(p.text("main"), "accès terminé") {
		t.Error(p.text("main table"))
	}
	o.get(page)
	if p := o.post(page, "role", "webmaster", "until", ""); p.status != http.StatusSeeOther {
		t.Error(p.status)
	}
	if p := m.get("/sites/" + number(w.site.ID)); p.status != http.StatusOK {
		t.Error("the role was extended, and yet", p.status)
	}
}
