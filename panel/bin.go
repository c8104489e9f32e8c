package panel

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"cancale/internal/ftplink"
	"cancale/internal/hosting"
	"cancale/views"
)

// binOf is where the FTP daemon answers about the bin of a site.
func binOf(site hosting.Site, act string) string { return fmt.Sprintf("/sites/%d/bin%s", site.ID, act) }

// showBin is GET /sites/:id/bin.
func (s *server) showBin(r *Request) error {
	site, err := r.site()
	if err != nil {
		return err
	}
	return s.drawBin(r, site, nil, r.Render)
}

func (s *server) drawBin(r *Request, site hosting.Site, problems []hosting.Message, answer answer) error {
	list, page, _, search := r.list()
	settings, err := s.store.Settings(r.Context())
	if err != nil {
		return err
	}
	params := views.BinParams{Site: site, Days: settings.Kept.BinDays, CanWrite: r.Actor.CanIn(hosting.SitesWrite, site.AccountID), Problems: problems}
	err = s.link.Call(r.Context(), r.Actor, http.MethodGet, binOf(site, ""),
		ftplink.Query("q", search, "page", strconv.Itoa(page), "per_page", strconv.Itoa(perPage)), nil, &params.Bin)
	switch {
	case err != nil && hosting.KindOf(err) == hosting.Unavailable:
		s.logFailure(r.echo, "bin", err)
		params.Down = true
	case err != nil && hosting.KindOf(err) == hosting.Conflict: // its home is not made yet
	case err != nil:
		return err
	}
	list.Total = params.Bin.Total
	params.List = list
	return r.page(func(p views.Page) error { return answer(views.BinPage(p, params)) })
}

// inBin is what an ID names; one that names nothing is left to the bin to
// refuse.
func inBin(id string) hosting.BinItem {
	item, _ := hosting.ParseBinID(id)
	return item
}

// askBinRestore is GET /sites/:id/bin/restore: under which name.
func (s *server) askBinRestore(r *Request) error {
	site, err := r.site()
	if err != nil {
		return err
	}
	item := inBin(r.Query("item"))
	params := views.BinRestoreParams{Site: site, Item: item, Form: views.BinRestoreForm{To: item.Path}}
	return r.page(func(p views.Page) error { return r.Render(views.BinRestorePage(p, params)) })
}

// restoreFromBin is POST /sites/:id/bin/restore: to the old place, unless
// another is named.
func (s *server) restoreFromBin(r *Request) error {
	site, err := r.site()
	if err != nil {
		return err
	}
	var form views.BinRestoreForm
	r.into(&form)
	item := inBin(form.Item)
	if form.To == "" {
		form.To = item.Path
	}
	err = s.restore(r, site, item, form.To)
	if fields := hosting.FieldErrors(err); err != nil && fields["to"].Key != "" {
		form.Errors = fields
		if hosting.KindOf(err) == hosting.Conflict {
			form.To = views.OtherName(r.Context(), form.To)
		}
		return r.page(func(p views.Page) error {
			return r.Invalid(views.BinRestorePage(p, views.BinRestoreParams{Site: site, Item: item, Form: form}))
		})
	}
	if err != nil {
		return err
	}
	r.Flash("bin.restored", form.To)
	return r.Redirect("/sites/%d/bin", site.ID)
}

func (s *server) restore(r *Request, site hosting.Site, item hosting.BinItem, to string) error {
	return s.link.Call(r.Context(), r.Actor, http.MethodPost, binOf(site, "/restore"), nil, hosting.BinRestore{Slot: item.Slot, Path: item.Path, To: to}, nil)
}

// chooseInBin is POST /sites/:id/bin/several: several things come back, or one
// is asked whether they are to go.
func (s *server) chooseInBin(r *Request) error {
	site, err := r.site()
	if err != nil {
		return err
	}
	var form views.BinChoiceForm
	r.into(&form)
	items := make([]hosting.BinItem, len(form.Items))
	for i, id := range form.Items {
		items[i] = inBin(id)
	}
	switch {
	case len(items) == 0:
		return s.drawBin(r, site, []hosting.Message{hosting.Msg("bin.none_chosen")}, r.Invalid)
	case form.Act != "restore":
		params := views.BinPurgeParams{Site: site, Items: items}
		return r.page(func(p views.Page) error { return r.Render(views.BinPurgePage(p, params)) })
	}
	var problems []hosting.Message
	for _, item := range items {
		err := s.restore(r, site, item, item.Path)
		refused, isRefusal := errors.AsType[*hosting.Error](err)
		switch {
		case err == nil:
		case isRefusal && refused.Kind != hosting.Unavailable && refused.Kind != hosting.Internal:
			problems = append(problems, refused.Message)
		default:
			return err
		}
	}
	if done := len(items) - len(problems); done > 0 {
		r.Flash("bin.restored_several", strconv.Itoa(done))
	}
	if len(problems) > 0 {
		return s.drawBin(r, site, problems, r.Invalid)
	}
	return r.Redirect("/sites/%d/bin", site.ID)
}

// askBinPurge is GET /sites/:id/bin/delete: one thing, or all of them.
func (s *server) askBinPurge(r *Request) error {
	site, err := r.site()
	if err != nil {
		return err
	}
	params := views.BinPurgeParams{Site: site}
	if id := r.Query("item"); id != "" {
		params.Items = []hosting.BinItem{inBin(id)}
	}
	return r.page(func(p views.Page) error { return r.Render(views.BinPurgePage(p, params)) })
}

// purgeBin is POST /sites/:id/bin/delete: some things, or all of them.
func (s *server) purgeBin(r *Request) error {
	site, err := r.site()
	if err != nil {
		return err
	}
	var form views.BinChoiceForm
	r.into(&form)
	in := hosting.BinPurge{All: form.All}
	for _, id := range form.Items {
		in.Items = append(in.Items, inBin(id))
	}
	if err := s.link.Call(r.Context(), r.Actor, http.MethodPost, binOf(site, "/purge"), nil, in, nil); err != nil {
		return err
	}
	switch n := len(in.Items); {
	case in.All:
		r.Flash("bin.emptied")
	case n == 1:
		r.Flash("bin.purged")
	default:
		r.Flash("bin.purged_several", strconv.Itoa(n))
	}
	return r.Redirect("/sites/%d/bin", site.ID)
}
