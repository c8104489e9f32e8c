package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"cancale/internal/config"
	"cancale/internal/testenv"
)

// browserLimit is for one step of a person: a page, a form, a wait.
const browserLimit = 60 * time.Second

// TestAssociationInTheBrowser is the story that the product exists for: from an
// empty directory to a blog that is read, by two persons with a browser and an
// FTP program.
func TestAssociationInTheBrowser(t *testing.T) {
	wordpress := testenv.WordPress(t)
	in := newInstallation(t)
	first := in.start(t)
	if first == "" {
		t.Fatal("up printed no link for the first administrator")
	}

	admin := newPerson(t)
	admin.visit(first)
	admin.fill("name", "Maëlle Kerdoncuff")
	admin.fill("email", "maelle@hebergeur.example")
	admin.fill("password", "la-marée-monte-à-six-heures")
	admin.send("/invitation/")
	admin.sees("l’administration")
	admin.visit(in.panel + "/admin/accounts/new")
	admin.fill("label", "Souffle en Baie")
	admin.fill("name", "souffle")
	admin.fill("person_name", "Yann Le Goff")
	admin.fill("email", "yann@souffle.example")
	admin.send("/admin/accounts/new")
	invitation := admin.text(".secret code")
	if !strings.HasPrefix(invitation, in.panel+"/invitation/") {
		t.Fatalf("the invitation is %q", invitation)
	}

	member := newPerson(t)
	member.visit(invitation)
	member.fill("name", "Yann Le Goff")
	member.fill("password", "un-bol-de-cidre-brut")
	member.send("/invitation/")
	member.sees("Souffle en Baie")

	member.visit(in.panel + "/sites/new")
	member.fill("host", "blog.souffle.example")
	member.send("/sites/new")
	member.sees("blog.souffle.example")
	member.sees("En ligne") // the page follows by itself

	member.visit(in.panel + "/databases/new")
	member.fill("name", "blog")
	member.send("/databases/new")
	databasePassword := member.text(".secret code")
	member.visit(in.panel + "/ftp/new")
	member.fill("login", "web")
	member.send("/ftp/new")
	ftpPassword := member.text(".secret code")

	upload := exec.Command("lftp", "-c", fmt.Sprintf(
		"set net:max-retries 2; set net:timeout 20; set cmd:fail-exit yes; set mirror:parallel-transfer-count 4; open -u web@souffle,%s -p %d 127.0.0.1; mirror -R %s www", ftpPassword, in.ftpPort, wordpress))
	if out, err := upload.CombinedOutput(); err != nil {
		t.Fatalf("lftp: %v\n%s", err, out)
	}

	blog := fmt.Sprintf("http://blog.souffle.example:%d/", in.httpPort)
	member.visit(blog + "wp-admin/setup-config.php?step=1&language=fr_FR")
	member.fill("dbname", "souffle_blog")
	member.fill("uname", "souffle_blog")
	member.fill("pwd", databasePassword)
	member.fill("dbhost", "localhost")
	member.click("input[type=submit]")
	member.visit(blog + "wp-admin/install.php?language=fr_FR")
	member.sees("Titre du site")
	member.fill("weblog_title", "Le blog de la baie")
	member.fill("user_name", "yann")
	member.fill("admin_password", "un-autre-bol-de-cidre")
	member.fill("admin_email", "yann@souffle.example")
	member.click("#submit")
	member.sees("Quel succès")

	member.visit(blog + "wp-login.php")
	member.fill("log", "yann")
	member.fill("pwd", "un-autre-bol-de-cidre")
	// The page moves the focus to the name a moment after it has come, so that
	// the beginning of the password may stand there.
	member.fill("log", "yann")
	member.click("#wp-submit")
	member.sees("Tableau de bord")
	member.visit(blog + "wp-admin/options-permalink.php")
	member.choose("input[name=selection][value*='%postname%']:not([value*='monthnum'])")
	member.click("#submit")
	member.sees("Structure des permaliens")
	member.sees("enregistrée")

	reader := newPerson(t)
	reader.visit(blog)
	reader.sees("Le blog de la baie")
	post := regexp.MustCompile(regexp.QuoteMeta(blog) + `[a-z0-9-]+/`).FindString(reader.html())
	if post == "" {
		t.Fatal("the blog links to no pretty address")
	}
	reader.visit(post)
	reader.sees("Le blog de la baie")

	in.killAll(t)
	in.start(t)
	reader.visit(fmt.Sprintf("http://blog.souffle.example:%d/%s", in.httpPort, post[len(blog):]))
	reader.sees("Le blog de la baie")
	member.visit(in.panel + "/sites")
	member.sees("blog.souffle.example")
}

// installation is a private one, started from the binary that users run.
type installation struct {
	stage

	bin               string
	panel             string
	httpPort, ftpPort int
}

func newInstallation(t *testing.T) *installation {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("a private installation needs root")
	}
	dir := t.TempDir()
	in := &installation{bin: filepath.Join(dir, "cancale")}
	in.data = filepath.Join(dir, "data")
	if out, err := exec.Command("go", "build", "-o", in.bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	t.Cleanup(in.stop)
	return in
}

var firstLink = regexp.MustCompile(`https?://\S+/invitation/\S+`)

// start runs `cancale up` until it is ready, on the ports of the start before,
// and gives the link for the first administrator if one was printed.
func (in *installation) start(t *testing.T) string {
	t.Helper()
	port := func(n int) string { return strconv.Itoa(n) }
	panelPort := "0"
	if u, err := url.Parse(in.panel); err == nil && u.Port() != "" {
		panelPort = u.Port()
	}
	in.up = exec.Command(in.bin, "--data", in.data, "up", "--panel-port", panelPort, "--http-port", port(in.httpPort), "--https-port", "0", "--ftp-port", port(in.ftpPort), "--sftp-port", "0")
	in.up.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	log, err := os.OpenFile(filepath.Join(t.ArtifactDir(), "up.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	in.up.Stderr = log
	out, err := in.up.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := in.up.Start(); err != nil {
		t.Fatal(err)
	}
	first := ""
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if link := firstLink.FindString(lines.Text()); link != "" {
			first = link
		}
		if strings.HasPrefix(lines.Text(), "ready: ") {
			break
		}
	}
	in.done = make(chan exit, 1)
	go func() {
		_, _ = io.Copy(io.Discard, out) // until up ends
		in.done <- exit{in.up.Wait()}
	}()
	status, err := exec.Command(in.bin, "--data", in.data, "status", "--wait", "60s", "--json").Output()
	if err != nil {
		t.Fatalf("status: %v", err)
	}
	var s config.Status
	if err := json.Unmarshal(status, &s); err != nil {
		t.Fatal(err)
	}
	in.panel, in.httpPort, in.ftpPort = strings.TrimSuffix(s.PanelURL, "/"), s.HTTPPort, s.FTPPort
	return first
}

// killAll kills every process of the installation at once.
func (in *installation) killAll(t *testing.T) {
	t.Helper()
	if killed := in.stage.killAll(); killed < 5 {
		t.Errorf("only %d processes were found to kill", killed)
	}
	<-in.done
	in.up = nil
}

// person is somebody with a browser of her own, set to French.
type person struct {
	t   *testing.T
	ctx context.Context
}

func newPerson(t *testing.T) *person {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, // Chromium's own sandbox refuses root
		chromedp.Flag("lang", "fr"), chromedp.Flag("accept-lang", "fr"),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("host-resolver-rules", "MAP * 127.0.0.1"),
		chromedp.WindowSize(1280, 900),
	)
	allocator, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	p := &person{t: t, ctx: ctx}
	// The first action starts the browser, so its context must outlive every step.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("chromium: %v", err)
	}
	return p
}

// run does some actions within the limit; what was on the page is told when
// they fail.
func (p *person) run(what string, actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	p.steadily(what, func(ctx context.Context) error { return chromedp.Do(ctx, actions...) })
}

// steadily acts within the limit, and once more when the element that was found
// was replaced before it could be used: pages renew parts of themselves.
func (p *person) steadily(what string, act func(context.Context) error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, browserLimit)
	defer cancel()
	err := act(ctx)
	for err != nil && ctx.Err() == nil && strings.Contains(err.Error(), "No node with given id") {
		err = act(ctx)
	}
	if err != nil {
		p.fail(what, err)
	}
}

// fail tells what is on the page, and keeps a picture of it.
func (p *person) fail(what string, err error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 10*time.Second)
	defer cancel()
	// The failure is told whether or not these can be had.
	where, _ := chromedp.Run(ctx, chromedp.Location())
	body, _ := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("body")))
	picture, _ := chromedp.Run(ctx, chromedp.FullScreenshot(90))
	_ = os.WriteFile(filepath.Join(p.t.ArtifactDir(), "failure.jpg"), picture, 0o600)
	p.t.Fatalf("%s: %v\nat %s:\n%s", what, err, where, body)
}

func (p *person) visit(address string) {
	p.t.Helper()
	p.run("visit "+address, chromedp.Navigate(address))
}

// fill types into the field of that name, again when a script of the page took
// the focus away meanwhile.
func (p *person) fill(name, value string) {
	p.t.Helper()
	field := chromedp.CSS(fmt.Sprintf("[name=%q]", name))
	p.run("find "+name, chromedp.WaitVisible(field))
	for range 5 {
		p.read("empty "+name, chromedp.Evaluate[string](fmt.Sprintf("document.querySelector('[name=%q]').value = ''", name)))
		p.run("fill "+name, chromedp.SendKeys(field, value))
		if p.read(name, chromedp.Value(field)) == value {
			return
		}
	}
	p.fail("fill "+name, errors.New("the field does not keep what is typed"))
}

// choose clicks something that leads nowhere.
func (p *person) choose(selector string) {
	p.t.Helper()
	p.run("choose "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// click follows to the next page.
func (p *person) click(selector string) {
	p.t.Helper()
	p.steadily("click "+selector, func(ctx context.Context) error {
		_, err := chromedp.RunResponse(ctx, chromedp.WaitVisible(chromedp.CSS(selector)), chromedp.Click(chromedp.CSS(selector)))
		return err
	})
}

// send clicks the button of the form that posts to an address of that prefix.
func (p *person) send(action string) {
	p.t.Helper()
	p.click(fmt.Sprintf("main form[action^=%q] [type=submit]", action))
}

// sees waits until the page shows a text.
func (p *person) sees(text string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, browserLimit)
	defer cancel()
	for {
		body, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("body")))
		if err == nil && strings.Contains(body, text) {
			return
		}
		select {
		case <-ctx.Done():
			p.fail("wait for "+text, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// text is the text of an element.
func (p *person) text(selector string) string {
	p.t.Helper()
	return strings.TrimSpace(p.read(selector, chromedp.Text(chromedp.CSS(selector))))
}

// html is the page as it stands.
func (p *person) html() string {
	p.t.Helper()
	return p.read("the page", chromedp.Evaluate[string]("document.documentElement.outerHTML"))
}

func (p *person) read(what string, action chromedp.Action[string]) string {
	p.t.Helper()
	var value string
	p.steadily("read "+what, func(ctx context.Context) (err error) {
		value, err = chromedp.Run(ctx, action)
		return err
	})
	return value
}
