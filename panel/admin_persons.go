package panel

import (
	"github.com/a-h/templ"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/internal/store"
	"cancale/views"
)

// listPersons is GET /admin/persons.
func (s *server) listPersons(r *Request) error {
	list, page, sort, search := r.list("name", "email", "seen")
	filter := store.PersonFilter{Search: search, Page: page, PerPage: perPage, Sort: sort}
	switch role := r.Query("role"); role {
	case string(hosting.Administrator), string(hosting.Technician):
		filter.Role = hosting.PlatformRole(role)
	case "member":
		filter.Members = true
	}
	if state := r.Query("state"); known(state, []string{"active", "invited", "disabled"}) {
		filter.State = state
	}
	rows, total, err := s.store.Persons(r.Context(), r.Actor.Scope(r.need), filter)
	if err != nil {
		return err
	}
	list.Total = total
	params := views.AdminPersonsParams{List: list, Rows: make([]views.PersonRow, len(rows))}
	for i, row := range rows {
		params.Rows[i] = views.PersonRow{Person: row.Person, Accounts: []string{}}
		for _, m := range row.Memberships {
			params.Rows[i].Accounts = append(params.Rows[i].Accounts, orName(m.AccountLabel, string(m.AccountName)))
		}
	}
	return r.page(func(p views.Page) error { return r.Render(views.AdminPersonsPage(p, params)) })
}

// newPerson is GET /admin/persons/new.
func (s *server) newPerson(r *Request) error {
	form := views.PersonForm{As: string(hosting.Owner), Language: i18n.Languages[0], Account: r.Query("account")}
	r.into(&form)
	return r.page(func(p views.Page) error { return r.Render(views.AdminPersonNewPage(p, form)) })
}

// createPerson is POST /admin/persons/new.
func (s *server) createPerson(r *Request) error {
	var form views.PersonForm
	r.into(&form)
	person, memberships, err := s.personSpec(r, form)
	var made hosting.Person
	var invitation store.Invitation
	if err == nil {
		made, invitation, err = s.store.CreatePerson(r.Context(), r.Actor, person, memberships)
	}
	if messages, ok := refused(err); ok {
		form.Errors = messages
		return r.page(func(p views.Page) error { return r.Invalid(views.AdminPersonNewPage(p, form)) })
	}
	if err != nil {
		return err
	}
	var account hosting.AccountID
	if len(memberships) > 0 {
		account = memberships[0].Account
	}
	return r.invited(invitation, account, "/admin/persons/%d/invited", made.ID)
}

// personSpec reads who somebody is, and the association that they come for.
func (s *server) personSpec(r *Request, form views.PersonForm) (spec hosting.PersonSpec, memberships []store.MembershipSpec, err error) {
	var errs hosting.Errors
	spec, err = parsePerson(form)
	errs.Add(err)
	if form.Account != "" {
		var m store.MembershipSpec
		m.Role, m.Until, err = parseRole(form.As, form.Until, r.now)
		errs.Add(inField("as", err))
		m.Account, err = s.accountNamed(r, form.Account)
		if err != nil && hosting.KindOf(err) != hosting.Invalid {
			return spec, nil, err
		}
		errs.Add(err)
		memberships = append(memberships, m)
	}
	return spec, memberships, errs.Err()
}

func parsePerson(form views.PersonForm) (spec hosting.PersonSpec, err error) {
	var errs hosting.Errors
	spec.Email, err = hosting.ParseEmail(form.Email)
	errs.Add(err)
	spec.Name, err = hosting.ParseLabel("name", form.Name)
	errs.Add(err)
	switch role := hosting.PlatformRole(form.Role); role {
	case hosting.NoRole, hosting.Technician, hosting.Administrator:
		spec.Role = role
	default:
		errs.Add(hosting.Refuse(hosting.Invalid, "role", "role.unknown"))
	}
	if spec.Language = form.Language; !known(spec.Language, i18n.Languages) {
		spec.Language = i18n.Languages[0]
	}
	return spec, errs.Err()
}

// person is the person of the address.
func (r *Request) person() (store.PersonRow, error) {
	id, err := r.id()
	if err != nil {
		return store.PersonRow{}, err
	}
	return r.srv.store.Person(r.Context(), r.Actor.Scope(r.need), hosting.PersonID(id))
}

// showPerson is GET /admin/persons/:id.
func (s *server) showPerson(r *Request) error {
	row, err := r.person()
	if err != nil {
		return err
	}
	form := views.PersonForm{Email: string(row.Email), Name: row.Name, Role: string(row.Role), Language: row.Language}
	r.into(&form)
	return s.drawPerson(r, row, form, r.Render)
}

func (s *server) drawPerson(r *Request, row store.PersonRow, form views.PersonForm, answer func(templ.Component) error) error {
	factor, err := s.store.Factor(r.Context(), row.ID)
	if err != nil {
		return err
	}
	params := views.AdminPersonParams{Factor: factor.On, Person: row.Person, Form: form, Self: row.ID == r.Actor.Person}
	for _, m := range row.Memberships {
		params.Memberships = append(params.Memberships, views.PersonMembership{
			Membership: m.Membership,
			Account:    hosting.Account{ID: m.AccountID, Name: m.AccountName, Label: m.AccountLabel},
		})
	}
	return r.page(func(p views.Page) error { return answer(views.AdminPersonPage(p, params)) })
}

// updatePerson is POST /admin/persons/:id.
func (s *server) updatePerson(r *Request) error {
	row, err := r.person()
	if err != nil {
		return err
	}
	var form views.PersonForm
	r.into(&form)
	spec, err := parsePerson(form)
	if err == nil {
		_, err = s.store.UpdatePerson(r.Context(), r.Actor, row.ID, spec)
	}
	if messages, ok := refused(err); ok {
		form.Errors = messages
		return s.drawPerson(r, row, form, r.Invalid)
	}
	if err != nil {
		return err
	}
	r.Flash("person.updated", string(spec.Email))
	return r.Redirect("/admin/persons/%d", row.ID)
}

// invitePerson is POST /admin/persons/:id/invite: a new link, for a first
// password or for another one.
func (s *server) invitePerson(r *Request) error {
	row, err := r.person()
	if err != nil {
		return err
	}
	invitation, err := s.store.Invite(r.Context(), r.Actor, row.ID)
	if err != nil {
		return err
	}
	return r.invited(invitation, 0, "/admin/persons/%d/invited", row.ID)
}

// showPersonLink is GET /admin/persons/:id/invited: the link of an invitation,
// once.
func (s *server) showPersonLink(r *Request) error {
	row, err := r.person()
	if err != nil {
		return err
	}
	shown := r.shown()
	if !shown.Created {
		return r.Redirect("/admin/persons/%d", row.ID)
	}
	params := views.InvitationLinkParams{
		Person:  row.Person,
		URL:     shown.Text,
		Expires: shown.Expires,
		Reset:   shown.Reset,
		Next:    r.path()[:len(r.path())-len("/invited")],
		Admin:   true,
	}
	if params.Mailed, err = r.mailed(); err != nil {
		return err
	}
	if shown.Account != 0 {
		account, err := s.store.Account(r.Context(), r.Actor.Scope(hosting.AdminRead), shown.Account)
		if err != nil {
			return err
		}
		params.Account = &account.Account
		params.Next = accountPath(account.ID)
	}
	return r.page(func(p views.Page) error { return r.Render(views.InvitationLinkPage(p, params)) })
}

// disablePerson is POST /admin/persons/:id/disable.
func (s *server) disablePerson(r *Request) error {
	row, err := r.person()
	if err != nil {
		return err
	}
	if err := s.store.DisablePerson(r.Context(), r.Actor, row.ID); err != nil {
		return err
	}
	r.Flash("person.disabled", string(row.Email))
	return r.Redirect("/admin/persons/%d", row.ID)
}

// enablePerson is POST /admin/persons/:id/enable.
func (s *server) enablePerson(r *Request) error {
	row, err := r.person()
	if err != nil {
		return err
	}
	if err := s.store.EnablePerson(r.Context(), r.Actor, row.ID); err != nil {
		return err
	}
	r.Flash("person.enabled", string(row.Email))
	return r.Redirect("/admin/persons/%d", row.ID)
}
