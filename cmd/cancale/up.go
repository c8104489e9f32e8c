package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"cancale/internal/config"
	"cancale/internal/driver/apache"
	"cancale/internal/host"
	"cancale/internal/hosting"
	"cancale/internal/sandbox"
	"cancale/internal/store"
	"cancale/internal/supervise"
)

func upCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run everything under one directory: panel, agent, FTP, and a MariaDB, an Apache and PHP of their own",
		Long: `Runs a private installation in the foreground until Ctrl-C or SIGTERM: the panel,
the agent, the FTP daemon, and a MariaDB, an Apache and PHP of their own. Nothing
outside of the data directory is changed, and no service of the machine is touched.

A line "ready: http://…" on standard output says that every service answers.
CANCALE_BIND is the address to listen on, 127.0.0.1 when it is not set. A port
of 0 is any free one.

CANCALE_FTP_TLS is off, offered or required; when it is not set, off with a
certificate of our own making and offered with any other. The certificate is etc/certificate.pem and etc/key.pem in
the data directory; one is made when there is none, and one that is put there is
used at once. CANCALE_FTP_ACTIVE=yes
lets the FTP service open data connections to its clients.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := layout(cmd)
			if err != nil {
				return err
			}
			ports, err := readPorts(cmd)
			if err != nil {
				return err
			}
			policy, err := readFTPPolicy()
			if err != nil {
				return err
			}
			return runUp(cmd.Context(), l, ports, policy, cmd.OutOrStdout())
		},
	}
	addPortFlags(cmd)
	return cmd
}

// refuseUp is why an installation cannot start, in one line.
func refuseUp(key string, args ...string) *hosting.Error {
	return hosting.Refuse(hosting.Unavailable, "", key, args...)
}

// runUp gives itself a view of the file system in which the data directory is
// config.Mount, and runs the installation there.
func runUp(ctx context.Context, l config.Layout, want ports, policy ftpPolicy, out io.Writer) error {
	if os.Geteuid() != 0 {
		return refuseUp("up.not_root")
	}
	outside, enclosed := supervise.Outside()
	if !enclosed {
		if err := makeData(l.Root); err != nil {
			return err
		}
		return supervise.Enclose(l.Root)
	}
	// The terminal that is closed ends everything in order; output that nobody
	// reads any more ends nothing.
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP)
	defer stop()
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))

	u := &privateInstallation{Layout: config.Layout{Root: config.Mount}, outside: outside, ports: want, ftp: policy, out: out}
	err := u.run(ctx)
	switch {
	case ctx.Err() != nil:
		return nil // it was asked to stop, and has
	case errors.Is(err, syscall.ENOSPC):
		return refuseUp("up.disk_full", outside)
	case errors.Is(err, syscall.EROFS):
		return refuseUp("up.read_only", outside)
	}
	return asSeenOutside(err, outside)
}

// asSeenOutside is err with the paths that whoever reads it knows. What is
// refused with a text of its own names them already.
func asSeenOutside(err error, outside string) error {
	if _, ok := errors.AsType[*hosting.Error](err); ok || err == nil {
		return err
	}
	return errors.New(asOutside(err.Error(), outside))
}

// asOutside names paths as the rest of the machine knows them.
func asOutside(text, outside string) string {
	return strings.ReplaceAll(text, config.Mount+"/", outside+"/")
}

// privateInstallation is a private installation while it runs.
type privateInstallation struct {
	config.Layout        // as the daemons see it
	outside       string // the data directory as everybody else sees it
	ports         ports
	ftp           ftpPolicy
	hostKeys      []config.HostKey
	out           io.Writer

	instance string
	secrets  secrets
	sup      *supervise.Supervisor

	ready  atomic.Bool
	status sync.Mutex // who writes the status
}

// run starts everything in order, says so, and stops it in order when ctx ends.
func (u *privateInstallation) run(ctx context.Context) error {
	began := time.Now()
	if err := u.checkVersion(); err != nil {
		return err
	}
	lock, err := takeLock(u.Lock(), u.outside)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := u.prepare(); err != nil {
		return err
	}
	if n, err := supervise.EndLeftovers(u.instance); err != nil {
		return err
	} else if n > 0 {
		slog.InfoContext(ctx, "processes of an earlier run ended", slog.Int("processes", n))
	}
	groups, err := u.makeGroups(ctx)
	if err != nil {
		return err
	}
	defer u.removeGroups(groups)
	listeners, err := u.ports.open(ctx)
	if err != nil {
		return err
	}
	defer listeners.close()
	u.sup, err = supervise.New(supervise.Config{
		Layout: u.Layout, Instance: u.instance, Idle: idleTime(), Changed: u.writeStatus, Log: slog.Default(), Groups: groups,
	})
	if err != nil {
		return err
	}
	defer func() {
		u.ready.Store(false)
		u.sup.Stop("panel", "ftpd", "agent", "apache")
	}()
	if err := u.startDatabase(ctx); err != nil {
		return err
	}
	// Apache first: the agent begins by sweeping what is half-written in the
	// directories that a start of Apache writes to.
	if err := u.sup.Start(ctx, u.apacheService(listeners)); err != nil {
		return err
	}
	if err := u.sup.Start(ctx, u.daemons(listeners)...); err != nil {
		return err
	}
	if err := u.sup.Armed(ctx); err != nil {
		return err
	}
	if err := u.announce(ctx); err != nil {
		return err
	}
	watched := make(chan struct{})
	defer func() { <-watched }()
	go func() {
		defer close(watched)
		if err := u.watchHealth(ctx); err != nil {
			slog.ErrorContext(ctx, "the installation does not look at itself", slog.Any("cause", err))
		}
	}()
	slog.InfoContext(ctx, "ready", slog.Duration("after", time.Since(began).Round(time.Millisecond)))
	<-ctx.Done()
	slog.Info("stopping")
	return nil
}

// makeGroups makes the control groups of the sites, after removing those of a
// run that was killed. Without any on the machine it is nil: sites then have
// their resource limits only.
func (u *privateInstallation) makeGroups(ctx context.Context) (*sandbox.Groups, error) {
	if old, err := sandbox.LoadGroups(u.Groups()); err == nil {
		u.removeGroups(old)
	}
	groups, err := sandbox.NewGroups("cancale-" + strings.ToLower(u.instance))
	if err != nil {
		slog.WarnContext(ctx, "memory and processes of sites are not bounded by control groups", slog.Any("cause", err))
		return nil, nil
	}
	return groups, groups.Save(u.Groups())
}

func (u *privateInstallation) removeGroups(groups *sandbox.Groups) {
	if groups == nil {
		return
	}
	if err := groups.Remove(); err != nil {
		slog.Warn("control groups are left", slog.Any("cause", err))
		return // the next run removes them
	}
	_ = os.Remove(u.Groups()) // it would be read again, and nothing found
}

// idleTime is how long a site's PHP stays awake with nothing to do.
func idleTime() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("CANCALE_PHP_IDLE")); err == nil && d > 0 {
		return d
	}
	return time.Minute
}

// Names in the private MariaDB.
const (
	databaseName = "cancale"
	appUser      = "cancale"
	agentUser    = "cancale_agent"
	ftpUser      = "cancale_ftp"
	nodeName     = "main"
)

// startDatabase starts MariaDB, installed when it is not yet, and brings the
// schema, the users and the daemons' settings up to date.
func (u *privateInstallation) startDatabase(ctx context.Context) error {
	if err := supervise.InstallMariaDB(ctx, u.Layout, u.instance); err != nil {
		return err
	}
	if err := u.sup.Start(ctx, supervise.MariaDB(u.Layout)); err != nil {
		return err
	}
	if err := store.Bootstrap(ctx, store.BootstrapConfig{
		Socket: u.MariaDBSocket(), Database: databaseName,
		AppUser: appUser, AppPassword: u.secrets.App,
		AgentUser: agentUser, AgentPassword: u.secrets.Agent,
		FTPUser: ftpUser, FTPPassword: u.secrets.FTP,
	}); err != nil {
		return err
	}
	return u.writeSettings()
}

// How long each daemon may take to end; together with PHP and MariaDB it is
// less than ten seconds. The FTP service has the time for transfers besides,
// which the settings say and which it keeps itself.
const daemonGrace = 3 * time.Second

// wedgedAfter is how long a service that members and visitors use may be silent
// before it is ended and started again. MariaDB is given all the time that it
// takes: it may be busy with what nobody should interrupt.
const wedgedAfter = 2 * time.Minute

// daemonEnv is the environment of every daemon: what it needs to find programs
// and time zones, and nothing of whoever started the installation.
func daemonEnv() []string {
	env := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}
	if zone := os.Getenv("TZ"); zone != "" {
		env = append(env, "TZ="+zone)
	}
	return env
}

// daemons are our own.
func (u *privateInstallation) daemons(l *listeners) []supervise.Service {
	own := func(name string, uid uint32, files ...*os.File) supervise.Service {
		return supervise.Service{
			Name: name, Path: supervise.Executable, Args: []string{"--data", u.Root, name}, Env: daemonEnv(),
			UID: uid, Files: files, Log: u.In("log", name+".log"), Grace: daemonGrace,
		}
	}
	panel, ftpd, agent := own("panel", config.PanelUID, l.panel), own("ftpd", 0, l.ftp, l.ftps, l.sftp), own("agent", 0)
	panel.Wedged, ftpd.Wedged = wedgedAfter, wedgedAfter
	ftpd.Grace += hosting.LongestFTPStop * time.Second
	panel.Probe = func(ctx context.Context, _ int) error {
		return answersHTTP(ctx, u.ports.local(u.ports.panel)+"/healthz", "")
	}
	ftpd.Probe = func(ctx context.Context, _ int) error {
		if err := greetsFTP(ctx, u.ports.dial(u.ports.ftp)); err != nil {
			return err
		}
		_, err := greetSSH(ctx, u.ports.dial(u.ports.sftp))
		if errors.Is(err, io.EOF) {
			return nil // it refuses us, as greetsFTP says
		}
		return err
	}
	agent.Probe = func(_ context.Context, pid int) error { return namesPID(u.AgentReady(), pid) }
	return []supervise.Service{agent, ftpd, panel}
}

func (u *privateInstallation) apacheService(l *listeners) supervise.Service {
	server := apache.New(host.New(u.Layout, nil), u.apacheConfig())
	return supervise.Service{
		Name: "apache", Path: supervise.Executable, Args: []string{"--data", u.Root, "web"}, Env: apache.Environment(),
		Log: u.In("log", "apache.log"), Grace: daemonGrace, Wedged: wedgedAfter,
		Before: func(ctx context.Context) error {
			l.releaseWeb()
			// The pid of a killed Apache may be another process's by now.
			if err := os.Remove(filepath.Join(u.ApacheRun(), "apache2.pid")); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return server.Boot(ctx)
		},
		// A name that no site can have: the neutral page answers.
		Probe: func(ctx context.Context, _ int) error {
			return answersHTTP(ctx, u.ports.local(u.ports.http)+"/", apache.NeutralName)
		},
	}
}

func (u *privateInstallation) apacheConfig() apache.Config {
	return apache.Config{
		Bind: u.ports.bind.String(), HTTPPort: u.ports.http, HTTPSPort: u.ports.https, PanelURL: u.ports.url(),
		Logger: []string{supervise.Executable, "--data", u.Root, "logs"},
	}
}

// announce says that everything answers, after the link of the first
// administrator as long as there is none.
func (u *privateInstallation) announce(ctx context.Context) error {
	st, err := store.Open(ctx, u.storeConfig(appUser, u.secrets.App))
	if err != nil {
		return err
	}
	defer st.Close()
	first, err := st.InviteFirst(ctx, hosting.System("up"))
	if err != nil {
		return err
	}
	u.ready.Store(true)
	u.writeStatus()
	if first.Token != "" {
		fmt.Fprintf(u.out, "first administrator: %s/invitation/%s\n", u.ports.url(), first.Token)
	}
	fmt.Fprintf(u.out, "ready: %s\n", u.ports.url())
	return nil
}

// writeStatus tells the command line how things are.
func (u *privateInstallation) writeStatus() {
	u.status.Lock()
	defer u.status.Unlock()
	outside := config.Layout{Root: u.outside}
	s := config.Status{
		Ready: u.ready.Load(), PID: os.Getpid(), PanelURL: u.ports.url(),
		HTTPPort: u.ports.http, HTTPSPort: u.ports.https, FTPPort: u.ports.ftp, FTPSPort: u.ports.ftps, SFTPPort: u.ports.sftp, SFTPHostKeys: u.hostKeys,
		MySQLSocket: outside.MariaDBSocket(), Data: outside.Root, Services: u.sup.Services(),
	}
	for _, svc := range s.Services {
		s.Ready = s.Ready && svc.State == supervise.Running
	}
	if err := writeJSONFile(u.Status(), s, 0o644, 0); err != nil {
		slog.Error("status is not written", slog.Any("cause", err))
	}
}

// namesPID is nil when a file holds that pid.
func namesPID(path string, pid int) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if strings.TrimSpace(string(text)) != strconv.Itoa(pid) {
		return fmt.Errorf("%s: names another process", path)
	}
	return nil
}
