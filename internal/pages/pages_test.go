package pages

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

func all(host, panel string) map[string][]byte {
	return map[string][]byte{
		"default": Default(host, panel), "suspended": Suspended(host, panel), "unauthorized": Unauthorized(host), "maintenance": Maintenance(host), "unknown": Unknown(host, panel),
		"not-found": NotFound(host), "forbidden": Forbidden(host), "failed": Failed(host),
	}
}

func TestPages(t *testing.T) {
	for name, got := range all("souffle-en-baie.example", "https://panneau.example/") {
		golden := filepath.Join("testdata", name+".html")
		if *update {
			if err := os.WriteFile(golden, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A page stands in for a site that may be down, and its visitors have agreed
// to nothing: it loads nothing, from us or from anybody.
func TestPagesAskForNothingElse(t *testing.T) {
	loads := regexp.MustCompile(`(?i)\ssrc=|@import|url\(|<script|<link[^>]+href='(?:[^d]|d[^a])`)
	for name, got := range all("a.example", "") {
		if found := loads.Find(got); found != nil {
			t.Errorf("%s: %s", name, found)
		}
	}
}

func TestPagesEscapeWhatTheyAreGiven(t *testing.T) {
	for name, got := range all("<script>a</script>'\"", "javascript:alert(1)") {
		if bytes.Contains(got, []byte("<script")) || bytes.Contains(got, []byte("href='javascript:")) {
			t.Errorf("%s:\n%s", name, got)
		}
	}
}
