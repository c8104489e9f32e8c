package files

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"cancale/internal/ftplink"
	"cancale/internal/hosting"
	"cancale/internal/store"
)

var lineEnds = map[hosting.LineEnd]string{hosting.LF: "\n", hosting.CRLF: "\r\n", hosting.CR: "\r"}

const mark = "\ufeff"

// windows is Windows' Latin-1, with the bytes that it leaves undefined told
// apart.
var windows = charmap.Windows1252

// decode reads the bytes of a file as text; false when they are none.
func decode(raw []byte) (hosting.FileText, bool) {
	t := hosting.FileText{Encoding: hosting.UTF8, Version: version(raw), Size: int64(len(raw))}
	if bytes.IndexByte(raw, 0) >= 0 {
		return t, false
	}
	text := string(raw)
	switch {
	case strings.HasPrefix(text, mark) && utf8.ValidString(text):
		t.Encoding, text = hosting.UTF8Mark, strings.TrimPrefix(text, mark)
	case utf8.ValidString(text):
	default:
		t.Encoding = hosting.Windows1252
		decoder := windows.NewDecoder()
		decoded, err := decoder.String(text)
		if err != nil || strings.ContainsRune(decoded, utf8.RuneError) || strings.ContainsFunc(decoded, isC1) {
			t.Encoding = hosting.Latin1
			decoded, _ = charmap.ISO8859_1.NewDecoder().String(text) // knows every byte
		}
		text = decoded
	}
	lines := splitLines(text)
	count := map[string]int{}
	for _, l := range lines {
		count[l.end]++
	}
	t.LineEnd = hosting.LF
	for _, end := range []hosting.LineEnd{hosting.CRLF, hosting.CR} {
		if count[lineEnds[end]] > count[lineEnds[t.LineEnd]] {
			t.LineEnd = end
		}
	}
	delete(count, "")
	t.Mixed = len(count) > 1
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.text)
		if l.end != "" {
			b.WriteByte('\n')
		}
	}
	t.Text = b.String()
	return t, true
}

// isC1 finds what Windows' Latin-1 has no character for.
func isC1(r rune) bool { return r >= 0x80 && r <= 0x9f }

// encode writes text as bytes; the first character that the encoding lacks is
// the error.
func encode(text string, as hosting.TextEncoding) ([]byte, error) {
	switch as {
	case hosting.Windows1252, hosting.Latin1:
		table := windows
		if as == hosting.Latin1 {
			table = charmap.ISO8859_1
		}
		raw := make([]byte, 0, len(text))
		for _, r := range text {
			b, known := table.EncodeRune(r)
			if !known {
				return nil, hosting.Refuse(hosting.Invalid, "text", "files.not_in_encoding", string(r))
			}
			raw = append(raw, b)
		}
		return raw, nil
	case hosting.UTF8Mark:
		return []byte(mark + text), nil
	default:
		return []byte(text), nil
	}
}

// line is a line and what ends it; the last one may have no end.
type line struct{ text, end string }

func splitLines(text string) []line {
	var lines []line
	for text != "" {
		i := strings.IndexAny(text, "\r\n")
		if i < 0 {
			return append(lines, line{text: text})
		}
		end := text[i : i+1]
		if strings.HasPrefix(text[i:], "\r\n") {
			end = "\r\n"
		}
		lines = append(lines, line{text[:i], end})
		text = text[i+len(end):]
	}
	return lines
}

// withLineEnds gives the lines of an edited text the ends that they had in the
// old one: each line before and after what was edited its own, the others the
// usual one.
func withLineEnds(text, old string, usual hosting.LineEnd) string {
	lines, was := splitLines(text), splitLines(old)
	for i := range lines {
		if lines[i].end != "" {
			lines[i].end = lineEnds[usual]
		}
	}
	same := 0
	for same < min(len(lines), len(was)) && lines[same].text == was[same].text && lines[same].end != "" && was[same].end != "" {
		lines[same].end = was[same].end
		same++
	}
	for i := 1; i <= min(len(lines), len(was))-same; i++ {
		l, w := &lines[len(lines)-i], was[len(was)-i]
		if l.text != w.text || (l.end == "") != (w.end == "") {
			break
		}
		l.end = w.end
	}
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.text + l.end)
	}
	return b.String()
}

// version names the content of a file.
func version(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:16])
}

var errBinary = hosting.Refuse(hosting.Conflict, "", "files.not_text")

// readText reads a file as a whole.
func (v *visit) readText(p hosting.FilePath) (hosting.FileText, []byte, error) {
	f, info, err := v.jail.Open(string(p))
	if err != nil {
		return hosting.FileText{}, nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, hosting.MaxFileText+1))
	if err != nil {
		return hosting.FileText{}, nil, err
	}
	if len(raw) > hosting.MaxFileText {
		return hosting.FileText{}, nil, hosting.Refuse(hosting.Conflict, "", "files.text_too_long")
	}
	t, isText := decode(raw)
	if !isText {
		return hosting.FileText{}, nil, errBinary
	}
	t.Modified = info.ModTime()
	return t, raw, nil
}

// text is GET text: path.
func text(v *visit, w http.ResponseWriter) error {
	p, err := v.path("path")
	if err != nil {
		return err
	}
	t, _, err := v.readText(p)
	if err != nil {
		return err
	}
	link, err := v.jail.Lstat(string(p))
	if err != nil {
		return err
	}
	t.Writable = link.Mode().IsRegular() && v.jail.Writable(string(p.Folder()))
	return ftplink.Answer(w, t)
}

// save is PUT text: path, version, encoding; the body is the text. It answers
// with the new version. When the file is not the one of that version any more,
// the refusal bears the field "version".
func save(v *visit, w http.ResponseWriter) error {
	p, err := v.path("path")
	if err != nil {
		return err
	}
	body, err := io.ReadAll(io.LimitReader(v.Body, 4*hosting.MaxFileText))
	if err != nil {
		return err
	}
	edited := string(body)
	switch as := hosting.TextEncoding(v.values.Get("encoding")); {
	case !utf8.ValidString(edited) || strings.Contains(edited, "\x00"):
		return hosting.Refuse(hosting.Invalid, "text", "files.not_text")
	case !slices.Contains(hosting.TextEncodings, as):
		return hosting.Refuse(hosting.Invalid, "encoding", "files.encoding_unknown")
	}
	v.saving.Lock()
	defer v.saving.Unlock()
	link, err := v.jail.Lstat(string(p))
	if errors.Is(err, fs.ErrNotExist) {
		return hosting.Refuse(hosting.Conflict, "version", "files.edit_gone")
	}
	if err != nil {
		return err
	}
	if !link.Mode().IsRegular() {
		return hosting.Refuse(hosting.Conflict, "", "files.edit_link")
	}
	before, old, err := v.readText(p)
	if err != nil {
		return err
	}
	if before.Version != v.values.Get("version") {
		return hosting.Refuse(hosting.Conflict, "version", "files.edit_changed")
	}
	oldText := string(old)
	if before.Encoding == hosting.UTF8Mark {
		oldText = strings.TrimPrefix(oldText, mark)
	} else if before.Encoding != hosting.UTF8 {
		oldText = withEnds(before, old)
	}
	raw, err := encode(withLineEnds(edited, oldText, before.LineEnd), hosting.TextEncoding(v.values.Get("encoding")))
	if err != nil {
		return err
	}
	if len(raw) > hosting.MaxFileText {
		return hosting.Refuse(hosting.Invalid, "text", "files.text_too_long")
	}
	if !bytes.Equal(raw, old) {
		if err := v.write(p, raw); err != nil {
			v.note(hosting.Sent, p, "", 0, err)
			return err
		}
		v.note(hosting.Sent, p, "", int64(len(raw)), nil)
		if err := v.audit("files.edit", store.FileAct{Path: string(p)}); err != nil {
			return err
		}
	}
	return ftplink.Answer(w, hosting.FileText{Version: version(raw), Size: int64(len(raw))})
}

// withEnds is a text of one byte for each character with the line ends of its
// file.
func withEnds(t hosting.FileText, raw []byte) string {
	table := windows
	if t.Encoding == hosting.Latin1 {
		table = charmap.ISO8859_1
	}
	s, _ := table.NewDecoder().Bytes(raw) // it was decoded once
	return string(s)
}

// write puts a file in the place of the one that is there, in one step.
func (v *visit) write(p hosting.FilePath, raw []byte) error {
	u, err := v.jail.Create(string(p))
	if err != nil {
		return err
	}
	if _, err := u.Take(bytes.NewReader(raw)); err != nil {
		return errors.Join(err, u.Discard())
	}
	return u.Commit()
}

// editor is somebody who has a file open in the editor.
type editor struct {
	hosting.FileEditor

	seen time.Time
	live bool // their browser tells that it is still there
}

// How long somebody counts as editing after they were last heard of: a browser
// with our script tells each minute.
const (
	editingLive = 3 * time.Minute
	editingElse = 30 * time.Minute
	maxEditor   = 120
)

// editing is POST editing: path, as (the name to show), state (open, live or
// closed). It answers with the others.
func editing(v *visit, w http.ResponseWriter) error {
	p, err := v.path("path")
	if err != nil {
		return err
	}
	if _, err := v.jail.Lstat(string(p)); err != nil {
		return err
	}
	now := time.Now()
	at := place{v.site.ID, p}
	v.mu.Lock()
	defer v.mu.Unlock()
	for place, editors := range v.Manager.editing {
		for id, e := range editors {
			if since := now.Sub(e.seen); since > editingElse || e.live && since > editingLive {
				delete(editors, id)
			}
		}
		if len(editors) == 0 {
			delete(v.Manager.editing, place)
		}
	}
	others := []hosting.FileEditor{}
	for id, e := range v.Manager.editing[at] {
		if id != v.Actor.Person {
			others = append(others, e.FileEditor)
		}
	}
	slices.SortFunc(others, func(a, b hosting.FileEditor) int { return a.Since.Compare(b.Since) })
	if v.values.Get("state") == "closed" {
		delete(v.Manager.editing[at], v.Actor.Person)
		return ftplink.Answer(w, others)
	}
	editors := v.Manager.editing[at]
	if editors == nil {
		editors = map[hosting.PersonID]editor{}
		v.Manager.editing[at] = editors
	}
	me, known := editors[v.Actor.Person]
	if !known {
		me.Since = now
	}
	me.Name, me.seen, me.live = hosting.Visible(v.values.Get("as"), maxEditor), now, v.values.Get("state") == "live"
	editors[v.Actor.Person] = me
	return ftplink.Answer(w, others)
}
