package store

import (
	"context"
	"strconv"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/schedule"

	"gorm.io/gorm"
)

// TaskRow is a task with its last runs, the newest first.
type TaskRow struct {
	hosting.Task
	Runs []hosting.TaskRun `gorm:"-"`
}

// shownRuns is how many runs of a task are shown; keptRuns how many stay.
const (
	shownRuns = 5
	keptRuns  = 20
)

// Tasks are the tasks of a site, the oldest first.
func (s *Store) Tasks(ctx context.Context, scope hosting.Scope, site hosting.SiteID) ([]TaskRow, error) {
	c := scoped(scope, "t.account_id").and("t.site_id = ?", site)
	db := s.db.WithContext(ctx)
	rows, err := list[TaskRow](db, "SELECT t.* FROM tasks t"+c.where()+" ORDER BY t.id", c.args...)
	if err != nil || len(rows) == 0 {
		return rows, err
	}
	at := make(map[hosting.TaskID]*TaskRow, len(rows))
	ids := make([]hosting.TaskID, len(rows))
	for i := range rows {
		at[rows[i].ID], ids[i] = &rows[i], rows[i].ID
	}
	runs, err := list[hosting.TaskRun](db, "SELECT * FROM task_runs WHERE task_id IN ? ORDER BY id DESC", ids)
	for _, r := range runs {
		if row := at[r.TaskID]; len(row.Runs) < shownRuns {
			row.Runs = append(row.Runs, r)
		}
	}
	return rows, err
}

// Task is one task.
func (s *Store) Task(ctx context.Context, scope hosting.Scope, id hosting.TaskID) (hosting.Task, error) {
	c := scoped(scope, "account_id").and("id = ?", id)
	row, err := one[hosting.Task](s.db.WithContext(ctx), "SELECT * FROM tasks"+c.where(), c.args...)
	return row, orNotFound(err, "task")
}

// CreateTask makes a site do something by itself.
func (s *Store) CreateTask(ctx context.Context, actor hosting.Actor, id hosting.SiteID, spec hosting.TaskSpec) (hosting.Task, error) {
	var task hosting.Task
	err := s.write(ctx, actor, "task.create", func(t *tx) error {
		site, err := t.lockSite(id, hosting.SitesWrite)
		if err != nil {
			return err
		}
		if site.Sync.Removing {
			return hosting.Refuse(hosting.Conflict, "", "site.removing", site.Host.Unicode())
		}
		n, err := one[int](t.DB, "SELECT COUNT(*) FROM tasks WHERE site_id = ?", id)
		if err != nil {
			return err
		}
		if n >= hosting.MaxTasks {
			return hosting.Refuse(hosting.OverLimit, "", "task.too_many", strconv.Itoa(hosting.MaxTasks))
		}
		due, err := schedule.Next(spec.Schedule, spec.TimeZone, t.now)
		if err != nil {
			return err
		}
		task = hosting.Task{
			NodeID: site.NodeID, AccountID: site.AccountID, SiteID: id, Kind: spec.Kind, Target: spec.Target,
			Schedule: spec.Schedule, TimeZone: spec.TimeZone, Enabled: true, DueAt: due, CreatedAt: t.now,
		}
		if err := t.Table("tasks").Create(&task).Error; err != nil {
			return err
		}
		task.DueAt = due.Add(schedule.Spread(task.ID))
		if err := t.Exec("UPDATE tasks SET due_at = ? WHERE id = ?", task.DueAt, task.ID).Error; err != nil {
			return err
		}
		t.note(site.AccountID, string(site.Host), nil, task)
		return nil
	})
	return task, err
}

// EnableTask turns a task on.
func (s *Store) EnableTask(ctx context.Context, actor hosting.Actor, id hosting.TaskID) error {
	return s.changeTask(ctx, actor, "task.enable", id, hosting.SitesWrite, func(t *tx, before hosting.Task) (hosting.Task, error) {
		after := before
		after.Enabled = true
		due, err := schedule.Next(before.Schedule, before.TimeZone, t.now)
		if err != nil {
			return after, err
		}
		after.DueAt = due.Add(schedule.Spread(id))
		return after, nil
	})
}

// DisableTask turns a task off, and keeps it.
func (s *Store) DisableTask(ctx context.Context, actor hosting.Actor, id hosting.TaskID) error {
	return s.changeTask(ctx, actor, "task.disable", id, hosting.SitesWrite, func(_ *tx, before hosting.Task) (hosting.Task, error) {
		after := before
		after.Enabled = false
		return after, nil
	})
}

// RunTask makes a task run now, once more.
func (s *Store) RunTask(ctx context.Context, actor hosting.Actor, id hosting.TaskID) error {
	return s.changeTask(ctx, actor, "task.run", id, hosting.SitesRun, func(t *tx, before hosting.Task) (hosting.Task, error) {
		after := before
		if !before.Enabled {
			return after, hosting.Refuse(hosting.Conflict, "", "task.off")
		}
		after.DueAt = t.now
		return after, nil
	})
}

// DeleteTask forgets a task and its runs.
func (s *Store) DeleteTask(ctx context.Context, actor hosting.Actor, id hosting.TaskID) error {
	return s.write(ctx, actor, "task.delete", func(t *tx) error {
		task, site, err := t.lockTask(id, hosting.SitesWrite)
		if err != nil {
			return err
		}
		t.note(task.AccountID, string(site.Host), task, nil)
		return t.Exec("DELETE FROM tasks WHERE id = ?", id).Error // its runs go with it
	})
}

func (s *Store) changeTask(ctx context.Context, actor hosting.Actor, action string, id hosting.TaskID, need hosting.Permission, change func(*tx, hosting.Task) (hosting.Task, error)) error {
	return s.write(ctx, actor, action, func(t *tx) error {
		before, site, err := t.lockTask(id, need)
		if err != nil {
			return err
		}
		after, err := change(t, before)
		if err != nil {
			return err
		}
		if t.same = after == before; t.same {
			return nil
		}
		t.note(before.AccountID, string(site.Host), before, after)
		return t.Exec("UPDATE tasks SET enabled = ?, due_at = ? WHERE id = ?", after.Enabled, after.DueAt, id).Error
	})
}

// lockTask reads a task for the rest of the transaction, and the site that it
// is of.
func (t *tx) lockTask(id hosting.TaskID, need hosting.Permission) (hosting.Task, hosting.Site, error) {
	site, err := one[hosting.SiteID](t.DB, "SELECT site_id FROM tasks WHERE id = ?", id)
	if err != nil {
		return hosting.Task{}, hosting.Site{}, orNotFound(err, "task")
	}
	of, err := t.lockSite(site, need)
	if hosting.KindOf(err) == hosting.NotFound && err != nil {
		return hosting.Task{}, hosting.Site{}, hosting.Refuse(hosting.NotFound, "", "task.not_found")
	}
	if err != nil {
		return hosting.Task{}, hosting.Site{}, err
	}
	task, err := one[hosting.Task](t.DB, "SELECT * FROM tasks WHERE id = ? FOR UPDATE", id)
	return task, of, orNotFound(err, "task")
}

// BusyTasks are the tasks that run, and the sites and accounts that run as many
// as they may.
type BusyTasks struct {
	Tasks    []hosting.TaskID
	Sites    []hosting.SiteID
	Accounts []hosting.AccountID
}

// DueTasks are tasks of the node whose time has come, of sites that are served,
// the longest waiting first. Those that could not begin before another one ends
// are left out, so that they hide nobody else's; one that still runs from the
// time before is among them.
func (n *NodeStore) DueTasks(ctx context.Context, busy BusyTasks, limit int) ([]hosting.Task, error) {
	// An empty list would be NULL, and NOT IN NULL is never true; 0 is nobody.
	return list[hosting.Task](n.db.WithContext(ctx),
		"SELECT t.* FROM tasks t JOIN sites s ON s.id = t.site_id JOIN accounts a ON a.id = t.account_id"+
			" WHERE t.node_id = ? AND t.due_at <= ? AND t.enabled = 1 AND s.suspended = 0 AND s.removing = 0 AND s.observed > 0 AND a.suspended = 0"+
			" AND (t.id IN ? OR t.site_id NOT IN ? AND t.account_id NOT IN ?) ORDER BY t.due_at LIMIT ?", n.node.ID, now(),
		append([]hosting.TaskID{0}, busy.Tasks...), append([]hosting.SiteID{0}, busy.Sites...), append([]hosting.AccountID{0}, busy.Accounts...), limit)
}

// TakeRun takes a run of a task by moving its next time; false when somebody
// else did, or changed the task. The run that begins is noted first, so that
// one of which nothing more is heard can be told.
func (n *NodeStore) TakeRun(ctx context.Context, task hosting.Task, next time.Time) (run uint64, taken bool, err error) {
	err = transact(ctx, n.db, func(db *gorm.DB) error {
		moved := db.Exec("UPDATE tasks SET due_at = ? WHERE id = ? AND due_at = ?", next.UTC().Truncate(time.Microsecond), task.ID, task.DueAt)
		if taken = moved.Error == nil && moved.RowsAffected == 1; !taken {
			return moved.Error
		}
		begun := hosting.TaskRun{TaskID: task.ID, StartedAt: now(), Outcome: hosting.TaskRunning}
		if err := db.Table("task_runs").Create(&begun).Error; err != nil {
			return err
		}
		run = begun.ID
		oldest, err := list[uint64](db, "SELECT id FROM task_runs WHERE task_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?", task.ID, keptRuns)
		if err != nil || len(oldest) == 0 {
			return err
		}
		return db.Exec("DELETE FROM task_runs WHERE task_id = ? AND id <= ?", task.ID, oldest[0]).Error
	})
	if err != nil {
		return 0, false, wrap("take run", err)
	}
	return run, taken, nil
}

// PassRun moves the next time of a task that still runs.
func (n *NodeStore) PassRun(ctx context.Context, task hosting.Task, next time.Time) error {
	err := transact(ctx, n.db, func(db *gorm.DB) error {
		return db.Exec("UPDATE tasks SET due_at = ? WHERE id = ? AND due_at = ?", next.UTC().Truncate(time.Microsecond), task.ID, task.DueAt).Error
	})
	if err != nil {
		return wrap("pass run", err)
	}
	return nil
}

// EndRun notes how a run ended.
func (n *NodeStore) EndRun(ctx context.Context, run uint64, outcome hosting.TaskOutcome, status int, output string) error {
	err := transact(ctx, n.db, func(db *gorm.DB) error {
		return db.Exec("UPDATE task_runs SET ended_at = ?, outcome = ?, status = ?, output = ? WHERE id = ? AND outcome = 'running'", now(), outcome, status, output, run).Error
	})
	if err != nil {
		return wrap("end run", err)
	}
	return nil
}

// LoseRuns ends the runs of an agent that was killed: its programs died with it.
func (n *NodeStore) LoseRuns(ctx context.Context) error {
	err := transact(ctx, n.db, func(db *gorm.DB) error {
		return db.Exec("UPDATE task_runs r JOIN tasks t ON t.id = r.task_id SET r.ended_at = ?, r.outcome = 'lost' WHERE r.outcome = 'running' AND t.node_id = ?", now(), n.node.ID).Error
	})
	if err != nil {
		return wrap("lose runs", err)
	}
	return nil
}
