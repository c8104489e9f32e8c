package panel

import (
	"database/sql"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"cancale/internal/hosting"
)

// BenchmarkPages measures pages of an installation with 10,000 sites, from the
// request to the last byte. Run it with -cpu 1: the figure to reach is a p99
// of 50 ms on one core.
func BenchmarkPages(b *testing.B) {
	const sites = 10_000
	w := newWorld(b)
	_, err := w.store.UpdatePlan(b.Context(), w.root, "grande", hosting.PlanSpec{Name: "grande", Sites: hosting.Unlimited})
	w.must(err)
	all := make([]hosting.SiteSpec, sites)
	for i := range all {
		all[i] = hosting.SiteSpec{Host: hosting.Hostname("site-" + number(hosting.SiteID(i)) + ".asso.example"), DocumentRoot: "www", PHP: "8.2"}
	}
	var one hosting.Site
	const batch = 1000
	for part := range slices.Chunk(all, batch) {
		made, err := w.store.CreateSites(b.Context(), w.root, w.account.ID, part)
		w.must(err)
		one = made[0]
	}
	people := map[string]*browser{owner: w.as(owner), admin: w.as(admin)}
	fillLists(w, sites)
	for _, c := range []struct {
		name string
		who  string
		path string
	}{
		{"list of 10,000 sites", owner, "/sites"},
		{"list, page 200", owner, "/sites?page=200"},
		{"list, search", owner, "/sites?q=site-77"},
		{"list, search that finds all", owner, "/sites?q=asso&page=200"},
		{"one site", owner, "/sites/" + number(one.ID)},
		{"status of a site", owner, "/sites/" + number(one.ID) + "/status"},
		{"statistics of a site", owner, "/sites/" + number(one.ID) + "/stats"},
		{"log of a site", owner, "/sites/" + number(one.ID) + "/logs"},
		{"home", owner, "/"},
		{"disk space", owner, "/disk"},
		{"sites whose files there are", owner, "/files"},
		{"databases", owner, "/databases"},
		{"databases, by size, page 200", owner, "/databases?sort=-size&page=200"},
		{"database, new", owner, "/databases/new"},
		{"FTP logins", owner, "/ftp"},
		{"FTP logins, by use, page 200", owner, "/ftp?sort=-used&page=200"},
		{"FTP login, new", owner, "/ftp/new"},
		{"sessions", owner, "/ftp/sessions"},
		{"transfers", owner, "/ftp/journal"},
		{"transfers, page 200, search", owner, "/ftp/journal?q=jpg&page=200"},
		{"people", owner, "/people"},
		{"handover", owner, "/people/handover"},
		{"activity", owner, "/activity"},
		{"activity, page 200", owner, "/activity?page=200"},
		{"activity, search", owner, "/activity?q=site-77"},
		{"trash", owner, "/trash"},
		{"trash, page 200", owner, "/trash?page=200"},
		{"requests", owner, "/requests"},
		{"requests, page 200", owner, "/requests?page=200"},
		{"profile", owner, "/profile"},
		{"all sites", admin, "/admin/sites"},
		{"all sites, by account", admin, "/admin/sites?sort=account&page=100"},
		{"administration", admin, "/admin"},
		{"associations", admin, "/admin/accounts"},
		{"associations, by sites, page 200", admin, "/admin/accounts?sort=-sites&page=200"},
		{"one association", admin, "/admin/accounts/" + number(w.account.ID)},
		{"plans", admin, "/admin/plans"},
		{"persons", admin, "/admin/persons"},
		{"persons, page 200", admin, "/admin/persons?page=200&sort=-seen"},
		{"audit log", admin, "/admin/audit"},
		{"audit log, page 200", admin, "/admin/audit?page=200"},
		{"audit log, search", admin, "/admin/audit?q=site-77"},
		{"all requests", admin, "/admin/requests"},
		{"all requests, open, page 100", admin, "/admin/requests?state=open&page=100"},
		{"mails", admin, "/admin/mails"},
		{"mails, page 200, search", admin, "/admin/mails?q=asso&page=200"},
		{"bans", admin, "/admin/bans"},
		{"bans, page 200", admin, "/admin/bans?page=200"},
		{"all sessions", admin, "/admin/sessions"},
		{"trash of all", admin, "/admin/trash"},
		{"trash of all, page 200", admin, "/admin/trash?page=200"},
		{"platform", admin, "/admin/platform"},
	} {
		b.Run(c.name, func(b *testing.B) {
			who := people[c.who]
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				if p := who.fetch(c.path); p != http.StatusOK {
					log := w.log.String()
					b.Fatalf("%d, and the log ends in\n%s", p, log[max(len(log)-2000, 0):])
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}

// fillLists makes n rows of each list, as the database's own loop does it.
func fillLists(w *world, n int) {
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr, cfg.User, cfg.DBName = "unix", w.inst.Root.Socket, w.inst.Root.User, w.inst.Root.Database
	cfg.InterpolateParams = true
	db, err := sql.Open("mysql", cfg.FormatDSN())
	w.must(err)
	defer func() { _ = db.Close() }()
	account, plan := uint64(w.account.ID), uint64(w.account.PlanID)
	const managed = "generation, observed, state, problem, attempts, due_at, removing, changed_at, created_at"
	const live = "1, 1, 'live', '', 0, NOW(6), 0, NOW(6), NOW(6)"
	for _, s := range []struct {
		statement string
		args      []any
	}{
		{"INSERT INTO accounts (name, label, plan_id, suspended, removing, expires, note, created_at) SELECT CONCAT('a', seq), CONCAT('Association ', seq), ?, 0, 0, NOW() + INTERVAL seq DAY, '', NOW() FROM seq_1_to_%d", []any{plan}},
		{"INSERT INTO persons (email, name, password_hash, role, language, theme, disabled, created_at, last_seen_at) SELECT CONCAT('p', seq, '@asso.example'), CONCAT('Personne ', seq), '', '', 'fr', '', 0, NOW(), NOW() - INTERVAL seq MINUTE FROM seq_1_to_%d", nil},
		{"INSERT INTO memberships (person_id, account_id, role, created_at) SELECT p.id, a.id, 'owner', NOW() FROM seq_1_to_%d s JOIN persons p ON p.email = CONCAT('p', s.seq, '@asso.example') JOIN accounts a ON a.name = CONCAT('a', s.seq)", nil},
		{"INSERT INTO hosted_databases (node_id, account_id, name, password_hash, " + managed + ") SELECT 1, ?, CONCAT('baie_', seq), '', " + live + " FROM seq_1_to_%d", []any{account}},
		{"INSERT INTO database_usage (database_id, bytes, stopped, measured_at) SELECT id, id * 1000, 0, NOW(6) FROM hosted_databases LIMIT %d", nil},
		{"INSERT INTO disk_usage (site_id, node_id, account_id, files, bin, entries, drift, measured_at, due_at) SELECT id, node_id, account_id, id * 1000, 10, 5, 0, NOW(6), NOW(6) + INTERVAL 1 DAY FROM sites LIMIT %d", nil},
		{"INSERT INTO ftp_logins (node_id, account_id, site_id, login, password_hash, path, rights, disabled, " + managed + ", last_used_at) SELECT 1, ?, ?, CONCAT('u', seq, '@baie'), '', '', 'readwrite', 0, " + live + ", NOW() - INTERVAL seq MINUTE FROM seq_1_to_%d", []any{account, uint64(w.site.ID)}},
		{"INSERT INTO ftp_logins (node_id, account_id, site_id, login, password_hash, path, rights, disabled, generation, observed, state, problem, attempts, due_at, removing, changed_at, created_at, removed_at, removed_by, removed_with, kept_until, gone)" +
			" SELECT 1, ?, ?, CONCAT('gone', seq, '@baie'), '', '', 'readwrite', 0, 2, 2, 'removed', '', 0, NOW(6), 1, NOW(6), NOW(6), NOW(6) - INTERVAL seq SECOND, 'x@asso.example', '', NOW(6) + INTERVAL 6 DAY, 1000000 + seq FROM seq_1_to_%d", []any{account, uint64(w.site.ID)}},
		{"INSERT INTO transfers (at, account_id, who, protocol, source, action, path, target, bytes, took_ms, result) SELECT NOW(6) - INTERVAL seq SECOND, ?, CONCAT('u', seq MOD 7, '@baie'), 'ftp', '192.0.2.1', 'sent', CONCAT('/www/photos/', seq, '.jpg'), '', seq, 3, 'done' FROM seq_1_to_%d", []any{account}},
		{"INSERT INTO audit_entries (at, actor, source, action, account_id, target, `before`, `after`) SELECT NOW(6) - INTERVAL seq SECOND, CONCAT('p', seq MOD 90, '@asso.example'), '192.0.2.1', 'site.update', ?, CONCAT('site-', seq, '.asso.example'), '{}', '{\"php\":\"8.2\"}' FROM seq_1_to_%d", []any{account}},
		{"INSERT INTO requests (account_id, subject, about, state, created_at, changed_at) SELECT ?, CONCAT('Demande ', seq), 'other', IF(seq MOD 2, 'open', 'closed'), NOW(6), NOW(6) - INTERVAL seq MINUTE FROM seq_1_to_%d", []any{account}},
		{"INSERT INTO mails (kind, account_id, email, name, language, sealed, state, tries, due_at, void_at, problem, detail, subject, text, created_at) SELECT 'invitation', ?, CONCAT('p', seq, '@asso.example'), '', 'fr', '', 'sent', 1, NOW(6), NOW(6) + INTERVAL 7 DAY, '{}', '', 'Bonjour', '', NOW(6) - INTERVAL seq SECOND FROM seq_1_to_%d", []any{account}},
		{"INSERT INTO throttles (subject, failures, last_at, until, kind, label, wrong, banned) SELECT UNHEX(SHA2(seq, 256)), 9, NOW(6), NOW(6) + INTERVAL 1 DAY, 'source', CONCAT('10.', seq DIV 65536, '.', seq DIV 256 MOD 256, '.', seq MOD 256, '/32'), 9, 1 FROM seq_1_to_%d", nil},
		{"INSERT INTO site_traffic (site_id, day, hits, pages, visitors, robots, bytes, good, moved, refused, failed) SELECT s.id, CURDATE() - INTERVAL d.seq DAY, 9, 5, 2, 1, 90000, 9, 0, 0, 0 FROM sites s JOIN seq_0_to_29 d WHERE s.id > ? - %d / 10", []any{uint64(w.site.ID) + uint64(n)}},
		{"INSERT INTO account_traffic (account_id, day, hits, pages, visitors, robots, bytes, good, moved, refused, failed) SELECT ?, CURDATE() - INTERVAL seq DAY, 9, 5, 2, 1, 90000, 9, 0, 0, 0 FROM seq_0_to_99 LIMIT %d", []any{account}},
		{"ANALYZE TABLE audit_entries, transfers, ftp_logins, hosted_databases, sites, accounts, persons, disk_usage /* %d */", nil},
	} {
		_, err := db.ExecContext(w.t.Context(), fmt.Sprintf(s.statement, n), s.args...)
		if err != nil {
			w.t.Fatalf("%s: %v", s.statement, err)
		}
	}
}
