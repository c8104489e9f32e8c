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

	"cancale/internal/disk"
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
	id    identity
	root  *os.Root
	top   *os.File    // the root again, for openat2(2)
	space *disk.Space // nil: no limit
	bin   *bin        // nil: what is removed is gone
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
	j := &Jail{id: identity{uid, gid}, root: root}
	if err := j.id.do(j.openTop); err != nil {
		_ = root.Close()
		return nil, fmt.Errorf("jail: home: %w", err)
	}
	return j, nil
}

// openTop opens the root a second time; it is called under the site's identity.
func (j *Jail) openTop() (err error) {
	j.top, err = j.root.OpenFile(".", openDir, 0)
	return err
}

// Within has the jail, and those that Sub makes of it, ask for room before they
// write and count what they remove.
func (j *Jail) Within(space *disk.Space) { j.space = space }

// Left is how much may still be written here, and of how much that is the rest.
func (j *Jail) Left() (left, total int64, err error) { return j.space.Left() }

// Sub makes a jail of a folder. Links on the way are followed as long as they
// stay in j; afterwards nothing outside the folder can be reached.
func (j *Jail) Sub(folder string) (*Jail, error) {
	sub := &Jail{id: j.id, space: j.space, bin: j.bin.within(folder)}
	err := j.id.do(func() (err error) {
		// With the dot at its end the folder is opened as a directory or not at all.
		if sub.root, err = j.root.OpenRoot(local(folder) + "/."); err != nil {
			return err
		}
		return sub.openTop()
	})
	if err != nil {
		if sub.root != nil {
			_ = sub.root.Close()
		}
		return nil, err
	}
	return sub, nil
}

// Close gives the root back. Files that are open stay so.
func (j *Jail) Close() error {
	j.bin.close()
	return errors.Join(j.root.Close(), j.top.Close())
}

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

// changed is when the file itself, its name or its owner last changed.
func (e Entry) changed() (time.Time, bool) {
	st, ok := e.Sys().(*syscall.Stat_t)
	if !ok {
		return time.Time{}, false
	}
	return time.Unix(st.Ctim.Unix()), true
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
	dir, err := j.OpenDir(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	var entries []Entry
	for {
		entries, err = dir.Next(entries[:0])
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
	return j.openAt(name, offset, os.O_WRONLY)
}

// EditAt is OpenAt for a file that is read too.
func (j *Jail) EditAt(name string, offset int64) (*os.File, error) {
	return j.openAt(name, offset, os.O_RDWR)
}

func (j *Jail) openAt(name string, offset int64, flag int) (*os.File, error) {
	f, info, err := j.regular(name, flag)
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

// Growing is the room of a file that OpenAt opened and that is written from its
// place on: what it holds behind that place is there already. Whoever writes
// asks for room before each piece, and ends it with Grown.
func (j *Jail) Growing(f *os.File) *disk.Writing {
	if j.space == nil {
		return nil
	}
	var behind int64
	if info, err := f.Stat(); err == nil {
		if at, err := f.Seek(0, io.SeekCurrent); err == nil {
			behind = info.Size() - at
		}
	}
	return j.space.Write(behind)
}

// Taken is what a file takes on the disk.
func Taken(f *os.File) int64 {
	var st unix.Stat_t
	if unix.Fstat(int(f.Fd()), &st) != nil {
		return 0
	}
	return disk.Taken(&st)
}

// Grown is by how much a file takes more than when it had the size before, and
// took what Taken said then. Cutting off a hole frees nothing.
func Grown(f *os.File, before, taken int64) int64 {
	info, err := f.Stat()
	if err != nil {
		return 0
	}
	return max(disk.Size(info.Size())-disk.Size(before), Taken(f)-taken)
}

// Mkdir makes a directory.
func (j *Jail) Mkdir(name string) error {
	if isRoot(name) {
		return fs.ErrExist
	}
	if err := j.space.Check(); err != nil {
		return err
	}
	return j.id.do(func() error { return j.root.Mkdir(name, dirMode) })
}

// MkdirAll makes a directory and those above it, as far as they are not there.
func (j *Jail) MkdirAll(name string) error {
	if e, err := j.Stat(name); err == nil && e.IsDir() {
		return nil
	}
	if err := j.space.Check(); err != nil {
		return err
	}
	return j.id.do(func() error { return j.root.MkdirAll(local(name), dirMode) })
}

// Remove removes a file or a link, never a directory: into the bin, where there
// is one.
func (j *Jail) Remove(name string) error { return j.unlink(name, 0) }

// RemoveDir removes an empty directory, never the root.
func (j *Jail) RemoveDir(name string) error { return j.unlink(name, unix.AT_REMOVEDIR) }

func (j *Jail) unlink(name string, flag int) error {
	if isRoot(name) {
		return ErrRoot
	}
	full, kept := j.bin.place(name)
	return j.id.do(func() error {
		dir, base, err := j.parent(name)
		if err != nil {
			return err
		}
		defer dir.Close()
		var st unix.Stat_t
		if err := unix.Fstatat(int(dir.Fd()), base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return wrap("unlink", name, err)
		}
		folder := st.Mode&unix.S_IFMT == unix.S_IFDIR
		// A bin that takes nothing, because the disk is full or it is not there,
		// must not keep anybody from making room.
		if kept && !folder && flag == 0 && j.bin.take(dir, base, full) == nil {
			return nil
		}
		if err := unix.Unlinkat(int(dir.Fd()), base, flag); err != nil {
			return wrap("unlink", name, err)
		}
		if kept && folder {
			j.bin.remember(full)
		}
		if folder || st.Nlink == 1 {
			j.space.Freed(disk.Taken(&st))
		}
		return nil
	})
}

// parent opens the directory that holds a name; it is called under the site's
// identity. The rest of an operation then happens in that very directory, even
// when it is moved or replaced meanwhile.
func (j *Jail) parent(name string) (dir place, base string, err error) {
	clean := strings.TrimPrefix(path.Clean("/"+name), "/")
	if base = path.Base(clean); clean == "" || base == ".." {
		return nowhere, "", ErrRoot
	}
	dir, err = j.beneath(path.Dir(clean), unix.O_DIRECTORY)
	return dir, base, err
}

// place is a descriptor that names a file or a directory and is good for nothing
// else, open(2) with O_PATH. It costs two calls less than an os.File.
type place int

const nowhere place = -1

// directory is what removes and renames names: a place, or a directory that is
// open to be read.
type directory interface{ Fd() uintptr }

// Fd is the descriptor.
func (p place) Fd() uintptr { return uintptr(p) }

// Close gives it back. It may be called where nothing was opened.
func (p place) Close() error {
	if p == nowhere {
		return nil
	}
	return os.NewSyscallError("close", unix.Close(int(p)))
}

// beneath opens a name as a place and not for its content: one call however
// deep it lies, where os.Root takes one for each folder on the way. The kernel
// holds it beneath the root, openat2(2). It is called under the site's identity.
func (j *Jail) beneath(name string, flags uint64) (place, error) {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC | flags, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS}
	for range maxRaces {
		fd, err := unix.Openat2(int(j.top.Fd()), name, &how)
		switch {
		case err == nil:
			return place(fd), nil
		case !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR):
			return nowhere, wrap("open", name, err)
		}
	}
	return nowhere, wrap("open", name, unix.EAGAIN)
}

// maxRaces is how often a look-up is begun again because somebody renames
// folders on its way.
const maxRaces = 100

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
	return j.id.do(func() error {
		f, err := j.beneath(local(name), 0)
		if err != nil {
			return err
		}
		defer f.Close()
		times := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, unix.NsecToTimespec(modified.UnixNano())}
		return wrap("utimensat", name, unix.UtimesNanoAt(int(f.Fd()), "", times, unix.AT_EMPTY_PATH))
	})
}
