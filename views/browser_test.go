package views

import (
	"cmp"
	"context"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/views/assets"
)

// policy is as strict as the panel's own.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; report-uri /violation"

// stage serves the samples, a site that becomes live at the third question, and
// what the browser refused because of the policy.
type stage struct {
	mu         sync.Mutex
	asked      int
	violations []string
}

func (s *stage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := i18n.WithLang(r.Context(), cmp.Or(r.URL.Query().Get("lang"), "fr"))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", policy)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case r.URL.Path == "/violation":
		var report strings.Builder
		_ = r.Write(&report)
		s.violations = append(s.violations, report.String())
	case strings.HasPrefix(r.URL.Path, assets.Prefix):
		w.Header().Del("Content-Type")
		assets.Handler().ServeHTTP(w, r)
	case strings.HasSuffix(r.URL.Path, "/status"):
		s.asked++
		site := hosting.Site{ID: 4, Host: "forum.example", PHP: "8.2", Sync: hosting.Sync{Generation: 1, State: hosting.Applying}}
		if s.asked > 2 {
			site.Sync.State, site.Sync.Observed, site.Sync.ChangedAt = hosting.Live, 1, now
		}
		_ = SiteStatus(SiteParams{Site: site, URL: "http://forum.example/", Now: now, Seen: r.URL.Query().Get("seen")}).Render(ctx, w)
	case r.URL.Path == "/sites/check":
		_ = HostCheck(HostCheckParams{Host: hosting.Hostname(r.URL.Query().Get("host"))}).Render(ctx, w)
	default:
		for _, sample := range samples() {
			if "/"+sample.name == r.URL.Path {
				_ = sample.page.Render(ctx, w)
				return
			}
		}
		http.NotFound(w, r)
	}
}

// browser is a headless Chromium with an empty profile.  It ends after limit.
func browser(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is missing: apt-get install chromium")
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("lang", "fr"), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-sync", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-background-networking", true),
	}
	ctx, stop := context.WithTimeout(context.Background(), limit)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	return ctx
}

func TestScriptsAddComfortUnderTheStrictPolicy(t *testing.T) {
	s := &stage{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	ctx := browser(t, time.Minute)

	open := func(name string) {
		t.Helper()
		if err := chromedp.Do(ctx, chromedp.Navigate(server.URL+"/"+name)); err != nil {
			t.Fatal(err)
		}
	}
	run := func(script string) {
		t.Helper()
		if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`(() => {`+script+`; return true})()`)); err != nil {
			t.Fatalf("%s: %v", script, err)
		}
	}
	until := func(what, expression string) {
		t.Helper()
		for deadline := time.Now().Add(15 * time.Second); ; {
			ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if ok {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s never happened", what)
			}
			if err := chromedp.Do(ctx, chromedp.Sleep(50*time.Millisecond)); err != nil {
				t.Fatal(err)
			}
		}
	}

	open("site-applying")
	until("the site is live by itself", `document.querySelector("#site-state").textContent.includes("En ligne")`)
	until("there is one headline, in its place", `document.querySelectorAll("#site-state").length == 1 && document.querySelector(".page-head #site-state [role=status]")`)
	until("the button to open it is there", `document.querySelector("#site-actions a.btn--primary")`)
	until("nothing asks any more", `!document.querySelector("[hx-trigger]")`)

	open("site-new")
	run(`const i = document.querySelector("#host"); i.value = "asso.example"; i.dispatchEvent(new Event("input", {bubbles: true}))`)
	until("a host name is checked while it is typed", `document.querySelector("#host-check .good")?.textContent.includes("asso.example")`)

	open("site-new-refused")
	until("the summary of a refused form has the focus", `document.activeElement.matches(".errors")`)

	open("site-live")
	run(`document.querySelector("[data-dialog]").click()`)
	until("a dialogue opens", `document.querySelector("#dlg-suspend").matches(":modal")`)
	run(`document.querySelector("#dlg-suspend [data-close]").click()`)
	until("and closes", `!document.querySelector("#dlg-suspend").open`)
	run(`document.querySelector(".switch summary").click()`)
	until("a menu opens", `document.querySelector("details.switch").open`)
	run(`document.querySelector("main").click()`)
	until("and closes with a click elsewhere", `!document.querySelector("details.switch").open`)

	open("profile")
	run(`document.querySelector("[data-generate]").click()`)
	until("a password is proposed, and judged", `document.querySelector("#password").value.length == 23 && document.querySelector("#password-s output").textContent == "Solide"`)
	run(`document.querySelector("[data-show][aria-controls=old]").click()`)
	until("a password is shown on demand", `document.querySelector("#old").type == "text"`)

	open("database-created")
	if err := chromedp.Do(ctx, chromedp.Click(chromedp.CSS(".secret [data-copy]"))); err != nil {
		t.Fatal(err)
	}
	until("a secret is copied", `document.querySelector(".secret [data-label]").textContent == "Copié"`)

	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.violations) > 0 {
		t.Errorf("the policy was broken %d times, first: %s", len(s.violations), s.violations[0])
	}
}
