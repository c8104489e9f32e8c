package i18n

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// nbsp keeps a number and its unit on one line; narrow is the French
// separator of thousands.
const (
	nbsp   = "\u00a0"
	narrow = "\u202f"
)

// Number groups the digits of n: 8 412 in French, 8,412 in English.
func Number(ctx context.Context, n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	separator := ","
	if Lang(ctx) == "fr" {
		separator = narrow
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + separator + digits[i:]
	}
	return sign + digits
}

// Bytes is a size with one decimal at most: 8,4 Go in French, 8.4 GB in
// English. A kilo is 1024 as the limits of plans count.
func Bytes(ctx context.Context, n int64) string {
	units := []string{"B", "KB", "MB", "GB", "TB", "PB"}
	if Lang(ctx) == "fr" {
		units = []string{"o", "Ko", "Mo", "Go", "To", "Po"}
	}
	value, unit := float64(n), 0
	for value >= 1024 && unit < len(units)-1 {
		value /= 1024
		unit++
	}
	text := strconv.FormatFloat(value, 'f', 1, 64)
	if unit == 0 || value >= 100 {
		text = strconv.FormatFloat(value, 'f', 0, 64)
	}
	text = strings.TrimSuffix(text, ".0")
	if Lang(ctx) == "fr" {
		text = strings.Replace(text, ".", ",", 1)
	}
	return text + nbsp + units[unit]
}

var months = map[string][]string{
	"fr": {"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"},
	"en": {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
}

var weekdays = map[string][]string{
	"fr": {"dimanche", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi"},
	"en": {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"},
}

// Date is a day: 22 novembre 2026, or 22 November 2026.
func Date(ctx context.Context, t time.Time) string {
	t = t.In(zoneOf(ctx))
	day := strconv.Itoa(t.Day())
	if t.Day() == 1 && Lang(ctx) == "fr" {
		day = "1er"
	}
	return day + nbsp + months[Lang(ctx)][t.Month()-1] + " " + strconv.Itoa(t.Year())
}

// LongDate is a day with its weekday: dimanche 22 novembre 2026.
func LongDate(ctx context.Context, t time.Time) string {
	return weekdays[Lang(ctx)][t.In(zoneOf(ctx)).Weekday()] + " " + Date(ctx, t)
}

// Weekday is the name of a day of the week.
func Weekday(ctx context.Context, d time.Weekday) string { return weekdays[Lang(ctx)][d] }

// Clock is a time of the day: 10 h 32 in French, 10:32 in English.
func Clock(ctx context.Context, t time.Time) string {
	t = t.In(zoneOf(ctx))
	if Lang(ctx) == "fr" {
		return strconv.Itoa(t.Hour()) + nbsp + "h" + nbsp + t.Format("04")
	}
	return t.Format("15:04")
}

// DateTime is a day and a time of the day.
func DateTime(ctx context.Context, t time.Time) string {
	return Date(ctx, t) + ", " + Clock(ctx, t)
}

// Ago is how long before now t was: il y a 3 s, then il y a 2 h, hier à
// 18 h 05, and at last the day, with its year when that is another.
func Ago(ctx context.Context, t, now time.Time) string {
	t, now = t.In(zoneOf(ctx)), now.In(zoneOf(ctx))
	d := max(now.Sub(t), 0)
	switch {
	case d < time.Second:
		return T(ctx, "time.just_now")
	case d < time.Minute:
		return T(ctx, "time.seconds_ago", int64(d/time.Second))
	case d < time.Hour:
		return T(ctx, "time.minutes_ago", int64(d/time.Minute))
	case sameDay(t, now):
		return T(ctx, "time.hours_ago", int64(d/time.Hour))
	case sameDay(t, now.AddDate(0, 0, -1)):
		return T(ctx, "time.yesterday_at", Clock(ctx, t))
	}
	if t.Year() == now.Year() {
		return T(ctx, "time.on_date", DayMonth(ctx, t))
	}
	return T(ctx, "time.on_date", Date(ctx, t))
}

// Delay is a length of time in its largest unit: 40 s, 12 min, 3 h, 40 jours.
func Delay(ctx context.Context, d time.Duration) string {
	switch {
	case d < time.Minute:
		return T(ctx, "time.seconds", int64(d/time.Second))
	case d < time.Hour:
		return T(ctx, "time.minutes", int64(d/time.Minute))
	case d < 48*time.Hour:
		return T(ctx, "time.hours", int64(d/time.Hour))
	}
	return T(ctx, "time.days", int64(d/(24*time.Hour)))
}

func sameDay(a, b time.Time) bool {
	return a.Year() == b.Year() && a.YearDay() == b.YearDay()
}

// DayMonth is a day without its year: 22 novembre, or 22 November.
func DayMonth(ctx context.Context, t time.Time) string {
	text := Date(ctx, t)
	return text[:strings.LastIndexByte(text, ' ')]
}

// MonthYear is a month: novembre 2026, or November 2026.
func MonthYear(ctx context.Context, t time.Time) string {
	t = t.In(zoneOf(ctx))
	return months[Lang(ctx)][t.Month()-1] + " " + strconv.Itoa(t.Year())
}
