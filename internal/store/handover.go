package store

import (
	"context"
	"errors"
	"slices"

	"cancale/internal/hosting"
	"cancale/internal/secret"
)

// Handover is an association that is handed over to its next board: who leaves,
// who comes, and which passwords those who leave knew.
type Handover struct {
	Leave     []hosting.PersonID
	Invite    []Newcomer
	FTP       bool                 // new passwords for all FTP logins, and no keys
	Databases []hosting.DatabaseID // new passwords for these, and for their other users
	Sessions  bool                 // everybody is signed out of the panel
	Keep      uint64               // but for this session, of who does it
}

// Newcomer is somebody who comes with a handover.
type Newcomer struct {
	Person hosting.PersonSpec
	Role   MembershipSpec
}

// HandedOver is what a handover did. Its passwords and links are told this
// once.
type HandedOver struct {
	Left      []hosting.Email
	Invited   []Invited
	FTP       []NewPassword
	Databases []NewPassword
	Sessions  int // that were ended
}

// Invited is somebody who came, with the invitation if one was needed.
type Invited struct {
	Person     hosting.Person
	Role       MembershipSpec
	Invitation Invitation
}

// NewPassword is a password that replaces one that others knew.
type NewPassword struct {
	Name, Password string
}

// HandOver does all of a handover, or nothing. With dry set it only finds out
// what it would do.
func (s *Store) HandOver(ctx context.Context, actor hosting.Actor, account hosting.AccountID, h Handover, dry bool) (HandedOver, error) {
	ftp, err := s.newFTPPasswords(ctx, actor, account, h.FTP && !dry)
	if err != nil {
		return HandedOver{}, err
	}
	var done HandedOver
	err = s.write(ctx, actor, "account.handover", func(t *tx) error {
		done = HandedOver{}
		a, err := t.lockAccount(account, hosting.PeopleWrite)
		if err != nil {
			return err
		}
		if len(h.Leave)+len(h.Invite)+len(h.Databases) == 0 && !h.FTP && !h.Sessions {
			return hosting.Refuse(hosting.Invalid, "", "handover.nothing")
		}
		members, err := list[hosting.PersonID](t.DB, "SELECT person_id FROM memberships WHERE account_id = ?", account)
		if err != nil {
			return err
		}
		for _, step := range []func() error{
			func() error { return t.handInvite(account, h, &done) },
			func() error { return t.handLeave(account, h.Leave, &done) },
			func() error { return t.handFTP(account, h.FTP, ftp, &done) },
			func() error { return t.handDatabases(account, h.Databases, &done) },
		} {
			if err := step(); err != nil {
				return err
			}
		}
		if h.Sessions && len(members) > 0 {
			ended := t.Exec("DELETE FROM sessions WHERE person_id IN ? AND id <> ?", members, h.Keep)
			if ended.Error != nil {
				return ended.Error
			}
			done.Sessions = int(ended.RowsAffected)
		}
		t.note(account, string(a.Name), nil, done.told())
		if dry {
			return errDry
		}
		return nil
	})
	if dry && errors.Is(err, errDry) {
		err = nil
	}
	return done, err
}

// told is what the audit log keeps of a handover: no link, no password.
func (d HandedOver) told() any {
	told := struct {
		Left           []hosting.Email
		Invited        []hosting.Email
		FTP, Databases []string
		Sessions       int
	}{Left: d.Left, Sessions: d.Sessions}
	for _, i := range d.Invited {
		told.Invited = append(told.Invited, i.Person.Email)
	}
	for _, p := range d.FTP {
		told.FTP = append(told.FTP, p.Name)
	}
	for _, p := range d.Databases {
		told.Databases = append(told.Databases, p.Name)
	}
	return told
}

// handInvite gives roles to those who come: owners first, so that there is one
// when another becomes less.
func (t *tx) handInvite(account hosting.AccountID, h Handover, done *HandedOver) error {
	coming := slices.Clone(h.Invite)
	slices.SortStableFunc(coming, func(a, b Newcomer) int { return first(b.Role.Role) - first(a.Role.Role) })
	for _, n := range coming {
		n.Role.Account = account
		person, invitation, err := t.addMember(n.Person, n.Role)
		if err != nil {
			return err
		}
		if slices.Contains(h.Leave, person.ID) {
			return hosting.Refuse(hosting.Conflict, "leave", "handover.both", string(person.Email))
		}
		person.PasswordHash = ""
		done.Invited = append(done.Invited, Invited{Person: person, Role: n.Role, Invitation: invitation})
	}
	return nil
}

func first(r hosting.Role) int {
	if r == hosting.Owner {
		return 1
	}
	return 0
}

func (t *tx) handLeave(account hosting.AccountID, leave []hosting.PersonID, done *HandedOver) error {
	for _, id := range leave {
		before, err := t.membership(id, account)
		if err != nil {
			return err
		}
		if before == nil {
			return hosting.Refuse(hosting.NotFound, "", "person.not_found")
		}
		p, err := one[hosting.Person](t.DB, "SELECT * FROM persons WHERE id = ?", id)
		if err != nil {
			return err
		}
		if err := t.mailLeft(p, account); err != nil {
			return err
		}
		t.noteAs("membership.remove", account, string(p.Email), *before, nil)
		if err := t.Exec("DELETE FROM memberships WHERE person_id = ? AND account_id = ?", id, account).Error; err != nil {
			return err
		}
		// A link that was made for this role must not outlive it.
		if err := t.Exec("DELETE i FROM invitations i JOIN persons p ON p.id = i.person_id WHERE p.id = ? AND p.password_hash = ''", id).Error; err != nil {
			return err
		}
		if err := t.dropKeysOfLeaver(p); err != nil {
			return err
		}
		done.Left = append(done.Left, p.Email)
	}
	owners, err := one[int](t.DB, "SELECT COUNT(*) FROM memberships WHERE account_id = ? AND role = 'owner' AND until IS NULL", account)
	if err == nil && owners == 0 && len(leave) > 0 {
		return hosting.Refuse(hosting.Conflict, "leave", "handover.no_owner")
	}
	return err
}

// newFTPPasswords draws passwords before the transaction: hashing is slow.
func (s *Store) newFTPPasswords(ctx context.Context, actor hosting.Actor, account hosting.AccountID, wanted bool) (map[hosting.FTPLoginID]hashed, error) {
	if !wanted || !actor.CanIn(hosting.FTPWrite, account) {
		return nil, nil
	}
	ids, err := list[hosting.FTPLoginID](s.db.WithContext(ctx), "SELECT id FROM ftp_logins WHERE account_id = ?", account)
	if err != nil {
		return nil, err
	}
	drawn := make(map[hosting.FTPLoginID]hashed, len(ids))
	for _, id := range ids {
		h := hashed{password: secret.NewPassword()}
		if h.hash, err = secret.Hash(ctx, h.password); err != nil {
			return nil, err
		}
		drawn[id] = h
	}
	return drawn, nil
}

type hashed struct{ password, hash string }

func (t *tx) handFTP(account hosting.AccountID, wanted bool, drawn map[hosting.FTPLoginID]hashed, done *HandedOver) error {
	if !wanted {
		return nil
	}
	if err := t.allow(account, "account", hosting.FTPWrite); err != nil {
		return err
	}
	logins, err := list[hosting.FTPLogin](t.DB, "SELECT * FROM ftp_logins WHERE account_id = ? ORDER BY login FOR UPDATE", account)
	if err != nil {
		return err
	}
	for _, login := range logins {
		new, known := drawn[login.ID]
		after := login
		if known { // one that was made this very moment has a password that nobody who leaves knows
			after.PasswordHash = new.hash
			if err := t.Exec("DELETE FROM throttles WHERE subject = ?", subject("ftp", string(login.Login))).Error; err != nil {
				return err
			}
		}
		if err := t.dropFTPKeys(login); err != nil {
			return err
		}
		// Who is connected by the old password, or by a key, goes.
		err := t.Exec("UPDATE ftp_logins SET password_hash = ?, generation = generation + 1, observed = generation, changed_at = ? WHERE id = ?", after.PasswordHash, t.now, login.ID).Error
		if err != nil {
			return err
		}
		t.noteAs("ftp.reset_password", account, string(login.Login), login, after)
		done.FTP = append(done.FTP, NewPassword{string(login.Login), new.password})
	}
	return nil
}

// dropFTPKeys takes from a login the keys that opened it without a password:
// whose they are is not known.
func (t *tx) dropFTPKeys(login hosting.FTPLogin) error {
	keys, err := list[hosting.FTPKey](t.DB, "SELECT * FROM ftp_keys WHERE ftp_login_id = ? ORDER BY id FOR UPDATE", login.ID)
	if err != nil || len(keys) == 0 {
		return err
	}
	for _, key := range keys {
		t.noteAs("ftp.key_remove", login.AccountID, string(login.Login), key, nil)
	}
	return t.Exec("DELETE FROM ftp_keys WHERE ftp_login_id = ?", login.ID).Error
}

func (t *tx) handDatabases(account hosting.AccountID, ids []hosting.DatabaseID, done *HandedOver) error {
	if len(ids) == 0 {
		return nil
	}
	if err := t.allow(account, "account", hosting.DatabasesWrite); err != nil {
		return err
	}
	databases, err := list[hosting.Database](t.DB, "SELECT * FROM hosted_databases WHERE account_id = ? AND id IN ? AND removing = 0 ORDER BY name FOR UPDATE", account, ids)
	if err != nil {
		return err
	}
	if len(databases) != len(ids) {
		return hosting.Refuse(hosting.NotFound, "", "database.not_found")
	}
	for _, d := range databases {
		after, password := d, secret.NewPassword()
		after.PasswordHash = secret.NativeHash(password)
		if err := t.raise("hosted_databases", "id = ?", d.ID); err != nil {
			return err
		}
		if err := t.Exec("UPDATE hosted_databases SET password_hash = ? WHERE id = ?", after.PasswordHash, d.ID).Error; err != nil {
			return err
		}
		t.noteAs("database.reset_password", account, string(d.Name), d, after)
		done.Databases = append(done.Databases, NewPassword{string(d.Name), password})
		if err := t.handDatabaseUsers(d, done); err != nil {
			return err
		}
	}
	return nil
}

// handDatabaseUsers gives new passwords to who signs in to a database besides
// its own user.
func (t *tx) handDatabaseUsers(d hosting.Database, done *HandedOver) error {
	users, err := list[hosting.DatabaseUser](t.DB, "SELECT * FROM database_users WHERE database_id = ? ORDER BY name FOR UPDATE", d.ID)
	if err != nil {
		return err
	}
	for _, u := range users {
		after, password := u, secret.NewPassword()
		after.PasswordHash = secret.NativeHash(password)
		if err := t.Exec("UPDATE database_users SET password_hash = ? WHERE id = ?", after.PasswordHash, u.ID).Error; err != nil {
			return err
		}
		t.noteAs("database.user_password", d.AccountID, string(d.Name), u, after)
		done.Databases = append(done.Databases, NewPassword{string(u.Name), password})
	}
	return nil
}
