package store

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"cancale/internal/hosting"

	"gorm.io/gorm"
)

// AccountFilter narrows a list of accounts. Zero values do not narrow.
type AccountFilter struct {
	Search        string // in the name or the label
	Plan          hosting.PlanName
	State         hosting.State // live, suspended or removing
	Dues          hosting.Dues
	Page, PerPage int
	Sort          string // "name", "label", "plan", "state", "sites", "created", "expires"; "-" before it turns the order
}

// AccountRow is an account with what a list shows of it.
type AccountRow struct {
	hosting.Account
	Plan   hosting.Plan  `gorm:"-"`
	Usage  hosting.Usage `gorm:"-"`
	Space  hosting.Space `gorm:"-"`
	Failed int           `gorm:"-"` // sites and databases that could not be applied
}

// Removal is what goes when an account is removed.
type Removal struct {
	Account   hosting.Account
	Sites     []hosting.Hostname
	Databases []hosting.DatabaseName
	FTPLogins []hosting.FTPName
	Persons   []hosting.Email // who lose their role on it
}

var accountSorts = map[string]string{
	"name": "a.name", "label": "a.label", "plan": "(SELECT p.label FROM plans p WHERE p.id = a.plan_id)", "created": "a.created_at",
	"expires": "COALESCE(a.expires, '9999-12-31')", "state": "a.removing * 2 + a.suspended", "sites": "COALESCE(n.sites, 0)",
}

// countedSites joins n, the number of sites of each account.
const countedSites = " LEFT JOIN (SELECT account_id, COUNT(*) AS sites FROM sites WHERE removing = 0 GROUP BY account_id) n ON n.account_id = a.id"

// Accounts lists the accounts in scope: one page of them, and how many there
// are in all.
func (s *Store) Accounts(ctx context.Context, scope hosting.Scope, f AccountFilter) ([]AccountRow, int, error) {
	c := f.conditions(scope)
	db := s.db.WithContext(ctx)
	total, err := one[int](db, "SELECT COUNT(*) FROM accounts a"+c.where(), c.args...)
	if err != nil {
		return nil, 0, err
	}
	limit, offset := limits(f.Page, f.PerPage)
	from := " FROM accounts a"
	if strings.TrimPrefix(f.Sort, "-") == "sites" {
		from += countedSites
	}
	rows, err := list[AccountRow](db, "SELECT a.*"+from+c.where()+order(f.Sort, accountSorts, "name", "a.id")+" LIMIT ? OFFSET ?", c.with(limit, offset)...)
	if err != nil {
		return nil, 0, err
	}
	return rows, total, completeAccounts(db, rows)
}

// conditions are what the filter asks of accounts a in scope.
func (f AccountFilter) conditions(scope hosting.Scope) *conditions {
	c := scoped(scope, "a.id").and("a.kept_until IS NULL")
	if f.Search != "" {
		c.and("a.name LIKE ? OR a.label LIKE ?", like(strings.ToLower(f.Search)), like(f.Search))
	}
	if f.Plan != "" {
		c.and("a.plan_id = (SELECT p.id FROM plans p WHERE p.name = ?)", f.Plan)
	}
	switch f.State {
	case "":
	case hosting.Removing:
		c.and("a.removing = 1")
	case hosting.Suspended:
		c.and("a.removing = 0 AND a.suspended = 1")
	case hosting.Live:
		c.and("a.removing = 0 AND a.suspended = 0")
	default:
		c.and("1 = 0")
	}
	switch at := now(); f.Dues {
	case "":
	case hosting.DuesValid:
		c.and("a.expires > ?", at)
	case hosting.DuesSoon:
		c.and("a.expires > ? AND a.expires <= ?", at, at.Add(hosting.EndsSoon))
	case hosting.DuesEnded:
		c.and("a.expires <= ?", at)
	case hosting.DuesOpen:
		c.and("a.expires IS NULL")
	default:
		c.and("1 = 0")
	}
	return c
}

// EachAccount hands to fn the accounts that a filter matches, all pages of it
// in its order. An error of fn ends it.
func (s *Store) EachAccount(ctx context.Context, scope hosting.Scope, f AccountFilter, fn func(AccountRow) error) error {
	f.PerPage = maxPerPage
	for f.Page = 1; ; f.Page++ {
		rows, total, err := s.Accounts(ctx, scope, f)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := fn(row); err != nil {
				return err
			}
		}
		if f.Page*f.PerPage >= total {
			return nil
		}
	}
}

// AccountsAmong reads those of the accounts that are in scope, by label, without
// their plans and counts.
func (s *Store) AccountsAmong(ctx context.Context, scope hosting.Scope, ids []hosting.AccountID) ([]hosting.Account, error) {
	if len(ids) == 0 {
		return []hosting.Account{}, nil
	}
	c := scoped(scope, "a.id").and("a.id IN ?", ids).and("a.kept_until IS NULL")
	return list[hosting.Account](s.db.WithContext(ctx), "SELECT a.* FROM accounts a"+c.where()+" ORDER BY a.label, a.id", c.args...)
}

// Account reads one account.
func (s *Store) Account(ctx context.Context, scope hosting.Scope, id hosting.AccountID) (AccountRow, error) {
	return s.account(ctx, scoped(scope, "a.id").and("a.id = ?", id))
}

// AccountByName reads one account.
func (s *Store) AccountByName(ctx context.Context, scope hosting.Scope, name hosting.AccountName) (AccountRow, error) {
	return s.account(ctx, scoped(scope, "a.id").and("a.name = ?", name))
}

func (s *Store) account(ctx context.Context, c *conditions) (AccountRow, error) {
	db := s.db.WithContext(ctx)
	rows, err := list[AccountRow](db, "SELECT a.* FROM accounts a"+c.and("a.kept_until IS NULL").where(), c.args...)
	if err == nil && len(rows) == 0 {
		err = orNotFound(errNoRow, "account")
	}
	if err != nil {
		return AccountRow{}, err
	}
	return rows[0], completeAccounts(db, rows)
}

// Usage counts what an account has of what its plan limits.
func (s *Store) Usage(ctx context.Context, scope hosting.Scope, id hosting.AccountID) (hosting.Usage, error) {
	row, err := s.Account(ctx, scope, id)
	return row.Usage, err
}

// completeAccounts adds plans and counts to a page of accounts.
func completeAccounts(db *gorm.DB, rows []AccountRow) error {
	if len(rows) == 0 {
		return nil
	}
	ids := make([]hosting.AccountID, len(rows))
	plans := make([]hosting.PlanID, len(rows))
	for i, row := range rows {
		ids[i], plans[i] = row.ID, row.PlanID
	}
	counts, err := countThings(db, ids)
	if err != nil {
		return err
	}
	found, err := list[hosting.Plan](db, "SELECT * FROM plans WHERE id IN ?", plans)
	if err != nil {
		return err
	}
	room, err := spaces(db, " WHERE a.id IN ?", ids)
	if err != nil {
		return err
	}
	for i := range rows {
		rows[i].Space = room[rows[i].ID]
		rows[i].Usage, rows[i].Failed = counts[rows[i].ID].Usage, counts[rows[i].ID].failed
		if at := slices.IndexFunc(found, func(p hosting.Plan) bool { return p.ID == rows[i].PlanID }); at >= 0 {
			rows[i].Plan = found[at]
		}
	}
	return nil
}

type things struct {
	hosting.Usage
	failed int
}

// countThings counts what accounts have. What is on its way out takes no place
// any more.
func countThings(db *gorm.DB, ids []hosting.AccountID) (map[hosting.AccountID]things, error) {
	type count struct {
		AccountID hosting.AccountID
		Kind      string
		State     hosting.State
		N         int
	}
	const stays = " WHERE account_id IN ? AND state <> 'removing' AND state <> 'removed' AND removing = 0"
	rows, err := list[count](db,
		"SELECT account_id, 'sites' AS kind, state, COUNT(*) AS n FROM sites"+stays+" GROUP BY account_id, state"+
			" UNION ALL SELECT account_id, 'databases', state, COUNT(*) FROM hosted_databases"+stays+" GROUP BY account_id, state"+
			" UNION ALL SELECT account_id, 'ftp_logins', 'live', COUNT(*) FROM ftp_logins WHERE account_id IN ? AND removing = 0 GROUP BY account_id",
		ids, ids, ids)
	if err != nil {
		return nil, err
	}
	counts := make(map[hosting.AccountID]things, len(ids))
	for _, row := range rows {
		c := counts[row.AccountID]
		switch row.Kind {
		case "sites":
			c.Sites += row.N
		case "databases":
			c.Databases += row.N
		case "ftp_logins":
			c.FTPLogins += row.N
		}
		if row.State == hosting.Failed {
			c.failed += row.N
		}
		counts[row.AccountID] = c
	}
	return counts, nil
}

// RemovalPreview says what RemoveAccount is going to remove.
func (s *Store) RemovalPreview(ctx context.Context, scope hosting.Scope, id hosting.AccountID) (Removal, error) {
	row, err := s.Account(ctx, scope, id)
	if err != nil {
		return Removal{}, err
	}
	return removal(s.db.WithContext(ctx), row.Account)
}

func removal(db *gorm.DB, account hosting.Account) (Removal, error) {
	r := Removal{Account: account}
	var errs [4]error
	r.Sites, errs[0] = list[hosting.Hostname](db, "SELECT host FROM sites WHERE account_id = ? AND state <> 'removed' ORDER BY host", account.ID)
	r.Databases, errs[1] = list[hosting.DatabaseName](db, "SELECT name FROM hosted_databases WHERE account_id = ? AND state <> 'removed' ORDER BY name", account.ID)
	r.FTPLogins, errs[2] = list[hosting.FTPName](db, "SELECT login FROM ftp_logins WHERE account_id = ? AND removing = 0 ORDER BY login", account.ID)
	r.Persons, errs[3] = list[hosting.Email](db, "SELECT p.email FROM memberships m JOIN persons p ON p.id = m.person_id WHERE m.account_id = ? ORDER BY p.email", account.ID)
	return r, errors.Join(errs[:]...)
}

// CreateAccount adds an account.
func (s *Store) CreateAccount(ctx context.Context, actor hosting.Actor, spec hosting.AccountSpec) (hosting.Account, error) {
	var account hosting.Account
	err := s.write(ctx, actor, "account.create", func(t *tx) (err error) {
		account, err = t.createAccount(spec)
		return err
	})
	return account, err
}

// CreateAccountFor adds an account together with the person who begins it, as
// AddMember does: both or none.
func (s *Store) CreateAccountFor(ctx context.Context, actor hosting.Actor, spec hosting.AccountSpec, first hosting.PersonSpec, role MembershipSpec) (hosting.Account, Invitation, error) {
	var account hosting.Account
	var invitation Invitation
	err := s.write(ctx, actor, "account.create", func(t *tx) (err error) {
		if account, err = t.createAccount(spec); err != nil {
			return err
		}
		role.Account = account.ID
		_, invitation, err = t.addMember(first, role)
		return err
	})
	return account, invitation, err
}

func (t *tx) createAccount(spec hosting.AccountSpec) (hosting.Account, error) {
	if err := t.allowPlatform(hosting.AdminAccounts); err != nil {
		return hosting.Account{}, err
	}
	plan, err := t.planFor(spec.Plan)
	if err != nil {
		return hosting.Account{}, err
	}
	if err := t.freeAccountName(spec.Name); err != nil {
		return hosting.Account{}, err
	}
	account := hosting.Account{
		Name: spec.Name, Label: spec.Label, PlanID: plan.ID,
		Expires: stored(spec.Expires), Note: spec.Note, CreatedAt: t.now,
	}
	if err := t.Table("accounts").Create(&account).Error; err != nil {
		if errors.Is(err, gorm.ErrDuplicatedKey) {
			return account, hosting.Refuse(hosting.Conflict, "name", "account.name_taken", string(spec.Name))
		}
		return account, err
	}
	t.note(account.ID, string(account.Name), nil, account)
	return account, nil
}

// freeAccountName refuses a name that is taken, also by an account that was
// removed and can be brought back. A name that only an emptied account still
// holds is taken from it.
func (t *tx) freeAccountName(name hosting.AccountName) error {
	holder, err := one[hosting.Account](t.DB, "SELECT * FROM accounts WHERE name = ? FOR UPDATE", name)
	switch {
	case errors.Is(err, errNoRow):
		return nil
	case err != nil:
		return err
	case !holder.Removing:
		return hosting.Refuse(hosting.Conflict, "name", "account.name_taken", string(name))
	case holder.Trash.Kept():
		return hosting.Refuse(hosting.Conflict, "name", "account.name_kept", string(name))
	}
	if _, err := forgetRemoved(t.DB, holder.ID); err != nil {
		return err
	}
	gone, err := forgetAccount(t.DB, holder)
	if err == nil && !gone {
		return hosting.Refuse(hosting.Conflict, "name", "account.removing", string(name))
	}
	return err
}

// UpdateAccount changes everything of an account but its name. A smaller plan
// takes nothing away; there is only no more.
func (s *Store) UpdateAccount(ctx context.Context, actor hosting.Actor, id hosting.AccountID, spec hosting.AccountSpec) (hosting.Account, error) {
	var account hosting.Account
	err := s.write(ctx, actor, "account.update", func(t *tx) error {
		before, err := t.lockAccount(id, hosting.AdminAccounts)
		if err != nil {
			return err
		}
		plan, err := t.planFor(spec.Plan)
		if err != nil {
			return err
		}
		account = before
		account.Label, account.PlanID, account.Expires, account.Note = spec.Label, plan.ID, stored(spec.Expires), spec.Note
		err = t.Exec("UPDATE accounts SET label = ?, plan_id = ?, expires = ?, note = ? WHERE id = ?",
			account.Label, account.PlanID, account.Expires, account.Note, id).Error
		if err != nil {
			return err
		}
		t.note(id, string(account.Name), before, account)
		return nil
	})
	return account, err
}

// SuspendAccount turns off everything of an account; nothing is lost.
func (s *Store) SuspendAccount(ctx context.Context, actor hosting.Actor, id hosting.AccountID) error {
	return s.setSuspended(ctx, actor, "account.suspend", id, true)
}

// ResumeAccount turns everything of an account on again, except the sites that
// are suspended by themselves.
func (s *Store) ResumeAccount(ctx context.Context, actor hosting.Actor, id hosting.AccountID) error {
	return s.setSuspended(ctx, actor, "account.resume", id, false)
}

func (s *Store) setSuspended(ctx context.Context, actor hosting.Actor, action string, id hosting.AccountID, suspended bool) error {
	return s.write(ctx, actor, action, func(t *tx) error {
		before, err := t.standingAccount(id, hosting.AdminSuspend)
		if err != nil {
			return err
		}
		if t.same = before.Suspended == suspended; t.same {
			return nil
		}
		return t.setSuspended(before, suspended)
	})
}

// standingAccount locks an account that is not on its way out.
func (t *tx) standingAccount(id hosting.AccountID, permission hosting.Permission) (hosting.Account, error) {
	account, err := t.lockAccount(id, permission)
	if err == nil && account.Removing {
		err = hosting.Refuse(hosting.Conflict, "", "account.removing", string(account.Name))
	}
	return account, err
}

func (t *tx) setSuspended(before hosting.Account, suspended bool) error {
	if err := t.Exec("UPDATE accounts SET suspended = ? WHERE id = ?", suspended, before.ID).Error; err != nil {
		return err
	}
	for _, table := range placed {
		if err := t.raise(table, "account_id = ? AND removing = 0", before.ID); err != nil {
			return err
		}
	}
	after := before
	after.Suspended = suspended
	action := "account.resume"
	if suspended {
		action = "account.suspend"
	}
	t.noteAs(action, before.ID, string(before.Name), before, after)
	return nil
}

// RenewAccount makes the membership of an account last a year longer, as
// hosting.Renewed says. from is the end that whoever renews it has seen: when
// it is another by now, somebody was quicker, and nothing is done. FTP logins,
// which shut at the end, are open again at once; an account that the team has
// suspended comes back when resume asks for it.
func (s *Store) RenewAccount(ctx context.Context, actor hosting.Actor, id hosting.AccountID, from time.Time, resume bool) (hosting.Account, error) {
	var account hosting.Account
	err := s.write(ctx, actor, "account.renew", func(t *tx) error {
		before, err := t.standingAccount(id, hosting.AdminAccounts)
		if err != nil {
			return err
		}
		if before.Expires != nil && !before.Expires.Equal(from) {
			return hosting.Refuse(hosting.Conflict, "", "account.renewed_already", string(before.Name))
		}
		if account, err = t.renew(before); err != nil || !resume || !before.Suspended {
			return err
		}
		if err := t.allow(id, "account", hosting.AdminSuspend); err != nil {
			return err
		}
		if err := t.setSuspended(account, false); err != nil {
			return err
		}
		account.Suspended = false
		return nil
	})
	return account, err
}

func (t *tx) renew(before hosting.Account) (hosting.Account, error) {
	if before.Expires == nil {
		return before, hosting.Refuse(hosting.Conflict, "", "account.no_end", string(before.Name))
	}
	after := before
	after.Expires = stored(new(hosting.Renewed(*before.Expires, t.now)))
	if err := t.Exec("UPDATE accounts SET expires = ? WHERE id = ?", after.Expires, before.ID).Error; err != nil {
		return before, err
	}
	t.noteAs("account.renew", before.ID, string(before.Name), before, after)
	return after, nil
}

// RemoveAccount takes an account and all that it has out of service. For some
// days it can be brought back, with what is removed now; its people lose their
// access to it at once.
func (s *Store) RemoveAccount(ctx context.Context, actor hosting.Actor, id hosting.AccountID) error {
	return s.write(ctx, actor, "account.remove", func(t *tx) error {
		account, err := t.lockAnyAccount(id, hosting.AdminAccounts)
		if err != nil {
			return err
		}
		if t.same = account.Removing; t.same {
			return nil
		}
		going, err := removal(t.DB, account)
		if err != nil {
			return err
		}
		until, err := t.keptUntil()
		if err != nil {
			return err
		}
		err = t.Exec("UPDATE accounts SET removing = 1, removed_at = ?, removed_by = ?, kept_until = ? WHERE id = ?", t.now, t.actor.Name, until, id).Error
		if err != nil {
			return err
		}
		for _, table := range placed {
			if err := t.discard(table, hosting.TrashAccount, until, "account_id = ?", id); err != nil {
				return err
			}
		}
		if err := t.discardLogins(hosting.TrashAccount, until, "account_id = ?", id); err != nil {
			return err
		}
		t.note(id, string(account.Name), going, nil)
		return nil
	})
}

// lockAccount reads an account for the rest of the transaction, for an actor
// who holds one of the permissions for it. One that was removed is not found.
func (t *tx) lockAccount(id hosting.AccountID, permissions ...hosting.Permission) (hosting.Account, error) {
	account, err := t.lockAnyAccount(id, permissions...)
	if err == nil && account.Trash.Kept() {
		return hosting.Account{}, orNotFound(errNoRow, "account")
	}
	return account, err
}

// lockAnyAccount is lockAccount for what is also done to removed accounts.
func (t *tx) lockAnyAccount(id hosting.AccountID, permissions ...hosting.Permission) (hosting.Account, error) {
	if err := t.allow(id, "account", permissions...); err != nil {
		return hosting.Account{}, err
	}
	account, err := one[hosting.Account](t.DB, "SELECT * FROM accounts WHERE id = ? FOR UPDATE", id)
	return account, orNotFound(err, "account")
}

// openAccount locks an account that may get new things.
func (t *tx) openAccount(id hosting.AccountID, permission hosting.Permission) (hosting.Account, error) {
	account, err := t.lockAccount(id, permission)
	switch {
	case err != nil:
		return account, err
	case account.Removing:
		return account, hosting.Refuse(hosting.Conflict, "", "account.removing", string(account.Name))
	case account.Suspended:
		return account, hosting.Refuse(hosting.Conflict, "", "account.suspended", string(account.Name))
	}
	return account, nil
}

// checkRoom refuses n more things of a kind than the account's plan allows.
// The account is locked, so that nobody takes the last place meanwhile.
func (t *tx) checkRoom(account hosting.Account, kind string, n int) error {
	plan, err := one[hosting.Plan](t.DB, "SELECT * FROM plans WHERE id = ?", account.PlanID)
	if err != nil {
		return err
	}
	counts, err := countThings(t.DB, []hosting.AccountID{account.ID})
	if err != nil {
		return err
	}
	used := counts[account.ID].Usage
	used.Sites, used.Databases, used.FTPLogins = used.Sites+n-1, used.Databases+n-1, used.FTPLogins+n-1
	return plan.CheckRoom(kind, used)
}

// planFor reads the plan that a form names, and keeps it from going.
func (t *tx) planFor(name hosting.PlanName) (hosting.Plan, error) {
	plan, err := one[hosting.Plan](t.DB, "SELECT * FROM plans WHERE name = ? LOCK IN SHARE MODE", name)
	if errors.Is(err, errNoRow) {
		return plan, hosting.Refuse(hosting.Invalid, "plan", "plan.unknown", string(name))
	}
	return plan, err
}

// stored is a time as the table gives it back.
func stored(at *time.Time) *time.Time {
	if at == nil {
		return nil
	}
	return new(at.UTC().Truncate(time.Microsecond))
}

// placed are the tables of what an agent brings about.
var placed = []string{"sites", "hosted_databases"}

// noProblem is an empty message, as the column keeps it.
const noProblem = `{"key":""}`

// raise makes a new wish of rows: the agent has to look at them now. table and
// where are ours, never a person's.
func (t *tx) raise(table, where string, args ...any) error {
	t.wake = true
	return t.Exec("UPDATE "+table+" SET generation = generation + 1, state = 'pending', problem = ?, attempts = 0, due_at = ?, changed_at = ?"+
		" WHERE state <> 'removed' AND "+where, append([]any{noProblem, t.now, t.now}, args...)...).Error
}

// wished is the Sync part of a new row.
func (t *tx) wished() hosting.Sync {
	t.wake = true
	return hosting.Sync{Generation: 1, State: hosting.Pending, DueAt: t.now, ChangedAt: t.now}
}
