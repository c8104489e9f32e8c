package panel

import (
	"github.com/a-h/templ"

	"cancale/internal/files"
	"cancale/internal/hosting"
	"cancale/views"
)

// editFile is GET /files/:id/edit.
func (s *server) editFile(r *Request) error {
	form := views.FileEditForm{Path: r.Query("path")}
	r.into(&form)
	at, err := r.placeOf(form.Path)
	if err != nil {
		return err
	}
	text, err := at.files.Text(r.Context(), at.path)
	if err != nil {
		return err
	}
	if !r.restored {
		form.Text, form.Version, form.Encoding = text.Text, text.Version, string(text.Encoding)
	}
	return s.drawEditor(r, at, text, form, r.Render)
}

// editorName is the name under which others see that somebody has a file open.
func (r *Request) editorName() string {
	if name := r.Session.Person.Name; name != "" {
		return name
	}
	return string(r.Session.Person.Email)
}

func (s *server) drawEditor(r *Request, at filePlace, text hosting.FileText, form views.FileEditForm, answer func(templ.Component) error) error {
	r.verbatim = true
	params := views.FileEditParams{At: r.at(at), Text: text, Form: form}
	if params.At.CanWrite && text.Writable {
		others, err := at.files.Editing(r.Context(), at.path, r.editorName(), files.Opened)
		if err != nil {
			return err
		}
		params.Others = others
	}
	return r.page(func(p views.Page) error { return answer(views.FileEditPage(p, params)) })
}

// saveFile is POST /files/:id/edit.
func (s *server) saveFile(r *Request) error {
	at, err := r.place()
	if err != nil {
		return err
	}
	var form views.FileEditForm
	r.into(&form)
	if form.Recreate {
		if form.Version, err = recreate(r, at); err != nil {
			return s.inFolder(r, filePlace{at.site, at.files, at.path.Folder()}, err)
		}
	}
	_, err = at.files.Save(r.Context(), at.path, form.Version, hosting.TextEncoding(form.Encoding), form.Text)
	messages, isRefused := refused(err)
	switch {
	case err == nil:
		r.Flash("files.saved", hosting.Visible(at.path.Base(), maxTold))
		return r.redirect(views.FilesURL(at.site.ID, "edit", at.path))
	case !isRefused:
		return err
	}
	form.Errors = messages
	if _, changed := messages["version"]; changed {
		return s.drawConflict(r, at, form)
	}
	text, err := at.files.Text(r.Context(), at.path)
	if err != nil {
		return err
	}
	return s.drawEditor(r, at, text, form, r.Invalid)
}

// recreate makes a file anew that was removed while it was edited, and answers
// its version.
func recreate(r *Request, at filePlace) (string, error) {
	if _, err := at.files.MakeFile(r.Context(), at.path.Folder(), at.path.Base()); err != nil {
		return "", err
	}
	text, err := at.files.Text(r.Context(), at.path)
	return text.Version, err
}

// drawConflict offers both texts: the one that was sent, and the one that is in
// the file now, unless that is gone.
func (s *server) drawConflict(r *Request, at filePlace, form views.FileEditForm) error {
	r.verbatim = true
	params := views.FileConflictParams{At: r.at(at), Form: form}
	now, err := at.files.Text(r.Context(), at.path)
	switch {
	case err == nil:
		params.Now = &now
	case hosting.KindOf(err) != hosting.NotFound:
		return err
	}
	if params.Now != nil {
		if params.Others, err = at.files.Editing(r.Context(), at.path, r.editorName(), files.Opened); err != nil {
			return err
		}
	}
	return r.page(func(p views.Page) error { return r.Invalid(views.FileConflictPage(p, params)) })
}

// keepEditing is POST /files/:id/editing: our script tells each minute that the
// editor is still open, and is told who else has the file open.
func (s *server) keepEditing(r *Request) error {
	at, err := r.place()
	if err != nil {
		return err
	}
	state := files.Living
	if r.form.Get("state") == files.Closed {
		state = files.Closed
	}
	others, err := at.files.Editing(r.Context(), at.path, r.editorName(), state)
	if err != nil {
		return err
	}
	return r.Render(views.FileEditors(others, r.now))
}
