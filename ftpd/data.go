package ftpd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// data is the data connection of a session: at most one listener and one
// connection at a time. It is guarded by the session's mu, since it is closed
// from other goroutines.
type data struct {
	listener *net.TCPListener
	active   netip.AddrPort     // where to connect to instead, when valid
	giveUp   context.CancelFunc // of the connection that is being made
	conn     *net.TCPConn
	aborted  bool // by the client, during the transfer that runs
	lost     bool // the control connection is gone
	watching bool // the watcher may set deadlines
}

// close ends both; whoever waits for them gets an error.
func (d *data) close() {
	if d.listener != nil {
		_ = d.listener.Close()
	}
	if d.conn != nil {
		_ = d.conn.Close()
	}
	if d.giveUp != nil {
		d.giveUp()
	}
	d.listener, d.conn, d.giveUp, d.active = nil, nil, nil, netip.AddrPort{}
}

var (
	errNoListener = errors.New("no EPSV or PASV before")
	errPortsBusy  = errors.New("no passive port is free")
	errAborted    = errors.New("aborted by the client")
	errLost       = errors.New("control connection lost")
)

// listen opens the listener of the session, in place of one that is open, on
// the address that the client knows. The whole range is tried.
func (s *session) listen() (port int, err error) {
	s.closeData()
	ports := uint32(s.srv.cfg.PassiveMax - s.srv.cfg.PassiveMin + 1)
	start := s.srv.nextPort.Add(1)
	for i := range ports {
		port = s.srv.cfg.PassiveMin + int((start+i)%ports)
		l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(s.local.Addr(), uint16(port))))
		if errors.Is(err, unix.EADDRINUSE) {
			continue
		}
		if err != nil {
			return 0, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.ctx.Err() != nil {
			_ = l.Close()
			return 0, s.ctx.Err()
		}
		s.data.listener = l
		return port, nil
	}
	return 0, errPortsBusy
}

func (s *session) closeData() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data.close()
}

// open makes the data connection, the way that the client asked for.
func (s *session) open() (*dataConn, error) {
	s.mu.Lock()
	to := s.data.active
	if !to.IsValid() {
		s.mu.Unlock()
		return s.accept()
	}
	ctx, giveUp := context.WithTimeout(s.ctx, s.srv.limits.accept)
	s.data.giveUp = giveUp
	s.mu.Unlock()
	defer giveUp()
	from := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(s.local.Addr(), 0))}
	conn, err := from.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.data.active != to { // closed meanwhile
		_ = conn.Close()
		return nil, net.ErrClosed
	}
	s.data.active, s.data.giveUp, s.data.conn = netip.AddrPort{}, nil, conn.(*net.TCPConn)
	return &dataConn{TCPConn: s.data.conn, session: s}, nil
}

// accept waits for the client's data connection. Others that connect are sent
// away: the port is no secret.
func (s *session) accept() (*dataConn, error) {
	s.mu.Lock()
	l := s.data.listener
	s.mu.Unlock()
	if l == nil {
		return nil, errNoListener
	}
	_ = l.SetDeadline(time.Now().Add(s.srv.limits.accept))
	for {
		conn, err := l.AcceptTCP()
		if err != nil {
			return nil, err
		}
		if addrPort(conn.RemoteAddr()).Addr() != s.peer.Addr() {
			_ = conn.Close()
			continue
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.data.listener != l { // closed meanwhile
			_ = conn.Close()
			return nil, net.ErrClosed
		}
		_ = l.Close()
		s.data.listener, s.data.conn = nil, conn
		return &dataConn{TCPConn: conn, session: s}, nil
	}
}

// transfer runs fn with the data connection, between the replies that belong
// to it. Meanwhile an ABOR is obeyed and a lost control connection noticed.
func (s *session) transfer(what string, fn func(*dataConn) error) {
	s.mu.Lock()
	ready := s.data.listener != nil || s.data.active.IsValid()
	s.data.aborted = false
	s.mu.Unlock()
	if s.srv.cfg.TLS == TLSRequired && !s.protection.data {
		s.closeData()
		s.reply(521, "PBSZ 0 and PROT P first: data must be protected here.")
		return
	}
	if !ready {
		s.reply(425, "Use EPSV or PASV first.")
		return
	}
	s.moved.Store(0)
	unwatch := s.watch()
	conn, err := s.open()
	if err == nil {
		conn.unwatch = unwatch
		s.reply(150, what)
		if err = conn.startTLS(); err == nil {
			err = fn(conn)
		}
		if err == nil {
			err = conn.sayEnd()
		}
	}
	unwatch()
	s.closeData()
	s.concludeTransfer(conn != nil, err)
}

func (s *session) concludeTransfer(opened bool, err error) {
	s.mu.Lock()
	aborted := s.data.aborted
	s.data.aborted = false
	s.mu.Unlock()
	switch {
	case aborted:
		// The reply of the transfer and that of the ABOR, RFC 959 section 4.1.3.
		if err == nil {
			s.reply(226, "Transfer complete.")
		} else {
			s.reply(426, "Transfer aborted.")
		}
		s.reply(226, "Abort done.")
	case err == nil:
		s.reply(226, "Transfer complete.")
	case !opened && errors.Is(err, os.ErrDeadlineExceeded):
		s.reply(425, "No data connection was opened in time.")
	case !opened:
		s.reply(425, "Cannot open the data connection.")
	default:
		s.replyTransferError(err)
	}
}

// watch reads the control connection while the session is busy with a transfer,
// from the moment that it takes longer; most are over before. The function that
// it returns ends that, may be called again, and returns when the reading side
// belongs to the session's goroutine again.
func (s *session) watch() (unwatch func()) {
	s.mu.Lock()
	s.data.watching = true
	s.mu.Unlock()
	done := make(chan struct{})
	timer := time.AfterFunc(s.srv.limits.watch, func() {
		defer close(done)
		s.mu.Lock()
		if s.data.watching && s.over() == nil {
			_ = s.conn.SetReadDeadline(time.Time{})
		}
		s.mu.Unlock()
		s.follow()
	})
	return sync.OnceFunc(func() {
		if timer.Stop() {
			return
		}
		s.mu.Lock()
		s.data.watching = false
		_ = s.conn.SetReadDeadline(time.Unix(1, 0))
		s.mu.Unlock()
		<-done
	})
}

// maxQueue is how many commands may wait for the end of a transfer.
const maxQueue = 16

// follow reads lines until there is something to stop for. An ABOR ends the
// transfer; other commands wait for its end.
func (s *session) follow() {
	for len(s.queue) < maxQueue {
		line, err := s.readLine()
		switch {
		case err == nil && strings.EqualFold(string(line), "ABOR"):
			s.mu.Lock()
			s.data.aborted = true
			s.data.close()
			s.mu.Unlock()
			return
		case err == nil && strings.EqualFold(string(line), "STAT"):
			s.replyLines(211, s.state(fmt.Sprintf("Data connection open, %d bytes so far", s.progress()))...)
		case err == nil || errors.Is(err, errLongLine) || errors.Is(err, errControlByte):
			s.queue = append(s.queue, received{line, err})
		case errors.Is(err, os.ErrDeadlineExceeded):
			return
		default:
			if !s.quitting() {
				s.mu.Lock()
				s.data.lost = true
				s.data.close()
				s.mu.Unlock()
			}
			return
		}
	}
}

// quitting reports whether the client has said goodbye and may thus hang up.
func (s *session) quitting() bool {
	for _, q := range s.queue {
		if strings.EqualFold(string(q.line), "QUIT") {
			return true
		}
	}
	return false
}

// hungUp reports whether the client closed the control connection without a
// QUIT: what ended on the data connection was then not complete, for the
// system closes both connections of a program that is killed.
func (s *session) hungUp() bool {
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return true
	}
	var closed bool
	err = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.SOL_TCP, unix.TCP_INFO)
		closed = err != nil || info.State != unix.BPF_TCP_ESTABLISHED // the same numbers as TCP's own
	})
	if err != nil {
		return true
	}
	if !closed {
		return false
	}
	// What came before the end decides.
	s.mu.Lock()
	_ = s.conn.SetReadDeadline(time.Now().Add(time.Second))
	s.mu.Unlock()
	s.follow()
	return !s.quitting()
}

// dataConn is a data connection in use. Every step of it must be made within
// the limit, but a transfer may last as long as it moves.
type dataConn struct {
	*net.TCPConn
	session *session
	unwatch func()
	tls     *tls.Conn // nil in clear
	sends   bool
}

func (d *dataConn) deadline() time.Time { return time.Now().Add(d.session.srv.limits.data) }

// Read reads what is uploaded. Its io.EOF means that all has come; whatever
// broke the upload off is an interruptedError.
func (d *dataConn) Read(p []byte) (int, error) {
	_ = d.SetReadDeadline(d.deadline())
	n, err := d.stream().Read(p)
	if n > 0 || err == nil {
		d.session.moved.Add(int64(n))
		return n, nil
	}
	return 0, d.ended(err)
}

// ended says what the end of the incoming data means.
func (d *dataConn) ended(err error) error {
	s := d.session
	d.unwatch() // an ABOR or the end of the control connection is known afterwards
	s.mu.Lock()
	aborted, lost := s.data.aborted, s.data.lost
	s.mu.Unlock()
	switch {
	case aborted:
		return interruptedError{errAborted}
	case lost:
		return interruptedError{errLost}
	case !errors.Is(err, io.EOF):
		return interruptedError{err}
	case s.hungUp():
		return interruptedError{errLost}
	}
	return io.EOF
}

// Write sends a listing, or text.
func (d *dataConn) Write(p []byte) (int, error) {
	_ = d.SetWriteDeadline(d.deadline())
	d.sends = true
	n, err := d.stream().Write(p)
	d.session.moved.Add(int64(n))
	return n, err
}

// sendChunk is the most that one call of sendfile(2) is asked for.
const sendChunk = 1 << 20

// sendFile sends the next n bytes of a file without a copy through our memory.
func (d *dataConn) sendFile(f *os.File, n int64) (sent int64, err error) {
	if d.tls != nil {
		return d.sendCopy(f, n)
	}
	raw, err := d.SyscallConn()
	if err != nil {
		return 0, err
	}
	from := int(f.Fd())
	for sent < n {
		var m int
		var failed error
		_ = d.SetWriteDeadline(d.deadline())
		err := raw.Write(func(fd uintptr) bool {
			m, failed = unix.Sendfile(int(fd), from, nil, int(min(n-sent, sendChunk)))
			return !errors.Is(failed, unix.EAGAIN) && !errors.Is(failed, unix.EINTR)
		})
		if err == nil {
			err = failed
		}
		if err != nil {
			return sent, err
		}
		if m == 0 {
			return sent, io.ErrUnexpectedEOF // the file became shorter
		}
		sent += int64(m)
		d.session.moved.Add(int64(m))
	}
	return sent, nil
}

// progress is how many bytes of the running transfer have moved. Those that the
// kernel moves for us it also counts.
func (s *session) progress() int64 {
	s.mu.Lock()
	conn := s.data.conn
	s.mu.Unlock()
	moved := s.moved.Load()
	if conn == nil || s.protection.data {
		return moved
	}
	if raw, err := conn.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			if info, err := unix.GetsockoptTCPInfo(int(fd), unix.SOL_TCP, unix.TCP_INFO); err == nil {
				moved = max(moved, int64(info.Bytes_received))
			}
		})
	}
	return moved
}

// spliceChunk is how much of an upload is moved before it is counted.
const spliceChunk = 8 << 20

// fileTroubles are errors of splice(2) that are the file's and not the
// connection's.
var fileTroubles = []error{unix.ENOSPC, unix.EDQUOT, unix.EFBIG, unix.EIO, unix.EROFS, unix.ENOMEM}

// splice writes what is uploaded to a file without a copy through our memory.
func (d *dataConn) splice(f *os.File) (n int64, err error) {
	for {
		_ = d.SetReadDeadline(d.deadline())
		m, err := f.ReadFrom(&io.LimitedReader{R: d.TCPConn, N: spliceChunk})
		n += m
		d.session.moved.Add(m)
		switch {
		case m > 0 && (err == nil || errors.Is(err, os.ErrDeadlineExceeded)): // it moves
		case err == nil:
			if err = d.ended(io.EOF); errors.Is(err, io.EOF) {
				return n, nil
			}
			return n, err
		case slices.ContainsFunc(fileTroubles, func(trouble error) bool { return errors.Is(err, trouble) }):
			return n, err
		default:
			return n, d.ended(err)
		}
	}
}

// bufferSize is how much of an upload is written at a time.
const bufferSize = 256 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// copyToFile copies all of r to f; what comes in clear does not pass through
// our memory.
func copyToFile(f *os.File, r io.Reader) (n int64, err error) {
	if d, ok := r.(*dataConn); ok && d.tls == nil {
		return d.splice(f)
	}
	buf := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buf)
	for {
		m, err := r.Read(buf[:])
		if m > 0 {
			w, err := f.Write(buf[:m])
			n += int64(w)
			if err != nil {
				return n, err
			}
		}
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}
