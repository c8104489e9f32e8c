package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Command is a program to run to its end: an absolute path, its arguments, and
// the whole of its environment.
type Command struct {
	Path  string
	Args  []string
	Env   []string // nothing is inherited
	Dir   string
	Input []byte
}

const (
	// maxOutput is how much of a program's output is kept.
	maxOutput = 64 << 10
	// afterKill is how long a cancelled program's children may keep its output
	// open.
	afterKill = 2 * time.Second
)

// Run runs a program and gives the first 64 KiB of what it wrote to both
// outputs. The program, and what it started, ends with ctx.
func (h *Host) Run(ctx context.Context, c Command) ([]byte, error) {
	return h.run(ctx, c, h.change)
}

// Check is Run for a program that alters nothing.
func (h *Host) Check(ctx context.Context, c Command) ([]byte, error) {
	return h.run(ctx, c, func() {})
}

func (h *Host) run(ctx context.Context, c Command, before func()) ([]byte, error) {
	if !filepath.IsAbs(c.Path) {
		return nil, fmt.Errorf("host: run %q: the path is not absolute", c.Path)
	}
	before()
	out := &head{}
	cmd := exec.CommandContext(ctx, c.Path, c.Args...)
	cmd.Env = append([]string{}, c.Env...) // never nil: that would inherit ours
	cmd.Dir = c.Dir
	if cmd.Dir == "" {
		cmd.Dir = "/"
	}
	if c.Input != nil {
		cmd.Stdin = bytes.NewReader(c.Input)
	}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = afterKill
	if err := cmd.Run(); err != nil {
		return out.kept, fmt.Errorf("host: run %s: %w", c.Path, errors.Join(err, ctx.Err()))
	}
	return out.kept, nil
}

// head keeps the beginning of what is written and takes the rest without a
// word, so that the program never blocks.
type head struct{ kept []byte }

// Write keeps what still fits.
func (h *head) Write(p []byte) (int, error) {
	h.kept = append(h.kept, p[:min(maxOutput-len(h.kept), len(p))]...)
	return len(p), nil
}
