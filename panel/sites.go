package panel

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/views"
)

// listSites is GET /sites.
func (s *server) listSites(r *Request) error {
	account, err := r.acts()
	if err != nil {
		return err
	}
	list, page, sort, search := r.list("host", "state", "php")
	rows, total, err := s.store.Sites(r.Context(), r.Actor.Scope(r.need).Only(account.ID), store.SiteFilter{
		Account: account.ID,
		Search:  search,
		State:   r.state(siteStates...),
		Page:    page,
		PerPage: perPage,
		Sort:    sort,
	})
	if err != nil {
		return err
	}
	list.Total = total
	params := views.SitesParams{
		List:     list,
		Rows:     sitesOf(rows),
		Room:     roomOf(account),
		CanWrite: r.Actor.CanIn(hosting.SitesWrite, account.ID),
	}
	return r.page(func(p views.Page) error { return r.Render(views.SitesPage(p, params)) })
}

var siteStates = []hosting.State{hosting.Pending, hosting.Applying, hosting.Live, hosting.Failed, hosting.Suspended, hosting.Removing}

// newSite is GET /sites/new.
func (s *server) newSite(r *Request) error {
	account, err := r.acts()
	if err != nil {
		return err
	}
	form := views.SiteForm{DocumentRoot: string(hosting.DefaultDocumentRoot)}
	r.into(&form)
	return s.drawNewSite(r, account, form, r.Render)
}

func (s *server) drawNewSite(r *Request, account *store.AccountRow, form views.SiteForm, answer answer) error {
	served, err := s.store.PHPVersions(r.Context())
	if err != nil {
		return err
	}
	params := views.SiteNewParams{Form: form, Room: roomOf(account), Address: s.address(), Served: served}
	return r.page(func(p views.Page) error { return answer(views.SiteNewPage(p, params)) })
}

// address is where the names of sites must point to: the panel and the sites
// share a machine, and its address is known when the panel is reached by it.
func (s *server) address() netip.Addr {
	address, err := netip.ParseAddr(s.public.Hostname())
	if err != nil || address.IsUnspecified() {
		return netip.Addr{}
	}
	return address
}

// createSite is POST /sites/new.
func (s *server) createSite(r *Request) error {
	account, err := r.acts()
	if err != nil {
		return err
	}
	var form views.SiteForm
	r.into(&form)
	spec, err := siteSpec(form)
	var site hosting.Site
	if err == nil {
		site, err = s.store.CreateSite(r.Context(), r.Actor, account.ID, spec)
	}
	if messages, ok := refused(err); ok {
		form.Errors = messages
		return s.drawNewSite(r, account, form, r.Invalid)
	}
	if err != nil {
		return err
	}
	r.Flash("site.created", site.Host.Unicode())
	return r.Redirect("/sites/%d", site.ID)
}

// siteSpec reads a form; all that is wrong with it is said at once.
func siteSpec(form views.SiteForm) (spec hosting.SiteSpec, err error) {
	var errs hosting.Errors
	spec.Host, err = hosting.ParseHostname(form.Host)
	errs.Add(err)
	for name := range strings.FieldsFuncSeq(form.Aliases, betweenNames) {
		alias, err := hosting.ParseHostname(name)
		errs.Add(inField("aliases", err))
		spec.Aliases = append(spec.Aliases, alias)
	}
	spec.DocumentRoot, err = hosting.ParseDocumentRoot(form.DocumentRoot)
	errs.Add(err)
	spec.PHP, err = hosting.ParsePHPVersion(form.PHP)
	errs.Add(err)
	if errs.Err() == nil {
		errs.Add(spec.Check())
	}
	return spec, errs.Err()
}

// betweenNames splits a list of names: one per line, or with commas.
func betweenNames(r rune) bool { return r == '\n' || r == '\r' || r == ',' || r == ' ' || r == '\t' }

// inField says a refusal at the field that the value came from.
func inField(field string, err error) error {
	if e, ok := errors.AsType[*hosting.Error](err); ok {
		moved := *e
		moved.Field = field
		return &moved
	}
	return err
}

// checkHost is GET /sites/check: whether a host name can be had, while it is
// typed. The answer binds nobody: it is checked again when the form is sent.
func (s *server) checkHost(r *Request) error {
	account, err := r.acts()
	if err != nil {
		return err
	}
	typed := r.Query("host")
	if strings.TrimSpace(typed) == "" {
		return r.Render(views.HostCheck(views.HostCheckParams{}))
	}
	host, err := hosting.ParseHostname(typed)
	if err == nil {
		err = s.store.CheckHost(r.Context(), r.Actor.Scope(r.need), account.ID, host)
	}
	params := views.HostCheckParams{Host: host}
	if err != nil {
		messages, ok := refused(err)
		if !ok {
			return err
		}
		for _, message := range messages {
			params.Problem = message
		}
	}
	return r.Render(views.HostCheck(params))
}

// site is the site of the address. One that the person may not see does not
// exist for them.
func (r *Request) site() (hosting.Site, error) {
	id, err := r.id()
	if err != nil {
		return hosting.Site{}, err
	}
	row, err := r.srv.store.Site(r.Context(), r.Actor.Scope(hosting.SitesRead), hosting.SiteID(id))
	if err != nil {
		return hosting.Site{}, err
	}
	return row.Site, r.about(row.AccountID)
}

// showSite is GET /sites/:id.
func (s *server) showSite(r *Request) error {
	site, err := r.site()
	if err != nil {
		return err
	}
	params, err := s.siteParams(r, site)
	if err != nil {
		return err
	}
	return r.page(func(p views.Page) error {
		params.CSRF = p.CSRF
		return r.Render(views.SitePage(p, params))
	})
}

// siteStatus is GET /sites/:id/status: the live part of a site's page.
func (s *server) siteStatus(r *Request) error {
	site, err := r.site()
	if err != nil {
		if r.partial() && hosting.KindOf(err) == hosting.NotFound {
			return r.Redirect("/sites") // it has just gone
		}
		return err
	}
	params := s.siteState(r, site)
	params.CSRF = r.csrf()
	params.Seen = r.Query("seen")
	return r.Render(views.SiteStatus(params))
}

func (s *server) siteState(r *Request, site hosting.Site) views.SiteParams {
	return views.SiteParams{
		Site:     site,
		URL:      s.siteURL(site.Host),
		Now:      r.now,
		CanWrite: r.Actor.CanIn(hosting.SitesWrite, site.AccountID),
		CanRun:   r.Actor.CanIn(hosting.SitesRun, site.AccountID),
		CanLogs:  r.Actor.CanIn(hosting.FilesRead, site.AccountID),
		CanFTP:   r.Actor.CanIn(hosting.FTPWrite, site.AccountID),
	}
}

func (s *server) siteParams(r *Request, site hosting.Site) (views.SiteParams, error) {
	params := s.siteState(r, site)
	params.CanBases = r.Actor.CanIn(hosting.DatabasesWrite, site.AccountID)
	bases, _, err := s.store.Databases(r.Context(), r.Actor.Scope(hosting.DatabasesRead).Only(site.AccountID),
		store.DatabaseFilter{Account: site.AccountID, Page: 1, PerPage: perPage, Sort: "name"})
	if err != nil {
		return params, err
	}
	for _, row := range bases {
		params.Databases = append(params.Databases, row.Database)
	}
	if params.FTPLogins, err = s.loginsOf(r, site); err != nil {
		return params, err
	}
	from, to := statsSpan("30", r.now)
	days, err := s.store.Traffic(r.Context(), r.Actor.Scope(hosting.SitesRead), site.ID, from.Format(time.DateOnly), to.Format(time.DateOnly))
	if err != nil {
		return params, err
	}
	params.Days = statsDays(days, from, to, false)
	if params.OutOfMemory, err = s.store.OutOfMemory(r.Context(), r.Actor.Scope(hosting.SitesRead), site, hosting.MemoryTold); err != nil {
		return params, err
	}
	params.Space, err = s.store.Space(r.Context(), r.Actor.Scope(hosting.SitesRead), site.AccountID)
	return params, err
}

// loginsOf are the FTP logins that reach a site and no other.
func (s *server) loginsOf(r *Request, site hosting.Site) ([]hosting.FTPLogin, error) {
	rows, _, err := s.store.FTPLogins(r.Context(), r.Actor.Scope(hosting.FTPRead).Only(site.AccountID),
		store.FTPFilter{Account: site.AccountID, Site: site.ID, Page: 1, PerPage: perPage, Sort: "login"})
	logins := make([]hosting.FTPLogin, 0, len(rows))
	for _, row := range rows {
		logins = append(logins, row.FTPLogin)
	}
	return logins, err
}

// siteURL is where a site answers.
func (s *server) siteURL(host hosting.Hostname) string {
	const plainHTTP = 80
	if s.conf.HTTPPort == plainHTTP || s.conf.HTTPPort == 0 {
		return "http://" + host.String() + "/"
	}
	return "http://" + host.String() + ":" + strconv.Itoa(s.conf.HTTPPort) + "/"
}

// confirmSiteRemoval is GET /sites/:id/delete.
func (s *server) confirmSiteRemoval(r *Request) error {
	site, err := r.site()
	if err != nil {
		return err
	}
	logins, err := s.loginsOf(r, site)
	if err != nil {
		return err
	}
	days, err := r.removedDays()
	if err != nil {
		return err
	}
	return r.page(func(p views.Page) error {
		return r.Render(views.SiteDeletePage(p, views.SiteDeleteParams{Site: site, FTPLogins: logins, Days: days}))
	})
}

// removeSite is POST /sites/:id/delete.
func (s *server) removeSite(r *Request) error {
	site, err := r.site()
	if err != nil {
		return err
	}
	var form views.ConfirmForm
	r.into(&form)
	if typed, err := hosting.ParseHostname(form.Confirm); err != nil || typed != site.Host {
		logins, err := s.loginsOf(r, site)
		if err != nil {
			return err
		}
		days, err := r.removedDays()
		if err != nil {
			return err
		}
		form.Errors = views.Errors{"confirm": hosting.Msg("confirm.differs", site.Host.Unicode())}
		return r.page(func(p views.Page) error {
			return r.Invalid(views.SiteDeletePage(p, views.SiteDeleteParams{Site: site, FTPLogins: logins, Days: days, Form: form}))
		})
	}
	if _, err := s.store.RemoveSite(r.Context(), r.Actor, site.ID); err != nil {
		return err
	}
	r.sayRemoved("site.removed", hosting.TrashSite, uint64(site.ID), site.Host.Unicode())
	return r.Redirect("/sites")
}

// suspendSite, resumeSite and retrySite are the buttons of a site's page.
func (s *server) suspendSite(r *Request) error {
	return s.onSite(r, "site.suspended", s.store.SuspendSite)
}

func (s *server) resumeSite(r *Request) error {
	return s.onSite(r, "site.resumed", s.store.ResumeSite)
}

func (s *server) retrySite(r *Request) error {
	return s.onSite(r, "site.retried", s.store.RetrySite)
}

func (s *server) onSite(r *Request, done string, act func(context.Context, hosting.Actor, hosting.SiteID) (hosting.Site, error)) error {
	site, err := r.site()
	if err != nil {
		return err
	}
	if _, err := act(r.Context(), r.Actor, site.ID); err != nil {
		return err
	}
	r.Flash(done, site.Host.Unicode())
	return r.Redirect("/sites/%d", site.ID)
}
