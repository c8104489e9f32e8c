package panel

import (
	"net/http"
	"strings"
	"testing"

	"cancale/internal/hosting"
)

func TestLimitsAreConfirmedBeforeTheyChange(t *testing.T) {
	w := newWorld(t)
	w.newSite("deux.asso.example")
	b := w.as(admin)
	plan := func() hosting.Plan {
		t.Helper()
		row, err := w.store.Plan(t.Context(), w.root.Scope(hosting.AdminRead), "grande")
		w.must(err)
		return row.Plan
	}
	path := "/admin/plans/" + number(w.account.PlanID)
	fields := []string{"label", "<b>Grande</b>", "sites", "1", "databases", "20", "ftp_logins", "20", "disk_mb", "1000"}
	t.Run("a page says who is over, and changes nothing", func(t *testing.T) {
		b.get(path)
		p := b.post(path, fields...)
		if text := p.text("main"); p.status != http.StatusOK || !strings.Contains(text, "Sites : 2 sur 1") || strings.Contains(text, "Grand Large") || plan().Sites != 20 {
			t.Fatal(p.status, text)
		}
		if p.value("sites") != "1" || p.value("label") != "<b>Grande</b>" {
			t.Error("the form is forgotten")
		}
		if p := b.post(path, append(fields, "confirm", "back")...); p.status != http.StatusOK || p.value("sites") != "1" || plan().Sites != 20 {
			t.Error("back does not lead to the form", p.status)
		}
	})
	t.Run("confirmed, it changes", func(t *testing.T) {
		if p := b.post(path, append(fields, "confirm", "yes")...); p.status != http.StatusSeeOther || plan().Sites != 1 {
			t.Error(p.status, plan())
		}
	})
	t.Run("another name needs no confirmation, a forged form gets none", func(t *testing.T) {
		fields[1] = "Moyenne"
		if p := b.post(path, append(fields, ticketField, "forged")...); p.status != http.StatusForbidden {
			t.Error(p.status)
		}
		if p := b.post(path, fields...); p.status != http.StatusSeeOther || plan().Label != "Moyenne" {
			t.Error(p.status)
		}
	})
	t.Run("nor is a limit that makes no sense confirmed into the plan", func(t *testing.T) {
		b.post(path, "sites", "-7", "confirm", "yes").refusedAt(t, "sites")
	})
	t.Run("an association gets another plan", func(t *testing.T) {
		_, err := w.store.CreatePlan(t.Context(), w.root, hosting.PlanSpec{Name: "zero", Label: "<i>Zéro</i>"})
		w.must(err)
		edit := "/admin/accounts/" + number(w.account.ID) + "/edit"
		b.get(edit)
		fields := []string{"label", "Baie", "plan", "zero", "note", "a\nb"}
		p := b.post(edit, fields...)
		if text := p.text("main"); p.status != http.StatusOK || !strings.Contains(text, "<i>Zéro</i>") || p.doc.Find("main i").Length() != 0 || !strings.Contains(text, "2 sur 0") || p.value("note") != "a\nb" {
			t.Fatal(p.status, text)
		}
		if p := b.post(edit, append(fields, "confirm", "yes")...); p.status != http.StatusSeeOther {
			t.Error(p.status)
		}
		row, err := w.store.Account(t.Context(), w.root.Scope(hosting.AdminRead), w.account.ID)
		w.must(err)
		if row.Plan.Name != "zero" || row.Note != "a\nb" {
			t.Errorf("%+v", row)
		}
		b.post(edit, "label", "Baie", "plan", "aucune").refusedAt(t, "plan")
	})
}
