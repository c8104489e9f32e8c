package jail

import (
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"cancale/internal/disk"
)

// tempPrefix begins the names of uploads in progress.
const tempPrefix = ".in."

// leftover is how long an upload in pieces is left out of listings after its
// last piece.
const leftover = 10 * time.Minute

// hidden are the temporary names of the uploads of this process, and how many
// there are of each. Only these are left out of listings: a file that a crash
// left behind, or that the site itself named so to have it overlooked, is shown.
var hidden = struct {
	sync.Mutex

	names map[string]int
}{names: map[string]int{}}

// hide leaves a name out of listings until show is called, once.
func hide(temp string) (show func()) {
	hidden.Lock()
	defer hidden.Unlock()
	hidden.names[temp]++
	return sync.OnceFunc(func() {
		hidden.Lock()
		defer hidden.Unlock()
		if hidden.names[temp]--; hidden.names[temp] == 0 {
			delete(hidden.names, temp)
		}
	})
}

// inProgress reports whether a name is that of an upload that somebody sends.
func inProgress(name string) bool {
	if !strings.HasPrefix(name, tempPrefix) {
		return false
	}
	hidden.Lock()
	defer hidden.Unlock()
	return hidden.names[name] > 0
}

// Upload is a file on its way: written under a temporary name in the directory
// of its final one, which it takes only when it is complete. Exactly one of
// Commit, Keep and Discard ends it. Whoever writes to it asks for room before
// each piece.
type Upload struct {
	*os.File
	*disk.Writing

	jail     *Jail
	dir      place
	temp     string
	name     string
	replaces bool  // something stood under the name at the beginning
	replaced int64 // what that takes on the disk
	only     bool  // never replaces anything
	counted  int64 // what earlier pieces of it take there
	show     func()
}

// Create begins an upload. A file that it replaces passes its permission bits
// on, so that a configuration that was private stays so; a link is replaced
// itself, not what it leads to.
func (j *Jail) Create(name string) (*Upload, error) {
	return j.create(name, &Upload{jail: j, temp: tempPrefix + rand.Text()})
}

// CreateNew is Create for a name that nothing bears, now or when the upload is
// complete. One that breaks off leaves nothing: it could not be resumed.
func (j *Jail) CreateNew(name string) (*Upload, error) {
	return j.create(name, &Upload{jail: j, temp: tempPrefix + rand.Text(), only: true})
}

func (j *Jail) create(name string, u *Upload) (*Upload, error) {
	if isRoot(name) {
		return nil, &fs.PathError{Op: "create", Path: name, Err: unix.EISDIR}
	}
	u.show, u.dir = hide(u.temp), nowhere
	err := j.id.do(func() (err error) {
		u.dir, u.name, err = j.parent(name)
		if err != nil {
			return err
		}
		mode, err := u.before(name)
		if err != nil {
			return err
		}
		fd, err := unix.Openat(int(u.dir.Fd()), u.temp, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
		if err != nil {
			return wrap("create", name, err)
		}
		u.File = os.NewFile(uintptr(fd), name)
		if mode != fileMode {
			return wrap("chmod", name, unix.Fchmod(fd, mode)) // beyond what the umask lets through
		}
		return nil
	})
	if err != nil {
		if u.File != nil {
			return nil, errors.Join(err, u.Discard())
		}
		u.show()
		_ = u.leave()
		return nil, err
	}
	u.Writing = j.space.Write(u.replaced)
	if _, err := u.Room(1); err != nil {
		return nil, errors.Join(err, u.Discard())
	}
	return u, nil
}

// before looks at what stands under the name and says which mode its successor
// gets.
func (u *Upload) before(name string) (mode uint32, err error) {
	var st unix.Stat_t
	err = unix.Fstatat(int(u.dir.Fd()), u.name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return fileMode, nil
	}
	if err != nil {
		return 0, wrap("stat", name, err)
	}
	if u.only {
		return 0, wrap("create", name, unix.EEXIST)
	}
	u.replaces = true
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return 0, wrap("create", name, unix.EISDIR)
	case unix.S_IFLNK:
		if info, err := u.jail.root.Stat(name); err == nil && info.IsDir() {
			return 0, wrap("create", name, unix.EISDIR)
		}
	case unix.S_IFREG:
		if st.Nlink == 1 {
			u.replaced = disk.Taken(&st)
		}
		if st.Uid == u.jail.id.uid {
			return st.Mode & 0o777, nil
		}
	}
	return fileMode, nil
}

// leave gives back the directory.
func (u *Upload) leave() error {
	dir := u.dir
	u.dir = nowhere
	return dir.Close()
}

// Chmod changes the permission bits that the file will have.
func (u *Upload) Chmod(mode fs.FileMode) error {
	return u.jail.id.do(func() error { return u.File.Chmod(mode.Perm()) })
}

// Chtimes sets the time of its last change, until more is written.
func (u *Upload) Chtimes(modified time.Time) error {
	return u.jail.id.do(func() error {
		times := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, unix.NsecToTimespec(modified.UnixNano())}
		return wrap("chtimes", u.name, unix.UtimesNanoAt(int(u.dir.Fd()), u.temp, times, unix.AT_SYMLINK_NOFOLLOW))
	})
}

// Commit gives the file its name, in place of what may stand there.
func (u *Upload) Commit() error {
	defer u.show()
	grown := u.size() - u.counted - u.replaced
	err := u.File.Close()
	if err == nil {
		err = u.jail.id.do(func() error {
			dir, flags := int(u.dir.Fd()), uint(0)
			if u.only {
				flags = unix.RENAME_NOREPLACE
			}
			return wrap("rename", u.name, unix.Renameat2(dir, u.temp, dir, u.name, flags))
		})
	}
	if err != nil {
		_ = u.unlink()
		grown = -u.counted
	}
	_ = u.leave()
	u.End(grown)
	return err
}

// size is what it takes on the disk.
func (u *Upload) size() int64 {
	info, err := u.Stat()
	if err != nil {
		return 0
	}
	return disk.Size(info.Size())
}

// Take writes all of r, as far as there is room.
func (u *Upload) Take(r io.Reader) (n int64, err error) {
	buf := make([]byte, pieceSize)
	for {
		m, err := r.Read(buf)
		for piece := buf[:m]; len(piece) > 0; {
			may, err := u.Room(int64(len(piece)))
			if err != nil {
				return n, err
			}
			w, err := u.File.Write(piece[:may])
			u.Wrote(int64(w))
			n += int64(w)
			if err != nil {
				return n, err
			}
			piece = piece[w:]
		}
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// pieceSize is how much Take asks room for at a time.
const pieceSize = 128 << 10

// Keep ends an upload that broke off. Where nothing stood, what came is kept
// under the name, so that it can be resumed; else the old file stays.
func (u *Upload) Keep() error {
	info, err := u.Stat()
	if err != nil || info.Size() == 0 || u.replaces || u.only {
		return u.Discard()
	}
	_ = u.File.Close()
	defer u.show()
	defer func() { _ = u.leave() }()
	defer u.End(disk.Size(info.Size()))
	return errors.Join(u.jail.id.do(func() error {
		dir := int(u.dir.Fd())
		// Unlike a rename, a link never takes the place of what came meanwhile.
		if err := unix.Linkat(dir, u.temp, dir, u.name, 0); !errors.Is(err, unix.EEXIST) {
			return wrap("link", u.name, err)
		}
		return nil
	}), u.unlink())
}

// Discard leaves nothing of the upload.
func (u *Upload) Discard() error {
	defer u.show()
	defer u.End(-u.counted)
	_ = u.File.Close()
	defer func() { _ = u.leave() }()
	return u.unlink()
}

func (u *Upload) unlink() error {
	return u.jail.id.do(func() error {
		return wrap("unlink", u.name, unix.Unlinkat(int(u.dir.Fd()), u.temp, 0))
	})
}
