package store

import (
	"context"
	"errors"
	"time"

	"cancale/internal/hosting"

	"gorm.io/gorm"
)

// sweeper signs for what goes by itself.
var sweeper = hosting.System("cancale")

// Sweep has removed things go for good that were kept long enough, and deletes
// what the machine is clean of: sites and databases,
// then accounts that are empty at last, and names, sessions, invitations and
// counts of failures whose time is over. It answers how many sites, databases
// and accounts went.
func (s *Store) Sweep(ctx context.Context) (int, error) {
	swept := 0
	if err := errors.Join(s.expireTrash(ctx), s.endVisits(ctx)); err != nil {
		return 0, err
	}
	accounts, err := list[hosting.AccountID](s.db.WithContext(ctx),
		"SELECT account_id FROM sites WHERE state = 'removed' AND kept_until IS NULL UNION SELECT account_id FROM hosted_databases WHERE state = 'removed' AND kept_until IS NULL"+
			" UNION SELECT id FROM accounts WHERE removing = 1 AND kept_until IS NULL")
	if err != nil {
		return 0, err
	}
	for _, id := range accounts {
		var n int
		err := s.write(ctx, sweeper, "sweep", func(t *tx) error {
			n = 0
			account, err := one[hosting.Account](t.DB, "SELECT * FROM accounts WHERE id = ? FOR UPDATE", id)
			if errors.Is(err, errNoRow) {
				t.same = true // somebody else swept it
				return nil
			}
			if err != nil {
				return err
			}
			gone, err := forgetRemoved(t.DB, id)
			if err != nil {
				return err
			}
			for _, name := range gone {
				t.note(id, name, nil, nil)
			}
			if account.Removing {
				empty, err := forgetAccount(t.DB, account)
				if err != nil {
					return err
				}
				if empty {
					t.note(id, string(account.Name), nil, nil)
				}
			}
			n = len(t.entries)
			t.same = n == 0
			return nil
		})
		if err != nil {
			return swept, err
		}
		swept += n
	}
	if err := errors.Join(s.forgetTransfers(ctx), s.forgetTraffic(ctx)); err != nil {
		return swept, err
	}
	return swept, s.housekeep(ctx, "sweep", func(db *gorm.DB, now time.Time) error {
		for _, statement := range []struct {
			query string
			args  []any
		}{
			{"DELETE n FROM site_names n JOIN sites s ON s.id = n.site_id WHERE n.dropped > 0 AND " + nameIsFree, nil},
			{"DELETE FROM sessions WHERE seen_at < ?", []any{now.Add(-sessionIdle)}},
			{"DELETE FROM invitations WHERE expires_at < ?", []any{now}},
			{"DELETE FROM throttles WHERE last_at < ? AND until < ?", []any{now.Add(-forgiveAfter), now}},
		} {
			if err := db.Exec(statement.query, statement.args...).Error; err != nil {
				return err
			}
		}
		return errors.Join(sweepMails(db, now), sweepBulks(db, now))
	})
}

// forgetRemoved deletes the account's rows that the machine is clean of, and
// answers their names.
func forgetRemoved(db *gorm.DB, account hosting.AccountID) ([]string, error) {
	sites, err := list[struct {
		ID   hosting.SiteID
		Host string
	}](db, "SELECT id, host FROM sites WHERE account_id = ? AND state = 'removed' AND kept_until IS NULL FOR UPDATE", account)
	if err != nil {
		return nil, err
	}
	var names []string
	if len(sites) > 0 {
		ids := make([]hosting.SiteID, len(sites))
		for i, site := range sites {
			ids[i] = site.ID
			names = append(names, site.Host)
		}
		if err := forgetSites(db, ids); err != nil {
			return nil, err
		}
	}
	databases, err := list[string](db, "SELECT name FROM hosted_databases WHERE account_id = ? AND state = 'removed' AND kept_until IS NULL FOR UPDATE", account)
	if err != nil {
		return nil, err
	}
	if len(databases) > 0 {
		if err := db.Exec("DELETE FROM hosted_databases WHERE account_id = ? AND state = 'removed' AND kept_until IS NULL", account).Error; err != nil {
			return nil, err
		}
	}
	return append(names, databases...), nil
}

// forgetSites deletes the rows of sites that the machine is clean of.
func forgetSites(db *gorm.DB, ids []hosting.SiteID) error {
	for _, statement := range []string{
		"DELETE FROM ftp_logins WHERE site_id IN ?",
		"DELETE FROM site_names WHERE site_id IN ?",
		"DELETE FROM site_traffic WHERE site_id IN ?",
		"DELETE FROM site_traffic_names WHERE site_id IN ?",
		"DELETE FROM sites WHERE id IN ?",
	} {
		if err := db.Exec(statement, ids).Error; err != nil {
			return err
		}
	}
	return nil
}

// forgetAccount deletes an account that is being removed and has nothing left.
// It reports whether that was so.
func forgetAccount(db *gorm.DB, account hosting.Account) (bool, error) {
	left, err := one[int](db, "SELECT (SELECT COUNT(*) FROM sites WHERE account_id = ?) + (SELECT COUNT(*) FROM hosted_databases WHERE account_id = ?)", account.ID, account.ID)
	if err != nil || left > 0 || !account.Removing || account.Trash.Kept() {
		return false, err
	}
	if err := db.Exec("DELETE FROM transfers WHERE account_id = ? LIMIT ?", account.ID, sweepTransfers).Error; err != nil {
		return false, err
	}
	if _, err := one[int](db, "SELECT 1 FROM transfers WHERE account_id = ? LIMIT 1", account.ID); !errors.Is(err, errNoRow) {
		return false, err // the next sweep goes on
	}
	for _, statement := range []string{
		// Who had a role nowhere else keeps no passkey, as in dropKeysOfLeaver.
		"DELETE k FROM passkeys k JOIN persons p ON p.id = k.person_id AND p.role = '' JOIN memberships m ON m.person_id = p.id" +
			" LEFT JOIN memberships o ON o.person_id = p.id AND o.account_id <> m.account_id WHERE m.account_id = ? AND o.person_id IS NULL",
		"DELETE c FROM recovery_codes c JOIN memberships m ON m.person_id = c.person_id LEFT JOIN authenticators a ON a.person_id = c.person_id AND a.confirmed = 1" +
			" LEFT JOIN passkeys k ON k.person_id = c.person_id WHERE m.account_id = ? AND a.person_id IS NULL AND k.id IS NULL",
		"DELETE FROM memberships WHERE account_id = ?",
		"DELETE FROM ftp_logins WHERE account_id = ?",
		"DELETE FROM account_traffic WHERE account_id = ?",
		"DELETE FROM accounts WHERE id = ?",
	} {
		if err := db.Exec(statement, account.ID).Error; err != nil {
			return false, err
		}
	}
	return true, nil
}

// Counts is how many things there are, by their state.
type Counts struct {
	Sites     map[hosting.State]int
	Databases map[hosting.State]int
	FTPLogins int
	Accounts  int
	Suspended int // of the accounts
	Persons   int
}

// Counts counts everything that is not yet gone.
func (s *Store) Counts(ctx context.Context) (Counts, error) {
	rows, err := list[struct {
		Kind  string
		State hosting.State
		N     int
	}](s.db.WithContext(ctx),
		"SELECT 'site' AS kind, state, COUNT(*) AS n FROM sites WHERE state <> 'removed' GROUP BY state"+
			" UNION ALL SELECT 'database', state, COUNT(*) FROM hosted_databases WHERE state <> 'removed' GROUP BY state"+
			" UNION ALL SELECT 'ftp', '', COUNT(*) FROM ftp_logins WHERE removing = 0 UNION ALL SELECT 'account', '', COUNT(*) FROM accounts WHERE kept_until IS NULL"+
			" UNION ALL SELECT 'suspended', '', COUNT(*) FROM accounts WHERE removing = 0 AND suspended = 1 UNION ALL SELECT 'person', '', COUNT(*) FROM persons")
	if err != nil {
		return Counts{}, err
	}
	counts := Counts{Sites: map[hosting.State]int{}, Databases: map[hosting.State]int{}}
	for _, row := range rows {
		switch row.Kind {
		case "site":
			counts.Sites[row.State] = row.N
		case "database":
			counts.Databases[row.State] = row.N
		case "ftp":
			counts.FTPLogins = row.N
		case "account":
			counts.Accounts = row.N
		case "suspended":
			counts.Suspended = row.N
		case "person":
			counts.Persons = row.N
		}
	}
	return counts, nil
}

// How often Wait looks: at first as if somebody stood there, later as one who
// waits for a retry.
const (
	waitPause     = 3 * time.Millisecond
	waitPatience  = 2 * time.Second
	waitLongPause = 50 * time.Millisecond
)

// Wait returns when the thing is settled at the generation, or a later one. A
// thing that is no longer there is removed. When ctx ends first, it answers
// how far the thing is, and the error.
func (s *Store) Wait(ctx context.Context, key hosting.Key, generation uint64) (hosting.Sync, error) {
	table, err := tableOf(key.Resource)
	if err != nil {
		return hosting.Sync{}, err
	}
	var sync hosting.Sync
	started, pause := time.Now(), time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return sync, ctx.Err()
		case <-pause.C:
		}
		row, err := one[syncRow](s.db.WithContext(ctx), "SELECT id, generation, removing, "+syncColumns+" FROM "+table+" WHERE id = ?", key.ID)
		switch {
		case errors.Is(err, errNoRow):
			return hosting.Sync{Generation: generation, Observed: generation, State: hosting.Removed, Removing: true}, nil
		case err != nil && ctx.Err() != nil:
			return sync, ctx.Err()
		case err != nil:
			return sync, err
		}
		sync = row.Sync
		if sync.Observed >= generation && sync.State.Settled() {
			return sync, nil
		}
		if time.Since(started) < waitPatience {
			pause.Reset(waitPause)
		} else {
			pause.Reset(waitLongPause)
		}
	}
}

type syncRow struct {
	ID   uint64
	Sync hosting.Sync `gorm:"embedded"`
}

func tableOf(resource hosting.Resource) (string, error) {
	switch resource {
	case hosting.ResourceSite:
		return "sites", nil
	case hosting.ResourceDatabase:
		return "hosted_databases", nil
	case hosting.ResourceFTP:
		return "ftp_logins", nil
	}
	return "", hosting.Refuse(hosting.NotFound, "", "error.not_found")
}
