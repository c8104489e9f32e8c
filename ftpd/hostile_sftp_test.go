package ftpd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"cancale/internal/hosting"
)

// neighbourBySFTP is somebody of another account who sends files and gets them
// back.
func (m *sftpMember) neighbourBySFTP() func(step int) error {
	m.t.Helper()
	a := m.account("calme")
	site := m.world.site(a, "calme.example.org")
	login, password := m.world.login(a, hosting.FTPSpec{Login: "calme", Site: site.ID})
	conn, err := m.trySSH(string(login.Login), ssh.Password(password))
	check(m.t, err)
	m.t.Cleanup(func() { _ = conn.Close() })
	c, err := sftp.NewClient(conn)
	check(m.t, err)
	return func(step int) error {
		text := bytes.Repeat(fmt.Appendf(nil, "page %d\n", step), 2000)
		if err := send(c, "www/page.html", text); err != nil {
			return err
		}
		f, err := c.Open("www/page.html")
		if err != nil {
			return err
		}
		got, err := io.ReadAll(f)
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
		if !bytes.Equal(got, text) {
			return errors.New("the page is not what was sent")
		}
		_, err = c.ReadDir("www")
		return err
	}
}

// Kinds of SFTP packets, and of what answers them.
const (
	fxpOpen, fxpClose, fxpRead, fxpWrite, fxpSetstat, fxpFsetstat, fxpOpendir, fxpReaddir, fxpRename, fxpSymlink = 3, 4, 5, 6, 9, 10, 11, 12, 18, 20

	fxpStatus, fxpHandle = 101, 102
)

// openFile opens a file by its flags and gives its handle, which is empty when
// it was refused.
func (r *raw) openFile(path string, flags uint32) string {
	r.t.Helper()
	kind, body := r.ask(fxpOpen, struct {
		Path         string
		Flags, Attrs uint32
	}{path, flags, 0})
	if kind != fxpHandle {
		return ""
	}
	return string(body[8:])
}

// silent is a connection that sends something and then waits for ever.
func (m *sftpMember) silent(text string) {
	m.t.Helper()
	conn, err := net.Dial("tcp", m.address)
	check(m.t, err)
	_, _ = io.WriteString(conn, text)
	m.t.Cleanup(func() { _ = conn.Close() })
}

func TestHostileSFTP(t *testing.T) {
	lim := besieged()
	lim.login, lim.idle, lim.data, lim.reply = 5*time.Second, 3*time.Second, 2*time.Second, 2*time.Second
	whole := newSFTPMember(t, lim)
	whole.write("big", "")
	check(t, os.Truncate(whole.www("big"), 1<<30))
	// sftp is the member as the test of one attack sees it.
	within := func(s *siege) *sftpMember { return &sftpMember{s.member, whole.address, whole.host} }
	attacks := []attack{}
	on := func(name string, run func(*testing.T, *sftpMember)) {
		attacks = append(attacks, attack{name, func(s *siege) { run(s.t.(*testing.T), within(s)) }})
	}
	crowd := func(m *sftpMember, n int, visit func(*ssh.Client, *sftp.Client)) {
		var all sync.WaitGroup
		for range n {
			all.Go(func() {
				conn, err := m.trySSH(m.login, ssh.Password(m.password))
				if err != nil {
					return
				}
				if c, err := sftp.NewClient(conn); err == nil {
					visit(conn, c)
				}
				_ = conn.Close()
			})
		}
		all.Wait()
	}

	on("half a handshake, and words that are no SSH", func(t *testing.T, m *sftpMember) {
		for range 10 {
			m.silent("")
			m.silent("SSH-2.0-x\r\n")
		}
		for _, text := range []string{
			"GET / HTTP/1.1\r\n\r\n", "SSH-1.5-old\r\n", strings.Repeat("x", 1<<20), "SSH-2.0-x\r\n\xff\xff\xff\xff\xff", "SSH-2.0-" + strings.Repeat("x", 300) + "\r\n",
			"SSH-2.0-x\r\n\x00\x00\x00\x0c\x0a\x14" + strings.Repeat("\x00", 10), // an offer of no algorithm
			"\x00\x00\x00\x00", "SSH-2.0-x\r\nSSH-2.0-x\r\n",
		} {
			m.silent(text)
		}
		for range 10 { // as far as the keys, and no name
			conn, err := net.Dial("tcp", m.address)
			check(t, err)
			t.Cleanup(func() { _ = conn.Close() })
			go func() {
				_, _, _, _ = ssh.NewClientConn(conn, m.address, &ssh.ClientConfig{User: m.login, HostKeyCallback: func(string, net.Addr, ssh.PublicKey) error { //nolint:dogsled // it fails
					time.Sleep(3 * time.Second)
					return errors.New("no")
				}})
			}()
		}
	})
	on("10,000 handles", func(t *testing.T, m *sftpMember) {
		r := m.raw(m.dialSSH())
		opened := 0
		for i := range 10_000 {
			kind, body := r.ask(fxpOpendir, struct{ Path string }{"www"})
			if kind == 0 {
				break
			}
			if kind == fxpHandle {
				opened++
			} else if !bytes.Contains(body, []byte("Too many open files")) || i < maxHandles {
				t.Fatalf("%d: %d %q", i, kind, body)
			}
		}
		if opened != maxHandles {
			t.Errorf("%d handles", opened)
		}
	})
	on("files that are opened and never closed", func(t *testing.T, m *sftpMember) {
		for range 3 {
			r := m.raw(m.dialSSH())
			for i := range maxHandles {
				if h := r.openFile(fmt.Sprintf("www/never-%d", i), 0x1a); h == "" { // write, create, truncate
					t.Fatalf("file %d is refused", i)
				}
			}
			if h := r.openFile("www/one-more", 0x1a); h != "" {
				t.Error("there is no end")
			}
		}
	})
	on("thousands of channels and requests", func(t *testing.T, m *sftpMember) {
		conn := m.dialSSH()
		c, err := sftp.NewClient(conn)
		check(t, err)
		alive := func() { _, err := c.Stat("www"); check(t, err) } // else it would be idle
		for range 2000 {
			if ch, _, err := conn.OpenChannel("direct-tcpip", nil); err == nil {
				_ = ch.Close()
				t.Fatal("a tunnel was opened")
			}
		}
		alive()
		for range 500 {
			ch, requests, err := conn.OpenChannel("session", nil)
			if _, full := errors.AsType[*ssh.OpenChannelError](err); full {
				continue // the one before is not quite gone
			}
			check(t, err)
			go ssh.DiscardRequests(requests)
			for range 5 {
				_, _ = ch.SendRequest("env", false, nil)
			}
			check(t, ch.Close())
		}
		alive()
		for range 2000 {
			_, _, err := conn.SendRequest("tcpip-forward", true, nil)
			check(t, err)
		}
		check(t, send(c, "www/after", []byte("all that")))
		if m.read("after") != "all that" {
			t.Error("it does not work any more")
		}
	})
	on("giant packets, and cut ones", func(t *testing.T, m *sftpMember) {
		for _, b := range [][]byte{
			{0x7f, 0xff, 0xff, 0xff, 3},
			{0, 0, 0, 0},
			{0, 0, 0, 1, 99},
			{0, 0, 0, 5, 3, 0, 0, 0, 1},
			{0, 0, 0, 9, 6, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff},
			append([]byte{0, 4, 0, 0, 6}, make([]byte, 256<<10)...),
			{0xff, 0xff, 0xff, 0xff, 0xff},
			{0, 0, 0, 5, 1, 0, 0, 0, 3, 0, 0, 0, 5, 1, 0, 0, 0, 3},
		} {
			r := m.raw(m.dialSSH())
			_, _ = r.ch.Write(b)
			_ = r.ch.CloseWrite()
			for kind := byte(1); kind != 0; {
				kind, _ = r.receive()
			}
		}
	})
	on("packets whose inside is wrong", func(t *testing.T, m *sftpMember) {
		m.write("f", "there")
		conn := m.dialSSH()
		r := m.raw(conn)
		h := r.openFile("www/new", 0x1b)
		for _, kind := range []byte{0, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 101, 200, 201, 255} {
			for _, fields := range []any{
				struct {
					Path  string
					Flags uint32
				}{"www/f", 0xffffffff}, // attributes are promised, and none come
				struct {
					Handle string
					Flags  uint32
				}{h, 0x8000000f},
				struct {
					Path  string
					Flags uint32
					Rest  []byte `ssh:"rest"`
				}{"www/f", 0x80000000, []byte{0xff, 0xff, 0xff, 0xff}},
				struct {
					Handle string
					Offset uint64
					Length uint32
				}{h, 1 << 63, 1 << 31},
				struct {
					Handle string
					Offset uint64
					Data   string
				}{h, 1<<64 - 1, "x"},
				struct{ From, To string }{"www/f", "../../../f\x00\n"},
				struct{ Handle string }{strings.Repeat("9", 4000)},
				struct{ Handle string }{""},
			} {
				if r == nil {
					r = m.raw(conn)
					h = r.openFile("www/new", 0x1b)
				}
				if answer, _ := r.ask(kind, fields); answer == 0 { // the channel was closed over it
					r = nil
				}
			}
		}
	})
	on("offsets beyond all files", func(t *testing.T, m *sftpMember) {
		c := m.sftp()
		f, err := c.Create("www/far")
		check(t, err)
		for _, at := range []int64{1 << 62, maxGap + 2, 1<<63 - 1} {
			if _, err := f.WriteAt([]byte("x"), at); err == nil {
				t.Errorf("written at %d", at)
			}
		}
		if err := f.Close(); err == nil {
			t.Error("an upload that failed was taken")
		}
		if err := c.Truncate("www/big", 1<<50); err == nil {
			t.Error("a file of a petabyte")
		}
		if exists(m.www("far")) {
			t.Error("half a file took the name")
		}
	})
	on("renames and links that lead out", func(t *testing.T, m *sftpMember) {
		outside := t.TempDir()
		check(t, os.Chmod(outside, 0o777))
		check(t, os.Symlink(outside, m.www("out")))
		defer os.Remove(m.www("out"))
		m.write("f", "mine")
		r := m.raw(m.dialSSH())
		for _, to := range []string{"../../stolen", "/../../../etc/stolen", "www/out/stolen", outside + "/stolen", "/", ".", "www/..", "", "www/f/x", "private/../../x", strings.Repeat("../", 1300) + outside[1:] + "/stolen"} {
			for _, kind := range []byte{fxpRename, fxpSymlink} {
				for _, fields := range []any{struct{ From, To string }{"www/f", to}, struct{ From, To string }{to, "www/g"}} {
					if answer, body := r.ask(kind, fields); answer != fxpStatus || binary.BigEndian.Uint32(body[4:]) == 0 {
						t.Errorf("%d %v: %d %q", kind, fields, answer, body)
					}
				}
			}
			if answer, body := r.ask(200, struct{ Name, From, To string }{"posix-rename@openssh.com", "www/f", to}); answer != fxpStatus || binary.BigEndian.Uint32(body[4:]) == 0 {
				t.Errorf("posix-rename %q: %d %q", to, answer, body)
			}
			if answer, body := r.ask(200, struct{ Name, From, To string }{"hardlink@openssh.com", "www/f", to}); answer != fxpStatus || binary.BigEndian.Uint32(body[4:]) == 0 {
				t.Errorf("hardlink %q: %d %q", to, answer, body)
			}
		}
		if left, err := os.ReadDir(outside); err != nil || len(left) > 0 || m.read("f") != "mine" {
			t.Errorf("%v %v %q", left, err, m.read("f"))
		}
	})
	on("a full disk", func(t *testing.T, m *sftpMember) {
		small := m.www("small")
		check(t, os.MkdirAll(small, 0o755))
		check(t, unix.Mount("tmpfs", small, "tmpfs", 0, fmt.Sprintf("size=256k,uid=%d,gid=%d,mode=755", m.site.UID, m.site.UID)))
		t.Cleanup(func() { check(t, unix.Unmount(small, unix.MNT_DETACH)) })
		c := m.sftp()
		check(t, send(c, "www/small/old", make([]byte, 100_000)))
		for _, name := range []string{"new", "old"} {
			if err := send(c, "www/small/"+name, make([]byte, 1<<20)); err == nil || !strings.Contains(err.Error(), "No space left") {
				t.Errorf("%s: %v", name, err)
			}
		}
		f, err := c.OpenFile("www/small/old", os.O_WRONLY)
		check(t, err)
		_, err = f.WriteAt(make([]byte, 1<<20), 100_000)
		if err = errors.Join(err, f.Close()); err == nil {
			t.Error("it went on without room")
		}
		left, err := os.ReadDir(small)
		if err != nil || len(left) != 1 || len(m.read("small/old")) != 100_000 {
			t.Errorf("left %v, %v; the old file has %d bytes", left, err, len(m.read("small/old")))
		}
		check(t, c.Remove("www/small/old"))
		check(t, send(c, "www/small/fits", make([]byte, 100_000)))
	})
	on("folders and files that disappear", func(t *testing.T, m *sftpMember) {
		c := m.sftp()
		check(t, c.MkdirAll("www/dir/sub"))
		f, err := c.Create("www/dir/up")
		check(t, err)
		_, err = f.Write([]byte("x"))
		check(t, err)
		check(t, os.RemoveAll(m.www("dir")))
		if _, err := c.ReadDir("www/dir/sub"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%v", err)
		}
		if err := f.Close(); err == nil || exists(m.www("dir")) {
			t.Errorf("an upload into a folder that is gone: %v", err)
		}
		m.write("shrinks", string(make([]byte, 1<<20)))
		f, err = c.Open("www/shrinks")
		check(t, err)
		check(t, os.Truncate(m.www("shrinks"), 10))
		if b, err := io.ReadAll(f); err != nil || len(b) != 10 {
			t.Errorf("%d bytes, %v", len(b), err)
		}
		check(t, f.Close())
	})
	on("a client that never reads", func(t *testing.T, m *sftpMember) {
		var clients []*raw
		for range 4 {
			clients = append(clients, m.raw(m.dialSSH()))
		}
		for _, r := range clients {
			handle := r.openFile("www/big", 1)
			go func() {
				for i := range 100 {
					r.send(fxpRead, append(binary.BigEndian.AppendUint32(nil, uint32(i+10)), ssh.Marshal(struct {
						Handle string
						Offset uint64
						Length uint32
					}{handle, 0, 1 << 17})...))
				}
			}()
		}
		(&siege{member: m.member}).alone(t)
	})
	on("a client that only sits there", func(t *testing.T, m *sftpMember) {
		conn := m.dialSSH()
		ended := make(chan error, 1)
		go func() { ended <- conn.Wait() }()
		stop := make(chan struct{})
		go func() { // whoever only says that it lives is idle
			for {
				select {
				case <-stop:
					return
				case <-time.After(50 * time.Millisecond):
					_, _, _ = conn.SendRequest("keepalive@openssh.com", true, nil)
				}
			}
		}()
		select {
		case err := <-ended:
			if err == nil {
				t.Error("it was ended politely")
			}
		case <-time.After(5 * time.Second):
			t.Error("it goes on")
		}
		close(stop)
	})
	on("clients that are killed", func(t *testing.T, m *sftpMember) {
		m.write("old", "old and longer")
		crowd(m, 10, func(conn *ssh.Client, c *sftp.Client) {
			for _, name := range []string{"www/killed", "www/old"} {
				if f, err := c.Create(name); err == nil {
					_, _ = f.Write([]byte("half"))
				}
			}
			_, _ = c.Open("www/big")
			_, _ = c.ReadDir("www")
		})
		for range 6 { // RST, in the middle of a download and of an upload
			tcp, err := net.Dial("tcp", m.address)
			check(t, err)
			conn, channels, requests, err := ssh.NewClientConn(tcp, m.address, &ssh.ClientConfig{User: m.login, Auth: []ssh.AuthMethod{ssh.Password(m.password)}, HostKeyCallback: ssh.FixedHostKey(m.host)})
			check(t, err)
			c, err := sftp.NewClient(ssh.NewClient(conn, channels, requests))
			check(t, err)
			f, err := c.Create("www/old")
			check(t, err)
			_, err = f.Write(make([]byte, 100_000))
			check(t, err)
			down, err := c.Open("www/big")
			check(t, err)
			_, err = io.ReadFull(down, make([]byte, 100_000))
			check(t, err)
			check(t, tcp.(*net.TCPConn).SetLinger(0))
			check(t, tcp.Close())
		}
		(&siege{member: m.member}).alone(t)
		if got := m.read("old"); got != "old and longer" {
			t.Errorf("the old file is now %q", got)
		}
	})
	whole.withstand(whole.neighbourBySFTP(), attacks)
	if left, _ := filepath.Glob(whole.www("never-*")); len(left) > 0 {
		t.Errorf("empty uploads were kept: %d", len(left))
	}
}
