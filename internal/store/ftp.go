package store

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/secret"

	"gorm.io/gorm"
)

// FTPFilter narrows a list of FTP logins. Zero values do not narrow.
type FTPFilter struct {
	Account       hosting.AccountID
	Site          hosting.SiteID // those that reach only this site
	Search        string
	Page, PerPage int
	Sort          string // "login", "account", "created", "used"; "-" before it turns the order
}

// FTPRow is an FTP login, whose it is and what it reaches.
type FTPRow struct {
	hosting.FTPLogin
	AccountName  hosting.AccountName
	AccountLabel string
	Host         hosting.Hostname // of its site; "" when it reaches all of them
}

var ftpSorts = map[string]string{
	"login": "f.login", "account": "a.label", "created": "f.created_at", "used": "f.last_used_at",
}

const (
	ftpColumns = "SELECT f.*, a.suspended AS account_suspended, a.name AS account_name, a.label AS account_label, COALESCE(s.host, '') AS host"
	fromFTP    = " FROM ftp_logins f JOIN accounts a ON a.id = f.account_id LEFT JOIN sites s ON s.id = f.site_id"
)

// FTPLogins lists the FTP logins in scope: one page of them, and how many
// there are in all.
func (s *Store) FTPLogins(ctx context.Context, scope hosting.Scope, f FTPFilter) ([]FTPRow, int, error) {
	c := scoped(scope, "f.account_id").and("f.removing = 0")
	if f.Account != 0 {
		c.and("f.account_id = ?", f.Account)
	}
	if f.Site != 0 {
		c.and("f.site_id = ?", f.Site)
	}
	if f.Search != "" {
		c.and("f.login LIKE ?", like(strings.ToLower(f.Search)))
	}
	db := s.db.WithContext(ctx)
	total, err := one[int](db, "SELECT COUNT(*) FROM ftp_logins f"+c.where(), c.args...)
	if err != nil {
		return nil, 0, err
	}
	limit, offset := limits(f.Page, f.PerPage)
	by := order(f.Sort, ftpSorts, "login", "f.id")
	// Sorting ids is ten times cheaper than sorting rows.
	rows, err := list[FTPRow](db, ftpColumns+fromFTP+" JOIN (SELECT f.id FROM ftp_logins f JOIN accounts a ON a.id = f.account_id"+c.where()+by+" LIMIT ? OFFSET ?) page ON page.id = f.id"+by, c.with(limit, offset)...)
	for i := range rows {
		rows[i].PasswordHash = ""
	}
	return rows, total, err
}

// FTPLogin reads one FTP login.
func (s *Store) FTPLogin(ctx context.Context, scope hosting.Scope, id hosting.FTPLoginID) (FTPRow, error) {
	return s.ftpLogin(ctx, scoped(scope, "f.account_id").and("f.id = ?", id))
}

// FTPLoginByName reads one FTP login.
func (s *Store) FTPLoginByName(ctx context.Context, scope hosting.Scope, login hosting.FTPName) (FTPRow, error) {
	return s.ftpLogin(ctx, scoped(scope, "f.account_id").and("f.login = ?", login))
}

func (s *Store) ftpLogin(ctx context.Context, c *conditions) (FTPRow, error) {
	row, err := one[FTPRow](s.db.WithContext(ctx), ftpColumns+fromFTP+c.and("f.removing = 0").where(), c.args...)
	row.PasswordHash = ""
	return row, orNotFound(err, "ftp")
}

// CreateFTPLogin adds an FTP login to an account. It works from now on; the
// password is told this once.
func (s *Store) CreateFTPLogin(ctx context.Context, actor hosting.Actor, account hosting.AccountID, spec hosting.FTPSpec) (hosting.FTPLogin, string, error) {
	password := secret.NewPassword()
	hash, err := secret.Hash(ctx, password)
	if err != nil {
		return hosting.FTPLogin{}, "", err
	}
	var login hosting.FTPLogin
	err = s.write(ctx, actor, "ftp.create", func(t *tx) error {
		owner, err := t.openAccount(account, hosting.FTPWrite)
		if err != nil {
			return err
		}
		terms, err := termsOf(spec)
		if err != nil {
			return err
		}
		if err := ownLogin(owner, spec.Login); err != nil {
			return err
		}
		if err := t.siteOf(account, spec.Site); err != nil {
			return err
		}
		if err := t.freeLogin(spec.Login); err != nil {
			return err
		}
		if err := t.checkRoom(owner, "ftp_logins", 1); err != nil {
			return err
		}
		node, err := one[hosting.NodeID](t.DB, "SELECT id FROM nodes ORDER BY id LIMIT 1")
		if err != nil {
			return err
		}
		login = hosting.FTPLogin{
			NodeID: node, AccountID: account, SiteID: spec.Site, Login: spec.Login, PasswordHash: hash,
			Path: spec.Path, FTPTerms: terms, CreatedAt: t.now,
			Sync: hosting.Sync{Generation: 1, Observed: 1, State: hosting.Live, DueAt: never, ChangedAt: t.now},
		}
		if err := t.Table("ftp_logins").Create(&login).Error; err != nil {
			if errors.Is(err, gorm.ErrDuplicatedKey) {
				return ftpTaken(spec.Login)
			}
			return err
		}
		t.note(account, string(spec.Login), nil, login)
		return nil
	})
	login.PasswordHash = ""
	if err != nil {
		return hosting.FTPLogin{}, "", err
	}
	return login, password, nil
}

func termsOf(spec hosting.FTPSpec) (hosting.FTPTerms, error) {
	terms := spec.FTPTerms
	terms.Rights = cmp.Or(terms.Rights, hosting.FTPReadWrite)
	return terms, terms.Check()
}

// ownLogin refuses a name that is not one of the account's own.
func ownLogin(owner hosting.Account, login hosting.FTPName) error {
	if name := string(login); name != string(owner.Name) && !strings.HasSuffix(name, "@"+string(owner.Name)) {
		return hosting.Refuse(hosting.Invalid, "login", "ftp.login_invalid", string(owner.Name))
	}
	return nil
}

// freeLogin refuses a name that is taken. That of a removed login is not.
func (t *tx) freeLogin(login hosting.FTPName) error {
	if _, err := one[int](t.DB, "SELECT 1 FROM ftp_logins WHERE login = ? AND gone = 0", login); !errors.Is(err, errNoRow) {
		return cmp.Or(err, ftpTaken(login))
	}
	return nil
}

func ftpTaken(login hosting.FTPName) error {
	return hosting.Refuse(hosting.Conflict, "login", "ftp.login_taken", string(login))
}

// siteOf refuses a site that is not the account's or on its way out. Zero is
// all of them.
func (t *tx) siteOf(account hosting.AccountID, site hosting.SiteID) error {
	if site == 0 {
		return nil
	}
	_, err := one[int](t.DB, "SELECT 1 FROM sites WHERE id = ? AND account_id = ? AND removing = 0", site, account)
	if errors.Is(err, errNoRow) {
		return hosting.Refuse(hosting.Invalid, "site", "ftp.site_unknown")
	}
	return err
}

// UpdateFTPLogin changes the site, the folder and the rights of a login, not
// its name.
func (s *Store) UpdateFTPLogin(ctx context.Context, actor hosting.Actor, id hosting.FTPLoginID, spec hosting.FTPSpec) (hosting.FTPLogin, error) {
	return s.changeFTPLogin(ctx, actor, "ftp.update", id, func(t *tx, login *hosting.FTPLogin) error {
		terms, err := termsOf(spec)
		if err != nil {
			return err
		}
		login.SiteID, login.Path, login.FTPTerms = spec.Site, spec.Path, terms
		return t.siteOf(login.AccountID, spec.Site)
	})
}

// ResetFTPPassword draws a new password, told this once.
func (s *Store) ResetFTPPassword(ctx context.Context, actor hosting.Actor, id hosting.FTPLoginID) (hosting.FTPLogin, string, error) {
	password := secret.NewPassword()
	hash, err := secret.Hash(ctx, password)
	if err != nil {
		return hosting.FTPLogin{}, "", err
	}
	login, err := s.changeFTPLogin(ctx, actor, "ftp.reset_password", id, func(t *tx, login *hosting.FTPLogin) error {
		login.PasswordHash = hash
		// Programs that still try the old password must not shut out the new.
		return t.Exec("DELETE FROM throttles WHERE subject = ?", subject("ftp", string(login.Login))).Error
	})
	if err != nil {
		return hosting.FTPLogin{}, "", err
	}
	return login, password, nil
}

// SetFTPEnabled opens or shuts a login, at once.
func (s *Store) SetFTPEnabled(ctx context.Context, actor hosting.Actor, id hosting.FTPLoginID, enabled bool) (hosting.FTPLogin, error) {
	action := "ftp.enable"
	if !enabled {
		action = "ftp.disable"
	}
	return s.changeFTPLogin(ctx, actor, action, id, func(_ *tx, login *hosting.FTPLogin) error {
		login.Disabled = !enabled
		return nil
	})
}

// RemoveFTPLogin shuts a login at once, and gives its name free. For some days
// it can be brought back.
func (s *Store) RemoveFTPLogin(ctx context.Context, actor hosting.Actor, id hosting.FTPLoginID) error {
	return s.write(ctx, actor, "ftp.remove", func(t *tx) error {
		before, err := t.lockFTPLogin(id)
		if err != nil {
			return err
		}
		until, err := t.keptUntil()
		if err != nil {
			return err
		}
		t.note(before.AccountID, string(before.Login), before, nil)
		return t.discardLogins("", until, "id = ?", id)
	})
}

// changeFTPLogin locks the account and the login, lets change alter the value,
// and writes it.
func (s *Store) changeFTPLogin(ctx context.Context, actor hosting.Actor, action string, id hosting.FTPLoginID, change func(*tx, *hosting.FTPLogin) error) (hosting.FTPLogin, error) {
	var after hosting.FTPLogin
	err := s.write(ctx, actor, action, func(t *tx) error {
		before, err := t.lockFTPLogin(id)
		if err != nil {
			return err
		}
		after = before
		if err := change(t, &after); err != nil {
			return err
		}
		t.same = after.SiteID == before.SiteID && after.Path == before.Path && after.FTPTerms == before.FTPTerms &&
			after.Disabled == before.Disabled && after.PasswordHash == before.PasswordHash
		if t.same {
			return nil
		}
		after.Sync.Generation++
		after.Sync.Observed = after.Sync.Generation
		after.Sync.ChangedAt = t.now
		t.note(after.AccountID, string(after.Login), before, after)
		return t.Exec("UPDATE ftp_logins SET site_id = ?, path = ?, rights = ?, require_tls = ?, speed_kb = ?, sessions = ?, disabled = ?, password_hash = ?, generation = ?, observed = ?, changed_at = ? WHERE id = ?",
			after.SiteID, after.Path, after.Rights, after.RequireTLS, after.SpeedKB, after.Sessions, after.Disabled, after.PasswordHash, after.Sync.Generation, after.Sync.Observed, after.Sync.ChangedAt, id).Error
	})
	after.PasswordHash = ""
	return after, err
}

func (t *tx) lockFTPLogin(id hosting.FTPLoginID) (hosting.FTPLogin, error) {
	account, err := one[hosting.AccountID](t.DB, "SELECT account_id FROM ftp_logins WHERE id = ? AND removing = 0", id)
	if err != nil {
		return hosting.FTPLogin{}, orNotFound(err, "ftp")
	}
	if err := t.allow(account, "ftp", hosting.FTPWrite); err != nil {
		return hosting.FTPLogin{}, err
	}
	if _, err := t.lockAccount(account, hosting.FTPWrite); err != nil {
		return hosting.FTPLogin{}, err
	}
	login, err := one[hosting.FTPLogin](t.DB, "SELECT f.*, a.suspended AS account_suspended FROM ftp_logins f JOIN accounts a ON a.id = f.account_id WHERE f.id = ? AND f.removing = 0 FOR UPDATE", id)
	return login, orNotFound(err, "ftp")
}

// FTPSession is what somebody who signed in by FTP reaches.
type FTPSession struct {
	Login hosting.FTPLogin
	Site  hosting.Site   // the one site of the login; zero when it reaches all
	Sites []hosting.Site // what it reaches, in the order of their host names
}

// AuthenticateFTP checks a login and a password. An unknown login, a wrong
// password and a login that is shut get the same answer after the same time;
// who knows the password also learns that the account is suspended or over.
func (s *Store) AuthenticateFTP(ctx context.Context, login, password, source string) (FTPSession, error) {
	attempt, err := s.begin(ctx, "ftp", login, source)
	if err != nil {
		return FTPSession{}, err
	}
	found, err := s.ftpSignIn(ctx, login)
	if err != nil && !errors.Is(err, errNoRow) {
		return FTPSession{}, err
	}
	right, err := s.ftpPasswords.Check(ctx, found.PasswordHash, password)
	if err != nil {
		return FTPSession{}, fmt.Errorf("store: ftp login: %w", err)
	}
	if !right || found.Disabled || found.AccountRemoving {
		return FTPSession{}, s.wrongPassword(ctx, attempt, "ftp", string(found.Login), source)
	}
	err = s.housekeep(ctx, "ftp login", func(db *gorm.DB, now time.Time) error {
		if err := attempt.succeeded(db); err != nil {
			return err
		}
		return db.Exec("UPDATE ftp_logins SET last_used_at = ? WHERE id = ?", now, found.ID).Error
	})
	if err != nil {
		return FTPSession{}, err
	}
	return s.ftpSession(ctx, found, source)
}

// ftpSignIn is a login with what decides whether it may be used.
type ftpSignIn struct {
	hosting.FTPLogin
	AccountRemoving bool
	AccountExpires  *time.Time
}

func (s *Store) ftpSignIn(ctx context.Context, login string) (ftpSignIn, error) {
	return one[ftpSignIn](s.db.WithContext(ctx), "SELECT f.*, a.suspended AS account_suspended, a.removing AS account_removing, a.expires AS account_expires"+
		" FROM ftp_logins f JOIN accounts a ON a.id = f.account_id WHERE f.login = ? AND f.removing = 0", ftpName(login))
}

// ftpSession is what a login reaches, for somebody who has proved to hold it.
func (s *Store) ftpSession(ctx context.Context, found ftpSignIn, source string) (FTPSession, error) {
	switch {
	case found.AccountSuspended:
		return FTPSession{}, hosting.Refuse(hosting.Forbidden, "", "ftp.account_suspended")
	case found.AccountExpires != nil && now().After(*found.AccountExpires):
		return FTPSession{}, hosting.Refuse(hosting.Forbidden, "", "ftp.account_expired")
	}
	db := s.db.WithContext(ctx)
	session := FTPSession{Login: found.FTPLogin}
	session.Login.PasswordHash = ""
	var err error
	session.Sites, err = list[hosting.Site](db, selectHome+
		" WHERE s.account_id = ? AND s.removing = 0 AND (? = 0 OR s.id = ?) ORDER BY s.host", found.AccountID, found.SiteID, found.SiteID)
	if err != nil {
		return FTPSession{}, err
	}
	if found.SiteID != 0 {
		if len(session.Sites) == 0 {
			return FTPSession{}, refusedSignIn(ctx, "ftp", source) // its site is on its way out
		}
		session.Site = session.Sites[0]
	}
	return session, addAliases(db, slices.Clip(session.Sites), func(s *hosting.Site) *hosting.Site { return s })
}

// FTPStanding is what an FTP login may do now, for sessions that are open.
type FTPStanding struct {
	Generation uint64 // raised by each change of the login, its password included
	Open       bool   // neither shut nor suspended nor over
	Sites      map[hosting.SiteID]bool
}

// FTPStandings tells how some FTP logins stand; those that are gone are left
// out. Sites holds the ones that each reaches and that are in service.
func (s *Store) FTPStandings(ctx context.Context, ids []hosting.FTPLoginID) (map[hosting.FTPLoginID]FTPStanding, error) {
	type row struct {
		ID         hosting.FTPLoginID
		Generation uint64
		Disabled   bool
		Suspended  bool
		Removing   bool
		Expires    *time.Time
		Site       hosting.SiteID // 0 when it reaches none
	}
	standings := make(map[hosting.FTPLoginID]FTPStanding, len(ids))
	rows, err := list[row](s.db.WithContext(ctx), "SELECT f.id, f.generation, f.disabled, a.suspended, a.removing, a.expires, COALESCE(s.id, 0) AS site"+
		" FROM ftp_logins f JOIN accounts a ON a.id = f.account_id"+
		" LEFT JOIN sites s ON s.account_id = f.account_id AND (f.site_id = 0 OR s.id = f.site_id) AND s.removing = 0 AND s.suspended = 0"+
		" WHERE f.id IN ? AND f.removing = 0", ids)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		standing, known := standings[r.ID]
		if !known {
			standing = FTPStanding{
				Generation: r.Generation, Sites: map[hosting.SiteID]bool{},
				Open: !r.Disabled && !r.Suspended && !r.Removing && (r.Expires == nil || !now().After(*r.Expires)),
			}
			standings[r.ID] = standing
		}
		if r.Site != 0 {
			standing.Sites[r.Site] = true
		}
	}
	return standings, nil
}

// AsksFTPInClear tells whether the password of an FTP login may be asked for on
// a connection in clear. Half of the names that nobody bears may not either,
// always the same ones: what a stranger is answered says nothing of a name.
func (s *Store) AsksFTPInClear(ctx context.Context, login string) (bool, error) {
	name := ftpName(login)
	coin := hmac.New(sha256.New, s.cfg.Seal)
	_, _ = coin.Write([]byte("ftp in clear\x00" + name)) // never fails
	heads := coin.Sum(nil)[0]&1 == 1
	requires, err := one[bool](s.db.WithContext(ctx), "SELECT require_tls FROM ftp_logins WHERE login = ?", name)
	if errors.Is(err, errNoRow) {
		return heads, nil
	}
	return !requires, err
}
