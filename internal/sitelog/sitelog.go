// Package sitelog reads Apache's one stream of log records and writes them to
// each site's own files, which root and the panel can read and no site can
// reach. It takes the secret tokens of paths out on the way, escapes what could
// steer a terminal, keeps the files from growing without end, and counts what
// passes (count.go), so that no log is ever read for its figures. What reads
// the files for people is here too (read.go), and what makes them go (keep.go).
//
// It never makes Apache wait for a slow disk for long: what cannot be written
// then is left out, and counted. It decides nothing about sites; a link that
// the Apache driver keeps leads from a host name to the site's directory. It
// keeps no visitor's address but in the logs themselves.
package sitelog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"cancale/internal/config"
)

// separator begins each record; Apache escapes control characters in all that
// comes from outside, so that nobody can begin a record of his own.
const separator = 0x1e

const (
	pipeSize  = 1 << 20  // asked of the kernel, so that a burst fits
	chunkSize = 64 << 10 // of one read
	chunks    = 256      // read and not yet written: 16 MiB
	atOnce    = 64
	patience  = time.Second // that Apache may be made to wait once when they are full
	maxRecord = 16 << 10    // longer ones are cut
)

// Run splits the stream until it ends. When r is a file that takes deadlines
// and ctx ends, what is in the pipe by then is the last of it.
func Run(ctx context.Context, r io.Reader, layout config.Layout) error {
	if f, ok := r.(*os.File); ok {
		p, err := newPipe(f)
		if err != nil {
			return fmt.Errorf("sitelog: %w", err)
		}
		defer context.AfterFunc(ctx, p.last)()
		r = p
	}
	s := newSplitter(layout, limits{})
	return s.run(context.WithoutCancel(ctx), r)
}

// pipe is a stream whose writer never closes it.
type pipe struct {
	*os.File
	raw syscall.RawConn
}

func newPipe(f *os.File) (pipe, error) {
	raw, err := f.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			_, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeSize) // a wish only
		})
	}
	return pipe{f, raw}, err
}

// last makes what is in the pipe now its end.
func (p pipe) last() { _ = p.SetReadDeadline(time.Unix(1, 0)) }

// Read reads from the pipe; after last, only what is there.
func (p pipe) Read(b []byte) (int, error) {
	n, err := p.File.Read(b)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	// The deadline keeps the runtime from reading; the file does not block.
	controlErr := p.raw.Control(func(fd uintptr) { n, err = unix.Read(int(fd), b) })
	if controlErr != nil || n <= 0 || err != nil {
		return 0, io.EOF
	}
	return n, nil
}

// splitter is the state of one stream.
type splitter struct {
	files   *files
	names   *names
	counter *counter
	tokens  *regexp.Regexp
	root    []byte
	now     time.Time // when the part of the stream that is being cut came
	rest    []byte    // the beginning of a record whose end has not come yet
	batch   map[target][]byte
	dropped atomic.Int64
}

// target is a file of a site, or of the server itself when the site is 0.
type target struct {
	site  uint64
	error bool
}

func newSplitter(layout config.Layout, l limits) *splitter {
	return &splitter{
		files:   newFiles(layout, l.orDefaults()),
		names:   newNames(layout),
		counter: newCounter(layout),
		tokens:  regexp.MustCompile(regexp.QuoteMeta(layout.Root) + `/+([tf])/+[0-9a-f]{32}`),
		root:    []byte(layout.Root + "/"),
		batch:   map[target][]byte{},
	}
}

func (s *splitter) run(ctx context.Context, r io.Reader) error {
	full := make(chan []byte, chunks)
	readErr := make(chan error, 1)
	go func() {
		defer close(full)
		readErr <- s.read(r, full)
	}()
	defer s.files.close()
	defer s.counter.write()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for open := true; open; {
		var chunk []byte
		select {
		case chunk, open = <-full:
			s.split(chunk)
		case now := <-tick.C:
			s.counter.writeDue(now)
			continue
		}
		// What waits already is written along: one write for each file.
		for range min(len(full), atOnce) {
			s.split(<-full) // nil, once there will be no more
		}
		if n := s.dropped.Swap(0); n > 0 {
			s.add(target{error: true}, fmt.Appendf(nil, "cancale: %d bytes of the log were left out: the disk was too slow", n))
		}
		if err := s.write(); err != nil {
			slog.ErrorContext(ctx, "log not written", slog.Any("error", err))
		}
	}
	if len(s.rest) > 0 {
		s.record(s.rest)
		if err := s.write(); err != nil {
			slog.ErrorContext(ctx, "log not written", slog.Any("error", err))
		}
	}
	if err := <-readErr; err != nil {
		return fmt.Errorf("sitelog: %w", err)
	}
	return nil
}

// read empties the pipe, whatever the disk does.
func (s *splitter) read(r io.Reader, full chan<- []byte) error {
	wait := time.NewTimer(patience)
	defer wait.Stop()
	stalled := false // once it has waited in vain, it waits no more until there is room
	for {
		chunk := make([]byte, chunkSize)
		n, err := r.Read(chunk)
		if n > 0 {
			if stalled {
				wait.Reset(0)
			} else {
				wait.Reset(patience)
			}
			select {
			case full <- chunk[:n]:
				stalled = false
			case <-wait.C:
				s.dropped.Add(int64(n))
				stalled = true
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// split cuts a part of the stream into records.
func (s *splitter) split(chunk []byte) {
	s.now = time.Now()
	data := chunk
	if len(s.rest) > 0 {
		data = append(s.rest, chunk...)
		s.rest = nil
	}
	for len(data) > 0 {
		// A record ends with its line. Where two processes' writes were mixed,
		// the next separator ends it too.
		end := bytes.IndexByte(data, '\n')
		if next := bytes.IndexByte(data[1:], separator); next >= 0 && (end < 0 || next+1 < end) {
			s.record(data[:next+1])
			data = data[next+1:]
			continue
		}
		if end < 0 {
			break
		}
		s.record(data[:end])
		data = data[end+1:]
	}
	if len(data) > maxRecord {
		s.record(data)
		data = nil
	}
	s.rest = append([]byte(nil), data...)
}

// record takes one record, or a line that is none, to its file.
func (s *splitter) record(record []byte) {
	if len(record) == 0 {
		return
	}
	if record[0] == separator && len(record) > 3 && (record[1] == 'A' || record[1] == 'E') && record[2] == ' ' {
		if host, line, ok := bytes.Cut(record[3:], []byte{' '}); ok {
			to := target{site: s.names.site(host, s.now), error: record[1] == 'E'}
			s.add(to, line)
			if !to.error && to.site != 0 {
				s.counter.add(to.site, line, s.now)
			}
			return
		}
	}
	s.add(target{error: true}, bytes.TrimPrefix(record, []byte{separator}))
}

// add puts a line into what is next written to a file.
func (s *splitter) add(to target, line []byte) {
	if len(line) > maxRecord {
		line = line[:maxRecord]
	}
	if bytes.Contains(line, s.root[:len(s.root)-1]) {
		line = s.tokens.ReplaceAllFunc(line, func(path []byte) []byte {
			if bytes.HasPrefix(bytes.TrimLeft(path[len(s.root)-1:], "/"), []byte("t")) {
				return []byte(config.SiteHome)
			}
			return []byte("/run/fpm")
		})
	}
	s.batch[to] = append(appendSafe(s.batch[to], line), '\n')
}

// appendSafe adds a line; control characters, and bytes that are not UTF-8,
// become \xNN as in Apache's own logs.
func appendSafe(to, line []byte) []byte {
	const digits = "0123456789abcdef"
	for len(line) > 0 {
		plain := 0
		for plain < len(line) && line[plain] >= ' ' && line[plain] < 0x7f {
			plain++
		}
		if plain > 0 {
			to, line = append(to, line[:plain]...), line[plain:]
			continue
		}
		r, size := utf8.DecodeRune(line)
		if r == utf8.RuneError && size == 1 || unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			for _, b := range line[:size] {
				to = append(to, '\\', 'x', digits[b>>4], digits[b&15])
			}
		} else {
			to = append(to, line[:size]...)
		}
		line = line[size:]
	}
	return to
}

// write brings what has gathered to the files, one write for each.
func (s *splitter) write() error {
	var errs []error
	for to, data := range s.batch {
		errs = append(errs, s.files.write(to, data))
	}
	clear(s.batch)
	return errors.Join(errs...)
}

// nameFor is how long a name is believed to lead to the same site.
const nameFor = 2 * time.Second

// maxNames bounds what is remembered; beyond it all is asked again.
const maxNames = 50_000

// names remembers which site a host name leads to.
type names struct {
	layout config.Layout
	known  map[string]named
}

type named struct {
	site  uint64
	until time.Time
}

func newNames(layout config.Layout) *names {
	return &names{layout: layout, known: map[string]named{}}
}

// site is the site that a host name leads to; 0 when it leads to none.
func (n *names) site(name []byte, now time.Time) uint64 {
	if k, ok := n.known[string(name)]; ok && now.Before(k.until) {
		return k.site
	}
	host := string(name)
	if len(n.known) >= maxNames {
		clear(n.known)
	}
	k := named{site: n.look(host), until: now.Add(nameFor)}
	n.known[host] = k
	return k.site
}

const targetPrefix = "../sites/"

func (n *names) look(host string) uint64 {
	if host == "" || host[0] == '.' || len(host) > 255 || strings.Contains(host, "/") {
		return 0
	}
	to, err := os.Readlink(n.layout.SiteLogName(host))
	if err != nil || len(to) <= len(targetPrefix) || to[:len(targetPrefix)] != targetPrefix {
		return 0
	}
	id, err := strconv.ParseUint(to[len(targetPrefix):], 10, 64)
	if err != nil {
		return 0
	}
	return id
}
