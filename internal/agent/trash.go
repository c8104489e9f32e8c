package agent

import (
	"context"
	"log/slog"

	"cancale/internal/disk"
	"cancale/internal/hosting"
)

// trashAtOnce is how many removed things at most go for good at a time because
// the machine is short of room.
const trashAtOnce = 100

// endTrash has removed things go for good before their time while the machine
// is short of room, the oldest first and no more than are needed: it brings
// their date forward, and the store does the rest as with any that are over.
func (a *agent) endTrash(ctx context.Context) error {
	for resource, path := range map[hosting.Resource]string{
		hosting.ResourceSite:     a.cfg.Layout.Homes(),
		hosting.ResourceDatabase: a.cfg.Layout.MariaDB(),
	} {
		free, err := disk.Free(path)
		if err != nil || free.Spare() >= 0 {
			continue // no room of ours is known there, or there is enough
		}
		if err := a.endOldest(ctx, resource, -free.Spare()); err != nil {
			return err
		}
	}
	return nil
}

func (a *agent) endOldest(ctx context.Context, resource hosting.Resource, need int64) error {
	oldest, err := a.cfg.Store.OldestTrash(ctx, resource, trashAtOnce)
	if err != nil {
		return err
	}
	for _, thing := range oldest {
		if need <= 0 {
			return nil
		}
		slog.WarnContext(ctx, "removed for good because the machine is short of room",
			slog.String("resource", string(thing.Resource)), slog.String("name", thing.Name), slog.Int64("bytes", thing.Bytes))
		if err := a.cfg.Store.EndTrash(ctx, thing.Key); err != nil {
			return err
		}
		need -= thing.Bytes
	}
	return nil
}
