package views

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"cancale/internal/hosting"
)

// SitesParams is the list of sites. Filters of the query: q, state. Columns to
// sort by: host, state, php.
//
//	templ SitesPage(page Page, p SitesParams)    // GET /sites
type SitesParams struct {
	List     List
	Rows     []hosting.Site
	Room     Room
	CanWrite bool
}

// SiteForm is POST /sites/new.
type SiteForm struct {
	Host         string `form:"host"`
	Aliases      string `form:"aliases"` // one per line
	DocumentRoot string `form:"document_root"`
	PHP          string `form:"php"`
	Errors       Errors `form:"-"` // "", host, aliases, document_root, php
}

// SiteNewParams asks for a new site.
//
//	templ SiteNewPage(page Page, p SiteNewParams) // GET, POST /sites/new
//	templ HostCheck(p HostCheckParams)            // GET /sites/check?host=…, a fragment
type SiteNewParams struct {
	Form SiteForm
	Room Room
	// Address is where names must point to; not valid when it is not known.
	Address netip.Addr
	Served  []hosting.PHPVersion // newest first
}

// newest is the version of PHP of a site for which nobody chooses another.
func (p SiteNewParams) newest() string {
	if len(p.Served) == 0 {
		return string(hosting.DefaultPHPVersion)
	}
	return string(p.Served[0])
}

// HostCheckParams is the answer while a host name is typed. Empty when nothing
// is typed yet.
type HostCheckParams struct {
	Host    hosting.Hostname
	Problem hosting.Message // zero when the name is free
}

// SiteParams is one site, and how far it is. The page and its live fragment
// take the same.
//
//	templ SitePage(page Page, p SiteParams)       // GET /sites/:id
//	templ SiteStatus(p SiteParams)                // GET /sites/:id/status?seen=STATE, a fragment
type SiteParams struct {
	Site      hosting.Site
	URL       string // http://host:port/
	Now       time.Time
	Seen      string        // the state that the fragment's asker shows; "" on the page
	Space     hosting.Space // of its association
	Databases []hosting.Database
	FTPLogins []hosting.FTPLogin
	Days      []hosting.TrafficDay // the last 30, for the overview
	// OutOfMemory is when the site ran out of memory, not long ago.
	OutOfMemory time.Time
	CanWrite    bool // edit, delete
	CanRun      bool // suspend, resume, retry
	CanLogs     bool // may read the site's logs
	CanFTP      bool // may create an FTP login
	CanBases    bool // may create a database
	CSRF        string
}

// SiteDeleteParams asks for the name before a site is removed.
//
//	templ SiteDeletePage(page Page, p SiteDeleteParams) // GET, POST /sites/:id/delete
type SiteDeleteParams struct {
	Site      hosting.Site
	FTPLogins []hosting.FTPLogin // that will stop to work
	Form      ConfirmForm
	Days      int // for which it can be brought back
}

func sitePath(id hosting.SiteID, rest string) string { return fmt.Sprintf("/sites/%d%s", id, rest) }

// mayResume reports whether the actor may turn a suspended site on again.
func mayResume(a hosting.Actor, s hosting.Site) bool {
	return s.Suspended && (!s.Held || a.Can(hosting.AdminSuspend))
}

// plainTyping keeps browsers from correcting names.
var plainTyping = templ.Attributes{"spellcheck": "false", "autocapitalize": "none"}

// hostAttrs ask whether a host name is free while it is typed.
var hostAttrs = templ.Attributes{
	"spellcheck": "false", "autocapitalize": "none", "inputmode": "url", "placeholder": "www.association.example",
	"hx-get": "/sites/check", "hx-trigger": "input changed delay:400ms", "hx-target": "#host-check", "hx-swap": "innerHTML",
}

// any reports whether one of the fields was refused.
func (e Errors) any(fields ...string) bool {
	for _, f := range fields {
		if _, refused := e[f]; refused {
			return true
		}
	}
	return false
}

// ftpNewFor is the form for a login that reaches one site.
func ftpNewFor(id hosting.SiteID) string {
	return "/ftp/new?site=" + strconv.FormatUint(uint64(id), 10)
}

// technical is a failure in the words of the code, for whoever helps.
func technical(s hosting.Sync) string {
	return fmt.Sprintf("%s %s\ngeneration %d, observed %d, attempts %d", s.Problem.Key, strings.Join(s.Problem.Args, " "), s.Generation, s.Observed, s.Attempts)
}
