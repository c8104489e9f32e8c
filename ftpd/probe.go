package ftpd

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"cancale/internal/ftplink"
	"cancale/internal/hosting"
)

// probeTime is how long an open port waits for whoever asked for it.
const probeTime = 6 * time.Second

// Probe is a data port that is open for a moment, and what is read there.
type Probe struct {
	Port  int    `json:"port"`
	Token string `json:"token"`
}

// probeHandlers let an administrator see whether data ports are reached from
// elsewhere. Nothing but the token is ever sent or read there.
func (srv *server) probeHandlers(link *ftplink.Server) {
	link.Handle("POST /ftp/probe", hosting.AdminSettings, func(w http.ResponseWriter, r ftplink.Request) error {
		l, err := srv.probePort(r.Context())
		if err != nil {
			return err
		}
		token := rand.Text()
		go answerProbe(l, token)
		return ftplink.Answer(w, Probe{l.Addr().(*net.TCPAddr).Port, token})
	})
}

// probePort opens a free port of the passive range, on the addresses that the
// service listens on.
func (srv *server) probePort(ctx context.Context) (*net.TCPListener, error) {
	now, at := srv.now(), addrPort(srv.cfg.Listener.Addr()).Addr()
	for port := now.first; port <= now.last; port++ {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", netip.AddrPortFrom(at, uint16(port)).String())
		if err == nil {
			return l.(*net.TCPListener), nil
		}
		if !errors.Is(err, unix.EADDRINUSE) {
			return nil, err
		}
	}
	return nil, hosting.Refuse(hosting.Unavailable, "", "ftpcheck.ports_busy", strconv.Itoa(now.first), strconv.Itoa(now.last))
}

func answerProbe(l *net.TCPListener, token string) {
	defer l.Close()
	_ = l.SetDeadline(time.Now().Add(probeTime))
	conn, err := l.Accept()
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = conn.Write([]byte(token))
}
