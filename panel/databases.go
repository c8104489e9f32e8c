package panel

import (
	"context"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/views"
)

// databaseHost is where a site's configuration finds MariaDB: by its socket,
// which every site sees at MariaDB's usual place.
const databaseHost = "localhost"

// listDatabases is GET /databases.
func (s *server) listDatabases(r *Request) error {
	account, err := r.acts()
	if err != nil {
		return err
	}
	list, page, sort, search := r.list("name", "state", "size")
	rows, total, err := s.store.Databases(r.Context(), r.Actor.Scope(r.need).Only(account.ID), store.DatabaseFilter{
		Account: account.ID,
		Search:  search,
		State:   r.state(siteStates...),
		Page:    page,
		PerPage: perPage,
		Sort:    sort,
	})
	if err != nil {
		return err
	}
	list.Total = total
	params := views.DatabasesParams{
		List:     list,
		Rows:     make([]views.DatabaseRow, len(rows)),
		Room:     roomOf(account),
		CanWrite: r.Actor.CanIn(hosting.DatabasesWrite, account.ID),
	}
	for i, row := range rows {
		params.Rows[i] = views.DatabaseRow{Database: row.Database, Size: row.Size}
	}
	return r.page(func(p views.Page) error { return r.Render(views.DatabasesPage(p, params)) })
}

// newDatabase is GET /databases/new.
func (s *server) newDatabase(r *Request) error {
	account, err := r.acts()
	if err != nil {
		return err
	}
	var form views.DatabaseForm
	r.into(&form)
	params := views.DatabaseNewParams{Form: form, Room: roomOf(account)}
	return r.page(func(p views.Page) error { return r.Render(views.DatabaseNewPage(p, params)) })
}

// createDatabase is POST /databases/new. The password is on the page that
// follows, once.
func (s *server) createDatabase(r *Request) error {
	account, err := r.acts()
	if err != nil {
		return err
	}
	var form views.DatabaseForm
	r.into(&form)
	name, err := hosting.ParseDatabaseName(account.Name, form.Name)
	var database hosting.Database
	var password string
	if err == nil {
		database, password, err = s.store.CreateDatabase(r.Context(), r.Actor, account.ID, name)
	}
	if messages, ok := refused(err); ok {
		form.Errors = messages
		params := views.DatabaseNewParams{Form: form, Room: roomOf(account)}
		return r.page(func(p views.Page) error { return r.Invalid(views.DatabaseNewPage(p, params)) })
	}
	if err != nil {
		return err
	}
	return r.showOnce(secret{Text: password, Created: true}, "/databases/%d", database.ID)
}

// database is the database of the address.
func (r *Request) database() (hosting.Database, error) {
	id, err := r.id()
	if err != nil {
		return hosting.Database{}, err
	}
	row, err := r.srv.store.Database(r.Context(), r.Actor.Scope(hosting.DatabasesRead), hosting.DatabaseID(id))
	if err != nil {
		return hosting.Database{}, err
	}
	return row.Database, r.about(row.AccountID)
}

func databaseParams(r *Request, database hosting.Database) views.DatabaseParams {
	return views.DatabaseParams{
		Database: database,
		Host:     databaseHost,
		CanWrite: r.Actor.CanIn(hosting.DatabasesWrite, database.AccountID),
		CanLook:  r.Actor.CanIn(hosting.DatabasesContent, database.AccountID),
		Now:      r.now,
	}
}

// showDatabase is GET /databases/:id.
func (s *server) showDatabase(r *Request) error {
	database, err := r.database()
	if err != nil {
		return err
	}
	params := databaseParams(r, database)
	if params.Size, err = s.store.DatabaseSize(r.Context(), r.Actor.Scope(hosting.DatabasesRead), database.ID); err != nil {
		return err
	}
	if params.Visit, _, err = s.store.OpenVisit(r.Context(), r.Session, database.ID); err != nil {
		return err
	}
	params.VisitOver = r.Query("adminer")
	shown := r.shown()
	params.Password, params.Created = shown.Text, shown.Created
	return r.page(func(p views.Page) error { return r.Render(views.DatabasePage(p, params)) })
}

// databaseStatus is GET /databases/:id/status: the live part of its page.
func (s *server) databaseStatus(r *Request) error {
	database, err := r.database()
	if err != nil {
		if r.partial() && hosting.KindOf(err) == hosting.NotFound {
			return r.Redirect("/databases") // it has just gone
		}
		return err
	}
	params := databaseParams(r, database)
	params.Seen = r.Query("seen")
	return r.Render(views.DatabaseStatus(params))
}

// resetDatabasePassword is POST /databases/:id/password.
func (s *server) resetDatabasePassword(r *Request) error {
	database, err := r.database()
	if err != nil {
		return err
	}
	_, password, err := s.store.ResetDatabasePassword(r.Context(), r.Actor, database.ID)
	if err != nil {
		return err
	}
	return r.showOnce(secret{Text: password}, "/databases/%d", database.ID)
}

// retryDatabase is POST /databases/:id/retry.
func (s *server) retryDatabase(r *Request) error {
	return s.onDatabase(r, "database.retried", s.store.RetryDatabase)
}

func (s *server) onDatabase(r *Request, done string, act func(context.Context, hosting.Actor, hosting.DatabaseID) (hosting.Database, error)) error {
	database, err := r.database()
	if err != nil {
		return err
	}
	if _, err := act(r.Context(), r.Actor, database.ID); err != nil {
		return err
	}
	r.Flash(done, string(database.Name))
	return r.Redirect("/databases/%d", database.ID)
}

// confirmDatabaseRemoval is GET /databases/:id/delete.
func (s *server) confirmDatabaseRemoval(r *Request) error {
	database, err := r.database()
	if err != nil {
		return err
	}
	days, err := r.removedDays()
	if err != nil {
		return err
	}
	return r.page(func(p views.Page) error {
		return r.Render(views.DatabaseDeletePage(p, views.DatabaseDeleteParams{Database: database, Days: days}))
	})
}

// removeDatabase is POST /databases/:id/delete.
func (s *server) removeDatabase(r *Request) error {
	database, err := r.database()
	if err != nil {
		return err
	}
	var form views.ConfirmForm
	r.into(&form)
	if !confirms(form.Confirm, string(database.Name)) {
		form.Errors = views.Errors{"confirm": hosting.Msg("confirm.differs", string(database.Name))}
		days, err := r.removedDays()
		if err != nil {
			return err
		}
		return r.page(func(p views.Page) error {
			return r.Invalid(views.DatabaseDeletePage(p, views.DatabaseDeleteParams{Database: database, Days: days, Form: form}))
		})
	}
	if _, err := s.store.RemoveDatabase(r.Context(), r.Actor, database.ID); err != nil {
		return err
	}
	r.sayRemoved("database.removed", hosting.TrashDatabase, uint64(database.ID), string(database.Name))
	return r.Redirect("/databases")
}
