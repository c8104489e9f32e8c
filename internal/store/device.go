package store

import (
	"context"
	"time"

	"cancale/internal/hosting"
)

// Device is a browser that a person is signed in with.
type Device struct {
	ID        uint64 // of its session
	Source    string // address of the sign-in
	CreatedAt time.Time
	SeenAt    time.Time
}

// Devices are the browsers that the actor is signed in with, the one used last
// first.
func (s *Store) Devices(ctx context.Context, actor hosting.Actor) ([]Device, error) {
	return list[Device](s.db.WithContext(ctx),
		"SELECT id, source, created_at, seen_at FROM sessions WHERE person_id = ? AND seen_at >= ? ORDER BY seen_at DESC, id DESC",
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
