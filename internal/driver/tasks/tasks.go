// Package tasks does what a site's scheduled tasks say: it asks for a page of
// the site as a visitor would, or runs one of its PHP scripts in its sandbox,
// within a time, and keeps the last lines of what came out.
//
// It never decides when, keeps nothing running, and reads no store.
package tasks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unicode"

	"cancale/internal/config"
	"cancale/internal/driver/phpfpm"
	"cancale/internal/hosting"
	"cancale/internal/sandbox"
)

// Runner runs tasks of one node.
type Runner struct {
	Layout   config.Layout
	HTTPPort int
	Web      netip.Addr // where Apache answers
	Limit    time.Duration
}

// Result is how a run ended.
type Result struct {
	Outcome hosting.TaskOutcome
	Status  int // HTTP's, or the program's
	Output  string
}

// tail is how much of the output is kept, in bytes; a page is read no further
// than maxPage.
const (
	tail    = 4 << 10
	maxPage = 1 << 20
)

// Run does the task once. An error is of ours, and says nothing about the
// task; whatever the site did is a Result. Values are parsed again: a task that
// is none fails.
func (r Runner) Run(ctx context.Context, site hosting.Site, task hosting.Task) (Result, error) {
	if parsed, err := hosting.ParseTaskTarget(task.Kind, task.Target); err != nil || parsed != task.Target {
		return Result{}, fmt.Errorf("tasks: task %d: not valid", task.ID)
	}
	ctx, cancel := context.WithTimeout(ctx, r.Limit)
	defer cancel()
	if task.Kind == hosting.TaskURL {
		return r.ask(ctx, site, task.Target)
	}
	return r.script(ctx, site, task.Target)
}

// ask is a visit to a page of the site itself, on this machine: the address
// is never looked up, and no redirect is followed.
func (r Runner) ask(ctx context.Context, site hosting.Site, target string) (Result, error) {
	host := site.Host
	for _, m := range site.Behaviour.Canonical.Moves(site.Names()) {
		if m.From == host {
			host = m.To
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(r.Web.String(), strconv.Itoa(r.HTTPPort))+target, nil)
	if err != nil {
		return Result{}, fmt.Errorf("tasks: %w", err)
	}
	if req.Host = string(host); r.HTTPPort != 80 {
		req.Host = net.JoinHostPort(string(host), strconv.Itoa(r.HTTPPort))
	}
	req.Header.Set("User-Agent", "Cancale (tache planifiee)")
	if secret := site.Behaviour.Maintenance.VisitSecret; secret.Valid() { // works on during maintenance
		req.Header.Set("Cookie", "cancale_visit="+string(secret))
	}
	transport := &http.Transport{DisableKeepAlives: true, Proxy: nil}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return unanswered(ctx, err), nil
	}
	defer resp.Body.Close()
	out := &lastLines{}
	_, err = io.Copy(out, io.LimitReader(resp.Body, maxPage))
	result := Result{Outcome: hosting.TaskDone, Status: resp.StatusCode, Output: out.text()}
	if err != nil {
		result = unanswered(ctx, err)
		result.Status = resp.StatusCode
	}
	if result.Outcome == hosting.TaskDone && resp.StatusCode >= http.StatusBadRequest {
		result.Outcome = hosting.TaskFailed
	}
	return result, nil
}

func unanswered(ctx context.Context, err error) Result {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return Result{Outcome: hosting.TaskTooLong}
	}
	return Result{Outcome: hosting.TaskFailed, Output: strings.ReplaceAll(err.Error(), "\n", " ")}
}

// script runs a PHP script of the home in the site's sandbox: its uid, its
// control group, its settings of PHP.
func (r Runner) script(ctx context.Context, site hosting.Site, file string) (Result, error) {
	spec, err := phpfpm.Script(r.Layout, r.Web, site, file)
	if err != nil {
		return Result{}, err
	}
	if groups, err := sandbox.LoadGroups(r.Layout.Groups()); err == nil {
		if spec.Groups, err = groups.Of(phpfpm.Name(site.ID), spec.Limits); err != nil {
			return Result{}, fmt.Errorf("tasks: %w", err)
		}
		before := groups.Starved(phpfpm.Name(site.ID))
		defer func() {
			if groups.Starved(phpfpm.Name(site.ID)) > before {
				_ = sandbox.NoteStarved(r.Layout.Starved(), phpfpm.Name(site.ID)) // the run itself tells that it failed
			}
			groups.Drop(phpfpm.Name(site.ID)) // stays while the site's PHP is in it
		}()
	}
	// The program's death signal is the end of the thread that started it: with
	// us it dies, however we end.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	out := &lastLines{}
	cmd := sandbox.Command(spec, nil)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return Result{}, fmt.Errorf("tasks: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait() // ProcessState says it
	stop()
	result := Result{Outcome: hosting.TaskDone, Status: cmd.ProcessState.ExitCode(), Output: out.text()}
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		result.Outcome = hosting.TaskTooLong
	case ctx.Err() != nil:
		return Result{}, ctx.Err()
	case result.Status != 0:
		result.Outcome = hosting.TaskFailed
	}
	return result, nil
}

// lastLines keeps the end of what is written to it.
type lastLines struct {
	kept []byte
	cut  bool
}

func (l *lastLines) Write(p []byte) (int, error) {
	l.kept = append(l.kept, p...)
	if len(l.kept) > 2*tail {
		l.kept, l.cut = append([]byte(nil), l.kept[len(l.kept)-tail:]...), true
	}
	return len(p), nil
}

// text is what is kept, as lines that can be shown.
func (l *lastLines) text() string {
	kept := l.kept
	if len(kept) > tail {
		kept, l.cut = kept[len(kept)-tail:], true
	}
	text := strings.Map(func(c rune) rune {
		if c != '\n' && c != '\t' && (unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c)) {
			return -1
		}
		return c
	}, strings.ToValidUTF8(string(kept), "\uFFFD"))
	if l.cut {
		text = "…" + text
	}
	return strings.TrimSpace(text)
}
