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

func transfersCommand() *cobra.Command {
	log := &cobra.Command{Use: "log", Short: "List what was done to files, the latest first", Args: cobra.NoArgs, RunE: run(listTransfers)}
	log.Flags().String("account", "", "only the files of one account")
	log.Flags().String("login", "", "only what one login or person did")
	log.Flags().String("search", "", "only paths that hold a text")
	log.Flags().String("since", "", "only from then on: 2026-11-01, 2026-11-01T08:00:00Z, or 24h ago as 24h")
	log.Flags().Int("limit", 1000, "at most so many rows; 0 is all")
	return log
}

// transferView is an entry of the journal as scripts read it.
type transferView struct {
	At       time.Time              `json:"at"`
	Account  hosting.AccountName    `json:"account"`
	Login    string                 `json:"login"` // or the address of a person
	Protocol hosting.Protocol       `json:"protocol"`
	Source   string                 `json:"source"`
	Action   hosting.TransferAction `json:"action"`
	Path     string                 `json:"path"`
	Target   string                 `json:"target"`
	Bytes    int64                  `json:"bytes"`
	Seconds  float64                `json:"seconds"`
	Result   hosting.TransferResult `json:"result"`
}

func listTransfers(ctx context.Context, v *verb, _ []string) error {
	var f store.TransferFilter
	if typed, _ := v.text("account"); typed != "" {
		account, err := v.account(ctx, "account", typed)
		if err != nil {
			return err
		}
		f.Account = account.ID
	}
	f.Who, _ = v.text("login")
	f.Search, _ = v.text("search")
	typed, _ := v.text("since")
	var err error
	if f.Since, err = parseSince(typed, time.Now()); err != nil {
		return err
	}
	limit, err := v.cmd.Flags().GetInt("limit")
	if err != nil {
		return err
	}
	if limit < 0 {
		return hosting.Refuse(hosting.Invalid, "limit", "plan.limit_invalid")
	}
	names, err := v.accountNames(ctx)
	if err != nil {
		return err
	}
	views := []transferView{}
	for last := (hosting.Transfer{}); limit == 0 || len(views) < limit; {
		most := perPage
		if limit > 0 {
			most = min(most, limit-len(views))
		}
		rows, err := v.store.TransfersBefore(ctx, v.scope(hosting.FTPRead), f, last, most)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			break
		}
		for _, e := range rows {
			views = append(views, transferView{e.At, names[e.AccountID], e.Who, e.Protocol, e.Source, e.Action, e.Path, e.Target, e.Bytes, e.Took().Seconds(), e.Result})
		}
		last = rows[len(rows)-1]
	}
	return v.answer(views, func(w io.Writer) error {
		lines := [][]string{{
			i18n.T(ctx, "cli.when"), i18n.T(ctx, "cli.account"), i18n.T(ctx, "cli.login"), i18n.T(ctx, "transfers.protocol"), i18n.T(ctx, "cli.source"),
			i18n.T(ctx, "transfers.what"), i18n.T(ctx, "transfers.path"), i18n.T(ctx, "transfers.bytes"), i18n.T(ctx, "transfers.result"),
		}}
		for _, e := range views {
			path := e.Path
			if e.Target != "" {
				path += " → " + e.Target
			}
			lines = append(lines, []string{
				e.At.Local().Format(time.DateTime), string(e.Account), e.Login, i18n.T(ctx, "protocol."+string(e.Protocol)), e.Source,
				i18n.T(ctx, "transfer."+string(e.Action)), path, strconv.FormatInt(e.Bytes, 10), i18n.T(ctx, "transfer_result."+string(e.Result)),
			})
		}
		return table(w, lines)
	})
}
