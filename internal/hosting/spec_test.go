package hosting

import (
	"errors"
	"testing"
)

func TestCheckNames(t *testing.T) {
	cases := []struct {
		name  string
		names []Hostname
		taken []Hostname
		want  map[string]string // field → key
	}{
		{"free", []Hostname{"a.example"}, []Hostname{"b.example"}, nil},
		{"a similar name is another name", []Hostname{"xa.example"}, []Hostname{"a.example"}, nil},
		{"the same", []Hostname{"a.example"}, []Hostname{"a.example"}, map[string]string{"host": "host.taken"}},
		{"a child", []Hostname{"b.a.example"}, []Hostname{"a.example"}, map[string]string{"host": "host.related"}},
		{"a parent", []Hostname{"a.example"}, []Hostname{"b.a.example"}, map[string]string{"host": "host.related"}},
		{"an alias", []Hostname{"c.example", "a.example"}, []Hostname{"a.example"}, map[string]string{"aliases": "host.taken"}},
		{"the panel", []Hostname{"panneau.host.example"}, nil, map[string]string{"host": "host.panel"}},
		{"beneath the panel", []Hostname{"x.panneau.host.example"}, nil, map[string]string{"host": "host.panel"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := CheckNames(c.names, "panneau.host.example", c.taken)
			fields := FieldErrors(err)
			if len(fields) != len(c.want) {
				t.Fatalf("got %v", err)
			}
			for f, key := range c.want {
				if fields[f].Key != key {
					t.Errorf("%s: %q, want %q", f, fields[f].Key, key)
				}
			}
		})
	}
}

func TestAFullPlanRefuses(t *testing.T) {
	p := Plan{Sites: 1, Databases: 0, FTPLogins: Unlimited}
	if err := p.CheckRoom("sites", Usage{}); err != nil {
		t.Error(err)
	}
	if err := p.CheckRoom("sites", Usage{Sites: 1}); err == nil || KindOf(err) != OverLimit {
		t.Errorf("a second site: %v", err)
	}
	if err := p.CheckRoom("databases", Usage{}); err == nil {
		t.Error("a limit of zero allows one")
	}
	if err := p.CheckRoom("ftp_logins", Usage{FTPLogins: 5000}); err != nil {
		t.Error(err)
	}
}

func TestErrorsKeepTheirFields(t *testing.T) {
	var errs Errors
	errs.Add(nil)
	if errs.Err() != nil {
		t.Error("nothing was added, and yet an error")
	}
	errs.Add(Refuse(Invalid, "host", "host.empty"))
	errs.Add(Refuse(Invalid, "host", "host.invalid"))
	cause := errors.New("disk on fire")
	errs.Add(cause)
	fields := FieldErrors(errs.Err())
	if fields["host"].Key != "host.empty" || fields[""].Key != "error.internal" {
		t.Errorf("got %v", fields)
	}
	if !errors.Is(errs.Err(), cause) {
		t.Error("the cause is lost")
	}
	if KindOf(cause) != Internal || KindOf(errs.Err()) != Invalid {
		t.Error("wrong kinds")
	}
}
