package sitelog

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"cancale/internal/config"
)

func newLayout(t testing.TB, hosts map[string]int) config.Layout {
	t.Helper()
	l := config.Layout{Root: t.TempDir()}
	for _, dir := range []string{l.Logs(), l.In("log", "names"), l.In("log", "sites")} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for host, id := range hosts {
		if err := os.Symlink("../sites/"+strconv.Itoa(id), l.SiteLogName(host)); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

// written is the content of all files, by site and name.
func written(t *testing.T, l config.Layout) map[string]string {
	t.Helper()
	got := map[string]string{}
	paths, _ := filepath.Glob(l.In("log", "sites", "*", "*"))
	server, _ := filepath.Glob(l.In("log", "server", "*"))
	for _, path := range append(paths, server...) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got[filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path)] = string(data)
	}
	return got
}

func TestRun(t *testing.T) {
	const token = "00112233445566778899aabbccddeeff"
	for _, c := range []struct {
		name, stream string
		want         map[string]string
	}{
		{
			"each record goes to its site's file",
			"\x1eA a.example 1.2.3.4 GET /\n\x1eE b.example [x] oh\n\x1eA a.example 1.2.3.4 GET /2\n",
			map[string]string{"1/access.log": "1.2.3.4 GET /\n1.2.3.4 GET /2\n", "2/error.log": "[x] oh\n"},
		},
		{
			"unknown names and Apache's own words go to the server's",
			"\x1eA cancale.invalid GET /\n\x1eE ../../etc x\n\x1eE .. y\nAH00558: raw words\n",
			map[string]string{"server/access.log": "GET /\n", "server/error.log": "x\ny\nAH00558: raw words\n"},
		},
		{
			"tokens do not show",
			"\x1eE a.example File does not exist: ROOT/t/" + token + "/www/x, and ROOT//t//" + token + "/y proxy:unix:ROOT/f/" + token + "/fpm.sock|fcgi\n",
			map[string]string{"1/error.log": "File does not exist: /srv/site/www/x, and /srv/site/y proxy:unix:/run/fpm/fpm.sock|fcgi\n"},
		},
		{
			"control characters, lone bytes and direction marks are escaped",
			"\x1eA a.example \x1b[31m é \xff \u202e \x7f \\x1b\t\n",
			map[string]string{"1/access.log": `\x1b[31m é \xff \xe2\x80\xae \x7f \x1b\x09` + "\n"},
		},
		{
			"records that two processes mixed stay apart",
			"\x1eA a.example GET /lo\x1eA b.example GET /\nng\n\x1eA a.example ok\n",
			map[string]string{"1/access.log": "GET /lo\nok\n", "2/access.log": "GET /\n", "server/error.log": "ng\n"},
		},
		{
			"nobody begins a record of his own",
			"\x1eA a.example GET /\\x1eA b.example forged\nA b.example forged\n",
			map[string]string{"1/access.log": "GET /\\x1eA b.example forged\n", "server/error.log": "A b.example forged\n"},
		},
		{
			"a record without its end is kept at the end",
			"\x1eA a.example GET",
			map[string]string{"1/access.log": "GET\n"},
		},
		{
			"an endless record is cut",
			"\x1eA a.example " + strings.Repeat("x", 3*maxRecord) + "\n\x1eA b.example ok\n",
			map[string]string{"1/access.log": strings.Repeat("x", maxRecord) + "\n", "2/access.log": "ok\n"},
		},
	} {
		for name, reader := range map[string]func(io.Reader) io.Reader{"at once": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader} {
			t.Run(c.name+", "+name, func(t *testing.T) {
				l := newLayout(t, map[string]int{"a.example": 1, "b.example": 2})
				if err := Run(t.Context(), reader(strings.NewReader(strings.ReplaceAll(c.stream, "ROOT", l.Root))), l); err != nil {
					t.Fatal(err)
				}
				got := written(t, l)
				if strings.HasPrefix(c.name, "an endless") { // where it is cut depends on how it came
					if n := len(got["1/access.log"]); n < maxRecord-100 || n > 2*maxRecord+2 || got["2/access.log"] != "ok\n" {
						t.Errorf("%d bytes", n)
					}
					return
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestOnlyRootAndThePanelReadTheFiles(t *testing.T) {
	l := newLayout(t, map[string]int{"a.example": 1})
	if err := Run(t.Context(), strings.NewReader("\x1eA a.example x\n"), l); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{l.SiteLogs(1): os.ModeDir | 0o750, filepath.Join(l.SiteLogs(1), "access.log"): 0o640} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want || info.Sys().(*syscall.Stat_t).Gid != config.PanelUID {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

func TestFilesAreBegunAnew(t *testing.T) {
	l := newLayout(t, map[string]int{"a.example": 1})
	// Two programs write the same files, as during a reload of Apache.
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			s := newSplitter(l, limits{size: 1000, kept: 9})
			for i := range 200 {
				s.split(fmt.Appendf(nil, "\x1eA a.example line %d\n", i))
				if err := s.write(); err != nil {
					t.Error(err)
				}
			}
			s.files.close()
		})
	}
	wait.Wait()
	got := written(t, l)
	lines := 0
	for name, text := range got {
		// A program that has the file open while the other begins a new one still
		// fills it up, and loses nothing.
		lines += strings.Count(text, "\n")
		if len(text) > 2100 || len(text) == 0 || !strings.HasSuffix(text, "\n") {
			t.Errorf("%s: %d bytes", name, len(text))
		}
	}
	if lines != 400 || len(got) < 2 {
		t.Errorf("%d lines in %d files", lines, len(got))
	}
}

func TestOldFilesGo(t *testing.T) {
	l := newLayout(t, map[string]int{"a.example": 1})
	s := newSplitter(l, limits{size: 100, kept: 2})
	for i := range 100 {
		s.split(fmt.Appendf(nil, "\x1eA a.example line %d\n", i))
		if err := s.write(); err != nil {
			t.Fatal(err)
		}
	}
	got := written(t, l)
	if len(got) != 3 || !strings.HasSuffix(got["1/access.log"], "line 99\n") {
		t.Errorf("%v", got)
	}
}

func TestEachDayHasItsFiles(t *testing.T) {
	l := newLayout(t, map[string]int{"a.example": 1})
	write := func(line string) {
		t.Helper()
		if err := Run(t.Context(), strings.NewReader("\x1eA a.example "+line+"\n"), l); err != nil {
			t.Fatal(err)
		}
	}
	write("of yesterday")
	current := filepath.Join(l.SiteLogs(1), "access.log")
	yesterday := time.Now().AddDate(0, 0, -1)
	if err := os.Chtimes(current, yesterday, yesterday); err != nil {
		t.Fatal(err)
	}
	write("of today")
	want := map[string]string{"1/access-" + dayOf(yesterday) + ".1.log": "of yesterday\n", "1/access.log": "of today\n"}
	if diff := cmp.Diff(want, written(t, l)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSitesThatGoAndComeBack(t *testing.T) {
	l := newLayout(t, map[string]int{"a.example": 1})
	s := newSplitter(l, limits{look: time.Nanosecond})
	say := func(text string) {
		t.Helper()
		clear(s.names.known)
		s.split([]byte("\x1eA a.example " + text + "\n"))
		if err := s.write(); err != nil {
			t.Fatal(err)
		}
	}
	say("one")
	if err := os.RemoveAll(l.SiteLogs(1)); err != nil {
		t.Fatal(err)
	}
	say("two")
	if err := os.Remove(l.SiteLogName("a.example")); err != nil {
		t.Fatal(err)
	}
	say("three")
	if err := os.Symlink("../sites/2", l.SiteLogName("a.example")); err != nil {
		t.Fatal(err)
	}
	say("four")
	want := map[string]string{"1/access.log": "two\n", "server/access.log": "three\n", "2/access.log": "four\n"}
	if diff := cmp.Diff(want, written(t, l)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTenThousandSites(t *testing.T) {
	const sites = 10_000
	hosts := map[string]int{}
	for i := range sites {
		hosts[fmt.Sprintf("s%d.example", i+1)] = i + 1
	}
	l := newLayout(t, hosts)
	var stream bytes.Buffer
	for round := range 3 {
		for i := range sites {
			fmt.Fprintf(&stream, "\x1eA s%d.example 192.0.2.1 - - [22/Nov/2026:22:04:22 +0000] \"GET /%d HTTP/1.1\" 200 2795 \"-\" \"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0\"\n", i+1, round)
		}
	}
	start := time.Now()
	if err := Run(t.Context(), &stream, l); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d lines in %v", 3*sites, time.Since(start))
	for _, id := range []uint64{1, 4711, sites} {
		data, err := os.ReadFile(filepath.Join(l.SiteLogs(id), "access.log"))
		if err != nil || bytes.Count(data, []byte("\n")) != 3 {
			t.Errorf("site %d: %q, %v", id, data, err)
		}
	}
}

func TestASlowDiskDoesNotStopApache(t *testing.T) {
	l := newLayout(t, nil)
	if err := os.Mkdir(l.In("log", "server"), 0o750); err != nil {
		t.Fatal(err)
	}
	s := newSplitter(l, limits{})
	pr, pw := io.Pipe()
	full := make(chan []byte, 1) // nobody takes anything out
	done := make(chan error, 1)
	go func() { done <- s.read(pr, full) }()
	start := time.Now()
	for range 5 {
		if _, err := pw.Write(bytes.Repeat([]byte("x"), 1000)); err != nil {
			t.Fatal(err)
		}
	}
	_ = pw.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 2*patience {
		t.Errorf("Apache waited %v", took)
	}
	if s.dropped.Load() != 4000 {
		t.Errorf("%d bytes left out", s.dropped.Load())
	}
}

func FuzzSplit(f *testing.F) {
	f.Add([]byte("\x1eA a.example x\n"), 3)
	f.Add([]byte("\x1eA \x1eE\n\n\x1e"), 1)
	f.Fuzz(func(t *testing.T, stream []byte, size int) {
		l := newLayout(t, map[string]int{"a.example": 1})
		s := newSplitter(l, limits{})
		size = max(1, size%100)
		for len(stream) > 0 {
			n := min(size, len(stream))
			s.split(stream[:n])
			stream = stream[n:]
		}
		s.record(s.rest)
		for to, data := range s.batch {
			for line := range bytes.Lines(data) {
				if line[len(line)-1] != '\n' || bytes.ContainsFunc(line[:len(line)-1], func(r rune) bool { return r < ' ' || r == 0x7f }) {
					t.Errorf("%v: %q", to, line)
				}
			}
		}
	})
}

func BenchmarkSplit(b *testing.B) {
	l := newLayout(b, map[string]int{"a.example": 1, "b.example": 2})
	var stream bytes.Buffer
	for i := range 1000 {
		fmt.Fprintf(&stream, "\x1eA %c.example 192.0.2.1 - - [22/Nov/2026:22:04:22 +0000] \"GET /%d HTTP/1.1\" 200 2795 \"-\" \"Mozilla/5.0 (X11; Linux x86_64)\"\n", 'a'+i%2, i)
	}
	b.SetBytes(int64(stream.Len()))
	b.ReportMetric(0, "ns/op")
	defer func() { b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "lines/s") }()
	for b.Loop() {
		if err := Run(b.Context(), bytes.NewReader(stream.Bytes()), l); err != nil {
			b.Fatal(err)
		}
	}
}
