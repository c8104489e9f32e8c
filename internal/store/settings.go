package store

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"time"

	"cancale/internal/hosting"

	"gorm.io/gorm"
)

// settingRow is a setting that somebody has changed.
type settingRow struct {
	Name      string
	Value     string
	ChangedAt time.Time
}

// Settings are what holds for the installation now. They are no secret of any
// account; who may see the page of all of them is the page's affair.
func (s *Store) Settings(ctx context.Context) (hosting.Settings, error) {
	return readSettings(ctx, s.db.WithContext(ctx))
}

// readSettings puts what was changed over the defaults. A row that a newer or
// older program wrote and that means nothing here is passed over.
func readSettings(ctx context.Context, db *gorm.DB) (hosting.Settings, error) {
	all := hosting.DefaultSettings()
	rows, err := list[settingRow](db, "SELECT * FROM settings")
	if err != nil {
		return all, err
	}
	for _, row := range rows {
		setting, err := hosting.FindSetting(row.Name)
		if err == nil {
			err = setting.Set(&all, row.Value)
		}
		if err != nil {
			slog.WarnContext(ctx, "setting not understood", slog.String("name", row.Name), slog.Any("error", err))
		}
	}
	return all, nil
}

// sealSecret is what the secrets among the settings are sealed for.
const sealSecret = "setting "

// sealSetting puts the sealed secret in the place of the one that was typed.
func (t *tx) sealSetting(setting hosting.Setting, all *hosting.Settings) (string, error) {
	sealed, err := t.cfg.sealer().Seal(sealSecret+setting.Name, []byte(setting.Text(*all)))
	if err != nil {
		return "", err
	}
	text := base64.RawStdEncoding.EncodeToString(sealed)
	return text, setting.Set(all, text)
}

// MailServer is where mails are handed over, with its password as it is. It is
// zero when there is none.
func (s *Store) MailServer(ctx context.Context) (hosting.MailServer, error) {
	all, err := s.Settings(ctx)
	if err != nil {
		return hosting.MailServer{}, err
	}
	server := all.Mail
	if server.Password == "" {
		return server, nil
	}
	sealed, err := base64.RawStdEncoding.DecodeString(server.Password)
	if err == nil {
		sealed, err = s.cfg.sealer().Open(sealSecret+"mail.password", sealed)
	}
	if err != nil {
		return server, fmt.Errorf("store: password of the mail server: %w", err)
	}
	server.Password = string(sealed)
	return server, nil
}

// UpdateSettings lets change alter the settings that hold now, and keeps those
// that it has altered.
func (s *Store) UpdateSettings(ctx context.Context, actor hosting.Actor, change func(*hosting.Settings) error) (hosting.Settings, error) {
	var after hosting.Settings
	err := s.write(ctx, actor, "settings.update", func(t *tx) error {
		if err := t.allowPlatform(hosting.AdminSettings); err != nil {
			return err
		}
		if err := t.Exec("UPDATE turns SET taken = taken + 1 WHERE name = 'settings'").Error; err != nil {
			return err
		}
		before, err := readSettings(ctx, t.DB)
		if err != nil {
			return err
		}
		after = before
		if err := change(&after); err != nil {
			return err
		}
		if err := after.Check(); err != nil {
			return err
		}
		t.same = true
		for _, setting := range hosting.AllSettings() {
			was, is := setting.Text(before), setting.Text(after)
			if was == is {
				continue
			}
			t.same = false
			if setting.Kind == hosting.SettingSecret && is != "" {
				if is, err = t.sealSetting(setting, &after); err != nil {
					return err
				}
			}
			// The name is the key, so that one of a secret has its value struck out.
			t.note(0, setting.Name, map[string]string{setting.Name: was}, map[string]string{setting.Name: is})
			err := t.Exec("INSERT INTO settings (name, value, changed_at) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE value = ?, changed_at = ?", setting.Name, is, t.now, is, t.now).Error
			if err != nil {
				return err
			}
		}
		return nil
	})
	return after, err
}
