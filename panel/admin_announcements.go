package panel

import (
	"strconv"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/views"
)

// listAnnouncements is GET /admin/announcements.
func (s *server) listAnnouncements(r *Request) error {
	list, page, _, _ := r.list()
	rows, total, err := s.store.Announcements(r.Context(), r.Actor.Scope(r.need), page, perPage)
	if err != nil {
		return err
	}
	list.Total = total
	params := views.AnnouncementsParams{List: list}
	for _, row := range rows {
		params.Rows = append(params.Rows, views.AnnouncementRow(row))
	}
	return r.page(func(p views.Page) error { return r.Render(views.AdminAnnouncementsPage(p, params)) })
}

// newAnnouncement is GET /admin/announcements/new, to all associations or to
// those that were chosen in their list.
func (s *server) newAnnouncement(r *Request) error {
	form := views.AnnouncementForm{Bulk: r.Query("bulk")}
	r.into(&form)
	return s.drawAnnouncement(r, nil, form, r.Render)
}

// drawAnnouncement is the form of a new announcement, or of one that there is.
func (s *server) drawAnnouncement(r *Request, row *store.AnnouncementRow, form views.AnnouncementForm, answer answer) error {
	params := views.AnnouncementParams{Form: form}
	if row != nil {
		params.Announcement, params.Accounts = &row.Announcement, row.Accounts
	} else if id, err := draftOf(form); err != nil {
		return err
	} else if id != 0 {
		report, err := s.store.Bulk(r.Context(), r.Actor, id)
		if err != nil {
			return err
		}
		params.To = &report
	}
	return r.page(func(p views.Page) error { return answer(views.AdminAnnouncementPage(p, params)) })
}

// draftOf is the draft that says to whom a form is, 0 for all.
func draftOf(form views.AnnouncementForm) (hosting.BulkID, error) {
	if form.Bulk == "" {
		return 0, nil
	}
	id, err := strconv.ParseUint(form.Bulk, 10, 64)
	if err != nil || id == 0 { // never taken for all
		return 0, hosting.Refuse(hosting.NotFound, "", "bulk.not_found")
	}
	return hosting.BulkID(id), nil
}

// announcementSpec reads what a form announces.
func announcementSpec(form views.AnnouncementForm) (hosting.AnnouncementSpec, error) {
	var errs hosting.Errors
	spec, err := hosting.AnnouncementSpec{
		TitleFR: form.TitleFR, TextFR: form.TextFR, TitleEN: form.TitleEN, TextEN: form.TextEN, Mail: form.Mail,
	}.Parse()
	errs.Add(err)
	spec.Until, err = parseDay("until", form.Until)
	errs.Add(err)
	return spec, errs.Err()
}

// createAnnouncement is POST /admin/announcements/new.
func (s *server) createAnnouncement(r *Request) error {
	var form views.AnnouncementForm
	r.into(&form)
	draft, err := draftOf(form)
	if err != nil {
		return err
	}
	spec, err := announcementSpec(form)
	var sending hosting.BulkID
	if err == nil {
		_, sending, err = s.store.CreateAnnouncement(r.Context(), r.Actor, spec, draft)
	}
	if messages, ok := refused(err); ok {
		form.Errors = messages
		return s.drawAnnouncement(r, nil, form, r.Invalid)
	}
	if err != nil {
		return err
	}
	r.Flash("announcement.created", spec.TitleFR)
	if sending != 0 {
		return r.Redirect("/admin/bulk/%d", sending)
	}
	return r.Redirect("/admin/announcements")
}

// announcement is the announcement of the address.
func (r *Request) announcement() (store.AnnouncementRow, error) {
	id, err := r.id()
	if err != nil {
		return store.AnnouncementRow{}, err
	}
	return r.srv.store.Announcement(r.Context(), r.Actor.Scope(r.need), hosting.AnnouncementID(id))
}

// editAnnouncement is GET /admin/announcements/:id.
func (s *server) editAnnouncement(r *Request) error {
	row, err := r.announcement()
	if err != nil {
		return err
	}
	form := views.AnnouncementForm{
		TitleFR: row.TitleFR, TextFR: row.TextFR, TitleEN: row.TitleEN, TextEN: row.TextEN, Until: dayText(row.Until), Mail: row.Mailed,
	}
	r.into(&form)
	return s.drawAnnouncement(r, &row, form, r.Render)
}

// updateAnnouncement is POST /admin/announcements/:id.
func (s *server) updateAnnouncement(r *Request) error {
	row, err := r.announcement()
	if err != nil {
		return err
	}
	var form views.AnnouncementForm
	r.into(&form)
	spec, err := announcementSpec(form)
	if err == nil {
		err = s.store.UpdateAnnouncement(r.Context(), r.Actor, row.ID, spec)
	}
	if messages, ok := refused(err); ok {
		form.Errors = messages
		return s.drawAnnouncement(r, &row, form, r.Invalid)
	}
	if err != nil {
		return err
	}
	r.Flash("announcement.updated", spec.TitleFR)
	return r.Redirect("/admin/announcements")
}

// endAnnouncement is POST /admin/announcements/:id/end.
func (s *server) endAnnouncement(r *Request) error {
	row, err := r.announcement()
	if err != nil {
		return err
	}
	if err := s.store.EndAnnouncement(r.Context(), r.Actor, row.ID); err != nil {
		return err
	}
	r.Flash("announcement.ended", row.TitleFR)
	return r.Redirect("/admin/announcements")
}

// removeAnnouncement is POST /admin/announcements/:id/delete.
func (s *server) removeAnnouncement(r *Request) error {
	row, err := r.announcement()
	if err != nil {
		return err
	}
	if err := s.store.RemoveAnnouncement(r.Context(), r.Actor, row.ID); err != nil {
		return err
	}
	r.Flash("announcement.removed", row.TitleFR)
	return r.Redirect("/admin/announcements")
}

// dismissBanner is POST /announcements/:id/dismiss: somebody has read it.
func (s *server) dismissBanner(r *Request) error {
	id, err := r.id()
	if err != nil {
		return err
	}
	if err := s.store.DismissBanner(r.Context(), r.Actor, hosting.AnnouncementID(id)); err != nil {
		return err
	}
	return r.redirect(orHome(localPath(r.form.Get("next"))))
}
