package views

import (
	"context"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
)

// PlanConfirmParams says what a change of limits does before it is made: the
// form is sent once more, with confirm.
//
//	templ AdminPlanConfirmPage(page Page, p PlanConfirmParams) // POST /admin/plans/:id
type PlanConfirmParams struct {
	Plan     hosting.Plan
	Accounts int // that have it
	Form     PlanForm
	Effects  []hosting.PlanEffect
}

// AccountPlanParams says what another plan does to an association before it is
// given: the form is sent once more, with confirm.
//
//	templ AdminAccountPlanPage(page Page, p AccountPlanParams) // POST /admin/accounts/:id/edit
type AccountPlanParams struct {
	Account  hosting.Account
	Plan     string // what it is called
	Form     AccountForm
	Excesses []hosting.Excess
}

// How a form answers the page that says what it does.
const (
	ConfirmYes  = "yes"
	ConfirmBack = "back" // to the form, as it was filled in
)

// effectsShown is how many associations are listed; the others are counted.
const effectsShown = 100

// excess is what is beyond a limit, in words.
func excess(ctx context.Context, e hosting.Excess) string {
	name, say := "field."+e.Limit, i18n.Number
	switch e.Limit {
	case "disk_mb":
		name, say = "field.disk", i18n.Bytes
	case "database_mb":
		name, say = "field.database_size", i18n.Bytes
	}
	return i18n.T(ctx, "effect.line", i18n.T(ctx, name), say(ctx, e.Used), say(ctx, e.Most))
}
