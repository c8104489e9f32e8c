package supervise

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"cancale/internal/config"
)

// outsideVar tells the enclosed process where its data is for everybody else.
const outsideVar = "CANCALE_OUTSIDE"

// Executable is where the enclosed processes find the running program, also
// after its file was replaced by a newer one.
const Executable = "/srv/bin/cancale"

// Outside is the data directory as the rest of the machine sees it, when this
// process is enclosed.
func Outside() (string, bool) {
	dir := os.Getenv(outsideVar)
	return dir, dir != ""
}

// Enclose starts the running program anew, as the same process, where the
// directory data is seen at config.Mount and nothing else below /srv. It
// returns only when that fails.
func Enclose(data string) error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("own executable: %w", err)
	}
	if info, err := os.Stat(exe); err != nil {
		return fmt.Errorf("own executable: %w", err)
	} else if info.Mode().Perm()&0o005 != 0o005 {
		return fmt.Errorf("%s must be readable and executable by everybody, its mode is %v (chmod 755)", exe, info.Mode())
	}
	// Whoever starts us may keep his files to himself; daemons of other uids
	// have to reach theirs.
	unix.Umask(0o022)
	// Namespaces belong to a thread; the exec leaves this one only.
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("own view of the file system: %w", needsRoot(err))
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	// Opened here and now: both may be below /srv, and only what is opened in
	// this namespace can be mounted in it.
	dir, err := openPath(data)
	if err != nil {
		return err
	}
	program, err := openPath(exe)
	if err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", "/srv", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755,size=1M"); err != nil {
		return fmt.Errorf("/srv: %w", err)
	}
	if err := os.Mkdir(config.Mount, 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Dir(Executable), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(Executable, nil, 0o755); err != nil {
		return err
	}
	for target, fd := range map[string]int{config.Mount: dir, Executable: program} {
		if err := unix.Mount(fmt.Sprintf("/proc/self/fd/%d", fd), target, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("%s: %w", target, err)
		}
		attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV}
		if err := unix.MountSetattr(unix.AT_FDCWD, target, 0, &attr); err != nil {
			if errors.Is(err, unix.ENOSYS) {
				return errors.New("this kernel is too old: Linux 5.12 or newer is needed")
			}
			return fmt.Errorf("%s: %w", target, err)
		}
	}
	return fmt.Errorf("%s: %w", Executable, syscall.Exec(Executable, os.Args, append(cleanEnv(), outsideVar+"="+data)))
}

func openPath(path string) (int, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}

// needsRoot replaces the error that everybody but root gets.
func needsRoot(err error) error {
	if errors.Is(err, unix.EPERM) {
		return errors.New("only root may do this")
	}
	return err
}

func cleanEnv() []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, outsideVar+"=") && !strings.HasPrefix(e, instanceVar+"=") {
			env = append(env, e)
		}
	}
	return env
}
