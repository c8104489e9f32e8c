package hosting

import (
	"testing"
	"time"
)

func TestRenewed(t *testing.T) {
	day := func(text string) time.Time {
		at, err := time.ParseInLocation(time.DateTime, text, time.Local)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for _, c := range []struct{ what, end, now, want string }{
		{"before its end", "2026-06-30 23:59:59", "2026-06-01 10:00:00", "2027-06-30 23:59:59"},
		{"on its last day", "2026-06-30 23:59:59", "2026-06-30 10:00:00", "2027-06-30 23:59:59"},
		{"long after", "2021-06-30 23:59:59", "2026-09-15 10:00:00", "2027-09-15 23:59:59"},
		{"the day after", "2026-06-30 23:59:59", "2026-07-01 00:10:00", "2027-07-01 23:59:59"},
		{"a leap day", "2028-02-29 23:59:59", "2028-01-01 10:00:00", "2029-02-28 23:59:59"},
	} {
		if got := Renewed(day(c.end), day(c.now)).Format(time.DateTime); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
}
