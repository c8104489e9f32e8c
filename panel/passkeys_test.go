package panel

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/internal/testenv"
)

// byName lets the browsers of the world come by a name: at a bare address they
// have no passkeys.
func (w *world) byName() *testenv.Authenticator {
	w.url = strings.Replace(w.url, "127.0.0.1", "localhost", 1)
	return &testenv.Authenticator{Origin: w.url}
}

// addPasskey goes through the pages that add a passkey.
func (b *browser) addPasskey(a *testenv.Authenticator, name string) *page {
	b.w.t.Helper()
	b.get("/profile/security/passkeys/new")
	p := b.follow(b.post("/profile/security/passkeys/new", "name", name, "password", testPassword))
	return b.post("/profile/security/passkeys/make", "credential", string(a.Create(b.w.t, p.options())))
}

// options are what a page asks an authenticator.
func (p *page) options() []byte {
	p.w.t.Helper()
	options, found := p.doc.Find("form[data-passkey]").Attr("data-options")
	if !found {
		p.w.t.Fatalf("%s asks for no passkey: %s", p.path, p.text("main"))
	}
	return []byte(options)
}

// alone signs in with a passkey and nothing else.
func (b *browser) alone(a *testenv.Authenticator, fields ...string) *page {
	b.w.t.Helper()
	b.get("/signin")
	options := b.post("/signin/passkey/options")
	if options.status != http.StatusOK {
		b.w.t.Fatalf("options: %d", options.status)
	}
	return b.post("/signin/passkey", append(fields, "credential", string(a.Get(b.w.t, []byte(options.body))))...)
}

// halfway gives the password, and is asked for more.
func (b *browser) halfway(name string) *page {
	b.w.t.Helper()
	b.get("/signin")
	p := b.post("/signin", "email", name+"@asso.example", "password", testPassword)
	if p.status != http.StatusOK || b.cookie(sessionCookie) != nil {
		b.w.t.Fatalf("the password alone: %d", p.status)
	}
	return p
}

func TestPasskeys(t *testing.T) {
	w := newWorld(t)
	a := w.byName()
	b := w.as(owner)
	const name = `<script>alert(1)</script> "clé"`

	t.Run("one is added with the password", func(t *testing.T) {
		b.get("/profile/security/passkeys/new")
		p := b.post("/profile/security/passkeys/new", "name", name, "password", "not the password")
		p.refusedAt(t, "password")
		b.post("/profile/security/passkeys/new", "name", " ", "password", testPassword).refusedAt(t, "name")
		b.post("/profile/security/passkeys/new", "name", strings.Repeat("a", 61), "password", testPassword).refusedAt(t, "name")
		if p := b.get("/profile/security/passkeys/make"); p.status != http.StatusSeeOther {
			t.Errorf("without a password there is something to make: %d", p.status)
		}
		p = b.follow(b.addPasskey(a, name))
		if codes := p.doc.Find(".sheet .list code"); codes.Length() != 10 {
			t.Fatal(p.path, codes.Length())
		}
		p = b.get("/profile/security")
		if p.doc.Find("main script").Length() != 0 || !strings.Contains(p.text("main tbody th a"), name) {
			t.Error(p.text("main table"))
		}
	})
	t.Run("an answer is good once", func(t *testing.T) {
		b.get("/profile/security/passkeys/new")
		p := b.follow(b.post("/profile/security/passkeys/new", "name", "Deux fois", "password", testPassword))
		other := &testenv.Authenticator{Origin: w.url}
		answer := string(other.Create(t, p.options()))
		if p := b.post("/profile/security/passkeys/make", "credential", answer); p.status != http.StatusSeeOther {
			t.Fatal(p.status, p.text(".errors"))
		}
		b.post("/profile/security/passkeys/make", "credential", answer).refusedAt(t, "")
		keys, err := w.store.Passkeys(t.Context(), w.people[owner].ID)
		w.must(err)
		if len(keys) != 2 {
			t.Errorf("%d passkeys", len(keys))
		}
	})
	t.Run("what was asked of one session is not answered by another", func(t *testing.T) {
		b.get("/profile/security/passkeys/new")
		p := b.follow(b.post("/profile/security/passkeys/new", "name", "Volée", "password", testPassword))
		other := &testenv.Authenticator{Origin: w.url}
		thief := w.as(webmaster)
		thief.get("/profile/security/passkeys/new")
		thief.post("/profile/security/passkeys/make", "credential", string(other.Create(t, p.options()))).refusedAt(t, "")
	})
	t.Run("it is the second step", func(t *testing.T) {
		n := w.browser()
		p := n.halfway(owner)
		state := p.value("state")
		answer := string(a.Get(t, p.options()))
		thief := w.browser()
		thief.get("/signin")
		if p := thief.post("/signin/code/passkey", "state", state, "credential", answer); p.header.Get("Location") != "/signin" {
			t.Errorf("the state in another browser: %d", p.status)
		}
		if p := n.post("/signin/code/passkey", "state", state, "credential", answer); p.status != http.StatusSeeOther || n.cookie(sessionCookie) == nil {
			t.Fatal(p.status, p.text(".errors"))
		}
		n = w.browser()
		p = n.halfway(owner)
		state = p.value("state")
		p = n.post("/signin/code/passkey", "state", state, "credential", answer) // of the other time
		if p.status != http.StatusUnprocessableEntity || n.cookie(sessionCookie) != nil {
			t.Error(p.status)
		}
		if p := n.post("/signin/code/passkey", "state", state, "credential", string(a.Get(t, p.options()))); p.status != http.StatusSeeOther {
			t.Error("the page that refuses asks nothing anew:", p.status, p.text(".errors"))
		}
		// What was asked beside a password does not do without.
		n = w.browser()
		p = n.halfway(owner)
		if p := n.post("/signin/passkey", "credential", string(a.Get(t, p.options()))); p.status != http.StatusUnprocessableEntity || n.cookie(sessionCookie) != nil {
			t.Error("without the password:", p.status)
		}
	})
	t.Run("it signs in alone, to where one was going", func(t *testing.T) {
		n := w.browser()
		p := n.alone(a, "next", "/sites")
		if p.header.Get("Location") != "/sites" || n.cookie(sessionCookie) == nil {
			t.Fatal(p.status, p.text(".errors"))
		}
		if p := n.get("/sites"); p.status != http.StatusOK {
			t.Error(p.status)
		}
		if p := w.browser().alone(a, "next", "https://evil.test/"); p.header.Get("Location") != "/" {
			t.Error("led to", p.header.Get("Location"))
		}
	})
	refused := func(t *testing.T, n *browser, p *page) {
		t.Helper()
		if p.status != http.StatusUnprocessableEntity || n.cookie(sessionCookie) != nil || p.text(".errors") == "" {
			t.Errorf("%d %s", p.status, p.text(".errors"))
		}
	}
	t.Run("lies are refused", func(t *testing.T) {
		for what, lie := range map[string]func(*testenv.Authenticator){
			"origin":       func(a *testenv.Authenticator) { a.Origin = "http://localhost.evil.test" },
			"scheme":       func(a *testenv.Authenticator) { a.Origin = strings.Replace(a.Origin, "http:", "https:", 1) },
			"party":        func(a *testenv.Authenticator) { a.RPID = "evil.test" },
			"verification": func(a *testenv.Authenticator) { a.Unverified = true },
		} {
			t.Run(what, func(t *testing.T) {
				liar := *a
				lie(&liar)
				n := w.browser()
				refused(t, n, n.alone(&liar))
			})
		}
		n := w.browser()
		if p := n.alone(a); p.status != http.StatusSeeOther { // and the count begins anew
			t.Fatal(p.status, p.text(".errors"))
		}
	})
	t.Run("an answer is of its browser, once, and in time", func(t *testing.T) {
		n, thief := w.browser(), w.browser()
		n.get("/signin")
		options := n.post("/signin/passkey/options")
		answer := string(a.Get(t, []byte(options.body)))
		thief.get("/signin")
		refused(t, thief, thief.post("/signin/passkey", "credential", answer))
		if p := n.post("/signin/passkey", "credential", answer); p.status != http.StatusSeeOther {
			t.Fatal(p.status, p.text(".errors"))
		}
		n.get("/")
		n.post("/signout")
		n.get("/signin")
		p := n.post("/signin/passkey", "credential", answer)
		if p.status != http.StatusUnprocessableEntity {
			t.Errorf("a second time: %d", p.status)
		}
		late := w.browser()
		late.get("/signin")
		options = late.post("/signin/passkey/options")
		w.srv.ceremonies.age(shelfLife + time.Second)
		refused(t, late, late.post("/signin/passkey", "credential", string(a.Get(t, []byte(options.body)))))
	})
	t.Run("a copy is refused and noted", func(t *testing.T) {
		behind := *a
		behind.Keys = []*testenv.AuthenticatorKey{new(*a.Keys[0])}
		behind.Keys[0].Count = 1
		if p := w.browser().alone(a); p.status != http.StatusSeeOther {
			t.Fatal(p.status, p.text(".errors"))
		}
		n := w.browser()
		refused(t, n, n.alone(&behind))
		rows, _, err := w.store.Audit(t.Context(), w.root.Scope(hosting.AdminAudit), store.AuditFilter{PerPage: 1})
		if err != nil || rows[0].Action != "passkey.counter" {
			t.Errorf("%+v %v", rows, err)
		}
	})
	t.Run("a form from elsewhere does nothing", func(t *testing.T) {
		n := w.browser()
		n.get("/signin")
		n.page = nil
		for _, path := range []string{"/signin/passkey", "/signin/passkey/options", "/signin/code/passkey"} {
			if p := n.send(path, url.Values{"credential": {"x"}}); p.status != http.StatusForbidden {
				t.Errorf("%s: %d", path, p.status)
			}
		}
		keys, err := w.store.Passkeys(t.Context(), w.people[owner].ID)
		w.must(err)
		mine := passkeyURL(keys[0].ID)
		for _, path := range []string{"/profile/security/passkeys/new", "/profile/security/passkeys/make", mine, mine + "/remove"} {
			if p := b.send(path, url.Values{"name": {"x"}, "password": {testPassword}}); p.status != http.StatusForbidden {
				t.Errorf("%s: %d", path, p.status)
			}
		}
	})
	t.Run("it is renamed and removed by its owner only", func(t *testing.T) {
		keys, err := w.store.Passkeys(t.Context(), w.people[owner].ID)
		w.must(err)
		mine := passkeyURL(keys[0].ID)
		thief := w.as(webmaster)
		thief.get("/profile/security")
		for _, p := range []*page{thief.get(mine), thief.post(mine, "name", "x"), thief.post(mine+"/remove", "password", testPassword)} {
			if p.status != http.StatusNotFound {
				t.Errorf("somebody else's: %d", p.status)
			}
		}
		b.get(mine)
		b.post(mine, "name", "").refusedAt(t, "name")
		b.get(mine)
		b.follow(b.post(mine, "name", "<b>Portable</b>"))
		if p := b.get(mine); p.value("name") != "<b>Portable</b>" || p.doc.Find("main h1 b").Length() != 0 {
			t.Error(p.value("name"))
		}
		b.post(mine+"/remove", "password", "not the password").refusedAt(t, "password")
		b.follow(b.post(mine+"/remove", "password", testPassword))
		if p := b.get(mine); p.status != http.StatusNotFound {
			t.Error(p.status)
		}
	})
	t.Run("the team is asked for a second factor, and this is one", func(t *testing.T) {
		_, err := w.store.UpdateSettings(t.Context(), w.root, func(all *hosting.Settings) error { all.People.TeamFactor = true; return nil })
		w.must(err)
		boss := w.as(admin)
		if p := boss.get("/admin"); !strings.HasPrefix(p.header.Get("Location"), "/profile/security") {
			t.Fatal(p.status)
		}
		if p := boss.addPasskey(&testenv.Authenticator{Origin: w.url}, "Poste du local"); p.status != http.StatusSeeOther {
			t.Fatal(p.status, p.text(".errors"))
		}
		if p := boss.get("/admin"); p.status != http.StatusOK {
			t.Error(p.status)
		}
		page := "/admin/persons/" + number(w.people[owner].ID)
		boss.get(page)
		if p := boss.post(page + "/totp-reset"); p.status != http.StatusSeeOther {
			t.Fatal(p.status)
		}
		n := w.browser()
		refused(t, n, n.alone(a))
		w.as(owner) // by the password alone
	})
}

func TestWherePasskeysAre(t *testing.T) {
	for public, origin := range map[string]string{
		"http://127.0.0.1:8600":            "http://localhost:8600",
		"http://[::1]:8600/":               "http://localhost:8600",
		"http://localhost":                 "http://localhost",
		"https://Panel.Example:443/":       "https://panel.example",
		"https://panel.example:8600":       "https://panel.example:8600",
		"http://panel.example:8600":        "",
		"http://192.0.2.7:8600":            "",
		"https://192.0.2.7":                "",
		"http://localhost.evil.test":       "",
		"https://[2001:db8::1]:8600":       "",
		"http://panel.localhost:80/signin": "http://panel.localhost",
	} {
		u, err := url.Parse(public)
		if err != nil {
			t.Fatal(err)
		}
		if got := partyOf(u); got.Origin != origin || (got.ID == "") != (origin == "") {
			t.Errorf("%s: %+v, want %s", public, got, origin)
		}
	}
	w := newWorld(t)
	b := w.as(owner)
	if p := b.get("/profile/security"); !strings.Contains(p.text("main"), "http://localhost:") || p.doc.Find(`a[href="/profile/security/passkeys/new"]`).Length() != 0 {
		t.Error("at a bare address:", p.text("main"))
	}
	if w.browser().get("/signin").doc.Find("form[data-passkey]").Length() != 0 {
		t.Error("a button that cannot work")
	}
	w.byName()
	if w.browser().get("/signin").doc.Find("form[data-passkey][hidden]").Length() != 1 {
		t.Error("no button, or one that shows without its script")
	}
}

func passkeyURL(id hosting.PasskeyID) string { return "/profile/security/passkeys/" + number(id) }

// age lets time go by for what is on the shelf.
func (s *shelf[T]) age(by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p, it := range s.items {
		it.until = it.until.Add(-by)
		s.items[p] = it
	}
}
