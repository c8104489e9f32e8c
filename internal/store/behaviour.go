package store

import (
	"context"

	"cancale/internal/hosting"
	"cancale/internal/secret"

	"gorm.io/gorm"
)

// ChangeSite does one act on how a site answers. It is done on what the site is
// at that moment.
func (s *Store) ChangeSite(ctx context.Context, actor hosting.Actor, id hosting.SiteID, change hosting.SiteChange) (hosting.Site, error) {
	return s.changeSite(ctx, actor, change.Action(), id, []hosting.Permission{hosting.SitesWrite}, func(t *tx, before hosting.Site) error {
		if before.Sync.Removing {
			return hosting.Refuse(hosting.Conflict, "", "site.removing", before.Host.Unicode())
		}
		in, err := choices(ctx, t.DB, before.NodeID)
		if err != nil {
			return err
		}
		after := before
		if before.Behaviour.Unreadable { // only a new beginning can be stored
			after.Behaviour = hosting.Behaviour{}
		}
		if err := change.Change(&after, in); err != nil {
			return err
		}
		if err := after.Behaviour.Check(); err != nil {
			return err
		}
		return t.rewriteSite(before, after)
	})
}

// AllowFolderUser lets somebody into a protected folder of a site, or changes
// their password. Without a password one is drawn and given back; only its hash
// is kept.
func (s *Store) AllowFolderUser(ctx context.Context, actor hosting.Actor, id hosting.SiteID, path hosting.URLPath, name hosting.FolderUserName, password string) (drawn string, err error) {
	if password == "" {
		drawn = secret.NewPassword()
		password = drawn
	}
	if err := hosting.CheckFolderPassword(password); err != nil {
		return "", err
	}
	hash, err := secret.ForApache(password)
	if err != nil {
		return "", err
	}
	_, err = s.ChangeSite(ctx, actor, id, hosting.AllowFolderUser{Path: path, User: hosting.FolderUser{Name: name, PasswordHash: hash}})
	if err != nil {
		return "", err
	}
	return drawn, nil
}

// SiteChoices are what sites may choose between: of their machine, and within
// the limits of the installation.
func (s *Store) SiteChoices(ctx context.Context, scope hosting.Scope, id hosting.SiteID) (hosting.Choices, error) {
	site, err := s.Site(ctx, scope, id)
	if err != nil {
		return hosting.Choices{}, err
	}
	return choices(ctx, s.db.WithContext(ctx), site.NodeID)
}

// PHPVersions are the versions that a new site may have, newest first.
func (s *Store) PHPVersions(ctx context.Context) ([]hosting.PHPVersion, error) {
	node, err := one[hosting.Node](s.db.WithContext(ctx), "SELECT * FROM nodes ORDER BY id LIMIT 1")
	return node.PHP, err
}

func choices(ctx context.Context, db *gorm.DB, id hosting.NodeID) (hosting.Choices, error) {
	node, err := one[hosting.Node](db, "SELECT * FROM nodes WHERE id = ?", id)
	if err != nil {
		return hosting.Choices{}, err
	}
	settings, err := readSettings(ctx, db)
	return hosting.Choices{PHP: settings.PHP, Served: node.PHP}, err
}

// ServesPHP notes which versions of PHP the node has.
func (n *NodeStore) ServesPHP(ctx context.Context, versions hosting.PHPVersions) error {
	err := transact(ctx, n.db, func(db *gorm.DB) error {
		return db.Exec("UPDATE nodes SET php = ? WHERE id = ?", versions, n.node.ID).Error
	})
	if err != nil {
		return wrap("serves php", err)
	}
	return nil
}
