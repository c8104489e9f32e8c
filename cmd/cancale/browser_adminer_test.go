package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestAdminerInTheBrowser is a member who changes a row of her database without
// a password, and what somebody may try from there.
func TestAdminerInTheBrowser(t *testing.T) {
	in := newInstallation(t)
	member, _, _ := in.withSite(t)
	var made struct{ Password string }
	if err := json.Unmarshal([]byte(in.cancale(t, "database", "create", "blog", "--account", "souffle", "--wait=60s", "--json")), &made); err != nil {
		t.Fatal(err)
	}
	in.cancale(t, "account", "create", "autre", "--label", "Autre")
	in.cancale(t, "database", "create", "secret", "--account", "autre", "--wait=60s")
	sql := func(statement string) string { return in.sql(t, "root", "", statement) }
	if out := in.sql(t, "souffle_blog", made.Password, "USE souffle_blog; CREATE TABLE articles (id INT PRIMARY KEY, titre TEXT);"+
		`INSERT INTO articles VALUES (1, 'La marée'), (2, '<script>document.title="pris"</script><img src=x onerror="document.title=1">')`); out != "" {
		t.Fatal(out)
	}
	sql("CREATE TABLE autre_secret.t (mot TEXT)")
	sql("INSERT INTO autre_secret.t VALUES ('huître')")

	open := func() string {
		t.Helper()
		member.visit(in.panel + "/databases")
		member.click("main table a[href^='/databases/']")
		// Here it opens in the same tab, where we follow it.
		member.read("the form", chromedp.Evaluate[string](`(document.querySelector("form[action$='/adminer']").target = "")`))
		member.click("form[action$='/adminer'] [type=submit]")
		member.sees("articles")
		return member.read("the address", chromedp.Location())
	}
	address := open()
	page, _, _ := strings.Cut(address, "?")
	base, _, _ := strings.Cut(page, "/adminer/")
	if !strings.HasPrefix(page, in.panel+"/databases/") || !strings.HasSuffix(page, "/") {
		t.Fatalf("Adminer is at %q", address)
	}

	// A row is changed, as people do it.
	member.visit(page + "?edit=articles&where%5Bid%5D=1")
	if was := member.read("the field", chromedp.Value(chromedp.CSS("[name='fields[titre]']"))); was != "La marée" {
		t.Errorf("the field holds %q", was)
	}
	member.read("type", chromedp.Evaluate[string](`(document.querySelector("[name='fields[titre]']").value = "La marée haute")`))
	member.click("#form input[type=submit]")
	member.sees("La marée haute")
	if got := sql("SELECT titre FROM souffle_blog.articles WHERE id = 1"); got != "La marée haute" {
		t.Errorf("the row is %q", got)
	}

	// The page shows markup as text, and is a stranger to the panel.
	if title := member.read("the title", chromedp.Evaluate[string]("document.title")); strings.Contains(title, "pris") || title == "1" {
		t.Error("what a row holds ran")
	}
	if origin := member.read("the origin", chromedp.Evaluate[string]("self.origin")); origin != "null" {
		t.Errorf("Adminer's page is of %q", origin)
	}
	for what, script := range map[string]string{
		"its cookies":   `(() => { try { return "read: " + document.cookie } catch (e) { return "" } })()`,
		"its storage":   `(() => { try { return "read: " + localStorage.length } catch (e) { return "" } })()`,
		"a page of its": `(() => { try { const x = new XMLHttpRequest(); x.open("GET", "/people", false); x.send(); return "read: " + x.responseText } catch (e) { return "" } })()`,
	} {
		if got := member.read(what, chromedp.Evaluate[string](script)); got != "" {
			t.Errorf("Adminer's page reads of the panel: %s: %.200s", what, got)
		}
	}

	// Another server, user and database by the address lead to this one.
	for _, query := range []string{
		"?server=127.0.0.1&username=root&db=mysql", "?username=cancale&db=cancale", "?db=autre_secret&select=t", "?sqlite=&username=&db=%2Frun%2Fphp%2Fenter.php",
		"?pgsql=x&username=x&db=x", "?username%5B%5D=root&db%5B%5D=mysql", "?user=&host=localhost", "?processlist=", "?database=", "?privileges=",
	} {
		member.visit(page + query)
		if body := member.text("body"); strings.Contains(body, "huître") || strings.Contains(body, "global_priv") || strings.Contains(body, "cancale_agent") || strings.Contains(body, "enter.php\n") {
			t.Errorf("%s: %s", query, body)
		}
	}
	ask := func(statement string) string {
		t.Helper()
		member.visit(page + "?sql=" + strings.ReplaceAll(statement, " ", "+"))
		member.click("#form input[type=submit]")
		return member.text("#content")
	}
	if out := ask("SELECT titre FROM articles ORDER BY id LIMIT 1"); !strings.Contains(out, "La marée haute") {
		t.Errorf("a statement: %s", out)
	}
	for _, statement := range []string{
		"SELECT mot FROM autre_secret.t", "SELECT Priv FROM mysql.global_priv", "USE autre_secret", "SELECT LOAD_FILE('/etc/passwd') INTO OUTFILE '/tmp/x'",
		"LOAD DATA LOCAL INFILE '/run/php/enter.php' INTO TABLE articles", "SELECT password_hash FROM cancale.persons", "GRANT ALL ON *.* TO 'x'@'%'",
	} {
		out := ask(statement)
		if !strings.Contains(out, "denied") && !strings.Contains(out, "not allowed") && !strings.Contains(out, "forbidden") && !strings.Contains(out, "disabled") {
			t.Errorf("%s: %s", statement, out)
		}
	}

	// Nobody else opens the address: without a cookie, or with a form of theirs.
	for _, header := range []http.Header{{}, {"Sec-Fetch-Dest": {"document"}}, {"Cookie": {"cancale_session=none"}}} {
		if status := in.ask(t, http.MethodGet, page, header, ""); status != http.StatusSeeOther {
			t.Errorf("a stranger with %v: %d", header, status)
		}
	}
	other := strings.Replace(page, "/adminer/", "1/adminer/", 1)
	if status := in.ask(t, http.MethodPost, other, http.Header{}, "logout=1"); status != http.StatusSeeOther {
		t.Errorf("another database's number with this token: %d", status)
	}
	in.ask(t, http.MethodPost, page+"?sql=DROP+TABLE+articles", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, "query=DROP+TABLE+articles&token=1:1")
	if got := sql("SELECT COUNT(*) FROM souffle_blog.articles"); got != "2" {
		t.Errorf("after a form without Adminer's own token there are %s rows", got)
	}
	if status := in.ask(t, http.MethodPost, base+"/adminer", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, "x=1"); status != http.StatusForbidden {
		t.Errorf("a forged form opens Adminer: %d", status)
	}

	// What a site sees of the machine has no way to Adminer.
	out, _ := exec.Command(in.bin, "--data", in.data, "enter", "souffle.example", "--", "/bin/sh", "-c", "ls /run /srv/cancale/run; find / -name 'fpm.sock' 2>/dev/null; id -u").CombinedOutput()
	if strings.Contains(string(out), "adminer") || strings.Count(string(out), "fpm.sock") > 1 {
		t.Errorf("a site sees %s", out)
	}

	// It survives that all is killed, and ends when it is closed.
	in.killAll(t)
	in.start(t)
	within(t, browserLimit, "the visit goes on", func() bool {
		member.visit(page + "?select=articles")
		return strings.Contains(member.html(), "La marée haute")
	})
	passes := func() string {
		return sql("SELECT (SELECT COUNT(*) FROM cancale.database_passes WHERE expires_at > UTC_TIMESTAMP()) + (SELECT COUNT(*) FROM mysql.global_priv WHERE Priv LIKE '%\"auth_or\":[%plugin%' AND User = 'souffle_blog')")
	}
	if n := passes(); n != "2" {
		t.Errorf("%s passes while it is open", n)
	}
	member.click("#logout")
	member.sees("Adminer est fermé")
	if n := passes(); n != "0" {
		t.Errorf("%s passes after it was closed", n)
	}
	member.visit(page)
	member.sees("La session d’Adminer est terminée")
	open()
	member.visit(base)
	member.click("form[action$='/adminer/close'] [type=submit]")
	member.sees("Adminer est fermé")
	if n := passes(); n != "0" {
		t.Errorf("%s passes after it was closed in the panel", n)
	}
	if log := in.cancale(t, "audit", "list", "--json"); strings.Count(log, "database.adminer") != 2 || !strings.Contains(log, "yann@souffle.example") {
		t.Errorf("the log: %s", log)
	}
	within(t, browserLimit, "the rows of passes are gone", func() bool { return sql("SELECT COUNT(*) FROM cancale.database_passes") == "0" })
}

// sql runs statements in the installation's MariaDB, and gives what comes.
func (in *installation) sql(t *testing.T, user, password, statement string) string {
	t.Helper()
	socket := filepath.Join(in.data, "run", "mysqld", "mysqld.sock")
	cmd := exec.Command("/usr/bin/mariadb", "--no-defaults", "--socket="+socket, "--user="+user, "--skip-column-names", "--default-character-set=utf8mb4", "--execute="+statement)
	cmd.Env = []string{"MYSQL_PWD=" + password}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// ask is a request of somebody without a browser; it gives the status.
func (in *installation) ask(t *testing.T, method, address string, header http.Header, body string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode
}
