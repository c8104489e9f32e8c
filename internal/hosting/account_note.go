package hosting

import "time"

// AccountNoteID is the number of a note.
type AccountNoteID uint64

// AccountNote is what somebody of the team noted of an association, for the
// team alone.
type AccountNote struct {
	ID        AccountNoteID
	AccountID AccountID
	PersonID  PersonID // who wrote it; 0 is the machine itself
	Author    string   // as the person was called then
	Text      string
	CreatedAt time.Time
	EditedAt  *time.Time
}

// ParseAccountNote accepts the text of a note: several lines, not empty.
func ParseAccountNote(field, s string) (string, error) {
	s, err := ParseNote(field, s)
	if err == nil && s == "" {
		err = Refuse(Invalid, field, "body.empty")
	}
	return s, err
}

// EditedBy reports whether the actor may change the note: it is hers.
func (n AccountNote) EditedBy(a Actor) bool { return n.PersonID == a.Person && a.Can(AdminNotes) }

// RemovedBy reports whether the actor may remove the note: it is hers, or she
// is an administrator.
func (n AccountNote) RemovedBy(a Actor) bool { return n.EditedBy(a) || a.Can(AdminAccounts) }
