package unixacct

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"cancale/internal/host"
	"cancale/internal/hosting"
)

// Look compares the home of a site with what Ensure would make of it, and
// changes nothing. What the member has in his folders is not looked at.
func (d *Driver) Look(site hosting.Site) (host.Differing, error) {
	if err := check(site); err != nil {
		return host.Differing{}, err
	}
	for _, p := range d.places(site) {
		how, err := d.host.DirDiffers(p.path, p.mode, p.owner, p.owner, p.access...)
		if err != nil || how != "" {
			return host.Differing{Part: p.name, How: how}, err
		}
	}
	dir, err := d.host.OpenDir(d.host.Layout().Home(string(site.HomeToken)))
	if errors.Is(err, fs.ErrNotExist) { // since then
		return host.Differing{Part: "home", How: host.Missing}, nil
	}
	if err != nil {
		return host.Differing{}, fmt.Errorf("unixacct: %s: %w", site.Host, err)
	}
	defer dir.Close()
	h := &home{Driver: d, site: site, dir: dir.Name(), fd: int(dir.Fd())}
	for _, f := range h.tops() {
		how, err := h.topDiffers(f)
		if err != nil || how != "" {
			return host.Differing{Part: f.name, How: how}, err
		}
	}
	return host.Differing{}, nil
}

// topDiffers compares a folder as ensureTop does.
func (h *home) topDiffers(f folder) (host.Difference, error) {
	var st unix.Stat_t
	err := unix.Fstatat(h.fd, f.name, &st, unix.AT_SYMLINK_NOFOLLOW)
	switch {
	case errors.Is(err, unix.ENOENT):
		return host.Missing, nil
	case err != nil:
		return "", h.failed("stat", f.name, err)
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		return host.Kind, nil
	case st.Uid != h.site.UID || st.Gid != h.site.UID:
		return host.Owner, nil
	}
	return "", nil
}
