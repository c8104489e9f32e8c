package store

import (
	"context"
	"time"

	"cancale/internal/hosting"
)

// AuditFilter narrows the audit log. Zero values do not narrow.
type AuditFilter struct {
	Account       hosting.AccountID
	Since, Until  time.Time
	Actor         string // all of it
	Thing         string // one of hosting.AuditThings
	Search        string // in the actor, the action and the target
	Page, PerPage int
}

func (f AuditFilter) conditions(scope hosting.Scope) *conditions {
	c := scoped(scope, "e.account_id")
	if f.Account != 0 {
		c.and("e.account_id = ?", f.Account)
	}
	if !f.Since.IsZero() {
		c.and("e.at >= ?", f.Since.UTC())
	}
	if !f.Until.IsZero() {
		c.and("e.at < ?", f.Until.UTC())
	}
	if f.Actor != "" {
		c.and("e.actor = ?", f.Actor)
	}
	if f.Thing != "" {
		c.and("SUBSTRING_INDEX(e.action, '.', 1) IN ?", hosting.AuditNouns(f.Thing))
	}
	if f.Search != "" {
		// One look at each row, in a collation that compares letter by letter:
		// a third of what four cost in the table's own.
		c.and("CONCAT_WS(' ', e.actor, e.action, e.target, e.behalf) COLLATE utf8mb4_general_ci LIKE ?", like(f.Search))
	}
	return c
}

// countAudit is how far the log is counted; beyond, there are "more".
const countAudit = 10_000

// Audit lists what was done, the latest first: one page, and how many entries
// there are in all, counted up to 10,000. What belongs to no account is for who
// may see everything.
func (s *Store) Audit(ctx context.Context, scope hosting.Scope, f AuditFilter) ([]hosting.AuditEntry, int, error) {
	c := f.conditions(scope)
	db := s.db.WithContext(ctx)
	limit, offset := limits(f.Page, f.PerPage)
	offset = min(offset, countAudit)
	if f.Search != "" {
		ids, total, err := found[uint64](db, limit, offset, "SELECT e.id FROM audit_entries e"+c.where()+" ORDER BY e.id DESC LIMIT ?", c.with(countAudit)...)
		if err != nil || len(ids) == 0 {
			return []hosting.AuditEntry{}, total, err
		}
		rows, err := list[hosting.AuditEntry](db, "SELECT e.* FROM audit_entries e WHERE e.id IN ? ORDER BY e.id DESC", ids)
		return rows, total, err
	}
	total, err := one[int](db, "SELECT COUNT(*) FROM (SELECT 1 FROM audit_entries e"+c.where()+" LIMIT ?) found", c.with(countAudit)...)
	if err != nil {
		return nil, 0, err
	}
	rows, err := list[hosting.AuditEntry](db, "SELECT e.* FROM audit_entries e"+c.where()+" ORDER BY e.id DESC LIMIT ? OFFSET ?", c.with(limit, offset)...)
	return rows, total, err
}
