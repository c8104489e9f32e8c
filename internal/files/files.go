// Package files is the file manager: what a person who is signed in to the
// panel does to the files of a site. Its daemon's end runs beside FTP and works
// through the same file layer, under the site's own uid and beneath its root;
// its other end is the client that the panel asks.
//
// Each request names a site by its id and files by their path in its home. The
// daemon asks the store whether the person may, and what the site is; it takes
// no uid, no home and no absolute path from anybody.
package files

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"cancale/internal/config"
	"cancale/internal/disk"
	"cancale/internal/ftplink"
	"cancale/internal/hosting"
	"cancale/internal/jail"
	"cancale/internal/store"
)

// Config is what the daemon's end needs.
type Config struct {
	Store  *store.Store
	Layout config.Layout
	Ledger *disk.Ledger           // the room that associations take; nil is no limit
	Note   func(hosting.Transfer) // the journal of transfers; may be nil
}

// Manager is the daemon's end.
type Manager struct {
	Config

	works, zips *places

	mu      sync.Mutex
	noted   map[string]time.Time // uploads that the audit log knows of
	editing map[place]map[hosting.PersonID]editor
	saving  sync.Mutex // one save at a time is compared and written
}

// place is a file of a site.
type place struct {
	site hosting.SiteID
	path hosting.FilePath
}

// Works at a time, in all and for one account: trees copied and removed,
// archives unpacked. A zip goes at the pace of whoever fetches it, who may take
// hours: zips have places of their own.
const (
	maxWorks        = 6
	maxAccountWorks = 2
	maxZips         = 64
	maxAccountZips  = 4
)

// New makes a daemon's end.
func New(cfg Config) *Manager {
	return &Manager{
		Config: cfg, works: newPlaces(maxWorks, maxAccountWorks), zips: newPlaces(maxZips, maxAccountZips),
		noted: map[string]time.Time{}, editing: map[place]map[hosting.PersonID]editor{},
	}
}

// Register adds the handlers to the link with the panel.
func (m *Manager) Register(link *ftplink.Server) {
	read := func(pattern string, h func(*visit, http.ResponseWriter) error) {
		m.handle(link, pattern, hosting.FilesRead, h)
	}
	write := func(pattern string, h func(*visit, http.ResponseWriter) error) {
		m.handle(link, pattern, hosting.FilesWrite, h)
	}
	read("GET /files/{site}/list", list)
	read("GET /files/{site}/entry", entry)
	read("GET /files/{site}/content", content)
	read("GET /files/{site}/zip", zipped)
	read("GET /files/{site}/text", text)
	write("POST /files/{site}/editing", editing)
	write("PUT /files/{site}/text", save)
	write("GET /files/{site}/begun", begun)
	write("PUT /files/{site}/upload", upload)
	write("POST /files/{site}/folder", makeFolder)
	write("POST /files/{site}/file", makeFile)
	write("POST /files/{site}/rename", rename)
	write("POST /files/{site}/move", move)
	write("POST /files/{site}/copy", duplicate)
	write("POST /files/{site}/delete", remove)
	write("POST /files/{site}/mode", changeMode)
	write("POST /files/{site}/unpack", unpack)
}

// visit is one request about the files of one site.
type visit struct {
	ftplink.Request
	*Manager

	site   hosting.Site
	jail   *jail.Jail
	values url.Values
	begun  time.Time
}

// maxForm bounds what names the files of one act.
const maxForm = 4 << 20

// handle adds a handler that gets the site of its address, opened.
func (m *Manager) handle(link *ftplink.Server, pattern string, need hosting.Permission, h func(*visit, http.ResponseWriter) error) {
	link.Handle(pattern, need, func(w http.ResponseWriter, r ftplink.Request) error {
		v := &visit{Request: r, Manager: m, values: r.URL.Query(), begun: time.Now()}
		if r.Method == http.MethodPost {
			// What is too long is refused: the beginning of a path is a path, too.
			form, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
			if err != nil {
				return err
			}
			if v.values, err = url.ParseQuery(string(form)); err != nil {
				return err
			}
		}
		if err := v.open(need); err != nil {
			return err
		}
		defer v.jail.Close()
		return refusal(h(v, w))
	})
}

// open finds the site and opens its home. A site that the person may not touch
// is not found.
func (v *visit) open(need hosting.Permission) error {
	site, err := v.Store.SiteHome(v.Context(), v.Actor.Scope(need), hosting.SiteID(v.ID("site")))
	if err != nil {
		return err
	}
	v.site = site
	switch {
	case v.site.Off():
		return hosting.Refuse(hosting.Conflict, "", "files.site_suspended", v.site.Host.Unicode())
	case !v.site.HomeToken.Valid():
		return hosting.Refuse(hosting.Unavailable, "", "error.unavailable")
	}
	v.jail, err = jail.Open(v.Layout.Home(string(v.site.HomeToken)), v.site.UID, v.site.UID)
	if errors.Is(err, fs.ErrNotExist) {
		return hosting.Refuse(hosting.Conflict, "", "files.site_not_ready", v.site.Host.Unicode())
	}
	if err != nil {
		return err
	}
	v.jail.Within(v.Ledger.Space(v.site.AccountID, v.site.ID))
	v.jail.UseBin(v.Layout.Bin(string(v.site.HomeToken)))
	return nil
}

// path is the one file that the request names.
func (v *visit) path(name string) (hosting.FilePath, error) {
	return hosting.ParseFilePath(v.values.Get(name))
}

// maxPaths is how many files one act may name.
const maxPaths = 2000

// paths are the files that the request names, at least one, never the home.
func (v *visit) paths() ([]hosting.FilePath, error) {
	all := v.values["path"]
	if len(all) > maxPaths {
		return nil, hosting.Refuse(hosting.OverLimit, "", "files.too_many")
	}
	paths := make([]hosting.FilePath, 0, len(all))
	for _, text := range all {
		p, err := hosting.ParseFilePath(text)
		if err != nil {
			return nil, err
		}
		if p == "" {
			return nil, jail.ErrRoot
		}
		paths = append(paths, p)
	}
	if len(paths) == 0 {
		return nil, hosting.Refuse(hosting.Invalid, "", "files.none_chosen")
	}
	return paths, nil
}

// places are how much of something may go on at a time.
type places struct {
	most, mostOfAccount int

	mu        sync.Mutex
	taken     int
	ofAccount map[hosting.AccountID]int
}

func newPlaces(most, mostOfAccount int) *places {
	return &places{most: most, mostOfAccount: mostOfAccount, ofAccount: map[hosting.AccountID]int{}}
}

// take takes a place for an account, or refuses.
func (p *places) take(account hosting.AccountID) (done func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken >= p.most || p.ofAccount[account] >= p.mostOfAccount {
		return nil, hosting.Refuse(hosting.OverLimit, "", "files.busy")
	}
	p.taken++
	p.ofAccount[account]++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.taken--
		if p.ofAccount[account]--; p.ofAccount[account] == 0 {
			delete(p.ofAccount, account)
		}
	}, nil
}

// work takes a place for something that is long, or refuses.
func (v *visit) work() (done func(), err error) { return v.works.take(v.site.AccountID) }

// refusals are what a person is told of an error of the file layer.
var refusals = []struct {
	err  error
	kind hosting.Kind
	key  string
}{
	{jail.ErrRoot, hosting.Conflict, "files.root"},
	{jail.ErrNotRegular, hosting.Conflict, "files.not_regular"},
	{jail.ErrOffset, hosting.Conflict, "files.offset"},
	{disk.ErrFull, hosting.OverLimit, "files.full"},
	{disk.ErrMachineFull, hosting.OverLimit, "files.machine_full"},
	{unix.ENOSPC, hosting.OverLimit, "files.machine_full"},
	{unix.EDQUOT, hosting.OverLimit, "files.full"},
	{unix.EFBIG, hosting.OverLimit, "files.full"},
	{unix.ENOTEMPTY, hosting.Conflict, "files.not_empty"},
	{unix.EXDEV, hosting.NotFound, "files.not_found"}, // out of the home
	{unix.ENOTDIR, hosting.NotFound, "files.not_found"},
	{unix.EISDIR, hosting.Conflict, "files.is_folder"},
	{unix.ELOOP, hosting.Conflict, "files.not_regular"},
	{unix.ENAMETOOLONG, hosting.Invalid, "files.name_too_long"},
	{unix.EINVAL, hosting.Invalid, "files.into_itself"},
	{fs.ErrNotExist, hosting.NotFound, "files.not_found"},
	{fs.ErrExist, hosting.Conflict, "files.exists"},
	{fs.ErrPermission, hosting.Conflict, "files.forbidden"},
}

// refusal is an error in words for people, as far as it has any.
func refusal(err error) error {
	if err == nil {
		return nil
	}
	if _, refused := errors.AsType[*hosting.Error](err); refused {
		return err
	}
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			name := ""
			if e, ok := errors.AsType[*fs.PathError](err); ok {
				name = visible(hosting.FilePath(e.Path).Base())
			}
			return &hosting.Error{Kind: r.kind, Message: hosting.Msg(r.key, name), Err: err}
		}
	}
	if strings.Contains(err.Error(), "path escapes from parent") { // os.Root has no value for it
		return &hosting.Error{Kind: hosting.NotFound, Message: hosting.Msg("files.not_found"), Err: err}
	}
	return err
}

// maxVisible is how much of a name is told in a message.
const maxVisible = 120

func visible(name string) string { return hosting.Visible(name, maxVisible) }

// note adds a line to the journal of transfers.
func (v *visit) note(action hosting.TransferAction, p, target hosting.FilePath, bytes int64, err error) {
	if v.Note == nil {
		return
	}
	result := hosting.Done
	switch {
	case err == nil:
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT), errors.Is(err, disk.ErrFull), errors.Is(err, disk.ErrMachineFull):
		result = hosting.Full
	case errors.Is(err, fs.ErrNotExist):
		result = hosting.Missing
	case errors.Is(err, context.Canceled), errors.Is(err, io.ErrUnexpectedEOF):
		result = hosting.Cut
	default:
		result = hosting.Refused
	}
	whole := func(p hosting.FilePath) string { return "/" + string(v.site.Host) + "/" + string(p) }
	e := hosting.Transfer{
		AccountID: v.site.AccountID, Who: v.Actor.Name, Protocol: hosting.Panel, Source: v.Actor.Source,
		Action: action, Path: whole(p), Bytes: bytes, TookMS: time.Since(v.begun).Milliseconds(), Result: result,
	}
	if target != "" {
		e.Target = whole(target)
	}
	v.Note(e)
}

// audit adds the one row of an act to the audit log.
func (v *visit) audit(action string, act store.FileAct) error {
	return v.Store.NoteFiles(context.WithoutCancel(v.Context()), v.Actor, v.site.ID, action, act)
}
