package ftpd

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	goftp "goftp.io/server/v2"
	"golang.org/x/sys/unix"

	"cancale/internal/hosting"
)

// session is one control connection. For the engine it is a net.Conn that
// gives one line per Read, so that between two commands the engine never holds
// bytes that are not its own; our commands find it again by its address.
//
// Fields without a word belong to the goroutine of the session. The watcher of
// a transfer uses the fields of the reading side while that goroutine does not.
type session struct {
	visit
	once       sync.Once // of Close
	engine     *goftp.Session
	implicit   bool // TLS begins before the greeting
	protection protection

	// Reading side.
	in    [512]byte
	r, w  int // what is in in
	lines lineScanner
	queue []received // read during a transfer, still to be obeyed
	rest  []byte     // of the line that the engine is reading
	noise int        // lines in a row that were no commands

	replyUntil atomic.Int64 // deadline for replies, in Unix nanoseconds

	user  string // between USER and PASS
	names int    // that came with USER

	// What one command leaves for the next.
	text       bool   // TYPE A
	restart    int64  // REST
	renameFrom string // RNFR
	epsvOnly   bool   // EPSV ALL
	facts      facts  // OPTS MLST

	moved     atomic.Int64 // bytes of the transfer that runs
	encrypted atomic.Bool  // the control connection is protected

	data data // guarded by mu, as are deadlines for reading
}

// received is a line of the client, or what is wrong with it.
type received struct {
	line []byte
	err  error
}

func newSession(srv *server, conn *net.TCPConn) *session {
	s := &session{facts: allFacts, text: true}
	s.arrive(srv, conn)
	if raw, err := conn.SyscallConn(); err == nil {
		// The urgent byte that announces an ABOR stays in its place in the stream.
		_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_OOBINLINE, 1) })
	}
	return s
}

// address is the peer's address; it also leads from the engine's session,
// which shows nothing else of its connection, to ours.
type address struct {
	net.Addr
	session *session
}

func sessionOf(engine *goftp.Session) *session { return engine.RemoteAddr().(address).session }

func (s *session) protocol() hosting.Protocol {
	if s.encrypted.Load() {
		return hosting.FTPS
	}
	return hosting.FTP
}

// RemoteAddr is the address of the client.
func (s *session) RemoteAddr() net.Addr { return address{s.conn.RemoteAddr(), s} }

// LocalAddr is the address that the client connected to.
func (s *session) LocalAddr() net.Addr { return s.conn.LocalAddr() }

// SetDeadline and its two halves are not for the engine.
func (s *session) SetDeadline(time.Time) error      { return os.ErrInvalid }
func (s *session) SetReadDeadline(time.Time) error  { return os.ErrInvalid }
func (s *session) SetWriteDeadline(time.Time) error { return os.ErrInvalid }

// Write sends replies. A client that does not take them loses its connection.
func (s *session) Write(p []byte) (int, error) {
	if s.implicit && s.protection.conn == nil {
		if err := s.startTLS(); err != nil {
			s.kick()
			return 0, err
		}
		s.protection.data = true
	}
	s.allowReply()
	n, err := s.wire().Write(p)
	if err != nil {
		s.kick()
	}
	return n, err
}

// allowReply gives the client time to take a reply: the limit, or less by a
// quarter at most, so that a deadline serves the replies of many commands.
func (s *session) allowReply() {
	limit := s.srv.limits.reply
	if now := time.Now(); s.replyUntil.Load()-now.UnixNano() < int64(limit-limit/4) {
		until := now.Add(limit)
		s.replyUntil.Store(until.UnixNano())
		_ = s.conn.SetWriteDeadline(until)
	}
}

// Close ends the session for good. The engine calls it when it has left its
// loop, and once more before that on QUIT.
func (s *session) Close() error {
	s.once.Do(func() {
		if s.protection.conn != nil && s.ctx.Err() == nil {
			_ = s.protection.conn.CloseWrite()
		}
		s.cancel()
		s.closeData() // first: who sees the session end finds its port free
		s.kick()
		s.tree.close()
		if s.login != nil {
			slog.Info("ftp logout", slog.String("login", string(s.login.Login)), slog.String("source", s.peer.Addr().String()))
		}
		s.srv.leave(s)
	})
	return nil
}

// kick cuts the connections of the session, from any goroutine; the engine
// then leaves its loop.
func (s *session) kick() {
	s.cancel()
	_ = s.conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data.end()
}

// wake makes a session that waits for a command look at whether the daemon is
// stopping.
func (s *session) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.conn.SetReadDeadline(time.Unix(1, 0))
}

// maxNoise is how many lines in a row may be too long or hold control bytes.
const maxNoise = 20

// Read gives the engine the next line, or its end. What is no command is
// answered here.
func (s *session) Read(p []byte) (int, error) {
	for len(s.rest) == 0 {
		line, err := s.next()
		switch {
		case err == nil:
			s.noise = 0
			s.rest = append(line, '\n')
		case s.noise > maxNoise:
			s.reply(421, "Too much noise.")
			return 0, io.EOF
		case errors.Is(err, errLongLine):
			s.noise++
			s.reply(500, "Line too long.")
		case errors.Is(err, errControlByte):
			s.noise++
			s.reply(501, "Control characters are not allowed.")
		default:
			if errors.Is(err, os.ErrDeadlineExceeded) {
				s.reply(421, s.farewell())
			}
			return 0, io.EOF
		}
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *session) farewell() string {
	switch {
	case s.srv.stopping.Load():
		return "The service is stopping, goodbye."
	case s.ended.Load():
		return "This session was ended from the panel, goodbye."
	case s.revoked.Load():
		return "Your access has changed, goodbye."
	case s.login == nil:
		return "No login in time, goodbye."
	}
	return "Idle for too long, goodbye."
}

// next is the next line: one that came during a transfer, or one to wait for.
func (s *session) next() ([]byte, error) {
	if s.revoked.Load() {
		return nil, os.ErrDeadlineExceeded
	}
	if len(s.queue) > 0 {
		first := s.queue[0]
		s.queue = s.queue[1:]
		return first.line, first.err
	}
	deadline := time.Now().Add(s.srv.now().idle)
	if s.login == nil {
		deadline = s.begun.Add(s.srv.now().login)
	}
	s.mu.Lock()
	if err := s.over(); err != nil {
		s.mu.Unlock()
		return nil, err
	}
	_ = s.conn.SetReadDeadline(deadline)
	s.mu.Unlock()
	return s.readLine()
}

// readLine reads on to the end of a line. A part that came before an error is
// kept for the next call.
func (s *session) readLine() ([]byte, error) {
	for {
		for s.r < s.w {
			b := s.in[s.r]
			s.r++
			if line, err, done := s.lines.push(b); done {
				return bytes.Clone(line), err
			}
		}
		n, err := s.wire().Read(s.in[:])
		s.r, s.w = 0, n
		if n == 0 && err != nil {
			return nil, err
		}
	}
}

// reply sends a reply of one line.
func (s *session) reply(code int, text string) { s.replyLines(code, text) }

// replyLines sends a reply of one or more lines; those in the middle are
// indented, so that none looks like the last, RFC 959 section 4.2.
func (s *session) replyLines(code int, lines ...string) {
	_, _ = s.Write(replyText(code, lines))
}

func replyText(code int, lines []string) []byte {
	var b strings.Builder
	number := string([]byte{'0' + byte(code/100), '0' + byte(code/10%10), '0' + byte(code%10)})
	for i, line := range lines {
		switch {
		case i == len(lines)-1:
			b.WriteString(number + " ")
		case i == 0:
			b.WriteString(number + "-")
		default:
			b.WriteString(" ")
		}
		b.WriteString(line + "\r\n")
	}
	return []byte(b.String())
}
