package panel

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/mail"
)

const (
	// postEvery is how often the outbox is looked at.
	postEvery = 2 * time.Second
	// postAtOnce bounds what is handed over each time: 120 mails a minute.
	postAtOnce = 4
	// notifyEvery is how soon people are told that something is nearly full.
	notifyEvery = 2 * time.Minute
)

// postman answers those who forgot their password and hands the outbox over to
// the mail server, until ctx ends. Pages never wait for it; without a server
// mails stay where administrators read them.
func (s *server) postman(ctx context.Context) {
	tick := time.NewTicker(postEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.post(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "mails", slog.Any("error", err))
		}
	}
}

// notify lets the store tell people, now and then, of what they have to know.
func (s *server) notify(ctx context.Context) {
	tick := time.NewTicker(notifyEvery)
	defer tick.Stop()
	for {
		if _, err := s.store.Notify(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "notices", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// post is one round.
func (s *server) post(ctx context.Context) error {
	if _, err := s.store.AnswerForgotten(ctx); err != nil {
		return err
	}
	to, err := s.store.MailServer(ctx)
	if err != nil || !to.Set() {
		return err
	}
	mails, err := s.store.ClaimMails(ctx, postAtOnce)
	if err != nil || len(mails) == 0 {
		return err
	}
	texts, err := s.store.MailTexts(ctx)
	if err != nil {
		return err
	}
	server := mail.Server{MailServer: to, Roots: s.mailRoots}
	for _, m := range mails {
		if err := s.hand(ctx, server, m, texts); err != nil {
			return err
		}
	}
	return nil
}

// hand gives one mail to the server, and notes what became of it.
func (s *server) hand(ctx context.Context, server mail.Server, m hosting.Mail, texts []hosting.MailText) error {
	site := s.mailSite(server.MailServer)
	letter, err := mail.Render(m, texts, site, false)
	if err != nil {
		return errors.Join(err, s.store.MailFailed(ctx, m.ID, hosting.Msg("mail.server_refused"), "", true))
	}
	kept, err := mail.Render(m, texts, site, true)
	if err != nil {
		return err
	}
	if err := mail.Send(ctx, server, m, letter); err != nil {
		problem, is := errors.AsType[*mail.Problem](err)
		if !is || ctx.Err() != nil {
			return err
		}
		s.log.WarnContext(ctx, "mail not sent", slog.Uint64("mail", uint64(m.ID)), slog.String("why", problem.Message.Key), slog.String("answer", problem.Answer))
		return s.store.MailFailed(ctx, m.ID, problem.Message, problem.Answer, problem.ForGood)
	}
	// The server has it: that is noted even while the panel stops.
	return s.store.MailSent(context.WithoutCancel(ctx), m.ID, kept.Subject, kept.Text)
}

func (s *server) mailSite(server hosting.MailServer) mail.Site {
	return mail.Site{URL: s.public.String(), Name: orName(server.Platform, "Cancale")}
}

// testMail is POST /admin/settings/mail/test: one mail to oneself, and what the
// server said.
func (s *server) testMail(r *Request) error {
	to, err := s.store.MailServer(r.Context())
	if err != nil {
		return err
	}
	if !to.Set() {
		return r.mailTested(hosting.Msg("mail.no_server"), "")
	}
	m := hosting.Mail{
		Kind: hosting.MailTeam, Email: r.Session.Person.Email, Name: r.Session.Person.Name, Language: r.Session.Person.Language,
		CreatedAt: r.now, Link: "/signin", Args: map[string]string{"until": r.now.Format(time.RFC3339)},
	}
	letter := mail.Test(m, s.mailSite(to))
	if err := mail.Send(r.Context(), mail.Server{MailServer: to, Roots: s.mailRoots, Timeout: testPatience}, m, letter); err != nil {
		problem, is := errors.AsType[*mail.Problem](err)
		if !is {
			return err
		}
		return r.mailTested(problem.Message, problem.Answer)
	}
	r.Flash("mail.test_done", string(m.Email))
	return r.Redirect("/admin/settings/mail")
}

// testPatience is how long somebody waits in front of the page.
const testPatience = 8 * time.Second

// mailTested shows the settings with what went wrong.
func (r *Request) mailTested(problem hosting.Message, answer string) error {
	p, err := r.settingsOfGroup("mail")
	if err != nil {
		return err
	}
	now, err := r.srv.store.Settings(r.Context())
	if err != nil {
		return err
	}
	for _, setting := range p.Settings {
		p.Values[setting.Name] = setting.Text(now)
	}
	p.Tested, p.Answer = problem, answer
	return r.drawSettings(p, r.Invalid)
}
