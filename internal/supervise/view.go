package supervise

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// View is what a service sees of the machine. Whatever is not named here does
// not exist for it: a service that reads files for others, as Apache does, can
// then not be talked into reading those of the machine.
type View struct {
	// Programs are shown with the libraries that they name, one file each.
	Programs []string
	// Read and Write are files and directories that are shown where they are.
	Read, Write []string
	// Temp becomes /tmp. Whoever may put files into it need not be able to list
	// them.
	Temp string
	// Memory becomes a small directory of root's that no disk ever holds.
	Memory string
	// Users are lines of /etc/passwd; the groups are of the same names.
	Users []User
}

// User is somebody whom a program of a View knows by name.
type User struct {
	Name string
	ID   int
}

// viewRoot is where the new root is put together: a directory that base-files
// makes.
const viewRoot = "/mnt"

// noResolver keeps a service from asking the network for names
// (nsswitch.conf(5)): one that waits for a resolver serves nobody.
const noResolver = "passwd: files\ngroup: files\nhosts: files\n"

// Attributes of everything that a view shows.
const viewQuiet = unix.MS_NOSUID | unix.MS_NODEV

// Exec becomes the program, in the view. It returns only when that fails.
func (v View) Exec(program string, args, env []string) error {
	files, err := v.files(program)
	if err != nil {
		return err
	}
	runtime.LockOSThread() // namespaces belong to a thread; the exec leaves this one only
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("own view of the file system: %w", needsRoot(err))
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	if err := unix.Mount("tmpfs", viewRoot, "tmpfs", viewQuiet, "mode=0711,nr_inodes=4k"); err != nil {
		return fmt.Errorf("root: %w", err)
	}
	unix.Umask(0)
	if err := v.build(files); err != nil {
		return err
	}
	if err := enterView(); err != nil {
		return err
	}
	unix.Umask(0o022)
	return fmt.Errorf("%s: %w", program, syscall.Exec(program, append([]string{program}, args...), env))
}

// files are the programs, and all that they are linked with.
func (v View) files(program string) ([]string, error) {
	found := map[string]bool{}
	for _, path := range append([]string{program}, v.Programs...) {
		if err := linked(path, found); err != nil {
			return nil, err
		}
	}
	// The C library asks for it by name when a thread ends.
	ends, err := library("libgcc_s.so.1")
	if err != nil {
		return nil, err
	}
	if err := linked(ends, found); err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(found)), nil
}

// linked adds a program or a library, and whatever it names, to found.
func linked(path string, found map[string]bool) error {
	if found[path] {
		return nil
	}
	found[path] = true
	file, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer file.Close()
	for _, part := range file.Progs {
		if part.Type == elf.PT_INTERP {
			name := make([]byte, part.Filesz)
			if _, err := part.ReadAt(name, 0); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			found[strings.TrimRight(string(name), "\x00")] = true
		}
	}
	names, err := file.ImportedLibraries()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, name := range names {
		library, err := library(name)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := linked(library, found); err != nil {
			return err
		}
	}
	return nil
}

// library is where the loader finds a library (ld.so(8)).
func library(name string) (string, error) {
	for _, pattern := range []string{"/usr/lib/*-linux-gnu*/", "/lib/*-linux-gnu*/", "/usr/lib/", "/lib/", "/lib64/"} {
		if at, err := filepath.Glob(pattern + name); err == nil && len(at) > 0 {
			return at[0], nil
		}
	}
	return "", fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}

// build puts the view together below viewRoot.
func (v View) build(files []string) error {
	// Where the distribution has links instead of directories, so has the view.
	for _, name := range []string{"/lib", "/lib64", "/bin", "/sbin"} {
		if target, err := os.Readlink(name); err == nil {
			if err := os.Symlink(target, viewRoot+name); err != nil {
				return err
			}
		}
	}
	for _, path := range slices.Concat(files, v.Read, []string{"/dev/null", "/dev/zero", "/dev/urandom"}) {
		if err := show(path, path, unix.MOUNT_ATTR_RDONLY); err != nil {
			return err
		}
	}
	for _, path := range v.Write {
		if err := show(path, path, 0); err != nil {
			return err
		}
	}
	if err := show(v.Temp, "/tmp", 0); err != nil {
		return err
	}
	if err := v.remember(); err != nil {
		return err
	}
	for name, target := range map[string]string{"stdin": "0", "stdout": "1", "stderr": "2"} {
		if err := os.Symlink("/proc/self/fd/"+target, viewRoot+"/dev/"+name); err != nil {
			return err
		}
	}
	var passwd, group strings.Builder
	for _, u := range v.Users {
		fmt.Fprintf(&passwd, "%s:x:%d:%d::/:/bin/false\n", u.Name, u.ID, u.ID)
		fmt.Fprintf(&group, "%s:x:%d:\n", u.Name, u.ID)
	}
	if err := os.MkdirAll(viewRoot+"/etc", 0o711); err != nil {
		return err
	}
	for name, text := range map[string]string{"passwd": passwd.String(), "group": group.String(), "nsswitch.conf": noResolver} {
		if err := os.WriteFile(viewRoot+"/etc/"+name, []byte(text), 0o644); err != nil {
			return err
		}
	}
	// For those of its processes that are still root: /dev/stderr leads there.
	if err := os.Mkdir(viewRoot+"/proc", 0o711); err != nil {
		return err
	}
	if err := unix.Mount("proc", viewRoot+"/proc", "proc", viewQuiet|unix.MS_NOEXEC, "hidepid=2"); err != nil {
		return fmt.Errorf("/proc: %w", err)
	}
	return os.Chmod(viewRoot+"/proc", 0o700)
}

// remember makes the directory that is memory only.
func (v View) remember() error {
	if v.Memory == "" {
		return nil
	}
	if err := os.MkdirAll(viewRoot+v.Memory, 0o711); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", viewRoot+v.Memory, "tmpfs", viewQuiet|unix.MS_NOEXEC, "mode=0700,size=64k,nr_inodes=16"); err != nil {
		return fmt.Errorf("%s: %w", v.Memory, err)
	}
	return nil
}

// show makes a file or a directory of the machine visible. What is missing on
// the machine is left out.
func show(from, to string, attributes uint64) error {
	info, err := os.Stat(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	// Where the distribution has a link to a directory, so has the view.
	if dir, err := filepath.EvalSymlinks(filepath.Dir(to)); err == nil {
		to = filepath.Join(dir, filepath.Base(to))
	}
	target := viewRoot + to
	// Nobody may list the directories that lead to it.
	if err := os.MkdirAll(filepath.Dir(target), 0o711); err != nil {
		return err
	}
	if info.IsDir() {
		err = os.MkdirAll(target, 0o711)
	} else {
		err = os.WriteFile(target, nil, 0o644)
	}
	if err != nil {
		return err
	}
	err = unix.Mount(from, target, "", unix.MS_BIND|unix.MS_REC, "")
	if errors.Is(err, unix.ENOENT) && info.Mode().IsRegular() {
		// A newer program took its name, as an upgrade does: what has no name cannot
		// be mounted anywhere any more.
		return copyFile(from, target, info.Mode().Perm())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", to, err)
	}
	attr := unix.MountAttr{Attr_set: attributes | unix.MOUNT_ATTR_NOSUID}
	if info.Mode()&fs.ModeDevice == 0 {
		attr.Attr_set |= unix.MOUNT_ATTR_NODEV
	}
	if err := unix.MountSetattr(unix.AT_FDCWD, target, unix.AT_RECURSIVE, &attr); err != nil {
		return fmt.Errorf("attributes of %s: %w", to, err)
	}
	return nil
}

func copyFile(from, to string, mode fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Chmod(mode), out.Close())
}

// enterView makes viewRoot the root, which nobody may change.
func enterView() error {
	if err := unix.Chdir(viewRoot); err != nil {
		return err
	}
	// pivot_root(2): "." on "." stacks the old root on the new one, from where
	// it is taken off.
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("old root: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV}
	if err := unix.MountSetattr(unix.AT_FDCWD, "/", 0, &attr); err != nil {
		return fmt.Errorf("attributes of the root: %w", err)
	}
	return nil
}
