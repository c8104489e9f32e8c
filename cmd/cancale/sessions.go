package main

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"cancale/internal/ftplink"
	"cancale/internal/hosting"
	"cancale/internal/i18n"
)

func sessionsCommand() *cobra.Command {
	return &cobra.Command{Use: "sessions", Short: "List who is connected to the files now", Args: cobra.NoArgs, RunE: run(listSessions)}
}

func endCommand() *cobra.Command {
	return &cobra.Command{Use: "end ID", Short: "End a session that `cancale ftp sessions` lists", Args: cobra.ExactArgs(1), RunE: run(endSession)}
}

// sessionView is a session as scripts read it.
type sessionView struct {
	hosting.LiveSession
	Account hosting.AccountName `json:"account"`
}

func listSessions(ctx context.Context, v *verb, _ []string) error {
	var rows []hosting.LiveSession
	if err := ftplink.NewClient(v.layout.FTPSocket()).Call(ctx, v.actor, http.MethodGet, "/sessions", nil, nil, &rows); err != nil {
		return err
	}
	names, err := v.accountNames(ctx)
	if err != nil {
		return err
	}
	views := make([]sessionView, len(rows))
	for i, l := range rows {
		views[i] = sessionView{l, names[l.AccountID]}
	}
	return v.answer(views, func(w io.Writer) error {
		lines := [][]string{{
			i18n.T(ctx, "cli.session"), i18n.T(ctx, "cli.login"), i18n.T(ctx, "transfers.protocol"), i18n.T(ctx, "cli.source"), i18n.T(ctx, "sessions.since"), i18n.T(ctx, "sessions.now"),
		}}
		for _, l := range views {
			now := "–"
			if l.Action != "" {
				now = i18n.T(ctx, "sessions.does_"+string(l.Action)) + " " + l.Path + " " + i18n.T(ctx, "sessions.speed", i18n.Bytes(ctx, l.Bytes), i18n.Bytes(ctx, l.Speed))
			}
			lines = append(lines, []string{
				strconv.FormatUint(l.ID, 10), string(l.Login), i18n.T(ctx, "protocol."+string(l.Protocol)), l.Source, l.Since.Local().Format(time.DateTime), now,
			})
		}
		return table(w, lines)
	})
}

func endSession(ctx context.Context, v *verb, args []string) error {
	id, err := strconv.ParseUint(args[0], 10, 64)
	if err != nil {
		return hosting.Refuse(hosting.NotFound, "", "sessions.not_found")
	}
	var ended hosting.LiveSession
	if err := ftplink.NewClient(v.layout.FTPSocket()).Call(ctx, v.actor, http.MethodPost, "/sessions/"+strconv.FormatUint(id, 10)+"/end", nil, nil, &ended); err != nil {
		return err
	}
	return v.answer(ended, said(ctx, "sessions.ended_source", ended.Source))
}
