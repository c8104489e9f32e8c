package sitelog

import (
	"container/list"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"cancale/internal/config"
)

// limits of the files; zero values mean the defaults.
type limits struct {
	open int           // files held open
	size int64         // of one file, before another is begun
	kept int           // full files of one day kept beside it
	look time.Duration // how often a file that is held open is looked for by its name
}

func (l limits) orDefaults() limits {
	d := limits{open: 256, size: 32 << 20, kept: 8, look: 2 * time.Second}
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
	today  today
}

type file struct {
	target target
	f      *os.File
	size   int64
	day    string // of what was written to it last
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

func (t target) kind() Kind {
	if t.error {
		return Errors
	}
	return Access
}

// write appends whole lines to a file.
func (s *files) write(to target, data []byte) error {
	f, err := s.file(to)
	if err != nil {
		return err
	}
	day := s.today.day(time.Now())
	if f.size > 0 && (f.day != day || f.size+int64(len(data)) > s.limits.size) {
		if f, err = s.rotate(f); err != nil {
			return err
		}
	}
	// Another program of ours may append as well, for Apache's last
	// configuration: O_APPEND keeps each write whole.
	n, err := f.f.Write(data)
	f.size += int64(n)
	f.day = day
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
	path := filepath.Join(dir, to.kind().current())
	const flags = os.O_WRONLY | os.O_APPEND | os.O_CREATE | unix.O_NOFOLLOW
	f, err := os.OpenFile(path, flags, 0o640)
	if isMissing(err) {
		if err := makeDir(dir); err != nil {
			return nil, err
		}
		f, err = os.OpenFile(path, flags, 0o640)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() == 0 {
		err = f.Chown(-1, config.PanelUID)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &file{target: to, f: f, size: info.Size(), day: dayOf(info.ModTime()), looked: time.Now()}, nil
}

// makeDir makes a site's directory, which the panel reads and no site.
func makeDir(dir string) error {
	err := os.Mkdir(dir, 0o750)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err == nil {
		err = os.Chown(dir, -1, config.PanelUID)
	}
	return err
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

// rotate begins a new file and keeps the full one beside it, under its day. Two
// programs may come to it at once: the second finds that it is done.
func (s *files) rotate(f *file) (*file, error) {
	to := f.target
	dir := s.directory(to.site)
	lock, err := os.Open(dir)
	if err != nil {
		s.forget(to)
		return nil, fmt.Errorf("sitelog: rotate: %w", err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return nil, fmt.Errorf("sitelog: rotate: %w", err)
	}
	if s.current(f) {
		if err := s.putAside(dir, f); err != nil {
			return nil, fmt.Errorf("sitelog: rotate: %w", err)
		}
	}
	s.forget(to)
	return s.file(to)
}

// putAside gives a full file its name for good; of those of its day the oldest
// go when there are too many.
func (s *files) putAside(dir string, f *file) error {
	next, kept, err := nextSegment(dir, f.target.kind(), f.day)
	if err != nil {
		return err
	}
	for _, old := range kept {
		if old.Day == f.day && old.N <= next.N-s.limits.kept {
			if err := os.Remove(filepath.Join(dir, old.name())); err != nil && !isMissing(err) {
				return err
			}
		}
	}
	return os.Rename(f.f.Name(), filepath.Join(dir, next.name()))
}

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
