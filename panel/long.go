package panel

import (
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"cancale/internal/hosting"
)

// long is a route that goes beyond the usual bounds of a request.
type long struct {
	stream bool          // its handler reads the body, and writes the answer, as they come
	body   int64         // the longest form, in bytes; 0 is what all others may have
	time   time.Duration // how long it may take; 0 is what all others may
}

// patient is how long an act on many files may take.
const patient = 10 * time.Minute

// slowPost is route for a form that takes long, or is long itself.
func (s *server) slowPost(path string, need hosting.Permission, l long, h func(*Request) error) {
	s.longs[http.MethodPost+" "+path] = l
	s.route(http.MethodPost, path, need, h)
}

// streamRoute is route for what is as long as a file is. Nothing is read of the
// body before its handler, which must call checkTicket when it changes
// anything.
func (s *server) streamRoute(method, path string, need hosting.Permission, h func(*Request) error) {
	s.needs[method+" "+path] = need
	s.longs[method+" "+path] = long{stream: true}
	s.echo.Add(method, path, func(c echo.Context) error {
		r, err := s.receive(c)
		if err != nil {
			return err
		}
		r.need = need
		if passed, err := r.gate(); !passed {
			return err
		}
		return h(r)
	})
}

func (s *server) long(c echo.Context) (long, bool) {
	l, found := s.longs[c.Request().Method+" "+c.Path()]
	return l, found
}

func (s *server) isLong(c echo.Context) bool {
	_, found := s.long(c)
	return found
}

func (s *server) notCompressed(c echo.Context) bool {
	l, _ := s.long(c)
	return l.stream || isAsset(c)
}

func (s *server) patience(c echo.Context) time.Duration {
	l, _ := s.long(c)
	return max(l.time, requestTimeout)
}

// maxForm is what every form may have at least, as bodyLimit says.
const maxForm = 256 << 10

// beyond prepares the connection for a long request that is no stream.
func (s *server) beyond(c echo.Context) {
	l, found := s.long(c)
	if !found {
		return
	}
	req := c.Request()
	req.Body = http.MaxBytesReader(c.Response(), req.Body, max(l.body, maxForm))
	if l.time > 0 {
		// The answer comes late; that is not a connection that stands still.
		_ = http.NewResponseController(c.Response().Writer).SetWriteDeadline(time.Now().Add(l.time + requestTimeout))
	}
}

// standstill is how long a stream may not move.
const standstill = time.Minute

// stream is a body or an answer whose connection is given time as long as it
// moves.
type stream struct {
	controller *http.ResponseController
	in         io.Reader
	out        io.Writer
	next       time.Time
}

func (r *Request) stream(in io.Reader) *stream {
	w := r.echo.Response()
	m := &stream{controller: http.NewResponseController(w.Writer), in: in, out: w}
	m.more()
	return m
}

// more gives time, not for each piece.
func (m *stream) more() {
	now := time.Now()
	if now.Before(m.next) {
		return
	}
	_ = m.controller.SetReadDeadline(now.Add(standstill))
	_ = m.controller.SetWriteDeadline(now.Add(standstill))
	m.next = now.Add(time.Second)
}

// Read reads a piece of the body.
func (m *stream) Read(p []byte) (int, error) {
	m.more()
	return m.in.Read(p)
}

// Write writes a piece of the answer.
func (m *stream) Write(p []byte) (int, error) {
	m.more()
	return m.out.Write(p)
}
