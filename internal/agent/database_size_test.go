package agent

import (
	"testing"

	"cancale/internal/hosting"
)

func TestADatabaseThatGrowsTooLarge(t *testing.T) {
	w := newWorld(t)
	const n = hosting.Unlimited
	_, err := w.store.UpdatePlan(t.Context(), root, "all", hosting.PlanSpec{Name: "all", Label: "all", Sites: n, Databases: n, FTPLogins: n, DiskMB: n, DatabaseMB: 1})
	if err != nil {
		t.Fatal(err)
	}
	db, _, err := w.store.CreateDatabase(t.Context(), root, w.account.ID, "asso_large")
	if err != nil {
		t.Fatal(err)
	}
	a := w.agent()
	whole := map[hosting.DatabaseID]wholeSize{}
	pass := func() hosting.DatabaseSize {
		t.Helper()
		if err := a.measureSizes(t.Context(), whole); err != nil {
			t.Fatal(err)
		}
		if err := a.reconcile(t.Context(), databaseKey(db.ID)); err != nil {
			t.Fatal(err)
		}
		size, err := w.store.DatabaseSize(t.Context(), root.Scope(hosting.AdminRead), db.ID)
		if err != nil {
			t.Fatal(err)
		}
		return size
	}
	may := func() (insert bool) {
		t.Helper()
		have, err := a.cfg.Store.Database(t.Context(), db.ID)
		if err != nil {
			t.Fatal(err)
		}
		return !have.Full
	}
	if err := a.reconcile(t.Context(), databaseKey(db.ID)); err != nil {
		t.Fatal(err)
	}
	w.exec("CREATE TABLE asso_large.kept (a INT)")
	if size := pass(); size.Stopped || size.Limit != 1<<20 || size.Bytes == 0 || !may() {
		t.Errorf("at first: %+v", size)
	}
	// Out of the server's own count, so that only measuring it by itself tells.
	w.exec("CREATE TABLE asso_large.t (d LONGTEXT) STATS_PERSISTENT=0")
	w.exec("INSERT INTO asso_large.t SELECT REPEAT('x', 100000) FROM information_schema.COLLATIONS LIMIT 20")
	var size hosting.DatabaseSize
	w.eventually("it is found to be full", func() bool {
		clear(whole)
		size = pass()
		return size.Stopped
	})
	if size.Bytes < 1<<20 || may() {
		t.Errorf("after it grew: %+v", size)
	}
	w.exec("DROP TABLE asso_large.t")
	if size := pass(); size.Stopped || size.Bytes >= 1<<20 || !may() {
		t.Errorf("after it shrank: %+v", size)
	}
}

func TestWhenADatabaseStopsGrowing(t *testing.T) {
	for _, c := range []struct {
		bytes, limit   int64
		stopped, stops bool
	}{
		{100, hosting.Unlimited, true, false}, {99, 100, false, false}, {100, 100, false, true}, {95, 100, true, true}, {95, 100, false, false}, {90, 100, true, true}, {89, 100, true, false},
	} {
		if got := (hosting.DatabaseSize{Bytes: c.bytes, Limit: c.limit, Stopped: c.stopped}).Stops(); got != c.stops {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
