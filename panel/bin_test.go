package panel

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cancale/internal/driver/unixacct"
	"cancale/internal/host"
	"cancale/internal/hosting"
	"cancale/internal/jail"
)

// files opens the home of the world's site as the file service does.
func (w *world) files() *jail.Jail {
	w.t.Helper()
	w.must(os.MkdirAll(w.srv.conf.Layout.Sandbox(), 0o711))
	w.must(unixacct.New(host.New(w.srv.conf.Layout, nil), "").Ensure(w.t.Context(), w.site))
	j, err := jail.Open(w.srv.conf.Layout.Home(string(w.site.HomeToken)), w.site.UID, w.site.UID)
	w.must(err)
	j.UseBin(w.srv.conf.Layout.Bin(string(w.site.HomeToken)))
	w.t.Cleanup(func() { _ = j.Close() })
	return j
}

func (w *world) file(j *jail.Jail, name, text string) {
	w.t.Helper()
	u, err := j.Create(name)
	w.must(err)
	_, err = u.Write([]byte(text))
	w.must(err)
	w.must(u.Commit())
}

func TestBin(t *testing.T) {
	w := newWorld(t)
	j := w.files()
	const evil = "a \"b\" <script>alert(1)\n.txt"
	for _, name := range []string{"www/photo.jpg", "www/" + evil, "www/gone"} {
		w.file(j, name, "first")
		w.must(j.Remove(name))
	}
	w.file(j, "www/photo.jpg", "second")
	o, s := w.as(owner), w.as(stranger)
	bin := "/sites/" + number(w.site.ID) + "/bin"

	p := o.get(bin)
	if p.status != http.StatusOK || !strings.Contains(p.body, "photo.jpg") || strings.Contains(p.body, "<script>alert") || !strings.Contains(p.body, "&lt;script&gt;") {
		t.Errorf("%d: %s", p.status, p.body)
	}
	if p := o.get(bin + "?q=PHOTO"); !strings.Contains(p.body, "photo.jpg") || strings.Contains(p.body, "www/gone") || strings.Contains(p.body, ">gone<") {
		t.Errorf("looked for photo: %s", p.body)
	}
	list, _, err := j.Bin("")
	w.must(err)
	slots := map[string]string{}
	for _, e := range list {
		slots[e.Path] = hosting.BinItem{Slot: e.Slot, Path: e.Path}.ID()
	}
	slot, _, _ := strings.Cut(slots["www/gone"], "/")
	act := func(b *browser, act string, fields ...string) *page {
		t.Helper()
		if b == s {
			b.get("/sites/new")
		} else {
			b.get(bin)
		}
		return b.post(bin+"/"+act, fields...)
	}
	// Somebody else's site does not exist.
	if p := act(s, "restore", "item", slots["www/gone"]); p.status != http.StatusNotFound {
		t.Errorf("a stranger restores: %d", p.status)
	}
	if p := act(s, "delete", "all", "true"); p.status != http.StatusNotFound {
		t.Errorf("a stranger empties: %d", p.status)
	}
	for _, attack := range []string{"../../../../etc/passwd", "/etc/passwd", "www/../../x", ""} {
		if p := act(o, "restore", "item", slot+"/"+attack, "to", "www/x"); p.status != http.StatusNotFound {
			t.Errorf("%q: %d", attack, p.status)
		}
	}
	if p := act(o, "restore", "item", slots["www/gone"], "to", "../outside"); p.status != http.StatusUnprocessableEntity && p.status != http.StatusSeeOther {
		t.Errorf("to the outside: %d", p.status)
	}
	if _, err := os.Lstat(filepath.Join(w.srv.conf.Layout.Homes(), "outside")); err == nil {
		t.Error("it is outside")
	}
	// What is there now stays, and another name is offered.
	p = act(o, "restore", "item", slots["www/photo.jpg"])
	if p.status != http.StatusUnprocessableEntity || !strings.Contains(p.body, `value="www/photo-restauré.jpg"`) {
		t.Errorf("%d: %s", p.status, p.body)
	}
	if p := o.post(bin+"/restore", "item", slots["www/photo.jpg"], "to", "www/photo-restauré.jpg"); p.status != http.StatusSeeOther {
		t.Errorf("%d: %s", p.status, p.body)
	}
	for name, want := range map[string]string{"www/photo.jpg": "second", "www/photo-restauré.jpg": "first"} {
		if got, err := os.ReadFile(filepath.Join(w.srv.conf.Layout.Home(string(w.site.HomeToken)), name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if p := act(o, "delete", "f", slots["www/"+evil]); p.status != http.StatusSeeOther {
		t.Errorf("%d: %s", p.status, p.body)
	}
	if p := act(o, "delete", "all", "true"); p.status != http.StatusSeeOther {
		t.Errorf("%d: %s", p.status, p.body)
	}
	if list, _, _ := j.Bin(""); len(list) > 0 {
		t.Errorf("left: %+v", list)
	}
	space, err := w.store.Space(t.Context(), w.root.Scope(hosting.AdminRead), w.account.ID)
	w.must(err)
	if space.Used != 0 { // nothing was measured, so nothing can be less
		t.Errorf("%+v", space)
	}
}

func TestSeveralThingsOfTheBin(t *testing.T) {
	w := newWorld(t)
	j := w.files()
	const evil = "www/a \"b\"\n<script>.txt"
	for _, name := range []string{"www/one", "www/two", "www/taken", "www/three", evil} {
		w.file(j, name, "first")
		w.must(j.Remove(name))
	}
	w.file(j, "www/taken", "second")
	o, s := w.as(owner), w.as(stranger)
	bin := "/sites/" + number(w.site.ID) + "/bin"
	p := o.get(bin)
	ids := map[string]string{}
	for _, box := range p.doc.Find("input[name=f]").EachIter() {
		id, _ := box.Attr("value")
		item, err := hosting.ParseBinID(id)
		w.must(err)
		ids[item.Path] = id
	}
	if len(ids) != 5 || ids[evil] == "" || strings.Contains(ids[evil], "\n") {
		t.Fatalf("the boxes are %q", ids)
	}
	read := func(name string) string {
		text, _ := os.ReadFile(filepath.Join(w.srv.conf.Layout.Home(string(w.site.HomeToken)), name))
		return string(text)
	}
	t.Run("a stranger", func(t *testing.T) {
		s.get("/sites/new")
		if p := s.post(bin+"/several", "act", "restore", "f", ids["www/one"]); p.status != http.StatusNotFound || read("www/one") != "" {
			t.Errorf("%d", p.status)
		}
	})
	t.Run("somebody else's things under one's own site", func(t *testing.T) {
		other, err := w.store.CreateSite(t.Context(), w.root, w.other.ID, hosting.SiteSpec{Host: "large.example", DocumentRoot: "www", PHP: "8.2"})
		w.must(err)
		w.must(unixacct.New(host.New(w.srv.conf.Layout, nil), "").Ensure(t.Context(), other))
		theirs := "/sites/" + number(other.ID) + "/bin"
		s.get(theirs)
		if p := s.post(theirs+"/several", "act", "restore", "f", ids["www/one"]); p.status != http.StatusUnprocessableEntity || read("www/one") != "" {
			t.Errorf("%d", p.status)
		}
		s.get("/sites/new")
		s.post(theirs+"/delete", "f", ids["www/one"], "f", ids["www/two"])
		if list, _, _ := j.Bin(""); len(list) != 5 {
			t.Errorf("%+v", list)
		}
	})
	t.Run("what can come back does, and the rest is told", func(t *testing.T) {
		o.get(bin)
		p := o.post(bin+"/several", "act", "restore", "f", ids["www/one"], "f", ids["www/taken"], "f", ids[evil], "f", "20260801T10/../../etc/passwd")
		if p.status != http.StatusUnprocessableEntity || p.doc.Find(".errors li").Length() != 2 || !strings.Contains(p.text(".errors"), "www/taken") {
			t.Errorf("%d: %s", p.status, p.text(".errors"))
		}
		if read("www/one") != "first" || read(evil) != "first" || read("www/taken") != "second" {
			t.Error("not as it should be")
		}
	})
	t.Run("what goes for good is asked first", func(t *testing.T) {
		o.get(bin)
		p := o.post(bin+"/several", "act", "purge", "f", ids["www/two"], "f", ids["www/three"])
		if p.status != http.StatusOK || !strings.Contains(p.text("main"), "www/two") {
			t.Errorf("%d: %s", p.status, p.text("main"))
		}
		if list, _, _ := j.Bin(""); len(list) != 3 {
			t.Errorf("%+v", list)
		}
		if p := o.post(bin+"/delete", "f", ids["www/two"], "f", ids["www/three"]); p.status != http.StatusSeeOther {
			t.Errorf("%d", p.status)
		}
		if list, _, _ := j.Bin(""); len(list) != 1 || list[0].Path != "www/taken" {
			t.Errorf("%+v", list)
		}
	})
	t.Run("nothing is chosen", func(t *testing.T) {
		o.get(bin)
		if p := o.post(bin+"/several", "act", "purge"); p.status != http.StatusUnprocessableEntity || p.doc.Find(".errors li").Length() != 1 {
			t.Errorf("%d", p.status)
		}
		o.get(bin)
		if p := o.post(bin + "/delete"); p.status != http.StatusUnprocessableEntity {
			t.Errorf("%d", p.status)
		}
		if list, _, _ := j.Bin(""); len(list) != 1 {
			t.Errorf("%+v", list)
		}
	})
}
