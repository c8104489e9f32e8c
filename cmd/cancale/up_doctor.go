package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"time"

	"cancale/internal/config"
)

const (
	// examineEvery is how often the installation is looked at by itself.
	examineEvery = 10 * time.Minute
	// examineLimit is how long one look may take.
	examineLimit = time.Minute
	// examinePause comes after each look, whoever asks for another.
	examinePause = 2 * time.Second
)

// watchHealth looks at the installation now and then, and whenever the panel
// asks, and writes down what it found. The panel can ask for nothing else: what
// it sends is not read.
func (u *privateInstallation) watchHealth(ctx context.Context) error {
	if err := os.Remove(u.ReportSocket()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: u.ReportSocket(), Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := errors.Join(os.Chmod(u.ReportSocket(), 0o600), os.Chown(u.ReportSocket(), config.PanelUID, 0)); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	for ctx.Err() == nil {
		if err := u.examine(ctx); err != nil && ctx.Err() == nil {
			slog.ErrorContext(ctx, "the self-check is not written", slog.Any("cause", err))
		}
		select {
		case <-ctx.Done():
		case <-time.After(examinePause):
		}
		// One question or many: they are answered by one look.
		_ = conn.SetReadDeadline(time.Now().Add(examineEvery))
		_, _ = conn.Read(make([]byte, 1))
		for _ = conn.SetReadDeadline(time.Now().Add(time.Millisecond)); err == nil; {
			_, err = conn.Read(make([]byte, 1))
		}
		err = nil
	}
	return nil
}

func (u *privateInstallation) examine(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(speak(ctx), examineLimit)
	defer cancel()
	v := &verb{layout: u.Layout}
	var err error
	if v.status, err = config.ReadStatus(u.Layout); err != nil {
		return err
	}
	d := diagnose(ctx, v)
	report := config.Report{At: time.Now().UTC(), Checks: make([]config.Check, len(d.checks))}
	for i, c := range d.checks {
		report.Checks[i] = config.Check{Name: c.Name, OK: c.OK, Detail: asOutside(c.Detail, u.outside), Remedy: c.key, Args: c.args}
		for j, arg := range c.args {
			report.Checks[i].Args[j] = asOutside(arg, u.outside)
		}
	}
	return writeJSONFile(u.Report(), report, 0o640, config.PanelUID)
}
