package panel

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/PuerkitoBio/goquery"

	"cancale/internal/config"
	"cancale/internal/driver/apache"
	"cancale/internal/hosting"
	"cancale/internal/store"
)

// hostile are what no form expects: line ends, bytes that end strings, markup,
// what Apache, shells, PHP and SQL give a meaning to, and texts that are none.
var hostile = []string{
	"a\r\nX-Hostile: 1\r\n\r\n<hostile-mark>",
	"a\x00b\x1b[2J\x07\x7f",
	`"'><hostile-mark onhostile="x">${PATH}%{HTTP_HOST}`,
	"a\xff\xfe\xc0\xaf\xed\xa0\x80\u202egnp.php\u2066",
	strings.Repeat("é", 10_000),
	"javascript:hostile()//${jndi:x}${PATH}$(id)`id`",
	"%{HTTP_HOST}%{env:PATH}%s%n%00%0d%0aX-Hostile:%201",
	"<If \"true\">\nRequire all granted\n</If>",
	`a\..\..\"\'; DROP TABLE sites; -- \`,
	"../../../../etc/passwd",
	"a\u202egnp.php\u2066\u200b\ufeff",
	"9223372036854775808",
	"-1e309",
	" \t\u00a0\u2028 ",
}

// most is how many of them each field gets for itself.
const most = 5

// fieldNames are the names of all fields of all forms and of all queries, as
// the panel's own source has them.
func fieldNames(t *testing.T) (form, query []string) {
	t.Helper()
	for pattern, into := range map[string]*[]string{`form:"([^"]+)"|form\.Get\("([^"]+)"|form\["([^"]+)"`: &form, `Query\("([^"]+)"`: &query} {
		for _, glob := range []string{"*.go", "../views/*.go"} {
			files, err := filepath.Glob(glob)
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				for _, found := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
					*into = append(*into, strings.Join(found[1:], ""))
				}
			}
		}
		slices.Sort(*into)
		*into = slices.Compact(*into)
	}
	if len(form) < 50 || len(query) < 10 {
		t.Fatalf("the source has other words for its fields: %v %v", form, query)
	}
	return form, query
}

// unharmed fails when an answer shows that something hostile was taken for more
// than a text.
func unharmed(t *testing.T, p *page, what string) {
	t.Helper()
	if p.status >= http.StatusInternalServerError {
		t.Errorf("%s: %d", what, p.status)
	}
	for name, values := range p.header {
		if name == "X-Hostile" || strings.ContainsFunc(strings.Join(values, ""), unicode.IsControl) {
			t.Errorf("%s: the header %s: %q", what, name, values)
		}
	}
	if to := p.header.Get("Location"); to != "" && (!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.HasPrefix(to, `/\`)) {
		t.Errorf("%s: leads to %q", what, to)
	}
	if !strings.HasPrefix(p.header.Get("Content-Type"), "text/html") {
		return
	}
	p.doc.Find("textarea[name=text]").Each(func(_ int, s *goquery.Selection) { // a file's text is as it is
		p.body = strings.ReplaceAll(p.body, s.Text(), "")
	})
	if !utf8.ValidString(p.body) {
		t.Errorf("%s: the page is no text", what)
	}
	if at := strings.IndexFunc(p.body, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' }); at >= 0 {
		t.Errorf("%s: a control character in the page: %q", what, p.body[max(0, at-60):min(len(p.body), at+20)])
	}
	if p.doc.Find("hostile-mark, [onhostile]").Length() > 0 {
		t.Errorf("%s: what was typed is markup", what)
	}
	p.doc.Find("[href], [action], [src], [formaction]").Each(func(_ int, s *goquery.Selection) {
		for _, name := range []string{"href", "action", "src", "formaction"} {
			if u, err := url.Parse(s.AttrOr(name, "")); err != nil || u.Scheme == "javascript" {
				t.Errorf("%s: a link to %q", what, s.AttrOr(name, ""))
			}
		}
	})
}

// sendable are the values that the page's form for path would send as it is, and
// none when the page has no such form.
func sendable(p *page, path string) url.Values {
	values := url.Values{}
	p.doc.Find("main form").Each(func(_ int, f *goquery.Selection) {
		if action := f.AttrOr("action", p.path); action != path && action != "" {
			return
		}
		f.Find("input[name], select[name], textarea[name]").Each(func(_ int, s *goquery.Selection) {
			name := s.AttrOr("name", "")
			switch {
			case name == ticketField:
			case s.Is("select"):
				values.Set(name, s.Find("option[selected]").AttrOr("value", s.Find("option").AttrOr("value", "")))
			case s.Is("textarea"):
				values.Set(name, s.Text())
			case s.Is("[type=radio], [type=checkbox]"):
				if _, on := s.Attr("checked"); on {
					values.Add(name, s.AttrOr("value", "on"))
				}
			default:
				values.Set(name, s.AttrOr("value", ""))
			}
		})
	})
	return values
}

// Every field of every form, and every value of every query, holds the worst.
func TestHostileFields(t *testing.T) {
	w := newWorld(t)
	b := w.as(admin)
	b.get("/admin")
	b.post("/account", "account", number(w.account.ID))
	b.get("/")
	form, query := fieldNames(t)
	send := func(route, path string, values url.Values, what string) {
		if b.page != nil {
			ticket, _ := b.page.ticket()
			values.Set(ticketField, ticket)
		}
		p := b.send(path, values)
		if p.status == http.StatusForbidden && b.page != nil && !strings.HasPrefix(p.header.Get("Location"), "/signin") && p.doc.Find("h1").Length() == 1 && route != "POST /files/:id/upload" && route != "POST /files/:id/piece" && route != "POST /databases/:id/import" {
			t.Fatalf("%s: the form is not read at all: %s", route, p.text("h1"))
		}
		unharmed(t, p, route+" "+what)
		if route == "POST /admin/accounts/:id/act" { // what follows needs the team's own rights
			b.post("/act/end")
			b.get("/admin")
		}
	}
	tried := 0
	table := accessTable(w)
	for _, row := range table {
		method, pattern, _ := strings.Cut(row.route, " ")
		path := row.path
		if path == "" {
			path = pattern
		}
		switch row.route {
		case "POST /signout", "POST /profile/sessions": // they end the session that the test has
			continue
		}
		if row.prepare != nil {
			path = strings.Replace(path, "{}", row.prepare(w, "x"), 1)
		}
		bare, _, _ := strings.Cut(path, "?")
		if method == http.MethodGet {
			for _, text := range hostile[:most] {
				values := url.Values{}
				for _, name := range query {
					values.Set(name, text)
				}
				tried++
				unharmed(t, b.get(bare+"?"+values.Encode()), row.route+" "+short(text))
			}
			continue
		}
		// All of them at once, then each in a form that is otherwise as it should be.
		for _, text := range hostile {
			values := url.Values{}
			for _, name := range form {
				values.Set(name, text)
			}
			tried++
			send(row.route, path, values, short(text))
		}
		from := row.from
		if _, has := w.srv.needs[http.MethodGet+" "+pattern]; has {
			from = bare
		}
		if from == "" || row.route == "POST /signin" {
			continue
		}
		good := sendable(b.get(from), bare)
		for i := 0; i+1 < len(row.fields); i += 2 {
			good[row.fields[i]] = append(good[row.fields[i]], "")
		}
		for name := range good {
			if strings.Contains(name, "password") || name == "old" { // slow to check, and never shown
				continue
			}
			for _, text := range hostile[:most] {
				values := url.Values{}
				for other, is := range good {
					values[other] = slices.Clone(is)
				}
				values.Set(name, text)
				tried++
				send(row.route, path, values, name+"="+short(text))
			}
		}
	}
	t.Logf("%d requests", tried)

	// What was accepted is shown as a text, wherever it is shown.
	for _, row := range table {
		method, pattern, _ := strings.Cut(row.route, " ")
		if method != http.MethodGet {
			continue
		}
		path := row.path
		if path == "" {
			path = pattern
		}
		unharmed(t, b.get(path), row.route+" afterwards")
	}
	// And it is nothing but itself in what Apache is given.
	sites, _, err := w.store.Sites(t.Context(), w.root.Scope(hosting.SitesRead), store.SiteFilter{PerPage: 500})
	w.must(err)
	for _, row := range sites {
		site, err := w.node.Site(t.Context(), row.ID)
		w.must(err)
		conf, err := apache.Render(config.Layout{Root: config.Mount}, site)
		if err != nil {
			t.Errorf("%s: %v", site.Host, err)
		}
		if strings.Contains(strings.ToLower(string(conf)), "hostile") || strings.ContainsFunc(string(conf), func(r rune) bool { return unicode.IsControl(r) && r != '\n' || unicode.Is(unicode.Cf, r) }) || !utf8.Valid(conf) {
			t.Errorf("the virtual host: %q", conf)
		}
	}
	entries, _, err := w.store.Audit(t.Context(), w.root.Scope(hosting.AdminAudit), store.AuditFilter{PerPage: 1000})
	w.must(err)
	for _, e := range entries {
		for _, text := range []string{e.Actor, e.Target, e.Before, e.After} {
			if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
				t.Errorf("the audit log: %q", text)
			}
		}
	}
	for line := range strings.Lines(w.log.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("a line of the log is none: %q", line)
		}
	}
}

func short(s string) string {
	return strconv.Quote(s[:min(len(s), 24)])
}
