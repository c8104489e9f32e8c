package store

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"cancale/internal/hosting"

	"gorm.io/gorm"
)

// selectSpace is an account's (a) space, with its plan (p). The sums of all sites
// are read from an index; what is removed and kept is little.
const (
	ofAccount   = " FROM disk_usage u WHERE u.account_id = a.id), 0)"
	ofTrash     = " FROM sites t JOIN disk_usage u ON u.site_id = t.id WHERE t.account_id = a.id AND t.kept_until IS NOT NULL), 0)"
	selectSpace = "SELECT a.id AS account_id, p.disk_mb," +
		" COALESCE((SELECT SUM(GREATEST(u.files + u.bin + u.drift, 0))" + ofAccount + " AS used," +
		" COALESCE((SELECT SUM(u.bin)" + ofAccount + " - COALESCE((SELECT SUM(u.bin)" + ofTrash + " AS bin," +
		" COALESCE((SELECT SUM(GREATEST(u.files + u.bin + u.drift, 0))" + ofTrash + " AS trash," +
		" COALESCE(q.stopped, 0) AS stopped" +
		" FROM accounts a JOIN plans p ON p.id = a.plan_id LEFT JOIN account_space q ON q.account_id = a.id"
)

// diskRow is a row of disk_usage.
type diskRow struct {
	SiteID     hosting.SiteID
	NodeID     hosting.NodeID
	AccountID  hosting.AccountID
	Files      int64
	Bin        int64
	Entries    int64
	Drift      int64
	MeasuredAt *time.Time
	DueAt      time.Time
}

// stopRow is a row of account_space.
type stopRow struct {
	AccountID hosting.AccountID
	Stopped   bool
	ChangedAt time.Time
}

// selectWishedSite is a site as the agent has to make it.
const selectWishedSite = "SELECT s.*, a.suspended AS account_suspended, EXISTS (SELECT 1 FROM account_space q WHERE q.account_id = s.account_id AND q.stopped = 1) AS frozen"

type spaceRow struct {
	AccountID hosting.AccountID
	DiskMB    int `gorm:"column:disk_mb"`
	Used, Bin int64
	Trash     int64
	Stopped   bool
}

func (r spaceRow) space() hosting.Space {
	return hosting.Space{Used: r.Used, Bin: r.Bin, Trash: r.Trash, Limit: hosting.Bytes(r.DiskMB), Stopped: r.Stopped}
}

func spaces(db *gorm.DB, where string, args ...any) (map[hosting.AccountID]hosting.Space, error) {
	rows, err := list[spaceRow](db, selectSpace+where, args...)
	found := make(map[hosting.AccountID]hosting.Space, len(rows))
	for _, row := range rows {
		found[row.AccountID] = row.space()
	}
	return found, err
}

// Space reads what an account takes on the disk.
func (s *Store) Space(ctx context.Context, scope hosting.Scope, account hosting.AccountID) (hosting.Space, error) {
	c := scoped(scope, "a.id").and("a.id = ?", account)
	found, err := spaces(s.db.WithContext(ctx), c.where(), c.args...)
	if err != nil {
		return hosting.Space{}, err
	}
	space, known := found[account]
	if !known {
		return space, orNotFound(errNoRow, "account")
	}
	return space, nil
}

// Spaces reads what some accounts take on the disk; those out of scope are left
// out.
func (s *Store) Spaces(ctx context.Context, scope hosting.Scope, accounts []hosting.AccountID) (map[hosting.AccountID]hosting.Space, error) {
	if len(accounts) == 0 {
		return map[hosting.AccountID]hosting.Space{}, nil
	}
	c := scoped(scope, "a.id").and("a.id IN ?", accounts)
	return spaces(s.db.WithContext(ctx), c.where(), c.args...)
}

// DiskUsage lists what the sites of an account take on the disk, the largest
// first, at most so many.
func (s *Store) DiskUsage(ctx context.Context, scope hosting.Scope, account hosting.AccountID, most int) ([]hosting.DiskUsage, error) {
	c := scoped(scope, "s.account_id").and("s.account_id = ?", account).and("s.state <> 'removed'")
	const largest = " ORDER BY GREATEST(COALESCE(u.files + u.drift, 0), 0) + COALESCE(u.bin, 0) DESC, "
	// Sorting ids is ten times cheaper than sorting rows.
	return list[hosting.DiskUsage](s.db.WithContext(ctx), "SELECT s.id AS site_id, s.host, COALESCE(GREATEST(u.files + u.drift, 0), 0) AS files, COALESCE(u.bin, 0) AS bin,"+
		" COALESCE(u.entries, 0) AS entries, u.measured_at FROM sites s LEFT JOIN disk_usage u ON u.site_id = s.id"+
		" JOIN (SELECT s.id FROM sites s LEFT JOIN disk_usage u ON u.site_id = s.id"+c.where()+largest+"s.id LIMIT ?) page ON page.id = s.id"+largest+"s.host", c.with(most)...)
}

// DiskSpaces is Spaces for the daemon that writes files, which asks for those
// that it writes for.
func (s *Store) DiskSpaces(ctx context.Context, accounts []hosting.AccountID) (map[hosting.AccountID]hosting.Space, error) {
	return spaces(s.db.WithContext(ctx), " WHERE a.id IN ?", accounts)
}

// soon is how long after a change a site is measured anew: most changes come
// together.
const soon = time.Minute

// AddDrift notes what sites have more, or less, since they were measured, and
// has them measured soon.
func (s *Store) AddDrift(ctx context.Context, drift map[hosting.SiteID]int64) error {
	return s.housekeep(ctx, "disk drift", func(db *gorm.DB, now time.Time) error {
		for _, site := range slices.Sorted(maps.Keys(drift)) {
			err := db.Exec("INSERT INTO disk_usage (site_id, node_id, account_id, files, bin, entries, drift, due_at)"+
				" SELECT id, node_id, account_id, 0, 0, 0, ?, ? FROM sites WHERE id = ?"+
				" ON DUPLICATE KEY UPDATE drift = disk_usage.drift + VALUES(drift), due_at = LEAST(disk_usage.due_at, VALUES(due_at))",
				drift[site], now.Add(soon), site).Error
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// DiskDue is a site that is to be measured.
type DiskDue struct {
	hosting.Site
	Drift      int64
	MeasuredAt *time.Time
}

// DueDisk lists sites of the node that are to be measured: those that were
// written to first, then the longest waiting.
func (n *NodeStore) DueDisk(ctx context.Context, limit int) ([]DiskDue, error) {
	db := n.db.WithContext(ctx)
	return list[DiskDue](db, "SELECT s.*, u.drift, u.measured_at FROM disk_usage u JOIN sites s ON s.id = u.site_id"+
		" WHERE u.node_id = ? AND u.due_at <= ? ORDER BY u.drift = 0, u.due_at LIMIT ?", n.node.ID, now(), limit)
}

// DiskMeasured is what was measured of a site, and when it is to be measured
// next.
type DiskMeasured struct {
	Was                 DiskDue
	Files, Bin, Entries int64
	Next                time.Time
}

// ObserveDisk notes what was measured, all of it or nothing. Of the drift goes
// what was known when the measuring began: what came since stays, and the site
// is measured anew soon. One that is no more is passed over.
func (n *NodeStore) ObserveDisk(ctx context.Context, measured []DiskMeasured) error {
	if len(measured) == 0 {
		return nil
	}
	at := now()
	rows := make([]string, len(measured))
	args := make([]any, 0, 6*len(measured)+2)
	for i, m := range measured {
		rows[i] = "SELECT ? AS site_id, ? AS files, ? AS bin, ? AS entries, ? AS drift, CAST(? AS DATETIME(6)) AS due_at"
		args = append(args, m.Was.ID, m.Files, m.Bin, m.Entries, m.Was.Drift, m.Next.UTC())
	}
	return n.diskWrite(ctx, "UPDATE disk_usage u JOIN ("+strings.Join(rows, " UNION ALL ")+") m ON m.site_id = u.site_id"+
		// MariaDB assigns from left to right: what looks at the old drift first.
		" SET u.due_at = IF(u.drift = m.drift, m.due_at, LEAST(m.due_at, ?)), u.drift = u.drift - m.drift,"+
		" u.files = m.files, u.bin = m.bin, u.entries = m.entries, u.measured_at = ?", append(args, at.Add(soon), at)...)
}

// ListDisk makes every site of the node known that is not yet, to be measured
// now.
func (n *NodeStore) ListDisk(ctx context.Context) error {
	return n.diskWrite(ctx, "INSERT IGNORE INTO disk_usage (site_id, node_id, account_id, files, bin, entries, drift, due_at)"+
		" SELECT s.id, s.node_id, s.account_id, 0, 0, 0, 0, ? FROM sites s LEFT JOIN disk_usage u ON u.site_id = s.id WHERE s.node_id = ? AND u.site_id IS NULL", now(), n.node.ID)
}

// MeasuredDisk tells when each site of the node was measured.
func (n *NodeStore) MeasuredDisk(ctx context.Context) (map[hosting.SiteID]time.Time, error) {
	rows, err := list[struct {
		SiteID     hosting.SiteID
		MeasuredAt time.Time
	}](n.db.WithContext(ctx), "SELECT site_id, measured_at FROM disk_usage WHERE node_id = ? AND measured_at IS NOT NULL", n.node.ID)
	at := make(map[hosting.SiteID]time.Time, len(rows))
	for _, row := range rows {
		at[row.SiteID] = row.MeasuredAt
	}
	return at, err
}

// Settings are what holds for the installation now.
func (n *NodeStore) Settings(ctx context.Context) (hosting.Settings, error) {
	return readSettings(ctx, n.db.WithContext(ctx))
}

// MeasureHomes has the sites measured now whose homes bear these tokens.
func (n *NodeStore) MeasureHomes(ctx context.Context, homes []hosting.Token) error {
	const chunk = 500
	for part := range slices.Chunk(homes, chunk) {
		err := n.diskWrite(ctx, "UPDATE disk_usage u JOIN sites s ON s.id = u.site_id SET u.due_at = LEAST(u.due_at, ?) WHERE s.node_id = ? AND s.home_token IN ?", now(), n.node.ID, part)
		if err != nil {
			return err
		}
	}
	return nil
}

// MeasureDisk has sites measured now.
func (n *NodeStore) MeasureDisk(ctx context.Context, sites []hosting.SiteID) error {
	const chunk = 500
	for part := range slices.Chunk(sites, chunk) {
		if err := n.diskWrite(ctx, "UPDATE disk_usage SET due_at = LEAST(due_at, ?) WHERE node_id = ? AND site_id IN ?", now(), n.node.ID, part); err != nil {
			return err
		}
	}
	return nil
}

func (n *NodeStore) diskWrite(ctx context.Context, query string, args ...any) error {
	err := transact(ctx, n.db, func(db *gorm.DB) error { return db.Exec(query, args...).Error })
	if err != nil {
		return wrap("disk", err)
	}
	return nil
}

// Stopping is an account whose sites are to stop writing, or may write again.
type Stopping struct {
	Account hosting.AccountID
	Stop    bool
	Sites   []hosting.SiteID
}

// StopWriting compares what accounts take with what their plans allow, notes
// whose sites may no longer write and whose may again, and answers what
// changed. They stop a twentieth beyond the limit, and begin again below it.
func (n *NodeStore) StopWriting(ctx context.Context) ([]Stopping, error) {
	db := n.db.WithContext(ctx)
	found, err := spaces(db, " WHERE a.id IN (SELECT s.account_id FROM sites s WHERE s.node_id = ?)", n.node.ID)
	if err != nil {
		return nil, err
	}
	var changed []Stopping
	for _, id := range slices.Sorted(maps.Keys(found)) {
		space := found[id]
		stop := space.Stopped
		switch {
		case space.Limit < 0 || space.Used < space.Limit:
			stop = false
		case space.Used > space.StopsAt():
			stop = true
		}
		if stop == space.Stopped {
			continue
		}
		if err := n.diskWrite(ctx, "INSERT INTO account_space (account_id, stopped, changed_at) VALUES (?, ?, ?)"+
			" ON DUPLICATE KEY UPDATE stopped = VALUES(stopped), changed_at = VALUES(changed_at)", id, stop, now()); err != nil {
			return changed, err
		}
		sites, err := list[hosting.SiteID](db, "SELECT id FROM sites WHERE account_id = ? AND node_id = ? AND removing = 0", id, n.node.ID)
		if err != nil {
			return changed, err
		}
		changed = append(changed, Stopping{Account: id, Stop: stop, Sites: sites})
	}
	return changed, nil
}
