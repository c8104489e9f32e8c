package views

import (
	"context"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/views/ui"
)

// FilesAt is where in the files of which site a page is.
type FilesAt struct {
	Site     hosting.Site
	Path     hosting.FilePath // a folder, or the file that the page is about
	CanWrite bool
}

// FilesURL is the address of a page of the file manager, "" of the folder
// itself, about a path; pairs are further values.
func FilesURL(site hosting.SiteID, act string, p hosting.FilePath, pairs ...string) string {
	at := fmt.Sprintf("/files/%d", site)
	if act != "" {
		at += "/" + act
	}
	query := url.Values{}
	if p != "" {
		query.Set("path", p.Ref())
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		query.Add(pairs[i], pairs[i+1])
	}
	if len(query) == 0 {
		return at
	}
	return at + "?" + query.Encode()
}

func (a FilesAt) url(act string, p hosting.FilePath, pairs ...string) string {
	return FilesURL(a.Site.ID, act, p, pairs...)
}

// act is the address of an act, without a path.
func (a FilesAt) act(act string) string { return a.url(act, "") }

// chosen is the address of an act on one file.
func (a FilesAt) chosen(act string, p hosting.FilePath) string { return a.url(act, "", "f", p.Ref()) }

// FileSitesParams is the list of sites whose files there are.
//
//	templ FileSitesPage(page Page, p FileSitesParams) // GET /files
type FileSitesParams struct {
	List     List
	Sites    []hosting.Site
	CanWrite bool // may make a site
}

// FilesParams is a folder. Columns to sort by: name, kind, size, modified.
//
//	templ FilesPage(page Page, p FilesParams) // GET /files/:id
type FilesParams struct {
	At       FilesAt
	List     List
	Listing  hosting.FileListing
	Space    hosting.Space
	Problems []hosting.Message // what was refused
	// CanSettings says that the person may change the site itself.
	CanSettings bool
}

// FileParams is one file.
//
//	templ FilePage(page Page, p FileParams) // GET /files/:id/file
type FileParams struct {
	At    FilesAt
	About hosting.FileAbout
}

// FileNameForm asks for the name of something new, or a new name.
type FileNameForm struct {
	Path   string `form:"path"`
	Name   string `form:"name"`
	Errors Errors `form:"-"` // "", name
}

// FileNameParams is that form for an act: folder, new or rename.
//
//	templ FileNamePage(page Page, p FileNameParams) // GET, POST /files/:id/folder, new, rename
type FileNameParams struct {
	At   FilesAt
	Act  string
	Form FileNameForm
}

// FileTargetParams asks to which folder something goes; act is move or copy.
//
//	templ FileTargetPage(page Page, p FileTargetParams) // GET, POST /files/:id/move, copy
type FileTargetParams struct {
	At      FilesAt
	Act     string
	Paths   []hosting.FilePath
	To      hosting.FilePath
	Listing hosting.FileListing // the folders in it
	Errors  Errors              // "", to
}

// FilesDeleteParams confirms a removal.
//
//	templ FilesDeletePage(page Page, p FilesDeleteParams) // GET /files/:id/delete
type FilesDeleteParams struct {
	At    FilesAt
	Paths []hosting.FilePath
}

// FileModeForm is permissions, as a number; Before is what it was when the page
// was drawn, so that ticked boxes count when it was not typed.
type FileModeForm struct {
	Mode   string `form:"mode"`
	Before string `form:"before"`
	Deep   bool   `form:"deep"`
	Errors Errors `form:"-"` // "", mode
}

// FileModeParams asks for permissions. About is the first of the files.
//
//	templ FileModePage(page Page, p FileModeParams) // GET, POST /files/:id/mode
type FileModeParams struct {
	At    FilesAt
	Paths []hosting.FilePath
	About hosting.FileAbout
	Form  FileModeForm
}

// FileUnpackForm says where an archive goes.
type FileUnpackForm struct {
	Path    string `form:"path"`
	Where   string `form:"where"` // "apart" or "here"
	Replace bool   `form:"replace"`
	Errors  Errors `form:"-"` // "", replace
}

// FileUnpackParams asks where an archive goes.
//
//	templ FileUnpackPage(page Page, p FileUnpackParams) // GET, POST /files/:id/unpack
type FileUnpackParams struct {
	At   FilesAt
	Form FileUnpackForm
}

// FileEditForm is POST /files/:id/edit.
type FileEditForm struct {
	Path     string `form:"path"`
	Version  string `form:"version"`
	Encoding string `form:"encoding"`
	Text     string `form:"text"`
	Recreate bool   `form:"recreate"`
	Errors   Errors `form:"-"` // "", text, encoding
}

// FileEditParams is the editor.
//
//	templ FileEditPage(page Page, p FileEditParams) // GET, POST /files/:id/edit
type FileEditParams struct {
	At     FilesAt
	Text   hosting.FileText // as the file is
	Form   FileEditForm
	Others []hosting.FileEditor
}

// FileConflictParams is two texts of one file: the one that was sent, and what
// is in the file now; nil when it is gone.
//
//	templ FileConflictPage(page Page, p FileConflictParams) // POST /files/:id/edit
type FileConflictParams struct {
	At     FilesAt
	Form   FileEditForm
	Now    *hosting.FileText
	Others []hosting.FileEditor
}

// maxName is how much of a name is shown.
const maxName = 255

// shownName is a name as people may read it.
func shownName(p hosting.FilePath) string { return hosting.Visible(p.Base(), maxName) }

func (a FilesAt) entry(e hosting.FileEntry) hosting.FilePath { return a.Path.Join(string(e.Name)) }

// folderCrumbs is the way to a folder within its site, the last without a link.
func folderCrumbs(a FilesAt, p hosting.FilePath, to func(hosting.FilePath) string) []ui.Crumb {
	crumbs := []ui.Crumb{{Text: a.Site.Host.Unicode(), URL: to("")}}
	if p != "" {
		at := hosting.FilePath("")
		for segment := range strings.SplitSeq(string(p), "/") {
			at = at.Join(segment)
			crumbs = append(crumbs, ui.Crumb{Text: shownName(at), URL: to(at)})
		}
	}
	crumbs[len(crumbs)-1].URL = ""
	return crumbs
}

// browse is the address of a folder.
func (a FilesAt) browse(p hosting.FilePath) string { return a.url("", p) }

// filesTrail is the way to a page about the files of a site.
func filesTrail(ctx context.Context, page Page, a FilesAt, last string) []ui.Crumb {
	trail := trail(page, ui.Crumb{Text: i18n.T(ctx, "nav.files"), URL: "/files"}, ui.Crumb{Text: a.Site.Host.Unicode(), URL: a.browse("")})
	return append(trail, ui.Crumb{Text: last})
}

// kindOf are endings and the word for them.
var kindOf = map[string]string{
	"jpg": "image", "jpeg": "image", "png": "image", "gif": "image", "webp": "image", "avif": "image", "svg": "image", "bmp": "image", "ico": "image",
	"pdf": "pdf", "php": "php", "html": "page", "htm": "page", "css": "css", "js": "js", "mjs": "js",
	"txt": "text", "md": "text", "csv": "text", "log": "text", "json": "data", "xml": "data", "yml": "data", "yaml": "data", "sql": "data", "ini": "data", "conf": "data",
	"zip": "archive", "gz": "archive", "tgz": "archive", "tar": "archive", "7z": "archive", "rar": "archive",
	"mp3": "sound", "ogg": "sound", "wav": "sound", "m4a": "sound", "mp4": "video", "webm": "video", "mov": "video", "mkv": "video",
	"doc": "document", "docx": "document", "odt": "document", "xls": "document", "xlsx": "document", "ods": "document", "ppt": "document", "pptx": "document", "odp": "document",
	"woff": "font", "woff2": "font", "ttf": "font", "otf": "font",
}

// fileKind is what something is, in a word that is part of a key.
func fileKind(e hosting.FileEntry) string {
	switch {
	case e.Kind == hosting.EntryOther:
		return "special"
	case e.Kind != hosting.EntryFile:
		return string(e.Kind)
	case strings.HasPrefix(path.Base(string(e.Name)), ".ht"), path.Base(string(e.Name)) == ".user.ini":
		return "setting"
	}
	if kind, known := kindOf[ending(string(e.Name))]; known {
		return kind
	}
	return "file"
}

func ending(name string) string {
	return strings.ToLower(strings.TrimPrefix(path.Ext(name), "."))
}

// fileKindText is fileKind for people.
func fileKindText(ctx context.Context, e hosting.FileEntry) string {
	text := i18n.T(ctx, "files.is."+fileKind(e))
	if e.Link != nil && e.Kind != hosting.EntryLink {
		return i18n.T(ctx, "files.linked", text)
	}
	return text
}

var kindIcons = map[string]string{
	"folder": "folder", "image": "image", "archive": "archive", "php": "code", "page": "code", "css": "code", "js": "code", "data": "code", "setting": "code", "link": "ext",
}

func fileIcon(e hosting.FileEntry) string {
	if name, known := kindIcons[fileKind(e)]; known {
		return name
	}
	return "file"
}

// fileSize is the size of a file; a folder has none.
func fileSize(ctx context.Context, e hosting.FileEntry) string {
	if e.Kind != hosting.EntryFile {
		return ""
	}
	return i18n.Bytes(ctx, e.Size)
}

// notText are kinds of files that no editor shows.
var notText = []string{"pdf", "archive", "sound", "video", "document", "font", "folder", "link", "special"}

// editable reports whether a file may be a text: its reader finds out.
func editable(e hosting.FileEntry) bool {
	kind := fileKind(e)
	if kind == "image" {
		return ending(string(e.Name)) == "svg" && e.Size <= hosting.MaxFileText
	}
	return e.Kind == hosting.EntryFile && e.Size <= hosting.MaxFileText && !slices.Contains(notText, kind)
}

// previewed are the endings of pictures that are shown.
var previewed = []string{"jpg", "jpeg", "png", "gif", "webp", "avif", "bmp"}

func isPreviewed(e hosting.FileEntry) bool {
	const most = 32 << 20
	return e.Kind == hosting.EntryFile && e.Size <= most && slices.Contains(previewed, ending(string(e.Name)))
}

// Octal is permissions as a number, such as 644.
func Octal(mode fs.FileMode) string { return fmt.Sprintf("%03o", mode.Perm()) }

// bits are the boxes of permissions, in the order of their number.
var bits = []fs.FileMode{0o400, 0o200, 0o100, 0o040, 0o020, 0o010, 0o004, 0o002, 0o001}

// ModeOfBoxes is the permissions of ticked boxes; each says its own number.
func ModeOfBoxes(ticked []string) (mode fs.FileMode) {
	for _, bit := range bits {
		if slices.Contains(ticked, Octal(bit)) {
			mode |= bit
		}
	}
	return mode
}

// modeRows are who permissions are for: the owner, the group, everybody.
var modeRows = []string{"owner", "group", "others"}

func (f FileModeForm) has(bit fs.FileMode) bool {
	n, err := strconv.ParseUint(f.Mode, 8, 32)
	return err == nil && fs.FileMode(n)&bit != 0
}

// editorLanguage is the language that the editor colours.
func editorLanguage(p hosting.FilePath) string {
	name := strings.ToLower(p.Base())
	switch ending(name) {
	case "php", "phtml", "inc":
		return "php"
	case "html", "htm", "svg", "vue", "twig", "tpl":
		return "html"
	case "css", "scss", "less":
		return "css"
	case "js", "mjs", "ts", "jsx", "tsx":
		return "js"
	case "json", "map":
		return "json"
	case "xml", "rss", "xsl":
		return "xml"
	case "yml", "yaml":
		return "yaml"
	}
	return ""
}

// runsSite reports whether a slip in a file can stop the site.
func runsSite(p hosting.FilePath) bool {
	return ending(p.Base()) == "php" || strings.HasPrefix(p.Base(), ".ht") || p.Base() == ".user.ini"
}

func encodingOptions(ctx context.Context) []ui.Option {
	var options []ui.Option
	for _, e := range hosting.TextEncodings {
		options = append(options, ui.Option{Value: string(e), Label: i18n.T(ctx, "files.encoding."+string(e))})
	}
	return options
}

// lineEndText says how lines end.
func lineEndText(ctx context.Context, t hosting.FileText) string {
	if t.Mixed {
		return i18n.T(ctx, "files.line_ends_mixed")
	}
	return i18n.T(ctx, "files.line_end."+string(t.LineEnd))
}

// editingText says that somebody has the file open, and since when.
func editingText(ctx context.Context, e hosting.FileEditor, now time.Time) string {
	return i18n.T(ctx, "files.editing_by", e.Name, i18n.Ago(ctx, e.Since, now))
}

// countFiles is the line below a folder.
func countFiles(ctx context.Context, p FilesParams) string {
	return i18n.T(ctx, "files.count", p.Listing.Total)
}

func problemsOf(ctx context.Context, list []hosting.Message) []ui.Problem {
	problems := make([]ui.Problem, len(list))
	for i, m := range list {
		problems[i] = ui.Problem{Text: say(ctx, m)}
	}
	return problems
}

// fileNames lists the first names of what is chosen.
func fileNames(paths []hosting.FilePath) []hosting.FilePath {
	const most = 20
	return paths[:min(len(paths), most)]
}

func lines(text string) int { return strings.Count(text, "\n") + 1 }

// filesTitle is the name of a folder; that of the site for its home.
func filesTitle(p FilesParams) string {
	if p.At.Path == "" {
		return p.At.Site.Host.Unicode()
	}
	return shownName(p.At.Path)
}

// filesHeading is the title of the page of a folder: the folder and its site.
func filesHeading(ctx context.Context, p FilesParams) string {
	if p.At.Path == "" {
		return i18n.T(ctx, "site.tab_title", i18n.T(ctx, "nav.files"), p.At.Site.Host.Unicode())
	}
	return i18n.T(ctx, "site.tab_title", shownName(p.At.Path), p.At.Site.Host.Unicode())
}

// filesTrailOf is the way to a folder or a file.
func filesTrailOf(ctx context.Context, page Page, a FilesAt) []ui.Crumb {
	steps := []ui.Crumb{{Text: i18n.T(ctx, "nav.files"), URL: "/files"}, {Text: a.Site.Host.Unicode(), URL: a.browse("")}}
	if a.Path != "" {
		if folder := a.Path.Folder(); folder != "" {
			steps = append(steps, ui.Crumb{Text: shownName(folder), URL: a.browse(folder)})
		}
		steps = append(steps, ui.Crumb{Text: shownName(a.Path)})
	}
	steps[len(steps)-1].URL = ""
	return trail(page, steps...)
}

// noPreview says why a file is not shown.
func noPreview(ctx context.Context, e hosting.FileEntry) string {
	switch {
	case e.Kind == hosting.EntryLink:
		return i18n.T(ctx, "files.preview_link")
	case e.Kind == hosting.EntryOther:
		return i18n.T(ctx, "files.preview_other")
	case editable(e):
		return i18n.T(ctx, "files.preview_text")
	}
	return i18n.T(ctx, "files.preview_none")
}

func fileNameTitle(ctx context.Context, p FileNameParams) string {
	if p.Act == "rename" {
		return i18n.T(ctx, "files.rename_title", shownName(p.At.Path))
	}
	return i18n.T(ctx, "files.title."+p.Act)
}

// to is the address of the page when another folder is chosen.
func (p FileTargetParams) to(folder hosting.FilePath) string {
	query := url.Values{"to": {folder.Ref()}}
	for _, chosen := range p.Paths {
		query.Add("f", chosen.Ref())
	}
	return p.At.act(p.Act) + "?" + query.Encode()
}

func fileTargetTitle(ctx context.Context, p FileTargetParams) string {
	one := len(p.Paths) == 1
	switch {
	case one && p.Act == "move":
		return i18n.T(ctx, "files.move_title", shownName(p.Paths[0]))
	case one:
		return i18n.T(ctx, "files.copy_title", shownName(p.Paths[0]))
	case p.Act == "move":
		return i18n.T(ctx, "files.move_many", len(p.Paths))
	}
	return i18n.T(ctx, "files.copy_many", len(p.Paths))
}

func fileDeleteTitle(ctx context.Context, p FilesDeleteParams) string {
	if len(p.Paths) == 1 {
		return i18n.T(ctx, "files.delete_title", shownName(p.Paths[0]))
	}
	return i18n.T(ctx, "files.delete_many", len(p.Paths))
}

func fileModeTitle(ctx context.Context, p FileModeParams) string {
	if len(p.Paths) == 1 {
		return i18n.T(ctx, "files.mode_title", shownName(p.Paths[0]))
	}
	return i18n.T(ctx, "files.mode_many", len(p.Paths))
}

func orText(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// canSave reports whether the editor changes the file.
func (p FileEditParams) canSave() bool { return p.At.CanWrite && p.Text.Writable }

// textErrors marks the field of the text when it was refused.
func textErrors(e Errors) templ.Attributes {
	if _, refused := e["text"]; refused {
		return templ.Attributes{"aria-invalid": "true"}
	}
	return nil
}
