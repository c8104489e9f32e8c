package hosting

import "time"

// Identifiers of rows. Distinct types, so that one cannot be handed in for
// another; identifiers may have gaps.
type (
	PersonID   uint64
	AccountID  uint64
	PlanID     uint64
	NodeID     uint64
	SiteID     uint64
	DatabaseID uint64
	FTPLoginID uint64
)

// PlatformRole is what a person may do on the whole platform.
type PlatformRole string

const (
	NoRole        PlatformRole = ""              // a member of associations only
	Administrator PlatformRole = "administrator" // everything
	Technician    PlatformRole = "technician"    // sees everything, repairs, suspends; no persons, no plans
)

// Role is what a person may do for one account.
type Role string

const (
	Owner      Role = "owner"      // responsable
	Webmaster  Role = "webmaster"  // webmestre
	Contractor Role = "contractor" // prestataire, until a date
)

// Person is somebody who signs in.
type Person struct {
	ID           PersonID
	Email        Email
	Name         string
	PasswordHash string // encoded argon2id; empty until the invitation is accepted
	Role         PlatformRole
	Language     string // "fr" or "en"
	Theme        string // "auto", "light" or "dark"
	Disabled     bool
	CreatedAt    time.Time
	LastSeenAt   *time.Time
}

// FirstEmail stands for the address of an installation's first administrator
// until they open their link and give it. No mail can ever reach it (RFC 2606).
const FirstEmail Email = "first-administrator@cancale.invalid"

// Membership is a person's role on an account.
type Membership struct {
	PersonID  PersonID
	AccountID AccountID
	Role      Role
	Until     *time.Time // the last moment of a contractor's access; nil is for ever
	CreatedAt time.Time
}

// Plan is a set of limits. A limit of zero allows none; Unlimited allows any
// number.
type Plan struct {
	ID        PlanID
	Name      PlanName
	Label     string
	Sites     int
	Databases int
	FTPLogins int
	DiskMB    int
	// DatabaseMB is how large one database may grow.
	DatabaseMB int `gorm:"column:database_mb"`
	CreatedAt  time.Time
}

// Unlimited is the limit that is none.
const Unlimited = -1

// Usage is what an account has of what a plan limits.
type Usage struct {
	Sites, Databases, FTPLogins int
}

// Account is a hosted association.
type Account struct {
	ID        AccountID
	Name      AccountName
	Label     string
	PlanID    PlanID
	Suspended bool
	Removing  bool
	Expires   *time.Time // end of the membership
	Note      string     // for the volunteers only
	Trash     Trash      `gorm:"embedded" json:"-"`
	CreatedAt time.Time
}

// State is the one word for an account: live, suspended or removing.
func (a Account) State() State {
	switch {
	case a.Removing:
		return Removing
	case a.Suspended:
		return Suspended
	}
	return Live
}

// Node is a machine.
type Node struct {
	ID      NodeID
	Name    string
	NextUID uint32
	PHP     PHPVersions // that the machine has, as its agent saw
}

// Site is what is served: host names, a document root, PHP, and a uid and gid
// of its own.
type Site struct {
	ID           SiteID
	NodeID       NodeID
	AccountID    AccountID
	Host         Hostname
	Aliases      []Hostname `gorm:"-"`
	DocumentRoot DocumentRoot
	PHP          PHPVersion
	UID          uint32 // uid and gid are the same number
	HomeToken    Token  // names the home where only Apache and root look
	SocketToken  Token  // names the directory of the PHP socket
	Suspended    bool   // by a wish about this site
	Held         bool   // suspended by the team, which alone resumes it
	// AccountSuspended is read from the account; a site serves only when
	// neither is set.
	AccountSuspended bool `gorm:"->"`
	// Frozen is read from the account's room on the disk: PHP may no longer
	// write. Only the agent is told.
	Frozen    bool `gorm:"->"`
	Behaviour Behaviour
	Sync      Sync  `gorm:"embedded"`
	Trash     Trash `gorm:"embedded" json:"-"`
	CreatedAt time.Time
}

// Off reports whether the site must answer that it is suspended.
func (s Site) Off() bool { return s.Suspended || s.AccountSuspended }

// Names are the host and its aliases.
func (s Site) Names() []Hostname { return append([]Hostname{s.Host}, s.Aliases...) }

// Database is a MariaDB database and its one user, who bears the same name.
type Database struct {
	ID        DatabaseID
	NodeID    NodeID
	AccountID AccountID
	Name      DatabaseName
	// PasswordHash is the mysql_native_password string ("*" and 40 hex digits);
	// the password itself is shown once and kept nowhere.
	PasswordHash     string
	AccountSuspended bool `gorm:"->"`
	// Full is read from its size: nothing may be added to it. Only the agent is
	// told, and who else may sign in.
	Full      bool           `gorm:"->"`
	Users     []DatabaseUser `gorm:"-" json:",omitempty"`
	Passes    []DatabasePass `gorm:"-" json:",omitempty"`
	Sync      Sync           `gorm:"embedded"`
	Trash     Trash          `gorm:"embedded" json:"-"`
	CreatedAt time.Time
}

// User is the name of the database's user.
func (d Database) User() string { return string(d.Name) }

// FTPLogin lets somebody reach the files of one site, or of all sites of an
// account when SiteID is zero. The FTP daemon reads it at each sign-in, so a
// login is live, and gone, with the transaction that says so.
type FTPLogin struct {
	ID               FTPLoginID
	NodeID           NodeID
	AccountID        AccountID
	SiteID           SiteID
	Login            FTPName
	PasswordHash     string       // encoded argon2id
	Path             DocumentRoot // folder in the home that is the root; "" is the home
	FTPTerms         `gorm:"embedded"`
	Disabled         bool
	AccountSuspended bool  `gorm:"->"`
	Sync             Sync  `gorm:"embedded"`
	Trash            Trash `gorm:"embedded" json:"-"`
	// Gone is the login's own ID once it is removed: its name is then free.
	Gone       FTPLoginID `json:"-"`
	CreatedAt  time.Time
	LastUsedAt *time.Time
}

// AuditEntry is one row of the audit log.
type AuditEntry struct {
	ID        uint64
	At        time.Time
	Actor     string // e-mail address, "cli:root", "agent"
	Source    string // IP address, or "" on the machine itself
	Action    string // "site.create"
	AccountID AccountID
	Target    string // name of what it was done to
	Behalf    string // short name of the association in whose place the actor acted
	Before    string // JSON, secrets struck out
	After     string
}
