package supervise

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"cancale/internal/config"
	"cancale/internal/host"
)

// Requests of the control socket: one JSON line each, answered by one. A
// connection may carry several.
const (
	opReload   = "reload"
	opEnsure   = "ensure"
	opRemove   = "remove"
	opServices = "services"
)

type request struct {
	Op         string           `json:"op"`
	Service    string           `json:"service,omitempty"`    // reload
	Activation *host.Activation `json:"activation,omitempty"` // ensure
	Name       string           `json:"name,omitempty"`       // remove
}

type response struct {
	Error    string           `json:"error,omitempty"`
	Services []config.Service `json:"services,omitempty"`
}

const (
	maxRequest  = 64 << 10
	reloadLimit = 30 * time.Second // for a service that is starting to come up
)

// control answers on the supervisor's socket, to root only.
type control struct {
	s        *Supervisor
	listener *net.UnixListener
	cancel   context.CancelFunc
	done     sync.WaitGroup

	mu    sync.Mutex
	conns map[*net.UnixConn]struct{}
}

func newControl(s *Supervisor) (*control, error) {
	path := s.cfg.Layout.SupervisorSocket()
	if err := config.SocketPathOK(path); err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil { // until here the directory guards it
		return nil, errors.Join(err, listener.Close())
	}
	c := &control{s: s, listener: listener, conns: map[*net.UnixConn]struct{}{}}
	var ctx context.Context
	ctx, c.cancel = context.WithCancel(context.Background())
	c.done.Go(func() { c.accept(ctx) })
	return c, nil
}

func (c *control) accept(ctx context.Context) {
	for {
		conn, err := c.listener.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			c.s.cfg.Log.Warn("control socket", slog.Any("cause", err))
			<-time.After(firstDelay) // out of descriptors, for instance
			continue
		}
		c.done.Go(func() {
			c.hold(conn, true)
			defer c.hold(conn, false)
			c.serve(ctx, conn)
		})
	}
}

// hold keeps track of open connections; it closes one that ends.
func (c *control) hold(conn *net.UnixConn, open bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if open {
		c.conns[conn] = struct{}{}
		return
	}
	delete(c.conns, conn)
	_ = conn.Close()
}

func (c *control) serve(ctx context.Context, conn *net.UnixConn) {
	if uid, err := peer(conn); err != nil || uid != 0 {
		c.s.cfg.Log.Warn("control socket refused", slog.Int("uid", uid), slog.Any("cause", err))
		return
	}
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, maxRequest)
	answers := json.NewEncoder(conn)
	for lines.Scan() {
		var req request
		var resp response
		err := json.Unmarshal(lines.Bytes(), &req)
		if err == nil {
			resp, err = c.answer(ctx, req)
		}
		if err != nil {
			resp.Error = err.Error()
		}
		if answers.Encode(resp) != nil {
			return // it has gone away
		}
	}
}

func (c *control) answer(ctx context.Context, req request) (response, error) {
	switch {
	case req.Op == opReload:
		ctx, cancel := context.WithTimeout(ctx, reloadLimit)
		defer cancel()
		return response{}, c.s.reload(ctx, req.Service)
	case req.Op == opEnsure && req.Activation != nil:
		return response{}, c.s.activity.ensure(*req.Activation)
	case req.Op == opRemove:
		return response{}, c.s.activity.remove(req.Name)
	case req.Op == opServices:
		return response{Services: c.s.Services()}, nil
	}
	return response{}, fmt.Errorf("request %q is not known", req.Op)
}

// peer is the user at the other end (SO_PEERCRED, unix(7)).
func peer(conn *net.UnixConn) (int, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return -1, err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return -1, err
	}
	if credErr != nil {
		return -1, credErr
	}
	return int(cred.Uid), nil
}

func (c *control) close() {
	c.cancel()
	_ = c.listener.Close() // also removes the socket's file
	c.mu.Lock()
	for conn := range c.conns {
		_ = conn.Close()
	}
	c.mu.Unlock()
	c.done.Wait()
}
