package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"cancale/internal/hosting"
)

// What a row of notices is about.
const (
	noticeDisk       = "disk"
	noticeMembership = "membership"
	noticeDatabase   = "database:"
)

// noticeRow is a row of notices.
type noticeRow struct {
	AccountID hosting.AccountID
	What      string
	Level     int
	Mark      string
	ChangedAt time.Time
}

// fullness is how much of a limit something uses, and what was told of it.
type fullness struct {
	AccountID hosting.AccountID
	What      string
	Name      string // of a database
	Used      int64
	MB        int `gorm:"column:mb"`
	Was       int
}

// fullnesses are all things that are full enough to be told of, or were: what
// a plan limits in megabytes.
const fullnesses = "SELECT * FROM (" +
	"SELECT a.id AS account_id, 'disk' AS what, '' AS name, COALESCE(SUM(GREATEST(u.files + u.bin + u.drift, 0)), 0) AS used, p.disk_mb AS mb, COALESCE(MAX(n.level), 0) AS was" +
	" FROM accounts a JOIN plans p ON p.id = a.plan_id LEFT JOIN disk_usage u ON u.account_id = a.id LEFT JOIN notices n ON n.account_id = a.id AND n.what = 'disk'" +
	" WHERE a.removing = 0 GROUP BY a.id, p.disk_mb" +
	" UNION ALL SELECT d.account_id, CONCAT('database:', d.id), d.name, u.bytes, p.database_mb, COALESCE(n.level, 0)" +
	" FROM database_usage u JOIN hosted_databases d ON d.id = u.database_id JOIN accounts a ON a.id = d.account_id JOIN plans p ON p.id = a.plan_id" +
	" LEFT JOIN notices n ON n.account_id = a.id AND n.what = CONCAT('database:', d.id) WHERE a.removing = 0 AND d.removing = 0" +
	") f WHERE was > 0 OR mb > 0 AND used >= mb * 1048576 DIV 100 * 80"

// Notify tells people what nobody asked for but they have to know: that
// something is nearly full, that a membership ends. Each is told once; how full
// something is, again when it fell below that level since. It answers how many
// levels changed.
func (s *Store) Notify(ctx context.Context) (int, error) {
	full, err := list[fullness](s.db.WithContext(ctx), fullnesses)
	if err != nil {
		return 0, err
	}
	changed := 0
	for _, f := range full {
		if level := hosting.NoticeLevel(f.Used, hosting.Bytes(f.MB), f.Was); level != f.Was {
			if err := s.tellFull(ctx, f, level); err != nil {
				return changed, err
			}
			changed++
		}
	}
	ends, err := s.tellEnds(ctx)
	return changed + ends, err
}

func (s *Store) tellFull(ctx context.Context, f fullness, level int) error {
	return s.write(ctx, sweeper, "notice.limit", func(t *tx) error {
		before, err := t.lockNotice(f.AccountID, f.What)
		if err != nil {
			return err
		}
		if t.same = before.Level != f.Was; t.same {
			return nil // somebody else was quicker
		}
		if err := t.setNotice(noticeRow{AccountID: f.AccountID, What: f.What, Level: level}); err != nil {
			return err
		}
		label, err := t.accountLabel(f.AccountID)
		if err != nil {
			return err
		}
		t.note(f.AccountID, label, map[string]int{f.What: f.Was}, map[string]int{f.What: level})
		if level < f.Was {
			return nil
		}
		mail := hosting.Mail{
			Kind: hosting.MailLimit, AccountID: f.AccountID, Link: "/disk",
			Args: map[string]string{"account": label, "what": "disk", "percent": strconv.Itoa(level)},
		}
		if f.What != noticeDisk {
			mail.Link, mail.Args["what"] = "/databases/"+f.What[len(noticeDatabase):], "databases"
		}
		if err := t.mailOwners(f.AccountID, mail); err != nil || level < 100 || f.What != noticeDisk {
			return err
		}
		return t.mailTeam(hosting.Mail{
			Kind: hosting.MailFull, AccountID: f.AccountID, Link: fmt.Sprintf("/admin/accounts/%d", f.AccountID), Args: map[string]string{"account": label},
		})
	})
}

// tellEnds tells owners that the membership of their account ends, a month and
// a week before, and that it has ended. A new end is told anew.
func (s *Store) tellEnds(ctx context.Context) (int, error) {
	at := now()
	accounts, err := list[hosting.Account](s.db.WithContext(ctx), "SELECT a.* FROM accounts a LEFT JOIN notices n ON n.account_id = a.id AND n.what = ?"+
		" WHERE a.removing = 0 AND a.expires < ? AND (n.level IS NULL OR n.mark <> DATE_FORMAT(a.expires, '%Y-%m-%d %T')"+
		" OR n.level < CASE WHEN a.expires <= ? THEN ? WHEN a.expires <= ? THEN ? ELSE ? END) ORDER BY a.expires, a.id LIMIT 500", noticeMembership, at.Add(hosting.EndsSoon),
		at, hosting.MembershipEnded, at.Add(hosting.EndsNow), hosting.MembershipEndsNow, hosting.MembershipEndsSoon)
	if err != nil {
		return 0, err
	}
	for n, account := range accounts {
		if err := s.tellEnd(ctx, account); err != nil {
			return n, err
		}
	}
	return len(accounts), nil
}

func (s *Store) tellEnd(ctx context.Context, account hosting.Account) error {
	return s.write(ctx, sweeper, "notice.membership", func(t *tx) error {
		mark, level := account.Expires.Format(time.DateTime), hosting.MembershipLevel(*account.Expires, t.now)
		before, err := t.lockNotice(account.ID, noticeMembership)
		if err != nil {
			return err
		}
		if t.same = before.Mark == mark && before.Level >= level; t.same {
			return nil
		}
		if err := t.setNotice(noticeRow{AccountID: account.ID, What: noticeMembership, Level: level, Mark: mark}); err != nil {
			return err
		}
		label, err := t.accountLabel(account.ID)
		if err != nil {
			return err
		}
		t.note(account.ID, label, nil, map[string]string{"Expires": mark})
		mail := hosting.Mail{
			Kind: hosting.MailEnding, AccountID: account.ID, Link: "/requests/new?about=membership",
			Args: map[string]string{"account": label, "day": mailTime(*account.Expires)},
		}
		if level == hosting.MembershipEnded {
			mail.Kind = hosting.MailEnded
		}
		if t.now.Sub(*account.Expires) > hosting.EndsSoon {
			return nil // it came into our books like that: nobody learns anything
		}
		return t.mailOwners(account.ID, mail)
	})
}

// lockNotice is what was told, for the rest of the transaction.
func (t *tx) lockNotice(account hosting.AccountID, what string) (noticeRow, error) {
	row, err := one[noticeRow](t.DB, "SELECT * FROM notices WHERE account_id = ? AND what = ? FOR UPDATE", account, what)
	if errors.Is(err, errNoRow) {
		return noticeRow{}, nil
	}
	return row, err
}

func (t *tx) setNotice(n noticeRow) error {
	return t.Exec("INSERT INTO notices (account_id, what, level, mark, changed_at) VALUES (?, ?, ?, ?, ?)"+
		" ON DUPLICATE KEY UPDATE level = VALUES(level), mark = VALUES(mark), changed_at = VALUES(changed_at)", n.AccountID, n.What, n.Level, n.Mark, t.now).Error
}

// mailOwners is mail to those who answer for an account.
func (t *tx) mailOwners(account hosting.AccountID, m hosting.Mail) error {
	return t.mailMembers(account, "AND m.role = 'owner'", m)
}

// mailTeam is mail to everybody of the team but who acts.
func (t *tx) mailTeam(m hosting.Mail) error {
	volunteers, err := list[hosting.Person](t.DB, "SELECT * FROM persons WHERE role <> '' AND disabled = 0 AND id <> ? ORDER BY id", t.actor.Person)
	if err != nil {
		return err
	}
	for _, p := range volunteers {
		if err := t.mailTo(p, m); err != nil {
			return err
		}
	}
	return nil
}
