package views

import (
	"context"
	"fmt"
	"strconv"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/views/ui"
)

// FTPListParams is the list of FTP logins. Columns to sort by: login, used.
//
//	templ FTPListPage(page Page, p FTPListParams) // GET /ftp
type FTPListParams struct {
	List     List
	Rows     []FTPRow
	Room     Room
	Server   FTPServer
	SFTPPort int // 0 is none
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
	Login      string `form:"login"` // the part before @ACCOUNT
	Site       string `form:"site"`  // id of a site, "0" for all of them
	Path       string `form:"path"`
	Rights     string `form:"rights"`
	RequireTLS bool   `form:"require_tls"` // checkbox, value "true"
	SpeedKB    string `form:"speed_kb"`    // empty is as the installation says
	Sessions   string `form:"sessions"`    // likewise
	Errors     Errors `form:"-"`           // "", or a field
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
	SFTP     SFTP
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
	Days  int // for which it can be brought back
}

func ftpPath(id hosting.FTPLoginID, rest string) string { return fmt.Sprintf("/ftp/%d%s", id, rest) }

// ftpCard is what an FTP program asks for, the password last and only when it
// was just made.
func ftpCard(ctx context.Context, p FTPParams) []ui.ConnRow {
	cipher := i18n.T(ctx, "conn.plain")
	if p.Server.TLS {
		cipher = i18n.T(ctx, "conn.tls")
	}
	rows := []ui.ConnRow{
		{Label: i18n.T(ctx, "conn.server"), Value: p.Server.Host, What: i18n.T(ctx, "copy.server")},
		{Label: i18n.T(ctx, "conn.port"), Value: portText(p.Server.Port), What: i18n.T(ctx, "copy.port")},
		{Label: i18n.T(ctx, "conn.cipher"), Value: cipher, What: i18n.T(ctx, "copy.cipher")},
		{Label: i18n.T(ctx, "conn.user"), Value: string(p.Login.Login), What: i18n.T(ctx, "copy.user")},
	}
	if p.Password != "" {
		rows = append(rows, ui.ConnRow{Label: i18n.T(ctx, "field.password"), Value: p.Password, What: i18n.T(ctx, "copy.password")})
	}
	return rows
}

// serverCard is what all logins have in common.
func serverCard(ctx context.Context, p FTPListParams) []ui.ConnRow {
	rows := []ui.ConnRow{
		{Label: i18n.T(ctx, "conn.server"), Value: p.Server.Host, What: i18n.T(ctx, "copy.server")},
		{Label: i18n.T(ctx, "conn.port"), Value: portText(p.Server.Port), What: i18n.T(ctx, "copy.port")},
	}
	if p.SFTPPort != 0 {
		rows = append(rows, ui.ConnRow{Label: i18n.T(ctx, "conn.sftp_port"), Value: portText(p.SFTPPort), What: i18n.T(ctx, "copy.sftp_port")})
	}
	return rows
}

func ftpSecretTitle(ctx context.Context, p FTPParams) string {
	if p.Created {
		return i18n.T(ctx, "ftp.created", string(p.Login.Login))
	}
	return i18n.T(ctx, "ftp.reset_done", string(p.Login.Login))
}

// ftpWhere is what a login reaches, in one line.
func ftpWhere(ctx context.Context, l FTPRow) string {
	switch {
	case l.SiteID == 0 && l.Path == "":
		return i18n.T(ctx, "ftp.all_sites")
	case l.SiteID == 0:
		return folder(l.Path)
	case l.Path == "":
		return l.Host.Unicode()
	}
	return l.Host.Unicode() + folder(l.Path)
}

func ftpRights(ctx context.Context, l FTPRow) string {
	return i18n.T(ctx, "ftp.rights."+string(l.Rights))
}

// rightsOptions are the rights, each with what it means.
func rightsOptions(ctx context.Context) []ui.Option {
	var options []ui.Option
	for _, r := range hosting.AllFTPRights {
		options = append(options, ui.Option{Value: string(r), Label: i18n.T(ctx, "ftp.rights."+string(r)), Hint: i18n.T(ctx, "ftp.rights."+string(r)+"_hint")})
	}
	return options
}

// tuned reports whether what is folded away holds anything.
func (f FTPForm) tuned() bool {
	return f.RequireTLS || f.SpeedKB != "" || f.Sessions != ""
}

// ftpFields are the fields of the form, for what is to be corrected.
var ftpFields = []string{"login", "site", "path", "rights", "speed_kb", "sessions"}

// siteOptions are the sites that a login can be limited to.
func siteOptions(ctx context.Context, sites []hosting.Site) []ui.Option {
	var options []ui.Option
	for _, s := range sites {
		options = append(options, ui.Option{Value: strconv.FormatUint(uint64(s.ID), 10), Label: s.Host.Unicode()})
	}
	return append(options, ui.Option{Value: "0", Label: i18n.T(ctx, "ftp.all_sites")})
}

func portText(port int) string { return strconv.Itoa(port) }
