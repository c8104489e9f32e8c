package panel

import (
	"bytes"
	"image/png"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"cancale/internal/hosting"
)

func TestTwoStepVerification(t *testing.T) {
	w := newWorld(t)
	b := w.as(owner)
	b.get("/profile/security")
	p := b.post("/profile/security/begin", "password", "not the password")
	p.refusedAt(t, "password")
	if p := b.post("/profile/security/begin", "password", testPassword); p.status != http.StatusSeeOther {
		t.Fatal(p.status, p.text(".errors"))
	}
	p = b.get("/profile/security/confirm")
	key := strings.ReplaceAll(p.text(".secret code"), " ", "")
	drawing := b.get("/profile/security/code.png")
	if picture, err := png.Decode(bytes.NewReader([]byte(drawing.body))); err != nil || picture.Bounds().Dx() != qrSize {
		t.Error("no drawing", err)
	}
	if p := w.as(webmaster).get("/profile/security/code.png"); p.status != http.StatusNotFound {
		t.Errorf("somebody else's drawing: %d", p.status)
	}
	b.get("/profile/security/confirm")
	code := func(at time.Time) string {
		c, err := totp.GenerateCode(key, at)
		w.must(err)
		return c
	}
	b.post("/profile/security/confirm", "code", "000000").refusedAt(t, "code")
	p = b.follow(b.post("/profile/security/confirm", "code", code(time.Now().Add(-30*time.Second))))
	codes := p.doc.Find(".sheet .list code")
	if codes.Length() != 10 || b.get(p.path).status != http.StatusSeeOther {
		t.Fatalf("%d codes, or shown twice", codes.Length())
	}
	recovery := codes.First().Text()
	if strings.Contains(w.log.String(), key) || strings.Contains(w.log.String(), recovery) {
		t.Error("a secret is in the log")
	}

	n := w.browser()
	n.get("/signin?next=%2Fsites")
	p = n.post("/signin", "email", "owner@asso.example", "password", testPassword, "next", "/sites")
	if p.status != http.StatusOK || p.doc.Find("[name=code]").Length() != 1 || n.cookie(sessionCookie) != nil {
		t.Fatal(p.status, p.text("main"))
	}
	state := p.value("state")
	n.post("/signin/code", "state", state, "code", "123456").refusedAt(t, "code")
	t.Run("the state is good for its browser only", func(t *testing.T) {
		thief := w.browser()
		thief.get("/signin")
		if p := thief.post("/signin/code", "state", state, "code", recovery); p.header.Get("Location") != "/signin" || thief.cookie(sessionCookie) != nil {
			t.Error(p.status, p.header.Get("Location"))
		}
	})
	p = n.post("/signin/code", "state", state, "code", code(time.Now()))
	if p.header.Get("Location") != "/sites" || n.cookie(sessionCookie) == nil {
		t.Fatal(p.status, p.text(".errors"))
	}
	t.Run("a code that was used is refused", func(t *testing.T) {
		n := w.browser()
		n.get("/signin")
		p := n.post("/signin", "email", "owner@asso.example", "password", testPassword)
		n.post("/signin/code", "state", p.value("state"), "code", code(time.Now())).refusedAt(t, "code")
		if p := n.post("/signin/code", "state", p.value("state"), "code", recovery); p.status != http.StatusSeeOther {
			t.Error(p.status, p.text(".errors"))
		}
	})
	t.Run("the team may take it away", func(t *testing.T) {
		a := w.as(admin)
		page := "/admin/persons/" + number(w.people[owner].ID)
		a.get(page)
		if p := a.post(page + "/totp-reset"); p.status != http.StatusSeeOther {
			t.Fatal(p.status)
		}
		w.as(owner)
	})
	t.Run("the installation may want it from its team", func(t *testing.T) {
		_, err := w.store.UpdateSettings(t.Context(), w.root, func(all *hosting.Settings) error { all.People.TeamFactor = true; return nil })
		w.must(err)
		a := w.as(admin)
		if p := a.get("/admin"); p.status != http.StatusSeeOther || !strings.HasPrefix(p.header.Get("Location"), "/profile/security") {
			t.Error(p.status, p.header.Get("Location"))
		}
		w.makeHome(w.site)
		w.writeFile("www/secret.txt", "a member's")
		for _, act := range []string{"", "download", "image", "zip"} {
			if p := a.get(w.filesURL(act, "path", "www/secret.txt", "f", "www/secret.txt")); p.status != http.StatusSeeOther || !strings.HasPrefix(p.header.Get("Location"), "/profile/security") {
				t.Errorf("%q of a member's files: %d", act, p.status)
			}
		}
		a.get("/profile/security")
		for _, act := range []string{"upload", "piece"} {
			if a.upload(w.filesURL(act, "path", "www", "name", "x"), a.ticket(), [][2]string{{"path", "www"}}, [2]string{"x", "x"}); !w.gone("www/x") {
				t.Errorf("%q into a member's files", act)
			}
		}
		if p := w.as(webmaster).get("/"); p.status != http.StatusOK {
			t.Error(p.status)
		}
	})
}
