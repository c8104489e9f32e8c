package ftpd

import (
	"io"
	"io/fs"
	"os"
	"time"

	"cancale/internal/jail"
)

// What a session does to files, whatever protocol it speaks. Paths are absolute
// and clean.

// mayAdd and mayChange refuse what the login has no right to.
func (t *tree) mayAdd() error {
	if !t.rights.Adds() {
		return errOnlyReads
	}
	return nil
}

func (t *tree) mayChange() error {
	if err := t.mayAdd(); err != nil {
		return err
	}
	if !t.rights.Changes() {
		return errOnlyAdds
	}
	return nil
}

// stat describes what is at a path, or what a link there leads to.
func (t *tree) stat(p string) (jail.Entry, error) {
	j, name, err := t.find(p)
	if err != nil {
		return jail.Entry{}, err
	}
	if j == nil {
		return jail.Entry{FileInfo: folder{name: "/", made: time.Now()}}, nil
	}
	return j.Stat(name)
}

// describe is stat that shows links as such.
func (t *tree) describe(p string) (jail.Entry, error) {
	j, name, err := t.find(p)
	if err != nil {
		return jail.Entry{}, err
	}
	if j == nil {
		return t.stat(p)
	}
	e, err := j.Lstat(name)
	if err == nil && name == "" {
		e.FileInfo = renamed{e.FileInfo, "/"}
	}
	return e, err
}

// list calls fn with a jail.Entry for each name in a directory, in no order.
func (t *tree) list(p string, fn func(os.FileInfo) error) error {
	j, name, err := t.find(p)
	if err != nil {
		return err
	}
	each := func(entries []jail.Entry) error {
		for _, e := range entries {
			if err := fn(e); err != nil {
				return err
			}
		}
		return nil
	}
	if j == nil {
		return each(t.top())
	}
	return j.List(name, each)
}

// openDir opens a directory to be listed in parts.
func (t *tree) openDir(p string) (entries, error) {
	j, name, err := t.find(p)
	if err != nil {
		return entries{}, err
	}
	if j == nil {
		return entries{top: t.top()}, nil
	}
	dir, err := j.OpenDir(name)
	return entries{dir: dir}, err
}

// entries are those of a directory, or of the top of an account.
type entries struct {
	dir *jail.Dir
	top []jail.Entry
}

// next is some of them; io.EOF says that there are no more.
func (e *entries) next() ([]jail.Entry, error) {
	if e.dir != nil {
		return e.dir.Next(nil)
	}
	if len(e.top) == 0 {
		return nil, io.EOF
	}
	top := e.top
	e.top = nil
	return top, nil
}

func (e *entries) close() error {
	if e.dir == nil {
		return nil
	}
	return e.dir.Close()
}

// left is how much room there is at a path, and of how much that is the rest.
// All sites of an account have the same.
func (t *tree) left(p string) (left, total int64, err error) {
	j, _, err := t.find(p)
	if err != nil {
		return 0, 0, err
	}
	for _, m := range t.mounts {
		if j != nil {
			break
		}
		if j, _, err = t.find("/" + m.site.Host.String()); err != nil {
			j = nil // one that is suspended
		}
	}
	if j == nil {
		return 0, 0, errNotReady
	}
	return j.Left()
}

// open opens a file to read.
func (t *tree) open(p string) (*os.File, fs.FileInfo, error) {
	if !t.rights.Fetches() {
		return nil, nil, errNoFetch
	}
	j, name, err := t.change(p)
	if err != nil {
		return nil, nil, err
	}
	return j.Open(name)
}

// edit opens a file that is there to be written in place, and perhaps read.
// There is room as far as it reaches now.
func (t *tree) edit(p string, read bool) (destination, error) {
	if err := t.mayChange(); err != nil {
		return destination{}, err
	}
	if read && !t.rights.Fetches() {
		return destination{}, errNoFetch
	}
	j, name, err := t.change(p)
	if err != nil {
		return destination{}, err
	}
	open := j.OpenAt
	if read {
		open = j.EditAt
	}
	f, err := open(name, jail.OpenEnd)
	if err != nil {
		return destination{}, err
	}
	return inPlace(j, f)
}

// removeDir removes an empty directory, never a root.
func (t *tree) removeDir(p string) error {
	if err := t.mayChange(); err != nil {
		return err
	}
	j, name, err := t.change(p)
	if err != nil {
		return err
	}
	return j.RemoveDir(name)
}

// removeFile removes a file or a link.
func (t *tree) removeFile(p string) error {
	if err := t.mayChange(); err != nil {
		return err
	}
	j, name, err := t.change(p)
	if err != nil {
		return err
	}
	return j.Remove(name)
}

// rename renames within one site.
func (t *tree) rename(from, to string) error {
	if err := t.mayChange(); err != nil {
		return err
	}
	a, fromName, err := t.change(from)
	if err != nil {
		return err
	}
	b, toName, err := t.change(to)
	if err != nil {
		return err
	}
	if a != b {
		return errTwoSites
	}
	return a.Rename(fromName, toName)
}

// mkdir makes a directory.
func (t *tree) mkdir(p string) error {
	if err := t.mayAdd(); err != nil {
		return err
	}
	j, name, err := t.change(p)
	if err != nil {
		return err
	}
	return j.Mkdir(name)
}

// chmod changes the mode of a file.
func (t *tree) chmod(p string, mode fs.FileMode) error {
	if err := t.mayChange(); err != nil {
		return err
	}
	j, name, err := t.change(p)
	if err != nil {
		return err
	}
	return j.Chmod(name, mode)
}

// touch sets the time of a file.
func (t *tree) touch(p string, modified time.Time) error {
	if err := t.mayChange(); err != nil {
		return err
	}
	j, name, err := t.change(p)
	if err != nil {
		return err
	}
	return j.Chtimes(name, modified)
}

// writable reports whether names may be made in a directory.
func (t *tree) writable(p string) bool {
	j, name, err := t.change(p)
	return err == nil && j.Writable(name)
}
