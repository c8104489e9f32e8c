package ftpd

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"path"
	"strconv"
	"strings"

	"cancale/internal/disk"
	"cancale/internal/ftplink"
	"cancale/internal/hosting"
	"cancale/internal/jail"
)

// binHandlers have the panel ask about the bins of sites, which only this daemon
// can open.
func (srv *server) binHandlers(link *ftplink.Server) {
	link.Handle("GET /sites/{id}/bin", hosting.SitesRead, srv.listBin)
	link.Handle("POST /sites/{id}/bin/restore", hosting.SitesWrite, srv.restoreFromBin)
	link.Handle("POST /sites/{id}/bin/purge", hosting.SitesWrite, srv.purgeBin)
}

// binJail opens the home of the site that a request names, with its bin.
func (srv *server) binJail(r ftplink.Request, need hosting.Permission) (*jail.Jail, hosting.Site, error) {
	site, err := srv.cfg.Store.SiteHome(r.Context(), r.Actor.Scope(need), hosting.SiteID(r.ID("id")))
	if err != nil {
		return nil, hosting.Site{}, err
	}
	on := site
	on.Suspended, on.AccountSuspended = false, false // its files may still be looked after
	j, err := openHome(srv.cfg.Layout, srv.ledger, on)
	if errors.Is(err, errNotReady) {
		err = hosting.Refuse(hosting.Conflict, "", "bin.not_ready")
	}
	return j, site, err
}

func (srv *server) listBin(w http.ResponseWriter, r ftplink.Request) error {
	j, _, err := srv.binJail(r, hosting.SitesRead)
	if err != nil {
		return err
	}
	defer j.Close()
	entries, more, err := j.Bin(r.FormValue("q"))
	if err != nil {
		return err
	}
	page, _ := strconv.Atoi(r.FormValue("page"))
	perPage, _ := strconv.Atoi(r.FormValue("per_page"))
	list := hosting.Bin{Total: len(entries), More: more}
	if perPage > 0 {
		from := min(max(page-1, 0)*perPage, len(entries))
		entries = entries[from:min(from+perPage, len(entries))]
	}
	for _, e := range entries {
		list.Items = append(list.Items, hosting.BinItem{Slot: e.Slot, Path: e.Path, Dir: e.Dir, Size: e.Size, Deleted: e.Deleted})
	}
	return ftplink.Answer(w, list)
}

func (srv *server) restoreFromBin(w http.ResponseWriter, r ftplink.Request) error {
	var in hosting.BinRestore
	if err := r.In(&in); err != nil {
		return err
	}
	j, site, err := srv.binJail(r, hosting.SitesWrite)
	if err != nil {
		return err
	}
	defer j.Close()
	to := strings.Trim(path.Clean("/"+in.To), "/")
	if asNamed := to == in.Path; to == "" || !asNamed && (len(to) > maxPath || hasControl(to)) {
		return hosting.Refuse(hosting.Invalid, "to", "bin.name_invalid")
	}
	switch err := j.Restore(in.Slot, in.Path, to); {
	case errors.Is(err, jail.ErrBinGone):
		return hosting.Refuse(hosting.NotFound, "", "bin.gone")
	case errors.Is(err, fs.ErrExist):
		return hosting.Refuse(hosting.Conflict, "to", "bin.exists", to)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist), err != nil && isPathError(err):
		return &hosting.Error{Kind: hosting.Invalid, Field: "to", Message: hosting.Msg("bin.cannot_restore", to), Err: err}
	case err != nil:
		return err
	}
	if err := srv.cfg.Store.NoteBin(r.Context(), r.Actor, site.ID, "bin.restore", to); err != nil {
		return err
	}
	return ftplink.Answer(w, struct{}{})
}

// maxPath is how long a path may be that a person types.
const maxPath = 1000

func isPathError(err error) bool {
	_, is := errors.AsType[*fs.PathError](err)
	return is
}

// purgeBin removes some things for good, or all of them.
func (srv *server) purgeBin(w http.ResponseWriter, r ftplink.Request) error {
	var in hosting.BinPurge
	if err := r.In(&in); err != nil {
		return err
	}
	j, site, err := srv.binJail(r, hosting.SitesWrite)
	if err != nil {
		return err
	}
	defer j.Close()
	if in.All {
		if err := j.EmptyBin(); err != nil {
			return err
		}
		if err := srv.cfg.Store.NoteBin(r.Context(), r.Actor, site.ID, "bin.empty", ""); err != nil {
			return err
		}
		return ftplink.Answer(w, struct{}{})
	}
	if len(in.Items) == 0 {
		return hosting.Refuse(hosting.Invalid, "", "bin.none_chosen")
	}
	for _, item := range in.Items {
		err := j.Purge(item.Slot, item.Path)
		if errors.Is(err, jail.ErrBinGone) && len(in.Items) > 1 {
			continue
		}
		if errors.Is(err, jail.ErrBinGone) {
			return hosting.Refuse(hosting.NotFound, "", "bin.gone")
		}
		if err == nil {
			err = srv.cfg.Store.NoteBin(r.Context(), r.Actor, site.ID, "bin.purge", item.Path)
		}
		if err != nil {
			return err
		}
	}
	return ftplink.Answer(w, struct{}{})
}

// reclaim empties the bins of an account, oldest things first, until so much is
// free.
func reclaim(cfg Config) func(context.Context, hosting.AccountID, int64) map[hosting.SiteID]int64 {
	return func(ctx context.Context, account hosting.AccountID, need int64) map[hosting.SiteID]int64 {
		sites, err := cfg.Store.SitesOfAccount(ctx, account)
		if err != nil {
			slog.WarnContext(ctx, "bins are not emptied", slog.Any("error", err))
			return nil
		}
		freed := map[hosting.SiteID]int64{}
		for _, site := range sites {
			site.Suspended, site.AccountSuspended = false, false
			j, err := openHome(cfg.Layout, (*disk.Ledger)(nil), site)
			if err != nil {
				continue // not made yet, or on its way out
			}
			n, err := j.Reclaim(need)
			if err != nil {
				slog.WarnContext(ctx, "a bin is not emptied", slog.Uint64("site", uint64(site.ID)), slog.Any("error", err))
			}
			_ = j.Close()
			if n > 0 {
				freed[site.ID] = n
				slog.InfoContext(ctx, "bin emptied for room", slog.Uint64("site", uint64(site.ID)), slog.Int64("bytes", n))
			}
			if need -= n; need <= 0 || ctx.Err() != nil {
				break
			}
		}
		return freed
	}
}
