package sitelog

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// putLog writes a file of a site as it was last written to at a time.
func putLog(t *testing.T, dir, name, text string, at time.Time) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := errors.Join(os.MkdirAll(dir, 0o750), os.WriteFile(path, []byte(text), 0o640), os.Chtimes(path, at, at)); err != nil {
		t.Fatal(err)
	}
}

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

func lines(n int, word string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s %d\n", word, i+1)
	}
	return b.String()
}

// whole reads a log to its beginning, in pieces of so many lines.
func whole(t *testing.T, dir string, q Query) []string {
	t.Helper()
	var all []string
	for range 10_000 {
		found, err := Read(dir, Access, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range found.Lines {
			all = append(all, string(line))
		}
		if found.Next == (Place{}) {
			return all
		}
		if q.Before = ParsePlace(found.Next.String()); q.Before == (Place{}) && found.Next.String() != "" {
			t.Fatalf("%q is no place", found.Next)
		}
	}
	t.Fatal("reading does not end")
	return nil
}

func TestReadFromTheEnd(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "1")
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.Local)
	putLog(t, dir, "access-2026-11-21.1.short.log.gz", gzipped(lines(500, "old")), now.AddDate(0, 0, -2))
	putLog(t, dir, "access-2026-11-22.1.log.gz", gzipped(lines(300, "first")), now.AddDate(0, 0, -1))
	putLog(t, dir, "access-2026-11-22.2.log", lines(400, "second"), now.AddDate(0, 0, -1))
	putLog(t, dir, "access.log", lines(250, "now"), now)
	putLog(t, dir, "error.log", "no\n", now)
	putLog(t, dir, "access-2026-11-22.3.log.new", "no\n", now)
	putLog(t, dir, "access-2026-13-45.1.log", "no\n", now)
	for _, most := range []int{1, 7, 100, 5000} {
		all := whole(t, dir, Query{Most: most})
		if len(all) != 1450 || all[0] != "now 250" || all[249] != "now 1" || all[250] != "second 400" || all[650] != "first 300" || all[1449] != "old 1" {
			t.Fatalf("%d lines at a time: %d, %.3q", most, len(all), all)
		}
	}
	if all := whole(t, dir, Query{Most: 100, Day: "2026-11-22"}); len(all) != 700 || all[0] != "second 400" || all[699] != "first 1" {
		t.Errorf("of a day: %d", len(all))
	}
	five := func(line []byte) bool { return bytes.HasSuffix(line, []byte("5")) }
	if all := whole(t, dir, Query{Most: 3, Match: five}); len(all) != 145 || all[0] != "now 245" || all[144] != "old 5" {
		t.Errorf("searched: %d, %.3q", len(all), all)
	}
	days, err := Days(dir, Access)
	if err != nil || strings.Join(days, " ") != "2026-11-23 2026-11-22 2026-11-21" {
		t.Errorf("%v, %v", days, err)
	}

	var out bytes.Buffer
	begun := 0
	if err := Download(&out, dir, Access, "2026-11-22", func() { begun++ }); err != nil || begun != 1 {
		t.Fatal(err, begun)
	}
	r, err := gzip.NewReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(r); err != nil || string(text) != lines(300, "first")+lines(400, "second") {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	if err := Download(io.Discard, dir, Access, "2020-01-01", func() { t.Error("a day without a log begins") }); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestPlacesThatAreNone(t *testing.T) {
	for _, text := range []string{"", "now", "now:-1", "now:x", "../../etc:1", "2026-11-22:5", "2026-11-22.0:5", "2026-11-22.1/../x:5", "2026-1-2.1:5", "now:99999999999999999999"} {
		if p := ParsePlace(text); p != (Place{}) {
			t.Errorf("%q: %v", text, p)
		}
	}
	dir := t.TempDir()
	putLog(t, dir, "access.log", "one\n", time.Now())
	if found, err := Read(dir, Access, Query{Most: 5, Before: ParsePlace("now:99999")}); err != nil || len(found.Lines) != 1 {
		t.Errorf("%v %v", found, err)
	}
}

func TestLinesThatAreTooLong(t *testing.T) {
	dir := t.TempDir()
	putLog(t, dir, "access.log", "before\n"+strings.Repeat("y", 1<<20)+"\nafter\n"+strings.Repeat("z", 1<<20), time.Now())
	all := whole(t, dir, Query{Most: 2})
	if len(all) != 4 || all[3] != "before" || all[1] != "after" || len(all[0]) != maxShown || len(all[2]) != maxShown {
		t.Errorf("%d lines: %.20q", len(all), all)
	}
	packed := gzipped("before\n" + strings.Repeat("y", 1<<20) + "\nafter\n")
	putLog(t, dir, "access-2026-11-22.1.log.gz", packed, time.Now())
	if all := whole(t, dir, Query{Most: 2, Day: "2026-11-22"}); len(all) != 3 || len(all[1]) != maxShown || all[2] != "before" {
		t.Errorf("%d lines: %.20q", len(all), all)
	}
}

func TestAGigabyteIsReadSoon(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "access.log")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const size = 1 << 30
	if _, err := f.WriteAt([]byte("\n"+lines(1000, "end")), size); err != nil { // the rest is a hole: one line of NULs
		t.Fatal(err)
	}
	began := time.Now()
	found, err := Read(dir, Access, Query{Most: 200})
	if err != nil || len(found.Lines) != 200 || string(found.Lines[0]) != "end 1000" {
		t.Errorf("%d lines, %v", len(found.Lines), err)
	}
	last := time.Since(began)
	found, err = Read(dir, Access, Query{Most: 200, Match: func(line []byte) bool { return bytes.Contains(line, []byte("nowhere")) }})
	if err != nil || found.InTime || found.Next == (Place{}) {
		t.Errorf("a search: %+v, %v", found, err)
	}
	t.Logf("the last 200 lines in %v, a search of %v", last, time.Since(began)-last)
	if took := time.Since(began); took > 10*searchFor {
		t.Errorf("it took %v", took)
	}
}

func TestNoLinkAndNoPipeIsRead(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := errors.Join(os.WriteFile(secret, []byte("secret\n"), 0o600), os.Symlink(secret, filepath.Join(dir, "access.log")), unix.Mkfifo(filepath.Join(dir, "error.log"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []Kind{Access, Errors} {
		if found, err := Read(dir, kind, Query{Most: 5}); err == nil || len(found.Lines) > 0 {
			t.Errorf("%s: %q, %v", kind, found.Lines, err)
		}
	}
}

func TestKeep(t *testing.T) {
	l := newLayout(t, nil)
	dir, asleep := l.SiteLogs(1), l.SiteLogs(2)
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.Local)
	day := func(n int) time.Time { return now.AddDate(0, 0, -n) }
	const access, failure = `%s - - [x] "GET / HTTP/1.1" 200 5 "-" "x" 12` + "\n", "[x] [core:error] [pid 5] x: [client %s] AH00128: no\n"
	putLog(t, dir, "access.log", fmt.Sprintf(access, "192.0.2.77"), now)
	putLog(t, dir, "access-2026-11-23.1.log", fmt.Sprintf(access, "192.0.2.77"), now.Add(-time.Second)) // somebody may be writing
	putLog(t, dir, "access-2026-11-22.1.log", fmt.Sprintf(access, "192.0.2.77"), day(1))
	putLog(t, dir, "access-2026-11-13.1.log.gz", gzipped(fmt.Sprintf(access, "192.0.2.77")+fmt.Sprintf(access, "2001:db8:1:2::3")), day(10))
	putLog(t, dir, "error-2026-11-13.1.log", fmt.Sprintf(failure, "192.0.2.77:4711")+fmt.Sprintf(failure, "[2001:db8:1:2::3]:4711")+"[x] no visitor\n", day(10))
	putLog(t, dir, "access-2026-10-23.1.short.log.gz", "x", day(31))
	putLog(t, dir, "access-2026-11-01.1.log.gz.new", "half", day(22))
	putLog(t, asleep, "access.log", fmt.Sprintf(access, "192.0.2.77"), day(12))
	putLog(t, asleep, "error.log", "x\n", day(40))
	for range 3 { // what was put aside is compressed by the next
		if err := Keep(t.Context(), l, now, Retention{Days: 30, Addresses: 7}); err != nil {
			t.Fatal(err)
		}
	}
	read := func(path string, parts ...string) string {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(append([]string{path}, parts...)...))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(parts[len(parts)-1], ".gz") {
			r, err := gzip.NewReader(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			if data, err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		}
		return string(data)
	}
	for name, want := range map[string]string{
		"1/access.log":                       fmt.Sprintf(access, "192.0.2.77"),
		"1/access-2026-11-23.1.log":          fmt.Sprintf(access, "192.0.2.77"),
		"1/access-2026-11-22.1.log.gz":       fmt.Sprintf(access, "192.0.2.77"),
		"1/access-2026-11-13.1.short.log.gz": fmt.Sprintf(access, "192.0.2.0") + fmt.Sprintf(access, "2001:db8:1::"),
		"1/error-2026-11-13.1.short.log.gz":  fmt.Sprintf(failure, "192.0.2.0") + fmt.Sprintf(failure, "2001:db8:1::") + "[x] no visitor\n",
		"2/access-2026-11-11.1.short.log.gz": fmt.Sprintf(access, "192.0.2.0"),
	} {
		if got := read(l.In("log", "sites"), name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := written(t, l); len(got) != 6 {
		t.Errorf("%d files are left", len(got))
	}
}
