package unixacct

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"cancale/internal/host"
	"cancale/internal/hosting"
	"cancale/internal/pages"
	"cancale/internal/reconcile"
)

// home is one open home. Its top belongs to root, so the names in it mean what
// we made; whatever is below a folder is reached by descriptors only.
type home struct {
	*Driver
	site hosting.Site
	dir  string // for messages, and for host
	fd   int
}

func (h *home) close() { _ = unix.Close(h.fd) }

// tops are the folders that must be there: those of every home and the first
// one of the document root.
func (h *home) tops() []folder {
	first, _, _ := strings.Cut(string(h.site.DocumentRoot), "/")
	for _, f := range folders {
		if f.name == first {
			return folders
		}
	}
	return append([]folder{{first, modeServed}}, folders...)
}

func (h *home) failed(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: filepath.Join(h.dir, name), Err: err}
}

// ensureTop makes a folder, or gives it back to the site.
func (h *home) ensureTop(f folder) (changed bool, err error) {
	var st unix.Stat_t
	err = unix.Fstatat(h.fd, f.name, &st, unix.AT_SYMLINK_NOFOLLOW)
	switch {
	case errors.Is(err, unix.ENOENT):
		return true, h.makeTop(f)
	case err != nil:
		return false, h.failed("stat", f.name, err)
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		return false, &hosting.Error{Kind: hosting.Conflict, Message: hosting.Msg("site.root_blocked", f.name), Err: h.failed("use", f.name, unix.ENOTDIR)}
	case st.Uid == h.site.UID && st.Gid == h.site.UID:
		return false, nil
	}
	fd, err := openAt(h.fd, f.name)
	if err != nil {
		return false, h.failed("open", f.name, err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := h.host.Change(func() error { return h.give(fd, f.mode) }); err != nil {
		return true, h.failed("chown", f.name, err)
	}
	return true, nil
}

// give makes an open file or folder the site's.
func (h *home) give(fd int, mode uint32) error {
	// In this order: chown(2) is what tells the next pass that all is done.
	return errors.Join(unix.Fchmod(fd, mode), unix.Fchown(fd, int(h.site.UID), int(h.site.UID)))
}

// makeTop makes a new folder, complete under another name before it appears.
// The one that is served gets the first page.
func (h *home) makeTop(f folder) error {
	temp := host.TempPrefix + f.name
	if err := h.host.RemoveTree(filepath.Join(h.dir, temp)); err != nil { // of a pass that was killed
		return err
	}
	err := h.host.Change(func() error {
		if err := unix.Mkdirat(h.fd, temp, 0o700); err != nil {
			return h.failed("mkdir", temp, err)
		}
		fd, err := openAt(h.fd, temp)
		if err != nil {
			return h.failed("open", temp, err)
		}
		defer func() { _ = unix.Close(fd) }()
		first, rest, _ := strings.Cut(string(h.site.DocumentRoot), "/")
		if first == f.name {
			if err := h.fill(fd, rest); err != nil {
				return err
			}
		}
		if err := h.give(fd, f.mode); err != nil {
			return h.failed("chown", temp, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return h.host.Change(func() error {
		if err := unix.Renameat2(h.fd, temp, h.fd, f.name, unix.RENAME_NOREPLACE); err != nil {
			return h.failed("rename", temp, err)
		}
		return nil
	})
}

// fill puts the folders of the rest of the document root, and the first page,
// into a folder that nobody else can enter yet.
func (h *home) fill(fd int, rest string) error {
	if rest == "" {
		return h.firstPage(fd)
	}
	name, rest, _ := strings.Cut(rest, "/")
	if err := unix.Mkdirat(fd, name, modeServed); err != nil {
		return h.failed("mkdir", name, err)
	}
	sub, err := openAt(fd, name)
	if err != nil {
		return h.failed("open", name, err)
	}
	defer func() { _ = unix.Close(sub) }()
	if err := h.fill(sub, rest); err != nil {
		return err
	}
	if err := h.give(sub, modeServed); err != nil {
		return h.failed("chown", name, err)
	}
	return nil
}

// modeFile is of a file that Apache reads.
const modeFile = 0o644

func (h *home) firstPage(dir int) error {
	page := pages.Default(h.site.Host.Unicode(), h.panel)
	fd, err := unix.Openat(dir, "index.html", unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, modeFile)
	if err != nil {
		return h.failed("create", "index.html", err)
	}
	f := os.NewFile(uintptr(fd), "index.html")
	_, err = f.Write(page)
	return errors.Join(err, h.give(fd, modeFile), f.Close())
}

// ensureServed makes the rest of the document root beneath a folder that the
// member has already. Whatever he put in the way (a link, a file) stays, and he
// is told of it when nothing can be served for that.
func (h *home) ensureServed() (changed bool, err error) {
	root := string(h.site.DocumentRoot)
	if !strings.Contains(root, "/") {
		return false, nil
	}
	fd, err := openAt(h.fd, root)
	if err == nil {
		_ = unix.Close(fd)
	}
	if err == nil {
		return false, nil
	}
	if !errors.Is(err, unix.ENOENT) {
		return false, h.ledTo(root)
	}
	err = h.host.Change(func() error { return h.asSite(func() error { return mkdirAll(h.fd, root) }) })
	switch {
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.EACCES), errors.Is(err, unix.EXDEV), errors.Is(err, unix.EDQUOT), errors.Is(err, unix.ENOENT):
		return false, h.ledTo(root)
	case err != nil:
		return false, h.failed("mkdir", root, err)
	}
	return true, nil
}

// ledTo is nil when a document root with a link of the member's on its way leads
// to a folder of the home, and says to the member what is wrong otherwise. The
// kernel looks with the member's own rights, and never leaves the home.
func (h *home) ledTo(root string) error {
	err := h.asSite(func() error {
		how := unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS}
		fd, err := unix.Openat2(h.fd, root, &how)
		if err == nil {
			_ = unix.Close(fd)
		}
		return err
	})
	switch {
	case err == nil, errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN): // a rename somewhere came between
		return nil
	case errors.Is(err, unix.EXDEV):
		return &hosting.Error{Kind: hosting.Conflict, Message: hosting.Msg("site.root_outside", root), Err: err}
	}
	return &hosting.Error{Kind: hosting.Conflict, Message: hosting.Msg("site.root_blocked", root), Err: err}
}

// mkdirAll makes the folders of a path beneath a directory, as whoever calls.
func mkdirAll(at int, path string) error {
	dir := at
	defer func() {
		if dir != at {
			_ = unix.Close(dir)
		}
	}()
	for name := range strings.SplitSeq(path, "/") {
		if err := unix.Mkdirat(dir, name, modeServed); err != nil && !errors.Is(err, unix.EEXIST) && !errors.Is(err, unix.EACCES) {
			return err
		}
		next, err := openAt(dir, name)
		if err != nil {
			return err
		}
		if dir != at {
			_ = unix.Close(dir)
		}
		dir = next
	}
	return nil
}

// openAt opens a folder beneath another, through no link.
func openAt(at int, path string) (int, error) {
	how := unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	}
	for {
		fd, err := unix.Openat2(at, path, &how)
		if !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EAGAIN) { // EAGAIN: a rename somewhere came between
			return fd, err
		}
	}
}

// asSite runs do under the site's uid as far as files are concerned, so that in
// folders that the member can rearrange at any moment the kernel allows what it
// would allow to him, and no more. The thread is given up afterwards.
func (h *home) asSite(do func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		result <- reconcile.Protect(func() error { return asUID(int(h.site.UID), do) })
	}()
	return <-result
}

func asUID(uid int, do func() error) error {
	// The raw calls change this thread only, unlike those of package syscall.
	if _, _, e := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); e != 0 {
		return fmt.Errorf("setgroups: %w", e)
	}
	for _, call := range []uintptr{unix.SYS_SETFSGID, unix.SYS_SETFSUID} {
		_, _, _ = unix.RawSyscall(call, uintptr(uid), 0, 0)
		// setfsuid(2): only a second call tells whether the first one worked.
		if now, _, _ := unix.RawSyscall(call, ^uintptr(0), 0, 0); int(now) != uid {
			return fmt.Errorf("setfsuid %d: %w", uid, unix.EPERM)
		}
	}
	return do()
}
