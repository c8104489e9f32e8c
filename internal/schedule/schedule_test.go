package schedule

import (
	"strings"
	"testing"
	"time"

	"cancale/internal/hosting"
)

func TestParse(t *testing.T) {
	for in, want := range map[string]string{
		"30 3 * * *": "30 3 * * *", " 0  8 * * MON ": "0 8 * * mon", "*/5 * * * *": "*/5 * * * *", "0,30 8-18 1 jan-jun ?": "0,30 8-18 1 jan-jun ?",
	} {
		if got, err := Parse(in); err != nil || string(got) != want {
			t.Errorf("%q: %q %v", in, got, err)
		}
	}
	for _, in := range []string{
		"", "* * * * *", "*/4 * * * *", "0-3 * * * *", "0 0 30 2 *", "@hourly", "@every 1s", "TZ=0 3 * * *", "CRON_TZ=UTC 0 3 * * *", "0 3 * *", "0 3 * * * *",
		"60 * * * *", "0 24 * * *", "a b c d e", "0 3 * * *\n0 4 * * *x", "0 3 * * $(id)", strings.Repeat("1,", 60) + "1 * * * *", "-1 * * * *", "*/0 * * * *",
	} {
		if got, err := Parse(in); err == nil {
			t.Errorf("%q: accepted as %q", in, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("30 3 * * *")
	f.Add("TZ=0 */1 ? l w")
	f.Fuzz(func(t *testing.T, in string) {
		s, err := Parse(in)
		if err != nil {
			return
		}
		if again, err := Parse(string(s)); err != nil || again != s || strings.ContainsAny(string(s), "\n\r\x00'\"\\%$@=") {
			t.Errorf("%q: %q %v", in, again, err)
		}
		if _, err := Next(s, "Europe/Paris", time.Unix(0, 0)); err != nil {
			t.Errorf("%q: %v", s, err)
		}
		InWords(s)
	})
}

func TestPlainAndInWords(t *testing.T) {
	for _, c := range []struct {
		every, at string
		day       int
		line      string
	}{
		{"hourly", "12:07", 3, "7 * * * *"}, {"daily", "03:30", 3, "30 3 * * *"}, {"weekly", "8:00", 0, "0 8 * * 0"}, {"monthly", "23:59", 28, "59 23 28 * *"},
	} {
		s, err := Plain(c.every, c.at, c.day)
		if err != nil || string(s) != c.line || InWords(s).Every != c.every {
			t.Errorf("%v: %q %v %+v", c, s, err, InWords(s))
		}
	}
	for _, c := range []struct {
		every, at string
		day       int
	}{{"yearly", "03:30", 1}, {"daily", "25:00", 1}, {"daily", "", 1}, {"weekly", "03:30", 7}, {"monthly", "03:30", 31}, {"monthly", "03:30", -1}} {
		if s, err := Plain(c.every, c.at, c.day); err == nil {
			t.Errorf("%v: accepted as %q", c, s)
		}
	}
}

func TestNext(t *testing.T) {
	at := func(text string) time.Time {
		v, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct {
		line        hosting.Schedule
		zone        hosting.TimeZone
		after, want string
	}{
		{"30 3 * * *", "Europe/Paris", "2026-11-22T10:00:00Z", "2026-11-23T02:30:00Z"},
		{"30 3 * * *", "Indian/Reunion", "2026-11-22T10:00:00Z", "2026-11-22T23:30:00Z"},
		// The hour that does not exist, and the one that comes twice.
		{"30 2 * * *", "Europe/Paris", "2026-03-28T12:00:00Z", "2026-03-30T00:30:00Z"},
		{"30 2 * * *", "Europe/Paris", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"},
	} {
		got, err := Next(c.line, c.zone, at(c.after))
		if err != nil || !got.Equal(at(c.want)) {
			t.Errorf("%s %s after %s: %v %v, want %s", c.line, c.zone, c.after, got, err, c.want)
		}
	}
	for _, bad := range []hosting.Schedule{"", "* * * * *", "x\n", "@hourly"} {
		if at, err := Next(bad, "UTC", time.Now()); err == nil {
			t.Errorf("%q: %v", bad, at)
		}
	}
	if _, err := Next("0 3 * * *", "../../etc/passwd", time.Now()); err == nil {
		t.Error("a path as time zone")
	}
}

func TestMidnightIsSpread(t *testing.T) {
	slots := map[time.Duration]int{}
	for id := range 1000 {
		d := Spread(hosting.TaskID(id))
		if d < 0 || d >= MaxSpread {
			t.Fatal(d)
		}
		slots[d/(10*time.Second)]++
	}
	for slot, n := range slots {
		if n > 100 {
			t.Errorf("%d tasks within ten seconds (%v)", n, slot)
		}
	}
}
