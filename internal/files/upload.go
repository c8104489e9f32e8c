package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"time"

	"cancale/internal/ftplink"
	"cancale/internal/hosting"
	"cancale/internal/store"
)

// Upload is how far an upload has come.
type Upload struct {
	Size   int64 `json:"size"`
	Done   bool  `json:"done"`
	Exists bool  `json:"exists"` // something has the name already
}

// destination is where an upload goes: the folder path, and the name in it,
// which may have folders in front. Each of its segments is a name that a person
// gives.
func (v *visit) destination() (folder, p hosting.FilePath, err error) {
	folder, err = v.path("path")
	if err != nil {
		return "", "", err
	}
	p = folder
	const deepest = 64
	segments := strings.Split(v.values.Get("name"), "/")
	if len(segments) > deepest {
		return "", "", hosting.Refuse(hosting.Invalid, "name", "files.name_too_long")
	}
	for _, segment := range segments {
		name, err := hosting.ParseFileName("name", segment)
		if err != nil {
			return "", "", err
		}
		p = p.Join(string(name))
	}
	return folder, p, nil
}

// begun is GET begun: path, name, key. It says how much of an upload in pieces
// has come.
func begun(v *visit, w http.ResponseWriter) error {
	_, p, err := v.destination()
	if err != nil {
		return err
	}
	var out Upload
	if _, err := v.jail.Lstat(string(p)); err == nil {
		out.Exists = true
	}
	out.Size, err = v.jail.Begun(string(p), v.values.Get("key"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return ftplink.Answer(w, out)
}

// upload is PUT upload: path, name, replace; the body is the file. With key,
// offset and total it is a piece of one, and what came of a piece that broke
// off stays.
func upload(v *visit, w http.ResponseWriter) error {
	folder, p, err := v.destination()
	if err != nil {
		return err
	}
	replace := v.values.Get("replace") != ""
	if _, err := v.jail.Lstat(string(p)); err == nil && !replace {
		return hosting.Refuse(hosting.Conflict, "name", "files.exists", visible(p.Base()))
	}
	if p.Folder() != folder {
		if err := v.jail.MkdirAll(string(p.Folder())); err != nil {
			return err
		}
	}
	var out Upload
	if v.values.Get("key") == "" {
		out, err = v.whole(p, replace)
	} else {
		out, err = v.piece(p, replace)
	}
	if out.Done || err != nil {
		v.note(hosting.Sent, p, "", out.Size, err)
	}
	if err != nil {
		return err
	}
	if out.Done {
		if err := v.auditUpload(folder, p); err != nil {
			return err
		}
	}
	return ftplink.Answer(w, out)
}

// whole takes a file at once. One that breaks off leaves nothing.
func (v *visit) whole(p hosting.FilePath, replace bool) (Upload, error) {
	create := v.jail.CreateNew
	if replace {
		create = v.jail.Create
	}
	u, err := create(string(p))
	if err != nil {
		return Upload{}, err
	}
	n, err := u.Take(v.Body)
	if err != nil {
		return Upload{Size: n}, errors.Join(err, u.Discard())
	}
	err = u.Commit()
	return Upload{Size: n, Done: err == nil}, err
}

var errPiece = errors.New("files: the numbers of a piece make no sense")

// piece takes a part of a file. The last one gives the file its name.
func (v *visit) piece(p hosting.FilePath, replace bool) (Upload, error) {
	offset, err := strconv.ParseInt(v.values.Get("offset"), 10, 64)
	total, totalErr := strconv.ParseInt(v.values.Get("total"), 10, 64)
	if err != nil || totalErr != nil || offset < 0 || offset > total {
		return Upload{}, fmt.Errorf("%w: %d of %d", errPiece, offset, total)
	}
	u, err := v.jail.Resume(string(p), v.values.Get("key"), offset, replace)
	if err != nil {
		return Upload{}, err
	}
	n, err := u.Take(io.LimitReader(v.Body, total-offset))
	out := Upload{Size: offset + n}
	if err != nil || out.Size < total {
		return out, errors.Join(err, u.Pause())
	}
	err = u.Commit()
	out.Done = err == nil
	return out, err
}

// auditEvery is how often uploads of one person to one folder have a row in the
// audit log: those of one drag and drop are one act.
const auditEvery = 10 * time.Minute

func (v *visit) auditUpload(folder, p hosting.FilePath) error {
	key := fmt.Sprintf("%d %d %s", v.Actor.Person, v.site.ID, folder)
	now := time.Now()
	v.mu.Lock()
	for k, at := range v.noted {
		if now.Sub(at) > auditEvery {
			delete(v.noted, k)
		}
	}
	_, known := v.noted[key]
	v.noted[key] = now
	v.mu.Unlock()
	if known {
		return nil
	}
	return v.audit("files.upload", store.FileAct{Path: string(p)})
}
