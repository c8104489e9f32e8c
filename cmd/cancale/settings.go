package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
)

func settingsCommand() *cobra.Command {
	return noun("settings", "Settings of the installation",
		&cobra.Command{Use: "show", Short: "Show all settings", Args: cobra.NoArgs, RunE: run(showSettings)},
		&cobra.Command{Use: "set NAME VALUE", Short: "Change a setting; services follow within seconds", Args: cobra.ExactArgs(2), RunE: run(setSetting)},
	)
}

// showSettings answers one object: values by the names of the settings.
func showSettings(ctx context.Context, v *verb, _ []string) error {
	now, err := v.store.Settings(ctx)
	if err != nil {
		return err
	}
	document := map[string]string{}
	rows := [][]string{{i18n.T(ctx, "cli.setting"), i18n.T(ctx, "cli.setting_value")}}
	for _, s := range hosting.AllSettings() {
		document[s.Name] = s.Shown(now)
		rows = append(rows, []string{s.Name, s.Shown(now)})
	}
	return v.answer(document, func(w io.Writer) error { return table(w, rows) })
}

func setSetting(ctx context.Context, v *verb, args []string) error {
	setting, err := hosting.FindSetting(args[0])
	if err != nil {
		return err
	}
	now, err := v.store.UpdateSettings(ctx, v.actor, func(all *hosting.Settings) error { return setting.Set(all, args[1]) })
	if err != nil {
		return err
	}
	return v.answer(map[string]string{setting.Name: setting.Shown(now)}, said(ctx, "cli.setting_done", setting.Name, setting.Shown(now)))
}
