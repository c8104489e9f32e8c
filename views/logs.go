package views

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/internal/sitelog"
	"cancale/views/ui"
)

// LogsParams are the latest lines of a log of a site. Fields of the query: kind
// ("access", "error" or "php"), q, status ("2" to "5", a hundred), path, day,
// before (a place in the log), follow.
//
//	templ SiteLogsPage(page Page, p LogsParams) // GET /sites/:id/logs
//	templ LogLines(p LogsParams)                // GET /sites/:id/logs/lines
type LogsParams struct {
	SiteParams
	Kind     string
	Query    url.Values
	Lines    []LogLine
	Next     string // where an older part begins; "" when there is none
	InTime   bool   // false when the search ended before it had found enough
	Days     []string
	Current  string // changes when something is added
	Follow   bool
	LogDays  int             // that are kept
	Short    int             // days after which addresses lose their end
	Missing  hosting.Message // why the log cannot be read
	Download bool            // there is something
}

// LogLine is a line that can be shown: nothing in it steers anything, and no
// path of the server is in it.
type LogLine struct {
	sitelog.Line

	NewDay bool // the line before, which is later, was of another day
}

// LogKinds are the logs of a site.
var LogKinds = []string{"access", "error", "php"}

func logsPath(id hosting.SiteID) string { return sitePath(id, "/logs") }

// with is the page with one thing changed; "" takes it away. Whatever is
// changed, reading begins at the end again.
func (p LogsParams) with(pairs ...string) string {
	return p.address("", pairs...)
}

func (p LogsParams) address(sub string, pairs ...string) string {
	q := url.Values{}
	for _, name := range []string{"kind", "q", "status", "path", "day", "follow"} {
		if v := p.Query.Get(name); v != "" {
			q.Set(name, v)
		}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Del(pairs[i])
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	at := logsPath(p.Site.ID) + sub
	if len(q) > 0 {
		at += "?" + q.Encode()
	}
	return at
}

func (p LogsParams) kindURL(kind string) string {
	return logsPath(p.Site.ID) + "?kind=" + kind
}

func (p LogsParams) filtered() bool {
	for _, name := range []string{"q", "status", "path", "day"} {
		if p.Query.Get(name) != "" {
			return true
		}
	}
	return false
}

// downloadURL leads to the day that is shown.
func (p LogsParams) downloadURL() string {
	day := p.Query.Get("day")
	if day == "" && len(p.Days) > 0 {
		day = p.Days[0]
	}
	return logsPath(p.Site.ID) + "/download?" + url.Values{"kind": {p.Kind}, "day": {day}}.Encode()
}

func (p LogsParams) downloadText(ctx context.Context) string {
	if p.Kind == "php" || len(p.Days) == 0 {
		return i18n.T(ctx, "logs.download")
	}
	day := p.Query.Get("day")
	if day == "" {
		day = p.Days[0]
	}
	return i18n.T(ctx, "logs.download_day", dayText(ctx, day))
}

// dayText is a day as the files are named by, in words.
func dayText(ctx context.Context, day string) string {
	t, err := time.ParseInLocation(time.DateOnly, day, time.Local)
	if err != nil {
		return day
	}
	return i18n.DayMonth(ctx, t)
}

func (p LogsParams) dayOptions(ctx context.Context) []ui.Option {
	options := []ui.Option{{Value: "", Label: i18n.T(ctx, "logs.latest")}}
	for _, day := range p.Days {
		options = append(options, ui.Option{Value: day, Label: dayText(ctx, day)})
	}
	return options
}

func logStatusOptions(ctx context.Context) []ui.Option {
	options := []ui.Option{{Value: "", Label: i18n.T(ctx, "logs.any_status")}}
	for _, hundred := range []string{"2", "3", "4", "5"} {
		options = append(options, ui.Option{Value: hundred, Label: i18n.T(ctx, "logs.status_"+hundred)})
	}
	return options
}

// look is how a line stands out.
func (l LogLine) look() string {
	switch {
	case l.Status >= 500, l.Level == "error", l.Level == "crit", l.Level == "alert", l.Level == "emerg":
		return "is-err"
	case l.Status >= 400, l.Level == "warn":
		return "is-warn"
	}
	return ""
}

// word is what stands beside a line's time: its status, or how bad it is.
func (l LogLine) word(ctx context.Context) string {
	switch {
	case l.Status > 0:
		return strconv.Itoa(l.Status)
	case l.look() == "is-err":
		return i18n.T(ctx, "logs.level_error")
	case l.look() == "is-warn":
		return i18n.T(ctx, "logs.level_warn")
	case l.Level != "":
		return i18n.T(ctx, "logs.level_note")
	}
	return ""
}

func (l LogLine) icon() string {
	switch l.look() {
	case "is-err":
		return "fail"
	case "is-warn":
		return "warn"
	}
	return ""
}

// shown is what a line says.
func (l LogLine) shown() string {
	if l.Path != "" {
		return l.Method + " " + l.Path
	}
	return l.Text
}

// aside is what else a line tells.
func (l LogLine) aside(ctx context.Context) string {
	var parts []string
	add := func(text string) {
		if text != "" {
			parts = append(parts, text)
		}
	}
	add(l.Address)
	if l.Status > 0 {
		add(i18n.Bytes(ctx, l.Bytes))
		if l.Took > 0 {
			add(tookText(ctx, l.Took.Milliseconds()))
		}
		if l.Referrer != "" {
			add(i18n.T(ctx, "logs.from", l.Referrer))
		}
		add(l.Agent)
	}
	return strings.Join(parts, " · ")
}

// tookText is a time in milliseconds, in seconds from one second on.
func tookText(ctx context.Context, ms int64) string {
	if ms < 1000 {
		return strconv.FormatInt(ms, 10) + "\u00a0ms"
	}
	text := strconv.FormatFloat(float64(ms)/1000, 'f', 1, 64)
	if i18n.Lang(ctx) == "fr" {
		text = strings.Replace(text, ".", ",", 1)
	}
	return text + "\u00a0s"
}

func olderText(ctx context.Context, p LogsParams) string {
	if p.InTime {
		return i18n.T(ctx, "logs.older")
	}
	return i18n.T(ctx, "logs.further")
}

func shortNote(ctx context.Context, p LogsParams) string {
	if p.Short >= p.LogDays {
		return ""
	}
	return i18n.T(ctx, "logs.short", p.Short)
}
