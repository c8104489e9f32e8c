package hosting

import (
	"strings"
	"testing"
	"time"
)

func TestEverySettingKeepsItsText(t *testing.T) {
	all := DefaultSettings()
	if err := all.Check(); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, s := range AllSettings() {
		if seen[s.Name] || !strings.HasPrefix(s.Name, s.Group()+".") || s.Part == "" {
			t.Errorf("%s: twice, or without a group or a part", s.Name)
		}
		seen[s.Name] = true
		copied := Settings{}
		if err := s.Set(&copied, s.Text(all)); err != nil {
			t.Errorf("%s does not take its own text %q: %v", s.Name, s.Text(all), err)
		}
		if s.Text(copied) != s.Text(all) {
			t.Errorf("%s: %q became %q", s.Name, s.Text(all), s.Text(copied))
		}
		found, err := FindSetting(s.Name)
		if err != nil || found.Name != s.Name {
			t.Errorf("%s is not found", s.Name)
		}
	}
	if _, err := FindSetting("ftp.nothing"); KindOf(err) != NotFound {
		t.Error("a setting that does not exist is found")
	}
}

func TestSettings(t *testing.T) {
	set := func(name, text string) (Settings, error) {
		all := DefaultSettings()
		s, err := FindSetting(name)
		if err != nil {
			t.Fatal(err)
		}
		if err = s.Set(&all, text); err == nil {
			err = all.Check()
		}
		return all, err
	}
	for name, texts := range map[string][]string{
		"ftp.host":                {"", "ftp.asso.example", " Été.Asso.example. "},
		"ftp.public_address":      {"", "203.0.113.9"},
		"ftp.passive_first":       {"1024", " 20100 "},
		"ftp.passive_last":        {"32767", "20009"},
		"ftp.tls":                 {"default", "off", "offered", "required"},
		"ftp.active":              {"default", "yes", "no"},
		"ftp.tls_reuse":           {"yes", "no"},
		"ftp.idle_seconds":        {"5", "86400"},
		"ftp.speed_kb":            {"0", "2048"},
		"ftp.stop_seconds":        {"1", "60"},
		"ftp.sessions_per_login":  {"1"},
		"ftp.sessions_per_source": {"1"},
	} {
		for _, text := range texts {
			if _, err := set(name, text); err != nil {
				t.Errorf("%s %q: %v", name, text, err)
			}
		}
	}
	for name, texts := range map[string][]string{
		"ftp.host":               {"localhost", "203.0.113.9", "a\nb.example", "ftp://asso.example", "<b>.example"},
		"ftp.public_address":     {"::1", "ftp.asso.example", "0.0.0.0", "255.255.255.255", "224.0.0.1", "203.0.113.9\r\n250", "1,2,3,4", "203.0.113.009"},
		"ftp.passive_first":      {"", "80", "65536", "-1", "20995", "1e4", "21000", "0x5000"},
		"ftp.passive_last":       {"20008", "32768", "40000", "60000"},
		"ftp.tls":                {"", "OFF", "yes"},
		"ftp.active":             {"", "on"},
		"ftp.tls_reuse":          {"", "true"},
		"ftp.idle_seconds":       {"4", "86401", "1h", "9999999999999999999"},
		"ftp.speed_kb":           {"-1", "1.5"},
		"ftp.stop_seconds":       {"0", "61"},
		"ftp.sessions_per_login": {"0"},
	} {
		for _, text := range texts {
			all, err := set(name, text)
			if _, named := FieldErrors(err)[name]; !named && err == nil {
				t.Errorf("%s %q is taken: %+v", name, text, all.FTP)
			}
		}
	}
	all, err := set("ftp.idle_seconds", "90")
	if want := 90 * time.Second; err != nil || all.FTP.Idle != want {
		t.Errorf("idle: %v, %v", all.FTP.Idle, err)
	}
	all = DefaultSettings()
	all.FTP.TLS, all.FTP.RequireReuse = TLSOff, true
	if _, named := FieldErrors(all.Check())["ftp.tls_reuse"]; !named {
		t.Error("TLS must be resumed where there is none")
	}
}
