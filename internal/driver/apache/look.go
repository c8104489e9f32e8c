package apache

import (
	"fmt"
	"path/filepath"

	"cancale/internal/config"
	"cancale/internal/host"
	"cancale/internal/hosting"
)

// Look compares the virtual host of a site with what Ensure would write, and
// changes nothing. The file lies on h; within, the paths are those of seen, where
// the daemons see the installation.
func Look(h *host.Host, seen config.Layout, site hosting.Site) (host.Differing, error) {
	data, err := Render(seen, site)
	if err != nil {
		return host.Differing{}, err
	}
	path := filepath.Join(h.Layout().ApacheSites(), fileName(site.ID))
	how, err := h.FileDiffers(path, data, fileMode, 0, 0)
	if err != nil {
		return host.Differing{}, fmt.Errorf("apache: site %d: %w", site.ID, err)
	}
	if how == "" {
		return host.Differing{}, nil
	}
	return host.Differing{Part: filepath.Base(path), How: how}, nil
}

// Names are those under which files of a site may lie in the directory that
// Apache loads.
func Names(id hosting.SiteID) []string {
	name := fileName(id)
	return []string{name, name + asideSuffix}
}
