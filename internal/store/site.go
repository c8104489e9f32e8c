package store

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"cancale/internal/config"
	"cancale/internal/hosting"

	"gorm.io/gorm"
)

// SiteFilter narrows a list of sites. Zero values do not narrow.
type SiteFilter struct {
	Account       hosting.AccountID
	Search        string // in its names, and in the name and label of its account
	State         hosting.State
	States        []hosting.State // any of them
	Page, PerPage int
	Sort          string // "host", "account", "state", "php", "created"; "-" before it turns the order
}

// SiteRow is a site and whose it is.
type SiteRow struct {
	hosting.Site
	AccountName  hosting.AccountName
	AccountLabel string
}

var siteSorts = map[string]string{"host": "s.host", "account": "a.label", "state": "s.state", "php": "s.php", "created": "s.created_at"}

const (
	siteColumns = "SELECT s.*, a.suspended AS account_suspended, a.name AS account_name, a.label AS account_label"
	fromSites   = " FROM sites s JOIN accounts a ON a.id = s.account_id"
)

// Sites lists the sites in scope: one page of them, and how many there are in
// all.
func (s *Store) Sites(ctx context.Context, scope hosting.Scope, f SiteFilter) ([]SiteRow, int, error) {
	c := scoped(scope, "s.account_id")
	if f.Account != 0 {
		c.and("s.account_id = ?", f.Account)
	}
	if f.State != "" {
		c.and("s.state = ?", f.State)
	}
	if len(f.States) > 0 {
		c.and("s.state IN ?", f.States)
	}
	c.and("s.state <> 'removed'")
	from, args := " FROM sites s", []any{}
	if f.Search != "" {
		// A derived table, because MariaDB asks a UNION after IN anew for each row.
		pattern := like(strings.ToLower(f.Search))
		from += " JOIN (SELECT n.site_id FROM site_names n WHERE n.dropped = 0 AND (n.name LIKE ? OR n.displayed LIKE ?)" +
			" UNION SELECT o.id FROM accounts b JOIN sites o ON o.account_id = b.id WHERE b.name LIKE ? OR b.label LIKE ?) m ON m.site_id = s.id"
		args = []any{pattern, pattern, pattern, pattern}
	}
	args = append(args, c.args...)
	db := s.db.WithContext(ctx)
	limit, offset := limits(f.Page, f.PerPage)
	var ids []hosting.SiteID
	var total int
	var err error
	byAccount := ""
	if strings.TrimPrefix(f.Sort, "-") == "account" {
		byAccount = " JOIN accounts a ON a.id = s.account_id"
	}
	// Sorting ids is ten times cheaper than sorting rows.
	sorted := "SELECT s.id" + from + byAccount + c.where() + order(f.Sort, siteSorts, "host", "s.id")
	if f.Search != "" {
		ids, total, err = found[hosting.SiteID](db, limit, offset, sorted, args...)
	} else if total, err = one[int](db, "SELECT COUNT(*)"+from+c.where(), args...); err == nil {
		ids, err = list[hosting.SiteID](db, sorted+" LIMIT ? OFFSET ?", append(args, limit, offset)...)
	}
	if err != nil || len(ids) == 0 {
		return []SiteRow{}, total, err
	}
	rows, err := list[SiteRow](db, siteColumns+fromSites+" WHERE s.id IN ?", ids)
	if err != nil {
		return nil, 0, err
	}
	slices.SortFunc(rows, func(a, b SiteRow) int { return cmp.Compare(slices.Index(ids, a.ID), slices.Index(ids, b.ID)) })
	return rows, total, addAliases(db, rows, func(row *SiteRow) *hosting.Site { return &row.Site })
}

// Site reads one site.
func (s *Store) Site(ctx context.Context, scope hosting.Scope, id hosting.SiteID) (SiteRow, error) {
	return s.site(ctx, scoped(scope, "s.account_id").and("s.id = ?", id))
}

// SiteByHost reads the site that has the name, be it an alias.
func (s *Store) SiteByHost(ctx context.Context, scope hosting.Scope, host hosting.Hostname) (SiteRow, error) {
	return s.site(ctx, scoped(scope, "s.account_id").and("s.id = (SELECT n.site_id FROM site_names n WHERE n.name = ? AND n.dropped = 0)", host))
}

func (s *Store) site(ctx context.Context, c *conditions) (SiteRow, error) {
	db := s.db.WithContext(ctx)
	rows, err := list[SiteRow](db, siteColumns+fromSites+c.and("s.state <> 'removed'").where(), c.args...)
	if err == nil && len(rows) == 0 {
		err = orNotFound(errNoRow, "site")
	}
	if err != nil {
		return SiteRow{}, err
	}
	return rows[0], addAliases(db, rows, func(row *SiteRow) *hosting.Site { return &row.Site })
}

// addAliases reads the aliases of a page of sites.
func addAliases[T any](db *gorm.DB, rows []T, site func(*T) *hosting.Site) error {
	if len(rows) == 0 {
		return nil
	}
	at := make(map[hosting.SiteID]*hosting.Site, len(rows))
	ids := make([]hosting.SiteID, 0, len(rows))
	for i := range rows {
		s := site(&rows[i])
		at[s.ID] = s
		ids = append(ids, s.ID)
	}
	names, err := list[hostName](db, "SELECT site_id, name FROM site_names WHERE site_id IN ? AND position > 0 AND dropped = 0 ORDER BY site_id, position", ids)
	for _, n := range names {
		at[n.SiteID].Aliases = append(at[n.SiteID].Aliases, n.Name)
	}
	return err
}

// CreateSite adds a site to an account.
func (s *Store) CreateSite(ctx context.Context, actor hosting.Actor, account hosting.AccountID, spec hosting.SiteSpec) (hosting.Site, error) {
	sites, err := s.CreateSites(ctx, actor, account, []hosting.SiteSpec{spec})
	if err != nil {
		return hosting.Site{}, err
	}
	return sites[0], nil
}

// CreateSites adds all of the sites to an account, or none.
func (s *Store) CreateSites(ctx context.Context, actor hosting.Actor, account hosting.AccountID, specs []hosting.SiteSpec) ([]hosting.Site, error) {
	if len(specs) == 0 {
		return []hosting.Site{}, nil
	}
	specs = slices.Clone(specs)
	for i := range specs {
		if err := specs[i].Check(); err != nil {
			return nil, err
		}
		specs[i] = completed(specs[i])
	}
	var sites []hosting.Site
	err := s.write(ctx, actor, "site.create", func(t *tx) error {
		holder, err := t.openAccount(account, hosting.SitesWrite)
		if err != nil {
			return err
		}
		if err := t.claimNames(account, 0, specs); err != nil {
			return err
		}
		if err := t.checkRoom(holder, "sites", len(specs)); err != nil {
			return err
		}
		node, uids, err := t.takeUIDs(len(specs))
		if err != nil {
			return err
		}
		for i := range specs {
			if specs[i], err = served(specs[i], node); err != nil {
				return err
			}
		}
		sites = make([]hosting.Site, len(specs))
		for i, spec := range specs {
			sites[i] = hosting.Site{
				NodeID: node.ID, AccountID: account, Host: spec.Host, Aliases: spec.Aliases,
				DocumentRoot: spec.DocumentRoot, PHP: spec.PHP, UID: uids[i],
				HomeToken: hosting.NewToken(), SocketToken: hosting.NewToken(),
				Sync: t.wished(), CreatedAt: t.now,
			}
		}
		if err := t.Table("sites").CreateInBatches(&sites, insertBatch).Error; err != nil {
			return err
		}
		var names []hostName
		for _, site := range sites {
			names = append(names, namesOf(site)...)
			t.note(account, string(site.Host), nil, site)
		}
		return t.CreateInBatches(&names, insertBatch).Error
	})
	return sites, err
}

// completed is the spec with what a site has when nobody asked for anything.
func completed(spec hosting.SiteSpec) hosting.SiteSpec {
	if spec.DocumentRoot == "" {
		spec.DocumentRoot = hosting.DefaultDocumentRoot
	}
	return spec
}

// served is the spec with a version of PHP that the node has.
func served(spec hosting.SiteSpec, node hosting.Node) (hosting.SiteSpec, error) {
	switch {
	case spec.PHP == "" && len(node.PHP) > 0:
		spec.PHP = node.PHP[0]
	case spec.PHP == "":
		spec.PHP = hosting.DefaultPHPVersion
	case !slices.Contains(node.PHP, spec.PHP):
		return spec, hosting.Refuse(hosting.Invalid, "php", "php.unknown_version", string(spec.PHP))
	}
	return spec, nil
}

// takeUIDs takes n uids of the node: each number once, and when all were used,
// the lowest that are free again.
func (t *tx) takeUIDs(n int) (hosting.Node, []uint32, error) {
	node, err := one[hosting.Node](t.DB, "SELECT * FROM nodes ORDER BY id LIMIT 1 FOR UPDATE")
	if err != nil {
		return hosting.Node{}, nil, err
	}
	uids := make([]uint32, 0, n)
	for next := node.NextUID; next <= config.LastSiteUID && len(uids) < n; next++ {
		uids = append(uids, next)
	}
	if len(uids) > 0 {
		if err := t.Exec("UPDATE nodes SET next_uid = ? WHERE id = ?", uids[len(uids)-1]+1, node.ID).Error; err != nil {
			return hosting.Node{}, nil, err
		}
	}
	if len(uids) < n {
		used, err := list[uint32](t.DB, "SELECT uid FROM sites WHERE node_id = ? ORDER BY uid", node.ID)
		if err != nil {
			return hosting.Node{}, nil, err
		}
		used = append(used, uids...) // all greater: the last of the range
		slices.Sort(used)
		for uid, i := uint32(config.FirstSiteUID), 0; uid <= config.LastSiteUID && len(uids) < n; uid++ {
			for i < len(used) && used[i] < uid {
				i++
			}
			if i == len(used) || used[i] != uid {
				uids = append(uids, uid)
			}
		}
	}
	if len(uids) < n {
		return hosting.Node{}, nil, hosting.Refuse(hosting.OverLimit, "", "node.full", node.Name)
	}
	return node, uids, nil
}

// UpdateSite changes the names, the document root and the PHP of a site. A
// name that it gives up is nobody else's before the machine has followed.
func (s *Store) UpdateSite(ctx context.Context, actor hosting.Actor, id hosting.SiteID, spec hosting.SiteSpec) (hosting.Site, error) {
	if err := spec.Check(); err != nil {
		return hosting.Site{}, err
	}
	spec = completed(spec)
	return s.changeSite(ctx, actor, "site.update", id, []hosting.Permission{hosting.SitesWrite}, func(t *tx, before hosting.Site) error {
		if before.Sync.Removing {
			return hosting.Refuse(hosting.Conflict, "", "site.removing", before.Host.Unicode())
		}
		if spec.PHP == "" {
			spec.PHP = before.PHP
		}
		if spec.PHP != before.PHP {
			node, err := one[hosting.Node](t.DB, "SELECT * FROM nodes WHERE id = ?", before.NodeID)
			if err != nil {
				return err
			}
			if spec, err = served(spec, node); err != nil {
				return err
			}
		}
		after := before
		after.Host, after.Aliases, after.DocumentRoot, after.PHP = spec.Host, spec.Aliases, spec.DocumentRoot, spec.PHP
		return t.rewriteSite(before, after)
	})
}

// rewriteSite stores what a site shall be from now on: a new wish, unless it is
// the same as before.
func (t *tx) rewriteSite(before, after hosting.Site) error {
	was, err := before.Behaviour.Value()
	if err != nil {
		return err
	}
	is, err := after.Behaviour.Value()
	if err != nil {
		return err
	}
	renamed := !slices.Equal(after.Names(), before.Names())
	if t.same = !renamed && after.DocumentRoot == before.DocumentRoot && after.PHP == before.PHP && was == is && !before.Behaviour.Unreadable; t.same {
		return nil
	}
	id := before.ID
	if renamed {
		spec := hosting.SiteSpec{Host: after.Host, Aliases: after.Aliases}
		if err := t.claimNames(before.AccountID, id, []hosting.SiteSpec{spec}); err != nil {
			return err
		}
	}
	if err := t.raise("sites", "id = ?", id); err != nil {
		return err
	}
	err = t.Exec("UPDATE sites SET host = ?, document_root = ?, php = ?, behaviour = ? WHERE id = ?", after.Host, after.DocumentRoot, after.PHP, is, id).Error
	if err != nil || !renamed {
		return err
	}
	if err := t.Exec("UPDATE site_names SET dropped = ? WHERE site_id = ? AND dropped = 0 AND name NOT IN ?", before.Sync.Generation+1, id, after.Names()).Error; err != nil {
		return err
	}
	if err := t.Exec("DELETE FROM site_names WHERE site_id = ? AND name IN ?", id, after.Names()).Error; err != nil {
		return err
	}
	names := namesOf(after)
	return t.Create(&names).Error
}

// SuspendSite turns a site off; nothing is lost. What the team turned off stays
// so until the team turns it on: it may have been hacked.
func (s *Store) SuspendSite(ctx context.Context, actor hosting.Actor, id hosting.SiteID) (hosting.Site, error) {
	return s.setSiteSuspended(ctx, actor, "site.suspend", id, true)
}

// ResumeSite turns a suspended site on.
func (s *Store) ResumeSite(ctx context.Context, actor hosting.Actor, id hosting.SiteID) (hosting.Site, error) {
	return s.setSiteSuspended(ctx, actor, "site.resume", id, false)
}

func (s *Store) setSiteSuspended(ctx context.Context, actor hosting.Actor, action string, id hosting.SiteID, suspended bool) (hosting.Site, error) {
	return s.changeSite(ctx, actor, action, id, []hosting.Permission{hosting.SitesRun}, func(t *tx, before hosting.Site) error {
		if before.Sync.Removing {
			return hosting.Refuse(hosting.Conflict, "", "site.removing", before.Host.Unicode())
		}
		team := actor.Can(hosting.AdminSuspend)
		if before.Held && !team {
			return hosting.Refuse(hosting.Forbidden, "", "site.held", before.Host.Unicode())
		}
		held := suspended && team
		if t.same = before.Suspended == suspended && before.Held == held; t.same {
			return nil
		}
		if err := t.raise("sites", "id = ?", id); err != nil {
			return err
		}
		return t.Exec("UPDATE sites SET suspended = ?, held = ? WHERE id = ?", suspended, held, id).Error
	})
}

// RemoveSite takes a site out of service, with its files and the FTP logins
// that reach only this site. For some days it can be brought back; its names are
// free for others as soon as the machine no longer serves it.
func (s *Store) RemoveSite(ctx context.Context, actor hosting.Actor, id hosting.SiteID) (hosting.Site, error) {
	return s.changeSite(ctx, actor, "site.remove", id, []hosting.Permission{hosting.SitesWrite}, func(t *tx, before hosting.Site) error {
		if t.same = before.Sync.Removing; t.same {
			return nil
		}
		until, err := t.keptUntil()
		if err != nil {
			return err
		}
		if err := t.discard("sites", "", until, "id = ?", id); err != nil {
			return err
		}
		return t.discardLogins(hosting.TrashSite, until, "site_id = ?", id)
	})
}

// RetrySite lets the agent look at a site now, as if it were asked for anew.
func (s *Store) RetrySite(ctx context.Context, actor hosting.Actor, id hosting.SiteID) (hosting.Site, error) {
	return s.changeSite(ctx, actor, "site.retry", id, []hosting.Permission{hosting.SitesRun}, func(t *tx, before hosting.Site) error {
		return t.dueNow("sites", uint64(id), before.Sync)
	})
}

// dueNow makes a row due without making a new wish of it.
func (t *tx) dueNow(table string, id uint64, sync hosting.Sync) error {
	state := hosting.Pending
	if sync.Removing {
		state = hosting.Removing
	}
	t.wake = true
	return t.Exec("UPDATE "+table+" SET state = ?, problem = ?, attempts = 0, due_at = ?, changed_at = ? WHERE id = ?", state, noProblem, t.now, t.now, id).Error
}

// changeSite locks the account and the site, lets change write, and notes what
// the site was and is.
func (s *Store) changeSite(ctx context.Context, actor hosting.Actor, action string, id hosting.SiteID, permissions []hosting.Permission, change func(*tx, hosting.Site) error) (hosting.Site, error) {
	var after hosting.Site
	err := s.write(ctx, actor, action, func(t *tx) error {
		before, err := t.lockSite(id, permissions...)
		if err != nil {
			return err
		}
		if err := change(t, before); err != nil {
			return err
		}
		if after = before; t.same {
			return nil
		}
		if after, err = readSite(t.DB, id, ""); err != nil {
			return err
		}
		t.note(after.AccountID, string(before.Host), before, orNil(after, after.Sync.Removing))
		return nil
	})
	return after, err
}

// orNil is nothing when a thing is on its way out.
func orNil(v any, removing bool) any {
	if removing {
		return nil
	}
	return v
}

// lockSite reads a site for the rest of the transaction, the account first, as
// everybody does.
func (t *tx) lockSite(id hosting.SiteID, permissions ...hosting.Permission) (hosting.Site, error) {
	account, err := one[hosting.AccountID](t.DB, "SELECT account_id FROM sites WHERE id = ? AND state <> 'removed'", id)
	if err != nil {
		return hosting.Site{}, orNotFound(err, "site")
	}
	if err := t.allow(account, "site", permissions...); err != nil {
		return hosting.Site{}, err
	}
	if _, err := t.lockAccount(account, permissions...); err != nil {
		return hosting.Site{}, err
	}
	site, err := readSite(t.DB, id, " FOR UPDATE")
	if err == nil && site.Sync.State == hosting.Removed {
		err = errNoRow
	}
	return site, orNotFound(err, "site")
}

func readSite(db *gorm.DB, id hosting.SiteID, lock string) (hosting.Site, error) {
	sites, err := list[hosting.Site](db, "SELECT s.*, a.suspended AS account_suspended"+fromSites+" WHERE s.id = ?"+lock, id)
	if err == nil && len(sites) == 0 {
		err = errNoRow
	}
	if err != nil {
		return hosting.Site{}, err
	}
	err = addAliases(db, sites, func(s *hosting.Site) *hosting.Site { return s })
	return sites[0], errors.Join(err)
}
