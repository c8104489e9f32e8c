package panel

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"cancale/internal/hosting"
	"cancale/views"
)

// change does one act of a tab of a site's page and comes back to the tab.
// refusedPage draws the form again.
func (s *server) change(r *Request, site hosting.Site, tab string, change hosting.SiteChange, err error, refusedPage func(views.Errors) error) error {
	if err == nil {
		_, err = s.store.ChangeSite(r.Context(), r.Actor, site.ID, change)
	}
	if messages, ok := refused(err); ok {
		return refusedPage(messages)
	}
	if err != nil {
		return err
	}
	r.Flash("site.updated", site.Host.Unicode())
	return r.Redirect("/sites/%d/%s", site.ID, tab)
}

// tab draws a tab of a site's page.
func (s *server) tab(r *Request, site hosting.Site, draw func(views.Page, views.SiteParams) error) error {
	return r.page(func(p views.Page) error {
		params := s.siteState(r, site)
		params.CSRF = p.CSRF
		return draw(p, params)
	})
}

// showAddresses is GET /sites/:id/addresses.
func (s *server) showAddresses(r *Request) error {
	site, err := r.site()
	if err != nil {
		return err
	}
	form := views.SiteAddressForm{Canonical: "none"}
	if c := site.Behaviour.Canonical; c != hosting.CanonicalNone {
		form.Canonical = string(c)
	}
	for _, a := range site.Aliases {
		form.Aliases = append(form.Aliases, a.Unicode())
	}
	for _, redirect := range site.Behaviour.Redirects {
		reach := "page"
		if redirect.Whole {
			reach = "folder"
		}
		addRedirect(&form, string(redirect.From), reach, string(redirect.To), strconv.Itoa(redirect.Status))
	}
	r.into(&form)
	return s.drawAddresses(r, site, form, r.Render)
}

func addRedirect(f *views.SiteAddressForm, from, reach, to, status string) {
	f.From, f.Reach, f.To, f.Status = append(f.From, from), append(f.Reach, reach), append(f.To, to), append(f.Status, status)
}

func (s *server) drawAddresses(r *Request, site hosting.Site, form views.SiteAddressForm, answer answer) error {
	return s.tab(r, site, func(p views.Page, params views.SiteParams) error {
		return answer(views.SiteAddressesPage(p, views.SiteAddressesParams{SiteParams: params, Form: squared(form)}))
	})
}

// squared is the form with as many of each field in a row as of the first, and
// an empty row where there is none.
func squared(f views.SiteAddressForm) views.SiteAddressForm {
	if len(f.Aliases) == 0 {
		f.Aliases = []string{""}
	}
	for _, list := range []*[]string{&f.Reach, &f.To, &f.Status} {
		for len(*list) < len(f.From) {
			*list = append(*list, "")
		}
	}
	if len(f.From) == 0 {
		addRedirect(&f, "", "page", "", "301")
	}
	return f
}

// updateAddresses is POST /sites/:id/addresses.
func (s *server) updateAddresses(r *Request) error {
	site, err := r.site()
	if err != nil {
		return err
	}
	var form views.SiteAddressForm
	r.into(&form)
	form = squared(form)
	if form.Act != "" {
		return s.drawAddresses(r, site, changedRows(form), r.Render)
	}
	change, err := addressChange(form)
	return s.change(r, site, "addresses", change, err, func(messages views.Errors) error {
		form.Errors = atRows(form, messages)
		return s.drawAddresses(r, site, form, r.Invalid)
	})
}

// maxRows is how many rows a form shows at most; what the domain allows is less.
const maxRows = 200

// changedRows is the form with a row more or less, as its button says.
func changedRows(f views.SiteAddressForm) views.SiteAddressForm {
	act, n := f.Act, -1
	if i := strings.LastIndexByte(act, '-'); i >= 0 {
		if number, err := strconv.Atoi(act[i+1:]); err == nil {
			act, n = act[:i], number
		}
	}
	without := func(list []string) []string {
		if n < 0 || n >= len(list) {
			return list
		}
		return append(list[:n:n], list[n+1:]...)
	}
	switch act {
	case "add-alias":
		if len(f.Aliases) < maxRows {
			f.Aliases = append(f.Aliases, "")
		}
	case "drop-alias":
		f.Aliases = without(f.Aliases)
	case "add-redirect":
		if len(f.From) < maxRows {
			addRedirect(&f, "", "page", "", "301")
		}
	case "drop-redirect":
		f.From, f.Reach, f.To, f.Status = without(f.From), without(f.Reach), without(f.To), without(f.Status)
	}
	return f
}

// addressChange reads the form; empty rows are none. Each row's refusal is said
// at the row.
func addressChange(form views.SiteAddressForm) (hosting.AddressChange, error) {
	var c hosting.AddressChange
	var errs hosting.Errors
	for i, typed := range form.Aliases {
		if strings.TrimSpace(typed) == "" {
			continue
		}
		alias, err := hosting.ParseHostname(typed)
		errs.Add(inField("alias-"+strconv.Itoa(i), err))
		c.Aliases = append(c.Aliases, alias)
	}
	var err error
	c.Canonical, err = hosting.ParseCanonical(form.Canonical)
	errs.Add(err)
	for i, from := range form.From {
		if emptyRedirect(form, i) {
			continue
		}
		status, err := strconv.Atoi(form.Status[i])
		if err != nil {
			status = 0
		}
		redirect, err := hosting.ParseRedirect(from, form.Reach[i] == "folder", form.To[i], status)
		errs.Add(inRow(i, err))
		c.Redirects = append(c.Redirects, redirect)
	}
	return c, errs.Err()
}

// atRows says what is wrong with the lists at the row that it is about.
func atRows(form views.SiteAddressForm, messages views.Errors) views.Errors {
	moved := views.Errors{}
	for field, m := range messages {
		list, nth, _ := strings.Cut(field, ".")
		switch {
		case field == "aliases" && len(m.Args) > 0:
			i := slices.IndexFunc(form.Aliases, func(typed string) bool {
				host, err := hosting.ParseHostname(typed)
				return err == nil && host.Unicode() == m.Args[0]
			})
			field = "alias-" + strconv.Itoa(max(i, 0))
		case list == "redirects" && nth != "":
			n, _ := strconv.Atoi(nth) // ours
			for i := range form.From {
				if emptyRedirect(form, i) {
					continue
				}
				if n == 0 {
					field = "from-" + strconv.Itoa(i)
				}
				n--
			}
		}
		moved[field] = m
	}
	return moved
}

func emptyRedirect(form views.SiteAddressForm, i int) bool {
	return strings.TrimSpace(form.From[i]) == "" && strings.TrimSpace(form.To[i]) == ""
}

// inRow says the refusals of one row at the row's own fields.
func inRow(n int, err error) error {
	list, ok := errors.AsType[hosting.Errors](err)
	if e, single := errors.AsType[*hosting.Error](err); !ok && single {
		list = hosting.Errors{e}
	}
	var moved hosting.Errors
	for _, e := range list {
		moved.Add(inField(e.Field+"-"+strconv.Itoa(n), e))
	}
	return moved.Err()
}

// showFolder is GET /sites/:id/folder.
func (s *server) showFolder(r *Request) error {
	site, err := r.site()
	if err != nil {
		return err
	}
	pages := site.Behaviour.ErrorPages
	form := views.SiteFolderForm{
		DocumentRoot: string(site.DocumentRoot), Listing: site.Behaviour.Listing,
		Forbidden: string(pages.Forbidden), NotFound: string(pages.NotFound), Failed: string(pages.Failed), Unavailable: string(pages.Unavailable),
	}
	r.into(&form)
	return s.drawFolder(r, site, form, r.Render)
}

func (s *server) drawFolder(r *Request, site hosting.Site, form views.SiteFolderForm, answer answer) error {
	return s.tab(r, site, func(p views.Page, params views.SiteParams) error {
		return answer(views.SiteFolderPage(p, views.SiteFolderParams{SiteParams: params, Form: form}))
	})
}

// updateFolder is POST /sites/:id/folder.
func (s *server) updateFolder(r *Request) error {
	site, err := r.site()
	if err != nil {
		return err
	}
	var form views.SiteFolderForm
	r.into(&form)
	var errs hosting.Errors
	change := hosting.FolderChange{Listing: form.Listing}
	change.DocumentRoot, err = hosting.ParseDocumentRoot(form.DocumentRoot)
	errs.Add(err)
	for _, page := range []struct {
		field, typed string
		into         *hosting.PagePath
	}{
		{"forbidden", form.Forbidden, &change.ErrorPages.Forbidden},
		{"not_found", form.NotFound, &change.ErrorPages.NotFound},
		{"failed", form.Failed, &change.ErrorPages.Failed},
		{"unavailable", form.Unavailable, &change.ErrorPages.Unavailable},
	} {
		*page.into, err = hosting.ParsePagePath(page.field, page.typed)
		errs.Add(err)
	}
	return s.change(r, site, "folder", change, errs.Err(), func(messages views.Errors) error {
		form.Errors = messages
		return s.drawFolder(r, site, form, r.Invalid)
	})
}

// showPHP is GET /sites/:id/php.
func (s *server) showPHP(r *Request) error {
	site, err := r.site()
	if err != nil {
		return err
	}
	php := site.Behaviour.PHP.Or(hosting.DefaultPHP)
	form := views.SitePHPForm{
		PHP: string(site.PHP), Memory: strconv.Itoa(php.MemoryMB), Upload: strconv.Itoa(php.UploadMB), Seconds: strconv.Itoa(php.Seconds),
		TimeZone: string(site.Behaviour.PHP.TimeZone), ShowErrors: php.ShowErrors,
	}
	r.into(&form)
	return s.drawPHP(r, site, form, r.Render)
}

func (s *server) drawPHP(r *Request, site hosting.Site, form views.SitePHPForm, answer answer) error {
	choices, err := s.store.SiteChoices(r.Context(), r.Actor.Scope(hosting.SitesRead), site.ID)
	if err != nil {
		return err
	}
	return s.tab(r, site, func(p views.Page, params views.SiteParams) error {
		return answer(views.SitePHPPage(p, views.SitePHPParams{SiteParams: params, Choices: choices, Form: form}))
	})
}

// updatePHP is POST /sites/:id/php.
func (s *server) updatePHP(r *Request) error {
	site, err := r.site()
	if err != nil {
		return err
	}
	var form views.SitePHPForm
	r.into(&form)
	var errs hosting.Errors
	var change hosting.PHPChange
	change.Version, err = hosting.ParsePHPVersion(form.PHP)
	errs.Add(err)
	change.Settings, err = hosting.ParsePHPSettings(form.Memory, form.Upload, form.Seconds, form.TimeZone, form.ShowErrors)
	errs.Add(err)
	return s.change(r, site, "php", change, errs.Err(), func(messages views.Errors) error {
		form.Errors = messages
		return s.drawPHP(r, site, form, r.Invalid)
	})
}

// showProtection is GET /sites/:id/protection.
func (s *server) showProtection(r *Request) error {
	site, err := r.site()
	if err != nil {
		return err
	}
	var form views.SiteFolderUserForm
	r.into(&form)
	return s.drawProtection(r, site, form, r.Render)
}

func (s *server) drawProtection(r *Request, site hosting.Site, form views.SiteFolderUserForm, answer answer) error {
	form.Password = ""
	params := views.SiteProtectionParams{Form: form}
	if !r.unsafe() {
		shown := r.shown()
		params.Drawn, params.DrawnFor = shown.Text, shown.For
	}
	return s.tab(r, site, func(p views.Page, site views.SiteParams) error {
		params.SiteParams = site
		return answer(views.SiteProtectionPage(p, params))
	})
}

// protectFolder is POST /sites/:id/protection.
func (s *server) protectFolder(r *Request) error {
	return s.changeProtection(r, func(form views.SiteFolderUserForm) (hosting.SiteChange, error) {
		path, err := hosting.ParseProtectedPath(form.Path)
		return hosting.ProtectFolder{Path: path}, err
	})
}

// openFolder is POST /sites/:id/protection/open.
func (s *server) openFolder(r *Request) error {
	return s.changeProtection(r, func(form views.SiteFolderUserForm) (hosting.SiteChange, error) {
		return hosting.UnprotectFolder{Path: hosting.URLPath(form.Path)}, nil
	})
}

// refuseFolderUser is POST /sites/:id/protection/refuse.
func (s *server) refuseFolderUser(r *Request) error {
	return s.changeProtection(r, func(form views.SiteFolderUserForm) (hosting.SiteChange, error) {
		return hosting.RefuseFolderUser{Path: hosting.URLPath(form.Path), Name: hosting.FolderUserName(form.User)}, nil
	})
}

func (s *server) changeProtection(r *Request, read func(views.SiteFolderUserForm) (hosting.SiteChange, error)) error {
	site, err := r.site()
	if err != nil {
		return err
	}
	var form views.SiteFolderUserForm
	r.into(&form)
	change, err := read(form)
	return s.change(r, site, "protection", change, err, func(messages views.Errors) error {
		form.Errors = messages
		return s.drawProtection(r, site, form, r.Invalid)
	})
}

// allowFolderUser is POST /sites/:id/protection/allow.
func (s *server) allowFolderUser(r *Request) error {
	site, err := r.site()
	if err != nil {
		return err
	}
	var form views.SiteFolderUserForm
	r.into(&form)
	var errs hosting.Errors
	name, err := hosting.ParseFolderUserName(form.User)
	errs.Add(err)
	if form.Password != "" {
		errs.Add(hosting.CheckFolderPassword(form.Password))
	}
	drawn := ""
	if err = errs.Err(); err == nil {
		drawn, err = s.store.AllowFolderUser(r.Context(), r.Actor, site.ID, hosting.URLPath(form.Path), name, form.Password)
	}
	if messages, ok := refused(err); ok {
		form.Errors = messages
		return s.drawProtection(r, site, form, r.Invalid)
	}
	if err != nil {
		return err
	}
	if drawn != "" {
		return r.showOnce(secret{Text: drawn, For: string(name)}, "/sites/%d/protection", site.ID)
	}
	r.Flash("folder_user.added", string(name))
	return r.Redirect("/sites/%d/protection", site.ID)
}

// showMaintenance is GET /sites/:id/maintenance.
func (s *server) showMaintenance(r *Request) error {
	site, err := r.site()
	if err != nil {
		return err
	}
	m := site.Behaviour.Maintenance
	form := views.SiteMaintenanceForm{On: "no", Page: string(m.Page), Addresses: joinAddresses(m.Addresses)}
	if m.On {
		form.On = "yes"
	}
	r.into(&form)
	return s.drawMaintenance(r, site, form, r.Render)
}

func joinAddresses(list []netip.Prefix) string {
	lines := make([]string, len(list))
	for i, p := range list {
		if lines[i] = p.String(); p.IsSingleIP() {
			lines[i] = p.Addr().String()
		}
	}
	return strings.Join(lines, "\n")
}

func (s *server) drawMaintenance(r *Request, site hosting.Site, form views.SiteMaintenanceForm, answer answer) error {
	return s.tab(r, site, func(p views.Page, params views.SiteParams) error {
		m := views.SiteMaintenanceParams{SiteParams: params, Form: form, Source: r.echo.RealIP()}
		if path := site.Behaviour.Maintenance.VisitPath(); path != "" {
			m.VisitURL = strings.TrimSuffix(params.URL, "/") + path
		}
		return answer(views.SiteMaintenancePage(p, m))
	})
}

// updateMaintenance is POST /sites/:id/maintenance.
func (s *server) updateMaintenance(r *Request) error {
	site, err := r.site()
	if err != nil {
		return err
	}
	var form views.SiteMaintenanceForm
	r.into(&form)
	var errs hosting.Errors
	change := hosting.MaintenanceChange{NewSecret: form.NewLink}
	change.Maintenance.On = form.On == "yes"
	change.Maintenance.Page, err = hosting.ParsePagePath("page", form.Page)
	errs.Add(err)
	change.Maintenance.Addresses, err = hosting.ParseAddresses(form.Addresses)
	errs.Add(err)
	return s.change(r, site, "maintenance", change, errs.Err(), func(messages views.Errors) error {
		form.Errors = messages
		return s.drawMaintenance(r, site, form, r.Invalid)
	})
}
