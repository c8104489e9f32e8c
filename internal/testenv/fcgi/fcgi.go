// Package fcgi asks a FastCGI application for one answer, as a web server does:
// for tests and measurements of the PHP behind a socket. It keeps no connection
// and sends no body.
package fcgi

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"net"
	"strings"
	"time"
)

// Record types (FastCGI Specification, section 8).
const (
	beginRequest = 1
	endRequest   = 3
	params       = 4
	stdin        = 5
	stdout       = 6
	stderr       = 7
)

// limit is how long a script may take.
const limit = 15 * time.Second

// Get asks the application behind a unix socket for a script, by its path as
// the application sees it, and gives the text that it printed, without its
// headers. env adds to the request's variables.
func Get(ctx context.Context, socket, script string, env map[string]string) (string, error) {
	conn, err := (&net.Dialer{Timeout: limit}).DialContext(ctx, "unix", socket)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return "", err
	}
	if _, err := conn.Write(request(script, env)); err != nil {
		return "", err
	}
	var out, errs strings.Builder
	for {
		var header [8]byte
		if _, err := io.ReadFull(conn, header[:]); err != nil {
			return "", fmt.Errorf("no end of request: %w", err)
		}
		length, padding := int(binary.BigEndian.Uint16(header[4:])), int(header[6])
		body := make([]byte, length+padding)
		if _, err := io.ReadFull(conn, body); err != nil {
			return "", err
		}
		switch header[1] {
		case stdout:
			out.Write(body[:length])
		case stderr:
			errs.Write(body[:length])
		case endRequest:
			_, text, found := strings.Cut(out.String(), "\r\n\r\n")
			if !found {
				return "", fmt.Errorf("no headers: %q %q", out.String(), errs.String())
			}
			return text, nil
		}
	}
}

func request(script string, env map[string]string) []byte {
	var out, vars bytes.Buffer
	record := func(kind byte, body []byte) {
		out.Write([]byte{1, kind, 0, 1, byte(len(body) >> 8), byte(len(body)), 0, 0})
		out.Write(body)
	}
	record(beginRequest, []byte{0, 1, 0, 0, 0, 0, 0, 0}) // as responder
	all := map[string]string{
		"SCRIPT_FILENAME": script, "REQUEST_METHOD": "GET", "SERVER_PROTOCOL": "HTTP/1.1", "GATEWAY_INTERFACE": "CGI/1.1",
	}
	maps.Copy(all, env)
	for k, v := range all {
		vars.Write([]byte{byte(len(k)), byte(len(v))}) // both shorter than 128
		vars.WriteString(k + v)
	}
	record(params, vars.Bytes())
	record(params, nil)
	record(stdin, nil)
	return out.Bytes()
}
