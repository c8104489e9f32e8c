package store_test

import (
	"fmt"
	"testing"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/internal/testenv"
)

func TestPlanEffects(t *testing.T) {
	st := testenv.Store(t)
	big := hosting.PlanSpec{Name: "big", Label: "Big", Sites: 5, Databases: 5, FTPLogins: 5, DiskMB: 100, DatabaseMB: 50}
	must(st.CreatePlan(t.Context(), root, big))(t)
	account := must(st.CreateAccount(t.Context(), root, hosting.AccountSpec{Name: "full", Label: "<b>Full</b>", Plan: "big"}))(t)
	must(st.CreateAccount(t.Context(), root, hosting.AccountSpec{Name: "empty", Label: "Empty", Plan: "big"}))(t)
	anAccount(t, st, "elsewhere")
	site := aSite(t, st, account, "one.example.org")
	aSite(t, st, account, "two.example.org")
	database, _, err := st.CreateDatabase(t.Context(), root, account.ID, "full_a")
	ok(t, err)
	ok(t, st.DB().Exec("INSERT INTO disk_usage (site_id, node_id, account_id, files, bin, entries, drift, due_at) VALUES (?, ?, ?, ?, 0, 1, 0, NOW())"+
		" ON DUPLICATE KEY UPDATE files = VALUES(files)", site.ID, site.NodeID, account.ID, 20<<20).Error)
	ok(t, st.DB().Exec("INSERT INTO database_usage (database_id, bytes, stopped, measured_at) VALUES (?, ?, 0, NOW())", database.ID, 3<<20).Error)
	after := hosting.PlanSpec{Name: "big", Sites: 1, Databases: 1, FTPLogins: 0, DiskMB: 10, DatabaseMB: 2}
	const want = "[{disk_mb 20971520 10485760} {database_mb 3145728 2097152} {sites 2 1}]"
	found := must(st.PlanEffects(t.Context(), everything, "big", after))(t)
	if len(found) != 1 || found[0].Account.Label != "<b>Full</b>" || fmt.Sprint(found[0].Excesses) != want {
		t.Errorf("%+v", found)
	}
	t.Run("nobody is over what is not lower", func(t *testing.T) {
		if found := must(st.PlanEffects(t.Context(), everything, "big", big))(t); len(found) != 0 {
			t.Errorf("%+v", found)
		}
	})
	t.Run("of one account, with another plan", func(t *testing.T) {
		after.Name = "little"
		must(st.CreatePlan(t.Context(), root, after))(t)
		if over := must(st.AccountPlanEffect(t.Context(), everything, account.ID, "little"))(t); fmt.Sprint(over) != want {
			t.Errorf("%+v", over)
		}
		_, err := st.AccountPlanEffect(t.Context(), everything, account.ID, "none")
		refused(t, err, hosting.NotFound, "", "plan.not_found")
	})
	t.Run("out of scope there is nothing to learn", func(t *testing.T) {
		if over := must(st.AccountPlanEffect(t.Context(), hosting.Scope{}, account.ID, "little"))(t); len(over) != 0 {
			t.Errorf("%+v", over)
		}
	})
	t.Run("of many at once, before they get it", func(t *testing.T) {
		aPerson(t, st, "boss@example.org", hosting.Administrator)
		boss := actorOf(t, st, "boss@example.org")
		bulk := must(st.DraftBulk(t.Context(), boss, store.BulkSpec{Act: hosting.BulkPlan, Plan: "little", All: true}))(t)
		if r := must(st.Bulk(t.Context(), boss, bulk.ID))(t); len(r.Over) != 1 || fmt.Sprint(r.Over[0].Excesses) != want {
			t.Errorf("%+v", r.Over)
		}
	})
}
