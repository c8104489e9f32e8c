package panel

import (
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/views"
)

// listFTP is GET /ftp.
func (s *server) listFTP(r *Request) error {
	account, err := r.acts()
	if err != nil {
		return err
	}
	list, page, sort, search := r.list("login", "used")
	rows, total, err := s.store.FTPLogins(r.Context(), r.Actor.Scope(r.need).Only(account.ID), store.FTPFilter{
		Account: account.ID,
		Search:  search,
		Page:    page,
		PerPage: perPage,
		Sort:    sort,
	})
	if err != nil {
		return err
	}
	list.Total = total
	server, err := s.ftpServer(r)
	if err != nil {
		return err
	}
	params := views.FTPListParams{
		List:     list,
		Rows:     ftpRows(rows),
		Room:     roomOf(account),
		Server:   server,
		SFTPPort: s.conf.SFTPPort,
		CanWrite: r.Actor.CanIn(hosting.FTPWrite, account.ID),
	}
	return r.page(func(p views.Page) error { return r.Render(views.FTPListPage(p, params)) })
}

func ftpRows(rows []store.FTPRow) []views.FTPRow {
	list := make([]views.FTPRow, len(rows))
	for i, row := range rows {
		list[i] = views.FTPRow{FTPLogin: row.FTPLogin, Host: row.Host}
	}
	return list
}

// ftpServer is what a connection card says.
func (s *server) ftpServer(r *Request) (views.FTPServer, error) {
	all, err := s.store.Settings(r.Context())
	return s.ftpServerOf(all.FTP), err
}

// ftpServerOf is the service by the name that was set for it, or by the
// panel's own, where it listens too.
func (s *server) ftpServerOf(set hosting.FTPSettings) views.FTPServer {
	server := views.FTPServer{Host: s.public.Hostname(), Port: s.conf.FTPPort, TLS: s.conf.FTPTLS}
	if set.Host != "" {
		server.Host = set.Host.String()
	}
	if set.TLS != hosting.TLSDefault {
		server.TLS = set.TLS != hosting.TLSOff
	}
	return server
}

// choosable is how many sites a form offers to choose from.
const choosable = 500

// sitesToChoose are the sites that a login may be for.
func (s *server) sitesToChoose(r *Request, account hosting.AccountID) ([]hosting.Site, error) {
	rows, _, err := s.store.Sites(r.Context(), r.Actor.Scope(hosting.SitesRead).Only(account),
		store.SiteFilter{Account: account, Page: 1, PerPage: choosable, Sort: "host"})
	return sitesOf(rows), err
}

// newFTP is GET /ftp/new; ?site= chooses the site beforehand.
func (s *server) newFTP(r *Request) error {
	account, err := r.acts()
	if err != nil {
		return err
	}
	form := views.FTPForm{Site: r.Query("site")}
	r.into(&form)
	return s.drawNewFTP(r, account, form, r.Render)
}

func (s *server) drawNewFTP(r *Request, account *store.AccountRow, form views.FTPForm, answer func(templ.Component) error) error {
	sites, err := s.sitesToChoose(r, account.ID)
	if err != nil {
		return err
	}
	if form.Site == "" && len(sites) > 0 {
		form.Site = strconv.FormatUint(uint64(sites[0].ID), 10)
	}
	params := views.FTPNewParams{Form: form, Sites: sites, Room: roomOf(account)}
	return r.page(func(p views.Page) error { return answer(views.FTPNewPage(p, params)) })
}

// createFTP is POST /ftp/new. The password is on the page that follows, once.
func (s *server) createFTP(r *Request) error {
	account, err := r.acts()
	if err != nil {
		return err
	}
	var form views.FTPForm
	r.into(&form)
	var errs hosting.Errors
	spec, err := s.ftpSpec(r, account.ID, form)
	errs.Add(err)
	spec.Login, err = hosting.ParseFTPName(account.Name, form.Login)
	errs.Add(err)
	var login hosting.FTPLogin
	var password string
	if err = errs.Err(); err == nil {
		login, password, err = s.store.CreateFTPLogin(r.Context(), r.Actor, account.ID, spec)
	}
	if messages, ok := refused(err); ok {
		form.Errors = messages
		return s.drawNewFTP(r, account, form, r.Invalid)
	}
	if err != nil {
		return err
	}
	return r.showOnce(secret{Text: password, Created: true}, "/ftp/%d", login.ID)
}

// ftpSpec reads what a login reaches. A site of another account does not
// exist.
func (s *server) ftpSpec(r *Request, account hosting.AccountID, form views.FTPForm) (hosting.FTPSpec, error) {
	spec := hosting.FTPSpec{FTPTerms: hosting.FTPTerms{RequireTLS: form.RequireTLS}}
	var errs hosting.Errors
	var err error
	spec.Rights, err = hosting.ParseFTPRights(form.Rights)
	errs.Add(err)
	spec.SpeedKB, err = hosting.ParseFTPLimit("speed_kb", strings.TrimSpace(form.SpeedKB))
	errs.Add(err)
	spec.Sessions, err = hosting.ParseFTPLimit("sessions", strings.TrimSpace(form.Sessions))
	errs.Add(err)
	if form.Site != "" && form.Site != "0" {
		id, _ := strconv.ParseUint(form.Site, 10, 64) // what is no number names no site
		_, err := s.store.Site(r.Context(), r.Actor.Scope(hosting.SitesRead).Only(account), hosting.SiteID(id))
		if err != nil && hosting.KindOf(err) != hosting.NotFound {
			return spec, err
		}
		if err != nil {
			errs.Add(hosting.Refuse(hosting.Invalid, "site", "ftp.site_unknown"))
		}
		spec.Site = hosting.SiteID(id)
	}
	path, err := hosting.ParseFolder(form.Path)
	errs.Add(err)
	spec.Path = path
	return spec, errs.Err()
}

// login is the FTP login of the address.
func (r *Request) login() (store.FTPRow, error) {
	id, err := r.id()
	if err != nil {
		return store.FTPRow{}, err
	}
	row, err := r.srv.store.FTPLogin(r.Context(), r.Actor.Scope(hosting.FTPRead), hosting.FTPLoginID(id))
	if err != nil {
		return store.FTPRow{}, err
	}
	return row, r.about(row.AccountID)
}

func rowOf(row store.FTPRow) views.FTPRow {
	return views.FTPRow{FTPLogin: row.FTPLogin, Host: row.Host}
}

// showFTP is GET /ftp/:id.
func (s *server) showFTP(r *Request) error {
	row, err := r.login()
	if err != nil {
		return err
	}
	sftp, err := s.sftp(r, row)
	if err != nil {
		return err
	}
	server, err := s.ftpServer(r)
	if err != nil {
		return err
	}
	shown := r.shown()
	params := views.FTPParams{
		SFTP:     sftp,
		Login:    rowOf(row),
		Password: shown.Text,
		Created:  shown.Created,
		Server:   server,
		CanWrite: r.Actor.CanIn(hosting.FTPWrite, row.AccountID),
	}
	return r.page(func(p views.Page) error { return r.Render(views.FTPPage(p, params)) })
}

// ownLimit is a limit of a login in its form; one that it has not is empty.
func ownLimit(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// editFTP is GET /ftp/:id/edit.
func (s *server) editFTP(r *Request) error {
	row, err := r.login()
	if err != nil {
		return err
	}
	form := views.FTPForm{
		Login:      string(row.Login),
		Site:       strconv.FormatUint(uint64(row.SiteID), 10),
		Path:       string(row.Path),
		Rights:     string(row.Rights),
		RequireTLS: row.RequireTLS,
		SpeedKB:    ownLimit(row.SpeedKB),
		Sessions:   ownLimit(row.Sessions),
	}
	r.into(&form)
	return s.drawEditFTP(r, row, form, r.Render)
}

func (s *server) drawEditFTP(r *Request, row store.FTPRow, form views.FTPForm, answer func(templ.Component) error) error {
	sites, err := s.sitesToChoose(r, row.AccountID)
	if err != nil {
		return err
	}
	params := views.FTPEditParams{Login: rowOf(row), Form: form, Sites: sites}
	return r.page(func(p views.Page) error { return answer(views.FTPEditPage(p, params)) })
}

// updateFTP is POST /ftp/:id/edit. The name of a login stays.
func (s *server) updateFTP(r *Request) error {
	row, err := r.login()
	if err != nil {
		return err
	}
	var form views.FTPForm
	r.into(&form)
	form.Login = string(row.Login)
	spec, err := s.ftpSpec(r, row.AccountID, form)
	if err == nil {
		spec.Login = row.Login
		_, err = s.store.UpdateFTPLogin(r.Context(), r.Actor, row.ID, spec)
	}
	if messages, ok := refused(err); ok {
		form.Errors = messages
		return s.drawEditFTP(r, row, form, r.Invalid)
	}
	if err != nil {
		return err
	}
	r.Flash("ftp.updated", string(row.Login))
	return r.Redirect("/ftp/%d", row.ID)
}

// resetFTPPassword is POST /ftp/:id/password.
func (s *server) resetFTPPassword(r *Request) error {
	row, err := r.login()
	if err != nil {
		return err
	}
	_, password, err := s.store.ResetFTPPassword(r.Context(), r.Actor, row.ID)
	if err != nil {
		return err
	}
	return r.showOnce(secret{Text: password}, "/ftp/%d", row.ID)
}

// enableFTP is POST /ftp/:id/enable.
func (s *server) enableFTP(r *Request) error { return s.switchFTP(r, true, "ftp.enabled") }

// disableFTP is POST /ftp/:id/disable.
func (s *server) disableFTP(r *Request) error { return s.switchFTP(r, false, "ftp.disabled") }

func (s *server) switchFTP(r *Request, on bool, done string) error {
	row, err := r.login()
	if err != nil {
		return err
	}
	if _, err := s.store.SetFTPEnabled(r.Context(), r.Actor, row.ID, on); err != nil {
		return err
	}
	r.Flash(done, string(row.Login))
	return r.Redirect("/ftp/%d", row.ID)
}

// confirmFTPRemoval is GET /ftp/:id/delete.
func (s *server) confirmFTPRemoval(r *Request) error {
	row, err := r.login()
	if err != nil {
		return err
	}
	days, err := r.removedDays()
	if err != nil {
		return err
	}
	return r.page(func(p views.Page) error {
		return r.Render(views.FTPDeletePage(p, views.FTPDeleteParams{Login: rowOf(row), Days: days}))
	})
}

// removeFTP is POST /ftp/:id/delete.
func (s *server) removeFTP(r *Request) error {
	row, err := r.login()
	if err != nil {
		return err
	}
	if err := s.store.RemoveFTPLogin(r.Context(), r.Actor, row.ID); err != nil {
		return err
	}
	r.sayRemoved("ftp.removed", hosting.TrashFTP, uint64(row.ID), string(row.Login))
	return r.Redirect("/ftp")
}
