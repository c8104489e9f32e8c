package panel

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"cancale/internal/hosting"
)

func TestTheListOfAssociationsIsNarrowed(t *testing.T) {
	w := newWorld(t)
	for name, days := range map[string]int{"bientot": 10, "passee": -10, "passee-2": -20} {
		_, err := w.store.CreateAccount(t.Context(), w.root, hosting.AccountSpec{
			Name: hosting.AccountName(name), Label: "=SOMME(A1)<b>" + name, Plan: "grande", Expires: new(time.Now().AddDate(0, 0, days)),
		})
		w.must(err)
	}
	b := w.as(admin)
	t.Run("filters are combined, kept by the order, and shown", func(t *testing.T) {
		p := b.get("/admin/accounts?dues=ended&plan=grande&q=passee&sort=-expires&state=live")
		if names := p.doc.Find("tbody tr"); names.Length() != 2 || !strings.Contains(names.First().Text(), "passee") || strings.Contains(p.text("tbody"), "bientot") {
			t.Error(p.text("tbody"))
		}
		for _, part := range []string{"dues=ended", "plan=grande", "q=passee", "state=live"} {
			if href := p.doc.Find("thead a").First().AttrOr("href", ""); !strings.Contains(href, part) {
				t.Errorf("the order forgets %s: %s", part, href)
			}
			if href := p.doc.Find(`a[href*="/download?"]`).AttrOr("href", ""); !strings.Contains(href, part) {
				t.Errorf("the download forgets %s: %s", part, href)
			}
		}
		if p.value("dues") != "ended" {
			t.Errorf("%q is chosen", p.value("dues"))
		}
		if p.doc.Find("tbody b").Length() != 0 {
			t.Error("a name is markup")
		}
	})
	t.Run("a filter that is none does not narrow", func(t *testing.T) {
		if p := b.get("/admin/accounts?dues=%27+OR+1&state=x&plan=%3Cb%3E"); p.doc.Find("tbody tr").Length() != 5 {
			t.Error(p.text("tbody"))
		}
	})
	t.Run("the table holds what the list is narrowed to, and no formula", func(t *testing.T) {
		p := w.as(technician).get("/admin/accounts/download?dues=ended")
		if p.status != http.StatusOK || !strings.HasPrefix(p.header.Get("Content-Type"), "text/csv") || !strings.Contains(p.header.Get("Content-Disposition"), "associations-") {
			t.Fatal(p.status, p.header)
		}
		if lines := strings.Split(strings.TrimSpace(p.body), "\r\n"); len(lines) != 3 || !strings.HasPrefix(lines[1], "'=SOMME(A1)<b>passee;passee;Grande;") {
			t.Errorf("%q", lines)
		}
	})
	t.Run("members have neither", func(t *testing.T) {
		for _, path := range []string{"/admin/accounts", "/admin/accounts/download"} {
			if p := w.as(owner).get(path); p.status != http.StatusForbidden {
				t.Errorf("%s: %d", path, p.status)
			}
		}
	})
}
