package main

import (
	"errors"
	"log/slog"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"cancale/ftpd"
	"cancale/internal/ftplink"
	"cancale/internal/jail"
	"cancale/internal/store"
)

func ftpdCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "ftpd",
		Short:  "Serve FTP and SFTP; started by up",
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
			listener, err := inheritedListener(0)
			if err != nil {
				return err
			}
			implicit, err := inheritedListener(1)
			if err != nil {
				return err
			}
			sftp, err := inheritedListener(2)
			if err != nil {
				return err
			}
			keys, err := readHostKeys(l)
			if err != nil {
				return err
			}
			st, err := store.Open(cmd.Context(), set.Store)
			if err != nil {
				return err
			}
			defer st.Close()
			panel, err := ftplink.Listen(l.FTPSocket())
			if err != nil {
				return err
			}
			switch err := jail.DropCapabilities(); {
			case errors.Is(err, errors.ErrUnsupported):
				slog.Warn("capabilities are kept: this program is linked with C")
			case err != nil:
				return err
			}
			link := ftplink.NewServer(st)
			group, ctx := errgroup.WithContext(cmd.Context())
			group.Go(func() error { return link.Serve(ctx, panel) })
			group.Go(func() error {
				return ftpd.Run(ctx, ftpd.Config{
					Listener: listener, Store: st, Layout: l, TLS: set.TLS, Active: set.Active, Certificate: certificate.ask, Link: link, Implicit: implicit, SFTP: sftp, HostKeys: keys,
				})
			})
			return group.Wait()
		},
	}
}
