package mariadb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"cancale/internal/hosting"

	"github.com/go-sql-driver/mysql"
)

// Empty drops all that is in a database: its tables, views and routines. Who is
// signed in is thrown out, for an open table would stay.
func (d *Driver) Empty(ctx context.Context, db hosting.Database) error {
	w, err := wish(db)
	if err != nil {
		return err
	}
	err = d.apply(ctx, []statement{
		plain("KILL USER %s", account(w.user, localhost)),
		plain("DROP DATABASE IF EXISTS %s", identifier(w.name)),
	})
	if err != nil {
		return d.explain(w.name, err)
	}
	return d.Ensure(ctx, db)
}

// maxReport is how much of the server's own words about a table is kept.
const maxReport = 300

// Check asks the server to look at each table of a database, and to repair what
// it can; to build it anew instead when optimize is set. told is called before
// each table.
func (d *Driver) Check(ctx context.Context, db hosting.Database, optimize bool, told func(done, all int)) ([]hosting.TableReport, error) {
	w, err := wish(db)
	if err != nil {
		return nil, err
	}
	rows, err := d.db.QueryContext(ctx, "SELECT TABLE_NAME, COALESCE(ENGINE, '') FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_TYPE = 'BASE TABLE' ORDER BY TABLE_NAME", w.name)
	if err != nil {
		return nil, d.explain(w.name, err)
	}
	defer rows.Close()
	tables := []hosting.TableReport{}
	for rows.Next() {
		var t hosting.TableReport
		if err := rows.Scan(&t.Table, &t.Engine); err != nil {
			return nil, d.explain(w.name, err)
		}
		tables = append(tables, t)
	}
	if err := rows.Err(); err != nil {
		return nil, d.explain(w.name, err)
	}
	for i := range tables {
		told(i, len(tables))
		t := &tables[i]
		name := identifier(w.name) + "." + identifier(t.Table)
		if optimize {
			t.OK, t.Text, err = d.maintain(ctx, "OPTIMIZE NO_WRITE_TO_BINLOG TABLE "+name)
		} else {
			t.OK, t.Text, err = d.maintain(ctx, "CHECK TABLE "+name)
			if err == nil && !t.OK && repairable[strings.ToLower(t.Engine)] {
				t.OK, t.Text, err = d.maintain(ctx, "REPAIR NO_WRITE_TO_BINLOG TABLE "+name)
			}
		}
		if refusal, ok := errors.AsType[*mysql.MySQLError](err); ok { // of this table; others may do
			t.OK, t.Text, err = false, refusal.Message, nil
		}
		if err != nil {
			return nil, d.explain(w.name, err)
		}
		t.Text = hosting.Visible(t.Text, maxReport)
	}
	return tables, nil
}

// repairable are the engines that know REPAIR TABLE. InnoDB repairs itself when
// the server starts, or not at all.
var repairable = map[string]bool{"myisam": true, "aria": true, "archive": true, "csv": true}

// maintain runs a statement that answers by rows of messages: all is well when
// the last status is, and nothing before it an error.
func (d *Driver) maintain(ctx context.Context, statement string) (ok bool, said string, err error) {
	var rows *sql.Rows
	err = d.host.Change(func() error {
		rows, err = d.db.QueryContext(ctx, statement) //nolint:rowserrcheck,sqlclosecheck // below, when there are any
		return err
	})
	if err != nil {
		return false, "", err
	}
	defer rows.Close()
	ok = true
	var words []string
	for rows.Next() {
		var table, op, kind, text string
		if err := rows.Scan(&table, &op, &kind, &text); err != nil {
			return false, "", fmt.Errorf("%s: %w", op, err)
		}
		switch strings.ToLower(kind) {
		case "error":
			ok = false
			words = append(words, text)
		case "warning":
			words = append(words, text)
		case "status":
			ok = ok && (strings.EqualFold(text, "OK") || strings.Contains(text, "up to date"))
		}
	}
	return ok, strings.Join(words, "; "), rows.Err()
}
