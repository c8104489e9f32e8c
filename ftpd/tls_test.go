package ftpd

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jlaffaye/ftp"
)

// certificate makes one for tests, and the pool that trusts it.
func certificate(t testing.TB, name string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	check(t, err)
	leaf, err := x509.ParseCertificate(der)
	check(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
}

// tlsWorld is a member whose daemon has a certificate.
func tlsWorld(t testing.TB, lim limits, policy TLSPolicy, change ...func(*Config)) (*member, *x509.CertPool) {
	t.Helper()
	own, pool := certificate(t, "ftp.test")
	return newMember(t, lim, append([]func(*Config){func(cfg *Config) {
		cfg.TLS = policy
		cfg.Certificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &own, nil }
	}}, change...)...), pool
}

// secure goes on in TLS.
func (c *client) secure(config *tls.Config) *client {
	c.t.Helper()
	c.want(234, "AUTH TLS")
	return c.handshake(config)
}

func (c *client) handshake(config *tls.Config) *client {
	c.t.Helper()
	conn := tls.Client(c.conn, config)
	check(c.t, conn.Handshake())
	return &client{c.t, c.conn, bufio.NewReader(conn), conn}
}

func trust(pool *x509.CertPool) *tls.Config {
	return &tls.Config{ServerName: "ftp.test", RootCAs: pool, ClientSessionCache: tls.NewLRUClientSessionCache(4)}
}

// secret runs a command over a protected data connection.
func (c *client) secret(config *tls.Config, line, upload string) (string, tls.ConnectionState) {
	c.t.Helper()
	plain := c.data()
	c.want(150, line)
	conn := tls.Client(plain, config)
	check(c.t, conn.Handshake())
	if upload != "" {
		_, err := io.WriteString(conn, upload)
		check(c.t, err)
		check(c.t, conn.CloseWrite())
	}
	b, err := io.ReadAll(conn)
	check(c.t, err)
	_ = plain.Close()
	c.reply(226)
	return string(b), conn.ConnectionState()
}

func TestTLS(t *testing.T) {
	m, pool := tlsWorld(t, quick(), TLSOffered)
	config := trust(pool)
	enter := func(t *testing.T) *client {
		t.Helper()
		c := m.dial("").secure(config)
		c.want(331, "USER "+m.login)
		c.want(230, "PASS "+m.password)
		c.want(200, "TYPE I")
		return c
	}
	t.Run("every name of it, in any case", func(t *testing.T) {
		for _, name := range []string{"TLS", "tls", "TLS-C", "tls-p", "ssl"} {
			c := m.dial("")
			c.want(234, "AUTH "+name)
			c = c.handshake(config)
			c.want(503, "AUTH TLS")
			c.want(211, "FEAT")
		}
		c := m.dial("")
		c.want(504, "AUTH KERBEROS_V4")
		c.want(501, "AUTH")
		for _, line := range []string{"PBSZ 0", "PROT P"} {
			c.want(503, line)
		}
		if got := c.want(211, "FEAT"); !strings.Contains(got, "\r\n AUTH TLS\r\n PBSZ\r\n PROT\r\n") {
			t.Errorf("FEAT %q", got)
		}
		c.want(331, "USER "+m.login)
		c.want(230, "PASS "+m.password)
		c.want(503, "AUTH TLS")
	})
	t.Run("data goes as PROT says, both ways", func(t *testing.T) {
		c := enter(t)
		c.want(503, "PROT P")
		c.want(501, "PBSZ x")
		if got := c.want(200, "PBSZ 1024"); got != "200 PBSZ=0\r\n" {
			t.Errorf("PBSZ %q", got)
		}
		c.put("STOR www/clear", "in clear") // the level is C before a PROT
		c.want(200, "PROT p")
		if _, state := c.secret(config, "STOR www/secret", "in secret"); state.Version < tls.VersionTLS12 {
			t.Errorf("version %x", state.Version)
		}
		if m.read("clear") != "in clear" || m.read("secret") != "in secret" {
			t.Errorf("%q %q", m.read("clear"), m.read("secret"))
		}
		got, state := c.secret(config, "RETR www/secret", "")
		if got != "in secret" || !state.DidResume {
			t.Errorf("got %q, resumed %v", got, state.DidResume)
		}
		for _, line := range []string{"LIST www", "NLST www", "MLSD www"} {
			if got, _ := c.secret(config, line, ""); !strings.Contains(got, "secret") {
				t.Errorf("%s: %q", line, got)
			}
		}
		c.want(200, "TYPE A")
		m.write("text", "a\nb\n")
		if got, _ := c.secret(config, "RETR www/text", ""); got != "a\r\nb\r\n" {
			t.Errorf("text %q", got)
		}
		c.want(200, "TYPE I")
		c.want(536, "PROT S")
		c.want(536, "PROT E")
		c.want(504, "PROT X")
		c.want(200, "PROT C")
		if got := c.get("RETR www/secret"); got != "in secret" {
			t.Errorf("got %q", got)
		}
		c.want(221, "QUIT")
		if _, err := c.r.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("the end of TLS is not said: %v", err)
		}
	})
	t.Run("a data connection in clear where it must not be", func(t *testing.T) {
		c := enter(t)
		c.want(200, "PBSZ 0")
		c.want(200, "PROT P")
		m.write("kept", "old")
		for _, line := range []string{"STOR www/kept", "RETR www/kept", "LIST"} {
			d := c.data()
			c.want(150, line)
			_, _ = io.WriteString(d, "this is no TLS at all, and long enough to be seen as such")
			check(t, d.CloseWrite())
			c.reply(522)
		}
		d := c.data()
		c.want(150, "STOR www/new")
		check(t, d.Close())
		c.reply(522)
		if _, err := os.Stat(m.www("new")); m.read("kept") != "old" || !os.IsNotExist(err) {
			t.Errorf("%q %v", m.read("kept"), err)
		}
		c.want(200, "NOOP")
	})
	t.Run("an upload that is cut in the middle of a record leaves the old file", func(t *testing.T) {
		c := enter(t)
		c.want(200, "PBSZ 0")
		c.want(200, "PROT P")
		m.write("kept", "old")
		plain := c.data()
		c.want(150, "STOR www/kept")
		cut := &cutter{Conn: plain}
		conn := tls.Client(cut, config)
		check(t, conn.Handshake())
		cut.at = 1000
		_, _ = conn.Write(make([]byte, 4000))
		_ = plain.CloseWrite() // under load the daemon may have given up before
		c.reply(426)
		if m.read("kept") != "old" {
			t.Errorf("%q", m.read("kept"))
		}
	})
	t.Run("ABOR", func(t *testing.T) {
		c := enter(t)
		c.want(200, "PBSZ 0")
		c.want(200, "PROT P")
		m.write("big", "")
		check(t, os.Truncate(m.www("big"), 1<<30))
		for range 5 {
			plain := c.data()
			c.want(150, "RETR www/big")
			conn := tls.Client(plain, config)
			_, err := io.ReadFull(conn, make([]byte, 100_000))
			check(t, err)
			time.Sleep(3 * m.srv.limits.watch)
			c.want(426, "ABOR")
			c.reply(226)
			_ = plain.Close()
			c.want(211, "STAT")
		}
		plain := c.data() // and while the handshake is awaited
		c.want(150, "RETR www/big")
		time.Sleep(3 * m.srv.limits.watch)
		c.want(426, "ABOR")
		c.reply(226)
		_ = plain.Close()
		if got, _ := c.secret(config, "NLST www", ""); !strings.Contains(got, "big") {
			t.Errorf("got %q", got)
		}
	})
	t.Run("no ticket is left unread on a data connection", func(t *testing.T) {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			for _, resume := range []bool{false, true} {
				config := trust(pool)
				config.MaxVersion = version
				c := m.dial("").secure(config)
				c.want(331, "USER "+m.login)
				c.want(230, "PASS "+m.password)
				c.want(200, "PBSZ 0")
				c.want(200, "PROT P")
				if !resume {
					config = config.Clone()
					config.ClientSessionCache = nil
				}
				cache := &counter{ClientSessionCache: config.ClientSessionCache}
				if resume {
					config = config.Clone()
					config.ClientSessionCache = cache
				}
				_, state := c.secret(config, "NLST www", "")
				if state.DidResume != resume || version == tls.VersionTLS13 && cache.put > 0 {
					t.Errorf("%x: resumed %v, want %v; %d tickets", version, state.DidResume, resume, cache.put)
				}
			}
		}
	})
}

// counter counts the tickets that a client gets.
type counter struct {
	tls.ClientSessionCache
	put int
}

func (c *counter) Put(key string, state *tls.ClientSessionState) {
	if state != nil {
		c.put++
	}
	c.ClientSessionCache.Put(key, state)
}

// cutter passes on no more than some bytes, once it is told so.
type cutter struct {
	net.Conn
	at int
}

func (c *cutter) Write(p []byte) (int, error) {
	if c.at > 0 && len(p) > c.at {
		_, _ = c.Conn.Write(p[:c.at])
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func TestTLSAttacks(t *testing.T) {
	lim := quick()
	lim.handshake = 500 * time.Millisecond
	m, pool := tlsWorld(t, lim, TLSOffered)
	t.Run("commands that somebody put before the handshake are not obeyed", func(t *testing.T) {
		for _, injected := range []string{"AUTH TLS\r\nUSER x\r\n", "AUTH TLS\r\nN", "AUTH TLS\nNOOP\n"} {
			c := m.dial("")
			_, err := io.WriteString(c.conn, injected)
			check(t, err)
			for {
				_ = c.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
				line, err := c.r.ReadString('\n')
				if err != nil {
					if os.IsTimeout(err) {
						t.Errorf("%q: the session goes on", injected)
					}
					break
				}
				if !strings.HasPrefix(line, "421 ") && !strings.HasPrefix(line, "234 ") && line[0] >= ' ' {
					t.Errorf("%q: answered %q", injected, line)
				}
			}
		}
	})
	t.Run("a name given in clear is forgotten", func(t *testing.T) {
		c := m.dial("")
		c.want(331, "USER "+m.login)
		c = c.secure(trust(pool))
		c.want(503, "PASS "+m.password)
	})
	t.Run("a handshake that fails ends the session", func(t *testing.T) {
		for _, noise := range []string{"NOOP\r\nUSER x\r\n", strings.Repeat("\x16\x03\x01\xff", 100), ""} {
			c := m.dial("")
			c.want(234, "AUTH TLS")
			_, err := io.WriteString(c.conn, noise)
			check(t, err)
			_ = c.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			b, err := io.ReadAll(c.r)
			if os.IsTimeout(err) || bytes.Contains(b, []byte("500 ")) || bytes.Contains(b, []byte("200 ")) {
				t.Errorf("%q: %q %v", noise, b, err)
			}
		}
		_, other := certificate(t, "ftp.test")
		c := m.dial("")
		c.want(234, "AUTH TLS")
		if err := tls.Client(c.conn, trust(other)).Handshake(); err == nil {
			t.Error("a client that does not trust the certificate went on")
		}
		_ = c.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := io.Copy(io.Discard, c.conn); os.IsTimeout(err) {
			t.Error("the connection is still open")
		}
	})
	t.Run("old versions are refused", func(t *testing.T) {
		config := trust(pool)
		config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
		c := m.dial("")
		c.want(234, "AUTH TLS")
		if err := tls.Client(c.conn, config).Handshake(); err == nil {
			t.Error("TLS 1.1 was accepted")
		}
	})
	t.Run("long lines and noise in TLS", func(t *testing.T) {
		c := m.dial("").secure(trust(pool))
		c.want(500, "STOR "+strings.Repeat("a", 100_000))
		c.want(501, "STOR a\x00b")
		c.want(200, "NOOP")
	})
}

func TestTLSRequired(t *testing.T) {
	m, pool := tlsWorld(t, quick(), TLSRequired)
	c := m.dial("")
	c.want(530, "USER "+m.login)
	c.want(503, "PASS "+m.password)
	config := trust(pool)
	c = c.secure(config)
	c.want(331, "USER "+m.login)
	c.want(230, "PASS "+m.password)
	c.port()
	c.want(521, "LIST")
	c.want(200, "PBSZ 0")
	c.want(534, "PROT C")
	c.want(200, "PROT P")
	if got, _ := c.secret(config, "NLST www", ""); got != "www/index.html\r\n" {
		t.Errorf("got %q", got)
	}
}

func TestTLSOff(t *testing.T) {
	m := newMember(t, quick())
	c := m.dial("")
	c.want(502, "AUTH TLS")
	if got := c.want(211, "FEAT"); strings.Contains(got, "AUTH") {
		t.Errorf("FEAT %q", got)
	}
	c.want(503, "PROT P")
}

func TestTLSReuse(t *testing.T) {
	m, pool := tlsWorld(t, quick(), TLSOffered, func(cfg *Config) { cfg.RequireReuse = true })
	enter := func() (*client, *tls.Config) {
		config := trust(pool)
		c := m.dial("").secure(config)
		c.want(331, "USER "+m.login)
		c.want(230, "PASS "+m.password)
		c.want(200, "PBSZ 0")
		c.want(200, "PROT P")
		return c, config
	}
	c, own := enter()
	_, foreign := enter()
	for range 3 {
		if got, _ := c.secret(own, "NLST www", ""); got == "" {
			t.Error("nothing came")
		}
	}
	for name, config := range map[string]*tls.Config{"another session's ticket": foreign, "no ticket": trust(pool)} {
		plain := c.data()
		c.want(150, "NLST www")
		conn := tls.Client(plain, config)
		if b, _ := io.ReadAll(conn); len(b) > 0 {
			t.Errorf("%s: got %q", name, b)
		}
		c.reply(522)
	}
}

func TestImplicitTLS(t *testing.T) {
	implicit, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	m, pool := tlsWorld(t, quick(), TLSOffered, func(cfg *Config) { cfg.Implicit = implicit })
	local := filepath.Join(t.TempDir(), "f")
	check(t, os.WriteFile(local, []byte("implicit"), 0o600))
	run(t, "curl", "-sS", "-k", "--max-time", "20", "-u", m.login+":"+m.password, "-T", local, "ftps://"+implicit.Addr().String()+"/www/f")
	if m.read("f") != "implicit" {
		t.Errorf("%q", m.read("f"))
	}
	conn, err := net.Dial("tcp", implicit.Addr().String())
	check(t, err)
	defer conn.Close()
	c := (&client{t: t, conn: conn.(*net.TCPConn)}).handshake(trust(pool))
	c.reply(220)
	c.want(503, "AUTH TLS")
	c.want(331, "USER "+m.login)
	c.want(230, "PASS "+m.password)
	if got, _ := c.secret(trust(pool), "NLST www", ""); !strings.Contains(got, "www/f") {
		t.Errorf("got %q", got)
	}
	_ = m.dial("") // the other port is as it was
}

func TestCertificateChangesWhileRunning(t *testing.T) {
	first, firstPool := certificate(t, "ftp.test")
	second, secondPool := certificate(t, "ftp.test")
	now := &first
	m := newMember(t, quick(), func(cfg *Config) {
		cfg.TLS = TLSOffered
		cfg.Certificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return now, nil }
	})
	m.dial("").secure(trust(firstPool)).want(200, "NOOP")
	now = &second
	m.dial("").secure(trust(secondPool)).want(200, "NOOP")
}

func TestClientsWithTLS(t *testing.T) {
	for _, policy := range []struct {
		policy TLSPolicy
		reuse  bool
	}{{TLSRequired, false}, {TLSRequired, true}} {
		t.Run(fmt.Sprintf("%s, reuse %v", policy.policy, policy.reuse), func(t *testing.T) {
			m, pool := tlsWorld(t, quick(), policy.policy, func(cfg *Config) { cfg.RequireReuse = policy.reuse })
			local := t.TempDir()
			makeTree(t, local)
			big := make([]byte, 5<<20)
			_, _ = rand.Read(big)
			check(t, os.WriteFile(filepath.Join(local, "big.bin"), big, 0o644))

			down := filepath.Join(t.TempDir(), "down")
			run(t, "lftp", "-c", fmt.Sprintf("set cmd:fail-exit yes; set net:max-retries 1; set net:timeout 10; set ssl:verify-certificate no; set ftp:ssl-force yes; set ftp:ssl-protect-data yes; open -u %s,%s ftp://%s; mirror -R --parallel=3 %q www/up; mirror --parallel=3 www/up %q",
				m.login, m.password, m.addr, local, down))
			if diff := cmp.Diff(sums(t, local), sums(t, down)); diff != "" {
				t.Errorf("lftp (-sent +got):\n%s", diff)
			}
			for _, version := range []string{"1.2", "1.3"} {
				if policy.reuse && version == "1.2" {
					continue // there curl resumes by session ids, which crypto/tls does not keep
				}
				back := filepath.Join(t.TempDir(), "back")
				args := []string{"-sS", "-k", "--ssl-reqd", "--tlsv" + version, "--tls-max", version, "--max-time", "30", "-u", m.login + ":" + m.password}
				run(t, "curl", append(args, "-T", filepath.Join(local, "big.bin"), "ftp://"+m.addr+"/www/curl.bin")...)
				run(t, "curl", append(args, "-o", back, "ftp://"+m.addr+"/www/curl.bin")...)
				if got, err := os.ReadFile(back); err != nil || !bytes.Equal(got, big) {
					t.Errorf("curl, TLS %s: %d bytes back, %v", version, len(got), err)
				}
			}
			if policy.reuse {
				return // the clients below cannot
			}
			out := run(t, "python3", "-c", pythonClient, strings.Split(m.addr, ":")[1], m.login, m.password, filepath.Join(local, "big.bin"))
			if out != "same\n" {
				t.Errorf("ftplib: %s", out)
			}
			c, err := ftp.Dial(m.addr, ftp.DialWithExplicitTLS(trust(pool)), ftp.DialWithTimeout(10*time.Second))
			check(t, err)
			check(t, c.Login(m.login, m.password))
			check(t, c.Stor("www/go.bin", bytes.NewReader(big)))
			r, err := c.Retr("www/go.bin")
			check(t, err)
			got, err := io.ReadAll(r)
			check(t, err)
			check(t, r.Close())
			if !bytes.Equal(got, big) {
				t.Error("jlaffaye/ftp: differs")
			}
			_, err = c.List("www")
			check(t, err)
			check(t, c.Quit())
		})
	}
}

// pythonClient does with ftplib what programs of members do with it.
const pythonClient = `
import ftplib, io, ssl, sys
context = ssl._create_unverified_context()
f = ftplib.FTP_TLS(context=context, timeout=20)
f.connect("127.0.0.1", int(sys.argv[1]))
f.login(sys.argv[2], sys.argv[3])
f.prot_p()
f.cwd("www")
f.storbinary("STOR python.bin", open(sys.argv[4], "rb"))
got = io.BytesIO()
f.retrbinary("RETR python.bin", got.write)
assert f.size("python.bin") == len(got.getvalue())
f.storlines("STOR python.txt", io.BytesIO(b"one\ntwo\n"))
lines = []
f.retrlines("RETR python.txt", lines.append)
assert lines == ["one", "two"], lines
assert "python.bin" in f.nlst()
assert "python.bin" in dict(f.mlsd())
f.rename("python.bin", "p.bin")
f.delete("p.bin")
f.quit()
print("same" if got.getvalue() == open(sys.argv[4], "rb").read() else "differs")
`

func TestNothingLeaksWithTLS(t *testing.T) {
	lim := quick()
	lim.handshake, lim.accept = 300*time.Millisecond, 300*time.Millisecond
	m, pool := tlsWorld(t, lim, TLSOffered)
	config := trust(pool)
	enter := func() *client {
		c := m.dial("").secure(config)
		c.want(331, "USER "+m.login)
		c.want(230, "PASS "+m.password)
		c.want(200, "PBSZ 0")
		c.want(200, "PROT P")
		return c
	}
	enter().want(221, "QUIT") // the store's connections are open now
	settle := func() (int, int, int64) {
		eventually(t, "all sessions end", func() bool {
			m.srv.mu.Lock()
			defer m.srv.mu.Unlock()
			return len(m.srv.sessions) == 0
		})
		descriptors, goroutines := usage(t)
		return descriptors, goroutines, memory()
	}
	descriptors, goroutines, held := settle()
	ours := 0 // the clients' ends that stay open
	for range 30 {
		c := m.dial("") // never begins
		c.want(234, "AUTH TLS")
		defer c.conn.Close()
		ours++
		c = m.dial("") // vanishes before
		c.want(234, "AUTH TLS")
		_ = c.conn.Close()
	}
	for range 20 {
		c := enter() // no handshake on the data connection
		d := c.data()
		c.want(150, "LIST")
		_ = c.conn.Close()
		_ = d.Close()
		c = enter() // killed in the middle
		plain := c.data()
		c.want(150, "STOR www/x")
		conn := tls.Client(plain, config)
		check(t, conn.Handshake())
		_, _ = conn.Write(make([]byte, 100_000))
		_ = c.conn.SetLinger(0)
		_ = c.conn.Close()
		_ = plain.Close()
	}
	c := enter()
	for range 200 {
		c.secret(config, "STOR www/y", "x")
	}
	_ = c.conn.Close()
	d, g, h := settle()
	if d > descriptors+ours+2 || g > goroutines+2 || h > held+4<<20 {
		t.Errorf("%d descriptors, were %d; %d goroutines, were %d; %d bytes, were %d", d, descriptors, g, goroutines, h, held)
	}
}
