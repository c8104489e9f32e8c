package views

import (
	"fmt"
	"time"

	"cancale/internal/hosting"
)

// DatabasesParams is the list of databases. Columns to sort by: name, state.
//
//	templ DatabasesPage(page Page, p DatabasesParams) // GET /databases
type DatabasesParams struct {
	List     List
	Rows     []hosting.Database
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
	Password string
	Created  bool   // the password is that of a new database, not of a reset
	Host     string // as a site's configuration needs it: "localhost"
	CanWrite bool
	Now      time.Time
	Seen     string
}

// DatabaseDeleteParams asks for the name before a database is removed.
//
//	templ DatabaseDeletePage(page Page, p DatabaseDeleteParams) // GET, POST /databases/:id/delete
type DatabaseDeleteParams struct {
	Database hosting.Database
	Form     ConfirmForm
}

func databasePath(id hosting.DatabaseID, rest string) string {
	return fmt.Sprintf("/databases/%d%s", id, rest)
}
