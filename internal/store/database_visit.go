package store

import (
	"context"
	"errors"
	"strconv"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/secret"

	"gorm.io/gorm"
)

// Visit is somebody at work in a database by way of the panel: the pass, and
// the session with what its person may do now.
type Visit struct {
	Pass     hosting.DatabasePass
	Session  Session
	Database hosting.Database
}

// BeginVisit lets the person of a session into a database for a while, with this
// password, to read only when the person may not write. The token names the
// visit from then on; of both only hashes are kept. A visit that the same session
// has there ends.
func (s *Store) BeginVisit(ctx context.Context, actor hosting.Actor, session Session, database hosting.DatabaseID, token, password string) (hosting.DatabasePass, error) {
	var pass hosting.DatabasePass
	err := s.write(ctx, actor, "database.adminer", func(t *tx) error {
		d, _, err := t.lockDatabase(database, hosting.DatabasesContent)
		if err != nil {
			return err
		}
		if err := t.Exec("UPDATE database_passes SET expires_at = ? WHERE database_id = ? AND session_id = ? AND expires_at > ?", t.now, database, session.ID, t.now).Error; err != nil {
			return err
		}
		n, err := one[int](t.DB, "SELECT COUNT(*) FROM database_passes WHERE database_id = ? AND session_id <> 0 AND expires_at > ?", database, t.now)
		if err != nil {
			return err
		}
		if n >= hosting.MaxVisits {
			return hosting.Refuse(hosting.Conflict, "", "adminer.too_many", strconv.Itoa(hosting.MaxVisits))
		}
		pass = hosting.DatabasePass{
			NodeID: d.NodeID, AccountID: d.AccountID, DatabaseID: database, PasswordHash: secret.NativeHash(password),
			CreatedAt: t.now, ExpiresAt: t.now.Add(hosting.VisitIdle),
			SessionID: session.ID, ReadOnly: !t.actor.CanIn(hosting.DatabasesWrite, d.AccountID), TokenHash: secret.HashToken(token),
		}
		if err := t.Table("database_passes").Create(&pass).Error; err != nil {
			return err
		}
		t.note(d.AccountID, string(d.Name), nil, struct{ ReadOnly bool }{pass.ReadOnly})
		return nil
	})
	return pass, err
}

// Visit reads the visit that a token names, if it still holds: its session, the
// rights of its person, and its time.
func (s *Store) Visit(ctx context.Context, token string) (Visit, error) {
	pass, err := one[hosting.DatabasePass](s.db.WithContext(ctx), "SELECT * FROM database_passes WHERE token_hash = ? AND expires_at > ?", secret.HashToken(token), now())
	if err != nil {
		return Visit{}, orNotFound(err, "adminer")
	}
	return s.visitOf(ctx, pass)
}

func (s *Store) visitOf(ctx context.Context, pass hosting.DatabasePass) (Visit, error) {
	over := hosting.Refuse(hosting.NotFound, "", "adminer.not_found")
	sess, err := s.sessionWhere(ctx, "id = ?", pass.SessionID)
	if hosting.KindOf(err) == hosting.Unauthenticated {
		return Visit{}, over
	}
	if err != nil {
		return Visit{}, err
	}
	if !sess.Actor.CanIn(hosting.DatabasesContent, pass.AccountID) || !pass.ReadOnly && !sess.Actor.CanIn(hosting.DatabasesWrite, pass.AccountID) {
		return Visit{}, over
	}
	d, err := s.Database(ctx, sess.Actor.Scope(hosting.DatabasesContent), pass.DatabaseID)
	if err != nil && hosting.KindOf(err) != hosting.NotFound {
		return Visit{}, err
	}
	if err != nil || d.Sync.Removing || d.AccountSuspended {
		return Visit{}, over
	}
	return Visit{Pass: pass, Session: sess, Database: d.Database}, nil
}

// prolongEvery is how exactly it is known when a visit was last used.
const prolongEvery = 30 * time.Second

// ProlongVisit notes that a visit is used.
func (s *Store) ProlongVisit(ctx context.Context, pass hosting.DatabasePass) error {
	until := now().Add(hosting.VisitIdle)
	if longest := pass.CreatedAt.Add(hosting.VisitLongest); until.After(longest) {
		until = longest
	}
	if until.Sub(pass.ExpiresAt) < prolongEvery {
		return nil
	}
	return s.housekeep(ctx, "visit", func(db *gorm.DB, now time.Time) error {
		return db.Exec("UPDATE database_passes SET expires_at = ? WHERE id = ? AND expires_at > ?", until, pass.ID, now).Error
	})
}

// OpenVisit is the visit that a session has to a database; false when it has
// none.
func (s *Store) OpenVisit(ctx context.Context, session Session, database hosting.DatabaseID) (hosting.DatabasePass, bool, error) {
	pass, err := one[hosting.DatabasePass](s.db.WithContext(ctx), "SELECT * FROM database_passes WHERE session_id = ? AND database_id = ? AND session_id <> 0 AND expires_at > ? LIMIT 1", session.ID, database, now())
	if errors.Is(err, errNoRow) {
		return pass, false, nil
	}
	return pass, err == nil, err
}

// EndVisit ends a visit. One that has ended is no error.
func (s *Store) EndVisit(ctx context.Context, id hosting.DatabasePassID) error {
	return s.housekeep(ctx, "visit", func(db *gorm.DB, now time.Time) error {
		return db.Exec("UPDATE database_passes SET expires_at = ? WHERE id = ? AND session_id <> 0 AND expires_at > ?", now, id, now).Error
	})
}

// endVisits ends the visits whose person signed out or lost the right to them.
// The agent then takes off their passes.
func (s *Store) endVisits(ctx context.Context) error {
	passes, err := list[hosting.DatabasePass](s.db.WithContext(ctx), "SELECT * FROM database_passes WHERE session_id <> 0 AND expires_at > ?", now())
	if err != nil {
		return err
	}
	for _, pass := range passes {
		_, err := s.visitOf(ctx, pass)
		if hosting.KindOf(err) == hosting.NotFound {
			err = s.EndVisit(ctx, pass.ID)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
