package ftpd

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"cancale/internal/hosting"
	"cancale/internal/store"
)

// visit is what every session has, whatever protocol it speaks: a connection,
// a login, the files that this one reaches, and the ways to end it.
type visit struct {
	id          uint64 // by which the panel names it
	srv         *server
	conn        *net.TCPConn
	peer, local netip.AddrPort
	begun       time.Time
	ctx         context.Context // ends with the connection
	cancel      context.CancelFunc

	login    *hosting.FTPLogin // nil before
	failures int
	tree     tree
	share    *share // with the login's other sessions

	revoked atomic.Bool // the login is no longer good for this session
	ended   atomic.Bool // somebody ended it from the panel

	mu     sync.Mutex // guards the fields below and what each protocol adds to them
	grant  *grant     // nil before the login
	acts   []*act     // what it does now
	rested time.Time  // since when it does nothing
}

// visitor is a session of one of the protocols. Its methods may be called from
// any goroutine.
type visitor interface {
	base() *visit
	protocol() hosting.Protocol
	wake()   // look at whether the daemon is stopping
	revoke() // end, because the login is no longer good; be cut at the second call
	kick()   // cut the connections
}

func (v *visit) base() *visit { return v }

// arrive fills in what is known of a new connection.
func (v *visit) arrive(srv *server, conn *net.TCPConn) {
	v.srv, v.conn, v.begun = srv, conn, time.Now()
	v.id, v.rested = rand.Uint64(), v.begun //nolint:gosec // no secret: an end is asked for with a permission
	v.peer, v.local = addrPort(conn.RemoteAddr()), addrPort(conn.LocalAddr())
	v.ctx, v.cancel = context.WithCancel(context.Background())
	if raw, err := conn.SyscallConn(); err == nil {
		// What the kernel still holds for a client that takes nothing, it drops with
		// the connection, even while we wait for the next command.
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(srv.limits.reply.Milliseconds()))
		})
	}
}

// enter puts a session on the books, or says why not.
func (srv *server) enter(s visitor) (refusal string) {
	source, now := sourceOf(s.base().peer.Addr()), srv.now()
	srv.mu.Lock()
	defer srv.mu.Unlock()
	switch {
	case srv.stopping.Load():
		return "The service is stopping, try again in a minute."
	case srv.banned[source].After(time.Now()):
		return "Too many wrong passwords came from your address, try again later."
	case len(srv.sessions) >= now.sessions:
		return "Too many connections, try again later."
	case srv.sources[source] >= now.source:
		return "Too many connections from your address."
	}
	srv.sessions[s] = struct{}{}
	srv.sources[source]++
	srv.running.Add(1)
	return ""
}

// leave takes a session off the books.
func (srv *server) leave(s visitor) {
	if v := s.base(); v.share != nil {
		srv.part(v.login.ID, v.share)
	}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	source := sourceOf(s.base().peer.Addr())
	delete(srv.sessions, s)
	if srv.sources[source]--; srv.sources[source] == 0 {
		delete(srv.sources, source)
	}
	srv.running.Done()
}

func (srv *server) each(fn func(visitor)) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	for s := range srv.sessions {
		fn(s)
	}
}

// over is the error of a session that has to end, guarded by its mu.
func (v *visit) over() error {
	if v.revoked.Load() || v.srv.stopping.Load() {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// welcome opens the files of a login that the store let in.
func (v *visit) welcome(found store.FTPSession) error {
	v.tree.ledger = v.srv.ledger
	if err := v.tree.plant(v.srv.cfg.Layout, found.Login, found.Site, found.Sites); err != nil {
		slog.Warn("ftp login without files", slog.String("login", string(found.Login.Login)), slog.Any("error", err))
		return err
	}
	share, err := v.srv.join(found.Login)
	if err != nil {
		return err
	}
	login := found.Login // alone: the rows of its sites are not kept
	v.login, v.share = &login, share
	v.mu.Lock()
	v.grant = grantOf(found)
	v.mu.Unlock()
	return nil
}

// patience is the longest wait that the store asks for which a session waits
// out itself: programs that open ten connections at once, each of them one more
// attempt until its password is checked, are to get in.
const patience = 3

func (v *visit) authenticate(name, password string) (store.FTPSession, error) {
	defer v.srv.tidy.Reset(tidyPause)
	for waited := 0; ; {
		found, err := v.srv.cfg.Store.AuthenticateFTP(v.ctx, name, password, v.peer.Addr().String())
		seconds := waitOf(err)
		if seconds == 0 || waited+seconds > patience {
			return found, err
		}
		waited += seconds
		v.pause(time.Duration(seconds) * time.Second)
	}
}

// waitOf is how many seconds the store asks to wait before another attempt.
func waitOf(err error) int {
	refused, ok := errors.AsType[*hosting.Error](err)
	if !ok || refused.Kind != hosting.OverLimit || len(refused.Message.Args) == 0 {
		return 0
	}
	seconds, _ := strconv.Atoi(refused.Message.Args[0])
	return seconds
}

// pause waits, as long as the connection is there.
func (v *visit) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-v.ctx.Done():
	}
}
