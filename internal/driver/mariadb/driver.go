// Package mariadb makes the hosted databases of one node: each a schema, one
// user of the same name, the users that the member added, and the rights of
// these on that schema alone.
//
// It speaks to the server as its root, through the unix socket. It never
// touches a schema or a user whose name has not the form of a hosted database,
// and never reads what a member stored.
package mariadb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"cancale/internal/host"
	"cancale/internal/hosting"

	"github.com/go-sql-driver/mysql"
)

// Config says how the server is reached.
type Config struct {
	Socket string
	User   string // "root" when empty: the one that the server knows by its uid
}

// Driver makes hosted databases.
type Driver struct {
	host *host.Host
	db   *sql.DB
}

const (
	connections    = 4
	idleConnection = time.Minute
	dialTimeout    = 5 * time.Second
	// lockWait bounds, in seconds, how long a statement of ours waits for
	// somebody's open transaction; the server's own default is a day.
	lockWait = "20"
)

// New prepares a driver; nothing is connected before it is needed.
func New(h *host.Host, cfg Config) (*Driver, error) {
	c := mysql.NewConfig()
	c.User = cfg.User
	if c.User == "" {
		c.User = "root"
	}
	c.Net, c.Addr = "unix", cfg.Socket
	c.Timeout = dialTimeout
	c.Logger = quiet{}
	c.InterpolateParams = true // one round trip for a query with parameters
	c.Params = map[string]string{
		"lock_wait_timeout":  lockWait,
		"max_statement_time": "0", // the server's limit is meant for members
		"sql_mode":           "'STRICT_TRANS_TABLES'",
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, fmt.Errorf("mariadb: %w", err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	db.SetConnMaxIdleTime(idleConnection)
	return &Driver{host: h, db: db}, nil
}

// quiet takes what the library would print; what matters comes back as errors.
type quiet struct{}

// Print implements mysql.Logger.
func (quiet) Print(v ...any) { slog.Debug("mariadb", slog.String("driver", fmt.Sprint(v...))) }

// Close ends the connections.
func (d *Driver) Close() error { return d.db.Close() }

// Ensure makes the database, its users and their rights what they should be.
// What a member stored is left as it is. When nothing differs it only reads.
func (d *Driver) Ensure(ctx context.Context, db hosting.Database) error {
	statements, err := d.repairs(ctx, db)
	if err != nil || len(statements) == 0 {
		return d.explain(string(db.Name), err)
	}
	if err := d.apply(ctx, statements); err != nil {
		return d.explain(string(db.Name), err)
	}
	if db.Sync.Steady() {
		for _, s := range statements {
			host.Repaired(ctx, s.part())
		}
		slog.WarnContext(ctx, "database repaired", slog.String("database", string(db.Name)), slog.Int("statements", len(statements)))
	}
	// Live means that the server itself says so.
	rest, err := d.repairs(ctx, db)
	if err != nil {
		return d.explain(string(db.Name), err)
	}
	if len(rest) > 0 {
		return fmt.Errorf("mariadb: %s: still differs after it was made so, next would be: %s", db.Name, rest[0].redacted)
	}
	return nil
}

// Discard drops the users and ends their connections: nobody reaches the database
// any more, and all that it holds stays. Ensure brings it back.
func (d *Driver) Discard(ctx context.Context, db hosting.Database) error {
	w, err := wish(db)
	if err != nil {
		return err
	}
	w.locked = true // so that connections are counted
	have, err := d.observe(ctx, w)
	if err != nil {
		return d.explain(w.name, err)
	}
	if err := d.apply(ctx, w.discard(have)); err != nil {
		return d.explain(w.name, err)
	}
	return nil
}

// repairs is what leads from what the server holds to what it should.
func (d *Driver) repairs(ctx context.Context, db hosting.Database) ([]statement, error) {
	return repairs(db, func(w wanted) (observed, error) { return d.observe(ctx, w) })
}

func repairs(db hosting.Database, observe func(wanted) (observed, error)) ([]statement, error) {
	w, err := wish(db)
	if err != nil {
		return nil, err
	}
	more, err := guests(db)
	if err != nil {
		return nil, err
	}
	have, err := observe(w)
	if err != nil {
		return nil, err
	}
	todo := w.repair(have)
	for _, g := range more {
		have, err := observe(g)
		if err != nil {
			return nil, err
		}
		todo = append(todo, g.repair(have)...)
	}
	return append(todo, w.strangers(have, more)...), nil
}

// Remove drops the users, ends their connections, and drops the database.
func (d *Driver) Remove(ctx context.Context, db hosting.Database) error {
	w, err := wish(db)
	if err != nil {
		return err
	}
	have, err := d.observe(ctx, w)
	if err != nil {
		return d.explain(w.name, err)
	}
	if err := d.apply(ctx, w.remove(have)); err != nil {
		return d.explain(w.name, err)
	}
	return nil
}

func (d *Driver) apply(ctx context.Context, statements []statement) error {
	for _, s := range statements {
		err := d.host.Change(func() error {
			_, err := d.db.ExecContext(ctx, s.sql)
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", s.redacted, err)
		}
	}
	return nil
}

// observeQuery reads, in one round trip, all that the server holds about one
// name. The parts that are not about rights on the schema itself are counted:
// none of them should exist. Routines that the member created in his own
// schema are his (automatic_sp_privileges).
const observeQuery = `
SELECT 'schema', SCHEMA_NAME, '', '' FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?
UNION ALL SELECT 'user', Host, Priv, '' FROM mysql.global_priv WHERE User = ?
UNION ALL SELECT 'grant', Host, Db, CONCAT(` + grantColumns + `) FROM mysql.db WHERE User = ?
UNION ALL SELECT 'other', Host, Db, Table_name FROM mysql.tables_priv WHERE User = ?
UNION ALL SELECT 'other', Host, Db, Table_name FROM mysql.columns_priv WHERE User = ?
UNION ALL SELECT 'other', Host, Db, Routine_name FROM mysql.procs_priv WHERE User = ? AND Db <> ?
UNION ALL SELECT 'other', Host, Proxied_user, '' FROM mysql.proxies_priv WHERE User = ?
UNION ALL SELECT 'other', Host, Role, '' FROM mysql.roles_mapping WHERE User = ?
UNION ALL SELECT 'guest', b.User, (SELECT COUNT(*) FROM mysql.db o WHERE o.User = b.User), '' FROM mysql.db b WHERE b.Host = 'localhost' AND b.Db = ? AND b.User <> ?`

// connectionsQuery counts the open connections of a user.
const connectionsQuery = `SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = ?`

func (d *Driver) observe(ctx context.Context, w wanted) (observed, error) {
	have := observed{users: map[string]string{}, guests: map[string]int{}}
	args := []any{w.name, w.user, w.user, w.user, w.user, w.user, w.name, w.user, w.user, pattern(w.name), w.user}
	rows, err := d.db.QueryContext(ctx, observeQuery, args...)
	if err != nil {
		return have, err
	}
	defer rows.Close()
	for rows.Next() {
		var kind, a, b, c string
		if err := rows.Scan(&kind, &a, &b, &c); err != nil {
			return have, err
		}
		switch kind {
		case "schema":
			have.schema = true
		case "user":
			have.users[a] = b
		case "grant":
			have.grants = append(have.grants, grant{host: a, pattern: b, privileges: c})
		case "guest":
			have.guests[a], _ = strconv.Atoi(b)
		default:
			have.others++
		}
	}
	if err := rows.Err(); err != nil {
		return have, err
	}
	if w.locked {
		if err := d.db.QueryRowContext(ctx, connectionsQuery, w.user).Scan(&have.connections); err != nil {
			return have, err
		}
	}
	return have, nil
}

// explain adds what a member may be told when the server cannot be reached.
func (d *Driver) explain(name string, err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("mariadb: %s: %w", name, err)
	_, dial := errors.AsType[*net.OpError](err)
	if dial || errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysql.ErrInvalidConn) {
		return &hosting.Error{Kind: hosting.Unavailable, Message: hosting.Msg("database.failed_server"), Err: err}
	}
	return err
}
