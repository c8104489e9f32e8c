package mariadb

import (
	"database/sql"
	"testing"

	"cancale/internal/hosting"
)

// TestWhoIsSignedInIsPutOut breaks off each change after each of its statements:
// whoever loses something loses the open connection with it, in the end.
func TestWhoIsSignedInIsPutOut(t *testing.T) {
	b := newBench(t)
	guests := []hosting.DatabaseUser{{ID: 1, Name: "asso_guest", PasswordHash: hash}}
	type change struct {
		drift  string
		change func(*hosting.Database)
		out    []string // who is put out; the others stay
	}
	for name, c := range map[string]change{
		"a new password": {change: func(db *hosting.Database) { db.PasswordHash = otherHash }, out: []string{"asso_held"}},
		"a new password of a further user": {change: func(db *hosting.Database) {
			db.Users = []hosting.DatabaseUser{{ID: 1, Name: "asso_guest", PasswordHash: otherHash}}
		}, out: []string{"asso_guest"}},
		"a further user is removed": {change: func(db *hosting.Database) { db.Users = nil }, out: []string{"asso_guest"}},
		"a further user may only read": {change: func(db *hosting.Database) {
			db.Users = []hosting.DatabaseUser{{ID: 1, Name: "asso_guest", PasswordHash: hash, ReadOnly: true}}
		}, out: []string{"asso_guest"}},
		"the size limit is passed": {change: func(db *hosting.Database) { db.Full = true }, out: []string{"asso_held", "asso_guest"}},
		"the account is suspended": {change: func(db *hosting.Database) { db.AccountSuspended = true }, out: []string{"asso_held", "asso_guest"}},
		"somebody gave a right":    {drift: "GRANT FILE ON *.* TO 'asso_guest'@'localhost'", out: []string{"asso_guest"}},
		"somebody set a password":  {drift: "SET PASSWORD FOR 'asso_held'@'localhost' = PASSWORD('password2')", out: []string{"asso_held"}},
		"a visit begins": {change: func(db *hosting.Database) {
			db.Passes = []hosting.DatabasePass{{ID: 1, PasswordHash: otherHash}}
		}},
		"nothing": {},
	} {
		t.Run(name, func(t *testing.T) {
			b := &bench{Driver: b.Driver, t: t, host: b.host, root: b.root, socket: b.socket}
			for n, done := 0, false; !done; n++ {
				db := b.make("asso_held")
				db.Users = guests
				b.ensure(db)
				if c.drift != "" {
					b.exec(c.drift)
				}
				held := map[string]*sql.Conn{}
				for _, user := range []string{"asso_held", "asso_guest"} {
					password := "password"
					if user == "asso_held" && name == "somebody set a password" {
						password = "password2"
					}
					in, err := b.signIn(user, password, "asso_held")
					if err != nil {
						t.Fatal(err)
					}
					if held[user], err = in.Conn(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if c.change != nil {
					c.change(&db)
				}
				statements, err := b.repairs(t.Context(), db)
				if err != nil {
					t.Fatal(err)
				}
				done = n >= len(statements)
				if err := b.apply(t.Context(), statements[:min(n, len(statements))]); err != nil {
					t.Fatal(err)
				}
				b.ensure(db)
				b.unchanged(db)
				for user, conn := range held {
					wanted := false
					for _, out := range c.out {
						wanted = wanted || out == user
					}
					if _, err := conn.ExecContext(t.Context(), "SELECT 1"); wanted != (err != nil) {
						t.Errorf("broken off after %d: %s: put out: %v, want %v", n, user, err, wanted)
					}
					_ = conn.Close()
				}
				if err := b.Remove(t.Context(), db); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
