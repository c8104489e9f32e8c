package jail

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// withBin is a home, its jail and its bin.
func withBin(t *testing.T) (home, bin string, j *Jail) {
	t.Helper()
	home = newHome(t, siteUID)
	bin = filepath.Join(filepath.Dir(home), "bin")
	must(t, os.Mkdir(bin, 0o700))
	must(t, os.Chown(bin, siteUID, siteUID))
	j = openJail(t, home, siteUID)
	j.UseBin(bin)
	return home, bin, j
}

func deleted(t *testing.T, j *Jail, text string) []BinEntry {
	t.Helper()
	list, more, err := j.Bin(text)
	must(t, err)
	if more {
		t.Error("there is more")
	}
	return list
}

func paths(list []BinEntry) []string {
	var found []string
	for _, e := range list {
		found = append(found, e.Path)
	}
	slices.Sort(found)
	return found
}

func TestWhatIsRemovedCanBeRestored(t *testing.T) {
	_, bin, j := withBin(t)
	must(t, j.MkdirAll("www/theme/img"))
	for _, name := range []string{"www/a.txt", "www/theme/style.css", "www/theme/img/x.png"} {
		put(t, j, name, "first "+name)
	}
	must(t, j.Mkdir("www/theme/empty"))
	must(t, j.Remove("www/a.txt"))
	for _, name := range []string{"www/theme/style.css", "www/theme/img/x.png"} {
		must(t, j.Remove(name))
	}
	for _, name := range []string{"www/theme/img", "www/theme/empty", "www/theme"} {
		must(t, j.RemoveDir(name))
	}
	list := deleted(t, j, "")
	if got := paths(list); !slices.Equal(got, []string{"www/a.txt", "www/theme"}) {
		t.Fatalf("a folder that is gone is one entry: %q", got)
	}
	if at := list[0].Deleted; time.Since(at) > time.Minute || at.After(time.Now()) {
		t.Errorf("deleted %v", at)
	}
	if got := paths(deleted(t, j, "THEME")); !slices.Equal(got, []string{"www/theme"}) {
		t.Errorf("looked for: %q", got)
	}
	for _, e := range list {
		must(t, j.Restore(e.Slot, e.Path, e.Path))
	}
	if got := get(t, j, "www/theme/img/x.png"); got != "first www/theme/img/x.png" {
		t.Errorf("%q", got)
	}
	if info, err := j.Stat("www/theme/empty"); err != nil || !info.IsDir() {
		t.Errorf("an empty folder comes back, too: %v", err)
	}
	if left, err := os.ReadDir(bin); err != nil || len(left) > 0 {
		t.Errorf("the bin still has %v, %v", left, err)
	}
}

func TestOneNameDeletedAgainAndAgain(t *testing.T) {
	_, _, j := withBin(t)
	for i := range 2 * variants {
		put(t, j, "www/a.txt", strconv.Itoa(i))
		must(t, j.Remove("www/a.txt"))
	}
	must(t, j.Mkdir("www/a.txt")) // now a folder
	put(t, j, "www/a.txt/b", "b")
	must(t, j.Remove("www/a.txt/b"))
	must(t, j.RemoveDir("www/a.txt"))
	list := deleted(t, j, "a.txt")
	if len(list) < 2*variants {
		t.Fatalf("%d of %d can be restored", len(list), 2*variants)
	}
	seen := map[string]bool{}
	for i, e := range list {
		if e.Dir {
			continue
		}
		to := fmt.Sprintf("www/back-%d", i)
		must(t, j.Restore(e.Slot, e.Path, to))
		seen[get(t, j, to)] = true
	}
	if len(seen) != 2*variants {
		t.Errorf("restored %v", seen)
	}
}

func TestRestoringNeverReplaces(t *testing.T) {
	_, _, j := withBin(t)
	put(t, j, "www/a.txt", "old")
	must(t, j.Remove("www/a.txt"))
	put(t, j, "www/a.txt", "new")
	e := deleted(t, j, "")[0]
	if err := j.Restore(e.Slot, e.Path, e.Path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v", err)
	}
	if got := get(t, j, "www/a.txt"); got != "new" {
		t.Errorf("%q", got)
	}
	must(t, j.Restore(e.Slot, e.Path, "www/deeper/a-restored.txt"))
	if got := get(t, j, "www/deeper/a-restored.txt"); got != "old" {
		t.Errorf("%q", got)
	}
	if err := j.Restore(e.Slot, e.Path, "www/again"); !errors.Is(err, ErrBinGone) {
		t.Errorf("restored twice: %v", err)
	}
}

func TestWhatIsNotKept(t *testing.T) {
	home, bin, j := withBin(t)
	for _, dir := range []string{"tmp", "sessions"} {
		must(t, os.Mkdir(filepath.Join(home, dir), 0o700))
		must(t, os.Chown(filepath.Join(home, dir), siteUID, siteUID))
		put(t, j, dir+"/x", "x")
		must(t, j.Remove(dir+"/x"))
	}
	u, err := j.Create("www/broken")
	must(t, err)
	must(t, u.Discard())
	if left, _ := os.ReadDir(bin); len(left) > 0 {
		t.Errorf("%v", left)
	}
	must(t, os.Remove(bin))
	put(t, j, "www/a", "a")
	must(t, j.Remove("www/a")) // without a bin it is gone
	if list := deleted(t, j, ""); len(list) > 0 {
		t.Errorf("%v", list)
	}
}

func TestAFolderIsRemovedWhole(t *testing.T) {
	_, _, j := withBin(t)
	must(t, j.MkdirAll("www/big/deep"))
	for i := range 100 {
		put(t, j, fmt.Sprintf("www/big/deep/%d", i), "x")
	}
	must(t, j.RemoveTree("www/big"))
	list := deleted(t, j, "")
	if len(list) != 1 || !list[0].Dir || list[0].Path != "www/big" {
		t.Fatalf("%+v", list)
	}
	must(t, j.Purge(list[0].Slot, list[0].Path))
	if list := deleted(t, j, ""); len(list) > 0 {
		t.Errorf("%+v", list)
	}
	if err := j.Purge(list[0].Slot, list[0].Path); !errors.Is(err, ErrBinGone) {
		t.Errorf("%v", err)
	}
	sub, err := j.Sub("www")
	must(t, err)
	defer sub.Close()
	must(t, sub.Mkdir("folder"))
	put(t, sub, "folder/a", "a")
	must(t, sub.RemoveTree("folder"))
	if got := paths(deleted(t, j, "")); !slices.Equal(got, []string{"www/folder"}) {
		t.Errorf("from within a folder: %q", got)
	}
}

func TestOldestThingsGoFirst(t *testing.T) {
	_, bin, j := withBin(t)
	put(t, j, "www/old", strings.Repeat("o", 100_000))
	must(t, j.Remove("www/old"))
	slots, err := os.ReadDir(bin)
	must(t, err)
	must(t, os.Rename(filepath.Join(bin, slots[0].Name()), filepath.Join(bin, "20200101T00")))
	j.bin.forget()
	put(t, j, "www/new", strings.Repeat("n", 100_000))
	must(t, j.Remove("www/new"))
	freed, err := j.Reclaim(50_000)
	if err != nil || freed < 100_000 || freed > 120_000 {
		t.Errorf("%d, %v", freed, err)
	}
	if got := paths(deleted(t, j, "")); !slices.Equal(got, []string{"www/new"}) {
		t.Errorf("%q", got)
	}
	must(t, j.EmptyBin())
	if left, _ := os.ReadDir(bin); len(left) > 0 {
		t.Errorf("%v", left)
	}
}

// What a site's own processes can do to things while they lie in the bin: they
// may hold a folder open that was moved there, and have the site's rights.
func TestAHostileBin(t *testing.T) {
	home, bin, j := withBin(t)
	outside := filepath.Join(filepath.Dir(home), "outside")
	must(t, os.Mkdir(outside, 0o777))
	must(t, os.Chmod(outside, 0o777))
	secret := filepath.Join(outside, "secret")
	must(t, os.WriteFile(secret, []byte("secret"), 0o666))
	must(t, os.Chmod(secret, 0o666))

	must(t, j.Mkdir("www/folder"))
	put(t, j, "www/folder/a", "a")
	must(t, j.RemoveTree("www/folder"))
	e := deleted(t, j, "")[0]
	inBin := filepath.Join(bin, e.Slot, e.Path)
	for name, target := range map[string]string{"out": outside, "file": secret, "root": "/", "up": "../../../.."} {
		must(t, os.Symlink(target, filepath.Join(inBin, name)))
	}
	must(t, unix.Mkfifo(filepath.Join(inBin, "pipe"), 0o666))
	deep := inBin
	for range 300 {
		deep = filepath.Join(deep, "d")
		must(t, os.Mkdir(deep, 0o777))
	}
	must(t, chownTree(inBin))
	must(t, os.Symlink(outside, filepath.Join(bin, "20200101T00"))) // a slot that is a link
	must(t, os.Symlink(outside, filepath.Join(bin, "20200101T01-x")))

	for _, attack := range []struct{ slot, path string }{
		{e.Slot, "../../outside/secret"},
		{"..", "outside/secret"},
		{"20200101T00", "secret"},
		{"20200101T01-x", "secret"},
		{e.Slot, "www/folder/out/secret"},
		{e.Slot, "/www/folder"},
		{e.Slot, ""},
		{e.Slot, "."},
		{"", "www/folder"},
		{e.Slot + "/..", "www"},
	} {
		if err := j.Restore(attack.slot, attack.path, "www/stolen"); err == nil {
			t.Errorf("%q %q was restored", attack.slot, attack.path)
		}
		if err := j.Purge(attack.slot, attack.path); err == nil {
			t.Errorf("%q %q was purged", attack.slot, attack.path)
		}
	}
	must(t, os.Symlink(outside, filepath.Join(home, "www", "way")))
	for _, to := range []string{"../stolen", "../../outside/stolen", "www/way/stolen", "", "/"} {
		if err := j.Restore(e.Slot, e.Path, to); err == nil {
			if _, err := os.Lstat(filepath.Join(outside, "stolen")); err == nil {
				t.Fatalf("restored outside, to %q", to)
			}
		}
	}
	_ = deleted(t, j, "")
	must(t, j.EmptyBin())
	if b, err := os.ReadFile(secret); err != nil || string(b) != "secret" {
		t.Errorf("outside: %q, %v", b, err)
	}
	if left, _ := os.ReadDir(bin); len(left) > 0 {
		t.Errorf("left in the bin: %v", left)
	}
}

func chownTree(root string) error {
	return filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, siteUID, siteUID)
	})
}

func TestManyAreDeletedFast(t *testing.T) {
	const many = 2000
	home, _, j := withBin(t)
	dir := filepath.Join(home, "www", "many")
	must(t, os.Mkdir(dir, 0o755))
	for i := range many {
		must(t, os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), nil, 0o644))
	}
	must(t, chownTree(dir))
	begun := time.Now()
	for i := range many {
		must(t, j.Remove("www/many/"+strconv.Itoa(i)))
	}
	took := time.Since(begun)
	t.Logf("%d deletions in %v", many, took)
	if took > 10*time.Second {
		t.Errorf("%d deletions took %v", many, took)
	}
	if n := len(deleted(t, j, "")); n != many {
		t.Errorf("%d can be restored", n)
	}
}
