package hosting

import "time"

// BanKind is what has to wait before it may sign in again.
type BanKind string

// The kinds of bans.
const (
	BanSource BanKind = "source" // an address; of IPv6, the network of one subscriber
	BanFTP    BanKind = "ftp"    // the name of a login
	BanPanel  BanKind = "panel"  // the address of a person
	BanCode   BanKind = "code"   // the same, at the second step of a sign-in
)

// Ban is an address or a name from which, or with which, too many wrong
// passwords came. It goes by itself.
type Ban struct {
	ID       string    `json:"id"`
	Kind     BanKind   `json:"kind"`
	Label    string    `json:"label"`    // "" is a name that nobody bears
	Failures int       `json:"failures"` // since it had last been quiet for an hour
	Banned   bool      `json:"banned"`   // its connections are refused; otherwise they only have to wait
	LastAt   time.Time `json:"last_at"`
	Until    time.Time `json:"until"`
}

// Active reports whether it still has to wait.
func (b Ban) Active(now time.Time) bool { return b.Until.After(now) }
