package jail

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	siteUID  = 30001
	otherUID = 30002
)

// The main thread is only sure to run this before main.
func init() {
	if os.Getenv("JAIL_TEST_DEATH") == "" {
		return
	}
	err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGTERM), 0, 0, 0)
	err = errors.Join(err, identity{siteUID, siteUID}.do(func() error { return nil }))
	fmt.Println(unix.Gettid() == unix.Getpid(), deathSignal() == int32(unix.SIGTERM), err)
	os.Exit(0)
}

func TestMain(m *testing.M) {
	if os.Getenv("JAIL_TEST_DROP") != "" {
		dropAndTell()
	}
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "jail: these tests take identities: run them as root")
		os.Exit(1)
	}
	if err := Prepare(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// newHome makes the home of a site as the node does: the home itself belongs to
// root, what is in it to the site.
func newHome(t *testing.T, uid int) string {
	t.Helper()
	home := filepath.Join(t.TempDir(), "home")
	must(t, os.Mkdir(home, 0o755))
	for p := filepath.Dir(home); p != os.TempDir(); p = filepath.Dir(p) {
		must(t, os.Chmod(p, 0o755)) // t.TempDir is private to root
	}
	must(t, os.Mkdir(filepath.Join(home, "www"), 0o755))
	must(t, os.Chown(filepath.Join(home, "www"), uid, uid))
	return home
}

func openJail(t *testing.T, home string, uid uint32) *Jail {
	t.Helper()
	j, err := Open(home, uid, uid)
	must(t, err)
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, j *Jail, name, text string) {
	t.Helper()
	u, err := j.Create(name)
	must(t, err)
	_, err = io.WriteString(u, text)
	must(t, err)
	must(t, u.Commit())
}

func get(t *testing.T, j *Jail, name string) string {
	t.Helper()
	f, _, err := j.Open(name)
	must(t, err)
	defer f.Close()
	b, err := io.ReadAll(f)
	must(t, err)
	return string(b)
}

func names(t *testing.T, j *Jail, dir string) []string {
	t.Helper()
	var found []string
	must(t, j.List(dir, func(es []Entry) error {
		for _, e := range es {
			found = append(found, e.Name())
		}
		return nil
	}))
	slices.Sort(found)
	return found
}

func TestFilesBelongToTheSite(t *testing.T) {
	home := newHome(t, siteUID)
	j := openJail(t, home, siteUID)
	put(t, j, "www/index.html", "hello")
	must(t, j.Mkdir("www/img"))
	for name, mode := range map[string]fs.FileMode{"www/index.html": 0o644, "www/img": fs.ModeDir | 0o755} {
		info, err := os.Lstat(filepath.Join(home, name))
		must(t, err)
		if uid, gid := (Entry{FileInfo: info}).Owner(); uid != siteUID || gid != siteUID || info.Mode() != mode {
			t.Errorf("%s: %d:%d %v, want %d:%d %v", name, uid, gid, info.Mode(), siteUID, siteUID, mode)
		}
	}
	if _, err := j.Create("top.txt"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("creating in the home, which belongs to root: %v", err)
	}
	if got := names(t, j, "www"); !slices.Equal(got, []string{"img", "index.html"}) {
		t.Errorf("listing %q", got)
	}
}

func TestNothingLeavesTheRoot(t *testing.T) {
	home := newHome(t, siteUID)
	outside := filepath.Join(filepath.Dir(home), "outside")
	must(t, os.Mkdir(outside, 0o777))
	must(t, os.Chmod(outside, 0o777))
	must(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o666))
	must(t, os.Chmod(filepath.Join(outside, "secret"), 0o666))
	for link, target := range map[string]string{
		"abs": outside, "up": "../../outside", "file": filepath.Join(outside, "secret"), "chain": "up", "etc": "/etc/passwd",
	} {
		must(t, os.Symlink(target, filepath.Join(home, "www", link)))
	}
	j := openJail(t, home, siteUID)
	folder, err := j.Sub("www")
	must(t, err)
	defer folder.Close()

	for _, name := range []string{
		"../outside/secret", "www/../../outside/secret", "/etc/passwd", "www/abs/secret", "www/up/secret",
		"www/file", "www/chain/secret", "www/etc", "www/abs/../secret",
	} {
		if _, _, err := j.Open(name); err == nil {
			t.Errorf("read %s", name)
		}
		if _, err := j.OpenAt(name, OpenEnd); err == nil {
			t.Errorf("opened %s for writing", name)
		}
		if err := j.Chmod(name, 0o600); err == nil {
			t.Errorf("changed the mode of %s", name)
		}
		if err := j.Chtimes(name, time.Unix(1, 0)); err == nil {
			t.Errorf("changed the time of %s", name)
		}
	}
	for _, dir := range []string{"../outside", "www/abs", "www/up", "www/chain"} {
		if _, err := j.Create(dir + "/new"); err == nil {
			t.Errorf("created in %s", dir)
		}
		if err := j.Mkdir(dir + "/newdir"); err == nil {
			t.Errorf("made a directory in %s", dir)
		}
		if err := j.Remove(dir + "/secret"); err == nil {
			t.Errorf("removed from %s", dir)
		}
		if err := j.Rename("www/etc", dir+"/etc"); err == nil {
			t.Errorf("moved to %s", dir)
		}
		if err := j.List(dir, func([]Entry) error { return nil }); err == nil {
			t.Errorf("listed %s", dir)
		}
		if _, err := j.Sub(dir); err == nil {
			t.Errorf("rooted in %s", dir)
		}
	}
	// The home is out of reach for a jail of a folder in it.
	must(t, os.Symlink("../private", filepath.Join(home, "www", "private")))
	must(t, os.Mkdir(filepath.Join(home, "private"), 0o755))
	if err := folder.List("private", func([]Entry) error { return nil }); err == nil {
		t.Error("a link led out of the folder")
	}
	if err := j.List("www/private", func([]Entry) error { return nil }); err != nil {
		t.Errorf("a link within the home: %v", err)
	}
	left, err := os.ReadDir(outside)
	must(t, err)
	if b, _ := os.ReadFile(filepath.Join(outside, "secret")); len(left) != 1 || string(b) != "secret" {
		t.Errorf("outside was changed: %v %q", left, b)
	}
}

func TestTheRootCannotBeChanged(t *testing.T) {
	j := openJail(t, newHome(t, siteUID), siteUID)
	www, err := j.Sub("www")
	must(t, err)
	defer www.Close()
	for _, name := range []string{"", ".", "/", "./", "x/.."} {
		for act, err := range map[string]error{
			"RemoveDir": www.RemoveDir(name), "Remove": www.Remove(name),
			"Rename": www.Rename(name, "a"), "Rename to": www.Rename("a", name),
		} {
			if err == nil {
				t.Errorf("%s(%q) went through", act, name)
			}
		}
	}
}

func TestSitesCannotTouchEachOther(t *testing.T) {
	mine, theirs := newHome(t, siteUID), newHome(t, otherUID)
	other := openJail(t, theirs, otherUID)
	put(t, other, "www/private.txt", "theirs")
	put(t, other, "www/public.txt", "theirs")
	must(t, other.Chmod("www/private.txt", 0o600))

	// A jail under the wrong identity stands for any way into their files.
	wrong := openJail(t, theirs, siteUID)
	if _, _, err := wrong.Open("www/private.txt"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("read a private file of another site: %v", err)
	}
	for act, err := range map[string]error{
		"remove": wrong.Remove("www/public.txt"), "chmod": wrong.Chmod("www/public.txt", 0o666),
		"touch": wrong.Chtimes("www/public.txt", time.Unix(1, 0)), "rename": wrong.Rename("www/public.txt", "www/x"),
		"mkdir": wrong.Mkdir("www/x"),
	} {
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s in another site: %v", act, err)
		}
	}
	if _, err := wrong.OpenAt("www/public.txt", OpenEnd); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("wrote to a file of another site: %v", err)
	}
	// A hard link that got into the home opens nothing either.
	must(t, os.Link(filepath.Join(theirs, "www/private.txt"), filepath.Join(mine, "www/hard")))
	j := openJail(t, mine, siteUID)
	if _, _, err := j.Open("www/hard"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("read a hard link to a file of another site: %v", err)
	}
	if err := j.Chmod("www/hard", 0o644); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("changed the mode through a hard link: %v", err)
	}
	// Nor does root's own file, whatever the daemon could do.
	must(t, os.WriteFile(filepath.Join(mine, "www/root"), []byte("root"), 0o600))
	if _, _, err := j.Open("www/root"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("read a file of root: %v", err)
	}
}

func TestUploads(t *testing.T) {
	home := newHome(t, siteUID)
	j := openJail(t, home, siteUID)
	t.Run("nobody sees one that is not complete", func(t *testing.T) {
		put(t, j, "www/a", "old")
		u, err := j.Create("www/a")
		must(t, err)
		_, _ = io.WriteString(u, "new and longer")
		if got := get(t, j, "www/a"); got != "old" {
			t.Errorf("read %q", got)
		}
		if got := names(t, j, "www"); !slices.Equal(got, []string{"a"}) {
			t.Errorf("listing %q", got)
		}
		must(t, u.Commit())
		if got := get(t, j, "www/a"); got != "new and longer" {
			t.Errorf("read %q", got)
		}
	})
	t.Run("broken off over a file it leaves the file", func(t *testing.T) {
		put(t, j, "www/b", "old")
		u, err := j.Create("www/b")
		must(t, err)
		_, _ = io.WriteString(u, "ne")
		must(t, u.Keep())
		if got := get(t, j, "www/b"); got != "old" {
			t.Errorf("read %q", got)
		}
	})
	t.Run("broken off where nothing stood it can be resumed", func(t *testing.T) {
		u, err := j.Create("www/c")
		must(t, err)
		_, _ = io.WriteString(u, "half")
		must(t, u.Keep())
		f, err := j.OpenAt("www/c", 4)
		must(t, err)
		_, _ = io.WriteString(f, " done")
		must(t, f.Close())
		if got := get(t, j, "www/c"); got != "half done" {
			t.Errorf("read %q", got)
		}
		if _, err := j.OpenAt("www/c", 100); !errors.Is(err, ErrBeyondEnd) {
			t.Errorf("offset beyond the end: %v", err)
		}
	})
	t.Run("kept ones never replace what came meanwhile", func(t *testing.T) {
		u, err := j.Create("www/d")
		must(t, err)
		_, _ = io.WriteString(u, "half")
		put(t, j, "www/d", "complete")
		must(t, u.Keep())
		if got := get(t, j, "www/d"); got != "complete" {
			t.Errorf("read %q", got)
		}
	})
	t.Run("a private file stays private", func(t *testing.T) {
		put(t, j, "www/wp-config.php", "1")
		must(t, j.Chmod("www/wp-config.php", 0o600))
		put(t, j, "www/wp-config.php", "2")
		if e, err := j.Stat("www/wp-config.php"); err != nil || e.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v", e.Mode(), err)
		}
	})
	t.Run("a directory is not replaced, nor a link to one", func(t *testing.T) {
		must(t, j.Mkdir("www/dir"))
		must(t, os.Symlink("dir", filepath.Join(home, "www/link")))
		for _, name := range []string{"www/dir", "www/link", ".", ""} {
			if _, err := j.Create(name); !errors.Is(err, unix.EISDIR) {
				t.Errorf("%q: %v", name, err)
			}
		}
	})
	t.Run("no temporary file is left", func(t *testing.T) {
		found, err := filepath.Glob(filepath.Join(home, "www", tempPrefix+"*"))
		if err != nil || len(found) > 0 {
			t.Errorf("%v %v", found, err)
		}
	})
	t.Run("what a crash left is shown", func(t *testing.T) {
		must(t, os.WriteFile(filepath.Join(home, "www", tempPrefix+"crash"), nil, 0o644))
		if got := names(t, j, "www"); !slices.Contains(got, tempPrefix+"crash") {
			t.Errorf("listing %q", got)
		}
	})
}

func TestPipesHoldNobody(t *testing.T) {
	home := newHome(t, siteUID)
	must(t, unix.Mkfifo(filepath.Join(home, "www/pipe"), 0o666))
	must(t, os.Chmod(filepath.Join(home, "www/pipe"), 0o666))
	j := openJail(t, home, siteUID)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, _, err := j.Open("www/pipe"); !errors.Is(err, ErrNotRegular) {
			t.Errorf("reading: %v", err)
		}
		if _, err := j.OpenAt("www/pipe", 0); err == nil {
			t.Error("writing went through")
		}
		if _, err := j.Sub("www/pipe"); err == nil {
			t.Error("a jail in a pipe")
		}
		if err := j.List("www/pipe", func([]Entry) error { return nil }); err == nil {
			t.Error("listed a pipe")
		}
		put(t, j, "www/pipe", "now a file")
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("a pipe held an operation")
	}
}

// A directory of the site is exchanged with a link that leads outside, as fast
// as possible, while files are written and read through it.
func TestExchangingADirectoryWithALinkWinsNothing(t *testing.T) {
	home := newHome(t, siteUID)
	outside := filepath.Join(filepath.Dir(home), "outside")
	must(t, os.Mkdir(outside, 0o777))
	must(t, os.Chmod(outside, 0o777))
	must(t, os.WriteFile(filepath.Join(outside, "f"), []byte("secret"), 0o666))
	j := openJail(t, home, siteUID)
	must(t, j.Mkdir("www/dir"))
	put(t, j, "www/dir/f", "mine")
	must(t, os.Symlink(outside, filepath.Join(home, "www/link")))

	var stop atomic.Bool
	var racer sync.WaitGroup
	racer.Go(func() {
		a, b := filepath.Join(home, "www/dir"), filepath.Join(home, "www/link")
		for !stop.Load() {
			_ = unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
		}
	})
	through := 0
	for i := range 3000 {
		if f, _, err := j.Open("www/dir/f"); err == nil {
			if b, _ := io.ReadAll(f); string(b) == "secret" {
				t.Error("read a file outside")
			}
			_ = f.Close()
			through++
		}
		if u, err := j.Create(fmt.Sprintf("www/dir/new%d", i)); err == nil {
			_ = u.Commit()
		}
		_ = j.Chmod("www/dir/f", 0o600)
		_ = j.Remove("www/dir/f2")
	}
	stop.Store(true)
	racer.Wait()
	left, err := os.ReadDir(outside)
	must(t, err)
	info, err := os.Stat(filepath.Join(outside, "f"))
	must(t, err)
	if len(left) != 1 || info.Mode().Perm() != 0o644 {
		t.Errorf("outside was changed: %d names, mode %v", len(left), info.Mode())
	}
	if through == 0 {
		t.Error("the race never let an operation through; it proves nothing")
	}
}

func TestNamesOfAllKinds(t *testing.T) {
	j := openJail(t, newHome(t, siteUID), siteUID)
	for _, name := range []string{
		"www/\x00", "www/" + strings.Repeat("n", 256), "www/" + strings.Repeat("d/", 2000) + "f",
		"www/nothing/f", "www/../../../../../../etc/passwd", strings.Repeat("../", 1300),
	} {
		if u, err := j.Create(name); err == nil {
			t.Errorf("created %.40q", name)
			_ = u.Discard()
		}
		_, _ = j.Stat(name)
		_ = j.Remove(name)
		_ = j.RemoveDir(name)
	}
	for _, name := range []string{"www/é l'été", "www/-a", "www/\xff\xfe", "www/a\nb"} {
		put(t, j, name, name)
		if got := get(t, j, name); got != name {
			t.Errorf("%q: %q", name, got)
		}
	}
}

// TestIdentityDoesNotLeak works for two sites at once and looks at the
// threads of goroutines that act for nobody.
func TestIdentityDoesNotLeak(t *testing.T) {
	homes := map[uint32]string{siteUID: newHome(t, siteUID), otherUID: newHome(t, otherUID)}
	var workers, watchers sync.WaitGroup
	var stop atomic.Bool
	for range 4 {
		watchers.Go(func() {
			for !stop.Load() {
				uid, _, _ := unix.RawSyscall(unix.SYS_SETFSUID, ^uintptr(0), 0, 0) // only asks
				gid, _, _ := unix.RawSyscall(unix.SYS_SETFSGID, ^uintptr(0), 0, 0)
				if uid != 0 || gid != 0 {
					t.Errorf("a thread that serves nobody is %d:%d", uid, gid)
					return
				}
				_, _ = os.Lstat("/") // lets the goroutine move to another thread
			}
		})
	}
	for uid, home := range homes {
		j := openJail(t, home, uid)
		for i := range 16 {
			workers.Go(func() {
				for n := range 150 {
					name := fmt.Sprintf("www/f%d-%d", i, n)
					u, err := j.Create(name)
					if err != nil {
						t.Errorf("%d: %v", uid, err)
						return
					}
					if err := u.Commit(); err != nil {
						t.Errorf("%d: %v", uid, err)
					}
					if e, err := j.Stat(name); err != nil {
						t.Error(err)
					} else if owner, _ := e.Owner(); owner != uid {
						t.Errorf("%s belongs to %d, want %d", name, owner, uid)
					}
				}
			})
		}
	}
	workers.Wait()
	stop.Store(true)
	watchers.Wait()
}

func TestOnlySitesHaveJails(t *testing.T) {
	home := newHome(t, siteUID)
	for _, id := range [][2]uint32{{0, 0}, {siteUID, 0}, {0, siteUID}} {
		if _, err := Open(home, id[0], id[1]); err == nil {
			t.Errorf("a jail as %v", id)
		}
	}
	if _, err := Open(filepath.Join(home, "nothing"), siteUID, siteUID); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a home that is missing: %v", err)
	}
}

// dropAndTell is the test's program in another process: it drops its
// capabilities, looks at all its threads, and works for a site.
func dropAndTell() {
	var wait sync.WaitGroup
	release := make(chan struct{})
	for range 4 {
		wait.Go(func() { <-release })
	}
	err := errors.Join(Prepare(), DropCapabilities())
	close(release)
	wait.Wait()
	if errors.Is(err, errors.ErrUnsupported) {
		fmt.Println("unsupported")
		os.Exit(0)
	}
	threads, _ := filepath.Glob("/proc/self/task/*/status")
	for _, thread := range threads {
		b, _ := os.ReadFile(thread)
		for line := range strings.Lines(string(b)) {
			if strings.HasPrefix(line, "CapEff:") || strings.HasPrefix(line, "CapPrm:") {
				fmt.Print(line)
			}
		}
	}
	j, openErr := Open(os.Getenv("JAIL_TEST_DROP"), siteUID, siteUID)
	if err = errors.Join(err, openErr); err == nil {
		u, createErr := j.Create("www/dropped")
		if err = createErr; err == nil {
			err = u.Commit()
		}
	}
	fmt.Println("error:", err)
	os.Exit(0)
}

func TestDropCapabilitiesKeepsOnlyTheChangeOfIdentity(t *testing.T) {
	home := newHome(t, siteUID)
	program := filepath.Join(t.TempDir(), "jail.test")
	build := exec.Command("go", "test", "-c", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as the product is built
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), "JAIL_TEST_DROP="+home)
	out, err := cmd.CombinedOutput()
	must(t, err)
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) < 3 || lines[len(lines)-1] != "error: <nil>" {
		t.Fatalf("output:\n%s", out)
	}
	for _, line := range lines[:len(lines)-1] {
		if !strings.HasSuffix(line, "\t00000000000000c0") {
			t.Errorf("a thread has %s", line)
		}
	}
}

func TestTheMainThreadStillDiesWithItsParent(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "JAIL_TEST_DEATH=1")
	out, err := cmd.CombinedOutput()
	must(t, err)
	if string(out) != "true true <nil>\n" {
		t.Errorf("on the main thread, signal kept, error: %s", out)
	}
}

func BenchmarkIdentity(b *testing.B) {
	id := identity{siteUID, siteUID}
	for b.Loop() {
		_ = id.do(func() error { return nil })
	}
}
