package store

import (
	"cmp"
	"context"
	"time"

	"cancale/internal/hosting"
)

// NoteSessionEnd refuses an actor who may not end a session of the FTP service,
// and notes that the others do. Members end those of their association;
// volunteers end any, also one that has not signed in.
func (s *Store) NoteSessionEnd(ctx context.Context, actor hosting.Actor, l hosting.LiveSession) error {
	return s.write(ctx, actor, "ftp.end_session", func(t *tx) error {
		if !actor.Scope(hosting.AdminSuspend).All() {
			if err := t.allow(l.AccountID, "sessions", hosting.FTPWrite); err != nil {
				return err
			}
		}
		t.note(l.AccountID, cmp.Or(string(l.Login), l.Source), map[string]string{
			"source": l.Source, "protocol": string(l.Protocol), "since": l.Since.UTC().Format(time.RFC3339),
		}, nil)
		return nil
	})
}
