package panel

import (
	"context"
	"slices"
	"strconv"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/views"
)

// statsSpan is the first and the last day of a period that ends today.
func statsSpan(period string, now time.Time) (from, to time.Time) {
	now = now.Local()
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.Local)
	switch period {
	case "7":
		return today.AddDate(0, 0, -6), today
	case "12":
		return time.Date(now.Year(), now.Month()-11, 1, 0, 0, 0, 0, time.Local), today
	}
	return today.AddDate(0, 0, -29), today
}

// statsDays has a row for each day from one to another, or for each month.
func statsDays(rows []hosting.TrafficDay, from, to time.Time, months bool) []hosting.TrafficDay {
	key := func(day string) string {
		if months {
			return day[:len("2006-01")] + "-01"
		}
		return day
	}
	sums := map[string]hosting.TrafficDay{}
	for _, row := range rows {
		sum := sums[key(row.Day)]
		sum.Add(row)
		sums[key(row.Day)] = sum
	}
	var days []hosting.TrafficDay
	for day := from; !day.After(to); {
		text := day.Format(time.DateOnly)
		d := sums[text]
		d.Day = text
		days = append(days, d)
		if months {
			day = day.AddDate(0, 1, 0)
		} else {
			day = day.AddDate(0, 0, 1)
		}
	}
	return days
}

func (r *Request) statsPeriod() string {
	if period := r.Query("period"); slices.Contains(views.StatsPeriods, period) {
		return period
	}
	return "30"
}

// showStats is GET /sites/:id/stats.
func (s *server) showStats(r *Request) error {
	site, err := r.site()
	if err != nil {
		return err
	}
	period := r.statsPeriod()
	from, to := statsSpan(period, r.now)
	ctx, scope := r.Context(), r.Actor.Scope(r.need)
	rows, err := s.store.Traffic(ctx, scope, site.ID, from.Format(time.DateOnly), to.Format(time.DateOnly))
	if err != nil {
		return err
	}
	names, err := s.store.TrafficNames(ctx, scope, site.ID, from.Format(time.DateOnly), to.Format(time.DateOnly))
	if err != nil {
		return err
	}
	settings, err := s.store.Settings(ctx)
	if err != nil {
		return err
	}
	params := views.StatsParams{
		SiteParams: s.siteState(r, site), Period: period, Names: names, Months: settings.Kept.StatsMonths,
		Days: statsDays(rows, from, to, period == "12"),
	}
	return r.page(func(p views.Page) error {
		params.CSRF = p.CSRF
		return r.Render(views.SiteStatsPage(p, params))
	})
}

// downloadStats is GET /sites/:id/stats/download: the figures of each day, as a
// table.
func (s *server) downloadStats(r *Request) error {
	site, err := r.site()
	if err != nil {
		return err
	}
	from, to := statsSpan(r.statsPeriod(), r.now)
	ctx := r.Context()
	rows, err := s.store.Traffic(ctx, r.Actor.Scope(r.need), site.ID, from.Format(time.DateOnly), to.Format(time.DateOnly))
	if err != nil {
		return err
	}
	t := func(key string) string { return i18n.T(ctx, key) }
	out := r.sheet(string(site.Host)+"-"+to.Format(time.DateOnly)+".csv",
		t("stats.day"), t("stats.visitors"), t("stats.pages"), t("stats.hits"), t("stats.robots"), t("stats.bytes"), t("stats.good"), t("stats.moved"), t("stats.refused"), t("stats.failed"))
	for _, d := range statsDays(rows, from, to, false) {
		cells := []string{d.Day}
		for _, n := range []int64{d.Visitors, d.Pages, d.Hits, d.Robots, d.Bytes, d.Good, d.Moved, d.Refused, d.Failed} {
			cells = append(cells, strconv.FormatInt(n, 10))
		}
		out.row(cells...)
	}
	out.close(nil)
	return nil
}

// samples are how the machine was in the period that the address asks for.
func (s *server) samples(r *Request) (period string, samples []hosting.Sample, err error) {
	period = r.Query("period")
	if !slices.Contains(views.PlatformPeriods, period) {
		period = views.PlatformPeriods[0]
	}
	grain, span := views.PlatformSpan(period)
	samples, err = s.platformSamples(r.Context(), grain, r.now.Add(-span))
	return period, samples, err
}

// platformSamples are those of a grain; what is too new for it is added from
// the finer ones.
func (s *server) platformSamples(ctx context.Context, grain hosting.Grain, since time.Time) ([]hosting.Sample, error) {
	samples, err := s.store.Samples(ctx, grain, since)
	if err != nil || grain == hosting.EachMinute {
		return samples, err
	}
	finer := hosting.EachHour
	if grain == hosting.EachHour {
		finer = hosting.EachMinute
	}
	if len(samples) > 0 {
		since = samples[len(samples)-1].At.Add(grain.Length())
	}
	rest, err := s.platformSamples(ctx, finer, since)
	return append(samples, rest...), err
}
