package apache

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cancale/internal/config"
	"cancale/internal/host"
	"cancale/internal/hosting"
	"cancale/internal/reconcile"
	"cancale/internal/sitelog"
	"cancale/internal/testenv"
)

// node is a machine with a private Apache for one test.
type node struct {
	tb     testing.TB
	layout config.Layout
	cfg    Config
	apache *testenv.ApacheServer
	host   *host.Host
	driver *Driver
}

func newNode(tb testing.TB) *node {
	tb.Helper()
	n := &node{tb: tb, layout: testenv.Layout(tb)}
	exe, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	n.cfg = Config{Logger: []string{exe, splitLogs, n.layout.Root}, Bind: "127.0.0.1", HTTPPort: testenv.FreePort(tb), HTTPSPort: testenv.FreePort(tb), PanelURL: "http://panneau.example/"}
	n.apache = testenv.Apache(tb, n.cfg.HTTPPort)
	tb.Cleanup(func() {
		if tb.Failed() {
			for _, path := range []string{n.layout.In("log", "server"), n.layout.In("log", "sites")} {
				out, _ := exec.Command("/usr/bin/find", path, "-name", "*.log", "-exec", "tail", "-n", "20", "{}", "+").Output()
				tb.Logf("logs in %s:\n%s", path, out[max(0, len(out)-4000):])
			}
		}
	})
	n.again()
	return n
}

// again is the driver of a process that was started anew.
func (n *node) again() {
	n.host = host.New(n.layout, n.apache)
	n.driver = New(n.host, n.cfg)
}

func (n *node) boot() {
	n.tb.Helper()
	if err := errors.Join(n.driver.Sweep(), n.driver.Boot(n.tb.Context())); err != nil {
		n.tb.Fatal(err)
	}
}

func (n *node) start() {
	n.tb.Helper()
	n.boot()
	n.apache.Start(n.tb, n.driver.Program(), n.driver.Arguments(), Environment())
}

func startNode(tb testing.TB) *node {
	tb.Helper()
	n := newNode(tb)
	n.start()
	return n
}

// site is a site with tokens of its own and a folder to serve.
func (n *node) site(id int, hosts ...hosting.Hostname) hosting.Site {
	n.tb.Helper()
	site := numbered(id)
	if len(hosts) > 0 {
		site.Host, site.Aliases = hosts[0], hosts[1:]
	}
	root := filepath.Join(n.layout.Home(string(site.HomeToken)), "www")
	if err := os.MkdirAll(root, 0o755); err != nil {
		n.tb.Fatal(err)
	}
	for _, dir := range []string{n.layout.Homes(), filepath.Dir(root)} {
		if err := os.Chmod(dir, 0o711); err != nil {
			n.tb.Fatal(err)
		}
	}
	n.write(site, "index.html", "site "+strconv.Itoa(id))
	return site
}

// firstUID is not the first that an installation gives to a site: other tests run
// beside these, and the kernel counts the processes of a uid, not of a site.
const firstUID = config.FirstSiteUID + 10_000

func numbered(id int) hosting.Site {
	return hosting.Site{
		ID: hosting.SiteID(id), Host: hosting.Hostname(fmt.Sprintf("s%d.example", id)), DocumentRoot: "www", PHP: "8.2", UID: uint32(firstUID + id),
		HomeToken: hosting.Token(fmt.Sprintf("%032x", 0x1000000+id)), SocketToken: hosting.Token(fmt.Sprintf("%032x", 0x2000000+id)),
	}
}

func (n *node) path(site hosting.Site, name string) string {
	return filepath.Join(n.layout.Home(string(site.HomeToken)), "www", name)
}

func (n *node) write(site hosting.Site, name, text string) {
	n.tb.Helper()
	path := n.path(site, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		n.tb.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		n.tb.Fatal(err)
	}
}

func (n *node) ensure(site hosting.Site) {
	n.tb.Helper()
	if err := n.driver.Ensure(n.tb.Context(), site); err != nil {
		n.tb.Fatalf("ensure %s: %v", site.Host, err)
	}
}

func (n *node) remove(site hosting.Site) {
	n.tb.Helper()
	if err := n.driver.Remove(n.tb.Context(), site); err != nil {
		n.tb.Fatalf("remove %s: %v", site.Host, err)
	}
}

// get asks for a page on a new connection.
func (n *node) get(name, path string, header ...string) (int, string, http.Header) {
	n.tb.Helper()
	req, err := http.NewRequestWithContext(n.tb.Context(), http.MethodGet, "http://"+net.JoinHostPort("127.0.0.1", strconv.Itoa(n.cfg.HTTPPort))+path, nil)
	if err != nil {
		n.tb.Fatal(err)
	}
	req.Host = name
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		n.tb.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		n.tb.Fatal(err)
	}
	return resp.StatusCode, string(body), resp.Header
}

func (n *node) expect(name, path string, status int, text string) {
	n.tb.Helper()
	got, body, _ := n.get(name, path)
	if got != status || !strings.Contains(body, text) {
		n.tb.Errorf("%s%s: %d %q, want %d %q", name, path, got, short(body), status, text)
	}
}

func short(s string) string {
	if len(s) > 300 {
		return s[:300] + "…"
	}
	return s
}

// unchanged runs f and reports any change it makes to the machine.
func (n *node) unchanged(what string, f func()) {
	n.tb.Helper()
	before := n.host.Changes()
	f()
	if made := n.host.Changes() - before; made != 0 {
		n.tb.Errorf("%s: %d changes", what, made)
	}
}

const unknownPage = "Aucun site"

func TestEnsureServesASite(t *testing.T) {
	n := startNode(t)
	a, b := n.site(1, "a.example", "www.a.example"), n.site(2, "b.example")
	n.ensure(a)
	n.ensure(b)
	n.expect("a.example", "/", 200, "site 1")
	n.expect("www.a.example", "/", 200, "site 1")
	n.expect("b.example", "/", 200, "site 2")

	t.Run("the second time nothing changes", func(t *testing.T) {
		n.unchanged("ensure", func() { n.ensure(a); n.ensure(b) })
	})
	t.Run("nor in another process", func(t *testing.T) {
		n.again()
		n.unchanged("ensure", func() { n.ensure(a); n.ensure(b) })
	})
	t.Run("another name, another folder", func(t *testing.T) {
		n.write(a, "../web/index.html", "the new folder")
		a.Host, a.Aliases, a.DocumentRoot = "c.example", nil, "web"
		n.ensure(a)
		n.expect("c.example", "/", 200, "the new folder")
		n.expect("a.example", "/", 404, unknownPage)
		n.unchanged("ensure", func() { n.ensure(a) })
		if target, err := os.Readlink(n.layout.SiteLogName("c.example")); err != nil || target != "../sites/1" {
			t.Errorf("logs: %q, %v", target, err)
		}
		if _, err := os.Lstat(n.layout.SiteLogName("a.example")); err == nil {
			t.Error("the old name still leads to the logs")
		}
	})
	t.Run("two sites exchange their names", func(t *testing.T) {
		a.Host, b.Host = b.Host, a.Host
		var wait sync.WaitGroup
		wait.Go(func() { _ = n.driver.Ensure(t.Context(), a) })
		wait.Go(func() { _ = n.driver.Ensure(t.Context(), b) })
		wait.Wait()
		n.ensure(a)
		n.ensure(b)
		n.expect(string(a.Host), "/", 200, "the new folder")
		n.expect(string(b.Host), "/", 200, "site 2")
		n.unchanged("ensure", func() { n.ensure(a); n.ensure(b) })
	})
	t.Run("removed", func(t *testing.T) {
		n.remove(a)
		n.expect(string(a.Host), "/", 404, unknownPage)
		n.expect(string(b.Host), "/", 200, "site 2")
		n.unchanged("remove", func() { n.remove(a) })
		n.again()
		n.unchanged("remove", func() { n.remove(a) })
	})
	t.Run("removed and wanted again", func(t *testing.T) {
		n.ensure(a)
		n.expect(string(a.Host), "/", 200, "the new folder")
	})
}

func TestSuspended(t *testing.T) {
	n := startNode(t)
	site := n.site(1, "a.example", "www.a.example")
	n.write(site, ".htaccess", "RewriteEngine On\nRewriteCond %{REQUEST_FILENAME} !-f\nRewriteRule . /index.html [L]\n")
	n.ensure(site)
	for _, suspend := range []func(){func() { site.Suspended = true }, func() { site.Suspended, site.AccountSuspended = false, true }} {
		suspend()
		n.ensure(site)
		for _, name := range []string{"a.example", "www.a.example"} {
			status, body, header := n.get(name, "/any/page.php?x=1")
			if status != 503 || !strings.Contains(body, "momentan&#233;ment interrompu") || !strings.Contains(body, name) || header.Get("Retry-After") == "" {
				t.Errorf("%d %v %s", status, header, short(body))
			}
		}
		n.unchanged("ensure", func() { n.ensure(site) })
	}
	site.AccountSuspended = false
	n.ensure(site)
	n.expect("a.example", "/", 200, "site 1")
}

// H36, H38: who asks for no site of ours never gets one.
func TestUnknownNamesGetTheNeutralPage(t *testing.T) {
	n := startNode(t)
	n.expect("127.0.0.1", "/", 404, unknownPage)
	site := n.site(1, "a.example")
	n.ensure(site)
	for _, name := range []string{"127.0.0.1", "unknown.example", "b.a.example", "A.EXAMPLE.org", NeutralName, "localhost"} {
		n.expect(name, "/", 404, unknownPage)
		n.expect(name, "/index.php?x", 404, unknownPage)
	}
	t.Run("HTTP/1.0 without a name", func(t *testing.T) {
		conn, err := net.Dial("tcp", n.driver.probeAddress())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "GET / HTTP/1.0\r\n\r\n")
		got, _ := io.ReadAll(conn)
		if !bytes.Contains(got, []byte(unknownPage)) || !bytes.Contains(got, []byte(" 404 ")) {
			t.Errorf("%s", got)
		}
	})
	t.Run("a name is shown as text", func(t *testing.T) {
		conn, err := net.Dial("tcp", n.driver.probeAddress())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: <b>x</b>.example\r\nConnection: close\r\n\r\n")
		if got, _ := io.ReadAll(conn); bytes.Contains(got, []byte("<b>x")) {
			t.Errorf("%s", got)
		}
	})
	t.Run("HTTPS shows the neutral certificate and page", func(t *testing.T) {
		for _, name := range []string{"a.example", "unknown.example", ""} {
			conn, err := tls.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(n.cfg.HTTPSPort)), &tls.Config{ServerName: name, InsecureSkipVerify: true})
			if err != nil {
				t.Fatal(err)
			}
			cert := conn.ConnectionState().PeerCertificates[0]
			fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", name)
			got, _ := io.ReadAll(conn)
			_ = conn.Close()
			if cert.Subject.CommonName != NeutralName || bytes.Contains(got, []byte("site 1")) {
				t.Errorf("%s: %s\n%s", name, cert.Subject, got)
			}
		}
	})
}

func TestDriftIsRepaired(t *testing.T) {
	n := startNode(t)
	a, b := n.site(1), n.site(2)
	n.ensure(a)
	n.ensure(b)
	file := n.driver.siteFile(a.ID)
	for name, drift := range map[string]func() error{
		"gone":           func() error { return os.Remove(file) },
		"changed":        func() error { return os.WriteFile(file, []byte("# nothing\n"), 0o600) },
		"readable":       func() error { return os.Chmod(file, 0o644) },
		"owned":          func() error { return os.Chown(file, firstUID+1, firstUID+1) },
		"a link":         func() error { return errors.Join(os.Remove(file), os.Symlink("/dev/null", file)) },
		"log name gone":  func() error { return os.Remove(n.layout.SiteLogName(string(a.Host))) },
		"directory open": func() error { return os.Chmod(n.driver.sitesDir(), 0o755) },
	} {
		t.Run(name, func(t *testing.T) {
			if err := drift(); err != nil {
				t.Fatal(err)
			}
			n.again() // a resync in a new process sees it too
			n.ensure(a)
			n.expect(string(a.Host), "/", 200, "site 1")
			if info, err := os.Lstat(file); err != nil || info.Mode() != 0o600 {
				t.Errorf("%v, %v", info, err)
			}
			if info, err := os.Lstat(n.driver.sitesDir()); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("%v, %v", info, err)
			}
			n.unchanged("ensure", func() { n.ensure(a) })
		})
	}
	t.Run("foreign files go, sites stay", func(t *testing.T) {
		c := n.site(3)
		n.ensure(c)
		for name, text := range map[string]string{"zz.conf": "<VirtualHost *:${CANCALE_HTTP}>\nServerName zz.example\nRedirect 204 /\n</VirtualHost>\n", "007.conf": "", "note": "", "9.conf.aside": ""} {
			if err := os.WriteFile(filepath.Join(n.driver.sitesDir(), name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		keep := func(id hosting.SiteID) bool { return id < 3 }
		if err := n.driver.RemoveForeign(t.Context(), keep); err != nil {
			t.Fatal(err)
		}
		entries, _ := os.ReadDir(n.driver.sitesDir())
		if len(entries) != 2 {
			t.Errorf("%v", entries)
		}
		n.expect(string(c.Host), "/", 404, unknownPage)
		n.ensure(a) // loads what is left
		n.expect("zz.example", "/", 404, unknownPage)
		n.expect(string(b.Host), "/", 200, "site 2")
		n.unchanged("remove foreign", func() { _ = n.driver.RemoveForeign(t.Context(), keep) })
	})
}

func TestABadFileStopsNobody(t *testing.T) {
	n := startNode(t)
	sites := make([]hosting.Site, 8)
	for i := range sites {
		sites[i] = n.site(i + 1)
	}
	bad := sites[3]
	n.ensure(bad) // its last good version
	token := string(bad.HomeToken)
	n.driver.render = func(s hosting.Site) (rendered, error) {
		r, err := render(n.layout, s)
		if s.ID == bad.ID && s.Suspended {
			r.data = append(r.data, []byte("Nonsense "+token+" /srv/secret\n")...)
		}
		return r, err
	}
	bad.Suspended = true
	sites[3] = bad
	errs := make([]error, len(sites))
	var wait sync.WaitGroup
	for i, s := range sites {
		wait.Go(func() { errs[i] = n.driver.Ensure(t.Context(), s) })
	}
	wait.Wait()
	for i, err := range errs {
		if i == 3 {
			refusal, ok := errors.AsType[*hosting.Error](err)
			if !ok || refusal.Message.Key != "site.apache_refused" {
				t.Fatalf("the bad one: %v", err)
			}
			if reason := strings.Join(refusal.Message.Args, " "); !strings.Contains(reason, "Nonsense") || strings.Contains(reason, token) || strings.Contains(reason, "/srv") {
				t.Errorf("reason %q", reason)
			}
			n.expect(string(bad.Host), "/", 200, "site 4") // the last good version
			continue
		}
		if err != nil {
			t.Errorf("site %d: %v", i+1, err)
		}
		n.expect(string(sites[i].Host), "/", 200, "site")
	}
	if left, _ := filepath.Glob(filepath.Join(n.driver.sitesDir(), host.TempPrefix+"*")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	n.driver = New(n.host, n.cfg)
	n.ensure(bad)
	n.expect(string(bad.Host), "/", 503, "interrompu")
}

// A bug that one request of a batch meets, in the goroutine that nobody waits
// in, is the failure of that one.
func TestABugInABatchStopsNobody(t *testing.T) {
	n := startNode(t)
	n.ensure(n.site(1)) // the driver has read what lies there
	sites := make([]hosting.Site, 6)
	batch := make([]*request, len(sites))
	const bad = 2
	for i := range sites {
		sites[i] = n.site(i + 2)
		want, err := render(n.layout, sites[i])
		if err != nil {
			t.Fatal(err)
		}
		staged, err := n.host.Stage(n.driver.siteFile(sites[i].ID), want.data, fileMode, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		batch[i] = &request{id: sites[i].ID, want: &want, staged: staged}
		if i == bad {
			defer staged.Discard()
			batch[i].staged = &host.Staged{Path: staged.Path, To: staged.To} // of no host: it passes the check, and panics when it is to take its place
		}
	}
	n.driver.mu.Lock() // so that they come together
	n.driver.leading = true
	n.driver.mu.Unlock()
	errs := make([]error, len(batch))
	var wait sync.WaitGroup
	for i, r := range batch {
		wait.Go(func() { errs[i] = n.driver.submit(t.Context(), r) })
	}
	for queued := 0; queued < len(batch); {
		n.driver.mu.Lock()
		queued = len(n.driver.queue)
		n.driver.mu.Unlock()
	}
	n.driver.lead(t.Context())
	wait.Wait()
	for i, err := range errs {
		if i == bad {
			if _, ok := errors.AsType[*reconcile.PanicError](err); !ok {
				t.Errorf("the bad one: %v", err)
			}
			n.expect(string(sites[i].Host), "/", 404, unknownPage)
			continue
		}
		if err != nil {
			t.Errorf("site %d: %v", sites[i].ID, err)
		}
		n.expect(string(sites[i].Host), "/", 200, "site")
	}
	n.ensure(sites[bad])
	n.expect(string(sites[bad].Host), "/", 200, "site")
	if left, _ := filepath.Glob(filepath.Join(n.driver.sitesDir(), host.TempPrefix+"*")); len(left) != 1 {
		t.Errorf("beside the bad one's, which is swept when the agent begins, there is: %v", left)
	}
}

func TestABadFileThatWasThereFirstIsNotLoaded(t *testing.T) {
	n := startNode(t)
	for id := range 3 {
		n.ensure(n.site(id + 1))
	}
	if err := os.WriteFile(n.driver.siteFile(2), []byte("Nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n.again()
	// Another site comes first, and makes Apache load all that lies there.
	for _, id := range []int{1, 3, 2} {
		n.ensure(numbered(id))
		n.expect(string(numbered(id).Host), "/", 200, "site")
	}
	if entries, _ := os.ReadDir(n.driver.sitesDir()); len(entries) != 3 {
		t.Errorf("%v", entries)
	}
}

func TestWhatIsBrokenByHandMeanwhileCostsNothing(t *testing.T) {
	n := startNode(t)
	for id := range 4 {
		n.ensure(n.site(id + 1))
	}
	broken := map[string]string{
		n.driver.siteFile(2): "Nonsense\n", n.driver.siteFile(4): "",
		filepath.Join(n.driver.sitesDir(), "zz.conf"): "<VirtualHost\n", n.driver.serverFile(): "Nonsense\n",
	}
	for path, text := range broken {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(n.driver.siteFile(3)); err != nil {
		t.Fatal(err)
	}
	// Visitors come all the time.
	visit, stop := context.WithCancel(t.Context())
	turned := make(chan error, 1)
	go func() {
		defer close(turned)
		for visit.Err() == nil {
			if err := n.driver.probe(visit, numbered(1).Host, strings.Repeat("0", 32)); err != nil && !errors.Is(err, errOther) && visit.Err() == nil {
				turned <- err
				return
			}
		}
	}()
	n.ensure(n.site(5))
	stop()
	if err := <-turned; err != nil {
		t.Errorf("a visitor was turned away: %v", err)
	}
	for id := range 5 {
		n.expect(string(numbered(id+1).Host), "/", 200, "site")
		ctx, repairs := host.CollectRepairs(t.Context())
		site := numbered(id + 1)
		site.Sync = hosting.Sync{State: hosting.Live}
		if err := n.driver.Ensure(ctx, site); err != nil {
			t.Fatal(err)
		}
		if told := slices.Equal(repairs.Parts(), []string{"vhost"}); told != (id >= 1 && id <= 3) {
			t.Errorf("site %d: repaired %v", id+1, repairs.Parts())
		}
	}
	if entries, _ := os.ReadDir(n.driver.sitesDir()); len(entries) != 5 {
		t.Errorf("%v", entries)
	}
}

func TestBootSetsGuiltyFilesAside(t *testing.T) {
	n := startNode(t)
	for id := range 12 {
		n.ensure(n.site(id + 1))
	}
	n.apache.Stop()
	for _, id := range []hosting.SiteID{5, 9} {
		if err := os.WriteFile(n.driver.siteFile(id), []byte("<VirtualHost *:${CANCALE_HTTP}>\nNonsense\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Each good alone, not together: one directive that may come once.
	pair := "Mutex file:/nonexistent default\n"
	if err := os.WriteFile(n.driver.siteFile(11), []byte(pair), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(n.driver.sitesDir(), host.TempPrefix+"1.conf-x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	n.again()
	n.start()
	for id := range 12 {
		want := 200
		if id+1 == 5 || id+1 == 9 || id+1 == 11 {
			want = 404
		}
		n.expect(string(numbered(id+1).Host), "/", want, "")
	}
	aside, _ := filepath.Glob(filepath.Join(n.driver.sitesDir(), "*"+asideSuffix))
	if len(aside) != 3 {
		t.Errorf("aside: %v", aside)
	}
	for id := range 12 {
		n.ensure(numbered(id + 1))
		n.expect(string(numbered(id+1).Host), "/", 200, "site")
	}
	if entries, _ := os.ReadDir(n.driver.sitesDir()); len(entries) != 12 {
		t.Errorf("%v", entries)
	}

	t.Run("what was set aside comes back only when Apache takes it among the others", func(t *testing.T) {
		n.driver.render = func(s hosting.Site) (rendered, error) {
			r, err := render(n.layout, s)
			r.data = append(r.data, []byte("Define "+httpPort+" 1\n")...)
			return r, err
		}
		site := numbered(12)
		r, _ := n.driver.render(site)
		if err := os.WriteFile(n.driver.siteFile(12)+asideSuffix, r.data, 0o600); err != nil {
			t.Fatal(err)
		}
		checked := n.driver.anyAside([]*request{{id: 12, want: &r}})
		if !checked {
			t.Error("it is not known any more")
		}
	})
	t.Run("a start with nothing to do changes nothing", func(t *testing.T) {
		n.again()
		n.boot()
		n.unchanged("boot", n.boot)
	})
}

// splitLogs makes the test binary what Apache writes its log stream to.
const splitLogs = "split-logs"

// TestMain runs the test binary as the process that a test kills, or that
// Apache starts.
func TestMain(m *testing.M) {
	if os.Getenv("APACHE_TEST_ROOT") != "" {
		os.Exit(child())
	}
	if len(os.Args) == 3 && os.Args[1] == splitLogs {
		signal.Ignore(syscall.SIGTERM)
		if err := sitelog.Run(context.Background(), os.Stdin, config.Layout{Root: os.Args[2]}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// signaller reloads the Apache of another process.
type signaller struct{ *testenv.ApacheServer }

func (signaller) Reload(context.Context, string) error {
	data, err := os.ReadFile(filepath.Join(os.Getenv("APACHE_TEST_ROOT"), "run", "apache", "apache2.pid"))
	if err != nil {
		return err
	}
	return exec.Command("/bin/kill", "-USR1", strings.TrimSpace(string(data))).Run()
}

func child() int {
	port, _ := strconv.Atoi(os.Getenv("APACHE_TEST_PORT"))
	h := host.New(config.Layout{Root: os.Getenv("APACHE_TEST_ROOT")}, &signaller{})
	tlsPort, _ := strconv.Atoi(os.Getenv("APACHE_TEST_TLS_PORT"))
	d := New(h, Config{Bind: "127.0.0.1", HTTPPort: port, HTTPSPort: tlsPort})
	var err error
	if os.Getenv("APACHE_TEST_ACT") == "remove" {
		err = d.Remove(context.Background(), numbered(1))
	} else {
		err = d.Ensure(context.Background(), numbered(1))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// TestKilledBeforeAnyStep kills the driver before each of its steps, between
// rename and reload among them; one more pass must bring what is wanted.
func TestKilledBeforeAnyStep(t *testing.T) {
	n := startNode(t)
	other, site := n.site(2), n.site(1)
	n.ensure(other)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := func(act string, step int) bool {
		cmd := exec.CommandContext(t.Context(), exe)
		cmd.Env = append(os.Environ(), "APACHE_TEST_ROOT="+n.layout.Root, "APACHE_TEST_PORT="+strconv.Itoa(n.cfg.HTTPPort), "APACHE_TEST_TLS_PORT="+strconv.Itoa(n.cfg.HTTPSPort), "APACHE_TEST_ACT="+act, "CANCALE_KILL_AT="+strconv.Itoa(step))
		out, err := cmd.CombinedOutput()
		if err != nil && !strings.Contains(err.Error(), "killed") {
			t.Fatalf("%s, step %d: %v\n%s", act, step, err, out)
		}
		return err != nil
	}
	cases := []struct {
		act          string
		before, want func()
		status       int
	}{
		{"ensure", func() { n.remove(site) }, func() { n.ensure(site) }, 200},
		{"remove", func() { n.ensure(site) }, func() { n.remove(site) }, 404},
	}
	for _, c := range cases {
		t.Run(c.act, func(t *testing.T) {
			for step := 1; ; step++ {
				n.again()
				c.before()
				killed := run(c.act, step)
				n.again()
				n.boot() // sweeps, as the agent's start does
				c.want()
				n.expect(string(site.Host), "/", c.status, "")
				n.expect(string(other.Host), "/", 200, "site 2")
				n.unchanged(c.act, c.want)
				if left, _ := filepath.Glob(filepath.Join(n.layout.Root, "*", "*", host.TempPrefix+"*")); len(left) != 0 {
					t.Errorf("step %d: left %v", step, left)
				}
				if !killed {
					if step < 4 {
						t.Errorf("only %d steps", step)
					}
					return
				}
			}
		})
	}
}

func TestLogs(t *testing.T) {
	n := startNode(t)
	a, b := n.site(1, "a.example", "alias.example"), n.site(2, "b.example")
	n.write(a, "asleep.php", "<?php")
	n.write(a, ".htaccess", "ErrorDocument 404 /none\nRewriteEngine On\nRewriteRule ^gone$ \"/none\x1eE b.example forged\"\n")
	n.ensure(a)
	n.ensure(b)
	expect := func(id uint64, file string, lines ...string) {
		t.Helper()
		path := filepath.Join(n.layout.SiteLogs(id), file)
		if id == 0 {
			path = n.layout.In("log", "server", file)
		}
		var got string
		for range 500 { // the splitter is another process
			data, _ := os.ReadFile(path)
			got = string(data)
			all := true
			for _, line := range lines {
				all = all && strings.Contains(got, line)
			}
			if all {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		for _, line := range lines {
			if !strings.Contains(got, line) {
				t.Errorf("%s: no %q in:\n%s", path, line, got)
			}
		}
		for _, secret := range []string{string(a.HomeToken), string(a.SocketToken), n.layout.Homes(), n.layout.Sockets(), probePath, "\nE b.example"} {
			if strings.Contains(got, secret) {
				t.Errorf("%s holds %q:\n%s", path, secret, got)
			}
		}
	}
	n.get("a.example", "/index.html?first", "Referer", "http://from.example/\"x", "User-Agent", "Test\\browser")
	n.get("alias.example", "/second")
	n.get("a.example", "/asleep.php")
	n.get("a.example", "/gone")
	n.get("b.example", "/"+strings.Repeat("x", 4000))
	n.get("nobody.example", "/third")
	expect(1, "access.log", `"GET /index.html?first HTTP/1.1" 200 `, `"http://from.example/\"x" "Test\\browser"`, `"GET /second HTTP/1.1" 404 `)
	expect(1, "error.log", "/run/fpm/fpm.sock")
	if data, _ := os.ReadFile(filepath.Join(n.layout.SiteLogs(2), "error.log")); bytes.Contains(data, []byte("forged")) {
		t.Errorf("a site wrote into another's log:\n%s", data)
	}
	expect(2, "access.log", `xxx HTTP/1.1" `)
	expect(0, "access.log", `"GET /third HTTP/1.1" 404 `)
	expect(0, "error.log", "resuming normal operations")

	t.Run("the log goes on after reloads", func(t *testing.T) {
		for i := range 3 {
			a.Aliases = []hosting.Hostname{hosting.Hostname(fmt.Sprintf("again%d.example", i))}
			n.ensure(a)
			n.get("a.example", fmt.Sprintf("/after%d", i))
			expect(1, "access.log", fmt.Sprintf("/after%d", i))
		}
	})
	t.Run("a removed site leaves no log", func(t *testing.T) {
		n.remove(a)
		if _, err := os.Stat(n.layout.SiteLogs(1)); err == nil {
			t.Error("its logs are still there")
		}
		n.get("a.example", "/gone")
		expect(0, "access.log", "/gone")
	})
}

func TestApacheDoesNotRun(t *testing.T) {
	n := newNode(t)
	n.boot()
	site := n.site(1)
	err := n.driver.Ensure(t.Context(), site)
	if err == nil || hosting.KindOf(err) != hosting.Unavailable {
		t.Errorf("%v", err)
	}
	n.apache.Start(t, n.driver.Program(), n.driver.Arguments(), Environment())
	n.ensure(site)
	n.expect(string(site.Host), "/", 200, "site 1")
}

// TestEveryNewConnectionGetsTheNewVersion: what was confirmed once stays so,
// even while the machine is busy and old processes still end their requests.
func TestEveryNewConnectionGetsTheNewVersion(t *testing.T) {
	n := startNode(t)
	site := n.site(1)
	n.ensure(site)
	big := strings.Repeat("x", 64<<20)
	n.write(site, "big.bin", big)
	// Slow readers keep old processes alive.
	for range 3 {
		conn, err := net.Dial("tcp", n.driver.probeAddress())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET /big.bin HTTP/1.1\r\nHost: %s\r\n\r\n", site.Host)
		if _, err := io.ReadFull(conn, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 { // busy processors
		busy := exec.CommandContext(t.Context(), "/bin/sh", "-c", "while :; do :; done")
		if err := busy.Start(); err != nil {
			t.Fatal(err)
		}
		defer busy.Wait()         //nolint:errcheck // it is killed
		defer busy.Process.Kill() //nolint:errcheck // it may have ended
	}
	for round := range 5 {
		site.Host = hosting.Hostname(fmt.Sprintf("round%d.example", round))
		start := time.Now()
		n.ensure(site)
		t.Logf("round %d: %v", round, time.Since(start))
		want, err := render(n.layout, site)
		if err != nil {
			t.Fatal(err)
		}
		wrong := 0
		for range 200 {
			if err := n.driver.probe(t.Context(), site.Host, want.hash); err != nil {
				wrong++
			}
		}
		if wrong > 0 {
			t.Errorf("round %d: %d of 200 wrong", round, wrong)
		}
	}
}
