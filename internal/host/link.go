package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// WriteLink makes path a symbolic link to target, whatever was there before.
// When it already is, nothing happens.
func (h *Host) WriteLink(path, target string) (changed bool, err error) {
	dir, name, err := h.parent(path)
	if err != nil {
		return false, err
	}
	defer dir.Close()
	if have, err := readLink(dir, name); err == nil && have == target {
		return false, nil
	}
	h.change()
	temp := TempPrefix + name + "-" + random()
	if err := unix.Symlinkat(target, int(dir.Fd()), temp); err != nil {
		return false, fmt.Errorf("host: %w", &os.LinkError{Op: "symlink", Old: target, New: filepath.Join(filepath.Dir(path), temp), Err: err})
	}
	h.step()
	if err := unix.Renameat(int(dir.Fd()), temp, int(dir.Fd()), name); err != nil {
		return true, errors.Join(
			fmt.Errorf("host: %w", &os.LinkError{Op: "rename", Old: temp, New: path, Err: err}),
			unix.Unlinkat(int(dir.Fd()), temp, 0),
		)
	}
	return true, nil
}

// Link is where the symbolic link at path leads; empty when there is none.
func (h *Host) Link(path string) (string, error) {
	dir, name, err := h.parent(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer dir.Close()
	target, err := readLink(dir, name)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINVAL) {
		return "", nil
	}
	return target, err
}

func readLink(dir *os.File, name string) (string, error) {
	buf := make([]byte, 4096)
	n, err := unix.Readlinkat(int(dir.Fd()), name, buf)
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}
