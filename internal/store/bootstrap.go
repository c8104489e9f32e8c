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
}

// Bootstrap makes the database, its schema and its two users, with the
// passwords and the rights that they must have now. It may be run at any time;
// what is there is kept.
//
// The application may read and write rows; the agent may read what it applies
// and write how far it is. Neither may change the schema.
func Bootstrap(ctx context.Context, cfg BootstrapConfig) error {
	for _, name := range []string{cfg.Database, cfg.AppUser, cfg.AgentUser} {
		if !identifier.MatchString(name) {
			return fmt.Errorf("store: bootstrap: %q is no name for a database or a user", name)
		}
	}
	root := Config{Socket: cfg.Socket, User: cfg.RootUser}
	if root.User == "" {
		root.User = "root"
	}
	server, err := connect(root)
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
	statements := userStatements(cfg.AppUser, cfg.AppPassword)
	statements = append(statements, fmt.Sprintf("GRANT SELECT, INSERT, UPDATE, DELETE ON `%s`.* TO '%s'@'localhost'", onlyThis(cfg.Database), cfg.AppUser))
	statements = append(statements, userStatements(cfg.AgentUser, cfg.AgentPassword)...)
	for _, g := range agentGrants {
		statements = append(statements, fmt.Sprintf("GRANT %s ON `%s`.%s TO '%s'@'localhost'", g.rights, cfg.Database, g.table, cfg.AgentUser))
	}
	return execAll(ctx, server, statements...)
}

// identifier is what may stand between quotes in a statement that takes no
// arguments.
var identifier = regexp.MustCompile(`^[a-z][a-z0-9_]{0,47}$`)

// onlyThis is a database's name where GRANT takes a pattern.
func onlyThis(name string) string { return strings.ReplaceAll(name, "_", `\_`) }

// syncColumns are what the agent writes, and all that it writes.
const syncColumns = "observed, state, problem, attempts, due_at, changed_at"

var agentGrants = []struct{ rights, table string }{
	{"SELECT", "nodes"},
	{"SELECT (id, name, suspended, removing)", "accounts"},
	{"SELECT", "sites"},
	{"SELECT", "site_names"},
	{"SELECT", "hosted_databases"},
	{"UPDATE (" + syncColumns + ")", "sites"},
	{"UPDATE (" + syncColumns + ")", "hosted_databases"},
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
	db, err := connect(cfg)
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
