package store

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"cancale/internal/hosting"
	"cancale/internal/secret"

	"gorm.io/gorm"
)

// PersonFilter narrows a list of persons. Zero values do not narrow.
type PersonFilter struct {
	Account       hosting.AccountID
	Search        string // in the address or the name
	Role          hosting.PlatformRole
	Members       bool   // only who has no role on the platform
	State         string // "active", "invited" or "disabled"
	Page, PerPage int
	Sort          string // "email", "name", "created", "seen"; "-" before it turns the order
}

// PersonRow is a person and the roles that the reader may know of.
type PersonRow struct {
	hosting.Person
	Memberships []MembershipRow `gorm:"-"`
	Invited     bool            `gorm:"-"` // has no password yet
}

// MembershipRow is a role, with whose and where it is.
type MembershipRow struct {
	hosting.Membership
	Email        hosting.Email
	PersonName   string
	Disabled     bool
	Invited      bool // has no password yet
	LastSeenAt   *time.Time
	AccountName  hosting.AccountName
	AccountLabel string
}

// MembershipSpec is a role to give.
type MembershipSpec struct {
	Account hosting.AccountID
	Role    hosting.Role
	Until   *time.Time
}

var personSorts = map[string]string{
	"email": "p.email", "name": "p.name", "created": "p.created_at", "seen": "COALESCE(p.last_seen_at, '1000-01-01')",
}

// personScope is everybody, or who has a role on an account in scope.
func personScope(scope hosting.Scope) *conditions {
	if scope.All() {
		return &conditions{}
	}
	in := scoped(scope, "m.account_id")
	return (&conditions{}).and("p.id IN (SELECT m.person_id FROM memberships m"+in.where()+")", in.args...)
}

// Persons lists the persons in scope: one page of them, and how many there are
// in all.
func (s *Store) Persons(ctx context.Context, scope hosting.Scope, f PersonFilter) ([]PersonRow, int, error) {
	c := personScope(scope)
	if f.Account != 0 {
		in := scoped(scope, "m.account_id").and("m.account_id = ?", f.Account)
		c.and("p.id IN (SELECT m.person_id FROM memberships m"+in.where()+")", in.args...)
	}
	if f.Search != "" {
		c.and("p.email LIKE ? OR p.name LIKE ?", like(strings.ToLower(f.Search)), like(f.Search))
	}
	if f.Role != "" {
		c.and("p.role = ?", f.Role)
	}
	if f.Members {
		c.and("p.role = ''")
	}
	switch f.State {
	case "":
	case "active":
		c.and("p.disabled = 0 AND p.password_hash <> ''")
	case "invited":
		c.and("p.disabled = 0 AND p.password_hash = ''")
	case "disabled":
		c.and("p.disabled = 1")
	default:
		c.and("1 = 0")
	}
	db := s.db.WithContext(ctx)
	total, err := one[int](db, "SELECT COUNT(*) FROM persons p"+c.where(), c.args...)
	if err != nil {
		return nil, 0, err
	}
	limit, offset := limits(f.Page, f.PerPage)
	rows, err := list[PersonRow](db, "SELECT p.* FROM persons p"+c.where()+order(f.Sort, personSorts, "email", "p.id")+" LIMIT ? OFFSET ?", c.with(limit, offset)...)
	if err != nil {
		return nil, 0, err
	}
	return rows, total, completePersons(db, scope, rows)
}

// Person reads one person.
func (s *Store) Person(ctx context.Context, scope hosting.Scope, id hosting.PersonID) (PersonRow, error) {
	return s.person(ctx, scope, personScope(scope).and("p.id = ?", id))
}

// PersonByEmail reads one person.
func (s *Store) PersonByEmail(ctx context.Context, scope hosting.Scope, email hosting.Email) (PersonRow, error) {
	return s.person(ctx, scope, personScope(scope).and("p.email = ?", email))
}

func (s *Store) person(ctx context.Context, scope hosting.Scope, c *conditions) (PersonRow, error) {
	db := s.db.WithContext(ctx)
	rows, err := list[PersonRow](db, "SELECT p.* FROM persons p"+c.where(), c.args...)
	if err == nil && len(rows) == 0 {
		err = orNotFound(errNoRow, "person")
	}
	if err != nil {
		return PersonRow{}, err
	}
	return rows[0], completePersons(db, scope, rows)
}

// completePersons adds the roles in scope to a page of persons, and takes away
// what nobody has to see.
func completePersons(db *gorm.DB, scope hosting.Scope, rows []PersonRow) error {
	if len(rows) == 0 {
		return nil
	}
	ids := make([]hosting.PersonID, len(rows))
	for i := range rows {
		ids[i] = rows[i].ID
		rows[i].Invited = rows[i].PasswordHash == ""
		rows[i].PasswordHash = ""
	}
	memberships, err := selectMemberships(db, scoped(scope, "m.account_id").and("m.person_id IN ?", ids))
	if err != nil {
		return err
	}
	for _, m := range memberships {
		i := slices.Index(ids, m.PersonID)
		rows[i].Memberships = append(rows[i].Memberships, m)
	}
	return nil
}

// Memberships lists the roles on an account.
func (s *Store) Memberships(ctx context.Context, scope hosting.Scope, account hosting.AccountID) ([]MembershipRow, error) {
	return selectMemberships(s.db.WithContext(ctx), scoped(scope, "m.account_id").and("m.account_id = ?", account))
}

func selectMemberships(db *gorm.DB, c *conditions) ([]MembershipRow, error) {
	return list[MembershipRow](db, "SELECT m.*, p.email, p.name AS person_name, p.disabled, p.password_hash = '' AS invited, p.last_seen_at, a.name AS account_name, a.label AS account_label"+
		" FROM memberships m JOIN persons p ON p.id = m.person_id JOIN accounts a ON a.id = m.account_id AND a.kept_until IS NULL"+c.where()+" ORDER BY a.name, p.email", c.args...)
}

// CreatePerson adds a person, with roles on accounts, and an invitation to
// choose a password.
func (s *Store) CreatePerson(ctx context.Context, actor hosting.Actor, spec hosting.PersonSpec, memberships []MembershipSpec) (hosting.Person, Invitation, error) {
	var person hosting.Person
	var invitation Invitation
	err := s.write(ctx, actor, "person.create", func(t *tx) (err error) {
		if person, err = t.createPerson(spec, memberships, ""); err != nil {
			return err
		}
		if invitation, err = t.invite(person); err != nil {
			return err
		}
		return t.mailInvitation(person, invitation, firstOf(memberships))
	})
	return person, invitation, err
}

// CreatePersonWithPassword adds a person who can sign in at once.
func (s *Store) CreatePersonWithPassword(ctx context.Context, actor hosting.Actor, spec hosting.PersonSpec, memberships []MembershipSpec, password string) (hosting.Person, error) {
	hash, err := hashPassword(ctx, "password", password, spec.Email)
	if err != nil {
		return hosting.Person{}, err
	}
	var person hosting.Person
	err = s.write(ctx, actor, "person.create", func(t *tx) (err error) {
		person, err = t.createPerson(spec, memberships, hash)
		return err
	})
	person.PasswordHash = ""
	return person, err
}

func (t *tx) createPerson(spec hosting.PersonSpec, memberships []MembershipSpec, hash string) (hosting.Person, error) {
	if err := t.allowPerson(spec.Role, memberships); err != nil {
		return hosting.Person{}, err
	}
	person := hosting.Person{
		Email: spec.Email, Name: spec.Name, Role: spec.Role, Language: languageOr(spec.Language, "fr"), Theme: "auto",
		PasswordHash: hash, CreatedAt: t.now,
	}
	if err := t.Table("persons").Create(&person).Error; err != nil {
		return person, emailTaken(err, spec.Email)
	}
	action := t.action
	if action != "person.invite" {
		action = "person.create" // whatever she is created for
	}
	t.noteAs(action, 0, string(person.Email), nil, person)
	for _, m := range memberships {
		if err := t.setMembership(person, m); err != nil {
			return person, err
		}
	}
	return person, nil
}

// allowPerson refuses who may not make such a person: an administrator may
// make anybody, an owner members of his account.
func (t *tx) allowPerson(role hosting.PlatformRole, memberships []MembershipSpec) error {
	switch role {
	case hosting.NoRole, hosting.Technician, hosting.Administrator:
	default:
		return hosting.Refuse(hosting.Invalid, "role", "person.role_unknown")
	}
	if role != hosting.NoRole || len(memberships) == 0 {
		return t.allowPlatform(hosting.AdminPersons)
	}
	for _, m := range memberships {
		if err := t.allow(m.Account, "account", hosting.PeopleWrite, hosting.AdminPersons); err != nil {
			return err
		}
	}
	return nil
}

// AddMember gives the person of that address a role on an account, and creates
// the person when unknown. The invitation has no token when none is needed.
func (s *Store) AddMember(ctx context.Context, actor hosting.Actor, spec hosting.PersonSpec, membership MembershipSpec) (hosting.Person, Invitation, error) {
	var person hosting.Person
	var invitation Invitation
	err := s.write(ctx, actor, "membership.set", func(t *tx) (err error) {
		person, invitation, err = t.addMember(spec, membership)
		return err
	})
	person.PasswordHash = ""
	return person, invitation, err
}

func (t *tx) addMember(spec hosting.PersonSpec, membership MembershipSpec) (hosting.Person, Invitation, error) {
	if err := t.allowPerson(hosting.NoRole, []MembershipSpec{membership}); err != nil {
		return hosting.Person{}, Invitation{}, err
	}
	person, err := one[hosting.Person](t.DB, "SELECT * FROM persons WHERE email = ? FOR UPDATE", spec.Email)
	if errors.Is(err, errNoRow) {
		spec.Role = hosting.NoRole
		if person, err = t.createPerson(spec, []MembershipSpec{membership}, ""); err != nil {
			return person, Invitation{}, err
		}
		invitation, err := t.invite(person)
		if err != nil {
			return person, invitation, err
		}
		return person, invitation, t.mailInvitation(person, invitation, &membership)
	}
	if err != nil {
		return person, Invitation{}, err
	}
	if err := t.setMembership(person, membership); err != nil {
		return person, Invitation{}, err
	}
	if person.PasswordHash != "" {
		return person, Invitation{Person: person.ID}, t.mailJoined(person, membership)
	}
	invitation, err := t.invite(person)
	if err != nil {
		return person, invitation, err
	}
	if err := t.mailInvitation(person, invitation, &membership); err != nil {
		return person, invitation, err
	}
	// The link makes its holder that person: it is only for who may have it.
	if t.allowInvite(person) != nil {
		invitation = Invitation{Person: person.ID}
	}
	return person, invitation, nil
}

// mailJoined tells somebody who can sign in already of a role on one more
// account.
func (t *tx) mailJoined(person hosting.Person, m MembershipSpec) error {
	label, err := t.accountLabel(m.Account)
	if err != nil {
		return err
	}
	return t.mailTo(person, hosting.Mail{
		Kind: hosting.MailJoined, AccountID: m.Account, Link: "/",
		Args: map[string]string{"account": label, "role": string(m.Role)},
	})
}

// mailLeft tells somebody that a role on an account has ended.
func (t *tx) mailLeft(person hosting.Person, account hosting.AccountID) error {
	label, err := t.accountLabel(account)
	if err != nil {
		return err
	}
	return t.mailTo(person, hosting.Mail{Kind: hosting.MailLeft, AccountID: account, Args: map[string]string{"account": label}})
}

// firstOf is the first of some roles, nil when there is none.
func firstOf(memberships []MembershipSpec) *MembershipSpec {
	if len(memberships) == 0 {
		return nil
	}
	return &memberships[0]
}

// SetMembership gives a person a role on an account, in place of the one held.
func (s *Store) SetMembership(ctx context.Context, actor hosting.Actor, person hosting.PersonID, m MembershipSpec) error {
	return s.write(ctx, actor, "membership.set", func(t *tx) error {
		if err := t.allow(m.Account, "account", hosting.PeopleWrite, hosting.AdminPersons); err != nil {
			return err
		}
		p, err := one[hosting.Person](t.DB, "SELECT * FROM persons WHERE id = ? FOR UPDATE", person)
		if err != nil {
			return orNotFound(err, "person")
		}
		if !t.actor.Scope(hosting.AdminPersons).All() {
			// An owner changes who is there; a stranger's number is not found.
			if _, err := one[int](t.DB, "SELECT 1 FROM memberships WHERE person_id = ? AND account_id = ?", person, m.Account); err != nil {
				return orNotFound(err, "person")
			}
		}
		return t.setMembership(p, m)
	})
}

func (t *tx) setMembership(person hosting.Person, m MembershipSpec) error {
	if m.Role != hosting.Owner && m.Role != hosting.Webmaster && m.Role != hosting.Contractor {
		return hosting.Refuse(hosting.Invalid, "role", "membership.role_unknown")
	}
	account, err := one[hosting.Account](t.DB, "SELECT * FROM accounts WHERE id = ? FOR UPDATE", m.Account)
	if err != nil {
		return orNotFound(err, "account")
	}
	if account.Removing {
		return hosting.Refuse(hosting.Conflict, "", "account.removing", string(account.Name))
	}
	before, err := t.membership(person.ID, m.Account)
	if err != nil {
		return err
	}
	after := hosting.Membership{PersonID: person.ID, AccountID: m.Account, Role: m.Role, Until: stored(m.Until), CreatedAt: t.now}
	if m.Role == hosting.Owner && m.Until != nil {
		if err := t.keepLasting(m.Account, person.ID, *m.Until); err != nil {
			return err
		}
	}
	if before == nil {
		if err := t.Table("memberships").Create(&after).Error; err != nil {
			return err
		}
		t.noteAs("membership.set", m.Account, string(person.Email), nil, after)
		if person.PasswordHash != "" {
			return nil
		}
		// Whoever was given a link that makes them this person, such as the owner
		// of another account, must not get this role by it too.
		return t.Exec("DELETE FROM invitations WHERE person_id = ?", person.ID).Error
	}
	after.CreatedAt = before.CreatedAt
	if before.Role == hosting.Owner && after.Role != hosting.Owner {
		if err := t.keepOwner(m.Account, person.ID); err != nil {
			return err
		}
	}
	t.noteAs("membership.set", m.Account, string(person.Email), *before, after)
	return t.Exec("UPDATE memberships SET role = ?, until = ? WHERE person_id = ? AND account_id = ?", after.Role, after.Until, person.ID, m.Account).Error
}

func (t *tx) membership(person hosting.PersonID, account hosting.AccountID) (*hosting.Membership, error) {
	m, err := one[hosting.Membership](t.DB, "SELECT * FROM memberships WHERE person_id = ? AND account_id = ? FOR UPDATE", person, account)
	if errors.Is(err, errNoRow) {
		return nil, nil //nolint:nilnil // no role is a role that one may have
	}
	return &m, err
}

// keepOwner refuses to leave an account without anybody who answers for it,
// except to an administrator.
func (t *tx) keepOwner(account hosting.AccountID, leaving hosting.PersonID) error {
	if t.actor.Scope(hosting.AdminPersons).All() {
		return nil
	}
	owners, err := one[int](t.DB, "SELECT COUNT(*) FROM memberships WHERE account_id = ? AND role = 'owner' AND person_id <> ? AND (until IS NULL OR until > ?)", account, leaving, t.now)
	if err == nil && owners == 0 {
		return hosting.Refuse(hosting.Conflict, "role", "membership.last_owner")
	}
	return err
}

// keepLasting refuses to let the last one who answers for an account go by
// itself at a date, except to an administrator.
func (t *tx) keepLasting(account hosting.AccountID, person hosting.PersonID, until time.Time) error {
	if t.actor.Scope(hosting.AdminPersons).All() {
		return nil
	}
	owners, err := one[int](t.DB, "SELECT COUNT(*) FROM memberships WHERE account_id = ? AND role = 'owner' AND person_id <> ? AND (until IS NULL OR until > ?)", account, person, until)
	if err == nil && owners == 0 {
		return hosting.Refuse(hosting.Conflict, "until", "membership.last_owner_until")
	}
	return err
}

// RemoveMembership takes a person's role on an account away.
func (s *Store) RemoveMembership(ctx context.Context, actor hosting.Actor, person hosting.PersonID, account hosting.AccountID) error {
	return s.write(ctx, actor, "membership.remove", func(t *tx) error {
		if _, err := t.lockAccount(account, hosting.PeopleWrite, hosting.AdminPersons); err != nil {
			return err
		}
		before, err := t.membership(person, account)
		if err != nil {
			return err
		}
		if before == nil {
			return hosting.Refuse(hosting.NotFound, "", "person.not_found")
		}
		if before.Role == hosting.Owner {
			if err := t.keepOwner(account, person); err != nil {
				return err
			}
		}
		p, err := one[hosting.Person](t.DB, "SELECT * FROM persons WHERE id = ?", person)
		if err != nil {
			return err
		}
		if err := t.mailLeft(p, account); err != nil {
			return err
		}
		t.note(account, string(p.Email), *before, nil)
		if err := t.Exec("DELETE FROM memberships WHERE person_id = ? AND account_id = ?", person, account).Error; err != nil {
			return err
		}
		return t.dropKeysOfLeaver(p)
	})
}

// UpdatePerson changes a person's address, name, role and language.
func (s *Store) UpdatePerson(ctx context.Context, actor hosting.Actor, id hosting.PersonID, spec hosting.PersonSpec) (hosting.Person, error) {
	return s.changePerson(ctx, actor, "person.update", id, func(t *tx, p *hosting.Person) error {
		if err := t.allowPerson(spec.Role, nil); err != nil {
			return err
		}
		p.Email, p.Name, p.Role, p.Language = spec.Email, spec.Name, spec.Role, languageOr(spec.Language, p.Language)
		return nil
	})
}

// DisablePerson shuts a person out, at once.
func (s *Store) DisablePerson(ctx context.Context, actor hosting.Actor, id hosting.PersonID) error {
	_, err := s.changePerson(ctx, actor, "person.disable", id, func(t *tx, p *hosting.Person) error {
		if t.actor.Person == id {
			return hosting.Refuse(hosting.Conflict, "", "person.oneself")
		}
		p.Disabled = true
		return t.allowPlatform(hosting.AdminPersons)
	})
	return err
}

// EnablePerson lets a person in again.
func (s *Store) EnablePerson(ctx context.Context, actor hosting.Actor, id hosting.PersonID) error {
	_, err := s.changePerson(ctx, actor, "person.enable", id, func(t *tx, p *hosting.Person) error {
		p.Disabled = false
		return t.allowPlatform(hosting.AdminPersons)
	})
	return err
}

// UpdateProfile changes the actor's own name and address. A new address needs
// the password: a link for another password goes there, so that whoever finds
// an open browser could make the account their own. Links that went to the old
// one are void.
func (s *Store) UpdateProfile(ctx context.Context, actor hosting.Actor, name string, email hosting.Email, password string) error {
	before, err := one[hosting.Person](s.db.WithContext(ctx), "SELECT * FROM persons WHERE id = ?", actor.Person)
	if err != nil {
		return orNotFound(err, "person")
	}
	var attempt try
	moves := before.Email != email
	if moves {
		if before, attempt, err = s.oneself(ctx, actor, "current_password", password); err != nil {
			return err
		}
	}
	_, err = s.changePerson(ctx, actor, "profile.update", actor.Person, func(t *tx, p *hosting.Person) error {
		if p.PasswordHash != before.PasswordHash || p.Email != before.Email {
			return hosting.Refuse(hosting.Conflict, "current_password", "password.wrong") // it was changed meanwhile
		}
		p.Name, p.Email = name, email
		if !moves {
			return nil
		}
		return attempt.succeeded(t.DB)
	})
	return err
}

// SetPreferences changes the actor's own language and theme.
func (s *Store) SetPreferences(ctx context.Context, actor hosting.Actor, language, theme string) error {
	_, err := s.changePerson(ctx, actor, "profile.preferences", actor.Person, func(_ *tx, p *hosting.Person) error {
		if languageOr(language, "") == "" {
			return hosting.Refuse(hosting.Invalid, "language", "preferences.language_unknown")
		}
		if theme != "auto" && theme != "light" && theme != "dark" {
			return hosting.Refuse(hosting.Invalid, "theme", "preferences.theme_unknown")
		}
		p.Language, p.Theme = language, theme
		return nil
	})
	return err
}

// changePerson locks a person, lets change alter the value, and writes it.
func (s *Store) changePerson(ctx context.Context, actor hosting.Actor, action string, id hosting.PersonID, change func(*tx, *hosting.Person) error) (hosting.Person, error) {
	var after hosting.Person
	err := s.write(ctx, actor, action, func(t *tx) error {
		// Administrators first and in one order: who is the last one is decided
		// by one transaction at a time.
		admins, err := list[hosting.PersonID](t.DB, "SELECT id FROM persons WHERE role = 'administrator' AND disabled = 0 AND password_hash <> '' ORDER BY id FOR UPDATE")
		if err != nil {
			return err
		}
		before, err := one[hosting.Person](t.DB, "SELECT * FROM persons WHERE id = ? FOR UPDATE", id)
		if errors.Is(err, errNoRow) && !t.actor.Scope(hosting.AdminPersons).All() {
			return hosting.Refuse(hosting.Forbidden, "", "error.forbidden")
		}
		if err != nil {
			return orNotFound(err, "person")
		}
		after = before
		if err := change(t, &after); err != nil {
			return err
		}
		if t.same = samePerson(before, after); t.same {
			return nil
		}
		if slices.Equal(admins, []hosting.PersonID{id}) && (after.Disabled || after.Role != hosting.Administrator) {
			return hosting.Refuse(hosting.Conflict, "role", "person.last_administrator")
		}
		err = t.Exec("UPDATE persons SET email = ?, name = ?, role = ?, language = ?, theme = ?, disabled = ?, password_hash = ? WHERE id = ?",
			after.Email, after.Name, after.Role, after.Language, after.Theme, after.Disabled, after.PasswordHash, id).Error
		if err != nil {
			return emailTaken(err, after.Email)
		}
		if after.Disabled {
			if err := forgetSessions(t.DB, id, 0); err != nil {
				return err
			}
		}
		if after.Email != before.Email || after.Role != before.Role && after.PasswordHash == "" {
			if err := t.renewLink(after); err != nil {
				return err
			}
		}
		t.note(0, string(before.Email), before, after)
		return nil
	})
	after.PasswordHash = ""
	return after, err
}

// renewLink voids the links of a person who is reached elsewhere or is more than
// before: who was given one must not become that person by it. In the place of
// an invitation comes another, which only goes by mail.
func (t *tx) renewLink(person hosting.Person) error {
	void := t.Exec("DELETE FROM invitations WHERE person_id = ?", person.ID)
	if void.Error != nil || void.RowsAffected == 0 || person.PasswordHash != "" || person.Disabled {
		return void.Error
	}
	invitation, err := t.invite(person)
	if err != nil {
		return err
	}
	return t.mailInvitation(person, invitation, nil)
}

func samePerson(a, b hosting.Person) bool {
	return a.Email == b.Email && a.Name == b.Name && a.Role == b.Role && a.Language == b.Language &&
		a.Theme == b.Theme && a.Disabled == b.Disabled && a.PasswordHash == b.PasswordHash
}

// forgetSessions ends the sessions of a person but one, and voids what links
// there are.
func forgetSessions(db *gorm.DB, person hosting.PersonID, keep uint64) error {
	if err := db.Exec("DELETE FROM sessions WHERE person_id = ? AND id <> ?", person, keep).Error; err != nil {
		return err
	}
	return db.Exec("DELETE FROM invitations WHERE person_id = ?", person).Error
}

// ChangePassword replaces the actor's own password. All sessions but keep end.
func (s *Store) ChangePassword(ctx context.Context, actor hosting.Actor, old, new string, keep Session) error {
	p, attempt, err := s.oneself(ctx, actor, "old_password", old)
	if err != nil {
		return err
	}
	hash, err := hashPassword(ctx, "password", new, p.Email)
	if err != nil {
		return err
	}
	_, err = s.changePerson(ctx, actor, "profile.password", p.ID, func(t *tx, after *hosting.Person) error {
		if after.PasswordHash != p.PasswordHash {
			return hosting.Refuse(hosting.Invalid, "old_password", "password.wrong") // it was changed meanwhile
		}
		after.PasswordHash = hash
		if err := attempt.succeeded(t.DB); err != nil {
			return err
		}
		return forgetSessions(t.DB, p.ID, keep.ID)
	})
	return err
}

const (
	minPassword = 10  // characters
	maxPassword = 200 // bytes
)

// hashPassword hashes a password that a person chose, or says why it will not
// do.
func hashPassword(ctx context.Context, field, password string, email hosting.Email) (string, error) {
	switch {
	case utf8.RuneCountInString(password) < minPassword:
		return "", hosting.Refuse(hosting.Invalid, field, "password.too_short", strconv.Itoa(minPassword))
	case len(password) > maxPassword:
		return "", hosting.Refuse(hosting.Invalid, field, "password.too_long", strconv.Itoa(maxPassword))
	case strings.EqualFold(password, string(email)):
		return "", hosting.Refuse(hosting.Invalid, field, "password.is_email")
	}
	return secret.Hash(ctx, password)
}

func languageOr(language, otherwise string) string {
	if language == "fr" || language == "en" {
		return language
	}
	return otherwise
}

func emailTaken(err error, email hosting.Email) error {
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return hosting.Refuse(hosting.Conflict, "email", "person.email_taken", string(email))
	}
	return err
}
