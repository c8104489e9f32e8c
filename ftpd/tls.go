package ftpd

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"cancale/internal/hosting"
)

// TLSPolicy says what an installation thinks of sessions in clear. The zero
// value is TLSOff.
type TLSPolicy = hosting.TLSPolicy

// The policies that a daemon can be started with.
const (
	TLSOff      = hosting.TLSOff
	TLSOffered  = hosting.TLSOffered
	TLSRequired = hosting.TLSRequired
)

// ParseTLSPolicy reads the name of a policy.
func ParseTLSPolicy(name string) (TLSPolicy, error) {
	switch p := TLSPolicy(name); p {
	case TLSOff, TLSOffered, TLSRequired:
		return p, nil
	}
	return TLSOff, fmt.Errorf("ftpd: no TLS policy %q", name)
}

// protection is what a session has of TLS, RFC 4217.
type protection struct {
	conn     *tls.Conn   // of the control connection; nil in clear
	config   *tls.Config // of this session alone: no other can resume what it began
	buffered bool        // PBSZ came
	data     bool        // PROT P: data connections are protected
}

func (srv *server) offersTLS() bool {
	policy := srv.now().tls
	return srv.cfg.Certificate != nil && policy != TLSOff && policy != ""
}

// sessionTLS is a configuration whose tickets nobody else can read or make: a
// data connection that resumes with one comes from whoever holds the session.
func (srv *server) sessionTLS() *tls.Config {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	config := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: srv.cfg.Certificate}
	config.SetSessionTicketKeys([][32]byte{key})
	return config
}

// dataTLS is the session's configuration for one data connection, which may
// resume but gets no new ticket where none is needed. A client that only sends
// never reads it, and a connection that is closed with something unread is
// reset, together with the end of the upload that is still on its way.
func (s *session) dataTLS() *tls.Config {
	config := s.protection.config.Clone()
	if s.srv.now().reuse {
		return config // the next connection may need a fresh one
	}
	// In TLS 1.3 both are called in the course of the handshake, after the
	// question whether it may resume and before the one whether a ticket is sent.
	// In TLS 1.2 tickets are read during the handshake.
	config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		config.SessionTicketsDisabled = slices.Contains(hello.SupportedVersions, tls.VersionTLS13)
		return s.srv.cfg.Certificate(hello)
	}
	config.UnwrapSession = func(identity []byte, state tls.ConnectionState) (*tls.SessionState, error) {
		session, err := config.DecryptTicket(identity, state)
		config.SessionTicketsDisabled = session != nil && state.Version == tls.VersionTLS13
		return session, err
	}
	return config
}

// wire is the control connection as it is now.
func (s *session) wire() net.Conn {
	if s.protection.conn != nil {
		return s.protection.conn
	}
	return s.conn
}

// startTLS makes the control connection a protected one. What was agreed
// before, perhaps by somebody in between, is forgotten.
func (s *session) startTLS() error {
	config := s.srv.sessionTLS()
	conn := tls.Server(s.conn, config)
	s.mu.Lock()
	_ = s.conn.SetDeadline(time.Now().Add(s.srv.limits.handshake))
	s.replyUntil.Store(0) // replies set their own again
	if s.srv.stopping.Load() {
		_ = s.conn.SetDeadline(time.Unix(1, 0))
	}
	s.mu.Unlock()
	if err := conn.HandshakeContext(s.ctx); err != nil {
		return err
	}
	s.protection.conn, s.protection.config = conn, config
	s.encrypted.Store(true)
	s.r, s.w, s.lines = 0, 0, lineScanner{}
	s.user, s.text, s.facts = "", true, allFacts
	return nil
}

// protect is AUTH. The names other than TLS are of its drafts; two of them
// stood for protected data too.
func protect(s *session, mechanism string) {
	mechanism = strings.ToUpper(mechanism)
	switch {
	case !s.srv.offersTLS():
		s.reply(502, "TLS is not offered here.")
		return
	case s.protection.conn != nil:
		s.reply(503, "TLS is on already.")
		return
	case s.login != nil:
		s.reply(503, "AUTH comes before the login.")
		return
	case mechanism != "TLS" && mechanism != "TLS-C" && mechanism != "TLS-P" && mechanism != "SSL":
		s.reply(504, "AUTH TLS only.")
		return
	case s.r < s.w:
		// Commands in clear that would be taken for the client's own.
		s.dismiss("Nothing may follow AUTH before its answer.")
		return
	}
	s.reply(234, "Begin TLS.")
	if err := s.startTLS(); err != nil {
		slog.Debug("ftp tls", slog.String("source", s.peer.Addr().String()), slog.Any("error", err))
		s.kick() // never go on in clear
		return
	}
	s.protection.data = mechanism == "TLS-P" || mechanism == "SSL"
}

// protectionBuffer is PBSZ; TLS has no use for a size.
func protectionBuffer(s *session, arg string) {
	switch _, err := strconv.ParseUint(arg, 10, 32); {
	case s.protection.conn == nil:
		s.reply(503, "AUTH TLS first.")
	case err != nil:
		s.reply(501, "PBSZ 0")
	default:
		s.protection.buffered = true
		s.reply(200, "PBSZ=0")
	}
}

// protectionLevel is PROT.
func protectionLevel(s *session, level string) {
	switch level = strings.ToUpper(level); {
	case s.protection.conn == nil || !s.protection.buffered:
		s.reply(503, "AUTH TLS and PBSZ first.")
	case level == "P":
		s.protection.data = true
		s.reply(200, "Data is protected.")
	case level == "C" && s.needsTLS():
		s.reply(534, "Data must be protected here.")
	case level == "C":
		s.protection.data = false
		s.reply(200, "Data is in clear.")
	case level == "S" || level == "E":
		s.reply(536, "PROT P or PROT C.")
	default:
		s.reply(504, "PROT P or PROT C.")
	}
}

// needsTLS reports whether the installation, or the login, wants nothing in
// clear.
func (s *session) needsTLS() bool {
	return s.srv.now().tls == TLSRequired || s.login != nil && s.login.RequireTLS
}

// clear reports whether the session lacks a protection that is required.
func (s *session) clear() bool { return s.needsTLS() && s.protection.conn == nil }

// What is wrong with the TLS of a data connection.
var (
	errNoDataTLS = errors.New("no TLS on the data connection")
	errForeign   = errors.New("data connection does not resume the session")
)

// startTLS protects a data connection when the session wants that.
func (d *dataConn) startTLS() error {
	if !d.session.protection.data {
		return nil
	}
	conn := tls.Server(d.socket, d.session.dataTLS())
	_ = d.SetDeadline(time.Now().Add(d.session.srv.limits.accept))
	if err := conn.HandshakeContext(d.session.ctx); err != nil {
		return fmt.Errorf("%w: %w", errNoDataTLS, err)
	}
	if d.session.srv.now().reuse && !conn.ConnectionState().DidResume {
		return errForeign
	}
	d.tls = conn
	return nil
}

// stream is the data connection as it is used.
func (d *dataConn) stream() net.Conn {
	if d.tls != nil {
		return d.tls
	}
	return d.socket
}

// sayEnd tells the client that all has been sent, or taken: without that word
// anybody could end a file early.
func (d *dataConn) sayEnd() error {
	if d.tls == nil {
		return nil
	}
	_ = d.SetWriteDeadline(d.deadline())
	if err := d.tls.CloseWrite(); d.sends {
		return err
	}
	return nil // who has sent a file may be gone
}

// sendCopy is sendFile for a connection whose bytes we have to encrypt.
func (d *dataConn) sendCopy(f *os.File, n int64) (sent int64, err error) {
	buf := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buf)
	for sent < n {
		m, err := f.Read(buf[:min(n-sent, int64(piece(d.session.share.down, bufferSize)))])
		if m > 0 {
			w, err := d.Write(buf[:m])
			sent += int64(w)
			if err != nil {
				return sent, err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return sent, io.ErrUnexpectedEOF // the file became shorter
		case err != nil:
			return sent, err
		}
	}
	return sent, nil
}
