package views

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/views/ui"
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

// MemberForm is POST /people/:id.
//
//	templ MemberPage(page Page, m Member, f MemberForm) // GET, POST /people/:id
type MemberForm struct {
	Role   string `form:"role"`
	Until  string `form:"until"`
	Errors Errors `form:"-"` // "", role, until
}

// PersonRemoveParams confirms that a person leaves the association.
//
//	templ PersonRemovePage(page Page, p PersonRemoveParams) // GET, POST /people/:id/remove
type PersonRemoveParams struct {
	Member Member
	Errors Errors // "": the last one who answers for the association
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
	Mailed  bool   // a mail server is set: the link goes to the person by mail
}

func personPath(id hosting.PersonID, rest string) string {
	return fmt.Sprintf("/people/%d%s", id, rest)
}

// roleOptions are the roles on an association, each with what it may do.
func roleOptions(ctx context.Context) []ui.Option {
	var options []ui.Option
	for _, r := range []hosting.Role{hosting.Owner, hosting.Webmaster, hosting.Contractor} {
		options = append(options, ui.Option{Value: string(r), Label: i18n.T(ctx, "role."+string(r)), Hint: i18n.T(ctx, "role."+string(r)+"_text")})
	}
	return options
}

func (p InvitationLinkParams) nav() string {
	switch {
	case !p.Admin:
		return "people"
	case p.Account != nil:
		return "accounts"
	}
	return "persons"
}

func invitationTitle(ctx context.Context, p InvitationLinkParams) string {
	switch {
	case p.Reset:
		return i18n.T(ctx, "link.reset_page", personName(p.Person))
	case p.Account != nil:
		return i18n.T(ctx, "link.account_page", accountLabel(*p.Account))
	}
	return i18n.T(ctx, "link.page", personName(p.Person))
}

func invitationTrail(ctx context.Context, page Page, p InvitationLinkParams) []ui.Crumb {
	last := ui.Crumb{Text: i18n.T(ctx, "link.crumb")}
	switch {
	case !p.Admin:
		return trail(page, ui.Crumb{Text: i18n.T(ctx, "nav.people"), URL: "/people"}, last)
	case p.Account != nil:
		return adminTrail(ctx, ui.Crumb{Text: i18n.T(ctx, "nav.accounts"), URL: "/admin/accounts"}, ui.Crumb{Text: accountLabel(*p.Account), URL: adminAccountPath(p.Account.ID, "")}, last)
	}
	return adminTrail(ctx, ui.Crumb{Text: i18n.T(ctx, "nav.persons"), URL: "/admin/persons"}, ui.Crumb{Text: personName(p.Person), URL: adminPersonPath(p.Person.ID, "")}, last)
}

// invitationMail is the message that goes with the link, in the language of the
// person who gets it.
func invitationMail(ctx context.Context, p InvitationLinkParams) string {
	ctx = i18n.WithLang(ctx, mailLang(ctx, p))
	until := i18n.DateTime(ctx, p.Expires)
	switch {
	case p.Reset:
		return i18n.T(ctx, "link.mail_reset", p.URL, until)
	case p.Account != nil:
		return i18n.T(ctx, "link.mail_account", accountLabel(*p.Account), p.URL, until)
	}
	return i18n.T(ctx, "link.mail_person", p.URL, until)
}

// mailLang is the language of the person who gets the message.
func mailLang(ctx context.Context, p InvitationLinkParams) string {
	if p.Person.Language == "" {
		return i18n.Lang(ctx)
	}
	return p.Person.Language
}

// invitationMailto opens the message in a mail program.
func invitationMailto(ctx context.Context, p InvitationLinkParams) string {
	subject := i18n.T(i18n.WithLang(ctx, mailLang(ctx, p)), "link.mail_subject")
	return "mailto:" + url.PathEscape(string(p.Person.Email)) + "?subject=" + mailEscape(subject) + "&body=" + mailEscape(invitationMail(ctx, p))
}

// mailEscape escapes as RFC 6068 wants it: a space is %20, never a plus.
func mailEscape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
