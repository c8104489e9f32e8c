package testenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cancale/internal/config"
	"cancale/internal/host"
)

// Layout is an empty installation for the length of a test, which the daemons'
// users can reach.
func Layout(tb testing.TB) config.Layout {
	tb.Helper()
	root, err := os.MkdirTemp("", "cancale-") // short: a socket's path has at most 107 bytes
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(root) })
	if err := os.Chmod(root, 0o711); err != nil {
		tb.Fatal(err)
	}
	return config.Layout{Root: root}
}

// FreePort is a port of 127.0.0.1 on which nobody listens.
func FreePort(tb testing.TB) int {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

const (
	apacheStart = 20 * time.Second
	apacheStop  = 10 * time.Second
	apachePause = 2 * time.Millisecond
)

// ApacheServer is a private Apache, and the host.Services of the drivers that
// a test runs beside it: it can be reloaded, and activates nothing.
type ApacheServer struct {
	Port int // on which it answers, for Start to wait for

	program string
	args    []string
	env     []string

	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{}
}

// Apache is a server that does not run yet; it is stopped with the test.
func Apache(tb testing.TB, port int) *ApacheServer {
	tb.Helper()
	if _, err := need("apache2", "apache2-bin"); err != nil {
		tb.Fatal(err)
	}
	s := &ApacheServer{Port: port}
	tb.Cleanup(s.Stop)
	return s
}

// Start starts the program, which stays in the foreground, and waits until it
// answers.
func (s *ApacheServer) Start(tb testing.TB, program string, args, env []string) {
	tb.Helper()
	s.program, s.args = WithoutResolver(tb, program, args)
	s.env = env
	if err := s.start(); err != nil {
		tb.Fatal(err)
	}
}

// Restart starts the program again after it ended.
func (s *ApacheServer) Restart(tb testing.TB) {
	tb.Helper()
	s.Stop()
	if err := s.start(); err != nil {
		tb.Fatal(err)
	}
}

// WithoutResolver is the command that runs a program where no name is asked of
// the network, as Apache runs in its own view of the machine: it asks for each
// character that a proxy's name may hold when it reads its configuration.
func WithoutResolver(tb testing.TB, program string, args []string) (string, []string) {
	tb.Helper()
	names := filepath.Join(tb.TempDir(), "nsswitch.conf")
	if err := os.WriteFile(names, []byte("hosts: files\n"), 0o644); err != nil {
		tb.Fatal(err)
	}
	return "/usr/bin/unshare", append([]string{"--mount", "/bin/sh", "-c", `/bin/mount --bind "$0" /etc/nsswitch.conf && exec "$@"`, names, program}, args...)
}

func (s *ApacheServer) start() error {
	cmd := exec.Command(s.program, s.args...)
	cmd.Env = s.env
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("testenv: apache: %w", err)
	}
	exited := make(chan struct{})
	s.mu.Lock()
	s.cmd, s.exited = cmd, exited
	s.mu.Unlock()
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	deadline := time.After(apacheStart)
	tick := time.NewTicker(apachePause)
	// An answer, and not only a connection: until then a signal would end it.
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	defer tick.Stop()
	for {
		resp, err := client.Get("http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) + "/")
		if err == nil {
			return resp.Body.Close()
		}
		select {
		case <-exited:
			return fmt.Errorf("testenv: apache ended: %v", cmd.ProcessState)
		case <-deadline:
			return fmt.Errorf("testenv: apache does not answer: %w", err)
		case <-tick.C:
		}
	}
}

// PID is the process that holds the others; 0 when it does not run.
func (s *ApacheServer) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return 0
	}
	select {
	case <-s.exited:
		return 0
	default:
		return s.cmd.Process.Pid
	}
}

// Exited is closed when the program that was last started has ended.
func (s *ApacheServer) Exited() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.exited
}

// Stop ends it and all its processes.
func (s *ApacheServer) Stop() {
	pid := s.PID()
	if pid == 0 {
		return
	}
	_ = syscall.Kill(pid, syscall.SIGTERM)
	select {
	case <-s.Exited():
	case <-time.After(apacheStop):
	}
	_ = syscall.Kill(-pid, syscall.SIGKILL)
	<-s.Exited()
}

// Memory is the proportional share, in bytes, of all its processes.
func (s *ApacheServer) Memory(tb testing.TB) int64 {
	tb.Helper()
	pid := strconv.Itoa(s.PID())
	children, err := os.ReadFile(filepath.Join("/proc", pid, "task", pid, "children"))
	if err != nil {
		tb.Fatal(err)
	}
	var total int64
	pids := append([]string{pid}, strings.Fields(string(children))...)
	for _, p := range pids {
		rollup, err := os.ReadFile(filepath.Join("/proc", p, "smaps_rollup"))
		if err != nil {
			continue // ended meanwhile
		}
		var kb int64
		for line := range strings.SplitSeq(string(rollup), "\n") {
			if _, err := fmt.Sscanf(line, "Pss: %d kB", &kb); err == nil {
				total += kb << 10
			}
		}
	}
	return total
}

// Reload is host.Services: a graceful restart.
func (s *ApacheServer) Reload(_ context.Context, service string) error {
	pid := s.PID()
	if service != "apache" || pid == 0 {
		return fmt.Errorf("testenv: %s does not run", service)
	}
	return syscall.Kill(pid, syscall.SIGUSR1)
}

var errNoActivation = errors.New("testenv: this server activates nothing")

// EnsureActivated is host.Services.
func (s *ApacheServer) EnsureActivated(context.Context, host.Activation) error {
	return errNoActivation
}

// RemoveActivated is host.Services.
func (s *ApacheServer) RemoveActivated(context.Context, string) error { return errNoActivation }
