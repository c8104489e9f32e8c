package panel

import (
	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/views"
)

// listBans is GET /admin/bans.
func (s *server) listBans(r *Request) error {
	list, page, _, search := r.list()
	rows, total, err := s.store.Bans(r.Context(), store.BanFilter{Search: search, Page: page, PerPage: perPage})
	if err != nil {
		return err
	}
	settings, err := s.store.Settings(r.Context())
	if err != nil {
		return err
	}
	list.Total = total
	params := views.BansParams{List: list, Rows: rows, Settings: settings.Bans, CanLift: r.Actor.Can(hosting.AdminSuspend), CanSet: r.Actor.Can(hosting.AdminSettings)}
	return r.page(func(p views.Page) error { return r.Render(views.BansPage(p, params)) })
}

// liftBan is POST /admin/bans/:ban/lift. One that went by itself meanwhile is
// no error.
func (s *server) liftBan(r *Request) error {
	ban, err := s.store.LiftBan(r.Context(), r.Actor, r.echo.Param("ban"))
	switch {
	case err == nil && ban.Label != "":
		r.Flash("bans.lifted", ban.Label)
	case err == nil:
		r.Flash("bans.lifted_unknown")
	case hosting.KindOf(err) == hosting.NotFound:
		r.Flash("bans.not_found")
	default:
		return err
	}
	return r.Redirect("/admin/bans")
}
