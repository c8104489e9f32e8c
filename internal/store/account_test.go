package store_test

import (
	"fmt"
	"testing"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/secret"
	"cancale/internal/store"
	"cancale/internal/testenv"

	gocmp "github.com/google/go-cmp/cmp"
)

func TestPlans(t *testing.T) {
	st := testenv.Store(t)
	t.Run("there is one to begin with", func(t *testing.T) {
		plan := must(st.Plan(t.Context(), everything, "asso"))(t)
		if plan.Label != "Association" || plan.Sites != 5 || plan.Databases != 5 || plan.FTPLogins != 10 || plan.DiskMB != 2048 {
			t.Errorf("%+v", plan)
		}
	})
	small := hosting.PlanSpec{Name: "small", Label: "Small", Sites: 1, Databases: 0, FTPLogins: 1, DiskMB: 100}
	t.Run("created, changed, deleted", func(t *testing.T) {
		must(st.CreatePlan(t.Context(), root, small))(t)
		_, err := st.CreatePlan(t.Context(), root, small)
		refused(t, err, hosting.Conflict, "name", "plan.name_taken")
		bigger := small
		bigger.Name, bigger.Sites = "bigger", 2
		after := must(st.UpdatePlan(t.Context(), root, "small", bigger))(t)
		if diff := gocmp.Diff(after, must(st.Plan(t.Context(), everything, "bigger"))(t).Plan); diff != "" {
			t.Error(diff)
		}
		ok(t, st.DeletePlan(t.Context(), root, "bigger"))
		refused(t, st.DeletePlan(t.Context(), root, "bigger"), hosting.NotFound, "", "plan.not_found")
	})
	t.Run("one that is used is not deleted", func(t *testing.T) {
		anAccount(t, st, "uses")
		refused(t, st.DeletePlan(t.Context(), root, "asso"), hosting.Conflict, "", "plan.in_use")
		plans := must(st.Plans(t.Context(), everything))(t)
		if len(plans) != 1 || plans[0].Accounts != 1 {
			t.Errorf("%+v", plans)
		}
	})
	t.Run("limits that make no sense are refused", func(t *testing.T) {
		bad := small
		bad.Sites = -2
		_, err := st.CreatePlan(t.Context(), root, bad)
		refused(t, err, hosting.Invalid, "sites", "plan.limit_invalid")
	})
	t.Run("an account has what its plan has, from the next moment on", func(t *testing.T) {
		tiny := hosting.PlanSpec{Name: "tiny", Label: "Tiny"}
		must(st.CreatePlan(t.Context(), root, tiny))(t)
		account := must(st.CreateAccount(t.Context(), root, hosting.AccountSpec{Name: "tiny", Plan: "tiny"}))(t)
		_, err := st.CreateSite(t.Context(), root, account.ID, spec(t, "tiny.example.com"))
		refused(t, err, hosting.OverLimit, "", "plan.full_sites")
		_, _, err = st.CreateDatabase(t.Context(), root, account.ID, "tiny_a")
		refused(t, err, hosting.OverLimit, "", "plan.full_databases")
		_, _, err = st.CreateFTPLogin(t.Context(), root, account.ID, hosting.FTPSpec{Login: "tiny"})
		refused(t, err, hosting.OverLimit, "", "plan.full_ftp_logins")
		tiny.Sites = hosting.Unlimited
		must(st.UpdatePlan(t.Context(), root, "tiny", tiny))(t)
		aSite(t, st, account, "tiny.example.com")
	})
}

func TestAccounts(t *testing.T) {
	st, node := testenv.Stores(t)
	expires := time.Date(2031, 5, 1, 12, 0, 0, 123456789, time.FixedZone("x", 3600))
	account := must(st.CreateAccount(t.Context(), root, hosting.AccountSpec{Name: "parc", Label: "Les Amis du Parc", Plan: "asso", Expires: &expires, Note: "à rappeler"}))(t)
	t.Run("what was written is read, in UTC", func(t *testing.T) {
		row := must(st.AccountByName(t.Context(), everything, "parc"))(t)
		if diff := gocmp.Diff(account, row.Account); diff != "" || row.Plan.Name != "asso" {
			t.Errorf("%v %s", row.Plan, diff)
		}
		if want := expires.UTC().Truncate(time.Microsecond); !row.Expires.Equal(want) || row.Expires.Location() != time.UTC {
			t.Errorf("%v, want %v", row.Expires, want)
		}
	})
	t.Run("a name that is taken, a plan that is none", func(t *testing.T) {
		_, err := st.CreateAccount(t.Context(), root, hosting.AccountSpec{Name: "parc", Plan: "asso"})
		refused(t, err, hosting.Conflict, "name", "account.name_taken")
		_, err = st.CreateAccount(t.Context(), root, hosting.AccountSpec{Name: "other", Plan: "none"})
		refused(t, err, hosting.Invalid, "plan", "plan.unknown")
	})
	site := aSite(t, st, account, "parc.example.org")
	database, _, err := st.CreateDatabase(t.Context(), root, account.ID, "parc_blog")
	ok(t, err)
	_, ftpPassword, err := st.CreateFTPLogin(t.Context(), root, account.ID, hosting.FTPSpec{Login: "parc"})
	ok(t, err)
	aPerson(t, st, "lea@example.org", hosting.NoRole, store.MembershipSpec{Account: account.ID, Role: hosting.Owner})
	settle(t, node)

	t.Run("counted", func(t *testing.T) {
		ok(t, node.Observe(t.Context(), siteKey(site.ID), 1, hosting.Failed, hosting.Msg("site.failed"), time.Now().Add(time.Hour)))
		row := must(st.Account(t.Context(), everything, account.ID))(t)
		if diff := gocmp.Diff(hosting.Usage{Sites: 1, Databases: 1, FTPLogins: 1}, row.Usage); diff != "" || row.Failed != 1 {
			t.Errorf("failed %d, %s", row.Failed, diff)
		}
	})
	t.Run("suspended: its things are off, and it gets no new ones", func(t *testing.T) {
		ok(t, st.SuspendAccount(t.Context(), root, account.ID))
		if row := must(st.Site(t.Context(), everything, site.ID))(t); !row.Off() || row.Sync.Generation != 2 || row.Sync.State != hosting.Pending || row.Sync.Attempts != 0 {
			t.Errorf("%+v", row)
		}
		if row := must(st.Database(t.Context(), everything, database.ID))(t); !row.AccountSuspended || row.Sync.Generation != 2 {
			t.Errorf("%+v", row)
		}
		_, err := st.CreateSite(t.Context(), root, account.ID, spec(t, "new.example.org"))
		refused(t, err, hosting.Conflict, "", "account.suspended")
		_, _, err = st.CreateDatabase(t.Context(), root, account.ID, "parc_new")
		refused(t, err, hosting.Conflict, "", "account.suspended")
		_, _, err = st.CreateFTPLogin(t.Context(), root, account.ID, hosting.FTPSpec{Login: "new@parc"})
		refused(t, err, hosting.Conflict, "", "account.suspended")
		_, err = st.AuthenticateFTP(t.Context(), "parc", ftpPassword, "192.0.2.1")
		refused(t, err, hosting.Forbidden, "", "ftp.account_suspended")
		settle(t, node)
		ok(t, st.SuspendAccount(t.Context(), root, account.ID))
		if row := must(st.Site(t.Context(), everything, site.ID))(t); row.Sync.State != hosting.Suspended || row.Sync.Generation != 2 {
			t.Errorf("suspended twice: %+v", row.Sync)
		}
	})
	t.Run("resumed", func(t *testing.T) {
		ok(t, st.ResumeAccount(t.Context(), root, account.ID))
		settle(t, node)
		if row := must(st.Site(t.Context(), everything, site.ID))(t); row.Sync.State != hosting.Live || row.Off() {
			t.Errorf("%+v", row)
		}
		must(st.AuthenticateFTP(t.Context(), "parc", ftpPassword, "192.0.2.1"))(t)
	})
	t.Run("listed by state, plan and text", func(t *testing.T) {
		anAccount(t, st, "zebra")
		for _, c := range []struct {
			filter store.AccountFilter
			want   int
		}{
			{store.AccountFilter{}, 2},
			{store.AccountFilter{Search: "AMIS du"}, 1},
			{store.AccountFilter{Search: "Parc"}, 1},
			{store.AccountFilter{Search: "%"}, 0},
			{store.AccountFilter{Search: "' OR 1=1 -- "}, 0},
			{store.AccountFilter{Plan: "asso"}, 2},
			{store.AccountFilter{Plan: "none"}, 0},
			{store.AccountFilter{State: hosting.Suspended}, 0},
			{store.AccountFilter{State: hosting.Live}, 2},
			{store.AccountFilter{State: "nonsense"}, 0},
			{store.AccountFilter{Sort: "-label; DROP TABLE accounts"}, 2},
		} {
			rows, total, err := st.Accounts(t.Context(), everything, c.filter)
			if err != nil || total != c.want || len(rows) != c.want {
				t.Errorf("%+v: %d of %d, %v", c.filter, len(rows), total, err)
			}
		}
		rows, total, err := st.Accounts(t.Context(), everything, store.AccountFilter{Sort: "-name", PerPage: 1, Page: 2})
		if err != nil || total != 2 || len(rows) != 1 || rows[0].Name != "parc" {
			t.Errorf("%+v of %d, %v", rows, total, err)
		}
	})
	t.Run("what is going to be removed", func(t *testing.T) {
		going := must(st.RemovalPreview(t.Context(), everything, account.ID))(t)
		want := store.Removal{
			Account: must(st.Account(t.Context(), everything, account.ID))(t).Account,
			Sites:   []hosting.Hostname{"parc.example.org"}, Databases: []hosting.DatabaseName{"parc_blog"},
			FTPLogins: []hosting.FTPName{"parc"}, Persons: []hosting.Email{"lea@example.org"},
		}
		if diff := gocmp.Diff(want, going); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("removed for good: everything is asked to go, and nothing new comes", func(t *testing.T) {
		ok(t, st.PurgeAccount(t.Context(), root, account.ID))
		ok(t, st.PurgeAccount(t.Context(), root, account.ID))
		if row := must(st.Site(t.Context(), everything, site.ID))(t); row.Sync.State != hosting.Removing || !row.Sync.Removing || row.Sync.Generation != 4 {
			t.Errorf("%+v", row.Sync)
		}
		_, err := st.AuthenticateFTP(t.Context(), "parc", ftpPassword, "192.0.2.1")
		refused(t, err, hosting.Unauthenticated, "", "signin.wrong")
		_, err = st.CreateSite(t.Context(), root, account.ID, spec(t, "new.example.org"))
		refused(t, err, hosting.Conflict, "", "account.removing")
		refused(t, st.ResumeAccount(t.Context(), root, account.ID), hosting.Conflict, "", "account.removing")
		_, err = st.CreateAccount(t.Context(), root, hosting.AccountSpec{Name: "parc", Plan: "asso"})
		refused(t, err, hosting.Conflict, "name", "account.removing")
		if n := must(st.Sweep(t.Context()))(t); n != 0 {
			t.Errorf("%d swept too early", n)
		}
		if row := must(st.Account(t.Context(), everything, account.ID))(t); row.State() != hosting.Removing {
			t.Errorf("%+v", row)
		}
	})
	t.Run("swept when the machine is clean", func(t *testing.T) {
		settle(t, node)
		if n := must(st.Sweep(t.Context()))(t); n != 3 {
			t.Errorf("%d swept, want a site, a database and an account", n)
		}
		_, err := st.Account(t.Context(), everything, account.ID)
		refused(t, err, hosting.NotFound, "", "account.not_found")
		if sess, _ := signIn(t, st, "lea@example.org"); sess.Account != 0 || len(sess.Actor.Accounts()) != 0 {
			t.Errorf("%+v", sess)
		}
		if n := must(st.Sweep(t.Context()))(t); n != 0 {
			t.Errorf("%d swept twice", n)
		}
	})
	t.Run("asked for again before the sweep", func(t *testing.T) {
		first := anAccount(t, st, "again")
		aSite(t, st, first, "again.example.org")
		ok(t, st.PurgeAccount(t.Context(), root, first.ID))
		settle(t, node)
		second := anAccount(t, st, "again")
		if second.ID == first.ID {
			t.Error("the same row")
		}
		aSite(t, st, second, "again.example.org")
	})
}

func TestDatabases(t *testing.T) {
	st, node := testenv.Stores(t)
	account, other := anAccount(t, st, "one"), anAccount(t, st, "two")
	database, clear, err := st.CreateDatabase(t.Context(), root, account.ID, "one_blog")
	ok(t, err)
	t.Run("only the hash is kept", func(t *testing.T) {
		if database.PasswordHash != secret.NativeHash(clear) || database.User() != "one_blog" {
			t.Errorf("%+v", database)
		}
		read := must(node.Database(t.Context(), database.ID))(t)
		if diff := gocmp.Diff(database, read); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a name is taken once, and belongs to its account", func(t *testing.T) {
		_, _, err := st.CreateDatabase(t.Context(), root, account.ID, "one_blog")
		refused(t, err, hosting.Conflict, "name", "database.name_taken")
		_, _, err = st.CreateDatabase(t.Context(), root, other.ID, "one_wiki")
		refused(t, err, hosting.Invalid, "name", "database.name_invalid")
	})
	t.Run("a new password is a new wish", func(t *testing.T) {
		settle(t, node)
		after, again, err := st.ResetDatabasePassword(t.Context(), root, database.ID)
		ok(t, err)
		if again == clear || after.PasswordHash != secret.NativeHash(again) || after.Sync.Generation != 2 || after.Sync.State != hosting.Pending {
			t.Errorf("%+v", after)
		}
	})
	t.Run("removed for good, its name is free when the machine is clean", func(t *testing.T) {
		must(st.PurgeDatabase(t.Context(), root, database.ID))(t)
		_, _, err := st.CreateDatabase(t.Context(), root, account.ID, "one_blog")
		refused(t, err, hosting.Conflict, "name", "database.removing")
		_, _, err = st.ResetDatabasePassword(t.Context(), root, database.ID)
		refused(t, err, hosting.Conflict, "", "database.removing")
		settle(t, node)
		_, err = st.DatabaseByName(t.Context(), everything, "one_blog")
		refused(t, err, hosting.NotFound, "", "database.not_found")
		_, _, err = st.CreateDatabase(t.Context(), root, account.ID, "one_blog")
		ok(t, err)
	})
	t.Run("a full plan refuses, also when many ask at once", func(t *testing.T) {
		won := race(8, func(i int) error {
			_, _, err := st.CreateDatabase(t.Context(), root, account.ID, hosting.DatabaseName(fmt.Sprintf("one_db%d", i)))
			return err
		})
		if won != 4 {
			t.Errorf("%d won", won)
		}
	})
	t.Run("listed", func(t *testing.T) {
		rows, total, err := st.Databases(t.Context(), everything, store.DatabaseFilter{Account: account.ID, Search: "ONE_b", State: hosting.Pending})
		if err != nil || total != 1 || len(rows) != 1 || rows[0].AccountName != "one" {
			t.Errorf("%+v %d %v", rows, total, err)
		}
		must(st.RetryDatabase(t.Context(), root, rows[0].ID))(t)
	})
}

func TestEachRowOfTheAuditSaysWhatItIsAbout(t *testing.T) {
	st := testenv.Store(t)
	_, _, err := st.CreateAccountFor(t.Context(), root, hosting.AccountSpec{Name: "souffle", Plan: "asso"},
		hosting.PersonSpec{Email: "yann@souffle.example"}, store.MembershipSpec{Role: hosting.Owner})
	ok(t, err)
	var got []string
	ok(t, st.DB().Raw("SELECT CONCAT(action, ' ', target) FROM audit_entries ORDER BY id").Scan(&got).Error)
	want := []string{"account.create souffle", "person.create yann@souffle.example", "membership.set yann@souffle.example"}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
