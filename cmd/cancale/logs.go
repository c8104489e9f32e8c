package main

import (
	"bytes"
	"context"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"cancale/internal/sitelog"
)

func logsCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "logs",
		Short:  "Split Apache's log stream, read from standard input",
		Hidden: true, // Apache starts it
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := layout(cmd)
			if err != nil {
				return err
			}
			// At a reload Apache ends this program of its last configuration
			// while old processes still write to it: only their end is ours.
			// When Apache itself ends, it waits for this one, and holds the
			// pipe open meanwhile: then what has come is all.
			ctx, stop := context.WithCancel(context.WithoutCancel(cmd.Context()))
			defer stop()
			signal.Ignore(syscall.SIGHUP, syscall.SIGINT)
			terminate := make(chan os.Signal, 1)
			signal.Reset(syscall.SIGTERM)
			signal.Notify(terminate, syscall.SIGTERM)
			go func() {
				for range terminate {
					if onlyLogs(os.Getppid()) {
						stop()
					}
				}
			}()
			runtime.GOMAXPROCS(2) // reading never waits for writing
			if err := syscall.SetNonblock(0, true); err != nil {
				return err
			}
			return sitelog.Run(ctx, os.NewFile(0, "log stream"), l)
		},
	}
}

// onlyLogs reports whether a process, Apache, has no children but programs like
// this one, so that nobody writes to them any more.
func onlyLogs(apache int) bool {
	pid := strconv.Itoa(apache)
	children, err := os.ReadFile("/proc/" + pid + "/task/" + pid + "/children")
	if err != nil {
		return false
	}
	for child := range strings.FieldsSeq(string(children)) {
		line, err := os.ReadFile("/proc/" + child + "/cmdline")
		if err != nil || !bytes.HasSuffix(line, []byte("\x00logs\x00")) {
			return false
		}
	}
	return true
}
