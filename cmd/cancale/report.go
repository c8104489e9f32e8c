package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// Exit statuses of the command line.
const (
	exitFailed = 1
	exitUsage  = 2
)

// report says err on standard error, in one line, and gives the exit status.
func report(_ *cobra.Command, err error) int {
	if _, ok := errors.AsType[exitStatus](err); !ok {
		fmt.Fprintln(os.Stderr, "cancale: "+strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return statusOf(err)
}

// statusOf is the exit status that err stands for.
func statusOf(err error) int {
	if s, ok := errors.AsType[exitStatus](err); ok {
		return int(s)
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	return exitFailed
}

// exitStatus ends the command with a status and without a word: the program
// that it ran has said what there was to say.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }
