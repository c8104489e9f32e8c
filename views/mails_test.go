package views

import (
	"net/url"
	"time"

	"cancale/internal/hosting"
)

// mailSamples are the pages about mails.
func mailSamples(member, admin Page) []sample {
	letter := hosting.Mail{
		ID: 4, Kind: hosting.MailReset, Email: "maelle@souffle-en-baie.example", Language: "fr", State: hosting.MailWaiting, Tries: 2,
		CreatedAt: now.Add(-time.Hour), DueAt: now.Add(4 * time.Minute), VoidAt: now.Add(23 * time.Hour),
		Problem: hosting.Msg("mail.server_unreachable", "smtp.souffle-en-baie.example:587"), Detail: "dial tcp 192.0.2.25:587: connection refused",
	}
	sent := letter
	sent.ID, sent.State, sent.SentAt, sent.Problem, sent.Detail, sent.Subject = 5, hosting.MailSent, at(-time.Minute), hosting.Message{}, "", "Choisir un nouveau mot de passe"
	failed := letter
	failed.ID, failed.State, failed.Kind, failed.Problem = 6, hosting.MailFailed, hosting.MailInvitation, hosting.Msg("mail.void")
	text := "Bonjour Maëlle,\n\nQuelqu’un a demandé un nouveau mot de passe.\n\nhttps://panneau.cancale.example/invitation/" + "4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f"
	baie := hosting.Account{ID: 12, Name: "souffle", Label: "Souffle en Baie"}
	requests := []RequestRow{
		{hosting.Request{ID: 1, AccountID: 12, Subject: "Plus d’espace disque", About: "space", State: hosting.RequestOpen, ChangedAt: now.Add(-time.Hour)}, baie},
		{hosting.Request{ID: 2, AccountID: 12, Subject: "Plus d’espace disque", About: "space", State: hosting.RequestAnswered, ChangedAt: now.Add(-26 * time.Hour)}, baie},
		{hosting.Request{ID: 3, AccountID: 12, Subject: "<b>Galette</b>", State: hosting.RequestClosed, ChangedAt: now.AddDate(0, -1, 0)}, baie},
	}
	said := []hosting.RequestMessage{
		{ID: 1, Author: "Maëlle Kerdoncuff", Body: "Bonjour,\n\nnos photos prennent toute la place.", CreatedAt: now.Add(-2 * time.Hour)},
		{ID: 2, Author: "Théo Bernard", Team: true, Body: "C’est fait.", CreatedAt: now.Add(-time.Hour)},
	}
	words := []string{"nom", "hébergeur", "lien", "limite"}
	settings := SettingsParams{Group: "mail", Groups: []string{"ftp", "mail"}, Values: map[string]string{}}
	all := hosting.DefaultSettings()
	for _, s := range hosting.AllSettings() {
		if s.Group() == "mail" {
			settings.Settings = append(settings.Settings, s)
			settings.Values[s.Name] = s.Text(all)
		}
	}
	fresh := settings
	fresh.Beside = MailTest(session, fresh)
	settings.Tested, settings.Answer = hosting.Msg("mail.server_auth"), "535 5.7.8 authentication failed"
	settings.Beside = MailTest(session, settings)
	keys := []hosting.Passkey{
		{ID: 2, Name: "Téléphone de Maëlle", CreatedAt: now.AddDate(0, -1, 0), LastUsedAt: at(-3 * time.Hour)},
		{ID: 1, Name: "<b>Clé USB</b> du bureau, dans le tiroir de gauche", CreatedAt: now.AddDate(0, -7, 0)},
	}
	return []sample{
		{name: "admin-mails", page: AdminMailsPage(admin, AdminMailsParams{List: sampleList("/admin/mails", "state=waiting", 3, 1), Rows: []hosting.Mail{letter, sent, failed}})},
		{name: "admin-mails-none", page: AdminMailsPage(admin, AdminMailsParams{List: sampleList("/admin/mails", "", 0, 1), NoServer: true, CanSettings: true})},
		{name: "admin-mails-no-match", page: AdminMailsPage(admin, AdminMailsParams{List: sampleList("/admin/mails", "q=z", 0, 1)})},
		{name: "admin-mail", page: AdminMailPage(admin, AdminMailParams{Mail: letter, Subject: "Choisir un nouveau mot de passe", Text: text, CanResend: true})},
		{name: "admin-mail-sent", page: AdminMailPage(admin, AdminMailParams{Mail: sent, Subject: sent.Subject, Text: "Bonjour"})},
		{name: "admin-mail-texts", page: AdminMailTextsPage(admin, AdminMailTextsParams{Kinds: hosting.MailKinds, Changed: map[string]bool{"reset/fr": true}})},
		{name: "admin-mail-text", page: AdminMailTextPage(admin, AdminMailTextParams{Kind: hosting.MailReset, Language: "fr", Own: true, Words: words, Form: MailTextForm{Subject: "Bonjour", Body: text}})},
		{name: "admin-mail-text-refused", page: AdminMailTextPage(admin, AdminMailTextParams{Kind: hosting.MailReset, Language: "en", Words: words, Form: MailTextForm{Errors: sampleErrors("subject", "subject.empty", "body", "mail.text_brace")}})},
		{name: "requests", page: RequestsPage(member, RequestsParams{List: sampleList("/requests", "", 3, 1), Rows: requests, CanWrite: true})},
		{name: "requests-none", page: RequestsPage(member, RequestsParams{List: sampleList("/requests", "", 0, 1), CanWrite: true})},
		{name: "admin-requests", page: RequestsPage(admin, RequestsParams{List: sampleList("/admin/requests", "state=open", 3, 1), Rows: requests, Admin: true})},
		{name: "request-new", page: RequestNewPage(member, RequestForm{Subject: "Plus d’espace disque", About: "space", Errors: sampleErrors("body", "body.empty")})},
		{name: "request", page: RequestPage(member, RequestParams{RequestRow: requests[0], Messages: said, Path: "/requests/1", CanWrite: true})},
		{name: "admin-request", page: RequestPage(admin, RequestParams{RequestRow: requests[1], Messages: said, Path: "/admin/requests/1", Admin: true, CanWrite: true, CanPlan: true, Form: AnswerForm{Errors: sampleErrors("body", "body.empty")}})},
		{name: "signin-code", page: CodePage(Public{CSRF: session, Path: "/signin"}, CodeForm{State: "c2VhbGVk"})},
		{name: "signin-code-passkey", page: CodePage(Public{CSRF: session, Path: "/signin"}, CodeForm{State: "c2VhbGVk", Options: "{}"})},
		{name: "signin-code-passkey-only", page: CodePage(Public{CSRF: session, Path: "/signin"}, CodeForm{State: "c2VhbGVk", Options: "{}", Only: true, Errors: sampleErrors("", "passkey.wrong", "code", "factor.wrong")})},
		{name: "signin-code-refused", page: CodePage(Public{CSRF: session, Path: "/signin"}, CodeForm{State: "c2VhbGVk", Errors: sampleErrors("code", "factor.wrong")})},
		{name: "security", page: SecurityPage(admin, SecurityParams{Team: true, Form: SecurityForm{What: "begin", Errors: sampleErrors("password", "password.wrong")}})},
		{name: "security-on", page: SecurityPage(admin, SecurityParams{On: true, Codes: true, Since: now, Recovery: 9, Form: SecurityForm{What: "off", Errors: sampleErrors("code", "factor.wrong")}})},
		{name: "security-passkeys", page: SecurityPage(member, SecurityParams{On: true, Recovery: 10, Passkeys: keys, Place: PasskeyPlace{Here: true}})},
		{name: "security-passkeys-none", page: SecurityPage(member, SecurityParams{Place: PasskeyPlace{Here: true}})},
		{name: "security-passkeys-elsewhere", page: SecurityPage(member, SecurityParams{On: true, Codes: true, Since: now, Recovery: 1, Passkeys: keys[:1], Place: PasskeyPlace{Address: "https://panneau.cancale.example"}})},
		{name: "passkey-new", page: PasskeyNewPage(member, PasskeyPlace{Here: true}, PasskeyForm{Name: "Téléphone", Errors: sampleErrors("", "passkey.over", "name", "passkey.name_missing", "password", "password.wrong")})},
		{name: "passkey-new-nowhere", page: PasskeyNewPage(member, PasskeyPlace{}, PasskeyForm{})},
		{name: "passkey-make", page: PasskeyMakePage(member, PasskeyMakeParams{Name: "Téléphone de Maëlle", Options: "{}"})},
		{name: "passkey", page: PasskeyPage(member, PasskeyParams{Key: keys[1], Last: true, Form: PasskeyForm{Name: keys[1].Name}})},
		{name: "passkey-refused", page: PasskeyPage(member, PasskeyParams{Key: keys[0], Form: PasskeyForm{Errors: sampleErrors("name", "passkey.name_missing", "password", "password.wrong")}})},
		{name: "security-codes-passkey", page: RecoveryPage(member, RecoveryParams{Codes: []string{"varec-9tulo", "quaik-2mfab"}, Fresh: true, Key: true})},
		{name: "security-confirm", page: SecurityConfirmPage(admin, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", SecurityForm{What: "confirm"})},
		{name: "security-codes", page: RecoveryPage(admin, RecoveryParams{Codes: []string{"varec-9tulo", "quaik-2mfab"}, Fresh: true})},
		{name: "admin-settings-mail", page: SettingsPage(admin, fresh)},
		{name: "admin-settings-mail-tried", page: SettingsPage(admin, settings)},
	}
}

func sampleList(path, query string, total, page int) List {
	q, _ := url.ParseQuery(query)
	return List{Path: path, Query: q, Total: total, Page: page, PerPage: 50}
}

func sampleErrors(pairs ...string) Errors {
	e := Errors{}
	for i := 0; i < len(pairs); i += 2 {
		e[pairs[i]] = hosting.Msg(pairs[i+1], "12")
	}
	return e
}
