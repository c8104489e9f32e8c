package panel

import (
	"net/http"
	"strings"
	"testing"

	"cancale/internal/hosting"
	"cancale/internal/store"
)

func TestARequestIsAnswered(t *testing.T) {
	w := newWorld(t)
	office := w.mailServer()
	b := w.as(webmaster)
	if p := b.get("/requests/new?about=space"); p.value("subject") != "Plus d’espace disque" {
		t.Errorf("the page does not say what it is about: %q", p.value("subject"))
	}
	b.post("/requests/new", "subject", "", "body", "").refusedAt(t, "body")
	p := b.post("/requests/new", "about", "space", "subject", "Plus de <b>place</b>", "body", "<script>alert(1)</script>\nMerci")
	if p.status != http.StatusSeeOther {
		t.Fatal(p.status, p.text(".errors"))
	}
	where := p.header.Get("Location")
	if p := b.follow(p); strings.Contains(p.body, "<script>alert") || strings.Contains(p.body, "<b>place") || !strings.Contains(p.text("h1"), "<b>place</b>") {
		t.Error(p.text("main"))
	}
	office.to(t, "technician@asso.example")
	office.to(t, "administrator@asso.example")

	a := w.as(technician)
	if p := a.get("/admin/requests?state=open"); !strings.Contains(p.text("main"), "Plus de") {
		t.Error(p.text("main"))
	}
	a.get("/admin" + where)
	if p := a.post("/admin"+where, "body", "C’est fait."); p.status != http.StatusSeeOther {
		t.Fatal(p.status, p.text(".errors"))
	}
	office.to(t, "webmaster@asso.example")
	office.to(t, "owner@asso.example")
	if p := b.get(where); !strings.Contains(p.text("main"), "C’est fait.") || !strings.Contains(p.text(".badge"), "Réponse donnée") {
		t.Error(p.text("main"))
	}
	if p := b.post(where + "/close"); p.status != http.StatusSeeOther {
		t.Error(p.status)
	}
	t.Run("another association neither sees nor writes", func(t *testing.T) {
		s := w.as(stranger)
		s.get("/")
		for _, p := range []*page{s.get(where), s.post(where, "body", "x"), s.post(where + "/close")} {
			if p.status != http.StatusNotFound {
				t.Errorf("%s: %d", p.path, p.status)
			}
		}
		if p := s.get("/requests"); strings.Contains(p.text("main"), "place") {
			t.Error("listed")
		}
	})
	t.Run("who writes too much waits", func(t *testing.T) {
		o := w.as(owner)
		o.get("/requests/new")
		for range 40 {
			if p := o.post("/requests/new", "subject", "Encore", "body", "Encore", ticketField, freshTicket(o)); p.status == http.StatusUnprocessableEntity {
				return
			}
		}
		_, total, err := w.store.Requests(t.Context(), w.root.Scope(hosting.AdminRequests), store.RequestFilter{})
		t.Error("forty in a row are taken", total, err)
	})
}

// freshTicket draws the form anew, so that it is not the same form sent twice.
func freshTicket(b *browser) string {
	ticket, _ := b.get("/requests/new").ticket()
	return ticket
}
