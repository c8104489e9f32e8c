package files_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"cancale/internal/files"
	"cancale/internal/hosting"
)

func TestAFolderIsListed(t *testing.T) {
	w := newWorld(t)
	w.write("www/photo10.jpg", "1234567890")
	w.write("www/photo9.jpg", "123")
	w.write("www/Été.html", "1")
	w.write("www/sub/deep/été perdu.txt", "x")
	ok(t, os.Remove(w.disk("www/index.html")))
	ok(t, os.Symlink("sub", w.disk("www/lien")))
	ok(t, os.Symlink("/etc/passwd", w.disk("www/dehors")))
	ok(t, syscall.Mkfifo(w.disk("www/tuyau"), 0o644))
	bad := "\xff\n<b>"
	w.write("www/"+bad, "")
	list := func(q files.Query) hosting.FileListing {
		t.Helper()
		q.PerPage = 100
		l, err := w.files.List(t.Context(), q)
		ok(t, err)
		return l
	}
	l := list(files.Query{Folder: "www"})
	if got, want := names(l), "lien sub "; !strings.HasPrefix(got, want) || !strings.Contains(got, "photo9.jpg photo10.jpg") || !strings.Contains(got, bad) {
		t.Errorf("names = %q", got)
	}
	if l.Total != 8 || l.Folders != 2 || !l.Writable {
		t.Errorf("listing = %+v", l)
	}
	for _, e := range l.Entries {
		want := map[string]hosting.EntryKind{"lien": hosting.EntryFolder, "sub": hosting.EntryFolder, "dehors": hosting.EntryLink, "tuyau": hosting.EntryOther}[string(e.Name)]
		if want == "" {
			want = hosting.EntryFile
		}
		if e.Kind != want || (e.Link != nil) != (string(e.Name) == "lien" || string(e.Name) == "dehors") {
			t.Errorf("%q is a %s, want %s", e.Name, e.Kind, want)
		}
	}
	if got := names(list(files.Query{Folder: "www", Sort: "-size"})); !strings.Contains(got, "photo10.jpg photo9.jpg") {
		t.Errorf("by size: %q", got)
	}
	if got := names(list(files.Query{Folder: "www", Folders: true})); got != "lien sub" {
		t.Errorf("folders: %q", got)
	}
	if got := names(list(files.Query{Folder: "www", Search: "éTé"})); got != "sub/deep/été perdu.txt Été.html" && got != "Été.html sub/deep/été perdu.txt" {
		t.Errorf("search: %q", got)
	}
	if l := list(files.Query{}); l.Writable || names(l) != "private sessions tmp www" {
		t.Errorf("the home: %q %v", names(l), l.Writable)
	}
	l, err := w.files.List(t.Context(), files.Query{Folder: "www", Page: 2, PerPage: 3})
	ok(t, err)
	if len(l.Entries) != 3 || l.Total != 8 {
		t.Errorf("page 2: %q of %d", names(l), l.Total)
	}
	_, err = w.files.List(t.Context(), files.Query{Folder: "www/nothing", PerPage: 1})
	refused(t, err, hosting.NotFound, "files.not_found")
}

func TestNobodyReachesWhatIsOthers(t *testing.T) {
	w := newWorld(t)
	w.write("www/secret.php", "password")
	ok(t, os.Symlink("/etc", w.disk("www/etc")))
	ok(t, os.Symlink(w.layout.Home(string(w.other.HomeToken)), w.disk("www/voisin")))
	theirs := w.as(w.stranger, w.site.ID)
	ctx := t.Context()
	for name, act := range acts(theirs) {
		refused(t, act(), hosting.NotFound, "site.not_found")
		_ = name
	}
	none := w.as(w.webmaster, 999)
	_, err := none.List(ctx, files.Query{PerPage: 1})
	refused(t, err, hosting.NotFound, "site.not_found")
	for _, p := range []hosting.FilePath{"../x", "www/../../etc/passwd", "www/etc/passwd", "www/voisin/www/index.html", "a\x00b", "www/..", "www//index.html"} {
		_, err := w.files.Text(ctx, p)
		refused(t, err, hosting.NotFound, "files.not_found")
		_, err = w.files.Delete(ctx, []hosting.FilePath{"www/secret.php/x", p})
		refused(t, err, hosting.NotFound, "files.not_found")
		res, err := w.files.Content(ctx, p, nil, false)
		if err == nil {
			text, _ := io.ReadAll(res.Body)
			t.Errorf("%q was read: %q", p, text)
			ok(t, res.Body.Close())
			continue
		}
		refused(t, err, hosting.NotFound, "files.not_found")
	}
	for _, name := range []string{"../x", "a/../../x", "", ".", "..", "a\nb", "\xff", ".in.x", "a\x00"} {
		_, err := w.files.Upload(ctx, "www", name, true, files.Piece{}, strings.NewReader("x"))
		if hosting.KindOf(orNil(err)) != hosting.Invalid {
			t.Errorf("upload of %q: %v", name, err)
		}
		_, err = w.files.MakeFolder(ctx, "www", name)
		if hosting.KindOf(orNil(err)) != hosting.Invalid {
			t.Errorf("folder %q: %v", name, err)
		}
	}
	ok(t, w.store.SuspendAccount(ctx, root, w.site.AccountID))
	_, err = w.files.List(ctx, files.Query{PerPage: 1})
	refused(t, err, hosting.Conflict, "files.site_suspended")
	if w.read("www/secret.php") != "password" {
		t.Error("the file has changed")
	}
}

func orNil(err error) error {
	if err == nil {
		return errors.New("accepted")
	}
	return err
}

// acts are all that a client can ask.
func acts(c files.Client) map[string]func() error {
	ctx := context.Background
	paths := []hosting.FilePath{"www/secret.php"}
	return map[string]func() error{
		"list":    func() error { _, err := c.List(ctx(), files.Query{Folder: "www", PerPage: 1}); return err },
		"entry":   func() error { _, err := c.Entry(ctx(), paths[0]); return err },
		"content": func() error { _, err := c.Content(ctx(), paths[0], nil, false); return err },
		"zip":     func() error { _, err := c.Zip(ctx(), paths); return err },
		"text":    func() error { _, err := c.Text(ctx(), paths[0]); return err },
		"save":    func() error { _, err := c.Save(ctx(), paths[0], "x", hosting.UTF8, "x"); return err },
		"editing": func() error { _, err := c.Editing(ctx(), paths[0], "x", files.Opened); return err },
		"begun":   func() error { _, err := c.Begun(ctx(), "www", "x", strings.Repeat("a", 32)); return err },
		"upload": func() error {
			_, err := c.Upload(ctx(), "www", "x", true, files.Piece{}, strings.NewReader("x"))
			return err
		},
		"folder": func() error { _, err := c.MakeFolder(ctx(), "www", "x"); return err },
		"file":   func() error { _, err := c.MakeFile(ctx(), "www", "x"); return err },
		"rename": func() error { _, err := c.Rename(ctx(), paths[0], "x"); return err },
		"move":   func() error { _, err := c.Move(ctx(), paths, "www"); return err },
		"copy":   func() error { _, err := c.Copy(ctx(), paths, "www"); return err },
		"delete": func() error { _, err := c.Delete(ctx(), paths); return err },
		"mode":   func() error { _, err := c.SetMode(ctx(), paths, "600", false); return err },
		"unpack": func() error { _, err := c.Unpack(ctx(), "www/x.zip", true, true); return err },
	}
}

func TestATextIsEditedWithoutHarm(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	for _, c := range []struct {
		name, before, text string
		encoding           hosting.TextEncoding
		end                hosting.LineEnd
		edited, after      string
	}{
		{"plain", "a\nb\n", "a\nb\n", hosting.UTF8, hosting.LF, "a\nc\n", "a\nc\n"},
		{"Windows line ends", "a\r\né\r\n", "a\né\n", hosting.UTF8, hosting.CRLF, "a\r\nx\r\né\r\n", "a\r\nx\r\né\r\n"},
		{"old Mac line ends", "a\rb\r", "a\nb\n", hosting.UTF8, hosting.CR, "a\nb\nc\n", "a\rb\rc\r"},
		{"mixed line ends stay where nothing was edited", "a\r\nb\nc\r\nd\r\n", "a\nb\nc\nd\n", hosting.UTF8, hosting.CRLF, "a\nb\nc\nX\nd\n", "a\r\nb\nc\r\nX\r\nd\r\n"},
		{"no end at the end", "a\nb", "a\nb", hosting.UTF8, hosting.LF, "a\nb!", "a\nb!"},
		{"byte order mark", "\ufeffa\n", "a\n", hosting.UTF8Mark, hosting.LF, "b\n", "\ufeffb\n"},
		{"Latin-1", "caf\xe9 \x80\n", "café €\n", hosting.Windows1252, hosting.LF, "café € œ\n", "caf\xe9 \x80 \x9c\n"},
		{"Latin-1 with bytes that mean nothing", "\xe9\x81\n", "é\u0081\n", hosting.Latin1, hosting.LF, "\u0081é\n", "\x81\xe9\n"},
		{"empty", "", "", hosting.UTF8, hosting.LF, "é", "é"},
		{"only a line end", "\n\nx", "\n\nx", hosting.UTF8, hosting.LF, "\n\ny", "\n\ny"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.write("www/t.txt", c.before)
			ok(t, os.Chmod(w.disk("www/t.txt"), 0o640))
			x, err := w.files.Text(ctx, "www/t.txt")
			ok(t, err)
			if x.Text != c.text || x.Encoding != c.encoding || x.LineEnd != c.end || !x.Writable {
				t.Errorf("read %+v", x)
			}
			same, err := w.files.Save(ctx, "www/t.txt", x.Version, x.Encoding, x.Text)
			ok(t, err)
			if w.read("www/t.txt") != c.before || same.Version != x.Version {
				t.Errorf("saved unchanged, it is %q", w.read("www/t.txt"))
			}
			_, err = w.files.Save(ctx, "www/t.txt", x.Version, x.Encoding, c.edited)
			ok(t, err)
			if got := w.read("www/t.txt"); got != c.after {
				t.Errorf("saved %q, want %q", got, c.after)
			}
			if info, err := os.Stat(w.disk("www/t.txt")); err != nil || info.Mode().Perm() != 0o640 {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
		})
	}
	w.write("www/t.txt", "caf\xe9")
	x, err := w.files.Text(ctx, "www/t.txt")
	ok(t, err)
	_, err = w.files.Save(ctx, "www/t.txt", x.Version, x.Encoding, "日本")
	refused(t, err, hosting.Invalid, "files.not_in_encoding")
	_, err = w.files.Save(ctx, "www/t.txt", x.Version, "ebcdic", "x")
	refused(t, err, hosting.Invalid, "files.encoding_unknown")
	_, err = w.files.Save(ctx, "www/t.txt", x.Version, hosting.UTF8, "日本")
	ok(t, err)
	if w.read("www/t.txt") != "日本" {
		t.Errorf("as UTF-8: %q", w.read("www/t.txt"))
	}
	w.write("www/b.bin", "a\x00b")
	_, err = w.files.Text(ctx, "www/b.bin")
	refused(t, err, hosting.Conflict, "files.not_text")
	w.write("www/long.txt", strings.Repeat("x", hosting.MaxFileText+1))
	_, err = w.files.Text(ctx, "www/long.txt")
	refused(t, err, hosting.Conflict, "files.text_too_long")
	ok(t, os.Symlink("t.txt", w.disk("www/lien.txt")))
	if x, err = w.files.Text(ctx, "www/lien.txt"); err != nil || x.Writable {
		t.Errorf("a link: %+v, %v", x, err)
	}
	_, err = w.files.Save(ctx, "www/lien.txt", x.Version, hosting.UTF8, "x")
	refused(t, err, hosting.Conflict, "files.edit_link")
}

func TestTwoWhoEditTheSameFileAreTold(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.write("www/page.html", "one")
	admin, err := w.store.CreatePersonWithPassword(ctx, root, hosting.PersonSpec{Email: "admin@example.org", Role: hosting.Administrator}, nil, "a long enough password")
	ok(t, err)
	actor, err := w.store.ActorOf(ctx, admin.ID, "")
	ok(t, err)
	second := w.as(actor, w.site.ID)

	others, err := w.files.Editing(ctx, "www/page.html", "Maëlle", files.Opened)
	ok(t, err)
	if len(others) != 0 {
		t.Errorf("nobody else has it open: %v", others)
	}
	others, err = second.Editing(ctx, "www/page.html", "Yann\n", files.Living)
	ok(t, err)
	if len(others) != 1 || others[0].Name != "Maëlle" || others[0].Since.IsZero() {
		t.Errorf("others = %v", others)
	}
	if others, err = w.files.Editing(ctx, "www/page.html", "Maëlle", files.Living); err != nil || len(others) != 1 || others[0].Name != `Yann\x0a` {
		t.Errorf("others = %v, %v", others, err)
	}
	_, err = second.Editing(ctx, "www/page.html", "Yann", files.Closed)
	ok(t, err)
	if others, err = w.files.Editing(ctx, "www/page.html", "Maëlle", files.Living); err != nil || len(others) != 0 {
		t.Errorf("others = %v, %v", others, err)
	}

	mine, err := w.files.Text(ctx, "www/page.html")
	ok(t, err)
	theirs, err := second.Text(ctx, "www/page.html")
	ok(t, err)
	_, err = second.Save(ctx, "www/page.html", theirs.Version, hosting.UTF8, "two")
	ok(t, err)
	_, err = w.files.Save(ctx, "www/page.html", mine.Version, hosting.UTF8, "three")
	refused(t, err, hosting.Conflict, "files.edit_changed")
	if w.read("www/page.html") != "two" {
		t.Error("the first save is lost")
	}
	ok(t, os.Remove(w.disk("www/page.html")))
	_, err = w.files.Save(ctx, "www/page.html", mine.Version, hosting.UTF8, "three")
	refused(t, err, hosting.Conflict, "files.edit_gone")
}

func TestUploads(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	u, err := w.files.Upload(ctx, "www", "dossier/sous dossier/é.txt", false, files.Piece{}, strings.NewReader("hello"))
	ok(t, err)
	if !u.Done || u.Size != 5 || w.read("www/dossier/sous dossier/é.txt") != "hello" {
		t.Errorf("upload %+v", u)
	}
	_, err = w.files.Upload(ctx, "www/dossier/sous dossier", "é.txt", false, files.Piece{}, strings.NewReader("other"))
	refused(t, err, hosting.Conflict, "files.exists")
	_, err = w.files.Upload(ctx, "www/dossier/sous dossier", "é.txt", true, files.Piece{}, strings.NewReader("other"))
	ok(t, err)
	if w.read("www/dossier/sous dossier/é.txt") != "other" {
		t.Error("not replaced")
	}
	if _, err := w.files.Upload(ctx, "www", "cut.bin", false, files.Piece{}, io.MultiReader(strings.NewReader("half"), iotest.ErrReader(io.ErrClosedPipe))); err == nil || !w.missing("www/cut.bin") {
		t.Errorf("an upload that broke off: %v", err)
	}

	t.Run("in pieces", func(t *testing.T) {
		key := strings.Repeat("0f", 16)
		piece := func(offset int64) files.Piece { return files.Piece{Key: key, Offset: offset, Total: 10} }
		u, err := w.files.Upload(ctx, "www", "big.bin", false, piece(0), strings.NewReader("01234"))
		ok(t, err)
		if u.Done || u.Size != 5 || !w.missing("www/big.bin") {
			t.Errorf("half of it: %+v", u)
		}
		_, err = w.files.Upload(ctx, "www", "big.bin", false, piece(3), strings.NewReader("x"))
		refused(t, err, hosting.Conflict, "files.offset")
		_, _ = w.files.Upload(ctx, "www", "big.bin", false, piece(5), io.MultiReader(strings.NewReader("56"), iotest.ErrReader(io.ErrClosedPipe)))
		u, err = w.files.Begun(ctx, "www", "big.bin", key)
		ok(t, err)
		if u.Size < 5 || u.Size > 7 || u.Exists {
			t.Errorf("begun %+v", u)
		}
		if l, err := w.files.List(ctx, files.Query{Folder: "www", PerPage: 50}); err != nil || strings.Contains(names(l), ".in.") {
			t.Errorf("it is shown: %q, %v", names(l), err)
		}
		for range 200 { // until the daemon has noticed the end of the piece before
			u, err = w.files.Begun(ctx, "www", "big.bin", key)
			ok(t, err)
			u, err = w.files.Upload(ctx, "www", "big.bin", false, piece(u.Size), strings.NewReader("0123456789"[u.Size:]+"too much"))
			if hosting.KindOf(orNil(err)) != hosting.Conflict {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		ok(t, err)
		if !u.Done || w.read("www/big.bin") != "0123456789" {
			t.Errorf("in the end %+v %q", u, w.read("www/big.bin"))
		}
		// A link in the place of what came is not followed.
		w.write("www/victim", "12345")
		ok(t, os.Symlink("victim", w.disk("www/.in."+key)))
		if _, err := w.files.Upload(ctx, "www", "big2.bin", false, piece(5), strings.NewReader("67890")); err == nil || w.read("www/victim") != "12345" {
			t.Errorf("through a link: %v %q", err, w.read("www/victim"))
		}
	})
	rows := 0
	for _, e := range w.audited() {
		if e.Action == "files.upload" {
			rows++
		}
	}
	if rows != 2 { // to www and to its folder
		t.Errorf("%d rows in the audit log", rows)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := w.notes[0]; n.Path != "/voile.asso.fr/www/dossier/sous dossier/é.txt" || n.Who != "web@voile.asso.fr" || n.Protocol != hosting.Panel || n.Action != hosting.Sent || n.Bytes != 5 || n.Result != hosting.Done {
		t.Errorf("the journal says %+v", n)
	}
}

func TestFilesAreMadeMovedCopiedAndRemoved(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	ok(t, os.Remove(w.disk("www/index.html")))
	_, err := w.files.MakeFolder(ctx, "www", "album")
	ok(t, err)
	_, err = w.files.MakeFile(ctx, "www/album", "note.txt")
	ok(t, err)
	for _, f := range []func() error{
		func() error { _, err := w.files.MakeFolder(ctx, "www", "album"); return err },
		func() error { _, err := w.files.MakeFile(ctx, "www", "album"); return err },
		func() error { _, err := w.files.MakeFile(ctx, "www/album", "note.txt"); return err },
		func() error { _, err := w.files.Rename(ctx, "www/album/note.txt", "pipe"); return err },
	} {
		w.write("www/album/pipe", "")
		refused(t, f(), hosting.Conflict, "files.exists")
	}
	ok(t, os.Remove(w.disk("www/album/pipe")))
	w.write("www/album/note.txt", "x")
	m, err := w.files.Rename(ctx, "www/album/note.txt", "lettre.txt")
	ok(t, err)
	if string(m.Path) != "www/album/lettre.txt" || !w.missing("www/album/note.txt") {
		t.Errorf("renamed to %q", m.Path)
	}
	ok(t, os.Chmod(w.disk("www/album/lettre.txt"), 0o600))
	ok(t, os.Symlink("lettre.txt", w.disk("www/album/lien")))
	m, err = w.files.Copy(ctx, []hosting.FilePath{"www/album"}, "www")
	ok(t, err)
	if string(m.Path) != "www/album (2)" || m.Count != 2 || m.Skipped != 1 {
		t.Errorf("copied %+v", m)
	}
	m, err = w.files.Copy(ctx, []hosting.FilePath{"www/album/lettre.txt"}, "www/album")
	ok(t, err)
	if string(m.Path) != "www/album/lettre (2).txt" || w.read(string(m.Path)) != "x" {
		t.Errorf("copied to %q", m.Path)
	}
	if info, err := os.Stat(w.disk(string(m.Path))); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy has mode %v, %v", info.Mode(), err)
	}
	_, err = w.files.Move(ctx, []hosting.FilePath{"www/album"}, "www/album (2)")
	ok(t, err)
	_, err = w.files.Move(ctx, []hosting.FilePath{"www/album (2)"}, "www/album (2)/album")
	refused(t, err, hosting.Conflict, "files.into_itself")
	_, err = w.files.Copy(ctx, []hosting.FilePath{"www/album (2)"}, "www/album (2)/album")
	refused(t, err, hosting.Conflict, "files.into_itself")
	w.write("www/lettre.txt", "mine")
	_, err = w.files.Move(ctx, []hosting.FilePath{"www/lettre.txt"}, "www/album (2)/album")
	refused(t, err, hosting.Conflict, "files.exists")
	want := map[string]string{
		"lettre.txt": "mine", "album (2)/": "", "album (2)/lettre.txt": "x", "album (2)/album/": "",
		"album (2)/album/lettre.txt": "x", "album (2)/album/lettre (2).txt": "x", "album (2)/album/lien/": "",
	}
	if diff := gocmp.Diff(want, w.tree("www")); diff != "" {
		t.Errorf("the site:\n%s", diff)
	}
	m, err = w.files.SetMode(ctx, []hosting.FilePath{"www/album (2)"}, "750", true)
	ok(t, err)
	for name, mode := range map[string]os.FileMode{"www/album (2)": 0o750, "www/album (2)/album": 0o750, "www/album (2)/album/lettre.txt": 0o640, "www/lettre.txt": 0o644} {
		if info, err := os.Stat(w.disk(name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s has mode %v, want %v, %v", name, info.Mode(), mode, err)
		}
	}
	if m.Skipped != 1 {
		t.Errorf("mode %+v", m)
	}
	for _, bad := range []string{"", "888", "4755", "77", "-44", "0x1"} {
		_, err = w.files.SetMode(ctx, []hosting.FilePath{"www/lettre.txt"}, bad, false)
		refused(t, err, hosting.Invalid, "files.mode_invalid")
	}
	_, err = w.files.Delete(ctx, []hosting.FilePath{"www/album (2)", "www/lettre.txt"})
	ok(t, err)
	if len(w.tree("www")) != 0 {
		t.Errorf("left: %v", w.tree("www"))
	}
	_, err = w.files.Delete(ctx, []hosting.FilePath{"www"})
	refused(t, err, hosting.Conflict, "files.forbidden")
	_, err = w.files.Delete(ctx, []hosting.FilePath{""})
	refused(t, err, hosting.Conflict, "files.root")
	_, err = w.files.Delete(ctx, nil)
	refused(t, err, hosting.Invalid, "files.none_chosen")
	if e := w.audited()[0]; e.Action != "files.delete" || e.Actor != "web@voile.asso.fr" || e.AccountID != w.site.AccountID || !strings.Contains(e.After, `"Count":2`) {
		t.Errorf("the audit log says %+v", e)
	}
}

func TestDownloads(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.write("www/a.txt", "0123456789")
	w.write("www/d/b.php", "secret")
	ok(t, os.Symlink("/etc/passwd", w.disk("www/d/passwd")))
	body := func(res *http.Response, err error) []byte {
		t.Helper()
		ok(t, err)
		defer res.Body.Close()
		raw, err := io.ReadAll(res.Body)
		ok(t, err)
		return raw
	}
	if got := body(w.files.Content(ctx, "www/a.txt", nil, false)); string(got) != "0123456789" {
		t.Errorf("content %q", got)
	}
	res, err := w.files.Content(ctx, "www/a.txt", http.Header{"Range": {"bytes=4-"}}, false)
	if got := body(res, err); string(got) != "456789" || res.StatusCode != http.StatusPartialContent {
		t.Errorf("range %d %q", res.StatusCode, got)
	}
	raw := body(w.files.Zip(ctx, []hosting.FilePath{"www/d", "www/a.txt"}))
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	ok(t, err)
	var all []string
	for _, f := range z.File {
		all = append(all, f.Name)
	}
	if got := strings.Join(all, " "); got != "d/ d/b.php a.txt" {
		t.Errorf("the zip holds %s", got)
	}
	_, err = w.files.Content(ctx, "www/d", nil, false)
	refused(t, err, hosting.Conflict, "files.is_folder")
}

func TestArchivesAreUnpacked(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	ok(t, os.Remove(w.disk("www/index.html")))
	check := func(what string, want map[string]string) {
		t.Helper()
		if diff := gocmp.Diff(want, w.tree("www")); diff != "" {
			t.Errorf("%s:\n%s", what, diff)
		}
		for name := range w.tree("www") {
			ok(t, os.RemoveAll(w.disk("www/"+strings.TrimSuffix(name, "/"))))
		}
	}
	w.write("www/blog.zip", zipOf(t, [2]string{"wordpress/", ""}, [2]string{"wordpress/index.php", "<?php"}, [2]string{"wordpress/a/b/c.txt", "c"}, [2]string{"__MACOSX/x", ""}, [2]string{"wordpress/.DS_Store", ""}))
	ok(t, os.Mkdir(w.disk("www/wordpress"), 0o755))
	m, err := w.files.Unpack(ctx, "www/blog.zip", false, false)
	ok(t, err)
	if string(m.Path) != "www/wordpress (2)" || m.Count != 2 {
		t.Errorf("unpacked %+v", m)
	}
	ok(t, os.Remove(w.disk("www/blog.zip")))
	check("one folder at the top", map[string]string{"wordpress/": "", "wordpress (2)/": "", "wordpress (2)/index.php": "<?php", "wordpress (2)/a/": "", "wordpress (2)/a/b/": "", "wordpress (2)/a/b/c.txt": "c"})

	// CP437 as DOS and Windows write it, UTF-8 without its flag, and backslashes.
	w.write("www/noms.zip", strings.ReplaceAll(zipOf(t, [2]string{"?t?.txt", "1"}, [2]string{"dossier\\fichier.txt", "2"}, [2]string{"déjà.txt", "3"}), "?t?", "\x82t\x82"))
	_, err = w.files.Unpack(ctx, "www/noms.zip", true, false)
	ok(t, err)
	_, err = w.files.Unpack(ctx, "www/noms.zip", true, false)
	refused(t, err, hosting.Conflict, "files.archive_exists")
	_, err = w.files.Unpack(ctx, "www/noms.zip", true, true)
	ok(t, err)
	ok(t, os.Remove(w.disk("www/noms.zip")))
	check("names", map[string]string{"été.txt": "1", "dossier/": "", "dossier/fichier.txt": "2", "déjà.txt": "3"})

	w.write("www/site.tar.gz", tarOf(t, tar.Header{Name: "./", Typeflag: tar.TypeDir}, tar.Header{Name: "./a.txt", Typeflag: tar.TypeReg}, tar.Header{Name: "d/b.txt", Typeflag: tar.TypeReg},
		tar.Header{Name: "lien", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink}, tar.Header{Name: "dur", Linkname: "a.txt", Typeflag: tar.TypeLink},
		tar.Header{Name: "disque", Typeflag: tar.TypeBlock}, tar.Header{Name: "tuyau", Typeflag: tar.TypeFifo}))
	m, err = w.files.Unpack(ctx, "www/site.tar.gz", false, false)
	ok(t, err)
	if m.Count != 2 || m.Skipped != 4 {
		t.Errorf("tar.gz: %+v", m)
	}
	ok(t, os.Remove(w.disk("www/site.tar.gz")))
	check("tar.gz", map[string]string{"site/": "", "site/a.txt": "./a.txt", "site/d/": "", "site/d/b.txt": "d/b.txt"})
	info, err := os.Stat(w.disk("www"))
	ok(t, err)
	if info.Sys().(*syscall.Stat_t).Uid != w.site.UID {
		t.Error("the folder is not the site's any more")
	}
}

func TestArchivesThatAreTraps(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	ok(t, os.Remove(w.disk("www/index.html")))
	zeros := strings.Repeat("\x00", 3<<20)
	var many [][2]string
	for i := range 200 {
		many = append(many, [2]string{fmt.Sprintf("z%d", i), zeros})
	}
	broken := zipOf(t, [2]string{"a", strings.Repeat("x", 100)})
	locked := []byte(zipOf(t, [2]string{"a", "x"}))
	locked[6] |= 1
	if i := bytes.Index(locked, []byte("PK\x01\x02")); i >= 0 {
		locked[i+8] |= 1
	}
	for _, c := range []struct{ name, content, key string }{
		{"up.zip", zipOf(t, [2]string{"ok.txt", "x"}, [2]string{"../evil", "x"}), "files.archive_escapes"},
		{"deep.zip", zipOf(t, [2]string{"a/../../evil", "x"}), "files.archive_escapes"},
		{"dos.zip", zipOf(t, [2]string{`..\evil`, "x"}), "files.archive_escapes"},
		{"root.zip", zipOf(t, [2]string{"/etc/evil", "x"}), "files.archive_escapes"},
		{"levels.zip", zipOf(t, [2]string{strings.Repeat("a/", 65) + "x", "x"}), "files.archive_escapes"},
		{"control.zip", zipOf(t, [2]string{"a\nb", "x"}), "files.archive_name"},
		{"temp.zip", zipOf(t, [2]string{".in.x", "x"}), "files.archive_name"},
		{"up.tar.gz", tarOf(t, tar.Header{Name: "../evil", Typeflag: tar.TypeReg}), "files.archive_escapes"},
		{"root.tgz", tarOf(t, tar.Header{Name: "/evil", Typeflag: tar.TypeReg}), "files.archive_escapes"},
		{"bomb.zip", zipOf(t, many...), "files.archive_too_large"},
		{"broken.zip", broken[:len(broken)-30], "files.archive_broken"},
		{"none.zip", "not a zip", "files.archive_broken"},
		{"none.tar.gz", "not a tar", "files.archive_broken"},
		{"locked.zip", string(locked), "files.archive_locked"},
		{"page.html", "x", "files.archive_unknown"},
	} {
		w.write("www/"+c.name, c.content)
		_, err := w.files.Unpack(ctx, hosting.FilePath("www/"+c.name), false, true)
		refused(t, err, hosting.Conflict, c.key)
		if e := fmt.Sprint(err); strings.Contains(e, "\n") {
			t.Errorf("%s: a line break in %q", c.name, e)
		}
		ok(t, os.Remove(w.disk("www/"+c.name)))
		if left := w.tree("www"); len(left) != 0 {
			t.Errorf("%s left %v", c.name, left)
		}
	}
	// A link in the archive, and then something through it.
	w.write("www/link.zip", zipOf(t, [2]string{"d", "->/tmp"}, [2]string{"d/evil", "x"}))
	m, err := w.files.Unpack(ctx, "www/link.zip", true, true)
	ok(t, err)
	if info, err := os.Lstat(w.disk("www/d")); err != nil || !info.IsDir() || m.Skipped != 1 {
		t.Errorf("%+v %v %v", m, info, err)
	}
	// A link that is there already and leads out.
	ok(t, os.Symlink("/tmp", w.disk("www/out")))
	w.write("www/through.zip", zipOf(t, [2]string{"out/evil-" + string(w.site.HomeToken), "x"}))
	if _, err = w.files.Unpack(ctx, "www/through.zip", true, true); err == nil {
		t.Error("unpacked through a link")
	}
	if _, err := os.Stat("/tmp/evil-" + string(w.site.HomeToken)); err == nil {
		t.Error("something was written outside")
	}
}

func BenchmarkList(b *testing.B) {
	w := newWorld(b)
	ok(b, os.MkdirAll(w.disk("www/many"), 0o755))
	for i := range 10_000 {
		ok(b, os.WriteFile(w.disk(fmt.Sprintf("www/many/photo de vacances %d.jpg", i*7919%10_000)), nil, 0o644))
	}
	ok(b, os.Chown(w.disk("www/many"), int(w.site.UID), int(w.site.UID)))
	for _, q := range []files.Query{{Sort: "name"}, {Sort: "-size", Page: 200}, {Search: "99"}} {
		b.Run("sort="+q.Sort+",q="+q.Search, func(b *testing.B) {
			q.Folder, q.PerPage = "www/many", 50
			for b.Loop() {
				_, err := w.files.List(b.Context(), q)
				ok(b, err)
			}
		})
	}
}
