package panel

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"cancale/internal/hosting"
)

func TestTheListOfAssociationsIsNarrowed(t *testing.T) {
	w := newWorld(t)
	for name, days := range map[string]int{"bientot": 10, "passee": -10, "passee-2": -20} {
		_, err := w.store.CreateAccount(t.Context(), w.root, hosting.AccountSpec{
			Name: hosting.AccountName(name), Label: "=SOMME(A1)<b>" + name, Plan: "grande", Expires: new(time.Now().AddDate(0, 0, days)),
		})
		w.must(err)
	}
	b := w.as(admin)
	t.Run("filters are combined, kept by the order, and shown", func(t *testing.T) {
		p := b.get("/admin/accounts?dues=ended&plan=grande&q=passee&sort=-expires&state=live")
		if names := p.doc.Find("tbody tr"); names.Length() != 2 || !strings.Contains(names.First().Text(), "passee") || strings.Contains(p.text("tbody"), "bientot") {
			t.Error(p.text("tbody"))
		}
		for _, part := range []string{"dues=ended", "plan=grande", "q=passee", "state=live"} {
			if href := p.doc.Find("thead a").First().AttrOr("href", ""); !strings.Contains(href, part) {
				t.Errorf("the order forgets %s: %s", part, href)
			}
			if href := p.doc.Find(`a[href*="/download?"]`).AttrOr("href", ""); !strings.Contains(href, part) {
				t.Errorf("the download forgets %s: %s", part, href)
			}
		}
		if p.value("dues") != "ended" {
			t.Errorf("%q is chosen", p.value("dues"))
		}
		if p.doc.Find("tbody b").Length() != 0 {
			t.Error("a name is markup")
		}
	})
	t.Run("a filter that is none does not narrow", func(t *testing.T) {
		if p := b.get("/admin/accounts?dues=%27+OR+1&state=x&plan=%3Cb%3E"); p.doc.Find("tbody tr").Length() != 5 {
			t.Error(p.text("tbody"))
		}
	})
	t.Run("the table holds what the list is narrowed to, and no formula", func(t *testing.T) {
		p := w.as(technician).get("/admin/accounts/download?dues=ended")
		if p.status != http.StatusOK || !strings.HasPrefix(p.header.Get("Content-Type"), "text/csv") || !strings.Contains(p.header.Get("Content-Disposition"), "associations-") {
			t.Fatal(p.status, p.header)
		}
		if lines := strings.Split(strings.TrimSpace(p.body), "\r\n"); len(lines) != 3 || !strings.HasPrefix(lines[1], "'=SOMME(A1)<b>passee;passee;Grande;") {
			t.Errorf("%q", lines)
		}
	})
	t.Run("members have neither", func(t *testing.T) {
		for _, path := range []string{"/admin/accounts", "/admin/accounts/download"} {
			if p := w.as(owner).get(path); p.status != http.StatusForbidden {
				t.Errorf("%s: %d", path, p.status)
			}
		}
	})
}

func TestAMembershipIsRenewed(t *testing.T) {
	w := newWorld(t)
	ended := time.Now().AddDate(0, 0, -3)
	account, err := w.store.CreateAccount(t.Context(), w.root, hosting.AccountSpec{Name: "voile", Label: "<b>Voile</b>", Plan: "grande", Expires: &ended})
	w.must(err)
	path := "/admin/accounts/" + number(account.ID)
	until := func() time.Time {
		t.Helper()
		row, err := w.store.Account(t.Context(), w.root.Scope(hosting.AdminRead), account.ID)
		w.must(err)
		return *row.Expires
	}
	b := w.as(admin)
	t.Run("from the queue, and back to it", func(t *testing.T) {
		p := b.get("/admin")
		form := p.doc.Find(`form[action="` + path + `/renew"]`)
		from := form.Find("[name=from]").AttrOr("value", "")
		p = b.post(path+"/renew", "from", from, "next", form.Find("[name=next]").AttrOr("value", ""))
		if p.header.Get("Location") != "/admin" || until().Before(ended.AddDate(1, 0, 0)) {
			t.Fatal(p.status, until())
		}
		p = b.get("/admin")
		if !strings.Contains(p.text(".alert"), "<b>Voile</b> est renouvelée") || p.doc.Find(`form[action$="/renew"]`).Length() != 0 {
			t.Error(p.text(".alert"))
		}
		before := until()
		if p := b.post(path+"/renew", "from", from); p.status != http.StatusConflict || !until().Equal(before) {
			t.Errorf("renewed twice from one page: %d", p.status)
		}
	})
	t.Run("from its page", func(t *testing.T) {
		w.must(w.store.SuspendAccount(t.Context(), w.root, account.ID))
		before := until()
		p := b.get(path)
		p = b.post(path+"/renew", "from", p.value("from"), "resume", "true", "next", "https://evil.example/")
		if p.header.Get("Location") != path || !until().After(before) {
			t.Fatal(p.status, p.header.Get("Location"))
		}
		if text := b.get(path).text(".page-head"); !strings.Contains(text, "Active") && strings.Contains(text, "Suspendue") {
			t.Error(text)
		}
	})
	t.Run("not by others, nor with a form of nobody", func(t *testing.T) {
		before := until()
		for _, who := range []string{technician, owner, stranger} {
			b := w.as(who)
			b.get("/")
			if p := b.post(path+"/renew", "from", before.Format(time.RFC3339Nano)); p.status != http.StatusForbidden {
				t.Errorf("%s: %d", who, p.status)
			}
		}
		if p := b.post(path+"/renew", "from", before.Format(time.RFC3339Nano), ticketField, "forged"); p.status != http.StatusForbidden || !until().Equal(before) {
			t.Errorf("forged: %d", p.status)
		}
	})
}

func TestTheTeamNotesSomething(t *testing.T) {
	w := newWorld(t)
	path := "/admin/accounts/" + number(w.account.ID)
	b := w.as(technician)
	b.get(path + "/notes")
	if p := b.follow(b.post(path+"/notes", "text", "<b>Rappelée</b>\nmardi")); p.doc.Find(".quote b").Length() != 0 || !strings.Contains(p.text(".quote"), "<b>Rappelée</b> mardi") {
		t.Fatal(p.text("main"))
	}
	rows, _, err := w.store.AccountNotes(t.Context(), w.root.Scope(hosting.AdminNotes), w.account.ID, 1, 1)
	w.must(err)
	note := path + "/notes/" + number(rows[0].ID)
	t.Run("what is no note is refused at the field", func(t *testing.T) {
		b.post(path+"/notes", "text", "  ").refusedAt(t, "text")
		b.post(path+"/notes", "text", strings.Repeat("é", 4001)).refusedAt(t, "text")
		b.post(note, "text", "").refusedAt(t, "text")
	})
	t.Run("members see nothing of it", func(t *testing.T) {
		o := w.as(owner)
		for _, page := range []string{"/", "/activity", "/activity/download", "/people"} {
			if p := o.get(page); strings.Contains(p.body, "Rappelée") || strings.Contains(p.body, "Note ajoutée") {
				t.Errorf("%s tells of the note", page)
			}
		}
		if p := o.get(note); p.status != http.StatusForbidden {
			t.Error(p.status)
		}
	})
	t.Run("it is changed by its author, not by way of another association", func(t *testing.T) {
		if p := b.post("/admin/accounts/"+number(w.other.ID)+"/notes/"+number(rows[0].ID), "text", "x"); p.status != http.StatusNotFound {
			t.Error(p.status)
		}
		b.get(note)
		if p := b.follow(b.post(note, "text", "Rappelée, mercredi")); !strings.Contains(p.text(".quote"), "mercredi") {
			t.Error(p.text("main"))
		}
	})
	t.Run("a forged form removes nothing, an administrator does", func(t *testing.T) {
		a := w.as(admin)
		a.get(path + "/notes")
		if p := a.post(note+"/delete", ticketField, "forged"); p.status != http.StatusForbidden {
			t.Error(p.status)
		}
		if p := a.post(note, "text", "mine"); p.status != http.StatusForbidden {
			t.Error("somebody else’s note was changed:", p.status)
		}
		if p := a.follow(a.post(note + "/delete")); p.doc.Find(".quote").Length() != 0 {
			t.Error(p.text("main"))
		}
	})
}
