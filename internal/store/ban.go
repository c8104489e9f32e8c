package store

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"net/netip"
	"time"

	"cancale/internal/hosting"

	"gorm.io/gorm"
)

// banRow is a row of throttles as it is shown.
type banRow struct {
	Subject []byte
	hosting.Ban
}

func bansOf(rows []banRow) []hosting.Ban {
	bans := make([]hosting.Ban, len(rows))
	for i, row := range rows {
		bans[i] = row.Ban
		bans[i].ID = hex.EncodeToString(row.Subject)
	}
	return bans
}

// BanFilter narrows the list of bans. Zero values do not narrow.
type BanFilter struct {
	Search        string // in the address or name
	Page, PerPage int
}

// slowed holds for rows that were made to wait, in the last hour or still. Rows
// without a kind count something else, such as mails that were asked for.
const slowed = "kind <> '' AND (until > last_at OR banned = 1)"

const banColumns = "SELECT subject, kind, label, failures, banned, last_at, until FROM throttles"

// Bans lists who has to wait, or had to within the last hour: those first that
// wait longest. It is the whole platform's; who may see it is the page's affair.
func (s *Store) Bans(ctx context.Context, f BanFilter) ([]hosting.Ban, int, error) {
	c := (&conditions{}).and(slowed)
	if f.Search != "" {
		c.and("label LIKE ?", like(f.Search))
	}
	db := s.db.WithContext(ctx)
	total, err := one[int](db, "SELECT COUNT(*) FROM throttles"+c.where(), c.args...)
	if err != nil {
		return nil, 0, err
	}
	limit, offset := limits(f.Page, f.PerPage)
	rows, err := list[banRow](db, banColumns+c.where()+" ORDER BY banned DESC, until DESC, subject LIMIT ? OFFSET ?", c.with(limit, offset)...)
	return bansOf(rows), total, err
}

// mostBans is how many banned networks a daemon knows by heart; the others are
// refused when they sign in.
const mostBans = 10_000

// BannedSources are the networks whose connections are refused now, and until
// when.
func (s *Store) BannedSources(ctx context.Context) (map[netip.Prefix]time.Time, error) {
	rows, err := list[struct {
		Label string
		Until time.Time
	}](s.db.WithContext(ctx), "SELECT label, until FROM throttles WHERE banned = 1 AND until > ? ORDER BY until DESC LIMIT ?", now(), mostBans)
	if err != nil {
		return nil, err
	}
	banned := make(map[netip.Prefix]time.Time, len(rows))
	for _, row := range rows {
		if prefix, ok := networkOf(row.Label); ok {
			banned[prefix] = row.Until
		}
	}
	return banned, nil
}

// networkOf is an address, or a network, as a network.
func networkOf(label string) (netip.Prefix, bool) {
	if prefix, err := netip.ParsePrefix(label); err == nil {
		return prefix, true
	}
	addr, err := netip.ParseAddr(label)
	if err != nil {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(addr, addr.BitLen()), true
}

// LiftBan forgets the failures of an address or a name, which may sign in again
// at once.
func (s *Store) LiftBan(ctx context.Context, actor hosting.Actor, id string) (hosting.Ban, error) {
	return s.lift(ctx, actor, func(t *tx) (banRow, error) {
		subject, err := hex.DecodeString(id)
		if err != nil {
			return banRow{}, errNoRow
		}
		return one[banRow](t.DB, banColumns+" WHERE subject = ? FOR UPDATE", subject)
	})
}

// LiftBanOf is LiftBan by what a person types: an address, a login, the address
// of a person.
func (s *Store) LiftBanOf(ctx context.Context, actor hosting.Actor, label string) (hosting.Ban, error) {
	return s.lift(ctx, actor, func(t *tx) (banRow, error) {
		return one[banRow](t.DB, banColumns+" WHERE label IN (?, ?) ORDER BY banned DESC, until DESC LIMIT 1 FOR UPDATE", label, network(label))
	})
}

func (s *Store) lift(ctx context.Context, actor hosting.Actor, find func(*tx) (banRow, error)) (hosting.Ban, error) {
	var ban hosting.Ban
	err := s.write(ctx, actor, "ban.lift", func(t *tx) error {
		if err := t.allowPlatform(hosting.AdminSuspend); err != nil {
			return err
		}
		row, err := find(t)
		if errors.Is(err, errNoRow) {
			return hosting.Refuse(hosting.NotFound, "", "bans.not_found")
		}
		if err != nil {
			return err
		}
		ban = bansOf([]banRow{row})[0]
		t.note(0, cmp.Or(ban.Label, ban.ID[:8]), ban, nil)
		return t.Exec("DELETE FROM throttles WHERE subject = ?", row.Subject).Error
	})
	return ban, err
}

// failed notes that the attempt had a wrong password. label is the name that
// was tried if somebody bears it, "" otherwise. A source from which too many
// came is banned.
func (s *Store) failed(ctx context.Context, a try, label string) error {
	settings, err := s.Settings(ctx)
	if err != nil {
		return err
	}
	return s.housekeep(ctx, "sign-in refused", func(db *gorm.DB, now time.Time) error {
		if label != "" {
			if err := db.Exec("UPDATE throttles SET label = ? WHERE subject = ?", cut(label, longestWho), a.name).Error; err != nil {
				return err
			}
		}
		if err := db.Exec("UPDATE throttles SET wrong = wrong + 1 WHERE subject = ?", a.source).Error; err != nil {
			return err
		}
		if settings.Bans.Failures == 0 {
			return nil
		}
		return db.Exec("UPDATE throttles SET banned = 1, until = GREATEST(until, ?) WHERE subject = ? AND banned = 0 AND wrong >= ?",
			now.Add(settings.Bans.For), a.source, settings.Bans.Failures).Error
	})
}
