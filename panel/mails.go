package panel

import (
	"github.com/a-h/templ"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/internal/mail"
	"cancale/internal/store"
	"cancale/views"
)

// listMails is GET /admin/mails.
func (s *server) listMails(r *Request) error {
	list, page, _, search := r.list()
	rows, total, err := s.store.Mails(r.Context(), r.Actor.Scope(r.need), r.mailFilter(search, page))
	if err != nil {
		return err
	}
	settings, err := s.store.Settings(r.Context())
	if err != nil {
		return err
	}
	list.Total = total
	params := views.AdminMailsParams{List: list, Rows: rows, NoServer: !settings.Mail.Set(), CanSettings: r.Actor.Can(hosting.AdminSettings)}
	return r.page(func(p views.Page) error { return r.Render(views.AdminMailsPage(p, params)) })
}

// mail is the mail of the address.
func (r *Request) mail() (hosting.Mail, error) {
	id, err := r.id()
	if err != nil {
		return hosting.Mail{}, err
	}
	return r.srv.store.Mail(r.Context(), r.Actor.Scope(r.need), hosting.MailID(id))
}

// showMail is GET /admin/mails/:id. What was sent is shown as it was, without
// its secret link; what was not, as it would be sent now.
func (s *server) showMail(r *Request) error {
	m, err := r.mail()
	if err != nil {
		return err
	}
	params := views.AdminMailParams{Mail: m, Subject: m.Subject, Text: m.Text, CanResend: !m.Kind.Secret() || m.VoidAt.After(r.now)}
	if m.SentAt == nil {
		texts, err := s.store.MailTexts(r.Context())
		if err != nil {
			return err
		}
		settings, err := s.store.Settings(r.Context())
		if err != nil {
			return err
		}
		letter, err := mail.Render(m, texts, s.mailSite(settings.Mail), false)
		if err != nil {
			return err
		}
		params.Subject, params.Text = letter.Subject, letter.Text
	}
	return r.page(func(p views.Page) error { return r.Render(views.AdminMailPage(p, params)) })
}

// resendMail is POST /admin/mails/:id/resend.
func (s *server) resendMail(r *Request) error {
	m, err := r.mail()
	if err != nil {
		return err
	}
	if err := s.store.ResendMail(r.Context(), r.Actor, m.ID); err != nil {
		return err
	}
	r.Flash("mail.resent", string(m.Email))
	return r.Redirect("/admin/mails/%d", m.ID)
}

// listMailTexts is GET /admin/mails/texts.
func (s *server) listMailTexts(r *Request) error {
	own, err := s.store.MailTexts(r.Context())
	if err != nil {
		return err
	}
	changed := map[string]bool{}
	for _, t := range own {
		changed[string(t.Kind)+"/"+t.Language] = true
	}
	return r.page(func(p views.Page) error {
		return r.Render(views.AdminMailTextsPage(p, views.AdminMailTextsParams{Kinds: hosting.MailKinds, Changed: changed}))
	})
}

// mailText is the text of the address: its kind and its language.
func (r *Request) mailText() (text hosting.MailText, own bool, err error) {
	kind, err := hosting.ParseMailKind(r.echo.Param("kind"))
	if err != nil {
		return text, false, err
	}
	language := r.echo.Param("language")
	if !known(language, i18n.Languages) {
		return text, false, hosting.Refuse(hosting.NotFound, "", "error.not_found")
	}
	texts, err := r.srv.store.MailTexts(r.Context())
	if err != nil {
		return text, false, err
	}
	for _, t := range texts {
		if t.Kind == kind && t.Language == language {
			return t, true, nil
		}
	}
	return mail.Default(kind, language), false, nil
}

// editMailText is GET /admin/mails/texts/:kind/:language.
func (s *server) editMailText(r *Request) error {
	text, own, err := r.mailText()
	if err != nil {
		return err
	}
	form := views.MailTextForm{Subject: text.Subject, Body: text.Body}
	r.into(&form)
	return r.drawMailText(text, own, form, r.Render)
}

func (r *Request) drawMailText(text hosting.MailText, own bool, form views.MailTextForm, answer func(templ.Component) error) error {
	params := views.AdminMailTextParams{
		Kind: text.Kind, Language: text.Language, Own: own, Form: form, Words: mail.Words(text.Kind, text.Language),
	}
	return r.page(func(p views.Page) error { return answer(views.AdminMailTextPage(p, params)) })
}

// updateMailText is POST /admin/mails/texts/:kind/:language.
func (s *server) updateMailText(r *Request) error {
	before, own, err := r.mailText()
	if err != nil {
		return err
	}
	var form views.MailTextForm
	r.into(&form)
	text, err := mail.Check(hosting.MailText{Kind: before.Kind, Language: before.Language, Subject: form.Subject, Body: form.Body})
	if err == nil {
		if text == mail.Default(text.Kind, text.Language) {
			text.Subject, text.Body = "", "" // nothing of their own
		}
		err = s.store.SetMailText(r.Context(), r.Actor, text)
	}
	if messages, ok := refused(err); ok {
		form.Errors = messages
		return r.drawMailText(before, own, form, r.Invalid)
	}
	if err != nil {
		return err
	}
	r.Flash("mail.text_saved")
	return r.Redirect("/admin/mails/texts")
}

// resetMailText is POST /admin/mails/texts/:kind/:language/reset.
func (s *server) resetMailText(r *Request) error {
	text, _, err := r.mailText()
	if err != nil {
		return err
	}
	if err := s.store.SetMailText(r.Context(), r.Actor, hosting.MailText{Kind: text.Kind, Language: text.Language}); err != nil {
		return err
	}
	r.Flash("mail.text_reset")
	return r.Redirect("/admin/mails/texts")
}

// forgotPage is GET /forgot.
func (s *server) forgotPage(r *Request) error {
	return r.Render(views.ForgotPage(r.guestShell(), views.ForgotForm{}))
}

// forgot is POST /forgot: the answer is the same whether somebody has that
// address.
func (s *server) forgot(r *Request) error {
	var form views.ForgotForm
	r.into(&form)
	email, err := hosting.ParseEmail(form.Email)
	if err == nil {
		err = s.store.Forgotten(r.Context(), email, r.echo.RealIP())
	}
	if messages, ok := refused(err); ok {
		form.Errors = messages
		return r.Invalid(views.ForgotPage(r.guestShell(), form))
	}
	if err != nil {
		return err
	}
	form.Sent = true
	return r.Render(views.ForgotPage(r.guestShell(), form))
}

// mailStates are the states that the list of mails can be narrowed to.
var mailStates = []string{string(hosting.MailWaiting), string(hosting.MailSent), string(hosting.MailFailed)}

func (r *Request) mailFilter(search string, page int) store.MailFilter {
	f := store.MailFilter{Search: search, Page: page, PerPage: perPage}
	if state := r.Query("state"); known(state, mailStates) {
		f.State = hosting.MailState(state)
	}
	return f
}
