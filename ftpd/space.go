package ftpd

import (
	"context"

	"cancale/internal/disk"
	"cancale/internal/hosting"
)

// newLedger is the account book of the room that associations take, for all
// that this daemon writes, whatever protocol it came by.
func newLedger(cfg Config) *disk.Ledger {
	return disk.NewLedger(disk.Config{
		Path: cfg.Layout.Homes(),
		Save: cfg.Store.AddDrift, Reclaim: reclaim(cfg),
		Load: func(ctx context.Context, accounts []hosting.AccountID) (map[hosting.AccountID]disk.State, error) {
			spaces, err := cfg.Store.DiskSpaces(ctx, accounts)
			states := make(map[hosting.AccountID]disk.State, len(spaces))
			for id, space := range spaces {
				states[id] = disk.State{Used: space.Used, Limit: space.Limit}
			}
			return states, err
		},
	})
}
