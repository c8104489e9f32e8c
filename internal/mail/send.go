package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"cancale/internal/hosting"
)

// patience is how long one step of the exchange with a server may take.
const patience = 20 * time.Second

// Server is where mails are handed over.
type Server struct {
	hosting.MailServer
	Roots   *x509.CertPool // whom its certificate is believed from; nil is the machine's
	Timeout time.Duration  // of each step; 0 is 20 s
}

// Problem is why a server did not take a mail.
type Problem struct { //nolint:errname // the word on the page
	Message hosting.Message // for people
	Answer  string          // of the server, word for word
	ForGood bool            // it says that it never will
}

// Error is the text for logs.
func (p *Problem) Error() string { return "mail: " + p.Message.Key + ": " + p.Answer }

// Send hands a letter over to the server. The same mail sent twice bears the
// same identity, so that programs show it once. A nil error means that the
// server has taken it; any other is a *Problem.
func Send(ctx context.Context, server Server, m hosting.Mail, letter Letter) error {
	message, err := compose(server, m, letter)
	if err != nil {
		return &Problem{Message: hosting.Msg("mail.server_recipient"), Answer: err.Error(), ForGood: true}
	}
	client, err := server.client()
	if err != nil {
		return &Problem{Message: hosting.Msg("mail.server_failed"), Answer: err.Error()}
	}
	dialed, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return server.problem(err)
	}
	err = client.SendWithSMTPClient(dialed, message)
	_ = client.CloseWithSMTPClient(dialed) // a server that does not say goodbye has taken it all the same
	if err != nil {
		return server.problem(err)
	}
	return nil
}

func (s Server) client() (*gomail.Client, error) {
	timeout := s.Timeout
	if timeout == 0 {
		timeout = patience
	}
	options := []gomail.Option{
		gomail.WithPort(s.Port), gomail.WithTimeout(timeout), gomail.WithoutNoop(),
		gomail.WithTLSConfig(&tls.Config{ServerName: s.Host, RootCAs: s.Roots, MinVersion: tls.VersionTLS12}),
		gomail.WithHELO(helo(s.From)),
	}
	switch s.Security {
	case hosting.MailTLS:
		options = append(options, gomail.WithSSL())
	case hosting.MailSTARTTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	}
	if s.User != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(s.User), gomail.WithPassword(s.Password))
	}
	return gomail.NewClient(s.Host, options...)
}

// helo is the name that we greet with: the domain that we write from.
func helo(from hosting.Email) string {
	_, domain, _ := strings.Cut(string(from), "@")
	return domain
}

func compose(server Server, m hosting.Mail, letter Letter) (*gomail.Msg, error) {
	message := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	from, err := mailbox(server.FromName, server.From)
	if err != nil {
		return nil, fmt.Errorf("mail: from: %w", err)
	}
	message.FromMailAddress(from)
	if server.ReplyTo != "" {
		replyTo, err := mailbox(server.FromName, server.ReplyTo)
		if err != nil {
			return nil, fmt.Errorf("mail: reply-to: %w", err)
		}
		message.ReplyToMailAddress(replyTo)
	}
	to, err := mailbox(m.Name, m.Email)
	if err != nil {
		return nil, fmt.Errorf("mail: to: %w", err)
	}
	message.ToMailAddress(to)
	message.Subject(oneLine(letter.Subject))
	message.SetDate()
	message.SetMessageIDWithValue(fmt.Sprintf("cancale-%d-%d@%s", m.ID, m.CreatedAt.UnixMicro(), helo(server.From)))
	message.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no automatic answers
	message.SetGenHeader("Content-Language", m.Language)
	message.SetBodyString(gomail.TypeTextPlain, letter.Text)
	message.AddAlternativeString(gomail.TypeTextHTML, letter.HTML)
	return message, nil
}

// mailbox is an address with a name before it. The name is a person's own: it
// is never read as a part of a header, whatever quotes it holds.
func mailbox(name string, address hosting.Email) (*mail.Address, error) {
	bare, err := mail.ParseAddress(string(address))
	if err != nil {
		return nil, err
	}
	return &mail.Address{Name: oneLine(name), Address: bare.Address}, nil
}

// problem puts what went wrong into words.
func (s Server) problem(err error) *Problem {
	p := &Problem{Message: hosting.Msg("mail.server_failed"), Answer: answer(err)}
	if sent, ok := errors.AsType[*gomail.SendError](err); ok && sent.ErrorCode() > 0 {
		p.ForGood = !sent.IsTemp()
		switch sent.Reason {
		case gomail.ErrSMTPMailFrom:
			p.Message = hosting.Msg("mail.server_sender")
		case gomail.ErrSMTPRcptTo:
			p.Message = hosting.Msg("mail.server_recipient")
		default:
			p.Message = hosting.Msg("mail.server_refused")
		}
		return p
	}
	var timeout net.Error
	var op *net.OpError
	var record tls.RecordHeaderError
	var certificate *tls.CertificateVerificationError
	switch text := err.Error(); {
	case strings.Contains(text, "does not support STARTTLS"):
		p.Message = hosting.Msg("mail.server_no_tls", s.Host)
	case strings.Contains(text, "AUTH"):
		p.Message = hosting.Msg("mail.server_auth")
	case errors.As(err, &certificate), errors.As(err, &record), strings.Contains(text, "tls:"):
		p.Message = hosting.Msg("mail.server_tls", s.Host)
	case errors.As(err, &op) && op.Op == "dial":
		p.Message = hosting.Msg("mail.server_unreachable", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
	case errors.As(err, &timeout) && timeout.Timeout():
		p.Message = hosting.Msg("mail.server_slow", s.Host)
	}
	return p
}

// answer is what the server said, without our own words around it.
func answer(err error) string {
	if e, ok := errors.AsType[*textproto.Error](err); ok {
		return e.Error()
	}
	return err.Error()
}
