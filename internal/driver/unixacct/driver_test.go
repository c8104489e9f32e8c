package unixacct

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cancale/internal/config"
	"cancale/internal/host"
	"cancale/internal/hosting"
)

const uid = config.FirstSiteUID + 7

func newSite() hosting.Site {
	return hosting.Site{
		ID: 7, Host: "xn--t-9fab.example.org", DocumentRoot: "www", PHP: "8.2", UID: uid,
		HomeToken: "00112233445566778899aabbccddeeff", SocketToken: "ffeeddccbbaa99887766554433221100",
	}
}

// newDriver makes an installation that every uid can reach, as the real one.
func newDriver(t testing.TB) (*Driver, config.Layout) {
	t.Helper()
	root, err := os.MkdirTemp("", "cancale-unixacct-") //nolint:usetesting // t.TempDir is closed to other uids
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	l := config.Layout{Root: root}
	for dir, mode := range map[string]fs.FileMode{root: 0o711, l.Homes(): 0o711, l.Bins(): 0o711, l.Trash(): 0o700, l.Sockets(): 0o711, l.Sandbox(): 0o700} {
		if err := errors.Join(os.MkdirAll(dir, mode), os.Chmod(dir, mode)); err != nil {
			t.Fatal(err)
		}
	}
	return New(host.New(l, nil), "https://panel.example"), l
}

func ensure(t testing.TB, d *Driver, site hosting.Site) {
	t.Helper()
	if err := d.Ensure(t.Context(), site); err != nil {
		t.Fatal(err)
	}
}

// unchanged fails when Ensure has anything left to do.
func unchanged(t *testing.T, d *Driver, site hosting.Site) {
	t.Helper()
	before := d.host.Changes()
	ensure(t, d, site)
	if n := d.host.Changes() - before; n != 0 {
		t.Errorf("%d changes where nothing differs", n)
	}
	if differing, err := d.Look(site); err != nil || differing.How != "" {
		t.Errorf("%+v, %v where nothing differs", differing, err)
	}
}

// tree lists what is below dir: mode, owner and size of files.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		rel, _ := filepath.Rel(dir, path)
		list = append(list, fmt.Sprintf("%s %s %d:%d", rel, info.Mode(), st.Uid, st.Gid))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// as runs a program under another uid: what a member, or Apache, can do.
func as(t *testing.T, uid uint32, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestEnsureMakesTheLayout(t *testing.T) {
	d, l := newDriver(t)
	site := newSite()
	ensure(t, d, site)
	want := []string{
		". drwxr-x--- 0:0", // the group's bits are the mask of the list
		"private drwxr-x--- 30007:30007",
		"sessions drwx------ 30007:30007",
		"tmp drwx------ 30007:30007",
		"www drwxr-xr-x 30007:30007",
		"www/index.html -rw-r--r-- 30007:30007",
	}
	if diff := cmp.Diff(want, tree(t, l.Home(string(site.HomeToken)))); diff != "" {
		t.Error(diff)
	}
	page, err := os.ReadFile(filepath.Join(l.Home(string(site.HomeToken)), "www/index.html"))
	if err != nil || !bytes.Contains(page, []byte("été.example.org")) || !bytes.Contains(page, []byte("https://panel.example")) {
		t.Errorf("the first page does not say whose it is: %v", err)
	}
	for path, want := range map[string]string{
		l.Home(string(site.HomeToken)):        "user::rwx user:33:--x user:30007:r-x group::--- mask::r-x other::---",
		l.SocketDir(string(site.SocketToken)): "user::rwx user:33:--x group::--- mask::--x other::---",
	} {
		out, err := exec.CommandContext(t.Context(), "/usr/bin/getfacl", "--omit-header", "--numeric", "--absolute-names", path).Output()
		if got := strings.Join(strings.Fields(string(out)), " "); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", path, got, err, want)
		}
	}
	unchanged(t, d, site)
}

func TestWhoReachesWhat(t *testing.T) {
	d, l := newDriver(t)
	site := newSite()
	ensure(t, d, site)
	home := l.Home(string(site.HomeToken))
	const other = uid + 1
	for _, c := range []struct {
		uid  uint32
		args []string
		may  bool
	}{
		{uid, []string{"/bin/ls", home}, true},
		{uid, []string{"/usr/bin/touch", home + "/www/new.php"}, true},
		{uid, []string{"/usr/bin/touch", home + "/new"}, false},
		{uid, []string{"/bin/mv", home + "/www", home + "/www2"}, false},
		{uid, []string{"/bin/chmod", "777", home}, false},
		{uid, []string{"/bin/ls", l.Homes()}, false},
		{uid, []string{"/bin/ls", l.SocketDir(string(site.SocketToken))}, false},
		{config.ApacheUID, []string{"/bin/cat", home + "/www/index.html"}, true},
		{config.ApacheUID, []string{"/bin/ls", home}, false},
		{config.ApacheUID, []string{"/bin/ls", home + "/private"}, false},
		{config.ApacheUID, []string{"/bin/ls", home + "/sessions"}, false},
		{config.ApacheUID, []string{"/bin/ls", l.Homes()}, false},
		{other, []string{"/bin/cat", home + "/www/index.html"}, false},
		{other, []string{"/bin/ls", home}, false},
	} {
		if out, err := as(t, c.uid, c.args[0], c.args[1:]...); (err == nil) != c.may {
			t.Errorf("uid %d, %v: %v %s", c.uid, c.args, err, out)
		}
	}
	// However he opens up all that is his, others do not get in.
	if out, err := as(t, uid, "/bin/chmod", "-R", "777", home+"/www", home+"/private", home+"/sessions", home+"/tmp"); err != nil {
		t.Fatal(out)
	}
	if _, err := as(t, other, "/bin/cat", home+"/www/index.html"); err == nil {
		t.Error("another site reads an open folder")
	}
	unchanged(t, d, site) // and it stays his to open
}

func TestDocumentRoots(t *testing.T) {
	for _, c := range []struct {
		root hosting.DocumentRoot
		want []string // of the whole home, folders and the first page
	}{
		{"www", []string{"private", "sessions", "tmp", "www", "www/index.html"}},
		{"www/site/public", []string{"private", "sessions", "tmp", "www", "www/site", "www/site/public", "www/site/public/index.html"}},
		{"blog", []string{"blog", "blog/index.html", "private", "sessions", "tmp", "www"}},
		{"blog/public", []string{"blog", "blog/public", "blog/public/index.html", "private", "sessions", "tmp", "www"}},
	} {
		t.Run(string(c.root), func(t *testing.T) {
			d, l := newDriver(t)
			site := newSite()
			site.DocumentRoot = c.root
			ensure(t, d, site)
			var got []string
			for _, line := range tree(t, l.Home(string(site.HomeToken)))[1:] {
				f := strings.Fields(line)
				got = append(got, f[0])
				if f[2] != "30007:30007" {
					t.Errorf("%s is not the site's", line)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			unchanged(t, d, site)
		})
	}
}

func TestDocumentRootIsChangedLater(t *testing.T) {
	d, l := newDriver(t)
	site := newSite()
	ensure(t, d, site)
	home := l.Home(string(site.HomeToken))
	site.DocumentRoot = "www/a/b"
	ensure(t, d, site)
	unchanged(t, d, site)
	info, err := os.Stat(home + "/www/a/b")
	if err != nil || info.Sys().(*syscall.Stat_t).Uid != uid {
		t.Errorf("%v, %v", info, err)
	}
	if entries, err := os.ReadDir(home + "/www/a/b"); err != nil || len(entries) != 0 {
		t.Errorf("a folder of the member got something: %v, %v", entries, err)
	}
}

func TestFirstPageComesOnce(t *testing.T) {
	d, l := newDriver(t)
	site := newSite()
	ensure(t, d, site)
	page := filepath.Join(l.Home(string(site.HomeToken)), "www/index.html")
	if err := os.Remove(page); err != nil {
		t.Fatal(err)
	}
	unchanged(t, d, site)
	if _, err := os.Lstat(page); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the page came back")
	}
}

func TestDriftIsRepaired(t *testing.T) {
	site := newSite()
	for name, breaks := range map[string]func(home string, l config.Layout) error{
		"home open":       func(home string, _ config.Layout) error { return os.Chmod(home, 0o777) },
		"home given away": func(home string, _ config.Layout) error { return os.Chown(home, uid, uid) },
		"list lost":       func(home string, _ config.Layout) error { return syscall.Removexattr(home, "system.posix_acl_access") },
		"mode 0":          func(home string, _ config.Layout) error { return os.Chmod(home, 0) },
		"folder of root":  func(home string, _ config.Layout) error { return os.Chown(home+"/www", 0, 0) },
		"folder lost":     func(home string, _ config.Layout) error { return os.RemoveAll(home + "/tmp") },
		"www lost":        func(home string, _ config.Layout) error { return os.RemoveAll(home + "/www") },
		"home lost":       func(home string, _ config.Layout) error { return os.RemoveAll(home) },
		"socket's lost":   func(_ string, l config.Layout) error { return os.RemoveAll(l.SocketDir(string(site.SocketToken))) },
		"socket's open":   func(_ string, l config.Layout) error { return os.Chmod(l.SocketDir(string(site.SocketToken)), 0o777) },
		"record lost":     func(_ string, l config.Layout) error { return os.Remove(l.In("sandbox", "home-7")) },
		"leftover half-way": func(home string, _ config.Layout) error {
			return errors.Join(os.RemoveAll(home+"/www"), os.MkdirAll(home+"/.tmp-www/x", 0o700))
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, l := newDriver(t)
			ensure(t, d, site)
			home := l.Home(string(site.HomeToken))
			want := tree(t, l.Root)
			if err := breaks(home, l); err != nil {
				t.Fatal(err)
			}
			before := d.host.Changes()
			differing, err := d.Look(site)
			if seen := differing.How != ""; err != nil || seen == (name == "record lost") || d.host.Changes() != before {
				t.Errorf("a look finds %+v, %v, and makes %d changes", differing, err, d.host.Changes()-before)
			}
			ensure(t, d, site)
			unchanged(t, d, site)
			if diff := cmp.Diff(want, tree(t, l.Root)); diff != "" {
				t.Error(diff)
			}
			if _, err := as(t, config.ApacheUID, "/bin/cat", home+"/www/index.html"); err != nil {
				t.Error("Apache cannot read the site")
			}
		})
	}
}

func TestWhatAMemberPutsInTheWayIsNotFollowed(t *testing.T) {
	for name, trap := range map[string]func(www, secret string) error{
		"a link for the folder": func(www, secret string) error { return os.Symlink(secret, www+"/a") },
		"a link deeper": func(www, secret string) error {
			return errors.Join(os.Mkdir(www+"/a", 0o777), os.Symlink(secret, www+"/a/b"))
		},
		"a link upwards":             func(www, _ string) error { return os.Symlink("../..", www+"/a") },
		"a file":                     func(www, _ string) error { return os.WriteFile(www+"/a", nil, 0o666) },
		"a folder of somebody else":  func(www, _ string) error { return os.Mkdir(www+"/a", 0o700) },
		"a dangling link to be made": func(www, secret string) error { return os.Symlink(secret+"/new", www+"/a") },
	} {
		t.Run(name, func(t *testing.T) {
			d, l := newDriver(t)
			site := newSite()
			ensure(t, d, site)
			secret := t.TempDir()
			if err := trap(filepath.Join(l.Home(string(site.HomeToken)), "www"), secret); err != nil {
				t.Fatal(err)
			}
			site.DocumentRoot = "www/a/b/c"
			want := "site.root_blocked"
			if strings.Contains(name, "link") {
				want = "site.root_outside"
			}
			if e, ok := errors.AsType[*hosting.Error](d.Ensure(t.Context(), site)); !ok || e.Message.Key != want || !slices.Equal(e.Message.Args, []string{"www/a/b/c"}) {
				t.Errorf("the member is told %v", e)
			}
			if entries, err := os.ReadDir(secret); err != nil || len(entries) > 0 {
				t.Errorf("something was made outside: %v, %v", entries, err)
			}
			info, err := os.Stat(secret)
			if err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
				t.Errorf("something outside was given away: %v", err)
			}
		})
	}
}

func TestALinkWithinTheHomeIsServed(t *testing.T) {
	d, l := newDriver(t)
	site := newSite()
	ensure(t, d, site)
	www := filepath.Join(l.Home(string(site.HomeToken)), "www")
	if err := errors.Join(os.MkdirAll(www+"/releases/2", 0o755), os.Symlink("releases/2", www+"/current")); err != nil {
		t.Fatal(err)
	}
	site.DocumentRoot = "www/current"
	ensure(t, d, site)
	unchanged(t, d, site)
}

func TestNewTokensMoveTheHome(t *testing.T) {
	d, l := newDriver(t)
	site := newSite()
	ensure(t, d, site)
	before := tree(t, l.Home(string(site.HomeToken)))
	old := site
	for range 2 { // the second time from what the first one noted
		site.HomeToken, site.SocketToken = hosting.NewToken(), hosting.NewToken()
		ensure(t, d, site)
		unchanged(t, d, site)
	}
	if diff := cmp.Diff(before, tree(t, l.Home(string(site.HomeToken)))); diff != "" {
		t.Error(diff)
	}
	if exists(l.Home(string(old.HomeToken))) || exists(l.SocketDir(string(old.SocketToken))) {
		t.Error("the old paths are still there")
	}
	site.HomeToken = hosting.NewToken() // rotated, and removed before it was applied
	if err := d.Remove(t.Context(), site); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(6, len(tree(t, l.Root))); diff != "" {
		t.Errorf("left behind: %v", tree(t, l.Root))
	}
}

func TestRemove(t *testing.T) {
	d, l := newDriver(t)
	site, neighbour := newSite(), newSite()
	neighbour.ID, neighbour.UID = 8, uid+1
	neighbour.HomeToken, neighbour.SocketToken = hosting.NewToken(), hosting.NewToken()
	ensure(t, d, neighbour)
	want := tree(t, l.Root)
	ensure(t, d, site)
	www := filepath.Join(l.Home(string(site.HomeToken)), "www")
	outside := t.TempDir()
	err := errors.Join(os.WriteFile(outside+"/kept", nil, 0o600), os.Symlink(outside, www+"/link"),
		os.Symlink(l.Home(string(neighbour.HomeToken)), www+"/neighbour"), os.MkdirAll(www+"/"+strings.Repeat("d/", 200), 0o777),
		os.Mkdir(www+"/closed", 0))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Remove(t.Context(), site); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, tree(t, l.Root)); diff != "" {
		t.Error(diff)
	}
	if !exists(outside + "/kept") {
		t.Error("something outside was removed")
	}
	before := d.host.Changes()
	if err := d.Remove(t.Context(), site); err != nil || d.host.Changes() != before {
		t.Errorf("removing it again changed %d things, %v", d.host.Changes()-before, err)
	}
	unchanged(t, d, neighbour)
}

func TestValuesAreCheckedAgain(t *testing.T) {
	d, l := newDriver(t)
	want := tree(t, l.Root)
	for name, change := range map[string]func(*hosting.Site){
		"root":              func(s *hosting.Site) { s.UID = 0 },
		"Apache":            func(s *hosting.Site) { s.UID = config.ApacheUID },
		"beyond":            func(s *hosting.Site) { s.UID = config.LastSiteUID + 1 },
		"no token":          func(s *hosting.Site) { s.HomeToken = "" },
		"a path as token":   func(s *hosting.Site) { s.HomeToken = "../../../../../../../etc/passwd/" },
		"no socket token":   func(s *hosting.Site) { s.SocketToken = "x" },
		"root outside":      func(s *hosting.Site) { s.DocumentRoot = "../x" },
		"absolute root":     func(s *hosting.Site) { s.DocumentRoot = "/etc" },
		"root in private":   func(s *hosting.Site) { s.DocumentRoot = "private" },
		"root is the home":  func(s *hosting.Site) { s.DocumentRoot = "" },
		"root with newline": func(s *hosting.Site) { s.DocumentRoot = "www\nx" },
		"temporary name":    func(s *hosting.Site) { s.DocumentRoot = ".tmp-www" },
		"no identifier":     func(s *hosting.Site) { s.ID = 0 },
	} {
		site := newSite()
		change(&site)
		if err := d.Ensure(t.Context(), site); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if diff := cmp.Diff(want, tree(t, l.Root)); diff != "" {
		t.Error(diff)
	}
}

// The process ends itself before each of its steps in turn; one more pass must
// always lead to the same.
func TestKilledAtEveryStep(t *testing.T) {
	for _, act := range []string{"ensure", "remove"} {
		t.Run(act, func(t *testing.T) {
			for n := 1; ; n++ {
				d, l := newDriver(t)
				site := newSite()
				site.DocumentRoot = "www/public"
				empty := tree(t, l.Root)
				if act == "remove" {
					ensure(t, d, site)
				}
				survived := child(t, l, act, n)
				if err := d.host.Sweep(l.Sandbox()); err != nil { // as at every start
					t.Fatal(err)
				}
				if act == "ensure" {
					ensure(t, d, site)
					unchanged(t, d, site)
					if !exists(l.Home(string(site.HomeToken)) + "/www/public/index.html") {
						t.Errorf("killed at %d: no first page", n)
					}
				}
				if err := d.Remove(t.Context(), site); err != nil {
					t.Fatalf("killed at %d: %v", n, err)
				}
				if diff := cmp.Diff(empty, tree(t, l.Root)); diff != "" {
					t.Errorf("killed at %d: left behind: %s", n, diff)
				}
				if survived {
					if n < 5 {
						t.Errorf("only %d steps", n)
					}
					return
				}
			}
		})
	}
}

const actVar, rootVar = "CANCALE_TEST_ACT", "CANCALE_TEST_ROOT"

// child runs one act in a process that is killed at step n.
func child(t *testing.T, l config.Layout, act string, n int) (survived bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=TestMain")
	cmd.Env = []string{actVar + "=" + act, rootVar + "=" + l.Root, "CANCALE_KILL_AT=" + strconv.Itoa(n)}
	out, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		return false
	}
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return true
}

func TestMain(m *testing.M) {
	act := os.Getenv(actVar)
	if act == "" {
		os.Exit(m.Run())
	}
	site := newSite()
	site.DocumentRoot = "www/public"
	d := New(host.New(config.Layout{Root: os.Getenv(rootVar)}, nil), "")
	do := d.Ensure
	switch act {
	case "discard":
		do = d.Discard
	case "remove", "purge":
		do = d.Remove
	}
	if err := do(context.Background(), site); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func BenchmarkUnchanged(b *testing.B) {
	d, _ := newDriver(b)
	site := newSite()
	ensure(b, d, site)
	for b.Loop() {
		ensure(b, d, site)
	}
}
