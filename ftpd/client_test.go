package ftpd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jlaffaye/ftp"
)

// run runs a client program that people use; a missing one fails the test.
func run(t *testing.T, program string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("%s is missing: apt-get install %s", program, program)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = []string{"HOME=" + t.TempDir(), "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
	return string(out)
}

// lftp runs a script as the member.
func (m *member) lftp(script string) string {
	t := m.t.(*testing.T)
	t.Helper()
	return run(t, "lftp", "-c", fmt.Sprintf("set cmd:fail-exit yes; set net:max-retries 1; set net:timeout 10; set ftp:ssl-allow no; open -u %s,%s ftp://%s; %s", m.login, m.password, m.addr, script))
}

// tree makes a tree of files with names of all kinds and returns its sums.
func makeTree(t *testing.T, dir string) {
	t.Helper()
	random := rand.NewChaCha8([32]byte{1})
	for i := range 120 {
		name := filepath.Join(dir, fmt.Sprintf("dossier %d", i%7), fmt.Sprintf("sous-d'été-%d", i%3), fmt.Sprintf("fichier %d \"é\".txt", i))
		check(t, os.MkdirAll(filepath.Dir(name), 0o755))
		b := make([]byte, i*i*7)
		_, _ = random.Read(b)
		check(t, os.WriteFile(name, b, 0o644))
	}
	check(t, os.WriteFile(filepath.Join(dir, ".htaccess"), []byte("Options -Indexes\n"), 0o644))
	check(t, os.WriteFile(filepath.Join(dir, "-a"), []byte("an awkward name\n"), 0o644))
	check(t, os.Mkdir(filepath.Join(dir, "vide"), 0o755))
}

// sums is what a tree holds.
func sums(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	check(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, p)
		if d.IsDir() {
			found[name] = "directory"
			return nil
		}
		b, err := os.ReadFile(p)
		found[name] = fmt.Sprintf("%x", sha256.Sum256(b))
		return err
	}))
	return found
}

func TestLftp(t *testing.T) {
	m := newMember(t, quick())
	local := t.TempDir()
	makeTree(t, local)

	t.Run("a tree goes up and comes down the same", func(t *testing.T) {
		m.lftp(fmt.Sprintf("mirror -R --parallel=4 %q www/up", local))
		if diff := cmp.Diff(sums(t, local), sums(t, m.www("up"))); diff != "" {
			t.Errorf("on the server (-local +server):\n%s", diff)
		}
		down := filepath.Join(t.TempDir(), "down")
		m.lftp(fmt.Sprintf("mirror --parallel=3 www/up %q", down))
		if diff := cmp.Diff(sums(t, local), sums(t, down)); diff != "" {
			t.Errorf("back (-sent +got):\n%s", diff)
		}
	})
	t.Run("times are kept, so that a second mirror sends nothing", func(t *testing.T) {
		out := m.lftp(fmt.Sprintf("mirror -R --verbose %q www/up", local))
		if strings.Contains(out, "Transferring") {
			t.Errorf("sent again:\n%.500s", out)
		}
	})
	t.Run("a broken upload is resumed", func(t *testing.T) {
		big := filepath.Join(local, "big.bin")
		b := make([]byte, 3<<20)
		_, _ = rand.NewChaCha8([32]byte{2}).Read(b)
		check(t, os.WriteFile(big, b, 0o644))
		m.write("big.bin", string(b[:1<<20]))
		m.lftp(fmt.Sprintf("put -c %q -o www/big.bin", big))
		if m.read("big.bin") != string(b) {
			t.Error("the file differs")
		}
		half := filepath.Join(t.TempDir(), "half.bin")
		check(t, os.WriteFile(half, b[:1<<20], 0o644))
		m.lftp(fmt.Sprintf("get -c www/big.bin -o %q", half))
		if got, _ := os.ReadFile(half); !bytes.Equal(got, b) {
			t.Error("the file that came down differs")
		}
	})
	t.Run("everything of every day", func(t *testing.T) {
		out := m.lftp("cd www; mkdir -p a/b/c; put -O a /etc/hostname; mv a/hostname a/b/h; chmod 640 a/b/h; cls -l a/b; glob -f rm -f a/b/h*; rm -r a; rm -r up; ls")
		if !strings.Contains(out, "rw-r-----") || strings.Contains(out, " up\n") {
			t.Errorf("output\n%s", out)
		}
		if _, err := os.Stat(m.www("up")); !os.IsNotExist(err) {
			t.Errorf("rm -r left the tree: %v", err)
		}
	})
}

func TestCurl(t *testing.T) {
	m := newMember(t, quick())
	local := filepath.Join(t.TempDir(), "f.bin")
	b := make([]byte, 2<<20)
	_, _ = rand.NewChaCha8([32]byte{3}).Read(b)
	check(t, os.WriteFile(local, b, 0o644))
	curl := func(args ...string) string {
		t.Helper()
		return run(t, "curl", append([]string{"-sS", "--max-time", "30", "-u", m.login + ":" + m.password}, args...)...)
	}
	url := "ftp://" + m.addr + "/"
	for _, mode := range []string{"--ftp-pasv", "--disable-epsv"} {
		curl(mode, "-T", local, "--ftp-create-dirs", url+"www/new/f.bin")
		if m.read("new/f.bin") != string(b) {
			t.Errorf("%s: the upload differs", mode)
		}
		back := filepath.Join(t.TempDir(), "back")
		check(t, os.WriteFile(back, b[:1<<20], 0o644))
		curl(mode, "-C", "-", "-o", back, url+"www/new/f.bin")
		if got, _ := os.ReadFile(back); !bytes.Equal(got, b) {
			t.Errorf("%s: the resumed download differs", mode)
		}
	}
	curl("-T", local, "-a", url+"www/new/f.bin")
	if m.read("new/f.bin") != string(b)+string(b) {
		t.Error("append differs")
	}
	if out := curl(url + "www/new/"); !strings.Contains(out, " f.bin") {
		t.Errorf("list %q", out)
	}
	if out := curl("-l", url+"www/new/"); strings.TrimSpace(out) != "f.bin" {
		t.Errorf("names %q", out)
	}
	if out := curl("-I", url+"www/new/f.bin"); !strings.Contains(out, fmt.Sprintf("Content-Length: %d", 2*len(b))) {
		t.Errorf("head %q", out)
	}
	curl("-Q", "-RNFR www/new/f.bin", "-Q", "-RNTO www/new/g.bin", "-Q", "-DELE www/new/g.bin", "-Q", "-RMD www/new", url)
	if _, err := os.Stat(m.www("new")); !os.IsNotExist(err) {
		t.Errorf("still there: %v", err)
	}
	if out := curl("-r", "10-19", "-o", "-", url+"www/index.html"); out != m.read("index.html")[10:20] {
		t.Errorf("a range: %q", out)
	}
}

func TestGoClient(t *testing.T) {
	m := newMember(t, quick())
	for _, options := range [][]ftp.DialOption{nil, {ftp.DialWithDisabledEPSV(true)}, {ftp.DialWithDisabledMLSD(true), ftp.DialWithForceListHidden(true)}} {
		c, err := ftp.Dial(m.addr, append(options, ftp.DialWithTimeout(10*time.Second))...)
		check(t, err)
		check(t, c.Login(m.login, m.password))
		check(t, c.ChangeDir("www"))
		check(t, c.MakeDir("d"))
		check(t, c.Stor("d/a b.txt", strings.NewReader("0123456789")))
		check(t, c.StorFrom("d/a b.txt", strings.NewReader("ABC"), 8))
		check(t, c.Append("d/a b.txt", strings.NewReader("!")))
		r, err := c.RetrFrom("d/a b.txt", 5)
		check(t, err)
		b, err := io.ReadAll(r)
		check(t, err)
		check(t, r.Close())
		if string(b) != "567ABC!" {
			t.Errorf("read %q", b)
		}
		if n, err := c.FileSize("d/a b.txt"); err != nil || n != 12 {
			t.Errorf("size %d %v", n, err)
		}
		when := time.Date(2021, 2, 3, 4, 5, 6, 0, time.UTC)
		check(t, c.SetTime("d/a b.txt", when))
		if got, err := c.GetTime("d/a b.txt"); err != nil || !got.Equal(when) {
			t.Errorf("time %v %v", got, err)
		}
		entries, err := c.List("d")
		check(t, err)
		if len(entries) != 1 || entries[0].Name != "a b.txt" || entries[0].Size != 12 || entries[0].Type != ftp.EntryTypeFile {
			t.Errorf("list %+v", entries)
		}
		names, err := c.NameList("d")
		if err != nil || len(names) != 1 || names[0] != "d/a b.txt" {
			t.Errorf("names %q %v", names, err)
		}
		check(t, c.Rename("d/a b.txt", "d/b.txt"))
		if dir, err := c.CurrentDir(); err != nil || dir != "/www" {
			t.Errorf("%q %v", dir, err)
		}
		// A download that is given up leaves a session that goes on.
		r, err = c.Retr("index.html")
		check(t, err)
		_ = r.Close()
		check(t, c.NoOp())
		check(t, c.RemoveDirRecur("d"))
		check(t, c.Quit())
	}
}
