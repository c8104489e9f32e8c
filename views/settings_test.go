package views

import (
	"testing"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
)

// ftpSettings is the form of the FTP service.
func ftpSettings(errors Errors) SettingsParams {
	p := SettingsParams{Group: "ftp", Groups: []string{"ftp"}, Values: map[string]string{}, Errors: errors, Beside: FTPPublicCheck(session, []CheckStep{{"name", "ok", hosting.Msg("ftpcheck.name_ok", "ftp.cancale.example", "203.0.113.9")}, {"address", "warn", hosting.Msg("ftpcheck.address_differs", "ftp.cancale.example", "203.0.113.10")}, {"port", "failed", hosting.Msg("ftpcheck.public_port_failed", "203.0.113.10", "21")}, {"data", "skipped", hosting.Message{}}})}
	all := hosting.DefaultSettings()
	for _, s := range hosting.AllSettings() {
		if s.Group() == "ftp" {
			p.Settings = append(p.Settings, s)
			p.Values[s.Name] = s.Text(all)
		}
	}
	return p
}

func TestEverySettingHasItsTexts(t *testing.T) {
	for _, lang := range i18n.Languages {
		ctx := i18n.WithLang(t.Context(), lang)
		asked := func(key string) {
			if i18n.T(ctx, key) == key {
				t.Errorf("%s: no text for %s", lang, key)
			}
		}
		for _, s := range hosting.AllSettings() {
			asked("settings." + s.Name)
			asked("settings." + s.Name + "_hint")
			asked("settings.group." + s.Group())
			asked("settings.part." + s.Group() + "_" + s.Part)
			for _, choice := range s.Choices {
				asked("settings." + s.Name + "." + choice)
			}
			if s.Unit != "" {
				asked("unit." + s.Unit)
			}
		}
	}
}
