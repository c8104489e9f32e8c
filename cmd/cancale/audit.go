package main

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/internal/store"
)

func auditCommand() *cobra.Command {
	list := &cobra.Command{Use: "list", Short: "List who did what, the latest first", Args: cobra.NoArgs, RunE: run(listAudit)}
	list.Flags().String("account", "", "only what was done to one account")
	list.Flags().String("since", "", "only from then on: 2026-11-01, 2026-11-01T08:00:00Z, or 24h ago as 24h")
	list.Flags().String("search", "", "only what holds a text")
	list.Flags().Int("limit", 1000, "at most so many rows; 0 is all")
	return noun("audit", "What was done, by whom", list)
}

// auditView is a row of the audit log as scripts read it.
type auditView struct {
	At      time.Time           `json:"at"`
	Actor   string              `json:"actor"`
	Source  string              `json:"source"`
	Action  string              `json:"action"`
	Account hosting.AccountName `json:"account"`
	Target  string              `json:"target"`
	Before  json.RawMessage     `json:"before"`
	After   json.RawMessage     `json:"after"`
}

func listAudit(ctx context.Context, v *verb, _ []string) error {
	var f store.AuditFilter
	if typed, _ := v.text("account"); typed != "" {
		account, err := v.account(ctx, "account", typed)
		if err != nil {
			return err
		}
		f.Account = account.ID
	}
	typed, _ := v.text("since")
	var err error
	if f.Since, err = parseSince(typed, time.Now()); err != nil {
		return err
	}
	f.Search, _ = v.text("search")
	limit, err := v.cmd.Flags().GetInt("limit")
	if err != nil {
		return err
	}
	if limit < 0 {
		return hosting.Refuse(hosting.Invalid, "limit", "plan.limit_invalid")
	}
	var before uint64
	rows, err := upTo(limit, func(int) ([]hosting.AuditEntry, int, error) {
		rows, err := v.store.AuditBefore(ctx, v.scope(hosting.AdminAudit), f, before, perPage)
		if len(rows) > 0 {
			before = rows[len(rows)-1].ID
		}
		return rows, math.MaxInt, err // nobody counts the whole log
	})
	if err != nil {
		return err
	}
	names, err := v.accountNames(ctx)
	if err != nil {
		return err
	}
	for _, e := range rows { // an account that is gone is named by its end
		if _, exists := names[e.AccountID]; !exists && e.Action == "account.remove" {
			names[e.AccountID] = hosting.AccountName(e.Target)
		}
	}
	views := make([]auditView, len(rows))
	for i, e := range rows {
		views[i] = auditView{e.At, e.Actor, e.Source, e.Action, names[e.AccountID], e.Target, asJSON(e.Before), asJSON(e.After)}
	}
	return v.answer(views, func(w io.Writer) error {
		lines := [][]string{{i18n.T(ctx, "cli.when"), i18n.T(ctx, "cli.who"), i18n.T(ctx, "cli.source"), i18n.T(ctx, "cli.action"), i18n.T(ctx, "cli.account"), i18n.T(ctx, "cli.target")}}
		for _, e := range views {
			lines = append(lines, []string{e.At.Local().Format(time.DateTime), e.Actor, e.Source, e.Action, string(e.Account), e.Target})
		}
		return table(w, lines)
	})
}

// accountNames are the names of the accounts that still exist.
func (v *verb) accountNames(ctx context.Context) (map[hosting.AccountID]hosting.AccountName, error) {
	rows, err := everything(func(page int) ([]store.AccountRow, int, error) {
		return v.store.Accounts(ctx, v.scope(hosting.AccountRead), store.AccountFilter{Page: page, PerPage: perPage})
	})
	names := make(map[hosting.AccountID]hosting.AccountName, len(rows))
	for _, r := range rows {
		names[r.ID] = r.Name
	}
	return names, err
}

// parseSince accepts a day, a moment, or a length of time before now.
func parseSince(s string, now time.Time) (time.Time, error) {
	if s = strings.TrimSpace(s); s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.DateTime, "2006-01-02T15:04:05", time.RFC3339} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	return time.Time{}, hosting.Refuse(hosting.Invalid, "since", "cli.since_invalid", s)
}

// asJSON is what the audit log keeps, or null when it kept nothing.
func asJSON(s string) json.RawMessage {
	if json.Valid([]byte(s)) {
		return json.RawMessage(s)
	}
	return json.RawMessage("null")
}
