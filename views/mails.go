package views

import (
	"context"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/views/ui"
)

// AdminMailsParams is the outbox.
//
//	templ AdminMailsPage(page Page, p AdminMailsParams)      // GET /admin/mails
type AdminMailsParams struct {
	List        List
	Rows        []hosting.Mail
	NoServer    bool
	CanSettings bool
}

// AdminMailParams is one mail, in words.
//
//	templ AdminMailPage(page Page, p AdminMailParams)        // GET /admin/mails/:id
type AdminMailParams struct {
	Mail      hosting.Mail
	Subject   string
	Text      string
	CanResend bool
}

// AdminMailTextsParams are the texts of all kinds.
//
//	templ AdminMailTextsPage(page Page, p AdminMailTextsParams) // GET /admin/mails/texts
type AdminMailTextsParams struct {
	Kinds   []hosting.MailKind
	Changed map[string]bool // "reset/fr"
}

// AdminMailTextParams is the text of one kind in one language.
//
//	templ AdminMailTextPage(page Page, p AdminMailTextParams) // GET, POST /admin/mails/texts/:kind/:language
type AdminMailTextParams struct {
	Kind     hosting.MailKind
	Language string
	Own      bool     // it was changed
	Words    []string // what may stand between braces
	Form     MailTextForm
}

// MailTextForm is POST /admin/mails/texts/:kind/:language.
type MailTextForm struct {
	Subject string `form:"subject"`
	Body    string `form:"body"`
	Errors  Errors `form:"-"` // "", subject, body
}

func mailPath(kind hosting.MailKind, language string) string {
	return "/admin/mails/texts/" + string(kind) + "/" + language
}

func mailStateFilter(ctx context.Context) []ui.Option {
	options := []ui.Option{{Value: "", Label: i18n.T(ctx, "list.all_states")}}
	for _, state := range []hosting.MailState{hosting.MailWaiting, hosting.MailSent, hosting.MailFailed} {
		options = append(options, ui.Option{Value: string(state), Label: i18n.T(ctx, "mail.state."+string(state))})
	}
	return options
}

// mailTrail leads to a page about mails.
func mailTrail(ctx context.Context, last ...ui.Crumb) []ui.Crumb {
	return adminTrail(ctx, append([]ui.Crumb{{Text: i18n.T(ctx, "nav.mails"), URL: "/admin/mails"}}, last...)...)
}
