package panel

import (
	"fmt"
	"strings"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
)

// secret is what a page shows this once: a password, or the link of an
// invitation.
type secret struct {
	Text    string
	For     string // whose it is, where the page is about several
	Created bool   // of a new thing, not of a new password for an old one
	Reset   bool   // a link for a new password
	Account hosting.AccountID
	Expires time.Time
}

// showOnce leads to the page that shows a secret. The secret never travels in
// an address, a cookie or the audit log.
func (r *Request) showOnce(what secret, format string, args ...any) error {
	page := fmt.Sprintf(format, args...)
	r.srv.secrets.put(r.sessionKey(), page, what, r.now)
	return r.redirect(page)
}

// shown is the secret that waits for this page, taken away with this.
func (r *Request) shown() secret {
	what, _ := r.srv.secrets.take(r.sessionKey(), r.path(), r.now)
	return what
}

// invited leads to the page with the link of an invitation.
func (r *Request) invited(invitation store.Invitation, account hosting.AccountID, format string, args ...any) error {
	what := secret{Reset: invitation.Reset, Account: account, Expires: invitation.Expires, Created: true}
	if invitation.Token != "" {
		what.Text = r.srv.invitationURL(invitation.Token)
	}
	return r.showOnce(what, format, args...)
}

// invitationURL is the link that somebody opens to choose a password.
func (s *server) invitationURL(token string) string {
	return strings.TrimSuffix(s.public.String(), "/") + "/invitation/" + token
}

// confirms reports whether somebody typed the name of what is to be destroyed.
func confirms(typed, name string) bool { return strings.TrimSpace(typed) == name }
