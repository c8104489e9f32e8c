package supervise

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	"cancale/internal/config"
	"cancale/internal/host"
)

// Client asks the supervisor of an installation. It holds nothing open and may
// be used by several goroutines at once.
type Client struct {
	Socket string // Layout.SupervisorSocket(), as this process sees it
}

var _ host.Services = Client{}

// answerLimit is for an answer of the supervisor, when ctx has no deadline of
// its own.
const answerLimit = 45 * time.Second

// Reload makes a service read its configuration anew.
func (c Client) Reload(ctx context.Context, service string) error {
	_, err := c.ask(ctx, request{Op: opReload, Service: service})
	return err
}

// EnsureActivated keeps a listening socket that starts a program.
func (c Client) EnsureActivated(ctx context.Context, a host.Activation) error {
	_, err := c.ask(ctx, request{Op: opEnsure, Activation: &a})
	return err
}

// RemoveActivated stops a program and forgets its socket.
func (c Client) RemoveActivated(ctx context.Context, name string) error {
	_, err := c.ask(ctx, request{Op: opRemove, Name: name})
	return err
}

// Services are the services and their states.
func (c Client) Services(ctx context.Context) ([]config.Service, error) {
	resp, err := c.ask(ctx, request{Op: opServices})
	return resp.Services, err
}

func (c Client) ask(ctx context.Context, req request) (response, error) {
	resp, err := c.exchange(ctx, req)
	if err != nil {
		return response{}, fmt.Errorf("supervisor: %s: %w", req.Op, err)
	}
	return resp, nil
}

func (c Client) exchange(ctx context.Context, req request) (response, error) {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", c.Socket)
	if err != nil {
		return response{}, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := json.NewEncoder(conn).Encode(req); err != nil {
		return response{}, errors.Join(err, ctx.Err())
	}
	line, err := bufio.NewReader(conn).ReadBytes('\n')
	if err != nil {
		return response{}, errors.Join(err, ctx.Err())
	}
	var resp response
	if err := json.Unmarshal(line, &resp); err != nil {
		return response{}, err
	}
	if resp.Error != "" {
		return response{}, errors.New(resp.Error)
	}
	return resp, nil
}
