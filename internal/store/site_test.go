package store_test

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"cancale/internal/config"
	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/internal/testenv"

	gocmp "github.com/google/go-cmp/cmp"
)

func TestCreateSite(t *testing.T) {
	st := testenv.Store(t)
	one, two := anAccount(t, st, "one"), anAccount(t, st, "two")
	create := func(account hosting.Account, host string, aliases ...string) error {
		_, err := st.CreateSite(t.Context(), root, account.ID, spec(t, host, aliases...))
		return err
	}
	t.Run("it is pending, complete, and has a uid and tokens of its own", func(t *testing.T) {
		site := aSite(t, st, one, "Les-Amis.Example.org", "www.les-amis.example.org")
		read := must(st.Site(t.Context(), everything, site.ID))(t)
		if diff := gocmp.Diff(site, read.Site); diff != "" {
			t.Error(diff)
		}
		if read.Host != "les-amis.example.org" || read.DocumentRoot != "www" || read.PHP != "8.2" || read.UID < config.FirstSiteUID ||
			!read.HomeToken.Valid() || !read.SocketToken.Valid() || read.HomeToken == read.SocketToken || read.AccountName != "one" {
			t.Errorf("%+v", read)
		}
		if s := read.Sync; s.Generation != 1 || s.Observed != 0 || s.State != hosting.Pending || s.DueAt.After(time.Now()) || s.Current() {
			t.Errorf("%+v", s)
		}
	})
	t.Run("it is found by its host and its aliases", func(t *testing.T) {
		for _, name := range []hosting.Hostname{"les-amis.example.org", "www.les-amis.example.org"} {
			must(st.SiteByHost(t.Context(), everything, name))(t)
		}
		_, err := st.SiteByHost(t.Context(), everything, "example.org")
		refused(t, err, hosting.NotFound, "", "site.not_found")
	})
	t.Run("a Unicode name is found in both forms", func(t *testing.T) {
		aSite(t, st, one, "Été-en-fête.example.org")
		for _, search := range []string{"été-en", "ÉTÉ-EN", "xn--t-en-fte"} {
			rows, total, err := st.Sites(t.Context(), everything, store.SiteFilter{Search: search})
			if err != nil || total != 1 || len(rows) != 1 {
				t.Errorf("%q: %d rows, %v", search, total, err)
			}
		}
	})
	t.Run("names of others are refused, at their field", func(t *testing.T) {
		refused(t, create(two, "les-amis.example.org"), hosting.Conflict, "host", "host.taken")
		refused(t, create(two, "www.les-amis.example.org"), hosting.Conflict, "host", "host.taken")
		refused(t, create(two, "x.example.net", "les-amis.example.org"), hosting.Conflict, "aliases", "host.taken")
		refused(t, create(two, "blog.les-amis.example.org"), hosting.Conflict, "host", "host.related")
		refused(t, create(two, "a.b.les-amis.example.org"), hosting.Conflict, "host", "host.related")
		refused(t, create(two, "example.org"), hosting.Conflict, "host", "host.related")
		refused(t, create(two, "x.example.net", "example.org"), hosting.Conflict, "aliases", "host.related")
	})
	t.Run("a name beside theirs is nobody's", func(t *testing.T) {
		ok(t, create(two, "les-amis2.example.org", "les-amis.example.com", "notles-amis.example.org"))
	})
	t.Run("within an account names may be nested, not equal", func(t *testing.T) {
		ok(t, create(one, "blog.les-amis.example.org"))
		refused(t, create(one, "les-amis.example.org"), hosting.Conflict, "host", "host.taken")
		refused(t, create(one, "z.example.net", "www.les-amis.example.org"), hosting.Conflict, "aliases", "host.taken")
	})
	t.Run("the panel's name is refused", func(t *testing.T) {
		refused(t, create(two, "panel.cancale.example.org"), hosting.Conflict, "host", "host.panel")
		refused(t, create(two, "x.panel.cancale.example.org"), hosting.Conflict, "host", "host.panel")
	})
	t.Run("a name twice in one form is refused", func(t *testing.T) {
		refused(t, create(two, "q.example.net", "q.example.net"), hosting.Invalid, "aliases", "site.alias_twice")
	})
	t.Run("a refusal leaves nothing behind", func(t *testing.T) {
		usage := must(st.Usage(t.Context(), everything, two.ID))(t)
		if usage.Sites != 1 {
			t.Errorf("two has %d sites", usage.Sites)
		}
	})
	t.Run("a full plan refuses", func(t *testing.T) {
		for i := range 4 {
			ok(t, create(two, fmt.Sprintf("more%d.example.com", i)))
		}
		refused(t, create(two, "last.example.com"), hosting.OverLimit, "", "plan.full_sites")
	})
	t.Run("an unknown account is not found", func(t *testing.T) {
		refused(t, create(hosting.Account{ID: 999}, "x.example.com"), hosting.NotFound, "", "account.not_found")
	})
	t.Run("nobody may not", func(t *testing.T) {
		_, err := st.CreateSite(t.Context(), hosting.Actor{}, one.ID, spec(t, "x.example.com"))
		refused(t, err, hosting.Unauthenticated, "", "error.unauthenticated")
	})
}

func TestRacesAreDecidedByTheDatabase(t *testing.T) {
	st := testenv.Store(t)
	t.Run("two creations race for the last place of a plan", func(t *testing.T) {
		account := anAccount(t, st, "full")
		for i := range 4 {
			aSite(t, st, account, fmt.Sprintf("full%d.example.com", i))
		}
		won := race(8, func(i int) error {
			_, err := st.CreateSite(t.Context(), root, account.ID, spec(t, fmt.Sprintf("last%d.example.com", i)))
			if err != nil {
				refused(t, err, hosting.OverLimit, "", "plan.full_sites")
			}
			return err
		})
		if usage := must(st.Usage(t.Context(), everything, account.ID))(t); won != 1 || usage.Sites != 5 {
			t.Errorf("%d won, %d sites", won, usage.Sites)
		}
	})
	accounts := make([]hosting.Account, 8)
	for i := range accounts {
		accounts[i] = anAccount(t, st, fmt.Sprintf("racer%d", i))
	}
	t.Run("the same host is asked for at once", func(t *testing.T) {
		won := race(8, func(i int) error {
			_, err := st.CreateSite(t.Context(), root, accounts[i].ID, spec(t, "same.example.com"))
			if err != nil {
				refused(t, err, hosting.Conflict, "host", "host.taken")
			}
			return err
		})
		if won != 1 {
			t.Errorf("%d won", won)
		}
	})
	t.Run("a parent and its children are asked for at once", func(t *testing.T) {
		won := race(8, func(i int) error {
			host := "family.example.com"
			if i%2 == 0 {
				host = fmt.Sprintf("child%d.family.example.com", i)
			}
			_, err := st.CreateSite(t.Context(), root, accounts[i].ID, spec(t, host))
			if err != nil && hosting.KindOf(err) != hosting.Conflict {
				t.Error(err)
			}
			return err
		})
		// Either one parent, or its children of four accounts.
		if won != 1 && won != 4 {
			t.Errorf("%d won", won)
		}
	})
	t.Run("uids are given once", func(t *testing.T) {
		race(8, func(i int) error {
			_, err := st.CreateSite(t.Context(), root, accounts[i].ID, spec(t, fmt.Sprintf("uid%d.example.com", i)))
			if err != nil {
				t.Error(err)
			}
			return err
		})
		rows, _, err := st.Sites(t.Context(), everything, store.SiteFilter{PerPage: 1000})
		ok(t, err)
		seen := map[uint32]bool{}
		for _, row := range rows {
			if seen[row.UID] {
				t.Errorf("uid %d twice", row.UID)
			}
			seen[row.UID] = true
		}
	})
}

// race runs n acts at once and counts those that succeed.
func race(n int, act func(i int) error) int {
	var wait sync.WaitGroup
	start := make(chan struct{})
	won := make(chan struct{}, n)
	for i := range n {
		wait.Go(func() {
			<-start
			if act(i) == nil {
				won <- struct{}{}
			}
		})
	}
	close(start)
	wait.Wait()
	return len(won)
}

func TestUIDs(t *testing.T) {
	st, node := testenv.Stores(t)
	account := anAccount(t, st, "uids")
	bigPlan(t, st, account)
	a := aSite(t, st, account, "a.example.com")
	b := aSite(t, st, account, "b.example.com")
	if a.UID != config.FirstSiteUID || b.UID != a.UID+1 {
		t.Fatalf("%d, %d", a.UID, b.UID)
	}
	t.Run("a uid that became free is not given again while there are new ones", func(t *testing.T) {
		must(st.PurgeSite(t.Context(), root, a.ID))(t)
		settle(t, node)
		must(st.Sweep(t.Context()))(t)
		if c := aSite(t, st, account, "c.example.com"); c.UID != b.UID+1 {
			t.Errorf("%d", c.UID)
		}
	})
	t.Run("when all were used, the lowest free ones are", func(t *testing.T) {
		ok(t, st.DB().Exec("UPDATE nodes SET next_uid = ?", config.LastSiteUID).Error)
		sites := must(st.CreateSites(t.Context(), root, account.ID, []hosting.SiteSpec{spec(t, "d.example.com"), spec(t, "e.example.com"), spec(t, "f.example.com")}))(t)
		got := []uint32{sites[0].UID, sites[1].UID, sites[2].UID}
		if diff := gocmp.Diff([]uint32{config.LastSiteUID, a.UID, b.UID + 2}, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestUpdateSite(t *testing.T) {
	st, node := testenv.Stores(t)
	one, two := anAccount(t, st, "one"), anAccount(t, st, "two")
	site := aSite(t, st, one, "site.example.com", "www.site.example.com", "old.example.net")
	settle(t, node)
	t.Run("nothing new is no new wish, and no audit row", func(t *testing.T) {
		before := audits(t, st)
		same := must(st.UpdateSite(t.Context(), root, site.ID, spec(t, "site.example.com", "www.site.example.com", "old.example.net")))(t)
		if same.Sync.Generation != 1 || audits(t, st) != before {
			t.Errorf("generation %d, %d audit rows", same.Sync.Generation, audits(t, st)-before)
		}
	})
	t.Run("a change is a new wish", func(t *testing.T) {
		change := spec(t, "new.example.com", "site.example.com")
		change.DocumentRoot = "web/public"
		after := must(st.UpdateSite(t.Context(), root, site.ID, change))(t)
		if s := after.Sync; s.Generation != 2 || s.State != hosting.Pending || s.Observed != 1 {
			t.Errorf("%+v", s)
		}
		read := must(st.Site(t.Context(), everything, site.ID))(t)
		if diff := gocmp.Diff([]hosting.Hostname{"new.example.com", "site.example.com"}, read.Names()); diff != "" || read.DocumentRoot != "web/public" {
			t.Errorf("%s %s", read.DocumentRoot, diff)
		}
	})
	t.Run("a name that was given up is nobody else's before the machine has followed", func(t *testing.T) {
		_, err := st.CreateSite(t.Context(), root, two.ID, spec(t, "old.example.net"))
		refused(t, err, hosting.Conflict, "host", "host.removing")
		ok(t, node.Observe(t.Context(), siteKey(site.ID), 2, hosting.Failed, hosting.Msg("site.failed"), time.Now()))
		_, err = st.CreateSite(t.Context(), root, two.ID, spec(t, "old.example.net"))
		refused(t, err, hosting.Conflict, "host", "host.removing")
		settle(t, node)
		aSite(t, st, two, "old.example.net")
	})
	t.Run("its own given-up name may be taken back", func(t *testing.T) {
		must(st.UpdateSite(t.Context(), root, site.ID, spec(t, "new.example.com", "www.site.example.com")))(t)
		read := must(st.SiteByHost(t.Context(), everything, "www.site.example.com"))(t)
		if read.ID != site.ID {
			t.Errorf("%+v", read)
		}
	})
	t.Run("the sweep forgets names that were given up", func(t *testing.T) {
		settle(t, node)
		must(st.Sweep(t.Context()))(t)
		var n int
		ok(t, st.DB().Raw("SELECT COUNT(*) FROM site_names WHERE dropped > 0").Scan(&n).Error)
		if n != 0 {
			t.Errorf("%d are left", n)
		}
	})
	t.Run("names of others are refused and nothing changes", func(t *testing.T) {
		before := must(st.Site(t.Context(), everything, site.ID))(t)
		_, err := st.UpdateSite(t.Context(), root, site.ID, spec(t, "new.example.com", "sub.old.example.net"))
		refused(t, err, hosting.Conflict, "aliases", "host.related")
		if diff := gocmp.Diff(before, must(st.Site(t.Context(), everything, site.ID))(t)); diff != "" {
			t.Error(diff)
		}
	})
}

func siteKey(id hosting.SiteID) hosting.Key {
	return hosting.Key{Resource: hosting.ResourceSite, ID: uint64(id)}
}

func TestSuspendAndRemoveSite(t *testing.T) {
	st, node := testenv.Stores(t)
	account, other := anAccount(t, st, "one"), anAccount(t, st, "two")
	site := aSite(t, st, account, "site.example.com", "www.site.example.com")
	login, _, err := st.CreateFTPLogin(t.Context(), root, account.ID, hosting.FTPSpec{Login: "web@one", Site: site.ID})
	ok(t, err)
	settle(t, node)
	t.Run("suspended and resumed", func(t *testing.T) {
		after := must(st.SuspendSite(t.Context(), root, site.ID))(t)
		if !after.Off() || after.Sync.Generation != 2 || after.Sync.State != hosting.Pending {
			t.Errorf("%+v", after)
		}
		settle(t, node)
		if read := must(st.Site(t.Context(), everything, site.ID))(t); read.Sync.State != hosting.Suspended {
			t.Errorf("%+v", read.Sync)
		}
		if again := must(st.SuspendSite(t.Context(), root, site.ID))(t); again.Sync.Generation != 2 {
			t.Errorf("suspended twice: %+v", again.Sync)
		}
		must(st.ResumeSite(t.Context(), root, site.ID))(t)
		settle(t, node)
		if read := must(st.Site(t.Context(), everything, site.ID))(t); read.Sync.State != hosting.Live {
			t.Errorf("%+v", read.Sync)
		}
	})
	t.Run("what the team suspended, the team resumes", func(t *testing.T) {
		account := anAccount(t, st, "three")
		owner := hosting.PersonActor(hosting.Person{ID: 77}, []hosting.Membership{{PersonID: 77, AccountID: account.ID, Role: hosting.Owner}}, "", time.Now())
		held := aSite(t, st, account, "hacked.example.com")
		settle(t, node)
		if mine := must(st.SuspendSite(t.Context(), owner, held.ID))(t); mine.Held {
			t.Error("a member's own suspension is held")
		}
		if theirs := must(st.SuspendSite(t.Context(), root, held.ID))(t); !theirs.Held {
			t.Error("the team's suspension is not held")
		}
		if _, err := st.ResumeSite(t.Context(), owner, held.ID); err == nil || hosting.KindOf(err) != hosting.Forbidden {
			t.Errorf("a member put the site back online: %v", err)
		}
		if back := must(st.ResumeSite(t.Context(), root, held.ID))(t); back.Off() || back.Held {
			t.Errorf("%+v", back)
		}
		must(st.RemoveSite(t.Context(), root, held.ID))(t)
		settle(t, node)
		must(st.Sweep(t.Context()))(t)
	})
	t.Run("retried without a new wish", func(t *testing.T) {
		after := must(st.RetrySite(t.Context(), root, site.ID))(t)
		if after.Sync.Generation != 3 || after.Sync.State != hosting.Pending {
			t.Errorf("%+v", after.Sync)
		}
		if keys := must(node.Claim(t.Context(), 10))(t); !slices.Equal(keys, []hosting.Key{siteKey(site.ID)}) {
			t.Errorf("%v", keys)
		}
	})
	t.Run("removed: its login goes at once, its names when the machine is clean", func(t *testing.T) {
		after := must(st.RemoveSite(t.Context(), root, site.ID))(t)
		if s := after.Sync; !s.Removing || s.State != hosting.Removing || s.Generation != 4 {
			t.Errorf("%+v", s)
		}
		_, err := st.FTPLogin(t.Context(), everything, login.ID)
		refused(t, err, hosting.NotFound, "", "ftp.not_found")
		for _, account := range []hosting.Account{account, other} {
			_, err := st.CreateSite(t.Context(), root, account.ID, spec(t, "www.site.example.com"))
			refused(t, err, hosting.Conflict, "host", "host.removing")
		}
		_, err = st.UpdateSite(t.Context(), root, site.ID, spec(t, "x.example.com"))
		refused(t, err, hosting.Conflict, "", "site.removing")
		_, err = st.ResumeSite(t.Context(), root, site.ID)
		refused(t, err, hosting.Conflict, "", "site.removing")
		if usage := must(st.Usage(t.Context(), everything, account.ID))(t); usage.Sites != 0 {
			t.Errorf("it still takes a place: %+v", usage)
		}
		if read := must(st.Site(t.Context(), everything, site.ID))(t); read.Sync.State != hosting.Removing {
			t.Errorf("%+v", read.Sync)
		}
	})
	t.Run("gone: nobody sees it, and its names may be asked for before the sweep", func(t *testing.T) {
		settle(t, node)
		_, err := st.Site(t.Context(), everything, site.ID)
		refused(t, err, hosting.NotFound, "", "site.not_found")
		_, err = st.SiteByHost(t.Context(), everything, "site.example.com")
		refused(t, err, hosting.NotFound, "", "site.not_found")
		_, err = st.RetrySite(t.Context(), root, site.ID)
		refused(t, err, hosting.NotFound, "", "site.not_found")
		if _, total, _ := st.Sites(t.Context(), everything, store.SiteFilter{}); total != 0 {
			t.Errorf("%d are listed", total)
		}
		aSite(t, st, other, "site.example.com")
		aSite(t, st, account, "elsewhere.example.com")
	})
}

func TestCreateSites(t *testing.T) {
	st, node := testenv.Stores(t)
	account := anAccount(t, st, "bulk")
	bigPlan(t, st, account)
	specs := make([]hosting.SiteSpec, 1000)
	for i := range specs {
		specs[i] = spec(t, fmt.Sprintf("s%d.example.com", i), fmt.Sprintf("www.s%d.example.com", i))
	}
	started := time.Now()
	sites := must(st.CreateSites(t.Context(), root, account.ID, specs))(t)
	t.Logf("1,000 sites with an alias each: %v", time.Since(started))
	t.Run("each has its own id, names and audit row", func(t *testing.T) {
		for _, i := range []int{0, 499, 500, 999} {
			read := must(st.SiteByHost(t.Context(), everything, hosting.Hostname(fmt.Sprintf("www.s%d.example.com", i))))(t)
			if diff := gocmp.Diff(sites[i], read.Site); diff != "" {
				t.Errorf("%d: %s", i, diff)
			}
		}
		_, total, err := st.Audit(t.Context(), everything, store.AuditFilter{Account: account.ID, Search: "site.create"})
		if total != 1000 || err != nil {
			t.Errorf("%d audit rows, %v", total, err)
		}
	})
	t.Run("one that is taken, or twice, and none is made", func(t *testing.T) {
		_, err := st.CreateSites(t.Context(), root, account.ID, []hosting.SiteSpec{spec(t, "ok.example.com"), spec(t, "s7.example.com")})
		refused(t, err, hosting.Conflict, "host", "host.taken")
		_, err = st.CreateSites(t.Context(), root, account.ID, []hosting.SiteSpec{spec(t, "ok.example.com"), spec(t, "ok.example.com")})
		refused(t, err, hosting.Conflict, "host", "host.taken")
		_, err = st.SiteByHost(t.Context(), everything, "ok.example.com")
		refused(t, err, hosting.NotFound, "", "site.not_found")
	})
	t.Run("all are claimed, in portions", func(t *testing.T) {
		seen := map[hosting.Key]bool{}
		for _, want := range []int{300, 300, 300, 100, 0} {
			keys := must(node.Claim(t.Context(), 300))(t)
			if len(keys) != want {
				t.Fatalf("%d claimed, want %d", len(keys), want)
			}
			for _, key := range keys {
				seen[key] = true
			}
		}
		if len(seen) != 1000 {
			t.Errorf("%d different ones", len(seen))
		}
	})
}

func TestAWishWakesTheAgent(t *testing.T) {
	inst := testenv.Install(t)
	inst.App.AgentSocket = filepath.Join(t.TempDir(), "agent.sock")
	st := inst.Open(t)
	account := anAccount(t, st, "wake") // nobody listens yet
	listener := must(net.ListenPacket("unixgram", inst.App.AgentSocket))(t)
	defer listener.Close()
	woken := func() bool {
		_ = listener.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		_, _, err := listener.ReadFrom(make([]byte, 8))
		return err == nil
	}
	aSite(t, st, account, "wake.example.com")
	if !woken() {
		t.Error("a new site did not wake it")
	}
	must(st.UpdateAccount(t.Context(), root, account.ID, hosting.AccountSpec{Label: "Other", Plan: "asso"}))(t)
	if woken() {
		t.Error("a new label woke it")
	}
	ok(t, st.SuspendAccount(t.Context(), root, account.ID))
	if !woken() {
		t.Error("a suspension did not wake it")
	}
}

func audits(t *testing.T, st *store.Store) int {
	t.Helper()
	_, total, err := st.Audit(t.Context(), everything, store.AuditFilter{})
	ok(t, err)
	return total
}
