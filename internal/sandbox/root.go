package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// newRoot is where the new root is put together: a directory that base-files
// makes, with nothing below it that a sandbox shows.
const newRoot = "/mnt"

// Flags of everything that is mounted inside.
const quiet = unix.MS_NOSUID | unix.MS_NODEV

// The distribution's programs. On a merged /usr most of these are links.
var system = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}

// What of /etc is shown: what programs need to resolve names, load libraries,
// check certificates and run PHP. Nothing here differs from one machine's
// installation to another's secrets: no passwords, no keys, no service's
// configuration. What is missing on the machine is left out.
var etc = []string{
	"alternatives", "fonts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types",
	"nsswitch.conf", "php", "protocols", "resolv.conf", "services", "ssl/certs", "ssl/openssl.cnf", "timezone",
}

// Devices without which programs do not run; none of them reaches hardware.
var devices = []string{"null", "zero", "full", "random", "urandom"}

// makeRoot gives the process a root that holds what the specification and the
// lists above name. It runs in a mount namespace of its own, as root.
func makeRoot(spec Spec) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	if err := unix.Mount("tmpfs", newRoot, "tmpfs", quiet, "mode=0755,size=1M,nr_inodes=4k"); err != nil {
		return fmt.Errorf("root: %w", err)
	}
	unix.Umask(0)
	for _, step := range []func(Spec) error{makeSystem, makeEtc, makeDev, makeOwn} {
		if err := step(spec); err != nil {
			return err
		}
	}
	if err := mountNew("proc", "/proc", unix.MS_NOEXEC, "hidepid=2"); err != nil {
		return err
	}
	// pivot_root(2): "." on "." stacks the old root on the new one, from where
	// it is taken off.
	if err := unix.Chdir(newRoot); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("old root: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	return readOnly("/", false)
}

func makeSystem(Spec) error {
	for _, path := range system {
		if err := show(path, path, true); err != nil {
			return err
		}
	}
	return nil
}

func makeEtc(spec Spec) error {
	id, gid := strconv.Itoa(int(spec.UID)), strconv.Itoa(int(spec.GID))
	if err := makeDir("/etc"); err != nil {
		return err
	}
	hosts, err := hosts(spec)
	if err != nil {
		return err
	}
	for name, text := range map[string]string{
		"passwd": User + ":x:" + id + ":" + gid + "::" + Home + ":/bin/sh\n",
		"group":  User + ":x:" + gid + ":\n",
		"hosts":  hosts,
	} {
		if err := os.WriteFile(newRoot+"/etc/"+name, []byte(text), 0o644); err != nil {
			return err
		}
	}
	for _, name := range etc {
		if err := show("/etc/"+name, "/etc/"+name, true); err != nil {
			return err
		}
	}
	return nil
}

// hosts are the names that need no DNS: the site's own, before the machine's.
func hosts(spec Spec) (string, error) {
	machine, err := os.ReadFile("/etc/hosts")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	var own strings.Builder
	for _, name := range spec.Names {
		own.WriteString(spec.Address.String() + " " + name + "\n")
	}
	return own.String() + string(machine), nil
}

func makeDev(Spec) error {
	if err := makeDir("/dev"); err != nil {
		return err
	}
	for _, name := range devices {
		target := newRoot + "/dev/" + name
		if err := os.WriteFile(target, nil, 0o644); err != nil {
			return err
		}
		if err := unix.Mount("/dev/"+name, target, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("/dev/%s: %w", name, err)
		}
	}
	for name, target := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
	} {
		if err := os.Symlink(target, newRoot+"/dev/"+name); err != nil {
			return err
		}
	}
	return mountNew("tmpfs", "/dev/shm", 0, "mode=1777,size=16M,nr_inodes=4k")
}

// makeOwn shows what belongs to the site.
func makeOwn(spec Spec) error {
	if err := mountNew("tmpfs", "/tmp", 0, "mode=1777,size=64M,nr_inodes=16k"); err != nil {
		return err
	}
	if err := makeDir("/var"); err != nil {
		return err
	}
	if err := os.Symlink("../tmp", newRoot+"/var/tmp"); err != nil {
		return err
	}
	if err := makeDir("/run"); err != nil {
		return err
	}
	binds := append([]Bind{{From: spec.Home, To: Home, ReadOnly: spec.Frozen}}, spec.Binds...)
	if spec.MariaDBSocketDir != "" {
		binds = append(binds, Bind{From: spec.MariaDBSocketDir, To: "/run/mysqld", ReadOnly: true})
	}
	for _, b := range binds {
		info, err := os.Stat(b.From)
		if err != nil {
			return err
		}
		if err := bind(b.From, b.To, info.IsDir(), b.ReadOnly); err != nil {
			return err
		}
	}
	if spec.Frozen {
		return makeScratch(spec)
	}
	return nil
}

// makeScratch lets a frozen site write to memory where it always does. The home
// itself is root's, so that its names mean what we made.
func makeScratch(spec Spec) error {
	options := fmt.Sprintf("mode=0700,size=16M,nr_inodes=4k,uid=%d,gid=%d", spec.UID, spec.GID)
	for _, name := range Scratch {
		to := newRoot + Home + "/" + name
		if info, err := os.Lstat(to); err != nil || !info.IsDir() {
			continue // a site without it does without it
		}
		if err := unix.Mount("tmpfs", to, "tmpfs", quiet, options); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// show makes a path of the machine visible when it exists. A link to something
// that is visible itself stays a link; one that leads elsewhere (resolv.conf to
// a resolver's state, usually) is replaced by what it leads to.
func show(from, to string, ro bool) error {
	info, err := os.Lstat(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		resolved := target
		if !filepath.IsAbs(target) {
			resolved = filepath.Join(filepath.Dir(from), target)
		}
		if strings.HasPrefix(resolved, "/usr/") {
			return os.Symlink(target, newRoot+to)
		}
		if info, err = os.Stat(from); errors.Is(err, fs.ErrNotExist) {
			return nil // a link to nothing
		} else if err != nil {
			return err
		}
	}
	return bind(from, to, info.IsDir(), ro)
}

// bind mounts from at to, with what is mounted below.
func bind(from, to string, dir, ro bool) error {
	if dir {
		if err := makeDir(to); err != nil {
			return err
		}
	} else {
		if err := makeDir(filepath.Dir(to)); err != nil {
			return err
		}
		if err := os.WriteFile(newRoot+to, nil, 0o644); err != nil {
			return err
		}
	}
	if err := unix.Mount(from, newRoot+to, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("%s: %w", to, err)
	}
	return attributes(newRoot+to, ro, true)
}

// mountNew mounts a new filesystem of a type.
func mountNew(kind, to string, flags uintptr, options string) error {
	if err := makeDir(to); err != nil {
		return err
	}
	if err := unix.Mount(kind, newRoot+to, kind, quiet|flags, options); err != nil {
		return fmt.Errorf("%s: %w", to, err)
	}
	return nil
}

func makeDir(path string) error { return os.MkdirAll(newRoot+path, 0o755) }

func readOnly(path string, recursive bool) error { return attributes(path, true, recursive) }

// attributes takes setuid programs and devices, and when asked writing, from a
// mount.
func attributes(path string, ro, recursive bool) error {
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV}
	if ro {
		attr.Attr_set |= unix.MOUNT_ATTR_RDONLY
	}
	var flags uint
	if recursive {
		flags = unix.AT_RECURSIVE
	}
	if err := unix.MountSetattr(unix.AT_FDCWD, path, flags, &attr); err != nil {
		return fmt.Errorf("attributes of %s: %w", strings.TrimPrefix(path, newRoot), err)
	}
	return nil
}
