package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/reconcile"
)

// reconcile brings what key names to where it should be and writes down how
// that ended. An error means that it could not be written down.
func (a *agent) reconcile(ctx context.Context, key hosting.Key) error {
	switch key.Resource {
	case hosting.ResourceSite:
		return a.site(ctx, key)
	case hosting.ResourceDatabase:
		return a.database(ctx, key)
	case hosting.ResourceFTP: // live with the transaction that makes it
		return nil
	}
	return fmt.Errorf("agent: no driver for a %q", key.Resource)
}

func (a *agent) site(ctx context.Context, key hosting.Key) error {
	site, known := a.listed.site(hosting.SiteID(key.ID))
	var err error
	if !known {
		site, err = a.cfg.Store.Site(ctx, hosting.SiteID(key.ID))
	}
	if gone(err) || err == nil && site.Sync.State == hosting.Removed {
		return nil
	}
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	state := hosting.Live
	switch {
	case site.Sync.Removing:
		state = hosting.Removed
		err = a.removeSite(ctx, site)
	case site.Off():
		state = hosting.Suspended
		fallthrough
	default:
		err = a.ensureSite(ctx, site)
	}
	return a.settle(ctx, key, site.Sync, state, err)
}

func (a *agent) ensureSite(ctx context.Context, site hosting.Site) error {
	for _, d := range a.sites {
		if err := reconcile.Protect(func() error { return d.Ensure(ctx, site) }); err != nil {
			return err
		}
	}
	return nil
}

// removeSite takes a site away from those who would use it before what they use.
func (a *agent) removeSite(ctx context.Context, site hosting.Site) error {
	for _, d := range slices.Backward(a.sites) {
		if err := reconcile.Protect(func() error { return d.Remove(ctx, site) }); err != nil {
			return err
		}
	}
	return nil
}

func (a *agent) database(ctx context.Context, key hosting.Key) error {
	db, known := a.listed.database(hosting.DatabaseID(key.ID))
	var err error
	if !known {
		db, err = a.cfg.Store.Database(ctx, hosting.DatabaseID(key.ID))
	}
	if gone(err) || err == nil && db.Sync.State == hosting.Removed {
		return nil
	}
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	do, state := a.databases.Ensure, hosting.Live
	switch {
	case db.Sync.Removing:
		do, state = a.databases.Remove, hosting.Removed
	case db.AccountSuspended:
		state = hosting.Suspended
	}
	err = reconcile.Protect(func() error { return do(ctx, db) })
	return a.settle(ctx, key, db.Sync, state, err)
}

// gone reports whether a row is no more, or no longer this node's.
func gone(err error) bool { return err != nil && hosting.KindOf(err) == hosting.NotFound }

// settle writes down how an attempt ended: that the thing is now in a state, or
// why it is not. Where nothing is new, nothing is written.
func (a *agent) settle(ctx context.Context, key hosting.Key, was hosting.Sync, state hosting.State, err error) error {
	if err == nil {
		if was.Steady() && was.State == state {
			return nil
		}
		if err := a.cfg.Store.Observe(ctx, key, was.Generation, state, hosting.Message{}, time.Time{}); err != nil {
			return fmt.Errorf("agent: %w", err)
		}
		slog.InfoContext(ctx, "applied", append(attributes(key, was), slog.String("state", string(state)))...)
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err() // we are being stopped: that says nothing about the thing
	}
	wait := reconcile.Backoff(int(was.Attempts) + 1)
	attrs := append(attributes(key, was), slog.Any("cause", err), slog.Duration("again", wait))
	if p, ok := errors.AsType[*reconcile.PanicError](err); ok {
		attrs = append(attrs, slog.String("stack", string(p.Stack)))
	}
	slog.ErrorContext(ctx, "not applied", attrs...)
	if err := a.cfg.Store.Observe(ctx, key, was.Generation, hosting.Failed, problem(key, err), time.Now().Add(wait)); err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	return nil
}

func attributes(key hosting.Key, was hosting.Sync) []any {
	return []any{slog.String("resource", string(key.Resource)), slog.Uint64("id", key.ID), slog.Uint64("generation", was.Generation)}
}

// problem is what people may be told: the message that a driver meant for them,
// or only that it is not their doing. The cause is in the log.
func problem(key hosting.Key, err error) hosting.Message {
	if e, ok := errors.AsType[*hosting.Error](err); ok && !e.Message.IsZero() {
		return e.Message
	}
	if key.Resource == hosting.ResourceDatabase {
		return hosting.Msg("database.failed_internal")
	}
	return hosting.Msg("site.failed_internal")
}
