package store

import (
	"context"

	"cancale/internal/hosting"
)

// CheckHost refuses a host name that the account could not have just now, with
// the words that CreateSite would use. It reserves nothing.
func (s *Store) CheckHost(ctx context.Context, scope hosting.Scope, account hosting.AccountID, host hosting.Hostname) error {
	if !scope.Has(account) {
		return hosting.Refuse(hosting.NotFound, "", "account.not_found")
	}
	t := &tx{DB: s.db.WithContext(ctx)}
	holders, err := t.related([]hosting.Hostname{host})
	if err != nil {
		return err
	}
	var others []hosting.Hostname
	for _, h := range holders {
		switch {
		case h.Free:
		case h.Name == host && (h.Removing || h.Dropped > 0):
			return hosting.Refuse(hosting.Conflict, "host", "host.removing", host.Unicode())
		case h.Name == host:
			return hosting.Refuse(hosting.Conflict, "host", "host.taken", host.Unicode())
		case h.AccountID != account:
			others = append(others, h.Name)
		}
	}
	return hosting.CheckNames([]hosting.Hostname{host}, s.cfg.PanelHost, others)
}
