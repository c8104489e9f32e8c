package store_test

import (
	"strings"
	"testing"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/internal/testenv"
)

func TestVisits(t *testing.T) {
	st, node := testenv.Stores(t)
	ctx := t.Context()
	account := anAccount(t, st, "club")
	d, _, err := st.CreateDatabase(ctx, root, account.ID, "club_site")
	ok(t, err)
	stays, cookie := aMember(t, st, account.ID, "ann@club.example", hosting.Webmaster)
	begin := func(sess store.Session, token string) (hosting.DatabasePass, error) {
		return st.BeginVisit(ctx, sess.Actor, sess, d.ID, token, "password of "+token)
	}
	told := func() int {
		t.Helper()
		wish, err := node.Database(ctx, d.ID)
		ok(t, err)
		return len(wish.Passes)
	}
	pass, err := begin(stays, "one")
	ok(t, err)
	if pass.ReadOnly || pass.User(d.Name) != "club_site" || told() != 1 {
		t.Errorf("%+v", pass)
	}
	visit, err := st.Visit(ctx, "one")
	ok(t, err)
	if visit.Session.ID != stays.ID || visit.Database.ID != d.ID {
		t.Errorf("%+v", visit)
	}
	// Again: the one before ends.
	must(begin(stays, "two"))(t)
	gone := func(token, why string) {
		t.Helper()
		if _, err := st.Visit(ctx, token); hosting.KindOf(err) != hosting.NotFound {
			t.Errorf("%s: %v", why, err)
		}
	}
	gone("one", "the visit before")
	gone("password of two", "a password is no token")
	if told() != 1 {
		t.Error("the agent is told of a visit that is over")
	}
	if _, open, err := st.OpenVisit(ctx, stays, d.ID); err != nil || !open {
		t.Error(open, err)
	}

	// An agent that begins leaves visits alone, and takes off those that are over.
	old, err := node.OldPasses(ctx, true)
	if err != nil || len(old) != 1 || old[0].ID != pass.ID {
		t.Errorf("%+v, %v", old, err)
	}

	// Nobody looks who may not: a contractor, another association.
	contractor, _ := aMember(t, st, account.ID, "cyd@club.example", hosting.Contractor)
	if _, err := begin(contractor, "three"); hosting.KindOf(err) != hosting.Forbidden {
		t.Errorf("a contractor: %v", err)
	}
	other := anAccount(t, st, "other")
	stranger, _ := aMember(t, st, other.ID, "eve@other.example", hosting.Owner)
	if _, err := begin(stranger, "four"); hosting.KindOf(err) != hosting.NotFound {
		t.Errorf("a stranger: %v", err)
	}

	// A role that is lost ends it at the next request, the pass with the sweep.
	err = st.SetMembership(ctx, root, stays.Person.ID, store.MembershipSpec{Account: account.ID, Role: hosting.Contractor})
	ok(t, err)
	gone("two", "a lost role")
	must(st.Sweep(ctx))(t)
	if told() != 0 {
		t.Error("the pass of a lost role stays")
	}
	err = st.SetMembership(ctx, root, stays.Person.ID, store.MembershipSpec{Account: account.ID, Role: hosting.Owner})
	ok(t, err)
	gone("two", "what has ended comes back")

	// So does signing out, at once.
	stays, err = st.Session(ctx, cookie)
	ok(t, err)
	must(begin(stays, "five"))(t)
	ok(t, st.SignOut(ctx, cookie))
	gone("five", "signed out")
	if told() != 0 {
		t.Error("the pass of who signed out stays")
	}

	// What is used lasts, as long as the longest does.
	again, _ := aMember(t, st, account.ID, "bob@club.example", hosting.Owner)
	pass, err = begin(again, "six")
	ok(t, err)
	pass.ExpiresAt = pass.ExpiresAt.Add(-time.Minute)
	ok(t, st.ProlongVisit(ctx, pass))
	pass.CreatedAt = pass.CreatedAt.Add(-hosting.VisitLongest)
	pass.ExpiresAt = pass.CreatedAt
	ok(t, st.ProlongVisit(ctx, pass))
	gone("six", "the longest visit")

	entries, _, err := st.Audit(ctx, everything, store.AuditFilter{Search: "club_site"})
	ok(t, err)
	opened := 0
	for _, e := range entries {
		if e.Action == "database.adminer" {
			opened++
		}
		if strings.Contains(e.After, "password") {
			t.Errorf("%+v", e)
		}
	}
	if opened != 4 {
		t.Errorf("%d visits are in the log", opened)
	}
	ok(t, st.SuspendAccount(ctx, root, account.ID))
	if _, err := begin(again, "seven"); hosting.KindOf(err) != hosting.Conflict {
		t.Errorf("a suspended account: %v", err)
	}
}

// aMember is somebody with a role, who is signed in.
func aMember(t *testing.T, st *store.Store, account hosting.AccountID, email string, role hosting.Role) (store.Session, string) {
	t.Helper()
	aPerson(t, st, email, hosting.NoRole, store.MembershipSpec{Account: account, Role: role})
	return signIn(t, st, email)
}
