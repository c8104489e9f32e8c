package panel

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"cancale/internal/hosting"
)

func TestTheHomeSaysWhatToDoNext(t *testing.T) {
	w := newWorld(t)
	o := w.as(owner)
	next := func() string {
		t.Helper()
		p := o.get("/")
		if p.status != http.StatusOK {
			t.Fatal(p.status)
		}
		if n := p.doc.Find("main > .alert").Length(); n > 1 {
			t.Errorf("%d things to do at once: %s", n, p.text("main > .alert"))
		}
		return p.text("main > .alert")
	}
	w.observe(w.site, hosting.Live, hosting.Message{})
	if got := next(); got != "" {
		t.Errorf("all is well, and yet: %q", got)
	}
	_, err := w.store.UpdateAccount(t.Context(), w.root, w.account.ID, hosting.AccountSpec{Label: w.account.Label, Plan: "grande", Expires: new(time.Now().Add(10 * 24 * time.Hour))})
	w.must(err)
	if got := next(); !strings.Contains(got, "L’adhésion se termine") || o.get("/").doc.Find(`main > .alert a[href="/requests/new?about=membership"]`).Length() != 1 {
		t.Errorf("%q", got)
	}
	asked, err := w.store.CreateRequest(t.Context(), w.root, w.account.ID, hosting.RequestSpec{Subject: "Plus de <b>place</b>", Body: "Bonjour"})
	w.must(err)
	w.must(w.store.AnswerRequest(t.Context(), w.root, asked.ID, "Oui", true))
	if got := next(); !strings.Contains(got, "Plus de <b>place</b>") {
		t.Errorf("%q", got)
	}
	if got := o.get("/sites").text(".nav .count"); got != "1" {
		t.Errorf("%q answers in the navigation", got)
	}
	w.observe(w.site, hosting.Failed, hosting.Msg("site.failed_php", "8.2"))
	if got := next(); !strings.Contains(got, "Un site n’est pas") {
		t.Errorf("%q", got)
	}
	if got := o.get("/").text("#sites ~ * tbody, section tbody"); !strings.Contains(got, "8.2") {
		t.Errorf("the reason is missing: %q", got)
	}
	w.must(w.store.SuspendAccount(t.Context(), w.root, w.account.ID))
	if got := next(); !strings.Contains(got, "suspendue") {
		t.Errorf("%q", got)
	}
	t.Run("a contractor is not led where they may not go", func(t *testing.T) {
		if p := w.as(contractor).get("/"); p.doc.Find(`main a[href^="/requests"]`).Length() != 0 {
			t.Error(p.text("main"))
		}
	})
	t.Run("nothing of it is another association's", func(t *testing.T) {
		p := w.as(stranger).get("/")
		for _, foreign := range []string{"place", "parc.asso.example", "Souffle"} {
			if strings.Contains(p.body, foreign) {
				t.Errorf("shows %q", foreign)
			}
		}
	})
}

func TestTheTeamFindsItsWork(t *testing.T) {
	w := newWorld(t)
	w.observe(w.site, hosting.Failed, hosting.Msg("site.failed_php", "8.2"))
	_, err := w.store.CreateRequest(t.Context(), w.root, w.account.ID, hosting.RequestSpec{Subject: "<script>x</script>", Body: "Bonjour"})
	w.must(err)
	a := w.as(technician)
	p := a.get("/admin")
	if p.text(".nav .count") != "1" || strings.Contains(p.body, "<script>x") {
		t.Error(p.text("nav"))
	}
	links := 0
	p.doc.Find("main tbody tr").Each(func(_ int, row *goquery.Selection) {
		url := row.Find("td.end a").AttrOr("href", "")
		if url == "" {
			t.Errorf("nothing to do about %q", row.Text())
			return
		}
		if q := a.get(url); q.status != http.StatusOK {
			t.Errorf("%s: %d", url, q.status)
		}
		links++
	})
	if links != 2 {
		t.Errorf("%d rows: %s", links, p.text("main tbody"))
	}
}
