package store_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"cancale/internal/hosting"
	"cancale/internal/secret"
	"cancale/internal/store"
	"cancale/internal/testenv"

	gocmp "github.com/google/go-cmp/cmp"
)

// methodsWith names the methods of Store that take a parameter of that type.
func methodsWith[T any]() []string {
	var names []string
	for m := range reflect.TypeFor[*store.Store]().Methods() {
		for in := range m.Type.Ins() {
			if in == reflect.TypeFor[T]() {
				names = append(names, m.Name)
			}
		}
	}
	slices.Sort(names)
	return names
}

func TestNobodySeesWhatIsOthers(t *testing.T) {
	st := testenv.Store(t)
	theirs, mine := anAccount(t, st, "theirs"), anAccount(t, st, "mine")
	site := aSite(t, st, theirs, "theirs.example.org", "www.theirs.example.org")
	database, _, err := st.CreateDatabase(t.Context(), root, theirs.ID, "theirs_db")
	ok(t, err)
	login, _, err := st.CreateFTPLogin(t.Context(), root, theirs.ID, hosting.FTPSpec{Login: "theirs"})
	ok(t, err)
	must(st.CreatePlan(t.Context(), root, hosting.PlanSpec{Name: "other", Label: "Other"}))(t)
	must(st.UpdateAccount(t.Context(), root, theirs.ID, hosting.AccountSpec{Plan: "other"}))(t)
	them := aPerson(t, st, "them@example.org", hosting.NoRole, store.MembershipSpec{Account: theirs.ID, Role: hosting.Owner})
	aPerson(t, st, "me@example.org", hosting.NoRole, store.MembershipSpec{Account: mine.ID, Role: hosting.Owner})
	me := actorOf(t, st, "me@example.org")

	ctx := t.Context()
	count := func(list any, total int, err error) (int, error) { return max(total, reflect.ValueOf(list).Len()), err }
	found := func(_ any, err error) (int, error) { return 1, err }
	reads := map[string]func(hosting.Scope) (int, error){
		"Accounts": func(s hosting.Scope) (int, error) {
			rows, total, err := st.Accounts(ctx, s, store.AccountFilter{Search: "theirs"})
			return count(rows, total, err)
		},
		"AccountsAmong": func(s hosting.Scope) (int, error) {
			rows, err := st.AccountsAmong(ctx, s, []hosting.AccountID{theirs.ID})
			return len(rows), err
		},
		"Account":       func(s hosting.Scope) (int, error) { return found(st.Account(ctx, s, theirs.ID)) },
		"AccountByName": func(s hosting.Scope) (int, error) { return found(st.AccountByName(ctx, s, "theirs")) },
		"Usage":         func(s hosting.Scope) (int, error) { return found(st.Usage(ctx, s, theirs.ID)) },
		"RemovalPreview": func(s hosting.Scope) (int, error) {
			return found(st.RemovalPreview(ctx, s, theirs.ID))
		},
		"Plans": func(s hosting.Scope) (int, error) {
			rows, err := st.Plans(ctx, s)
			rows = slices.DeleteFunc(rows, func(p store.PlanRow) bool { return p.Name != "other" })
			return len(rows), err
		},
		"Plan": func(s hosting.Scope) (int, error) { return found(st.Plan(ctx, s, "other")) },
		"Sites": func(s hosting.Scope) (int, error) {
			rows, total, err := st.Sites(ctx, s, store.SiteFilter{Search: "theirs"})
			return count(rows, total, err)
		},
		"Site":       func(s hosting.Scope) (int, error) { return found(st.Site(ctx, s, site.ID)) },
		"CheckHost":  func(s hosting.Scope) (int, error) { return 1, st.CheckHost(ctx, s, theirs.ID, "free.example.org") },
		"SiteByHost": func(s hosting.Scope) (int, error) { return found(st.SiteByHost(ctx, s, "www.theirs.example.org")) },
		"Databases": func(s hosting.Scope) (int, error) {
			rows, total, err := st.Databases(ctx, s, store.DatabaseFilter{})
			return count(rows, total, err)
		},
		"Database":       func(s hosting.Scope) (int, error) { return found(st.Database(ctx, s, database.ID)) },
		"DatabaseByName": func(s hosting.Scope) (int, error) { return found(st.DatabaseByName(ctx, s, "theirs_db")) },
		"FTPLogins": func(s hosting.Scope) (int, error) {
			rows, total, err := st.FTPLogins(ctx, s, store.FTPFilter{})
			return count(rows, total, err)
		},
		"FTPLogin":       func(s hosting.Scope) (int, error) { return found(st.FTPLogin(ctx, s, login.ID)) },
		"FTPLoginByName": func(s hosting.Scope) (int, error) { return found(st.FTPLoginByName(ctx, s, "theirs")) },
		"Persons": func(s hosting.Scope) (int, error) {
			rows, total, err := st.Persons(ctx, s, store.PersonFilter{Account: theirs.ID})
			return count(rows, total, err)
		},
		"Person":        func(s hosting.Scope) (int, error) { return found(st.Person(ctx, s, them.ID)) },
		"PersonByEmail": func(s hosting.Scope) (int, error) { return found(st.PersonByEmail(ctx, s, "them@example.org")) },
		"Memberships": func(s hosting.Scope) (int, error) {
			rows, err := st.Memberships(ctx, s, theirs.ID)
			return len(rows), err
		},
		"Audit": func(s hosting.Scope) (int, error) {
			rows, total, err := st.Audit(ctx, s, store.AuditFilter{Search: "theirs"})
			return count(rows, total, err)
		},
	}
	if diff := gocmp.Diff(methodsWith[hosting.Scope](), slices.Sorted(maps.Keys(reads))); diff != "" {
		t.Fatalf("methods that read and those tested here differ:\n%s", diff)
	}
	for name, read := range reads {
		for who, scope := range map[string]hosting.Scope{"nobody": {}, "another account": me.Scope(hosting.AccountRead), "narrowed to nothing": me.Scope(hosting.AccountRead).Only(theirs.ID)} {
			n, err := read(scope)
			if err != nil && hosting.KindOf(err) != hosting.NotFound || err == nil && n != 0 {
				t.Errorf("%s: %s sees %d, %v", name, who, n, err)
			}
		}
		if n, err := read(actorOf(t, st, "them@example.org").Scope(hosting.AccountRead)); err != nil || n == 0 {
			t.Errorf("%s: its own account sees %d, %v", name, n, err)
		}
		if n, err := read(everything); err != nil || n == 0 {
			t.Errorf("%s: an administrator sees %d, %v", name, n, err)
		}
	}
}

// acts are all methods that take an actor, each done once to something fresh.
func acts(t *testing.T, st *store.Store) map[string]func(hosting.Actor) error {
	ctx := t.Context()
	account := anAccount(t, st, "acts")
	bigPlan(t, st, account)
	spare := anAccount(t, st, "spare")
	site := func() hosting.Site {
		return aSite(t, st, account, "s"+strings.ToLower(secret.NewPassword())+".example.org")
	}
	database := func() hosting.Database {
		d, _, err := st.CreateDatabase(ctx, root, account.ID, hosting.DatabaseName("acts_"+secret.NewPassword()[:5]))
		ok(t, err)
		return d
	}
	login := func() hosting.FTPLogin {
		l, _, err := st.CreateFTPLogin(ctx, root, account.ID, hosting.FTPSpec{Login: hosting.FTPName(secret.NewPassword()[:5] + "@acts")})
		ok(t, err)
		return l
	}
	person := func() hosting.Person {
		return aPerson(t, st, secret.NewPassword()+"@example.org", hosting.NoRole, store.MembershipSpec{Account: account.ID, Role: hosting.Webmaster})
	}
	plan := hosting.PlanSpec{Name: "acts", Label: "Acts"}
	return map[string]func(hosting.Actor) error{
		"CreatePlan": func(a hosting.Actor) error { _, err := st.CreatePlan(ctx, a, plan); return err },
		"UpdatePlan": func(a hosting.Actor) error {
			_, err := st.UpdatePlan(ctx, a, "asso", hosting.PlanSpec{Name: "asso", Label: "x"})
			return err
		},
		"DeletePlan": func(a hosting.Actor) error {
			_, _ = st.CreatePlan(ctx, root, hosting.PlanSpec{Name: "going"})
			return st.DeletePlan(ctx, a, "going")
		},
		"CreateAccount": func(a hosting.Actor) error {
			_, err := st.CreateAccount(ctx, a, hosting.AccountSpec{Name: "fresh", Plan: "asso"})
			return err
		},
		"CreateAccountFor": func(a hosting.Actor) error {
			_, _, err := st.CreateAccountFor(ctx, a, hosting.AccountSpec{Name: "for", Plan: "asso"}, hosting.PersonSpec{Email: "p5@example.org"}, store.MembershipSpec{Role: hosting.Owner})
			return err
		},
		"UpdateAccount": func(a hosting.Actor) error {
			_, err := st.UpdateAccount(ctx, a, spare.ID, hosting.AccountSpec{Label: "y", Plan: "asso"})
			return err
		},
		"SuspendAccount": func(a hosting.Actor) error { return st.SuspendAccount(ctx, a, spare.ID) },
		"ResumeAccount": func(a hosting.Actor) error {
			_ = st.SuspendAccount(ctx, root, spare.ID)
			return st.ResumeAccount(ctx, a, spare.ID)
		},
		"RemoveAccount": func(a hosting.Actor) error {
			going := must(st.CreateAccount(ctx, root, hosting.AccountSpec{Name: hosting.AccountName("g-" + secret.NewPassword()[:5]), Plan: "asso"}))(t)
			return st.RemoveAccount(ctx, a, going.ID)
		},
		"CreateSite": func(a hosting.Actor) error {
			_, err := st.CreateSite(ctx, a, account.ID, spec(t, "one.example.org"))
			return err
		},
		"CreateSites": func(a hosting.Actor) error {
			_, err := st.CreateSites(ctx, a, account.ID, []hosting.SiteSpec{spec(t, "two.example.org")})
			return err
		},
		"UpdateSite": func(a hosting.Actor) error {
			s := site()
			_, err := st.UpdateSite(ctx, a, s.ID, spec(t, string(s.Host), "www."+string(s.Host)))
			return err
		},
		"SuspendSite": func(a hosting.Actor) error { _, err := st.SuspendSite(ctx, a, site().ID); return err },
		"ResumeSite": func(a hosting.Actor) error {
			s := site()
			must(st.SuspendSite(ctx, root, s.ID))(t)
			_, err := st.ResumeSite(ctx, a, s.ID)
			return err
		},
		"RemoveSite": func(a hosting.Actor) error { _, err := st.RemoveSite(ctx, a, site().ID); return err },
		"RetrySite":  func(a hosting.Actor) error { _, err := st.RetrySite(ctx, a, site().ID); return err },
		"CreateDatabase": func(a hosting.Actor) error {
			_, _, err := st.CreateDatabase(ctx, a, account.ID, "acts_new")
			return err
		},
		"ResetDatabasePassword": func(a hosting.Actor) error { _, _, err := st.ResetDatabasePassword(ctx, a, database().ID); return err },
		"RemoveDatabase":        func(a hosting.Actor) error { _, err := st.RemoveDatabase(ctx, a, database().ID); return err },
		"RetryDatabase":         func(a hosting.Actor) error { _, err := st.RetryDatabase(ctx, a, database().ID); return err },
		"CreateFTPLogin": func(a hosting.Actor) error {
			_, _, err := st.CreateFTPLogin(ctx, a, account.ID, hosting.FTPSpec{Login: "acts"})
			return err
		},
		"UpdateFTPLogin": func(a hosting.Actor) error {
			_, err := st.UpdateFTPLogin(ctx, a, login().ID, hosting.FTPSpec{ReadOnly: true})
			return err
		},
		"ResetFTPPassword": func(a hosting.Actor) error { _, _, err := st.ResetFTPPassword(ctx, a, login().ID); return err },
		"SetFTPEnabled":    func(a hosting.Actor) error { _, err := st.SetFTPEnabled(ctx, a, login().ID, false); return err },
		"RemoveFTPLogin":   func(a hosting.Actor) error { return st.RemoveFTPLogin(ctx, a, login().ID) },
		"CreatePerson": func(a hosting.Actor) error {
			_, _, err := st.CreatePerson(ctx, a, hosting.PersonSpec{Email: "p1@example.org"}, nil)
			return err
		},
		"CreatePersonWithPassword": func(a hosting.Actor) error {
			_, err := st.CreatePersonWithPassword(ctx, a, hosting.PersonSpec{Email: "p2@example.org"}, nil, password)
			return err
		},
		"AddMember": func(a hosting.Actor) error {
			_, _, err := st.AddMember(ctx, a, hosting.PersonSpec{Email: "p3@example.org"}, store.MembershipSpec{Account: account.ID, Role: hosting.Owner})
			return err
		},
		"Invite": func(a hosting.Actor) error { _, err := st.Invite(ctx, a, person().ID); return err },
		"UpdatePerson": func(a hosting.Actor) error {
			_, err := st.UpdatePerson(ctx, a, person().ID, hosting.PersonSpec{Email: "p4@example.org"})
			return err
		},
		"DisablePerson": func(a hosting.Actor) error { return st.DisablePerson(ctx, a, person().ID) },
		"EnablePerson": func(a hosting.Actor) error {
			p := person()
			ok(t, st.DisablePerson(ctx, root, p.ID))
			return st.EnablePerson(ctx, a, p.ID)
		},
		"SetMembership": func(a hosting.Actor) error {
			return st.SetMembership(ctx, a, person().ID, store.MembershipSpec{Account: account.ID, Role: hosting.Contractor})
		},
		"RemoveMembership": func(a hosting.Actor) error { return st.RemoveMembership(ctx, a, person().ID, account.ID) },
		"UpdateProfile":    func(a hosting.Actor) error { return st.UpdateProfile(ctx, a, "New name", hosting.Email(a.Name)) },
		"SetPreferences":   func(a hosting.Actor) error { return st.SetPreferences(ctx, a, "en", "light") },
		"EndDevice": func(a hosting.Actor) error {
			sess, _, err := st.SignIn(ctx, a.Name, "a brand new one", "192.0.2.1") // ChangePassword comes before it
			ok(t, err)
			return st.EndDevice(ctx, a, sess.ID)
		},
		"ChangePassword": func(a hosting.Actor) error {
			return st.ChangePassword(ctx, a, password, "a brand new one", store.Session{})
		},
	}
}

// notHere are methods with an actor that have tests of their own.
var notHere = []string{"InviteFirst", "Devices"}

func TestEveryWriteIsAudited(t *testing.T) {
	st := testenv.Store(t)
	aPerson(t, st, "second@example.org", hosting.Administrator)
	aPerson(t, st, "ada@example.org", hosting.Administrator)
	ada := actorOf(t, st, "ada@example.org")
	all := acts(t, st)
	methods := slices.DeleteFunc(methodsWith[hosting.Actor](), func(name string) bool { return slices.Contains(notHere, name) })
	if diff := gocmp.Diff(methods, slices.Sorted(maps.Keys(all))); diff != "" {
		t.Fatalf("methods that write and those tested here differ:\n%s", diff)
	}
	byAda := func() []hosting.AuditEntry {
		rows, _, err := st.Audit(t.Context(), everything, store.AuditFilter{Search: "ada@example.org", PerPage: 1000})
		ok(t, err)
		return slices.DeleteFunc(rows, func(e hosting.AuditEntry) bool { return e.Actor != "ada@example.org" })
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		before := len(byAda())
		if err := all[name](ada); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		rows := byAda()
		if len(rows) == before {
			t.Errorf("%s left no audit row", name)
			continue
		}
		if e := rows[0]; e.Source != "192.0.2.1" || e.Action == "" || e.Target == "" || e.At.IsZero() {
			t.Errorf("%s: %+v", name, e)
		}
	}
	var rows []hosting.AuditEntry
	ok(t, st.DB().Raw("SELECT * FROM audit_entries").Scan(&rows).Error)
	for _, e := range rows {
		for _, secret := range []string{"argon2id", "*", `Token":"0`, `Token":"a`} {
			if strings.Contains(e.Before+e.After, secret) {
				t.Errorf("%s %s holds a secret: %s %s", e.Action, e.Target, e.Before, e.After)
			}
		}
	}
}

func TestNobodyActsOnWhatIsOthers(t *testing.T) {
	st := testenv.Store(t)
	mine := anAccount(t, st, "mine")
	aPerson(t, st, "ada@example.org", hosting.Administrator)
	aPerson(t, st, "me@example.org", hosting.NoRole, store.MembershipSpec{Account: mine.ID, Role: hosting.Owner})
	me := actorOf(t, st, "me@example.org")
	oneself := []string{"UpdateProfile", "SetPreferences", "ChangePassword", "EndDevice"}
	for name, act := range acts(t, st) {
		if slices.Contains(oneself, name) {
			continue
		}
		err := act(hosting.Actor{})
		refused(t, err, hosting.Unauthenticated, "", "error.unauthenticated")
		err = act(me)
		if err == nil || hosting.KindOf(err) != hosting.NotFound && hosting.KindOf(err) != hosting.Forbidden {
			t.Errorf("%s by a stranger: %v", name, err)
		}
	}
}

func TestAuditJSON(t *testing.T) {
	for _, c := range []struct {
		v    any
		want string
	}{
		{nil, ""},
		{hosting.Person{Email: "a@example.org", PasswordHash: "x"}, `"PasswordHash":"•••"`},
		{hosting.Site{HomeToken: "x", SocketToken: "y", Host: "h"}, `"HomeToken":"•••"`},
		{map[string]any{"list": []any{map[string]any{"clear_password": "x"}}}, `{"list":[{"clear_password":"•••"}]}`},
	} {
		if got := store.AuditJSON(c.v); !strings.Contains(got, c.want) || strings.Contains(got, `"x"`) || strings.Contains(got, "Sync") {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}
