package files

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"cancale/internal/ftplink"
	"cancale/internal/hosting"
	"cancale/internal/jail"
	"cancale/internal/store"
)

// Made is what an act made: the path of what it is now.
type Made struct {
	Path    []byte `json:"path"`
	Count   int    `json:"count"`   // of files
	Skipped int    `json:"skipped"` // links, and what is neither file nor folder
}

// newName is the folder and the name of something new.
func (v *visit) newName() (hosting.FilePath, error) {
	folder, err := v.path("path")
	if err != nil {
		return "", err
	}
	name, err := hosting.ParseFileName("name", v.values.Get("name"))
	if err != nil {
		return "", err
	}
	return folder.Join(string(name)), nil
}

// inName says that a refusal is about the name that was typed.
func inName(err error, p hosting.FilePath) error {
	if errors.Is(err, fs.ErrExist) {
		return hosting.Refuse(hosting.Conflict, "name", "files.exists", visible(p.Base()))
	}
	return err
}

// named ends an act that gave a name, unless err refused it: it tells the audit
// log, and answers where the thing is now.
func (v *visit) named(w http.ResponseWriter, p hosting.FilePath, audited string, act store.FileAct, err error) error {
	if err != nil {
		return inName(err, p)
	}
	if err := v.audit(audited, act); err != nil {
		return err
	}
	return ftplink.Answer(w, Made{Path: []byte(p)})
}

// makeFolder is POST folder: path, name.
func makeFolder(v *visit, w http.ResponseWriter) error {
	p, err := v.newName()
	if err != nil {
		return err
	}
	err = v.jail.Mkdir(string(p))
	v.note(hosting.Made, p, "", 0, err)
	return v.named(w, p, "files.create_folder", store.FileAct{Path: string(p)}, err)
}

// makeFile is POST file: path, name. The file is empty.
func makeFile(v *visit, w http.ResponseWriter) error {
	p, err := v.newName()
	if err != nil {
		return err
	}
	u, err := v.jail.CreateNew(string(p))
	if err == nil {
		err = u.Commit()
	}
	v.note(hosting.Sent, p, "", 0, err)
	return v.named(w, p, "files.create_file", store.FileAct{Path: string(p)}, err)
}

// rename is POST rename: path, name.
func rename(v *visit, w http.ResponseWriter) error {
	from, err := v.path("path")
	if err != nil {
		return err
	}
	name, err := hosting.ParseFileName("name", v.values.Get("name"))
	if err != nil {
		return err
	}
	to := from.Folder().Join(string(name))
	if to == from {
		return ftplink.Answer(w, Made{Path: []byte(to)})
	}
	err = v.jail.Move(string(from), string(to))
	v.note(hosting.Renamed, from, to, 0, err)
	return v.named(w, to, "files.rename", store.FileAct{Path: string(from), To: string(to)}, err)
}

// move is POST move: path (several), to. Nothing is replaced.
func move(v *visit, w http.ResponseWriter) error {
	paths, to, err := v.pathsTo()
	if err != nil {
		return err
	}
	for _, p := range paths { // before the first is moved
		if _, err := v.jail.Lstat(string(to.Join(p.Base()))); err == nil {
			return hosting.Refuse(hosting.Conflict, "to", "files.exists", visible(p.Base()))
		}
	}
	var moved int
	for _, p := range paths {
		err = v.jail.Move(string(p), string(to.Join(p.Base())))
		v.note(hosting.Renamed, p, to.Join(p.Base()), 0, err)
		if err != nil {
			break
		}
		moved++
	}
	if moved > 0 {
		err = errors.Join(err, v.audit("files.move", store.FileAct{Path: string(paths[0]), To: string(to), Count: moved}))
	}
	if err != nil {
		return err
	}
	return ftplink.Answer(w, Made{Path: []byte(to), Count: moved})
}

// pathsTo are the files of an act and the folder that they go to.
func (v *visit) pathsTo() (paths []hosting.FilePath, to hosting.FilePath, err error) {
	if paths, err = v.paths(); err != nil {
		return nil, "", err
	}
	if to, err = v.path("to"); err != nil {
		return nil, "", err
	}
	for _, p := range paths {
		if to.Within(p) {
			return nil, "", hosting.Refuse(hosting.Conflict, "to", "files.into_itself", visible(p.Base()))
		}
	}
	info, err := v.jail.Stat(string(to))
	if err == nil && !info.IsDir() {
		err = fs.ErrNotExist
	}
	return paths, to, err
}

// maxCopies is how many files and folders one act copies.
const maxCopies = 100_000

// duplicate is POST copy: path (several), to. A copy beside something of its
// name gets a number.
func duplicate(v *visit, w http.ResponseWriter) error {
	paths, to, err := v.pathsTo()
	if err != nil {
		return err
	}
	done, err := v.work()
	if err != nil {
		return err
	}
	defer done()
	var made Made
	for _, p := range paths {
		var target hosting.FilePath
		if target, err = v.freeName(to, p.Base()); err != nil {
			break
		}
		made.Path = []byte(target)
		var bytes int64
		bytes, err = v.copyTree(p, target, &made)
		v.note(hosting.Copied, p, target, bytes, err)
		if err != nil {
			break
		}
	}
	if made.Count > 0 {
		err = errors.Join(err, v.audit("files.copy", store.FileAct{Path: string(paths[0]), To: string(to), Count: len(paths)}))
	}
	if err != nil {
		return err
	}
	if len(paths) > 1 {
		made.Path = []byte(to)
	}
	return ftplink.Answer(w, made)
}

// freeName is a path in a folder that nothing has: the name, or the name with a
// number before its ending.
func (v *visit) freeName(folder hosting.FilePath, name string) (hosting.FilePath, error) {
	ending := path.Ext(name)
	stem := strings.TrimSuffix(name, ending)
	if stem == "" {
		stem, ending = name, ""
	}
	const tries = 1000
	for n := 1; n <= tries; n++ {
		candidate := name
		if n > 1 {
			candidate = fmt.Sprintf("%s (%d)%s", stem, n, ending)
		}
		_, err := v.jail.Lstat(string(folder.Join(candidate)))
		if errors.Is(err, fs.ErrNotExist) {
			return folder.Join(candidate), nil
		}
		if err != nil {
			return "", err
		}
	}
	return "", hosting.Refuse(hosting.Conflict, "to", "files.exists", visible(name))
}

// copyTree copies a file, or a folder and what is in it.
func (v *visit) copyTree(from, to hosting.FilePath, made *Made) (bytes int64, err error) {
	one := func(name string, e jail.Entry) error {
		if err := v.Context().Err(); err != nil {
			return err
		}
		if made.Count+made.Skipped >= maxCopies {
			return hosting.Refuse(hosting.OverLimit, "", "files.too_many")
		}
		n, copied, err := v.copyOne(name, string(to)+strings.TrimPrefix(name, string(from)), e)
		bytes += n
		if copied {
			made.Count++
		} else {
			made.Skipped++
		}
		return err
	}
	e, err := v.jail.Lstat(string(from))
	if err != nil {
		return 0, err
	}
	if err := one(string(from), e); err != nil || !e.IsDir() {
		return bytes, err
	}
	return bytes, v.jail.Walk(string(from), one)
}

func (v *visit) copyOne(from, to string, e jail.Entry) (n int64, copied bool, err error) {
	if e.IsDir() {
		if err := v.jail.Mkdir(to); err != nil {
			return 0, false, err
		}
		return 0, true, v.jail.Chmod(to, e.Mode().Perm()|0o700)
	}
	if !e.Mode().IsRegular() {
		return 0, false, nil
	}
	in, info, err := v.jail.Open(from)
	if err != nil {
		return 0, false, err
	}
	defer in.Close()
	u, err := v.jail.CreateNew(to)
	if err != nil {
		return 0, false, err
	}
	if n, err = u.Take(in); err != nil {
		return n, false, errors.Join(err, u.Discard())
	}
	if err := u.Commit(); err != nil {
		return n, false, err
	}
	return n, true, errors.Join(v.jail.Chmod(to, info.Mode().Perm()), v.jail.Chtimes(to, info.ModTime()))
}

// remove is POST delete: path (several).
func remove(v *visit, w http.ResponseWriter) error {
	paths, err := v.paths()
	if err != nil {
		return err
	}
	done, err := v.work()
	if err != nil {
		return err
	}
	defer done()
	var made Made
	for _, p := range paths {
		err = v.discard(p)
		v.note(hosting.Deleted, p, "", 0, err)
		if err != nil {
			break
		}
		made.Count++
	}
	if made.Count > 0 {
		err = errors.Join(err, v.audit("files.delete", store.FileAct{Path: string(paths[0]), Count: made.Count}))
	}
	if err != nil {
		return err
	}
	return ftplink.Answer(w, made)
}

// discard puts something into the bin.
func (v *visit) discard(p hosting.FilePath) error { return v.jail.RemoveTree(string(p)) }

// changeMode is POST mode: path (several), mode in octal, deep. With deep all
// that is in a folder follows: folders can be entered by whoever may read them,
// files are not programs.
func changeMode(v *visit, w http.ResponseWriter) error {
	paths, err := v.paths()
	if err != nil {
		return err
	}
	mode, err := ParseMode(v.values.Get("mode"))
	if err != nil {
		return err
	}
	done, err := v.work()
	if err != nil {
		return err
	}
	defer done()
	var made Made
	for _, p := range paths {
		var e jail.Entry
		if e, err = v.jail.Lstat(string(p)); err != nil {
			break
		}
		if e.Mode().Type() == fs.ModeSymlink {
			made.Skipped++
			continue
		}
		if v.values.Get("deep") != "" && e.IsDir() {
			if err = v.deepMode(p, mode, &made); err != nil {
				break
			}
			err = v.jail.Chmod(string(p), folderMode(mode))
		} else {
			err = v.jail.Chmod(string(p), mode)
		}
		if err != nil {
			break
		}
		made.Count++
	}
	if made.Count > 0 {
		err = errors.Join(err, v.audit("files.mode", store.FileAct{Path: string(paths[0]), Count: len(paths), Detail: v.values.Get("mode")}))
	}
	if err != nil {
		return err
	}
	return ftplink.Answer(w, made)
}

// folderMode lets whoever may read a folder enter it.
func folderMode(mode fs.FileMode) fs.FileMode { return mode | mode&0o444>>2 }

func (v *visit) deepMode(p hosting.FilePath, mode fs.FileMode, made *Made) error {
	var folders []string
	err := v.jail.Walk(string(p), func(name string, e jail.Entry) error {
		if err := v.Context().Err(); err != nil {
			return err
		}
		switch {
		case e.IsDir():
			folders = append(folders, name)
		case e.Mode().IsRegular():
			if err := v.jail.Chmod(name, mode&^0o111); err != nil {
				return err
			}
		default:
			made.Skipped++
			return nil
		}
		made.Count++
		return nil
	})
	if err != nil {
		return err
	}
	for _, folder := range slices.Backward(folders) { // from within, as long as one may
		if err := v.jail.Chmod(folder, folderMode(mode)); err != nil {
			return err
		}
	}
	return nil
}

// ParseMode accepts permission bits in octal, such as 644.
func ParseMode(s string) (fs.FileMode, error) {
	n, err := strconv.ParseUint(s, 8, 32)
	if err != nil || n > 0o777 || len(s) < 3 || len(s) > 4 {
		return 0, hosting.Refuse(hosting.Invalid, "mode", "files.mode_invalid")
	}
	return fs.FileMode(n), nil
}
