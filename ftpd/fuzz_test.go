package ftpd

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/time/rate"

	"cancale/internal/hosting"
	"cancale/internal/jail"
)

func FuzzLines(f *testing.F) {
	for _, seed := range []string{"USER x\r\n", "\xff\xf4\xff\xf2ABOR\r\n", "\xff\xfb\x01NOOP\r\n", "a\x00b\n", "\r\r\n\n", "\xff\xff\n", strings.Repeat("x", maxLine+2) + "\nNOOP\r\n", "\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		var l lineScanner
		lines := 0
		for _, b := range input {
			line, err, done := l.push(b)
			if cap(l.line) > 2*maxLine {
				t.Fatalf("a line of %d bytes is held", cap(l.line))
			}
			if !done {
				continue
			}
			lines++
			if err == nil && (hasControl(line) || len(line) > maxLine) {
				t.Errorf("accepted %q", line)
			}
		}
		if lines > bytes.Count(input, []byte("\n")) {
			t.Errorf("%d lines of %q", lines, input)
		}
		// Whatever came, the next line is understood, once a Telnet command is over.
		for _, b := range []byte("..\n") {
			_, _, _ = l.push(b)
		}
		var got []byte
		for _, b := range []byte("NOOP\r\n") {
			if line, err, done := l.push(b); done {
				if err != nil {
					t.Error(err)
				}
				got = bytes.Clone(line)
			}
		}
		if string(got) != "NOOP" {
			t.Errorf("after %q: %q", input, got)
		}
	})
}

func FuzzListOptions(f *testing.F) {
	for _, seed := range []string{"", "-a", "-al www", "-- -a", "-", "-a.txt", "-la  a b ", "--", "-a -l -t x", "-é"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		_, p := parseList(arg)
		if !strings.HasSuffix(arg, p) {
			t.Errorf("%q: path %q", arg, p)
		}
		if !strings.HasPrefix(strings.TrimLeft(arg, " "), "-") && p != strings.TrimLeft(arg, " ") {
			t.Errorf("%q: something was taken from %q", arg, p)
		}
		parseFacts(arg)
		_, _ = path.Match(arg, "name")
	})
}

func FuzzPaths(f *testing.F) {
	for _, seed := range []string{"", "/", "..", "../../etc/passwd", "/../x", "a/./b//c/", "a\x00b", "\xff", `"`, "-a", strings.Repeat("../", 2000)} {
		f.Add("/www", seed)
	}
	f.Fuzz(func(t *testing.T, cwd, arg string) {
		p := clean(path.Clean("/"+cwd), arg)
		if !strings.HasPrefix(p, "/") || p != path.Clean(p) || strings.Contains(p+"/", "/../") {
			t.Errorf("%q %q: %q", cwd, arg, p)
		}
		if again := clean("/elsewhere", p); again != p {
			t.Errorf("%q became %q", p, again)
		}
	})
}

func FuzzNamesInListings(f *testing.F) {
	for _, seed := range []string{"a", "a\r\n226 done", "\x00", "é", "\xff\r", " "} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		e := jail.Entry{FileInfo: folder{name, time.Unix(0, 0)}, Link: name}
		for _, line := range [][]byte{listLine(nil, e, time.Unix(0, 0)), append(factsLine(nil, e, allFacts, may{}), "\r\n"...)} {
			if !bytes.HasSuffix(line, []byte("\r\n")) || hasControl(line[:len(line)-2]) {
				t.Errorf("%q forges %q", name, line)
			}
		}
		reply := replyText(213, []string{"a", string(factsLine(nil, e, allFacts, may{})), "End."})
		if bytes.Count(reply, []byte("\r\n213 ")) != 1 {
			t.Errorf("%q forges a reply %q", name, reply)
		}
	})
}

// pipe is a channel whose client sends a packet when the one before it has its
// answer. (The library looks at a file that it is still opening when somebody
// asks for more before.)
type pipe struct {
	ssh.Channel
	in       []byte
	left     int // of the packet that is being read
	out      []byte
	answered chan struct{}
	closed   chan struct{}
	once     sync.Once
}

func (p *pipe) Read(b []byte) (int, error) {
	if p.left == 0 {
		select {
		case <-p.answered:
		case <-p.closed:
			return 0, io.EOF
		}
		if p.left = len(p.in); p.left >= 4 {
			p.left = int(min(uint64(p.left), 4+uint64(binary.BigEndian.Uint32(p.in))))
		}
	}
	if p.left == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.in[:p.left])
	p.in, p.left = p.in[n:], p.left-n
	return n, nil
}

func (p *pipe) Write(b []byte) (int, error) {
	p.out = append(p.out, b...)
	for len(p.out) >= 4 && len(p.out) >= 4+int(binary.BigEndian.Uint32(p.out)) {
		p.out = p.out[4+binary.BigEndian.Uint32(p.out):]
		p.answered <- struct{}{}
	}
	return len(b), nil
}

func (p *pipe) Close() error                                   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipe) SendRequest(string, bool, []byte) (bool, error) { return true, nil }

// Whatever packets come, nothing panics, nothing is held afterwards, and nothing
// outside of the home is touched.
func FuzzSFTP(f *testing.F) {
	packet := func(kind byte, fields any) []byte {
		body := append([]byte{kind, 0, 0, 0, 7}, ssh.Marshal(fields)...)
		return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
	}
	open := packet(fxpOpen, struct {
		Path         string
		Flags, Attrs uint32
	}{"new", 0x1b, 0})
	write := packet(fxpWrite, struct {
		Handle string
		Offset uint64
		Data   string
	}{"1", 3, "data"})
	for _, seed := range [][]byte{
		{0, 0, 0, 5, 1, 0, 0, 0, 3},
		open,
		slices.Concat(open, write),
		slices.Concat(open, write, packet(fxpClose, struct{ Handle string }{"1"})),
		packet(fxpSetstat, struct {
			Path  string
			Flags uint32
		}{"there", 0xffffffff}),
		slices.Concat(open, packet(fxpFsetstat, struct {
			Handle string
			Flags  uint32
			Size   uint64
		}{"1", 1, 1 << 63})),
		slices.Concat(packet(fxpOpendir, struct{ Path string }{"."}), packet(fxpReaddir, struct{ Handle string }{"1"}), packet(fxpRead, struct {
			Handle string
			Offset uint64
			Length uint32
		}{"1", 0, 9})),
		packet(fxpRename, struct{ From, To string }{"there", "../../out"}), packet(200, struct{ Name, From, To string }{"posix-rename@openssh.com", "there", "link/x"}),
	} {
		f.Add(seed)
	}
	check(f, jail.Prepare())
	const uid = 34567
	root := f.TempDir()
	for p := root; p != os.TempDir(); p = filepath.Dir(p) {
		check(f, os.Chmod(p, 0o755))
	}
	home, outside := filepath.Join(root, "home"), filepath.Join(root, "outside")
	srv := &server{limits: quick(), journal: newJournal(nil)}
	srv.policy.Store(&policy{})
	f.Fuzz(func(t *testing.T, input []byte) {
		check(t, os.RemoveAll(root))
		for _, dir := range []string{root, home, outside} {
			check(t, os.Mkdir(dir, 0o755))
		}
		check(t, os.Chmod(outside, 0o777))
		check(t, os.Chown(home, uid, uid))
		check(t, os.WriteFile(filepath.Join(home, "there"), []byte("there"), 0o666))
		check(t, os.Chown(filepath.Join(home, "there"), uid, uid))
		check(t, os.Symlink(outside, filepath.Join(home, "link")))
		j, err := jail.Open(home, uid, uid)
		check(t, err)
		s := &sshSession{visit: visit{srv: srv, login: &hosting.FTPLogin{}, share: &share{up: rate.NewLimiter(rate.Inf, 1), down: rate.NewLimiter(rate.Inf, 1)}}}
		s.ctx, s.cancel = context.WithCancel(t.Context())
		s.tree.rights, s.tree.single = hosting.FTPReadWrite, &mount{jail: j}
		s.files.session = s
		channel := &pipe{in: input, answered: make(chan struct{}, 1), closed: make(chan struct{})}
		channel.answered <- struct{}{}
		s.files.serve(channel)
		s.cancel()
		s.tree.close()
		if s.files.handles != 0 || s.files.transfers != 0 || len(s.files.uploads) != 0 || len(s.acts) != 0 {
			t.Errorf("held afterwards: %d handles, %d transfers, %v, %v", s.files.handles, s.files.transfers, s.files.uploads, s.acts)
		}
		if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
			t.Errorf("outside: %v %v", left, err)
		}
		if left, _ := filepath.Glob(filepath.Join(home, ".in.*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}
