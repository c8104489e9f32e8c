package files

import (
	"bytes"
	"cmp"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"cancale/internal/ftplink"
	"cancale/internal/hosting"
	"cancale/internal/jail"
)

// Bounds of a list.
const (
	maxPerPage = 500
	maxFound   = 2000
	maxLooked  = 50_000 // entries that a search looks at
)

func entryOf(e jail.Entry, name string) hosting.FileEntry {
	out := hosting.FileEntry{Name: []byte(name), Size: e.Size(), Modified: e.ModTime(), Mode: e.Mode().Perm()}
	info := e.FileInfo
	if e.Mode().Type() == fs.ModeSymlink {
		out.Link = []byte(e.Link)
		if info = e.Target; info == nil {
			out.Kind, out.Size = hosting.EntryLink, 0
			return out
		}
		out.Size, out.Modified, out.Mode = info.Size(), info.ModTime(), info.Mode().Perm()
	}
	switch {
	case info.IsDir():
		out.Kind, out.Size = hosting.EntryFolder, 0
	case info.Mode().IsRegular():
		out.Kind = hosting.EntryFile
	default:
		out.Kind, out.Size = hosting.EntryOther, 0
	}
	return out
}

// list is GET list: path, sort, page, per, folders, q.
func list(v *visit, w http.ResponseWriter) error {
	p, err := v.path("path")
	if err != nil {
		return err
	}
	out := hosting.FileListing{Writable: v.jail.Writable(string(p))}
	var rows []sortable
	by := v.values.Get("sort")
	if q := strings.ToLower(strings.TrimSpace(v.values.Get("q"))); q != "" {
		rows, err = v.search(p, q, &out)
	} else {
		rows, err = v.rows(p, v.values.Get("folders") != "", strings.TrimPrefix(by, "-"))
	}
	if err != nil {
		return err
	}
	for _, row := range rows {
		if row.Kind == hosting.EntryFolder {
			out.Folders++
		}
	}
	out.Total = len(rows)
	order(rows, by)
	page, _ := strconv.Atoi(v.values.Get("page"))
	per, _ := strconv.Atoi(v.values.Get("per"))
	per = min(max(per, 1), maxPerPage)
	from := min(max(page-1, 0)*per, len(rows))
	out.Entries = []hosting.FileEntry{}
	for _, row := range rows[from:min(from+per, len(rows))] {
		if !row.full {
			e, err := v.jail.Lstat(string(p.Join(string(row.Name))))
			if err != nil {
				continue // it is gone meanwhile
			}
			row.FileEntry = entryOf(e, string(row.Name))
		}
		out.Entries = append(out.Entries, row.FileEntry)
	}
	return ftplink.Answer(w, out)
}

// rows are what is in a folder. What an order does not need is not asked for
// here, so that a folder of many files is quick.
func (v *visit) rows(p hosting.FilePath, folders bool, by string) (rows []sortable, err error) {
	if by == "size" || by == "modified" {
		err := v.jail.List(string(p), func(entries []jail.Entry) error {
			for _, e := range entries {
				rows = append(rows, sortable{FileEntry: entryOf(e, e.Name()), full: true})
			}
			return v.Context().Err()
		})
		return rows, err
	}
	err = v.jail.Names(string(p), func(entries []fs.DirEntry) error {
		for _, e := range entries {
			row := sortable{FileEntry: hosting.FileEntry{Name: []byte(e.Name()), Kind: hosting.EntryFile}}
			switch e.Type() {
			case fs.ModeDir:
				row.Kind = hosting.EntryFolder
			case fs.ModeSymlink:
				if target, err := v.jail.Stat(string(p.Join(e.Name()))); err == nil && target.IsDir() {
					row.Kind = hosting.EntryFolder
				}
			}
			if !folders || row.Kind == hosting.EntryFolder {
				rows = append(rows, row)
			}
		}
		return v.Context().Err()
	})
	return rows, err
}

// search finds what has q in its name, in the folder and beneath it.
func (v *visit) search(p hosting.FilePath, q string, out *hosting.FileListing) (rows []sortable, err error) {
	looked := 0
	err = v.jail.Walk(string(p), func(name string, e jail.Entry) error {
		if looked++; looked > maxLooked || len(rows) >= maxFound {
			out.Partial = true
			return jail.ErrStop
		}
		if strings.Contains(strings.ToLower(e.Name()), q) {
			rows = append(rows, sortable{FileEntry: entryOf(e, strings.TrimPrefix(strings.TrimPrefix(name, string(p)), "/")), full: true})
		}
		return v.Context().Err()
	})
	return rows, err
}

// sortable is an entry with what it is sorted by. Until it is full only its
// name and whether it is a folder are known.
type sortable struct {
	hosting.FileEntry

	full           bool
	key, extension string
}

// order sorts as people do: folders first, by name without regard to case and
// accents, numbers by their value; or as asked.
func order(rows []sortable, by string) {
	by, down := strings.CutPrefix(by, "-")
	for i := range rows {
		rows[i].key = sortKey(string(rows[i].Name))
		if by == "kind" {
			rows[i].extension = strings.ToLower(path.Ext(string(rows[i].Name)))
		}
	}
	slices.SortFunc(rows, func(a, b sortable) int {
		if by != "modified" && (a.Kind == hosting.EntryFolder) != (b.Kind == hosting.EntryFolder) {
			if a.Kind == hosting.EntryFolder {
				return -1
			}
			return 1
		}
		c := 0
		switch by {
		case "size":
			c = cmp.Compare(a.Size, b.Size)
		case "modified":
			c = a.Modified.Compare(b.Modified)
		case "kind":
			c = strings.Compare(a.extension, b.extension)
		}
		if c == 0 {
			c = cmp.Or(strings.Compare(a.key, b.key), bytes.Compare(a.Name, b.Name))
		}
		if down {
			return -c
		}
		return c
	})
}

// sortKey is a name so that keys in the order of their bytes are names in the
// order of people.
func sortKey(name string) string {
	plain := true
	for i := range len(name) {
		plain = plain && name[i] < utf8.RuneSelf
	}
	if !plain {
		name = strings.Map(func(r rune) rune {
			if unicode.Is(unicode.Mn, r) {
				return -1
			}
			return r
		}, norm.NFD.String(name))
	}
	name = strings.ToLower(name)
	key := make([]byte, 0, len(name)+4)
	for i := 0; i < len(name); {
		if name[i] < '0' || name[i] > '9' {
			key = append(key, name[i])
			i++
			continue
		}
		end := i
		for end < len(name) && name[end] >= '0' && name[end] <= '9' {
			end++
		}
		digits := strings.TrimLeft(name[i:end], "0")
		key = append(append(key, '0', byte(len(digits))), digits...) // the longer number is the greater
		i = end
	}
	return string(key)
}

// entry is GET entry: path.
func entry(v *visit, w http.ResponseWriter) error {
	p, err := v.path("path")
	if err != nil {
		return err
	}
	e, err := v.jail.Lstat(string(p))
	if err != nil {
		return err
	}
	about := hosting.FileAbout{FileEntry: entryOf(e, p.Base())}
	about.Writable = p != "" && v.jail.Writable(string(p.Folder()))
	return ftplink.Answer(w, about)
}
