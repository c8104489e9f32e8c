package hostile

import (
	"bufio"
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

	"cancale/internal/config"
	"cancale/internal/sandbox"
)

// lab is where the tests run: their installation is one for all of them.
var lab struct {
	tb  testing.TB
	bin string
}

// heavy is an attack that only a test makes.
func heavy(attack func(*testing.T, *world)) func(tester, *world) {
	return func(t tester, w *world) { attack(t.(*testing.T), w) }
}

// start builds the program, starts an installation and two members on it.
func start(tb testing.TB) *world {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Fatal("a private installation needs root")
	}
	dir := tb.TempDir()
	w := &world{layout: config.Layout{Root: filepath.Join(dir, "data")}, inside: config.Layout{Root: config.Mount}, local: "127.0.0.1", client: newClient()}
	lab.tb, lab.bin = tb, filepath.Join(dir, "cancale")
	build := exec.Command("go", "build", "-o", lab.bin, "cancale/cmd/cancale")
	if out, err := build.CombinedOutput(); err != nil {
		tb.Fatalf("go build: %v\n%s", err, out)
	}
	if err := os.Chmod(lab.bin, 0o755); err != nil {
		tb.Fatal(err)
	}
	w.up(dir)
	w.countFrom(config.FirstSiteUID + 20_000)
	// The victim's name differs from the attacker's by what "_" stands for in
	// a grant.
	w.victim, w.attacker = w.member("s1shop", "victim.example"), w.member("s-shop", "attacker.example")
	w.prepare(tb.(tester))
	return w
}

func (w *world) up(dir string) {
	lab.tb.Helper()
	log, err := os.Create(filepath.Join(dir, "up.log"))
	if err != nil {
		lab.tb.Fatal(err)
	}
	defer log.Close()
	up := exec.Command(lab.bin, "up", "--panel-port", "0", "--http-port", "0", "--https-port", "0", "--ftp-port", "0", "--sftp-port", "0")
	up.Env = []string{"PATH=" + os.Getenv("PATH"), "CANCALE_DATA=" + w.layout.Root}
	up.Dir, up.Stdout, up.Stderr = "/", log, log
	up.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := up.Start(); err != nil {
		lab.tb.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- up.Wait() }()
	lab.tb.Cleanup(func() {
		groups, _ := sandbox.LoadGroups(w.layout.Groups())
		_ = up.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-done:
			if err != nil {
				lab.tb.Errorf("up: %v", err)
			}
		case <-time.After(30 * time.Second):
			_ = up.Process.Kill()
			lab.tb.Error("up does not stop")
		}
		if groups != nil {
			for _, base := range groups.Bases {
				if _, err := os.Stat(base); err == nil {
					lab.tb.Errorf("%s is left", base)
				}
			}
		}
		if lab.tb.Failed() {
			text, _ := os.ReadFile(log.Name())
			lab.tb.Logf("up said:\n%s", text)
		}
	})
	w.cancale(&w.status, "status", "--wait", "60s")
}

// countFrom has the sites' uids begin there. Other tests run installations beside
// this one, and the kernel counts the processes of a uid, not of a site: an
// attacker who takes all that he may would take theirs.
func (w *world) countFrom(uid int) {
	lab.tb.Helper()
	socket := w.layout.MariaDBSocket()
	set := exec.Command("/usr/bin/mariadb", "--no-defaults", "--user=root", "--socket="+filepath.Base(socket), "--execute="+fmt.Sprintf("UPDATE nodes SET next_uid = %d", uid), "cancale")
	set.Dir = filepath.Dir(socket) // the whole path may be longer than a socket's may be
	if out, err := set.CombinedOutput(); err != nil {
		lab.tb.Fatalf("uids: %v: %s", err, out)
	}
}

// cancale runs a command and reads its document.
func (w *world) cancale(into any, args ...string) {
	lab.tb.Helper()
	cmd := exec.Command(lab.bin, append(args, "--json")...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "CANCALE_DATA=" + w.layout.Root}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		lab.tb.Fatalf("cancale %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.Bytes())
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(out, into); err != nil {
		lab.tb.Fatalf("cancale %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// member makes an association with a site, a database and an FTP login, and
// sends the site one script by FTP that runs what it is sent.
func (w *world) member(account, host string) *member {
	lab.tb.Helper()
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
		lab.tb.Fatal(err)
	}
	m.uid = int(info.Sys().(*syscall.Stat_t).Uid)
	m.socket = w.socket(token)
	if err := m.ftp(lab.tb).Stor("www/run.php", strings.NewReader(runScript)); err != nil {
		lab.tb.Fatal(err)
	}
	return m
}

// socket is where the PHP of the site with that home listens: its virtual host
// says it.
func (w *world) socket(token string) string {
	lab.tb.Helper()
	conf, err := os.ReadFile(w.vhost(token))
	if err != nil {
		lab.tb.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(conf), "proxy:unix:")
	path, _, found := strings.Cut(rest, "|")
	if !found {
		lab.tb.Fatal("the virtual host names no socket")
	}
	return path
}

// vhost is the file of the virtual host of the site with that home.
func (w *world) vhost(token string) string {
	lab.tb.Helper()
	files, err := filepath.Glob(w.layout.ApacheSites() + "/*.conf")
	if err != nil {
		lab.tb.Fatal(err)
	}
	for _, file := range files {
		conf, err := os.ReadFile(file)
		if err != nil {
			lab.tb.Fatal(err)
		}
		if strings.Contains(string(conf), token) {
			return file
		}
	}
	lab.tb.Fatal("no virtual host names the home")
	return ""
}

// many sends a request so often on one connection, and reads what it is told.
func (w *world) many(t *testing.T, request string, n int) {
	t.Helper()
	conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(w.status.HTTPPort)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	go func() {
		for range n {
			if _, err := io.WriteString(conn, request); err != nil {
				return
			}
		}
	}()
	answers := bufio.NewReader(conn)
	for range n {
		got, err := http.ReadResponse(answers, nil)
		if err != nil {
			return // it closes what asks too much
		}
		_, _ = io.Copy(io.Discard, got.Body)
		got.Body.Close()
	}
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
