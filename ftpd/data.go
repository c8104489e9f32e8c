package ftpd

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"cancale/internal/hosting"

	"cancale/internal/disk"
)

// data is the data connection of a session: at most one port and one connection
// at a time. It is guarded by the session's mu, since it is ended from other
// goroutines.
type data struct {
	port     *socket
	active   netip.AddrPort     // where to connect to instead, when valid
	giveUp   context.CancelFunc // of the connection that is being made
	conn     *socket
	ended    bool // from elsewhere: what comes then is not what the client meant
	aborted  bool // by the client, during the transfer that runs
	lost     bool // the control connection is gone
	watching bool // the watcher may set deadlines
}

// end ends both, from any goroutine; whoever waits for them gets an error. The
// session's own closes them.
func (d *data) end() {
	for _, k := range []*socket{d.port, d.conn} {
		if k != nil {
			k.cut()
			d.ended = true
		}
	}
	if d.giveUp != nil {
		d.giveUp()
	}
	d.active = netip.AddrPort{}
}

// close closes both.
func (d *data) close() {
	for _, k := range []*socket{d.port, d.conn} {
		if k != nil {
			_ = k.Close()
		}
	}
	if d.giveUp != nil {
		d.giveUp()
	}
	d.port, d.conn, d.giveUp, d.active, d.ended = nil, nil, nil, netip.AddrPort{}, false
}

var (
	errNoListener = errors.New("no EPSV or PASV before")
	errPortsBusy  = errors.New("no passive port is free")
	errAborted    = errors.New("aborted by the client")
	errLost       = errors.New("control connection lost")
)

// listen opens the port of the session, in place of one that is open, on the
// address that the client knows. The whole range is tried.
func (s *session) listen() (port int, err error) {
	s.closeData()
	now := s.srv.now()
	ports := uint32(now.last - now.first + 1)
	start := s.srv.nextPort.Add(1)
	for i := range ports {
		port = now.first + int((start+i)%ports)
		family, address, err := socketAddress(netip.AddrPortFrom(s.local.Addr(), uint16(port)), s.conn)
		if err != nil {
			return 0, err
		}
		k, err := listenAt(family, address)
		if errors.Is(err, unix.EADDRINUSE) {
			continue
		}
		if err != nil {
			return 0, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.ctx.Err() != nil {
			_ = k.Close()
			return 0, s.ctx.Err()
		}
		s.data.port = k
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
	k, err := socketOf(conn.(*net.TCPConn)) //nolint:forcetypeassert // of "tcp"
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.data.active != to { // ended meanwhile
		_ = k.Close()
		return nil, net.ErrClosed
	}
	s.data.active, s.data.giveUp, s.data.conn = netip.AddrPort{}, nil, k
	return &dataConn{socket: k, session: s}, nil
}

// accept waits for the client's data connection. Others that connect are sent
// away: the port is no secret.
func (s *session) accept() (*dataConn, error) {
	s.mu.Lock()
	port := s.data.port
	s.mu.Unlock()
	if port == nil {
		return nil, errNoListener
	}
	_ = port.SetReadDeadline(time.Now().Add(s.srv.limits.accept))
	for {
		conn, from, err := port.accept()
		if errors.Is(err, unix.ECONNABORTED) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if from != s.peer.Addr().WithZone("") {
			_ = conn.Close()
			continue
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.data.ended {
			_ = conn.Close()
			return nil, net.ErrClosed
		}
		_ = port.Close()
		s.data.port, s.data.conn = nil, conn
		return &dataConn{socket: conn, session: s}, nil
	}
}

// transfer runs fn with the data connection, between the replies that belong
// to it. Meanwhile an ABOR is obeyed and a lost control connection noticed. It
// reports whether fn ran, and what broke it off.
func (s *session) transfer(what string, fn func(*dataConn) error) (ran bool, err error) {
	s.mu.Lock()
	ready := s.data.port != nil || s.data.active.IsValid()
	s.data.aborted = false
	s.mu.Unlock()
	if s.needsTLS() && !s.protection.data {
		s.closeData()
		s.reply(521, "PBSZ 0 and PROT P first: data must be protected here.")
		return false, nil
	}
	if !ready {
		s.reply(425, "Use EPSV or PASV first.")
		return false, nil
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
	return conn != nil, err
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
			s.data.end()
			s.mu.Unlock()
			return
		case err == nil && strings.EqualFold(string(line), "STAT"):
			s.replyLines(211, s.state(fmt.Sprintf("Data connection open, %d bytes so far", s.progress(s.protection.data)))...)
		case err == nil || errors.Is(err, errLongLine) || errors.Is(err, errControlByte):
			s.queue = append(s.queue, received{line, err})
		case errors.Is(err, os.ErrDeadlineExceeded):
			return
		default:
			if !s.quitting() {
				s.mu.Lock()
				s.data.lost = true
				s.data.end()
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
	*socket
	session *session
	unwatch func()
	tls     *tls.Conn // nil in clear
	sends   bool
}

func (d *dataConn) deadline() time.Time { return time.Now().Add(d.session.srv.now().data) }

// Read reads what is uploaded. Its io.EOF means that all has come; whatever
// broke the upload off is an interruptedError.
func (d *dataConn) Read(p []byte) (int, error) {
	_ = d.SetReadDeadline(d.deadline())
	n, err := d.stream().Read(p)
	if n > 0 || err == nil {
		d.session.moved.Add(int64(n))
		d.session.paid(d.session.share.up, n)
		return n, nil
	}
	return 0, d.ended(err)
}

// ended says what the end of the incoming data means.
func (d *dataConn) ended(err error) error {
	s := d.session
	d.unwatch() // an ABOR or the end of the control connection is known afterwards
	s.mu.Lock()
	aborted, lost, ended := s.data.aborted, s.data.lost, s.data.ended
	s.mu.Unlock()
	switch {
	case aborted:
		return interruptedError{errAborted}
	case lost:
		return interruptedError{errLost}
	case ended:
		return interruptedError{net.ErrClosed}
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
	d.session.paid(d.session.share.down, n)
	return n, err
}

// sendChunk is the most that one call of sendfile(2) is asked for.
const sendChunk = 1 << 20

// sendFile sends the next n bytes of a file without a copy through our memory.
func (d *dataConn) sendFile(f *os.File, n int64) (sent int64, err error) {
	if d.tls != nil {
		return d.sendCopy(f, n)
	}
	from, down := int(f.Fd()), d.session.share.down
	for sent < n {
		_ = d.SetWriteDeadline(d.deadline())
		m, err := d.socket.sendFile(from, int(min(n-sent, int64(piece(down, sendChunk)))))
		if err != nil {
			return sent, err
		}
		if m == 0 {
			return sent, io.ErrUnexpectedEOF // the file became shorter
		}
		sent += int64(m)
		d.session.moved.Add(int64(m))
		d.session.paid(down, m)
	}
	return sent, nil
}

// doing says what the session transfers from now on, and on which path.
func (s *session) doing(action hosting.TransferAction, p string) (done func()) {
	s.moved.Store(0)
	protected := s.protection.data // this goroutine may look there, others may not
	return s.busy(action, p, func() int64 { return s.progress(protected) })
}

// progress is how many bytes of the running transfer have moved. Those that the
// kernel moves for us in clear it also counts.
func (s *session) progress(protected bool) int64 {
	moved := s.moved.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.data.conn == nil || protected {
		return moved
	}
	return max(moved, s.data.conn.received())
}

// notEOF is an error that is not the end of the data.
func notEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// bufferSize is how much of an upload is written at a time.
const bufferSize = 256 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// copyToFile copies all of r to f. What fits into one buffer, as most files of
// a site do, is written at once; what is longer and comes in clear goes on
// without a copy through our memory. room is asked before each piece.
func copyToFile(f *os.File, r io.Reader, room *disk.Writing) (n int64, err error) {
	buf := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buf)
	for {
		m, err := fill(r, buf[:])
		if m > 0 {
			w, err := writeWithin(f, buf[:m], room)
			n += int64(w)
			if err != nil {
				return n, err
			}
		}
		if err != nil {
			return n, notEOF(err)
		}
		if d, ok := r.(*dataConn); ok && d.tls == nil {
			moved, err := d.spliceTo(f, room)
			if n += moved; !errors.Is(err, errNoSplice) {
				return n, notEOF(err)
			}
		}
	}
}

// spliceChunk is the most that one splice(2) of an upload is asked for, and the
// size that its pipe is given where the system allows that.
const spliceChunk = 1 << 20

// errNoSplice says that an upload has to be copied from there on.
var errNoSplice = errors.New("no splice to this file")

// spliceTo brings the rest of an upload in clear to f through a pipe, in which
// the kernel holds the pages that came from the network. Like Read it ends with
// io.EOF.
func (d *dataConn) spliceTo(f *os.File, room *disk.Writing) (n int64, err error) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return 0, errNoSplice
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	_, _ = unix.FcntlInt(uintptr(pipe[0]), unix.F_SETPIPE_SZ, spliceChunk) // a smaller one will do
	to, up := int(f.Fd()), d.session.share.up
	d.gather(spliceChunk / 4)
	for {
		_ = d.SetReadDeadline(d.deadline())
		came, err := d.socket.splice(pipe[1], piece(up, spliceChunk))
		if err != nil || came == 0 {
			return n, d.ended(cmp.Or(err, io.EOF))
		}
		d.session.moved.Add(int64(came))
		d.session.paid(up, came)
		for came > 0 {
			may, err := room.Room(int64(came))
			if err != nil {
				return n, err
			}
			m, err := unix.Splice(pipe[0], nil, to, nil, int(may), unix.SPLICE_F_MOVE)
			switch {
			case errors.Is(err, unix.EINTR):
				continue
			case errors.Is(err, unix.EINVAL): // of this file system, or a file that is only appended to
				m, err = drain(f, pipe[0], came, room)
				return n + m, cmp.Or(err, errNoSplice)
			case err == nil && m == 0:
				return n, io.ErrShortWrite
			case err != nil:
				return n, &fs.PathError{Op: "splice", Path: f.Name(), Err: err}
			}
			room.Wrote(m)
			n += m
			came -= int(m)
		}
	}
}

// drain copies what a pipe holds.
func drain(f *os.File, pipe, held int, room *disk.Writing) (n int64, err error) {
	buf := make([]byte, held)
	for at := 0; at < held; {
		m, err := unix.Read(pipe, buf[at:])
		if err != nil && !errors.Is(err, unix.EINTR) {
			return 0, os.NewSyscallError("read", err)
		}
		at += max(m, 0)
	}
	w, err := writeWithin(f, buf, room)
	return int64(w), err
}

// writeWithin writes as far as there is room.
func writeWithin(f io.Writer, p []byte, room *disk.Writing) (n int, err error) {
	for n < len(p) {
		may, err := room.Room(int64(len(p) - n))
		if err != nil {
			return n, err
		}
		w, err := f.Write(p[n : n+int(may)])
		room.Wrote(int64(w))
		n += w
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// fill reads until buf is full or there is no more.
func fill(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var m int
		m, err = r.Read(buf[n:])
		n += m
	}
	return n, err
}
