package panel

import (
	"encoding/csv"
	"errors"
	"mime"
	"net/http"
	"strings"

	"cancale/internal/i18n"
)

// sheet is a table that is sent as it is made, for a program of spreadsheets.
type sheet struct {
	csv *csv.Writer
}

// download begins an answer that is a file of that name; what follows is
// written in pieces, so that its length does not matter.
func (r *Request) download(name, contentType string) http.ResponseWriter {
	w := r.echo.Response()
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	w.WriteHeader(http.StatusOK)
	return w
}

// sheet begins the download of a table. The mark at its beginning is how
// programs know that it is UTF-8; in French they expect semicolons.
func (r *Request) sheet(name string, head ...string) *sheet {
	w := r.download(name, "text/csv; charset=utf-8")
	_, _ = w.Write([]byte("\ufeff"))
	s := &sheet{csv.NewWriter(w)}
	s.csv.UseCRLF = true
	if i18n.Lang(r.Context()) == "fr" {
		s.csv.Comma = ';'
	}
	s.row(head...)
	return s
}

func (s *sheet) row(cells ...string) {
	for i, cell := range cells {
		cells[i] = plainCell(cell)
	}
	_ = s.csv.Write(cells) // close tells what went wrong
}

// close ends the table. One that is not whole is cut, so that nobody takes it
// for whole.
func (s *sheet) close(err error) {
	s.csv.Flush()
	if errors.Join(err, s.csv.Error()) != nil {
		panic(http.ErrAbortHandler)
	}
}

// plainCell is a text that no program of spreadsheets takes for a formula: an
// apostrophe before it makes it a text there.
func plainCell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20'", []rune(text)[0]) {
		return "'" + text
	}
	return text
}
