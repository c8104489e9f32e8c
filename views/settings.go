package views

import (
	"context"
	"slices"

	"github.com/a-h/templ"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/views/ui"
)

// SettingsParams are the settings of one group, under the headings of its
// parts. The fields of the form bear the names of the settings.
//
//	templ SettingsPage(page Page, p SettingsParams) // GET, POST /admin/settings/:group
type SettingsParams struct {
	Group    string
	Groups   []string
	Settings []hosting.Setting // of the group
	Values   map[string]string // by name
	Errors   Errors            // by name, and ""
	Tested   hosting.Message   // what went wrong when the mail server was tried
	Answer   string            // and what it said
	Beside   templ.Component   // what the group has besides; may be nil
}

// tabs are the groups.
func (p SettingsParams) tabs(ctx context.Context) []ui.Tab {
	var tabs []ui.Tab
	for _, group := range p.Groups {
		tabs = append(tabs, ui.Tab{Text: settingsTitle(ctx, group), URL: "/admin/settings/" + group, Current: group == p.Group})
	}
	return tabs
}

// parts are the headings of the group, in order.
func (p SettingsParams) parts() []string {
	var parts []string
	for _, s := range p.Settings {
		if !slices.Contains(parts, s.Part) {
			parts = append(parts, s.Part)
		}
	}
	return parts
}

// of are the settings of one part; numbers stand side by side, after the rest.
func (p SettingsParams) of(part string) (wide, numbers []hosting.Setting) {
	for _, s := range p.Settings {
		switch {
		case s.Part != part:
		case s.Kind == hosting.SettingNumber:
			numbers = append(numbers, s)
		default:
			wide = append(wide, s)
		}
	}
	return wide, numbers
}

func (p SettingsParams) names() []string {
	var names []string
	for _, part := range p.parts() {
		wide, numbers := p.of(part)
		for _, s := range append(wide, numbers...) {
			names = append(names, s.Name)
		}
	}
	return names
}

// input is a setting as a field.
func (p SettingsParams) input(ctx context.Context, s hosting.Setting) ui.Input {
	in := ui.Input{
		Name: s.Name, Label: i18n.T(ctx, "settings."+s.Name), Hint: i18n.T(ctx, "settings."+s.Name+"_hint"),
		Value: p.Values[s.Name], Error: p.Errors.of(ctx, s.Name), Autocomplete: "off",
	}
	switch s.Kind {
	case hosting.SettingNumber:
		in.Attrs = digits
		if s.Unit != "" {
			in.Suffix = i18n.T(ctx, "unit."+s.Unit)
		}
	case hosting.SettingText:
		in.Attrs = plainTyping
		in.Optional = true
	case hosting.SettingSecret:
		if in.Value != "" {
			in.Hint = i18n.T(ctx, "settings.secret_kept")
		}
		in.Value, in.Optional = "", true
	case hosting.SettingChoice, hosting.SettingYes:
	}
	return in
}

func settingOptions(ctx context.Context, s hosting.Setting) []ui.Option {
	options := make([]ui.Option, len(s.Choices))
	for i, choice := range s.Choices {
		options[i] = ui.Option{Value: choice, Label: i18n.T(ctx, "settings."+s.Name+"."+choice)}
	}
	return options
}

func settingsTitle(ctx context.Context, group string) string {
	return i18n.T(ctx, "settings.group."+group)
}
