package hosting

import "time"

// PasskeyID identifies a passkey of a person.
type PasskeyID uint64

// Passkey is a key that an authenticator of a person keeps: a telephone, a
// computer, a stick. Here is only its public half.
type Passkey struct {
	ID           PasskeyID
	PersonID     PersonID
	CredentialID []byte `json:"-"` // by which the authenticator knows it
	PublicKey    []byte `json:"-"` // COSE
	SignCount    uint32 // of the authenticator; 0 for ever when it does not count
	Flags        uint8  `json:"-"` // what the authenticator said of itself the last time
	Transports   string // how a browser reaches it: "internal,hybrid"
	Name         string
	CreatedAt    time.Time
	LastUsedAt   *time.Time
}

const (
	// MaxPasskeys is how many passkeys a person may have.
	MaxPasskeys = 10
	// maxPasskeyName is the longest name of a passkey, in characters.
	maxPasskeyName = 60
)

// ParsePasskeyName accepts what a person calls a passkey: one line, not empty.
func ParsePasskeyName(field, s string) (string, error) {
	s, err := ParseLabel(field, s)
	switch {
	case err != nil:
		return "", err
	case s == "":
		return "", Refuse(Invalid, field, "passkey.name_missing")
	case len([]rune(s)) > maxPasskeyName:
		return "", Refuse(Invalid, field, "label.too_long", "60")
	}
	return s, nil
}
