package store

import (
	"context"
	"errors"
	"time"

	"cancale/internal/hosting"
)

// outOfMemory is how the audit log calls that a site's programs were ended
// because they needed more memory than a site may use.
const outOfMemory = "site.memory"

// RanOutOfMemory adds an audit row that says that a site did.
func (n *NodeStore) RanOutOfMemory(ctx context.Context, id hosting.SiteID) error {
	site, err := n.Site(ctx, id)
	if err != nil {
		return err
	}
	return n.note(ctx, outOfMemory, site.AccountID, site.Host.String(), nil)
}

// OutOfMemory is when a site ran out of memory last, within a time; zero when
// it did not.
func (s *Store) OutOfMemory(ctx context.Context, scope hosting.Scope, site hosting.Site, within time.Duration) (time.Time, error) {
	c := scoped(scope, "account_id").and("account_id = ?", site.AccountID).and("at >= ?", now().Add(-within)).and("action = ? AND target = ?", outOfMemory, site.Host)
	at, err := one[time.Time](s.db.WithContext(ctx), "SELECT at FROM audit_entries"+c.where()+" ORDER BY id DESC LIMIT 1", c.args...)
	if errors.Is(err, errNoRow) {
		return time.Time{}, nil
	}
	return at, err
}

// SitesOutOfMemory are the names of those that ran out of it within a time.
func (s *Store) SitesOutOfMemory(ctx context.Context, scope hosting.Scope, within time.Duration) ([]string, error) {
	c := scoped(scope, "account_id").and("at >= ?", now().Add(-within)).and("action = ?", outOfMemory)
	return list[string](s.db.WithContext(ctx), "SELECT DISTINCT target FROM audit_entries"+c.where()+" ORDER BY target", c.args...)
}
