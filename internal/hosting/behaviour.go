package hosting

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Behaviour is how a site answers, beyond its names, its folder and its PHP
// version: what its people chose on its pages of settings. The zero Behaviour is
// that of a new site.
type Behaviour struct {
	PHP         PHPSettings       `json:"php,omitzero"`
	Canonical   Canonical         `json:"canonical,omitempty"`
	Redirects   []Redirect        `json:"redirects,omitempty"`
	ErrorPages  ErrorPages        `json:"error_pages,omitzero"`
	Listing     bool              `json:"listing,omitempty"` // show the contents of a folder without a first page
	Protected   []ProtectedFolder `json:"protected,omitempty"`
	Maintenance Maintenance       `json:"maintenance,omitzero"`

	// Unreadable says that the stored text is none of ours. It fails this site,
	// and must not fail the reading of the others.
	Unreadable bool `json:"-"`
}

// Scan reads what Value wrote. It never fails: see Unreadable.
func (b *Behaviour) Scan(src any) error {
	*b = Behaviour{}
	var text []byte
	switch src := src.(type) {
	case []byte:
		text = src
	case string:
		text = []byte(src)
	}
	if len(text) > 0 && json.Unmarshal(text, b) != nil {
		*b = Behaviour{Unreadable: true}
	}
	return nil
}

// Value is the behaviour as it is stored.
func (b Behaviour) Value() (driver.Value, error) {
	text, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("hosting: behaviour: %w", err)
	}
	return string(text), nil
}

// Check refuses what no form of ours accepts. Drivers ask it again of what is
// stored.
func (b Behaviour) Check() error {
	if b.Unreadable {
		return Refuse(Invalid, "settings", "behaviour.unreadable")
	}
	for _, err := range []error{
		b.PHP.Check(HardPHPLimits), b.Canonical.check(), checkRedirects(b.Redirects), b.ErrorPages.check(),
		checkProtected(b.Protected), b.Maintenance.check(),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

// PHPSettings are PHP's settings of one site; zero values are the
// installation's own.
type PHPSettings struct {
	MemoryMB   int      `json:"memory_mb,omitempty"` // of one request
	UploadMB   int      `json:"upload_mb,omitempty"` // one file that is sent
	Seconds    int      `json:"seconds,omitempty"`   // of computing, for one request
	ShowErrors bool     `json:"show_errors,omitempty"`
	TimeZone   TimeZone `json:"time_zone,omitempty"`
}

// DefaultPHP is what a site has that chose nothing.
var DefaultPHP = PHPSettings{MemoryMB: 128, UploadMB: 64, Seconds: 60, TimeZone: "Europe/Paris"}

// Or gives what p leaves open the values of other.
func (p PHPSettings) Or(other PHPSettings) PHPSettings {
	if p.MemoryMB == 0 {
		p.MemoryMB = other.MemoryMB
	}
	if p.UploadMB == 0 {
		p.UploadMB = other.UploadMB
	}
	if p.Seconds == 0 {
		p.Seconds = other.Seconds
	}
	if p.TimeZone == "" {
		p.TimeZone = other.TimeZone
	}
	return p
}

// PHPLimits are the most that a site may choose.
type PHPLimits struct {
	MemoryMB, UploadMB, Seconds int
}

// SiteMemory is what all programs of a site may use together, in bytes: its
// control group bounds it.
const SiteMemory = 512 << 20

// MemoryTold is how long it is told that a site ran out of memory.
const MemoryTold = 24 * time.Hour

// HardPHPLimits are the most that an administrator may allow: one request may
// use all that its site may.
var HardPHPLimits = PHPLimits{MemoryMB: SiteMemory >> 20, UploadMB: 2048, Seconds: 600}

// DefaultPHPLimits are the most that a site may choose where the administrator
// has not decided.
var DefaultPHPLimits = PHPLimits{MemoryMB: 256, UploadMB: 256, Seconds: 180}

// Least values: with less, nothing runs.
const (
	leastMemoryMB = 32
	leastUploadMB = 1
	leastSeconds  = 5
)

// Check refuses settings beyond limits.
func (p PHPSettings) Check(limits PHPLimits) error {
	var errs Errors
	for _, v := range []struct {
		field              string
		value, least, most int
	}{
		{"memory", p.MemoryMB, leastMemoryMB, limits.MemoryMB},
		{"upload", p.UploadMB, leastUploadMB, limits.UploadMB},
		{"seconds", p.Seconds, leastSeconds, limits.Seconds},
	} {
		if v.value != 0 && (v.value < v.least || v.value > v.most) {
			errs.Add(Refuse(Invalid, v.field, "php.between", strconv.Itoa(v.least), strconv.Itoa(v.most)))
		}
	}
	if p.TimeZone != "" && !slices.Contains(TimeZones, p.TimeZone) {
		errs.Add(Refuse(Invalid, "time_zone", "time_zone.unknown"))
	}
	return errs.Err()
}

// ParsePHPSettings reads settings as they are typed; empty texts are the
// installation's own, and what equals them is not kept as a choice.
func ParsePHPSettings(memory, upload, seconds, zone string, showErrors bool) (PHPSettings, error) {
	p := PHPSettings{ShowErrors: showErrors}
	var errs Errors
	for _, v := range []struct {
		field, typed string
		usual        int
		into         *int
	}{
		{"memory", memory, DefaultPHP.MemoryMB, &p.MemoryMB}, {"upload", upload, DefaultPHP.UploadMB, &p.UploadMB}, {"seconds", seconds, DefaultPHP.Seconds, &p.Seconds},
	} {
		typed := strings.TrimSpace(v.typed)
		if typed == "" || typed == strconv.Itoa(v.usual) {
			continue
		}
		n, err := strconv.Atoi(typed)
		if err != nil || n == 0 {
			errs.Add(Refuse(Invalid, v.field, "php.number"))
		}
		*v.into = n
	}
	var err error
	p.TimeZone, err = ParseTimeZone(zone)
	errs.Add(err)
	return p, errs.Err()
}

// TimeZone is the name of a time zone that PHP knows.
type TimeZone string

// TimeZones are those that can be chosen: France and where associations of here
// have their friends.
var TimeZones = []TimeZone{
	"Europe/Paris", "America/Guadeloupe", "America/Martinique", "America/Cayenne", "America/Miquelon", "Indian/Reunion",
	"Indian/Mayotte", "Pacific/Noumea", "Pacific/Tahiti", "Pacific/Wallis", "UTC",
	"Africa/Abidjan", "Africa/Algiers", "Africa/Cairo", "Africa/Casablanca", "Africa/Dakar", "Africa/Johannesburg", "Africa/Kinshasa",
	"Africa/Lagos", "Africa/Nairobi", "Africa/Tunis", "America/Argentina/Buenos_Aires", "America/Bogota", "America/Chicago",
	"America/Los_Angeles", "America/Mexico_City", "America/New_York", "America/Port-au-Prince", "America/Santiago", "America/Sao_Paulo",
	"America/Toronto", "Asia/Beirut", "Asia/Dubai", "Asia/Ho_Chi_Minh", "Asia/Jerusalem", "Asia/Kolkata", "Asia/Shanghai", "Asia/Tokyo",
	"Australia/Sydney", "Europe/Athens", "Europe/Berlin", "Europe/Brussels", "Europe/Bucharest", "Europe/Dublin", "Europe/Istanbul",
	"Europe/Kyiv", "Europe/Lisbon", "Europe/London", "Europe/Luxembourg", "Europe/Madrid", "Europe/Rome", "Europe/Warsaw", "Europe/Zurich",
	"Indian/Antananarivo", "Indian/Mauritius", "Pacific/Auckland",
}

// ParseTimeZone accepts one of TimeZones; an empty text is the installation's
// own.
func ParseTimeZone(s string) (TimeZone, error) {
	z := TimeZone(strings.TrimSpace(s))
	if z != "" && !slices.Contains(TimeZones, z) {
		return "", Refuse(Invalid, "time_zone", "time_zone.unknown")
	}
	return z, nil
}

// Canonical says which of two names that differ by "www." visitors end up on.
type Canonical string

// Both names answer; all go to the one with www; all go to the one without.
const (
	CanonicalNone Canonical = ""
	CanonicalWWW  Canonical = "www"
	CanonicalBare Canonical = "bare"
)

// ParseCanonical accepts one of the three; "none" is the first.
func ParseCanonical(s string) (Canonical, error) {
	c := Canonical(strings.TrimSpace(s))
	if c == "none" {
		c = CanonicalNone
	}
	return c, c.check()
}

func (c Canonical) check() error {
	if c != CanonicalNone && c != CanonicalWWW && c != CanonicalBare {
		return Refuse(Invalid, "canonical", "canonical.unknown")
	}
	return nil
}

// Moves are the names that lead to another one.
func (c Canonical) Moves(names []Hostname) []Move {
	var moves []Move
	for _, bare := range names {
		www := "www." + bare
		switch {
		case !slices.Contains(names, www):
		case c == CanonicalWWW:
			moves = append(moves, Move{bare, www})
		case c == CanonicalBare:
			moves = append(moves, Move{www, bare})
		}
	}
	return moves
}

// Move is a name whose visitors are sent to another.
type Move struct{ From, To Hostname }

// URLPath is a path in a site as visitors see it, decoded: "/ancien/page". It
// holds no character that means something to Apache.
type URLPath string

const maxURLPath = 500

// urlPathMarks are the marks that a path may hold besides letters and digits.
const urlPathMarks = " /-._~!(),;:@+=&"

// ParseURLPath accepts a path that begins with a slash, encoded or not, or the
// whole address of a page, of which it keeps the path.
func ParseURLPath(field, s string) (URLPath, error) {
	invalid := Refuse(Invalid, field, "url_path.invalid")
	s = strings.TrimSpace(s)
	if len(s) > 3*maxURLPath {
		return "", Refuse(Invalid, field, "url_path.too_long")
	}
	if rest, ok := strings.CutPrefix(s, "http://"); ok {
		s = afterHost(rest)
	} else if rest, ok := strings.CutPrefix(s, "https://"); ok {
		s = afterHost(rest)
	}
	if strings.ContainsAny(s, "?#") {
		return "", Refuse(Invalid, field, "url_path.query")
	}
	decoded, err := url.PathUnescape(s)
	if err != nil {
		return "", invalid
	}
	if !strings.HasPrefix(decoded, "/") {
		decoded = "/" + decoded
	}
	if len(decoded) > maxURLPath {
		return "", Refuse(Invalid, field, "url_path.too_long")
	}
	if !utf8.ValidString(decoded) || strings.ContainsFunc(decoded, func(r rune) bool {
		return isControl(r) || !unicode.In(r, unicode.L, unicode.M, unicode.Nd) && !strings.ContainsRune(urlPathMarks, r)
	}) {
		return "", invalid
	}
	clean := path.Clean(decoded)
	if strings.HasSuffix(decoded, "/") && clean != "/" {
		clean += "/"
	}
	if clean != decoded || strings.HasSuffix(decoded, " ") {
		return "", invalid
	}
	return URLPath(decoded), nil
}

func afterHost(s string) string {
	if i := strings.IndexByte(s, '/'); i >= 0 {
		return s[i:]
	}
	return "/"
}

// reservedPath is where certificates and our own questions are answered,
// whatever a site does.
const reservedPath = "/.well-known"

func (p URLPath) reserved() bool {
	return string(p) == reservedPath || strings.HasPrefix(string(p), reservedPath+"/")
}

// Target is where a redirect leads: a path of the same site, or a whole
// address. It is encoded, of ASCII only, and holds no quote, dollar, brace,
// backslash or space.
type Target string

const maxTarget = 1000

// ParseTarget accepts a path that begins with a slash or an address with http or
// https.
func ParseTarget(field, s string) (Target, error) {
	s = strings.TrimSpace(s)
	if !utf8.ValidString(s) || strings.ContainsFunc(s, isControl) || strings.Contains(s, `\`) {
		return "", Refuse(Invalid, field, "target.invalid")
	}
	if len(s) > maxTarget {
		return "", Refuse(Invalid, field, "target.too_long")
	}
	u, err := url.Parse(s)
	if err != nil || u.Opaque != "" || u.User != nil || strings.HasPrefix(s, "//") {
		return "", Refuse(Invalid, field, "target.invalid")
	}
	start := ""
	switch {
	case u.Scheme == "" && u.Host == "" && strings.HasPrefix(s, "/"):
	case u.Scheme == "http" || u.Scheme == "https":
		host, err := ParseHostname(u.Hostname())
		if err != nil {
			return "", Refuse(Invalid, field, "target.invalid")
		}
		if start = u.Scheme + "://" + string(host); u.Port() != "" {
			if n, err := strconv.ParseUint(u.Port(), 10, 16); err != nil || n == 0 {
				return "", Refuse(Invalid, field, "target.invalid")
			}
			start += ":" + u.Port()
		}
		if u.Path == "" {
			u.Path = "/"
		}
	default:
		return "", Refuse(Invalid, field, "target.invalid")
	}
	text := start + encode(u.EscapedPath())
	if u.RawQuery != "" {
		text += "?" + encode(u.RawQuery)
	}
	if u.Fragment != "" {
		text += "#" + encode(u.EscapedFragment())
	}
	if len(text) > maxTarget {
		return "", Refuse(Invalid, field, "target.too_long")
	}
	return Target(text), nil
}

var encoded = regexp.MustCompile(`^%[0-9A-Fa-f]{2}`)

// encode writes every byte that is more than itself somewhere in percent form.
func encode(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~:/?@!&()+,;=", c) >= 0,
			c == '%' && encoded.MatchString(s[i:]):
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// Redirect sends visitors of one path elsewhere.
type Redirect struct {
	From   URLPath `json:"from"`
	Whole  bool    `json:"whole,omitempty"` // also all that lies beneath From, page by page
	To     Target  `json:"to"`
	Status int     `json:"status"` // 301: for good, 302: for now
}

// For good, and for now.
const (
	MovedForGood = 301
	MovedForNow  = 302
)

const maxRedirects = 100

// checkRedirects refuses redirects of which one is not as ParseRedirect gives
// it.
func checkRedirects(list []Redirect) error {
	if len(list) > maxRedirects {
		return Refuse(Invalid, "redirects", "redirect.too_many", strconv.Itoa(maxRedirects))
	}
	for _, r := range list {
		parsed, err := ParseRedirect(string(r.From), r.Whole, string(r.To), r.Status)
		if err != nil || parsed != r {
			return Refuse(Invalid, "redirects", "redirect.invalid")
		}
	}
	return nil
}

// ParseRedirect accepts one redirect.
func ParseRedirect(from string, whole bool, to string, status int) (Redirect, error) {
	r := Redirect{Whole: whole, Status: status}
	var errs Errors
	var err error
	r.From, err = ParseURLPath("from", from)
	errs.Add(err)
	r.To, err = ParseTarget("to", to)
	errs.Add(err)
	if status != MovedForGood && status != MovedForNow {
		errs.Add(Refuse(Invalid, "status", "redirect.status_unknown"))
	}
	if errs.Err() != nil {
		return Redirect{}, errs.Err()
	}
	if r.From.reserved() {
		return Redirect{}, Refuse(Invalid, "from", "url_path.reserved")
	}
	if whole {
		// Apache encodes a target once more where it is put together for a whole site.
		if strings.ContainsAny(string(r.To), "?#") || r.From == "/" && strings.Contains(string(r.To), "%") {
			return Redirect{}, Refuse(Invalid, "to", "redirect.whole_query")
		}
		// What follows From is put behind To, so both end in a slash.
		r.From, r.To = URLPath(slashed(string(r.From))), Target(slashed(string(r.To)))
	}
	return r, nil
}

// leads is where a visitor of p is sent; false when the redirect is not about p.
func (r Redirect) leads(p string) (string, bool) {
	from := string(r.From)
	if !r.Whole {
		return string(r.To), p == from
	}
	if p == strings.TrimSuffix(from, "/") {
		return string(r.To), true
	}
	rest, beneath := strings.CutPrefix(p, from)
	return string(r.To) + rest, beneath
}

func slashed(s string) string { return strings.TrimRight(s, "/") + "/" }

// CheckLoops refuses redirects that lead visitors of a site in a circle.
func CheckLoops(list []Redirect, names []Hostname) error {
	for i, first := range list {
		at := string(first.From)
		for range len(list) + 1 {
			next, moved := leadsTo(list, at)
			if !moved {
				break
			}
			u, err := url.Parse(next)
			if err != nil || u.Host != "" && !slices.Contains(names, Hostname(u.Hostname())) {
				break
			}
			if at = u.Path; at == "" {
				at = "/"
			}
			if at == string(first.From) || first.Whole && strings.HasPrefix(at, string(first.From)) {
				return Refuse(Invalid, "redirects."+strconv.Itoa(i), "redirect.loop", string(first.From))
			}
		}
	}
	return nil
}

// leadsTo is where a visitor of p is sent: a single page's redirect comes before
// those of whole folders.
func leadsTo(list []Redirect, p string) (string, bool) {
	for _, whole := range []bool{false, true} {
		for _, r := range list {
			if next, moved := r.leads(p); moved && r.Whole == whole {
				return next, true
			}
		}
	}
	return "", false
}

// PagePath is a file in the folder that is served, such as "erreurs/404.html".
type PagePath string

// ParsePagePath accepts a file in the folder that is served; an empty text is
// none.
func ParsePagePath(field, s string) (PagePath, error) {
	s = strings.TrimPrefix(strings.TrimSpace(s), "/")
	if s == "" {
		return "", nil
	}
	folder, err := parseFolder(field, s)
	if err != nil || string(folder) != s {
		return "", Refuse(Invalid, field, "page_path.invalid")
	}
	return PagePath(folder), nil
}

// URL is the page's path as a visitor sees it.
func (p PagePath) URL() string { return "/" + string(p) }

// ErrorPages are a site's own pages for what goes wrong; an empty one is ours.
type ErrorPages struct {
	Forbidden   PagePath `json:"forbidden,omitempty"`   // 403
	NotFound    PagePath `json:"not_found,omitempty"`   // 404
	Failed      PagePath `json:"failed,omitempty"`      // 500, 502, 504
	Unavailable PagePath `json:"unavailable,omitempty"` // 503
}

func (e ErrorPages) check() error {
	for field, p := range map[string]PagePath{"forbidden": e.Forbidden, "not_found": e.NotFound, "failed": e.Failed, "unavailable": e.Unavailable} {
		if parsed, err := ParsePagePath(field, string(p)); err != nil || parsed != p {
			return Refuse(Invalid, field, "page_path.invalid")
		}
	}
	return nil
}

// ProtectedFolder is a part of a site that asks for a name and a password.
type ProtectedFolder struct {
	Path  URLPath      `json:"path"` // "/" is the whole site
	Users []FolderUser `json:"users,omitempty"`
}

// FolderUser is somebody who may enter a protected folder.
type FolderUser struct {
	Name         FolderUserName `json:"name"`
	PasswordHash string         `json:"password_hash"` // bcrypt, as Apache reads it
}

// FolderUserName is the name that a visitor types.
type FolderUserName string

var (
	folderUserName = regexp.MustCompile(`^[a-z0-9][a-z0-9._@-]{0,47}$`)
	// bcrypt's own alphabet: no colon and no line end, which end a field of the
	// file that Apache reads.
	bcryptHash = regexp.MustCompile(`^\$2y\$[0-9]{2}\$[./A-Za-z0-9]{53}$`)
)

// ParseFolderUserName accepts letters, digits, dots, hyphens, underscores and
// at signs.
func ParseFolderUserName(s string) (FolderUserName, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	if !folderUserName.MatchString(s) {
		return "", Refuse(Invalid, "user", "folder_user.invalid")
	}
	return FolderUserName(s), nil
}

// bcrypt reads no more bytes than these.
const (
	leastFolderPassword = 8
	maxFolderPassword   = 72
)

// CheckFolderPassword refuses a password that is too short, or that is cut.
func CheckFolderPassword(s string) error {
	if len(s) > maxFolderPassword || utf8.RuneCountInString(s) < leastFolderPassword || !utf8.ValidString(s) || strings.ContainsFunc(s, isControl) {
		return Refuse(Invalid, "password", "folder_user.password_invalid", strconv.Itoa(leastFolderPassword))
	}
	return nil
}

const (
	maxProtected   = 20
	maxFolderUsers = 100
)

// ParseProtectedPath accepts a folder of the site as visitors see it.
func ParseProtectedPath(s string) (URLPath, error) {
	p, err := ParseURLPath("path", s)
	if err != nil {
		return "", err
	}
	if p.reserved() {
		return "", Refuse(Invalid, "path", "url_path.reserved")
	}
	if p != "/" {
		p = URLPath(strings.TrimSuffix(string(p), "/"))
	}
	return p, nil
}

func checkProtected(list []ProtectedFolder) error {
	if len(list) > maxProtected {
		return Refuse(Invalid, "path", "protected.too_many", strconv.Itoa(maxProtected))
	}
	seen := map[URLPath]bool{}
	for _, f := range list {
		if parsed, err := ParseProtectedPath(string(f.Path)); err != nil || parsed != f.Path || seen[f.Path] {
			return Refuse(Invalid, "path", "protected.invalid")
		}
		seen[f.Path] = true
		if len(f.Users) > maxFolderUsers {
			return Refuse(Invalid, "user", "protected.too_many_users", strconv.Itoa(maxFolderUsers))
		}
		names := map[FolderUserName]bool{}
		for _, u := range f.Users {
			if parsed, err := ParseFolderUserName(string(u.Name)); err != nil || parsed != u.Name || names[u.Name] || !bcryptHash.MatchString(u.PasswordHash) {
				return Refuse(Invalid, "user", "folder_user.invalid")
			}
			names[u.Name] = true
		}
	}
	return nil
}

// Maintenance shows visitors a page instead of the site.
type Maintenance struct {
	On        bool           `json:"on,omitempty"`
	Page      PagePath       `json:"page,omitempty"` // of one's own; "" is ours
	Addresses []netip.Prefix `json:"addresses,omitempty"`
	// VisitSecret is in the link that lets a browser see the site meanwhile.
	VisitSecret Token `json:"visit_secret,omitempty"`
}

// VisitPath is what lets a browser in, behind a name of the site; "" before
// there was any maintenance.
func (m Maintenance) VisitPath() string {
	if m.VisitSecret == "" {
		return ""
	}
	return reservedPath + "/cancale/visit/" + string(m.VisitSecret)
}

const maxAddresses = 20

// ParseAddresses accepts IP addresses and networks, one per line or with commas.
func ParseAddresses(s string) ([]netip.Prefix, error) {
	var list []netip.Prefix
	for text := range strings.FieldsFuncSeq(s, func(r rune) bool { return unicode.IsSpace(r) || r == ',' || r == ';' }) {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			a, err := netip.ParseAddr(text)
			if err != nil {
				return nil, Refuse(Invalid, "addresses", "address.invalid")
			}
			a = a.Unmap()
			p = netip.PrefixFrom(a, a.BitLen())
		}
		p = p.Masked()
		if !okAddress(p) {
			return nil, Refuse(Invalid, "addresses", "address.invalid")
		}
		if !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	if len(list) > maxAddresses {
		return nil, Refuse(Invalid, "addresses", "address.too_many", strconv.Itoa(maxAddresses))
	}
	return list, nil
}

// okAddress refuses what is no network of somebody: half of the Internet would
// be let in.
func okAddress(p netip.Prefix) bool {
	least := 8
	if p.Addr().Is6() {
		least = 16
	}
	return p.IsValid() && p == p.Masked() && p.Addr().Zone() == "" && !p.Addr().Is4In6() && p.Bits() >= least
}

func (m Maintenance) check() error {
	if p, err := ParsePagePath("page", string(m.Page)); err != nil || p != m.Page {
		return Refuse(Invalid, "page", "page_path.invalid")
	}
	if len(m.Addresses) > maxAddresses || slices.ContainsFunc(m.Addresses, func(p netip.Prefix) bool { return !okAddress(p) }) {
		return Refuse(Invalid, "addresses", "address.invalid")
	}
	if m.VisitSecret != "" && !m.VisitSecret.Valid() || m.On && m.VisitSecret == "" {
		return Refuse(Invalid, "visit_secret", "behaviour.unreadable")
	}
	return nil
}
