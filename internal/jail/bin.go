package jail

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"cancale/internal/disk"
)

// The bin of a site is a directory on the file system of its home, outside of
// it, so that neither its web server nor its PHP nor an FTP path leads there.
// What is deleted is renamed into it: to SLOT/PATH, the slot being the hour of
// the deletion and the path the one in the home. Where that is taken already,
// the slot gets a suffix. Nothing but the names says where things came from.

// bin is where a jail puts what is removed.
type bin struct {
	path   string // of the directory, in the hands of root alone but for itself
	prefix string // of the jail's root in the home

	mu    sync.Mutex
	above *os.Root // the directory of all bins, opened as the daemon
	root  *os.Root
	// The directory that was put into last, for things are deleted by folders.
	dir     *os.File
	dirName string
}

// UseBin has what is removed put into a bin: a directory of the site's own, at
// a path that is in the hands of root alone.
func (j *Jail) UseBin(path string) { j.bin = &bin{path: path} }

// within is the bin of a jail of a folder.
func (b *bin) within(folder string) *bin {
	if b == nil {
		return nil
	}
	return &bin{path: b.path, prefix: path.Join(b.prefix, folder)}
}

func (b *bin) close() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forget()
	if b.root != nil {
		_ = b.root.Close()
		b.root = nil
	}
	if b.above != nil {
		_ = b.above.Close()
		b.above = nil
	}
}

// reach opens the directory of all bins, which is root's, as the daemon.
func (b *bin) reach() (err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.above == nil {
		b.above, err = os.OpenRoot(path.Dir(b.path))
	}
	return err
}

func (b *bin) forget() {
	if b.dir != nil {
		_ = b.dir.Close()
	}
	b.dir, b.dirName = nil, ""
}

// open opens the bin; it is called under the site's identity, with mu held.
func (b *bin) open() (err error) {
	if b.root == nil {
		b.root, err = b.above.OpenRoot(path.Base(b.path))
	}
	return err
}

// passing are the folders of a home whose content is not worth keeping.
var passing = []string{"tmp", "sessions"}

// place is where in the home a name is, and whether it is kept when it is
// removed.
func (b *bin) place(name string) (full string, kept bool) {
	if b == nil {
		return "", false
	}
	full = strings.TrimPrefix(path.Clean("/"+b.prefix+"/"+name), "/")
	top, rest, _ := strings.Cut(full, "/")
	kept = rest != "" && !slices.Contains(passing, top) && !strings.HasPrefix(path.Base(full), tempPrefix)
	return full, kept && b.reach() == nil
}

// slotFormat names the hour of a deletion.
const slotFormat = "20060102T15"

var slotName = regexp.MustCompile(`^\d{8}T\d{2}(-[0-9A-Za-z]{1,26})?$`)

// BinTime is when what lies in a slot was deleted, within the hour.
func BinTime(slot string) (time.Time, bool) {
	if !slotName.MatchString(slot) {
		return time.Time{}, false
	}
	at, err := time.Parse(slotFormat, slot[:len(slotFormat)])
	return at, err == nil
}

// variants is how many names a slot has before chance gives one.
const variants = 8

// take moves a name of an open directory into the bin, as full; it is called
// under the site's identity.
func (b *bin) take(dir directory, base, full string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.open(); err != nil {
		return err
	}
	slot := time.Now().UTC().Format(slotFormat)
	for n := range variants + 1 {
		into := slot
		switch {
		case n == variants:
			into += "-" + rand.Text()
		case n > 0:
			into += fmt.Sprintf("-%d", n)
		}
		err := b.takeInto(dir, base, path.Join(into, path.Dir(full)))
		if errors.Is(err, unix.ENOENT) && b.dir != nil { // what was remembered is gone
			b.forget()
			err = b.takeInto(dir, base, path.Join(into, path.Dir(full)))
		}
		if !errors.Is(err, unix.EEXIST) && !errors.Is(err, unix.ENOTDIR) {
			return err
		}
	}
	return unix.EEXIST
}

func (b *bin) takeInto(dir directory, base, into string) error {
	if b.dir == nil || b.dirName != into {
		b.forget()
		if err := b.root.MkdirAll(into, dirMode); err != nil {
			return err
		}
		d, err := b.root.OpenFile(into, openDir, 0)
		if err != nil {
			return err
		}
		b.dir, b.dirName = d, into
	}
	return unix.Renameat2(int(dir.Fd()), base, int(b.dir.Fd()), base, unix.RENAME_NOREPLACE)
}

// remember notes that a folder was there, which was empty when it was removed.
func (b *bin) remember(full string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open() == nil {
		_ = b.root.MkdirAll(path.Join(time.Now().UTC().Format(slotFormat), full), dirMode) // better than nothing when it fails
	}
}

// RemoveTree removes a file, or a directory with all that it holds: into the
// bin, by one rename, where there is one.
func (j *Jail) RemoveTree(name string) error {
	if isRoot(name) {
		return ErrRoot
	}
	full, kept := j.bin.place(name)
	var freed int64
	err := j.id.do(func() error {
		dir, base, err := j.parent(name)
		if err != nil {
			return err
		}
		defer dir.Close()
		if kept && j.bin.take(dir, base, full) == nil {
			return nil
		}
		freed, err = removeTree(dir, base, nil, 0)
		return wrap("remove", name, err)
	})
	j.space.Freed(freed)
	return err
}

// maxDepth bounds the directories that are held open; what lies deeper is first
// moved up. A site can nest directories without end.
const maxDepth = 64

// removeTree removes a name of an open directory and what lies beneath it, and
// says how much that made free. It follows no link. It is called under the
// site's identity. top is where what lies too deep is moved, nil at first.
func removeTree(dir directory, base string, top directory, depth int) (freed int64, err error) {
	var st unix.Stat_t
	fd := int(dir.Fd())
	if err := unix.Fstatat(fd, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return 0, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		if err := unix.Unlinkat(fd, base, 0); err != nil {
			return 0, err
		}
		if st.Nlink > 1 { // its other names still hold it
			return 0, nil
		}
		return disk.Taken(&st), nil
	}
	if depth > maxDepth {
		return 0, unix.Renameat(fd, base, int(top.Fd()), tempPrefix+rand.Text())
	}
	sub, err := openBeneath(fd, base)
	if errors.Is(err, unix.EACCES) && unix.Fchmodat(fd, base, 0o700, 0) == nil { // the site's own, shut by itself
		sub, err = openBeneath(fd, base)
	}
	if err != nil {
		return 0, err
	}
	defer sub.Close()
	if top == nil {
		top = sub
	}
	for range rounds {
		names, _ := sub.Readdirnames(batch)
		if len(names) == 0 {
			err = unix.Unlinkat(fd, base, unix.AT_REMOVEDIR)
			if !errors.Is(err, unix.ENOTEMPTY) {
				break
			}
			if _, err = sub.Seek(0, 0); err != nil { // somebody puts more into it
				break
			}
		}
		for _, name := range names {
			n, err := removeTree(sub, name, top, depth+1)
			freed += n
			if err != nil && !errors.Is(err, unix.ENOENT) {
				return freed, err
			}
		}
	}
	if err == nil {
		freed += disk.Size(0)
	}
	return freed, err
}

// rounds bounds how often a directory is read on.
const rounds = 1 << 20

func openBeneath(at int, name string) (*os.File, error) {
	fd, err := unix.Openat(at, name, openDir|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// BinEntry is something that was deleted: a file, or a folder with all that it
// held.
type BinEntry struct {
	Slot    string
	Path    string // in the home
	Dir     bool
	Size    int64 // of a file
	Deleted time.Time
}

const (
	// maxListed bounds what a listing of the bin holds; maxLooked how much it
	// looks at to find that.
	maxListed = 20_000
	maxLooked = 200_000
)

// Bin lists what was deleted, the latest first; more says that there is more
// than the list holds. A folder that is no longer in the home is one entry; one
// that is there again, or still, shows what was deleted from it. Only paths
// that hold the text, in any case, are listed.
func (j *Jail) Bin(text string) (entries []BinEntry, more bool, err error) {
	if j.bin == nil {
		return nil, false, nil
	}
	l := binListing{jail: j, text: strings.ToLower(text)}
	err = j.inBin(func(root *os.Root) error {
		slots, err := binSlots(root)
		for _, slot := range slots {
			at, _ := BinTime(slot)
			l.folder(root, slot, "", at, 0)
		}
		return err
	})
	slices.SortStableFunc(l.found, func(a, b BinEntry) int {
		return cmp.Or(b.Deleted.Compare(a.Deleted), strings.Compare(a.Path, b.Path))
	})
	return l.found, l.more, err
}

// inBin runs fn with the bin, under the site's identity. A bin that does not
// exist has nothing to show.
func (j *Jail) inBin(fn func(*os.Root) error) error {
	err := j.bin.reach()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return j.id.do(func() error {
		root, err := j.bin.above.OpenRoot(path.Base(j.bin.path))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		defer root.Close()
		return fn(root)
	})
}

// binSlots are the slots of a bin, the latest first.
func binSlots(root *os.Root) ([]string, error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	slots := slices.DeleteFunc(names, func(name string) bool { return !slotName.MatchString(name) })
	slices.SortFunc(slots, func(a, b string) int { return strings.Compare(b, a) })
	return slots, err
}

type binListing struct {
	jail   *Jail
	text   string
	found  []BinEntry
	looked int
	more   bool
}

// folder lists what a folder of a slot holds.
func (l *binListing) folder(root *os.Root, slot, folder string, at time.Time, depth int) {
	dir, err := root.OpenFile(path.Join(slot, folder), openDir|unix.O_NOFOLLOW, 0)
	if err != nil {
		return // gone meanwhile
	}
	defer dir.Close()
	for !l.more {
		infos, err := dir.Readdir(batch)
		for _, info := range infos {
			if l.looked++; l.looked > maxLooked || len(l.found) >= maxListed {
				l.more = true
				return
			}
			l.entry(root, slot, path.Join(folder, info.Name()), info, at, depth)
		}
		if err != nil || len(infos) == 0 {
			return
		}
	}
}

func (l *binListing) entry(root *os.Root, slot, name string, info fs.FileInfo, at time.Time, depth int) {
	if info.IsDir() && depth < maxDepth {
		live, err := l.jail.root.Lstat(name)
		if err == nil && live.IsDir() {
			l.folder(root, slot, name, at, depth+1)
			return
		}
	}
	if l.text != "" && !strings.Contains(strings.ToLower(name), l.text) {
		return
	}
	e := BinEntry{Slot: slot, Path: name, Dir: info.IsDir(), Deleted: at}
	if !e.Dir {
		e.Size = info.Size()
	}
	if st, ok := (Entry{FileInfo: info}).changed(); ok && st.After(at) && st.Before(at.Add(time.Hour)) {
		e.Deleted = st // a rename changes the inode
	}
	l.found = append(l.found, e)
}

// ErrBinGone says that something is no longer in the bin.
var ErrBinGone = errors.New("jail: no longer in the bin")

// binName checks what names something in the bin.
func binName(slot, name string) (string, error) {
	clean := strings.TrimPrefix(path.Clean("/"+name), "/")
	if !slotName.MatchString(slot) || clean == "" || clean != name {
		return "", ErrBinGone
	}
	return path.Join(slot, clean), nil
}

// parentIn opens the directory of a root that holds a name.
func parentIn(root *os.Root, name string) (*os.File, string, error) {
	dir, err := root.OpenFile(path.Dir(name), openDir, 0)
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrBinGone
	}
	return dir, path.Base(name), err
}

// Restore brings something back from the bin, as to. What is there already
// stays: the answer is then fs.ErrExist.
func (j *Jail) Restore(slot, name, to string) error {
	from, err := binName(slot, name)
	if err != nil {
		return err
	}
	if isRoot(to) {
		return ErrRoot
	}
	if j.bin == nil {
		return ErrBinGone
	}
	done := false
	err = j.inBin(func(root *os.Root) error {
		done = true
		dir, base, err := parentIn(root, from)
		if err != nil {
			return err
		}
		defer dir.Close()
		to = strings.TrimPrefix(path.Clean("/"+to), "/")
		if err := j.root.MkdirAll(path.Dir(to), dirMode); err != nil {
			return err
		}
		into, name, err := j.parent(to)
		if err != nil {
			return err
		}
		defer into.Close()
		switch err := unix.Renameat2(int(dir.Fd()), base, int(into.Fd()), name, unix.RENAME_NOREPLACE); {
		case errors.Is(err, unix.ENOENT):
			return ErrBinGone
		case err != nil:
			return wrap("restore", to, err)
		}
		tidy(root, path.Dir(from))
		return nil
	})
	if err == nil && !done {
		err = ErrBinGone
	}
	return err
}

// tidy removes a folder of the bin and those above it as far as they are empty.
func tidy(root *os.Root, name string) {
	for ; name != "."; name = path.Dir(name) {
		dir, base, err := parentIn(root, name)
		if err != nil {
			return
		}
		err = unix.Unlinkat(int(dir.Fd()), base, unix.AT_REMOVEDIR)
		_ = dir.Close()
		if err != nil {
			return
		}
	}
}

// Purge removes something from the bin for good.
func (j *Jail) Purge(slot, name string) error {
	from, err := binName(slot, name)
	if err != nil {
		return err
	}
	if j.bin == nil {
		return ErrBinGone
	}
	var freed int64
	err = j.inBin(func(root *os.Root) error {
		dir, base, err := parentIn(root, from)
		if err != nil {
			return err
		}
		defer dir.Close()
		freed, err = removeTree(dir, base, nil, 0)
		if errors.Is(err, unix.ENOENT) {
			return ErrBinGone
		}
		tidy(root, path.Dir(from))
		return wrap("purge", name, err)
	})
	j.space.Freed(freed)
	return err
}

// Reclaim removes the oldest things in the bin until so much is free again, or
// nothing is left, and says how much that was; unlike Purge it does not count
// it. A negative need empties the bin.
func (j *Jail) Reclaim(need int64) (freed int64, err error) {
	if j.bin == nil {
		return 0, nil
	}
	err = j.inBin(func(root *os.Root) error {
		slots, err := binSlots(root)
		if err != nil {
			return err
		}
		top, err := root.Open(".")
		if err != nil {
			return err
		}
		defer top.Close()
		for _, slot := range slices.Backward(slots) {
			if need >= 0 && freed >= need {
				break
			}
			n, err := removeTree(top, slot, nil, 0)
			freed += n
			if err != nil && !errors.Is(err, unix.ENOENT) {
				return wrap("purge", slot, err)
			}
		}
		return nil
	})
	return freed, err
}

// EmptyBin removes all that is in the bin for good.
func (j *Jail) EmptyBin() error {
	freed, err := j.Reclaim(-1)
	j.space.Freed(freed)
	return err
}
