package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/internal/testenv"

	gocmp "github.com/google/go-cmp/cmp"
)

func TestTheLoopOfAnAgent(t *testing.T) {
	inst := testenv.Install(t)
	st, node := inst.Open(t), inst.OpenNode(t)
	account := anAccount(t, st, "one")
	site := aSite(t, st, account, "site.example.com", "www.site.example.com")
	database, _, err := st.CreateDatabase(t.Context(), root, account.ID, "one_db")
	ok(t, err)
	key, databaseKey := siteKey(site.ID), hosting.Key{Resource: hosting.ResourceDatabase, ID: uint64(database.ID)}
	sync := func() hosting.Sync { return must(st.Site(t.Context(), everything, site.ID))(t).Sync }
	observe := func(generation uint64, state hosting.State, problem hosting.Message, retry time.Time) {
		t.Helper()
		ok(t, node.Observe(t.Context(), key, generation, state, problem, retry))
	}

	t.Run("an unknown node is an error", func(t *testing.T) {
		if _, err := store.OpenNode(t.Context(), inst.Agent, "other"); err == nil {
			t.Error("opened")
		}
	})
	t.Run("what is due is claimed once, the longest waiting first", func(t *testing.T) {
		keys := must(node.Claim(t.Context(), 10))(t)
		if diff := gocmp.Diff([]hosting.Key{key, databaseKey}, keys); diff != "" {
			t.Error(diff)
		}
		if s := sync(); s.State != hosting.Applying || !s.DueAt.After(time.Now().Add(50*time.Second)) {
			t.Errorf("%+v", s)
		}
		if again := must(node.Claim(t.Context(), 10))(t); len(again) != 0 {
			t.Errorf("%v", again)
		}
	})
	t.Run("the whole wish is read", func(t *testing.T) {
		read := must(node.Site(t.Context(), site.ID))(t)
		want := must(st.Site(t.Context(), everything, site.ID))(t).Site
		if diff := gocmp.Diff(want, read); diff != "" || len(read.Aliases) != 1 {
			t.Error(diff)
		}
		_, err := node.Site(t.Context(), 999)
		refused(t, err, hosting.NotFound, "", "site.not_found")
		_, err = node.Database(t.Context(), 999)
		refused(t, err, hosting.NotFound, "", "database.not_found")
	})
	t.Run("what a dead agent had claimed is due again after its lease", func(t *testing.T) {
		ok(t, st.DB().Exec("UPDATE sites SET due_at = due_at - INTERVAL 61 SECOND").Error)
		if keys := must(node.Claim(t.Context(), 10))(t); !slices.Equal(keys, []hosting.Key{key}) {
			t.Errorf("%v", keys)
		}
	})
	t.Run("a failure says why, counts, and comes again", func(t *testing.T) {
		why := hosting.Msg("site.php_failed", "8.2", "é\n\"'")
		observe(1, hosting.Failed, why, time.Now().Add(time.Hour))
		observe(1, hosting.Failed, why, time.Now().Add(-time.Second))
		s := sync()
		if diff := gocmp.Diff(why, s.Problem); diff != "" || s.State != hosting.Failed || s.Attempts != 2 || s.Observed != 1 {
			t.Errorf("%+v %s", s, diff)
		}
		if keys := must(node.Claim(t.Context(), 10))(t); !slices.Equal(keys, []hosting.Key{key}) {
			t.Errorf("%v", keys)
		}
		if again := sync(); again.Problem.Key != why.Key || again.Attempts != 2 {
			t.Errorf("a claim forgets why: %+v", again)
		}
	})
	t.Run("a success forgets the failures", func(t *testing.T) {
		observe(1, hosting.Live, hosting.Message{}, time.Time{})
		if s := sync(); s.State != hosting.Live || s.Attempts != 0 || !s.Problem.IsZero() || !s.Current() || s.DueAt.Year() != 9999 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("the same word again changes no time", func(t *testing.T) {
		before := sync()
		observe(1, hosting.Live, hosting.Message{}, time.Time{})
		if diff := gocmp.Diff(before, sync()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a late agent does not overwrite a newer wish", func(t *testing.T) {
		must(st.SuspendSite(t.Context(), root, site.ID))(t)
		before := sync()
		observe(1, hosting.Live, hosting.Message{}, time.Time{})
		observe(3, hosting.Live, hosting.Message{}, time.Time{})
		if diff := gocmp.Diff(before, sync()); diff != "" {
			t.Error(diff)
		}
		if keys := must(node.Claim(t.Context(), 10))(t); !slices.Equal(keys, []hosting.Key{key}) {
			t.Errorf("%v", keys)
		}
	})
	t.Run("a wish made while an agent is at it is due at once", func(t *testing.T) {
		must(st.ResumeSite(t.Context(), root, site.ID))(t)
		observe(2, hosting.Suspended, hosting.Message{}, time.Time{})
		if keys := must(node.Claim(t.Context(), 10))(t); !slices.Equal(keys, []hosting.Key{key}) {
			t.Errorf("%v", keys)
		}
		observe(3, hosting.Live, hosting.Message{}, time.Time{})
	})
	t.Run("everything is named for the resync", func(t *testing.T) {
		keys := must(node.All(t.Context()))(t)
		if diff := gocmp.Diff([]hosting.Key{key, databaseKey}, keys); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a removal stays one while it is tried, and ends", func(t *testing.T) {
		must(st.RemoveSite(t.Context(), root, site.ID))(t)
		must(node.Claim(t.Context(), 10))(t)
		if s := sync(); s.State != hosting.Removing {
			t.Errorf("%+v", s)
		}
		observe(4, hosting.Removed, hosting.Message{}, time.Time{})
		observe(4, hosting.Live, hosting.Message{}, time.Time{})
		if keys := must(node.All(t.Context()))(t); slices.Contains(keys, key) {
			t.Errorf("%v", keys)
		}
	})
	t.Run("nobody applies an FTP login", func(t *testing.T) {
		if err := node.Observe(t.Context(), hosting.Key{Resource: hosting.ResourceFTP, ID: 1}, 1, hosting.Live, hosting.Message{}, time.Time{}); err == nil {
			t.Error("taken")
		}
	})
}

func TestWait(t *testing.T) {
	st, node := testenv.Stores(t)
	site := aSite(t, st, anAccount(t, st, "one"), "site.example.com")
	after := func(act func()) { go func() { time.Sleep(30 * time.Millisecond); act() }() }
	t.Run("until it is settled", func(t *testing.T) {
		after(func() {
			_ = node.Observe(context.Background(), siteKey(site.ID), 1, hosting.Failed, hosting.Msg("x"), time.Now().Add(time.Hour))
		})
		if s := must(st.Wait(t.Context(), siteKey(site.ID), 1))(t); s.State != hosting.Failed || s.Problem.Key != "x" {
			t.Errorf("%+v", s)
		}
	})
	t.Run("not longer than asked", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		s, err := st.Wait(ctx, siteKey(site.ID), 2)
		if !errors.Is(err, context.DeadlineExceeded) || s.Generation != 1 {
			t.Errorf("%+v %v", s, err)
		}
	})
	t.Run("until it is gone", func(t *testing.T) {
		gone := must(st.RemoveSite(t.Context(), root, site.ID))(t)
		after(func() {
			_ = node.Observe(context.Background(), siteKey(site.ID), 2, hosting.Removed, hosting.Message{}, time.Time{})
			_, _ = st.Sweep(context.Background())
		})
		if s := must(st.Wait(t.Context(), siteKey(site.ID), gone.Sync.Generation))(t); s.State != hosting.Removed {
			t.Errorf("%+v", s)
		}
	})
}

func TestCounts(t *testing.T) {
	st, node := testenv.Stores(t)
	account := anAccount(t, st, "one")
	aSite(t, st, account, "a.example.com")
	settle(t, node)
	aSite(t, st, account, "b.example.com")
	aSite(t, st, account, "c.example.com")
	got := must(st.Counts(t.Context()))(t)
	want := store.Counts{Sites: map[hosting.State]int{hosting.Live: 1, hosting.Pending: 2}, Databases: map[hosting.State]int{}, Accounts: 1}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestListsOfTenThousandSitesAreFast(t *testing.T) {
	st, node := testenv.Stores(t)
	const accounts, each = 10, 1000
	for a := range accounts {
		account := anAccount(t, st, fmt.Sprintf("fast%d", a))
		bigPlan(t, st, account)
		specs := make([]hosting.SiteSpec, each)
		for i := range specs {
			specs[i] = hosting.SiteSpec{Host: hosting.Hostname(fmt.Sprintf("site%d.zone%d.example.com", i, a))}
		}
		must(st.CreateSites(t.Context(), root, account.ID, specs))(t)
	}
	ok(t, st.DB().Exec("UPDATE sites SET state = 'live', observed = generation, due_at = '9999-12-31' WHERE id % 100 > 0").Error)
	ok(t, st.DB().Exec("ANALYZE TABLE sites, site_names, accounts").Error)
	first := must(st.AccountByName(t.Context(), everything, "fast0"))(t).Account
	stranger := anAccount(t, st, "stranger")
	// 100,000 more names, of which a claim reads only those around its own.
	ok(t, st.DB().Exec("INSERT INTO site_names SELECT CONCAT('n', seq, '.zone', seq % 10, '.filler.net'), CONCAT('net.filler.zone', seq % 10, '.n', seq, '.'), '', (SELECT MIN(id) FROM sites) + seq % 10000, ?, 1000 + seq, 0 FROM "+numbers(5), first.ID).Error)
	list := func(f store.SiteFilter) func() error {
		return func() error {
			rows, _, err := st.Sites(t.Context(), everything, f)
			if err == nil && len(rows) == 0 {
				err = errors.New("no rows")
			}
			return err
		}
	}
	// The limits leave room for a busy machine; what they catch is a query that
	// reads every row, or one per row.
	for name, c := range map[string]struct {
		act   func() error
		limit time.Duration
	}{
		"a page":            {list(store.SiteFilter{}), 30 * time.Millisecond},
		"the last page":     {list(store.SiteFilter{Page: 200}), 60 * time.Millisecond},
		"by account":        {list(store.SiteFilter{Account: first.ID, Page: 3}), 30 * time.Millisecond},
		"by state":          {list(store.SiteFilter{State: hosting.Pending}), 30 * time.Millisecond},
		"sorted by account": {list(store.SiteFilter{Sort: "account"}), 100 * time.Millisecond},
		"the latest":        {list(store.SiteFilter{Sort: "-created"}), 60 * time.Millisecond},
		"found by text":     {list(store.SiteFilter{Search: "site77"}), 400 * time.Millisecond},
		"one site":          {func() error { _, err := st.SiteByHost(t.Context(), everything, "site5.zone5.example.com"); return err }, 20 * time.Millisecond},
		"all accounts":      {func() error { _, _, err := st.Accounts(t.Context(), everything, store.AccountFilter{}); return err }, 40 * time.Millisecond},
		"counts":            {func() error { _, err := st.Counts(t.Context()); return err }, 30 * time.Millisecond},
		"nothing due":       {func() error { _, err := node.Claim(t.Context(), 0); return err }, 20 * time.Millisecond},
		"a free name": {func() error {
			return st.CheckHost(t.Context(), everything, stranger.ID, "free.zone5x.filler.net")
		}, 20 * time.Millisecond},
		"a name that is taken": {func() error {
			_, err := st.CreateSite(t.Context(), root, stranger.ID, hosting.SiteSpec{Host: "zone3.example.com"})
			if hosting.KindOf(err) != hosting.Conflict {
				return err
			}
			return nil
		}, 50 * time.Millisecond},
	} {
		best := time.Hour
		for range 7 {
			start := time.Now()
			ok(t, c.act())
			best = min(best, time.Since(start))
		}
		t.Logf("%-22s %v", name, best.Round(10*time.Microsecond))
		if best > c.limit {
			t.Errorf("%s takes %v, at most %v", name, best, c.limit)
		}
	}
}

func TestOrder(t *testing.T) {
	columns := map[string]string{"name": "a.name", "created": "a.created_at"}
	for sort, want := range map[string]string{
		"":                   " ORDER BY a.name, a.id",
		"created":            " ORDER BY a.created_at, a.id",
		"-created":           " ORDER BY a.created_at DESC, a.id DESC",
		"-x":                 " ORDER BY a.name, a.id",
		"name; DROP TABLE x": " ORDER BY a.name, a.id",
	} {
		if got := store.Order(sort, columns, "name", "a.id"); got != want {
			t.Errorf("%q: %q, want %q", sort, got, want)
		}
	}
}

func TestLike(t *testing.T) {
	for text, want := range map[string]string{"a": "%a%", " 50%_\\ ": `%50\%\_\\%`, "\xff": "%\uFFFD%"} {
		if got := store.Like(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestNoValueReachesTheLog(t *testing.T) {
	var out bytes.Buffer
	old := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&out, nil)))
	defer slog.SetDefault(old)
	inst := testenv.Install(t)
	logged := inst.Open(t)
	_ = logged.DB().Exec("UPDATE nothing SET a = ?", "topsecret").Error
	_ = logged.DB().Raw("SELECT ? FROM nothing", "topsecret").Row()
	_, _, _ = logged.SignIn(t.Context(), "topsecret@example.org", "topsecret", "192.0.2.1")
	if !strings.Contains(out.String(), "UPDATE nothing") || strings.Contains(out.String(), "topsecret") {
		t.Errorf("%s", out.String())
	}
}

func TestOutOfMemory(t *testing.T) {
	inst := testenv.Install(t)
	st, node := inst.Open(t), inst.OpenNode(t)
	site := aSite(t, st, anAccount(t, st, "greedy"), "greedy.example")
	other := aSite(t, st, anAccount(t, st, "calm"), "calm.example")
	ok(t, node.RanOutOfMemory(t.Context(), site.ID))
	if err := node.RanOutOfMemory(t.Context(), 99); hosting.KindOf(err) != hosting.NotFound {
		t.Errorf("of no site: %v", err)
	}
	if at := must(st.OutOfMemory(t.Context(), everything, site, time.Hour))(t); time.Since(at) > time.Minute {
		t.Errorf("at %v", at)
	}
	for _, of := range []struct {
		scope  hosting.Scope
		site   hosting.Site
		within time.Duration
	}{{hosting.Scope{}, site, time.Hour}, {everything.Only(other.AccountID), site, time.Hour}, {everything, other, time.Hour}, {everything, site, 0}} {
		if at := must(st.OutOfMemory(t.Context(), of.scope, of.site, of.within))(t); !at.IsZero() {
			t.Errorf("%+v: %v", of, at)
		}
	}
	if names := must(st.SitesOutOfMemory(t.Context(), everything, time.Hour))(t); len(names) != 1 || names[0] != "greedy.example" {
		t.Error(names)
	}
}
