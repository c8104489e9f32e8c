package mail

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"cancale/internal/hosting"
)

// postOffice is a mail server that keeps what it is given.
type postOffice struct {
	mu       sync.Mutex
	letters  []string
	refuse   map[string]*smtp.SMTPError // by recipient
	password string
	roots    *x509.CertPool
	port     int
}

func (p *postOffice) NewSession(*smtp.Conn) (smtp.Session, error) { return &counter{p: p}, nil }

type counter struct {
	p     *postOffice
	known bool
}

func (c *counter) Reset()        {}
func (c *counter) Logout() error { return nil }
func (c *counter) AuthMechanisms() []string {
	if c.p.password == "" {
		return nil
	}
	return []string{sasl.Plain}
}

func (c *counter) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, _, password string) error {
		if password != c.p.password {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "no such user"}
		}
		c.known = true
		return nil
	}), nil
}

func (c *counter) Mail(string, *smtp.MailOptions) error {
	if c.p.password != "" && !c.known {
		return &smtp.SMTPError{Code: 530, Message: "who are you"}
	}
	return nil
}

func (c *counter) Rcpt(to string, _ *smtp.RcptOptions) error {
	if e := c.p.refuse[to]; e != nil {
		return e
	}
	return nil
}

func (c *counter) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	c.p.letters = append(c.p.letters, string(data))
	return err
}

// openOffice starts a server; how is "none", "starttls" or "tls".
func openOffice(t *testing.T, how hosting.MailSecurity) *postOffice {
	t.Helper()
	p := &postOffice{refuse: map[string]*smtp.SMTPError{}, roots: x509.NewCertPool()}
	server := smtp.NewServer(p)
	server.AllowInsecureAuth, server.EnableSMTPUTF8 = true, true
	server.ErrorLog = log.New(io.Discard, "", 0)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.port = listener.Addr().(*net.TCPAddr).Port
	if how != hosting.MailClear {
		certificate := newCertificate(t, p.roots)
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}}
	}
	if how == hosting.MailTLS {
		listener = tls.NewListener(listener, server.TLSConfig)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close(); _ = listener.Close(); <-done })
	return p
}

func newCertificate(t *testing.T, roots *x509.CertPool) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (p *postOffice) server(how hosting.MailSecurity) Server {
	return Server{
		MailServer: hosting.MailServer{Host: "127.0.0.1", Port: p.port, Security: how, From: "panneau@hebergeur.example", FromName: "Hébergeur, équipe", ReplyTo: "equipe@hebergeur.example"},
		Roots:      p.roots, Timeout: 2 * time.Second,
	}
}

var (
	host  = Site{URL: "https://panneau.hebergeur.example/", Name: "L’Hébergeur"}
	reset = hosting.Mail{
		ID: 7, Kind: hosting.MailReset, Email: "yann@asso.example", Name: "Yann Le Goff", Language: "fr", Link: "/invitation/tok-en", CreatedAt: time.Unix(1, 0),
		Args: map[string]string{"until": "2026-11-24T10:00:00Z"},
	}
)

func mustRender(t *testing.T, m hosting.Mail) Letter {
	t.Helper()
	letter, err := Render(m, nil, host, false)
	if err != nil {
		t.Fatal(err)
	}
	return letter
}

func TestALetterArrives(t *testing.T) {
	for _, how := range []hosting.MailSecurity{hosting.MailClear, hosting.MailSTARTTLS, hosting.MailTLS} {
		t.Run(string(how), func(t *testing.T) {
			office := openOffice(t, how)
			server := office.server(how)
			if how != hosting.MailClear {
				office.password = "s3cret"
				server.User, server.Password = "panneau", "s3cret"
			}
			letter := mustRender(t, reset)
			for range 2 {
				if err := Send(t.Context(), server, reset, letter); err != nil {
					t.Fatal(err)
				}
			}
			first, err := mail.ReadMessage(strings.NewReader(office.letters[0]))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(first.Header.Get("Content-Type"), "multipart/alternative") {
				t.Error(first.Header)
			}
			second, err := mail.ReadMessage(strings.NewReader(office.letters[1]))
			if err != nil {
				t.Fatal(err)
			}
			if id := first.Header.Get("Message-Id"); id == "" || id != second.Header.Get("Message-Id") {
				t.Errorf("the same mail has two identities: %q and %q", id, second.Header.Get("Message-Id"))
			}
			if from, err := first.Header.AddressList("From"); err != nil || from[0].Name != "Hébergeur, équipe" || from[0].Address != "panneau@hebergeur.example" {
				t.Error(from, err)
			}
			if first.Header.Get("Auto-Submitted") != "auto-generated" || !strings.Contains(first.Header.Get("Reply-To"), "equipe@hebergeur.example") {
				t.Error(first.Header)
			}
		})
	}
}

func TestWhatAServerAnswersIsSaid(t *testing.T) {
	letter := mustRender(t, reset)
	refused := func(t *testing.T, server Server, key string, forGood bool) {
		t.Helper()
		err := Send(t.Context(), server, reset, letter)
		problem, is := errors.AsType[*Problem](err)
		if !is || problem.Message.Key != key || problem.ForGood != forGood {
			t.Errorf("got %v (for good: %v), want %s", err, is && problem.ForGood, key)
		}
		if is && strings.Contains(problem.Answer, "s3cret") {
			t.Error("the password is told")
		}
	}
	t.Run("nobody there", func(t *testing.T) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		office := &postOffice{port: listener.Addr().(*net.TCPAddr).Port}
		_ = listener.Close()
		refused(t, office.server(hosting.MailClear), "mail.server_unreachable", false)
	})
	t.Run("a wrong password", func(t *testing.T) {
		office := openOffice(t, hosting.MailSTARTTLS)
		office.password = "another"
		server := office.server(hosting.MailSTARTTLS)
		server.User, server.Password = "panneau", "s3cret"
		refused(t, server, "mail.server_auth", false)
	})
	t.Run("a certificate that nobody vouches for", func(t *testing.T) {
		server := openOffice(t, hosting.MailSTARTTLS).server(hosting.MailSTARTTLS)
		server.Roots = x509.NewCertPool()
		refused(t, server, "mail.server_tls", false)
	})
	t.Run("no STARTTLS although it is wanted", func(t *testing.T) {
		refused(t, openOffice(t, hosting.MailClear).server(hosting.MailSTARTTLS), "mail.server_no_tls", false)
	})
	t.Run("a recipient that it does not know", func(t *testing.T) {
		office := openOffice(t, hosting.MailClear)
		office.refuse["yann@asso.example"] = &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
		refused(t, office.server(hosting.MailClear), "mail.server_recipient", true)
	})
	t.Run("a recipient that it wants to hear of later", func(t *testing.T) {
		office := openOffice(t, hosting.MailClear)
		office.refuse["yann@asso.example"] = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "greylisted"}
		refused(t, office.server(hosting.MailClear), "mail.server_recipient", false)
	})
	t.Run("one that says nothing", func(t *testing.T) {
		refused(t, (&postOffice{port: silent(t, nil)}).server(hosting.MailClear), "mail.server_slow", false)
	})
	t.Run("one that dies in the middle", func(t *testing.T) {
		refused(t, (&postOffice{port: silent(t, []byte("220 hello\r\n"))}).server(hosting.MailClear), "mail.server_failed", false)
	})
}

// silent is the port of a server that says one thing at most, and then hangs
// up; when it has nothing to say it waits.
func silent(t *testing.T, greeting []byte) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(4 * time.Second))
				if greeting == nil {
					_, _ = io.Copy(io.Discard, conn) // until the other side gives up
					return
				}
				_, _ = conn.Write(greeting)
				_, _ = conn.Read(make([]byte, 100))
			})
		}
	})
	t.Cleanup(func() { _ = listener.Close(); open.Wait() })
	return listener.Addr().(*net.TCPAddr).Port
}

func TestNoValueBecomesAHeader(t *testing.T) {
	office := openOffice(t, hosting.MailClear)
	bad := "x\r\nBcc: victim@elsewhere.example\r\n\r\nbody"
	m := hosting.Mail{
		ID: 9, Kind: hosting.MailRequest, Email: "team@hebergeur.example", Name: bad, Language: "fr\r\nX-Evil: 1",
		Args: map[string]string{"account": bad, "author": bad, "subject": bad, "text": "<script>alert(1)</script>\n.\nBcc: x"},
	}
	server := office.server(hosting.MailClear)
	server.FromName = bad
	letter := mustRender(t, m)
	if err := Send(t.Context(), server, m, letter); err != nil {
		t.Log("refused:", err) // as good
		return
	}
	got, err := mail.ReadMessage(strings.NewReader(office.letters[0]))
	if err != nil {
		t.Fatal(err)
	}
	for name := range got.Header {
		if slices.Contains([]string{"Bcc", "X-Evil"}, name) {
			t.Errorf("header %s: %q", name, got.Header[name])
		}
	}
	if strings.Contains(letter.HTML, "<script") {
		t.Error("markup of a person is in the HTML")
	}
}

func TestEveryKindHasWords(t *testing.T) {
	args := map[string]string{
		"account": "Souffle en Baie", "role": "owner", "until": "2026-11-24T10:00:00Z", "at": "2026-11-24T10:00:00Z", "day": "2026-11-24T10:00:00Z",
		"what": "disk", "percent": "95", "device": "Firefox/140", "source": "192.0.2.1", "act": "totp_on", "author": "Yann", "subject": "Plus de place", "text": "Bonjour\n\nNous manquons de place.",
	}
	for _, kind := range hosting.MailKinds {
		for _, language := range []string{"fr", "en"} {
			m := hosting.Mail{Kind: kind, Email: "a@b.example", Name: "Ana", Language: language, Link: "/x", Args: args}
			letter := mustRender(t, m)
			for what, s := range map[string]string{"subject": letter.Subject, "text": letter.Text, "html": letter.HTML} {
				if s == "" || strings.Contains(s, "{") && what != "html" || strings.Contains(s, "mail.") || strings.Contains(s, "role.") {
					t.Errorf("%s %s %s: %q", kind, language, what, s)
				}
			}
			if slices.Contains(kind.Places(), "link") && (!strings.Contains(letter.Text, "https://panneau.hebergeur.example/x") || !strings.Contains(letter.HTML, `href="https://panneau.hebergeur.example/x"`)) {
				t.Errorf("%s %s: no link in %s", kind, language, letter.Text)
			}
			if _, err := Check(Default(kind, language)); err != nil {
				t.Errorf("%s %s: its own text is refused: %v", kind, language, err)
			}
		}
	}
}

func TestASecretLinkIsNotKept(t *testing.T) {
	struck, err := Render(reset, nil, host, true)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(struck.Text+struck.HTML, "tok-en") || !strings.Contains(struck.Text, "[lien retiré]") {
		t.Error(struck.Text)
	}
}

func TestOwnTexts(t *testing.T) {
	own := hosting.MailText{Kind: hosting.MailReset, Language: "fr", Subject: "Bonjour {nom}", Body: "Voici, {nom} :\n\n{lien}\n\n<b>{hébergeur}</b>"}
	if _, err := Check(own); err != nil {
		t.Fatal(err)
	}
	letter, err := Render(reset, []hosting.MailText{own}, host, false)
	if err != nil || letter.Subject != "Bonjour Yann Le Goff" || !strings.Contains(letter.HTML, "&lt;b&gt;L’Hébergeur") || bytes.Contains([]byte(letter.HTML), []byte("<b>")) {
		t.Error(letter, err)
	}
	for name, c := range map[string]struct {
		change     func(*hosting.MailText)
		field, key string
	}{
		"an unknown place":     {func(m *hosting.MailText) { m.Body += " {mot de passe}" }, "body", "mail.text_unknown_place"},
		"in the subject":       {func(m *hosting.MailText) { m.Subject = "{x}" }, "subject", "mail.text_unknown_place"},
		"of another language":  {func(m *hosting.MailText) { m.Body = "{link}" }, "body", "mail.text_unknown_place"},
		"a missing link":       {func(m *hosting.MailText) { m.Body = "Bonjour" }, "body", "mail.text_missing_place"},
		"an open brace":        {func(m *hosting.MailText) { m.Body += " {lien" }, "body", "mail.text_brace"},
		"a closing brace":      {func(m *hosting.MailText) { m.Body += " lien}" }, "body", "mail.text_brace"},
		"nothing":              {func(m *hosting.MailText) { m.Body = "  " }, "body", "body.empty"},
		"two lines in subject": {func(m *hosting.MailText) { m.Subject = "a\nBcc: x" }, "subject", "label.invalid"},
	} {
		text := own
		c.change(&text)
		_, err := Check(text)
		if got := hosting.FieldErrors(err)[c.field]; got.Key != c.key {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("{nom}", "{lien}")
	f.Add("}{", "{{lien}}")
	f.Fuzz(func(t *testing.T, subject, body string) {
		text, err := Check(hosting.MailText{Kind: hosting.MailReset, Language: "fr", Subject: subject, Body: body})
		if err != nil {
			return
		}
		letter, err := Render(reset, []hosting.MailText{text}, host, false)
		if err != nil || strings.ContainsAny(letter.Subject, "\r\n\x00") || !strings.Contains(letter.Text, "/invitation/tok-en") {
			t.Errorf("%q %q: %q %v", subject, body, letter.Text, err)
		}
	})
}

// Names are as people write them; none of them is an address, nor a line of a
// header.
func TestNamesOfPeopleAreOnlyNames(t *testing.T) {
	for _, name := range []string{
		"", "Zoé Le Goff", `Jean "Jojo" Dupont`, `back\`, `"`, "a (b", `x" <evil@example.org>, "y`, `x" <evil@example.org> (`, "x <evil@example.org>",
		"=?utf-8?q?x?= <evil@example.org>", "x\r\nBcc: evil@example.org", "a, b; c: d", strings.Repeat("é", 120),
	} {
		server := Server{MailServer: hosting.MailServer{From: "panel@example.org", FromName: name, ReplyTo: "team@example.org"}}
		message, err := compose(server, hosting.Mail{ID: 1, Email: "zoe@example.org", Name: name, Language: "fr"}, Letter{Subject: "x", Text: "x", HTML: "x"})
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if to, err := message.GetRecipients(); err != nil || len(to) != 1 || to[0] != "<zoe@example.org>" {
			t.Errorf("%q goes to %q, %v", name, to, err)
		}
		var raw bytes.Buffer
		if _, err := message.WriteTo(&raw); err != nil {
			t.Fatal(err)
		}
		read, err := mail.ReadMessage(&raw)
		if err != nil {
			t.Fatal(err)
		}
		for header, address := range map[string]string{"From": "panel@example.org", "Reply-To": "team@example.org", "To": "zoe@example.org"} {
			list, err := read.Header.AddressList(header)
			if err != nil || len(list) != 1 || list[0].Address != address || list[0].Name != oneLine(name) {
				t.Errorf("%q: %s is %q, %v", name, header, read.Header.Get(header), err)
			}
		}
		if read.Header.Get("Bcc") != "" {
			t.Errorf("%q: a header more", name)
		}
	}
}
