package unixacct

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"cancale/internal/hosting"
)

// A removed site's home and bin lie in the trash, under the number of the site
// in a directory that only root may enter, until Ensure brings them back or
// Remove destroys them. They are moved as they are: nothing in them is looked at.
const (
	trashedHome = "home"
	trashedBin  = "bin"
)

// Discard takes the home and the bin of site out of everybody's reach, and keeps
// them. Ensure brings them back.
func (d *Driver) Discard(ctx context.Context, site hosting.Site) error {
	if err := d.aside(site); err != nil {
		return err
	}
	return ctx.Err()
}

// Remove destroys the home and the bin of site, be they in their places or in
// the trash, and removes the directory of its socket.
func (d *Driver) Remove(ctx context.Context, site hosting.Site) error {
	if site.ID == 0 {
		return errNoSite
	}
	trash := d.host.Layout().TrashOf(uint64(site.ID))
	err := d.host.RemoveTree(trash)
	for again := err == nil; again; {
		// In the trash nobody can reach what is being removed.
		err = d.aside(site)
		again = errors.Is(err, errTwoHomes) // one after the other
		if err == nil || again {
			err = d.host.RemoveTree(trash)
		}
		again = again && err == nil
	}
	if err != nil {
		return fmt.Errorf("unixacct: %s: %w", site.Host, err)
	}
	return ctx.Err()
}

var (
	errNoSite   = errors.New("unixacct: a site without identifier")
	errTwoHomes = errors.New("there are two homes, one in its place and one in the trash")
)

// aside moves what there is of a site to the trash. It may be called again
// after any of its steps.
func (d *Driver) aside(site hosting.Site) error {
	if site.ID == 0 || !site.HomeToken.Valid() || !site.SocketToken.Valid() {
		return fmt.Errorf("unixacct: site %d: no identifier or no tokens", site.ID)
	}
	oldHome, oldSocket, _, err := d.recorded(site)
	if err != nil {
		return err
	}
	l := d.host.Layout()
	trash := l.TrashOf(uint64(site.ID))
	for _, t := range []hosting.Token{oldHome, site.HomeToken} {
		home := l.Home(string(t))
		if exists(home) {
			// Its folders are the site's own: before it moves nobody gets past it.
			if _, err := d.host.EnsureDir(home, modeHome, 0, 0); err != nil {
				return err
			}
		}
		if err := d.discard(trash, home, trashedHome); err != nil {
			return err
		}
		if err := d.discard(trash, l.Bin(string(t)), trashedBin); err != nil {
			return err
		}
	}
	for _, t := range []hosting.Token{oldSocket, site.SocketToken} {
		if err := d.host.RemoveTree(l.SocketDir(string(t))); err != nil {
			return err
		}
	}
	return d.host.Remove(d.recordPath(site))
}

// discard moves one directory to the trash, unless it is there already.
func (d *Driver) discard(trash, from, name string) error {
	if !exists(from) {
		return nil
	}
	for _, dir := range []string{d.host.Layout().Trash(), trash} {
		if _, err := d.host.EnsureDir(dir, modeTrash, 0, 0); err != nil {
			return err
		}
	}
	to := filepath.Join(trash, name)
	if exists(to) {
		return fmt.Errorf("%s: %w", to, errTwoHomes)
	}
	return d.host.Rename(from, to)
}

// bringBack moves what the trash has of a site to where it was. It comes before
// anything is made, so that there is never an empty home in the way.
func (d *Driver) bringBack(site hosting.Site) error {
	l := d.host.Layout()
	trash := l.TrashOf(uint64(site.ID))
	if !exists(trash) {
		return nil
	}
	for _, part := range []struct{ name, to string }{
		{trashedBin, l.Bin(string(site.HomeToken))},
		{trashedHome, l.Home(string(site.HomeToken))},
	} {
		from := filepath.Join(trash, part.name)
		switch {
		case !exists(from):
			continue
		case exists(part.to):
			return fmt.Errorf("%s: %w", part.to, errTwoHomes)
		}
		if err := d.host.Rename(from, part.to); err != nil {
			return err
		}
	}
	return d.host.RemoveTree(trash)
}
