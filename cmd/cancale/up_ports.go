package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"cancale/internal/hosting"
)

// ports are where an installation is reached.
type ports struct {
	bind                                netip.Addr
	panel, http, https, ftp, ftps, sftp int

	yielding map[string]bool // flags that nobody gave, whose port may be another when it is taken
}

// portFlags are the ports in the order in which they are opened, with their
// usual numbers: high ones, so that nothing of the machine's is in the way.
var portFlags = []struct {
	name  string // of the flag; the variable is CANCALE_NAME
	usual int
	what  string
	of    func(*ports) *int
}{
	{"panel-port", 8090, "the panel", func(p *ports) *int { return &p.panel }},
	{"http-port", 8080, "members' sites", func(p *ports) *int { return &p.http }},
	{"https-port", 8443, "members' sites, encrypted", func(p *ports) *int { return &p.https }},
	{"ftp-port", 2121, "FTP", func(p *ports) *int { return &p.ftp }},
	{"ftps-port", 2990, "FTP that begins with TLS", func(p *ports) *int { return &p.ftps }},
	{"sftp-port", 2222, "SFTP", func(p *ports) *int { return &p.sftp }},
}

// companions are ports that came later than those beside which they stand:
// whoever does not name them gets any free one when the usual one is taken, and
// when the main one may be any.
var companions = map[string]func(*ports) int{
	"ftps-port": func(p *ports) int { return p.ftp },
	"sftp-port": func(p *ports) int { return p.ftp },
}

func portVariable(flag string) string {
	return "CANCALE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func addPortFlags(cmd *cobra.Command) {
	for _, f := range portFlags {
		cmd.Flags().String(f.name, strconv.Itoa(f.usual), fmt.Sprintf("port of %s, 0 for any free one (%s)", f.what, portVariable(f.name)))
	}
}

// readPorts reads the flags and, for those that are not given, the environment.
func readPorts(cmd *cobra.Command) (ports, error) {
	p := ports{bind: netip.AddrFrom4([4]byte{127, 0, 0, 1}), yielding: map[string]bool{}}
	if text := os.Getenv("CANCALE_BIND"); text != "" {
		var err error
		if p.bind, err = netip.ParseAddr(text); err != nil {
			return p, usage("up.bind_invalid", text)
		}
	}
	for _, f := range portFlags {
		text, err := cmd.Flags().GetString(f.name)
		if err != nil {
			return p, err
		}
		name := "--" + f.name
		if main := companions[f.name]; main != nil && !cmd.Flags().Changed(f.name) && os.Getenv(portVariable(f.name)) == "" {
			p.yielding[f.name] = true
			if main(&p) == 0 {
				text = "0"
			}
		}
		if value := os.Getenv(portVariable(f.name)); value != "" && !cmd.Flags().Changed(f.name) {
			text, name = value, portVariable(f.name)
		}
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return p, usage("up.port_invalid", name, text)
		}
		*f.of(&p) = int(n)
	}
	return p, nil
}

// listeners are the open ports of an installation: the panel's, FTP's and SFTP's are
// inherited by each daemon that is started for them, so that one that dies
// loses no caller; Apache opens its own, which are only held until then.
type listeners struct {
	panel, ftp, ftps, sftp *os.File
	web                    []net.Listener
}

// open opens every port, and notes the numbers of those that could be any.
func (p *ports) open(ctx context.Context) (*listeners, error) {
	l := &listeners{}
	for _, f := range portFlags {
		number := f.of(p)
		listener, err := p.listen(ctx, *number)
		if errors.Is(err, syscall.EADDRINUSE) && p.yielding[f.name] {
			listener, err = p.listen(ctx, 0)
		}
		if err != nil {
			l.close()
			return nil, p.refuse(err, f.name, *number)
		}
		tcp := listener.(*net.TCPListener)       //nolint:forcetypeassert // net.Listen of "tcp"
		*number = tcp.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // as above
		switch f.name {
		case "panel-port":
			l.panel, err = tcp.File()
			err = errors.Join(err, tcp.Close())
		case "ftp-port":
			l.ftp, err = tcp.File()
			err = errors.Join(err, tcp.Close())
		case "ftps-port":
			l.ftps, err = tcp.File()
			err = errors.Join(err, tcp.Close())
		case "sftp-port":
			l.sftp, err = tcp.File()
			err = errors.Join(err, tcp.Close())
		default:
			l.web = append(l.web, tcp)
		}
		if err != nil {
			l.close()
			return nil, err
		}
	}
	return l, nil
}

func (p *ports) listen(ctx context.Context, number int) (net.Listener, error) {
	return new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(p.bind.String(), strconv.Itoa(number)))
}

// refuse says in one line why a port cannot be opened.
func (p *ports) refuse(err error, flag string, number int) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return refuseUp("up.port_taken", strconv.Itoa(number), "--"+flag)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return refuseUp("up.bind_missing", p.bind.String())
	}
	return fmt.Errorf("--%s %d: %w", flag, number, err)
}

// releaseWeb gives Apache's ports free, for Apache.
func (l *listeners) releaseWeb() {
	for _, w := range l.web {
		_ = w.Close()
	}
	l.web = nil
}

func (l *listeners) close() {
	l.releaseWeb()
	for _, f := range []*os.File{l.panel, l.ftp, l.ftps, l.sftp} {
		if f != nil {
			_ = f.Close()
		}
	}
}

// dial is an address at which a port answers from here.
func (p *ports) dial(port int) string {
	at := p.bind
	switch {
	case at.IsUnspecified() && at.Is4():
		at = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	case at.IsUnspecified():
		at = netip.IPv6Loopback()
	}
	return net.JoinHostPort(at.String(), strconv.Itoa(port))
}

func (p *ports) local(port int) string { return "http://" + p.dial(port) }

// url is where people find the panel.
func (p *ports) url() string {
	if p.bind.IsUnspecified() {
		if name, err := os.Hostname(); err == nil {
			return "http://" + net.JoinHostPort(name, strconv.Itoa(p.panel))
		}
	}
	return p.local(p.panel)
}

// panelHost is the panel's name when it has one; no site may bear it.
func (p *ports) panelHost() hosting.Hostname {
	u, err := url.Parse(p.url())
	if err != nil {
		return ""
	}
	name, err := hosting.ParseHostname(u.Hostname())
	if err != nil {
		return "" // an address, or a name that no site could have
	}
	return name
}

// answersHTTP is nil when a server answers without an error of its own. name is
// the host asked for; empty for the one in the address.
func answersHTTP(ctx context.Context, at, name string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return err
	}
	req.Host, req.Close = name, true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("%s: %s", at, resp.Status)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// greetsFTP is nil when the server at address answers. It may refuse us: whoever
// shares this machine's own address, a site's PHP among them, can have that
// address banned or use up its connections, and must not have the service
// restarted with it.
func greetsFTP(ctx context.Context, address string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if end, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(end); err != nil {
			return err
		}
	}
	line, err := bufio.NewReader(io.LimitReader(conn, 512)).ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(line, "220") && !strings.HasPrefix(line, "421") {
		return errors.New(strings.TrimSpace(line))
	}
	return nil
}
