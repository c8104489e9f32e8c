package panel

import (
	"net/http"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/views"
)

// healthz is GET /healthz: whether the panel can serve people.
func (s *server) healthz(r *Request) error {
	if err := s.store.Ping(r.Context()); err != nil {
		return &hosting.Error{Kind: hosting.Unavailable, Message: hosting.Msg("error.unavailable"), Err: err}
	}
	return r.echo.String(http.StatusOK, "ok\n")
}

const (
	homeSites  = 6
	homeRecent = 6
)

// home is GET /: what the association has, and what moves.
func (s *server) home(r *Request) error {
	account, err := r.chosen()
	if err != nil {
		return err
	}
	if account == nil && r.Actor.Can(hosting.AdminRead) {
		return r.Redirect("/admin")
	}
	page, err := r.shell()
	if err != nil {
		return err
	}
	if account == nil {
		return r.Render(views.NoAccountPage(page))
	}
	params, err := s.homeParams(r, account)
	if err != nil {
		return err
	}
	return r.Render(views.HomePage(page, params))
}

func (s *server) homeParams(r *Request, account *store.AccountRow) (views.HomeParams, error) {
	scope := r.Actor.Scope(hosting.SitesRead).Only(account.ID)
	params := views.HomeParams{
		Room:     roomOf(account),
		CanWrite: r.Actor.CanIn(hosting.SitesWrite, account.ID),
		CanFTP:   r.Actor.CanIn(hosting.FTPWrite, account.ID),
		CanBases: r.Actor.CanIn(hosting.DatabasesWrite, account.ID),
	}
	failed, total, err := s.store.Sites(r.Context(), scope, store.SiteFilter{Account: account.ID, State: hosting.Failed, Page: 1, PerPage: homeSites, Sort: "host"})
	if err != nil {
		return params, err
	}
	params.Sites, params.Failed = sitesOf(failed), total
	changing, _, err := s.store.Sites(r.Context(), scope, store.SiteFilter{Account: account.ID, States: moving, Page: 1, PerPage: homeSites, Sort: "host"})
	if err != nil {
		return params, err
	}
	params.Changing = sitesOf(changing)
	rows, _, err := s.store.Sites(r.Context(), scope, store.SiteFilter{Account: account.ID, Page: 1, PerPage: 2 * homeSites, Sort: "host"})
	if err != nil {
		return params, err
	}
	for _, site := range sitesOf(rows) {
		if len(params.Sites) < homeSites && site.Sync.State != hosting.Failed {
			params.Sites = append(params.Sites, site)
		}
	}
	params.Recent, _, err = s.store.Audit(r.Context(), r.Actor.Scope(hosting.AccountRead).Only(account.ID),
		store.AuditFilter{Account: account.ID, Page: 1, PerPage: homeRecent})
	return params, err
}

// moving are the states that pass by themselves.
var moving = []hosting.State{hosting.Pending, hosting.Applying, hosting.Removing}

func sitesOf(rows []store.SiteRow) []hosting.Site {
	list := make([]hosting.Site, len(rows))
	for i, row := range rows {
		list[i] = row.Site
	}
	return list
}

func roomOf(account *store.AccountRow) views.Room {
	return views.Room{Plan: account.Plan, Usage: account.Usage}
}
