package jail

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// identity is who the kernel takes a thread for when it opens, makes, renames
// or removes files: its file system uid and gid, credentials(7).
type identity struct{ uid, gid uint32 }

// daemon is who the process is whenever it does not act for a site.
var daemon = identity{uint32(os.Geteuid()), uint32(os.Getegid())}

// errStuck says that a thread could not be given back its identity.
var errStuck = errors.New("jail: thread cannot return to the daemon's identity")

// do runs fn as id. With a file system uid other than 0 the kernel takes away
// every capability that would bypass a permission, setfsuid(2), so that it is
// the site's own rights that decide.
//
// fn must not start goroutines nor hold the identity for long: no network.
//
// When the identity cannot be given back, the goroutine stays locked to its
// thread, which therefore serves nobody else and dies with the goroutine;
// meanwhile it has the rights of the site that the goroutine worked for.
func (id identity) do(fn func() error) (err error) {
	runtime.LockOSThread()
	signal := deathSignal()
	defer func() {
		if back := daemon.become(); back != nil {
			err = errors.Join(err, errStuck, back)
			return
		}
		if signal != 0 {
			askDeathSignal(signal)
		}
		runtime.UnlockOSThread()
	}()
	if err := id.become(); err != nil {
		return err
	}
	return fn()
}

// pid is this process, and parent the one that started it.
var pid, parent = os.Getpid(), os.Getppid()

// deathSignal is the signal that the current thread gets when the parent dies,
// 0 for none. A supervisor asks for it on the main thread and counts on it, but
// the kernel forgets it with each change of identity, prctl(2).
func deathSignal() (signal int32) {
	if unix.Gettid() == pid {
		_, _, _ = unix.RawSyscall(unix.SYS_PRCTL, unix.PR_GET_PDEATHSIG, uintptr(unsafe.Pointer(&signal)), 0)
	}
	return signal
}

// askDeathSignal asks for it again.
func askDeathSignal(signal int32) {
	_, _, _ = unix.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(signal), 0)
	if os.Getppid() != parent { // it died in between
		_ = unix.Kill(unix.Getpid(), unix.Signal(signal))
	}
}

// become changes the identity of the current thread and makes sure of it: both
// calls return the former value and no error.
func (id identity) become() error {
	const ask = ^uintptr(0) // an invalid id changes nothing
	_, _, _ = unix.RawSyscall(unix.SYS_SETFSGID, uintptr(id.gid), 0, 0)
	_, _, _ = unix.RawSyscall(unix.SYS_SETFSUID, uintptr(id.uid), 0, 0)
	gid, _, _ := unix.RawSyscall(unix.SYS_SETFSGID, ask, 0, 0)
	uid, _, _ := unix.RawSyscall(unix.SYS_SETFSUID, ask, 0, 0)
	if uint32(uid) != id.uid || uint32(gid) != id.gid {
		return fmt.Errorf("jail: identity %d:%d refused, have %d:%d: %w", id.uid, id.gid, uint32(uid), uint32(gid), syscall.EPERM)
	}
	return nil
}

// Prepare readies the whole process to act for sites: no supplementary groups,
// which would go along into every jail, and a umask that leaves files readable
// by Apache.
func Prepare() error {
	unix.Umask(0o022)
	if err := syscall.Setgroups(nil); err != nil {
		return fmt.Errorf("jail: supplementary groups: %w", err)
	}
	return nil
}

// kept are the capabilities that a daemon needs to act for sites. All others
// are a danger; CAP_SYS_RESOURCE, for one, lets writes pass the disk quota.
const kept = 1<<unix.CAP_SETUID | 1<<unix.CAP_SETGID

// DropCapabilities leaves the whole process nothing but the right to change
// identities. What needs more, such as a configuration that only root may read
// in somebody else's directory, must come before. It is for good.
//
// In a program that is linked with C the runtime cannot reach every thread;
// the error is then errors.ErrUnsupported and nothing has changed.
func DropCapabilities() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	data[0].Effective, data[0].Permitted = kept, kept
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET,
		uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data[0])), 0)
	runtime.KeepAlive(&header)
	runtime.KeepAlive(&data)
	if errno != 0 {
		return fmt.Errorf("jail: capabilities: %w", errno)
	}
	return nil
}
