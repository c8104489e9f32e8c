package hosting

import (
	"slices"
	"time"
)

// BulkID is the number of an act on many accounts.
type BulkID uint64

// BulkAct is what is done to many accounts at once.
type BulkAct string

const (
	BulkSuspend BulkAct = "suspend"
	BulkResume  BulkAct = "resume"
	BulkPlan    BulkAct = "plan"
	BulkRenew   BulkAct = "renew"
	// BulkAnnounce writes to owners; what is told is an Announcement.
	BulkAnnounce BulkAct = "announce"
)

// BulkActs are those that a person chooses from.
var BulkActs = []BulkAct{BulkRenew, BulkPlan, BulkSuspend, BulkResume, BulkAnnounce}

// ParseBulkAct accepts the name of an act.
func ParseBulkAct(field, s string) (BulkAct, error) {
	if act := BulkAct(s); slices.Contains(BulkActs, act) {
		return act, nil
	}
	return "", Refuse(Invalid, field, "bulk.act_missing")
}

// Needs is the permission that the act asks for.
func (a BulkAct) Needs() Permission {
	switch a {
	case BulkSuspend, BulkResume:
		return AdminSuspend
	case BulkAnnounce:
		return AdminAnnounce
	}
	return AdminAccounts
}

// BulkState is how far an act on many accounts is, or what became of one
// account.
type BulkState string

const (
	BulkDraft   BulkState = "draft" // it waits for its confirmation
	BulkRunning BulkState = "running"
	BulkEnded   BulkState = "ended"

	BulkWaiting BulkState = "waiting" // an account's turn is still to come
	BulkDone    BulkState = "done"
	BulkRefused BulkState = "refused"
)

// Bulk is an act on many accounts.
type Bulk struct {
	ID             BulkID
	Act            BulkAct
	Plan           PlanName       // that they get
	AnnouncementID AnnouncementID // that is sent to them
	PersonID       PersonID
	Actor          string
	Source         string
	State          BulkState
	CreatedAt      time.Time
	EndedAt        *time.Time
}

// BulkReason is why something cannot be done, and to which accounts.
type BulkReason struct {
	Why   string // the key of a message
	N     int
	First []string // the names of the first of them
}

// BulkReport is what an act on many accounts will do, or has done.
type BulkReport struct {
	Bulk
	Total   int
	Waiting int // of a draft: that it can be done to
	Done    int
	First   []string // of those that it will be done to
	Refused []BulkReason
	Over    []PlanEffect // of a draft: who will be over limits of the new plan
}

// RefusedCount is to how many it cannot, or could not, be done.
func (r BulkReport) RefusedCount() int {
	n := 0
	for _, reason := range r.Refused {
		n += reason.N
	}
	return n
}

// Refuses says why the act cannot be done to an account as it is now, "" when
// it can; seen is the end of its membership that was shown before, plan the one
// that it would get.
func (a BulkAct) Refuses(account Account, seen *time.Time, plan PlanID) string {
	switch {
	case account.Removing:
		return "bulk.why_removing"
	case a == BulkSuspend && account.Suspended:
		return "bulk.why_suspended"
	case a == BulkResume && !account.Suspended:
		return "bulk.why_live"
	case a == BulkPlan && account.PlanID == plan:
		return "bulk.why_same_plan"
	case a == BulkRenew && account.Expires == nil:
		return "bulk.why_no_end"
	case a == BulkRenew && (seen == nil || !account.Expires.Equal(*seen)):
		return "bulk.why_renewed"
	}
	return ""
}
