package ftpd

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The notes name tests that there are.
func TestNotes(t *testing.T) {
	notes, err := os.ReadFile("NOTES.md")
	check(t, err)
	files, err := filepath.Glob("*_test.go")
	check(t, err)
	var code strings.Builder
	for _, file := range files {
		b, err := os.ReadFile(file)
		check(t, err)
		code.Write(b)
	}
	named := regexp.MustCompile(`\b(Test|Fuzz)[A-Z]\w+`).FindAllString(string(notes), -1)
	for _, name := range named {
		if !strings.Contains(code.String(), "\nfunc "+name+"(") {
			t.Errorf("there is no %s", name)
		}
	}
	if len(named) < 30 {
		t.Errorf("%d tests are named", len(named))
	}
}
