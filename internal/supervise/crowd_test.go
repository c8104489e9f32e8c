package supervise

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// queueOf makes a listening socket that nobody accepts from, with callers.
func queueOf(tb testing.TB, callers int) (inode uint32, fd int, conns []net.Conn) {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "s")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		tb.Fatal(err)
	}
	if err := unix.Listen(fd, backlog); err != nil {
		tb.Fatal(err)
	}
	for range callers {
		conn, err := net.Dial("unix", path)
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _ = conn.Close() })
		conns = append(conns, conn)
	}
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		tb.Fatal(err)
	}
	return uint32(st.Ino), fd, conns
}

func TestQueuesAreCountedAndCut(t *testing.T) {
	diag, err := openDiag()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(diag)
	inode, fd, conns := queueOf(t, 50)
	other, _, _ := queueOf(t, 3)
	waiting, err := queues(diag)
	if err != nil || waiting[inode] != 50 || waiting[other] != 3 {
		t.Fatalf("queues = %d and %d, %v; want 50 and 3", waiting[inode], waiting[other], err)
	}
	turnAway(fd, waiting[inode]-mostWaiting)
	if waiting, err = queues(diag); err != nil || waiting[inode] != mostWaiting || waiting[other] != 3 {
		t.Errorf("after the cut: %d and %d, %v", waiting[inode], waiting[other], err)
	}
	// The oldest callers are told, the others still wait.
	for i, conn := range conns {
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
		_, err := conn.Read(make([]byte, 1))
		if told := !errors.Is(err, os.ErrDeadlineExceeded); told != (i < 50-mostWaiting) {
			t.Errorf("caller %d: %v", i, err)
		}
	}
}

func TestAnswersOfAnotherFormAreRefused(t *testing.T) {
	for _, data := range [][]byte{nil, make([]byte, 15), append(make([]byte, 16), 1, 0, 4, 0), append(make([]byte, 16), 255, 0, 4, 0)} {
		if _, _, ok := queue(data); ok {
			t.Errorf("%v was read", data)
		}
	}
}

// BenchmarkQueues is what one look costs at a thousand sites.
func BenchmarkQueues(b *testing.B) {
	for range 1000 {
		queueOf(b, 0)
	}
	diag, err := openDiag()
	if err != nil {
		b.Fatal(err)
	}
	defer unix.Close(diag)
	for b.Loop() {
		if _, err := queues(diag); err != nil {
			b.Fatal(err)
		}
	}
}
