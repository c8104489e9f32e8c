package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"time"
)

// ftpClient is a session for what no client program measures: logins, sessions
// at rest, one listing.
type ftpClient struct {
	conn net.Conn
	text *textproto.Conn
}

// signIn opens a session.
func (s ftpServer) signIn(ctx context.Context, secured bool) (*ftpClient, error) {
	conn, err := (&net.Dialer{Timeout: time.Minute}).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)))
	if err != nil {
		return nil, err
	}
	c := &ftpClient{conn, textproto.NewConn(conn)}
	if _, _, err = c.text.ReadResponse(220); err == nil && secured {
		if err = c.do(234, "AUTH TLS"); err == nil {
			c.conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
			c.text = textproto.NewConn(c.conn)
		}
	}
	if err == nil {
		err = c.do(331, "USER "+s.user)
	}
	if err == nil {
		err = c.do(230, "PASS "+s.password)
	}
	if err != nil {
		c.close()
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	return c, nil
}

// signInFTP signs in and leaves.
func (s ftpServer) signInFTP(ctx context.Context) error {
	c, err := s.signIn(ctx, false)
	if err == nil {
		c.close()
	}
	return err
}

func (c *ftpClient) close() { _ = c.conn.Close() }

// do gives a command and reads its reply.
func (c *ftpClient) do(code int, line string) error {
	_, err := c.ask(code, line)
	return err
}

func (c *ftpClient) ask(code int, line string) (string, error) {
	if err := c.text.PrintfLine("%s", line); err != nil {
		return "", err
	}
	_, text, err := c.text.ReadResponse(code)
	return text, err
}

// list takes a listing and counts its lines.
func (c *ftpClient) list(ctx context.Context, line string) (lines int, err error) {
	reply, err := c.ask(229, "EPSV")
	if err != nil {
		return 0, err
	}
	_, port, _ := strings.Cut(reply, "(|||")
	port, _, _ = strings.Cut(port, "|")
	data, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return 0, err
	}
	defer data.Close()
	if err := c.do(1, line); err != nil {
		return 0, err
	}
	all, err := io.ReadAll(data)
	if err != nil {
		return 0, err
	}
	_, _, err = c.text.ReadResponse(226)
	return strings.Count(string(all), "\n"), err
}
