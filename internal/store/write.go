package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"cancale/internal/hosting"

	mysqldriver "github.com/go-sql-driver/mysql"
	"gorm.io/gorm"
)

// tx is one transaction that writes. Its fields are filled anew at each
// attempt.
type tx struct {
	*gorm.DB
	actor   hosting.Actor
	action  string
	now     time.Time
	cfg     Config
	entries []hosting.AuditEntry
	same    bool // nothing differs from what is there already
	wake    bool // something is due
}

// errNoAudit is a fault of ours: a write that does not say what it did.
var errNoAudit = errors.New("store: a write without an audit row")

// write is the only transaction that changes what should be. fn notes what it
// did; the audit rows are part of the transaction. fn may run several times.
func (s *Store) write(ctx context.Context, actor hosting.Actor, action string, fn func(*tx) error) error {
	if !actor.SignedIn() {
		return hosting.Refuse(hosting.Unauthenticated, "", "error.unauthenticated")
	}
	if actor.BehalfOf() != 0 && !hosting.MayInPlace(action) {
		return hosting.Refuse(hosting.Forbidden, "", "error.in_place")
	}
	var last *tx
	err := transact(ctx, s.db, func(db *gorm.DB) error {
		t := &tx{DB: db, actor: actor, action: action, now: now(), cfg: s.cfg}
		last = t
		if err := fn(t); err != nil {
			return err
		}
		if t.same {
			return nil
		}
		if len(t.entries) == 0 {
			return fmt.Errorf("%w: %s", errNoAudit, action)
		}
		if actor.BehalfOf() != 0 && hosting.Outlasts(action) {
			if err := t.tellAccess(); err != nil {
				return err
			}
		}
		return insert(db, "audit_entries", auditColumns, t.entries, func(e hosting.AuditEntry) []any {
			return []any{e.At, e.Actor, e.Source, e.Action, e.AccountID, e.Target, e.Behalf, e.Before, e.After}
		})
	})
	if err != nil {
		return wrap(action, err)
	}
	if last.wake && !last.same {
		s.wake(ctx)
	}
	return nil
}

// housekeep is the transaction for what is no wish of anybody: the marks of a
// session, counts of failed sign-ins, rows that have ended. It leaves no audit
// row.
func (s *Store) housekeep(ctx context.Context, what string, fn func(db *gorm.DB, now time.Time) error) error {
	err := transact(ctx, s.db, func(db *gorm.DB) error { return fn(db, now()) })
	if err != nil {
		return wrap(what, err)
	}
	return nil
}

// wrap says which act an error comes from; a refusal stays as it is.
func wrap(what string, err error) error {
	if _, refused := errors.AsType[*hosting.Error](err); refused {
		return err
	}
	return asRefusal(fmt.Errorf("store: %s: %w", what, err))
}

// auditColumns are those of an audit entry, but for the one that MariaDB fills.
const auditColumns = "at, actor, source, action, account_id, target, behalf, `before`, `after`"

const (
	// insertBatch is how many rows one INSERT brings.
	insertBatch = 500

	attempts   = 10
	firstPause = 2 * time.Millisecond
	maxPause   = 200 * time.Millisecond
)

// transact runs fn in a transaction, again when MariaDB chose it as the victim
// of a deadlock (also Galera's word for a failed certification) or a lock did
// not come in time.
func transact(ctx context.Context, db *gorm.DB, fn func(*gorm.DB) error) error {
	pause := firstPause
	for n := 1; ; n++ {
		err := db.WithContext(ctx).Transaction(fn)
		if err == nil || n == attempts || !again(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(pause/2 + rand.N(pause)): //nolint:gosec // jitter is no secret
		}
		pause = min(2*pause, maxPause)
	}
}

// Error numbers of MariaDB (mysqld_error.h).
const (
	lockWaitTimeout = 1205
	lockDeadlock    = 1213
)

func again(err error) bool {
	e, ok := errors.AsType[*mysqldriver.MySQLError](err)
	return ok && (e.Number == lockDeadlock || e.Number == lockWaitTimeout)
}

// note adds the audit row of what was done to target. A nil before is a
// creation, a nil after a removal.
func (t *tx) note(account hosting.AccountID, target string, before, after any) {
	t.noteAs(t.action, account, target, before, after)
}

// noteAs is note for a part of a larger act, which has a name of its own: an
// association that is created with its first person is three rows, and each
// says what it is about.
func (t *tx) noteAs(action string, account hosting.AccountID, target string, before, after any) {
	t.entries = append(t.entries, hosting.AuditEntry{
		At: t.now, Actor: t.actor.Name, Source: t.actor.Source, Action: action,
		AccountID: account, Target: target, Behalf: t.actor.Behalf, Before: auditJSON(before), After: auditJSON(after),
	})
}

// allow refuses an actor who holds none of the permissions for the account:
// as not found when it may not even know of it.
func (t *tx) allow(account hosting.AccountID, thing string, permissions ...hosting.Permission) error {
	for _, p := range permissions {
		if t.actor.CanIn(p, account) {
			return nil
		}
	}
	if t.actor.CanIn(hosting.AccountRead, account) {
		return hosting.Refuse(hosting.Forbidden, "", "error.forbidden")
	}
	return hosting.Refuse(hosting.NotFound, "", thing+".not_found")
}

// allowPlatform refuses an actor who does not hold the permission for all.
func (t *tx) allowPlatform(p hosting.Permission) error {
	if !t.actor.Scope(p).All() {
		return hosting.Refuse(hosting.Forbidden, "", "error.forbidden")
	}
	return nil
}

// struck replaces a secret in the audit log.
const struck = "•••"

// auditJSON is a value as the audit log keeps it: without secrets, and without
// what the agent writes.
func auditJSON(v any) string {
	if v == nil {
		return ""
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return `"?"`
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return `"?"`
	}
	raw, err = json.Marshal(strike(tree))
	if err != nil {
		return `"?"`
	}
	return string(raw)
}

func strike(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			switch name := strings.ToLower(key); {
			case name == "sync" || name == "createdat" || name == "lastseenat" || name == "lastusedat":
				delete(v, key)
			case value == nil || value == "":
			case strings.Contains(name, "password"), strings.Contains(name, "token"), strings.Contains(name, "secret"), strings.Contains(name, "csrf"):
				v[key] = struck
			default:
				v[key] = strike(value)
			}
		}
	case []any:
		for i := range v {
			v[i] = strike(v[i])
		}
	}
	return v
}
