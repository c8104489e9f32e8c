package store_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/secret"
	"cancale/internal/store"
	"cancale/internal/testenv"
	"cancale/internal/traffic"

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
	inst := testenv.Install(t)
	st := inst.Open(t)
	theirs, mine := anAccount(t, st, "theirs"), anAccount(t, st, "mine")
	site := aSite(t, st, theirs, "theirs.example.org", "www.theirs.example.org")
	trashed := must(st.RemoveSite(t.Context(), root, aSite(t, st, theirs, "trashed.example.org").ID))(t)
	database, _, err := st.CreateDatabase(t.Context(), root, theirs.ID, "theirs_db")
	ok(t, err)
	dbuser, _, err := st.AddDatabaseUser(t.Context(), root, database.ID, "theirs_user", true)
	ok(t, err)
	dbwork, err := st.BeginDatabaseWork(t.Context(), root, database.ID, store.DatabaseWorkSpec{Kind: hosting.DatabaseWorkCheck})
	ok(t, err)
	task, err := st.CreateTask(t.Context(), root, site.ID, aTask)
	ok(t, err)
	login, _, err := st.CreateFTPLogin(t.Context(), root, theirs.ID, hosting.FTPSpec{Login: "theirs"})
	ok(t, err)
	must(st.AddFTPKey(t.Context(), root, login.ID, aKey(t), "laptop"))(t)
	must(st.CreatePlan(t.Context(), root, hosting.PlanSpec{Name: "other", Label: "Other", Sites: 5}))(t)
	must(st.CreatePlan(t.Context(), root, hosting.PlanSpec{Name: "small", Label: "Small"}))(t)
	must(st.UpdateAccount(t.Context(), root, theirs.ID, hosting.AccountSpec{Plan: "other"}))(t)
	ok(t, st.AddTransfers(t.Context(), []hosting.Transfer{{At: time.Now(), AccountID: theirs.ID, Who: "theirs", Path: "/"}}))
	ok(t, inst.OpenNode(t).AddTraffic(t.Context(), nil, map[store.SiteDay]traffic.Day{{Site: site.ID, Day: "2026-11-22"}: {Hits: 1, Names: traffic.Names{Top: map[string]int64{"/": 1}}}}))
	ok(t, inst.OpenNode(t).RanOutOfMemory(t.Context(), site.ID))
	them := aPerson(t, st, "them@example.org", hosting.NoRole, store.MembershipSpec{Account: theirs.ID, Role: hosting.Owner})
	aPerson(t, st, "me@example.org", hosting.NoRole, store.MembershipSpec{Account: mine.ID, Role: hosting.Owner})
	me := actorOf(t, st, "me@example.org")

	ctx := t.Context()
	_, _, err = st.AddMember(ctx, root, hosting.PersonSpec{Email: "invited@example.org"}, store.MembershipSpec{Account: theirs.ID, Role: hosting.Webmaster})
	ok(t, err)
	mails, _, err := st.Mails(ctx, everything, store.MailFilter{Search: "invited"})
	ok(t, err)
	invited := mails[0]
	request, err := st.CreateRequest(ctx, root, theirs.ID, hosting.RequestSpec{Subject: "More", Body: "More"})
	ok(t, err)
	answered, err := st.CreateRequest(ctx, root, theirs.ID, hosting.RequestSpec{Subject: "Answered", Body: "More"})
	ok(t, err)
	ok(t, st.AnswerRequest(ctx, root, answered.ID, "Yes", true))
	ok(t, err)
	aPerson(t, st, "boss@example.org", hosting.Administrator)
	boss := actorOf(t, st, "boss@example.org")
	note := must(st.AddAccountNote(ctx, boss, theirs.ID, "theirs"))(t)
	announced, _, err := st.CreateAnnouncement(ctx, boss, hosting.AnnouncementSpec{TitleFR: "x", TextFR: "y", Until: new(time.Now().Add(time.Hour))}, 0)
	ok(t, err)
	ofTheTeam := []string{"Announcement", "Announcements"}
	count := func(list any, total int, err error) (int, error) { return max(total, reflect.ValueOf(list).Len()), err }
	found := func(_ any, err error) (int, error) { return 1, err }
	reads := map[string]func(hosting.Scope) (int, error){
		"Accounts": func(s hosting.Scope) (int, error) {
			rows, total, err := st.Accounts(ctx, s, store.AccountFilter{Search: "theirs"})
			return count(rows, total, err)
		},
		"EachAccount": func(s hosting.Scope) (n int, err error) {
			return n, st.EachAccount(ctx, s, store.AccountFilter{Search: "theirs"}, func(store.AccountRow) error { n++; return nil })
		},
		"AccountNote": func(s hosting.Scope) (int, error) { return found(st.AccountNote(ctx, s, theirs.ID, note.ID)) },
		"AccountNotes": func(s hosting.Scope) (int, error) {
			rows, total, err := st.AccountNotes(ctx, s, theirs.ID, 1, 10)
			return count(rows, total, err)
		},
		"AccountPlanEffect": func(s hosting.Scope) (int, error) {
			over, err := st.AccountPlanEffect(ctx, s, theirs.ID, "small")
			return len(over), err
		},
		"PlanEffects": func(s hosting.Scope) (int, error) {
			over, err := st.PlanEffects(ctx, s, "other", hosting.PlanSpec{Name: "other", Label: "Other"})
			return len(over), err
		},
		"Announcement": func(s hosting.Scope) (int, error) { return found(st.Announcement(ctx, s, announced.ID)) },
		"Announcements": func(s hosting.Scope) (int, error) {
			rows, total, err := st.Announcements(ctx, s, 1, 10)
			return count(rows, total, err)
		},
		"Banners": func(s hosting.Scope) (int, error) {
			rows, err := st.Banners(ctx, s, theirs.ID, them.ID)
			return len(rows), err
		},
		"AccountsAmong": func(s hosting.Scope) (int, error) {
			rows, err := st.AccountsAmong(ctx, s, []hosting.AccountID{theirs.ID})
			return len(rows), err
		},
		"Account":       func(s hosting.Scope) (int, error) { return found(st.Account(ctx, s, theirs.ID)) },
		"AccountByName": func(s hosting.Scope) (int, error) { return found(st.AccountByName(ctx, s, "theirs")) },
		"Trash": func(s hosting.Scope) (int, error) {
			rows, total, err := st.Trash(ctx, s, store.TrashFilter{Account: theirs.ID})
			return count(rows, total, err)
		},
		"TrashItem": func(s hosting.Scope) (int, error) {
			return found(st.TrashItem(ctx, s, hosting.TrashSite, uint64(trashed.ID)))
		},
		"Usage": func(s hosting.Scope) (int, error) { return found(st.Usage(ctx, s, theirs.ID)) },
		"Space": func(s hosting.Scope) (int, error) { return found(st.Space(ctx, s, theirs.ID)) },
		"Spaces": func(s hosting.Scope) (int, error) {
			rows, err := st.Spaces(ctx, s, []hosting.AccountID{theirs.ID})
			return len(rows), err
		},
		"DatabaseUsers": func(s hosting.Scope) (int, error) {
			rows, err := st.DatabaseUsers(ctx, s, database.ID)
			return len(rows), err
		},
		"DatabaseUser": func(s hosting.Scope) (int, error) { return found(st.DatabaseUser(ctx, s, dbuser.ID)) },
		"DatabaseWorks": func(s hosting.Scope) (int, error) {
			rows, err := st.DatabaseWorks(ctx, s, database.ID)
			return len(rows), err
		},
		"DatabaseWork": func(s hosting.Scope) (int, error) { return found(st.DatabaseWork(ctx, s, dbwork.ID)) },
		"DatabaseSize": func(s hosting.Scope) (int, error) { return found(st.DatabaseSize(ctx, s, database.ID)) },
		"DiskUsage": func(s hosting.Scope) (int, error) {
			rows, err := st.DiskUsage(ctx, s, theirs.ID, 10)
			return len(rows), err
		},
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
		"Site":     func(s hosting.Scope) (int, error) { return found(st.Site(ctx, s, site.ID)) },
		"SiteHome": func(s hosting.Scope) (int, error) { return found(st.SiteHome(ctx, s, site.ID)) },
		"OutOfMemory": func(s hosting.Scope) (int, error) {
			at, err := st.OutOfMemory(ctx, s, site, time.Hour)
			return min(1, int(at.Unix()-time.Time{}.Unix())), err
		},
		"SitesOutOfMemory": func(s hosting.Scope) (int, error) {
			names, err := st.SitesOutOfMemory(ctx, s, time.Hour)
			return len(names), err
		},
		"SiteChoices": func(s hosting.Scope) (int, error) { return found(st.SiteChoices(ctx, s, site.ID)) },
		"Tasks": func(s hosting.Scope) (int, error) {
			rows, err := st.Tasks(ctx, s, site.ID)
			return len(rows), err
		},
		"Task":       func(s hosting.Scope) (int, error) { return found(st.Task(ctx, s, task.ID)) },
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
		"Transfers": func(s hosting.Scope) (int, error) {
			rows, total, err := st.Transfers(ctx, s, store.TransferFilter{})
			return count(rows, total, err)
		},
		"TransfersBefore": func(s hosting.Scope) (int, error) {
			rows, err := st.TransfersBefore(ctx, s, store.TransferFilter{}, hosting.Transfer{}, 10)
			return len(rows), err
		},
		"Traffic": func(s hosting.Scope) (int, error) {
			rows, err := st.Traffic(ctx, s, site.ID, "2026-11-01", "2026-11-30")
			return len(rows), err
		},
		"TrafficNames": func(s hosting.Scope) (int, error) {
			names, err := st.TrafficNames(ctx, s, site.ID, "2026-11-01", "2026-11-30")
			return len(names.Top), err
		},
		"AccountTraffic": func(s hosting.Scope) (int, error) {
			rows, err := st.AccountTraffic(ctx, s, theirs.ID, "2026-11-01", "2026-11-30")
			return len(rows), err
		},
		"SitesTraffic": func(s hosting.Scope) (int, error) {
			rows, err := st.SitesTraffic(ctx, s, []hosting.SiteID{site.ID}, "2026-11-01", "2026-11-30")
			return len(rows), err
		},
		"FTPLogin":       func(s hosting.Scope) (int, error) { return found(st.FTPLogin(ctx, s, login.ID)) },
		"FTPLoginByName": func(s hosting.Scope) (int, error) { return found(st.FTPLoginByName(ctx, s, "theirs")) },
		"FTPKeys": func(s hosting.Scope) (int, error) {
			rows, err := st.FTPKeys(ctx, s, login.ID)
			return len(rows), err
		},
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
		"Requests": func(s hosting.Scope) (int, error) {
			rows, total, err := st.Requests(ctx, s, store.RequestFilter{Account: theirs.ID})
			return count(rows, total, err)
		},
		"Request": func(s hosting.Scope) (int, error) { return found(st.Request(ctx, s, request.ID)) },
		"AuditActors": func(s hosting.Scope) (int, error) {
			rows, err := st.AuditActors(ctx, s, theirs.ID)
			return len(rows), err
		},
		"AuditBefore": func(s hosting.Scope) (int, error) {
			rows, err := st.AuditBefore(ctx, s, store.AuditFilter{Search: "theirs"}, 0, 10)
			return len(rows), err
		},
		"OpenRequests": func(s hosting.Scope) (int, error) { return st.OpenRequests(ctx, s) },
		"Answers":      func(s hosting.Scope) (int, error) { return st.Answers(ctx, s, theirs.ID) },
		"Overview": func(s hosting.Scope) (int, error) {
			o, err := st.Overview(ctx, s, theirs.ID)
			return len(o.Sites) + len(o.Databases), err
		},
		"Mails": func(s hosting.Scope) (int, error) {
			rows, total, err := st.Mails(ctx, s, store.MailFilter{Search: "invited"})
			return count(rows, total, err)
		},
		"Mail": func(s hosting.Scope) (int, error) { return found(st.Mail(ctx, s, invited.ID)) },
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
		n, err := read(actorOf(t, st, "them@example.org").Scope(hosting.AccountRead))
		if slices.Contains(ofTheTeam, name) {
			if n != 0 && err == nil {
				t.Errorf("%s: a member sees %d", name, n)
			}
		} else if err != nil || n == 0 {
			t.Errorf("%s: its own account sees %d, %v", name, n, err)
		}
		if n, err := read(everything); err != nil || n == 0 {
			t.Errorf("%s: an administrator sees %d, %v", name, n, err)
		}
	}
}

// acts are all methods that take an actor, each done once to something fresh.
// What only its author may go on with is ada's, an administrator.
func acts(t *testing.T, st *store.Store) map[string]func(hosting.Actor) error {
	ctx := t.Context()
	account := anAccount(t, st, "acts")
	bigPlan(t, st, account)
	spare := anAccount(t, st, "spare")
	site := func() hosting.Site {
		return aSite(t, st, account, "s"+strings.ToLower(secret.NewPassword())+".example.org")
	}
	task := func() hosting.TaskID { return must(st.CreateTask(ctx, root, site().ID, aTask))(t).ID }
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
	someday := time.Now().Add(24 * time.Hour)
	announcement := hosting.AnnouncementSpec{TitleFR: "x", TextFR: "y", Until: &someday}
	ada := actorOf(t, st, "ada@example.org")
	note := func() hosting.AccountNoteID { return must(st.AddAccountNote(ctx, ada, account.ID, "x"))(t).ID }
	announced := func() hosting.AnnouncementID {
		made, _, err := st.CreateAnnouncement(ctx, ada, announcement, 0)
		ok(t, err)
		return made.ID
	}
	drafted := func() hosting.BulkID {
		return must(st.DraftBulk(ctx, ada, store.BulkSpec{Act: hosting.BulkSuspend, Accounts: []hosting.AccountID{spare.ID}}))(t).ID
	}
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
		"UpdateSettings": func(a hosting.Actor) error {
			_, err := st.UpdateSettings(ctx, a, func(s *hosting.Settings) error { s.FTP.Sessions++; return nil })
			return err
		},
		"CreateAccount": func(a hosting.Actor) error {
			_, err := st.CreateAccount(ctx, a, hosting.AccountSpec{Name: "fresh", Plan: "asso"})
			return err
		},
		"CreateAccountFor": func(a hosting.Actor) error {
			_, _, err := st.CreateAccountFor(ctx, a, hosting.AccountSpec{Name: "for", Plan: "asso"}, hosting.PersonSpec{Email: "p5@example.org"}, store.MembershipSpec{Role: hosting.Owner})
			return err
		},
		"ImportAccounts": func(a hosting.Actor) error {
			_, _, err := st.ImportAccounts(ctx, a, []hosting.ImportRow{{Account: hosting.AccountSpec{Name: "listed", Label: "Listed"}}}, false)
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
		"RenewAccount": func(a hosting.Actor) error {
			ending := must(st.CreateAccount(ctx, root, hosting.AccountSpec{Name: hosting.AccountName("e-" + secret.NewPassword()[:5]), Plan: "asso", Expires: &someday}))(t)
			_, err := st.RenewAccount(ctx, a, ending.ID, *ending.Expires, false)
			return err
		},
		"AddAccountNote":     func(a hosting.Actor) error { _, err := st.AddAccountNote(ctx, a, account.ID, "x"); return err },
		"EditAccountNote":    func(a hosting.Actor) error { return st.EditAccountNote(ctx, a, account.ID, note(), "y") },
		"RemoveAccountNote":  func(a hosting.Actor) error { return st.RemoveAccountNote(ctx, a, account.ID, note()) },
		"CreateAnnouncement": func(a hosting.Actor) error { _, _, err := st.CreateAnnouncement(ctx, a, announcement, 0); return err },
		"UpdateAnnouncement": func(a hosting.Actor) error {
			changed := announcement
			changed.TextFR = "z"
			return st.UpdateAnnouncement(ctx, a, announced(), changed)
		},
		"EndAnnouncement":    func(a hosting.Actor) error { return st.EndAnnouncement(ctx, a, announced()) },
		"RemoveAnnouncement": func(a hosting.Actor) error { return st.RemoveAnnouncement(ctx, a, announced()) },
		"StartBulk":          func(a hosting.Actor) error { return st.StartBulk(ctx, a, drafted()) },
		"StopBulk": func(a hosting.Actor) error {
			id := drafted()
			ok(t, st.StartBulk(ctx, ada, id))
			return st.StopBulk(ctx, a, id)
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
		"CreateTask": func(a hosting.Actor) error { _, err := st.CreateTask(ctx, a, site().ID, aTask); return err },
		"EnableTask": func(a hosting.Actor) error {
			id := task()
			_ = st.DisableTask(ctx, root, id)
			return st.EnableTask(ctx, a, id)
		},
		"DisableTask": func(a hosting.Actor) error { return st.DisableTask(ctx, a, task()) },
		"RunTask":     func(a hosting.Actor) error { return st.RunTask(ctx, a, task()) },
		"DeleteTask":  func(a hosting.Actor) error { return st.DeleteTask(ctx, a, task()) },
		"ChangeSite": func(a hosting.Actor) error {
			_, err := st.ChangeSite(ctx, a, site().ID, hosting.ProtectFolder{Path: "/x"})
			return err
		},
		"AllowFolderUser": func(a hosting.Actor) error {
			s := site()
			must(st.ChangeSite(ctx, root, s.ID, hosting.ProtectFolder{Path: "/x"}))(t)
			_, err := st.AllowFolderUser(ctx, a, s.ID, "/x", "anne", "")
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
		"PurgeSite":  func(a hosting.Actor) error { _, err := st.PurgeSite(ctx, a, site().ID); return err },
		"RestoreSite": func(a hosting.Actor) error {
			s := must(st.RemoveSite(ctx, root, site().ID))(t)
			_, err := st.RestoreSite(ctx, a, s.ID, "")
			return err
		},
		"PurgeDatabase": func(a hosting.Actor) error { _, err := st.PurgeDatabase(ctx, a, database().ID); return err },
		"RestoreDatabase": func(a hosting.Actor) error {
			d := must(st.RemoveDatabase(ctx, root, database().ID))(t)
			_, err := st.RestoreDatabase(ctx, a, d.ID)
			return err
		},
		"PurgeFTPLogin": func(a hosting.Actor) error { return st.PurgeFTPLogin(ctx, a, login().ID) },
		"RestoreFTPLogin": func(a hosting.Actor) error {
			l := login()
			ok(t, st.RemoveFTPLogin(ctx, root, l.ID))
			_, err := st.RestoreFTPLogin(ctx, a, l.ID, "")
			return err
		},
		"PurgeAccount": func(a hosting.Actor) error {
			going := must(st.CreateAccount(ctx, root, hosting.AccountSpec{Name: hosting.AccountName("p-" + secret.NewPassword()[:5]), Plan: "asso"}))(t)
			return st.PurgeAccount(ctx, a, going.ID)
		},
		"RestoreAccount": func(a hosting.Actor) error {
			going := must(st.CreateAccount(ctx, root, hosting.AccountSpec{Name: hosting.AccountName("r-" + secret.NewPassword()[:5]), Plan: "asso"}))(t)
			ok(t, st.RemoveAccount(ctx, root, going.ID))
			_, err := st.RestoreAccount(ctx, a, going.ID)
			return err
		},
		"NoteBin":   func(a hosting.Actor) error { return st.NoteBin(ctx, a, site().ID, "bin.restore", "www/a") },
		"RetrySite": func(a hosting.Actor) error { _, err := st.RetrySite(ctx, a, site().ID); return err },
		"CreateDatabase": func(a hosting.Actor) error {
			_, _, err := st.CreateDatabase(ctx, a, account.ID, "acts_new")
			return err
		},
		"ResetDatabasePassword": func(a hosting.Actor) error { _, _, err := st.ResetDatabasePassword(ctx, a, database().ID); return err },
		"RemoveDatabase":        func(a hosting.Actor) error { _, err := st.RemoveDatabase(ctx, a, database().ID); return err },
		"AddDatabaseUser": func(a hosting.Actor) error {
			_, _, err := st.AddDatabaseUser(ctx, a, database().ID, hosting.DatabaseName("acts_"+secret.NewPassword()[:5]), false)
			return err
		},
		"ResetDatabaseUserPassword": func(a hosting.Actor) error {
			_, _, err := st.ResetDatabaseUserPassword(ctx, a, dbuser(t, st, database()).ID)
			return err
		},
		"RemoveDatabaseUser": func(a hosting.Actor) error {
			_, err := st.RemoveDatabaseUser(ctx, a, dbuser(t, st, database()).ID)
			return err
		},
		"BeginDatabaseWork": func(a hosting.Actor) error {
			_, err := st.BeginDatabaseWork(ctx, a, database().ID, store.DatabaseWorkSpec{Kind: hosting.DatabaseWorkImport, File: "x.sql"})
			return err
		},
		"BeginVisit": func(a hosting.Actor) error {
			token := secret.NewToken()
			_, err := st.BeginVisit(ctx, a, store.Session{ID: 1 << 40}, database().ID, token, token)
			return err
		},
		"RetryDatabase": func(a hosting.Actor) error { _, err := st.RetryDatabase(ctx, a, database().ID); return err },
		"CreateFTPLogin": func(a hosting.Actor) error {
			_, _, err := st.CreateFTPLogin(ctx, a, account.ID, hosting.FTPSpec{Login: "acts"})
			return err
		},
		"UpdateFTPLogin": func(a hosting.Actor) error {
			_, err := st.UpdateFTPLogin(ctx, a, login().ID, hosting.FTPSpec{FTPTerms: hosting.FTPTerms{Sessions: 3}})
			return err
		},
		"ResetFTPPassword": func(a hosting.Actor) error { _, _, err := st.ResetFTPPassword(ctx, a, login().ID); return err },
		"SetFTPEnabled":    func(a hosting.Actor) error { _, err := st.SetFTPEnabled(ctx, a, login().ID, false); return err },
		"LiftBan": func(a hosting.Actor) error {
			_, _, err := st.SignIn(ctx, "nobody@example.org", "wrong", "203.0.113.200")
			if hosting.KindOf(err) != hosting.Unauthenticated {
				return err
			}
			var id string
			ok(t, st.DB().Raw("SELECT LOWER(HEX(subject)) FROM throttles WHERE label = '203.0.113.200'").Scan(&id).Error)
			_, err = st.LiftBan(ctx, a, id)
			return err
		},
		"LiftBanOf": func(a hosting.Actor) error {
			_, _, err := st.SignIn(ctx, "nobody2@example.org", "wrong", "2001:db8:7::1")
			if hosting.KindOf(err) != hosting.Unauthenticated {
				return err
			}
			_, err = st.LiftBanOf(ctx, a, "2001:db8:7::ffff")
			return err
		},
		"NoteSessionEnd": func(a hosting.Actor) error {
			return st.NoteSessionEnd(ctx, a, hosting.LiveSession{AccountID: account.ID, Login: "acts"})
		},
		"NoteFiles": func(a hosting.Actor) error {
			return st.NoteFiles(ctx, a, site().ID, "files.edit", store.FileAct{Path: "www/a"})
		},
		"RemoveFTPLogin": func(a hosting.Actor) error { return st.RemoveFTPLogin(ctx, a, login().ID) },
		"AddFTPKey":      func(a hosting.Actor) error { _, err := st.AddFTPKey(ctx, a, login().ID, aKey(t), ""); return err },
		"RemoveFTPKey": func(a hosting.Actor) error {
			l := login()
			return st.RemoveFTPKey(ctx, a, l.ID, must(st.AddFTPKey(ctx, root, l.ID, aKey(t), ""))(t).ID)
		},
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
		"HandOver": func(a hosting.Actor) error {
			_, err := st.HandOver(ctx, a, account.ID, store.Handover{Sessions: true}, false)
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
		"UpdateProfile":    func(a hosting.Actor) error { return st.UpdateProfile(ctx, a, "New name", hosting.Email(a.Name), "") },
		"SetPreferences":   func(a hosting.Actor) error { return st.SetPreferences(ctx, a, "en", "light") },
		"EndDevice": func(a hosting.Actor) error {
			sess, _, err := st.SignIn(ctx, a.Name, "a brand new one", "192.0.2.1") // ChangePassword comes before it
			ok(t, err)
			return st.EndDevice(ctx, a, sess.ID)
		},
		"CreateRequest": func(a hosting.Actor) error {
			_, err := st.CreateRequest(ctx, a, account.ID, hosting.RequestSpec{Subject: "More", Body: "More"})
			return err
		},
		"AnswerRequest": func(a hosting.Actor) error {
			r := must(st.CreateRequest(ctx, root, account.ID, hosting.RequestSpec{Subject: "More", Body: "More"}))(t)
			return st.AnswerRequest(ctx, a, r.ID, "Yes", false)
		},
		"CloseRequest": func(a hosting.Actor) error {
			r := must(st.CreateRequest(ctx, root, account.ID, hosting.RequestSpec{Subject: "More", Body: "More"}))(t)
			return st.CloseRequest(ctx, a, r.ID, true)
		},
		"ResetFactor": func(a hosting.Actor) error {
			p := person()
			withFactor(t, st, string(p.Email))
			return st.ResetFactor(ctx, a, p.ID)
		},
		"ResendMail": func(a hosting.Actor) error {
			must(st.Invite(ctx, root, person().ID))(t)
			mails, _, err := st.Mails(ctx, everything, store.MailFilter{PerPage: 1})
			ok(t, err)
			return st.ResendMail(ctx, a, mails[0].ID)
		},
		"SetMailText": func(a hosting.Actor) error {
			return st.SetMailText(ctx, a, hosting.MailText{Kind: hosting.MailReset, Language: "fr", Subject: "x", Body: "{lien}"})
		},
		"ChangePassword": func(a hosting.Actor) error {
			return st.ChangePassword(ctx, a, password, "a brand new one", store.Session{})
		},
	}
}

// notHere are methods with an actor that have tests of their own: they need an
// authenticator, change nothing that anybody else sees, or nothing at all.
var notHere = []string{
	"InviteFirst", "Devices", "BeginFactor", "FactorKey", "ConfirmFactor", "RenewRecovery", "EndFactor",
	"Passkey", "BeginPasskey", "AddPasskey", "RenamePasskey", "RemovePasskey", "Bulk", "DraftBulk", "DismissBanner",
}

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
		for _, secret := range []string{"argon2id", `":"*`, `Token":"0`, `Token":"a`} {
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
