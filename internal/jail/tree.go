package jail

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"

	"golang.org/x/sys/unix"
)

// Move gives something another name, in its folder or in another one, and
// never takes the place of anything: the error is then fs.ErrExist.
func (j *Jail) Move(from, to string) error {
	if isRoot(from) || isRoot(to) {
		return ErrRoot
	}
	return j.id.do(func() error {
		source, base, err := j.parent(from)
		if err != nil {
			return err
		}
		defer source.Close()
		target, name, err := j.parent(to)
		if err != nil {
			return err
		}
		defer target.Close()
		return wrap("rename", to, unix.Renameat2(int(source.Fd()), base, int(target.Fd()), name, unix.RENAME_NOREPLACE))
	})
}

// ErrStop ends a walk without being an error.
var ErrStop = errors.New("jail: enough")

// maxWalk bounds how deep a walk goes; a path of the kernel is shorter than that.
const maxWalk = 2048

// Walk calls fn with everything beneath a folder, a folder before what is in
// it, links as themselves. A folder for which fn answers fs.SkipDir is not
// entered, one that cannot be read is left out. ErrStop of fn ends it.
func (j *Jail) Walk(folder string, fn func(name string, e Entry) error) error {
	err := j.walk(local(folder), 0, fn)
	if errors.Is(err, ErrStop) {
		return nil
	}
	return err
}

func (j *Jail) walk(folder string, depth int, fn func(string, Entry) error) error {
	var folders []string
	err := j.List(folder, func(entries []Entry) error {
		for _, e := range entries {
			name := path.Join(folder, e.Name())
			switch err := fn(name, e); {
			case errors.Is(err, fs.SkipDir):
			case err != nil:
				return err
			case e.IsDir() && depth < maxWalk:
				folders = append(folders, name)
			}
		}
		return nil
	})
	switch {
	case depth > 0 && (errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR)):
		return nil
	case err != nil:
		return err
	}
	for _, name := range folders {
		if err := j.walk(name, depth+1, fn); err != nil {
			return err
		}
	}
	return nil
}

// Names calls fn with the names in a directory and what the directory itself
// says that each is, some at a time, in no order. It is much quicker than List.
func (j *Jail) Names(name string, fn func([]fs.DirEntry) error) error {
	var dir *os.File
	err := j.id.do(func() (err error) {
		dir, err = j.root.OpenFile(local(name), openDir, 0)
		return err
	})
	if err != nil {
		return err
	}
	defer dir.Close()
	for {
		var entries []fs.DirEntry
		err := j.id.do(func() (err error) {
			entries, err = dir.ReadDir(4 * batch)
			entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return inProgress(e.Name()) })
			return err
		})
		if len(entries) > 0 {
			if err := fn(entries); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
