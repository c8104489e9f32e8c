package panel

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"cancale/internal/files"
	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/views"
)

// filesRoutes is the file manager.
func (s *server) filesRoutes() {
	const (
		get  = http.MethodGet
		post = http.MethodPost
	)
	slow := long{time: patient}
	s.route(get, "/files", hosting.FilesRead, s.listFileSites)
	s.route(get, "/files/:id", hosting.FilesRead, s.browse)
	s.route(get, "/files/:id/file", hosting.FilesRead, s.showFile)
	s.streamRoute(get, "/files/:id/download", hosting.FilesRead, s.download)
	s.streamRoute(get, "/files/:id/image", hosting.FilesRead, s.showImage)
	s.streamRoute(get, "/files/:id/zip", hosting.FilesRead, s.downloadZip)
	s.route(get, "/files/:id/edit", hosting.FilesRead, s.editFile)
	s.slowPost("/files/:id/edit", hosting.FilesWrite, long{body: 8 * hosting.MaxFileText}, s.saveFile)
	s.route(post, "/files/:id/editing", hosting.FilesWrite, s.keepEditing)
	s.streamRoute(post, "/files/:id/upload", hosting.FilesWrite, s.uploadFiles)
	s.route(get, "/files/:id/begun", hosting.FilesWrite, s.uploadBegun)
	s.streamRoute(post, "/files/:id/piece", hosting.FilesWrite, s.uploadPiece)
	s.route(get, "/files/:id/folder", hosting.FilesWrite, s.newFolder)
	s.route(post, "/files/:id/folder", hosting.FilesWrite, s.createFolder)
	s.route(get, "/files/:id/new", hosting.FilesWrite, s.newFile)
	s.route(post, "/files/:id/new", hosting.FilesWrite, s.createFile)
	s.route(get, "/files/:id/rename", hosting.FilesWrite, s.askFileName)
	s.route(post, "/files/:id/rename", hosting.FilesWrite, s.renameFile)
	s.route(get, "/files/:id/move", hosting.FilesWrite, s.askMove)
	s.slowPost("/files/:id/move", hosting.FilesWrite, slow, s.moveFiles)
	s.route(get, "/files/:id/copy", hosting.FilesWrite, s.askCopy)
	s.slowPost("/files/:id/copy", hosting.FilesWrite, slow, s.copyFiles)
	s.route(get, "/files/:id/delete", hosting.FilesWrite, s.confirmFileRemoval)
	s.slowPost("/files/:id/delete", hosting.FilesWrite, slow, s.removeFiles)
	s.route(get, "/files/:id/mode", hosting.FilesWrite, s.askMode)
	s.slowPost("/files/:id/mode", hosting.FilesWrite, slow, s.changeMode)
	s.route(get, "/files/:id/unpack", hosting.FilesWrite, s.askUnpack)
	s.slowPost("/files/:id/unpack", hosting.FilesWrite, slow, s.unpackFile)
}

// filePlace is the site and the folder or file of a request.
type filePlace struct {
	site  hosting.Site
	files files.Client
	path  hosting.FilePath
}

// place reads them: the site of the address, and the path of the form or the
// address.
func (r *Request) place() (filePlace, error) {
	id, err := r.id()
	if err != nil {
		return filePlace{}, err
	}
	row, err := r.srv.store.Site(r.Context(), r.Actor.Scope(hosting.FilesRead), hosting.SiteID(id))
	if err != nil {
		return filePlace{}, err
	}
	if err := r.about(row.AccountID); err != nil {
		return filePlace{}, err
	}
	at := filePlace{site: row.Site, files: files.Client{Link: r.srv.link, Actor: r.Actor, Site: row.ID}}
	at.path, err = hosting.ParseFileRef(r.field("path"))
	return at, err
}

// field is a value of the form, or of the address when it has none.
func (r *Request) field(name string) string {
	if r.form.Has(name) {
		return r.form.Get(name)
	}
	return r.Query(name)
}

// chosenFiles are the files that a form or an address names.
func (r *Request) chosenFiles() ([]hosting.FilePath, error) {
	refs := r.form["f"]
	if !r.form.Has("f") {
		refs = r.echo.QueryParams()["f"]
	}
	paths := make([]hosting.FilePath, 0, len(refs))
	for _, ref := range refs {
		p, err := hosting.ParseFileRef(ref)
		if err != nil {
			return nil, err
		}
		paths = append(paths, p)
	}
	if len(paths) == 0 {
		return nil, hosting.Refuse(hosting.Invalid, "", "files.none_chosen")
	}
	return paths, nil
}

// at is what a page of the file manager says of where it is.
func (r *Request) at(p filePlace) views.FilesAt {
	return views.FilesAt{Site: p.site, Path: p.path, CanWrite: r.Actor.CanIn(hosting.FilesWrite, p.site.AccountID)}
}

// backTo goes to a folder.
func (r *Request) backTo(p filePlace, folder hosting.FilePath) error {
	return r.redirect(views.FilesURL(p.site.ID, "", folder))
}

// listFileSites is GET /files: the sites to choose from, or the one that there
// is.
func (s *server) listFileSites(r *Request) error {
	account, err := r.acts()
	if err != nil {
		return err
	}
	list, page, _, search := r.list()
	rows, total, err := s.store.Sites(r.Context(), r.Actor.Scope(r.need).Only(account.ID), store.SiteFilter{
		Account: account.ID, Search: search, Page: page, PerPage: perPage, Sort: "host",
	})
	if err != nil {
		return err
	}
	if total == 1 && search == "" {
		return r.redirect(views.FilesURL(rows[0].ID, "", rootOf(rows[0].Site)))
	}
	list.Total = total
	params := views.FileSitesParams{List: list, Sites: sitesOf(rows), CanWrite: r.Actor.CanIn(hosting.SitesWrite, account.ID)}
	return r.page(func(p views.Page) error { return r.Render(views.FileSitesPage(p, params)) })
}

// rootOf is the folder that a site's files begin in.
func rootOf(site hosting.Site) hosting.FilePath { return hosting.FilePath(site.DocumentRoot) }

// filesPerPage is how many rows of a folder a page has.
const filesPerPage = 50

// browse is GET /files/:id.
func (s *server) browse(r *Request) error {
	at, err := r.place()
	if err != nil {
		return err
	}
	return s.drawFiles(r, at, nil, r.Render)
}

// drawFiles draws a folder, with what could not be done to it.
func (s *server) drawFiles(r *Request, at filePlace, problems []hosting.Message, answer func(templ.Component) error) error {
	list, page, sort, search := r.list("name", "kind", "size", "modified")
	list.PerPage = filesPerPage
	list.Query.Set("path", at.path.Ref())
	if r.unsafe() {
		list.Path = views.FilesURL(at.site.ID, "", "")
	}
	found, err := at.files.List(r.Context(), files.Query{Folder: at.path, Search: search, Sort: sort, Page: page, PerPage: filesPerPage})
	if err != nil {
		return err
	}
	account, err := r.chosen()
	if err != nil {
		return err
	}
	list.Total = found.Total
	params := views.FilesParams{
		At: r.at(at), List: list, Listing: found, Problems: problems,
		CanSettings: r.Actor.CanIn(hosting.SitesWrite, at.site.AccountID),
	}
	if account != nil {
		params.Space = account.Space
	}
	return r.page(func(p views.Page) error { return answer(views.FilesPage(p, params)) })
}

// showFile is GET /files/:id/file.
func (s *server) showFile(r *Request) error {
	at, err := r.place()
	if err != nil {
		return err
	}
	about, err := at.files.Entry(r.Context(), at.path)
	if err != nil {
		return err
	}
	if about.Kind == hosting.EntryFolder {
		return r.backTo(at, at.path)
	}
	params := views.FileParams{At: r.at(at), About: about}
	return r.page(func(p views.Page) error { return r.Render(views.FilePage(p, params)) })
}

// sandboxed is the policy of what members' files hold, whatever it is.
const sandboxed = "default-src 'none'; sandbox; frame-ancestors 'none'"

// send passes on what the daemon sends.
func (r *Request) send(res *http.Response) error {
	defer res.Body.Close()
	h := r.echo.Response().Header()
	h.Set("Content-Security-Policy", sandboxed)
	for _, name := range []string{"Content-Length", "Content-Range", "Accept-Ranges", "Last-Modified"} {
		if value := res.Header.Get(name); value != "" {
			h.Set(name, value)
		}
	}
	r.echo.Response().WriteHeader(res.StatusCode)
	if _, err := io.Copy(r.stream(nil), res.Body); err != nil {
		panic(http.ErrAbortHandler) // what came is not the whole
	}
	return nil
}

// attachment makes the answer a file to be kept, never one to be shown.
func (r *Request) attachment(name string) {
	h := r.echo.Response().Header()
	disposition := mime.FormatMediaType("attachment", map[string]string{"filename": hosting.Visible(name, len(name))})
	if disposition == "" {
		disposition = "attachment"
	}
	h.Set("Content-Disposition", disposition)
	h.Set("Content-Type", "application/octet-stream")
}

// download is GET /files/:id/download.
func (s *server) download(r *Request) error {
	at, err := r.place()
	if err != nil {
		return err
	}
	wanted := http.Header{}
	for _, name := range []string{"Range", "If-Range"} {
		if value := r.echo.Request().Header.Get(name); value != "" {
			wanted.Set(name, value)
		}
	}
	res, err := at.files.Content(r.Context(), at.path, wanted, false)
	if err != nil {
		return err
	}
	r.attachment(at.path.Base())
	return r.send(res)
}

// maxImage is the largest picture that is shown beside its name.
const maxImage = 32 << 20

// showImage is GET /files/:id/image. What the file begins with says what it is;
// only pictures that hold no script are shown.
func (s *server) showImage(r *Request) error {
	at, err := r.place()
	if err != nil {
		return err
	}
	res, err := at.files.Content(r.Context(), at.path, nil, true)
	if err != nil {
		return err
	}
	const enough = 512
	head, err := io.ReadAll(io.LimitReader(res.Body, enough))
	kind := imageType(head)
	if err != nil || kind == "" || res.ContentLength > maxImage {
		_ = res.Body.Close()
		return errors.Join(err, hosting.Refuse(hosting.NotFound, "", "files.not_found"))
	}
	r.echo.Response().Header().Set("Content-Type", kind)
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(strings.NewReader(string(head)), res.Body), res.Body}
	return r.send(res)
}

// imageType is the type of a picture, "" of anything else.
func imageType(head []byte) string {
	if len(head) >= 12 && string(head[4:8]) == "ftyp" && (string(head[8:12]) == "avif" || string(head[8:12]) == "avis") {
		return "image/avif"
	}
	switch kind := http.DetectContentType(head); kind {
	case "image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp":
		return kind
	}
	return ""
}

// downloadZip is GET /files/:id/zip.
func (s *server) downloadZip(r *Request) error {
	at, err := r.place()
	if err != nil {
		return err
	}
	paths, err := r.chosenFiles()
	if err != nil {
		return err
	}
	res, err := at.files.Zip(r.Context(), paths)
	if err != nil {
		return err
	}
	name := at.site.Host.Unicode()
	if len(paths) == 1 {
		name = strings.TrimPrefix(paths[0].Base(), ".")
	} else if folder := paths[0].Folder().Base(); folder != "" {
		name = folder
	}
	r.attachment(name + ".zip")
	return r.send(res)
}

// named draws the page of a form that asks for a name.
func (s *server) named(r *Request, act string, form views.FileNameForm, at filePlace, answer func(templ.Component) error) error {
	params := views.FileNameParams{At: r.at(at), Act: act, Form: form}
	return r.page(func(p views.Page) error { return answer(views.FileNamePage(p, params)) })
}

func (s *server) askName(r *Request, act string) error {
	form := views.FileNameForm{Path: r.Query("path")}
	r.into(&form)
	at, err := r.placeOf(form.Path)
	if err != nil {
		return err
	}
	if act == "rename" && !r.restored {
		form.Name = at.path.Base()
	}
	return s.named(r, act, form, at, r.Render)
}

// placeOf is place for a path that may come from a form filled in again.
func (r *Request) placeOf(ref string) (filePlace, error) {
	at, err := r.place()
	if err != nil {
		return filePlace{}, err
	}
	at.path, err = hosting.ParseFileRef(ref)
	return at, err
}

// newFolder is GET /files/:id/folder.
func (s *server) newFolder(r *Request) error { return s.askName(r, "folder") }

// newFile is GET /files/:id/new.
func (s *server) newFile(r *Request) error { return s.askName(r, "new") }

// askFileName is GET /files/:id/rename.
func (s *server) askFileName(r *Request) error { return s.askName(r, "rename") }

// nameFile does what a form that asks for a name is for.
func (s *server) nameFile(r *Request, act string, do func(filePlace, string) (files.Made, error)) (filePlace, files.Made, error) {
	at, err := r.place()
	if err != nil {
		return at, files.Made{}, err
	}
	var form views.FileNameForm
	r.into(&form)
	made, err := do(at, form.Name)
	if messages, ok := refused(err); ok {
		form.Errors = messages
		return at, made, errors.Join(errAnswered, s.named(r, act, form, at, r.Invalid))
	}
	return at, made, err
}

// errAnswered says that the refused form was drawn again.
var errAnswered = errors.New("panel: answered")

// answered is nil for errAnswered alone.
func answered(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok && errors.Is(err, errAnswered) {
		for _, e := range joined.Unwrap() {
			if !errors.Is(e, errAnswered) {
				return e
			}
		}
		return nil
	}
	return err
}

// createFolder is POST /files/:id/folder.
func (s *server) createFolder(r *Request) error {
	at, made, err := s.nameFile(r, "folder", func(at filePlace, name string) (files.Made, error) {
		return at.files.MakeFolder(r.Context(), at.path, name)
	})
	if err != nil {
		return answered(err)
	}
	p := hosting.FilePath(made.Path)
	r.Flash("files.folder_made", hosting.Visible(p.Base(), maxTold))
	return r.backTo(at, p)
}

// maxTold is how much of a name a message tells.
const maxTold = 120

// createFile is POST /files/:id/new. What follows is its editor.
func (s *server) createFile(r *Request) error {
	at, made, err := s.nameFile(r, "new", func(at filePlace, name string) (files.Made, error) {
		return at.files.MakeFile(r.Context(), at.path, name)
	})
	if err != nil {
		return answered(err)
	}
	return r.redirect(views.FilesURL(at.site.ID, "edit", hosting.FilePath(made.Path)))
}

// renameFile is POST /files/:id/rename.
func (s *server) renameFile(r *Request) error {
	at, made, err := s.nameFile(r, "rename", func(at filePlace, name string) (files.Made, error) {
		return at.files.Rename(r.Context(), at.path, name)
	})
	if err != nil {
		return answered(err)
	}
	p := hosting.FilePath(made.Path)
	r.Flash("files.renamed", hosting.Visible(at.path.Base(), maxTold), hosting.Visible(p.Base(), maxTold))
	return r.backTo(at, p.Folder())
}

// askMove is GET /files/:id/move: the folders to move to, one after the other.
func (s *server) askMove(r *Request) error { return s.askTarget(r, "move", nil, r.Render) }

// askCopy is GET /files/:id/copy.
func (s *server) askCopy(r *Request) error { return s.askTarget(r, "copy", nil, r.Render) }

// choosableFolders is how many folders there are to choose from.
const choosableFolders = 200

func (s *server) askTarget(r *Request, act string, problems views.Errors, answer func(templ.Component) error) error {
	at, err := r.place()
	if err != nil {
		return err
	}
	paths, err := r.chosenFiles()
	if err != nil {
		return err
	}
	to := paths[0].Folder()
	if text := r.field("to"); text != "" || r.form.Has("to") || r.echo.QueryParams().Has("to") {
		if to, err = hosting.ParseFileRef(text); err != nil {
			return err
		}
	}
	found, err := at.files.List(r.Context(), files.Query{Folder: to, Folders: true, Page: 1, PerPage: choosableFolders})
	if err != nil {
		return err
	}
	at.path = paths[0].Folder()
	params := views.FileTargetParams{At: r.at(at), Act: act, Paths: paths, To: to, Listing: found, Errors: problems}
	return r.page(func(p views.Page) error { return answer(views.FileTargetPage(p, params)) })
}

// moveFiles is POST /files/:id/move.
func (s *server) moveFiles(r *Request) error {
	return s.toTarget(r, "move", "files.moved", files.Client.Move)
}

// copyFiles is POST /files/:id/copy.
func (s *server) copyFiles(r *Request) error {
	return s.toTarget(r, "copy", "files.copied", files.Client.Copy)
}

func (s *server) toTarget(r *Request, act, done string, do func(files.Client, context.Context, []hosting.FilePath, hosting.FilePath) (files.Made, error)) error {
	at, err := r.place()
	if err != nil {
		return err
	}
	paths, err := r.chosenFiles()
	if err != nil {
		return err
	}
	to, err := hosting.ParseFileRef(r.form.Get("to"))
	if err != nil {
		return err
	}
	made, err := do(at.files, r.Context(), paths, to)
	if messages, ok := refused(err); ok {
		return s.askTarget(r, act, messages, r.Invalid)
	}
	if err != nil {
		return err
	}
	r.Flash(done, strconv.Itoa(len(paths)))
	if made.Skipped > 0 {
		r.Flash("files.skipped", strconv.Itoa(made.Skipped))
	}
	return r.backTo(at, to)
}

// confirmFileRemoval is GET /files/:id/delete.
func (s *server) confirmFileRemoval(r *Request) error {
	at, err := r.place()
	if err != nil {
		return err
	}
	paths, err := r.chosenFiles()
	if err != nil {
		return err
	}
	at.path = paths[0].Folder()
	params := views.FilesDeleteParams{At: r.at(at), Paths: paths}
	return r.page(func(p views.Page) error { return r.Render(views.FilesDeletePage(p, params)) })
}

// removeFiles is POST /files/:id/delete.
func (s *server) removeFiles(r *Request) error {
	at, err := r.place()
	if err != nil {
		return err
	}
	paths, err := r.chosenFiles()
	if err != nil {
		return err
	}
	at.path = paths[0].Folder()
	if _, err = at.files.Delete(r.Context(), paths); err != nil {
		return s.inFolder(r, at, err)
	}
	r.Flash("files.deleted", strconv.Itoa(len(paths)))
	return r.backTo(at, at.path)
}

// inFolder answers with the folder and what was refused there.
func (s *server) inFolder(r *Request, at filePlace, err error) error {
	e, isRefusal := errors.AsType[*hosting.Error](err)
	if !isRefusal || !shownInForm(e.Kind) {
		return err
	}
	return s.drawFiles(r, at, []hosting.Message{e.Message}, r.Invalid)
}

// chosenWithMode are the files that are chosen, with the mode of the first.
func (r *Request) chosenWithMode() (at filePlace, paths []hosting.FilePath, about hosting.FileAbout, err error) {
	if at, err = r.place(); err != nil {
		return at, nil, about, err
	}
	if paths, err = r.chosenFiles(); err != nil {
		return at, nil, about, err
	}
	about, err = at.files.Entry(r.Context(), paths[0])
	return at, paths, about, err
}

// askMode is GET /files/:id/mode.
func (s *server) askMode(r *Request) error {
	at, paths, about, err := r.chosenWithMode()
	if err != nil {
		return err
	}
	form := views.FileModeForm{Mode: views.Octal(about.Mode)}
	return s.drawMode(r, at, paths, about, form, r.Render)
}

func (s *server) drawMode(r *Request, at filePlace, paths []hosting.FilePath, about hosting.FileAbout, form views.FileModeForm, answer func(templ.Component) error) error {
	at.path = paths[0].Folder()
	params := views.FileModeParams{At: r.at(at), Paths: paths, About: about, Form: form}
	return r.page(func(p views.Page) error { return answer(views.FileModePage(p, params)) })
}

// changeMode is POST /files/:id/mode. The number counts when it was typed, else
// the boxes.
func (s *server) changeMode(r *Request) error {
	at, paths, about, err := r.chosenWithMode()
	if err != nil {
		return err
	}
	var form views.FileModeForm
	r.into(&form)
	if form.Mode == form.Before || form.Mode == "" {
		form.Mode = views.Octal(views.ModeOfBoxes(r.form["bit"]))
	}
	if _, err = files.ParseMode(form.Mode); err == nil {
		_, err = at.files.SetMode(r.Context(), paths, form.Mode, form.Deep)
	}
	if messages, ok := refused(err); ok {
		form.Errors = messages
		return s.drawMode(r, at, paths, about, form, r.Invalid)
	}
	if err != nil {
		return err
	}
	r.Flash("files.mode_changed", strconv.Itoa(len(paths)))
	return r.backTo(at, paths[0].Folder())
}

// askUnpack is GET /files/:id/unpack.
func (s *server) askUnpack(r *Request) error {
	form := views.FileUnpackForm{Path: r.Query("path")}
	r.into(&form)
	at, err := r.placeOf(form.Path)
	if err != nil {
		return err
	}
	return s.drawUnpack(r, at, form, r.Render)
}

func (s *server) drawUnpack(r *Request, at filePlace, form views.FileUnpackForm, answer func(templ.Component) error) error {
	params := views.FileUnpackParams{At: r.at(at), Form: form}
	return r.page(func(p views.Page) error { return answer(views.FileUnpackPage(p, params)) })
}

// unpackFile is POST /files/:id/unpack.
func (s *server) unpackFile(r *Request) error {
	at, err := r.place()
	if err != nil {
		return err
	}
	var form views.FileUnpackForm
	r.into(&form)
	made, err := at.files.Unpack(r.Context(), at.path, form.Where == "here", form.Replace)
	if messages, ok := refused(err); ok {
		form.Errors = messages
		return s.drawUnpack(r, at, form, r.Invalid)
	}
	if err != nil {
		return err
	}
	r.Flash("files.unpacked", strconv.Itoa(made.Count))
	if made.Skipped > 0 {
		r.Flash("files.skipped", strconv.Itoa(made.Skipped))
	}
	return r.backTo(at, hosting.FilePath(made.Path))
}

// uploadFiles is POST /files/:id/upload: a form of several parts, of which the
// ticket and the folder come before the files. No file is ever held as a whole.
func (s *server) uploadFiles(r *Request) error {
	parts, err := r.echo.Request().MultipartReader()
	if err != nil {
		r.form = url.Values{}
		if err := r.checkTicket(); err != nil {
			return err
		}
		return hosting.Refuse(hosting.Invalid, "", "files.none_chosen")
	}
	u := &uploading{Request: r, srv: s}
	r.form = url.Values{}
	body := r.stream(nil)
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return echo.NewHTTPError(http.StatusBadRequest).SetInternal(err)
		}
		body.in = part
		if part.FileName() == "" && part.FormName() != "f" {
			if err := u.field(part.FormName(), body); err != nil {
				return err
			}
			continue
		}
		if err := u.file(part.FileName(), body); errors.Is(err, errEnough) {
			break
		} else if err != nil {
			return err
		}
	}
	return u.end()
}

// uploading is a form of files while it comes in.
type uploading struct {
	*Request

	srv      *server
	at       *filePlace // nil before the first file
	sent     int
	problems []hosting.Message
}

// Bounds of the fields before the files.
const (
	maxFields = 20
	maxField  = 8 << 10
)

func (u *uploading) field(name string, in io.Reader) error {
	value, err := io.ReadAll(io.LimitReader(in, maxField+1))
	if err != nil || len(value) > maxField || len(u.form) > maxFields { // the beginning of a path is a path, too
		return echo.NewHTTPError(http.StatusBadRequest).SetInternal(err)
	}
	u.form.Set(name, string(value))
	return nil
}

// begin checks, before anything is taken, that the form is ours and who sends
// it may.
func (u *uploading) begin() error {
	if u.at != nil {
		return nil
	}
	if err := u.checkTicket(); err != nil {
		return err
	}
	if u.stale { // another session: nothing is kept of files
		return &failure{status: http.StatusForbidden, page: views.PageExpired, why: "the session of the form has ended"}
	}
	at, err := u.place()
	if err != nil {
		return err
	}
	u.at = &at
	return nil
}

func (u *uploading) file(name string, in io.Reader) error {
	if err := u.begin(); err != nil {
		return err
	}
	if name == "" { // the field was left empty
		return nil
	}
	// Some browsers send the path on the sender's machine.
	name = path.Base(strings.ReplaceAll(name, "\\", "/"))
	_, err := u.at.files.Upload(u.Context(), u.at.path, name, u.form.Get("replace") != "", files.Piece{}, in)
	if e, isRefusal := errors.AsType[*hosting.Error](err); isRefusal && shownInForm(e.Kind) {
		u.problems = append(u.problems, e.Message)
		if len(u.problems) >= maxProblems {
			return errEnough
		}
		return nil
	}
	if err != nil {
		return err
	}
	u.sent++
	return nil
}

// maxProblems is how many refused files end a form, with errEnough.
const maxProblems = 100

var errEnough = errors.New("panel: too many files of a form are refused")

func (u *uploading) end() error {
	if err := u.begin(); err != nil {
		return err
	}
	if u.sent > 0 {
		u.Flash("files.sent", strconv.Itoa(u.sent))
	}
	if u.sent == 0 && len(u.problems) == 0 {
		u.problems = append(u.problems, hosting.Msg("files.none_chosen"))
	}
	if len(u.problems) > 0 {
		return u.srv.drawFiles(u.Request, *u.at, u.problems, u.Invalid)
	}
	return u.backTo(*u.at, u.at.path)
}
