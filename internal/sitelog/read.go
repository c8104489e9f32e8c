package sitelog

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	block = 256 << 10 // of one read, from the end
	// maxShown is how much of a line is read; the rest is left out.
	maxShown = 4 << 10
	// searchFor is how long one search goes on before it says how far it came.
	searchFor = 400 * time.Millisecond
)

// Place is a place in a site's log, before which a reader goes on. The zero
// Place is its end.
type Place struct {
	segment Segment // its N is 0 in the file that is written to now
	offset  int64
	set     bool
}

// String is the place as ParsePlace reads it: "", "now:4711" or
// "2026-11-22.1:4711".
func (p Place) String() string {
	switch {
	case !p.set:
		return ""
	case p.segment.N == 0:
		return "now:" + strconv.FormatInt(p.offset, 10)
	}
	return p.segment.Day + "." + strconv.Itoa(p.segment.N) + ":" + strconv.FormatInt(p.offset, 10)
}

// PlaceAt is a place in a log that is one file.
func PlaceAt(offset int64) Place { return Place{offset: offset, set: true} }

// Offset is where the place is in its file.
func (p Place) Offset() int64 { return p.offset }

// ParsePlace reads a place; a text that is none is the end.
func ParsePlace(text string) Place {
	at, digits, ok := strings.Cut(text, ":")
	offset, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || offset < 0 {
		return Place{}
	}
	if at == "now" {
		return Place{offset: offset, set: true}
	}
	day, number, ok := strings.Cut(at, ".")
	n, err := strconv.Atoi(number)
	if !ok || err != nil || n < 1 || !IsDay(day) {
		return Place{}
	}
	return Place{segment: Segment{Day: day, N: n}, offset: offset, set: true}
}

// Query says which lines are wanted.
type Query struct {
	Day    string            // only of that day, "" is any
	Before Place             // only what stands before it
	Most   int               // lines
	Match  func([]byte) bool // nil is any
}

// Found are lines of a log, the latest first.
type Found struct {
	Lines   [][]byte
	Next    Place // where to go on; the zero Place when there is nothing more
	InTime  bool  // false when the search ended because it took long
	Day     string
	Current string // what changes when something is added
}

// Read reads a log of the directory of a site from its end. However large the
// files are, it answers soon, and says where to go on.
func Read(dir string, kind Kind, q Query) (Found, error) {
	deadline := time.Now().Add(searchFor)
	found := Found{InTime: true}
	chain, err := chainOf(dir, kind, q, &found)
	if err != nil {
		return found, fmt.Errorf("sitelog: %w", err)
	}
	for _, s := range chain {
		end := int64(-1)
		if q.Before.set && s.Day == q.Before.segment.Day && s.N == q.Before.segment.N || q.Before.set && s.N == 0 && q.Before.segment.N == 0 {
			end = q.Before.offset
		}
		at := Place{segment: s, set: true}
		if len(found.Lines) >= q.Most || time.Now().After(deadline) {
			at.offset = maxOffset
			found.Next, found.InTime = at, len(found.Lines) >= q.Most
			return found, nil
		}
		if at.offset, err = readSegment(dir, s, end, &q, &found, deadline); err != nil {
			return found, fmt.Errorf("sitelog: %w", err)
		}
		if at.offset > 0 {
			found.Next, found.InTime = at, len(found.Lines) >= q.Most
			return found, nil
		}
	}
	return found, nil
}

// maxOffset stands for the end of a segment, wherever that is.
const maxOffset = 1 << 60

// chainOf are the files to be read, the newest first; the one that is written to
// now has no number.
func chainOf(dir string, kind Kind, q Query, found *Found) ([]Segment, error) {
	var chain []Segment
	info, err := os.Lstat(filepath.Join(dir, kind.current()))
	switch {
	case err == nil:
		found.Current = fmt.Sprintf("%x.%x", info.Size(), info.ModTime().UnixNano())
		chain = append(chain, Segment{Kind: kind, Day: dayOf(info.ModTime())})
	case !isMissing(err):
		return nil, err
	}
	full, err := segments(dir, kind)
	chain = append(chain, full...)
	return slices.DeleteFunc(chain, func(s Segment) bool {
		if q.Day != "" && s.Day != q.Day {
			return true
		}
		b := q.Before
		if !b.set || b.segment.N == 0 {
			return false
		}
		return s.N == 0 || s.Day > b.segment.Day || s.Day == b.segment.Day && s.N > b.segment.N
	}), err
}

// open opens a segment, or the file that is written to now. Nothing but a file
// is opened.
func (s Segment) open(dir string) (*os.File, error) {
	name := s.Kind.current()
	if s.N > 0 {
		name = s.name()
	}
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, f.Close(), errors.New("no file"))
	}
	return f, nil
}

// readSegment reads a segment before end, which may be -1, and answers before
// where it has yet to be read; 0 when it is done.
func readSegment(dir string, s Segment, end int64, q *Query, found *Found, deadline time.Time) (int64, error) {
	f, err := s.open(dir)
	if isMissing(err) {
		return 0, nil // its time is over, or it has just been compressed
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if s.Gzipped {
		return readPacked(f, end, q, found)
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	if end < 0 || end > size {
		end = size
	}
	return Backwards(f, end, deadline, func(line []byte) bool { return found.take(line, q) })
}

// take takes a line in when it is wanted, and reports whether there is room for
// more.
func (f *Found) take(line []byte, q *Query) bool {
	if q.Match == nil || q.Match(line) {
		f.Lines = append(f.Lines, bytes.Clone(line))
	}
	return len(f.Lines) < q.Most
}

// Backwards hands over the lines that end before end, the last one first, until
// take says that it is enough or the time is over. It answers before where there
// is more; 0 at the beginning. Of a long line only the beginning is handed over.
func Backwards(r io.ReaderAt, end int64, deadline time.Time, take func([]byte) bool) (int64, error) {
	var (
		rest []byte // the beginning of what stands after at, up to its first newline
		tail = end  // where the line that rest belongs to ends
	)
	for at := end; at > 0; {
		if at < end && time.Now().After(deadline) {
			if tail == end {
				return at, nil // in the midst of a line that has no end
			}
			return tail, nil
		}
		n := min(block, at)
		at -= n
		part := make([]byte, n, int(n)+len(rest))
		if _, err := r.ReadAt(part, at); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		part = append(part, rest...)
		for {
			last := bytes.LastIndexByte(part[:min(int64(len(part)), n)], '\n')
			if last < 0 {
				break
			}
			line := part[last+1:]
			part, n = part[:last], int64(last)
			if len(line) > 0 && !take(line[:min(len(line), maxShown)]) {
				return at + int64(last) + 1, nil
			}
			tail = at + int64(last) + 1
		}
		rest = part[:min(len(part), maxShown)]
	}
	if len(rest) > 0 {
		take(rest)
	}
	return 0, nil
}

// readPacked reads a compressed segment, from its beginning because there is no
// other way, and holds the last lines that are wanted.
func readPacked(f io.Reader, end int64, q *Query, found *Found) (int64, error) {
	packed, err := gzip.NewReader(f)
	if err != nil {
		return 0, err
	}
	if end < 0 {
		end = maxOffset
	}
	room := q.Most - len(found.Lines)
	var (
		ring   [][]byte
		begins []int64
		offset int64
		next   int
	)
	err = eachLine(io.LimitReader(packed, end), func(line []byte, length int64) {
		if len(line) > 0 && (q.Match == nil || q.Match(line)) {
			line = bytes.Clone(line)
			if len(ring) < room {
				ring, begins = append(ring, line), append(begins, offset)
			} else {
				ring[next], begins[next] = line, offset
				next = (next + 1) % room
			}
		}
		offset += length
	})
	if err != nil {
		return 0, err
	}
	for i := range ring {
		found.Lines = append(found.Lines, ring[(next+len(ring)-1-i)%len(ring)])
	}
	if len(ring) < room {
		return 0, nil
	}
	return begins[next], nil
}

// eachLine hands over line after line, of long ones the beginning, and how many
// bytes each has with its end.
func eachLine(r io.Reader, take func(line []byte, length int64)) error {
	buffer := make([]byte, block)
	var (
		rest   []byte
		length int64
	)
	for {
		n, err := r.Read(buffer)
		part := buffer[:n]
		for {
			end := bytes.IndexByte(part, '\n')
			if end < 0 {
				break
			}
			rest = append(rest, part[:min(end, maxShown-len(rest))]...)
			take(rest, length+int64(end)+1)
			rest, length, part = rest[:0], 0, part[end+1:]
		}
		rest = append(rest, part[:min(len(part), maxShown-len(rest))]...)
		length += int64(len(part))
		if err != nil {
			if length > 0 {
				take(rest, length)
			}
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return err
		}
	}
}

// Days are the days of which there is a log, the latest first.
func Days(dir string, kind Kind) ([]string, error) {
	var found Found
	chain, err := chainOf(dir, kind, Query{}, &found)
	if err != nil {
		return nil, fmt.Errorf("sitelog: %w", err)
	}
	days := make([]string, len(chain))
	for i, s := range chain {
		days[i] = s.Day
	}
	slices.Sort(days)
	slices.Reverse(days)
	return slices.Compact(days), nil
}

// Download writes a day's log, compressed: what is compressed already as it
// lies there. Compressed files one after the other are one. Before the first
// byte it calls begin.
func Download(w io.Writer, dir string, kind Kind, day string, begin func()) error {
	var found Found
	chain, err := chainOf(dir, kind, Query{Day: day}, &found)
	if err != nil {
		return fmt.Errorf("sitelog: %w", err)
	}
	slices.Reverse(chain)
	begun := false
	for _, s := range chain {
		f, err := s.open(dir)
		if isMissing(err) {
			continue
		}
		if err == nil {
			if !begun {
				begin()
				begun = true
			}
			err = errors.Join(copyPacked(w, f, s.Gzipped), f.Close())
		}
		if err != nil {
			return fmt.Errorf("sitelog: %w", err)
		}
	}
	if !begun {
		return fmt.Errorf("sitelog: %s: %w", day, os.ErrNotExist)
	}
	return nil
}

func copyPacked(w io.Writer, f io.Reader, packed bool) error {
	if packed {
		_, err := io.Copy(w, f)
		return err
	}
	out := gzip.NewWriter(w)
	_, err := io.Copy(out, f)
	return errors.Join(err, out.Close())
}
