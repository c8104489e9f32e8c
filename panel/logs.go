package panel

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"cancale/internal/files"
	"cancale/internal/hosting"
	"cancale/internal/sitelog"
	"cancale/views"
)

const (
	// shownLines is how many lines of a log a page holds.
	shownLines = 200
	// shownLine is how much of one is shown.
	shownLine = 2000
	// searchPHP is how long a search in the log of PHP goes on.
	searchPHP = 400 * time.Millisecond
	// longestSearch is how much of a text is looked for.
	longestSearch = 200
)

// phpLog is where a site's PHP writes its errors: a file of the site's own,
// which the FTP daemon reads for us under the site's uid.
const phpLog hosting.FilePath = "tmp/php_errors.log"

// loggedSite is the site of the address, whose logs the person may read: they
// hold addresses of visitors and pieces of what members wrote.
func (r *Request) loggedSite() (hosting.Site, error) {
	id, err := r.id()
	if err != nil {
		return hosting.Site{}, err
	}
	row, err := r.srv.store.Site(r.Context(), r.Actor.Scope(hosting.FilesRead), hosting.SiteID(id))
	if err != nil {
		return hosting.Site{}, err
	}
	return row.Site, r.about(row.AccountID)
}

// logKind is which log is asked for. What is no kind is not found.
func (r *Request) logKind() (string, error) {
	kind := r.Query("kind")
	if kind == "" {
		kind = views.LogKinds[0]
	}
	if !slices.Contains(views.LogKinds, kind) {
		return "", hosting.Refuse(hosting.NotFound, "", "error.not_found")
	}
	return kind, nil
}

// logDay is the day that is asked for, "" for the latest.
func (r *Request) logDay() (string, error) {
	day := r.Query("day")
	if day != "" && !sitelog.IsDay(day) {
		return "", hosting.Refuse(hosting.NotFound, "", "error.not_found")
	}
	return day, nil
}

// showLogs is GET /sites/:id/logs.
func (s *server) showLogs(r *Request) error {
	params, err := s.logParams(r)
	if err != nil {
		return err
	}
	return r.page(func(p views.Page) error {
		params.CSRF = p.CSRF
		return r.Render(views.SiteLogsPage(p, params))
	})
}

// showLogLines is GET /sites/:id/logs/lines: what is new of a log that is
// followed, or that nothing is.
func (s *server) showLogLines(r *Request) error {
	params, err := s.logParams(r)
	if err != nil {
		return err
	}
	if seen := r.Query("seen"); seen != "" && seen == params.Current {
		return r.echo.NoContent(http.StatusNoContent)
	}
	return r.Render(views.LogLines(params))
}

func (s *server) logParams(r *Request) (views.LogsParams, error) {
	site, err := r.loggedSite()
	if err != nil {
		return views.LogsParams{}, err
	}
	kind, err := r.logKind()
	if err != nil {
		return views.LogsParams{}, err
	}
	day, err := r.logDay()
	if err != nil {
		return views.LogsParams{}, err
	}
	settings, err := s.store.Settings(r.Context())
	if err != nil {
		return views.LogsParams{}, err
	}
	params := views.LogsParams{
		SiteParams: s.siteState(r, site), Kind: kind, Query: r.echo.QueryParams(), InTime: true,
		LogDays: settings.Kept.LogDays, Short: settings.Kept.AddressDays,
		Follow: r.Query("follow") != "" && day == "" && r.Query("before") == "",
	}
	query := sitelog.Query{Day: day, Before: sitelog.ParsePlace(r.Query("before")), Most: shownLines, Match: r.logMatch(kind)}
	if kind == "php" {
		return params, s.readPHPLog(r, site, query, &params)
	}
	dir := s.conf.Layout.SiteLogs(uint64(site.ID))
	found, err := sitelog.Read(dir, sitelog.Kind(kind), query)
	if err != nil {
		return params, err
	}
	if params.Days, err = sitelog.Days(dir, sitelog.Kind(kind)); err != nil {
		return params, err
	}
	params.Next, params.InTime, params.Current = found.Next.String(), found.InTime, found.Current
	params.Download = len(params.Days) > 0
	parse := sitelog.ParseAccess
	if kind == "error" {
		parse = sitelog.ParseError
	}
	params.Lines = s.logLines(found.Lines, parse)
	return params, nil
}

// logMatch is whether a line is wanted: it holds the text, whatever its case,
// and was answered with such a status, for such a path.
func (r *Request) logMatch(kind string) func([]byte) bool {
	text := []byte(strings.ToLower(shortened(r.Query("q"))))
	status, path := r.Query("status"), shortened(r.Query("path"))
	if kind != "access" || len(status) != 1 || status < "1" || status > "5" {
		status = ""
	}
	if kind != "access" {
		path = ""
	}
	if len(text) == 0 && status == "" && path == "" {
		return nil
	}
	return func(line []byte) bool {
		if len(text) > 0 && !bytes.Contains(bytes.ToLower(line), text) {
			return false
		}
		if status == "" && path == "" {
			return true
		}
		l := sitelog.ParseAccess(line)
		return (status == "" || strconv.Itoa(l.Status/100) == status) && strings.HasPrefix(l.Path, path)
	}
}

func shortened(text string) string {
	text = strings.TrimSpace(text)
	return text[:min(len(text), longestSearch)]
}

// logLines makes lines of a log into what can be shown.
func (s *server) logLines(raw [][]byte, parse func([]byte) sitelog.Line) []views.LogLine {
	lines := make([]views.LogLine, len(raw))
	show := func(text string) string {
		return hosting.Visible(sitelog.Relative(s.conf.Layout, text), shownLine)
	}
	day := ""
	for i, text := range raw {
		l := parse(text)
		l.Text, l.Path, l.Method = show(l.Text), show(l.Path), show(l.Method)
		l.Referrer, l.Agent, l.Address = show(l.Referrer), show(l.Agent), show(l.Address)
		lines[i] = views.LogLine{Line: l}
		if !l.At.IsZero() {
			at := l.At.Local().Format(time.DateOnly)
			lines[i].NewDay, day = at != day, at
		}
	}
	return lines
}

// readPHPLog reads the log of a site's PHP through the FTP daemon.
func (s *server) readPHPLog(r *Request, site hosting.Site, q sitelog.Query, params *views.LogsParams) error {
	remote := files.Client{Link: s.link, Actor: r.Actor, Site: site.ID}
	entry, err := remote.Entry(r.Context(), phpLog)
	if hosting.KindOf(err) == hosting.NotFound {
		return nil // PHP has had nothing to say
	}
	if refused, ok := errors.AsType[*hosting.Error](err); ok {
		params.Missing = refused.Message
		return nil
	}
	if err != nil {
		return err
	}
	if entry.Kind != hosting.EntryFile {
		params.Missing = hosting.Msg("logs.php_no_file")
		return nil
	}
	params.Current = fmt.Sprintf("%x.%x", entry.Size, entry.Modified.UnixNano())
	params.Download = entry.Size > 0
	end := entry.Size
	if before := q.Before.Offset(); before > 0 && before < end {
		end = before
	}
	var raw [][]byte
	next, err := sitelog.Backwards(&remoteFile{r, remote, phpLog}, end, time.Now().Add(searchPHP), func(line []byte) bool {
		if q.Match == nil || q.Match(line) {
			raw = append(raw, bytes.Clone(line))
		}
		return len(raw) < q.Most
	})
	if err != nil {
		return err
	}
	if next > 0 {
		params.Next, params.InTime = sitelog.PlaceAt(next).String(), len(raw) >= q.Most
	}
	params.Lines = s.logLines(raw, sitelog.ParsePHP)
	return nil
}

// remoteFile is a member's file that the FTP daemon reads for us.
type remoteFile struct {
	r     *Request
	files files.Client
	path  hosting.FilePath
}

func (f *remoteFile) ReadAt(p []byte, offset int64) (int, error) {
	header := http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", offset, offset+int64(len(p))-1)}}
	res, err := f.files.Content(f.r.Context(), f.path, header, true)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusPartialContent {
		return 0, io.EOF // it has become shorter meanwhile
	}
	n, err := io.ReadFull(res.Body, p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}

// downloadLog is GET /sites/:id/logs/download: a day of a log, as it is kept.
func (s *server) downloadLog(r *Request) error {
	site, err := r.loggedSite()
	if err != nil {
		return err
	}
	kind, err := r.logKind()
	if err != nil {
		return err
	}
	if kind == "php" {
		remote := files.Client{Link: s.link, Actor: r.Actor, Site: site.ID}
		res, err := remote.Content(r.Context(), phpLog, nil, true)
		if err != nil {
			return err
		}
		r.attachment(string(site.Host) + "-php.log")
		return r.send(res)
	}
	day, err := r.logDay()
	if err != nil {
		return err
	}
	out := &lateWriter{}
	err = sitelog.Download(out, s.conf.Layout.SiteLogs(uint64(site.ID)), sitelog.Kind(kind), day, func() {
		r.download(string(site.Host)+"-"+kind+"-"+day+".log.gz", "application/gzip")
		out.w = r.stream(nil)
	})
	switch {
	case err != nil && out.w != nil:
		panic(http.ErrAbortHandler) // so that nobody takes it for whole
	case errors.Is(err, fs.ErrNotExist):
		return hosting.Refuse(hosting.NotFound, "", "error.not_found")
	}
	return err
}

// lateWriter is an answer that begins when there is something to send.
type lateWriter struct{ w io.Writer }

func (l *lateWriter) Write(p []byte) (int, error) { return l.w.Write(p) }
