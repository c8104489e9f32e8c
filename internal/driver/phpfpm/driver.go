// Package phpfpm gives each site a PHP-FPM of its own: the settings of its
// master, what its sandbox shows, and a socket on which it is started by the
// first request.
//
// It starts nothing itself, and never reads what lies in a site's home.
package phpfpm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"cancale/internal/config"
	"cancale/internal/host"
	"cancale/internal/hosting"
)

// Driver configures PHP.
type Driver struct {
	host *host.Host
	web  netip.Addr

	mu    sync.Mutex
	armed map[hosting.SiteID]armed
}

// armed is what the services were last asked to keep for a site, and the
// socket that they made. While both are the same there is no need to ask them
// again: they end before we do.
type armed struct {
	host.Activation
	device, inode uint64
}

// New is a driver on a host whose Apache answers at the address web.
func New(h *host.Host, web netip.Addr) *Driver {
	return &Driver{host: h, web: web, armed: map[hosting.SiteID]armed{}}
}

// Modes of what a master reads in its sandbox, under the site's group. On the
// machine all of it lies beneath directories that only root can enter.
const (
	modeDir  fs.FileMode = 0o750
	modeFile fs.FileMode = 0o640
	modeSpec fs.FileMode = 0o600
)

// Name is how the services call a site's PHP.
func Name(id hosting.SiteID) string { return namePrefix + strconv.FormatUint(uint64(id), 10) }

const namePrefix = "php-"

// SiteOf is the site whose program bears a name; ok is false for any other name.
func SiteOf(name string) (id hosting.SiteID, ok bool) {
	n, err := strconv.ParseUint(strings.TrimPrefix(name, namePrefix), 10, 64)
	id = hosting.SiteID(n)
	return id, err == nil && Name(id) == name
}

func specPath(l config.Layout, id hosting.SiteID) string {
	return filepath.Join(l.Sandbox(), Name(id)+".json")
}

// directory holds the settings of one site; it is shown to the site's master.
func directory(l config.Layout, id hosting.SiteID) string {
	return filepath.Join(l.PHP(), strconv.FormatUint(uint64(id), 10))
}

// Ensure makes PHP answer on the site's socket with the settings that it should
// have; a running master with others is replaced. A site that is suspended has
// no PHP. The site's home must be there.
func (d *Driver) Ensure(ctx context.Context, site hosting.Site) error {
	c, err := render(d.host.Layout(), d.web, site)
	if err != nil {
		return err
	}
	if _, err := os.Stat(program(site.PHP)); err != nil && !site.Off() {
		e := hosting.Refuse(hosting.Unavailable, "", "site.failed_php", string(site.PHP))
		e.Err = err
		return e
	}
	changed, err := d.write(site, c)
	if err != nil {
		return fmt.Errorf("phpfpm: %s: %w", site.Host, err)
	}
	if changed && site.Sync.Steady() {
		host.Repaired(ctx, "php")
		slog.WarnContext(ctx, "php settings repaired", slog.Uint64("site", uint64(site.ID)), slog.String("host", site.Host.String()))
	}
	if site.Off() {
		err = d.disarm(ctx, site.ID)
	} else {
		err = d.arm(ctx, site, c.hash())
	}
	if err != nil {
		return fmt.Errorf("phpfpm: %s: %w", site.Host, err)
	}
	return nil
}

func (d *Driver) arm(ctx context.Context, site hosting.Site, hash string) error {
	l := d.host.Layout()
	want := armed{Activation: host.Activation{
		Name:      Name(site.ID),
		SocketDir: l.SocketDir(string(site.SocketToken)),
		Socket:    l.PHPSocket(string(site.SocketToken)),
		Spec:      specPath(l, site.ID),
		Hash:      hash,
	}}
	want.device, want.inode = identify(want.Socket)
	d.mu.Lock()
	have := d.armed[site.ID]
	d.mu.Unlock()
	if have == want && want.inode != 0 {
		return nil
	}
	if have.inode != 0 && have.Activation == want.Activation {
		host.Repaired(ctx, "socket")
	}
	if err := d.host.EnsureActivated(ctx, want.Activation); err != nil {
		return err
	}
	want.device, want.inode = identify(want.Socket)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.armed[site.ID] = want
	return nil
}

func (d *Driver) disarm(ctx context.Context, id hosting.SiteID) error {
	d.mu.Lock()
	delete(d.armed, id)
	d.mu.Unlock()
	return d.host.RemoveActivated(ctx, Name(id))
}

// identify tells a socket's file from another of the same name; zero when there
// is none.
func identify(path string) (device, inode uint64) {
	var st unix.Stat_t
	if unix.Lstat(path, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return 0, 0
	}
	return st.Dev, st.Ino
}

// file is one of a site's settings.
type file struct {
	path string
	data []byte
	mode fs.FileMode
	gid  int
}

// files are the settings of a site, in the places of l.
func (c contents) files(l config.Layout, site hosting.Site) []file {
	dir, gid := directory(l, site.ID), int(site.UID)
	return []file{
		{filepath.Join(dir, "pool.conf"), c.pool, modeFile, gid},
		{filepath.Join(dir, "php.ini"), c.ini, modeFile, gid},
		{specPath(l, site.ID), c.spec, modeSpec, 0},
	}
}

// write makes the files what they should be.
func (d *Driver) write(site hosting.Site, c contents) (changed bool, err error) {
	l, gid := d.host.Layout(), int(site.UID)
	dir := directory(l, site.ID)
	if changed, err = d.host.EnsureDir(dir, modeDir, 0, gid); err != nil {
		return changed, err
	}
	swept := false
	for _, f := range c.files(l, site) {
		same, err := d.host.Same(f.path, f.data, f.mode, 0, f.gid)
		if err != nil {
			return changed, err
		}
		if same {
			continue
		}
		if !swept { // a pass that was killed here left its difference, too
			if err := d.host.Sweep(dir); err != nil {
				return changed, err
			}
			swept = true
		}
		changed = true
		if _, err := d.host.WriteDerived(f.path, f.data, f.mode, 0, f.gid); err != nil {
			return changed, err
		}
	}
	return changed, nil
}

// Remove stops the site's PHP and removes its settings.
func (d *Driver) Remove(ctx context.Context, site hosting.Site) error {
	if site.ID == 0 {
		return errNoSite
	}
	l := d.host.Layout()
	err := d.disarm(ctx, site.ID)
	if err == nil {
		err = errors.Join(d.host.Remove(specPath(l, site.ID)), d.host.RemoveTree(directory(l, site.ID)))
	}
	if err != nil {
		return fmt.Errorf("phpfpm: %s: %w", site.Host, err)
	}
	return nil
}

var errNoSite = errors.New("phpfpm: a site without identifier")

// contents are the files of one site.
type contents struct{ pool, ini, spec []byte }

// hash is of all that a master reads.
func (c contents) hash() string {
	sum := sha256.Sum256(slices.Concat(c.pool, c.ini, c.spec))
	return hex.EncodeToString(sum[:])
}
