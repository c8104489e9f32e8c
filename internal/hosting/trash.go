package hosting

import "time"

// Trash says of a thing that was removed who did so, and until when it can be
// brought back. It is zero of what is there.
type Trash struct {
	RemovedAt *time.Time
	RemovedBy string
	// RemovedWith is what it went with and comes back with; "" is by itself.
	RemovedWith TrashKind
	// KeptUntil is nil of what is removed for good.
	KeptUntil *time.Time
}

// Kept reports whether a removed thing can be brought back: its files and its
// data stay.
func (t Trash) Kept() bool { return t.KeptUntil != nil }

// TrashKind is what can be brought back.
type TrashKind string

// The kinds of removed things.
const (
	TrashSite     TrashKind = "site"
	TrashDatabase TrashKind = "database"
	TrashFTP      TrashKind = "ftp"
	TrashAccount  TrashKind = "account"
)

// ParseTrashKind accepts the kind that an address or a person names.
func ParseTrashKind(s string) (TrashKind, error) {
	switch k := TrashKind(s); k {
	case TrashSite, TrashDatabase, TrashFTP, TrashAccount:
		return k, nil
	}
	return "", Refuse(NotFound, "kind", "trash.kind_unknown", "site, database, ftp, account")
}

// Write is the permission to bring a thing of the kind back, or to have it gone
// for good: that to remove it.
func (k TrashKind) Write() Permission {
	switch k {
	case TrashSite:
		return SitesWrite
	case TrashDatabase:
		return DatabasesWrite
	case TrashFTP:
		return FTPWrite
	case TrashAccount:
	}
	return AdminAccounts
}

// TrashItem is one removed thing that can be brought back.
type TrashItem struct {
	Kind         TrashKind
	ID           uint64
	Name         string
	AccountID    AccountID
	AccountName  AccountName
	AccountLabel string
	RemovedAt    time.Time
	RemovedBy    string
	ByMember     bool // of its account; otherwise it was the team
	KeptUntil    time.Time
	Bytes        int64 // what it takes on the disk, as far as it was measured
	// What comes back with it.
	Sites, Databases, FTPLogins int
}

// Shown is the name for people.
func (i TrashItem) Shown() string {
	if i.Kind == TrashSite {
		return Hostname(i.Name).Unicode()
	}
	return i.Name
}
