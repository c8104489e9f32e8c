package sandbox

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Calls that no site needs and that reach far into the kernel: each of them has
// been the way in of a published attack.
var refused = []uint32{
	unix.SYS_SETNS, unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT,
	unix.SYS_FSOPEN, unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_MOVE_MOUNT, unix.SYS_OPEN_TREE, unix.SYS_MOUNT_SETATTR,
	// Nobody connects to a site but by Apache: a port or a socket of its own could
	// stand where a service of the machine is expected, or keep Apache waiting.
	unix.SYS_LISTEN,
	unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD,
	unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY,
	unix.SYS_KEXEC_LOAD, unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE,
	unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_QUOTACTL, unix.SYS_ACCT, unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_REBOOT,
}

// Calls for which programs have another way when the kernel says that it does
// not know them.
var unknown = []uint32{
	unix.SYS_CLONE3, // its flags are in memory, where a filter cannot look; libc then uses clone
	unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
}

// namespaces are the flags of clone(2) that make one.
const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

// Where struct seccomp_data (seccomp(2)) holds what is looked at. Arguments are
// 64 bits wide; the lower half, first on the machines below, is what counts.
const (
	offsetNumber = 0
	offsetArch   = 4
	offsetArg0   = 16
	offsetArg1   = 24
)

// x32 is the bit of the calls of amd64's second calling convention, by which a
// filter on numbers would be walked around.
const x32 = 0x40000000

// filterSystemCalls refuses calls for the rest of this process's life and for
// all that it starts.
func filterSystemCalls() error {
	program, err := filter()
	if err != nil {
		return err
	}
	fprog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&fprog)), 0, 0)
}

// filter is the program: everything is allowed but what it names.
func filter() ([]unix.SockFilter, error) {
	var arch uint32
	switch runtime.GOARCH {
	case "amd64":
		arch = unix.AUDIT_ARCH_X86_64
	case "arm64":
		arch = unix.AUDIT_ARCH_AARCH64
	default:
		return nil, fmt.Errorf("not known for %s", runtime.GOARCH)
	}
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	jump := func(test uint16, k uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | test, K: k, Jt: yes, Jf: no}
	}
	answer := func(k uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: k} }
	fail := func(e unix.Errno) unix.SockFilter { return answer(unix.SECCOMP_RET_ERRNO | uint32(e)) }
	allow := answer(unix.SECCOMP_RET_ALLOW)

	p := []unix.SockFilter{
		load(offsetArch), jump(unix.BPF_JEQ, arch, 1, 0), answer(unix.SECCOMP_RET_KILL_PROCESS),
		load(offsetNumber), jump(unix.BPF_JGE, x32, 0, 1), fail(unix.ENOSYS),
		// No namespace can be made: not by clone,
		jump(unix.BPF_JEQ, unix.SYS_CLONE, 0, 4), load(offsetArg0), jump(unix.BPF_JSET, namespaces, 0, 1), fail(unix.EPERM), allow,
		// nor by unshare.
		jump(unix.BPF_JEQ, unix.SYS_UNSHARE, 0, 4), load(offsetArg0), jump(unix.BPF_JSET, namespaces|unix.CLONE_NEWTIME, 0, 1), fail(unix.EPERM), allow,
		// Sockets speak with the machine and the Internet, not with the kernel.
		jump(unix.BPF_JEQ, unix.SYS_SOCKET, 0, 6), load(offsetArg0),
		jump(unix.BPF_JEQ, unix.AF_UNIX, 2, 0), jump(unix.BPF_JEQ, unix.AF_INET, 1, 0), jump(unix.BPF_JEQ, unix.AF_INET6, 0, 1), allow, fail(unix.EAFNOSUPPORT),
		// Nothing is typed into the terminal of whoever called `enter`.
		jump(unix.BPF_JEQ, unix.SYS_IOCTL, 0, 5), load(offsetArg1),
		jump(unix.BPF_JEQ, unix.TIOCSTI, 1, 0), jump(unix.BPF_JEQ, tioclinux, 0, 1), fail(unix.EPERM), allow,
	}
	for _, nr := range refused {
		p = append(p, jump(unix.BPF_JEQ, nr, 0, 1), fail(unix.EPERM))
	}
	for _, nr := range unknown {
		p = append(p, jump(unix.BPF_JEQ, nr, 0, 1), fail(unix.ENOSYS))
	}
	return append(p, allow), nil
}

// tioclinux is TIOCLINUX of ioctl_console(2), which can paste as well.
const tioclinux = 0x541c
