package agent

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"cancale/internal/adminer"
	"cancale/internal/databases"
	"cancale/internal/hosting"
	"cancale/internal/reconcile"
)

// content does what people ask of the content of databases, until ctx ends.
func (a *agent) content(ctx context.Context) {
	s := databases.New(databases.Config{
		Store: a.cfg.Store, Layout: a.cfg.Layout, Driver: a.databases, Apply: a.applySignIns, Measure: a.measureDatabase,
		Adminer: func(ctx context.Context) error { return adminer.Ensure(ctx, a.host) },
	})
	for failures := 1; ; failures++ {
		err := s.Run(ctx)
		if ctx.Err() != nil {
			return
		}
		slog.ErrorContext(ctx, "nobody answers about the content of databases", slog.Any("cause", err))
		select {
		case <-ctx.Done():
		case <-time.After(min(reconcile.Backoff(failures), maxClaimWait)):
		}
	}
}

// applySignIns makes who may sign in to a database follow the store now. It is
// no repair: what differs was asked for.
func (a *agent) applySignIns(ctx context.Context, id hosting.DatabaseID) error {
	key := databaseKey(id)
	defer a.signIns.lock(key.ID)()
	a.listed.forget([]hosting.Key{key}) // it may be from before
	db, err := a.cfg.Store.Database(ctx, id)
	if err != nil {
		return err
	}
	if db.Sync.Removing || db.Sync.State == hosting.Removed {
		return hosting.Refuse(hosting.NotFound, "", "database.not_found")
	}
	db.Sync.State = hosting.Applying
	return a.databases.Ensure(ctx, db)
}

// locks are one lock for each number that is worked on.
type locks struct {
	mu   sync.Mutex
	held map[uint64]*numbered
}

type numbered struct {
	mu    sync.Mutex
	users int
}

// lock waits for the number, and gives what frees it.
func (l *locks) lock(id uint64) func() {
	l.mu.Lock()
	if l.held == nil {
		l.held = map[uint64]*numbered{}
	}
	n := l.held[id]
	if n == nil {
		n = &numbered{}
		l.held[id] = n
	}
	n.users++
	l.mu.Unlock()
	n.mu.Lock()
	return func() {
		n.mu.Unlock()
		l.mu.Lock()
		defer l.mu.Unlock()
		if n.users--; n.users == 0 {
			delete(l.held, id)
		}
	}
}
