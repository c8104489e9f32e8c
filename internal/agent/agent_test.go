package agent

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-sql-driver/mysql"

	"cancale/internal/driver/tasks"
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

	site, err = w.store.PurgeSite(t.Context(), root, site.ID)
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
	db, err = w.store.PurgeDatabase(t.Context(), root, db.ID)
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

// fragile has a bug that one site meets, until it is mended.
type fragile struct {
	siteDriver
	id     hosting.SiteID
	mended *atomic.Bool
}

func (f fragile) Ensure(ctx context.Context, site hosting.Site) error {
	if site.ID == f.id && !f.mended.Load() {
		panic("boom")
	}
	return f.siteDriver.Ensure(ctx, site)
}

// fragileDatabases has one that a database meets.
type fragileDatabases struct {
	databaseDriver
	id     hosting.DatabaseID
	mended *atomic.Bool
}

func (f fragileDatabases) Ensure(ctx context.Context, db hosting.Database) error {
	if db.ID == f.id && !f.mended.Load() {
		panic("boom")
	}
	return f.databaseDriver.Ensure(ctx, db)
}

// Whichever driver has the bug, it is a failure of the one thing that meets it:
// all others of the same batch go live, and that one does when it is mended.
func TestAPanicIsAFailureOfOneThing(t *testing.T) {
	w := newWorld(t)
	for i, part := range []string{"unixacct", "phpfpm", "apache"} {
		t.Run(part, func(t *testing.T) {
			w.t = t
			names := make([]string, 12)
			for j := range names {
				names[j] = fmt.Sprintf("s%d.%s.example.org", j, part)
			}
			sites := w.create(names...)
			var dbs []hosting.Database
			for j := range 3 {
				db, _, err := w.store.CreateDatabase(t.Context(), root, w.account.ID, hosting.DatabaseName(fmt.Sprintf("asso_%s%d", part, j)))
				if err != nil {
					t.Fatal(err)
				}
				dbs = append(dbs, db)
			}
			a := w.agent()
			const bad = 5
			mended := &atomic.Bool{}
			a.sites[i] = fragile{a.sites[i], sites[bad].ID, mended}
			a.schemas = fragileDatabases{a.schemas, dbs[1].ID, mended}
			ctx, cancel := context.WithCancel(t.Context())
			var all sync.WaitGroup
			all.Go(func() { a.loop.Run(ctx) })
			all.Go(func() { a.claim(ctx, nil) })
			defer func() { cancel(); all.Wait(); a.foreign.Wait() }()

			if sync := w.wait(hosting.ResourceSite, uint64(sites[bad].ID), sites[bad].Sync.Generation, hosting.Failed); sync.Problem.Key != "site.failed_bug" {
				t.Errorf("it says %v", sync.Problem)
			}
			if sync := w.wait(hosting.ResourceDatabase, uint64(dbs[1].ID), dbs[1].Sync.Generation, hosting.Failed); sync.Problem.Key != "database.failed_bug" {
				t.Errorf("it says %v", sync.Problem)
			}
			for j, s := range sites {
				if j == bad {
					continue
				}
				w.live(s)
				if code, _ := w.get(s.Host, "/"); code != 200 {
					t.Errorf("%s answers %d", s.Host, code)
				}
			}
			for _, j := range []int{0, 2} {
				w.wait(hosting.ResourceDatabase, uint64(dbs[j].ID), dbs[j].Sync.Generation, hosting.Live)
			}
			if code, _ := w.get(sites[bad].Host, "/"); code != 404 {
				t.Errorf("the one that was never made answers %d", code)
			}
			mended.Store(true)
			w.live(sites[bad])
			w.wait(hosting.ResourceDatabase, uint64(dbs[1].ID), dbs[1].Sync.Generation, hosting.Live)
			if code, _ := w.get(sites[bad].Host, "/"); code != 200 {
				t.Errorf("it was mended and answers %d", code)
			}
		})
	}
}

// A bug in what watches over all things is no end of the agent either.
func TestAPartThatPanicsBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		began := 0
		keep(ctx, "part", func(ctx context.Context) {
			if began++; began < 4 {
				panic("boom")
			}
		})
		if began != 4 {
			t.Errorf("it began %d times", began)
		}
		go func() {
			time.Sleep(time.Minute)
			cancel()
		}()
		keep(ctx, "part", func(context.Context) { panic("always") })
	})
}

// A task that a bug keeps from running says so, and those that are due with it
// run.
func TestATaskThatPanicsStopsNoOther(t *testing.T) {
	w := newWorld(t)
	stop := w.work()
	sites := w.create("a.example.org", "b.example.org")
	w.live(sites...)
	stop()
	for _, site := range sites {
		task, err := w.store.CreateTask(t.Context(), root, site.ID, hosting.TaskSpec{Kind: hosting.TaskURL, Target: "/", Schedule: "0 3 * * *", TimeZone: "Europe/Paris"})
		if err == nil {
			err = w.store.RunTask(t.Context(), root, task.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	s := w.agent().newScheduler()
	runner := s.execute
	s.execute = func(ctx context.Context, site hosting.Site, task hosting.Task) (tasks.Result, error) {
		if site.ID == sites[0].ID {
			panic("boom")
		}
		return runner(ctx, site, task)
	}
	if err := s.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.all.Wait()
	for i, want := range []hosting.TaskOutcome{hosting.TaskNotRun, hosting.TaskDone} {
		if run := w.runs(sites[i])["/"]; len(run) != 1 || run[0].Outcome != want {
			t.Errorf("site %d: %+v", i, run)
		}
	}
	if len(s.running) != 0 {
		t.Error("it is still counted as running")
	}
}

// agent is one that is not at work: the test calls what it wants of it.
func (w *world) agent() *agent {
	w.t.Helper()
	a := w.other()
	if err := a.prepare(); err != nil {
		w.t.Fatal(err)
	}
	return a
}

// other is an agent beside the one at work.
func (w *world) other() *agent {
	w.t.Helper()
	node, err := store.OpenNode(w.t.Context(), w.Store, "main")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = node.Close() })
	a, err := newAgent(w.config(node))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = a.databases.Close() })
	return a
}

func (w *world) exec(statement string, args ...any) {
	w.t.Helper()
	if _, err := w.root().ExecContext(w.t.Context(), statement, args...); err != nil {
		w.t.Fatalf("%s: %v", statement, err)
	}
}

// root is MariaDB as its administrator.
func (w *world) root() *sql.DB {
	w.t.Helper()
	if w.admin == nil {
		c := mysql.NewConfig()
		c.User, c.Net, c.Addr = "root", "unix", w.server.Socket
		conn, err := mysql.NewConnector(c)
		if err != nil {
			w.t.Fatal(err)
		}
		w.admin = sql.OpenDB(conn)
		w.admin.SetMaxIdleConns(0) // some tests restart the server
	}
	return w.admin
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
		"log name lost":        func() error { return os.Remove(l.SiteLogName(site.Host.String())) },
		"log name astray": func() error {
			return errors.Join(os.Remove(l.SiteLogName(site.Host.String())), os.Symlink("/etc", l.SiteLogName(site.Host.String())))
		},
		"document root given away": func() error { return os.Chown(filepath.Join(home, "www"), 0, 0) },
		"document root lost":       func() error { return os.Rename(filepath.Join(home, "www"), filepath.Join(home, "private", "www")) },
		"PHP settings edited": func() error {
			return os.WriteFile(filepath.Join(l.PHP(), fmt.Sprint(site.ID), "pool.conf"), []byte("[www]\n"), 0o640)
		},
		"sandbox widened":  func() error { return os.Chmod(filepath.Join(l.Sandbox(), fmt.Sprintf("php-%d.json", site.ID)), 0o644) },
		"user lost":        func() error { w.exec("DROP USER 'asso_blog'@'localhost'"); return nil },
		"password changed": func() error { w.exec("SET PASSWORD FOR 'asso_blog'@'localhost' = PASSWORD('guessed')"); return nil },
		"more granted":     func() error { w.exec("GRANT ALL ON *.* TO 'asso_blog'@'localhost'"); return nil },
		"database lost":    func() error { w.exec("DROP DATABASE asso_blog"); return nil },
		"grants lost":      func() error { w.exec("REVOKE ALL PRIVILEGES, GRANT OPTION FROM 'asso_blog'@'localhost'"); return nil },
	} {
		told := w.repairs()
		if err := breaks(); err != nil {
			t.Fatal(err)
		}
		if pass(); pass() != 0 {
			t.Errorf("%s: not repaired at once", name)
		}
		if now := w.repairs(); len(now) != len(told)+1 {
			t.Errorf("%s: the audit log tells %v", name, now[len(told):])
		}
		if name == "document root lost" { // what was in it is where it was moved to
			w.script(site, "a.php", `<?php echo "here";`)
		}
		if code, body := w.get(site.Host, "/a.php"); code != 200 || body != "here" {
			t.Errorf("%s: answers %d: %s", name, code, body)
		}
	}
}

// repairs are what the audit log tells of the agent.
func (w *world) repairs() []string {
	w.t.Helper()
	entries, _, err := w.store.Audit(w.t.Context(), root.Scope(hosting.AdminAudit), store.AuditFilter{Search: "agent", PerPage: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	all := []string{}
	for _, e := range slices.Backward(entries) {
		all = append(all, e.Action+" "+e.Target+" "+e.After)
	}
	return all
}

func TestForeignFilesGo(t *testing.T) {
	w := newWorld(t)
	w.work()
	site := w.create("www.asso.example.org")[0]
	w.live(site)
	a, l := w.other(), w.layout()
	before := w.things()
	for path, make := range map[string]func(string) error{
		filepath.Join(l.Sandbox(), "php-999.json"):               func(p string) error { return os.WriteFile(p, []byte("{}"), 0o600) },
		filepath.Join(l.PHP(), "999"):                            func(p string) error { return os.MkdirAll(p+"/x", 0o700) },
		l.SocketDir(strings.Repeat("0", 32)):                     func(p string) error { return os.Mkdir(p, 0o755) },
		l.SiteLogName("foreign.example.org"):                     func(p string) error { return os.Symlink("/etc", p) },
		filepath.Join(l.ApacheSites(), "zz.conf"):                func(p string) error { return os.WriteFile(p, []byte("Nonsense\n"), 0o600) },
		filepath.Join(l.ApacheSites(), "999.conf"):               func(p string) error { return os.WriteFile(p, []byte("Nonsense\n"), 0o600) },
		filepath.Join(l.Sandbox(), "a name\nwith a second line"): func(p string) error { return os.WriteFile(p, nil, 0o600) },
	} {
		if err := make(path); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.list(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.foreign.Wait()
	if got := w.things(); !slices.Equal(got, before) {
		t.Errorf("left: %v, before: %v", got, before)
	}
	if told := w.repairs(); len(told) != 1 || !strings.HasPrefix(told[0], "node.repair main ") {
		t.Errorf("the audit log tells %v", told)
	}
	if code, _ := w.get(site.Host, "/"); code != 200 {
		t.Errorf("the site answers %d", code)
	}
}

// A clock that was wrong for a while, in either direction, leaves nothing
// undone: whatever its times say, a resync goes over everything.
func TestTheClockJumps(t *testing.T) {
	w := newWorld(t)
	sites := w.create("a.example.org", "b.example.org", "c.example.org")
	for i, due := range []string{"NOW(6) + INTERVAL 20 YEAR", "NOW(6) - INTERVAL 20 YEAR", "NOW(6) + INTERVAL 3 HOUR"} {
		w.exec("UPDATE "+w.Store.Database+".sites SET due_at = "+due+", changed_at = "+due+" WHERE id = ?", sites[i].ID)
	}
	w.work()
	w.live(sites...)
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

// Whatever is said to the agent means nothing but "look": garbage and a flood of
// it neither stop it nor make others wait, and everything it does is what the
// store says.
func TestWakeUpsOfAnyKind(t *testing.T) {
	w := newWorld(t)
	w.work()
	before := w.things()
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: w.layout().AgentSocket(), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	flood, stop := context.WithCancel(t.Context())
	var sender sync.WaitGroup
	sent := 0
	sender.Go(func() {
		garbage := [][]byte{nil, {0}, []byte("../../etc/passwd\n"), bytes.Repeat([]byte("\xff"), 60_000), []byte(`{"resource":"site","id":1,"removing":true}`)}
		for flood.Err() == nil {
			_ = conn.SetWriteDeadline(time.Now().Add(10 * time.Millisecond)) // it is full most of the time
			if _, err := conn.Write(garbage[sent%len(garbage)]); err == nil {
				sent++
			}
		}
	})
	w.live(w.create("a.example.org", "b.example.org")...)
	stop()
	sender.Wait()
	if sent < 100 {
		t.Errorf("only %d were sent", sent)
	}
	if got := w.things(); len(got) <= len(before) {
		t.Errorf("there is %v", got)
	}
	// Somebody who is nobody says it, or takes the socket away: work goes on by
	// itself.
	if err := os.Remove(w.layout().AgentSocket()); err != nil {
		t.Fatal(err)
	}
	w.live(w.create("c.example.org")...)
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
	// What else can happen to a site that is live: the wish, where it ends, and
	// what the site then answers under its first name.
	changes := map[string]struct {
		wish func(w *world, site hosting.Site) (hosting.Site, error)
		want hosting.State
		code int
	}{
		"removal": {func(w *world, site hosting.Site) (hosting.Site, error) {
			return w.store.PurgeSite(w.t.Context(), root, site.ID)
		}, hosting.Removed, 404},
		"suspension": {func(w *world, site hosting.Site) (hosting.Site, error) {
			return w.store.SuspendSite(w.t.Context(), root, site.ID)
		}, hosting.Suspended, 503},
	}
	for _, act := range []string{"creation", "removal", "suspension"} {
		t.Run(act, func(t *testing.T) {
			w := newWorld(t)
			w.work()() // makes the directories
			empty := w.things()
			survived := false
			n := 1
			for ; !survived; n++ {
				name := fmt.Sprintf("killed-at-%d.example.org", n)
				site := w.create(name)[0]
				first, want := site.Host, hosting.Live
				if c, ok := changes[act]; ok {
					stop := w.work()
					w.live(site)
					stop()
					var err error
					if site, err = c.wish(w, site); err != nil {
						t.Fatal(err)
					}
					want = c.want
				}
				survived = w.killed(w.child(n), site, want)

				stop := w.work()
				w.wait(hosting.ResourceSite, uint64(site.ID), site.Sync.Generation, want)
				if c, ok := changes[act]; ok {
					if code, body := w.get(first, "/"); code != c.code {
						t.Errorf("killed at %d: it answers %d: %s", n, code, body)
					}
				} else {
					w.script(site, "a.php", `<?php echo "here";`)
					for path, text := range map[string]string{"/": name, "/a.php": "here"} {
						if code, body := w.get(site.Host, path); code != 200 || !strings.Contains(body, text) {
							t.Fatalf("killed at %d: %s answers %d: %s", n, path, code, body)
						}
					}
				}
				if want != hosting.Removed {
					removed, err := w.store.PurgeSite(t.Context(), root, site.ID)
					if err != nil {
						t.Fatal(err)
					}
					w.wait(hosting.ResourceSite, uint64(site.ID), removed.Sync.Generation, hosting.Removed)
				}
				if code, _ := w.get(first, "/"); code != 404 {
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
	w.byItself(err)
	return survived
}

// byItself fails when an agent ended in another way than well, or by killing
// itself.
func (w *world) byItself(err error) {
	w.t.Helper()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL) {
		w.t.Fatalf("the agent ended: %v", err)
	}
}
