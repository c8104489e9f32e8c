package store_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/internal/testenv"
)

func TestBans(t *testing.T) {
	st := testenv.Store(t)
	ctx := t.Context()
	account := anAccount(t, st, "voile")
	login, _, err := st.CreateFTPLogin(ctx, root, account.ID, hosting.FTPSpec{Login: "web@voile"})
	ok(t, err)
	aPerson(t, st, "lea@example.org", hosting.NoRole)
	must(st.UpdateSettings(ctx, root, func(s *hosting.Settings) error {
		s.Bans.Failures, s.Bans.For = 5, 20*time.Minute
		return nil
	}))(t)
	in := func(name, source string) error { _, _, err := st.SignIn(ctx, name, "guess", source); return err }

	const bad, neighbour, v6, v6same, v6other = "203.0.113.9", "203.0.113.10", "2001:db8:1:2::3", "2001:db8:1:2:ffff::9", "2001:db8:1:3::3"
	for i := range 4 {
		refused(t, in(fmt.Sprintf("guess-%d@example.org", i), bad), hosting.Unauthenticated, "", "signin.wrong")
		_, err := st.AuthenticateFTP(ctx, "web@voile", "guess", v6)
		refused(t, err, hosting.Unauthenticated, "", "signin.wrong")
	}
	if banned := must(st.BannedSources(ctx))(t); len(banned) != 0 {
		t.Errorf("banned too early: %v", banned)
	}
	// The fifth does it, by whatever way it comes.
	_, err = st.AuthenticateFTP(ctx, "hunter2-a-password-typed-as-name", "guess", bad)
	refused(t, err, hosting.Unauthenticated, "", "signin.wrong")
	refused(t, in("lea@example.org", v6), hosting.Unauthenticated, "", "signin.wrong")

	banned := must(st.BannedSources(ctx))(t)
	for source, want := range map[string]bool{bad + "/32": true, neighbour + "/32": false, "2001:db8:1:2::/64": true} {
		until, is := banned[netip.MustParsePrefix(source)]
		if is != want || is && (time.Until(until) < 19*time.Minute || time.Until(until) > 21*time.Minute) {
			t.Errorf("%s: %v %v", source, is, until)
		}
	}
	// It costs no hash: the right password is not even looked at.
	_, _, err = st.SignIn(ctx, "lea@example.org", password, bad)
	refused(t, err, hosting.OverLimit, "", "signin.banned")
	_, err = st.AuthenticateFTP(ctx, "web@voile", "x", v6same)
	refused(t, err, hosting.OverLimit, "", "signin.banned")
	for _, source := range []string{neighbour, v6other} {
		if _, _, err := st.SignIn(ctx, "lea@example.org", password, source); err != nil {
			t.Errorf("%s is banned as well: %v", source, err)
		}
	}

	// Nobody waits because of a mail that was asked for.
	ok(t, st.Forgotten(ctx, "lea@example.org", neighbour))
	bans, total, err := st.Bans(ctx, store.BanFilter{})
	if err != nil || total != 2 || bans[0].Kind != hosting.BanSource || !bans[0].Banned || bans[0].Failures < 5 || !bans[0].Active(time.Now()) {
		t.Errorf("%d %v %+v", total, err, bans)
	}
	var labels []string
	ok(t, st.DB().Raw("SELECT label FROM throttles WHERE kind <> 'source' ORDER BY label").Scan(&labels).Error)
	for _, label := range labels {
		if label != "" && label != string(login.Login) && label != "lea@example.org" {
			t.Errorf("what was typed is kept: %q", label)
		}
	}

	// One who signed in at the same moment does not lift it.
	for _, b := range bans {
		if b.Label == bad {
			must(st.LiftBan(ctx, root, b.ID))(t)
		}
	}
	_, err = st.LiftBan(ctx, root, bans[0].ID+"00")
	refused(t, err, hosting.NotFound, "", "bans.not_found")
	_, err = st.LiftBan(ctx, root, "zz")
	refused(t, err, hosting.NotFound, "", "bans.not_found")
	_, err = st.LiftBanOf(ctx, root, "%")
	refused(t, err, hosting.NotFound, "", "bans.not_found")
	must(st.LiftBanOf(ctx, root, v6same))(t)
	if banned := must(st.BannedSources(ctx))(t); len(banned) != 0 {
		t.Errorf("after they were lifted: %v", banned)
	}
	if _, _, err := st.SignIn(ctx, "lea@example.org", password, bad); err != nil {
		t.Error(err)
	}
}

func TestABanGoesByItself(t *testing.T) {
	st := testenv.Store(t)
	ctx := t.Context()
	must(st.UpdateSettings(ctx, root, func(s *hosting.Settings) error { s.Bans.Failures, s.Bans.For = 1, 5*time.Hour; return nil }))(t)
	const source = "203.0.113.9"
	_, _, err := st.SignIn(ctx, "x@example.org", "guess", source)
	refused(t, err, hosting.Unauthenticated, "", "signin.wrong")
	// It is kept for its whole length, and not one moment longer.
	ok(t, st.DB().Exec("UPDATE throttles SET last_at = last_at - INTERVAL 2 HOUR").Error)
	must(st.Sweep(ctx))(t)
	if banned := must(st.BannedSources(ctx))(t); len(banned) != 1 {
		t.Errorf("swept too early: %v", banned)
	}
	ok(t, st.DB().Exec("UPDATE throttles SET until = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND").Error)
	if banned := must(st.BannedSources(ctx))(t); len(banned) != 0 {
		t.Errorf("still banned: %v", banned)
	}
	aPerson(t, st, "lea@example.org", hosting.NoRole)
	if _, _, err := st.SignIn(ctx, "lea@example.org", password, source); err != nil {
		t.Error(err)
	}
	ok(t, st.DB().Exec("UPDATE throttles SET last_at = last_at - INTERVAL 2 HOUR, until = last_at").Error)
	must(st.Sweep(ctx))(t)
	var left int
	ok(t, st.DB().Raw("SELECT COUNT(*) FROM throttles").Scan(&left).Error)
	if left != 0 {
		t.Errorf("%d rows are kept", left)
	}
}
