package store

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"regexp"
	"strings"

	"cancale/internal/secret"
	"cancale/migrations"

	"github.com/pressly/goose/v3"
)

// BootstrapConfig is what Bootstrap makes. The connection is MariaDB's root by
// its unix socket.
type BootstrapConfig struct {
	Socket        string
	RootUser      string // "root" when empty
	Database      string
	AppUser       string
	AppPassword   string
	AgentUser     string
	AgentPassword string
	FTPUser       string
	FTPPassword   string
}

// Bootstrap makes the database, its schema and its three users, with the
// passwords and the rights that they must have now. It may be run at any time;
// what is there is kept.
//
// The application may read and write rows, but of the audit log only add to
// them; the agent may read what it applies and write how far it is; the FTP
// daemon may read what a login reaches and who acts through it, and write what
// it notes of them. None may change the schema.
func Bootstrap(ctx context.Context, cfg BootstrapConfig) error {
	for _, name := range []string{cfg.Database, cfg.AppUser, cfg.AgentUser, cfg.FTPUser} {
		if !identifier.MatchString(name) {
			return fmt.Errorf("store: bootstrap: %q is no name for a database or a user", name)
		}
	}
	root := Config{Socket: cfg.Socket, User: cfg.RootUser}
	if root.User == "" {
		root.User = "root"
	}
	server, err := connect(root, 0)
	if err != nil {
		return err
	}
	defer server.Close()
	if err := execAll(ctx, server, "CREATE DATABASE IF NOT EXISTS `"+cfg.Database+"` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"); err != nil {
		return err
	}
	root.Database = cfg.Database
	if err := Migrate(ctx, root); err != nil {
		return err
	}
	app, err := appGrants(ctx, server, cfg.Database)
	if err != nil {
		return err
	}
	statements := userStatements(cfg.AppUser, cfg.AppPassword)
	statements = append(statements, grantStatements(cfg.Database, cfg.AppUser, app)...)
	statements = append(statements, userStatements(cfg.AgentUser, cfg.AgentPassword)...)
	statements = append(statements, grantStatements(cfg.Database, cfg.AgentUser, agentGrants)...)
	statements = append(statements, userStatements(cfg.FTPUser, cfg.FTPPassword)...)
	statements = append(statements, grantStatements(cfg.Database, cfg.FTPUser, ftpGrants)...)
	return execAll(ctx, server, statements...)
}

func grantStatements(database, user string, grants []grant) []string {
	statements := make([]string, len(grants))
	for i, g := range grants {
		statements[i] = fmt.Sprintf("GRANT %s ON `%s`.%s TO '%s'@'localhost'", g.rights, database, g.table, user)
	}
	return statements
}

// identifier is what may stand between quotes in a statement that takes no
// arguments.
var identifier = regexp.MustCompile(`^[a-z][a-z0-9_]{0,47}$`)

// syncColumns are what the agent writes of things, and all that it writes
// besides the date after which a removed one goes for good.
const syncColumns = "observed, state, problem, attempts, due_at, changed_at"

// grant is what one of our daemons may do with a table.
type grant struct{ rights, table string }

// noteAudit lets a daemon add to the audit log, which it may not read.
const noteAudit = "INSERT (at, actor, source, action, account_id, target, behalf, `before`, `after`)"

// appGrants are those of the application: a right on the whole database could
// not leave out the audit log, of which nobody changes what it says.
func appGrants(ctx context.Context, server *sql.DB, database string) ([]grant, error) {
	rows, err := server.QueryContext(ctx, "SELECT table_name FROM information_schema.tables WHERE table_schema = ? AND table_name <> 'goose_db_version'", database)
	if err != nil {
		return nil, fmt.Errorf("store: bootstrap: %w", err)
	}
	defer rows.Close()
	var grants []grant
	for rows.Next() {
		g := grant{rights: "SELECT, INSERT, UPDATE, DELETE"}
		if err := rows.Scan(&g.table); err != nil {
			return nil, fmt.Errorf("store: bootstrap: %w", err)
		}
		if g.table == "audit_entries" {
			g.rights = "SELECT, INSERT"
		}
		grants = append(grants, g)
	}
	return grants, rows.Err()
}

var agentGrants = []grant{
	{"SELECT", "nodes"},
	{"SELECT (id, name, suspended, removing, plan_id)", "accounts"},
	{"SELECT (id, disk_mb, database_mb)", "plans"},
	{"SELECT", "sites"},
	{"SELECT", "site_names"},
	{"SELECT", "hosted_databases"},
	{noteAudit, "audit_entries"},
	{"UPDATE (php)", "nodes"},
	{"SELECT, UPDATE (due_at)", "tasks"},
	{"SELECT, INSERT, UPDATE, DELETE", "task_runs"},
	{"UPDATE (" + syncColumns + ", kept_until)", "sites"},
	{"UPDATE (" + syncColumns + ", kept_until)", "hosted_databases"},
	{"SELECT", "settings"},
	{"SELECT, INSERT, UPDATE", "disk_usage"},
	{"SELECT, INSERT, UPDATE", "account_space"},
	{"SELECT, INSERT, UPDATE", "database_usage"},
	{"SELECT", "database_users"},
	{"SELECT, INSERT, DELETE", "database_passes"},
	{"SELECT, UPDATE (state, size, done, seen_at, ended_at, result, report)", "database_works"},
	{"SELECT, INSERT, UPDATE", "site_traffic"},
	{"SELECT, INSERT, UPDATE", "site_traffic_names"},
	{"SELECT, INSERT, UPDATE", "account_traffic"},
	{"SELECT, INSERT, DELETE", "traffic_batches"},
	{"SELECT, INSERT, UPDATE, DELETE", "samples"},
	{"SELECT (state)", "mails"},
}

// ftpGrants are those of the FTP daemon. Whoever takes it over reads no password
// but those of FTP logins, which are hashes, learns the way to no site's PHP, and
// changes no wish.
var ftpGrants = []grant{
	{"SELECT, UPDATE (last_used_at)", "ftp_logins"},
	{"SELECT, UPDATE (last_used_at)", "ftp_keys"},
	{"SELECT (id, name, label, suspended, removing, expires, plan_id, kept_until)", "accounts"},
	{"SELECT (id, disk_mb)", "plans"},
	{"SELECT (" + homeColumns + ", kept_until)", "sites"},
	{"SELECT (site_id, name, position, dropped)", "site_names"},
	{"SELECT (id, email, role, disabled)", "persons"},
	{"SELECT", "memberships"},
	{"SELECT", "settings"},
	{"SELECT", "account_space"},
	{"SELECT, INSERT, UPDATE", "disk_usage"},
	{"SELECT, INSERT, UPDATE, DELETE", "throttles"},
	{"INSERT", "transfers"},
	{noteAudit, "audit_entries"},
}

// userStatements make a user who has this password and no right. The password
// travels as its hash, which also keeps it out of the server's logs.
func userStatements(user, password string) []string {
	name, by := "'"+user+"'@'localhost'", " IDENTIFIED VIA mysql_native_password USING '"+secret.NativeHash(password)+"'"
	return []string{
		"CREATE USER IF NOT EXISTS " + name + by,
		"ALTER USER " + name + by,
		"REVOKE ALL PRIVILEGES, GRANT OPTION FROM " + name,
	}
}

func execAll(ctx context.Context, db *sql.DB, statements ...string) error {
	for _, statement := range statements {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			verb, _, _ := strings.Cut(statement, "'")
			return fmt.Errorf("store: bootstrap: %s: %w", strings.TrimSpace(verb), err)
		}
	}
	return nil
}

// Migrate brings the schema to the newest step. cfg names a user who may
// change it.
func Migrate(ctx context.Context, cfg Config) error {
	db, err := connect(cfg, 0)
	if err != nil {
		return err
	}
	defer db.Close()
	steps, err := goose.NewProvider(goose.DialectMySQL, db, migrations.FS)
	if err != nil {
		return fmt.Errorf("store: migrate: %w", err)
	}
	done, err := steps.Up(ctx)
	for _, step := range done {
		slog.InfoContext(ctx, "schema step done", slog.String("step", step.Source.Path), slog.Duration("took", step.Duration))
	}
	if err != nil {
		return fmt.Errorf("store: migrate: %w", err)
	}
	return nil
}
