package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"cancale/internal/config"
)

// Programs of Debian's mariadb-server-core.
const (
	mariadbd         = "/usr/sbin/mariadbd"
	mariadbInstallDB = "/usr/bin/mariadb-install-db"
)

// mariadbSettings is the private server's whole configuration: no network, no
// way to files, nothing that tells one member of another, and a footprint for a
// small machine. What a member may use is bounded in each grant.
const mariadbSettings = `# Written by Cancale at each start.
[mariadbd]
datadir = %[1]s
socket = %[2]s
pid-file = %[1]s/mariadbd.pid
tmpdir = %[3]s

skip-networking
skip-name-resolve
skip-show-database
local-infile = 0
secure-file-priv = %[4]s
symbolic-links = 0
event-scheduler = OFF

character-set-server = utf8mb4
collation-server = utf8mb4_unicode_ci
max-allowed-packet = 64M
max-connections = 400

performance-schema = OFF
skip-log-bin
innodb-flush-log-at-trx-commit = 1
innodb-buffer-pool-size = 64M
innodb-log-file-size = 32M
key-buffer-size = 8M
aria-pagecache-buffer-size = 8M
open-files-limit = 16384
table-open-cache = 1000
thread-cache-size = 16
log-warnings = 1
`

const (
	mariadbGrace   = 4 * time.Second
	mariadbInstall = 2 * time.Minute
)

// MariaDB is the installation's own database server.
func MariaDB(l config.Layout) Service {
	return Service{
		Name: "mariadb", Path: mariadbd, Args: []string{"--defaults-file=" + l.MariaDBSettings()},
		Env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"},
		UID: config.MariaDBUID, Log: l.In("log", "mariadb.log"), Grace: mariadbGrace,
		Probe: func(ctx context.Context, _ int) error { return greetsMariaDB(ctx, l.MariaDBSocket()) },
	}
}

// greetsMariaDB reads the first packet of a server that takes connections: four
// bytes of header, then the version of the protocol.
func greetsMariaDB(ctx context.Context, socket string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	if end, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(end)
	}
	var greeting [5]byte
	if _, err := io.ReadFull(conn, greeting[:]); err != nil {
		return err
	}
	const protocol = 10
	if greeting[4] != protocol {
		return errors.New("it refuses connections")
	}
	return nil
}

// InstallMariaDB writes the server's settings and, the first time, its empty
// databases, whose only user is root by its unix socket. A first time that was
// interrupted begins again.
func InstallMariaDB(ctx context.Context, l config.Layout, instance string) error {
	settings := fmt.Appendf(nil, mariadbSettings, l.MariaDB(), l.MariaDBSocket(), l.MariaDBTemp(), l.MariaDBFiles())
	if err := writeFile(l.MariaDBSettings(), settings, 0o644, 0); err != nil {
		return err
	}
	for dir, mode := range map[string]os.FileMode{l.MariaDBTemp(): 0o700, l.MariaDBFiles(): 0o700, filepath.Dir(l.MariaDBSocket()): 0o755} {
		if err := ownedDir(dir, mode); err != nil {
			return err
		}
	}
	if _, err := os.Stat(l.MariaDB()); err == nil {
		return ownedDir(l.MariaDB(), 0o700) // renamed into its place, so complete
	}
	unfinished := l.MariaDB() + ".unfinished"
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	if err := ownedDir(unfinished, 0o700); err != nil {
		return err
	}
	if err := runInstallDB(ctx, unfinished, instance); err != nil {
		return err
	}
	return errors.Join(syncTree(unfinished), os.Rename(unfinished, l.MariaDB()))
}

func runInstallDB(ctx context.Context, dir, instance string) error {
	runtime.LockOSThread() // the death signal is of this thread's end
	defer runtime.UnlockOSThread()
	ctx, cancel := context.WithTimeout(ctx, mariadbInstall)
	defer cancel()
	// --force: the machine's own name need not resolve, for nobody will ask by it.
	cmd := exec.CommandContext(ctx, mariadbInstallDB, "--no-defaults", "--datadir="+dir, "--skip-test-db", "--skip-name-resolve", "--force",
		"--auth-root-authentication-method=socket", "--auth-root-socket-user=root", "--innodb-log-file-size=32M")
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "TMPDIR=" + dir, instanceVar + "=" + instance}
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid: true, Pdeathsig: syscall.SIGKILL, Credential: &syscall.Credential{Uid: config.MariaDBUID, Gid: config.MariaDBUID},
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("first installation of MariaDB: %w", errors.Join(addLine(err, out), ctx.Err()))
	}
	return nil
}

// ownedDir makes a directory of MariaDB's.
func ownedDir(dir string, mode os.FileMode) error {
	if err := os.MkdirAll(dir, mode); err != nil {
		return err
	}
	if err := os.Chown(dir, config.MariaDBUID, config.MariaDBUID); err != nil {
		return err
	}
	return os.Chmod(dir, mode)
}

// syncTree makes sure that what was written is on the disk.
func syncTree(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := unix.Syncfs(int(d.Fd())); err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}
