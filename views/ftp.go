package views

import (
	"fmt"

	"cancale/internal/hosting"
)

// FTPListParams is the list of FTP logins. Columns to sort by: login, used.
//
//	templ FTPListPage(page Page, p FTPListParams) // GET /ftp
type FTPListParams struct {
	List     List
	Rows     []FTPRow
	Room     Room
	Server   FTPServer
	CanWrite bool
}

// FTPRow is a login and the site that it reaches; Host is empty when it reaches
// all of them.
type FTPRow struct {
	hosting.FTPLogin
	Host hosting.Hostname
}

// FTPServer is what a connection card says besides the login.
type FTPServer struct {
	Host string
	Port int
	TLS  bool
}

// FTPForm is POST /ftp/new and POST /ftp/:id/edit (without login there).
type FTPForm struct {
	Login    string `form:"login"` // the part before @ACCOUNT
	Site     string `form:"site"`  // id of a site, "0" for all of them
	Path     string `form:"path"`
	ReadOnly bool   `form:"read_only"` // checkbox, value "true"
	Errors   Errors `form:"-"`         // "", login, site, path
}

// FTPNewParams asks for a new login.
//
//	templ FTPNewPage(page Page, p FTPNewParams)   // GET, POST /ftp/new
type FTPNewParams struct {
	Form  FTPForm
	Sites []hosting.Site
	Room  Room
}

// FTPParams is one login with its connection card. Password is set only in the
// answer to the POST that made it, and shown this once.
//
//	templ FTPPage(page Page, p FTPParams)         // GET /ftp/:id; answer of POST /ftp/new and /ftp/:id/password
type FTPParams struct {
	Login    FTPRow
	Password string
	Created  bool
	Server   FTPServer
	CanWrite bool
}

// FTPEditParams changes the folder and the rights of a login.
//
//	templ FTPEditPage(page Page, p FTPEditParams) // GET, POST /ftp/:id/edit
type FTPEditParams struct {
	Login FTPRow
	Form  FTPForm
	Sites []hosting.Site
}

// FTPDeleteParams confirms the removal of a login.
//
//	templ FTPDeletePage(page Page, p FTPDeleteParams) // GET, POST /ftp/:id/delete
type FTPDeleteParams struct {
	Login FTPRow
}

func ftpPath(id hosting.FTPLoginID, rest string) string { return fmt.Sprintf("/ftp/%d%s", id, rest) }
