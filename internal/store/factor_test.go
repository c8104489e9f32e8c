package store_test

import (
	"errors"
	"testing"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/internal/testenv"

	"github.com/pquerna/otp/totp"
)

// codeAt is what an authenticator shows.
func codeAt(t *testing.T, key string, at time.Time) string {
	t.Helper()
	return must(totp.GenerateCode(key, at))(t)
}

// withFactor turns the second factor of a person on, and answers its key, the
// codes for its loss and the session that was kept.
func withFactor(t *testing.T, st *store.Store, email string) (string, []string, store.Session) {
	t.Helper()
	sess, _ := signIn(t, st, email)
	ok(t, st.BeginFactor(t.Context(), sess.Actor, password))
	key := must(st.FactorKey(t.Context(), sess.Actor))(t)
	codes := must(st.ConfirmFactor(t.Context(), sess.Actor, codeAt(t, key, time.Now().Add(-30*time.Second)), sess))(t)
	return key, codes, sess
}

func TestTheSecondFactor(t *testing.T) {
	st := testenv.Store(t)
	aPerson(t, st, "ada@example.org", hosting.NoRole)
	before, _ := signIn(t, st, "ada@example.org")
	key, codes, kept := withFactor(t, st, "ada@example.org")
	halfway := func() store.SecondStep {
		t.Helper()
		_, _, err := st.SignIn(t.Context(), "ada@example.org", password, "192.0.2.1")
		step, is := errors.AsType[*store.SecondStep](err)
		if !is {
			t.Fatalf("the password alone: %v", err)
		}
		return *step
	}
	finish := func(step store.SecondStep, code string) error {
		_, _, err := st.FinishSignIn(t.Context(), step, code, "192.0.2.1")
		return err
	}
	t.Run("sessions from before end, and the secret is sealed", func(t *testing.T) {
		devices := must(st.Devices(t.Context(), before.Actor))(t)
		if len(devices) != 1 || devices[0].ID != kept.ID {
			t.Error(devices)
		}
		var sealed []byte
		ok(t, st.DB().Raw("SELECT sealed FROM authenticators").Row().Scan(&sealed))
		if len(sealed) == 0 || string(sealed) == key {
			t.Errorf("%q", sealed)
		}
	})
	t.Run("a code is good once, and not before the last one", func(t *testing.T) {
		code := codeAt(t, key, time.Now())
		refused(t, finish(halfway(), "000000"), hosting.Invalid, "code", "factor.wrong")
		ok(t, finish(halfway(), code[:3]+" "+code[3:]))
		refused(t, finish(halfway(), code), hosting.Invalid, "code", "factor.wrong")
		refused(t, finish(halfway(), codeAt(t, key, time.Now().Add(-30*time.Second))), hosting.Invalid, "code", "factor.wrong")
		refused(t, finish(halfway(), codeAt(t, key, time.Now().Add(-time.Hour))), hosting.Invalid, "code", "factor.wrong")
	})
	t.Run("a recovery code is good once", func(t *testing.T) {
		if len(codes) != 10 {
			t.Fatal(codes)
		}
		ok(t, finish(halfway(), codes[3]))
		refused(t, finish(halfway(), codes[3]), hosting.Invalid, "code", "factor.wrong")
		factor := must(st.Factor(t.Context(), kept.Person.ID))(t)
		if !factor.On || factor.Recovery != 9 {
			t.Error(factor)
		}
	})
	t.Run("without the proof of a password a code is worth nothing", func(t *testing.T) {
		forged := halfway()
		forged.Proof = make([]byte, len(forged.Proof))
		refused(t, finish(forged, codes[0]), hosting.Unauthenticated, "", "signin.wrong")
		step := halfway()
		aPerson(t, st, "eve@example.org", hosting.NoRole)
		step.Person = actorOf(t, st, "eve@example.org").Person
		refused(t, finish(step, codes[0]), hosting.Unauthenticated, "", "signin.wrong")
	})
	t.Run("it ends with the password and a code", func(t *testing.T) {
		refused(t, st.EndFactor(t.Context(), kept.Actor, "wrong wrong wrong", codes[1]), hosting.Invalid, "password", "password.wrong")
		refused(t, st.EndFactor(t.Context(), kept.Actor, password, "zzzzz-zzzzz"), hosting.Invalid, "code", "factor.wrong")
		fresh := must(st.RenewRecovery(t.Context(), kept.Actor, password))(t)
		refused(t, finish(halfway(), codes[2]), hosting.Invalid, "code", "factor.wrong")
		ok(t, st.EndFactor(t.Context(), kept.Actor, password, fresh[0]))
		signIn(t, st, "ada@example.org")
	})
	t.Run("guessing is slowed down", func(t *testing.T) {
		withFactor(t, st, "eve@example.org")
		_, _, err := st.SignIn(t.Context(), "eve@example.org", password, "192.0.2.7")
		step, _ := errors.AsType[*store.SecondStep](err)
		for range 30 {
			_, _, err := st.FinishSignIn(t.Context(), *step, "123456", "192.0.2.7")
			if hosting.KindOf(err) == hosting.OverLimit {
				bans, _, err := st.Bans(t.Context(), store.BanFilter{Search: "eve@example.org"})
				if err != nil || len(bans) != 1 || bans[0].Kind != hosting.BanCode {
					t.Errorf("the team is not told of it: %+v %v", bans, err)
				}
				return
			}
		}
		t.Error("thirty guesses are taken")
	})
}
