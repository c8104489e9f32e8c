package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/secret"

	"gorm.io/gorm"
)

const (
	// mailLife is how long it is tried to send a mail.
	mailLife = 3 * 24 * time.Hour
	// mailKept is how long a mail can be read in the panel.
	mailKept = 90 * 24 * time.Hour
	// mailLease is how long a sender has for one mail; after a sender that died
	// it is tried again.
	mailLease = 5 * time.Minute
	// mailTries is how often a server may say that a mail can never be sent.
	mailTries = 3

	mailFirstPause = time.Minute
	mailLongPause  = 4 * time.Hour
	// maxDetail is how much of a server's answer is kept, in bytes.
	maxDetail = 500
)

// sealMail is what the secret parts of a mail are sealed for.
const sealMail = "mail"

// mailRow is a row of mails.
type mailRow struct {
	ID        hosting.MailID
	Kind      hosting.MailKind
	AccountID hosting.AccountID
	Email     hosting.Email
	Name      string
	Language  string
	Sealed    []byte
	State     hosting.MailState
	Tries     int
	DueAt     time.Time
	VoidAt    time.Time
	Problem   string
	Detail    string
	Subject   string
	Text      string
	CreatedAt time.Time
	SentAt    *time.Time
}

// TableName is what GORM asks for.
func (mailRow) TableName() string { return "mails" }

// forgottenRow is a row of forgotten.
type forgottenRow struct {
	ID        uint64
	Email     string
	Source    string
	CreatedAt time.Time
}

// TableName is what GORM asks for.
func (forgottenRow) TableName() string { return "forgotten" }

// mailSecret is what is sealed of a mail.
type mailSecret struct {
	Args map[string]string
	Link string
}

// mail queues a mail: it is sent if, and only if, the transaction comes to its
// end. Nobody is written to at an address that is none.
func (t *tx) mail(m hosting.Mail) error {
	if m.Email == "" || m.Email == hosting.FirstEmail {
		return nil
	}
	data, err := json.Marshal(mailSecret{m.Args, m.Link})
	if err != nil {
		return err
	}
	sealed, err := t.cfg.sealer().Seal(sealMail, data)
	if err != nil {
		return err
	}
	row := mailRow{
		Kind: m.Kind, AccountID: m.AccountID, Email: m.Email, Name: m.Name, Language: languageOr(m.Language, "fr"),
		Sealed: sealed, State: hosting.MailWaiting, DueAt: t.now, VoidAt: m.VoidAt, Problem: "{}", CreatedAt: t.now,
	}
	if row.VoidAt.IsZero() {
		row.VoidAt = t.now.Add(mailLife)
	}
	return t.Create(&row).Error
}

// mailTo is mail to a person.
func (t *tx) mailTo(p hosting.Person, m hosting.Mail) error {
	if p.Disabled {
		return nil
	}
	m.Email, m.Name, m.Language = p.Email, p.Name, p.Language
	return t.mail(m)
}

// mailMembers is mail to the members of an account that a condition chooses.
func (t *tx) mailMembers(account hosting.AccountID, which string, m hosting.Mail) error {
	persons, err := list[hosting.Person](t.DB, "SELECT p.* FROM persons p JOIN memberships m ON m.person_id = p.id"+
		" WHERE m.account_id = ? AND (m.until IS NULL OR m.until > ?) AND p.disabled = 0 "+which+" ORDER BY p.id", account, t.now)
	if err != nil {
		return err
	}
	m.AccountID = account
	for _, p := range persons {
		if err := t.mailTo(p, m); err != nil {
			return err
		}
	}
	return nil
}

// mailInvitation tells a person of the link that was made for her; account may
// be nil.
func (t *tx) mailInvitation(person hosting.Person, invitation Invitation, m *MembershipSpec) error {
	mail := hosting.Mail{
		Kind: hosting.MailTeam, Link: "/invitation/" + invitation.Token, VoidAt: invitation.Expires,
		Args: map[string]string{"until": mailTime(invitation.Expires)},
	}
	switch {
	case invitation.Reset:
		mail.Kind = hosting.MailReset
	case m != nil:
		label, err := t.accountLabel(m.Account)
		if err != nil {
			return err
		}
		mail.Kind, mail.AccountID = hosting.MailInvitation, m.Account
		mail.Args["account"], mail.Args["role"] = label, string(m.Role)
	}
	return t.mailTo(person, mail)
}

// accountLabel is the name of an association for people.
func (t *tx) accountLabel(id hosting.AccountID) (string, error) {
	return one[string](t.DB, "SELECT IF(label = '', name, label) FROM accounts WHERE id = ?", id)
}

// mailTime is a moment as the arguments of a mail hold it.
func mailTime(at time.Time) string { return at.UTC().Format(time.RFC3339) }

func (c Config) sealer() secret.Sealer { return secret.NewSealer(c.Seal) }

// MailFilter narrows the list of mails. Zero values do not narrow.
type MailFilter struct {
	State         hosting.MailState
	Search        string // in the address and the name
	Page, PerPage int
}

// Mails lists the mails in scope, the latest first: one page of them, without
// what they say, and how many there are in all.
func (s *Store) Mails(ctx context.Context, scope hosting.Scope, f MailFilter) ([]hosting.Mail, int, error) {
	c := scoped(scope, "m.account_id")
	if f.State != "" {
		c.and("m.state = ?", f.State)
	}
	if f.Search != "" {
		c.and("m.email LIKE ? OR m.name LIKE ?", like(strings.ToLower(f.Search)), like(f.Search))
	}
	db := s.db.WithContext(ctx)
	total, err := one[int](db, "SELECT COUNT(*) FROM mails m"+c.where(), c.args...)
	if err != nil {
		return nil, 0, err
	}
	limit, offset := limits(f.Page, f.PerPage)
	rows, err := list[mailRow](db, "SELECT m.id, m.kind, m.account_id, m.email, m.name, m.language, m.state, m.tries, m.due_at, m.void_at, m.problem, m.detail, m.subject, m.created_at, m.sent_at FROM mails m"+
		c.where()+" ORDER BY m.id DESC LIMIT ? OFFSET ?", c.with(limit, offset)...)
	if err != nil {
		return nil, 0, err
	}
	mails := make([]hosting.Mail, len(rows))
	for i, row := range rows {
		if mails[i], err = row.mail(secretOfNone); err != nil {
			return nil, 0, err
		}
	}
	return mails, total, nil
}

// Mail reads one mail, with what it says.
func (s *Store) Mail(ctx context.Context, scope hosting.Scope, id hosting.MailID) (hosting.Mail, error) {
	c := scoped(scope, "m.account_id").and("m.id = ?", id)
	row, err := one[mailRow](s.db.WithContext(ctx), "SELECT m.* FROM mails m"+c.where(), c.args...)
	if err != nil {
		return hosting.Mail{}, orNotFound(err, "mail")
	}
	return row.mail(s.openMail)
}

func secretOfNone([]byte) (mailSecret, error) { return mailSecret{}, nil }

func (s *Store) openMail(sealed []byte) (inside mailSecret, err error) {
	data, err := s.cfg.sealer().Open(sealMail, sealed)
	if err == nil {
		err = json.Unmarshal(data, &inside)
	}
	if err != nil {
		return inside, fmt.Errorf("store: mail: %w", err)
	}
	return inside, nil
}

func (row mailRow) mail(open func([]byte) (mailSecret, error)) (hosting.Mail, error) {
	m := hosting.Mail{
		ID: row.ID, Kind: row.Kind, AccountID: row.AccountID, Email: row.Email, Name: row.Name, Language: row.Language,
		State: row.State, Tries: row.Tries, DueAt: row.DueAt, VoidAt: row.VoidAt, Detail: row.Detail,
		Subject: row.Subject, Text: row.Text, CreatedAt: row.CreatedAt, SentAt: row.SentAt,
	}
	if err := json.Unmarshal([]byte(row.Problem), &m.Problem); err != nil {
		return m, fmt.Errorf("store: mail %d: %w", row.ID, err)
	}
	inside, err := open(row.Sealed)
	m.Args, m.Link = inside.Args, inside.Link
	return m, err
}

// ResendMail sends a mail again, now. One whose link is no good any more is
// refused: a new link is wanted then.
func (s *Store) ResendMail(ctx context.Context, actor hosting.Actor, id hosting.MailID) error {
	return s.write(ctx, actor, "mail.resend", func(t *tx) error {
		if err := t.allowPlatform(hosting.AdminMails); err != nil {
			return err
		}
		row, err := one[mailRow](t.DB, "SELECT * FROM mails WHERE id = ? FOR UPDATE", id)
		if err != nil {
			return orNotFound(err, "mail")
		}
		if row.Kind.Secret() && !row.VoidAt.After(t.now) {
			return hosting.Refuse(hosting.Conflict, "", "mail.link_ended")
		}
		if !row.Kind.Secret() {
			row.VoidAt = t.now.Add(mailLife)
		}
		t.note(row.AccountID, string(row.Email), nil, map[string]string{"Kind": string(row.Kind)})
		return t.Exec("UPDATE mails SET state = 'waiting', tries = 0, due_at = ?, void_at = ?, problem = '{}', detail = '' WHERE id = ?", t.now, row.VoidAt, id).Error
	})
}

// ClaimMails takes up mails that are due, the longest waiting first. Who
// claims one tells soon how it went; otherwise it is due again. A mail that
// makes no sense any more is given up.
func (s *Store) ClaimMails(ctx context.Context, limit int) ([]hosting.Mail, error) {
	var rows []mailRow
	err := s.housekeep(ctx, "mails", func(db *gorm.DB, now time.Time) (err error) {
		err = db.Exec("UPDATE mails SET state = 'failed', problem = ? WHERE state = 'waiting' AND void_at <= ?", `{"key":"mail.void"}`, now).Error
		if err != nil {
			return err
		}
		rows, err = list[mailRow](db, "SELECT * FROM mails WHERE state = 'waiting' AND due_at <= ? ORDER BY due_at, id LIMIT ? FOR UPDATE", now, limit)
		if err != nil || len(rows) == 0 {
			return err
		}
		ids := make([]hosting.MailID, len(rows))
		for i := range rows {
			ids[i] = rows[i].ID
			rows[i].Tries++
		}
		return db.Exec("UPDATE mails SET tries = tries + 1, due_at = ? WHERE id IN ?", now.Add(mailLease), ids).Error
	})
	if err != nil {
		return nil, err
	}
	mails := make([]hosting.Mail, 0, len(rows))
	for _, row := range rows {
		m, err := row.mail(s.openMail)
		if err != nil { // sealed with another secret: it can never be sent
			err = s.MailFailed(ctx, row.ID, hosting.Msg("mail.unreadable"), "", true)
		} else {
			mails = append(mails, m)
		}
		if err != nil {
			return mails, err
		}
	}
	return mails, nil
}

// MailSent notes that a server has taken a mail, and what it said, without its
// secrets.
func (s *Store) MailSent(ctx context.Context, id hosting.MailID, subject, text string) error {
	return s.housekeep(ctx, "mails", func(db *gorm.DB, now time.Time) error {
		return db.Exec("UPDATE mails SET state = 'sent', sent_at = ?, problem = '{}', detail = '', subject = ?, text = ? WHERE id = ?",
			now, cutText(subject, maxDetail), text, id).Error
	})
}

// MailFailed notes that a mail was not taken, and why. It is tried again
// later, and later; when the server said that it never will be, not for long.
func (s *Store) MailFailed(ctx context.Context, id hosting.MailID, problem hosting.Message, detail string, forGood bool) error {
	text, err := json.Marshal(problem)
	if err != nil {
		return err
	}
	return s.housekeep(ctx, "mails", func(db *gorm.DB, now time.Time) error {
		row, err := one[mailRow](db, "SELECT * FROM mails WHERE id = ? FOR UPDATE", id)
		if errors.Is(err, errNoRow) {
			return nil
		}
		if err != nil {
			return err
		}
		due, state := now.Add(mailPause(row.Tries)), hosting.MailWaiting
		if forGood && row.Tries >= mailTries || !due.Before(row.VoidAt) || problem.Key == "mail.unreadable" {
			state = hosting.MailFailed
		}
		return db.Exec("UPDATE mails SET state = ?, due_at = ?, problem = ?, detail = ? WHERE id = ?", state, due, string(text), cutText(detail, maxDetail), id).Error
	})
}

// mailPause is how long a mail waits after so many tries.
func mailPause(tries int) time.Duration {
	const doublings = 10
	return min(mailFirstPause<<min(max(tries-1, 0), doublings), mailLongPause)
}

// cutText is the beginning of a text, in whole characters.
func cutText(s string, n int) string {
	return strings.ToValidUTF8(cut(strings.ToValidUTF8(s, "\uFFFD"), n), "")
}

// MailTexts are the texts that administrators wrote.
func (s *Store) MailTexts(ctx context.Context) ([]hosting.MailText, error) {
	return list[hosting.MailText](s.db.WithContext(ctx), "SELECT * FROM mail_texts ORDER BY kind, language")
}

// SetMailText changes what a kind of mail says in a language. An empty text
// gives back the one that it has from the start. Whether its places are right
// is known to who renders it.
func (s *Store) SetMailText(ctx context.Context, actor hosting.Actor, text hosting.MailText) error {
	return s.write(ctx, actor, "mail.text", func(t *tx) error {
		if err := t.allowPlatform(hosting.AdminMails); err != nil {
			return err
		}
		if _, err := hosting.ParseMailKind(string(text.Kind)); err != nil || languageOr(text.Language, "") == "" {
			return hosting.Refuse(hosting.NotFound, "", "mail.kind_unknown")
		}
		var before any
		switch old, err := one[hosting.MailText](t.DB, "SELECT * FROM mail_texts WHERE kind = ? AND language = ? FOR UPDATE", text.Kind, text.Language); {
		case err == nil:
			before = old
		case !errors.Is(err, errNoRow):
			return err
		}
		target := string(text.Kind) + " " + text.Language
		if text.Subject == "" && text.Body == "" {
			t.note(0, target, before, nil)
			return t.Exec("DELETE FROM mail_texts WHERE kind = ? AND language = ?", text.Kind, text.Language).Error
		}
		t.note(0, target, before, text)
		return t.Exec("INSERT INTO mail_texts (kind, language, subject, body) VALUES (?, ?, ?, ?) ON DUPLICATE KEY UPDATE subject = VALUES(subject), body = VALUES(body)",
			text.Kind, text.Language, text.Subject, text.Body).Error
	})
}

// How often somebody may ask for another password: for one address, and from
// one source.
const (
	forgottenPerName   = 3
	forgottenPerSource = 20
	forgottenSpan      = time.Hour
)

// Forgotten notes that the owner of an address wants another password. Whether
// there is such a person is found out later, by AnswerForgotten: the answer,
// and its time, are the same. Too many for one address change nothing; too
// many from one source are refused.
func (s *Store) Forgotten(ctx context.Context, email hosting.Email, source string) error {
	return s.housekeep(ctx, "forgotten", func(db *gorm.DB, now time.Time) error {
		many, err := tooMany(db, now, subject("forgotten source", network(source)), forgottenPerSource, forgottenSpan)
		if err != nil {
			return err
		}
		if many {
			return hosting.Refuse(hosting.OverLimit, "", "forgot.too_many", strconv.Itoa(int(forgottenSpan.Minutes())))
		}
		many, err = tooMany(db, now, subject("forgotten", string(email)), forgottenPerName, forgottenSpan)
		if err != nil || many {
			return err
		}
		row := forgottenRow{Email: string(email), Source: cut(source, maxSource), CreatedAt: now}
		return db.Create(&row).Error
	})
}

// tooMany counts an act of a subject, and reports whether it is one too many
// in the span.
func tooMany(db *gorm.DB, now time.Time, subject []byte, most uint32, span time.Duration) (bool, error) {
	if err := db.Exec("INSERT INTO throttles (failures, subject, last_at, until) VALUES (0, ?, ?, ?) ON DUPLICATE KEY UPDATE subject = subject", subject, now, now.Add(span)).Error; err != nil {
		return false, err
	}
	row, err := one[throttle](db, "SELECT * FROM throttles WHERE subject = ? FOR UPDATE", subject)
	if err != nil {
		return false, err
	}
	if !now.Before(row.Until) {
		row.Failures, row.Until = 0, now.Add(span)
	}
	if row.Failures >= most {
		return true, nil
	}
	return false, db.Exec("UPDATE throttles SET failures = ?, last_at = ?, until = ? WHERE subject = ?", row.Failures+1, now, row.Until, subject).Error
}

// AnswerForgotten makes links for those who asked for another password, and
// queues the mails. It answers how many addresses it looked up.
func (s *Store) AnswerForgotten(ctx context.Context) (int, error) {
	const atOnce = 20
	rows, err := list[forgottenRow](s.db.WithContext(ctx), "SELECT * FROM forgotten ORDER BY id LIMIT ?", atOnce)
	if err != nil {
		return 0, err
	}
	for _, row := range rows {
		actor := hosting.System("forgot")
		actor.Source = row.Source
		err := s.write(ctx, actor, "password.forgotten", func(t *tx) error {
			done := t.Exec("DELETE FROM forgotten WHERE id = ?", row.ID)
			if done.Error != nil || done.RowsAffected == 0 {
				t.same = true
				return done.Error
			}
			person, err := one[hosting.Person](t.DB, "SELECT * FROM persons WHERE email = ? AND disabled = 0 FOR UPDATE", row.Email)
			if errors.Is(err, errNoRow) {
				t.same = true
				return nil
			}
			if err != nil {
				return err
			}
			invitation, err := t.invite(person)
			if err != nil {
				return err
			}
			t.note(0, string(person.Email), nil, nil)
			return t.mailInvitation(person, invitation, nil)
		})
		if err != nil {
			return 0, err
		}
	}
	return len(rows), nil
}

// sweepMails deletes what nobody will ask for.
func sweepMails(db *gorm.DB, now time.Time) error {
	return db.Exec("DELETE FROM mails WHERE created_at < ? AND state <> 'waiting'", now.Add(-mailKept)).Error
}
