package apache

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	// loggerLook is how often the reader of the log stream is looked for.
	loggerLook = time.Second
	// loggerPatience is how many looks in vain mean that there is none.
	loggerPatience = 2
)

// FollowLogger sees to it, until ctx ends, that somebody reads the log stream.
// Apache starts the reader of its error log with its configuration and never
// again: one that was killed would be missed until the next reload, and what
// visitors do meanwhile would be in no log. So this is a reason for a reload.
func (d *Driver) FollowLogger(ctx context.Context) {
	tick := time.NewTicker(loggerLook)
	defer tick.Stop()
	for missed := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		read, err := d.streamRead()
		if read || err != nil { // Apache is not there, or about to go
			missed = 0
			continue
		}
		if missed++; missed < loggerPatience {
			continue
		}
		missed = 0
		slog.WarnContext(ctx, "nobody reads Apache's log: it is reloaded")
		// No site has this number: a batch without a wish is a reload alone.
		if err := d.submit(ctx, &request{}); err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "Apache's log is not read", slog.Any("error", err))
		}
	}
}

// errNoStream is Apache's standard error when it is no pipe.
var errNoStream = errors.New("apache: no log stream")

// streamRead reports whether a child of Apache reads the pipe that Apache now
// writes its log to. Readers of earlier pipes, which end with their last
// writer, do not count.
func (d *Driver) streamRead() (bool, error) {
	text, err := os.ReadFile(filepath.Join(d.h.Layout().ApacheRun(), "apache2.pid"))
	if err != nil {
		return false, err
	}
	pid, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 31)
	if err != nil {
		return false, err
	}
	apache := strconv.FormatUint(pid, 10)
	stream, err := os.Readlink(filepath.Join("/proc", apache, "fd", "2"))
	if err != nil {
		return false, err
	}
	if !strings.HasPrefix(stream, "pipe:") {
		return false, errNoStream
	}
	children, err := os.ReadFile(filepath.Join("/proc", apache, "task", apache, "children"))
	if err != nil {
		return false, err
	}
	for child := range strings.FieldsSeq(string(children)) {
		if in, err := os.Readlink(filepath.Join("/proc", child, "fd", "0")); err == nil && in == stream {
			return true, nil
		}
	}
	return false, nil
}
