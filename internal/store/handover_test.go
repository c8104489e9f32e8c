package store_test

import (
	"strings"
	"testing"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/internal/testenv"
)

// Who leaves keeps no way in: neither a key, nor an open session, nor the
// password of one user more.
func TestAHandoverShutsEveryDoor(t *testing.T) {
	st := testenv.Store(t)
	ctx := t.Context()
	account := anAccount(t, st, "voile")
	bigPlan(t, st, account)
	login, old, err := st.CreateFTPLogin(ctx, root, account.ID, hosting.FTPSpec{Login: "web@voile"})
	ok(t, err)
	key := aKey(t)
	must(st.AddFTPKey(ctx, root, login.ID, key, "of who leaves"))(t)
	database, _, err := st.CreateDatabase(ctx, root, account.ID, "voile_site")
	ok(t, err)
	user, _, err := st.AddDatabaseUser(ctx, root, database.ID, "voile_reads", true)
	ok(t, err)

	const source = "192.0.2.7"
	before := must(st.AuthenticateFTPKey(ctx, "web@voile", key.Fingerprint, source))(t)
	plan := store.Handover{FTP: true, Databases: []hosting.DatabaseID{database.ID}}
	preview := must(st.HandOver(ctx, root, account.ID, plan, true))(t)
	if len(preview.FTP) != 1 || len(preview.Databases) != 2 {
		t.Errorf("it would change %+v", preview)
	}
	if !must(st.OffersFTPKey(ctx, "web@voile", key.Fingerprint, source))(t) {
		t.Error("the preview took a key away")
	}
	if !standing(t, st, login.ID, before.Login.Sync.Generation) {
		t.Error("the preview ended a session")
	}

	done := must(st.HandOver(ctx, root, account.ID, plan, false))(t)
	if must(st.OffersFTPKey(ctx, "web@voile", key.Fingerprint, source))(t) {
		t.Error("the key still opens the login")
	}
	if _, err := st.AuthenticateFTPKey(ctx, "web@voile", key.Fingerprint, source); hosting.KindOf(err) != hosting.Unauthenticated {
		t.Errorf("signed in by the key: %v", err)
	}
	if standing(t, st, login.ID, before.Login.Sync.Generation) {
		t.Error("a session that was open goes on")
	}
	if _, err := st.AuthenticateFTP(ctx, "web@voile", old, source); hosting.KindOf(err) != hosting.Unauthenticated {
		t.Errorf("the old password: %v", err)
	}
	must(st.AuthenticateFTP(ctx, "web@voile", done.FTP[0].Password, source))(t)

	after := must(st.DatabaseUser(ctx, everything, user.ID))(t)
	if after.PasswordHash == user.PasswordHash {
		t.Error("the other user of the database has the password of before")
	}
	if len(done.Databases) != 2 || done.Databases[1].Name != "voile_reads" || len(done.Databases[1].Password) < 20 {
		t.Errorf("told of %+v", done.Databases)
	}
	rows, _, err := st.Audit(ctx, everything, store.AuditFilter{PerPage: 20})
	ok(t, err)
	acts := map[string]int{}
	for _, row := range rows {
		acts[row.Action]++
		for _, p := range done.Databases {
			if strings.Contains(row.After, p.Password) {
				t.Errorf("%s tells a password", row.Action)
			}
		}
	}
	for _, act := range []string{"account.handover", "ftp.reset_password", "ftp.key_remove", "database.reset_password", "database.user_password"} {
		if acts[act] != 1 {
			t.Errorf("%s was noted %d times", act, acts[act])
		}
	}
}

// standing reports whether a session of that generation would go on.
func standing(t *testing.T, st *store.Store, login hosting.FTPLoginID, generation uint64) bool {
	t.Helper()
	s := must(st.FTPStandings(t.Context(), []hosting.FTPLoginID{login}))(t)[login]
	return s.Open && s.Generation == generation
}
