package panel

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/a-h/templ"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/internal/store"
	"cancale/views"
)

// trashRoutes are the pages of what was removed and can be brought back.
func (s *server) trashRoutes() {
	s.route(http.MethodGet, "/trash", hosting.AccountRead, s.showTrash)
	s.route(http.MethodGet, "/admin/trash", hosting.AdminRead, s.showAllTrash)
	for _, kind := range []hosting.TrashKind{hosting.TrashSite, hosting.TrashDatabase, hosting.TrashFTP, hosting.TrashAccount} {
		path := "/trash/" + string(kind) + "/:id"
		on := func(do func(*Request, hosting.TrashItem) error) func(*Request) error {
			return func(r *Request) error {
				item, err := r.trashItem(kind)
				if err != nil {
					return err
				}
				return do(r, item)
			}
		}
		s.route(http.MethodGet, path+"/restore", kind.Write(), on(s.askTrashRestore))
		s.route(http.MethodPost, path+"/restore", kind.Write(), on(s.restoreTrash))
		s.route(http.MethodGet, path+"/purge", kind.Write(), on(s.askTrashPurge))
		s.route(http.MethodPost, path+"/purge", kind.Write(), on(s.purgeTrash))
	}
}

// trashItem is the removed thing that the address names.
func (r *Request) trashItem(kind hosting.TrashKind) (hosting.TrashItem, error) {
	id, err := r.id()
	if err != nil {
		return hosting.TrashItem{}, err
	}
	item, err := r.srv.store.TrashItem(r.Context(), r.Actor.Scope(r.need), kind, id)
	if err != nil || kind == hosting.TrashAccount || r.wholeTrash(item) {
		return item, err
	}
	return item, r.about(item.AccountID)
}

// wholeTrash reports whether the person came from the list of all.
func (r *Request) wholeTrash(item hosting.TrashItem) bool {
	return r.Actor.Can(hosting.AdminRead) && (r.Query("all") != "" || item.Kind == hosting.TrashAccount)
}

// backToTrash leads to the list that the person came from.
func (r *Request) backToTrash(item hosting.TrashItem) error {
	if r.wholeTrash(item) {
		return r.Redirect("/admin/trash")
	}
	return r.Redirect("/trash")
}

// showTrash is GET /trash: what was removed of the association.
func (s *server) showTrash(r *Request) error {
	account, err := r.acts()
	if err != nil {
		return err
	}
	return s.drawTrash(r, false, r.Actor.Scope(r.need).Only(account.ID))
}

// showAllTrash is GET /admin/trash: what was removed of all associations, and
// these.
func (s *server) showAllTrash(r *Request) error {
	return s.drawTrash(r, true, r.Actor.Scope(r.need))
}

func (s *server) drawTrash(r *Request, all bool, scope hosting.Scope) error {
	list, page, _, search := r.list()
	settings, err := s.store.Settings(r.Context())
	if err != nil {
		return err
	}
	params := views.TrashParams{Days: settings.Kept.RemovedDays, All: all}
	params.Items, list.Total, err = s.store.Trash(r.Context(), scope, store.TrashFilter{Search: search, Page: page, PerPage: perPage})
	if err != nil {
		return err
	}
	params.List = list
	return r.page(func(p views.Page) error { return r.Render(views.TrashPage(p, params)) })
}

// askTrashRestore is GET /trash/KIND/:id/restore: under which name.
func (s *server) askTrashRestore(r *Request, item hosting.TrashItem) error {
	form := views.TrashRestoreForm{Host: item.Shown(), Login: item.Name}
	r.into(&form)
	return s.drawTrashRestore(r, item, form, r.Render)
}

func (s *server) drawTrashRestore(r *Request, item hosting.TrashItem, form views.TrashRestoreForm, answer func(templ.Component) error) error {
	params := views.TrashRestoreParams{Item: item, All: r.wholeTrash(item), Form: form}
	return r.page(func(p views.Page) error { return answer(views.TrashRestorePage(p, params)) })
}

// restoreTrash is POST /trash/KIND/:id/restore: under its own name, unless another
// one is typed.
func (s *server) restoreTrash(r *Request, item hosting.TrashItem) error {
	var form views.TrashRestoreForm
	r.into(&form)
	to, err := s.bringBack(r, item, form)
	fields, refused := refused(err)
	switch {
	case refused:
		if form.Errors = fields; form.Host == "" {
			form.Host = item.Shown()
		}
		if form.Login == "" {
			form.Login = item.Name
		}
		return s.drawTrashRestore(r, item, form, r.Invalid)
	case err != nil:
		return err
	case r.wholeTrash(item) && item.Kind != hosting.TrashAccount:
		return r.Redirect("/admin/trash")
	}
	return r.redirect(to)
}

// bringBack answers where the thing is now.
func (s *server) bringBack(r *Request, item hosting.TrashItem, form views.TrashRestoreForm) (to string, err error) {
	switch item.Kind {
	case hosting.TrashSite:
		var host hosting.Hostname
		if form.Host != "" {
			if host, err = hosting.ParseHostname(form.Host); err != nil {
				return "", err
			}
		}
		if host == hosting.Hostname(item.Name) {
			host = ""
		}
		site, err := s.store.RestoreSite(r.Context(), r.Actor, hosting.SiteID(item.ID), host)
		if err == nil {
			r.Flash("trash.restored", site.Host.Unicode())
		}
		return fmt.Sprintf("/sites/%d", site.ID), err
	case hosting.TrashDatabase:
		database, err := s.store.RestoreDatabase(r.Context(), r.Actor, hosting.DatabaseID(item.ID))
		if err == nil {
			r.Flash("trash.restored_database", string(database.Name))
		}
		return fmt.Sprintf("/databases/%d", database.ID), err
	case hosting.TrashFTP:
		var login hosting.FTPName
		if form.Login != "" {
			if login, err = hosting.ParseFTPName(item.AccountName, form.Login); err != nil {
				return "", err
			}
		}
		row, err := s.store.RestoreFTPLogin(r.Context(), r.Actor, hosting.FTPLoginID(item.ID), login)
		if err == nil {
			r.Flash("trash.restored", string(row.Login))
		}
		return fmt.Sprintf("/ftp/%d", row.ID), err
	case hosting.TrashAccount:
		left, err := s.store.RestoreAccount(r.Context(), r.Actor, item.AccountID)
		if err != nil {
			return "", err
		}
		r.Flash("trash.restored_account", labelOf(hosting.Account{Name: item.AccountName, Label: item.AccountLabel}))
		for _, host := range left {
			r.Flash("trash.left", host.Unicode())
		}
		return accountPath(item.AccountID), nil
	}
	return "", errors.New("panel: an unknown kind of removed thing")
}

// askTrashPurge is GET /trash/KIND/:id/purge.
func (s *server) askTrashPurge(r *Request, item hosting.TrashItem) error {
	var form views.ConfirmForm
	r.into(&form)
	return s.drawTrashPurge(r, item, form, r.Render)
}

func (s *server) drawTrashPurge(r *Request, item hosting.TrashItem, form views.ConfirmForm, answer func(templ.Component) error) error {
	params := views.TrashPurgeParams{Item: item, All: r.wholeTrash(item), Form: form}
	return r.page(func(p views.Page) error { return answer(views.TrashPurgePage(p, params)) })
}

// purgeTrash is POST /trash/KIND/:id/purge: for good, once the name is typed.
func (s *server) purgeTrash(r *Request, item hosting.TrashItem) error {
	var form views.ConfirmForm
	r.into(&form)
	if !confirms(form.Confirm, item.Name) && !confirms(form.Confirm, item.Shown()) {
		form.Errors = views.Errors{"confirm": hosting.Msg("confirm.differs", item.Shown())}
		return s.drawTrashPurge(r, item, form, r.Invalid)
	}
	var err error
	switch item.Kind {
	case hosting.TrashSite:
		_, err = s.store.PurgeSite(r.Context(), r.Actor, hosting.SiteID(item.ID))
	case hosting.TrashDatabase:
		_, err = s.store.PurgeDatabase(r.Context(), r.Actor, hosting.DatabaseID(item.ID))
	case hosting.TrashFTP:
		err = s.store.PurgeFTPLogin(r.Context(), r.Actor, hosting.FTPLoginID(item.ID))
	case hosting.TrashAccount:
		err = s.store.PurgeAccount(r.Context(), r.Actor, item.AccountID)
	}
	if err != nil {
		return err
	}
	r.Flash("bin.purged")
	return r.backToTrash(item)
}

// sayRemoved tells until when what was just removed can be brought back.
func (r *Request) sayRemoved(key string, kind hosting.TrashKind, id uint64, name string) {
	item, err := r.srv.store.TrashItem(r.Context(), r.Actor.Scope(r.need), kind, id)
	if err != nil {
		r.srv.logFailure(r.echo, "removed", err)
		return // it is removed all the same
	}
	r.Flash(key, name, i18n.LongDate(r.Context(), item.KeptUntil))
}

// removedDays is how long removed things can be brought back.
func (r *Request) removedDays() (int, error) {
	settings, err := r.srv.store.Settings(r.Context())
	return settings.Kept.RemovedDays, err
}
