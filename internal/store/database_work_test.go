package store_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/secret"
	"cancale/internal/store"
	"cancale/internal/testenv"
)

func dbuser(t *testing.T, st *store.Store, d hosting.Database) hosting.DatabaseUser {
	t.Helper()
	u, _, err := st.AddDatabaseUser(t.Context(), root, d.ID, hosting.DatabaseName("acts_"+secret.NewPassword()[:5]), false)
	ok(t, err)
	return u
}

func TestDatabaseUsers(t *testing.T) {
	st, node := testenv.Stores(t)
	ctx := t.Context()
	account := anAccount(t, st, "club")
	d, _, err := st.CreateDatabase(ctx, root, account.ID, "club_site")
	ok(t, err)
	user, first, err := st.AddDatabaseUser(ctx, root, d.ID, "club_reads", true)
	ok(t, err)
	if first == "" || user.PasswordHash != secret.NativeHash(first) {
		t.Errorf("%+v", user)
	}
	for name, want := range map[hosting.DatabaseName]hosting.Kind{
		"club_site": hosting.Conflict, "club_reads": hosting.Conflict, "other_user": hosting.Invalid, "cancale_agent": hosting.Invalid, "root": hosting.Invalid,
		"club_it's": hosting.Invalid, "club_<b>": hosting.Invalid, "club_a\nb": hosting.Invalid,
	} {
		if _, _, err := st.AddDatabaseUser(ctx, root, d.ID, name, false); err == nil || hosting.KindOf(err) != want {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, _, err := st.CreateDatabase(ctx, root, account.ID, "club_reads"); err == nil || hosting.KindOf(err) != hosting.Conflict {
		t.Errorf("a database took the name of a user: %v", err)
	}
	wish, err := node.Database(ctx, d.ID)
	ok(t, err)
	all, err := node.Wishes(ctx)
	ok(t, err)
	for _, w := range []hosting.Database{wish, all.Databases[0]} {
		if len(w.Users) != 1 || w.Users[0].Name != "club_reads" || !w.Users[0].ReadOnly || w.Sync.State != hosting.Pending {
			t.Errorf("the agent is told %+v", w)
		}
	}
	again, second, err := st.ResetDatabaseUserPassword(ctx, root, user.ID)
	ok(t, err)
	if second == first || again.Name != user.Name {
		t.Errorf("%q, %+v", second, again)
	}
	must(st.RemoveDatabaseUser(ctx, root, user.ID))(t)
	if wish, err = node.Database(ctx, d.ID); err != nil || len(wish.Users) != 0 {
		t.Errorf("%+v, %v", wish.Users, err)
	}
	for i := range hosting.MaxDatabaseUsers {
		_, _, err := st.AddDatabaseUser(ctx, root, d.ID, hosting.DatabaseName("club_u"+string(rune('a'+i))), false)
		ok(t, err)
	}
	if _, _, err := st.AddDatabaseUser(ctx, root, d.ID, "club_more", false); err == nil || hosting.KindOf(err) != hosting.OverLimit {
		t.Errorf("%v", err)
	}
	entries, _, err := st.Audit(ctx, everything, store.AuditFilter{Search: "club_site"})
	ok(t, err)
	text, _ := json.Marshal(entries)
	if strings.Contains(string(text), secret.NativeHash(first)) || !strings.Contains(string(text), "database.user_add") {
		t.Errorf("the audit log: %s", text)
	}
}

func TestDatabaseWorks(t *testing.T) {
	st, node := testenv.Stores(t)
	ctx := t.Context()
	account := anAccount(t, st, "club")
	d, _, err := st.CreateDatabase(ctx, root, account.ID, "club_site")
	ok(t, err)
	begin := func(kind hosting.DatabaseWorkKind) (hosting.DatabaseWork, error) {
		return st.BeginDatabaseWork(ctx, root, d.ID, store.DatabaseWorkSpec{Kind: kind, File: "copie.sql.gz", Size: 10})
	}
	work, err := begin(hosting.DatabaseWorkImport)
	ok(t, err)
	if work.State != hosting.DatabaseWorkSending {
		t.Errorf("%+v", work)
	}
	if _, err := begin(hosting.DatabaseWorkCheck); err == nil || hosting.KindOf(err) != hosting.Conflict {
		t.Errorf("two things at a time change a database: %v", err)
	}
	must(begin(hosting.DatabaseWorkExport))(t)
	if taken, err := node.TakeWork(ctx, work.ID, hosting.DatabaseWorkWaiting, hosting.DatabaseWorkRunning); err != nil || taken {
		t.Errorf("taken before its file is there: %v", err)
	}
	if taken, err := node.TakeWork(ctx, work.ID, hosting.DatabaseWorkSending, hosting.DatabaseWorkRunning); err != nil || !taken {
		t.Error(err)
	}
	ok(t, node.Progress(ctx, work.ID, 5, 10))
	rows, err := st.DatabaseWorks(ctx, everything, d.ID)
	ok(t, err)
	if len(rows) != 2 || rows[1].Percent() != 49 {
		t.Errorf("%+v", rows)
	}
	ok(t, node.EndWork(ctx, work.ID, hosting.DatabaseWorkFailed, hosting.Msg("dbwork.lost", "a"), []hosting.TableReport{{Table: "t"}}))
	ok(t, node.EndWork(ctx, work.ID, hosting.DatabaseWorkDone, hosting.Message{}, nil)) // it has ended
	if work, err = st.DatabaseWork(ctx, everything, work.ID); err != nil || work.State != hosting.DatabaseWorkFailed || work.Result.Key != "dbwork.lost" || !strings.Contains(work.Report, `"t"`) {
		t.Errorf("%+v, %v", work, err)
	}
	work, err = begin(hosting.DatabaseWorkCheck)
	ok(t, err)
	ok(t, node.LoseWorks(ctx)) // another agent begins
	if work, err = st.DatabaseWork(ctx, everything, work.ID); err != nil || work.State != hosting.DatabaseWorkFailed || work.EndedAt == nil {
		t.Errorf("%+v, %v", work, err)
	}
	for range 30 {
		work, err = begin(hosting.DatabaseWorkOptimize)
		ok(t, err)
		ok(t, node.EndWork(ctx, work.ID, hosting.DatabaseWorkDone, hosting.Message{}, nil))
	}
	if rows, err = st.DatabaseWorks(ctx, everything, d.ID); err != nil || len(rows) != 20 {
		t.Errorf("%d works are kept, %v", len(rows), err)
	}
}

func TestDatabasePasses(t *testing.T) {
	st, node := testenv.Stores(t)
	ctx := t.Context()
	account := anAccount(t, st, "club")
	d, _, err := st.CreateDatabase(ctx, root, account.ID, "club_site")
	ok(t, err)
	hash := secret.NativeHash("x")
	old, err := node.AddPass(ctx, d, hash, -time.Second)
	ok(t, err)
	good, err := node.AddPass(ctx, d, hash, time.Hour)
	ok(t, err)
	wish, err := node.Database(ctx, d.ID)
	ok(t, err)
	if len(wish.Passes) != 1 || wish.Passes[0].PasswordHash != hash { // not the one that is over
		t.Errorf("%+v", wish.Passes)
	}
	if passes, err := node.OldPasses(ctx, false); err != nil || len(passes) != 1 || passes[0].ID != old {
		t.Errorf("%+v, %v", passes, err)
	}
	if passes, err := node.OldPasses(ctx, true); err != nil || len(passes) != 2 {
		t.Errorf("%+v, %v", passes, err)
	}
	ok(t, node.DropPass(ctx, good))
	if wish, err = node.Database(ctx, d.ID); err != nil || len(wish.Passes) != 0 {
		t.Errorf("%+v, %v", wish.Passes, err)
	}
}
