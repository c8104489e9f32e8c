package hosting

import "time"

// State is where a managed thing is between the wish and the machine.
type State string

const (
	Pending   State = "pending"   // asked for, not yet taken up
	Applying  State = "applying"  // the agent is at it
	Live      State = "live"      // confirmed by the service itself
	Failed    State = "failed"    // could not be applied; Problem says why; it is tried again
	Suspended State = "suspended" // confirmed to be off
	Removing  State = "removing"  // the wish is that it be gone
	Removed   State = "removed"   // it is out of service; what is not kept goes at the next sweep
)

// Settled reports whether nothing more will happen without a new wish or a new
// attempt.
func (s State) Settled() bool {
	return s == Live || s == Failed || s == Suspended || s == Removed
}

// Sync is the part of a row that says how far the machine follows the wish.
// The panel raises Generation and DueAt; the agent writes the rest, and only
// while Generation is still the one that it worked on.
type Sync struct {
	Generation uint64    `gorm:"column:generation"`
	Observed   uint64    `gorm:"column:observed"`
	State      State     `gorm:"column:state"`
	Problem    Message   `gorm:"column:problem;serializer:json"`
	Attempts   uint32    `gorm:"column:attempts"`
	DueAt      time.Time `gorm:"column:due_at"`
	Removing   bool      `gorm:"column:removing"`
	ChangedAt  time.Time `gorm:"column:changed_at"` // when State last changed
}

// Current reports whether what was observed is what is wished now.
func (s Sync) Current() bool { return s.Observed == s.Generation }

// Steady reports whether the machine was last seen to be as wished. Whatever
// has to be changed then is a repair.
func (s Sync) Steady() bool {
	return s.Current() && !s.Removing && (s.State == Live || s.State == Suspended)
}

// Resource says what kind of managed thing a key names.
type Resource string

const (
	ResourceSite     Resource = "site"
	ResourceDatabase Resource = "database"
	ResourceFTP      Resource = "ftp"
)

// Key names one managed thing of a node. It is a name, not an event: equal
// keys merge.
type Key struct {
	Resource Resource
	ID       uint64
}
