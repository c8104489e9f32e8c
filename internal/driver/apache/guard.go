package apache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"cancale/internal/host"
	"cancale/internal/hosting"
)

// stamp tells whether a file was touched since it was last looked at: whoever
// writes to it cannot set the time of its last change (stat(2), st_ctim).
type stamp struct {
	inode   uint64
	changed unix.Timespec
	size    int64
}

func stampOf(path string) stamp {
	var st unix.Stat_t
	if unix.Lstat(path, &st) != nil {
		return stamp{}
	}
	return stamp{inode: st.Ino, changed: st.Ctim, size: st.Size}
}

// guard comes before each reload. What somebody else did to the directory since
// we wrote to it is undone, for with a bad file there a reload would be the end
// of Apache, and of every site: a look at each file, a microsecond or two, finds
// those that were touched.
func (d *Driver) guard(ctx context.Context) error {
	if err := d.writeServer(); err != nil {
		return err
	}
	entries, err := os.ReadDir(d.sitesDir())
	if err != nil {
		return fmt.Errorf("apache: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	found := make(map[hosting.SiteID]bool, len(d.known))
	for _, e := range entries {
		id, ok := siteOf(e.Name())
		if _, have := d.known[id]; ok && have {
			found[id] = true
			continue
		}
		// Apache would read it, and we have not put it there.
		if filepath.Ext(e.Name()) == confSuffix && !strings.HasPrefix(e.Name(), host.TempPrefix) {
			slog.WarnContext(ctx, "foreign file removed", slog.String("file", e.Name()))
			if err := d.h.RemoveTree(filepath.Join(d.sitesDir(), e.Name())); err != nil {
				return fmt.Errorf("apache: %w", err)
			}
		}
	}
	for id, k := range d.known {
		if err := d.mend(ctx, id, k, found[id]); err != nil {
			return fmt.Errorf("apache: site %d: %w", id, err)
		}
	}
	return nil
}

// mend puts a file back that is no longer what we left. The caller holds the
// lock.
func (d *Driver) mend(ctx context.Context, id hosting.SiteID, k known, there bool) error {
	path := d.siteFile(id)
	if there && k.seen == stampOf(path) {
		return nil
	}
	if _, err := os.Lstat(path + asideSuffix); !there && !errors.Is(err, fs.ErrNotExist) {
		d.note(id, nil) // Apache would not start with it: that is for its next Ensure
		return err
	}
	changed, err := d.h.WriteFile(path, k.data, fileMode, 0, 0)
	if err != nil {
		return err
	}
	if changed {
		slog.WarnContext(ctx, "virtual host put back", slog.Uint64("site", uint64(id)))
		if d.mended == nil {
			d.mended = map[hosting.SiteID]bool{}
		}
		d.mended[id] = true
	}
	k.seen = stampOf(path)
	d.known[id] = k
	return nil
}

// wasMended reports, once, that a site's file had to be put back.
func (d *Driver) wasMended(id hosting.SiteID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	was := d.mended[id]
	delete(d.mended, id)
	return was
}
