package views

import (
	"net/url"
	"strings"
	"time"

	"cancale/internal/hosting"
)

// journalSamples are the pages of what was done to files.
func journalSamples(member Page) []sample {
	entry := func(age time.Duration, who string, way hosting.Protocol, action hosting.TransferAction, path string, bytes, ms int64, result hosting.TransferResult) hosting.Transfer {
		return hosting.Transfer{At: now.Add(-age), AccountID: 12, Who: who, Protocol: way, Source: "198.51.100.23", Action: action, Path: path, Bytes: bytes, TookMS: ms, Result: result}
	}
	renamed := entry(3*time.Hour, "maelle@souffle-en-baie.example", hosting.Panel, hosting.Renamed, "/www/affiche.jpg", 0, 2, hosting.Done)
	renamed.Target = "/www/affiches/loto-du-5-décembre.jpg"
	left := entry(26*time.Hour, "", hosting.FTP, hosting.Left, "", 1240, 0, hosting.Broken)
	left.Source = ""
	rows := []hosting.Transfer{
		entry(40*time.Second, "webmestre@souffle", hosting.FTPS, hosting.Sent, "/souffle-en-baie.example/www/wp-content/uploads/2026/11/affiche-loto.jpg", 2_480_000, 3400, hosting.Done),
		entry(3*time.Minute, "webmestre@souffle", hosting.SFTP, hosting.Sent, "/www/sauvegarde.zip", 1_240_000_000, 184_000, hosting.Full),
		entry(20*time.Minute, "agence-web@souffle", hosting.FTP, hosting.Fetched, "/style.css", 18_400, 30, hosting.Cut),
		renamed,
		entry(5*time.Hour, "agence-web@souffle", hosting.FTP, hosting.Deleted, `/<b>gras</b>\x1b[31m`, 0, 1, hosting.Refused),
		entry(6*time.Hour, "webmestre@souffle", hosting.FTPS, hosting.Made, "/www/"+strings.Repeat("tres-long-nom-", 12), 0, 1, hosting.Done),
		left,
	}
	list := func(query string, total int) List {
		q, _ := url.ParseQuery(query)
		return List{Path: transfersPath, Query: q, Total: total, Page: 1, PerPage: 40}
	}
	return []sample{
		{name: "transfers", page: TransfersPage(member, TransfersParams{List: list("who=webmestre%40souffle", 4218), Rows: rows, Days: 90})},
		{name: "transfers-none", page: TransfersPage(member, TransfersParams{List: list("", 0), Days: 90})},
		{name: "transfers-refused", page: TransfersPage(member, TransfersParams{List: list("since=x&q=zz", 0), Days: 1, Errors: Errors{"since": hosting.Msg("date.invalid")}})},
	}
}
