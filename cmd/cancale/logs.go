package main

import (
	"os"
	"os/signal"
	"runtime"
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
			signal.Ignore(syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT)
			runtime.GOMAXPROCS(2) // reading never waits for writing
			return sitelog.Run(cmd.Context(), os.Stdin, l)
		},
	}
}
