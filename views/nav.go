package views

import (
	"context"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/views/ui"
)

// trail is the way to a member's page: the association, then the steps.
func trail(page Page, steps ...ui.Crumb) []ui.Crumb {
	if page.Account == nil {
		return steps
	}
	return append([]ui.Crumb{{Text: accountLabel(*page.Account), URL: "/"}}, steps...)
}

// adminTrail is the way to a page of the administration.
func adminTrail(ctx context.Context, steps ...ui.Crumb) []ui.Crumb {
	return append([]ui.Crumb{{Text: i18n.T(ctx, "nav.admin"), URL: "/admin"}}, steps...)
}

// col makes a column that can be sorted; first says that the list is sorted by
// it when nothing is asked.
func (l List) col(label, column string, first bool) ui.Col {
	return ui.Col{Label: label, URL: l.SortURL(column), Sorted: l.Sorted(column, first)}
}

// stateOptions are the states that a list can be filtered by.
func stateOptions(ctx context.Context, noun string, states ...hosting.State) []ui.Option {
	options := []ui.Option{{Value: "", Label: i18n.T(ctx, "list.all_states")}}
	for _, s := range states {
		options = append(options, ui.Option{Value: string(s), Label: i18n.T(ctx, "state."+noun+"."+string(s))})
	}
	return options
}

func siteStates(ctx context.Context) []ui.Option {
	return stateOptions(ctx, "site", hosting.Live, hosting.Pending, hosting.Applying, hosting.Failed, hosting.Suspended, hosting.Removing)
}
