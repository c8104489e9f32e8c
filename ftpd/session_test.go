package ftpd

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cancale/internal/hosting"
)

func TestLogin(t *testing.T) {
	m := newMember(t, quick())
	a, err := m.store.AccountByName(t.Context(), root.Scope(hosting.AccountRead), "voile")
	check(t, err)

	t.Run("wrong password and unknown login get the same answer", func(t *testing.T) {
		answers := map[string]bool{}
		for _, try := range [][2]string{{m.login, "wrong"}, {"nobody@voile", "wrong"}, {m.login, ""}, {"x' OR 1=1 -- ", "x"}} {
			c := m.dial("")
			c.want(331, "USER "+try[0])
			answers[c.want(530, "PASS "+try[1])] = true
			c.want(530, "LIST")
		}
		if len(answers) != 1 {
			t.Errorf("answers %v", answers)
		}
	})
	t.Run("commands wait for the login", func(t *testing.T) {
		c := m.dial("")
		for _, line := range []string{"PWD", "CWD /", "LIST", "RETR a", "STOR a", "EPSV", "PASV", "SITE CHMOD 777 a", "STAT", "REST 1", "MLSD", "RNFR a", "ABOR", "MFMT 20200101000000 a"} {
			c.want(530, line)
		}
		c.want(503, "PASS "+m.password)
		c.want(501, "USER")
		c.want(331, "USER "+m.login)
		c.want(331, "USER "+m.login)
		c.want(230, "pass "+m.password) // verbs have no case
		c.want(503, "USER "+m.login)
		c.want(503, "PASS "+m.password)
		c.want(257, "PWD")
	})
	t.Run("a wrong password does not log in who was not", func(t *testing.T) {
		c := m.dial("")
		c.want(331, "USER "+m.login)
		c.want(530, "PASS wrong")
		c.want(503, "PASS "+m.password) // USER again first
		c.want(530, "PWD")
	})
	t.Run("few passwords can be tried on one connection", func(t *testing.T) {
		c := m.dial("")
		for range m.srv.limits.failures - 1 {
			c.want(331, "USER nobody@voile")
			c.want(530, "PASS wrong")
		}
		c.want(331, "USER nobody@voile")
		c.want(421, "PASS wrong")
		c.ended()
	})
	t.Run("a login that is shut is unknown", func(t *testing.T) {
		l, password := m.world.login(a.Account, hosting.FTPSpec{Login: "shut@voile", Site: m.site.ID})
		_, err := m.store.SetFTPEnabled(t.Context(), root, l.ID, false)
		check(t, err)
		c := m.dial("")
		c.want(331, "USER shut@voile")
		c.want(530, "PASS "+password)
	})
	t.Run("a suspended site is refused and said so", func(t *testing.T) {
		site := m.world.site(a.Account, "off.example.org")
		_, password := m.world.login(a.Account, hosting.FTPSpec{Login: "off@voile", Site: site.ID})
		_, err := m.store.SuspendSite(t.Context(), root, site.ID)
		check(t, err)
		c := m.dial("")
		c.want(331, "USER off@voile")
		if text := c.want(530, "PASS "+password); !strings.Contains(text, "suspended") {
			t.Errorf("answer %q", text)
		}
		c.want(530, "PWD")
	})
	t.Run("a suspended account is refused and said so, to who knows the password", func(t *testing.T) {
		check(t, m.store.SuspendAccount(t.Context(), root, a.ID))
		c := m.dial("")
		c.want(331, "USER "+m.login)
		if text := c.want(530, "PASS wrong"); strings.Contains(text, "suspended") {
			t.Errorf("a stranger learns %q", text)
		}
		c.want(331, "USER "+m.login)
		if text := c.want(530, "PASS "+m.password); !strings.Contains(text, "suspended") {
			t.Errorf("answer %q", text)
		}
		check(t, m.store.ResumeAccount(t.Context(), root, a.ID))
	})
	t.Run("whoever goes on trying has to wait", func(t *testing.T) {
		for range 20 {
			c := m.dial("")
			c.want(331, "USER victim@voile")
			c.send("PASS wrong")
			if code, text := c.read(); code == 421 {
				if !strings.Contains(text, "try again in") {
					t.Errorf("answer %q", text)
				}
				c.ended()
				return
			}
		}
		t.Error("twenty wrong passwords and no delay")
	})
}

func TestReplies(t *testing.T) {
	m := newMember(t, quick())
	c := m.dial("")
	for _, line := range []string{"SYST", "FEAT", "HELP", "NOOP", "CLNT x", "OPTS UTF8 ON", "OPTS utf8"} {
		c.send(line)
		if code, text := c.read(); code < 200 || code > 299 {
			t.Errorf("%s: %q", line, text)
		}
	}
	features := c.want(211, "FEAT")
	for _, f := range []string{" EPSV", " HOST", " LANG EN*", " MDTM", " MFMT", " MLST type*;size*;modify*;perm*;UNIX.mode*;", " REST STREAM", " SIZE", " TVFS", " UTF8"} {
		if !strings.Contains(features, "\r\n"+f+"\r\n") {
			t.Errorf("FEAT has no %q: %q", f, features)
		}
	}
	for _, line := range []string{"LPRT 4,4", "REIN", "SMNT x", "ADAT x", "CCC"} {
		c.want(502, line)
	}
	for line, code := range map[string]int{
		"HOST ftp.voile.asso.fr": 220, "HOST [::1]": 220, "HOST 127.0.0.1": 220, "HOST": 501, "HOST a b": 501, "HOST ../x": 501,
		"LANG": 200, "LANG en": 200, "LANG EN-gb": 200, "LANG fr": 504, "ACCT x": 202, "HELP": 214, "HELP retr": 214, "HELP foo": 501,
	} {
		c.want(code, line)
	}
	for line, want := range map[string]string{"HELP retr": " Syntax: RETR path\r\n", "HELP PASV": " Syntax: PASV\r\n", "HELP rein": " REIN is not implemented.\r\n", "HELP": " REIN* "} {
		if got := c.want(214, line); !strings.Contains(got, want) {
			t.Errorf("%s: %q", line, got)
		}
	}
	c.want(331, "USER "+m.login)
	c.want(220, "HOST voile.asso.fr")
	c.want(503, "PASS "+m.password) // who named another host begins again
	for _, line := range []string{"FOO", "", " ", " USER x", "\xc3\xa9"} {
		c.want(500, line)
	}
	c = m.connect()
	for line, code := range map[string]int{
		"TYPE I": 200, "type l 8": 200, "TYPE E": 504, "TYPE A T": 504, "TYPE L 7": 504, "TYPE L": 504, "TYPE": 501, "HOST voile.asso.fr": 503,
		"PORT 127,0,0,1,200,80": 502, "PORT 1": 502, "EPRT |1|127.0.0.1|8080|": 502, "EPRT |1": 502, "EPRT |1|": 502, "STOU": 550, "STOU www/x": 425,
		"SITE UTIME": 501, "SITE UTIME x www": 501, "SITE UTIME 20200101000000 nothing": 550, "MODE S": 200, "MODE B": 504,
		"STRU F": 200, "STRU R": 504, "ALLO 10": 202, "OPTS UTF8 OFF": 501, "OPTS FOO": 501, "ABOR": 226,
		"SIZE www": 550, "SIZE nothing": 550, "MDTM nothing": 550, "RETR nothing": 550, "RETR www": 550, "RETR": 501, "DELE nothing": 550, "DELE www": 550,
		"RMD nothing": 550, "RMD www/index.html": 550, "RNFR nothing": 550, "RNTO x": 503, "CWD nothing": 550, "CWD www/index.html": 550,
		"LIST nothing": 550, "NLST nothing": 550, "MLSD nothing": 550, "MLSD www/index.html": 501, "MLST nothing": 550, "STAT nothing": 550,
		"STOR /": 550, "STOR www": 550, "STOR nothing/x": 550, "APPE www": 550, "MKD www": 550, "MKD /": 550, "REST x": 501, "REST -5": 501,
		"SITE FOO": 504, "SITE HELP": 214, "SITE CHMOD": 501, "SITE CHMOD 8 www": 501, "SITE CHMOD 755 nothing": 550, "MFMT x www": 501, "MFMT 20200101000000": 501,
		"LIST": 425, "NLST": 425, "MLSD": 425, "RETR www/index.html": 425, "STOR www/new": 425, "EPSV 2": 522, "EPSV x": 522, "EPSV 1": 229, "STAT": 211,
	} {
		c.want(226, "ABOR") // closes the port that another line may have opened
		if text := c.want(code, line); strings.Contains(text, m.layout.Root) || strings.Contains(text, "openat") {
			t.Errorf("%s: %q shows the machine", line, text)
		}
	}
	c.want(200, "EPSV ALL")
	c.want(503, "PASV")
	c.want(229, "EPSV")
	c.want(221, "QUIT")
	c.ended()
}

func TestPathsAndQuotes(t *testing.T) {
	m := newMember(t, quick())
	c := m.connect()
	for line, want := range map[string]string{
		`MKD www/a "b"`:  `257 "/www/a ""b""" created.`,
		`MKD www/-a`:     `257 "/www/-a" created.`,
		`MKD www/l'été `: `257 "/www/l'été " created.`,
	} {
		if got := strings.TrimSuffix(c.want(257, line), "\r\n"); got != want {
			t.Errorf("%s: %s", line, got)
		}
	}
	c.want(250, `CWD www/a "b"`)
	if got := c.want(257, "PWD"); !strings.HasPrefix(got, `257 "/www/a ""b""" `) {
		t.Errorf("PWD %q", got)
	}
	for _, step := range [][2]string{
		{"CDUP", "/www"}, {"CWD -a", "/www/-a"}, {"CWD ../../..", "/"}, {"CDUP", "/"}, {"CWD /www/./../www//", "/www"}, {"XCUP", "/"}, {"XCWD www", "/www"},
	} {
		c.want(250, step[0])
		if got := c.want(257, "XPWD"); !strings.HasPrefix(got, `257 "`+step[1]+`" `) {
			t.Errorf("after %s: %q", step[0], got)
		}
	}
	// Removing a neighbour whose name begins alike leaves the session where it is.
	c.want(257, "MKD /www/site")
	c.want(257, "MKD /www/site2")
	c.want(250, "CWD /www/site2")
	c.want(250, "RMD /www/site")
	c.want(550, "RMD /www/site")
	if got := c.want(257, "PWD"); !strings.HasPrefix(got, `257 "/www/site2" `) {
		t.Errorf("PWD %q", got)
	}
}

func TestBadLines(t *testing.T) {
	m := newMember(t, quick())
	c := m.connect()
	c.want(500, "STOR "+strings.Repeat("a", 100_000))
	c.want(501, "STOR www/a\x00b")
	c.want(501, "STOR www/a\rb")
	c.want(501, "MKD www/a\x1bb")
	c.want(553, "MKD www/"+strings.Repeat("n", 300))
	c.want(550, "RETR www/"+strings.Repeat("d/", 2020)+"f")
	c.want(550, "RETR "+strings.Repeat("../", 1300)+"etc/passwd")
	// What Telnet clients send before an ABOR, and an option that we refuse by silence.
	c.want(226, "\xff\xf4\xff\xf2ABOR")
	c.want(200, "\xff\xfb\x01NOOP")
	// One line in pieces, several in one.
	for _, part := range []string{"NO", "O", "P\r", "\nNOOP\r\nNOOP\n"} {
		_, err := io.WriteString(c.conn, part)
		check(t, err)
		time.Sleep(5 * time.Millisecond)
	}
	for range 3 {
		c.reply(200)
	}
	before := memory()
	for range 30 {
		if _, err := c.conn.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if grown := memory() - before; grown > 8<<20 {
		t.Errorf("a line of 30 MiB took %d bytes of memory", grown)
	}
	c.want(500, "")
	// Nothing but noise ends the session.
	for range maxNoise { // and the long line
		c.want(501, "\x01")
	}
	c.want(421, "\x01")
	c.ended()
}

func memory() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestTimeLimits(t *testing.T) {
	lim := quick()
	lim.login, lim.idle, lim.accept, lim.data = 300*time.Millisecond, 500*time.Millisecond, 300*time.Millisecond, 300*time.Millisecond
	m := newMember(t, lim)
	t.Run("login", func(t *testing.T) {
		c := m.dial("")
		c.want(200, "NOOP")
		c.reply(421)
		c.ended()
	})
	t.Run("idle, even when a byte comes now and then", func(t *testing.T) {
		c := m.connect()
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 100 {
				if _, err := c.conn.Write([]byte("N")); err != nil {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
		}()
		c.reply(421)
		_ = c.conn.Close()
		<-done
	})
	t.Run("a data connection that is never opened", func(t *testing.T) {
		c := m.connect()
		c.port()
		c.want(425, "LIST")
		c.want(200, "NOOP")
	})
	t.Run("an upload that stands still", func(t *testing.T) {
		c := m.connect()
		conn := c.data()
		c.want(150, "STOR www/slow")
		_, err := io.WriteString(conn, "part")
		check(t, err)
		c.reply(426)
		if m.read("slow") != "part" {
			t.Error("what came is not kept")
		}
	})
	t.Run("an upload that is slow but moves", func(t *testing.T) {
		c := m.connect()
		conn := c.data()
		c.want(150, "STOR www/steady")
		for range 8 {
			_, err := io.WriteString(conn, ".")
			check(t, err)
			time.Sleep(100 * time.Millisecond)
		}
		check(t, conn.Close())
		c.reply(226)
	})
	t.Run("a download that nobody reads", func(t *testing.T) {
		check(t, os.Truncate(m.www("index.html"), 1<<30))
		c := m.connect()
		c.data()
		c.want(150, "RETR www/index.html")
		c.reply(426)
		c.want(200, "NOOP")
	})
}

func TestConnectionLimits(t *testing.T) {
	lim := quick()
	lim.sessions, lim.source = 6, 4
	m := newMember(t, lim)
	refused := func(from string) bool {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		conn, err := d.Dial("tcp", m.addr)
		check(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		b := make([]byte, 4)
		_, err = io.ReadFull(conn, b)
		check(t, err)
		return string(b) == "421 "
	}
	var open []*client
	for range 4 {
		open = append(open, m.dial("127.0.0.1"))
	}
	if !refused("127.0.0.1") {
		t.Error("a fifth connection from one address")
	}
	m.dial("127.0.0.2")
	m.dial("127.0.0.2")
	if !refused("127.0.0.3") {
		t.Error("a seventh connection")
	}
	open[0].want(221, "QUIT")
	open[0].ended()
	eventually(t, "a place is free again", func() bool { return !refused("127.0.0.1") })
}

func TestNoDescriptorsLeft(t *testing.T) {
	m := newMember(t, quick())
	m.connect()
	var limit unix.Rlimit
	check(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	lowest, err := unix.Dup(0)
	check(t, err)
	check(t, unix.Close(lowest))
	one := unix.Rlimit{Cur: uint64(lowest) + 1, Max: limit.Max} // for the client's end
	check(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &one))
	var before, after unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &before)
	conn, dialErr := net.Dial("tcp", m.addr)
	time.Sleep(time.Second)
	_ = unix.Getrusage(unix.RUSAGE_SELF, &after)
	check(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
	check(t, dialErr)
	defer conn.Close()
	if spent := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano(); spent > int64(500*time.Millisecond) {
		t.Errorf("waiting for a descriptor took %v of the processor", time.Duration(spent))
	}
	c := &client{t, conn.(*net.TCPConn), bufio.NewReader(conn), conn}
	c.reply(220)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Errorf("never: %s", what)
}

func TestStop(t *testing.T) {
	lim := quick()
	lim.drain = 3 * time.Second
	m := newMember(t, lim)
	idle, busy, stuck := m.connect(), m.connect(), m.connect()
	conn := busy.data()
	busy.want(150, "STOR www/last")
	_, err := io.WriteString(conn, "begun")
	check(t, err)
	stuckData := stuck.data()
	stuck.want(150, "STOR www/never")
	time.Sleep(3 * lim.watch)

	stopped := make(chan struct{})
	began := time.Now()
	go func() {
		defer close(stopped)
		m.stop()
	}()
	idle.reply(421)
	idle.ended()
	if c, err := net.DialTimeout("tcp", m.addr, time.Second); err == nil {
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		b := make([]byte, 1)
		if n, _ := c.Read(b); n > 0 {
			t.Error("a new session while stopping")
		}
		_ = c.Close()
	}
	_, err = io.WriteString(conn, " and ended")
	check(t, err)
	check(t, conn.Close())
	busy.reply(226)
	busy.reply(421)
	busy.ended()
	if got := m.read("last"); got != "begun and ended" {
		t.Errorf("the upload is %q", got)
	}
	<-stopped
	if took := time.Since(began); took > lim.drain+time.Second {
		t.Errorf("stopping took %v", took)
	}
	_ = stuckData.Close()
	if _, err := os.Stat(m.www("never")); err == nil {
		t.Error("an upload of no bytes left a file")
	}
}

func TestRunRefusesABadRange(t *testing.T) {
	for _, r := range [][2]int{{1, 2}, {30000, 20000}, {20000, 70000}, {0, 20000}} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		check(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if err := Run(ctx, Config{Listener: l, PassiveMin: r[0], PassiveMax: r[1]}); err == nil {
			t.Errorf("passive ports %v", r)
		}
		cancel()
		_ = l.Close()
	}
}
