package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	client "github.com/jlaffaye/ftp"
)

// TestFTPInTheBrowser is a member who makes an FTP account, tries it from its
// page, watches a program at work and ends its session, looks a transfer up,
// and locks the account; the association next door sees and ends nothing of it.
func TestFTPInTheBrowser(t *testing.T) {
	in := newInstallation(t)
	_, _, www := in.withSite(t)
	in.cancale(t, "account", "create", "voisins", "--label", "Les Voisins")
	member, other := in.invited(t, "soizic", "souffle", "owner"), in.invited(t, "eve", "voisins", "owner")

	member.visit(in.panel + "/ftp/new")
	member.fill("login", "web")
	member.send("/ftp/new")
	member.sees("web@souffle")
	password := member.text(".secret code")
	// Shown once: its page is another.
	member.visit(in.panel + "/ftp")
	member.click("main table a[href^='/ftp/']")
	page := strings.TrimPrefix(member.read("the address", chromedp.Location()), in.panel)
	if strings.Contains(member.html(), password) {
		t.Error("the password is shown a second time")
	}

	// The panel signs in to its own service, with the password and without.
	member.visit(in.panel + page + "/check")
	member.fill("password", password)
	member.send(page + "/check")
	member.sees("est accepté")
	member.sees("Un petit fichier a été envoyé, puis supprimé")
	member.fill("password", "pas-le-bon-mot-de-passe")
	member.send(page + "/check")
	if shown := member.text("#resultat, [aria-labelledby=resultat]"); strings.Contains(shown, "est accepté") || strings.Contains(shown, "a été envoyé") {
		t.Errorf("a wrong password works: %s", shown)
	}

	// A program at work, with a name that is markup.
	c, err := client.Dial(fmt.Sprintf("127.0.0.1:%d", in.ftpPort), client.DialWithTimeout(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Login("web@souffle", password); err != nil {
		t.Fatal(err)
	}
	const name = "<b>bal.html"
	if err := c.Stor("www/"+name, strings.NewReader("Bal des marins")); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(www, name)); err != nil || string(got) != "Bal des marins" {
		t.Errorf("the file: %q, %v", got, err)
	}
	member.visit(in.panel + "/ftp/sessions")
	member.sees("web@souffle")
	end := member.read("the form", chromedp.Evaluate[string]("document.querySelector(\"main form[action$='/end']\").getAttribute('action')"))
	if !regexp.MustCompile(`^/ftp/sessions/[^/]+/end$`).MatchString(end) {
		t.Fatalf("the session is ended at %q", end)
	}

	// Those next door see nothing, and their form ends nothing.
	for _, address := range []string{"/ftp/sessions", "/ftp/journal", "/ftp", page, page + "/check", page + "/filezilla"} {
		other.visit(in.panel + address)
		if body := other.text("body"); strings.Contains(body, "souffle") || strings.Contains(body, "bal") {
			t.Errorf("another association sees %s: %s", address, body)
		}
	}
	if table := other.read("the journal", fetched("/ftp/journal/download")); strings.Contains(table, "bal.html") || strings.Contains(table, "<html") {
		t.Errorf("another association downloads: %s", table)
	}
	other.forge(in.panel, end, "name", "x") // answered as for a session that has ended
	for _, address := range []string{page + "/password", page + "/disable", page + "/delete"} {
		other.isRefused(in.panel, address, "name", "x")
	}
	if err := c.NoOp(); err != nil {
		t.Errorf("another association has ended the session: %v", err)
	}
	if err := in.signInFTP(password); err != nil {
		t.Errorf("another association has locked the account: %v", err)
	}

	member.visit(in.panel + "/ftp/sessions")
	member.click(fmt.Sprintf("main form[action=%q] [type=submit]", end))
	within(t, browserLimit, "the session has ended", func() bool { return c.NoOp() != nil })

	// Looked up: the transfer, as text.
	within(t, browserLimit, "the journal has the transfer", func() bool {
		member.visit(in.panel + "/ftp/journal?q=bal")
		return strings.Contains(member.text("main table"), name)
	})
	if table := member.read("the journal", fetched("/ftp/journal/download?q=bal")); !strings.Contains(table, "bal.html") {
		t.Errorf("downloaded: %s", table)
	}
	member.visit(in.panel + "/ftp/journal?q=nulle-part")
	if shown := member.text("main"); strings.Contains(shown, name) {
		t.Errorf("the search finds another transfer: %s", shown)
	}

	// Locked, and known as such at once.
	member.visit(in.panel + page)
	member.click(fmt.Sprintf("main form[action=%q] [type=submit]", page+"/disable"))
	if err := in.signInFTP(password); err == nil {
		t.Error("a locked account signs in")
	}
	log := in.cancale(t, "audit", "list", "--account", "souffle")
	for _, action := range []string{"ftp.create", "ftp.disable"} {
		if !strings.Contains(log, action) {
			t.Errorf("the audit log lacks %s: %s", action, log)
		}
	}
}
