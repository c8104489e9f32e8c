package files

import (
	"archive/zip"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/jail"
)

// content is GET content: path. It answers ranges, so that a download that
// broke off goes on.
func content(v *visit, w http.ResponseWriter) error {
	p, err := v.path("path")
	if err != nil {
		return err
	}
	f, info, err := v.jail.Open(string(p))
	if err != nil {
		if v.values.Get("quiet") == "" {
			v.note(hosting.Fetched, p, "", 0, err)
		}
		return err
	}
	defer f.Close()
	// Whoever asks knows what it is; nothing here is for a browser to guess.
	w.Header().Set("Content-Type", "application/octet-stream")
	sent := &counter{ResponseWriter: w}
	http.ServeContent(sent, v.Request.Request, "", info.ModTime(), f)
	if v.values.Get("quiet") == "" {
		v.note(hosting.Fetched, p, "", sent.bytes, v.Context().Err())
	}
	return nil
}

type counter struct {
	http.ResponseWriter

	bytes int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (c *counter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// packed are the endings of files that do not become smaller in a zip.
var packed = []string{
	".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif", ".zip", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar",
	".mp3", ".mp4", ".m4a", ".mov", ".mkv", ".webm", ".ogg", ".docx", ".xlsx", ".odt", ".ods", ".woff", ".woff2",
}

// zipped is GET zip: path, several times. What cannot be read is left out; a
// link is not followed.
func zipped(v *visit, w http.ResponseWriter) error {
	paths, err := v.paths()
	if err != nil {
		return err
	}
	for _, p := range paths { // before anything is sent
		if _, err := v.jail.Lstat(string(p)); err != nil {
			return err
		}
	}
	done, err := v.zips.take(v.site.AccountID)
	if err != nil {
		return err
	}
	defer done()
	w.Header().Set("Content-Type", "application/zip")
	sent := &counter{ResponseWriter: w}
	archive := zip.NewWriter(sent)
	for _, p := range paths {
		if err = v.zipTree(archive, p); err != nil {
			break
		}
	}
	if err == nil {
		err = archive.Close()
	}
	v.note(hosting.Fetched, paths[0].Folder(), "", sent.bytes, err)
	return err
}

// zipTree adds a file, or a folder and what is in it, under its own name.
func (v *visit) zipTree(archive *zip.Writer, p hosting.FilePath) error {
	e, err := v.jail.Lstat(string(p))
	if err != nil {
		return err
	}
	base := strings.TrimSuffix(string(p), p.Base())
	add := func(name string, e jail.Entry) error {
		if err := v.Context().Err(); err != nil {
			return err
		}
		return v.zipOne(archive, name, strings.TrimPrefix(name, base), e)
	}
	if err := add(string(p), e); err != nil || !e.IsDir() {
		return err
	}
	return v.jail.Walk(string(p), add)
}

func (v *visit) zipOne(archive *zip.Writer, name, as string, e jail.Entry) error {
	header := &zip.FileHeader{Name: as, Modified: e.ModTime().UTC().Truncate(time.Second), Method: zip.Deflate}
	header.SetMode(e.Mode())
	if e.IsDir() {
		header.Name += "/"
		header.Method = zip.Store
		_, err := archive.CreateHeader(header)
		return err
	}
	if !e.Mode().IsRegular() {
		return nil
	}
	f, _, err := v.jail.Open(name)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, jail.ErrNotRegular) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if slices.Contains(packed, strings.ToLower(path.Ext(as))) {
		header.Method = zip.Store
	}
	out, err := archive.CreateHeader(header)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, f)
	return err
}
