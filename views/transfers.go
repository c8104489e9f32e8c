package views

import (
	"context"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/views/ui"
)

// TransfersParams is the journal of what was done to an association's files.
// Filters of the query: q (in the path), who (a login or an address, or how it
// begins), action, since and until (2006-01-02).
//
//	templ TransfersPage(page Page, p TransfersParams) // GET /ftp/journal
type TransfersParams struct {
	List   List
	Rows   []hosting.Transfer
	Days   int    // that it remembers
	Errors Errors // since, until
}

const transfersPath = "/ftp/journal"

// downloadURL leads to the table of what the list shows.
func (p TransfersParams) downloadURL() string {
	l := p.List
	l.Path = transfersPath + "/download"
	return l.PageURL(1)
}

// transfersOf leads to what one login did.
func transfersOf(login hosting.FTPName) string {
	return List{Path: transfersPath}.with("who", string(login))
}

// transferActions are the acts that the list can be narrowed to.
func transferActions(ctx context.Context) []ui.Option {
	options := []ui.Option{{Value: "", Label: i18n.T(ctx, "transfers.any")}}
	for _, a := range hosting.TransferActions {
		options = append(options, ui.Option{Value: string(a), Label: i18n.T(ctx, "transfer."+string(a))})
	}
	return options
}

var transferIcons = map[hosting.TransferAction]string{
	hosting.Sent: "upload", hosting.Fetched: "download", hosting.Deleted: "trash", hosting.Renamed: "edit", hosting.Made: "folder", hosting.Copied: "copy", hosting.Left: "warn",
}

// transferWay is by which way and from where somebody came.
func transferWay(ctx context.Context, e hosting.Transfer) string {
	way := i18n.T(ctx, "protocol."+string(e.Protocol))
	if e.Source == "" {
		return way
	}
	return i18n.T(ctx, "transfers.from", way, e.Source)
}

// moved reports whether bytes say something of an act.
func moved(e hosting.Transfer) bool {
	return e.Action == hosting.Sent || e.Action == hosting.Fetched || e.Action == hosting.Copied
}

// transferKind is the colour of how an act ended.
func transferKind(r hosting.TransferResult) (kind, icon string) {
	switch r {
	case hosting.Cut, hosting.Missing:
		return "warn", "warn"
	case hosting.Refused, hosting.Full, hosting.Broken:
		return "fail", "fail"
	case hosting.Done:
	}
	return "ok", "ok"
}
