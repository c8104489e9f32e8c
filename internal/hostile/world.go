package hostile

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jlaffaye/ftp"

	"cancale/internal/config"
)

// tester is who is told what an attack found: a test, or a run on an
// installation at work.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Cleanup(func())
	Context() context.Context
}

// row is one line of the table of attacks.
type row struct {
	id        string
	technique string
	attack    func(tester, *world)
}

// world is one installation with two sites.
type world struct {
	layout config.Layout // as the rest of the machine sees it
	inside config.Layout // as the daemons see it
	status config.Status
	local  string // the address at which the installation listens
	client *http.Client
	// The two members.
	attacker, victim *member
}

// member is one association and what it has.
type member struct {
	w                *world
	account          string
	host             string
	home, socket     string // as the daemons see them: secret
	outside          string // the home as the rest of the machine sees it
	uid              int
	login, password  string // FTP
	database, dbPass string // the database's user has its name
}

// newClient asks Apache as visitors do, each time anew.
func newClient() *http.Client {
	return &http.Client{
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{DisableKeepAlives: true},
	}
}

// secret is in each of the victim's files; nothing that the attacker is
// answered may hold it.
const secret = "the-secret-of-the-victim"

// answer is what a visitor is told.
type answer struct {
	status int
	body   string
	header http.Header
}

// ask sends a request to the member's site.
func (m *member) ask(method, path, body string, header ...string) (answer, error) {
	return m.request(context.Background(), method, path, body, header...)
}

func (m *member) request(ctx context.Context, method, path, body string, header ...string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+net.JoinHostPort(m.w.local, strconv.Itoa(m.w.status.HTTPPort))+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Host = m.host
	for i := 0; i+1 < len(header); i += 2 {
		req.Header[header[i]] = []string{header[i+1]}
	}
	got, err := m.w.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(io.LimitReader(got.Body, 4<<20))
	return answer{got.StatusCode, string(text), got.Header}, err
}

func (m *member) get(tb tester, path string, header ...string) answer {
	tb.Helper()
	a, err := m.ask(http.MethodGet, path, "", header...)
	if err != nil {
		tb.Errorf("%s%s: %v", m.host, path, err)
	}
	return a
}

// php runs code on the member's site and gives what it prints.
func (m *member) php(tb tester, code string) string {
	tb.Helper()
	a, err := m.ask(http.MethodPost, "/run.php", code)
	if err != nil {
		tb.Errorf("%s: %v\n%s", m.host, err, code)
	}
	return a.body
}

// sh runs a line of shell on the member's site, in its home.
func (m *member) sh(tb tester, line string) string {
	tb.Helper()
	return m.php(tb, "chdir('/srv/site'); echo shell_exec("+quote("("+line+") 2>&1")+");")
}

// put writes a file of the member's, below its home.
func (m *member) put(tb tester, path, text string) {
	tb.Helper()
	path = config.SiteHome + "/" + path
	if out := m.php(tb, "@mkdir(dirname("+quote(path)+"), 0755, true); echo file_put_contents("+quote(path)+", "+quote(text)+");"); out != strconv.Itoa(len(text)) {
		tb.Errorf("%s: %s: %s", m.host, path, short(out))
	}
}

// ftp signs in.
func (m *member) ftp(tb tester) *ftp.ServerConn {
	tb.Helper()
	address, patient := net.JoinHostPort(m.w.local, strconv.Itoa(m.w.status.FTPPort)), ftp.DialWithTimeout(10*time.Second)
	// TLS may be required, and it may not be offered.
	secured := ftp.DialWithExplicitTLS(&tls.Config{InsecureSkipVerify: true}) //nolint:gosec // our own service on this machine
	c, err := ftp.Dial(address, patient, secured)
	if err != nil {
		c, err = ftp.Dial(address, patient)
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Quit() })
	if err := c.Login(m.login, m.password); err != nil {
		tb.Fatal(err)
	}
	return c
}

// quote writes a string of PHP.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// list writes an array of strings of PHP.
func list(all ...string) string {
	quoted := make([]string, len(all))
	for i, s := range all {
		quoted[i] = quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func short(s string) string {
	s = strings.TrimSpace(s)
	return s[:min(len(s), 400)]
}

// blunt begins what is said when an attack could not be made.
const blunt = "the means do not work"

// works is a positive control: the means of the attack, on the attacker's own.
func works(t tester, what, got, want string) {
	t.Helper()
	if !strings.Contains(got, want) {
		t.Errorf(blunt+": %s: %q, want %q", what, short(got), want)
	}
}

// stopped fails when an attack told any of what it should not.
func stopped(t tester, what, got string, told ...string) {
	t.Helper()
	for _, text := range append(told, secret) {
		if strings.Contains(got, text) {
			t.Errorf("%s succeeded (%q): %s", what, text, short(got))
		}
	}
}

// is compares.
func is(t tester, what, got, want string) {
	t.Helper()
	if strings.TrimSpace(got) != want {
		t.Errorf("%s: %q, want %q", what, short(got), want)
	}
}

// paths are where the victim's home could be: guessed, and told.
func (w *world) paths(below string) []string {
	var all []string
	for _, home := range []string{w.victim.home, w.victim.outside, "/srv/victim", "/srv/victim.example", "/home/victim", "/var/www", "/srv/site/../" + filepath.Base(w.victim.home), "/proc/1/root" + w.victim.home} {
		all = append(all, home+"/"+below)
	}
	return all
}

// prepare gives the victim what is attacked.
func (w *world) prepare(t tester) {
	t.Helper()
	for path, text := range map[string]string{ //nolint:gosec // The password is nobody's: it is what must not be read.
		"www/secret.txt": secret, "www/wp-config.php": "<?php $s = '" + secret + "'; echo 'victim ran as ', getmyuid(), ' ', ini_get('memory_limit'), ini_get('auto_prepend_file');",
		"private/secret.txt": secret, "www/.htpasswd": "boss:{SHA}fEqNCco3Yq9h5ZUglD3CZJT4lBs=\n",
	} {
		w.victim.put(t, path, text)
	}
	// What people do to make something work.
	w.victim.php(t, `chmod('/srv/site/private', 0755); foreach (glob('/srv/site/{www,private}/*', GLOB_BRACE) as $f) chmod($f, 0644);`)
}

// alive fails when the victim's site does not answer as ever.
func (w *world) alive(t tester) {
	t.Helper()
	began := time.Now()
	if a := w.victim.get(t, "/wp-config.php"); a.status != 200 || a.body != fmt.Sprintf("victim ran as %d 128M", w.victim.uid) {
		t.Errorf("the victim's site: %d %s", a.status, short(a.body))
	}
	if d := time.Since(began); d > 2*time.Second {
		t.Errorf("the victim's site took %v", d)
	}
}
