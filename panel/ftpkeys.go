package panel

import (
	"strconv"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/views"
)

// sftp is what the page of a login tells of SFTP.
func (s *server) sftp(r *Request, row store.FTPRow) (views.SFTP, error) {
	server, err := s.ftpServer(r)
	if err != nil {
		return views.SFTP{}, err
	}
	shown := views.SFTP{Host: server.Host, Port: s.conf.SFTPPort}
	for _, key := range s.conf.HostKeys {
		shown.Fingerprints = append(shown.Fingerprints, views.Fingerprint{Kind: key.Type, Text: key.Fingerprint})
	}
	shown.Keys, err = s.store.FTPKeys(r.Context(), r.Actor.Scope(hosting.FTPRead), row.ID)
	return shown, err
}

// newFTPKey is GET /ftp/:id/keys/new.
func (s *server) newFTPKey(r *Request) error {
	row, err := r.login()
	if err != nil {
		return err
	}
	var form views.FTPKeyForm
	r.into(&form)
	params := views.FTPKeyNewParams{Login: rowOf(row), Form: form}
	return r.page(func(p views.Page) error { return r.Render(views.FTPKeyNewPage(p, params)) })
}

// addFTPKey is POST /ftp/:id/keys/new.
func (s *server) addFTPKey(r *Request) error {
	row, err := r.login()
	if err != nil {
		return err
	}
	var form views.FTPKeyForm
	r.into(&form)
	var errs hosting.Errors
	key, err := hosting.ParsePublicKey(form.Key)
	errs.Add(err)
	label, err := hosting.ParseLabel("label", form.Label)
	errs.Add(err)
	if err = errs.Err(); err == nil {
		_, err = s.store.AddFTPKey(r.Context(), r.Actor, row.ID, key, label)
	}
	if messages, ok := refused(err); ok {
		form.Errors = messages
		params := views.FTPKeyNewParams{Login: rowOf(row), Form: form}
		return r.page(func(p views.Page) error { return r.Invalid(views.FTPKeyNewPage(p, params)) })
	}
	if err != nil {
		return err
	}
	r.Flash("sftp.key_added", string(row.Login))
	return r.Redirect("/ftp/%d", row.ID)
}

// removeFTPKey is POST /ftp/:id/keys/:key/remove.
func (s *server) removeFTPKey(r *Request) error {
	row, err := r.login()
	if err != nil {
		return err
	}
	key, _ := strconv.ParseUint(r.echo.Param("key"), 10, 64) // what is no number names no key
	if err := s.store.RemoveFTPKey(r.Context(), r.Actor, row.ID, hosting.FTPKeyID(key)); err != nil {
		return err
	}
	r.Flash("sftp.key_removed", string(row.Login))
	return r.Redirect("/ftp/%d", row.ID)
}
