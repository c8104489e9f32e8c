package files

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"cancale/internal/ftplink"
	"cancale/internal/hosting"
	"cancale/internal/store"
)

// Bounds of an archive. An archive that holds much more than it weighs is a
// trap; a little of that is a file of zeros.
const (
	maxUnpacked  = 100_000  // files and folders
	maxContent   = 20 << 30 // bytes
	freeContent  = 256 << 20
	maxRatio     = 200
	maxDirectory = 24 << 20 // bytes of the list of a zip
	maxLevels    = 64
)

// Refusals of an archive as a whole, before anything is written.
func refuseArchive(key string, args ...string) error {
	return hosting.Refuse(hosting.Conflict, "", key, args...)
}

// item is a file or a folder of an archive.
type item struct {
	path   hosting.FilePath
	folder bool
	size   int64 // as far as the archive says
	open   func() (io.ReadCloser, error)
}

// archive is what there is to unpack. Each reads it from the beginning on.
type archive struct {
	weight int64
	// each calls fn with what is in it; it may be called several times.
	each func(fn func(item) error) error

	count, skipped int
	content        int64
	top            string // the one folder that all is in
}

// unpack is POST unpack: path, here, replace. Without here all goes to a folder
// of its own.
func unpack(v *visit, w http.ResponseWriter) error {
	p, err := v.path("path")
	if err != nil {
		return err
	}
	if hosting.ArchiveStem(p.Base()) == "" {
		return refuseArchive("files.archive_unknown")
	}
	done, err := v.work()
	if err != nil {
		return err
	}
	defer done()
	f, info, err := v.jail.Open(string(p))
	if err != nil {
		return err
	}
	defer f.Close()
	a := &archive{weight: info.Size()}
	if strings.HasSuffix(strings.ToLower(p.Base()), ".zip") {
		err = a.readZip(f)
	} else {
		a.readTar(f, strings.HasSuffix(strings.ToLower(p.Base()), ".tar"))
	}
	if err == nil {
		err = a.survey(v)
	}
	if err != nil {
		return err
	}
	u := &unpacking{visit: v, archive: a, base: p.Folder(), replace: v.values.Get("replace") != ""}
	bytes, err := u.run(p, v.values.Get("here") != "")
	v.note(hosting.Copied, p, u.base, bytes, err)
	if err == nil || u.made.Count > 0 {
		err = errors.Join(err, v.audit("files.unpack", store.FileAct{Path: string(p), To: string(u.base), Count: u.made.Count}))
	}
	if err != nil {
		return err
	}
	u.made.Path, u.made.Skipped = []byte(u.base), a.skipped
	return ftplink.Answer(w, u.made)
}

// itemPath is where an entry of an archive goes. What would leave the folder
// refuses the archive.
func itemPath(name string) (hosting.FilePath, error) {
	name = strings.TrimSuffix(strings.TrimPrefix(name, "./"), "/")
	bad := refuseArchive("files.archive_escapes", visible(name))
	if strings.HasPrefix(name, "/") {
		return "", bad
	}
	var p hosting.FilePath
	segments := strings.Split(name, "/")
	if len(segments) > maxLevels {
		return "", bad
	}
	for _, segment := range segments {
		if segment == "" || segment == "." {
			continue
		}
		if segment == ".." {
			return "", bad
		}
		clean, err := hosting.ParseFileName("", segment)
		if err != nil {
			return "", refuseArchive("files.archive_name", visible(name))
		}
		p = p.Join(string(clean))
	}
	return p, nil
}

// isJunk finds what a Mac adds for itself.
func isJunk(p hosting.FilePath) bool {
	return p.Within("__MACOSX") || p.Base() == ".DS_Store"
}

// readText437 is a name of a zip: UTF-8 when it can be, else that of DOS, which
// is what the format says.
func readText437(name string) string {
	if !utf8.ValidString(name) {
		name, _ = charmap.CodePage437.NewDecoder().String(name) // knows every byte
	}
	return strings.ReplaceAll(name, "\\", "/")
}

// directoryReader lets only so much of a zip be read at first.
type directoryReader struct {
	f    *os.File
	left int64 // negative: all of it may be
}

var errDirectory = errors.New("files: the list of the zip is too long")

// ReadAt is for zip.NewReader.
func (r *directoryReader) ReadAt(p []byte, off int64) (int, error) {
	if r.left >= 0 {
		if r.left -= int64(len(p)); r.left < 0 {
			r.left = 0
			return 0, errDirectory
		}
	}
	return r.f.ReadAt(p, off)
}

func (a *archive) readZip(f *os.File) error {
	in := &directoryReader{f, maxDirectory}
	z, err := zip.NewReader(in, a.weight)
	if errors.Is(err, errDirectory) {
		return refuseArchive("files.archive_too_many")
	}
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return refuseArchive("files.archive_broken")
	}
	in.left = -1
	a.each = func(fn func(item) error) error {
		for _, file := range z.File {
			name := readText437(file.Name)
			p, err := itemPath(name)
			if err != nil {
				return err
			}
			mode := file.Mode()
			it := item{path: p, folder: mode.IsDir() || strings.HasSuffix(name, "/"), size: int64(min(file.UncompressedSize64, maxContent+1)), open: file.Open}
			switch {
			case file.Flags&1 != 0:
				return refuseArchive("files.archive_locked")
			case !it.folder && !mode.IsRegular():
				it.open = nil
			}
			if err := fn(it); err != nil {
				return err
			}
		}
		return nil
	}
	return nil
}

func (a *archive) readTar(f *os.File, plain bool) {
	a.each = func(fn func(item) error) error {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		var in io.Reader = f
		if !plain {
			z, err := gzip.NewReader(f)
			if err != nil {
				return refuseArchive("files.archive_broken")
			}
			defer z.Close()
			in = z
		}
		// What is between the files counts too.
		in = &bounded{in, a.bound() + (64 << 20)}
		t := tar.NewReader(in)
		for {
			h, err := t.Next()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if errors.Is(err, errBomb) {
				return err
			}
			if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
				return refuseArchive("files.archive_broken")
			}
			name := h.Name
			if !utf8.ValidString(name) {
				name, _ = windows.NewDecoder().String(name)
			}
			p, err := itemPath(name)
			if err != nil {
				return err
			}
			it := item{path: p, folder: h.Typeflag == tar.TypeDir, size: h.Size, open: func() (io.ReadCloser, error) { return io.NopCloser(t), nil }}
			switch h.Typeflag {
			case tar.TypeReg, tar.TypeDir:
			case tar.TypeXGlobalHeader:
				continue
			default:
				it.open = nil
			}
			if err := fn(it); err != nil {
				return err
			}
		}
	}
}

var errBomb = hosting.Refuse(hosting.Conflict, "", "files.archive_too_large")

// bound is how much an archive of that weight may hold.
func (a *archive) bound() int64 { return min(max(freeContent, a.weight*maxRatio), maxContent) }

// bounded ends with errBomb after so many bytes.
type bounded struct {
	in   io.Reader
	left int64
}

// Read reads on, within the bound.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errBomb
	}
	n, err := b.in.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// survey reads the archive once without writing anything: what it says of
// itself must be within the bounds, and lead nowhere else.
func (a *archive) survey(v *visit) error {
	first := true
	return a.each(func(it item) error {
		if err := v.Context().Err(); err != nil {
			return err
		}
		if it.path == "" || isJunk(it.path) {
			return nil
		}
		if it.open == nil {
			a.skipped++
			return nil
		}
		if a.count++; a.count > maxUnpacked {
			return refuseArchive("files.archive_too_many")
		}
		if a.content += max(it.size, 0); a.content > a.bound() || it.size < 0 {
			return errBomb
		}
		top, _, deeper := strings.Cut(string(it.path), "/")
		switch {
		case first && (deeper || it.folder):
			a.top = top
		case top != a.top || !deeper && !it.folder:
			a.top = ""
		}
		first = false
		return nil
	})
}

// unpacking writes what is in an archive.
type unpacking struct {
	*visit

	archive *archive
	base    hosting.FilePath
	rename  string // the name that the top folder gets
	replace bool
	folders map[hosting.FilePath]bool // made already
	made    Made
	left    int64
}

func (u *unpacking) run(p hosting.FilePath, here bool) (int64, error) {
	u.folders = map[hosting.FilePath]bool{"": true, u.base: true}
	u.left = u.archive.bound()
	if !here {
		name := u.archive.top
		if name == "" {
			name = hosting.ArchiveStem(p.Base())
		}
		target, err := u.freeName(u.base, name)
		if err != nil {
			return 0, err
		}
		if err := u.jail.Mkdir(string(target)); err != nil {
			return 0, err
		}
		if u.archive.top != "" {
			u.rename = target.Base()
		} else {
			u.base = target
		}
		bytes, err := u.write()
		if err != nil {
			// Nothing else is in there.
			if clean := u.jail.RemoveTree(string(target)); clean == nil {
				u.made.Count = 0
			}
			return bytes, err
		}
		u.base = target
		return bytes, nil
	}
	if !u.replace {
		if err := u.archive.each(u.inTheWay); err != nil {
			return 0, err
		}
	}
	return u.write()
}

// inTheWay refuses an archive when something would have to be replaced.
func (u *unpacking) inTheWay(it item) error {
	if it.path == "" || it.open == nil || it.folder || isJunk(it.path) {
		return u.Context().Err()
	}
	_, err := u.jail.Lstat(string(u.base.Join(string(it.path))))
	if err == nil {
		return hosting.Refuse(hosting.Conflict, "replace", "files.archive_exists", visible(string(it.path)))
	}
	return u.Context().Err()
}

func (u *unpacking) write() (bytes int64, err error) {
	err = u.archive.each(func(it item) error {
		if err := u.Context().Err(); err != nil {
			return err
		}
		if it.path == "" || it.open == nil || isJunk(it.path) {
			return nil
		}
		p := it.path
		if u.rename != "" {
			_, rest, deeper := strings.Cut(string(p), "/")
			p = hosting.FilePath(u.rename)
			if deeper {
				p = p.Join(rest)
			}
		}
		target := u.base.Join(string(p))
		if it.folder {
			return u.makeAll(target)
		}
		if err := u.makeAll(target.Folder()); err != nil {
			return err
		}
		n, err := u.writeFile(it, target)
		bytes += n
		return err
	})
	return bytes, err
}

func (u *unpacking) makeAll(folder hosting.FilePath) error {
	if u.folders[folder] {
		return nil
	}
	if len(u.folders) > maxUnpacked {
		return refuseArchive("files.archive_too_many")
	}
	if err := u.jail.MkdirAll(string(folder)); err != nil {
		return err
	}
	u.folders[folder] = true
	return nil
}

func (u *unpacking) writeFile(it item, target hosting.FilePath) (int64, error) {
	in, err := it.open()
	if err != nil {
		return 0, refuseArchive("files.archive_broken")
	}
	defer in.Close()
	create := u.jail.CreateNew
	if u.replace {
		create = u.jail.Create
	}
	out, err := create(string(target))
	if errors.Is(err, fs.ErrExist) {
		return 0, refuseArchive("files.archive_twice", visible(target.Base()))
	}
	if err != nil {
		return 0, err
	}
	// What an entry really holds may be more than it said.
	limited := &bounded{in, u.left}
	n, err := out.Take(limited)
	u.left -= n
	if err != nil {
		discarded := out.Discard()
		if isArchiveError(err) {
			return n, refuseArchive("files.archive_broken")
		}
		return n, errors.Join(err, discarded)
	}
	if err := out.Commit(); err != nil {
		return n, err
	}
	u.made.Count++
	return n, nil
}

// isArchiveError reports whether an error is about what is in the archive and
// not about where it goes.
func isArchiveError(err error) bool {
	for _, known := range []error{zip.ErrFormat, zip.ErrAlgorithm, zip.ErrChecksum, gzip.ErrChecksum, gzip.ErrHeader, tar.ErrHeader, io.ErrUnexpectedEOF} {
		if errors.Is(err, known) {
			return true
		}
	}
	return strings.HasPrefix(err.Error(), "flate: ")
}
