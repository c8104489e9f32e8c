package agent

import (
	"context"
	"log/slog"
	"time"

	"cancale/internal/hosting"
)

// How often databases are measured: all of them as far as the server keeps
// count, and each by itself once in a while; at each time those that are full,
// so that they can grow again soon after something was removed.
const (
	sizesEvery = time.Minute
	sizeWhole  = time.Hour
	sizePause  = 20 * time.Millisecond // between two that are measured by themselves
)

// measureDatabases keeps account of how large databases are, until ctx ends.
func (a *agent) measureDatabases(ctx context.Context) {
	whole := map[hosting.DatabaseID]wholeSize{}
	for {
		if err := a.measureSizes(ctx, whole); err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "databases are not measured", slog.Any("cause", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(sizesEvery):
		}
	}
}

// wholeSize is what was found when a database was measured by itself.
type wholeSize struct {
	bytes int64
	at    time.Time
}

// measureDatabase measures one database now, and stops or frees its growth.
func (a *agent) measureDatabase(ctx context.Context, id hosting.DatabaseID) (hosting.DatabaseSize, error) {
	was, err := a.cfg.Store.DatabaseSizeOf(ctx, id)
	if err != nil {
		return was, err
	}
	now := was
	if now.Bytes, err = a.databases.Size(ctx, was.Name); err != nil {
		return was, err
	}
	now.Stopped, now.MeasuredAt = now.Stops(), new(time.Now())
	if err := a.cfg.Store.ObserveDatabaseSize(ctx, now); err != nil {
		return was, err
	}
	if now.Stopped != was.Stopped {
		return now, a.applySignIns(ctx, id)
	}
	return now, nil
}

func (a *agent) measureSizes(ctx context.Context, whole map[hosting.DatabaseID]wholeSize) error {
	known, err := a.cfg.Store.DatabaseSizes(ctx)
	if err != nil || len(known) == 0 {
		return err
	}
	counted, err := a.databases.Sizes(ctx)
	if err != nil {
		return err
	}
	for _, was := range known {
		found := whole[was.ID]
		if was.Stopped || time.Since(found.at) > sizeWhole {
			if found.bytes, err = a.databases.Size(ctx, was.Name); err != nil {
				return err
			}
			found.at = time.Now()
			whole[was.ID] = found
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(sizePause):
			}
		}
		now := was
		now.Bytes = found.bytes
		if !was.Stopped {
			now.Bytes = max(found.bytes, counted[was.Name])
		}
		now.Stopped, now.MeasuredAt = now.Stops(), new(time.Now())
		if now.Bytes == was.Bytes && now.Stopped == was.Stopped && was.MeasuredAt != nil && time.Since(*was.MeasuredAt) < sizeWhole {
			continue
		}
		if err := a.cfg.Store.ObserveDatabaseSize(ctx, now); err != nil {
			return err
		}
		if now.Stopped != was.Stopped {
			slog.WarnContext(ctx, "growth of a database", slog.String("database", string(was.Name)), slog.Bool("stopped", now.Stopped), slog.Int64("bytes", now.Bytes))
			key := databaseKey(was.ID)
			a.listed.forget([]hosting.Key{key})
			a.loop.Add(key)
		}
	}
	return nil
}
