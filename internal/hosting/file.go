package hosting

import (
	"encoding/base64"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

type (
	// FilePath names something that is, or may be, in the home of a site:
	// relative, clean, with slashes; "" is the home itself. Its segments are
	// whatever bytes a file system holds, so that a file with a strange name
	// can be renamed or removed; who shows it escapes it.
	FilePath string
	// FileName is a name that a person gives: one segment of readable text.
	FileName string
)

// Limits of Linux: PATH_MAX with its final zero, and NAME_MAX.
const (
	maxFilePath = 4095
	maxFileName = 255
)

// UploadPrefix begins the names of uploads in progress, which are nobody's to
// give.
const UploadPrefix = ".in."

// ParseFilePath accepts the path of something in a home. It never leaves the
// home, by its text; links are the file layer's business.
func ParseFilePath(s string) (FilePath, error) {
	if s = strings.Trim(s, "/"); s == "" {
		return "", nil
	}
	if len(s) > maxFilePath || strings.Contains(s, "\x00") || path.Clean(s) != s || s == "." || s == ".." || strings.HasPrefix(s, "../") {
		return "", Refuse(NotFound, "", "files.not_found")
	}
	if slices.ContainsFunc(strings.Split(s, "/"), func(segment string) bool { return len(segment) > maxFileName }) {
		return "", Refuse(NotFound, "", "files.not_found")
	}
	return FilePath(s), nil
}

// ParseFileName accepts the name of a new file or folder.
func ParseFileName(field, s string) (FileName, error) {
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return "", Refuse(Invalid, field, "files.name_empty")
	case s == "." || s == ".." || strings.ContainsAny(s, "/\\") || strings.HasPrefix(s, UploadPrefix):
		return "", Refuse(Invalid, field, "files.name_invalid")
	case !utf8.ValidString(s) || strings.ContainsFunc(s, isControl):
		return "", Refuse(Invalid, field, "files.name_control")
	case len(s) > maxFileName:
		return "", Refuse(Invalid, field, "files.name_too_long")
	}
	return FileName(s), nil
}

// Join is the path of a name in the folder p.
func (p FilePath) Join(name string) FilePath {
	if p == "" {
		return FilePath(name)
	}
	return p + "/" + FilePath(name)
}

// Base is the last segment, "" of the home.
func (p FilePath) Base() string { return string(p[strings.LastIndexByte(string(p), '/')+1:]) }

// Folder is the path without its last segment.
func (p FilePath) Folder() FilePath { return p[:max(strings.LastIndexByte(string(p), '/'), 0)] }

// Within reports whether p is folder or lies beneath it, by its text.
func (p FilePath) Within(folder FilePath) bool {
	return folder == "" || p == folder || strings.HasPrefix(string(p), string(folder)+"/")
}

// refMark begins a reference that is not the path itself.
const refMark = "~"

// Ref is the path as a form and an address carry it: itself, or, when it holds
// what these would change (line ends, bytes that are no text), in base64.
func (p FilePath) Ref() string {
	s := string(p)
	if utf8.ValidString(s) && !strings.ContainsFunc(s, isControl) && !strings.HasPrefix(s, refMark) {
		return s
	}
	return refMark + base64.RawURLEncoding.EncodeToString([]byte(s))
}

// ParseFileRef reads what Ref wrote, or a path.
func ParseFileRef(s string) (FilePath, error) {
	if coded, isCoded := strings.CutPrefix(s, refMark); isCoded {
		raw, err := base64.RawURLEncoding.DecodeString(coded)
		if err != nil {
			return "", Refuse(NotFound, "", "files.not_found")
		}
		s = string(raw)
	}
	return ParseFilePath(s)
}
