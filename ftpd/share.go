package ftpd

import (
	"errors"

	"golang.org/x/time/rate"

	"cancale/internal/hosting"
)

// share is what the sessions of one login have together.
type share struct {
	sessions int // guarded by the server's mu
	speedKB  int // the login's own; 0 is as the policy says
	up, down *rate.Limiter
}

// errCrowded refuses one session more of a login than it may have.
var errCrowded = errors.New("too many sessions of the login")

// How much moves at once under a limit: a tenth of a second's worth, within
// bounds.
const (
	leastPiece = 4 << 10
	mostPiece  = 256 << 10
)

// join takes a session of the login into the books.
func (srv *server) join(login hosting.FTPLogin) (*share, error) {
	now := srv.now()
	most := now.perLogin
	if login.Sessions > 0 {
		most = login.Sessions
	}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	s := srv.shares[login.ID]
	if s == nil {
		s = &share{up: rate.NewLimiter(rate.Inf, leastPiece), down: rate.NewLimiter(rate.Inf, leastPiece)}
	} else if s.sessions >= most {
		return nil, errCrowded
	}
	s.sessions++
	s.speedKB = login.SpeedKB
	s.limit(now.speedKB)
	srv.shares[login.ID] = s
	return s, nil
}

// part takes a session of the login off the books.
func (srv *server) part(id hosting.FTPLoginID, s *share) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if s.sessions--; s.sessions == 0 {
		delete(srv.shares, id)
	}
}

// setSpeeds makes the speed of the policy that of all logins that have none of
// their own.
func (srv *server) setSpeeds(speedKB int) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	for _, s := range srv.shares {
		s.limit(speedKB)
	}
}

func (s *share) limit(general int) {
	kb := general
	if s.speedKB > 0 {
		kb = s.speedKB
	}
	limit, burst := rate.Inf, leastPiece
	if kb > 0 {
		limit = rate.Limit(kb) * 1024
		burst = min(max(kb*1024/10, leastPiece), mostPiece)
	}
	for _, l := range []*rate.Limiter{s.up, s.down} {
		if l.Limit() != limit {
			l.SetBurst(burst)
			l.SetLimit(limit)
		}
	}
}

// piece is how much of most may move at once.
func piece(l *rate.Limiter, most int) int {
	if l.Limit() == rate.Inf {
		return most
	}
	return min(most, l.Burst())
}

// paid waits until n bytes that have moved are within the limit. It is cut
// short when the connection ends.
func (v *visit) paid(l *rate.Limiter, n int) {
	for n > 0 && l.Limit() != rate.Inf {
		m := min(n, l.Burst())
		if l.WaitN(v.ctx, m) == nil {
			n -= m
		} else if v.ctx.Err() != nil {
			return
		}
	}
}
