package ftpd

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// acceptPause is the wait after the system could not give a connection.
const acceptPause = 100 * time.Millisecond

// listener gives the engine connections within the limits, as sessions.
type listener struct {
	net.Listener
	srv      *server
	done     <-chan struct{}
	implicit bool // TLS from the first byte on
}

// Accept is the engine's source of connections. Those beyond a limit are told
// so and closed; a lack of descriptors is waited out.
func (l *listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			if !l.srv.stopping.Load() && passing(err) {
				slog.Warn("ftp accept", slog.Any("error", err))
				select { // nothing tells when descriptors are free again
				case <-time.After(acceptPause):
				case <-l.done:
				}
				continue
			}
			return nil, err
		}
		if l.implicit && !l.srv.offersTLS() {
			_ = conn.Close()
			continue
		}
		s, refusal := l.srv.admit(conn)
		if s != nil {
			s.implicit = l.implicit
			return s, nil
		}
		if l.implicit {
			_ = conn.Close()
			continue
		}
		// A fresh connection takes that much without waiting.
		_ = conn.SetWriteDeadline(time.Now().Add(acceptPause))
		_, _ = conn.Write([]byte("421 " + refusal + "\r\n"))
		_ = conn.Close()
	}
}

// acceptEnded is what was wrong when no more connections are taken; the end of
// the listener is no error.
func acceptEnded(err error) error {
	if err == nil || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return fmt.Errorf("ftpd: accept: %w", err)
}

// passing reports whether an error of accept(2) goes by.
func passing(err error) bool {
	for _, errno := range []syscall.Errno{unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM, unix.ECONNABORTED, unix.EINTR, unix.EPROTO} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// admit makes a session of a connection, or says why not.
func (srv *server) admit(conn net.Conn) (s *session, refusal string) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil, "TCP only."
	}
	s = newSession(srv, tcp)
	if refusal = srv.enter(s); refusal != "" {
		s.cancel()
		return nil, refusal
	}
	return s, ""
}

// addrPort is an address without the form of IPv4 in IPv6.
func addrPort(a net.Addr) netip.AddrPort {
	ap := a.(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// sourceBits is how much of an IPv6 address is one subscriber's.
const sourceBits = 64

// sourceOf is what counts as one source of connections.
func sourceOf(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = sourceBits
	}
	p, _ := a.WithZone("").Prefix(bits) // the number of bits is right
	return p
}
