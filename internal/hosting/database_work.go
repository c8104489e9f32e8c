package hosting

import (
	"strconv"
	"time"
)

// Identifiers of what belongs to a database.
type (
	DatabaseUserID uint64
	DatabasePassID uint64
	DatabaseWorkID uint64
)

// DatabaseUser is a user of a database besides its own. It never defines views,
// routines or triggers, so that nothing breaks when it is removed.
type DatabaseUser struct {
	ID           DatabaseUserID
	AccountID    AccountID
	DatabaseID   DatabaseID
	Name         DatabaseName // of the form of a database's name, and unlike any
	ReadOnly     bool
	PasswordHash string
	CreatedAt    time.Time
}

// MaxDatabaseUsers is how many users a database may have besides its own.
const MaxDatabaseUsers = 10

// ParseDatabaseUser accepts the name of a user of a database: as ACCOUNT_suffix
// or the suffix alone.
func ParseDatabaseUser(account AccountName, s string) (DatabaseName, error) {
	name, err := ParseDatabaseName(account, s)
	if err != nil && KindOf(err) == Invalid {
		return "", Refuse(Invalid, "name", "dbuser.name_invalid", string(account))
	}
	return name, err
}

// DatabasePass is one more password of a database's own user, for as long as a
// piece of work of ours takes, or a visit: what is made with it has its owner.
// One that is read-only has a user of its own, who may do nothing else.
type DatabasePass struct {
	ID           DatabasePassID
	NodeID       NodeID
	AccountID    AccountID
	DatabaseID   DatabaseID
	PasswordHash string
	CreatedAt    time.Time
	ExpiresAt    time.Time

	// Of a visit: somebody at work in the database by way of the panel.
	SessionID uint64 // of the panel; 0 is a work of ours
	ReadOnly  bool
	TokenHash []byte
}

// PassUser is the user of a read-only pass. No member's name is like it: ours
// begin so.
func PassUser(id DatabasePassID) string { return PassPrefix + strconv.FormatUint(uint64(id), 10) }

// PassPrefix is how names of such users begin.
const PassPrefix = "cancale_pass_"

// User is whom the pass lets in as.
func (p DatabasePass) User(name DatabaseName) string {
	if p.ReadOnly {
		return PassUser(p.ID)
	}
	return string(name)
}

// How long a visit lasts: since the last page, and in all.
const (
	VisitIdle    = 15 * time.Minute
	VisitLongest = 8 * time.Hour
	MaxVisits    = 10 // of one database, at a time
)

// DatabaseWorkKind says what is done to the content of a database.
type DatabaseWorkKind string

// The kinds of works.
const (
	DatabaseWorkExport   DatabaseWorkKind = "export"
	DatabaseWorkImport   DatabaseWorkKind = "import"
	DatabaseWorkCheck    DatabaseWorkKind = "check"    // looks, and repairs what can be
	DatabaseWorkOptimize DatabaseWorkKind = "optimize" // builds the tables anew
)

// DatabaseWorkState is how far a work is.
type DatabaseWorkState string

// The states of a work.
const (
	DatabaseWorkSending DatabaseWorkState = "sending" // its file comes in
	DatabaseWorkWaiting DatabaseWorkState = "waiting" // for its turn
	DatabaseWorkRunning DatabaseWorkState = "running"
	DatabaseWorkDone    DatabaseWorkState = "done"
	DatabaseWorkFailed  DatabaseWorkState = "failed" // its result says why
)

// Over reports whether nothing more happens.
func (s DatabaseWorkState) Over() bool { return s == DatabaseWorkDone || s == DatabaseWorkFailed }

// DatabaseWork is one such work. The agent writes how far it is.
type DatabaseWork struct {
	ID         DatabaseWorkID
	NodeID     NodeID
	AccountID  AccountID
	DatabaseID DatabaseID
	Kind       DatabaseWorkKind
	State      DatabaseWorkState
	EmptyFirst bool   // an import begins with an empty database
	File       string // as the person calls it
	Size, Done int64  // bytes of the file, or tables
	Actor      string
	CreatedAt  time.Time
	SeenAt     time.Time // when the agent last wrote
	EndedAt    *time.Time
	Result     Message `gorm:"serializer:json"` // how it ended, for people
	Report     string  // a list of TableReport in JSON
}

// Percent is how far the work is.
func (w DatabaseWork) Percent() int {
	if w.State == DatabaseWorkDone {
		return 100
	}
	if w.Size <= 0 {
		return 0
	}
	return int(min(w.Done, w.Size) * 99 / w.Size)
}

// TableReport is what a check says of one table.
type TableReport struct {
	Table  string `json:"table"`
	Engine string `json:"engine"`
	OK     bool   `json:"ok"`
	Text   string `json:"text,omitempty"` // the server's own words
}

// ParseDumpName accepts the name of a file of SQL, for people to recognise it
// by; it never becomes a path.
func ParseDumpName(s string) string { return Visible(s, maxDumpName) }

const maxDumpName = 200
