package apache

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"cancale/internal/hosting"
)

const (
	// probeEvery is the pause between two questions; a right answer is thus at
	// most that late.
	probeEvery = 2 * time.Millisecond
	// probeOnce is how long one question may take. While Apache reads its new
	// configuration, connections wait for it.
	probeOnce = 5 * time.Second
	// confirmWithin is how long Apache may take to serve what it was given.
	confirmWithin = 20 * time.Second
)

var errOther = errors.New("another version is served")

// probe asks Apache, on a new connection, whether it serves this version.
func (d *Driver) probe(ctx context.Context, host hosting.Hostname, hash string) error {
	status, err := d.ask(ctx, host, hash)
	if err != nil {
		return err
	}
	if status != "204" {
		return errOther
	}
	return nil
}

// ask is the status of the answer to a probe. It speaks as little HTTP as is
// needed, since it is done thousands of times in a row.
func (d *Driver) ask(ctx context.Context, host hosting.Hostname, hash string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, probeOnce)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", d.probeAddress())
	if err != nil {
		return "", fmt.Errorf("probe: %w", err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := fmt.Fprintf(conn, "GET %s%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: cancale\r\nConnection: close\r\n\r\n", probePath, hash, host); err != nil {
		return "", fmt.Errorf("probe: %w", err)
	}
	line, err := bufio.NewReaderSize(conn, 512).ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("probe: %w", err)
	}
	_, rest, _ := strings.Cut(line, " ")
	status, _, _ := strings.Cut(rest, " ")
	return strings.TrimSpace(status), nil
}

func (d *Driver) probeAddress() string {
	bind := d.cfg.Bind
	if addr := net.ParseIP(bind); addr == nil || addr.IsUnspecified() {
		bind = "127.0.0.1"
	}
	return net.JoinHostPort(bind, strconv.Itoa(d.cfg.HTTPPort))
}

// confirm waits until ask, repeated, finds what is wanted.
func (d *Driver) confirm(ctx context.Context, host hosting.Hostname, hash string, served bool) error {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		status, err := d.ask(ctx, host, hash)
		if err == nil && (status == "204") == served {
			return nil
		}
		select {
		case <-ctx.Done():
			if err == nil {
				err = errOther
			}
			return unavailable("site.apache_unconfirmed", err)
		case <-tick.C:
		}
	}
}
