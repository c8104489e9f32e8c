package store

import (
	"context"
	"errors"

	"cancale/internal/hosting"

	"gorm.io/gorm"
)

// membershipsOf are the roles of a person on accounts that are there, in the
// order in which they came. Those on a removed account come back with it.
func membershipsOf(db *gorm.DB, person hosting.PersonID) ([]hosting.Membership, error) {
	return list[hosting.Membership](db, "SELECT m.* FROM memberships m JOIN accounts a ON a.id = m.account_id WHERE m.person_id = ? AND a.kept_until IS NULL"+
		" ORDER BY m.created_at, m.account_id", person)
}

// ActorOf is a person with what they may do now, for a daemon that acts in the
// name of somebody who is signed in elsewhere.
func (s *Store) ActorOf(ctx context.Context, person hosting.PersonID, source string) (hosting.Actor, error) {
	db := s.db.WithContext(ctx)
	p, err := one[hosting.Person](db, "SELECT id, email, role, disabled FROM persons WHERE id = ? AND disabled = 0", person)
	if errors.Is(err, errNoRow) {
		return hosting.Actor{}, hosting.Refuse(hosting.Unauthenticated, "", "error.unauthenticated")
	}
	if err != nil {
		return hosting.Actor{}, err
	}
	memberships, err := membershipsOf(db, person)
	if err != nil {
		return hosting.Actor{}, err
	}
	return hosting.PersonActor(p, memberships, cut(source, maxSource), now()), nil
}
