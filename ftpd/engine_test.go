package ftpd

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cancale/internal/hosting"
)

// Tests of what the protocol engine does wrong by itself and no other test
// covers; NOTES.md has all of it.

func TestActiveModeIsProtectedToo(t *testing.T) {
	m, pool := tlsWorld(t, quick(), TLSOffered, func(cfg *Config) { cfg.Active = true })
	config := trust(pool)
	c := m.dial("").secure(config)
	c.want(331, "USER "+m.login)
	c.want(230, "PASS "+m.password)
	c.want(200, "TYPE I")
	c.want(200, "PBSZ 0")
	c.want(200, "PROT P")
	l, port := accepting(t, "127.0.0.1")
	c.want(200, fmt.Sprintf("PORT 127,0,0,1,%d,%d", port>>8, port&0xff))
	c.want(150, "RETR www/index.html")
	plain, err := l.Accept()
	check(t, err)
	conn := tls.Client(plain, config)
	b, err := io.ReadAll(conn)
	check(t, err)
	check(t, plain.Close())
	c.reply(226)
	if string(b) != m.read("index.html") || !conn.ConnectionState().DidResume {
		t.Errorf("got %q, resumed %v", b, conn.ConnectionState().DidResume)
	}
	c.want(200, fmt.Sprintf("EPRT |1|127.0.0.1|%d|", port)) // and nothing goes to who speaks no TLS
	c.want(150, "RETR www/index.html")
	plain, err = l.Accept()
	check(t, err)
	_, err = io.WriteString(plain, "this is no TLS at all, and long enough to be seen as such")
	check(t, err)
	b, _ = io.ReadAll(plain)
	_ = plain.Close()
	c.reply(522)
	if bytes.Contains(b, []byte("<")) {
		t.Errorf("in clear: %q", b)
	}
}

func TestTheSpeedOfOneLoginIsNotAnothers(t *testing.T) {
	m := newMember(t, quick())
	payload := strings.Repeat("x", 300<<10)
	m.write("big", payload)
	slow := m.as("lent@voile", hosting.FTPTerms{SpeedKB: 10}) // half a minute for that
	conn := slow.data()
	slow.want(150, "RETR www/big")
	c := m.connect()
	for range 3 {
		if c.get("RETR www/big") != payload {
			t.Error("not the file")
		}
		c.put("STOR www/up", payload)
	}
	slow.send("ABOR")
	slow.reply(426) // it was still on its way
	slow.reply(226)
	_ = conn.Close()
}

func TestSessionsHaveNamesOfTheirOwn(t *testing.T) {
	change, ask := linked(t)
	m := newMember(t, quick(), change)
	for range 4 {
		m.connect()
	}
	var found []hosting.LiveSession
	check(t, ask(http.MethodGet, "/sessions", &found))
	seen := map[uint64]bool{}
	for _, l := range found {
		seen[l.ID] = true
	}
	if len(found) != 4 || len(seen) != 4 {
		t.Errorf("%+v", found)
	}
}

// What is sent in clear does not pass through our memory. The client is another
// program, so that only what we ask for is counted.
func TestDownloadsInClearAreSentByTheKernel(t *testing.T) {
	m := newMember(t, quick())
	const size = 64 << 20
	m.write("big", "")
	check(t, os.Truncate(m.www("big"), size))
	got := filepath.Join(t.TempDir(), "got")
	before := calls(t)
	run(t, "curl", "-sS", "--max-time", "60", "-u", m.login+":"+m.password, "-o", got, "ftp://"+m.addr+"/www/big")
	if info, err := os.Stat(got); err != nil || info.Size() != size {
		t.Errorf("%v %v", info, err)
	}
	// By copies of 32 KiB there would be two for each.
	if more := calls(t) - before; more > size/(64<<10) {
		t.Errorf("%d calls for %d bytes of a file", more, size)
	}
}

// calls is how often this process has asked the kernel for bytes.
func calls(t *testing.T) (n int64) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/io")
	check(t, err)
	_, text, _ := strings.Cut(string(b), "syscr: ")
	_, err = fmt.Sscan(text, &n)
	check(t, err)
	return n
}

// ftplib is Python's; in clear, with both kinds of data connections.
func TestPython(t *testing.T) {
	m := newMember(t, quick(), func(cfg *Config) { cfg.Active = true })
	local := filepath.Join(t.TempDir(), "f.bin")
	check(t, os.WriteFile(local, noise(2<<20), 0o644))
	out := run(t, "python3", "-c", pythonInClear, strings.Split(m.addr, ":")[1], m.login, m.password, local)
	if out != "same\nsame\n" {
		t.Errorf("ftplib: %s", out)
	}
}

const pythonInClear = `
import ftplib, io, sys
def bad(code, call, *args):
    try:
        call(*args)
    except ftplib.error_perm as e:
        assert str(e)[:3] == code, e
    else:
        raise AssertionError(args)
for passive in (True, False):
    f = ftplib.FTP(timeout=20)
    f.connect("127.0.0.1", int(sys.argv[1]))
    bad("530", f.login, sys.argv[2], "wrong")
    f.login(sys.argv[2], sys.argv[3])
    f.set_pasv(passive)
    f.cwd("www")
    assert f.pwd() == "/www"
    assert f.mkd('un "nom"') == '/www/un "nom"'
    f.rmd('un "nom"')
    f.storbinary("STOR p.bin", open(sys.argv[4], "rb"))
    f.storbinary("STOR p.bin", io.BytesIO(b"tail"), rest=100)
    f.storbinary("APPE p.bin", io.BytesIO(b"more"))
    got = io.BytesIO()
    f.retrbinary("RETR p.bin", got.write, rest=100)
    assert got.getvalue() == b"tailmore", got.getvalue()
    f.storlines("STOR p.txt", io.BytesIO("é\nà\n".encode()))
    lines = []
    f.retrlines("RETR p.txt", lines.append)
    assert lines == ["é", "à"], lines
    assert "p.txt" in f.nlst() and f.nlst("p.*") == ["p.bin", "p.txt"], f.nlst("p.*")
    assert dict(f.mlsd(facts=["size", "type"]))["p.bin"] == {"size": "108", "type": "file"}
    listed = []
    f.dir(listed.append)
    assert any(l.endswith(" p.txt") for l in listed), listed
    f.voidcmd("TYPE I")
    assert f.size("p.bin") == 108
    bad("550", f.delete, "none")
    bad("550", f.retrbinary, "RETR none", print)
    f.storbinary("STOR whole.bin", open(sys.argv[4], "rb"))
    conn = f.transfercmd("RETR whole.bin")
    conn.recv(10)
    f.abort()
    conn.close()
    f.getmultiline()
    f.rename("p.bin", "q.bin")
    f.delete("q.bin")
    got = io.BytesIO()
    f.retrbinary("RETR whole.bin", got.write)
    f.quit()
    print("same" if got.getvalue() == open(sys.argv[4], "rb").read() else "differs")
`
