// Package schedule says when a scheduled task runs: it reads the five fields of
// a cron line, makes such lines of plain choices, and computes the next time in
// a time zone. It runs nothing and never looks at the clock.
package schedule

import (
	"fmt"
	"hash/fnv"
	"regexp"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // so that zones are known on a machine without tzdata

	"github.com/robfig/cron/v3"

	"cancale/internal/hosting"
)

// parser knows the five fields and nothing else: no zone, no "@every".
var parser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

var line = regexp.MustCompile(`^[0-9A-Za-z*/,?-]+( [0-9A-Za-z*/,?-]+){4}$`)

const (
	maxLine = 100
	// leastPause is what must lie between two runs, and sample how many runs are
	// looked at to know.
	leastPause = 5 * time.Minute
	sample     = 60
)

// Parse accepts a cron line: minute, hour, day of the month, month, day of the
// week. One that runs too often, or never, is refused.
func Parse(s string) (hosting.Schedule, error) {
	s = strings.ToLower(strings.Join(strings.Fields(s), " "))
	refused := hosting.Refuse(hosting.Invalid, "cron", "schedule.invalid")
	if len(s) > maxLine || !line.MatchString(s) {
		return "", refused
	}
	parsed, err := parser.Parse(s)
	if err != nil {
		return "", refused
	}
	// From a fixed day on, so that a line is accepted today and tomorrow.
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	last := parsed.Next(at)
	if last.IsZero() {
		return "", hosting.Refuse(hosting.Invalid, "cron", "schedule.never")
	}
	for range sample {
		next := parsed.Next(last)
		if next.IsZero() {
			break
		}
		if next.Sub(last) < leastPause {
			return "", hosting.Refuse(hosting.Invalid, "cron", "schedule.often", strconv.Itoa(int(leastPause/time.Minute)))
		}
		last = next
	}
	return hosting.Schedule(s), nil
}

// Plain makes a schedule of what people choose: every is "hourly", "daily",
// "weekly" or "monthly"; at is a time such as 03:30, of which an hourly task
// takes the minute; day is a day of the week from 0, Sunday, or of the month.
func Plain(every, at string, day int) (hosting.Schedule, error) {
	clock, err := time.Parse("15:04", strings.TrimSpace(at))
	if err != nil {
		return "", hosting.Refuse(hosting.Invalid, "at", "schedule.time_invalid")
	}
	minute, hour := clock.Minute(), clock.Hour()
	switch {
	case every == "hourly":
		return Parse(fmt.Sprintf("%d * * * *", minute))
	case every == "daily":
		return Parse(fmt.Sprintf("%d %d * * *", minute, hour))
	case every == "weekly" && day >= 0 && day <= 6:
		return Parse(fmt.Sprintf("%d %d * * %d", minute, hour, day))
	case every == "monthly" && day >= 1 && day <= 28:
		return Parse(fmt.Sprintf("%d %d %d * *", minute, hour, day))
	}
	return "", hosting.Refuse(hosting.Invalid, "every", "schedule.every_invalid")
}

// Words are a schedule as Plain would have made it: Every is "" for one that
// cannot be said so.
type Words struct {
	Every        string
	Hour, Minute int
	Day          int
}

// InWords is the plain form of a schedule.
func InWords(s hosting.Schedule) Words {
	f := strings.Fields(string(s))
	if len(f) != 5 {
		return Words{}
	}
	number := func(text string) (int, bool) {
		n, err := strconv.Atoi(text)
		return n, err == nil && n >= 0
	}
	minute, ok := number(f[0])
	if !ok || f[3] != "*" {
		return Words{}
	}
	hour, fixed := number(f[1])
	dom, monthly := number(f[2])
	dow, weekly := number(f[4])
	w := Words{Hour: hour, Minute: minute}
	switch {
	case f[1] == "*" && f[2] == "*" && f[4] == "*":
		w.Every = "hourly"
	case fixed && f[2] == "*" && f[4] == "*":
		w.Every = "daily"
	case fixed && f[2] == "*" && weekly && dow <= 6:
		w.Every, w.Day = "weekly", dow
	case fixed && monthly && f[4] == "*":
		w.Every, w.Day = "monthly", dom
	default:
		return Words{}
	}
	return w
}

// Next is when a schedule comes after a moment, in a time zone. A schedule that
// cannot be read, or never comes, is an error.
func Next(s hosting.Schedule, zone hosting.TimeZone, after time.Time) (time.Time, error) {
	if parsed, err := Parse(string(s)); err != nil || parsed != s {
		return time.Time{}, fmt.Errorf("schedule %q: not valid", s)
	}
	where, err := time.LoadLocation(string(zone))
	if err != nil {
		return time.Time{}, fmt.Errorf("schedule: %w", err)
	}
	parsed, err := parser.Parse(string(s))
	if err != nil {
		return time.Time{}, fmt.Errorf("schedule: %w", err)
	}
	next := parsed.Next(after.In(where))
	if next.IsZero() {
		return time.Time{}, fmt.Errorf("schedule %q: never comes", s)
	}
	return next.UTC(), nil
}

// Spread is how long after its time a task is really begun: less than five
// minutes, always the same for one task, so that a thousand tasks of midnight
// do not begin together.
func Spread(id hosting.TaskID) time.Duration {
	h := fnv.New32a()
	_, _ = fmt.Fprint(h, uint64(id))
	return time.Duration(h.Sum32()%uint32(MaxSpread/time.Second)) * time.Second
}

// MaxSpread is how late a task may begin on purpose.
const MaxSpread = 4 * time.Minute
