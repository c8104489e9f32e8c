package unixacct

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"cancale/internal/hosting"
)

// mine puts files of the member into the home and the bin.
func mine(t *testing.T, d *Driver, site hosting.Site) {
	t.Helper()
	l := d.host.Layout()
	www, bin := filepath.Join(l.Home(string(site.HomeToken)), "www"), l.Bin(string(site.HomeToken))
	err := errors.Join(
		os.WriteFile(www+"/file", []byte("kept"), 0o640), os.Chown(www+"/file", uid, uid),
		os.Symlink("/etc", www+"/link"), os.Lchown(www+"/link", uid, uid),
		os.Mkdir(bin+"/20260101T00", 0o700), os.WriteFile(bin+"/20260101T00/old", nil, 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
}

func TestADiscardedHomeComesBackAsItWas(t *testing.T) {
	d, l := newDriver(t)
	site := newSite()
	ensure(t, d, site)
	mine(t, d, site)
	want := tree(t, l.Root)
	for range 2 {
		if err := d.Discard(t.Context(), site); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{l.Home(string(site.HomeToken)), l.Bin(string(site.HomeToken)), l.SocketDir(string(site.SocketToken))} {
		if exists(path) {
			t.Errorf("%s is still in its place", path)
		}
	}
	for _, path := range []string{l.Trash(), l.TrashOf(uint64(site.ID)), l.TrashOf(uint64(site.ID)) + "/home"} {
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil || st.Uid != 0 || st.Mode&0o777 != 0o700 {
			t.Errorf("%s belongs to %d, %o, %v", path, st.Uid, st.Mode, err)
		}
		if n, err := unix.Lgetxattr(path, "system.posix_acl_access", nil); err == nil && n > 0 {
			t.Errorf("%s has an access list", path)
		}
	}
	before := d.host.Changes()
	if err := d.Discard(t.Context(), site); err != nil || d.host.Changes() != before {
		t.Errorf("discarding it again changed %d things, %v", d.host.Changes()-before, err)
	}
	ensure(t, d, site)
	if diff := cmp.Diff(want, tree(t, l.Root)); diff != "" {
		t.Error(diff)
	}
	unchanged(t, d, site)
}

// Whoever makes a home in the place of a discarded one loses neither.
func TestTwoHomesAreNeitherMixedNorLost(t *testing.T) {
	d, l := newDriver(t)
	site := newSite()
	ensure(t, d, site)
	mine(t, d, site)
	if err := d.Discard(t.Context(), site); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(l.Home(string(site.HomeToken)), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := d.Ensure(t.Context(), site); !errors.Is(err, errTwoHomes) {
		t.Errorf("ensure: %v", err)
	}
	if err := d.Discard(t.Context(), site); !errors.Is(err, errTwoHomes) {
		t.Errorf("discard: %v", err)
	}
	if !exists(l.TrashOf(uint64(site.ID)) + "/home/www/file") {
		t.Error("what was kept is lost")
	}
	if err := d.Remove(t.Context(), site); err != nil || exists(l.TrashOf(uint64(site.ID))) || exists(l.Home(string(site.HomeToken))) {
		t.Errorf("removed for good: %v", err)
	}
}

// The process ends itself before each of its steps in turn, while it discards a
// home, brings it back and destroys it: nothing is lost before the last, and
// nothing is left after it.
func TestTrashKilledAtEveryStep(t *testing.T) {
	for _, act := range []string{"discard", "restore", "purge"} {
		t.Run(act, func(t *testing.T) {
			for n := 1; ; n++ {
				d, l := newDriver(t)
				site := newSite()
				site.DocumentRoot = "www/public" // as the child's
				empty := tree(t, l.Root)
				ensure(t, d, site)
				mine(t, d, site)
				want := tree(t, l.Root)
				if act != "discard" {
					if err := d.Discard(t.Context(), site); err != nil {
						t.Fatal(err)
					}
				}
				survived := child(t, l, act, n)
				if err := d.host.Sweep(l.Sandbox()); err != nil { // as at every start
					t.Fatal(err)
				}
				if act == "discard" {
					if n%2 == 0 { // it is wished back before that was done
						ensure(t, d, site)
						if diff := cmp.Diff(want, tree(t, l.Root)); diff != "" {
							t.Fatalf("killed at %d: %s", n, diff)
						}
					}
					if err := d.Discard(t.Context(), site); err != nil {
						t.Fatal(err)
					}
					if exists(l.Home(string(site.HomeToken))) {
						t.Fatalf("killed at %d: it is still in its place", n)
					}
				}
				if act != "purge" {
					ensure(t, d, site)
					if diff := cmp.Diff(want, tree(t, l.Root)); diff != "" {
						t.Fatalf("killed at %d: %s", n, diff)
					}
					unchanged(t, d, site)
				}
				if err := d.Remove(t.Context(), site); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(empty, tree(t, l.Root)); diff != "" {
					t.Fatalf("killed at %d: left behind: %s", n, diff)
				}
				if survived {
					if act != "purge" && n < 5 {
						t.Errorf("only %d steps", n)
					}
					return
				}
			}
		})
	}
}
