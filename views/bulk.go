package views

import (
	"context"
	"strconv"
	"strings"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/views/ui"
)

// BulkForm is POST /admin/accounts/bulk, with the filters of the list in its
// address: what is to be done to the associations that are ticked.
type BulkForm struct {
	Act      string   `form:"act"`
	Plan     string   `form:"new_plan"` // name of the plan that they get
	Accounts []string `form:"account"`  // identifiers
	All      bool     `form:"all"`      // all that the filters match
	Errors   Errors   `form:"-"`
}

// BulkParams is an act on many associations: what it will do, how far it is, or
// what has become of it. It is confirmed by POST /admin/bulk/:id/start, and
// ended by POST /admin/bulk/:id/stop.
//
//	templ AdminBulkPage(page Page, p BulkParams) // GET /admin/bulk/:id
//	templ BulkPart(page Page, p BulkParams)      // the same, asked for by htmx
type BulkParams struct {
	Report hosting.BulkReport
	Plan   string // what the plan that they get is called
}

func (p BulkParams) path(rest string) string {
	return "/admin/bulk/" + strconv.FormatUint(uint64(p.Report.ID), 10) + rest
}

// settled is to how many something was done, or could not be.
func (p BulkParams) settled() int { return p.Report.Total - p.Report.Waiting }

func (p BulkParams) title(ctx context.Context) string {
	return i18n.T(ctx, "bulk.title_"+string(p.Report.Act), p.Plan)
}

// refresh is how soon the page looks again, in seconds.
func (p BulkParams) refresh() int {
	if p.Report.State == hosting.BulkRunning {
		return 2
	}
	return 0
}

// names are those of the first of n things, and how many more there are.
func names(ctx context.Context, first []string, n int) string {
	text := strings.Join(first, ", ")
	if more := n - len(first); more > 0 {
		text += " " + i18n.T(ctx, "bulk.more", more)
	}
	return text
}

// bulkOptions are the acts that somebody may do to many associations.
func bulkOptions(ctx context.Context, actor hosting.Actor) []ui.Option {
	options := []ui.Option{{Value: "", Label: i18n.T(ctx, "bulk.choose")}}
	for _, act := range hosting.BulkActs {
		if actor.Can(act.Needs()) {
			options = append(options, ui.Option{Value: string(act), Label: i18n.T(ctx, "bulk.act_"+string(act))})
		}
	}
	return options
}

// planChoice are the plans that associations can be given.
func planChoice(ctx context.Context, plans []hosting.Plan) []ui.Option {
	options := []ui.Option{{Value: "", Label: i18n.T(ctx, "bulk.no_plan")}}
	for _, p := range plans {
		options = append(options, ui.Option{Value: string(p.Name), Label: planLabel(p)})
	}
	return options
}

func bulkReasonsTitle(ctx context.Context, p BulkParams) string {
	if p.Report.State == hosting.BulkDraft {
		return i18n.T(ctx, "bulk.cannot", p.Report.RefusedCount())
	}
	return i18n.T(ctx, "bulk.refused", p.Report.RefusedCount())
}
