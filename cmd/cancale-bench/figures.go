package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/PuerkitoBio/goquery"
	"golang.org/x/sys/unix"
)

// measureUp times a start with nothing missing.
func (in *installation) measureUp(ctx context.Context) error {
	if err := in.stop(); err != nil {
		return err
	}
	start := time.Now()
	if err := in.start(ctx); err != nil {
		return err
	}
	report("start when nothing is missing, until ready", "%s (reach ≤ 5 s)", ms(time.Since(start)))
	return nil
}

// grow creates sites through the command line's bulk path until there are n.
func (in *installation) grow(ctx context.Context, n int, say bool) error {
	missing := n - in.created
	if missing <= 0 {
		return nil
	}
	start := time.Now()
	if err := in.createSites(ctx, missing); err != nil {
		return err
	}
	for {
		if err := in.refresh(ctx); err != nil {
			return err
		}
		if in.status.Sites.Live >= n {
			break
		}
		if in.status.Sites.Failed > 0 && time.Since(start) > 5*time.Minute {
			return fmt.Errorf("%d sites failed", in.status.Sites.Failed)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	took := time.Since(start)
	if say && missing >= 500 {
		report(fmt.Sprintf("%d sites created in one go, until all are live", missing), "%.1f s (reach ≤ 60 s for 1,000)", took.Seconds())
	}
	return nil
}

// liveRounds is how often a site is created at each size; odd, for a median.
const liveRounds = 7

// measureLive times `site create --wait` until Apache's first right answer,
// turn by turn with the floor: a virtual host of the same form put beside the
// others by hand, a graceful restart, the first answer.
func (in *installation) measureLive(ctx context.Context, n int) error {
	var ours, floor []time.Duration
	for round := range liveRounds {
		host := fmt.Sprintf("live-%d-%d.example", n, round)
		start := time.Now()
		if _, err := in.cancale(ctx, "", "site", "create", host, "--account", in.account, "--wait", "--json"); err != nil {
			return err
		}
		if err := in.until(ctx, host, "/", func(code int, _ string) bool { return code == http.StatusOK }); err != nil {
			return err
		}
		ours = append(ours, time.Since(start))
		in.created++

		bare, err := in.bareVhost(ctx, host, fmt.Sprintf("bare-%d-%d.example", n, round))
		if err != nil {
			return err
		}
		floor = append(floor, bare)
	}
	o, f := median(ours), median(floor)
	report(fmt.Sprintf("site asked for → first right answer, %d sites", n), "%s; bare Apache %s; ratio %.2f (reach ≤ 1.5, ≤ 150 ms at 10)", ms(o), ms(f), float64(o)/float64(f))
	return nil
}

// bareVhost copies the virtual host of a site under another name, makes Apache
// restart gracefully and times the first answer. The copy goes again.
func (in *installation) bareVhost(ctx context.Context, site, host string) (time.Duration, error) {
	text, err := in.vhost(site)
	if err != nil {
		return 0, err
	}
	file := in.layout.In("apache", "sites", "bench.conf")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, site, host)), 0o600); err != nil {
		return 0, err
	}
	defer os.Remove(file)
	start := time.Now()
	if err := syscall.Kill(in.pid("apache"), syscall.SIGUSR1); err != nil {
		return 0, fmt.Errorf("signal apache: %w", err)
	}
	err = in.until(ctx, host, "/", func(code int, _ string) bool { return code == http.StatusOK })
	return time.Since(start), err
}

// daemons are the processes of ours whose memory is promised.
var daemons = []string{"panel", "agent", "ftpd"}

// measureMemory adds the proportional set sizes of our own processes.
func (in *installation) measureMemory(n int) error {
	total := 0
	var parts []string
	for _, name := range append([]string{"supervisor"}, daemons...) {
		pid := in.pid(name)
		if name == "supervisor" {
			pid = in.up.Process.Pid
		}
		kb, err := pss(pid)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		total += kb
		parts = append(parts, fmt.Sprintf("%s %d", name, kb/1024))
	}
	report(fmt.Sprintf("memory of ours with %d sites asleep", n), "%d MB PSS (%s; reach ≤ 120 MB at 1,000)", total/1024, strings.Join(parts, ", "))
	return nil
}

// pss reads the proportional set size of a process, in KiB (proc(5)).
func pss(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
			return strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
		}
	}
	return 0, fmt.Errorf("process %d: no Pss", pid)
}

const (
	benchEmail    = "bench@asso.example"
	benchPassword = "une-marée-bien-assez-longue"
	pageRequests  = 500
)

// measurePanel signs in as an administrator and times a page of the list of
// all sites and the page of one, with the panel held to one core.
func (in *installation) measurePanel(ctx context.Context, n int) error {
	if n < 1000 {
		return nil
	}
	if _, err := in.cancale(ctx, benchPassword+"\n", "person", "create", fmt.Sprintf("%d.%s", n, benchEmail), "--role", "administrator", "--password-stdin"); err != nil {
		return err
	}
	if err := pinToOneCore(in.pid("panel")); err != nil {
		return err
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	browser := &http.Client{Jar: jar, Timeout: 30 * time.Second}
	if err := signIn(ctx, browser, in.status.PanelURL, fmt.Sprintf("%d.%s", n, benchEmail)); err != nil {
		return err
	}
	list := in.status.PanelURL + "/admin/sites?page=%d"
	first, err := fetch(ctx, browser, fmt.Sprintf(list, 1))
	if err != nil {
		return err
	}
	weight, err := pageWeight(ctx, browser, in.status.PanelURL, fmt.Sprintf(list, 1), first)
	if err != nil {
		return err
	}
	var times []time.Duration
	for i := range pageRequests {
		start := time.Now()
		if _, err := fetch(ctx, browser, fmt.Sprintf(list, 1+i%(n/50))); err != nil {
			return err
		}
		times = append(times, time.Since(start))
	}
	report(fmt.Sprintf("a page of the list of %d sites, one core", n), "p50 %s, p99 %s (reach p99 ≤ 50 ms); %d KB with everything (≤ 60)", ms(median(times)), ms(quantile(times, 0.99)), weight/1024)
	var page string
	first.Find("main tbody a[href^='/sites/']").EachWithBreak(func(_ int, a *goquery.Selection) bool {
		page, _ = a.Attr("href")
		return false
	})
	if page == "" {
		return errors.New("no link to a site in the list of all sites")
	}
	times = times[:0]
	for range pageRequests {
		start := time.Now()
		if _, err := fetch(ctx, browser, in.status.PanelURL+page); err != nil {
			return err
		}
		times = append(times, time.Since(start))
	}
	report("the page of one site, one core", "p50 %s, p99 %s (reach p99 ≤ 50 ms)", ms(median(times)), ms(quantile(times, 0.99)))
	return nil
}

// pinToOneCore keeps every thread of a process on the first core.
func pinToOneCore(pid int) error {
	var one unix.CPUSet
	one.Set(0)
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return err
	}
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(tid, &one); err != nil {
			return fmt.Errorf("pin thread %d: %w", tid, err)
		}
	}
	return nil
}

// signIn fills in the sign-in form as a browser does.
func signIn(ctx context.Context, browser *http.Client, panel, email string) error {
	form, err := fetch(ctx, browser, panel+"/signin")
	if err != nil {
		return err
	}
	values := url.Values{}
	form.Find("main form input").Each(func(_ int, input *goquery.Selection) {
		if name, ok := input.Attr("name"); ok {
			values.Set(name, input.AttrOr("value", ""))
		}
	})
	values.Set("email", email)
	values.Set("password", benchPassword)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, panel+"/signin", strings.NewReader(values.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", panel)
	resp, err := browser.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || strings.HasSuffix(resp.Request.URL.Path, "/signin") {
		return fmt.Errorf("sign-in: %s at %s", resp.Status, resp.Request.URL)
	}
	return nil
}

// fetch gets a page that must be there.
func fetch(ctx context.Context, browser *http.Client, address string) (*goquery.Document, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := browser.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", address, resp.Status)
	}
	return goquery.NewDocumentFromReader(resp.Body)
}

// pageWeight is what a browser that has nothing yet receives for a page, in
// bytes on the wire.
func pageWeight(ctx context.Context, browser *http.Client, panel, first string, page *goquery.Document) (int, error) {
	addresses := []string{first}
	page.Find("link[rel=stylesheet], link[rel=icon], script[src], img[src]").Each(func(_ int, s *goquery.Selection) {
		for _, attr := range []string{"href", "src"} {
			if v, ok := s.Attr(attr); ok {
				addresses = append(addresses, panel+v)
			}
		}
	})
	total := 0
	for _, address := range addresses {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return 0, err
		}
		req.Header.Set("Accept-Encoding", "gzip") // set by hand, so that the bytes stay as they came
		resp, err := browser.Do(req)
		if err != nil {
			return 0, err
		}
		n, err := io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err != nil {
			return 0, err
		}
		total += int(n)
	}
	return total, nil
}
