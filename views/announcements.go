package views

import (
	"context"
	"strconv"
	"strings"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
)

// AnnouncementRow is an announcement and to how many associations it is, when
// it is not to all.
type AnnouncementRow struct {
	hosting.Announcement
	Accounts int
}

// AnnouncementsParams is what the team announced. One is taken from the panel
// by POST /admin/announcements/:id/end, and removed by POST
// /admin/announcements/:id/delete. Who reads it puts it away by POST
// /announcements/:id/dismiss, with next.
//
//	templ AdminAnnouncementsPage(page Page, p AnnouncementsParams) // GET /admin/announcements
type AnnouncementsParams struct {
	List List
	Rows []AnnouncementRow
}

// AnnouncementForm is POST /admin/announcements/new and POST
// /admin/announcements/:id.
type AnnouncementForm struct {
	TitleFR string `form:"title_fr"`
	TextFR  string `form:"text_fr"`
	TitleEN string `form:"title_en"`
	TextEN  string `form:"text_en"`
	Until   string `form:"until"` // 2006-01-02, may be empty
	Mail    bool   `form:"mail"`  // only when new
	Bulk    string `form:"bulk"`  // the draft that says to whom; "" for all
	Errors  Errors `form:"-"`
}

// AnnouncementParams writes an announcement (Announcement nil) or changes one.
// To is to whom a new one is, nil for all.
//
//	templ AdminAnnouncementPage(page Page, p AnnouncementParams) // GET, POST /admin/announcements/new and /admin/announcements/:id
type AnnouncementParams struct {
	Announcement *hosting.Announcement
	Accounts     int
	To           *hosting.BulkReport
	Form         AnnouncementForm
}

func announcementPath(id hosting.AnnouncementID, rest string) string {
	return "/admin/announcements/" + strconv.FormatUint(uint64(id), 10) + rest
}

func (p AnnouncementParams) action() string {
	if p.Announcement == nil {
		return "/admin/announcements/new"
	}
	return announcementPath(p.Announcement.ID, "")
}

func (p AnnouncementParams) title(ctx context.Context) string {
	if p.Announcement == nil {
		return i18n.T(ctx, "announcements.new")
	}
	return i18n.T(ctx, "announcements.edit_title")
}

// toWhom is to whom an announcement is, in words.
func toWhom(ctx context.Context, everyone bool, accounts int) string {
	if everyone {
		return i18n.T(ctx, "announcements.to_all")
	}
	return i18n.T(ctx, "announcements.to_some", accounts)
}

func (p AnnouncementParams) lede(ctx context.Context) string {
	switch {
	case p.Announcement != nil:
		return toWhom(ctx, p.Announcement.Everyone, p.Accounts)
	case p.To != nil:
		return toWhom(ctx, false, p.To.Waiting) + i18n.T(ctx, "colon") + names(ctx, p.To.First, p.To.Waiting)
	}
	return i18n.T(ctx, "announcements.new_lede")
}

// where is where an announcement is told, and until when.
func (a AnnouncementRow) where(ctx context.Context, now time.Time) string {
	var parts []string
	switch {
	case a.Shown(now):
		parts = append(parts, i18n.T(ctx, "announcements.until", i18n.Date(ctx, *a.Until)))
	case a.Until != nil:
		parts = append(parts, i18n.T(ctx, "announcements.over", i18n.Date(ctx, *a.Until)))
	}
	if a.Mailed {
		parts = append(parts, i18n.T(ctx, "announcements.mailed"))
	}
	return strings.Join(parts, ", ")
}

func announcementDialog(id hosting.AnnouncementID) string {
	return "dlg-announcement-" + strconv.FormatUint(uint64(id), 10)
}

// bannerText are the title and the text of an announcement in the language of
// the page.
func bannerText(ctx context.Context, a hosting.Announcement) (title, text string) {
	return a.In(i18n.Lang(ctx))
}

// bannerLang is the language of an announcement's text when it is not that of
// the page.
func bannerLang(ctx context.Context, a hosting.Announcement) string {
	if i18n.Lang(ctx) == "en" && a.TitleEN == "" {
		return "fr"
	}
	return ""
}
