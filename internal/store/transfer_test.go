package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/internal/testenv"
)

func TestTransfers(t *testing.T) {
	st := testenv.Store(t)
	account, other := anAccount(t, st, "voile"), anAccount(t, st, "other")
	now := time.Now().UTC()
	entry := func(age time.Duration, who, path string, more ...func(*hosting.Transfer)) hosting.Transfer {
		e := hosting.Transfer{At: now.Add(-age), AccountID: account.ID, Who: who, Protocol: hosting.FTPS, Source: "192.0.2.7", Action: hosting.Sent, Path: path, Bytes: 10, Result: hosting.Done}
		for _, m := range more {
			m(&e)
		}
		return e
	}
	evil := "/www/<b>\x1b[31m\xff\u202e\n.txt"
	ok(t, st.AddTransfers(t.Context(), []hosting.Transfer{
		entry(time.Hour, "web@voile", "/www/été.html"),
		entry(2*time.Hour, "web@voile", "/www/old.html", func(e *hosting.Transfer) { e.Action, e.Target = hosting.Renamed, "/www/new.html" }),
		entry(48*time.Hour, "anna@example.org", evil, func(e *hosting.Transfer) { e.Protocol = hosting.Panel }),
		entry(0, "x@other", "/www/été.html", func(e *hosting.Transfer) { e.AccountID = other.ID }),
		entry(100*24*time.Hour, "web@voile", "/www/ancient", func(e *hosting.Transfer) { e.Action = hosting.Deleted }),
		entry(3*time.Hour, "web@voile", "/"+strings.Repeat("é", 3000)),
	}))
	ok(t, st.AddTransfers(t.Context(), nil))
	paths := func(f store.TransferFilter) string {
		t.Helper()
		f.Account = account.ID
		rows, total, err := st.Transfers(t.Context(), everything, f)
		ok(t, err)
		var found []string
		for _, r := range rows {
			found = append(found, r.Path[:min(len(r.Path), 60)])
		}
		if total != len(found) {
			t.Errorf("%d of %d", len(found), total)
		}
		return strings.Join(found, " ")
	}
	for _, c := range []struct {
		name   string
		filter store.TransferFilter
		want   string
	}{
		{"accents and case do not matter", store.TransferFilter{Search: "ETE."}, "/www/été.html"},
		{"the new name is found as well", store.TransferFilter{Search: "new"}, "/www/old.html"},
		{"a pattern is text", store.TransferFilter{Search: "%"}, ""},
		{"one login", store.TransferFilter{Who: "anna@example.org"}, `/www/<b>\x1b[31m\xff\xe2\x80\xae\x0a.txt`},
		{"one act", store.TransferFilter{Action: hosting.Deleted}, "/www/ancient"},
		{"one way", store.TransferFilter{Protocol: hosting.Panel}, `/www/<b>\x1b[31m\xff\xe2\x80\xae\x0a.txt`},
		{"days", store.TransferFilter{Since: now.Add(-150 * time.Minute), Until: now.Add(-90 * time.Minute)}, "/www/old.html"},
	} {
		if got := paths(c.filter); got != c.want {
			t.Errorf("%s: %q", c.name, got)
		}
	}
	var walked []string
	for last := (hosting.Transfer{}); ; {
		rows, err := st.TransfersBefore(t.Context(), everything, store.TransferFilter{Account: account.ID}, last, 2)
		ok(t, err)
		if len(rows) == 0 {
			break
		}
		for _, r := range rows {
			walked = append(walked, r.Path)
		}
		last = rows[len(rows)-1]
	}
	if len(walked) != 5 || walked[0] != "/www/été.html" || walked[4] != "/www/ancient" || !strings.HasSuffix(walked[2], "é…") || len(walked[2]) > 1024 {
		t.Errorf("walked %d: %.200q", len(walked), walked)
	}

	_, err := st.Sweep(t.Context())
	ok(t, err)
	if got := paths(store.TransferFilter{Search: "ancient"}); got != "" {
		t.Errorf("after the sweep there is %q", got)
	}
	if got := paths(store.TransferFilter{Search: "été"}); got == "" {
		t.Error("the sweep took what is young")
	}
}

func TestTheJournalOfAnAccountGoesWithIt(t *testing.T) {
	st := testenv.Store(t)
	account, kept := anAccount(t, st, "gone"), anAccount(t, st, "kept")
	var entries []hosting.Transfer
	for i := range 6000 {
		entries = append(entries, hosting.Transfer{At: time.Now(), AccountID: account.ID, Who: "gone", Path: fmt.Sprintf("/%d", i)})
	}
	entries = append(entries, hosting.Transfer{At: time.Now(), AccountID: kept.ID, Who: "kept", Path: "/kept"})
	ok(t, st.AddTransfers(t.Context(), entries))
	ok(t, st.PurgeAccount(t.Context(), root, account.ID))
	sweeps := 0
	for ; sweeps < 5; sweeps++ {
		if _, err := st.Account(t.Context(), everything, account.ID); err != nil {
			break
		}
		_, err := st.Sweep(t.Context())
		ok(t, err)
	}
	rows, total, err := st.Transfers(t.Context(), everything, store.TransferFilter{})
	if err != nil || total != 1 || rows[0].Path != "/kept" || sweeps != 2 {
		t.Errorf("%d entries after %d sweeps: %v", total, sweeps, err)
	}
}

// BenchmarkTransfers reads a page of a long journal.
func BenchmarkTransfers(b *testing.B) {
	st := testenv.Store(b)
	const rows, accounts = 200_000, 4
	for i := range rows / 1000 {
		entries := make([]hosting.Transfer, 1000)
		for k := range entries {
			n := i*1000 + k
			entries[k] = hosting.Transfer{At: time.Now().Add(-time.Duration(rows-n) * time.Second), AccountID: hosting.AccountID(1 + n%accounts), Who: "web@voile", Protocol: hosting.FTPS, Source: "192.0.2.7", Action: hosting.Sent, Path: fmt.Sprintf("/www/wp-content/uploads/2026/%d/picture-%d.jpg", n%12, n), Result: hosting.Done}
		}
		if err := st.AddTransfers(b.Context(), entries); err != nil {
			b.Fatal(err)
		}
	}
	for name, f := range map[string]store.TransferFilter{
		"first page": {}, "rare word": {Search: "picture-77777.jpg"}, "common word": {Search: "jpg"}, "last page": {Page: 200},
	} {
		f.Account = 2
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, _, err := st.Transfers(b.Context(), everything, f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
