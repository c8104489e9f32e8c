package main

import (
	"github.com/spf13/cobra"

	"cancale/internal/store"
	"cancale/panel"
)

func panelCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "panel",
		Short:  "Serve the web interface; started by up",
		Args:   cobra.NoArgs,
		Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			logJSON()
			l, err := layout(cmd)
			if err != nil {
				return err
			}
			var set panelSettings
			if err := readSettings(panelFile(l), &set); err != nil {
				return err
			}
			listener, err := inheritedListener(0)
			if err != nil {
				return err
			}
			st, err := store.Open(cmd.Context(), set.Store)
			if err != nil {
				return err
			}
			defer st.Close()
			return panel.Run(cmd.Context(), panel.Config{
				Listener: listener, Store: st, Secret: set.Secret, PublicURL: set.PublicURL,
				HTTPPort: set.HTTPPort, FTPPort: set.FTPPort, FTPTLS: set.FTPTLS, FTPAddress: set.FTPAddress, SFTPPort: set.SFTPPort, HostKeys: set.HostKeys, Layout: l,
			})
		},
	}
}
