package phpfpm

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"text/template"

	"cancale/internal/config"
	"cancale/internal/hosting"
	"cancale/internal/sandbox"
)

// What a master sees, whatever the site.
const (
	settingsDir = "/run/php"          // directory(), in the sandbox
	socketName  = "/run/fpm/fpm.sock" // only a name: the socket is inherited
)

// Limits and sizes of every site.
const (
	MaxChildren      = 10  // requests at a time
	memoryMB         = 128 // of one request
	uploadMB         = 64  // one file
	postMB           = 72  // a form with it
	requestSeconds   = 120 // then the worker is ended, whatever it does
	idleSeconds      = 10  // then an idle worker ends; without workers the master is put to sleep
	requestsByWorker = 1000
)

var (
	//go:embed pool.conf.tmpl
	poolText string
	//go:embed php.ini.tmpl
	iniText string

	poolTemplate = template.Must(template.New("pool.conf").Option("missingkey=error").Parse(poolText))
	iniTemplate  = template.Must(template.New("php.ini").Option("missingkey=error").Parse(iniText))
)

// settings is what the templates are given: constants, and names that have
// been parsed again.
type settings struct {
	Home, Socket, Host                string
	Children, Idle, Requests, Seconds int
	MemoryMB, UploadMB, PostMB        int
}

// render makes the files of a site. It trusts nothing that it is given.
func render(l config.Layout, site hosting.Site) (contents, error) {
	if err := check(site); err != nil {
		return contents{}, err
	}
	s := settings{
		Home: config.SiteHome, Socket: socketName, Host: site.Host.String(),
		Children: MaxChildren, Idle: idleSeconds, Requests: requestsByWorker, Seconds: requestSeconds,
		MemoryMB: memoryMB, UploadMB: uploadMB, PostMB: postMB,
	}
	var pool, ini bytes.Buffer
	if err := poolTemplate.Execute(&pool, s); err != nil {
		return contents{}, fmt.Errorf("phpfpm: %s: %w", site.Host, err)
	}
	if err := iniTemplate.Execute(&ini, s); err != nil {
		return contents{}, fmt.Errorf("phpfpm: %s: %w", site.Host, err)
	}
	spec := master(l, site)
	if err := spec.Check(); err != nil {
		return contents{}, fmt.Errorf("phpfpm: %s: %w", site.Host, err)
	}
	text, err := json.MarshalIndent(spec, "", "\t")
	if err != nil {
		return contents{}, fmt.Errorf("phpfpm: %s: %w", site.Host, err)
	}
	return contents{pool: pool.Bytes(), ini: ini.Bytes(), spec: append(text, '\n')}, nil
}

// master is the sandbox of a site's PHP-FPM.
func master(l config.Layout, site hosting.Site) sandbox.Spec {
	version := string(site.PHP)
	return sandbox.Spec{
		Name: site.Host.String(), UID: site.UID, GID: site.UID,
		Home:             l.Home(string(site.HomeToken)),
		MariaDBSocketDir: filepath.Dir(l.MariaDBSocket()),
		Binds:            []sandbox.Bind{{From: directory(l, site.ID), To: settingsDir, ReadOnly: true}},
		Program:          "/usr/sbin/php-fpm" + version,
		// -O: what keeps it from starting reaches whoever started it.
		Args: []string{"-F", "-O", "-y", settingsDir + "/pool.conf", "-c", settingsDir + "/php.ini"},
		Env: []string{
			"PATH=/usr/local/bin:/usr/bin:/bin",
			"HOME=" + config.SiteHome,
			"LANG=C.UTF-8",
			"FPM_SOCKETS=" + socketName + "=3",
			"PHP_INI_SCAN_DIR=/etc/php/" + version + "/fpm/conf.d",
		},
	}
}

func check(site hosting.Site) error {
	if site.ID == 0 || !site.HomeToken.Valid() || !site.SocketToken.Valid() {
		return fmt.Errorf("phpfpm: site %d: no identifier or no tokens", site.ID)
	}
	if site.UID < config.FirstSiteUID || site.UID > config.LastSiteUID {
		return fmt.Errorf("phpfpm: site %d: uid %d is not a site's", site.ID, site.UID)
	}
	if name, err := hosting.ParseHostname(site.Host.String()); err != nil || name != site.Host {
		return fmt.Errorf("phpfpm: site %d: host %q is no host name", site.ID, site.Host)
	}
	if !slices.Contains(hosting.PHPVersions, site.PHP) {
		return hosting.Refuse(hosting.Unavailable, "", "site.failed_php", string(site.PHP))
	}
	return nil
}
