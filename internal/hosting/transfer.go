package hosting

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Protocol is the way by which somebody came to the files.
type Protocol string

// The ways to the files.
const (
	FTP   Protocol = "ftp"
	FTPS  Protocol = "ftps"
	SFTP  Protocol = "sftp"
	Panel Protocol = "panel" // the file manager
)

// Protocols are all of them, as a list offers them.
var Protocols = []Protocol{FTP, FTPS, SFTP, Panel}

// TransferAction is what was done to a file or a folder.
type TransferAction string

// What can be done, as seen by the member.
const (
	Sent    TransferAction = "sent"    // to the site: written
	Fetched TransferAction = "fetched" // from the site: read
	Deleted TransferAction = "deleted"
	Renamed TransferAction = "renamed" // or moved
	Made    TransferAction = "made"    // a folder
	Copied  TransferAction = "copied"
	// Left is no act: entries that the journal had no room for, Bytes of them.
	Left TransferAction = "left"
)

// TransferActions are those that a list can be narrowed to.
var TransferActions = []TransferAction{Sent, Fetched, Deleted, Renamed, Made, Copied}

// TransferResult is how an act on a file ended.
type TransferResult string

// How it can end.
const (
	Done    TransferResult = "done"
	Cut     TransferResult = "cut"     // broken off
	Missing TransferResult = "missing" // no such file or folder
	Refused TransferResult = "refused" // not allowed, or in the way of something
	Full    TransferResult = "full"    // no space left for it
	Broken  TransferResult = "failed"  // a fault of ours
)

// Transfer is an entry of the journal of an account's files.
type Transfer struct {
	ID        uint64
	At        time.Time // when it ended
	AccountID AccountID
	Who       string // a login, or the address of a person
	Protocol  Protocol
	Source    string // IP address
	Action    TransferAction
	Path      string // as the member sees it
	Target    string // the new path of what was renamed or copied
	Bytes     int64
	TookMS    int64 // milliseconds
	Result    TransferResult
}

// Took is how long it lasted.
func (t Transfer) Took() time.Duration { return time.Duration(t.TookMS) * time.Millisecond }

// Visible is a name of a file as it may stand in a list: control characters,
// marks that turn the direction of writing, and bytes that are no text become
// \xNN. It is cut at most bytes, between two characters.
func Visible(name string, most int) string {
	plain := len(name) <= most && utf8.ValidString(name) && !strings.ContainsFunc(name, hidden)
	if plain {
		return name
	}
	const digits = "0123456789abcdef"
	var b strings.Builder
	for len(name) > 0 {
		r, size := utf8.DecodeRuneInString(name)
		part := name[:size]
		if r == utf8.RuneError && size == 1 || hidden(r) {
			var escaped []byte
			for _, c := range []byte(part) {
				escaped = append(escaped, '\\', 'x', digits[c>>4], digits[c&15])
			}
			part = string(escaped)
		}
		if b.Len()+len(part)+len("…") > most {
			b.WriteString("…")
			break
		}
		b.WriteString(part)
		name = name[size:]
	}
	return b.String()
}

func hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}
