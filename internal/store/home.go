package store

import (
	"context"
	"strings"

	"cancale/internal/hosting"

	"gorm.io/gorm"
)

// homeColumns are what the daemon that looks after the files of sites may read
// of them: neither the way to their PHP nor what they
// serve.
const homeColumns = "id, node_id, account_id, host, uid, home_token, suspended, removing, state"

var selectHome = "SELECT s." + strings.ReplaceAll(homeColumns, ", ", ", s.") + ", a.suspended AS account_suspended" + fromSites

// SiteHome reads a site as far as its files are concerned.
func (s *Store) SiteHome(ctx context.Context, scope hosting.Scope, id hosting.SiteID) (hosting.Site, error) {
	c := scoped(scope, "s.account_id").and("s.id = ?", id).and("s.state <> 'removed'")
	site, err := one[hosting.Site](s.db.WithContext(ctx), selectHome+c.where(), c.args...)
	return site, orNotFound(err, "site")
}

// SitesOfAccount lists the sites of an account that are not on their way out,
// as far as their files are concerned.
func (s *Store) SitesOfAccount(ctx context.Context, account hosting.AccountID) ([]hosting.Site, error) {
	return list[hosting.Site](s.db.WithContext(ctx), selectHome+" WHERE s.account_id = ? AND s.removing = 0 ORDER BY s.id", account)
}

func readHome(db *gorm.DB, id hosting.SiteID) (hosting.Site, error) {
	return one[hosting.Site](db, selectHome+" WHERE s.id = ?", id)
}
