package store

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/secret"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"gorm.io/gorm"
)

const (
	// factorStep is how long a code of an authenticator is shown (RFC 6238).
	factorStep = 30
	// factorSkew is how many steps a clock may be off, either way.
	factorSkew = 1
	// recoveryCodes is how many codes there are for a lost authenticator.
	recoveryCodes = 10
	factorBytes   = 20
)

// sealFactor is what the secret of an authenticator is sealed for; the person
// belongs to it, so that no row is good for another.
const sealFactor = "authenticator "

// authenticatorRow is a row of authenticators.
type authenticatorRow struct {
	PersonID  hosting.PersonID `gorm:"primaryKey"`
	Sealed    []byte
	Confirmed bool
	LastStep  uint64
	CreatedAt time.Time
}

// TableName is what GORM asks for.
func (authenticatorRow) TableName() string { return "authenticators" }

// recoveryRow is a row of recovery_codes.
type recoveryRow struct {
	CodeHash []byte `gorm:"primaryKey"`
	PersonID hosting.PersonID
}

// TableName is what GORM asks for.
func (recoveryRow) TableName() string { return "recovery_codes" }

// SecondStep is the answer to a right password of somebody who has a second
// factor: nobody is signed in yet. Proof says that the password was right; it
// is void when the password changes.
type SecondStep struct { //nolint:errname // what comes next, more than what is wrong
	Person hosting.PersonID
	Proof  []byte
}

// Error is the text for logs.
func (*SecondStep) Error() string { return "store: a code is wanted" }

// Factor is the second factor of a person: an authenticator that shows codes,
// passkeys, or both.
type Factor struct {
	On       bool      // one of them
	Codes    bool      // an authenticator
	Since    time.Time // the authenticator
	Recovery int       // codes left for the loss of all
	Passkeys int
}

// secondStep is what a person with a right password has still to do; nil when
// nothing.
func (s *Store) secondStep(ctx context.Context, person hosting.Person) (*SecondStep, error) {
	on, err := factorOn(s.db.WithContext(ctx), person.ID)
	if err == nil && !on {
		return nil, nil //nolint:nilnil // nothing to do is an answer
	}
	return &SecondStep{Person: person.ID, Proof: s.cfg.proof(person)}, err
}

// factorOn reports whether a person has a second factor.
func factorOn(db *gorm.DB, person hosting.PersonID) (bool, error) {
	return one[bool](db, "SELECT EXISTS (SELECT 1 FROM authenticators WHERE person_id = ? AND confirmed = 1) OR EXISTS (SELECT 1 FROM passkeys WHERE person_id = ?)", person, person)
}

// proof tells that the password of a person, as it is now, was right.
func (c Config) proof(p hosting.Person) []byte {
	h := hmac.New(sha256.New, c.Seal)
	h.Write([]byte("second step\x00" + strconv.FormatUint(uint64(p.ID), 10) + "\x00" + p.PasswordHash))
	return h.Sum(nil)
}

// FinishSignIn begins the session of somebody whose password was right and who
// gives a code: of the authenticator, or one for its loss. A code is good once.
func (s *Store) FinishSignIn(ctx context.Context, step SecondStep, code, source string) (Session, string, error) {
	attempt, err := s.begin(ctx, "code", strconv.FormatUint(uint64(step.Person), 10), source)
	if err != nil {
		return Session{}, "", err
	}
	person, err := s.halfway(ctx, step)
	if err != nil {
		return Session{}, "", err
	}
	return s.finish(ctx, attempt, person, source, func(t *tx) (any, error) { return nil, t.useCode(person, code) })
}

// halfway is who gave a right password, unless it has changed since.
func (s *Store) halfway(ctx context.Context, step SecondStep) (hosting.Person, error) {
	person, err := one[hosting.Person](s.db.WithContext(ctx), "SELECT * FROM persons WHERE id = ? AND disabled = 0", step.Person)
	if errors.Is(err, errNoRow) || err == nil && !hmac.Equal(step.Proof, s.cfg.proof(person)) {
		return hosting.Person{}, hosting.Refuse(hosting.Unauthenticated, "", "signin.wrong")
	}
	return person, err
}

// finish begins the session of a person who gives the last proof; how it was
// given stands in the audit log. A wrong one counts as a wrong password does.
func (s *Store) finish(ctx context.Context, attempt try, person hosting.Person, source string, prove func(*tx) (how any, err error)) (Session, string, error) {
	token := secret.NewToken()
	wrong := false
	err := s.write(ctx, hosting.PersonActor(person, nil, source, now()), "session.sign_in", func(t *tx) error {
		how, err := prove(t)
		if err != nil {
			wrong = hosting.KindOf(err) == hosting.Invalid
			return err
		}
		if err := attempt.succeeded(t.DB); err != nil {
			return err
		}
		return t.beginSession(person, token, source, how)
	})
	if wrong {
		if failed := s.failed(ctx, attempt, string(person.Email)); failed != nil {
			err = failed
		}
	}
	if err != nil {
		return Session{}, "", err
	}
	sess, err := s.Session(ctx, token)
	return sess, token, err
}

func (t *tx) beginSession(person hosting.Person, token, source string, how any) error {
	row := sessionRow{
		TokenHash: secret.HashToken(token), PersonID: person.ID, CSRF: secret.NewToken(), Flash: "[]",
		Source: cut(source, maxSource), CreatedAt: t.now, SeenAt: t.now,
	}
	if err := t.Table("sessions").Create(&row).Error; err != nil {
		return err
	}
	if err := t.Exec("UPDATE persons SET last_seen_at = ? WHERE id = ?", t.now, person.ID).Error; err != nil {
		return err
	}
	t.note(0, string(person.Email), nil, how)
	return nil
}

// useCode takes a code of the person, or refuses it.
func (t *tx) useCode(person hosting.Person, code string) error {
	wrong := hosting.Refuse(hosting.Invalid, "code", "factor.wrong")
	if code = plainCode(code); len(code) == otp.DigitsSix.Length() {
		row, err := one[authenticatorRow](t.DB, "SELECT * FROM authenticators WHERE person_id = ? AND confirmed = 1 FOR UPDATE", person.ID)
		if errors.Is(err, errNoRow) {
			return wrong
		}
		if err != nil {
			return err
		}
		return t.useStep(row, code, wrong)
	}
	done := t.Exec("DELETE FROM recovery_codes WHERE code_hash = ? AND person_id = ?", secret.HashToken(code), person.ID)
	if done.Error != nil {
		return done.Error
	}
	if done.RowsAffected == 0 {
		return wrong
	}
	return t.factorChanged(person, "recovery")
}

// useStep takes a code that an authenticator shows, unless it or a later one
// was taken already.
func (t *tx) useStep(row authenticatorRow, code string, wrong error) error {
	key, err := t.cfg.sealer().Open(sealFactor+strconv.FormatUint(uint64(row.PersonID), 10), row.Sealed)
	if err != nil {
		return err
	}
	step, right, err := matchStep(string(key), code, t.now)
	if err != nil {
		return err
	}
	if !right || step <= row.LastStep {
		return wrong
	}
	return t.Exec("UPDATE authenticators SET last_step = ?, confirmed = 1 WHERE person_id = ?", step, row.PersonID).Error
}

// matchStep finds the step, near now, whose code it is.
func matchStep(key, code string, now time.Time) (step uint64, right bool, err error) {
	at := uint64(now.Unix()) / factorStep
	for n := at - factorSkew; n <= at+factorSkew; n++ {
		want, err := hotp.GenerateCode(key, n)
		if err != nil {
			return 0, false, fmt.Errorf("store: code: %w", err)
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			step, right = n, true
		}
	}
	return step, right, nil
}

// plainCode is a code as typed, without what people put between its parts.
func plainCode(code string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '\u00a0' || r == '\t' {
			return -1
		}
		return r
	}, cut(strings.TrimSpace(code), 100)))
}

func (t *tx) factorChanged(person hosting.Person, act string) error {
	return t.mailTo(person, hosting.Mail{Kind: hosting.MailFactor, Link: "/profile/security", Args: map[string]string{"act": act, "at": mailTime(t.now)}})
}

// Factor is the second factor of a person.
func (s *Store) Factor(ctx context.Context, person hosting.PersonID) (Factor, error) {
	db := s.db.WithContext(ctx)
	row, err := one[authenticatorRow](db, "SELECT * FROM authenticators WHERE person_id = ? AND confirmed = 1", person)
	if err != nil && !errors.Is(err, errNoRow) {
		return Factor{}, err
	}
	f := Factor{Codes: err == nil, Since: row.CreatedAt}
	if f.Passkeys, err = one[int](db, "SELECT COUNT(*) FROM passkeys WHERE person_id = ?", person); err != nil {
		return Factor{}, err
	}
	if f.On = f.Codes || f.Passkeys > 0; !f.On {
		return Factor{}, nil
	}
	f.Recovery, err = one[int](db, "SELECT COUNT(*) FROM recovery_codes WHERE person_id = ?", person)
	return f, err
}

// BeginFactor makes a secret for the actor's authenticator. It protects nothing
// before ConfirmFactor.
func (s *Store) BeginFactor(ctx context.Context, actor hosting.Actor, password string) error {
	person, attempt, err := s.oneself(ctx, actor, "password", password)
	if err != nil {
		return err
	}
	key := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret.NewBytes(factorBytes))
	sealed, err := s.cfg.sealer().Seal(sealFactor+strconv.FormatUint(uint64(person.ID), 10), []byte(key))
	if err != nil {
		return err
	}
	return s.write(ctx, actor, "factor.begin", func(t *tx) error {
		if err := attempt.succeeded(t.DB); err != nil {
			return err
		}
		on, err := one[int](t.DB, "SELECT COUNT(*) FROM authenticators WHERE person_id = ? AND confirmed = 1", person.ID)
		if err != nil {
			return err
		}
		if on > 0 {
			return hosting.Refuse(hosting.Conflict, "", "factor.on_already")
		}
		t.note(0, string(person.Email), nil, nil)
		return t.Exec("INSERT INTO authenticators (person_id, sealed, confirmed, last_step, created_at) VALUES (?, ?, 0, 0, ?) ON DUPLICATE KEY UPDATE sealed = VALUES(sealed), last_step = 0, created_at = VALUES(created_at)", person.ID, sealed, t.now).Error
	})
}

// FactorKey is the secret of the actor's authenticator while it is not yet
// confirmed.
func (s *Store) FactorKey(ctx context.Context, actor hosting.Actor) (string, error) {
	row, err := one[authenticatorRow](s.db.WithContext(ctx), "SELECT * FROM authenticators WHERE person_id = ? AND confirmed = 0", actor.Person)
	if err != nil {
		return "", orNotFound(err, "factor")
	}
	key, err := s.cfg.sealer().Open(sealFactor+strconv.FormatUint(uint64(row.PersonID), 10), row.Sealed)
	if err != nil {
		return "", fmt.Errorf("store: authenticator: %w", err)
	}
	return string(key), nil
}

// ConfirmFactor turns the second factor of the actor on, with a first code,
// and answers the codes for its loss. Other sessions end.
func (s *Store) ConfirmFactor(ctx context.Context, actor hosting.Actor, code string, keep Session) ([]string, error) {
	attempt, err := s.begin(ctx, "code", strconv.FormatUint(uint64(actor.Person), 10), actor.Source)
	if err != nil {
		return nil, err
	}
	var codes []string
	err = s.write(ctx, actor, "factor.on", func(t *tx) error {
		person, err := one[hosting.Person](t.DB, "SELECT * FROM persons WHERE id = ? FOR UPDATE", actor.Person)
		if err != nil {
			return orNotFound(err, "person")
		}
		row, err := one[authenticatorRow](t.DB, "SELECT * FROM authenticators WHERE person_id = ? AND confirmed = 0 FOR UPDATE", actor.Person)
		if err != nil {
			return orNotFound(err, "factor")
		}
		if err := t.useStep(row, plainCode(code), hosting.Refuse(hosting.Invalid, "code", "factor.wrong")); err != nil {
			return err
		}
		if err := attempt.succeeded(t.DB); err != nil {
			return err
		}
		if codes, err = t.newRecovery(person.ID); err != nil {
			return err
		}
		if err := t.Exec("DELETE FROM sessions WHERE person_id = ? AND id <> ?", person.ID, keep.ID).Error; err != nil {
			return err
		}
		t.note(0, string(person.Email), nil, nil)
		return t.factorChanged(person, "totp_on")
	})
	return codes, err
}

// newRecovery replaces the codes for a lost authenticator.
func (t *tx) newRecovery(person hosting.PersonID) ([]string, error) {
	if err := t.Exec("DELETE FROM recovery_codes WHERE person_id = ?", person).Error; err != nil {
		return nil, err
	}
	codes := make([]string, recoveryCodes)
	rows := make([]recoveryRow, recoveryCodes)
	for i := range codes {
		codes[i] = secret.NewPassword()[:11] // two groups of five letters: 49 bits, and the tries are throttled
		rows[i] = recoveryRow{CodeHash: secret.HashToken(plainCode(codes[i])), PersonID: person}
	}
	return codes, t.Create(&rows).Error
}

// RenewRecovery replaces the actor's codes for a lost authenticator.
func (s *Store) RenewRecovery(ctx context.Context, actor hosting.Actor, password string) ([]string, error) {
	person, attempt, err := s.oneself(ctx, actor, "password", password)
	if err != nil {
		return nil, err
	}
	var codes []string
	err = s.write(ctx, actor, "factor.codes", func(t *tx) (err error) {
		if err := attempt.succeeded(t.DB); err != nil {
			return err
		}
		if on, err := factorOn(t.DB, person.ID); err != nil {
			return err
		} else if !on {
			return orNotFound(errNoRow, "factor")
		}
		t.note(0, string(person.Email), nil, nil)
		if codes, err = t.newRecovery(person.ID); err != nil {
			return err
		}
		return t.factorChanged(person, "recovery_new")
	})
	return codes, err
}

// EndFactor takes the actor's authenticator away, with the password and a code.
// Passkeys stay.
func (s *Store) EndFactor(ctx context.Context, actor hosting.Actor, password, code string) error {
	person, attempt, err := s.oneself(ctx, actor, "password", password)
	if err != nil {
		return err
	}
	codes, err := s.begin(ctx, "code", strconv.FormatUint(uint64(actor.Person), 10), actor.Source)
	if err != nil {
		return err
	}
	return s.write(ctx, actor, "factor.off", func(t *tx) error {
		if err := t.useCode(person, code); err != nil {
			return err
		}
		for _, a := range []try{attempt, codes} {
			if err := a.succeeded(t.DB); err != nil {
				return err
			}
		}
		gone, err := t.dropAuthenticator(person.ID)
		if err == nil && !gone {
			err = orNotFound(errNoRow, "factor")
		}
		if err != nil {
			return err
		}
		t.note(0, string(person.Email), nil, nil)
		return t.factorChanged(person, "totp_off")
	})
}

// ResetFactor takes somebody's second factor away, passkeys too: for who has
// lost it, and is known to the team.
func (s *Store) ResetFactor(ctx context.Context, actor hosting.Actor, id hosting.PersonID) error {
	return s.write(ctx, actor, "factor.reset", func(t *tx) error {
		if err := t.allowPlatform(hosting.AdminPersons); err != nil {
			return err
		}
		person, err := one[hosting.Person](t.DB, "SELECT * FROM persons WHERE id = ? FOR UPDATE", id)
		if err != nil {
			return orNotFound(err, "person")
		}
		gone, err := t.dropAuthenticator(person.ID)
		if err != nil {
			return err
		}
		keys, err := t.dropPasskeys(person)
		if err == nil && !gone && keys == 0 {
			err = orNotFound(errNoRow, "factor")
		}
		if err != nil {
			return err
		}
		t.note(0, string(person.Email), nil, nil)
		return t.factorChanged(person, "totp_reset")
	})
}

// dropAuthenticator takes the authenticator of a person away, and tells whether
// there was one.
func (t *tx) dropAuthenticator(person hosting.PersonID) (bool, error) {
	done := t.Exec("DELETE FROM authenticators WHERE person_id = ?", person)
	if done.Error != nil {
		return false, done.Error
	}
	return done.RowsAffected > 0, t.dropCodes(person)
}

// dropCodes takes the recovery codes of a person away when nothing is left whose
// loss they are for.
func (t *tx) dropCodes(person hosting.PersonID) error {
	if on, err := factorOn(t.DB, person); on || err != nil {
		return err
	}
	return t.Exec("DELETE FROM recovery_codes WHERE person_id = ?", person).Error
}

// oneself is the actor's own row, when the password is right; field is where it
// was typed.
func (s *Store) oneself(ctx context.Context, actor hosting.Actor, field, password string) (hosting.Person, try, error) {
	if actor.Person == 0 {
		return hosting.Person{}, try{}, hosting.Refuse(hosting.Unauthenticated, "", "error.unauthenticated")
	}
	p, err := one[hosting.Person](s.db.WithContext(ctx), "SELECT * FROM persons WHERE id = ?", actor.Person)
	if err != nil {
		return p, try{}, orNotFound(err, "person")
	}
	attempt, err := s.begin(ctx, "panel", string(p.Email), actor.Source)
	if err != nil {
		return p, attempt, err
	}
	right, err := secret.Check(ctx, p.PasswordHash, password)
	if err != nil {
		return p, attempt, fmt.Errorf("store: password: %w", err)
	}
	if !right {
		return p, attempt, hosting.Refuse(hosting.Invalid, field, "password.wrong")
	}
	return p, attempt, nil
}

// NameDevice notes which browser a session is of.
func (s *Store) NameDevice(ctx context.Context, sess Session, agent string) error {
	return s.housekeep(ctx, "session", func(db *gorm.DB, _ time.Time) error {
		return db.Exec("UPDATE sessions SET agent = ? WHERE id = ?", cutText(agent, maxAgent), sess.ID).Error
	})
}

// maxAgent is how much is kept of what a browser says of itself.
const maxAgent = 250
