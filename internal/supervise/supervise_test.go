package supervise

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"cancale/internal/config"
	"cancale/internal/host"
)

// newSupervisor is one with a directory of its own; Stop is the test's.
func newSupervisor(t *testing.T) (*Supervisor, *lockedBuffer) {
	t.Helper()
	dir := t.TempDir()
	log := &lockedBuffer{}
	if err := os.MkdirAll(filepath.Join(dir, "run"), 0o711); err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{
		Layout: config.Layout{Root: dir}, Instance: "test-" + filepath.Base(dir) + strconv.Itoa(os.Getpid()), Idle: time.Minute,
		Changed: func() {}, Log: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, log
}

// sh is a service that a line of shell plays.
func (s *Supervisor) sh(name, line string) Service {
	return Service{
		Name: name, Path: "/bin/sh", Args: []string{"-c", line}, Env: []string{"PATH=/usr/bin:/bin"},
		Log: s.cfg.Layout.In("log", name+".log"), Grace: time.Second,
	}
}

func (s *Supervisor) service(t *testing.T, name string) config.Service {
	t.Helper()
	list := s.Services()
	i := slices.IndexFunc(list, func(svc config.Service) bool { return svc.Name == name })
	if i < 0 {
		t.Fatalf("no service %s", name)
	}
	return list[i]
}

func TestServiceIsStartedAgainWhenItDies(t *testing.T) {
	s, log := newSupervisor(t)
	defer s.Stop()
	if err := s.Start(t.Context(), s.sh("sleeper", "exec sleep 60")); err != nil {
		t.Fatal(err)
	}
	first := s.service(t, "sleeper")
	if first.State != Running || first.PID == 0 {
		t.Fatalf("%+v", first)
	}
	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it runs again", func() bool {
		now := s.service(t, "sleeper")
		return now.State == Running && now.PID != first.PID
	})
	if !strings.Contains(log.String(), "signal: killed") {
		t.Errorf("the log does not say why:\n%s", log)
	}
}

func TestServiceThatIsWedgedIsStartedAgain(t *testing.T) {
	s, log := newSupervisor(t)
	defer s.Stop()
	svc := s.sh("wedged", "while :; do echo > "+s.cfg.Layout.In("alive")+"; sleep 0.02; done")
	svc.Wedged = time.Second
	svc.Probe = func(context.Context, int) error {
		if err := os.Remove(s.cfg.Layout.In("alive")); err != nil {
			return errors.New("it does not answer")
		}
		return nil
	}
	if err := s.Start(t.Context(), svc); err != nil {
		t.Fatal(err)
	}
	first := s.service(t, "wedged")
	if err := syscall.Kill(first.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it runs again", func() bool {
		now := s.service(t, "wedged")
		return now.State == Running && now.PID != first.PID
	})
	if !strings.Contains(log.String(), "it does not answer") {
		t.Errorf("the log does not say why:\n%s", log)
	}
}

func TestServiceThatDiesAtOnceWaitsLongerEachTime(t *testing.T) {
	s, _ := newSupervisor(t)
	defer s.Stop()
	count := s.cfg.Layout.In("count")
	if err := s.Start(t.Context(), s.sh("flapping", "echo x >> "+count)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1500 * time.Millisecond) // 0, 0.2, 0.6, 1.4 s
	text, err := os.ReadFile(count)
	if n := strings.Count(string(text), "x"); err != nil || n < 3 || n > 4 {
		t.Errorf("%d starts in 1.5 s, %v", n, err)
	}
}

func TestServiceThatNeverAnswersIsAnErrorWithItsLastWords(t *testing.T) {
	s, _ := newSupervisor(t)
	defer s.Stop()
	svc := s.sh("broken", "echo starting; echo 'cannot bind to port 0' >&2; exit 3")
	svc.Probe = func(context.Context, int) error { return errors.New("nobody there") }
	err := s.Start(t.Context(), svc)
	if err == nil || !strings.Contains(err.Error(), "broken does not start") || !strings.Contains(err.Error(), "cannot bind to port 0") {
		t.Errorf("err = %v", err)
	}
}

func TestPreparationRunsBeforeEachStart(t *testing.T) {
	s, _ := newSupervisor(t)
	defer s.Stop()
	ran := make(chan struct{}, 10)
	svc := s.sh("prepared", "exec sleep 60")
	svc.Before = func(context.Context) error { ran <- struct{}{}; return nil }
	if err := s.Start(t.Context(), svc); err != nil {
		t.Fatal(err)
	}
	<-ran
	if err := syscall.Kill(s.service(t, "prepared").PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ran:
	case <-time.After(5 * time.Second):
		t.Error("not before the second start")
	}
}

func TestStopEndsEverythingInOrder(t *testing.T) {
	s, _ := newSupervisor(t)
	order := s.cfg.Layout.In("order")
	polite := func(name string) Service {
		return s.sh(name, "trap 'echo "+name+" >> "+order+"; exit 0' TERM; echo up > "+s.cfg.Layout.In(name)+"; while :; do sleep 0.02; done")
	}
	for _, name := range []string{"database", "web", "door"} {
		svc := polite(name)
		svc.Probe = func(context.Context, int) error { _, err := os.Stat(s.cfg.Layout.In(name)); return err }
		if err := s.Start(t.Context(), svc); err != nil {
			t.Fatal(err)
		}
	}
	deaf := s.sh("deaf", "trap '' TERM; sleep 60 & wait; sleep 60")
	deaf.Grace = 100 * time.Millisecond
	if err := s.Start(t.Context(), deaf); err != nil {
		t.Fatal(err)
	}
	pids := []int{}
	for _, svc := range s.Services() {
		pids = append(pids, svc.PID)
	}
	s.Stop("door")
	text, err := os.ReadFile(order)
	if err != nil || string(text) != "door\nweb\ndatabase\n" {
		t.Errorf("order: %q, %v", text, err)
	}
	for _, pid := range pids {
		if left := living(t, pid); len(left) > 0 {
			t.Errorf("left of %d: %q", pid, left)
		}
	}
}

// living are the processes of a group that are more than an entry in the table
// (proc_pid_stat(5): pid, name, state, parent, group).
func living(t *testing.T, group int) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range files {
		stat, _ := os.ReadFile(file)
		_, rest, _ := strings.Cut(string(stat), ") ")
		if f := strings.Fields(rest); len(f) > 2 && f[2] == strconv.Itoa(group) && f[0] != "Z" {
			found = append(found, string(stat))
		}
	}
	return found
}

func TestReloadSignalsApacheWhenItRuns(t *testing.T) {
	s, _ := newSupervisor(t)
	defer s.Stop()
	seen := s.cfg.Layout.In("seen")
	web := s.sh("apache", "sleep 0.3; trap 'echo x >> "+seen+"' USR1; echo > "+s.cfg.Layout.In("up")+"; while :; do sleep 0.02; done")
	web.Probe = func(context.Context, int) error { _, err := os.Stat(s.cfg.Layout.In("up")); return err }
	started := make(chan error)
	go func() { started <- s.Start(t.Context(), web) }()
	eventually(t, "it is starting", func() bool { return len(s.Services()) == 1 && s.Services()[0].PID != 0 })
	client := Client{Socket: s.cfg.Layout.SupervisorSocket()}
	// Before its handler is there the signal would end it: the request waits.
	if err := client.Reload(t.Context(), "apache"); err != nil {
		t.Fatal(err)
	}
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	eventually(t, "it has seen the signal", func() bool { _, err := os.Stat(seen); return err == nil })
	for _, other := range []string{"mariadb", ""} {
		if err := client.Reload(t.Context(), other); err == nil {
			t.Errorf("%q was reloaded", other)
		}
	}
}

func TestClientAndControlSocket(t *testing.T) {
	s, _ := newSupervisor(t)
	if err := s.Start(t.Context(), s.sh("sleeper", "exec sleep 60")); err != nil {
		t.Fatal(err)
	}
	socket := s.cfg.Layout.SupervisorSocket()
	client := Client{Socket: socket}

	t.Run("services are told", func(t *testing.T) {
		list, err := client.Services(t.Context())
		if err != nil || len(list) != 1 || list[0] != s.service(t, "sleeper") || time.Since(list[0].Since) > startLimit {
			t.Errorf("%v, %v", list, err)
		}
	})
	t.Run("the socket is root's", func(t *testing.T) {
		info, err := os.Stat(socket)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
	})
	t.Run("another user is turned away even when the socket lets him in", func(t *testing.T) {
		for dir := filepath.Dir(socket); dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) {
			if err := os.Chmod(dir, 0o711); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(socket, 0o666); err != nil {
			t.Fatal(err)
		}
		nobody := exec.Command("/usr/bin/perl", "-MIO::Socket::UNIX", "-e",
			`my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "connect: $!"; print $s qq({"op":"services"}\n); $s->flush; print scalar <$s>`, socket)
		nobody.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := nobody.CombinedOutput()
		if strings.Contains(string(out), "sleeper") || strings.Contains(string(out), "connect") {
			t.Errorf("%s, %v", out, err)
		}
	})
	t.Run("nonsense is answered and the connection goes on", func(t *testing.T) {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		buf := make([]byte, 4096)
		for _, line := range []string{"nonsense\n", "{\"op\":\"ensure\"}\n", "{\"op\":\"remove\",\"name\":\"../../etc\"}\n"} {
			if _, err := conn.Write([]byte(line)); err != nil {
				t.Fatal(err)
			}
			n, err := conn.Read(buf)
			if err != nil || !strings.Contains(string(buf[:n]), `"error"`) {
				t.Errorf("%s: %s, %v", line, buf[:n], err)
			}
		}
	})
	t.Run("after the end nobody answers", func(t *testing.T) {
		s.Stop()
		if err := client.RemoveActivated(t.Context(), "php-1"); err == nil {
			t.Error("somebody does")
		}
		if _, err := os.Stat(socket); err == nil {
			t.Error("the socket is still there")
		}
	})
}

func TestServicesOfTheHostAreTheClient(t *testing.T) {
	s, _ := newSupervisor(t)
	defer s.Stop()
	dir := s.cfg.Layout.SocketDir("token")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var services host.Services = Client{Socket: s.cfg.Layout.SupervisorSocket()}
	act := host.Activation{Name: "php-9", SocketDir: dir, Socket: filepath.Join(dir, "fpm.sock"), Spec: "/nowhere", Hash: "1"}
	for range 2 {
		if err := services.EnsureActivated(t.Context(), act); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(act.Socket); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := services.RemoveActivated(t.Context(), "php-9"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(act.Socket); err == nil {
		t.Error("the socket is still there")
	}
}

func TestLeftoversEnd(t *testing.T) {
	instance := "leftover-" + strconv.Itoa(os.Getpid())
	// A daemon that left its process group, as nobody's child.
	cmd := exec.Command("/bin/sh", "-c", "setsid sleep 60 >/dev/null 2>&1 & echo $!")
	cmd.Env = []string{"PATH=/usr/bin:/bin", instanceVar + "=" + instance}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	other := exec.Command("/bin/sleep", "60")
	other.Env = []string{instanceVar + "=" + instance + "0"} // another instance, of nearly the same name
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Process.Kill(); _ = other.Wait() }()
	if n, err := EndLeftovers(instance); err != nil || n != 1 {
		t.Errorf("%d ended, %v", n, err)
	}
	if state, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat"); err == nil && !strings.Contains(string(state), ") Z ") {
		t.Errorf("it lives: %s", state)
	}
	if syscall.Kill(other.Process.Pid, 0) != nil {
		t.Error("another installation's process was ended")
	}
	if n, err := EndLeftovers(instance); err != nil || n != 0 {
		t.Errorf("the second time: %d, %v", n, err)
	}
}

func TestLogsAreBounded(t *testing.T) {
	t.Run("a site's program cannot fill the disk", func(t *testing.T) {
		file, err := os.Create(filepath.Join(t.TempDir(), "log"))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		log := &programLog{file: file, left: maxProgramLog}
		for range 100 {
			if n, err := log.Write(make([]byte, 10_000)); n != 10_000 || err != nil {
				t.Fatal(n, err)
			}
		}
		if _, err := log.Write([]byte("\nlast words\n")); err != nil {
			t.Fatal(err)
		}
		if info, err := file.Stat(); err != nil || info.Size() != maxProgramLog {
			t.Errorf("%d bytes, %v", info.Size(), err)
		}
		if err := addLine(errors.New("it ended"), log.tail); !strings.HasSuffix(err.Error(), "last words)") {
			t.Errorf("%v", err)
		}
	})
	t.Run("a service's log is set aside while the service holds it open", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "log")
		held, err := openLog(path)
		if err != nil {
			t.Fatal(err)
		}
		defer held.Close()
		if _, err := held.Write(make([]byte, maxLog+1)); err != nil {
			t.Fatal(err)
		}
		if err := trimLog(path); err != nil {
			t.Fatal(err)
		}
		if _, err := held.WriteString("next"); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		aside, asideErr := os.Stat(path + ".1")
		if err != nil || string(text) != "next" || asideErr != nil || aside.Size() != maxLog+1 {
			t.Errorf("%d bytes, %v; aside %v, %v", len(text), err, aside, asideErr)
		}
	})
}
