package ftpd

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"cancale/internal/hosting"
)

// fast looks at the settings again all the time.
func fast() limits {
	l := quick()
	l.recheck = 20 * time.Millisecond
	return l
}

// set changes the settings of the installation, and waits until the daemon has
// seen it.
func (w *world) set(change func(*hosting.FTPSettings)) {
	w.t.Helper()
	all, err := w.store.UpdateSettings(w.t.Context(), root, func(s *hosting.Settings) error { change(&s.FTP); return nil })
	check(w.t, err)
	want := w.srv.policyOf(all.FTP)
	for end := time.Now().Add(10 * time.Second); *w.srv.now() != want; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("the daemon has not seen %+v", all.FTP)
		}
	}
}

func TestSettingsHoldWithoutARestart(t *testing.T) {
	m, pool := tlsWorld(t, fast(), TLSOffered)
	t.Run("passive ports, of which all are tried", func(t *testing.T) {
		m.set(func(s *hosting.FTPSettings) { s.PassiveFirst, s.PassiveLast = 23100, 23109 })
		seen := map[string]bool{}
		var open []*client
		for range 10 {
			c := m.connect()
			open = append(open, c)
			seen[c.port()] = true
		}
		if len(seen) != 10 {
			t.Errorf("%d ports", len(seen))
		}
		for port := range seen {
			if !strings.HasPrefix(port, "127.0.0.1:2310") {
				t.Errorf("%s is not in the range", port)
			}
		}
		c := m.connect()
		c.want(425, "EPSV")
		c.want(200, "NOOP")
		open[3].want(221, "QUIT")
		open[3].ended()
		c.port()
	})
	t.Run("active mode", func(t *testing.T) {
		c := m.connect()
		port := fmt.Sprintf("EPRT |1|127.0.0.1|%d|", 23555)
		c.want(502, port)
		m.set(func(s *hosting.FTPSettings) { s.Active = hosting.SwitchOn })
		c.want(200, port)
		m.set(func(s *hosting.FTPSettings) { s.Active = hosting.SwitchOff })
		c.want(502, port)
	})
	t.Run("TLS that becomes required ends sessions in clear, and lets no other in", func(t *testing.T) {
		clear, safe := m.connect(), m.dial("").secure(trust(pool))
		safe.want(331, "USER "+m.login)
		safe.want(230, "PASS "+m.password)
		waiting := m.dial("")
		m.set(func(s *hosting.FTPSettings) { s.TLS = hosting.TLSRequired })
		clear.reply(421)
		clear.ended()
		waiting.want(530, "USER "+m.login)
		safe.want(200, "NOOP")
		safe.port()
		safe.want(521, "LIST")
		m.set(func(s *hosting.FTPSettings) { s.TLS = hosting.TLSOff })
		m.dial("").want(502, "AUTH TLS")
		m.set(func(s *hosting.FTPSettings) { s.TLS = hosting.TLSDefault })
		m.dial("").secure(trust(pool))
	})
	t.Run("data that must resume the session", func(t *testing.T) {
		m.set(func(s *hosting.FTPSettings) { s.RequireReuse = true })
		defer m.set(func(s *hosting.FTPSettings) { s.RequireReuse = false })
		config := trust(pool)
		c := m.dial("").secure(config)
		c.want(331, "USER "+m.login)
		c.want(230, "PASS "+m.password)
		c.want(200, "PBSZ 0")
		c.want(200, "PROT P")
		fresh := trust(pool)
		plain := c.data()
		c.want(150, "LIST")
		_ = tls.Client(plain, fresh).Handshake()
		c.reply(522)
		_ = plain.Close()
		c.secret(config, "LIST", "")
	})
	t.Run("caps", func(t *testing.T) {
		m.set(func(s *hosting.FTPSettings) { s.SessionsPerLogin = 2 })
		name, password := m.newLogin("deux@voile", hosting.FTPTerms{})
		enter := func(code int) *client {
			c := m.dial("")
			c.want(331, "USER "+name)
			c.want(code, "PASS "+password)
			return c
		}
		one, two := enter(230), enter(230)
		for range 5 {
			enter(421).ended()
		}
		one.want(221, "QUIT")
		one.ended()
		m.left(t, name, 1)
		enter(230) // at once: none of these was a failure
		two.want(200, "NOOP")
		m.set(func(s *hosting.FTPSettings) { s.SessionsPerLogin = 100; s.Sessions = 1 })
		conn := m.world.knock("127.0.0.9")
		if !strings.HasPrefix(conn, "421 ") {
			t.Errorf("one session too many got %q", conn)
		}
		m.set(func(s *hosting.FTPSettings) { s.Sessions, s.SessionsPerSource = 2000, 1 })
		if got := m.world.knock("127.0.0.1"); !strings.HasPrefix(got, "421 ") {
			t.Errorf("one session too many of a source got %q", got)
		}
		if got := m.world.knock("127.0.0.9"); !strings.HasPrefix(got, "220 ") {
			t.Errorf("another source got %q", got)
		}
	})
}

func TestTheTimeToStopIsASetting(t *testing.T) {
	m := newMember(t, fast())
	m.set(func(s *hosting.FTPSettings) { s.Stop = 2 })
	c := m.connect()
	c.data()
	c.want(150, "STOR www/never")
	began := time.Now()
	m.stop()
	if took := time.Since(began); took < 1900*time.Millisecond {
		t.Errorf("it stopped after %v", took)
	}
}

// left waits until a login has n sessions left.
func (w *world) left(t *testing.T, login string, n int) {
	t.Helper()
	row, err := w.store.FTPLoginByName(t.Context(), root.Scope(hosting.FTPRead), hosting.FTPName(login))
	check(t, err)
	eventually(t, "a place is free again", func() bool {
		w.srv.mu.Lock()
		defer w.srv.mu.Unlock()
		s := w.srv.shares[row.ID]
		return s != nil && s.sessions == n
	})
}

// knock is the first line that a connection from an address gets.
func (w *world) knock(from string) string {
	w.t.Helper()
	conn, r := w.raw(from)
	defer conn.Close()
	line, err := r.ReadString('\n')
	check(w.t, err)
	return line
}

func TestSettingsThatNobodyTouchedLeaveTheDaemonAsItWasStarted(t *testing.T) {
	srv := &server{limits: quick(), cfg: Config{TLS: TLSRequired, Active: true, RequireReuse: true, PassiveMin: 22000, PassiveMax: 22999}}
	got := srv.policyOf(hosting.DefaultSettings().FTP)
	l := srv.limits
	want := policy{
		tls: TLSRequired, active: true, reuse: true, first: 22000, last: 22999,
		login: l.login, idle: l.idle, data: l.data, drain: l.drain, sessions: l.sessions, source: l.source, perLogin: l.perLogin,
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if d := hosting.DefaultSettings().FTP; d.Idle != defaultLimits.idle || d.Login != defaultLimits.login || d.Data != defaultLimits.data ||
		time.Duration(d.Stop)*time.Second != defaultLimits.drain ||
		d.Sessions != defaultLimits.sessions || d.SessionsPerSource != defaultLimits.source || d.SessionsPerLogin != defaultLimits.perLogin ||
		d.PassiveFirst != DefaultPassiveMin || d.PassiveLast != DefaultPassiveMax {
		t.Error("the page of settings shows other defaults than the daemon has")
	}
}

func TestPassiveAddress(t *testing.T) {
	public := netip.MustParseAddr("203.0.113.9")
	for _, c := range []struct {
		name, peer, local, want string
		public                  netip.Addr
	}{
		{"nothing set", "198.51.100.7", "10.0.0.2", "10.0.0.2", netip.Addr{}},
		{"from outside", "198.51.100.7", "10.0.0.2", "203.0.113.9", public},
		{"from the same network", "10.0.0.77", "10.0.0.2", "10.0.0.2", public},
		{"from another private network", "192.168.1.5", "10.0.0.2", "10.0.0.2", public},
		{"from this machine", "127.0.0.1", "127.0.0.1", "127.0.0.1", public},
		{"from this machine, by its own address", "10.0.0.2", "10.0.0.2", "10.0.0.2", public},
		{"from a link", "169.254.3.4", "169.254.3.5", "169.254.3.5", public},
	} {
		srv := &server{}
		srv.policy.Store(&policy{public: c.public})
		s := &session{visit: visit{srv: srv, peer: netip.AddrPortFrom(netip.MustParseAddr(c.peer), 1), local: netip.AddrPortFrom(netip.MustParseAddr(c.local), 21)}}
		if got := s.passiveAddress().String(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestALoginOfItsOwn(t *testing.T) {
	m, pool := tlsWorld(t, fast(), TLSOffered)
	t.Run("that needs TLS", func(t *testing.T) {
		name, password := m.newLogin("sur@voile", hosting.FTPTerms{RequireTLS: true})
		c := m.dial("")
		if text := c.want(530, "USER "+name); !strings.Contains(text, "AUTH TLS") {
			t.Error(text)
		}
		c.want(503, "PASS "+password) // it was not asked for
		c.want(530, "PWD")
		// Who guesses names learns nothing: of those that nobody bears half are refused
		// too, each always, in whatever letters it comes.
		answers := map[int]int{}
		for i := range 60 {
			var first int
			for j, form := range []string{"personne%d@voile", "PERSONNE%d@Voile", "personne%d@voile"} {
				if i%10 == 0 && j == 0 {
					c = m.dial("")
				}
				c.send("USER " + fmt.Sprintf(form, i))
				code, text := c.read()
				if j == 0 {
					first = code
				}
				if code != first || code != 331 && code != 530 {
					t.Errorf("personne%d: %q, before %d", i, text, first)
				}
			}
			answers[first]++
		}
		if answers[331] < 10 || answers[530] < 10 {
			t.Errorf("%v", answers)
		}
		c = m.dial("")
		for range maxNames {
			c.want(331, "USER "+m.login)
		}
		c.want(421, "USER "+m.login)
		c.ended()
		c = m.dial("")
		config := trust(pool)
		c = c.secure(config)
		c.want(331, "USER "+name)
		c.want(230, "PASS "+password)
		c.port()
		c.want(521, "LIST")
		c.want(200, "PBSZ 0")
		c.want(534, "PROT C")
		c.want(200, "PROT P")
		c.secret(config, "LIST", "")
	})
	t.Run("that may have two sessions", func(t *testing.T) {
		name, password := m.newLogin("deux@voile", hosting.FTPTerms{Sessions: 2})
		enter := func(code int) *client {
			c := m.dial("")
			c.want(331, "USER "+name)
			c.want(code, "PASS "+password)
			return c
		}
		one := enter(230)
		enter(230)
		for range 8 { // more than the wrong passwords that are free of delay
			enter(421).ended()
		}
		check(t, one.conn.Close())
		m.left(t, name, 1)
		enter(230)
		m.connect() // others are not concerned
	})
}

func TestSpeed(t *testing.T) {
	const kb = 400
	payload := strings.Repeat("x", 300<<10)
	least := 500 * time.Millisecond // 300 KB at 400 KB/s, less what may go at once
	m, pool := tlsWorld(t, fast(), TLSOffered)
	m.write("big", payload)
	name, password := m.newLogin("lent@voile", hosting.FTPTerms{SpeedKB: kb})
	config := trust(pool)
	enter := func(safe bool) *client {
		c := m.dial("")
		if safe {
			c = c.secure(config)
		}
		c.want(331, "USER "+name)
		c.want(230, "PASS "+password)
		c.want(200, "TYPE I")
		if safe {
			c.want(200, "PBSZ 0")
			c.want(200, "PROT P")
		}
		return c
	}
	slow := func(t *testing.T, what string, atLeast time.Duration, fn func()) {
		t.Helper()
		began := time.Now()
		fn()
		if took := time.Since(began); took < atLeast {
			t.Errorf("%s took %v, at least %v was to be", what, took, atLeast)
		}
	}
	t.Run("in clear", func(t *testing.T) {
		c := enter(false)
		slow(t, "a download", least, func() {
			if c.get("RETR www/big") != payload {
				t.Error("not the file")
			}
		})
		slow(t, "an upload", least, func() { c.put("STOR www/up", payload) })
		if m.read("up") != payload {
			t.Error("not what was sent")
		}
	})
	t.Run("in TLS", func(t *testing.T) {
		c := enter(true)
		slow(t, "a download", least, func() {
			if got, _ := c.secret(config, "RETR www/big", ""); got != payload {
				t.Error("not the file")
			}
		})
		slow(t, "an upload", least, func() { c.secret(config, "STOR www/up2", payload) })
		if m.read("up2") != payload {
			t.Error("not what was sent")
		}
	})
	t.Run("two sessions share it", func(t *testing.T) {
		a, b := enter(false), enter(false)
		slow(t, "two downloads", 2*least, func() {
			x, y := a.data(), b.data()
			a.want(150, "RETR www/big")
			b.want(150, "RETR www/big")
			done := make(chan int64, 2)
			for _, conn := range []io.Reader{x, y} {
				go func() {
					n, _ := io.Copy(io.Discard, conn)
					done <- n
				}()
			}
			if n := <-done + <-done; n != int64(2*len(payload)) {
				t.Errorf("%d bytes", n)
			}
			a.reply(226)
			b.reply(226)
		})
	})
	t.Run("an ABOR is obeyed meanwhile", func(t *testing.T) {
		c := enter(false)
		conn := c.data()
		c.want(150, "RETR www/big")
		time.Sleep(3 * m.srv.limits.watch)
		c.send("ABOR")
		c.reply(426)
		c.reply(226)
		_ = conn.Close()
	})
	t.Run("the installation's, which open sessions follow", func(t *testing.T) {
		c := m.connect()
		m.set(func(s *hosting.FTPSettings) { s.Speed = kb })
		slow(t, "a download", least, func() { c.get("RETR www/big") })
		slow(t, "that of a login with its own", least, func() { enter(false).get("RETR www/big") })
		m.set(func(s *hosting.FTPSettings) { s.Speed = 1 })
		m.set(func(s *hosting.FTPSettings) { s.Speed = 0 })
		c.get("RETR www/big") // would take five minutes
	})
}
