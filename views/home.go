package views

import (
	"context"
	"strconv"
	"strings"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/views/ui"
)

// HomeParams is the member's home for the association acted for.
//
//	templ HomePage(page Page, p HomeParams)      // GET /
//	templ NoAccountPage(page Page)               // GET / of somebody with no association
type HomeParams struct {
	Room     Room
	Sites    []hosting.Site       // the first few, the ones that need a look first
	Changing []hosting.Site       // pending, applying or removing now
	Recent   []hosting.AuditEntry // newest first, of this association
	Failed   int                  // sites in state failed
	// Traffic is that of all sites, each of the last 30 days; Visits that of the
	// sites shown. Month is the sum of this month so far, LastMonth of the one
	// before.
	Traffic          []hosting.TrafficDay
	Visits           map[hosting.SiteID][]hosting.TrafficDay
	Month, LastMonth hosting.TrafficDay
	Has              hosting.Overview
	Now              time.Time
	Answers          []hosting.Request // open ones that the team answered, the latest first
	CanWrite         bool              // may create sites
	CanFTP           bool              // may create FTP logins
	CanBases         bool              // may create databases
}

// traffic reports whether there are figures to show.
func (p HomeParams) traffic() bool {
	return p.Month.Hits > 0 || p.LastMonth.Hits > 0 || StatsParams{Days: p.Traffic}.total().Hits > 0
}

// month is the first day of this month, or of one before it.
func (p HomeParams) month(before int) time.Time {
	now := p.Now.Local()
	return time.Date(now.Year(), now.Month()-time.Month(before), 1, 0, 0, 0, 0, time.Local)
}

func (p HomeParams) monthName(ctx context.Context, before int) string {
	return i18n.T(ctx, "home.traffic_month", i18n.MonthYear(ctx, p.month(before)))
}

// before is the figure to compare that of this month with.
func (p HomeParams) before(ctx context.Context) string {
	return i18n.T(ctx, "home.traffic_before", i18n.Bytes(ctx, p.LastMonth.Bytes), i18n.MonthYear(ctx, p.month(1)))
}

func (p HomeParams) chart(ctx context.Context) ui.Chart {
	c := StatsParams{Period: "30", Days: p.Traffic}.bytes(ctx)
	c.Title = i18n.T(ctx, "home.traffic_chart")
	c.Summary = chartSummary(ctx, c)
	return c
}

// visitsOf are the visits of each day, and all of them.
func visitsOf(days []hosting.TrafficDay) (visits []int64, sum int64) {
	for _, d := range days {
		visits = append(visits, d.Visitors)
		sum += d.Visitors
	}
	return visits, sum
}

// greeting is the title of the home.
func greeting(ctx context.Context, p hosting.Person) string {
	if name := firstName(p); name != "" {
		return i18n.T(ctx, "home.hello_name", name)
	}
	return i18n.T(ctx, "home.hello")
}

// refreshFor is how soon a page without JavaScript looks again.
func refreshFor(changing []hosting.Site) int {
	if len(changing) > 0 {
		return refreshSeconds
	}
	return 0
}

// targetName is what an act of the audit log was done to.
func targetName(ctx context.Context, target string) string {
	if target == string(hosting.FirstEmail) {
		return i18n.T(ctx, "audit.first_administrator")
	}
	return target
}

// ActorName is who did something, as the audit log knows it, in words.
func ActorName(ctx context.Context, actor string) string { return actorName(ctx, actor) }

// ActionText is an act of the audit log in words.
func ActionText(ctx context.Context, action string) string { return actionText(ctx, action) }

// Number is a number as tables hold it.
func Number(n uint64) string { return strconv.FormatUint(n, 10) }

// behalfName adds in whose place something was done to who did it.
func behalfName(ctx context.Context, e hosting.AuditEntry) string {
	if e.Behalf == "" {
		return actorName(ctx, e.Actor)
	}
	return i18n.T(ctx, "audit.behalf", actorName(ctx, e.Actor), e.Behalf)
}

// actorName is who did something, as the audit log knows it.
func actorName(ctx context.Context, actor string) string {
	switch {
	case actor == "":
		return i18n.T(ctx, "audit.nobody")
	case actor == "up":
		return i18n.T(ctx, "audit.installation")
	case actor == string(hosting.FirstEmail):
		return i18n.T(ctx, "audit.first_administrator")
	case strings.HasPrefix(actor, "cli:"):
		return i18n.T(ctx, "audit.command_line", strings.TrimPrefix(actor, "cli:"))
	}
	return actor
}
