package ftpd

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
)

// told waits until the journal holds so many entries, and gives them in the
// order of their acts, each in one line.
func (w *world) told(n int) []string {
	w.t.Helper()
	var lines []string
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		rows, _, err := w.store.Transfers(w.t.Context(), root.Scope(hosting.AdminRead), store.TransferFilter{PerPage: 1000})
		check(w.t, err)
		if lines = nil; len(rows) < n {
			continue
		}
		for _, e := range rows {
			line := fmt.Sprintf("%s %s %s %s %s %d", e.Who, e.Protocol, e.Action, e.Result, e.Path, e.Bytes)
			if e.Target != "" {
				line += " " + e.Target
			}
			lines = append([]string{line}, lines...)
			if e.Source != "127.0.0.1" || e.AccountID == 0 || e.TookMS > 60_000 {
				w.t.Errorf("%+v", e)
			}
		}
		return lines
	}
	w.t.Fatalf("no %d entries in the journal", n)
	return nil
}

func TestJournal(t *testing.T) {
	m := newMember(t, quick())
	c := m.connect()
	c.put("STOR www/a.txt", "hello")
	c.want(250, "CWD www")
	if got := c.get("RETR a.txt"); got != "hello" {
		t.Errorf("%q", got)
	}
	c.want(257, "MKD d")
	c.want(350, "RNFR a.txt")
	c.want(250, "RNTO d/b\x80\xe2\x80\xae.txt")
	c.want(550, "DELE nothing")
	c.want(550, "DELE ../../..")
	c.want(250, "DELE d/b\x80\xe2\x80\xae.txt")
	c.want(250, "RMD d")
	c.port()
	c.want(550, "RETR nothing")
	c.get("LIST")
	c.data()
	c.want(150, "STOR cut.txt")
	c.send("ABOR")
	c.reply(426)
	c.reply(226)
	got := m.told(10)
	want := []string{
		"web@voile ftp sent done /www/a.txt 5",
		"web@voile ftp fetched done /www/a.txt 5",
		"web@voile ftp made done /www/d 0",
		`web@voile ftp renamed done /www/a.txt 0 /www/d/b\x80\xe2\x80\xae.txt`,
		"web@voile ftp deleted missing /www/nothing 0",
		"web@voile ftp deleted refused / 0",
		`web@voile ftp deleted done /www/d/b\x80\xe2\x80\xae.txt 0`,
		"web@voile ftp deleted done /www/d 0",
		"web@voile ftp fetched missing /www/nothing 0",
		"web@voile ftp sent cut /www/cut.txt 0",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestTheJournalIsFlushed(t *testing.T) {
	m := newMember(t, quick())
	c := m.connect()
	for i := range 30 {
		c.want(257, fmt.Sprintf("MKD www/d%d", i))
	}
	m.stop()
	rows, _, err := m.store.Transfers(t.Context(), root.Scope(hosting.AdminRead), store.TransferFilter{})
	if err != nil || len(rows) != 30 {
		t.Errorf("%d entries, %v", len(rows), err)
	}
}

// A database that is away makes nobody wait, and nothing grow.
func TestTheJournalNeverWaits(t *testing.T) {
	m := newMember(t, quick())
	m.stop()
	j := newJournal(m.store)
	start := time.Now()
	for i := range journalQueue + 1000 {
		j.add(hosting.Transfer{AccountID: hosting.AccountID(1 + i%5), Path: "/x"})
	}
	if took := time.Since(start); took > 2*time.Second || j.waiting() != journalQueue || j.left.Load() != 1000 {
		t.Errorf("%v, %d wait, %d left out", took, j.waiting(), j.left.Load())
	}
	check(t, m.store.Close())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	start = time.Now()
	j.write(ctx) // the store is closed: nothing can be written, and it ends
	if took := time.Since(start); took > journalFlush+journalRetry+time.Second || j.left.Load() != 0 {
		t.Errorf("%v; %d are not told", took, j.left.Load())
	}
}

func TestOneAccountCannotFillTheJournal(t *testing.T) {
	m := newMember(t, quick())
	m.stop()
	j, now := newJournal(m.store), time.Now()
	in := 0
	for range budgetBurst + 50 {
		if j.within(7, now) {
			in++
		}
	}
	told := j.lacking(now)
	if in != budgetBurst || len(told) != 1 || told[0].AccountID != 7 || told[0].Bytes != 50 || told[0].Action != hosting.Left || !j.within(8, now) {
		t.Errorf("%d are in; %+v", in, told)
	}
	if later := now.Add(time.Hour); !j.within(7, later) || len(j.lacking(later)) != 0 {
		t.Error("there is no room an hour later")
	}
	if j.lacking(now.Add(1000 * time.Hour)); len(j.budgets) != 0 {
		t.Errorf("%d budgets are remembered", len(j.budgets))
	}
}

// BenchmarkManySmall sends small files with eight sessions at once.
func BenchmarkManySmall(b *testing.B) {
	m := newMember(b, quick())
	const sessions = 8
	clients := make([]*client, sessions)
	for i := range clients {
		clients[i] = m.connect()
	}
	content := []byte(strings.Repeat("x", 4096))
	b.ResetTimer()
	var wait sync.WaitGroup
	for k, c := range clients {
		wait.Go(func() {
			for i := k; i < b.N; i += sessions {
				d, err := net.Dial("tcp", c.port())
				check(b, err)
				c.want(150, fmt.Sprintf("STOR www/f%d", i%5000))
				_, err = d.Write(content)
				check(b, err)
				check(b, d.Close())
				c.reply(226)
			}
		})
	}
	wait.Wait()
}
