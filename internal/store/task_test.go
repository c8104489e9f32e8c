package store_test

import (
	"testing"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/internal/testenv"
)

var aTask = hosting.TaskSpec{Kind: hosting.TaskURL, Target: "/cron.php?key=1", Schedule: "0 3 * * *", TimeZone: "Europe/Paris"}

func TestARunOfATaskIsTakenOnce(t *testing.T) {
	st, node := testenv.Stores(t)
	account := anAccount(t, st, "tasks")
	site := aSite(t, st, account, "tasks.example.org")
	task := must(st.CreateTask(t.Context(), root, site.ID, aTask))(t)
	due := func() []hosting.Task { return must(node.DueTasks(t.Context(), store.BusyTasks{}, 10))(t) }
	if list := due(); len(list) != 0 {
		t.Fatalf("before its time: %+v", list)
	}
	ok(t, st.RunTask(t.Context(), root, task.ID))
	if list := due(); len(list) != 0 {
		t.Fatalf("of a site that was never live: %+v", list)
	}
	ok(t, node.Observe(t.Context(), hosting.Key{Resource: hosting.ResourceSite, ID: uint64(site.ID)}, site.Sync.Generation, hosting.Live, hosting.Message{}, time.Time{}))
	list := due()
	if len(list) != 1 || list[0].ID != task.ID {
		t.Fatalf("%+v", list)
	}
	run, taken, err := node.TakeRun(t.Context(), list[0], time.Now().Add(time.Hour))
	if err != nil || !taken {
		t.Fatal(taken, err)
	}
	if _, again, err := node.TakeRun(t.Context(), list[0], time.Now().Add(time.Hour)); err != nil || again {
		t.Errorf("taken twice: %v %v", again, err)
	}
	if list := due(); len(list) != 0 {
		t.Errorf("still due: %+v", list)
	}
	ok(t, node.EndRun(t.Context(), run, hosting.TaskFailed, 500, "out"))
	ok(t, node.LoseRuns(t.Context()))
	rows := must(st.Tasks(t.Context(), everything, site.ID))(t)
	if len(rows) != 1 || len(rows[0].Runs) != 1 || rows[0].Runs[0].Outcome != hosting.TaskFailed || rows[0].Runs[0].Status != 500 || rows[0].Runs[0].EndedAt == nil {
		t.Errorf("%+v", rows)
	}

	t.Run("what an agent did not end is lost, and only the last runs stay", func(t *testing.T) {
		for range 25 {
			ok(t, st.RunTask(t.Context(), root, task.ID))
			list := due()
			if _, taken, err := node.TakeRun(t.Context(), list[0], time.Now().Add(time.Hour)); err != nil || !taken {
				t.Fatal(taken, err)
			}
		}
		ok(t, node.LoseRuns(t.Context()))
		var running, all int
		ok(t, st.DB().Raw("SELECT COUNT(*) FROM task_runs WHERE outcome = 'running'").Scan(&running).Error)
		ok(t, st.DB().Raw("SELECT COUNT(*) FROM task_runs").Scan(&all).Error)
		if running != 0 || all != 20 {
			t.Errorf("%d still running of %d", running, all)
		}
	})
	t.Run("nothing runs for a site that is off, nor a task that is", func(t *testing.T) {
		ok(t, st.RunTask(t.Context(), root, task.ID))
		must(st.SuspendSite(t.Context(), root, site.ID))(t)
		if list := due(); len(list) != 0 {
			t.Errorf("%+v", list)
		}
		must(st.ResumeSite(t.Context(), root, site.ID))(t)
		if list := due(); len(list) != 1 {
			t.Errorf("%+v", list)
		}
		ok(t, st.DisableTask(t.Context(), root, task.ID))
		if list := due(); len(list) != 0 {
			t.Errorf("%+v", list)
		}
		if err := st.RunTask(t.Context(), root, task.ID); hosting.KindOf(err) != hosting.Conflict {
			t.Error(err)
		}
	})
	t.Run("tasks that must wait hide nobody else's", func(t *testing.T) {
		live := func(site hosting.Site) hosting.Site {
			ok(t, node.Observe(t.Context(), hosting.Key{Resource: hosting.ResourceSite, ID: uint64(site.ID)}, site.Sync.Generation, hosting.Live, hosting.Message{}, time.Time{}))
			return site
		}
		now := func(site hosting.Site) hosting.Task {
			task := must(st.CreateTask(t.Context(), root, site.ID, aTask))(t)
			ok(t, st.RunTask(t.Context(), root, task.ID))
			return task
		}
		greedy, other := anAccount(t, st, "greedy"), anAccount(t, st, "other")
		first, second := live(aSite(t, st, greedy, "one.example.org")), live(aSite(t, st, greedy, "two.example.org"))
		tasks := []hosting.Task{now(first), now(first), now(first), now(second)}
		last := now(live(aSite(t, st, other, "other.example.org")))
		list := must(node.DueTasks(t.Context(), store.BusyTasks{Tasks: []hosting.TaskID{tasks[0].ID}, Sites: []hosting.SiteID{first.ID}}, 3))(t)
		if len(list) != 3 || list[0].ID != tasks[0].ID || list[1].ID != tasks[3].ID || list[2].ID != last.ID {
			t.Errorf("beside a busy site: %+v", list)
		}
		list = must(node.DueTasks(t.Context(), store.BusyTasks{Accounts: []hosting.AccountID{greedy.ID}}, 1))(t)
		if len(list) != 1 || list[0].ID != last.ID {
			t.Errorf("beside a busy account: %+v", list)
		}
	})
	t.Run("the agent's user changes no wish", func(t *testing.T) {
		for _, statement := range []string{"UPDATE tasks SET target = '/x'", "UPDATE tasks SET enabled = 1", "DELETE FROM tasks", "INSERT INTO tasks (id) VALUES (1)", "UPDATE nodes SET next_uid = 0", "UPDATE sites SET behaviour = '{}'"} {
			if node.DB().Exec(statement).Error == nil {
				t.Errorf("%s: allowed", statement)
			}
		}
	})
	t.Run("runs go with their task", func(t *testing.T) {
		ok(t, st.DeleteTask(t.Context(), root, task.ID))
		var left int
		ok(t, st.DB().Raw("SELECT COUNT(*) FROM task_runs").Scan(&left).Error)
		if left != 0 {
			t.Errorf("%d runs are left", left)
		}
	})
}
