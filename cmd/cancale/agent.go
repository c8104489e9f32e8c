package main

import (
	"github.com/spf13/cobra"

	"cancale/internal/agent"
	"cancale/internal/store"
	"cancale/internal/supervise"
)

func agentCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "agent",
		Short:  "Make the machine follow what is wished; started by up",
		Args:   cobra.NoArgs,
		Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			logJSON()
			l, err := layout(cmd)
			if err != nil {
				return err
			}
			var set agentSettings
			if err := readSettings(agentFile(l), &set); err != nil {
				return err
			}
			st, err := store.OpenNode(cmd.Context(), set.Store, set.Node)
			if err != nil {
				return err
			}
			defer st.Close()
			return agent.Run(cmd.Context(), agent.Config{
				Store: st, Layout: l, Services: supervise.Client{Socket: l.SupervisorSocket()}, Apache: set.Apache,
			})
		},
	}
}
