package ftpd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"cancale/internal/config"
	"cancale/internal/driver/unixacct"
	"cancale/internal/host"
	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/internal/testenv"
)

// farZone is the machine's time zone in all tests: nothing that clients are told
// follows it. It is set before there is anybody who could read it meanwhile.
const farZone = "far"

func TestMain(m *testing.M) {
	time.Local = time.FixedZone(farZone, 9*3600) //nolint:gosmopolitan // that of the machine is what is meant
	os.Exit(testenv.Main(m))
}

var root = hosting.System("cli:root")

// world is a store with accounts, homes on the disk as the node makes them, and
// the daemon serving them.
type world struct {
	t      testing.TB
	store  *store.Store // the application's; the daemon has its own
	daemon *store.Store
	layout config.Layout
	ports  [2]int // for data connections
	srv    *server
	addr   string
	stop   func() // and wait until it has
	change []func(*Config)
	plant  func(*server) // changes a server before it serves
}

// quick are the limits of tests that do not wait for one.
func quick() limits {
	l := defaultLimits
	l.failure = time.Millisecond
	l.source, l.perLogin = 200, 200
	l.drain = time.Second
	return l
}

func newWorld(t testing.TB, lim limits, change ...func(*Config)) *world {
	t.Helper()
	inst := testenv.Install(t)
	w := &world{t: t, store: inst.Open(t), daemon: inst.OpenFTP(t), layout: config.Layout{Root: t.TempDir()}, ports: [2]int{22000, 22999}, change: change}
	for p := w.layout.Root; p != os.TempDir(); p = filepath.Dir(p) {
		check(t, os.Chmod(p, 0o755)) // t.TempDir is private to root
	}
	for dir, mode := range map[string]os.FileMode{w.layout.Homes(): 0o711, w.layout.Sockets(): 0o711, w.layout.Sandbox(): 0o700} {
		check(t, os.MkdirAll(dir, mode))
	}
	w.start(lim)
	return w
}

func (w *world) start(lim limits) {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(w.t, err)
	w.addr = l.Addr().String()
	cfg := Config{Listener: l, Store: w.daemon, Layout: w.layout, PassiveMin: w.ports[0], PassiveMax: w.ports[1]}
	for _, change := range w.change {
		change(&cfg)
	}
	w.srv, err = newServer(cfg, lim)
	check(w.t, err)
	if w.plant != nil {
		w.plant(w.srv)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.srv.serve(ctx) }()
	stopped := false
	w.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("serve: %v", err)
		}
	}
	w.t.Cleanup(w.stop)
}

func (w *world) account(name string) hosting.Account {
	w.t.Helper()
	const n = hosting.Unlimited
	_, err := w.store.CreatePlan(w.t.Context(), root, hosting.PlanSpec{Name: "big", Label: "Big", Sites: n, Databases: n, FTPLogins: n, DiskMB: n})
	if err != nil && hosting.KindOf(err) != hosting.Conflict {
		w.t.Fatal(err)
	}
	a, err := w.store.CreateAccount(w.t.Context(), root, hosting.AccountSpec{Name: hosting.AccountName(name), Label: name, Plan: "big"})
	check(w.t, err)
	return a
}

// site makes a site and its home.
func (w *world) site(account hosting.Account, host_ string) hosting.Site {
	w.t.Helper()
	s, err := w.store.CreateSite(w.t.Context(), root, account.ID, hosting.SiteSpec{Host: hosting.Hostname(host_), DocumentRoot: "www", PHP: "8.2"})
	check(w.t, err)
	check(w.t, unixacct.New(host.New(w.layout, nil), "").Ensure(w.t.Context(), s))
	return s
}

// login makes an FTP login and returns its password.
func (w *world) login(account hosting.Account, spec hosting.FTPSpec) (hosting.FTPLogin, string) {
	w.t.Helper()
	l, password, err := w.store.CreateFTPLogin(w.t.Context(), root, account.ID, spec)
	check(w.t, err)
	return l, password
}

// home is where a site's files are on the disk.
func (w *world) home(s hosting.Site, names ...string) string {
	return filepath.Join(append([]string{w.layout.Home(string(s.HomeToken))}, names...)...)
}

// member is one site with one login: what most tests need.
type member struct {
	*world
	site     hosting.Site
	login    string
	password string
}

func newMember(t testing.TB, lim limits, change ...func(*Config)) *member {
	t.Helper()
	w := newWorld(t, lim, change...)
	a := w.account("voile")
	m := &member{world: w, site: w.site(a, "voile.asso.fr")}
	var l hosting.FTPLogin
	l, m.password = w.login(a, hosting.FTPSpec{Login: "web@voile", Site: m.site.ID})
	m.login = string(l.Login)
	return m
}

// www is a path below the document root on the disk.
func (m *member) www(names ...string) string {
	return m.home(m.site, append([]string{"www"}, names...)...)
}

func (m *member) write(name, text string) {
	m.t.Helper()
	p := m.www(name)
	check(m.t, os.WriteFile(p, []byte(text), 0o644))
	check(m.t, os.Chown(p, int(m.site.UID), int(m.site.UID)))
}

func (m *member) read(name string) string {
	m.t.Helper()
	b, err := os.ReadFile(m.www(name))
	check(m.t, err)
	return string(b)
}

func (m *member) connect() *client {
	m.t.Helper()
	c := m.dial("")
	c.want(331, "USER "+m.login)
	c.want(230, "PASS "+m.password)
	c.want(200, "TYPE I")
	return c
}

// client speaks FTP by hand.
type client struct {
	t    testing.TB
	conn *net.TCPConn
	r    *bufio.Reader
	w    io.Writer
}

// raw connects from an address of this machine.
func (w *world) raw(from string) (*net.TCPConn, *bufio.Reader) {
	w.t.Helper()
	d := net.Dialer{}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	conn, err := d.Dial("tcp", w.addr)
	check(w.t, err)
	w.t.Cleanup(func() { _ = conn.Close() })
	return conn.(*net.TCPConn), bufio.NewReader(conn)
}

// dial connects from an address of this machine, and reads the greeting.
func (w *world) dial(from string) *client {
	w.t.Helper()
	conn, r := w.raw(from)
	c := &client{w.t, conn, r, conn}
	c.reply(220)
	return c
}

func (c *client) send(line string) {
	c.t.Helper()
	if _, err := io.WriteString(c.w, line+"\r\n"); err != nil {
		c.t.Fatal(err)
	}
}

// read reads a reply and checks its form.
func (c *client) read() (code int, text string) {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(15 * time.Second))
	first := ""
	var b strings.Builder
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatalf("reply so far %q: %v", b.String(), err)
		}
		if !strings.HasSuffix(line, "\r\n") || hasControl(strings.TrimSuffix(line, "\r\n")) {
			c.t.Errorf("a bad line in a reply: %q", line)
		}
		b.WriteString(line)
		if first == "" {
			first = line
			code, err = strconv.Atoi(line[:3])
			if err != nil {
				c.t.Fatalf("reply %q", line)
			}
		}
		if strings.HasPrefix(line, first[:3]+" ") {
			return code, b.String()
		}
	}
}

func (c *client) reply(want int) string {
	c.t.Helper()
	code, text := c.read()
	if code != want {
		c.t.Fatalf("got %q, want %d", text, want)
	}
	return text
}

// want sends a command and demands a code.
func (c *client) want(code int, line string) string {
	c.t.Helper()
	c.send(line)
	got, text := c.read()
	if got != code {
		c.t.Fatalf("%.80q: got %q, want %d", line, text, code)
	}
	return text
}

// ended checks that the server hangs up.
func (c *client) ended() {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if line, err := c.r.ReadString('\n'); err == nil {
		c.t.Errorf("the connection goes on: %q", line)
	} else if os.IsTimeout(err) {
		c.t.Error("the connection is still open")
	}
}

// port asks for a passive port.
func (c *client) port() string {
	c.t.Helper()
	text := c.want(229, "EPSV")
	var port int
	if _, err := fmt.Sscanf(text[strings.Index(text, "(|||"):], "(|||%d|)", &port); err != nil {
		c.t.Fatalf("%q: %v", text, err)
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// data opens a data connection.
func (c *client) data() *net.TCPConn {
	c.t.Helper()
	conn, err := net.Dial("tcp", c.port())
	check(c.t, err)
	c.t.Cleanup(func() { _ = conn.Close() })
	return conn.(*net.TCPConn)
}

// get runs a command that sends data and returns that.
func (c *client) get(line string) string {
	c.t.Helper()
	conn := c.data()
	c.want(150, line)
	b, err := io.ReadAll(conn)
	check(c.t, err)
	c.reply(226)
	return string(b)
}

// put runs a command that takes data.
func (c *client) put(line, text string) {
	c.t.Helper()
	conn := c.data()
	c.want(150, line)
	_, err := io.WriteString(conn, text)
	check(c.t, err)
	check(c.t, conn.Close())
	c.reply(226)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
