package panel

import (
	"encoding/json"
	"html"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cancale/internal/config"
	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/internal/store"
	"cancale/views/assets"
)

// observe is the agent's word of a site.
func (w *world) observe(site hosting.Site, state hosting.State, problem hosting.Message) {
	w.t.Helper()
	row, err := w.store.Site(w.t.Context(), w.root.Scope(hosting.SitesRead), site.ID)
	w.must(err)
	w.must(w.node.Observe(w.t.Context(), hosting.Key{Resource: hosting.ResourceSite, ID: uint64(site.ID)}, row.Sync.Generation, state, problem, time.Time{}))
}

func TestAnAssociationFromItsCreationToItsFirstSite(t *testing.T) {
	w := newWorld(t)
	a := w.as(admin)
	a.get("/admin/accounts/new")
	p := a.post("/admin/accounts/new", "label", "Les Amis de l’Huître", "name", "huitre", "plan", "grande", "expires", "2030-06-30",
		"note", "Deux\r\nlignes", "person_name", "Gwenn", "email", "gwenn@huitre.example", "role", "owner")
	p = a.follow(p)
	link := regexpLink.FindString(p.body)
	if link == "" || !strings.Contains(p.body, "Les Amis de l’Huître") {
		t.Fatal(p.status, p.text("main"))
	}
	account, err := w.store.AccountByName(t.Context(), w.root.Scope(hosting.AdminRead), "huitre")
	w.must(err)
	if account.Note != "Deux\nlignes" || account.Expires == nil || account.Expires.Local().Format(time.DateOnly) != "2030-06-30" {
		t.Errorf("%q %v", account.Note, account.Expires)
	}

	g := w.browser()
	path := strings.TrimPrefix(link, w.url)
	g.get(path)
	if p = g.follow(g.post(path, "name", "Gwenn", "password", testPassword)); p.status != http.StatusOK || !strings.Contains(p.body, "Les Amis de l’Huître") {
		t.Fatal(p.status, p.text("main"))
	}
	g.get("/sites/new")
	p = g.post("/sites/new", "host", "Huître.example.", "aliases", "www.huître.example", "document_root", "", "php", "8.2")
	p = g.follow(p)
	if p.status != http.StatusOK || !strings.Contains(p.text("h1"), "huître.example") {
		t.Fatal(p.status, p.text("main"))
	}
	page := p.path
	if live := p.doc.Find("[hx-trigger]"); live.Length() == 0 {
		t.Error("nothing on the page follows the change")
	}
	if p.doc.Find("noscript meta[http-equiv=refresh]").Length() == 0 && !strings.Contains(p.body, "http-equiv") {
		t.Error("without JavaScript the page does not follow the change")
	}
	host, err := hosting.ParseHostname("huître.example")
	w.must(err)
	row, err := w.store.SiteByHost(t.Context(), w.root.Scope(hosting.SitesRead), host)
	w.must(err)

	w.observe(row.Site, hosting.Failed, hosting.Msg("site.problem_test"))
	if p = g.get(page); !strings.Contains(p.body, page+"/retry") {
		t.Error("a failed site has no button to try again")
	}
	if p = g.post(page + "/retry"); p.header.Get("Location") != page {
		t.Error(p.status)
	}
	w.observe(row.Site, hosting.Live, hosting.Message{})
	p = g.get(page)
	if p.doc.Find("main [hx-trigger^=every]").Length() != 0 {
		t.Error("the page of a live site still asks for news")
	}
	if !strings.Contains(p.body, "http://"+host.String()+":8080/") {
		t.Error("the page does not lead to the site")
	}

	for tab, fields := range map[string][]string{
		"addresses":  {"alias", "www.huître.example", "alias", "", "canonical", "www", "from", "/Été/", "reach", "folder", "to", "https://exemple.example/é", "status", "302"},
		"folder":     {"document_root", "www/public", "listing", "true", "not_found", "/erreurs/404.html"},
		"php":        {"php", "8.2", "memory", "192", "upload", "", "seconds", "60", "time_zone", "Indian/Reunion", "show_errors", "true"},
		"protection": {"path", "/comité"},
	} {
		g.get(page + "/" + tab)
		if p = g.post(page+"/"+tab, fields...); p.header.Get("Location") != page+"/"+tab {
			t.Error(tab, p.status, p.text(".errors"))
		}
	}
	g.get(page + "/addresses")
	if p = g.post(page+"/addresses", "alias", "a", "alias", "b", "act", "drop-alias-0", "from", "/x", "to", "", "reach", "page", "status", "301"); p.status != 200 || p.doc.Find("input[name=alias]").Length() != 1 || p.doc.Find("input[name=alias]").AttrOr("value", "") != "b" {
		t.Error("a row is not taken away", p.status)
	}
	if p = g.post(page+"/addresses", "alias", "b", "act", "add-redirect", "from", "/x", "to", "", "reach", "page", "status", "301"); p.status != 200 || p.doc.Find("input[name=from]").Length() != 2 {
		t.Error("no row is added", p.status)
	}
	if p = g.follow(g.post(page+"/protection/allow", "path", "/comité", "user", "Anne", "password", "")); !strings.Contains(p.body, "anne") || len(p.text(".secret code")) < 12 {
		t.Error("the password that was made is not shown", p.text(".secret"))
	}
	if p = g.get(page + "/protection"); p.doc.Find(".secret").Length() != 0 {
		t.Error("the password is shown twice")
	}
	g.get(page + "/maintenance")
	if p = g.follow(g.post(page+"/maintenance", "on", "yes", "addresses", "192.0.2.7, 2001:db8::/32")); !strings.Contains(p.text(".secret code"), "/.well-known/cancale/visit/") {
		t.Error("no link to see the site", p.status, p.text(".errors"))
	}
	g.get(page)
	if p = g.follow(g.post(page + "/suspend")); !strings.Contains(p.body, page+"/resume") {
		t.Error("a suspended site has no button to resume")
	}
	g.post(page + "/resume")
	g.get(page + "/delete")
	if p = g.post(page+"/delete", "confirm", "huître.example"); p.header.Get("Location") != "/sites" {
		t.Error(p.status, p.text(".errors"))
	}
	row, err = w.store.Site(t.Context(), w.root.Scope(hosting.SitesRead), row.ID)
	if err != nil || !row.Sync.Removing || row.DocumentRoot != "www/public" || len(row.Aliases) != 1 {
		t.Errorf("%+v %v", row, err)
	}
	b := row.Behaviour
	if b.Canonical != hosting.CanonicalWWW || b.PHP != (hosting.PHPSettings{MemoryMB: 192, ShowErrors: true, TimeZone: "Indian/Reunion"}) || !b.Listing ||
		b.ErrorPages.NotFound != "erreurs/404.html" || len(b.Redirects) != 1 || b.Redirects[0] != (hosting.Redirect{From: "/Été/", Whole: true, To: "https://exemple.example/%C3%A9/", Status: 302}) ||
		len(b.Protected) != 1 || b.Protected[0].Path != "/comité" || len(b.Protected[0].Users) != 1 || !b.Maintenance.On || len(b.Maintenance.Addresses) != 2 {
		t.Errorf("%+v", b)
	}
}

func TestSomebodyOfTheTeamActsForAnAssociation(t *testing.T) {
	w := newWorld(t)
	for _, who := range []string{technician, admin} {
		b := w.as(who)
		if p := b.get("/"); p.header.Get("Location") != "/admin" {
			t.Errorf("%s begins at %s", who, p.header.Get("Location"))
		}
		if p := b.get("/sites"); p.header.Get("Location") != "/admin/accounts" {
			t.Errorf("%s has nothing to act for, and gets %d %s", who, p.status, p.header.Get("Location"))
		}
		b.get("/admin/accounts/" + number(w.account.ID))
		if p := b.get("/sites"); p.status != http.StatusOK || !strings.Contains(p.body, "parc.asso.example") {
			t.Errorf("%s: %d", who, p.status)
		}
	}
	b := w.as(admin)
	b.get("/admin/accounts/" + number(w.account.ID))
	b.get("/databases/new")
	if p := b.post("/databases/new", "name", "equipe"); p.status != http.StatusSeeOther {
		t.Fatal(p.status, p.text(".errors"))
	}
	entries, _, err := w.store.Audit(t.Context(), w.root.Scope(hosting.AdminAudit), store.AuditFilter{PerPage: 1})
	w.must(err)
	if len(entries) != 1 || entries[0].Actor != admin+"@asso.example" || entries[0].Source != "127.0.0.1" || entries[0].AccountID != w.account.ID {
		t.Errorf("%+v", entries)
	}
}

func TestWhatTheTeamSuspendedTheTeamResumes(t *testing.T) {
	w := newWorld(t)
	page := "/sites/" + number(w.site.ID)
	b := w.as(technician)
	b.get(page)
	if p := b.post(page + "/suspend"); p.header.Get("Location") != page {
		t.Fatal(p.status, p.text("main"))
	}
	o := w.as(owner)
	if p := o.get(page); p.doc.Find(`form[action="`+page+`/resume"]`).Length() != 0 {
		t.Error("the member is offered to resume it")
	}
	if p := o.post(page + "/resume"); p.status != http.StatusForbidden || !strings.Contains(p.text("main"), w.site.Host.Unicode()) {
		t.Errorf("the member resumes it: %d %s", p.status, p.text("main"))
	}
	b.get(page)
	if p := b.post(page + "/resume"); p.header.Get("Location") != page {
		t.Error(p.status)
	}
}

func TestTheLastOwnerStays(t *testing.T) {
	w := newWorld(t)
	b := w.as(owner)
	path := "/people/" + number(w.people[owner].ID) + "/remove"
	b.get(path)
	p := b.post(path)
	p.refusedAt(t, "")
	b.get("/people")
	if p := b.follow(b.post("/people/" + number(w.people[contractor].ID) + "/remove")); strings.Contains(p.text("main table"), "contractor@") {
		t.Error("the contractor is still there")
	}
	if p := w.as(contractor).get("/sites/" + number(w.site.ID)); p.status != http.StatusForbidden && p.status != http.StatusNotFound {
		t.Errorf("somebody who left still sees: %d", p.status)
	}
}

func TestTheLifeOfAnAssociationInTheAdministration(t *testing.T) {
	w := newWorld(t)
	b := w.as(admin)
	page := "/admin/accounts/" + number(w.account.ID)
	b.get(page)
	if p := b.follow(b.post(page + "/suspend")); !strings.Contains(p.body, page+"/resume") {
		t.Error("no button to resume")
	}
	if p := w.as(owner).get("/"); p.text(".alert--warn") == "" {
		t.Error("the members are not told that their association is suspended")
	}
	o := w.as(owner)
	o.get("/sites/new")
	before := w.counts()
	o.post("/sites/new", "host", "neuf.asso.example").refusedAt(t, "")
	if w.counts() != before {
		t.Error("written")
	}
	b.post(page + "/resume")
	p := b.get(page + "/delete")
	for _, want := range []string{"parc.asso.example", "baie_blog", "fichiers@baie", "Maëlle owner"} {
		if !strings.Contains(p.body, want) {
			t.Errorf("%s goes, and is not named", want)
		}
	}
	if p = b.post(page+"/delete", "confirm", "baie"); p.header.Get("Location") != "/admin/accounts" {
		t.Fatal(p.status, p.text(".errors"))
	}
	if p = o.get("/ftp/" + number(w.login.ID)); p.status != http.StatusForbidden { // its owner has no association now
		t.Errorf("an FTP login of a removed association: %d", p.status)
	}
}

func TestPlansAndPersonsInTheAdministration(t *testing.T) {
	w := newWorld(t)
	b := w.as(admin)
	b.get("/admin/plans/new")
	if p := b.post("/admin/plans/new", "name", "libre", "label", "Libre", "sites", "", "databases", "0", "ftp_logins", " 3 ", "disk_mb", "100"); p.status != http.StatusSeeOther {
		t.Fatal(p.status, p.text(".errors"))
	}
	plan, err := w.store.Plan(t.Context(), w.root.Scope(hosting.AdminPlans), "libre")
	w.must(err)
	if plan.Sites != hosting.Unlimited || plan.Databases != 0 || plan.FTPLogins != 3 || plan.DiskMB != 100 {
		t.Errorf("%+v", plan)
	}
	p := b.get("/admin/plans/" + number(plan.ID))
	if p.value("sites") != "" || p.value("databases") != "0" {
		t.Errorf("the form says %q and %q", p.value("sites"), p.value("databases"))
	}
	b.get("/admin/plans/" + number(w.account.PlanID))
	b.post("/admin/plans/"+number(w.account.PlanID)+"/delete").refusedAt(t, "")

	b.get("/admin/persons/new")
	p = b.post("/admin/persons/new", "email", "tech@asso.example", "name", "T", "role", "technician", "account", "baie", "as", "contractor", "until", "2040-01-31", "language", "en")
	p = b.follow(p)
	if regexpLink.FindString(p.body) == "" {
		t.Fatal(p.status, p.text("main"))
	}
	row, err := w.store.PersonByEmail(t.Context(), w.root.Scope(hosting.AdminPersons), "tech@asso.example")
	w.must(err)
	if row.Role != hosting.Technician || row.Language != "en" || len(row.Memberships) != 1 || row.Memberships[0].Role != hosting.Contractor {
		t.Errorf("%+v", row)
	}
	self := "/admin/persons/" + number(w.people[admin].ID)
	b.get(self)
	if p := b.post(self + "/disable"); p.status != http.StatusConflict || !strings.Contains(p.body, html.EscapeString(i18n.Text("fr", "person.oneself"))) {
		t.Errorf("disabling oneself: %d %s", p.status, p.text("main"))
	}
	b.post(self, "email", "administrator@asso.example", "name", "A", "role", "").refusedAt(t, "role")
	for query, want := range map[string]string{"?role=technician": "tech@asso.example", "?state=invited": "tech@asso.example", "?role=member": "owner@asso.example", "?q=webm": "webmaster@asso.example"} {
		p := b.get("/admin/persons" + query)
		if !strings.Contains(p.text("main table"), want) || strings.Contains(p.text("main table"), "administrator@") {
			t.Errorf("%s: %s", query, p.text("main table"))
		}
	}
	for _, query := range []string{"?account=nulle", "?since=hier"} {
		if p := b.get("/admin/audit" + query); p.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", query, p.status)
		}
	}
	if p := b.get("/admin/audit?account=baie&since=2020-01-01&q=database"); !strings.Contains(p.text("main table"), "baie_blog") {
		t.Error(p.text("main table"))
	}
}

func TestThePlatformPageSaysWhatTheSupervisorSays(t *testing.T) {
	w := newWorld(t)
	layout := w.srv.conf.Layout
	w.must(os.MkdirAll(filepath.Dir(layout.Status()), 0o755))
	data, err := json.Marshal(config.Status{HTTPPort: 8081, FTPPort: 2122, Data: "/srv/essai", Services: []config.Service{{Name: "apache", State: "running", PID: 4711}, {Name: "mariadb", State: "failed"}}})
	w.must(err)
	w.must(os.WriteFile(layout.Status(), data, 0o600))
	b := w.as(technician)
	p := b.get("/admin/platform")
	for _, want := range []string{"4711", "8081", "2122", "/srv/essai"} {
		if !strings.Contains(p.text("main"), want) {
			t.Errorf("%s is missing: %s", want, p.text("main"))
		}
	}
	w.must(os.WriteFile(layout.Status(), []byte("{"), 0o600))
	if p := b.get("/admin/platform"); p.status != http.StatusOK {
		t.Errorf("a broken status: %d", p.status)
	}
}

func TestFullPagesStaySmall(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	_, err := w.store.UpdatePlan(ctx, w.root, "grande", hosting.PlanSpec{Name: "grande", Label: "Grande", Sites: -1, Databases: -1, FTPLogins: -1, DiskMB: -1})
	w.must(err)
	specs := make([]hosting.SiteSpec, 2*perPage)
	for i := range specs {
		specs[i] = hosting.SiteSpec{Host: hosting.Hostname("une-association-au-nom-plutot-long-" + number(hosting.SiteID(i)) + ".asso.example"), DocumentRoot: "www/public", PHP: "8.2"}
	}
	sites, err := w.store.CreateSites(ctx, w.root, w.account.ID, specs)
	w.must(err)
	for i, site := range sites {
		w.observe(site, hosting.Failed, hosting.Msg("site.problem_test"))
		if i < perPage {
			_, _, err := w.store.CreateDatabase(ctx, w.root, w.account.ID, hosting.DatabaseName("baie_une_base_de_donnees_numero_"+number(hosting.SiteID(i))))
			w.must(err)
		}
	}
	for i := range perPage {
		_, err := w.store.CreateAccount(ctx, w.root, hosting.AccountSpec{Name: hosting.AccountName("association-" + number(hosting.SiteID(i))), Label: "Une association au nom plutôt long, comme il y en a", Plan: "grande"})
		w.must(err)
		_, _, err = w.store.CreatePerson(ctx, w.root, hosting.PersonSpec{Email: hosting.Email("une.personne.au.nom.long." + number(hosting.SiteID(i)) + "@association.example"), Name: "Une personne au nom plutôt long"},
			[]store.MembershipSpec{{Account: w.account.ID, Role: hosting.Webmaster}})
		w.must(err)
	}
	const most = 60 << 10
	loaded := assets.Size("cancale.css") + assets.Size("cancale.js") + assets.Size("htmx.min.js") + assets.Size("favicon.svg")
	check := func(b *browser, path string) {
		p := b.get(path)
		if p.status != http.StatusOK {
			t.Errorf("%s: %d", path, p.status)
		}
		b.header.Set("Accept-Encoding", "gzip")
		sent := len(b.get(path).body)
		b.header.Del("Accept-Encoding")
		t.Logf("%-22s %6d bytes of HTML, %6d sent, %6d with all that it loads", path, len(p.body), sent, sent+loaded)
		if len(p.body) > most || sent+loaded > most {
			t.Errorf("%s is too large", path)
		}
	}
	o, a := w.as(owner), w.as(admin)
	for _, path := range []string{"/", "/sites", "/sites?page=2", "/sites/" + number(sites[0].ID), "/databases", "/ftp", "/ftp/new", "/people"} {
		check(o, path)
	}
	for _, path := range []string{"/admin", "/admin/accounts", "/admin/accounts/" + number(w.account.ID), "/admin/persons", "/admin/sites", "/admin/audit"} {
		check(a, path)
	}
}
