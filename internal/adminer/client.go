package adminer

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
)

// Record types of FastCGI (its specification, section 8).
const (
	beginRequest = 1
	endRequest   = 3
	parameters   = 4
	standardIn   = 5
	standardOut  = 6
	standardErr  = 7
)

// maxContent is the longest content of a record, in bytes, a multiple of 8.
const maxContent = 65528

// maxHead bounds the headers of an answer, in bytes.
const maxHead = 64 << 10

// Do asks the PHP behind the socket, with these variables, and with body as its
// standard input, which may be nil. The answer's body is read and closed by the
// caller; it ends with ctx. The answer is none of ours: its headers are not to
// be believed.
func Do(ctx context.Context, socket string, variables map[string]string, body io.Reader) (*http.Response, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, fmt.Errorf("adminer: %w", err)
	}
	c := &call{conn: conn, in: bufio.NewReader(conn)}
	c.stop = context.AfterFunc(ctx, func() { _ = conn.Close() })
	if _, err := conn.Write(begin(variables)); err != nil {
		return nil, errors.Join(fmt.Errorf("adminer: %w", err), c.Close())
	}
	c.sending.Go(func() { c.send(body) })
	res, err := c.head()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("adminer: %w", err), c.Close())
	}
	return res, nil
}

// call is one request under way. It reads as what the script printed.
type call struct {
	conn    net.Conn
	in      *bufio.Reader
	out     io.Reader // after the headers
	stop    func() bool
	sending sync.WaitGroup

	left, padding int // of the record that is being read
	ended         bool
}

// begin is all that comes before the body.
func begin(variables map[string]string) []byte {
	b := record(nil, beginRequest, []byte{0, 1, 0, 0, 0, 0, 0, 0}) // a responder, whose connection ends with it
	var all []byte
	for k, v := range variables {
		all = appendLength(appendLength(all, len(k)), len(v))
		all = append(append(all, k...), v...)
	}
	for len(all) > 0 {
		n := min(len(all), maxContent)
		b = record(b, parameters, all[:n])
		all = all[n:]
	}
	return record(b, parameters, nil)
}

// record appends one to b.
func record(b []byte, kind byte, content []byte) []byte {
	b = append(b, 1, kind, 0, 1)
	b = binary.BigEndian.AppendUint16(b, uint16(len(content)))
	return append(append(b, 0, 0), content...)
}

func appendLength(b []byte, n int) []byte {
	if n < 128 {
		return append(b, byte(n))
	}
	return binary.BigEndian.AppendUint32(b, uint32(n)|1<<31)
}

// send sends the body. What fails here fails where the answer is read.
func (c *call) send(body io.Reader) {
	buffer, b := make([]byte, 32<<10), []byte(nil)
	for body != nil {
		n, err := body.Read(buffer)
		if n > 0 {
			b = record(b[:0], standardIn, buffer[:n])
			if _, err := c.conn.Write(b); err != nil {
				return
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			_ = c.conn.Close() // half a body must not be taken for a whole
			return
		}
	}
	_, _ = c.conn.Write(record(b[:0], standardIn, nil))
}

// head reads the headers of the answer.
func (c *call) head() (*http.Response, error) {
	limited := &io.LimitedReader{R: readerOf(c.read), N: maxHead}
	in := bufio.NewReaderSize(limited, maxHead)
	header, err := textproto.NewReader(in).ReadMIMEHeader()
	if err != nil {
		return nil, err
	}
	c.out = io.MultiReader(io.LimitReader(in, int64(in.Buffered())), readerOf(c.read))
	res := &http.Response{StatusCode: http.StatusOK, Header: http.Header(header), Body: c}
	if text := header.Get("Status"); text != "" {
		code, _, _ := strings.Cut(text, " ")
		if res.StatusCode, err = strconv.Atoi(code); err != nil || res.StatusCode < 200 || res.StatusCode > 599 {
			return nil, fmt.Errorf("status %q", text)
		}
	} else if header.Get("Location") != "" {
		res.StatusCode = http.StatusFound
	}
	return res, nil
}

type readerOf func([]byte) (int, error)

func (r readerOf) Read(p []byte) (int, error) { return r(p) }

// Read reads what the script printed after its headers.
func (c *call) Read(p []byte) (int, error) { return c.out.Read(p) }

// Close ends the call, also in the middle of it.
func (c *call) Close() error {
	c.stop()
	err := c.conn.Close()
	c.sending.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// read reads what the script printed, headers and all.
func (c *call) read(p []byte) (int, error) {
	for c.left == 0 {
		if c.ended {
			return 0, io.EOF
		}
		if err := c.next(); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF // nothing said that this is the end
			}
			return 0, err
		}
	}
	n, err := c.in.Read(p[:min(len(p), c.left)])
	c.left -= n
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// next reads records until one holds something that was printed, or the end.
func (c *call) next() error {
	if _, err := c.in.Discard(c.padding); err != nil {
		return err
	}
	var head [8]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return err
	}
	length := int(binary.BigEndian.Uint16(head[4:]))
	c.padding = int(head[6])
	switch head[1] {
	case standardOut:
		c.left = length
		return nil
	case endRequest:
		c.ended = true
	case standardErr:
		text := make([]byte, min(length, 1<<10))
		if _, err := io.ReadFull(c.in, text); err != nil {
			return err
		}
		slog.Debug("adminer", slog.String("stderr", string(text)))
		length -= len(text)
	}
	_, err := c.in.Discard(length)
	return err
}
