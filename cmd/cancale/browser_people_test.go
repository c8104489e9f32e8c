package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/go-sql-driver/mysql"
	client "github.com/jlaffaye/ftp"

	"cancale/internal/config"
)

// TestHandoverInTheBrowser is an association whose board changes: who leaves
// has no role, no session and no password that works; who comes has all, by
// the link that the page shows this once.
func TestHandoverInTheBrowser(t *testing.T) {
	in := newInstallation(t)
	admin := newPerson(t)
	admin.visit(in.start(t))
	admin.fill("name", "Maëlle Kerdoncuff")
	admin.fill("email", "maelle@hebergeur.example")
	admin.fill("password", "la-marée-monte-à-six-heures")
	admin.send("/invitation/")
	admin.sees("l’administration")
	in.cancale(t, "account", "create", "souffle", "--label", "Souffle en Baie")
	in.cancale(t, "account", "create", "voisins", "--label", "Les Voisins")
	yann, soizic, other := in.invited(t, "yann", "souffle", "owner"), in.invited(t, "soizic", "souffle", "webmaster"), in.invited(t, "autre", "voisins", "owner")
	in.cancale(t, "site", "create", "souffle.example", "--account", "souffle", "--wait=60s")
	var made struct{ Password string }
	in.answer(t, &made, "database", "create", "blog", "--account", "souffle", "--wait=60s", "--json")
	oldDatabase := made.Password
	in.answer(t, &made, "ftp", "create", "web", "--account", "souffle", "--site", "souffle.example", "--json")
	oldFTP := made.Password
	root := in.database(t, "root", "", "")
	if err := in.signInFTP(oldFTP); err != nil {
		t.Fatalf("the FTP login before: %v", err)
	}
	if err := in.database(t, "souffle_blog", oldDatabase, "souffle_blog").PingContext(t.Context()); err != nil {
		t.Fatalf("the database before: %v", err)
	}

	// The attacks: somebody of another association sends the form with the
	// numbers of this one, and a page elsewhere sends it as the owner.
	page := in.panel + "/people/handover"
	yann.visit(page)
	leaving := yann.read("who may leave", chromedp.Evaluate[string](`[...document.querySelectorAll("#leave input")].find(i => i.labels[0].textContent.includes("Soizic")).value`))
	database := yann.read("the database", chromedp.Evaluate[string](`document.querySelector("input[name=database]").value`))
	forge := func(fields map[string]string) {
		t.Helper()
		text, _ := json.Marshal(fields)
		other.visit(page)
		other.read("forge", chromedp.Evaluate[string](fmt.Sprintf(`for (const [name, value] of Object.entries(%s)) {
			const i = document.createElement("input"); i.type = "hidden"; i.name = name; i.value = value;
			document.querySelector("main form[action='/people/handover']").append(i);
		}; ""`, text)))
		other.send("/people/handover")
	}
	forge(map[string]string{"leave": leaving, "step": "confirm"})
	other.sees("Cette page n’existe pas")
	forge(map[string]string{"database": database, "step": "confirm"})
	other.sees("Cette page n’existe pas")
	in.publishes(t, "souffle.example", fmt.Sprintf(`<form method="post" action="%s"><input name="leave" value="%s"><input name="sessions" value="true"><input name="step" value="confirm"><button>Gagnez un bol de cidre</button></form>`, page, leaving))
	yann.visit(fmt.Sprintf("http://souffle.example:%d/piege.html", in.httpPort))
	yann.click("button")
	if got := in.role(t, "soizic"); got != "souffle webmaster" {
		t.Errorf("after the forged forms Soizic is %q", got)
	}
	if err := in.signInFTP(oldFTP); err != nil {
		t.Errorf("after the forged forms: %v", err)
	}
	soizic.visit(in.panel + "/sites")
	soizic.sees("souffle.example")

	// What the page is for. Nothing is done before it is confirmed.
	yann.visit(page)
	yann.choose("#leave-" + leaving)
	yann.choose("#database-" + database)
	yann.run("who comes", chromedp.SendKeys(chromedp.CSS("#email-1"), "nolwenn@souffle.example"), chromedp.SendKeys(chromedp.CSS("#name-1"), "Nolwenn <b>Riou</b>"))
	yann.send("/people/handover")
	yann.sees("Rien n’est encore fait")
	yann.sees("Nolwenn <b>Riou</b>")
	if err := in.signInFTP(oldFTP); err != nil || in.role(t, "soizic") == "" {
		t.Errorf("the preview changed something: %v, Soizic is %q", err, in.role(t, "soizic"))
	}
	yann.click("main button[value=confirm]")
	yann.sees("change de mains")
	secret := func(card string) string { return yann.text("section:has(#" + card + ") .secret code") }
	link, newFTP, newDatabase := secret("invites"), secret("ftp"), secret("bases")

	if got := in.role(t, "soizic"); got != "" {
		t.Errorf("who left is still %q", got)
	}
	sessions := 0
	if err := root.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+in.schema(t, root)+".sessions s JOIN "+in.schema(t, root)+".persons p ON p.id = s.person_id WHERE p.email = 'soizic@souffle.example'").Scan(&sessions); err != nil || sessions != 0 {
		t.Errorf("who left has %d sessions, %v", sessions, err)
	}
	soizic.visit(in.panel + "/sites")
	soizic.sees("Se connecter")
	if err := in.signInFTP(newFTP); err != nil {
		t.Errorf("the new FTP password: %v", err)
	}
	if err := in.signInFTP(oldFTP); err == nil {
		t.Error("the old FTP password still works")
	}
	within(t, browserLimit, "the new password of the database works", func() bool {
		return in.database(t, "souffle_blog", newDatabase, "souffle_blog").PingContext(t.Context()) == nil
	})
	if in.database(t, "souffle_blog", oldDatabase, "souffle_blog").PingContext(t.Context()) == nil {
		t.Error("the old password of the database still works")
	}

	// What was shown is shown once; the link makes the one who comes an owner.
	yann.visit(page + "/done")
	if html := yann.html(); strings.Contains(html, newFTP) || strings.Contains(html, newDatabase) || strings.Contains(html, link) {
		t.Error("the passwords are shown again")
	}
	nolwenn := newPerson(t)
	nolwenn.visit(link)
	nolwenn.fill("password", "une-grande-marée-basse")
	nolwenn.send("/invitation/")
	nolwenn.sees("Souffle en Baie")
	if got := in.role(t, "nolwenn"); got != "souffle owner" {
		t.Errorf("who came is %q", got)
	}
	nolwenn.visit(in.panel + "/activity")
	nolwenn.sees("soizic@souffle.example")
	if html := nolwenn.html(); strings.Contains(html, newFTP) || strings.Contains(html, newDatabase) {
		t.Error("the activity holds a password")
	}
}

// invited is somebody who has followed the link of an invitation, at
// NAME@souffle.example.
func (in *installation) invited(t *testing.T, name, account, as string) *person {
	t.Helper()
	var made struct {
		URL string `json:"invitation_url"`
	}
	in.answer(t, &made, "person", "create", name+"@souffle.example", "--name", strings.ToUpper(name[:1])+name[1:], "--account", account, "--as", as, "--json")
	p := newPerson(t)
	p.visit(made.URL)
	p.fill("password", "un-bol-de-cidre-brut")
	p.send("/invitation/")
	p.run("the first page", chromedp.WaitVisible(chromedp.CSS("main")), chromedp.WaitNotPresent(chromedp.CSS("[name=password]")))
	return p
}

// answer is what a verb says with --json.
func (in *installation) answer(t *testing.T, into any, args ...string) {
	t.Helper()
	if err := json.Unmarshal([]byte(in.cancale(t, args...)), into); err != nil {
		t.Fatalf("cancale %s: %v", strings.Join(args, " "), err)
	}
}

// role is what somebody is: "ACCOUNT ROLE", or nothing.
func (in *installation) role(t *testing.T, name string) string {
	t.Helper()
	var p struct {
		Accounts []struct{ Account, As string }
	}
	in.answer(t, &p, "person", "show", name+"@souffle.example", "--json")
	roles := make([]string, len(p.Accounts))
	for i, a := range p.Accounts {
		roles[i] = a.Account + " " + a.As
	}
	return strings.Join(roles, ", ")
}

// database is a connection that is not yet made.
func (in *installation) database(t *testing.T, user, password, schema string) *sql.DB {
	t.Helper()
	dir, err := os.Open(filepath.Dir(config.Layout{Root: in.data}.MariaDBSocket()))
	if err != nil {
		t.Fatal(err)
	}
	c := mysql.NewConfig()
	c.User, c.Passwd, c.DBName, c.Net = user, password, schema, "unix"
	c.Addr = fmt.Sprintf("/proc/self/fd/%d/mysqld.sock", dir.Fd()) // the whole path may be too long for a socket
	connector, err := mysql.NewConnector(c)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { _, _ = db.Close(), dir.Close() })
	return db
}

// schema is where the panel keeps its rows.
func (in *installation) schema(t *testing.T, root *sql.DB) string {
	t.Helper()
	name := ""
	if err := root.QueryRowContext(t.Context(), "SELECT table_schema FROM information_schema.tables WHERE table_name = 'memberships'").Scan(&name); err != nil {
		t.Fatal(err)
	}
	return "`" + name + "`"
}

// signInFTP signs in as web@souffle.
func (in *installation) signInFTP(password string) error {
	c, err := client.Dial(fmt.Sprintf("127.0.0.1:%d", in.ftpPort), client.DialWithTimeout(10*time.Second))
	if err != nil {
		return err
	}
	defer func() { _ = c.Quit() }()
	return c.Login("web@souffle", password)
}

// publishes puts a page on a site, and waits until it is served.
func (in *installation) publishes(t *testing.T, host, page string) {
	t.Helper()
	var site struct{ Path string }
	in.answer(t, &site, "site", "show", host, "--json")
	if err := os.WriteFile(filepath.Join(site.Path, "piege.html"), []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
	within(t, browserLimit, "the page is served", func() bool {
		code, _, err := in.get(t, host, "/piege.html")
		return err == nil && code == http.StatusOK
	})
}
