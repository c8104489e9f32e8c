package views

import (
	"strconv"
	"time"

	"cancale/internal/hosting"
)

// HandoverRows is how many people one handover invites at most.
const HandoverRows = 4

// HandoverForm is POST /people/handover. The lists of the newcomers have a
// value for each row.
type HandoverForm struct {
	Step      string   `form:"step"` // "", "confirm" or "back"
	Leave     []string `form:"leave"`
	Email     []string `form:"email"`
	Name      []string `form:"name"`
	Role      []string `form:"role"`
	Until     []string `form:"until"`
	FTP       bool     `form:"ftp"`
	Sessions  bool     `form:"sessions"`
	Databases []string `form:"database"`
	Errors    Errors   `form:"-"` // "", leave, email-1, name-1, role-1, until-1…
}

// Row is what was typed of newcomer i.
func (f HandoverForm) Row(i int) InviteForm {
	at := func(list []string, otherwise string) string {
		if i < len(list) {
			return list[i]
		}
		return otherwise
	}
	return InviteForm{Email: at(f.Email, ""), Name: at(f.Name, ""), Role: at(f.Role, string(hosting.Owner)), Until: at(f.Until, "")}
}

// HandoverParams asks who leaves, who comes and what is reset.
//
//	templ HandoverPage(page Page, p HandoverParams) // GET, POST /people/handover
type HandoverParams struct {
	Form      HandoverForm
	Members   []Member
	Databases []hosting.Database
	FTPLogins int
}

// HandoverPreviewParams is what a handover is going to do. Nothing was done,
// and Done holds no password and no link.
//
//	templ HandoverPreviewPage(page Page, p HandoverPreviewParams) // POST /people/handover
type HandoverPreviewParams struct {
	Form HandoverForm
	Done HandedOverParams
}

// HandedOverParams is what a handover did.
//
//	templ HandedOverPage(page Page, p HandedOverParams) // GET /people/handover/done
type HandedOverParams struct {
	Account   hosting.Account
	Left      []hosting.Email
	Invited   []HandedInvitation
	FTP       []NewPassword
	Databases []NewPassword
	Sessions  bool
	Mailed    bool // the links went out by mail
	Stays     bool // whoever did it still has the association
}

// HandedInvitation is somebody who comes; the URL is empty for who has a
// password.
type HandedInvitation struct {
	Person  hosting.Person
	Role    hosting.Role
	Until   *time.Time
	URL     string
	Expires time.Time
}

// NewPassword is a password that replaces one that others knew.
type NewPassword struct {
	Name, Password string
}

// handoverFields are the fields of the form in the order of the page.
func handoverFields() []string {
	fields := []string{"leave"}
	for i := range HandoverRows {
		for _, name := range []string{"email", "name", "role", "until"} {
			fields = append(fields, rowField(name, i))
		}
	}
	return fields
}

func rowField(name string, i int) string { return name + "-" + strconv.Itoa(i+1) }

func (f HandoverForm) leaves(id hosting.PersonID) bool { return has(f.Leave, uint64(id)) }

func (f HandoverForm) resets(id hosting.DatabaseID) bool { return has(f.Databases, uint64(id)) }

func has(list []string, id uint64) bool {
	for _, s := range list {
		if s == strconv.FormatUint(id, 10) {
			return true
		}
	}
	return false
}

// handoverNav is where the page of what was done stands: whoever left has no
// people any more.
func handoverNav(p HandedOverParams) string {
	if p.Stays {
		return "people"
	}
	return "home"
}
