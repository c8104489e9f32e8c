package phpfpm

import (
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cancale/internal/config"
	"cancale/internal/driver/unixacct"
	"cancale/internal/host"
	"cancale/internal/hosting"
	"cancale/internal/supervise"
	"cancale/internal/testenv/fcgi"
)

const uid = config.FirstSiteUID + 11

func newSite() hosting.Site {
	return hosting.Site{
		ID: 11, Host: "www.example.org", DocumentRoot: "www", PHP: "8.2", UID: uid,
		HomeToken: "00112233445566778899aabbccddeeff", SocketToken: "ffeeddccbbaa99887766554433221100",
	}
}

var update = flag.Bool("update", false, "write the golden files anew")

// web is where Apache answers.
var web = netip.MustParseAddr("127.0.0.1")

func TestRenderIsAsInTheGoldenFiles(t *testing.T) {
	c, err := render(config.Layout{Root: config.Mount}, web, newSite())
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string][]byte{"pool.conf": c.pool, "php.ini": c.ini, "sandbox.json": c.spec} {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestValuesAreCheckedAgain(t *testing.T) {
	for name, change := range map[string]func(*hosting.Site){
		"root":             func(s *hosting.Site) { s.UID = 0 },
		"Apache":           func(s *hosting.Site) { s.UID = config.ApacheUID },
		"a path as token":  func(s *hosting.Site) { s.HomeToken = "../../etc" },
		"no socket token":  func(s *hosting.Site) { s.SocketToken = "" },
		"a second setting": func(s *hosting.Site) { s.Host = "a.example\nphp_admin_value[open_basedir] = /" },
		"a quote":          func(s *hosting.Site) { s.Host = `a".example` },
		"no host":          func(s *hosting.Site) { s.Host = "" },
		"not canonical":    func(s *hosting.Site) { s.Host = "WWW.example.org" },
		"no PHP":           func(s *hosting.Site) { s.PHP = "" },
		"a time zone":      func(s *hosting.Site) { s.Behaviour.PHP.TimeZone = "UTC\"\nauto_prepend_file = /etc/passwd" },
		"much memory":      func(s *hosting.Site) { s.Behaviour.PHP.MemoryMB = 100_000 },
		"negative time":    func(s *hosting.Site) { s.Behaviour.PHP.Seconds = -1 },
		"unreadable":       func(s *hosting.Site) { s.Behaviour.Unreadable = true },
		"a path as PHP":    func(s *hosting.Site) { s.PHP = "../../../bin/sh" },
		"no identifier":    func(s *hosting.Site) { s.ID = 0 },
	} {
		site := newSite()
		change(&site)
		if _, err := render(config.Layout{Root: "/x"}, web, site); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Whatever the database holds: either it is refused, or no line comes into a
// file that is not in the golden one.
func FuzzRender(f *testing.F) {
	f.Add("www.example.org", "8.2", "00112233445566778899aabbccddeeff")
	f.Add("a.example\n[x]", "8.2", "..")
	want, err := render(config.Layout{Root: "/x"}, web, newSite())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name, php, token string) {
		site := newSite()
		site.Host, site.PHP, site.HomeToken = hosting.Hostname(name), hosting.PHPVersion(php), hosting.Token(token)
		got, err := render(config.Layout{Root: "/x"}, web, site)
		if err != nil {
			return
		}
		replaced := strings.ReplaceAll(string(got.pool), "@"+name+"\n", "@www.example.org\n")
		if diff := cmp.Diff(string(want.pool), replaced); diff != "" {
			t.Errorf("%q: %s", name, diff)
		}
		if !json.Valid(got.spec) {
			t.Errorf("%q: %s", name, got.spec)
		}
	})
}

// bench is an installation with a supervisor and the home of one site.
type bench struct {
	*Driver
	t      testing.TB
	layout config.Layout
	homes  *unixacct.Driver
	site   hosting.Site
}

func newBench(t testing.TB) *bench {
	t.Helper()
	root, err := os.MkdirTemp("", "cancale-phpfpm-") //nolint:usetesting // t.TempDir is closed to other uids
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	l := config.Layout{Root: root}
	for dir, mode := range map[string]fs.FileMode{
		root: 0o711, l.Homes(): 0o711, l.Sockets(): 0o711, l.Sandbox(): 0o700, l.PHP(): 0o700, l.In("run"): 0o711, l.In("run", "mysqld"): 0o755,
	} {
		if err := errors.Join(os.MkdirAll(dir, mode), os.Chmod(dir, mode)); err != nil {
			t.Fatal(err)
		}
	}
	sup, err := supervise.New(supervise.Config{
		Layout: l, Instance: "test-" + strconv.Itoa(os.Getpid()), Idle: time.Minute, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sup.Stop() })
	h := host.New(l, supervise.Client{Socket: l.SupervisorSocket()})
	b := &bench{Driver: New(h, web), t: t, layout: l, homes: unixacct.New(h, ""), site: newSite()}
	if err := b.homes.Ensure(t.Context(), b.site); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) ensure(site hosting.Site) {
	b.t.Helper()
	if err := b.Ensure(b.t.Context(), site); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) unchanged(site hosting.Site) {
	b.t.Helper()
	before := b.host.Changes()
	b.ensure(site)
	if n := b.host.Changes() - before; n != 0 {
		b.t.Errorf("%d changes where nothing differs", n)
	}
	if differing, err := Look(b.host, b.layout, b.web, site); err != nil || differing.How != "" {
		b.t.Errorf("%+v, %v where nothing differs", differing, err)
	}
}

// script puts a file into the site's folder.
func (b *bench) script(name, text string) {
	b.t.Helper()
	path := filepath.Join(b.layout.Home(string(b.site.HomeToken)), "www", name)
	if err := errors.Join(os.WriteFile(path, []byte(text), 0o644), os.Chown(path, uid, uid)); err != nil {
		b.t.Fatal(err)
	}
}

// php runs a script and gives what it printed.
func (b *bench) php(name string) (string, error) {
	b.t.Helper()
	return fcgi.Get(b.t.Context(), b.layout.PHPSocket(string(b.site.SocketToken)), "/srv/site/www/"+name, nil)
}

func TestPHPRunsWithItsSettings(t *testing.T) {
	b := newBench(t)
	b.ensure(b.site)
	b.unchanged(b.site)
	b.script("settings.php", `<?php
$keys = ['memory_limit', 'session.save_path', 'upload_tmp_dir', 'error_log', 'log_errors', 'display_errors', 'ffi.enable', 'enable_dl',
	'mysqli.allow_local_infile', 'mysqli.default_socket', 'pdo_mysql.default_socket', 'date.timezone', 'upload_max_filesize', 'post_max_size',
	'opcache.memory_consumption', 'opcache.validate_permission', 'opcache.validate_root', 'opcache.restrict_api', 'opcache.revalidate_freq',
	'mail.force_extra_parameters', 'session.gc_probability'];
foreach ($keys as $k) echo "$k=", ini_get($k), "\n";
ini_set('memory_limit', '1G'); echo "memory_limit=", ini_get('memory_limit'), "\n";
echo "uid=", posix_getuid(), " gid=", posix_getgid(), " groups=", implode(',', posix_getgroups()), "\n";
echo "opcache=", opcache_get_status(false)['opcache_enabled'] ? 'on' : 'off', " ", opcache_get_status(false)['memory_usage']['free_memory'] > 32 << 20 ? 'roomy' : 'small', "\n";
echo "env=", getenv('HOME'), " ", getenv('TMPDIR'), " ", getenv('CANCALE_INSTANCE') === false ? 'clean' : 'leaks', "\n";
foreach (['mysqli', 'gd', 'intl', 'mbstring', 'xml', 'curl', 'zip'] as $e) if (!extension_loaded($e)) echo "missing $e\n";
session_start(); $_SESSION['a'] = 1; session_write_close(); echo "sessions=", count(glob('/srv/site/sessions/sess_*')), "\n";
error_log('a line'); echo "log=", trim(substr(file_get_contents('/srv/site/tmp/php_errors.log'), -7)), "\n";
`)
	want := strings.ReplaceAll(`memory_limit=128M
session.save_path=/srv/site/sessions
upload_tmp_dir=/srv/site/tmp
error_log=/srv/site/tmp/php_errors.log
log_errors=1
display_errors=
ffi.enable=0
enable_dl=0
mysqli.allow_local_infile=0
mysqli.default_socket=/run/mysqld/mysqld.sock
pdo_mysql.default_socket=/run/mysqld/mysqld.sock
date.timezone=Europe/Paris
upload_max_filesize=64M
post_max_size=72M
opcache.memory_consumption=64
opcache.validate_permission=1
opcache.validate_root=1
opcache.restrict_api=/srv/site
opcache.revalidate_freq=0
mail.force_extra_parameters=-fweb@www.example.org
session.gc_probability=1
memory_limit=128M
uid=UID gid=UID groups=
opcache=on roomy
env=/srv/site /srv/site/tmp clean
sessions=1
log=a line
`, "UID", strconv.Itoa(uid))
	got, err := b.php("settings.php")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSettingsOfASite(t *testing.T) {
	b := newBench(t)
	b.site.Behaviour.PHP = hosting.PHPSettings{MemoryMB: 192, UploadMB: 100, Seconds: 90, ShowErrors: true, TimeZone: "Indian/Reunion"}
	b.ensure(b.site)
	b.unchanged(b.site)
	b.script(".user.ini", "memory_limit = 2G\nupload_max_filesize = 2G\npost_max_size = 2G\nmax_execution_time = 0\ndate.timezone = UTC\n")
	b.script("settings.php", `<?php
ini_set('memory_limit', '-1'); ini_set('max_execution_time', '0'); set_time_limit(0);
foreach (['memory_limit', 'upload_max_filesize', 'post_max_size', 'max_execution_time', 'display_errors', 'date.timezone'] as $k) echo "$k=", ini_get($k), "\n";
echo $undefined;
`)
	// .user.ini is looked for from the document root on.
	got, err := fcgi.Get(t.Context(), b.layout.PHPSocket(string(b.site.SocketToken)), "/srv/site/www/settings.php", map[string]string{"DOCUMENT_ROOT": "/srv/site/www"})
	if err != nil {
		t.Fatal(err)
	}
	want := "memory_limit=192M\nupload_max_filesize=100M\npost_max_size=108M\nmax_execution_time=90\ndisplay_errors=1\ndate.timezone=UTC\n"
	if !strings.HasPrefix(got, want) || !strings.Contains(got, "Undefined variable $undefined") {
		t.Errorf("limits are the site's, the rest its scripts' own: %s", got)
	}
	t.Run("a version that the machine does not have", func(t *testing.T) {
		other := b.site
		other.PHP = "5.6"
		err := b.Ensure(t.Context(), other)
		if e, ok := errors.AsType[*hosting.Error](err); !ok || e.Message.Key != "site.failed_php" {
			t.Error(err)
		}
		if versions, err := Installed(); err != nil || !slices.Contains(versions, hosting.DefaultPHPVersion) || slices.Contains(versions, "5.6") {
			t.Errorf("%v %v", versions, err)
		}
	})
}

func TestOnlyPHPFilesRun(t *testing.T) {
	b := newBench(t)
	b.ensure(b.site)
	for _, name := range []string{"evil.jpg", "evil.php.jpg", "evil.phar", "evil.pht"} {
		b.script(name, `<?php echo "ran";`)
		if out, _ := b.php(name); strings.Contains(out, "ran") {
			t.Errorf("%s ran", name)
		}
	}
}

func TestChangeReplacesARunningMaster(t *testing.T) {
	b := newBench(t)
	b.ensure(b.site)
	b.script("mail.php", `<?php echo ini_get('mail.force_extra_parameters');`)
	if got, err := b.php("mail.php"); err != nil || got != "-fweb@www.example.org" {
		t.Fatalf("%q, %v", got, err)
	}
	b.site.Host = "new.example.org"
	b.ensure(b.site)
	b.unchanged(b.site)
	if got, err := b.php("mail.php"); err != nil || got != "-fweb@new.example.org" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestSuspendedSiteHasNoPHP(t *testing.T) {
	b := newBench(t)
	b.ensure(b.site)
	b.script("a.php", `<?php echo "here";`)
	if got, err := b.php("a.php"); err != nil || got != "here" {
		t.Fatalf("%q, %v", got, err)
	}
	off := b.site
	off.AccountSuspended = true
	b.ensure(off)
	b.unchanged(off)
	if got, err := b.php("a.php"); err == nil {
		t.Errorf("a suspended site's PHP answers %q", got)
	}
	b.ensure(b.site)
	if got, err := b.php("a.php"); err != nil || got != "here" {
		t.Errorf("after it was resumed: %q, %v", got, err)
	}
}

func TestDriftIsRepaired(t *testing.T) {
	b := newBench(t)
	b.ensure(b.site)
	b.script("a.php", `<?php echo "here";`)
	for name, breaks := range map[string]func() error{
		"pool changed": func() error {
			return os.WriteFile(filepath.Join(directory(b.layout, 11), "pool.conf"), []byte("nonsense"), 0o640)
		},
		"settings lost": func() error { return os.RemoveAll(directory(b.layout, 11)) },
		"spec lost":     func() error { return os.Remove(specPath(b.layout, 11)) },
		"spec open":     func() error { return os.Chmod(specPath(b.layout, 11), 0o666) },
		"a leftover": func() error {
			return errors.Join(os.Remove(filepath.Join(directory(b.layout, 11), "php.ini")), os.WriteFile(filepath.Join(directory(b.layout, 11), ".tmp-php.ini-1"), nil, 0o600))
		},
		"settings closed": func() error { return os.Chown(directory(b.layout, 11), 0, 0) },
	} {
		if err := breaks(); err != nil {
			t.Fatal(err)
		}
		b.ensure(b.site)
		b.unchanged(b.site)
		if entries, err := os.ReadDir(directory(b.layout, 11)); err != nil || len(entries) != 2 {
			t.Errorf("%s: %v, %v", name, entries, err)
		}
	}
	// The socket's file is not ours to see, but asking again makes it again.
	if err := os.Remove(b.layout.PHPSocket(string(b.site.SocketToken))); err != nil {
		t.Fatal(err)
	}
	b.ensure(b.site)
	if got, err := b.php("a.php"); err != nil || got != "here" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestRemove(t *testing.T) {
	b := newBench(t)
	b.ensure(b.site)
	if err := b.Remove(t.Context(), b.site); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{directory(b.layout, 11), specPath(b.layout, 11), b.layout.PHPSocket(string(b.site.SocketToken))} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", path, err)
		}
	}
	before := b.host.Changes()
	if err := b.Remove(t.Context(), b.site); err != nil || b.host.Changes() != before {
		t.Errorf("removing it again changed %d things, %v", b.host.Changes()-before, err)
	}
}

func BenchmarkUnchanged(b *testing.B) {
	bb := newBench(b)
	bb.ensure(bb.site)
	for b.Loop() {
		bb.ensure(bb.site)
	}
}
