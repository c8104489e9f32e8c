package sitelog

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"cancale/internal/config"
	"cancale/internal/traffic"
)

// TestMain runs the test binary as a splitter that a test kills.
func TestMain(m *testing.M) {
	if root := os.Getenv("SITELOG_TEST_ROOT"); root != "" {
		if err := Run(context.Background(), os.Stdin, config.Layout{Root: root}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const browser = "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0"

// visit is a record of a.example as Apache writes it.
func visit(address, what string, status int, referrer, agent string, took time.Duration) string {
	return fmt.Sprintf("\x1eA a.example %s - - [22/Nov/2026:22:04:22 +0000] \"%s\" %d 1000 \"%s\" \"%s\" %d\n", address, what, status, referrer, agent, took.Microseconds())
}

// counted is what was counted of a site, on all days.
func counted(t testing.TB, l config.Layout, site uint64) traffic.Day {
	t.Helper()
	batches, err := Batches(l)
	if err != nil {
		t.Fatal(err)
	}
	var all traffic.Day
	for _, name := range batches {
		counts, err := ReadBatch(l, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range counts {
			switch c.Site {
			case site:
				all.Add(c.Day)
			case 0:
				t.Errorf("counted of no site: %+v", c)
			}
		}
	}
	return all
}

func TestCounting(t *testing.T) {
	l := newLayout(t, map[string]int{"a.example": 1})
	stream := strings.Join([]string{
		visit("192.0.2.1", "GET / HTTP/1.1", 200, "https://www.Search.example:443/?q=x", browser, time.Millisecond),
		visit("192.0.2.1", "GET /?page=2 HTTP/1.1", 200, "-", browser, 3*time.Second),
		visit("192.0.2.1", "GET /style.css HTTP/1.1", 200, "http://a.example/", browser, 5*time.Second),
		visit("192.0.2.2", "GET /contact HTTP/1.1", 304, "-", browser, 2*time.Second),
		visit("192.0.2.3", "GET /contact HTTP/1.1", 200, "-", "Googlebot/2.1 (+http://www.google.com/bot.html)", 0),
		visit("2001:db8::1", "GET /wp-login.php HTTP/1.1", 404, "-", browser, 0),
		visit("192.0.2.1", "POST /contact HTTP/1.1", 200, "-", browser, 0),
		visit("192.0.2.1", `GET /\"] \"GET /forged HTTP/1.1\" 200`, 403, `\"`, browser, 0),
		visit("192.0.2.1", `\x16\x03\x01`, 400, "-", "-", 0),
		"\x1eA a.example not a request at all\n",
		"\x1eA nobody.example 192.0.2.1 - - [x] \"GET / HTTP/1.1\" 200 5 \"-\" \"x\" 5\n",
		// Whoever signs in with a name like that names no page.
		"\x1eA a.example 192.0.2.9 - me [x] \\\"GET /forged HTTP/1.1\\\" 200 [22/Nov/2026:22:04:22 +0000] \"GET /private HTTP/1.1\" 401 7 \"-\" \"" + browser + "\" 12\n",
	}, "")
	if err := Run(t.Context(), strings.NewReader(stream), l); err != nil {
		t.Fatal(err)
	}
	got := counted(t, l, 1)
	want := traffic.Day{
		Hits: 10, Pages: 3, Robots: 2, Bytes: 9007,
		Status: map[int]int64{200: 5, 304: 1, 404: 1, 403: 1, 400: 1, 401: 1},
		Names: traffic.Names{
			Top: map[string]int64{"/": 2, "/contact": 1}, Missing: map[string]int64{"/wp-login.php": 1},
			Referrers: map[string]int64{"www.search.example": 1},
			Slow:      map[string]traffic.Slow{"/": {N: 1, Took: 3000, Worst: 3000}, "/contact": {N: 1, Took: 2000, Worst: 2000}},
		},
	}
	if diff := gocmp.Diff(want, got, cmpopts.IgnoreFields(traffic.Day{}, "Seen")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := got.Seen.Count(); n != 2 {
		t.Errorf("%d visitors", n)
	}
}

func TestNobodyIsNamed(t *testing.T) {
	l := newLayout(t, map[string]int{"a.example": 1})
	if err := os.MkdirAll(l.Memory(), 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 { // two programs, as around a reload, know the same visitors
		if err := Run(t.Context(), strings.NewReader(visit("192.0.2.77", "GET / HTTP/1.1", 200, "-", browser, 0)), l); err != nil {
			t.Fatal(err)
		}
	}
	got := counted(t, l, 1)
	if got.Pages != 2 || got.Seen.Count() != 1 {
		t.Errorf("%d pages, %d visitors", got.Pages, got.Seen.Count())
	}
	files, _ := filepath.Glob(filepath.Join(l.Counts(), "*"))
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil || bytes.Contains(data, []byte("192.0.2")) || bytes.Contains(data, []byte("Mozilla")) {
			t.Errorf("%s: %s, %v", path, data, err)
		}
	}
	salt, err := os.ReadFile(filepath.Join(l.Memory(), "salt"))
	if err != nil || !bytes.HasPrefix(salt, []byte(dayOf(time.Now()))) {
		t.Errorf("salt of %q, %v", salt, err)
	}
	first := newCounter(l)
	one, two := first.salt.hash("2026-11-22", []byte("192.0.2.77"), nil), first.salt.hash("2026-11-23", []byte("192.0.2.77"), nil)
	if one == two {
		t.Error("a visitor is known again on the next day")
	}
}

func TestNamesDoNotTakeAllMemory(t *testing.T) {
	l := newLayout(t, map[string]int{"a.example": 1})
	s := newSplitter(l, limits{})
	for i := range 20_000 {
		s.split([]byte(visit("192.0.2.1", fmt.Sprintf("GET /%d HTTP/1.1", i), 404, "-", browser, 0)))
		s.split([]byte(visit("192.0.2.1", fmt.Sprintf("GET /page/%d/%s HTTP/1.1", i, strings.Repeat("x", 300)), 200, fmt.Sprintf("http://h%d.example/", i), browser, 2*time.Second)))
		s.split([]byte(visit("192.0.2.1", "GET /real HTTP/1.1", 200, "-", browser, 0)))
		clear(s.batch)
	}
	if held := s.counter.held; held > 4*maxDelta {
		t.Errorf("%d names are held", held)
	}
	s.counter.write()
	if s.counter.held != 0 || len(s.counter.sites) != 0 {
		t.Errorf("%d names are held of %d sites", s.counter.held, len(s.counter.sites))
	}
	got := counted(t, l, 1)
	if len(got.Top) > traffic.Kept || got.Top["/real"] != 20_000 || len(got.Missing) > traffic.Kept || len(got.Slow) > traffic.Kept || got.Hits != 60_000 {
		t.Errorf("%d pages, %d of the real one, %d missing, %d slow", len(got.Top), got.Top["/real"], len(got.Missing), len(got.Slow))
	}
}

func TestAKilledSplitterLosesAMinuteAtMost(t *testing.T) {
	l := newLayout(t, map[string]int{"a.example": 1})
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	start := func() (*exec.Cmd, io.WriteCloser) {
		cmd := exec.Command(exe)
		cmd.Env, cmd.Stderr = append(os.Environ(), "SITELOG_TEST_ROOT="+l.Root), os.Stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd, in
	}
	first, in := start()
	if _, err := io.WriteString(in, strings.Repeat(visit("192.0.2.1", "GET / HTTP/1.1", 200, "-", browser, 0), 1000)); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(longestWait + 15*time.Second); counted(t, l, 1).Pages < 1000; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("counted: %+v", counted(t, l, 1))
		}
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait()
	// Half-written, as by one that was killed while it wrote.
	half := filepath.Join(l.Counts(), "20261122000000HALF")
	if err := errors.Join(os.WriteFile(half+unfinished, []byte(`{"site":1,"hits":`), 0o600), os.WriteFile(half+finished, []byte(`{"site":1,"hits":`), 0o600)); err != nil {
		t.Fatal(err)
	}
	second, in := start()
	_, err = io.WriteString(in, visit("192.0.2.1", "GET / HTTP/1.1", 200, "-", browser, 0))
	if err = cmp.Or(err, in.Close(), second.Wait()); err != nil {
		t.Fatal(err)
	}
	if got := counted(t, l, 1); got.Pages != 1001 {
		t.Errorf("%d pages", got.Pages)
	}
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte(strings.TrimPrefix(visit("192.0.2.1", "GET / HTTP/1.1", 200, "-", browser, 0), "\x1eA a.example ")))
	f.Add([]byte(`1 ] "\" 200 `))
	f.Fuzz(func(t *testing.T, line []byte) {
		if r, ok := parseRequest(line); ok && (r.status < 0 || r.status > 999 || r.bytes < 0 || r.took < 0 || len(r.path) > 0 && r.path[0] != '/') {
			t.Errorf("%q: %+v", line, r)
		}
	})
}

func BenchmarkCount(b *testing.B) {
	c := newCounter(newLayout(b, nil))
	var lines [][]byte
	for i := range 1000 {
		line := visit(fmt.Sprintf("192.0.2.%d", i%200), fmt.Sprintf("GET /page/%d HTTP/1.1", i%50), 200, "https://search.example/", browser, time.Millisecond)
		lines = append(lines, []byte(strings.TrimPrefix(line, "\x1eA a.example ")))
	}
	now := time.Now()
	for i := 0; b.Loop(); i++ {
		c.add(uint64(i%100+1), lines[i%1000], now)
	}
}

// BenchmarkWriteCounts is what a minute costs where ten thousand sites are
// visited.
func BenchmarkWriteCounts(b *testing.B) {
	line := []byte(strings.TrimPrefix(visit("192.0.2.1", "GET / HTTP/1.1", 200, "-", browser, 0), "\x1eA a.example "))
	c := newCounter(newLayout(b, nil))
	for b.Loop() {
		for site := range uint64(10_000) {
			for range 3 {
				c.add(site+1, line, time.Now())
			}
		}
		c.write()
	}
}
