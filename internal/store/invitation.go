package store

import (
	"context"
	"errors"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/secret"

	"gorm.io/gorm"
)

const (
	invitationLife = 7 * 24 * time.Hour
	resetLife      = 24 * time.Hour
)

// Invitation lets who holds its token choose a password.
type Invitation struct {
	Token   string // shown once; empty when the invitation was only read, or when none was needed
	Person  hosting.PersonID
	Reset   bool // it replaces a password that exists
	Expires time.Time
}

// invitationRow is a row of invitations.
type invitationRow struct {
	TokenHash []byte `gorm:"primaryKey"`
	PersonID  hosting.PersonID
	Reset     bool
	CreatedAt time.Time
	ExpiresAt time.Time
}

// Invite makes a new invitation, or a link to reset the password of a person
// who has one. Earlier ones are void.
func (s *Store) Invite(ctx context.Context, actor hosting.Actor, id hosting.PersonID) (Invitation, error) {
	var invitation Invitation
	err := s.write(ctx, actor, "person.invite", func(t *tx) error {
		person, err := one[hosting.Person](t.DB, "SELECT * FROM persons WHERE id = ? FOR UPDATE", id)
		if errors.Is(err, errNoRow) {
			return hosting.Refuse(hosting.NotFound, "", "person.not_found")
		}
		if err != nil {
			return err
		}
		if err := t.allowInvite(person); err != nil {
			return err
		}
		if person.Disabled {
			return hosting.Refuse(hosting.Conflict, "", "person.disabled", string(person.Email))
		}
		if invitation, err = t.invite(person); err != nil {
			return err
		}
		t.note(0, string(person.Email), nil, invitation)
		return t.mailInvitation(person, invitation, nil)
	})
	return invitation, err
}

// allowInvite refuses who may not have a link that makes him that person: an
// administrator may; an owner only while the person has no password, no role
// on the platform and no role on an account that is not his.
func (t *tx) allowInvite(person hosting.Person) error {
	if t.actor.Scope(hosting.AdminPersons).All() {
		return nil
	}
	accounts, err := list[hosting.AccountID](t.DB, "SELECT account_id FROM memberships WHERE person_id = ?", person.ID)
	if err != nil {
		return err
	}
	known, all := false, len(accounts) > 0
	for _, id := range accounts {
		known = known || t.actor.CanIn(hosting.PeopleRead, id)
		all = all && t.actor.CanIn(hosting.PeopleWrite, id)
	}
	switch {
	case !known:
		return hosting.Refuse(hosting.NotFound, "", "person.not_found")
	case !all || person.PasswordHash != "" || person.Role != hosting.NoRole:
		return hosting.Refuse(hosting.Forbidden, "", "error.forbidden")
	}
	return nil
}

func (t *tx) invite(person hosting.Person) (Invitation, error) {
	if err := t.Exec("DELETE FROM invitations WHERE person_id = ?", person.ID).Error; err != nil {
		return Invitation{}, err
	}
	invitation := Invitation{Token: secret.NewToken(), Person: person.ID, Reset: person.PasswordHash != "", Expires: t.now.Add(invitationLife)}
	if invitation.Reset {
		invitation.Expires = t.now.Add(resetLife)
	}
	row := invitationRow{
		TokenHash: secret.HashToken(invitation.Token), PersonID: person.ID, Reset: invitation.Reset,
		CreatedAt: t.now, ExpiresAt: invitation.Expires,
	}
	return invitation, t.Table("invitations").Create(&row).Error
}

// Invitation reads an invitation that still holds, and whom it is for.
func (s *Store) Invitation(ctx context.Context, token string) (hosting.Person, Invitation, error) {
	person, row, err := readInvitation(s.db.WithContext(ctx), token, now(), "")
	person.PasswordHash = ""
	return person, Invitation{Person: person.ID, Reset: row.Reset, Expires: row.ExpiresAt}, err
}

func readInvitation(db *gorm.DB, token string, at time.Time, lock string) (hosting.Person, invitationRow, error) {
	gone := hosting.Refuse(hosting.NotFound, "", "invitation.not_found")
	row, err := one[invitationRow](db, "SELECT * FROM invitations WHERE token_hash = ? AND expires_at > ?"+lock, secret.HashToken(token), at)
	if errors.Is(err, errNoRow) {
		return hosting.Person{}, row, gone
	}
	if err != nil {
		return hosting.Person{}, row, err
	}
	person, err := one[hosting.Person](db, "SELECT * FROM persons WHERE id = ? AND disabled = 0"+lock, row.PersonID)
	if errors.Is(err, errNoRow) {
		return hosting.Person{}, row, gone
	}
	return person, row, err
}

// AcceptInvitation sets the password of the invited person, and the name when
// one is given. The invitation is used up; sessions that the person had end.
func (s *Store) AcceptInvitation(ctx context.Context, token, name, password, source string) (hosting.Person, error) {
	return s.accept(ctx, token, "", name, password, source)
}

// AcceptFirst is AcceptInvitation for the first administrator, who gives an
// address too.
func (s *Store) AcceptFirst(ctx context.Context, token string, email hosting.Email, name, password, source string) (hosting.Person, error) {
	return s.accept(ctx, token, email, name, password, source)
}

// accept takes the address from whoever has none that mail could reach.
func (s *Store) accept(ctx context.Context, token string, email hosting.Email, name, password, source string) (hosting.Person, error) {
	person, row, err := readInvitation(s.db.WithContext(ctx), token, now(), "")
	if err != nil {
		return hosting.Person{}, err
	}
	if person.Email != hosting.FirstEmail || email == "" {
		email = person.Email
	}
	hash, err := hashPassword(ctx, "password", password, email)
	if err != nil {
		return hosting.Person{}, err
	}
	action := "invitation.accept"
	if row.Reset {
		action = "password.reset"
	}
	err = s.write(ctx, hosting.PersonActor(person, nil, source, now()), action, func(t *tx) error {
		before, _, err := readInvitation(t.DB, token, t.now, " FOR UPDATE")
		if err != nil {
			return err
		}
		person = before
		person.Email, person.PasswordHash = email, hash
		if name != "" {
			person.Name = name
		}
		if err := t.Exec("UPDATE persons SET email = ?, password_hash = ?, name = ? WHERE id = ?", person.Email, hash, person.Name, person.ID).Error; err != nil {
			return emailTaken(err, person.Email)
		}
		if err := forgetSessions(t.DB, person.ID, 0); err != nil {
			return err
		}
		if err := t.Exec("DELETE FROM throttles WHERE subject = ?", subject("panel", string(person.Email))).Error; err != nil {
			return err
		}
		t.note(0, string(person.Email), before, person)
		return nil
	})
	person.PasswordHash = ""
	return person, err
}
