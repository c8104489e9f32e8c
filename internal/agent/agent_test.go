package agent

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"cancale/internal/hosting"
	"cancale/internal/store"
)

func TestLifeOfASite(t *testing.T) {
	w := newWorld(t)
	w.work()
	empty := w.things()

	site := w.create("www.asso.example.org")[0]
	w.live(site)
	if code, body := w.get(site.Host, "/"); code != 200 || !strings.Contains(body, "www.asso.example.org") {
		t.Errorf("a new site answers %d: %s", code, body)
	}
	w.script(site, "who.php", `<?php echo posix_getuid(), " ", __FILE__;`)
	if code, body := w.get(site.Host, "/who.php"); code != 200 || body != fmt.Sprint(site.UID, " /srv/site/www/who.php") {
		t.Errorf("PHP answers %d: %s", code, body)
	}

	site, err := w.store.SuspendSite(t.Context(), root, site.ID)
	if err != nil {
		t.Fatal(err)
	}
	w.wait(hosting.ResourceSite, uint64(site.ID), site.Sync.Generation, hosting.Suspended)
	if code, _ := w.get(site.Host, "/who.php"); code != 503 {
		t.Errorf("a suspended site answers %d", code)
	}
	site, err = w.store.ResumeSite(t.Context(), root, site.ID)
	if err != nil {
		t.Fatal(err)
	}
	w.live(site)
	if code, _ := w.get(site.Host, "/who.php"); code != 200 {
		t.Errorf("after it was resumed it answers %d", code)
	}

	site, err = w.store.UpdateSite(t.Context(), root, site.ID, hosting.SiteSpec{
		Host: "new.asso.example.org", Aliases: []hosting.Hostname{"www.asso.example.org"}, DocumentRoot: "www/public", PHP: "8.2",
	})
	if err != nil {
		t.Fatal(err)
	}
	w.live(site)
	w.script(site, "index.php", `<?php echo "public";`)
	for _, host := range site.Names() {
		if code, body := w.get(host, "/"); code != 200 || body != "public" {
			t.Errorf("%s answers %d: %s", host, code, body)
		}
	}

	site, err = w.store.RemoveSite(t.Context(), root, site.ID)
	if err != nil {
		t.Fatal(err)
	}
	w.wait(hosting.ResourceSite, uint64(site.ID), site.Sync.Generation, hosting.Removed)
	if code, body := w.get(site.Host, "/"); code != 404 || strings.Contains(body, "public") {
		t.Errorf("a removed site answers %d: %s", code, body)
	}
	if got := w.things(); !slices.Equal(got, empty) {
		t.Errorf("left behind: %v, at first there was: %v", got, empty)
	}
}

func TestLifeOfADatabase(t *testing.T) {
	w := newWorld(t)
	w.work()
	db, password, err := w.store.CreateDatabase(t.Context(), root, w.account.ID, "asso_blog")
	if err != nil {
		t.Fatal(err)
	}
	w.wait(hosting.ResourceDatabase, uint64(db.ID), db.Sync.Generation, hosting.Live)
	signIn := func() error {
		c := mysql.NewConfig()
		c.User, c.Passwd, c.DBName, c.Net, c.Addr = db.User(), password, string(db.Name), "unix", w.server.Socket
		conn, err := mysql.NewConnector(c)
		if err != nil {
			t.Fatal(err)
		}
		pool := sql.OpenDB(conn)
		defer pool.Close()
		_, err = pool.ExecContext(t.Context(), "CREATE TABLE IF NOT EXISTS t (a INT)")
		return err
	}
	if err := signIn(); err != nil {
		t.Error(err)
	}
	if err := w.store.SuspendAccount(t.Context(), root, w.account.ID); err != nil {
		t.Fatal(err)
	}
	w.wait(hosting.ResourceDatabase, uint64(db.ID), db.Sync.Generation+1, hosting.Suspended)
	if signIn() == nil {
		t.Error("a suspended account signs in")
	}
	if err := w.store.ResumeAccount(t.Context(), root, w.account.ID); err != nil {
		t.Fatal(err)
	}
	w.wait(hosting.ResourceDatabase, uint64(db.ID), db.Sync.Generation+2, hosting.Live)
	if err := signIn(); err != nil {
		t.Error(err)
	}
	db, err = w.store.RemoveDatabase(t.Context(), root, db.ID)
	if err != nil {
		t.Fatal(err)
	}
	w.wait(hosting.ResourceDatabase, uint64(db.ID), db.Sync.Generation, hosting.Removed)
	if signIn() == nil {
		t.Error("a removed database is still there")
	}
}

func TestASiteThatFailsStopsNoOther(t *testing.T) {
	w := newWorld(t)
	w.work()
	w.live(w.create("before.example.org")...)
	sites := w.create("good.example.org", "bad.example.org", "fine.example.org")
	w.live(sites...)

	// What the store would never write is in its table.
	w.exec("UPDATE "+w.Store.Database+".sites SET php = '5.6', generation = generation + 1, state = 'pending', due_at = NOW(6) - INTERVAL 1 SECOND WHERE id = ?", sites[1].ID)
	sync := w.wait(hosting.ResourceSite, uint64(sites[1].ID), sites[1].Sync.Generation+1, hosting.Failed)
	if sync.Problem.Key != "site.failed_php" || sync.Attempts < 1 || sync.DueAt.Before(time.Now().Add(-time.Minute)) {
		t.Errorf("it says %+v", sync)
	}
	w.live(w.create("after.example.org")...)
	for _, host := range []hosting.Hostname{"good.example.org", "bad.example.org", "fine.example.org", "after.example.org"} {
		if code, _ := w.get(host, "/"); code != 200 {
			t.Errorf("%s answers %d", host, code)
		}
	}
	w.exec("UPDATE "+w.Store.Database+".sites SET php = '8.2' WHERE id = ?", sites[1].ID)
	w.wait(hosting.ResourceSite, uint64(sites[1].ID), sites[1].Sync.Generation+1, hosting.Live) // by itself, a second later
}

// fragile panics for one site.
type fragile struct{ id hosting.SiteID }

func (f fragile) Ensure(_ context.Context, site hosting.Site) error {
	if site.ID == f.id {
		panic("boom")
	}
	return nil
}

func (f fragile) Remove(context.Context, hosting.Site) error { return nil }

func TestAPanicIsAFailureOfOneSite(t *testing.T) {
	w := newWorld(t)
	sites := w.create("a.example.org", "b.example.org")
	a := w.agent()
	a.sites = append(a.sites, fragile{sites[0].ID})
	for i, want := range []hosting.State{hosting.Failed, hosting.Live} {
		if err := a.reconcile(t.Context(), hosting.Key{Resource: hosting.ResourceSite, ID: uint64(sites[i].ID)}); err != nil {
			t.Fatal(err)
		}
		sync := w.wait(hosting.ResourceSite, uint64(sites[i].ID), sites[i].Sync.Generation, want)
		if want == hosting.Failed && sync.Problem.Key != "site.failed_internal" {
			t.Errorf("it says %v", sync.Problem)
		}
	}
}

// agent is one that is not at work: the test calls what it wants of it.
func (w *world) agent() *agent {
	w.t.Helper()
	node, err := store.OpenNode(w.t.Context(), w.Store, "main")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = node.Close() })
	a, err := newAgent(w.config(node))
	if err == nil {
		err = a.prepare()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = a.databases.Close() })
	return a
}

func (w *world) exec(statement string, args ...any) {
	w.t.Helper()
	c := mysql.NewConfig()
	c.User, c.Net, c.Addr = "root", "unix", w.server.Socket
	conn, err := mysql.NewConnector(c)
	if err != nil {
		w.t.Fatal(err)
	}
	db := sql.OpenDB(conn)
	defer db.Close()
	if _, err := db.ExecContext(w.t.Context(), statement, args...); err != nil {
		w.t.Fatalf("%s: %v", statement, err)
	}
}

func TestResyncRepairsAndOtherwiseChangesNothing(t *testing.T) {
	w := newWorld(t)
	site := w.create("www.asso.example.org")[0]
	db, _, err := w.store.CreateDatabase(t.Context(), root, w.account.ID, "asso_blog")
	if err != nil {
		t.Fatal(err)
	}
	a, l := w.agent(), w.layout()
	keys, err := a.list(t.Context())
	if err != nil || len(keys) != 2 {
		t.Fatalf("%v, %v", keys, err)
	}
	pass := func() (changes int64) {
		t.Helper()
		before := a.host.Changes()
		for _, k := range keys {
			if err := a.reconcile(t.Context(), k); err != nil {
				t.Fatal(err)
			}
		}
		w.live(site)
		w.wait(hosting.ResourceDatabase, uint64(db.ID), db.Sync.Generation, hosting.Live)
		return a.host.Changes() - before
	}
	pass()
	w.script(site, "a.php", `<?php echo "here";`)
	if n := pass(); n != 0 {
		t.Errorf("the second pass changed %d things", n)
	}
	home, conf := l.Home(string(site.HomeToken)), filepath.Join(l.ApacheSites(), fmt.Sprint(site.ID, ".conf"))
	for name, breaks := range map[string]func() error{
		"virtual host lost":    func() error { return os.Remove(conf) },
		"virtual host changed": func() error { return os.WriteFile(conf, []byte("# nothing\n"), 0o600) },
		"home closed":          func() error { return os.Chmod(home, 0) },
		"PHP settings lost":    func() error { return os.RemoveAll(filepath.Join(l.PHP(), fmt.Sprint(site.ID))) },
		"socket lost":          func() error { return os.Remove(l.PHPSocket(string(site.SocketToken))) },
		"grants lost":          func() error { w.exec("REVOKE ALL PRIVILEGES, GRANT OPTION FROM 'asso_blog'@'localhost'"); return nil },
	} {
		if err := breaks(); err != nil {
			t.Fatal(err)
		}
		if pass(); pass() != 0 {
			t.Errorf("%s: not repaired at once", name)
		}
		if code, body := w.get(site.Host, "/a.php"); code != 200 || body != "here" {
			t.Errorf("%s: answers %d: %s", name, code, body)
		}
	}
}

func TestWhatTheStoreDoesNotKnowIsNotServed(t *testing.T) {
	w := newWorld(t)
	stop := w.work()
	sites := w.create("kept.example.org", "foreign.example.org")
	w.live(sites...)
	stop()
	w.exec("DELETE FROM "+w.Store.Database+".site_names WHERE site_id = ?", sites[1].ID)
	w.exec("DELETE FROM "+w.Store.Database+".sites WHERE id = ?", sites[1].ID)
	w.work()
	w.eventually("the foreign site is off the web", func() bool { code, _ := w.get("foreign.example.org", "/"); return code == 404 })
	if code, _ := w.get("kept.example.org", "/"); code != 200 {
		t.Errorf("the other one answers %d", code)
	}
	if _, err := os.Stat(filepath.Join(w.layout().Home(string(sites[1].HomeToken)), "www")); err != nil {
		t.Errorf("its files are gone: %v", err)
	}
}

func TestOneAgentPerInstallation(t *testing.T) {
	w := newWorld(t)
	w.work()
	if err := w.run(t.Context()); err == nil || !strings.Contains(err.Error(), "another agent") {
		t.Errorf("a second agent: %v", err)
	}
	w.live(w.create("a.example.org")...)
}

func TestStoreThatGoesAwayForAWhile(t *testing.T) {
	w := newWorld(t)
	w.work()
	w.live(w.create("a.example.org")...)
	if err := os.Remove(w.layout().MariaDBSocket()); err != nil {
		t.Fatal(err)
	}
	w.exec("KILL USER '" + w.Store.User + "'@'localhost'")
	site := w.create("b.example.org")[0]
	time.Sleep(1500 * time.Millisecond)
	if err := os.Symlink(w.server.Socket, w.layout().MariaDBSocket()); err != nil {
		t.Fatal(err)
	}
	w.live(site)
}

func TestManySitesAtOnce(t *testing.T) {
	w := newWorld(t)
	w.work()
	names := make([]string, 100)
	for i := range names {
		names[i] = fmt.Sprintf("site-%d.example.org", i)
	}
	start := time.Now()
	w.live(w.create(names...)...)
	t.Logf("100 sites in %v", time.Since(start))
	var wait sync.WaitGroup
	wait.Go(func() {
		start := time.Now()
		w.live(w.create("wanted.example.com")...)
		t.Logf("one more in %v", time.Since(start))
	})
	wait.Wait()
	for _, n := range []string{names[0], names[99], "wanted.example.com"} {
		if code, _ := w.get(hosting.Hostname(n), "/"); code != 200 {
			t.Errorf("%s answers %d", n, code)
		}
	}
}

// The agent's process ends itself before each of its steps in turn, while it
// makes a site and while it removes it. Whatever it leaves, the next one makes
// good.
func TestKilledAtEveryStep(t *testing.T) {
	for _, act := range []string{"creation", "removal"} {
		t.Run(act, func(t *testing.T) {
			w := newWorld(t)
			w.work()() // makes the directories
			empty := w.things()
			survived := false
			n := 1
			for ; !survived; n++ {
				name := fmt.Sprintf("killed-at-%d.example.org", n)
				site := w.create(name)[0]
				want := hosting.Live
				if act == "removal" {
					stop := w.work()
					w.live(site)
					stop()
					var err error
					if site, err = w.store.RemoveSite(t.Context(), root, site.ID); err != nil {
						t.Fatal(err)
					}
					want = hosting.Removed
				}
				survived = w.killed(w.child(n), site, want)

				stop := w.work()
				w.wait(hosting.ResourceSite, uint64(site.ID), site.Sync.Generation, want)
				if act == "creation" {
					w.script(site, "a.php", `<?php echo "here";`)
					for path, text := range map[string]string{"/": name, "/a.php": "here"} {
						if code, body := w.get(site.Host, path); code != 200 || !strings.Contains(body, text) {
							t.Fatalf("killed at %d: %s answers %d: %s", n, path, code, body)
						}
					}
					removed, err := w.store.RemoveSite(t.Context(), root, site.ID)
					if err != nil {
						t.Fatal(err)
					}
					w.wait(hosting.ResourceSite, uint64(site.ID), removed.Sync.Generation, hosting.Removed)
				}
				if code, _ := w.get(site.Host, "/"); code != 404 {
					t.Errorf("killed at %d: the removed site answers %d", n, code)
				}
				stop()
				if got := w.things(); !slices.Equal(got, empty) {
					t.Fatalf("killed at %d: left behind: %v, at first there was: %v", n, got, empty)
				}
			}
			t.Logf("%d steps", n-1)
			if n < 10 {
				t.Errorf("only %d steps: something is not counted", n-1)
			}
		})
	}
}

// killed waits until the agent has killed itself, or has come to the end; then
// it is told to stop.
func (w *world) killed(cmd *exec.Cmd, site hosting.Site, want hosting.State) (survived bool) {
	w.t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	settled := make(chan hosting.State, 1)
	go func() {
		sync, err := w.store.Wait(ctx, hosting.Key{Resource: hosting.ResourceSite, ID: uint64(site.ID)}, site.Sync.Generation)
		if err == nil {
			settled <- sync.State
		}
	}()
	var err error
	select {
	case state := <-settled:
		if state != want {
			w.t.Errorf("it is %s", state)
		}
		_ = cmd.Process.Signal(syscall.SIGTERM)
		err = <-ended
		survived = err == nil
	case err = <-ended:
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL) {
		w.t.Fatalf("the agent ended: %v", err)
	}
	return survived
}
