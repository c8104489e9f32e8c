package store

import (
	"context"
	"errors"
	"strings"

	"cancale/internal/hosting"
	"cancale/internal/secret"

	"gorm.io/gorm"
)

// DatabaseFilter narrows a list of databases. Zero values do not narrow.
type DatabaseFilter struct {
	Account       hosting.AccountID
	Search        string
	State         hosting.State
	Page, PerPage int
	Sort          string // "name", "account", "state", "created", "size"; "-" before it turns the order
}

// DatabaseRow is a database and whose it is.
type DatabaseRow struct {
	hosting.Database
	AccountName  hosting.AccountName
	AccountLabel string
	Size         hosting.DatabaseSize `gorm:"-"` // Databases alone reads it
}

var databaseSorts = map[string]string{
	"name": "d.name", "account": "a.label", "state": "d.state", "created": "d.created_at",
	"size": "u.bytes",
}

const (
	databaseColumns = "SELECT d.*, a.suspended AS account_suspended, a.name AS account_name, a.label AS account_label"
	fromDatabases   = " FROM hosted_databases d JOIN accounts a ON a.id = d.account_id"
)

// Databases lists the databases in scope: one page of them, and how many there
// are in all.
func (s *Store) Databases(ctx context.Context, scope hosting.Scope, f DatabaseFilter) ([]DatabaseRow, int, error) {
	c := scoped(scope, "d.account_id")
	if f.Account != 0 {
		c.and("d.account_id = ?", f.Account)
	}
	if f.Search != "" {
		c.and("d.name LIKE ?", like(strings.ToLower(f.Search)))
	}
	if f.State != "" {
		c.and("d.state = ?", f.State)
	}
	c.and("d.state <> 'removed'")
	db := s.db.WithContext(ctx)
	total, err := one[int](db, "SELECT COUNT(*) FROM hosted_databases d"+c.where(), c.args...)
	if err != nil {
		return nil, 0, err
	}
	limit, offset := limits(f.Page, f.PerPage)
	by := order(f.Sort, databaseSorts, "name", "d.id")
	from, sizes := " FROM hosted_databases d", ""
	switch strings.TrimPrefix(f.Sort, "-") {
	case "account":
		from = fromDatabases
	case "size":
		sizes = " LEFT JOIN database_usage u ON u.database_id = d.id"
	}
	// Sorting ids is ten times cheaper than sorting rows.
	page := " JOIN (SELECT d.id" + from + sizes + c.where() + by + " LIMIT ? OFFSET ?) page ON page.id = d.id"
	rows, err := list[DatabaseRow](db, databaseColumns+fromDatabases+page+sizes+by, c.with(limit, offset)...)
	if err == nil {
		err = addSizes(db, rows)
	}
	return rows, total, err
}

// Database reads one database.
func (s *Store) Database(ctx context.Context, scope hosting.Scope, id hosting.DatabaseID) (DatabaseRow, error) {
	return s.database(ctx, scoped(scope, "d.account_id").and("d.id = ?", id))
}

// DatabaseByName reads one database.
func (s *Store) DatabaseByName(ctx context.Context, scope hosting.Scope, name hosting.DatabaseName) (DatabaseRow, error) {
	return s.database(ctx, scoped(scope, "d.account_id").and("d.name = ?", name))
}

func (s *Store) database(ctx context.Context, c *conditions) (DatabaseRow, error) {
	row, err := one[DatabaseRow](s.db.WithContext(ctx), databaseColumns+fromDatabases+c.and("d.state <> 'removed'").where(), c.args...)
	return row, orNotFound(err, "database")
}

// CreateDatabase adds a database and its user to an account. The password is
// told this once and kept nowhere.
func (s *Store) CreateDatabase(ctx context.Context, actor hosting.Actor, account hosting.AccountID, name hosting.DatabaseName) (hosting.Database, string, error) {
	password := secret.NewPassword()
	var database hosting.Database
	err := s.write(ctx, actor, "database.create", func(t *tx) error {
		owner, err := t.openAccount(account, hosting.DatabasesWrite)
		if err != nil {
			return err
		}
		if !strings.HasPrefix(string(name), string(owner.Name)+"_") {
			return hosting.Refuse(hosting.Invalid, "name", "database.name_invalid", string(owner.Name))
		}
		if err := t.freeDatabaseName(name); err != nil {
			return err
		}
		if err := t.checkRoom(owner, "databases", 1); err != nil {
			return err
		}
		node, err := one[hosting.NodeID](t.DB, "SELECT id FROM nodes ORDER BY id LIMIT 1")
		if err != nil {
			return err
		}
		database = hosting.Database{
			NodeID: node, AccountID: account, Name: name, PasswordHash: secret.NativeHash(password),
			Sync: t.wished(), CreatedAt: t.now,
		}
		if err := t.Table("hosted_databases").Create(&database).Error; err != nil {
			if errors.Is(err, gorm.ErrDuplicatedKey) {
				return hosting.Refuse(hosting.Conflict, "name", "database.name_taken", string(name))
			}
			return err
		}
		t.note(account, string(name), nil, database)
		return nil
	})
	if err != nil {
		return hosting.Database{}, "", err
	}
	return database, password, nil
}

// freeDatabaseName refuses a name that is taken, also by a database that was
// removed and can be brought back; one that only a database that is gone still
// holds is taken from it.
func (t *tx) freeDatabaseName(name hosting.DatabaseName) error {
	if used, err := one[int](t.DB, "SELECT COUNT(*) FROM database_users WHERE name = ?", name); err != nil {
		return err
	} else if used > 0 {
		return hosting.Refuse(hosting.Conflict, "name", "database.name_of_user", string(name))
	}
	holder, err := one[hosting.Database](t.DB, "SELECT * FROM hosted_databases WHERE name = ? FOR UPDATE", name)
	switch {
	case errors.Is(err, errNoRow):
		return nil
	case err != nil:
		return err
	case holder.Trash.Kept():
		return hosting.Refuse(hosting.Conflict, "name", "database.name_kept", string(name))
	case holder.Sync.State == hosting.Removed:
		return t.Exec("DELETE FROM hosted_databases WHERE id = ?", holder.ID).Error
	case holder.Sync.Removing:
		return hosting.Refuse(hosting.Conflict, "name", "database.removing", string(name))
	}
	return hosting.Refuse(hosting.Conflict, "name", "database.name_taken", string(name))
}

// ResetDatabasePassword draws a new password, told this once.
func (s *Store) ResetDatabasePassword(ctx context.Context, actor hosting.Actor, id hosting.DatabaseID) (hosting.Database, string, error) {
	password := secret.NewPassword()
	database, err := s.changeDatabase(ctx, actor, "database.reset_password", id, func(t *tx, before hosting.Database) error {
		if before.Sync.Removing {
			return hosting.Refuse(hosting.Conflict, "", "database.removing", string(before.Name))
		}
		if err := t.raise("hosted_databases", "id = ?", id); err != nil {
			return err
		}
		return t.Exec("UPDATE hosted_databases SET password_hash = ? WHERE id = ?", secret.NativeHash(password), id).Error
	})
	if err != nil {
		return hosting.Database{}, "", err
	}
	return database, password, nil
}

// RemoveDatabase takes a database out of service: nobody signs in to it any
// more. For some days it can be brought back, with all that it holds.
func (s *Store) RemoveDatabase(ctx context.Context, actor hosting.Actor, id hosting.DatabaseID) (hosting.Database, error) {
	return s.changeDatabase(ctx, actor, "database.remove", id, func(t *tx, before hosting.Database) error {
		if t.same = before.Sync.Removing; t.same {
			return nil
		}
		until, err := t.keptUntil()
		if err != nil {
			return err
		}
		return t.discard("hosted_databases", "", until, "id = ?", id)
	})
}

// RetryDatabase lets the agent look at a database now.
func (s *Store) RetryDatabase(ctx context.Context, actor hosting.Actor, id hosting.DatabaseID) (hosting.Database, error) {
	return s.changeDatabase(ctx, actor, "database.retry", id, func(t *tx, before hosting.Database) error {
		return t.dueNow("hosted_databases", uint64(id), before.Sync)
	}, hosting.AdminSuspend)
}

// changeDatabase locks the account and the database, lets change write, and
// notes what the database was and is.
func (s *Store) changeDatabase(ctx context.Context, actor hosting.Actor, action string, id hosting.DatabaseID, change func(*tx, hosting.Database) error, also ...hosting.Permission) (hosting.Database, error) {
	permissions := append([]hosting.Permission{hosting.DatabasesWrite}, also...)
	const read = "SELECT d.*, a.suspended AS account_suspended" + fromDatabases + " WHERE d.id = ? AND d.state <> 'removed'"
	var after hosting.Database
	err := s.write(ctx, actor, action, func(t *tx) error {
		account, err := one[hosting.AccountID](t.DB, "SELECT account_id FROM hosted_databases WHERE id = ? AND state <> 'removed'", id)
		if err != nil {
			return orNotFound(err, "database")
		}
		if err := t.allow(account, "database", permissions...); err != nil {
			return err
		}
		if _, err := t.lockAccount(account, permissions...); err != nil {
			return err
		}
		before, err := one[hosting.Database](t.DB, read+" FOR UPDATE", id)
		if err != nil {
			return orNotFound(err, "database")
		}
		if err := change(t, before); err != nil {
			return err
		}
		if after = before; t.same {
			return nil
		}
		if after, err = one[hosting.Database](t.DB, read, id); err != nil {
			return err
		}
		t.note(account, string(before.Name), before, orNil(after, after.Sync.Removing))
		return nil
	})
	return after, err
}
