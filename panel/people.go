package panel

import (
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/views"
)

// listPeople is GET /people.
func (s *server) listPeople(r *Request) error {
	account, err := r.acts()
	if err != nil {
		return err
	}
	members, err := s.members(r, account.ID)
	if err != nil {
		return err
	}
	params := views.PeopleParams{Rows: members, CanWrite: r.Actor.CanIn(hosting.PeopleWrite, account.ID)}
	return r.page(func(p views.Page) error { return r.Render(views.PeoplePage(p, params)) })
}

// members are the persons of an account.
func (s *server) members(r *Request, account hosting.AccountID) ([]views.Member, error) {
	rows, err := s.store.Memberships(r.Context(), r.Actor.Scope(hosting.PeopleRead).Only(account), account)
	if err != nil {
		return nil, err
	}
	list := make([]views.Member, len(rows))
	for i, row := range rows {
		list[i] = memberOf(row)
	}
	return list, nil
}

func memberOf(row store.MembershipRow) views.Member {
	return views.Member{
		Person: hosting.Person{
			ID:         row.PersonID,
			Email:      row.Email,
			Name:       row.PersonName,
			Disabled:   row.Disabled,
			LastSeenAt: row.LastSeenAt,
		},
		Role:  row.Role,
		Until: row.Until,
	}
}

// newMember is GET /people/invite.
func (s *server) newMember(r *Request) error {
	if _, err := r.acts(); err != nil {
		return err
	}
	form := views.InviteForm{Role: string(hosting.Webmaster)}
	r.into(&form)
	return r.page(func(p views.Page) error { return r.Render(views.PeopleInvitePage(p, form)) })
}

// invite is POST /people/invite: somebody gets a role, and a link when they
// have no password yet.
func (s *server) invite(r *Request) error {
	account, err := r.acts()
	if err != nil {
		return err
	}
	var form views.InviteForm
	r.into(&form)
	person, membership, err := memberSpec(r, form)
	membership.Account = account.ID
	var added hosting.Person
	var invitation store.Invitation
	if err == nil {
		added, invitation, err = s.store.AddMember(r.Context(), r.Actor, person, membership)
	}
	if messages, ok := refused(err); ok {
		form.Errors = messages
		return r.page(func(p views.Page) error { return r.Invalid(views.PeopleInvitePage(p, form)) })
	}
	if err != nil {
		return err
	}
	return r.invited(invitation, account.ID, "/people/%d/invited", added.ID)
}

// memberSpec reads who is invited, to which role and until when.
func memberSpec(r *Request, form views.InviteForm) (person hosting.PersonSpec, m store.MembershipSpec, err error) {
	var errs hosting.Errors
	person.Language = r.Session.Person.Language
	person.Email, err = hosting.ParseEmail(form.Email)
	errs.Add(err)
	person.Name, err = hosting.ParseLabel("name", form.Name)
	errs.Add(err)
	m.Role, m.Until, err = parseRole(form.Role, form.Until, r.now)
	errs.Add(err)
	return person, m, errs.Err()
}

// parseRole reads a role on an account and its end, the last moment of the day
// that was given. Only a contractor must have one.
func parseRole(role, until string, now time.Time) (hosting.Role, *time.Time, error) {
	r := hosting.Role(role)
	if r != hosting.Owner && r != hosting.Webmaster && r != hosting.Contractor {
		return "", nil, hosting.Refuse(hosting.Invalid, "role", "role.unknown")
	}
	end, err := parseDay("until", until)
	switch {
	case err != nil:
		return "", nil, err
	case end == nil && r == hosting.Contractor:
		return "", nil, hosting.Refuse(hosting.Invalid, "until", "until.missing")
	case end != nil && end.Before(now):
		return "", nil, hosting.Refuse(hosting.Invalid, "until", "until.past")
	}
	return r, end, nil
}

// parseDay reads a day as browsers send it, 2006-01-02, as its last second.
// An empty text is no day.
func parseDay(field, s string) (*time.Time, error) {
	if s == "" {
		return nil, nil //nolint:nilnil // no day is an answer
	}
	day, err := time.ParseInLocation(time.DateOnly, s, time.Local)
	if err != nil || day.Year() < 2000 || day.Year() > 9000 {
		return nil, hosting.Refuse(hosting.Invalid, field, "date.invalid")
	}
	end := day.AddDate(0, 0, 1).Add(-time.Second)
	return &end, nil
}

func dayText(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.In(time.Local).Format(time.DateOnly)
}

// editMember is GET /people/:id: the role of somebody, and until when.
func (s *server) editMember(r *Request) error {
	account, err := r.acts()
	if err != nil {
		return err
	}
	member, err := s.member(r, account.ID)
	if err != nil {
		return err
	}
	form := views.MemberForm{Role: string(member.Role), Until: dayText(member.Until)}
	r.into(&form)
	return r.page(func(p views.Page) error { return r.Render(views.MemberPage(p, member, form)) })
}

// updateMember is POST /people/:id.
func (s *server) updateMember(r *Request) error {
	account, err := r.acts()
	if err != nil {
		return err
	}
	member, err := s.member(r, account.ID)
	if err != nil {
		return err
	}
	var form views.MemberForm
	r.into(&form)
	m := store.MembershipSpec{Account: account.ID}
	if m.Role, m.Until, err = parseRole(form.Role, form.Until, r.now); err == nil {
		err = s.store.SetMembership(r.Context(), r.Actor, member.ID, m)
	}
	if messages, ok := refused(err); ok {
		form.Errors = messages
		return r.page(func(p views.Page) error { return r.Invalid(views.MemberPage(p, member, form)) })
	}
	if err != nil {
		return err
	}
	r.Flash("people.updated", string(member.Email))
	return r.Redirect("/people")
}

// showMemberLink is GET /people/:id/invited: the link of an invitation, once.
func (s *server) showMemberLink(r *Request) error {
	account, err := r.acts()
	if err != nil {
		return err
	}
	member, err := s.member(r, account.ID)
	if err != nil {
		return err
	}
	shown := r.shown()
	if !shown.Created {
		return r.Redirect("/people")
	}
	params := views.InvitationLinkParams{
		Person:  member.Person,
		Account: &account.Account,
		URL:     shown.Text,
		Expires: shown.Expires,
		Reset:   shown.Reset,
		Next:    "/people",
	}
	if params.Mailed, err = r.mailed(); err != nil {
		return err
	}
	return r.page(func(p views.Page) error { return r.Render(views.InvitationLinkPage(p, params)) })
}

// mailed reports whether the panel sends mails: somebody who was invited gets
// the link by one.
func (r *Request) mailed() (bool, error) {
	server, err := r.srv.store.MailServer(r.Context())
	return server.Set(), err
}

// member is the person of the address, as a member of the account.
func (s *server) member(r *Request, account hosting.AccountID) (views.Member, error) {
	id, err := r.id()
	if err != nil {
		return views.Member{}, err
	}
	members, err := s.members(r, account)
	if err != nil {
		return views.Member{}, err
	}
	for _, m := range members {
		if m.ID == hosting.PersonID(id) {
			return m, nil
		}
	}
	return views.Member{}, hosting.Refuse(hosting.NotFound, "", "error.not_found")
}

// confirmMemberRemoval is GET /people/:id/remove.
func (s *server) confirmMemberRemoval(r *Request) error {
	account, err := r.acts()
	if err != nil {
		return err
	}
	member, err := s.member(r, account.ID)
	if err != nil {
		return err
	}
	return r.page(func(p views.Page) error {
		return r.Render(views.PersonRemovePage(p, views.PersonRemoveParams{Member: member}))
	})
}

// removeMember is POST /people/:id/remove.
func (s *server) removeMember(r *Request) error {
	account, err := r.acts()
	if err != nil {
		return err
	}
	member, err := s.member(r, account.ID)
	if err != nil {
		return err
	}
	err = s.store.RemoveMembership(r.Context(), r.Actor, member.ID, account.ID)
	if messages, ok := refused(err); ok { // the last one who answers for the association
		return r.page(func(p views.Page) error {
			return r.Invalid(views.PersonRemovePage(p, views.PersonRemoveParams{Member: member, Errors: messages}))
		})
	}
	if err != nil {
		return err
	}
	r.Flash("person.left", string(member.Email))
	if member.ID == r.Actor.Person && r.Actor.Platform() == hosting.NoRole {
		return r.Redirect("/")
	}
	return r.Redirect("/people")
}
