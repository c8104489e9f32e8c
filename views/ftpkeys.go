package views

import (
	"context"
	"fmt"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/views/ui"
)

// SFTP is what the page of a login tells of SFTP: where it is, and the keys
// that open the login. Port 0 is none.
type SFTP struct {
	Host         string
	Port         int
	Fingerprints []Fingerprint
	Keys         []hosting.FTPKey
}

// Fingerprint is that of one of the server's own keys.
type Fingerprint struct{ Kind, Text string }

// FTPKeyForm is POST /ftp/:id/keys/new.
type FTPKeyForm struct {
	Key    string `form:"key"`
	Label  string `form:"label"`
	Errors Errors `form:"-"` // "", key, label
}

// FTPKeyNewParams asks for a public key.
//
//	templ FTPKeyNewPage(page Page, p FTPKeyNewParams) // GET, POST /ftp/:id/keys/new
type FTPKeyNewParams struct {
	Login FTPRow
	Form  FTPKeyForm
}

func ftpKeyPath(id hosting.FTPLoginID, key hosting.FTPKeyID) string {
	return ftpPath(id, fmt.Sprintf("/keys/%d/remove", key))
}

// sftpCard is what an SFTP program asks for, and what it shows at the first
// connection.
func sftpCard(ctx context.Context, p FTPParams) []ui.ConnRow {
	s := p.SFTP
	rows := []ui.ConnRow{
		{Label: i18n.T(ctx, "conn.server"), Value: s.Host, What: i18n.T(ctx, "copy.server")},
		{Label: i18n.T(ctx, "conn.port"), Value: portText(s.Port), What: i18n.T(ctx, "copy.port")},
		{Label: i18n.T(ctx, "conn.user"), Value: string(p.Login.Login), What: i18n.T(ctx, "copy.user")},
	}
	if p.Password != "" {
		rows = append(rows, ui.ConnRow{Label: i18n.T(ctx, "field.password"), Value: p.Password, What: i18n.T(ctx, "copy.password")})
	}
	for _, f := range s.Fingerprints {
		rows = append(rows, ui.ConnRow{Label: i18n.T(ctx, "sftp.fingerprint", f.Kind), Value: f.Text, What: i18n.T(ctx, "sftp.copy_fingerprint")})
	}
	return rows
}

// keyName is what a key is called: its label, or what it is.
func keyName(k hosting.FTPKey) string {
	if k.Label != "" {
		return k.Label
	}
	return k.Kind
}
