package store_test

import (
	"testing"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/internal/testenv"
)

// What was measured of many sites is noted at once. What a member wrote
// meanwhile still counts, and has his site measured anew; a site that went
// meanwhile does not come back.
func TestWhatWasMeasuredIsNotedTogether(t *testing.T) {
	st, node := testenv.Stores(t)
	account := anAccount(t, st, "voile")
	quiet, busy, gone := aSite(t, st, account, "quiet.example.org"), aSite(t, st, account, "busy.example.org"), aSite(t, st, account, "gone.example.org")
	settle(t, node)
	ok(t, node.ListDisk(t.Context()))
	ok(t, st.AddDrift(t.Context(), map[hosting.SiteID]int64{busy.ID: 500}))
	ok(t, node.MeasureDisk(t.Context(), []hosting.SiteID{busy.ID}))
	due := must(node.DueDisk(t.Context(), 10))(t)
	if len(due) != 3 || due[0].ID != busy.ID || due[0].Drift != 500 {
		t.Fatalf("%+v", due)
	}
	tomorrow := time.Now().Add(24 * time.Hour)
	var found []store.DiskMeasured
	for _, was := range due {
		found = append(found, store.DiskMeasured{Was: was, Files: 1000 * int64(was.ID), Bin: 10, Entries: 3, Next: tomorrow})
	}
	ok(t, st.AddDrift(t.Context(), map[hosting.SiteID]int64{busy.ID: 70}))
	must(st.PurgeSite(t.Context(), root, gone.ID))(t)
	settle(t, node)
	must(st.Sweep(t.Context()))(t)

	ok(t, node.ObserveDisk(t.Context(), found))
	ok(t, node.ObserveDisk(t.Context(), nil))
	if space := must(st.Space(t.Context(), everything, account.ID))(t); space.Used != 1000*int64(quiet.ID+busy.ID)+20+70 {
		t.Errorf("%+v", space)
	}
	if at := must(node.MeasuredDisk(t.Context()))(t); len(at) != 2 {
		t.Errorf("measured: %v", at)
	}
	if due := must(node.DueDisk(t.Context(), 10))(t); len(due) != 0 {
		t.Errorf("due at once: %+v", due)
	}
	for site, want := range map[hosting.SiteID]time.Duration{quiet.ID: 24 * time.Hour, busy.ID: time.Minute} {
		var at time.Time
		ok(t, node.DB().Raw("SELECT due_at FROM disk_usage WHERE site_id = ?", site).Scan(&at).Error)
		if wait := time.Until(at); wait > want || wait < want-30*time.Second {
			t.Errorf("site %d is measured anew in %s, not %s", site, wait, want)
		}
	}
}
