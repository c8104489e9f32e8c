package views

import (
	"context"
	"fmt"
	"time"

	"github.com/a-h/templ"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/views/ui"
)

// AdminHomeParams is the overview of the platform.
//
//	templ AdminHomePage(page Page, p AdminHomeParams) // GET /admin
type AdminHomeParams struct {
	Accounts          int
	SuspendedAccounts int
	Persons           int
	Sites             map[hosting.State]int
	Databases         int
	FTPLogins         int
	Work              []hosting.Work
	Changing          []AdminSite // pending, applying or removing
	Services          []Service
	Recent            []AuditRow
	CanCreate         bool // may create associations
	CanAudit          bool
}

// AdminSite is a site and whose it is.
type AdminSite struct {
	hosting.Site
	Account hosting.Account
}

// AccountRow is an association in a list.
type AccountRow struct {
	hosting.Account
	Plan  hosting.Plan
	Usage hosting.Usage
}

// AdminAccountsParams is the list of associations. Filters of the query: q,
// state (live, suspended, removing), plan (its name), dues (valid, soon, ended,
// open). Columns to sort by: label, plan, state, sites, expires. GET
// /admin/accounts/download is the whole list as a table.
//
//	templ AdminAccountsPage(page Page, p AdminAccountsParams) // GET /admin/accounts
type AdminAccountsParams struct {
	List      List
	Rows      []AccountRow
	Plans     []hosting.Plan
	Bulk      BulkForm
	CanCreate bool
}

// AccountForm is POST /admin/accounts/new and POST /admin/accounts/:id/edit
// (there without name and the first person).
type AccountForm struct {
	Label      string `form:"label"`
	Name       string `form:"name"`
	Plan       string `form:"plan"`    // name of a plan
	Expires    string `form:"expires"` // 2006-01-02, may be empty
	Note       string `form:"note"`
	PersonName string `form:"person_name"`
	Email      string `form:"email"`
	Role       string `form:"role"`
	Confirm    string `form:"confirm"` // ConfirmYes or ConfirmBack, after the page that says what it does
	Errors     Errors `form:"-"`
}

// AccountNewParams asks for a new association and its first person. The answer
// is InvitationLinkPage.
//
//	templ AdminAccountNewPage(page Page, p AccountNewParams)  // GET, POST /admin/accounts/new
type AccountNewParams struct {
	Form  AccountForm
	Plans []hosting.Plan
}

// AdminAccountParams is one association as the team sees it.
//
//	templ AdminAccountPage(page Page, p AdminAccountParams)   // GET /admin/accounts/:id
type AdminAccountParams struct {
	Account    hosting.Account
	Room       Room
	People     []Member
	Sites      []hosting.Site
	Databases  []hosting.Database
	FTPLogins  []FTPRow
	Recent     []hosting.AuditEntry
	Notes      []hosting.AccountNote // the last ones
	NoteCount  int
	CanWrite   bool // edit, remove, invite
	CanSuspend bool
	CanPersons bool // pages of persons
}

// RenewForm is POST /admin/accounts/:id/renew: a year more.
type RenewForm struct {
	From   string `form:"from"`   // the end that the page showed, as RFC 3339
	Resume bool   `form:"resume"` // and the suspended account comes back
	Next   string `form:"next"`   // "/admin" to come back to the overview
}

// AccountEditParams changes an association.
//
//	templ AdminAccountEditPage(page Page, p AccountEditParams) // GET, POST /admin/accounts/:id/edit
type AccountEditParams struct {
	Account hosting.Account
	Form    AccountForm
	Plans   []hosting.Plan
}

// AccountDeleteParams says what goes with an association and asks for its name.
//
//	templ AdminAccountDeletePage(page Page, p AccountDeleteParams) // GET, POST /admin/accounts/:id/delete
type AccountDeleteParams struct {
	Account   hosting.Account
	Sites     []hosting.Hostname
	Databases []hosting.DatabaseName
	FTPLogins []hosting.FTPName
	People    []Member // who lose their role; nobody is deleted
	Days      int      // for which all of it can be brought back
	Form      ConfirmForm
}

// PlanRow is a plan and how many associations have it.
type PlanRow struct {
	hosting.Plan
	Accounts int
}

// AdminPlansParams is the list of plans.
//
//	templ AdminPlansPage(page Page, p AdminPlansParams)       // GET /admin/plans
type AdminPlansParams struct {
	Rows     []PlanRow
	CanWrite bool
}

// PlanForm is POST /admin/plans/new and POST /admin/plans/:id. An empty limit
// is none; disk is in megabytes.
type PlanForm struct {
	Name       string `form:"name"` // only when new
	Label      string `form:"label"`
	Sites      string `form:"sites"`
	Databases  string `form:"databases"`
	FTPLogins  string `form:"ftp_logins"`
	DiskMB     string `form:"disk_mb"`
	DatabaseMB string `form:"database_mb"`
	Confirm    string `form:"confirm"` // ConfirmYes or ConfirmBack, after the page that says what it does
	Errors     Errors `form:"-"`
}

// PlanParams is a plan to make (Plan nil) or to change. Removing is POST
// /admin/plans/:id/delete, refused while Accounts is not 0.
//
//	templ AdminPlanPage(page Page, p PlanParams)              // GET, POST /admin/plans/new and /admin/plans/:id
type PlanParams struct {
	Plan     *hosting.Plan
	Form     PlanForm
	Accounts int
}

// PersonRow is a person in a list, with the associations.
type PersonRow struct {
	hosting.Person
	Accounts []string // labels
}

// AdminPersonsParams is the list of persons. Filters of the query: q, role
// (administrator, technician, member), state (active, invited, disabled).
// Columns to sort by: name, email, seen.
//
//	templ AdminPersonsPage(page Page, p AdminPersonsParams)   // GET /admin/persons
type AdminPersonsParams struct {
	List List
	Rows []PersonRow
}

// PersonForm is POST /admin/persons/new and POST /admin/persons/:id. The answer
// of the first is InvitationLinkPage.
type PersonForm struct {
	Email    string `form:"email"`
	Name     string `form:"name"`
	Role     string `form:"role"`    // "" (member), technician or administrator
	Account  string `form:"account"` // short name of an association, may be empty; only when new
	As       string `form:"as"`      // role there
	Until    string `form:"until"`   // for a contractor
	Language string `form:"language"`
	Errors   Errors `form:"-"`
}

// PersonNewParams invites somebody.
//
//	templ AdminPersonNewPage(page Page, f PersonForm)         // GET, POST /admin/persons/new

// PersonMembership is an association of a person.
type PersonMembership struct {
	hosting.Membership
	Account hosting.Account
}

// AdminPersonParams is one person. Self is the person who looks: nobody
// disables oneself.
//
//	templ AdminPersonPage(page Page, p AdminPersonParams)     // GET, POST /admin/persons/:id
type AdminPersonParams struct {
	Factor      bool // two-step verification is on
	Person      hosting.Person
	Memberships []PersonMembership
	Form        PersonForm
	Self        bool
}

// AdminSitesParams is the list of all sites. Filters of the query: q, state.
// Columns to sort by: host, account, state.
//
//	templ AdminSitesPage(page Page, p AdminSitesParams)       // GET /admin/sites
type AdminSitesParams struct {
	List List
	Rows []AdminSite
}

// AuditRow is an entry and the label of its association.
type AuditRow struct {
	hosting.AuditEntry
	Account string
}

// AuditParams is the audit log. Filters of the query: q, account (its short
// name), since (2006-01-02).
//
//	templ AdminAuditPage(page Page, p AuditParams)            // GET /admin/audit
type AuditParams struct {
	List   List
	Rows   []AuditRow
	Errors Errors // account, since
}

// Service is a daemon of the platform. State is "ready", "starting", "stopped"
// or "failed".
type Service struct {
	Name   string // mariadb, apache, agent, ftpd, panel, php
	State  string
	PID    int
	Since  time.Time // zero when it is not known
	Detail string    // a version, or numbers; shown as it is
}

// PlatformParams is the state of the platform.
//
//	templ AdminPlatformPage(page Page, p PlatformParams)      // GET /admin/platform
type PlatformParams struct {
	Services  []Service
	Ports     []Port
	Versions  []Version
	Sites     map[hosting.State]int
	DataDir   string
	StartedAt time.Time // zero when it is not known
	Machine   string    // its name
	Period    string    // "day", "week", "month" or "year"
	Samples   []hosting.Sample
}

// Port is where a service listens: "http", "https", "ftp", "panel".
type Port struct {
	Name   string
	Number int
}

// Version is a program and its version.
type Version struct{ Name, Number string }

func adminAccountPath(id hosting.AccountID, rest string) string {
	return fmt.Sprintf("/admin/accounts/%d%s", id, rest)
}

func adminPersonPath(id hosting.PersonID, rest string) string {
	return fmt.Sprintf("/admin/persons/%d%s", id, rest)
}

func adminPlanPath(id hosting.PlanID, rest string) string {
	return fmt.Sprintf("/admin/plans/%d%s", id, rest)
}

// digits is a field for a number; texts are accepted and refused with words.
var digits = templ.Attributes{"inputmode": "numeric"}

// overviewLede says the day and how much waits.
func overviewLede(ctx context.Context, page Page, p AdminHomeParams) string {
	if waiting := len(p.Work); waiting > 0 {
		return i18n.T(ctx, "overview.lede", waiting, i18n.LongDate(ctx, page.Now))
	}
	return i18n.T(ctx, "overview.lede_none", i18n.LongDate(ctx, page.Now))
}

func totalSites(sites map[hosting.State]int) int {
	total := 0
	for _, n := range sites {
		total += n
	}
	return total
}

// sitesIn counts the sites of a state; those being applied wait like pending
// ones.
func sitesIn(sites map[hosting.State]int, s hosting.State) int {
	if s == hosting.Pending {
		return sites[hosting.Pending] + sites[hosting.Applying]
	}
	return sites[s]
}

// troubled counts the services that do not answer.
func troubled(services []Service) int {
	n := 0
	for _, s := range services {
		if s.State != "ready" {
			n++
		}
	}
	return n
}

// serviceName is a service in words; one that has none is shown by its name.
func serviceName(ctx context.Context, s Service) string {
	key := "service." + s.Name
	if text := i18n.T(ctx, key); text != key {
		return text
	}
	return s.Name
}

func platformLede(ctx context.Context, page Page, p PlatformParams) string {
	switch {
	case p.Machine == "":
		return ""
	case p.StartedAt.IsZero():
		return i18n.T(ctx, "platform.lede", p.Machine)
	}
	return i18n.T(ctx, "platform.lede_since", p.Machine, i18n.Delay(ctx, page.Now.Sub(p.StartedAt)))
}

func isoTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func planFilter(ctx context.Context, plans []hosting.Plan) []ui.Option {
	options := []ui.Option{{Value: "", Label: i18n.T(ctx, "list.all_plans")}}
	for _, p := range plans {
		options = append(options, ui.Option{Value: string(p.Name), Label: planLabel(p)})
	}
	return options
}

// renewFrom is the end of a membership as RenewForm holds it.
func renewFrom(end time.Time) string { return end.UTC().Format(time.RFC3339Nano) }

func duesFilter(ctx context.Context) []ui.Option {
	options := []ui.Option{{Value: "", Label: i18n.T(ctx, "list.all_plans")}}
	for _, d := range hosting.AllDues {
		options = append(options, ui.Option{Value: string(d), Label: i18n.T(ctx, "dues."+string(d))})
	}
	return options
}

func planOptions(ctx context.Context, plans []hosting.Plan) []ui.Option {
	var options []ui.Option
	for _, p := range plans {
		options = append(options, ui.Option{Value: string(p.Name), Label: planLabel(p), Hint: planSummary(ctx, p)})
	}
	return options
}

func planTitle(ctx context.Context, p PlanParams) string {
	if p.Plan == nil {
		return i18n.T(ctx, "plans.create")
	}
	return i18n.T(ctx, "plans.edit_title", planLabel(*p.Plan))
}

func planLede(ctx context.Context, p PlanParams) string {
	if p.Plan == nil {
		return ""
	}
	return i18n.T(ctx, "plans.touches", p.Accounts)
}

func planAction(p PlanParams) string {
	if p.Plan == nil {
		return "/admin/plans/new"
	}
	return adminPlanPath(p.Plan.ID, "")
}

// roleLines are the roles on an association, each in one line.
func roleLines(ctx context.Context) []ui.Option {
	options := roleOptions(ctx)
	for i, o := range options {
		options[i].Label = o.Label + i18n.T(ctx, "colon") + o.Hint
	}
	return options
}

// roleValue is the role that a form begins with.
func roleValue(role string) string {
	if role == "" {
		return string(hosting.Owner)
	}
	return role
}

func platformRoleOptions(ctx context.Context) []ui.Option {
	return []ui.Option{
		{Value: string(hosting.NoRole), Label: i18n.T(ctx, "platform_role.member"), Hint: i18n.T(ctx, "platform_role.member_text")},
		{Value: string(hosting.Technician), Label: i18n.T(ctx, "platform_role.technician"), Hint: i18n.T(ctx, "platform_role.technician_text")},
		{Value: string(hosting.Administrator), Label: i18n.T(ctx, "platform_role.administrator"), Hint: i18n.T(ctx, "platform_role.administrator_text")},
	}
}

func platformRoleFilter(ctx context.Context) []ui.Option {
	return []ui.Option{
		{Value: "", Label: i18n.T(ctx, "list.all_roles")},
		{Value: "member", Label: i18n.T(ctx, "platform_role.member")},
		{Value: string(hosting.Technician), Label: i18n.T(ctx, "platform_role.technician")},
		{Value: string(hosting.Administrator), Label: i18n.T(ctx, "platform_role.administrator")},
	}
}

func personStateFilter(ctx context.Context) []ui.Option {
	return []ui.Option{
		{Value: "", Label: i18n.T(ctx, "list.all_states")},
		{Value: "active", Label: i18n.T(ctx, "person.state_active")},
		{Value: "invited", Label: i18n.T(ctx, "person.state_invited")},
		{Value: "disabled", Label: i18n.T(ctx, "person.state_disabled")},
	}
}
