package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestDatabaseInTheBrowser is a database from its making to a copy of it, by a
// member whose files have errors, and somebody of another association.
func TestDatabaseInTheBrowser(t *testing.T) {
	in := newInstallation(t)
	member, _, _ := in.withSite(t)
	member.visit(in.panel + "/databases/new")
	member.fill("name", "<b>blog</b>")
	member.send("/databases/new")
	member.sees("Ce nom ne convient pas")
	if strings.Contains(member.html(), "<b>blog") {
		t.Error("a name that is markup is markup")
	}
	member.fill("name", "blog")
	member.send("/databases/new")
	first := member.text(".secret code")
	member.sees("Disponible")
	base, _, _ := strings.Cut(member.read("the address", chromedp.Location()), "?")
	as := func(user, password, statement string) string {
		return in.sql(t, user, password, "USE souffle_blog; "+statement)
	}

	// A file with an error on its third line, then the right one.
	dir := t.TempDir()
	send := func(name, text string) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		member.visit(base + "/import")
		member.choose("#vider")
		member.run("choose the file", chromedp.SetUploadFiles(chromedp.CSS("input[type=file]"), []string{file}))
		member.send(strings.TrimPrefix(base, in.panel) + "/import")
	}
	send("faux <b>.sql", "CREATE TABLE articles (id INT PRIMARY KEY, titre TEXT);\nINSERT INTO articles VALUES (1, 'avant');\nINSERT INTO nulle_part VALUES (2);\n")
	member.sees("ligne 3")
	member.sees("faux <b>.sql")
	send("juste.sql", "CREATE TABLE articles (id INT PRIMARY KEY, titre TEXT);\nINSERT INTO articles VALUES (1, 'une huître'), (2, '<b>plate</b>');\n")
	member.sees("Tout le fichier est importé")
	if got := as("souffle_blog", first, "SELECT GROUP_CONCAT(titre ORDER BY id) FROM articles"); got != "une huître,<b>plate</b>" {
		t.Errorf("imported: %s", got)
	}

	// The copy is what the browser gets.
	member.visit(base)
	packed, err := base64.StdEncoding.DecodeString(member.read("the copy", chromedp.Evaluate[string](`(() => {
		const form = document.querySelector("form[action$='/export']"), ask = new XMLHttpRequest()
		ask.open("POST", form.action, false)
		ask.overrideMimeType("text/plain; charset=x-user-defined")
		ask.send(new URLSearchParams(new FormData(form)))
		return btoa(Array.from(ask.responseText, c => String.fromCharCode(c.charCodeAt(0) & 255)).join(""))
	})()`)))
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(unpacked); err != nil || !strings.Contains(string(text), "CREATE TABLE `articles`") || !strings.Contains(string(text), "une huître") {
		t.Errorf("the copy: %v\n%.2000s", err, text)
	}

	// A user more, who only reads.
	member.visit(base + "/users")
	member.fill("name", "stats")
	member.choose("input[name=rights][value=read]")
	member.send(strings.TrimPrefix(base, in.panel) + "/users")
	reads := member.text(".conn > div:last-child code")
	within(t, browserLimit, "the user signs in", func() bool {
		return as("souffle_stats", reads, "SELECT titre FROM articles WHERE id = 1") == "une huître"
	})
	for _, statement := range []string{"INSERT INTO articles VALUES (3, 'x')", "DROP TABLE articles", "CREATE TABLE autre (a INT)", "SELECT * FROM mysql.global_priv"} {
		if got := as("souffle_stats", reads, statement); !strings.Contains(got, "denied") {
			t.Errorf("who only reads can: %s: %s", statement, got)
		}
	}

	member.visit(base + "/works")
	member.click("main form[action$='/check'] [type=submit]")
	member.sees("Toutes sont en bon état")

	// Another password.
	member.visit(base)
	member.choose("[href='#dlg-password']")
	member.click("form[action$='/password'] [type=submit]")
	second := member.text(".secret code")
	within(t, browserLimit, "the new password", func() bool { return as("souffle_blog", second, "SELECT 1") == "1" })
	if got := as("souffle_blog", first, "SELECT 1"); !strings.Contains(got, "denied") {
		t.Errorf("the old password: %s", got)
	}

	// The owner of another association knows the number.
	in.cancale(t, "account", "create", "autre", "--label", "Autre")
	var invited struct {
		URL string `json:"invitation_url"`
	}
	if err := json.Unmarshal([]byte(in.cancale(t, "person", "create", "eve@autre.example", "--account", "autre", "--as", "owner", "--json")), &invited); err != nil {
		t.Fatal(err)
	}
	other := newPerson(t)
	other.visit(invited.URL)
	other.fill("name", "Ève")
	other.fill("password", "un-bol-de-cidre-doux")
	other.send("/invitation/")
	for _, page := range []string{"", "/works", "/users", "/import", "/status"} {
		other.visit(base + page)
		if body := other.text("body"); strings.Contains(body, "souffle") || !strings.Contains(body, "existe pas") {
			t.Errorf("another association sees %s: %s", page, body)
		}
	}
	for _, act := range []string{"/password", "/export", "/adminer", "/adminer/close", "/check", "/delete", "/users"} {
		other.visit(in.panel + "/databases/new")
		other.read("the form", chromedp.Evaluate[string](fmt.Sprintf("(document.querySelector(\"form[action='/databases/new']\").action = %q)", base+act)))
		other.run("a name", chromedp.SendKeys(chromedp.CSS("[name=name]"), "x"))
		other.click(fmt.Sprintf("form[action=%q] [type=submit]", base+act))
		if body := other.text("body"); strings.Contains(body, "souffle") || !strings.Contains(body, "existe pas") {
			t.Errorf("another association sends %s: %s", act, body)
		}
	}
	if got := as("souffle_blog", second, "SELECT COUNT(*) FROM articles"); got != "2" {
		t.Errorf("after that: %s", got)
	}
}
