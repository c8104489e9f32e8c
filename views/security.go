package views

import (
	"strings"
	"time"
)

// SecurityParams is how a person's own account is protected.
//
//	templ SecurityPage(page Page, p SecurityParams) // GET /profile/security
type SecurityParams struct {
	Team     bool // the host wants it, and nothing else is shown before
	On       bool
	Since    time.Time
	Recovery int // codes left
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
}

// CodeForm is POST /signin/code. State is who gave a right password, sealed.
//
//	templ CodePage(pub Public, f CodeForm)
type CodeForm struct {
	State  string `form:"state"`
	Code   string `form:"code"`
	Errors Errors `form:"-"` // "", code
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
