package ftpd

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"cancale/internal/jail"
)

// listOptions are those of ls(1) that clients send with LIST and NLST. Names
// that begin with a dot are always listed.
type listOptions struct {
	byTime   bool
	reversed bool
	names    bool
}

// parseList parts the options of a listing from its path. Only whole words of a
// hyphen and letters at the beginning are options; "--" ends them.
func parseList(arg string) (opts listOptions, p string) {
	p = strings.TrimLeft(arg, " ")
	for {
		word, rest, _ := strings.Cut(p, " ")
		if !isOption(word) {
			return opts, p
		}
		p = strings.TrimLeft(rest, " ")
		if word == "--" {
			return opts, p
		}
		for _, letter := range word[1:] {
			switch letter {
			case 't':
				opts.byTime = true
			case 'r':
				opts.reversed = true
			case '1':
				opts.names = true
			}
		}
	}
}

func isOption(word string) bool {
	if len(word) < 2 || word[0] != '-' {
		return false
	}
	return word == "--" || strings.Trim(strings.ToLower(word[1:]), "abcdefghijklmnopqrstuvwxyz1") == ""
}

// isPattern reports whether the last name of a path is a pattern.
func isPattern(p string) bool { return strings.ContainsAny(path.Base(p), "*?[") }

func (o listOptions) sort(entries []jail.Entry) {
	slices.SortFunc(entries, func(a, b jail.Entry) int {
		order := 0
		if o.byTime {
			order = b.ModTime().Compare(a.ModTime())
		}
		if order == 0 {
			order = cmp.Compare(a.Name(), b.Name())
		}
		if o.reversed {
			return -order
		}
		return order
	})
}

// shown is a name as a listing shows it: one that is no line of its own.
func shown(name string) string {
	if !hasControl(name) {
		return name
	}
	b := []byte(name)
	for i := range b {
		if hasControl(b[i : i+1]) {
			b[i] = '?'
		}
	}
	return string(b)
}

// recent is how long ls shows the hour of a change and not the year.
const recent = 180 * 24 * time.Hour

// listLine is a line of LIST, in the form of ls -l that clients read.
func listLine(b []byte, e jail.Entry, now time.Time) []byte {
	modified := e.ModTime().UTC()
	layout := "Jan _2 15:04"
	if age := now.Sub(modified); age > recent || age < -24*time.Hour {
		layout = "Jan _2  2006"
	}
	uid, gid := e.Owner()
	b = append(b, modeLetters(e.Mode())...)
	b = fmt.Appendf(b, " %3d %-8d %-8d %12d ", e.Links(), uid, gid, e.Size())
	b = modified.AppendFormat(b, layout)
	b = append(b, ' ')
	b = append(b, shown(e.Name())...)
	if e.Link != "" {
		b = append(b, " -> "...)
		b = append(b, shown(e.Link)...)
	}
	return append(b, "\r\n"...)
}

// modeLetters is a mode as ls writes it.
func modeLetters(m fs.FileMode) string {
	letters := []byte("-rwxrwxrwx")
	switch m.Type() {
	case fs.ModeDir:
		letters[0] = 'd'
	case fs.ModeSymlink:
		letters[0] = 'l'
	case fs.ModeNamedPipe:
		letters[0] = 'p'
	case fs.ModeSocket:
		letters[0] = 's'
	}
	for i := range 9 {
		if m&(1<<(8-i)) == 0 {
			letters[i+1] = '-'
		}
	}
	return string(letters)
}

// facts are the facts of MLST and MLSD that the client wants.
type facts uint8

const (
	factType facts = 1 << iota
	factSize
	factModify
	factPerm
	factMode
	allFacts = factType | factSize | factModify | factPerm | factMode
)

var factNames = []struct {
	fact facts
	name string
}{{factType, "type"}, {factSize, "size"}, {factModify, "modify"}, {factPerm, "perm"}, {factMode, "UNIX.mode"}}

// String is the list of facts as FEAT and OPTS give it; marked says with a star
// which of all are on.
func (f facts) list(marked bool) string {
	var b strings.Builder
	for _, n := range factNames {
		on := f&n.fact != 0
		switch {
		case marked && on:
			b.WriteString(n.name + "*;")
		case marked || on:
			b.WriteString(n.name + ";")
		}
	}
	return b.String()
}

// parseFacts reads the list of OPTS MLST; what is unknown is left out, RFC 3659
// section 7.9.
func parseFacts(list string) facts {
	var f facts
	for word := range strings.SplitSeq(list, ";") {
		for _, n := range factNames {
			if strings.EqualFold(strings.TrimSpace(word), n.name) {
				f |= n.fact
			}
		}
	}
	return f
}

// may is what the login may do with what is in a directory.
type may struct {
	fetch, add, change bool
	rename             bool // change and remove names in the directory
}

// factsLine is the facts of an entry and its name, without the line's end.
func factsLine(b []byte, e jail.Entry, wanted facts, m may) []byte {
	info := fs.FileInfo(e)
	if e.Target != nil {
		info = e.Target // clients are to see through links that lead somewhere
	}
	kind := "file"
	switch {
	case info.IsDir():
		kind = "dir"
	case info.Mode().Type() == fs.ModeSymlink:
		kind = "OS.unix=symlink"
	case !info.Mode().IsRegular():
		kind = "OS.unix=special"
	}
	if wanted&factType != 0 {
		b = append(append(append(b, "type="...), kind...), ';')
	}
	if wanted&factSize != 0 && info.Mode().IsRegular() {
		b = append(strconv.AppendInt(append(b, "size="...), info.Size(), 10), ';')
	}
	if wanted&factModify != 0 {
		b = append(info.ModTime().UTC().AppendFormat(append(b, "modify="...), timeForm), ';')
	}
	if wanted&factPerm != 0 {
		b = append(append(append(b, "perm="...), permissions(info, m)...), ';')
	}
	if wanted&factMode != 0 {
		b = append(b, "UNIX.mode=0"...)
		for shift := 6; shift >= 0; shift -= 3 {
			b = append(b, '0'+byte(info.Mode()>>shift&7))
		}
		b = append(b, ';')
	}
	b = append(b, ' ')
	return append(b, shown(e.Name())...)
}

// permissions are the letters of RFC 3659, section 7.5.5. They are a hint for
// the client's menus; the kernel decides.
func permissions(info fs.FileInfo, m may) string {
	letters := ""
	if m.rename {
		letters = "df"
	}
	writable := info.Mode()&0o200 != 0 && !ofRoot(info)
	if info.IsDir() {
		if m.add && writable {
			letters += "cm"
		}
		if m.change && writable {
			letters += "p"
		}
		return letters + "el"
	}
	if m.change && writable {
		letters += "aw"
	}
	if m.fetch {
		letters += "r"
	}
	return letters
}

// ofRoot says that a file is root's, as the top of a home is: no site writes it.
func ofRoot(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Uid == 0
}

// timeForm is a time of RFC 3659, always UTC.
const timeForm = "20060102150405"

// parseTime reads a time of RFC 3659, whose fraction of a second is optional.
func parseTime(s string) (time.Time, error) { return time.Parse(timeForm, s) }
