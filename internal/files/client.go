package files

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"cancale/internal/ftplink"
	"cancale/internal/hosting"
)

// Client is the panel's end: the files of one site, as one person sees them.
type Client struct {
	Link  *ftplink.Client
	Actor hosting.Actor
	Site  hosting.SiteID
}

func (c Client) at(what string) string { return fmt.Sprintf("/files/%d/%s", c.Site, what) }

func (c Client) get(ctx context.Context, what string, out any, pairs ...string) error {
	return c.Link.Call(ctx, c.Actor, http.MethodGet, c.at(what), ftplink.Query(pairs...), nil, out)
}

// act sends an act, whose names may be too many for an address.
func (c Client) act(ctx context.Context, what string, values url.Values, out any) error {
	res, err := c.Link.Do(ctx, c.Actor, http.MethodPost, c.at(what), nil, strings.NewReader(values.Encode()))
	if err != nil {
		return err
	}
	return read(res, out)
}

func read(res *http.Response, out any) error {
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(out); err != nil {
		return fmt.Errorf("files: an answer of the daemon: %w", err)
	}
	return nil
}

// Query is what of a folder is wanted.
type Query struct {
	Folder  hosting.FilePath
	Search  string // in the names, beneath the folder too
	Sort    string // "name", "kind", "size", "modified"; "-" before it turns the order
	Folders bool   // no files
	Page    int
	PerPage int
}

// List is one page of what is in a folder.
func (c Client) List(ctx context.Context, q Query) (l hosting.FileListing, err error) {
	pairs := []string{"path", string(q.Folder), "q", q.Search, "sort", q.Sort, "page", strconv.Itoa(q.Page), "per", strconv.Itoa(q.PerPage)}
	if q.Folders {
		pairs = append(pairs, "folders", "1")
	}
	return l, c.get(ctx, "list", &l, pairs...)
}

// Entry is one file or folder.
func (c Client) Entry(ctx context.Context, p hosting.FilePath) (a hosting.FileAbout, err error) {
	return a, c.get(ctx, "entry", &a, "path", string(p))
}

// Content opens what is in a file. The header may ask for a range. A quiet one
// is not in the journal: a picture beside its name.
func (c Client) Content(ctx context.Context, p hosting.FilePath, header http.Header, quiet bool) (*http.Response, error) {
	query := ftplink.Query("path", string(p))
	if quiet {
		query.Set("quiet", "1")
	}
	return c.Link.DoWith(ctx, c.Actor, http.MethodGet, c.at("content"), query, header, nil)
}

// Zip opens a zip of some files and folders.
func (c Client) Zip(ctx context.Context, paths []hosting.FilePath) (*http.Response, error) {
	return c.Link.Do(ctx, c.Actor, http.MethodGet, c.at("zip"), named(paths), nil)
}

func named(paths []hosting.FilePath) url.Values {
	values := url.Values{}
	for _, p := range paths {
		values.Add("path", string(p))
	}
	return values
}

// Text reads a file to be edited.
func (c Client) Text(ctx context.Context, p hosting.FilePath) (t hosting.FileText, err error) {
	return t, c.get(ctx, "text", &t, "path", string(p))
}

// Save writes an edited file, when it is still the one of that version. What is
// answered holds the new version.
func (c Client) Save(ctx context.Context, p hosting.FilePath, version string, as hosting.TextEncoding, text string) (t hosting.FileText, err error) {
	query := ftplink.Query("path", string(p), "version", version, "encoding", string(as))
	res, err := c.Link.Do(ctx, c.Actor, http.MethodPut, c.at("text"), query, strings.NewReader(text))
	if err != nil {
		return t, err
	}
	return t, read(res, &t)
}

// How somebody has a file open: seen once, seen by a browser that tells each
// minute, or not any more.
const (
	Opened = "open"
	Living = "live"
	Closed = "closed"
)

// Editing tells that the actor, shown under a name, has a file open, and
// answers who else has.
func (c Client) Editing(ctx context.Context, p hosting.FilePath, as, state string) (others []hosting.FileEditor, err error) {
	return others, c.act(ctx, "editing", ftplink.Query("path", string(p), "as", as, "state", state), &others)
}

// Begun is how far an upload in pieces has come.
func (c Client) Begun(ctx context.Context, folder hosting.FilePath, name, key string) (u Upload, err error) {
	return u, c.get(ctx, "begun", &u, "path", string(folder), "name", name, "key", key)
}

// Piece is a part of an upload; the zero one is a file at once.
type Piece struct {
	Key           string
	Offset, Total int64
}

// Upload sends a file, or a piece of one, to a folder; name may have folders in
// front.
func (c Client) Upload(ctx context.Context, folder hosting.FilePath, name string, replace bool, piece Piece, body io.Reader) (u Upload, err error) {
	query := ftplink.Query("path", string(folder), "name", name)
	if replace {
		query.Set("replace", "1")
	}
	if piece.Key != "" {
		query.Set("key", piece.Key)
		query.Set("offset", strconv.FormatInt(piece.Offset, 10))
		query.Set("total", strconv.FormatInt(piece.Total, 10))
	}
	res, err := c.Link.Do(ctx, c.Actor, http.MethodPut, c.at("upload"), query, body)
	if err != nil {
		return u, err
	}
	return u, read(res, &u)
}

// MakeFolder makes a folder.
func (c Client) MakeFolder(ctx context.Context, folder hosting.FilePath, name string) (m Made, err error) {
	return m, c.act(ctx, "folder", ftplink.Query("path", string(folder), "name", name), &m)
}

// MakeFile makes an empty file.
func (c Client) MakeFile(ctx context.Context, folder hosting.FilePath, name string) (m Made, err error) {
	return m, c.act(ctx, "file", ftplink.Query("path", string(folder), "name", name), &m)
}

// Rename gives something another name in its folder.
func (c Client) Rename(ctx context.Context, p hosting.FilePath, name string) (m Made, err error) {
	return m, c.act(ctx, "rename", ftplink.Query("path", string(p), "name", name), &m)
}

// Move brings things to a folder.
func (c Client) Move(ctx context.Context, paths []hosting.FilePath, to hosting.FilePath) (m Made, err error) {
	values := named(paths)
	values.Set("to", string(to))
	return m, c.act(ctx, "move", values, &m)
}

// Copy copies things to a folder.
func (c Client) Copy(ctx context.Context, paths []hosting.FilePath, to hosting.FilePath) (m Made, err error) {
	values := named(paths)
	values.Set("to", string(to))
	return m, c.act(ctx, "copy", values, &m)
}

// Delete removes things.
func (c Client) Delete(ctx context.Context, paths []hosting.FilePath) (m Made, err error) {
	return m, c.act(ctx, "delete", named(paths), &m)
}

// SetMode sets permission bits, written in octal; deep, of all that is within.
func (c Client) SetMode(ctx context.Context, paths []hosting.FilePath, mode string, deep bool) (m Made, err error) {
	values := named(paths)
	values.Set("mode", mode)
	if deep {
		values.Set("deep", "1")
	}
	return m, c.act(ctx, "mode", values, &m)
}

// Unpack unpacks an archive: to a folder of its own, or to the folder that it
// is in.
func (c Client) Unpack(ctx context.Context, p hosting.FilePath, here, replace bool) (m Made, err error) {
	values := ftplink.Query("path", string(p))
	if here {
		values.Set("here", "1")
	}
	if replace {
		values.Set("replace", "1")
	}
	return m, c.act(ctx, "unpack", values, &m)
}
