package store_test

import (
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/internal/testenv"
	"cancale/internal/traffic"
	"cancale/migrations"
)

func TestTraffic(t *testing.T) {
	inst := testenv.Install(t)
	st, node := inst.Open(t), inst.OpenNode(t)
	account := anAccount(t, st, "counted")
	site, other := aSite(t, st, account, "counted.example.org"), aSite(t, st, account, "other.example.org")
	ctx := t.Context()
	visitors := func(numbers ...uint64) (s traffic.Sketch) {
		for _, n := range numbers {
			s.Add(n * 0x9e3779b97f4a7c15)
		}
		return s
	}
	const day = "2026-11-22"
	at := store.SiteDay{Site: site.ID, Day: day}
	first := traffic.Day{
		Hits: 10, Pages: 4, Robots: 2, Bytes: 5000, Status: map[int]int64{200: 7, 301: 1, 404: 1, 500: 1}, Seen: visitors(1, 2, 3),
		Names: traffic.Names{Top: map[string]int64{"/": 3, "/contact": 1}, Slow: map[string]traffic.Slow{"/": {N: 1, Took: 1500, Worst: 1500}}},
	}
	second := traffic.Day{Hits: 5, Pages: 5, Bytes: 1000, Status: map[int]int64{200: 5}, Seen: visitors(3, 4), Names: traffic.Names{Top: map[string]int64{"/": 5}}}
	counts := map[store.SiteDay]traffic.Day{at: first, {Site: other.ID, Day: day}: {Hits: 1, Bytes: 1}, {Site: 999_999, Day: day}: {Hits: 7}}
	ok(t, node.AddTraffic(ctx, []string{"one"}, counts))
	if err := node.AddTraffic(ctx, []string{"one"}, counts); err == nil {
		t.Error("a batch is added twice")
	}
	fresh := must(node.NewBatches(ctx, []string{"one", "two"}))(t)
	if diff := gocmp.Diff([]string{"two"}, fresh); diff != "" {
		t.Error(diff)
	}
	ok(t, node.AddTraffic(ctx, fresh, map[store.SiteDay]traffic.Day{at: second}))

	rows := must(st.Traffic(ctx, everything, site.ID, "2026-11-01", "2026-11-30"))(t)
	want := []hosting.TrafficDay{{Day: day, Hits: 15, Pages: 9, Visitors: 4, Robots: 2, Bytes: 6000, Good: 12, Moved: 1, Refused: 1, Failed: 1}}
	if diff := gocmp.Diff(want, rows); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	names := must(st.TrafficNames(ctx, everything, site.ID, day, day))(t)
	if names.Top["/"] != 8 || names.Status[200] != 12 || names.Slow["/"].Worst != 1500 || len(names.Seen) != 0 {
		t.Errorf("%+v", names)
	}
	rows = must(st.AccountTraffic(ctx, everything, account.ID, "2026-11-01", "2026-11-30"))(t)
	want = []hosting.TrafficDay{{Day: day, Hits: 16, Pages: 9, Visitors: 4, Robots: 2, Bytes: 6001, Good: 12, Moved: 1, Refused: 1, Failed: 1}}
	if diff := gocmp.Diff(want, rows); diff != "" {
		t.Errorf("of the account (-want +got):\n%s", diff)
	}
	if rows := must(st.AccountTraffic(ctx, everything, account.ID, "2026-12-01", "2026-12-31"))(t); len(rows) != 0 {
		t.Errorf("of another month: %+v", rows)
	}
	both := must(st.SitesTraffic(ctx, everything, []hosting.SiteID{site.ID, other.ID, 999_999}, "2026-11-01", "2026-11-30"))(t)
	if len(both) != 2 || both[site.ID][0].Bytes != 6000 || both[other.ID][0].Bytes != 1 {
		t.Errorf("of two sites: %+v", both)
	}

	t.Run("figures from before there were any of accounts are added up once", func(t *testing.T) {
		db := rootStore(t, inst).DB()
		step := string(must(migrations.FS.ReadFile("00160_account_traffic.sql"))(t))
		ok(t, db.Exec("DELETE FROM account_traffic").Error)
		for range 2 {
			ok(t, db.Exec(step[strings.Index(step, "INSERT"):]).Error)
			if diff := gocmp.Diff(want, must(st.AccountTraffic(ctx, everything, account.ID, "2026-11-01", "2026-11-30"))(t)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
	})

	t.Run("what is old goes", func(t *testing.T) {
		old := time.Now().AddDate(0, -14, 0).Format(time.DateOnly)
		lately := time.Now().AddDate(0, 0, -hosting.TrafficNamesDays-2).Format(time.DateOnly)
		ok(t, node.AddTraffic(ctx, nil, map[store.SiteDay]traffic.Day{{Site: site.ID, Day: old}: first, {Site: site.ID, Day: lately}: first}))
		must(st.Sweep(ctx))(t)
		if rows := must(st.Traffic(ctx, everything, site.ID, old, lately))(t); len(rows) != 1 || rows[0].Day != lately {
			t.Errorf("%+v", rows)
		}
		if names := must(st.TrafficNames(ctx, everything, site.ID, old, lately))(t); len(names.Top) != 0 {
			t.Errorf("%+v", names)
		}
	})
}

func TestSamples(t *testing.T) {
	inst := testenv.Install(t)
	st, node := inst.Open(t), inst.OpenNode(t)
	ctx := t.Context()
	begin := time.Date(2026, 11, 20, 22, 58, 0, 0, time.UTC)
	add := func(from time.Time, minutes int) time.Time {
		t.Helper()
		for i := range minutes {
			ok(t, node.AddSample(ctx, hosting.Sample{At: from.Add(time.Duration(i) * time.Minute), Numbers: map[string]float64{"load": float64(i % 2), "x": 4}}))
		}
		return from.Add(time.Duration(minutes) * time.Minute)
	}
	last := add(begin, 65)                // to 0 h 03
	last = add(last.Add(30*time.Hour), 1) // stopped for more than a day
	minutes := must(st.Samples(ctx, hosting.EachMinute, begin))(t)
	if len(minutes) != 1 || !minutes[0].At.Equal(last.Add(-time.Minute)) || minutes[0].Numbers["x"] != 4 {
		t.Errorf("minutes: %+v", minutes)
	}
	hours := must(st.Samples(ctx, hosting.EachHour, begin.Add(-time.Hour)))(t)
	if len(hours) != 3 || hours[1].Numbers["load"] != 0.5 || hours[1].Numbers["x"] != 4 || hours[1].At.Hour() != 23 {
		t.Errorf("hours: %+v", hours)
	}
	days := must(st.Samples(ctx, hosting.EachDay, begin.Add(-48*time.Hour)))(t)
	if len(days) != 2 || days[0].Numbers["x"] != 4 || days[0].At.Day() != 20 {
		t.Errorf("days: %+v", days)
	}
	add(last.AddDate(2, 0, 0), 1)
	if left := must(st.Samples(ctx, hosting.EachDay, begin))(t); len(left) != 0 {
		t.Errorf("old days: %+v", left)
	}
	numbers := must(node.Load(ctx))(t)
	for _, name := range []string{hosting.SampleSites, hosting.SampleWaiting, hosting.SampleMails, hosting.SampleDatabase} {
		if _, there := numbers[name]; !there {
			t.Errorf("no %s in %v", name, numbers)
		}
	}
	if numbers[hosting.SampleDatabase] < 1 {
		t.Errorf("%v", numbers)
	}
}
