package testenv

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// dokuwikiPackages are DokuWiki as Debian ships it and the libraries that
// Debian keeps apart.
var dokuwikiPackages = []string{"dokuwiki", "libphp-simplepie", "php-geshi", "php-phpseclib", "php-random-compat", "php-constant-time", "libjs-jquery", "libjs-jquery-cookie", "libjs-jquery-ui"}

// DokuWiki is a folder with the real DokuWiki, in one piece as its authors ship
// it, for a site's document root.
func DokuWiki(tb testing.TB) string {
	tb.Helper()
	return application(tb, "dokuwiki", dokuwikiPackages, func(root, tree string) error {
		share := filepath.Join(root, "usr", "share")
		state := filepath.Join(root, "var", "lib", "dokuwiki")
		for from, to := range map[string]string{
			filepath.Join(share, "dokuwiki"):       "",
			filepath.Join(root, "etc", "dokuwiki"): "conf",
			filepath.Join(state, "data"):           "data",
			filepath.Join(state, "lib"):            "lib",
			filepath.Join(share, "php"):            "vendor/share/php",
			filepath.Join(share, "php-geshi"):      "vendor/share/php-geshi",
			filepath.Join(share, "javascript"):     "vendor/share/javascript",
		} {
			if err := plainCopy(from, filepath.Join(tree, to)); err != nil {
				return err
			}
		}
		// Debian's way to several wikis on one machine; the upstream installer
		// writes what it wants to write itself.
		for _, name := range []string{"inc/preload.php", "conf/plugins.local.php"} {
			if err := os.Remove(filepath.Join(tree, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return filepath.WalkDir(tree, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".php") {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			one := bytes.ReplaceAll(text, []byte("'/usr/share/"), []byte("'/srv/site/www/vendor/share/"))
			one = bytes.ReplaceAll(one, []byte("'/var/lib/dokuwiki/data'"), []byte("'./data'"))
			if bytes.Equal(one, text) {
				return nil
			}
			return os.WriteFile(path, one, 0o644)
		})
	})
}
