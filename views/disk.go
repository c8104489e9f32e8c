package views

import (
	"context"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
)

// DiskParams is the room that an association takes on the disk.
//
//	templ DiskPage(page Page, p DiskParams) // GET /disk
type DiskParams struct {
	Space hosting.Space
	Plan  hosting.Plan
	Sites []hosting.DiskUsage // the largest
	More  int                 // smaller ones that are not listed
}

// bytesLimit is how far a limit goes, in words.
func bytesLimit(ctx context.Context, limit int64) string {
	if limit < 0 {
		return i18n.T(ctx, "usage.unlimited")
	}
	return i18n.T(ctx, "disk.of", i18n.Bytes(ctx, limit))
}

// bytesPercent is how much of the limit is used, 100 at most.
func bytesPercent(used, limit int64) int {
	switch {
	case limit < 0:
		return 0
	case used >= limit:
		return 100
	}
	return int(used * 100 / limit)
}
