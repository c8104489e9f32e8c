package store_test

import (
	"testing"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/internal/testenv"
)

func TestFTPLogins(t *testing.T) {
	st := testenv.Store(t)
	account, other := anAccount(t, st, "one"), anAccount(t, st, "two")
	site := aSite(t, st, account, "a.example.com", "b.example.com")
	aSite(t, st, account, "z.example.com")
	foreign := aSite(t, st, other, "foreign.example.net")
	login, clear, err := st.CreateFTPLogin(t.Context(), root, account.ID, hosting.FTPSpec{Login: "web@one", Site: site.ID, Path: "www", FTPTerms: hosting.FTPTerms{Rights: hosting.FTPReadOnly}})
	ok(t, err)
	in := func(login, password string) (store.FTPSession, error) {
		return st.AuthenticateFTP(t.Context(), login, password, "192.0.2.7")
	}
	t.Run("it is live at once, and reaches its site", func(t *testing.T) {
		if login.Sync.State != hosting.Live || !login.Sync.Current() {
			t.Errorf("%+v", login.Sync)
		}
		session := must(in(" WEB@one", clear))(t)
		if session.Site.ID != site.ID || len(session.Sites) != 1 || session.Login.Path != "www" || session.Login.Rights != hosting.FTPReadOnly || session.Login.PasswordHash != "" || session.Site.HomeToken != site.HomeToken {
			t.Errorf("%+v", session)
		}
		if row := must(st.FTPLogin(t.Context(), everything, login.ID))(t); row.LastUsedAt == nil || row.Host != "a.example.com" || row.PasswordHash != "" {
			t.Errorf("%+v", row)
		}
	})
	t.Run("one without a site reaches all of the account", func(t *testing.T) {
		_, clear, err := st.CreateFTPLogin(t.Context(), root, account.ID, hosting.FTPSpec{Login: "one"})
		ok(t, err)
		session := must(in("one", clear))(t)
		if len(session.Sites) != 2 || session.Sites[0].Host != "a.example.com" || session.Site.ID != 0 || len(session.Sites[0].Aliases) != 1 {
			t.Errorf("%+v", session)
		}
	})
	t.Run("names and sites of others are refused", func(t *testing.T) {
		_, _, err := st.CreateFTPLogin(t.Context(), root, account.ID, hosting.FTPSpec{Login: "web@one"})
		refused(t, err, hosting.Conflict, "login", "ftp.login_taken")
		_, _, err = st.CreateFTPLogin(t.Context(), root, other.ID, hosting.FTPSpec{Login: "x@one"})
		refused(t, err, hosting.Invalid, "login", "ftp.login_invalid")
		_, _, err = st.CreateFTPLogin(t.Context(), root, account.ID, hosting.FTPSpec{Login: "x@one", Site: foreign.ID})
		refused(t, err, hosting.Invalid, "site", "ftp.site_unknown")
		_, err = st.UpdateFTPLogin(t.Context(), root, login.ID, hosting.FTPSpec{Site: foreign.ID})
		refused(t, err, hosting.Invalid, "site", "ftp.site_unknown")
	})
	t.Run("wrong, unknown and shut get one answer", func(t *testing.T) {
		_, err := in("web@one", "wrong")
		refused(t, err, hosting.Unauthenticated, "", "signin.wrong")
		for _, unknown := range []string{"nobody@one", "é", "\xff\xfe", "' OR ''='", ""} {
			_, err = in(unknown, clear)
			refused(t, err, hosting.Unauthenticated, "", "signin.wrong")
		}
		must(st.SetFTPEnabled(t.Context(), root, login.ID, false))(t)
		_, err = in("web@one", clear)
		refused(t, err, hosting.Unauthenticated, "", "signin.wrong")
		must(st.SetFTPEnabled(t.Context(), root, login.ID, true))(t)
		must(in("web@one", clear))(t)
	})
	t.Run("a new password shuts out the old one, at once", func(t *testing.T) {
		_, again, err := st.ResetFTPPassword(t.Context(), root, login.ID)
		ok(t, err)
		_, err = in("web@one", clear)
		refused(t, err, hosting.Unauthenticated, "", "signin.wrong")
		must(in("web@one", again))(t)
		clear = again
	})
	t.Run("changed", func(t *testing.T) {
		after := must(st.UpdateFTPLogin(t.Context(), root, login.ID, hosting.FTPSpec{Path: "private"}))(t)
		if after.SiteID != 0 || after.Path != "private" || after.Rights != hosting.FTPReadWrite || !after.Sync.Current() {
			t.Errorf("%+v", after)
		}
	})
	t.Run("an account whose membership is over", func(t *testing.T) {
		past := time.Now().Add(-time.Hour)
		must(st.UpdateAccount(t.Context(), root, account.ID, hosting.AccountSpec{Plan: "asso", Expires: &past}))(t)
		_, err := in("web@one", clear)
		refused(t, err, hosting.Forbidden, "", "ftp.account_expired")
		must(st.UpdateAccount(t.Context(), root, account.ID, hosting.AccountSpec{Plan: "asso"}))(t)
	})
	t.Run("removed at once, and its name is free", func(t *testing.T) {
		ok(t, st.RemoveFTPLogin(t.Context(), root, login.ID))
		_, err := in("web@one", clear)
		refused(t, err, hosting.Unauthenticated, "", "signin.wrong")
		_, _, err = st.CreateFTPLogin(t.Context(), root, account.ID, hosting.FTPSpec{Login: "web@one"})
		ok(t, err)
	})
	t.Run("guessing is slowed down", func(t *testing.T) {
		for range store.FreePerName + 1 {
			_, err := in("guessed@one", "guess")
			refused(t, err, hosting.Unauthenticated, "", "signin.wrong")
		}
		_, err := in("guessed@one", "guess")
		refused(t, err, hosting.OverLimit, "", "signin.too_many")
	})
}

func TestFTPStandings(t *testing.T) {
	st := testenv.Store(t)
	account := anAccount(t, st, "one")
	a, b := aSite(t, st, account, "a.example.com"), aSite(t, st, account, "b.example.com")
	bare := anAccount(t, st, "two")
	make := func(account hosting.Account, spec hosting.FTPSpec) hosting.FTPLogin {
		t.Helper()
		login, _, err := st.CreateFTPLogin(t.Context(), root, account.ID, spec)
		ok(t, err)
		return login
	}
	one, all, none := make(account, hosting.FTPSpec{Login: "web@one", Site: a.ID}), make(account, hosting.FTPSpec{Login: "one"}), make(bare, hosting.FTPSpec{Login: "two"})
	now := func() map[hosting.FTPLoginID]store.FTPStanding {
		t.Helper()
		return must(st.FTPStandings(t.Context(), []hosting.FTPLoginID{one.ID, all.ID, none.ID, 999}))(t)
	}
	first := now()
	if len(first) != 3 || !first[one.ID].Open || len(first[one.ID].Sites) != 1 || !first[one.ID].Sites[a.ID] || len(first[all.ID].Sites) != 2 ||
		!first[none.ID].Open || len(first[none.ID].Sites) != 0 || first[one.ID].Generation != one.Sync.Generation {
		t.Fatalf("%+v", first)
	}
	if got := must(st.FTPStandings(t.Context(), nil))(t); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	_, _, err := st.ResetFTPPassword(t.Context(), root, one.ID)
	ok(t, err)
	must(st.SetFTPEnabled(t.Context(), root, all.ID, false))(t)
	must(st.SuspendSite(t.Context(), root, b.ID))(t)
	ok(t, st.SuspendAccount(t.Context(), root, bare.ID))
	after := now()
	if after[one.ID].Generation == one.Sync.Generation || !after[one.ID].Open || after[all.ID].Open || len(after[all.ID].Sites) != 1 || after[none.ID].Open {
		t.Errorf("%+v", after)
	}
	ok(t, st.RemoveFTPLogin(t.Context(), root, all.ID))
	if _, there := now()[all.ID]; there {
		t.Error("a login that was removed still stands")
	}
}
