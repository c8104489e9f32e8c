package ftpd

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestText(t *testing.T) {
	m := newMember(t, quick())
	c := m.dial("")
	c.want(331, "USER "+m.login)
	c.want(230, "PASS "+m.password)
	c.want(250, "CWD www")
	t.Run("a session begins with text", func(t *testing.T) {
		c.put("STOR a.txt", "one\r\ntwo\r\n")
		if got := m.read("a.txt"); got != "one\ntwo\n" {
			t.Errorf("on the disk %q", got)
		}
		if got := c.get("RETR a.txt"); got != "one\r\ntwo\r\n" {
			t.Errorf("back %q", got)
		}
	})
	t.Run("bytes are left alone", func(t *testing.T) {
		c.want(200, "TYPE I")
		c.put("STOR b.bin", "one\r\ntwo\nthree\r")
		if got := m.read("b.bin"); got != "one\r\ntwo\nthree\r" {
			t.Errorf("on the disk %q", got)
		}
		c.want(213, "SIZE b.bin")
	})
	t.Run("ends of lines that are there are not doubled, a lone CR stays", func(t *testing.T) {
		c.want(200, "TYPE A N")
		if got := c.get("RETR b.bin"); got != "one\r\ntwo\r\nthree\r" {
			t.Errorf("got %q", got)
		}
		c.put("STOR c.txt", "\r\r\nx\ry\n\r")
		if got := m.read("c.txt"); got != "\r\nx\ry\n\r" {
			t.Errorf("on the disk %q", got)
		}
		c.put("APPE c.txt", "\r\n")
		if got := m.read("c.txt"); got != "\r\nx\ry\n\r\n" {
			t.Errorf("on the disk %q", got)
		}
	})
	t.Run("a text is not resumed, and has no size in bytes", func(t *testing.T) {
		c.want(504, "REST 3")
		c.want(350, "REST 0")
		c.want(550, "SIZE a.txt")
		c.want(200, "TYPE I")
		c.want(350, "REST 3")
		c.want(200, "TYPE A")
		c.port()
		c.want(504, "RETR a.txt")
		c.want(200, "TYPE I")
		c.want(350, "REST 3")
		c.want(200, "TYPE A")
		c.want(504, "STOR a.txt")
		if got := m.read("a.txt"); got != "one\ntwo\n" {
			t.Errorf("on the disk %q", got)
		}
	})
	t.Run("a long text comes back as it went", func(t *testing.T) {
		lines := strings.Repeat("a line of a text\r\n\r\n", 60_000)
		c.put("STOR long.txt", lines)
		if got := m.read("long.txt"); got != strings.ReplaceAll(lines, "\r\n", "\n") {
			t.Errorf("%d bytes on the disk", len(got))
		}
		if got := c.get("RETR long.txt"); got != lines {
			t.Errorf("%d bytes back", len(got))
		}
	})
	t.Run("an upload of text that breaks off leaves the old file", func(t *testing.T) {
		d := c.data()
		c.want(150, "STOR a.txt")
		_, err := io.WriteString(d, "half\r")
		check(t, err)
		time.Sleep(3 * m.srv.limits.watch)
		c.want(426, "ABOR")
		c.reply(226)
		if got := m.read("a.txt"); got != "one\ntwo\n" {
			t.Errorf("on the disk %q", got)
		}
	})
}

func FuzzText(f *testing.F) {
	for _, seed := range []string{"", "\r", "\n", "\r\n", "\r\r\n\n", "a\r\nb\nc\rd", "\n\r"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		want := strings.ReplaceAll(string(b), "\r\n", "\n")
		for _, r := range []io.Reader{strings.NewReader(string(b)), iotest.OneByteReader(strings.NewReader(string(b))), iotest.DataErrReader(strings.NewReader(string(b)))} {
			got, err := io.ReadAll(&textReader{r: r})
			if err != nil || string(got) != want {
				t.Errorf("up %q: %q %v", b, got, err)
			}
		}
		var whole, pieces strings.Builder
		check(t, sendText(&whole, strings.NewReader(string(b)), int64(len(b))))
		w := &textWriter{w: &pieces}
		for i := range b {
			_, err := w.Write(b[i : i+1])
			check(t, err)
		}
		if whole.String() != pieces.String() || strings.ReplaceAll(whole.String(), "\r\n", "\n") != want {
			t.Errorf("down %q: %q and %q", b, whole.String(), pieces.String())
		}
	})
}

func TestUniqueNames(t *testing.T) {
	m := newMember(t, quick())
	c := m.connect()
	c.want(250, "CWD www")
	names := map[string]bool{}
	for _, line := range []string{"STOU", "STOU", "STOU photo.jpg", "STOU index.html"} {
		d := c.data()
		text := c.want(150, line)
		_, name, ok := strings.Cut(strings.TrimSuffix(text, "\r\n"), "150 FILE: ")
		if !ok || names[name] {
			t.Fatalf("%s: %q", line, text)
		}
		names[name] = true
		_, err := io.WriteString(d, line)
		check(t, err)
		check(t, d.Close())
		c.reply(226)
		if got := m.read(name); got != line {
			t.Errorf("%s: %q", name, got)
		}
		if ext := line[len("STOU"):]; ext != "" && !strings.HasSuffix(name, ext[strings.Index(ext, "."):]) {
			t.Errorf("%s became %s", line, name)
		}
	}
	c.port()
	c.want(550, "STOU ../../etc/x")
}

func TestTimesByUtime(t *testing.T) {
	m := newMember(t, quick())
	c := m.connect()
	m.write("a b.txt", "x")
	for line, want := range map[string]string{
		"SITE UTIME 20210203040506 www/a b.txt":                                           "213 20210203040506\r\n",
		"SITE UTIME 202102030405 www/a b.txt":                                             "213 20210203040500\r\n",
		"site utime www/a b.txt 20200101000000 20190102030405 20180101000000 UTC":         "213 20190102030405\r\n",
		"SITE UTIME /www/../www/a b.txt 20200101000000 20190102030406 20180101000000 utc": "213 20190102030406\r\n",
	} {
		c.want(200, line)
		if got := c.want(213, "MDTM www/a b.txt"); got != want {
			t.Errorf("%s: %q", line, got)
		}
	}
}

// accepting is a port of the client's for data that the server sends to.
func accepting(t *testing.T, from string) (net.Listener, int) {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(from, "0"))
	check(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l, l.Addr().(*net.TCPAddr).Port
}

func TestActive(t *testing.T) {
	m := newMember(t, quick(), func(cfg *Config) { cfg.Active = true })
	c := m.connect()
	if got := c.want(211, "FEAT"); !strings.Contains(got, "\r\n EPRT\r\n") {
		t.Errorf("FEAT %q", got)
	}
	l, port := accepting(t, "127.0.0.1")
	for _, line := range []string{
		fmt.Sprintf("PORT 127,0,0,2,%d,%d", port>>8, port&0xff), "PORT 127,0,0,1,0,80", "EPRT |1|127.0.0.1|80|", "EPRT |2|::1|8080|", "PORT 10,0,0,1,200,1",
	} {
		c.want(504, line)
	}
	for _, line := range []string{"PORT 1", "PORT 127,0,0,1,0,256", "PORT 1,2,3,4,5,6,7", "EPRT |1", "EPRT |1|", "EPRT |1|localhost|8080|", "EPRT |2|127.0.0.1|8080|", "EPRT é", "EPRT |1|127.0.0.1|8080", "PORT"} {
		c.want(501, line)
	}
	c.want(522, "EPRT |3|127.0.0.1|8080|")
	c.want(425, "LIST")
	for _, line := range []string{fmt.Sprintf("PORT 127,0,0,1,%d,%d", port>>8, port&0xff), fmt.Sprintf("EPRT !1!127.0.0.1!%d!", port)} {
		c.want(200, line)
		c.want(150, "RETR www/index.html")
		d, err := l.Accept()
		check(t, err)
		b, err := io.ReadAll(d)
		check(t, err)
		if string(b) != m.read("index.html") {
			t.Errorf("%s: got %q", line, b)
		}
		c.reply(226)
		c.want(200, line)
		c.want(150, "STOR www/up")
		d, err = l.Accept()
		check(t, err)
		_, err = io.WriteString(d, line)
		check(t, err)
		check(t, d.Close())
		c.reply(226)
		if m.read("up") != line {
			t.Errorf("%s: %q", line, m.read("up"))
		}
	}
	t.Run("nobody answers at the port", func(t *testing.T) {
		check(t, l.Close())
		c.want(200, fmt.Sprintf("EPRT |1|127.0.0.1|%d|", port))
		c.want(425, "LIST")
		c.want(425, "LIST")
	})
	t.Run("EPSV takes the place of PORT", func(t *testing.T) {
		c.want(200, fmt.Sprintf("EPRT |1|127.0.0.1|%d|", port))
		if got := c.get("NLST www"); !strings.Contains(got, "index.html") {
			t.Errorf("got %q", got)
		}
		c.want(200, "EPSV ALL")
		c.want(503, fmt.Sprintf("EPRT |1|127.0.0.1|%d|", port))
	})
}

func TestStatusDuringATransfer(t *testing.T) {
	m := newMember(t, quick())
	c := m.connect()
	d := c.data()
	c.want(150, "STOR www/x")
	_, err := io.WriteString(d, "12345")
	check(t, err)
	eventually(t, "STAT tells what came", func() bool { return strings.Contains(c.want(211, "STAT"), "5 bytes so far") })
	check(t, d.Close())
	c.reply(226)
	if got := c.want(211, "STAT"); !strings.Contains(got, "Logged in as "+m.login) || strings.Contains(got, m.layout.Root) {
		t.Errorf("STAT %q", got)
	}
	if _, err := os.Stat(m.www("x")); err != nil {
		t.Error(err)
	}
}
