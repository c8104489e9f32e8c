package hostile

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"cancale/internal/config"
)

// refused runs a command that should fail; it gives what it said.
func (w *world) refused(args ...string) (string, int) {
	for _, a := range args {
		if strings.IndexByte(a, 0) >= 0 {
			return "", 2 // no program can be given such an argument
		}
	}
	cmd := exec.Command(lab.bin, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "CANCALE_DATA=" + w.layout.Root, "LC_ALL=C"}
	out, _ := cmd.CombinedOutput()
	return string(out), cmd.ProcessState.ExitCode()
}

// again makes root do everything for the attacker's site once more.
func (w *world) again(t *testing.T) {
	t.Helper()
	w.cancale(nil, "site", "suspend", "attacker.example", "--wait")
	w.cancale(nil, "site", "resume", "attacker.example", "--wait")
}

// kept fails when a file that is not the attacker's changes meanwhile.
func kept(t *testing.T, path string, act func()) {
	t.Helper()
	look := func() (syscall.Stat_t, string) {
		var st syscall.Stat_t
		if err := syscall.Lstat(path, &st); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return st, string(text)
	}
	st, text := look()
	act()
	if now, is := look(); now.Uid != st.Uid || now.Gid != st.Gid || now.Mode != st.Mode || is != text {
		t.Errorf("%s changed: %d:%d %o %s", path, now.Uid, now.Gid, now.Mode, short(is))
	}
}

// target is a file of root's that the attacker would like to have.
func target(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "of-root")
	if err := os.WriteFile(path, []byte("of root"), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// rootRows are attacks on what root does for members.
var rootRows = []row{
	{"R01", "a log in the home becomes a link", heavy(func(t *testing.T, w *world) {
		path := target(t)
		kept(t, path, func() {
			w.attacker.sh(t, "for d in www private tmp; do mkdir -p $d/logs; for f in access.log error.log php_errors.log; do ln -sf "+path+" $d/logs/$f; ln -sf "+path+" $d/$f; done; done")
			w.again(t)
			w.attacker.get(t, "/missing")
		})
		works(t, "his links", w.attacker.sh(t, "ls -l www/logs"), "access.log ->")
		for _, dir := range []string{w.layout.Logs(), w.layout.In("log", "sites")} {
			if info, err := os.Stat(dir); err != nil || info.Mode().Perm()&^0o710 != 0 || info.Sys().(*syscall.Stat_t).Uid != 0 || info.Sys().(*syscall.Stat_t).Gid != config.PanelUID {
				t.Errorf("%s: %v %v", dir, info, err)
			}
		}
	})},
	{"R02", "everything that can go is removed, then Apache reloads", heavy(func(t *testing.T, w *world) {
		works(t, "removing", w.attacker.sh(t, "mkdir ../site/www/r02 && rm -rf www/logs private/* tmp/* sessions/* && rmdir private tmp sessions www 2>/dev/null; chmod 000 private tmp sessions; ls"), "www")
		w.cancale(nil, "site", "suspend", "attacker.example", "--wait")
		w.alive(t)
		w.cancale(nil, "site", "resume", "attacker.example", "--wait")
		w.alive(t)
		w.attacker.sh(t, "chmod 750 private; chmod 700 tmp sessions")
		is(t, "his own site", w.attacker.get(t, "/own.txt").body, "own")
	})},
	{"R03", "logs are rotated where he put links", heavy(func(t *testing.T, w *world) {
		path := target(t)
		full := "access-" + time.Now().Format(time.DateOnly) + ".1.log"
		names := []string{"access.log", full, full + ".gz", "error.log", strings.Replace(full, "access", "error", 1)}
		kept(t, path, func() {
			w.attacker.sh(t, "for d in . www private tmp; do mkdir -p $d/logs; for f in "+strings.Join(names, " ")+"; do ln -sf "+path+" $d/logs/$f; ln -sf "+path+" $d/$f; done; done")
			works(t, "his links", w.attacker.sh(t, "ls -l www/logs"), full+" ->")
			// More than one file of a log holds.
			id, _, _ := strings.Cut(filepath.Base(w.vhost(filepath.Base(w.attacker.home))), ".")
			rotated := filepath.Join(w.layout.In("log", "sites", id), full)
			line := "GET /?" + strings.Repeat("x", 7_900) + " HTTP/1.1\r\nHost: attacker.example\r\n\r\n"
			eventually(t, "the log is rotated", func() bool {
				w.many(t, line, 200)
				_, err := os.Lstat(rotated)
				return err == nil
			})
			if info, err := os.Lstat(rotated); err != nil || !info.Mode().IsRegular() || info.Sys().(*syscall.Stat_t).Uid != 0 || info.Mode().Perm()&0o007 != 0 {
				t.Errorf("%s: %v, %v", rotated, info, err)
			}
		})
		w.attacker.sh(t, "rm -rf www/logs private/logs tmp/logs; rm -f */*.log */*.log.gz")
	})},
	{"R04", "root repairs what became links", heavy(func(t *testing.T, w *world) {
		path := target(t)
		victims := w.victim.outside + "/www/secret.txt"
		kept(t, path, func() {
			kept(t, victims, func() {
				w.attacker.sh(t, "rm -f www/index.html www/index.php; ln -s "+path+" www/index.html; ln -s "+w.victim.home+"/www/secret.txt www/index.php; rmdir www/r02; ln -s "+filepath.Dir(path)+" www/r02; chmod 777 www")
				works(t, "his links", w.attacker.sh(t, "ls -l www"), "index.html ->")
				w.again(t)
			})
		})
		w.attacker.sh(t, "rm -f www/index.html www/index.php www/r02; chmod 755 www")
	})},
	{"R05", "a copy of his files holds what his links lead to", heavy(func(t *testing.T, w *world) {
		path := target(t)
		works(t, "his links", w.attacker.sh(t, "mkdir -p www/r05; echo own > www/r05/own.txt; ln -s "+path+" www/r05/root; ln -s "+w.victim.home+"/www/secret.txt www/r05/secret; ln -s "+filepath.Dir(path)+" www/r05/dir; ls -l www/r05"), "root ->")
		// Who copies a site's files does it as the site and within it.
		c := w.attacker.ftp(t)
		fetch := func(name string) string {
			r, err := c.Retr("www/r05/" + name)
			if err != nil {
				return ""
			}
			defer r.Close()
			text, _ := io.ReadAll(r)
			return string(text)
		}
		works(t, "his own file", fetch("own.txt"), "own")
		for _, name := range []string{"root", "secret", "dir/of-root"} {
			stopped(t, name, fetch(name), "of root")
		}
		w.attacker.sh(t, "rm -rf www/r05")
	})},
	{"R06", "PHP's logs become links", heavy(func(t *testing.T, w *world) {
		path := target(t)
		if err := os.Chmod(path, 0o666); err != nil {
			t.Fatal(err)
		}
		kept(t, path, func() {
			w.attacker.sh(t, "rm -rf tmp/php_errors.log; ln -s "+path+" tmp/php_errors.log; rm -f /tmp/php-fpm.log; ln -s "+path+" /tmp/php-fpm.log")
			works(t, "an error", w.attacker.php(t, "trigger_error('of the attacker'); echo error_log('x') ? 'logged' : 'not';"), "")
			w.again(t)
			w.attacker.get(t, "/mine.php")
		})
		w.attacker.sh(t, "rm -f tmp/php_errors.log")
		is(t, "his own site", w.attacker.get(t, "/mine.php").body, "1")
		w.alive(t)
	})},
}
