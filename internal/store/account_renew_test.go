package store_test

import (
	"slices"
	"testing"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/internal/testenv"
)

func TestRenewAccount(t *testing.T) {
	st := testenv.Store(t)
	ended := time.Now().AddDate(0, -2, 0).UTC().Truncate(time.Microsecond)
	account := must(st.CreateAccount(t.Context(), root, hosting.AccountSpec{Name: "parc", Plan: "asso", Expires: &ended}))(t)
	login, _, err := st.CreateFTPLogin(t.Context(), root, account.ID, hosting.FTPSpec{Login: "parc"})
	ok(t, err)
	open := func() bool {
		t.Helper()
		return must(st.FTPStandings(t.Context(), []hosting.FTPLoginID{login.ID}))(t)[login.ID].Open
	}
	aPerson(t, st, "boss@example.org", hosting.Administrator)
	aPerson(t, st, "tech@example.org", hosting.Technician)
	aPerson(t, st, "lea@example.org", hosting.NoRole, store.MembershipSpec{Account: account.ID, Role: hosting.Owner})
	boss := actorOf(t, st, "boss@example.org")
	t.Run("neither a member nor a technician renews", func(t *testing.T) {
		for _, who := range []string{"tech@example.org", "lea@example.org"} {
			_, err := st.RenewAccount(t.Context(), actorOf(t, st, who), account.ID, ended, false)
			refused(t, err, hosting.Forbidden, "", "error.forbidden")
		}
	})
	t.Run("a year from today on, and what the end had shut is open", func(t *testing.T) {
		if open() {
			t.Fatal("open after the end")
		}
		renewed := must(st.RenewAccount(t.Context(), boss, account.ID, ended, true))(t)
		if want := hosting.Renewed(ended, time.Now()); !renewed.Expires.Equal(want) || !renewed.Expires.After(time.Now().AddDate(0, 11, 0)) {
			t.Errorf("%v, want %v", renewed.Expires, want)
		}
		if !open() {
			t.Error("still shut")
		}
		entries, n, err := st.Audit(t.Context(), everything, store.AuditFilter{Account: account.ID, PerPage: 1})
		ok(t, err)
		if n == 0 || entries[0].Action != "account.renew" || entries[0].Actor != "boss@example.org" {
			t.Errorf("%+v", entries)
		}
	})
	t.Run("twice from the same page is once", func(t *testing.T) {
		_, err := st.RenewAccount(t.Context(), boss, account.ID, ended, false)
		refused(t, err, hosting.Conflict, "", "account.renewed_already")
	})
	t.Run("a suspended one stays so, or comes back, as it is asked", func(t *testing.T) {
		ok(t, st.SuspendAccount(t.Context(), root, account.ID))
		for _, resume := range []bool{false, true} {
			before := must(st.Account(t.Context(), everything, account.ID))(t)
			renewed := must(st.RenewAccount(t.Context(), boss, account.ID, *before.Expires, resume))(t)
			if renewed.Suspended == resume || !renewed.Expires.After(*before.Expires) || open() != resume {
				t.Errorf("%+v", renewed)
			}
		}
		entries, _, err := st.Audit(t.Context(), everything, store.AuditFilter{Account: account.ID, PerPage: 2})
		ok(t, err)
		if actions := []string{entries[0].Action, entries[1].Action}; !slices.Contains(actions, "account.renew") || !slices.Contains(actions, "account.resume") {
			t.Errorf("%v", actions)
		}
	})
	t.Run("what never ends is not given an end", func(t *testing.T) {
		never := anAccount(t, st, "never")
		_, err := st.RenewAccount(t.Context(), boss, never.ID, time.Now(), false)
		refused(t, err, hosting.Conflict, "", "account.no_end")
	})
	t.Run("nor is what is on its way out renewed", func(t *testing.T) {
		going := must(st.CreateAccount(t.Context(), root, hosting.AccountSpec{Name: "going", Plan: "asso", Expires: &ended}))(t)
		ok(t, st.RemoveAccount(t.Context(), root, going.ID))
		_, err := st.RenewAccount(t.Context(), boss, going.ID, ended, false)
		refused(t, err, hosting.NotFound, "", "account.not_found")
	})
}
