package hosting

import "time"

// WorkKind says what somebody of the team has to do.
type WorkKind string

const (
	WorkSite       WorkKind = "site"       // a site could not be applied
	WorkDatabase   WorkKind = "database"   // a database could not be applied
	WorkRequest    WorkKind = "request"    // a request waits for an answer
	WorkMembership WorkKind = "membership" // a membership ends soon, or has ended
	WorkFull       WorkKind = "full"       // an account has hardly any room left
	WorkTask       WorkKind = "task"       // the last run of a task failed
	WorkMail       WorkKind = "mail"       // a mail could not be sent
	WorkBan        WorkKind = "ban"        // addresses are banned
)

// Work is something that waits for somebody of the team.
type Work struct {
	Kind    WorkKind
	ID      uint64 // of the site, database, request, account, mail; of a task: its site
	Account Account
	Name    string
	Problem Message
	At      *time.Time // since when
	Until   *time.Time // of a membership
	N       int        // percent of a limit; how many addresses
	More    bool       // stands for all others of its kind
}

// Overview is what an account has, by the state that it is in.
type Overview struct {
	Sites     map[State]int
	Databases map[State]int
	Tasks     int // enabled ones whose last run failed
}

// Well reports whether all of it is as it should be.
func (o Overview) Well() bool {
	for _, counts := range []map[State]int{o.Sites, o.Databases} {
		for state, n := range counts {
			if state != Live && n > 0 {
				return false
			}
		}
	}
	return o.Tasks == 0
}
