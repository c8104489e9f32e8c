package databases

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"cancale/internal/ftplink"
	"cancale/internal/hosting"
	"cancale/internal/reconcile"
)

// export is GET /works/{id}/export: the database as SQL, compressed, while it
// is read. It is never a file of ours.
func (s *Server) export(w http.ResponseWriter, r ftplink.Request) error {
	work, db, err := s.work(r, hosting.DatabaseWorkWaiting, hosting.DatabaseWorkExport)
	if err != nil {
		return err
	}
	if taken, err := s.Store.TakeWork(r.Context(), work.ID, hosting.DatabaseWorkWaiting, hosting.DatabaseWorkRunning); err != nil || !taken {
		return errors.Join(err, hosting.Refuse(hosting.NotFound, "", "dbwork.not_found"))
	}
	select {
	case s.exports <- struct{}{}:
		defer func() { <-s.exports }()
		err = s.send(r.Context(), w, work, db)
	default:
		err = hosting.Refuse(hosting.Conflict, "", "dbwork.crowded")
	}
	said := hosting.Msg("dbwork.export_done")
	if errors.Is(err, context.Canceled) && s.ctx.Err() == nil {
		err = &hosting.Error{Kind: hosting.Conflict, Message: hosting.Msg("dbwork.export_left"), Err: err}
	}
	s.end(s.ctx, work, said, nil, err)
	return err
}

func (s *Server) send(ctx context.Context, w http.ResponseWriter, work hosting.DatabaseWork, db hosting.Database) error {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	return s.withPass(ctx, db, func(password string) error {
		lines, dump := io.Pipe()
		c := &client{program: dumpProgram, out: dump, args: []string{
			"--single-transaction", "--quick", "--skip-lock-tables", "--routines", "--triggers", "--hex-blob", "--no-tablespaces", "--skip-dump-date", string(db.Name),
		}}
		ended := make(chan error, 1)
		go func() {
			err := reconcile.Protect(func() error { return s.run(ctx, db, password, c) })
			if err != nil {
				err = &hosting.Error{Kind: hosting.Conflict, Message: hosting.Msg("dbwork.export_failed", hosting.Visible(c.errors.String(), maxSaid)), Err: fmt.Errorf("%w: %s", err, c.errors.String())}
			}
			dump.CloseWithError(err)
			ended <- err
		}()
		defer func() { cancel(); <-ended }() //nolint:errcheck // whoever writes ends with it; the error came through the pipe
		defer lines.Close()
		in := bufio.NewReader(newFilter(lines, forExport))
		if _, err := in.Peek(1); err != nil {
			return err // before anything was sent, it can be said
		}
		w.Header().Set("Content-Type", "application/gzip")
		out := &counting{w: w}
		zip, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
		if err != nil {
			return err
		}
		_, err = io.Copy(zip, in)
		if err = errors.Join(err, zip.Close()); err == nil {
			err = s.Store.Progress(ctx, work.ID, out.n, out.n)
		}
		return err
	})
}

type counting struct {
	w io.Writer
	n int64
}

func (c *counting) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
