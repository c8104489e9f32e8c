// Package apache writes and loads the configuration of one node's Apache: the
// server's own part, and one virtual host per site. A site counts as served
// when Apache itself has confirmed the very version that was asked for.
//
// It never reads the store, never decides what should exist, and never lets one
// site's file stop the others: a candidate is checked before it takes its
// place, and the last good file stays until then.
package apache

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"cancale/internal/host"
	"cancale/internal/hosting"
)

// Driver serves the sites of one node. Its methods may be called at the same
// time; calls that come together share one reload.
type Driver struct {
	h   *host.Host
	cfg Config
	// render makes a site's file; tests put a bad one in its place.
	render func(hosting.Site) (rendered, error)

	mu      sync.Mutex
	known   map[hosting.SiteID]known // what lies in the directory; nil until it was read
	tree    treeSum                  // of all that lies there
	loaded  string                   // the tree that Apache last loaded, as the marker file says
	strange bool                     // what lay there at first is not what Apache last loaded
	mended  map[hosting.SiteID]bool  // files that were not as we left them, until their site's next Ensure
	queue   []*request
	leading bool
}

// known is a file of ours that lies in the directory.
type known struct {
	host hosting.Hostname
	hash string
	sum  treeSum
	data []byte
	seen stamp // of the file, when it was last known to hold data
}

// New is the driver of the node that h is.
func New(h *host.Host, cfg Config) *Driver {
	return &Driver{h: h, cfg: cfg, render: func(s hosting.Site) (rendered, error) { return render(h.Layout(), s) }}
}

// Ensure makes Apache serve the site as given. It may be called at any time;
// when nothing differs it only asks Apache for its confirmation.
func (d *Driver) Ensure(ctx context.Context, site hosting.Site) error {
	want, err := d.render(site)
	if err != nil {
		return err
	}
	if err := d.open(); err != nil {
		return err
	}
	if err := d.ensurePasswords(site); err != nil {
		return err
	}
	path := d.siteFile(site.ID)
	same, err := d.h.Same(path, want.data, fileMode, 0, 0)
	if err != nil {
		return fmt.Errorf("apache: site %d: %w", site.ID, err)
	}
	if same && d.current(site.ID, want) {
		named, err := d.named(site.ID, want.host)
		if err != nil {
			return err
		}
		if !named && site.Sync.Steady() {
			host.Repaired(ctx, "log_name")
		}
		if named && d.probe(ctx, want.host, want.hash) == nil {
			if d.wasMended(site.ID) {
				host.Repaired(ctx, "vhost")
			}
			return d.sweepPasswords(site)
		}
	}
	if d.wasMended(site.ID) || !same && site.Sync.Steady() {
		host.Repaired(ctx, "vhost")
	}
	r := &request{id: site.ID, want: &want}
	if !same {
		if r.staged, err = d.h.Stage(path, want.data, fileMode, 0, 0); err != nil {
			return fmt.Errorf("apache: site %d: %w", site.ID, err)
		}
	}
	if err := d.submit(ctx, r); err != nil {
		return err
	}
	return d.sweepPasswords(site)
}

// Remove makes Apache forget the site. It may be called at any time; when
// nothing is left of it, nothing happens.
func (d *Driver) Remove(ctx context.Context, site hosting.Site) error {
	if site.ID == 0 {
		return errors.New("apache: remove: no site")
	}
	if err := d.open(); err != nil {
		return err
	}
	_, err := os.Lstat(d.siteFile(site.ID))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("apache: site %d: %w", site.ID, err)
	}
	d.mu.Lock()
	_, have := d.known[site.ID]
	current := d.loaded == d.tree.String()
	d.mu.Unlock()
	if err == nil || have || !current {
		if err := d.submit(ctx, &request{id: site.ID}); err != nil {
			return err
		}
	}
	return d.forget(site)
}

// forget removes what is beside the virtual host: the name that leads to the
// logs, the logs unless the site can be brought back, and a file that was set
// aside.
func (d *Driver) forget(site hosting.Site) error {
	l := d.h.Layout()
	var passwords error
	if site.HomeToken.Valid() { // a foreign file's site has none that we know
		passwords = d.h.RemoveTree(passwordDir(l, site.HomeToken))
	}
	err := errors.Join(
		passwords,
		d.unname(site.Host, site.ID),
		d.h.Remove(d.siteFile(site.ID)+asideSuffix),
	)
	if !site.Trash.Kept() {
		err = errors.Join(err, d.h.RemoveTree(l.SiteLogs(uint64(site.ID))))
	}
	if err != nil {
		return fmt.Errorf("apache: site %d: %w", site.ID, err)
	}
	return nil
}

// RemoveForeign removes the virtual hosts of sites that this node does not
// have, and whatever else lies in the directory that Apache loads. keep says
// which sites it has.
func (d *Driver) RemoveForeign(ctx context.Context, keep func(hosting.SiteID) bool) error {
	if err := d.open(); err != nil {
		return err
	}
	entries, err := os.ReadDir(d.sitesDir())
	if err != nil {
		return fmt.Errorf("apache: %w", err)
	}
	var errs []error
	var sites []hosting.SiteID // after the rest: removing one makes Apache read all
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, host.TempPrefix) {
			continue // a candidate of somebody who is at work
		}
		id, ok := siteOf(name)
		switch path := filepath.Join(d.sitesDir(), name); {
		case ok && keep(id):
		case ok:
			sites = append(sites, id)
		case strings.HasSuffix(name, asideSuffix):
			if id, ok := siteOf(strings.TrimSuffix(name, asideSuffix)); !ok || !keep(id) {
				errs = append(errs, d.h.Remove(path))
			}
		case e.IsDir():
			errs = append(errs, d.h.RemoveTree(path))
		default:
			// The next reload lets go of it, as it was never one of ours.
			errs = append(errs, d.h.Remove(path), d.outdated())
		}
	}
	for _, id := range sites {
		errs = append(errs, d.Remove(ctx, hosting.Site{ID: id, Host: d.hostOf(id)}))
	}
	return errors.Join(errs...)
}

func (d *Driver) hostOf(id hosting.SiteID) hosting.Hostname {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.known[id].host
}

// outdated notes that Apache has loaded something else than what lies there.
func (d *Driver) outdated() error {
	d.mu.Lock()
	d.loaded = ""
	d.mu.Unlock()
	if err := d.h.Remove(d.markerFile()); err != nil {
		return fmt.Errorf("apache: marker: %w", err)
	}
	return nil
}

const (
	fileMode fs.FileMode = 0o600 // the files hold the sites' tokens
	dirMode  fs.FileMode = 0o700
	// logDirMode lets the panel through to the logs that it is shown.
	logDirMode fs.FileMode = 0o710
	// confSuffix is what the server includes; asideSuffix is added to a file
	// with which Apache would not start.
	confSuffix  = ".conf"
	asideSuffix = ".aside"
)

func (d *Driver) sitesDir() string   { return d.h.Layout().ApacheSites() }
func (d *Driver) markerFile() string { return filepath.Join(d.h.Layout().Apache(), "loaded") }
func (d *Driver) siteFile(id hosting.SiteID) string {
	return filepath.Join(d.sitesDir(), fileName(id))
}

func fileName(id hosting.SiteID) string { return strconv.FormatUint(uint64(id), 10) + confSuffix }

// siteOf is the site whose file bears this name.
func siteOf(name string) (hosting.SiteID, bool) {
	stem, ok := strings.CutSuffix(name, confSuffix)
	id, err := strconv.ParseUint(stem, 10, 64)
	if !ok || err != nil || strconv.FormatUint(id, 10) != stem || id == 0 {
		return 0, false
	}
	return hosting.SiteID(id), true
}

// open reads once what lies in the directory and what Apache last loaded.
func (d *Driver) open() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known != nil {
		return nil
	}
	if err := d.ensureDirs(); err != nil {
		return err
	}
	entries, err := os.ReadDir(d.sitesDir())
	if err != nil {
		return fmt.Errorf("apache: %w", err)
	}
	found := make(map[hosting.SiteID]known, len(entries))
	var tree treeSum
	for _, e := range entries {
		id, ok := siteOf(e.Name())
		if !ok {
			continue
		}
		path := filepath.Join(d.sitesDir(), e.Name())
		seen := stampOf(path)
		data, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("apache: %w", err)
		}
		k := known{sum: sumOf(id, data), data: data, seen: seen}
		k.host, k.hash = parseRendered(data)
		found[id] = k
		tree.toggle(k.sum)
	}
	marker, err := os.ReadFile(d.markerFile())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("apache: %w", err)
	}
	d.known, d.tree, d.loaded = found, tree, strings.TrimSpace(string(marker))
	d.strange = len(found) > 0 && d.loaded != tree.String()
	return nil
}

// current reports whether the site's file is known to be this one, and Apache
// to have loaded all that lies there.
func (d *Driver) current(id hosting.SiteID, want rendered) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.known[id].sum == sumOf(id, want.data) && d.loaded == d.tree.String()
}

// note records what now lies in the directory for a site; nil is nothing. The
// caller holds the lock.
func (d *Driver) note(id hosting.SiteID, now *rendered) {
	d.tree.toggle(d.known[id].sum)
	delete(d.known, id)
	if now == nil {
		return
	}
	k := known{host: now.host, hash: now.hash, sum: sumOf(id, now.data), data: now.data, seen: stampOf(d.siteFile(id))}
	d.known[id] = k
	d.tree.toggle(k.sum)
}

// treeSum is the sum of any number of files, whatever their order: each is
// added, and taken away, by the same operation.
type treeSum [sha256.Size]byte

func sumOf(id hosting.SiteID, data []byte) treeSum {
	return sha256.Sum256(append(binary.BigEndian.AppendUint64(nil, uint64(id)), data...))
}

func (t *treeSum) toggle(other treeSum) {
	for i := range t {
		t[i] ^= other[i]
	}
}

// String is the sum as the marker file holds it.
func (t treeSum) String() string { return hex.EncodeToString(t[:]) }

// The log stream names a site by its host; a link under that name leads the
// splitter to the site's own log directory.
func (d *Driver) name(host hosting.Hostname, id hosting.SiteID) error {
	l := d.h.Layout()
	if _, err := d.h.WriteLink(l.SiteLogName(string(host)), logTarget(id)); err != nil {
		return fmt.Errorf("apache: site %d: %w", id, err)
	}
	return nil
}

func (d *Driver) named(id hosting.SiteID, host hosting.Hostname) (bool, error) {
	target, err := d.h.Link(d.h.Layout().SiteLogName(string(host)))
	if err != nil {
		return false, fmt.Errorf("apache: site %d: %w", id, err)
	}
	return target == logTarget(id), nil
}

func (d *Driver) unname(host hosting.Hostname, id hosting.SiteID) error {
	if parsed, err := hosting.ParseHostname(string(host)); err != nil || parsed != host {
		return nil //nolint:nilerr // no file can bear that name
	}
	path := d.h.Layout().SiteLogName(string(host))
	if target, err := d.h.Link(path); err != nil || target != logTarget(id) {
		return err
	}
	return d.h.Remove(path)
}

func logTarget(id hosting.SiteID) string {
	return "../sites/" + strconv.FormatUint(uint64(id), 10)
}
