package views

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/views/ui"
)

// DatabaseWorksParams is what was done to the content of a database, the newest
// first.
//
//	templ DatabaseWorksPage(page Page, p DatabaseWorksParams) // GET /databases/:id/works
type DatabaseWorksParams struct {
	Database hosting.Database
	Works    []hosting.DatabaseWork
	CanWrite bool
	CanLook  bool // see what it holds
	Now      time.Time
}

// active reports whether something goes on.
func (p DatabaseWorksParams) active() bool {
	return slices.ContainsFunc(p.Works, func(w hosting.DatabaseWork) bool { return !w.State.Over() })
}

// refresh is how soon the page is read again while something goes on.
func (p DatabaseWorksParams) refresh() int {
	if p.active() {
		return workRefresh
	}
	return 0
}

const workRefresh = 3 // seconds

// DatabaseImportForm is POST /databases/:id/import, where the file is a part of
// its own, and POST /databases/:id/import/file.
type DatabaseImportForm struct {
	Empty  bool   `form:"empty"`
	Site   string `form:"site"`
	Path   string `form:"path"`
	Errors Errors `form:"-"` // "", file, site, path
}

// DatabaseImportParams asks for a file of SQL. Sites are those that one may lie
// in.
//
//	templ DatabaseImportPage(page Page, p DatabaseImportParams) // GET, POST /databases/:id/import
type DatabaseImportParams struct {
	Database hosting.Database
	Sites    []hosting.Site
	Form     DatabaseImportForm
	MaxFile  int64
}

// DatabaseUserForm is POST /databases/:id/users.
type DatabaseUserForm struct {
	Name   string `form:"name"`
	Rights string `form:"rights"` // read, write
	Errors Errors `form:"-"`      // "", name, rights
}

// DatabaseUsersParams are the users of a database besides its own. Password is
// that of User, shown this once.
//
//	templ DatabaseUsersPage(page Page, p DatabaseUsersParams) // GET, POST /databases/:id/users
type DatabaseUsersParams struct {
	Database hosting.Database
	Users    []hosting.DatabaseUser
	Form     DatabaseUserForm
	Password string
	User     string
	Host     string
	CanWrite bool
	Now      time.Time
}

func databaseUserCard(ctx context.Context, p DatabaseUsersParams) []ui.ConnRow {
	return []ui.ConnRow{
		{Label: i18n.T(ctx, "conn.server"), Value: p.Host, What: i18n.T(ctx, "copy.server")},
		{Label: i18n.T(ctx, "field.database"), Value: string(p.Database.Name), What: i18n.T(ctx, "copy.database")},
		{Label: i18n.T(ctx, "conn.user"), Value: p.User, What: i18n.T(ctx, "copy.user")},
		{Label: i18n.T(ctx, "field.password"), Value: p.Password, What: i18n.T(ctx, "copy.password")},
	}
}

func databaseWorkBadge(s hosting.DatabaseWorkState) (kind, icon string) {
	switch s {
	case hosting.DatabaseWorkDone:
		return "ok", "ok"
	case hosting.DatabaseWorkFailed:
		return "fail", "fail"
	}
	return "info", "clock"
}

// workReport is what a check found, the tables that are not well first.
func workReport(w hosting.DatabaseWork) []hosting.TableReport {
	var tables []hosting.TableReport
	if json.Unmarshal([]byte(w.Report), &tables) != nil {
		return nil
	}
	slices.SortStableFunc(tables, func(a, b hosting.TableReport) int {
		switch {
		case a.OK == b.OK:
			return 0
		case a.OK:
			return 1
		}
		return -1
	})
	return tables
}

func importSites(ctx context.Context, sites []hosting.Site) []ui.Option {
	options := []ui.Option{{Label: i18n.T(ctx, "dbwork.choose_site")}}
	for _, s := range sites {
		options = append(options, ui.Option{Value: strconv.FormatUint(uint64(s.ID), 10), Label: s.Host.Unicode()})
	}
	return options
}
