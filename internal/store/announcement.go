package store

import (
	"context"
	"errors"
	"time"

	"cancale/internal/hosting"

	"gorm.io/gorm"
)

// AnnouncementRow is an announcement and to how many associations it is, when
// it is not to all.
type AnnouncementRow struct {
	hosting.Announcement
	Accounts int
}

// announcementAccount is a row of announcement_accounts.
type announcementAccount struct {
	AnnouncementID hosting.AnnouncementID
	AccountID      hosting.AccountID
}

// announcementPerson is a row of announcement_persons.
type announcementPerson struct {
	AnnouncementID hosting.AnnouncementID
	PersonID       hosting.PersonID
	Mailed         bool
	Dismissed      bool
}

const selectAnnouncements = "SELECT n.*, (SELECT COUNT(*) FROM announcement_accounts x WHERE x.announcement_id = n.id) AS accounts FROM announcements n"

// shownTo is which announcements n are to some accounts.
const shownTo = "n.everyone = 1 OR EXISTS (SELECT 1 FROM announcement_accounts x WHERE x.announcement_id = n.id AND x.account_id IN ?)"

// bannersShown is how many announcements stand above a page.
const bannersShown = 3

// Announcements lists all announcements, the latest first: one page, and how
// many there are. They are the whole team's, and nobody else's.
func (s *Store) Announcements(ctx context.Context, scope hosting.Scope, page, perPage int) ([]AnnouncementRow, int, error) {
	if !scope.All() {
		return []AnnouncementRow{}, 0, nil
	}
	db := s.db.WithContext(ctx)
	total, err := one[int](db, "SELECT COUNT(*) FROM announcements")
	if err != nil {
		return nil, 0, err
	}
	limit, offset := limits(page, perPage)
	rows, err := list[AnnouncementRow](db, selectAnnouncements+" ORDER BY n.id DESC LIMIT ? OFFSET ?", limit, offset)
	return rows, total, err
}

// Announcement reads one announcement, for the team.
func (s *Store) Announcement(ctx context.Context, scope hosting.Scope, id hosting.AnnouncementID) (AnnouncementRow, error) {
	if !scope.All() {
		return AnnouncementRow{}, orNotFound(errNoRow, "announcement")
	}
	row, err := one[AnnouncementRow](s.db.WithContext(ctx), selectAnnouncements+" WHERE n.id = ?", id)
	return row, orNotFound(err, "announcement")
}

// Banners are the announcements to an account that a person has not put away,
// the latest first.
func (s *Store) Banners(ctx context.Context, scope hosting.Scope, account hosting.AccountID, person hosting.PersonID) ([]hosting.Announcement, error) {
	if !scope.Has(account) {
		return []hosting.Announcement{}, nil
	}
	return list[hosting.Announcement](s.db.WithContext(ctx), "SELECT n.* FROM announcements n WHERE n.until > ? AND ("+shownTo+")"+
		" AND NOT EXISTS (SELECT 1 FROM announcement_persons d WHERE d.announcement_id = n.id AND d.person_id = ? AND d.dismissed = 1) ORDER BY n.id DESC LIMIT ?",
		now(), []hosting.AccountID{account}, person, bannersShown)
}

// DismissBanner puts an announcement away for one person, who must be told it.
func (s *Store) DismissBanner(ctx context.Context, actor hosting.Actor, id hosting.AnnouncementID) error {
	scope := actor.Scope(hosting.AccountRead)
	return s.housekeep(ctx, "banner", func(db *gorm.DB, _ time.Time) error {
		c := (&conditions{}).and("n.id = ?", id)
		if !scope.All() {
			c.and(shownTo, append(scope.Accounts(), 0))
		}
		if _, err := one[int](db, "SELECT 1 FROM announcements n"+c.where(), c.args...); err != nil {
			return orNotFound(err, "announcement")
		}
		return db.Exec("INSERT INTO announcement_persons (announcement_id, person_id, mailed, dismissed) VALUES (?, ?, 0, 1) ON DUPLICATE KEY UPDATE dismissed = 1", id, actor.Person).Error
	})
}

// CreateAnnouncement tells something: to the associations of a draft of
// DraftBulk, or to all when it is 0. When mails are asked for, the act that it
// answers sends them; its number is 0 otherwise.
func (s *Store) CreateAnnouncement(ctx context.Context, actor hosting.Actor, spec hosting.AnnouncementSpec, draft hosting.BulkID) (hosting.Announcement, hosting.BulkID, error) {
	var a hosting.Announcement
	var sending hosting.BulkID
	err := s.write(ctx, actor, "announcement.create", func(t *tx) error {
		if err := t.allowPlatform(hosting.AdminAnnounce); err != nil {
			return err
		}
		if spec.Until == nil && !spec.Mail {
			return hosting.Refuse(hosting.Invalid, "until", "announcement.nowhere")
		}
		author, err := t.authorName()
		if err != nil {
			return err
		}
		a = hosting.Announcement{
			TitleFR: spec.TitleFR, TextFR: spec.TextFR, TitleEN: spec.TitleEN, TextEN: spec.TextEN, Everyone: draft == 0, Mailed: spec.Mail,
			Until: stored(spec.Until), PersonID: t.actor.Person, Author: author, CreatedAt: t.now,
		}
		if err := t.Create(&a).Error; err != nil {
			return err
		}
		t.note(0, a.TitleFR, nil, a)
		sending, err = t.addressees(a, draft)
		return err
	})
	return a, sending, err
}

// addressees are fixed from a draft, and mails to them, or to all, begun.
func (t *tx) addressees(a hosting.Announcement, draft hosting.BulkID) (hosting.BulkID, error) {
	if draft != 0 {
		bulk, err := readBulk(t.DB, t.actor, draft, " FOR UPDATE")
		if err != nil {
			return 0, err
		}
		if bulk.Act != hosting.BulkAnnounce || bulk.State != hosting.BulkDraft {
			return 0, hosting.Refuse(hosting.Conflict, "", "announcement.sent_already")
		}
		err = t.Exec("INSERT INTO announcement_accounts (announcement_id, account_id) SELECT ?, b.account_id FROM bulk_accounts b JOIN accounts a ON a.id = b.account_id WHERE b.bulk_id = ?", a.ID, draft).Error
		if err != nil {
			return 0, err
		}
		if !a.Mailed {
			return 0, t.Exec("DELETE FROM bulk_acts WHERE id = ?", draft).Error
		}
		return draft, t.Exec("UPDATE bulk_acts SET state = 'running', announcement_id = ? WHERE id = ?", a.ID, draft).Error
	}
	if !a.Mailed {
		return 0, nil
	}
	bulk := hosting.Bulk{
		Act: hosting.BulkAnnounce, AnnouncementID: a.ID, PersonID: t.actor.Person, Actor: t.actor.Name, Source: cut(t.actor.Source, maxSource),
		State: hosting.BulkRunning, CreatedAt: t.now,
	}
	if err := t.Table("bulk_acts").Create(&bulk).Error; err != nil {
		return 0, err
	}
	c := AccountFilter{}.conditions(t.actor.Scope(hosting.AdminAnnounce))
	return bulk.ID, fillBulk(t.DB, bulk.ID, c).Error
}

// UpdateAnnouncement changes what an announcement says and until when it
// stands. To whom it is stays, and mails that are sent are sent.
func (s *Store) UpdateAnnouncement(ctx context.Context, actor hosting.Actor, id hosting.AnnouncementID, spec hosting.AnnouncementSpec) error {
	return s.write(ctx, actor, "announcement.update", func(t *tx) error {
		before, err := t.lockAnnouncement(id)
		if err != nil {
			return err
		}
		after := before
		after.TitleFR, after.TextFR, after.TitleEN, after.TextEN, after.Until = spec.TitleFR, spec.TextFR, spec.TitleEN, spec.TextEN, stored(spec.Until)
		if after.Until == nil && !before.Mailed {
			return hosting.Refuse(hosting.Invalid, "until", "announcement.nowhere")
		}
		after.EditedAt = &t.now
		t.note(0, after.TitleFR, before, after)
		return t.Exec("UPDATE announcements SET title_fr = ?, text_fr = ?, title_en = ?, text_en = ?, until = ?, edited_at = ? WHERE id = ?",
			after.TitleFR, after.TextFR, after.TitleEN, after.TextEN, after.Until, t.now, id).Error
	})
}

// EndAnnouncement takes an announcement from the panel now.
func (s *Store) EndAnnouncement(ctx context.Context, actor hosting.Actor, id hosting.AnnouncementID) error {
	return s.write(ctx, actor, "announcement.end", func(t *tx) error {
		before, err := t.lockAnnouncement(id)
		if err != nil {
			return err
		}
		if t.same = !before.Shown(t.now); t.same {
			return nil
		}
		after := before
		after.Until = &t.now
		t.note(0, before.TitleFR, before, after)
		return t.Exec("UPDATE announcements SET until = ? WHERE id = ?", t.now, id).Error
	})
}

// RemoveAnnouncement removes an announcement; what is not sent yet is not.
func (s *Store) RemoveAnnouncement(ctx context.Context, actor hosting.Actor, id hosting.AnnouncementID) error {
	return s.write(ctx, actor, "announcement.delete", func(t *tx) error {
		before, err := t.lockAnnouncement(id)
		if err != nil {
			return err
		}
		t.note(0, before.TitleFR, before, nil)
		return t.Exec("DELETE FROM announcements WHERE id = ?", id).Error
	})
}

func (t *tx) lockAnnouncement(id hosting.AnnouncementID) (hosting.Announcement, error) {
	if err := t.allowPlatform(hosting.AdminAnnounce); err != nil {
		return hosting.Announcement{}, err
	}
	a, err := one[hosting.Announcement](t.DB, "SELECT * FROM announcements WHERE id = ? FOR UPDATE", id)
	return a, orNotFound(err, "announcement")
}

// announce writes to the owners of an account, each once however many accounts
// they have.
func (t *tx) announce(account hosting.Account, id hosting.AnnouncementID) error {
	a, err := one[hosting.Announcement](t.DB, "SELECT * FROM announcements WHERE id = ?", id)
	if err != nil {
		return orNotFound(err, "announcement")
	}
	owners, err := list[hosting.Person](t.DB, "SELECT p.* FROM persons p JOIN memberships m ON m.person_id = p.id"+
		" WHERE m.account_id = ? AND m.role = 'owner' AND (m.until IS NULL OR m.until > ?) AND p.disabled = 0 ORDER BY p.id", account.ID, t.now)
	if err != nil {
		return err
	}
	if len(owners) == 0 {
		return hosting.Refuse(hosting.Conflict, "", "bulk.why_no_owner")
	}
	for _, p := range owners {
		told, err := one[bool](t.DB, "SELECT mailed FROM announcement_persons WHERE announcement_id = ? AND person_id = ? FOR UPDATE", id, p.ID)
		if err != nil && !errors.Is(err, errNoRow) {
			return err
		}
		if told {
			continue
		}
		err = t.Exec("INSERT INTO announcement_persons (announcement_id, person_id, mailed, dismissed) VALUES (?, ?, 1, 0) ON DUPLICATE KEY UPDATE mailed = 1", id, p.ID).Error
		if err != nil {
			return err
		}
		title, text := a.In(p.Language)
		if err := t.mailTo(p, hosting.Mail{Kind: hosting.MailAnnouncement, AccountID: account.ID, Args: map[string]string{"subject": title, "text": text}}); err != nil {
			return err
		}
	}
	t.noteAs("announcement.mail", account.ID, a.TitleFR, nil, nil)
	return nil
}
