// Package panel is the web interface: routes, sessions, forms in, pages out.
//
// It reads and writes the store and nothing else. It never touches the
// machine, runs no command and opens no file but the status and the self-check
// that the supervisor publishes.
package panel

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"golang.org/x/sync/errgroup"

	"cancale/internal/config"
	"cancale/internal/ftplink"
	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/views"
)

// Config is what a panel needs to run.
type Config struct {
	Listener   net.Listener
	Store      *store.Store
	Secret     []byte // at least 16 bytes; signs forms, and must outlive a restart
	PublicURL  string // as people type it, such as http://panel.example:8600
	HTTPPort   int    // where members' sites answer
	FTPPort    int
	SFTPPort   int
	HostKeys   []config.HostKey // of SFTP
	FTPTLS     bool             // TLS is offered there, as the service was started
	FTPAddress string           // of the FTP service on this machine; 127.0.0.1 and FTPPort when empty
	Layout     config.Layout
	Log        *slog.Logger // slog.Default() when nil
}

const (
	requestTimeout = 20 * time.Second
	stopTimeout    = 8 * time.Second
	sweepEvery     = 10 * time.Second
	// bodyLimit is more than the longest form of ours, with what a parked form
	// adds to the sign-in page.
	bodyLimit = "256K"
	// compressFrom is the size below which compressing costs more than it saves.
	compressFrom  = 1024
	compressLevel = 5
)

// server is the panel while it runs.
type server struct {
	echo      *echo.Echo
	store     *store.Store
	link      *ftplink.Client // the FTP daemon's
	databases *ftplink.Client // the agent's
	log       *slog.Logger
	keys      keys
	public    *url.URL
	https     bool
	party     store.RelyingParty // as authenticators know it; zero when browsers have no passkeys here
	conf      Config

	needs      map[string]hosting.Permission // by "METHOD path": what route declared
	longs      map[string]long               // those beyond the usual bounds
	attempts   attempts
	secrets    shelf[secret]
	ceremonies shelf[store.Ceremony]
	handed     shelf[views.HandedOverParams]
	resumed    shelf[url.Values]
	visits     crowd

	mailRoots *x509.CertPool // whom a mail server's certificate is believed from; nil is the machine's
}

// Run serves the panel on the listener until ctx ends, then lets requests
// under way finish.
func Run(ctx context.Context, conf Config) error {
	s, err := newServer(conf) //nolint:contextcheck // what answers a request has that request's context
	if err != nil {
		return err
	}
	return s.run(ctx)
}

func (s *server) run(ctx context.Context) error {
	srv := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := srv.Serve(s.conf.Listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("panel: serve: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if err := srv.Shutdown(stop); err != nil {
			_ = srv.Close()
		}
		return nil
	})
	group.Go(func() error {
		s.sweep(ctx)
		return nil
	})
	group.Go(func() error {
		s.notify(ctx)
		return nil
	})
	group.Go(func() error {
		s.postman(ctx)
		return nil
	})
	group.Go(func() error {
		s.doBulks(ctx)
		return nil
	})
	return group.Wait()
}

// sweep lets the store delete, now and then, what the machine is clean of.
func (s *server) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if _, err := s.store.Sweep(ctx); err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "sweep", slog.Any("error", err))
			}
		}
	}
}

func newServer(conf Config) (*server, error) {
	public, err := url.Parse(conf.PublicURL)
	if err != nil || public.Host == "" || public.Scheme != "http" && public.Scheme != "https" {
		return nil, fmt.Errorf("panel: public address %q: an http or https address is needed", conf.PublicURL)
	}
	keys, err := newKeys(conf.Secret)
	if err != nil {
		return nil, err
	}
	log := conf.Log
	if log == nil {
		log = slog.Default()
	}
	s := &server{
		echo:      echo.New(),
		store:     conf.Store,
		link:      ftplink.NewClient(conf.Layout.FTPSocket()),
		databases: ftplink.NewClient(conf.Layout.DatabasesSocket()),
		log:       log,
		keys:      keys,
		public:    public,
		https:     public.Scheme == "https",
		party:     partyOf(public),
		conf:      conf,
		needs:     map[string]hosting.Permission{},
		longs:     map[string]long{},
	}
	s.echo.HideBanner, s.echo.HidePort = true, true
	s.echo.IPExtractor = echo.ExtractIPDirect()
	s.echo.HTTPErrorHandler = func(err error, c echo.Context) { s.fail(c, err) }
	s.echo.Use(
		s.observe,
		s.secure,
		middleware.GzipWithConfig(middleware.GzipConfig{Level: compressLevel, MinLength: compressFrom, Skipper: s.notCompressed}),
		middleware.BodyLimitWithConfig(middleware.BodyLimitConfig{Limit: bodyLimit, Skipper: s.isLong}),
		middleware.ContextTimeoutWithConfig(middleware.ContextTimeoutConfig{Timeout: requestTimeout, Skipper: s.isLong}),
		s.answerErrors,
		s.recover,
	)
	s.routes()
	return s, nil
}

// route is the only way to add a page: a method, a path, what a person needs
// to be allowed, and what answers.
func (s *server) route(method, path string, need hosting.Permission, h func(*Request) error) {
	s.needs[method+" "+path] = need
	s.echo.Add(method, path, func(c echo.Context) error { return s.serve(c, need, h) })
}

// serve is what happens to every request before and after its handler.
func (s *server) serve(c echo.Context, need hosting.Permission, h func(*Request) error) error {
	r, err := s.receive(c)
	if err != nil {
		return err
	}
	r.need = need
	s.beyond(c)
	if r.unsafe() {
		if err := r.readForm(); err != nil {
			return err
		}
		if err := r.checkTicket(); err != nil {
			return err
		}
	}
	if passed, err := r.gate(); !passed {
		return err
	}
	if !r.unsafe() {
		return r.chooseFirst(h(r))
	}
	if r.stale {
		return r.showAgain()
	}
	// The person may close the page or click again while we write: what was
	// begun is finished, and told to whoever asks again.
	detached, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), s.patience(c))
	defer cancel()
	r.ctx = detached
	if need == hosting.Public || need == hosting.SignedIn {
		return h(r)
	}
	return r.chooseFirst(s.once(r, h))
}

// once lets a form act one time only: the second sending of the same form
// goes where the first went.
func (s *server) once(r *Request, h func(*Request) error) error {
	key := keyOf(r.ticket.Nonce, r.sessionKey(), r.path(), r.form)
	location, finish, err := s.attempts.begin(r.Context(), key, time.Now())
	if err != nil {
		return err
	}
	if finish == nil {
		return r.redirect(location)
	}
	accepted := false
	defer func() { finish(r.location, accepted) }() // also when the handler panics
	err = h(r)
	accepted = err == nil && r.location != ""
	return err
}

// ServeHTTP answers HEAD like GET; the HTTP server itself leaves out the body.
func (s *server) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method == http.MethodHead {
		req = req.WithContext(req.Context()) // a copy: the server decides by the original
		req.Method = http.MethodGet
	}
	s.echo.ServeHTTP(w, req)
}

func isAsset(c echo.Context) bool { return strings.HasPrefix(c.Request().URL.Path, "/assets/") }
