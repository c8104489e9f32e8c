package apache

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"regexp"
	"strings"
	"text/template"

	"cancale/internal/config"
	"cancale/internal/hosting"
)

// The daemon reads one file per site. What all sites share stands once in the
// server's own part (server.go), so that a virtual host stays a few lines and
// ten thousand of them load in half a second.
var siteTemplate = template.Must(template.New("site").Funcs(template.FuncMap{"quote": func(h hosting.Hostname) string { return regexp.QuoteMeta(string(h)) }}).Parse(`# Site {{.ID}}, written by cancale: changes made here are undone.
<VirtualHost *:${` + httpPort + `}>
ServerName {{.Host}}
{{range .Aliases}}ServerAlias {{.}}
{{end -}}
Redirect 204 "{{.Probe}}"
{{if .Off}}Include "{{.Suspended}}"
{{else}}DocumentRoot "{{.DocumentRoot}}"
<FilesMatch "\.(php|phtml)$">
SetHandler "proxy:unix:{{.Socket}}|fcgi://_"
</FilesMatch>
{{with .BodyBytes}}LimitRequestBody {{.}}
{{end}}{{with .Seconds}}ProxyTimeout {{.}}
{{end}}{{if or .Maintenance.On .Moves .Singles}}RewriteEngine on
{{end}}{{if .Maintenance.On}}Include "{{.MaintenanceFile}}"
{{with .Maintenance.Page}}ErrorDocument 503 "{{.URL}}"
{{end}}RewriteCond "%{REQUEST_URI}" "!{{.Ours}}"
RewriteCond "%{ENV:REDIRECT_STATUS}" "^$"
{{with .MaintenanceBeside}}RewriteCond "%{REQUEST_URI}" "!^{{.}}"
{{end}}RewriteCond "%{HTTP_COOKIE}" "!(?:^|;\s*){{.Cookie}}={{.Maintenance.VisitSecret}}(?:;|$)"
{{range .Maintenance.Addresses}}RewriteCond expr "! %{REMOTE_ADDR} -ipmatch '{{.}}'"
{{end}}RewriteRule "^" "-" [R=503,L]
Redirect 302 "{{.Visit}}" "/"
<Location "{{.Visit}}">
Header always set Set-Cookie "{{.Cookie}}={{.Maintenance.VisitSecret}}; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax"
</Location>
{{end}}{{range .Moves}}RewriteCond "%{REQUEST_URI}" "!{{$.Ours}}"
RewriteCond "%{ENV:REDIRECT_STATUS}" "^$"
RewriteCond "%{HTTP_HOST}" "^{{quote .From}}\.?(:[0-9]+)?$" [NC]
RewriteRule "^/?(.*)$" "%{REQUEST_SCHEME}://{{.To}}%1/$1" [R=301,L]
{{end}}{{range .Singles}}RewriteCond "%{REQUEST_URI}" "={{.From}}"
RewriteRule "^" "{{.To}}" [R={{.Status}},L,NE]
{{end}}{{range .Wholes}}{{.}}
{{end}}{{with .ErrorPages.Forbidden}}ErrorDocument 403 "{{.URL}}"
{{end}}{{with .ErrorPages.NotFound}}ErrorDocument 404 "{{.URL}}"
{{end}}{{with .ErrorPages.Failed}}ErrorDocument 500 "{{.URL}}"
ErrorDocument 502 "{{.URL}}"
ErrorDocument 504 "{{.URL}}"
{{end}}{{if not .Maintenance.On}}{{with .ErrorPages.Unavailable}}ErrorDocument 503 "{{.URL}}"
{{end}}{{end}}{{if .Listing}}<Directory "{{.DocumentRoot}}">
Options +Indexes
</Directory>
{{end}}{{range .Protected}}<Location "{{.Path}}">
<If "%{REQUEST_URI} !~ m#{{$.Ours}}#">
AuthType Basic
AuthName "{{.Realm}}"
AuthBasicProvider file
AuthUserFile "{{.File}}"
AuthMerging And
Require valid-user
Satisfy All
</If>
</Location>
{{end}}{{end}}</VirtualHost>
`))

// siteFields are the values of a virtual host; each has been checked.
type siteFields struct {
	ID           hosting.SiteID
	Host         hosting.Hostname
	Aliases      []hosting.Hostname
	Off          bool
	DocumentRoot string
	Socket       string
	Suspended    string
	Probe        string
	hosting.Behaviour
	BodyBytes, Seconds     int // beyond what every site has; 0 is that
	Moves                  []hosting.Move
	Singles                []single
	Wholes                 []string
	Protected              []protected
	Ours                   string // pattern of what is answered whatever the site does
	MaintenanceFile, Visit string
	MaintenanceBeside      string // pattern of what lies beside a page of maintenance
	Cookie                 string
}

// single is the redirect of one page; To is as a rule's substitution is written.
type single struct {
	From   hosting.URLPath
	To     string
	Status int
}

// protected is a folder that asks for a password.
//
// A .htaccess above it opens it with an <If> within an <If>, which comes after
// everything of the virtual host. Nesting ours as well does not help: the
// deepest comes last, and nothing bounds how deep a .htaccess may nest. <If>
// can only be taken from it with every class of AllowOverride, and applications
// set headers in it. What was tried besides: a rule of the virtual host that
// looks the password up (RewriteCond -U) at a path out of every home before any
// .htaccess is read. A .htaccess with RewriteRule [END] or FallbackResource
// leads into the folder without that rule.
type protected struct {
	Path        hosting.URLPath
	Realm, File string
}

// ours are the paths of certificates and of our own questions.
const ours = `^/\.well-known/(?:acme-challenge|cancale)/`

// visitCookie is how a browser shows that it had the link that lets it see a site
// in maintenance.
const visitCookie = "cancale_visit"

// fill adds what the site's people chose.
func (f *siteFields) fill(layout config.Layout, site hosting.Site) {
	b := site.Behaviour
	f.Behaviour = b
	php := b.PHP.Or(hosting.DefaultPHP)
	if body := (php.UploadMB + postMB) << 20; body > bodyLimit {
		f.BodyBytes = body
	}
	if php.Seconds >= proxySeconds {
		f.Seconds = php.Seconds + afterwards
	}
	f.Moves = b.Canonical.Moves(site.Names())
	for _, r := range b.Redirects {
		from := r.From
		if r.Whole {
			f.Wholes = append(f.Wholes, whole(r))
			from = hosting.URLPath(strings.TrimSuffix(string(from), "/")) // the folder's own name
		}
		if from != "" {
			f.Singles = append(f.Singles, single{From: from, To: strings.ReplaceAll(string(r.To), "%", `\%`), Status: r.Status})
		}
	}
	for _, p := range b.Protected {
		f.Protected = append(f.Protected, protected{Path: p.Path, Realm: realm(p.Path), File: passwordFile(layout, site.HomeToken, p.Path)})
	}
	f.Ours, f.Cookie, f.MaintenanceFile = ours, visitCookie, maintenanceFile(layout)
	f.Visit = b.Maintenance.VisitPath()
	if page := b.Maintenance.Page; page != "" {
		if dir := path.Dir(page.URL()); dir == "/" {
			f.MaintenanceBeside = regexp.QuoteMeta(page.URL()) + "$"
		} else {
			f.MaintenanceBeside = regexp.QuoteMeta(dir) + "/"
		}
	}
}

// Limits of every site, in server.conf.tmpl; what goes beyond is in its own
// virtual host.
const (
	bodyLimit    = 104857600
	proxySeconds = 61
	postMB       = 8  // of a form, beside the file that it sends
	afterwards   = 15 // seconds in which PHP waits rather than computes
)

// whole is the directive of a redirect of a whole folder. Apache puts what a
// visitor asked for beneath it, encoded again, behind the target.
func whole(r hosting.Redirect) string {
	if r.From == "/" { // certificates are renewed all the same
		return fmt.Sprintf(`RedirectMatch %d "^/(?!\.well-known/(?:acme-challenge|cancale)/)(.*)$" "%s$1"`, r.Status, r.To)
	}
	return fmt.Sprintf(`Redirect %d "%s" "%s"`, r.Status, r.From, r.To)
}

// probePath is where a virtual host answers 204 when it is the very version
// whose hash follows. Nobody can guess it, since the version holds the tokens
// of the site.
const probePath = "/.well-known/cancale/"

// rendered is the file of one site.
type rendered struct {
	data []byte
	host hosting.Hostname
	hash string // in the probe's path
}

// Render is the virtual host of a site. Nothing is believed of what comes from
// the store: every value is parsed again, and refused when it is not what its
// type promises.
func Render(layout config.Layout, site hosting.Site) ([]byte, error) {
	r, err := render(layout, site)
	return r.data, err
}

func render(layout config.Layout, site hosting.Site) (rendered, error) {
	if err := checkPath(layout.Root); err != nil {
		return rendered{}, err
	}
	if err := check(site); err != nil {
		return rendered{}, err
	}
	f := siteFields{
		ID:           site.ID,
		Host:         site.Host,
		Aliases:      site.Aliases,
		Off:          site.Off(),
		DocumentRoot: layout.Home(string(site.HomeToken)) + "/" + string(site.DocumentRoot),
		Socket:       layout.PHPSocket(string(site.SocketToken)),
		Suspended:    suspendedFile(layout),
	}
	f.fill(layout, site)
	// The hash is of the file without its probe, and of the tokens, which a
	// suspended site's file does not hold.
	sum := sha256.New()
	_ = siteTemplate.Execute(sum, f)
	_, _ = fmt.Fprintf(sum, "%s %s", site.HomeToken, site.SocketToken)
	hash := hex.EncodeToString(sum.Sum(nil)[:16])
	f.Probe = probePath + hash

	var b bytes.Buffer
	if err := siteTemplate.Execute(&b, f); err != nil {
		return rendered{}, fmt.Errorf("apache: site %d: %w", site.ID, err)
	}
	return rendered{data: b.Bytes(), host: site.Host, hash: hash}, nil
}

// check refuses a site of which any value could be more in Apache's
// configuration than itself.
func check(site hosting.Site) error {
	refuse := func(field string) error {
		return &hosting.Error{
			Kind: hosting.Invalid, Field: field, Message: hosting.Msg("site.apache_invalid", field),
			Err: fmt.Errorf("apache: site %d: the stored value is not valid", site.ID),
		}
	}
	if site.ID == 0 {
		return refuse("id")
	}
	if !site.HomeToken.Valid() || !site.SocketToken.Valid() {
		return refuse("token")
	}
	spec := hosting.SiteSpec{Host: site.Host, Aliases: site.Aliases}
	for i, name := range site.Names() {
		field := "host"
		if i > 0 {
			field = "aliases"
		}
		if parsed, err := hosting.ParseHostname(string(name)); err != nil || parsed != name {
			return refuse(field)
		}
	}
	if spec.Check() != nil {
		return refuse("aliases")
	}
	if parsed, err := hosting.ParseDocumentRoot(string(site.DocumentRoot)); err != nil || parsed != site.DocumentRoot {
		return refuse("document_root")
	}
	if err := site.Behaviour.Check(); err != nil {
		return refuse("behaviour")
	}
	return nil
}

// checkPath refuses a path that would need quoting in a configuration.
func checkPath(path string) error {
	if !strings.HasPrefix(path, "/") || strings.ContainsFunc(path, func(r rune) bool {
		return !strings.ContainsRune("/._-+@=,", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) {
		return fmt.Errorf("apache: %q cannot be named in Apache's configuration", path)
	}
	return nil
}

// parseRendered finds in a file that Render made whom it serves and where its
// probe answers; empty for a file of another form.
func parseRendered(data []byte) (host hosting.Hostname, hash string) {
	for line := range strings.Lines(string(data)) {
		if name, ok := strings.CutPrefix(line, "ServerName "); ok && host == "" {
			host = hosting.Hostname(strings.TrimSpace(name))
		}
		if path, ok := strings.CutPrefix(line, `Redirect 204 "`+probePath); ok && hash == "" {
			hash = strings.TrimSuffix(strings.TrimSpace(path), `"`)
		}
	}
	if parsed, err := hosting.ParseHostname(string(host)); err != nil || parsed != host || !hosting.Token(hash).Valid() {
		return "", ""
	}
	return host, hash
}
