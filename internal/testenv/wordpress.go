package testenv

import (
	"os"
	"path/filepath"
	"testing"
)

// wordpressPackages are WordPress as Debian ships it, its French texts, one
// theme, and the libraries that Debian keeps apart and links to.
var wordpressPackages = []string{"wordpress", "wordpress-l10n", "wordpress-theme-twentytwentythree", "php-getid3", "libjs-cropper", "libjs-underscore"}

// WordPress is a folder with the real WordPress.
func WordPress(tb testing.TB) string {
	tb.Helper()
	return application(tb, "wordpress", wordpressPackages, func(root, tree string) error {
		if err := plainCopy(filepath.Join(root, "usr", "share", "wordpress"), tree); err != nil {
			return err
		}
		// Debian's own configuration looks in /etc; the upstream installer is to ask.
		return os.Remove(filepath.Join(tree, "wp-config.php"))
	})
}
