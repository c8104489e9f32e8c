package store

import (
	"context"
	"strings"
	"unicode/utf8"

	"cancale/internal/hosting"
)

// FileAct is what was done to files of a site, for the audit log: one act, of
// however many files.
type FileAct struct {
	Path   string `json:",omitempty"` // of the first, from the home of the site on
	To     string `json:",omitempty"`
	Count  int    `json:",omitempty"` // how many were chosen
	Detail string `json:",omitempty"`
}

// maxTarget is how much of a target the audit log holds, in characters.
const maxTarget = 254

// NoteFiles tells the audit log of something that was done to the files of a
// site. It changes nothing else.
func (s *Store) NoteFiles(ctx context.Context, actor hosting.Actor, id hosting.SiteID, action string, act FileAct) error {
	return s.write(ctx, actor, action, func(t *tx) error {
		site, err := readHome(t.DB, id)
		if err != nil {
			return orNotFound(err, "site")
		}
		if err := t.allow(site.AccountID, "site", hosting.FilesWrite); err != nil {
			return err
		}
		const room = 1000
		act.Path, act.To = hosting.Visible(act.Path, room), hosting.Visible(act.To, room)
		target := string(site.Host) + "/" + strings.TrimPrefix(act.Path, "/")
		if utf8.RuneCountInString(target) > maxTarget {
			target = string([]rune(target)[:maxTarget])
		}
		t.note(site.AccountID, target, nil, act)
		return nil
	})
}
