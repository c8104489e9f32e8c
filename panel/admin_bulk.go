package panel

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/views"
)

// bulkEvery is how often it is looked whether somebody confirmed an act on many
// associations.
const bulkEvery = time.Second

// doBulks does what was confirmed, some associations at a time, until ctx ends.
// Pages never wait for it, and the next panel goes on where this one stopped.
func (s *server) doBulks(ctx context.Context) {
	tick := time.NewTicker(bulkEvery)
	defer tick.Stop()
	for {
		more, err := s.store.StepBulk(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "acts on many associations", slog.Any("error", err))
		}
		if more && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// draftBulk is POST /admin/accounts/bulk: what is to be done to the
// associations that are ticked, or to all that the list is narrowed to.
func (s *server) draftBulk(r *Request) error {
	list, filter := r.accountFilter()
	list.Path = "/admin/accounts"
	var form views.BulkForm
	r.into(&form)
	act, err := hosting.ParseBulkAct("act", form.Act)
	spec := store.BulkSpec{Act: act, All: form.All, Filter: filter}
	for _, text := range form.Accounts {
		id, _ := strconv.ParseUint(text, 10, 64) // what is no number names none
		spec.Accounts = append(spec.Accounts, hosting.AccountID(id))
	}
	if err == nil && act == hosting.BulkPlan {
		spec.Plan, err = hosting.ParsePlanName(form.Plan)
		err = inField("new_plan", err)
	}
	var bulk hosting.Bulk
	if err == nil {
		bulk, err = s.store.DraftBulk(r.Context(), r.Actor, spec)
	}
	if messages, ok := refused(err); ok {
		form.Errors = messages
		return s.drawAccounts(r, list, filter, form, r.Invalid)
	}
	if err != nil {
		return err
	}
	if act == hosting.BulkAnnounce {
		return r.Redirect("/admin/announcements/new?bulk=%d", bulk.ID)
	}
	return r.Redirect("/admin/bulk/%d", bulk.ID)
}

// showBulk is GET /admin/bulk/:id: what will be done, how far it is, or what
// has become of it.
func (s *server) showBulk(r *Request) error {
	id, err := r.id()
	if err != nil {
		return err
	}
	report, err := s.store.Bulk(r.Context(), r.Actor, hosting.BulkID(id))
	if err != nil {
		return err
	}
	if report.Act == hosting.BulkAnnounce && report.State == hosting.BulkDraft { // it has to be written first
		return r.Redirect("/admin/announcements/new?bulk=%d", id)
	}
	params := views.BulkParams{Report: report}
	if report.Plan != "" {
		plan, err := s.store.Plan(r.Context(), r.Actor.Scope(hosting.AdminRead), report.Plan)
		if err != nil && hosting.KindOf(err) != hosting.NotFound {
			return err
		}
		params.Plan = orName(plan.Label, string(report.Plan))
	}
	return r.page(func(p views.Page) error {
		if r.partial() {
			return r.Render(views.BulkPart(p, params))
		}
		return r.Render(views.AdminBulkPage(p, params))
	})
}

// startBulk is POST /admin/bulk/:id/start.
func (s *server) startBulk(r *Request) error {
	return s.onBulk(r, s.store.StartBulk)
}

// stopBulk is POST /admin/bulk/:id/stop.
func (s *server) stopBulk(r *Request) error {
	return s.onBulk(r, s.store.StopBulk)
}

func (s *server) onBulk(r *Request, act func(context.Context, hosting.Actor, hosting.BulkID) error) error {
	id, err := r.id()
	if err != nil {
		return err
	}
	if err := act(r.Context(), r.Actor, hosting.BulkID(id)); err != nil {
		return err
	}
	return r.Redirect("/admin/bulk/%d", id)
}
