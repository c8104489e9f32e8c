package ftpd

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// socket is a TCP socket for data: a port that waits for the client, or a
// connection.
//
// The files of a site are small, and most transfers are over before it pays to
// tell the runtime's poller of two sockets each and to be woken by it for all
// that happens to them. So a socket begins outside of it, and is waited for in
// a system call, for a moment; what takes longer is given to the poller.
//
// Its methods are for the session's goroutine alone, but for cut.
type socket struct {
	fd            int
	file          *os.File // the same, once the poller has it
	patience      time.Duration
	lowest        int       // how many bytes are worth to be told of; 0 as 1
	reads, writes time.Time // deadlines, for the poller
}

const (
	// socketPatience is how long a socket is waited for in a system call.
	socketPatience = 2 * time.Millisecond
	// socketQueue is how many connections may wait to be looked at: the client's,
	// and those of others, who must not be able to fill it before it comes. The
	// kernel has its own limit below that.
	socketQueue = 4096
)

// waiting is how many goroutines wait in a system call now. Each keeps others
// from one of the runtime's processors meanwhile, so that some are left free.
var waiting atomic.Int32

func mayWait() int32 { return int32(max(runtime.GOMAXPROCS(0)-1, 1)) }

// socketAddress is an address as the kernel takes it. near is a socket of the
// same local address, which knows the zone.
func socketAddress(at netip.AddrPort, near *net.TCPConn) (family int, address unix.Sockaddr, err error) {
	if at.Addr().Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}, nil
	}
	address6 := &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
	if at.Addr().Zone() == "" {
		return unix.AF_INET6, address6, nil
	}
	raw, err := near.SyscallConn()
	if err != nil {
		return 0, nil, err
	}
	var asked error
	err = raw.Control(func(fd uintptr) {
		var local unix.Sockaddr
		if local, asked = unix.Getsockname(int(fd)); asked == nil {
			if local6, ok := local.(*unix.SockaddrInet6); ok {
				address6.ZoneId = local6.ZoneId
			}
		}
	})
	return unix.AF_INET6, address6, errors.Join(err, asked)
}

// listenAt opens a port.
func listenAt(family int, address unix.Sockaddr) (*socket, error) {
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err == nil {
		if err = unix.Bind(fd, address); err == nil {
			err = unix.Listen(fd, socketQueue)
		}
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("listen", err)
	}
	return &socket{fd: fd, patience: socketPatience}, nil
}

// socketOf is the socket of a connection, which it takes the place of.
func socketOf(conn *net.TCPConn) (*socket, error) {
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd int
	var failed error
	err = raw.Control(func(old uintptr) { fd, failed = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) })
	if err = errors.Join(err, failed); err != nil {
		return nil, fmt.Errorf("data connection: %w", err)
	}
	return &socket{fd: fd, patience: socketPatience}, nil
}

// cut ends all that the socket does, from any goroutine that holds the mutex
// under which it is closed.
func (k *socket) cut() { _ = unix.Shutdown(k.fd, unix.SHUT_RDWR) }

// Close gives the socket back.
func (k *socket) Close() error {
	if k.file != nil {
		return k.file.Close()
	}
	return os.NewSyscallError("close", unix.Close(k.fd))
}

// again runs a system call that does not wait, until it has an answer.
func (k *socket) again(events int16, call func() error) error {
	for k.file == nil {
		switch err := call(); {
		case errors.Is(err, unix.EINTR):
		case !errors.Is(err, unix.EAGAIN):
			return err
		case !k.wait(events):
			k.gather(1) // the poller is to tell of each byte
			k.file = os.NewFile(uintptr(k.fd), "data")
			_ = k.file.SetReadDeadline(k.reads)
			_ = k.file.SetWriteDeadline(k.writes)
		}
	}
	raw, err := k.file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	ready := func(uintptr) bool {
		failed = call()
		return !errors.Is(failed, unix.EAGAIN) && !errors.Is(failed, unix.EINTR)
	}
	if events == unix.POLLIN {
		err = raw.Read(ready)
	} else {
		err = raw.Write(ready)
	}
	if err != nil {
		return err
	}
	return failed
}

// wait waits until the socket may be ready. It reports false when that takes
// too long, or too many wait already.
func (k *socket) wait(events int16) bool {
	defer waiting.Add(-1)
	if waiting.Add(1) > mayWait() || k.patience <= 0 {
		return false
	}
	begun := time.Now()
	timeout := unix.NsecToTimespec(int64(k.patience))
	n, err := unix.Ppoll([]unix.PollFd{{Fd: int32(k.fd), Events: events}}, &timeout, nil)
	if n > 0 {
		k.patience = socketPatience // it is a fast one
		return true
	}
	k.patience -= time.Since(begun)
	return errors.Is(err, unix.EINTR)
}

// accept takes the next connection.
func (k *socket) accept() (conn *socket, from netip.Addr, err error) {
	var fd int
	var peer unix.Sockaddr
	err = k.again(unix.POLLIN, func() (err error) {
		fd, peer, err = unix.Accept4(k.fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		return err
	})
	if err != nil {
		return nil, netip.Addr{}, err
	}
	switch peer := peer.(type) {
	case *unix.SockaddrInet4:
		from = netip.AddrFrom4(peer.Addr)
	case *unix.SockaddrInet6:
		from = netip.AddrFrom16(peer.Addr).Unmap()
	}
	return &socket{fd: fd, patience: socketPatience}, from, nil
}

// Read and Write are those of a net.Conn.
func (k *socket) Read(p []byte) (n int, err error) {
	err = k.again(unix.POLLIN, func() (err error) {
		n, err = unix.Read(k.fd, p)
		return err
	})
	switch {
	case err != nil:
		return 0, err
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return n, nil
}

func (k *socket) Write(p []byte) (n int, err error) {
	for n < len(p) {
		err = k.again(unix.POLLOUT, func() error {
			m, err := unix.Write(k.fd, p[n:])
			n += max(m, 0)
			return err
		})
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// sendFile sends up to n bytes of a file without a copy through our memory.
func (k *socket) sendFile(from, n int) (m int, err error) {
	err = k.again(unix.POLLOUT, func() (err error) {
		m, err = unix.Sendfile(k.fd, from, nil, n)
		return err
	})
	return max(m, 0), err
}

// splice moves up to n bytes that came into an empty pipe. None are the end.
func (k *socket) splice(pipe, n int) (m int, err error) {
	err = k.again(unix.POLLIN, func() error {
		came, err := unix.Splice(k.fd, nil, pipe, nil, n, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
		m = int(max(came, 0))
		return err
	})
	return m, err
}

// gather has what comes collected until it is n bytes or all there is, as long as
// the socket is waited for in a system call: fewer and larger steps of a fast
// transfer. See SO_RCVLOWAT in socket(7).
func (k *socket) gather(n int) {
	if k.file == nil && k.lowest != n {
		k.lowest = n
		_ = unix.SetsockoptInt(k.fd, unix.SOL_SOCKET, unix.SO_RCVLOWAT, n) // without it the steps are small
	}
}

// received is how many bytes have come.
func (k *socket) received() int64 {
	info, err := unix.GetsockoptTCPInfo(k.fd, unix.SOL_TCP, unix.TCP_INFO)
	if err != nil {
		return 0
	}
	return int64(info.Bytes_received)
}

// SetReadDeadline and SetWriteDeadline bound what is waited for in the poller.
func (k *socket) SetReadDeadline(t time.Time) error {
	k.reads = t
	if k.file != nil {
		return k.file.SetReadDeadline(t)
	}
	return nil
}

func (k *socket) SetWriteDeadline(t time.Time) error {
	k.writes = t
	if k.file != nil {
		return k.file.SetWriteDeadline(t)
	}
	return nil
}

// SetDeadline sets both.
func (k *socket) SetDeadline(t time.Time) error {
	return errors.Join(k.SetReadDeadline(t), k.SetWriteDeadline(t))
}

// LocalAddr and RemoteAddr are asked of a net.Conn; nobody needs them here.
func (k *socket) LocalAddr() net.Addr  { return noAddress{} }
func (k *socket) RemoteAddr() net.Addr { return noAddress{} }

type noAddress struct{}

func (noAddress) Network() string { return "tcp" }
func (noAddress) String() string  { return "data" }

var _ net.Conn = (*socket)(nil)
