package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"cancale/ftpd"
	"cancale/internal/adminer"
	"cancale/internal/config"
	"cancale/internal/driver/apache"
	"cancale/internal/ftplink"
	"cancale/internal/host"
	"cancale/internal/hosting"
	"cancale/internal/store"
)

// layoutVersion is of the directories and files of an installation. What an
// older or newer program laid out is not touched.
const layoutVersion = "1"

// makeData makes the data directory when it is not there.
func makeData(root string) error {
	if err := os.MkdirAll(root, 0o711); err != nil {
		if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, fs.ErrExist) {
			return refuseUp("up.not_a_directory", root)
		}
		if errors.Is(err, syscall.EROFS) {
			return refuseUp("up.read_only", root)
		}
		return err
	}
	return nil
}

// takeLock makes sure that there is one `up` for the data, and writes its pid
// down.
func takeLock(path, data string) (*os.File, error) {
	lock, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := host.Lock(lock); err != nil {
		defer lock.Close()
		if !errors.Is(err, host.ErrLocked) {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		pid, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		return nil, refuseUp("up.running", strings.TrimSpace(string(pid)), data)
	}
	if err := lock.Truncate(0); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if _, err := lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// prepare makes sure that the machine and the directory can carry an
// installation, and makes what belongs to every one. It may be run at any time.
func (u *privateInstallation) prepare() error {
	for _, step := range []func() error{u.checkPrograms, u.checkDisk, u.markVersion, u.makeDirectories, u.readSecrets, u.makeCertificate, u.makeHostKeys} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (u *privateInstallation) makeCertificate() error {
	if err := makeCertificate(u.Layout, u.ports.hosts(), time.Now()); err != nil {
		return err
	}
	u.ftp.settle(ownCertificate(u.Layout))
	return nil
}

// programs that are started, and Debian's packages that they come in.
var programs = []struct{ path, pkg string }{
	{"/usr/sbin/apache2", "apache2-bin"},
	{"/usr/sbin/mariadbd", "mariadb-server-core"},
	{"/usr/bin/mariadb-dump", "mariadb-client"},
	{adminer.Program, "adminer"},
	{"/usr/sbin/php-fpm" + string(hosting.DefaultPHPVersion), "php" + string(hosting.DefaultPHPVersion) + "-fpm"},
}

func (u *privateInstallation) checkPrograms() error {
	var missing []string
	for _, p := range programs {
		if _, err := os.Stat(p.path); err != nil {
			missing = append(missing, p.pkg)
		}
	}
	if len(missing) > 0 {
		return refuseUp("up.missing", strings.Join(missing, " "))
	}
	return nil
}

// checkVersion refuses a directory that holds something else, without touching
// it.
func (u *privateInstallation) checkVersion() error {
	version, err := os.ReadFile(u.Version())
	if err == nil {
		if v := strings.TrimSpace(string(version)); v != layoutVersion {
			return refuseUp("up.other_version", u.outside, v, layoutVersion)
		}
		return u.checkDatabase()
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	entries, err := os.ReadDir(u.Root)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != filepath.Base(u.Lock()) && e.Name() != "lost+found" && !strings.HasPrefix(e.Name(), unfinishedPrefix) {
			return refuseUp("up.not_empty", u.outside, e.Name())
		}
	}
	return nil
}

// checkDatabase refuses to begin anew beside the homes of sites that are there:
// uids would be given a second time, to the sites of others.
func (u *privateInstallation) checkDatabase() error {
	if _, err := os.Stat(u.MariaDB()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	homes, err := os.ReadDir(u.Homes())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(homes) > 0 {
		return refuseUp("up.database_lost", filepath.Join(u.outside, filepath.Base(u.MariaDB())), filepath.Join(u.outside, filepath.Base(u.Homes())))
	}
	return nil
}

// markVersion makes a new directory ours.
func (u *privateInstallation) markVersion() error {
	if _, err := os.Stat(u.Version()); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return writeFile(u.Version(), []byte(layoutVersion+"\n"), 0o644, 0)
}

// What a disk must have left for an installation to start, in MiB: the first
// time MariaDB makes its files.
const (
	roomFirst = 300
	roomLater = 50
	roomFiles = 1000
)

func (u *privateInstallation) checkDisk() error {
	// Homes are guarded by access lists.
	if _, err := unix.Lgetxattr(u.Root, "system.posix_acl_access", nil); errors.Is(err, unix.EOPNOTSUPP) {
		return refuseUp("up.no_acl", u.outside)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(u.Root, &st); err != nil {
		return fmt.Errorf("%s: %w", u.outside, err)
	}
	need := uint64(roomLater)
	if _, err := os.Stat(u.MariaDB()); err != nil {
		need = roomFirst
	}
	if left := st.Bavail * uint64(st.Bsize) >> 20; left < need {
		return refuseUp("up.disk_small", u.outside, strconv.FormatUint(left, 10), strconv.FormatUint(need, 10))
	}
	if st.Files > 0 && st.Ffree < roomFiles {
		return refuseUp("up.disk_full", u.outside)
	}
	return nil
}

// makeDirectories makes what every installation has, with the modes of the
// isolation model, and removes what only said how the last run was.
func (u *privateInstallation) makeDirectories() error {
	for _, d := range []struct {
		path string
		mode fs.FileMode
		gid  int
	}{
		{u.Root, 0o711, 0},
		{u.Etc(), 0o711, 0},
		{u.Run(), 0o711, 0},
		{u.Homes(), 0o711, 0},
		{u.Sockets(), 0o711, 0},
		{u.Apache(), 0o700, 0},
		{u.Pages(), 0o711, 0},
		{u.PHP(), 0o700, 0},
		{u.Sandbox(), 0o700, 0},
		{u.Logs(), 0o710, config.PanelUID},
	} {
		if err := os.Mkdir(d.path, d.mode); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := os.Chown(d.path, 0, d.gid); err != nil {
			return err
		}
		if err := os.Chmod(d.path, d.mode); err != nil {
			return err
		}
	}
	if err := ftplink.MakeDir(u.FTPSocket()); err != nil {
		return err
	}
	for _, stale := range []string{u.Status(), u.AgentReady()} {
		if err := os.Remove(stale); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// secrets are made once for an installation.
type secrets struct {
	App   string `json:"app_password"`   // MariaDB, as the panel and the command line
	Agent string `json:"agent_password"` // MariaDB, as the agent
	FTP   string `json:"ftp_password"`   // MariaDB, as the FTP daemon
	Panel []byte `json:"panel_secret"`   // signs the panel's forms
}

// forFTP is a secret of the FTP daemon's own, the same at each start: it opens
// nothing that the panel has sealed.
func (s secrets) forFTP() []byte {
	mac := hmac.New(sha256.New, s.Panel)
	_, _ = mac.Write([]byte("cancale ftpd")) // never fails
	return mac.Sum(nil)
}

const panelSecretBytes = 32

// readSecrets reads the installation's secrets and its name among processes,
// made anew when they are missing.
func (u *privateInstallation) readSecrets() error {
	data, err := os.ReadFile(u.Secrets())
	switch {
	case err == nil:
		if err := json.Unmarshal(data, &u.secrets); err != nil {
			return fmt.Errorf("%s: %w", u.Secrets(), err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	default:
		u.secrets = secrets{App: rand.Text(), Agent: rand.Text(), Panel: make([]byte, panelSecretBytes)}
		_, _ = rand.Read(u.secrets.Panel) // never fails
	}
	if u.secrets.FTP == "" { // new, or from before the FTP daemon had a user of its own
		u.secrets.FTP = rand.Text()
		if err := writeJSONFile(u.Secrets(), u.secrets, 0o600, 0); err != nil {
			return err
		}
	}
	instance, err := os.ReadFile(u.Instance())
	if errors.Is(err, fs.ErrNotExist) {
		instance = []byte(rand.Text())
		err = writeFile(u.Instance(), instance, 0o600, 0)
	}
	u.instance = strings.TrimSpace(string(instance))
	return err
}

// What each daemon is told, in a file of its own.
type (
	panelSettings struct {
		Store      store.Config     `json:"store"`
		Secret     []byte           `json:"secret"`
		PublicURL  string           `json:"public_url"`
		HTTPPort   int              `json:"http_port"`
		FTPPort    int              `json:"ftp_port"`
		FTPTLS     bool             `json:"ftp_tls"`
		FTPAddress string           `json:"ftp_address"` // on this machine
		SFTPPort   int              `json:"sftp_port"`
		HostKeys   []config.HostKey `json:"host_keys"`
	}
	agentSettings struct {
		Store  store.Config  `json:"store"`
		Node   string        `json:"node"`
		Apache apache.Config `json:"apache"`
	}
	ftpdSettings struct {
		Store store.Config `json:"store"`
		ftpPolicy
	}
)

func panelFile(l config.Layout) string { return l.In("etc", "panel.json") }
func agentFile(l config.Layout) string { return l.In("etc", "agent.json") }
func ftpdFile(l config.Layout) string  { return l.In("etc", "ftpd.json") }

func (u *privateInstallation) storeConfig(user, password string) store.Config {
	return store.Config{
		Socket: u.MariaDBSocket(), Database: databaseName, User: user, Password: password,
		PanelHost: u.ports.panelHost(), AgentSocket: u.AgentSocket(),
	}
}

// writeSettings writes what the daemons and the command line read.
func (u *privateInstallation) writeSettings() error {
	app := u.storeConfig(appUser, u.secrets.App)
	app.Seal = u.secrets.Panel
	agent := u.storeConfig(agentUser, u.secrets.Agent)
	ftp := u.storeConfig(ftpUser, u.secrets.FTP)
	ftp.Seal = u.secrets.forFTP()
	return errors.Join(
		writeJSONFile(panelFile(u.Layout), panelSettings{app, u.secrets.Panel, u.ports.url(), u.ports.http, u.ports.ftp, u.ftp.TLS != ftpd.TLSOff, u.ports.dial(u.ports.ftp), u.ports.sftp, u.hostKeys}, 0o640, config.PanelUID),
		writeJSONFile(agentFile(u.Layout), agentSettings{agent, nodeName, u.apacheConfig()}, 0o600, 0),
		writeJSONFile(ftpdFile(u.Layout), ftpdSettings{ftp, u.ftp}, 0o600, 0),
		writeJSONFile(u.In("etc", "cli.json"), app, 0o600, 0),
	)
}

func writeJSONFile(path string, v any, mode fs.FileMode, gid int) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(path, append(data, '\n'), mode, gid)
}

// unfinishedPrefix is of the names of files that writeFile did not complete.
const unfinishedPrefix = ".tmp-"

// writeFile replaces a file of root's in one step.
func writeFile(path string, data []byte, mode fs.FileMode, gid int) error {
	f, err := os.CreateTemp(filepath.Dir(path), unfinishedPrefix) // 0600 until it is complete
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chown(0, gid), f.Chmod(mode), f.Sync()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
