package views

import (
	"context"
	"fmt"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/views/ui"
)

// DatabaseRow is a database and how large it is.
type DatabaseRow struct {
	hosting.Database
	Size hosting.DatabaseSize
}

// DatabasesParams is the list of databases. Columns to sort by: name, state,
// size.
//
//	templ DatabasesPage(page Page, p DatabasesParams) // GET /databases
type DatabasesParams struct {
	List     List
	Rows     []DatabaseRow
	Room     Room
	CanWrite bool
}

// DatabaseForm is POST /databases/new.
type DatabaseForm struct {
	Name   string `form:"name"` // the part after ACCOUNT_
	Errors Errors `form:"-"`    // "", name
}

// DatabaseNewParams asks for a new database.
//
//	templ DatabaseNewPage(page Page, p DatabaseNewParams) // GET, POST /databases/new
type DatabaseNewParams struct {
	Form DatabaseForm
	Room Room
}

// DatabaseParams is one database. Password is set only in the answer to the
// POST that made it (created or reset), and shown this once.
//
//	templ DatabasePage(page Page, p DatabaseParams)   // GET /databases/:id; answer of POST /databases/new and /databases/:id/password
//	templ DatabaseStatus(p DatabaseParams)            // GET /databases/:id/status?seen=STATE, a fragment
type DatabaseParams struct {
	Database hosting.Database
	Size     hosting.DatabaseSize
	Password string
	Created  bool   // the password is that of a new database, not of a reset
	Host     string // as a site's configuration needs it: "localhost"
	CanWrite bool
	CanLook  bool                 // see what it holds
	Visit    hosting.DatabasePass // of this session, by way of Adminer; zero when there is none
	// VisitOver is "closed" or "ended" for who comes back from Adminer.
	VisitOver string
	Now       time.Time
	Seen      string
}

// DatabaseDeleteParams asks for the name before a database is removed.
//
//	templ DatabaseDeletePage(page Page, p DatabaseDeleteParams) // GET, POST /databases/:id/delete
type DatabaseDeleteParams struct {
	Database hosting.Database
	Days     int // for which it can be brought back
	Form     ConfirmForm
}

func databasePath(id hosting.DatabaseID, rest string) string {
	return fmt.Sprintf("/databases/%d%s", id, rest)
}

// databaseCard is what a site's configuration asks for, the password last and
// only when it was just made.
func databaseCard(ctx context.Context, p DatabaseParams) []ui.ConnRow {
	rows := []ui.ConnRow{
		{Label: i18n.T(ctx, "conn.server"), Value: p.Host, What: i18n.T(ctx, "copy.server")},
		{Label: i18n.T(ctx, "field.database"), Value: string(p.Database.Name), What: i18n.T(ctx, "copy.database")},
		{Label: i18n.T(ctx, "conn.user"), Value: p.Database.User(), What: i18n.T(ctx, "copy.user")},
	}
	if p.Password != "" {
		rows = append(rows, ui.ConnRow{Label: i18n.T(ctx, "field.password"), Value: p.Password, What: i18n.T(ctx, "copy.password")})
	}
	return rows
}

func databaseSecretTitle(ctx context.Context, p DatabaseParams) string {
	if p.Created {
		return i18n.T(ctx, "database.created", string(p.Database.Name))
	}
	return i18n.T(ctx, "database.reset_done", string(p.Database.Name))
}

// databaseRefresh never reloads a page that shows a password: it would be gone.
func databaseRefresh(p DatabaseParams) int {
	if p.Password != "" {
		return 0
	}
	return refreshUntilSettled(p.Database.Sync)
}
