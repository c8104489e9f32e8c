package host

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// Access is what one more user, besides the owner, may do: an entry of an
// access control list.
type Access struct {
	UID  int
	Perm fs.FileMode // three bits: 4 read, 2 write, 1 search
}

// EnsureDir makes path a directory with exactly this mode, owner and access
// control list; without entries it has none. Its parent must exist. Something
// else at that place is an error. When nothing differs, nothing happens.
func (h *Host) EnsureDir(path string, mode fs.FileMode, uid, gid int, access ...Access) (changed bool, err error) {
	parent, name, err := h.parent(path)
	if err != nil {
		return false, err
	}
	defer parent.Close()
	const resolve = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS
	dir, err := openDirectory(int(parent.Fd()), name, path, resolve)
	if errors.Is(err, fs.ErrNotExist) {
		h.change()
		changed = true
		// Nobody but root until owner and list are set.
		if err := unix.Mkdirat(int(parent.Fd()), name, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
			return false, fmt.Errorf("host: %w", &fs.PathError{Op: "mkdir", Path: path, Err: err})
		}
		dir, err = openDirectory(int(parent.Fd()), name, path, resolve)
	}
	if err != nil {
		return false, fmt.Errorf("host: %w", err)
	}
	defer dir.Close()
	did, err := h.ensureOwner(dir, uid, gid)
	changed = changed || did
	if err != nil {
		return changed, err
	}
	did, err = h.ensureAccess(dir, mode.Perm(), access)
	return changed || did, err
}

// DirDiffers compares a directory with what EnsureDir would make of it, and
// changes nothing.
func (h *Host) DirDiffers(path string, mode fs.FileMode, uid, gid int, access ...Access) (Difference, error) {
	dir, err := h.directory(path)
	if err != nil {
		return differenceOf(err)
	}
	defer dir.Close()
	fd := int(dir.Fd())
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "", fmt.Errorf("host: %w", &fs.PathError{Op: "stat", Path: path, Err: err})
	}
	if !ownedBy(&st, uid, gid) {
		return Owner, nil
	}
	mode = mode.Perm()
	var want []byte
	if len(access) > 0 {
		want = encodeACL(mode, access)
		mode = mode&^0o070 | mask(mode, access)<<3 // as in ensureAccess
	}
	inherited, err := list(fd, defaultList)
	if err != nil {
		return "", fmt.Errorf("host: %w", &fs.PathError{Op: "read default list of", Path: path, Err: err})
	}
	have, err := list(fd, accessList)
	if err != nil {
		return "", fmt.Errorf("host: %w", &fs.PathError{Op: "read list of", Path: path, Err: err})
	}
	if inherited != nil || !bytes.Equal(have, want) || st.Mode&0o7777 != uint32(mode) {
		return Rights, nil
	}
	return "", nil
}

// OpenDir opens a directory of the installation to read, through no symbolic
// link. What lies in it may be a member's.
func (h *Host) OpenDir(path string) (*os.File, error) {
	dir, err := h.directory(path)
	if err != nil {
		return nil, fmt.Errorf("host: %w", err)
	}
	return dir, nil
}

func (h *Host) ensureOwner(dir *os.File, uid, gid int) (changed bool, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &st); err != nil {
		return false, fmt.Errorf("host: %w", &fs.PathError{Op: "stat", Path: dir.Name(), Err: err})
	}
	if ownedBy(&st, uid, gid) {
		return false, nil
	}
	h.change()
	if err := dir.Chown(uid, gid); err != nil {
		return true, fmt.Errorf("host: %w", err)
	}
	return true, nil
}

// accessList and defaultList are the extended attributes in which the kernel
// keeps access control lists (acl(5)).
const (
	accessList  = "system.posix_acl_access"
	defaultList = "system.posix_acl_default"
)

func (h *Host) ensureAccess(dir *os.File, mode fs.FileMode, access []Access) (changed bool, err error) {
	fd := int(dir.Fd())
	failed := func(op string, err error) error {
		return fmt.Errorf("host: %w", &fs.PathError{Op: op, Path: dir.Name(), Err: err})
	}
	if err := h.dropList(fd, defaultList, &changed); err != nil {
		return changed, failed("remove default list of", err)
	}
	if len(access) == 0 {
		if err := h.dropList(fd, accessList, &changed); err != nil {
			return changed, failed("remove list of", err)
		}
	} else {
		want := encodeACL(mode, access)
		have, err := list(fd, accessList)
		if err != nil {
			return changed, failed("read list of", err)
		}
		if !bytes.Equal(have, want) {
			h.change()
			changed = true
			if err := unix.Fsetxattr(fd, accessList, want, 0); err != nil {
				return changed, failed("set list of", err)
			}
		}
		mode = mode&^0o070 | mask(mode, access)<<3 // the group's bits now show the mask
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return changed, failed("stat", err)
	}
	if st.Mode&0o7777 != uint32(mode) {
		h.change()
		changed = true
		if err := unix.Fchmod(fd, uint32(mode)); err != nil {
			return changed, failed("chmod", err)
		}
	}
	return changed, nil
}

// list reads an access control list; nil when there is none.
func list(fd int, name string) ([]byte, error) {
	buf := make([]byte, 1024)
	n, err := unix.Fgetxattr(fd, name, buf)
	switch {
	case errors.Is(err, unix.ENODATA), errors.Is(err, unix.ENOTSUP):
		return nil, nil
	case errors.Is(err, unix.ERANGE): // longer than any of ours
		return []byte{}, nil
	case err != nil:
		return nil, err
	}
	return buf[:n], nil
}

func (h *Host) dropList(fd int, name string, changed *bool) error {
	have, err := list(fd, name)
	if err != nil || have == nil {
		return err
	}
	h.change()
	*changed = true
	if err := unix.Fremovexattr(fd, name); err != nil && !errors.Is(err, unix.ENODATA) {
		return err
	}
	return nil
}

// The binary form of a list: linux/posix_acl_xattr.h, all little-endian.
const (
	aclVersion  = 2
	aclUserObj  = 0x01
	aclUser     = 0x02
	aclGroupObj = 0x04
	aclMask     = 0x10
	aclOther    = 0x20
	aclNoID     = ^uint32(0)
)

// encodeACL is the list that gives owner, group and others what mode says and
// the named users what their entries say. The order of the entries is fixed by
// acl(5): the owner, users by number, the group, the mask, others.
func encodeACL(mode fs.FileMode, access []Access) []byte {
	users := slices.SortedFunc(slices.Values(access), func(a, b Access) int { return a.UID - b.UID })
	b := binary.LittleEndian.AppendUint32(nil, aclVersion)
	entry := func(tag uint16, perm fs.FileMode, id uint32) {
		b = binary.LittleEndian.AppendUint16(b, tag)
		b = binary.LittleEndian.AppendUint16(b, uint16(perm&7))
		b = binary.LittleEndian.AppendUint32(b, id)
	}
	entry(aclUserObj, mode>>6, aclNoID)
	for _, u := range users {
		entry(aclUser, u.Perm, uint32(u.UID))
	}
	entry(aclGroupObj, mode>>3, aclNoID)
	entry(aclMask, mask(mode, access), aclNoID)
	entry(aclOther, mode, aclNoID)
	return b
}

// mask is what any named user or the group can have at most.
func mask(mode fs.FileMode, access []Access) fs.FileMode {
	m := mode >> 3 & 7
	for _, a := range access {
		m |= a.Perm & 7
	}
	return m
}
