package views

import (
	"context"
	"strconv"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/views/ui"
)

// SessionsParams is who is connected to the files now: of one association, or
// of all for the team.
//
//	templ SessionsPage(page Page, p SessionsParams) // GET /ftp/sessions, /admin/sessions
//	templ SessionList(p SessionsParams)             // the same, asked by htmx
type SessionsParams struct {
	Path   string // of the page
	Rows   []hosting.LiveSession
	Labels map[hosting.AccountID]string // of associations; for the team
	Down   bool                         // the service does not answer
	Admin  bool
	CanEnd bool
	CSRF   string
	Now    time.Time
}

func (p SessionsParams) endPath(l hosting.LiveSession) string {
	return p.Path + "/" + strconv.FormatUint(l.ID, 10) + "/end"
}

func (p SessionsParams) endID(l hosting.LiveSession) string {
	return "end-" + strconv.FormatUint(l.ID, 36)
}

func (p SessionsParams) nav() frame {
	if p.Admin {
		return frame{Nav: "connections", Admin: true}
	}
	return frame{Nav: "ftp"}
}

func (p SessionsParams) trail(ctx context.Context, page Page) []ui.Crumb {
	last := ui.Crumb{Text: i18n.T(ctx, "sessions.title")}
	if p.Admin {
		return adminTrail(ctx, last)
	}
	return trail(page, ui.Crumb{Text: i18n.T(ctx, "nav.ftp"), URL: "/ftp"}, last)
}

// sessionWho is who is connected, "" before the login is known.
func sessionWho(ctx context.Context, l hosting.LiveSession) string {
	if l.Login == "" {
		return i18n.T(ctx, "sessions.nobody")
	}
	return string(l.Login)
}

// sessionDoes is what a session does now, in words.
func sessionDoes(ctx context.Context, l hosting.LiveSession, now time.Time) string {
	if l.Action == "" {
		return i18n.T(ctx, "sessions.rests", i18n.Delay(ctx, max(now.Sub(l.Begun), 0)))
	}
	return i18n.T(ctx, "sessions.does_"+string(l.Action))
}

// sessionSpeed is how much moved and how fast.
func sessionSpeed(ctx context.Context, l hosting.LiveSession) string {
	if l.Speed == 0 {
		return i18n.Bytes(ctx, l.Bytes)
	}
	return i18n.T(ctx, "sessions.speed", i18n.Bytes(ctx, l.Bytes), i18n.Bytes(ctx, l.Speed))
}
