package jail

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// tempPrefix begins the names of uploads in progress.
const tempPrefix = ".in."

// leftover is the age from which a temporary file that nobody writes is shown
// in listings, so that its owner can remove what a crash left behind.
const leftover = 10 * time.Minute

// inProgress reports whether a file is an upload that somebody is writing.
func inProgress(info fs.FileInfo, now time.Time) bool {
	return strings.HasPrefix(info.Name(), tempPrefix) && now.Sub(info.ModTime()) < leftover
}

// Upload is a file on its way: written under a temporary name in the directory
// of its final one, which it takes only when it is complete. Exactly one of
// Commit, Keep and Discard ends it.
type Upload struct {
	*os.File

	jail     *Jail
	dir      *os.File
	temp     string
	name     string
	replaces bool // something stood under the name at the beginning
}

// Create begins an upload. A file that it replaces passes its permission bits
// on, so that a configuration that was private stays so; a link is replaced
// itself, not what it leads to.
func (j *Jail) Create(name string) (*Upload, error) {
	if isRoot(name) {
		return nil, &fs.PathError{Op: "create", Path: name, Err: unix.EISDIR}
	}
	u := &Upload{jail: j, temp: tempPrefix + rand.Text()}
	err := j.id.do(func() (err error) {
		u.dir, u.name, err = j.parent(name)
		if err != nil {
			return err
		}
		mode, err := u.before(name)
		if err != nil {
			return err
		}
		fd, err := unix.Openat(int(u.dir.Fd()), u.temp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
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
			_ = u.Discard()
		} else if u.dir != nil {
			_ = u.dir.Close()
		}
		return nil, err
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
	u.replaces = true
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return 0, wrap("create", name, unix.EISDIR)
	case unix.S_IFLNK:
		if info, err := u.jail.root.Stat(name); err == nil && info.IsDir() {
			return 0, wrap("create", name, unix.EISDIR)
		}
	case unix.S_IFREG:
		if st.Uid == u.jail.id.uid {
			return st.Mode & 0o777, nil
		}
	}
	return fileMode, nil
}

// Commit gives the file its name, in place of what may stand there.
func (u *Upload) Commit() error {
	err := u.File.Close()
	if err == nil {
		err = u.jail.id.do(func() error {
			dir := int(u.dir.Fd())
			return wrap("rename", u.name, unix.Renameat(dir, u.temp, dir, u.name))
		})
	}
	if err != nil {
		_ = u.unlink()
	}
	_ = u.dir.Close()
	return err
}

// Keep ends an upload that broke off. Where nothing stood, what came is kept
// under the name, so that it can be resumed; else the old file stays.
func (u *Upload) Keep() error {
	info, err := u.Stat()
	if err != nil || info.Size() == 0 || u.replaces {
		return u.Discard()
	}
	_ = u.File.Close()
	defer u.dir.Close()
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
	_ = u.File.Close()
	defer u.dir.Close()
	return u.unlink()
}

func (u *Upload) unlink() error {
	return u.jail.id.do(func() error {
		return wrap("unlink", u.name, unix.Unlinkat(int(u.dir.Fd()), u.temp, 0))
	})
}
