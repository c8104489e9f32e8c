package jail

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"regexp"
	"time"

	"golang.org/x/sys/unix"

	"cancale/internal/disk"
)

// uploadKey is what may name an upload in pieces.
var uploadKey = regexp.MustCompile(`^[0-9a-f]{16,64}$`)

// ErrOffset says that an upload in pieces is not where its sender believes.
var ErrOffset = errors.New("jail: the upload is at another offset")

// Begun is how much of an upload in pieces has come, 0 of one that has not
// begun.
func (j *Jail) Begun(name, key string) (size int64, err error) {
	u, err := j.piece(&Upload{jail: j}, name, key, unix.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer u.show() // asking is not sending
	info, err := u.Stat()
	if err == nil {
		size = info.Size()
	}
	return size, errors.Join(err, u.Pause())
}

// Resume opens an upload that comes in several pieces, under a key that only
// its sender knows; offset is how much has come before. Only with replace may it
// take the place of something. Commit, Discard or Pause ends it.
func (j *Jail) Resume(name, key string, offset int64, replace bool) (*Upload, error) {
	u, err := j.piece(&Upload{jail: j, only: !replace}, name, key, unix.O_WRONLY|unix.O_CREAT)
	if err != nil {
		return nil, err
	}
	// Two pieces at a time would mix.
	if err := unix.Flock(int(u.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(ErrOffset, u.Pause())
	}
	var st unix.Stat_t
	err = unix.Fstat(int(u.Fd()), &st)
	switch {
	case err != nil:
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		err = ErrNotRegular
	case st.Size != offset:
		err = ErrOffset
	default:
		_, err = u.Seek(offset, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, u.Pause())
	}
	if offset > 0 {
		u.counted = disk.Taken(&st)
	}
	u.Writing = j.space.Write(u.replaced)
	if _, err := u.Room(1); err != nil {
		return nil, errors.Join(err, u.Pause())
	}
	return u, nil
}

// piece opens what has come of an upload, and nothing that a link says.
func (j *Jail) piece(u *Upload, name, key string, flags int) (*Upload, error) {
	if isRoot(name) {
		return nil, &fs.PathError{Op: "create", Path: name, Err: unix.EISDIR}
	}
	if !uploadKey.MatchString(key) {
		return nil, &fs.PathError{Op: "resume", Path: name, Err: unix.EINVAL}
	}
	u.temp = tempPrefix + key
	u.dir = nowhere
	err := j.id.do(func() (err error) {
		u.dir, u.name, err = j.parent(name)
		if err != nil {
			return err
		}
		mode, err := u.before(name)
		if err != nil {
			return err
		}
		fd, err := unix.Openat(int(u.dir.Fd()), u.temp, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, mode)
		if err != nil {
			return wrap("resume", name, err)
		}
		u.File = os.NewFile(uintptr(fd), name)
		u.show = hide(u.temp)
		return nil
	})
	if err != nil {
		_ = u.leave()
		return nil, err
	}
	return u, nil
}

// Pause ends a piece of an upload that goes on later.
func (u *Upload) Pause() error {
	grown := u.size() - u.counted
	err := errors.Join(u.File.Close(), u.leave())
	u.End(grown)
	time.AfterFunc(leftover, u.show)
	return err
}
