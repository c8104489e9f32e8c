package store

import (
	"context"
	"errors"
	"strconv"

	"cancale/internal/hosting"
	"cancale/internal/secret"

	"gorm.io/gorm"
)

// DatabaseUsers are the users of a database besides its own.
func (s *Store) DatabaseUsers(ctx context.Context, scope hosting.Scope, database hosting.DatabaseID) ([]hosting.DatabaseUser, error) {
	c := scoped(scope, "account_id").and("database_id = ?", database)
	return list[hosting.DatabaseUser](s.db.WithContext(ctx), "SELECT * FROM database_users"+c.where()+" ORDER BY name", c.args...)
}

// DatabaseUser is one of them.
func (s *Store) DatabaseUser(ctx context.Context, scope hosting.Scope, id hosting.DatabaseUserID) (hosting.DatabaseUser, error) {
	c := scoped(scope, "account_id").and("id = ?", id)
	row, err := one[hosting.DatabaseUser](s.db.WithContext(ctx), "SELECT * FROM database_users"+c.where(), c.args...)
	return row, orNotFound(err, "dbuser")
}

// AddDatabaseUser lets one user more into a database. The password is told this
// once and kept nowhere.
func (s *Store) AddDatabaseUser(ctx context.Context, actor hosting.Actor, database hosting.DatabaseID, name hosting.DatabaseName, readOnly bool) (hosting.DatabaseUser, string, error) {
	password := secret.NewPassword()
	var user hosting.DatabaseUser
	err := s.write(ctx, actor, "database.user_add", func(t *tx) error {
		d, owner, err := t.lockDatabase(database, hosting.DatabasesWrite)
		if err != nil {
			return err
		}
		if parsed, err := hosting.ParseDatabaseUser(owner.Name, string(name)); err != nil || parsed != name {
			return hosting.Refuse(hosting.Invalid, "name", "dbuser.name_invalid", string(owner.Name))
		}
		taken, err := one[int](t.DB, "SELECT (SELECT COUNT(*) FROM hosted_databases WHERE name = ?) + (SELECT COUNT(*) FROM database_users WHERE name = ?)", name, name)
		if err != nil {
			return err
		}
		if taken > 0 {
			return hosting.Refuse(hosting.Conflict, "name", "dbuser.name_taken", string(name))
		}
		n, err := one[int](t.DB, "SELECT COUNT(*) FROM database_users WHERE database_id = ?", database)
		if err != nil {
			return err
		}
		if n >= hosting.MaxDatabaseUsers {
			return hosting.Refuse(hosting.OverLimit, "", "dbuser.too_many", strconv.Itoa(hosting.MaxDatabaseUsers))
		}
		user = hosting.DatabaseUser{
			AccountID: d.AccountID, DatabaseID: database, Name: name, ReadOnly: readOnly,
			PasswordHash: secret.NativeHash(password), CreatedAt: t.now,
		}
		if err := t.Table("database_users").Create(&user).Error; err != nil {
			if errors.Is(err, gorm.ErrDuplicatedKey) {
				return hosting.Refuse(hosting.Conflict, "name", "dbuser.name_taken", string(name))
			}
			return err
		}
		t.note(d.AccountID, string(d.Name), nil, user)
		return t.raise("hosted_databases", "id = ?", database)
	})
	if err != nil {
		return hosting.DatabaseUser{}, "", err
	}
	return user, password, nil
}

// ResetDatabaseUserPassword draws a new password, told this once.
func (s *Store) ResetDatabaseUserPassword(ctx context.Context, actor hosting.Actor, id hosting.DatabaseUserID) (hosting.DatabaseUser, string, error) {
	password := secret.NewPassword()
	user, err := s.changeDatabaseUser(ctx, actor, "database.user_password", id, func(t *tx, d hosting.Database, before hosting.DatabaseUser) error {
		after := before
		after.PasswordHash = secret.NativeHash(password)
		t.note(d.AccountID, string(d.Name), before, after)
		return t.Exec("UPDATE database_users SET password_hash = ? WHERE id = ?", after.PasswordHash, id).Error
	})
	if err != nil {
		return hosting.DatabaseUser{}, "", err
	}
	return user, password, nil
}

// RemoveDatabaseUser lets a user into the database no more.
func (s *Store) RemoveDatabaseUser(ctx context.Context, actor hosting.Actor, id hosting.DatabaseUserID) (hosting.DatabaseUser, error) {
	return s.changeDatabaseUser(ctx, actor, "database.user_remove", id, func(t *tx, d hosting.Database, before hosting.DatabaseUser) error {
		t.note(d.AccountID, string(d.Name), before, nil)
		return t.Exec("DELETE FROM database_users WHERE id = ?", id).Error
	})
}

func (s *Store) changeDatabaseUser(ctx context.Context, actor hosting.Actor, action string, id hosting.DatabaseUserID, change func(*tx, hosting.Database, hosting.DatabaseUser) error) (hosting.DatabaseUser, error) {
	var user hosting.DatabaseUser
	err := s.write(ctx, actor, action, func(t *tx) error {
		database, err := one[hosting.DatabaseID](t.DB, "SELECT database_id FROM database_users WHERE id = ?", id)
		if err != nil {
			return orNotFound(err, "dbuser")
		}
		d, _, err := t.lockDatabase(database, hosting.DatabasesWrite)
		if err != nil && hosting.KindOf(err) == hosting.NotFound {
			return hosting.Refuse(hosting.NotFound, "", "dbuser.not_found")
		}
		if err != nil {
			return err
		}
		if user, err = one[hosting.DatabaseUser](t.DB, "SELECT * FROM database_users WHERE id = ? FOR UPDATE", id); err != nil {
			return orNotFound(err, "dbuser")
		}
		if err := change(t, d, user); err != nil {
			return err
		}
		return t.raise("hosted_databases", "id = ?", database)
	})
	return user, err
}

// lockDatabase reads a database, and whose it is, for the rest of the
// transaction; one that goes, or belongs to a suspended account, is refused.
func (t *tx) lockDatabase(id hosting.DatabaseID, need hosting.Permission) (hosting.Database, hosting.Account, error) {
	owner, err := one[hosting.AccountID](t.DB, "SELECT account_id FROM hosted_databases WHERE id = ? AND state <> 'removed'", id)
	if err != nil {
		return hosting.Database{}, hosting.Account{}, orNotFound(err, "database")
	}
	if err := t.allow(owner, "database", need); err != nil {
		return hosting.Database{}, hosting.Account{}, err
	}
	account, err := t.openAccount(owner, need)
	if err != nil {
		return hosting.Database{}, account, err
	}
	d, err := one[hosting.Database](t.DB, "SELECT * FROM hosted_databases WHERE id = ? AND state <> 'removed' FOR UPDATE", id)
	if err != nil {
		return d, account, orNotFound(err, "database")
	}
	if d.Sync.Removing {
		return d, account, hosting.Refuse(hosting.Conflict, "", "database.removing", string(d.Name))
	}
	return d, account, nil
}

// addSignIns adds to databases who may sign in besides their own users: those
// of the node, or as where narrows it.
func (n *NodeStore) addSignIns(db *gorm.DB, databases []hosting.Database, where string, args ...any) error {
	at := make(map[hosting.DatabaseID]*hosting.Database, len(databases))
	for i := range databases {
		at[databases[i].ID] = &databases[i]
	}
	users, err := list[hosting.DatabaseUser](db, "SELECT x.* FROM database_users x JOIN hosted_databases d ON d.id = x.database_id WHERE d.node_id = ?"+where+" ORDER BY x.id",
		append([]any{n.node.ID}, args...)...)
	if err != nil {
		return err
	}
	for _, u := range users {
		if d := at[u.DatabaseID]; d != nil {
			d.Users = append(d.Users, u)
		}
	}
	passes, err := list[hosting.DatabasePass](db, "SELECT x.* FROM database_passes x WHERE x.node_id = ? AND x.expires_at > ?"+where+" ORDER BY x.id",
		append([]any{n.node.ID, now()}, args...)...)
	if err != nil {
		return err
	}
	for _, p := range passes {
		if d := at[p.DatabaseID]; d != nil {
			d.Passes = append(d.Passes, p)
		}
	}
	return nil
}
