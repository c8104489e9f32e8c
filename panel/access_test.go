package panel

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/views/assets"
)

// access is what each role gets from a route. The columns of want are the
// roles in the order of everybody.
type access struct {
	route string // "METHOD path" as declared
	path  string // with identifiers; {} takes what prepare made
	// prepare makes something to act on, anew for each role.
	prepare func(w *world, who string) string
	from    string // the page that the form is on, when it is not the last one
	fields  []string
	want    string
}

var everybody = []string{anonymous, stranger, contractor, webmaster, owner, technician, admin}

// The two accounts are baie (contractor, webmaster, owner) and large
// (stranger). Somebody of the team acts for baie. Forms are sent empty, where
// that is enough to be refused with 422 by whoever may send them.
func accessTable(w *world) []access {
	site := "/sites/" + number(w.site.ID)
	base := "/databases/" + number(w.database.ID)
	login := "/ftp/" + number(w.login.ID)
	member := "/people/" + number(w.people[webmaster].ID)
	account := "/admin/accounts/" + number(w.account.ID)
	person := "/admin/persons/" + number(w.people[webmaster].ID)
	newLogin := func(w *world, who string) string {
		return number(w.newLogin("pour-" + who).ID)
	}
	newSite := func(w *world, who string) string {
		return number(w.newSite("pour-" + who + strconv.Itoa(time.Now().Nanosecond()) + ".asso.example").ID)
	}
	newMember := func(w *world, who string) string {
		p, _, err := w.store.AddMember(w.t.Context(), w.root, hosting.PersonSpec{Email: hosting.Email("pour-" + who + "@asso.example")},
			store.MembershipSpec{Account: w.account.ID, Role: hosting.Webmaster})
		w.must(err)
		return number(p.ID)
	}
	newPlan := func(w *world, who string) string {
		p, err := w.store.CreatePlan(w.t.Context(), w.root, hosting.PlanSpec{Name: hosting.PlanName("pour-" + who)})
		w.must(err)
		return number(p.ID)
	}
	return []access{
		//                                                                    anon  stra  cont  webm  owner tech  admin
		{route: "GET /healthz", want: "                                        200   200   200   200   200   200   200"},
		{route: "GET /assets/:hash/:name", path: assets.Path("cancale.css"), want: "200 200 200   200   200   200   200"},
		{route: "GET /signin", want: "                                         200   303   303   303   303   303   303"},
		{route: "GET /forgot", want: "                                         200   200   200   200   200   200   200"},
		{route: "GET /invitation/:token", path: "/invitation/none", want: "    410   410   410   410   410   410   410"},
		{route: "POST /invitation/:token", path: "/invitation/none", want: "   410   410   410   410   410   410   410"},
		{route: "POST /preferences", fields: []string{"theme", "dark"}, want: "303   303   303   303   303   303   303"},
		{route: "POST /account", fields: []string{"account", number(w.account.ID)}, want: "403 404 303 303 303 303 303"},
		{route: "GET /", want: "                                               303   200   200   200   200   200   200"},

		{route: "GET /sites", want: "                                          303   200   200   200   200   200   200"},
		{route: "GET /sites/new", want: "                                      303   200   403   200   200   403   200"},
		{route: "POST /sites/new", want: "                                     403   422   403   422   422   403   422"},
		{route: "GET /sites/check", want: "                                    303   200   403   200   200   403   200"},
		{route: "GET /sites/:id", path: site, want: "                          303   404   200   200   200   200   200"},
		{route: "GET /sites/:id/status", path: site + "/status", want: "       303   404   200   200   200   200   200"},
		{route: "GET /sites/:id/edit", path: site + "/edit", want: "           303   404   403   200   200   403   200"},
		{route: "POST /sites/:id/edit", path: site + "/edit", fields: []string{"php", "4"}, want: "403 404 403 422 422 403 422"},
		{route: "GET /sites/:id/delete", path: site + "/delete", want: "       303   404   403   200   200   403   200"},
		{route: "POST /sites/:id/delete", path: site + "/delete", want: "      403   404   403   422   422   403   422"},
		{route: "POST /sites/:id/suspend", path: "/sites/{}/suspend", prepare: newSite, want: "403 404 403 303 303 303 303"},
		{route: "POST /sites/:id/resume", path: "/sites/{}/resume", prepare: newSite, want: "403 404 403 303 303 303 303"},
		{route: "POST /sites/:id/retry", path: site + "/retry", want: "        403   404   403   303   303   303   303"},

		{route: "GET /databases", want: "                                      303   200   200   200   200   200   200"},
		{route: "GET /databases/new", want: "                                  303   200   403   200   200   403   200"},
		{route: "POST /databases/new", want: "                                 403   422   403   422   422   403   422"},
		{route: "GET /databases/:id", path: base, want: "                      303   404   200   200   200   200   200"},
		{route: "GET /databases/:id/status", path: base + "/status", want: "   303   404   200   200   200   200   200"},
		{route: "POST /databases/:id/password", path: base + "/password", want: "403 404   403   303   303   403   303"},
		{route: "POST /databases/:id/retry", path: base + "/retry", want: "    403   404   403   303   303   403   303"},
		{route: "GET /databases/:id/delete", path: base + "/delete", want: "   303   404   403   200   200   403   200"},
		{route: "POST /databases/:id/delete", path: base + "/delete", want: "  403   404   403   422   422   403   422"},

		{route: "GET /ftp", want: "                                            303   200   200   200   200   200   200"},
		{route: "GET /ftp/new", want: "                                        303   200   403   200   200   403   200"},
		{route: "POST /ftp/new", want: "                                       403   422   403   422   422   403   422"},
		{route: "GET /ftp/:id", path: login, want: "                           303   404   200   200   200   200   200"},
		{route: "GET /ftp/:id/edit", path: login + "/edit", want: "            303   404   403   200   200   403   200"},
		{route: "POST /ftp/:id/edit", path: login + "/edit", fields: []string{"path", "../x"}, want: "403 404 403 422 422 403 422"},
		{route: "POST /ftp/:id/password", path: login + "/password", want: "   403   404   403   303   303   403   303"},
		{route: "POST /ftp/:id/disable", path: login + "/disable", want: "     403   404   403   303   303   403   303"},
		{route: "POST /ftp/:id/enable", path: login + "/enable", want: "       403   404   403   303   303   403   303"},
		{route: "GET /ftp/:id/delete", path: login + "/delete", want: "        303   404   403   200   200   403   200"},
		{route: "POST /ftp/:id/delete", path: "/ftp/{}/delete", prepare: newLogin, want: "403 404 403   303   303   403   303"},

		{route: "GET /people", want: "                                         303   200   403   200   200   200   200"},
		{route: "GET /people/invite", want: "                                  303   200   403   403   200   403   200"},
		{route: "POST /people/invite", want: "                                 403   422   403   403   422   403   422"},
		{route: "GET /people/:id/invited", path: member + "/invited", want: "  303   404   403   403   303   403   303"},
		{route: "GET /people/:id/remove", path: member + "/remove", want: "    303   404   403   403   200   403   200"},
		{route: "POST /people/:id/remove", path: "/people/{}/remove", prepare: newMember, want: "403 404 403 403   303   403   303"},

		{route: "GET /profile", want: "                                        303   200   200   200   200   200   200"},
		{route: "POST /profile", want: "                                       403   422   422   422   422   422   422"},
		{route: "POST /profile/sessions", fields: []string{"session", "others"}, want: "403 303 303 303 303 303 303"},

		{route: "GET /admin", want: "                                          303   403   403   403   403   200   200"},
		{route: "GET /admin/accounts", want: "                                 303   403   403   403   403   200   200"},
		{route: "GET /admin/accounts/new", want: "                             303   403   403   403   403   403   200"},
		{route: "POST /admin/accounts/new", want: "                            403   403   403   403   403   403   422"},
		{route: "GET /admin/accounts/:id", path: account, want: "              303   403   403   403   403   200   200"},
		{route: "GET /admin/accounts/:id/edit", path: account + "/edit", want: "303  403   403   403   403   403   200"},
		{route: "POST /admin/accounts/:id/edit", path: account + "/edit", want: "403 403   403   403   403   403   422"},
		{route: "GET /admin/accounts/:id/delete", path: account + "/delete", want: "303 403 403 403   403   403   200"},
		{route: "POST /admin/accounts/:id/delete", path: account + "/delete", want: "403 403 403 403  403   403   422"},
		{route: "POST /admin/accounts/:id/suspend", path: account + "/suspend", want: "403 403 403 403 403  303   303"},
		{route: "POST /admin/accounts/:id/resume", path: account + "/resume", want: "403 403 403 403  403   303   303"},
		{route: "GET /admin/plans", want: "                                    303   403   403   403   403   403   200"},
		{route: "GET /admin/plans/new", want: "                                303   403   403   403   403   403   200"},
		{route: "POST /admin/plans/new", want: "                               403   403   403   403   403   403   422"},
		{route: "GET /admin/plans/:id", path: "/admin/plans/" + number(w.account.PlanID), want: "303 403 403 403 403 403 200"},
		{route: "POST /admin/plans/:id", path: "/admin/plans/" + number(w.account.PlanID), fields: []string{"sites", "x"}, want: "403 403 403 403 403 403 422"},
		{route: "POST /admin/plans/:id/delete", path: "/admin/plans/{}/delete", prepare: newPlan, want: "403 403 403 403 403 403 303"},
		{route: "GET /admin/persons", want: "                                  303   403   403   403   403   403   200"},
		{route: "GET /admin/persons/new", want: "                              303   403   403   403   403   403   200"},
		{route: "POST /admin/persons/new", want: "                             403   403   403   403   403   403   422"},
		{route: "GET /admin/persons/:id", path: person, want: "                303   403   403   403   403   403   200"},
		{route: "POST /admin/persons/:id", path: person, want: "               403   403   403   403   403   403   422"},
		{route: "POST /admin/persons/:id/invite", path: "/admin/persons/{}/invite", prepare: newMember, want: "403 403 403 403 403 403 303"},
		{route: "GET /admin/persons/:id/invited", path: person + "/invited", want: "303 403 403 403   403   403   303"},
		{route: "POST /admin/persons/:id/disable", path: "/admin/persons/{}/disable", prepare: newMember, want: "403 403 403 403 403 403 303"},
		{route: "POST /admin/persons/:id/enable", path: "/admin/persons/{}/enable", prepare: newMember, want: "403 403 403 403 403 403 303"},
		{route: "GET /admin/sites", want: "                                    303   403   403   403   403   200   200"},
		{route: "GET /admin/audit", want: "                                    303   403   403   403   403   200   200"},
		{route: "GET /admin/platform", want: "                                 303   403   403   403   403   200   200"},

		// These end, or change, the session that the rows above used.
		{route: "POST /profile/password", want: "                              403   422   422   422   422   422   422"},
		{route: "POST /signout", want: "                                       403   303   303   303   303   303   303"},
		{route: "POST /signin", from: "/signin", fields: []string{"email", "owner@asso.example", "password", testPassword}, want: "303 303 303 303 303 303 303"},
	}
}

func TestEveryRouteGivesEachRoleWhatItMayHave(t *testing.T) {
	w := newWorld(t)
	browsers := map[string]*browser{}
	for _, who := range everybody {
		b := w.as(who)
		browsers[who] = b
		switch who {
		case anonymous:
			b.get("/signin")
		case technician, admin:
			b.get("/admin")
			b.post("/account", "account", number(w.account.ID))
		default:
			b.get("/")
		}
	}
	table := accessTable(w)
	for _, row := range table {
		method, pattern, _ := strings.Cut(row.route, " ")
		wants := strings.Fields(row.want)
		for i, who := range everybody {
			path := row.path
			if path == "" {
				path = pattern
			}
			if row.prepare != nil {
				path = strings.Replace(path, "{}", row.prepare(w, who+"x"), 1)
			}
			b := browsers[who]
			if row.from != "" {
				b.get(row.from)
			}
			var p *page
			if method == http.MethodGet {
				p = b.get(path)
			} else {
				p = b.post(path, row.fields...)
			}
			if got := strconv.Itoa(p.status); got != wants[i] {
				t.Errorf("%s as %q: got %s, want %s: %s", row.route, who, got, wants[i], p.text("h1, .errors"))
			}
			checkPage(t, p, row.route+" as "+who)
		}
	}
	t.Run("every route has a row", func(t *testing.T) {
		rows := map[string]bool{}
		for _, row := range table {
			rows[row.route] = true
		}
		for _, r := range w.srv.echo.Routes() {
			if name := r.Method + " " + r.Path; !rows[name] {
				t.Errorf("%s has no row in the table", name)
			}
		}
	})
}

// checkPage asserts what is true of every answer.
func checkPage(t *testing.T, p *page, what string) {
	t.Helper()
	const most = 60 << 10
	if len(p.body) > most {
		t.Errorf("%s: %d bytes", what, len(p.body))
	}
	if p.status >= http.StatusInternalServerError {
		t.Errorf("%s: %d", what, p.status)
	}
	for _, name := range []string{"Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "X-Frame-Options", "X-Request-Id"} {
		if p.header.Get(name) == "" {
			t.Errorf("%s: no %s", what, name)
		}
	}
	if p.status >= http.StatusBadRequest && p.text("h1") == "" {
		t.Errorf("%s: %d without a page", what, p.status)
	}
	if strings.HasPrefix(p.header.Get("Content-Type"), "text/html") && p.body != "" {
		if p.doc.Find("[style], style, script:not([src]), [onclick], [onload], [onsubmit]").Length() > 0 {
			t.Errorf("%s: inline style or script, which the policy forbids", what)
		}
		if !slices.Contains(p.header.Values("Cache-Control"), "no-store") {
			t.Errorf("%s: may be kept: %v", what, p.header.Values("Cache-Control"))
		}
	}
}

func TestEveryRouteDeclaresWhatItNeeds(t *testing.T) {
	s, err := newServer(Config{Secret: []byte(strings.Repeat("x", 32)), PublicURL: "http://panel.example"})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range s.echo.Routes() {
		need, declared := s.needs[r.Method+" "+r.Path]
		if !declared || need == "" {
			t.Errorf("%s %s declares no permission", r.Method, r.Path)
		}
		if need == hosting.Public && strings.HasPrefix(r.Path, "/admin") {
			t.Errorf("%s %s is public", r.Method, r.Path)
		}
	}
}

func TestIdentifiersOfOthersAreNotFound(t *testing.T) {
	w := newWorld(t)
	b := w.as(stranger)
	foreign := b.get("/sites/" + number(w.site.ID))
	missing := b.get("/sites/999999")
	if foreign.status != http.StatusNotFound || missing.status != http.StatusNotFound {
		t.Fatal(foreign.status, missing.status)
	}
	if foreign.text("main") != missing.text("main") {
		t.Error("a foreign site and a missing one are told apart")
	}
	for _, path := range []string{"/sites/0", "/sites/-1", "/sites/x", "/sites/1e1", "/sites/18446744073709551616", "/sites/%31%00", "/databases/" + number(w.database.ID), "/ftp/" + number(w.login.ID), "/nothing"} {
		if p := b.get(path); p.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, p.status)
		}
	}
	// In a form, too: a site of another account cannot be chosen.
	before := w.counts()
	b.get("/ftp/new")
	p := b.post("/ftp/new", "login", "x", "site", number(w.site.ID), "path", "")
	p.refusedAt(t, "site")
	if after := w.counts(); after != before {
		t.Errorf("written: %s, before %s", after, before)
	}
}
