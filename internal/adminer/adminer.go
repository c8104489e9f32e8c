// Package adminer runs Adminer, of Debian's package of that name, for people who
// look into a database by way of the panel.
//
// One PHP-FPM serves all of it, started by the first request, under a uid of its
// own, in a sandbox without a network that sees Adminer, MariaDB's socket and no
// home. It knows no password: whoever asks brings, with each request, the
// database and the user that it is about, and enter.php keeps Adminer to them.
// The socket is the panel's alone. What may be asked is the panel's to decide.
package adminer

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"path/filepath"

	"cancale/internal/config"
	"cancale/internal/host"
	"cancale/internal/hosting"
	"cancale/internal/sandbox"
)

// Program is Adminer, as Debian's package has it.
const Program = "/usr/share/adminer/adminer.php"

// Script is what FPM is asked for.
const Script = settingsDir + "/enter.php"

// What the master sees, and what it may.
const (
	settingsDir = "/run/php"
	name        = "adminer"
	memory      = 512 << 20
	tasks       = 64
)

// MaxBody is the longest form, in bytes, with the file that it sends: a little
// more than php.ini's upload_max_filesize. Longer ones are imported.
const MaxBody = 33 << 20

//go:embed enter.php
var enter []byte

//go:embed pool.conf
var pool []byte

//go:embed php.ini
var ini []byte

// Ensure makes Adminer answer at its socket. It may be called at any time, by one
// at a time.
func Ensure(ctx context.Context, h *host.Host) error {
	l := h.Layout()
	spec := master(l)
	if err := spec.Check(); err != nil {
		return fmt.Errorf("adminer: %w", err)
	}
	text, err := json.MarshalIndent(spec, "", "\t")
	if err != nil {
		return fmt.Errorf("adminer: %w", err)
	}
	const uid = config.AdminerUID
	for _, d := range []struct {
		path     string
		mode     fs.FileMode
		uid, gid int
	}{
		{l.Adminer(), 0o711, 0, 0},
		{settings(l), 0o750, 0, uid},
		{home(l), 0o711, 0, 0},
		{filepath.Join(home(l), "sessions"), 0o700, uid, uid},
		{filepath.Dir(l.AdminerSocket()), 0o710, 0, config.PanelUID},
	} {
		if _, err := h.EnsureDir(d.path, d.mode, d.uid, d.gid); err != nil {
			return fmt.Errorf("adminer: %w", err)
		}
	}
	if err := h.Sweep(settings(l)); err != nil {
		return fmt.Errorf("adminer: %w", err)
	}
	sum := sha256.New()
	for _, f := range []struct {
		path string
		data []byte
		mode fs.FileMode
		gid  int
	}{
		{filepath.Join(settings(l), "enter.php"), enter, 0o640, uid},
		{filepath.Join(settings(l), "pool.conf"), pool, 0o640, uid},
		{filepath.Join(settings(l), "php.ini"), ini, 0o640, uid},
		{SpecFile(l), append(text, '\n'), 0o600, 0},
	} {
		sum.Write(f.data)
		if _, err := h.WriteDerived(f.path, f.data, f.mode, 0, f.gid); err != nil {
			return fmt.Errorf("adminer: %w", err)
		}
	}
	err = h.EnsureActivated(ctx, host.Activation{
		Name: name, SocketDir: filepath.Dir(l.AdminerSocket()), Socket: l.AdminerSocket(), Group: config.PanelUID,
		Spec: SpecFile(l), Hash: hex.EncodeToString(sum.Sum(nil)),
	})
	if err != nil {
		return fmt.Errorf("adminer: %w", err)
	}
	return nil
}

func settings(l config.Layout) string { return filepath.Join(l.Adminer(), "php") }
func home(l config.Layout) string     { return filepath.Join(l.Adminer(), "home") }

// SpecFile is where the sandbox of Adminer's PHP is described, beside those of
// sites.
func SpecFile(l config.Layout) string { return filepath.Join(l.Sandbox(), name+".json") }

// master is the sandbox of the PHP-FPM.
func master(l config.Layout) sandbox.Spec {
	const version = string(hosting.DefaultPHPVersion)
	return sandbox.Spec{
		Name: name, UID: config.AdminerUID, GID: config.AdminerUID, Home: home(l), Offline: true,
		MariaDBSocketDir: filepath.Dir(l.MariaDBSocket()),
		Binds:            []sandbox.Bind{{From: settings(l), To: settingsDir, ReadOnly: true}},
		Program:          "/usr/sbin/php-fpm" + version,
		Args:             []string{"-F", "-O", "-y", settingsDir + "/pool.conf", "-c", settingsDir + "/php.ini"},
		Env: []string{
			"PATH=/usr/bin:/bin", "HOME=" + config.SiteHome, "LANG=C.UTF-8", "FPM_SOCKETS=/run/fpm/fpm.sock=3",
			"PHP_INI_SCAN_DIR=/etc/php/" + version + "/fpm/conf.d",
		},
		Limits: sandbox.Limits{Memory: memory, Tasks: tasks},
	}
}
