// Command cancale is the whole of Cancale in one binary: the panel, the agent,
// the FTP daemon, the private installation that runs them all (`up`), the one
// door into a site's sandbox (`enter`) and the command line.
//
// It parses the command line, builds the pieces and runs them until a signal;
// what they do is theirs.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"cancale/internal/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	root := newRoot()
	cmd, err := root.ExecuteContextC(ctx)
	status := 0
	if err != nil {
		status = report(cmd, err)
	}
	stop()
	os.Exit(status)
}

// newRoot is the command line, complete.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "cancale",
		Short:         "Shared web hosting for associations",
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true, // report says them
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetVersionTemplate("cancale {{.Version}}\n")
	root.PersistentFlags().String("data", os.Getenv("CANCALE_DATA"), "directory of a private installation (CANCALE_DATA)")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return wrongFlag(err) })
	root.AddCommand(upCommand(), panelCommand(), agentCommand(), ftpdCommand(), enterCommand(), logsCommand(), webCommand())
	addVerbs(root)
	return root
}

// layout is the installation that the command line names.
func layout(cmd *cobra.Command) (config.Layout, error) {
	data, err := cmd.Flags().GetString("data")
	if err != nil {
		return config.Layout{}, err
	}
	return config.Find(data, config.SystemFile)
}

// version is the module's version and the commit that the binary was built
// from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 && (v == "" || v == "(devel)") {
			v = "devel-" + s.Value[:12]
		}
	}
	if v == "" {
		return "devel"
	}
	return v
}
