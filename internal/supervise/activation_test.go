package supervise

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cancale/internal/config"
	"cancale/internal/host"
	"cancale/internal/sandbox"
	"cancale/internal/testenv/fcgi"
)

const testUID = config.LastSiteUID - 2

// bench is an activator with the directories that it needs.
type bench struct {
	t      testing.TB
	layout config.Layout
	a      *activator
	log    *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newBench(t testing.TB, idle time.Duration) *bench {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("sandboxes are made by root: run the tests as root")
	}
	dir, err := os.MkdirTemp("", "cancale-test-") //nolint:usetesting // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, layout: config.Layout{Root: dir}, log: &lockedBuffer{}}
	b.open(idle)
	t.Cleanup(func() { b.a.close() })
	return b
}

func (b *bench) open(idle time.Duration) {
	b.t.Helper()
	var err error
	b.a, err = newActivator(Config{
		Layout: b.layout, Instance: "test-" + strconv.Itoa(os.Getpid()), Idle: idle, Log: slog.New(slog.NewTextHandler(b.log, nil)),
	}, newSpawner())
	if err != nil {
		b.t.Fatal(err)
	}
}

const pool = `[global]
error_log = /tmp/php-fpm.log
process_control_timeout = 5s
[site]
listen = /run/fpm/fpm.sock
pm = ondemand
pm.max_children = 5
pm.process_idle_timeout = 1s
env[GREETING] = %s
security.limit_extensions = .php
`

// site makes a site whose PHP says greeting, and its activation.
func (b *bench) site(name, greeting string) host.Activation {
	b.t.Helper()
	must := func(err error) {
		b.t.Helper()
		if err != nil {
			b.t.Fatal(err)
		}
	}
	home := b.layout.Home(name)
	must(os.MkdirAll(filepath.Join(home, "www"), 0o755))
	must(os.WriteFile(filepath.Join(home, "www", "index.php"), []byte(`<?php echo getenv("GREETING"), " ", posix_getuid();`), 0o644))
	must(os.WriteFile(filepath.Join(home, "www", "slow.php"), []byte(`<?php usleep(1200000); echo "slow ", getenv("GREETING");`), 0o644))
	must(os.MkdirAll(b.layout.SocketDir(name), 0o700))
	must(os.MkdirAll(b.layout.Sandbox(), 0o700))
	must(os.MkdirAll(b.layout.PHP(), 0o700))
	conf := filepath.Join(b.layout.PHP(), name+".conf")
	must(os.WriteFile(conf, fmt.Appendf(nil, pool, greeting), 0o644))
	spec := sandbox.Spec{
		Name: name, UID: testUID, GID: testUID, Home: home,
		Binds:   []sandbox.Bind{{From: conf, To: "/run/php/pool.conf", ReadOnly: true}},
		Program: "/usr/sbin/php-fpm8.2", Args: []string{"-F", "-O", "-y", "/run/php/pool.conf"},
		Env: []string{"FPM_SOCKETS=/run/fpm/fpm.sock=3", "PATH=/usr/bin:/bin"},
	}
	data, err := json.Marshal(spec)
	must(err)
	file := filepath.Join(b.layout.Sandbox(), name+".json")
	must(os.WriteFile(file, data, 0o600))
	return host.Activation{
		Name: name, SocketDir: b.layout.SocketDir(name), Socket: b.layout.PHPSocket(name), Spec: file, Hash: greeting,
	}
}

func (b *bench) ensure(act host.Activation) {
	b.t.Helper()
	if err := b.a.ensure(act); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) ask(act host.Activation, script, want string) {
	b.t.Helper()
	got, err := fcgi.Get(b.t.Context(), act.Socket, "/srv/site/www/"+script, nil)
	if err != nil {
		b.t.Fatalf("%v\n%s", err, b.log)
	}
	if got != want {
		b.t.Errorf("%s answers %q, want %q", script, got, want)
	}
}

// pid is the program's process, 0 while it sleeps.
func (b *bench) pid(name string) int {
	b.a.mu.Lock()
	defer b.a.mu.Unlock()
	x := b.a.byName[name]
	if x == nil || x.run == nil {
		return 0
	}
	return x.run.cmd.Process.Pid
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

func hello(greeting string) string { return fmt.Sprint(greeting, " ", testUID) }

func TestFirstConnectionStartsTheProgram(t *testing.T) {
	b := newBench(t, time.Minute)
	act := b.site("php-1", "hello")
	b.ensure(act)
	if b.pid("php-1") != 0 {
		t.Fatal("it runs before anybody asked")
	}
	b.ask(act, "index.php", hello("hello"))
	pid := b.pid("php-1")
	if pid == 0 {
		t.Fatal("it does not run")
	}
	b.ask(act, "index.php", hello("hello"))
	if b.pid("php-1") != pid {
		t.Error("the second request started it again")
	}
}

func TestSocketIsForApacheOnlyAndItsPathASecret(t *testing.T) {
	b := newBench(t, time.Minute)
	act := b.site("php-1", "hello")
	b.ensure(act)
	info, err := os.Stat(act.Socket)
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	if info.Mode().Perm() != 0o660 || st.Uid != 0 || st.Gid != config.ApacheUID {
		t.Errorf("mode %v, owner %d:%d", info.Mode(), st.Uid, st.Gid)
	}
	table, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(table, []byte(act.SocketDir)) {
		t.Error("/proc/net/unix shows the socket's directory")
	}
}

func TestAskingTwiceChangesNothing(t *testing.T) {
	b := newBench(t, time.Minute)
	act := b.site("php-1", "hello")
	b.ensure(act)
	b.ask(act, "index.php", hello("hello"))
	pid, file := b.pid("php-1"), identify(act.Socket)
	b.ensure(act)
	if b.pid("php-1") != pid || identify(act.Socket) != file {
		t.Error("the program or its socket is another")
	}
}

func TestIdleProgramSleepsAndWakes(t *testing.T) {
	b := newBench(t, 200*time.Millisecond)
	act := b.site("php-1", "hello")
	b.ensure(act)
	b.ask(act, "index.php", hello("hello"))
	first := b.pid("php-1")
	// Its child ends after a second (pm.process_idle_timeout), then it is idle.
	eventually(t, "it sleeps", func() bool { return b.pid("php-1") == 0 })
	if _, err := os.Stat(act.Socket); err != nil {
		t.Fatal(err)
	}
	if syscall.Kill(first, 0) == nil {
		t.Error("the process is still there")
	}
	b.ask(act, "index.php", hello("hello"))
}

func TestRequestUnderWayKeepsItAwake(t *testing.T) {
	b := newBench(t, 500*time.Millisecond) // a loaded machine needs some of it until PHP takes the request
	act := b.site("php-1", "hello")
	b.ensure(act)
	b.ask(act, "slow.php", "slow hello")
}

func TestKilledProgramIsStartedAgainByTheNextConnection(t *testing.T) {
	b := newBench(t, time.Minute)
	act := b.site("php-1", "hello")
	b.ensure(act)
	b.ask(act, "index.php", hello("hello"))
	first := b.pid("php-1")
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "its end is noticed", func() bool { return b.pid("php-1") == 0 })
	// It died soon after its start: for a moment callers are turned away.
	eventually(t, "it answers again", func() bool {
		got, err := fcgi.Get(b.t.Context(), act.Socket, "/srv/site/www/index.php", nil)
		return err == nil && got == hello("hello")
	})
}

func TestBrokenProgramTurnsCallersAwayAndDoesNotSpin(t *testing.T) {
	b := newBench(t, time.Minute)
	act := b.site("php-1", "hello")
	if err := os.WriteFile(filepath.Join(b.layout.PHP(), "php-1.conf"), []byte("[site]\nnonsense\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	b.ensure(act)
	for until := time.Now().Add(1500 * time.Millisecond); time.Now().Before(until); {
		began := time.Now()
		if _, err := fcgi.Get(b.t.Context(), act.Socket, "/srv/site/www/index.php", nil); err == nil {
			t.Fatal("it answers")
		}
		if took := time.Since(began); took > time.Second {
			t.Fatalf("a caller waited %v", took)
		}
	}
	if n := strings.Count(b.log.String(), "program does not run"); n < 1 || n > 4 {
		t.Errorf("%d starts in 1.5 s:\n%s", n, b.log)
	}
	// Repaired, it answers as soon as the agent says that something is new.
	act = b.site("php-1", "repaired")
	b.ensure(act)
	b.ask(act, "index.php", hello("repaired"))
}

func TestNewContentsReplaceARunningProgramAndFinishItsRequests(t *testing.T) {
	b := newBench(t, time.Minute)
	act := b.site("php-1", "old")
	b.ensure(act)
	b.ask(act, "index.php", hello("old"))
	slow, socket := make(chan string), act.Socket
	go func() {
		got, err := fcgi.Get(t.Context(), socket, "/srv/site/www/slow.php", nil)
		slow <- fmt.Sprint(got, err)
	}()
	pid := strconv.Itoa(b.pid("php-1"))
	eventually(t, "two children work", func() bool {
		list, _ := os.ReadFile("/proc/" + pid + "/task/" + pid + "/children")
		return len(strings.Fields(string(list))) >= 1
	})
	time.Sleep(100 * time.Millisecond) // the slow request has been accepted
	act = b.site("php-1", "new")
	b.ensure(act)
	b.ask(act, "index.php", hello("new"))
	if got := <-slow; got != "slow old<nil>" {
		t.Errorf("the request under way got %q", got)
	}
}

func TestRemovedProgramIsGone(t *testing.T) {
	b := newBench(t, time.Minute)
	act := b.site("php-1", "hello")
	b.ensure(act)
	b.ask(act, "index.php", hello("hello"))
	pid := b.pid("php-1")
	for range 2 { // the second time there is nothing to do
		if err := b.a.remove("php-1"); err != nil {
			t.Fatal(err)
		}
	}
	if syscall.Kill(pid, 0) == nil {
		t.Error("the process is still there")
	}
	if _, err := os.Lstat(act.Socket); err == nil {
		t.Error("the socket is still there")
	}
	if _, err := fcgi.Get(b.t.Context(), act.Socket, "/srv/site/www/index.php", nil); err == nil {
		t.Error("it answers")
	}
}

func TestVanishedSocketIsMadeAgain(t *testing.T) {
	b := newBench(t, time.Minute)
	act := b.site("php-1", "hello")
	b.ensure(act)
	b.ask(act, "index.php", hello("hello"))
	if err := os.Remove(act.Socket); err != nil {
		t.Fatal(err)
	}
	b.ensure(act)
	b.ask(act, "index.php", hello("hello"))
}

func TestNextSupervisorArmsWhatTheLastOneHad(t *testing.T) {
	b := newBench(t, time.Minute)
	act, gone := b.site("php-1", "hello"), b.site("php-2", "gone")
	b.ensure(act)
	b.ensure(gone)
	b.ask(act, "index.php", hello("hello"))
	b.a.close()
	if err := os.RemoveAll(gone.SocketDir); err != nil {
		t.Fatal(err)
	}
	b.open(time.Minute)
	<-b.a.restored
	b.ask(act, "index.php", hello("hello"))
	if b.a.byName["php-2"] != nil {
		t.Error("a site whose directory is gone is armed")
	}
}

// What an earlier supervisor left may have become anything: it is left out, and
// nothing waits for it.
func TestRecordsThatBecameAnything(t *testing.T) {
	b := newBench(t, time.Minute)
	act, other := b.site("php-1", "hello"), b.site("php-2", "other")
	b.ensure(act)
	b.ensure(other)
	b.a.close()
	record := func(name string) string { return filepath.Join(b.a.records, name) }
	good, err := os.ReadFile(record("php-2.json"))
	if err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(t.TempDir(), "outside")
	for name, make := range map[string]func(path string) error{
		"php-10.json": func(p string) error { return os.WriteFile(p, []byte("{"), 0o600) },
		"php-11.json": func(p string) error { return os.WriteFile(p, bytes.Repeat([]byte("\x00\xff"), 1<<20), 0o600) },
		"php-12.json": func(p string) error { return os.WriteFile(p, nil, 0o600) },
		"php-13.json": func(p string) error { return syscall.Mkfifo(p, 0o600) },
		"php-14.json": func(p string) error { return os.MkdirAll(filepath.Join(p, "a", "b"), 0o700) },
		"php-15.json": func(p string) error { return errors.Join(os.WriteFile(outside, good, 0o600), os.Symlink(outside, p)) },
		"php-16.json": func(p string) error { return os.Symlink("/dev/zero", p) },
		"php-17.json": func(p string) error {
			return os.WriteFile(p, bytes.ReplaceAll(good, []byte(`"php-2"`), []byte(`"../../etc"`)), 0o600)
		},
		"php-18.json": func(p string) error {
			return os.WriteFile(p, bytes.ReplaceAll(good, []byte("/fpm.sock"), []byte("/../../fpm.sock")), 0o600)
		},
		"php-19.json":   func(p string) error { return os.WriteFile(p, []byte(`[1, null, {"Name": {}}]`), 0o600) },
		"php-2.json":    func(p string) error { return os.WriteFile(p, good[:len(good)/2], 0o600) },
		".tmp-x":        func(p string) error { return os.WriteFile(p, good, 0o600) },
		"a\nb\x1b.json": func(p string) error { return os.WriteFile(p, good, 0o600) },
	} {
		if err := os.RemoveAll(record(name)); err != nil {
			t.Fatal(err)
		}
		if err := make(record(name)); err != nil {
			t.Fatal(name, err)
		}
	}
	b.open(time.Minute)
	select {
	case <-b.a.restored:
	case <-time.After(10 * time.Second):
		t.Fatal("it waits for a record")
	}
	b.ask(act, "index.php", hello("hello"))
	b.ensure(other) // as the agent asks
	b.ask(other, "index.php", hello("other"))
	if text, err := os.ReadFile(outside); err != nil || !bytes.Equal(text, good) {
		t.Errorf("what a link led to: %v", err)
	}
	entries, err := os.ReadDir(b.a.records)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "php-1.json" && e.Name() != "php-2.json" && e.Name() != "a\nb\x1b.json" {
			t.Errorf("%q is left", e.Name())
		}
	}
}

func TestActivationOutOfItsDirectoryIsRefused(t *testing.T) {
	b := newBench(t, time.Minute)
	act := b.site("php-1", "hello")
	for _, change := range []func(*host.Activation){
		func(a *host.Activation) { a.Name = "../x" },
		func(a *host.Activation) { a.Name = "" },
		func(a *host.Activation) { a.Socket = "/etc/fpm.sock" },
		func(a *host.Activation) { a.SocketDir += "/nowhere"; a.Socket = a.SocketDir + "/fpm.sock" },
	} {
		bad := act
		change(&bad)
		if err := b.a.ensure(bad); err == nil {
			t.Errorf("%+v was accepted", bad)
		}
	}
}

// BenchmarkColdAnswer is the first answer of a sleeping site.
func BenchmarkColdAnswer(b *testing.B) {
	bb := newBench(b, time.Minute)
	act := bb.site("php-1", "hello")
	for b.Loop() {
		b.StopTimer()
		if err := bb.a.remove("php-1"); err != nil {
			b.Fatal(err)
		}
		bb.ensure(act)
		b.StartTimer()
		bb.ask(act, "index.php", hello("hello"))
	}
}

// BenchmarkWarmAnswer is its second answer.
func BenchmarkWarmAnswer(b *testing.B) {
	bb := newBench(b, time.Minute)
	act := bb.site("php-1", "hello")
	bb.ensure(act)
	bb.ask(act, "index.php", hello("hello"))
	for b.Loop() {
		bb.ask(act, "index.php", hello("hello"))
	}
}

// BenchmarkArm is what one more sleeping site costs.
func BenchmarkArm(b *testing.B) {
	if err := raiseFileLimit(); err != nil {
		b.Fatal(err)
	}
	bb := newBench(b, time.Minute)
	act := bb.site("php-0", "hello")
	n := 0
	for b.Loop() {
		n++
		act.Name = "php-" + strconv.Itoa(n)
		act.Socket = filepath.Join(act.SocketDir, strconv.Itoa(n)+".sock")
		bb.ensure(act)
	}
}
