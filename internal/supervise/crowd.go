package supervise

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sys/unix"
)

// A request that waits for a site's PHP holds one of Apache's threads, of which
// all sites have the same ones. So few may wait for one site; the others are
// turned away, and their visitors told that the site is busy.
const (
	mostWaiting = 30                     // besides those that PHP is working on
	crowdCheck  = 100 * time.Millisecond // while any program is awake
	idleCheck   = time.Second            // while all sleep
)

// watchCrowds bounds what waits at the socket of each program that is awake.
// The kernel tells the length of all queues in one answer, a millisecond for
// a thousand sites.
func (a *activator) watchCrowds() {
	diag, err := openDiag()
	if err != nil {
		a.cfg.Log.Warn("requests that wait for a site are not bounded", slog.Any("cause", err))
		return
	}
	defer func() { _ = unix.Close(diag) }()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-a.stop:
			return
		case <-pause.C:
		}
		next := idleCheck
		if a.anyAwake() {
			next = crowdCheck
			waiting, err := queues(diag)
			if err != nil {
				a.cfg.Log.Warn("requests that wait for a site are not counted", slog.Any("cause", err))
			} else {
				a.disperse(waiting)
			}
		}
		pause.Reset(next)
	}
}

func (a *activator) anyAwake() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.awake) > 0
}

// disperse turns away whoever waits too many at a socket; waiting is by the
// socket's inode.
func (a *activator) disperse(waiting map[uint32]int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for x := range a.awake {
		if n := waiting[x.inode]; n > mostWaiting {
			turnAway(x.fd, n-mostWaiting)
		}
	}
}

// Of linux/unix_diag.h and linux/sock_diag.h.
const (
	sockDiagByFamily = 20
	showQueue        = 0x10 // UDIAG_SHOW_RQLEN
	attrQueue        = 4    // UNIX_DIAG_RQLEN
	listening        = 1 << 10
	diagAnswer       = 16 // bytes of struct unix_diag_msg
)

func openDiag() (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return -1, fmt.Errorf("sock_diag: %w", err)
	}
	if _, err := queues(fd); err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// queues are the numbers of connections that nobody has accepted yet, by the
// inode of the listening unix socket.
func queues(fd int) (map[uint32]int, error) {
	request := make([]byte, unix.SizeofNlMsghdr+24)
	order := binary.NativeEndian
	order.PutUint32(request[0:], uint32(len(request)))
	order.PutUint16(request[4:], sockDiagByFamily)
	order.PutUint16(request[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	body := request[unix.SizeofNlMsghdr:]
	body[0] = unix.AF_UNIX
	order.PutUint32(body[4:], listening)
	order.PutUint32(body[12:], showQueue)
	if err := unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, fmt.Errorf("sock_diag: %w", err)
	}
	found := map[uint32]int{}
	buf := make([]byte, 64<<10)
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("sock_diag: %w", err)
		}
		for left := buf[:n]; len(left) >= unix.SizeofNlMsghdr; {
			size := int(order.Uint32(left))
			if size < unix.SizeofNlMsghdr || size > len(left) {
				return nil, errors.New("sock_diag: an answer of another form")
			}
			switch kind, data := order.Uint16(left[4:]), left[unix.SizeofNlMsghdr:size]; kind {
			case unix.NLMSG_DONE:
				return found, nil
			case unix.NLMSG_ERROR:
				return nil, fmt.Errorf("sock_diag: %w", unix.Errno(-int32(order.Uint32(data))))
			default:
				if inode, length, ok := queue(data); ok {
					found[inode] = length
				}
			}
			left = left[min((size+3)&^3, len(left)):]
		}
	}
}

// queue reads one struct unix_diag_msg and the attribute behind it.
func queue(data []byte) (inode uint32, length int, ok bool) {
	if len(data) < diagAnswer {
		return 0, 0, false
	}
	order := binary.NativeEndian
	inode = order.Uint32(data[4:])
	for attr := data[diagAnswer:]; len(attr) >= unix.SizeofRtAttr; {
		size := int(order.Uint16(attr))
		if size < unix.SizeofRtAttr || size > len(attr) {
			return 0, 0, false
		}
		if order.Uint16(attr[2:]) == attrQueue && size >= unix.SizeofRtAttr+8 {
			return inode, int(order.Uint32(attr[unix.SizeofRtAttr:])), true
		}
		attr = attr[min((size+3)&^3, len(attr)):]
	}
	return 0, 0, false
}
