package sandbox

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

func execveat(fd int, path *byte, argv, env []*byte) error {
	_, _, e := unix.RawSyscall6(unix.SYS_EXECVEAT, uintptr(fd), uintptr(unsafe.Pointer(path)),
		uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&env[0])), unix.AT_EMPTY_PATH, 0)
	return e
}
