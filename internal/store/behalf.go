package store

import (
	"context"
	"errors"
	"strings"
	"time"

	"cancale/internal/hosting"
)

// behalfLife is how long somebody of the team acts in the place of an account
// before it has to be asked for anew.
const behalfLife = time.Hour

// inPlace makes the actor of a session the account's in whose place the person
// acts, if that still holds.
func (s *Store) inPlace(ctx context.Context, sess *Session, row sessionRow, at time.Time) error {
	if row.BehalfID == 0 || row.BehalfUntil == nil || !at.Before(*row.BehalfUntil) {
		return nil
	}
	actor, account, err := s.onBehalf(ctx, sess.Actor, row.BehalfID)
	if err != nil || account == nil {
		return err
	}
	sess.Actor, sess.Behalf, sess.Account = actor, account, account.ID
	return nil
}

// onBehalf is the actor in the place of an account; unchanged, and nil, when
// that is not allowed or the account is gone.
func (s *Store) onBehalf(ctx context.Context, actor hosting.Actor, id hosting.AccountID) (hosting.Actor, *hosting.Account, error) {
	if !actor.Scope(hosting.AdminActAs).All() {
		return actor, nil, nil
	}
	account, err := one[hosting.Account](s.db.WithContext(ctx), "SELECT id, name, label, plan_id, suspended, removing, expires FROM accounts WHERE id = ?", id)
	if errors.Is(err, errNoRow) {
		return actor, nil, nil
	}
	if err != nil {
		return actor, nil, err
	}
	return actor.OnBehalf(account), &account, nil
}

// ActorInPlace is ActorOf in the place of an account. It is refused to who may
// not do that, so that nobody acts with more than they thought.
func (s *Store) ActorInPlace(ctx context.Context, person hosting.PersonID, account hosting.AccountID, source string) (hosting.Actor, error) {
	actor, err := s.ActorOf(ctx, person, source)
	if err != nil {
		return actor, err
	}
	actor, found, err := s.onBehalf(ctx, actor, account)
	if err == nil && found == nil {
		return hosting.Actor{}, hosting.Refuse(hosting.Forbidden, "", "error.forbidden")
	}
	return actor, err
}

// ActInPlace lets a person of the team act in the place of an account from now
// on, in this session, for an hour.
func (s *Store) ActInPlace(ctx context.Context, sess Session, id hosting.AccountID) error {
	return s.write(ctx, sess.Actor, "account.act_as", func(t *tx) error {
		if err := t.allowPlatform(hosting.AdminActAs); err != nil {
			return err
		}
		account, err := one[hosting.Account](t.DB, "SELECT * FROM accounts WHERE id = ?", id)
		if err != nil {
			return orNotFound(err, "account")
		}
		t.note(id, string(account.Name), nil, nil)
		return t.Exec("UPDATE sessions SET behalf_id = ?, behalf_until = ?, account_id = ? WHERE id = ?", id, t.now.Add(behalfLife), id, sess.ID).Error
	})
}

// EndInPlace makes a person of the team themselves again.
func (s *Store) EndInPlace(ctx context.Context, sess Session) error {
	if sess.Behalf == nil {
		return nil
	}
	return s.write(ctx, sess.Actor, "account.act_as_end", func(t *tx) error {
		t.note(sess.Behalf.ID, string(sess.Behalf.Name), nil, nil)
		return t.Exec("UPDATE sessions SET behalf_id = 0, behalf_until = NULL WHERE id = ?", sess.ID).Error
	})
}

// tellAccess tells the owners of an account that somebody of the team gave an
// access in its place, by name: it stays when the hour is over.
func (t *tx) tellAccess() error {
	account, err := t.accountLabel(t.actor.BehalfOf())
	if err != nil {
		return err
	}
	return t.mailOwners(t.actor.BehalfOf(), hosting.Mail{Kind: hosting.MailAccess, Link: "/activity", Args: map[string]string{
		"account": account, "author": t.actor.Name, "act": strings.ReplaceAll(t.action, ".", "_"), "subject": t.entries[0].Target, "at": mailTime(t.now),
	}})
}
