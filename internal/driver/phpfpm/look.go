package phpfpm

import (
	"fmt"
	"net/netip"
	"path/filepath"

	"cancale/internal/config"
	"cancale/internal/host"
	"cancale/internal/hosting"
)

// Look compares the settings and the socket of a site's PHP with what Ensure
// would make of them, and changes nothing. They lie on h; within, the paths are
// those of seen, where the daemons see the installation.
func Look(h *host.Host, seen config.Layout, web netip.Addr, site hosting.Site) (host.Differing, error) {
	c, err := render(seen, web, site)
	if err != nil {
		return host.Differing{}, err
	}
	l := h.Layout()
	how, err := h.DirDiffers(directory(l, site.ID), modeDir, 0, int(site.UID))
	if how != "" {
		return host.Differing{Part: "php/" + filepath.Base(directory(l, site.ID)), How: how}, nil
	}
	for _, f := range c.files(l, site) {
		if err == nil {
			how, err = h.FileDiffers(f.path, f.data, f.mode, 0, f.gid)
		}
		if err != nil {
			return host.Differing{}, fmt.Errorf("phpfpm: %s: %w", site.Host, err)
		}
		if how != "" {
			return host.Differing{Part: filepath.Base(f.path), How: how}, nil
		}
	}
	socket := l.PHPSocket(string(site.SocketToken))
	if _, inode := identify(socket); inode == 0 && !site.Off() {
		return host.Differing{Part: filepath.Base(socket), How: host.Missing}, nil
	}
	return host.Differing{}, nil
}
