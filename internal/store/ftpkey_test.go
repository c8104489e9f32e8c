package store_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"testing"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/testenv"

	"golang.org/x/crypto/ssh"
)

// aKey is a public key that nobody else has.
func aKey(t *testing.T) hosting.PublicKey {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	ok(t, err)
	key := must(ssh.NewPublicKey(public))(t)
	return must(hosting.ParsePublicKey(string(ssh.MarshalAuthorizedKey(key))))(t)
}

func TestFTPKeys(t *testing.T) {
	st := testenv.Store(t)
	ctx := t.Context()
	account := anAccount(t, st, "voile")
	bigPlan(t, st, account)
	login, _, err := st.CreateFTPLogin(ctx, root, account.ID, hosting.FTPSpec{Login: "web@voile"})
	ok(t, err)
	other, _, err := st.CreateFTPLogin(ctx, root, account.ID, hosting.FTPSpec{Login: "autre@voile"})
	ok(t, err)
	key := aKey(t)
	key.Comment = "lea@portable"
	row := must(st.AddFTPKey(ctx, root, login.ID, key, ""))(t)
	if row.Label != "lea@portable" || row.ID == 0 {
		t.Errorf("got %+v", row)
	}
	_, err = st.AddFTPKey(ctx, root, login.ID, key, "again")
	refused(t, err, hosting.Conflict, "key", "ftpkey.there")
	must(st.AddFTPKey(ctx, root, other.ID, key, "the same on another login"))(t)

	const source = "192.0.2.7"
	if offered := must(st.OffersFTPKey(ctx, " WEB@voile", key.Fingerprint, source))(t); !offered {
		t.Error("the key is not known")
	}
	for _, name := range []string{"voile", "nobody@voile", "web@voile\x00", ""} {
		if must(st.OffersFTPKey(ctx, name, key.Fingerprint, source))(t) {
			t.Errorf("%q has the key", name)
		}
	}
	found := must(st.AuthenticateFTPKey(ctx, "web@voile", key.Fingerprint, source))(t)
	if found.Login.ID != login.ID || found.Login.PasswordHash != "" {
		t.Errorf("got %+v", found.Login)
	}
	if keys := must(st.FTPKeys(ctx, everything, login.ID))(t); len(keys) != 1 || keys[0].LastUsedAt == nil {
		t.Errorf("got %+v", keys)
	}

	// Tries at the password shut the name, not its keys.
	for range 12 {
		_, _ = st.AuthenticateFTP(ctx, "web@voile", "wrong", "198.51.100.1")
	}
	must(st.AuthenticateFTPKey(ctx, "web@voile", key.Fingerprint, source))(t)
	// A source that is shut out has no use of a key either.
	ok(t, st.DB().Exec("UPDATE throttles SET until = ?, last_at = ?", time.Now().UTC().Add(time.Minute), time.Now().UTC()).Error)
	_, err = st.AuthenticateFTPKey(ctx, "web@voile", key.Fingerprint, "198.51.100.1")
	if hosting.KindOf(err) != hosting.OverLimit {
		t.Errorf("a source that is shut out: %v", err)
	}
	_, err = st.OffersFTPKey(ctx, "web@voile", key.Fingerprint, "198.51.100.1")
	if hosting.KindOf(err) != hosting.OverLimit {
		t.Errorf("a source that is shut out: %v", err)
	}

	before := must(st.FTPStandings(ctx, []hosting.FTPLoginID{login.ID}))(t)[login.ID]
	refused(t, st.RemoveFTPKey(ctx, root, other.ID, row.ID), hosting.NotFound, "", "ftpkey.not_found")
	ok(t, st.RemoveFTPKey(ctx, root, login.ID, row.ID))
	if after := must(st.FTPStandings(ctx, []hosting.FTPLoginID{login.ID}))(t)[login.ID]; after.Generation == before.Generation {
		t.Error("sessions that the key opened go on")
	}
	_, err = st.AuthenticateFTPKey(ctx, "web@voile", key.Fingerprint, source)
	refused(t, err, hosting.Unauthenticated, "", "signin.wrong")

	for range hosting.MaxFTPKeys {
		must(st.AddFTPKey(ctx, root, login.ID, aKey(t), ""))(t)
	}
	_, err = st.AddFTPKey(ctx, root, login.ID, aKey(t), "")
	refused(t, err, hosting.OverLimit, "key", "ftpkey.too_many")

	// What is shut for the password is shut for the key.
	must(st.SetFTPEnabled(ctx, root, other.ID, false))(t)
	_, err = st.AuthenticateFTPKey(ctx, "autre@voile", key.Fingerprint, source)
	refused(t, err, hosting.Unauthenticated, "", "signin.wrong")
	must(st.SetFTPEnabled(ctx, root, other.ID, true))(t)
	ok(t, st.SuspendAccount(ctx, root, account.ID))
	_, err = st.AuthenticateFTPKey(ctx, "autre@voile", key.Fingerprint, source)
	refused(t, err, hosting.Forbidden, "", "ftp.account_suspended")

	ok(t, st.PurgeFTPLogin(ctx, root, other.ID))
	var n int
	ok(t, st.DB().Raw("SELECT COUNT(*) FROM ftp_keys WHERE ftp_login_id = ?", other.ID).Scan(&n).Error)
	if n != 0 {
		t.Errorf("%d keys outlive their login", n)
	}
}
