// Package agent brings one node to the state that the store wishes, again and
// again, and writes down what is: a key names a site or a database, the whole
// wish is read anew each time, and drivers make it so.
//
// It has no network listener. It believes nothing that it reads: the drivers
// parse every value again. It decides nothing: what should exist is the
// store's, how it is made the drivers'.
package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"cancale/internal/config"
	"cancale/internal/driver/apache"
	"cancale/internal/driver/mariadb"
	"cancale/internal/driver/phpfpm"
	"cancale/internal/driver/unixacct"
	"cancale/internal/host"
	"cancale/internal/hosting"
	"cancale/internal/reconcile"
	"cancale/internal/store"
)

// Config is what an agent is made of.
type Config struct {
	Store    *store.NodeStore
	Layout   config.Layout
	Services host.Services
	Apache   apache.Config
}

const (
	// workers is how many things are worked on at a time. Most of them wait
	// for the same reload of Apache: the more there are, the fewer reloads.
	workers = 256
	// background is how many of them a resync may take.
	background = 128

	resync     = 10 * time.Minute
	poll       = time.Second // wake-ups can be lost
	claimLimit = 1000

	// longestRetry is how long what could not even be written down is left alone.
	longestRetry = 30 * time.Second

	// maxClaimWait is how long a store that does not answer is left alone.
	maxClaimWait = 10 * time.Second
)

// Run works until ctx ends. A second agent on the same installation is refused.
func Run(ctx context.Context, cfg Config) error {
	lock, err := lock(cfg.Layout)
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	defer lock.Close()
	a, err := newAgent(cfg)
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	defer a.databases.Close()
	if err := a.prepare(); err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	if err := a.tellPHP(ctx); err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	wake, err := listen(cfg.Layout.AgentSocket())
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	defer wake.Close()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	all.Go(func() { a.loop.Run(ctx) })
	calls := wake.calls(ctx)
	for part, work := range map[string]func(context.Context){
		"claims":            func(ctx context.Context) { a.claim(ctx, calls) },
		"tasks":             a.newScheduler().run,
		"disk":              a.measure,
		"database sizes":    a.measureDatabases,
		"visits":            a.followVisits,
		"samples":           a.sample,
		"memory":            a.tellStarved,
		"logger":            a.web.FollowLogger,
		"database contents": a.content,
	} {
		all.Go(func() { keep(ctx, part, work) })
	}
	slog.InfoContext(ctx, "agent at work", slog.String("root", cfg.Layout.Root))
	all.Wait()
	a.foreign.Wait()
	return nil
}

// keep has a part of the agent work until ctx ends. When it panics, it begins
// anew after a while, and the other parts notice nothing.
func keep(ctx context.Context, part string, work func(context.Context)) {
	for failures := 1; ctx.Err() == nil; failures++ {
		err := reconcile.Protect(func() error {
			work(ctx)
			return nil
		})
		if err == nil {
			return
		}
		wait := min(reconcile.Backoff(failures), maxClaimWait)
		slog.ErrorContext(ctx, "a part of the agent begins anew", append(stackOf(err), slog.String("part", part), slog.Any("cause", err), slog.Duration("again", wait))...)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// agent holds one driver for each real thing.
type agent struct {
	cfg       Config
	host      *host.Host
	sites     []siteDriver // in the order in which a site is made
	web       *apache.Driver
	databases *mariadb.Driver
	schemas   databaseDriver // databases, as far as one is made and removed
	loop      *reconcile.Loop[hosting.Key]
	listed    listed
	signIns   locks // one at a time changes who may sign in to a database
	foreign   sync.WaitGroup
}

// siteDriver makes one part of a site.
type siteDriver interface {
	Ensure(ctx context.Context, site hosting.Site) error
	Remove(ctx context.Context, site hosting.Site) error
}

// databaseDriver makes a database.
type databaseDriver interface {
	Ensure(ctx context.Context, db hosting.Database) error
	Remove(ctx context.Context, db hosting.Database) error
	Discard(ctx context.Context, db hosting.Database) error
}

// keeper is a siteDriver whose part of a site is its members' own, and comes
// back when a removed site does. The parts of the others are made anew.
type keeper interface {
	Discard(ctx context.Context, site hosting.Site) error
}

func newAgent(cfg Config) (*agent, error) {
	h := host.New(cfg.Layout, cfg.Services)
	databases, err := mariadb.New(h, mariadb.Config{Socket: cfg.Layout.MariaDBSocket()})
	if err != nil {
		return nil, err
	}
	web := apache.New(h, cfg.Apache)
	a := &agent{
		cfg: cfg, host: h, databases: databases, schemas: databases, web: web,
		sites: []siteDriver{unixacct.New(h, cfg.Apache.PanelURL), phpfpm.New(h, cfg.Apache.Address()), web},
	}
	ready := sync.OnceFunc(a.ready)
	a.loop = reconcile.New(reconcile.Config[hosting.Key]{
		Workers: workers, Background: background,
		Do: a.reconcile, Longest: longestRetry, List: a.list, Every: resync,
		Listed: func(int) { ready() }, Failed: a.postponed,
	})
	return a, nil
}

// prepare makes the directories that drivers put things into, and sweeps what a
// killed agent left in them.
func (a *agent) prepare() error {
	l := a.cfg.Layout
	if err := a.host.Remove(l.AgentReady()); err != nil {
		return err
	}
	for _, d := range []struct {
		path string
		mode fs.FileMode
	}{{l.Homes(), 0o711}, {l.Bins(), 0o711}, {l.Trash(), 0o700}, {l.Sockets(), 0o711}, {l.PHP(), 0o700}, {l.Sandbox(), 0o700}} {
		if _, err := a.host.EnsureDir(d.path, d.mode, 0, 0); err != nil {
			return err
		}
	}
	return errors.Join(a.host.Sweep(l.Sandbox()), a.web.Sweep())
}

// tellPHP notes which versions of PHP the machine has, for people to choose from.
func (a *agent) tellPHP(ctx context.Context) error {
	versions, err := phpfpm.Installed()
	if err != nil || slices.Equal(versions, a.cfg.Store.Node().PHP) {
		return err
	}
	return a.cfg.Store.ServesPHP(ctx, versions)
}

// lock is held as long as the file is open.
func lock(l config.Layout) (*os.File, error) {
	path := l.In("run", "agent.lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := host.Lock(f); err != nil {
		_ = f.Close()
		if errors.Is(err, host.ErrLocked) {
			err = errors.New("another agent is at work")
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// list names all there is, for a resync, and has what is served besides be
// removed.
func (a *agent) list(ctx context.Context) ([]hosting.Key, error) {
	a.listed.begin()
	wishes, err := a.cfg.Store.Wishes(ctx)
	a.listed.end(wishes)
	if err != nil {
		return nil, err
	}
	keys := make([]hosting.Key, 0, len(wishes.Sites)+len(wishes.Databases))
	ours := make(map[hosting.SiteID]bool, len(wishes.Sites))
	for _, s := range wishes.Sites {
		keys, ours[s.ID] = append(keys, siteKey(s.ID)), true
	}
	for _, d := range wishes.Databases {
		keys = append(keys, databaseKey(d.ID))
	}
	a.foreign.Go(func() {
		err := reconcile.Protect(func() error { return a.removeForeign(ctx, ours) })
		if err != nil && ctx.Err() == nil {
			slog.ErrorContext(ctx, "what no site asks for is still served", slog.Any("cause", err))
		}
	})
	return keys, nil
}

// ready tells the supervisor that all there is has been queued.
func (a *agent) ready() {
	pid := []byte(strconv.Itoa(os.Getpid()) + "\n")
	if _, err := a.host.WriteFile(a.cfg.Layout.AgentReady(), pid, 0o644, 0, 0); err != nil {
		slog.Error("agent cannot say that it is ready", slog.Any("cause", err))
	}
}

// postponed logs what could not even be written down.
func (a *agent) postponed(key hosting.Key, err error, again time.Duration) {
	if errors.Is(err, context.Canceled) {
		return
	}
	slog.Error("postponed", append(stackOf(err), slog.String("resource", string(key.Resource)), slog.Uint64("id", key.ID),
		slog.Any("cause", err), slog.Duration("again", again))...)
}

// claim takes up what is due at each call, and once in a while without one.
func (a *agent) claim(ctx context.Context, calls <-chan struct{}) {
	failures, wait := 0, poll
	for {
		err := a.claimAll(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			failures++
			wait = min(reconcile.Backoff(failures), maxClaimWait)
			slog.ErrorContext(ctx, "nothing can be taken up", slog.Any("cause", err), slog.Duration("again", wait))
		case failures > 0:
			failures, wait = 0, poll
			slog.InfoContext(ctx, "the store answers again")
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-calls:
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (a *agent) claimAll(ctx context.Context) error {
	for {
		keys, err := a.cfg.Store.Claim(ctx, claimLimit)
		if err != nil {
			return err
		}
		a.listed.forget(keys)
		a.loop.Add(keys...)
		if len(keys) < claimLimit {
			return nil
		}
	}
}
