package hosting

import (
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

func TestParseHostname(t *testing.T) {
	good := map[string]Hostname{
		"asso.example":                    "asso.example",
		" Asso.Example. ":                 "asso.example",
		"www.asso.gouv.fr":                "www.asso.gouv.fr",
		"café-des-proches.example":        "xn--caf-des-proches-dnb.example",
		"CAFÉ-des-proches.example":        "xn--caf-des-proches-dnb.example",
		"xn--caf-des-proches-dnb.example": "xn--caf-des-proches-dnb.example",
		"a.b.c.d.e.asso.org":              "a.b.c.d.e.asso.org",
		"1001-nuits.fr":                   "1001-nuits.fr",
		"blog.test":                       "blog.test",
	}
	for in, want := range good {
		got, err := ParseHostname(in)
		if err != nil || got != want {
			t.Errorf("ParseHostname(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	bad := map[string]string{
		"":                               "host.empty",
		".":                              "host.empty",
		"a..b.example":                   "host.double_dot",
		"asso example.org":               "host.invalid",
		"asso\n.example.org":             "host.invalid",
		"asso.example\r\nServerAlias x":  "host.invalid",
		"asso\x00.example.org":           "host.invalid",
		strings.Repeat("a", 300):         "host.too_long",
		strings.Repeat("a.", 150) + "fr": "host.too_long",
		strings.Repeat("a", 64) + ".fr":  "host.too_long",
		"🎉.example":                      "host.invalid",
		"192.0.2.1":                      "host.is_address",
		"192.0.2":                        "host.is_address",
		"0x7f.1":                         "host.is_address",
		"[2001:db8::1]":                  "host.is_address",
		"2001:db8::1":                    "host.is_address",
		"*.asso.example":                 "host.wildcard",
		"localhost":                      "host.single_label",
		"co.uk":                          "host.public_suffix",
		"gouv.fr":                        "host.public_suffix",
		"https://asso.example":           "host.is_url",
		"asso.example/blog":              "host.is_url",
		"-asso.example":                  "host.invalid",
		"asso-.example":                  "host.invalid",
		"as_so.example":                  "host.invalid",
		`asso".example`:                  "host.invalid",
		"${HOME}.example":                "host.invalid",
		"asso.example:8080":              "host.invalid",
		"asso\u202e.example":             "host.invalid",
	}
	for in, want := range bad {
		got, err := ParseHostname(in)
		if err == nil {
			t.Errorf("ParseHostname(%q) = %q; want a refusal", in, got)
			continue
		}
		if key := FieldErrors(err)["host"].Key; key != want {
			t.Errorf("ParseHostname(%q) says %q; want %q", in, key, want)
		}
	}
}

func TestAHostnameShowsItsUnicodeForm(t *testing.T) {
	if got := Hostname("xn--caf-des-proches-dnb.example").Unicode(); got != "café-des-proches.example" {
		t.Errorf("got %q", got)
	}
}

func TestParentsOfAHostnameStopAtThePublicSuffix(t *testing.T) {
	for in, want := range map[Hostname][]Hostname{
		"a.b.maree.fr":  {"b.maree.fr", "maree.fr"},
		"maree.fr":      nil,
		"asso.fr":       nil, // itself a public suffix
		"x.asso.co.uk":  {"asso.co.uk"},
		"www.blog.test": {"blog.test"},
	} {
		if diff := cmp.Diff(want, in.Parents()); diff != "" {
			t.Errorf("%s: %s", in, diff)
		}
	}
}

func TestParseDocumentRootStaysInTheHome(t *testing.T) {
	for in, want := range map[string]DocumentRoot{"": "www", "www": "www", "www/public": "www/public", "public": "public", "www/": "www"} {
		if got, err := ParseDocumentRoot(in); err != nil || got != want {
			t.Errorf("ParseDocumentRoot(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{
		"..", "../x", "www/../..", "/etc", "/", "www//x", "./www", "www/.git", ".", "private", "tmp/x", "sessions",
		"www\n", "www\x00", "a b", `a"b`, "a${b}", "%{x}", "é", strings.Repeat("a/", 200) + "a", "www/" + strings.Repeat("a", 65),
	} {
		// A trailing newline is white space around the name, not part of it.
		if got, err := ParseDocumentRoot(in); err == nil && in != "www\n" {
			t.Errorf("ParseDocumentRoot(%q) = %q; want a refusal", in, got)
		}
	}
}

func TestParseAccountName(t *testing.T) {
	for _, in := range []string{"souffle-en-baie", "a1", " asso ", "a-"} {
		if _, err := ParseAccountName(in); err != nil {
			t.Errorf("ParseAccountName(%q): %v", in, err)
		}
	}
	for _, in := range []string{"", "a", "1a", "-a", "Asso", "a_b", "a.b", "a b", "é", "mysql", "root", strings.Repeat("a", 32), "a\nb", "a%"} {
		if got, err := ParseAccountName(in); err == nil {
			t.Errorf("ParseAccountName(%q) = %q; want a refusal", in, got)
		}
	}
}

func TestParseDatabaseName(t *testing.T) {
	for in, want := range map[string]DatabaseName{"blog": "asso_blog", "asso_blog": "asso_blog", "BLOG_2": "asso_blog_2"} {
		if got, err := ParseDatabaseName("asso", in); err != nil || got != want {
			t.Errorf("ParseDatabaseName(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"", "asso_", "_", "a b", "a`b", "a%", "a\\", "a-b", strings.Repeat("a", 70), "é", "a\n b", strings.Repeat("a", 59), "a_" + strings.Repeat("b", 56)} {
		if got, err := ParseDatabaseName("asso", in); err == nil {
			t.Errorf("ParseDatabaseName(%q) = %q; want a refusal", in, got)
		}
	}
	if got, err := ParseDatabaseName("asso", strings.Repeat("a", 58)); err != nil {
		t.Errorf("the longest name that can be granted was refused: %q, %v", got, err)
	}
	if got, err := ParseDatabaseName("performance", "schema"); err == nil {
		t.Errorf("ParseDatabaseName gave away %q", got)
	}
}

func TestParseFTPName(t *testing.T) {
	for in, want := range map[string]FTPName{"asso": "asso", "web": "web@asso", "web@asso": "web@asso", "Web.Master@asso": "web.master@asso"} {
		if got, err := ParseFTPName("asso", in); err != nil || got != want {
			t.Errorf("ParseFTPName(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"", "@asso", "web@other", "web@", "we b@asso", "a/b", "../x", "web@asso@asso", strings.Repeat("a", 33)} {
		if got, err := ParseFTPName("asso", in); err == nil {
			t.Errorf("ParseFTPName(%q) = %q; want a refusal", in, got)
		}
	}
}

func TestParseEmail(t *testing.T) {
	for _, in := range []string{"maelle@asso.example", "M.K+panneau@Asso.Example", "a@café.example"} {
		if _, err := ParseEmail(in); err != nil {
			t.Errorf("ParseEmail(%q): %v", in, err)
		}
	}
	for _, in := range []string{"", "maelle", "maelle@", "@asso.example", "a@b", "a b@asso.example", "a@asso.example\nBcc: x@y.example", "<a@asso.example>", "Maëlle <a@asso.example>", "a@[192.0.2.1]", "a@asso..example", strings.Repeat("a", 300) + "@asso.example", "a@b@asso.example"} {
		if got, err := ParseEmail(in); err == nil {
			t.Errorf("ParseEmail(%q) = %q; want a refusal", in, got)
		}
	}
}

// FuzzNames holds every parser to its promise: what it accepts cannot end a
// line, a quote or an argument of a file that a daemon reads, and is accepted
// again unchanged.
func FuzzNames(f *testing.F) {
	for _, seed := range []string{"asso.example", "café.example", "a..b", "asso\n", "www/public", "../x", "web@asso", "blog", "a@b.example", "*.x", "%{HTTP_HOST}", "${x}", `"`} {
		f.Add(seed)
	}
	const dangerous = "\"'`\\$ \t<>{};|&*?#\x00"
	check := func(t *testing.T, what, in, out string, again func(string) (string, error)) {
		t.Helper()
		if strings.ContainsAny(out, dangerous) || strings.ContainsFunc(out, unicode.IsControl) {
			t.Errorf("%s accepted %q as %q", what, in, out)
		}
		if twice, err := again(out); err != nil || twice != out {
			t.Errorf("%s: %q → %q → %q, %v", what, in, out, twice, err)
		}
	}
	f.Fuzz(func(t *testing.T, in string) {
		parsers := map[string]func(string) (string, error){
			"host":     func(s string) (string, error) { h, err := ParseHostname(s); return string(h), err },
			"root":     func(s string) (string, error) { r, err := ParseDocumentRoot(s); return string(r), err },
			"folder":   func(s string) (string, error) { r, err := ParseFolder(s); return string(r), err },
			"account":  func(s string) (string, error) { n, err := ParseAccountName(s); return string(n), err },
			"plan":     func(s string) (string, error) { n, err := ParsePlanName(s); return string(n), err },
			"database": func(s string) (string, error) { n, err := ParseDatabaseName("asso", s); return string(n), err },
			"ftp":      func(s string) (string, error) { n, err := ParseFTPName("asso", s); return string(n), err },
			"email":    func(s string) (string, error) { e, err := ParseEmail(s); return string(e), err },
			"php":      func(s string) (string, error) { v, err := ParsePHPVersion(s); return string(v), err },
		}
		for what, parse := range parsers {
			if out, err := parse(in); err == nil {
				check(t, what, in, out, parse)
			}
		}
	})
}
