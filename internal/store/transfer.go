package store

import (
	"context"
	"strings"
	"time"

	"cancale/internal/hosting"

	"gorm.io/gorm"
)

const (
	// sweepTransfers is how many entries one statement deletes: a few
	// milliseconds, so that nobody waits for a lock.
	sweepTransfers = 5000
	// countTransfers is how far a search is counted; beyond, there are "more".
	countTransfers = 10_000
)

// TransferFilter narrows the journal of transfers. Zero values do not narrow.
type TransferFilter struct {
	Account       hosting.AccountID
	Who           string // how a login or an address begins
	Search        string // in the path, and in the new one of what was renamed
	Action        hosting.TransferAction
	Protocol      hosting.Protocol
	Since, Until  time.Time // from the one, before the other
	Page, PerPage int
}

func (f TransferFilter) conditions(scope hosting.Scope) *conditions {
	c := scoped(scope, "t.account_id")
	if f.Account != 0 {
		c.and("t.account_id = ?", f.Account)
	}
	if f.Who != "" {
		c.and("t.who LIKE ?", strings.TrimPrefix(like(f.Who), "%"))
	}
	if f.Action != "" {
		c.and("t.action = ?", f.Action)
	}
	if f.Protocol != "" {
		c.and("t.protocol = ?", f.Protocol)
	}
	if !f.Since.IsZero() {
		c.and("t.at >= ?", f.Since.UTC())
	}
	if !f.Until.IsZero() {
		c.and("t.at < ?", f.Until.UTC())
	}
	if f.Search != "" {
		pattern := like(f.Search)
		c.and("t.path LIKE ? OR t.target LIKE ?", pattern, pattern)
	}
	return c
}

// Transfers lists what was done to files, the latest first: one page, and how
// many entries there are in all, counted up to 10,000.
func (s *Store) Transfers(ctx context.Context, scope hosting.Scope, f TransferFilter) ([]hosting.Transfer, int, error) {
	c := f.conditions(scope)
	db := s.db.WithContext(ctx)
	total, err := one[int](db, "SELECT COUNT(*) FROM (SELECT 1 FROM transfers t"+c.where()+" LIMIT ?) found", c.with(countTransfers)...)
	if err != nil {
		return nil, 0, err
	}
	limit, offset := limits(f.Page, f.PerPage)
	offset = min(offset, countTransfers)
	rows, err := list[hosting.Transfer](db, "SELECT t.* FROM transfers t"+c.where()+" ORDER BY t.at DESC, t.id DESC LIMIT ? OFFSET ?", c.with(limit, offset)...)
	return rows, total, err
}

// TransfersBefore lists at most limit entries that are older than one, the latest first: how a
// program reads the whole journal, page after page, while it grows. The zero
// entry is the end of it.
func (s *Store) TransfersBefore(ctx context.Context, scope hosting.Scope, f TransferFilter, before hosting.Transfer, limit int) ([]hosting.Transfer, error) {
	c := f.conditions(scope)
	if before.ID != 0 {
		c.and("t.at < ? OR (t.at = ? AND t.id < ?)", before.At.UTC(), before.At.UTC(), before.ID)
		c.and("t.at <= ?", before.At.UTC()) // this one an index can use
	}
	return list[hosting.Transfer](s.db.WithContext(ctx), "SELECT t.* FROM transfers t"+c.where()+" ORDER BY t.at DESC, t.id DESC LIMIT ?", c.with(min(limit, maxPerPage))...)
}

const (
	longestPath = 1024
	longestWho  = 254
)

// AddTransfers writes entries of the journal. It is no act of anybody, so that
// it leaves no audit row: the acts are done, this tells of them.
func (s *Store) AddTransfers(ctx context.Context, entries []hosting.Transfer) error {
	if len(entries) == 0 {
		return nil
	}
	rows := make([]hosting.Transfer, len(entries))
	for i, e := range entries {
		e.At = e.At.UTC().Truncate(time.Microsecond)
		e.Who = hosting.Visible(e.Who, longestWho)
		e.Path, e.Target = hosting.Visible(e.Path, longestPath), hosting.Visible(e.Target, longestPath)
		e.Bytes, e.TookMS = max(e.Bytes, 0), max(e.TookMS, 0)
		rows[i] = e
	}
	return s.housekeep(ctx, "journal of transfers", func(db *gorm.DB, _ time.Time) error {
		return insert(db, "transfers", "at, account_id, who, protocol, source, action, path, target, bytes, took_ms, result", rows, func(e hosting.Transfer) []any {
			return []any{e.At, e.AccountID, e.Who, e.Protocol, e.Source, e.Action, e.Path, e.Target, e.Bytes, e.TookMS, e.Result}
		})
	})
}

// forgetTransfers deletes entries whose time is over, so many at a time that
// it is over at once; the next sweep goes on.
func (s *Store) forgetTransfers(ctx context.Context) error {
	settings, err := s.Settings(ctx)
	if err != nil {
		return err
	}
	return s.housekeep(ctx, "sweep of transfers", func(db *gorm.DB, now time.Time) error {
		return db.Exec("DELETE FROM transfers WHERE at < ? ORDER BY at LIMIT ?", now.AddDate(0, 0, -settings.Kept.TransferDays), sweepTransfers).Error
	})
}
