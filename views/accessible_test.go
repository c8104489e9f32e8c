package views

import (
	"context"
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

var only = flag.String("only", "", "look only at pages whose name holds this")

var screenshots = flag.String("screenshots", "", "write a picture of every page into this directory, in both themes and at both widths")

// axe-core 4.14.1, as published; it judges a page by the rules of WCAG that a
// program can judge.
//
//go:embed testdata/axe/axe.min.js
var axe string

// judge answers how many things on a page are right by some rules, and what is
// wrong, as JSON.
const judge = `axe.run(document, {%s, resultTypes: ["violations"], iframes: false, preload: false}).then(r => JSON.stringify({
	Right: r.passes.length, Wrong: r.violations.map(v => ({
		Rule: v.id, Help: v.help, Nodes: v.nodes.map(n => n.html.slice(0, 200) + " " + n.failureSummary.replace(/\s+/g, " ")),
	})),
}))`

// A theme changes colours and nothing else, so the second one is judged by the
// rules about colours.
var (
	allRules    = fmt.Sprintf(judge, `runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], rules: {"target-size": {enabled: true}}`)
	colourRules = fmt.Sprintf(judge, `runOnly: {type: "rule", values: ["color-contrast", "link-in-text-block"]}`)
)

// overflow names what makes a page wider than the screen, "" when nothing does.
const overflow = `(() => {
	const wide = document.documentElement.scrollWidth, screen = document.documentElement.clientWidth;
	if (wide <= screen) return "";
	const guilty = [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > screen + .5);
	return wide + " px instead of " + screen + ": " + guilty.slice(-3).map(e => e.outerHTML.slice(0, 120)).join(" | ");
})()`

// squeezed names a table that does not take the width of its card, "" when all
// do: what surrounds it must not shrink around it.
const squeezed = `(() => {
	for (const table of document.querySelectorAll(".card--flush .table-box")) {
		const card = table.closest(".card--flush"), has = table.getBoundingClientRect().width, may = card.clientWidth;
		if (has > 0 && has < may * .9) return Math.round(has) + " px of " + may + ": " + table.outerHTML.slice(0, 120);
	}
	return "";
})()`

// visitorPages are what visitors of hosted sites see; internal/pages holds
// them to these files.
const visitorPages = "../internal/pages/testdata"

// TestEveryPageIsAccessible looks at every page in a browser, in both languages
// and both themes, on a desk and on the narrowest telephone, where all that unfolds is unfolded.
func TestEveryPageIsAccessible(t *testing.T) {
	handler := http.NewServeMux()
	handler.Handle("/", &stage{})
	handler.Handle("/visitor/", http.StripPrefix("/visitor", http.FileServer(http.Dir(visitorPages))))
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)

	names := visitorFiles(t)
	for _, s := range samples() {
		if !s.bare {
			names = append(names, s.name)
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.Contains(name, *only) })
	first := browser(t, 12*time.Minute)
	do(t, first) // starts it; the other tabs are of the same browser
	work := make(chan string)
	var tabs sync.WaitGroup
	for range 2 {
		tabs.Go(func() {
			ctx, cancel := chromedp.NewContext(first)
			defer cancel()
			if err := chromedp.Do(ctx, call(page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: axe})); err != nil {
				t.Error(err)
			}
			for name := range work {
				t.Run(name, func(t *testing.T) { look(t, ctx, server.URL, name) })
			}
		})
	}
	for _, name := range names {
		work <- name
	}
	close(work)
	tabs.Wait()

	ctx := first
	do(t, ctx, call(page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: axe}))
	t.Run("what covers a page", func(t *testing.T) {
		do(t, ctx, chromedp.Navigate(server.URL+"/site-live"))
		for what, open := range map[string]string{
			"the menu":         `document.querySelector("#menu").showPopover()`,
			"the associations": `document.querySelector(".switch").open = true`,
			"the person":       `document.querySelector(".topbar__end").open = true`,
			"a dialogue":       `document.querySelector("#dlg-suspend").showModal()`,
		} {
			for _, theme := range []string{"light", "dark"} {
				do(t, ctx, prefers("light"))
				ask(t, ctx, fmt.Sprintf(`(document.documentElement.dataset.theme = %q, %s, "")`, theme, open))
				tell(t, what+", "+theme, ask(t, ctx, allRules))
				if wide := ask(t, ctx, overflow); wide != "" {
					t.Errorf("with %s the page is %s", what, wide)
				}
				do(t, ctx, chromedp.Navigate(server.URL+"/site-live"))
			}
		}
	})
}

// look judges one page on both screens, in both themes. In English it has the
// same colours and the same parts with other words, so that one judgement is
// enough, where there is the least room.
func look(t *testing.T, ctx context.Context, server, name string) {
	t.Helper()
	const desk, telephone = 1280, 320
	for _, language := range []string{"fr", "en"} {
		do(t, ctx, chromedp.Navigate(server+"/"+name+"?lang="+language))
		for _, width := range []int64{desk, telephone} {
			do(t, ctx, chromedp.EmulateViewport(width, 700))
			if wide := ask(t, ctx, overflow); wide != "" {
				t.Errorf("%s, at %d px the page is %s", language, width, wide)
			}
			if narrow := ask(t, ctx, squeezed); narrow != "" {
				t.Errorf("%s, at %d px a table has %s", language, width, narrow)
			}
			if *screenshots == "" && width == telephone {
				ask(t, ctx, `(document.querySelectorAll("details:not(.menu)").forEach(d => d.open = true), "")`)
			}
			for theme, rules := range map[string]string{"light": allRules, "dark": colourRules} {
				switch {
				case *screenshots != "" && language == "fr":
					do(t, ctx, prefers(theme))
					shoot(t, ctx, fmt.Sprintf("%s-%d-%s.png", strings.ReplaceAll(name, "/", "-"), width, theme))
				case *screenshots == "" && (language == "fr" || width == telephone && theme == "light"):
					do(t, ctx, prefers(theme))
					top(t, ctx)
					tell(t, fmt.Sprintf("%s, %d px, %s", language, width, theme), ask(t, ctx, rules))
				}
			}
		}
	}
}

func visitorFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(visitorPages, "*.html"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no pages for visitors in %s: %v", visitorPages, err)
	}
	var names []string
	for _, file := range files {
		names = append(names, "visitor/"+filepath.Base(file))
	}
	return names
}

// tell fails the test for what axe found.
func tell(t *testing.T, where, found string) {
	t.Helper()
	var judgement struct {
		Right int
		Wrong []struct {
			Rule, Help string
			Nodes      []string
		}
	}
	if err := json.Unmarshal([]byte(found), &judgement); err != nil || judgement.Right == 0 {
		t.Fatalf("%s: nothing was judged: %v in %q", where, err, found)
	}
	for _, v := range judgement.Wrong {
		t.Errorf("%s: %s (%s):\n%s", where, v.Rule, v.Help, strings.Join(v.Nodes, "\n"))
	}
}

// top undoes that a page which came back scrolled to what was refused: the bar
// that stays at the top would cover what is judged.
func top(t *testing.T, ctx context.Context) {
	t.Helper()
	ask(t, ctx, `(scrollTo(0, 0), "")`)
}

func shoot(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	top(t, ctx)
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(*screenshots, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*screenshots, name), picture, 0o644); err != nil {
		t.Fatal(err)
	}
}

// prefers sets what the person's machine asks for: a theme, and that nothing
// moves, so that a picture and a judgement are of the page at rest.
func prefers(theme string) chromedp.Action[chromedp.Void] {
	return call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// call is one command of the browser's protocol that answers nothing of use.
func call[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, command, params)
		return err
	})
}

func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

func ask(t *testing.T, ctx context.Context, expression string) string {
	t.Helper()
	answer, err := chromedp.Run(ctx, chromedp.Evaluate[string](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%.60s: %v", expression, err)
	}
	return answer
}
