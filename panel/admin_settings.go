package panel

import (
	"slices"

	"github.com/a-h/templ"

	"cancale/internal/hosting"
	"cancale/views"
)

// settingGroups are the groups of settings, in order.
func settingGroups() []string {
	var groups []string
	for _, s := range hosting.AllSettings() {
		if !slices.Contains(groups, s.Group()) {
			groups = append(groups, s.Group())
		}
	}
	return groups
}

// openSettings is GET /admin/settings.
func (s *server) openSettings(r *Request) error {
	return r.Redirect("/admin/settings/%s", settingGroups()[0])
}

// settingsOfGroup are the settings of a group.
func (r *Request) settingsOfGroup(group string) (views.SettingsParams, error) {
	p := views.SettingsParams{Group: group, Groups: settingGroups(), Values: map[string]string{}, Beside: besideSettings(r, group)}
	for _, setting := range hosting.AllSettings() {
		if setting.Group() == p.Group {
			p.Settings = append(p.Settings, setting)
		}
	}
	if len(p.Settings) == 0 {
		return p, hosting.Refuse(hosting.NotFound, "", "error.not_found")
	}
	return p, nil
}

// showSettings is GET /admin/settings/:group.
func (s *server) showSettings(r *Request) error {
	return s.drawSettingsOf(r, r.echo.Param("group"), nil)
}

// drawSettingsOf draws the settings of a group as they are, with something
// else beside them than usual when that is not nil.
func (s *server) drawSettingsOf(r *Request, group string, beside templ.Component) error {
	p, err := r.settingsOfGroup(group)
	if err != nil {
		return err
	}
	if beside != nil {
		p.Beside = beside
	}
	now, err := s.store.Settings(r.Context())
	if err != nil {
		return err
	}
	for _, setting := range p.Settings {
		p.Values[setting.Name] = setting.Text(now)
	}
	if sent := r.values(); sent != nil && beside == nil {
		fillSettings(p, sent.Get)
	}
	return r.drawSettings(p, r.Render)
}

// fillSettings puts what was typed into the form again.
func fillSettings(p views.SettingsParams, typed func(string) string) {
	for _, setting := range p.Settings {
		p.Values[setting.Name] = typed(setting.Name)
		if setting.Kind == hosting.SettingYes { // a box that is not ticked is not sent
			p.Values[setting.Name] = string(hosting.SwitchOff)
			if typed(setting.Name) != "" {
				p.Values[setting.Name] = string(hosting.SwitchOn)
			}
		}
	}
}

// updateSettings is POST /admin/settings/:group. Only the settings of the group
// are touched.
func (s *server) updateSettings(r *Request) error {
	p, err := r.settingsOfGroup(r.echo.Param("group"))
	if err != nil {
		return err
	}
	fillSettings(p, r.form.Get)
	_, err = s.store.UpdateSettings(r.Context(), r.Actor, func(all *hosting.Settings) error {
		var errs hosting.Errors
		for _, setting := range p.Settings {
			if setting.Kind == hosting.SettingSecret && p.Values[setting.Name] == "" {
				continue // it is not shown, and stays
			}
			errs.Add(setting.Set(all, p.Values[setting.Name]))
		}
		return errs.Err()
	})
	if messages, ok := refused(err); ok {
		p.Errors = messages
		return r.drawSettings(p, r.Invalid)
	}
	if err != nil {
		return err
	}
	r.Flash("settings.updated")
	return r.Redirect("/admin/settings/%s", p.Group)
}

func (r *Request) drawSettings(p views.SettingsParams, answer func(templ.Component) error) error {
	return r.page(func(page views.Page) error {
		if p.Group == "mail" {
			p.Beside = views.MailTest(page.CSRF, p)
		}
		return answer(views.SettingsPage(page, p))
	})
}
