package apache

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"cancale/internal/config"
	"cancale/internal/hosting"
)

// The names and passwords of a site's protected folders lie outside its home,
// where its own people cannot change them behind the panel's back. Apache reads
// them as www-data, and so would the .htaccess of another site: the directory
// bears the site's secret token, and cannot be listed.
const (
	passwordDirMode  fs.FileMode = 0o710
	passwordFileMode fs.FileMode = 0o640
)

func passwordDir(l config.Layout, home hosting.Token) string {
	return filepath.Join(l.Passwords(), string(home))
}

// passwordFile is the file of one folder, whose name follows from the folder's.
func passwordFile(l config.Layout, home hosting.Token, path hosting.URLPath) string {
	sum := sha256.Sum256([]byte(path))
	return filepath.Join(passwordDir(l, home), hex.EncodeToString(sum[:8]))
}

// realm names a folder to the visitor's browser, which keeps the passwords of
// each apart. A header is of ASCII only.
func realm(path hosting.URLPath) string {
	return "Acces reserve " + strings.Map(func(r rune) rune {
		if r > '~' {
			return '-'
		}
		return r
	}, string(path))
}

// ensurePasswords writes the files of the folders that a site protects. They
// are there before the virtual host that names them.
func (d *Driver) ensurePasswords(site hosting.Site) error {
	list := site.Behaviour.Protected
	if len(list) == 0 || site.Off() {
		return nil
	}
	l := d.h.Layout()
	if _, err := d.h.EnsureDir(passwordDir(l, site.HomeToken), passwordDirMode, 0, config.ApacheUID); err != nil {
		return fmt.Errorf("apache: site %d: %w", site.ID, err)
	}
	for _, folder := range list {
		if _, err := d.h.WriteFile(passwordFile(l, site.HomeToken, folder.Path), renderPasswords(folder), passwordFileMode, 0, config.ApacheUID); err != nil {
			return fmt.Errorf("apache: site %d: %w", site.ID, err)
		}
	}
	return nil
}

// renderPasswords is the file of a folder; without users nobody may enter.
func renderPasswords(folder hosting.ProtectedFolder) []byte {
	var b strings.Builder
	for _, u := range folder.Users {
		fmt.Fprintf(&b, "%s:%s\n", u.Name, u.PasswordHash)
	}
	return []byte(b.String())
}

// sweepPasswords removes the files of folders that are no longer protected,
// once no virtual host names them.
func (d *Driver) sweepPasswords(site hosting.Site) error {
	l := d.h.Layout()
	dir := passwordDir(l, site.HomeToken)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("apache: site %d: %w", site.ID, err)
	}
	wanted := map[string]bool{}
	if !site.Off() {
		for _, folder := range site.Behaviour.Protected {
			wanted[filepath.Base(passwordFile(l, site.HomeToken, folder.Path))] = true
		}
	}
	if len(wanted) == 0 {
		return d.h.RemoveTree(dir)
	}
	for _, e := range entries {
		if !wanted[e.Name()] {
			if err := d.h.RemoveTree(filepath.Join(dir, e.Name())); err != nil {
				return fmt.Errorf("apache: site %d: %w", site.ID, err)
			}
		}
	}
	return nil
}
