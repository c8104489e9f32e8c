package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/secret"

	"gorm.io/gorm"
)

const (
	// sessionIdle is how long a session lives without being used.
	sessionIdle = 30 * 24 * time.Hour
	// seenEvery is how exactly it is known when it was.
	seenEvery = 5 * time.Minute
	// maxFlash bounds what a session has to tell.
	maxFlash = 20
)

// Session is somebody at the panel.
type Session struct {
	ID     uint64
	Person hosting.Person
	// Actor is the person with the memberships that hold now. Its Source is
	// that of the sign-in; the panel may set it to the request's.
	Actor     hosting.Actor
	Account   hosting.AccountID // the chosen one, or the first, or 0
	Flash     []hosting.Message
	CSRF      string
	CreatedAt time.Time
	SeenAt    time.Time
	Behalf    *hosting.Account // in whose place the person acts; nil is nobody's
}

// sessionRow is a row of sessions.
type sessionRow struct {
	ID        uint64
	TokenHash []byte
	PersonID  hosting.PersonID
	AccountID hosting.AccountID
	CSRF      string
	Flash     string
	Source    string
	CreatedAt time.Time
	SeenAt    time.Time
	Agent     string

	BehalfID    hosting.AccountID
	BehalfUntil *time.Time
}

// SignIn checks an address and a password and begins a session. The token is
// for the cookie; only its hash is kept. An unknown address, a wrong password
// and a person who was shut out get the same answer after the same time. To
// somebody with a second factor it answers a *SecondStep.
func (s *Store) SignIn(ctx context.Context, email, password, source string) (Session, string, error) {
	attempt, err := s.begin(ctx, "panel", email, source)
	if err != nil {
		return Session{}, "", err
	}
	db := s.db.WithContext(ctx)
	var person hosting.Person
	if address, err := hosting.ParseEmail(email); err == nil {
		person, err = one[hosting.Person](db, "SELECT * FROM persons WHERE email = ?", address)
		if err != nil && !errors.Is(err, errNoRow) {
			return Session{}, "", err
		}
	}
	right, err := secret.Check(ctx, person.PasswordHash, password)
	if err != nil {
		return Session{}, "", fmt.Errorf("store: sign-in: %w", err)
	}
	if !right || person.Disabled {
		return Session{}, "", s.wrongPassword(ctx, attempt, "panel", string(person.Email), source)
	}
	if step, err := s.secondStep(ctx, person); err != nil {
		return Session{}, "", err
	} else if step != nil {
		if err := s.housekeep(ctx, "sign-in", func(db *gorm.DB, _ time.Time) error { return attempt.succeeded(db) }); err != nil {
			return Session{}, "", err
		}
		return Session{}, "", step
	}
	token := secret.NewToken()
	err = s.write(ctx, hosting.PersonActor(person, nil, source, now()), "session.sign_in", func(t *tx) error {
		if err := attempt.succeeded(t.DB); err != nil {
			return err
		}
		return t.beginSession(person, token, source, nil)
	})
	if err != nil {
		return Session{}, "", err
	}
	sess, err := s.Session(ctx, token)
	return sess, token, err
}

// maxSource is how much of a source is kept.
const maxSource = 64

func cut(s string, n int) string { return s[:min(len(s), n)] }

// Session reads the session of a cookie, with the person and the memberships
// as they are now.
func (s *Store) Session(ctx context.Context, token string) (Session, error) {
	return s.sessionWhere(ctx, "token_hash = ?", secret.HashToken(token))
}

// sessionWhere reads the one session that the condition tells.
func (s *Store) sessionWhere(ctx context.Context, condition string, arg any) (Session, error) {
	db := s.db.WithContext(ctx)
	at := now()
	ended := hosting.Refuse(hosting.Unauthenticated, "", "session.ended")
	row, err := one[sessionRow](db, "SELECT * FROM sessions WHERE "+condition+" AND seen_at >= ?", arg, at.Add(-sessionIdle))
	if errors.Is(err, errNoRow) {
		return Session{}, ended
	}
	if err != nil {
		return Session{}, err
	}
	person, err := one[hosting.Person](db, "SELECT * FROM persons WHERE id = ? AND disabled = 0", row.PersonID)
	if errors.Is(err, errNoRow) {
		return Session{}, ended
	}
	if err != nil {
		return Session{}, err
	}
	memberships, err := membershipsOf(db, person.ID)
	if err != nil {
		return Session{}, err
	}
	if at.Sub(row.SeenAt) > seenEvery {
		err := s.housekeep(ctx, "session", func(db *gorm.DB, now time.Time) error {
			if err := db.Exec("UPDATE sessions SET seen_at = ? WHERE id = ?", now, row.ID).Error; err != nil {
				return err
			}
			return db.Exec("UPDATE persons SET last_seen_at = ? WHERE id = ?", now, person.ID).Error
		})
		if err != nil {
			return Session{}, err
		}
	}
	person.PasswordHash = "" // whoever needs it reads it
	sess := Session{
		ID: row.ID, Person: person, Actor: hosting.PersonActor(person, memberships, row.Source, at),
		Account: row.AccountID, CSRF: row.CSRF, CreatedAt: row.CreatedAt, SeenAt: row.SeenAt,
	}
	if sess.Flash, err = readFlash(row.Flash); err != nil {
		return Session{}, err
	}
	if err := s.inPlace(ctx, &sess, row, at); err != nil {
		return Session{}, err
	}
	if accounts := sess.Actor.Accounts(); sess.Account == 0 || !sess.Actor.CanIn(hosting.AccountRead, sess.Account) {
		sess.Account = 0
		if len(accounts) > 0 {
			sess.Account = accounts[0]
		}
	}
	return sess, nil
}

// SignOut ends the session of a cookie. One that has ended is no error.
func (s *Store) SignOut(ctx context.Context, token string) error {
	sess, err := s.Session(ctx, token)
	if err != nil {
		if hosting.KindOf(err) == hosting.Unauthenticated {
			return nil
		}
		return err
	}
	return s.write(ctx, sess.Actor, "session.sign_out", func(t *tx) error {
		t.note(0, string(sess.Person.Email), nil, nil)
		if err := t.Exec("UPDATE database_passes SET expires_at = ? WHERE session_id = ? AND expires_at > ?", t.now, sess.ID, t.now).Error; err != nil {
			return err
		}
		return t.Exec("DELETE FROM sessions WHERE id = ?", sess.ID).Error
	})
}

// ChooseAccount notes which account the person looks at.
func (s *Store) ChooseAccount(ctx context.Context, sess Session, account hosting.AccountID) error {
	if !sess.Actor.CanIn(hosting.AccountRead, account) {
		return hosting.Refuse(hosting.NotFound, "", "account.not_found")
	}
	return s.housekeep(ctx, "session", func(db *gorm.DB, _ time.Time) error {
		return db.Exec("UPDATE sessions SET account_id = ? WHERE id = ?", account, sess.ID).Error
	})
}

// AddFlash keeps what the next page has to say.
func (s *Store) AddFlash(ctx context.Context, sess Session, msgs ...hosting.Message) error {
	return s.housekeep(ctx, "session", func(db *gorm.DB, _ time.Time) error {
		all, err := lockFlash(db, sess.ID)
		if err != nil {
			return err
		}
		all = append(all, msgs...)
		raw, err := json.Marshal(all[max(0, len(all)-maxFlash):])
		if err != nil {
			return err
		}
		return db.Exec("UPDATE sessions SET flash = ? WHERE id = ?", string(raw), sess.ID).Error
	})
}

// TakeFlash gives what there is to say, once.
func (s *Store) TakeFlash(ctx context.Context, sess Session) ([]hosting.Message, error) {
	nothing, err := one[bool](s.db.WithContext(ctx), "SELECT flash = '[]' FROM sessions WHERE id = ?", sess.ID)
	if nothing || errors.Is(err, errNoRow) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []hosting.Message
	err = s.housekeep(ctx, "session", func(db *gorm.DB, _ time.Time) error {
		if all, err = lockFlash(db, sess.ID); err != nil {
			return err
		}
		return db.Exec("UPDATE sessions SET flash = '[]' WHERE id = ?", sess.ID).Error
	})
	return all, err
}

func lockFlash(db *gorm.DB, session uint64) ([]hosting.Message, error) {
	raw, err := one[string](db, "SELECT flash FROM sessions WHERE id = ? FOR UPDATE", session)
	if errors.Is(err, errNoRow) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return readFlash(raw)
}

func readFlash(raw string) ([]hosting.Message, error) {
	var all []hosting.Message
	if err := json.Unmarshal([]byte(raw), &all); err != nil {
		return nil, fmt.Errorf("store: session: flash: %w", err)
	}
	return slices.Clip(all), nil
}
