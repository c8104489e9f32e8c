package phpfpm

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
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
	MaxChildren      = 10 // requests at a time
	formMB           = 8  // of a form, beside the file that it sends
	waitSeconds      = 60 // beside the time of computing; then the worker is ended, whatever it does
	idleSeconds      = 10 // then an idle worker ends; without workers the master is put to sleep
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
	Home, Socket, Host         string
	Children, Idle, Requests   int
	MemoryMB, UploadMB, PostMB int
	Seconds, EndSeconds        int
	ShowErrors                 bool
	TimeZone                   hosting.TimeZone
}

// render makes the files of a site. It trusts nothing that it is given.
func render(l config.Layout, web netip.Addr, site hosting.Site) (contents, error) {
	if err := check(site); err != nil {
		return contents{}, err
	}
	php := site.Behaviour.PHP.Or(hosting.DefaultPHP)
	s := settings{
		Home: config.SiteHome, Socket: socketName, Host: site.Host.String(),
		Children: MaxChildren, Idle: idleSeconds, Requests: requestsByWorker,
		MemoryMB: php.MemoryMB, UploadMB: php.UploadMB, PostMB: php.UploadMB + formMB,
		Seconds: php.Seconds, EndSeconds: php.Seconds + waitSeconds,
		ShowErrors: php.ShowErrors, TimeZone: php.TimeZone,
	}
	var pool, ini bytes.Buffer
	if err := poolTemplate.Execute(&pool, s); err != nil {
		return contents{}, fmt.Errorf("phpfpm: %s: %w", site.Host, err)
	}
	if err := iniTemplate.Execute(&ini, s); err != nil {
		return contents{}, fmt.Errorf("phpfpm: %s: %w", site.Host, err)
	}
	spec := master(l, web, site)
	if err := spec.Check(); err != nil {
		return contents{}, fmt.Errorf("phpfpm: %s: %w", site.Host, err)
	}
	text, err := json.MarshalIndent(spec, "", "\t")
	if err != nil {
		return contents{}, fmt.Errorf("phpfpm: %s: %w", site.Host, err)
	}
	return contents{pool: pool.Bytes(), ini: ini.Bytes(), spec: append(text, '\n')}, nil
}

// names are those under which the site asks itself.
func names(site hosting.Site) []string {
	all := site.Names()
	texts := make([]string, len(all))
	for i, name := range all {
		texts[i] = name.String()
	}
	return texts
}

// master is the sandbox of a site's PHP-FPM.
func master(l config.Layout, web netip.Addr, site hosting.Site) sandbox.Spec {
	version := string(site.PHP)
	return sandbox.Spec{
		Name: site.Host.String(), UID: site.UID, GID: site.UID,
		Home:             l.Home(string(site.HomeToken)),
		MariaDBSocketDir: filepath.Dir(l.MariaDBSocket()),
		Frozen:           site.Frozen,
		Limits:           sandbox.Limits{Memory: hosting.SiteMemory},
		Names:            names(site),
		Address:          web,
		Binds:            []sandbox.Bind{{From: directory(l, site.ID), To: settingsDir, ReadOnly: true}},
		Program:          program(site.PHP),
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
	if parsed, err := hosting.ParsePHPVersion(string(site.PHP)); err != nil || parsed != site.PHP || site.PHP == "" {
		return hosting.Refuse(hosting.Unavailable, "", "site.failed_php", string(site.PHP))
	}
	if err := site.Behaviour.Check(); err != nil {
		return &hosting.Error{
			Kind: hosting.Invalid, Message: hosting.Msg("site.failed_behaviour"),
			Err: fmt.Errorf("phpfpm: site %d: the stored value is not valid: %w", site.ID, err),
		}
	}
	return nil
}

// program is the path of a version's daemon.
func program(v hosting.PHPVersion) string { return programs + string(v) }

const programs = "/usr/sbin/php-fpm"

// Installed are the versions of PHP that this machine has, newest first.
func Installed() (hosting.PHPVersions, error) {
	paths, err := filepath.Glob(programs + "[0-9].[0-9]")
	versions := hosting.PHPVersions{}
	for _, path := range paths {
		v, err := hosting.ParsePHPVersion(strings.TrimPrefix(path, programs))
		if info, missing := os.Stat(path); err == nil && missing == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			versions = append(versions, v)
		}
	}
	slices.Sort(versions)
	slices.Reverse(versions)
	return versions, err
}

// Script is the sandbox in which a PHP script of a site's home runs once, with
// the settings of its pages but for the time of computing.
func Script(l config.Layout, web netip.Addr, site hosting.Site, file string) (sandbox.Spec, error) {
	if err := check(site); err != nil {
		return sandbox.Spec{}, err
	}
	if parsed, err := hosting.ParseTaskTarget(hosting.TaskScript, file); err != nil || parsed != file {
		return sandbox.Spec{}, fmt.Errorf("phpfpm: site %d: %q is no script", site.ID, file)
	}
	spec := master(l, web, site)
	version := string(site.PHP)
	path := config.SiteHome + "/" + file
	spec.Program = "/usr/bin/php" + version
	spec.Args = []string{
		"-c", settingsDir + "/php.ini", "-d", "max_execution_time=0", "-d", "display_errors=stderr",
		"-d", "memory_limit=" + strconv.Itoa(site.Behaviour.PHP.Or(hosting.DefaultPHP).MemoryMB) + "M", "-f", path,
	}
	spec.Env = []string{
		"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + config.SiteHome, "TMPDIR=" + config.SiteHome + "/tmp", "LANG=C.UTF-8",
		"PHP_INI_SCAN_DIR=/etc/php/" + version + "/cli/conf.d",
	}
	spec.Dir, spec.Init = config.SiteHome, true
	return spec, nil
}
