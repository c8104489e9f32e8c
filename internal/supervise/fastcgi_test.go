package supervise

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// FastCGI's record types and roles, as far as one request needs them.
const (
	fcgiBegin  = 1
	fcgiEnd    = 3
	fcgiParams = 4
	fcgiStdin  = 5
	fcgiStdout = 6
	fcgiStderr = 7
)

// ask sends one request for a script to a FastCGI socket and gives what it
// printed, after its headers.
func ask(socket, script string) (string, error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	var out bytes.Buffer
	record := func(kind byte, body []byte) {
		out.Write([]byte{1, kind, 0, 1, byte(len(body) >> 8), byte(len(body)), 0, 0})
		out.Write(body)
	}
	record(fcgiBegin, []byte{0, 1, 0, 0, 0, 0, 0, 0}) // responder
	var params bytes.Buffer
	for k, v := range map[string]string{
		"SCRIPT_FILENAME": script, "REQUEST_METHOD": "GET", "SERVER_PROTOCOL": "HTTP/1.1", "GATEWAY_INTERFACE": "CGI/1.1",
	} {
		params.Write([]byte{byte(len(k)), byte(len(v))})
		params.WriteString(k + v)
	}
	record(fcgiParams, params.Bytes())
	record(fcgiParams, nil)
	record(fcgiStdin, nil)
	if _, err := conn.Write(out.Bytes()); err != nil {
		return "", err
	}
	var stdout, stderr strings.Builder
	for {
		var header [8]byte
		if _, err := io.ReadFull(conn, header[:]); err != nil {
			return "", fmt.Errorf("no end of request: %w", err)
		}
		body := make([]byte, int(binary.BigEndian.Uint16(header[4:6]))+int(header[6]))
		if _, err := io.ReadFull(conn, body); err != nil {
			return "", err
		}
		body = body[:binary.BigEndian.Uint16(header[4:6])]
		switch header[1] {
		case fcgiStdout:
			stdout.Write(body)
		case fcgiStderr:
			stderr.Write(body)
		case fcgiEnd:
			_, text, found := strings.Cut(stdout.String(), "\r\n\r\n")
			if !found {
				return "", errors.New("no headers: " + stdout.String() + stderr.String())
			}
			return text, nil
		}
	}
}
