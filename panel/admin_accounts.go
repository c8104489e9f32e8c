package panel

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/a-h/templ"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/internal/store"
	"cancale/views"
)

var accountColumns = []string{"label", "plan", "state", "sites", "expires"}

// accountFilter is what the address asks of the list of associations.
func (r *Request) accountFilter() (views.List, store.AccountFilter) {
	list, page, sort, search := r.list(accountColumns...)
	filter := store.AccountFilter{
		Search:  search,
		State:   r.state(hosting.Live, hosting.Suspended, hosting.Removing),
		Page:    page,
		PerPage: perPage,
		Sort:    sort,
	}
	if name, err := hosting.ParsePlanName(r.Query("plan")); err == nil {
		filter.Plan = name
	}
	if dues := hosting.Dues(r.Query("dues")); slices.Contains(hosting.AllDues, dues) {
		filter.Dues = dues
	}
	return list, filter
}

// listAccounts is GET /admin/accounts.
func (s *server) listAccounts(r *Request) error {
	list, filter := r.accountFilter()
	return s.drawAccounts(r, list, filter, views.BulkForm{}, r.Render)
}

func (s *server) drawAccounts(r *Request, list views.List, filter store.AccountFilter, form views.BulkForm, answer answer) error {
	rows, total, err := s.store.Accounts(r.Context(), r.Actor.Scope(r.need), filter)
	if err != nil {
		return err
	}
	plans, err := s.plans(r)
	if err != nil {
		return err
	}
	list.Total = total
	params := views.AdminAccountsParams{
		List:      list,
		Rows:      accountRows(rows),
		Plans:     plans,
		Bulk:      form,
		CanCreate: r.Actor.Can(hosting.AdminAccounts),
	}
	return r.page(func(p views.Page) error { return answer(views.AdminAccountsPage(p, params)) })
}

// downloadAccounts is GET /admin/accounts/download: all that the list is
// narrowed to, as a table.
func (s *server) downloadAccounts(r *Request) error {
	_, filter := r.accountFilter()
	ctx := r.Context()
	t := func(key string) string { return i18n.T(ctx, key) }
	out := r.sheet("associations-"+r.now.Local().Format(time.DateOnly)+".csv",
		t("field.account"), t("field.short_name"), t("field.plan"), t("field.state"), t("field.expires"),
		t("field.sites"), t("field.databases"), t("field.ftp_logins"), t("field.disk")+" ("+t("unit.megabytes")+")", t("field.created"))
	out.close(s.store.EachAccount(ctx, r.Actor.Scope(r.need), filter, func(a store.AccountRow) error {
		out.row(labelOf(a.Account), string(a.Name), orName(a.Plan.Label, string(a.Plan.Name)), t("state.account."+string(a.State())), dayText(a.Expires),
			strconv.Itoa(a.Usage.Sites), strconv.Itoa(a.Usage.Databases), strconv.Itoa(a.Usage.FTPLogins), strconv.FormatInt(a.Space.Used>>20, 10), dayText(&a.CreatedAt))
		return nil
	}))
	return nil
}

func accountRows(rows []store.AccountRow) []views.AccountRow {
	list := make([]views.AccountRow, len(rows))
	for i, row := range rows {
		list[i] = views.AccountRow{Account: row.Account, Plan: row.Plan, Usage: row.Usage}
	}
	return list
}

func (s *server) plans(r *Request) ([]hosting.Plan, error) {
	rows, err := s.store.Plans(r.Context(), r.Actor.Scope(hosting.AdminRead))
	plans := make([]hosting.Plan, len(rows))
	for i, row := range rows {
		plans[i] = row.Plan
	}
	return plans, err
}

// newAccount is GET /admin/accounts/new.
func (s *server) newAccount(r *Request) error {
	form := views.AccountForm{Role: string(hosting.Owner)}
	r.into(&form)
	return s.drawNewAccount(r, form, r.Render)
}

func (s *server) drawNewAccount(r *Request, form views.AccountForm, answer func(templ.Component) error) error {
	plans, err := s.plans(r)
	if err != nil {
		return err
	}
	if form.Plan == "" && len(plans) > 0 {
		form.Plan = string(plans[0].Name)
	}
	params := views.AccountNewParams{Form: form, Plans: plans}
	return r.page(func(p views.Page) error { return answer(views.AdminAccountNewPage(p, params)) })
}

// createAccount is POST /admin/accounts/new: an association, its first person
// and that person's link, all or nothing.
func (s *server) createAccount(r *Request) error {
	var form views.AccountForm
	r.into(&form)
	var errs hosting.Errors
	spec, err := accountSpec(form)
	errs.Add(err)
	spec.Name, err = hosting.ParseAccountName(form.Name)
	errs.Add(err)
	person, membership, err := firstPerson(r, form)
	errs.Add(err)
	var account hosting.Account
	var invitation store.Invitation
	if err = errs.Err(); err == nil {
		account, invitation, err = s.store.CreateAccountFor(r.Context(), r.Actor, spec, person, membership)
	}
	if messages, ok := refused(err); ok {
		form.Errors = messages
		return s.drawNewAccount(r, form, r.Invalid)
	}
	if err != nil {
		return err
	}
	return r.invited(invitation, account.ID, "/admin/persons/%d/invited", invitation.Person)
}

// firstPerson reads who an association begins with.
func firstPerson(r *Request, form views.AccountForm) (person hosting.PersonSpec, m store.MembershipSpec, err error) {
	var errs hosting.Errors
	person.Language = r.Session.Person.Language
	person.Email, err = hosting.ParseEmail(form.Email)
	errs.Add(err)
	person.Name, err = hosting.ParseLabel("person_name", form.PersonName)
	errs.Add(err)
	if m.Role = hosting.Role(form.Role); m.Role != hosting.Owner && m.Role != hosting.Webmaster {
		errs.Add(hosting.Refuse(hosting.Invalid, "role", "role.unknown"))
	}
	return person, m, errs.Err()
}

// accountSpec reads what may be changed of an association.
func accountSpec(form views.AccountForm) (spec hosting.AccountSpec, err error) {
	var errs hosting.Errors
	spec.Label, err = hosting.ParseLabel("label", form.Label)
	errs.Add(err)
	if err == nil && spec.Label == "" {
		errs.Add(hosting.Refuse(hosting.Invalid, "label", "label.missing"))
	}
	spec.Plan, err = hosting.ParsePlanName(form.Plan)
	errs.Add(inField("plan", err))
	spec.Expires, err = parseDay("expires", form.Expires)
	errs.Add(err)
	spec.Note, err = hosting.ParseNote("note", form.Note)
	errs.Add(err)
	return spec, errs.Err()
}

// adminAccount is the association of the address.
func (r *Request) adminAccount() (store.AccountRow, error) {
	id, err := r.id()
	if err != nil {
		return store.AccountRow{}, err
	}
	return r.srv.store.Account(r.Context(), r.Actor.Scope(r.need), hosting.AccountID(id))
}

const (
	adminRecent = 10
	recentNotes = 3
)

// showAccount is GET /admin/accounts/:id. Whoever opens it acts for it from
// then on: the member's pages show this association.
func (s *server) showAccount(r *Request) error {
	account, err := r.adminAccount()
	if err != nil {
		return err
	}
	if err := r.about(account.ID); err != nil {
		return err
	}
	params, err := s.adminAccountParams(r, account)
	if err != nil {
		return err
	}
	return r.page(func(p views.Page) error { return r.Render(views.AdminAccountPage(p, params)) })
}

func (s *server) adminAccountParams(r *Request, account store.AccountRow) (params views.AdminAccountParams, err error) {
	ctx, scope := r.Context(), r.Actor.Scope(r.need).Only(account.ID)
	params = views.AdminAccountParams{
		Account:    account.Account,
		Room:       roomOf(&account),
		CanWrite:   r.Actor.Can(hosting.AdminAccounts),
		CanSuspend: r.Actor.Can(hosting.AdminSuspend),
		CanPersons: r.Actor.Can(hosting.AdminPersons),
	}
	if params.People, err = s.members(r, account.ID); err != nil {
		return params, err
	}
	sites, _, err := s.store.Sites(ctx, scope, store.SiteFilter{Account: account.ID, Page: 1, PerPage: perPage, Sort: "host"})
	if err != nil {
		return params, err
	}
	params.Sites = sitesOf(sites)
	bases, _, err := s.store.Databases(ctx, scope, store.DatabaseFilter{Account: account.ID, Page: 1, PerPage: perPage, Sort: "name"})
	if err != nil {
		return params, err
	}
	for _, row := range bases {
		params.Databases = append(params.Databases, row.Database)
	}
	logins, _, err := s.store.FTPLogins(ctx, scope, store.FTPFilter{Account: account.ID, Page: 1, PerPage: perPage, Sort: "login"})
	if err != nil {
		return params, err
	}
	params.FTPLogins = ftpRows(logins)
	if params.Notes, params.NoteCount, err = s.store.AccountNotes(ctx, r.Actor.Scope(hosting.AdminNotes), account.ID, 1, recentNotes); err != nil {
		return params, err
	}
	params.Recent, _, err = s.store.Audit(ctx, scope, store.AuditFilter{Account: account.ID, Page: 1, PerPage: adminRecent})
	return params, err
}

// editAccount is GET /admin/accounts/:id/edit.
func (s *server) editAccount(r *Request) error {
	account, err := r.adminAccount()
	if err != nil {
		return err
	}
	form := views.AccountForm{
		Label:   account.Label,
		Name:    string(account.Name),
		Plan:    string(account.Plan.Name),
		Expires: dayText(account.Expires),
		Note:    account.Note,
	}
	r.into(&form)
	return s.drawEditAccount(r, account, form, r.Render)
}

func (s *server) drawEditAccount(r *Request, account store.AccountRow, form views.AccountForm, answer func(templ.Component) error) error {
	plans, err := s.plans(r)
	if err != nil {
		return err
	}
	params := views.AccountEditParams{Account: account.Account, Form: form, Plans: plans}
	return r.page(func(p views.Page) error { return answer(views.AdminAccountEditPage(p, params)) })
}

// updateAccount is POST /admin/accounts/:id/edit. The short name stays.
func (s *server) updateAccount(r *Request) error {
	account, err := r.adminAccount()
	if err != nil {
		return err
	}
	var form views.AccountForm
	r.into(&form)
	form.Name = string(account.Name)
	if form.Confirm == views.ConfirmBack {
		return s.drawEditAccount(r, account, form, r.Render)
	}
	spec, err := accountSpec(form)
	if err == nil && form.Confirm != views.ConfirmYes && spec.Plan != account.Plan.Name {
		over, effectErr := s.store.AccountPlanEffect(r.Context(), r.Actor.Scope(r.need), account.ID, spec.Plan)
		if len(over) > 0 {
			return s.confirmAccountPlan(r, account, form, over)
		}
		if hosting.KindOf(effectErr) != hosting.NotFound { // a plan that is none is refused by its change
			err = effectErr
		}
	}
	if err == nil {
		spec.Name = account.Name
		_, err = s.store.UpdateAccount(r.Context(), r.Actor, account.ID, spec)
	}
	if messages, ok := refused(err); ok {
		form.Errors = messages
		return s.drawEditAccount(r, account, form, r.Invalid)
	}
	if err != nil {
		return err
	}
	r.Flash("account.updated", spec.Label)
	return r.Redirect("/admin/accounts/%d", account.ID)
}

// confirmAccountPlan says which limits an association would be over with
// another plan, before it gets it.
func (s *server) confirmAccountPlan(r *Request, account store.AccountRow, form views.AccountForm, over []hosting.Excess) error {
	plans, err := s.plans(r)
	if err != nil {
		return err
	}
	params := views.AccountPlanParams{Account: account.Account, Plan: form.Plan, Form: form, Excesses: over}
	for _, plan := range plans {
		if string(plan.Name) == form.Plan {
			params.Plan = orName(plan.Label, form.Plan)
		}
	}
	return r.page(func(p views.Page) error { return r.Render(views.AdminAccountPlanPage(p, params)) })
}

// suspendAccount is POST /admin/accounts/:id/suspend.
func (s *server) suspendAccount(r *Request) error {
	return s.onAccount(r, "account.suspended", s.store.SuspendAccount)
}

// resumeAccount is POST /admin/accounts/:id/resume.
func (s *server) resumeAccount(r *Request) error {
	return s.onAccount(r, "account.resumed", s.store.ResumeAccount)
}

// renewAccount is POST /admin/accounts/:id/renew: a year more, from the end
// that the page showed.
func (s *server) renewAccount(r *Request) error {
	account, err := r.adminAccount()
	if err != nil {
		return err
	}
	var form views.RenewForm
	r.into(&form)
	from, err := time.Parse(time.RFC3339Nano, form.From)
	if err != nil {
		return hosting.Refuse(hosting.Conflict, "", "account.renewed_already", labelOf(account.Account))
	}
	renewed, err := s.store.RenewAccount(r.Context(), r.Actor, account.ID, from, form.Resume)
	if err != nil {
		return err
	}
	r.Flash("account.renewed", labelOf(renewed), i18n.Date(r.Context(), *renewed.Expires))
	if form.Next == "/admin" {
		return r.Redirect("/admin")
	}
	return r.Redirect("/admin/accounts/%d", account.ID)
}

func (s *server) onAccount(r *Request, done string, act func(context.Context, hosting.Actor, hosting.AccountID) error) error {
	account, err := r.adminAccount()
	if err != nil {
		return err
	}
	if err := act(r.Context(), r.Actor, account.ID); err != nil {
		return err
	}
	r.Flash(done, labelOf(account.Account))
	return r.Redirect("/admin/accounts/%d", account.ID)
}

func labelOf(a hosting.Account) string {
	if a.Label == "" {
		return string(a.Name)
	}
	return a.Label
}

// confirmAccountRemoval is GET /admin/accounts/:id/delete: what goes with it.
func (s *server) confirmAccountRemoval(r *Request) error {
	account, err := r.adminAccount()
	if err != nil {
		return err
	}
	return s.drawAccountRemoval(r, account, views.ConfirmForm{}, r.Render)
}

func (s *server) drawAccountRemoval(r *Request, account store.AccountRow, form views.ConfirmForm, answer func(templ.Component) error) error {
	removal, err := s.store.RemovalPreview(r.Context(), r.Actor.Scope(r.need), account.ID)
	if err != nil {
		return err
	}
	people, err := s.members(r, account.ID)
	if err != nil {
		return err
	}
	days, err := r.removedDays()
	if err != nil {
		return err
	}
	params := views.AccountDeleteParams{
		Days:      days,
		Account:   account.Account,
		Sites:     removal.Sites,
		Databases: removal.Databases,
		FTPLogins: removal.FTPLogins,
		People:    people,
		Form:      form,
	}
	return r.page(func(p views.Page) error { return answer(views.AdminAccountDeletePage(p, params)) })
}

// removeAccount is POST /admin/accounts/:id/delete.
func (s *server) removeAccount(r *Request) error {
	account, err := r.adminAccount()
	if err != nil {
		return err
	}
	var form views.ConfirmForm
	r.into(&form)
	if !confirms(form.Confirm, string(account.Name)) {
		form.Errors = views.Errors{"confirm": hosting.Msg("confirm.differs", string(account.Name))}
		return s.drawAccountRemoval(r, account, form, r.Invalid)
	}
	if err := s.store.RemoveAccount(r.Context(), r.Actor, account.ID); err != nil {
		return err
	}
	r.sayRemoved("account.removed", hosting.TrashAccount, uint64(account.ID), labelOf(account.Account))
	return r.Redirect("/admin/accounts")
}

// accountPath is the page of an association in the administration.
func accountPath(id hosting.AccountID) string { return fmt.Sprintf("/admin/accounts/%d", id) }
