package panel

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"cancale/internal/databases"
	"cancale/internal/files"
	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/views"
)

// databaseWorkRoutes is what is done to the content of a database.
func (s *server) databaseWorkRoutes() {
	const (
		get  = http.MethodGet
		post = http.MethodPost
	)
	s.adminerRoutes()
	s.route(get, "/databases/:id/works", hosting.DatabasesRead, s.showDatabaseWorks)
	s.route(post, "/databases/:id/check", hosting.DatabasesWrite, s.checkDatabase)
	s.streamRoute(post, "/databases/:id/export", hosting.DatabasesContent, s.exportDatabase)
	s.route(get, "/databases/:id/import", hosting.DatabasesWrite, s.askDatabaseImport)
	s.streamRoute(post, "/databases/:id/import", hosting.DatabasesWrite, s.importDatabase)
	s.slowPost("/databases/:id/import/file", hosting.DatabasesWrite, long{time: patient}, s.importSiteFile)
	s.route(get, "/databases/:id/users", hosting.DatabasesRead, s.showDatabaseUsers)
	s.route(post, "/databases/:id/users", hosting.DatabasesWrite, s.addDatabaseUser)
	s.route(post, "/databases/:id/users/password", hosting.DatabasesWrite, s.resetDatabaseUser)
	s.route(post, "/databases/:id/users/remove", hosting.DatabasesWrite, s.removeDatabaseUser)
}

// content is what asks the agent about the content of databases.
func (r *Request) content() databases.Client {
	return databases.Client{Link: r.srv.databases, Actor: r.Actor}
}

// showDatabaseWorks is GET /databases/:id/works.
func (s *server) showDatabaseWorks(r *Request) error {
	database, err := r.database()
	if err != nil {
		return err
	}
	works, err := s.store.DatabaseWorks(r.Context(), r.Actor.Scope(hosting.DatabasesRead), database.ID)
	if err != nil {
		return err
	}
	params := views.DatabaseWorksParams{Database: database, Works: works, CanWrite: r.Actor.CanIn(hosting.DatabasesWrite, database.AccountID), CanLook: r.Actor.CanIn(hosting.DatabasesContent, database.AccountID), Now: r.now}
	if r.partial() {
		return r.Render(views.DatabaseWorkList(params))
	}
	return r.page(func(p views.Page) error { return r.Render(views.DatabaseWorksPage(p, params)) })
}

// checkDatabase is POST /databases/:id/check.
func (s *server) checkDatabase(r *Request) error {
	database, err := r.database()
	if err != nil {
		return err
	}
	kind := hosting.DatabaseWorkKind(r.form.Get("kind"))
	if kind != hosting.DatabaseWorkCheck && kind != hosting.DatabaseWorkOptimize {
		return hosting.Refuse(hosting.Invalid, "kind", "dbwork.kind_invalid")
	}
	work, err := s.store.BeginDatabaseWork(r.Context(), r.Actor, database.ID, store.DatabaseWorkSpec{Kind: kind})
	if err != nil {
		return err
	}
	if err := r.content().Run(r.Context(), work.ID); err != nil {
		return err
	}
	return r.Redirect("/databases/%d/works", database.ID)
}

// exportDatabase is POST /databases/:id/export: the file of SQL comes while the
// database is read.
func (s *server) exportDatabase(r *Request) error {
	if err := r.readForm(); err != nil {
		return err
	}
	if err := r.checkTicket(); err != nil {
		return err
	}
	if r.stale {
		return &failure{status: http.StatusForbidden, page: views.PageExpired, why: "the session of the form has ended"}
	}
	database, err := r.database()
	if err != nil {
		return err
	}
	name := string(database.Name) + "-" + r.now.Format("2006-01-02-1504") + ".sql.gz"
	work, err := s.store.BeginDatabaseWork(r.Context(), r.Actor, database.ID, store.DatabaseWorkSpec{Kind: hosting.DatabaseWorkExport, File: name})
	if err != nil {
		return err
	}
	res, err := r.content().Export(r.Context(), work.ID)
	if err != nil {
		return err
	}
	r.attachment(name)
	return r.send(res)
}

// askDatabaseImport is GET /databases/:id/import.
func (s *server) askDatabaseImport(r *Request) error {
	database, err := r.database()
	if err != nil {
		return err
	}
	return s.drawDatabaseImport(r, database, views.DatabaseImportForm{Path: r.Query("path"), Site: r.Query("site")}, r.Render)
}

func (s *server) drawDatabaseImport(r *Request, database hosting.Database, form views.DatabaseImportForm, answer answer) error {
	params := views.DatabaseImportParams{Database: database, Form: form, MaxFile: databases.MaxFile}
	if r.Actor.CanIn(hosting.FilesRead, database.AccountID) {
		rows, _, err := s.store.Sites(r.Context(), r.Actor.Scope(hosting.SitesRead).Only(database.AccountID), store.SiteFilter{
			Account: database.AccountID, PerPage: maxImportSites, Sort: "host",
		})
		if err != nil {
			return err
		}
		params.Sites = sitesOf(rows)
	}
	return r.page(func(p views.Page) error { return answer(views.DatabaseImportPage(p, params)) })
}

// maxImportSites is how many sites the form offers.
const maxImportSites = 200

// importDatabase is POST /databases/:id/import: a form of several parts, of
// which the ticket and the choices come before the file.
func (s *server) importDatabase(r *Request) error {
	r.form = url.Values{}
	parts, err := r.echo.Request().MultipartReader()
	if err != nil {
		if err := r.checkTicket(); err != nil {
			return err
		}
		return hosting.Refuse(hosting.Invalid, "file", "dbwork.import_empty")
	}
	body := r.stream(nil)
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return echo.NewHTTPError(http.StatusBadRequest).SetInternal(err)
		}
		body.in = part
		if part.FormName() == "file" {
			return s.takeImport(r, part.FileName(), body)
		}
		value, err := io.ReadAll(io.LimitReader(body, maxField))
		if err != nil || len(r.form) > maxFields {
			return echo.NewHTTPError(http.StatusBadRequest).SetInternal(err)
		}
		r.form.Set(part.FormName(), string(value))
	}
	return s.takeImport(r, "", nil)
}

func (s *server) takeImport(r *Request, name string, file io.Reader) error {
	if err := r.checkTicket(); err != nil {
		return err
	}
	if r.stale { // another session: nothing is kept of files
		return &failure{status: http.StatusForbidden, page: views.PageExpired, why: "the session of the form has ended"}
	}
	database, err := r.database()
	if err != nil {
		return err
	}
	form := views.DatabaseImportForm{Empty: r.form.Get("empty") != ""}
	err = hosting.Refuse(hosting.Invalid, "file", "dbwork.import_empty")
	if name != "" {
		// Some browsers send the path on the sender's machine.
		name = path.Base(strings.ReplaceAll(name, "\\", "/"))
		err = s.sendImport(r, database, name, form.Empty, file)
	}
	return s.imported(r, database, form, err)
}

// sendImport begins an import and passes its file on.
func (s *server) sendImport(r *Request, database hosting.Database, name string, empty bool, file io.Reader) error {
	work, err := s.store.BeginDatabaseWork(r.Context(), r.Actor, database.ID, store.DatabaseWorkSpec{
		Kind: hosting.DatabaseWorkImport, EmptyFirst: empty, File: hosting.ParseDumpName(name),
	})
	if err != nil {
		return err
	}
	return r.content().Send(r.Context(), work.ID, file)
}

// imported goes to where the import is followed, or shows what is wrong.
func (s *server) imported(r *Request, database hosting.Database, form views.DatabaseImportForm, err error) error {
	if messages, ok := refused(err); ok {
		form.Errors = messages
		return s.drawDatabaseImport(r, database, form, r.Invalid)
	}
	if err != nil {
		return err
	}
	return r.Redirect("/databases/%d/works", database.ID)
}

// importSiteFile is POST /databases/:id/import/file: a file that lies in a site
// of the same association.
func (s *server) importSiteFile(r *Request) error {
	database, err := r.database()
	if err != nil {
		return err
	}
	var form views.DatabaseImportForm
	r.into(&form)
	err = s.fromSite(r, database, form)
	if err != nil && hosting.KindOf(err) == hosting.NotFound {
		err = hosting.Refuse(hosting.Invalid, "path", "dbwork.import_no_file")
	}
	return s.imported(r, database, form, err)
}

func (s *server) fromSite(r *Request, database hosting.Database, form views.DatabaseImportForm) error {
	id, err := strconv.ParseUint(form.Site, 10, 64)
	if err != nil {
		return hosting.Refuse(hosting.Invalid, "site", "dbwork.import_no_site")
	}
	site, err := s.store.Site(r.Context(), r.Actor.Scope(hosting.FilesRead).Only(database.AccountID), hosting.SiteID(id))
	if err != nil {
		return err
	}
	file, err := hosting.ParseFilePath(strings.Trim(strings.TrimSpace(form.Path), "/"))
	if err != nil || file == "" {
		return hosting.Refuse(hosting.Invalid, "path", "dbwork.import_no_file")
	}
	res, err := files.Client{Link: s.link, Actor: r.Actor, Site: site.ID}.Content(r.Context(), file, nil, false)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return s.sendImport(r, database, file.Base(), form.Empty, res.Body)
}

// showDatabaseUsers is GET /databases/:id/users.
func (s *server) showDatabaseUsers(r *Request) error {
	database, err := r.database()
	if err != nil {
		return err
	}
	return s.drawDatabaseUsers(r, database, views.DatabaseUserForm{}, r.Render)
}

func (s *server) drawDatabaseUsers(r *Request, database hosting.Database, form views.DatabaseUserForm, answer answer) error {
	users, err := s.store.DatabaseUsers(r.Context(), r.Actor.Scope(hosting.DatabasesRead), database.ID)
	if err != nil {
		return err
	}
	params := views.DatabaseUsersParams{
		Database: database, Users: users, Form: form, Host: databaseHost,
		CanWrite: r.Actor.CanIn(hosting.DatabasesWrite, database.AccountID) && !database.Sync.Removing, Now: r.now,
	}
	if !r.unsafe() {
		shown := r.shown()
		params.Password, params.User = shown.Text, shown.For
	}
	return r.page(func(p views.Page) error { return answer(views.DatabaseUsersPage(p, params)) })
}

// addDatabaseUser is POST /databases/:id/users.
func (s *server) addDatabaseUser(r *Request) error {
	database, err := r.database()
	if err != nil {
		return err
	}
	account, err := s.store.Account(r.Context(), r.Actor.Scope(hosting.AccountRead), database.AccountID)
	if err != nil {
		return err
	}
	var form views.DatabaseUserForm
	r.into(&form)
	name, err := hosting.ParseDatabaseUser(account.Name, form.Name)
	if err == nil && form.Rights != "read" && form.Rights != "write" {
		err = hosting.Refuse(hosting.Invalid, "rights", "dbuser.rights_invalid")
	}
	var password string
	if err == nil {
		_, password, err = s.store.AddDatabaseUser(r.Context(), r.Actor, database.ID, name, form.Rights == "read")
	}
	if messages, ok := refused(err); ok {
		form.Errors = messages
		return s.drawDatabaseUsers(r, database, form, r.Invalid)
	}
	if err != nil {
		return err
	}
	return r.showOnce(secret{Text: password, For: string(name), Created: true}, "/databases/%d/users", database.ID)
}

// databaseUser is the user that a form names, of the database of the address.
func (r *Request) databaseUser() (hosting.Database, hosting.DatabaseUser, error) {
	database, err := r.database()
	if err != nil {
		return database, hosting.DatabaseUser{}, err
	}
	id, err := strconv.ParseUint(r.form.Get("user"), 10, 64)
	if err != nil {
		return database, hosting.DatabaseUser{}, hosting.Refuse(hosting.NotFound, "", "dbuser.not_found")
	}
	user, err := r.srv.store.DatabaseUser(r.Context(), r.Actor.Scope(hosting.DatabasesRead), hosting.DatabaseUserID(id))
	if err == nil && user.DatabaseID != database.ID {
		err = hosting.Refuse(hosting.NotFound, "", "dbuser.not_found")
	}
	return database, user, err
}

// resetDatabaseUser is POST /databases/:id/users/password.
func (s *server) resetDatabaseUser(r *Request) error {
	database, user, err := r.databaseUser()
	if err != nil {
		return err
	}
	_, password, err := s.store.ResetDatabaseUserPassword(r.Context(), r.Actor, user.ID)
	if err != nil {
		return err
	}
	return r.showOnce(secret{Text: password, For: string(user.Name)}, "/databases/%d/users", database.ID)
}

// removeDatabaseUser is POST /databases/:id/users/remove.
func (s *server) removeDatabaseUser(r *Request) error {
	database, user, err := r.databaseUser()
	if err != nil {
		return err
	}
	if _, err := s.store.RemoveDatabaseUser(r.Context(), r.Actor, user.ID); err != nil {
		return err
	}
	r.Flash("dbuser.removed", string(user.Name))
	return r.Redirect("/databases/%d/users", database.ID)
}
