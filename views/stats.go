package views

import (
	"context"
	"math"
	"strconv"
	"strings"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/internal/traffic"
	"cancale/views/ui"
)

// StatsParams is what the visitors of a site did in a period. Period is "7" or
// "30", days that end today, or "12", months.
//
//	templ SiteStatsPage(page Page, p StatsParams) // GET /sites/:id/stats
type StatsParams struct {
	SiteParams
	Period string
	Days   []hosting.TrafficDay // each of the period, in their order; of "12" each month
	Names  traffic.Day
	Months int // that are kept
}

// StatsPeriods are those that can be asked for.
var StatsPeriods = []string{"7", "30", "12"}

func statsPath(id hosting.SiteID) string { return sitePath(id, "/stats") }

func (p StatsParams) total() hosting.TrafficDay {
	var sum hosting.TrafficDay
	for _, d := range p.Days {
		sum.Add(d)
	}
	return sum
}

// point is what a day, or a month, is called.
func (p StatsParams) point(ctx context.Context, day string) string {
	t, err := time.ParseInLocation(time.DateOnly, day, time.Local)
	if err != nil {
		return day
	}
	if p.Period == "12" {
		return i18n.MonthYear(ctx, t)
	}
	return i18n.DayMonth(ctx, t)
}

// statsTicks is how many names stand below a chart.
const statsTicks = 4

// chart is a chart of some of the figures of each day.
func (p StatsParams) chart(ctx context.Context, key string, bars, binary bool, text func(float64) string, series ...statsSeries) ui.Chart {
	c := ui.Chart{
		ID: key, Title: i18n.T(ctx, "stats."+key), Bars: bars, Whole: true, Binary: binary, Text: text,
		When: i18n.T(ctx, "stats.day"),
	}
	if p.Period == "12" {
		c.When = i18n.T(ctx, "stats.month")
	}
	for _, d := range p.Days {
		c.Points = append(c.Points, p.point(ctx, d.Day))
	}
	c.Ticks = spread(c.Points, statsTicks)
	for _, s := range series {
		values := make([]float64, len(p.Days))
		for i, d := range p.Days {
			values[i] = float64(s.of(d))
		}
		c.Series = append(c.Series, ui.Series{Name: i18n.T(ctx, s.key), Values: values, Look: s.look})
	}
	c.Summary = chartSummary(ctx, c)
	return c
}

type statsSeries struct {
	key, look string
	of        func(hosting.TrafficDay) int64
}

// chartSummary says in words what a chart shows: of each of its lines the
// highest and the last value.
func chartSummary(ctx context.Context, c ui.Chart) string {
	var parts []string
	for _, s := range c.Series {
		best, last := -1, -1
		for i, v := range s.Values {
			if math.IsNaN(v) {
				continue
			}
			last = i
			if best < 0 || v > s.Values[best] {
				best = i
			}
		}
		if last >= 0 {
			parts = append(parts, i18n.T(ctx, "chart.summary", s.Name, c.Text(s.Values[best]), c.Points[best], c.Text(s.Values[last]), c.Points[last]))
		}
	}
	return i18n.T(ctx, "chart.of", c.Title) + " " + strings.Join(parts, " ")
}

// spread takes some of the names: the first, the last, and some between.
func spread(names []string, most int) []string {
	if len(names) <= most {
		return names
	}
	var some []string
	for i := range most {
		some = append(some, names[i*(len(names)-1)/(most-1)])
	}
	return some
}

func countText(ctx context.Context) func(float64) string {
	return func(v float64) string { return i18n.Number(ctx, int64(math.Round(v))) }
}

func bytesText(ctx context.Context) func(float64) string {
	return func(v float64) string { return i18n.Bytes(ctx, int64(v)) }
}

// visits is the chart of who came and what they saw.
func (p StatsParams) visits(ctx context.Context) ui.Chart {
	return p.chart(ctx, "visits_chart", false, false, countText(ctx),
		statsSeries{"stats.pages", "1", func(d hosting.TrafficDay) int64 { return d.Pages }},
		statsSeries{"stats.visitors", "2", func(d hosting.TrafficDay) int64 { return d.Visitors }})
}

// bytes is the chart of what was sent.
func (p StatsParams) bytes(ctx context.Context) ui.Chart {
	return p.chart(ctx, "bytes_chart", true, true, bytesText(ctx),
		statsSeries{"stats.bytes", "1", func(d hosting.TrafficDay) int64 { return d.Bytes }})
}

func (p StatsParams) charts(ctx context.Context) []ui.Chart {
	return []ui.Chart{
		p.visits(ctx),
		p.bytes(ctx),
		p.chart(ctx, "answers_chart", true, false, countText(ctx),
			statsSeries{"stats.good", "1", func(d hosting.TrafficDay) int64 { return d.Good }},
			statsSeries{"stats.moved", "mute", func(d hosting.TrafficDay) int64 { return d.Moved }},
			statsSeries{"stats.refused", "warn", func(d hosting.TrafficDay) int64 { return d.Refused }},
			statsSeries{"stats.failed", "fail", func(d hosting.TrafficDay) int64 { return d.Failed }}),
		p.chart(ctx, "robots_chart", true, false, countText(ctx),
			statsSeries{"stats.people", "1", func(d hosting.TrafficDay) int64 { return d.Hits - d.Robots }},
			statsSeries{"stats.robots", "mute", func(d hosting.TrafficDay) int64 { return d.Robots }}),
	}
}

// mostNames is how many rows a table of names has.
const mostNames = 15

// nameRow is a name and how often it came.
type nameRow struct {
	Name string
	N    int64
}

func topRows(names map[string]int64) []nameRow {
	order := traffic.Order(names, func(n int64) int64 { return n })
	rows := make([]nameRow, 0, mostNames)
	for _, name := range order[:min(len(order), mostNames)] {
		rows = append(rows, nameRow{hosting.Visible(name, maxShownName), names[name]})
	}
	return rows
}

// maxShownName is how much of a name is shown.
const maxShownName = 160

type slowRow struct {
	Name        string
	N           int64
	Mean, Worst int64 // milliseconds
}

func slowRows(names map[string]traffic.Slow) []slowRow {
	order := traffic.Order(names, func(s traffic.Slow) int64 { return s.Took })
	rows := make([]slowRow, 0, mostNames)
	for _, name := range order[:min(len(order), mostNames)] {
		s := names[name]
		rows = append(rows, slowRow{hosting.Visible(name, maxShownName), s.N, s.Took / max(s.N, 1), s.Worst})
	}
	return rows
}

// statusRows are the codes that were answered, each with what it means.
func statusRows(ctx context.Context, d traffic.Day) []nameRow {
	names := map[string]int64{}
	for status, n := range d.Status {
		key := "status." + strconv.Itoa(status)
		text := i18n.T(ctx, key)
		if text == key {
			text = i18n.T(ctx, "status."+strconv.Itoa(status/100)+"xx")
		}
		names[strconv.Itoa(status)+" · "+text] += n
	}
	return topRows(names)
}
