package disk

import (
	"context"
	"errors"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Measured is what a tree takes.
type Measured struct {
	Bytes   int64
	Entries int64 // files and folders
}

// Pace keeps measuring from being felt: after each Work of work it rests Rest.
type Pace struct {
	Work, Rest time.Duration
}

// Slow is the pace of the agent: a fifth of the time of one disk.
var Slow = Pace{Work: 20 * time.Millisecond, Rest: 80 * time.Millisecond}

// maxDepth bounds the descriptors that are held; what lies deeper is not
// counted, and can be reached by hardly anything.
const maxDepth = 200

// Measure counts what lies beneath an open directory. It follows no link and
// leaves no file system, whatever is changed meanwhile; what it may not read
// counts as nothing. A file with several names counts once for each.
func Measure(ctx context.Context, dir *os.File, pace Pace) (Measured, error) {
	var top unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &top); err != nil {
		return Measured{}, os.NewSyscallError("fstat", err)
	}
	w := walk{ctx: ctx, pace: pace, device: top.Dev, since: time.Now()}
	w.count(&top)
	err := w.directory(dir, 0)
	return w.sum, err
}

type walk struct {
	ctx    context.Context //nolint:containedctx // of one call of Measure
	pace   Pace
	device uint64
	since  time.Time
	sum    Measured
}

func (w *walk) count(st *unix.Stat_t) {
	w.sum.Entries++
	w.sum.Bytes += max(st.Blocks*512, sector)
}

// atOnce is how many names are read at a time.
const atOnce = 1024

func (w *walk) directory(dir *os.File, depth int) error {
	for {
		names, err := dir.Readdirnames(atOnce)
		for _, name := range names {
			if err := w.rest(); err != nil {
				return err
			}
			if err := w.entry(dir, name, depth); err != nil {
				return err
			}
		}
		if err != nil || len(names) == 0 { // the end, or unreadable
			return nil //nolint:nilerr // what cannot be read counts as nothing
		}
	}
}

func (w *walk) entry(dir *os.File, name string, depth int) error {
	var st unix.Stat_t
	if err := unix.Fstatat(int(dir.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return nil
	}
	w.count(&st)
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || st.Dev != w.device || depth >= maxDepth {
		return nil
	}
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOATIME, 0)
	if errors.Is(err, unix.EPERM) { // O_NOATIME is for owners and for root
		fd, err = unix.Openat(int(dir.Fd()), name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	}
	if err != nil {
		return nil
	}
	sub := os.NewFile(uintptr(fd), name)
	defer sub.Close()
	return w.directory(sub, depth+1)
}

// rest waits when it is time to.
func (w *walk) rest() error {
	if w.pace.Work == 0 || time.Since(w.since) < w.pace.Work {
		return w.ctx.Err()
	}
	select {
	case <-w.ctx.Done():
		return w.ctx.Err()
	case <-time.After(w.pace.Rest):
	}
	w.since = time.Now()
	return nil
}

// Idle runs do on a thread of its own whose reading and writing comes after
// everybody else's, ioprio_set(2), where the disk's scheduler knows of that.
func Idle(do func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		const process, idleClass = 1, 3 << 13
		_, _, _ = unix.RawSyscall(unix.SYS_IOPRIO_SET, process, 0, idleClass)
		do()
	}()
	<-done
}
