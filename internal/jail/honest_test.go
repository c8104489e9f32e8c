package jail

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cancale/internal/disk"
	"cancale/internal/hosting"
)

// What runs in a site may not have its files overlooked by the site's people:
// only an upload that this process receives is left out of listings.
func TestASiteHidesNothing(t *testing.T) {
	home := newHome(t, siteUID)
	j := openJail(t, home, siteUID)
	for _, name := range []string{"evil.php", "0123456789abcdef", "tomorrow.php"} {
		must(t, os.WriteFile(filepath.Join(home, "www", tempPrefix+name), []byte("x"), 0o644))
	}
	must(t, os.Chtimes(filepath.Join(home, "www", tempPrefix+"tomorrow.php"), time.Time{}, time.Now().AddDate(50, 0, 0)))
	must(t, os.Mkdir(filepath.Join(home, "www", tempPrefix+"folder"), 0o755))
	must(t, os.WriteFile(filepath.Join(home, "www", tempPrefix+"folder", "within.php"), []byte("x"), 0o644))
	if _, err := j.Begun("www/x", "0123456789abcdef"); err != nil { // asking hides nothing
		t.Error(err)
	}
	look := func() (listed, named, walked []string) {
		must(t, j.Names("www", func(entries []fs.DirEntry) error {
			for _, e := range entries {
				named = append(named, e.Name())
			}
			return nil
		}))
		must(t, j.Walk("www", func(name string, _ Entry) error {
			walked = append(walked, strings.TrimPrefix(name, "www/"))
			return nil
		}))
		return names(t, j, "www"), named, walked
	}
	want := []string{tempPrefix + "evil.php", tempPrefix + "0123456789abcdef", tempPrefix + "tomorrow.php", tempPrefix + "folder"}
	listed, named, walked := look()
	for _, name := range want {
		if !slices.Contains(listed, name) || !slices.Contains(named, name) || !slices.Contains(walked, name) {
			t.Errorf("%s is hidden: %q %q %q", name, listed, named, walked)
		}
	}
	if !slices.Contains(walked, tempPrefix+"folder/within.php") {
		t.Errorf("a folder is not walked: %q", walked)
	}

	const key = "fedcba9876543210"
	upload, err := j.Create("www/upload")
	must(t, err)
	piece, err := j.Resume("www/piece", key, 0, false)
	must(t, err)
	must(t, piece.Pause())
	listed, named, walked = look()
	for _, name := range []string{upload.temp, tempPrefix + key} {
		if slices.Contains(listed, name) || slices.Contains(named, name) || slices.Contains(walked, name) {
			t.Errorf("an upload, %s, is listed", name)
		}
	}
	must(t, upload.Commit())
	piece, err = j.Resume("www/piece", key, 0, false)
	must(t, err)
	must(t, piece.Discard())
}

// Whoever removes what takes no room must not get any for it.
func TestWhatTakesNoRoomFreesNone(t *testing.T) {
	const huge = 1 << 40
	home, _, j := withBin(t)
	var mu sync.Mutex
	var drift int64
	ledger := disk.NewLedger(disk.Config{
		Path: home,
		Load: func(context.Context, []hosting.AccountID) (map[hosting.AccountID]disk.State, error) {
			return map[hosting.AccountID]disk.State{1: {Used: 1 << 30, Limit: 4 << 30}}, nil
		},
		Save: func(_ context.Context, told map[hosting.SiteID]int64) error {
			mu.Lock()
			defer mu.Unlock()
			for _, n := range told {
				drift += n
			}
			return nil
		},
	})
	j.Within(ledger.Space(1, 1))
	sparse := func(name string) string {
		path := filepath.Join(home, name)
		must(t, os.WriteFile(path, nil, 0o644))
		must(t, os.Truncate(path, huge))
		must(t, os.Chown(path, siteUID, siteUID))
		return path
	}
	linked := func(name string) {
		must(t, os.WriteFile(filepath.Join(home, name), make([]byte, 1<<20), 0o644))
		must(t, os.Chown(filepath.Join(home, name), siteUID, siteUID))
		must(t, os.Link(filepath.Join(home, name), filepath.Join(home, "www", filepath.Base(name)+".second")))
	}
	ledger.Exchange(t.Context())
	for what, do := range map[string]func() error{
		"removed":  func() error { sparse("www/a"); j := *j; j.bin = nil; return j.Remove("www/a") },
		"tree":     func() error { sparse("www/b"); j := *j; j.bin = nil; return j.RemoveTree("www/b") },
		"replaced": func() error { sparse("www/c"); put(t, j, "www/c", "x"); return nil },
		"purged": func() error {
			sparse("www/d")
			must(t, j.Remove("www/d"))
			return j.Purge(deleted(t, j, "www/d")[0].Slot, "www/d")
		},
		"cut": func() error {
			sparse("www/e")
			f, err := j.OpenAt("www/e", 0)
			must(t, err)
			room, taken := j.Growing(f), Taken(f)
			must(t, f.Truncate(0))
			room.End(Grown(f, huge, taken))
			return f.Close()
		},
		"a piece of it": func() error {
			const key = "0123456789abcdef"
			sparse("www/" + tempPrefix + key)
			u, err := j.Resume("www/f", key, huge, false)
			must(t, err)
			return u.Discard()
		},
		"another name of it": func() error {
			must(t, os.Mkdir(filepath.Join(home, "www/g"), 0o755))
			must(t, os.Chown(filepath.Join(home, "www/g"), siteUID, siteUID))
			linked("www/g/file")
			j := *j
			j.bin = nil
			return j.RemoveTree("www/g")
		},
	} {
		mu.Lock()
		drift = 0
		mu.Unlock()
		must(t, do())
		ledger.Exchange(t.Context())
		mu.Lock()
		if drift < -(64 << 10) {
			t.Errorf("%s: %d bytes are taken for free", what, -drift)
		}
		mu.Unlock()
	}
}

// A full plan takes no folders either, however many an upload names.
func TestAFullPlanTakesNoFolders(t *testing.T) {
	home := newHome(t, siteUID)
	j := openJail(t, home, siteUID)
	must(t, j.MkdirAll("www/old"))
	j.Within(disk.NewLedger(disk.Config{Path: home, Load: func(context.Context, []hosting.AccountID) (map[hosting.AccountID]disk.State, error) {
		return map[hosting.AccountID]disk.State{1: {Used: 1 << 30, Limit: 1 << 30}}, nil
	}}).Space(1, 1))
	must(t, j.MkdirAll("www/old"))
	if err := j.MkdirAll("www/old/a/b/c"); !errors.Is(err, disk.ErrFull) {
		t.Errorf("made with nothing left: %v", err)
	}
	if _, err := os.Stat(filepath.Join(home, "www/old/a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a part of it is there: %v", err)
	}
}
