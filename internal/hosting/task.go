package hosting

import (
	"strings"
	"time"
)

// TaskID identifies a scheduled task.
type TaskID uint64

// Schedule is when a task runs: the five fields of a cron line.
type Schedule string

// TaskKind says what a task does.
type TaskKind string

// The kinds of tasks.
const (
	TaskURL    TaskKind = "url"    // asks for a page of its own site
	TaskScript TaskKind = "script" // runs a PHP script of its site, in the sandbox
)

// Task is something that a site does by itself, again and again. DueAt is
// written by whoever changes the wish and by the agent, which takes a run by
// moving it.
type Task struct {
	ID        TaskID
	NodeID    NodeID
	AccountID AccountID
	SiteID    SiteID
	Kind      TaskKind
	Target    string // an encoded path with its query, or a file of the home
	Schedule  Schedule
	TimeZone  TimeZone
	Enabled   bool
	DueAt     time.Time
	CreatedAt time.Time
}

// TaskSpec is a task as it is asked for; its parts are parsed.
type TaskSpec struct {
	Kind     TaskKind
	Target   string
	Schedule Schedule
	TimeZone TimeZone
}

// ParseTaskTarget accepts what a task does: a path of the site such as
// /cron.php?key=1, or a PHP script of the home such as www/cron.php.
func ParseTaskTarget(kind TaskKind, s string) (string, error) {
	s = strings.TrimSpace(s)
	switch kind {
	case TaskURL:
		t, err := ParseTarget("target", s)
		if err != nil || !strings.HasPrefix(string(t), "/") || strings.Contains(string(t), "#") {
			return "", Refuse(Invalid, "target", "task.url_invalid")
		}
		return string(t), nil
	case TaskScript:
		f, err := parseFolder("target", s)
		if err != nil || !strings.HasSuffix(string(f), ".php") {
			return "", Refuse(Invalid, "target", "task.script_invalid")
		}
		return string(f), nil
	}
	return "", Refuse(Invalid, "kind", "task.kind_invalid")
}

// MaxTasks is how many tasks one site may have.
const MaxTasks = 20

// TaskOutcome is how a run ended.
type TaskOutcome string

// The outcomes of a run.
const (
	TaskRunning TaskOutcome = "running"
	TaskDone    TaskOutcome = "done"
	TaskFailed  TaskOutcome = "failed"  // its status says so
	TaskTooLong TaskOutcome = "toolong" // it was ended at the limit
	TaskNotRun  TaskOutcome = "notrun"  // an error of ours kept it from running
	TaskLost    TaskOutcome = "lost"    // the machine, or we, stopped meanwhile
)

// TaskLimit is how long one run may take.
const TaskLimit = 10 * time.Minute

// TaskRun is one run of a task.
type TaskRun struct {
	ID        uint64
	TaskID    TaskID
	StartedAt time.Time
	EndedAt   *time.Time
	Outcome   TaskOutcome
	Status    int    // of the answer, or of the program
	Output    string // its last lines
}
