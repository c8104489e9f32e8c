package panel

import (
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/views"
)

// listPlans is GET /admin/plans.
func (s *server) listPlans(r *Request) error {
	rows, err := s.store.Plans(r.Context(), r.Actor.Scope(r.need))
	if err != nil {
		return err
	}
	params := views.AdminPlansParams{CanWrite: r.Actor.Can(hosting.AdminPlans)}
	for _, row := range rows {
		params.Rows = append(params.Rows, views.PlanRow{Plan: row.Plan, Accounts: row.Accounts})
	}
	return r.page(func(p views.Page) error { return r.Render(views.AdminPlansPage(p, params)) })
}

func (s *server) drawPlan(r *Request, row *store.PlanRow, form views.PlanForm, answer func(templ.Component) error) error {
	params := views.PlanParams{Form: form}
	if row != nil {
		params.Plan, params.Accounts = &row.Plan, row.Accounts
	}
	return r.page(func(p views.Page) error { return answer(views.AdminPlanPage(p, params)) })
}

// newPlan is GET /admin/plans/new.
func (s *server) newPlan(r *Request) error {
	form := views.PlanForm{Sites: "5", Databases: "5", FTPLogins: "10", DiskMB: "2048", DatabaseMB: "512"}
	r.into(&form)
	return s.drawPlan(r, nil, form, r.Render)
}

// createPlan is POST /admin/plans/new.
func (s *server) createPlan(r *Request) error {
	var form views.PlanForm
	r.into(&form)
	var errs hosting.Errors
	spec, err := planSpec(form)
	errs.Add(err)
	spec.Name, err = hosting.ParsePlanName(form.Name)
	errs.Add(err)
	if err = errs.Err(); err == nil {
		_, err = s.store.CreatePlan(r.Context(), r.Actor, spec)
	}
	if messages, ok := refused(err); ok {
		form.Errors = messages
		return s.drawPlan(r, nil, form, r.Invalid)
	}
	if err != nil {
		return err
	}
	r.Flash("plan.created", orName(spec.Label, string(spec.Name)))
	return r.Redirect("/admin/plans")
}

func orName(label, name string) string {
	if label == "" {
		return name
	}
	return label
}

// planSpec reads the limits of a plan; an empty one is none.
func planSpec(form views.PlanForm) (spec hosting.PlanSpec, err error) {
	var errs hosting.Errors
	spec.Label, err = hosting.ParseLabel("label", form.Label)
	errs.Add(err)
	for _, limit := range []struct {
		field, text string
		into        *int
	}{
		{"sites", form.Sites, &spec.Sites},
		{"databases", form.Databases, &spec.Databases},
		{"ftp_logins", form.FTPLogins, &spec.FTPLogins},
		{"disk_mb", form.DiskMB, &spec.DiskMB},
		{"database_mb", form.DatabaseMB, &spec.DatabaseMB},
	} {
		text := strings.TrimSpace(limit.text)
		if text == "" {
			*limit.into = hosting.Unlimited
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			errs.Add(hosting.Refuse(hosting.Invalid, limit.field, "plan.limit_invalid"))
		}
		*limit.into = n
	}
	if errs.Err() == nil {
		errs.Add(spec.Check())
	}
	return spec, errs.Err()
}

func planForm(row store.PlanRow) views.PlanForm {
	return views.PlanForm{
		Name:       string(row.Name),
		Label:      row.Label,
		Sites:      limitText(row.Sites),
		Databases:  limitText(row.Databases),
		FTPLogins:  limitText(row.FTPLogins),
		DiskMB:     limitText(row.DiskMB),
		DatabaseMB: limitText(row.DatabaseMB),
	}
}

func limitText(n int) string {
	if n == hosting.Unlimited {
		return ""
	}
	return strconv.Itoa(n)
}

// plan is the plan of the address.
func (r *Request) plan() (store.PlanRow, error) {
	id, err := r.id()
	if err != nil {
		return store.PlanRow{}, err
	}
	rows, err := r.srv.store.Plans(r.Context(), r.Actor.Scope(r.need))
	if err != nil {
		return store.PlanRow{}, err
	}
	for _, row := range rows {
		if row.ID == hosting.PlanID(id) {
			return row, nil
		}
	}
	return store.PlanRow{}, hosting.Refuse(hosting.NotFound, "", "error.not_found")
}

// showPlan is GET /admin/plans/:id.
func (s *server) showPlan(r *Request) error {
	row, err := r.plan()
	if err != nil {
		return err
	}
	form := planForm(row)
	r.into(&form)
	return s.drawPlan(r, &row, form, r.Render)
}

// confirmPlan says who would be over which limit before limits change.
func (s *server) confirmPlan(r *Request, row store.PlanRow, spec hosting.PlanSpec, form views.PlanForm) error {
	effects, err := s.store.PlanEffects(r.Context(), r.Actor.Scope(r.need), row.Name, spec)
	if err != nil {
		return err
	}
	params := views.PlanConfirmParams{Plan: row.Plan, Accounts: row.Accounts, Form: form, Effects: effects}
	return r.page(func(p views.Page) error { return r.Render(views.AdminPlanConfirmPage(p, params)) })
}

// updatePlan is POST /admin/plans/:id. The short name stays; other limits are
// confirmed first.
func (s *server) updatePlan(r *Request) error {
	row, err := r.plan()
	if err != nil {
		return err
	}
	var form views.PlanForm
	r.into(&form)
	form.Name = string(row.Name)
	if form.Confirm == views.ConfirmBack {
		return s.drawPlan(r, &row, form, r.Render)
	}
	spec, err := planSpec(form)
	if err == nil && form.Confirm != views.ConfirmYes && !row.SameLimits(store.PlanOf(spec)) {
		return s.confirmPlan(r, row, spec, form)
	}
	if err == nil {
		spec.Name = row.Name
		_, err = s.store.UpdatePlan(r.Context(), r.Actor, row.Name, spec)
	}
	if messages, ok := refused(err); ok {
		form.Errors = messages
		return s.drawPlan(r, &row, form, r.Invalid)
	}
	if err != nil {
		return err
	}
	r.Flash("plan.updated", orName(spec.Label, string(row.Name)))
	return r.Redirect("/admin/plans")
}

// deletePlan is POST /admin/plans/:id/delete, refused while a plan is used.
func (s *server) deletePlan(r *Request) error {
	row, err := r.plan()
	if err != nil {
		return err
	}
	err = s.store.DeletePlan(r.Context(), r.Actor, row.Name)
	if messages, ok := refused(err); ok {
		form := planForm(row)
		form.Errors = messages
		return s.drawPlan(r, &row, form, r.Invalid)
	}
	if err != nil {
		return err
	}
	r.Flash("plan.deleted", orName(row.Label, string(row.Name)))
	return r.Redirect("/admin/plans")
}
