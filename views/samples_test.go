package views

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"

	"cancale/internal/config"
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
		notes      = []hosting.AccountNote{
			{ID: 9, AccountID: 12, PersonID: 3, Author: "Maëlle Kerdoncuff", Text: "Yann passe mardi pour la cotisation.\nLui montrer les nouvelles statistiques.", CreatedAt: now.Add(-3 * time.Hour), EditedAt: at(-time.Hour)},
			{ID: 8, AccountID: 12, PersonID: 6, Author: "theo@cancale.example", Text: "<b>Rappelée</b>", CreatedAt: now.AddDate(0, -2, 0)},
			{ID: 7, AccountID: 12, Author: "cli:root", Text: strings.Repeat("anticonstitutionnellement", 9), CreatedAt: now.AddDate(-1, 0, 0)},
		}
		effects = []hosting.PlanEffect{
			{Account: baie, Excesses: []hosting.Excess{{Limit: "disk_mb", Used: 4 << 30, Most: 2 << 30}, {Limit: "database_mb", Used: 600 << 20, Most: 512 << 20}, {Limit: "sites", Used: 6, Most: 1}, {Limit: "databases", Used: 3, Most: 1}, {Limit: "ftp_logins", Used: 3, Most: 2}}},
			{Account: cafe, Excesses: []hosting.Excess{{Limit: "sites", Used: 2, Most: 1}}},
		}
		room      = Room{Plan: solidaire, Usage: hosting.Usage{Sites: 6, Databases: 5, FTPLogins: 3}, Space: hosting.Space{Used: 9_800 << 20, Bin: 300 << 20, Limit: 10_240 << 20}}
		unlimited = Room{Plan: grande, Usage: hosting.Usage{Sites: 1204}, Space: hosting.Space{Used: 80 << 30, Limit: hosting.Unlimited}}
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
	quiet := admin
	admin.Flash = []hosting.Message{hosting.Msg("account.updated", "Souffle en Baie")}
	announced := hosting.Announcement{ID: 1, TitleFR: "Coupure mardi soir", TextFR: "Les sites s’arrêtent de 22 h à 23 h,\nle temps de changer un disque.", TitleEN: "Outage on Tuesday", TextEN: "Sites stop from 10 to 11 p.m.", Everyone: true, Mailed: true, Until: new(now.AddDate(0, 0, 9)), Author: "Maëlle Kerdoncuff", CreatedAt: now.Add(-3 * time.Hour)}
	past := hosting.Announcement{ID: 2, TitleFR: "Nouvelle version de PHP", TextFR: "Essayez vos sites.", Until: new(now.AddDate(0, -2, 0)), Author: "Yann", CreatedAt: now.AddDate(0, -3, 0)}
	told := member
	told.Banners = []hosting.Announcement{announced, {ID: 4, TitleFR: "<b>Réunion</b>", TextFR: strings.Repeat("longtemps ", 40)}}
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
	removed := []hosting.TrashItem{
		{Kind: hosting.TrashSite, ID: 21, Name: "xn--t-bga.example", AccountID: 12, AccountName: "souffle", AccountLabel: "Souffle en Baie", RemovedAt: now.Add(-3 * time.Hour), RemovedBy: "maelle@souffle-en-baie.example", ByMember: true, KeptUntil: now.AddDate(0, 0, 7), Bytes: 341 << 20, FTPLogins: 2},
		{Kind: hosting.TrashDatabase, ID: 7, Name: "souffle_ancien_blog", AccountID: 12, AccountName: "souffle", AccountLabel: "Souffle en Baie", RemovedAt: now.Add(-50 * time.Hour), RemovedBy: "theo@cancale.example", KeptUntil: now.AddDate(0, 0, 5), Bytes: 12 << 20},
		{Kind: hosting.TrashFTP, ID: 5, Name: "stagiaire@souffle", AccountID: 12, AccountName: "souffle", AccountLabel: "Souffle en Baie", RemovedAt: now.Add(-60 * time.Hour), RemovedBy: "cli:root", KeptUntil: now.AddDate(0, 0, 5)},
		{Kind: hosting.TrashAccount, ID: 15, Name: "fanfare", AccountID: 15, AccountName: "fanfare", AccountLabel: "La Fanfare du Port", RemovedAt: now.Add(-6 * 24 * time.Hour), RemovedBy: "theo@cancale.example", KeptUntil: now.AddDate(0, 0, 1), Bytes: 2 << 30, Sites: 3, Databases: 1, FTPLogins: 4},
	}
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
	chosen := site(11, "souffle-en-baie.example", hosting.Live, func(s *hosting.Site) {
		s.Aliases = []hosting.Hostname{"www.souffle-en-baie.example", "souffle.example"}
		s.Behaviour = hosting.Behaviour{
			PHP: hosting.PHPSettings{MemoryMB: 192, UploadMB: 100, ShowErrors: true, TimeZone: "America/Guadeloupe"}, Canonical: hosting.CanonicalBare,
			Redirects: []hosting.Redirect{{From: "/a", To: "/b", Status: 301}}, Listing: true,
			Protected:   []hosting.ProtectedFolder{{Path: "/comite", Users: []hosting.FolderUser{{Name: "comite"}, {Name: "tresorerie.2026@souffle-en-baie"}}}, {Path: "/"}},
			Maintenance: hosting.Maintenance{On: true, VisitSecret: hosting.Token(strings.Repeat("4f", 16))},
		}
	})
	choices := hosting.Choices{PHP: hosting.DefaultPHPLimits, Served: []hosting.PHPVersion{"8.4", "8.2"}}
	sites := []hosting.Site{live, applying, pending, failed, suspended, withAccount, removing}

	base := func(id hosting.DatabaseID, name string, state hosting.State) hosting.Database {
		d := hosting.Database{ID: id, AccountID: 12, Name: hosting.DatabaseName(name), CreatedAt: now.AddDate(0, -4, -3), Sync: hosting.Sync{Generation: 1, Observed: 1, State: state, Removing: state == hosting.Removing}}
		if state == hosting.Failed {
			d.Sync.Problem = hosting.Msg("database.failed_server")
		}
		return d
	}
	works := []hosting.DatabaseWork{
		{ID: 5, Kind: hosting.DatabaseWorkImport, State: hosting.DatabaseWorkRunning, File: "sauvegarde-du-forum.sql.gz", Size: 48 << 20, Done: 17 << 20, Actor: "lea@souffle.example", CreatedAt: now.Add(-time.Minute), SeenAt: now, EmptyFirst: true},
		{ID: 4, Kind: hosting.DatabaseWorkImport, State: hosting.DatabaseWorkFailed, File: "forum.sql", Size: 2 << 20, Done: 1 << 20, Actor: "lea@souffle.example", CreatedAt: now.Add(-time.Hour), EndedAt: at(-time.Hour), Result: hosting.Msg("dbwork.import_syntax", "1204", "You have an error in your SQL syntax near 'INSRT INTO `posts`'")},
		{ID: 3, Kind: hosting.DatabaseWorkCheck, State: hosting.DatabaseWorkDone, Size: 2, Actor: "lea@souffle.example", CreatedAt: now.Add(-2 * time.Hour), EndedAt: at(-2 * time.Hour), Result: hosting.Msg("dbwork.check_bad", "1", "2"), Report: `[{"table":"posts","engine":"InnoDB","ok":true},{"table":"vieux","engine":"MyISAM","ok":false,"text":"Table upgrade required"}]`},
		{ID: 2, Kind: hosting.DatabaseWorkExport, State: hosting.DatabaseWorkDone, File: "souffle_site-2026-03-02-1015.sql.gz", Size: 12 << 20, Done: 12 << 20, Actor: "lea@souffle.example", CreatedAt: now.Add(-24 * time.Hour), EndedAt: at(-24 * time.Hour), Result: hosting.Msg("dbwork.export_done")},
	}
	baseRows := func(bases ...hosting.Database) (rows []DatabaseRow) {
		for i, b := range bases {
			rows = append(rows, DatabaseRow{b, hosting.DatabaseSize{Bytes: int64(i) * 173 << 20, Limit: 512 << 20, Stopped: i == 3, MeasuredAt: at(-time.Minute)}})
		}
		return rows
	}
	bases := []hosting.Database{base(1, "souffle_site", hosting.Live), base(2, "souffle_forum", hosting.Applying), base(3, "souffle_galette", hosting.Failed), base(4, "souffle_vieux", hosting.Removing)}
	ftp := func(id hosting.FTPLoginID, login string, site hosting.SiteID, host string) FTPRow {
		return FTPRow{FTPLogin: hosting.FTPLogin{ID: id, AccountID: 12, SiteID: site, Login: hosting.FTPName(login), LastUsedAt: at(-2 * time.Hour)}, Host: hosting.Hostname(host)}
	}
	webmaster := ftp(1, "webmestre@souffle", 0, "")
	agency := ftp(2, "agence-web@souffle", 1, "souffle-en-baie.example")
	agency.Path, agency.FTPTerms = "www/wp-content/themes", hosting.FTPTerms{Rights: hosting.FTPUploadOnly, RequireTLS: true, SpeedKB: 2048, Sessions: 4}
	webmaster.Rights = hosting.FTPReadWrite
	off := ftp(3, "souffle", 7, "ancien.souffle-en-baie.example")
	off.Disabled, off.LastUsedAt, off.Rights = true, nil, hosting.FTPReadOnly
	logins := []FTPRow{webmaster, agency, off}
	server := FTPServer{Host: "ftp.cancale.example", Port: 2121, TLS: true}
	sftp := SFTP{Host: server.Host, Port: 2222, Fingerprints: []Fingerprint{
		{Kind: "ssh-ed25519", Text: "SHA256:WnYAmZ8zyAcW+LGcP8GqfV78SzkDCfTm63CHwzSmi1w"}, {Kind: "ecdsa-sha2-nistp256", Text: "SHA256:2mEjOHFXMXG6h2rfWFvO2WJ9yr4w9+Rb7bZkGbWqBLk"},
	}}
	withKeys, used := sftp, at(-3*time.Hour)
	withKeys.Keys = []hosting.FTPKey{
		{ID: 2, Label: "portable de Léa <b>Le Goff</b>", Kind: "ssh-ed25519", Fingerprint: "SHA256:ovTNx3ZcWzYGgvVhFuxKZKK2Xrsn9+n4Jj8dYz0Fcv8", LastUsedAt: used},
		{ID: 1, Kind: "ssh-rsa", Fingerprint: "SHA256:eY2wVQ6o8S1fWkF0R4hQ9q0w3cGk5n2mX0y1l7b8c9d"},
	}
	people := []Member{{maelle, hosting.Owner, nil}, {yann, hosting.Webmaster, nil}, {ines, hosting.Contractor, at(40 * 24 * time.Hour)}, {theo, hosting.Webmaster, nil}}

	handed := HandedOverParams{
		Account: baie, Left: []hosting.Email{yann.Email, ines.Email}, Sessions: true,
		Invited: []HandedInvitation{{Person: ines, Role: hosting.Owner, URL: "https://panneau.cancale.example/invitation/4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f", Expires: now.AddDate(0, 0, 7)}, {Person: maelle, Role: hosting.Webmaster, Until: at(300 * 24 * time.Hour)}},
		FTP:     []NewPassword{{"webmestre@souffle", "marée-haute-7-coquillages"}, {"agence-web@souffle", "rocher-du-large-12"}}, Databases: []NewPassword{{"souffle_site", "vent-d-ouest-3"}},
	}
	inPlace := member
	inPlace.Behalf = &baie
	answers := []hosting.Request{{ID: 4, AccountID: 12, Subject: "Plus d’espace disque", About: "space", State: hosting.RequestAnswered, ChangedAt: now.Add(-3 * time.Hour)}}
	work := workSample(baie, cafe)

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
		return SiteParams{Site: s, URL: "http://" + s.Host.String() + ":8080/", Now: now, Databases: bases, FTPLogins: []hosting.FTPLogin{agency.FTPLogin, off.FTPLogin}, CanWrite: true, CanRun: true, CanFTP: true, CanBases: true, CanLogs: true, Space: hosting.Space{Used: 3 << 30, Limit: 10 << 30}, Days: monthOfVisits(1), CSRF: session}
	}
	bareSite := siteParams(fresh)
	bareSite.Databases, bareSite.FTPLogins, bareSite.Days = nil, nil, nil
	starvedSite := siteParams(live)
	starvedSite.OutOfMemory = now.Add(-20 * time.Minute)
	calmSite := siteParams(live)
	calmSite.Databases, calmSite.FTPLogins = bases[:1], []hosting.FTPLogin{webmaster.FTPLogin, agency.FTPLogin}
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

	forum := site(12, "forum.souffle-en-baie.example", hosting.Live, nil)
	calm := HomeParams{
		Room: Room{Plan: solidaire, Usage: hosting.Usage{Sites: 3, Databases: 2, FTPLogins: 3}, Space: hosting.Space{Used: 4_300 << 20, Limit: 10_240 << 20}}, Sites: []hosting.Site{live, forum, fresh}, Recent: audit[:2],
		Has: hosting.Overview{Sites: map[hosting.State]int{hosting.Live: 3}, Databases: map[hosting.State]int{hosting.Live: 2}}, Now: now, CanWrite: true, CanFTP: true, CanBases: true,
		Traffic: monthOfVisits(1), Visits: map[hosting.SiteID][]hosting.TrafficDay{live.ID: monthOfVisits(1), forum.ID: monthOfVisits(0.4)},
	}
	calm.Month, calm.LastMonth = StatsParams{Days: calm.Traffic[8:]}.total(), StatsParams{Days: monthOfVisits(0.7)}.total()

	return slices.Concat(fileSamples(member, live, sites, room.Space, errs, list), journalSamples(member), sessionSamples(member, admin), banSamples(admin), mailSamples(member, admin), visitSamples(member, admin, live, PlatformParams{Machine: "chausey"}), []sample{
		{name: "signin", page: SignInPage(guest, SignInForm{Passkeys: true})},
		{name: "signin-refused", page: SignInPage(guest, SignInForm{Email: "maelle@souffle", Next: "/sites", Parked: "c2VhbGVk", Ended: true, Passkeys: true, Errors: errs("", "signin.wrong", "email", "email.invalid")})},
		{name: "signin-ended", page: SignInPage(guest, SignInForm{Ended: true, Next: "/"})},
		{name: "invitation-first", page: InvitationPage(guest, InvitationForm{Token: "abc", First: true, Errors: errs("email", "email.invalid", "password", "password.too_short")})},
		{name: "invitation", page: InvitationPage(guest, InvitationForm{Token: "abc", Account: "Souffle en Baie", Known: yann.Email})},
		{name: "invitation-alone", page: InvitationPage(guest, InvitationForm{Token: "abc", Known: yann.Email, Name: "Yann"})},
		{name: "invitation-reset", page: InvitationPage(guest, InvitationForm{Token: "abc", Reset: true, Known: yann.Email})},
		{name: "invitation-gone", page: InvitationGonePage(guest)},
		{name: "forgot", page: ForgotPage(guest, ForgotForm{})},
		{name: "forgot-refused", page: ForgotPage(guest, ForgotForm{Email: "x", Errors: errs("email", "email.invalid")})},
		{name: "forgot-sent", page: ForgotPage(guest, ForgotForm{Email: "maelle@souffle-en-baie.example", Sent: true})},
		{name: "error-not-found", page: ErrorPage(guest, ErrorParams{Kind: PageNotFound})},
		{name: "error-forbidden", page: ErrorPage(guest, ErrorParams{Kind: PageForbidden, Back: "/sites"})},
		{name: "error-internal", page: ErrorPage(guest, ErrorParams{Kind: PageInternal, RequestID: "c7-4f19", Back: "/sites"})},
		{name: "error-expired", page: ErrorPage(guest, ErrorParams{Kind: PageExpired, Back: "/sites/new"})},
		{name: "error-too-many", page: ErrorPage(guest, ErrorParams{Kind: PageTooMany, Wait: 40 * time.Second})},
		{name: "error-method", page: ErrorPage(guest, ErrorParams{Kind: PageMethod})},
		{name: "error-too-large", page: ErrorPage(guest, ErrorParams{Kind: PageTooLarge})},
		{name: "error-unavailable", page: ErrorPage(guest, ErrorParams{Kind: PageDown, Back: "/"})},

		{name: "home", page: HomePage(member, HomeParams{Room: room, Sites: []hosting.Site{failed, live, applying}, Changing: []hosting.Site{applying, pending, removing}, Recent: audit, Failed: 2, Has: hosting.Overview{Sites: map[hosting.State]int{hosting.Live: 3, hosting.Failed: 2, hosting.Suspended: 1}, Databases: map[hosting.State]int{hosting.Live: 4, hosting.Failed: 1}, Tasks: 2}, Answers: answers, CanWrite: true, CanFTP: true, CanBases: true, Now: now})},
		{name: "home-announced", page: HomePage(told, calm)},
		{name: "home-calm", page: HomePage(member, calm)},
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
		{name: "site-starved", page: SitePage(member, starvedSite)},
		{name: "site-calm", page: SitePage(member, calmSite)},
		{name: "site-updated", page: SitePage(member, siteParams(updated))},
		{name: "site-failed", page: SitePage(member, siteParams(failed))},
		{name: "site-failed-reader", page: SitePage(member, reader)},
		{name: "site-suspended", page: SitePage(member, siteParams(suspended))},
		{name: "site-account-suspended", page: SitePage(member, siteParams(withAccount))},
		{name: "site-removing", page: SitePage(member, siteParams(removing))},
		{name: "site-settled", page: SitePage(member, siteParams(chosen))},
		{name: "site-addresses", page: SiteAddressesPage(member, SiteAddressesParams{SiteParams: siteParams(chosen), Form: SiteAddressForm{Aliases: []string{"www.souffle-en-baie.example", "souffle.example"}, Canonical: "bare", From: []string{"/ancien/", "/agenda 2019.html"}, Reach: []string{"folder", "page"}, To: []string{"https://archives.souffle-en-baie.example/", "/agenda/"}, Status: []string{"301", "302"}}})},
		{name: "site-addresses-refused", page: SiteAddressesPage(member, SiteAddressesParams{SiteParams: siteParams(live), Form: SiteAddressForm{Aliases: []string{"a..b"}, Canonical: "www", From: []string{"${x}"}, Reach: []string{"page"}, To: []string{"ftp://exemple.example/"}, Status: []string{"301"}, Errors: errs("alias-0", "host.double_dot", "canonical", "canonical.no_pair", "from-0", "url_path.invalid", "to-0", "target.invalid")}})},
		{name: "site-folder", page: SiteFolderPage(member, SiteFolderParams{SiteParams: siteParams(chosen), Form: SiteFolderForm{DocumentRoot: "www/public", Listing: true, NotFound: "erreurs/404.html"}})},
		{name: "site-folder-refused", page: SiteFolderPage(member, SiteFolderParams{SiteParams: siteParams(updated), Form: SiteFolderForm{DocumentRoot: "../x", Failed: "/etc/é", Errors: errs("document_root", "folder.invalid", "failed", "page_path.invalid")}})},
		{name: "site-php", page: SitePHPPage(member, SitePHPParams{SiteParams: siteParams(applying), Choices: choices, Form: SitePHPForm{PHP: "8.2", Memory: "128", Upload: "64", Seconds: "60"}})},
		{name: "site-php-refused", page: SitePHPPage(member, SitePHPParams{SiteParams: siteParams(chosen), Choices: choices, Form: SitePHPForm{PHP: "8.2", Memory: "1e9", Upload: "", Seconds: "-1", TimeZone: "Indian/Reunion", ShowErrors: true, Errors: errs("php", "php.unknown_version", "memory", "php.number", "seconds", "php.number")}})},
		{name: "site-protection", page: SiteProtectionPage(member, SiteProtectionParams{SiteParams: siteParams(chosen)})},
		{name: "site-protection-none", page: SiteProtectionPage(member, SiteProtectionParams{SiteParams: siteParams(live), Form: SiteFolderUserForm{Path: "a\nb", Errors: errs("path", "url_path.invalid")}})},
		{name: "site-protection-drawn", page: SiteProtectionPage(member, SiteProtectionParams{SiteParams: siteParams(chosen), Drawn: secret, DrawnFor: "comite", Form: SiteFolderUserForm{Path: "/comite", User: "É", Errors: errs("user", "folder_user.invalid", "password", "folder_user.password_invalid")}})},
		{name: "site-tasks", page: SiteTasksPage(member, SiteTasksParams{SiteParams: siteParams(chosen), Form: TaskForm{Kind: "url", Every: "daily", At: "03:30", Weekday: "1", Monthday: "1"}, Tasks: []Task{
			{Task: hosting.Task{ID: 1, Kind: hosting.TaskURL, Target: "/wp-cron.php?doing_wp_cron", Schedule: "7 * * * *", TimeZone: "Europe/Paris", Enabled: true, DueAt: now.Add(time.Hour)}, Runs: []hosting.TaskRun{
				{ID: 9, StartedAt: now.Add(-3 * time.Second), Outcome: hosting.TaskRunning}, {ID: 8, StartedAt: now.Add(-time.Hour), EndedAt: at(-time.Hour + 2*time.Second), Outcome: hosting.TaskFailed, Status: 500, Output: "<b>Fatal error</b>: Uncaught PDOException"},
			}},
			{Task: hosting.Task{ID: 2, Kind: hosting.TaskScript, Target: "private/lettre.php", Schedule: "0 8 * * 1", TimeZone: "America/Guadeloupe", Enabled: true, DueAt: now.Add(time.Hour)}, Runs: []hosting.TaskRun{{ID: 7, StartedAt: now.Add(-48 * time.Hour), EndedAt: at(-48*time.Hour + time.Minute), Outcome: hosting.TaskDone, Output: "212 messages envoyés"}}},
			{Task: hosting.Task{ID: 3, Kind: hosting.TaskScript, Target: "www/nettoyage.php", Schedule: "*/30 8-18 * * 1-5", TimeZone: "Europe/Paris"}},
			{Task: hosting.Task{ID: 4, Kind: hosting.TaskScript, Target: "www/x.php", Schedule: "5 4 1 * *", TimeZone: "Mars/Base", Enabled: true, DueAt: now.Add(time.Hour)}},
		}})},
		{name: "site-tasks-refused", page: SiteTasksPage(member, SiteTasksParams{SiteParams: siteParams(suspended), Tasks: []Task{{Task: hosting.Task{ID: 3, Kind: hosting.TaskScript, Target: "www/a.php", Schedule: "0 8 * * 1", TimeZone: "UTC", Enabled: true, DueAt: now.Add(time.Hour)}}}, Form: TaskForm{Kind: "script", Target: "/etc/passwd", Every: "cron", At: "x", Cron: "* * * * *", Errors: errs("target", "task.script_invalid", "cron", "schedule.often", "at", "schedule.time_invalid")}})},
		{name: "site-maintenance", page: SiteMaintenancePage(member, SiteMaintenanceParams{SiteParams: siteParams(live), Form: SiteMaintenanceForm{On: "no"}, Source: "198.51.100.23"})},
		{name: "site-maintenance-on", page: SiteMaintenancePage(member, SiteMaintenanceParams{SiteParams: siteParams(chosen), Form: SiteMaintenanceForm{On: "yes", Page: "travaux/index.html", Addresses: "198.51.100.23\nx", Errors: errs("page", "page_path.invalid", "addresses", "address.invalid")}, VisitURL: "http://souffle-en-baie.example:8080/.well-known/cancale/visit/" + strings.Repeat("4f", 16), Source: "198.51.100.23"})},
		{name: "site-delete", page: SiteDeletePage(member, SiteDeleteParams{Site: live, Days: 7, FTPLogins: []hosting.FTPLogin{agency.FTPLogin}, Form: ConfirmForm{Confirm: "souffle", Errors: errs("confirm", "confirm.differs")}})},
		{name: "part-host-free", bare: true, page: HostCheck(HostCheckParams{Host: "asso.example"})},
		{name: "part-host-idn", bare: true, page: HostCheck(HostCheckParams{Host: "xn--t-bga.example"})},
		{name: "part-host-taken", bare: true, page: HostCheck(HostCheckParams{Problem: hosting.Msg("host.taken", "asso.example")})},
		{name: "part-site-done", bare: true, page: SiteStatus(polled)},
		{name: "part-site-still", bare: true, page: SiteStatus(still)},

		{name: "trash", page: TrashPage(member, TrashParams{List: list("/trash", "", 3, 1), Days: 7, Items: removed[:3]})},
		{name: "trash-none", page: TrashPage(member, TrashParams{List: list("/trash", "", 0, 1), Days: 1})},
		{name: "trash-nothing", page: TrashPage(member, TrashParams{List: list("/trash", "q=x", 0, 1), Days: 7})},
		{name: "trash-restore", page: TrashRestorePage(member, TrashRestoreParams{Item: removed[0], Form: TrashRestoreForm{Host: "xn--t-bga.example", Errors: errs("host", "trash.host_taken")}})},
		{name: "trash-restore-ftp", page: TrashRestorePage(member, TrashRestoreParams{Item: removed[2], Form: TrashRestoreForm{Login: "webmestre@souffle"}})},
		{name: "trash-purge", page: TrashPurgePage(member, TrashPurgeParams{Item: removed[1], Form: ConfirmForm{Confirm: "x", Errors: errs("confirm", "confirm.differs")}})},
		{name: "admin-trash", page: TrashPage(admin, TrashParams{List: list("/admin/trash", "", 4, 1), Days: 7, Items: removed, All: true})},
		{name: "admin-trash-restore", page: TrashRestorePage(admin, TrashRestoreParams{Item: removed[3], All: true})},
		{name: "admin-trash-purge", page: TrashPurgePage(admin, TrashPurgeParams{Item: removed[3], All: true})},

		{name: "databases", page: DatabasesPage(member, DatabasesParams{List: list("/databases", "", 4, 1), Rows: baseRows(bases...), Room: room, CanWrite: true})},
		{name: "databases-none", page: DatabasesPage(member, DatabasesParams{List: list("/databases", "", 0, 1), Room: unlimited, CanWrite: true})},
		{name: "database-new", page: DatabaseNewPage(member, DatabaseNewParams{Form: DatabaseForm{Name: "site é", Errors: errs("name", "database.name_invalid")}, Room: room})},
		{name: "database-created", page: DatabasePage(member, DatabaseParams{Database: base(9, "souffle_galette", hosting.Pending), Password: secret, Created: true, Host: "localhost", CanWrite: true, Now: now})},
		{name: "database", page: DatabasePage(member, DatabaseParams{Database: bases[0], Host: "localhost", CanWrite: true, CanLook: true, Now: now})},
		{name: "database-looked-at", page: DatabasePage(member, DatabaseParams{Database: bases[0], Host: "localhost", CanLook: true, Now: now})},
		{name: "database-contractor", page: DatabasePage(member, DatabaseParams{Database: bases[0], Host: "localhost", Now: now})},
		{name: "database-adminer", page: DatabasePage(member, DatabaseParams{Database: bases[0], Host: "localhost", CanWrite: true, CanLook: true, Visit: hosting.DatabasePass{ID: 3, CreatedAt: now.Add(-7 * time.Minute)}, Now: now})},
		{name: "database-adminer-closed", page: DatabasePage(member, DatabaseParams{Database: bases[0], Host: "localhost", CanWrite: true, CanLook: true, VisitOver: "closed", Now: now})},
		{name: "database-adminer-ended", page: DatabasePage(member, DatabaseParams{Database: bases[0], Host: "localhost", CanWrite: true, CanLook: true, VisitOver: "ended", Now: now})},
		{name: "database-reset", page: DatabasePage(member, DatabaseParams{Database: bases[0], Password: secret, Host: "localhost", CanWrite: true, Now: now})},
		{name: "database-failed", page: DatabasePage(member, DatabaseParams{Database: bases[2], Host: "localhost", CanWrite: true, Now: now})},
		{name: "database-removing", page: DatabasePage(member, DatabaseParams{Database: bases[3], Host: "localhost", Now: now})},
		{name: "database-works", page: DatabaseWorksPage(member, DatabaseWorksParams{Database: bases[0], CanWrite: true, CanLook: true, Now: now, Works: works})},
		{name: "database-works-none", page: DatabaseWorksPage(member, DatabaseWorksParams{Database: bases[0], Now: now})},
		{name: "database-import", page: DatabaseImportPage(member, DatabaseImportParams{Database: bases[0], Sites: sites, MaxFile: 4 << 30, Form: DatabaseImportForm{Path: "www/absent.sql", Errors: errs("path", "dbwork.import_no_file")}})},
		{name: "database-users", page: DatabaseUsersPage(member, DatabaseUsersParams{Database: bases[0], CanWrite: true, Host: "localhost", Now: now, Password: secret, User: "souffle_stats", Users: []hosting.DatabaseUser{{ID: 1, Name: "souffle_stats", ReadOnly: true, CreatedAt: now}, {ID: 2, Name: "souffle_agence", CreatedAt: now.AddDate(0, -1, 0)}}, Form: DatabaseUserForm{Name: "é", Errors: errs("rights", "dbuser.rights_invalid")}})},
		{name: "database-users-none", page: DatabaseUsersPage(member, DatabaseUsersParams{Database: bases[0], Now: now})},
		{name: "database-delete", page: DatabaseDeletePage(member, DatabaseDeleteParams{Database: bases[0], Days: 7})},
		{name: "part-database", bare: true, page: DatabaseStatus(DatabaseParams{Database: bases[1], Now: now, Seen: "pending"})},

		{name: "ftp", page: FTPListPage(member, FTPListParams{List: list("/ftp", "", 3, 1), Rows: logins, Room: room, Server: server, SFTPPort: 2222, CanWrite: true})},
		{name: "ftp-none", page: FTPListPage(member, FTPListParams{List: list("/ftp", "", 0, 1), Room: room, Server: server, CanWrite: true})},
		{name: "ftp-new", page: FTPNewPage(member, FTPNewParams{Form: FTPForm{Site: "1"}, Sites: sites, Room: room})},
		{name: "ftp-new-refused", page: FTPNewPage(member, FTPNewParams{Form: FTPForm{Login: "é", Site: "99", Path: "/etc", Rights: "all", SpeedKB: "vite", Errors: errs("speed_kb", "ftp.limit_invalid", "rights", "ftp.rights_unknown", "login", "ftp.login_invalid", "site", "ftp.site_unknown", "path", "folder.invalid")}, Sites: sites, Room: Room{Plan: grande}})},
		{name: "disk", page: DiskPage(member, DiskParams{Plan: solidaire, More: 3, Space: hosting.Space{Used: 11_000 << 20, Bin: 300 << 20, Limit: 10_240 << 20, Stopped: true}, Sites: []hosting.DiskUsage{
			{SiteID: 1, Host: "souffle-en-baie.example", Files: 10_400 << 20, Bin: 300 << 20, Entries: 41_230, MeasuredAt: at(-4 * time.Minute)}, {SiteID: 5, Host: "adherents.souffle-en-baie.example"},
		}})},
		{name: "bin", page: BinPage(member, BinParams{Site: live, Days: 7, CanWrite: true, List: list("/sites/1/bin", "", 143, 1), Bin: hosting.Bin{Total: 143, More: true, Items: []hosting.BinItem{
			{Slot: "20260801T10", Path: "www/images/fete-de-la-mer.jpg", Size: 2_400_000, Deleted: now.Add(-time.Hour)},
			{Slot: "20260801T09", Path: "www/wp-content/themes/ancien", Dir: true, Deleted: now.Add(-26 * time.Hour)},
			{Slot: "20260801T09", Path: "www/a\nb\u202etxt.php", Size: 12, Deleted: now.Add(-27 * time.Hour)},
		}}})},
		{name: "bin-none", page: BinPage(member, BinParams{Site: live, Days: 7})},
		{name: "bin-down", page: BinPage(member, BinParams{Site: live, Days: 7, Down: true, CanWrite: true})},
		{name: "bin-restore", page: BinRestorePage(member, BinRestoreParams{Site: live, Item: hosting.BinItem{Slot: "20260801T09", Path: "www/photo.jpg"}, Form: BinRestoreForm{To: "www/photo-restauré.jpg", Errors: errs("to", "bin.exists")}})},
		{name: "bin-purge", page: BinPurgePage(member, BinPurgeParams{Site: live, Items: []hosting.BinItem{{Slot: "20260801T09", Path: "www/photo.jpg"}}})},
		{name: "bin-purge-several", page: BinPurgePage(member, BinPurgeParams{Site: live, Items: []hosting.BinItem{{Slot: "20260801T09", Path: "www/photo.jpg"}, {Slot: "20260801T09", Path: "www/a\nb.php"}}})},
		{name: "bin-restored-some", page: BinPage(member, BinParams{Site: live, Days: 7, CanWrite: true, List: list("/sites/1/bin", "", 1, 1), Problems: []hosting.Message{hosting.Msg("bin.exists", "www/photo.jpg")}, Bin: hosting.Bin{Total: 1, Items: []hosting.BinItem{{Slot: "20260801T10", Path: "www/photo.jpg", Size: 2_400_000, Deleted: now.Add(-time.Hour)}}}})},
		{name: "bin-empty", page: BinPurgePage(member, BinPurgeParams{Site: live})},
		{name: "database-full", page: DatabasePage(member, DatabaseParams{Database: bases[0], Host: "localhost", CanWrite: true, Now: now, Size: hosting.DatabaseSize{Bytes: 530 << 20, Limit: 512 << 20, Stopped: true, MeasuredAt: at(-time.Minute)}})},
		{name: "disk-none", page: DiskPage(member, DiskParams{Plan: grande, Space: hosting.Space{Limit: hosting.Unlimited}})},
		{name: "ftp-created", page: FTPPage(member, FTPParams{Login: webmaster, Password: secret, Created: true, Server: server, SFTP: sftp, CanWrite: true})},
		{name: "ftp-login", page: FTPPage(member, FTPParams{Login: agency, Server: FTPServer{Host: "localhost", Port: 2121}, CanWrite: true})},
		{name: "ftp-key-new", page: FTPKeyNewPage(member, FTPKeyNewParams{Login: agency, Form: FTPKeyForm{Key: "ssh-rsa AAAA", Errors: errs("key", "ftpkey.invalid")}})},
		{name: "ftp-disabled", page: FTPPage(member, FTPParams{Login: off, Server: server, SFTP: withKeys, CanWrite: true})},
		{name: "ftp-check", page: FTPCheckPage(member, FTPCheckParams{Login: webmaster})},
		{name: "ftp-check-failed", page: FTPCheckPage(member, FTPCheckParams{Login: webmaster, Steps: []CheckStep{
			{"name", "ok", hosting.Msg("ftpcheck.name_ok", "ftp.cancale.example", "203.0.113.9")},
			{"port", "ok", hosting.Msg("ftpcheck.port_ok", "2121")},
			{"tls", "warn", hosting.Msg("ftpcheck.tls_unknown")},
			{"login", "failed", hosting.Msg("ftpcheck.login_failed", "530 Login or password not accepted.")},
			{"data", "skipped", hosting.Message{}},
			{"list", "skipped", hosting.Message{}},
			{"upload", "skipped", hosting.Message{}},
			{"sftp", "ok", hosting.Msg("ftpcheck.sftp_ok", "2222")},
		}})},
		{name: "ftp-edit", page: FTPEditPage(member, FTPEditParams{Login: agency, Form: FTPForm{Site: "1", Path: "www", Rights: "upload_only", RequireTLS: true, SpeedKB: "2048"}, Sites: sites})},
		{name: "ftp-delete", page: FTPDeletePage(member, FTPDeleteParams{Login: agency, Days: 7})},

		{name: "people", page: PeoplePage(member, PeopleParams{Rows: people, CanWrite: true})},
		{name: "people-invite", page: PeopleInvitePage(member, InviteForm{Role: "contractor", Errors: errs("until", "until.missing", "role", "role.unknown")})},
		{name: "people-invited", page: InvitationLinkPage(member, InvitationLinkParams{Person: ines, Account: &baie, URL: link, Expires: now.AddDate(0, 0, 7), Next: "/people"})},
		{name: "activity", page: ActivityPage(inPlace, ActivityParams{List: list("/activity", "thing=site", 412, 2), Rows: append(audit, hosting.AuditEntry{ID: 4, At: now, Actor: "theo@cancale.example", Action: "site.suspend", Target: "boutique.souffle-en-baie.example", Behalf: "souffle"}), Actors: []string{"cli:root", "maelle@souffle-en-baie.example"}})},
		{name: "activity-none", page: ActivityPage(member, ActivityParams{List: list("/activity", "", 0, 1)})},
		{name: "people-edit", page: MemberPage(member, people[2], MemberForm{Role: "contractor", Until: "2020-01-01", Errors: Errors{"until": hosting.Msg("until.past")}})},
		{name: "handover", page: HandoverPage(member, HandoverParams{Form: HandoverForm{FTP: true, Leave: []string{"4"}, Email: []string{"nouveau"}, Errors: Errors{"leave": hosting.Msg("handover.no_owner"), "email-1": hosting.Msg("email.invalid")}}, Members: people, Databases: bases, FTPLogins: 3})},
		{name: "handover-preview", page: HandoverPreviewPage(member, HandoverPreviewParams{Form: HandoverForm{FTP: true}, Done: handed})},
		{name: "handover-done", page: HandedOverPage(member, handed)},
		{name: "people-mailed", page: InvitationLinkPage(member, InvitationLinkParams{Person: ines, Account: &baie, URL: link, Expires: now.AddDate(0, 0, 7), Next: "/people", Mailed: true})},
		{name: "people-added", page: InvitationLinkPage(member, InvitationLinkParams{Person: yann, Account: &baie, Next: "/people"})},
		{name: "people-remove", page: PersonRemovePage(member, PersonRemoveParams{Member: people[1]})},
		{name: "profile", page: ProfilePage(member, ProfileParams{Form: ProfileForm{Name: maelle.Name, Email: string(maelle.Email)}, Sessions: []SessionRow{
			{ID: "a", Agent: "Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0", Source: "198.51.100.23", LastSeen: now, Current: true},
			{ID: "b", Agent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", Source: "2001:db8::a4", LastSeen: now.Add(-13 * time.Hour)},
			{ID: "c", Agent: "", Source: "192.0.2.1", LastSeen: now.AddDate(0, -1, 0)},
		}})},
		{name: "profile-refused", page: ProfilePage(admin, ProfileParams{Form: ProfileForm{Email: "maelle", Errors: errs("email", "email.invalid", "current_password", "password.wrong")}, Password: PasswordForm{Errors: errs("old", "password.wrong", "password", "password.too_short")}, Sessions: []SessionRow{{ID: "a", LastSeen: now, Current: true}}})},

		{name: "admin", page: AdminHomePage(quiet, AdminHomeParams{Accounts: 38, SuspendedAccounts: 2, Persons: 71, Sites: map[hosting.State]int{hosting.Live: 1204, hosting.Failed: 1, hosting.Suspended: 6}, Databases: 131, FTPLogins: 88, Work: work, Changing: []AdminSite{{applying, baie}}, Services: services, Recent: rows, CanCreate: true, CanAudit: true})},
		{name: "admin-calm", page: AdminHomePage(stranger, AdminHomeParams{Services: services[:2], CanAudit: true})},
		{name: "admin-accounts", page: AdminAccountsPage(admin, AdminAccountsParams{List: list("/admin/accounts", "sort=label&plan=solidaire", 412, 4), Rows: accounts, Plans: plans, CanCreate: true})},
		{name: "admin-accounts-none", page: AdminAccountsPage(stranger, AdminAccountsParams{List: list("/admin/accounts", "", 0, 1), CanCreate: true})},
		{name: "admin-accounts-bulk-refused", page: AdminAccountsPage(admin, AdminAccountsParams{List: list("/admin/accounts", "dues=ended", 412, 4), Rows: accounts, Plans: plans, Bulk: BulkForm{Act: "plan", Accounts: []string{"12"}, Errors: errs("all", "bulk.none", "new_plan", "plan.unknown")}})},
		{name: "admin-announcements", page: AdminAnnouncementsPage(admin, AnnouncementsParams{List: list("/admin/announcements", "", 3, 1), Rows: []AnnouncementRow{
			{Announcement: announced}, {Announcement: past, Accounts: 12}, {Announcement: hosting.Announcement{ID: 3, TitleFR: "<b>Bonne année</b>", TextFR: "x", Everyone: true, Author: "Maëlle Kerdoncuff", CreatedAt: now.AddDate(0, -11, 0)}},
		}})},
		{name: "admin-announcements-none", page: AdminAnnouncementsPage(admin, AnnouncementsParams{List: list("/admin/announcements", "", 0, 1)})},
		{name: "admin-announcement-new", page: AdminAnnouncementPage(admin, AnnouncementParams{})},
		{name: "admin-announcement-some", page: AdminAnnouncementPage(admin, AnnouncementParams{To: new(bulkReportOf(hosting.BulkDraft, hosting.BulkRenew)), Form: AnnouncementForm{Bulk: "7", Mail: true}})},
		{name: "admin-announcement-refused", page: AdminAnnouncementPage(admin, AnnouncementParams{Form: AnnouncementForm{TextEN: "x", Until: "hier", Errors: errs("title_fr", "announcement.unwritten", "until", "announcement.nowhere")}})},
		{name: "admin-announcement-edit", page: AdminAnnouncementPage(admin, AnnouncementParams{Announcement: &announced, Form: AnnouncementForm{TitleFR: announced.TitleFR, TextFR: announced.TextFR, Until: "2026-12-24"}})},
		{name: "admin-bulk-draft", page: AdminBulkPage(admin, BulkParams{Report: bulkReportOf(hosting.BulkDraft, hosting.BulkRenew)})},
		{name: "admin-bulk-plan", page: AdminBulkPage(admin, BulkParams{Report: func() hosting.BulkReport {
			r := bulkReportOf(hosting.BulkDraft, hosting.BulkPlan)
			r.Over = effects
			return r
		}(), Plan: "Solidaire"})},
		{name: "admin-bulk-nothing", page: AdminBulkPage(admin, BulkParams{Report: hosting.BulkReport{Bulk: hosting.Bulk{Act: hosting.BulkResume, State: hosting.BulkDraft}, Total: 2, Refused: []hosting.BulkReason{{Why: "bulk.why_live", N: 2, First: []string{"Souffle en Baie", "<b>Voile</b>"}}}}})},
		{name: "admin-bulk-running", page: AdminBulkPage(admin, BulkParams{Report: bulkReportOf(hosting.BulkRunning, hosting.BulkSuspend)})},
		{name: "admin-bulk-ended", page: AdminBulkPage(admin, BulkParams{Report: bulkReportOf(hosting.BulkEnded, hosting.BulkSuspend)})},
		{name: "part-bulk-running", bare: true, page: BulkPart(admin, BulkParams{Report: bulkReportOf(hosting.BulkRunning, hosting.BulkRenew)})},
		{name: "admin-bulk-well", page: AdminBulkPage(admin, BulkParams{Report: hosting.BulkReport{Bulk: hosting.Bulk{Act: hosting.BulkRenew, State: hosting.BulkEnded}, Total: 1, Done: 1}})},
		{name: "admin-account-new", page: AdminAccountNewPage(admin, AccountNewParams{Form: AccountForm{Plan: "solidaire", Label: "Le Fil Clair", Name: "fil clair", Errors: errs("name", "account.name_invalid", "email", "email.invalid")}, Plans: plans})},
		{name: "admin-import", page: AdminImportPage(admin, ImportParams{})},
		{name: "admin-import-wrong", page: AdminImportPage(admin, ImportParams{List: "Nom;Nom court\n<b>Voile</b>;voile", New: 1, Wrong: 1, Rows: []ImportLine{
			{Line: 2, Label: "<b>Voile</b> Libre", Name: "voile", Plan: "solidaire", Expires: at(220 * 24 * time.Hour), Person: "Anne Le Gall", Email: "anne@voile.example"},
			{Line: 3, Label: "Souffle en Baie", Name: "souffle", Exists: true},
			{Line: 4, Label: "Chorale", Problems: []hosting.Message{hosting.Msg("account.name_invalid"), hosting.Msg("email.invalid")}},
		}})},
		{name: "admin-import-ready", page: AdminImportPage(admin, ImportParams{List: "Nom;Nom court\nVoile Libre;voile", New: 1, Rows: []ImportLine{{Line: 2, Label: "Voile Libre", Name: "voile", Plan: "solidaire"}}})},
		{name: "admin-import-broken", page: AdminImportPage(admin, ImportParams{List: "x", Errors: errs("list", "import.no_name")})},
		{name: "admin-account-new-no-plan", page: AdminAccountNewPage(admin, AccountNewParams{})},
		{name: "admin-account-created", page: InvitationLinkPage(admin, InvitationLinkParams{Person: ines, Account: &fil, URL: link, Expires: now.AddDate(0, 0, 7), Next: "/admin/accounts/14", Admin: true})},
		{name: "admin-account", page: AdminAccountPage(admin, AdminAccountParams{Account: baie, Room: room, People: people, Sites: sites, Databases: bases, FTPLogins: logins, Recent: audit, Notes: notes, NoteCount: 5, CanWrite: true, CanSuspend: true, CanPersons: true})},
		{name: "admin-account-suspended", page: AdminAccountPage(admin, AdminAccountParams{Account: cafe, Room: unlimited, CanSuspend: true, CanWrite: true})},
		{name: "admin-account-removing", page: AdminAccountPage(admin, AdminAccountParams{Account: fil, Room: room, CanWrite: true, CanSuspend: true})},
		{name: "admin-account-notes", page: AdminNotesPage(admin, NotesParams{Account: baie, List: list("/admin/accounts/12/notes", "", 3, 1), Rows: notes, Form: NoteForm{Text: "x", Errors: errs("text", "body.empty")}})},
		{name: "admin-account-notes-none", page: AdminNotesPage(admin, NotesParams{Account: fil, List: list("/admin/accounts/14/notes", "", 0, 1)})},
		{name: "admin-account-note", page: AdminNotePage(admin, NoteParams{Account: baie, Note: notes[0], Form: NoteForm{Text: notes[0].Text}})},
		{name: "admin-account-edit", page: AdminAccountEditPage(admin, AccountEditParams{Account: baie, Form: AccountForm{Label: "Souffle en Baie", Plan: "grande", Expires: "2027-06-30", Note: baie.Note}, Plans: plans})},
		{name: "admin-account-delete", page: AdminAccountDeletePage(admin, AccountDeleteParams{Account: baie, Days: 7, Sites: []hosting.Hostname{"souffle-en-baie.example", "xn--t-bga.example"}, Databases: []hosting.DatabaseName{"souffle_site"}, FTPLogins: []hosting.FTPName{"webmestre@souffle"}, People: people, Form: ConfirmForm{Confirm: "x", Errors: errs("confirm", "confirm.differs")}})},
		{name: "admin-account-delete-empty", page: AdminAccountDeletePage(admin, AccountDeleteParams{Account: fil, Days: 1})},
		{name: "admin-plans", page: AdminPlansPage(admin, AdminPlansParams{Rows: []PlanRow{{decouverte, 9}, {solidaire, 25}, {grande, 0}}, CanWrite: true})},
		{name: "admin-plans-none", page: AdminPlansPage(admin, AdminPlansParams{CanWrite: true})},
		{name: "admin-doctor", page: DoctorPage(admin, DoctorParams{Report: doctorReport(now, false)})},
		{name: "admin-doctor-well", page: DoctorPage(admin, DoctorParams{Report: doctorReport(now, true)})},
		{name: "admin-doctor-none", page: DoctorPage(admin, DoctorParams{})},
		{name: "admin-settings", page: SettingsPage(admin, ftpSettings(nil))},
		{name: "admin-settings-refused", page: SettingsPage(admin, ftpSettings(errs("ftp.passive_last", "settings.passive_few", "ftp.host", "host.invalid", "ftp.idle_seconds", "host.invalid", "ftp.tls_reuse", "settings.reuse_without_tls")))},
		{name: "admin-plan-new", page: AdminPlanPage(admin, PlanParams{Form: PlanForm{Sites: "-4", Errors: errs("sites", "plan.limit_invalid", "name", "plan.name_invalid")}})},
		{name: "admin-plan", page: AdminPlanPage(admin, PlanParams{Plan: &solidaire, Form: PlanForm{Label: "Solidaire", Sites: "8", DiskMB: "10240"}, Accounts: 25})},
		{name: "admin-plan-confirm", page: AdminPlanConfirmPage(admin, PlanConfirmParams{Plan: solidaire, Accounts: 25, Form: PlanForm{Sites: "2"}, Effects: effects})},
		{name: "admin-plan-confirm-none", page: AdminPlanConfirmPage(admin, PlanConfirmParams{Plan: grande, Form: PlanForm{Sites: "2"}})},
		{name: "admin-account-plan", page: AdminAccountPlanPage(admin, AccountPlanParams{Account: baie, Plan: "Découverte", Form: AccountForm{Label: "Souffle", Note: "a\nb"}, Excesses: effects[0].Excesses})},
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
	})
}

// doctorReport is a self-check in which all is well, or some is not.
func doctorReport(now time.Time, well bool) config.Report {
	r := config.Report{At: now.Add(-3 * time.Minute), Checks: []config.Check{
		{Name: "program.apache", OK: true, Detail: "/usr/sbin/apache2"},
		{Name: "permissions.etc", OK: true, Detail: "/var/lib/cancale/etc: uid 0, 0711"},
		{Name: "disk", OK: true, Detail: "212 Go libres sur 480 Go"},
		{Name: "service.mariadb", OK: true, Detail: "running, pid 4242"},
		{Name: "service.apache", OK: true, Detail: "running, pid 4250"},
		{Name: "answer.http", OK: true, Detail: "http://127.0.0.1:8601/"},
		{Name: "homes", OK: true, Detail: "412 espaces en ordre"},
		{Name: "grants", OK: true, Detail: "389 bases dont les droits sont en ordre"},
	}}
	if !well {
		r.Checks = append(r.Checks,
			config.Check{Name: "answer.ftp", Detail: "dial tcp 127.0.0.1:8621: connect: connection refused", Remedy: "doctor.service", Args: []string{"ftpd", "/var/lib/cancale/log"}},
			config.Check{Name: "vhosts", Detail: "souffle-en-baie.example (12.conf a été modifié), apache/sites/00-essai.conf (n’appartient à aucun site)", Remedy: "doctor.parts", Args: []string{"/var/lib/cancale/log", "/var/lib/cancale"}},
			config.Check{Name: "site.journee-mondiale-contre-la-mucoviscidose.souffle-en-baie.example", Detail: "Le dossier « www/public » que sert ce site est un lien qui mène hors de son espace.", Remedy: "doctor.site", Args: []string{"journee-mondiale-contre-la-mucoviscidose.souffle-en-baie.example"}})
	}
	return r
}

// bulkReportOf is an act on many associations, some of which refuse it.
func bulkReportOf(state hosting.BulkState, act hosting.BulkAct) hosting.BulkReport {
	r := hosting.BulkReport{
		Bulk: hosting.Bulk{ID: 4, Act: act, State: state}, Total: 412, Waiting: 389, First: []string{"Souffle en Baie", "Le Fil Clair", "<b>Voile</b>"},
		Refused: []hosting.BulkReason{
			{Why: "bulk.why_no_end", N: 20, First: []string{"Le Café des Proches", "La Fanfare du Port", strings.Repeat("Association", 9)}},
			{Why: "bulk.why_removing", N: 3, First: []string{"Chorale", "Ciné-club", "Yole"}},
		},
	}
	switch state {
	case hosting.BulkRunning:
		r.Waiting, r.Done, r.Refused = 112, 280, nil
	case hosting.BulkEnded:
		r.Waiting, r.Done = 0, 389
	}
	return r
}
