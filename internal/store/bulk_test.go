package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/internal/testenv"
)

// runBulks does all that was confirmed.
func runBulks(t *testing.T, st *store.Store) {
	t.Helper()
	for {
		if more := must(st.StepBulk(t.Context()))(t); !more {
			return
		}
	}
}

// outcome is what a report says, in one line.
func outcome(r hosting.BulkReport) string {
	var why []string
	for _, reason := range r.Refused {
		why = append(why, fmt.Sprintf("%s%d%v", strings.TrimPrefix(reason.Why, "bulk.why_"), reason.N, reason.First))
	}
	return fmt.Sprintf("%s: %d of %d, %d wait; %s", r.State, r.Done, r.Total, r.Waiting, strings.Join(why, ", "))
}

func TestBulkActs(t *testing.T) {
	st := testenv.Store(t)
	must(st.CreatePlan(t.Context(), root, hosting.PlanSpec{Name: "small", Label: "Small"}))(t)
	aPerson(t, st, "boss@example.org", hosting.Administrator)
	aPerson(t, st, "second@example.org", hosting.Administrator)
	aPerson(t, st, "tech@example.org", hosting.Technician)
	soon := time.Now().AddDate(0, 0, 10).UTC().Truncate(time.Microsecond)
	add := func(name string, expires *time.Time) hosting.Account {
		return must(st.CreateAccount(t.Context(), root, hosting.AccountSpec{Name: hosting.AccountName(name), Label: "L " + name, Plan: "asso", Expires: expires}))(t)
	}
	a, b, never, gone := add("a", &soon), add("b", &soon), add("never", nil), add("gone", &soon)
	aPerson(t, st, "lea@example.org", hosting.NoRole, store.MembershipSpec{Account: a.ID, Role: hosting.Owner})
	boss, second, tech, lea := actorOf(t, st, "boss@example.org"), actorOf(t, st, "second@example.org"), actorOf(t, st, "tech@example.org"), actorOf(t, st, "lea@example.org")
	all := []hosting.AccountID{a.ID, b.ID, never.ID, gone.ID}
	account := func(id hosting.AccountID) hosting.Account {
		t.Helper()
		return must(st.Account(t.Context(), everything, id))(t).Account
	}
	t.Run("who may not do it to one does not do it to many", func(t *testing.T) {
		for _, who := range []hosting.Actor{lea, tech, boss.OnBehalf(a), {}} {
			_, err := st.DraftBulk(t.Context(), who, store.BulkSpec{Act: hosting.BulkRenew, Accounts: all})
			refused(t, err, hosting.Forbidden, "", "error.forbidden")
		}
		must(st.DraftBulk(t.Context(), tech, store.BulkSpec{Act: hosting.BulkSuspend, Accounts: all}))(t)
	})
	t.Run("nothing chosen, no such plan", func(t *testing.T) {
		_, err := st.DraftBulk(t.Context(), boss, store.BulkSpec{Act: hosting.BulkRenew, Accounts: []hosting.AccountID{999_999}})
		refused(t, err, hosting.Invalid, "all", "bulk.none")
		_, err = st.DraftBulk(t.Context(), boss, store.BulkSpec{Act: hosting.BulkPlan, Plan: "none", Accounts: all})
		refused(t, err, hosting.Invalid, "plan", "plan.unknown")
	})
	t.Run("a renewal: said before, confirmed by its author, done once to each", func(t *testing.T) {
		bulk := must(st.DraftBulk(t.Context(), boss, store.BulkSpec{Act: hosting.BulkRenew, All: true, Filter: store.AccountFilter{Search: "l "}}))(t)
		if got := outcome(must(st.Bulk(t.Context(), boss, bulk.ID))(t)); got != "draft: 0 of 4, 3 wait; no_end1[L never]" {
			t.Error(got)
		}
		_, err := st.Bulk(t.Context(), second, bulk.ID)
		refused(t, err, hosting.NotFound, "", "bulk.not_found")
		refused(t, st.StartBulk(t.Context(), second, bulk.ID), hosting.NotFound, "", "bulk.not_found")
		runBulks(t, st)
		if !account(a.ID).Expires.Equal(soon) {
			t.Fatal("done without a confirmation")
		}
		// Meanwhile one is renewed by hand, and one goes.
		must(st.RenewAccount(t.Context(), second, b.ID, soon, false))(t)
		ok(t, st.RemoveAccount(t.Context(), root, gone.ID))
		ok(t, st.StartBulk(t.Context(), boss, bulk.ID))
		ok(t, st.StartBulk(t.Context(), boss, bulk.ID))
		runBulks(t, st)
		if got := outcome(must(st.Bulk(t.Context(), second, bulk.ID))(t)); got != "ended: 1 of 4, 0 wait; gone1[L gone], no_end1[L never], renewed1[L b]" {
			t.Error(got)
		}
		if want := hosting.Renewed(soon, time.Now()); !account(a.ID).Expires.Equal(want) || !account(b.ID).Expires.Equal(want) {
			t.Errorf("%v and %v, want %v", account(a.ID).Expires, account(b.ID).Expires, want)
		}
		entries, _, err := st.Audit(t.Context(), everything, store.AuditFilter{Account: a.ID, PerPage: 1})
		ok(t, err)
		if entries[0].Action != "account.renew" || entries[0].Actor != "boss@example.org" || entries[0].Source != "192.0.2.1" {
			t.Errorf("%+v", entries[0])
		}
	})
	run := func(who hosting.Actor, spec store.BulkSpec) string {
		t.Helper()
		spec.Accounts = []hosting.AccountID{a.ID, b.ID, never.ID}
		bulk := must(st.DraftBulk(t.Context(), who, spec))(t)
		ok(t, st.StartBulk(t.Context(), who, bulk.ID))
		runBulks(t, st)
		return outcome(must(st.Bulk(t.Context(), who, bulk.ID))(t))
	}
	t.Run("suspended, resumed, another plan", func(t *testing.T) {
		ok(t, st.SuspendAccount(t.Context(), root, b.ID))
		if got := run(tech, store.BulkSpec{Act: hosting.BulkSuspend}); got != "ended: 2 of 3, 0 wait; suspended1[L b]" || !account(a.ID).Suspended {
			t.Error(got)
		}
		if got := run(boss, store.BulkSpec{Act: hosting.BulkResume}); got != "ended: 3 of 3, 0 wait; " || account(b.ID).Suspended {
			t.Error(got)
		}
		if got := run(boss, store.BulkSpec{Act: hosting.BulkPlan, Plan: "small"}); got != "ended: 3 of 3, 0 wait; " || account(b.ID).PlanID == b.PlanID {
			t.Error(got)
		}
		if got := run(boss, store.BulkSpec{Act: hosting.BulkPlan, Plan: "small"}); got != "ended: 0 of 3, 0 wait; same_plan3[L a L b L never]" {
			t.Error(got)
		}
	})
	t.Run("who loses the role meanwhile does nothing more", func(t *testing.T) {
		bulk := must(st.DraftBulk(t.Context(), tech, store.BulkSpec{Act: hosting.BulkSuspend, Accounts: []hosting.AccountID{a.ID}}))(t)
		ok(t, st.StartBulk(t.Context(), tech, bulk.ID))
		ok(t, st.DisablePerson(t.Context(), root, tech.Person))
		runBulks(t, st)
		if r := must(st.Bulk(t.Context(), boss, bulk.ID))(t); r.Done != 0 || r.RefusedCount() != 1 || account(a.ID).Suspended {
			t.Error(outcome(r))
		}
	})
	t.Run("stopped: the rest stays as it is", func(t *testing.T) {
		bulk := must(st.DraftBulk(t.Context(), boss, store.BulkSpec{Act: hosting.BulkSuspend, Accounts: []hosting.AccountID{a.ID}}))(t)
		ok(t, st.StartBulk(t.Context(), boss, bulk.ID))
		ok(t, st.StopBulk(t.Context(), boss, bulk.ID))
		runBulks(t, st)
		if got := outcome(must(st.Bulk(t.Context(), boss, bulk.ID))(t)); got != "ended: 0 of 1, 0 wait; stopped1[L a]" || account(a.ID).Suspended {
			t.Error(got)
		}
	})
	t.Run("10,000 are drawn up and read at once, and done in steps", func(t *testing.T) {
		ok(t, st.DB().Exec("INSERT INTO accounts (name, label, plan_id, suspended, removing, expires, note, created_at)"+
			" SELECT CONCAT('n', seq), CONCAT('N ', seq), ?, 0, 0, NOW(6), '', NOW() FROM "+numbers(4), a.PlanID).Error)
		bulk := must(st.DraftBulk(t.Context(), boss, store.BulkSpec{Act: hosting.BulkRenew, All: true}))(t)
		if r := must(st.Bulk(t.Context(), boss, bulk.ID))(t); r.Waiting != 10_002 || len(r.First) > 20 {
			t.Error(outcome(r))
		}
		ok(t, st.StartBulk(t.Context(), boss, bulk.ID))
		must(st.StepBulk(t.Context()))(t)
		if r := must(st.Bulk(t.Context(), boss, bulk.ID))(t); r.Done+r.RefusedCount() == 0 || r.Done+r.RefusedCount() > 100 {
			t.Error(outcome(r))
		}
		ok(t, st.StopBulk(t.Context(), boss, bulk.ID))
	})
}
