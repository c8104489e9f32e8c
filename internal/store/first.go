package store

import (
	"context"
	"errors"

	"cancale/internal/hosting"
)

// InviteFirst makes a new link for the installation's first administrator, as
// long as no administrator can sign in: a person whose address is not known yet
// (hosting.FirstEmail). Earlier links are void. When somebody can sign in, the
// invitation is zero, and a first administrator who never came is removed with
// every link.
func (s *Store) InviteFirst(ctx context.Context, actor hosting.Actor) (Invitation, error) {
	var invitation Invitation
	settled, err := s.firstSettled(ctx)
	if err != nil || settled {
		return invitation, err
	}
	err = s.write(ctx, actor, "person.invite", func(t *tx) error {
		invitation = Invitation{}
		if err := t.allowPlatform(hosting.AdminPersons); err != nil {
			return err
		}
		person, err := one[hosting.Person](t.DB, "SELECT * FROM persons WHERE email = ? FOR UPDATE", hosting.FirstEmail)
		if err != nil && !errors.Is(err, errNoRow) {
			return err
		}
		present := err == nil
		switch administered, err := t.administered(); {
		case err != nil:
			return err
		case administered && present:
			return t.removeFirst(person)
		case administered:
			return errSettled
		}
		if present {
			t.note(0, string(person.Email), nil, nil)
		} else {
			spec := hosting.PersonSpec{Email: hosting.FirstEmail, Role: hosting.Administrator}
			if person, err = t.createPerson(spec, nil, ""); err != nil { // which notes it
				return err
			}
		}
		invitation, err = t.invite(person)
		return err
	})
	if errors.Is(err, errSettled) {
		err = nil
	}
	return invitation, err
}

// errSettled ends a transaction that has nothing to write.
var errSettled = errors.New("store: an administrator can sign in")

// firstSettled reports whether there is nothing left to do, without writing.
func (s *Store) firstSettled(ctx context.Context) (bool, error) {
	db := s.db.WithContext(ctx)
	open, err := one[int](db, "SELECT COUNT(*) FROM persons WHERE email = ?", hosting.FirstEmail)
	if err != nil || open > 0 {
		return false, err
	}
	t := tx{DB: db}
	return t.administered()
}

// administered reports whether an administrator can sign in.
func (t *tx) administered() (bool, error) {
	n, err := one[int](t.DB, "SELECT COUNT(*) FROM persons WHERE role = ? AND disabled = 0 AND password_hash <> ''", hosting.Administrator)
	return n > 0, err
}

// removeFirst removes the person whom nobody became.
func (t *tx) removeFirst(person hosting.Person) error {
	for _, statement := range []string{
		"DELETE FROM invitations WHERE person_id = ?",
		"DELETE FROM sessions WHERE person_id = ?",
		"DELETE FROM memberships WHERE person_id = ?",
		"DELETE FROM persons WHERE id = ?",
	} {
		if err := t.Exec(statement, person.ID).Error; err != nil {
			return err
		}
	}
	t.note(0, string(person.Email), person, nil)
	return nil
}
