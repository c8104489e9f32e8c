package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
)

// siteSettingsCommands are the verbs that change how a site answers.
func siteSettingsCommands() []*cobra.Command {
	verb := func(use, short string, args cobra.PositionalArgs, fn func(context.Context, *verb, []string) error) *cobra.Command {
		return &cobra.Command{Use: use, Short: short, Args: args, RunE: run(fn)}
	}
	php := verb("php HOST", "Choose PHP's settings of a site; what no flag names stays, and 0 is the installation's own", cobra.ExactArgs(1), setPHP)
	php.Flags().Int("memory", 0, "memory of one page, in MB")
	php.Flags().Int("upload", 0, "size of one file that is sent, in MB")
	php.Flags().Int("seconds", 0, "seconds of computing for one page")
	php.Flags().String("time-zone", "", "such as Europe/Paris")
	php.Flags().Bool("show-errors", false, "show errors in the pages")
	canonical := verb("canonical HOST FORM", "Send visitors to the name with www, to the bare one, or to none", cobra.ExactArgs(2), setCanonical)
	canonical.ValidArgs = []string{"www", "bare", "none"}
	redirect := verb("redirect HOST FROM TO", "Send visitors of a path elsewhere", cobra.ExactArgs(3), addRedirect)
	redirect.Flags().Bool("folder", false, "also all that lies beneath the path, page by page")
	redirect.Flags().Bool("for-now", false, "answer 302 and not 301")
	pages := verb("pages HOST", "Choose pages of one's own for what goes wrong, and whether folders are listed", cobra.ExactArgs(1), setPages)
	pages.Flags().Bool("listing", false, "show the contents of a folder that has no first page")
	for _, p := range errorPages {
		pages.Flags().String(p.flag, "", p.text+`, such as errors/404.html; "" is ours`)
	}
	allow := verb("allow HOST PATH USER", "Let somebody into a protected folder, or change their password, which is drawn and shown this once", cobra.ExactArgs(3), allowFolderUser)
	allow.Flags().Bool("password-stdin", false, "read the password from standard input instead")
	maintenance := verb("maintenance HOST on|off", "Show visitors the maintenance page, or the site again", cobra.ExactArgs(2), setMaintenance)
	maintenance.Flags().String("page", "", `a page of one's own, such as works/index.html; "" is ours`)
	maintenance.Flags().StringArray("address", nil, "IP address or network that sees the site meanwhile; may be repeated")
	maintenance.Flags().Bool("new-link", false, "end the links to the site that were given away")
	return []*cobra.Command{
		verb("settings HOST", "Show how a site answers", cobra.ExactArgs(1), showSiteSettings),
		php, canonical, redirect,
		verb("unredirect HOST FROM", "Take a redirect away", cobra.ExactArgs(2), removeRedirect),
		pages,
		verb("protect HOST PATH", "Make a folder ask for a password; nobody enters before `allow`", cobra.ExactArgs(2), protectFolder),
		verb("unprotect HOST PATH", "Open a protected folder to everybody again", cobra.ExactArgs(2), unprotectFolder),
		allow,
		verb("refuse HOST PATH USER", "Take somebody's entry to a protected folder away", cobra.ExactArgs(3), refuseFolderUser),
		maintenance,
	}
}

// errorPages are the pages for what goes wrong.
var errorPages = []struct {
	flag, text string
	of         func(*hosting.ErrorPages) *hosting.PagePath
}{
	{"forbidden", "page for 403", func(p *hosting.ErrorPages) *hosting.PagePath { return &p.Forbidden }},
	{"not-found", "page for 404", func(p *hosting.ErrorPages) *hosting.PagePath { return &p.NotFound }},
	{"failed", "page for 500, 502 and 504", func(p *hosting.ErrorPages) *hosting.PagePath { return &p.Failed }},
	{"unavailable", "page for 503", func(p *hosting.ErrorPages) *hosting.PagePath { return &p.Unavailable }},
}

// siteSettingsView is how a site answers as scripts read it.
type siteSettingsView struct {
	Host        hosting.Hostname      `json:"host"`
	PHP         phpView               `json:"php"`
	Canonical   hosting.Canonical     `json:"canonical"`
	Redirects   []redirectView        `json:"redirects"`
	Listing     bool                  `json:"listing"`
	ErrorPages  hosting.ErrorPages    `json:"error_pages"`
	Protected   []protectedFolderView `json:"protected"`
	Maintenance maintenanceView       `json:"maintenance"`
	Sync        syncView              `json:"sync"`
	Password    string                `json:"password,omitempty"` // of `allow`, the once
}

type phpView struct {
	Version    hosting.PHPVersion `json:"version"`
	MemoryMB   int                `json:"memory_mb"`
	UploadMB   int                `json:"upload_mb"`
	Seconds    int                `json:"seconds"`
	ShowErrors bool               `json:"show_errors"`
	TimeZone   hosting.TimeZone   `json:"time_zone"`
}

type redirectView struct {
	From   hosting.URLPath `json:"from"`
	To     hosting.Target  `json:"to"`
	Folder bool            `json:"folder"`
	Status int             `json:"status"`
}

type protectedFolderView struct {
	Path  hosting.URLPath          `json:"path"`
	Users []hosting.FolderUserName `json:"users"`
}

type maintenanceView struct {
	On        bool             `json:"on"`
	Page      hosting.PagePath `json:"page"`
	Addresses []string         `json:"addresses"`
	Link      string           `json:"link"` // shows the site meanwhile; "" before there was any
}

func (v *verb) viewSiteSettings(ctx context.Context, s hosting.Site) siteSettingsView {
	b := s.Behaviour
	php := b.PHP.Or(hosting.DefaultPHP)
	view := siteSettingsView{
		Host: s.Host, PHP: phpView{s.PHP, php.MemoryMB, php.UploadMB, php.Seconds, php.ShowErrors, php.TimeZone},
		Canonical: b.Canonical, Redirects: []redirectView{}, Listing: b.Listing, ErrorPages: b.ErrorPages, Protected: []protectedFolderView{},
		Maintenance: maintenanceView{On: b.Maintenance.On, Page: b.Maintenance.Page, Addresses: []string{}}, Sync: viewSync(ctx, s.Sync),
	}
	for _, r := range b.Redirects {
		view.Redirects = append(view.Redirects, redirectView{r.From, r.To, r.Whole, r.Status})
	}
	for _, f := range b.Protected {
		folder := protectedFolderView{Path: f.Path, Users: []hosting.FolderUserName{}}
		for _, u := range f.Users {
			folder.Users = append(folder.Users, u.Name)
		}
		view.Protected = append(view.Protected, folder)
	}
	for _, a := range b.Maintenance.Addresses {
		view.Maintenance.Addresses = append(view.Maintenance.Addresses, a.String())
	}
	if path := b.Maintenance.VisitPath(); path != "" {
		view.Maintenance.Link = strings.TrimSuffix(v.siteURL(s.Host), "/") + path
	}
	return view
}

func (v *verb) answerSiteSettings(ctx context.Context, s siteSettingsView, problem error) error {
	return v.answerApplied(ctx, s, func(w io.Writer) error {
		yes := func(is bool) string {
			if is {
				return i18n.T(ctx, "cli.yes")
			}
			return ""
		}
		rows := [][2]string{
			{i18n.T(ctx, "cli.host"), s.Host.Unicode()},
			{i18n.T(ctx, "cli.state"), sayState(ctx, s.Sync.State)},
			{i18n.T(ctx, "cli.problem"), s.Sync.Problem},
			{"PHP", string(s.PHP.Version)},
			{i18n.T(ctx, "php.memory"), strconv.Itoa(s.PHP.MemoryMB) + " MB"},
			{i18n.T(ctx, "php.upload"), strconv.Itoa(s.PHP.UploadMB) + " MB"},
			{i18n.T(ctx, "php.seconds"), strconv.Itoa(s.PHP.Seconds) + " s"},
			{i18n.T(ctx, "time_zone.label"), string(s.PHP.TimeZone)},
			{i18n.T(ctx, "php.show_errors"), yes(s.PHP.ShowErrors)},
			{i18n.T(ctx, "canonical.title"), string(s.Canonical)},
		}
		for _, r := range s.Redirects {
			from := string(r.From)
			if r.Folder {
				from += "*"
			}
			rows = append(rows, [2]string{i18n.T(ctx, "redirect.title"), strconv.Itoa(r.Status) + " " + from + " → " + string(r.To)})
		}
		rows = append(rows, [2]string{i18n.T(ctx, "site.listing"), yes(s.Listing)})
		for _, p := range errorPages {
			rows = append(rows, [2]string{i18n.T(ctx, "error_page."+strings.ReplaceAll(p.flag, "-", "_")), string(*p.of(&s.ErrorPages))})
		}
		for _, f := range s.Protected {
			names := make([]string, len(f.Users))
			for i, u := range f.Users {
				names[i] = string(u)
			}
			rows = append(rows, [2]string{i18n.T(ctx, "cli.protected"), string(f.Path) + "  " + strings.Join(names, ", ")})
		}
		rows = append(
			rows,
			[2]string{i18n.T(ctx, "maintenance.title"), yes(s.Maintenance.On)},
			[2]string{i18n.T(ctx, "maintenance.page"), string(s.Maintenance.Page)},
			[2]string{i18n.T(ctx, "maintenance.addresses"), strings.Join(s.Maintenance.Addresses, ", ")},
			[2]string{i18n.T(ctx, "maintenance.work"), s.Maintenance.Link},
			[2]string{i18n.T(ctx, "cli.password_once"), s.Password},
		)
		return sheet(w, rows)
	}, problem)
}

func showSiteSettings(ctx context.Context, v *verb, args []string) error {
	row, err := v.site(ctx, "host", args[0])
	if err != nil {
		return err
	}
	return v.answerSiteSettings(ctx, v.viewSiteSettings(ctx, row.Site), nil)
}

// siteEdit is a change of what a site is at the moment that it is made.
type siteEdit struct {
	action string
	to     func(hosting.Site) (hosting.SiteChange, error)
}

// Action names the act.
func (e siteEdit) Action() string { return e.action }

// Change alters the site.
func (e siteEdit) Change(site *hosting.Site, in hosting.Choices) error {
	change, err := e.to(*site)
	if err != nil {
		return err
	}
	return change.Change(site, in)
}

// changeSite makes one change of the site that a person named, and follows it.
func (v *verb) changeSite(ctx context.Context, typed string, change hosting.SiteChange) error {
	row, err := v.site(ctx, "host", typed)
	if err != nil {
		return err
	}
	site, err := v.store.ChangeSite(ctx, v.actor, row.ID, change)
	if err != nil {
		return err
	}
	return v.followSettings(ctx, site, "")
}

func (v *verb) followSettings(ctx context.Context, site hosting.Site, password string) error {
	sync, problem := v.follow(ctx, hosting.Key{Resource: hosting.ResourceSite, ID: uint64(site.ID)}, site.Sync)
	site.Sync = sync
	view := v.viewSiteSettings(ctx, site)
	view.Password = password
	return v.answerSiteSettings(ctx, view, problem)
}

func setPHP(ctx context.Context, v *verb, args []string) error {
	return v.changeSite(ctx, args[0], siteEdit{hosting.PHPChange{}.Action(), func(site hosting.Site) (hosting.SiteChange, error) {
		php := site.Behaviour.PHP
		for flag, into := range map[string]*int{"memory": &php.MemoryMB, "upload": &php.UploadMB, "seconds": &php.Seconds} {
			n, err := v.cmd.Flags().GetInt(flag)
			if err != nil {
				return nil, err
			}
			if v.cmd.Flags().Changed(flag) {
				*into = n
			}
		}
		if typed, given := v.text("time-zone"); given {
			zone, err := hosting.ParseTimeZone(typed)
			if err != nil {
				return nil, err
			}
			php.TimeZone = zone
		}
		err := v.yes("show-errors", &php.ShowErrors)
		return hosting.PHPChange{Version: site.PHP, Settings: php}, err
	}})
}

// yes writes a flag of yes or no into a place, when it was given.
func (v *verb) yes(flag string, into *bool) error {
	is, err := v.cmd.Flags().GetBool(flag)
	if err == nil && v.cmd.Flags().Changed(flag) {
		*into = is
	}
	return err
}

// changeAddresses changes where visitors are sent.
func (v *verb) changeAddresses(ctx context.Context, typed string, edit func(*hosting.AddressChange) error) error {
	return v.changeSite(ctx, typed, siteEdit{hosting.AddressChange{}.Action(), func(site hosting.Site) (hosting.SiteChange, error) {
		c := hosting.AddressChange{Aliases: site.Aliases, Canonical: site.Behaviour.Canonical, Redirects: slices.Clone(site.Behaviour.Redirects)}
		err := edit(&c)
		return c, err
	}})
}

func setCanonical(ctx context.Context, v *verb, args []string) error {
	canonical, err := hosting.ParseCanonical(args[1])
	if err != nil {
		return err
	}
	return v.changeAddresses(ctx, args[0], func(c *hosting.AddressChange) error {
		c.Canonical = canonical
		return nil
	})
}

// addRedirect adds a redirect, in place of the one from the same path.
func addRedirect(ctx context.Context, v *verb, args []string) error {
	var folder, forNow bool
	if err := errors.Join(v.yes("folder", &folder), v.yes("for-now", &forNow)); err != nil {
		return err
	}
	status := hosting.MovedForGood
	if forNow {
		status = hosting.MovedForNow
	}
	redirect, err := hosting.ParseRedirect(args[1], folder, args[2], status)
	if err != nil {
		return err
	}
	return v.changeAddresses(ctx, args[0], func(c *hosting.AddressChange) error {
		if i := slices.IndexFunc(c.Redirects, func(r hosting.Redirect) bool { return r.From == redirect.From }); i >= 0 {
			c.Redirects[i] = redirect
		} else {
			c.Redirects = append(c.Redirects, redirect)
		}
		return nil
	})
}

func removeRedirect(ctx context.Context, v *verb, args []string) error {
	from, err := hosting.ParseURLPath("from", args[1])
	if err != nil {
		return err
	}
	return v.changeAddresses(ctx, args[0], func(c *hosting.AddressChange) error {
		kept := slices.DeleteFunc(slices.Clone(c.Redirects), func(r hosting.Redirect) bool { return r.From == from || r.Whole && r.From == from+"/" })
		if len(kept) == len(c.Redirects) {
			return hosting.Refuse(hosting.NotFound, "from", "cli.no_redirect", string(from))
		}
		c.Redirects = kept
		return nil
	})
}

func setPages(ctx context.Context, v *verb, args []string) error {
	return v.changeSite(ctx, args[0], siteEdit{hosting.FolderChange{}.Action(), func(site hosting.Site) (hosting.SiteChange, error) {
		c := hosting.FolderChange{DocumentRoot: site.DocumentRoot, Listing: site.Behaviour.Listing, ErrorPages: site.Behaviour.ErrorPages}
		var errs hosting.Errors
		for _, p := range errorPages {
			typed, given := v.text(p.flag)
			if !given {
				continue
			}
			page, err := hosting.ParsePagePath(p.flag, typed)
			errs.Add(err)
			*p.of(&c.ErrorPages) = page
		}
		if err := v.yes("listing", &c.Listing); err != nil {
			return nil, err
		}
		return c, errs.Err()
	}})
}

func protectFolder(ctx context.Context, v *verb, args []string) error {
	path, err := hosting.ParseProtectedPath(args[1])
	if err != nil {
		return err
	}
	return v.changeSite(ctx, args[0], hosting.ProtectFolder{Path: path})
}

func unprotectFolder(ctx context.Context, v *verb, args []string) error {
	path, err := hosting.ParseProtectedPath(args[1])
	if err != nil {
		return err
	}
	return v.changeSite(ctx, args[0], hosting.UnprotectFolder{Path: path})
}

func allowFolderUser(ctx context.Context, v *verb, args []string) error {
	row, err := v.site(ctx, "host", args[0])
	if err != nil {
		return err
	}
	var errs hosting.Errors
	path, err := hosting.ParseProtectedPath(args[1])
	errs.Add(err)
	name, err := hosting.ParseFolderUserName(args[2])
	errs.Add(err)
	if errs.Err() != nil {
		return errs.Err()
	}
	var fromInput bool
	if err := v.yes("password-stdin", &fromInput); err != nil {
		return err
	}
	password := ""
	if fromInput {
		if password, err = readPassword(v.cmd.InOrStdin()); err != nil {
			return err
		}
		if err := hosting.CheckFolderPassword(password); err != nil {
			return err
		}
	}
	drawn, err := v.store.AllowFolderUser(ctx, v.actor, row.ID, path, name, password)
	if err != nil {
		return err
	}
	now, err := v.site(ctx, "host", args[0])
	if err != nil {
		return err
	}
	return v.followSettings(ctx, now.Site, drawn)
}

func refuseFolderUser(ctx context.Context, v *verb, args []string) error {
	path, err := hosting.ParseProtectedPath(args[1])
	if err != nil {
		return err
	}
	return v.changeSite(ctx, args[0], hosting.RefuseFolderUser{Path: path, Name: hosting.FolderUserName(args[2])})
}

func setMaintenance(ctx context.Context, v *verb, args []string) error {
	if args[1] != "on" && args[1] != "off" {
		return usage("cli.usage_line", v.cmd.UseLine())
	}
	addresses, err := v.cmd.Flags().GetStringArray("address")
	if err != nil {
		return err
	}
	return v.changeSite(ctx, args[0], siteEdit{hosting.MaintenanceChange{}.Action(), func(site hosting.Site) (hosting.SiteChange, error) {
		c := hosting.MaintenanceChange{Maintenance: site.Behaviour.Maintenance}
		c.Maintenance.On = args[1] == "on"
		var errs hosting.Errors
		var err error
		if typed, given := v.text("page"); given {
			c.Maintenance.Page, err = hosting.ParsePagePath("page", typed)
			errs.Add(err)
		}
		if v.cmd.Flags().Changed("address") {
			c.Maintenance.Addresses, err = hosting.ParseAddresses(strings.Join(addresses, "\n"))
			errs.Add(err)
		}
		if err := v.yes("new-link", &c.NewSecret); err != nil {
			return nil, err
		}
		return c, errs.Err()
	}})
}
