package views

import (
	"context"
	"strconv"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/views/ui"
)

// NoteForm is POST /admin/accounts/:id/notes and POST
// /admin/accounts/:id/notes/:note.
type NoteForm struct {
	Text   string `form:"text"`
	Errors Errors `form:"-"`
}

// NotesParams is what the team noted of an association.
//
//	templ AdminNotesPage(page Page, p NotesParams) // GET, POST /admin/accounts/:id/notes
type NotesParams struct {
	Account hosting.Account
	List    List
	Rows    []hosting.AccountNote
	Form    NoteForm
}

// NoteParams changes a note.
//
//	templ AdminNotePage(page Page, p NoteParams) // GET, POST /admin/accounts/:id/notes/:note
type NoteParams struct {
	Account hosting.Account
	Note    hosting.AccountNote
	Form    NoteForm
}

func notesPath(id hosting.AccountID) string { return adminAccountPath(id, "/notes") }

func notePath(n hosting.AccountNote, rest string) string {
	return notesPath(n.AccountID) + "/" + strconv.FormatUint(uint64(n.ID), 10) + rest
}

// noteDialog is the id of what asks before a note is removed.
func noteDialog(n hosting.AccountNote) string {
	return "dlg-note-" + strconv.FormatUint(uint64(n.ID), 10)
}

// accountTrail is the way to a page below that of an association.
func accountTrail(ctx context.Context, a hosting.Account, steps ...ui.Crumb) []ui.Crumb {
	return adminTrail(ctx, append([]ui.Crumb{
		{Text: i18n.T(ctx, "nav.accounts"), URL: "/admin/accounts"}, {Text: accountLabel(a), URL: adminAccountPath(a.ID, "")},
	}, steps...)...)
}
