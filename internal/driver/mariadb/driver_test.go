package mariadb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"cancale/internal/config"
	"cancale/internal/host"
	"cancale/internal/hosting"
	"cancale/internal/testenv"
)

const actVar, socketVar = "CANCALE_TEST_ACT", "CANCALE_TEST_SOCKET"

// TestMain runs the tests, or one act of the driver in a process that is killed
// at one of its steps.
func TestMain(m *testing.M) {
	act := os.Getenv(actVar)
	if act == "" {
		os.Exit(testenv.Main(m))
	}
	d, err := New(host.New(config.Layout{Root: os.TempDir()}, nil), Config{Socket: os.Getenv(socketVar)})
	if err == nil {
		do := d.Ensure
		switch act {
		case "discard":
			do = d.Discard
		case "removal", "purge":
			do = d.Remove
		}
		err = do(context.Background(), database("asso_killed"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func TestKilledAtEveryStep(t *testing.T) {
	b := newBench(t)
	for _, act := range []string{"creation", "repair", "removal"} {
		t.Run(act, func(t *testing.T) {
			survived := false
			n := 1
			for ; !survived; n++ {
				b := &bench{Driver: b.Driver, t: t, host: b.host, root: b.root, socket: b.socket}
				db := database("asso_killed")
				if act != "creation" {
					b.ensure(db)
				}
				if act == "repair" {
					b.exec("GRANT FILE ON *.* TO 'asso_killed'@'localhost'", "CREATE USER 'asso_killed'@'%'", "DROP DATABASE asso_killed")
				}
				cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
				cmd.Env = []string{actVar + "=" + act, socketVar + "=" + b.socket, "CANCALE_KILL_AT=" + strconv.Itoa(n)}
				out, err := cmd.CombinedOutput()
				survived = err == nil
				if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL) {
					t.Fatalf("%v: %s", err, out)
				}
				if act != "removal" {
					b.ensure(db)
					b.unchanged(db)
					if err := try(t, b.member(db), "CREATE TABLE t (a INT)"); err != nil {
						t.Errorf("killed at %d: %v", n, err)
					}
				}
				if err := b.Remove(t.Context(), db); err != nil {
					t.Fatal(err)
				}
				have, err := b.observe(t.Context(), wanted{name: string(db.Name), user: string(db.Name)})
				if err != nil || have.schema || len(have.users) > 0 || len(have.grants) > 0 {
					t.Errorf("killed at %d: left behind: %+v, %v", n, have, err)
				}
			}
			if n < 4 {
				t.Errorf("only %d steps", n-1)
			}
		})
	}
}

// bench is a driver on a real server, and root beside it.
type bench struct {
	*Driver
	t      *testing.T
	host   *host.Host
	root   *sql.DB
	socket string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	server := testenv.MariaDB(t)
	h := host.New(config.Layout{Root: t.TempDir()}, nil)
	d, err := New(h, Config{Socket: server.Socket})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{Driver: d, t: t, host: h, root: d.db, socket: server.Socket}
	t.Cleanup(func() { _ = d.Close() })
	return b
}

// make ensures a database that the test's end drops.
func (b *bench) make(name string) hosting.Database {
	b.t.Helper()
	db := database(name)
	b.t.Cleanup(func() {
		if err := b.Remove(context.WithoutCancel(b.t.Context()), db); err != nil {
			b.t.Error(err)
		}
	})
	b.ensure(db)
	return db
}

func (b *bench) ensure(db hosting.Database) {
	b.t.Helper()
	if err := b.Ensure(b.t.Context(), db); err != nil {
		b.t.Fatal(err)
	}
}

// unchanged fails when Ensure has anything left to do.
func (b *bench) unchanged(db hosting.Database) {
	b.t.Helper()
	before := b.host.Changes()
	b.ensure(db)
	if n := b.host.Changes() - before; n != 0 {
		b.t.Errorf("%s: %d changes where nothing differs", db.Name, n)
	}
	if differ := b.look(db); len(differ) != 0 {
		b.t.Errorf("%s: %+v where nothing differs", db.Name, differ)
	}
}

func (b *bench) look(db hosting.Database) map[hosting.DatabaseID]host.Differing {
	b.t.Helper()
	differ, err := b.Look(b.t.Context(), []hosting.Database{db})
	if err != nil {
		b.t.Fatal(err)
	}
	return differ
}

func (b *bench) exec(statements ...string) {
	b.t.Helper()
	for _, s := range statements {
		if _, err := b.root.ExecContext(b.t.Context(), s); err != nil {
			b.t.Fatalf("%s: %v", s, err)
		}
	}
}

// signIn is a member's own connection.
func (b *bench) signIn(user, password, schema string) (*sql.DB, error) {
	b.t.Helper()
	c := mysql.NewConfig()
	c.User, c.Passwd, c.DBName, c.Net, c.Addr = user, password, schema, "unix", b.socket
	connector, err := mysql.NewConnector(c)
	if err != nil {
		b.t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	b.t.Cleanup(func() { _ = db.Close() })
	return db, db.PingContext(b.t.Context())
}

func (b *bench) member(db hosting.Database) *sql.DB {
	b.t.Helper()
	c, err := b.signIn(db.User(), "password", string(db.Name))
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

func try(t *testing.T, db *sql.DB, statement string) error {
	t.Helper()
	_, err := db.ExecContext(t.Context(), statement)
	return err
}

func TestEnsure(t *testing.T) {
	b := newBench(t)
	db := b.make("asso_blog")
	b.unchanged(db)

	c := b.member(db)
	for _, s := range []string{
		"CREATE TABLE p (id INT PRIMARY KEY AUTO_INCREMENT, t TEXT)", "INSERT INTO p (t) VALUES ('Été à Cancale 🦪')", "CREATE VIEW v AS SELECT * FROM p",
		"CREATE TEMPORARY TABLE x AS SELECT * FROM p", "CREATE TRIGGER g BEFORE INSERT ON p FOR EACH ROW SET NEW.t = 'x'",
		"CREATE PROCEDURE one() SELECT 1", "CALL one()", "ALTER TABLE p ADD KEY (t(10))",
	} {
		if err := try(t, c, s); err != nil {
			t.Errorf("a member cannot: %s: %v", s, err)
		}
	}
	// The routine gave its creator rights of a sort of their own.
	b.unchanged(db)

	for _, s := range []string{
		"SELECT LOAD_FILE('/etc/passwd') INTO OUTFILE '/tmp/cancale-out'", "SET GLOBAL max_connections = 1", "CREATE USER x", "GRANT SELECT ON asso_blog.* TO 'asso_blog'@'localhost'",
		"SELECT * FROM mysql.global_priv", "CREATE DATABASE asso_more", "CREATE EVENT e ON SCHEDULE EVERY 1 HOUR DO SELECT 1", "INSTALL SONAME 'x'",
	} {
		if err := try(t, c, s); err == nil {
			t.Errorf("a member can: %s", s)
		}
	}
	var limit float64
	if err := c.QueryRowContext(t.Context(), "SELECT @@max_statement_time").Scan(&limit); err != nil || limit != 20 {
		t.Errorf("a statement may take %v s, %v", limit, err)
	}
	var charset string
	if err := c.QueryRowContext(t.Context(), "SELECT @@character_set_database").Scan(&charset); err != nil || charset != "utf8mb4" {
		t.Errorf("the database is in %s, %v", charset, err)
	}
}

func TestWildcardsInNamesReachNoOtherDatabase(t *testing.T) {
	b := newBench(t)
	attacker, victim := b.make("s1_shop"), b.make("s1-shop_shop") // two accounts
	b.exec("CREATE DATABASE s1xshop")
	t.Cleanup(func() { _, _ = b.root.Exec("DROP DATABASE s1xshop") })
	b.exec("CREATE TABLE s1xshop.secret (a INT)", "CREATE TABLE `s1-shop_shop`.secret (a INT)")

	c := b.member(attacker)
	for _, s := range []string{
		"SELECT * FROM s1xshop.secret", "INSERT INTO s1xshop.secret VALUES (1)", "CREATE DATABASE s1yshop", "DROP DATABASE s1xshop",
		"SELECT * FROM `s1-shop_shop`.secret", "CREATE TABLE `s1xshop`.t (a INT)",
	} {
		if err := try(t, c, s); err == nil {
			t.Errorf("an attacker can: %s", s)
		}
	}
	b.unchanged(attacker)
	b.unchanged(victim)
}

func TestLongestName(t *testing.T) {
	b := newBench(t)
	name, err := hosting.ParseDatabaseName("asso", strings.Repeat("x", 58))
	if err != nil {
		t.Fatal(err)
	}
	db := b.make(string(name))
	b.unchanged(db)
	if err := try(t, b.member(db), "CREATE TABLE t (a INT)"); err != nil {
		t.Error(err)
	}
}

func TestDriftIsRepaired(t *testing.T) {
	b := newBench(t)
	db := b.make("asso_drift")
	b.make("asso_other")
	b.exec("CREATE TABLE asso_other.t (a INT)", "CREATE ROLE IF NOT EXISTS strong")
	t.Cleanup(func() { _, _ = b.root.Exec("DROP ROLE strong") })

	const me = "'asso_drift'@'localhost'"
	for name, breaks := range map[string][]string{
		"password changed":             {"SET PASSWORD FOR " + me + " = PASSWORD('other')"},
		"another way to sign in":       {"ALTER USER " + me + " IDENTIFIED VIA unix_socket OR mysql_native_password USING '" + hash + "'"},
		"no password":                  {"ALTER USER " + me + " IDENTIFIED BY ''"},
		"password expired":             {"ALTER USER " + me + " PASSWORD EXPIRE"},
		"password expires":             {"ALTER USER " + me + " PASSWORD EXPIRE INTERVAL 3 DAY"},
		"certificate wanted":           {"ALTER USER " + me + " REQUIRE SSL"},
		"limit lifted":                 {"ALTER USER " + me + " WITH MAX_USER_CONNECTIONS 0"},
		"statements without end":       {"ALTER USER " + me + " WITH MAX_STATEMENT_TIME 0"},
		"a limit that was not there":   {"ALTER USER " + me + " WITH MAX_QUERIES_PER_HOUR 1"},
		"locked":                       {"ALTER USER " + me + " ACCOUNT LOCK"},
		"user dropped":                 {"DROP USER " + me},
		"database dropped":             {"DROP DATABASE asso_drift"},
		"a grant lost":                 {"REVOKE INSERT ON `asso\\_drift`.* FROM " + me},
		"all grants lost":              {"REVOKE ALL PRIVILEGES, GRANT OPTION FROM " + me},
		"a grant too many":             {"GRANT EVENT ON `asso\\_drift`.* TO " + me},
		"grant option":                 {"GRANT SELECT ON `asso\\_drift`.* TO " + me + " WITH GRANT OPTION"},
		"global privilege":             {"GRANT FILE, PROCESS ON *.* TO " + me},
		"grant on another database":    {"GRANT SELECT ON `asso\\_other`.* TO " + me},
		"grant on a pattern":           {"GRANT SELECT ON `asso_%`.* TO " + me},
		"unescaped grant":              {"GRANT SELECT ON `asso_drift`.* TO " + me},
		"grant on another's table":     {"GRANT SELECT ON asso_other.t TO " + me},
		"grant on another's column":    {"GRANT SELECT (a) ON asso_other.t TO " + me},
		"role":                         {"GRANT strong TO " + me, "SET DEFAULT ROLE strong FOR " + me},
		"proxy":                        {"GRANT PROXY ON 'asso_other'@'localhost' TO " + me},
		"the same user from elsewhere": {"CREATE USER 'asso_drift'@'%' IDENTIFIED BY 'x'", "GRANT ALL ON *.* TO 'asso_drift'@'%'"},
		"a host with a quote":          {`CREATE USER 'asso_drift'@'it\'s'`},
	} {
		t.Run(name, func(t *testing.T) {
			b := &bench{Driver: b.Driver, t: t, host: b.host, root: b.root, socket: b.socket}
			b.exec(breaks...)
			before := b.host.Changes()
			if differ := b.look(db); len(differ) != 1 || b.host.Changes() != before {
				t.Errorf("a look finds %+v, and makes %d changes", differ, b.host.Changes()-before)
			}
			b.ensure(db)
			if b.host.Changes() == before {
				t.Error("nothing was repaired")
			}
			b.unchanged(db)
			c := b.member(db)
			if err := try(t, c, "CREATE OR REPLACE TABLE t (a INT)"); err != nil {
				t.Error(err)
			}
			for _, s := range []string{"SELECT * FROM asso_other.t", "SELECT LOAD_FILE('/etc/hostname') FROM mysql.user", "SET ROLE strong"} {
				if err := try(t, c, s); err == nil {
					t.Errorf("a member can still: %s", s)
				}
			}
		})
	}
}

func TestPasswordReset(t *testing.T) {
	b := newBench(t)
	db := b.make("asso_reset")
	db.PasswordHash = otherHash
	b.ensure(db)
	b.unchanged(db)
	if _, err := b.signIn(db.User(), "password", ""); err == nil {
		t.Error("the old password still works")
	}
}

func TestSuspendedAccount(t *testing.T) {
	b := newBench(t)
	db := b.make("asso_off")
	c := b.member(db)
	if err := try(t, c, "CREATE TABLE kept (a INT)"); err != nil {
		t.Fatal(err)
	}

	db.AccountSuspended = true
	b.ensure(db)
	b.unchanged(db)
	if err := try(t, c, "SELECT 1"); err == nil {
		t.Error("who is in stays in")
	}
	if _, err := b.signIn(db.User(), "password", ""); err == nil {
		t.Error("a suspended account signs in")
	}

	db.AccountSuspended = false
	b.ensure(db)
	b.unchanged(db)
	if err := try(t, b.member(db), "SELECT * FROM kept"); err != nil {
		t.Errorf("after it was resumed: %v", err)
	}
}

func TestRemove(t *testing.T) {
	b := newBench(t)
	db := b.make("asso_gone")
	neighbour := b.make("asso-gone_x")

	// A member holds a table open in a transaction, which locks the schema.
	c := b.member(db)
	if err := try(t, c, "CREATE TABLE t (a INT)"); err != nil {
		t.Fatal(err)
	}
	tx, err := c.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(t.Context(), "INSERT INTO t VALUES (1)"); err != nil {
		t.Fatal(err)
	}

	start := time.Now()
	if err := b.Remove(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v: it waited for the member", took)
	}
	have, err := b.observe(t.Context(), wanted{name: string(db.Name), user: string(db.Name)})
	if err != nil || have.schema || len(have.users) > 0 || len(have.grants) > 0 || have.others > 0 {
		t.Errorf("left behind: %+v, %v", have, err)
	}
	before := b.host.Changes()
	if err := b.Remove(t.Context(), db); err != nil || b.host.Changes() != before {
		t.Errorf("removing it again changed %d things, %v", b.host.Changes()-before, err)
	}
	b.unchanged(neighbour)
}

func TestForeignNamesAreNeverTouched(t *testing.T) {
	b := newBench(t)
	for _, name := range []string{"mysql", "sys", "performance_schema", "information_schema", "cancale", "cancale_app"} {
		db := database(name)
		db.Sync.Removing = true
		before := b.host.Changes()
		if err := b.Ensure(t.Context(), db); err == nil {
			t.Errorf("Ensure took %s", name)
		}
		if err := b.Remove(t.Context(), db); err == nil {
			t.Errorf("Remove took %s", name)
		}
		if b.host.Changes() != before {
			t.Errorf("%s: something was changed", name)
		}
	}
}

func TestServerThatDoesNotAnswerIsSaidSo(t *testing.T) {
	d, err := New(host.New(config.Layout{Root: t.TempDir()}, nil), Config{Socket: t.TempDir() + "/none.sock"})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	err = d.Ensure(t.Context(), database("asso_blog"))
	if e, ok := errors.AsType[*hosting.Error](err); !ok || e.Kind != hosting.Unavailable || e.Message.Key != "database.failed_server" {
		t.Errorf("%v", err)
	}
}

func BenchmarkUnchanged(b *testing.B) {
	server := testenv.MariaDB(b)
	d, err := New(host.New(config.Layout{Root: b.TempDir()}, nil), Config{Socket: server.Socket})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	db := database("asso_speed")
	if err := d.Ensure(b.Context(), db); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = d.Remove(context.WithoutCancel(b.Context()), db) }()
	for b.Loop() {
		if err := d.Ensure(b.Context(), db); err != nil {
			b.Fatal(err)
		}
	}
}
