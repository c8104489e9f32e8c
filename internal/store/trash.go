package store

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"cancale/internal/hosting"

	"gorm.io/gorm"
)

// What is removed is kept for a while: its row stays, with a date until which
// it can be brought back (kept_until), and the agent takes the thing out of
// service without destroying anything. When the date has passed, or at once
// when somebody asks for it, the thing is purged: it is wished away for good,
// and its row goes when the machine is clean.

// TrashFilter narrows a list of removed things. Zero values do not narrow.
type TrashFilter struct {
	Account       hosting.AccountID
	Kind          hosting.TrashKind
	ID            uint64 // of the kind
	Search        string // in the name, and in the name and label of the account
	Page, PerPage int
}

// trashParts are the removed things of each kind (x): where they are, and how
// they are shown as a TrashItem. What went with something larger comes back with
// it and is not listed.
var trashParts = []struct {
	kind              hosting.TrashKind
	name, account     string // columns
	from, bytes       string
	sites, bases, ftp string // counts of what comes back with it
}{
	{
		kind: hosting.TrashSite, name: "x.host", account: "x.account_id",
		from:  "sites x JOIN accounts a ON a.id = x.account_id AND a.removing = 0 WHERE x.kept_until IS NOT NULL",
		bytes: "COALESCE((SELECT GREATEST(u.files + u.bin + u.drift, 0) FROM disk_usage u WHERE u.site_id = x.id), 0)",
		sites: "0", bases: "0", ftp: "(SELECT COUNT(*) FROM ftp_logins f WHERE f.site_id = x.id AND f.removed_with = 'site')",
	},
	{
		kind: hosting.TrashDatabase, name: "x.name", account: "x.account_id",
		from:  "hosted_databases x JOIN accounts a ON a.id = x.account_id AND a.removing = 0 WHERE x.kept_until IS NOT NULL",
		bytes: "COALESCE((SELECT u.bytes FROM database_usage u WHERE u.database_id = x.id), 0)", sites: "0", bases: "0", ftp: "0",
	},
	{
		kind: hosting.TrashFTP, name: "x.login", account: "x.account_id",
		from:  "ftp_logins x JOIN accounts a ON a.id = x.account_id AND a.removing = 0 WHERE x.kept_until IS NOT NULL AND x.removed_with = ''",
		bytes: "0", sites: "0", bases: "0", ftp: "0",
	},
	{
		kind: hosting.TrashAccount, name: "x.name", account: "x.id",
		from:  "accounts x JOIN accounts a ON a.id = x.id WHERE x.kept_until IS NOT NULL",
		bytes: "COALESCE((SELECT SUM(GREATEST(u.files + u.bin + u.drift, 0)) FROM disk_usage u WHERE u.account_id = x.id), 0)",
		sites: "(SELECT COUNT(*) FROM sites s WHERE s.account_id = x.id AND s.removed_with = 'account')",
		bases: "(SELECT COUNT(*) FROM hosted_databases d WHERE d.account_id = x.id AND d.removed_with = 'account')",
		ftp:   "(SELECT COUNT(*) FROM ftp_logins f WHERE f.account_id = x.id AND f.removed_with = 'account')",
	},
}

// Trash lists the removed things in scope, the latest first: one page of them,
// and how many there are in all.
func (s *Store) Trash(ctx context.Context, scope hosting.Scope, f TrashFilter) ([]hosting.TrashItem, int, error) {
	var counts, keys []string
	var args []any
	for _, part := range trashParts {
		if f.Kind != "" && f.Kind != part.kind {
			continue
		}
		c := scoped(scope, part.account)
		if f.Account != 0 {
			c.and(part.account+" = ?", f.Account)
		}
		if f.ID != 0 {
			c.and("x.id = ?", f.ID)
		}
		if f.Search != "" {
			pattern := like(strings.ToLower(f.Search))
			c.and(part.name+" LIKE ? OR a.name LIKE ? OR a.label LIKE ?", pattern, pattern, pattern)
		}
		from := " FROM " + part.from
		if len(c.parts) > 0 {
			from += " AND " + strings.Join(c.parts, " AND ")
		}
		counts = append(counts, "SELECT COUNT(*) AS n"+from)
		keys = append(keys, "SELECT '"+string(part.kind)+"' AS kind, x.id AS id, x.removed_at AS removed_at"+from)
		args = append(args, c.args...)
	}
	db := s.db.WithContext(ctx)
	const union = " UNION ALL "
	total, err := one[int](db, "SELECT COALESCE(SUM(n), 0) FROM ("+strings.Join(counts, union)+") t", args...)
	if err != nil || total == 0 {
		return []hosting.TrashItem{}, 0, err
	}
	limit, offset := limits(f.Page, f.PerPage)
	// What a row shows is looked up for the page, not for all.
	page, err := list[trashKey](db, "SELECT kind, id FROM ("+strings.Join(keys, union)+") t ORDER BY removed_at DESC, kind, id DESC LIMIT ? OFFSET ?", append(args, limit, offset)...)
	if err != nil {
		return nil, 0, err
	}
	rows, err := trashItems(db, page)
	return rows, total, err
}

// trashKey names a removed thing.
type trashKey struct {
	Kind hosting.TrashKind
	ID   uint64
}

// trashItems reads removed things in the order of their keys.
func trashItems(db *gorm.DB, keys []trashKey) ([]hosting.TrashItem, error) {
	at := make(map[trashKey]int, len(keys))
	ids := map[hosting.TrashKind][]uint64{}
	for i, key := range keys {
		at[key], ids[key.Kind] = i, append(ids[key.Kind], key.ID)
	}
	items := make([]hosting.TrashItem, len(keys))
	for _, part := range trashParts {
		if len(ids[part.kind]) == 0 {
			continue
		}
		rows, err := list[hosting.TrashItem](db, "SELECT '"+string(part.kind)+"' AS kind, x.id, "+part.name+" AS name, a.id AS account_id, a.name AS account_name, a.label AS account_label,"+
			" x.removed_at, x.removed_by, x.kept_until, "+part.bytes+" AS bytes, "+part.sites+" AS sites, "+part.bases+" AS `databases`, "+part.ftp+" AS ftp_logins,"+
			" EXISTS (SELECT 1 FROM memberships m JOIN persons p ON p.id = m.person_id WHERE m.account_id = a.id AND p.email = x.removed_by) AS by_member"+
			" FROM "+part.from+" AND x.id IN ?", ids[part.kind])
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			items[at[trashKey{row.Kind, row.ID}]] = row
		}
	}
	// What was purged between the two looks has left its place empty.
	return slices.DeleteFunc(items, func(item hosting.TrashItem) bool { return item.ID == 0 }), nil
}

// TrashItem reads one removed thing.
func (s *Store) TrashItem(ctx context.Context, scope hosting.Scope, kind hosting.TrashKind, id uint64) (hosting.TrashItem, error) {
	if id == 0 {
		return hosting.TrashItem{}, orNotFound(errNoRow, "trash")
	}
	rows, _, err := s.Trash(ctx, scope, TrashFilter{Kind: kind, ID: id, PerPage: 1})
	if err == nil && len(rows) == 0 {
		err = orNotFound(errNoRow, "trash")
	}
	if err != nil {
		return hosting.TrashItem{}, err
	}
	return rows[0], nil
}

// keptUntil is until when can be brought back what is removed now.
func (t *tx) keptUntil() (time.Time, error) {
	settings, err := readSettings(t.Statement.Context, t.DB)
	return t.now.AddDate(0, 0, settings.Kept.RemovedDays), err
}

// discard wishes rows out of service, to be kept until a date. with is what
// they go with. table and where are ours, never a person's.
func (t *tx) discard(table string, with hosting.TrashKind, until time.Time, where string, args ...any) error {
	t.wake = true
	return t.Exec("UPDATE "+table+" SET generation = generation + 1, state = 'removing', problem = ?, attempts = 0, due_at = ?, changed_at = ?,"+
		" removing = 1, removed_at = ?, removed_by = ?, removed_with = ?, kept_until = ? WHERE removing = 0 AND "+where,
		append([]any{noProblem, t.now, t.now, t.now, t.actor.Name, with, until}, args...)...).Error
}

// discardLogins shuts FTP logins for good unless they are brought back. Nothing
// of them is on the machine: the FTP daemon follows with the transaction.
func (t *tx) discardLogins(with hosting.TrashKind, until time.Time, where string, args ...any) error {
	return t.Exec("UPDATE ftp_logins SET generation = generation + 1, observed = generation, state = 'removed', changed_at = ?, removing = 1, gone = id,"+
		" removed_at = ?, removed_by = ?, removed_with = ?, kept_until = ? WHERE removing = 0 AND "+where,
		append([]any{t.now, t.now, t.actor.Name, with, until}, args...)...).Error
}

// purge wishes rows away for good, whether they are there or only kept.
func (t *tx) purge(table, where string, args ...any) error {
	t.wake = true
	return t.Exec("UPDATE "+table+" SET generation = generation + 1, state = 'removing', problem = ?, attempts = 0, due_at = ?, changed_at = ?,"+
		" removing = 1, removed_at = COALESCE(removed_at, ?), kept_until = NULL WHERE (removing = 0 OR kept_until IS NOT NULL) AND "+where,
		append([]any{noProblem, t.now, t.now, t.now}, args...)...).Error
}

// bringBack wishes removed rows there again.
func (t *tx) bringBack(table, where string, args ...any) error {
	t.wake = true
	return t.Exec("UPDATE "+table+" SET generation = generation + 1, state = 'pending', problem = ?, attempts = 0, due_at = ?, changed_at = ?,"+
		" removing = 0, removed_at = NULL, removed_by = '', removed_with = '', kept_until = NULL WHERE kept_until IS NOT NULL AND "+where,
		append([]any{noProblem, t.now, t.now}, args...)...).Error
}

// bringBackLogins opens removed FTP logins again. Those whose names were taken
// meanwhile stay removed, by themselves.
func (t *tx) bringBackLogins(account hosting.Account, where string, args ...any) error {
	logins, err := list[struct {
		ID    hosting.FTPLoginID
		Login hosting.FTPName
		Taken bool
	}](t.DB, "SELECT f.id, f.login, EXISTS (SELECT 1 FROM ftp_logins o WHERE o.login = f.login AND o.gone = 0) AS taken FROM ftp_logins f"+
		" WHERE f.kept_until IS NOT NULL AND "+where+" ORDER BY f.id", args...)
	if err != nil || len(logins) == 0 {
		return err
	}
	var back []hosting.FTPLoginID
	seen := map[hosting.FTPName]bool{}
	for _, l := range logins {
		if l.Taken || seen[l.Login] {
			if err := t.Exec("UPDATE ftp_logins SET removed_with = '' WHERE id = ?", l.ID).Error; err != nil {
				return err
			}
			continue
		}
		seen[l.Login] = true
		back = append(back, l.ID)
	}
	if len(back) == 0 {
		return nil
	}
	if !account.Removing { // what goes and comes with its account takes no new place
		if err := t.checkRoom(account, "ftp_logins", len(back)); err != nil {
			return err
		}
	}
	return t.openLogins(back)
}

// openLogins makes removed logins work again.
func (t *tx) openLogins(ids []hosting.FTPLoginID) error {
	return t.Exec("UPDATE ftp_logins SET generation = generation + 1, observed = generation, state = 'live', changed_at = ?, removing = 0, gone = 0,"+
		" removed_at = NULL, removed_by = '', removed_with = '', kept_until = NULL WHERE id IN ?", t.now, ids).Error
}

// trashed finds the account of a removed thing that can be brought back, locks
// it for an actor who may do so, and answers how it is.
func (t *tx) trashed(kind hosting.TrashKind, id uint64) (hosting.Account, error) {
	table := map[hosting.TrashKind]string{hosting.TrashSite: "sites", hosting.TrashDatabase: "hosted_databases", hosting.TrashFTP: "ftp_logins"}[kind]
	account, err := one[hosting.AccountID](t.DB, "SELECT account_id FROM "+table+" WHERE id = ? AND kept_until IS NOT NULL", id)
	if err != nil {
		return hosting.Account{}, orNotFound(err, "trash")
	}
	if err := t.allow(account, "trash", kind.Write()); err != nil {
		return hosting.Account{}, err
	}
	return t.lockAnyAccount(account, kind.Write())
}

// mayReturn refuses to bring things back to an account that is removed, and to
// one that is suspended except for the team: there they come back suspended.
func (t *tx) mayReturn(account hosting.Account) error {
	switch {
	case account.Removing:
		return hosting.Refuse(hosting.Conflict, "", "trash.account_removed", string(account.Name))
	case account.Suspended && !t.actor.Can(hosting.AdminSuspend):
		return hosting.Refuse(hosting.Conflict, "", "account.suspended", string(account.Name))
	}
	return nil
}

// RestoreSite brings a removed site back: its names, its files, the FTP logins
// that went with it. host is another name for it, when its own was given to
// somebody else meanwhile; aliases that were are left out.
func (s *Store) RestoreSite(ctx context.Context, actor hosting.Actor, id hosting.SiteID, host hosting.Hostname) (hosting.Site, error) {
	var after hosting.Site
	err := s.write(ctx, actor, "site.restore", func(t *tx) error {
		account, err := t.trashed(hosting.TrashSite, uint64(id))
		if err != nil {
			return err
		}
		if err := t.mayReturn(account); err != nil {
			return err
		}
		site, err := t.lockTrashedSite(id)
		if err != nil {
			return err
		}
		if err := t.checkRoom(account, "sites", 1); err != nil {
			return err
		}
		if err := t.returnSite(site, host); err != nil {
			return err
		}
		if err := t.bringBackLogins(account, "f.site_id = ? AND f.removed_with = 'site'", id); err != nil {
			return err
		}
		if after, err = readSite(t.DB, id, ""); err != nil {
			return err
		}
		t.note(after.AccountID, string(after.Host), nil, after)
		return nil
	})
	return after, err
}

func (t *tx) lockTrashedSite(id hosting.SiteID) (hosting.Site, error) {
	site, err := one[hosting.Site](t.DB, "SELECT * FROM sites WHERE id = ? AND kept_until IS NOT NULL FOR UPDATE", id)
	return site, orNotFound(err, "trash")
}

// returnSite brings one site back under its own host name, or another one.
func (t *tx) returnSite(site hosting.Site, host hosting.Hostname) error {
	// Of what it had, the table still has what nobody else took.
	had, err := list[hosting.Hostname](t.DB, "SELECT name FROM site_names WHERE site_id = ? AND dropped = 0 ORDER BY position", site.ID)
	if err != nil {
		return err
	}
	if host == "" && !slices.Contains(had, site.Host) {
		return hosting.Refuse(hosting.Conflict, "host", "trash.host_taken", site.Host.Unicode())
	}
	before := site.Host
	site.Host = cmp.Or(host, site.Host)
	if err := t.claimNames(site.AccountID, site.ID, []hosting.SiteSpec{{Host: site.Host}}); err != nil {
		return err
	}
	site.Aliases = nil
	for _, name := range had {
		if name == site.Host || name == before {
			continue
		}
		err := t.claimNames(site.AccountID, site.ID, []hosting.SiteSpec{{Host: name}})
		if _, refused := errors.AsType[*hosting.Error](err); refused {
			continue // somebody else has what is above or beneath it now
		}
		if err != nil {
			return err
		}
		site.Aliases = append(site.Aliases, name)
	}
	if err := t.Exec("DELETE FROM site_names WHERE site_id = ?", site.ID).Error; err != nil {
		return err
	}
	names := namesOf(site)
	if err := t.Create(&names).Error; err != nil {
		return err
	}
	if err := t.bringBack("sites", "id = ?", site.ID); err != nil {
		return err
	}
	return t.Exec("UPDATE sites SET host = ? WHERE id = ?", site.Host, site.ID).Error
}

// RestoreDatabase brings a removed database back, with all that it held; its
// password is the same.
func (s *Store) RestoreDatabase(ctx context.Context, actor hosting.Actor, id hosting.DatabaseID) (hosting.Database, error) {
	var after hosting.Database
	err := s.write(ctx, actor, "database.restore", func(t *tx) error {
		account, err := t.trashed(hosting.TrashDatabase, uint64(id))
		if err != nil {
			return err
		}
		if err := t.mayReturn(account); err != nil {
			return err
		}
		if err := t.checkRoom(account, "databases", 1); err != nil {
			return err
		}
		if err := t.bringBack("hosted_databases", "id = ?", id); err != nil {
			return err
		}
		after, err = one[hosting.Database](t.DB, "SELECT d.*, a.suspended AS account_suspended"+fromDatabases+" WHERE d.id = ? AND d.removing = 0", id)
		if err != nil {
			return orNotFound(err, "trash")
		}
		t.note(account.ID, string(after.Name), nil, after)
		return nil
	})
	return after, err
}

// RestoreFTPLogin makes a removed FTP login work again, with its password and
// its keys. login is another name for it, when its own was taken meanwhile.
func (s *Store) RestoreFTPLogin(ctx context.Context, actor hosting.Actor, id hosting.FTPLoginID, login hosting.FTPName) (hosting.FTPLogin, error) {
	var after hosting.FTPLogin
	err := s.write(ctx, actor, "ftp.restore", func(t *tx) error {
		account, err := t.trashed(hosting.TrashFTP, uint64(id))
		if err != nil {
			return err
		}
		if err := t.mayReturn(account); err != nil {
			return err
		}
		row, err := one[hosting.FTPLogin](t.DB, "SELECT * FROM ftp_logins WHERE id = ? AND kept_until IS NOT NULL FOR UPDATE", id)
		if err != nil {
			return orNotFound(err, "trash")
		}
		name := cmp.Or(login, row.Login)
		if err := ownLogin(account, name); err != nil {
			return err
		}
		if err := t.siteOf(account.ID, row.SiteID); err != nil {
			return hosting.Refuse(hosting.Conflict, "", "trash.ftp_site_removed", string(row.Login))
		}
		if err := t.freeLogin(name); err != nil {
			return err
		}
		if err := t.checkRoom(account, "ftp_logins", 1); err != nil {
			return err
		}
		if err := t.Exec("UPDATE ftp_logins SET login = ? WHERE id = ?", name, id).Error; err != nil {
			return err
		}
		if err := t.openLogins([]hosting.FTPLoginID{id}); err != nil {
			if errors.Is(err, gorm.ErrDuplicatedKey) {
				return ftpTaken(name)
			}
			return err
		}
		if after, err = one[hosting.FTPLogin](t.DB, "SELECT * FROM ftp_logins WHERE id = ?", id); err != nil {
			return err
		}
		after.PasswordHash = ""
		t.note(account.ID, string(name), nil, after)
		return nil
	})
	return after, err
}

// RestoreAccount brings a removed account back with what was removed with it,
// not with what had been removed before. A site whose host name somebody else
// has by now stays removed, by itself, and can be brought back under another
// name: these are answered.
func (s *Store) RestoreAccount(ctx context.Context, actor hosting.Actor, id hosting.AccountID) (left []hosting.Hostname, err error) {
	err = s.write(ctx, actor, "account.restore", func(t *tx) error {
		left = nil
		account, err := t.lockTrashedAccount(id)
		if err != nil {
			return err
		}
		err = t.Exec("UPDATE accounts SET removing = 0, removed_at = NULL, removed_by = '', kept_until = NULL WHERE id = ?", id).Error
		if err != nil {
			return err
		}
		sites, err := list[hosting.Site](t.DB, "SELECT * FROM sites WHERE account_id = ? AND removed_with = 'account' AND kept_until IS NOT NULL ORDER BY id FOR UPDATE", id)
		if err != nil {
			return err
		}
		for _, site := range sites {
			err := t.returnSite(site, "")
			if _, refused := errors.AsType[*hosting.Error](err); !refused {
				if err != nil {
					return err
				}
				continue
			}
			left = append(left, site.Host)
			for _, statement := range []string{
				"UPDATE sites SET removed_with = '' WHERE id = ?",
				"UPDATE ftp_logins SET removed_with = 'site' WHERE removed_with = 'account' AND site_id = ?",
			} {
				if err := t.Exec(statement, site.ID).Error; err != nil {
					return err
				}
			}
		}
		if err := t.bringBack("hosted_databases", "account_id = ? AND removed_with = 'account'", id); err != nil {
			return err
		}
		if err := t.bringBackLogins(account, "f.account_id = ? AND f.removed_with = 'account'", id); err != nil {
			return err
		}
		back, err := one[hosting.Account](t.DB, "SELECT * FROM accounts WHERE id = ?", id)
		if err != nil {
			return err
		}
		t.note(id, string(account.Name), nil, back)
		return nil
	})
	return left, err
}

func (t *tx) lockTrashedAccount(id hosting.AccountID) (hosting.Account, error) {
	if err := t.allow(id, "trash", hosting.AdminAccounts); err != nil {
		return hosting.Account{}, err
	}
	account, err := one[hosting.Account](t.DB, "SELECT * FROM accounts WHERE id = ? AND kept_until IS NOT NULL FOR UPDATE", id)
	return account, orNotFound(err, "trash")
}

// PurgeSite asks that a site be gone for good with its files, be it there or
// removed already.
func (s *Store) PurgeSite(ctx context.Context, actor hosting.Actor, id hosting.SiteID) (hosting.Site, error) {
	var after hosting.Site
	err := s.write(ctx, actor, "site.purge", func(t *tx) error {
		account, err := t.purgeable("sites", hosting.TrashSite, uint64(id))
		if err != nil {
			return err
		}
		if after, err = t.purgeSite(account, id); err != nil {
			return orNotFound(err, "site")
		}
		return nil
	})
	return after, err
}

func (t *tx) purgeSite(account hosting.AccountID, id hosting.SiteID) (hosting.Site, error) {
	before, err := readSite(t.DB, id, " FOR UPDATE")
	if err != nil {
		return before, err
	}
	if t.same = before.Sync.Removing && !before.Trash.Kept(); t.same {
		return before, nil
	}
	if err := t.purge("sites", "id = ?", id); err != nil {
		return before, err
	}
	if err := t.Exec("DELETE FROM ftp_logins WHERE site_id = ?", id).Error; err != nil {
		return before, err
	}
	t.note(account, string(before.Host), before, nil)
	return readSite(t.DB, id, "")
}

// PurgeDatabase asks that a database be gone for good with all that it holds,
// be it there or removed already.
func (s *Store) PurgeDatabase(ctx context.Context, actor hosting.Actor, id hosting.DatabaseID) (hosting.Database, error) {
	var after hosting.Database
	err := s.write(ctx, actor, "database.purge", func(t *tx) error {
		account, err := t.purgeable("hosted_databases", hosting.TrashDatabase, uint64(id))
		if err != nil {
			return err
		}
		if after, err = t.purgeDatabase(account, id); err != nil {
			return orNotFound(err, "database")
		}
		return nil
	})
	return after, err
}

func (t *tx) purgeDatabase(account hosting.AccountID, id hosting.DatabaseID) (hosting.Database, error) {
	const read = "SELECT d.*, a.suspended AS account_suspended" + fromDatabases + " WHERE d.id = ?"
	before, err := one[hosting.Database](t.DB, read+" FOR UPDATE", id)
	if err != nil {
		return before, err
	}
	if t.same = before.Sync.Removing && !before.Trash.Kept(); t.same {
		return before, nil
	}
	if err := t.purge("hosted_databases", "id = ?", id); err != nil {
		return before, err
	}
	t.note(account, string(before.Name), before, nil)
	return one[hosting.Database](t.DB, read, id)
}

// PurgeFTPLogin deletes an FTP login for good, be it there or removed already.
func (s *Store) PurgeFTPLogin(ctx context.Context, actor hosting.Actor, id hosting.FTPLoginID) error {
	return s.write(ctx, actor, "ftp.purge", func(t *tx) error {
		account, err := t.purgeable("ftp_logins", hosting.TrashFTP, uint64(id))
		if err != nil {
			return err
		}
		return t.purgeLogin(account, id)
	})
}

func (t *tx) purgeLogin(account hosting.AccountID, id hosting.FTPLoginID) error {
	before, err := one[hosting.FTPLogin](t.DB, "SELECT * FROM ftp_logins WHERE id = ? FOR UPDATE", id)
	if err != nil {
		return orNotFound(err, "ftp")
	}
	t.note(account, string(before.Login), before, nil)
	return t.Exec("DELETE FROM ftp_logins WHERE id = ?", id).Error
}

// purgeable locks the account of a thing that may be gone for good.
func (t *tx) purgeable(table string, kind hosting.TrashKind, id uint64) (hosting.AccountID, error) {
	account, err := one[hosting.AccountID](t.DB, "SELECT account_id FROM "+table+" WHERE id = ? AND NOT (state = 'removed' AND kept_until IS NULL)", id)
	if err != nil {
		return 0, orNotFound(err, string(kind))
	}
	if err := t.allow(account, string(kind), kind.Write()); err != nil {
		return 0, err
	}
	_, err = t.lockAnyAccount(account, kind.Write())
	return account, err
}

// PurgeAccount asks that an account be gone for good with all that it has and
// had, be it there or removed already.
func (s *Store) PurgeAccount(ctx context.Context, actor hosting.Actor, id hosting.AccountID) error {
	return s.write(ctx, actor, "account.purge", func(t *tx) error {
		account, err := t.lockAnyAccount(id, hosting.AdminAccounts)
		if err != nil {
			return err
		}
		return t.purgeAccount(account)
	})
}

func (t *tx) purgeAccount(account hosting.Account) error {
	if t.same = account.Removing && !account.Trash.Kept(); t.same {
		return nil
	}
	going, err := removal(t.DB, account)
	if err != nil {
		return err
	}
	err = t.Exec("UPDATE accounts SET removing = 1, removed_at = COALESCE(removed_at, ?), kept_until = NULL WHERE id = ?", t.now, account.ID).Error
	if err != nil {
		return err
	}
	for _, table := range placed {
		if err := t.purge(table, "account_id = ?", account.ID); err != nil {
			return err
		}
	}
	if err := t.Exec("DELETE FROM ftp_logins WHERE account_id = ?", account.ID).Error; err != nil {
		return err
	}
	t.note(account.ID, string(account.Name), going, nil)
	return nil
}

// expireTrash has what was kept long enough go for good.
func (s *Store) expireTrash(ctx context.Context) error {
	type row struct {
		Kind      hosting.TrashKind
		ID        uint64
		AccountID hosting.AccountID
	}
	at := now()
	over, err := list[row](s.db.WithContext(ctx),
		"SELECT 'account' AS kind, id, id AS account_id FROM accounts WHERE kept_until <= ?"+
			" UNION ALL SELECT 'site', id, account_id FROM sites WHERE kept_until <= ?"+
			" UNION ALL SELECT 'database', id, account_id FROM hosted_databases WHERE kept_until <= ?"+
			" UNION ALL SELECT 'ftp', id, account_id FROM ftp_logins WHERE kept_until <= ?", at, at, at, at)
	if err != nil {
		return err
	}
	for _, r := range over {
		err := s.write(ctx, sweeper, string(r.Kind)+".purge", func(t *tx) error {
			account, err := t.lockAnyAccount(r.AccountID, hosting.AccountRead)
			if err == nil {
				table := map[hosting.TrashKind]string{hosting.TrashAccount: "accounts", hosting.TrashSite: "sites", hosting.TrashDatabase: "hosted_databases", hosting.TrashFTP: "ftp_logins"}[r.Kind]
				_, err = one[int](t.DB, "SELECT 1 FROM "+table+" WHERE id = ? AND kept_until <= ?", r.ID, at)
			}
			switch {
			case errors.Is(err, errNoRow), hosting.KindOf(err) == hosting.NotFound:
				t.same = true // it was brought back, or somebody else was quicker
				return nil
			case err != nil:
				return err
			}
			switch r.Kind {
			case hosting.TrashAccount:
				return t.purgeAccount(account)
			case hosting.TrashSite:
				_, err = t.purgeSite(r.AccountID, hosting.SiteID(r.ID))
			case hosting.TrashDatabase:
				_, err = t.purgeDatabase(r.AccountID, hosting.DatabaseID(r.ID))
			case hosting.TrashFTP:
				err = t.purgeLogin(r.AccountID, hosting.FTPLoginID(r.ID))
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// overdue is how long after its date, or after it was asked to go, a removed
// thing may still lie on a machine before somebody has to look.
const overdue = 6 * time.Hour

// OverdueTrash counts what should have gone for good by now and has not.
func (s *Store) OverdueTrash(ctx context.Context) (int, error) {
	late := now().Add(-overdue)
	count := func(table string) string {
		return "(SELECT COUNT(*) FROM " + table + " WHERE removing = 1 AND (kept_until < ? OR kept_until IS NULL AND state <> 'removed' AND removed_at < ? AND (attempts > 0 OR changed_at < ?)))"
	}
	return one[int](s.db.WithContext(ctx), "SELECT "+count("sites")+" + "+count("hosted_databases"), late, late, late, late, late, late)
}

// TrashedDisk is a removed thing that takes room on the disk.
type TrashedDisk struct {
	hosting.Key
	Name  string
	Bytes int64
}

// OldestTrash lists what is kept on the node of removed sites or databases, the
// oldest first.
func (n *NodeStore) OldestTrash(ctx context.Context, resource hosting.Resource, limit int) ([]TrashedDisk, error) {
	query := "SELECT 'site' AS resource, s.id, s.host AS name, COALESCE(GREATEST(u.files + u.bin + u.drift, 0), 0) AS bytes FROM sites s LEFT JOIN disk_usage u ON u.site_id = s.id"
	if resource == hosting.ResourceDatabase {
		query = "SELECT 'database' AS resource, s.id, s.name, COALESCE(u.bytes, 0) AS bytes FROM hosted_databases s LEFT JOIN database_usage u ON u.database_id = s.id"
	}
	return list[TrashedDisk](n.db.WithContext(ctx), query+" WHERE s.node_id = ? AND s.kept_until > ? AND s.state = 'removed' ORDER BY s.removed_at, s.id LIMIT ?", n.node.ID, now(), limit)
}

// EndTrash brings the date forward after which a removed thing goes for good to
// now, because the machine is short of room.
func (n *NodeStore) EndTrash(ctx context.Context, key hosting.Key) error {
	table, err := tableOf(key.Resource)
	if err != nil {
		return err
	}
	return n.diskWrite(ctx, "UPDATE "+table+" SET kept_until = ? WHERE id = ? AND node_id = ? AND kept_until IS NOT NULL", now(), key.ID, n.node.ID)
}
