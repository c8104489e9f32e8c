package views

import (
	"fmt"
	"time"

	"cancale/internal/hosting"
)

// Member is a person of an association.
type Member struct {
	hosting.Person
	Role  hosting.Role
	Until *time.Time
}

// PeopleParams is who may act for the association.
//
//	templ PeoplePage(page Page, p PeopleParams)       // GET /people
type PeopleParams struct {
	Rows     []Member
	CanWrite bool
}

// InviteForm is POST /people/invite.
//
//	templ PeopleInvitePage(page Page, f InviteForm)   // GET, POST /people/invite
type InviteForm struct {
	Email  string `form:"email"`
	Name   string `form:"name"`
	Role   string `form:"role"`  // owner, webmaster or contractor
	Until  string `form:"until"` // 2006-01-02; needed for a contractor
	Errors Errors `form:"-"`     // "", email, name, role, until
}

// PersonRemoveParams confirms that a person leaves the association.
//
//	templ PersonRemovePage(page Page, p PersonRemoveParams) // GET, POST /people/:id/remove
type PersonRemoveParams struct {
	Member Member
}

// InvitationLinkParams shows the link of an invitation, or of a new password,
// this once.
//
//	templ InvitationLinkPage(page Page, p InvitationLinkParams)
//
// It answers POST /people/invite, /admin/accounts/new, /admin/persons/new and
// /admin/persons/:id/invite. With an empty URL it says that the person had a
// password already and only gained a role.
type InvitationLinkParams struct {
	Person  hosting.Person
	Account *hosting.Account // the new association, or the one invited to; may be nil
	URL     string
	Expires time.Time
	Reset   bool   // a new password instead of a first one
	Next    string // where its button leads: /people, /admin/accounts/12…
	Admin   bool   // drawn in the administration
}

func personPath(id hosting.PersonID, rest string) string {
	return fmt.Sprintf("/people/%d%s", id, rest)
}
