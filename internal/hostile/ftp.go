package hostile

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"time"
)

// raw is the attacker's FTP connection, spoken by hand.
func (m *member) raw(t tester) func(format string, args ...any) string {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", net.JoinHostPort(m.w.local, strconv.Itoa(m.w.status.FTPPort)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	c := textproto.NewConn(conn)
	say := func(format string, args ...any) string {
		if format != "" {
			if err := c.PrintfLine(format, args...); err != nil {
				t.Fatal(err)
			}
		}
		code, text, err := c.ReadResponse(0)
		if err != nil && code == 0 {
			t.Fatal(err)
		}
		return fmt.Sprint(code, " ", text)
	}
	say("")
	if out := say("AUTH TLS"); strings.HasPrefix(out, "234") { // it may be required
		secured := tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // our own service on this machine
		c = textproto.NewConn(secured)
	}
	say("USER %s", m.login)
	if out := say("PASS %s", m.password); !strings.HasPrefix(out, "230") {
		t.Fatal(out)
	}
	return say
}

// outside are names that lead out of the attacker's home.
func (w *world) outsideNames() []string {
	all := append(w.paths("www/secret.txt"), "/etc/passwd", "../../../../../../etc/passwd", "/../../etc/passwd", "www/../../../../etc/passwd", "//etc/passwd", "www/out/etc/passwd", "www/victim/secret.txt", "www/file", "..\\..\\etc\\passwd")
	return all
}

// ftpRows are attacks by FTP.
var ftpRows = []row{
	{"F01", "leave the home", func(t tester, w *world) {
		w.attacker.sh(t, "ln -sfn / www/out; ln -sfn "+w.victim.home+"/www www/victim; ln -sfn "+w.victim.home+"/www/secret.txt www/file")
		c := w.attacker.ftp(t)
		read := func(name string) string {
			r, err := c.Retr(name)
			if err != nil {
				return err.Error()
			}
			defer r.Close()
			text, _ := io.ReadAll(r)
			return "read: " + string(text)
		}
		works(t, "own file", read("www/own.txt"), "read: own")
		for _, name := range w.outsideNames() {
			stopped(t, "RETR "+name, read(name), "root:x:", "read: ")
		}
		for _, dir := range []string{"/..", "/../..", "www/out", "www/out/etc", "www/victim", w.victim.home, "/etc", "../../.."} {
			names, _ := c.NameList(dir)
			stopped(t, "NLST "+dir, strings.Join(names, " "), "secret.txt", "shadow", "passwd", "wp-content")
		}
	}},
	{"F02", "PORT and EPRT to an internal service", func(t tester, w *world) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		reached := make(chan struct{})
		go func() {
			if conn, err := l.Accept(); err == nil {
				_ = conn.Close()
				close(reached)
			}
		}()
		port := l.Addr().(*net.TCPAddr).Port
		say := w.attacker.raw(t)
		for _, line := range []string{fmt.Sprintf("PORT 127,0,0,1,%d,%d", port/256, port%256), fmt.Sprintf("EPRT |1|127.0.0.1|%d|", port), fmt.Sprintf("EPRT |2|::1|%d|", port), fmt.Sprintf("PORT 10,0,0,1,%d,%d", port/256, port%256)} {
			if out := say("%s", line); strings.HasPrefix(out, "2") {
				if out := say("NLST"); strings.HasPrefix(out, "1") || strings.HasPrefix(out, "2") {
					t.Errorf("%s: %s", line, out)
				}
			}
		}
		select {
		case <-reached:
			t.Errorf("the server connected to a service of the machine")
		case <-time.After(200 * time.Millisecond):
		}
	}},
}
