package views

import (
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/a-h/templ"

	"cancale/internal/hosting"
)

// sample is a page with everything it can show, or with nothing.
type sample struct {
	name string
	page templ.Component
	bare bool // a fragment, not a whole page
}

var (
	now     = time.Date(2026, 11, 22, 10, 32, 0, 0, time.UTC)
	session = "1f0c-ticket"
)

func at(d time.Duration) *time.Time { return new(now.Add(d)) }

// samples are all pages, in every state that they can have.
func samples() []sample {
	var (
		baie   = hosting.Account{ID: 12, Name: "souffle", Label: "Souffle en Baie", PlanID: 2, Expires: at(220 * 24 * time.Hour), Note: "Relancer Yann pour la cotisation.\nSite repris en 2021.", CreatedAt: now.AddDate(-5, 0, 0)}
		cafe   = hosting.Account{ID: 13, Name: "cafe", Label: "Le Café des Proches", PlanID: 1, CreatedAt: now.AddDate(-1, 0, 0), Suspended: true, Expires: at(-20 * 24 * time.Hour)}
		fil    = hosting.Account{ID: 14, Name: "fil-clair", Label: "Le Fil Clair", PlanID: 2, CreatedAt: now, Removing: true}
		maelle = hosting.Person{ID: 3, Email: "maelle@souffle-en-baie.example", Name: "Maëlle Kerdoncuff", PasswordHash: "x", Language: "fr", Theme: "auto", CreatedAt: now, LastSeenAt: at(-2 * time.Minute)}
		yann   = hosting.Person{ID: 4, Email: "yann.le-goff@souffle-en-baie.example", Name: "Yann Le Goff", PasswordHash: "x", Language: "fr", LastSeenAt: at(-26 * time.Hour)}
		ines   = hosting.Person{ID: 5, Email: "contact@agence-du-large.example", Language: "en"}
		theo   = hosting.Person{ID: 6, Email: "theo@cancale.example", Name: "Théo Bernard", PasswordHash: "x", Role: hosting.Administrator, Disabled: true, LastSeenAt: at(-90 * 24 * time.Hour)}

		decouverte = hosting.Plan{ID: 1, Name: "decouverte", Label: "Découverte", Sites: 1, Databases: 1, FTPLogins: 2, DiskMB: 2048}
		solidaire  = hosting.Plan{ID: 2, Name: "solidaire", Label: "Solidaire", Sites: 8, Databases: 5, FTPLogins: 10, DiskMB: 10240}
		grande     = hosting.Plan{ID: 3, Name: "grande", Label: "Grande", Sites: hosting.Unlimited, Databases: hosting.Unlimited, FTPLogins: 0, DiskMB: hosting.Unlimited}
		plans      = []hosting.Plan{decouverte, solidaire, grande}
		room       = Room{Plan: solidaire, Usage: hosting.Usage{Sites: 6, Databases: 5, FTPLogins: 3}}
		unlimited  = Room{Plan: grande, Usage: hosting.Usage{Sites: 1204}}
	)
	owner := hosting.PersonActor(maelle, []hosting.Membership{{PersonID: 3, AccountID: 12, Role: hosting.Owner}, {PersonID: 3, AccountID: 13, Role: hosting.Webmaster}}, "198.51.100.23", now)
	member := Page{CSRF: session, Person: maelle, Actor: owner, Account: &baie, Accounts: []AccountChoice{{12, "Souffle en Baie"}, {13, "Le Café des Proches"}}, Path: "/sites", Now: now}
	single := member
	single.Accounts = single.Accounts[:1]
	single.Restored = true
	single.Flash = []hosting.Message{hosting.Msg("site.created", "forum.souffle-en-baie.example")}
	boss := maelle
	boss.Role = hosting.Administrator
	admin := member
	admin.Person, admin.Actor = boss, hosting.PersonActor(boss, nil, "192.0.2.10", now)
	admin.Flash = []hosting.Message{hosting.Msg("account.updated", "Souffle en Baie")}
	stranger := Page{CSRF: session, Person: boss, Actor: admin.Actor, Path: "/", Now: now}
	guest := Public{CSRF: session, Path: "/signin"}

	site := func(id hosting.SiteID, host string, state hosting.State, change func(*hosting.Site)) hosting.Site {
		s := hosting.Site{
			ID: id, AccountID: 12, Host: hosting.Hostname(host), DocumentRoot: "www", PHP: "8.2", CreatedAt: now.AddDate(-2, 0, 0),
			Sync: hosting.Sync{Generation: 3, Observed: 3, State: state, ChangedAt: now.Add(-26 * time.Hour)},
		}
		if state == hosting.Pending || state == hosting.Applying || state == hosting.Removing {
			s.Sync.Observed = 2
		}
		if change != nil {
			change(&s)
		}
		return s
	}
	first := func(s *hosting.Site) { s.Sync.Generation, s.CreatedAt = 1, now }
	live := site(1, "souffle-en-baie.example", hosting.Live, func(s *hosting.Site) {
		s.Aliases = []hosting.Hostname{"www.souffle-en-baie.example", "xn--caf-dma.souffle-en-baie.example"}
	})
	fresh := site(2, "journee-mondiale.souffle-en-baie.example", hosting.Live, func(s *hosting.Site) {
		first(s)
		s.Sync.Observed, s.Sync.ChangedAt = 1, now.Add(-3*time.Second)
	})
	pending := site(3, "journee-mondiale.souffle-en-baie.example", hosting.Pending, func(s *hosting.Site) { first(s); s.Sync.Observed = 0 })
	applying := site(4, "forum.souffle-en-baie.example", hosting.Applying, nil)
	failed := site(5, "adherents.souffle-en-baie.example", hosting.Failed, func(s *hosting.Site) {
		first(s)
		s.Sync.Observed, s.Sync.Attempts, s.Sync.DueAt = 1, 4, now.Add(90*time.Second)
		s.Sync.Problem = hosting.Msg("site.failed_php", "8.2")
	})
	broken := site(6, "boutique.souffle-en-baie.example", hosting.Failed, func(s *hosting.Site) {
		s.Sync.Problem = hosting.Msg("site.apache_invalid", "document_root")
	})
	suspended := site(7, "ancien.souffle-en-baie.example", hosting.Suspended, func(s *hosting.Site) { s.Suspended = true })
	withAccount := site(8, "xn--t-bga.souffle-en-baie.example", hosting.Suspended, func(s *hosting.Site) { s.AccountSuspended = true })
	removing := site(9, "essai-2024.souffle-en-baie.example", hosting.Removing, func(s *hosting.Site) { s.Sync.Removing = true })
	updated := site(10, "souffle-en-baie.example", hosting.Live, func(s *hosting.Site) { s.Sync.ChangedAt = now.Add(-time.Second) })
	sites := []hosting.Site{live, applying, pending, failed, suspended, withAccount, removing}

	base := func(id hosting.DatabaseID, name string, state hosting.State) hosting.Database {
		d := hosting.Database{ID: id, AccountID: 12, Name: hosting.DatabaseName(name), CreatedAt: now.AddDate(0, -4, -3), Sync: hosting.Sync{Generation: 1, Observed: 1, State: state, Removing: state == hosting.Removing}}
		if state == hosting.Failed {
			d.Sync.Problem = hosting.Msg("database.failed_server")
		}
		return d
	}
	bases := []hosting.Database{base(1, "souffle_site", hosting.Live), base(2, "souffle_forum", hosting.Applying), base(3, "souffle_galette", hosting.Failed), base(4, "souffle_vieux", hosting.Removing)}
	ftp := func(id hosting.FTPLoginID, login string, site hosting.SiteID, host string) FTPRow {
		return FTPRow{FTPLogin: hosting.FTPLogin{ID: id, AccountID: 12, SiteID: site, Login: hosting.FTPName(login), LastUsedAt: at(-2 * time.Hour)}, Host: hosting.Hostname(host)}
	}
	webmaster := ftp(1, "webmestre@souffle", 0, "")
	agency := ftp(2, "agence-web@souffle", 1, "souffle-en-baie.example")
	agency.Path, agency.ReadOnly = "www/wp-content/themes", true
	off := ftp(3, "souffle", 7, "ancien.souffle-en-baie.example")
	off.Disabled, off.LastUsedAt = true, nil
	logins := []FTPRow{webmaster, agency, off}
	server := FTPServer{Host: "ftp.cancale.example", Port: 2121, TLS: true}
	people := []Member{{maelle, hosting.Owner, nil}, {yann, hosting.Webmaster, nil}, {ines, hosting.Contractor, at(40 * 24 * time.Hour)}, {theo, hosting.Webmaster, nil}}

	audit := []hosting.AuditEntry{
		{ID: 9, At: now.Add(-40 * time.Second), Actor: "maelle@souffle-en-baie.example", Source: "198.51.100.23", Action: "site.create", AccountID: 12, Target: "journee-mondiale.souffle-en-baie.example", After: `{"document_root":"www","host":"journee-mondiale.souffle-en-baie.example","php":"8.2"}`},
		{ID: 8, At: now.Add(-26 * time.Hour), Actor: "cli:root", Action: "ftp.password", AccountID: 12, Target: "agence-web@souffle", Before: `{}`, After: `{"password":"…"}`},
		{ID: 7, At: now.Add(-80 * time.Hour), Actor: "theo@cancale.example", Source: "2001:db8::a4", Action: "account.suspend", AccountID: 13, Target: "cafe"},
	}
	var rows []AuditRow
	for i, e := range audit {
		rows = append(rows, AuditRow{e, []string{"Souffle en Baie", "", "Le Café des Proches"}[i]})
	}
	list := func(path, query string, total, page int) List {
		q, _ := url.ParseQuery(query)
		return List{Path: path, Query: q, Total: total, Page: page, PerPage: 50}
	}
	accounts := []AccountRow{{baie, solidaire, room.Usage}, {cafe, decouverte, hosting.Usage{Sites: 1}}, {fil, grande, hosting.Usage{}}}
	adminSites := []AdminSite{{live, baie}, {failed, baie}, {withAccount, cafe}}
	services := []Service{{Name: "mariadb", State: "ready", PID: 4121, Since: now.Add(-40 * 24 * time.Hour), Detail: "10.11.6"}, {Name: "apache", State: "ready", PID: 4122, Since: now.Add(-3 * time.Hour), Detail: "2.4.62"}, {Name: "agent", State: "starting"}, {Name: "ftpd", State: "failed", Detail: "2.0"}, {Name: "panel", State: "stopped"}}
	siteParams := func(s hosting.Site) SiteParams {
		return SiteParams{Site: s, URL: "http://" + s.Host.String() + ":8080/", Now: now, Databases: bases, FTPLogins: []hosting.FTPLogin{agency.FTPLogin, off.FTPLogin}, CanWrite: true, CanRun: true, CanFTP: true, CanBases: true, CSRF: session}
	}
	bareSite := siteParams(fresh)
	bareSite.Databases, bareSite.FTPLogins = nil, nil
	reader := siteParams(broken)
	reader.CanWrite, reader.CanRun, reader.CanFTP, reader.CanBases = false, false, false, false
	polled := siteParams(live)
	polled.Seen = "applying"
	still := siteParams(applying)
	still.Seen = "applying"
	errs := func(pairs ...string) Errors {
		e := Errors{}
		for i := 0; i < len(pairs); i += 2 {
			e[pairs[i]] = hosting.Msg(pairs[i+1], "12")
		}
		return e
	}
	secret := "varech-9tulo-quai-k2mf"
	link := "https://panneau.cancale.example/invitation/" + strings.Repeat("4f", 20)

	return []sample{
		{name: "signin", page: SignInPage(guest, SignInForm{})},
		{name: "signin-refused", page: SignInPage(guest, SignInForm{Email: "maelle@souffle", Next: "/sites", Parked: "c2VhbGVk", Ended: true, Errors: errs("", "signin.wrong", "email", "email.invalid")})},
		{name: "signin-ended", page: SignInPage(guest, SignInForm{Ended: true, Next: "/"})},
		{name: "invitation-first", page: InvitationPage(guest, InvitationForm{Token: "abc", First: true, Errors: errs("email", "email.invalid", "password", "password.too_short")})},
		{name: "invitation", page: InvitationPage(guest, InvitationForm{Token: "abc", Account: "Souffle en Baie", Known: yann.Email})},
		{name: "invitation-alone", page: InvitationPage(guest, InvitationForm{Token: "abc", Known: yann.Email, Name: "Yann"})},
		{name: "invitation-reset", page: InvitationPage(guest, InvitationForm{Token: "abc", Reset: true, Known: yann.Email})},
		{name: "invitation-gone", page: InvitationGonePage(guest)},
		{name: "forgot", page: ForgotPage(guest)},
		{name: "error-not-found", page: ErrorPage(guest, ErrorParams{Kind: PageNotFound})},
		{name: "error-forbidden", page: ErrorPage(guest, ErrorParams{Kind: PageForbidden, Back: "/sites"})},
		{name: "error-internal", page: ErrorPage(guest, ErrorParams{Kind: PageInternal, RequestID: "c7-4f19", Back: "/sites"})},
		{name: "error-expired", page: ErrorPage(guest, ErrorParams{Kind: PageExpired, Back: "/sites/new"})},
		{name: "error-too-many", page: ErrorPage(guest, ErrorParams{Kind: PageTooMany, Wait: 40 * time.Second})},
		{name: "error-method", page: ErrorPage(guest, ErrorParams{Kind: PageMethod})},
		{name: "error-too-large", page: ErrorPage(guest, ErrorParams{Kind: PageTooLarge})},
		{name: "error-unavailable", page: ErrorPage(guest, ErrorParams{Kind: PageDown, Back: "/"})},

		{name: "home", page: HomePage(member, HomeParams{Room: room, Sites: []hosting.Site{failed, live, applying}, Changing: []hosting.Site{applying, pending, removing}, Recent: audit, Failed: 2, CanWrite: true, CanFTP: true, CanBases: true})},
		{name: "home-new", page: HomePage(single, HomeParams{Room: unlimited, CanWrite: true})},
		{name: "home-no-account", page: NoAccountPage(stranger)},

		{name: "sites", page: SitesPage(member, SitesParams{List: list("/sites", "sort=-state", 7, 1), Rows: sites, Room: room, CanWrite: true})},
		{name: "sites-none", page: SitesPage(single, SitesParams{List: list("/sites", "", 0, 1), Room: unlimited, CanWrite: true})},
		{name: "sites-no-match", page: SitesPage(member, SitesParams{List: list("/sites", "q=xyz&state=failed", 0, 1), Room: room})},
		{name: "site-new", page: SiteNewPage(member, SiteNewParams{Form: SiteForm{DocumentRoot: "www", PHP: "8.2"}, Room: room, Address: netip.MustParseAddr("192.0.2.44")})},
		{name: "site-new-refused", page: SiteNewPage(member, SiteNewParams{Form: SiteForm{Host: "asso..example", Aliases: "www.asso.example\n<b>", DocumentRoot: "../..", PHP: "8.2", Errors: errs("host", "host.double_dot", "aliases", "site.alias_twice", "document_root", "folder.invalid", "", "plan.full_sites")}, Room: Room{Plan: decouverte, Usage: hosting.Usage{Sites: 1}}})},
		{name: "site-pending", page: SitePage(member, siteParams(pending))},
		{name: "site-applying", page: SitePage(member, siteParams(applying))},
		{name: "site-created", page: SitePage(member, bareSite)},
		{name: "site-live", page: SitePage(member, siteParams(live))},
		{name: "site-updated", page: SitePage(member, siteParams(updated))},
		{name: "site-failed", page: SitePage(member, siteParams(failed))},
		{name: "site-failed-reader", page: SitePage(member, reader)},
		{name: "site-suspended", page: SitePage(member, siteParams(suspended))},
		{name: "site-account-suspended", page: SitePage(member, siteParams(withAccount))},
		{name: "site-removing", page: SitePage(member, siteParams(removing))},
		{name: "site-edit", page: SiteEditPage(member, SiteEditParams{Site: live, Form: SiteForm{Aliases: "www.souffle-en-baie.example", DocumentRoot: "www", PHP: "8.2", Errors: errs("php", "php.unknown_version")}})},
		{name: "site-delete", page: SiteDeletePage(member, SiteDeleteParams{Site: live, FTPLogins: []hosting.FTPLogin{agency.FTPLogin}, Form: ConfirmForm{Confirm: "souffle", Errors: errs("confirm", "confirm.differs")}})},
		{name: "part-host-free", bare: true, page: HostCheck(HostCheckParams{Host: "asso.example"})},
		{name: "part-host-idn", bare: true, page: HostCheck(HostCheckParams{Host: "xn--t-bga.example"})},
		{name: "part-host-taken", bare: true, page: HostCheck(HostCheckParams{Problem: hosting.Msg("host.taken", "asso.example")})},
		{name: "part-site-done", bare: true, page: SiteStatus(polled)},
		{name: "part-site-still", bare: true, page: SiteStatus(still)},

		{name: "databases", page: DatabasesPage(member, DatabasesParams{List: list("/databases", "", 4, 1), Rows: bases, Room: room, CanWrite: true})},
		{name: "databases-none", page: DatabasesPage(member, DatabasesParams{List: list("/databases", "", 0, 1), Room: unlimited, CanWrite: true})},
		{name: "database-new", page: DatabaseNewPage(member, DatabaseNewParams{Form: DatabaseForm{Name: "site é", Errors: errs("name", "database.name_invalid")}, Room: room})},
		{name: "database-created", page: DatabasePage(member, DatabaseParams{Database: base(9, "souffle_galette", hosting.Pending), Password: secret, Created: true, Host: "localhost", CanWrite: true, Now: now})},
		{name: "database", page: DatabasePage(member, DatabaseParams{Database: bases[0], Host: "localhost", CanWrite: true, Now: now})},
		{name: "database-reset", page: DatabasePage(member, DatabaseParams{Database: bases[0], Password: secret, Host: "localhost", CanWrite: true, Now: now})},
		{name: "database-failed", page: DatabasePage(member, DatabaseParams{Database: bases[2], Host: "localhost", CanWrite: true, Now: now})},
		{name: "database-removing", page: DatabasePage(member, DatabaseParams{Database: bases[3], Host: "localhost", Now: now})},
		{name: "database-delete", page: DatabaseDeletePage(member, DatabaseDeleteParams{Database: bases[0]})},
		{name: "part-database", bare: true, page: DatabaseStatus(DatabaseParams{Database: bases[1], Now: now, Seen: "pending"})},

		{name: "ftp", page: FTPListPage(member, FTPListParams{List: list("/ftp", "", 3, 1), Rows: logins, Room: room, Server: server, CanWrite: true})},
		{name: "ftp-none", page: FTPListPage(member, FTPListParams{List: list("/ftp", "", 0, 1), Room: room, Server: server, CanWrite: true})},
		{name: "ftp-new", page: FTPNewPage(member, FTPNewParams{Form: FTPForm{Site: "1"}, Sites: sites, Room: room})},
		{name: "ftp-new-refused", page: FTPNewPage(member, FTPNewParams{Form: FTPForm{Login: "é", Site: "99", Path: "/etc", ReadOnly: true, Errors: errs("login", "ftp.login_invalid", "site", "ftp.site_unknown", "path", "folder.invalid")}, Sites: sites, Room: Room{Plan: grande}})},
		{name: "ftp-created", page: FTPPage(member, FTPParams{Login: webmaster, Password: secret, Created: true, Server: server, CanWrite: true})},
		{name: "ftp-login", page: FTPPage(member, FTPParams{Login: agency, Server: FTPServer{Host: "localhost", Port: 2121}, CanWrite: true})},
		{name: "ftp-disabled", page: FTPPage(member, FTPParams{Login: off, Server: server, CanWrite: true})},
		{name: "ftp-edit", page: FTPEditPage(member, FTPEditParams{Login: agency, Form: FTPForm{Site: "1", Path: "www", ReadOnly: true}, Sites: sites})},
		{name: "ftp-delete", page: FTPDeletePage(member, FTPDeleteParams{Login: agency})},

		{name: "people", page: PeoplePage(member, PeopleParams{Rows: people, CanWrite: true})},
		{name: "people-invite", page: PeopleInvitePage(member, InviteForm{Role: "contractor", Errors: errs("until", "until.missing", "role", "role.unknown")})},
		{name: "people-invited", page: InvitationLinkPage(member, InvitationLinkParams{Person: ines, Account: &baie, URL: link, Expires: now.AddDate(0, 0, 7), Next: "/people"})},
		{name: "people-added", page: InvitationLinkPage(member, InvitationLinkParams{Person: yann, Account: &baie, Next: "/people"})},
		{name: "people-remove", page: PersonRemovePage(member, PersonRemoveParams{Member: people[1]})},
		{name: "profile", page: ProfilePage(member, ProfileParams{Form: ProfileForm{Name: maelle.Name, Email: string(maelle.Email)}, Sessions: []SessionRow{
			{ID: "a", Agent: "Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0", Source: "198.51.100.23", LastSeen: now, Current: true},
			{ID: "b", Agent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", Source: "2001:db8::a4", LastSeen: now.Add(-13 * time.Hour)},
			{ID: "c", Agent: "", Source: "192.0.2.1", LastSeen: now.AddDate(0, -1, 0)},
		}})},
		{name: "profile-refused", page: ProfilePage(admin, ProfileParams{Form: ProfileForm{Email: "maelle", Errors: errs("email", "email.invalid")}, Password: PasswordForm{Errors: errs("old", "password.wrong", "password", "password.too_short")}, Sessions: []SessionRow{{ID: "a", LastSeen: now, Current: true}}})},

		{name: "admin", page: AdminHomePage(admin, AdminHomeParams{Accounts: 38, SuspendedAccounts: 2, Persons: 71, Sites: map[hosting.State]int{hosting.Live: 1204, hosting.Failed: 1, hosting.Suspended: 6}, Databases: 131, FTPLogins: 88, Failed: adminSites[1:2], Changing: []AdminSite{{applying, baie}}, Expiring: []AccountRow{{cafe, decouverte, room.Usage}}, Services: services, Recent: rows, CanCreate: true, CanAudit: true})},
		{name: "admin-calm", page: AdminHomePage(stranger, AdminHomeParams{Services: services[:2], CanAudit: true})},
		{name: "admin-accounts", page: AdminAccountsPage(admin, AdminAccountsParams{List: list("/admin/accounts", "sort=label&plan=solidaire", 412, 4), Rows: accounts, Plans: plans, CanCreate: true})},
		{name: "admin-accounts-none", page: AdminAccountsPage(stranger, AdminAccountsParams{List: list("/admin/accounts", "", 0, 1), CanCreate: true})},
		{name: "admin-account-new", page: AdminAccountNewPage(admin, AccountNewParams{Form: AccountForm{Plan: "solidaire", Label: "Le Fil Clair", Name: "fil clair", Errors: errs("name", "account.name_invalid", "email", "email.invalid")}, Plans: plans})},
		{name: "admin-account-new-no-plan", page: AdminAccountNewPage(admin, AccountNewParams{})},
		{name: "admin-account-created", page: InvitationLinkPage(admin, InvitationLinkParams{Person: ines, Account: &fil, URL: link, Expires: now.AddDate(0, 0, 7), Next: "/admin/accounts/14", Admin: true})},
		{name: "admin-account", page: AdminAccountPage(admin, AdminAccountParams{Account: baie, Room: room, People: people, Sites: sites, Databases: bases, FTPLogins: logins, Recent: audit, CanWrite: true, CanSuspend: true, CanPersons: true})},
		{name: "admin-account-suspended", page: AdminAccountPage(admin, AdminAccountParams{Account: cafe, Room: unlimited, CanSuspend: true})},
		{name: "admin-account-removing", page: AdminAccountPage(admin, AdminAccountParams{Account: fil, Room: room, CanWrite: true, CanSuspend: true})},
		{name: "admin-account-edit", page: AdminAccountEditPage(admin, AccountEditParams{Account: baie, Form: AccountForm{Label: "Souffle en Baie", Plan: "grande", Expires: "2027-06-30", Note: baie.Note}, Plans: plans})},
		{name: "admin-account-delete", page: AdminAccountDeletePage(admin, AccountDeleteParams{Account: baie, Sites: []hosting.Hostname{"souffle-en-baie.example", "xn--t-bga.example"}, Databases: []hosting.DatabaseName{"souffle_site"}, FTPLogins: []hosting.FTPName{"webmestre@souffle"}, People: people, Form: ConfirmForm{Confirm: "x", Errors: errs("confirm", "confirm.differs")}})},
		{name: "admin-account-delete-empty", page: AdminAccountDeletePage(admin, AccountDeleteParams{Account: fil})},
		{name: "admin-plans", page: AdminPlansPage(admin, AdminPlansParams{Rows: []PlanRow{{decouverte, 9}, {solidaire, 25}, {grande, 0}}, CanWrite: true})},
		{name: "admin-plans-none", page: AdminPlansPage(admin, AdminPlansParams{CanWrite: true})},
		{name: "admin-plan-new", page: AdminPlanPage(admin, PlanParams{Form: PlanForm{Sites: "-4", Errors: errs("sites", "plan.limit_invalid", "name", "plan.name_invalid")}})},
		{name: "admin-plan", page: AdminPlanPage(admin, PlanParams{Plan: &solidaire, Form: PlanForm{Label: "Solidaire", Sites: "8", DiskMB: "10240"}, Accounts: 25})},
		{name: "admin-plan-unused", page: AdminPlanPage(admin, PlanParams{Plan: &grande, Form: PlanForm{Label: "Grande"}})},
		{name: "admin-persons", page: AdminPersonsPage(admin, AdminPersonsParams{List: list("/admin/persons", "", 4, 1), Rows: []PersonRow{{maelle, []string{"Souffle en Baie", "Le Café des Proches"}}, {ines, nil}, {theo, nil}}})},
		{name: "admin-person-new", page: AdminPersonNewPage(admin, PersonForm{Account: "fil-clair", As: "webmaster", Language: "fr"})},
		{name: "admin-person", page: AdminPersonPage(admin, AdminPersonParams{Person: yann, Memberships: []PersonMembership{{hosting.Membership{PersonID: 4, AccountID: 12, Role: hosting.Webmaster}, baie}, {hosting.Membership{PersonID: 4, AccountID: 13, Role: hosting.Contractor, Until: at(time.Hour)}, cafe}}, Form: PersonForm{Name: yann.Name, Email: string(yann.Email), Language: "fr"}})},
		{name: "admin-person-invited", page: AdminPersonPage(admin, AdminPersonParams{Person: ines, Form: PersonForm{Email: "x", Errors: errs("email", "email.invalid")}, Self: true})},
		{name: "admin-person-disabled", page: AdminPersonPage(admin, AdminPersonParams{Person: theo, Form: PersonForm{Role: "administrator"}})},
		{name: "admin-person-link", page: InvitationLinkPage(admin, InvitationLinkParams{Person: yann, URL: link, Expires: now.AddDate(0, 0, 1), Reset: true, Next: "/admin/persons/4", Admin: true})},
		{name: "admin-sites", page: AdminSitesPage(admin, AdminSitesParams{List: list("/admin/sites", "", 10204, 100), Rows: adminSites})},
		{name: "admin-sites-no-match", page: AdminSitesPage(admin, AdminSitesParams{List: list("/admin/sites", "q=zz", 0, 1)})},
		{name: "admin-audit", page: AdminAuditPage(admin, AuditParams{List: list("/admin/audit", "since=2026-11-15", 214, 1), Rows: rows})},
		{name: "admin-audit-refused", page: AdminAuditPage(admin, AuditParams{List: list("/admin/audit", "since=x&account=zz", 0, 1), Errors: errs("since", "date.invalid", "account", "account.unknown")})},
		{name: "admin-audit-none", page: AdminAuditPage(admin, AuditParams{List: list("/admin/audit", "", 0, 1)})},
		{name: "admin-platform", page: AdminPlatformPage(admin, PlatformParams{Services: services, Ports: []Port{{"panel", 8443}, {"http", 8080}, {"https", 8444}, {"ftp", 2121}}, Versions: []Version{{"Cancale", "0.1"}, {"Apache", "2.4.62"}, {"MariaDB", "10.11.6"}, {"PHP", "8.2"}}, Sites: map[hosting.State]int{hosting.Live: 97, hosting.Failed: 1, hosting.Applying: 2, hosting.Suspended: 6}, DataDir: "/srv/data", StartedAt: now.Add(-212 * 24 * time.Hour), Machine: "chausey"})},
		{name: "admin-platform-down", page: AdminPlatformPage(admin, PlatformParams{Machine: "chausey"})},
	}
}
