// Package host is the only door to the machine for the drivers: files and
// directories of the installation, commands and services. Every change is made
// so that a process killed at any moment leaves the old thing or the new one,
// and a call that finds nothing to do changes nothing.
//
// Files are reached beneath the installation's root and never through a
// symbolic link, so that nothing a site puts in its home can lead root astray.
// The package never decides what should exist.
package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"cancale/internal/config"
)

// Keep leaves an owner or a group as it is.
const Keep = -1

// TempPrefix begins the name of every file that is not yet, or no longer, in
// its place. What a killed process left of them is removed by Sweep.
const TempPrefix = ".tmp-"

// killAt makes the process end itself before its n-th step, so that tests can
// prove that one more pass repairs whatever a crash leaves.
const killAt = "CANCALE_KILL_AT"

// Host is one machine, or one directory of it.
type Host struct {
	layout   config.Layout
	services Services

	changes atomic.Int64
	steps   atomic.Int64
	killAt  int64
}

// New is the host of the installation at layout. services may be nil where
// nothing is ever reloaded.
func New(layout config.Layout, services Services) *Host {
	n, err := strconv.ParseInt(os.Getenv(killAt), 10, 64)
	if err != nil {
		n = 0
	}
	return &Host{layout: layout, services: services, killAt: n}
}

// Layout is where things are.
func (h *Host) Layout() config.Layout { return h.layout }

// Changes is the number of changes made so far. Two calls in a row that ask for
// the same leave it as it was after the first.
func (h *Host) Changes() int64 { return h.changes.Load() }

// Reload makes a service read its configuration anew.
func (h *Host) Reload(ctx context.Context, service string) error {
	h.step()
	h.changes.Add(1)
	if err := h.services.Reload(ctx, service); err != nil {
		return fmt.Errorf("host: reload %s: %w", service, err)
	}
	return nil
}

// EnsureActivated keeps a listening socket whose first connection starts a
// program. Whether anything had to be changed only the services know, so this
// counts as a step and not as a change.
func (h *Host) EnsureActivated(ctx context.Context, a Activation) error {
	h.step()
	if err := h.services.EnsureActivated(ctx, a); err != nil {
		return fmt.Errorf("host: activate %s: %w", a.Name, err)
	}
	return nil
}

// RemoveActivated stops a program and forgets its socket.
func (h *Host) RemoveActivated(ctx context.Context, name string) error {
	h.step()
	if err := h.services.RemoveActivated(ctx, name); err != nil {
		return fmt.Errorf("host: deactivate %s: %w", name, err)
	}
	return nil
}

// step is the point before each thing that may alter the machine.
func (h *Host) step() {
	if n := h.steps.Add(1); h.killAt > 0 && n == h.killAt {
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
		select {} // the signal is on its way
	}
}

// change is a step that surely alters the machine.
func (h *Host) change() {
	h.step()
	h.changes.Add(1)
}

// errOutside is an attempt to reach beyond the installation's root.
var errOutside = errors.New("outside of the installation")

// parent opens the directory that holds path, beneath the root and through no
// symbolic link, and gives path's last name.
func (h *Host) parent(path string) (*os.File, string, error) {
	dir, name := filepath.Split(filepath.Clean(path))
	if name == "" || name == "." || name == ".." {
		return nil, "", fmt.Errorf("host: %s: %w", path, errOutside)
	}
	d, err := h.directory(dir)
	return d, name, err
}

// directory opens a directory of the installation, beneath the root and through
// no symbolic link.
func (h *Host) directory(path string) (*os.File, error) {
	rel, err := filepath.Rel(h.layout.Root, path)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return nil, fmt.Errorf("host: %s: %w", path, errOutside)
	}
	root, err := unix.Open(h.layout.Root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: h.layout.Root, Err: err}
	}
	defer func() { _ = unix.Close(root) }()
	return openDirectory(root, rel, path, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS)
}

// openDirectory is openat2(2) for a directory; path is for messages.
func openDirectory(at int, rel, path string, resolve uint64) (*os.File, error) {
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: resolve}
	for {
		fd, err := unix.Openat2(at, rel, &how)
		switch {
		case err == nil:
			return os.NewFile(uintptr(fd), path), nil
		case errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN): // EAGAIN: a rename somewhere came between
		default:
			return nil, &fs.PathError{Op: "open", Path: path, Err: err}
		}
	}
}
