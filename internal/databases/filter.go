package databases

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"

	"cancale/internal/hosting"
)

// maxStatement is the longest statement that the server takes. The client holds
// each in memory, so that no file may hold a longer one.
const maxStatement = 64 << 20

// purpose is what SQL is filtered for.
type purpose uint8

const (
	forImport purpose = iota
	forExport
)

// filter passes SQL on, line by line as it was, but for what would only fail in
// another place than where it was written: who defines a view or a routine, and
// on import the choice of a database. What a file may do is not decided here:
// that is its user's rights.
type filter struct {
	in      *bufio.Reader
	purpose purpose

	ready  []byte // to be read
	err    error
	line   int
	length int64 // of the statement so far, or of the line
	within bool  // the rest of a long line comes
	named  string
	syntax syntax
}

func newFilter(in io.Reader, p purpose) *filter {
	return &filter{in: bufio.NewReaderSize(in, 256<<10), purpose: p}
}

// Read implements io.Reader. It gives as many lines as there is room for.
func (f *filter) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(f.ready) == 0 {
			if f.err == nil {
				f.next()
				continue
			}
			if n > 0 {
				break
			}
			return 0, f.err
		}
		m := copy(p[n:], f.ready)
		f.ready, n = f.ready[m:], n+m
	}
	return n, nil
}

// next makes the next line, or a piece of a long one, ready.
func (f *filter) next() {
	piece, err := f.in.ReadSlice('\n')
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
		f.err = err
	}
	if len(piece) == 0 {
		return
	}
	if !f.within {
		f.line++
		if !f.syntax.open() {
			f.length = 0
		}
	}
	f.length += int64(len(piece))
	if f.purpose == forImport {
		if refusal := f.check(piece); refusal != nil {
			f.ready, f.err = nil, refusal
			return
		}
	}
	first := !f.within && f.syntax.quote == 0
	f.within = errors.Is(err, bufio.ErrBufferFull)
	if first {
		piece = f.change(piece)
	}
	f.syntax.read(piece)
	f.ready = piece
}

// syntax is where in SQL a line begins, as far as that matters here.
type syntax struct {
	quote   byte // of the text that is open: one of the three quotes, or '*' of a comment
	escaped bool
	last    byte // that was neither space nor comment
}

// open reports whether the lines before left a statement open.
func (s *syntax) open() bool { return s.quote != 0 || s.last != 0 && s.last != ';' }

func (s *syntax) read(text []byte) {
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case s.escaped:
			s.escaped = false
		case s.quote == '*':
			if c == '/' && i > 0 && text[i-1] == '*' {
				s.quote = 0
			}
		case s.quote != 0:
			if c == '\\' && s.quote != '`' {
				s.escaped = true
			} else if c == s.quote {
				s.quote = 0
			}
		case c == '\'' || c == '"' || c == '`':
			s.quote, s.last = c, c
		case c == '#', c == '-' && bytes.HasPrefix(text[i:], []byte("-- ")), c == '-' && bytes.HasPrefix(text[i:], []byte("--\n")):
			return // to the end of the line
		case c == '/' && bytes.HasPrefix(text[i:], []byte("/*")) && !bytes.HasPrefix(text[i:], []byte("/*!")) && !bytes.HasPrefix(text[i:], []byte("/*M!")):
			s.quote = '*'
			i++
		case c != ' ' && c != '\t' && c != '\r' && c != '\n':
			s.last = c
		}
	}
}

// check refuses what is no SQL.
func (f *filter) check(piece []byte) error {
	at := strconv.Itoa(f.line)
	switch {
	case f.line == 1 && !f.within && (bytes.HasPrefix(piece, []byte{0xff, 0xfe}) || bytes.HasPrefix(piece, []byte{0xfe, 0xff})):
		return hosting.Refuse(hosting.Invalid, "file", "dbwork.import_utf16")
	case f.line == 1 && !f.within && bytes.HasPrefix(piece, []byte("PK\x03\x04")):
		return hosting.Refuse(hosting.Invalid, "file", "dbwork.import_zip")
	case bytes.IndexByte(piece, 0) >= 0:
		return hosting.Refuse(hosting.Invalid, "file", "dbwork.import_binary", at)
	case f.length > maxStatement:
		return hosting.Refuse(hosting.Invalid, "file", "dbwork.import_long", at)
	}
	return nil
}

// How mariadb-dump and phpMyAdmin write what is changed here.
var (
	name    = "(?:`(?:[^`]|``)+`|'[^']*'|\"[^\"]*\"|[A-Za-z0-9_$-]+)"
	definer = regexp.MustCompile(`(?i)^((?:/\*!\d{5} )?(?:CREATE(?: OR REPLACE)?(?: ALGORITHM ?= ?\w+)?(?: ?\*/ /\*!\d{5})? ?)?)DEFINER ?= ?(?:` + name + `@` + name + `|CURRENT_USER(?:\(\))?) ?`)
	using   = regexp.MustCompile(`(?i)^USE\s+(` + name + `)\s*;?\s*$`)
	makes   = regexp.MustCompile(`(?i)^(?:/\*!\d{5} )?(?:CREATE|DROP|ALTER)\s+(?:DATABASE|SCHEMA)\b[^;]*;\s*$`)
	mode    = []byte("/*M!999999\\- enable the sandbox mode */")
	windows = regexp.MustCompile(`(?i)^DELIMITER\s[^\r\n]*\r\n$`)
	bom     = []byte{0xef, 0xbb, 0xbf}
)

// longestHead bounds how much of a line is looked at.
const longestHead = 1 << 10

// change is the beginning of a line as it is to be read. The number of lines
// stays.
func (f *filter) change(line []byte) []byte {
	if f.line == 1 && f.purpose == forImport {
		line = bytes.TrimPrefix(line, bom)
	}
	head := line[:min(len(line), longestHead)]
	if f.purpose == forImport {
		switch {
		case bytes.HasPrefix(head, mode): // we ask for it anyway, and older clients stumble over it
			return []byte("\n")
		case windows.Match(head):
			return append(bytes.TrimRight(line, "\r\n"), '\n')
		case f.syntax.open(): // within a statement, such a line is the member's own text
		case makes.Match(head):
			return []byte("\n")
		default:
			if m := using.FindSubmatch(head); m != nil {
				return f.use(string(bytes.Trim(m[1], "`'\"")))
			}
		}
	}
	if m := definer.FindSubmatchIndex(head); m != nil {
		return append(append([]byte{}, line[m[2]:m[3]]...), line[m[1]:]...)
	}
	return line
}

// use takes the choice of a database for a wish to fill this one; a file that
// chooses several is for several.
func (f *filter) use(database string) []byte {
	if f.named != "" && f.named != database {
		f.err = hosting.Refuse(hosting.Invalid, "file", "dbwork.import_several", strconv.Itoa(f.line), hosting.Visible(database, maxSaid))
		return nil
	}
	f.named = database
	return []byte("\n")
}
