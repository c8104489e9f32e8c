package mariadb

import (
	"os/exec"
	"strings"
	"testing"

	"cancale/internal/hosting"
)

func TestUsersBesidesTheOwner(t *testing.T) {
	b := newBench(t)
	other := b.make("asso_private")
	b.exec("CREATE TABLE asso_private.secret (a INT)")
	db := b.make("asso_shared")
	if err := try(t, b.member(db), "CREATE TABLE t (a INT)"); err != nil {
		t.Fatal(err)
	}
	db.Users = []hosting.DatabaseUser{
		{ID: 1, Name: "asso_writes", PasswordHash: hash}, {ID: 2, Name: "asso_reads", PasswordHash: hash, ReadOnly: true},
	}
	b.ensure(db)
	b.unchanged(db)
	b.unchanged(other)
	writer, err := b.signIn("asso_writes", "password", "asso_shared")
	if err != nil {
		t.Fatal(err)
	}
	reads, err := b.signIn("asso_reads", "password", "asso_shared")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"CREATE TABLE u (a INT)", "INSERT INTO t VALUES (1)", "ALTER TABLE u ADD COLUMN b INT", "SELECT * FROM t", "DROP TABLE u"} {
		if err := try(t, writer, s); err != nil {
			t.Errorf("who writes cannot: %s: %v", s, err)
		}
	}
	if err := try(t, reads, "SELECT * FROM t"); err != nil {
		t.Error(err)
	}
	for _, s := range []string{"CREATE VIEW v AS SELECT 1", "CREATE PROCEDURE p() SELECT 1", "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1", "SELECT * FROM asso_private.secret", "CREATE USER x"} {
		if err := try(t, writer, s); err == nil {
			t.Errorf("who writes can: %s", s)
		}
	}
	for _, s := range []string{"INSERT INTO t VALUES (2)", "DELETE FROM t", "CREATE TABLE u (a INT)", "DROP TABLE t", "CREATE TEMPORARY TABLE x (a INT)", "SELECT * FROM asso_private.secret", "LOCK TABLES t WRITE"} {
		if err := try(t, reads, s); err == nil {
			t.Errorf("who reads can: %s", s)
		}
	}

	t.Run("drift is repaired", func(t *testing.T) {
		b := &bench{Driver: b.Driver, t: t, host: b.host, root: b.root, socket: b.socket}
		for name, breaks := range map[string][]string{
			"a right too many":    {"GRANT INSERT ON `asso\\_shared`.* TO 'asso_reads'@'localhost'"},
			"global":              {"GRANT FILE ON *.* TO 'asso_writes'@'localhost'"},
			"another database":    {"GRANT SELECT ON `asso\\_private`.* TO 'asso_reads'@'localhost'"},
			"dropped":             {"DROP USER 'asso_reads'@'localhost'"},
			"another password":    {"SET PASSWORD FOR 'asso_writes'@'localhost' = PASSWORD('x')"},
			"one password more":   {"ALTER USER 'asso_shared'@'localhost' IDENTIFIED VIA mysql_native_password USING '" + hash + "' OR mysql_native_password USING '" + otherHash + "'"},
			"a user nobody wants": {"CREATE USER 'asso_stray'@'localhost'", "GRANT ALL ON `asso\\_shared`.* TO 'asso_stray'@'localhost'"},
		} {
			b.exec(breaks...)
			before := b.host.Changes()
			b.ensure(db)
			if b.host.Changes() == before {
				t.Errorf("%s: nothing was repaired", name)
			}
			b.unchanged(db)
		}
		if _, err := b.signIn("asso_stray", "", ""); err == nil {
			t.Error("the stray is still there")
		}
		// A database's own user who strayed here loses the right, and stays.
		b.exec("GRANT SELECT ON `asso\\_shared`.* TO 'asso_private'@'localhost'")
		b.ensure(db)
		b.unchanged(other)
		b.unchanged(db)
	})

	t.Run("a full database", func(t *testing.T) {
		b := &bench{Driver: b.Driver, t: t, host: b.host, root: b.root, socket: b.socket}
		full := db
		full.Full = true
		b.ensure(full)
		b.unchanged(full)
		w, err := b.signIn("asso_writes", "password", "asso_shared")
		if err != nil {
			t.Fatal(err)
		}
		if try(t, w, "INSERT INTO t VALUES (1)") == nil || try(t, w, "CREATE TABLE more (a INT)") == nil {
			t.Error("a user besides the owner still fills it")
		}
		if err := try(t, w, "DELETE FROM t"); err != nil {
			t.Error(err)
		}
		b.ensure(db)
		b.unchanged(db)
	})

	db.Users = db.Users[:1]
	b.ensure(db)
	b.unchanged(db)
	if _, err := b.signIn("asso_reads", "password", ""); err == nil {
		t.Error("who was removed signs in")
	}
	if try(t, reads, "SELECT 1") == nil {
		t.Error("who was removed stays in")
	}
	db.AccountSuspended = true
	b.ensure(db)
	if _, err := b.signIn("asso_writes", "password", ""); err == nil {
		t.Error("a suspended account's user signs in")
	}
	if err := b.Remove(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	b.exec("CREATE USER 'asso_writes'@'localhost'", "DROP USER 'asso_writes'@'localhost'") // it is gone
}

// client is MariaDB's own, which tries each way to sign in; the Go driver gives
// up after the first.
func (b *bench) client(user, password, statement string) (string, error) {
	b.t.Helper()
	cmd := exec.CommandContext(b.t.Context(), "/usr/bin/mariadb", "--no-defaults", "--socket="+b.socket, "--user="+user, "--execute="+statement, user)
	cmd.Env = []string{"MYSQL_PWD=" + password}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestPassesLetInForATime(t *testing.T) {
	b := newBench(t)
	db := b.make("asso_passes")
	db.Passes = []hosting.DatabasePass{{ID: 7, PasswordHash: otherHash}, {ID: 8, PasswordHash: "*A41BEE51488264C01B96DE959A9142AF1A75205E"}}
	b.ensure(db)
	b.unchanged(db)
	if _, err := b.signIn("asso_passes", "password", ""); err != nil {
		t.Errorf("the member's own password: %v", err)
	}
	if out, err := b.client("asso_passes", "two", "CREATE VIEW v AS SELECT CURRENT_USER()"); err != nil {
		t.Fatalf("a pass: %v: %s", err, out)
	}
	db.Passes = nil
	b.ensure(db)
	b.unchanged(db)
	if _, err := b.client("asso_passes", "two", "SELECT 1"); err == nil {
		t.Error("a pass that is over lets in")
	}
	// What was made with a pass is the database's own.
	if err := try(t, b.member(db), "SELECT * FROM v"); err != nil {
		t.Error(err)
	}
}

func TestReadOnlyPassesHaveAUserOfTheirOwn(t *testing.T) {
	b := newBench(t)
	other := b.make("asso_apart")
	b.exec("CREATE TABLE asso_apart.secret (a INT)")
	db := b.make("asso_looked")
	if err := try(t, b.member(db), "CREATE TABLE t (a INT)"); err != nil {
		t.Fatal(err)
	}
	db.Passes = []hosting.DatabasePass{{ID: 12, PasswordHash: hash, ReadOnly: true}}
	user := hosting.PassUser(12)
	b.ensure(db)
	b.unchanged(db)
	looks, err := b.signIn(user, "password", "asso_looked")
	if err != nil {
		t.Fatal(err)
	}
	if err := try(t, looks, "SELECT * FROM t"); err != nil {
		t.Error(err)
	}
	for _, s := range []string{
		"INSERT INTO t VALUES (1)", "DROP TABLE t", "CREATE TABLE u (a INT)", "SELECT * FROM asso_apart.secret", "SELECT * FROM mysql.global_priv",
		"SELECT LOAD_FILE('/etc/passwd') INTO OUTFILE '/tmp/cancale-out'", "CREATE USER x", "USE asso_apart",
	} {
		if err := try(t, looks, s); err == nil {
			t.Errorf("who looks can: %s", s)
		}
	}
	db.Passes = nil
	b.ensure(db)
	b.unchanged(db)
	b.unchanged(other)
	if err := try(t, looks, "SELECT 1"); err == nil {
		t.Error("who is in stays in")
	}
	if _, err := b.signIn(user, "password", ""); err == nil {
		t.Error("the user is still there")
	}

	// A removed database leaves none behind.
	db.Passes = []hosting.DatabasePass{{ID: 13, PasswordHash: hash, ReadOnly: true}}
	b.ensure(db)
	if err := b.Remove(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if _, err := b.signIn(hosting.PassUser(13), "password", ""); err == nil {
		t.Error("the user outlived its database")
	}
}

func TestGuestsOfOtherFormsAreRefused(t *testing.T) {
	for _, name := range []string{"root", "mysql", "cancale", "cancale_agent", "cancale_pass_1", "asso_blog", "it's", "asso_%", "asso_x`", ""} {
		db := database("asso_blog")
		db.Users = []hosting.DatabaseUser{{Name: hosting.DatabaseName(name), PasswordHash: hash}}
		if _, err := guests(db); err == nil {
			t.Errorf("%q was accepted", name)
		}
	}
	db := database("asso_blog")
	db.Passes = []hosting.DatabasePass{{ID: 1, PasswordHash: "x' OR 'y"}}
	if _, err := wish(db); err == nil {
		t.Error("a hash that is none was accepted")
	}
}

func TestContentIsCheckedAndEmptied(t *testing.T) {
	b := newBench(t)
	db := b.make("asso_content")
	c := b.member(db)
	for _, s := range []string{
		"CREATE TABLE `it's; DROP``x` (a INT PRIMARY KEY)", "CREATE TABLE m (a INT) ENGINE=MyISAM", "CREATE VIEW v AS SELECT 1", "CREATE PROCEDURE p() SELECT 1",
		"INSERT INTO m VALUES (1), (2)",
	} {
		if err := try(t, c, s); err != nil {
			t.Fatal(err)
		}
	}
	for _, optimize := range []bool{false, true} {
		steps := 0
		found, err := b.Check(t.Context(), db, optimize, func(int, int) { steps++ })
		if err != nil || len(found) != 2 || steps != 2 {
			t.Fatalf("%+v, %d steps, %v", found, steps, err)
		}
		for _, f := range found {
			if !f.OK {
				t.Errorf("%+v", f)
			}
		}
	}
	if err := b.Empty(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	b.unchanged(db)
	var n int
	if err := b.root.QueryRowContext(t.Context(), "SELECT (SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'asso_content') + (SELECT COUNT(*) FROM mysql.proc WHERE db = 'asso_content')").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d things are left, %v", n, err)
	}
	if err := try(t, b.member(db), "CREATE TABLE again (a INT)"); err != nil {
		t.Error(err)
	}
	bad := database("mysql")
	if b.Empty(t.Context(), bad) == nil {
		t.Error("the server's own database was emptied")
	}
	if _, err := b.Check(t.Context(), bad, false, nil); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("%v", err)
	}
}
