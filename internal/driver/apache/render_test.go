package apache

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cancale/internal/config"
	"cancale/internal/hosting"
)

var update = flag.Bool("update", false, "write the golden files")

const (
	homeToken   = "00112233445566778899aabbccddeeff"
	socketToken = "ffeeddccbbaa99887766554433221100"
)

func sample() hosting.Site {
	return hosting.Site{
		ID: 17, AccountID: 3, Host: "souffle-en-baie.example", DocumentRoot: "www", PHP: "8.2", UID: 30017,
		HomeToken: homeToken, SocketToken: socketToken,
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestRender(t *testing.T) {
	layout := config.Layout{Root: config.Mount}
	for name, change := range map[string]func(*hosting.Site){
		"plain": func(*hosting.Site) {},
		"aliases": func(s *hosting.Site) {
			s.Aliases = []hosting.Hostname{"www.souffle-en-baie.example", "xn--t-9fab.example"}
		},
		"document-root":     func(s *hosting.Site) { s.DocumentRoot = "www/web.d/public" },
		"suspended":         func(s *hosting.Site) { s.Suspended = true },
		"account-suspended": func(s *hosting.Site) { s.AccountSuspended = true; s.Aliases = []hosting.Hostname{"b.example"} },
	} {
		t.Run(name, func(t *testing.T) {
			site := sample()
			change(&site)
			got, err := Render(layout, site)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+".conf", got)
			again, err := Render(layout, site)
			if err != nil || !bytes.Equal(got, again) {
				t.Errorf("rendered twice, two results; %v", err)
			}
			host, hash := parseRendered(got)
			if host != site.Host || len(hash) != 32 {
				t.Errorf("read back: %q %q", host, hash)
			}
		})
	}
	t.Run("every change has another hash", func(t *testing.T) {
		seen := map[string]string{}
		for name, change := range map[string]func(*hosting.Site){
			"none": func(*hosting.Site) {}, "alias": func(s *hosting.Site) { s.Aliases = []hosting.Hostname{"b.example"} },
			"off": func(s *hosting.Site) { s.Suspended = true },
			"off, other token": func(s *hosting.Site) {
				s.Suspended = true
				s.HomeToken = socketToken
			},
			"root": func(s *hosting.Site) { s.DocumentRoot = "web" }, "home": func(s *hosting.Site) { s.HomeToken = socketToken },
			"socket": func(s *hosting.Site) { s.SocketToken = homeToken }, "id": func(s *hosting.Site) { s.ID++ },
		} {
			site := sample()
			change(&site)
			got, err := render(layout, site)
			if err != nil {
				t.Fatal(err)
			}
			if other := seen[got.hash]; other != "" {
				t.Errorf("%s and %s have one hash", name, other)
			}
			seen[got.hash] = name
		}
	})
}

func TestRenderRefusesWhatIsNotValid(t *testing.T) {
	for name, change := range map[string]func(*hosting.Site){
		"no id":                       func(s *hosting.Site) { s.ID = 0 },
		"no host":                     func(s *hosting.Site) { s.Host = "" },
		"a host with a newline":       func(s *hosting.Site) { s.Host = "a.example\nUser root" },
		"a host in upper case":        func(s *hosting.Site) { s.Host = "A.example" },
		"a host not in ASCII":         func(s *hosting.Site) { s.Host = "été.example" },
		"a wildcard":                  func(s *hosting.Site) { s.Host = "*.example" },
		"an alias with a space":       func(s *hosting.Site) { s.Aliases = []hosting.Hostname{"a.example b.example"} },
		"an alias with a variable":    func(s *hosting.Site) { s.Aliases = []hosting.Hostname{"${CANCALE_HTTP}.example"} },
		"an alias twice":              func(s *hosting.Site) { s.Aliases = []hosting.Hostname{"b.example", "b.example"} },
		"a host as alias":             func(s *hosting.Site) { s.Aliases = []hosting.Hostname{s.Host} },
		"a short token":               func(s *hosting.Site) { s.HomeToken = "abc" },
		"a token that is a path":      func(s *hosting.Site) { s.SocketToken = "../../../../../../../../../../etc" },
		"a token with a newline":      func(s *hosting.Site) { s.SocketToken = socketToken + "\n" },
		"no document root":            func(s *hosting.Site) { s.DocumentRoot = "" },
		"a document root with quotes": func(s *hosting.Site) { s.DocumentRoot = `www"` },
		"a document root that leaves": func(s *hosting.Site) { s.DocumentRoot = "www/../../x" },
		"an absolute document root":   func(s *hosting.Site) { s.DocumentRoot = "/etc" },
		"a private document root":     func(s *hosting.Site) { s.DocumentRoot = "private" },
	} {
		t.Run(name, func(t *testing.T) {
			site := sample()
			change(&site)
			got, err := Render(config.Layout{Root: config.Mount}, site)
			if err == nil {
				t.Fatalf("accepted:\n%s", got)
			}
			refusal, ok := errors.AsType[*hosting.Error](err)
			if !ok || refusal.Message.Key != "site.apache_invalid" {
				t.Errorf("%v", err)
			}
		})
	}
	t.Run("an installation whose path would need quoting", func(t *testing.T) {
		for _, root := range []string{"", "srv", "/srv/a b", "/srv/a\"b", "/srv/a\nb", "/srv/${X}", "/srv/é"} {
			if _, err := Render(config.Layout{Root: root}, sample()); err == nil {
				t.Errorf("%q: accepted", root)
			}
		}
	})
}

func FuzzRender(f *testing.F) {
	f.Add("a.example", "www.a.example", "www", homeToken, socketToken)
	f.Add("a.example\nUser root", "b.example </VirtualHost>", `www" x`, "../..", "${X}")
	f.Fuzz(func(t *testing.T, host, alias, root, home, socket string) {
		site := hosting.Site{
			ID: 1, Host: hosting.Hostname(host), Aliases: []hosting.Hostname{hosting.Hostname(alias)},
			DocumentRoot: hosting.DocumentRoot(root), HomeToken: hosting.Token(home), SocketToken: hosting.Token(socket),
		}
		got, err := Render(config.Layout{Root: config.Mount}, site)
		if err != nil {
			return
		}
		// The shape is that of a harmless site: same lines, same first words,
		// and no value with a character that means something to Apache.
		plain := site
		plain.Host, plain.Aliases, plain.DocumentRoot = "x.example", []hosting.Hostname{"y.example"}, "www"
		plain.HomeToken, plain.SocketToken = homeToken, socketToken
		want, err := Render(config.Layout{Root: config.Mount}, plain)
		if err != nil {
			t.Fatal(err)
		}
		gotLines, wantLines := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
		if len(gotLines) != len(wantLines) {
			t.Fatalf("%d lines:\n%s", len(gotLines), got)
		}
		for i, line := range gotLines {
			word, value, _ := strings.Cut(line, " ")
			wantWord, _, _ := strings.Cut(wantLines[i], " ")
			if word != wantWord || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("line %d: %q", i, line)
			}
		}
		for _, s := range []string{host, alias, root, home, socket} {
			if strings.ContainsAny(s, "\"'\\$%<>#`{}()[]*?|&; \t\r\n\x00") {
				t.Errorf("accepted %q", s)
			}
		}
	})
}

func TestRenderServer(t *testing.T) {
	layout := config.Layout{Root: config.Mount}
	good := Config{HTTPPort: 8080, HTTPSPort: 8443, PanelURL: "http://panneau.example:8000/", Logger: []string{"/opt/cancale", "logs", "--data", config.Mount}}
	got, err := RenderServer(layout, good)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "server.conf", got)
	golden(t, "suspended-include.conf", renderSuspended(good))
	golden(t, "check.conf", renderCheck(layout, good))

	for name, change := range map[string]func(*Config){
		"no port":                     func(c *Config) { c.HTTPPort = 0 },
		"a port too high":             func(c *Config) { c.HTTPSPort = 70000 },
		"a name to listen on":         func(c *Config) { c.Bind = "localhost" },
		"a newline in the logger":     func(c *Config) { c.Logger = []string{"/a", "b\nUser root"} },
		"a quote in the logger":       func(c *Config) { c.Logger = []string{"/a'b"} },
		"a relative logger":           func(c *Config) { c.Logger = []string{"cancale"} },
		"a module directory in words": func(c *Config) { c.Modules = "/a b" },
	} {
		bad := good
		change(&bad)
		if _, err := RenderServer(layout, bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestDocumentIsOneLineOfHarmlessText(t *testing.T) {
	got := document([]byte("a\nb \"c\" \\ $1 %{file:/etc/passwd} é " + hostMark))
	const want = `a b &#34;c&#34; &#92; &#36;1 %&#123;file:/etc/passwd} &#233; %{escape:%{SERVER_NAME}}`
	if got != want {
		t.Errorf("got %s", got)
	}
}
