package testenv

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"net"
	"strings"
	"testing"
	"time"
)

// FastCGI's record types, as far as one request needs them.
const (
	fcgiBegin  = 1
	fcgiEnd    = 3
	fcgiParams = 4
	fcgiStdin  = 5
	fcgiStdout = 6
)

// phpAnswer is how long a script may take.
const phpAnswer = 15 * time.Second

// PHP asks the PHP behind a FastCGI socket for a script, by its path as PHP
// sees it, and gives all that it printed: headers, an empty line, the text. env
// adds to the request's variables.
func PHP(tb testing.TB, socket, script string, env map[string]string) (string, error) {
	tb.Helper()
	conn, err := (&net.Dialer{Timeout: phpAnswer}).DialContext(tb.Context(), "unix", socket)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(phpAnswer))
	if _, err := conn.Write(request(script, env)); err != nil {
		return "", err
	}
	var stdout strings.Builder
	for {
		var header [8]byte
		if _, err := io.ReadFull(conn, header[:]); err != nil {
			return stdout.String(), fmt.Errorf("no end of request: %w", err)
		}
		length, padding := int(binary.BigEndian.Uint16(header[4:])), int(header[6])
		body := make([]byte, length+padding)
		if _, err := io.ReadFull(conn, body); err != nil {
			return stdout.String(), err
		}
		switch header[1] {
		case fcgiStdout:
			stdout.Write(body[:length])
		case fcgiEnd:
			return stdout.String(), nil
		}
	}
}

func request(script string, env map[string]string) []byte {
	var out, params bytes.Buffer
	record := func(kind byte, body []byte) {
		out.Write([]byte{1, kind, 0, 1, byte(len(body) >> 8), byte(len(body)), 0, 0})
		out.Write(body)
	}
	record(fcgiBegin, []byte{0, 1, 0, 0, 0, 0, 0, 0}) // as responder
	all := map[string]string{
		"SCRIPT_FILENAME": script, "REQUEST_METHOD": "GET", "SERVER_PROTOCOL": "HTTP/1.1", "GATEWAY_INTERFACE": "CGI/1.1",
	}
	maps.Copy(all, env)
	for k, v := range all {
		params.Write([]byte{byte(len(k)), byte(len(v))}) // both shorter than 128
		params.WriteString(k + v)
	}
	record(fcgiParams, params.Bytes())
	record(fcgiParams, nil)
	record(fcgiStdin, nil)
	return out.Bytes()
}
