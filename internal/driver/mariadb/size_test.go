package mariadb

import (
	"testing"
	"time"
)

func TestAFullDatabaseCanOnlyShrink(t *testing.T) {
	b := newBench(t)
	db := b.make("asso_large")
	c := b.member(db)
	for _, s := range []string{
		"CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, d LONGTEXT)", "CREATE TABLE m (d LONGTEXT) ENGINE=MyISAM",
		"CREATE PROCEDURE grow() INSERT INTO t (d) VALUES ('x')", "CREATE PROCEDURE shrink() DELETE FROM t WHERE id = 1",
		"INSERT INTO t (d) SELECT REPEAT('x', 100000) FROM seq_1_to_20", "INSERT INTO m (d) SELECT REPEAT('x', 100000) FROM seq_1_to_20",
	} {
		if err := try(t, c, s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	var n int64
	for deadline := time.Now().Add(30 * time.Second); n < 3_900_000 && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var err error // InnoDB counts in the background
		if n, err = b.Size(t.Context(), db.Name); err != nil {
			t.Fatal(err)
		}
	}
	if n < 3_900_000 || n > 10_000_000 {
		t.Errorf("%d bytes", n)
	}
	if n, err := b.Size(t.Context(), "asso_none"); err != nil || n != 0 {
		t.Errorf("%d bytes, %v", n, err)
	}
	if sizes, err := b.Sizes(t.Context()); err != nil || sizes[db.Name] == 0 {
		t.Errorf("%v, %v", sizes, err)
	}

	held, err := c.Conn(t.Context()) // who is signed in while it becomes full
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	db.Full = true
	b.ensure(db)
	b.unchanged(db)
	if _, err := held.ExecContext(t.Context(), "INSERT INTO t (d) VALUES ('x')"); err == nil {
		t.Error("who was signed in goes on writing")
	}
	full := b.member(db)
	for _, s := range []string{
		"INSERT INTO t (d) VALUES ('x')", "INSERT INTO m (d) VALUES ('x')", "UPDATE t SET d = REPEAT('y', 200000)", "REPLACE INTO t VALUES (1, 'x')", "CREATE TABLE u (a INT)",
		"CREATE TABLE u AS SELECT * FROM t", "ALTER TABLE t ADD KEY (d(500))", "CALL grow()", "CREATE PROCEDURE more() INSERT INTO t (d) VALUES ('x')", "CREATE VIEW v AS SELECT * FROM t",
		"CREATE TRIGGER g BEFORE DELETE ON t FOR EACH ROW SET @a = 1", "GRANT INSERT ON asso_large.* TO 'asso_large'@'localhost'",
	} {
		if err := try(t, full, s); err == nil {
			t.Errorf("a full database still takes: %s", s)
		}
	}
	for _, s := range []string{"SELECT COUNT(*) FROM t", "DELETE FROM t WHERE id = 2", "CALL shrink()", "TRUNCATE TABLE m", "DROP TABLE m"} {
		if err := try(t, full, s); err != nil {
			t.Errorf("nothing can be removed: %s: %v", s, err)
		}
	}
	db.Full = false
	b.ensure(db)
	b.unchanged(db)
	if err := try(t, b.member(db), "INSERT INTO t (d) VALUES ('x')"); err != nil {
		t.Errorf("with room again: %v", err)
	}
}
