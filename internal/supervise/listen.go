package supervise

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"cancale/internal/config"
	"cancale/internal/host"
)

const (
	socketMode = 0o660 // root and whoever serves it; the directory decides who gets here
	backlog    = 511
)

// listen makes the socket of an activation and puts it in the place of what
// has its name. It is bound by way of an open directory: /proc/net/unix shows
// everybody the name that was given to bind(2), and the directory's is secret.
func listen(act host.Activation) (int, fileID, error) {
	dir, err := unix.Open(act.SocketDir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, fileID{}, &fs.PathError{Op: "open", Path: act.SocketDir, Err: err}
	}
	defer func() { _ = unix.Close(dir) }()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fileID{}, fmt.Errorf("socket: %w", err)
	}
	file, err := place(dir, fd, filepath.Base(act.Socket), int(cmp.Or(act.Group, config.ApacheUID)))
	if err != nil {
		_ = unix.Close(fd)
		return 0, fileID{}, fmt.Errorf("%s: %w", act.Socket, err)
	}
	return fd, file, nil
}

// place binds fd to a name in dir, complete from its first moment.
func place(dir, fd int, name string, group int) (fileID, error) {
	temporary := host.TempPrefix + name
	if err := unix.Unlinkat(dir, temporary, 0); err != nil && err != unix.ENOENT {
		return fileID{}, err
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: fmt.Sprintf("/proc/self/fd/%d/%s", dir, temporary)}); err != nil {
		return fileID{}, fmt.Errorf("bind: %w", err)
	}
	if err := unix.Fchownat(dir, temporary, 0, group, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fileID{}, fmt.Errorf("owner: %w", err)
	}
	if err := unix.Fchmodat(dir, temporary, socketMode, 0); err != nil {
		return fileID{}, fmt.Errorf("mode: %w", err)
	}
	if err := unix.Listen(fd, backlog); err != nil {
		return fileID{}, fmt.Errorf("listen: %w", err)
	}
	if err := unix.Renameat(dir, temporary, dir, name); err != nil {
		return fileID{}, err
	}
	var st unix.Stat_t
	if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fileID{}, err
	}
	return fileID{st.Dev, st.Ino}, nil
}

// identify is the file that has a name now; zero when there is none.
func identify(path string) fileID {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return fileID{}
	}
	return fileID{st.Dev, st.Ino}
}

// writeFile replaces a file in one step. gid may be 0.
func writeFile(path string, data []byte, mode fs.FileMode, gid int) error {
	temporary := filepath.Join(filepath.Dir(path), host.TempPrefix+filepath.Base(path))
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Chmod(mode); err != nil {
		return err
	}
	if err := f.Chown(0, gid); err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
