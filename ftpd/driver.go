package ftpd

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	goftp "goftp.io/server/v2"

	"cancale/internal/config"
	"cancale/internal/disk"
	"cancale/internal/hosting"
	"cancale/internal/jail"
)

// errSuspended refuses the files of a site that is suspended; errNotReady those
// of one that the node has not made yet.
var (
	errSuspended = errors.New("site suspended")
	errNotReady  = errors.New("site not ready")
	errTwoSites  = errors.New("rename between two sites")

	// What the rights of the login do not hold.
	errOnlyReads = errors.New("login may only read")
	errOnlyAdds  = errors.New("login may only add")
	errNoFetch   = errors.New("login may not fetch")
	errTaken     = errors.New("name taken, and login may only add")
)

// tree is what a login sees: one site at the root, or a folder for each.
type tree struct {
	layout config.Layout
	ledger *disk.Ledger
	rights hosting.FTPRights
	single *mount
	mounts map[string]*mount // by host name

	mu     sync.Mutex // the jails of an account are opened when they are needed
	closed bool
}

type mount struct {
	site hosting.Site
	jail *jail.Jail // nil until it is needed
}

// open opens the home of a site. Its path is ours from end to end: a directory
// of root's and a token.
func openHome(layout config.Layout, ledger *disk.Ledger, site hosting.Site) (*jail.Jail, error) {
	if site.Off() {
		return nil, errSuspended
	}
	if !site.HomeToken.Valid() {
		return nil, fmt.Errorf("site %d: no home", site.ID)
	}
	j, err := jail.Open(layout.Home(string(site.HomeToken)), site.UID, site.UID)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNotReady
	}
	if err == nil {
		j.Within(ledger.Space(site.AccountID, site.ID))
		j.UseBin(layout.Bin(string(site.HomeToken)))
	}
	return j, err
}

// plant opens what the login sees.
func (t *tree) plant(layout config.Layout, login hosting.FTPLogin, site hosting.Site, sites []hosting.Site) error {
	t.layout, t.rights = layout, login.Rights
	if login.SiteID == 0 {
		t.mounts = make(map[string]*mount, len(sites))
		for _, site := range sites {
			t.mounts[site.Host.String()] = &mount{site: site}
		}
		return nil
	}
	home, err := openHome(layout, t.ledger, site)
	if err != nil {
		return err
	}
	t.single = &mount{site: site, jail: home}
	if login.Path == "" {
		return nil
	}
	folder := string(login.Path)
	t.single.jail, err = home.Sub(folder)
	if errors.Is(err, fs.ErrNotExist) && login.Rights.Adds() {
		if err = home.MkdirAll(folder); err == nil {
			t.single.jail, err = home.Sub(folder)
		}
	}
	return errors.Join(err, home.Close())
}

func (t *tree) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	if t.single != nil && t.single.jail != nil {
		_ = t.single.jail.Close()
	}
	for _, m := range t.mounts {
		if m.jail != nil {
			_ = m.jail.Close()
		}
	}
}

// find gives the jail that holds a clean absolute path, and the name in it. The
// jail is nil for the top of an account.
func (t *tree) find(p string) (*jail.Jail, string, error) {
	p = strings.TrimPrefix(p, "/")
	if t.single != nil {
		return t.single.jail, p, nil
	}
	if p == "" {
		return nil, "", nil
	}
	host, name, _ := strings.Cut(p, "/")
	m := t.mounts[host]
	if m == nil {
		return nil, "", &fs.PathError{Op: "open", Path: p, Err: fs.ErrNotExist}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if m.jail == nil && !t.closed {
		j, err := openHome(t.layout, t.ledger, m.site)
		if err != nil {
			return nil, "", err
		}
		m.jail = j
	}
	if m.jail == nil {
		return nil, "", fs.ErrClosed
	}
	return m.jail, name, nil
}

// change is find for what is going to be changed, which the top never is.
func (t *tree) change(p string) (*jail.Jail, string, error) {
	j, name, err := t.find(p)
	if err == nil && j == nil {
		err = jail.ErrRoot
	}
	return j, name, err
}

// top lists the sites of an account.
func (t *tree) top() []jail.Entry {
	entries := make([]jail.Entry, 0, len(t.mounts))
	for host, m := range t.mounts {
		entries = append(entries, jail.Entry{FileInfo: folder{host, m.site.CreatedAt}})
	}
	slices.SortFunc(entries, func(a, b jail.Entry) int { return cmp.Compare(a.Name(), b.Name()) })
	return entries
}

// folder is a directory that is on no disk.
type folder struct {
	name string
	made time.Time
}

func (f folder) Name() string       { return f.name }
func (f folder) Size() int64        { return 0 }
func (f folder) Mode() fs.FileMode  { return fs.ModeDir | 0o555 }
func (f folder) ModTime() time.Time { return f.made }
func (f folder) IsDir() bool        { return true }
func (f folder) Sys() any           { return nil }

// driver is the engine's way to the files: those of the session that asks.
type driver struct{}

var _ goftp.Driver = driver{}

func treeOf(ctx *goftp.Context) *tree { return &sessionOf(ctx.Sess).tree }

// Stat describes what is at a path, or what a link there leads to.
func (driver) Stat(ctx *goftp.Context, p string) (os.FileInfo, error) { return treeOf(ctx).stat(p) }

// ListDir calls fn with a jail.Entry for each name in a directory, in no order.
func (driver) ListDir(ctx *goftp.Context, p string, fn func(os.FileInfo) error) error {
	return treeOf(ctx).list(p, fn)
}

// DeleteDir removes an empty directory, never a root.
func (driver) DeleteDir(ctx *goftp.Context, p string) error { return treeOf(ctx).removeDir(p) }

// DeleteFile removes a file or a link.
func (driver) DeleteFile(ctx *goftp.Context, p string) error { return treeOf(ctx).removeFile(p) }

// Rename renames within one site.
func (driver) Rename(ctx *goftp.Context, from, to string) error { return treeOf(ctx).rename(from, to) }

// MakeDir makes a directory.
func (driver) MakeDir(ctx *goftp.Context, p string) error { return treeOf(ctx).mkdir(p) }

// GetFile opens a file at an offset and says how much is to come. The reader is
// an *os.File.
func (driver) GetFile(ctx *goftp.Context, p string, offset int64) (int64, io.ReadCloser, error) {
	f, info, err := treeOf(ctx).open(p)
	if err != nil {
		return 0, nil, err
	}
	if offset > info.Size() {
		_ = f.Close()
		return 0, nil, jail.ErrBeyondEnd
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		_ = f.Close()
		return 0, nil, err
	}
	return info.Size() - offset, f, nil
}

// Where PutFile writes, besides an offset.
const (
	replace  = -1 // a new file, which takes its name when it is complete
	appendTo = -2 // the end of the file
)

// PutFile writes what comes from data. An error while reading is an upload that
// broke off.
func (driver) PutFile(ctx *goftp.Context, p string, data io.Reader, offset int64) (int64, error) {
	dest, err := treeOf(ctx).create(p, offset)
	if err != nil {
		return 0, err
	}
	return dest.receive(data)
}

// destination is a file that an upload goes to: new, or written in place.
type destination struct {
	upload *jail.Upload
	file   *os.File
	room   *disk.Writing
	before int64 // size of a file that is written in place
	taken  int64 // what it takes on the disk then
}

// create opens the destination, so that a refusal comes before any data.
func (t *tree) create(p string, offset int64) (destination, error) {
	if err := t.mayAdd(); err != nil {
		return destination{}, err
	}
	j, name, err := t.change(p)
	if err != nil {
		return destination{}, err
	}
	if !t.rights.Changes() {
		upload, err := j.CreateNew(name)
		if errors.Is(err, fs.ErrExist) {
			err = errTaken
		}
		if err == nil && offset > 0 {
			err = errors.Join(jail.ErrBeyondEnd, upload.Discard()) // nothing is there to go on with
		}
		if err != nil {
			return destination{}, err
		}
		return destination{upload: upload, file: upload.File, room: upload.Writing}, nil
	}
	if offset != replace {
		at := offset
		if offset == appendTo {
			at = jail.OpenEnd
		}
		f, err := j.OpenAt(name, at)
		if err == nil {
			return inPlace(j, f)
		}
		if !errors.Is(err, fs.ErrNotExist) || at > 0 {
			return destination{}, err
		}
	}
	upload, err := j.Create(name)
	if err != nil {
		return destination{}, err
	}
	return destination{upload: upload, file: upload.File, room: upload.Writing}, nil
}

func inPlace(j *jail.Jail, f *os.File) (destination, error) {
	d := destination{file: f, room: j.Growing(f)}
	info, err := f.Stat()
	if err == nil {
		d.before, d.taken = info.Size(), jail.Taken(f)
		_, err = d.room.Room(1)
	}
	if err != nil {
		d.discard()
	}
	return d, err
}

// interruptedError wraps what broke off an upload.
type interruptedError struct{ error }

func (e interruptedError) Unwrap() error { return e.error }

// receive takes the data and ends the file as it must be ended. A file that is
// written in place loses what stood after the last byte when all has come.
func (d destination) receive(data io.Reader) (int64, error) {
	n, err := copyToFile(d.file, data, d.room)
	_, interrupted := errors.AsType[interruptedError](err)
	switch {
	case d.upload == nil && err == nil:
		var end int64
		if end, err = d.file.Seek(0, io.SeekCurrent); err == nil {
			err = d.file.Truncate(end)
		}
		return n, errors.Join(err, d.close())
	case d.upload == nil && !interrupted:
		return n, errors.Join(err, d.file.Truncate(d.before), d.close()) // no room: what was added goes
	case d.upload == nil:
		return n, errors.Join(err, d.close())
	case err == nil:
		return n, d.upload.Commit()
	case interrupted:
		return n, errors.Join(err, d.upload.Keep())
	}
	return n, errors.Join(err, d.upload.Discard()) // no room: nothing is left behind
}

// discard ends a destination that no data went to.
func (d destination) discard() {
	if d.upload != nil {
		_ = d.upload.Discard()
		return
	}
	_ = d.close()
}

// close ends a file that was written in place.
func (d destination) close() error {
	d.room.End(jail.Grown(d.file, d.before, d.taken))
	return d.file.Close()
}

// renamed is a file by another name.
type renamed struct {
	fs.FileInfo
	name string
}

func (r renamed) Name() string { return r.name }

// clean is a path as the client means it: absolute, without dots.
func clean(cwd, arg string) string {
	if strings.HasPrefix(arg, "/") {
		return path.Clean(arg)
	}
	return path.Clean("/" + cwd + "/" + arg)
}
