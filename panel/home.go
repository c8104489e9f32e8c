package panel

import (
	"net/http"
	"time"

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
		Now:      r.now,
		CanWrite: r.Actor.CanIn(hosting.SitesWrite, account.ID),
		CanFTP:   r.Actor.CanIn(hosting.FTPWrite, account.ID),
		CanBases: r.Actor.CanIn(hosting.DatabasesWrite, account.ID),
	}
	ctx := r.Context()
	var err error
	if params.Has, err = s.store.Overview(ctx, r.Actor.Scope(hosting.AccountRead).Only(account.ID), account.ID); err != nil {
		return params, err
	}
	params.Failed = params.Has.Sites[hosting.Failed]
	off, _, err := s.store.Sites(ctx, scope, store.SiteFilter{Account: account.ID, States: []hosting.State{hosting.Failed, hosting.Suspended}, Page: 1, PerPage: homeSites, Sort: "state"})
	if err != nil {
		return params, err
	}
	params.Sites = sitesOf(off)
	if params.Answers, err = s.answers(r, account.ID); err != nil {
		return params, err
	}
	changing, _, err := s.store.Sites(ctx, scope, store.SiteFilter{Account: account.ID, States: moving, Page: 1, PerPage: homeSites, Sort: "host"})
	if err != nil {
		return params, err
	}
	params.Changing = sitesOf(changing)
	rows, _, err := s.store.Sites(ctx, scope, store.SiteFilter{Account: account.ID, Page: 1, PerPage: 2 * homeSites, Sort: "host"})
	if err != nil {
		return params, err
	}
	for _, site := range sitesOf(rows) {
		if len(params.Sites) < homeSites && site.Sync.State != hosting.Failed && site.Sync.State != hosting.Suspended {
			params.Sites = append(params.Sites, site)
		}
	}
	if err := s.homeTraffic(r, account.ID, &params); err != nil {
		return params, err
	}
	params.Recent, _, err = s.store.Audit(ctx, r.Actor.Scope(hosting.AccountRead).Only(account.ID),
		store.AuditFilter{Account: account.ID, Page: 1, PerPage: homeRecent})
	return params, err
}

// homeTraffic reads what visitors did: in the last 30 days, this month and the
// one before.
func (s *server) homeTraffic(r *Request, account hosting.AccountID, params *views.HomeParams) error {
	ctx, scope := r.Context(), r.Actor.Scope(hosting.SitesRead).Only(account)
	from, to := statsSpan("30", r.now)
	month := time.Date(to.Year(), to.Month(), 1, 0, 0, 0, 0, time.Local)
	last := month.AddDate(0, -1, 0)
	begin := last
	if from.Before(begin) { // on the first of March
		begin = from
	}
	rows, err := s.store.AccountTraffic(ctx, scope, account, begin.Format(time.DateOnly), to.Format(time.DateOnly))
	if err != nil {
		return err
	}
	for _, day := range rows {
		switch {
		case day.Day >= month.Format(time.DateOnly):
			params.Month.Add(day)
		case day.Day >= last.Format(time.DateOnly):
			params.LastMonth.Add(day)
		}
	}
	params.Traffic = statsDays(rows, from, to, false)
	shown := make([]hosting.SiteID, len(params.Sites))
	for i, site := range params.Sites {
		shown[i] = site.ID
	}
	params.Visits, err = s.store.SitesTraffic(ctx, scope, shown, from.Format(time.DateOnly), to.Format(time.DateOnly))
	for id, days := range params.Visits {
		params.Visits[id] = statsDays(days, from, to, false)
	}
	return err
}

// homeAnswers is how many answers of the team the home shows.
const homeAnswers = 3

// answers are the requests of the association that the team answered and that
// nobody closed yet.
func (s *server) answers(r *Request, account hosting.AccountID) ([]hosting.Request, error) {
	rows, _, err := s.store.Requests(r.Context(), r.Actor.Scope(hosting.RequestsRead).Only(account),
		store.RequestFilter{Account: account, State: hosting.RequestAnswered, Page: 1, PerPage: homeAnswers})
	list := make([]hosting.Request, len(rows))
	for i, row := range rows {
		list[i] = row.Request
	}
	return list, err
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
	return views.Room{Plan: account.Plan, Usage: account.Usage, Space: account.Space}
}
