package store_test

import (
	"testing"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/internal/testenv"
)

func TestAccountNotes(t *testing.T) {
	st := testenv.Store(t)
	account, other := anAccount(t, st, "parc"), anAccount(t, st, "other")
	aPerson(t, st, "boss@example.org", hosting.Administrator)
	aPerson(t, st, "tech@example.org", hosting.Technician)
	aPerson(t, st, "lea@example.org", hosting.NoRole, store.MembershipSpec{Account: account.ID, Role: hosting.Owner})
	boss, tech, lea := actorOf(t, st, "boss@example.org"), actorOf(t, st, "tech@example.org"), actorOf(t, st, "lea@example.org")
	team := tech.Scope(hosting.AdminNotes)
	first := must(st.AddAccountNote(t.Context(), tech, account.ID, "Rappelée"))(t)
	second := must(st.AddAccountNote(t.Context(), boss, account.ID, "Passe mardi"))(t)
	t.Run("the team reads them, the latest first", func(t *testing.T) {
		rows, total, err := st.AccountNotes(t.Context(), team, account.ID, 1, 10)
		ok(t, err)
		if total != 2 || len(rows) != 2 || rows[0] != second || rows[1] != first || first.Author != "tech@example.org" {
			t.Errorf("%d %+v", total, rows)
		}
	})
	t.Run("an owner reads none, writes none, and learns of none", func(t *testing.T) {
		rows, total, err := st.AccountNotes(t.Context(), lea.Scope(hosting.AdminNotes), account.ID, 1, 10)
		if err != nil || total != 0 || len(rows) != 0 {
			t.Errorf("%d %+v %v", total, rows, err)
		}
		_, err = st.AccountNote(t.Context(), lea.Scope(hosting.AdminNotes), account.ID, first.ID)
		refused(t, err, hosting.NotFound, "", "account_note.not_found")
		_, err = st.AddAccountNote(t.Context(), lea, account.ID, "x")
		refused(t, err, hosting.Forbidden, "", "error.forbidden")
		refused(t, st.RemoveAccountNote(t.Context(), lea, account.ID, first.ID), hosting.Forbidden, "", "error.forbidden")
		in := lea.Scope(hosting.ActivityRead).Only(account.ID)
		entries, _, err := st.Audit(t.Context(), in, store.AuditFilter{Account: account.ID, Search: "note"})
		if err != nil || len(entries) != 0 {
			t.Errorf("%+v %v", entries, err)
		}
	})
	t.Run("nor does somebody of the team in the place of the association", func(t *testing.T) {
		_, err := st.AddAccountNote(t.Context(), boss.OnBehalf(account), account.ID, "x")
		refused(t, err, hosting.Forbidden, "", "error.forbidden")
	})
	t.Run("by way of another account there is no such note", func(t *testing.T) {
		refused(t, st.EditAccountNote(t.Context(), tech, other.ID, first.ID, "x"), hosting.NotFound, "", "account_note.not_found")
		refused(t, st.RemoveAccountNote(t.Context(), boss, other.ID, first.ID), hosting.NotFound, "", "account_note.not_found")
	})
	t.Run("only its author changes a note", func(t *testing.T) {
		refused(t, st.EditAccountNote(t.Context(), boss, account.ID, first.ID, "x"), hosting.Forbidden, "", "error.forbidden")
		ok(t, st.EditAccountNote(t.Context(), tech, account.ID, first.ID, "Rappelée deux fois"))
		ok(t, st.EditAccountNote(t.Context(), tech, account.ID, first.ID, "Rappelée deux fois"))
		if got := must(st.AccountNote(t.Context(), team, account.ID, first.ID))(t); got.Text != "Rappelée deux fois" || got.EditedAt == nil {
			t.Errorf("%+v", got)
		}
	})
	t.Run("its author or an administrator removes it, and that is written down", func(t *testing.T) {
		refused(t, st.RemoveAccountNote(t.Context(), tech, account.ID, second.ID), hosting.Forbidden, "", "error.forbidden")
		ok(t, st.RemoveAccountNote(t.Context(), boss, account.ID, first.ID))
		entries, total, err := st.Audit(t.Context(), everything, store.AuditFilter{Search: "account_note", PerPage: 10})
		ok(t, err)
		if total != 4 || entries[0].Action != "account_note.delete" || entries[0].Actor != "boss@example.org" || entries[0].Target != "parc" || entries[1].Action != "account_note.update" {
			t.Errorf("%d %+v", total, entries)
		}
	})
	t.Run("they go with the account", func(t *testing.T) {
		ok(t, st.PurgeAccount(t.Context(), root, account.ID))
		_, err := st.Sweep(t.Context())
		ok(t, err)
		var left int
		ok(t, st.DB().Raw("SELECT COUNT(*) FROM account_notes").Scan(&left).Error)
		if left != 0 {
			t.Error(left)
		}
	})
}
