package ftpd

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
)

// grant is what a session was let in with.
type grant struct {
	login      hosting.FTPLoginID
	name       hosting.FTPName
	account    hosting.AccountID
	generation uint64
	sites      []hosting.SiteID // those in service
	clear      bool             // over FTP without TLS
}

func grantOf(found store.FTPSession) *grant {
	g := &grant{login: found.Login.ID, name: found.Login.Login, account: found.Login.AccountID, generation: found.Login.Sync.Generation}
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

// followStandings looks at the settings again and again, and ends sessions whose login was shut, changed or removed, or
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
		if err := srv.readPolicy(ctx); err != nil && ctx.Err() == nil {
			slog.Warn("ftp settings are not read", slog.Any("error", err))
		}
		required := srv.now().tls == TLSRequired
		srv.followBans(ctx)
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
			if !g.holds(standings[g.login]) || g.clear && required {
				slog.Info("ftp session ended from here", slog.Uint64("login", uint64(g.login)), slog.String("source", s.base().peer.Addr().String()))
				s.revoke()
			}
		}
	}
}

// followBans learns which networks are banned, so that their connections cost
// nothing, not even a question to the database.
func (srv *server) followBans(ctx context.Context) {
	banned, err := srv.cfg.Store.BannedSources(ctx)
	if err != nil {
		if ctx.Err() == nil {
			slog.Warn("ftp bans are not known", slog.Any("error", err))
		}
		return
	}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.banned = banned
}

// grants are those of the sessions that are logged in.
func (srv *server) grants() map[visitor]*grant {
	grants := map[visitor]*grant{}
	srv.each(func(s visitor) {
		v := s.base()
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.grant != nil {
			grants[s] = v.grant
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
	s.data.end()
	_ = s.conn.SetReadDeadline(time.Unix(1, 0))
}
