package main

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"

	"cancale/internal/config"
	"cancale/internal/driver/phpfpm"
	"cancale/internal/hosting"
	"cancale/internal/sandbox"
	"cancale/internal/supervise"
)

func enterCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "enter SITE [-- PROGRAM ARGUMENTS…]",
		Short: "Run a program, or a shell, as a site and in its sandbox",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := layout(cmd)
			if err != nil {
				return err
			}
			if os.Geteuid() != 0 {
				return refuseUp("up.not_root")
			}
			// The site's files are named as the installation sees them.
			if _, enclosed := supervise.Outside(); !enclosed {
				if _, err := os.Stat(l.In("etc", "cli.json")); err != nil {
					return hosting.Refuse(hosting.Unavailable, "", "cli.no_installation", l.Root)
				}
				return supervise.Enclose(l.Root)
			}
			return enter(cmd, args[0], args[1:])
		},
	}
}

// shell is what runs when no program is named.
const shell = "/bin/bash"

// enter runs a program in the sandbox of the site's PHP.
func enter(cmd *cobra.Command, site string, program []string) error {
	v, err := newVerb(cmd)
	if err != nil {
		return err
	}
	v.layout = config.Layout{Root: config.Mount}
	ctx := speak(cmd.Context())
	if v.store, err = openStore(ctx, v.layout); err != nil {
		return err
	}
	row, err := v.site(ctx, "", site)
	if err := errors.Join(err, v.store.Close()); err != nil {
		return err
	}
	spec, err := sandbox.ReadSpec(filepath.Join(v.layout.Sandbox(), phpfpm.Name(row.ID)+".json"))
	if err != nil {
		return err
	}
	if groups, err := sandbox.LoadGroups(v.layout.Groups()); err == nil {
		if spec.Groups, err = groups.Of(phpfpm.Name(row.ID), spec.Limits); err != nil {
			return err
		}
	}
	if len(program) == 0 {
		program = []string{shell}
	}
	spec.Program, spec.Args, spec.Init = program[0], program[1:], true
	if !filepath.IsAbs(spec.Program) {
		// Looked for inside, in the site's own PATH.
		spec.Program, spec.Args = "/usr/bin/env", append([]string{"--"}, program...)
	}
	spec.Env = []string{
		"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + sandbox.Home, "USER=" + sandbox.User, "LOGNAME=" + sandbox.User,
		"LANG=C.UTF-8", "TERM=" + os.Getenv("TERM"),
	}
	return runInside(spec)
}

// runInside runs the program on our own terminal and ends as it ended.
func runInside(spec sandbox.Spec) error {
	runtime.LockOSThread() // the program's death signal is this thread's end
	defer runtime.UnlockOSThread()
	child := sandbox.Command(spec, nil)
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT)
	if err := child.Start(); err != nil {
		return err
	}
	go func() {
		for s := range signals {
			if s == syscall.SIGTERM || s == syscall.SIGHUP { // the terminal sends the others to the program itself
				_ = child.Process.Signal(s)
			}
		}
	}()
	err := child.Wait()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return exitStatus(e.ExitCode())
	}
	return err
}
