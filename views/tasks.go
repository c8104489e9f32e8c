package views

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/internal/schedule"
	"cancale/views/ui"
)

// TaskForm is a new task: what it does, and when in plain words or as a cron
// line.
type TaskForm struct {
	Kind     string `form:"kind"` // "url" or "script"
	Target   string `form:"target"`
	Every    string `form:"every"` // "hourly", "daily", "weekly", "monthly" or "cron"
	At       string `form:"at"`    // 03:30
	Weekday  string `form:"weekday"`
	Monthday string `form:"monthday"`
	Cron     string `form:"cron"`
	TimeZone string `form:"time_zone"`
	Errors   Errors `form:"-"`
}

// Task is a task with its last runs, the newest first.
type Task struct {
	hosting.Task
	Runs []hosting.TaskRun
}

// SiteTasksParams are the scheduled tasks of a site.
//
//	templ SiteTasksPage(page Page, p SiteTasksParams) // GET, POST /sites/:id/tasks
type SiteTasksParams struct {
	SiteParams
	Tasks []Task
	Form  TaskForm
}

// active reports whether a run is going on, for a page that follows it.
func (p SiteTasksParams) active() bool {
	for _, t := range p.Tasks {
		if len(t.Runs) > 0 && t.Runs[0].Outcome == hosting.TaskRunning || t.Enabled && !t.DueAt.After(p.Now) {
			return true
		}
	}
	return false
}

// scheduleText is a schedule in words.
func scheduleText(ctx context.Context, s hosting.Schedule) string {
	w := schedule.InWords(s)
	clock := fmt.Sprintf("%d:%02d", w.Hour, w.Minute)
	if i18n.Lang(ctx) == "fr" {
		clock = fmt.Sprintf("%d\u00a0h\u00a0%02d", w.Hour, w.Minute)
	}
	switch w.Every {
	case "hourly":
		return i18n.T(ctx, "schedule.hourly_text", strconv.Itoa(w.Minute))
	case "daily":
		return i18n.T(ctx, "schedule.daily_text", clock)
	case "weekly":
		return i18n.T(ctx, "schedule.weekly_text", i18n.Weekday(ctx, time.Weekday(w.Day)), clock)
	case "monthly":
		if w.Day == 1 {
			return i18n.T(ctx, "schedule.monthly_first_text", clock)
		}
		return i18n.T(ctx, "schedule.monthly_text", strconv.Itoa(w.Day), clock)
	}
	return i18n.T(ctx, "schedule.cron_text", string(s))
}

// nextRun is when a task comes next, in its own time zone.
func nextRun(ctx context.Context, t hosting.Task, now time.Time) string {
	at, err := schedule.Next(t.Schedule, t.TimeZone, now)
	zone, badZone := time.LoadLocation(string(t.TimeZone))
	if err != nil || badZone != nil {
		return i18n.T(ctx, "task.never")
	}
	return i18n.DateTime(i18n.WithZone(ctx, zone), at)
}

func outcomeBadge(o hosting.TaskOutcome) (kind, icon string) {
	switch o {
	case hosting.TaskRunning:
		return "run", "run"
	case hosting.TaskDone:
		return "ok", "ok"
	case hosting.TaskLost, hosting.TaskNotRun:
		return "warn", "warn"
	case hosting.TaskFailed, hosting.TaskTooLong:
	}
	return "fail", "fail"
}

// runLine says when a run began, how long it took and what it answered.
func runLine(ctx context.Context, t hosting.Task, r hosting.TaskRun, now time.Time) string {
	line := i18n.Ago(ctx, r.StartedAt, now)
	if r.EndedAt == nil {
		return line
	}
	line += ", " + i18n.T(ctx, "task.took", i18n.Delay(ctx, max(r.EndedAt.Sub(r.StartedAt), time.Second)))
	if r.Status != 0 && t.Kind == hosting.TaskURL {
		line += ", " + i18n.T(ctx, "task.answered", strconv.Itoa(r.Status))
	} else if r.Status != 0 {
		line += ", " + i18n.T(ctx, "task.exited", strconv.Itoa(r.Status))
	}
	return line
}

func weekdayOptions(ctx context.Context) []ui.Option {
	var options []ui.Option
	for i := range 7 {
		day := (i + 1) % 7
		options = append(options, ui.Option{Value: strconv.Itoa(day), Label: i18n.Weekday(ctx, time.Weekday(day))})
	}
	return options
}

func monthdayOptions() []ui.Option {
	var options []ui.Option
	for day := 1; day <= 28; day++ {
		options = append(options, ui.Option{Value: strconv.Itoa(day), Label: strconv.Itoa(day)})
	}
	return options
}

func everyOptions(ctx context.Context) []ui.Option {
	return []ui.Option{
		{Value: "hourly", Label: i18n.T(ctx, "schedule.hourly")},
		{Value: "daily", Label: i18n.T(ctx, "schedule.daily")},
		{Value: "weekly", Label: i18n.T(ctx, "schedule.weekly")},
		{Value: "monthly", Label: i18n.T(ctx, "schedule.monthly")},
		{Value: "cron", Label: i18n.T(ctx, "schedule.cron")},
	}
}
