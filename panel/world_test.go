package panel

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"golang.org/x/crypto/ssh"

	"cancale/ftpd"
	"cancale/internal/config"
	"cancale/internal/ftplink"
	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

const testPassword = "une marée de vive-eau"

// world is a panel that runs, with two associations and everybody who may come.
type world struct {
	t       testing.TB
	srv     *server
	inst    testenv.Installation
	store   *store.Store
	node    *store.NodeStore
	url     string
	ftp     string // where the FTP daemon answers
	sftp    string // and by SFTP, with this key
	hostKey config.HostKey
	log     *syncBuffer
	root    hosting.Actor
	people  map[string]hosting.Person

	account, other hosting.Account
	site           hosting.Site // of account
	database       hosting.Database
	login          hosting.FTPLogin
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// The persons of every world: owner, webmaster and contractor of the account
// baie, stranger who owns large, and the team.
const (
	anonymous  = ""
	stranger   = "stranger"
	contractor = "contractor"
	webmaster  = "webmaster"
	owner      = "owner"
	technician = "technician"
	admin      = "administrator"
)

func newWorld(t testing.TB) *world { return newWorldAt(t, "http") }

func newWorldAt(t testing.TB, scheme string) *world {
	t.Helper()
	inst := testenv.Install(t)
	st, node := inst.Open(t), inst.OpenNode(t)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, inst: inst, store: st, node: node, log: &syncBuffer{}, root: hosting.System("cli:root"),
		url:    "http://" + listener.Addr().String(),
		people: map[string]hosting.Person{},
	}
	w.srv, err = newServer(Config{
		Listener:  listener,
		Store:     st,
		Secret:    []byte("the secret of this test, long enough"),
		PublicURL: scheme + "://" + listener.Addr().String(),
		HTTPPort:  8080,
		FTPPort:   2121,
		SFTPPort:  2222,
		FTPTLS:    true,
		Layout:    config.Layout{Root: t.TempDir()},
		Log:       slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background()) // t.Context ends before the clean-up
	var running sync.WaitGroup
	w.runFTP(ctx, &running)
	running.Go(func() {
		if err := w.srv.run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	w.fill()
	return w
}

// runFTP runs the FTP daemon, which the panel asks for what it does to files
// and for who is connected.
func (w *world) runFTP(ctx context.Context, running *sync.WaitGroup) {
	w.t.Helper()
	l := w.srv.conf.Layout
	for _, dir := range []string{l.Homes(), l.Sockets(), filepath.Dir(filepath.Dir(l.FTPSocket()))} {
		w.must(os.MkdirAll(dir, 0o711))
	}
	w.must(ftplink.MakeDir(l.FTPSocket()))
	socket, err := ftplink.Listen(l.FTPSocket())
	w.must(err)
	clients, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	w.must(err)
	w.ftp = clients.Addr().String()
	secured, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	w.must(err)
	w.sftp = secured.Addr().String()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	w.must(err)
	signer, err := ssh.NewSignerFromKey(private)
	w.must(err)
	w.hostKey = config.HostKey{Type: signer.PublicKey().Type(), Fingerprint: ssh.FingerprintSHA256(signer.PublicKey())}
	link := ftplink.NewServer(w.store)
	running.Go(func() {
		if err := link.Serve(ctx, socket); err != nil {
			w.t.Error(err)
		}
	})
	running.Go(func() {
		if err := ftpd.Run(ctx, ftpd.Config{Listener: clients, Store: w.store, Layout: l, Link: link, SFTP: secured, HostKeys: []ssh.Signer{signer}}); err != nil {
			w.t.Error(err)
		}
	})
}

func (w *world) fill() {
	w.t.Helper()
	ctx := w.t.Context()
	plan, err := w.store.CreatePlan(ctx, w.root, hosting.PlanSpec{Name: "grande", Label: "Grande", Sites: 20, Databases: 20, FTPLogins: 20, DiskMB: 1000})
	w.must(err)
	w.account, err = w.store.CreateAccount(ctx, w.root, hosting.AccountSpec{Name: "baie", Label: "Souffle en Baie", Plan: plan.Name})
	w.must(err)
	w.other, err = w.store.CreateAccount(ctx, w.root, hosting.AccountSpec{Name: "large", Label: "Grand Large", Plan: plan.Name})
	w.must(err)
	var all sync.WaitGroup
	var mu sync.Mutex
	for name, role := range map[string]any{
		stranger: hosting.Owner, contractor: hosting.Contractor, webmaster: hosting.Webmaster, owner: hosting.Owner,
		technician: hosting.Technician, admin: hosting.Administrator,
	} {
		all.Go(func() {
			spec := hosting.PersonSpec{Email: hosting.Email(name + "@asso.example"), Name: "Maëlle " + name, Language: "fr"}
			var memberships []store.MembershipSpec
			switch role := role.(type) {
			case hosting.PlatformRole:
				spec.Role = role
			case hosting.Role:
				m := store.MembershipSpec{Account: w.account.ID, Role: role}
				if name == stranger {
					m.Account = w.other.ID
				}
				if role == hosting.Contractor {
					m.Until = new(time.Now().Add(24 * time.Hour))
				}
				memberships = append(memberships, m)
			}
			p, err := w.store.CreatePersonWithPassword(ctx, w.root, spec, memberships, testPassword)
			if err != nil {
				w.t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			w.people[name] = p
		})
	}
	all.Wait()
	w.site = w.newSite("parc.asso.example")
	w.database, _, err = w.store.CreateDatabase(ctx, w.root, w.account.ID, "baie_blog")
	w.must(err)
	w.login = w.newLogin("fichiers")
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) newSite(host string) hosting.Site {
	w.t.Helper()
	h, err := hosting.ParseHostname(host)
	w.must(err)
	site, err := w.store.CreateSite(w.t.Context(), w.root, w.account.ID, hosting.SiteSpec{Host: h, DocumentRoot: "www", PHP: "8.2"})
	w.must(err)
	return site
}

func (w *world) newLogin(name string) hosting.FTPLogin {
	w.t.Helper()
	login, _, err := w.store.CreateFTPLogin(w.t.Context(), w.root, w.account.ID, hosting.FTPSpec{Login: hosting.FTPName(name + "@baie"), Site: w.site.ID, Path: "www"})
	w.must(err)
	return login
}

// counts is how many things there are, to see that nothing was written.
func (w *world) counts() string {
	w.t.Helper()
	c, err := w.store.Counts(w.t.Context())
	w.must(err)
	_, audit, err := w.store.Audit(w.t.Context(), w.root.Scope(hosting.AdminAudit), store.AuditFilter{PerPage: 1})
	w.must(err)
	return fmt.Sprint(sum(c.Sites), sum(c.Databases), c.FTPLogins, c.Accounts, c.Persons, audit)
}

// browser is somebody in front of the panel, without JavaScript.
type browser struct {
	w      *world
	client *http.Client
	jar    *cookiejar.Jar
	header http.Header
	page   *page // the last one
}

// page is an answer.
type page struct {
	w      *world
	status int
	header http.Header
	path   string
	doc    *goquery.Document
	body   string
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	w.must(err)
	client := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: 30 * time.Second}
	return &browser{w: w, client: client, jar: jar, header: http.Header{}}
}

// as is a browser that one of the world's persons is signed in with.
func (w *world) as(name string) *browser {
	w.t.Helper()
	b := w.browser()
	if name == anonymous {
		return b
	}
	b.get("/signin")
	p := b.post("/signin", "email", name+"@asso.example", "password", testPassword)
	if p.status != http.StatusSeeOther {
		w.t.Fatalf("%s cannot sign in: %d %s", name, p.status, p.text(".errors, .error, .alert"))
	}
	return b
}

func (b *browser) do(req *http.Request) *page {
	b.w.t.Helper()
	maps.Copy(req.Header, b.header)
	resp, err := b.client.Do(req)
	b.w.must(err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	b.w.must(err)
	doc, err := goquery.NewDocumentFromReader(bytes.NewReader(body))
	b.w.must(err)
	p := &page{w: b.w, status: resp.StatusCode, header: resp.Header, path: req.URL.Path, doc: doc, body: string(body)}
	if _, found := p.ticket(); found {
		b.page = p
	}
	return p
}

func (b *browser) get(path string) *page {
	b.w.t.Helper()
	req, err := http.NewRequestWithContext(b.w.t.Context(), http.MethodGet, b.w.url+path, nil)
	b.w.must(err)
	return b.do(req)
}

// post sends a form with the ticket of the last page that had one.
func (b *browser) post(path string, fields ...string) *page {
	b.w.t.Helper()
	values := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		values.Add(fields[i], fields[i+1])
	}
	if b.page != nil && !values.Has(ticketField) {
		ticket, _ := b.page.ticket()
		values.Set(ticketField, ticket)
	}
	return b.send(path, values)
}

func (b *browser) send(path string, values url.Values) *page {
	b.w.t.Helper()
	req, err := http.NewRequestWithContext(b.w.t.Context(), http.MethodPost, b.w.url+path, strings.NewReader(values.Encode()))
	b.w.must(err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(req)
}

// follow goes where the last answer leads.
func (b *browser) follow(p *page) *page {
	b.w.t.Helper()
	location := p.header.Get("Location")
	if p.status != http.StatusSeeOther || location == "" {
		b.w.t.Fatalf("%s: %d leads nowhere: %s", p.path, p.status, p.text(".errors, .error, h1"))
	}
	return b.get(location)
}

func (b *browser) cookie(name string) *http.Cookie {
	u, err := url.Parse(b.w.url)
	b.w.must(err)
	for _, c := range b.jar.Cookies(u) {
		if c.Name == name {
			return c
		}
	}
	return nil
}

func (b *browser) setCookie(name, value string) {
	u, err := url.Parse(b.w.url)
	b.w.must(err)
	b.jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
}

// ticket is the hidden field of the page's forms.
func (p *page) ticket() (string, bool) {
	return p.doc.Find("input[name=" + ticketField + "]").First().Attr("value")
}

func (p *page) text(selector string) string {
	return strings.Join(strings.Fields(p.doc.Find(selector).Text()), " ")
}

// value is what a field of the page holds.
func (p *page) value(name string) string {
	field := p.doc.Find(`main [name="` + name + `"]`)
	if field.Is("textarea") {
		return field.Text()
	}
	if selected := field.Find("option[selected]"); selected.Length() > 0 {
		return selected.AttrOr("value", "")
	}
	if field.Is("[type=radio]") {
		return field.Filter("[checked]").AttrOr("value", "")
	}
	return field.AttrOr("value", "")
}

// refusedAt fails unless the page is a form that says what is wrong with the
// field.
func (p *page) refusedAt(t *testing.T, field string) {
	t.Helper()
	if p.status != http.StatusUnprocessableEntity {
		t.Errorf("%s: got %d, want 422: %s", p.path, p.status, p.text("h1, .alert"))
		return
	}
	if p.text(".errors") == "" {
		t.Errorf("%s: no summary of what is wrong", p.path)
	}
	// In a form of rows the id tells which row.
	choice := p.doc.Find(`[name="` + field + `"]`).Is("[type=radio], select")
	if field != "" && !choice && p.doc.Find(`[name="`+field+`"][aria-invalid=true], [name="`+field+`"][aria-describedby], [id="`+field+`"][aria-invalid=true]`).Length() == 0 {
		t.Errorf("%s: the field %s is not marked; errors: %s", p.path, field, p.text(".errors"))
	}
	if field != "" && p.text("#"+field+"-e") == "" {
		t.Errorf("%s: nothing is said at the field %s; errors: %s", p.path, field, p.text(".errors"))
	}
}

func number[ID ~uint64](id ID) string { return strconv.FormatUint(uint64(id), 10) }

// fetch is get for whoever measures: the answer is read and not looked into.
func (b *browser) fetch(path string) (status int) {
	req, err := http.NewRequestWithContext(b.w.t.Context(), http.MethodGet, b.w.url+path, nil)
	b.w.must(err)
	resp, err := b.client.Do(req)
	b.w.must(err)
	_, err = io.Copy(io.Discard, resp.Body)
	b.w.must(err)
	b.w.must(resp.Body.Close())
	return resp.StatusCode
}
