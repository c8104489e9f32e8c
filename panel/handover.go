package panel

import (
	"slices"
	"strconv"
	"strings"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/views"
)

// planHandover is GET /people/handover.
func (s *server) planHandover(r *Request) error {
	account, err := r.acts()
	if err != nil {
		return err
	}
	form := views.HandoverForm{FTP: true, Sessions: true}
	r.into(&form)
	return s.drawHandover(r, account.ID, form)
}

func (s *server) drawHandover(r *Request, account hosting.AccountID, form views.HandoverForm) error {
	params, err := s.handoverParams(r, account, form)
	if err != nil {
		return err
	}
	answer := r.Render
	if len(form.Errors) > 0 {
		answer = r.Invalid
	}
	return r.page(func(p views.Page) error { return answer(views.HandoverPage(p, params)) })
}

func (s *server) handoverParams(r *Request, account hosting.AccountID, form views.HandoverForm) (views.HandoverParams, error) {
	params := views.HandoverParams{Form: form}
	var err error
	if params.Members, err = s.members(r, account); err != nil {
		return params, err
	}
	scope := r.Actor.Scope(hosting.DatabasesRead).Only(account)
	bases, _, err := s.store.Databases(r.Context(), scope, store.DatabaseFilter{Account: account, Page: 1, PerPage: mostHanded, Sort: "name"})
	if err != nil {
		return params, err
	}
	for _, row := range bases {
		params.Databases = append(params.Databases, row.Database)
	}
	_, params.FTPLogins, err = s.store.FTPLogins(r.Context(), r.Actor.Scope(hosting.FTPRead).Only(account), store.FTPFilter{Account: account, Page: 1, PerPage: 1})
	return params, err
}

// mostHanded is how many databases the page offers.
const mostHanded = 200

// handOver is POST /people/handover: what it would do, then, once that was
// confirmed, all of it at once.
func (s *server) handOver(r *Request) error {
	account, err := r.acts()
	if err != nil {
		return err
	}
	var form views.HandoverForm
	r.into(&form)
	if form.Step == "back" {
		return s.drawHandover(r, account.ID, form)
	}
	confirmed := form.Step == "confirm"
	plan, err := handoverOf(r, form)
	var done store.HandedOver
	if err == nil {
		done, err = s.store.HandOver(r.Context(), r.Actor, account.ID, plan, !confirmed)
	}
	if messages, ok := refused(err); ok {
		form.Errors = messages
		return s.drawHandover(r, account.ID, form)
	}
	if err != nil {
		return err
	}
	shown := views.HandedOverParams{
		Account: account.Account, Left: done.Left, FTP: passwordsOf(done.FTP), Databases: passwordsOf(done.Databases), Sessions: form.Sessions,
		Stays: slices.Contains(r.Actor.Accounts(), account.ID) && !slices.Contains(plan.Leave, r.Actor.Person) || r.Actor.Platform() != hosting.NoRole,
	}
	if shown.Mailed, err = r.mailed(); err != nil {
		return err
	}
	for _, i := range done.Invited {
		row := views.HandedInvitation{Person: i.Person, Role: i.Role.Role, Until: i.Role.Until}
		if i.Invitation.Token != "" {
			row.URL, row.Expires = s.invitationURL(i.Invitation.Token), i.Invitation.Expires
		}
		shown.Invited = append(shown.Invited, row)
	}
	if !confirmed {
		params := views.HandoverPreviewParams{Form: form, Done: shown}
		return r.page(func(p views.Page) error { return r.Render(views.HandoverPreviewPage(p, params)) })
	}
	const page = "/people/handover/done"
	s.handed.put(r.sessionKey(), page, shown, r.now)
	return r.redirect(page)
}

func passwordsOf(list []store.NewPassword) []views.NewPassword {
	out := make([]views.NewPassword, len(list))
	for i, p := range list {
		out[i] = views.NewPassword(p)
	}
	return out
}

// handoverOf reads the form of a handover.
func handoverOf(r *Request, form views.HandoverForm) (store.Handover, error) {
	h := store.Handover{FTP: form.FTP, Sessions: form.Sessions, Keep: r.Session.ID}
	var errs hosting.Errors
	for _, id := range form.Leave {
		n, err := strconv.ParseUint(id, 10, 64)
		if err != nil {
			return h, hosting.Refuse(hosting.NotFound, "", "person.not_found")
		}
		h.Leave = append(h.Leave, hosting.PersonID(n))
	}
	for _, id := range form.Databases {
		n, err := strconv.ParseUint(id, 10, 64)
		if err != nil {
			return h, hosting.Refuse(hosting.NotFound, "", "database.not_found")
		}
		h.Databases = append(h.Databases, hosting.DatabaseID(n))
	}
	slices.Sort(h.Leave)
	slices.Sort(h.Databases)
	h.Leave, h.Databases = slices.Compact(h.Leave), slices.Compact(h.Databases)
	for i := range views.HandoverRows {
		row := form.Row(i)
		if strings.TrimSpace(row.Email) == "" && strings.TrimSpace(row.Name) == "" {
			continue
		}
		person, m, err := memberSpec(r, row)
		for field, message := range hosting.FieldErrors(err) {
			errs.Add(&hosting.Error{Kind: hosting.Invalid, Field: field + "-" + strconv.Itoa(i+1), Message: message})
		}
		h.Invite = append(h.Invite, store.Newcomer{Person: person, Role: m})
	}
	return h, errs.Err()
}

// handedOver is GET /people/handover/done: what was done, with the links and
// passwords, this once. Whoever handed over may have no role any more.
func (s *server) handedOver(r *Request) error {
	done, found := s.handed.take(r.sessionKey(), r.path(), r.now)
	if !found {
		return r.Redirect("/")
	}
	return r.page(func(p views.Page) error { return r.Render(views.HandedOverPage(p, done)) })
}
