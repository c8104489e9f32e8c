package hostile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jlaffaye/ftp"

	"cancale/internal/config"
	"cancale/internal/sandbox"
)

// secret is in each of the victim's files; nothing that the attacker is
// answered may hold it.
const secret = "the-secret-of-the-victim"

// world is one private installation with two sites.
type world struct {
	tb     testing.TB
	bin    string
	layout config.Layout // as the rest of the machine sees it
	inside config.Layout // as the daemons see it
	status config.Status
	client *http.Client
	// The two members.
	attacker, victim *member
}

// member is one association and what it has.
type member struct {
	w                *world
	account          string
	host             string
	home, socket     string // as the daemons see them: secret
	outside          string // the home as the rest of the machine sees it
	uid              int
	login, password  string // FTP
	database, dbPass string // the database's user has its name
}

// start builds the program, starts an installation and two members on it.
func start(tb testing.TB) *world {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Fatal("a private installation needs root")
	}
	dir := tb.TempDir()
	w := &world{tb: tb, bin: filepath.Join(dir, "cancale"), layout: config.Layout{Root: filepath.Join(dir, "data")}, inside: config.Layout{Root: config.Mount}}
	build := exec.Command("go", "build", "-o", w.bin, "cancale/cmd/cancale")
	if out, err := build.CombinedOutput(); err != nil {
		tb.Fatalf("go build: %v\n%s", err, out)
	}
	if err := os.Chmod(w.bin, 0o755); err != nil {
		tb.Fatal(err)
	}
	w.up(dir)
	w.client = &http.Client{
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{DisableKeepAlives: true},
	}
	// The victim's name differs from the attacker's by what "_" stands for in
	// a grant.
	w.victim, w.attacker = w.member("s1shop", "victim.example"), w.member("s-shop", "attacker.example")
	for path, text := range map[string]string{
		"www/secret.txt": secret, "www/wp-config.php": "<?php $s = '" + secret + "'; echo 'victim ran as ', getmyuid(), ' ', ini_get('memory_limit'), ini_get('auto_prepend_file');",
		"private/secret.txt": secret, "www/.htpasswd": "boss:{SHA}fEqNCco3Yq9h5ZUglD3CZJT4lBs=\n",
	} {
		w.victim.put(tb, path, text)
	}
	// What people do to make something work.
	w.victim.php(tb, `chmod('/srv/site/private', 0755); foreach (glob('/srv/site/{www,private}/*', GLOB_BRACE) as $f) chmod($f, 0644);`)
	return w
}

func (w *world) up(dir string) {
	w.tb.Helper()
	log, err := os.Create(filepath.Join(dir, "up.log"))
	if err != nil {
		w.tb.Fatal(err)
	}
	defer log.Close()
	up := exec.Command(w.bin, "up", "--panel-port", "0", "--http-port", "0", "--https-port", "0", "--ftp-port", "0")
	up.Env = []string{"PATH=" + os.Getenv("PATH"), "CANCALE_DATA=" + w.layout.Root}
	up.Dir, up.Stdout, up.Stderr = "/", log, log
	up.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := up.Start(); err != nil {
		w.tb.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- up.Wait() }()
	w.tb.Cleanup(func() {
		groups, _ := sandbox.LoadGroups(w.layout.Groups())
		_ = up.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-done:
			if err != nil {
				w.tb.Errorf("up: %v", err)
			}
		case <-time.After(30 * time.Second):
			_ = up.Process.Kill()
			w.tb.Error("up does not stop")
		}
		if groups != nil {
			for _, base := range groups.Bases {
				if _, err := os.Stat(base); err == nil {
					w.tb.Errorf("%s is left", base)
				}
			}
		}
		if w.tb.Failed() {
			text, _ := os.ReadFile(log.Name())
			w.tb.Logf("up said:\n%s", text)
		}
	})
	w.cancale(&w.status, "status", "--wait", "60s")
}

// cancale runs a command and reads its document.
func (w *world) cancale(into any, args ...string) {
	w.tb.Helper()
	cmd := exec.Command(w.bin, append(args, "--json")...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "CANCALE_DATA=" + w.layout.Root}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		w.tb.Fatalf("cancale %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.Bytes())
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(out, into); err != nil {
		w.tb.Fatalf("cancale %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// member makes an association with a site, a database and an FTP login, and
// sends the site one script by FTP that runs what it is sent.
func (w *world) member(account, host string) *member {
	w.tb.Helper()
	m := &member{w: w, account: account, host: host}
	w.cancale(nil, "account", "create", account, "--label", account)
	var site struct{ Path string }
	w.cancale(&site, "site", "create", host, "--account", account, "--wait")
	var database struct{ Name, Password string }
	w.cancale(&database, "database", "create", "blog", "--account", account, "--wait")
	m.database, m.dbPass = database.Name, database.Password
	var login struct{ Login, Password string }
	w.cancale(&login, "ftp", "create", "web", "--account", account, "--site", host)
	m.login, m.password = login.Login, login.Password

	token := filepath.Base(strings.TrimSuffix(site.Path, "/www"))
	m.home, m.outside = w.inside.Home(token), w.layout.Home(token)
	info, err := os.Stat(m.outside + "/www")
	if err != nil {
		w.tb.Fatal(err)
	}
	m.uid = int(info.Sys().(*syscall.Stat_t).Uid)
	m.socket = w.socket(token)
	if err := m.ftp(w.tb).Stor("www/run.php", strings.NewReader(`<?php eval(file_get_contents('php://input'));`)); err != nil {
		w.tb.Fatal(err)
	}
	return m
}

// socket is where the PHP of the site with that home listens: its virtual host
// says it.
func (w *world) socket(token string) string {
	w.tb.Helper()
	files, err := filepath.Glob(w.layout.ApacheSites() + "/*.conf")
	if err != nil {
		w.tb.Fatal(err)
	}
	for _, file := range files {
		conf, err := os.ReadFile(file)
		if err != nil {
			w.tb.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(conf), "proxy:unix:")
		if path, _, found := strings.Cut(rest, "|"); found && strings.Contains(string(conf), token) {
			return path
		}
	}
	w.tb.Fatal("no virtual host names the home")
	return ""
}

// ftp signs in.
func (m *member) ftp(tb testing.TB) *ftp.ServerConn {
	tb.Helper()
	c, err := ftp.Dial(net.JoinHostPort("127.0.0.1", strconv.Itoa(m.w.status.FTPPort)), ftp.DialWithTimeout(10*time.Second))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Quit() })
	if err := c.Login(m.login, m.password); err != nil {
		tb.Fatal(err)
	}
	return c
}

// answer is what a visitor is told.
type answer struct {
	status int
	body   string
	header http.Header
}

// ask sends a request to the member's site.
func (m *member) ask(method, path, body string, header ...string) (answer, error) {
	return m.request(context.Background(), method, path, body, header...)
}

func (m *member) request(ctx context.Context, method, path, body string, header ...string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://127.0.0.1:"+strconv.Itoa(m.w.status.HTTPPort)+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Host = m.host
	for i := 0; i+1 < len(header); i += 2 {
		req.Header[header[i]] = []string{header[i+1]}
	}
	got, err := m.w.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(io.LimitReader(got.Body, 4<<20))
	return answer{got.StatusCode, string(text), got.Header}, err
}

func (m *member) get(tb testing.TB, path string, header ...string) answer {
	tb.Helper()
	a, err := m.ask(http.MethodGet, path, "", header...)
	if err != nil {
		tb.Errorf("%s%s: %v", m.host, path, err)
	}
	return a
}

// php runs code on the member's site and gives what it prints.
func (m *member) php(tb testing.TB, code string) string {
	tb.Helper()
	a, err := m.ask(http.MethodPost, "/run.php", code)
	if err != nil {
		tb.Errorf("%s: %v\n%s", m.host, err, code)
	}
	return a.body
}

// sh runs a line of shell on the member's site, in its home.
func (m *member) sh(tb testing.TB, line string) string {
	tb.Helper()
	return m.php(tb, "chdir('/srv/site'); echo shell_exec("+quote("("+line+") 2>&1")+");")
}

// put writes a file of the member's, below its home.
func (m *member) put(tb testing.TB, path, text string) {
	tb.Helper()
	path = config.SiteHome + "/" + path
	if out := m.php(tb, "@mkdir(dirname("+quote(path)+"), 0755, true); echo file_put_contents("+quote(path)+", "+quote(text)+");"); out != strconv.Itoa(len(text)) {
		tb.Errorf("%s: %s: %s", m.host, path, short(out))
	}
}

// quote writes a string of PHP.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// list writes an array of strings of PHP.
func list(all ...string) string {
	quoted := make([]string, len(all))
	for i, s := range all {
		quoted[i] = quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func short(s string) string {
	s = strings.TrimSpace(s)
	return s[:min(len(s), 400)]
}

// works is a positive control: the means of the attack, on the attacker's own.
func works(t *testing.T, what, got, want string) {
	t.Helper()
	if !strings.Contains(got, want) {
		t.Errorf("the means do not work: %s: %q, want %q", what, short(got), want)
	}
}

// stopped fails when an attack told any of what it should not.
func stopped(t *testing.T, what, got string, told ...string) {
	t.Helper()
	for _, text := range append(told, secret) {
		if strings.Contains(got, text) {
			t.Errorf("%s succeeded (%q): %s", what, text, short(got))
		}
	}
}

// is compares.
func is(t *testing.T, what, got, want string) {
	t.Helper()
	if strings.TrimSpace(got) != want {
		t.Errorf("%s: %q, want %q", what, short(got), want)
	}
}

// paths are where the victim's home could be: guessed, and told.
func (w *world) paths(below string) []string {
	var all []string
	for _, home := range []string{w.victim.home, w.victim.outside, "/srv/victim", "/srv/victim.example", "/home/victim", "/var/www", "/srv/site/../" + filepath.Base(w.victim.home), "/proc/1/root" + w.victim.home} {
		all = append(all, home+"/"+below)
	}
	return all
}

// alive fails when the victim's site does not answer as ever.
func (w *world) alive(t *testing.T) {
	t.Helper()
	began := time.Now()
	if a := w.victim.get(t, "/wp-config.php"); a.status != 200 || a.body != fmt.Sprintf("victim ran as %d 128M", w.victim.uid) {
		t.Errorf("the victim's site: %d %s", a.status, short(a.body))
	}
	if d := time.Since(began); d > 2*time.Second {
		t.Errorf("the victim's site took %v", d)
	}
}

// bounded reports whether the machine has control groups; doctor must say it
// when it has not.
func (w *world) bounded(t *testing.T) bool {
	t.Helper()
	if _, err := sandbox.LoadGroups(w.layout.Groups()); err == nil {
		return true
	}
	if out, code := w.refused("doctor"); code == 0 || !strings.Contains(out, "!!  limits.groups") {
		t.Errorf("there are no control groups, and doctor says nothing of it: %s", out)
	}
	return false
}

// hold asks for a page of the attacker's more often at a time than Apache has
// threads; the victim's answers meanwhile.
func (w *world) hold(t *testing.T, path string) {
	t.Helper()
	const more = 600
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range more {
		all.Go(func() {
			if a, err := w.attacker.request(ctx, http.MethodGet, path, ""); err == nil && a.status != 200 && a.status < 400 {
				t.Errorf("%s: %d", path, a.status)
			}
		})
	}
	for range 5 {
		w.alive(t)
		time.Sleep(200 * time.Millisecond)
	}
	cancel()
	all.Wait()
}

// processes are those of a uid, as root sees them.
func processes(tb testing.TB, uid int) []int {
	tb.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		tb.Fatal(err)
	}
	var pids []int
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if errors.Is(err, os.ErrNotExist) || err != nil {
			continue
		}
		if int(info.Sys().(*syscall.Stat_t).Uid) == uid {
			pid, _ := strconv.Atoi(filepath.Base(dir))
			pids = append(pids, pid)
		}
	}
	return pids
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("never: %s", what)
			return
		}
	}
}
