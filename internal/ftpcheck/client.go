package ftpcheck

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"time"
)

// client speaks as much FTP as the check needs.
type client struct {
	net.Conn
	text   *textproto.Conn
	secure *tls.Config // of data connections; nil in clear
}

// connect waits for the greeting.
func connect(ctx context.Context, address string) (*client, error) {
	conn, err := dial(ctx, address)
	if err != nil {
		return nil, err
	}
	c := &client{Conn: conn, text: textproto.NewConn(conn)}
	if _, line, err := c.text.ReadResponse(220); err != nil || line == "" {
		return nil, errors.Join(errOther, err, conn.Close())
	}
	return c, nil
}

// cmd sends a command and wants a reply of that code.
func (c *client) cmd(want int, format string, args ...any) (reply string, err error) {
	line := fmt.Sprintf(format, args...)
	if strings.ContainsAny(line, "\r\n") {
		return "", errors.New("ftpcheck: a line end in a command")
	}
	_ = c.SetDeadline(time.Now().Add(stepTime))
	if err := c.text.PrintfLine("%s", line); err != nil {
		return "", err
	}
	_, reply, err = c.text.ReadResponse(want)
	return reply, err
}

func (c *client) startTLS(ctx context.Context, config *tls.Config) error {
	if _, err := c.cmd(234, "AUTH TLS"); err != nil {
		return err
	}
	config.ClientSessionCache = tls.NewLRUClientSessionCache(2) // where data connections must resume the session
	if config.ServerName == "" {
		config.ServerName = "ftp"
	}
	conn := tls.Client(c.Conn, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return err
	}
	c.Conn, c.text, c.secure = conn, textproto.NewConn(conn), config
	return nil
}

func (c *client) login(a Account) error {
	if _, err := c.cmd(331, "USER %s", a.Login); err != nil {
		return err
	}
	if _, err := c.cmd(230, "PASS %s", a.Password); err != nil {
		return err
	}
	lines := []string{"TYPE I"}
	if c.secure != nil {
		lines = []string{"PBSZ 0", "PROT P", "TYPE I"}
	}
	for _, line := range lines {
		if _, err := c.cmd(200, "%s", line); err != nil {
			return err
		}
	}
	return nil
}

// transfer opens a data connection, gives the command and lets use have it.
func (c *client) transfer(command string, use func(net.Conn) error) error {
	line, err := c.cmd(229, "EPSV")
	if err != nil {
		return fmt.Errorf("ftpcheck: no data port: %s", answer(err)) // it is the data connection that fails
	}
	var port int
	if i := strings.Index(line, "(|||"); i < 0 {
		return errOther
	} else if _, err := fmt.Sscanf(line[i:], "(|||%d|)", &port); err != nil {
		return fmt.Errorf("ftpcheck: %w", err)
	}
	host, _, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		return fmt.Errorf("ftpcheck: %w", err)
	}
	data, err := (&net.Dialer{Timeout: stepTime}).Dial("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return fmt.Errorf("ftpcheck: %w", err)
	}
	defer data.Close()
	if _, err := c.cmd(150, "%s", command); err != nil {
		return err
	}
	_ = data.SetDeadline(time.Now().Add(stepTime))
	if c.secure != nil {
		data = tls.Client(data, c.secure)
	}
	if err := use(data); err != nil {
		return fmt.Errorf("ftpcheck: %w", err)
	}
	if err := data.Close(); err != nil {
		return fmt.Errorf("ftpcheck: %w", err)
	}
	_ = c.SetDeadline(time.Now().Add(stepTime))
	_, _, err = c.text.ReadResponse(226)
	return err
}

// quit ends the session and waits until it has ended, so that one more fits
// into a login's number of them.
func (c *client) quit() {
	if _, err := c.cmd(221, "QUIT"); err == nil {
		_, _ = c.text.ReadLine()
	}
}

// maxNames is how much of a directory is read.
const maxNames = 1 << 20

func (c *client) list(dir string) ([]string, error) {
	var names []string
	err := c.transfer(strings.TrimSpace("NLST "+dir), func(data net.Conn) error {
		lines := bufio.NewScanner(io.LimitReader(data, maxNames))
		for lines.Scan() {
			names = append(names, strings.TrimRight(lines.Text(), "\r"))
		}
		return lines.Err()
	})
	return names, err
}

func (c *client) put(name, text string) error {
	return c.transfer("STOR "+name, func(data net.Conn) error {
		_, err := io.WriteString(data, text)
		return err
	})
}
