package agent

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cancale/internal/disk"
	"cancale/internal/hosting"
	"cancale/internal/jail"
)

const (
	// binsEvery is how often bins are looked at for what has been there too long.
	binsEvery = time.Hour
	// binsAtOnce is how many entries of a directory are read at a time.
	binsAtOnce = 1000
)

// slot is what members of one site deleted within one hour.
type slot struct {
	home hosting.Token
	path string
	name string
	at   time.Time
}

// expireBins removes what has been in the bins for too long, and while the
// machine is short of room the oldest things of all, whatever their age.
func (a *agent) expireBins(ctx context.Context, now time.Time) (err error) {
	settings, err := a.cfg.Store.Settings(ctx)
	if err != nil {
		return err
	}
	disk.Idle(func() {
		var slots []slot
		if slots, err = a.slots(); err != nil {
			return
		}
		slices.SortFunc(slots, func(a, b slot) int { return strings.Compare(a.name, b.name) })
		// A slot begins before the last thing that was put into it.
		before := now.AddDate(0, 0, -settings.Kept.BinDays).Add(-time.Hour)
		var homes []hosting.Token
		for _, s := range slots {
			if ctx.Err() != nil {
				break
			}
			if !s.at.Before(before) {
				if free, e := disk.Free(a.cfg.Layout.Homes()); e != nil || free.Spare() >= 0 {
					break
				}
				slog.WarnContext(ctx, "bin emptied because the machine is short of room", slog.String("slot", s.name))
			}
			// What lies in it is a member's: no link in it is followed.
			if e := a.host.RemoveTree(s.path); e != nil {
				slog.WarnContext(ctx, "bin not emptied", slog.Any("cause", e))
				continue
			}
			homes = append(homes, s.home)
		}
		slices.Sort(homes)
		err = a.cfg.Store.MeasureHomes(ctx, slices.Compact(homes))
	})
	return err
}

// slots lists those of all bins.
func (a *agent) slots() ([]slot, error) {
	var slots []slot
	err := a.names(a.cfg.Layout.Bins(), func(home string) {
		if !hosting.Token(home).Valid() {
			return
		}
		dir := a.cfg.Layout.Bin(home)
		_ = a.names(dir, func(name string) { // gone meanwhile, or next time
			if at, is := jail.BinTime(name); is {
				slots = append(slots, slot{hosting.Token(home), filepath.Join(dir, name), name, at})
			}
		})
	})
	return slots, err
}

// names calls fn with every name in a directory.
func (a *agent) names(path string, fn func(string)) error {
	dir, err := a.host.OpenDir(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	for {
		names, err := dir.Readdirnames(binsAtOnce)
		for _, name := range names {
			fn(name)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
