package store_test

import (
	"slices"
	"testing"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/internal/testenv"
)

// trash lists what an actor may see in the trash, by kind and name.
func trash(t *testing.T, st *store.Store, scope hosting.Scope) []string {
	t.Helper()
	items, total, err := st.Trash(t.Context(), scope, store.TrashFilter{})
	ok(t, err)
	if total != len(items) {
		t.Errorf("%d items, %d in all", len(items), total)
	}
	var names []string
	for _, item := range items {
		names = append(names, string(item.Kind)+" "+item.Name)
	}
	slices.Sort(names)
	return names
}

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestARemovedSiteComesBack(t *testing.T) {
	st, node := testenv.Stores(t)
	account, other := anAccount(t, st, "voile"), anAccount(t, st, "other")
	aPerson(t, st, "lea@voile.example", hosting.NoRole, store.MembershipSpec{Account: account.ID, Role: hosting.Webmaster})
	lea := actorOf(t, st, "lea@voile.example")
	site := aSite(t, st, account, "voile.example.org", "www.voile.example.org", "old.voile.example.org")
	login, password, err := st.CreateFTPLogin(t.Context(), root, account.ID, hosting.FTPSpec{Login: "web@voile", Site: site.ID})
	ok(t, err)
	must(st.SuspendSite(t.Context(), lea, site.ID))(t)
	settle(t, node)
	must(st.RemoveSite(t.Context(), lea, site.ID))(t)
	settle(t, node)

	t.Run("kept, and out of everybody's sight", func(t *testing.T) {
		for range 2 {
			if n := must(st.Sweep(t.Context()))(t); n != 0 {
				t.Errorf("%d swept", n)
			}
		}
		same(t, "trash", trash(t, st, lea.Scope(hosting.AccountRead)), "site voile.example.org")
		item := must(st.TrashItem(t.Context(), everything, hosting.TrashSite, uint64(site.ID)))(t)
		if item.RemovedBy != "lea@voile.example" || !item.ByMember || item.FTPLogins != 1 || item.AccountName != "voile" ||
			item.KeptUntil.Sub(item.RemovedAt) != 7*24*time.Hour {
			t.Errorf("%+v", item)
		}
		usage := must(st.Usage(t.Context(), everything, account.ID))(t)
		if usage != (hosting.Usage{}) {
			t.Errorf("it takes places: %+v", usage)
		}
		if wishes := must(node.Wishes(t.Context()))(t); len(wishes.Sites) != 0 {
			t.Errorf("the agent still looks after %v", wishes.Sites)
		}
		_, err := st.AuthenticateFTP(t.Context(), "web@voile", password, "192.0.2.1")
		refused(t, err, hosting.Unauthenticated, "", "signin.wrong")
		if standings := must(st.FTPStandings(t.Context(), []hosting.FTPLoginID{login.ID}))(t); len(standings) != 0 {
			t.Errorf("%+v", standings)
		}
		_, err = st.UpdateFTPLogin(t.Context(), root, login.ID, hosting.FTPSpec{})
		refused(t, err, hosting.NotFound, "", "ftp.not_found")
		_, err = st.SuspendSite(t.Context(), root, site.ID)
		refused(t, err, hosting.NotFound, "", "site.not_found")
	})
	t.Run("others may take its names", func(t *testing.T) {
		taker := aSite(t, st, other, "old.voile.example.org")
		_, err := st.RestoreSite(t.Context(), lea, site.ID, "")
		refused(t, err, hosting.Conflict, "host", "host.related")
		must(st.PurgeSite(t.Context(), root, taker.ID))(t)
		settle(t, node)
		must(st.Sweep(t.Context()))(t)
		aSite(t, st, account, "voile.example.org")
		_, err = st.RestoreSite(t.Context(), lea, site.ID, "")
		refused(t, err, hosting.Conflict, "host", "trash.host_taken")
		_, err = st.RestoreSite(t.Context(), lea, site.ID, "voile.example.org")
		refused(t, err, hosting.Conflict, "host", "host.taken")
	})
	t.Run("restored under another name, with the rest of it", func(t *testing.T) {
		back := must(st.RestoreSite(t.Context(), lea, site.ID, "new.voile.example.org"))(t)
		if back.UID != site.UID || back.HomeToken != site.HomeToken || !slices.Equal(back.Names(), []hosting.Hostname{"new.voile.example.org", "www.voile.example.org"}) || back.Sync.State != hosting.Pending {
			t.Errorf("%+v", back)
		}
		settle(t, node)
		row := must(st.SiteByHost(t.Context(), everything, "www.voile.example.org"))(t)
		if row.ID != site.ID || row.Sync.State != hosting.Suspended || row.Trash != (hosting.Trash{}) {
			t.Errorf("%+v", row)
		}
		session := must(st.AuthenticateFTP(t.Context(), "web@voile", password, "192.0.2.1"))(t)
		if session.Login.ID != login.ID || session.Site.ID != site.ID {
			t.Errorf("%+v", session)
		}
		same(t, "trash", trash(t, st, everything))
		_, err := st.RestoreSite(t.Context(), lea, site.ID, "")
		refused(t, err, hosting.NotFound, "", "trash.not_found")
	})
	t.Run("restored while the machine still takes it away", func(t *testing.T) {
		must(st.RemoveSite(t.Context(), lea, site.ID))(t)
		back := must(st.RestoreSite(t.Context(), lea, site.ID, ""))(t)
		ok(t, node.Observe(t.Context(), siteKey(site.ID), back.Sync.Generation-1, hosting.Removed, hosting.Message{}, time.Time{}))
		settle(t, node)
		if row := must(st.Site(t.Context(), everything, site.ID))(t); row.Sync.State != hosting.Suspended {
			t.Errorf("%+v", row.Sync)
		}
	})
	t.Run("gone for good when its time is over", func(t *testing.T) {
		must(st.RemoveSite(t.Context(), root, site.ID))(t)
		settle(t, node)
		if item := must(st.TrashItem(t.Context(), everything, hosting.TrashSite, uint64(site.ID)))(t); item.ByMember {
			t.Errorf("%+v", item)
		}
		ok(t, st.DB().Exec("UPDATE sites SET kept_until = ? WHERE id = ?", time.Now().UTC().Add(-time.Second), site.ID).Error)
		must(st.Sweep(t.Context()))(t)
		row := must(node.Site(t.Context(), site.ID))(t)
		if !row.Sync.Removing || row.Sync.State != hosting.Removing || row.Trash.Kept() {
			t.Errorf("%+v %+v", row.Sync, row.Trash)
		}
		_, err := st.RestoreSite(t.Context(), root, site.ID, "")
		refused(t, err, hosting.NotFound, "", "trash.not_found")
		settle(t, node)
		if n := must(st.Sweep(t.Context()))(t); n != 1 {
			t.Errorf("%d swept", n)
		}
		var n int
		ok(t, st.DB().Raw("SELECT (SELECT COUNT(*) FROM sites WHERE id = ?) + (SELECT COUNT(*) FROM ftp_logins WHERE site_id = ?)", site.ID, site.ID).Scan(&n).Error)
		if n != 0 {
			t.Errorf("%d rows are left", n)
		}
	})
}

func TestRemovedThingsByKind(t *testing.T) {
	st, node := testenv.Stores(t)
	account := anAccount(t, st, "voile")
	site := aSite(t, st, account, "voile.example.org")
	database, _, err := st.CreateDatabase(t.Context(), root, account.ID, "voile_blog")
	ok(t, err)
	login, password, err := st.CreateFTPLogin(t.Context(), root, account.ID, hosting.FTPSpec{Login: "web@voile", Site: site.ID})
	ok(t, err)
	settle(t, node)

	t.Run("a database keeps its name and its password", func(t *testing.T) {
		must(st.RemoveDatabase(t.Context(), root, database.ID))(t)
		settle(t, node)
		must(st.Sweep(t.Context()))(t)
		_, _, err := st.CreateDatabase(t.Context(), root, account.ID, "voile_blog")
		refused(t, err, hosting.Conflict, "name", "database.name_kept")
		back := must(st.RestoreDatabase(t.Context(), root, database.ID))(t)
		if back.PasswordHash != database.PasswordHash || back.Sync.State != hosting.Pending {
			t.Errorf("%+v", back)
		}
		must(st.RemoveDatabase(t.Context(), root, database.ID))(t)
		settle(t, node)
		must(st.PurgeDatabase(t.Context(), root, database.ID))(t)
		settle(t, node)
		_, _, err = st.CreateDatabase(t.Context(), root, account.ID, "voile_blog")
		ok(t, err)
	})
	t.Run("an FTP login gives its name free and comes back with its password", func(t *testing.T) {
		ok(t, st.RemoveFTPLogin(t.Context(), root, login.ID))
		second, _, err := st.CreateFTPLogin(t.Context(), root, account.ID, hosting.FTPSpec{Login: "web@voile"})
		ok(t, err)
		ok(t, st.RemoveFTPLogin(t.Context(), root, second.ID)) // two of one name
		third, _, err := st.CreateFTPLogin(t.Context(), root, account.ID, hosting.FTPSpec{Login: "web@voile"})
		ok(t, err)
		_, err = st.RestoreFTPLogin(t.Context(), root, login.ID, "")
		refused(t, err, hosting.Conflict, "login", "ftp.login_taken")
		_, err = st.RestoreFTPLogin(t.Context(), root, login.ID, "web@other")
		refused(t, err, hosting.Invalid, "login", "ftp.login_invalid")
		must(st.RestoreFTPLogin(t.Context(), root, login.ID, "old@voile"))(t)
		must(st.AuthenticateFTP(t.Context(), "old@voile", password, "192.0.2.1"))(t)
		ok(t, st.PurgeFTPLogin(t.Context(), root, second.ID))
		ok(t, st.PurgeFTPLogin(t.Context(), root, third.ID))
		refused(t, st.PurgeFTPLogin(t.Context(), root, third.ID), hosting.NotFound, "", "ftp.not_found")
	})
	t.Run("a login of a removed site waits for the site", func(t *testing.T) {
		ok(t, st.RemoveFTPLogin(t.Context(), root, login.ID))
		must(st.RemoveSite(t.Context(), root, site.ID))(t)
		settle(t, node)
		same(t, "trash", trash(t, st, everything), "ftp old@voile", "site voile.example.org")
		_, err := st.RestoreFTPLogin(t.Context(), root, login.ID, "")
		refused(t, err, hosting.Conflict, "", "trash.ftp_site_removed")
		must(st.RestoreSite(t.Context(), root, site.ID, ""))(t)
		same(t, "trash", trash(t, st, everything), "ftp old@voile")
		must(st.RestoreFTPLogin(t.Context(), root, login.ID, ""))(t)
	})
	t.Run("limits hold", func(t *testing.T) {
		must(st.RemoveSite(t.Context(), root, site.ID))(t)
		settle(t, node)
		must(st.CreatePlan(t.Context(), root, hosting.PlanSpec{Name: "none", Label: "None", Sites: 0, FTPLogins: 5}))(t)
		must(st.UpdateAccount(t.Context(), root, account.ID, hosting.AccountSpec{Plan: "none"}))(t)
		_, err := st.RestoreSite(t.Context(), root, site.ID, "")
		refused(t, err, hosting.OverLimit, "", "plan.full_sites")
		must(st.UpdatePlan(t.Context(), root, "none", hosting.PlanSpec{Name: "none", Label: "None", Sites: 1}))(t)
		_, err = st.RestoreSite(t.Context(), root, site.ID, "")
		refused(t, err, hosting.OverLimit, "", "plan.full_ftp_logins")
		same(t, "nothing came back half", trash(t, st, everything), "site voile.example.org")
		must(st.UpdateAccount(t.Context(), root, account.ID, hosting.AccountSpec{Plan: "asso"}))(t)
	})
	t.Run("the room of what is kept counts", func(t *testing.T) {
		ok(t, node.ListDisk(t.Context()))
		due := must(node.DueDisk(t.Context(), 10))(t)
		if len(due) != 1 || !due[0].Trash.Kept() {
			t.Fatalf("%+v", due)
		}
		ok(t, node.ObserveDisk(t.Context(), []store.DiskMeasured{{Was: due[0], Files: 3000, Bin: 20, Entries: 4, Next: time.Now()}}))
		space := must(st.Space(t.Context(), everything, account.ID))(t)
		if space.Used != 3020 || space.Trash != 3020 || space.Bin != 0 {
			t.Errorf("%+v", space)
		}
		if items, _, _ := st.Trash(t.Context(), everything, store.TrashFilter{Search: "VOILE"}); len(items) != 1 || items[0].Bytes != 3020 {
			t.Errorf("%+v", items)
		}
	})
	t.Run("the oldest goes first when the machine is short of room", func(t *testing.T) {
		oldest := must(node.OldestTrash(t.Context(), hosting.ResourceSite, 10))(t)
		if len(oldest) != 1 || oldest[0].ID != uint64(site.ID) || oldest[0].Bytes != 3020 {
			t.Fatalf("%+v", oldest)
		}
		ok(t, node.EndTrash(t.Context(), oldest[0].Key))
		must(st.Sweep(t.Context()))(t)
		settle(t, node)
		if n := must(st.Sweep(t.Context()))(t); n != 1 {
			t.Errorf("%d swept", n)
		}
		if n := must(st.OverdueTrash(t.Context()))(t); n != 0 {
			t.Errorf("%d overdue", n)
		}
	})
	t.Run("what cannot be purged is told", func(t *testing.T) {
		stuck := aSite(t, st, account, "stuck.example.org")
		sync := must(st.PurgeSite(t.Context(), root, stuck.ID))(t).Sync
		ok(t, node.Observe(t.Context(), siteKey(stuck.ID), sync.Generation, hosting.Failed, hosting.Msg("site.failed_internal"), time.Now()))
		ok(t, st.DB().Exec("UPDATE sites SET removed_at = ? WHERE id = ?", time.Now().UTC().AddDate(0, 0, -1), stuck.ID).Error)
		if n := must(st.OverdueTrash(t.Context()))(t); n != 1 {
			t.Errorf("%d overdue", n)
		}
	})
}

func TestARemovedAccountComesBack(t *testing.T) {
	st, node := testenv.Stores(t)
	account, other := anAccount(t, st, "voile"), anAccount(t, st, "other")
	aPerson(t, st, "lea@voile.example", hosting.NoRole, store.MembershipSpec{Account: account.ID, Role: hosting.Owner})
	lea := actorOf(t, st, "lea@voile.example")
	before := aSite(t, st, account, "before.example.org")
	kept := aSite(t, st, account, "kept.example.org")
	taken := aSite(t, st, account, "taken.example.org")
	database, _, err := st.CreateDatabase(t.Context(), root, account.ID, "voile_blog")
	ok(t, err)
	_, password, err := st.CreateFTPLogin(t.Context(), root, account.ID, hosting.FTPSpec{Login: "voile"})
	ok(t, err)
	_, _, err = st.CreateFTPLogin(t.Context(), root, account.ID, hosting.FTPSpec{Login: "taken@voile", Site: taken.ID})
	ok(t, err)
	settle(t, node)
	must(st.RemoveSite(t.Context(), root, before.ID))(t)
	ok(t, st.RemoveAccount(t.Context(), root, account.ID))
	settle(t, node)
	must(st.Sweep(t.Context()))(t)

	t.Run("nobody sees it, and its people are without", func(t *testing.T) {
		_, err := st.Account(t.Context(), everything, account.ID)
		refused(t, err, hosting.NotFound, "", "account.not_found")
		if rows, total, _ := st.Accounts(t.Context(), everything, store.AccountFilter{}); total != 1 || rows[0].ID != other.ID {
			t.Errorf("%+v", rows)
		}
		if sess, _ := signIn(t, st, "lea@voile.example"); sess.Account != 0 || len(sess.Actor.Accounts()) != 0 {
			t.Errorf("%+v", sess)
		}
		_, err = st.AuthenticateFTP(t.Context(), "voile", password, "192.0.2.1")
		refused(t, err, hosting.Unauthenticated, "", "signin.wrong")
		_, err = st.CreateSite(t.Context(), root, account.ID, spec(t, "x.example.org"))
		refused(t, err, hosting.NotFound, "", "account.not_found")
		_, err = st.CreateAccount(t.Context(), root, hosting.AccountSpec{Name: "voile", Plan: "asso"})
		refused(t, err, hosting.Conflict, "name", "account.name_kept")
		if counts := must(st.Counts(t.Context()))(t); counts.Accounts != 1 || counts.FTPLogins != 0 {
			t.Errorf("%+v", counts)
		}
		same(t, "trash", trash(t, st, everything), "account voile")
		item := must(st.TrashItem(t.Context(), everything, hosting.TrashAccount, uint64(account.ID)))(t)
		if item.Sites != 2 || item.Databases != 1 || item.FTPLogins != 2 {
			t.Errorf("%+v", item)
		}
	})
	t.Run("only the team brings it back, and nothing without it", func(t *testing.T) {
		_, err := st.RestoreAccount(t.Context(), lea, account.ID)
		refused(t, err, hosting.Forbidden, "", "error.forbidden")
		_, err = st.RestoreSite(t.Context(), root, kept.ID, "")
		refused(t, err, hosting.Conflict, "", "trash.account_removed")
	})
	t.Run("with what went with it, not with what had gone before", func(t *testing.T) {
		aSite(t, st, other, "taken.example.org")
		left := must(st.RestoreAccount(t.Context(), root, account.ID))(t)
		if !slices.Equal(left, []hosting.Hostname{"taken.example.org"}) {
			t.Errorf("left: %v", left)
		}
		settle(t, node)
		row := must(st.Account(t.Context(), everything, account.ID))(t)
		if row.Usage != (hosting.Usage{Sites: 1, Databases: 1, FTPLogins: 1}) || row.State() != hosting.Live {
			t.Errorf("%+v", row)
		}
		if site := must(st.Site(t.Context(), lea.Scope(hosting.SitesRead), kept.ID))(t); site.Sync.State != hosting.Live {
			t.Errorf("%+v", site.Sync)
		}
		if db := must(st.Database(t.Context(), everything, database.ID))(t); db.Sync.State != hosting.Live {
			t.Errorf("%+v", db.Sync)
		}
		must(st.AuthenticateFTP(t.Context(), "voile", password, "192.0.2.1"))(t)
		if sess, _ := signIn(t, st, "lea@voile.example"); sess.Account != account.ID {
			t.Errorf("%+v", sess)
		}
		same(t, "trash", trash(t, st, everything), "site before.example.org", "site taken.example.org")
		must(st.RestoreSite(t.Context(), lea, taken.ID, "other.example.org"))(t)
		if usage := must(st.Usage(t.Context(), everything, account.ID))(t); usage.FTPLogins != 2 {
			t.Errorf("its login did not come along: %+v", usage)
		}
	})
	t.Run("a suspended account gets nothing back but from the team", func(t *testing.T) {
		ok(t, st.SuspendAccount(t.Context(), root, account.ID))
		_, err := st.RestoreSite(t.Context(), lea, before.ID, "")
		refused(t, err, hosting.Conflict, "", "account.suspended")
		must(st.RestoreSite(t.Context(), root, before.ID, ""))(t)
		settle(t, node)
		if site := must(st.Site(t.Context(), everything, before.ID))(t); site.Sync.State != hosting.Suspended {
			t.Errorf("%+v", site.Sync)
		}
	})
	t.Run("gone for good when its time is over, and its name is free", func(t *testing.T) {
		must(st.RemoveSite(t.Context(), root, before.ID))(t)
		ok(t, st.RemoveAccount(t.Context(), root, account.ID))
		settle(t, node)
		ok(t, st.DB().Exec("UPDATE accounts SET kept_until = ? WHERE id = ?", time.Now().UTC().Add(-time.Second), account.ID).Error)
		must(st.Sweep(t.Context()))(t)
		settle(t, node)
		must(st.Sweep(t.Context()))(t)
		var n int
		ok(t, st.DB().Raw("SELECT COUNT(*) FROM accounts WHERE name = 'voile'").Scan(&n).Error)
		if n != 0 {
			t.Error("its row is still there")
		}
		anAccount(t, st, "voile")
	})
}

// The agent's user may bring the end of what is kept forward, and not bring
// anything back.
func TestTheAgentBringsNothingBack(t *testing.T) {
	_, node := testenv.Stores(t)
	for _, statement := range []string{
		"UPDATE sites SET removing = 0", "UPDATE sites SET removed_with = ''", "UPDATE accounts SET kept_until = NULL", "UPDATE ftp_logins SET gone = 0",
	} {
		if err := node.DB().Exec(statement).Error; err == nil {
			t.Errorf("it may: %s", statement)
		}
	}
}
