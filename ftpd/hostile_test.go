package ftpd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jlaffaye/ftp"
	"golang.org/x/sys/unix"

	"cancale/internal/hosting"
)

// siege is a daemon under attack. After each attack it must hold no more memory,
// descriptors and goroutines than before, and meanwhile a neighbour, somebody of
// another account, goes on working as if nothing were.
type siege struct {
	*member
	resting                 *sync.Mutex // held by the neighbour while it works
	descriptors, goroutines int
	held                    int64
}

// attack is something that a client may do to the daemon, in bad faith or by a
// mistake.
type attack struct {
	name string
	run  func(*siege)
}

// besieged is quick about everything that a client may let the daemon wait for.
func besieged() limits {
	l := quick()
	l.login, l.accept, l.data, l.reply = time.Minute, 300*time.Millisecond, 400*time.Millisecond, 500*time.Millisecond
	return l
}

// withstand runs the attacks one after another.
func (m *member) withstand(work func(step int) error, attacks []attack) {
	t := m.t.(*testing.T)
	t.Helper()
	s := &siege{member: m, resting: &sync.Mutex{}}
	check(t, work(0))
	s.warmUp()
	defer s.neighbour(work)()
	t.Cleanup(func() {
		if left, _ := filepath.Glob(m.www(".in.*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			t.Run("attack", func(t *testing.T) { a.run(s.within(t)) }) // when it ends, its clients do
			s.recovered(t)
		})
	}
}

// warmUp opens what the daemon keeps, such as connections to the database, and
// looks at what it holds then.
func (s *siege) warmUp() {
	t := s.t.(*testing.T)
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() { _, _ = s.store.Settings(t.Context()) })
		all.Go(func() { _, _ = s.daemon.Settings(t.Context()) })
	}
	all.Wait()
	t.Run("before", func(t *testing.T) { s.within(t).connect().want(226, "ABOR") })
	s.alone(t)
	s.descriptors, s.goroutines = usage(t)
	s.held = memory()
}

// within is the siege as the test of one attack sees it.
func (s *siege) within(t *testing.T) *siege {
	w, m, in := *s.world, *s.member, *s
	w.t, m.world, in.member = t, &w, &m
	return &in
}

// neighbour works until the function that it returns is called.
func (s *siege) neighbour(work func(step int) error) (end func()) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for step := 1; ; step++ {
			s.resting.Lock()
			began := time.Now()
			err := work(step)
			took := time.Since(began)
			s.resting.Unlock()
			if err != nil || took > 20*time.Second {
				s.t.Errorf("the neighbour cannot work: step %d took %v: %v", step, took, err)
				return
			}
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() { close(stop); <-done }
}

// alone waits until only the neighbour is left.
func (s *siege) alone(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		s.srv.mu.Lock()
		left := len(s.srv.sessions) == 1 && len(s.srv.sources) == 1 && len(s.srv.shares) == 1
		s.srv.mu.Unlock()
		if left {
			return
		}
	}
	t.Error("there are still others than the neighbour")
}

// Slack of what the program itself keeps, such as what the garbage collector has
// not got round to. Attacks do everything many more times.
const (
	slack       = 3
	slackMemory = 4 << 20
)

// recovered checks that the daemon holds no more than before.
func (s *siege) recovered(t *testing.T) {
	t.Helper()
	s.alone(t)
	var descriptors, goroutines int
	var held int64
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		s.resting.Lock()
		descriptors, goroutines = usage(t)
		held = memory()
		s.resting.Unlock()
		if descriptors <= s.descriptors+slack && goroutines <= s.goroutines+slack && held <= s.held+slackMemory {
			return
		}
	}
	stacks := make([]byte, 1<<18)
	t.Errorf("%d descriptors, were %d; %d goroutines, were %d; %d bytes, were %d\n%s", descriptors, s.descriptors, goroutines, s.goroutines, held, s.held,
		stacks[:runtime.Stack(stacks, true)])
}

// usage counts what a daemon may leak.
func usage(t *testing.T) (descriptors, goroutines int) {
	t.Helper()
	// The pipes of splice(2) are kept for the next upload until they are collected.
	for range 3 {
		runtime.GC()
		time.Sleep(5 * time.Millisecond)
	}
	fds, err := os.ReadDir("/proc/self/fd")
	check(t, err)
	return len(fds), runtime.NumGoroutine()
}

// at opens so many sessions, does something in all of them at once, and closes
// them.
func (s *siege) at(sessions int, open func() *client, do func(*client)) {
	s.t.Helper()
	clients := make([]*client, sessions)
	for i := range clients {
		clients[i] = open()
	}
	for _, c := range clients {
		do(c)
	}
	for _, c := range clients {
		_ = c.conn.Close()
	}
}

// together sends a command in as many sessions as there are commands, then wants
// the same answers in each.
func (s *siege) together(prepare func(*client), codes []int, commands ...string) {
	s.t.Helper()
	clients := make([]*client, len(commands))
	for i, command := range commands {
		clients[i] = s.connect()
		prepare(clients[i])
		clients[i].send(command)
	}
	for i, c := range clients {
		for _, code := range codes {
			if got, text := c.read(); got != code {
				s.t.Errorf("%s: %q, want %d", commands[i], text, code)
			}
		}
		c.want(200, "NOOP")
	}
}

// dialogue is a conversation: in each line a code, and the command before it.
func (c *client) dialogue(text string) {
	c.t.Helper()
	for line := range strings.Lines(text) {
		var code int
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		digits, command, _ := strings.Cut(line, " ")
		if _, err := fmt.Sscan(digits, &code); err != nil {
			c.t.Fatal(line, err)
		}
		c.want(code, command)
	}
}

// neighbourByFTP is somebody of another account who sends files and gets them
// back.
func (m *member) neighbourByFTP() func(step int) error {
	m.t.Helper()
	a := m.account("calme")
	site := m.world.site(a, "calme.example.org")
	login, password := m.world.login(a, hosting.FTPSpec{Login: "calme", Site: site.ID})
	c, err := ftp.Dial(m.addr, ftp.DialWithTimeout(10*time.Second))
	check(m.t, err)
	m.t.Cleanup(func() { _ = c.Quit() })
	check(m.t, c.Login(string(login.Login), password))
	check(m.t, c.ChangeDir("www"))
	return func(step int) error {
		text := strings.Repeat(fmt.Sprintf("page %d\n", step), 2000)
		if err := c.Stor("page.html", strings.NewReader(text)); err != nil {
			return err
		}
		r, err := c.Retr("page.html")
		if err != nil {
			return err
		}
		got, err := io.ReadAll(r)
		if err = errors.Join(err, r.Close()); err != nil {
			return err
		}
		if string(got) != text {
			return errors.New("the page is not what was sent")
		}
		_, err = c.List("")
		return err
	}
}

func TestHostileFTP(t *testing.T) {
	m := newMember(t, besieged())
	m.write("big", "")
	check(t, os.Truncate(m.www("big"), 256<<20))
	check(t, os.Mkdir(m.www("many"), 0o755))
	for i := range 2000 {
		m.write(fmt.Sprintf("many/a-file-with-a-rather-long-name-%d.txt", i), "")
	}
	m.withstand(m.neighbourByFTP(), []attack{
		{"a line without an end", func(s *siege) {
			chunk := bytes.Repeat([]byte("A"), 1<<20)
			for _, c := range []*client{s.dial(""), s.connect()} {
				before := memory()
				for range 12 {
					_, err := c.conn.Write(chunk)
					check(s.t, err)
				}
				if grown := memory() - before; grown > slackMemory {
					s.t.Errorf("12 MiB of it took %d bytes of memory", grown)
				}
				c.want(500, "")
				c.want(200, "NOOP")
			}
		}},
		{"every byte, and those of Telnet", func(s *siege) {
			c := s.connect()
			for b := range 256 {
				if b == '\n' || b == telnetIAC {
					continue
				}
				code := 500
				if b < ' ' || b == 0x7f {
					code = 501
				}
				c.want(code, "NO"+string([]byte{byte(b)})+"OP")
				if b != ' ' {
					c.want(code, "MKD"+string([]byte{byte(b)}))
				}
				c.want(200, "NOOP")
			}
		}},
		{"paths of 4 KB", func(s *siege) {
			c := s.connect()
			for _, path := range []string{strings.Repeat("d/", 2000) + "f", strings.Repeat("n", 4000), "/" + strings.Repeat("é", 2000), strings.Repeat("../", 1300) + "x", strings.Repeat("./", 1990) + "www/x/y"} {
				for _, verb := range []string{
					"CWD", "MKD", "RMD", "DELE", "RNFR", "SIZE", "MDTM", "MFMT 20200101000000", "SITE CHMOD 600", "SITE UTIME 20200101000000",
					"RETR", "STOR", "APPE", "STOU", "LIST", "NLST", "MLSD", "MLST", "STAT",
				} {
					c.send(verb + " " + path)
					if code, text := c.read(); code != 550 && code != 553 {
						s.t.Errorf("%s %.20s…: %q", verb, path, text)
					}
				}
				c.want(350, "RNFR www/big")
				c.send("RNTO " + path)
				if code, text := c.read(); code != 550 && code != 553 {
					s.t.Errorf("RNTO %.20s…: %q", path, text)
				}
			}
			c.want(500, "CWD "+strings.Repeat("d/", maxLine/2))
			c.want(200, "NOOP")
		}},
		{"names with newlines", func(s *siege) {
			forged := "x\r\n226 Transfer complete.\r\n230 Welcome.\r\n"
			check(s.t, os.Mkdir(s.www("evil"), 0o755))
			defer os.RemoveAll(s.www("evil"))
			check(s.t, os.Mkdir(s.www("evil", forged), 0o755))
			check(s.t, os.Symlink(forged, s.www("evil", "l\n")))
			check(s.t, os.WriteFile(s.www("evil", "\x1b[2J"), nil, 0o644))
			c := s.connect()
			for _, line := range []string{"LIST www/evil", "NLST www/evil", "MLSD www/evil"} {
				if got := c.get(line); strings.Count(got, "\n") != 3 || strings.Count(got, "\r\n") != 3 || strings.Contains(got, "\n226") || strings.Contains(got, "\x1b") {
					s.t.Errorf("%s: %q", line, got)
				}
			}
			c.want(212, "STAT www/evil") // client.read checks each line
			c.want(550, "CWD www/evil/x??226 Transfer complete.??230 Welcome.??")
			c.want(501, "CWD www/evil/x\r")
		}},
		{"every command before the login", func(s *siege) {
			c := s.dial("")
			for verb, entry := range s.srv.commands {
				for _, arg := range []string{"", " x", " /", " 1", " ../../etc/passwd"} {
					if verb == "QUIT" || verb == "USER" {
						continue
					}
					c.send(verb + arg)
					code, text := c.read()
					if open := entry.(command).open; !open && code != 530 || open && (code < 200 || code == 230 || code >= 300 && code < 400) {
						s.t.Errorf("%s%s: %q", verb, arg, text)
					}
				}
			}
			c.want(530, "PWD")
			c.want(331, "USER "+s.login)
			c.want(230, "PASS "+s.password)
		}},
		{"commands out of order and twice", func(s *siege) {
			s.write("f", "0123456789")
			c := s.connect()
			c.dialogue(`
				503 RNTO www/x
				350 RNFR www/f
				350 RNFR www/f
				250 RNTO www/g
				503 RNTO www/f
				350 RNFR www/g
				257 PWD
				503 RNTO www/f
				350 RNFR www/g
				200 NOOP
				250 RNTO www/f
				550 RNFR www/none
				503 RNTO www/x
				503 USER ` + s.login + `
				503 PASS ` + s.password + `
				503 HOST voile.asso.fr
				503 PBSZ 0
				503 PROT P
				502 AUTH TLS
				257 MKD www/d
				550 MKD www/d
				250 RMD www/d
				550 RMD www/d
				550 DELE www/d
				350 REST 3
				350 REST 7
				350 REST 0
				425 RETR www/f
				226 ABOR
				226 ABOR
				200 TYPE A
				200 TYPE A
				504 REST 1
				200 TYPE I
				200 TYPE I
				229 EPSV
				227 PASV
				229 EPSV
				226 ABOR
				425 LIST
				200 EPSV ALL
				200 EPSV ALL
				503 PASV
				229 EPSV
				226 ABOR`)
			c.want(350, "REST 2")
			c.want(350, "REST 8")
			if got := c.get("RETR www/f"); got != "89" {
				s.t.Errorf("of two REST the last holds: %q", got)
			}
			first, second := c.port(), c.port()
			if conn, err := net.Dial("tcp", first); err == nil && first != second {
				_ = conn.Close()
				s.t.Error("the port of the first EPSV is still open")
			}
			c.want(250, "DELE www/f")
			c.want(550, "DELE www/f")
			_, err := io.WriteString(c.conn, "QUIT\r\nQUIT\r\nNOOP\r\n")
			check(s.t, err)
			c.reply(221)
			c.ended()
		}},
		{"3,000 commands at random", func(s *siege) {
			c := s.connect()
			random := rand.New(rand.NewPCG(1, 2))
			var verbs []string
			for verb := range s.srv.commands {
				if !slices.Contains([]string{"QUIT", "EPSV", "PASV"}, verb) { // the ends, and what would have to be waited for
					verbs = append(verbs, verb)
				}
			}
			slices.Sort(verbs)
			args := []string{"", " ", " x", " www", " www/x", " /", " ..", " -a", " -", " www/*", " [", " I", " A", " 1", " -1", " 99999999999999999999", " 755 www/x", " 20200101000000 www/x", " |1|127.0.0.1|9|", " 1,2,3", " é", ` "`, " \xff\xff", " HELP"}
			for range 3000 {
				command := verbs[random.IntN(len(verbs))] + args[random.IntN(len(args))]
				c.send(command)
				if code, text := c.read(); code < 200 || code == 451 || code == 421 || code > 599 {
					s.t.Errorf("%q: %q", command, text)
				}
			}
			c.want(200, "NOOP")
		}},
		{"a whole session in one packet", func(s *siege) {
			lines := []string{"USER " + s.login, "PASS " + s.password, "TYPE I", "CWD www"}
			codes := []int{331, 230, 200, 250}
			for i := range 200 {
				lines = append(lines, fmt.Sprintf("MKD d%d", i), "FOO", fmt.Sprintf("RMD d%d", i), "\x01")
				codes = append(codes, 257, 500, 250, 501)
			}
			c := s.dial("")
			_, err := io.WriteString(c.conn, strings.Join(append(lines, "QUIT"), "\r\n")+"\r\n")
			check(s.t, err)
			check(s.t, c.conn.CloseWrite())
			for i, code := range append(codes, 221) {
				if got, text := c.read(); got != code {
					s.t.Fatalf("answer %d: %q, want %d", i, text, code)
				}
			}
			c.ended()
		}},
		{"data connections that are never opened", func(s *siege) {
			s.write("old", "old")
			s.together(func(c *client) { c.port() }, []int{425},
				"LIST", "NLST www", "MLSD", "RETR www/big", "STOR www/old", "STOR www/new", "APPE www/old", "STOU www/new")
			if left, _ := filepath.Glob(s.www("new*")); s.read("old") != "old" || len(left) > 0 {
				s.t.Errorf("%q, %v", s.read("old"), left)
			}
			s.at(6, s.connect, func(c *client) { c.port(); c.want(221, "QUIT") })
		}},
		{"data connections from elsewhere", func(s *siege) {
			thief := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
			steal := func(port string) {
				for range 20 {
					conn, err := thief.Dial("tcp", port)
					check(s.t, err)
					s.t.Cleanup(func() { _ = conn.Close() })
					_, _ = io.WriteString(conn, "forged")
				}
			}
			c := s.connect()
			port := c.port()
			steal(port)
			own, err := net.Dial("tcp", port)
			check(s.t, err)
			c.want(150, "STOR www/mine")
			_, err = io.WriteString(own, "mine")
			check(s.t, err)
			check(s.t, own.Close())
			c.reply(226)
			if got := s.read("mine"); got != "mine" {
				s.t.Errorf("stored %q", got)
			}
			steal(c.port()) // and nobody else comes
			c.want(425, "RETR www/mine")
		}},
		{"data connections that are never read, or sent to", func(s *siege) {
			s.write("old", "old")
			for range 2 {
				s.together(func(c *client) { c.data() }, []int{150, 426}, "RETR www/big", "STOR www/stood", "STOR www/old", "APPE www/old")
			}
		}},
		{"answers that are never read", func(s *siege) {
			var all sync.WaitGroup
			var clients []*client
			for _, command := range []string{"HELP\r\n", "HELP\r\n", "STAT www/many\r\n"} {
				c := s.connect()
				clients = append(clients, c)
				check(s.t, c.conn.SetReadBuffer(4096))
				all.Go(func() {
					for {
						if _, err := io.WriteString(c.conn, command); err != nil {
							return
						}
					}
				})
			}
			s.alone(s.t.(*testing.T)) // the daemon has had enough
			for _, c := range clients {
				_ = c.conn.Close()
			}
			all.Wait()
		}},
		{"3,000 EPSV in a row", func(s *siege) {
			c := s.connect()
			before, _ := usage(s.t.(*testing.T))
			for i := range 3000 {
				if i%3 == 2 {
					c.want(227, "PASV")
				} else {
					c.want(229, "EPSV")
				}
			}
			if after, _ := usage(s.t.(*testing.T)); after > before+slack+3 { // the neighbour's data connection among them
				s.t.Errorf("they hold %d descriptors", after-before)
			}
		}},
		{"ABOR in the middle of everything", abortEverywhere},
		{"files and folders that disappear", disappear},
		{"a full disk", fullDisk},
		{"clients that are killed", func(s *siege) {
			s.write("old", "old and longer")
			reset := func(conns ...*net.TCPConn) {
				for _, conn := range conns {
					_ = conn.SetLinger(0) // RST, as when a program is killed with something unread
					_ = conn.Close()
				}
			}
			for _, line := range []string{"STOR www/old", "STOR www/fresh", "APPE www/appended", "RETR www/big", "LIST www/many", "MLSD www/many"} {
				for which := range 3 {
					c := s.connect()
					d := c.data()
					c.want(150, line)
					_, _ = io.WriteString(d, "half")
					reset([][]*net.TCPConn{{c.conn, d}, {d, c.conn}, {c.conn}}[which]...)
				}
				c := s.connect() // before the data connection is open
				c.port()
				c.send(line)
				reset(c.conn)
			}
			for range 20 {
				conn, _ := s.raw("")
				reset(conn)
			}
			s.alone(s.t.(*testing.T))
			if got := s.read("old"); got != "old and longer" {
				s.t.Errorf("the old file is now %q", got)
			}
		}},
		{"more connections than may be", func(s *siege) {
			met := map[string]int{}
			for range s.srv.limits.source + 50 {
				conn, r := s.raw("127.0.0.7")
				defer conn.Close()
				line, err := r.ReadString('\n')
				check(s.t, err)
				met[line[:4]]++
			}
			if met["220 "] != s.srv.limits.source || met["421 "] != 50 {
				s.t.Errorf("%v", met)
			}
		}},
		{"uploads by the hundred", func(s *siege) {
			c := s.connect()
			for range 300 {
				c.put("STOR www/up", "x")
			}
		}},
	})
}

// abortEverywhere gives ABOR at each moment of a session. There is one answer to
// it, and one to what it breaks off.
func abortEverywhere(s *siege) {
	s.write("f", "0123456789")
	s.write("old", "old")
	works := func(c *client) {
		s.t.Helper()
		if got := c.get("RETR www/f"); got != "0123456789" {
			s.t.Errorf("afterwards: %q", got)
		}
	}
	c := s.dial("")
	c.dialogue("530 ABOR\n331 USER " + s.login + "\n530 ABOR")
	_, err := io.WriteString(c.conn, "PASS "+s.password+"\r\nABOR\r\nTYPE I\r\n")
	check(s.t, err)
	c.reply(230)
	c.reply(226)
	c.reply(200)
	c.dialogue("229 EPSV\n226 ABOR\n425 LIST\n350 REST 5\n226 ABOR")
	works(c) // from its beginning
	c.dialogue("350 RNFR www/f\n226 ABOR\n503 RNTO www/x")
	works(c)
	c.want(226, "ABOR") // after the end of a transfer
	commands := []string{"RETR www/big", "STOR www/old", "STOR www/new", "APPE www/old", "APPE www/new", "STOU www/new", "LIST www/many", "NLST www/many", "MLSD www/many"}
	for _, command := range commands {
		for _, aborts := range []int{1, 2} {
			c.port() // nobody comes
			_, err := io.WriteString(c.conn, command+"\r\n"+strings.Repeat("ABOR\r\n", aborts))
			check(s.t, err)
			c.reply(426)
			for range aborts {
				c.reply(226)
			}
			d := c.data() // it is open, and nothing moves
			if strings.Contains(command, "many") {
				check(s.t, d.SetReadBuffer(4096))
			}
			_, err = io.WriteString(c.conn, command+"\r\n"+strings.Repeat("ABOR\r\n", aborts))
			check(s.t, err)
			c.reply(150)
			code, text := c.read()
			switch {
			case code == 426, code == 226 && strings.Contains(command, "many"): // a listing may be quicker
			default:
				s.t.Errorf("%s: %q", command, text)
			}
			for range aborts {
				c.reply(226)
			}
			_ = d.Close()
			works(c)
		}
	}
	if left, _ := filepath.Glob(s.www("new*")); s.read("old") != "old" || len(left) > 0 {
		s.t.Errorf("%q %v", s.read("old"), left)
	}
}

// disappear takes away what sessions are working with.
func disappear(s *siege) {
	c := s.connect()
	begin := func(line string) *net.TCPConn {
		s.t.Helper()
		d := c.data()
		c.want(150, line)
		return d
	}
	end := func(code int, d *net.TCPConn, rest string) {
		s.t.Helper()
		_, _ = io.WriteString(d, rest)
		_, _ = io.Copy(io.Discard, d)
		_ = d.Close()
		c.reply(code)
	}
	folder := func() { check(s.t, os.MkdirAll(s.www("dir/sub"), 0o777)); check(s.t, os.Chmod(s.www("dir"), 0o777)) }
	folder()

	s.write("gone", "")
	check(s.t, os.Truncate(s.www("gone"), 64<<20))
	d := begin("RETR www/gone") // what is open stays readable
	check(s.t, os.Remove(s.www("gone")))
	end(226, d, "")

	s.write("short", "")
	check(s.t, os.Truncate(s.www("short"), 64<<20))
	d = begin("RETR www/short")
	check(s.t, os.Truncate(s.www("short"), 10))
	end(451, d, "")

	d = begin("STOR www/dir/up") // its folder
	check(s.t, os.RemoveAll(s.www("dir")))
	check(s.t, d.CloseWrite())
	end(550, d, "")
	if exists(s.www("dir")) {
		s.t.Error("the folder is there again")
	}

	d = begin("STOR www/name") // its name is a folder's now
	check(s.t, os.Mkdir(s.www("name"), 0o755))
	check(s.t, d.CloseWrite())
	end(550, d, "")
	if info, err := os.Stat(s.www("name")); err != nil || !info.IsDir() {
		s.t.Errorf("%v %v", info, err)
	}

	folder()
	d = begin("LIST www/dir") // may see it or not
	check(s.t, os.RemoveAll(s.www("dir")))
	_, err := io.Copy(io.Discard, d)
	check(s.t, err)
	_, _ = c.read()

	folder()
	c.want(250, "CWD www/dir/sub") // where the session is
	check(s.t, os.RemoveAll(s.www("dir")))
	c.dialogue("257 PWD\n550 LIST\n550 NLST\n550 MLSD\n550 MLST\n550 STOR x\n550 MKD x\n550 RETR x\n250 CWD /\n257 PWD")

	s.write("from", "x")
	c.want(350, "RNFR www/from")
	check(s.t, os.Remove(s.www("from")))
	c.want(550, "RNTO www/to")

	s.write("app", "one")
	d = begin("APPE www/app") // goes on in what is open
	check(s.t, os.Remove(s.www("app")))
	check(s.t, d.CloseWrite())
	end(226, d, "")
	if exists(s.www("app")) {
		s.t.Error("the file is there again")
	}
}

// fullDisk has files sent to a file system without room, and without room for
// another name.
func fullDisk(s *siege) {
	small := s.www("small")
	check(s.t, os.MkdirAll(small, 0o755))
	check(s.t, unix.Mount("tmpfs", small, "tmpfs", 0, fmt.Sprintf("size=256k,nr_inodes=8,uid=%d,gid=%d,mode=755", s.site.UID, s.site.UID)))
	s.t.Cleanup(func() { check(s.t, unix.Unmount(small, unix.MNT_DETACH)) })
	c := s.connect()
	c.want(250, "CWD www/small")
	c.put("STOR old", strings.Repeat("o", 100_000))
	for _, kind := range []string{"TYPE I", "TYPE A"} {
		c.want(200, kind)
		for _, line := range []string{"STOR new", "STOR old", "APPE old", "APPE new", "STOU new"} {
			d := c.data()
			c.want(150, line)
			_, _ = d.Write(make([]byte, 1<<20)) // the daemon may stop reading
			_ = d.Close()
			c.reply(452)
		}
	}
	c.want(200, "TYPE I")
	c.want(350, "REST 50000")
	d := c.data()
	c.want(150, "STOR old")
	_, _ = d.Write(make([]byte, 1<<20))
	_ = d.Close()
	c.reply(452)
	if left, err := os.ReadDir(small); err != nil || len(left) != 1 || len(s.read("small/old")) != 100_000 {
		s.t.Errorf("left %v, %v; the old file has %d bytes", left, err, len(s.read("small/old")))
	}
	for i := range 6 {
		c.want(257, fmt.Sprintf("MKD d%d", i))
	}
	c.port()
	c.dialogue("452 MKD d\n452 STOR new\n452 STOU new\n250 DELE old\n257 MKD d\n250 RMD d")
	c.put("STOR little", "fits")
}

// A panic of ours answers, and ends nothing else.
func TestACommandThatPanics(t *testing.T) {
	m := newMember(t, quick())
	m.stop()
	m.plant = func(srv *server) {
		srv.commands["NOOP"] = command{run: func(*session, string) { panic("not what was thought") }}
	}
	m.start(quick())
	other, c := m.connect(), m.connect()
	c.port()
	c.want(451, "NOOP")
	c.want(425, "LIST") // what it left open is closed
	c.want(257, "PWD")
	other.want(257, "PWD")
}

// Passwords are in no log, in whatever form their command comes.
func TestPasswordsAreNotLogged(t *testing.T) {
	m := newMember(t, quick())
	logged := logs(t)
	for _, pass := range []string{"PASS", "pass", "Pass", "PASS ", " PASS", "PASS\xff\xf1"} {
		c := m.dial("")
		c.want(331, "USER "+m.login)
		c.send(pass + " very-" + m.password)
		_, _ = c.read()
		_ = c.conn.Close()
	}
	c := m.dial("")
	c.want(331, "USER "+m.login)
	c.want(230, "pass "+m.password)
	c.want(221, "QUIT")
	if text := logged(); strings.Contains(text, m.password) || !strings.Contains(text, m.login) {
		t.Errorf("the log:\n%s", text)
	}
}

// Times are those of UTC, whatever zone the machine is in.
func TestTimesAreUTC(t *testing.T) {
	if time.Local.String() != farZone { //nolint:gosmopolitan // the machine's zone is what is tested
		t.Fatal("the machine's zone is not far away")
	}
	m := newMember(t, quick())
	m.write("f", "x")
	when := time.Date(2020, 7, 1, 23, 30, 15, 0, time.UTC)
	check(t, os.Chtimes(m.www("f"), when, when))
	c := m.connect()
	if got := c.want(213, "MDTM www/f"); got != "213 20200701233015\r\n" {
		t.Errorf("%q", got)
	}
	for _, line := range []string{"MLSD www", "MLST www/f"} {
		var got string
		if line == "MLSD www" {
			got = c.get(line)
		} else {
			got = c.want(250, line)
		}
		if !strings.Contains(got, "modify=20200701233015;") {
			t.Errorf("%s: %q", line, got)
		}
	}
	if got := c.get("LIST www/f"); !strings.Contains(got, " Jul  1  2020 ") {
		t.Errorf("%q", got)
	}
	c.want(213, "MFMT 20210101000000 www/f")
	if info, err := os.Stat(m.www("f")); err != nil || !info.ModTime().Equal(time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%v %v", info.ModTime(), err)
	}
}

// A port of the client's that takes no connection holds the daemon no longer
// than one that is never opened.
func TestActiveModeTowardsAPortThatIsSilent(t *testing.T) {
	m := newMember(t, besieged(), func(cfg *Config) { cfg.Active = true })
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	check(t, err)
	defer unix.Close(fd)
	check(t, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	check(t, unix.Listen(fd, 0))
	name, err := unix.Getsockname(fd)
	check(t, err)
	port := name.(*unix.SockaddrInet4).Port
	for range 4 { // its queue is full now
		d := net.Dialer{Timeout: 50 * time.Millisecond}
		if conn, err := d.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			defer conn.Close()
		}
	}
	c := m.connect()
	c.want(200, fmt.Sprintf("EPRT |1|127.0.0.1|%d|", port))
	began := time.Now()
	c.want(425, "LIST")
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	c.want(200, fmt.Sprintf("EPRT |1|127.0.0.1|%d|", port)) // and an ABOR is obeyed meanwhile
	_, err = io.WriteString(c.conn, "LIST\r\nABOR\r\n")
	check(t, err)
	c.reply(426)
	c.reply(226)
	c.want(200, "NOOP")
}

// logs collects what is logged until the end of the test, by whomever.
func logs(t *testing.T) (text func() string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	f, err := os.Create(path)
	check(t, err)
	restore := logTo(f)
	t.Cleanup(func() { restore(); check(t, f.Close()) })
	return func() string {
		b, err := os.ReadFile(path)
		check(t, err)
		return string(b)
	}
}

// logTo sends all logs to w; the function that it returns undoes that.
func logTo(w io.Writer) (restore func()) {
	before, engine, flags := slog.Default(), log.Writer(), log.Flags()
	slog.SetDefault(slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})))
	log.SetOutput(w)
	return func() { slog.SetDefault(before); log.SetOutput(engine); log.SetFlags(flags) }
}
