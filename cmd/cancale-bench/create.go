package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"cancale/internal/hosting"
	"cancale/internal/store"
)

// createSites adds n sites in one transaction of the store, as an import does.
func (in *installation) createSites(ctx context.Context, n int) error {
	text, err := os.ReadFile(in.layout.In("etc", "cli.json"))
	if err != nil {
		return err
	}
	var cfg store.Config
	if err := json.Unmarshal(text, &cfg); err != nil {
		return err
	}
	// The file holds the paths as the daemons see them; here is outside.
	cfg.Socket, cfg.AgentSocket = in.layout.MariaDBSocket(), in.layout.AgentSocket()
	st, err := store.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer st.Close()
	actor := hosting.System("cli:root")
	account, err := st.AccountByName(ctx, actor.Scope(hosting.AccountRead), hosting.AccountName(in.account))
	if err != nil {
		return err
	}
	specs := make([]hosting.SiteSpec, n)
	for i := range specs {
		host, err := hosting.ParseHostname(fmt.Sprintf("site-%d.example", in.created+i))
		if err != nil {
			return err
		}
		specs[i] = hosting.SiteSpec{Host: host, DocumentRoot: hosting.DefaultDocumentRoot, PHP: hosting.DefaultPHPVersion}
	}
	if _, err := st.CreateSites(ctx, actor, account.ID, specs); err != nil {
		return err
	}
	in.created += n
	return nil
}
