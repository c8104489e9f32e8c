package apache

import (
	"encoding/base64"
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"cancale/internal/config"
	"cancale/internal/hosting"
)

func redirect(t testing.TB, from string, whole bool, to string, status int) hosting.Redirect {
	t.Helper()
	r, err := hosting.ParseRedirect(from, whole, to, status)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// password is the hash of a password as a form makes it, at the least cost.
func password(t testing.TB, text string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(text), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return "$2y$" + strings.TrimPrefix(string(hash), "$2a$")
}

const visit = "0123456789abcdef0123456789abcdef"

func everything(t testing.TB) hosting.Site {
	site := sample()
	site.Aliases = []hosting.Hostname{"www.souffle-en-baie.example"}
	site.Behaviour = hosting.Behaviour{
		PHP:       hosting.PHPSettings{UploadMB: 200, Seconds: 120},
		Canonical: hosting.CanonicalWWW,
		Redirects: []hosting.Redirect{
			redirect(t, "/ancien", false, "/nouveau", 301), redirect(t, "/blog", true, "https://blog.example/articles", 302),
			redirect(t, "/été 2024 (photos)", false, "https://photos.example/?an=2024&x=a%20b$1", 301),
		},
		ErrorPages: hosting.ErrorPages{Forbidden: "erreurs/403.html", NotFound: "erreurs/404.php", Failed: "erreurs/500.html", Unavailable: "503.html"},
		Listing:    true,
		Protected: []hosting.ProtectedFolder{
			{Path: "/prive", Users: []hosting.FolderUser{{Name: "yann", PasswordHash: "$2y$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234"}}},
			{Path: "/comité d'été"},
		},
	}
	site.Behaviour.Protected[1].Path = "/comité été"
	return site
}

func TestRenderBehaviour(t *testing.T) {
	layout := config.Layout{Root: config.Mount}
	site := everything(t)
	got, err := Render(layout, site)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "behaviour.conf", got)
	site.Behaviour.Maintenance = hosting.Maintenance{
		On: true, Page: "travaux/index.html", VisitSecret: visit,
		Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("2001:db8::/32")},
	}
	if got, err = Render(layout, site); err != nil {
		t.Fatal(err)
	}
	golden(t, "maintenance.conf", got)
	golden(t, "maintenance-include.conf", renderMaintenance())
	golden(t, "passwords", renderPasswords(site.Behaviour.Protected[0]))
	off := site
	off.Suspended = true
	if got, err = Render(layout, off); err != nil || strings.Contains(string(got), "Redirect 30") || strings.Contains(string(got), visit) {
		t.Errorf("a suspended site does more than say so: %v\n%s", err, got)
	}
}

// hostile are texts that would be more than themselves in a configuration.
var hostile = []string{
	"%{HTTP_HOST}", "${CANCALE_HTTP}", "a\nUser root", "a\r\nSet-Cookie: x=1", `a" "b`, "<If true>", "</VirtualHost>", "a\x00b", `a\`, "a'b", "`id`",
	"$1", "a|b", "[a]", "a*", "a?", "../../etc", "\u202eexe", "\u2028", strings.Repeat("a", 10_000), "#x", "{}", "^a$",
}

// What was written into the database by hand fails its own site, with a reason.
func TestStoredBehaviourIsNotBelieved(t *testing.T) {
	for _, bad := range hostile {
		for name, b := range map[string]hosting.Behaviour{
			"redirect from":    {Redirects: []hosting.Redirect{{From: hosting.URLPath("/" + bad), To: "/b", Status: 301}}},
			"redirect to":      {Redirects: []hosting.Redirect{{From: "/a", To: hosting.Target("/" + bad), Status: 301}}},
			"redirect to host": {Redirects: []hosting.Redirect{{From: "/a", To: hosting.Target("https://" + bad + "/"), Status: 301}}},
			"canonical":        {Canonical: hosting.Canonical(bad)},
			"error page":       {ErrorPages: hosting.ErrorPages{NotFound: hosting.PagePath(bad)}},
			"protected":        {Protected: []hosting.ProtectedFolder{{Path: hosting.URLPath("/" + bad)}}},
			"user":             {Protected: []hosting.ProtectedFolder{{Path: "/a", Users: []hosting.FolderUser{{Name: hosting.FolderUserName(bad), PasswordHash: password(t, "x")}}}}},
			"hash":             {Protected: []hosting.ProtectedFolder{{Path: "/a", Users: []hosting.FolderUser{{Name: "a", PasswordHash: bad}}}}},
			"maintenance page": {Maintenance: hosting.Maintenance{On: true, VisitSecret: visit, Page: hosting.PagePath(bad)}},
			"visit":            {Maintenance: hosting.Maintenance{On: true, VisitSecret: hosting.Token(bad)}},
			"time zone":        {PHP: hosting.PHPSettings{TimeZone: hosting.TimeZone(bad)}},
		} {
			site := sample()
			site.Behaviour = b
			if strings.HasPrefix(name, "redirect to") && (bad == "#x" || bad == "../../etc") {
				continue // harmless there
			}
			got, err := Render(config.Layout{Root: config.Mount}, site)
			if refusal, ok := errors.AsType[*hosting.Error](err); !ok || refusal.Message.Key != "site.apache_invalid" {
				t.Errorf("%s %.40q: %v\n%s", name, bad, err, got)
			}
		}
	}
	site := sample()
	if err := site.Behaviour.Scan("{nonsense"); err != nil || !site.Behaviour.Unreadable {
		t.Fatalf("%v %+v", err, site.Behaviour)
	}
	if got, err := Render(config.Layout{Root: config.Mount}, site); err == nil {
		t.Errorf("what cannot be read is served:\n%s", got)
	}
}

// Whatever a person types in a form: it is refused, or it adds no line and no
// character that means something to Apache.
func FuzzBehaviour(f *testing.F) {
	for _, bad := range hostile {
		f.Add(bad, bad)
	}
	f.Add("/ancien", "https://exemple.example/é?a=b#c")
	layout := config.Layout{Root: config.Mount}
	shape := func(t *testing.T, b hosting.Behaviour) []string {
		site := sample()
		site.Behaviour = b
		got, err := Render(layout, site)
		if err != nil {
			t.Fatalf("parsed but not rendered: %v", err)
		}
		return strings.Split(string(got), "\n")
	}
	f.Fuzz(func(t *testing.T, from, to string) {
		path, err := hosting.ParseURLPath("from", from)
		if err == nil && strings.ContainsAny(string(path), "\"'\\$%<>#`{}[]*?|^\t\r\n\x00") {
			t.Errorf("accepted path %q", path)
		}
		target, err := hosting.ParseTarget("to", to)
		if err == nil && strings.ContainsFunc(string(target), func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"'\\$<>`{}[]*|^", r) }) {
			t.Errorf("accepted target %q", target)
		}
		for _, whole := range []bool{false, true} {
			r, err := hosting.ParseRedirect(from, whole, to, 301)
			if err != nil {
				continue
			}
			plain := hosting.Redirect{From: "/a", To: "/b", Whole: whole, Status: 301}
			if whole {
				plain.From, plain.To = "/a/", "/b/"
			}
			got, want := shape(t, hosting.Behaviour{Redirects: []hosting.Redirect{r}}), shape(t, hosting.Behaviour{Redirects: []hosting.Redirect{plain}})
			if len(got) != len(want) && !(whole && r.From == "/") {
				t.Errorf("%q %q: %d lines instead of %d", from, to, len(got), len(want))
			}
		}
	})
}

func TestRedirects(t *testing.T) {
	n := startNode(t)
	site := n.site(1, "a.example", "www.a.example", "autre.example")
	site.Behaviour.Redirects = []hosting.Redirect{
		redirect(t, "/exact", false, "https://b.example/page%20une?x=%41&y=a b", 301),
		redirect(t, "/local", false, "/index.html", 302),
		redirect(t, "/dossier", true, "https://b.example", 302),
		redirect(t, "/dossier/special", false, "/page-before-folder", 301),
		redirect(t, "/ancien (été)/page.php", false, "/index.html", 301),
		redirect(t, "/a.b+c", false, "/index.html", 301),
	}
	site.Behaviour.Canonical = hosting.CanonicalWWW
	n.write(site, "exact/beneath.html", "beneath")
	n.write(site, "aXb+c", "not the dot's")
	n.ensure(site)
	n.unchanged("again", func() { n.ensure(site) })

	for _, c := range []struct {
		host, path string
		status     int
		location   string
	}{
		{"www.a.example", "/exact", 301, "https://b.example/page%20une?x=%41&y=a%20b"},
		{"www.a.example", "/exact?q=1", 301, "https://b.example/page%20une?x=%41&y=a%20b"},
		{"www.a.example", "/local?q=1", 302, "http://www.a.example/index.html?q=1"},
		{"www.a.example", "/dossier", 302, "https://b.example/"},
		{"www.a.example", "/dossier/", 302, "https://b.example/"},
		{"www.a.example", "/dossier/special", 301, "http://www.a.example/page-before-folder"},
		{"www.a.example", "/dossier/autre", 302, "https://b.example/autre"},
		{"www.a.example", "/dossier/x%0d%0aSet-Cookie:%20a=1", 302, "https://b.example/x%0d%0aSet-Cookie:%20a=1"},
		{"www.a.example", "/ancien%20(%C3%A9t%C3%A9)/page.php", 301, "http://www.a.example/index.html"},
		{"www.a.example", "/a.b+c", 301, "http://www.a.example/index.html"},
		{"a.example", "/x%20y?q=1", 301, "http://www.a.example/x%20y?q=1"},
		{"a.example:8080", "/", 301, "http://www.a.example:8080/"},
		{"A.Example", "/exact", 301, "http://www.a.example/exact"},
		{"www.a.example", "/exact/beneath.html", 200, ""},
		{"www.a.example", "/aXb+c", 200, ""},
		{"autre.example", "/", 200, ""}, // has no other form
		{"a.example", "/.well-known/acme-challenge/x", 404, ""},
	} {
		status, _, header := n.get(c.host, c.path)
		location := header.Get("Location")
		if status != c.status || location != c.location || header.Get("Set-Cookie") != "" {
			t.Errorf("%s%s: %d %q, want %d %q", c.host, c.path, status, location, c.status, c.location)
		}
	}
	site.Behaviour.Canonical = hosting.CanonicalBare
	n.ensure(site)
	if status, _, header := n.get("www.a.example", "/a"); status != 301 || header.Get("Location") != "http://a.example/a" {
		t.Errorf("to the bare name: %d %q", status, header.Get("Location"))
	}
	if status, _, _ := n.get("a.example", "/"); status != 200 {
		t.Errorf("the bare name: %d", status)
	}
	site.Behaviour = hosting.Behaviour{Redirects: []hosting.Redirect{redirect(t, "/", true, "https://elsewhere.example", 301)}}
	n.ensure(site)
	if status, _, header := n.get("a.example", "/.evil.example/x"); status != 301 || header.Get("Location") != "https://elsewhere.example/.evil.example/x" {
		t.Errorf("everything elsewhere: %d %q", status, header.Get("Location"))
	}
	if status, _, _ := n.get("a.example", "/.well-known/acme-challenge/x"); status != 404 {
		t.Errorf("certificates are asked for elsewhere: %d", status)
	}
}

func TestErrorPagesAndListing(t *testing.T) {
	n := startNode(t)
	site := n.site(1, "a.example")
	n.write(site, "photos/une.jpg", "x")
	n.write(site, "photos/.secret", "x")
	n.write(site, "erreurs/404.html", "notre page introuvable")
	n.write(site, "erreurs/403.html", "notre page interdite")
	n.ensure(site)
	n.expect("a.example", "/photos/", 403, "pas publique")
	n.expect("a.example", "/rien", 404, "existe pas")
	site.Behaviour.ErrorPages = hosting.ErrorPages{NotFound: "erreurs/404.html", Forbidden: "erreurs/403.html"}
	n.ensure(site)
	n.expect("a.example", "/rien", 404, "notre page introuvable")
	n.expect("a.example", "/photos/", 403, "notre page interdite")
	site.Behaviour.Listing = true
	n.ensure(site)
	n.expect("a.example", "/photos/", 200, "une.jpg")
	if _, body, _ := n.get("a.example", "/photos/"); strings.Contains(body, ".secret") {
		t.Error("the listing shows what is not served")
	}
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func TestProtectedFolders(t *testing.T) {
	n := startNode(t)
	site := n.site(1, "a.example")
	n.write(site, "prive/page.html", "secret page")
	n.write(site, "prive/script.php", "<?php echo 'secret'.' script';")
	n.write(site, "prive/dump.sql", "secret dump")
	n.write(site, "comité/page.html", "committee")
	n.write(site, "privee.html", "public page")
	n.php(site)
	site.Behaviour.Protected = []hosting.ProtectedFolder{
		{Path: "/prive", Users: []hosting.FolderUser{{Name: "yann", PasswordHash: password(t, "pêche à pied")}}},
		{Path: "/comité", Users: []hosting.FolderUser{{Name: "anne", PasswordHash: password(t, "autre")}}},
	}
	n.ensure(site)
	n.unchanged("again", func() { n.ensure(site) })
	right := basic("yann", "pêche à pied")
	allowed := func(path, who, text string) {
		t.Helper()
		if status, body, _ := n.get("a.example", path, "Authorization", who); status != 200 || !strings.Contains(body, text) {
			t.Errorf("%s: %d %s", path, status, short(body))
		}
	}
	closed := func(what, path string, header ...string) {
		t.Helper()
		if status, body, _ := n.get("a.example", path, header...); status != 401 && status != 403 && status != 404 || strings.Contains(body, "secret ") {
			t.Errorf("%s: %s: %d %s", what, path, status, short(body))
		}
	}
	allowed("/prive/page.html", right, "secret page")
	allowed("/prive/script.php", right, "secret script")
	allowed("/comit%C3%A9/page.html", basic("anne", "autre"), "committee")
	n.expect("a.example", "/privee.html", 200, "public page")
	n.expect("a.example", "/prive/", 401, "identifiant")
	closed("what is never served", "/prive/dump.sql", "Authorization", right)
	for _, path := range []string{"/prive/page.html", "/prive/script.php", "//prive/page.html", "/./prive/page.html", "/x/../prive/page.html", "/%70rive/page.html", "/prive%2fpage.html", "/prive/script.php/x"} {
		closed("nobody", path)
		closed("a wrong password", path, "Authorization", basic("yann", "autre"))
		closed("somebody of another folder", path, "Authorization", basic("anne", "autre"))
	}
	for name, text := range map[string]string{
		"granted":       "Require all granted\nSatisfy Any\nAllow from all\n",
		"no type":       "AuthType None\nRequire all granted\nAuthMerging Off\n",
		"another file":  "AuthUserFile /dev/null\nAuthType Basic\nRequire all granted\n",
		"if":            "<If \"true\">\nAuthMerging Off\nRequire all granted\nSatisfy Any\n</If>\n",
		"rewrite":       "RewriteEngine on\nRewriteRule ^open/(.*)$ prive/$1 [L]\n",
		"error page":    "ErrorDocument 404 /prive/page.html\n",
		"files":         "<Files *>\nRequire all granted\nSatisfy Any\n</Files>\n",
		"files in if":   "<If \"true\">\n<Files *>\nAuthMerging Off\nRequire all granted\n</Files>\n</If>\n",
		"remote user":   "SetEnv REMOTE_USER yann\nRequestHeader set Authorization \"Basic eA==\"\n",
		"AuthMerging":   "AuthMerging Or\nRequire all granted\n",
		"its own users": "AuthUserFile \"" + n.path(site, "users") + "\"\n",
	} {
		n.write(site, ".htaccess", text)
		for _, path := range []string{"/prive/page.html", "/prive/script.php", "/open/page.html", "/nothing-here"} {
			closed(".htaccess: "+name, path)
		}
	}
	if err := os.Remove(n.path(site, ".htaccess")); err != nil {
		t.Fatal(err)
	}

	t.Run("another site's .htaccess cannot use the passwords", func(t *testing.T) {
		other := n.site(2, "b.example")
		n.write(other, "page.html", "x")
		for _, file := range []string{n.layout.Passwords(), n.layout.Passwords() + "/../passwords"} {
			n.write(other, ".htaccess", "AuthType Basic\nAuthName x\nRequire valid-user\nAuthUserFile \""+file+"\"\n")
			n.ensure(other)
			if status, _, _ := n.get("b.example", "/page.html", "Authorization", right); status == 200 {
				t.Errorf("%s: %d", file, status)
			}
		}
		for dir, mode := range map[string]os.FileMode{n.layout.Passwords(): 0o710, passwordDir(n.layout, site.HomeToken): 0o710, passwordFile(n.layout, site.HomeToken, "/prive"): 0o640} {
			if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != mode {
				t.Errorf("%s: %v %v", dir, info.Mode(), err)
			}
		}
	})
	t.Run("a new password needs no reload", func(t *testing.T) {
		before, err := os.ReadFile(generationFile(n.layout))
		if err != nil {
			t.Fatal(err)
		}
		site.Behaviour.Protected[0].Users[0].PasswordHash = password(t, "nouveau")
		n.ensure(site)
		closed("the old password", "/prive/page.html", "Authorization", right)
		allowed("/prive/page.html", basic("yann", "nouveau"), "secret page")
		if after, err := os.ReadFile(generationFile(n.layout)); err != nil || string(after) != string(before) {
			t.Errorf("Apache was reloaded: %v", err)
		}
	})
	t.Run("what is no longer protected leaves nothing", func(t *testing.T) {
		site.Behaviour.Protected = site.Behaviour.Protected[1:]
		n.ensure(site)
		n.expect("a.example", "/prive/page.html", 200, "secret page")
		entries, err := os.ReadDir(passwordDir(n.layout, site.HomeToken))
		if err != nil || len(entries) != 1 {
			t.Errorf("%v %v", entries, err)
		}
		n.remove(site)
		if _, err := os.Stat(passwordDir(n.layout, site.HomeToken)); !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	})
}

func TestMaintenance(t *testing.T) {
	n := startNode(t)
	site := n.site(1, "a.example", "www.a.example")
	n.write(site, "script.php", "<?php echo 'the'.' site';")
	n.write(site, "travaux/page.html", "nos travaux")
	n.write(site, "travaux/logo.svg", "logo")
	n.php(site)
	site.Behaviour.Maintenance = hosting.Maintenance{On: true, VisitSecret: visit}
	site.Behaviour.Redirects = []hosting.Redirect{redirect(t, "/old", false, "https://b.example/", 301)}
	site.Behaviour.Canonical = hosting.CanonicalWWW
	n.write(site, ".htaccess", "ErrorDocument 503 'open'\nRewriteEngine on\nRewriteRule . script.php\n")
	n.ensure(site)
	for _, path := range []string{"/", "/script.php", "/old", "/travaux/page.html", "/%2ewell-known/x", "/.well-known/x"} {
		status, body, header := n.get("a.example", path, "Cookie", "cancale_visit=wrong; xcancale_visit="+visit)
		if status != 503 || !strings.Contains(body, "revient bient") || header.Get("Retry-After") != "1800" || header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v %s", path, status, header, short(body))
		}
	}
	status, _, header := n.get("a.example", "/.well-known/cancale/visit/"+visit)
	cookie, _, _ := strings.Cut(header.Get("Set-Cookie"), ";")
	if status != 302 || cookie != "cancale_visit="+visit || !strings.Contains(header.Get("Set-Cookie"), "HttpOnly") {
		t.Fatalf("the link: %d %v", status, header)
	}
	if status, _, header := n.get("a.example", "/.well-known/cancale/visit/"+strings.Repeat("0", 32)); status != 404 || header.Get("Set-Cookie") != "" {
		t.Errorf("a wrong link: %d %v", status, header)
	}
	if status, body, _ := n.get("www.a.example", "/script.php", "Cookie", "a=b; "+cookie); status != 200 || !strings.Contains(body, "the site") {
		t.Errorf("a visitor with the link: %d %s", status, short(body))
	}
	if status, _, _ := n.get("www.a.example", "/old", "Cookie", cookie); status != 301 {
		t.Errorf("a redirect for a visitor with the link: %d", status)
	}
	site.Behaviour.Maintenance.Page = "travaux/page.html"
	site.Behaviour.Maintenance.Addresses = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	if err := os.Remove(n.path(site, ".htaccess")); err != nil {
		t.Fatal(err)
	}
	n.ensure(site)
	n.expect("a.example", "/", 503, "nos travaux")
	n.expect("www.a.example", "/travaux/logo.svg", 200, "logo")
	n.expect("a.example", "/script.php", 503, "nos travaux")
	site.Behaviour.Maintenance.Addresses = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	n.ensure(site)
	n.expect("www.a.example", "/script.php", 200, "the site")
	site.Behaviour.Maintenance.On = false
	n.ensure(site)
	n.expect("www.a.example", "/script.php", 200, "the site")
}
