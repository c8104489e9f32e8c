package views

import (
	"context"
	"net/url"
	"path"
	"strings"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
)

// BinParams is the bin of a site: what its members deleted.
//
//	templ BinPage(page Page, p BinParams) // GET /sites/:id/bin
type BinParams struct {
	Site     hosting.Site
	Bin      hosting.Bin
	List     List
	Days     int  // how long things stay
	Down     bool // the daemon that has it does not answer
	CanWrite bool
	Problems []hosting.Message // of what could not be restored
}

// BinRestoreParams asks for another name, because the old one is taken.
//
//	templ BinRestorePage(page Page, p BinRestoreParams) // GET, POST /sites/:id/bin/restore
type BinRestoreParams struct {
	Site hosting.Site
	Item hosting.BinItem
	Form BinRestoreForm
}

// BinRestoreForm brings something back.
type BinRestoreForm struct {
	Item   string `form:"item"` // its ID
	To     string `form:"to"`
	Errors Errors `form:"-"`
}

// BinChoiceForm is what is to be restored or to go: POST /sites/:id/bin/several,
// which asks again before things go, and POST /sites/:id/bin/delete.
type BinChoiceForm struct {
	Items []string `form:"f"` // IDs
	All   bool     `form:"all"`
	Act   string   `form:"act"` // restore or purge
}

// BinPurgeParams asks before something goes for good: some things, or all when
// Items is empty.
//
//	templ BinPurgePage(page Page, p BinPurgeParams) // GET /sites/:id/bin/delete, POST /sites/:id/bin/several
type BinPurgeParams struct {
	Site  hosting.Site
	Items []hosting.BinItem
}

// firstOf are as many as a question names.
func firstOf(items []hosting.BinItem) []hosting.BinItem {
	const most = 20
	return items[:min(len(items), most)]
}

// binItemPath is the page of an act on one thing.
func binItemPath(id hosting.SiteID, act string, item hosting.BinItem) string {
	return sitePath(id, "/bin/"+act) + "?" + url.Values{"item": {item.ID()}}.Encode()
}

// OtherName is a name beside one that is taken: photo.jpg becomes
// photo-restored.jpg.
func OtherName(ctx context.Context, name string) string {
	dir, base := path.Split(name)
	suffix := path.Ext(base)
	if suffix == base { // .htaccess
		suffix = ""
	}
	return dir + strings.TrimSuffix(base, suffix) + i18n.T(ctx, "bin.other_name") + suffix
}

func binPurgeTitle(ctx context.Context, p BinPurgeParams) string {
	switch len(p.Items) {
	case 0:
		return i18n.T(ctx, "bin.empty_title", p.Site.Host.Unicode())
	case 1:
		return i18n.T(ctx, "bin.purge_title", visible(path.Base(p.Items[0].Path)))
	}
	return i18n.T(ctx, "bin.purge_several", len(p.Items))
}

// visible is a name as members gave it, with what cannot be seen made visible:
// it may hold anything but a slash and a zero byte.
func visible(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(name, "\uFFFD"))
}
