package ftpd

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"cancale/internal/hosting"
	"cancale/internal/store"
)

// What SSH sessions are bounded by, besides the limits that all share.
const (
	maxChannels = 4  // at a time; programs that share one connection open some
	maxTries    = 10 // of passwords and keys, before the connection is closed
)

// sshAlgorithms are those without known weaknesses that the library has, minus
// what still rests on SHA-1.
func sshAlgorithms() ssh.Config {
	all := ssh.SupportedAlgorithms()
	return ssh.Config{
		KeyExchanges: all.KeyExchanges, Ciphers: all.Ciphers,
		MACs: []string{ssh.HMACSHA256ETM, ssh.HMACSHA512ETM, ssh.HMACSHA256, ssh.HMACSHA512},
	}
}

// sshSession is one SSH connection. All that can be done with it is SFTP: no
// shell, no command, no forwarding of anything.
type sshSession struct {
	visit
	wire      *watched
	files     sftpFiles
	once      sync.Once
	dismissed bool // it may try no more passwords and keys
}

// serveSSH takes SFTP connections until the listener is closed.
func (srv *server) serveSSH(ctx context.Context, l net.Listener) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			if srv.stopping.Load() || !passing(err) {
				return err
			}
			slog.WarnContext(ctx, "sftp accept", slog.Any("error", err))
			select { // nothing tells when descriptors are free again
			case <-time.After(acceptPause):
			case <-ctx.Done():
			}
			continue
		}
		tcp, ok := conn.(*net.TCPConn)
		if !ok {
			_ = conn.Close()
			continue
		}
		s := &sshSession{}
		s.arrive(srv, tcp)
		s.files.session = s
		if refusal := srv.enter(s); refusal != "" {
			s.cancel()
			_ = conn.Close() // SSH has no word before the keys are agreed on
			continue
		}
		go s.serve()
	}
}

// serve is the life of the session.
func (s *sshSession) serve() {
	defer s.end()
	s.wire = &watched{TCPConn: s.conn, patience: s.srv.limits.reply}
	_ = s.conn.SetReadDeadline(time.Now().Add(s.srv.now().login))
	conn, channels, requests, err := ssh.NewServerConn(s.wire, s.config())
	if err != nil {
		slog.Debug("sftp handshake", slog.String("source", s.peer.Addr().String()), slog.Any("error", err))
		return
	}
	_ = s.conn.SetReadDeadline(time.Time{})
	slog.Info("sftp login", slog.String("login", string(s.login.Login)), slog.String("source", s.peer.Addr().String()))
	var running sync.WaitGroup
	running.Go(func() { ssh.DiscardRequests(requests) }) // no forwarding; a question whether we live is answered
	running.Go(s.watchRest)
	var open atomic.Int32
	for channel := range channels {
		switch {
		case channel.ChannelType() != "session":
			_ = channel.Reject(ssh.Prohibited, "Only SFTP is offered here.")
			continue
		case open.Load() >= maxChannels:
			_ = channel.Reject(ssh.ResourceShortage, "Too many channels.")
			continue
		}
		accepted, asked, err := channel.Accept()
		if err != nil {
			continue
		}
		open.Add(1)
		running.Go(func() {
			defer open.Add(-1)
			s.serveChannel(accepted, asked)
		})
	}
	s.cancel()
	_ = conn.Close()
	running.Wait()
}

// end gives back all that the session holds.
func (s *sshSession) end() {
	s.once.Do(func() {
		s.kick()
		s.tree.close()
		if s.login != nil {
			slog.Info("sftp logout", slog.String("login", string(s.login.Login)), slog.String("source", s.peer.Addr().String()))
		}
		s.srv.leave(s)
	})
}

func (s *sshSession) protocol() hosting.Protocol { return hosting.SFTP }

// kick cuts the connection; transfers break off.
func (s *sshSession) kick() {
	s.cancel()
	_ = s.conn.Close()
}

// revoke ends the session. SFTP has no word of farewell.
func (s *sshSession) revoke() {
	s.revoked.Store(true)
	s.kick()
}

// wake ends a session that is at rest when the daemon stops. Others end with
// their last transfer.
func (s *sshSession) wake() {
	if s.files.atRest() {
		s.kick()
	}
}

// serveChannel answers what a client asks of a channel: the subsystem sftp,
// and nothing else.
func (s *sshSession) serveChannel(channel ssh.Channel, asked <-chan *ssh.Request) {
	defer channel.Close()
	var running sync.WaitGroup
	defer running.Wait()
	begun := false
	for req := range asked {
		var subsystem struct{ Name string }
		ok := req.Type == "subsystem" && !begun && ssh.Unmarshal(req.Payload, &subsystem) == nil && subsystem.Name == "sftp"
		if req.WantReply {
			_ = req.Reply(ok, nil)
		}
		switch {
		case ok:
			begun = true
			running.Go(func() { s.files.serve(channel) })
		case !begun && (req.Type == "shell" || req.Type == "exec" || req.Type == "subsystem"):
			_ = channel.Close()
		}
	}
}

// watchRest ends a session that nothing moves in: one that waits for commands
// for too long, or whose client does not take what it asked for.
func (s *sshSession) watchRest() {
	tick := time.NewTicker(max(s.srv.now().idle/restLooks, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
		now, policy := time.Now(), s.srv.now()
		if s.files.idle(now) > policy.idle || s.files.stuck(now) > policy.data {
			slog.Info("sftp session ended from here", slog.String("login", string(s.login.Login)), slog.String("source", s.peer.Addr().String()))
			s.kick()
			return
		}
	}
}

// restLooks is how often within the limit one looks whether a session rests.
const restLooks = 60

// watched is a connection whose client must take what is sent.
type watched struct {
	*net.TCPConn
	patience time.Duration
}

func (w *watched) Write(p []byte) (int, error) {
	_ = w.SetWriteDeadline(time.Now().Add(w.patience))
	return w.TCPConn.Write(p)
}

var errNotAccepted = errors.New("login or password not accepted")

// config is what the library asks during the handshake.
func (s *sshSession) config() *ssh.ServerConfig {
	cfg := &ssh.ServerConfig{
		Config:                  sshAlgorithms(),
		PublicKeyAuthAlgorithms: ssh.SupportedAlgorithms().PublicKeyAuths,
		ServerVersion:           "SSH-2.0-Cancale",
		MaxAuthTries:            maxTries,
		PasswordCallback: func(conn ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if s.dismissed {
				return nil, errNotAccepted
			}
			found, err := s.authenticate(conn.User(), string(password))
			return s.admit(found, err)
		},
		PublicKeyCallback: func(conn ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if s.dismissed {
				return nil, errNotAccepted
			}
			known, err := s.srv.cfg.Store.OffersFTPKey(s.ctx, conn.User(), ssh.FingerprintSHA256(key), s.peer.Addr().String())
			switch {
			case err != nil:
				return s.admit(store.FTPSession{}, err)
			case !known:
				return nil, errNotAccepted
			}
			return &ssh.Permissions{}, nil
		},
		VerifiedPublicKeyCallback: func(conn ssh.ConnMetadata, key ssh.PublicKey, _ *ssh.Permissions, _ string) (*ssh.Permissions, error) {
			found, err := s.srv.cfg.Store.AuthenticateFTPKey(s.ctx, conn.User(), ssh.FingerprintSHA256(key), s.peer.Addr().String())
			return s.admit(found, err)
		},
	}
	for _, key := range s.srv.cfg.HostKeys {
		cfg.AddHostKey(key)
	}
	return cfg
}

// admit opens the files of whom the store let in. Else the error tells the
// client, as loginFailed does: only who knows the password learns more than
// that it was not accepted.
func (s *sshSession) admit(found store.FTPSession, err error) (*ssh.Permissions, error) {
	if err == nil {
		if err = s.welcome(found); err == nil {
			return &ssh.Permissions{}, nil
		}
		_, text := refusal(err)
		return nil, told(text)
	}
	switch hosting.KindOf(err) {
	case hosting.OverLimit:
		text := "Too many wrong passwords, try again later."
		if seconds := waitOf(err); seconds > 0 {
			text = "Too many wrong passwords, try again in " + strconv.Itoa(seconds) + " seconds."
		}
		s.dismissSoon()
		return nil, told(text)
	case hosting.Forbidden:
		return nil, told("This access is suspended.")
	case hosting.Unauthenticated:
		s.pause(s.srv.limits.failure) // slows down whoever tries passwords
		if s.failures++; s.failures >= s.srv.limits.failures {
			s.dismissSoon()
		}
		return nil, errNotAccepted
	}
	if s.ctx.Err() == nil {
		slog.Error("sftp login", slog.Any("error", err))
	}
	s.dismissSoon()
	return nil, told("The service does not answer, try again in a minute.")
}

// dismissSoon leaves the client a moment to read why, and no more.
func (s *sshSession) dismissSoon() {
	s.dismissed = true
	_ = s.conn.SetReadDeadline(time.Now().Add(farewell))
}

const farewell = 200 * time.Millisecond

// told is a refusal whose reason the client shows.
func told(text string) error { return &ssh.BannerError{Err: errNotAccepted, Message: text + "\n"} }
