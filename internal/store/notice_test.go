package store_test

import (
	"testing"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/internal/testenv"
)

// mailsOf counts the mails of a kind by address.
func mailsOf(t *testing.T, st *store.Store, kind hosting.MailKind) map[hosting.Email]int {
	t.Helper()
	mails, _, err := st.Mails(t.Context(), everything, store.MailFilter{PerPage: 1000})
	ok(t, err)
	count := map[hosting.Email]int{}
	for _, m := range mails {
		if m.Kind == kind {
			count[m.Email]++
		}
	}
	return count
}

func TestEachThresholdIsToldOnce(t *testing.T) {
	st := testenv.Store(t)
	account := anAccount(t, st, "baie")
	must(st.CreatePlan(t.Context(), root, hosting.PlanSpec{Name: "small", Label: "Small", Sites: 5, DiskMB: 100}))(t)
	must(st.UpdateAccount(t.Context(), root, account.ID, hosting.AccountSpec{Label: "Baie", Plan: "small"}))(t)
	site := aSite(t, st, account, "baie.example.org")
	aPerson(t, st, "owner@example.org", hosting.NoRole, store.MembershipSpec{Account: account.ID, Role: hosting.Owner})
	aPerson(t, st, "webmaster@example.org", hosting.NoRole, store.MembershipSpec{Account: account.ID, Role: hosting.Webmaster})
	aPerson(t, st, "past@example.org", hosting.NoRole, store.MembershipSpec{Account: account.ID, Role: hosting.Owner, Until: new(time.Now().Add(-time.Hour))})
	aPerson(t, st, "team@example.org", hosting.Technician)
	ok(t, st.DB().Exec("DELETE FROM mails").Error)
	for _, step := range []struct {
		percent, limit, full int // mails to the owner and to the team, all in all
	}{{10, 0, 0}, {80, 1, 0}, {82, 1, 0}, {79, 1, 0}, {80, 1, 0}, {96, 2, 0}, {100, 3, 1}, {120, 3, 1}, {50, 3, 1}, {100, 4, 2}} {
		ok(t, st.DB().Exec("REPLACE INTO disk_usage (site_id, node_id, account_id, files, bin, entries, drift, due_at) VALUES (?, ?, ?, ?, 0, 1, 0, NOW())", site.ID, site.NodeID, account.ID, step.percent<<20).Error)
		for range 2 {
			must(st.Notify(t.Context()))(t)
		}
		limit, full := mailsOf(t, st, hosting.MailLimit), mailsOf(t, st, hosting.MailFull)
		if limit["owner@example.org"] != step.limit || full["team@example.org"] != step.full || len(limit) > 1 || len(full) > 1 {
			t.Errorf("at %d %%: %v, %v", step.percent, limit, full)
		}
	}
	work, err := st.Work(t.Context(), 5)
	ok(t, err)
	if len(work) != 1 || work[0].Kind != hosting.WorkFull || work[0].N != 100 || work[0].Account.ID != account.ID {
		t.Errorf("%+v", work)
	}
}

func TestTheEndOfAMembershipIsToldTwice(t *testing.T) {
	st := testenv.Store(t)
	account := anAccount(t, st, "baie")
	aPerson(t, st, "owner@example.org", hosting.NoRole, store.MembershipSpec{Account: account.ID, Role: hosting.Owner})
	const day = 24 * time.Hour
	for _, step := range []struct {
		left          time.Duration
		ending, ended int
	}{{40 * day, 0, 0}, {29 * day, 1, 0}, {6 * day, 2, 0}, {-time.Hour, 2, 1}, {365 * day, 2, 1}, {20 * day, 3, 1}, {-60 * day, 3, 1}} {
		must(st.UpdateAccount(t.Context(), root, account.ID, hosting.AccountSpec{Label: "Baie", Plan: "asso", Expires: new(time.Now().Add(step.left))}))(t)
		for range 2 {
			must(st.Notify(t.Context()))(t)
		}
		ending, ended := mailsOf(t, st, hosting.MailEnding), mailsOf(t, st, hosting.MailEnded)
		if ending["owner@example.org"] != step.ending || ended["owner@example.org"] != step.ended {
			t.Errorf("%v before: %v, %v", step.left, ending, ended)
		}
	}
}

func TestTheWorkQueueHasEachKind(t *testing.T) {
	st := testenv.Store(t)
	account := anAccount(t, st, "baie")
	bigPlan(t, st, account)
	for _, host := range []string{"a.example.org", "b.example.org", "c.example.org"} {
		aSite(t, st, account, host)
	}
	ok(t, st.DB().Exec(`UPDATE sites SET state = 'failed', problem = '{"key":"site.failed_php","args":["8.2"]}'`).Error)
	_, _, err := st.CreateDatabase(t.Context(), root, account.ID, "baie_db")
	ok(t, err)
	ok(t, st.DB().Exec("UPDATE hosted_databases SET state = 'failed', problem = '{}'").Error)
	must(st.CreateRequest(t.Context(), root, account.ID, hosting.RequestSpec{Subject: "More", Body: "More"}))(t)
	must(st.UpdateAccount(t.Context(), root, account.ID, hosting.AccountSpec{Label: "Baie", Plan: "big", Expires: new(time.Now().Add(-time.Hour))}))(t)
	site, err := st.SiteByHost(t.Context(), everything, "a.example.org")
	ok(t, err)
	task := must(st.CreateTask(t.Context(), root, site.ID, aTask))(t)
	for _, outcome := range []string{"failed", "done", "failed"} {
		ok(t, st.DB().Exec("INSERT INTO task_runs (task_id, started_at, outcome, status, output) VALUES (?, NOW(), ?, 1, '')", task.ID, outcome).Error)
	}
	aPerson(t, st, "owner@example.org", hosting.NoRole, store.MembershipSpec{Account: account.ID, Role: hosting.Owner})
	must(st.CreateRequest(t.Context(), actorOf(t, st, "owner@example.org"), account.ID, hosting.RequestSpec{Subject: "Mine", Body: "More"}))(t)
	must(st.Notify(t.Context()))(t)
	ok(t, st.DB().Exec("UPDATE mails SET state = 'failed'").Error)
	ok(t, st.DB().Exec("INSERT INTO throttles (subject, failures, last_at, until, banned) VALUES (REPEAT('x', 32), 50, NOW(), NOW() + INTERVAL 1 HOUR, 1)").Error)
	work, err := st.Work(t.Context(), 2)
	ok(t, err)
	count := map[hosting.WorkKind]int{}
	for i, w := range work {
		count[w.Kind]++
		if w.More != (w.Kind == hosting.WorkSite && i == 2) {
			t.Errorf("%d: %+v", i, w)
		}
	}
	for kind, n := range map[hosting.WorkKind]int{
		hosting.WorkSite: 3, hosting.WorkDatabase: 1, hosting.WorkRequest: 2, hosting.WorkMembership: 1, hosting.WorkTask: 1, hosting.WorkMail: 1, hosting.WorkBan: 1,
	} {
		if count[kind] != n {
			t.Errorf("%s: %d, want %d", kind, count[kind], n)
		}
	}
	if work[0].Problem.Key != "site.failed_php" {
		t.Errorf("%+v", work[0])
	}
	o, err := st.Overview(t.Context(), everything, account.ID)
	ok(t, err)
	if o.Sites[hosting.Failed] != 3 || o.Databases[hosting.Failed] != 1 || o.Tasks != 1 {
		t.Errorf("%+v", o)
	}
}
