package jail

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Dir is a directory that is being listed, for whoever takes its entries one
// part at a time.
type Dir struct {
	jail *Jail
	name string
	file *os.File
}

// dirBuffer holds some 800 entries of a directory. os.File reads in smaller
// parts and makes three objects of each entry.
const dirBuffer = 32 << 10

// dirBuffers are for the time of one reading: a directory that is held open, as
// SFTP lets clients do with many, takes none.
var dirBuffers = sync.Pool{New: func() any { return new([dirBuffer]byte) }}

// OpenDir opens a directory to be listed.
func (j *Jail) OpenDir(name string) (*Dir, error) {
	d := &Dir{jail: j, name: local(name)}
	err := j.id.do(func() (err error) {
		d.file, err = j.root.OpenFile(d.name, openDir, 0)
		return err
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Next is some more entries, in no order, without uploads in progress. At the
// end there are none, and the error is io.EOF. They stand behind those in
// entries, whose memory is used again.
func (d *Dir) Next(entries []Entry) ([]Entry, error) {
	begun := len(entries)
	for len(entries) == begun {
		err := d.jail.id.do(func() error {
			raw, err := d.file.SyscallConn()
			if err != nil {
				return err
			}
			var failed error
			// Whoever closes the directory meanwhile waits for the end of this.
			err = raw.Control(func(fd uintptr) { entries, failed = d.read(int(fd), entries) })
			return cmp.Or(err, failed)
		})
		if err != nil {
			return entries, err
		}
	}
	return entries, nil
}

// read is Next for one buffer, which may hold nothing to be shown. It is called
// under the site's identity.
func (d *Dir) read(fd int, entries []Entry) ([]Entry, error) {
	buf := dirBuffers.Get().(*[dirBuffer]byte)
	defer dirBuffers.Put(buf)
	n, err := unix.ReadDirent(fd, buf[:])
	switch {
	case errors.Is(err, unix.EINTR):
		return entries, nil
	case err != nil:
		return entries, wrap("readdirent", d.name, err)
	case n <= 0:
		return entries, io.EOF
	}
	_, _, names := unix.ParseDirent(buf[:n], -1, nil)
	files := make([]listed, len(names))
	for i, name := range names {
		if inProgress(name) {
			continue
		}
		f := &files[i]
		f.name = name
		switch err := f.look(fd); {
		case errors.Is(err, unix.ENOENT): // it went meanwhile
			continue
		case err != nil:
			return entries, wrap("stat", path.Join(d.name, name), err)
		}
		e := Entry{FileInfo: f}
		if f.stat.Mode&unix.S_IFMT == unix.S_IFLNK {
			d.jail.resolve(&e, path.Join(d.name, name))
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// Close ends the listing.
func (d *Dir) Close() error { return d.file.Close() }

// listed is the fs.FileInfo of a name in a directory.
type listed struct {
	name string
	stat syscall.Stat_t
}

// look fills it in.
func (f *listed) look(dir int) error {
	for {
		// One and the same to the kernel; whoever reads Sys expects that of syscall.
		err := unix.Fstatat(dir, f.name, (*unix.Stat_t)(unsafe.Pointer(&f.stat)), unix.AT_SYMLINK_NOFOLLOW)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func (f *listed) Name() string       { return f.name }
func (f *listed) Size() int64        { return f.stat.Size }
func (f *listed) ModTime() time.Time { return time.Unix(f.stat.Mtim.Unix()) }
func (f *listed) IsDir() bool        { return f.Mode().IsDir() }
func (f *listed) Sys() any           { return &f.stat }

// modeBits are what fs.FileMode calls the bits of a mode, inode(7).
var modeBits = map[uint32]fs.FileMode{
	unix.S_IFBLK: fs.ModeDevice, unix.S_IFCHR: fs.ModeDevice | fs.ModeCharDevice, unix.S_IFDIR: fs.ModeDir,
	unix.S_IFIFO: fs.ModeNamedPipe, unix.S_IFLNK: fs.ModeSymlink, unix.S_IFSOCK: fs.ModeSocket,
}

func (f *listed) Mode() fs.FileMode {
	mode := fs.FileMode(f.stat.Mode & 0o777)
	if kind := f.stat.Mode & unix.S_IFMT; kind != unix.S_IFREG {
		mode |= modeBits[kind]
	}
	if f.stat.Mode&unix.S_ISUID != 0 {
		mode |= fs.ModeSetuid
	}
	if f.stat.Mode&unix.S_ISGID != 0 {
		mode |= fs.ModeSetgid
	}
	if f.stat.Mode&unix.S_ISVTX != 0 {
		mode |= fs.ModeSticky
	}
	return mode
}
