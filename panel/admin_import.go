package panel

import (
	"cmp"
	"errors"
	"slices"
	"strconv"

	"github.com/a-h/templ"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/views"
)

// newImport is GET /admin/accounts/import.
func (s *server) newImport(r *Request) error {
	var form importForm
	r.into(&form)
	return s.drawImport(r, views.ImportParams{List: form.List}, r.Render)
}

// importForm is POST /admin/accounts/import.
type importForm struct {
	List string `form:"list"`
	Act  string `form:"act"` // "check" or "import"
}

func (s *server) drawImport(r *Request, params views.ImportParams, answer func(templ.Component) error) error {
	return r.page(func(p views.Page) error { return answer(views.AdminImportPage(p, params)) })
}

// importAccounts is POST /admin/accounts/import: it shows what the list would
// do, or does it, all of it or nothing.
func (s *server) importAccounts(r *Request) error {
	var form importForm
	r.into(&form)
	params := views.ImportParams{List: form.List}
	rows, err := hosting.ParseImport(form.List)
	if messages, ok := refused(err); ok {
		params.Errors = messages
		return s.drawImport(r, params, r.Invalid)
	}
	for i := range rows {
		rows[i].Person.Language = r.Session.Person.Language
	}
	outcomes, created, err := s.store.ImportAccounts(r.Context(), r.Actor, rows, form.Act != "import")
	if err != nil {
		return err
	}
	if created > 0 {
		r.Flash("import.done", strconv.Itoa(created))
		return r.Redirect("/admin/accounts")
	}
	for _, o := range outcomes {
		line := views.ImportLine{
			Line: o.Line, Label: o.Account.Label, Name: string(o.Account.Name), Plan: string(o.Account.Plan), Expires: o.Account.Expires,
			Person: o.Person.Name, Email: string(o.Person.Email), Exists: o.Exists, Problems: problemsOf(o),
		}
		switch {
		case o.Err != nil:
			params.Wrong++
		case !o.Exists:
			params.New++
		}
		params.Rows = append(params.Rows, line)
	}
	return s.drawImport(r, params, r.Render)
}

// problemsOf are the refusals of a line, in the order of their fields.
func problemsOf(o store.ImportOutcome) []hosting.Message {
	if o.Err == nil {
		return nil
	}
	var list hosting.Errors
	if !errors.As(o.Err, &list) {
		var one *hosting.Error
		if !errors.As(o.Err, &one) {
			return []hosting.Message{hosting.Msg("error.internal")}
		}
		list = hosting.Errors{one}
	}
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b *hosting.Error) int { return cmp.Compare(a.Field, b.Field) })
	messages := make([]hosting.Message, len(list))
	for i, e := range list {
		messages[i] = e.Message
	}
	return messages
}
