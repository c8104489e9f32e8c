package databases

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"cancale/internal/disk"
	"cancale/internal/ftplink"
	"cancale/internal/hosting"
)

// Bounds of a file of SQL.
const (
	// MaxFile is the largest file that is taken, as it is sent.
	MaxFile = 4 << 30
	// maxText is how much SQL comes out of it where a database has no limit, and
	// textRoom how much more than several times its limit where it has one.
	maxText   = 64 << 30
	textTimes = 4
	textRoom  = 1 << 30
	// maxRatio is how much larger than the file its SQL may be, after the first
	// ratioFrom bytes: what is compressed better is made to fill a machine.
	maxRatio  = 150
	ratioFrom = 16 << 20

	longest  = 2 * time.Hour
	maxSaid  = 300 // of what the server says, shown to people
	noteEach = time.Second
	lookEach = 3 * time.Second // how large the database has become
)

// receive is PUT /works/{id}/file: the file of an import comes in, and the
// import is done in its turn.
func (s *Server) receive(w http.ResponseWriter, r ftplink.Request) error {
	work, _, err := s.work(r, hosting.DatabaseWorkSending, hosting.DatabaseWorkImport)
	if err != nil {
		return err
	}
	s.mu.Lock()
	busy := s.sending[work.ID]
	s.sending[work.ID] = true
	s.mu.Unlock()
	if busy {
		return hosting.Refuse(hosting.Conflict, "", "dbwork.busy")
	}
	defer func() {
		s.mu.Lock()
		delete(s.sending, work.ID)
		s.mu.Unlock()
	}()
	size, err := s.keep(r.Context(), work, r.Body)
	if err != nil {
		_ = os.Remove(s.spool(work.ID))
		said := err
		if _, ok := errors.AsType[*hosting.Error](err); !ok {
			said = &hosting.Error{Kind: hosting.Conflict, Message: hosting.Msg("dbwork.unsent"), Err: err}
		}
		s.end(s.ctx, work, hosting.Message{}, nil, said)
		return said
	}
	ctx := context.WithoutCancel(r.Context()) // the file is there: nobody has to wait
	if err := s.Store.Progress(ctx, work.ID, 0, size); err != nil {
		return err
	}
	if taken, err := s.Store.TakeWork(ctx, work.ID, hosting.DatabaseWorkSending, hosting.DatabaseWorkWaiting); err != nil || !taken {
		return errors.Join(err, hosting.Refuse(hosting.Conflict, "", "dbwork.unsent"))
	}
	s.queue(work, s.load)
	return ftplink.Answer(w, struct{}{})
}

// keep writes the file to where only root reads it.
func (s *Server) keep(ctx context.Context, work hosting.DatabaseWork, body io.Reader) (size int64, err error) {
	out, err := os.OpenFile(s.spool(work.ID), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	var told time.Time
	buf := make([]byte, 256<<10)
	for {
		n, err := body.Read(buf)
		size += int64(n)
		if size > MaxFile {
			return 0, hosting.Refuse(hosting.OverLimit, "file", "dbwork.import_large", strconv.Itoa(MaxFile>>30))
		}
		if _, err := out.Write(buf[:n]); err != nil {
			return 0, err
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
		if time.Since(told) > noteEach {
			told = time.Now()
			if free, err := disk.Free(s.Layout.Dumps()); err == nil && free.Spare() < 0 {
				return 0, hosting.Refuse(hosting.Unavailable, "file", "dbwork.no_room")
			}
			if err := s.Store.Progress(ctx, work.ID, 0, max(size, work.Size)); err != nil {
				return 0, err
			}
		}
	}
	if size == 0 {
		return 0, hosting.Refuse(hosting.Invalid, "file", "dbwork.import_empty")
	}
	return size, nil
}

// load fills the database from the file.
func (s *Server) load(ctx context.Context, work hosting.DatabaseWork, db hosting.Database) (hosting.Message, []hosting.TableReport, error) {
	fail := func(err error) (hosting.Message, []hosting.TableReport, error) { return hosting.Message{}, nil, err }
	file, err := os.Open(s.spool(work.ID))
	if gone(err) {
		return fail(hosting.Refuse(hosting.Conflict, "", "dbwork.unsent"))
	}
	if err != nil {
		return fail(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fail(err)
	}
	if work.EmptyFirst {
		if err := s.Driver.Empty(ctx, db); err != nil {
			return fail(err)
		}
	}
	size, err := s.Measure(ctx, db.ID)
	if err != nil {
		return fail(err)
	}
	if size.Stopped {
		return fail(hosting.Refuse(hosting.OverLimit, "", "dbwork.import_full"))
	}
	source := &measured{file: file}
	sql, err := unpacked(source, size.Limit)
	if err != nil {
		return fail(err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, longest, hosting.Refuse(hosting.OverLimit, "", "dbwork.too_long"))
	defer cancel()
	lines := newFilter(sql, forImport)
	err = s.withPass(ctx, db, func(password string) error {
		watch, stop := context.WithCancel(ctx)
		defer stop()
		go s.follow(watch, work, source, info.Size())
		return s.feed(ctx, db, password, lines)
	})
	after, sizeErr := s.Measure(ctx, db.ID)
	if err != nil {
		if sizeErr == nil && after.Stopped {
			err = &hosting.Error{Kind: hosting.OverLimit, Message: hosting.Msg("dbwork.import_full"), Err: err}
		}
		return fail(err)
	}
	return hosting.Msg("dbwork.import_done", strconv.Itoa(lines.line)), nil, sizeErr
}

// feed gives the lines to MariaDB's client, which takes no commands but SQL.
func (s *Server) feed(ctx context.Context, db hosting.Database, password string, lines *filter) error {
	c := &client{program: importProgram, in: lines, out: io.Discard, args: []string{
		"--sandbox", "--binary-mode", "--batch", "--skip-reconnect", "--local-infile=0", "--skip-column-names", "--skip-auto-rehash",
		"--init-command=SET SESSION max_statement_time=0", string(db.Name),
	}}
	err := s.run(ctx, db, password, c)
	if refusal, ok := errors.AsType[*hosting.Error](lines.err); ok {
		return refusal // of ours, about the file
	}
	if cause, ok := errors.AsType[*hosting.Error](err); ok {
		return cause
	}
	if lines.err != nil && !errors.Is(lines.err, io.EOF) {
		return &hosting.Error{Kind: hosting.Invalid, Message: hosting.Msg("dbwork.import_gzip"), Err: lines.err}
	}
	if err != nil {
		return told(c.errors.String(), err)
	}
	return nil
}

var complaint = regexp.MustCompile(`(?m)^ERROR (\d+)(?: \([0-9A-Z]+\))?(?: at line (\d+))?(?: in file: '[^']*')?: (.*)$`)

// told is what the client complained of, for people.
func told(text string, err error) error {
	m := complaint.FindStringSubmatch(text)
	if m == nil {
		return &hosting.Error{Kind: hosting.Invalid, Message: hosting.Msg("dbwork.import_client", hosting.Visible(text, maxSaid)), Err: err}
	}
	line, said := m[2], hosting.Visible(m[3], maxSaid)
	if line == "" {
		line = "1"
	}
	key := "dbwork.import_line"
	switch m[1] {
	case "1044", "1045", "1142", "1143", "1227", "1370", "1419", "1410", "1290":
		key = "dbwork.import_denied"
	case "1064", "1065":
		key = "dbwork.import_syntax"
	case "1050", "1062", "1304", "1359":
		key = "dbwork.import_exists"
	case "2006", "2013":
		key = "dbwork.import_cut"
	}
	return &hosting.Error{Kind: hosting.Invalid, Message: hosting.Msg(key, line, said), Err: fmt.Errorf("%w: %s", err, strings.TrimSpace(text))}
}

// follow notes how far the import is, and looks how large the database becomes.
func (s *Server) follow(ctx context.Context, work hosting.DatabaseWork, source *measured, size int64) {
	note, look := time.NewTicker(noteEach), time.NewTicker(lookEach)
	defer note.Stop()
	defer look.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-note.C:
			err = s.Store.Progress(ctx, work.ID, source.n.Load(), size)
		case <-look.C:
			_, err = s.Measure(ctx, work.DatabaseID)
		}
		if err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "progress of an import is not noted", slog.Any("cause", err))
		}
	}
}

// measured is a file and how much of it was read.
type measured struct {
	file *os.File
	n    atomic.Int64
}

func (m *measured) Read(p []byte) (int, error) {
	n, err := m.file.Read(p)
	m.n.Add(int64(n))
	return n, err
}

// unpacked is the SQL of a file, whether it is compressed or not.
func unpacked(source *measured, limit int64) (io.Reader, error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(source, head); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	if _, err := source.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	source.n.Store(0)
	if !bytes.Equal(head, []byte{0x1f, 0x8b}) {
		return source, nil
	}
	most := int64(maxText)
	if limit >= 0 {
		most = min(most, textTimes*limit+textRoom)
	}
	zip, err := gzip.NewReader(source)
	if err != nil {
		return nil, &hosting.Error{Kind: hosting.Invalid, Message: hosting.Msg("dbwork.import_gzip"), Err: err}
	}
	return &bounded{in: zip, source: source, most: most}, nil
}

// bounded refuses what is made to fill a machine.
type bounded struct {
	in     io.Reader
	source *measured
	n      int64
	most   int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.in.Read(p)
	b.n += int64(n)
	if b.n > b.most || b.n > ratioFrom && b.n/maxRatio > b.source.n.Load() {
		return 0, hosting.Refuse(hosting.Invalid, "file", "dbwork.import_bomb")
	}
	return n, err
}
