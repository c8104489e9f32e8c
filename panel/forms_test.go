package panel

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"cancale/internal/hosting"
	"cancale/internal/store"
)

func TestBadInputIsRefusedAtItsFieldAndNothingIsWritten(t *testing.T) {
	w := newWorld(t)
	foreign, err := hosting.ParseHostname("blog.large.example")
	w.must(err)
	_, err = w.store.CreateSite(t.Context(), w.root, w.other.ID, hosting.SiteSpec{Host: foreign, DocumentRoot: "www", PHP: "8.2"})
	w.must(err)

	cases := []struct {
		name   string
		who    string
		path   string
		fields []string
		field  string
	}{
		{"a host name that is taken", owner, "/sites/new", []string{"host", "blog.large.example"}, "host"},
		{"a host name of one's own that is taken", owner, "/sites/new", []string{"host", "parc.asso.example"}, "host"},
		{"the parent of somebody else's", owner, "/sites/new", []string{"host", "large.example"}, "host"},
		{"a child of somebody else's", owner, "/sites/new", []string{"host", "x.blog.large.example"}, "host"},
		{"no host name", owner, "/sites/new", []string{"host", ""}, "host"},
		{"two dots", owner, "/sites/new", []string{"host", "a..asso.example"}, "host"},
		{"a space", owner, "/sites/new", []string{"host", "a b.asso.example"}, "host"},
		{"a newline", owner, "/sites/new", []string{"host", "a.asso.example\nServerAlias *"}, "host"},
		{"300 characters", owner, "/sites/new", []string{"host", strings.Repeat("a.", 150) + "example"}, "host"},
		{"an emoji", owner, "/sites/new", []string{"host", "🦪.asso.example"}, "host"},
		{"an IPv4 address", owner, "/sites/new", []string{"host", "192.0.2.7"}, "host"},
		{"an IPv6 address", owner, "/sites/new", []string{"host", "[2001:db8::1]"}, "host"},
		{"a wildcard", owner, "/sites/new", []string{"host", "*.asso.example"}, "host"},
		{"a public suffix", owner, "/sites/new", []string{"host", "co.uk"}, "host"},
		{"a web address", owner, "/sites/new", []string{"host", "https://a.asso.example/"}, "host"},
		{"an alias that is taken", owner, "/sites/new", []string{"host", "neuf.asso.example", "aliases", "www.neuf.asso.example\nblog.large.example"}, "aliases"},
		{"an alias that is no name", owner, "/sites/new", []string{"host", "neuf.asso.example", "aliases", "a..b"}, "aliases"},
		{"an alias twice", owner, "/sites/new", []string{"host", "neuf.asso.example", "aliases", "neuf.asso.example"}, "aliases"},
		{"a document root that leaves the home", owner, "/sites/new", []string{"host", "neuf.asso.example", "document_root", "../../etc"}, "document_root"},
		{"a document root from the root", owner, "/sites/new", []string{"host", "neuf.asso.example", "document_root", "/etc"}, "document_root"},
		{"a document root that is not to be served", owner, "/sites/new", []string{"host", "neuf.asso.example", "document_root", "private"}, "document_root"},
		{"a PHP that does not exist", owner, "/sites/new", []string{"host", "neuf.asso.example", "php", "4.4"}, "php"},
		{"a document root of an old site that leaves the home", webmaster, "/sites/" + number(w.site.ID) + "/folder", []string{"document_root", "www/../../x"}, "document_root"},
		{"an error page that leaves the folder", owner, "/sites/" + number(w.site.ID) + "/folder", []string{"document_root", "www", "not_found", "../../etc/passwd"}, "not_found"},
		{"an error page with a quote", owner, "/sites/" + number(w.site.ID) + "/folder", []string{"document_root", "www", "failed", "a\"\nRequire all granted"}, "failed"},
		{"an alias of somebody else", owner, "/sites/" + number(w.site.ID) + "/addresses", []string{"alias", "blog.large.example", "canonical", "none"}, "alias-0"},
		{"a form of a name that the site does not have", owner, "/sites/" + number(w.site.ID) + "/addresses", []string{"canonical", "www"}, "canonical"},
		{"a redirect with a variable", owner, "/sites/" + number(w.site.ID) + "/addresses", []string{"canonical", "none", "from", "/${PATH}", "reach", "page", "to", "/b", "status", "301"}, "from-0"},
		{"a redirect to a script", owner, "/sites/" + number(w.site.ID) + "/addresses", []string{"canonical", "none", "from", "/a", "reach", "page", "to", "javascript:alert(1)", "status", "301"}, "to-0"},
		{"a redirect with a header", owner, "/sites/" + number(w.site.ID) + "/addresses", []string{"canonical", "none", "from", "/a", "reach", "page", "to", "https://a.example/\r\nSet-Cookie: a=b", "status", "301"}, "to-0"},
		{"a redirect of no kind", owner, "/sites/" + number(w.site.ID) + "/addresses", []string{"canonical", "none", "from", "/a", "reach", "page", "to", "/b", "status", "200"}, "status-0"},
		{"a redirect that goes round", owner, "/sites/" + number(w.site.ID) + "/addresses", []string{"canonical", "none", "from", "/a", "reach", "folder", "to", "/a/b", "status", "301"}, "from-0"},
		{"more memory than allowed", owner, "/sites/" + number(w.site.ID) + "/php", []string{"php", "8.2", "memory", "4096"}, "memory"},
		{"no number", owner, "/sites/" + number(w.site.ID) + "/php", []string{"php", "8.2", "seconds", "1e3"}, "seconds"},
		{"a PHP that is not there", owner, "/sites/" + number(w.site.ID) + "/php", []string{"php", "7.0"}, "php"},
		{"a time zone with a newline", owner, "/sites/" + number(w.site.ID) + "/php", []string{"php", "8.2", "time_zone", "UTC\nauto_prepend_file=/x"}, "time_zone"},
		{"a protected folder that is markup", owner, "/sites/" + number(w.site.ID) + "/protection", []string{"path", "/<If true>"}, "path"},
		{"a protected folder of certificates", owner, "/sites/" + number(w.site.ID) + "/protection", []string{"path", "/.well-known/acme-challenge"}, "path"},
		{"the whole Internet in maintenance", owner, "/sites/" + number(w.site.ID) + "/maintenance", []string{"on", "yes", "addresses", "0.0.0.0/0"}, "addresses"},
		{"a maintenance page elsewhere", owner, "/sites/" + number(w.site.ID) + "/maintenance", []string{"on", "yes", "page", "https://a.example/"}, "page"},
		{"a task that leaves the home", owner, "/sites/" + number(w.site.ID) + "/tasks", []string{"kind", "script", "target", "../../x.php", "every", "daily", "at", "03:30"}, "target"},
		{"a task elsewhere", owner, "/sites/" + number(w.site.ID) + "/tasks", []string{"kind", "url", "target", "http://169.254.169.254/", "every", "daily", "at", "03:30"}, "target"},
		{"a task each minute", owner, "/sites/" + number(w.site.ID) + "/tasks", []string{"kind", "url", "target", "/a", "every", "cron", "cron", "* * * * *"}, "cron"},
		{"a task with a zone in its line", owner, "/sites/" + number(w.site.ID) + "/tasks", []string{"kind", "url", "target", "/a", "every", "cron", "cron", "TZ=0 3 * * *"}, "cron"},
		{"a removal without the name", owner, "/sites/" + number(w.site.ID) + "/delete", []string{"confirm", "parc.asso"}, "confirm"},

		{"a database name of 70 characters", owner, "/databases/new", []string{"name", strings.Repeat("a", 70)}, "name"},
		{"a database that exists", owner, "/databases/new", []string{"name", "blog"}, "name"},
		{"a database with a quote", owner, "/databases/new", []string{"name", "a`b"}, "name"},
		{"a database removal without the name", owner, "/databases/" + number(w.database.ID) + "/delete", []string{"confirm", ""}, "confirm"},

		{"an FTP login that is taken", owner, "/ftp/new", []string{"login", "fichiers", "site", number(w.site.ID)}, "login"},
		{"an FTP login of another account", owner, "/ftp/new", []string{"login", "x@large", "site", number(w.site.ID)}, "login"},
		{"an FTP folder that leaves the home", owner, "/ftp/new", []string{"login", "neuf", "site", number(w.site.ID), "path", "../../etc"}, "path"},
		{"an FTP site that is not there", owner, "/ftp/new", []string{"login", "neuf", "site", "4242"}, "site"},
		{"an FTP site that is no number", owner, "/ftp/new", []string{"login", "neuf", "site", "1 OR 1=1"}, "site"},

		{"an e-mail address without @", owner, "/people/invite", []string{"email", "asso.example", "role", "webmaster"}, "email"},
		{"a role that does not exist", owner, "/people/invite", []string{"email", "a@asso.example", "role", "king"}, "role"},
		{"a contractor without an end", owner, "/people/invite", []string{"email", "a@asso.example", "role", "contractor"}, "until"},
		{"a contractor of yesterday", owner, "/people/invite", []string{"email", "a@asso.example", "role", "contractor", "until", "2001-01-01"}, "until"},
		{"a name of 300 characters", owner, "/people/invite", []string{"email", "a@asso.example", "role", "owner", "name", strings.Repeat("é", 300)}, "name"},
		{"a profile without @", owner, "/profile", []string{"email", "owner", "name", "x"}, "email"},
		{"the address of somebody else", owner, "/profile", []string{"email", "webmaster@asso.example", "name", "x", "current_password", testPassword}, "email"},
		{"another address without the password", owner, "/profile", []string{"email", "new@asso.example", "name", "x"}, "current_password"},

		{"an association that exists", admin, "/admin/accounts/new", []string{"name", "large", "label", "x", "plan", "grande", "email", "a@asso.example", "role", "owner"}, "name"},
		{"an association with a bad name", admin, "/admin/accounts/new", []string{"name", "1 / 2", "label", "x", "plan", "grande", "email", "a@asso.example", "role", "owner"}, "name"},
		{"an association without a label", admin, "/admin/accounts/new", []string{"name", "neuve", "plan", "grande", "email", "a@asso.example", "role", "owner"}, "label"},
		{"an association whose person has no @", admin, "/admin/accounts/new", []string{"name", "neuve", "label", "x", "plan", "grande", "email", "nobody", "role", "owner"}, "email"},
		{"an association with no plan that exists", admin, "/admin/accounts/new", []string{"name", "neuve", "label", "x", "plan", "nul", "email", "a@asso.example", "role", "owner"}, "plan"},
		{"an association that ends on no day", admin, "/admin/accounts/new", []string{"name", "neuve", "label", "x", "plan", "grande", "expires", "31/12", "email", "a@asso.example", "role", "owner"}, "expires"},
		{"a plan that exists", admin, "/admin/plans/new", []string{"name", "grande"}, "name"},
		{"a limit below none", admin, "/admin/plans/new", []string{"name", "petite", "sites", "-5"}, "sites"},
		{"a limit in words", admin, "/admin/plans/new", []string{"name", "petite", "disk_mb", "beaucoup"}, "disk_mb"},
		{"a person who exists", admin, "/admin/persons/new", []string{"email", "owner@asso.example"}, "email"},
		{"a person for no association", admin, "/admin/persons/new", []string{"email", "a@asso.example", "account", "nulle", "as", "owner"}, "account"},
		{"a removal of an association without its name", admin, "/admin/accounts/" + number(w.account.ID) + "/delete", []string{"confirm", "x"}, "confirm"},
	}
	browsers := map[string]*browser{owner: w.as(owner), webmaster: w.as(webmaster), admin: w.as(admin)}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := browsers[c.who]
			if p := b.get(c.path); p.status != http.StatusOK {
				t.Fatalf("the form: %d", p.status)
			}
			before := w.counts()
			p := b.post(c.path, c.fields...)
			p.refusedAt(t, c.field)
			if after := w.counts(); after != before {
				t.Errorf("written: %s, before %s", after, before)
			}
			for i := 0; i < len(c.fields); i += 2 {
				name, value := c.fields[i], c.fields[i+1]
				if name == "confirm" || name == "role" || name == "current_password" || name == "until" && value == "" || p.doc.Find(`[name="`+name+`"]`).Is("[type=radio], select, [type=hidden]") {
					continue
				}
				if got := p.value(name); strings.TrimSpace(got) != strings.ReplaceAll(value, "\r", "") && !strings.Contains(value, "\n") {
					t.Errorf("the field %s holds %q, not what was typed: %q", name, got, value)
				}
			}
			checkPage(t, p, c.path)
		})
	}
}

func TestAFullPlanRefuses(t *testing.T) {
	w := newWorld(t)
	_, err := w.store.UpdatePlan(t.Context(), w.root, "grande", hosting.PlanSpec{Name: "grande", Label: "Grande", Sites: 1, Databases: 1, FTPLogins: 1, DiskMB: 1})
	w.must(err)
	b := w.as(owner)
	before := w.counts()
	for path, fields := range map[string][]string{
		"/sites/new":     {"host", "neuf.asso.example"},
		"/databases/new": {"name", "neuve"},
		"/ftp/new":       {"login", "neuf", "site", number(w.site.ID)},
	} {
		b.get("/")
		p := b.post(path, fields...)
		p.refusedAt(t, "")
	}
	if after := w.counts(); after != before {
		t.Errorf("written: %s, before %s", after, before)
	}
}

func TestAFormWithoutItsTicketIsRefusedWithAPage(t *testing.T) {
	w := newWorld(t)
	b := w.as(owner)
	own, _ := b.get("/sites/new").ticket()
	other := w.as(owner)
	others, _ := other.get("/sites/new").ticket()
	anonymousTicket, _ := w.browser().get("/signin").ticket()
	before := w.counts()
	for name, try := range map[string]struct {
		ticket string
		header map[string]string
	}{
		"none":                     {"", nil},
		"of another browser":       {others, nil},
		"of the sign-in page":      {anonymousTicket, nil},
		"changed":                  {own[:10] + "A" + own[11:], nil},
		"good, from another site":  {own, map[string]string{"Sec-Fetch-Site": "cross-site"}},
		"good, from a sister site": {own, map[string]string{"Sec-Fetch-Site": "same-site"}},
		"good, of another origin":  {own, map[string]string{"Origin": "http://evil.example"}},
		"good, of no origin":       {own, map[string]string{"Origin": "null"}},
		"none, from the same site": {"", map[string]string{"Sec-Fetch-Site": "same-origin"}},
	} {
		t.Run(name, func(t *testing.T) {
			b.header = http.Header{}
			for k, v := range try.header {
				b.header.Set(k, v)
			}
			p := b.send("/sites/new", url.Values{ticketField: {try.ticket}, "host": {"neuf.asso.example"}})
			if p.status != http.StatusForbidden {
				t.Errorf("got %d", p.status)
			}
			if p.text("h1") == "" || p.doc.Find("html[lang=fr]").Length() != 1 {
				t.Error("no page in French")
			}
			if after := w.counts(); after != before {
				t.Errorf("written: %s, before %s", after, before)
			}
		})
	}
	t.Run("the sign-in form too", func(t *testing.T) {
		p := w.browser().send("/signin", url.Values{"email": {"owner@asso.example"}, "password": {testPassword}})
		if p.status != http.StatusForbidden {
			t.Errorf("got %d", p.status)
		}
	})
	t.Run("a good one is accepted", func(t *testing.T) {
		b.header = http.Header{"Sec-Fetch-Site": {"same-origin"}, "Origin": {w.url}}
		if p := b.send("/sites/new", url.Values{ticketField: {own}, "host": {"neuf.asso.example"}}); p.status != http.StatusSeeOther {
			t.Errorf("got %d: %s", p.status, p.text(".errors"))
		}
	})
}

func TestAFormSentTwiceActsOnce(t *testing.T) {
	w := newWorld(t)
	b := w.as(owner)

	t.Run("one after the other", func(t *testing.T) {
		b.get("/databases/new")
		first := b.post("/databases/new", "name", "deux")
		before := w.counts()
		second := b.post("/databases/new", "name", "deux")
		if first.status != http.StatusSeeOther || second.status != first.status || second.header.Get("Location") != first.header.Get("Location") {
			t.Fatalf("%d %s, then %d %s", first.status, first.header.Get("Location"), second.status, second.header.Get("Location"))
		}
		if after := w.counts(); after != before {
			t.Errorf("written: %s, before %s", after, before)
		}
		if b.follow(second).text(".secret") == "" {
			t.Error("the password is not shown")
		}
	})
	t.Run("at the same time", func(t *testing.T) {
		ticket, _ := b.get("/people/invite").ticket()
		values := url.Values{ticketField: {ticket}, "email": {"nouvelle@asso.example"}, "role": {"webmaster"}}
		before, _, err := w.store.Persons(t.Context(), w.root.Scope(hosting.AdminPersons), store.PersonFilter{})
		w.must(err)
		var all sync.WaitGroup
		locations := make([]string, 5)
		for i := range locations {
			all.Go(func() { locations[i] = b.send("/people/invite", values).header.Get("Location") })
		}
		all.Wait()
		for _, l := range locations {
			if l == "" || l != locations[0] {
				t.Errorf("they lead to %q", locations)
				break
			}
		}
		after, _, err := w.store.Persons(t.Context(), w.root.Scope(hosting.AdminPersons), store.PersonFilter{})
		w.must(err)
		if len(after) != len(before)+1 {
			t.Errorf("%d persons, there were %d", len(after), len(before))
		}
	})
	t.Run("a corrected one is another", func(t *testing.T) {
		b.get("/sites/new")
		if p := b.post("/sites/new", "host", "a..b"); p.status != http.StatusUnprocessableEntity {
			t.Fatal(p.status)
		}
		if p := b.post("/sites/new", "host", "trois.asso.example"); p.status != http.StatusSeeOther {
			t.Error(p.status, p.text(".errors"))
		}
	})
	t.Run("a refused one may be sent again once the reason is gone", func(t *testing.T) {
		b.get("/databases/new")
		if p := b.post("/databases/new", "name", "blog"); p.status != http.StatusUnprocessableEntity {
			t.Fatal(p.status)
		}
		if p := b.post("/databases/new", "name", "blog"); p.status != http.StatusUnprocessableEntity {
			t.Error(p.status)
		}
	})
}

func TestAFormActsForTheAccountThatItsPageShowed(t *testing.T) {
	w := newWorld(t)
	_, _, err := w.store.AddMember(t.Context(), w.root, hosting.PersonSpec{Email: "owner@asso.example"}, store.MembershipSpec{Account: w.other.ID, Role: hosting.Owner})
	w.must(err)
	b := w.as(owner)
	b.post("/account", "account", number(w.account.ID))
	tab := b.get("/databases/new")
	b.get("/")
	b.post("/account", "account", number(w.other.ID)) // in another tab
	if p := b.get("/databases/new"); !strings.Contains(p.body, "large_") {
		t.Error("the other tab does not show the other association")
	}
	ticket, _ := tab.ticket()
	p := b.send("/databases/new", url.Values{ticketField: {ticket}, "name": {"onglet"}})
	if p.status != http.StatusSeeOther {
		t.Fatal(p.status, p.text(".errors"))
	}
	row, err := w.store.DatabaseByName(t.Context(), w.root.Scope(hosting.DatabasesRead), "baie_onglet")
	if err != nil || row.AccountID != w.account.ID {
		t.Errorf("%+v %v", row, err)
	}
}

func TestNamesThatAreMarkupAreText(t *testing.T) {
	w := newWorld(t)
	const markup = `<script>alert(1)</script><img src=x onerror=alert(2)>"'`
	b := w.as(owner)
	b.get("/profile")
	if p := b.post("/profile", "name", markup, "email", "owner@asso.example"); p.status != http.StatusSeeOther {
		t.Fatal(p.status, p.text(".errors"))
	}
	a := w.as(admin)
	a.get("/admin/accounts/" + number(w.account.ID) + "/edit")
	if p := a.post("/admin/accounts/"+number(w.account.ID)+"/edit", "label", markup, "plan", "grande", "note", markup); p.status != http.StatusSeeOther {
		t.Fatal(p.status, p.text(".errors"))
	}
	check := func(b *browser, path string) {
		p := b.get(path)
		if strings.Contains(p.body, "<script>alert") || strings.Contains(p.body, "<img src=x") {
			t.Errorf("%s: markup of a person reaches the page", path)
		}
		p.doc.Find("*").Each(func(_ int, s *goquery.Selection) {
			for _, attr := range s.Nodes[0].Attr {
				if strings.HasPrefix(attr.Key, "on") {
					t.Errorf("%s: an attribute %s", path, attr.Key)
				}
			}
		})
	}
	for _, path := range []string{"/", "/sites", "/people", "/profile", "/sites/new", "/people/" + number(w.people[owner].ID) + "/remove"} {
		check(b, path)
	}
	query := "?q=" + url.QueryEscape(markup) + "&sort=" + url.QueryEscape(markup) + "&state=" + url.QueryEscape(markup)
	for _, path := range []string{
		"/admin", "/admin/accounts", "/admin/accounts" + query, "/admin/accounts/" + number(w.account.ID), "/admin/accounts/" + number(w.account.ID) + "/delete",
		"/admin/persons" + query, "/admin/sites" + query, "/admin/audit" + query, "/sites" + query, "/sites/check?host=" + url.QueryEscape(markup),
	} {
		check(a, path)
	}
	for _, path := range []string{"/signin?next=" + url.QueryEscape("/"+markup), "/" + url.PathEscape(markup)} {
		check(w.browser(), path)
	}
}
