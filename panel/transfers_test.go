package panel

import (
	"encoding/csv"
	"net/http"
	"strings"
	"testing"
	"time"

	"cancale/internal/hosting"
)

func TestJournalOfTransfers(t *testing.T) {
	w := newWorld(t)
	entry := func(who, path string, age time.Duration) hosting.Transfer {
		return hosting.Transfer{At: time.Now().Add(-age), AccountID: w.account.ID, Who: who, Protocol: hosting.FTPS, Source: "192.0.2.9", Action: hosting.Sent, Path: path, Bytes: 2048, TookMS: 1500, Result: hosting.Done}
	}
	w.must(w.store.AddTransfers(t.Context(), []hosting.Transfer{
		entry("web@asso", `/www/<script>alert(1)</script>;"x".html`, time.Minute),
		entry("=cmd|' /C calc'!A0@example.org", "/www/old.txt", 50*time.Hour),
	}))
	o := w.as("owner")
	p := o.get("/ftp/journal")
	if p.status != http.StatusOK || !strings.Contains(p.text("main"), `/www/<script>alert(1)</script>`) || p.doc.Find("main script").Length() > 0 {
		t.Errorf("%d %s", p.status, p.text("main"))
	}
	if got := o.get("/ftp/journal?q=OLD").text("tbody th"); !strings.Contains(got, "/www/old.txt") || strings.Contains(got, "script") {
		t.Errorf("found %q", got)
	}
	yesterday, tomorrow := time.Now().AddDate(0, 0, -1).Format(time.DateOnly), time.Now().AddDate(0, 0, 1).Format(time.DateOnly)
	if got := o.get("/ftp/journal?until=" + tomorrow + "&since=" + yesterday + "&who=web@").text("tbody th"); strings.Contains(got, "old.txt") || got == "" {
		t.Errorf("within days %q", got)
	}
	if p := o.get("/ftp/journal?since=nonsense"); p.status != http.StatusUnprocessableEntity || p.doc.Find("main tbody").Length() > 0 {
		t.Errorf("a day that is none: %d %s", p.status, p.text("main"))
	}

	file := o.get("/ftp/journal/download")
	if got := file.header.Get("Content-Disposition"); !strings.Contains(got, "-"+string(w.account.Name)+"-") || !strings.HasPrefix(got, "attachment;") || !strings.HasPrefix(file.header.Get("Content-Type"), "text/csv") {
		t.Errorf("%q", got)
	}
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(file.body, "\ufeff")))
	r.Comma = ';'
	rows, err := r.ReadAll()
	if err != nil || len(rows) != 3 || rows[1][5] != `/www/<script>alert(1)</script>;"x".html` || rows[1][8] != "1.500" {
		t.Fatalf("%v %q", err, rows)
	}
	if rows[2][1] != `'=cmd|' /C calc'!A0@example.org` {
		t.Errorf("a formula: %q", rows[2][1])
	}
	if p := w.as("stranger").get("/ftp/journal"); strings.Contains(p.body, "old.txt") {
		t.Error("a stranger reads it")
	}
}
