package store

import (
	"context"
	"errors"

	"cancale/internal/hosting"
)

// AccountNotes lists what the team noted of an account, the latest first: one
// page, and how many notes there are in all. scope is that of AdminNotes, which
// no member holds.
func (s *Store) AccountNotes(ctx context.Context, scope hosting.Scope, account hosting.AccountID, page, perPage int) ([]hosting.AccountNote, int, error) {
	c := scoped(scope, "n.account_id").and("n.account_id = ?", account)
	db := s.db.WithContext(ctx)
	total, err := one[int](db, "SELECT COUNT(*) FROM account_notes n"+c.where(), c.args...)
	if err != nil {
		return nil, 0, err
	}
	limit, offset := limits(page, perPage)
	rows, err := list[hosting.AccountNote](db, "SELECT n.* FROM account_notes n"+c.where()+" ORDER BY n.id DESC LIMIT ? OFFSET ?", c.with(limit, offset)...)
	return rows, total, err
}

// AccountNote reads one note of an account.
func (s *Store) AccountNote(ctx context.Context, scope hosting.Scope, account hosting.AccountID, id hosting.AccountNoteID) (hosting.AccountNote, error) {
	c := scoped(scope, "n.account_id").and("n.account_id = ?", account).and("n.id = ?", id)
	note, err := one[hosting.AccountNote](s.db.WithContext(ctx), "SELECT n.* FROM account_notes n"+c.where(), c.args...)
	return note, orNotFound(err, "account_note")
}

// AddAccountNote notes something of an account.
func (s *Store) AddAccountNote(ctx context.Context, actor hosting.Actor, account hosting.AccountID, text string) (hosting.AccountNote, error) {
	var note hosting.AccountNote
	err := s.write(ctx, actor, "account_note.create", func(t *tx) error {
		about, err := t.notedAccount(account)
		if err != nil {
			return err
		}
		author, err := t.authorName()
		if err != nil {
			return err
		}
		note = hosting.AccountNote{AccountID: account, PersonID: t.actor.Person, Author: author, Text: text, CreatedAt: t.now}
		if err := t.Create(&note).Error; err != nil {
			return err
		}
		t.noteNote(about, nil, note)
		return nil
	})
	return note, err
}

// EditAccountNote changes what a note says; only who wrote it does.
func (s *Store) EditAccountNote(ctx context.Context, actor hosting.Actor, account hosting.AccountID, id hosting.AccountNoteID, text string) error {
	return s.write(ctx, actor, "account_note.update", func(t *tx) error {
		about, before, err := t.lockNote(account, id)
		if err != nil {
			return err
		}
		if !before.EditedBy(t.actor) {
			return hosting.Refuse(hosting.Forbidden, "", "error.forbidden")
		}
		if t.same = before.Text == text; t.same {
			return nil
		}
		after := before
		after.Text, after.EditedAt = text, &t.now
		t.noteNote(about, before, after)
		return t.Exec("UPDATE account_notes SET text = ?, edited_at = ? WHERE id = ?", text, t.now, id).Error
	})
}

// RemoveAccountNote removes a note: who wrote it does, or an administrator.
func (s *Store) RemoveAccountNote(ctx context.Context, actor hosting.Actor, account hosting.AccountID, id hosting.AccountNoteID) error {
	return s.write(ctx, actor, "account_note.delete", func(t *tx) error {
		about, before, err := t.lockNote(account, id)
		if err != nil {
			return err
		}
		if !before.RemovedBy(t.actor) {
			return hosting.Refuse(hosting.Forbidden, "", "error.forbidden")
		}
		t.noteNote(about, before, nil)
		return t.Exec("DELETE FROM account_notes WHERE id = ?", id).Error
	})
}

// noteNote is note for what members must not learn of: their activity shows
// what is of their account, so that this is of none and bears its name.
func (t *tx) noteNote(about hosting.Account, before, after any) {
	t.note(0, string(about.Name), before, after)
}

func (t *tx) notedAccount(id hosting.AccountID) (hosting.Account, error) {
	if err := t.allowPlatform(hosting.AdminNotes); err != nil {
		return hosting.Account{}, err
	}
	return t.lockAccount(id, hosting.AdminNotes)
}

func (t *tx) lockNote(account hosting.AccountID, id hosting.AccountNoteID) (hosting.Account, hosting.AccountNote, error) {
	about, err := t.notedAccount(account)
	if err != nil {
		return about, hosting.AccountNote{}, err
	}
	note, err := one[hosting.AccountNote](t.DB, "SELECT * FROM account_notes WHERE id = ? AND account_id = ? FOR UPDATE", id, account)
	return about, note, orNotFound(err, "account_note")
}

// authorName is what the actor is called under a text.
func (t *tx) authorName() (string, error) {
	person, err := one[hosting.Person](t.DB, "SELECT * FROM persons WHERE id = ?", t.actor.Person)
	if err != nil && !errors.Is(err, errNoRow) { // the machine itself is no person
		return "", err
	}
	if person.Name != "" {
		return person.Name, nil
	}
	return t.actor.Name, nil
}
