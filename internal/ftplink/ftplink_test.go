package ftplink_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"cancale/internal/config"
	"cancale/internal/ftplink"
	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

var system = hosting.System("cli:root")

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// serve runs a daemon's end with what change adds to it.
func serve(t *testing.T, st *store.Store, change func(*ftplink.Server)) (path string) {
	t.Helper()
	root := t.TempDir()
	for p := root; p != os.TempDir(); p = filepath.Dir(p) {
		ok(t, os.Chmod(p, 0o755))
	}
	path = filepath.Join(root, "ftpd", "link.sock")
	ok(t, ftplink.MakeDir(path))
	l, err := ftplink.Listen(path)
	ok(t, err)
	s := ftplink.NewServer(st)
	if change != nil {
		change(s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return path
}

// as runs fn on a thread whose user is another one. The thread is not used
// again.
func as(uid int, fn func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		const same = ^uintptr(0)
		for _, call := range [][2]uintptr{{unix.SYS_SETRESGID, uintptr(uid)}, {unix.SYS_SETRESUID, uintptr(uid)}} {
			if _, _, errno := unix.RawSyscall(call[0], same, call[1], same); errno != 0 {
				result <- errno
				return
			}
		}
		result <- fn()
	}()
	return <-result
}

// connect connects without the runtime's help, so that it happens on this very
// thread, and asks.
func connect(path string, header ...string) (string, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return "", err
	}
	request := "GET /status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + strings.Join(append(header, "", ""), "\r\n")
	if _, err := unix.Write(fd, []byte(request)); err != nil {
		return "", err
	}
	var all []byte
	for buffer := make([]byte, 4096); ; {
		n, err := unix.Read(fd, buffer)
		if n <= 0 || err != nil {
			return string(all), err
		}
		all = append(all, buffer[:n]...)
	}
}

func TestTheDaemonAnswers(t *testing.T) {
	c := ftplink.NewClient(serve(t, testenv.Store(t), nil))
	var status ftplink.Status
	ok(t, c.Call(t.Context(), system, http.MethodGet, "/status", nil, nil, &status))
	if status.PID != os.Getpid() || status.Since.IsZero() {
		t.Errorf("status = %+v", status)
	}
	err := c.Call(t.Context(), hosting.Actor{}, http.MethodGet, "/status", nil, nil, &status)
	if err == nil || hosting.KindOf(err) != hosting.Unauthenticated {
		t.Errorf("nobody: %v", err)
	}
}

func TestOnlyRootAndThePanelConnect(t *testing.T) {
	path := serve(t, testenv.Store(t), nil)
	info, err := os.Stat(filepath.Dir(path))
	ok(t, err)
	if info.Mode().Perm() != 0o710 {
		t.Errorf("the directory has mode %v", info.Mode())
	}
	t.Run("a stranger does not reach the socket", func(t *testing.T) {
		err := as(config.FirstSiteUID, func() error { _, err := connect(path); return err })
		if !errors.Is(err, unix.EACCES) {
			t.Errorf("connect: %v, want %v", err, unix.EACCES)
		}
	})
	t.Run("the panel asks in the name of a person", func(t *testing.T) {
		var answer string
		ok(t, as(config.PanelUID, func() (err error) {
			answer, err = connect(path, "Cancale-System: cli:root")
			return err
		}))
		if !strings.Contains(answer, "422") || strings.Contains(answer, "pid") {
			t.Errorf("the panel is believed to be the machine: %q", answer)
		}
	})
	t.Run("a stranger who reaches the socket is turned away", func(t *testing.T) {
		ok(t, os.Chmod(filepath.Dir(path), 0o755))
		ok(t, os.Chmod(path, 0o666))
		var answer string
		err := as(config.FirstSiteUID, func() (err error) {
			answer, err = connect(path, "Cancale-Person: 1")
			return err
		})
		if answer != "" {
			t.Errorf("a stranger was answered %q, %v", answer, err)
		}
	})
}

func TestAPersonMayWhatThePersonMay(t *testing.T) {
	st := testenv.Store(t)
	account, err := st.CreateAccount(t.Context(), system, hosting.AccountSpec{Name: "voile", Label: "Voile", Plan: "asso"})
	ok(t, err)
	person, err := st.CreatePersonWithPassword(t.Context(), system, hosting.PersonSpec{Email: "ada@example.org"},
		[]store.MembershipSpec{{Account: account.ID, Role: hosting.Webmaster}}, "a long enough password")
	ok(t, err)
	_, err = st.CreatePersonWithPassword(t.Context(), system, hosting.PersonSpec{Email: "first@example.org", Role: hosting.Administrator}, nil, "a long enough password")
	ok(t, err)
	path := serve(t, st, func(s *ftplink.Server) {
		s.Handle("POST /echo/{id}", hosting.FTPWrite, func(w http.ResponseWriter, r ftplink.Request) error {
			if !r.Actor.CanIn(hosting.FTPWrite, hosting.AccountID(r.ID("id"))) {
				return hosting.Refuse(hosting.NotFound, "name", "site.not_found", "x")
			}
			_, err := io.Copy(w, r.Body)
			return err
		})
		s.Handle("GET /admin", hosting.AdminRead, func(http.ResponseWriter, ftplink.Request) error { return nil })
		s.Handle("GET /broken", hosting.SignedIn, func(w http.ResponseWriter, _ ftplink.Request) error {
			_, _ = io.WriteString(w, strings.Repeat("half", 10_000))
			return errors.New("the disk is gone")
		})
		s.Handle("GET /fault", hosting.SignedIn, func(http.ResponseWriter, ftplink.Request) error { return errors.New("/srv/secret") })
	})
	c := ftplink.NewClient(path)
	actor, err := st.ActorOf(t.Context(), person.ID, "192.0.2.1")
	ok(t, err)
	mine, none := "/echo/"+strconv.FormatUint(uint64(account.ID), 10), "/echo/999"

	res, err := c.Do(t.Context(), actor, http.MethodPost, mine, ftplink.Query("a", "b"), strings.NewReader("hello"))
	ok(t, err)
	text, err := io.ReadAll(res.Body)
	ok(t, errors.Join(err, res.Body.Close()))
	if string(text) != "hello" {
		t.Errorf("echo = %q", text)
	}
	for _, c := range []struct {
		name string
		err  error
		kind hosting.Kind
	}{
		{"another's account", c.Call(t.Context(), actor, http.MethodPost, none, nil, nil, nil), hosting.NotFound},
		{"a page of the team", c.Call(t.Context(), actor, http.MethodGet, "/admin", nil, nil, nil), hosting.Forbidden},
		{"a fault of ours", c.Call(t.Context(), actor, http.MethodGet, "/fault", nil, nil, nil), hosting.Internal},
		{"a daemon that is gone", ftplink.NewClient(path+".not").Call(t.Context(), actor, http.MethodGet, "/status", nil, nil, nil), hosting.Unavailable},
	} {
		if c.err == nil || hosting.KindOf(c.err) != c.kind || strings.Contains(c.err.Error(), "secret") {
			t.Errorf("%s: %v, want %v", c.name, c.err, c.kind)
		}
	}
	res, err = c.Do(t.Context(), actor, http.MethodGet, "/broken", nil, nil)
	ok(t, err)
	if _, err := io.Copy(io.Discard, res.Body); err == nil {
		t.Error("half an answer passed for a whole one")
	}
	ok(t, res.Body.Close())

	ok(t, st.DisablePerson(t.Context(), system, person.ID))
	err = c.Call(t.Context(), actor, http.MethodGet, "/status", nil, nil, nil)
	if err == nil || hosting.KindOf(err) != hosting.Unauthenticated {
		t.Errorf("a person who was shut out: %v", err)
	}
}

func TestASocketThatAKilledDaemonLeft(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ftpd", "link.sock")
	ok(t, ftplink.MakeDir(path))
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	ok(t, err)
	old.SetUnlinkOnClose(false)
	ok(t, old.Close())
	l, err := ftplink.Listen(path)
	ok(t, err)
	ok(t, l.Close())
}
