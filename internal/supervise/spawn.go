package supervise

import (
	"fmt"
	"os/exec"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// spawner starts every process from one thread that never ends. A child's death
// signal comes when the *thread* that started it ends (PR_SET_PDEATHSIG(2const)),
// and the runtime ends threads as it pleases.
type spawner struct{ work chan func() }

func newSpawner() *spawner {
	s := &spawner{work: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for f := range s.work {
			f()
		}
	}()
	return s
}

func (s *spawner) start(cmd *exec.Cmd) error {
	result := make(chan error)
	s.work <- func() { result <- cmd.Start() }
	return <-result
}

// waitid returns when a child has ended, and leaves it to be reaped: until then
// its pid is nobody else's.
func waitid(pid int) (unix.Siginfo, error) {
	var info unix.Siginfo
	for {
		_, _, e := unix.Syscall6(unix.SYS_WAITID, unix.P_PID, uintptr(pid), uintptr(unsafe.Pointer(&info)), unix.WEXITED|unix.WNOWAIT, 0, 0)
		switch e {
		case 0:
			return info, nil
		case unix.EINTR:
		default:
			return info, fmt.Errorf("waitid: %w", e)
		}
	}
}

// raiseFileLimit lets this process hold a socket for each site. Children get
// the limits that they are given, not this one.
func raiseFileLimit() error {
	const enough = 1 << 18 // two hundred thousand sleeping sites
	limit := unix.Rlimit{Cur: enough, Max: enough}
	var have unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &have); err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	if have.Cur >= enough {
		return nil
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err == nil {
		return nil
	}
	// fs.nr_open is lower, or the machine does not let us: take what there is.
	limit = unix.Rlimit{Cur: have.Max, Max: have.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	return nil
}
