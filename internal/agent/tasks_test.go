package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"cancale/internal/config"
	"cancale/internal/hosting"
)

// runs are the runs of a site's tasks, by what they do; the newest first.
func (w *world) runs(site hosting.Site) map[string][]hosting.TaskRun {
	w.t.Helper()
	rows, err := w.store.Tasks(w.t.Context(), root.Scope(hosting.SitesRead), site.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	runs := map[string][]hosting.TaskRun{}
	for _, row := range rows {
		runs[row.Target] = row.Runs
	}
	return runs
}

// running reports whether a process of the machine has that text among its
// arguments.
func running(text string) bool {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		if line, err := os.ReadFile(f); err == nil && strings.Contains(string(line), text) {
			return true
		}
	}
	return false
}

func TestScheduledTasks(t *testing.T) {
	w := newWorld(t)
	stop := w.work()
	site := w.create("www.asso.example.org")[0]
	w.live(site)
	task := func(kind hosting.TaskKind, target string) hosting.TaskID {
		t.Helper()
		task, err := w.store.CreateTask(t.Context(), root, site.ID, hosting.TaskSpec{Kind: kind, Target: target, Schedule: "0 3 * * *", TimeZone: "Europe/Paris"})
		if err != nil {
			t.Fatal(err)
		}
		return task.ID
	}
	start := func(id hosting.TaskID) {
		t.Helper()
		if err := w.store.RunTask(t.Context(), root, id); err != nil {
			t.Fatal(err)
		}
	}
	ended := func(target string, n int, outcome hosting.TaskOutcome) hosting.TaskRun {
		t.Helper()
		w.eventually(fmt.Sprintf("%s %s", target, outcome), func() bool {
			list := w.runs(site)[target]
			return len(list) == n && list[0].EndedAt != nil
		})
		run := w.runs(site)[target][0]
		if run.Outcome != outcome {
			t.Errorf("%s: %+v", target, run)
		}
		return run
	}
	w.script(site, "script.php", `<?php echo posix_getuid(), " ", ini_get("memory_limit"), " ", getcwd(), "\n"; echo implode(",", array_map("basename", glob("/srv/*"))), "\n", str_repeat("x", 100000), "\x1b[31m\0last";`)
	w.script(site, "fails.php", `<?php if (PHP_SAPI != "cli") http_response_code(500); echo "went wrong"; exit(3);`)
	w.script(site, "page.php", `<?php echo $_SERVER["HTTP_HOST"], " ", $_GET["key"], " ", $_SERVER["HTTP_USER_AGENT"];`)
	w.script(site, "long.php", `<?php file_put_contents("/srv/site/tmp/began", "x", FILE_APPEND); sleep(300);`)
	if err := os.Symlink("/etc/passwd", filepath.Join(w.layout().Home(string(site.HomeToken)), "www", "link.php")); err != nil {
		t.Fatal(err)
	}

	start(task(hosting.TaskScript, "www/script.php"))
	run := ended("www/script.php", 1, hosting.TaskDone)
	if len(run.Output) > 5000 || !strings.HasSuffix(run.Output, "xx[31mlast") || run.Status != 0 {
		t.Errorf("%d bytes: %.60q", len(run.Output), run.Output)
	}
	w.script(site, "who.php", `<?php echo posix_getuid(), " ", ini_get("memory_limit"), " ", getcwd(), " ", implode(",", array_map("basename", glob("/srv/*")));`)
	start(task(hosting.TaskScript, "www/who.php"))
	if run := ended("www/who.php", 1, hosting.TaskDone); run.Output != fmt.Sprint(site.UID, " 128M ", config.SiteHome, " site") {
		t.Errorf("the script is not in the sandbox: %q", run.Output)
	}
	start(task(hosting.TaskScript, "www/fails.php"))
	if run := ended("www/fails.php", 1, hosting.TaskFailed); run.Status != 3 || run.Output != "went wrong" {
		t.Errorf("%+v", run)
	}
	start(task(hosting.TaskScript, "www/link.php"))
	if run := ended("www/link.php", 1, hosting.TaskDone); strings.Contains(run.Output, "www-data") {
		t.Errorf("a link leads out of the sandbox: %q", run.Output)
	}
	start(task(hosting.TaskURL, "/page.php?key=%22a"))
	if run := ended("/page.php?key=%22a", 1, hosting.TaskDone); run.Status != 200 || !strings.HasPrefix(run.Output, "www.asso.example.org") || !strings.Contains(run.Output, `"a Cancale`) {
		t.Errorf("%+v", run)
	}
	start(task(hosting.TaskURL, "/fails.php"))
	if run := ended("/fails.php", 1, hosting.TaskFailed); run.Status != 500 {
		t.Errorf("%+v", run)
	}

	// An agent that is killed takes its programs with it, and what it began is
	// not begun again.
	stop()
	child := w.child(0)
	long := task(hosting.TaskScript, "www/long.php")
	start(long)
	began := filepath.Join(w.layout().Home(string(site.HomeToken)), "tmp", "began")
	w.eventually("the long task began", func() bool { text, _ := os.ReadFile(began); return string(text) == "x" })
	if !running("www/long.php") {
		t.Error("the program is not to be seen")
	}
	start(long) // while it runs: this time is passed over
	if err := child.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	w.eventually("the program died with its agent", func() bool { return !running("www/long.php") })
	if err := w.store.DisableTask(t.Context(), root, long); err != nil {
		t.Fatal(err)
	}
	w.work()
	ended("www/long.php", 1, hosting.TaskLost)
	if text, _ := os.ReadFile(began); string(text) != "x" {
		t.Errorf("it ran %d times", len(text))
	}
}

func TestOneAccountDoesNotTakeAllTurns(t *testing.T) {
	s := &scheduler{running: map[hosting.SiteID]hosting.Task{}}
	for i, c := range []struct {
		account hosting.AccountID
		site    hosting.SiteID
		want    int
	}{
		{1, 1, taken},
		{1, 1, waits},
		{1, 2, taken},
		{1, 3, waits},
		{2, 4, taken},
		{2, 5, taken},
		{2, 6, waits},
		{3, 7, taken},
		{3, 8, taken},
		{4, 9, taken},
		{4, 10, taken},
		{5, 11, waits},
	} {
		if got := s.room(hosting.Task{ID: hosting.TaskID(i + 1), AccountID: c.account, SiteID: c.site}); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
	if s.room(hosting.Task{ID: 1, AccountID: 1, SiteID: 1}) != passed {
		t.Error("a task that still runs is not passed over")
	}
	if busy := s.busy(); len(busy.Tasks) != tasksAtOnce || len(busy.Sites) != tasksAtOnce || len(busy.Accounts) != 4 {
		t.Errorf("%+v", busy)
	}
}
