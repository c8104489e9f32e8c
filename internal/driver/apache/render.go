package apache

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"text/template"

	"cancale/internal/config"
	"cancale/internal/hosting"
)

// The daemon reads one file per site. What all sites share stands once in the
// server's own part (server.go), so that a virtual host stays a few lines and
// ten thousand of them load in half a second.
var siteTemplate = template.Must(template.New("site").Parse(`# Site {{.ID}}, written by cancale: changes made here are undone.
<VirtualHost *:${` + httpPort + `}>
ServerName {{.Host}}
{{range .Aliases}}ServerAlias {{.}}
{{end -}}
Redirect 204 "{{.Probe}}"
{{if .Off}}Include "{{.Suspended}}"
{{else}}DocumentRoot "{{.DocumentRoot}}"
<FilesMatch "\.(php|phtml)$">
SetHandler "proxy:unix:{{.Socket}}|fcgi://site"
</FilesMatch>
{{end}}</VirtualHost>
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
