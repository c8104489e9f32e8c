package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestLogsAndStatisticsInTheBrowser is a visit as its site's webmaster sees it:
// in the log that is searched and followed, in the errors of PHP, and in the
// figures of the day. Visitors send markup; another association knows the number.
func TestLogsAndStatisticsInTheBrowser(t *testing.T) {
	in := newInstallation(t)
	member, id, www := in.withSite(t)
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(www, name)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		uid, gid := ownerOf(t, www)
		if err := os.Chown(file, int(uid), int(gid)); err != nil {
			t.Fatal(err)
		}
	}
	write("maree.html", "<!doctype html><title>La marée</title><h1>Pleine mer à six heures</h1>")
	write("panne.php", `<?php error_log("l'écluse est <b>fermée</b>"); echo "ouvert";`)

	visit := func(page, shows string) {
		t.Helper()
		code, text, err := in.get(t, "souffle.example", page, func(r *http.Request) {
			r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
			r.Header.Set("Referer", "https://moteur.example/?q=maree")
		})
		if err != nil || code != http.StatusOK || !strings.Contains(text, shows) {
			t.Fatalf("%s: %d, %v, %q", page, code, err, text)
		}
	}
	for i := range 3 {
		visit("/maree.html?port="+strconv.Itoa(i), "Pleine mer")
	}
	visit("/panne.php", "ouvert")
	markup := func(r *http.Request) {
		r.Header.Set("User-Agent", "Mozilla/5.0 <script>document.title='pris'</script>")
		r.Header.Set("Referer", "http://x.example/<img src=x onerror=document.title='pris'>")
	}
	if code, _, err := in.get(t, "souffle.example", "/%3Cscript%3Edocument.title=%27pris%27%3C/script%3E", markup); err != nil || code != http.StatusNotFound {
		t.Fatalf("a page that is not there: %d, %v", code, err)
	}

	// The log, searched.
	logs := in.panel + "/sites/" + id + "/logs"
	defer func() {
		if t.Failed() {
			t.Log(in.cancale(t, "site", "logs", "souffle.example"))
		}
	}()
	within(t, browserLimit, "the visits are in the log", func() bool {
		member.visit(logs + "?kind=access&q=maree.html")
		return strings.Count(member.text("#log"), "GET /maree.html?port=") == 3
	})
	if shown := member.text("#log"); strings.Contains(shown, "panne.php") {
		t.Errorf("the search finds another page: %s", shown)
	}
	member.visit(logs + "?kind=access&status=4")
	member.sees("script%3E")
	if title := member.read("the title", chromedp.Title()); title == "pris" {
		t.Error("what a visitor sends is run in the panel")
	}
	member.visit(logs + "?kind=access&q=" + "nulle-part")
	member.sees("Aucune ligne ne correspond")
	member.visit(logs + "?kind=php")
	member.sees("l'écluse est <b>fermée</b>")

	// Followed: what comes appears by itself.
	member.visit(logs + "?kind=access&follow=1")
	member.sees("En direct")
	visit("/maree.html?port=saint-malo", "Pleine mer")
	member.sees("port=saint-malo")

	// The figures of the day: one visitor, and who asks for what is not there is none.
	stats := in.panel + "/sites/" + id + "/stats"
	within(t, browserLimit, "the figures of the day", func() bool {
		member.visit(stats)
		return strings.Contains(member.text("main"), "/maree.html") && strings.Contains(member.text("#pages, [aria-labelledby=pages]"), "4")
	})
	var figures struct {
		Total struct{ Visitors, Pages, Robots int }
		Top   map[string]int `json:"top_pages"`
	}
	in.answer(t, &figures, "site", "stats", "souffle.example", "--json")
	if f := figures; f.Total.Visitors != 1 || f.Total.Pages != 5 || f.Top["/maree.html"] != 4 || f.Top["/panne.php"] != 1 {
		t.Errorf("the figures: %+v", f)
	}
	if title := member.read("the title", chromedp.Title()); title == "pris" {
		t.Error("what a visitor sends is run in the panel")
	}

	// Somebody of another association, who knows the number.
	in.cancale(t, "account", "create", "voisins", "--label", "Les Voisins")
	other := in.invited(t, "eve", "voisins", "owner")
	for _, page := range []string{"logs", "logs?kind=php", "logs/lines?kind=access", "logs/download?kind=access", "stats", "stats/download?period=30"} {
		other.visit(in.panel + "/sites/" + id + "/" + page)
		if body := other.text("body"); strings.Contains(body, "maree") || !strings.Contains(body, "existe pas") {
			t.Errorf("another association sees %s: %s", page, body)
		}
	}
	for _, day := range []string{"../../../etc/passwd", "2026-01-01/../..", "%00", strconv.Itoa(1 << 40)} {
		member.visit(logs + "/download?kind=access&day=" + day)
		if body := member.text("body"); strings.Contains(body, "root:") {
			t.Errorf("a day that is a path: %s", body)
		}
	}
}
