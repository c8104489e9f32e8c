// Package ftpcheck does what a member's FTP or SFTP program does, step by step, and
// says which step fails and what to do about it.
//
// A password is only ever sent to the address of our own daemon, which the
// caller names, never to what a host name leads to: that may be somebody else's
// by mistake. It is neither kept nor written anywhere.
package ftpcheck

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	"cancale/internal/hosting"
)

// State is how a step ended.
type State string

// The states.
const (
	OK      State = "ok"
	Warn    State = "warn" // works, with something to know
	Failed  State = "failed"
	Skipped State = "skipped"
)

// Step is one thing that was tried. Name ends the key of its text; Said is what
// was found, or what to do.
type Step struct {
	Name  string
	State State
	Said  hosting.Message
}

// Target is the service as members know it, and as it is reached from here.
type Target struct {
	Host  string // the name that members type; may be an address
	Port  int
	Local string // address of our own daemon on this machine
	TLS   bool   // it is offered

	SFTPPort  int // 0 is none
	LocalSFTP string
	HostKeys  []string // fingerprints of what the daemon proves itself with there
}

// Account is who signs in. Without a password the check ends at the door.
type Account struct {
	Login    string
	Password string
	Rights   hosting.FTPRights
	Refused  *hosting.Message // why the password is not to be tried: it is known to be wrong
}

// stepTime bounds each step; all of them fit in a request of the panel.
const stepTime = 4 * time.Second

// trialText is what is sent.
var trialText = strings.Repeat("Cancale\n", 8)

// checker collects the steps.
type checker struct {
	ctx   context.Context
	steps []Step
}

func (c *checker) note(name string, state State, key string, args ...string) {
	step := Step{Name: name, State: state}
	if key != "" {
		step.Said = hosting.Msg(key, args...)
	}
	c.steps = append(c.steps, step)
}

func (c *checker) skip(names ...string) {
	for _, name := range names {
		c.note(name, Skipped, "")
	}
}

// Run tries everything, in the order of a program that connects.
func Run(ctx context.Context, target Target, account Account) []Step {
	c := &checker{ctx: ctx}
	c.front(target)
	c.inside(target, account)
	c.sftp(target, account)
	return c.steps
}

// front looks at the service from the side of the members: its name, its port,
// its certificate.
func (c *checker) front(t Target) {
	switch addrs, err := resolve(c.ctx, t.Host); {
	case err != nil:
		c.note("name", Failed, "ftpcheck.name_failed", t.Host)
		c.skip("port", "tls")
		return
	default:
		c.note("name", OK, "ftpcheck.name_ok", t.Host, strings.Join(addrs, ", "))
	}
	conn, err := connect(c.ctx, net.JoinHostPort(t.Host, strconv.Itoa(t.Port)))
	if err != nil {
		c.note("port", Failed, "ftpcheck.port_failed", strconv.Itoa(t.Port))
		c.skip("tls")
		return
	}
	defer conn.Close()
	c.note("port", OK, "ftpcheck.port_ok", strconv.Itoa(t.Port))
	if !t.TLS {
		c.note("tls", Warn, "ftpcheck.tls_off")
		return
	}
	err = conn.startTLS(c.ctx, &tls.Config{ServerName: t.Host, MinVersion: tls.VersionTLS12})
	_, unknown := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case err == nil:
		c.note("tls", OK, "ftpcheck.tls_ok")
	case unknown:
		c.note("tls", Warn, "ftpcheck.tls_unknown")
	default:
		c.note("tls", Failed, "ftpcheck.tls_failed")
	}
}

// inside signs in to our own daemon and does what members do.
func (c *checker) inside(t Target, a Account) {
	rest := []string{"data", "list", "upload"}
	if a.Refused != nil {
		c.steps = append(c.steps, Step{"login", Failed, *a.Refused})
		c.skip(rest...)
		return
	}
	if a.Password == "" {
		c.note("login", Skipped, "ftpcheck.no_password")
		c.skip(rest...)
		return
	}
	conn, err := connect(c.ctx, t.Local)
	if err != nil {
		c.note("login", Failed, "ftpcheck.service_down")
		c.skip(rest...)
		return
	}
	defer conn.Close()
	if t.TLS {
		// It never leaves this machine; whose certificate it is matters to the
		// members' side above.
		if err := conn.startTLS(c.ctx, &tls.Config{InsecureSkipVerify: true}); err != nil { //nolint:gosec // as said
			c.note("login", Failed, "ftpcheck.tls_failed")
			c.skip(rest...)
			return
		}
	}
	if err := conn.login(a); err != nil {
		c.note("login", Failed, "ftpcheck.login_failed", answer(err))
		c.skip(rest...)
		return
	}
	c.note("login", OK, "ftpcheck.login_ok", a.Login)
	names, err := conn.list("")
	if err != nil {
		if _, answered := errors.AsType[*textproto.Error](err); answered {
			c.note("data", OK, "ftpcheck.data_ok")
			c.note("list", Failed, "ftpcheck.list_failed", answer(err))
			c.skip("upload")
			return
		}
		c.note("data", Failed, "ftpcheck.data_failed")
		c.skip("list", "upload")
		return
	}
	c.note("data", OK, "ftpcheck.data_ok")
	c.note("list", OK, "ftpcheck.list_ok", strconv.Itoa(len(names)))
	c.upload(conn, a, names)
}

// upload sends a small file and takes it away again, where the rights hold both.
func (c *checker) upload(conn *client, a Account, names []string) {
	if !a.Rights.Changes() {
		c.note("upload", Skipped, "ftpcheck.upload_rights")
		return
	}
	file := trial(names)
	err := conn.put(file, trialText)
	if code(err) == 550 && elsewhere(file, names) { // the sites of an association: one of them
		file = names[0] + "/www/" + file
		err = conn.put(file, trialText)
	}
	if err != nil {
		key := "ftpcheck.upload_failed"
		if code(err) == 552 || code(err) == 452 {
			key = "ftpcheck.upload_full"
		}
		c.note("upload", Failed, key, answer(err))
		return
	}
	if _, err := conn.cmd(250, "DELE %s", file); err != nil {
		c.note("upload", Warn, "ftpcheck.upload_left", file)
		return
	}
	c.note("upload", OK, "ftpcheck.upload_ok")
	conn.quit()
}

// trial names the file that is sent, beside what is there: as an upload in
// progress, so that no list shows it and no bin keeps it.
func trial(names []string) string {
	file := hosting.UploadPrefix + "essai-" + strings.ToLower(rand.Text()[:12])
	if slices.Contains(names, "www") {
		file = "www/" + file
	}
	return file
}

// elsewhere reports whether a trial that was refused may have its place in a
// folder of what is there.
func elsewhere(file string, names []string) bool {
	return len(names) > 0 && !strings.Contains(file, "/")
}

// Public tries, for those who set it, whether the service is reached at the
// address that PASV announces; probe opens a data port and says what is to be
// read there.
func Public(ctx context.Context, t Target, public netip.Addr, probe func() (port int, token string, err error)) []Step {
	c := &checker{ctx: ctx}
	addrs, err := resolve(ctx, t.Host)
	if err != nil {
		c.note("name", Failed, "ftpcheck.name_failed", t.Host)
	} else {
		c.note("name", OK, "ftpcheck.name_ok", t.Host, strings.Join(addrs, ", "))
	}
	at := t.Host
	if public.IsValid() {
		at = public.String()
		if err == nil && !contains(addrs, at) {
			c.note("address", Warn, "ftpcheck.address_differs", t.Host, at)
		} else {
			c.note("address", OK, "ftpcheck.address_ok", at)
		}
	} else {
		c.note("address", Skipped, "ftpcheck.address_unset")
	}
	conn, err := connect(ctx, net.JoinHostPort(at, strconv.Itoa(t.Port)))
	if err != nil {
		c.note("port", Failed, "ftpcheck.public_port_failed", at, strconv.Itoa(t.Port))
		c.skip("data")
		return c.steps
	}
	_ = conn.Close()
	c.note("port", OK, "ftpcheck.port_ok", strconv.Itoa(t.Port))
	port, token, err := probe()
	if err != nil {
		c.note("data", Failed, "ftpcheck.service_down")
		return c.steps
	}
	if err := readToken(ctx, net.JoinHostPort(at, strconv.Itoa(port)), token); err != nil {
		c.note("data", Failed, "ftpcheck.public_data_failed", at, strconv.Itoa(port))
		return c.steps
	}
	c.note("data", OK, "ftpcheck.data_ok")
	return c.steps
}

func contains(addrs []string, a string) bool {
	return slices.Contains(addrs, a)
}

// resolve is the addresses of a name, or the address that it is.
func resolve(ctx context.Context, host string) ([]string, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []string{a.String()}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	return net.DefaultResolver.LookupHost(ctx, host)
}

var errOther = errors.New("ftpcheck: something else listens there")

func readToken(ctx context.Context, address, token string) error {
	conn, err := dial(ctx, address)
	if err != nil {
		return err
	}
	defer conn.Close()
	b := make([]byte, len(token))
	if _, err := io.ReadFull(conn, b); err != nil {
		return err
	}
	if string(b) != token {
		return errOther
	}
	return nil
}

func dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: stepTime}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("ftpcheck: %w", err)
	}
	return conn, conn.SetDeadline(time.Now().Add(stepTime))
}

// code is that of a reply, 0 when there was none.
func code(err error) int {
	if e, ok := errors.AsType[*textproto.Error](err); ok {
		return e.Code
	}
	return 0
}

// answer is what the daemon said, for the team; ours never holds more than its
// own words.
func answer(err error) string {
	if e, ok := errors.AsType[*textproto.Error](err); ok {
		return strconv.Itoa(e.Code) + " " + hosting.Visible(e.Msg, 200)
	}
	return "-"
}
