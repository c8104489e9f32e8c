package agent

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"cancale/internal/driver/phpfpm"
	"cancale/internal/hosting"
)

const (
	// starvedEvery is how often the agent looks for sites that ran out of memory.
	starvedEvery = 5 * time.Second
	// starvedAgain is how long it is not told anew of the same site.
	starvedAgain = time.Hour
)

// tellStarved notes in the audit log which sites ran out of memory, until ctx
// ends. Whoever sees it happen leaves a file for each.
func (a *agent) tellStarved(ctx context.Context) {
	told := map[hosting.SiteID]time.Time{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(starvedEvery):
		}
		entries, err := os.ReadDir(a.cfg.Layout.Starved())
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			slog.WarnContext(ctx, "sites that ran out of memory are not told of", slog.Any("cause", err))
		}
		for _, e := range entries {
			if err := a.tellStarvedSite(ctx, e.Name(), told); err != nil && ctx.Err() == nil {
				slog.WarnContext(ctx, "a site that ran out of memory is not told of", slog.String("site", e.Name()), slog.Any("cause", err))
			}
		}
	}
}

// tellStarvedSite takes one of those files away when its site has been told of.
func (a *agent) tellStarvedSite(ctx context.Context, name string, told map[hosting.SiteID]time.Time) error {
	if id, ok := phpfpm.SiteOf(name); ok && time.Since(told[id]) >= starvedAgain {
		if err := a.cfg.Store.RanOutOfMemory(ctx, id); err != nil && hosting.KindOf(err) != hosting.NotFound {
			return err
		}
		told[id] = time.Now()
	}
	return os.Remove(filepath.Join(a.cfg.Layout.Starved(), name))
}
