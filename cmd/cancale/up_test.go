package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"cancale/internal/config"
	"cancale/internal/supervise"
)

// TestMain lets the test binary be cancale itself: `up` starts it anew under
// that name.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "cancale" {
		main()
	}
	os.Exit(m.Run())
}

// running is an installation that a test started.
type running struct {
	t      *testing.T
	layout config.Layout
	cmd    *exec.Cmd
	stderr bytes.Buffer
	lines  []string // of its standard output, until it was ready
	done   chan struct{}
}

// cancaleUp prepares `cancale up` on a directory, on any free ports unless args
// say otherwise.
func cancaleUp(t *testing.T, data string, args ...string) *running {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("a private installation needs root")
	}
	r := &running{t: t, layout: config.Layout{Root: data}, done: make(chan struct{})}
	r.cmd = exec.Command("/proc/self/exe")
	r.cmd.Args = append([]string{"cancale", "--data", data, "up", "--panel-port", "0", "--http-port", "0", "--https-port", "0", "--ftp-port", "0", "--sftp-port", "0"}, args...)
	r.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LANG=C", "SECRET_OF_THE_CALLER=1"}
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r.cmd.Stderr = &r.stderr
	return r
}

// start waits until the installation is ready.
func (r *running) start() *running {
	r.t.Helper()
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(r.stop)
	lines := bufio.NewScanner(stdout)
	ready := false
	for !ready && lines.Scan() {
		r.lines = append(r.lines, lines.Text())
		ready = strings.HasPrefix(lines.Text(), "ready: http://127.0.0.1:")
	}
	go func() {
		_ = r.cmd.Wait()
		close(r.done)
	}()
	if !ready {
		<-r.done
		r.t.Fatalf("it ended before it was ready: %v %s", r.cmd.ProcessState, &r.stderr)
	}
	return r
}

// refused runs it to its end, which must come soon, with status 1 and one line.
func (r *running) refused() string {
	r.t.Helper()
	timer := time.AfterFunc(20*time.Second, func() { _ = r.cmd.Process.Kill() })
	defer timer.Stop()
	out, _ := r.cmd.Output()
	if code := r.cmd.ProcessState.ExitCode(); code != 1 {
		r.t.Errorf("exit status %d, want 1", code)
	}
	if len(out) > 0 {
		r.t.Errorf("standard output: %s", out)
	}
	line := strings.TrimSuffix(r.stderr.String(), "\n")
	if line == "" || strings.Contains(line, "\n") || !strings.HasPrefix(line, "cancale: ") {
		r.t.Errorf("not one line: %q", line)
	}
	return line
}

// stop asks it to end, and fails when that takes longer than promised.
func (r *running) stop() {
	r.t.Helper()
	select {
	case <-r.done:
		return
	default:
	}
	_ = r.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-r.done:
	case <-time.After(10 * time.Second):
		r.t.Errorf("it still runs 10 s after SIGTERM\n%s", &r.stderr)
		_ = r.cmd.Process.Kill()
		<-r.done
	}
}

func (r *running) status() config.Status {
	r.t.Helper()
	s, err := config.ReadStatus(r.layout)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func (r *running) service(name string) config.Service {
	r.t.Helper()
	for _, s := range r.status().Services {
		if s.Name == name {
			return s
		}
	}
	r.t.Fatalf("no service %s", name)
	return config.Service{}
}

// processes are those of the installation, without `up` itself.
func (r *running) processes() []string {
	r.t.Helper()
	mark, err := os.ReadFile(r.layout.Instance())
	if err != nil {
		r.t.Fatal(err)
	}
	environs, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		r.t.Fatal(err)
	}
	var found []string
	for _, file := range environs {
		env, err := os.ReadFile(file)
		if err == nil && bytes.Contains(env, append([]byte("CANCALE_INSTANCE="), mark...)) {
			line, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

// within waits until a condition holds.
func within(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

func TestUp(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	t.Cleanup(func() { sayLogs(t, data) })
	// A first installation that was killed in the middle.
	if err := os.MkdirAll(filepath.Join(data, "mariadb.unfinished", "mysql"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "version"), []byte("1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	first := cancaleUp(t, data).start()

	t.Run("the first start gives the link of the first administrator", func(t *testing.T) {
		if len(first.lines) != 2 || !strings.HasPrefix(first.lines[0], "first administrator: http://127.0.0.1:") || !strings.Contains(first.lines[0], "/invitation/") {
			t.Errorf("standard output: %q", first.lines)
		}
	})

	t.Run("the status names what runs", func(t *testing.T) {
		s := first.status()
		if !s.Ready || s.PID != first.cmd.Process.Pid || s.Data != data || len(s.Services) != 5 {
			t.Errorf("%+v", s)
		}
		for _, svc := range s.Services {
			if svc.State != supervise.Running || syscall.Kill(svc.PID, 0) != nil {
				t.Errorf("%+v", svc)
			}
		}
	})

	t.Run("each daemon has the rights that it needs and the caller's environment is nobody's", func(t *testing.T) {
		for name, uid := range map[string]int{"mariadb": config.MariaDBUID, "panel": config.PanelUID, "agent": 0, "ftpd": 0, "apache": 0} {
			pid := strconv.Itoa(first.service(name).PID)
			status, err := os.ReadFile("/proc/" + pid + "/status")
			if err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprintf("\nUid:\t%[1]d\t%[1]d\t%[1]d\t%[1]d\n", uid); !bytes.Contains(status, []byte(want)) {
				t.Errorf("%s does not run as %d", name, uid)
			}
			env, err := os.ReadFile("/proc/" + pid + "/environ")
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(env, []byte("SECRET_OF_THE_CALLER")) {
				t.Errorf("%s has the caller's environment", name)
			}
		}
	})

	t.Run("the data directory is what the isolation model says", func(t *testing.T) {
		for path, mode := range map[string]os.FileMode{
			"": 0o711, "etc": 0o711, "run": 0o711, "t": 0o711, "f": 0o711, "apache": 0o700, "php": 0o700, "sandbox": 0o700, "log": 0o710,
			"mariadb": 0o700, "mariadb-files": 0o700, "etc/secrets.json": 0o600, "etc/instance": 0o600,
			"etc/agent.json": 0o600, "etc/ftpd.json": 0o600, "etc/cli.json": 0o600, "etc/panel.json": 0o640,
			"run/supervisor.sock": 0o600,
		} {
			info, err := os.Stat(filepath.Join(data, path))
			if err != nil || info.Mode().Perm() != mode {
				t.Errorf("%s: %v, %v; want %v", path, info.Mode(), err, mode)
			}
		}
	})

	t.Run("a second start is refused with the pid of the first", func(t *testing.T) {
		line := cancaleUp(t, data).refused()
		if !strings.Contains(line, strconv.Itoa(first.cmd.Process.Pid)) || !strings.Contains(line, data) {
			t.Error(line)
		}
	})

	t.Run("a daemon that dies is started again", func(t *testing.T) {
		for _, name := range []string{"panel", "ftpd", "agent", "apache", "mariadb"} {
			old := first.service(name).PID
			if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			within(t, 20*time.Second, name+" runs again", func() bool {
				s := first.service(name)
				return s.PID != old && s.State == supervise.Running
			})
		}
		within(t, 20*time.Second, "all is ready", func() bool { return first.status().Ready })
	})

	t.Run("the supervisor answers root", func(t *testing.T) {
		services, err := supervise.Client{Socket: first.layout.SupervisorSocket()}.Services(t.Context())
		if err != nil || len(services) != 5 {
			t.Errorf("root: %v, %v", services, err)
		}
	})

	t.Run("after kill -9 the next start keeps everything and leaves nothing running twice", func(t *testing.T) {
		must(t, data, "account", "create", "souffle", "--label", "Le Souffle", "--plan", "asso")
		must(t, data, "site", "create", "www.souffle.example", "--account", "souffle", "--wait")
		if err := first.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-first.done
		next := cancaleUp(t, data).start()
		if site := must(t, data, "site", "show", "www.souffle.example", "--json"); !strings.Contains(site, `"live"`) {
			t.Errorf("the site: %s", site)
		}
		mariadbs := 0
		for _, line := range next.processes() {
			if strings.Contains(line, "mariadbd") {
				mariadbs++
			}
		}
		if mariadbs != 1 {
			t.Errorf("%d MariaDBs run", mariadbs)
		}
		began := time.Now()
		next.stop()
		t.Logf("stopped within %v", time.Since(began))
		if left := next.processes(); len(left) > 0 {
			t.Errorf("still running: %q", left)
		}
		log, err := os.ReadFile(filepath.Join(data, "log", "mariadb.log"))
		if err != nil || !bytes.HasSuffix(bytes.TrimSpace(log), []byte("Shutdown complete")) {
			t.Errorf("MariaDB did not end in order: %v", err)
		}
		if strings.Contains(next.stderr.String(), "does not stop") {
			t.Errorf("something had to be killed: %s", &next.stderr)
		}
		if next.cmd.ProcessState.ExitCode() != 0 {
			t.Errorf("it ended with %v: %s", next.cmd.ProcessState, &next.stderr)
		}
	})
}

// sayLogs shows the ends of the daemons' logs when the test has failed.
func sayLogs(t *testing.T, data string) {
	t.Helper()
	if !t.Failed() {
		return
	}
	files, err := filepath.Glob(filepath.Join(data, "log", "*.log"))
	if err != nil {
		t.Error(err)
	}
	for _, file := range files {
		text, _ := os.ReadFile(file)
		t.Logf("%s:\n%s", filepath.Base(file), text[max(0, len(text)-4000):])
	}
}

// must runs a command of the command line.
func must(t *testing.T, data string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Args = append([]string{"cancale", "--data", data}, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LANG=C"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("cancale %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestUpIsRefusedInOneLine(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)
	empty := func(t *testing.T) string { return filepath.Join(t.TempDir(), "data") }
	holding := func(name, text string) func(t *testing.T) string {
		return func(t *testing.T) string {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			return dir
		}
	}
	readOnly := func(t *testing.T) string {
		dir := t.TempDir()
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
		return dir
	}
	broken := filepath.Join(t.TempDir(), "broken")
	unreadable := func(t *testing.T) string {
		for name, text := range map[string]string{"version": "1\n", "etc/secrets.json": ""} {
			path := filepath.Join(broken, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return broken
	}
	for _, tt := range []struct {
		name string
		data func(t *testing.T) string
		args []string
		want string
	}{
		{"a disk that is mounted read-only", readOnly, nil, "read-only"},
		{"a new directory on such a disk", func(t *testing.T) string { return filepath.Join(readOnly(t), "data") }, nil, "read-only"},
		{"a file that makes no sense is named as everybody sees it", unreadable, nil, filepath.Join(broken, "etc", "secrets.json")},
		{"a port that is taken", empty, []string{"--http-port", port}, "port " + port + " is taken; choose another with --http-port"},
		{"the panel's port that is taken", empty, []string{"--panel-port", port}, "port " + port + " is taken; choose another with --panel-port"},
		{"a directory of another version", holding("version", "7\n"), nil, "layout 7"},
		{"a directory that holds something else", holding("thesis.odt", "text"), nil, "thesis.odt"},
		{"homes of sites without the database that knows them", func(t *testing.T) string {
			dir := holding("version", layoutVersion+"\n")(t)
			if err := os.MkdirAll(filepath.Join(dir, "t", strings.Repeat("a", 32)), 0o700); err != nil {
				t.Fatal(err)
			}
			return dir
		}, nil, "mariadb is missing"},
		{"a file", func(t *testing.T) string { return filepath.Join(holding("file", "")(t), "file") }, nil, "is not a directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data := tt.data(t)
			before := tree(t, filepath.Dir(data))
			line := cancaleUp(t, data, tt.args...).refused()
			if !strings.Contains(line, tt.want) {
				t.Errorf("%s, want %s", line, tt.want)
			}
			if strings.HasPrefix(tt.name, "a directory that holds") && tree(t, filepath.Dir(data)) != before {
				t.Errorf("before: %s\nafter: %s", before, tree(t, filepath.Dir(data)))
			}
		})
	}
}

// tree names what is in a directory.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var names strings.Builder
	if err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		names.WriteString(path + " ")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return names.String()
}

func TestUpOnADiskThatIsFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8M"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	line := cancaleUp(t, filepath.Join(dir, "data")).refused()
	if !strings.Contains(line, "MB left") {
		t.Error(line)
	}
}

func TestUpIsReadyWithinFiveSecondsWhenInstalled(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	cancaleUp(t, data).start().stop()
	began := time.Now()
	cancaleUp(t, data).start()
	took := time.Since(began)
	t.Logf("ready after %v", took)
	if took > 5*time.Second {
		t.Errorf("ready after %v", took)
	}
}

func TestEnterRunsAsTheSite(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	cancaleUp(t, data).start()
	must(t, data, "account", "create", "souffle", "--label", "Le Souffle", "--plan", "asso")
	site := must(t, data, "site", "create", "www.souffle.example", "--account", "souffle", "--wait", "--json")
	var made struct{ UID int }
	if err := json.Unmarshal([]byte(site), &made); err != nil {
		t.Fatal(err)
	}
	got := must(t, data, "enter", "www.souffle.example", "--", "sh", "-c", "id -u; pwd; ls; ls /srv /var")
	want := fmt.Sprintf("%d\n/srv/site\nprivate\nsessions\ntmp\nwww\n/srv:\nsite\n\n/var:\ntmp\n", made.UID)
	if got != want {
		t.Errorf("inside:\n%s\nwant:\n%s", got, want)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Args = []string{"cancale", "--data", data, "enter", "www.souffle.example", "--", "false"}
	if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("the program's status is not ours: %v", err)
	}
	cmd = exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Args = []string{"cancale", "--data", data, "enter", "nobody.example"}
	if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() != exitNotFound {
		t.Errorf("a site that is not there: %v", err)
	}
}

// TestUpOutlivesAnUpgrade takes the program's file away, as an upgrade does that
// puts a newer one in its place, and then ends every service.
func TestUpOutlivesAnUpgrade(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "cancale")
	text, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, text, 0o755); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	t.Cleanup(func() { sayLogs(t, data) })
	r := cancaleUp(t, data)
	r.cmd.Path = program
	r.start()
	if err := os.Remove(program); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"mariadb", "apache", "agent", "ftpd", "panel"} {
		old := r.service(name).PID
		if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		within(t, patient, name+" runs again", func() bool {
			now := r.service(name)
			return now.PID != old && now.State == supervise.Running
		})
	}
	must(t, data, "account", "create", "asso", "--label", "Asso")
	must(t, data, "site", "create", "after.example", "--account", "asso", "--wait=90s")
	if code, _, err := r.visit("after.example", "/"); code != 200 {
		t.Errorf("%d %v", code, err)
	}
	if wrong := r.diagnosis(); wrong["answer.http"] != "" || wrong["apache.configuration"] != "" {
		t.Errorf("doctor: %v", wrong)
	}
}
