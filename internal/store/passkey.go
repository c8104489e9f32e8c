package store

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"cancale/internal/hosting"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"gorm.io/gorm"
)

const (
	// ceremonyLife is how long an authenticator has for its answer.
	ceremonyLife = 5 * time.Minute
	// maxCredentialID is the longest name that an authenticator may give a key
	// (WebAuthn 3, §4), in bytes.
	maxCredentialID = 1023
	maxPublicKey    = 2048
	maxTransports   = 120
)

// RelyingParty is the panel as authenticators know it: a key that was made for
// one never answers another.
type RelyingParty struct {
	ID     string // its host name
	Origin string // its address, as browsers write it
	Name   string // for people
}

// Ceremony is one question to an authenticator. Whoever asks it keeps it until
// the answer comes, where the browser cannot change it, and takes it for one
// answer only.
type Ceremony struct {
	Options json.RawMessage // what the browser is to be given
	Name    string          // of the passkey that is to be made

	session webauthn.SessionData
}

// open is the library that knows the formats and the checks of WebAuthn.
func (rp RelyingParty) open() (*webauthn.WebAuthn, error) {
	patience := webauthn.TimeoutConfig{Enforce: true, Timeout: ceremonyLife, TimeoutUVD: ceremonyLife}
	w, err := webauthn.New(&webauthn.Config{
		RPID: rp.ID, RPDisplayName: rp.Name, RPOrigins: []string{rp.Origin},
		Timeouts: webauthn.TimeoutsConfig{Login: patience, Registration: patience},
	})
	if err != nil {
		return nil, fmt.Errorf("store: relying party %q: %w", rp.ID, err)
	}
	return w, nil
}

// keyHolder is a person as authenticators know it.
type keyHolder struct {
	person hosting.Person
	handle []byte
	keys   []hosting.Passkey
}

// WebAuthnID tells an authenticator one person from another, and nothing else.
func (h keyHolder) WebAuthnID() []byte { return h.handle }

// WebAuthnName is what the person signs in with.
func (h keyHolder) WebAuthnName() string { return string(h.person.Email) }

// WebAuthnDisplayName is what the person is called.
func (h keyHolder) WebAuthnDisplayName() string {
	if h.person.Name == "" {
		return string(h.person.Email)
	}
	return h.person.Name
}

// WebAuthnCredentials are the keys of the person.
func (h keyHolder) WebAuthnCredentials() []webauthn.Credential {
	all := make([]webauthn.Credential, len(h.keys))
	for i, k := range h.keys {
		all[i] = webauthn.Credential{
			ID: k.CredentialID, PublicKey: k.PublicKey,
			Flags:         webauthn.NewCredentialFlags(protocol.AuthenticatorFlags(k.Flags)),
			Authenticator: webauthn.Authenticator{SignCount: k.SignCount},
		}
		for name := range strings.SplitSeq(k.Transports, ",") {
			if name != "" {
				all[i].Transport = append(all[i].Transport, protocol.AuthenticatorTransport(name))
			}
		}
	}
	return all
}

// key is the passkey of that name.
func (h keyHolder) key(id []byte) hosting.Passkey {
	for _, k := range h.keys {
		if string(k.CredentialID) == string(id) {
			return k
		}
	}
	return hosting.Passkey{}
}

// keyHolder reads the keys of a person.
func (c Config) keyHolder(db *gorm.DB, p hosting.Person, lock string) (keyHolder, error) {
	h := hmac.New(sha256.New, c.Seal)
	h.Write([]byte("passkey holder\x00" + strconv.FormatUint(uint64(p.ID), 10)))
	keys, err := list[hosting.Passkey](db, "SELECT * FROM passkeys WHERE person_id = ? ORDER BY id"+lock, p.ID)
	return keyHolder{person: p, handle: h.Sum(nil), keys: keys}, err
}

// Passkeys are those of a person, the newest first.
func (s *Store) Passkeys(ctx context.Context, person hosting.PersonID) ([]hosting.Passkey, error) {
	return list[hosting.Passkey](s.db.WithContext(ctx), "SELECT * FROM passkeys WHERE person_id = ? ORDER BY id DESC", person)
}

// Passkey is one of the actor's own.
func (s *Store) Passkey(ctx context.Context, actor hosting.Actor, id hosting.PasskeyID) (hosting.Passkey, error) {
	key, err := one[hosting.Passkey](s.db.WithContext(ctx), "SELECT * FROM passkeys WHERE id = ? AND person_id = ?", id, actor.Person)
	return key, orNotFound(err, "passkey")
}

// BeginPasskey asks for a new key of the actor, whose password is right.
func (s *Store) BeginPasskey(ctx context.Context, actor hosting.Actor, rp RelyingParty, name, password string) (Ceremony, error) {
	person, attempt, err := s.oneself(ctx, actor, "password", password)
	if err != nil {
		return Ceremony{}, err
	}
	if err := s.housekeep(ctx, "passkey", func(db *gorm.DB, _ time.Time) error { return attempt.succeeded(db) }); err != nil {
		return Ceremony{}, err
	}
	w, err := rp.open()
	if err != nil {
		return Ceremony{}, err
	}
	h, err := s.cfg.keyHolder(s.db.WithContext(ctx), person, "")
	if err != nil {
		return Ceremony{}, err
	}
	if err := h.mayHaveMore(); err != nil {
		return Ceremony{}, err
	}
	creation, session, err := w.BeginRegistration(h,
		webauthn.WithAuthenticatorSelection(protocol.AuthenticatorSelection{UserVerification: protocol.VerificationRequired}),
		webauthn.WithResidentKeyRequirement(protocol.ResidentKeyRequirementRequired),
		webauthn.WithConveyancePreference(protocol.PreferNoAttestation),
		webauthn.WithCredentialParameters(webauthn.CredentialParametersRecommendedL3()),
		webauthn.WithExclusions(webauthn.Credentials(h.WebAuthnCredentials()).CredentialDescriptors()))
	if err != nil {
		return Ceremony{}, fmt.Errorf("store: passkey: %w", err)
	}
	return ceremony(name, creation.Response, session)
}

func ceremony(name string, options any, session *webauthn.SessionData) (Ceremony, error) {
	raw, err := json.Marshal(options)
	if err != nil {
		return Ceremony{}, fmt.Errorf("store: passkey: %w", err)
	}
	return Ceremony{Options: raw, Name: name, session: *session}, nil
}

func (h keyHolder) mayHaveMore() error {
	if len(h.keys) >= hosting.MaxPasskeys {
		return hosting.Refuse(hosting.OverLimit, "", "passkey.too_many", strconv.Itoa(hosting.MaxPasskeys))
	}
	return nil
}

// AddPasskey takes the key that an authenticator made for the actor. With the
// first protection of a person other sessions end, and there are codes for its
// loss.
func (s *Store) AddPasskey(ctx context.Context, actor hosting.Actor, rp RelyingParty, c Ceremony, answer []byte, keep Session) ([]string, error) {
	w, err := rp.open()
	if err != nil {
		return nil, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return nil, notMade(ctx, err)
	}
	var codes []string
	err = s.write(ctx, actor, "passkey.add", func(t *tx) error {
		codes = nil
		person, err := one[hosting.Person](t.DB, "SELECT * FROM persons WHERE id = ? FOR UPDATE", actor.Person)
		if err != nil {
			return orNotFound(err, "person")
		}
		h, err := t.cfg.keyHolder(t.DB, person, " FOR UPDATE")
		if err != nil {
			return err
		}
		if err := h.mayHaveMore(); err != nil {
			return err
		}
		made, err := w.CreateCredential(h, c.session, parsed)
		if err != nil {
			return notMade(ctx, err)
		}
		if len(made.ID) > maxCredentialID || len(made.PublicKey) > maxPublicKey {
			return notMade(ctx, errors.New("it is too long"))
		}
		protected, err := factorOn(t.DB, person.ID)
		if err != nil {
			return err
		}
		key := hosting.Passkey{
			PersonID: person.ID, CredentialID: made.ID, PublicKey: made.PublicKey, SignCount: made.Authenticator.SignCount,
			Flags: made.Flags.MsgpByte(), Transports: transports(made.Transport), Name: c.Name, CreatedAt: t.now,
		}
		if err := t.Table("passkeys").Create(&key).Error; errors.Is(err, gorm.ErrDuplicatedKey) {
			return hosting.Refuse(hosting.Conflict, "", "passkey.there")
		} else if err != nil {
			return err
		}
		t.note(0, string(person.Email), nil, key)
		if !protected {
			if codes, err = t.newRecovery(person.ID); err != nil {
				return err
			}
			if err := t.Exec("DELETE FROM sessions WHERE person_id = ? AND id <> ?", person.ID, keep.ID).Error; err != nil {
				return err
			}
		}
		return t.factorChanged(person, "passkey_on")
	})
	return codes, err
}

// notMade refuses what is no new key of this ceremony.
func notMade(ctx context.Context, err error) error {
	slog.WarnContext(ctx, "passkey not made", slog.String("why", reason(err)))
	return hosting.Refuse(hosting.Invalid, "", "passkey.not_made")
}

// reason is what the library has against an answer, for the log.
func reason(err error) string {
	if e, ok := errors.AsType[*protocol.Error](err); ok {
		return e.Details + ": " + e.DevInfo
	}
	return err.Error()
}

// transports are the ways to an authenticator, those that fit.
func transports(all []protocol.AuthenticatorTransport) string {
	text := ""
	for _, t := range all {
		if name := string(t); name != "" && len(text)+1+len(name) <= maxTransports && !strings.ContainsFunc(name, strange) {
			text += "," + name
		}
	}
	return strings.TrimPrefix(text, ",")
}

// strange is what no name of a transport has.
func strange(r rune) bool { return r != '-' && (r < 'a' || r > 'z') }

// RenamePasskey gives one of the actor's passkeys another name.
func (s *Store) RenamePasskey(ctx context.Context, actor hosting.Actor, id hosting.PasskeyID, name string) error {
	return s.write(ctx, actor, "passkey.rename", func(t *tx) error {
		before, err := t.passkey(id)
		if err != nil {
			return err
		}
		if t.same = before.Name == name; t.same {
			return nil
		}
		after := before
		after.Name = name
		t.note(0, t.actor.Name, before, after)
		return t.Exec("UPDATE passkeys SET name = ? WHERE id = ?", name, id).Error
	})
}

// passkey locks one of the actor's own.
func (t *tx) passkey(id hosting.PasskeyID) (hosting.Passkey, error) {
	key, err := one[hosting.Passkey](t.DB, "SELECT * FROM passkeys WHERE id = ? AND person_id = ? FOR UPDATE", id, t.actor.Person)
	return key, orNotFound(err, "passkey")
}

// RemovePasskey takes one of the actor's passkeys away, with the password.
func (s *Store) RemovePasskey(ctx context.Context, actor hosting.Actor, id hosting.PasskeyID, password string) error {
	person, attempt, err := s.oneself(ctx, actor, "password", password)
	if err != nil {
		return err
	}
	return s.write(ctx, actor, "passkey.remove", func(t *tx) error {
		if err := attempt.succeeded(t.DB); err != nil {
			return err
		}
		key, err := t.passkey(id)
		if err != nil {
			return err
		}
		if err := t.Exec("DELETE FROM passkeys WHERE id = ?", id).Error; err != nil {
			return err
		}
		t.note(0, string(person.Email), key, nil)
		if err := t.dropCodes(person.ID); err != nil {
			return err
		}
		return t.factorChanged(person, "passkey_off")
	})
}

// dropPasskeys takes all passkeys of a person away, and tells how many.
func (t *tx) dropPasskeys(person hosting.Person) (int, error) {
	keys, err := list[hosting.Passkey](t.DB, "SELECT * FROM passkeys WHERE person_id = ? ORDER BY id FOR UPDATE", person.ID)
	if err != nil || len(keys) == 0 {
		return 0, err
	}
	for _, key := range keys {
		t.noteAs("passkey.remove", 0, string(person.Email), key, nil)
	}
	if err := t.Exec("DELETE FROM passkeys WHERE person_id = ?", person.ID).Error; err != nil {
		return 0, err
	}
	return len(keys), t.dropCodes(person.ID)
}

// dropKeysOfLeaver takes the passkeys of somebody who has just left the last
// association. Who still has a role somewhere keeps them: they are the person's,
// and no association may weaken what protects another.
func (t *tx) dropKeysOfLeaver(person hosting.Person) error {
	roles, err := one[int](t.DB, "SELECT COUNT(*) FROM memberships WHERE person_id = ?", person.ID)
	if err != nil || roles > 0 || person.Role != hosting.NoRole {
		return err
	}
	_, err = t.dropPasskeys(person)
	return err
}

// AskStep asks a passkey of somebody whose password was right; ok is false when
// there is none.
func (s *Store) AskStep(ctx context.Context, rp RelyingParty, step SecondStep) (c Ceremony, ok bool, err error) {
	person, err := s.halfway(ctx, step)
	if err != nil {
		return Ceremony{}, false, err
	}
	h, err := s.cfg.keyHolder(s.db.WithContext(ctx), person, "")
	if err != nil || len(h.keys) == 0 {
		return Ceremony{}, false, err
	}
	w, err := rp.open()
	if err != nil {
		return Ceremony{}, false, err
	}
	// The password is one proof and the key the other: no third is asked for.
	assertion, session, err := w.BeginLogin(h, webauthn.WithUserVerification(protocol.VerificationDiscouraged))
	if err != nil {
		return Ceremony{}, false, fmt.Errorf("store: passkey: %w", err)
	}
	c, err = ceremony("", assertion.Response, session)
	return c, err == nil, err
}

// FinishStep is FinishSignIn with a passkey in place of a code.
func (s *Store) FinishStep(ctx context.Context, rp RelyingParty, step SecondStep, c Ceremony, answer []byte, source string) (Session, string, error) {
	attempt, err := s.begin(ctx, "code", strconv.FormatUint(uint64(step.Person), 10), source)
	if err != nil {
		return Session{}, "", err
	}
	person, err := s.halfway(ctx, step)
	if err != nil {
		return Session{}, "", err
	}
	return s.signInWith(ctx, rp, c, answer, person, attempt, source)
}

// AskSignIn asks for whichever passkey of this panel an authenticator has. It
// has to make sure who holds it, since nobody gives a password.
func (s *Store) AskSignIn(ctx context.Context, rp RelyingParty, source string) (Ceremony, error) {
	if err := s.sourceMayTry(ctx, source); err != nil {
		return Ceremony{}, err
	}
	w, err := rp.open()
	if err != nil {
		return Ceremony{}, err
	}
	assertion, session, err := w.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return Ceremony{}, fmt.Errorf("store: passkey: %w", err)
	}
	return ceremony("", assertion.Response, session)
}

// SignInByPasskey begins the session of whoever holds a passkey. It counts with
// the passwords that are tried for the person's address.
func (s *Store) SignInByPasskey(ctx context.Context, rp RelyingParty, c Ceremony, answer []byte, source string) (Session, string, error) {
	var person hosting.Person
	id := ""
	if parsed, err := protocol.ParseCredentialRequestResponseBytes(answer); err == nil {
		id = base64.RawURLEncoding.EncodeToString(parsed.RawID)
		person, err = one[hosting.Person](s.db.WithContext(ctx), "SELECT p.* FROM passkeys k JOIN persons p ON p.id = k.person_id AND p.disabled = 0 WHERE k.credential_id = ?", parsed.RawID)
		if err != nil && !errors.Is(err, errNoRow) {
			return Session{}, "", err
		}
	}
	name := string(person.Email)
	if person.ID == 0 {
		name = "passkey " + cut(id, maxSource)
	}
	attempt, err := s.begin(ctx, "panel", name, source)
	if err != nil {
		return Session{}, "", err
	}
	// What was asked after a password did not make sure who holds the key.
	if person.ID == 0 || len(c.session.UserID) > 0 {
		if err := s.failed(ctx, attempt, string(person.Email)); err != nil {
			return Session{}, "", err
		}
		return Session{}, "", notAccepted(ctx, person, source, errNotAlone)
	}
	return s.signInWith(ctx, rp, c, answer, person, attempt, source)
}

// errNotAlone says that nobody who may sign in has such a key, or that it was
// asked for beside a password.
var errNotAlone = errors.New("store: a passkey of nobody, or not good alone")

// notAccepted refuses a passkey; the log learns why.
func notAccepted(ctx context.Context, person hosting.Person, source string, err error) error {
	slog.WarnContext(ctx, "passkey refused", slog.Uint64("person", uint64(person.ID)), slog.String("source", source), slog.String("why", reason(err)))
	return hosting.Refuse(hosting.Invalid, "", "passkey.wrong")
}

// errCopied says that a key was used somewhere else since: its count is behind.
var errCopied = errors.New("store: the count of a passkey went back")

// signInWith begins the session of a person whose passkey answers.
func (s *Store) signInWith(ctx context.Context, rp RelyingParty, c Ceremony, answer []byte, person hosting.Person, attempt try, source string) (Session, string, error) {
	w, err := rp.open()
	if err != nil {
		return Session{}, "", err
	}
	var used hosting.Passkey
	sess, token, err := s.finish(ctx, attempt, person, source, func(t *tx) (any, error) {
		if used, err = t.usePasskey(ctx, w, c, answer, person); err != nil {
			return nil, err
		}
		return struct{ Passkey string }{used.Name}, nil
	})
	if errors.Is(err, errCopied) {
		return Session{}, "", s.tellCopied(ctx, person, used, attempt, source)
	}
	return sess, token, err
}

// usePasskey takes the answer of one of the person's keys, or refuses it.
func (t *tx) usePasskey(ctx context.Context, w *webauthn.WebAuthn, c Ceremony, answer []byte, person hosting.Person) (hosting.Passkey, error) {
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return hosting.Passkey{}, notAccepted(ctx, person, t.actor.Source, err)
	}
	h, err := t.cfg.keyHolder(t.DB, person, " FOR UPDATE")
	if err != nil {
		return hosting.Passkey{}, err
	}
	var used *webauthn.Credential
	if len(c.session.UserID) == 0 {
		_, used, err = w.ValidatePasskeyLogin(func(_, _ []byte) (webauthn.User, error) { return h, nil }, c.session, parsed)
	} else {
		used, err = w.ValidateLogin(h, c.session, parsed)
	}
	if err != nil {
		return hosting.Passkey{}, notAccepted(ctx, person, t.actor.Source, err)
	}
	key := h.key(used.ID)
	if used.Authenticator.CloneWarning {
		return key, errCopied
	}
	err = t.Exec("UPDATE passkeys SET sign_count = ?, flags = ?, last_used_at = ? WHERE id = ?", used.Authenticator.SignCount, used.Flags.MsgpByte(), t.now, key.ID).Error
	return key, err
}

// tellCopied notes a key whose count went back, tells the person, and refuses
// the sign-in.
func (s *Store) tellCopied(ctx context.Context, person hosting.Person, key hosting.Passkey, attempt try, source string) error {
	err := s.write(ctx, hosting.PersonActor(person, nil, source, now()), "passkey.counter", func(t *tx) error {
		t.note(0, string(person.Email), nil, key)
		return t.factorChanged(person, "passkey_copied")
	})
	if err != nil {
		return err
	}
	if err := s.failed(ctx, attempt, string(person.Email)); err != nil {
		return err
	}
	_ = notAccepted(ctx, person, source, errCopied) // for the log
	return hosting.Refuse(hosting.Invalid, "", "passkey.copied")
}
