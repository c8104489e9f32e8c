package ftpd

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"cancale/internal/hosting"
)

// refused gives a command that must be refused, with a data port open in case it
// wants one.
func (c *client) refused(line string) {
	c.t.Helper()
	c.want(226, "ABOR") // whatever was left
	c.port()
	c.send(line)
	if code, text := c.read(); code < 500 {
		c.t.Errorf("%.80q: %q", line, text)
	}
}

func TestNobodyLeavesTheHome(t *testing.T) {
	m := newMember(t, quick())
	a := m.account("rames")
	victim := m.world.site(a, "rames.asso.fr")
	secret := m.home(victim, "www/wp-config.php")
	check(t, os.WriteFile(secret, []byte("secret"), 0o666))
	check(t, os.Chmod(secret, 0o666)) // people do that
	check(t, os.Chmod(m.home(victim, "www"), 0o777))

	outside := filepath.Join(m.layout.Root, "outside")
	check(t, os.Mkdir(outside, 0o777))
	check(t, os.Chmod(outside, 0o777))
	check(t, os.WriteFile(filepath.Join(outside, "f"), []byte("secret"), 0o666))
	for link, target := range map[string]string{
		"abs": outside, "rel": strings.Repeat("../", 12) + strings.TrimPrefix(outside, "/"), "passwd": "/etc/passwd",
		"victim": m.home(victim, "www"), "chain": "abs", "proc": "/proc/self/root", "loop": "loop",
	} {
		check(t, os.Symlink(target, m.www(link)))
	}
	check(t, os.Link(secret, m.www("hard")))
	check(t, os.Chmod(secret, 0o600))
	check(t, os.Chown(secret, int(victim.UID), int(victim.UID)))

	c := m.connect()
	c.want(250, "CWD www")
	for _, p := range []string{
		"../../../../../../etc/passwd", "/../../etc/passwd", "passwd", "abs/f", "rel/f", "chain/f", "victim/wp-config.php", "proc/etc/passwd",
		"/www/abs/../../../f", "hard", "loop", "abs/./f", "victim/../www/wp-config.php",
	} {
		for _, verb := range []string{"RETR", "SIZE", "MDTM", "APPE", "DELE", "SITE CHMOD 777", "MFMT 20200101000000"} {
			if (verb == "DELE" && !strings.Contains(p, "/")) || (p == "hard" && (verb == "SIZE" || verb == "MDTM")) {
				continue // the link itself, and what a link may show of itself
			}
			c.refused(verb + " " + p)
		}
	}
	for _, dir := range []string{"abs", "rel", "chain", "victim", "proc/tmp", "/../../etc"} {
		for _, line := range []string{"CWD %s", "LIST %s/f", "MLSD %s", "NLST %s/*", "STOR %s/new", "MKD %s/new", "RMD %s/new", "STAT %s/f"} {
			c.refused(fmt.Sprintf(line, dir))
		}
		c.want(350, "RNFR index.html")
		c.send("RNTO " + dir + "/stolen")
		if code, text := c.read(); code < 500 {
			t.Errorf("RNTO %s: %q", dir, text)
		}
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) != 1 {
		t.Errorf("outside: %v %v", left, err)
	}
	if b, err := os.ReadFile(secret); err != nil || string(b) != "secret" {
		t.Errorf("the victim's file: %q %v", b, err)
	}

	t.Run("a store over a link replaces the link", func(t *testing.T) {
		c.put("STOR passwd", "mine")
		c.put("STOR hard", "mine")
		if info, err := os.Lstat(m.www("passwd")); err != nil || !info.Mode().IsRegular() {
			t.Errorf("%v %v", info, err)
		}
		if b, _ := os.ReadFile(secret); string(b) != "secret" {
			t.Errorf("the victim's file: %q", b)
		}
	})
	t.Run("the root stays, and nothing goes recursively", func(t *testing.T) {
		c := m.connect()
		c.want(257, "MKD www/d")
		c.put("STOR www/d/f", "f")
		for _, line := range []string{"RMD .", "RMD //", "RMD ..", "RMD /", "RMD www/..", "RMD /www/d/../..", "RMD www", "RMD www/d", "DELE /", "DELE www/d", "XRMD /"} {
			c.want(550, line)
		}
		c.want(250, "CWD www/d")
		c.want(550, "RMD .")
		c.want(550, "RMD ../..")
		if m.read("d/f") != "f" {
			t.Error("it is gone")
		}
	})
	t.Run("special bits cannot be set", func(t *testing.T) {
		c := m.connect()
		c.want(200, "SITE CHMOD 6755 www/index.html")
		if info, err := os.Stat(m.www("index.html")); err != nil || info.Mode() != 0o755 {
			t.Errorf("%v %v", info.Mode(), err)
		}
	})
	t.Run("a pipe holds nobody", func(t *testing.T) {
		check(t, unix.Mkfifo(m.www("pipe"), 0o666))
		check(t, os.Chmod(m.www("pipe"), 0o666))
		c := m.connect()
		for _, verb := range []string{"RETR", "APPE", "LIST pipe/", "CWD"} {
			c.refused(verb + " www/pipe")
		}
		c.put("STOR www/pipe", "a file now")
	})
	t.Run("an exchange of a directory and a link wins nothing", func(t *testing.T) {
		c := m.connect()
		c.want(257, "MKD www/swap")
		m.write("swap/f", "mine")
		check(t, os.Symlink(outside, m.www("other")))
		var stop atomic.Bool
		var racer sync.WaitGroup
		racer.Go(func() {
			for !stop.Load() {
				_ = unix.Renameat2(unix.AT_FDCWD, m.www("swap"), unix.AT_FDCWD, m.www("other"), unix.RENAME_EXCHANGE)
			}
		})
		through := 0
		for i := range 300 {
			d := c.data()
			c.send("RETR www/swap/f")
			if code, _ := c.read(); code == 150 {
				if b, _ := io.ReadAll(d); string(b) == "secret" {
					t.Error("read a file outside")
				}
				c.reply(226)
				through++
			}
			d = c.data()
			c.send(fmt.Sprintf("STOR www/swap/n%d", i))
			if code, _ := c.read(); code == 150 {
				_ = d.Close()
				_, _ = c.read()
			}
			c.send("SITE CHMOD 600 www/swap/f")
			_, _ = c.read()
		}
		stop.Store(true)
		racer.Wait()
		left, err := os.ReadDir(outside)
		check(t, err)
		info, err := os.Stat(filepath.Join(outside, "f"))
		check(t, err)
		if len(left) != 1 || info.Mode().Perm() == 0o600 || through == 0 {
			t.Errorf("outside: %v, mode %v, %d went through", left, info.Mode(), through)
		}
	})
}

// A burst of sessions of two sites works at once; each file must belong to its
// site, whatever thread served it.
func TestManySessionsAtOnce(t *testing.T) {
	m := newMember(t, quick())
	a := m.account("rames")
	second := m.world.site(a, "rames.asso.fr")
	_, password := m.world.login(a, hosting.FTPSpec{Login: "web@rames", Site: second.ID})
	var all sync.WaitGroup
	for i := range 16 {
		login, pass := m.login, m.password
		if i%2 == 1 {
			login, pass = "web@rames", password
		}
		c := m.dial("")
		c.want(331, "USER "+login)
		c.want(230, "PASS "+pass)
		all.Go(func() {
			for n := range 40 {
				d, err := net.Dial("tcp", c.port())
				if err != nil {
					t.Error(err)
					return
				}
				c.send(fmt.Sprintf("STOR www/f%d-%d", i, n))
				_, _ = c.read()
				_, _ = io.WriteString(d, login)
				_ = d.Close()
				if code, text := c.read(); code != 226 {
					t.Errorf("%q", text)
				}
			}
		})
	}
	all.Wait()
	for dir, site := range map[string]hosting.Site{m.www(): m.site, m.home(second, "www"): second} {
		files, err := os.ReadDir(dir)
		check(t, err)
		if len(files) != 8*40+1 {
			t.Errorf("%d files", len(files))
		}
		for _, f := range files {
			var st unix.Stat_t
			check(t, unix.Stat(filepath.Join(dir, f.Name()), &st))
			if st.Uid != site.UID {
				t.Errorf("%s belongs to %d, want %d", f.Name(), st.Uid, site.UID)
			}
		}
	}
}
