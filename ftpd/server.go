package ftpd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	goftp "goftp.io/server/v2"
	"golang.org/x/crypto/ssh"

	"cancale/internal/config"
	"cancale/internal/disk"
	"cancale/internal/files"
	"cancale/internal/ftplink"
	"cancale/internal/hosting"
	"cancale/internal/jail"
	"cancale/internal/store"
)

// Passive ports when the configuration names none: outside the range from
// which the kernel takes ports for outgoing connections (32768 to 60999).
const (
	DefaultPassiveMin = 20000
	DefaultPassiveMax = 20999
)

// Config is what the daemon needs to run.
type Config struct {
	Listener   net.Listener // control connections; Run closes it
	Store      *store.Store
	Layout     config.Layout
	PassiveMin int // first and last port for data connections; 0 is the default
	PassiveMax int
	Active     bool // PORT and EPRT, to the client's own address

	Link *ftplink.Server // where the panel asks about sessions and files; may be nil

	TLS          TLSPolicy
	Certificate  func(*tls.ClientHelloInfo) (*tls.Certificate, error) // asked at each handshake; nil means no TLS
	RequireReuse bool                                                 // data connections must resume the session's TLS; many clients cannot
	Implicit     net.Listener                                         // control connections that begin with TLS; may be nil; Run closes it

	SFTP     net.Listener // SSH connections; may be nil; Run closes it
	HostKeys []ssh.Signer // what the daemon proves itself with to them
}

// limits bound what clients can take, in time and in number.
type limits struct {
	login     time.Duration // from the connection to a successful login
	idle      time.Duration // between two commands
	reply     time.Duration // for the client to take a reply
	handshake time.Duration // for TLS on the control connection
	accept    time.Duration // for the client to open the data connection
	data      time.Duration // for the data connection to move on
	watch     time.Duration // a transfer that lasts longer can be aborted
	drain     time.Duration // for transfers to end when the daemon stops
	recheck   time.Duration // how often the logins of open sessions are looked at
	failure   time.Duration // pause after a wrong password
	failures  int           // wrong passwords before the connection is closed
	sessions  int           // at a time
	source    int           // of them from one address; clients open ten and more
	perLogin  int           // of one login
}

var defaultLimits = limits{
	login: time.Minute, idle: 10 * time.Minute, reply: 30 * time.Second,
	handshake: 20 * time.Second, accept: 20 * time.Second, data: time.Minute, watch: 20 * time.Millisecond, drain: 5 * time.Second, recheck: 2 * time.Second,
	failure: time.Second, failures: 4,
	sessions: 2000, source: 40, perLogin: 20,
}

// server is the daemon: the sessions and what they share.
type server struct {
	cfg      Config
	limits   limits
	commands map[string]goftp.Command
	nextPort atomic.Uint32 // where the search for a passive port begins
	stopping atomic.Bool
	policy   atomic.Pointer[policy]
	journal  *journal
	ledger   *disk.Ledger
	tidy     *time.Timer

	mu       sync.Mutex
	sessions map[visitor]struct{}
	sources  map[netip.Prefix]int
	shares   map[hosting.FTPLoginID]*share
	banned   map[netip.Prefix]time.Time // until when
	running  sync.WaitGroup             // one for each session
}

// tidyPause is how long after the last login what logins leave behind is given
// back to the system: the memory that hashes were computed in and the deep
// stacks of the sessions that asked the database, both many times what a session
// at rest needs. The runtime itself would look minutes later.
const tidyPause = 500 * time.Millisecond

// Run serves until ctx ends. Sessions that are at rest then get a 421 at once,
// transfers some seconds to end.
//
// It changes the whole process: umask 022, no supplementary groups.
func Run(ctx context.Context, cfg Config) error {
	srv, err := newServer(cfg, defaultLimits)
	if err != nil {
		return err
	}
	return srv.serve(ctx)
}

func newServer(cfg Config, lim limits) (*server, error) {
	if cfg.PassiveMin == 0 && cfg.PassiveMax == 0 {
		cfg.PassiveMin, cfg.PassiveMax = DefaultPassiveMin, DefaultPassiveMax
	}
	if cfg.PassiveMin < 1024 || cfg.PassiveMax > 65535 || cfg.PassiveMin > cfg.PassiveMax {
		return nil, fmt.Errorf("ftpd: passive ports %d to %d make no range", cfg.PassiveMin, cfg.PassiveMax)
	}
	if (cfg.TLS == TLSRequired || cfg.Implicit != nil) && cfg.Certificate == nil {
		return nil, errors.New("ftpd: TLS without a certificate")
	}
	if cfg.SFTP != nil && len(cfg.HostKeys) == 0 {
		return nil, errors.New("ftpd: SFTP without a host key")
	}
	if err := jail.Prepare(); err != nil {
		return nil, fmt.Errorf("ftpd: %w", err)
	}
	srv := &server{
		cfg: cfg, limits: lim, journal: newJournal(cfg.Store), ledger: newLedger(cfg),
		sessions: map[visitor]struct{}{}, sources: map[netip.Prefix]int{}, shares: map[hosting.FTPLoginID]*share{},
	}
	srv.tidy = time.AfterFunc(tidyPause, debug.FreeOSMemory)
	srv.commands = commandTable()
	if cfg.Link != nil {
		srv.liveHandlers(cfg.Link)
		srv.binHandlers(cfg.Link)
		srv.probeHandlers(cfg.Link)
		files.New(files.Config{Store: cfg.Store, Layout: cfg.Layout, Ledger: srv.ledger, Note: srv.journal.add}).Register(cfg.Link)
	}
	return srv, nil
}

func (srv *server) serve(ctx context.Context) error {
	if err := srv.readPolicy(ctx); err != nil {
		return fmt.Errorf("ftpd: settings: %w", err)
	}
	var listeners []*listener
	for _, l := range []*listener{{srv.cfg.Listener, srv, ctx.Done(), false}, {srv.cfg.Implicit, srv, ctx.Done(), true}} {
		if l.Listener != nil {
			listeners = append(listeners, l)
			slog.InfoContext(ctx, "ftp listening", slog.String("address", l.Addr().String()), slog.Bool("implicit_tls", l.implicit))
		}
	}
	ended := make(chan error, len(listeners)+1)
	waiting := len(listeners)
	for _, l := range listeners {
		engine, err := goftp.NewServer(&goftp.Options{
			Name:           "Cancale",
			WelcomeMessage: "Cancale FTP ready.",
			Commands:       srv.commands,
			Driver:         driver{},
			Perm:           goftp.NewSimplePerm("", ""), // required; nothing of ours asks it
			Logger:         engineLog{},
		})
		if err != nil {
			return fmt.Errorf("ftpd: %w", err)
		}
		// The engine's own Shutdown is not used: it only closes the listener.
		go func() { ended <- acceptEnded(engine.Serve(l)) }()
	}
	if srv.cfg.SFTP != nil {
		slog.InfoContext(ctx, "sftp listening", slog.String("address", srv.cfg.SFTP.Addr().String()))
		waiting++
		go func() { ended <- acceptEnded(srv.serveSSH(ctx, srv.cfg.SFTP)) }()
	}
	// The journal ends after the last session.
	writing, endJournal := context.WithCancel(context.WithoutCancel(ctx))
	var journal sync.WaitGroup
	journal.Go(func() { srv.journal.write(writing) })
	defer journal.Wait()
	defer endJournal()
	following, unfollow := context.WithCancel(ctx)
	var follower sync.WaitGroup
	follower.Go(func() { srv.followStandings(following) })
	follower.Go(func() { srv.ledger.Run(following) })
	defer follower.Wait()
	defer unfollow()
	var err error
	select {
	case err = <-ended:
		waiting--
	case <-ctx.Done():
	}
	srv.stopping.Store(true)
	for _, l := range listeners {
		_ = l.Close()
	}
	if srv.cfg.SFTP != nil {
		_ = srv.cfg.SFTP.Close()
	}
	for range waiting {
		err = errors.Join(err, <-ended)
	}
	srv.stop()
	srv.tidy.Stop()
	return err
}

// stop ends the sessions: those at rest at once, the others when their
// transfer is done or the time for it is over.
func (srv *server) stop() {
	srv.stopping.Store(true)
	srv.each(visitor.wake)
	timer := time.AfterFunc(srv.now().drain, func() { srv.each(visitor.kick) })
	defer timer.Stop()
	srv.running.Wait()
}

// engineLog drops what the engine says: it would write names of files, and
// passwords when their command is not in upper case.
type engineLog struct{}

func (engineLog) Print(string, any)                   {}
func (engineLog) Printf(string, string, ...any)       {}
func (engineLog) PrintCommand(string, string, string) {}
func (engineLog) PrintResponse(string, int, string)   {}
