package agent

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"

	"cancale/internal/config"
)

// waker is the socket at which anybody of this installation says that there is
// something to do. What is said does not matter.
type waker struct{ conn *net.UnixConn }

func listen(path string) (*waker, error) {
	if err := config.SocketPathOK(path); err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o666); err != nil { // the panel's uid writes to it, too
		_ = conn.Close()
		return nil, err
	}
	return &waker{conn: conn}, nil
}

// Close ends the calls.
func (w *waker) Close() error { return w.conn.Close() }

// calls gives one value for any number of datagrams that came since the last.
func (w *waker) calls(ctx context.Context) <-chan struct{} {
	calls := make(chan struct{}, 1)
	go func() { // ends with Close
		buf := make([]byte, 16)
		for {
			if _, err := w.conn.Read(buf); err != nil {
				if !errors.Is(err, net.ErrClosed) {
					slog.ErrorContext(ctx, "no longer to be woken", slog.Any("cause", err))
				}
				return
			}
			select {
			case calls <- struct{}{}:
			default:
			}
		}
	}()
	return calls
}
