package main

import (
	"errors"
	"log/slog"

	"github.com/spf13/cobra"

	"cancale/ftpd"
	"cancale/internal/jail"
	"cancale/internal/store"
)

func ftpdCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "ftpd",
		Short:  "Serve FTP; started by up",
		Args:   cobra.NoArgs,
		Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			logJSON()
			l, err := layout(cmd)
			if err != nil {
				return err
			}
			var set ftpdSettings
			if err := readSettings(ftpdFile(l), &set); err != nil {
				return err
			}
			certificate, err := openCertificate(l)
			if err != nil {
				return err
			}
			listener, err := inheritedListener()
			if err != nil {
				return err
			}
			st, err := store.Open(cmd.Context(), set.Store)
			if err != nil {
				return err
			}
			defer st.Close()
			switch err := jail.DropCapabilities(); {
			case errors.Is(err, errors.ErrUnsupported):
				slog.Warn("capabilities are kept: this program is linked with C")
			case err != nil:
				return err
			}
			return ftpd.Run(cmd.Context(), ftpd.Config{
				Listener: listener, Store: st, Layout: l, TLS: set.TLS, Active: set.Active, Certificate: certificate.ask,
			})
		},
	}
}
