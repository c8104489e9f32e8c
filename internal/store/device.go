package store

import (
	"context"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/secret"
)

// Device is a browser that a person is signed in with.
type Device struct {
	ID        uint64 // of its session
	Source    string // address of the sign-in
	Agent     string // the browser, as it names itself
	CreatedAt time.Time
	SeenAt    time.Time
}

// Devices are the browsers that the actor is signed in with, the one used last
// first.
func (s *Store) Devices(ctx context.Context, actor hosting.Actor) ([]Device, error) {
	return list[Device](s.db.WithContext(ctx),
		"SELECT id, source, agent, created_at, seen_at FROM sessions WHERE person_id = ? AND seen_at >= ? ORDER BY seen_at DESC, id DESC",
		actor.Person, now().Add(-sessionIdle))
}

// EndDevice signs the actor out of one of the own browsers.
func (s *Store) EndDevice(ctx context.Context, actor hosting.Actor, id uint64) error {
	return s.write(ctx, actor, "session.end", func(t *tx) error {
		done := t.Exec("DELETE FROM sessions WHERE id = ? AND person_id = ?", id, actor.Person)
		if done.Error == nil && done.RowsAffected == 0 {
			return hosting.Refuse(hosting.NotFound, "", "session.not_found")
		}
		t.note(0, actor.Name, nil, nil)
		return done.Error
	})
}

// EndOtherDevices signs a person out of all browsers but this one.
func (s *Store) EndOtherDevices(ctx context.Context, sess Session) error {
	return s.write(ctx, sess.Actor, "session.end_others", func(t *tx) error {
		t.note(0, sess.Actor.Name, nil, nil)
		return t.Exec("DELETE FROM sessions WHERE person_id = ? AND id <> ?", sess.Person.ID, sess.ID).Error
	})
}

// deviceKept is how long a browser is known that is not used.
const deviceKept = 400 * 24 * time.Hour

// KnowDevice notes the browser that somebody has just signed in with, by what
// its cookie holds. One that the person never used is told by mail, except the
// very first.
func (s *Store) KnowDevice(ctx context.Context, sess Session, token, agent string) error {
	return s.write(ctx, sess.Actor, "session.new_device", func(t *tx) error {
		if err := t.Exec("DELETE FROM known_devices WHERE person_id = ? AND seen_at < ?", sess.Person.ID, t.now.Add(-deviceKept)).Error; err != nil {
			return err
		}
		known, err := one[int](t.DB, "SELECT COUNT(*) FROM known_devices WHERE person_id = ?", sess.Person.ID)
		if err != nil {
			return err
		}
		this, err := one[int](t.DB, "SELECT COUNT(*) FROM known_devices WHERE person_id = ? AND token_hash = ?", sess.Person.ID, secret.HashToken(token))
		if err != nil {
			return err
		}
		err = t.Exec("INSERT INTO known_devices (person_id, token_hash, seen_at) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE seen_at = VALUES(seen_at)",
			sess.Person.ID, secret.HashToken(token), t.now).Error
		if err != nil {
			return err
		}
		if t.same = known == 0 || this > 0; t.same {
			return nil
		}
		t.note(0, string(sess.Person.Email), nil, nil)
		return t.mailTo(sess.Person, hosting.Mail{Kind: hosting.MailDevice, Link: "/profile", Args: map[string]string{
			"agent": cutText(agent, maxAgent), "source": t.actor.Source, "at": mailTime(t.now),
		}})
	})
}
