package panel

import (
	"io"
	"net"
	"net/http"
	"net/mail"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"cancale/internal/hosting"
	"cancale/internal/store"
)

// postOffice is a mail server that keeps what it is given, or refuses.
type postOffice struct {
	mu      sync.Mutex
	letters []*mail.Message
	refuse  error
}

func (p *postOffice) NewSession(*smtp.Conn) (smtp.Session, error) { return p, nil }
func (p *postOffice) Reset()                                      {}
func (p *postOffice) Logout() error                               { return nil }
func (p *postOffice) Mail(string, *smtp.MailOptions) error        { return nil }
func (p *postOffice) Rcpt(string, *smtp.RcptOptions) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refuse
}

func (p *postOffice) Data(r io.Reader) error {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(m.Body)
	m.Body = strings.NewReader(string(body))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.letters = append(p.letters, m)
	return err
}

// to waits for a letter to somebody.
func (p *postOffice) to(t *testing.T, email string) *mail.Message {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		p.mu.Lock()
		for i, m := range p.letters {
			if strings.Contains(m.Header.Get("To"), email) {
				p.letters = append(p.letters[:i:i], p.letters[i+1:]...)
				p.mu.Unlock()
				return m
			}
		}
		p.mu.Unlock()
	}
	t.Fatalf("no letter to %s", email)
	return nil
}

// mailServer starts a mail server and makes it the installation's.
func (w *world) mailServer() *postOffice {
	w.t.Helper()
	office := &postOffice{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	w.must(err)
	server := smtp.NewServer(office)
	server.EnableSMTPUTF8 = true
	var running sync.WaitGroup
	running.Go(func() { _ = server.Serve(listener) })
	w.t.Cleanup(func() { _ = server.Close(); _ = listener.Close(); running.Wait() })
	w.setMailServer(listener.Addr().(*net.TCPAddr).Port)
	return office
}

func (w *world) setMailServer(port int) {
	w.t.Helper()
	_, err := w.store.UpdateSettings(w.t.Context(), w.root, func(all *hosting.Settings) error {
		all.Mail = hosting.MailServer{Host: "127.0.0.1", Port: port, Security: hosting.MailClear, From: "panneau@hebergeur.example", Platform: "L’Hébergeur"}
		return nil
	})
	w.must(err)
}

func TestAForgottenPasswordIsMailed(t *testing.T) {
	w := newWorld(t)
	office := w.mailServer()
	var answers []string
	for _, email := range []string{"owner@asso.example", "nobody@asso.example"} {
		b := w.browser()
		b.get("/forgot")
		p := b.post("/forgot", "email", email)
		if p.status != http.StatusOK {
			t.Fatal(p.status, p.text(".errors"))
		}
		answers = append(answers, strings.ReplaceAll(p.text("main"), email, "X"))
	}
	if answers[0] != answers[1] {
		t.Errorf("known and unknown are told apart: %q", answers)
	}
	letter := office.to(t, "owner@asso.example")
	body, err := io.ReadAll(letter.Body)
	w.must(err)
	text := strings.NewReplacer("=\r\n", "", "=3D", "=").Replace(string(body))
	link := regexpLink.FindString(text)
	if link == "" {
		t.Fatalf("no link in %s", text)
	}
	b := w.browser()
	b.get(strings.TrimPrefix(link, w.url))
	if p := b.post(strings.TrimPrefix(link, w.url), "password", "un tout nouveau mot de passe"); p.status != http.StatusSeeOther {
		t.Fatal(p.status, p.text(".errors"))
	}
	t.Run("the list knows that it was sent, and keeps no link", func(t *testing.T) {
		a := w.as(admin)
		var id string
		for deadline := time.Now().Add(10 * time.Second); id == "" && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			rows, _, err := w.store.Mails(t.Context(), w.root.Scope(hosting.AdminMails), store.MailFilter{State: hosting.MailSent})
			w.must(err)
			if len(rows) > 0 {
				id = number(rows[0].ID)
			}
		}
		p := a.get("/admin/mails/" + id)
		if p.status != http.StatusOK || strings.Contains(p.body, "/invitation/") || !strings.Contains(p.text("main"), "owner@asso.example") {
			t.Error(p.status, p.text("main"))
		}
	})
	t.Run("who asks again and again fills no mailbox", func(t *testing.T) {
		b := w.browser()
		b.get("/forgot")
		for range 6 {
			b.post("/forgot", "email", "webmaster@asso.example")
		}
		office.to(t, "webmaster@asso.example")
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			_, waiting, err := w.store.Mails(t.Context(), w.root.Scope(hosting.AdminMails), store.MailFilter{State: hosting.MailWaiting})
			w.must(err)
			if waiting == 0 || time.Now().After(deadline) {
				break
			}
		}
		_, all, err := w.store.Mails(t.Context(), w.root.Scope(hosting.AdminMails), store.MailFilter{Search: "webmaster@asso.example"})
		w.must(err)
		if all > 3 {
			t.Errorf("%d mails", all)
		}
	})
	t.Run("too many from one network are refused", func(t *testing.T) {
		b := w.browser()
		b.get("/forgot")
		for i := range 30 {
			if p := b.post("/forgot", "email", "x"+strconv.Itoa(i)+"@asso.example"); p.status == http.StatusUnprocessableEntity {
				return
			}
		}
		t.Error("thirty in a row are taken")
	})
}

func TestMailsWithoutAServerAreReadInThePanel(t *testing.T) {
	w := newWorld(t)
	b := w.as(owner)
	b.get("/people/invite")
	p := b.follow(b.post("/people/invite", "email", "nouvelle@asso.example", "name", "<b>Nolwenn</b>", "role", "webmaster"))
	link := regexpLink.FindString(p.body)
	a := w.as(admin)
	rows, total, err := w.store.Mails(t.Context(), w.root.Scope(hosting.AdminMails), store.MailFilter{})
	w.must(err)
	if total != 1 || rows[0].State != hosting.MailWaiting {
		t.Fatal(rows)
	}
	if p := a.get("/admin/mails"); !strings.Contains(p.text("main"), "nouvelle@asso.example") || p.doc.Find(".alert--warn").Length() == 0 {
		t.Error(p.text("main"))
	}
	p = a.get("/admin/mails/" + number(rows[0].ID))
	if !strings.Contains(p.text(".quote"), link) || strings.Contains(p.body, "<b>Nolwenn") {
		t.Errorf("%q is not in %q", link, p.text(".quote"))
	}
	if p := b.get("/admin/mails/" + number(rows[0].ID)); p.status != http.StatusForbidden {
		t.Errorf("an owner reads it: %d", p.status)
	}
	var sealed []byte
	if rows, err := w.store.Mail(t.Context(), hosting.Scope{}, rows[0].ID); hosting.KindOf(err) != hosting.NotFound {
		t.Error(rows, sealed)
	}
}

func TestTheMailServerIsTried(t *testing.T) {
	w := newWorld(t)
	a := w.as(admin)
	a.get("/admin/settings/mail")
	if p := a.post("/admin/settings/mail/test"); p.status != http.StatusUnprocessableEntity {
		t.Fatal(p.status)
	}
	office := w.mailServer()
	a.get("/admin/settings/mail")
	if p := a.follow(a.post("/admin/settings/mail/test")); !strings.Contains(p.text(".alert--ok"), "administrator@asso.example") {
		t.Error(p.text("main"))
	}
	office.to(t, "administrator@asso.example")
	office.mu.Lock()
	office.refuse = &smtp.SMTPError{Code: 550, Message: "not from <b>you</b>"}
	office.mu.Unlock()
	p := a.post("/admin/settings/mail/test")
	if p.status != http.StatusUnprocessableEntity || !strings.Contains(p.text(".alert--fail"), "not from <b>you</b>") || strings.Contains(p.body, "<b>you") {
		t.Error(p.status, p.text(".alert"))
	}
	t.Run("its password is sealed and never shown", func(t *testing.T) {
		fields := []string{"mail.host", "127.0.0.1", "mail.port", "25", "mail.security", "none", "mail.user", "panneau", "mail.from", "panneau@hebergeur.example", "mail.platform", "L’Hébergeur"}
		if p := a.post("/admin/settings/mail", append(fields, "mail.password", "tr3s-secret")...); p.status != http.StatusSeeOther {
			t.Fatal(p.status, p.text(".errors"))
		}
		if p := a.get("/admin/settings/mail"); strings.Contains(p.body, "tr3s-secret") || p.value("mail.password") != "" {
			t.Error("shown")
		}
		a.post("/admin/settings/mail", append(fields, "mail.password", "")...)
		server, err := w.store.MailServer(t.Context())
		w.must(err)
		settings, err := w.store.Settings(t.Context())
		w.must(err)
		if server.Password != "tr3s-secret" || settings.Mail.Password == "" || strings.Contains(settings.Mail.Password, "secret") {
			t.Errorf("%q %q", server.Password, settings.Mail.Password)
		}
		entries, _, err := w.store.Audit(t.Context(), w.root.Scope(hosting.AdminAudit), store.AuditFilter{Search: "mail.password"})
		w.must(err)
		if len(entries) != 1 || !strings.Contains(entries[0].After, "•••") {
			t.Error(entries)
		}
	})
}

func TestAMailThatCannotBeSentIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	office := w.mailServer()
	office.mu.Lock()
	office.refuse = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "later"}
	office.mu.Unlock()
	_, err := w.store.Invite(t.Context(), w.root, w.people[owner].ID)
	w.must(err)
	var m hosting.Mail
	for deadline := time.Now().Add(30 * time.Second); m.Problem.IsZero() && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		rows, _, err := w.store.Mails(t.Context(), w.root.Scope(hosting.AdminMails), store.MailFilter{})
		w.must(err)
		m = rows[0]
	}
	if m.State != hosting.MailWaiting || m.Tries != 1 || !strings.Contains(m.Detail, "later") || time.Until(m.DueAt) < 30*time.Second {
		t.Fatalf("%+v", m)
	}
	office.mu.Lock()
	office.refuse = nil
	office.mu.Unlock()
	a := w.as(admin)
	a.get("/admin/mails/" + number(m.ID))
	if p := a.post("/admin/mails/" + number(m.ID) + "/resend"); p.status != http.StatusSeeOther {
		t.Fatal(p.status)
	}
	office.to(t, "owner@asso.example")
}

func TestTheWordsOfAMailAreTheirs(t *testing.T) {
	w := newWorld(t)
	office := w.mailServer()
	a := w.as(admin)
	page := "/admin/mails/texts/reset/fr"
	a.get(page)
	p := a.post(page, "subject", "Bonjour {nom}", "body", "Voici : {mot de passe}")
	p.refusedAt(t, "body")
	if p := a.post(page, "subject", "Salut {nom}", "body", "Voici :\n\n{lien}"); p.status != http.StatusSeeOther {
		t.Fatal(p.status, p.text(".errors"))
	}
	_, err := w.store.Invite(t.Context(), w.root, w.people[owner].ID)
	w.must(err)
	if m := office.to(t, "owner@asso.example"); !strings.Contains(m.Header.Get("Subject"), "Salut") {
		t.Error(m.Header)
	}
	a.get(page)
	a.post(page + "/reset")
	if p := a.get(page); strings.Contains(p.value("body"), "Voici") {
		t.Error(p.value("body"))
	}
	if p := a.get("/admin/mails/texts/none/fr"); p.status != http.StatusNotFound {
		t.Error(p.status)
	}
}
