package agent

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"cancale/internal/disk"
	"cancale/internal/hosting"
	"cancale/internal/store"
)

// How often the disk is looked at. A site is measured soon after its members
// wrote to it, some time after it was visited, for PHP may have written, and
// once in a while in any case.
const (
	diskTick    = 10 * time.Second
	diskVisits  = 10 * time.Minute // between two looks at who was visited
	diskVisited = time.Hour        // before a site that was visited is measured anew
	diskUrgent  = time.Minute      // the same while the machine is short of room
	diskRound   = 24 * time.Hour
	diskBatch   = 64 // noted together, or what was measured within diskNote
	diskNote    = 2 * time.Second
)

// measure keeps account of what sites take on the disk until ctx ends. All of
// it happens on one thread, at a pace that nobody feels.
func (a *agent) measure(ctx context.Context) {
	var listed, visited, expired time.Time
	for {
		err := func() error {
			if time.Since(listed) > diskVisits {
				if err := a.cfg.Store.ListDisk(ctx); err != nil {
					return err
				}
				listed = time.Now()
			}
			wait, after := diskVisits, diskVisited
			if free, err := disk.Free(a.cfg.Layout.Homes()); err == nil && free.Spare() < 0 {
				wait, after = diskUrgent, diskUrgent
			}
			if time.Since(visited) > wait {
				if err := a.measureVisited(ctx, after); err != nil {
					return err
				}
				visited = time.Now()
			}
			if time.Since(expired) > binsEvery || wait == diskUrgent {
				if err := a.expireBins(ctx, time.Now()); err != nil {
					return err
				}
				if err := a.endTrash(ctx); err != nil {
					return err
				}
				expired = time.Now()
			}
			return a.measureDue(ctx)
		}()
		if err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "the disk is not measured", slog.Any("cause", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(diskTick):
		}
	}
}

// measureVisited has those sites measured that were visited since the last time.
func (a *agent) measureVisited(ctx context.Context, after time.Duration) error {
	measured, err := a.cfg.Store.MeasuredDisk(ctx)
	if err != nil {
		return err
	}
	var sites []hosting.SiteID
	for id, at := range measured {
		if time.Since(at) < after {
			continue
		}
		// The log of a site that nobody visits is not written to.
		info, err := os.Stat(filepath.Join(a.cfg.Layout.SiteLogs(uint64(id)), "access.log"))
		if err == nil && info.ModTime().After(at) {
			sites = append(sites, id)
		}
	}
	return a.cfg.Store.MeasureDisk(ctx, sites)
}

// measureDue measures what is due, and stops or frees the writing of sites.
func (a *agent) measureDue(ctx context.Context) error {
	for first := true; ; first = false {
		due, err := a.cfg.Store.DueDisk(ctx, diskBatch)
		if err != nil {
			return err
		}
		if len(due) == 0 && !first {
			return nil
		}
		part, err := a.measureSites(ctx, due)
		if err != nil {
			return err
		}
		changed, err := a.cfg.Store.StopWriting(ctx)
		for _, c := range changed {
			slog.WarnContext(ctx, "writing of sites", slog.Uint64("account", uint64(c.Account)), slog.Bool("stopped", c.Stop))
			keys := make([]hosting.Key, len(c.Sites))
			for i, id := range c.Sites {
				keys[i] = siteKey(id)
			}
			a.listed.forget(keys)
			a.loop.Add(keys...)
		}
		if err != nil || len(due) < diskBatch && part == len(due) {
			return err
		}
	}
}

// measureSites measures sites until it is time to note what was found, and tells
// how many they were. With those that it did not come to others may be due.
func (a *agent) measureSites(ctx context.Context, due []store.DiskDue) (int, error) {
	began := time.Now()
	var found []store.DiskMeasured
	for _, was := range due {
		m, err := a.measureSite(ctx, was)
		if err != nil {
			return len(found), errors.Join(err, a.cfg.Store.ObserveDisk(ctx, found))
		}
		if found = append(found, m); time.Since(began) > diskNote {
			break
		}
	}
	return len(found), a.cfg.Store.ObserveDisk(ctx, found)
}

// measureSite measures one site.
func (a *agent) measureSite(ctx context.Context, was store.DiskDue) (found store.DiskMeasured, err error) {
	var files, bin disk.Measured
	disk.Idle(func() {
		if was.HomeToken.Valid() {
			if files, err = a.measureTree(ctx, a.cfg.Layout.Home(string(was.HomeToken))); err == nil {
				bin, err = a.measureTree(ctx, a.cfg.Layout.Bin(string(was.HomeToken)))
			}
			if err == nil && was.Trash.Kept() {
				var trashed disk.Measured
				trashed, err = a.measureTree(ctx, a.cfg.Layout.TrashOf(uint64(was.ID)))
				files.Bytes, files.Entries = files.Bytes+trashed.Bytes, files.Entries+trashed.Entries
			}
		}
	})
	return store.DiskMeasured{
		Was: was, Files: files.Bytes, Bin: bin.Bytes, Entries: files.Entries + bin.Entries,
		Next: time.Now().Add(diskRound + rand.N(diskRound/12)), //nolint:gosec // a spread, not a secret
	}, err
}

// measureTree measures a directory of root's and what lies in it; one that is
// not there takes nothing.
func (a *agent) measureTree(ctx context.Context, path string) (disk.Measured, error) {
	dir, err := a.host.OpenDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return disk.Measured{}, nil
	}
	if err != nil {
		return disk.Measured{}, err
	}
	defer dir.Close()
	return disk.Measure(ctx, dir, disk.Slow)
}
