package ftpd

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	mathrand "math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"cancale/internal/hosting"
	"cancale/internal/store"
)

// overSSH makes a member's daemon take SFTP too.
func overSSH(t testing.TB) (change func(*Config), addr func() string, host ssh.PublicKey) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	signer, err := ssh.NewSignerFromKey(private)
	check(t, err)
	var l net.Listener
	return func(cfg *Config) {
		var err error
		l, err = net.Listen("tcp", "127.0.0.1:0")
		check(t, err)
		cfg.SFTP, cfg.HostKeys = l, []ssh.Signer{signer}
	}, func() string { return l.Addr().String() }, signer.PublicKey()
}

// sftpMember is a member whose programs speak SFTP.
type sftpMember struct {
	*member
	address string
	host    ssh.PublicKey
}

func newSFTPMember(t testing.TB, lim limits) *sftpMember {
	t.Helper()
	change, addr, host := overSSH(t)
	m := newMember(t, lim, change)
	return &sftpMember{m, addr(), host}
}

// dialSSH signs in and fails the test when it cannot.
func (m *sftpMember) dialSSH(auth ...ssh.AuthMethod) *ssh.Client {
	m.t.Helper()
	if len(auth) == 0 {
		auth = []ssh.AuthMethod{ssh.Password(m.password)}
	}
	c, err := m.trySSH(m.login, auth...)
	check(m.t, err)
	m.t.Cleanup(func() { _ = c.Close() })
	return c
}

func (m *sftpMember) trySSH(user string, auth ...ssh.AuthMethod) (*ssh.Client, error) {
	return ssh.Dial("tcp", m.address, &ssh.ClientConfig{User: user, Auth: auth, HostKeyCallback: ssh.FixedHostKey(m.host), Timeout: 10 * time.Second})
}

func (m *sftpMember) sftp(options ...sftp.ClientOption) *sftp.Client {
	m.t.Helper()
	c, err := sftp.NewClient(m.dialSSH(), options...)
	check(m.t, err)
	m.t.Cleanup(func() { _ = c.Close() })
	return c
}

// newKey is a key pair whose public half the login takes.
func (m *sftpMember) newKey(login hosting.FTPLoginID) (ssh.Signer, ed25519.PrivateKey, hosting.FTPKey) {
	m.t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	check(m.t, err)
	signer, err := ssh.NewSignerFromKey(private)
	check(m.t, err)
	key, err := hosting.ParsePublicKey(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
	check(m.t, err)
	row, err := m.store.AddFTPKey(m.t.Context(), root, login, key, "")
	check(m.t, err)
	return signer, private, row
}

func (m *sftpMember) loginID() hosting.FTPLoginID {
	m.t.Helper()
	row, err := m.store.FTPLoginByName(m.t.Context(), root.Scope(hosting.FTPRead), hosting.FTPName(m.login))
	check(m.t, err)
	return row.ID
}

func send(c *sftp.Client, name string, data []byte) error {
	f, err := c.Create(name)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = mathrand.NewChaCha8([32]byte{byte(n)}).Read(b)
	return b
}

func TestSFTP(t *testing.T) {
	m := newSFTPMember(t, quick())
	c := m.sftp()

	t.Run("a file goes up and comes down the same", func(t *testing.T) {
		data := noise(5 << 20)
		check(t, send(c, "/www/a.bin", data))
		if m.read("a.bin") != string(data) {
			t.Error("the file differs")
		}
		var st unix.Stat_t
		check(t, unix.Stat(m.www("a.bin"), &st))
		if st.Uid != m.site.UID || st.Mode&0o777 != 0o644 {
			t.Errorf("uid %d, mode %o", st.Uid, st.Mode)
		}
		f, err := c.Open("www/a.bin")
		check(t, err)
		defer f.Close()
		got, err := io.ReadAll(f)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("it came down otherwise, %v", err)
		}
	})
	t.Run("a visitor never meets half a file", func(t *testing.T) {
		m.write("page.html", "old")
		f, err := c.Create("www/page.html")
		check(t, err)
		_, err = f.Write([]byte("half of"))
		check(t, err)
		if m.read("page.html") != "old" {
			t.Error("the old page is gone before the new one is whole")
		}
		if info, err := c.Stat("www/page.html"); err != nil || info.Size() != 7 {
			t.Errorf("who uploads sees %v %v", info, err)
		}
		names, err := c.ReadDir("www")
		check(t, err)
		for _, n := range names {
			if strings.HasPrefix(n.Name(), ".in.") {
				t.Errorf("the listing shows %s", n.Name())
			}
		}
		_, err = f.Write([]byte(" the new"))
		check(t, err)
		check(t, f.Chmod(0o600))
		when := time.Date(2020, 2, 29, 12, 0, 0, 0, time.UTC)
		check(t, c.Chtimes("www/page.html", when, when))
		check(t, f.Close())
		info, err := os.Stat(m.www("page.html"))
		check(t, err)
		if m.read("page.html") != "half of the new" || info.Mode().Perm() != 0o600 || !info.ModTime().Equal(when) {
			t.Errorf("%q %v %v", m.read("page.html"), info.Mode(), info.ModTime())
		}
	})
	t.Run("parts may come in any order", func(t *testing.T) {
		data := noise(3 << 20)
		f, err := c.Create("www/parts")
		check(t, err)
		for _, i := range []int{2, 0, 1} {
			_, err := f.WriteAt(data[i<<20:(i+1)<<20], int64(i)<<20)
			check(t, err)
		}
		check(t, f.Close())
		if m.read("parts") != string(data) {
			t.Error("the file differs")
		}
	})
	t.Run("a file is written in place where one goes on", func(t *testing.T) {
		m.write("log", "0123456789")
		f, err := c.OpenFile("www/log", os.O_WRONLY)
		check(t, err)
		_, err = f.WriteAt([]byte("ab"), 4)
		check(t, err)
		check(t, f.Close())
		if m.read("log") != "0123ab6789" {
			t.Errorf("%q", m.read("log"))
		}
		f, err = c.OpenFile("www/log", os.O_RDWR|os.O_APPEND)
		check(t, err)
		_, err = f.WriteAt([]byte("zz"), 0)
		if err == nil {
			t.Error("what is appended to was written over")
		}
		_ = f.Close()
		f, err = c.OpenFile("www/log", os.O_RDWR|os.O_APPEND)
		check(t, err)
		_, err = f.WriteAt([]byte("zz"), 10)
		check(t, err)
		buf := make([]byte, 4)
		if _, err = f.ReadAt(buf, 8); err != nil || string(buf) != "89zz" {
			t.Errorf("%q %v", buf, err)
		}
		check(t, f.Close())
	})
	t.Run("names", func(t *testing.T) {
		for _, name := range []string{"été \"ici\".txt", "-rf", "a\nb", strings.Repeat("é", 127)} {
			check(t, send(c, "www/"+name, []byte(name)))
			if m.read(name) != name {
				t.Errorf("%q differs", name)
			}
			check(t, c.Remove("www/"+name))
		}
		if err := send(c, "www/"+strings.Repeat("x", 256), nil); err == nil {
			t.Error("256 bytes make a name")
		}
	})
	t.Run("directories and renames", func(t *testing.T) {
		check(t, c.MkdirAll("www/d/e"))
		check(t, send(c, "www/d/e/f", []byte("1")))
		check(t, send(c, "www/d/g", []byte("2")))
		if err := c.Rename("www/d/e/f", "www/d/g"); err == nil {
			t.Error("a rename took the place of a file")
		}
		check(t, c.PosixRename("www/d/e/f", "www/d/g"))
		if m.read("d/g") != "1" {
			t.Error("posix-rename did not")
		}
		if err := c.RemoveDirectory("www/d"); err == nil {
			t.Error("a directory that is not empty is gone")
		}
		check(t, c.RemoveDirectory("www/d/e"))
		if _, err := c.Stat("www/d/e"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v", err)
		}
		if err := c.Remove("/"); err == nil {
			t.Error("the root can be removed")
		}
	})
	t.Run("10,000 names", func(t *testing.T) {
		check(t, os.Mkdir(m.www("many"), 0o755))
		for i := range 10_000 {
			check(t, os.WriteFile(m.www("many", strconv.Itoa(i)), nil, 0o644))
		}
		names, err := c.ReadDir("www/many")
		if err != nil || len(names) != 10_000 {
			t.Errorf("%d names, %v", len(names), err)
		}
	})
	t.Run("links are shown and not made", func(t *testing.T) {
		check(t, os.Symlink("../../secret", m.www("link")))
		if to, err := c.ReadLink("www/link"); err != nil || to != "../../secret" {
			t.Errorf("%q %v", to, err)
		}
		info, err := c.Lstat("www/link")
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			t.Errorf("%v %v", info, err)
		}
		if err := c.Symlink("/etc/passwd", "www/passwd"); err == nil {
			t.Error("a link was made")
		}
		if err := c.Link("www/parts", "www/parts2"); err == nil {
			t.Error("a hard link was made")
		}
	})
	t.Run("nothing is told of the machine", func(t *testing.T) {
		for _, p := range []string{"www/none/x", "www/a.bin/x", "none"} {
			_, err := c.Open(p)
			if err == nil || strings.Contains(err.Error(), m.layout.Root) || strings.Contains(err.Error(), "openat") {
				t.Errorf("%s: %v", p, err)
			}
		}
	})
}

func TestSFTPBrokenUploads(t *testing.T) {
	m := newSFTPMember(t, quick())
	m.write("old", "old")
	data := noise(1 << 20)
	breakOff := func(name string, parts ...int) {
		t.Helper()
		conn := m.dialSSH()
		c, err := sftp.NewClient(conn)
		check(t, err)
		f, err := c.Create(name)
		check(t, err)
		for _, i := range parts {
			_, err := f.WriteAt(data[i*1000:(i+1)*1000], int64(i)*1000)
			check(t, err)
		}
		check(t, conn.Close())
	}
	breakOff("www/new", 0, 1, 2, 4)
	breakOff("www/old", 0, 1)
	breakOff("www/gap", 3)
	eventually(t, "the upload is kept", func() bool { return exists(m.www("new")) })
	if m.read("new") != string(data[:3000]) {
		t.Error("what is kept is not what came without a gap")
	}
	m.atRest()
	if m.read("old") != "old" {
		t.Error("a broken upload took the place of a file")
	}
	left, err := filepath.Glob(m.www(".in.*"))
	if err != nil || len(left) > 0 || exists(m.www("gap")) {
		t.Errorf("left behind: %v %v", left, err)
	}
	// A client goes on where it stopped.
	c := m.sftp()
	f, err := c.OpenFile("www/new", os.O_WRONLY|os.O_APPEND|os.O_CREATE)
	check(t, err)
	_, err = f.WriteAt(data[3000:], 3000)
	check(t, err)
	check(t, f.Close())
	if m.read("new") != string(data) {
		t.Error("the resumed file differs")
	}
}

func exists(name string) bool { _, err := os.Lstat(name); return err == nil }

// atRest waits until no session is left.
func (m *sftpMember) atRest() {
	m.t.Helper()
	eventually(m.t.(*testing.T), "all sessions end", func() bool {
		m.srv.mu.Lock()
		defer m.srv.mu.Unlock()
		return len(m.srv.sessions) == 0 && len(m.srv.sources) == 0
	})
}

func TestSFTPSignIn(t *testing.T) {
	m := newSFTPMember(t, quick())
	id := m.loginID()
	signer, _, row := m.newKey(id)
	other, _ := m.world.login(m.account("autre"), hosting.FTPSpec{Login: "autre"})
	foreign, _, _ := m.newKey(other.ID)
	_ = m.dialSSH(ssh.PublicKeys(foreign, signer)).Close() // programs offer all the keys they have
	_ = m.dialSSH(ssh.Password(m.password)).Close()
	refusedAll := map[string]struct {
		user string
		auth ssh.AuthMethod
	}{
		"a wrong password":        {m.login, ssh.Password("wrong")},
		"no password":             {m.login, ssh.Password("")},
		"the key of another":      {m.login, ssh.PublicKeys(foreign)},
		"a name that is none":     {"../" + m.login, ssh.Password(m.password)},
		"a name that is a letter": {"é\x00\n", ssh.PublicKeys(signer)},
		"the key under root":      {"root", ssh.PublicKeys(signer)},
		"questions":               {m.login, ssh.KeyboardInteractive(func(string, string, []string, []bool) ([]string, error) { return nil, nil })},
	}
	for name, c := range refusedAll {
		if conn, err := m.trySSH(c.user, c.auth); err == nil {
			_ = conn.Close()
			t.Errorf("%s opened a session", name)
		}
	}
	if conn, err := m.trySSH(m.login); err == nil {
		_ = conn.Close()
		t.Error("nothing at all opened a session")
	}
	check(t, m.store.RemoveFTPKey(t.Context(), root, id, row.ID))
	if conn, err := m.trySSH(m.login, ssh.PublicKeys(signer)); err == nil {
		_ = conn.Close()
		t.Error("a key that was removed opened a session")
	}
	check(t, m.store.SuspendAccount(t.Context(), root, m.site.AccountID))
	var banner string
	_, err := ssh.Dial("tcp", m.address, &ssh.ClientConfig{
		User: m.login, Auth: []ssh.AuthMethod{ssh.Password(m.password)}, HostKeyCallback: ssh.FixedHostKey(m.host),
		BannerCallback: func(text string) error { banner = text; return nil },
	})
	if err == nil || !strings.Contains(banner, "suspended") {
		t.Errorf("%v, %q", err, banner)
	}
}

func TestSFTPOffersNothingElse(t *testing.T) {
	m := newSFTPMember(t, quick())
	conn := m.dialSSH()
	for _, kind := range []string{"direct-tcpip", "forwarded-tcpip", "x11", "auth-agent@openssh.com", "direct-streamlocal@openssh.com", "tun@openssh.com", ""} {
		payload := ssh.Marshal(struct {
			Host     string
			Port     uint32
			From     string
			FromPort uint32
		}{"127.0.0.1", 22, "127.0.0.1", 1})
		if ch, _, err := conn.OpenChannel(kind, payload); err == nil {
			_ = ch.Close()
			t.Errorf("a channel %q was opened", kind)
		}
	}
	for _, request := range []string{"tcpip-forward", "streamlocal-forward@openssh.com", "hostkeys-prove-00@openssh.com"} {
		if ok, _, err := conn.SendRequest(request, true, ssh.Marshal(struct {
			Addr string
			Port uint32
		}{"0.0.0.0", 0})); ok || err != nil {
			t.Errorf("%s: %v %v", request, ok, err)
		}
	}
	text := func(s string) []byte { return ssh.Marshal(struct{ S string }{s}) }
	for name, r := range map[string]struct {
		kind    string
		payload []byte
	}{
		"a shell":           {"shell", nil},
		"a command":         {"exec", text("id")},
		"sftp as a command": {"exec", text("/usr/lib/openssh/sftp-server")},
		"another subsystem": {"subsystem", text("netconf")},
		"a terminal":        {"pty-req", ssh.Marshal(struct{ S string }{"xterm"})},
		"an environment":    {"env", ssh.Marshal(struct{ K, V string }{"LD_PRELOAD", "/srv/x.so"})},
		"an agent":          {"auth-agent-req@openssh.com", nil},
		"X11":               {"x11-req", nil},
		"half a request":    {"subsystem", []byte{0, 0, 0, 9, 's'}},
	} {
		ch, requests, err := conn.OpenChannel("session", nil)
		check(t, err)
		go ssh.DiscardRequests(requests)
		ok, err := ch.SendRequest(r.kind, true, r.payload)
		if ok || err != nil && !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v %v", name, ok, err)
		}
		_ = ch.Close()
	}
	var open []ssh.Channel
	for range maxChannels + 5 {
		ch, requests, err := conn.OpenChannel("session", nil)
		if err != nil {
			break
		}
		go ssh.DiscardRequests(requests)
		open = append(open, ch)
	}
	if len(open) > maxChannels {
		t.Errorf("%d channels", len(open))
	}
}

// raw speaks SFTP without a library that would know better.
type raw struct {
	t  *testing.T
	ch ssh.Channel
	id uint32
}

func (m *sftpMember) raw(conn *ssh.Client) *raw {
	m.t.Helper()
	ch, requests, err := conn.OpenChannel("session", nil)
	check(m.t, err)
	go ssh.DiscardRequests(requests)
	ok, err := ch.SendRequest("subsystem", true, ssh.Marshal(struct{ S string }{"sftp"}))
	if !ok || err != nil {
		m.t.Fatal(ok, err)
	}
	r := &raw{t: m.t.(*testing.T), ch: ch}
	r.send(1, []byte{0, 0, 0, 3})
	if kind, _ := r.receive(); kind != 2 {
		m.t.Fatalf("got %d", kind)
	}
	return r
}

func (r *raw) send(kind byte, payload []byte) {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload)+1))
	_, err := r.ch.Write(append(append(b, kind), payload...))
	if err != nil {
		r.t.Log(err)
	}
}

// ask sends a request with an id and gives the kind and body of its answer.
func (r *raw) ask(kind byte, fields any) (byte, []byte) {
	r.t.Helper()
	r.id++
	r.send(kind, append(binary.BigEndian.AppendUint32(nil, r.id), ssh.Marshal(fields)...))
	answer, body := r.receive()
	return answer, body
}

func (r *raw) receive() (byte, []byte) {
	r.t.Helper()
	var head [5]byte
	if _, err := io.ReadFull(r.ch, head[:]); err != nil {
		return 0, nil
	}
	body := make([]byte, binary.BigEndian.Uint32(head[:4])-1)
	if _, err := io.ReadFull(r.ch, body); err != nil {
		return 0, nil
	}
	return head[4], body
}

func TestNobodyLeavesTheHomeBySFTP(t *testing.T) {
	m := newSFTPMember(t, quick())
	outside := t.TempDir()
	check(t, os.Chmod(outside, 0o777))
	check(t, os.WriteFile(filepath.Join(outside, "f"), []byte("secret"), 0o666))
	check(t, os.Symlink(outside, m.www("out")))
	check(t, os.Symlink(filepath.Join(outside, "f"), m.www("file")))
	check(t, unix.Mkfifo(m.www("pipe"), 0o666))
	check(t, os.Chmod(m.www("pipe"), 0o666))
	neighbour := m.world.site(m.account("autre"), "autre.example.org")
	check(t, os.WriteFile(m.home(neighbour, "www/theirs"), []byte("theirs"), 0o644))
	c := m.sftp()
	for _, p := range []string{
		"/../../etc/passwd", "../../../../etc/passwd", "www/../../" + string(neighbour.HomeToken) + "/www/theirs",
		"www/out/f", "www/file", "//etc/passwd", "/proc/self/environ", "www/out/../f", "www/./out//f", m.home(neighbour, "www/theirs"), "www/pipe",
	} {
		began := time.Now()
		if f, err := c.Open(p); err == nil {
			b, _ := io.ReadAll(f)
			if len(b) > 0 {
				t.Errorf("%s: %q", p, b)
			}
			_ = f.Close()
		}
		if p != "www/file" && p != "www/pipe" && p != "www/out/../f" { // they are replaced themselves, the last is www/f
			if err := send(c, p, []byte("x")); err == nil {
				t.Errorf("%s was written", p)
			}
		}
		_ = c.Chmod(p, 0o600)
		_ = c.Truncate(p, 1)
		_ = c.Remove(p)
		_ = c.PosixRename("www/file", p+"/x")
		if time.Since(began) > 5*time.Second {
			t.Errorf("%s holds the session", p)
		}
	}
	if b, err := os.ReadFile(filepath.Join(outside, "f")); err != nil || string(b) != "secret" {
		t.Errorf("outside: %q %v", b, err)
	}
	if b, err := os.ReadFile(m.home(neighbour, "www/theirs")); err != nil || string(b) != "theirs" {
		t.Errorf("the neighbour's: %q %v", b, err)
	}
	if names, err := c.ReadDir("/.."); err != nil || len(names) == 0 || names[0].Name() == "etc" {
		t.Errorf("%v %v", names, err)
	}
	if err := c.Chown("www", 0, 0); err != nil {
		t.Log("chown:", err) // taken and ignored, or refused; never done
	}
	var st unix.Stat_t
	check(t, unix.Stat(m.www(), &st))
	if st.Uid != m.site.UID {
		t.Errorf("www belongs to %d", st.Uid)
	}
}

func TestSFTPReadOnly(t *testing.T) {
	m := newSFTPMember(t, quick())
	m.write("f", "there")
	a := m.account("lecture")
	site := m.world.site(a, "lecture.example.org")
	login, password := m.world.login(a, hosting.FTPSpec{Login: "voir@lecture", Site: site.ID, FTPTerms: hosting.FTPTerms{Rights: hosting.FTPReadOnly}})
	check(t, os.WriteFile(m.home(site, "www/f"), []byte("there"), 0o666))
	conn, err := m.trySSH(string(login.Login), ssh.Password(password))
	check(t, err)
	defer conn.Close()
	c, err := sftp.NewClient(conn)
	check(t, err)
	for name, err := range map[string]error{
		"create": send(c, "www/new", nil), "over": send(c, "www/f", nil), "mkdir": c.Mkdir("www/d"), "remove": c.Remove("www/f"),
		"rename": c.PosixRename("www/f", "www/g"), "old rename": c.Rename("www/f", "www/g"), "chmod": c.Chmod("www/f", 0o777), "truncate": c.Truncate("www/f", 0),
		"times": c.Chtimes("www/f", time.Unix(1, 0), time.Unix(1, 0)),
	} {
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: %v", name, err)
		}
	}
	f, err := c.Open("www/f")
	check(t, err)
	if b, err := io.ReadAll(f); err != nil || string(b) != "there" {
		t.Errorf("%q %v", b, err)
	}
}

func TestSFTPUploadOnly(t *testing.T) {
	m := newSFTPMember(t, quick())
	a := m.account("depot")
	site := m.world.site(a, "depot.example.org")
	login, password := m.world.login(a, hosting.FTPSpec{Login: "poser@depot", Site: site.ID, FTPTerms: hosting.FTPTerms{Rights: hosting.FTPUploadOnly}})
	check(t, os.WriteFile(m.home(site, "www/f"), []byte("there"), 0o666))
	conn, err := m.trySSH(string(login.Login), ssh.Password(password))
	check(t, err)
	defer conn.Close()
	c, err := sftp.NewClient(conn)
	check(t, err)
	check(t, c.Mkdir("www/d"))
	check(t, send(c, "www/d/new", []byte("new")))
	_, err = c.Open("www/f")
	for name, err := range map[string]error{
		"read": err, "over": send(c, "www/f", nil), "remove": c.Remove("www/f"), "rename": c.PosixRename("www/f", "www/g"), "truncate": c.Truncate("www/f", 0),
		"rename over": c.PosixRename("www/d/new", "www/f"),
	} {
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if f, err := c.OpenFile("www/f", os.O_RDWR); err == nil {
		_ = f.Close()
		t.Error("what is there was opened")
	}
	if b, err := os.ReadFile(m.home(site, "www/d/new")); err != nil || string(b) != "new" {
		t.Errorf("%q %v", b, err)
	}
}

func TestSFTPWithinThePlan(t *testing.T) {
	m := newSFTPMember(t, quick())
	_, err := m.store.CreatePlan(t.Context(), root, hosting.PlanSpec{Name: "small", Label: "Small", Sites: 1, Databases: 1, FTPLogins: 5, DiskMB: 2})
	check(t, err)
	_, err = m.store.UpdateAccount(t.Context(), root, m.site.AccountID, hosting.AccountSpec{Plan: "small", Label: "Voile"})
	check(t, err)
	c := m.sftp()
	m.write("old", "old")
	check(t, send(c, "www/fits", noise(1<<20)))
	for _, name := range []string{"www/too-much", "www/old"} {
		err := send(c, name, noise(3<<20))
		if err == nil || !strings.Contains(err.Error(), "No room left") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if exists(m.www("too-much")) || m.read("old") != "old" {
		t.Error("half a file took the name")
	}
	if left, _ := filepath.Glob(m.www(".in.*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	f, err := c.OpenFile("www/fits", os.O_WRONLY)
	check(t, err)
	_, err = f.WriteAt(noise(3<<20), 1<<20)
	if err = errors.Join(err, f.Close()); err == nil || len(m.read("fits")) != 1<<20 {
		t.Errorf("%v, %d bytes", err, len(m.read("fits")))
	}
	if err := c.Truncate("www/old", 30<<20); err == nil {
		t.Error("a file was made longer than the plan allows")
	}
	check(t, c.Remove("www/fits"))
	check(t, send(c, "www/again", noise(1<<20)))
}

func TestSFTPIsInTheJournal(t *testing.T) {
	m := newSFTPMember(t, quick())
	conn := m.dialSSH()
	c, err := sftp.NewClient(conn)
	check(t, err)
	check(t, send(c, "www/sent", make([]byte, 1000)))
	f, err := c.Open("www/sent")
	check(t, err)
	_, _ = io.Copy(io.Discard, f)
	check(t, f.Close())
	check(t, c.Mkdir("www/made"))
	check(t, c.Rename("www/sent", "www/renamed"))
	check(t, c.Remove("www/renamed"))
	_, _ = c.Open("www/missing")
	f, err = c.Create("www/cut")
	check(t, err)
	_, err = f.Write([]byte("half"))
	check(t, err)
	_ = conn.Close()
	m.atRest()
	var got []string
	eventually(t, "the journal is written", func() bool {
		rows, _, err := m.store.Transfers(t.Context(), root.Scope(hosting.FTPRead), store.TransferFilter{Account: m.site.AccountID, PerPage: 100})
		check(t, err)
		got = nil
		for _, r := range rows {
			if r.Protocol != hosting.SFTP || r.Who != m.login || r.Source != "127.0.0.1" {
				t.Fatalf("%+v", r)
			}
			got = append(got, fmt.Sprintf("%s%s%s %d %s", r.Action, r.Path, r.Target, r.Bytes, r.Result))
		}
		return len(got) == 7
	})
	slices.Sort(got)
	want := []string{
		"deleted/www/renamed 0 done", "fetched/www/missing 0 missing", "fetched/www/sent 1000 done", "made/www/made 0 done",
		"renamed/www/sent/www/renamed 0 done", "sent/www/cut 4 cut", "sent/www/sent 1000 done",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSFTPSessionsEndWithTheirLogin(t *testing.T) {
	lim := quick()
	lim.recheck = 50 * time.Millisecond
	m := newSFTPMember(t, lim)
	id := m.loginID()
	for name, change := range map[string]func() error{
		"shut":           func() error { _, err := m.store.SetFTPEnabled(t.Context(), root, id, false); return err },
		"a new password": func() (err error) { _, m.password, err = m.store.ResetFTPPassword(t.Context(), root, id); return err },
		"site suspended": func() error { _, err := m.store.SuspendSite(t.Context(), root, m.site.ID); return err },
	} {
		t.Run(name, func(t *testing.T) {
			m.write("old", "old")
			c := m.sftp()
			f, err := c.Create("www/old")
			check(t, err)
			_, err = f.Write([]byte("half"))
			check(t, err)
			check(t, change())
			began := time.Now()
			eventually(t, "the session ends", func() bool { _, err := c.Stat("www"); return err != nil })
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("it took %v", took)
			}
			m.atRest()
			if m.read("old") != "old" {
				t.Error("half a file took the name")
			}
			_, _ = m.store.SetFTPEnabled(t.Context(), root, id, true)
			_, _ = m.store.ResumeSite(t.Context(), root, m.site.ID)
		})
	}
}

func TestSFTPStopsInOrder(t *testing.T) {
	lim := quick()
	lim.drain = 5 * time.Second
	m := newSFTPMember(t, lim)
	idle, busy := m.sftp(), m.sftp()
	f, err := busy.Create("www/last")
	check(t, err)
	_, err = f.Write([]byte("the first half, "))
	check(t, err)
	stopped := make(chan struct{})
	go func() { m.stop(); close(stopped) }()
	eventually(t, "the session at rest ends", func() bool { _, err := idle.Stat("www"); return err != nil })
	if _, err := busy.Create("www/another"); err == nil {
		t.Error("a transfer begins after the end")
	}
	_, err = f.Write([]byte("and the second"))
	check(t, err)
	check(t, f.Close())
	select {
	case <-stopped:
	case <-time.After(3 * time.Second):
		t.Error("it waits for a session that is at rest")
	}
	if got := m.read("last"); got != "the first half, and the second" {
		t.Errorf("%q", got)
	}
}

func TestSFTPAuthFlood(t *testing.T) {
	m := newSFTPMember(t, quick())
	for range 12 {
		tries := 0
		conn, err := m.trySSH(m.login, ssh.RetryableAuthMethod(ssh.PasswordCallback(func() (string, error) {
			if tries++; tries > defaultLimits.failures {
				return m.password, nil // too late
			}
			return "wrong", nil
		}), 100))
		if err == nil {
			_ = conn.Close()
			t.Fatalf("%d tries on one connection", tries)
		}
	}
	var banner string
	_, err := ssh.Dial("tcp", m.address, &ssh.ClientConfig{
		User: m.login, Auth: []ssh.AuthMethod{ssh.Password(m.password)}, HostKeyCallback: ssh.FixedHostKey(m.host),
		BannerCallback: func(text string) error { banner = text; return nil },
	})
	if err == nil || !strings.Contains(banner, "Too many wrong passwords") {
		t.Errorf("%v, %q", err, banner)
	}
}

func TestSpans(t *testing.T) {
	var s spans
	for _, c := range []struct {
		from, to int64
		want     string
		first    int64
	}{
		{10, 20, "[{10 20}]", 0},
		{30, 40, "[{10 20} {30 40}]", 0},
		{20, 25, "[{10 25} {30 40}]", 0},
		{5, 6, "[{5 6} {10 25} {30 40}]", 0},
		{24, 31, "[{5 6} {10 40}]", 0},
		{0, 5, "[{0 6} {10 40}]", 6},
		{0, 3, "[{0 6} {10 40}]", 6},
		{50, 60, "[{0 6} {10 40} {50 60}]", 6},
		{6, 50, "[{0 60}]", 60},
	} {
		s.add(c.from, c.to)
		if got := fmt.Sprint(s); got != c.want || s.first() != c.first {
			t.Fatalf("after %d-%d: %s, first %d; want %s", c.from, c.to, got, s.first(), c.want)
		}
	}
}

// keyFiles writes a private key as ssh-keygen would, and the host's key as a
// client knows it.
func (m *sftpMember) keyFiles(private ed25519.PrivateKey) (identity, known string) {
	m.t.Helper()
	dir := m.t.(*testing.T).TempDir()
	block, err := ssh.MarshalPrivateKey(private, "")
	check(m.t, err)
	identity, known = filepath.Join(dir, "id"), filepath.Join(dir, "known_hosts")
	check(m.t, os.WriteFile(identity, pem.EncodeToMemory(block), 0o600))
	host, port, _ := net.SplitHostPort(m.address)
	check(m.t, os.WriteFile(known, []byte("["+host+"]:"+port+" "+string(ssh.MarshalAuthorizedKey(m.host))), 0o600))
	return identity, known
}

func TestOpenSSH(t *testing.T) {
	m := newSFTPMember(t, quick())
	_, private, _ := m.newKey(m.loginID())
	identity, known := m.keyFiles(private)
	host, port, _ := net.SplitHostPort(m.address)
	options := []string{"-q", "-F", "none", "-i", identity, "-o", "IdentitiesOnly=yes", "-o", "UserKnownHostsFile=" + known, "-o", "BatchMode=yes", "-P", port}
	openSSH := func(t *testing.T, program string, args ...string) string {
		t.Helper()
		return run(t, program, append(options, args...)...)
	}
	batch := func(t *testing.T, lines ...string) string {
		t.Helper()
		script := filepath.Join(t.TempDir(), "batch")
		check(t, os.WriteFile(script, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
		return openSSH(t, "sftp", "-b", script, m.login+"@"+host)
	}
	local := t.TempDir()
	makeTree(t, local)

	t.Run("a tree goes up and comes down the same", func(t *testing.T) {
		batch(t, "put -Rp "+local+" www/up", "ls -la www/up", "chmod 640 www/up/.htaccess", "rename www/up/vide www/up/encore-vide")
		check(t, os.Rename(filepath.Join(local, "vide"), filepath.Join(local, "encore-vide")))
		if diff := cmp.Diff(sums(t, local), sums(t, m.www("up"))); diff != "" {
			t.Errorf("on the server (-local +server):\n%s", diff)
		}
		down := filepath.Join(t.TempDir(), "down")
		batch(t, "get -Rp www/up "+down)
		if diff := cmp.Diff(sums(t, local), sums(t, down)); diff != "" {
			t.Errorf("back (-sent +got):\n%s", diff)
		}
		sent, _ := os.Stat(filepath.Join(local, "-a"))
		kept, _ := os.Stat(m.www("up", "-a"))
		if sent.ModTime().Unix() != kept.ModTime().Unix() {
			t.Errorf("times %v and %v", sent.ModTime(), kept.ModTime())
		}
	})
	t.Run("a broken upload and a broken download are resumed", func(t *testing.T) {
		data := noise(3 << 20)
		big, half := filepath.Join(local, "big.bin"), filepath.Join(t.TempDir(), "big.bin")
		check(t, os.WriteFile(big, data, 0o644))
		check(t, os.WriteFile(half, data[:1<<20], 0o644))
		m.write("big.bin", string(data[:1<<20]))
		batch(t, "reput "+big+" www/big.bin", "reget www/big.bin "+half)
		if got, _ := os.ReadFile(half); m.read("big.bin") != string(data) || !bytes.Equal(got, data) {
			t.Error("the files differ")
		}
	})
	t.Run("scp", func(t *testing.T) {
		openSSH(t, "scp", "-s", filepath.Join(local, ".htaccess"), m.login+"@"+host+":www/.htaccess")
		if m.read(".htaccess") != "Options -Indexes\n" {
			t.Error("the file differs")
		}
	})
	t.Run("no shell, no command, no tunnel", func(t *testing.T) {
		for _, args := range [][]string{{"id"}, {}, {"-T", "-N", "-W", "127.0.0.1:22"}} {
			all := append([]string{"-q", "-F", "none", "-i", identity, "-o", "IdentitiesOnly=yes", "-o", "UserKnownHostsFile=" + known, "-o", "BatchMode=yes", "-p", port}, append(slices.Clip(args), m.login+"@"+host)...)
			if len(args) == 1 {
				all = append(all[:len(all)-2], m.login+"@"+host, args[0])
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			out, err := exec.CommandContext(ctx, "ssh", all...).CombinedOutput()
			if cancel(); err == nil || ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) || bytes.Contains(out, []byte("uid=")) {
				t.Errorf("ssh %v: %v %s", args, err, out)
			}
		}
	})
}

func TestSFTPPrograms(t *testing.T) {
	m := newSFTPMember(t, quick())
	_, private, _ := m.newKey(m.loginID())
	identity, known := m.keyFiles(private)
	local := t.TempDir()
	makeTree(t, local)
	t.Run("lftp", func(t *testing.T) {
		connect := fmt.Sprintf("ssh -a -x -q -F none -i %s -o IdentitiesOnly=yes -o UserKnownHostsFile=%s -o BatchMode=yes", identity, known)
		script := fmt.Sprintf("set cmd:fail-exit yes; set net:max-retries 1; set net:timeout 20; set sftp:connect-program %q; open -u %s, sftp://%s; ", connect, m.login, m.address)
		run(t, "lftp", "-c", script+fmt.Sprintf("mirror -R --parallel=3 %q www/up", local))
		if diff := cmp.Diff(sums(t, local), sums(t, m.www("up"))); diff != "" {
			t.Errorf("on the server (-local +server):\n%s", diff)
		}
		if out := run(t, "lftp", "-c", script+fmt.Sprintf("mirror -R --verbose %q www/up", local)); strings.Contains(out, "Transferring") {
			t.Errorf("sent again:\n%.500s", out)
		}
		down := filepath.Join(t.TempDir(), "down")
		run(t, "lftp", "-c", script+fmt.Sprintf("mirror --parallel=2 www/up %q", down))
		if diff := cmp.Diff(sums(t, local), sums(t, down)); diff != "" {
			t.Errorf("back (-sent +got):\n%s", diff)
		}
	})
	t.Run("curl", func(t *testing.T) {
		hash := ssh.FingerprintSHA256(m.host)[len("SHA256:"):]
		curl := func(args ...string) string {
			return run(t, "curl", append([]string{"-sS", "--hostpubsha256", hash, "-u", m.login + ":" + m.password}, args...)...)
		}
		data := noise(2 << 20)
		file := filepath.Join(t.TempDir(), "f")
		check(t, os.WriteFile(file, data, 0o644))
		curl("-T", file, "sftp://"+m.address+"/www/by-curl")
		if m.read("by-curl") != string(data) {
			t.Error("the file differs")
		}
		if got := curl("sftp://" + m.address + "/www/by-curl"); got != string(data) {
			t.Error("it came down otherwise")
		}
		if out := curl("sftp://" + m.address + "/www/"); !strings.Contains(out, "by-curl") {
			t.Errorf("%s", out)
		}
	})
}
