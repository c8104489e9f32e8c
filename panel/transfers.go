package panel

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/internal/store"
	"cancale/views"
)

// transferFilter reads what the address asks of the journal. Refusals are by
// field.
func (r *Request) transferFilter(account hosting.AccountID) (store.TransferFilter, views.Errors) {
	f := store.TransferFilter{Account: account}
	errs := views.Errors{}
	const longest = 254
	if who := strings.TrimSpace(r.Query("who")); len(who) <= longest {
		f.Who = who
	}
	if action := hosting.TransferAction(r.Query("action")); slices.Contains(hosting.TransferActions, action) {
		f.Action = action
	}
	f.Since = r.day("since", errs)
	if f.Until = r.day("until", errs); !f.Until.IsZero() {
		f.Until = f.Until.AddDate(0, 0, 1) // the day itself is in it
	}
	return f, errs
}

// day is a day of the address, noted in errs when it is none.
func (r *Request) day(name string, errs views.Errors) time.Time {
	typed := r.Query(name)
	if typed == "" {
		return time.Time{}
	}
	day, err := time.ParseInLocation(time.DateOnly, typed, time.Local)
	if err != nil {
		errs[name] = hosting.Msg("date.invalid")
	}
	return day
}

// listTransfers is GET /ftp/journal.
func (s *server) listTransfers(r *Request) error {
	account, err := r.acts()
	if err != nil {
		return err
	}
	list, page, _, search := r.list()
	filter, errs := r.transferFilter(account.ID)
	filter.Search, filter.Page, filter.PerPage = search, page, perPage
	settings, err := s.store.Settings(r.Context())
	if err != nil {
		return err
	}
	params := views.TransfersParams{Errors: errs, Days: settings.Kept.TransferDays}
	answer := r.Invalid
	if len(errs) == 0 {
		answer = r.Render
		if params.Rows, list.Total, err = s.store.Transfers(r.Context(), r.Actor.Scope(r.need).Only(account.ID), filter); err != nil {
			return err
		}
	}
	params.List = list
	return r.page(func(p views.Page) error { return answer(views.TransfersPage(p, params)) })
}

const (
	// sheetRows is how many rows a downloaded table has at most, and sheetBatch
	// how many are read at a time.
	sheetRows  = 100_000
	sheetBatch = 1000
)

// downloadTransfers is GET /ftp/journal/download: what the list shows, as a
// table.
func (s *server) downloadTransfers(r *Request) error {
	account, err := r.acts()
	if err != nil {
		return err
	}
	_, _, _, search := r.list()
	filter, errs := r.transferFilter(account.ID)
	if len(errs) > 0 {
		return r.redirect("/ftp/journal?" + r.echo.QueryString())
	}
	filter.Search = search
	ctx, scope := r.Context(), r.Actor.Scope(r.need).Only(account.ID)
	rows, err := s.store.TransfersBefore(ctx, scope, filter, hosting.Transfer{}, sheetBatch)
	if err != nil {
		return err
	}
	t := func(key string) string { return i18n.T(ctx, key) }
	out := r.sheet(t("transfers.file_name")+"-"+string(account.Name)+"-"+r.now.Format(time.DateOnly)+".csv",
		t("transfers.when"), t("transfers.who"), t("transfers.protocol"), t("transfers.source"), t("transfers.what"), t("transfers.path"),
		t("transfers.target"), t("transfers.bytes"), t("transfers.seconds"), t("transfers.result"))
	for written := 0; len(rows) > 0 && err == nil; {
		for _, e := range rows {
			out.row(e.At.Local().Format(time.DateTime), e.Who, t("protocol."+string(e.Protocol)), e.Source, t("transfer."+string(e.Action)), e.Path,
				e.Target, strconv.FormatInt(e.Bytes, 10), strconv.FormatFloat(float64(e.TookMS)/1000, 'f', 3, 64), t("transfer_result."+string(e.Result)))
		}
		if written += len(rows); written >= sheetRows || len(rows) < sheetBatch {
			break
		}
		rows, err = s.store.TransfersBefore(ctx, scope, filter, rows[len(rows)-1], sheetBatch)
	}
	out.close(err)
	return nil
}
