package agent

import (
	"context"
	"log/slog"
	"time"

	"cancale/internal/disk"
	"cancale/internal/hosting"
	"cancale/internal/sitelog"
	"cancale/internal/store"
	"cancale/internal/traffic"
)

const (
	// trafficTick is the shortest pause between two looks for what was counted;
	// after a long look the pause is trafficRest times as long as the look took,
	// so that the work of many sites never takes more than a fiftieth of a
	// processor.
	trafficTick = 3 * time.Second
	trafficRest = 50
	// trafficBatches are added in one transaction.
	trafficBatches = 20
	// logsEvery is how often logs are compressed and old ones removed.
	logsEvery = time.Hour
)

// followVisits brings what the splitter counted to the store, and keeps the logs of
// sites as long as the settings say, until ctx ends.
func (a *agent) followVisits(ctx context.Context) {
	var kept time.Time
	for {
		began := time.Now()
		if err := a.addTraffic(ctx); err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "traffic is not added", slog.Any("cause", err))
		}
		wait := max(trafficTick, trafficRest*time.Since(began))
		if time.Since(kept) > logsEvery {
			kept = time.Now()
			if err := a.keepLogs(ctx, kept); err != nil && ctx.Err() == nil {
				slog.WarnContext(ctx, "logs are not kept as the settings say", slog.Any("cause", err))
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func (a *agent) keepLogs(ctx context.Context, now time.Time) error {
	settings, err := a.cfg.Store.Settings(ctx)
	if err != nil {
		return err
	}
	disk.Idle(func() {
		err = sitelog.Keep(ctx, a.cfg.Layout, now, sitelog.Retention{Days: settings.Kept.LogDays, Addresses: settings.Kept.AddressDays})
	})
	return err
}

// addTraffic adds all that was counted. A batch is removed when the store has
// it, and passed over when it had it before.
func (a *agent) addTraffic(ctx context.Context) error {
	for {
		waiting, err := sitelog.Batches(a.cfg.Layout)
		if err != nil || len(waiting) == 0 {
			return err
		}
		part := waiting[:min(len(waiting), trafficBatches)]
		fresh, err := a.cfg.Store.NewBatches(ctx, part)
		if err != nil {
			return err
		}
		days := map[store.SiteDay]traffic.Day{}
		for _, name := range fresh {
			counts, err := sitelog.ReadBatch(a.cfg.Layout, name)
			if err != nil {
				return err
			}
			for _, c := range counts {
				key := store.SiteDay{Site: hosting.SiteID(c.Site), Day: c.Date}
				sum := days[key]
				sum.Add(c.Day)
				days[key] = sum
			}
		}
		if err := a.cfg.Store.AddTraffic(ctx, fresh, days); err != nil {
			return err
		}
		for _, name := range part {
			if err := sitelog.ForgetBatch(a.cfg.Layout, name); err != nil {
				return err
			}
		}
		if len(part) == len(waiting) {
			return nil
		}
	}
}
