package panel

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cancale/internal/sitelog"
	"cancale/internal/store"
	"cancale/internal/traffic"
)

// visited has some records pass through the splitter, as Apache writes them.
func (w *world) visited(records ...string) {
	w.t.Helper()
	l := w.srv.conf.Layout
	names := l.In("log", "names")
	for _, dir := range []string{names, l.In("log", "sites")} {
		w.must(os.MkdirAll(dir, 0o700))
	}
	if link := l.SiteLogName(string(w.site.Host)); os.Symlink("../sites/"+number(w.site.ID), link) != nil {
		if _, err := os.Readlink(link); err != nil {
			w.t.Fatal(err)
		}
	}
	var stream strings.Builder
	for _, r := range records {
		fmt.Fprintf(&stream, "\x1e%s\n", r)
	}
	w.must(sitelog.Run(w.t.Context(), strings.NewReader(stream.String()), l))
}

func TestLogsOfASite(t *testing.T) {
	w := newWorld(t)
	host := string(w.site.Host)
	access := func(status int, what string) string {
		return fmt.Sprintf(`A %s 192.0.2.77 - - [22/Nov/2026:22:04:22 +0000] "%s" %d 1234 "-" "<b>agent</b>" 2500000`, host, what, status)
	}
	w.visited(
		access(200, "GET /hello HTTP/1.1"),
		access(404, "GET /<script>alert(1)</script> HTTP/1.1"),
		access(500, "GET /\x1b[31m\x00\xe2\x80\xae HTTP/1.1"),
		access(200, "GET /long/"+strings.Repeat("x", 1<<20)),
		access(403, `GET /] \"GET /forged HTTP/1.1\" 200 [01/Jan/2000:00:00:00 +0000]`),
		"E "+host+" [2026-11-22 22:04:22.123456] [core:error] [pid 4] [client 192.0.2.77:4711] AH00128: File does not exist: "+w.srv.conf.Layout.Root+"/t/"+string(w.site.HomeToken)+"/www/none in "+w.srv.conf.Layout.Root+"/pages/x",
	)
	j := w.files()
	w.file(j, "tmp/php_errors.log", "[22-Nov-2026 22:04:22 UTC] PHP Warning:  <i>no</i> \x1b[31m in /srv/site/www/index.php on line 3\n")
	o, page := w.as(owner), "/sites/"+number(w.site.ID)+"/logs"

	p := o.get(page)
	for _, bad := range []string{"<script>alert", "\x1b", "\x00", "\u202e", "<b>agent", strings.Repeat("x", 5000)} {
		if strings.Contains(p.body, bad) {
			t.Errorf("the page holds %.20q", bad)
		}
	}
	for _, good := range []string{"/hello", "&lt;script&gt;alert(1)", `\x1b[31m`, "192.0.2.77", "2,5"} {
		if !strings.Contains(p.body, good) {
			t.Errorf("the page does not hold %q", good)
		}
	}
	if strings.Contains(p.body, "2000-01-01") {
		t.Error("a visitor has set the time of a line")
	}
	for query, want := range map[string]string{"q=HELLO": "/hello", "status=5": `\x1b[31m`, "path=/hel": "/hello", "status=4&q=alert": "&lt;script&gt;"} {
		if p := o.get(page + "?" + query); p.status != http.StatusOK || !strings.Contains(p.body, want) || strings.Contains(p.body, "/long/") {
			t.Errorf("%s: %d, %v", query, p.status, strings.Contains(p.body, want))
		}
	}
	p = o.get(page + "?kind=error")
	if !strings.Contains(p.body, "www/none") || strings.Contains(p.body, string(w.site.HomeToken)) || strings.Contains(p.body, w.srv.conf.Layout.Root) || strings.Contains(p.body, "/srv/site") {
		t.Errorf("errors: %s", p.text("#log"))
	}
	p = o.get(page + "?kind=php")
	if !strings.Contains(p.body, "www/index.php on line 3") || strings.Contains(p.body, "/srv/site") || strings.Contains(p.body, "<i>no") || strings.Contains(p.body, "\x1b") {
		t.Errorf("PHP: %s", p.text("#log"))
	}
	for _, path := range []string{"?kind=../../etc", "?kind=access.log", "?day=../../x", "?day=2026-1-1", "/download?kind=access&day=../x", "/download?kind=php/..&day=2026-11-22", "/download?day=2001-01-01"} {
		if p := o.get(page + path); p.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, p.status)
		}
	}
	if p := o.get(page + "?before=../../x:5"); p.status != http.StatusOK {
		t.Errorf("a place that is none: %d", p.status)
	}

	t.Run("nothing new is nothing", func(t *testing.T) {
		p := o.get(page + "?follow=1")
		_, at, _ := strings.Cut(p.body, `hx-get="`)
		at, _, _ = strings.Cut(at, `"`)
		at = strings.ReplaceAll(at, "&amp;", "&")
		if p := o.get(at); p.status != http.StatusNoContent {
			t.Errorf("%s: %d", at, p.status)
		}
		w.visited(access(200, "GET /news HTTP/1.1"))
		if p := o.get(at); p.status != http.StatusOK || !strings.Contains(p.body, "/news") {
			t.Errorf("%s: %d", at, p.status)
		}
	})
	t.Run("a day is downloaded", func(t *testing.T) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+page+"/download?kind=access&day="+time.Now().Format(time.DateOnly), nil)
		w.must(err)
		p := o.do(req)
		r, err := gzip.NewReader(strings.NewReader(p.body))
		w.must(err)
		text, err := io.ReadAll(r)
		if err != nil || !strings.Contains(string(text), "GET /hello HTTP/1.1") {
			t.Errorf("%d bytes, %v", len(text), err)
		}
	})
	t.Run("a link in the place of PHP's log leads nowhere", func(t *testing.T) {
		secret := filepath.Join(t.TempDir(), "secret")
		w.must(os.WriteFile(secret, []byte("the secret"), 0o644))
		log := filepath.Join(w.srv.conf.Layout.Home(string(w.site.HomeToken)), "tmp", "php_errors.log")
		w.must(os.Remove(log))
		w.must(os.Symlink(secret, log))
		if p := o.get(page + "?kind=php"); p.status != http.StatusOK || strings.Contains(p.body, "the secret") {
			t.Errorf("%d: %s", p.status, p.text("#log"))
		}
	})
}

func TestStatisticsOfASite(t *testing.T) {
	w := newWorld(t)
	today := time.Now().Format(time.DateOnly)
	w.must(w.node.AddTraffic(t.Context(), nil, map[store.SiteDay]traffic.Day{{Site: w.site.ID, Day: today}: {
		Hits: 1234, Pages: 77, Robots: 5, Bytes: 5 << 20, Status: map[int]int64{200: 1200, 404: 34},
		Names: traffic.Names{
			Top: map[string]int64{"/<script>alert(1)</script>\x1b": 3}, Missing: map[string]int64{"/none": 34},
			Referrers: map[string]int64{"search.example": 9}, Slow: map[string]traffic.Slow{"/slow.php": {N: 2, Took: 5000, Worst: 4000}},
		},
	}}))
	o, page := w.as(owner), "/sites/"+number(w.site.ID)+"/stats"
	for _, period := range []string{"", "?period=7", "?period=12", "?period=../x"} {
		p := o.get(page + period)
		if p.status != http.StatusOK || strings.Contains(p.body, "<script>alert") || strings.Contains(p.body, "\x1b") {
			t.Errorf("%s: %d", period, p.status)
		}
		for _, good := range []string{"1\u202f234", "77", "search.example", "/slow.php", "/none", `role="img"`, "&lt;script&gt;"} {
			if !strings.Contains(p.body, good) {
				t.Errorf("%s: no %q", period, good)
			}
		}
	}
	home := o.get("/")
	if got := home.text("section[aria-labelledby=trafic]"); !strings.Contains(got, "5 Mo") || !strings.Contains(got, "77 pages vues") || home.doc.Find("section[aria-labelledby=trafic] svg[role=img]").Length() != 1 {
		t.Errorf("the home: %q", got)
	}
	if p := w.as(stranger).get("/"); p.status != http.StatusOK || p.doc.Find("section[aria-labelledby=trafic]").Length() != 0 {
		t.Errorf("the home of another association: %d %q", p.status, p.text("section[aria-labelledby=trafic]"))
	}
	p := o.get(page + "/download?period=7")
	if lines := strings.Count(p.body, "\r\n"); p.status != http.StatusOK || lines != 8 || !strings.Contains(p.body, today+";0;77;1234;5;") {
		t.Errorf("%d: %s", p.status, p.body)
	}
}
