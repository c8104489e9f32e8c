package agent

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"cancale/internal/hosting"
	"cancale/internal/store"
)

// killing is a site and a database that are live, to which things are wished.
type killing struct {
	*world
	node          *store.NodeStore
	site          hosting.Site
	db            hosting.Database
	password      string
	login         hosting.FTPName
	loginPassword string
	changed       []changed // by the last wish
}

// changed is what a wish concerns.
type changed struct {
	key        hosting.Key
	generation uint64
}

// act is a wish and the wish that takes it back. Each is asked in done and
// undone whether the machine is so: nil then.
type act struct {
	do, undo     func(k *killing) error
	state        hosting.State // in which do ends
	back         hosting.State // in which undo does; live unless it says so
	done, undone func(k *killing) error
}

func (k *killing) wish(wish func(*killing) error) {
	k.t.Helper()
	if err := wish(k); err != nil {
		k.t.Fatal(err)
	}
	site, err := k.node.Site(k.t.Context(), k.site.ID) // be it removed or not
	if err != nil {
		k.t.Fatal(err)
	}
	db, err := k.node.Database(k.t.Context(), k.db.ID)
	if err != nil {
		k.t.Fatal(err)
	}
	k.changed = nil
	if site.Sync.Generation != k.site.Sync.Generation {
		k.changed = append(k.changed, changed{siteKey(site.ID), site.Sync.Generation})
	}
	if db.Sync.Generation != k.db.Sync.Generation {
		k.changed = append(k.changed, changed{databaseKey(db.ID), db.Sync.Generation})
	}
	if len(k.changed) == 0 {
		k.t.Fatal("nothing was wished")
	}
	k.site, k.db = site, db
}

// answers fails when the site does not answer so.
func (k *killing) answers(host hosting.Hostname, path string, want int) error {
	if code, body := k.get(host, path); code != want {
		return fmt.Errorf("%s%s answers %d, not %d: %.200s", host, path, code, want, body)
	}
	return nil
}

// signsIn fails when the database's user with the password can sign in, or not.
func (k *killing) signsIn(password string, want bool) error {
	c := mysql.NewConfig()
	c.User, c.Passwd, c.DBName, c.Net, c.Addr = k.db.User(), password, string(k.db.Name), "unix", k.server.Socket
	conn, err := mysql.NewConnector(c)
	if err != nil {
		return err
	}
	pool := sql.OpenDB(conn)
	defer pool.Close()
	if err := pool.PingContext(k.t.Context()); (err == nil) != want {
		return fmt.Errorf("signed in: %v, want %v: %w", err == nil, want, err)
	}
	return nil
}

// each gives the errors of checks, the first of them.
func each(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

const first, second, alias = hosting.Hostname("first.example.org"), hosting.Hostname("second.example.org"), hosting.Hostname("www.second.example.org")

var siteActs = map[string]act{
	"resumption of a site": {
		do:     func(k *killing) error { _, err := k.store.ResumeSite(k.t.Context(), root, k.site.ID); return err },
		undo:   func(k *killing) error { _, err := k.store.SuspendSite(k.t.Context(), root, k.site.ID); return err },
		state:  hosting.Live,
		back:   hosting.Suspended,
		done:   func(k *killing) error { return k.answers(first, "/a.php", 200) },
		undone: func(k *killing) error { return k.answers(first, "/a.php", 503) },
	},
	"other names and another folder": {
		do: func(k *killing) error {
			_, err := k.store.UpdateSite(k.t.Context(), root, k.site.ID, hosting.SiteSpec{Host: second, Aliases: []hosting.Hostname{alias}, DocumentRoot: "www/public", PHP: "8.2"})
			return err
		},
		undo: func(k *killing) error {
			_, err := k.store.UpdateSite(k.t.Context(), root, k.site.ID, hosting.SiteSpec{Host: first, DocumentRoot: "www", PHP: "8.2"})
			return err
		},
		state: hosting.Live,
		done: func(k *killing) error {
			k.script(k.site, "index.php", `<?php echo "public";`)
			return each(k.answers(second, "/", 200), k.answers(alias, "/", 200), k.answers(first, "/", 404))
		},
		undone: func(k *killing) error { return each(k.answers(first, "/a.php", 200), k.answers(second, "/", 404)) },
	},
	"settings of PHP": {
		do: func(k *killing) error {
			_, err := k.store.ChangeSite(k.t.Context(), root, k.site.ID, hosting.PHPChange{Version: "8.2", Settings: hosting.PHPSettings{MemoryMB: 99}})
			return err
		},
		undo: func(k *killing) error {
			_, err := k.store.ChangeSite(k.t.Context(), root, k.site.ID, hosting.PHPChange{Version: "8.2"})
			return err
		},
		state:  hosting.Live,
		done:   func(k *killing) error { return k.says("/memory.php", "99M") },
		undone: func(k *killing) error { return k.says("/memory.php", "128M") },
	},
	"a folder with a password": {
		do: func(k *killing) error {
			if _, err := k.store.ChangeSite(k.t.Context(), root, k.site.ID, hosting.ProtectFolder{Path: "/private"}); err != nil {
				return err
			}
			_, err := k.store.AllowFolderUser(k.t.Context(), root, k.site.ID, "/private", "yann", "une-marée-assez-longue")
			return err
		},
		undo: func(k *killing) error {
			_, err := k.store.ChangeSite(k.t.Context(), root, k.site.ID, hosting.UnprotectFolder{Path: "/private"})
			return err
		},
		state:  hosting.Live,
		done:   func(k *killing) error { return k.answers(first, "/private/", 401) },
		undone: func(k *killing) error { return k.answers(first, "/private/", 404) },
	},
}

var accountActs = map[string]act{
	"suspension of an account": {
		do:     func(k *killing) error { return k.store.SuspendAccount(k.t.Context(), root, k.account.ID) },
		undo:   func(k *killing) error { return k.store.ResumeAccount(k.t.Context(), root, k.account.ID) },
		state:  hosting.Suspended,
		done:   func(k *killing) error { return each(k.answers(first, "/a.php", 503), k.signsIn(k.password, false)) },
		undone: func(k *killing) error { return each(k.answers(first, "/a.php", 200), k.signsIn(k.password, true)) },
	},
	"resumption of an account": {
		do:     func(k *killing) error { return k.store.ResumeAccount(k.t.Context(), root, k.account.ID) },
		undo:   func(k *killing) error { return k.store.SuspendAccount(k.t.Context(), root, k.account.ID) },
		state:  hosting.Live,
		back:   hosting.Suspended,
		done:   func(k *killing) error { return each(k.answers(first, "/a.php", 200), k.signsIn(k.password, true)) },
		undone: func(k *killing) error { return k.answers(first, "/a.php", 503) },
	},
	"another password of a database": {
		do:     (*killing).newPassword,
		undo:   (*killing).newPassword,
		state:  hosting.Live,
		done:   func(k *killing) error { return k.signsIn(k.password, true) },
		undone: func(k *killing) error { return k.signsIn(k.password, true) },
	},
}

// keptActs are what becomes of a whole account that is removed, kept and brought
// back.
var keptActs = map[string]act{
	"removal of an account": {
		do:     (*killing).removeAccount,
		undo:   (*killing).restoreAccount,
		state:  hosting.Removed,
		done:   (*killing).kept,
		undone: (*killing).whole,
	},
	"restoration of an account": {
		do:     (*killing).restoreAccount,
		undo:   (*killing).removeAccount,
		state:  hosting.Live,
		back:   hosting.Removed,
		done:   (*killing).whole,
		undone: (*killing).kept,
	},
}

func (k *killing) removeAccount() error {
	return k.store.RemoveAccount(k.t.Context(), root, k.account.ID)
}

func (k *killing) restoreAccount() error {
	left, err := k.store.RestoreAccount(k.t.Context(), root, k.account.ID)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("left behind: %v", left)
	}
	return err
}

// fill gives the database something to lose, and the account an FTP login.
func (k *killing) fill() {
	k.t.Helper()
	k.exec("CREATE TABLE `" + string(k.db.Name) + "`.boats (name VARCHAR(20))")
	k.exec("INSERT INTO `" + string(k.db.Name) + "`.boats VALUES ('Surcouf')")
	login, password, err := k.store.CreateFTPLogin(k.t.Context(), root, k.account.ID, hosting.FTPSpec{Login: hosting.FTPName("web@" + string(k.account.Name)), Site: k.site.ID})
	if err != nil {
		k.t.Fatal(err)
	}
	k.login, k.loginPassword = login.Login, password
}

// whole fails when the account lacks anything that it had.
func (k *killing) whole() error {
	return each(k.answers(k.site.Host, "/a.php", 200), k.signsIn(k.password, true), k.boats(), k.entersFTP(true))
}

// kept fails when somebody still reaches anything of a removed account, or
// anything of it is lost.
func (k *killing) kept() error {
	if _, err := os.Lstat(k.layout().Home(string(k.site.HomeToken))); err == nil {
		return errors.New("the home is in its place")
	}
	if _, err := os.Lstat(filepath.Join(k.layout().TrashOf(uint64(k.site.ID)), "home", "www", "a.php")); err != nil {
		return err
	}
	k.unserved()
	return each(k.signsIn(k.password, false), k.boats(), k.entersFTP(false))
}

// unserved waits until the site is not served: a child of Apache's that has yet
// to end may answer once more.
func (k *killing) unserved() {
	k.t.Helper()
	k.eventually("the removed site is not served", func() bool { return k.answers(k.site.Host, "/a.php", 404) == nil })
}

// boats fails when what the database held is not there.
func (k *killing) boats() error {
	var name string
	err := k.root().QueryRowContext(k.t.Context(), "SELECT name FROM `"+string(k.db.Name)+"`.boats").Scan(&name)
	if err == nil && name != "Surcouf" {
		err = fmt.Errorf("the database holds %q", name)
	}
	return err
}

func (k *killing) entersFTP(want bool) error {
	_, err := k.store.AuthenticateFTP(k.t.Context(), string(k.login), k.loginPassword, "192.0.2.1")
	if (err == nil) != want {
		return fmt.Errorf("signed in to FTP: %v, want %v: %w", err == nil, want, err)
	}
	k.exec("DELETE FROM " + k.Store.Database + ".throttles") // we are nobody who guesses
	return nil
}

// An account that was kept long enough goes for good, whenever the agent ends
// itself meanwhile, and nothing of it is left.
func TestAKeptAccountsEndKilledAtEveryStep(t *testing.T) {
	w := newWorld(t)
	w.work()()
	node := w.other().cfg.Store
	empty := w.things()
	survived, n := false, 1
	for ; !survived; n++ {
		name := fmt.Sprintf("ends%d", n)
		var err error
		if w.account, err = w.store.CreateAccount(t.Context(), root, hosting.AccountSpec{Name: hosting.AccountName(name), Label: "Ends", Plan: "all"}); err != nil {
			t.Fatal(err)
		}
		k := &killing{world: w, node: node, site: w.create(name + ".example.org")[0]}
		if k.db, k.password, err = w.store.CreateDatabase(t.Context(), root, w.account.ID, hosting.DatabaseName(name+"_blog")); err != nil {
			t.Fatal(err)
		}
		stop := w.work()
		w.live(k.site)
		w.wait(hosting.ResourceDatabase, uint64(k.db.ID), k.db.Sync.Generation, hosting.Live)
		k.fill()
		w.script(k.site, "a.php", `<?php echo "here";`)
		k.wish((*killing).removeAccount)
		k.settle(hosting.Removed)
		if err := k.kept(); err != nil {
			t.Fatal(err)
		}
		stop()

		k.wish(func(k *killing) error {
			// Its days are over: all that it had goes with it.
			for _, table := range []string{"accounts", "sites", "hosted_databases", "ftp_logins"} {
				k.exec("UPDATE " + k.Store.Database + "." + table + " SET kept_until = NOW(6) - INTERVAL 1 SECOND WHERE kept_until IS NOT NULL")
			}
			_, err := k.store.Sweep(t.Context())
			return err
		})
		survived = k.ends(w.child(n), hosting.Removed)
		stop = w.work()
		k.settle(hosting.Removed)
		if _, err := w.store.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		stop()
		if _, err := w.store.AccountByName(t.Context(), root.Scope(hosting.AccountRead), w.account.Name); hosting.KindOf(err) != hosting.NotFound {
			t.Fatalf("killed at %d: the account is still there: %v", n, err)
		}
		if left := w.named(string(k.db.Name)); left != 0 {
			t.Fatalf("killed at %d: %d things of %s are left in MariaDB", n, left, k.db.Name)
		}
		if now := w.things(); !slices.Equal(now, empty) {
			t.Fatalf("killed at %d: there is %v, at first there was %v", n, now, empty)
		}
		if kept, err := os.ReadDir(w.layout().Trash()); err != nil || len(kept) > 0 {
			t.Fatalf("killed at %d: still kept: %v, %v", n, kept, err)
		}
		k.unserved()
		if err := each(k.signsIn(k.password, false), k.entersFTP(false)); err != nil {
			t.Fatalf("killed at %d: %v", n, err)
		}
	}
	t.Logf("%d steps", n-1)
	if n < 5 {
		t.Errorf("only %d steps: something is not counted", n-1)
	}
}

func (k *killing) newPassword() (err error) {
	old := k.password
	_, k.password, err = k.store.ResetDatabasePassword(k.t.Context(), root, k.db.ID)
	if err == nil && k.password == old {
		err = errors.New("the same password again")
	}
	return err
}

func (k *killing) says(path, want string) error {
	if _, body := k.get(first, path); body != want {
		return fmt.Errorf("%s says %.200q, not %q", path, body, want)
	}
	return nil
}

func (k *killing) settle(state hosting.State) {
	k.t.Helper()
	for _, c := range k.changed {
		k.wait(c.key.Resource, c.key.ID, c.generation, state)
	}
}

// The agent ends itself before each of the steps that a change takes. Whatever
// it leaves, the next one ends what was begun, and the machine is the same as
// if nothing had happened.
func TestAChangeKilledAtEveryStep(t *testing.T) { killedAtEveryStep(t, siteActs) }

func TestAnAccountThatGoesAndComesKilledAtEveryStep(t *testing.T) { killedAtEveryStep(t, keptActs) }

func TestAnAccountsChangeKilledAtEveryStep(t *testing.T) { killedAtEveryStep(t, accountActs) }

func killedAtEveryStep(t *testing.T, acts map[string]act) {
	w := newWorld(t)
	w.work()()                                  // makes the directories
	w.exec("DROP DATABASE IF EXISTS asso_blog") // the server is the tests' common one
	k := &killing{world: w, node: w.other().cfg.Store, site: w.create(string(first))[0]}
	var err error
	if k.db, k.password, err = w.store.CreateDatabase(t.Context(), root, w.account.ID, "asso_blog"); err != nil {
		t.Fatal(err)
	}
	stop := w.work()
	w.live(k.site)
	w.wait(hosting.ResourceDatabase, uint64(k.db.ID), k.db.Sync.Generation, hosting.Live)
	k.fill()
	w.script(k.site, "a.php", `<?php echo "here";`)
	w.script(k.site, "memory.php", `<?php echo ini_get("memory_limit");`)
	stop()
	tried := 0
	for name, act := range acts {
		t.Run(name, func(t *testing.T) {
			k.t, w.t = t, t
			back := cmp.Or(act.back, hosting.Live)
			if act.back != "" {
				stop := w.work()
				k.wish(act.undo)
				k.settle(back)
				stop()
			}
			var after []string
			survived, n := false, 1
			for ; !survived; n++ {
				k.wish(act.do)
				survived = k.ends(w.child(n), act.state)
				stop := w.work()
				k.settle(act.state)
				if err := act.done(k); err != nil {
					t.Fatalf("killed at %d: %v", n, err)
				}
				if now := w.things(); after == nil || !slices.Equal(now, after) {
					if after != nil {
						t.Fatalf("killed at %d: there is %v, without it %v", n, now, after)
					}
					after = now
				}
				k.wish(act.undo)
				k.settle(back)
				if err := act.undone(k); err != nil {
					t.Fatalf("killed at %d, and undone: %v", n, err)
				}
				stop()
			}
			if act.back != "" {
				stop := w.work()
				k.wish(act.do)
				k.settle(act.state)
				stop()
			}
			tried += n - 1
			t.Logf("%d steps", n-1)
			if n < 3 {
				t.Errorf("only %d steps: something is not counted", n-1)
			}
		})
	}
	t.Logf("%d kills in all", tried)
}

// The same while a database is made and removed.
func TestADatabaseKilledAtEveryStep(t *testing.T) {
	w := newWorld(t)
	w.work()()
	for _, act := range []string{"creation", "removal"} {
		t.Run(act, func(t *testing.T) {
			w.t = t
			survived, n := false, 1
			for ; !survived; n++ {
				db, password, err := w.store.CreateDatabase(t.Context(), root, w.account.ID, hosting.DatabaseName(fmt.Sprintf("asso_%s%d", act, n)))
				if err != nil {
					t.Fatal(err)
				}
				k := &killing{world: w, db: db, changed: []changed{{databaseKey(db.ID), db.Sync.Generation}}}
				remove := func() {
					if k.db, err = w.store.PurgeDatabase(t.Context(), root, db.ID); err != nil {
						t.Fatal(err)
					}
					k.changed[0].generation = k.db.Sync.Generation
				}
				if act == "removal" {
					stop := w.work()
					k.settle(hosting.Live)
					stop()
					remove()
					survived = k.ends(w.child(n), hosting.Removed)
				} else {
					survived = k.ends(w.child(n), hosting.Live)
				}
				stop := w.work()
				if act == "creation" {
					k.settle(hosting.Live)
					if err := k.signsIn(password, true); err != nil {
						t.Fatalf("killed at %d: %v", n, err)
					}
					remove()
				}
				k.settle(hosting.Removed)
				stop()
				if left := w.named(string(db.Name)); left != 0 {
					t.Fatalf("killed at %d: %d things of %s are left in MariaDB", n, left, db.Name)
				}
			}
			t.Logf("%d steps", n-1)
			if n < 3 {
				t.Errorf("only %d steps: something is not counted", n-1)
			}
		})
	}
}

// named is how much of MariaDB bears a name.
func (w *world) named(name string) (n int) {
	w.t.Helper()
	if err := w.root().QueryRowContext(w.t.Context(), "SELECT (SELECT COUNT(*) FROM mysql.global_priv WHERE User = ?) + (SELECT COUNT(*) FROM mysql.db WHERE User = ?) + (SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?)", name, name, name).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// ends waits until the agent has killed itself, or everything that was wished
// has come to its end; then it is told to stop.
func (k *killing) ends(cmd *exec.Cmd, want hosting.State) (survived bool) {
	k.t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	ctx, cancel := context.WithTimeout(k.t.Context(), 30*time.Second)
	defer cancel()
	settled := make(chan struct{})
	go func() {
		for _, c := range k.changed {
			for {
				if sync, err := k.store.Wait(ctx, c.key, c.generation); err != nil {
					return
				} else if sync.State == want {
					break
				}
			}
		}
		close(settled)
	}()
	select {
	case err := <-ended:
		k.byItself(err)
		return false
	case <-settled:
		_ = cmd.Process.Signal(syscall.SIGTERM)
		err := <-ended
		k.byItself(err)
		return err == nil
	}
}
