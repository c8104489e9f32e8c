package mariadb

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cancale/internal/hosting"
)

const (
	hash      = "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19" // of "password"
	otherHash = "*0123456789ABCDEF0123456789ABCDEF01234567"
)

func database(name string) hosting.Database {
	return hosting.Database{ID: 1, Name: hosting.DatabaseName(name), PasswordHash: hash}
}

func TestWish(t *testing.T) {
	for _, name := range []string{"asso_blog", "a-b_c", "asso_a_b_c", "asso_" + strings.Repeat("x", 58)} {
		if _, err := wish(database(name)); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	refused := []string{
		"", "mysql", "sys", "cancale", "test", "asso", "information_schema", "performance_schema", "mysql_x", "sys_x", "cancale_x", "root_x",
		"Asso_blog", "asso_", "_blog", "asso__blog", "asso_blog`", "asso_blog'", "asso_%", "asso_blog\n", "asso_bl\\og", "asso_é", "1asso_blog",
		"asso_" + strings.Repeat("x", 59), "asso_" + strings.Repeat("_", 40),
	}
	for _, name := range refused {
		if _, err := wish(database(name)); err == nil {
			t.Errorf("%q was accepted", name)
		}
	}
	for _, h := range []string{"", "password", hash[1:], hash + "0", "*" + strings.Repeat("g", 40), "*' OR 1=1 --"} {
		db := database("asso_blog")
		db.PasswordHash = h
		if _, err := wish(db); err == nil {
			t.Errorf("the hash %q was accepted", h)
		}
	}
}

func TestRepairIsSaidInThisOrder(t *testing.T) {
	w, err := wish(database("asso_blog_2"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range w.repair(observed{}) {
		got = append(got, s.sql)
		if strings.Contains(s.redacted, hash) {
			t.Errorf("the hash is in what is logged: %s", s.redacted)
		}
	}
	want := []string{
		"CREATE DATABASE IF NOT EXISTS `asso_blog_2` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
		"KILL USER 'asso_blog_2'@'localhost'", // of a user who was there, and whose removal was broken off
		"CREATE USER IF NOT EXISTS 'asso_blog_2'@'localhost' IDENTIFIED VIA mysql_native_password USING '" + hash + "' REQUIRE NONE WITH MAX_QUERIES_PER_HOUR 0 MAX_UPDATES_PER_HOUR 0 " +
			"MAX_CONNECTIONS_PER_HOUR 0 MAX_USER_CONNECTIONS 15 MAX_STATEMENT_TIME 20 ACCOUNT UNLOCK PASSWORD EXPIRE DEFAULT",
		"GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, REFERENCES, INDEX, ALTER, CREATE TEMPORARY TABLES, LOCK TABLES, CREATE VIEW, SHOW VIEW, " +
			"CREATE ROUTINE, ALTER ROUTINE, EXECUTE, TRIGGER ON `asso\\_blog\\_2`.* TO 'asso_blog_2'@'localhost'",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestGrantColumnsAreThoseOfThePrivileges(t *testing.T) {
	var columns []string
	for _, p := range privileges {
		columns = append(columns, p.column)
	}
	if diff := cmp.Diff(strings.Join(columns, ", "), grantColumns); diff != "" {
		t.Error(diff)
	}
}

// Whatever is asked for: either it is refused, or no name leaves its quotes
// and the pattern means one schema only.
func FuzzWish(f *testing.F) {
	for _, s := range []string{"asso_blog", "asso_%", "a`_b", "information_schema", "a_\\_"} {
		f.Add(s, hash)
	}
	f.Fuzz(func(t *testing.T, name, hash string) {
		w, err := wish(hosting.Database{Name: hosting.DatabaseName(name), PasswordHash: hash})
		if err != nil {
			return
		}
		if strings.ContainsAny(w.name+w.hashes[0], "`'\"\\%\n\x00") {
			t.Errorf("accepted %q, %q", name, hash)
		}
		if p := pattern(w.name); strings.Count(p, "_") != strings.Count(p, `\_`) || len(p) > 64 {
			t.Errorf("pattern %q of %q", p, name)
		}
	})
}
