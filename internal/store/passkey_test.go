package store_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/internal/testenv"
)

var party = store.RelyingParty{ID: "panel.example", Origin: "https://panel.example", Name: "Cancale"}

// withPasskey adds a passkey to a person, and answers what holds it, the codes
// for its loss and the session that was kept.
func withPasskey(t *testing.T, st *store.Store, email, name string) (*testenv.Authenticator, []string, store.Session) {
	t.Helper()
	sess, _ := signIn(t, st, email)
	a := &testenv.Authenticator{Origin: party.Origin}
	codes := must(addPasskey(t, st, sess, a, name))(t)
	return a, codes, sess
}

func addPasskey(t *testing.T, st *store.Store, sess store.Session, a *testenv.Authenticator, name string) ([]string, error) {
	t.Helper()
	c := must(st.BeginPasskey(t.Context(), sess.Actor, party, name, password))(t)
	return st.AddPasskey(t.Context(), sess.Actor, party, c, a.Create(t, c.Options), sess)
}

// alone signs in with a passkey and nothing else.
func alone(t *testing.T, st *store.Store, a *testenv.Authenticator, source string) error {
	t.Helper()
	c := must(st.AskSignIn(t.Context(), party, source))(t)
	_, _, err := st.SignInByPasskey(t.Context(), party, c, a.Get(t, c.Options), source)
	return err
}

func halfwayOf(t *testing.T, st *store.Store, email string) store.SecondStep {
	t.Helper()
	_, _, err := st.SignIn(t.Context(), email, password, "192.0.2.1")
	step, is := errors.AsType[*store.SecondStep](err)
	if !is {
		t.Fatalf("the password alone: %v", err)
	}
	return *step
}

func TestPasskeys(t *testing.T) {
	st := testenv.Store(t)
	aPerson(t, st, "ada@example.org", hosting.NoRole)
	aPerson(t, st, "eve@example.org", hosting.NoRole)
	const source = "192.0.2.1"
	before, _ := signIn(t, st, "ada@example.org")
	a, codes, kept := withPasskey(t, st, "ada@example.org", "Téléphone")
	wrong := func(t *testing.T, err error) {
		t.Helper()
		refused(t, err, hosting.Invalid, "", "passkey.wrong")
	}

	t.Run("the first one brings codes, and ends other sessions", func(t *testing.T) {
		devices := must(st.Devices(t.Context(), before.Actor))(t)
		if len(codes) != 10 || len(devices) != 1 || devices[0].ID != kept.ID {
			t.Error(len(codes), devices)
		}
		f := must(st.Factor(t.Context(), kept.Person.ID))(t)
		if !f.On || f.Codes || f.Passkeys != 1 || f.Recovery != 10 {
			t.Errorf("%+v", f)
		}
		second := &testenv.Authenticator{Origin: party.Origin}
		if codes := must(addPasskey(t, st, kept, second, "Clé USB"))(t); len(codes) != 0 {
			t.Error("the second brings codes too")
		}
		keys := must(st.Passkeys(t.Context(), kept.Person.ID))(t)
		if len(keys) != 2 || keys[0].Name != "Clé USB" || keys[0].LastUsedAt != nil {
			t.Fatalf("%+v", keys)
		}
		refused(t, st.RemovePasskey(t.Context(), kept.Actor, keys[0].ID, "wrong wrong wrong"), hosting.Invalid, "password", "password.wrong")
		ok(t, st.RemovePasskey(t.Context(), kept.Actor, keys[0].ID, password))
	})
	t.Run("it signs in alone, and after the password", func(t *testing.T) {
		ok(t, alone(t, st, a, source))
		step := halfwayOf(t, st, "ada@example.org")
		c, asked, err := st.AskStep(t.Context(), party, step)
		if err != nil || !asked {
			t.Fatal(asked, err)
		}
		_, _, err = st.FinishStep(t.Context(), party, step, c, a.Get(t, c.Options), source)
		ok(t, err)
		if keys := must(st.Passkeys(t.Context(), kept.Person.ID))(t); keys[0].LastUsedAt == nil || keys[0].SignCount != 2 {
			t.Errorf("%+v", keys[0])
		}
		log, _, err := st.Audit(t.Context(), everything, store.AuditFilter{PerPage: 1})
		if err != nil || log[0].Action != "session.sign_in" || log[0].After != `{"Passkey":"Téléphone"}` {
			t.Errorf("%+v %v", log, err)
		}
		_, _, err = st.FinishSignIn(t.Context(), halfwayOf(t, st, "ada@example.org"), codes[0], source)
		ok(t, err)
	})
	t.Run("what it does not answer for is refused", func(t *testing.T) {
		other := *a
		other.Origin = "https://panel.example.evil.test"
		wrong(t, alone(t, st, &other, source))
		other = *a
		other.RPID = "evil.test"
		wrong(t, alone(t, st, &other, source))
		other = *a
		other.Unverified = true
		wrong(t, alone(t, st, &other, source))

		c := must(st.AskSignIn(t.Context(), party, source))(t)
		answer := a.Get(t, c.Options)
		_, _, err := st.SignInByPasskey(t.Context(), party, must(st.AskSignIn(t.Context(), party, source))(t), answer, source)
		wrong(t, err) // an answer to another question
		_, _, err = st.SignInByPasskey(t.Context(), party, store.Ceremony{}, answer, source)
		wrong(t, err)
		store.Expire(&c)
		_, _, err = st.SignInByPasskey(t.Context(), party, c, answer, source)
		wrong(t, err)
		for _, answer := range []string{"", "{}", `{"id":"AA","rawId":"AA","type":"public-key","response":{}}`, "<b>", string(answer[:len(answer)-9])} {
			_, _, err := st.SignInByPasskey(t.Context(), party, must(st.AskSignIn(t.Context(), party, source))(t), []byte(answer), source)
			wrong(t, err)
		}
		unchecked := &testenv.Authenticator{Origin: party.Origin, Unverified: true}
		_, err = addPasskey(t, st, kept, unchecked, "Vieille clé")
		refused(t, err, hosting.Invalid, "", "passkey.not_made")
	})
	t.Run("another's key, another's question", func(t *testing.T) {
		stranger, _, hers := withPasskey(t, st, "eve@example.org", "Mine")
		step := halfwayOf(t, st, "ada@example.org")
		c, _, err := st.AskStep(t.Context(), party, step)
		ok(t, err)
		var options struct{ Challenge string }
		ok(t, json.Unmarshal(c.Options, &options))
		_, _, err = st.FinishStep(t.Context(), party, step, c, stranger.Sign(t, stranger.Keys[0], options.Challenge), source)
		wrong(t, err)
		lying := *stranger.Keys[0]
		lying.Handle = a.Keys[0].Handle
		lone := must(st.AskSignIn(t.Context(), party, source))(t)
		ok(t, json.Unmarshal(lone.Options, &options))
		_, _, err = st.SignInByPasskey(t.Context(), party, lone, stranger.Sign(t, &lying, options.Challenge), source)
		wrong(t, err)

		forged := step
		forged.Proof = make([]byte, len(step.Proof))
		_, _, err = st.AskStep(t.Context(), party, forged)
		refused(t, err, hosting.Unauthenticated, "", "signin.wrong")
		_, _, err = st.FinishStep(t.Context(), party, forged, c, a.Get(t, c.Options), source)
		refused(t, err, hosting.Unauthenticated, "", "signin.wrong")
		_, _, err = st.SignInByPasskey(t.Context(), party, c, a.Get(t, c.Options), source) // what was asked after a password, without it
		wrong(t, err)

		key := must(st.Passkeys(t.Context(), kept.Person.ID))(t)[0].ID
		refused(t, st.RenamePasskey(t.Context(), hers.Actor, key, "x"), hosting.NotFound, "", "passkey.not_found")
		refused(t, st.RemovePasskey(t.Context(), hers.Actor, key, password), hosting.NotFound, "", "passkey.not_found")
		begun := must(st.BeginPasskey(t.Context(), kept.Actor, party, "x", password))(t)
		_, err = st.AddPasskey(t.Context(), hers.Actor, party, begun, stranger.Create(t, begun.Options), hers)
		refused(t, err, hosting.Invalid, "", "passkey.not_made")
	})
	t.Run("a count that goes back is a copy: refused, and told", func(t *testing.T) {
		copied := *a
		copied.Keys = []*testenv.AuthenticatorKey{new(*a.Keys[0])}
		copied.Keys[0].Count = 0
		ok(t, alone(t, st, a, source))
		refused(t, alone(t, st, &copied, source), hosting.Invalid, "", "passkey.copied")
		log, _, err := st.Audit(t.Context(), everything, store.AuditFilter{PerPage: 1})
		if err != nil || log[0].Action != "passkey.counter" || log[0].Actor != "ada@example.org" {
			t.Errorf("%+v %v", log, err)
		}
		ok(t, alone(t, st, a, source))
	})
	t.Run("there is an end to them", func(t *testing.T) {
		for range hosting.MaxPasskeys - 1 {
			must(addPasskey(t, st, kept, &testenv.Authenticator{Origin: party.Origin}, "Une de plus"))(t)
		}
		_, err := st.BeginPasskey(t.Context(), kept.Actor, party, "Une de trop", password)
		refused(t, err, hosting.OverLimit, "", "passkey.too_many")
	})
	t.Run("the team takes all away, codes too", func(t *testing.T) {
		ok(t, st.ResetFactor(t.Context(), root, kept.Person.ID))
		if f := must(st.Factor(t.Context(), kept.Person.ID))(t); f != (store.Factor{}) {
			t.Errorf("%+v", f)
		}
		wrong(t, alone(t, st, a, source))
		signIn(t, st, "ada@example.org")
		refused(t, st.ResetFactor(t.Context(), root, kept.Person.ID), hosting.NotFound, "", "factor.not_found")
	})
	t.Run("with an authenticator beside it, each goes by itself", func(t *testing.T) {
		key, _, sess := withFactor(t, st, "ada@example.org")
		a := &testenv.Authenticator{Origin: party.Origin}
		if codes := must(addPasskey(t, st, sess, a, "Portable"))(t); len(codes) != 0 {
			t.Error("the codes were replaced")
		}
		ok(t, st.EndFactor(t.Context(), sess.Actor, password, codeAt(t, key, time.Now())))
		if f := must(st.Factor(t.Context(), sess.Person.ID))(t); !f.On || f.Codes || f.Recovery != 10 {
			t.Errorf("%+v", f)
		}
		ok(t, alone(t, st, a, source))
		ok(t, st.RemovePasskey(t.Context(), sess.Actor, must(st.Passkeys(t.Context(), sess.Person.ID))(t)[0].ID, password))
		signIn(t, st, "ada@example.org")
	})
	t.Run("who may not sign in does not by a passkey either", func(t *testing.T) {
		a, _, sess := withPasskey(t, st, "ada@example.org", "Téléphone")
		ok(t, st.DisablePerson(t.Context(), root, sess.Person.ID))
		wrong(t, alone(t, st, a, source))
		ok(t, st.EnablePerson(t.Context(), root, sess.Person.ID))
	})
	t.Run("wrong answers count as wrong passwords do", func(t *testing.T) {
		liar := &testenv.Authenticator{Origin: "https://evil.test"}
		aPerson(t, st, "grace@example.org", hosting.NoRole)
		sess, _ := signIn(t, st, "grace@example.org")
		honest := &testenv.Authenticator{Origin: party.Origin}
		must(addPasskey(t, st, sess, honest, "Téléphone"))(t)
		liar.Keys = honest.Keys
		for range 20 {
			if err := alone(t, st, liar, "192.0.2.9"); hosting.KindOf(err) == hosting.OverLimit {
				_, _, err := st.SignIn(t.Context(), "grace@example.org", password, "192.0.2.9")
				refused(t, err, hosting.OverLimit, "", "signin.too_many")
				return
			}
		}
		t.Error("twenty wrong answers are taken")
	})
}

func TestWhoLeavesTheLastAssociationKeepsNoPasskey(t *testing.T) {
	st := testenv.Store(t)
	one, two := anAccount(t, st, "une"), anAccount(t, st, "deux")
	for email, accounts := range map[string][]hosting.AccountID{"ada@example.org": {one.ID}, "eve@example.org": {one.ID, two.ID}} {
		aPerson(t, st, email, hosting.NoRole)
		for _, id := range accounts {
			_, _, err := st.AddMember(t.Context(), root, hosting.PersonSpec{Email: hosting.Email(email)}, store.MembershipSpec{Account: id, Role: hosting.Webmaster})
			ok(t, err)
		}
	}
	_, _, ada := withPasskey(t, st, "ada@example.org", "Téléphone")
	_, _, eve := withPasskey(t, st, "eve@example.org", "Téléphone")
	must(st.HandOver(t.Context(), root, one.ID, store.Handover{
		Leave:  []hosting.PersonID{ada.Person.ID, eve.Person.ID},
		Invite: []store.Newcomer{{Person: hosting.PersonSpec{Email: "new@example.org"}, Role: store.MembershipSpec{Role: hosting.Owner}}},
	}, false))(t)
	count := func(sess store.Session) int { return must(st.Factor(t.Context(), sess.Person.ID))(t).Passkeys }
	if count(ada) != 0 || count(eve) != 1 {
		t.Errorf("%d of who left all, %d of who has a role elsewhere", count(ada), count(eve))
	}
	ok(t, st.RemoveMembership(t.Context(), root, eve.Person.ID, two.ID))
	if count(eve) != 0 {
		t.Error("kept by who left all")
	}
}

func TestAnAccountThatGoesTakesThePasskeysOfItsOwn(t *testing.T) {
	st := testenv.Store(t)
	going, staying := anAccount(t, st, "part"), anAccount(t, st, "reste")
	with := func(email string, role hosting.PlatformRole, accounts ...hosting.AccountID) store.Session {
		t.Helper()
		var memberships []store.MembershipSpec
		for _, id := range accounts {
			memberships = append(memberships, store.MembershipSpec{Account: id, Role: hosting.Owner})
		}
		aPerson(t, st, email, role, memberships...)
		_, _, sess := withPasskey(t, st, email, "Téléphone")
		return sess
	}
	own, both := with("own@example.org", hosting.NoRole, going.ID), with("both@example.org", hosting.NoRole, going.ID, staying.ID)
	team, other := with("team@example.org", hosting.Administrator, going.ID), with("other@example.org", hosting.NoRole, staying.ID)
	ok(t, st.RemoveAccount(t.Context(), root, going.ID))
	ok(t, st.PurgeAccount(t.Context(), root, going.ID))
	must(st.Sweep(t.Context()))(t)
	if _, err := st.Account(t.Context(), everything, going.ID); hosting.KindOf(err) != hosting.NotFound {
		t.Fatalf("the account is there: %v", err)
	}
	for _, c := range []struct {
		sess store.Session
		want int
	}{{own, 0}, {both, 1}, {team, 1}, {other, 1}} {
		if f := must(st.Factor(t.Context(), c.sess.Person.ID))(t); f.Passkeys != c.want {
			t.Errorf("%s has %d, want %d", c.sess.Person.Email, f.Passkeys, c.want)
		}
	}
	left := 0
	ok(t, st.DB().Raw("SELECT COUNT(*) FROM recovery_codes WHERE person_id = ?", own.Person.ID).Row().Scan(&left))
	if left != 0 {
		t.Errorf("%d recovery codes of nothing", left)
	}
}
