package panel

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/views/assets"
)

// access is what each role gets from a route. The columns of want are the
// roles in the order of everybody.
type access struct {
	route string // "METHOD path" as declared
	path  string // with identifiers; {} takes what prepare made
	// prepare makes something to act on, anew for each role.
	prepare func(w *world, who string) string
	from    string // the page that the form is on, when it is not the last one
	fields  []string
	want    string
}

var everybody = []string{anonymous, stranger, contractor, webmaster, owner, technician, admin}

// The two accounts are baie (contractor, webmaster, owner) and large
// (stranger). Somebody of the team acts for baie. Forms are sent empty, where
// that is enough to be refused with 422 by whoever may send them.
func accessTable(w *world) []access {
	site := "/sites/" + number(w.site.ID)
	base := "/databases/" + number(w.database.ID)
	w.answerExports()
	login := "/ftp/" + number(w.login.ID)
	withFiles := w.newSite("fichiers.asso.example")
	w.makeHome(withFiles)
	files := "/files/" + number(withFiles.ID)
	key := strings.Repeat("0", 32)
	member := "/people/" + number(w.people[webmaster].ID)
	account := "/admin/accounts/" + number(w.account.ID)
	person := "/admin/persons/" + number(w.people[webmaster].ID)
	newLogin := func(w *world, who string) string {
		return number(w.newLogin("pour-" + who).ID)
	}
	newSite := func(w *world, who string) string {
		return number(w.newSite("pour-" + who + strconv.Itoa(time.Now().Nanosecond()) + ".asso.example").ID)
	}
	newMember := func(w *world, who string) string {
		p, _, err := w.store.AddMember(w.t.Context(), w.root, hosting.PersonSpec{Email: hosting.Email("pour-" + who + "@asso.example")},
			store.MembershipSpec{Account: w.account.ID, Role: hosting.Webmaster})
		w.must(err)
		return number(p.ID)
	}
	asked, err := w.store.CreateRequest(w.t.Context(), w.root, w.account.ID, hosting.RequestSpec{Subject: "Plus de place", Body: "Bonjour"})
	w.must(err)
	request := "/requests/" + number(asked.ID)
	_, err = w.store.Invite(w.t.Context(), w.root, w.people[webmaster].ID)
	w.must(err)
	mails, _, err := w.store.Mails(w.t.Context(), w.root.Scope(hosting.AdminMails), store.MailFilter{PerPage: 1})
	w.must(err)
	mail := "/admin/mails/" + number(mails[0].ID)
	boss := hosting.PersonActor(w.people[admin], nil, "", time.Now())
	drafted, err := w.store.DraftBulk(w.t.Context(), boss, store.BulkSpec{Act: hosting.BulkRenew, Accounts: []hosting.AccountID{w.account.ID}})
	w.must(err)
	bulk := number(drafted.ID)
	newAnnouncement := func(w *world, _ string) string {
		draft, err := w.store.DraftBulk(w.t.Context(), boss, store.BulkSpec{Act: hosting.BulkAnnounce, Accounts: []hosting.AccountID{w.account.ID}})
		w.must(err)
		a, _, err := w.store.CreateAnnouncement(w.t.Context(), boss, hosting.AnnouncementSpec{TitleFR: "Coupure", TextFR: "Mardi", Until: new(time.Now().Add(time.Hour))}, draft.ID)
		w.must(err)
		return number(a.ID)
	}
	newNote := func(w *world, _ string) string {
		note, err := w.store.AddAccountNote(w.t.Context(), boss, w.account.ID, "Rappelée")
		w.must(err)
		return number(note.ID)
	}
	newPlan := func(w *world, who string) string {
		p, err := w.store.CreatePlan(w.t.Context(), w.root, hosting.PlanSpec{Name: hosting.PlanName("pour-" + who)})
		w.must(err)
		return number(p.ID)
	}
	newTrashedSite, newTrashedLogin, newTrashedAccount := w.trashMakers()
	trashedBase := "/trash/database/" + w.trashedDatabase()
	return []access{
		//                                                                    anon  stra  cont  webm  owner tech  admin
		{route: "GET /healthz", want: "                                        200   200   200   200   200   200   200"},
		{route: "GET /assets/:hash/:name", path: assets.Path("cancale.css"), want: "200 200 200   200   200   200   200"},
		{route: "GET /signin", want: "                                         200   303   303   303   303   303   303"},
		{route: "GET /forgot", want: "                                         200   200   200   200   200   200   200"},
		{route: "GET /requests", want: "                                       303   200   403   200   200   200   200"},
		{route: "GET /requests/new", want: "                                   303   200   403   200   200   403   200"},
		{route: "POST /requests/new", want: "                                  403   422   403   422   422   403   422"},
		{route: "GET /requests/:id", path: request, want: "                    303   404   403   200   200   200   200"},
		{route: "POST /requests/:id", path: request, from: "/", want: "        403   404   403   422   422   403   422"},
		{route: "POST /requests/:id/close", path: request + "/close", from: "/", want: "403 404 403 303 303 403 303"},
		{route: "GET /admin/requests", want: "                                 303   403   403   403   403   200   200"},
		{route: "GET /admin/requests/:id", path: "/admin" + request, want: "   303   403   403   403   403   200   200"},
		{route: "POST /admin/requests/:id", path: "/admin" + request, want: "  403   403   403   403   403   422   422"},
		{route: "POST /admin/requests/:id/close", path: "/admin" + request + "/close", from: "/admin/requests", want: "403 403 403 403 403 303 303"},
		{route: "GET /signin/code", want: "                                    303   303   303   303   303   303   303"},
		{route: "POST /signin/code", from: "/forgot", want: "                  303   303   303   303   303   303   303"},
		{route: "POST /signin/code/passkey", from: "/forgot", want: "          303   303   303   303   303   303   303"},
		{route: "POST /signin/passkey", from: "/forgot", want: "               422   422   422   422   422   422   422"},
		{route: "POST /signin/passkey/options", from: "/forgot", want: "       409   409   409   409   409   409   409"},
		{route: "GET /profile/security/passkeys/new", want: "                  303   200   200   200   200   200   200"},
		{route: "POST /profile/security/passkeys/new", want: "                 403   422   422   422   422   422   422"},
		{route: "GET /profile/security/passkeys/make", want: "                 303   303   303   303   303   303   303"},
		{route: "POST /profile/security/passkeys/make", from: "/profile/security", want: "403 422 422 422   422   422   422"},
		{route: "GET /profile/security/passkeys/:id", path: "/profile/security/passkeys/999999", want: "303 404 404 404 404 404 404"},
		{route: "POST /profile/security/passkeys/:id", path: "/profile/security/passkeys/999999", from: "/profile/security", want: "403 404 404 404 404 404 404"},
		{route: "POST /profile/security/passkeys/:id/remove", path: "/profile/security/passkeys/999999/remove", from: "/profile/security", want: "403 404 404 404 404 404 404"},
		{route: "GET /profile/security", want: "                               303   200   200   200   200   200   200"},
		{route: "POST /profile/security/begin", from: "/profile/security", want: "403 422   422   422   422   422   422"},
		{route: "GET /profile/security/confirm", want: "                       303   303   303   303   303   303   303"},
		{route: "POST /profile/security/confirm", from: "/profile/security", want: "403 404 404   404   404   404   404"},
		{route: "GET /profile/security/code.png", want: "                      303   404   404   404   404   404   404"},
		{route: "GET /profile/security/codes", want: "                         303   303   303   303   303   303   303"},
		{route: "POST /profile/security/codes", from: "/profile/security", want: "403 422   422   422   422   422   422"},
		{route: "POST /profile/security/off", from: "/profile/security", want: "403 422   422   422   422   422   422"},
		{route: "POST /admin/persons/:id/totp-reset", path: person + "/totp-reset", want: "403 403 403 403 403 403 404"},
		{route: "POST /forgot", want: "                                        422   422   422   422   422   422   422"},
		{route: "GET /admin/mails", want: "                                    303   403   403   403   403   403   200"},
		{route: "GET /admin/mails/:id", path: mail, want: "                    303   403   403   403   403   403   200"},
		{route: "POST /admin/mails/:id/resend", path: mail + "/resend", want: "403   403   403   403   403   403   303"},
		{route: "GET /admin/mails/texts", want: "                              303   403   403   403   403   403   200"},
		{route: "GET /admin/mails/texts/:kind/:language", path: "/admin/mails/texts/reset/fr", want: "303 403 403 403 403 403 200"},
		{route: "POST /admin/mails/texts/:kind/:language", path: "/admin/mails/texts/reset/fr", want: "403 403 403 403 403 403 422"},
		{route: "POST /admin/mails/texts/:kind/:language/reset", path: "/admin/mails/texts/reset/fr/reset", from: "/admin/mails/texts/reset/fr", want: "403 403 403 403 403 403 303"},
		{route: "POST /admin/settings/mail/test", from: "/admin/settings/mail", want: "403 403 403 403 403 403 422"},
		{route: "GET /invitation/:token", path: "/invitation/none", want: "    410   410   410   410   410   410   410"},
		{route: "POST /invitation/:token", path: "/invitation/none", want: "   410   410   410   410   410   410   410"},
		{route: "POST /preferences", fields: []string{"theme", "dark"}, want: "303   303   303   303   303   303   303"},
		{route: "POST /account", fields: []string{"account", number(w.account.ID)}, want: "403 404 303 303 303 303 303"},
		{route: "GET /", want: "                                               303   200   200   200   200   200   200"},

		{route: "GET /disk", want: "                                           303   200   200   200   200   200   200"},

		{route: "GET /sites", want: "                                          303   200   200   200   200   200   200"},
		{route: "GET /sites/new", want: "                                      303   200   403   200   200   403   200"},
		{route: "POST /sites/new", want: "                                     403   422   403   422   422   403   422"},
		{route: "GET /sites/check", want: "                                    303   200   403   200   200   403   200"},
		{route: "GET /sites/:id", path: site, want: "                          303   404   200   200   200   200   200"},
		{route: "GET /sites/:id/status", path: site + "/status", want: "       303   404   200   200   200   200   200"},
		{route: "GET /sites/:id/logs", path: site + "/logs", want: "           303   404   403   200   200   200   200"},
		{route: "GET /sites/:id/logs/lines", path: site + "/logs/lines", want: "303  404   403   200   200   200   200"},
		{route: "GET /sites/:id/logs/download", path: site + "/logs/download?day=2026-11-22", want: "303 404 403 404 404 404 404"},
		{route: "GET /sites/:id/stats", path: site + "/stats", want: "         303   404   200   200   200   200   200"},
		{route: "GET /sites/:id/stats/download", path: site + "/stats/download", want: "303 404 200 200 200 200 200"},
		{route: "GET /sites/:id/addresses", path: site + "/addresses", want: " 303   404   403   200   200   403   200"},
		{route: "POST /sites/:id/addresses", path: site + "/addresses", fields: []string{"alias", ".."}, want: "403 404 403 422 422 403 422"},
		{route: "GET /sites/:id/folder", path: site + "/folder", want: "       303   404   403   200   200   403   200"},
		{route: "POST /sites/:id/folder", path: site + "/folder", fields: []string{"document_root", ".."}, want: "403 404 403 422 422 403 422"},
		{route: "GET /sites/:id/php", path: site + "/php", want: "             303   404   403   200   200   403   200"},
		{route: "POST /sites/:id/php", path: site + "/php", fields: []string{"php", "4"}, want: "403 404 403 422 422 403 422"},
		{route: "GET /sites/:id/protection", path: site + "/protection", want: "303  404   403   200   200   403   200"},
		{route: "POST /sites/:id/protection", path: site + "/protection", want: "403 404  403   303   422   403   422", from: site + "/protection"},
		{route: "POST /sites/:id/protection/open", path: site + "/protection/open", want: "403 404 403 404 404 403 404", from: site + "/protection"},
		{route: "POST /sites/:id/protection/allow", path: site + "/protection/allow", want: "403 404 403 422 422 403 422", from: site + "/protection"},
		{route: "POST /sites/:id/protection/refuse", path: site + "/protection/refuse", want: "403 404 403 404 404 403 404", from: site + "/protection"},
		{route: "GET /sites/:id/tasks", path: site + "/tasks", want: "         303   404   403   200   200   403   200"},
		{route: "POST /sites/:id/tasks", path: site + "/tasks", want: "        403   404   403   422   422   403   422"},
		{route: "POST /sites/:id/tasks/run", path: site + "/tasks/run", fields: []string{"task", "4242"}, want: "403 404 403 404 404 403 404", from: site + "/tasks"},
		{route: "POST /sites/:id/tasks/enable", path: site + "/tasks/enable", fields: []string{"task", "x"}, want: "403 404 403 404 404 403 404", from: site + "/tasks"},
		{route: "POST /sites/:id/tasks/disable", path: site + "/tasks/disable", fields: []string{"task", "-1"}, want: "403 404 403 404 404 403 404", from: site + "/tasks"},
		{route: "POST /sites/:id/tasks/delete", path: site + "/tasks/delete", want: "403 404 403 404 404 403 404", from: site + "/tasks"},
		{route: "GET /sites/:id/maintenance", path: site + "/maintenance", want: "303 404  403   200   200   403   200"},
		{route: "POST /sites/:id/maintenance", path: site + "/maintenance", fields: []string{"page", ".."}, want: "403 404 403 422 422 403 422"},
		{route: "GET /sites/:id/delete", path: site + "/delete", want: "       303   404   403   200   200   403   200"},
		{route: "POST /sites/:id/delete", path: site + "/delete", want: "      403   404   403   422   422   403   422"},
		{route: "GET /sites/:id/bin", path: site + "/bin", want: "             303   404   200   200   200   200   200"},
		{route: "GET /sites/:id/bin/restore", path: site + "/bin/restore", want: "303 404 403  200   200   403   200"},
		{route: "POST /sites/:id/bin/restore", path: site + "/bin/restore", want: "403 404 403 409  409   403   409"},
		{route: "POST /sites/:id/bin/several", path: site + "/bin/several", want: "403 404 403 422 422 403 422"},
		{route: "GET /sites/:id/bin/delete", path: site + "/bin/delete", want: "303   404   403   200   200   403   200"},
		{route: "POST /sites/:id/bin/delete", path: site + "/bin/delete", want: "403  404   403   409   409   403   409"},
		{route: "POST /sites/:id/suspend", path: "/sites/{}/suspend", prepare: newSite, want: "403 404 403 303 303 303 303"},
		{route: "POST /sites/:id/resume", path: "/sites/{}/resume", prepare: newSite, want: "403 404 403 303 303 303 303"},
		{route: "POST /sites/:id/retry", path: site + "/retry", want: "        403   404   403   303   303   303   303"},

		{route: "GET /databases", want: "                                      303   200   200   200   200   200   200"},
		{route: "GET /databases/new", want: "                                  303   200   403   200   200   403   200"},
		{route: "POST /databases/new", want: "                                 403   422   403   422   422   403   422"},
		{route: "GET /databases/:id", path: base, want: "                      303   404   200   200   200   200   200"},
		{route: "GET /databases/:id/status", path: base + "/status", want: "   303   404   200   200   200   200   200"},
		{route: "POST /databases/:id/password", path: base + "/password", want: "403 404   403   303   303   403   303"},
		{route: "POST /databases/:id/retry", path: base + "/retry", want: "    403   404   403   303   303   403   303"},
		{route: "GET /databases/:id/delete", path: base + "/delete", want: "   303   404   403   200   200   403   200"},
		{route: "GET /databases/:id/works", path: base + "/works", want: "     303   404   200   200   200   200   200"},
		{route: "POST /databases/:id/check", path: base + "/check", want: "    403   404   403   422   422   403   422"},
		{route: "POST /databases/:id/export", path: base + "/export", want: "  403   404   403   200   200   200   200"},
		{route: "POST /databases/:id/adminer", path: base + "/adminer", want: "403   404   403   303   303   303   303", from: base},
		{route: "POST /databases/:id/adminer/close", path: base + "/adminer/close", want: "403 404 403 303 303 303 303", from: base},
		{route: "GET /databases/:id/adminer/:token/", path: base + "/adminer/none/", want: "303 303 303 303 303 303 303"},
		{route: "POST /databases/:id/adminer/:token/", path: base + "/adminer/none/", want: "303 303 303 303 303 303 303"},
		{route: "OPTIONS /databases/:id/adminer/:token/", path: base + "/adminer/none/", want: "303 303 303 303 303 303 303"},
		{route: "GET /databases/:id/import", path: base + "/import", want: "   303   404   403   200   200   403   200"},
		{route: "POST /databases/:id/import", path: base + "/import", want: "  403   403   403   403   403   403   403"},
		{route: "POST /databases/:id/import/file", path: base + "/import/file", want: "403 404 403 422 422   403   422"},
		{route: "GET /databases/:id/users", path: base + "/users", want: "     303   404   200   200   200   200   200"},
		{route: "POST /databases/:id/users", path: base + "/users", want: "    403   404   403   422   422   403   422"},
		{route: "POST /databases/:id/users/password", path: base + "/users/password", fields: []string{"user", "0"}, want: "403 404 403 404 404 403 404"},
		{route: "POST /databases/:id/users/remove", path: base + "/users/remove", fields: []string{"user", "0"}, want: "403 404 403 404 404 403 404"},
		{route: "POST /databases/:id/delete", path: base + "/delete", want: "  403   404   403   422   422   403   422"},

		{route: "GET /files", want: "                                          303   200   403   200   200   200   200"},
		{route: "GET /files/:id", path: files + "?path=www", want: "           303   404   403   200   200   200   200"},
		{route: "GET /files/:id/file", path: files + "/file?path=www/index.html", want: "303 404 403 200 200 200   200"},
		{route: "GET /files/:id/download", path: files + "/download?path=www/index.html", want: "303 404 403 200 200 200 200"},
		{route: "GET /files/:id/image", path: files + "/image?path=www/index.html", want: "303 404 403 404 404 404 404"},
		{route: "GET /files/:id/zip", path: files + "/zip?f=www/index.html", want: "303 404 403 200   200   200   200"},
		{route: "GET /files/:id/edit", path: files + "/edit?path=www/index.html", want: "303 404 403 200 200 200   200"},
		{route: "POST /files/:id/edit", path: files + "/edit", fields: []string{"path", "www/index.html", "encoding", "x"}, want: "403 404 403 422 422 403 422"},
		{route: "POST /files/:id/editing", path: files + "/editing", fields: []string{"path", "www/index.html"}, want: "403 404 403 200 200 403 200"},
		{route: "POST /files/:id/upload", path: files + "/upload", want: "     403   403   403   403   403   403   403"},
		{route: "GET /files/:id/begun", path: files + "/begun?name=x&key=" + key, want: "303 404 403 200   200   403   200"},
		{route: "POST /files/:id/piece", path: files + "/piece?name=x", want: "403   403   403   403   403   403   403"},
		{route: "GET /files/:id/folder", path: files + "/folder?path=www", want: "303 404 403  200   200   403   200"},
		{route: "POST /files/:id/folder", path: files + "/folder", want: "     403   404   403   422   422   403   422"},
		{route: "GET /files/:id/new", path: files + "/new?path=www", want: "   303   404   403   200   200   403   200"},
		{route: "POST /files/:id/new", path: files + "/new", want: "           403   404   403   422   422   403   422"},
		{route: "GET /files/:id/rename", path: files + "/rename?path=www", want: "303 404 403  200   200   403   200"},
		{route: "POST /files/:id/rename", path: files + "/rename", fields: []string{"path", "www"}, want: "403 404 403 422 422 403 422"},
		{route: "GET /files/:id/move", path: files + "/move?f=www/x", want: "  303   404   403   200   200   403   200"},
		{route: "POST /files/:id/move", path: files + "/move", fields: []string{"f", "www"}, want: "403 404 403 422   422   403   422"},
		{route: "GET /files/:id/copy", path: files + "/copy?f=www/x", want: "  303   404   403   200   200   403   200"},
		{route: "POST /files/:id/copy", path: files + "/copy", fields: []string{"f", "www", "to", "www"}, want: "403 404 403 422 422 403 422"},
		{route: "GET /files/:id/delete", path: files + "/delete?f=www/x", want: "303  404   403   200   200   403   200"},
		{route: "POST /files/:id/delete", path: files + "/delete", fields: []string{"f", "www"}, want: "403 404 403 422 422 403   422"},
		{route: "GET /files/:id/mode", path: files + "/mode?f=www", want: "    303   404   403   200   200   403   200"},
		{route: "POST /files/:id/mode", path: files + "/mode", fields: []string{"f", "www", "mode", "9"}, want: "403 404 403 422 422 403 422"},
		{route: "GET /files/:id/unpack", path: files + "/unpack?path=www/x.zip", want: "303 404 403 200 200 403 200"},
		{route: "POST /files/:id/unpack", path: files + "/unpack", fields: []string{"path", "www/x"}, want: "403 404 403 422 422 403 422"},

		{route: "GET /ftp", want: "                                            303   200   200   200   200   200   200"},
		{route: "GET /ftp/new", want: "                                        303   200   403   200   200   403   200"},
		{route: "POST /ftp/new", want: "                                       403   422   403   422   422   403   422"},
		{route: "GET /ftp/sessions", want: "                                   303   200   200   200   200   200   200"},
		{route: "POST /ftp/sessions/:id/end", path: "/ftp/sessions/1/end", want: "403  303   403   303   303   403   303"},
		{route: "GET /ftp/journal", want: "                                    303   200   200   200   200   200   200"},
		{route: "GET /ftp/journal/download", want: "                           303   200   200   200   200   200   200"},
		{route: "GET /ftp/:id", path: login, want: "                           303   404   200   200   200   200   200"},
		{route: "GET /ftp/:id/check", path: login + "/check", want: "          303   404   200   200   200   200   200"},
		{route: "POST /ftp/:id/check", path: login + "/check", want: "         403   404   200   200   200   200   200"},
		{route: "GET /ftp/:id/filezilla", path: login + "/filezilla", want: "  303   404   200   200   200   200   200"},
		{route: "GET /ftp/:id/cyberduck", path: login + "/cyberduck", want: "  303   404   200   200   200   200   200"},
		{route: "GET /ftp/:id/edit", path: login + "/edit", want: "            303   404   403   200   200   403   200"},
		{route: "POST /ftp/:id/edit", path: login + "/edit", fields: []string{"path", "../x"}, want: "403 404 403 422 422 403 422"},
		{route: "GET /ftp/:id/keys/new", path: login + "/keys/new", want: "    303   404   403   200   200   403   200"},
		{route: "POST /ftp/:id/keys/new", path: login + "/keys/new", want: "   403   404   403   422   422   403   422"},
		{route: "POST /ftp/:id/keys/:key/remove", path: login + "/keys/999999/remove", want: "403 404 403 404 404 403 404"},
		{route: "POST /ftp/:id/password", path: login + "/password", want: "   403   404   403   303   303   403   303"},
		{route: "POST /ftp/:id/disable", path: login + "/disable", want: "     403   404   403   303   303   403   303"},
		{route: "POST /ftp/:id/enable", path: login + "/enable", want: "       403   404   403   303   303   403   303"},
		{route: "GET /ftp/:id/delete", path: login + "/delete", want: "        303   404   403   200   200   403   200"},
		{route: "POST /ftp/:id/delete", path: "/ftp/{}/delete", prepare: newLogin, want: "403 404 403   303   303   403   303"},

		{route: "GET /trash", want: "                                          303   200   200   200   200   200   200"},
		{route: "GET /admin/trash", want: "                                    303   403   403   403   403   200   200"},
		{route: "GET /trash/site/:id/restore", path: "/trash/site/{}/restore", prepare: newTrashedSite, want: "303 404 403 200 200 403 200"},
		{route: "POST /trash/site/:id/restore", path: "/trash/site/{}/restore", prepare: newTrashedSite, want: "403 404 403 303 303 403 303"},
		{route: "GET /trash/site/:id/purge", path: "/trash/site/{}/purge", prepare: newTrashedSite, want: "303 404 403 200 200 403 200"},
		{route: "POST /trash/site/:id/purge", path: "/trash/site/{}/purge", prepare: newTrashedSite, want: "403 404 403 422 422 403 422"},
		{route: "GET /trash/database/:id/restore", path: trashedBase + "/restore", want: "303 404 403 200 200 403 200"},
		{route: "POST /trash/database/:id/restore", path: trashedBase + "/restore", want: "403 404 403 303 404 403 404"},
		{route: "GET /trash/database/:id/purge", path: trashedBase + "/purge", want: "303 404 403 404 404 403 404"},
		{route: "POST /trash/database/:id/purge", path: trashedBase + "/purge", want: "403 404 403 404 404 403 404", from: "/trash"},
		{route: "GET /trash/ftp/:id/restore", path: "/trash/ftp/{}/restore", prepare: newTrashedLogin, want: "303 404 403 200 200 403 200"},
		{route: "POST /trash/ftp/:id/restore", path: "/trash/ftp/{}/restore", prepare: newTrashedLogin, want: "403 404 403 303 303 403 303"},
		{route: "GET /trash/ftp/:id/purge", path: "/trash/ftp/{}/purge", prepare: newTrashedLogin, want: "303 404 403 200 200 403 200"},
		{route: "POST /trash/ftp/:id/purge", path: "/trash/ftp/{}/purge", prepare: newTrashedLogin, want: "403 404 403 422 422 403 422"},
		{route: "GET /trash/account/:id/restore", path: "/trash/account/{}/restore", prepare: newTrashedAccount, want: "303 403 403 403 403 403 200"},
		{route: "POST /trash/account/:id/restore", path: "/trash/account/{}/restore", prepare: newTrashedAccount, want: "403 403 403 403 403 403 303"},
		{route: "GET /trash/account/:id/purge", path: "/trash/account/{}/purge", prepare: newTrashedAccount, want: "303 403 403 403 403 403 200"},
		{route: "POST /trash/account/:id/purge", path: "/trash/account/{}/purge", prepare: newTrashedAccount, want: "403 403 403 403 403 403 422"},

		{route: "GET /people", want: "                                         303   200   403   200   200   200   200"},
		{route: "GET /people/invite", want: "                                  303   200   403   403   200   403   200"},
		{route: "POST /people/invite", want: "                                 403   422   403   403   422   403   422"},
		{route: "GET /activity", want: "                                       303   200   403   403   200   200   200"},
		{route: "GET /activity/download", want: "                              303   200   403   403   200   200   200"},
		{route: "GET /admin/audit/download", path: "/admin/audit/download?thing=request", want: "303   403   403   403   403   200   200"},
		{route: "GET /people/handover", want: "                                303   200   403   403   200   403   200"},
		{route: "POST /people/handover", want: "                               403   422   403   403   422   403   422"},
		{route: "GET /people/handover/done", want: "                           303   303   303   303   303   303   303"},
		{route: "GET /people/:id", path: member, want: "                       303   404   403   403   200   403   200"},
		{route: "POST /people/:id", path: member, want: "                      403   404   403   403   422   403   422"},
		{route: "GET /people/:id/invited", path: member + "/invited", want: "  303   404   403   403   303   403   303"},
		{route: "GET /people/:id/remove", path: member + "/remove", want: "    303   404   403   403   200   403   200"},
		{route: "POST /people/:id/remove", path: "/people/{}/remove", prepare: newMember, want: "403 404 403 403   303   403   303"},

		{route: "GET /profile", want: "                                        303   200   200   200   200   200   200"},
		{route: "POST /profile", want: "                                       403   422   422   422   422   422   422"},
		{route: "POST /profile/sessions", fields: []string{"session", "others"}, want: "403 303 303 303 303 303 303"},

		{route: "GET /admin", want: "                                          303   403   403   403   403   200   200"},
		{route: "GET /admin/accounts", want: "                                 303   403   403   403   403   200   200"},
		{route: "GET /admin/accounts/download", want: "                        303   403   403   403   403   200   200"},
		{route: "GET /admin/accounts/new", want: "                             303   403   403   403   403   403   200"},
		{route: "GET /admin/accounts/import", want: "                          303   403   403   403   403   403   200"},
		{route: "POST /admin/accounts/import", want: "                         403   403   403   403   403   403   422"},
		{route: "POST /admin/accounts/new", want: "                            403   403   403   403   403   403   422"},
		{route: "GET /admin/accounts/:id", path: account, want: "              303   403   403   403   403   200   200"},
		{route: "GET /admin/accounts/:id/edit", path: account + "/edit", want: "303  403   403   403   403   403   200"},
		{route: "POST /admin/accounts/:id/edit", path: account + "/edit", want: "403 403   403   403   403   403   422"},
		{route: "GET /admin/accounts/:id/delete", path: account + "/delete", want: "303 403 403 403   403   403   200"},
		{route: "POST /admin/accounts/:id/delete", path: account + "/delete", want: "403 403 403 403  403   403   422"},
		{route: "POST /admin/accounts/:id/suspend", path: account + "/suspend", want: "403 403 403 403 403  303   303"},
		{route: "POST /admin/accounts/:id/resume", path: account + "/resume", want: "403 403 403 403  403   303   303"},
		{route: "POST /admin/accounts/:id/renew", path: account + "/renew", want: "403 403 403 403  403   403   409"},
		{route: "GET /admin/accounts/:id/notes", path: account + "/notes", want: "303 403 403 403  403   200   200"},
		{route: "POST /admin/accounts/:id/notes", path: account + "/notes", want: "403 403 403 403 403  422   422"},
		{route: "GET /admin/accounts/:id/notes/:note", path: account + "/notes/{}", prepare: newNote, want: "303 403 403 403 403 403 200"},
		{route: "POST /admin/accounts/:id/notes/:note", path: account + "/notes/{}", prepare: newNote, fields: []string{"text", "Vu"}, from: account, want: "403 403 403 403 403 403 303"},
		{route: "POST /admin/accounts/:id/notes/:note/delete", path: account + "/notes/{}/delete", prepare: newNote, from: account, want: "403 403 403 403 403 403 303"},
		{route: "POST /admin/accounts/bulk", want: "                          403   403   403   403   403   422   422"},
		{route: "GET /admin/bulk/:id", path: "/admin/bulk/" + bulk, want: "   303   403   403   403   403   404   200"},
		{route: "POST /admin/bulk/:id/start", path: "/admin/bulk/" + bulk + "/start", from: "/", want: "403 403 403 403 403 404 303"},
		{route: "POST /admin/bulk/:id/stop", path: "/admin/bulk/" + bulk + "/stop", from: "/", want: "403 403 403 403 403 404 303"},
		{route: "GET /admin/announcements", want: "                            303   403   403   403   403   403   200"},
		{route: "GET /admin/announcements/new", want: "                        303   403   403   403   403   403   200"},
		{route: "POST /admin/announcements/new", want: "                       403   403   403   403   403   403   422"},
		{route: "GET /admin/announcements/:id", path: "/admin/announcements/{}", prepare: newAnnouncement, want: "303 403 403 403 403 403 200"},
		{route: "POST /admin/announcements/:id", path: "/admin/announcements/{}", prepare: newAnnouncement, want: "403 403 403 403 403 403 422"},
		{route: "POST /admin/announcements/:id/end", path: "/admin/announcements/{}/end", prepare: newAnnouncement, from: "/", want: "403 403 403 403 403 403 303"},
		{route: "POST /admin/announcements/:id/delete", path: "/admin/announcements/{}/delete", prepare: newAnnouncement, from: "/", want: "403 403 403 403 403 403 303"},
		{route: "POST /announcements/:id/dismiss", path: "/announcements/{}/dismiss", prepare: newAnnouncement, from: "/", want: "403 404 303 303 303 303 303"},
		{route: "GET /admin/plans", want: "                                    303   403   403   403   403   403   200"},
		{route: "GET /admin/plans/new", want: "                                303   403   403   403   403   403   200"},
		{route: "POST /admin/plans/new", want: "                               403   403   403   403   403   403   422"},
		{route: "GET /admin/plans/:id", path: "/admin/plans/" + number(w.account.PlanID), want: "303 403 403 403 403 403 200"},
		{route: "POST /admin/plans/:id", path: "/admin/plans/" + number(w.account.PlanID), fields: []string{"sites", "x"}, want: "403 403 403 403 403 403 422"},
		{route: "POST /admin/plans/:id/delete", path: "/admin/plans/{}/delete", prepare: newPlan, want: "403 403 403 403 403 403 303"},
		{route: "GET /admin/persons", want: "                                  303   403   403   403   403   403   200"},
		{route: "GET /admin/persons/new", want: "                              303   403   403   403   403   403   200"},
		{route: "POST /admin/persons/new", want: "                             403   403   403   403   403   403   422"},
		{route: "GET /admin/persons/:id", path: person, want: "                303   403   403   403   403   403   200"},
		{route: "POST /admin/persons/:id", path: person, want: "               403   403   403   403   403   403   422"},
		{route: "POST /admin/persons/:id/invite", path: "/admin/persons/{}/invite", prepare: newMember, want: "403 403 403 403 403 403 303"},
		{route: "GET /admin/persons/:id/invited", path: person + "/invited", want: "303 403 403 403   403   403   303"},
		{route: "POST /admin/persons/:id/disable", path: "/admin/persons/{}/disable", prepare: newMember, want: "403 403 403 403 403 403 303"},
		{route: "POST /admin/persons/:id/enable", path: "/admin/persons/{}/enable", prepare: newMember, want: "403 403 403 403 403 403 303"},
		{route: "GET /admin/doctor", want: "                                   303   403   403   403   403   403   200"},
		{route: "POST /admin/doctor", want: "                                  403   403   403   403   403   403   303"},
		{route: "GET /admin/settings", want: "                                 303   403   403   403   403   403   303"},
		{route: "GET /admin/settings/:group", path: "/admin/settings/ftp", want: "  303   403   403   403   403   403   200"},
		{route: "POST /admin/settings/:group", path: "/admin/settings/ftp", want: " 403   403   403   403   403   403   422"},
		{route: "POST /admin/settings/ftp/check", want: "                      403   403   403   403   403   403   200"},
		{route: "GET /admin/sites", want: "                                    303   403   403   403   403   200   200"},
		{route: "GET /admin/sessions", want: "                                 303   403   403   403   403   200   200"},
		{route: "POST /admin/sessions/:id/end", path: "/admin/sessions/1/end", want: "403 403 403 403 403 303 303"},
		{route: "GET /admin/bans", want: "                                     303   403   403   403   403   200   200"},
		{route: "POST /admin/bans/:ban/lift", path: "/admin/bans/00/lift", want: "403 403 403 403 403 303 303"},
		{route: "GET /admin/audit", want: "                                    303   403   403   403   403   200   200"},
		{route: "GET /admin/platform", want: "                                 303   403   403   403   403   200   200"},

		// These end, or change, the session that the rows above used.
		{route: "POST /admin/accounts/:id/act", path: account + "/act", from: "/", want: "403 403 403 403 403  403   303"},
		{route: "POST /act/end", from: "/", want: "                            403   303   303   303   303   303   303"},
		{route: "POST /profile/password", want: "                              403   422   422   422   422   422   422"},
		{route: "POST /signout", want: "                                       403   303   303   303   303   303   303"},
		{route: "POST /signin", from: "/signin", fields: []string{"email", "owner@asso.example", "password", testPassword}, want: "303 303 303 303 303 303 303"},
	}
}

func TestEveryRouteGivesEachRoleWhatItMayHave(t *testing.T) {
	w := newWorld(t)
	browsers := map[string]*browser{}
	for _, who := range everybody {
		b := w.as(who)
		browsers[who] = b
		switch who {
		case anonymous:
			b.get("/signin")
		case technician, admin:
			b.get("/admin")
			b.post("/account", "account", number(w.account.ID))
		default:
			b.get("/")
		}
	}
	table := accessTable(w)
	for _, row := range table {
		method, pattern, _ := strings.Cut(row.route, " ")
		wants := strings.Fields(row.want)
		for i, who := range everybody {
			path := row.path
			if path == "" {
				path = pattern
			}
			if row.prepare != nil {
				path = strings.Replace(path, "{}", row.prepare(w, who+"x"), 1)
			}
			b := browsers[who]
			if row.from != "" {
				b.get(row.from)
			}
			var p *page
			if method == http.MethodGet {
				p = b.get(path)
			} else {
				p = b.post(path, row.fields...)
			}
			if got := strconv.Itoa(p.status); got != wants[i] {
				t.Errorf("%s as %q: got %s, want %s: %s", row.route, who, got, wants[i], p.text("h1, .errors"))
			}
			checkPage(t, p, row.route+" as "+who)
		}
	}
	t.Run("every route has a row", func(t *testing.T) {
		rows := map[string]bool{}
		for _, row := range table {
			rows[row.route] = true
		}
		for _, r := range w.srv.echo.Routes() {
			if name := r.Method + " " + r.Path; !rows[name] {
				t.Errorf("%s has no row in the table", name)
			}
		}
	})
}

// checkPage asserts what is true of every answer.
func checkPage(t *testing.T, p *page, what string) {
	t.Helper()
	const most = 60 << 10
	if len(p.body) > most {
		t.Errorf("%s: %d bytes", what, len(p.body))
	}
	if p.status >= http.StatusInternalServerError {
		t.Errorf("%s: %d", what, p.status)
	}
	for _, name := range []string{"Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "X-Frame-Options", "X-Request-Id"} {
		if p.header.Get(name) == "" {
			t.Errorf("%s: no %s", what, name)
		}
	}
	if p.status >= http.StatusBadRequest && p.text("h1") == "" {
		t.Errorf("%s: %d without a page", what, p.status)
	}
	if strings.HasPrefix(p.header.Get("Content-Type"), "text/html") && p.body != "" {
		if p.doc.Find("[style], style, script:not([src]), [onclick], [onload], [onsubmit]").Length() > 0 {
			t.Errorf("%s: inline style or script, which the policy forbids", what)
		}
		if !slices.Contains(p.header.Values("Cache-Control"), "no-store") {
			t.Errorf("%s: may be kept: %v", what, p.header.Values("Cache-Control"))
		}
	}
}

func TestEveryRouteDeclaresWhatItNeeds(t *testing.T) {
	s, err := newServer(Config{Secret: []byte(strings.Repeat("x", 32)), PublicURL: "http://panel.example"})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range s.echo.Routes() {
		need, declared := s.needs[r.Method+" "+r.Path]
		if !declared || need == "" {
			t.Errorf("%s %s declares no permission", r.Method, r.Path)
		}
		if need == hosting.Public && strings.HasPrefix(r.Path, "/admin") {
			t.Errorf("%s %s is public", r.Method, r.Path)
		}
	}
}

func TestIdentifiersOfOthersAreNotFound(t *testing.T) {
	w := newWorld(t)
	b := w.as(stranger)
	foreign := b.get("/sites/" + number(w.site.ID))
	missing := b.get("/sites/999999")
	if foreign.status != http.StatusNotFound || missing.status != http.StatusNotFound {
		t.Fatal(foreign.status, missing.status)
	}
	if foreign.text("main") != missing.text("main") {
		t.Error("a foreign site and a missing one are told apart")
	}
	for _, path := range []string{"/sites/0", "/sites/-1", "/sites/x", "/sites/1e1", "/sites/18446744073709551616", "/sites/%31%00", "/databases/" + number(w.database.ID), "/ftp/" + number(w.login.ID), "/nothing"} {
		if p := b.get(path); p.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, p.status)
		}
	}
	// In a form, too: a site of another account cannot be chosen.
	before := w.counts()
	b.get("/ftp/new")
	p := b.post("/ftp/new", "login", "x", "site", number(w.site.ID), "path", "")
	p.refusedAt(t, "site")
	if after := w.counts(); after != before {
		t.Errorf("written: %s, before %s", after, before)
	}
}
