package views

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"cancale/internal/i18n"
	"cancale/views/assets"
	"cancale/views/ui"
)

var preview = flag.String("preview", "", "write all pages into this directory, to be looked at")

// render is a component in a language, told in UTC.
func render(t *testing.T, lang string, s sample) string {
	t.Helper()
	var b bytes.Buffer
	ctx := i18n.WithZone(i18n.WithLang(t.Context(), lang), time.UTC)
	if err := s.page.Render(ctx, &b); err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	return b.String()
}

func everyPage(t *testing.T, check func(t *testing.T, s sample, text string, doc *html.Node)) {
	for _, lang := range i18n.Languages {
		for _, s := range samples() {
			t.Run(lang+"/"+s.name, func(t *testing.T) {
				text := render(t, lang, s)
				doc, err := html.Parse(strings.NewReader(text))
				if err != nil {
					t.Fatal(err)
				}
				check(t, s, text, doc)
			})
		}
	}
}

func TestEveryPageIsSoundHTML(t *testing.T) {
	everyPage(t, func(t *testing.T, s sample, text string, doc *html.Node) {
		if s.bare {
			return
		}
		// A parser moves what is nested wrongly; the tags that were written must
		// be the ones that it found, in the same order.
		written, found := tagsWritten(text), tagsFound(doc)
		if !slices.Equal(written, found) {
			for i := range written {
				if i >= len(found) || written[i] != found[i] {
					t.Fatalf("element %d was written as <%s> inside %v and read as %v", i, written[i], written[max(0, i-5):i], found[max(0, i-5):min(len(found), i+1)])
				}
			}
			t.Fatalf("%d elements were written, %d read", len(written), len(found))
		}
		for _, want := range []string{"html", "head", "body", "title", "main", "h1"} {
			if n := len(all(doc, want)); n != 1 {
				t.Errorf("%d <%s>, want 1", n, want)
			}
		}
	})
}

func TestEveryPageObeysAStrictContentSecurityPolicy(t *testing.T) {
	everyPage(t, func(t *testing.T, _ sample, _ string, doc *html.Node) {
		walk(doc, func(n *html.Node) {
			if n.DataAtom == atom.Style || n.DataAtom == atom.Script && attr(n, "src") == "" {
				t.Errorf("<%s> in the page", n.Data)
			}
			for _, a := range n.Attr {
				if a.Key == "style" || strings.HasPrefix(a.Key, "on") || strings.HasPrefix(a.Key, "hx-on") {
					t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
				}
				if strings.HasPrefix(strings.TrimSpace(strings.ToLower(a.Val)), "javascript:") {
					t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
				}
				if a.Key == "hx-trigger" && strings.ContainsAny(a.Val, "[]") {
					t.Errorf("hx-trigger %q needs eval", a.Val)
				}
			}
		})
	})
}

func TestEveryLinkLeadsSomewhere(t *testing.T) {
	everyPage(t, func(t *testing.T, s sample, text string, doc *html.Node) {
		if strings.Contains(text, "about:invalid") {
			t.Error("an address was refused by templ")
		}
		ids := map[string]bool{}
		walk(doc, func(n *html.Node) {
			if id := attr(n, "id"); id != "" {
				if ids[id] {
					t.Errorf("id %q twice", id)
				}
				ids[id] = true
			}
		})
		walk(doc, func(n *html.Node) {
			href, present := lookup(n, "href")
			if !present {
				href, present = lookup(n, "action")
			}
			if present && (href == "" || href == "#") {
				t.Errorf("<%s> %q leads nowhere", n.Data, words(n))
			}
			if fragment, local := strings.CutPrefix(href, "#"); local && !ids[fragment] && !s.bare {
				t.Errorf("no element %q", href)
			}
			for _, key := range []string{"for", "aria-describedby", "aria-labelledby", "aria-controls", "data-strength", "popovertarget"} {
				for id := range strings.FieldsSeq(attr(n, key)) {
					if !ids[id] {
						t.Errorf("<%s %s=%q>: no such element", n.Data, key, id)
					}
				}
			}
			if target := attr(n, "hx-target"); target != "" && !ids[strings.TrimPrefix(target, "#")] {
				t.Errorf("hx-target %q: no such element", target)
			}
		})
	})
}

func TestEveryFieldHasALabelAndEveryButtonAName(t *testing.T) {
	everyPage(t, func(t *testing.T, _ sample, _ string, doc *html.Node) {
		labelled := map[string]bool{}
		for _, l := range all(doc, "label") {
			labelled[attr(l, "for")] = true
		}
		walk(doc, func(n *html.Node) {
			switch n.Data {
			case "input", "select", "textarea":
				kind := attr(n, "type")
				if kind == "hidden" || attr(n, "aria-hidden") == "true" {
					return
				}
				if !labelled[attr(n, "id")] && closest(n, "label") == nil && attr(n, "aria-label")+attr(n, "aria-labelledby") == "" {
					t.Errorf("<%s name=%q> has no label", n.Data, attr(n, "name"))
				}
			case "button", "a", "summary":
				if strings.TrimSpace(words(n)) == "" && attr(n, "aria-label")+attr(n, "aria-labelledby") == "" {
					t.Errorf("<%s class=%q> has no name", n.Data, attr(n, "class"))
				}
			case "img":
				if attr(n, "alt") == "" {
					t.Errorf("<img src=%q> says nothing", attr(n, "src"))
				}
			case "table":
				if len(all(n, "caption")) != 1 {
					t.Error("a table without a caption")
				}
			case "form":
				if attr(n, "method") == "post" {
					token := ""
					for _, in := range all(n, "input") {
						if attr(in, "name") == ui.CSRFField {
							token = attr(in, "value")
						}
					}
					if token != session {
						t.Errorf("form %q goes without its CSRF field", attr(n, "action"))
					}
				}
			}
		})
	})
}

func TestHeadingsComeInOrder(t *testing.T) {
	everyPage(t, func(t *testing.T, s sample, _ string, doc *html.Node) {
		level := 0
		walk(doc, func(n *html.Node) {
			if len(n.Data) == 2 && n.Data[0] == 'h' && n.Data[1] >= '1' && n.Data[1] <= '6' {
				if closest(n, "dialog") != nil {
					return
				}
				this := int(n.Data[1] - '0')
				if this > level+1 && !s.bare && !(level == 0 && closest(n, "main") != nil) {
					t.Errorf("<%s> %q after level %d", n.Data, words(n), level)
				}
				level = this
			}
		})
	})
}

// untranslated finds what looks like a key, or a place without its argument.
var untranslated = regexp.MustCompile(`\b[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)+\b|\{\d\}`)

func TestNoPageShowsAKey(t *testing.T) {
	everyPage(t, func(t *testing.T, _ sample, _ string, doc *html.Node) {
		walk(doc, func(n *html.Node) {
			texts := []string{attr(n, "aria-label"), attr(n, "placeholder"), attr(n, "title")}
			if n.Type == html.TextNode && closest(n, "pre") == nil && closest(n, "code") == nil {
				texts = append(texts, n.Data)
			}
			for _, text := range texts {
				if key := untranslated.FindString(text); key != "" {
					t.Errorf("%q in %q", key, text)
				}
			}
		})
	})
}

func TestTheTwoLanguagesOfAPageHaveTheSameParts(t *testing.T) {
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			var tags [2][]string
			for i, lang := range i18n.Languages {
				tags[i] = tagsWritten(render(t, lang, s))
			}
			if !slices.Equal(tags[0], tags[1]) {
				t.Errorf("%d elements in French, %d in English", len(tags[0]), len(tags[1]))
			}
		})
	}
}

func TestARefusedFormSaysSoFirst(t *testing.T) {
	for _, s := range samples() {
		if !strings.Contains(s.name, "refused") {
			continue
		}
		text := render(t, "fr", s)
		if !strings.Contains(text, "<title>Erreur\u00a0: ") || !strings.Contains(text, `class="errors" role="alert"`) {
			t.Errorf("%s: no summary of what was refused", s.name)
		}
	}
}

func TestAPageInProgressAsksAgainAndASettledOneDoesNot(t *testing.T) {
	for _, s := range samples() {
		text := render(t, "fr", s)
		waits := strings.Contains(text, `hx-trigger="every 2s"`)
		reloads := strings.Contains(text, `http-equiv="refresh"`)
		switch s.name {
		case "site-pending", "site-applying", "site-removing", "database-removing":
			if !waits || !reloads {
				t.Errorf("%s: polls %v, reloads without scripts %v", s.name, waits, reloads)
			}
		case "database-created":
			if !waits || reloads {
				t.Errorf("%s: polls %v; a reload would lose the password: %v", s.name, waits, reloads)
			}
		case "site-live", "site-failed", "site-suspended", "site-created", "database", "part-site-done":
			if waits || reloads {
				t.Errorf("%s: polls %v, reloads %v", s.name, waits, reloads)
			}
		}
	}
}

func TestAFragmentReplacesTheHeadlineOnlyWhenTheStateChanged(t *testing.T) {
	for _, s := range samples() {
		oob := strings.Count(render(t, "fr", s), `hx-swap-oob="true"`)
		switch s.name {
		case "part-site-done":
			if oob != 2 {
				t.Errorf("%d parts are replaced beside the progress, want 2", oob)
			}
		case "part-site-still":
			if oob != 0 {
				t.Errorf("%d parts are replaced though nothing changed", oob)
			}
		}
	}
}

// budget is what a browser may load for a page with everything, in bytes, as it
// travels.
const budget = 60 << 10

// chart begins every drawing of figures.
const chart = `<svg viewBox="0 0 600 160"`

func TestAPageWithEverythingItLoadsIsSmall(t *testing.T) {
	loaded := 0
	for _, name := range []string{"cancale.css", "cancale.js", "htmx.min.js", "favicon.svg"} {
		loaded += assets.Size(name)
	}
	for _, s := range samples() {
		page := render(t, "fr", s)
		total := loaded + len(page)
		if strings.Contains(page, chart) { // drawings shrink to a tenth on their way
			var sent bytes.Buffer
			w := gzip.NewWriter(&sent)
			_, err := w.Write([]byte(page))
			if err = errors.Join(err, w.Close()); err != nil {
				t.Fatal(err)
			}
			total = loaded + sent.Len()
		}
		if total > budget {
			t.Errorf("%s: %d bytes, of which %d for style and scripts", s.name, total, loaded)
		}
	}
	t.Logf("style and scripts: %d bytes", loaded)
}

func TestNothingThatComesFromPeopleIsMarkup(t *testing.T) {
	for _, s := range samples() {
		if s.name == "site-new-refused" {
			text := render(t, "fr", s)
			if strings.Contains(text, "\n<b>") || !strings.Contains(text, "&lt;b&gt;") {
				t.Error("what was typed came back as markup")
			}
		}
	}
}

func TestPreview(t *testing.T) {
	if *preview == "" {
		return // nothing was asked for
	}
	dir := *preview
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	replace := []string{}
	for _, name := range []string{"cancale.css", "cancale.js", "htmx.min.js", "favicon.svg"} {
		data, err := os.ReadFile(filepath.Join("assets", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
		replace = append(replace, assets.Path(name), name)
	}
	local := strings.NewReplacer(replace...)
	for _, lang := range i18n.Languages {
		for _, s := range samples() {
			text := local.Replace(render(t, lang, s))
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s.%s.html", s.name, lang)), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func walk(n *html.Node, visit func(*html.Node)) {
	visit(n)
	for c := range n.ChildNodes() {
		walk(c, visit)
	}
}

func all(n *html.Node, tag string) []*html.Node {
	var list []*html.Node
	walk(n, func(n *html.Node) {
		if n.Type == html.ElementNode && n.Data == tag && n.Namespace == "" {
			list = append(list, n)
		}
	})
	return list
}

func closest(n *html.Node, tag string) *html.Node {
	for ; n != nil; n = n.Parent {
		if n.Data == tag {
			return n
		}
	}
	return nil
}

func lookup(n *html.Node, key string) (string, bool) {
	if n.Type != html.ElementNode {
		return "", false
	}
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val, true
		}
	}
	return "", false
}

func attr(n *html.Node, key string) string {
	value, _ := lookup(n, key)
	return value
}

func words(n *html.Node) string {
	var b strings.Builder
	walk(n, func(n *html.Node) {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
	})
	return b.String()
}

// tagsWritten are the start tags of a text in order; <noscript> is read by a
// parser as text where scripts run, so what it holds is left out.
func tagsWritten(text string) []string {
	var tags []string
	z := html.NewTokenizer(strings.NewReader(text))
	inside := false
	for {
		switch z.Next() {
		case html.ErrorToken:
			return tags
		case html.StartTagToken, html.SelfClosingTagToken:
			name, _ := z.TagName()
			if !inside {
				tags = append(tags, string(name))
			}
			inside = inside || string(name) == "noscript"
		case html.EndTagToken:
			name, _ := z.TagName()
			if string(name) == "noscript" {
				inside = false
			}
		}
	}
}

func tagsFound(doc *html.Node) []string {
	var tags []string
	walk(doc, func(n *html.Node) {
		if n.Type == html.ElementNode && (n.Parent == nil || closest(n.Parent, "noscript") == nil) {
			tags = append(tags, strings.ToLower(n.Data))
		}
	})
	return tags
}

func TestSampleNamesAreUnique(t *testing.T) {
	names := map[string]int{}
	for _, s := range samples() {
		names[s.name]++
	}
	for name := range maps.Keys(names) {
		if names[name] > 1 {
			t.Errorf("%s: %d samples", name, names[name])
		}
	}
}

func TestAListKeepsItsFilters(t *testing.T) {
	l := List{Path: "/sites", Query: map[string][]string{"q": {"forum"}, "state": {"live"}, "page": {"3"}, "sort": {"host"}}, Total: 120, Page: 3, PerPage: 50}
	for _, c := range []struct{ got, want string }{
		{l.PageURL(2), "/sites?page=2&q=forum&sort=host&state=live"},
		{l.SortURL("host"), "/sites?q=forum&sort=-host&state=live"},
		{l.SortURL("php"), "/sites?q=forum&sort=php&state=live"},
		{l.Sorted("host", false), "ascending"},
		{l.Sorted("php", true), ""},
		{fmt.Sprint(l.First(), l.Last(), l.Pages()), "101 120 3"},
		{fmt.Sprint(List{PerPage: 50}.First(), List{PerPage: 50}.Last(), List{PerPage: 50}.Pages()), "0 0 1"},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}
