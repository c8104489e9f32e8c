package mariadb

import (
	"errors"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
)

func TestADiscardedDatabaseIsOutOfReachAndComesBack(t *testing.T) {
	b := newBench(t)
	db := b.make("asso_trash")
	neighbour := b.make("asso-trash_x")
	c := b.member(db)
	for _, s := range []string{"CREATE TABLE t (a INT)", "INSERT INTO t VALUES (7)", "CREATE VIEW v AS SELECT a FROM t", "CREATE PROCEDURE p() SELECT a FROM v"} {
		if err := try(t, c, s); err != nil {
			t.Fatal(err)
		}
	}
	b.exec("CREATE USER 'asso_trash'@'%'")
	if err := b.Discard(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if err := try(t, c, "SELECT 1"); err == nil {
		t.Error("who is in stays in")
	}
	if _, err := b.signIn(db.User(), "password", ""); err == nil {
		t.Error("somebody signs in")
	}
	have, err := b.observe(t.Context(), wanted{name: string(db.Name), locked: true})
	if err != nil || !have.schema || len(have.users) > 0 || len(have.grants) > 0 || have.connections > 0 {
		t.Errorf("%+v, %v", have, err)
	}
	before := b.host.Changes()
	if err := b.Discard(t.Context(), db); err != nil || b.host.Changes() != before {
		t.Errorf("discarding it again changed %d things, %v", b.host.Changes()-before, err)
	}
	b.ensure(db)
	b.unchanged(db)
	var a int
	if err := b.member(db).QueryRowContext(t.Context(), "CALL p()").Scan(&a); err != nil || a != 7 {
		t.Errorf("it came back with %d, %v", a, err)
	}
	b.unchanged(neighbour)
}

func TestTrashKilledAtEveryStep(t *testing.T) {
	b := newBench(t)
	for _, act := range []string{"discard", "restore", "purge"} {
		t.Run(act, func(t *testing.T) {
			survived := false
			n := 1
			for ; !survived; n++ {
				b := &bench{Driver: b.Driver, t: t, host: b.host, root: b.root, socket: b.socket}
				db := database("asso_killed")
				b.ensure(db)
				b.exec("CREATE OR REPLACE TABLE asso_killed.t AS SELECT 7 AS a")
				c := b.member(db)
				if act != "discard" {
					if err := b.Discard(t.Context(), db); err != nil {
						t.Fatal(err)
					}
				}
				cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
				cmd.Env = []string{actVar + "=" + act, socketVar + "=" + b.socket, "CANCALE_KILL_AT=" + strconv.Itoa(n)}
				out, err := cmd.CombinedOutput()
				survived = err == nil
				if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL) {
					t.Fatalf("%v: %s", err, out)
				}
				if act == "discard" {
					if err := b.Discard(t.Context(), db); err != nil {
						t.Fatal(err)
					}
					if err := try(t, c, "SELECT 1"); err == nil {
						t.Errorf("killed at %d: who is in stays in", n)
					}
				}
				if act != "purge" {
					b.ensure(db)
					b.unchanged(db)
					var a int
					if err := b.member(db).QueryRowContext(t.Context(), "SELECT a FROM t").Scan(&a); err != nil || a != 7 {
						t.Errorf("killed at %d: %d, %v", n, a, err)
					}
				}
				if err := b.Remove(t.Context(), db); err != nil {
					t.Fatal(err)
				}
				have, err := b.observe(t.Context(), wanted{name: string(db.Name)})
				if err != nil || have.schema || len(have.users) > 0 || len(have.grants) > 0 {
					t.Errorf("killed at %d: left behind: %+v, %v", n, have, err)
				}
			}
			if n < 3 {
				t.Errorf("only %d steps", n-1)
			}
		})
	}
}
