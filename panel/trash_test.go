package panel

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
)

// trashMakers make removed things for rows of the table of access.
func (w *world) trashMakers() (site, login, account func(w *world, who string) string) {
	site = func(w *world, who string) string {
		s := w.newSite("efface-" + who + strconv.Itoa(time.Now().Nanosecond()) + ".asso.example")
		_, err := w.store.RemoveSite(w.t.Context(), w.root, s.ID)
		w.must(err)
		return number(s.ID)
	}
	login = func(w *world, who string) string {
		l := w.newLogin("efface-" + who + strconv.Itoa(time.Now().Nanosecond()))
		w.must(w.store.RemoveFTPLogin(w.t.Context(), w.root, l.ID))
		return number(l.ID)
	}
	account = func(w *world, who string) string {
		a, err := w.store.CreateAccount(w.t.Context(), w.root, hosting.AccountSpec{Name: hosting.AccountName("e" + strconv.Itoa(time.Now().Nanosecond())), Label: who, Plan: "grande"})
		w.must(err)
		w.must(w.store.RemoveAccount(w.t.Context(), w.root, a.ID))
		return number(a.ID)
	}
	return site, login, account
}

func (w *world) trashedDatabase() string {
	w.t.Helper()
	d, _, err := w.store.CreateDatabase(w.t.Context(), w.root, w.account.ID, "baie_efface")
	w.must(err)
	_, err = w.store.RemoveDatabase(w.t.Context(), w.root, d.ID)
	w.must(err)
	return number(d.ID)
}

// settled is the agent's word that removed sites are out of service.
func (w *world) settled() {
	w.t.Helper()
	keys, err := w.node.Claim(w.t.Context(), 100)
	w.must(err)
	for _, key := range keys {
		if key.Resource != hosting.ResourceSite {
			continue
		}
		site, err := w.node.Site(w.t.Context(), hosting.SiteID(key.ID))
		w.must(err)
		state := hosting.Live
		if site.Sync.Removing {
			state = hosting.Removed
		}
		w.must(w.node.Observe(w.t.Context(), key, site.Sync.Generation, state, hosting.Message{}, time.Time{}))
	}
}

func TestAMemberBringsBackWhatWasRemoved(t *testing.T) {
	w := newWorld(t)
	o := w.as(owner)
	p := o.get("/sites/" + number(w.site.ID) + "/delete")
	if !strings.Contains(p.text("form"), "7 jours") || !strings.Contains(p.text("form"), "récupérer") {
		t.Errorf("what is asked before: %s", p.text("form"))
	}
	p = o.follow(o.post("/sites/"+number(w.site.ID)+"/delete", "confirm", "parc.asso.example"))
	if said := p.text("[role=status]"); !strings.Contains(said, "parc.asso.example") || !strings.Contains(said, "récupérer jusqu’au") {
		t.Errorf("what is said after: %s", said)
	}
	if href, _ := p.doc.Find(`a[href="/trash"]`).Attr("href"); href == "" {
		t.Error("no way leads to what was removed")
	}
	w.settled()
	p = o.get("/trash")
	if rows := p.text("tbody"); !strings.Contains(rows, "parc.asso.example") || !strings.Contains(rows, "1 compte FTP") || !strings.Contains(rows, "owner@asso.example") {
		t.Errorf("the list: %s", rows)
	}
	restore := "/trash/site/" + number(w.site.ID) + "/restore"
	if p.doc.Find(`form[action="`+restore+`"]`).Length() != 1 {
		t.Error("no button brings it back")
	}

	t.Run("under another name when its own is taken", func(t *testing.T) {
		taker, err := w.store.CreateSite(t.Context(), w.root, w.account.ID, hosting.SiteSpec{Host: "parc.asso.example"})
		w.must(err)
		p := o.post(restore)
		if p.status != http.StatusUnprocessableEntity || p.value("host") != "parc.asso.example" {
			t.Errorf("%d %s", p.status, p.text("main"))
		}
		p.refusedAt(t, "host")
		if p = o.post(restore, "host", "<b>x</b>"); p.status != http.StatusUnprocessableEntity || p.value("host") != "<b>x</b>" || strings.Contains(p.body, "<b>x") {
			t.Errorf("%d %s", p.status, p.value("host"))
		}
		p = o.follow(o.post(restore, "host", "Plage.asso.example"))
		if p.status != http.StatusOK || !strings.Contains(p.text("h1"), "plage.asso.example") || !strings.Contains(p.text("[role=status]"), "revenu") {
			t.Errorf("%d %s", p.status, p.text("main"))
		}
		if row, err := w.store.FTPLogin(t.Context(), w.root.Scope(hosting.FTPRead), w.login.ID); err != nil || row.Host != "plage.asso.example" {
			t.Errorf("%+v, %v", row, err)
		}
		_, err = w.store.PurgeSite(t.Context(), w.root, taker.ID)
		w.must(err)
		if p = o.post(restore); p.status != http.StatusNotFound {
			t.Errorf("brought back twice: %d", p.status)
		}
	})
	t.Run("an FTP login under another name", func(t *testing.T) {
		path := "/ftp/" + number(w.login.ID)
		if p := o.get(path + "/delete"); !strings.Contains(p.text("form"), "récupérer") {
			t.Errorf("%s", p.text("form"))
		}
		if p := o.follow(o.post(path + "/delete")); !strings.Contains(p.text("[role=status]"), "récupérer jusqu’au") {
			t.Errorf("%s", p.text("[role=status]"))
		}
		w.newLogin("fichiers")
		restore := "/trash/ftp/" + number(w.login.ID) + "/restore"
		o.get("/trash")
		p := o.post(restore)
		if p.status != http.StatusUnprocessableEntity {
			t.Fatal(p.status)
		}
		p.refusedAt(t, "login")
		if p = o.follow(o.post(restore, "login", "anciens@baie")); !strings.Contains(p.text("main"), "anciens@baie") {
			t.Errorf("%s", p.text("main"))
		}
	})
	t.Run("gone for good once its name is typed", func(t *testing.T) {
		path := "/databases/" + number(w.database.ID)
		o.get(path + "/delete")
		if p := o.follow(o.post(path+"/delete", "confirm", "baie_blog")); !strings.Contains(p.text("[role=status]"), "récupérer jusqu’au") {
			t.Errorf("%s", p.text("[role=status]"))
		}
		o.get("/databases/new")
		if p := o.post("/databases/new", "name", "blog"); p.status != http.StatusUnprocessableEntity || !strings.Contains(p.text("main"), "Supprimés récemment") {
			t.Errorf("its name: %d %s", p.status, p.text("main"))
		}
		purge := "/trash/database/" + number(w.database.ID) + "/purge"
		o.get(purge)
		p := o.post(purge, "confirm", "baie")
		if p.status != http.StatusUnprocessableEntity {
			t.Fatal(p.status)
		}
		p.refusedAt(t, "confirm")
		if p = o.follow(o.post(purge, "confirm", "baie_blog")); strings.Contains(p.text("tbody"), "baie_blog") {
			t.Errorf("%s", p.text("main"))
		}
	})
	t.Run("no room, and the form says so", func(t *testing.T) {
		id, _, _ := w.trashMakers()
		removed := id(w, "plein")
		_, err := w.store.UpdatePlan(t.Context(), w.root, "grande", hosting.PlanSpec{Name: "grande", Label: "Grande", Sites: 1, Databases: 1, FTPLogins: 20})
		w.must(err)
		o.get("/trash")
		if p := o.post("/trash/site/" + removed + "/restore"); p.status != http.StatusUnprocessableEntity || !strings.Contains(p.text("main"), "formule") {
			t.Errorf("%d %s", p.status, p.text("main"))
		}
	})
}

func TestTheTeamBringsBackAnAssociation(t *testing.T) {
	w := newWorld(t)
	a, o := w.as(admin), w.as(owner)
	path := "/admin/accounts/" + number(w.account.ID)
	if p := a.get(path + "/delete"); !strings.Contains(p.text("form"), "récupérer") {
		t.Errorf("%s", p.text("form"))
	}
	if p := a.follow(a.post(path+"/delete", "confirm", "baie")); !strings.Contains(p.text("[role=status]"), "récupérer jusqu’au") || strings.Contains(p.text("tbody"), "Souffle en Baie") {
		t.Errorf("%s", p.text("main"))
	}
	if p := a.get(path); p.status != http.StatusNotFound {
		t.Errorf("its page: %d", p.status)
	}
	if p := o.get("/"); p.status != http.StatusOK || strings.Contains(p.text("main"), "parc.asso.example") || strings.Contains(p.text("header"), "Souffle en Baie") {
		t.Errorf("its member sees: %s", p.text("main"))
	}
	for _, forbidden := range []string{"/sites/" + number(w.site.ID), "/databases/" + number(w.database.ID), "/ftp/" + number(w.login.ID)} {
		if p := o.get(forbidden); p.status == http.StatusOK {
			t.Errorf("its member still sees %s", forbidden)
		}
	}
	p := a.get("/admin/trash")
	if rows := p.text("tbody"); !strings.Contains(rows, "Souffle en Baie") || !strings.Contains(rows, "1 site · 1 base · 1 compte FTP") {
		t.Errorf("%s", rows)
	}
	if p := w.as(technician).get("/admin/trash"); !strings.Contains(p.text("tbody"), "Souffle en Baie") || p.doc.Find("tbody form").Length() != 0 {
		t.Errorf("a technician sees: %s", p.text("tbody"))
	}
	p = a.follow(a.post("/trash/account/" + number(w.account.ID) + "/restore"))
	if p.status != http.StatusOK || !strings.Contains(p.text("h1"), "Souffle en Baie") {
		t.Errorf("%d %s", p.status, p.text("main"))
	}
	if p := o.get("/"); !strings.Contains(p.body, "parc.asso.example") {
		t.Errorf("its member sees: %s", p.text("main"))
	}
}

// Whoever guesses the number of another association's thing learns nothing, and
// a form that is not of the panel does nothing.
func TestNobodyBringsBackWhatIsOthers(t *testing.T) {
	w := newWorld(t)
	_, err := w.store.RemoveSite(t.Context(), w.root, w.site.ID)
	w.must(err)
	s, o := w.as(stranger), w.as(owner)
	before := w.counts()
	s.get("/trash")
	for _, act := range []string{"restore", "purge"} {
		path := "/trash/site/" + number(w.site.ID) + "/" + act
		for _, p := range []*page{s.get(path), s.post(path, "confirm", "parc.asso.example", "host", "mine.example"), s.get(path + "?all=1")} {
			if p.status != http.StatusNotFound || strings.Contains(p.body, "parc.asso.example") {
				t.Errorf("%s: %d", path, p.status)
			}
		}
	}
	if p := s.get("/trash"); strings.Contains(p.text("main"), "parc.asso.example") {
		t.Error("a stranger sees it")
	}
	if p := s.get("/admin/trash"); p.status != http.StatusForbidden {
		t.Errorf("a member at the team's: %d", p.status)
	}
	o.page = nil
	if p := o.post("/trash/site/" + number(w.site.ID) + "/restore"); p.status != http.StatusForbidden {
		t.Errorf("a forged form: %d", p.status)
	}
	for _, path := range []string{"/trash/site/0/restore", "/trash/site/x/restore", "/trash/site/99999/purge", "/trash/thing/1/restore"} {
		if p := o.get(path); p.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, p.status)
		}
	}
	if after := w.counts(); after != before {
		t.Errorf("something was written: %s, %s", before, after)
	}
	items, _, err := w.store.Trash(t.Context(), w.root.Scope(hosting.AdminRead), store.TrashFilter{})
	if err != nil || len(items) != 1 {
		t.Errorf("%v, %v", items, err)
	}
}
