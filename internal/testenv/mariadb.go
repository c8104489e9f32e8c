// Package testenv starts the real daemons that tests run against: a private
// MariaDB and a private Apache, each under its own temporary directory. It
// never touches the machine's own services, and a missing program fails the
// test with the line that installs it.
package testenv

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cancale/internal/config"
	"cancale/internal/store"
)

// MariaDBServer is a private mariadbd.
type MariaDBServer struct {
	Dir    string
	Socket string // root signs in without a password

	exited chan struct{}
	pid    int
}

const (
	mariadbStart = 30 * time.Second // until it answers, on a busy machine
	mariadbStop  = 5 * time.Second
)

// shared is the server of a package whose TestMain uses Main.
var shared struct {
	sync.Mutex
	wanted bool
	server *MariaDBServer
}

// Main runs the tests of a package with one MariaDB for all of them:
//
//	func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }
func Main(m *testing.M) int {
	shared.wanted = true
	code := m.Run()
	if shared.server != nil {
		shared.server.stop()
	}
	return code
}

// MariaDB starts a server for the length of the test, or gives the one of the
// package when its TestMain uses Main.
func MariaDB(tb testing.TB) *MariaDBServer {
	tb.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server != nil {
		return shared.server
	}
	server, err := startMariaDB()
	if err != nil {
		tb.Fatal(err)
	}
	if shared.wanted {
		shared.server = server
	} else {
		tb.Cleanup(server.stop)
	}
	return server
}

// need finds a program, or says how to get it.
func need(program, debianPackage string) (string, error) {
	for _, dir := range []string{"/usr/sbin", "/usr/bin"} {
		if path := filepath.Join(dir, program); isExecutable(path) {
			return path, nil
		}
	}
	return "", fmt.Errorf("testenv: %s is missing; install it with: apt-get install -y --no-install-recommends %s", program, debianPackage)
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

func startMariaDB() (_ *MariaDBServer, err error) {
	mariadbd, err := need("mariadbd", "mariadb-server-core")
	if err != nil {
		return nil, err
	}
	template, err := mariadbTemplate()
	if err != nil {
		return nil, err
	}
	removeLeftovers()
	dir, err := os.MkdirTemp("", leftoverPrefix+strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return nil, fmt.Errorf("testenv: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir)
		}
	}()
	uid := os.Getuid()
	if uid == 0 {
		uid = config.MariaDBUID
	}
	data := filepath.Join(dir, "data")
	if err := copyTree(template, data, uid); err != nil {
		return nil, fmt.Errorf("testenv: copy of %s: %w", template, err)
	}
	for _, d := range []string{dir, data} {
		if err := os.Chown(d, uid, uid); err != nil && os.Getuid() == 0 {
			return nil, fmt.Errorf("testenv: %w", err)
		}
	}
	server := &MariaDBServer{Dir: dir, Socket: filepath.Join(dir, "mysqld.sock"), exited: make(chan struct{})}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, fmt.Errorf("testenv: %w", err)
	}
	defer log.Close()
	cmd := exec.Command(mariadbd, "--no-defaults", "--skip-networking", "--skip-name-resolve",
		"--datadir="+data, "--socket="+server.Socket, "--pid-file="+filepath.Join(dir, "pid"), "--tmpdir="+dir,
		"--innodb-log-file-size=4M", "--innodb-buffer-pool-size=128M", "--innodb-flush-log-at-trx-commit=0",
		"--innodb-flush-method=nosync", "--character-set-server=utf8mb4",
		"--performance-schema=OFF", "--skip-log-bin")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir, cmd.Env = dir, []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Getuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}
	}
	started := make(chan error, 1)
	go func() {
		// The death signal comes when the thread that forked ends
		// (PR_SET_PDEATHSIG(2const)), so that one is kept for as long.
		runtime.LockOSThread()
		err := cmd.Start()
		if err == nil {
			server.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			_ = cmd.Wait()
			close(server.exited)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("testenv: %s: %w", mariadbd, err)
	}
	deadline := time.Now().Add(mariadbStart)
	for {
		conn, err := net.Dial("unix", server.Socket)
		if err == nil {
			_ = conn.Close()
			return server, nil
		}
		select {
		case <-server.exited:
			text, _ := os.ReadFile(log.Name())
			return nil, fmt.Errorf("testenv: mariadbd ended at once:\n%s", text)
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			server.stop()
			return nil, fmt.Errorf("testenv: mariadbd does not answer: %w", err)
		}
	}
}

// stop ends the server and removes its directory. The data is thrown away, so
// that it need not be written down first.
func (m *MariaDBServer) stop() {
	_ = syscall.Kill(m.pid, syscall.SIGKILL)
	select {
	case <-m.exited:
	case <-time.After(mariadbStop):
	}
	_ = os.RemoveAll(m.Dir)
}

const leftoverPrefix = "cancale-mariadb-"

// removeLeftovers removes the directories of test runs that were killed. Their
// servers died with them.
func removeLeftovers() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), leftoverPrefix+"*"))
	for _, dir := range dirs {
		owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), leftoverPrefix), "-")
		pid, err := strconv.Atoi(owner)
		if err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.RemoveAll(dir)
		}
	}
}

// mariadbTemplate is a data directory made once and kept in the user's cache:
// to copy it takes a hundredth of the time. Its root has no password.
func mariadbTemplate() (string, error) {
	install, err := need("mariadb-install-db", "mariadb-server-core")
	if err != nil {
		return "", err
	}
	mariadbd, err := need("mariadbd", "mariadb-server-core")
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	info, err := os.Stat(mariadbd)
	if err != nil {
		return "", fmt.Errorf("testenv: %w", err)
	}
	// Another build of the program makes another template.
	template := filepath.Join(cache, "cancale-test", fmt.Sprintf("mariadb-%d-%d", info.Size(), info.ModTime().Unix()))
	if _, err := os.Stat(template); err == nil {
		return template, nil
	}
	if err := os.MkdirAll(filepath.Dir(template), 0o700); err != nil {
		return "", fmt.Errorf("testenv: %w", err)
	}
	fresh, err := os.MkdirTemp(filepath.Dir(template), ".tmp-")
	if err != nil {
		return "", fmt.Errorf("testenv: %w", err)
	}
	defer os.RemoveAll(fresh)
	args := []string{
		"--no-defaults", "--datadir=" + fresh, "--skip-test-db", "--force", "--auth-root-authentication-method=normal",
		"--innodb-log-file-size=4M", "--skip-name-resolve",
	}
	if os.Getuid() == 0 {
		args = append(args, "--user=root") // mariadbd(8) refuses to run as root without it
	}
	cmd := exec.Command(install, args...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("testenv: %s: %w\n%s", install, err, bytes.TrimSpace(out))
	}
	if err := os.Rename(fresh, template); err != nil {
		if _, there := os.Stat(template); there == nil {
			return template, nil // another package's tests were faster
		}
		return "", fmt.Errorf("testenv: %w", err)
	}
	return template, nil
}

// copyTree copies directories and regular files and gives them to uid.
func copyTree(from, to string, uid int) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, name)
		switch {
		case d.IsDir():
			err = os.MkdirAll(target, 0o700)
		case d.Type().IsRegular():
			err = copyFile(path, target)
		default:
			return nil
		}
		if err == nil && os.Getuid() == 0 {
			err = os.Chown(target, uid, uid)
		}
		return err
	})
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// Installation is a fresh database with its three users.
type Installation struct {
	Server *MariaDBServer
	Root   store.Config
	App    store.Config // for store.Open
	Agent  store.Config // for store.OpenNode
	FTP    store.Config // for store.Open, as the FTP daemon
}

// Install makes a fresh database as `cancale up` makes its own.
func Install(tb testing.TB) Installation {
	tb.Helper()
	server := MariaDB(tb)
	name := "t" + strings.ToLower(rand.Text()[:12])
	at := func(user, password string) store.Config {
		return store.Config{Socket: server.Socket, Database: name, User: user, Password: password, PanelHost: "panel.cancale.example.org", Seal: []byte("the secret of this test, long enough")}
	}
	inst := Installation{
		Server: server,
		Root:   at("root", ""),
		App:    at(name+"_app", rand.Text()),
		Agent:  at(name+"_agent", rand.Text()),
		FTP:    at(name+"_ftp", rand.Text()),
	}
	err := store.Bootstrap(tb.Context(), store.BootstrapConfig{
		Socket: server.Socket, Database: name,
		AppUser: inst.App.User, AppPassword: inst.App.Password,
		AgentUser: inst.Agent.User, AgentPassword: inst.Agent.Password,
		FTPUser: inst.FTP.User, FTPPassword: inst.FTP.Password,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return inst
}

// Open opens the installation as the application, until the test ends.
func (i Installation) Open(tb testing.TB) *store.Store {
	tb.Helper()
	return openStore(tb, i.App)
}

// OpenFTP opens the installation as the FTP daemon, until the test ends.
func (i Installation) OpenFTP(tb testing.TB) *store.Store {
	tb.Helper()
	return openStore(tb, i.FTP)
}

func openStore(tb testing.TB, cfg store.Config) *store.Store {
	tb.Helper()
	st, err := store.Open(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = st.Close() })
	return st
}

// OpenNode opens the installation as the agent of the node "main".
func (i Installation) OpenNode(tb testing.TB) *store.NodeStore {
	tb.Helper()
	node, err := store.OpenNode(tb.Context(), i.Agent, "main")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = node.Close() })
	return node
}

// Store opens a fresh database as the application.
func Store(tb testing.TB) *store.Store {
	tb.Helper()
	return Install(tb).Open(tb)
}

// Stores opens a fresh database as the application and as the agent.
func Stores(tb testing.TB) (*store.Store, *store.NodeStore) {
	tb.Helper()
	inst := Install(tb)
	return inst.Open(tb), inst.OpenNode(tb)
}
