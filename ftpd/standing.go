package ftpd

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
)

// grant is what a session was let in with.
type grant struct {
	login      hosting.FTPLoginID
	generation uint64
	sites      []hosting.SiteID // those in service
}

func grantOf(found store.FTPSession) *grant {
	g := &grant{login: found.Login.ID, generation: found.Login.Sync.Generation}
	for _, site := range found.Sites {
		if !site.Off() {
			g.sites = append(g.sites, site.ID)
		}
	}
	return g
}

// holds reports whether the session would be let in again, to the same things.
func (g *grant) holds(now store.FTPStanding) bool {
	return now.Open && now.Generation == g.generation &&
		!slices.ContainsFunc(g.sites, func(id hosting.SiteID) bool { return !now.Sites[id] })
}

// followStandings ends sessions whose login was shut, changed or removed, or
// whose account or site was suspended. It asks for all of them at once.
func (srv *server) followStandings(ctx context.Context) {
	tick := time.NewTicker(srv.limits.recheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		grants := srv.grants()
		if len(grants) == 0 {
			continue
		}
		ids := make([]hosting.FTPLoginID, 0, len(grants))
		for _, g := range grants {
			ids = append(ids, g.login)
		}
		slices.Sort(ids)
		standings, err := srv.cfg.Store.FTPStandings(ctx, slices.Compact(ids))
		if err != nil {
			if ctx.Err() == nil {
				slog.Warn("ftp sessions are not checked", slog.Any("error", err))
			}
			continue
		}
		for s, g := range grants {
			if !g.holds(standings[g.login]) {
				slog.Info("ftp session ended from here", slog.Uint64("login", uint64(g.login)), slog.String("source", s.peer.Addr().String()))
				s.revoke()
			}
		}
	}
}

// grants are those of the sessions that are logged in.
func (srv *server) grants() map[*session]*grant {
	grants := map[*session]*grant{}
	srv.each(func(s *session) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.grant != nil {
			grants[s] = s.grant
		}
	})
	return grants
}

// revoke ends the session: its transfer now, and itself with a word to the
// client. One that has not ended at the second call is cut.
func (s *session) revoke() {
	if s.revoked.Swap(true) {
		s.kick()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data.close()
	_ = s.conn.SetReadDeadline(time.Unix(1, 0))
}

// over is the error of a session that has to end, guarded by its mu.
func (s *session) over() error {
	if s.revoked.Load() || s.srv.stopping.Load() {
		return os.ErrDeadlineExceeded
	}
	return nil
}
