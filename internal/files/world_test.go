package files_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"cancale/internal/config"
	"cancale/internal/driver/unixacct"
	"cancale/internal/files"
	"cancale/internal/ftplink"
	"cancale/internal/host"
	"cancale/internal/hosting"
	"cancale/internal/jail"
	"cancale/internal/store"
	"cancale/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

var root = hosting.System("cli:root")

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is a daemon with two associations of one site each, and a webmaster of
// the first.
type world struct {
	t      testing.TB
	store  *store.Store
	layout config.Layout
	link   *ftplink.Client
	site   hosting.Site
	other  hosting.Site

	webmaster, stranger hosting.Actor
	files               files.Client // the webmaster's, of site

	mu    sync.Mutex
	notes []hosting.Transfer
}

func newWorld(t testing.TB) *world {
	t.Helper()
	ok(t, jail.Prepare())
	inst := testenv.Install(t)
	w := &world{t: t, store: inst.Open(t), layout: config.Layout{Root: t.TempDir()}}
	daemon := inst.OpenFTP(t)
	for p := w.layout.Root; p != os.TempDir(); p = filepath.Dir(p) {
		ok(t, os.Chmod(p, 0o755)) // t.TempDir is private to root
	}
	for dir, mode := range map[string]os.FileMode{w.layout.Homes(): 0o711, w.layout.Sockets(): 0o711, w.layout.Sandbox(): 0o700, w.layout.Run(): 0o711} {
		ok(t, os.MkdirAll(dir, mode))
	}
	w.site, w.webmaster = w.association("voile", "voile.asso.fr")
	w.other, w.stranger = w.association("large", "large.asso.fr")
	ok(t, ftplink.MakeDir(w.layout.FTPSocket()))
	l, err := ftplink.Listen(w.layout.FTPSocket())
	ok(t, err)
	link := ftplink.NewServer(daemon)
	files.New(files.Config{Store: daemon, Layout: w.layout, Note: func(e hosting.Transfer) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.notes = append(w.notes, e)
	}}).Register(link)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- link.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	w.link = ftplink.NewClient(w.layout.FTPSocket())
	w.files = w.as(w.webmaster, w.site.ID)
	return w
}

func (w *world) as(actor hosting.Actor, site hosting.SiteID) files.Client {
	return files.Client{Link: w.link, Actor: actor, Site: site}
}

// association makes an account, its site with a home, and a webmaster.
func (w *world) association(name, hostname string) (hosting.Site, hosting.Actor) {
	w.t.Helper()
	ctx := w.t.Context()
	a, err := w.store.CreateAccount(ctx, root, hosting.AccountSpec{Name: hosting.AccountName(name), Label: name, Plan: "asso"})
	ok(w.t, err)
	s, err := w.store.CreateSite(ctx, root, a.ID, hosting.SiteSpec{Host: hosting.Hostname(hostname), DocumentRoot: "www", PHP: "8.2"})
	ok(w.t, err)
	ok(w.t, unixacct.New(host.New(w.layout, nil), "").Ensure(ctx, s))
	p, err := w.store.CreatePersonWithPassword(ctx, root, hosting.PersonSpec{Email: hosting.Email("web@" + hostname)},
		[]store.MembershipSpec{{Account: a.ID, Role: hosting.Webmaster}}, "a long enough password")
	ok(w.t, err)
	actor, err := w.store.ActorOf(ctx, p.ID, "192.0.2.7")
	ok(w.t, err)
	return s, actor
}

// disk is where something of the site is on the machine.
func (w *world) disk(name string) string {
	return filepath.Join(w.layout.Home(string(w.site.HomeToken)), filepath.FromSlash(name))
}

func (w *world) write(name, text string) {
	w.t.Helper()
	p := w.disk(name)
	for dir := filepath.Dir(p); ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); err == nil {
			break
		}
		defer func() { ok(w.t, os.Chown(dir, int(w.site.UID), int(w.site.UID))) }()
	}
	ok(w.t, os.MkdirAll(filepath.Dir(p), 0o755))
	ok(w.t, os.WriteFile(p, []byte(text), 0o644))
	ok(w.t, os.Chown(p, int(w.site.UID), int(w.site.UID)))
}

func (w *world) read(name string) string {
	w.t.Helper()
	raw, err := os.ReadFile(w.disk(name))
	ok(w.t, err)
	return string(raw)
}

func (w *world) missing(name string) bool {
	_, err := os.Lstat(w.disk(name))
	return errors.Is(err, fs.ErrNotExist)
}

// tree is all that is beneath a folder, with what is in the files.
func (w *world) tree(folder string) map[string]string {
	w.t.Helper()
	all := map[string]string{}
	ok(w.t, filepath.WalkDir(w.disk(folder), func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == w.disk(folder) {
			return err
		}
		name, _ := filepath.Rel(w.disk(folder), p)
		if d.Type().IsRegular() {
			all[name] = w.read(filepath.Join(folder, name))
		} else {
			all[name+"/"] = ""
		}
		return nil
	}))
	return all
}

// audited are the actions in the audit log of the site's account, the latest
// first.
func (w *world) audited() []hosting.AuditEntry {
	w.t.Helper()
	rows, _, err := w.store.Audit(w.t.Context(), root.Scope(hosting.AdminAudit), store.AuditFilter{PerPage: 200})
	ok(w.t, err)
	return slices.DeleteFunc(rows, func(e hosting.AuditEntry) bool { return !strings.HasPrefix(e.Action, "files.") })
}

// refused checks the kind and the text of a refusal.
func refused(t testing.TB, err error, kind hosting.Kind, key string) {
	t.Helper()
	e, isRefusal := errors.AsType[*hosting.Error](err)
	if !isRefusal || e.Kind != kind || e.Message.Key != key {
		t.Errorf("got %v, want %v %s", err, kind, key)
	}
}

func names(l hosting.FileListing) string {
	var all []string
	for _, e := range l.Entries {
		all = append(all, string(e.Name))
	}
	return strings.Join(all, " ")
}

// zipOf makes a zip; a name that ends with / is a folder, one with -> a link.
func zipOf(t testing.TB, entries ...[2]string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e[0], Method: zip.Deflate}
		h.SetMode(0o644)
		if strings.HasSuffix(e[0], "/") {
			h.SetMode(fs.ModeDir | 0o755)
		} else if target, isLink := strings.CutPrefix(e[1], "->"); isLink {
			h.SetMode(fs.ModeSymlink | 0o777)
			e[1] = target
		}
		out, err := z.CreateHeader(h)
		ok(t, err)
		_, err = io.WriteString(out, e[1])
		ok(t, err)
	}
	ok(t, z.Close())
	return b.String()
}

// tarOf makes a tar.gz of headers; each file holds its own name.
func tarOf(t testing.TB, headers ...tar.Header) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	out := tar.NewWriter(z)
	for _, h := range headers {
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(h.Name))
		}
		h.Mode = 0o755
		ok(t, out.WriteHeader(&h))
		if h.Typeflag == tar.TypeReg {
			_, err := io.WriteString(out, h.Name)
			ok(t, err)
		}
	}
	ok(t, out.Close())
	ok(t, z.Close())
	return b.String()
}
