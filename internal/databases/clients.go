package databases

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"cancale/internal/config"
	"cancale/internal/hosting"
	"cancale/internal/sandbox"
)

// MariaDB's own clients, of Debian's mariadb-client-core.
const (
	dumpProgram   = "/usr/bin/mariadb-dump"
	importProgram = "/usr/bin/mariadb"
)

// Bounds of a client.
const (
	clientMemory    = 1 << 30 // a statement of 64 MB takes several times that
	clientProcesses = 64      // of all clients together
	clientFiles     = 64
)

// client is a program of MariaDB's that runs in a sandbox.
type client struct {
	program string
	args    []string
	in      io.Reader // nil is nothing
	out     io.Writer
	errors  tail
}

// run runs the client, signed in with the password, until it ends or ctx does.
// When reading in or writing out fails, so does it.
func (s *Server) run(ctx context.Context, db hosting.Database, password string, c *client) error {
	// The password comes by a pipe that only this process can read.
	options, feed, err := os.Pipe()
	if err != nil {
		return err
	}
	defer options.Close()
	_, err = fmt.Fprintf(feed, "[client]\nuser=%s\npassword=%s\nsocket=/run/mysqld/%s\ndefault-character-set=utf8mb4\nmax-allowed-packet=%d\n",
		db.User(), password, filepath.Base(s.Socket), maxStatement)
	if err := errors.Join(err, feed.Close()); err != nil {
		return err
	}
	if err := options.Chown(config.DumpUID, config.DumpUID); err != nil { // it opens it by its name
		return err
	}
	spec := sandbox.Spec{
		Name: string(db.Name), UID: config.DumpUID, GID: config.DumpUID,
		Home: filepath.Join(s.Layout.Dumps(), emptyHome), MariaDBSocketDir: filepath.Dir(s.Socket), Offline: true,
		Program: c.program, Args: append([]string{"--defaults-file=/dev/fd/3"}, c.args...),
		Env:    []string{"PATH=/usr/bin:/bin", "HOME=" + config.SiteHome, "LANG=C.UTF-8"},
		Limits: sandbox.Limits{Data: clientMemory, Processes: clientProcesses, Files: clientFiles},
	}
	// The program's death signal is the end of the thread that started it: with
	// us it dies, however we end.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := sandbox.Command(spec, []*os.File{options})
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.in, c.out, &c.errors
	if err := cmd.Start(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	err = cmd.Wait()
	if !stop() && ctx.Err() != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	return err
}

// tail keeps the beginning of what a client complains of: the first error is
// the one that matters.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const maxComplaint = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p[:min(len(p), maxComplaint-len(t.text))]...)
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text))
}
