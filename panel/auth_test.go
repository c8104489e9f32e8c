package panel

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
)

func TestSigningIn(t *testing.T) {
	w := newWorld(t)
	t.Run("a wrong password, an unknown address and a bad one get the same answer", func(t *testing.T) {
		var pages []string
		for _, email := range []string{"owner@asso.example", "nobody@asso.example", "no address"} {
			b := w.browser()
			b.get("/signin")
			p := b.post("/signin", "email", email, "password", "not the password")
			if p.status != http.StatusUnprocessableEntity {
				t.Errorf("%s: %d", email, p.status)
			}
			if b.cookie(sessionCookie) != nil {
				t.Error("a session begins")
			}
			if strings.Contains(p.body, "not the password") {
				t.Error("the password is written back")
			}
			if got := p.value("email"); got != email {
				t.Errorf("the address is lost: %q", got)
			}
			pages = append(pages, p.text("main"))
		}
		if len(slices.Compact(pages)) != 1 {
			t.Errorf("they are told apart: %q", pages)
		}
	})
	t.Run("then back to the page that was asked for, and nowhere else", func(t *testing.T) {
		for next, want := range map[string]string{
			"/sites?q=a":            "/sites?q=a",
			"":                      "/",
			"//evil.example/x":      "/",
			"https://evil.example/": "/",
			"/\\evil.example":       "/",
			"javascript:alert(1)":   "/",
		} {
			b := w.browser()
			if p := b.get("/signin?next=" + url.QueryEscape(next)); strings.Contains(p.body, "evil") {
				t.Errorf("%q reaches the form", next)
			}
			p := b.post("/signin", "email", " Owner@Asso.example ", "password", testPassword, "next", next)
			if got := p.header.Get("Location"); got != want {
				t.Errorf("%q leads to %q", next, got)
			}
		}
	})
	t.Run("a page that needs it asks for it and comes back", func(t *testing.T) {
		b := w.browser()
		p := b.get("/sites?state=failed")
		if p.header.Get("Location") != "/signin?next=%2Fsites%3Fstate%3Dfailed" {
			t.Fatal(p.status, p.header.Get("Location"))
		}
		if got := b.follow(p).value("next"); got != "/sites?state=failed" {
			t.Errorf("next is %q", got)
		}
	})
	t.Run("a session that somebody planted is not taken over", func(t *testing.T) {
		b := w.browser()
		b.setCookie(sessionCookie, "planted-by-somebody")
		b.get("/signin")
		b.post("/signin", "email", "owner@asso.example", "password", testPassword)
		if c := b.cookie(sessionCookie); c == nil || c.Value == "planted-by-somebody" {
			t.Error("the planted value is the session")
		}
		stranger := w.as(stranger)
		planted := stranger.cookie(sessionCookie).Value
		b = w.browser()
		b.setCookie(sessionCookie, planted)
		b.get("/forgot")
		b.get("/profile")
		b.post("/signin", "email", "owner@asso.example", "password", testPassword)
		if p := stranger.get("/profile"); p.status != http.StatusSeeOther {
			t.Error("the session that was replaced still lives")
		}
		if c := b.cookie(sessionCookie); c.Value == planted {
			t.Error("a session changed hands")
		}
	})
	t.Run("out again", func(t *testing.T) {
		b := w.as(owner)
		old := b.cookie(sessionCookie).Value
		b.get("/")
		if p := b.post("/signout"); p.header.Get("Location") != "/signin" {
			t.Error(p.status, p.header)
		}
		if b.cookie(sessionCookie) != nil {
			t.Error("the cookie stays")
		}
		b.setCookie(sessionCookie, old)
		if p := b.get("/"); p.status != http.StatusSeeOther {
			t.Error("the session lives")
		}
	})
	t.Run("a person who is shut out is out at once", func(t *testing.T) {
		b := w.as(webmaster)
		w.must(w.store.DisablePerson(t.Context(), w.root, w.people[webmaster].ID))
		if p := b.get("/"); p.status != http.StatusSeeOther {
			t.Error(p.status)
		}
	})
}

func TestCookies(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			w := newWorldAt(t, scheme)
			b := w.browser()
			p := b.get("/signin")
			seen := p.header.Values("Set-Cookie")
			// A browser keeps a secure cookie from the loopback address only under
			// https; here the test carries it.
			cookies := p.header.Values("Set-Cookie")
			ticket, _ := p.ticket()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/signin", strings.NewReader(url.Values{
				ticketField: {ticket}, "email": {"owner@asso.example"}, "password": {testPassword},
			}.Encode()))
			w.must(err)
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for _, c := range cookies {
				value, _, _ := strings.Cut(c, ";")
				req.Header.Add("Cookie", value)
			}
			p = b.do(req)
			if p.status != http.StatusSeeOther {
				t.Fatal(p.status, p.text(".errors"))
			}
			seen = append(seen, p.header.Values("Set-Cookie")...)
			if len(seen) < 2 {
				t.Fatal(seen)
			}
			for _, c := range seen {
				for _, want := range []string{"HttpOnly", "SameSite=Lax", "Path=/"} {
					if !strings.Contains(c, want) {
						t.Errorf("%s: no %s", c, want)
					}
				}
				secure, prefixed := strings.Contains(c, "Secure"), strings.HasPrefix(c, "__Host-")
				if secure != (scheme == "https") || prefixed != secure || strings.Contains(c, "Domain=") {
					t.Errorf("%s under %s", c, scheme)
				}
			}
			if got := p.header.Get("Strict-Transport-Security") != ""; got != (scheme == "https") {
				t.Errorf("Strict-Transport-Security is set: %v", got)
			}
		})
	}
}

func TestTheDelayAfterFailuresIsSaid(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.get("/signin")
	for range 30 {
		p := b.post("/signin", "email", "owner@asso.example", "password", "wrong wrong wrong")
		if p.status == http.StatusTooManyRequests {
			if p.text(".errors") == "" || p.value("email") != "owner@asso.example" {
				t.Errorf("says %q", p.text("main"))
			}
			if p := b.post("/signin", "email", "owner@asso.example", "password", testPassword); p.status != http.StatusTooManyRequests {
				t.Errorf("the right password does not wait: %d", p.status)
			}
			return
		}
	}
	t.Error("no delay after 30 failures")
}

func TestAnUnknownAddressTakesAsLongAsAKnownOne(t *testing.T) {
	w := newWorld(t)
	known, unknown := time.Duration(0), time.Duration(0)
	for range 3 { // below the number of failures that begin a delay
		for email, total := range map[string]*time.Duration{"owner@asso.example": &known, "nobody@asso.example": &unknown} {
			b := w.browser()
			b.get("/signin")
			began := time.Now()
			p := b.post("/signin", "email", email, "password", "wrong wrong wrong")
			*total += time.Since(began)
			if p.status != http.StatusUnprocessableEntity {
				t.Fatalf("%s: %d", email, p.status)
			}
		}
	}
	if ratio := float64(unknown) / float64(known); ratio < 0.4 || ratio > 2.5 {
		t.Errorf("known %v, unknown %v", known, unknown)
	}
}

var regexpLink = regexp.MustCompile(`http://[0-9.:]+/invitation/[A-Za-z0-9_-]+`)

func TestAnInvitationMakesAPersonSignIn(t *testing.T) {
	w := newWorld(t)
	b := w.as(owner)
	b.get("/people/invite")
	p := b.follow(b.post("/people/invite", "email", "nouvelle@asso.example", "name", "", "role", "webmaster"))
	link := regexpLink.FindString(p.body)
	if link == "" || !strings.HasPrefix(link, w.url+"/invitation/") {
		t.Fatalf("no link: %s", p.text("main"))
	}
	if again := b.get(p.path); again.status != http.StatusSeeOther {
		t.Error("the link is shown twice")
	}
	token := strings.TrimPrefix(link, w.url)
	if strings.Contains(w.log.String(), strings.TrimPrefix(token, "/invitation/")) {
		t.Error("the token is in the log")
	}
	n := w.browser()
	if p := n.get(token); p.status != http.StatusOK || !strings.Contains(p.body, "nouvelle@asso.example") {
		t.Fatal(p.status, p.text("main"))
	}
	p = n.post(token, "name", "Nolwenn", "password", "court")
	p.refusedAt(t, "password")
	if p.value("name") != "Nolwenn" || strings.Contains(p.body, "court\"") {
		t.Error("the form is not as it was typed")
	}
	p = n.post(token, "name", "Nolwenn", "password", "un mot de passe assez long")
	if p.header.Get("Location") != "/" {
		t.Fatal(p.status, p.text(".errors"))
	}
	if p := n.follow(p); !strings.Contains(p.text("main"), "Nolwenn") || p.text(".alert") == "" {
		t.Errorf("the home says %q", p.text("main"))
	}
	for _, p := range []*page{w.browser().get(token), n.get(token)} {
		if p.status != http.StatusGone {
			t.Errorf("the link is good twice: %d", p.status)
		}
	}
	used := w.browser()
	used.get("/signin")
	if p := used.post(token, "name", "x", "password", "un autre mot de passe"); p.status != http.StatusGone {
		t.Errorf("the form of a used link: %d", p.status)
	}

	t.Run("a link for a new password", func(t *testing.T) {
		a := w.as(admin)
		a.get("/admin/persons/" + number(w.people[owner].ID))
		p := a.follow(a.post("/admin/persons/" + number(w.people[owner].ID) + "/invite"))
		token := strings.TrimPrefix(regexpLink.FindString(p.body), w.url)
		o := w.browser()
		if p := o.get(token); p.doc.Find("[name=name]").Length() != 0 {
			t.Error("it asks for a name")
		}
		if p := o.post(token, "password", "un tout nouveau mot de passe"); p.status != http.StatusSeeOther {
			t.Fatal(p.status, p.text(".errors"))
		}
		if p := b.get("/"); p.status != http.StatusSeeOther {
			t.Error("the old session of the person lives")
		}
	})
}

func TestTheFirstAdministratorGivesAnAddress(t *testing.T) {
	w := newWorld(t)
	_, invitation, err := w.store.CreatePerson(t.Context(), w.root, hosting.PersonSpec{Email: hosting.FirstEmail, Role: hosting.Administrator}, nil)
	w.must(err)
	path := "/invitation/" + invitation.Token
	b := w.browser()
	if p := b.get(path); p.doc.Find("[name=email]").Length() != 1 || strings.Contains(p.body, string(hosting.FirstEmail)) {
		t.Fatal(p.text("main"))
	}
	p := b.post(path, "name", "Yann", "email", "yann", "password", testPassword)
	p.refusedAt(t, "email")
	p = b.post(path, "name", "Yann", "email", "owner@asso.example", "password", testPassword)
	p.refusedAt(t, "email")
	p = b.post(path, "name", "Yann", "email", "yann@asso.example", "password", "court")
	p.refusedAt(t, "password")
	if p.value("email") != "yann@asso.example" {
		t.Error("the address is lost")
	}
	if _, err := w.store.PersonByEmail(t.Context(), w.root.Scope(hosting.AdminPersons), "yann@asso.example"); hosting.KindOf(err) != hosting.NotFound {
		t.Error("half of the form was written", err)
	}
	p = b.post(path, "name", "Yann", "email", "yann@asso.example", "password", testPassword)
	if p.status != http.StatusSeeOther {
		t.Fatal(p.status, p.text(".errors"))
	}
	if p := b.get("/admin"); p.status != http.StatusOK {
		t.Error(p.status)
	}
	if _, err := w.store.PersonByEmail(t.Context(), w.root.Scope(hosting.AdminPersons), "yann@asso.example"); err != nil {
		t.Error(err)
	}
}

func TestASessionThatEndsInTheMiddleOfAFormLosesNothing(t *testing.T) {
	w := newWorld(t)
	fields := []string{"host", "neuf.asso.example", "aliases", "www.neuf.asso.example\nneuf.example", "document_root", "www/public"}
	end := map[string]func(t *testing.T, b *browser){
		"by itself": func(t *testing.T, b *browser) {
			other := w.as(owner)
			other.get("/profile")
			if p := other.post("/profile/sessions", "session", "others"); p.status != http.StatusSeeOther {
				t.Fatal(p.status)
			}
		},
		"by signing out in another tab": func(t *testing.T, b *browser) {
			b.header = http.Header{"Sec-Fetch-Site": {"same-origin"}}
			tab := b.page
			b.get("/")
			b.post("/signout")
			b.page = tab
		},
	}
	for name, end := range end {
		t.Run(name, func(t *testing.T) {
			b := w.as(owner)
			b.get("/sites/new")
			end(t, b)
			before := w.counts()
			p := b.post("/sites/new", fields...)
			if p.status != http.StatusUnauthorized || p.doc.Find("[name=password]").Length() != 1 {
				t.Fatal(p.status, p.text("main"))
			}
			if strings.Contains(p.body, "neuf.asso.example") {
				t.Error("what was typed is readable on the sign-in page")
			}
			parked := p.value("parked")
			p = b.post("/signin", "email", "owner@asso.example", "password", "wrong wrong", "parked", parked, "next", p.value("next"))
			if p.status != http.StatusUnprocessableEntity || p.value("parked") != parked {
				t.Fatal("a typing error loses the form", p.status)
			}
			p = b.follow(b.post("/signin", "email", "owner@asso.example", "password", testPassword, "parked", parked, "next", p.value("next")))
			if p.path != "/sites/new" {
				t.Fatalf("back at %s", p.path)
			}
			for i := 0; i < len(fields); i += 2 {
				if got := p.value(fields[i]); got != fields[i+1] {
					t.Errorf("%s: %q", fields[i], got)
				}
			}
			if p.text(".alert") == "" {
				t.Error("nothing says that it is to be sent again")
			}
			rows, _, err := w.store.Sites(t.Context(), w.root.Scope(hosting.SitesRead), store.SiteFilter{Search: "neuf"})
			w.must(err)
			if len(rows) != 0 {
				t.Errorf("acted without a click: counts before %s", before)
			}
			if again := b.get("/sites/new"); again.value("host") != "" {
				t.Error("filled in for ever")
			}
		})
	}
	t.Run("another person who signs in does not see it", func(t *testing.T) {
		b := w.as(owner)
		b.get("/sites/new")
		end["by itself"](t, b)
		p := b.post("/sites/new", fields...)
		p = b.post("/signin", "email", "stranger@asso.example", "password", testPassword, "parked", p.value("parked"), "next", p.value("next"))
		if p = b.follow(p); strings.Contains(p.body, "neuf.asso.example") {
			t.Error("it is shown to another person")
		}
		if p = b.get("/sites/new"); p.value("host") != "" {
			t.Error("it is filled in for another person")
		}
	})
	t.Run("a button waits for a fresh click", func(t *testing.T) {
		b := w.as(owner)
		page := "/sites/" + number(w.site.ID)
		b.get(page)
		end["by itself"](t, b)
		p := b.post(page + "/suspend")
		if p.status != http.StatusUnauthorized {
			t.Fatal(p.status)
		}
		p = b.follow(b.post("/signin", "email", "owner@asso.example", "password", testPassword, "parked", p.value("parked"), "next", p.value("next")))
		row, err := w.store.Site(t.Context(), w.root.Scope(hosting.SitesRead), w.site.ID)
		if p.path != page || err != nil || row.Suspended {
			t.Error(p.path, row.Suspended, err)
		}
	})
	t.Run("a session that was replaced by another of the same person", func(t *testing.T) {
		b := w.as(owner)
		tab := b.get("/databases/new")
		b.get("/signin") // leads home: already signed in
		b.post("/signin", "email", "owner@asso.example", "password", testPassword)
		b.page = tab
		b.header = http.Header{"Sec-Fetch-Site": {"same-origin"}}
		p := b.follow(b.post("/databases/new", "name", "remplie"))
		if p.path != "/databases/new" || p.value("name") != "remplie" {
			t.Error(p.path, p.value("name"))
		}
		if p = b.post("/databases/new", "name", p.value("name")); p.status != http.StatusSeeOther {
			t.Error(p.status)
		}
	})
}

func TestLanguageAndTheme(t *testing.T) {
	w := newWorld(t)
	lang := func(p *page) string { return p.doc.Find("html").AttrOr("lang", "") }
	theme := func(p *page) string { return p.doc.Find("html").AttrOr("data-theme", "") }

	b := w.browser()
	if got := lang(b.get("/signin")); got != "fr" {
		t.Errorf("without a word: %q", got)
	}
	b.header = http.Header{"Accept-Language": {"de, en;q=0.8, fr;q=0.5"}}
	if got := lang(b.get("/signin")); got != "en" {
		t.Errorf("a browser that prefers English gets %q", got)
	}
	b.get("/signin?lang=fr")
	if got := lang(b.get("/forgot")); got != "fr" {
		t.Errorf("the choice is not remembered: %q", got)
	}
	p := b.post("/preferences", "theme", "dark", "lang", "en", "next", "/forgot")
	if p = b.follow(p); p.path != "/forgot" || lang(p) != "en" || theme(p) != "dark" {
		t.Error(p.path, lang(p), theme(p))
	}
	b.post("/preferences", "theme", "<x>", "lang", "xx", "next", "//evil.example")
	if p = b.get("/signin"); lang(p) != "en" || theme(p) != "dark" {
		t.Error("a value that does not exist is taken")
	}

	o := w.as(owner)
	o.get("/profile")
	p = o.post("/preferences", "lang", "en", "theme", "light", "next", "/sites?q=a")
	if p.header.Get("Location") != "/sites?q=a" {
		t.Error(p.header.Get("Location"))
	}
	if p = w.as(owner).get("/"); lang(p) != "en" || theme(p) != "light" {
		t.Errorf("another browser of the person: %q %q", lang(p), theme(p))
	}
	if p = o.get("/nothing"); lang(p) != "en" {
		t.Error("an error page is in another language")
	}
}

var errBroken = errors.New("the cause, for the log only")

func TestAnErrorOfOursShowsItsNumberAndNotItsCause(t *testing.T) {
	w := newWorld(t)
	w.srv.route(http.MethodGet, "/broken", hosting.Public, func(*Request) error { return errBroken })
	w.srv.route(http.MethodGet, "/panics", hosting.Public, func(*Request) error { panic(errBroken) })
	for _, path := range []string{"/broken", "/panics"} {
		p := w.browser().get(path)
		id := p.header.Get("X-Request-Id")
		if p.status != http.StatusInternalServerError || strings.Contains(p.body, "cause") || !strings.Contains(p.body, id) {
			t.Errorf("%s: %d %s", path, p.status, p.text("main"))
		}
		if log := w.log.String(); !strings.Contains(log, errBroken.Error()) || !strings.Contains(log, id) {
			t.Errorf("%s: the log does not say why", path)
		}
	}
}

func TestWhatTheRouterRefusesIsAPageToo(t *testing.T) {
	w := newWorld(t)
	b := w.as(owner)
	b.get("/")
	huge := url.Values{ticketField: {"x"}, "note": {strings.Repeat("a", 300<<10)}}
	for _, c := range []struct {
		name string
		p    *page
		want int
	}{
		{"a page that does not exist", b.get("/nothing"), http.StatusNotFound},
		{"a method that a page has not", b.post("/sites"), http.StatusMethodNotAllowed},
		{"a form that is too large", b.send("/sites/new", huge), http.StatusRequestEntityTooLarge},
		{"a broken address", b.get("/sites/%ff%00"), http.StatusNotFound},
	} {
		if c.p.status != c.want || c.p.text("h1") == "" {
			t.Errorf("%s: %d, want %d: %q", c.name, c.p.status, c.want, c.p.text("h1"))
		}
	}
}

func TestHealthAndHead(t *testing.T) {
	w := newWorld(t)
	if p := w.browser().get("/healthz"); p.status != http.StatusOK || strings.TrimSpace(p.body) != "ok" || len(p.header.Values("Set-Cookie")) != 0 {
		t.Error(p.status, p.body)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, w.url+"/signin", nil)
	w.must(err)
	if p := w.browser().do(req); p.status != http.StatusOK || p.body != "" {
		t.Error(p.status, len(p.body))
	}
}

func TestFragments(t *testing.T) {
	w := newWorld(t)
	b := w.as(owner)
	b.get("/")
	b.header = http.Header{"Hx-Request": {"true"}, "Hx-Current-Url": {w.url + "/sites/" + number(w.site.ID)}}
	p := b.get("/sites/" + number(w.site.ID) + "/status")
	if p.status != http.StatusOK || strings.Contains(p.body, "<html") || !strings.Contains(strings.Join(p.header.Values("Vary"), ","), "HX-Request") {
		t.Error(p.status, p.header.Values("Vary"))
	}
	if p := b.post("/sites/" + number(w.site.ID) + "/suspend"); p.header.Get("HX-Redirect") != "/sites/"+number(w.site.ID) {
		t.Error(p.status, p.header)
	}
	if p := b.get("/sites/424242/status"); p.header.Get("HX-Redirect") != "/sites" {
		t.Error("the fragment of a site that has gone", p.status)
	}
	for host, free := range map[string]bool{"libre.asso.example": true, "parc.asso.example": false, "a..b": false} {
		p := b.get("/sites/check?host=" + url.QueryEscape(host))
		if p.status != http.StatusOK || (p.doc.Find(".good").Length() == 1) != free || (p.doc.Find(".error").Length() == 1) == free {
			t.Errorf("%s: %d %s", host, p.status, p.body)
		}
	}
	if p := b.get("/sites/check?host="); strings.TrimSpace(p.text("body")) != "" {
		t.Error("something is said of nothing")
	}
	anonymous := w.browser()
	anonymous.header = b.header
	if p := anonymous.get("/sites/" + number(w.site.ID) + "/status"); p.header.Get("HX-Redirect") != "/signin?next=%2Fsites%2F"+number(w.site.ID) {
		t.Error(p.status, p.header.Get("HX-Redirect"))
	}
}

func TestAPasswordIsShownOnceAndKeptNowhere(t *testing.T) {
	w := newWorld(t)
	b := w.as(owner)
	for path, fields := range map[string][]string{
		"/databases/new": {"name", "secrete"},
		"/databases/" + number(w.database.ID) + "/password": nil,
		"/ftp/new": {"login", "secret", "site", number(w.site.ID)},
		"/ftp/" + number(w.login.ID) + "/password": nil,
	} {
		b.get("/sites")
		p := b.post(path, fields...)
		page := b.follow(p)
		password := page.text(".secret code")
		if len(password) < 12 {
			t.Errorf("%s: no password on the page: %q", path, page.text(".secret"))
			continue
		}
		if strings.Contains(p.header.Get("Location"), password) || strings.Contains(w.log.String(), password) {
			t.Errorf("%s: it is in the address or in the log", path)
		}
		entries, _, err := w.store.Audit(t.Context(), w.root.Scope(hosting.AdminAudit), store.AuditFilter{PerPage: 1000})
		w.must(err)
		for _, e := range entries {
			if strings.Contains(e.Before+e.After, password) {
				t.Errorf("%s: it is in the audit log", path)
			}
		}
		if strings.Contains(b.get(page.path).body, password) {
			t.Errorf("%s: it is shown twice", path)
		}
	}
}
