package ftplink

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"cancale/internal/config"
)

// Listen makes the socket. Its directory is there, root's, and the panel may
// pass through it; no other daemon listens. It needs the right to give files
// away, so it comes before capabilities are dropped.
func Listen(path string) (net.Listener, error) {
	if err := config.SocketPathOK(path); err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("ftplink: %w", err) // of a run that was killed
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("ftplink: %w", err)
	}
	// The directory is what keeps everybody else out in the meantime.
	if err := errors.Join(os.Chown(path, 0, config.PanelUID), os.Chmod(path, 0o660)); err != nil {
		return nil, errors.Join(fmt.Errorf("ftplink: %w", err), l.Close())
	}
	return listener{l}, nil
}

// MakeDir makes the directory of the socket, for root and the panel only.
func MakeDir(path string) error {
	dir := filepath.Dir(path)
	if err := os.Mkdir(dir, 0o710); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("ftplink: %w", err)
	}
	return errors.Join(os.Chown(dir, 0, config.PanelUID), os.Chmod(dir, 0o710))
}

// listener lets in root and the panel, whoever else reached the socket.
type listener struct{ *net.UnixListener }

// conn is a connection and whose it is.
type conn struct {
	*net.UnixConn
	uid uint32
}

// Accept waits for the next of them.
func (l listener) Accept() (net.Conn, error) {
	for {
		c, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		uid, err := peer(c)
		if err == nil && (uid == 0 || uid == config.PanelUID) {
			return conn{c, uid}, nil
		}
		slog.Warn("ftplink: a stranger was turned away", slog.Any("uid", uid), slog.Any("error", err))
		_ = c.Close()
	}
}

// peer is the user who connected, as the kernel knows him.
func peer(c *net.UnixConn) (uid uint32, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	if e := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); e != nil || err != nil {
		return 0, errors.Join(e, err)
	}
	return cred.Uid, nil
}
