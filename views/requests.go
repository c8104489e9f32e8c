package views

import (
	"context"
	"fmt"
	"slices"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/views/ui"
)

// RequestRow is a request, with whose it is.
type RequestRow struct {
	hosting.Request
	Account hosting.Account
}

// RequestsParams is a list of requests: of an association, or of all.
//
//	templ RequestsPage(page Page, p RequestsParams) // GET /requests, /admin/requests
type RequestsParams struct {
	List     List
	Rows     []RequestRow
	Admin    bool
	CanWrite bool
}

// search is what can be looked for.
func (p RequestsParams) search(ctx context.Context) string {
	if p.Admin {
		return i18n.T(ctx, "requests.search")
	}
	return i18n.T(ctx, "requests.search_own")
}

// cols are the columns: members know whose requests they see.
func (p RequestsParams) cols(ctx context.Context) []ui.Col {
	cols := []ui.Col{{Label: i18n.T(ctx, "requests.subject")}, {Label: i18n.T(ctx, "field.account")}, {Label: i18n.T(ctx, "field.state")}, {Label: i18n.T(ctx, "requests.changed")}}
	if !p.Admin {
		cols = slices.Delete(cols, 1, 2)
	}
	return cols
}

// RequestForm is POST /requests/new.
//
//	templ RequestNewPage(page Page, f RequestForm)  // GET, POST /requests/new
type RequestForm struct {
	Subject string `form:"subject"`
	About   string `form:"about"`
	Body    string `form:"body"`
	Errors  Errors `form:"-"` // "", subject, body
}

// RequestParams is one request and what was said.
//
//	templ RequestPage(page Page, p RequestParams)   // GET, POST /requests/:id, /admin/requests/:id
type RequestParams struct {
	RequestRow
	Messages []hosting.RequestMessage
	Admin    bool
	Path     string
	CanWrite bool
	CanPlan  bool // may change the plan of the association
	Form     AnswerForm
}

// AnswerForm is one more message.
type AnswerForm struct {
	Body   string `form:"body"`
	Errors Errors `form:"-"` // "", body
}

func (p RequestsParams) path(id hosting.RequestID) string {
	if p.Admin {
		return fmt.Sprintf("/admin/requests/%d", id)
	}
	return fmt.Sprintf("/requests/%d", id)
}

func requestTrail(ctx context.Context, page Page, admin bool, last ...ui.Crumb) []ui.Crumb {
	first := ui.Crumb{Text: i18n.T(ctx, "nav.requests")}
	if len(last) > 0 {
		first.URL = "/requests"
		if admin {
			first.URL = "/admin/requests"
		}
	}
	if admin {
		return adminTrail(ctx, append([]ui.Crumb{first}, last...)...)
	}
	return trail(page, append([]ui.Crumb{first}, last...)...)
}

func requestStateFilter(ctx context.Context) []ui.Option {
	options := []ui.Option{{Value: "", Label: i18n.T(ctx, "list.all_states")}}
	for _, state := range hosting.RequestStates {
		options = append(options, ui.Option{Value: string(state), Label: i18n.T(ctx, "request.state."+string(state))})
	}
	return options
}
