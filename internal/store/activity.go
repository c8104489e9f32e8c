package store

import (
	"context"

	"cancale/internal/hosting"
)

// AuditActors are who did something for an account, by name.
func (s *Store) AuditActors(ctx context.Context, scope hosting.Scope, account hosting.AccountID) ([]string, error) {
	c := scoped(scope, "account_id").and("account_id = ?", account)
	return list[string](s.db.WithContext(ctx), "SELECT DISTINCT actor FROM audit_entries"+c.where()+" ORDER BY actor LIMIT 200", c.args...)
}

// AuditBefore lists at most limit entries that are older than one, the latest
// first: how a program reads the whole log, page after page, while it grows.
// Zero is its end.
func (s *Store) AuditBefore(ctx context.Context, scope hosting.Scope, f AuditFilter, before uint64, limit int) ([]hosting.AuditEntry, error) {
	c := f.conditions(scope)
	if before != 0 {
		c.and("e.id < ?", before)
	}
	return list[hosting.AuditEntry](s.db.WithContext(ctx), "SELECT e.* FROM audit_entries e"+c.where()+" ORDER BY e.id DESC LIMIT ?", c.with(min(limit, maxPerPage))...)
}
