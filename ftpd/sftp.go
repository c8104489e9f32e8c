package ftpd

import (
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"cancale/internal/hosting"
	"cancale/internal/jail"
)

// maxHandles is how many files and directories one session may have open.
const maxHandles = 128

// sftpFiles are the files of a session as SFTP shows and changes them.
//
// A client opens a file, writes at offsets and closes it. What it writes anew
// stands under a temporary name until it is closed, so that a visitor never
// meets half a file; only who writes into a file that is there, as one who
// resumes does, changes it in place. The protocol does not tell a file that is
// complete from one that a client closes because somebody pressed Ctrl-C.
type sftpFiles struct {
	session *sshSession
	moved   atomic.Int64 // when the client last said something
	waiting atomic.Int64 // since when it has not taken what we say; 0 when it does

	mu        sync.Mutex
	handles   int
	transfers int
	uploads   map[string]*incoming // by path, so that what asks for one by its name finds it
}

func init() {
	// What the library would offer by itself includes hard links.
	if err := sftp.SetSFTPExtensions("posix-rename@openssh.com", "statvfs@openssh.com"); err != nil {
		panic(err)
	}
}

// serve speaks SFTP on a channel until it ends.
func (f *sftpFiles) serve(channel ssh.Channel) {
	f.moved.Store(time.Now().UnixNano())
	handlers := sftpHandlers{f}
	server := sftp.NewRequestServer(&paced{channel, f}, sftp.Handlers{FileGet: handlers, FilePut: handlers, FileCmd: handlers, FileList: handlers},
		sftp.WithRSMaxTxPacket(maxRead))
	err := server.Serve()
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		slog.Debug("sftp", slog.String("login", string(f.session.login.Login)), slog.Any("error", err))
	}
	_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{0}))
	_ = channel.Close()
}

// maxRead is the most that a client gets with one answer.
const maxRead = 128 << 10

// paced notes when a client moves.
type paced struct {
	ssh.Channel
	files *sftpFiles
}

func (p *paced) Read(b []byte) (int, error) {
	n, err := p.Channel.Read(b)
	p.files.moved.Store(time.Now().UnixNano())
	return n, err
}

func (p *paced) Write(b []byte) (int, error) {
	p.files.waiting.Store(time.Now().UnixNano())
	n, err := p.Channel.Write(b)
	p.files.waiting.Store(0)
	p.files.moved.Store(time.Now().UnixNano())
	return n, err
}

// idle is how long the client has not asked for anything.
func (f *sftpFiles) idle(now time.Time) time.Duration {
	last := f.moved.Load()
	if last == 0 {
		return now.Sub(f.session.begun) // no channel yet
	}
	return now.Sub(time.Unix(0, last))
}

// stuck is how long the client has not taken an answer.
func (f *sftpFiles) stuck(now time.Time) time.Duration {
	since := f.waiting.Load()
	if since == 0 {
		return 0
	}
	return now.Sub(time.Unix(0, since))
}

func (f *sftpFiles) atRest() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.transfers == 0
}

// take counts one more handle, or refuses it.
func (f *sftpFiles) take(transfer bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.session.over() != nil:
		return sayWith(sftp.ErrSSHFxFailure, "The service is stopping, try again in a minute.")
	case f.handles >= maxHandles:
		return sayWith(sftp.ErrSSHFxFailure, "Too many open files.")
	}
	f.handles++
	if transfer {
		f.transfers++
	}
	return nil
}

// give takes a handle off the count. A session that the daemon waits for ends
// with its last transfer, once the client has its answer.
func (f *sftpFiles) give(transfer bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handles--
	if transfer {
		f.transfers--
	}
	if f.transfers == 0 && f.session.srv.stopping.Load() {
		time.AfterFunc(farewell, f.session.kick)
	}
}

// sftpHandlers answer the requests of the library.
type sftpHandlers struct{ files *sftpFiles }

var (
	_ sftp.OpenFileWriter       = sftpHandlers{}
	_ sftp.PosixRenameFileCmder = sftpHandlers{}
	_ sftp.StatVFSFileCmder     = sftpHandlers{}
	_ sftp.LstatFileLister      = sftpHandlers{}
	_ sftp.ReadlinkFileLister   = sftpHandlers{}
)

func (h sftpHandlers) tree() *tree { return &h.files.session.tree }

// sftpError is a refusal with its text for the client.
type sftpError struct {
	code error
	text string
}

func (e *sftpError) Error() string { return e.text }
func (e *sftpError) Unwrap() error { return e.code }

func sayWith(code error, text string) error { return &sftpError{code, text} }

// guard makes a refusal of a panic. In a goroutine of the library it would end
// the daemon, and with it what everybody else does.
func guard(err *error) {
	if p := recover(); p != nil {
		slog.Error("sftp request", slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
		*err = sayWith(sftp.ErrSSHFxFailure, "Something went wrong on our side.")
	}
}

// refuse says why a request failed, in the words of FTP's replies.
func (h sftpHandlers) refuse(err error) error {
	if _, said := errors.AsType[*sftpError](err); said || err == nil {
		return err
	}
	code := error(sftp.ErrSSHFxFailure)
	switch {
	case errors.Is(err, io.EOF):
		return io.EOF
	case errors.Is(err, fs.ErrNotExist):
		code = sftp.ErrSSHFxNoSuchFile
	case errors.Is(err, fs.ErrPermission), slices.ContainsFunc(forbids, func(f error) bool { return errors.Is(err, f) }):
		code = sftp.ErrSSHFxPermissionDenied
	case errors.Is(err, unix.EIO):
		slog.Error("sftp file", slog.Any("error", err))
	}
	_, text := refusal(err)
	return sayWith(code, text)
}

// forbids are refusals that are no failures.
var forbids = []error{jail.ErrRoot, errOnlyReads, errOnlyAdds, errNoFetch, errTaken, errSuspended}

// note adds what the session did to the journal.
func (h sftpHandlers) note(action hosting.TransferAction, p, target string, bytes int64, begun time.Time, err error) {
	h.files.session.note(hosting.SFTP, action, p, target, bytes, begun, err)
}

// Fileread opens a file to read.
func (h sftpHandlers) Fileread(r *sftp.Request) (_ io.ReaderAt, err error) {
	defer guard(&err)
	if err := h.files.take(true); err != nil {
		return nil, err
	}
	begun := time.Now()
	file, _, err := h.tree().open(r.Filepath)
	if err != nil {
		h.files.give(true)
		h.note(hosting.Fetched, r.Filepath, "", 0, begun, err)
		return nil, h.refuse(err)
	}
	out := &outgoing{File: file, handlers: h, path: r.Filepath, begun: begun}
	out.done = h.files.session.busy(hosting.Fetched, out.path, out.sent.Load)
	return out, nil
}

// outgoing is a file that a client reads.
type outgoing struct {
	*os.File
	handlers sftpHandlers
	path     string
	begun    time.Time
	done     func()
	sent     atomic.Int64
	broken   atomic.Bool // the connection, before the client has closed the file
	once     sync.Once
}

func (o *outgoing) ReadAt(p []byte, at int64) (n int, err error) {
	defer guard(&err)
	n, err = o.File.ReadAt(p, at)
	o.sent.Add(int64(n))
	session := o.handlers.files.session
	session.paid(session.share.down, n)
	if err != nil && !errors.Is(err, io.EOF) {
		err = o.handlers.refuse(err)
	}
	return n, err
}

// TransferError is told before Close when the connection broke.
func (o *outgoing) TransferError(error) { o.broken.Store(true) }

func (o *outgoing) Close() (err error) {
	defer guard(&err)
	err = o.File.Close()
	o.once.Do(func() {
		var cut error
		if o.broken.Load() {
			cut = errLost
		}
		o.done()
		o.handlers.note(hosting.Fetched, o.path, "", o.sent.Load(), o.begun, cut)
		o.handlers.files.give(true)
	})
	return err
}

// Filewrite opens a file to write.
func (h sftpHandlers) Filewrite(r *sftp.Request) (io.WriterAt, error) { return h.OpenFile(r) }

// OpenFile opens a file to write, and perhaps to read what was written.
func (h sftpHandlers) OpenFile(r *sftp.Request) (_ sftp.WriterAtReaderAt, err error) {
	defer guard(&err)
	if err := h.files.take(true); err != nil {
		return nil, err
	}
	begun := time.Now()
	in, err := h.receive(r.Filepath, r.Pflags(), begun)
	if err != nil {
		h.files.give(true)
		h.note(hosting.Sent, r.Filepath, "", 0, begun, err)
		return nil, h.refuse(err)
	}
	return in, nil
}

// receive opens what a client writes to: something new under a temporary name,
// or what is there in place.
func (h sftpHandlers) receive(p string, flags sftp.FileOpenFlags, begun time.Time) (*incoming, error) {
	info, err := h.tree().stat(p)
	there := err == nil
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case !there && !flags.Creat:
		return nil, err
	case there && flags.Creat && flags.Excl:
		return nil, fs.ErrExist
	}
	in := &incoming{handlers: h, path: p, begun: begun}
	if there && !flags.Trunc {
		if in.destination, err = h.tree().edit(p, flags.Read); err != nil {
			return nil, err
		}
		if in.end = info.Size(); flags.Append {
			in.from = in.end
		}
		in.written.add(0, in.end)
	} else if in.destination, err = h.tree().create(p, replace); err != nil {
		return nil, err
	}
	in.done = h.files.session.busy(hosting.Sent, p, in.came.Load)
	h.files.mu.Lock()
	defer h.files.mu.Unlock()
	if in.upload != nil {
		if h.files.uploads == nil {
			h.files.uploads = map[string]*incoming{}
		}
		h.files.uploads[p] = in
	}
	return in, nil
}

// uploading is the upload of this session that will bear that name.
func (h sftpHandlers) uploading(p string) *incoming {
	h.files.mu.Lock()
	defer h.files.mu.Unlock()
	return h.files.uploads[p]
}

// incoming is a file that a client writes.
type incoming struct {
	destination
	handlers sftpHandlers
	path     string
	begun    time.Time
	from     int64 // where the first byte may go: the end of what is appended to
	came     atomic.Int64
	done     func()

	mu      sync.Mutex
	end     int64 // of the file; there is room as far as that
	written spans
	broken  bool  // the connection, before the client has closed the file
	failed  error // the first write that was refused
	closed  bool
}

const (
	// maxGap is how far beyond the end of a file a client may write: parts come
	// out of order, but not by that much.
	maxGap = 64 << 20
	// maxSpans is how many separate parts an upload may be in at a time.
	maxSpans = 1024
)

func (in *incoming) WriteAt(p []byte, at int64) (n int, err error) {
	defer guard(&err)
	err = in.reserve(at, int64(len(p)))
	if err == nil {
		n, err = in.file.WriteAt(p, at)
	}
	session := in.handlers.files.session
	session.paid(session.share.up, n)
	in.came.Add(int64(n))
	in.mu.Lock()
	defer in.mu.Unlock()
	if n > 0 {
		in.written.add(at, at+int64(n))
	}
	if err != nil && in.failed == nil {
		in.failed = err
	}
	return n, in.handlers.refuse(err)
}

var (
	errScattered = errors.New("too many separate parts")
	errAppends   = errors.New("written before the end of a file that is appended to")
)

// reserve refuses writes that no upload makes.
func (in *incoming) reserve(at, n int64) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	switch {
	case in.failed != nil:
		return in.failed // a client that goes on all the same is not to leave a file with a hole
	case at < in.from:
		return errAppends
	case at > in.end+maxGap || at+n < at:
		return jail.ErrBeyondEnd
	case len(in.written) > maxSpans:
		return errScattered
	}
	return in.grow(at + n)
}

// grow asks for room up to a new end of the file.
func (in *incoming) grow(end int64) error {
	for in.end < end {
		n, err := in.room.Room(end - in.end)
		if err != nil {
			return err
		}
		in.room.Wrote(n)
		in.end += n
	}
	return nil
}

func (in *incoming) ReadAt(p []byte, at int64) (n int, err error) {
	defer guard(&err)
	n, err = in.file.ReadAt(p, at)
	if err != nil && !errors.Is(err, io.EOF) {
		err = in.handlers.refuse(err)
	}
	return n, err
}

// TransferError is told before Close when the connection broke.
func (in *incoming) TransferError(error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.broken = true
}

// Close ends the file as it must be ended: whole, or as far as it came, or not
// at all.
func (in *incoming) Close() (err error) {
	defer guard(&err)
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return fs.ErrClosed
	}
	in.closed = true
	h := in.handlers
	defer h.files.give(true)
	h.files.mu.Lock()
	if h.files.uploads[in.path] == in {
		delete(h.files.uploads, in.path)
	}
	h.files.mu.Unlock()
	err = in.conclude()
	in.done()
	h.note(hosting.Sent, in.path, "", in.came.Load(), in.begun, err)
	return h.refuse(err)
}

func (in *incoming) conclude() error {
	switch {
	case in.upload == nil && in.broken:
		return errors.Join(interruptedError{errLost}, in.close())
	case in.upload == nil && in.failed != nil:
		return errors.Join(in.failed, in.file.Truncate(in.before), in.close()) // what was added goes
	case in.upload == nil:
		return in.close()
	case in.failed != nil:
		return errors.Join(in.failed, in.upload.Discard()) // no room: nothing is left behind
	case in.broken:
		// What can be resumed is what came without a gap.
		return errors.Join(interruptedError{errLost}, in.file.Truncate(in.written.first()), in.upload.Keep())
	}
	return in.upload.Commit()
}

// spans are the parts of a file that have been written, in order and apart.
type spans []span

type span struct{ from, to int64 }

// add notes a part. Parts come one after another nearly always.
func (s *spans) add(from, to int64) {
	list := *s
	i := len(list)
	for i > 0 && list[i-1].to >= from {
		i--
	}
	j := i
	for j < len(list) && list[j].from <= to {
		from, to = min(from, list[j].from), max(to, list[j].to)
		j++
	}
	if i < j {
		list[i] = span{from, to}
		*s = append(list[:i+1], list[j:]...)
		return
	}
	list = append(list, span{})
	copy(list[i+1:], list[i:])
	list[i] = span{from, to}
	*s = list
}

// first is how much has been written from the beginning on.
func (s spans) first() int64 {
	if len(s) == 0 || s[0].from > 0 {
		return 0
	}
	return s[0].to
}

// Filecmd does what has no answer but whether it was done.
func (h sftpHandlers) Filecmd(r *sftp.Request) (err error) {
	defer guard(&err)
	t, begun := h.tree(), time.Now()
	did := func(action hosting.TransferAction, target string, err error) error {
		h.note(action, r.Filepath, target, 0, begun, err)
		return h.refuse(err)
	}
	switch r.Method {
	case "Setstat":
		return h.refuse(h.setAttributes(r))
	case "Rename": // never over something, unlike posix-rename
		if _, err := t.describe(r.Target); !errors.Is(err, fs.ErrNotExist) {
			return did(hosting.Renamed, r.Target, orExists(err))
		}
		return did(hosting.Renamed, r.Target, t.rename(r.Filepath, r.Target))
	case "Rmdir":
		return did(hosting.Deleted, "", t.removeDir(r.Filepath))
	case "Mkdir":
		return did(hosting.Made, "", t.mkdir(r.Filepath))
	case "Remove":
		return did(hosting.Deleted, "", t.removeFile(r.Filepath))
	case "Link", "Symlink":
		return sayWith(sftp.ErrSSHFxPermissionDenied, "Links are not made here.")
	}
	return sayWith(sftp.ErrSSHFxOpUnsupported, "Not implemented.")
}

func orExists(err error) error {
	if err == nil {
		return fs.ErrExist
	}
	return err
}

// PosixRename renames, over a file that is there.
func (h sftpHandlers) PosixRename(r *sftp.Request) (err error) {
	defer guard(&err)
	begun := time.Now()
	err = h.tree().rename(r.Filepath, r.Target)
	h.note(hosting.Renamed, r.Filepath, r.Target, 0, begun, err)
	return h.refuse(err)
}

// roomUnit is the block in which clients are told of room.
const roomUnit = 4096

// StatVFS is how much room there is at a path: what the plan leaves, as if it
// were a file system.
func (h sftpHandlers) StatVFS(r *sftp.Request) (*sftp.StatVFS, error) {
	if h.uploading(r.Filepath) == nil {
		if _, err := h.tree().stat(r.Filepath); err != nil {
			return nil, h.refuse(err)
		}
	}
	left, total, err := h.tree().left(r.Filepath)
	if err != nil {
		return nil, h.refuse(err)
	}
	const longestName = 255
	free := uint64(left / roomUnit)
	return &sftp.StatVFS{Bsize: roomUnit, Frsize: roomUnit, Blocks: uint64(total / roomUnit), Bfree: free, Bavail: free, Namemax: longestName}, nil
}

// setAttributes changes size, mode and time, of a file or of the upload that
// will bear its name. Owners are not the client's to change.
func (h sftpHandlers) setAttributes(r *sftp.Request) error {
	flags, attributes := r.AttrFlags(), r.Attributes()
	if attributes == nil { // shorter than its flags say
		return sayWith(sftp.ErrSSHFxBadMessage, "The attributes are cut short.")
	}
	in := h.uploading(r.Filepath)
	t := h.tree()
	if flags.Size {
		if err := h.truncate(r.Filepath, in, int64(attributes.Size)); err != nil {
			return err
		}
	}
	if flags.Permissions {
		mode := fs.FileMode(attributes.Mode & 0o777)
		var err error
		if in != nil {
			err = in.upload.Chmod(mode)
		} else {
			err = t.chmod(r.Filepath, mode)
		}
		if err != nil {
			return err
		}
	}
	if flags.Acmodtime {
		modified := time.Unix(int64(attributes.Mtime), 0)
		if in != nil {
			return in.upload.Chtimes(modified)
		}
		return t.touch(r.Filepath, modified)
	}
	return nil
}

// truncate cuts a file, or makes it a little longer.
func (h sftpHandlers) truncate(p string, in *incoming, size int64) error {
	if in != nil {
		in.mu.Lock()
		defer in.mu.Unlock()
		return in.truncate(size)
	}
	dest, err := h.tree().edit(p, false)
	if err != nil {
		return err
	}
	defer dest.discard()
	return (&incoming{destination: dest, end: dest.before}).truncate(size)
}

func (in *incoming) truncate(size int64) error {
	if size > in.end+maxGap || size < 0 {
		return jail.ErrBeyondEnd
	}
	if err := in.grow(size); err != nil {
		return err
	}
	return in.file.Truncate(size)
}

// Filelist lists a directory or describes what is at a path.
func (h sftpHandlers) Filelist(r *sftp.Request) (_ sftp.ListerAt, err error) {
	defer guard(&err)
	if r.Method != "List" {
		if in := h.uploading(r.Filepath); in != nil {
			return in.describe()
		}
		e, err := h.tree().stat(r.Filepath)
		return one{e}, h.refuse(err)
	}
	if err := h.files.take(false); err != nil {
		return nil, err
	}
	l, err := h.tree().openDir(r.Filepath)
	if err != nil {
		h.files.give(false)
		return nil, h.refuse(err)
	}
	return &lister{entries: l, handlers: h}, nil
}

// Lstat is Filelist for one file, which shows links as such.
func (h sftpHandlers) Lstat(r *sftp.Request) (_ sftp.ListerAt, err error) {
	defer guard(&err)
	if in := h.uploading(r.Filepath); in != nil {
		return in.describe()
	}
	e, err := h.tree().describe(r.Filepath)
	return one{e}, h.refuse(err)
}

// describe is what has come of an upload so far.
func (in *incoming) describe() (sftp.ListerAt, error) {
	info, err := in.upload.Stat()
	return one{renamed{info, path.Base(in.path)}}, in.handlers.refuse(err)
}

// Readlink is what a link says.
func (h sftpHandlers) Readlink(p string) (_ string, err error) {
	defer guard(&err)
	e, err := h.tree().describe(p)
	if err == nil && e.Link == "" {
		err = fs.ErrInvalid
	}
	return e.Link, h.refuse(err)
}

// one is a listing of one file.
type one struct{ fs.FileInfo }

func (o one) ListAt(list []os.FileInfo, at int64) (int, error) {
	if at > 0 || len(list) == 0 {
		return 0, io.EOF
	}
	list[0] = o.FileInfo
	return 1, io.EOF
}

// lister hands out a directory in the parts that the library asks for. It asks
// in order, one question at a time.
type lister struct {
	entries  entries
	handlers sftpHandlers
	held     []jail.Entry
	once     sync.Once
}

func (l *lister) ListAt(list []os.FileInfo, _ int64) (_ int, err error) {
	defer guard(&err)
	if len(l.held) == 0 {
		var err error
		if l.held, err = l.entries.next(); err != nil {
			return 0, l.handlers.refuse(err)
		}
	}
	n := min(len(list), len(l.held))
	for i := range n {
		list[i] = l.held[i]
	}
	l.held = l.held[n:]
	return n, nil
}

func (l *lister) Close() error {
	l.once.Do(func() { l.handlers.files.give(false) })
	return l.entries.close()
}
