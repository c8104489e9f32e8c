package hosting

import (
	"crypto/rand"
	"database/sql/driver"
	"encoding/hex"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// Names that come from people. Each is parsed once, where it enters; after
// that the type is the proof. No accepted name holds a control character, a
// quote, a backslash, a dollar or a space.
type (
	AccountName  string // [a-z][a-z0-9-]{1,30}
	PlanName     string // as an account name
	DatabaseName string // ACCOUNT_suffix, at most 64 characters
	FTPName      string // name@account, or account
	Email        string // as typed, lower case
	Hostname     string // ASCII (punycode) form, lower case, no trailing dot
	DocumentRoot string // relative to the home, cleaned; "" is the home itself
	PHPVersion   string // "8.2"
	Token        string // 128 bits in lower-case hex
)

var accountName = regexp.MustCompile(`^[a-z][a-z0-9-]{1,30}$`)

// reservedAccounts would collide with names of MariaDB, of the panel or of ours.
var reservedAccounts = []string{"cancale", "mysql", "mariadb", "root", "sys", "information-schema", "performance-schema", "admin", "www", "ftp", "anonymous"}

// ParseAccountName accepts the short name of a hosted association.
func ParseAccountName(s string) (AccountName, error) {
	s = strings.TrimSpace(s)
	if !accountName.MatchString(s) {
		return "", Refuse(Invalid, "name", "account.name_invalid")
	}
	if slices.Contains(reservedAccounts, s) {
		return "", Refuse(Conflict, "name", "account.name_reserved", s)
	}
	return AccountName(s), nil
}

// ParsePlanName accepts the short name of a plan.
func ParsePlanName(s string) (PlanName, error) {
	s = strings.TrimSpace(s)
	if !accountName.MatchString(s) {
		return "", Refuse(Invalid, "name", "plan.name_invalid")
	}
	return PlanName(s), nil
}

// maxLabel is the longest label or name of a person, in characters.
const maxLabel = 120

// ParseLabel accepts one line of text for people: the name of an association
// or of a person. It may be empty.
func ParseLabel(field, s string) (string, error) {
	s = strings.TrimSpace(s)
	if !utf8.ValidString(s) || strings.ContainsFunc(s, isControl) {
		return "", Refuse(Invalid, field, "label.invalid")
	}
	if utf8.RuneCountInString(s) > maxLabel {
		return "", Refuse(Invalid, field, "label.too_long", "120")
	}
	return s, nil
}

// maxNote is the longest note, in characters.
const maxNote = 4000

// ParseNote accepts a text of several lines that only people read.
func ParseNote(field, s string) (string, error) {
	s = strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n"))
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && r != '\t' && isControl(r) }) {
		return "", Refuse(Invalid, field, "note.invalid")
	}
	if utf8.RuneCountInString(s) > maxNote {
		return "", Refuse(Invalid, field, "note.too_long", "4000")
	}
	return s, nil
}

// isControl finds what must not reach a page, a log line or a file that a
// daemon reads: control characters, line and paragraph separators, and the
// marks that turn the direction of a text.
func isControl(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp) || unicode.Is(unicode.Bidi_Control, r)
}

// emailLocal is what people really have before the @, without what would have
// to be quoted somewhere.
var emailLocal = regexp.MustCompile(`^[\p{L}\p{M}\p{Nd}_=~+-]+(\.[\p{L}\p{M}\p{Nd}_=~+-]+)*$`)

// ParseEmail accepts the address of one mailbox, without a display name. Only
// the form is checked.
func ParseEmail(s string) (Email, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	invalid := Refuse(Invalid, "email", "email.invalid")
	local, domain, found := strings.Cut(s, "@")
	if !found || len(s) > 254 || len(local) > 64 || !emailLocal.MatchString(local) {
		return "", invalid
	}
	ascii, err := hostProfile.ToASCII(domain)
	if err != nil || !strings.Contains(ascii, ".") || !isLDH(ascii) || !isWritten(ascii) || isDigits(ascii[strings.LastIndexByte(ascii, '.')+1:]) {
		return "", invalid
	}
	return Email(local + "@" + domain), nil
}

// hostProfile maps and checks host names as browsers do before a look-up
// (UTS 46, strict LDH).
var hostProfile = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true), idna.Transitional(false), idna.VerifyDNSLength(true))

// Limits of the DNS (RFC 1035, section 2.3.4), in characters of the ASCII form.
const (
	maxHost      = 253
	maxHostLabel = 63
)

// ParseHostname accepts a fully qualified host name, typed in Unicode or in
// ASCII, in any case, with or without its final dot. Addresses, wildcards,
// single labels and public suffixes (co.uk, gouv.fr) are refused.
func ParseHostname(s string) (Hostname, error) {
	s = strings.TrimSuffix(strings.TrimSpace(s), ".")
	switch {
	case s == "":
		return "", Refuse(Invalid, "host", "host.empty")
	case strings.ContainsFunc(s, isControl):
		return "", Refuse(Invalid, "host", "host.invalid")
	case len(s) > 500:
		return "", Refuse(Invalid, "host", "host.too_long")
	case strings.Contains(s, "://") || strings.Contains(s, "/"):
		return "", Refuse(Invalid, "host", "host.is_url")
	case strings.Contains(s, "*"):
		return "", Refuse(Invalid, "host", "host.wildcard")
	case strings.Contains(s, ".."):
		return "", Refuse(Invalid, "host", "host.double_dot")
	}
	if _, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return "", Refuse(Invalid, "host", "host.is_address")
	}
	ascii, err := hostProfile.ToASCII(s)
	if len(ascii) > maxHost || slices.ContainsFunc(strings.Split(ascii, "."), func(label string) bool { return len(label) > maxHostLabel }) {
		return "", Refuse(Invalid, "host", "host.too_long")
	}
	if err != nil || !isLDH(ascii) || !isWritten(ascii) {
		return "", Refuse(Invalid, "host", "host.invalid")
	}
	if _, err := netip.ParseAddr(ascii); err == nil || isDigits(ascii[strings.LastIndexByte(ascii, '.')+1:]) {
		return "", Refuse(Invalid, "host", "host.is_address")
	}
	if !strings.Contains(ascii, ".") {
		return "", Refuse(Invalid, "host", "host.single_label")
	}
	if suffix, _ := publicsuffix.PublicSuffix(ascii); suffix == ascii {
		return "", Refuse(Invalid, "host", "host.public_suffix", s)
	}
	return Hostname(ascii), nil
}

// isLDH is the last word on what reaches a virtual host: letters, digits,
// hyphens inside labels, dots (RFC 1123, section 2.1).
func isLDH(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > maxHostLabel || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return true
}

// isWritten refuses symbols, emoji and invisible characters behind a punycode
// name: IDNA 2008 (RFC 5892) allows letters, marks and digits.
func isWritten(ascii string) bool {
	u, err := idna.Display.ToUnicode(ascii)
	return err == nil && !strings.ContainsFunc(u, func(r rune) bool {
		return r >= utf8.RuneSelf && !unicode.In(r, unicode.L, unicode.M, unicode.Nd) && r != '·'
	})
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// String is the ASCII form.
func (h Hostname) String() string { return string(h) }

// Unicode is the form to show to people.
func (h Hostname) Unicode() string {
	if u, err := idna.Display.ToUnicode(string(h)); err == nil {
		return u
	}
	return string(h)
}

// Within reports whether h is parent or lies beneath it.
func (h Hostname) Within(parent Hostname) bool {
	return h == parent || strings.HasSuffix(string(h), "."+string(parent))
}

// Parents are the names above h down to, and without, its public suffix: for
// a.b.maree.fr they are b.maree.fr and maree.fr.
func (h Hostname) Parents() []Hostname {
	suffix, _ := publicsuffix.PublicSuffix(string(h))
	var parents []Hostname
	for s := string(h); ; {
		_, rest, found := strings.Cut(s, ".")
		if !found || len(rest) <= len(suffix) {
			return parents
		}
		parents = append(parents, Hostname(rest))
		s = rest
	}
}

// DefaultDocumentRoot is the folder that is served when nobody asks for another.
const DefaultDocumentRoot DocumentRoot = "www"

var rootSegment = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$`)

// reservedFolders of a home hold what is not to be served.
var reservedFolders = []string{"private", "tmp", "sessions", "logs"}

// ParseDocumentRoot accepts a folder in the home: segments of letters, digits,
// dots, hyphens and underscores that do not begin with a dot. It never leaves
// the home, and never is the home itself. An empty text is the default, www.
func ParseDocumentRoot(s string) (DocumentRoot, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return DefaultDocumentRoot, nil
	}
	if strings.HasPrefix(s, "/") {
		return "", Refuse(Invalid, "document_root", "folder.absolute")
	}
	root, err := parseFolder("document_root", s)
	if err != nil {
		return "", err
	}
	if top, _, _ := strings.Cut(string(root), "/"); slices.Contains(reservedFolders, top) {
		return "", Refuse(Invalid, "document_root", "document_root.reserved", top)
	}
	return root, nil
}

// ParseFolder accepts a folder in the home that an FTP login is rooted in. An
// empty text, or "/", is the home itself.
func ParseFolder(s string) (DocumentRoot, error) {
	if s = strings.TrimSpace(s); s == "" || s == "/" {
		return "", nil
	}
	return parseFolder("path", s)
}

func parseFolder(field, s string) (DocumentRoot, error) {
	s = strings.Trim(s, "/")
	if len(s) > 255 || s == "" || path.Clean(s) != s {
		return "", Refuse(Invalid, field, "folder.invalid")
	}
	for segment := range strings.SplitSeq(s, "/") {
		if !rootSegment.MatchString(segment) {
			return "", Refuse(Invalid, field, "folder.invalid")
		}
	}
	return DocumentRoot(s), nil
}

var phpVersion = regexp.MustCompile(`^[5-9]\.[0-9]$`)

// ParsePHPVersion accepts the number of a version, such as 8.2; whether a
// machine has it is the store's to say. An empty text is the machine's newest.
func ParsePHPVersion(s string) (PHPVersion, error) {
	if s = strings.TrimSpace(s); s != "" && !phpVersion.MatchString(s) {
		return "", Refuse(Invalid, "php", "php.unknown_version", "8.2")
	}
	return PHPVersion(s), nil
}

// DefaultPHPVersion is the distribution's own.
const DefaultPHPVersion PHPVersion = "8.2"

// PHPVersions are versions of PHP, newest first. They are stored as one text.
type PHPVersions []PHPVersion

// Scan reads what Value wrote, and leaves out what is no version.
func (v *PHPVersions) Scan(src any) error {
	*v = PHPVersions{}
	text, ok := src.(string)
	if b, bytes := src.([]byte); bytes {
		text, ok = string(b), true
	}
	if !ok {
		return nil
	}
	for word := range strings.FieldsSeq(text) {
		if phpVersion.MatchString(word) {
			*v = append(*v, PHPVersion(word))
		}
	}
	slices.Sort(*v)
	slices.Reverse(*v)
	return nil
}

// Value is the versions as they are stored.
func (v PHPVersions) Value() (driver.Value, error) {
	words := make([]string, len(v))
	for i, version := range v {
		words[i] = string(version)
	}
	return strings.Join(words, " "), nil
}

var (
	databaseSuffix = regexp.MustCompile(`^[a-z0-9][a-z0-9_]*$`)
	ftpLocal       = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,31}$`)
)

// maxDatabase is MariaDB's limit for the name of a database, and also for the
// pattern in a GRANT, where each "_" takes two characters because it has to be
// escaped. A name whose pattern is longer could be created but not granted.
const maxDatabase = 64

// reservedDatabases have the form of ACCOUNT_suffix but are MariaDB's own.
var reservedDatabases = []string{"information_schema", "performance_schema"}

// ParseDatabaseName accepts a database of the account: its suffix alone or the
// whole name ACCOUNT_suffix.
func ParseDatabaseName(account AccountName, s string) (DatabaseName, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	suffix := strings.TrimPrefix(s, string(account)+"_")
	name := string(account) + "_" + suffix
	if longest := maxDatabase - strings.Count(name, "_"); len(name) > longest {
		return "", Refuse(Invalid, "name", "database.name_too_long", strconv.Itoa(max(longest, 0)))
	}
	if !databaseSuffix.MatchString(suffix) {
		return "", Refuse(Invalid, "name", "database.name_invalid", string(account))
	}
	if slices.Contains(reservedDatabases, name) {
		return "", Refuse(Conflict, "name", "database.name_reserved", name)
	}
	return DatabaseName(name), nil
}

// ParseFTPName accepts a login of the account: the account's own name,
// name@account, or name alone, which means name@account.
func ParseFTPName(account AccountName, s string) (FTPName, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	if s == string(account) {
		return FTPName(s), nil
	}
	local, at, found := strings.Cut(s, "@")
	if !ftpLocal.MatchString(local) || found && at != string(account) {
		return "", Refuse(Invalid, "login", "ftp.login_invalid", string(account))
	}
	return FTPName(local + "@" + string(account)), nil
}

// NewToken draws a token.
func NewToken() Token {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand.Read aborts the program instead
	return Token(hex.EncodeToString(b[:]))
}

var token = regexp.MustCompile(`^[0-9a-f]{32}$`)

// Valid reports whether t has the form of a token. Whoever makes a path of one
// asks first.
func (t Token) Valid() bool { return token.MatchString(string(t)) }
