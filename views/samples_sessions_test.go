package views

import (
	"time"

	"cancale/internal/hosting"
)

// sessionSamples are the pages of who is connected.
func sessionSamples(member, admin Page) []sample {
	rows := []hosting.LiveSession{
		{ID: 71, Login: "webmestre@souffle", AccountID: 12, Protocol: hosting.FTPS, Source: "198.51.100.23", Since: now.Add(-14 * time.Minute), Action: hosting.Sent, Path: "/souffle-en-baie.example/www/wp-content/uploads/2026/11/diaporama-de-la-marche.zip", Begun: now.Add(-40 * time.Second), Bytes: 182_000_000, Speed: 4_300_000},
		{ID: 72, Login: "agence-web@souffle", AccountID: 12, Protocol: hosting.SFTP, Source: "2001:db8:4:1::a4", Since: now.Add(-3 * time.Hour), Begun: now.Add(-8 * time.Minute)},
	}
	unknown := hosting.LiveSession{ID: 73, Protocol: hosting.FTP, Source: "203.0.113.99", Since: now.Add(-20 * time.Second), Begun: now.Add(-20 * time.Second)}
	mine := SessionsParams{Path: "/ftp/sessions", Rows: rows, CanEnd: true, CSRF: session, Now: now}
	all := SessionsParams{Path: "/admin/sessions", Rows: append(rows, unknown), Labels: map[hosting.AccountID]string{12: "Souffle en Baie"}, Admin: true, CanEnd: true, CSRF: session, Now: now}
	return []sample{
		{name: "sessions", page: SessionsPage(member, mine)},
		{name: "sessions-none", page: SessionsPage(member, SessionsParams{Path: "/ftp/sessions", Now: now})},
		{name: "sessions-down", page: SessionsPage(member, SessionsParams{Path: "/ftp/sessions", Down: true, Now: now})},
		{name: "admin-sessions", page: SessionsPage(admin, all)},
		{name: "part-sessions", bare: true, page: SessionList(all)},
	}
}

// banSamples are the pages of who has to wait.
func banSamples(admin Page) []sample {
	rows := []hosting.Ban{
		{ID: "a1", Kind: hosting.BanSource, Label: "203.0.113.99", Failures: 212, Banned: true, LastAt: now.Add(-4 * time.Minute), Until: now.Add(56 * time.Minute)},
		{ID: "a2", Kind: hosting.BanSource, Label: "2001:db8:12:34::/64", Failures: 36, LastAt: now.Add(-20 * time.Second), Until: now.Add(40 * time.Second)},
		{ID: "a3", Kind: hosting.BanFTP, Label: "webmestre@souffle", Failures: 11, LastAt: now.Add(-20 * time.Minute), Until: now.Add(-18 * time.Minute)},
		{ID: "a4", Kind: hosting.BanPanel, Failures: 9, LastAt: now.Add(-time.Second), Until: now.Add(time.Second)},
	}
	rule := hosting.BanSettings{Failures: 40, For: time.Hour}
	list := List{Path: "/admin/bans", Total: 4, Page: 1, PerPage: 40}
	return []sample{
		{name: "admin-bans", page: BansPage(admin, BansParams{List: list, Rows: rows, Settings: rule, CanLift: true, CanSet: true})},
		{name: "admin-bans-none", page: BansPage(admin, BansParams{List: List{Path: "/admin/bans"}})},
	}
}

// workSample is a row of each kind of the work queue.
func workSample(a, b hosting.Account) []hosting.Work {
	return []hosting.Work{
		{Kind: hosting.WorkSite, ID: 5, Account: a, Name: "adherents.souffle-en-baie.example", Problem: hosting.Msg("site.failed_php", "8.2"), At: at(-2 * time.Hour)},
		{Kind: hosting.WorkSite, More: true},
		{Kind: hosting.WorkDatabase, ID: 3, Account: a, Name: "souffle_galette", Problem: hosting.Msg("database.failed_server"), At: at(-5 * time.Minute)},
		{Kind: hosting.WorkRequest, ID: 4, Account: b, Name: "Plus de <b>place</b> pour nos photos", At: at(-30 * time.Hour)},
		{Kind: hosting.WorkMembership, ID: 13, Account: b, Until: at(-20 * 24 * time.Hour)},
		{Kind: hosting.WorkMembership, ID: 12, Account: a, Until: at(9 * 24 * time.Hour)},
		{Kind: hosting.WorkFull, ID: 12, Account: a, N: 95, At: at(-26 * time.Hour)},
		{Kind: hosting.WorkTask, ID: 1, Account: a, Name: "souffle-en-baie.example", At: at(-50 * time.Minute)},
		{Kind: hosting.WorkMail, ID: 9, Account: a, Name: "yann.le-goff@souffle-en-baie.example", Problem: hosting.Msg("mail.void"), At: at(-4 * time.Hour)},
		{Kind: hosting.WorkBan, N: 12, At: at(-4 * time.Minute)},
	}
}
