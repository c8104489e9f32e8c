package ftpd

import (
	"errors"
	"log/slog"
	"strconv"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
)

// user is USER. The answer is the same for every name.
func user(s *session, name string) {
	if s.login != nil {
		s.reply(503, "Already logged in; disconnect to change.")
		return
	}
	if s.clear() {
		s.reply(530, "AUTH TLS first: passwords are not taken in clear here.")
		return
	}
	s.user = name
	s.reply(331, "Password, please.")
}

// pass is PASS.
func pass(s *session, password string) {
	switch {
	case s.login != nil:
		s.reply(503, "Already logged in.")
		return
	case s.user == "":
		s.reply(503, "USER first.")
		return
	}
	name := s.user
	s.user = ""
	found, err := s.authenticate(name, password)
	if err != nil {
		s.loginFailed(err)
		return
	}
	err = s.tree.plant(s.srv.cfg.Layout, found.Login, found.Site, found.Sites)
	if err != nil {
		slog.Warn("ftp login without files", slog.String("login", string(found.Login.Login)), slog.Any("error", err))
		_, text := refusal(err)
		s.reply(530, text)
		return
	}
	s.login = &found.Login
	s.mu.Lock()
	s.grant = grantOf(found)
	s.mu.Unlock()
	slog.Info("ftp login", slog.String("login", string(found.Login.Login)), slog.String("source", s.peer.Addr().String()))
	s.reply(230, "Welcome.")
}

// patience is the longest wait that the store asks for which a session waits
// out itself: programs that open ten connections at once, each of them one more
// attempt until its password is checked, are to get in.
const patience = 3

func (s *session) authenticate(name, password string) (store.FTPSession, error) {
	for waited := 0; ; {
		found, err := s.srv.cfg.Store.AuthenticateFTP(s.ctx, name, password, s.peer.Addr().String())
		seconds := waitOf(err)
		if seconds == 0 || waited+seconds > patience {
			return found, err
		}
		waited += seconds
		s.pause(time.Duration(seconds) * time.Second)
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
func (s *session) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.ctx.Done():
	}
}

// loginFailed answers a login that the store refused. Only who knows the
// password learns more than that it was not accepted.
func (s *session) loginFailed(err error) {
	switch hosting.KindOf(err) {
	case hosting.OverLimit:
		text := "Too many wrong passwords, try again later."
		if seconds := waitOf(err); seconds > 0 {
			text = "Too many wrong passwords, try again in " + strconv.Itoa(seconds) + " seconds."
		}
		s.dismiss(text)
	case hosting.Forbidden:
		s.reply(530, "This access is suspended.")
	case hosting.Unauthenticated:
		s.pause(s.srv.limits.failure) // slows down whoever tries passwords
		if s.failures++; s.failures >= s.srv.limits.failures {
			s.dismiss("Login or password not accepted; too many attempts.")
			return
		}
		s.reply(530, "Login or password not accepted.")
	default:
		if s.ctx.Err() == nil {
			slog.Error("ftp login", slog.Any("error", err))
		}
		s.dismiss("The service does not answer, try again in a minute.")
	}
}

// dismiss says goodbye and ends the session.
func (s *session) dismiss(text string) {
	s.reply(421, text)
	s.engine.Close()
}
