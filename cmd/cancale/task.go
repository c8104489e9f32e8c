package main

import (
	"context"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/internal/schedule"
	"cancale/internal/store"
)

func taskCommand() *cobra.Command {
	create := &cobra.Command{Use: "create HOST", Short: "Make a site do something by itself, again and again", Args: cobra.ExactArgs(1), RunE: run(createTask)}
	create.Flags().String("url", "", "page of the site to ask for, such as /cron.php")
	create.Flags().String("script", "", "PHP script of the site to run, such as private/cron.php")
	create.Flags().String("every", "", "hourly, daily, weekly or monthly")
	create.Flags().String("at", "03:30", "time of the day; of an hourly task, the minute")
	create.Flags().Int("day", 1, "day of the week, 0 is Sunday, or of the month, to 28")
	create.Flags().String("cron", "", `the five fields of a cron line instead of --every, such as "30 3 * * 1"`)
	create.Flags().String("time-zone", "", "such as Europe/Paris")
	return noun(
		"task", "What sites do by themselves",
		create,
		&cobra.Command{Use: "list HOST", Short: "List the tasks of a site and their last runs", Args: cobra.ExactArgs(1), RunE: run(listTasks)},
		&cobra.Command{Use: "run HOST ID", Short: "Run a task now, once more", Args: cobra.ExactArgs(2), RunE: run(onTask((*store.Store).RunTask))},
		&cobra.Command{Use: "disable HOST ID", Short: "Run a task no more, and keep it", Args: cobra.ExactArgs(2), RunE: run(onTask((*store.Store).DisableTask))},
		&cobra.Command{Use: "enable HOST ID", Short: "Run a task again", Args: cobra.ExactArgs(2), RunE: run(onTask((*store.Store).EnableTask))},
		&cobra.Command{Use: "delete HOST ID", Short: "Forget a task and its runs", Args: cobra.ExactArgs(2), RunE: run(onTask((*store.Store).DeleteTask))},
	)
}

// taskView is a task as scripts read it.
type taskView struct {
	ID       hosting.TaskID   `json:"id"`
	Host     hosting.Hostname `json:"host"`
	Kind     hosting.TaskKind `json:"kind"`
	Target   string           `json:"target"`
	Schedule hosting.Schedule `json:"schedule"`
	TimeZone hosting.TimeZone `json:"time_zone"`
	Enabled  bool             `json:"enabled"`
	Due      time.Time        `json:"due_at"`
	Runs     []taskRunView    `json:"runs"` // the newest first
}

type taskRunView struct {
	Started time.Time           `json:"started_at"`
	Ended   *time.Time          `json:"ended_at"`
	Outcome hosting.TaskOutcome `json:"outcome"`
	Status  int                 `json:"status"`
	Output  string              `json:"output"`
}

func viewTask(host hosting.Hostname, t store.TaskRow) taskView {
	view := taskView{ID: t.ID, Host: host, Kind: t.Kind, Target: t.Target, Schedule: t.Schedule, TimeZone: t.TimeZone, Enabled: t.Enabled, Due: t.DueAt, Runs: []taskRunView{}}
	for _, r := range t.Runs {
		view.Runs = append(view.Runs, taskRunView{r.StartedAt, r.EndedAt, r.Outcome, r.Status, r.Output})
	}
	return view
}

func (v *verb) answerTasks(ctx context.Context, document any, tasks ...taskView) error {
	return v.answer(document, func(w io.Writer) error {
		lines := [][]string{{"", i18n.T(ctx, "cli.task"), i18n.T(ctx, "cli.task_when"), i18n.T(ctx, "cli.task_next"), i18n.T(ctx, "cli.task_last")}}
		for _, t := range tasks {
			next, last := i18n.T(ctx, "task.disabled"), ""
			if t.Enabled {
				next = t.Due.Local().Format(time.DateTime)
			}
			if len(t.Runs) > 0 {
				last = i18n.T(ctx, "task.outcome_"+string(t.Runs[0].Outcome))
			}
			lines = append(lines, []string{strconv.FormatUint(uint64(t.ID), 10), t.Target, string(t.Schedule) + " " + string(t.TimeZone), next, last})
		}
		return table(w, lines)
	})
}

func createTask(ctx context.Context, v *verb, args []string) error {
	spec, err := v.taskSpec()
	if err != nil {
		return err
	}
	site, err := v.site(ctx, "host", args[0])
	if err != nil {
		return err
	}
	task, err := v.store.CreateTask(ctx, v.actor, site.ID, spec)
	if err != nil {
		return err
	}
	view := viewTask(site.Host, store.TaskRow{Task: task})
	return v.answerTasks(ctx, view, view)
}

// taskSpec is the task that the flags ask for.
func (v *verb) taskSpec() (spec hosting.TaskSpec, err error) {
	url, isURL := v.text("url")
	script, isScript := v.text("script")
	if isURL == isScript {
		return spec, usage("cli.task_choose")
	}
	every, plain := v.text("every")
	cron, isCron := v.text("cron")
	if plain == isCron {
		return spec, usage("cli.task_schedule")
	}
	day, err := v.cmd.Flags().GetInt("day")
	if err != nil {
		return spec, err
	}
	var errs hosting.Errors
	typed := url
	if spec.Kind = hosting.TaskURL; isScript {
		spec.Kind, typed = hosting.TaskScript, script
	}
	spec.Target, err = hosting.ParseTaskTarget(spec.Kind, typed)
	errs.Add(err)
	if isCron {
		spec.Schedule, err = schedule.Parse(cron)
	} else {
		at, _ := v.text("at")
		spec.Schedule, err = schedule.Plain(every, at, day)
	}
	errs.Add(err)
	zone, _ := v.text("time-zone")
	spec.TimeZone, err = hosting.ParseTimeZone(zone)
	errs.Add(err)
	if spec.TimeZone == "" {
		spec.TimeZone = hosting.DefaultPHP.TimeZone
	}
	return spec, errs.Err()
}

func listTasks(ctx context.Context, v *verb, args []string) error {
	site, err := v.site(ctx, "host", args[0])
	if err != nil {
		return err
	}
	rows, err := v.store.Tasks(ctx, v.scope(hosting.SitesRead), site.ID)
	if err != nil {
		return err
	}
	views := make([]taskView, len(rows))
	for i, row := range rows {
		views[i] = viewTask(site.Host, row)
	}
	return v.answerTasks(ctx, views, views...)
}

// onTask does one thing to a task of a site, and answers with it as it is then,
// or as it was when it is gone.
func onTask(act func(*store.Store, context.Context, hosting.Actor, hosting.TaskID) error) func(context.Context, *verb, []string) error {
	return func(ctx context.Context, v *verb, args []string) error {
		site, err := v.site(ctx, "host", args[0])
		if err != nil {
			return err
		}
		rows, err := v.store.Tasks(ctx, v.scope(hosting.SitesRead), site.ID)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if strconv.FormatUint(uint64(row.ID), 10) != args[1] {
				continue
			}
			if err := act(v.store, ctx, v.actor, row.ID); err != nil {
				return err
			}
			if now, err := v.store.Task(ctx, v.scope(hosting.SitesRead), row.ID); err == nil {
				row.Task = now
			}
			view := viewTask(site.Host, row)
			return v.answerTasks(ctx, view, view)
		}
		return hosting.Refuse(hosting.NotFound, "", "task.not_found")
	}
}
