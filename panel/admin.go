package panel

import (
	"errors"
	"io/fs"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"cancale/internal/config"
	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/views"
)

const (
	adminFailed = 10
	adminWork   = 8 // of each kind
)

// adminHome is GET /admin: what needs a look first.
func (s *server) adminHome(r *Request) error {
	counts, err := s.store.Counts(r.Context())
	if err != nil {
		return err
	}
	params := views.AdminHomeParams{
		Accounts:          counts.Accounts,
		SuspendedAccounts: counts.Suspended,
		Persons:           counts.Persons,
		Sites:             counts.Sites,
		Databases:         sum(counts.Databases),
		FTPLogins:         counts.FTPLogins,
		Services:          services(s.status(r)),
		CanCreate:         r.Actor.Can(hosting.AdminAccounts),
		CanAudit:          r.Actor.Can(hosting.AdminAudit),
	}
	ctx := r.Context()
	work, err := s.store.Work(ctx, adminWork)
	if err != nil {
		return err
	}
	params.Work = slices.DeleteFunc(work, func(w hosting.Work) bool {
		return w.Kind == hosting.WorkMail && !r.Actor.Can(hosting.AdminMails)
	})
	if params.Changing, err = s.sitesIn(r, adminFailed, moving...); err != nil {
		return err
	}
	if params.CanAudit {
		entries, _, err := s.store.Audit(ctx, r.Actor.Scope(hosting.AdminAudit), store.AuditFilter{Page: 1, PerPage: adminRecent})
		if err != nil {
			return err
		}
		if params.Recent, err = s.auditRows(r, entries); err != nil {
			return err
		}
	}
	return r.page(func(p views.Page) error { return r.Render(views.AdminHomePage(p, params)) })
}

func sum[K comparable](counts map[K]int) int {
	total := 0
	for _, n := range counts {
		total += n
	}
	return total
}

// sitesIn are the oldest sites in some states.
func (s *server) sitesIn(r *Request, most int, states ...hosting.State) ([]views.AdminSite, error) {
	rows, _, err := s.store.Sites(r.Context(), r.Actor.Scope(r.need), store.SiteFilter{States: states, Page: 1, PerPage: most, Sort: "created"})
	return adminSites(rows), err
}

func adminSites(rows []store.SiteRow) []views.AdminSite {
	list := make([]views.AdminSite, len(rows))
	for i, row := range rows {
		list[i] = views.AdminSite{
			Site:    row.Site,
			Account: hosting.Account{ID: row.AccountID, Name: row.AccountName, Label: row.AccountLabel},
		}
	}
	return list
}

// listAllSites is GET /admin/sites.
func (s *server) listAllSites(r *Request) error {
	list, page, sort, search := r.list("host", "account", "state")
	rows, total, err := s.store.Sites(r.Context(), r.Actor.Scope(r.need), store.SiteFilter{
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
	params := views.AdminSitesParams{List: list, Rows: adminSites(rows)}
	return r.page(func(p views.Page) error { return r.Render(views.AdminSitesPage(p, params)) })
}

// showAudit is GET /admin/audit.
func (s *server) showAudit(r *Request) error {
	list, page, _, search := r.list()
	filter, errs := r.auditFilter()
	filter.Search, filter.Page, filter.PerPage = search, page, perPage
	params := views.AuditParams{Errors: errs}
	if name := r.Query("account"); name != "" {
		id, err := s.accountNamed(r, name)
		if messages, ok := refused(err); ok {
			params.Errors["account"] = messages["account"]
		} else if err != nil {
			return err
		}
		filter.Account = id
	}
	if len(params.Errors) == 0 {
		entries, total, err := s.store.Audit(r.Context(), r.Actor.Scope(r.need), filter)
		if err != nil {
			return err
		}
		list.Total = total
		if params.Rows, err = s.auditRows(r, entries); err != nil {
			return err
		}
	}
	params.List = list
	answer := r.Render
	if len(params.Errors) > 0 {
		answer = r.Invalid
	}
	return r.page(func(p views.Page) error { return answer(views.AdminAuditPage(p, params)) })
}

// accountNamed finds an association by its short name, as typed into a field
// named account.
func (s *server) accountNamed(r *Request, typed string) (hosting.AccountID, error) {
	name, err := hosting.ParseAccountName(typed)
	if err == nil {
		var account store.AccountRow
		if account, err = s.store.AccountByName(r.Context(), r.Actor.Scope(hosting.AdminRead), name); err == nil {
			return account.ID, nil
		}
	}
	switch hosting.KindOf(err) {
	case hosting.NotFound, hosting.Invalid, hosting.Conflict:
		return 0, hosting.Refuse(hosting.Invalid, "account", "account.unknown")
	}
	return 0, err
}

// labelsOf are the labels of the associations that rows are about. One that is
// gone has none any more.
func labelsOf[T any](r *Request, rows []T, of func(T) hosting.AccountID) (map[hosting.AccountID]string, error) {
	var ids []hosting.AccountID
	for _, row := range rows {
		if id := of(row); id != 0 {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	accounts, err := r.srv.store.AccountsAmong(r.Context(), r.Actor.Scope(hosting.AdminRead), slices.Compact(ids))
	labels := make(map[hosting.AccountID]string, len(accounts))
	for _, a := range accounts {
		labels[a.ID] = labelOf(a)
	}
	return labels, err
}

// auditRows adds to entries the label of the association that each is about.
func (s *server) auditRows(r *Request, entries []hosting.AuditEntry) ([]views.AuditRow, error) {
	labels, err := labelsOf(r, entries, func(e hosting.AuditEntry) hosting.AccountID { return e.AccountID })
	if err != nil {
		return nil, err
	}
	rows := make([]views.AuditRow, len(entries))
	for i, e := range entries {
		rows[i] = views.AuditRow{AuditEntry: e, Account: labels[e.AccountID]}
	}
	return rows, nil
}

// showPlatform is GET /admin/platform: what the supervisor says of the
// services.
func (s *server) showPlatform(r *Request) error {
	counts, err := s.store.Counts(r.Context())
	if err != nil {
		return err
	}
	php, err := s.store.PHPVersions(r.Context())
	if err != nil {
		return err
	}
	period, samples, err := s.samples(r)
	if err != nil {
		return err
	}
	status := s.status(r)
	machine, _ := os.Hostname() // without a name, none is shown
	params := views.PlatformParams{
		Services: services(status),
		Ports:    s.ports(status),
		Sites:    counts.Sites,
		Versions: versions(php),
		DataDir:  status.Data,
		Machine:  machine,
		Period:   period,
		Samples:  samples,
	}
	return r.page(func(p views.Page) error { return r.Render(views.AdminPlatformPage(p, params)) })
}

// versions are those that the panel knows of by itself.
func versions(php []hosting.PHPVersion) []views.Version {
	var list []views.Version
	if build, ok := debug.ReadBuildInfo(); ok && strings.HasPrefix(build.Main.Version, "v") {
		list = append(list, views.Version{Name: "Cancale", Number: build.Main.Version})
	}
	for _, v := range php {
		list = append(list, views.Version{Name: "PHP", Number: string(v)})
	}
	return list
}

// status is what the supervisor wrote last; nothing when there is no
// supervisor.
func (s *server) status(r *Request) config.Status {
	status, err := config.ReadStatus(s.conf.Layout)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.logFailure(r.echo, "status of the services", err)
	}
	return status
}

func services(status config.Status) []views.Service {
	list := make([]views.Service, len(status.Services))
	for i, svc := range status.Services {
		list[i] = views.Service{Name: svc.Name, State: svc.State, PID: svc.PID, Since: svc.Since}
		if svc.State == "running" {
			list[i].State = "ready"
		}
	}
	return list
}

func (s *server) ports(status config.Status) []views.Port {
	ports := []views.Port{
		{Name: "http", Number: max(status.HTTPPort, s.conf.HTTPPort)},
		{Name: "https", Number: status.HTTPSPort},
		{Name: "ftp", Number: max(status.FTPPort, s.conf.FTPPort)},
		{Name: "ftps", Number: status.FTPSPort},
		{Name: "sftp", Number: max(status.SFTPPort, s.conf.SFTPPort)},
	}
	return slices.DeleteFunc(ports, func(p views.Port) bool { return p.Number == 0 })
}
