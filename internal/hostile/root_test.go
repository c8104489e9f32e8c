package hostile

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// refused runs a command that should fail; it gives what it said.
func (w *world) refused(args ...string) (string, int) {
	for _, a := range args {
		if strings.IndexByte(a, 0) >= 0 {
			return "", 2 // no program can be given such an argument
		}
	}
	cmd := exec.Command(w.bin, args...)
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
	{"R01", "a log in the home becomes a link", func(t *testing.T, w *world) {
		path := target(t)
		kept(t, path, func() {
			w.attacker.sh(t, "for d in www private tmp; do mkdir -p $d/logs; for f in access.log error.log php_errors.log; do ln -sf "+path+" $d/logs/$f; ln -sf "+path+" $d/$f; done; done")
			w.again(t)
			w.attacker.get(t, "/missing")
		})
		works(t, "his links", w.attacker.sh(t, "ls -l www/logs"), "access.log ->")
		for _, dir := range []string{w.layout.Logs(), w.layout.In("log", "sites")} {
			if info, err := os.Stat(dir); err != nil || info.Mode().Perm()&0o077 != 0 || info.Sys().(*syscall.Stat_t).Uid != 0 {
				t.Errorf("%s: %v %v", dir, info, err)
			}
		}
	}},
	{"R02", "everything that can go is removed, then Apache reloads", func(t *testing.T, w *world) {
		works(t, "removing", w.attacker.sh(t, "mkdir ../site/www/r02 && rm -rf www/logs private/* tmp/* sessions/* && rmdir private tmp sessions www 2>/dev/null; chmod 000 private tmp sessions; ls"), "www")
		w.cancale(nil, "site", "suspend", "attacker.example", "--wait")
		w.alive(t)
		w.cancale(nil, "site", "resume", "attacker.example", "--wait")
		w.alive(t)
		w.attacker.sh(t, "chmod 750 private; chmod 700 tmp sessions")
		is(t, "his own site", w.attacker.get(t, "/own.txt").body, "own")
	}},
	{"R04", "root repairs what became links", func(t *testing.T, w *world) {
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
	}},
	{"R06", "PHP's logs become links", func(t *testing.T, w *world) {
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
	}},
}
