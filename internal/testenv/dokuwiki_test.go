package testenv

import (
	"os"
	"path/filepath"
	"testing"
)

func TestDokuWikiIsCompleteAndUnconfigured(t *testing.T) {
	tree := DokuWiki(t)
	for _, name := range []string{"doku.php", "install.php", "conf/dokuwiki.php", "data/pages", "lib/tpl/dokuwiki/main.php", "lib/plugins/authplain/auth.php", "vendor/share/php-geshi/geshi.php", "vendor/share/javascript/jquery/jquery.min.js"} {
		if _, err := os.Stat(filepath.Join(tree, name)); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(tree, "conf", "local.php")); err == nil {
		t.Error("it is configured already")
	}
}
