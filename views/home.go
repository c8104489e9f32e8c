package views

import (
	"context"
	"strings"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
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
	CanWrite bool                 // may create sites
	CanFTP   bool                 // may create FTP logins
	CanBases bool                 // may create databases
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
