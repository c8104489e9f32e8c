package supervise

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"cancale/internal/host"
	"cancale/internal/sandbox"
)

const (
	// A program that ends by itself so soon after its start is broken: while it
	// waits for its next start, callers are turned away.
	brokenWithin       = 10 * time.Second
	firstBrokenDelay   = 250 * time.Millisecond
	longestBrokenDelay = 30 * time.Second

	drainLimit = 10 * time.Second        // for requests under way when a program is replaced
	quickDrain = time.Second             // how long whoever replaces it waits to see it gone
	finalDrain = 1500 * time.Millisecond // for requests under way when everything stops

	longestIdleCheck = 5 * time.Second
	stopLimit        = 20 * time.Millisecond // for SIGSTOP to take effect
)

// activator holds the listening sockets of sleeping programs, all of them in
// one epoll set that one goroutine reads. A program that runs accepts by itself
// on the same socket, which is then out of the set.
type activator struct {
	cfg     Config
	spawner *spawner
	records string // directory: what was activated survives the supervisor

	epoll int
	wake  int // eventfd that ends the watching goroutine
	stop  chan struct{}
	done  sync.WaitGroup
	// restored is closed when what an earlier supervisor had is armed again.
	restored chan struct{}

	mu     sync.Mutex
	byName map[string]*activated
	byID   map[int32]*activated // epoll's events carry the id: descriptors are used again
	lastID int32
	awake  map[*activated]struct{} // those with a run
	closed bool
}

// activated is one socket and, while it is awake, its program.
type activated struct {
	host.Activation
	id    int32
	fd    int    // listens
	file  fileID // the socket's name in the file system
	inode uint32 // of the socket itself, by which the kernel tells its queue

	run      *run // nil while it sleeps
	starved  int  // how many processes of its group the kernel has ended for want of memory
	failures int
	notUntil time.Time // no start before: it is broken
}

// run is one process of a program. Its fields but over are the activator's
// lock's.
type run struct {
	cmd    *exec.Cmd
	hash   string
	began  time.Time
	idle   time.Time     // since when it has been seen without children
	wanted bool          // its end is our doing
	over   chan struct{} // closed when it has ended
}

// fileID tells a file from another that later has the same name.
type fileID struct{ device, inode uint64 }

// validName keeps names usable as file names.
var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

func newActivator(cfg Config, sp *spawner) (*activator, error) {
	a := &activator{
		cfg: cfg, spawner: sp, records: cfg.Layout.In("run", "activated"), stop: make(chan struct{}), restored: make(chan struct{}),
		byName: map[string]*activated{}, byID: map[int32]*activated{}, awake: map[*activated]struct{}{},
	}
	var err error
	if a.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	if a.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	if err := unix.EpollCtl(a.epoll, unix.EPOLL_CTL_ADD, a.wake, &unix.EpollEvent{Events: unix.EPOLLIN}); err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	if err := os.MkdirAll(a.records, 0o700); err != nil { // the records hold the secret tokens
		return nil, err
	}
	entries, err := os.ReadDir(a.records)
	if err != nil {
		return nil, err
	}
	a.done.Go(func() { a.restore(entries) })
	a.done.Go(a.watch)
	a.done.Go(a.putToSleep)
	a.done.Go(a.watchCrowds)
	return a, nil
}

// restore arms what an earlier supervisor had, so that sites answer before the
// agent has looked at each of them.
func (a *activator) restore(entries []fs.DirEntry) {
	defer close(a.restored)
	for _, e := range entries {
		if err := a.restoreOne(filepath.Join(a.records, e.Name())); err != nil {
			// The agent asks again for what should be.
			a.cfg.Log.Warn("not armed again", slog.String("record", e.Name()), slog.Any("cause", err))
			_ = os.RemoveAll(filepath.Join(a.records, e.Name()))
		}
	}
}

func (a *activator) restoreOne(path string) error {
	if !strings.HasSuffix(path, ".json") {
		return errors.New("half-written")
	}
	data, err := readRecord(path)
	if err != nil {
		return err
	}
	var act host.Activation
	if err := json.Unmarshal(data, &act); err != nil {
		return err
	}
	if err := checkActivation(act); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil
	}
	return a.add(act)
}

// recordLimit is more than any record has, in bytes.
const recordLimit = 16 << 10

// readRecord reads a file that may have become anything; it never waits for it.
func readRecord(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() > recordLimit {
		return nil, errors.Join(err, errors.New("not a record"))
	}
	return io.ReadAll(io.LimitReader(f, recordLimit))
}

func checkActivation(act host.Activation) error {
	if !validName.MatchString(act.Name) || filepath.Dir(act.Socket) != filepath.Clean(act.SocketDir) {
		return fmt.Errorf("activation %q: not a name, or the socket is not in its directory", act.Name)
	}
	return nil
}

// ensure makes the socket of act listen. A program that runs with other
// contents than act's hash is replaced; requests under way may finish.
func (a *activator) ensure(act host.Activation) error {
	if err := checkActivation(act); err != nil {
		return err
	}
	replaced, err := a.update(act)
	if err != nil {
		return fmt.Errorf("activation %s: %w", act.Name, err)
	}
	if replaced != nil {
		a.drain(replaced, drainLimit)
		select {
		case <-replaced.over:
		case <-time.After(quickDrain): // it finishes its requests; new ones go to the next
		}
	}
	return nil
}

// update is ensure without waiting; it gives the process that is to be drained.
func (a *activator) update(act host.Activation) (*run, error) {
	<-a.restored
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil, errors.New("the supervisor is stopping")
	}
	x := a.byName[act.Name]
	if x == nil || x.Socket != act.Socket || identify(x.Socket) != x.file {
		if x != nil {
			a.forget(x)
		}
		if err := a.add(act); err != nil {
			return nil, err
		}
		return nil, a.record(act)
	}
	if x.Activation == act {
		return nil, nil
	}
	x.Activation = act
	x.failures, x.notUntil = 0, time.Time{}
	if err := a.record(act); err != nil {
		return nil, err
	}
	r := x.run
	if r == nil || r.hash == act.Hash {
		return nil, nil
	}
	r.wanted = true
	x.run = nil
	delete(a.awake, x)
	return r, a.arm(x)
}

// add opens and arms a socket. The lock is held.
func (a *activator) add(act host.Activation) error {
	fd, file, err := listen(act)
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		_ = unix.Close(fd)
		return err
	}
	a.lastID++
	x := &activated{Activation: act, id: a.lastID, fd: fd, file: file, inode: uint32(st.Ino)}
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT, Fd: x.id}
	if err := unix.EpollCtl(a.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		_ = unix.Close(fd)
		return fmt.Errorf("epoll: %w", err)
	}
	a.byName[act.Name], a.byID[x.id] = x, x
	return nil
}

// arm waits for the next connection.
func (a *activator) arm(x *activated) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT, Fd: x.id}
	return unix.EpollCtl(a.epoll, unix.EPOLL_CTL_MOD, x.fd, &event)
}

// forget closes a socket and kills its program. The lock is held.
func (a *activator) forget(x *activated) {
	delete(a.byName, x.Name)
	delete(a.byID, x.id)
	_ = unix.EpollCtl(a.epoll, unix.EPOLL_CTL_DEL, x.fd, nil)
	_ = unix.Close(x.fd)
	if identify(x.Socket) == x.file {
		_ = os.Remove(x.Socket)
	}
	delete(a.awake, x)
	if x.run != nil {
		x.run.wanted = true
		_ = x.run.cmd.Process.Kill()
	}
}

func (a *activator) remove(name string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("activation %q: not a name", name)
	}
	<-a.restored
	a.mu.Lock()
	x := a.byName[name]
	if x != nil {
		a.forget(x)
	}
	err := os.Remove(a.recordFile(name))
	a.mu.Unlock()
	if x != nil && x.run != nil {
		<-x.run.over
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("activation %s: %w", name, err)
	}
	return nil
}

func (a *activator) recordFile(name string) string { return filepath.Join(a.records, name+".json") }

// record keeps act for the next supervisor.
func (a *activator) record(act host.Activation) error {
	data, err := json.Marshal(act)
	if err != nil {
		return err
	}
	return writeFile(a.recordFile(act.Name), data, 0o600, 0)
}

// watch starts the program of each socket that somebody connects to.
func (a *activator) watch() {
	events := make([]unix.EpollEvent, 64)
	for {
		n, err := unix.EpollWait(a.epoll, events, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			a.cfg.Log.Error("sleeping sites cannot be watched", slog.Any("cause", err))
			return
		}
		for _, e := range events[:max(n, 0)] {
			if e.Fd == 0 {
				return
			}
			a.called(e.Fd)
		}
	}
}

// called is somebody's connection to the socket with that id.
func (a *activator) called(id int32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	x := a.byID[id]
	if x == nil || x.run != nil || a.closed {
		return
	}
	if time.Now().Before(x.notUntil) {
		turnAway(x.fd, turnedAway)
	} else if err := a.start(x); err == nil {
		return
	} else {
		a.failed(x, err)
	}
	if err := a.arm(x); err != nil {
		a.cfg.Log.Error("socket cannot be watched", slog.String("program", x.Name), slog.Any("cause", err))
	}
}

// start runs the program, which takes over the socket.
func (a *activator) start(x *activated) error {
	spec, err := sandbox.ReadSpec(x.Spec)
	if err != nil {
		return err
	}
	fd, err := unix.FcntlInt(uintptr(x.fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return err
	}
	socket := os.NewFile(uintptr(fd), x.Socket)
	defer socket.Close()
	if a.cfg.Groups != nil {
		if spec.Groups, err = a.cfg.Groups.Of(x.Name, spec.Limits); err != nil {
			return err
		}
	}
	file, err := openLog(a.cfg.Layout.In("log", "php", x.Name+".log"))
	if err != nil {
		return err
	}
	if info, err := file.Stat(); err == nil && info.Size() > maxProgramLog {
		_ = file.Truncate(0)
	}
	out := &programLog{file: file, left: maxProgramLog}
	cmd := sandbox.Command(spec, []*os.File{socket})
	cmd.Env = append(cmd.Env, instanceVar+"="+a.cfg.Instance)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = time.Second
	if err := a.spawner.start(cmd); err != nil {
		return errors.Join(err, file.Close())
	}
	a.awake[x] = struct{}{}
	x.run = &run{cmd: cmd, hash: x.Hash, began: time.Now(), over: make(chan struct{})}
	a.done.Add(1)
	go a.wait(x, x.run, out)
	return nil
}

// wait takes note of a program's end.
func (a *activator) wait(x *activated, r *run, out *programLog) {
	defer a.done.Done()
	_ = r.cmd.Wait() // ProcessState says it
	_ = out.file.Close()
	a.mu.Lock()
	defer a.mu.Unlock()
	close(r.over)
	current := x.run == r && a.byID[x.id] == x
	if current {
		x.run = nil
		delete(a.awake, x)
	}
	a.noteStarved(x)
	// Under the lock, so that nothing is just being started in it.
	if y := a.byName[x.Name]; a.cfg.Groups != nil && (y == nil || y.run == nil) {
		a.cfg.Groups.Drop(x.Name)
	}
	if !current {
		return // replaced or removed
	}
	switch {
	case r.wanted:
		x.failures = 0
	case time.Since(r.began) < brokenWithin:
		a.failed(x, addLine(errors.New(r.cmd.ProcessState.String()), out.tail))
	default:
		x.failures = 0
		a.cfg.Log.Warn("program ended", slog.String("program", x.Name), slog.String("cause", r.cmd.ProcessState.String()))
	}
	if a.closed {
		return
	}
	if err := a.arm(x); err != nil {
		a.cfg.Log.Error("socket cannot be watched", slog.String("program", x.Name), slog.Any("cause", err))
	}
}

// failed makes a broken program wait, each time longer.
func (a *activator) failed(x *activated, cause error) {
	x.failures++
	delay := min(firstBrokenDelay<<min(x.failures-1, 10), longestBrokenDelay)
	x.notUntil = time.Now().Add(delay)
	a.cfg.Log.Warn("program does not run", slog.String("program", x.Name), slog.Any("cause", cause), slog.Duration("not_before", delay))
}

// turnedAway is how many callers of a broken program are answered at a time.
const turnedAway = 128

// turnAway ends up to most of the connections that wait at a socket, the oldest
// first: their clients learn at once that nobody is there.
func turnAway(fd, most int) {
	for range most {
		ready := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if n, err := unix.Poll(ready, 0); n < 1 || err != nil {
			return
		}
		conn, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		_ = unix.Close(conn)
	}
}

// drain asks a program to finish what it is doing and kills it when it does not
// within limit. PHP-FPM takes no new connection after SIGQUIT.
func (a *activator) drain(r *run, limit time.Duration) {
	_ = r.cmd.Process.Signal(syscall.SIGQUIT) // it may just have ended
	a.done.Go(func() {
		select {
		case <-r.over:
		case <-time.After(limit):
			_ = r.cmd.Process.Kill()
		case <-a.stop:
			select {
			case <-r.over:
			case <-time.After(finalDrain):
				_ = r.cmd.Process.Kill()
			}
		}
	})
}

// putToSleep kills programs that have had nothing to do for a while. They are
// killed rather than asked because one that ends in order would remove the
// socket's file if it could see it, and has nothing to finish.
func (a *activator) putToSleep() {
	tick := time.NewTicker(min(max(a.cfg.Idle/4, probeEvery), longestIdleCheck))
	defer tick.Stop()
	for {
		select {
		case <-a.stop:
			return
		case <-tick.C:
		}
		a.mu.Lock()
		for x := range a.awake {
			a.noteStarved(x)
			if a.idle(x.run) {
				x.run.wanted = true
				_ = x.run.cmd.Process.Kill()
			}
		}
		a.mu.Unlock()
	}
}

// noteStarved tells the agent when processes of a program's group have been
// ended because the group had no more memory. The lock is held.
func (a *activator) noteStarved(x *activated) {
	if a.cfg.Groups == nil {
		return
	}
	before := x.starved
	if x.starved = a.cfg.Groups.Starved(x.Name); x.starved <= before {
		return // a group that is made anew begins at none
	}
	a.cfg.Log.Warn("out of memory", slog.String("program", x.Name), slog.Int("ended", x.starved-before))
	if err := sandbox.NoteStarved(a.cfg.Layout.Starved(), x.Name); err != nil {
		a.cfg.Log.Warn("nobody is told of it", slog.String("program", x.Name), slog.Any("cause", err))
	}
}

// idle reports whether a program has had no children for long enough, and is
// now stopped (SIGSTOP) without any.
func (a *activator) idle(r *run) bool {
	if r.wanted {
		return false
	}
	pid := r.cmd.Process.Pid
	if !childless(pid) {
		r.idle = time.Time{}
		return false
	}
	if r.idle.IsZero() {
		r.idle = time.Now()
	}
	if time.Since(r.idle) < a.cfg.Idle {
		return false
	}
	// Between a look and a kill it could start a child, and a request be lost:
	// look again while it cannot.
	if r.cmd.Process.Signal(syscall.SIGSTOP) != nil {
		return false
	}
	for limit := time.Now().Add(stopLimit); !stopped(pid) && time.Now().Before(limit); {
		<-time.After(time.Millisecond)
	}
	if stopped(pid) && childless(pid) {
		return true
	}
	_ = r.cmd.Process.Signal(syscall.SIGCONT)
	r.idle = time.Time{}
	return false
}

// childless reports whether a process has no children (proc_pid_task(5)); not
// when it cannot be told.
func childless(pid int) bool {
	p := strconv.Itoa(pid)
	list, err := os.ReadFile("/proc/" + p + "/task/" + p + "/children")
	return err == nil && len(list) == 0
}

// stopped reports whether a process is stopped by a signal.
func stopped(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')')+1:]), " ")
	return strings.HasPrefix(state, "T")
}

// close lets requests under way finish for a moment and ends all programs. The
// records stay.
func (a *activator) close() {
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		return
	}
	a.closed = true
	for _, x := range a.byName {
		if x.run != nil {
			x.run.wanted = true
			a.drain(x.run, finalDrain)
		}
	}
	a.mu.Unlock()
	close(a.stop)
	_, _ = unix.Write(a.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	a.done.Wait()
	for _, x := range a.byName {
		_ = unix.Close(x.fd)
	}
	_ = unix.Close(a.epoll)
	_ = unix.Close(a.wake)
}
