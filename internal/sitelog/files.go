package sitelog

import (
	"container/list"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"cancale/internal/config"
)

// limits of the files; zero values mean the defaults.
type limits struct {
	open int           // files held open
	size int64         // of one file, before another is begun
	kept int           // older files kept beside it
	look time.Duration // how often a file that is held open is looked for by its name
}

func (l limits) orDefaults() limits {
	d := limits{open: 256, size: 10 << 20, kept: 3, look: 2 * time.Second}
	if l.open > 0 {
		d.open = l.open
	}
	if l.size > 0 {
		d.size = l.size
	}
	if l.kept > 0 {
		d.kept = l.kept
	}
	if l.look > 0 {
		d.look = l.look
	}
	return d
}

// files are the log files, the ones written last held open.
type files struct {
	layout config.Layout
	limits limits
	open   map[target]*list.Element
	recent *list.List // of *file, the one written last in front
}

type file struct {
	target target
	f      *os.File
	size   int64
	looked time.Time
}

func newFiles(layout config.Layout, l limits) *files {
	return &files{layout: layout, limits: l, open: map[target]*list.Element{}, recent: list.New()}
}

// directory holds the files of a site, or of the server for site 0.
func (s *files) directory(site uint64) string {
	if site == 0 {
		return s.layout.In("log", "server")
	}
	return s.layout.SiteLogs(site)
}

func (t target) name() string {
	if t.error {
		return "error.log"
	}
	return "access.log"
}

// write appends whole lines to a file.
func (s *files) write(to target, data []byte) error {
	f, err := s.file(to)
	if err != nil {
		return err
	}
	if f.size > 0 && f.size+int64(len(data)) > s.limits.size {
		if f, err = s.rotate(f); err != nil {
			return err
		}
	}
	// Another program of ours may append as well, for Apache's last
	// configuration: O_APPEND keeps each write whole.
	n, err := f.f.Write(data)
	f.size += int64(n)
	if err != nil {
		s.forget(to)
		return fmt.Errorf("sitelog: %w", err)
	}
	return nil
}

// file is an open file, which is still the one that its name leads to.
func (s *files) file(to target) (*file, error) {
	if e, ok := s.open[to]; ok {
		f := e.Value.(*file)
		if time.Since(f.looked) < s.limits.look || s.current(f) {
			s.recent.MoveToFront(e)
			return f, nil
		}
		s.forget(to)
	}
	for len(s.open) >= s.limits.open {
		s.forget(s.recent.Back().Value.(*file).target)
	}
	f, err := s.openFile(to)
	if err != nil {
		return nil, fmt.Errorf("sitelog: %w", err)
	}
	s.open[to] = s.recent.PushFront(f)
	return f, nil
}

func (s *files) openFile(to target) (*file, error) {
	dir := s.directory(to.site)
	path := filepath.Join(dir, to.name())
	const flags = os.O_WRONLY | os.O_APPEND | os.O_CREATE | unix.O_NOFOLLOW
	f, err := os.OpenFile(path, flags, 0o640)
	if isMissing(err) {
		if err := os.Mkdir(dir, 0o750); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, err
		}
		f, err = os.OpenFile(path, flags, 0o640)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &file{target: to, f: f, size: info.Size(), looked: time.Now()}, nil
}

// current reports whether the name of a file still leads to it.
func (s *files) current(f *file) bool {
	mine, err := f.f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(f.f.Name())
	if err != nil || !os.SameFile(mine, named) {
		return false
	}
	f.size, f.looked = mine.Size(), time.Now()
	return true
}

// rotate begins a new file and keeps the older ones beside it. Two programs may
// come to it at once: the second finds that it is done.
func (s *files) rotate(f *file) (*file, error) {
	to := f.target
	lock, err := os.Open(s.directory(to.site))
	if err != nil {
		s.forget(to)
		return nil, fmt.Errorf("sitelog: rotate: %w", err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return nil, fmt.Errorf("sitelog: rotate: %w", err)
	}
	if s.current(f) {
		path := f.f.Name()
		for n := s.limits.kept; n > 0; n-- {
			from := path
			if n > 1 {
				from = older(path, n-1)
			}
			if err := os.Rename(from, older(path, n)); err != nil && !isMissing(err) {
				return nil, fmt.Errorf("sitelog: rotate: %w", err)
			}
		}
	}
	s.forget(to)
	return s.file(to)
}

func older(path string, n int) string { return path + "." + strconv.Itoa(n) }

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

func (s *files) forget(to target) {
	if e, ok := s.open[to]; ok {
		_ = e.Value.(*file).f.Close()
		s.recent.Remove(e)
		delete(s.open, to)
	}
}

func (s *files) close() {
	for to := range s.open {
		s.forget(to)
	}
}
