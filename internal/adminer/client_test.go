package adminer

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// answering is a socket behind which every request gets these bytes.
func answering(t *testing.T, answer string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				asked := make(chan struct{})
				go func() {
					defer close(asked)
					readRequest(c)
				}()
				_, _ = c.Write([]byte(answer))
				<-asked // who closes before breaks the writing off
				_ = c.Close()
			}()
		}
	}()
	return path
}

// readRequest reads records until that which ends the body, or an error.
func readRequest(c io.Reader) {
	const standardIn, header = 5, 8
	for {
		var h [header]byte
		if _, err := io.ReadFull(c, h[:]); err != nil {
			return
		}
		length := int64(h[4])<<8 + int64(h[5])
		if _, err := io.CopyN(io.Discard, c, length+int64(h[6])); err != nil || h[1] == standardIn && length == 0 {
			return
		}
	}
}

func printed(text string) string { return string(record(nil, standardOut, []byte(text))) }

func TestDo(t *testing.T) {
	end := string(record(nil, endRequest, make([]byte, 8)))
	ask := func(answer string) (int, string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		res, err := Do(ctx, answering(t, answer), map[string]string{"A": strings.Repeat("x", 200)}, strings.NewReader("body"))
		if err != nil {
			return 0, "", err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		return res.StatusCode, string(body), err
	}
	t.Run("an answer in pieces", func(t *testing.T) {
		answer := printed("Status: 404 No") + printed("t Found\r\nX: y\r\n\r\nhe") + string(record(nil, standardErr, []byte("a warning"))) + printed("llo") + end
		if status, body, err := ask(answer); status != 404 || body != "hello" || err != nil {
			t.Errorf("%d, %q, %v", status, body, err)
		}
	})
	t.Run("what is longer than a record", func(t *testing.T) {
		long := strings.Repeat("0123456789", 20000)
		var answer strings.Builder
		answer.WriteString(printed("A: b\r\n\r\n"))
		for rest := long; rest != ""; {
			n := min(len(rest), maxContent)
			answer.WriteString(printed(rest[:n]))
			rest = rest[n:]
		}
		if status, body, err := ask(answer.String() + end); status != 200 || body != long || err != nil {
			t.Errorf("%d, %d bytes, %v", status, len(body), err)
		}
	})
	for name, answer := range map[string]string{
		"nothing":                "",
		"no FastCGI":             "HTTP/1.1 200 OK\r\n\r\nhello",
		"headers without end":    strings.Repeat(printed("X: "+strings.Repeat("y", 60000)+"\r\n"), 20),
		"a status that is none":  printed("Status: 1e3\r\n\r\n") + end,
		"a status that is small": printed("Status: 101 Switching\r\n\r\n") + end,
		"an end in the middle":   printed("A: b\r\n\r\nhalf"),
		"half a record":          printed("A: b\r\n\r\n") + "\x01\x06\x00\x01\xff\xff\x00\x00abc",
		"an end and no headers":  end,
	} {
		t.Run(name, func(t *testing.T) {
			if status, body, err := ask(answer); err == nil {
				t.Errorf("%d, %q is taken for an answer", status, body)
			}
		})
	}
}
