package panel

import (
	"net/http"
	"slices"
	"strconv"

	"cancale/internal/hosting"
	"cancale/views"
)

// liveSessions are the sessions of the FTP service that the person may see; of
// one account, unless it is 0. A service that does not answer has none to show.
func (s *server) liveSessions(r *Request, account hosting.AccountID) (rows []hosting.LiveSession, down bool, err error) {
	err = s.link.Call(r.Context(), r.Actor, http.MethodGet, "/sessions", nil, nil, &rows)
	if err != nil && hosting.KindOf(err) == hosting.Unavailable {
		s.logFailure(r.echo, "live sessions", err)
		return nil, true, nil
	}
	if account != 0 {
		rows = slices.DeleteFunc(rows, func(l hosting.LiveSession) bool { return l.AccountID != account })
	}
	return rows, false, err
}

// showSessions is GET /ftp/sessions, and the list alone when htmx asks.
func (s *server) showSessions(r *Request) error {
	account, err := r.acts()
	if err != nil {
		return err
	}
	params := views.SessionsParams{Path: "/ftp/sessions", CanEnd: r.Actor.CanIn(hosting.FTPWrite, account.ID)}
	return s.drawSessions(r, account.ID, params)
}

func (s *server) drawSessions(r *Request, account hosting.AccountID, params views.SessionsParams) error {
	var err error
	if params.Rows, params.Down, err = s.liveSessions(r, account); err != nil {
		return err
	}
	params.Now = r.now
	if params.Admin {
		if params.Labels, err = labelsOf(r, params.Rows, func(l hosting.LiveSession) hosting.AccountID { return l.AccountID }); err != nil {
			return err
		}
	}
	return r.page(func(p views.Page) error {
		params.CSRF = p.CSRF
		if r.partial() {
			return r.Render(views.SessionList(params))
		}
		return r.Render(views.SessionsPage(p, params))
	})
}

// endLiveSession is POST /ftp/sessions/:id/end.
func (s *server) endLiveSession(r *Request) error { return s.endLive(r, "/ftp/sessions") }

// showAllSessions is GET /admin/sessions.
func (s *server) showAllSessions(r *Request) error {
	return s.drawSessions(r, 0, views.SessionsParams{Path: "/admin/sessions", Admin: true, CanEnd: r.Actor.Can(hosting.AdminSuspend)})
}

// endAnySession is POST /admin/sessions/:id/end.
func (s *server) endAnySession(r *Request) error { return s.endLive(r, "/admin/sessions") }

// endLive ends a session and goes back to the list. One that has ended by
// itself meanwhile is no error: that is what was wanted.
func (s *server) endLive(r *Request, back string) error {
	id, err := r.id()
	if err != nil {
		return err
	}
	var ended hosting.LiveSession
	err = s.link.Call(r.Context(), r.Actor, http.MethodPost, "/sessions/"+strconv.FormatUint(id, 10)+"/end", nil, nil, &ended)
	switch {
	case err == nil && ended.Login == "":
		r.Flash("sessions.ended_source", ended.Source)
	case err == nil:
		r.Flash("sessions.ended", string(ended.Login), ended.Source)
	case hosting.KindOf(err) == hosting.NotFound:
		r.Flash("sessions.gone")
	default:
		return err
	}
	return r.Redirect("%s", back)
}
