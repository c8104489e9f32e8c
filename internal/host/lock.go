package host

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lockPatience is how long the lock of another process is waited for.
const lockPatience = time.Second

// ErrLocked says that another process holds a lock.
var ErrLocked = errors.New("host: locked by another process")

// Lock takes an exclusive lock, flock(2), that lasts as long as the file is
// open. It waits a second: a program that the holder was about to start when it
// was killed holds the lock until it runs, some hundredths of a second.
func Lock(f *os.File) error {
	again := time.NewTicker(lockPatience / 100)
	defer again.Stop()
	for begun := time.Now(); ; <-again.C {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case !errors.Is(err, unix.EWOULDBLOCK):
			return os.NewSyscallError("flock", err)
		case time.Since(begun) > lockPatience:
			return ErrLocked
		}
	}
}
