package views

import (
	"context"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/views/ui"
)

// refreshSeconds is how soon a page without JavaScript looks again while a
// change is going on.
const refreshSeconds = 5

// justNow is how long after its end a change is still announced.
const justNow = 2 * time.Minute

// wish is what a site is asked to become: "create", "update", "suspend" or
// "remove".
func wish(s hosting.Site) string {
	switch {
	case s.Sync.Removing:
		return "remove"
	case s.Off():
		return "suspend"
	case s.Sync.Generation <= 1:
		return "create"
	}
	return "update"
}

// shown is the state that a page shows: a wish that is not settled yet is never
// shown as settled.
func shown(s hosting.Sync) hosting.State {
	if !s.Current() && (s.State == hosting.Live || s.State == hosting.Suspended) {
		return hosting.Pending
	}
	return s.State
}

// changeTitle names the change that a site goes through.
func changeTitle(ctx context.Context, s hosting.Site) string {
	return i18n.T(ctx, "change.site_"+wish(s))
}

// siteLine is the one sentence beside the state, which a screen reader hears
// when it changes.
func siteLine(ctx context.Context, s hosting.Site) string {
	state := shown(s.Sync)
	if inMaintenance(s) {
		return i18n.T(ctx, "site.line_maintenance", i18n.DateTime(ctx, s.Sync.ChangedAt))
	}
	switch state {
	case hosting.Live, hosting.Suspended:
		return i18n.T(ctx, "site.line_"+string(state), i18n.DateTime(ctx, s.Sync.ChangedAt))
	case hosting.Failed:
		return i18n.T(ctx, "site.line_failed_"+wish(s))
	}
	return i18n.T(ctx, "site.line_"+string(state))
}

// inMaintenance says that a site which answers shows its visitors another page.
func inMaintenance(s hosting.Site) bool {
	return shown(s.Sync) == hosting.Live && s.Behaviour.Maintenance.On && !s.Off()
}

// siteSteps is how far the change of a site is.
func siteSteps(ctx context.Context, s hosting.Site) []ui.Step {
	kind := wish(s)
	steps := []ui.Step{
		{State: "done", Title: i18n.T(ctx, "step.asked"), Hint: i18n.T(ctx, "step.asked_hint")},
		{State: "todo", Title: i18n.T(ctx, "step.prepare_"+kind), Hint: i18n.T(ctx, "step.prepare_"+kind+"_hint")},
		{State: "todo", Title: i18n.T(ctx, "step.confirm_"+kind)},
	}
	switch shown(s.Sync) {
	case hosting.Pending:
		steps[1].Hint = i18n.T(ctx, "step.waiting_hint")
	case hosting.Applying, hosting.Removing:
		steps[1].State = "now"
	case hosting.Failed:
		steps[1].State = "failed"
		steps[1].Hint = ""
	case hosting.Live, hosting.Suspended:
		steps[1].State, steps[2].State = "done", "done"
	}
	return steps
}

// databaseLine is the one sentence beside the state of a database.
func databaseLine(ctx context.Context, d hosting.Database) string {
	return i18n.T(ctx, "database.line_"+string(shown(d.Sync)))
}

// settled reports whether a page has nothing to wait for.
func settled(s hosting.Sync) bool { return shown(s).Settled() }

// announced reports whether the end of a change is recent enough to be told.
func announced(s hosting.Sync, now time.Time) bool {
	return s.State == hosting.Live && s.Current() && now.Sub(s.ChangedAt) < justNow
}

// refreshUntilSettled is how soon a page without JavaScript looks again.
func refreshUntilSettled(s hosting.Sync) int {
	if settled(s) {
		return 0
	}
	return refreshSeconds
}
