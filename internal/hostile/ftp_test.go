package hostile

import (
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"testing"
	"time"
)

// raw is the attacker's FTP connection, spoken by hand.
func (m *member) raw(t *testing.T) func(format string, args ...any) string {
	t.Helper()
	conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(m.w.status.FTPPort)))
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
	{"F01", "leave the home", func(t *testing.T, w *world) {
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
	{"F02", "PORT and EPRT to an internal service", func(t *testing.T, w *world) {
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
			t.Error("the server connected to a service of the machine")
		case <-time.After(200 * time.Millisecond):
		}
	}},
	{"F03", "SITE CHMOD, RNTO, STOR, DELE outside of the home", func(t *testing.T, w *world) {
		path := target(t)
		w.attacker.sh(t, "ln -sfn "+path+" www/root; ln -sfn "+strings.TrimSuffix(path, "/of-root")+" www/rootdir")
		kept(t, path, func() {
			kept(t, w.victim.outside+"/www/secret.txt", func() {
				say := w.attacker.raw(t)
				for _, name := range append(w.outsideNames(), "www/root", "www/rootdir/of-root", "www/rootdir/new") {
					say("SITE CHMOD 777 %s", name)
					say("RNFR www/own.txt")
					say("RNTO %s/../new", name)
					if strings.HasPrefix(say("RNFR %s", name), "3") {
						say("RNTO www/stolen")
					}
					say("MKD %s.d", name)
					say("MFMT 20000101000000 %s", name)
				}
				c := w.attacker.ftp(t)
				for _, name := range append(w.outsideNames(), "www/rootdir/of-root", "www/rootdir/new") {
					_ = c.Stor(name, strings.NewReader("pwned"))
				}
			})
		})
		c := w.attacker.ftp(t)
		if err := c.Stor("www/f03.txt", strings.NewReader("own")); err != nil {
			t.Errorf("the means do not work: %v", err)
		}
		stopped(t, "moved here", w.attacker.sh(t, "cat www/stolen"), "root:", "of root")
		w.attacker.sh(t, "rm -f www/out www/victim www/file www/root www/rootdir")
	}},
}
