package supervise

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const (
	// maxLog is the size at which a service's log is set aside when the service
	// starts, and at which the supervisor empties it while it runs.
	maxLog = 16 << 20
	// maxProgramLog is what a site's program may write in one run: it is the
	// site's hand that writes.
	maxProgramLog = 256 << 10
)

// openLog opens a log for appending, after setting aside one that has grown.
func openLog(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
}

// trimLog sets aside what a running service has written when it is much. The
// service holds the file open for appending, so it stays and is emptied; what is
// written between the copy and that is lost.
func trimLog(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() <= maxLog {
		return err
	}
	aside, err := os.OpenFile(path+".1", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(aside, f)
	return errors.Join(err, aside.Close(), f.Truncate(0))
}

// withLastLine adds to err the last line that was written to log from an offset
// on: what the daemon itself said.
func withLastLine(err error, log *os.File, from int64) error {
	text, readErr := io.ReadAll(io.NewSectionReader(log, from, maxLog))
	if readErr != nil {
		return err
	}
	return addLine(err, text)
}

func addLine(err error, text []byte) error {
	text = bytes.TrimRight(text, "\n \t")
	line := string(text[bytes.LastIndexByte(text, '\n')+1:])
	if line == "" {
		return err
	}
	const longest = 400
	if len(line) > longest {
		line = line[:longest] + "…"
	}
	return fmt.Errorf("%w (%s)", err, strings.ToValidUTF8(line, "?"))
}

// programLog takes the output of a site's program: the beginning goes to a
// file, the rest nowhere, so that the program can neither fill the disk nor
// block.
type programLog struct {
	file *os.File
	left int
	tail []byte
}

func (l *programLog) Write(p []byte) (int, error) {
	keep := p[:min(len(p), l.left)]
	if len(keep) > 0 {
		l.left -= len(keep)
		if _, err := l.file.Write(keep); err != nil {
			l.left = 0 // the disk is full; the program goes on
		}
	}
	const tail = 1 << 10
	l.tail = append(l.tail, p...)
	if len(l.tail) > tail {
		l.tail = append(l.tail[:0], l.tail[len(l.tail)-tail:]...)
	}
	return len(p), nil
}
