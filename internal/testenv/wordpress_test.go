package testenv

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWordPressIsCompleteAndUnconfigured(t *testing.T) {
	tree := WordPress(t)
	for _, name := range []string{"index.php", "wp-admin/install.php", "wp-includes/ID3/getid3.php", "wp-includes/js/underscore.min.js", "wp-content/themes/twentytwentythree/style.css"} {
		if _, err := os.Stat(filepath.Join(tree, name)); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(tree, "wp-config.php")); err == nil {
		t.Error("it is configured already")
	}
}
