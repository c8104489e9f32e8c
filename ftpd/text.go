package ftpd

import (
	"bytes"
	"io"
)

// Of TYPE A, RFC 959 section 3.1.1.1: on the way lines end in CR LF, in the
// files in LF, as everything on this system wants them.

// textReader takes the CR from every CR LF of an upload.
type textReader struct {
	r  io.Reader
	cr bool // the last byte was a CR, which is still held
}

// Read needs room for two bytes.
func (t *textReader) Read(p []byte) (int, error) {
	for {
		held := 0
		if t.cr {
			p[0], held = '\r', 1
		}
		n, err := t.r.Read(p[held:])
		t.cr = false
		came, out := p[:held+n], 0
		for i, b := range came {
			if b == '\r' {
				if i+1 < len(came) && came[i+1] == '\n' {
					continue
				}
				if i+1 == len(came) && err == nil {
					t.cr = true
					break
				}
			}
			p[out] = b
			out++
		}
		if out > 0 || err != nil {
			return out, err
		}
	}
}

// textWriter gives a CR to every LF of a download that has none.
type textWriter struct {
	w   io.Writer
	cr  bool // the last byte was a CR
	buf []byte
}

func (t *textWriter) Write(p []byte) (int, error) {
	t.buf = t.buf[:0]
	for rest := p; len(rest) > 0; {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			t.buf = append(t.buf, rest...)
			t.cr = rest[len(rest)-1] == '\r'
			break
		}
		t.buf = append(t.buf, rest[:i]...)
		if has := i > 0 && rest[i-1] == '\r' || i == 0 && t.cr; !has {
			t.buf = append(t.buf, '\r')
		}
		t.buf = append(t.buf, '\n')
		t.cr = false
		rest = rest[i+1:]
	}
	if _, err := t.w.Write(t.buf); err != nil {
		return 0, err
	}
	return len(p), nil
}

// sendText sends n bytes of a file as text.
func sendText(w io.Writer, r io.Reader, n int64) error {
	buf := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buf)
	sent, err := io.CopyBuffer(&textWriter{w: w}, struct{ io.Reader }{io.LimitReader(r, n)}, buf[:])
	if err == nil && sent < n {
		err = io.ErrUnexpectedEOF // the file became shorter
	}
	return err
}
