package host

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// Difference is how something on the machine is not as it should be; empty when
// it is.
type Difference string

const (
	Missing Difference = "missing"
	Kind    Difference = "kind" // something else lies in its place: a link, a file
	Owner   Difference = "owner"
	Rights  Difference = "rights"
	Content Difference = "content" // of a file, or its owner or mode
)

// Differing is the first part of something that is not as it should be; the zero
// value says that all of it is.
type Differing struct {
	Part string // a name in the file system, or a word of SQL
	How  Difference
}

// FileDiffers compares a file as Same does, and also tells a missing one.
func (h *Host) FileDiffers(path string, data []byte, mode fs.FileMode, uid, gid int) (Difference, error) {
	dir, name, err := h.parent(path)
	if err != nil {
		return differenceOf(err)
	}
	defer dir.Close()
	var st unix.Stat_t
	if err := unix.Fstatat(int(dir.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return differenceOf(&fs.PathError{Op: "stat", Path: path, Err: err})
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return Kind, nil
	}
	same, err := h.Same(path, data, mode, uid, gid)
	if err != nil || same {
		return "", err
	}
	return Content, nil
}

// differenceOf is what an error says about the thing itself.
func differenceOf(err error) (Difference, error) {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Missing, nil
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		return Kind, nil
	}
	return "", err
}
