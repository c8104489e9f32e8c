package sitelog

import (
	"cmp"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind is which of a site's logs.
type Kind string

// The logs of a site.
const (
	Access Kind = "access" // what visitors asked for
	Errors Kind = "error"  // what Apache had to say about it
)

// current is the name of the file that is written to now.
func (k Kind) current() string { return string(k) + ".log" }

// Segment is a file that nothing is added to any more: a whole day, or a part
// of one that was full.
type Segment struct {
	Kind    Kind
	Day     string // 2006-01-02
	N       int    // 1, 2, … of the day
	Short   bool   // the ends of addresses have been taken out
	Gzipped bool
}

// name is access-2026-11-22.1.log, with .short and .gz where they belong.
func (s Segment) name() string {
	name := string(s.Kind) + "-" + s.Day + "." + strconv.Itoa(s.N)
	if s.Short {
		name += ".short"
	}
	name += ".log"
	if s.Gzipped {
		name += ".gz"
	}
	return name
}

// parseSegment reads a name as Segment.name writes it.
func parseSegment(name string) (Segment, bool) {
	var s Segment
	rest, gz := strings.CutSuffix(name, ".gz")
	rest, log := strings.CutSuffix(rest, ".log")
	rest, short := strings.CutSuffix(rest, ".short")
	kind, rest, ok := strings.Cut(rest, "-")
	day, number, numbered := strings.Cut(rest, ".")
	n, err := strconv.Atoi(number)
	if !ok || !log || !numbered || err != nil || n < 1 || !IsDay(day) {
		return s, false
	}
	s = Segment{Kind: Kind(kind), Day: day, N: n, Short: short, Gzipped: gz}
	return s, s.name() == name
}

// IsDay reports whether a text is a day as the files are named by.
func IsDay(text string) bool {
	t, err := time.Parse(time.DateOnly, text)
	return err == nil && t.Format(time.DateOnly) == text
}

// segments are the full files of a directory, the newest first. Of one that is
// being compressed the new one is taken.
func segments(dir string, kind Kind) ([]Segment, error) {
	entries, err := os.ReadDir(dir)
	if isMissing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []Segment
	for _, e := range entries {
		if s, ok := parseSegment(e.Name()); ok && s.Kind == kind {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b Segment) int {
		return cmp.Or(cmp.Compare(b.Day, a.Day), cmp.Compare(b.N, a.N), less(b.Short, a.Short), less(b.Gzipped, a.Gzipped))
	})
	return slices.CompactFunc(found, func(a, b Segment) bool { return a.Day == b.Day && a.N == b.N }), nil
}

// nextSegment is what the next full file of a day is called, beside those that
// are there.
func nextSegment(dir string, kind Kind, day string) (Segment, []Segment, error) {
	kept, err := segments(dir, kind)
	next := Segment{Kind: kind, Day: day, N: 1}
	for _, old := range kept {
		if old.Day == day {
			next.N = max(next.N, old.N+1)
		}
	}
	return next, kept, err
}

func less(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// dayOf is the day of a moment, by the machine's clock.
func dayOf(t time.Time) string { return t.Local().Format(time.DateOnly) }

// today remembers which day it is.
type today struct {
	text        string
	from, until int64 // Unix seconds
}

func (d *today) day(now time.Time) string {
	if at := now.Unix(); at < d.from || at >= d.until {
		y, m, day := now.Local().Date()
		d.text = dayOf(now)
		d.from, d.until = time.Date(y, m, day, 0, 0, 0, 0, time.Local).Unix(), time.Date(y, m, day+1, 0, 0, 0, 0, time.Local).Unix()
	}
	return d.text
}
