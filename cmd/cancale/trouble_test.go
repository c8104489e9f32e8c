package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"golang.org/x/sys/unix"
)

// patient is for what takes a second or two on a machine that does nothing else.
const patient = 90 * time.Second

// shownSite is what `site show` says, as far as it is asked here.
type shownSite struct {
	Host, Path string
	Sync       struct {
		State   string
		Problem string
	}
}

func (r *running) site(host string) (s shownSite) {
	r.t.Helper()
	if err := json.Unmarshal([]byte(must(r.t, r.layout.Root, "site", "show", host, "--json")), &s); err != nil {
		r.t.Fatal(err)
	}
	return s
}

// visit asks for a page of a site, or of the panel when host is empty.
func (r *running) visit(host, path string) (int, string, error) {
	url := fmt.Sprintf("http://127.0.0.1:%d%s", r.status().HTTPPort, path)
	if host == "" {
		url = r.status().PanelURL + path
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	req.Host, req.Close = host, true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// diagnosis are the checks of doctor that failed, with their remedies.
func (r *running) diagnosis() map[string]string {
	r.t.Helper()
	cmd := exec.Command("/proc/self/exe", "--data", r.layout.Root, "doctor", "--json")
	cmd.Args[0] = "cancale"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LANG=fr_FR.UTF-8"}
	out, _ := cmd.Output() // it fails when something is wrong
	var document struct {
		Checks []struct {
			Name, Detail, Remedy string
			OK                   bool
		}
	}
	if err := json.Unmarshal(out, &document); err != nil {
		r.t.Fatalf("doctor: %v\n%s", err, out)
	}
	wrong := map[string]string{}
	for _, c := range document.Checks {
		if !c.OK {
			wrong[c.Name] = c.Remedy
		}
	}
	return wrong
}

// database is the installation's MariaDB, for its root.
func (r *running) database() *sql.DB {
	r.t.Helper()
	c := mysql.NewConfig()
	c.User, c.Net, c.Addr = "root", "unix", r.socket()
	connector, err := mysql.NewConnector(c)
	if err != nil {
		r.t.Fatal(err)
	}
	return sql.OpenDB(connector)
}

// sql runs a statement as root of the installation's MariaDB.
func (r *running) sql(statement string, args ...any) {
	r.t.Helper()
	db := r.database()
	defer db.Close()
	if _, err := db.ExecContext(r.t.Context(), statement, args...); err != nil {
		r.t.Fatalf("%s: %v", statement, err)
	}
}

// socket is MariaDB's, by a path that is short enough.
func (r *running) socket() string {
	dir, err := os.Open(filepath.Dir(r.layout.MariaDBSocket()))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = dir.Close() })
	return fmt.Sprintf("/proc/self/fd/%d/mysqld.sock", dir.Fd())
}

// freeze stops a process, or with a negative number a group of them, and waits
// until every thread of the leader has halted: the signal alone may leave some
// of them running for a while.
func freeze(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if pid < 0 {
		pid = -pid
	}
	within(t, patient, "all threads have stopped", func() bool {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		for _, path := range threads {
			stat, readErr := os.ReadFile(path)
			if _, state, ok := strings.Cut(string(stat), ") "); readErr != nil || !ok || state[0] != 'T' {
				return false
			}
		}
		return err == nil && len(threads) > 0
	})
}

// TestTrouble breaks one thing after another on one installation, whose disk is
// small.
func TestTrouble(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(data, 0o711); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", data, "tmpfs", 0, "size=600M,mode=0711"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(data, unix.MNT_DETACH) })
	t.Cleanup(func() { sayLogs(t, data) })
	r := cancaleUp(t, data).start()
	must(t, data, "account", "create", "asso", "--label", "Asso")
	must(t, data, "plan", "create", "all")
	must(t, data, "account", "update", "asso", "--plan", "all")
	for i := range 13 {
		args := []string{"site", "create", fmt.Sprintf("s%d.example", i), "--account", "asso"}
		if i == 6 {
			args = append(args, "--document-root", "www/public")
		}
		must(t, data, args...)
	}
	whole := t // the installation outlives the part that starts it again
	live := func(host string) bool { return r.site(host).Sync.State == "live" }
	for i := range 13 {
		host := fmt.Sprintf("s%d.example", i)
		within(t, patient, host+" is live", func() bool { return live(host) })
	}

	t.Run("ten broken sites stop neither the start nor the others", func(t *testing.T) {
		home := func(i int) string {
			path := r.site(fmt.Sprintf("s%d.example", i)).Path
			for filepath.Base(filepath.Dir(path)) != "t" {
				path = filepath.Dir(path)
			}
			return path
		}
		id := func(i int) string { return strconv.Itoa(i + 1) }
		homes := map[int]string{}
		for i := range 13 {
			homes[i] = home(i)
		}
		r.sql("UPDATE cancale.sites SET php = '5.6', generation = generation + 1, state = 'pending', due_at = NOW(6) WHERE id = 10")
		r.stop()
		for i, breaks := range []func() error{
			0: func() error { return os.RemoveAll(homes[0] + "/www") },
			1: func() error {
				return os.WriteFile(r.layout.ApacheSites()+"/"+id(1)+".conf", []byte("<VirtualHost\n\x00Nonsense ${"), 0o600)
			},
			2: func() error { return os.Remove(r.layout.ApacheSites() + "/" + id(2) + ".conf") },
			3: func() error {
				return errors.Join(os.RemoveAll(r.layout.In("log", "sites")), os.RemoveAll(r.layout.In("log", "names")))
			},
			4: func() error { return os.RemoveAll(homes[4]) },
			5: func() error {
				return errors.Join(os.Chmod(homes[5], 0), os.Chown(homes[5]+"/www", 0, 0), os.Chmod(homes[5]+"/www", 0))
			},
			6: func() error {
				return errors.Join(os.RemoveAll(homes[6]+"/www/public"), os.Symlink("/etc", homes[6]+"/www/public"))
			},
			7: func() error { return errors.Join(os.RemoveAll(r.layout.PHP()), os.RemoveAll(r.layout.Sockets())) },
			8: func() error { return os.WriteFile(r.layout.In("sandbox", "php-"+id(8)+".json"), []byte("{"), 0o600) },
			9: nil, // its row, above
			10: func() error {
				return errors.Join(os.RemoveAll(homes[10]+"/www"), os.WriteFile(homes[10]+"/www", []byte("a file"), 0o644))
			},
		} {
			if breaks == nil {
				continue
			}
			if err := breaks(); err != nil {
				t.Fatalf("%d: %v", i, err)
			}
		}
		r = cancaleUp(whole, data).start()
		for _, i := range []int{11, 12} { // at once
			if code, _, err := r.visit(fmt.Sprintf("s%d.example", i), "/"); code != 200 {
				t.Errorf("s%d: %d, %v", i, code, err)
			}
		}
		for i := range 11 {
			host := fmt.Sprintf("s%d.example", i)
			if problem := map[int]string{6: "link that leads out", 9: "PHP 5.6", 10: "cannot be opened"}[i]; problem != "" {
				within(t, patient, host+" has failed", func() bool { return r.site(host).Sync.State == "failed" })
				if s := r.site(host); !strings.Contains(s.Sync.Problem, problem) {
					t.Errorf("%s: %q", host, s.Sync.Problem)
				}
				if remedy := r.diagnosis()["site."+host]; remedy == "" {
					t.Errorf("doctor says nothing of %s", host)
				}
				continue
			}
			within(t, patient, host+" is served", func() bool {
				code, _, err := r.visit(host, "/")
				return err == nil && code == 200 && live(host)
			})
		}
	})

	link := func() string { return "/invitation/" + strings.Repeat("x", 22) } // the page asks the store
	sees := func(code int, text string) func() bool {
		return func() bool {
			got, page, err := r.visit("", link())
			return err == nil && got == code && strings.Contains(page, text)
		}
	}
	works := func(t *testing.T, host string) {
		t.Helper()
		must(t, data, "site", "create", host, "--account", "asso", "--wait=90s")
		if code, _, err := r.visit(host, "/"); code != 200 {
			t.Errorf("%s: %d, %v", host, code, err)
		}
	}

	t.Run("MariaDB does not answer", func(t *testing.T) {
		within(t, patient, "MariaDB runs", func() bool { return r.service("mariadb").PID > 0 })
		pid := r.service("mariadb").PID
		freeze(t, pid)
		began := time.Now()
		if code, page, err := r.visit("", link()); err != nil || code != 503 || !strings.Contains(page, "base de données du panneau ne répond pas") {
			t.Errorf("the panel: %d %v after %v: %s", code, err, time.Since(began), page)
		}
		if code, _, err := r.visit("s12.example", "/"); code != 200 {
			t.Errorf("a site: %d %v", code, err)
		}
		if remedy := r.diagnosis()["answer.mariadb"]; remedy == "" {
			t.Error("doctor says nothing")
		}
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		within(t, patient, "the panel works again", sees(410, ""))
		works(t, "after-stop.example")
	})

	t.Run("MariaDB is killed", func(t *testing.T) {
		within(t, patient, "MariaDB runs", func() bool { return r.service("mariadb").PID > 0 })
		if err := syscall.Kill(r.service("mariadb").PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		within(t, patient, "the panel works again", sees(410, ""))
		within(t, patient, "all runs again", func() bool { return r.status().Ready })
		works(t, "after-kill.example")
	})

	t.Run("MariaDB takes no changes", func(t *testing.T) {
		r.sql("SET GLOBAL read_only = 1")
		cmd := exec.Command("/proc/self/exe", "--data", data, "site", "create", "refused.example", "--account", "asso")
		cmd.Args[0], cmd.Env = "cancale", []string{"LANG=fr_FR.UTF-8"}
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "aucun changement") {
			t.Errorf("%v: %s", err, out)
		}
		if remedy := r.diagnosis()["mariadb.writable"]; remedy == "" {
			t.Error("doctor says nothing")
		}
		r.sql("SET GLOBAL read_only = 0")
		works(t, "after-read-only.example")
	})

	t.Run("Apache is wedged", func(t *testing.T) {
		within(t, patient, "Apache runs", func() bool { return r.service("apache").PID > 0 })
		pid := r.service("apache").PID
		freeze(t, -pid)
		must(t, data, "site", "create", "wedged.example", "--account", "asso")
		if remedy := r.diagnosis()["answer.http"]; remedy == "" {
			t.Error("doctor says nothing")
		}
		if state := r.site("wedged.example").Sync.State; state == "live" {
			t.Error("a site is called live that nobody serves")
		}
		if code, _, err := r.visit("", "/signin"); code != 200 {
			t.Errorf("the panel: %d %v", code, err)
		}
		if err := syscall.Kill(-pid, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		within(t, patient, "work goes on", func() bool { return live("wedged.example") })
	})
	t.Run("the disk is full", func(t *testing.T) {
		filler, err := os.Create(filepath.Join(data, "filler"))
		if err != nil {
			t.Fatal(err)
		}
		defer filler.Close()
		for chunk := make([]byte, 1<<20); len(chunk) > 0; {
			if _, err := filler.Write(chunk); err != nil {
				chunk = chunk[:len(chunk)/2]
			}
		}
		// MariaDB may have no room for the wish itself; then it is refused.
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, "/proc/self/exe")
		cmd.Args, cmd.Env = []string{"cancale", "--data", data, "site", "create", "full.example", "--account", "asso"}, []string{"LANG=fr_FR.UTF-8"}
		out, refused := cmd.CombinedOutput()
		t.Logf("a site on a full disk: %v %s", refused, out)
		if remedy := r.diagnosis()["disk"]; remedy == "" {
			t.Error("doctor says nothing")
		}
		if code, _, err := r.visit("s12.example", "/"); code != 200 {
			t.Errorf("a site: %d %v", code, err)
		}
		if code, _, err := r.visit("", "/signin"); code != 200 {
			t.Errorf("the panel: %d %v", code, err)
		}
		if refused == nil {
			within(t, patient, "it is tried in vain", func() bool { return r.site("full.example").Sync.State == "failed" })
		}
		if err := filler.Truncate(0); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if refused != nil {
			must(t, data, "site", "create", "full.example", "--account", "asso")
		}
		within(t, patient, "it is live", func() bool { return live("full.example") })
		t.Logf("live %v after there was room", time.Since(began))
		works(t, "after-full.example")
		within(t, patient, "all runs", func() bool { return r.status().Ready })
	})
}
