package panel

import (
	"net/http"
	"testing"
	"time"

	"cancale/internal/hosting"
)

// ftpForm is the form of the FTP service as the page has it, with other values
// in some fields.
func ftpForm(t *testing.T, p *page, change ...string) []string {
	t.Helper()
	var fields []string
	values := map[string]string{}
	for i := 0; i < len(change); i += 2 {
		values[change[i]] = change[i+1]
	}
	all := hosting.DefaultSettings()
	for _, s := range hosting.AllSettings() {
		if s.Group() != "ftp" {
			continue
		}
		if p.doc.Find(`[name="`+s.Name+`"]`).Length() == 0 {
			t.Errorf("no field for %s", s.Name)
		}
		value, changed := values[s.Name]
		if !changed {
			value = s.Text(all)
		}
		if s.Kind == hosting.SettingYes && value == "no" {
			continue
		}
		fields = append(fields, s.Name, value)
	}
	return fields
}

func TestAnAdministratorChangesTheSettings(t *testing.T) {
	w := newWorld(t)
	b := w.as(admin)
	form := b.get("/admin/settings/ftp")
	if p := b.post("/admin/settings/ftp", ftpForm(t, form, "ftp.idle_seconds", "90", "ftp.public_address", "203.0.113.9", "ftp.tls", "required", "ftp.tls_reuse", "true")...); p.status != http.StatusSeeOther {
		t.Fatalf("%d: %s", p.status, p.text(".errors"))
	}
	now, err := w.store.Settings(t.Context())
	w.must(err)
	if f := now.FTP; f.Idle != 90*time.Second || f.PublicAddress.String() != "203.0.113.9" || f.TLS != hosting.TLSRequired || !f.RequireReuse {
		t.Errorf("%+v", f)
	}
	form = b.get("/admin/settings/ftp")
	if v, _ := form.doc.Find(`[name="ftp.idle_seconds"]`).Attr("value"); v != "90" || form.doc.Find(`[name="ftp.tls_reuse"][checked]`).Length() != 1 || form.doc.Find(`[name="ftp.tls"][value="required"][checked]`).Length() != 1 {
		t.Errorf("the page does not show what was kept: %s", v)
	}
	t.Run("what makes no sense is refused where it stands, and nothing is kept", func(t *testing.T) {
		p := b.post("/admin/settings/ftp", ftpForm(t, form, "ftp.passive_first", "<b>", "ftp.idle_seconds", "80")...)
		if p.status != http.StatusUnprocessableEntity || p.doc.Find(`[name="ftp.passive_first"][aria-invalid]`).Length() != 1 {
			t.Errorf("%d", p.status)
		}
		if v, _ := p.doc.Find(`[name="ftp.passive_first"]`).Attr("value"); v != "<b>" {
			t.Errorf("what was typed is %q", v)
		}
		p = b.post("/admin/settings/ftp", ftpForm(t, form, "ftp.passive_first", "40000", "ftp.passive_last", "41000")...)
		if p.status != http.StatusUnprocessableEntity || p.doc.Find(`[name="ftp.passive_first"][aria-invalid]`).Length() != 1 {
			t.Errorf("%d", p.status)
		}
		after, err := w.store.Settings(t.Context())
		w.must(err)
		if after != now {
			t.Errorf("%+v", after)
		}
	})
	t.Run("there are no other groups", func(t *testing.T) {
		if p := b.get("/admin/settings/..%2fftp"); p.status != http.StatusNotFound {
			t.Errorf("%d", p.status)
		}
	})
}
