package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"cancale/internal/adminer"
	"cancale/internal/driver/phpfpm"
	"cancale/internal/host"
	"cancale/internal/hosting"
)

// removeForeign takes off the web what the store knows nothing of, such as a
// site that was removed while an older disk was in its place, and removes what
// somebody put into the directories that are ours alone. Files of members are
// never removed but with their site.
func (a *agent) removeForeign(ctx context.Context, ours map[hosting.SiteID]bool) error {
	err := a.web.RemoveForeign(ctx, func(id hosting.SiteID) bool {
		if ours[id] {
			return true
		}
		// It may be newer than the list. One that is out of service is not
		// served, though it can be brought back.
		site, err := a.cfg.Store.Site(ctx, id)
		return !gone(err) && (err != nil || site.Sync.State != hosting.Removed)
	})
	return errors.Join(err, a.sweepForeign(ctx))
}

// sweepForeign compares the directories in which every name follows from a site
// with the sites. The directories are read first: whatever is made for a site
// comes after its row.
func (a *agent) sweepForeign(ctx context.Context) error {
	l := a.cfg.Layout
	type place struct {
		dir   string
		names []string
	}
	places := []place{{dir: l.Sandbox()}, {dir: l.PHP()}, {dir: l.Sockets()}, {dir: l.In("log", "names")}}
	for i, p := range places {
		entries, err := os.ReadDir(p.dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			places[i].names = append(places[i].names, e.Name())
		}
	}
	wishes, err := a.cfg.Store.Wishes(ctx)
	if err != nil {
		return err
	}
	known := make(map[string]bool, 5*len(wishes.Sites)+1)
	known[adminer.SpecFile(l)] = true // no site's
	for _, s := range wishes.Sites {
		id := strconv.FormatUint(uint64(s.ID), 10)
		for _, path := range []string{
			filepath.Join(l.Sandbox(), phpfpm.Name(s.ID)+".json"), filepath.Join(l.Sandbox(), "home-"+id), filepath.Join(l.PHP(), id),
			l.SocketDir(string(s.SocketToken)), l.SiteLogName(s.Host.String()),
		} {
			known[path] = true
		}
	}
	// Names and tokens that were changed are still on their way.
	if slices.ContainsFunc(wishes.Sites, func(s hosting.Site) bool { return !s.Sync.Steady() }) {
		places = places[:2]
	}
	var removed []string
	var errs []error
	for _, p := range places {
		for _, name := range p.names {
			path := filepath.Join(p.dir, name)
			if known[path] || strings.HasPrefix(name, host.TempPrefix) {
				continue
			}
			if err := a.host.RemoveTree(path); err != nil {
				errs = append(errs, err)
				continue
			}
			removed = append(removed, strings.TrimPrefix(path, l.Root+"/"))
		}
	}
	if len(removed) > 0 {
		slog.WarnContext(ctx, "foreign files removed", slog.Any("files", removed))
		if err := a.cfg.Store.Repaired(ctx, "node", 0, a.cfg.Store.Node().Name, removed[:min(len(removed), most)]); err != nil {
			errs = append(errs, fmt.Errorf("agent: %w", err))
		}
	}
	return errors.Join(errs...)
}

// most is how many names one row of the audit log holds.
const most = 50
