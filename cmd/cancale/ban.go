package main

import (
	"context"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/internal/store"
)

func banCommand() *cobra.Command {
	list := &cobra.Command{Use: "list", Short: "List who has to wait before signing in again", Args: cobra.NoArgs, RunE: run(listBans)}
	lift := &cobra.Command{Use: "lift ADDRESS|LOGIN|EMAIL|ID", Short: "Let an address or a name sign in again at once", Args: cobra.ExactArgs(1), RunE: run(liftBan)}
	return noun("ban", "Addresses and names that too many wrong passwords came with", list, lift)
}

func listBans(ctx context.Context, v *verb, _ []string) error {
	rows, err := everything(func(page int) ([]hosting.Ban, int, error) {
		return v.store.Bans(ctx, store.BanFilter{Page: page, PerPage: perPage})
	})
	if err != nil {
		return err
	}
	return v.answer(rows, func(w io.Writer) error {
		lines := [][]string{{i18n.T(ctx, "bans.what"), i18n.T(ctx, "cli.kind"), i18n.T(ctx, "bans.reason"), i18n.T(ctx, "bans.until"), i18n.T(ctx, "cli.session")}}
		for _, b := range rows {
			label := b.Label
			if label == "" {
				label = "–"
			}
			until := i18n.T(ctx, "bans.over")
			if b.Active(time.Now()) {
				until = b.Until.Local().Format(time.DateTime)
			}
			lines = append(lines, []string{label, i18n.T(ctx, "bans.kind_"+string(b.Kind)), strconv.Itoa(b.Failures), until, b.ID})
		}
		return table(w, lines)
	})
}

// banIDLength is of the identifiers that the list shows, in hexadecimal.
const banIDLength = 64

func liftBan(ctx context.Context, v *verb, args []string) error {
	lift := v.store.LiftBanOf
	if len(args[0]) == banIDLength {
		lift = v.store.LiftBan
	}
	ban, err := lift(ctx, v.actor, args[0])
	if err != nil {
		return err
	}
	return v.answer(ban, said(ctx, "bans.lifted", args[0]))
}
