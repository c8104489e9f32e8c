package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"time"

	"cancale/internal/host"
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
	ctx, repairs := host.CollectRepairs(ctx)
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
	return errors.Join(a.settle(ctx, key, site.Sync, state, err), a.repaired(ctx, key, site.AccountID, site.Host.String(), repairs))
}

func (a *agent) ensureSite(ctx context.Context, site hosting.Site) error {
	for _, d := range a.sites {
		if err := reconcile.Protect(func() error { return d.Ensure(ctx, site) }); err != nil {
			return err
		}
	}
	return nil
}

// removeSite takes a site away from those who would use it before what they
// use. What is its members' own is destroyed only when it is not kept.
func (a *agent) removeSite(ctx context.Context, site hosting.Site) error {
	for _, d := range slices.Backward(a.sites) {
		do := d.Remove
		if k, ok := d.(keeper); ok && site.Trash.Kept() {
			do = k.Discard
		}
		if err := reconcile.Protect(func() error { return do(ctx, site) }); err != nil {
			return err
		}
	}
	return nil
}

func (a *agent) database(ctx context.Context, key hosting.Key) error {
	defer a.signIns.lock(key.ID)()
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
	ctx, repairs := host.CollectRepairs(ctx)
	do, state := a.schemas.Ensure, hosting.Live
	switch {
	case db.Sync.Removing && db.Trash.Kept():
		do, state = a.schemas.Discard, hosting.Removed
	case db.Sync.Removing:
		do, state = a.schemas.Remove, hosting.Removed
	case db.AccountSuspended:
		state = hosting.Suspended
	}
	err = reconcile.Protect(func() error { return do(ctx, db) })
	return errors.Join(a.settle(ctx, key, db.Sync, state, err), a.repaired(ctx, key, db.AccountID, string(db.Name), repairs))
}

// repaired writes down what somebody had changed behind our back and is as it
// should be again. What is only half repaired is told as well: it is tried
// again, and then there is nothing more to tell.
func (a *agent) repaired(ctx context.Context, key hosting.Key, account hosting.AccountID, name string, repairs *host.Repairs) error {
	parts := repairs.Parts()
	if len(parts) == 0 || ctx.Err() != nil {
		return nil //nolint:nilerr // the agent is stopping: what is found again is told then
	}
	if err := a.cfg.Store.Repaired(ctx, key.Resource, account, name, parts); err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	return nil
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
	if scarce(err) {
		wait = min(wait, scarceRetry)
	}
	attrs := append(attributes(key, was), slog.Any("cause", err), slog.Duration("again", wait))
	slog.ErrorContext(ctx, "not applied", append(attrs, stackOf(err)...)...)
	if err := a.cfg.Store.Observe(ctx, key, was.Generation, hosting.Failed, problem(key, err), time.Now().Add(wait)); err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	return nil
}

// stackOf is where a panic came from, for the log.
func stackOf(err error) []any {
	if p, ok := errors.AsType[*reconcile.PanicError](err); ok {
		return []any{slog.String("stack", string(p.Stack))}
	}
	return nil
}

func attributes(key hosting.Key, was hosting.Sync) []any {
	return []any{slog.String("resource", string(key.Resource)), slog.Uint64("id", key.ID), slog.Uint64("generation", was.Generation)}
}

// scarceRetry is how long a thing waits for what the whole machine lacks: it is
// not the thing's fault, and when somebody has made room nobody tells us.
const scarceRetry = 10 * time.Second

// scarce reports whether the machine lacked room, memory, processes or files,
// or whether MariaDB did.
func scarce(err error) bool {
	for _, e := range []error{syscall.ENOMEM, syscall.EAGAIN, syscall.EMFILE, syscall.ENFILE, syscall.EROFS, syscall.EIO} {
		if errors.Is(err, e) {
			return true
		}
	}
	return noRoom(err)
}

// noRoom reports whether the disk was full. Some say it in words only: the
// supervisor, the programs that check, MariaDB within the texts of its errors.
func noRoom(err error) bool {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return true
	}
	text := err.Error()
	return strings.Contains(text, syscall.ENOSPC.Error()) || strings.Contains(text, "No space left on device") || strings.Contains(text, "Errcode: 28")
}

// problem is what people may be told: the message that a driver meant for them,
// or only that it is not their doing. The cause is in the log.
func problem(key hosting.Key, err error) hosting.Message {
	if e, ok := errors.AsType[*hosting.Error](err); ok && !e.Message.IsZero() {
		return e.Message
	}
	if _, ok := errors.AsType[*reconcile.PanicError](err); ok {
		return hosting.Msg(string(key.Resource) + ".failed_bug")
	}
	if noRoom(err) {
		return hosting.Msg(string(key.Resource) + ".failed_room")
	}
	if key.Resource == hosting.ResourceDatabase {
		return hosting.Msg("database.failed_internal")
	}
	return hosting.Msg("site.failed_internal")
}
