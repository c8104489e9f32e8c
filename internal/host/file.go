package host

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// WriteFile makes path a file with exactly this content, mode and owner, by a
// temporary file that is renamed over it. When it already is, nothing happens.
func (h *Host) WriteFile(path string, data []byte, mode fs.FileMode, uid, gid int) (changed bool, err error) {
	return h.writeFile(path, data, mode, uid, gid, true)
}

// WriteDerived is WriteFile for what can be made again at any time and is, by
// whoever finds it different: it does not wait for the disk. After a power cut
// the file may be empty or the one before.
func (h *Host) WriteDerived(path string, data []byte, mode fs.FileMode, uid, gid int) (changed bool, err error) {
	return h.writeFile(path, data, mode, uid, gid, false)
}

func (h *Host) writeFile(path string, data []byte, mode fs.FileMode, uid, gid int, durable bool) (changed bool, err error) {
	same, err := h.Same(path, data, mode, uid, gid)
	if err != nil || same {
		return false, err
	}
	staged, err := h.stage(path, data, mode, uid, gid, durable)
	if err != nil {
		return false, err
	}
	if err := staged.Commit(); err != nil {
		staged.Discard()
		return false, err
	}
	return true, nil
}

// Same reports whether path is a file with exactly this content, mode and
// owner.
func (h *Host) Same(path string, data []byte, mode fs.FileMode, uid, gid int) (bool, error) {
	dir, name, err := h.parent(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer dir.Close()
	// O_NONBLOCK: something else may have put a pipe there.
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENXIO):
		return false, nil
	case err != nil:
		return false, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return false, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size != int64(len(data)) || !ownedBy(&st, uid, gid) || st.Mode&0o7777 != uint32(mode.Perm()) {
		return false, nil
	}
	have, err := io.ReadAll(io.LimitReader(f, int64(len(data))+1))
	if err != nil {
		return false, fmt.Errorf("host: %w", err)
	}
	return bytes.Equal(have, data), nil
}

func ownedBy(st *unix.Stat_t, uid, gid int) bool {
	return (uid == Keep || st.Uid == uint32(uid)) && (gid == Keep || st.Gid == uint32(gid))
}

// Staged is a file that is complete on the disk, beside the place that it is
// meant for.
type Staged struct {
	Path string // where it lies now
	To   string // where Commit puts it
	h    *Host
}

// Stage writes a file beside path, without touching path.
func (h *Host) Stage(path string, data []byte, mode fs.FileMode, uid, gid int) (*Staged, error) {
	return h.stage(path, data, mode, uid, gid, true)
}

// StageDerived is Stage for what WriteDerived is meant for.
func (h *Host) StageDerived(path string, data []byte, mode fs.FileMode, uid, gid int) (*Staged, error) {
	return h.stage(path, data, mode, uid, gid, false)
}

func (h *Host) stage(path string, data []byte, mode fs.FileMode, uid, gid int, durable bool) (*Staged, error) {
	dir, name, err := h.parent(path)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	h.change()
	temp := TempPrefix + name + "-" + random()
	fd, err := unix.Openat(int(dir.Fd()), temp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, &fs.PathError{Op: "create", Path: filepath.Join(filepath.Dir(path), temp), Err: err}
	}
	s := &Staged{Path: filepath.Join(filepath.Dir(path), temp), To: path, h: h}
	f := os.NewFile(uintptr(fd), s.Path)
	_, err = f.Write(data)
	err = errors.Join(err, f.Chown(uid, gid), f.Chmod(mode.Perm()))
	if err == nil && durable {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = unix.Unlinkat(int(dir.Fd()), temp, 0)
		return nil, fmt.Errorf("host: %w", err)
	}
	return s, nil
}

// Commit puts the file in its place.
func (s *Staged) Commit() error {
	dir, name, err := s.h.parent(s.To)
	if err != nil {
		return err
	}
	defer dir.Close()
	s.h.step()
	if err := unix.Renameat(int(dir.Fd()), filepath.Base(s.Path), int(dir.Fd()), name); err != nil {
		return fmt.Errorf("host: %w", &os.LinkError{Op: "rename", Old: s.Path, New: s.To, Err: err})
	}
	return nil
}

// Discard removes the file. What cannot be removed now is swept later.
func (s *Staged) Discard() { _ = s.h.Remove(s.Path) }

// Rename moves one file of the installation over another place in it.
func (h *Host) Rename(from, to string) error {
	fromDir, fromName, err := h.parent(from)
	if err != nil {
		return err
	}
	defer fromDir.Close()
	toDir, toName, err := h.parent(to)
	if err != nil {
		return err
	}
	defer toDir.Close()
	h.change()
	if err := unix.Renameat(int(fromDir.Fd()), fromName, int(toDir.Fd()), toName); err != nil {
		return fmt.Errorf("host: %w", &os.LinkError{Op: "rename", Old: from, New: to, Err: err})
	}
	return nil
}

// Remove removes one file, or symbolic link, or socket. It is no error when
// nothing is there.
func (h *Host) Remove(path string) error {
	dir, name, err := h.parent(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	var st unix.Stat_t
	if err := unix.Fstatat(int(dir.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW); errors.Is(err, unix.ENOENT) {
		return nil
	}
	h.change()
	if err := unix.Unlinkat(int(dir.Fd()), name, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("host: %w", &fs.PathError{Op: "remove", Path: path, Err: err})
	}
	return nil
}

// Sweep removes the temporary files and trees that a killed process left in a
// directory. No other writer may be at work there.
func (h *Host) Sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("host: %w", err)
	}
	var errs []error
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), TempPrefix) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if e.IsDir() {
			errs = append(errs, h.RemoveTree(path))
		} else {
			errs = append(errs, h.Remove(path))
		}
	}
	return errors.Join(errs...)
}

func random() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
