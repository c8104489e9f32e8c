package store

import (
	"context"
	"time"

	"cancale/internal/hosting"
)

// AuditFilter narrows the audit log. Zero values do not narrow.
type AuditFilter struct {
	Account       hosting.AccountID
	Since         time.Time
	Search        string // in the actor, the action and the target
	Page, PerPage int
}

// Audit lists what was done, the latest first: one page, and how many entries
// there are in all. What belongs to no account is for who may see everything.
func (s *Store) Audit(ctx context.Context, scope hosting.Scope, f AuditFilter) ([]hosting.AuditEntry, int, error) {
	c := scoped(scope, "e.account_id")
	if f.Account != 0 {
		c.and("e.account_id = ?", f.Account)
	}
	if !f.Since.IsZero() {
		c.and("e.at >= ?", f.Since.UTC())
	}
	if f.Search != "" {
		pattern := like(f.Search)
		c.and("e.actor LIKE ? OR e.action LIKE ? OR e.target LIKE ?", pattern, pattern, pattern)
	}
	db := s.db.WithContext(ctx)
	total, err := one[int](db, "SELECT COUNT(*) FROM audit_entries e"+c.where(), c.args...)
	if err != nil {
		return nil, 0, err
	}
	limit, offset := limits(f.Page, f.PerPage)
	rows, err := list[hosting.AuditEntry](db, "SELECT e.* FROM audit_entries e"+c.where()+" ORDER BY e.id DESC LIMIT ? OFFSET ?", c.with(limit, offset)...)
	return rows, total, err
}
