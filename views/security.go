package views

import (
	"strings"
	"time"

	"cancale/internal/hosting"
)

// SecurityParams is how a person's own account is protected.
//
//	templ SecurityPage(page Page, p SecurityParams) // GET /profile/security
type SecurityParams struct {
	Team     bool // the host wants it, and nothing else is shown before
	On       bool // a second factor of either kind
	Codes    bool // by an authenticator that shows codes
	Since    time.Time
	Recovery int // codes left
	Passkeys []hosting.Passkey
	Place    PasskeyPlace
	Form     SecurityForm
}

// SecurityForm is a form of the security page: the one that What names.
//
//	templ SecurityConfirmPage(page Page, key string, f SecurityForm) // GET, POST /profile/security/confirm
type SecurityForm struct {
	What     string `form:"-"` // "begin", "codes", "off" or "confirm"
	Password string `form:"password"`
	Code     string `form:"code"`
	Errors   Errors `form:"-"` // "", password, code
}

// RecoveryParams are the codes for a lost authenticator, this once.
//
//	templ RecoveryPage(page Page, p RecoveryParams) // GET /profile/security/codes
type RecoveryParams struct {
	Codes []string
	Fresh bool // the second factor was just turned on
	Key   bool // by a passkey
}

// title says what was done just before.
func (p RecoveryParams) title() string {
	if p.Key {
		return "passkey.added"
	}
	return "factor.on_title"
}

// CodeForm is POST /signin/code. State is who gave a right password, sealed.
//
//	templ CodePage(pub Public, f CodeForm)
type CodeForm struct {
	State      string `form:"state"`
	Code       string `form:"code"`
	Credential string `form:"credential"`
	Only       bool   `form:"-"` // a passkey is expected: no authenticator shows codes
	Options    string `form:"-"` // for a passkey, in JSON; "" when there is none
	Errors     Errors `form:"-"` // "", code
}

// label is what the field of the second step asks for.
func (f CodeForm) label() string {
	if f.Only {
		return "passkey.recovery_code"
	}
	return "factor.code"
}

func (f CodeForm) hint() string {
	if f.Only {
		return "passkey.recovery_hint"
	}
	return "factor.code_hint"
}

// lost is what to do without either.
func (f CodeForm) lost() string {
	if f.Only {
		return "passkey.lost"
	}
	return "factor.lost"
}

// offText is what protects the account once there is no authenticator.
func (p SecurityParams) offText() string {
	if len(p.Passkeys) > 0 {
		return "factor.off_text_passkeys"
	}
	return "factor.off_text"
}

// of are the refusals of one form of the page.
func (f SecurityForm) of(what string) Errors {
	if f.What == what {
		return f.Errors
	}
	return nil
}

// grouped is a key in groups of four, to be typed.
func grouped(key string) string {
	out := ""
	var outSb54 strings.Builder
	for i, r := range key {
		if i > 0 && i%4 == 0 {
			outSb54.WriteString(" ")
		}
		outSb54.WriteString(string(r))
	}
	out += outSb54.String()
	return out
}
