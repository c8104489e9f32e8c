package panel

import (
	"fmt"
	"slices"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/internal/store"
	"cancale/views"
)

// requestState is the state that a list of requests is narrowed to.
func (r *Request) requestState() hosting.RequestState {
	if s := hosting.RequestState(r.Query("state")); slices.Contains(hosting.RequestStates, s) {
		return s
	}
	return ""
}

// listRequests is GET /requests.
func (s *server) listRequests(r *Request) error {
	account, err := r.acts()
	if err != nil {
		return err
	}
	return s.drawRequests(r, r.Actor.Scope(r.need).Only(account.ID), account.ID, r.Actor.CanIn(hosting.RequestsWrite, account.ID))
}

// listAllRequests is GET /admin/requests.
func (s *server) listAllRequests(r *Request) error {
	return s.drawRequests(r, r.Actor.Scope(r.need), 0, false)
}

func (s *server) drawRequests(r *Request, scope hosting.Scope, account hosting.AccountID, canWrite bool) error {
	list, page, _, search := r.list()
	rows, total, err := s.store.Requests(r.Context(), scope, store.RequestFilter{Account: account, State: r.requestState(), Search: search, Page: page, PerPage: perPage})
	if err != nil {
		return err
	}
	list.Total = total
	params := views.RequestsParams{List: list, Admin: account == 0, CanWrite: canWrite}
	for _, row := range rows {
		params.Rows = append(params.Rows, requestRow(row))
	}
	return r.page(func(p views.Page) error { return r.Render(views.RequestsPage(p, params)) })
}

func requestRow(row store.RequestRow) views.RequestRow {
	return views.RequestRow{Request: row.Request, Account: hosting.Account{ID: row.AccountID, Name: row.AccountName, Label: row.AccountLabel}}
}

// newRequest is GET /requests/new. The page where the question arises says what
// it is about.
func (s *server) newRequest(r *Request) error {
	if _, err := r.acts(); err != nil {
		return err
	}
	form := views.RequestForm{}
	if about := r.Query("about"); about != "" && slices.Contains(hosting.RequestAbouts, about) {
		form.About, form.Subject = about, i18n.T(r.Context(), "requests.about."+about)
	}
	r.into(&form)
	return r.page(func(p views.Page) error { return r.Render(views.RequestNewPage(p, form)) })
}

// createRequest is POST /requests/new.
func (s *server) createRequest(r *Request) error {
	account, err := r.acts()
	if err != nil {
		return err
	}
	var form views.RequestForm
	r.into(&form)
	spec, err := hosting.ParseRequest(form.Subject, form.About, form.Body)
	var request hosting.Request
	if err == nil {
		request, err = s.store.CreateRequest(r.Context(), r.Actor, account.ID, spec)
	}
	if messages, ok := refused(err); ok {
		form.Errors = messages
		return r.page(func(p views.Page) error { return r.Invalid(views.RequestNewPage(p, form)) })
	}
	if err != nil {
		return err
	}
	r.Flash("request.sent")
	return r.Redirect("/requests/%d", request.ID)
}

// asTeam reports whether the page is one of the administration.
func (r *Request) asTeam() bool { return r.need == hosting.AdminRequests }

func (r *Request) requestPath(id hosting.RequestID) string {
	if r.asTeam() {
		return fmt.Sprintf("/admin/requests/%d", id)
	}
	return fmt.Sprintf("/requests/%d", id)
}

// request is the request of the address. For members it is one of the account
// that they act for, which the page then shows.
func (r *Request) request() (store.RequestRow, error) {
	id, err := r.id()
	if err != nil {
		return store.RequestRow{}, err
	}
	row, err := r.srv.store.Request(r.Context(), r.Actor.Scope(r.need), hosting.RequestID(id))
	if err == nil && !r.asTeam() {
		r.acting = row.AccountID
	}
	return row, err
}

// showRequest is GET /requests/:id and /admin/requests/:id.
func (s *server) showRequest(r *Request) error {
	row, err := r.request()
	if err != nil {
		return err
	}
	var form views.AnswerForm
	r.into(&form)
	return r.drawRequest(row, form)
}

func (r *Request) drawRequest(row store.RequestRow, form views.AnswerForm) error {
	params := views.RequestParams{
		RequestRow: requestRow(row), Messages: row.Messages, Admin: r.asTeam(), Path: r.requestPath(row.ID), Form: form,
		CanWrite: r.asTeam() || r.Actor.CanIn(hosting.RequestsWrite, row.AccountID), CanPlan: r.Actor.Can(hosting.AdminAccounts),
	}
	answer := r.Render
	if len(form.Errors) > 0 {
		answer = r.Invalid
	}
	return r.page(func(p views.Page) error { return answer(views.RequestPage(p, params)) })
}

// answerRequest is POST /requests/:id and /admin/requests/:id.
func (s *server) answerRequest(r *Request) error {
	row, err := r.request()
	if err != nil {
		return err
	}
	var form views.AnswerForm
	r.into(&form)
	body, err := hosting.ParseBody("body", form.Body)
	if err == nil {
		err = s.store.AnswerRequest(r.Context(), r.Actor, row.ID, body, r.asTeam())
	}
	if messages, ok := refused(err); ok {
		form.Errors = messages
		return r.drawRequest(row, form)
	}
	if err != nil {
		return err
	}
	r.Flash("request.sent")
	return r.redirect(r.requestPath(row.ID))
}

// closeRequest is POST /requests/:id/close and /admin/requests/:id/close.
func (s *server) closeRequest(r *Request) error {
	row, err := r.request()
	if err != nil {
		return err
	}
	if err := s.store.CloseRequest(r.Context(), r.Actor, row.ID, r.asTeam()); err != nil {
		return err
	}
	r.Flash("request.closed")
	return r.redirect(r.requestPath(row.ID))
}
