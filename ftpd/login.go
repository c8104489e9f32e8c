package ftpd

import (
	"errors"
	"log/slog"
	"strconv"

	"cancale/internal/hosting"
)

// maxNames is how many names a client may give before one of them is let in.
const maxNames = 30

// user is USER. The answer says nothing of whether somebody bears the name. A
// login that needs TLS is refused before its password is asked for: once that
// was sent, it was read.
func user(s *session, name string) {
	s.user = ""
	switch s.names++; {
	case s.login != nil:
		s.reply(503, "Already logged in; disconnect to change.")
		return
	case s.clear():
		s.reply(530, "AUTH TLS first: passwords are not taken in clear here.")
		return
	case s.names > maxNames:
		s.dismiss("Too many names.")
		return
	case s.protection.conn == nil && s.srv.offersTLS():
		asks, err := s.srv.cfg.Store.AsksFTPInClear(s.ctx, name)
		if err != nil {
			s.loginFailed(err)
			return
		}
		if !asks {
			s.reply(530, "AUTH TLS first: this login is not taken in clear.")
			return
		}
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
	if found.Login.RequireTLS && s.protection.conn == nil {
		s.reply(530, "AUTH TLS first: this login is not taken in clear.")
		return
	}
	switch err := s.welcome(found); {
	case errors.Is(err, errCrowded):
		s.dismiss("Too many connections of this login.")
		return
	case err != nil:
		_, text := refusal(err)
		s.reply(530, text)
		return
	}
	s.mu.Lock()
	s.grant.clear = s.protection.conn == nil
	s.mu.Unlock()
	slog.Info("ftp login", slog.String("login", string(found.Login.Login)), slog.String("source", s.peer.Addr().String()))
	s.reply(230, "Welcome.")
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
