package panel

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"cancale/internal/hosting"
)

// parked is a form that was sent after its session had ended. It travels
// sealed through the sign-in page and is filled in again afterwards; it is
// never acted on without a fresh click.
type parked struct {
	Person  hosting.PersonID  `json:"person,omitempty"` // who drew it; 0 when that is not known
	Account hosting.AccountID `json:"account,omitempty"`
	Page    string            `json:"page"` // where the form is
	Values  url.Values        `json:"values"`
	At      time.Time         `json:"at"`
}

const (
	// parkedLife is how long a person may take to sign in again.
	parkedLife = 12 * time.Hour
	// parkedSize is the largest form that is carried along, in bytes.
	parkedSize = 64 << 10
)

// park seals a form; too large a one is not carried.
func (k keys) park(p parked) string {
	data, err := json.Marshal(p)
	if err != nil || len(data) > parkedSize {
		return ""
	}
	return k.seal(data)
}

// unpark opens what park sealed.
func (k keys) unpark(s string, now time.Time) (p parked, found bool) {
	if s == "" {
		return parked{}, false
	}
	data, ours := k.unseal(s)
	if !ours || json.Unmarshal(data, &p) != nil || now.Sub(p.At) > parkedLife {
		return parked{}, false
	}
	return p, true
}

// localPath is s when it is a path of this panel to go to, and "" when it
// leads, or might lead some browser, anywhere else.
func localPath(s string) string {
	if len(s) > 2000 || !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || strings.ContainsAny(s, "\\\x00\r\n\t") {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || strings.HasPrefix(u.Path, "//") || strings.ContainsAny(u.Path, "\\\r\n\t\x00") {
		return ""
	}
	u.Fragment = ""
	return u.String()
}
