package ftpd

import (
	"bytes"
	"path"
	"strings"
	"testing"
	"time"

	"cancale/internal/jail"
)

func FuzzLines(f *testing.F) {
	for _, seed := range []string{"USER x\r\n", "\xff\xf4\xff\xf2ABOR\r\n", "\xff\xfb\x01NOOP\r\n", "a\x00b\n", "\r\r\n\n", "\xff\xff\n", strings.Repeat("x", maxLine+2) + "\nNOOP\r\n", "\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		var l lineScanner
		lines := 0
		for _, b := range input {
			line, err, done := l.push(b)
			if cap(l.line) > 2*maxLine {
				t.Fatalf("a line of %d bytes is held", cap(l.line))
			}
			if !done {
				continue
			}
			lines++
			if err == nil && (hasControl(line) || len(line) > maxLine) {
				t.Errorf("accepted %q", line)
			}
		}
		if lines > bytes.Count(input, []byte("\n")) {
			t.Errorf("%d lines of %q", lines, input)
		}
		// Whatever came, the next line is understood, once a Telnet command is over.
		for _, b := range []byte("..\n") {
			_, _, _ = l.push(b)
		}
		var got []byte
		for _, b := range []byte("NOOP\r\n") {
			if line, err, done := l.push(b); done {
				if err != nil {
					t.Error(err)
				}
				got = bytes.Clone(line)
			}
		}
		if string(got) != "NOOP" {
			t.Errorf("after %q: %q", input, got)
		}
	})
}

func FuzzListOptions(f *testing.F) {
	for _, seed := range []string{"", "-a", "-al www", "-- -a", "-", "-a.txt", "-la  a b ", "--", "-a -l -t x", "-é"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		_, p := parseList(arg)
		if !strings.HasSuffix(arg, p) {
			t.Errorf("%q: path %q", arg, p)
		}
		if !strings.HasPrefix(strings.TrimLeft(arg, " "), "-") && p != strings.TrimLeft(arg, " ") {
			t.Errorf("%q: something was taken from %q", arg, p)
		}
		parseFacts(arg)
		_, _ = path.Match(arg, "name")
	})
}

func FuzzPaths(f *testing.F) {
	for _, seed := range []string{"", "/", "..", "../../etc/passwd", "/../x", "a/./b//c/", "a\x00b", "\xff", `"`, "-a", strings.Repeat("../", 2000)} {
		f.Add("/www", seed)
	}
	f.Fuzz(func(t *testing.T, cwd, arg string) {
		p := clean(path.Clean("/"+cwd), arg)
		if !strings.HasPrefix(p, "/") || p != path.Clean(p) || strings.Contains(p+"/", "/../") {
			t.Errorf("%q %q: %q", cwd, arg, p)
		}
		if again := clean("/elsewhere", p); again != p {
			t.Errorf("%q became %q", p, again)
		}
	})
}

func FuzzNamesInListings(f *testing.F) {
	for _, seed := range []string{"a", "a\r\n226 done", "\x00", "é", "\xff\r", " "} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		e := jail.Entry{FileInfo: folder{name, time.Unix(0, 0)}, Link: name}
		for _, line := range [][]byte{listLine(nil, e, time.Unix(0, 0)), append(factsLine(nil, e, allFacts, may{}), "\r\n"...)} {
			if !bytes.HasSuffix(line, []byte("\r\n")) || hasControl(line[:len(line)-2]) {
				t.Errorf("%q forges %q", name, line)
			}
		}
		reply := replyText(213, []string{"a", string(factsLine(nil, e, allFacts, may{})), "End."})
		if bytes.Count(reply, []byte("\r\n213 ")) != 1 {
			t.Errorf("%q forges a reply %q", name, reply)
		}
	})
}
