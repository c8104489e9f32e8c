package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/mail"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/emersion/go-smtp"
)

// TestTeamInTheBrowser is a volunteer at the instruments: the limits of a plan,
// the mail server with its trial, an address that is banned, the platform, and
// the audit log; what members send there does nothing.
func TestTeamInTheBrowser(t *testing.T) {
	in := newInstallation(t)
	admin, _, _ := in.withSite(t)
	in.cancale(t, "site", "create", "maree.example", "--account", "souffle", "--wait=60s")
	member := in.invited(t, "soizic", "souffle", "owner")

	// A plan with room for less than there is: said first, done after.
	admin.visit(in.panel + "/admin/plans")
	admin.click("main a[href^='/admin/plans/']:not([href$=new])")
	plan := strings.TrimPrefix(admin.read("the address", chromedp.Location()), in.panel)
	sites := func() string {
		t.Helper()
		var account struct{ Plan string }
		in.answer(t, &account, "account", "show", "souffle", "--json")
		var p struct{ Sites *int }
		in.answer(t, &p, "plan", "show", account.Plan, "--json")
		if p.Sites == nil {
			return ""
		}
		return strconv.Itoa(*p.Sites)
	}
	before := sites()
	admin.fill("sites", "1")
	admin.send(plan)
	admin.sees("Souffle en Baie")
	if got := sites(); got != before {
		t.Errorf("changed before somebody said so: %q, was %q", got, before)
	}
	member.isRefused(in.panel, plan, "confirm", "yes")
	if got := sites(); got != before {
		t.Errorf("a member has changed a plan: %q", got)
	}
	admin.click("main [name=confirm][value=yes]")
	admin.sees("Formules")
	if got := sites(); got != "1" {
		t.Errorf("sites of the plan: %q", got)
	}
	member.visit(in.panel + "/sites/new")
	member.fill("host", "encore.example")
	member.send("/sites/new")
	member.sees("1 site")
	if _, err := in.try("site", "show", "encore.example"); err == nil {
		t.Error("a site beyond the limit was made")
	}
	for _, host := range []string{"souffle.example", "maree.example"} {
		if code, _, err := in.get(t, host, "/"); err != nil || code >= http.StatusInternalServerError {
			t.Errorf("%s after the change: %d, %v", host, code, err)
		}
	}

	// The mail server: first a wrong port, then the right one.
	letters, port := openOffice(t)
	tryMail := func(port int) {
		t.Helper()
		admin.visit(in.panel + "/admin/settings/mail")
		admin.fill("mail.host", "127.0.0.1")
		admin.fill("mail.port", strconv.Itoa(port))
		admin.choose("[name='mail.security'][value=none]")
		admin.fill("mail.platform", "L’Hébergeur")
		admin.fill("mail.from", "panneau@hebergeur.example")
		admin.send("/admin/settings/mail")
		admin.sees("Réglages enregistrés")
		admin.send("/admin/settings/mail/test")
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().(*net.TCPAddr).Port
	_ = closed.Close()
	tryMail(nobody)
	admin.run("an answer", chromedp.WaitVisible(chromedp.CSS("main .alert")))
	if shown := admin.text("main"); strings.Contains(shown, "a accepté le message") {
		t.Errorf("nobody has accepted it: %s", shown)
	}
	tryMail(port)
	admin.sees("Le serveur a accepté le message d’essai")
	if m := <-letters; !strings.Contains(m.Header.Get("To"), "yann@souffle.example") || !strings.Contains(m.Header.Get("From"), "panneau@hebergeur.example") {
		t.Errorf("the letter: %v", m.Header)
	}
	member.isRefused(in.panel, "/admin/settings/mail", "mail.host", "pris.example")
	member.isRefused(in.panel, "/admin/settings/mail/test", "name", "x")
	if shown := in.cancale(t, "settings", "show"); strings.Contains(shown, "pris.example") {
		t.Errorf("a member has changed the settings: %s", shown)
	}

	// Somebody guesses; the team sees where from, and lifts the ban.
	in.cancale(t, "ftp", "create", "web", "--account", "souffle", "--site", "souffle.example")
	in.cancale(t, "settings", "set", "bans.failures", "3")
	within(t, browserLimit, "the address is banned", func() bool {
		_ = in.signInFTP("pas-le-bon-mot-de-passe")
		return strings.Contains(in.cancale(t, "ban", "list"), "127.0.0.1")
	})
	admin.visit(in.panel + "/admin/bans?q=127.0.0.1")
	admin.sees("Bloqué")
	lift := admin.read("the form", chromedp.Evaluate[string]("document.querySelector(\"main form[action$='/lift']\").getAttribute('action')"))
	member.isRefused(in.panel, lift, "name", "x")
	if list := in.cancale(t, "ban", "list"); !strings.Contains(list, "127.0.0.1") {
		t.Errorf("a member has lifted a ban: %s", list)
	}
	admin.click(fmt.Sprintf("main form[action=%q] [type=submit]", lift))
	admin.sees("peut de nouveau se connecter")
	if list := in.cancale(t, "ban", "list"); strings.Contains(list, "127.0.0.1") {
		t.Errorf("still banned: %s", list)
	}

	// How the machine is, with a table for each chart.
	within(t, 2*browserLimit, "the platform has a sample", func() bool {
		admin.visit(in.panel + "/admin/platform")
		return strings.Contains(admin.html(), "<svg") && strings.Contains(admin.text("main"), "MariaDB")
	})

	// Who did all that, searched and downloaded.
	admin.visit(in.panel + "/admin/audit?q=plan.update")
	if shown := admin.text("main table"); !strings.Contains(shown, "yann@souffle.example") || strings.Contains(shown, "soizic") {
		t.Errorf("the log: %s", shown)
	}
	table := admin.read("the table", fetched("/admin/audit/download?q=plan.update"))
	if !strings.Contains(table, "plan.update") || strings.Contains(table, "ban.lift") || strings.Contains(table, "<html") {
		t.Errorf("downloaded: %.300s", table)
	}
	for _, address := range []string{"/admin/audit", "/admin/audit/download", "/admin/bans", "/admin/platform", "/admin/settings/mail", "/admin/mails", plan} {
		member.visit(in.panel + address)
		if body := member.text("body"); strings.Contains(body, "127.0.0.1") || strings.Contains(body, "hebergeur.example") || strings.Contains(body, "plan.update") {
			t.Errorf("a member sees %s: %s", address, body)
		}
	}
}

// fetched is what the panel answers at an address, to the one who is signed in.
func fetched(address string) chromedp.Action[string] {
	return chromedp.Evaluate[string](fmt.Sprintf("(() => { const r = new XMLHttpRequest(); r.open('GET', %q, false); r.send(); return r.responseText })()", address))
}

// forge sends the form of a page that this person may use to an address that
// she may not, with a value of that name, and gives the status of the answer.
func (p *person) forge(panel, address, name, value string) (status int64) {
	p.t.Helper()
	p.visit(panel + "/databases/new")
	p.read("the form", chromedp.Evaluate[string](fmt.Sprintf(
		"(document.querySelector(\"form[action='/databases/new'] [name=name]\").name = %q, document.querySelector(\"form[action='/databases/new']\").action = %q)", name, address)))
	p.run("a value", chromedp.SendKeys(chromedp.CSS(fmt.Sprintf("form[action=%q] [name=%q]", address, name)), value))
	p.steadily("send to "+address, func(ctx context.Context) error {
		answer, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS(fmt.Sprintf("form[action=%q] [type=submit]", address))))
		if err == nil {
			status = answer.Status
		}
		return err
	})
	return status
}

// isRefused sends such a form where it must be refused.
func (p *person) isRefused(panel, address, name, value string) {
	p.t.Helper()
	if status := p.forge(panel, address, name, value); status < http.StatusBadRequest {
		p.t.Errorf("a form that is not theirs is taken at %s: %d", address, status)
	}
}

// try is a verb that may fail.
func (in *installation) try(args ...string) (string, error) {
	out, err := exec.Command(in.bin, append([]string{"--data", in.data}, args...)...).CombinedOutput()
	return string(out), err
}

// office is a mail server that keeps what it gets.
type office chan *mail.Message

func (o office) NewSession(*smtp.Conn) (smtp.Session, error) { return o, nil }
func (office) Reset()                                        {}
func (office) Logout() error                                 { return nil }
func (office) Mail(string, *smtp.MailOptions) error          { return nil }
func (office) Rcpt(string, *smtp.RcptOptions) error          { return nil }

func (o office) Data(r io.Reader) error {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	select {
	case o <- m:
		return nil
	default:
		return errors.New("the office is full")
	}
}

// openOffice starts one.
func openOffice(t *testing.T) (letters office, port int) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	letters = make(office, 50)
	server := smtp.NewServer(letters)
	server.EnableSMTPUTF8 = true
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return letters, listener.Addr().(*net.TCPAddr).Port
}
