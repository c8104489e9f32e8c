package views

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/views/ui"
)

// The pages of a site's settings, one for each tab.
//
//	templ SiteAddressesPage(page Page, p SiteAddressesParams)     // GET, POST /sites/:id/addresses
//	templ SiteFolderPage(page Page, p SiteFolderParams)           // GET, POST /sites/:id/folder
//	templ SitePHPPage(page Page, p SitePHPParams)                 // GET, POST /sites/:id/php
//	templ SiteProtectionPage(page Page, p SiteProtectionParams)   // GET, POST /sites/:id/protection
//	templ SiteMaintenancePage(page Page, p SiteMaintenanceParams) // GET, POST /sites/:id/maintenance

// SiteAddressForm is the other names of a site, which of two is the right one,
// and redirects. The lists of a redirect belong together by their order. Act is
// a button that adds or takes a row and saves nothing.
type SiteAddressForm struct {
	Aliases   []string `form:"alias"`
	Canonical string   `form:"canonical"` // "none", "www" or "bare"
	From      []string `form:"from"`
	Reach     []string `form:"reach"` // "page" or "folder"
	To        []string `form:"to"`
	Status    []string `form:"status"` // "301" or "302"
	Act       string   `form:"act"`    // "add-alias", "drop-alias-N", "add-redirect", "drop-redirect-N"
	Errors    Errors   `form:"-"`      // aliases, canonical, redirects, from-N, to-N
}

// SiteAddressesParams are the names and the redirects of a site.
type SiteAddressesParams struct {
	SiteParams
	Form SiteAddressForm
}

// SiteFolderForm is what is served.
type SiteFolderForm struct {
	DocumentRoot string `form:"document_root"`
	Listing      bool   `form:"listing"`
	Forbidden    string `form:"forbidden"`
	NotFound     string `form:"not_found"`
	Failed       string `form:"failed"`
	Unavailable  string `form:"unavailable"`
	Errors       Errors `form:"-"`
}

// SiteFolderParams are the folder and the error pages of a site.
type SiteFolderParams struct {
	SiteParams
	Form SiteFolderForm
}

// SitePHPForm is a version of PHP and its settings.
type SitePHPForm struct {
	PHP        string `form:"php"`
	Memory     string `form:"memory"`
	Upload     string `form:"upload"`
	Seconds    string `form:"seconds"`
	TimeZone   string `form:"time_zone"`
	ShowErrors bool   `form:"show_errors"`
	Errors     Errors `form:"-"`
}

// SitePHPParams is PHP for a site.
type SitePHPParams struct {
	SiteParams
	Choices hosting.Choices
	Form    SitePHPForm
}

// SiteFolderUserForm is POST /sites/:id/protection and what lies beneath it: a
// folder to protect, or somebody who may enter one.
type SiteFolderUserForm struct {
	Path     string `form:"path"`
	User     string `form:"user"`
	Password string `form:"password"` // empty: one is drawn and shown
	Errors   Errors `form:"-"`        // path of a new folder; user, password of the folder Path
}

// SiteProtectionParams are the protected folders of a site.
type SiteProtectionParams struct {
	SiteParams
	Form SiteFolderUserForm
	// Drawn is a password that is shown this once, and whose.
	Drawn, DrawnFor string
}

// SiteMaintenanceForm turns the maintenance page on and off.
type SiteMaintenanceForm struct {
	On        string `form:"on"` // "yes" or "no"
	Page      string `form:"page"`
	Addresses string `form:"addresses"`
	NewLink   bool   `form:"new_link"`
	Errors    Errors `form:"-"`
}

// SiteMaintenanceParams is a site's maintenance.
type SiteMaintenanceParams struct {
	SiteParams
	Form     SiteMaintenanceForm
	VisitURL string // lets a browser in; "" before there was any maintenance
	Source   string // the address of who asks
}

// siteTabList are the tabs of a site's page that a person may open: who may not
// change the site still sees how it is.
func siteTabList(ctx context.Context, p SiteParams, current string) []ui.Tab {
	tab := func(name, url string, is bool) ui.Tab {
		return ui.Tab{Text: i18n.T(ctx, "site.tab_"+name), URL: url, Current: is}
	}
	tabs := []ui.Tab{tab("overview", sitePath(p.Site.ID, ""), current == "overview")}
	if p.CanLogs {
		tabs = append(tabs, tab("files", FilesURL(p.Site.ID, "", hosting.FilePath(p.Site.DocumentRoot)), current == "files"))
	}
	tabs = append(tabs, tab("stats", statsPath(p.Site.ID), current == "stats"))
	if p.CanLogs {
		tabs = append(tabs, tab("logs", logsPath(p.Site.ID), current == "logs"))
	}
	if p.CanWrite {
		tabs = append(tabs, tab("settings", sitePath(p.Site.ID, "/"+siteSettingTabs[0]), isSetting(current)))
	}
	return tabs
}

// siteSettingTabs are the pages of the settings, in their order; each is also
// the end of its address.
var siteSettingTabs = []string{"addresses", "folder", "php", "protection", "maintenance", "tasks"}

func isSetting(tab string) bool { return slices.Contains(siteSettingTabs, tab) }

func settingTabs(ctx context.Context, p SiteParams, current string) []ui.Tab {
	tabs := make([]ui.Tab, len(siteSettingTabs))
	for i, name := range siteSettingTabs {
		tabs[i] = ui.Tab{Text: i18n.T(ctx, "site.tab_"+name), URL: sitePath(p.Site.ID, "/"+name), Current: name == current}
	}
	return tabs
}

// siteTitle is the title of a tab.
func siteTitle(ctx context.Context, site hosting.Site, tab string) string {
	if tab == "overview" {
		return site.Host.Unicode()
	}
	return i18n.T(ctx, "site.tab_title", i18n.T(ctx, "site.tab_"+tab), site.Host.Unicode())
}

func canonicalOptions(ctx context.Context, site hosting.Site) []ui.Option {
	bare := hosting.Hostname(strings.TrimPrefix(string(site.Host), "www."))
	return []ui.Option{
		{Value: "none", Label: i18n.T(ctx, "canonical.none"), Hint: i18n.T(ctx, "canonical.none_hint")},
		{Value: "bare", Label: i18n.T(ctx, "canonical.bare", bare.Unicode()), Hint: i18n.T(ctx, "canonical.bare_hint")},
		{Value: "www", Label: i18n.T(ctx, "canonical.www", bare.Unicode()), Hint: i18n.T(ctx, "canonical.www_hint")},
	}
}

func reachOptions(ctx context.Context) []ui.Option {
	return []ui.Option{{Value: "page", Label: i18n.T(ctx, "redirect.page")}, {Value: "folder", Label: i18n.T(ctx, "redirect.folder")}}
}

func statusOptions(ctx context.Context) []ui.Option {
	return []ui.Option{{Value: "301", Label: i18n.T(ctx, "redirect.for_good")}, {Value: "302", Label: i18n.T(ctx, "redirect.for_now")}}
}

func zoneOptions(ctx context.Context) []ui.Option {
	options := []ui.Option{{Value: "", Label: i18n.T(ctx, "time_zone.usual", string(hosting.DefaultPHP.TimeZone))}}
	for _, z := range hosting.TimeZones {
		options = append(options, ui.Option{Value: string(z), Label: strings.ReplaceAll(string(z), "_", " ")})
	}
	return options
}

func versionOptions(versions []hosting.PHPVersion) []ui.Option {
	var options []ui.Option
	for _, v := range versions {
		options = append(options, ui.Option{Value: string(v), Label: "PHP " + string(v)})
	}
	return options
}

// row is the name of a field in a row, as an id and in errors.
func row(name string, n int) string { return name + "-" + strconv.Itoa(n) }

// fields are the ids of a form of rows, for its summary of errors.
func (f SiteAddressForm) fields() []string {
	var ids []string
	for i := range f.Aliases {
		ids = append(ids, row("alias", i))
	}
	ids = append(ids, "canonical")
	for i := range f.From {
		ids = append(ids, row("from", i), row("to", i), row("status", i))
	}
	return ids
}

// folderName is a protected folder in words.
func folderName(ctx context.Context, p hosting.URLPath) string {
	if p == "/" {
		return i18n.T(ctx, "protected.whole_site")
	}
	return string(p)
}

// folderForm is the form of the folder that it is about, empty for others.
func (p SiteProtectionParams) folderForm(path hosting.URLPath) SiteFolderUserForm {
	if p.Form.Path == string(path) && p.Form.Errors.any("user", "password") {
		return p.Form
	}
	return SiteFolderUserForm{}
}

// newPath is what was typed as a folder to protect.
func (p SiteProtectionParams) newPath() string {
	if p.Form.Errors.any("user", "password") { // the form was about a folder that is
		return ""
	}
	return p.Form.Path
}

// problems lead to the fields of the folder that the form is about.
func (p SiteProtectionParams) problems(ctx context.Context) []ui.Problem {
	list := p.Form.Errors.problems(ctx, "path", "user", "password")
	for i, f := range p.Site.Behaviour.Protected {
		for j := range list {
			if p.Form.Path == string(f.Path) && (list[j].ID == "user" || list[j].ID == "password") {
				list[j].ID = row(list[j].ID, i)
			}
		}
	}
	for j := range list {
		if list[j].ID == "user" || list[j].ID == "password" { // the folder is gone
			list[j].ID = ""
		}
	}
	return list
}

func megabytes(ctx context.Context, n int) string {
	return fmt.Sprintf("%d\u00a0%s", n, i18n.T(ctx, "unit.megabytes"))
}
