package panel

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"cancale/internal/hosting"
)

func TestBansAreSeenAndLifted(t *testing.T) {
	w := newWorld(t)
	team := w.as(technician)
	_, err := w.store.UpdateSettings(t.Context(), w.root, func(s *hosting.Settings) error { s.Bans.Failures, s.Bans.For = 2, time.Hour; return nil })
	w.must(err)
	for _, name := range []string{"owner@asso.example", "<b>secret</b>"} {
		if _, _, err := w.store.SignIn(t.Context(), name, "guess", "203.0.113.5"); hosting.KindOf(err) != hosting.Unauthenticated {
			t.Fatal(err)
		}
	}
	p := team.get("/admin/bans")
	if !strings.Contains(p.text("tbody"), "203.0.113.5") || strings.Contains(p.body, "secret") {
		t.Errorf("the list: %q", p.text("main"))
	}
	lift, _ := p.doc.Find("tbody form").First().Attr("action")
	if got := w.as(owner).post(lift); got.status != http.StatusForbidden {
		t.Errorf("a member lifts: %d", got.status)
	}
	team.get("/admin/bans")
	if got := team.follow(team.post(lift)); !strings.Contains(got.text("[role=status]"), "203.0.113.5") || strings.Contains(got.text("tbody"), "203.0.113.5") {
		t.Errorf("lifted: %q", got.text("main"))
	}
	if banned, err := w.store.BannedSources(t.Context()); err != nil || len(banned) != 0 {
		t.Errorf("%v %v", banned, err)
	}

	// Whoever signs in from a banned address learns it, and from the daemon's
	// door at the first word.
	for range 2 {
		_, _, _ = w.store.SignIn(t.Context(), "x@example.org", "guess", "127.0.0.1")
	}
	guest := w.browser()
	guest.get("/signin")
	if got := guest.post("/signin", "email", "owner@asso.example", "password", testPassword); got.status != http.StatusTooManyRequests || !strings.Contains(got.text("main"), "60") {
		t.Errorf("at the panel: %d %q", got.status, got.text("main"))
	}
	w.refusedAtTheDoor()
}
