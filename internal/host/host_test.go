package host

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"cancale/internal/config"
)

func newHost(t *testing.T) (*Host, string) {
	t.Helper()
	root := t.TempDir()
	return New(config.Layout{Root: root}, nil), root
}

func TestWriteFile(t *testing.T) {
	h, root := newHost(t)
	path := filepath.Join(root, "a.conf")
	write := func(data string, mode fs.FileMode, uid, gid int) bool {
		t.Helper()
		changed, err := h.WriteFile(path, []byte(data), mode, uid, gid)
		if err != nil {
			t.Fatal(err)
		}
		return changed
	}
	unchanged := func(data string, mode fs.FileMode, uid, gid int) {
		t.Helper()
		before := h.Changes()
		if write(data, mode, uid, gid) || h.Changes() != before {
			t.Error("the second write changed something")
		}
	}

	for _, c := range []struct {
		name, data string
		mode       fs.FileMode
		uid, gid   int
	}{
		{"a new file", "one", 0o600, 0, 0},
		{"another content", "two", 0o600, 0, 0},
		{"another mode", "two", 0o640, 0, 0},
		{"another owner", "two", 0o640, 30001, 30002},
		{"no content", "", 0o640, 30001, 30002},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !write(c.data, c.mode, c.uid, c.gid) {
				t.Error("nothing changed")
			}
			unchanged(c.data, c.mode, c.uid, c.gid)
			got, err := os.ReadFile(path)
			if err != nil || string(got) != c.data {
				t.Errorf("content %q, %v", got, err)
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			st := info.Sys().(*syscall.Stat_t)
			if info.Mode() != c.mode || int(st.Uid) != c.uid || int(st.Gid) != c.gid {
				t.Errorf("mode %v, owner %d:%d", info.Mode(), st.Uid, st.Gid)
			}
		})
	}
	t.Run("a symbolic link in its place is replaced, its target left alone", func(t *testing.T) {
		target := filepath.Join(t.TempDir(), "passwd")
		if err := os.WriteFile(target, []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		write("three", 0o600, 0, 0)
		if got, _ := os.ReadFile(target); string(got) != "secret" {
			t.Errorf("the target holds %q", got)
		}
		unchanged("three", 0o600, 0, 0)
	})
	t.Run("nothing temporary stays", func(t *testing.T) {
		entries, err := os.ReadDir(root)
		if err != nil || len(entries) != 1 {
			t.Errorf("%v, %v", entries, err)
		}
	})
}

func TestNothingOutsideOfTheRootIsReached(t *testing.T) {
	h, root := newHost(t)
	outside := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	keep := filepath.Join(outside, "keep")
	if err := os.Mkdir(keep, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{outside, filepath.Join(root, "link"), filepath.Join(root, "..", filepath.Base(outside))} {
		if _, err := h.WriteFile(filepath.Join(dir, "x"), nil, 0o600, 0, 0); err == nil {
			t.Errorf("wrote into %s", dir)
		}
		if _, err := h.EnsureDir(filepath.Join(dir, "keep"), 0o700, 0, 0); err == nil {
			t.Errorf("changed a directory of %s", dir)
		}
		if err := h.RemoveTree(filepath.Join(dir, "keep")); err == nil {
			t.Errorf("removed a tree of %s", dir)
		}
		if err := h.Remove(filepath.Join(dir, "x")); err == nil {
			t.Errorf("removed a file of %s", dir)
		}
	}
	if err := h.RemoveTree(root); err == nil {
		t.Error("removed the root itself")
	}
	if _, err := os.Stat(keep); err != nil {
		t.Error(err)
	}
}

func TestEnsureDir(t *testing.T) {
	h, root := newHost(t)
	path := filepath.Join(root, "home")
	ensure := func(want bool, access ...Access) {
		t.Helper()
		before := h.Changes()
		changed, err := h.EnsureDir(path, 0o700, 0, 0, access...)
		if err != nil {
			t.Fatal(err)
		}
		if changed != want || (h.Changes() != before) != want {
			t.Errorf("changed %v (%d changes), want %v", changed, h.Changes()-before, want)
		}
	}
	site, www := Access{UID: 30001, Perm: 5}, Access{UID: 33, Perm: 1}
	ensure(true, site, www)
	ensure(false, www, site)

	t.Run("getfacl reads what was asked for", func(t *testing.T) {
		out, err := exec.Command("getfacl", "-cnp", path).CombinedOutput()
		if err != nil {
			t.Fatal(err, string(out))
		}
		const want = "user::rwx\nuser:33:--x\nuser:30001:r-x\ngroup::---\nmask::r-x\nother::---\n\n"
		if string(out) != want {
			t.Errorf("got\n%s", out)
		}
	})
	t.Run("drift is repaired", func(t *testing.T) {
		for _, drift := range [][]string{
			{"setfacl", "-b", path},
			{"setfacl", "-m", "u:30002:rwx", path},
			{"setfacl", "-d", "-m", "u:30002:rwx", path},
			{"chmod", "0777", path},
			{"chmod", "0000", path},
			{"chmod", "u+s", path},
			{"chown", "30001:30001", path},
			{"rmdir", path},
		} {
			if out, err := exec.Command(drift[0], drift[1:]...).CombinedOutput(); err != nil {
				t.Fatal(err, string(out))
			}
			ensure(true, site, www)
			ensure(false, site, www)
		}
	})
	t.Run("a list that is not asked for goes", func(t *testing.T) {
		ensure(true)
		ensure(false)
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
			t.Error(info.Mode(), err)
		}
	})
	t.Run("a file or a link in its place is refused", func(t *testing.T) {
		for name, make := range map[string]func(string) error{
			"file": func(p string) error { return os.WriteFile(p, nil, 0o600) },
			"link": func(p string) error { return os.Symlink("/tmp", p) },
		} {
			p := filepath.Join(root, name)
			if err := make(p); err != nil {
				t.Fatal(err)
			}
			if _, err := h.EnsureDir(p, 0o700, 0, 0); err == nil {
				t.Errorf("%s: accepted", name)
			}
		}
	})
}

func TestRemoveTree(t *testing.T) {
	h, root := newHost(t)
	outside := t.TempDir()
	precious := filepath.Join(outside, "precious")
	if err := os.WriteFile(precious, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tree := filepath.Join(root, "tree")
	if err := os.MkdirAll(filepath.Join(tree, "a", "b"), 0o755); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"dir": outside, "a/file": precious, "a/b/up": "../../.."} {
		if err := os.Symlink(target, filepath.Join(tree, link)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 2500 {
		if err := os.WriteFile(filepath.Join(tree, "a", "b", strconv.Itoa(i)), nil, 0o400); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(tree, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	// Deeper than any path can name: 3,000 levels of 5 bytes.
	deep, err := os.OpenRoot(tree)
	if err != nil {
		t.Fatal(err)
	}
	for range 3000 {
		if err := deep.Mkdir("deep", 0o755); err != nil {
			t.Fatal(err)
		}
		next, err := deep.OpenRoot("deep")
		if err != nil {
			t.Fatal(err)
		}
		_ = deep.Close()
		deep = next
	}
	_ = deep.Close()

	if err := h.RemoveTree(tree); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(tree); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the tree is still there")
	}
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
	before := h.Changes()
	if err := h.RemoveTree(tree); err != nil || h.Changes() != before {
		t.Errorf("removing nothing: %v, %d changes", err, h.Changes()-before)
	}
}

func TestRun(t *testing.T) {
	h, _ := newHost(t)
	t.Setenv("SECRET", "of ours")
	t.Run("nothing of the environment is inherited", func(t *testing.T) {
		out, err := h.Run(t.Context(), Command{Path: "/usr/bin/env", Env: []string{"A=b"}})
		if err != nil || string(out) != "A=b\n" {
			t.Errorf("%q, %v", out, err)
		}
	})
	t.Run("the path must be absolute", func(t *testing.T) {
		if _, err := h.Run(t.Context(), Command{Path: "env"}); err == nil {
			t.Error("accepted")
		}
	})
	t.Run("output is limited, the program is not stopped", func(t *testing.T) {
		out, err := h.Run(t.Context(), Command{Path: "/usr/bin/head", Args: []string{"-c", "1000000", "/dev/zero"}})
		if err != nil || len(out) != maxOutput {
			t.Errorf("%d bytes, %v", len(out), err)
		}
	})
	t.Run("children end with the context", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := h.Run(ctx, Command{Path: "/usr/bin/timeout", Args: []string{"60", "/bin/sleep", "60"}})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// TestKilledBeforeAnyStep kills a process before each of its steps and finds
// the old content or the new one, never another; one more write repairs.
func TestKilledBeforeAnyStep(t *testing.T) {
	if root := os.Getenv("HOST_TEST_ROOT"); root != "" {
		h := New(config.Layout{Root: root}, nil)
		if _, err := h.WriteFile(filepath.Join(root, "f"), []byte("new"), 0o600, 0, 0); err != nil {
			t.Fatal(err)
		}
		return
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; ; n++ {
		h, root := newHost(t)
		path := filepath.Join(root, "f")
		if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(exe, "-test.run=^TestKilledBeforeAnyStep$")
		cmd.Env = append(os.Environ(), "HOST_TEST_ROOT="+root, killAt+"="+strconv.Itoa(n))
		out, err := cmd.CombinedOutput()
		got, readErr := os.ReadFile(path)
		if readErr != nil {
			t.Fatal(readErr)
		}
		if err == nil {
			if string(got) != "new" || n < 3 {
				t.Errorf("ended by itself at step %d with %q", n, got)
			}
			return
		}
		if !strings.Contains(err.Error(), "killed") || string(got) != "old" {
			t.Fatalf("step %d: %v, content %q\n%s", n, err, got, out)
		}
		if err := h.Sweep(root); err != nil {
			t.Fatal(err)
		}
		if entries, _ := os.ReadDir(root); len(entries) != 1 {
			t.Errorf("step %d: not swept: %v", n, entries)
		}
	}
}

func TestWriteLink(t *testing.T) {
	h, root := newHost(t)
	path := filepath.Join(root, "name")
	for _, target := range []string{"../a", "../b"} {
		for _, want := range []bool{true, false} {
			changed, err := h.WriteLink(path, target)
			if err != nil || changed != want {
				t.Errorf("%s: changed %v, %v", target, changed, err)
			}
			if got, err := h.Link(path); err != nil || got != target {
				t.Errorf("leads to %q, %v", got, err)
			}
		}
	}
	if got, err := h.Link(filepath.Join(root, "none")); err != nil || got != "" {
		t.Errorf("nothing leads to %q, %v", got, err)
	}
}

func BenchmarkNothingToDo(b *testing.B) {
	root := b.TempDir()
	h := New(config.Layout{Root: root}, nil)
	data := []byte(strings.Repeat("x", 700))
	run := func() {
		if _, err := h.WriteFile(filepath.Join(root, "f"), data, 0o600, 0, 0); err != nil {
			b.Fatal(err)
		}
		if _, err := h.EnsureDir(filepath.Join(root, "d"), 0o700, 0, 0, Access{UID: 33, Perm: 1}); err != nil {
			b.Fatal(err)
		}
	}
	run()
	for b.Loop() {
		run()
	}
}
