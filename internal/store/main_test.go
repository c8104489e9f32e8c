package store_test

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

var root = hosting.System("cli:root")

// everything is the scope of whoever may see all.
var everything = root.Scope(hosting.AdminRead)

// anAccount makes an account with the first plan.
func anAccount(t *testing.T, st *store.Store, name string) hosting.Account {
	t.Helper()
	return must(st.CreateAccount(t.Context(), root, hosting.AccountSpec{Name: hosting.AccountName(name), Label: strings.ToUpper(name), Plan: "asso"}))(t)
}

// bigPlan makes a plan without limits the account's.
func bigPlan(t *testing.T, st *store.Store, account hosting.Account) {
	t.Helper()
	const n = hosting.Unlimited
	_, err := st.CreatePlan(t.Context(), root, hosting.PlanSpec{Name: "big", Label: "Big", Sites: n, Databases: n, FTPLogins: n, DiskMB: n})
	if err != nil && hosting.KindOf(err) != hosting.Conflict {
		t.Fatal(err)
	}
	must(st.UpdateAccount(t.Context(), root, account.ID, hosting.AccountSpec{Label: account.Label, Plan: "big"}))(t)
}

func aSite(t *testing.T, st *store.Store, account hosting.Account, host string, aliases ...string) hosting.Site {
	t.Helper()
	return must(st.CreateSite(t.Context(), root, account.ID, spec(t, host, aliases...)))(t)
}

func spec(t *testing.T, host string, aliases ...string) hosting.SiteSpec {
	t.Helper()
	s := hosting.SiteSpec{Host: must(hosting.ParseHostname(host))(t)}
	for _, a := range aliases {
		s.Aliases = append(s.Aliases, must(hosting.ParseHostname(a))(t))
	}
	return s
}

const password = "correct horse battery"

// aPerson makes somebody who can sign in, with a role on accounts.
func aPerson(t *testing.T, st *store.Store, email string, role hosting.PlatformRole, memberships ...store.MembershipSpec) hosting.Person {
	t.Helper()
	return must(st.CreatePersonWithPassword(t.Context(), root, hosting.PersonSpec{Email: hosting.Email(email), Role: role}, memberships, password))(t)
}

// signIn is the actor of a person who signs in.
func signIn(t *testing.T, st *store.Store, email string) (store.Session, string) {
	t.Helper()
	sess, token, err := st.SignIn(t.Context(), email, password, "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	return sess, token
}

func actorOf(t *testing.T, st *store.Store, email string) hosting.Actor {
	t.Helper()
	sess, _ := signIn(t, st, email)
	return sess.Actor
}

// settle lets the agent's side confirm everything that is due.
func settle(t *testing.T, node *store.NodeStore) {
	t.Helper()
	for {
		keys := must(node.Claim(t.Context(), 1000))(t)
		if len(keys) == 0 {
			return
		}
		for _, key := range keys {
			var sync hosting.Sync
			var off bool
			if key.Resource == hosting.ResourceSite {
				site := must(node.Site(t.Context(), hosting.SiteID(key.ID)))(t)
				sync, off = site.Sync, site.Off()
			} else {
				database := must(node.Database(t.Context(), hosting.DatabaseID(key.ID)))(t)
				sync, off = database.Sync, database.AccountSuspended
			}
			state := hosting.Live
			if off {
				state = hosting.Suspended
			}
			if sync.Removing {
				state = hosting.Removed
			}
			ok(t, node.Observe(t.Context(), key, sync.Generation, state, hosting.Message{}, time.Time{}))
		}
	}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused asserts a refusal: its kind, field and message key.
func refused(t *testing.T, err error, kind hosting.Kind, field, key string) {
	t.Helper()
	e, is := errors.AsType[*hosting.Error](err)
	if !is || e.Kind != kind || e.Field != field || e.Message.Key != key {
		t.Errorf("got %v, want %v %q %s", err, kind, field, key)
	}
}

// numbers are the numbers from 1 to 10 to the power of digits, as a table with
// the column seq: MariaDB's own sequences are not for the panel's user.
func numbers(digits int) string {
	const digit = "(SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)"
	sum, from, place := []string{"1"}, []string{}, 1
	for i := range digits {
		name := "d" + strconv.Itoa(i)
		sum = append(sum, name+".d * "+strconv.Itoa(place))
		from = append(from, digit+" "+name)
		place *= 10
	}
	return "(SELECT " + strings.Join(sum, " + ") + " AS seq FROM " + strings.Join(from, ", ") + ") numbers"
}
