package panel

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"cancale/internal/driver/unixacct"
	"cancale/internal/host"
	"cancale/internal/hosting"
	"cancale/internal/store"
)

// makeHome makes the home of a site, as the agent does.
func (w *world) makeHome(site hosting.Site) {
	w.t.Helper()
	w.must(os.MkdirAll(w.srv.conf.Layout.Sandbox(), 0o700))
	w.must(unixacct.New(host.New(w.srv.conf.Layout, nil), "").Ensure(w.t.Context(), site))
}

// disk is where something of the world's site is on the machine.
func (w *world) disk(name string) string {
	return filepath.Join(w.srv.conf.Layout.Home(string(w.site.HomeToken)), filepath.FromSlash(name))
}

func (w *world) readFile(name string) string {
	w.t.Helper()
	raw, err := os.ReadFile(w.disk(name))
	w.must(err)
	return string(raw)
}

func (w *world) writeFile(name, text string) {
	w.t.Helper()
	w.must(os.WriteFile(w.disk(name), []byte(text), 0o644))
	w.must(os.Chown(w.disk(name), int(w.site.UID), int(w.site.UID)))
}

func (w *world) gone(name string) bool {
	_, err := os.Lstat(w.disk(name))
	return errors.Is(err, fs.ErrNotExist)
}

// filesURL is a page of the file manager of the world's site.
func (w *world) filesURL(act string, pairs ...string) string {
	u := "/files/" + number(w.site.ID)
	if act != "" {
		u += "/" + act
	}
	query := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		query.Add(pairs[i], pairs[i+1])
	}
	return u + "?" + query.Encode()
}

// upload sends the form of files; each file is a name and what it holds.
func (b *browser) upload(path, ticket string, fields [][2]string, files ...[2]string) *page {
	b.w.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	if ticket != "" {
		b.w.must(form.WriteField(ticketField, ticket))
	}
	for _, f := range fields {
		b.w.must(form.WriteField(f[0], f[1]))
	}
	for _, f := range files {
		part, err := form.CreateFormFile("f", f[0])
		b.w.must(err)
		_, err = io.WriteString(part, f[1])
		b.w.must(err)
	}
	b.w.must(form.Close())
	req, err := http.NewRequestWithContext(b.w.t.Context(), http.MethodPost, b.w.url+path, &body)
	b.w.must(err)
	req.Header.Set("Content-Type", form.FormDataContentType())
	return b.do(req)
}

func (b *browser) ticket() string {
	t, _ := b.page.ticket()
	return t
}

// filesAudited are the acts on files in the audit log, the latest first.
func (w *world) filesAudited() []hosting.AuditEntry {
	w.t.Helper()
	rows, _, err := w.store.Audit(w.t.Context(), w.root.Scope(hosting.AdminAudit), store.AuditFilter{PerPage: 100})
	w.must(err)
	return slices.DeleteFunc(rows, func(e hosting.AuditEntry) bool { return !strings.HasPrefix(e.Action, "files.") })
}

func TestAMemberKeepsTheFilesOfASite(t *testing.T) {
	w := newWorld(t)
	w.makeHome(w.site)
	b := w.as(webmaster)
	p := b.follow(b.get("/files")) // there is one site
	if p.status != http.StatusOK || !strings.Contains(p.text("table"), "index.html") || p.text(".toolbar .crumbs b") != "www" {
		t.Fatal(p.status, p.text("main"))
	}
	here := func() *page { return b.get(w.filesURL("", "path", "www")) }

	p = b.upload(w.filesURL("upload"), b.ticket(), [][2]string{{"path", "www"}}, [2]string{"été.txt", "marée"}, [2]string{`C:\photos\plage.jpg`, "\xff\xd8\xff\xe0 jpeg"})
	if p = b.follow(p); !strings.Contains(p.text(".alert"), "2 fichiers sont envoyés") || w.readFile("www/été.txt") != "marée" {
		t.Error(p.text(".alert"))
	}
	if w.readFile("www/plage.jpg") == "" {
		t.Error("the path of the sender's machine was not cut off")
	}
	p = b.upload(w.filesURL("upload"), b.ticket(), [][2]string{{"path", "www"}}, [2]string{"été.txt", "autre"}, [2]string{"deux.txt", "2"})
	if p.status != http.StatusUnprocessableEntity || !strings.Contains(p.text(".errors"), "été.txt") || w.readFile("www/été.txt") != "marée" || w.readFile("www/deux.txt") != "2" {
		t.Error(p.status, p.text(".errors"))
	}
	here()
	b.upload(w.filesURL("upload"), b.ticket(), [][2]string{{"path", "www"}, {"replace", "true"}}, [2]string{"été.txt", "basse mer"})
	if w.readFile("www/été.txt") != "basse mer" {
		t.Error("not replaced")
	}

	here()
	if p = b.post(w.filesURL("folder"), "path", "www", "name", "a/b"); p.status != http.StatusUnprocessableEntity {
		t.Error(p.status)
	}
	p.refusedAt(t, "name")
	p = b.follow(b.post(w.filesURL("folder"), "path", "www", "name", "album"))
	if p.text(".toolbar .crumbs b") != "album" || !strings.Contains(p.text("main"), "Ce dossier est vide") {
		t.Error(p.text("main"))
	}
	p = b.follow(b.post(w.filesURL("move"), "f", "www/plage.jpg", "f", "www/deux.txt", "to", "www/album"))
	if !strings.Contains(p.text("table"), "plage.jpg") || !w.gone("www/plage.jpg") {
		t.Error(p.text("main"))
	}
	p = b.get(w.filesURL("copy", "f", "www/album", "to", "private"))
	if p.status != http.StatusOK || p.value("to") != "private" {
		t.Error(p.status, p.value("to"))
	}
	b.follow(b.post(w.filesURL("copy"), "f", "www/album", "to", "private"))
	if w.readFile("private/album/deux.txt") != "2" {
		t.Error("not copied")
	}
	p = b.follow(b.post(w.filesURL("rename"), "path", "www/album", "name", "Été 2026"))
	if !strings.Contains(p.text("table"), "Été 2026") {
		t.Error(p.text("main"))
	}
	p = b.get(w.filesURL("mode", "f", "www/été.txt"))
	if p.value("mode") != "644" || p.doc.Find("input[name=bit][checked]").Length() != 4 {
		t.Error(p.value("mode"))
	}
	b.post(w.filesURL("mode"), "f", "www/été.txt", "mode", "644", "before", "644", "bit", "400", "bit", "200")
	if info, err := os.Stat(w.disk("www/été.txt")); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	b.post(w.filesURL("mode"), "f", "www/été.txt", "mode", "640", "before", "600", "bit", "400")
	if info, err := os.Stat(w.disk("www/été.txt")); err != nil || info.Mode().Perm() != 0o640 {
		t.Error(info.Mode(), err)
	}

	p = b.get(w.filesURL("zip", "f", "www/Été 2026", "f", "www/été.txt"))
	z, err := zip.NewReader(strings.NewReader(p.body), int64(len(p.body)))
	if err != nil || len(z.File) != 4 || p.header.Get("Content-Disposition") != `attachment; filename=www.zip` {
		t.Fatal(err, p.header)
	}
	w.writeFile("www/tout.zip", p.body)
	if p = b.get(w.filesURL("unpack", "path", "www/tout.zip")); p.status != http.StatusOK {
		t.Error(p.status)
	}
	p = b.follow(b.post(w.filesURL("unpack"), "path", "www/tout.zip", "where", "apart"))
	if p.text(".toolbar .crumbs b") != "tout" || w.readFile("www/tout/été.txt") != "basse mer" || !strings.Contains(p.text(".alert"), "3 fichiers") {
		t.Error(p.text("main"))
	}
	p = b.post(w.filesURL("unpack"), "path", "www/tout.zip", "where", "here")
	p.refusedAt(t, "replace")

	p = b.get(w.filesURL("delete", "f", "www/tout", "f", "www/tout.zip"))
	if !strings.Contains(p.text("h1"), "Supprimer 2 éléments") {
		t.Error(p.text("h1"))
	}
	b.follow(b.post(w.filesURL("delete"), "f", "www/tout", "f", "www/tout.zip"))
	if !w.gone("www/tout") || !w.gone("www/tout.zip") {
		t.Error("not deleted")
	}
	p = b.get(w.filesURL("", "path", "www", "q", "DEUX"))
	if !strings.Contains(p.text("table"), "deux.txt") || !strings.Contains(p.text("table .sub"), "Été 2026") {
		t.Error(p.text("main"))
	}
	var acts []string
	for _, e := range w.filesAudited() {
		acts = append(acts, strings.TrimPrefix(e.Action, "files."))
	}
	if got := strings.Join(acts, " "); got != "delete unpack mode mode rename copy move create_folder upload" {
		t.Errorf("the audit log says %s", got)
	}
}

func TestAFileIsEdited(t *testing.T) {
	w := newWorld(t)
	w.makeHome(w.site)
	b := w.as(webmaster)
	b.get("/files")
	b.get(w.filesURL("", "path", "www"))
	p := b.follow(b.post(w.filesURL("new"), "path", "www", "name", "page.php"))
	if p.value("text") != "" || !strings.Contains(p.text(".alert"), "fait fonctionner le site") {
		t.Error(p.text("main"))
	}
	version := p.value("version")
	const text = "\r\n<?php\r\n</textarea><script>alert(1)</script> é\r\n"
	p = b.follow(b.post(w.filesURL("edit"), "path", "www/page.php", "version", version, "encoding", "utf-8", "text", text))
	if want := strings.ReplaceAll(text, "\r\n", "\n"); w.readFile("www/page.php") != want || strings.TrimPrefix(p.value("text"), "\n") != strings.TrimPrefix(want, "\n") {
		t.Errorf("file %q, page %q", w.readFile("www/page.php"), p.value("text"))
	}
	if p.doc.Find("main script").Length() != 0 {
		t.Error("the text of the file is markup")
	}

	t.Run("by two", func(t *testing.T) {
		o := w.as(owner)
		o.get("/files")
		p := o.get(w.filesURL("edit", "path", "www/page.php"))
		if !strings.Contains(p.text("#others"), "Maëlle webmaster modifie ce fichier") {
			t.Error(p.text("main"))
		}
		old := p.value("version")
		if n := b.post(w.filesURL("editing"), "path", "www/page.php", "state", "live"); !strings.Contains(n.text("body"), "Maëlle owner") {
			t.Error(n.body)
		}
		b.post(w.filesURL("edit"), "path", "www/page.php", "version", old, "encoding", "utf-8", "text", "premier")
		p = o.post(w.filesURL("edit"), "path", "www/page.php", "version", old, "encoding", "utf-8", "text", "second")
		if p.status != http.StatusUnprocessableEntity || !strings.Contains(p.text("h1"), "a changé entre-temps") || w.readFile("www/page.php") != "premier" {
			t.Fatal(p.status, p.text("main"), w.readFile("www/page.php"))
		}
		areas := p.doc.Find("textarea").Map(func(_ int, s *goquery.Selection) string { return strings.TrimSpace(s.Text()) })
		if !slices.Equal(areas, []string{"second", "premier"}) {
			t.Error(areas)
		}
		o.follow(o.post(w.filesURL("edit"), "path", "www/page.php", "version", p.value("version"), "encoding", "utf-8", "text", "second"))
		if w.readFile("www/page.php") != "second" {
			t.Error(w.readFile("www/page.php"))
		}
		w.must(os.Remove(w.disk("www/page.php")))
		p = o.post(w.filesURL("edit"), "path", "www/page.php", "version", old, "encoding", "utf-8", "text", "perdu ?")
		if p.status != http.StatusUnprocessableEntity || p.value("recreate") != "true" {
			t.Fatal(p.status, p.text("main"))
		}
		o.follow(o.post(w.filesURL("edit"), "path", "www/page.php", "recreate", "true", "encoding", "utf-8", "text", "retrouvé"))
		if w.readFile("www/page.php") != "retrouvé" {
			t.Error(w.readFile("www/page.php"))
		}
	})
	t.Run("in Latin-1", func(t *testing.T) {
		w.writeFile("www/vieux.html", "caf\xe9")
		p := b.get(w.filesURL("edit", "path", "www/vieux.html"))
		if p.value("text") != "café" || p.value("encoding") != "windows-1252" {
			t.Error(p.value("text"), p.value("encoding"))
		}
		version := p.value("version")
		p = b.post(w.filesURL("edit"), "path", "www/vieux.html", "version", version, "encoding", "windows-1252", "text", "日")
		if p.status != http.StatusUnprocessableEntity || !strings.Contains(p.text(".errors"), "日") || p.value("text") != "日" {
			t.Error(p.status, p.text(".errors"))
		}
		b.post(w.filesURL("edit"), "path", "www/vieux.html", "version", version, "encoding", "windows-1252", "text", "thé")
		if w.readFile("www/vieux.html") != "th\xe9" {
			t.Errorf("%q", w.readFile("www/vieux.html"))
		}
	})
	t.Run("a long one", func(t *testing.T) {
		p := b.get(w.filesURL("edit", "path", "www/vieux.html"))
		long := strings.Repeat("une ligne assez longue, avec des é\n", 20_000)
		if p = b.post(w.filesURL("edit"), "path", "www/vieux.html", "version", p.value("version"), "encoding", "utf-8", "text", long); p.status != http.StatusSeeOther || w.readFile("www/vieux.html") != long {
			t.Error(p.status)
		}
		p = b.get(w.filesURL("edit", "path", "www/vieux.html"))
		if p = b.post(w.filesURL("edit"), "path", "www/vieux.html", "version", p.value("version"), "encoding", "utf-8", "text", strings.Repeat("x", 9<<20)); p.status != http.StatusRequestEntityTooLarge {
			t.Error(p.status)
		}
	})
	t.Run("not by a technician", func(t *testing.T) {
		w.writeFile("www/lu.txt", "lu")
		tech := w.as(technician)
		p := tech.get(w.filesURL("edit", "path", "www/lu.txt"))
		if p.status != http.StatusOK || p.doc.Find("textarea[readonly]").Length() != 1 || p.doc.Find("main button[type=submit]").Length() != 0 {
			t.Error(p.status, p.text("main"))
		}
	})
}

func TestWhatAMemberFileHoldsIsNoPage(t *testing.T) {
	w := newWorld(t)
	w.makeHome(w.site)
	b := w.as(webmaster)
	const script = `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(document.domain)</script></svg>`
	w.writeFile("www/x.svg", script)
	w.writeFile("www/x.html", "<script>alert(1)</script>")
	w.writeFile("www/faux.png", "<html><script>alert(1)</script>")
	png := "\x89PNG\r\n\x1a\n" + strings.Repeat("\x00", 100)
	w.writeFile("www/vrai.png", png)
	nasty := `"><img src=x onerror=alert(1)>` + "\n.html"
	w.writeFile("www/"+nasty, "x")
	bad := "\xff\xfe.txt"
	w.writeFile("www/"+bad, "x")
	for _, name := range []string{"x.svg", "x.html", "faux.png", "vrai.png", nasty, bad} {
		ref := hosting.FilePath("www/" + name).Ref()
		p := b.get(w.filesURL("download", "path", ref))
		if p.status != http.StatusOK || p.header.Get("Content-Type") != "application/octet-stream" || !strings.HasPrefix(p.header.Get("Content-Disposition"), "attachment") ||
			p.header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(p.header.Get("Content-Security-Policy"), "sandbox") || strings.ContainsAny(p.header.Get("Content-Disposition"), "\r\n") {
			t.Errorf("%q: %d %v", name, p.status, p.header)
		}
		if name == "vrai.png" {
			continue
		}
		if p := b.get(w.filesURL("image", "path", ref)); p.status != http.StatusNotFound {
			t.Errorf("%q is shown as a picture: %d %v", name, p.status, p.header)
		}
	}
	p := b.get(w.filesURL("image", "path", "www/vrai.png"))
	if p.status != http.StatusOK || p.header.Get("Content-Type") != "image/png" || p.body != png || !strings.Contains(p.header.Get("Content-Security-Policy"), "sandbox") {
		t.Error(p.status, p.header)
	}
	p = b.get(w.filesURL("", "path", "www"))
	checkPage(t, p, "a folder of strange names")
	if p.doc.Find("main img").Length() != 0 || !strings.Contains(p.text("table"), `\x0a`) || !strings.Contains(p.text("table"), `\xff`) {
		t.Error(p.text("table"))
	}
	// The strange ones can be renamed and removed.
	ref, found := p.doc.Find(`input[name=f][value^="~"]`).First().Attr("value")
	if !found {
		t.Fatal("no reference to a strange name")
	}
	b.follow(b.post(w.filesURL("delete"), "f", ref))
	b.follow(b.post(w.filesURL("rename"), "path", hosting.FilePath("www/"+bad).Ref(), "name", "ok.txt"))
	if w.gone("www/ok.txt") == w.gone("www/"+nasty) && w.gone("www/"+bad) == w.gone("www/"+nasty) {
		t.Error("neither renamed nor removed")
	}
	// A download that broke off goes on.
	w.writeFile("www/long.bin", "0123456789")
	b.header.Set("Range", "bytes=4-")
	if p := b.get(w.filesURL("download", "path", "www/long.bin")); p.status != http.StatusPartialContent || p.body != "456789" {
		t.Error(p.status, p.body)
	}
}

func TestAttacksOnTheFileManager(t *testing.T) {
	w := newWorld(t)
	w.makeHome(w.site)
	w.writeFile("www/secret.php", "password")
	w.must(os.Symlink("/etc", w.disk("www/etc")))
	b := w.as(webmaster)
	b.get("/files")
	b.get(w.filesURL("", "path", "www"))
	ticket := b.ticket()

	t.Run("paths lead nowhere else", func(t *testing.T) {
		for _, bad := range []string{"..", "../..", "www/../../../etc/passwd", "/../x", "www/etc/passwd", "www/./x", "www//x", "a\x00b", "~Li4vLi4v", "\xff", strings.Repeat("a", 300)} {
			for _, act := range []string{"", "file", "download", "image", "edit", "rename", "unpack", "folder", "new"} {
				p := b.get(w.filesURL(act, "path", bad))
				if p.status != http.StatusNotFound && (p.status != http.StatusOK || act != "rename" && act != "unpack" && act != "folder" && act != "new") || strings.Contains(p.body, "root:") {
					t.Errorf("GET %s of %q: %d", act, bad, p.status)
				}
			}
			for _, act := range []string{"move", "copy", "delete", "mode", "zip"} {
				if p := b.get(w.filesURL(act, "f", bad, "to", bad)); p.status == http.StatusOK && act != "delete" || strings.Contains(p.body, "root:") {
					t.Errorf("GET %s of %q: %d", act, bad, p.status)
				}
			}
			for _, act := range []string{"edit", "folder", "new", "rename", "move", "copy", "delete", "mode", "unpack", "editing"} {
				p := b.post(w.filesURL(act), "path", bad, "f", bad, "to", bad, "name", "x", "mode", "644", "encoding", "utf-8")
				if p.status != http.StatusNotFound && p.status != http.StatusUnprocessableEntity {
					t.Errorf("POST %s of %q: %d", act, bad, p.status)
				}
			}
			if p := b.upload(w.filesURL("upload"), ticket, [][2]string{{"path", bad}}, [2]string{"x", "x"}); p.status != http.StatusNotFound && p.status != http.StatusUnprocessableEntity {
				t.Errorf("upload to %q: %d", bad, p.status)
			}
		}
	})
	t.Run("a form of elsewhere sends nothing", func(t *testing.T) {
		for what, send := range map[string]func() *page{
			"without a ticket": func() *page {
				return b.upload(w.filesURL("upload"), "", [][2]string{{"path", "www"}}, [2]string{"evil.php", "x"})
			},
			"with another's ticket": func() *page {
				s := w.as(stranger)
				s.get("/")
				return b.upload(w.filesURL("upload"), s.ticket(), [][2]string{{"path", "www"}}, [2]string{"evil.php", "x"})
			},
			"the ticket after the file": func() *page {
				var body bytes.Buffer
				form := multipart.NewWriter(&body)
				part, err := form.CreateFormFile("f", "evil.php")
				w.must(err)
				_, err = io.WriteString(part, "x")
				w.must(err)
				w.must(form.WriteField("path", "www"))
				w.must(form.WriteField(ticketField, ticket))
				w.must(form.Close())
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+w.filesURL("upload"), &body)
				w.must(err)
				req.Header.Set("Content-Type", form.FormDataContentType())
				return b.do(req)
			},
			"from another origin": func() *page {
				b.header.Set("Origin", "https://evil.example")
				defer b.header.Del("Origin")
				return b.upload(w.filesURL("upload"), ticket, [][2]string{{"path", "www"}}, [2]string{"evil.php", "x"})
			},
			"a piece without a ticket": func() *page {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+w.filesURL("piece", "path", "www", "name", "evil.php", "key", strings.Repeat("a", 32), "offset", "0", "total", "1"), strings.NewReader("x"))
				w.must(err)
				return b.do(req)
			},
		} {
			if p := send(); p.status != http.StatusForbidden || !w.gone("www/evil.php") {
				t.Errorf("%s: %d", what, p.status)
			}
		}
	})
	t.Run("another's site is not found", func(t *testing.T) {
		s := w.as(stranger)
		s.get("/")
		mine := s.ticket()
		for what, p := range map[string]*page{
			"browse": s.get(w.filesURL("", "path", "www")),
			"upload": s.upload(w.filesURL("upload"), mine, [][2]string{{"path", "www"}}, [2]string{"evil.php", "x"}),
			"delete": s.post(w.filesURL("delete"), "f", "www/secret.php"),
		} {
			if p.status != http.StatusNotFound {
				t.Errorf("%s: %d", what, p.status)
			}
		}
	})
	t.Run("a file of megabytes passes by in pieces", func(t *testing.T) {
		big := strings.Repeat("0123456789abcdef", 3<<16)
		p := b.upload(w.filesURL("upload"), ticket, [][2]string{{"path", "www"}}, [2]string{"big.bin", big})
		if p.status != http.StatusSeeOther || w.readFile("www/big.bin") != big {
			t.Error(p.status)
		}
		key := strings.Repeat("ab", 16)
		for offset := 0; offset < len(big); offset += 1 << 20 {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+w.filesURL("piece", "path", "www", "name", "dossier/deux.bin", "key", key,
				"offset", strconv.Itoa(offset), "total", strconv.Itoa(len(big))), strings.NewReader(big[offset:min(offset+1<<20, len(big))]))
			w.must(err)
			req.Header.Set(ticketHeader, ticket)
			if p := b.do(req); p.status != http.StatusOK {
				t.Fatal(p.status, p.body)
			}
			if p := b.get(w.filesURL("begun", "path", "www", "name", "dossier/deux.bin", "key", key)); offset == 0 && !strings.Contains(p.body, `"size":1048576`) {
				t.Error(p.body)
			}
		}
		if w.readFile("www/dossier/deux.bin") != big {
			t.Error("the pieces do not make the file")
		}
	})
	if w.readFile("www/secret.php") != "password" {
		t.Error("the file has changed")
	}
}
