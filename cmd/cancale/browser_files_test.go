package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestFilesInTheBrowser is a member who makes her site by the file manager
// alone: what she drops, writes, renames, deletes and takes back is looked at
// on the disk and by a visitor.
func TestFilesInTheBrowser(t *testing.T) {
	in := newInstallation(t)
	member, id, path := in.withSite(t)
	at := func(name string) string { return filepath.Join(path, name) }
	owner, group := ownerOf(t, path)
	if owner == 0 {
		t.Fatal("the home is root's")
	}
	files, settings := in.panel+"/files/"+id, in.panel+"/sites/"+id

	// A folder with a file of several pieces, and a page, are dropped at once.
	from := t.TempDir()
	photo := make([]byte, 20<<20+12345)
	_, _ = rand.Read(photo)
	for name, data := range map[string][]byte{"photos/été/grande.jpg": photo, "photos/vide.txt": nil, "index.html": []byte("<h1>Bonjour la baie</h1>")} {
		path := filepath.Join(from, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	member.choose("input[name=replace]")
	member.drop(filepath.Join(from, "photos"), filepath.Join(from, "index.html"))
	// When all has come, the page shows the folder anew.
	member.run("the folder", chromedp.WaitVisible(chromedp.CSS("main table a[href*='photos']")), chromedp.WaitVisible(chromedp.CSS("main table a[href*='index.html']")))
	for name, want := range map[string]string{"photos/été/grande.jpg": string(photo), "photos/vide.txt": "", "index.html": "<h1>Bonjour la baie</h1>"} {
		data, err := os.ReadFile(at(name))
		if err != nil || string(data) != want {
			t.Errorf("%s: %d bytes of %d, %v", name, len(data), len(want), err)
		}
		if uid, gid := ownerOf(t, at(name)); uid != owner || gid != group {
			t.Errorf("%s is of %d:%d, not of the site's %d:%d", name, uid, gid, owner, group)
		}
	}
	if code, page, err := in.get(t, "souffle.example", "/"); err != nil || code != http.StatusOK || !strings.Contains(page, "Bonjour la baie") {
		t.Errorf("a visitor: %d, %v: %s", code, err, page)
	}

	// The editor takes what is typed, and saves by its keys.
	member.visit(files + "/edit?path=www%2Findex.html")
	code := chromedp.JSPath(`document.querySelector(".editor__code").shadowRoot.querySelector(".cm-content")`)
	member.run("the editor", chromedp.WaitVisible(code))
	member.run("type", chromedp.Click(code), chromedp.KeyEvent(kb.End, chromedp.KeyModifiers(chromedp.ModifierCtrl)), chromedp.SendKeys(code, ", écrit à la main"))
	member.click("[form=ed]")
	member.sees("enregistré")
	if data, err := os.ReadFile(at("index.html")); err != nil || string(data) != "<h1>Bonjour la baie</h1>, écrit à la main" {
		t.Errorf("what was saved: %v\n%s", err, data)
	}

	// Renamed, deleted, and taken back from the bin.
	member.visit(files + "/rename?path=www%2Fphotos")
	member.fill("name", "images <2026>")
	member.send("/files/" + id + "/rename")
	member.sees("images <2026>")
	if _, err := os.Stat(at("images <2026>/été/grande.jpg")); err != nil {
		t.Error(err)
	}
	member.visit(files + "/delete?f=www%2Findex.html")
	member.send("/files/" + id + "/delete")
	if _, err := os.Lstat(at("index.html")); !os.IsNotExist(err) {
		t.Errorf("a deleted file: %v", err)
	}
	member.visit(settings + "/bin")
	member.sees("index.html")
	member.choose("main input[name=f]")
	member.click("main button[name=act][value=restore]")
	if data, err := os.ReadFile(at("index.html")); err != nil || !strings.Contains(string(data), "écrit à la main") {
		t.Errorf("a file from the bin: %v\n%s", err, data)
	}

	// The attack: a link to a file of root's is not shown, nor written.
	if err := os.Symlink("/etc/passwd", at("dehors.txt")); err != nil {
		t.Fatal(err)
	}
	member.visit(files + "/edit?path=www%2Fdehors.txt")
	if page := member.html(); strings.Contains(page, "root:") {
		t.Errorf("a link led out of the home:\n%s", page)
	}
}

// TestSettingsInTheBrowser is a member who changes how her site behaves; a
// visitor tells whether it does.
func TestSettingsInTheBrowser(t *testing.T) {
	in := newInstallation(t)
	member, id, path := in.withSite(t)
	settings := in.panel + "/sites/" + id
	for name, text := range map[string]string{
		"index.php": "<?php echo 'memory ', ini_get('memory_limit'), ' in ', date_default_timezone_get();", "private/list.txt": "the members", "cron.php": "<?php file_put_contents(__DIR__.'/done.txt', 'called');",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(path, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(path, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_ = os.Remove(filepath.Join(path, "index.html"))
	// answers waits until a visitor has that answer.
	answers := func(page string, code int, text string) {
		t.Helper()
		var got, body string
		for deadline := time.Now().Add(browserLimit); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			status, page, err := in.get(t, "souffle.example", page)
			if status == code && strings.Contains(page, text) {
				return
			}
			got, body = fmt.Sprint(status, " ", err), page
		}
		t.Fatalf("%s: %s, want %d with %q:\n%s", page, got, code, text, body)
	}
	answers("/", http.StatusOK, "memory 128M in Europe/Paris")

	member.visit(settings + "/php")
	member.fill("memory", "192")
	member.pick("time_zone", "Indian/Reunion")
	member.send("/sites/" + id + "/php")
	answers("/", http.StatusOK, "memory 192M in Indian/Reunion")

	member.visit(settings + "/addresses")
	member.click("[name=act][value=add-redirect]")
	member.fill("from", "/adhesion")
	member.fill("to", "https://www.helloasso.example/souffle")
	member.click("main form [type=submit].btn--primary")
	answers("/adhesion", http.StatusMovedPermanently, "https://www.helloasso.example/souffle")

	member.visit(settings + "/protection")
	member.fill("path", "private")
	member.click("main form.card [type=submit]")
	answers("/private/list.txt", http.StatusUnauthorized, "")
	member.fill("user", "bureau")
	member.fill("password", "la-marée-du-mardi")
	member.send("/sites/" + id + "/protection/allow")
	var inside string
	for deadline := time.Now().Add(browserLimit); inside != "the members" && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		_, inside, _ = in.get(t, "souffle.example", "/private/list.txt", func(r *http.Request) { r.SetBasicAuth("bureau", "la-marée-du-mardi") })
	}
	if inside != "the members" {
		t.Errorf("a protected folder, with its password: %s", inside)
	}

	member.visit(settings + "/tasks")
	member.fill("target", "/cron.php")
	member.send("/sites/" + id + "/tasks")
	member.click("main form[action$='/tasks/run'] [type=submit]")
	for deadline := time.Now().Add(browserLimit); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(path, "done.txt")); err == nil {
			break
		}
	}
	if data, err := os.ReadFile(filepath.Join(path, "done.txt")); err != nil || string(data) != "called" {
		t.Errorf("the task: %v %q", err, data)
	}
	for deadline := time.Now().Add(browserLimit); !strings.Contains(member.html(), "Réussie"); member.visit(settings + "/tasks") {
		if time.Now().After(deadline) {
			t.Fatal("the page does not tell that the task ran")
		}
	}

	member.visit(settings + "/maintenance")
	member.choose("[name=on][value=yes]")
	member.click("main form [type=submit].btn--primary")
	answers("/", http.StatusServiceUnavailable, "")
	member.visit(settings + "/maintenance")
	reader := newPerson(t)
	reader.visit(member.text(".secret code"))
	reader.sees("memory 192M")
}

// withSite starts an installation with a member, and a site of her association:
// its identifier in the panel, and the path of what is published.
func (in *installation) withSite(t *testing.T) (member *person, id, path string) {
	t.Helper()
	member = newPerson(t)
	member.visit(in.start(t))
	member.fill("name", "Yann Le Goff")
	member.fill("email", "yann@souffle.example")
	member.fill("password", "un-bol-de-cidre-brut")
	member.send("/invitation/")
	member.sees("l’administration")
	in.cancale(t, "account", "create", "souffle", "--label", "Souffle en Baie")
	in.cancale(t, "person", "add", "yann@souffle.example", "--account", "souffle")
	in.cancale(t, "site", "create", "souffle.example", "--account", "souffle", "--wait=60s")
	var site struct{ Path string }
	if err := json.Unmarshal([]byte(in.cancale(t, "site", "show", "souffle.example", "--json")), &site); err != nil {
		t.Fatal(err)
	}
	member.visit(in.panel + "/files")
	member.click("main table a[href^='/files/']")
	where := member.read("the address", chromedp.Location())
	id, _, ok := strings.Cut(strings.TrimPrefix(where, in.panel+"/files/"), "?")
	if !ok {
		t.Fatalf("the site's files are at %q", where)
	}
	return member, id, site.Path
}

// pick chooses one of a list.
func (p *person) pick(name, value string) {
	p.t.Helper()
	p.run("pick "+name, chromedp.SetValue(chromedp.CSS(fmt.Sprintf("select[name=%q]", name)), value))
}

// drop lets files and folders of this machine fall onto the page, as from the
// desktop.
func (p *person) drop(files ...string) {
	p.t.Helper()
	p.run("find where to drop", chromedp.WaitVisible(chromedp.CSS(".drop")), chromedp.ScrollIntoView(chromedp.CSS(".drop")))
	data := &input.DragData{Items: []*input.DragDataItem{}, Files: files, DragOperationsMask: 1}
	for _, event := range []input.DispatchDragEventType{input.DispatchDragEventTypeDragEnter, input.DispatchDragEventTypeDragOver, input.DispatchDragEventTypeDrop} {
		if _, err := chromedp.Call(p.ctx, input.DispatchDragEvent, input.DispatchDragEventParams{Type: event, X: 600, Y: 400, Data: data}); err != nil {
			p.fail("drop", err)
		}
	}
}

// ownerOf is whose a file is.
func ownerOf(t *testing.T, path string) (uid, gid uint32) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	stat := info.Sys().(*syscall.Stat_t)
	return stat.Uid, stat.Gid
}

// get asks for a page of a site as a visitor does.
func (in *installation) get(t *testing.T, host, path string, changes ...func(*http.Request)) (int, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", in.httpPort, path), nil)
	if err != nil {
		return 0, "", err
	}
	req.Host, req.Close = host, true
	for _, change := range changes {
		change(req)
	}
	resp, err := http.DefaultTransport.RoundTrip(req) // a redirect is an answer
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(page), err
}

// cancale runs a verb on the installation.
func (in *installation) cancale(t *testing.T, args ...string) string {
	t.Helper()
	out, err := in.try(args...)
	if err != nil {
		t.Fatalf("cancale %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}
