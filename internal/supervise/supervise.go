// Package supervise keeps the processes of a private installation: it gives the
// installation its own view of the file system, starts daemons in order,
// restarts those that die, stops them in order, and starts each site's PHP when
// somebody asks for it. Clients ask it through a socket that only root reaches.
//
// It knows processes and sockets, not hosting: it never looks into the database
// and never writes the configuration of what serves sites.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"

	"cancale/internal/config"
	"cancale/internal/sandbox"
)

// Service is one daemon. It stays in the foreground.
type Service struct {
	Name string
	Path string
	Args []string // without the program's name
	Env  []string // all of it; CANCALE_INSTANCE is added
	// UID is the user and the group that it runs as; 0 is root.
	UID   uint32
	Files []*os.File // its descriptors from 3 on
	Log   string     // file that takes its output

	// Before runs before each start; an error counts as a failed start.
	Before func(ctx context.Context) error
	// Probe is nil when the daemon with that pid answers as it should.
	Probe func(ctx context.Context, pid int) error

	// Wedged is how long it may give its probe no answer, once it runs, before
	// it is ended and started again; zero for ever.
	Wedged time.Duration

	// Grace is how long it may take to end after SIGTERM.
	Grace time.Duration
}

// States of a service.
const (
	Starting = "starting"
	Running  = "running"
	Failed   = "failed" // it died; it is started again after a while
	Stopped  = "stopped"
)

const (
	startLimit   = 60 * time.Second // until a started daemon answers its probe
	probeEvery   = 10 * time.Millisecond
	firstDelay   = 200 * time.Millisecond // before a daemon is started again
	longestDelay = 30 * time.Second
	steady       = 30 * time.Second       // a daemon that lived so long starts again with the first delay
	groupLimit   = 500 * time.Millisecond // for a dead daemon's own children to end
	trimEvery    = time.Minute
	firstTries   = 5 // starts of a service that has never run, until Start gives up
)

// Config is what a supervisor is made of.
type Config struct {
	Layout   config.Layout
	Instance string // tells this installation's processes from all others
	// Idle is how long a site's PHP may have nothing to do before it is put to
	// sleep.
	Idle time.Duration
	// Changed is told of each change of a service's state. It must not block
	// for long.
	Changed func()
	Log     *slog.Logger
	// Groups bound what the programs of each site may use together; nil when the
	// machine has none.
	Groups *sandbox.Groups
}

// Supervisor keeps services and activated programs until Stop.
type Supervisor struct {
	cfg      Config
	spawner  *spawner
	activity *activator
	control  *control
	over     chan struct{} // closed by Stop
	done     sync.WaitGroup

	mu        sync.Mutex
	processes []*process // in the order of their start
}

// New starts a supervisor that has no services yet. The programs that the
// installation activated before are armed again, and the control socket
// answers.
func New(cfg Config) (*Supervisor, error) {
	if err := raiseFileLimit(); err != nil {
		return nil, err
	}
	s := &Supervisor{cfg: cfg, spawner: newSpawner(), over: make(chan struct{})}
	var err error
	if s.activity, err = newActivator(cfg, s.spawner); err != nil {
		return nil, fmt.Errorf("supervise: %w", err)
	}
	if s.control, err = newControl(s); err != nil {
		s.activity.close()
		return nil, fmt.Errorf("supervise: %w", err)
	}
	s.done.Go(s.trimLogs)
	return s, nil
}

// trimLogs keeps the logs of services that run for long from growing without
// end.
func (s *Supervisor) trimLogs() {
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.over:
			return
		case <-tick.C:
		}
		s.mu.Lock()
		processes := slices.Clone(s.processes)
		s.mu.Unlock()
		for _, p := range processes {
			if err := trimLog(p.Log); err != nil {
				s.cfg.Log.Warn("log is not trimmed", slog.String("service", p.Name), slog.Any("cause", err))
			}
		}
	}
}

// Start starts services, all at the same time, and returns when each answers
// its probe; from then on they are kept until Stop. A service that never comes
// up is an error.
func (s *Supervisor) Start(ctx context.Context, services ...Service) error {
	started := make([]*process, len(services))
	for i, svc := range services {
		p := &process{Service: svc, s: s, state: Stopped, ready: make(chan struct{}), done: make(chan struct{})}
		var run context.Context
		run, p.cancel = context.WithCancel(context.WithoutCancel(ctx))
		s.mu.Lock()
		s.processes = append(s.processes, p)
		s.mu.Unlock()
		go p.run(run)
		started[i] = p
	}
	for _, p := range started {
		select {
		case <-p.ready:
		case <-p.done:
			return fmt.Errorf("%s does not start: %w", p.Name, p.lastError())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Stop ends everything and returns when it is gone; it is called once. The
// services of intake end first, all at the same time: they take requests in, so
// that the rest can finish. Then the activated programs end, then the other
// services, the last started first.
func (s *Supervisor) Stop(intake ...string) {
	close(s.over)
	s.control.close()
	s.mu.Lock()
	processes := slices.Clone(s.processes)
	s.mu.Unlock()
	var first sync.WaitGroup
	for _, p := range processes {
		if slices.Contains(intake, p.Name) {
			first.Go(p.stop)
		}
	}
	first.Wait()
	s.activity.close()
	slices.Reverse(processes)
	for _, p := range processes {
		p.stop() // ended already when it was of the first
	}
	s.done.Wait()
}

// Armed returns when the programs of the run before are armed again.
func (s *Supervisor) Armed(ctx context.Context) error {
	select {
	case <-s.activity.restored:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Services are the services and their states, in the order of their start.
func (s *Supervisor) Services() []config.Service {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]config.Service, len(s.processes))
	for i, p := range s.processes {
		list[i] = p.status()
	}
	return list
}

// Reload makes a running service read its configuration anew; the only one that
// can is Apache. While it is starting there is nothing to send: a signal that
// comes before its handler would end it.
func (s *Supervisor) reload(ctx context.Context, name string) error {
	if name != "apache" {
		return fmt.Errorf("%s cannot be reloaded", name)
	}
	s.mu.Lock()
	i := slices.IndexFunc(s.processes, func(p *process) bool { return p.Name == name })
	s.mu.Unlock()
	if i < 0 {
		return fmt.Errorf("%s is not known", name)
	}
	return s.processes[i].signal(ctx, syscall.SIGUSR1)
}

// process is a service and the process that is it at the moment.
type process struct {
	Service
	s      *Supervisor
	cancel context.CancelFunc
	ready  chan struct{} // closed when it first answered
	done   chan struct{} // closed when it will not be started again

	mu      sync.Mutex
	state   string
	pid     int
	err     error
	since   time.Time // when it began to run
	everRan bool
}

func (p *process) status() config.Service {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := config.Service{Name: p.Name, State: p.state, PID: p.pid}
	if p.state == Running {
		s.Since = p.since
	}
	return s
}

func (p *process) lastError() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

func (p *process) set(state string, pid int, err error) {
	p.mu.Lock()
	if state == Running && p.pid != pid { // it has just ended
		p.mu.Unlock()
		return
	}
	if state == Running && p.state != Running {
		p.since = time.Now().UTC().Round(0) // as it is told, so that it can be compared
	}
	p.state, p.pid = state, pid
	if err != nil {
		p.err = err
	}
	if state == Running && !p.everRan {
		p.everRan = true
		close(p.ready)
	}
	p.mu.Unlock()
	p.s.cfg.Changed()
}

// signal sends sig when the service runs, and waits for that when it is only
// starting.
func (p *process) signal(ctx context.Context, sig syscall.Signal) error {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		p.mu.Lock()
		state := p.state
		var err error
		if state == Running {
			err = syscall.Kill(p.pid, sig) // under the lock: the pid is not reaped and given away meanwhile
		}
		p.mu.Unlock()
		switch state {
		case Running:
			return err
		case Stopped:
			return fmt.Errorf("%s is stopped", p.Name)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is %s: %w", p.Name, state, ctx.Err())
		case <-tick.C:
		}
	}
}

// run keeps the service until ctx ends.
func (p *process) run(ctx context.Context) {
	defer close(p.done)
	log := p.s.cfg.Log.With(slog.String("service", p.Name))
	delay := firstDelay
	for failures := 0; ; {
		began := time.Now()
		err := p.once(ctx)
		if ctx.Err() != nil {
			p.set(Stopped, 0, nil)
			return
		}
		if time.Since(began) > steady {
			delay = firstDelay
		}
		failures++
		p.mu.Lock()
		ran := p.everRan
		p.mu.Unlock()
		if !ran && failures == firstTries {
			p.set(Failed, 0, err)
			return
		}
		p.set(Failed, 0, err)
		log.ErrorContext(ctx, "service ended", slog.Any("cause", err), slog.Duration("restart_in", delay))
		select {
		case <-ctx.Done():
			p.set(Stopped, 0, nil)
			return
		case <-time.After(delay):
		}
		delay = min(2*delay, longestDelay)
	}
}

// once starts the service and returns when its process has ended, which it does
// when ctx ends.
func (p *process) once(ctx context.Context) error {
	p.set(Starting, 0, nil)
	if p.Before != nil {
		if err := p.Before(ctx); err != nil {
			return err
		}
	}
	log, err := openLog(p.Log)
	if err != nil {
		return err
	}
	defer log.Close()
	written, err := log.Seek(0, 2)
	if err != nil {
		return err
	}
	cmd := p.command(log)
	if err := p.s.spawner.start(cmd); err != nil {
		return err
	}
	pid := cmd.Process.Pid
	exited := make(chan struct{})
	go func() {
		// The pid must not be signalled once it can be another's.
		_, _ = waitid(pid)
		p.mu.Lock()
		defer p.mu.Unlock()
		_ = cmd.Wait() // ProcessState says it
		p.state, p.pid = Failed, 0
		close(exited)
	}()
	p.set(Starting, pid, nil)
	err = p.awaitAnswer(ctx, pid, exited)
	if err == nil {
		p.set(Running, pid, nil)
		err = p.attend(ctx, pid, exited)
	}
	p.end(cmd.Process, exited)
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		return withLastLine(err, log, written)
	default:
		return withLastLine(errors.New(cmd.ProcessState.String()), log, written)
	}
}

// looks is how often, within the time that it has, a running service is asked
// whether it still answers.
const looks = 8

// attend returns when a running service has ended, is to end, or has given no
// answer for too long.
func (p *process) attend(ctx context.Context, pid int, exited <-chan struct{}) error {
	if p.Wedged == 0 || p.Probe == nil {
		select {
		case <-exited:
		case <-ctx.Done():
		}
		return nil
	}
	tick := time.NewTicker(p.Wedged / looks)
	defer tick.Stop()
	for answered := time.Now(); ; {
		select {
		case <-exited:
			return nil
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		probe, cancel := context.WithTimeout(ctx, p.Wedged/looks)
		err := p.Probe(probe, pid)
		cancel()
		if err == nil {
			answered = time.Now()
		} else if time.Since(answered) > p.Wedged {
			return fmt.Errorf("no answer for %v: %w", p.Wedged, err)
		}
	}
}

func (p *process) command(log *os.File) *exec.Cmd {
	cmd := exec.Command(p.Path, p.Args...)
	cmd.Env = append(slices.Clone(p.Env), instanceVar+"="+p.s.cfg.Instance)
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = p.Files
	// A group of its own: Ctrl-C is for the supervisor, which knows the order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if p.UID != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: p.UID, Gid: p.UID}
	}
	return cmd
}

// awaitAnswer returns when the probe succeeds; an error says why it never will.
func (p *process) awaitAnswer(ctx context.Context, pid int, exited <-chan struct{}) error {
	if p.Probe == nil {
		return nil
	}
	limit := time.NewTimer(startLimit)
	defer limit.Stop()
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		probe, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := p.Probe(probe, pid)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-exited:
			return errors.New("it ended before it answered")
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.C:
			return fmt.Errorf("no answer within %v: %w", startLimit, err)
		case <-tick.C:
		}
	}
}

// end makes sure that the process and what it started are gone.
func (p *process) end(proc *os.Process, exited <-chan struct{}) {
	select {
	case <-exited:
	default:
		_ = proc.Signal(syscall.SIGTERM) // it may have ended just now
		select {
		case <-exited:
		case <-time.After(p.Grace):
			p.s.cfg.Log.Warn("service does not stop, killing it", slog.String("service", p.Name))
			_ = proc.Kill()
			<-exited
		}
	}
	// Its children finish by themselves when it ends in order (log writers
	// empty their pipe); those of a killed daemon would keep its ports.
	if !groupEnds(proc.Pid) {
		_ = syscall.Kill(-proc.Pid, syscall.SIGKILL)
		groupEnds(proc.Pid)
	}
}

// groupEnds waits a moment for the last process of a group.
func groupEnds(pgid int) bool {
	for deadline := time.Now().Add(groupLimit); syscall.Kill(-pgid, 0) == nil; <-time.After(probeEvery) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

func (p *process) stop() {
	p.cancel()
	<-p.done
}
