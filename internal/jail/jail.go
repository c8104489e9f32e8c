// Package jail gives access to the files of one site: every name is looked up
// beneath the site's root, whatever links say, and every operation is done
// under the site's own uid and gid, so that the kernel decides what is allowed.
// The FTP service and the file manager work through it.
//
// It never opens a path of a member by name as root, never leaves the root,
// and never opens anything but regular files and directories.
package jail

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Refusals of the jail itself; the others are the kernel's.
var (
	ErrRoot       = errors.New("jail: the root cannot be changed")
	ErrNotRegular = errors.New("jail: not a regular file")
	ErrBeyondEnd  = errors.New("jail: offset beyond the end of the file")
)

// Modes of what members create, before the umask.
const (
	fileMode = 0o644
	dirMode  = 0o755
)

// openDir are the flags for a directory: nothing else can be opened with them,
// so a pipe that a site put in its place cannot hold the thread.
const openDir = os.O_RDONLY | unix.O_DIRECTORY | unix.O_NONBLOCK

// Jail is a root and an identity. Names are relative to the root, with slashes;
// "" and "." are the root itself. It may be used by several goroutines.
type Jail struct {
	id   identity
	root *os.Root
}

// Open makes the jail of a site. The path of the home must be in the hands of
// root alone: it is opened as root, and everything beneath it as the site.
func Open(home string, uid, gid uint32) (*Jail, error) {
	if uid == 0 || gid == 0 {
		return nil, fmt.Errorf("jail: %d:%d is not the identity of a site", uid, gid)
	}
	if groups, err := os.Getgroups(); err != nil || len(groups) > 0 {
		return nil, errors.New("jail: the process has supplementary groups; Prepare was not called")
	}
	root, err := os.OpenRoot(home)
	if err != nil {
		return nil, fmt.Errorf("jail: home: %w", err)
	}
	return &Jail{id: identity{uid, gid}, root: root}, nil
}

// Sub makes a jail of a folder. Links on the way are followed as long as they
// stay in j; afterwards nothing outside the folder can be reached.
func (j *Jail) Sub(folder string) (*Jail, error) {
	var inner *os.Root
	err := j.id.do(func() (err error) {
		// With the dot at its end the folder is opened as a directory or not at all.
		inner, err = j.root.OpenRoot(local(folder) + "/.")
		return err
	})
	if err != nil {
		return nil, err
	}
	return &Jail{id: j.id, root: inner}, nil
}

// Close gives the root back. Files that are open stay so.
func (j *Jail) Close() error { return j.root.Close() }

// local is a name as os.Root wants it.
func local(name string) string {
	if name == "" {
		return "."
	}
	return name
}

// isRoot reports whether the name is the root, which nothing may change.
func isRoot(name string) bool { return path.Clean("/"+name) == "/" }

// Entry is a file in a listing.
type Entry struct {
	fs.FileInfo
	Link   string      // what a symbolic link says
	Target fs.FileInfo // what it leads to within the jail; nil when nowhere
}

// Owner is the uid and gid of the file.
func (e Entry) Owner() (uid, gid uint32) {
	if st, ok := e.Sys().(*syscall.Stat_t); ok {
		return st.Uid, st.Gid
	}
	return 0, 0
}

// Links is the number of names of the file.
func (e Entry) Links() uint64 {
	if st, ok := e.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Nlink) //nolint:unconvert // 32 bits on arm64
	}
	return 1
}

// Stat describes a file, or what a link leads to.
func (j *Jail) Stat(name string) (Entry, error) {
	var e Entry
	err := j.id.do(func() (err error) {
		e.FileInfo, err = j.root.Stat(local(name))
		return err
	})
	return e, err
}

// Lstat describes a file, or a link itself and where it leads.
func (j *Jail) Lstat(name string) (Entry, error) {
	var e Entry
	err := j.id.do(func() (err error) {
		if e.FileInfo, err = j.root.Lstat(local(name)); err == nil {
			j.resolve(&e, local(name))
		}
		return err
	})
	return e, err
}

// resolve fills in where a link leads; it is called under the site's identity.
func (j *Jail) resolve(e *Entry, name string) {
	if e.Mode().Type() != fs.ModeSymlink {
		return
	}
	e.Link, _ = j.root.Readlink(name)
	e.Target, _ = j.root.Stat(name)
}

// batch is how many entries of a directory are read at a time.
const batch = 512

// List calls fn with the entries of a directory, some at a time, in no order.
// Uploads in progress are left out. An error of fn ends the listing.
func (j *Jail) List(name string, fn func([]Entry) error) error {
	var dir *os.File
	err := j.id.do(func() (err error) {
		dir, err = j.root.OpenFile(local(name), openDir, 0)
		return err
	})
	if err != nil {
		return err
	}
	defer dir.Close()
	entries := make([]Entry, 0, batch)
	for {
		entries = entries[:0]
		now := time.Now()
		err := j.id.do(func() error {
			infos, err := dir.Readdir(batch)
			for _, info := range infos {
				if inProgress(info, now) {
					continue
				}
				e := Entry{FileInfo: info}
				j.resolve(&e, path.Join(local(name), info.Name()))
				entries = append(entries, e)
			}
			return err
		})
		if len(entries) > 0 {
			if err := fn(entries); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// Writable reports whether the site may create and remove names in a directory.
func (j *Jail) Writable(name string) bool {
	return j.id.do(func() error {
		dir, err := j.root.OpenFile(local(name), openDir, 0)
		if err != nil {
			return err
		}
		defer dir.Close()
		return unix.Faccessat(int(dir.Fd()), ".", unix.W_OK|unix.X_OK, unix.AT_EACCESS)
	}) == nil
}

// Open opens a regular file for reading.
func (j *Jail) Open(name string) (*os.File, fs.FileInfo, error) {
	return j.regular(name, os.O_RDONLY)
}

// OpenEnd is the offset that stands for the end of the file.
const OpenEnd = -1

// OpenAt opens a regular file for writing in place from an offset on.
func (j *Jail) OpenAt(name string, offset int64) (*os.File, error) {
	f, info, err := j.regular(name, os.O_WRONLY)
	if err != nil {
		return nil, err
	}
	if offset == OpenEnd {
		offset = info.Size()
	}
	if offset > info.Size() {
		err = ErrBeyondEnd
	} else {
		_, err = f.Seek(offset, io.SeekStart)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// regular opens a regular file. A pipe or a device is opened too, without
// waiting for its other end, only to be closed again.
func (j *Jail) regular(name string, flag int) (f *os.File, info fs.FileInfo, err error) {
	err = j.id.do(func() (err error) {
		if f, err = j.root.OpenFile(local(name), flag|unix.O_NONBLOCK|unix.O_NOCTTY, 0); err != nil {
			return err
		}
		info, err = f.Stat()
		return err
	})
	switch {
	case err != nil:
	case info.IsDir():
		err = &fs.PathError{Op: "open", Path: name, Err: unix.EISDIR}
	case !info.Mode().IsRegular():
		err = ErrNotRegular
	default:
		return f, info, nil
	}
	if f != nil {
		_ = f.Close()
	}
	return nil, nil, err
}

// Mkdir makes a directory.
func (j *Jail) Mkdir(name string) error {
	if isRoot(name) {
		return fs.ErrExist
	}
	return j.id.do(func() error { return j.root.Mkdir(name, dirMode) })
}

// MkdirAll makes a directory and those above it.
func (j *Jail) MkdirAll(name string) error {
	return j.id.do(func() error { return j.root.MkdirAll(local(name), dirMode) })
}

// Remove removes a file or a link, never a directory.
func (j *Jail) Remove(name string) error { return j.unlink(name, 0) }

// RemoveDir removes an empty directory, never the root.
func (j *Jail) RemoveDir(name string) error { return j.unlink(name, unix.AT_REMOVEDIR) }

func (j *Jail) unlink(name string, flag int) error {
	if isRoot(name) {
		return ErrRoot
	}
	return j.id.do(func() error {
		dir, base, err := j.parent(name)
		if err != nil {
			return err
		}
		defer dir.Close()
		return wrap("unlink", name, unix.Unlinkat(int(dir.Fd()), base, flag))
	})
}

// parent opens the directory that holds a name; it is called under the site's
// identity. The rest of an operation then happens in that very directory, even
// when it is moved or replaced meanwhile.
func (j *Jail) parent(name string) (dir *os.File, base string, err error) {
	clean := strings.TrimPrefix(path.Clean("/"+name), "/")
	if base = path.Base(clean); clean == "" || base == ".." {
		return nil, "", ErrRoot
	}
	dir, err = j.root.OpenFile(path.Dir(clean), openDir, 0)
	return dir, base, err
}

// wrap gives an error of a system call its place.
func wrap(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// Rename renames within the jail. A file may take the place of another file.
func (j *Jail) Rename(from, to string) error {
	if isRoot(from) || isRoot(to) {
		return ErrRoot
	}
	return j.id.do(func() error { return j.root.Rename(from, to) })
}

// Chmod changes the permission bits; no others can be set.
func (j *Jail) Chmod(name string, mode fs.FileMode) error {
	return j.id.do(func() error { return j.root.Chmod(local(name), mode.Perm()) })
}

// Chtimes sets the time of the last change.
func (j *Jail) Chtimes(name string, modified time.Time) error {
	return j.id.do(func() error { return j.root.Chtimes(local(name), time.Time{}, modified) })
}
