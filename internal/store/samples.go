package store

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"cancale/internal/hosting"

	"gorm.io/gorm"
)

// sampleRow is a row of samples.
type sampleRow struct {
	At      time.Time
	Numbers string
}

func (r sampleRow) sample() (hosting.Sample, error) {
	s := hosting.Sample{At: r.At}
	return s, json.Unmarshal([]byte(r.Numbers), &s.Numbers)
}

// AddSample notes how this machine is now, and thins what is older: minutes
// become hours, hours days, and what is too old goes. What a stopped agent left
// undone is made up for.
func (n *NodeStore) AddSample(ctx context.Context, sample hosting.Sample) error {
	err := transact(ctx, n.db, func(db *gorm.DB) error {
		at := sample.At.UTC().Truncate(time.Minute)
		if err := n.putSample(db, hosting.EachMinute, at, sample.Numbers); err != nil {
			return err
		}
		if err := n.thin(db, hosting.EachMinute, hosting.EachHour, time.Hour, at); err != nil {
			return err
		}
		if err := n.thin(db, hosting.EachHour, hosting.EachDay, 24*time.Hour, at); err != nil {
			return err
		}
		for _, g := range []hosting.Grain{hosting.EachMinute, hosting.EachHour, hosting.EachDay} {
			if err := db.Exec("DELETE FROM samples WHERE node_id = ? AND grain = ? AND at < ?", n.node.ID, g, at.Add(-g.Kept())).Error; err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return wrap("sample", err)
	}
	return nil
}

func (n *NodeStore) putSample(db *gorm.DB, g hosting.Grain, at time.Time, numbers map[string]float64) error {
	text, err := json.Marshal(numbers)
	if err != nil {
		return err
	}
	return db.Exec("INSERT INTO samples (node_id, grain, at, numbers) VALUES (?, ?, ?, ?) ON DUPLICATE KEY UPDATE numbers = ?", n.node.ID, g, at, text, text).Error
}

// thin makes the means of all samples of a grain that end before at, as far as
// they are not made yet.
func (n *NodeStore) thin(db *gorm.DB, from, to hosting.Grain, unit time.Duration, at time.Time) error {
	latest, err := list[time.Time](db, "SELECT at FROM samples WHERE node_id = ? AND grain = ? ORDER BY at DESC LIMIT 1", n.node.ID, to)
	if err != nil {
		return err
	}
	after := time.Unix(0, 0).UTC()
	if len(latest) > 0 {
		after = latest[0].Add(unit)
	}
	if before := at.Truncate(unit); after.Before(before) {
		rows, err := list[sampleRow](db, "SELECT at, numbers FROM samples WHERE node_id = ? AND grain = ? AND at >= ? AND at < ? ORDER BY at", n.node.ID, from, after, before)
		if err != nil {
			return err
		}
		groups := map[time.Time][]hosting.Sample{}
		for _, row := range rows {
			s, err := row.sample()
			if err != nil {
				continue // it says nothing
			}
			groups[s.At.Truncate(unit)] = append(groups[s.At.Truncate(unit)], s)
		}
		for _, begin := range slices.SortedFunc(maps.Keys(groups), time.Time.Compare) {
			if err := n.putSample(db, to, begin, hosting.Mean(groups[begin])); err != nil {
				return err
			}
		}
	}
	return nil
}

// Load is what the database itself tells of how busy the machine is: sites by
// what they are, changes and mails that wait, connections.
func (n *NodeStore) Load(ctx context.Context) (map[string]float64, error) {
	db := n.db.WithContext(ctx)
	rows, err := list[struct {
		State hosting.State
		N     float64
	}](db, "SELECT state, COUNT(*) AS n FROM sites WHERE node_id = ? GROUP BY state", n.node.ID)
	if err != nil {
		return nil, err
	}
	numbers := map[string]float64{hosting.SampleSites: 0, hosting.SampleSitesFailed: 0, hosting.SampleSitesOff: 0}
	for _, row := range rows {
		switch row.State {
		case hosting.Live:
			numbers[hosting.SampleSites] += row.N
		case hosting.Failed:
			numbers[hosting.SampleSitesFailed] += row.N
		case hosting.Suspended:
			numbers[hosting.SampleSitesOff] += row.N
		case hosting.Pending, hosting.Applying, hosting.Removing, hosting.Removed:
		}
	}
	const waiting = " WHERE node_id = ? AND state IN ('pending', 'applying', 'removing')"
	if numbers[hosting.SampleWaiting], err = one[float64](db, "SELECT (SELECT COUNT(*) FROM sites"+waiting+") + (SELECT COUNT(*) FROM hosted_databases"+waiting+")", n.node.ID, n.node.ID); err != nil {
		return nil, err
	}
	if numbers[hosting.SampleMails], err = one[float64](db, "SELECT COUNT(*) FROM mails WHERE state = ?", hosting.MailWaiting); err != nil {
		return nil, err
	}
	status, err := one[struct{ Value float64 }](db, "SHOW GLOBAL STATUS LIKE 'Threads_connected'")
	numbers[hosting.SampleDatabase] = status.Value
	return numbers, err
}

// Samples are how the machine was since then, the earliest first. They are the
// whole platform's; who may see them is the page's affair.
func (s *Store) Samples(ctx context.Context, g hosting.Grain, since time.Time) ([]hosting.Sample, error) {
	rows, err := list[sampleRow](s.db.WithContext(ctx), "SELECT at, numbers FROM samples WHERE node_id = (SELECT MIN(id) FROM nodes) AND grain = ? AND at >= ? ORDER BY at", g, since.UTC())
	if err != nil {
		return nil, err
	}
	samples := make([]hosting.Sample, 0, len(rows))
	for _, row := range rows {
		if sample, err := row.sample(); err == nil {
			samples = append(samples, sample)
		}
	}
	return samples, nil
}
