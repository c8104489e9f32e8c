package views

import (
	"context"
	"net/url"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/views/ui"
)

// ActivityParams is who did what for an association. Filters of the query: q,
// who, thing, since and until (2006-01-02).
//
//	templ ActivityPage(page Page, p ActivityParams) // GET /activity
type ActivityParams struct {
	List   List
	Rows   []hosting.AuditEntry
	Actors []string
	Errors Errors // since, until
}

// sheetURL downloads what a list shows as a table.
func sheetURL(l List) string {
	q := url.Values{}
	for name, values := range l.Query {
		if name != "page" && name != "sort" && len(values) > 0 && values[0] != "" {
			q[name] = values
		}
	}
	if len(q) == 0 {
		return l.Path + "/download"
	}
	return l.Path + "/download?" + q.Encode()
}

func auditThings(ctx context.Context) []ui.Option {
	options := []ui.Option{{Value: "", Label: i18n.T(ctx, "activity.all_things")}}
	for _, thing := range hosting.AuditThings {
		options = append(options, ui.Option{Value: thing, Label: i18n.T(ctx, "activity.thing."+thing)})
	}
	return options
}

func auditActors(ctx context.Context, actors []string) []ui.Option {
	options := []ui.Option{{Value: "", Label: i18n.T(ctx, "activity.everybody")}}
	for _, actor := range actors {
		options = append(options, ui.Option{Value: actor, Label: actorName(ctx, actor)})
	}
	return options
}
