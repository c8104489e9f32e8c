package panel

import (
	"strconv"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/views"
)

// listNotes is GET /admin/accounts/:id/notes: what the team noted of an
// association.
func (s *server) listNotes(r *Request) error {
	account, err := r.adminAccount()
	if err != nil {
		return err
	}
	var form views.NoteForm
	r.into(&form)
	return s.drawNotes(r, account, form, r.Render)
}

func (s *server) drawNotes(r *Request, account store.AccountRow, form views.NoteForm, answer answer) error {
	list, page, _, _ := r.list()
	rows, total, err := s.store.AccountNotes(r.Context(), r.Actor.Scope(r.need), account.ID, page, perPage)
	if err != nil {
		return err
	}
	list.Total = total
	params := views.NotesParams{Account: account.Account, List: list, Rows: rows, Form: form}
	return r.page(func(p views.Page) error { return answer(views.AdminNotesPage(p, params)) })
}

// addNote is POST /admin/accounts/:id/notes.
func (s *server) addNote(r *Request) error {
	account, err := r.adminAccount()
	if err != nil {
		return err
	}
	var form views.NoteForm
	r.into(&form)
	text, err := hosting.ParseAccountNote("text", form.Text)
	if err == nil {
		_, err = s.store.AddAccountNote(r.Context(), r.Actor, account.ID, text)
	}
	if messages, ok := refused(err); ok {
		form.Errors = messages
		return s.drawNotes(r, account, form, r.Invalid)
	}
	if err != nil {
		return err
	}
	r.Flash("account_note.added", labelOf(account.Account))
	return r.Redirect("/admin/accounts/%d/notes", account.ID)
}

// note is the note of the address, of the association of the address.
func (r *Request) note() (store.AccountRow, hosting.AccountNote, error) {
	account, err := r.adminAccount()
	if err != nil {
		return account, hosting.AccountNote{}, err
	}
	id, _ := strconv.ParseUint(r.echo.Param("note"), 10, 64) // what is no number names no note
	note, err := r.srv.store.AccountNote(r.Context(), r.Actor.Scope(r.need), account.ID, hosting.AccountNoteID(id))
	return account, note, err
}

// editNote is GET /admin/accounts/:id/notes/:note, for who wrote it.
func (s *server) editNote(r *Request) error {
	account, note, err := r.note()
	if err != nil {
		return err
	}
	if !note.EditedBy(r.Actor) {
		return errForbidden
	}
	form := views.NoteForm{Text: note.Text}
	r.into(&form)
	return s.drawNote(r, account, note, form, r.Render)
}

func (s *server) drawNote(r *Request, account store.AccountRow, note hosting.AccountNote, form views.NoteForm, answer answer) error {
	params := views.NoteParams{Account: account.Account, Note: note, Form: form}
	return r.page(func(p views.Page) error { return answer(views.AdminNotePage(p, params)) })
}

// updateNote is POST /admin/accounts/:id/notes/:note.
func (s *server) updateNote(r *Request) error {
	account, note, err := r.note()
	if err != nil {
		return err
	}
	var form views.NoteForm
	r.into(&form)
	text, err := hosting.ParseAccountNote("text", form.Text)
	if err == nil {
		err = s.store.EditAccountNote(r.Context(), r.Actor, account.ID, note.ID, text)
	}
	if messages, ok := refused(err); ok {
		form.Errors = messages
		return s.drawNote(r, account, note, form, r.Invalid)
	}
	if err != nil {
		return err
	}
	r.Flash("account_note.updated", labelOf(account.Account))
	return r.Redirect("/admin/accounts/%d/notes", account.ID)
}

// removeNote is POST /admin/accounts/:id/notes/:note/delete.
func (s *server) removeNote(r *Request) error {
	account, note, err := r.note()
	if err != nil {
		return err
	}
	if err := s.store.RemoveAccountNote(r.Context(), r.Actor, account.ID, note.ID); err != nil {
		return err
	}
	r.Flash("account_note.removed", labelOf(account.Account))
	return r.Redirect("/admin/accounts/%d/notes", account.ID)
}
