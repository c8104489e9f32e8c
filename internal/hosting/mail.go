package hosting

import (
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// MailID is the number of a mail.
type MailID uint64

// MailKind says what a mail is about; each has a text in each language.
type MailKind string

const (
	MailInvitation   MailKind = "invitation"   // a first password, for an association
	MailTeam         MailKind = "team"         // a first password, for the platform
	MailReset        MailKind = "reset"        // a link for another password
	MailJoined       MailKind = "joined"       // one more association, for who has a password
	MailLeft         MailKind = "left"         // the role on an association has ended
	MailLimit        MailKind = "limit"        // a limit of the plan is nearly reached
	MailEnding       MailKind = "ending"       // the membership ends soon
	MailEnded        MailKind = "ended"        // the membership has ended
	MailFactor       MailKind = "factor"       // the second factor has changed
	MailRequest      MailKind = "request"      // to the team: somebody asks something
	MailAnswer       MailKind = "answer"       // to the association: an answer
	MailAnnouncement MailKind = "announcement" // to the owners, from the team
	MailFull         MailKind = "full"         // to the team: an association has no room left
	MailDevice       MailKind = "device"       // a sign-in with a browser that is new
	MailAccess       MailKind = "access"       // to the owners: the team gave an access in their place
)

// mailPlaces are, for each kind, what its text may name between braces, in the
// order of the places {0}, {1}… of the text that it has from the start. What a
// link leads to is in the place "link".
var mailPlaces = map[MailKind][]string{
	MailInvitation:   {"name", "platform", "account", "role", "link", "until"},
	MailTeam:         {"name", "platform", "link", "until"},
	MailReset:        {"name", "platform", "link", "until"},
	MailJoined:       {"name", "platform", "account", "role", "link"},
	MailLeft:         {"name", "platform", "account"},
	MailLimit:        {"name", "platform", "account", "what", "percent", "link"},
	MailEnding:       {"name", "platform", "account", "day", "link"},
	MailEnded:        {"name", "platform", "account", "day"},
	MailFactor:       {"name", "platform", "act", "at", "link"},
	MailRequest:      {"name", "platform", "account", "author", "subject", "text", "link"},
	MailAnswer:       {"name", "platform", "account", "author", "subject", "text", "link"},
	MailAnnouncement: {"name", "platform", "subject", "text"},
	MailFull:         {"name", "platform", "account", "link"},
	MailDevice:       {"name", "platform", "agent", "source", "at", "link"},
	MailAccess:       {"name", "platform", "account", "author", "act", "subject", "at", "link"},
}

// MailKinds are all kinds, in the order of the panel's list.
var MailKinds = []MailKind{
	MailInvitation, MailTeam, MailReset, MailJoined, MailLeft, MailLimit, MailEnding, MailEnded,
	MailFactor, MailDevice, MailAccess, MailRequest, MailAnswer, MailAnnouncement, MailFull,
}

// ParseMailKind accepts the name of a kind.
func ParseMailKind(s string) (MailKind, error) {
	if kind := MailKind(s); slices.Contains(MailKinds, kind) {
		return kind, nil
	}
	return "", Refuse(NotFound, "", "mail.kind_unknown")
}

// Places are what the text of a kind may name.
func (k MailKind) Places() []string { return mailPlaces[k] }

// Secret reports whether the link of such a mail makes its reader the person.
func (k MailKind) Secret() bool { return k == MailInvitation || k == MailTeam || k == MailReset }

// MailState is how far a mail is.
type MailState string

const (
	MailWaiting MailState = "waiting"
	MailSent    MailState = "sent"
	MailFailed  MailState = "failed"
)

// Mail is a message to one person. What it says is made when it is sent, in
// the words that the installation has then.
type Mail struct {
	ID        MailID
	Kind      MailKind
	AccountID AccountID // it is about; 0 for none
	Email     Email
	Name      string // of the person; may be empty
	Language  string
	Args      map[string]string // what the places hold; see Places
	Link      string            // a path of the panel
	State     MailState
	Tries     int
	DueAt     time.Time
	VoidAt    time.Time // after that it makes no sense any more
	Problem   Message   // why it was not sent
	Detail    string    // what the server answered
	Subject   string    // once it is sent
	Text      string    // once it is sent, without its secret link
	CreatedAt time.Time
	SentAt    *time.Time
}

// MailText is what a kind says in a language, in the words of the
// administrators. An empty text is the one that it has from the start.
type MailText struct {
	Kind     MailKind
	Language string
	Subject  string
	Body     string
}

const (
	maxSubject = 150
	maxBody    = 8000
)

// ParseSubject accepts the subject of a mail or of a request: one line, not
// empty.
func ParseSubject(field, s string) (string, error) {
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return "", Refuse(Invalid, field, "subject.empty")
	case !utf8.ValidString(s) || strings.ContainsFunc(s, isControl):
		return "", Refuse(Invalid, field, "label.invalid")
	case utf8.RuneCountInString(s) > maxSubject:
		return "", Refuse(Invalid, field, "label.too_long", "150")
	}
	return s, nil
}

// ParseBody accepts the text of a mail, of a request or of an announcement:
// several lines, not empty.
func ParseBody(field, s string) (string, error) {
	s = strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n"))
	switch {
	case s == "":
		return "", Refuse(Invalid, field, "body.empty")
	case !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && r != '\t' && isControl(r) }):
		return "", Refuse(Invalid, field, "note.invalid")
	case utf8.RuneCountInString(s) > maxBody:
		return "", Refuse(Invalid, field, "note.too_long", "8000")
	}
	return s, nil
}

// MailSecurity is how the way to a mail server is encrypted.
type MailSecurity string

const (
	MailSTARTTLS MailSecurity = "starttls" // after a greeting in clear; usual on port 587
	MailTLS      MailSecurity = "tls"      // from the first byte; usual on port 465
	MailClear    MailSecurity = "none"     // for a server on the same machine only
)

// MailServer is where mails are handed over, and whose they are. Without a
// host there is none, and mails wait to be read in the panel.
type MailServer struct {
	Host     string // a name or an address
	Port     int
	Security MailSecurity
	User     string
	Password string // sealed, but where it is about to be used
	From     Email
	FromName string
	ReplyTo  Email  // where answers go; empty is From
	Platform string // what the host is called in mails
}

// Set reports whether there is a server.
func (s MailServer) Set() bool { return s.Host != "" }

// parseServerName accepts a host name of one label or more, or an address.
func parseServerName(field, s string) (string, error) {
	s = strings.ToLower(strings.TrimSuffix(s, "."))
	if addr, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil && addr.Zone() == "" {
		return addr.String(), nil
	}
	if ascii, err := hostProfile.ToASCII(s); err == nil && len(ascii) <= maxHost && isLDH(ascii) {
		return ascii, nil
	}
	return "", Refuse(Invalid, field, "mail.host_invalid")
}
