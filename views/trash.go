package views

import (
	"context"
	"strconv"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
)

// TrashParams is what was removed a short while ago and can be brought back.
//
//	templ TrashPage(page Page, p TrashParams) // GET /trash, GET /admin/trash
type TrashParams struct {
	Items []hosting.TrashItem
	List  List
	Days  int  // how long things stay
	All   bool // of all associations, for the team
}

// search is what can be looked for.
func (p TrashParams) search(ctx context.Context) string {
	if p.All {
		return i18n.T(ctx, "trash.search")
	}
	return i18n.T(ctx, "trash.search_own")
}

// TrashRestoreParams asks under which name something comes back.
//
//	templ TrashRestorePage(page Page, p TrashRestoreParams) // GET, POST /trash/KIND/:id/restore
type TrashRestoreParams struct {
	Item hosting.TrashItem
	All  bool // begun in the list of all
	Form TrashRestoreForm
}

// TrashRestoreForm brings something back. Host is a site's name, Login that of
// an FTP login; nothing else has one to choose.
type TrashRestoreForm struct {
	Host   string `form:"host"`
	Login  string `form:"login"`
	Errors Errors `form:"-"`
}

// TrashPurgeParams asks for the name before something goes for good.
//
//	templ TrashPurgePage(page Page, p TrashPurgeParams) // GET, POST /trash/KIND/:id/purge
type TrashPurgeParams struct {
	Item hosting.TrashItem
	All  bool
	Form ConfirmForm
}

// trashList is the page that lists removed things.
func trashList(all bool) string {
	if all {
		return "/admin/trash"
	}
	return "/trash"
}

// trashPath is an act on a removed thing.
func trashPath(item hosting.TrashItem, act string, all bool) string {
	path := "/trash/" + string(item.Kind) + "/" + strconv.FormatUint(item.ID, 10) + "/" + act
	if all {
		path += "?all=1"
	}
	return path
}

var trashIcons = map[hosting.TrashKind]string{
	hosting.TrashSite: "globe", hosting.TrashDatabase: "db", hosting.TrashFTP: "transfer", hosting.TrashAccount: "building",
}

// trashName is what people call a removed thing.
func trashName(item hosting.TrashItem) string {
	if item.Kind == hosting.TrashAccount && item.AccountLabel != "" {
		return item.AccountLabel
	}
	return item.Shown()
}

// trashBy says who removed it.
func trashBy(ctx context.Context, item hosting.TrashItem, all bool) string {
	if all || item.ByMember {
		return item.RemovedBy
	}
	return i18n.T(ctx, "trash.by_team")
}

// trashWith says what comes back along.
func trashWith(ctx context.Context, item hosting.TrashItem) []string {
	var parts []string
	for _, part := range []struct {
		n   int
		key string
	}{{item.Sites, "trash.sites"}, {item.Databases, "trash.databases"}, {item.FTPLogins, "trash.ftp_logins"}} {
		if part.n > 0 {
			parts = append(parts, i18n.T(ctx, part.key, part.n))
		}
	}
	return parts
}

// trashFrame is where the pages of the trash are.
func trashFrame(title string, all bool) frame {
	if all {
		return frame{Title: title, Nav: "trash", Admin: true}
	}
	return frame{Title: title, Nav: "home"}
}
