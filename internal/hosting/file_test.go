package hosting

import (
	"strings"
	"testing"
)

func TestParseFilePath(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "/": "", "www": "www", "/www/a b/": "www/a b", "www/\xff\n<b>": "www/\xff\n<b>", "..a/b..": "..a/b..",
	} {
		if p, err := ParseFilePath(in); err != nil || string(p) != want {
			t.Errorf("ParseFilePath(%q) = %q, %v; want %q", in, p, err, want)
		}
	}
	for _, in := range []string{"..", "../x", "www/../..", "www/..", "www/./x", ".", "www//x", "a\x00b", strings.Repeat("a", 256), strings.Repeat("a/", 2100) + "b"} {
		if p, err := ParseFilePath(in); err == nil || KindOf(err) != NotFound {
			t.Errorf("ParseFilePath(%.20q) = %q, %v; want not found", in, p, err)
		}
	}
	p := FilePath("www/a/b.txt")
	if p.Base() != "b.txt" || p.Folder() != "www/a" || FilePath("x").Folder() != "" || FilePath("").Join("x") != "x" || FilePath("a").Join("x") != "a/x" {
		t.Error("a path comes apart in the wrong places")
	}
	if !p.Within("www") || !p.Within("") || !p.Within(p) || p.Within("ww") || p.Within("www/a/b") {
		t.Error("Within")
	}
}

func TestFileRef(t *testing.T) {
	for _, p := range []FilePath{"", "www/a b.txt", "~x", "www/\xff\r\n", "www/\u202ex", "www/~x", "é"} {
		ref := p.Ref()
		if back, err := ParseFileRef(ref); err != nil || back != p || strings.ContainsAny(ref, "\r\n") || strings.Contains(ref, "\xff") {
			t.Errorf("%q is referred to as %q, which is %q, %v", p, ref, back, err)
		}
	}
	for _, in := range []string{"~!", "~Li4veA", "../x"} { // the second is ../x
		if p, err := ParseFileRef(in); err == nil {
			t.Errorf("ParseFileRef(%q) = %q", in, p)
		}
	}
}

func TestParseFileName(t *testing.T) {
	for _, in := range []string{"a", "é à.txt", ".htaccess", "..a", " x ", strings.Repeat("a", 255)} {
		if n, err := ParseFileName("name", in); err != nil || string(n) != strings.TrimSpace(in) {
			t.Errorf("ParseFileName(%q) = %q, %v", in, n, err)
		}
	}
	for in, key := range map[string]string{
		"": "files.name_empty", " \t": "files.name_empty", "..": "files.name_invalid", ".": "files.name_invalid",
		"a/b": "files.name_invalid", `a\b`: "files.name_invalid", ".in.x": "files.name_invalid",
		"a\nb": "files.name_control", "a\x00": "files.name_control", "\xff": "files.name_control", "a\u202eb": "files.name_control",
		strings.Repeat("é", 128): "files.name_too_long",
	} {
		_, err := ParseFileName("name", in)
		if m := FieldErrors(err)["name"]; m.Key != key {
			t.Errorf("ParseFileName(%q): %v, want %s", in, err, key)
		}
	}
}
