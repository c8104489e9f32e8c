package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

const (
	// maxDepth bounds the descriptors that removing a tree holds; what lies
	// deeper is first moved up. A site can nest directories without end.
	maxDepth = 64
	// maxRounds bounds how often a directory is read again because somebody
	// still puts files into it.
	maxRounds = 10_000
)

// RemoveTree removes path and everything beneath it. It follows no symbolic
// link and enters no other file system, however its content changes meanwhile.
// It is no error when nothing is there.
func (h *Host) RemoveTree(path string) error {
	parent, name, err := h.parent(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer parent.Close()
	var st unix.Stat_t
	if err := unix.Fstatat(int(parent.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW); errors.Is(err, unix.ENOENT) {
		return nil
	}
	h.change()
	if err := h.removeAt(parent, name, path, nil, 0); err != nil {
		return fmt.Errorf("host: remove tree: %w", err)
	}
	return nil
}

// removeAt removes one entry of dir. top is the directory that the whole walk
// began with, nil while it begins.
func (h *Host) removeAt(dir *os.File, name, path string, top *os.File, depth int) error {
	fd := int(dir.Fd())
	err := unix.Unlinkat(fd, name, 0)
	switch {
	case err == nil, errors.Is(err, unix.ENOENT):
		return nil
	case !errors.Is(err, unix.EISDIR):
		return &fs.PathError{Op: "unlink", Path: path, Err: err}
	}
	if depth > maxDepth {
		return moveUp(dir, name, path, top)
	}
	sub, err := openDirectory(fd, name, path, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS|unix.RESOLVE_NO_XDEV)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer sub.Close()
	if top == nil {
		top = sub
	}
	for range maxRounds {
		if err := h.empty(sub, path, top, depth); err != nil {
			return err
		}
		err := unix.Unlinkat(fd, name, unix.AT_REMOVEDIR)
		switch {
		case err == nil, errors.Is(err, unix.ENOENT):
			return nil
		case !errors.Is(err, unix.ENOTEMPTY):
			return &fs.PathError{Op: "rmdir", Path: path, Err: err}
		}
		if _, err := sub.Seek(0, 0); err != nil {
			return err
		}
	}
	return &fs.PathError{Op: "rmdir", Path: path, Err: unix.ENOTEMPTY}
}

// empty removes the entries of dir that one reading of it shows.
func (h *Host) empty(dir *os.File, path string, top *os.File, depth int) error {
	const atOnce = 1000
	for {
		names, err := dir.Readdirnames(atOnce)
		for _, name := range names {
			if err := h.removeAt(dir, name, path+"/"+name, top, depth+1); err != nil {
				return err
			}
		}
		if err != nil || len(names) == 0 { // io.EOF
			return nil //nolint:nilerr // an unreadable rest shows when the directory cannot be removed
		}
	}
}

// moveUp brings a directory that lies too deep to the top of the tree, where
// another round finds it.
func moveUp(dir *os.File, name, path string, top *os.File) error {
	err := unix.Renameat(int(dir.Fd()), name, int(top.Fd()), TempPrefix+random())
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return &fs.PathError{Op: "move up", Path: path, Err: err}
	}
	return nil
}
