package testenv

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// application is a folder with an application as its authors ship it, ready to
// be uploaded: Debian's packages, downloaded and unpacked, never installed, and
// put together by assemble, which is given the root of what was unpacked and
// the folder to fill. It is made once per machine and then kept; tests must not
// write to it.
func application(tb testing.TB, name string, packages []string, assemble func(root, tree string) error) string {
	tb.Helper()
	cache := filepath.Join(os.TempDir(), "cancale-test-"+name)
	tree := filepath.Join(cache, name)
	if _, err := os.Stat(tree); err == nil {
		return tree
	}
	// Made aside and renamed, so that a test that is killed leaves no half.
	work, err := os.MkdirTemp("", "cancale-test-"+name+"-")
	if err != nil {
		tb.Fatal(err)
	}
	defer os.RemoveAll(work)
	if err := downloadPackages(work, packages); err != nil {
		tb.Fatal(err)
	}
	if err := assemble(filepath.Join(work, "unpacked"), filepath.Join(work, name)); err != nil {
		tb.Fatal(err)
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(filepath.Join(work, name), tree); err != nil {
		if _, there := os.Stat(tree); there != nil { // another test process may have been first
			tb.Fatal(err)
		}
	}
	return tree
}

// downloadPackages fetches Debian packages into dir and unpacks them all into
// dir/unpacked.
func downloadPackages(dir string, names []string) error {
	download := func() ([]byte, error) {
		cmd := exec.Command("/usr/bin/apt-get", append([]string{"download", "-q"}, names...)...)
		cmd.Dir = dir
		return cmd.CombinedOutput()
	}
	if _, err := download(); err != nil { // a machine whose package lists are missing or old
		if update, updateErr := exec.Command("/usr/bin/apt-get", "update", "-q").CombinedOutput(); updateErr != nil {
			return fmt.Errorf("apt-get update: %w: %s", updateErr, update)
		}
		if out, err := download(); err != nil {
			return fmt.Errorf("apt-get download: %w: %s", err, out)
		}
	}
	debs, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil {
		return err
	}
	for _, deb := range debs {
		if out, err := exec.Command("/usr/bin/dpkg-deb", "-x", deb, filepath.Join(dir, "unpacked")).CombinedOutput(); err != nil {
			return fmt.Errorf("dpkg-deb -x %s: %w: %s", filepath.Base(deb), err, out)
		}
	}
	return nil
}

// plainCopy copies a tree with what its links point at, as an archive from
// WordPress itself holds it. Links out of the packages, into the machine's
// /etc, are left out.
func plainCopy(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		if entry.Type()&fs.ModeSymlink != 0 {
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			if strings.HasPrefix(link, "/") {
				return nil
			}
			if info, err := os.Stat(path); err == nil && info.IsDir() {
				real, err := filepath.EvalSymlinks(path)
				if err != nil {
					return err
				}
				return plainCopy(real, target)
			}
		}
		in, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("a link of the package leads nowhere: %w", err)
		}
		defer in.Close()
		out, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		if _, err := io.Copy(out, in); err != nil {
			return err
		}
		return out.Close()
	})
}
