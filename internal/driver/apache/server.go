package apache

import (
	"bytes"
	_ "embed"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"text/template"

	"cancale/internal/config"
	"cancale/internal/pages"
)

// ofHosts are the characters of which the name or the address of a machine
// holds at least one. A dot is not among them: Apache would ask the DNS for it.
const ofHosts = "a b c d e f g h i j k l m n o p q r s t u v w x y z A B C D E F G H I J K L M N O P Q R S T U V W X Y Z 0 1 2 3 4 5 6 7 8 9 : - %"

// NeutralName is the server name of the virtual hosts that belong to no site;
// the top-level domain never exists (RFC 2606).
const NeutralName = "cancale.invalid"

// LogSeparator begins each record of the log stream.
const LogSeparator = "\x1e"

// httpPort and httpsPort are names in Apache's configuration, so that a change
// of the ports changes no site's file.
const (
	httpPort  = "CANCALE_HTTP"
	httpsPort = "CANCALE_HTTPS"
)

// Config is what the server's own part depends on.
type Config struct {
	Bind      string // address to listen on; empty for all
	HTTPPort  int
	HTTPSPort int
	PanelURL  string // where the public pages send their site's people; may be empty
	// Logger is the program that receives the log stream, with its arguments;
	// without it, one file holds the stream.
	Logger  []string
	Program string // empty for Debian's
	Modules string // directory of the modules; empty for Debian's
}

// Address is where the server answers those on this machine.
func (c Config) Address() netip.Addr {
	if at, err := netip.ParseAddr(c.Bind); err == nil && !at.IsUnspecified() {
		return at
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

const (
	defaultProgram = "/usr/sbin/apache2"
	defaultModules = "/usr/lib/apache2/modules"
)

func (c Config) program() string {
	if c.Program == "" {
		return defaultProgram
	}
	return c.Program
}

func (c Config) modules() string {
	if c.Modules == "" {
		return defaultModules
	}
	return c.Modules
}

// modules of the server; checkModules are those that a site's file needs.
var (
	modules = []string{
		"mpm_event", "authn_core", "authn_file", "authz_core", "authz_host", "authz_user", "authz_groupfile",
		"access_compat", "auth_basic", "alias", "autoindex", "deflate", "dir", "env", "expires", "filter", "headers",
		"mime", "negotiation", "reqtimeout", "rewrite", "setenvif", "ssl", "proxy", "proxy_fcgi",
	}
	checkModules = []string{
		"mpm_event", "authn_core", "authn_file", "authz_core", "authz_user", "access_compat", "auth_basic",
		"alias", "headers", "rewrite", "proxy", "proxy_fcgi",
	}
)

//go:embed server.conf.tmpl
var serverSource string

var serverTemplate = template.Must(template.New("server").Parse(serverSource))

// RenderServer is the server's own part: modules, limits, what every site
// shares, and the answer to unknown names. It includes no site.
func RenderServer(layout config.Layout, c Config) ([]byte, error) {
	for _, path := range []string{layout.Root, c.modules()} {
		if err := checkPath(path); err != nil {
			return nil, err
		}
	}
	logger, err := quoteCommand(c.Logger)
	if err != nil {
		return nil, err
	}
	http, err := listen(c.Bind, c.HTTPPort)
	if err != nil {
		return nil, err
	}
	https, err := listen(c.Bind, c.HTTPSPort)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = serverTemplate.Execute(&b, map[string]any{
		"Root": layout.Root, "Homes": layout.Homes(), "HomesPattern": regexp.QuoteMeta(layout.Homes()), "SiteHome": config.SiteHome,
		"HTTPDefine": httpPort, "HTTPSDefine": httpsPort, "HTTPPort": c.HTTPPort, "HTTPSPort": c.HTTPSPort,
		"HTTPListen": http, "HTTPSListen": https,
		"Modules": modules, "ModuleDir": c.modules(), "Neutral": NeutralName,
		"Characters": ofHosts, "Separator": LogSeparator, "Logger": logger, "ProbePath": regexp.QuoteMeta(probePath), "ProbeDir": probePath,
		"Unauthorized": document(pages.Unauthorized(hostMark)), "Forbidden": document(pages.Forbidden(hostMark)), "NotFound": document(pages.NotFound(hostMark)),
		"Failed": document(pages.Failed(hostMark)), "Unknown": document(pages.Unknown(hostMark, c.PanelURL)),
	})
	if err != nil {
		return nil, fmt.Errorf("apache: server: %w", err)
	}
	return b.Bytes(), nil
}

// renderSuspended is what the virtual host of a suspended site includes.
func renderSuspended(c Config) []byte {
	const again = 3600 // seconds: a visitor's robot may come back then
	return fmt.Appendf(nil, `ErrorDocument 503 "%s"
Header always set Retry-After %d
Header always set Cache-Control no-store
Redirect 503 /
`, document(pages.Suspended(hostMark, c.PanelURL)), again)
}

// renderMaintenance is what the virtual host of a site in maintenance includes.
// A visitor who may look in meets the site's own answers, so the headers are for
// the page of maintenance alone.
func renderMaintenance() []byte {
	const again = 1800 // seconds
	return fmt.Appendf(nil, `ErrorDocument 503 "%s"
Header always set Retry-After %d "expr=%%{REQUEST_STATUS} == '503'"
Header always set Cache-Control no-store "expr=%%{REQUEST_STATUS} == '503'"
`, document(pages.Maintenance(hostMark)), again)
}

// renderCheck is the least in which a site's file can be checked.
func renderCheck(layout config.Layout, c Config) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Define %s %d\nDefine %s %d\nServerRoot \"%s/apache\"\nServerName %s\nListen %d\nErrorLog /dev/null\n",
		httpPort, c.HTTPPort, httpsPort, c.HTTPSPort, layout.Root, NeutralName, c.HTTPPort)
	for _, m := range checkModules {
		fmt.Fprintf(&b, "LoadModule %s_module %s/mod_%s.so\n", m, c.modules(), m)
	}
	return b.Bytes()
}

// renderGeneration makes the neutral virtual host say which of our reloads it
// was read in.
func renderGeneration(generation string) []byte {
	return fmt.Appendf(nil, "Redirect 204 \"%s%s\"\n", probePath, generation)
}

func generationFile(layout config.Layout) string { return layout.Apache() + "/generation.conf" }

func suspendedFile(layout config.Layout) string { return layout.Apache() + "/suspended.conf" }

func maintenanceFile(layout config.Layout) string { return layout.Apache() + "/maintenance.conf" }

func listen(bind string, port int) (string, error) {
	if port < 1 || port > 65535 {
		return "", fmt.Errorf("apache: %d is no port", port)
	}
	if bind == "" {
		return strconv.Itoa(port), nil
	}
	addr, err := netip.ParseAddr(bind)
	if err != nil || addr.Zone() != "" {
		return "", fmt.Errorf("apache: %q is no address to listen on", bind)
	}
	return net.JoinHostPort(addr.String(), strconv.Itoa(port)), nil
}

// quoteCommand writes a command as Apache splits it: arguments in single
// quotes, all of it within double ones.
func quoteCommand(args []string) (string, error) {
	if len(args) == 0 {
		return "", nil
	}
	if !strings.HasPrefix(args[0], "/") {
		return "", fmt.Errorf("apache: logger %q is no absolute path", args[0])
	}
	quoted := make([]string, len(args))
	for i, arg := range args {
		if strings.ContainsFunc(arg, func(r rune) bool { return r < ' ' || strings.ContainsRune("'\"\\${}%", r) }) {
			return "", fmt.Errorf("apache: %q cannot be named in Apache's configuration", arg)
		}
		quoted[i] = "'" + arg + "'"
	}
	return strings.Join(quoted, " "), nil
}

// hostMark stands in a page for the name that was asked for.
const hostMark = "cancale-host-mark"

// document makes a page the text of an ErrorDocument: one line of ASCII, in
// which Apache puts the name that was asked for. Apache takes the text for an
// expression, so what has a meaning there is written another way.
func document(page []byte) string {
	var b strings.Builder
	for _, r := range string(page) {
		switch {
		case r == '\n':
			b.WriteByte(' ')
		case r < ' ' || r > '~' || strings.ContainsRune(`"\$`, r):
			fmt.Fprintf(&b, "&#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	return strings.ReplaceAll(strings.ReplaceAll(b.String(), "%{", "%&#123;"), hostMark, "%{escape:%{SERVER_NAME}}")
}
