package panel

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/fcgi"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cancale/internal/adminer"
	"cancale/internal/hosting"
	"cancale/internal/store"
)

// answerAdminer is a FastCGI program in Adminer's place that somebody has taken
// over: it answers what hurts. It gives what it was told last.
func (w *world) answerAdminer() (told func() map[string]string) {
	w.t.Helper()
	path := w.srv.conf.Layout.AdminerSocket()
	w.must(os.MkdirAll(filepath.Dir(path), 0o711))
	listener, err := net.Listen("unix", path)
	w.must(err)
	var mu sync.Mutex
	var last map[string]string
	handler := func(out http.ResponseWriter, req *http.Request) {
		env := fcgi.ProcessEnv(req)
		env["method"], env["query"], env["agent"] = req.Method, req.URL.RawQuery, fmt.Sprint(req.Header)
		mu.Lock()
		last = env
		mu.Unlock()
		h := out.Header()
		h.Set("Set-Cookie", "cancale_session=stolen; Path=/")
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Clear-Site-Data", `"cookies"`)
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "script-src 'unsafe-inline' 'nonce-QUJDREVGR0g=' *; report-uri http://evil.example")
		switch req.URL.Query().Get("act") {
		case "elsewhere":
			h.Set("Location", "https://evil.example/")
			out.WriteHeader(http.StatusFound)
		case "panel":
			h.Set("Location", "/signout")
			out.WriteHeader(http.StatusFound)
		case "here":
			h.Set("Location", "?select=t")
			out.WriteHeader(http.StatusFound)
		case "policy":
			h.Set("Content-Security-Policy", "script-src 'nonce-x;' 'nonce-*' 'unsafe-inline'; 'nonce-' https:")
		case "close":
			h.Set("Cancale-Close", "1")
		case "slow":
			out.WriteHeader(http.StatusOK)
			_, _ = io.Copy(io.Discard, req.Body)
		}
		_, _ = out.Write([]byte("<title>Adminer</title>"))
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = fcgi.Serve(listener, http.HandlerFunc(handler)) // until the listener is closed
	}()
	w.t.Cleanup(func() { _ = listener.Close(); <-done })
	return func() map[string]string {
		mu.Lock()
		defer mu.Unlock()
		return last
	}
}

func TestAdminerIsKeptToItsVisit(t *testing.T) {
	w := newWorld(t)
	w.answerExports()
	told := w.answerAdminer()
	base := "/databases/" + number(w.database.ID)
	open := func(b *browser) string {
		t.Helper()
		b.get(base)
		p := b.post(base + "/adminer")
		address := p.header.Get("Location")
		if p.status != http.StatusSeeOther || !strings.HasPrefix(address, base+"/adminer/") {
			t.Fatalf("%d, %q", p.status, address)
		}
		return address
	}
	over := func(p *page, why string) {
		t.Helper()
		if p.status != http.StatusSeeOther || p.header.Get("Location") != base+"?adminer=ended" {
			t.Errorf("%s: %d, %q", why, p.status, p.header.Get("Location"))
		}
	}
	b := w.as(owner)
	address := open(b)

	// What PHP is told is ours, whatever the browser says.
	b.header = http.Header{
		"Cancale-User": {"root"}, "CANCALE_USER": {"root"}, "X-Forwarded-Prefix": {"/evil"}, "Proxy": {"evil"}, "Php-Value": {"auto_prepend_file=/etc/passwd"},
		"X-Requested-With": {"a\tb"},
	}
	p := b.get(address + "?server=x&username=root&db=mysql")
	env := told()
	if p.status != http.StatusOK || env["CANCALE_USER"] != "baie_blog" || env["CANCALE_DATABASE"] != "baie_blog" || env["SCRIPT_FILENAME"] != adminer.Script {
		t.Errorf("%d, %v", p.status, env)
	}
	if all := fmt.Sprint(env); strings.Contains(all, "evil") || strings.Contains(all, "auto_prepend") || strings.Contains(all, b.cookie(sessionCookie).Value) {
		t.Errorf("of the browser there came through %s", all)
	}
	if strings.Contains(p.body+fmt.Sprint(p.header), env["CANCALE_PASSWORD"]) || len(env["CANCALE_PASSWORD"]) < 40 {
		t.Error("the password")
	}
	b.header = http.Header{}

	// What comes back is bounded, whatever Adminer says.
	policy := p.header.Get("Content-Security-Policy")
	for _, want := range []string{"sandbox allow-forms allow-scripts", "script-src 'nonce-QUJDREVGR0g=';", "frame-ancestors 'none'", "form-action " + w.url + address + ";"} {
		if !strings.Contains(policy, want) {
			t.Errorf("%q is not in %s", want, policy)
		}
	}
	for _, not := range []string{"allow-same-origin", "allow-top-navigation", "evil.example", "script-src 'unsafe-inline'", "*"} {
		if strings.Contains(policy, not) {
			t.Errorf("%q is in %s", not, policy)
		}
	}
	for _, name := range []string{"Set-Cookie", "Access-Control-Allow-Origin", "Clear-Site-Data"} {
		if got := p.header.Values(name); len(got) > 0 {
			t.Errorf("%s: %q came through", name, got)
		}
	}
	if p := b.get(address + "?act=policy"); !strings.Contains(p.header.Get("Content-Security-Policy"), "script-src 'none';") {
		t.Errorf("a nonce that is none: %s", p.header.Get("Content-Security-Policy"))
	}
	for act, want := range map[string]string{"elsewhere": address, "panel": address, "here": address + "?select=t"} {
		if p := b.get(address + "?act=" + act); p.header.Get("Location") != want {
			t.Errorf("a redirection %s leads to %q", act, p.header.Get("Location"))
		}
	}

	// The address is good for one browser. Forms and what a page loads bring no
	// cookie.
	form := url.Values{"query": {"SELECT 1"}}.Encode()
	bare := func(method, dest string) *page {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, w.url+address, strings.NewReader(form))
		w.must(err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Dest", dest)
		return w.browser().do(req)
	}
	over(bare(http.MethodGet, "document"), "nobody")
	over(bare(http.MethodGet, ""), "nobody, with an old browser")
	over(w.as(webmaster).get(address), "somebody else of the association")
	over(w.as(stranger).get(address), "a stranger")
	if p := bare(http.MethodPost, "document"); p.status != http.StatusOK || told()["method"] != http.MethodPost {
		t.Errorf("a form of the page: %d", p.status)
	}
	raw := func(lines ...string) string {
		t.Helper()
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
		w.must(err)
		defer conn.Close()
		_, err = conn.Write([]byte(strings.Join(append(lines, "Connection: close", "", ""), "\r\n")))
		w.must(err)
		// Not to the connection's end: what was announced may still come, and is
		// waited for.
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		w.must(err)
		defer resp.Body.Close()
		answer, err := httputil.DumpResponse(resp, true)
		w.must(err)
		return string(answer)
	}
	if out := raw("POST "+address+" HTTP/1.1", "Host: x;script-src", "Content-Length: 0"); strings.Contains(out, "x;script-src") {
		t.Errorf("a host: %s", out)
	}
	if out := raw("POST "+address+" HTTP/1.1", "Host: x", fmt.Sprintf("Content-Length: %d", adminer.MaxBody+1)); !strings.HasPrefix(out, "HTTP/1.1 413") {
		t.Errorf("a form that is too long: %.200s", out)
	}
	if out := raw("POST "+address+" HTTP/1.1", "Host: x", "Transfer-Encoding: chunked"); !strings.HasPrefix(out, "HTTP/1.1 411") {
		t.Errorf("a form without a length: %.200s", out)
	}

	// A technician looks, and does no more.
	tech := w.as(technician)
	open(tech)
	tech.get(open(tech))
	if user := told()["CANCALE_USER"]; !strings.HasPrefix(user, hosting.PassPrefix) {
		t.Errorf("a technician is %q", user)
	}

	// It ends when it is closed from inside, when it is opened again, when a role
	// is lost, and when its person signs out.
	if p := b.get(address + "?act=close"); p.header.Get("Location") != base+"?adminer=closed" {
		t.Errorf("closed: %d, %q", p.status, p.header.Get("Location"))
	}
	over(b.get(address), "closed")
	first := open(b)
	second := open(b)
	over(b.get(first), "opened again")
	w.must(w.store.SetMembership(t.Context(), w.root, w.people[webmaster].ID, store.MembershipSpec{Account: w.account.ID, Role: hosting.Owner}))
	w.must(w.store.SetMembership(t.Context(), w.root, w.people[owner].ID, store.MembershipSpec{Account: w.account.ID, Role: hosting.Contractor}))
	over(b.get(second), "a role that is lost")
	w.must(w.store.SetMembership(t.Context(), w.root, w.people[owner].ID, store.MembershipSpec{Account: w.account.ID, Role: hosting.Owner}))
	third := open(b)
	b.get("/")
	b.post("/signout")
	over(b.get(third), "signed out")
}

// Forms that are sent slowly hold PHP as long as they like: the members of one
// association must not hold all of it, by however many visits.
func TestOneAssociationLeavesAdminerToOthers(t *testing.T) {
	w := newWorld(t)
	w.answerExports()
	told := w.answerAdminer()
	visit := func(b *browser, database hosting.DatabaseID) string {
		t.Helper()
		b.get("/databases/" + number(database))
		p := b.post("/databases/" + number(database) + "/adminer")
		if p.status != http.StatusSeeOther {
			t.Fatal(p.status, p.text("main"))
		}
		return p.header.Get("Location")
	}
	first, second := w.as(owner), w.as(webmaster)
	slow, other := visit(first, w.database.ID), visit(second, w.database.ID)
	var sent []net.Conn
	for range visitsAtOnce {
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
		w.must(err)
		defer conn.Close()
		_, err = fmt.Fprintf(conn, "POST %s?act=slow HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nquery", slow)
		w.must(err)
		sent = append(sent, conn)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		w.srv.visits.mu.Lock()
		n := w.srv.visits.n[w.account.ID]
		w.srv.visits.mu.Unlock()
		if n == visitsAtOnce {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d are under way", n)
		}
	}
	if p := second.get(other); p.status != http.StatusServiceUnavailable || told()["query"] != "act=slow" {
		t.Errorf("another visit of the association: %d", p.status)
	}
	theirs, _, err := w.store.CreateDatabase(t.Context(), w.root, w.other.ID, "large_base")
	w.must(err)
	s := w.as(stranger)
	if p := s.get(visit(s, theirs.ID)); p.status != http.StatusOK {
		t.Errorf("another association: %d", p.status)
	}
	for _, conn := range sent {
		_ = conn.Close()
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if p := second.get(other); p.status == http.StatusOK {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the places stay taken")
		}
	}
}
