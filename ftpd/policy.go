package ftpd

import (
	"context"
	"net/netip"
	"time"

	"cancale/internal/hosting"
)

// policy is what holds for all sessions now: how the daemon was started, and
// over that what the administrators have set.
type policy struct {
	tls         TLSPolicy
	reuse       bool       // data connections must resume the session's TLS
	active      bool       // PORT and EPRT
	public      netip.Addr // for PASV; may be the zero Addr
	first, last int        // passive ports

	login, idle, data, drain   time.Duration
	sessions, source, perLogin int
	speedKB                    int // of a login, each way; 0 is any
}

// now is the policy to decide by. It is asked at each decision and never kept.
func (srv *server) now() *policy { return srv.policy.Load() }

// readPolicy looks at the settings again.
func (srv *server) readPolicy(ctx context.Context) error {
	all, err := srv.cfg.Store.Settings(ctx)
	if err != nil {
		return err
	}
	p := srv.policyOf(all.FTP)
	if before := srv.policy.Swap(&p); before == nil || *before != p {
		srv.setSpeeds(p.speedKB)
	}
	return nil
}

// policyOf puts what was set over what the daemon was started with. A setting
// that nobody has touched leaves that as it is.
func (srv *server) policyOf(set hosting.FTPSettings) policy {
	cfg, lim, untouched := srv.cfg, srv.limits, hosting.DefaultSettings().FTP
	p := policy{
		tls: cfg.TLS, reuse: cfg.RequireReuse || set.RequireReuse, active: set.Active.Over(cfg.Active),
		public: set.PublicAddress, speedKB: set.Speed,
		first:    over(cfg.PassiveMin, set.PassiveFirst, untouched.PassiveFirst),
		last:     over(cfg.PassiveMax, set.PassiveLast, untouched.PassiveLast),
		login:    over(lim.login, set.Login, untouched.Login),
		idle:     over(lim.idle, set.Idle, untouched.Idle),
		data:     over(lim.data, set.Data, untouched.Data),
		drain:    over(lim.drain, time.Duration(set.Stop)*time.Second, time.Duration(untouched.Stop)*time.Second),
		sessions: over(lim.sessions, set.Sessions, untouched.Sessions),
		source:   over(lim.source, set.SessionsPerSource, untouched.SessionsPerSource),
		perLogin: over(lim.perLogin, set.SessionsPerLogin, untouched.SessionsPerLogin),
	}
	if set.TLS != hosting.TLSDefault {
		p.tls = set.TLS
	}
	return p
}

func over[T comparable](base, set, untouched T) T {
	if set == untouched {
		return base
	}
	return set
}

// passiveAddress is what PASV announces: the public address to clients from
// outside, and to those near by, who may not reach that one, the address that
// they have reached.
func (s *session) passiveAddress() netip.Addr {
	if public := s.srv.now().public; public.IsValid() && !nearby(s.peer.Addr()) {
		return public
	}
	return s.local.Addr()
}

// nearby reports whether an address is of this machine or of its own network.
func nearby(a netip.Addr) bool {
	return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast()
}
