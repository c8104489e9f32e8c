package views

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/views/ui"
)

// PlatformPeriods are those of which the platform's page shows charts.
var PlatformPeriods = []string{"day", "week", "month", "year"}

// PlatformSpan is how long a period is, and which samples show it.
func PlatformSpan(period string) (hosting.Grain, time.Duration) {
	const day = 24 * time.Hour
	switch period {
	case "week":
		return hosting.EachHour, 7 * day
	case "month":
		return hosting.EachHour, 30 * day
	case "year":
		return hosting.EachDay, 365 * day
	}
	return hosting.EachMinute, day
}

// platformPoints is about how many points a chart has.
const platformPoints = 96

// grouped are the samples of a period, brought together to as many points as a
// chart shows; where there is none, there is a gap.
func (p PlatformParams) grouped(now time.Time) []hosting.Sample {
	_, span := PlatformSpan(p.Period)
	slot := span / platformPoints
	begin := now.Add(-span)
	groups := make([][]hosting.Sample, platformPoints)
	first := platformPoints
	for _, s := range p.Samples {
		if i := int(s.At.Sub(begin) / slot); i >= 0 && i < platformPoints {
			groups[i] = append(groups[i], s)
			first = min(first, i)
		}
	}
	// What nobody has measured yet is no gap. But a chart of a moment would be
	// none: at least a quarter of the period is shown.
	first = min(first, platformPoints*3/4)
	points := make([]hosting.Sample, 0, platformPoints-first)
	for i := first; i < platformPoints; i++ {
		points = append(points, hosting.Sample{At: begin.Add(time.Duration(i) * slot), Numbers: hosting.Mean(groups[i])})
	}
	return points
}

// figure is one line of a chart of the platform.
type figure struct{ name, label string }

func (p PlatformParams) charts(ctx context.Context, now time.Time) []ui.Chart {
	points := p.grouped(now)
	names := make([]string, len(points))
	for i, s := range points {
		names[i] = p.pointName(ctx, s.At)
	}
	chart := func(id string, top string, text func(float64) string, whole, binary bool, figures ...figure) ui.Chart {
		c := ui.Chart{ID: "courbe-" + id, Title: i18n.T(ctx, "platform.chart_"+id), Whole: whole, Binary: binary, Text: text, When: i18n.T(ctx, "platform.when"), Points: names, Ticks: spread(names, statsTicks)}
		for i, f := range figures {
			values := make([]float64, len(points))
			for j, s := range points {
				v, there := s.Numbers[f.name]
				if !there {
					v = math.NaN()
				}
				values[j] = v
				if limit := s.Numbers[top]; top != "" && limit > c.Top {
					c.Top = limit
				}
			}
			c.Series = append(c.Series, ui.Series{Name: f.label, Values: values, Look: strconv.Itoa(i%6 + 1)})
		}
		c.Summary = chartSummary(ctx, c)
		return c
	}
	named := func(names ...string) []figure {
		figures := make([]figure, len(names))
		for i, name := range names {
			figures[i] = figure{name, i18n.T(ctx, "sample."+name)}
		}
		return figures
	}
	return []ui.Chart{
		chart("load", "", decimalText(ctx), false, false, named(hosting.SampleLoad)...),
		chart("memory", hosting.SampleMemory, bytesText(ctx), false, true, named(hosting.SampleMemoryUsed)...),
		chart("disk", hosting.SampleDisk, bytesText(ctx), false, true, named(hosting.SampleDiskUsed)...),
		chart("services", "", bytesText(ctx), false, true, p.services(ctx)...),
		chart("connections", "", averageText(ctx), true, false, named(hosting.SampleWeb, hosting.SampleDatabase, hosting.SampleFTP, hosting.SamplePHP)...),
		chart("sites", "", averageText(ctx), true, false, named(hosting.SampleSites, hosting.SampleSitesFailed, hosting.SampleSitesOff)...),
		chart("queues", "", averageText(ctx), true, false, named(hosting.SampleWaiting, hosting.SampleMails)...),
	}
}

// services are those whose memory was measured.
func (p PlatformParams) services(ctx context.Context) []figure {
	var names []string
	for _, s := range p.Samples {
		for name := range s.Numbers {
			if service, ok := strings.CutPrefix(name, hosting.SamplePSS); ok && !slices.Contains(names, service) {
				names = append(names, service)
			}
		}
	}
	slices.Sort(names)
	figures := make([]figure, len(names))
	for i, name := range names {
		figures[i] = figure{hosting.SamplePSS + name, serviceLabel(ctx, name)}
	}
	return figures
}

func serviceLabel(ctx context.Context, name string) string {
	if name == "php" {
		return "PHP"
	}
	return serviceName(ctx, Service{Name: name})
}

// pointName is what a point of a chart is called: the time of a day, or the day.
func (p PlatformParams) pointName(ctx context.Context, t time.Time) string {
	switch p.Period {
	case "day":
		return i18n.Clock(ctx, t)
	case "week":
		return i18n.Weekday(ctx, t.Local().Weekday()) + " " + i18n.Clock(ctx, t)
	}
	return i18n.DayMonth(ctx, t)
}

// decimalText is a number with two digits behind the point.
func decimalText(ctx context.Context) func(float64) string {
	return func(v float64) string { return decimal(ctx, v, 2) }
}

// averageText is a mean: whole where it is.
func averageText(ctx context.Context) func(float64) string {
	return func(v float64) string { return decimal(ctx, v, 1) }
}

func decimal(ctx context.Context, v float64, digits int) string {
	if v == math.Trunc(v) || v >= 100 {
		return i18n.Number(ctx, int64(math.Round(v)))
	}
	text := strconv.FormatFloat(v, 'f', digits, 64)
	if i18n.Lang(ctx) == "fr" {
		text = strings.Replace(text, ".", ",", 1)
	}
	return text
}
