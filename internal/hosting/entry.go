package hosting

import (
	"io/fs"
	"strings"
	"time"
)

// EntryKind is what something in a folder is.
type EntryKind string

// The kinds. A link is one whose target is nowhere within the home; any other
// is shown as what it leads to.
const (
	EntryFolder EntryKind = "folder"
	EntryFile   EntryKind = "file"
	EntryLink   EntryKind = "link"
	EntryOther  EntryKind = "other" // a pipe, a socket
)

// FileEntry is something in a folder.
type FileEntry struct {
	Name     []byte      `json:"name"` // of any bytes; in a search, the path from the folder on
	Kind     EntryKind   `json:"kind"`
	Link     []byte      `json:"link,omitempty"` // what a link says
	Size     int64       `json:"size"`
	Modified time.Time   `json:"modified"`
	Mode     fs.FileMode `json:"mode"` // permission bits
}

// FileListing is one page of what is in a folder.
type FileListing struct {
	Entries  []FileEntry `json:"entries"`
	Total    int         `json:"total"`
	Folders  int         `json:"folders"`
	Writable bool        `json:"writable"` // names can be made in it
	Partial  bool        `json:"partial"`  // a search that had to stop
}

// FileAbout is one file or folder.
type FileAbout struct {
	FileEntry

	Writable bool `json:"writable"` // it can be renamed and removed
}

// MaxFileText is the longest file that is edited, in bytes.
const MaxFileText = 1 << 20

// TextEncoding is how the characters of a text are written in its file.
type TextEncoding string

// The encodings. What is not UTF-8 is taken for Windows' Latin-1, as browsers
// do, or for ISO's when it holds bytes that mean nothing there: so that every
// byte that was not edited stays what it was.
const (
	UTF8        TextEncoding = "utf-8"
	UTF8Mark    TextEncoding = "utf-8-bom" // with a byte order mark, which is kept
	Windows1252 TextEncoding = "windows-1252"
	Latin1      TextEncoding = "iso-8859-1"
)

// TextEncodings are all of them.
var TextEncodings = []TextEncoding{UTF8, UTF8Mark, Windows1252, Latin1}

// LineEnd is what ends most lines of a file.
type LineEnd string

// The line ends.
const (
	LF   LineEnd = "lf"
	CRLF LineEnd = "crlf"
	CR   LineEnd = "cr"
)

// FileText is a file to be edited.
type FileText struct {
	Text     string       `json:"text"` // lines end with "\n"
	Encoding TextEncoding `json:"encoding"`
	LineEnd  LineEnd      `json:"line_end"`
	Mixed    bool         `json:"mixed"` // some lines end otherwise, and stay so
	Version  string       `json:"version"`
	Size     int64        `json:"size"`
	Modified time.Time    `json:"modified"`
	Writable bool         `json:"writable"`
}

// FileEditor is somebody who has a file open in the editor.
type FileEditor struct {
	Name  string    `json:"name"`
	Since time.Time `json:"since"`
}

// IsArchive reports whether the file of a name can be unpacked.
func IsArchive(name string) bool { return ArchiveStem(name) != "" }

// ArchiveStem is the name of an archive without its ending, "" of what is none.
func ArchiveStem(name string) string {
	lower := strings.ToLower(name)
	for _, ending := range []string{".zip", ".tar.gz", ".tgz", ".tar"} {
		if strings.HasSuffix(lower, ending) {
			return name[:len(name)-len(ending)]
		}
	}
	return ""
}
