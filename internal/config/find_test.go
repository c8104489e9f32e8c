package config

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestFind(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good", "# where\n\nDATA=/var/lib/cancale\nOTHER = x\n")
	for _, c := range []struct{ name, data, file, want string }{
		{"a directory that is named wins over the file", "/a/b/", good, "/a/b"},
		{"the file is asked when none is named", "", good, "/var/lib/cancale"},
		{"a value may stand in quotes", "", write("quoted", `DATA="/srv/c d"`), "/srv/c d"},
		{"a file without DATA is refused", "", write("empty", "# nothing\n"), ""},
		{"a line that is no setting is refused", "", write("bad", "DATA\n"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := Find(c.data, c.file)
			if l.Root != c.want || (err != nil) != (c.want == "") {
				t.Errorf("Find(%q) = %q, %v; want %q", c.data, l.Root, err, c.want)
			}
		})
	}
	t.Run("without a file there is no installation", func(t *testing.T) {
		if _, err := Find("", filepath.Join(dir, "none")); !errors.Is(err, ErrNowhere) {
			t.Errorf("Find = %v, want ErrNowhere", err)
		}
	})
}
