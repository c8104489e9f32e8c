// Package unixacct makes the home of each site: a directory that belongs to
// root under a secret name, and in it the folders that belong to the site's own
// uid.
//
// What lies in those folders is the member's: it is never read, changed or
// followed, except that the folder to be served is made when it is missing, and
// that a new home gets a page saying so. There are no entries in /etc/passwd: a
// site's user is a number.
package unixacct

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"cancale/internal/config"
	"cancale/internal/host"
	"cancale/internal/hosting"
)

// Driver makes homes.
type Driver struct {
	host  *host.Host
	panel string
}

// New is a driver on a host. panel is the address that the first page of a new
// site leads its member to; it may be empty.
func New(h *host.Host, panel string) *Driver { return &Driver{host: h, panel: panel} }

// Modes of what root owns.
const (
	modeHome   fs.FileMode = 0o700 // and access lists, see access
	modeRecord fs.FileMode = 0o600
	modeBins   fs.FileMode = 0o711
	modeTrash  fs.FileMode = 0o700
)

// folder is what every home has at its top. The modes are those at the
// beginning: a member may change them. Nobody but Apache and the site itself
// gets past the home.
type folder struct {
	name string
	mode uint32
}

var folders = []folder{{"www", modeServed}, {"private", 0o750}, {"tmp", 0o700}, {"sessions", 0o700}}

// modeServed is of a folder that Apache reads.
const modeServed = 0o755

// Ensure makes the home of site, and the directory of its PHP socket, what they
// should be. When nothing differs it costs a few system calls.
func (d *Driver) Ensure(ctx context.Context, site hosting.Site) error {
	if err := check(site); err != nil {
		return err
	}
	if err := d.bringBack(site); err != nil {
		return fmt.Errorf("unixacct: %s: %w", site.Host, err)
	}
	if err := d.follow(site); err != nil {
		return fmt.Errorf("unixacct: %s: %w", site.Host, err)
	}
	changed, err := d.directories(site)
	if err != nil {
		return fmt.Errorf("unixacct: %s: %w", site.Host, err)
	}
	inside, err := d.inside(site)
	if err != nil {
		return fmt.Errorf("unixacct: %s: %w", site.Host, err)
	}
	if (changed || inside) && site.Sync.Steady() {
		host.Repaired(ctx, "home")
		slog.WarnContext(ctx, "home repaired", slog.Uint64("site", uint64(site.ID)), slog.String("host", site.Host.String()))
	}
	return nil
}

// place is a directory that belongs to a home, outside of it or itself.
type place struct {
	name   string // for people
	path   string
	mode   fs.FileMode
	owner  int
	access []host.Access
}

// places are the home, the bin that what members delete is moved to (the site's
// own, beneath a directory of root's that no sandbox shows), and the directory of
// the PHP socket.
func (d *Driver) places(site hosting.Site) []place {
	l, uid := d.host.Layout(), int(site.UID)
	apache := host.Access{UID: config.ApacheUID, Perm: 0o1}
	return []place{
		{"home", l.Home(string(site.HomeToken)), modeHome, 0, []host.Access{{UID: uid, Perm: 0o5}, apache}},
		{"bins", l.Bins(), modeBins, 0, nil},
		{"bin", l.Bin(string(site.HomeToken)), modeHome, uid, nil},
		{"socket", l.SocketDir(string(site.SocketToken)), modeHome, 0, []host.Access{apache}},
	}
}

// directories makes the places.
func (d *Driver) directories(site hosting.Site) (changed bool, err error) {
	for _, p := range d.places(site) {
		did, err := d.host.EnsureDir(p.path, p.mode, p.owner, p.owner, p.access...)
		changed = changed || did
		if err != nil {
			return changed, err
		}
	}
	return changed, nil
}

// check parses again what paths are made of.
func check(site hosting.Site) error {
	if site.ID == 0 || !site.HomeToken.Valid() || !site.SocketToken.Valid() {
		return fmt.Errorf("unixacct: site %d: no identifier or no tokens", site.ID)
	}
	if site.UID < config.FirstSiteUID || site.UID > config.LastSiteUID {
		return fmt.Errorf("unixacct: site %d: uid %d is not a site's", site.ID, site.UID)
	}
	if root, err := hosting.ParseDocumentRoot(string(site.DocumentRoot)); err != nil || root != site.DocumentRoot {
		return fmt.Errorf("unixacct: site %d: document root %q: %w", site.ID, site.DocumentRoot, errors.Join(err, errRoot))
	}
	return nil
}

var errRoot = errors.New("not a folder of the home")

// A record keeps, per site, the tokens under which its home and its socket were
// last made, so that new tokens move them instead of making empty ones.
func (d *Driver) recordPath(site hosting.Site) string {
	return filepath.Join(d.host.Layout().Sandbox(), "home-"+strconv.FormatUint(uint64(site.ID), 10))
}

func record(site hosting.Site) string {
	return string(site.HomeToken) + " " + string(site.SocketToken) + "\n"
}

// recorded reads the record; without one the tokens are those of site.
func (d *Driver) recorded(site hosting.Site) (home, socket hosting.Token, noted bool, err error) {
	data, err := os.ReadFile(d.recordPath(site))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", "", false, err
	}
	if f := strings.Fields(string(data)); len(f) == 2 && hosting.Token(f[0]).Valid() && hosting.Token(f[1]).Valid() {
		return hosting.Token(f[0]), hosting.Token(f[1]), true, nil
	}
	return site.HomeToken, site.SocketToken, false, nil
}

// follow moves the home to its new name when the token was changed, and notes
// the tokens. It comes before anything is made.
func (d *Driver) follow(site hosting.Site) error {
	home, socket, noted, err := d.recorded(site)
	if err != nil {
		return err
	}
	l := d.host.Layout()
	if home != site.HomeToken && exists(l.Home(string(home))) {
		if exists(l.Home(string(site.HomeToken))) {
			return errors.New("there are two homes, under the old token and under the new")
		}
		if err := d.host.Rename(l.Home(string(home)), l.Home(string(site.HomeToken))); err != nil {
			return err
		}
	}
	if home != site.HomeToken && exists(l.Bin(string(home))) && !exists(l.Bin(string(site.HomeToken))) {
		if err := d.host.Rename(l.Bin(string(home)), l.Bin(string(site.HomeToken))); err != nil {
			return err
		}
	}
	if socket != site.SocketToken {
		if err := d.host.RemoveTree(l.SocketDir(string(socket))); err != nil {
			return err
		}
	}
	if noted && home == site.HomeToken && socket == site.SocketToken {
		return nil
	}
	_, err = d.host.WriteFile(d.recordPath(site), []byte(record(site)), modeRecord, 0, 0)
	return err
}

// exists reports whether there is something at a path that only root can write.
func exists(path string) bool {
	var st unix.Stat_t
	return unix.Lstat(path, &st) == nil
}

// inside makes what is in the home.
func (d *Driver) inside(site hosting.Site) (changed bool, err error) {
	dir := d.host.Layout().Home(string(site.HomeToken))
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	h := &home{Driver: d, site: site, dir: dir, fd: fd}
	defer h.close()
	for _, f := range h.tops() {
		did, err := h.ensureTop(f)
		changed = changed || did
		if err != nil {
			return changed, err
		}
	}
	did, err := h.ensureServed()
	return changed || did, err
}
