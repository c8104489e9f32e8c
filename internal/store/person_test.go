package store_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/internal/testenv"

	gocmp "github.com/google/go-cmp/cmp"
)

func TestInvitations(t *testing.T) {
	st := testenv.Store(t)
	account := anAccount(t, st, "one")
	person, invitation, err := st.CreatePerson(t.Context(), root, hosting.PersonSpec{Email: "lea@example.org", Name: "Léa"},
		[]store.MembershipSpec{{Account: account.ID, Role: hosting.Owner}})
	ok(t, err)
	t.Run("the address is taken", func(t *testing.T) {
		_, _, err := st.CreatePerson(t.Context(), root, hosting.PersonSpec{Email: "lea@example.org"}, nil)
		refused(t, err, hosting.Conflict, "email", "person.email_taken")
	})
	t.Run("read by its token, which is kept nowhere", func(t *testing.T) {
		who, read, err := st.Invitation(t.Context(), invitation.Token)
		if err != nil || who.Email != "lea@example.org" || read.Reset || read.Token != "" || !read.Expires.Equal(invitation.Expires) {
			t.Errorf("%+v %+v %v", who, read, err)
		}
		var n int
		ok(t, st.DB().Raw("SELECT (SELECT COUNT(*) FROM invitations WHERE token_hash = ?) + (SELECT COUNT(*) FROM audit_entries WHERE `after` LIKE ?)", invitation.Token, "%"+invitation.Token+"%").Scan(&n).Error)
		if n != 0 {
			t.Error("the token is in a table")
		}
		_, _, err = st.Invitation(t.Context(), "guess")
		refused(t, err, hosting.NotFound, "", "invitation.not_found")
	})
	t.Run("nobody signs in without a password", func(t *testing.T) {
		for _, p := range []string{"", password} {
			_, _, err := st.SignIn(t.Context(), "lea@example.org", p, "192.0.2.1")
			refused(t, err, hosting.Unauthenticated, "", "signin.wrong")
		}
	})
	t.Run("a password that will not do is refused, and the invitation holds", func(t *testing.T) {
		for p, key := range map[string]string{"short": "password.too_short", strings.Repeat("x", 201): "password.too_long", "LEA@example.org": "password.is_email"} {
			_, err := st.AcceptInvitation(t.Context(), invitation.Token, "", p, "")
			refused(t, err, hosting.Invalid, "password", key)
		}
	})
	t.Run("accepted once, also when sent twice at once", func(t *testing.T) {
		won := race(4, func(int) error {
			_, err := st.AcceptInvitation(t.Context(), invitation.Token, "Léa M.", password, "192.0.2.1")
			return err
		})
		if won != 1 {
			t.Errorf("%d won", won)
		}
		sess, _ := signIn(t, st, "lea@example.org")
		if sess.Person.Name != "Léa M." || sess.Account != account.ID || !sess.Actor.CanIn(hosting.SitesWrite, account.ID) {
			t.Errorf("%+v", sess)
		}
	})
	t.Run("a link to reset replaces the password and ends the sessions", func(t *testing.T) {
		_, token := signIn(t, st, "lea@example.org")
		first := must(st.Invite(t.Context(), root, person.ID))(t)
		second := must(st.Invite(t.Context(), root, person.ID))(t)
		if !second.Reset || second.Expires.After(time.Now().Add(25*time.Hour)) {
			t.Errorf("%+v", second)
		}
		_, _, err := st.Invitation(t.Context(), first.Token)
		refused(t, err, hosting.NotFound, "", "invitation.not_found")
		must(st.AcceptInvitation(t.Context(), second.Token, "", "another long one", ""))(t)
		_, err = st.Session(t.Context(), token)
		refused(t, err, hosting.Unauthenticated, "", "session.ended")
		_, _, err = st.SignIn(t.Context(), "lea@example.org", password, "192.0.2.1")
		refused(t, err, hosting.Unauthenticated, "", "signin.wrong")
		must2(st.SignIn(t.Context(), "lea@example.org", "another long one", "192.0.2.1"))(t)
	})
	t.Run("one that is too old", func(t *testing.T) {
		late := must(st.Invite(t.Context(), root, person.ID))(t)
		ok(t, st.DB().Exec("UPDATE invitations SET expires_at = UTC_TIMESTAMP() - INTERVAL 1 SECOND").Error)
		_, err := st.AcceptInvitation(t.Context(), late.Token, "", password, "")
		refused(t, err, hosting.NotFound, "", "invitation.not_found")
	})
	t.Run("an owner invites members of his account, and gets no link that makes him somebody else", func(t *testing.T) {
		sess, _, err := st.SignIn(t.Context(), "lea@example.org", "another long one", "192.0.2.1")
		ok(t, err)
		lea := sess.Actor
		other := anAccount(t, st, "two")
		aPerson(t, st, "max@example.org", hosting.NoRole, store.MembershipSpec{Account: other.ID, Role: hosting.Owner})
		pending, _, err := st.CreatePerson(t.Context(), root, hosting.PersonSpec{Email: "pending@example.org"}, []store.MembershipSpec{{Account: other.ID, Role: hosting.Webmaster}})
		ok(t, err)
		mine := store.MembershipSpec{Account: account.ID, Role: hosting.Webmaster}

		fresh, link, err := st.AddMember(t.Context(), lea, hosting.PersonSpec{Email: "new@example.org", Role: hosting.Administrator}, mine)
		if err != nil || link.Token == "" || fresh.Role != hosting.NoRole {
			t.Errorf("%+v %+v %v", fresh, link, err)
		}
		if again, err := st.Invite(t.Context(), lea, fresh.ID); err != nil || again.Token == "" {
			t.Errorf("%v", err)
		}
		for _, email := range []hosting.Email{"max@example.org", "pending@example.org"} {
			_, link, err := st.AddMember(t.Context(), lea, hosting.PersonSpec{Email: email}, mine)
			if err != nil || link.Token != "" {
				t.Errorf("%s: %+v %v", email, link, err)
			}
		}
		_, err = st.Invite(t.Context(), lea, pending.ID)
		refused(t, err, hosting.Forbidden, "", "error.forbidden")
		_, err = st.Invite(t.Context(), lea, 999)
		refused(t, err, hosting.NotFound, "", "person.not_found")
		_, _, err = st.CreatePerson(t.Context(), lea, hosting.PersonSpec{Email: "x@example.org", Role: hosting.Administrator}, []store.MembershipSpec{mine})
		refused(t, err, hosting.Forbidden, "", "error.forbidden")
		_, _, err = st.CreatePerson(t.Context(), lea, hosting.PersonSpec{Email: "x@example.org"}, []store.MembershipSpec{{Account: other.ID, Role: hosting.Owner}})
		refused(t, err, hosting.NotFound, "", "account.not_found")
	})
}

// A link is good for what the person was when it was given: an owner who invited
// somebody, and kept the link, gets no role by it that others give later.
func TestALinkIsVoidOnceThePersonIsMore(t *testing.T) {
	st := testenv.Store(t)
	ctx := t.Context()
	mine, theirs := anAccount(t, st, "mine"), anAccount(t, st, "theirs")
	aPerson(t, st, "eve@example.org", hosting.NoRole, store.MembershipSpec{Account: mine.ID, Role: hosting.Owner})
	aPerson(t, st, "max@example.org", hosting.NoRole, store.MembershipSpec{Account: theirs.ID, Role: hosting.Owner})
	eve, max := actorOf(t, st, "eve@example.org"), actorOf(t, st, "max@example.org")
	inMine := store.MembershipSpec{Account: mine.ID, Role: hosting.Contractor}
	invite := func(t *testing.T, email hosting.Email) (hosting.Person, string) {
		t.Helper()
		person, link, err := st.AddMember(ctx, eve, hosting.PersonSpec{Email: email}, inMine)
		ok(t, err)
		if link.Token == "" {
			t.Fatal("no link to keep")
		}
		return person, link.Token
	}
	void := func(t *testing.T, person hosting.PersonID, token string, others int) {
		t.Helper()
		_, err := st.AcceptInvitation(ctx, token, "", password, "192.0.2.66")
		refused(t, err, hosting.NotFound, "", "invitation.not_found")
		var n int
		ok(t, st.DB().Raw("SELECT COUNT(*) FROM invitations WHERE person_id = ?", person).Scan(&n).Error)
		if n != others {
			t.Errorf("%d other links, want %d", n, others)
		}
	}
	t.Run("by another account", func(t *testing.T) {
		person, token := invite(t, "bob@example.org")
		_, link, err := st.AddMember(ctx, max, hosting.PersonSpec{Email: "bob@example.org"}, store.MembershipSpec{Account: theirs.ID, Role: hosting.Owner})
		if err != nil || link.Token != "" {
			t.Fatalf("%+v %v", link, err)
		}
		void(t, person.ID, token, 1)
		mails, _, err := st.Mails(ctx, everything, store.MailFilter{Search: "bob@example.org"})
		if err != nil || len(mails) != 2 || mails[0].Kind != hosting.MailInvitation || mails[0].AccountID != theirs.ID {
			t.Errorf("%+v %v", mails, err)
		}
	})
	t.Run("after its role has ended", func(t *testing.T) {
		person, token := invite(t, "kim@example.org")
		ok(t, st.RemoveMembership(ctx, eve, person.ID, mine.ID))
		ok(t, st.SetMembership(ctx, root, person.ID, store.MembershipSpec{Account: theirs.ID, Role: hosting.Owner}))
		void(t, person.ID, token, 0)
	})
	t.Run("by a role on the platform", func(t *testing.T) {
		person, token := invite(t, "ada@example.org")
		must(st.UpdatePerson(ctx, root, person.ID, hosting.PersonSpec{Email: "ada@example.org", Role: hosting.Administrator}))(t)
		void(t, person.ID, token, 1)
	})
	t.Run("under another address", func(t *testing.T) {
		person, token := invite(t, "joe@exmaple.org")
		must(st.UpdatePerson(ctx, root, person.ID, hosting.PersonSpec{Email: "joe@example.org"}))(t)
		void(t, person.ID, token, 1)
	})
	t.Run("a new name voids nothing", func(t *testing.T) {
		person, token := invite(t, "zoe@example.org")
		must(st.UpdatePerson(ctx, root, person.ID, hosting.PersonSpec{Email: "zoe@example.org", Name: "Zoé"}))(t)
		must(st.AcceptInvitation(ctx, token, "", password, "192.0.2.1"))(t)
	})
}

func must2[A, B any](a A, _ B, err error) func(*testing.T) A {
	return func(t *testing.T) A {
		t.Helper()
		ok(t, err)
		return a
	}
}

func TestMemberships(t *testing.T) {
	st := testenv.Store(t)
	account := anAccount(t, st, "one")
	lea := aPerson(t, st, "lea@example.org", hosting.NoRole, store.MembershipSpec{Account: account.ID, Role: hosting.Owner})
	max := aPerson(t, st, "max@example.org", hosting.NoRole, store.MembershipSpec{Account: account.ID, Role: hosting.Webmaster})
	stranger := aPerson(t, st, "eve@example.org", hosting.NoRole)
	owner := actorOf(t, st, "lea@example.org")
	until := time.Now().Add(24 * time.Hour)
	t.Run("changed by an owner", func(t *testing.T) {
		ok(t, st.SetMembership(t.Context(), owner, max.ID, store.MembershipSpec{Account: account.ID, Role: hosting.Contractor, Until: &until}))
		rows := must(st.Memberships(t.Context(), owner.Scope(hosting.PeopleRead), account.ID))(t)
		if len(rows) != 2 || rows[1].Role != hosting.Contractor || rows[1].Until == nil || rows[1].Email != "max@example.org" {
			t.Errorf("%+v", rows)
		}
	})
	t.Run("a role that is over gives nothing", func(t *testing.T) {
		past := time.Now().Add(-time.Minute)
		ok(t, st.SetMembership(t.Context(), owner, max.ID, store.MembershipSpec{Account: account.ID, Role: hosting.Contractor, Until: &past}))
		if actorOf(t, st, "max@example.org").Can(hosting.SitesRead) {
			t.Error("it still does")
		}
	})
	t.Run("the last owner stays, unless an administrator says otherwise", func(t *testing.T) {
		err := st.RemoveMembership(t.Context(), owner, lea.ID, account.ID)
		refused(t, err, hosting.Conflict, "role", "membership.last_owner")
		err = st.SetMembership(t.Context(), owner, lea.ID, store.MembershipSpec{Account: account.ID, Role: hosting.Webmaster})
		refused(t, err, hosting.Conflict, "role", "membership.last_owner")
		ok(t, st.RemoveMembership(t.Context(), root, lea.ID, account.ID))
		ok(t, st.SetMembership(t.Context(), root, lea.ID, store.MembershipSpec{Account: account.ID, Role: hosting.Owner}))
	})
	t.Run("strangers and nonsense", func(t *testing.T) {
		err := st.SetMembership(t.Context(), owner, stranger.ID, store.MembershipSpec{Account: account.ID, Role: hosting.Webmaster})
		refused(t, err, hosting.NotFound, "", "person.not_found")
		err = st.SetMembership(t.Context(), owner, max.ID, store.MembershipSpec{Account: account.ID, Role: "king"})
		refused(t, err, hosting.Invalid, "role", "membership.role_unknown")
		err = st.RemoveMembership(t.Context(), owner, stranger.ID, account.ID)
		refused(t, err, hosting.NotFound, "", "person.not_found")
		err = st.SetMembership(t.Context(), actorOf(t, st, "max@example.org"), max.ID, store.MembershipSpec{Account: account.ID, Role: hosting.Owner})
		refused(t, err, hosting.NotFound, "", "account.not_found")
	})
	t.Run("removed", func(t *testing.T) {
		ok(t, st.RemoveMembership(t.Context(), owner, max.ID, account.ID))
		if rows := must(st.Memberships(t.Context(), everything, account.ID))(t); len(rows) != 1 {
			t.Errorf("%+v", rows)
		}
	})
}

func TestPersons(t *testing.T) {
	st := testenv.Store(t)
	ada := aPerson(t, st, "ada@example.org", hosting.Administrator)
	tech := aPerson(t, st, "tec@example.org", hosting.Technician)
	admin := actorOf(t, st, "ada@example.org")
	t.Run("listed and read, without hashes", func(t *testing.T) {
		rows, total, err := st.Persons(t.Context(), admin.Scope(hosting.AdminPersons), store.PersonFilter{Search: "ADA@", Role: hosting.Administrator, Sort: "-seen"})
		if err != nil || total != 1 || rows[0].Email != "ada@example.org" || rows[0].PasswordHash != "" || rows[0].Invited {
			t.Errorf("%+v %d %v", rows, total, err)
		}
		row := must(st.PersonByEmail(t.Context(), everything, "tec@example.org"))(t)
		if diff := gocmp.Diff(row, must(st.Person(t.Context(), everything, tech.ID))(t)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("changed", func(t *testing.T) {
		after := must(st.UpdatePerson(t.Context(), admin, tech.ID, hosting.PersonSpec{Email: "tec2@example.org", Name: "T", Language: "en"}))(t)
		if after.Role != hosting.NoRole || after.Email != "tec2@example.org" || after.Language != "en" {
			t.Errorf("%+v", after)
		}
		_, err := st.UpdatePerson(t.Context(), admin, tech.ID, hosting.PersonSpec{Email: "ada@example.org"})
		refused(t, err, hosting.Conflict, "email", "person.email_taken")
		_, err = st.UpdatePerson(t.Context(), admin, 999, hosting.PersonSpec{Email: "x@example.org"})
		refused(t, err, hosting.NotFound, "", "person.not_found")
	})
	t.Run("the last administrator stays", func(t *testing.T) {
		_, err := st.UpdatePerson(t.Context(), admin, ada.ID, hosting.PersonSpec{Email: "ada@example.org"})
		refused(t, err, hosting.Conflict, "role", "person.last_administrator")
		refused(t, st.DisablePerson(t.Context(), root, ada.ID), hosting.Conflict, "role", "person.last_administrator")
		refused(t, st.DisablePerson(t.Context(), admin, ada.ID), hosting.Conflict, "", "person.oneself")
	})
	t.Run("shut out at once, and let in again", func(t *testing.T) {
		_, token := signIn(t, st, "tec2@example.org")
		ok(t, st.DisablePerson(t.Context(), admin, tech.ID))
		_, err := st.Session(t.Context(), token)
		refused(t, err, hosting.Unauthenticated, "", "session.ended")
		_, _, err = st.SignIn(t.Context(), "tec2@example.org", password, "192.0.2.1")
		refused(t, err, hosting.Unauthenticated, "", "signin.wrong")
		_, err = st.Invite(t.Context(), admin, tech.ID)
		refused(t, err, hosting.Conflict, "", "person.disabled")
		ok(t, st.EnablePerson(t.Context(), admin, tech.ID))
		signIn(t, st, "tec2@example.org")
	})
	t.Run("others may not", func(t *testing.T) {
		member := actorOf(t, st, "tec2@example.org")
		_, err := st.UpdatePerson(t.Context(), member, ada.ID, hosting.PersonSpec{Email: "x@example.org"})
		refused(t, err, hosting.Forbidden, "", "error.forbidden")
		refused(t, st.DisablePerson(t.Context(), member, ada.ID), hosting.Forbidden, "", "error.forbidden")
		_, err = st.Invite(t.Context(), member, ada.ID)
		refused(t, err, hosting.NotFound, "", "person.not_found")
	})
	t.Run("one's own profile, preferences and password", func(t *testing.T) {
		ok(t, st.UpdateProfile(t.Context(), admin, "Ada L.", hosting.Email(admin.Name), ""))
		link := must(st.Invite(t.Context(), root, admin.Person))(t)
		for _, wrong := range []string{"", "wrong wrong wrong"} {
			refused(t, st.UpdateProfile(t.Context(), admin, "Ada L.", "ada2@example.org", wrong), hosting.Invalid, "current_password", "password.wrong")
		}
		ok(t, st.UpdateProfile(t.Context(), admin, "Ada L.", "ada2@example.org", password))
		if _, _, err := st.Invitation(t.Context(), link.Token); hosting.KindOf(err) != hosting.NotFound && hosting.KindOf(err) != hosting.Unauthenticated {
			t.Errorf("a link that went to the old address: %v", err)
		}
		ok(t, st.SetPreferences(t.Context(), admin, "en", "dark"))
		refused(t, st.SetPreferences(t.Context(), admin, "de", "dark"), hosting.Invalid, "language", "preferences.language_unknown")
		refused(t, st.SetPreferences(t.Context(), admin, "en", "pink"), hosting.Invalid, "theme", "preferences.theme_unknown")
		keep, token := signIn(t, st, "ada2@example.org")
		_, other := signIn(t, st, "ada2@example.org")
		refused(t, st.ChangePassword(t.Context(), admin, "wrong", "a brand new one", keep), hosting.Invalid, "old_password", "password.wrong")
		refused(t, st.ChangePassword(t.Context(), admin, password, "short", keep), hosting.Invalid, "password", "password.too_short")
		ok(t, st.ChangePassword(t.Context(), admin, password, "a brand new one", keep))
		sess := must(st.Session(t.Context(), token))(t)
		if sess.Person.Name != "Ada L." || sess.Person.Theme != "dark" || sess.Person.Language != "en" || sess.Person.PasswordHash != "" {
			t.Errorf("%+v", sess.Person)
		}
		_, err := st.Session(t.Context(), other)
		refused(t, err, hosting.Unauthenticated, "", "session.ended")
	})
}

func TestSessions(t *testing.T) {
	st := testenv.Store(t)
	one, two := anAccount(t, st, "one"), anAccount(t, st, "two")
	aPerson(t, st, "lea@example.org", hosting.NoRole,
		store.MembershipSpec{Account: one.ID, Role: hosting.Owner}, store.MembershipSpec{Account: two.ID, Role: hosting.Contractor})
	foreign := anAccount(t, st, "foreign")
	sess, token := signIn(t, st, "lea@example.org")
	t.Run("read by its token, which is kept nowhere", func(t *testing.T) {
		read := must(st.Session(t.Context(), token))(t)
		if read.ID != sess.ID || read.CSRF == "" || read.CSRF == token || read.Account != one.ID || read.Actor.Source != "192.0.2.1" {
			t.Errorf("%+v", read)
		}
		for _, guess := range []string{"", "x", token[:42]} {
			_, err := st.Session(t.Context(), guess)
			refused(t, err, hosting.Unauthenticated, "", "session.ended")
		}
	})
	t.Run("an account is chosen among one's own", func(t *testing.T) {
		ok(t, st.ChooseAccount(t.Context(), sess, two.ID))
		if read := must(st.Session(t.Context(), token))(t); read.Account != two.ID {
			t.Errorf("%d", read.Account)
		}
		refused(t, st.ChooseAccount(t.Context(), sess, foreign.ID), hosting.NotFound, "", "account.not_found")
	})
	t.Run("what there is to say is said once, also when two say it at once", func(t *testing.T) {
		var wait sync.WaitGroup
		for _, key := range []string{"a", "b"} {
			wait.Go(func() {
				if err := st.AddFlash(t.Context(), sess, hosting.Msg(key, "1")); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if read := must(st.Session(t.Context(), token))(t); len(read.Flash) != 2 {
			t.Errorf("%+v", read.Flash)
		}
		if got := must(st.TakeFlash(t.Context(), sess))(t); len(got) != 2 {
			t.Errorf("%+v", got)
		}
		if got := must(st.TakeFlash(t.Context(), sess))(t); len(got) != 0 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("it lives while it is used", func(t *testing.T) {
		ok(t, st.DB().Exec("UPDATE sessions SET seen_at = UTC_TIMESTAMP() - INTERVAL 29 DAY").Error)
		must(st.Session(t.Context(), token))(t)
		ok(t, st.DB().Exec("UPDATE sessions SET created_at = UTC_TIMESTAMP() - INTERVAL 29 DAY").Error)
		if read := must(st.Session(t.Context(), token))(t); time.Since(read.SeenAt) > time.Minute {
			t.Errorf("%v", read.SeenAt)
		}
		must(st.Sweep(t.Context()))(t)
		must(st.Session(t.Context(), token))(t)
		ok(t, st.DB().Exec("UPDATE sessions SET seen_at = UTC_TIMESTAMP() - INTERVAL 31 DAY").Error)
		_, err := st.Session(t.Context(), token)
		refused(t, err, hosting.Unauthenticated, "", "session.ended")
		must(st.Sweep(t.Context()))(t)
		var n int
		ok(t, st.DB().Raw("SELECT COUNT(*) FROM sessions").Scan(&n).Error)
		if n != 0 {
			t.Errorf("%d are left", n)
		}
	})
	t.Run("signed out", func(t *testing.T) {
		_, token := signIn(t, st, "lea@example.org")
		ok(t, st.SignOut(t.Context(), token))
		_, err := st.Session(t.Context(), token)
		refused(t, err, hosting.Unauthenticated, "", "session.ended")
		ok(t, st.SignOut(t.Context(), token))
	})
}

func TestSignInIsSlowedDown(t *testing.T) {
	st := testenv.Store(t)
	aPerson(t, st, "lea@example.org", hosting.NoRole)
	forget := func() { ok(t, st.DB().Exec("DELETE FROM throttles").Error) }
	in := func(email, password, source string) error {
		_, _, err := st.SignIn(t.Context(), email, password, source)
		return err
	}
	t.Run("per address, known or not", func(t *testing.T) {
		for _, email := range []string{"lea@example.org", "nobody@example.org", "not an address"} {
			for i := range store.FreePerName + 1 {
				refused(t, in(email, "guess", sourceOf(i)), hosting.Unauthenticated, "", "signin.wrong")
			}
			refused(t, in(email, "guess", "198.51.100.1"), hosting.OverLimit, "", "signin.too_many")
			refused(t, in(strings.ToUpper(email)+" ", password, "198.51.100.2"), hosting.OverLimit, "", "signin.too_many")
		}
	})
	t.Run("the wait ends, and being right is forgiven", func(t *testing.T) {
		ok(t, st.DB().Exec("UPDATE throttles SET until = UTC_TIMESTAMP()").Error)
		ok(t, in("lea@example.org", password, "198.51.100.3"))
		refused(t, in("lea@example.org", "guess", "198.51.100.3"), hosting.Unauthenticated, "", "signin.wrong")
		ok(t, in("lea@example.org", password, "198.51.100.3"))
	})
	t.Run("whoever signs in from a place is not shut out by others elsewhere", func(t *testing.T) {
		forget()
		ok(t, in("lea@example.org", password, "2001:db8:7::1"))
		for i := range store.FreePerName + 1 {
			refused(t, in("lea@example.org", "guess", sourceOf(i)), hosting.Unauthenticated, "", "signin.wrong")
		}
		refused(t, in("lea@example.org", password, "198.51.100.4"), hosting.OverLimit, "", "signin.too_many")
		refused(t, in("lea@example.org", "guess", "2001:db8:7::2"), hosting.Unauthenticated, "", "signin.wrong")
		ok(t, in("LEA@example.org ", password, "2001:db8:7::2"))
		for i := range store.FreePerName + 1 {
			refused(t, in("nobody@example.org", "guess", sourceOf(i)), hosting.Unauthenticated, "", "signin.wrong")
		}
		refused(t, in("nobody@example.org", "guess", "2001:db8:7::1"), hosting.OverLimit, "", "signin.too_many")
		ok(t, st.DB().Exec("UPDATE throttles SET until = UTC_TIMESTAMP() WHERE until > UTC_TIMESTAMP() + INTERVAL 1 DAY").Error)
		for i := range store.FreePerName + 1 {
			refused(t, in("lea@example.org", "guess", sourceOf(i)), hosting.Unauthenticated, "", "signin.wrong")
		}
		refused(t, in("lea@example.org", password, "2001:db8:7::1"), hosting.OverLimit, "", "signin.too_many")
	})
	t.Run("per source, whatever is tried, for the panel and FTP together", func(t *testing.T) {
		forget()
		ok(t, st.DB().Exec("DELETE FROM throttles").Error)
		for i := range store.FreePerSource + 1 {
			var err error
			if i%2 == 0 {
				err = in("x"+sourceOf(i), "guess", "2001:db8::1")
			} else {
				_, err = st.AuthenticateFTP(t.Context(), "y"+sourceOf(i), "guess", "2001:db8::2")
			}
			refused(t, err, hosting.Unauthenticated, "", "signin.wrong")
		}
		refused(t, in("lea@example.org", password, "2001:db8::3"), hosting.OverLimit, "", "signin.too_many")
		ok(t, in("lea@example.org", password, "2001:db8:0:1::1"))
	})
	t.Run("being right does not give a source new tries", func(t *testing.T) {
		forget()
		for i := range store.FreePerSource + 1 {
			refused(t, in("z"+sourceOf(i), "guess", "203.0.113.9"), hosting.Unauthenticated, "", "signin.wrong")
			if i < store.FreePerSource {
				ok(t, in("lea@example.org", password, "203.0.113.9"))
			}
		}
		refused(t, in("lea@example.org", password, "203.0.113.9"), hosting.OverLimit, "", "signin.too_many")
	})
	t.Run("a hundred at once are a hundred", func(t *testing.T) {
		forget()
		var wait sync.WaitGroup
		var lock sync.Mutex
		kinds := map[hosting.Kind]int{}
		for i := range 40 {
			wait.Go(func() {
				err := in("lea@example.org", "guess", sourceOf(i))
				lock.Lock()
				defer lock.Unlock()
				kinds[hosting.KindOf(err)]++
			})
		}
		wait.Wait()
		if kinds[hosting.Unauthenticated] > store.FreePerName+2 || kinds[hosting.Internal] > 0 {
			t.Errorf("%v", kinds)
		}
	})
	t.Run("many who are right at once all come in", func(t *testing.T) {
		forget()
		won := race(store.FreePerName, func(i int) error {
			err := in("lea@example.org", password, "203.0.113.77")
			if err != nil {
				t.Error(err)
			}
			return err
		})
		if won != store.FreePerName {
			t.Errorf("%d came in", won)
		}
	})
	t.Run("no name is written down", func(t *testing.T) {
		var rows []string
		ok(t, st.DB().Raw("SELECT HEX(subject) FROM throttles").Scan(&rows).Error)
		for _, row := range rows {
			if len(row) != 64 {
				t.Errorf("%q", row)
			}
		}
	})
}

func sourceOf(i int) string { return "10.1." + string(rune('0'+i/10)) + "." + string(rune('0'+i%10)) }

func TestDelay(t *testing.T) {
	for _, c := range []struct {
		failures uint32
		want     time.Duration
	}{{0, 0}, {5, 0}, {6, time.Second}, {7, 2 * time.Second}, {10, 16 * time.Second}, {12, time.Minute}, {1 << 31, time.Minute}} {
		if got := store.Delay(c.failures, 5, time.Minute); got != c.want {
			t.Errorf("after %d failures: %v, want %v", c.failures, got, c.want)
		}
	}
}

func TestNetwork(t *testing.T) {
	for source, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64", "": "", "x": "x",
	} {
		if got := store.Network(source); got != want {
			t.Errorf("Network(%q) = %q, want %q", source, got, want)
		}
	}
}
