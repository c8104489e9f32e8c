package panel

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
)

// signInFTP connects to the FTP daemon; without a login it stays at the door.
func (w *world) signInFTP(login hosting.FTPLogin) *textproto.Conn {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.ftp)
	w.must(err)
	w.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	c := textproto.NewConn(conn)
	say := func(want int, line string) {
		w.t.Helper()
		if line != "" {
			w.must(c.PrintfLine("%s", line))
		}
		if _, _, err := c.ReadResponse(want); err != nil {
			w.t.Fatalf("%.4s: %v", line, err)
		}
	}
	say(220, "")
	if login.ID != 0 {
		_, password, err := w.store.ResetFTPPassword(w.t.Context(), w.root, login.ID)
		w.must(err)
		say(331, "USER "+string(login.Login))
		say(230, "PASS "+password)
	}
	return c
}

// cut asserts that the server says goodbye and hangs up.
func cut(t *testing.T, c *textproto.Conn) {
	t.Helper()
	if _, text, err := c.ReadResponse(421); err != nil || !strings.Contains(text, "ended") {
		t.Errorf("goodbye: %q %v", text, err)
	}
	if _, err := c.ReadLine(); !errors.Is(err, io.EOF) {
		t.Errorf("after the goodbye: %v", err)
	}
}

func TestLiveSessions(t *testing.T) {
	w := newWorld(t)
	login, _, err := w.store.CreateFTPLogin(t.Context(), w.root, w.account.ID, hosting.FTPSpec{Login: hosting.FTPName("live@" + string(w.account.Name))})
	w.must(err)
	c := w.signInFTP(login)
	o, s := w.as(owner), w.as(stranger)

	p := o.get("/ftp/sessions")
	end, found := p.doc.Find("#sessions form").Attr("action")
	if !strings.Contains(p.text("#sessions th"), string(login.Login)) || !strings.Contains(p.text("#sessions"), "127.0.0.1") || !found {
		t.Fatalf("the owner sees %q", p.text("#sessions"))
	}
	if got := w.as(contractor).get("/ftp/sessions"); !strings.Contains(got.text("#sessions"), string(login.Login)) || got.doc.Find("#sessions form").Length() > 0 {
		t.Errorf("a contractor sees %q, with %d buttons", got.text("#sessions"), got.doc.Find("#sessions form").Length())
	}
	if got := s.get("/ftp/sessions"); strings.Contains(got.body, string(login.Login)) {
		t.Error("a stranger sees it")
	}
	// Nobody ends what is another's, nor learns that it is there.
	if got := s.post(end); got.status != http.StatusSeeOther || !strings.Contains(s.follow(got).text("main"), "déjà terminée") {
		t.Errorf("a stranger: %d", got.status)
	}
	if err := c.PrintfLine("NOOP"); err != nil {
		t.Error(err)
	}
	if _, _, err := c.ReadResponse(200); err != nil {
		t.Fatalf("a stranger ended it: %v", err)
	}

	if got := o.follow(o.post(end)); !strings.Contains(got.text("[role=status]"), string(login.Login)) {
		t.Errorf("the owner is told %q", got.text("main"))
	}
	cut(t, c)
	rows, _, err := w.store.Audit(t.Context(), w.root.Scope(hosting.AdminAudit), store.AuditFilter{Search: "ftp.end_session"})
	if err != nil || len(rows) != 1 || rows[0].Actor != "owner@asso.example" || rows[0].Target != string(login.Login) || rows[0].AccountID != w.account.ID || !strings.Contains(rows[0].Before, "127.0.0.1") {
		t.Errorf("%v %+v", err, rows)
	}

	// The team sees also who has not signed in.
	c = w.signInFTP(hosting.FTPLogin{})
	team := w.as(technician)
	if strings.Contains(o.get("/ftp/sessions").text("#sessions"), "127.0.0.1") {
		t.Error("a member sees who has not signed in")
	}
	p = team.get("/admin/sessions")
	end, _ = p.doc.Find("#sessions form").Attr("action")
	if got := o.post(end); got.status != http.StatusForbidden {
		t.Errorf("a member at the team's door: %d", got.status)
	}
	team.get("/admin/sessions")
	if got := team.post(end); got.status != http.StatusSeeOther {
		t.Errorf("the team: %d", got.status)
	}
	cut(t, c)
}

// refusedAtTheDoor waits until the FTP daemon turns this address away with its
// first word.
func (w *world) refusedAtTheDoor() {
	w.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		conn, err := net.Dial("tcp", w.ftp)
		w.must(err)
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		code, text, err := textproto.NewConn(conn).ReadResponse(220)
		_ = conn.Close()
		if code == 421 && strings.Contains(text, "wrong passwords") {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("the door is open: %q %v", text, err)
		}
	}
}
