// Package assets holds what the pages load: the style sheet, the scripts and
// the icon, embedded, each served under the hash of its content so that a
// browser may keep it for ever.
//
// Nothing is read from the disk and nothing comes from another host. htmx is the
// minified file of its package, version 4.0.1, under the Zero-Clause BSD licence
// in htmx.LICENSE. The editor is made of CodeMirror, under the licence in
// editor.LICENSE, as views/editor says.
package assets

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

//go:embed cancale.css cancale.js files.js passkey.js editor.js htmx.min.js favicon.svg icons.svg
var files embed.FS

// asset is one file as it is sent.
type asset struct {
	name, hash, mime string
	plain, zipped    []byte
}

// served are the files by name. They are made ready by the first page: most
// processes of an installation show none.
var served = sync.OnceValue(func() map[string]asset {
	ready := map[string]asset{}
	for name, mime := range map[string]string{
		"cancale.css": "text/css; charset=utf-8",
		"cancale.js":  "text/javascript; charset=utf-8",
		"files.js":    "text/javascript; charset=utf-8",
		"passkey.js":  "text/javascript; charset=utf-8",
		"editor.js":   "text/javascript; charset=utf-8",
		"htmx.min.js": "text/javascript; charset=utf-8",
		"favicon.svg": "image/svg+xml",
	} {
		data := read(name)
		if name == "cancale.css" {
			data = minify(data)
		}
		ready[name] = newAsset(name, mime, data)
	}
	return ready
})

// icons are the drawings of icons.svg by name, without their prefix "i-".
var icons = sync.OnceValue(func() map[string]string {
	drawings := map[string]string{}
	for _, m := range symbol.FindAllSubmatch(read("icons.svg"), -1) {
		drawings[string(m[1])] = string(m[2])
	}
	return drawings
})

var symbol = regexp.MustCompile(`<symbol id="i-([a-z]+)" viewBox="0 0 24 24">(.*?)</symbol>`)

func read(name string) []byte {
	data, err := files.ReadFile(name)
	if err != nil {
		panic(err) // embedded at build time
	}
	return data
}

func newAsset(name, mime string, data []byte) asset {
	sum := sha256.Sum256(data)
	var zipped bytes.Buffer
	w, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err != nil {
		panic(err) // the level is a constant
	}
	_, _ = w.Write(data) // into memory
	_ = w.Close()
	return asset{name: name, hash: hex.EncodeToString(sum[:8]), mime: mime, plain: data, zipped: zipped.Bytes()}
}

// Prefix is where Handler expects to be mounted.
const Prefix = "/assets/"

// Path is the address of a file: /assets/HASH/NAME.
func Path(name string) string {
	a, ok := served()[name]
	if !ok {
		panic(fmt.Sprintf("assets: no file %q", name)) // a mistake in a template
	}
	return Prefix + a.hash + "/" + a.name
}

// Icon is the drawing of an icon, to be put into an svg element with
// viewBox="0 0 24 24".
func Icon(name string) string {
	drawing, ok := icons()[name]
	if !ok {
		panic(fmt.Sprintf("assets: no icon %q", name)) // a mistake in a template
	}
	return drawing
}

// Size is how many bytes a browser that understands gzip loads for a file.
func Size(name string) int { return len(served()[name].zipped) }

// Handler serves the files under Prefix. A file asked for under an old hash, by
// a page from before an update, is served as it is now but not kept.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hash, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, Prefix), "/")
		a, ok := served()[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
			return
		}
		h := w.Header()
		h.Set("Content-Type", a.mime)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("ETag", `"`+a.hash+`"`)
		h.Add("Vary", "Accept-Encoding")
		h.Set("Cache-Control", "no-cache")
		if hash == a.hash {
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		if r.Header.Get("If-None-Match") == `"`+a.hash+`"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		body := a.plain
		if acceptsGzip(r) {
			h.Set("Content-Encoding", "gzip")
			body = a.zipped
		}
		h.Set("Content-Length", strconv.Itoa(len(body)))
		if r.Method == http.MethodGet {
			_, _ = w.Write(body) // the reader may be gone
		}
	})
}

func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		coding, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if coding == "gzip" && strings.TrimSpace(params) != "q=0" {
			return true
		}
	}
	return false
}

// minify leaves out the comments and the blanks of a style sheet that mean
// nothing. Quoted texts stay as they are; a blank before a colon is kept, since
// in a selector it means "inside".
func minify(css []byte) []byte {
	out := make([]byte, 0, len(css))
	for i := 0; i < len(css); {
		c := css[i]
		switch {
		case c == '/' && i+1 < len(css) && css[i+1] == '*':
			end := bytes.Index(css[i+2:], []byte("*/"))
			if end < 0 {
				return out
			}
			i += end + 4
		case c == '"' || c == '\'':
			end := i + 1
			for end < len(css) && css[end] != c {
				if css[end] == '\\' {
					end++
				}
				end++
			}
			end = min(end+1, len(css))
			out = append(out, css[i:end]...)
			i = end
		case c == ' ' || c == '\n' || c == '\t' || c == '\r':
			if len(out) > 0 && !bytes.ContainsRune([]byte(" {};,:"), rune(out[len(out)-1])) {
				out = append(out, ' ')
			}
			i++
		case c == '{' || c == '}' || c == ';' || c == ',':
			out = bytes.TrimRight(out, " ")
			if c == '}' {
				out = bytes.TrimRight(out, ";")
			}
			out = append(out, c)
			i++
		default:
			out = append(out, c)
			i++
		}
	}
	return out
}
