package panel

import (
	"slices"
	"strings"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/internal/store"
	"cancale/views"
)

// auditFilter reads what the address asks of a list of acts: a person, a thing
// and days.
func (r *Request) auditFilter() (store.AuditFilter, views.Errors) {
	errs := views.Errors{}
	f := store.AuditFilter{Actor: r.Query("who")}
	const longest = 254
	if len(f.Actor) > longest {
		f.Actor = ""
	}
	if thing := r.Query("thing"); slices.Contains(hosting.AuditThings, thing) {
		f.Thing = thing
	}
	day := func(name string) (time.Time, bool) {
		text := r.Query(name)
		if text == "" {
			return time.Time{}, false
		}
		at, err := time.ParseInLocation(time.DateOnly, text, time.Local)
		if err != nil || at.Year() < 2000 || at.Year() > 9000 {
			errs[name] = hosting.Msg("date.invalid")
			return time.Time{}, false
		}
		return at, true
	}
	f.Since, _ = day("since")
	if until, given := day("until"); given {
		f.Until = until.AddDate(0, 0, 1)
	}
	return f, errs
}

// showActivity is GET /activity: who did what for the association.
func (s *server) showActivity(r *Request) error {
	account, err := r.acts()
	if err != nil {
		return err
	}
	list, page, _, search := r.list()
	filter, errs := r.auditFilter()
	filter.Account, filter.Search, filter.Page, filter.PerPage = account.ID, search, page, perPage
	params := views.ActivityParams{Errors: errs}
	scope := r.Actor.Scope(r.need).Only(account.ID)
	if params.Actors, err = s.store.AuditActors(r.Context(), scope, account.ID); err != nil {
		return err
	}
	answer := r.Invalid
	if len(errs) == 0 {
		answer = r.Render
		if params.Rows, list.Total, err = s.store.Audit(r.Context(), scope, filter); err != nil {
			return err
		}
	}
	params.List = list
	return r.page(func(p views.Page) error { return answer(views.ActivityPage(p, params)) })
}

// downloadActivity is GET /activity/download: what the list shows, as a table.
func (s *server) downloadActivity(r *Request) error {
	account, err := r.acts()
	if err != nil {
		return err
	}
	_, _, _, search := r.list()
	filter, errs := r.auditFilter()
	if len(errs) > 0 {
		return r.redirect("/activity?" + r.echo.QueryString())
	}
	filter.Account, filter.Search = account.ID, search
	return s.auditSheet(r, r.Actor.Scope(r.need).Only(account.ID), filter, string(account.Name), false)
}

// downloadAudit is GET /admin/audit/download.
func (s *server) downloadAudit(r *Request) error {
	_, _, _, search := r.list()
	filter, errs := r.auditFilter()
	filter.Search = search
	if name := r.Query("account"); name != "" && len(errs) == 0 {
		var err error
		if filter.Account, err = s.accountNamed(r, name); err != nil {
			errs["account"] = hosting.Msg("account.unknown")
		}
	}
	if len(errs) > 0 {
		return r.redirect("/admin/audit?" + r.echo.QueryString())
	}
	return s.auditSheet(r, r.Actor.Scope(r.need), filter, "cancale", true)
}

// auditSheet sends entries of the audit log as a table; whole has the address
// and the values too, which are the team's affair.
func (s *server) auditSheet(r *Request, scope hosting.Scope, f store.AuditFilter, name string, whole bool) error {
	ctx := r.Context()
	rows, err := s.store.AuditBefore(ctx, scope, f, 0, sheetBatch)
	if err != nil {
		return err
	}
	t := func(key string) string { return i18n.T(ctx, key) }
	head := []string{t("audit.when"), t("audit.who"), t("audit.behalf_head"), t("audit.action"), t("audit.target")}
	if whole {
		head = append(head, t("audit.source"), t("audit.code"), t("audit.account_number"), t("audit.before_head"), t("audit.after_head"))
	}
	out := r.sheet(t("activity.file_name")+"-"+name+"-"+r.now.Format(time.DateOnly)+".csv", head...)
	for written := 0; len(rows) > 0 && err == nil; {
		for _, e := range rows {
			cells := []string{e.At.Local().Format(time.DateTime), views.ActorName(ctx, e.Actor), e.Behalf, views.ActionText(ctx, e.Action), e.Target}
			if whole {
				cells = append(cells, e.Source, e.Action, views.Number(uint64(e.AccountID)), e.Before, e.After)
			}
			out.row(cells...)
		}
		if written += len(rows); written >= sheetRows || len(rows) < sheetBatch {
			break
		}
		rows, err = s.store.AuditBefore(ctx, scope, f, rows[len(rows)-1].ID, sheetBatch)
	}
	out.close(err)
	return nil
}

// actInPlace is POST /admin/accounts/:id/act: an administrator does what the
// association's owners could do, and is seen doing it.
func (s *server) actInPlace(r *Request) error {
	account, err := r.adminAccount()
	if err != nil {
		return err
	}
	if err := s.store.ActInPlace(r.Context(), r.Session, account.ID); err != nil {
		return err
	}
	return r.Redirect("/")
}

// endInPlace is POST /act/end.
func (s *server) endInPlace(r *Request) error {
	if r.Session.Behalf == nil {
		return r.Redirect("/")
	}
	if err := s.store.EndInPlace(r.Context(), r.Session); err != nil {
		return err
	}
	return r.redirect(accountPath(r.Session.Behalf.ID))
}

// inPlaceOnly refuses pages about oneself to who acts in the place of another.
func (r *Request) inPlaceOnly() error {
	if r.Session.Behalf == nil || !strings.HasPrefix(r.echo.Path(), "/profile") {
		return nil
	}
	return hosting.Refuse(hosting.Forbidden, "", "error.in_place")
}
