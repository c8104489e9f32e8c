package ftpd

import (
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cancale/internal/hosting"
)

func TestTransfers(t *testing.T) {
	m := newMember(t, quick())
	c := m.connect()
	c.want(250, "CWD www")

	t.Run("stored files are readable by Apache and belong to the site", func(t *testing.T) {
		c.put("STOR a.txt", "hello")
		info, err := os.Stat(m.www("a.txt"))
		check(t, err)
		var st unix.Stat_t
		check(t, unix.Stat(m.www("a.txt"), &st))
		if info.Mode() != 0o644 || st.Uid != m.site.UID || st.Gid != m.site.UID {
			t.Errorf("%v %d:%d", info.Mode(), st.Uid, st.Gid)
		}
		c.want(257, "MKD dir")
		if info, err = os.Stat(m.www("dir")); err != nil || info.Mode() != fs.ModeDir|0o755 {
			t.Errorf("%v %v", info.Mode(), err)
		}
	})
	t.Run("append appends", func(t *testing.T) {
		c.put("STOR app", "one")
		c.put("APPE app", "two")
		c.put("APPE fresh", "new")
		if m.read("app") != "onetwo" || m.read("fresh") != "new" {
			t.Errorf("%q %q", m.read("app"), m.read("fresh"))
		}
	})
	t.Run("restart goes on where it says, in both directions", func(t *testing.T) {
		c.put("STOR r", "0123456789")
		c.want(350, "REST 4")
		c.put("STOR r", "XX") // the port comes after REST
		if m.read("r") != "0123XX" {
			t.Errorf("%q", m.read("r"))
		}
		c.want(350, "REST 4")
		c.want(200, "TYPE I")
		c.want(200, "NOOP")
		if got := c.get("RETR r"); got != "XX" {
			t.Errorf("got %q", got)
		}
		if got := c.get("RETR r"); got != "0123XX" {
			t.Errorf("the offset was used twice: %q", got)
		}
		c.want(350, "REST 4")
		c.want(213, "SIZE r")
		if got := c.get("RETR r"); got != "0123XX" {
			t.Errorf("the offset outlived another command: %q", got)
		}
		for _, line := range []string{"RETR r", "STOR r"} {
			c.want(350, "REST 7")
			c.port()
			c.want(554, line)
		}
		c.want(350, "REST 1")
		c.want(550, "STOR missing")
		if m.read("r") != "0123XX" {
			t.Errorf("%q", m.read("r"))
		}
	})
	t.Run("without a data connection nothing is lost", func(t *testing.T) {
		c.put("STOR precious", "precious")
		for _, line := range []string{"STOR precious", "APPE precious", "RETR precious"} {
			c.want(425, line)
		}
		c.port()
		c.want(350, "REST 3")
		c.want(226, "ABOR")
		c.want(425, "STOR precious")
		if m.read("precious") != "precious" {
			t.Errorf("%q", m.read("precious"))
		}
	})
	t.Run("nobody sees half a file", func(t *testing.T) {
		c.put("STOR whole", "old")
		conn := c.data()
		c.want(150, "STOR whole")
		_, err := io.WriteString(conn, "new")
		check(t, err)
		other := m.connect()
		if got := other.get("RETR www/whole"); got != "old" {
			t.Errorf("got %q", got)
		}
		for _, line := range []string{"LIST www", "NLST www", "MLSD www", "LIST -a www/.in*"} {
			if got := other.get(line); strings.Contains(got, ".in.") {
				t.Errorf("%s shows %q", line, got)
			}
		}
		check(t, conn.Close())
		c.reply(226)
		if m.read("whole") != "new" {
			t.Errorf("%q", m.read("whole"))
		}
	})
	t.Run("an upload that breaks off leaves the old file", func(t *testing.T) {
		for name, breakOff := range map[string]func(*client, *net.TCPConn){
			"reset":  func(_ *client, d *net.TCPConn) { check(t, d.SetLinger(0)); check(t, d.Close()) },
			"killed": func(c *client, d *net.TCPConn) { check(t, c.conn.Close()); check(t, d.Close()) },
			"gone":   func(c *client, _ *net.TCPConn) { check(t, c.conn.Close()) },
			"abor":   func(c *client, _ *net.TCPConn) { c.send("ABOR") },
		} {
			for _, existed := range []bool{true, false} {
				file := fmt.Sprintf("%s-%v", name, existed)
				if existed {
					m.write(file, "old and longer")
				}
				c := m.connect()
				d := c.data()
				c.want(150, "STOR www/"+file)
				_, err := io.WriteString(d, "half")
				check(t, err)
				time.Sleep(3 * m.srv.limits.watch)
				breakOff(c, d)
				want := "half"
				if existed {
					want = "old and longer"
				}
				eventually(t, file+" ended", func() bool {
					left, err := os.ReadDir(m.www())
					for _, e := range left {
						if strings.HasPrefix(e.Name(), ".in.") {
							return false
						}
					}
					return err == nil
				})
				if got := m.read(file); got != want {
					t.Errorf("%s: %q", file, got)
				}
			}
		}
	})
	t.Run("who says QUIT may hang up, and the file is complete", func(t *testing.T) {
		c := m.connect()
		d := c.data()
		c.want(150, "STOR www/bye")
		c.send("QUIT")
		_, err := io.WriteString(d, "all")
		check(t, err)
		check(t, c.conn.CloseWrite())
		check(t, d.Close())
		c.reply(226)
		c.reply(221)
		if m.read("bye") != "all" {
			t.Errorf("%q", m.read("bye"))
		}
	})
	t.Run("a private file stays private", func(t *testing.T) {
		c.put("STOR config.php", "1")
		c.want(200, "SITE CHMOD 600 config.php")
		c.put("STOR config.php", "2")
		if info, err := os.Stat(m.www("config.php")); err != nil || info.Mode() != 0o600 {
			t.Errorf("%v %v", info.Mode(), err)
		}
	})
	t.Run("a full disk says so and leaves nothing", func(t *testing.T) {
		small := m.www("small")
		check(t, os.Mkdir(small, 0o755))
		check(t, unix.Mount("tmpfs", small, "tmpfs", 0, fmt.Sprintf("size=64k,uid=%d,gid=%d,mode=755", m.site.UID, m.site.UID)))
		defer func() { check(t, unix.Unmount(small, unix.MNT_DETACH)) }()
		d := c.data()
		c.want(150, "STOR small/big")
		_, _ = d.Write(make([]byte, 1<<20))
		_ = d.Close()
		c.reply(452)
		if left, err := os.ReadDir(small); err != nil || len(left) > 0 {
			t.Errorf("left %v, %v", left, err)
		}
		c.put("STOR small/little", "fits")
	})
	t.Run("a file that disappears or shrinks during a download", func(t *testing.T) {
		check(t, os.Truncate(m.www("a.txt"), 64<<20))
		d := c.data()
		c.want(150, "RETR a.txt")
		check(t, os.Remove(m.www("a.txt")))
		if n, err := io.Copy(io.Discard, d); err != nil || n != 64<<20 {
			t.Errorf("%d %v", n, err)
		}
		c.reply(226)

		m.write("b.txt", "")
		check(t, os.Truncate(m.www("b.txt"), 64<<20))
		d = c.data()
		c.want(150, "RETR b.txt")
		check(t, os.Truncate(m.www("b.txt"), 1000))
		_, _ = io.Copy(io.Discard, d)
		c.reply(451)
	})
	t.Run("folders that are not the site's refuse", func(t *testing.T) {
		c.port()
		c.want(550, "STOR /top.txt")
		c.want(550, "MKD /newdir")
		c.want(550, "RMD /www")
	})
}

func TestAbort(t *testing.T) {
	m := newMember(t, quick())
	m.write("big", "")
	check(t, os.Truncate(m.www("big"), 1<<30))
	c := m.connect()
	for range 20 {
		d := c.data()
		c.want(150, "RETR www/big")
		_, err := io.ReadFull(d, make([]byte, 1000))
		check(t, err)
		// As a client does that knows Telnet: an interrupt, and an urgent mark.
		_, err = c.conn.Write([]byte("\xff\xf4\xff"))
		check(t, err)
		raw, err := c.conn.SyscallConn()
		check(t, err)
		check(t, raw.Control(func(fd uintptr) { err = unix.Sendto(int(fd), []byte("\xf2"), unix.MSG_OOB, nil) }))
		check(t, err)
		c.send("ABOR")
		c.reply(426)
		c.reply(226)
		_ = d.Close()
	}
	t.Run("while the data connection is awaited", func(t *testing.T) {
		c.port()
		c.send("LIST")
		time.Sleep(3 * m.srv.limits.watch)
		c.send("ABOR")
		c.reply(426)
		c.reply(226)
	})
	t.Run("commands that come during a transfer are obeyed after it", func(t *testing.T) {
		d := c.data()
		c.want(150, "STOR www/x")
		for range 3 {
			c.send("NOOP")
		}
		c.send("FOO")
		c.send("MKD www/a\x01")
		c.send("PWD")
		time.Sleep(3 * m.srv.limits.watch)
		check(t, d.Close())
		c.reply(226)
		for range 3 {
			c.reply(200)
		}
		c.reply(500)
		c.reply(501)
		c.reply(257)
	})
	t.Run("more commands than may wait", func(t *testing.T) {
		d := c.data()
		c.want(150, "STOR www/x")
		for range 10 * maxQueue {
			c.send("NOOP")
		}
		time.Sleep(3 * m.srv.limits.watch)
		check(t, d.Close())
		c.reply(226)
		for range 10 * maxQueue {
			c.reply(200)
		}
	})
}

func TestListings(t *testing.T) {
	m := newMember(t, quick())
	c := m.connect()
	c.want(250, "CWD www")
	c.want(250, "DELE index.html")
	for _, name := range []string{"b.txt", ".htaccess", "a.txt", "c d.html"} {
		c.put("STOR "+name, name)
	}
	c.want(257, "MKD dir")
	c.put("STOR dir/inner.txt", "x")
	for i, name := range []string{"c d.html", "b.txt", "a.txt"} {
		c.want(213, fmt.Sprintf("MFMT 2020010203040%d %s", i, name))
	}
	m.write("a\r\n226 forged\r\n", "")
	check(t, os.Symlink("a.txt", m.www("link")))
	check(t, os.Symlink("dir", m.www("dirlink")))
	check(t, os.Symlink("/etc/passwd", m.www("outside")))

	names := ".htaccess,a??226 forged??,a.txt,b.txt,c d.html,dir,dirlink,link,outside"
	nlst := func(line string) string {
		return strings.Join(strings.Split(strings.TrimSuffix(c.get(line), "\r\n"), "\r\n"), ",")
	}
	for line, want := range map[string]string{
		"NLST": names, "NLST -a": names, "NLST -al .": "./" + strings.ReplaceAll(names, ",", ",./"),
		"NLST *.txt": "a.txt,b.txt", "NLST -r *.txt": "b.txt,a.txt", "NLST -t [abc]*.*t": "a.txt,b.txt", "NLST *d.html": "c d.html",
		"NLST dir": "dir/inner.txt", "NLST dir/": "dir/inner.txt", "NLST dir/i*": "dir/inner.txt", "NLST a.txt": "a.txt", "NLST /www/a.txt": "/www/a.txt",
		"NLST *.nothing": "", "NLST dirlink": "dirlink/inner.txt",
	} {
		if got := nlst(line); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	list := c.get("LIST")
	for _, want := range []string{"-rw-r--r--   1 ", "Jan  2  2020 a.txt\r\n", " link -> a.txt\r\n", "lrwxrwxrwx ", "drwxr-xr-x   2 ", " .htaccess\r\n", " outside -> /etc/passwd\r\n"} {
		if !strings.Contains(list, want) {
			t.Errorf("LIST has no %q:\n%s", want, list)
		}
	}
	machine := c.get("MLSD")
	for _, want := range []string{
		"type=file;size=5;modify=20200102030402;perm=dfawr;UNIX.mode=0644; a.txt\r\n", "type=file;size=5;modify=20200102030402;perm=dfawr;UNIX.mode=0644; link\r\n",
		"; dir\r\n", "type=dir;modify=", "perm=dfcmpel;UNIX.mode=0755; dirlink\r\n", "type=OS.unix=symlink;", "; a??226 forged??\r\n",
	} {
		if !strings.Contains(machine, want) {
			t.Errorf("MLSD has no %q:\n%s", want, machine)
		}
	}
	for _, got := range []string{list, machine} {
		if strings.Count(got, "\r\n") != 9 || strings.Count(got, "\n") != 9 || strings.Contains(got, "\n226") {
			t.Errorf("a name forged a line: %q", got)
		}
	}
	if got := c.want(213, "MDTM a.txt"); got != "213 20200102030402\r\n" {
		t.Errorf("MDTM %q", got)
	}
	if got := c.want(250, "MLST /"); !strings.Contains(got, "perm=el;") {
		t.Errorf("the top of the home promises too much: %q", got)
	}
	if got := c.want(250, "MLST a.txt"); !strings.Contains(got, "\r\n type=file;size=5;modify=20200102030402;perm=dfawr;UNIX.mode=0644; /www/a.txt\r\n250 ") {
		t.Errorf("MLST %q", got)
	}
	c.want(200, "OPTS MLST size;type;nonsense;")
	if got := c.want(250, "MLST a.txt"); !strings.Contains(got, "\r\n type=file;size=5; /www/a.txt\r\n250 ") {
		t.Errorf("MLST %q", got)
	}
	if got := c.want(211, "FEAT"); !strings.Contains(got, " MLST type*;size*;modify;perm;UNIX.mode;\r\n") {
		t.Errorf("FEAT %q", got)
	}
	if got := c.want(212, "STAT dir"); !strings.Contains(got, " inner.txt\r\n212 ") {
		t.Errorf("STAT %q", got)
	}
	c.want(250, "MLST")
	c.want(250, "MLST /")

	check(t, os.Mkdir(m.www("many"), 0o755))
	for i := range 3000 {
		m.write(fmt.Sprintf("many/%d", i), "")
	}
	for _, line := range []string{"LIST many", "NLST many", "MLSD many"} {
		if got := strings.Count(c.get(line), "\r\n"); got != 3000 {
			t.Errorf("%s: %d lines", line, got)
		}
	}
}

func TestPassive(t *testing.T) {
	m := newMember(t, quick())
	t.Run("only the client itself may take the data", func(t *testing.T) {
		c := m.connect()
		addr := c.port()
		thief := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
		stolen, err := thief.Dial("tcp", addr)
		check(t, err)
		defer stolen.Close()
		own, err := net.Dial("tcp", addr)
		check(t, err)
		defer own.Close()
		c.want(150, "LIST")
		if b, err := io.ReadAll(own); err != nil || len(b) == 0 {
			t.Errorf("the client got %q, %v", b, err)
		}
		_ = stolen.SetReadDeadline(time.Now().Add(5 * time.Second))
		if b, _ := io.ReadAll(stolen); len(b) > 0 {
			t.Errorf("another address got %q", b)
		}
		c.reply(226)
	})
	t.Run("PASV names the address that the client connected to", func(t *testing.T) {
		c := m.connect()
		text := c.want(227, "PASV")
		var a, b, x, y, hi, lo int
		_, err := fmt.Sscanf(text[strings.Index(text, "("):], "(%d,%d,%d,%d,%d,%d)", &a, &b, &x, &y, &hi, &lo)
		check(t, err)
		port := hi<<8 | lo
		if a != 127 || b != 0 || x != 0 || y != 1 || port < m.srv.cfg.PassiveMin || port > m.srv.cfg.PassiveMax {
			t.Errorf("%q", text)
		}
		if conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.2:%d", port), time.Second); err == nil {
			_ = conn.Close()
			t.Error("the port is open on another address")
		}
	})
	t.Run("the whole range is used, and its end said", func(t *testing.T) {
		restart := func(first, last int) {
			m.stop()
			m.ports = [2]int{first, last}
			m.start(quick())
		}
		restart(23000, 23002)
		var open []*client
		for range 3 {
			c := m.connect()
			c.port()
			open = append(open, c)
		}
		c := m.connect()
		c.want(425, "EPSV")
		open[1].want(226, "ABOR")
		c.port()
		restart(23005, 23005)
		m.connect().port() // a range of one
	})
}

func TestRights(t *testing.T) {
	m := newMember(t, quick())
	a, err := m.store.AccountByName(t.Context(), root.Scope(hosting.AccountRead), "voile")
	check(t, err)
	enter := func(t *testing.T, spec hosting.FTPSpec) *client {
		t.Helper()
		_, password := m.world.login(a.Account, spec)
		c := m.dial("")
		c.want(331, "USER "+string(spec.Login))
		c.want(230, "PASS "+password)
		c.want(200, "TYPE I")
		return c
	}
	t.Run("a login that may only read", func(t *testing.T) {
		c := enter(t, hosting.FTPSpec{Login: "read@voile", Site: m.site.ID, FTPTerms: hosting.FTPTerms{Rights: hosting.FTPReadOnly}})
		before := m.read("index.html")
		for _, line := range []string{
			"STOR www/new", "STOR www/index.html", "APPE www/index.html", "DELE www/index.html", "MKD www/d", "RMD www/d", "RNFR www/index.html",
			"RNTO www/x", "MFMT 20200101000000 www/index.html", "SITE CHMOD 600 www/index.html",
		} {
			c.port()
			c.want(550, line)
		}
		if got := c.get("RETR www/index.html"); got != before {
			t.Error("the file was changed")
		}
		if got := c.get("MLSD www"); !strings.Contains(got, "perm=r;") {
			t.Errorf("facts %q", got)
		}
	})
	t.Run("a login of a folder", func(t *testing.T) {
		c := enter(t, hosting.FTPSpec{Login: "blog@voile", Site: m.site.ID, Path: "www/blog/2026"}) // made when it is missing
		c.put("STOR post.txt", "post")
		if m.read("blog/2026/post.txt") != "post" {
			t.Error("not in the folder")
		}
		check(t, os.Symlink("../../index.html", m.www("blog/2026/up")))
		check(t, os.Symlink("../..", m.www("blog/2026/updir")))
		for _, line := range []string{"RETR up", "RETR ../../index.html", "RETR /www/index.html", "CWD ../../../private", "CWD updir", "RETR updir/index.html", "SITE CHMOD 600 up", "MKD updir/x"} {
			if strings.HasPrefix(line, "CWD ..") {
				c.want(550, line)
				continue
			}
			c.port()
			c.want(550, line)
		}
		c.want(550, "RMD /")
		c.want(550, "RMD .")
	})
	t.Run("a login of a folder that leads out of the home", func(t *testing.T) {
		check(t, os.Symlink("/etc", m.www("etc")))
		_, password := m.world.login(a.Account, hosting.FTPSpec{Login: "etc@voile", Site: m.site.ID, Path: "www/etc"})
		c := m.dial("")
		c.want(331, "USER etc@voile")
		c.want(530, "PASS "+password)
	})
	t.Run("a login of an account sees its sites, each under its own uid", func(t *testing.T) {
		second := m.world.site(a.Account, "regates.example.org")
		off := m.world.site(a.Account, "off.example.org")
		_, err := m.store.SuspendSite(t.Context(), root, off.ID)
		check(t, err)
		fresh, err := m.store.CreateSite(t.Context(), root, a.ID, hosting.SiteSpec{Host: "fresh.example.org", DocumentRoot: "www", PHP: "8.2"})
		check(t, err)
		c := enter(t, hosting.FTPSpec{Login: "voile"})
		if got := c.get("NLST"); got != "fresh.example.org\r\noff.example.org\r\nregates.example.org\r\nvoile.asso.fr\r\n" {
			t.Errorf("top %q", got)
		}
		c.put("STOR voile.asso.fr/www/one", "1")
		c.want(250, "CWD regates.example.org/www")
		c.put("STOR two", "2")
		for p, uid := range map[string]uint32{m.www("one"): m.site.UID, m.home(second, "www/two"): second.UID} {
			var st unix.Stat_t
			check(t, unix.Stat(p, &st))
			if st.Uid != uid {
				t.Errorf("%s belongs to %d, want %d", p, st.Uid, uid)
			}
		}
		c.want(350, "RNFR two")
		c.want(553, "RNTO /voile.asso.fr/www/two")
		for _, line := range []string{
			"RMD /", "RMD /voile.asso.fr", "DELE /voile.asso.fr", "MKD /new", "RNFR /voile.asso.fr", "STOR /file", "STOR /voile.asso.fr",
			"RETR /voile.asso.fr", "SITE CHMOD 777 /", "SITE CHMOD 777 /voile.asso.fr", "CWD /off.example.org", "CWD /" + string(fresh.Host), "CWD /nobody.example.org",
		} {
			c.send(line)
			code, text := c.read()
			if line == "RNFR /voile.asso.fr" && code == 350 {
				code, text = 550, c.want(550, "RNTO /x")
			}
			if code != 550 {
				t.Errorf("%s: %q", line, text)
			}
		}
		// A link of one site to the other leads nowhere.
		check(t, os.Symlink(m.home(second, "www"), m.www("theirs")))
		check(t, os.Symlink("../../regates.example.org/www", m.www("theirs2")))
		c.want(550, "CWD /voile.asso.fr/www/theirs")
		c.want(550, "CWD /voile.asso.fr/www/theirs2")
		c.want(250, "MLST /")
		c.want(212, "STAT /")
	})
}

// A file to which the kernel moves nothing by itself gets all the same bytes.
func TestAnUploadWithoutSplice(t *testing.T) {
	m := newMember(t, quick())
	m.connect()
	var s *session
	for _, v := range m.srv.visitors() {
		s = v.(*session)
	}
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	check(t, err)
	defer l.Close()
	want := make([]byte, 3<<20+17)
	_, _ = rand.NewChaCha8([32]byte{3}).Read(want)
	go func() {
		c, err := net.Dial("tcp", l.Addr().String())
		if err == nil {
			_, _ = c.Write(want)
			_ = c.Close()
		}
	}()
	conn, err := l.AcceptTCP()
	check(t, err)
	k, err := socketOf(conn)
	check(t, err)
	defer k.Close()
	f, err := os.OpenFile(m.www("log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	check(t, err)
	defer f.Close()
	room := m.srv.ledger.Space(s.login.AccountID, s.login.SiteID).Write(0)
	n, err := copyToFile(f, &dataConn{socket: k, session: s, unwatch: func() {}}, room)
	room.End(n)
	if err != nil || n != int64(len(want)) || s.moved.Load() != n || m.read("log") != string(want) {
		t.Errorf("%d bytes of %d, %d noted, %v", n, len(want), s.moved.Load(), err)
	}
}
