package ftpd

import (
	"errors"
	"log/slog"
	"time"

	"cancale/internal/hosting"
)

// user is USER. The answer is the same for every name.
func user(s *session, name string) {
	if s.login != nil {
		s.reply(503, "Already logged in; disconnect to change.")
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
	found, err := s.srv.cfg.Store.AuthenticateFTP(s.ctx, name, password, s.peer.Addr().String())
	if err != nil {
		s.loginFailed(name, err)
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
	slog.Info("ftp login", slog.String("login", string(found.Login.Login)), slog.String("source", s.peer.Addr().String()))
	s.reply(230, "Welcome.")
}

// loginFailed answers a login that the store refused. Only who knows the
// password learns more than that it was not accepted.
func (s *session) loginFailed(name string, err error) {
	slog.Warn("ftp login refused", slog.String("login", name), slog.String("source", s.peer.Addr().String()), slog.Any("error", err))
	refused, _ := errors.AsType[*hosting.Error](err)
	kind := hosting.KindOf(err)
	switch {
	case kind == hosting.OverLimit:
		text := "Too many wrong passwords, try again later."
		if len(refused.Message.Args) > 0 {
			text = "Too many wrong passwords, try again in " + refused.Message.Args[0] + " seconds."
		}
		s.dismiss(421, text)
	case kind == hosting.Forbidden:
		s.reply(530, "This access is suspended.")
	case kind == hosting.Unauthenticated:
		select { // slows down whoever tries passwords
		case <-time.After(s.srv.limits.failure):
		case <-s.ctx.Done():
		}
		if s.failures++; s.failures >= s.srv.limits.failures {
			s.dismiss(421, "Login or password not accepted; too many attempts.")
			return
		}
		s.reply(530, "Login or password not accepted.")
	default:
		s.dismiss(421, "The service does not answer, try again in a minute.")
	}
}

// dismiss says goodbye and ends the session.
func (s *session) dismiss(code int, text string) {
	s.reply(code, text)
	s.engine.Close()
}
