package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/traffic"

	"gorm.io/gorm"
)

// SiteDay is a day of a site.
type SiteDay struct {
	Site hosting.SiteID
	Day  string // 2006-01-02
}

const (
	// trafficBatch is how many rows one statement brings.
	trafficBatch = 200
	// sweepTraffic is how many rows one statement deletes.
	sweepTraffic = 5000
	// batchesKept is how long it is remembered which batches were added: their
	// files have long been removed by then.
	batchesKept = 24 * time.Hour
)

// NewBatches are those of some batches of counts that were not added yet.
func (n *NodeStore) NewBatches(ctx context.Context, names []string) ([]string, error) {
	known, err := list[string](n.db.WithContext(ctx), "SELECT name FROM traffic_batches WHERE name IN ?", names)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(known, name) }), nil
}

// AddTraffic adds what was counted to the days of the sites, and notes of which
// batches it is: all of it or nothing. Of a site that is gone nothing is kept.
func (n *NodeStore) AddTraffic(ctx context.Context, batches []string, counts map[SiteDay]traffic.Day) error {
	days := slices.SortedFunc(maps.Keys(counts), func(a, b SiteDay) int {
		return cmp.Or(cmp.Compare(a.Site, b.Site), cmp.Compare(a.Day, b.Day))
	})
	err := transact(ctx, n.db, func(db *gorm.DB) error {
		at := now()
		if err := db.Exec("DELETE FROM traffic_batches WHERE at < ?", at.Add(-batchesKept)).Error; err != nil {
			return err
		}
		for _, name := range batches {
			if err := db.Exec("INSERT INTO traffic_batches (name, at) VALUES (?, ?)", name, at).Error; err != nil {
				return err
			}
		}
		for part := range slices.Chunk(days, trafficBatch) {
			if err := addTraffic(db, part, counts); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return wrap("traffic", err)
	}
	return nil
}

func addTraffic(db *gorm.DB, days []SiteDay, counts map[SiteDay]traffic.Day) error {
	ids := make([]hosting.SiteID, len(days))
	keys := make([][]any, len(days))
	for i, d := range days {
		ids[i], keys[i] = d.Site, []any{d.Site, d.Day}
	}
	sites, err := list[siteAccount](db, "SELECT id, account_id FROM sites WHERE id IN ?", ids)
	if err != nil {
		return err
	}
	owners := make(map[hosting.SiteID]hosting.AccountID, len(sites))
	for _, s := range sites {
		owners[s.ID] = s.AccountID
	}
	before, err := list[trafficNamesRow](db, "SELECT site_id, DATE_FORMAT(day, '%Y-%m-%d') AS day, names FROM site_traffic_names WHERE (site_id, day) IN ? FOR UPDATE", keys)
	if err != nil {
		return err
	}
	held := make(map[SiteDay]string, len(before))
	for _, row := range before {
		held[SiteDay{row.SiteID, row.Day}] = row.Names
	}
	var figures, names []any
	together := map[accountDay]hosting.TrafficDay{}
	for _, d := range days {
		account, there := owners[d.Site]
		if !there {
			continue
		}
		more := counts[d]
		var all traffic.Day
		if text := held[d]; text != "" {
			if err := json.Unmarshal([]byte(text), &all); err != nil {
				all = traffic.Day{}
			}
		}
		seen := all.Seen.Count()
		all.Add(more)
		text, err := json.Marshal(&all)
		if err != nil {
			return err
		}
		figures = append(figures, d.Site, d.Day, more.Hits, more.Pages, all.Seen.Count(), more.Robots, more.Bytes, more.Class(2), more.Class(3), more.Class(4), more.Class(5))
		names = append(names, d.Site, d.Day, text)
		sum := together[accountDay{account, d.Day}]
		sum.Add(hosting.TrafficDay{
			Hits: more.Hits, Pages: more.Pages, Visitors: all.Seen.Count() - seen, Robots: more.Robots, Bytes: more.Bytes,
			Good: more.Class(2), Moved: more.Class(3), Refused: more.Class(4), Failed: more.Class(5),
		})
		together[accountDay{account, d.Day}] = sum
	}
	if len(names) == 0 {
		return nil
	}
	rows := len(names) / namesColumns
	if err := db.Exec("INSERT INTO site_traffic (site_id, day, hits, pages, visitors, robots, bytes, good, moved, refused, failed) VALUES "+placeholders(rows, len(figures)/rows)+
		" ON DUPLICATE KEY UPDATE hits = hits + VALUES(hits), pages = pages + VALUES(pages), visitors = VALUES(visitors), robots = robots + VALUES(robots),"+
		" bytes = bytes + VALUES(bytes), good = good + VALUES(good), moved = moved + VALUES(moved), refused = refused + VALUES(refused), failed = failed + VALUES(failed)", figures...).Error; err != nil {
		return err
	}
	if err := db.Exec("INSERT INTO site_traffic_names (site_id, day, names) VALUES "+placeholders(rows, namesColumns)+" ON DUPLICATE KEY UPDATE names = VALUES(names)", names...).Error; err != nil {
		return err
	}
	return addTogether(db, together)
}

type siteAccount struct {
	ID        hosting.SiteID
	AccountID hosting.AccountID
}

type accountDay struct {
	account hosting.AccountID
	day     string
}

// addTogether adds to the figures of all sites of each account.
func addTogether(db *gorm.DB, sums map[accountDay]hosting.TrafficDay) error {
	days := slices.SortedFunc(maps.Keys(sums), func(a, b accountDay) int {
		return cmp.Or(cmp.Compare(a.account, b.account), cmp.Compare(a.day, b.day))
	})
	var figures []any
	for _, d := range days {
		sum := sums[d]
		figures = append(figures, d.account, d.day, sum.Hits, sum.Pages, sum.Visitors, sum.Robots, sum.Bytes, sum.Good, sum.Moved, sum.Refused, sum.Failed)
	}
	return db.Exec("INSERT INTO account_traffic (account_id, day, hits, pages, visitors, robots, bytes, good, moved, refused, failed) VALUES "+placeholders(len(days), len(figures)/len(days))+
		" ON DUPLICATE KEY UPDATE hits = hits + VALUES(hits), pages = pages + VALUES(pages), visitors = visitors + VALUES(visitors), robots = robots + VALUES(robots),"+
		" bytes = bytes + VALUES(bytes), good = good + VALUES(good), moved = moved + VALUES(moved), refused = refused + VALUES(refused), failed = failed + VALUES(failed)", figures...).Error
}

const namesColumns = 3

// placeholders are those of so many rows.
func placeholders(rows, columns int) string {
	row := "(?" + strings.Repeat(",?", columns-1) + ")"
	return row + strings.Repeat(","+row, rows-1)
}

type trafficNamesRow struct {
	SiteID hosting.SiteID
	Day    string
	Names  string
}

const trafficFigures = "DATE_FORMAT(t.day, '%Y-%m-%d') AS day, t.hits, t.pages, t.visitors, t.robots, t.bytes, t.good, t.moved, t.refused, t.failed"

// Traffic is what the visitors of a site did, by day, from one day to another.
// Days on which nobody came are left out.
func (s *Store) Traffic(ctx context.Context, scope hosting.Scope, site hosting.SiteID, from, to string) ([]hosting.TrafficDay, error) {
	c := scoped(scope, "s.account_id").and("t.site_id = ? AND t.day BETWEEN ? AND ?", site, from, to)
	return list[hosting.TrafficDay](s.db.WithContext(ctx),
		"SELECT "+trafficFigures+" FROM site_traffic t JOIN sites s ON s.id = t.site_id"+c.where()+" ORDER BY t.day", c.args...)
}

// TrafficNames are the names behind a site's figures of some days, as far as
// they are still kept, and the exact status codes.
func (s *Store) TrafficNames(ctx context.Context, scope hosting.Scope, site hosting.SiteID, from, to string) (traffic.Day, error) {
	const kept = 1000 // of all days together, before they are cut down to what is shown
	var all traffic.Day
	c := scoped(scope, "s.account_id").and("t.site_id = ? AND t.day BETWEEN ? AND ?", site, from, to)
	rows, err := list[string](s.db.WithContext(ctx), "SELECT t.names FROM site_traffic_names t JOIN sites s ON s.id = t.site_id"+c.where()+" ORDER BY t.day", c.args...)
	if err != nil {
		return all, err
	}
	for _, text := range rows {
		var d traffic.Day
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			return all, fmt.Errorf("store: traffic of site %d: %w", site, err)
		}
		d.Seen = nil
		all.AddNames(d, kept)
	}
	return all, nil
}

// SitesTraffic is what the visitors of some sites did, by day, from one day to
// another: of each site that had any, the days on which somebody came.
func (s *Store) SitesTraffic(ctx context.Context, scope hosting.Scope, sites []hosting.SiteID, from, to string) (map[hosting.SiteID][]hosting.TrafficDay, error) {
	if len(sites) == 0 {
		return nil, nil
	}
	c := scoped(scope, "s.account_id").and("t.site_id IN ? AND t.day BETWEEN ? AND ?", sites, from, to)
	rows, err := list[struct {
		SiteID hosting.SiteID
		hosting.TrafficDay
	}](s.db.WithContext(ctx), "SELECT t.site_id, "+trafficFigures+" FROM site_traffic t JOIN sites s ON s.id = t.site_id"+c.where()+" ORDER BY t.site_id, t.day", c.args...)
	if err != nil {
		return nil, err
	}
	days := make(map[hosting.SiteID][]hosting.TrafficDay, len(sites))
	for _, row := range rows {
		days[row.SiteID] = append(days[row.SiteID], row.TrafficDay)
	}
	return days, nil
}

// AccountTraffic is what the visitors of all sites of an account did together,
// by day, from one day to another, those of sites that are gone too. Days on
// which nobody came are left out.
func (s *Store) AccountTraffic(ctx context.Context, scope hosting.Scope, account hosting.AccountID, from, to string) ([]hosting.TrafficDay, error) {
	c := scoped(scope, "t.account_id").and("t.account_id = ? AND t.day BETWEEN ? AND ?", account, from, to)
	return list[hosting.TrafficDay](s.db.WithContext(ctx), "SELECT "+trafficFigures+" FROM account_traffic t"+c.where()+" ORDER BY t.day", c.args...)
}

// forgetTraffic deletes figures and names whose time is over, so many at a time
// that it is over at once; the next sweep goes on.
func (s *Store) forgetTraffic(ctx context.Context) error {
	settings, err := s.Settings(ctx)
	if err != nil {
		return err
	}
	return s.housekeep(ctx, "sweep of traffic", func(db *gorm.DB, now time.Time) error {
		if err := db.Exec("DELETE FROM site_traffic_names WHERE day < ? ORDER BY day LIMIT ?", now.AddDate(0, 0, -hosting.TrafficNamesDays).Format(time.DateOnly), sweepTraffic).Error; err != nil {
			return err
		}
		oldest := now.AddDate(0, -settings.Kept.StatsMonths, 0).Format(time.DateOnly)
		if err := db.Exec("DELETE FROM account_traffic WHERE day < ? ORDER BY day LIMIT ?", oldest, sweepTraffic).Error; err != nil {
			return err
		}
		return db.Exec("DELETE FROM site_traffic WHERE day < ? ORDER BY day LIMIT ?", oldest, sweepTraffic).Error
	})
}
