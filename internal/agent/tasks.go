package agent

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"cancale/internal/driver/tasks"
	"cancale/internal/hosting"
	"cancale/internal/reconcile"
	"cancale/internal/schedule"
	"cancale/internal/store"
)

const (
	// taskPoll is how soon a task is begun whose time has come.
	taskPoll = 2 * time.Second
	// tasksAtOnce is how many run at a time, tasksOfAccount how many of them for
	// one account; the others wait. One site has no more than one.
	tasksAtOnce    = 8
	tasksOfAccount = 2
	// never is when a task is looked at again that can never run.
	never = 365 * 24 * time.Hour
)

// scheduler begins the tasks whose time has come.
type scheduler struct {
	*agent
	// execute runs a task; tests put one that has a bug in its place.
	execute func(context.Context, hosting.Site, hosting.Task) (tasks.Result, error)

	mu      sync.Mutex
	running map[hosting.SiteID]hosting.Task
	all     sync.WaitGroup
}

func (a *agent) newScheduler() *scheduler {
	runner := tasks.Runner{Layout: a.cfg.Layout, HTTPPort: a.cfg.Apache.HTTPPort, Web: a.cfg.Apache.Address(), Limit: hosting.TaskLimit}
	return &scheduler{agent: a, running: map[hosting.SiteID]hosting.Task{}, execute: runner.Run}
}

// run begins tasks until ctx ends, and waits for those that run: they end with
// it.
func (s *scheduler) run(ctx context.Context) {
	if err := s.cfg.Store.LoseRuns(ctx); err != nil && ctx.Err() == nil {
		slog.ErrorContext(ctx, "tasks of an earlier agent are not told as lost", slog.Any("cause", err))
	}
	tick := time.NewTicker(taskPoll)
	defer tick.Stop()
	for failures := 0; ctx.Err() == nil; {
		err := reconcile.Protect(func() error { return s.begin(ctx) })
		switch {
		case err == nil:
			failures = 0
		case ctx.Err() == nil:
			failures++
			slog.ErrorContext(ctx, "no task can be begun", slog.Any("cause", err))
			select {
			case <-ctx.Done():
			case <-time.After(min(reconcile.Backoff(failures), maxClaimWait)):
			}
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	s.all.Wait()
}

// begin takes up what is due, as far as there is room.
func (s *scheduler) begin(ctx context.Context) error {
	due, err := s.cfg.Store.DueTasks(ctx, s.busy(), 4*tasksAtOnce)
	if err != nil {
		return err
	}
	for _, task := range due {
		switch s.room(task) {
		case taken:
			err = s.take(ctx, task)
		case passed:
			err = s.cfg.Store.PassRun(ctx, task, next(task))
		case waits:
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// What becomes of a task whose time has come: it runs; it still runs from the
// time before, and this time is passed over; or it waits for room.
const (
	taken = iota
	passed
	waits
)

func (s *scheduler) room(task hosting.Task) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	other, busy := s.running[task.SiteID]
	switch {
	case busy && other.ID == task.ID:
		return passed
	case busy || len(s.running) >= tasksAtOnce || s.ofAccount()[task.AccountID] >= tasksOfAccount:
		return waits
	}
	s.running[task.SiteID] = task
	return taken
}

// ofAccount counts what runs for each account; the caller holds mu.
func (s *scheduler) ofAccount() map[hosting.AccountID]int {
	n := map[hosting.AccountID]int{}
	for _, task := range s.running {
		n[task.AccountID]++
	}
	return n
}

// busy is whose tasks need not be looked at.
func (s *scheduler) busy() store.BusyTasks {
	s.mu.Lock()
	defer s.mu.Unlock()
	var busy store.BusyTasks
	for site, task := range s.running {
		busy.Tasks, busy.Sites = append(busy.Tasks, task.ID), append(busy.Sites, site)
	}
	for account, n := range s.ofAccount() {
		if n >= tasksOfAccount {
			busy.Accounts = append(busy.Accounts, account)
		}
	}
	return busy
}

// next is when the task is due after now. It is one task's, and a bug that it
// meets must not keep those that are due after it.
func next(task hosting.Task) time.Time {
	var at time.Time
	err := reconcile.Protect(func() (err error) {
		at, err = schedule.Next(task.Schedule, task.TimeZone, time.Now())
		return err
	})
	if err != nil {
		slog.Error("task that is never due", append(stackOf(err), slog.Uint64("task", uint64(task.ID)), slog.Any("cause", err))...)
		return time.Now().Add(never)
	}
	return at.Add(schedule.Spread(task.ID))
}

// take runs the task unless somebody else has it already.
func (s *scheduler) take(ctx context.Context, task hosting.Task) error {
	free := func() {
		s.mu.Lock()
		delete(s.running, task.SiteID)
		s.mu.Unlock()
	}
	run, ours, err := s.cfg.Store.TakeRun(ctx, task, next(task))
	if err != nil || !ours {
		free()
		return err
	}
	s.all.Go(func() {
		defer free()
		s.do(ctx, task, run)
	})
	return nil
}

func (s *scheduler) do(ctx context.Context, task hosting.Task, run uint64) {
	attrs := []any{slog.Uint64("task", uint64(task.ID)), slog.Uint64("site", uint64(task.SiteID))}
	result := tasks.Result{Outcome: hosting.TaskNotRun}
	err := reconcile.Protect(func() error {
		site, err := s.cfg.Store.Site(ctx, task.SiteID)
		if err != nil {
			return err
		}
		done, err := s.execute(ctx, site, task)
		if err == nil {
			result = done
		}
		return err
	})
	if ctx.Err() != nil { // the next agent tells it as lost
		return
	}
	if err != nil {
		slog.ErrorContext(ctx, "task not run", append(append(attrs, slog.Any("cause", err)), stackOf(err)...)...)
	}
	if err := s.cfg.Store.EndRun(ctx, run, result.Outcome, result.Status, result.Output); err != nil && ctx.Err() == nil {
		slog.ErrorContext(ctx, "end of a task not noted", append(attrs, slog.Any("cause", err))...)
	}
}
