package ftpd

import "errors"

// maxLine is the longest command: a path of PATH_MAX bytes and its verb.
const maxLine = 4096 + 64

// Lines that are no commands.
var (
	errLongLine    = errors.New("line too long")
	errControlByte = errors.New("control byte in a line")
)

// Telnet bytes, RFC 854, that clients put before an ABOR.
const (
	telnetIAC  = 0xff
	telnetDont = 0xfe
	telnetWill = 0xfb
)

// lineScanner makes command lines of the bytes of a control connection. It
// takes out what belongs to Telnet and never holds more than one line.
type lineScanner struct {
	line   []byte
	err    error // why the line that is coming in will not do
	telnet byte  // 0, or the bytes of a Telnet command before this one
}

// push takes a byte. When it ends a line, that is returned without its end, or
// the error that is wrong with it; the line is valid until the next push.
func (l *lineScanner) push(b byte) (line []byte, err error, done bool) {
	switch l.telnet {
	case telnetIAC:
		l.telnet = 0
		switch {
		case b == telnetIAC: // 255 itself is sent twice
			l.add(b)
		case b >= telnetWill && b <= telnetDont: // an option follows
			l.telnet = b
		}
		return nil, nil, false
	case 0:
	default:
		l.telnet = 0
		return nil, nil, false
	}
	switch b {
	case telnetIAC:
		l.telnet = b
	case '\n':
		line, err = l.line, l.err
		if n := len(line); n > 0 && line[n-1] == '\r' {
			line = line[:n-1]
		}
		if err == nil && hasControl(line) {
			err = errControlByte
		}
		l.line, l.err = l.line[:0], nil
		return line, err, true
	default:
		l.add(b)
	}
	return nil, nil, false
}

func (l *lineScanner) add(b byte) {
	if len(l.line) >= maxLine {
		l.err = errLongLine
		return
	}
	l.line = append(l.line, b)
}

// hasControl finds what may be in no name that we make or show.
func hasControl[T string | []byte](s T) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return true
		}
	}
	return false
}
