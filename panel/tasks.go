package panel

import (
	"context"
	"strconv"

	"cancale/internal/hosting"
	"cancale/internal/schedule"
	"cancale/views"
)

// showTasks is GET /sites/:id/tasks.
func (s *server) showTasks(r *Request) error {
	site, err := r.site()
	if err != nil {
		return err
	}
	form := views.TaskForm{Kind: string(hosting.TaskURL), Every: "daily", At: "03:30", Weekday: "1", Monthday: "1", TimeZone: string(site.Behaviour.PHP.TimeZone)}
	r.into(&form)
	return s.drawTasks(r, site, form, r.Render)
}

func (s *server) drawTasks(r *Request, site hosting.Site, form views.TaskForm, answer answer) error {
	rows, err := s.store.Tasks(r.Context(), r.Actor.Scope(hosting.SitesRead), site.ID)
	if err != nil {
		return err
	}
	list := make([]views.Task, len(rows))
	for i, row := range rows {
		list[i] = views.Task{Task: row.Task, Runs: row.Runs}
	}
	return s.tab(r, site, func(p views.Page, params views.SiteParams) error {
		return answer(views.SiteTasksPage(p, views.SiteTasksParams{SiteParams: params, Tasks: list, Form: form}))
	})
}

// createTask is POST /sites/:id/tasks.
func (s *server) createTask(r *Request) error {
	site, err := r.site()
	if err != nil {
		return err
	}
	var form views.TaskForm
	r.into(&form)
	spec, err := taskSpec(form)
	if err == nil {
		_, err = s.store.CreateTask(r.Context(), r.Actor, site.ID, spec)
	}
	if messages, ok := refused(err); ok {
		form.Errors = messages
		return s.drawTasks(r, site, form, r.Invalid)
	}
	if err != nil {
		return err
	}
	r.Flash("task.created")
	return r.Redirect("/sites/%d/tasks", site.ID)
}

// taskSpec reads the form; all that is wrong with it is said at once.
func taskSpec(form views.TaskForm) (spec hosting.TaskSpec, err error) {
	var errs hosting.Errors
	spec.Kind = hosting.TaskKind(form.Kind)
	spec.Target, err = hosting.ParseTaskTarget(spec.Kind, form.Target)
	errs.Add(err)
	if form.Every == "cron" {
		spec.Schedule, err = schedule.Parse(form.Cron)
	} else {
		typed := form.Weekday
		if form.Every == "monthly" {
			typed = form.Monthday
		}
		day, badDay := strconv.Atoi(typed)
		if badDay != nil {
			day = -1
		}
		spec.Schedule, err = schedule.Plain(form.Every, form.At, day)
	}
	errs.Add(err)
	spec.TimeZone, err = hosting.ParseTimeZone(form.TimeZone)
	errs.Add(err)
	if spec.TimeZone == "" {
		spec.TimeZone = hosting.DefaultPHP.TimeZone
	}
	return spec, errs.Err()
}

// runTask, enableTask, disableTask and deleteTask are the buttons of a task.
func (s *server) runTask(r *Request) error { return s.onTask(r, "task.started", s.store.RunTask) }

func (s *server) enableTask(r *Request) error {
	return s.onTask(r, "task.enabled", s.store.EnableTask)
}

func (s *server) disableTask(r *Request) error {
	return s.onTask(r, "task.disabled_done", s.store.DisableTask)
}

func (s *server) deleteTask(r *Request) error {
	return s.onTask(r, "task.deleted", s.store.DeleteTask)
}

func (s *server) onTask(r *Request, done string, act func(context.Context, hosting.Actor, hosting.TaskID) error) error {
	site, err := r.site()
	if err != nil {
		return err
	}
	id, err := strconv.ParseUint(r.form.Get("task"), 10, 64)
	if err != nil {
		return hosting.Refuse(hosting.NotFound, "", "task.not_found")
	}
	task, err := s.store.Task(r.Context(), r.Actor.Scope(hosting.SitesWrite), hosting.TaskID(id))
	if err != nil {
		return err
	}
	if task.SiteID != site.ID {
		return hosting.Refuse(hosting.NotFound, "", "task.not_found")
	}
	if err := act(r.Context(), r.Actor, task.ID); err != nil {
		return err
	}
	r.Flash(done)
	return r.Redirect("/sites/%d/tasks", site.ID)
}
