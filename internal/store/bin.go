package store

import (
	"context"
	"path"

	"cancale/internal/hosting"
)

// NoteBin notes what was done with something in the bin of a site; the FTP
// daemon has done it. name is its path, "" is all of it.
func (s *Store) NoteBin(ctx context.Context, actor hosting.Actor, id hosting.SiteID, action, name string) error {
	return s.write(ctx, actor, action, func(t *tx) error {
		// Nothing is locked: the daemon only notes what it has done, and its
		// database user may read no more of an account than it serves by.
		site, err := readHome(t.DB, id)
		if err == nil && site.Sync.State == hosting.Removed {
			err = errNoRow
		}
		if err != nil {
			return orNotFound(err, "site")
		}
		if err := t.allow(site.AccountID, "site", hosting.SitesWrite); err != nil {
			return err
		}
		if _, err := one[int](t.DB, "SELECT 1 FROM accounts WHERE id = ? AND kept_until IS NULL", site.AccountID); err != nil {
			return orNotFound(err, "account")
		}
		target := string(site.Host)
		if name != "" {
			target = path.Join(target, name)
		}
		const longest = 254 // of the column
		if runes := []rune(target); len(runes) > longest {
			target = string(runes[:longest-1]) + "…"
		}
		t.note(site.AccountID, target, nil, nil)
		return nil
	})
}
