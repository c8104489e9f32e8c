// Package config says where an installation lives and how it is reached: one
// checked struct, from the environment and a KEY=value file, and the paths that
// follow from it. It never creates anything.
package config

import (
	"fmt"
	"path/filepath"
	"strconv"
)

// Identities of the daemons of a private installation: numbers kept for it, so
// that no user has to be made on the machine. Sites follow from FirstSiteUID.
const (
	PanelUID     = 29990 // panel; also the gid of what it may read
	MariaDBUID   = 29991
	DumpUID      = 29992 // MariaDB's clients, in a sandbox
	AdminerUID   = 29993 // Adminer's PHP, in a sandbox
	ApacheUID    = 33    // www-data, from Debian's base-passwd
	FirstSiteUID = 30000
	LastSiteUID  = 59999
)

// Mount is where a private installation sees its own data directory, whatever
// its name outside: `up` gives itself a mount namespace in which the directory
// is bound here. Paths in the configuration of daemons are thus constant and
// short (a socket's path has at most 107 bytes), and the parents' modes do not
// matter.
const Mount = "/srv/cancale"

// SiteHome is where every site sees its home inside its sandbox.
const SiteHome = "/srv/site"

// Layout is the set of paths of one installation.
type Layout struct{ Root string }

// In joins names to the root.
func (l Layout) In(names ...string) string {
	return filepath.Join(append([]string{l.Root}, names...)...)
}

// The directories and files of an installation. Modes are set by the package
// that makes each.
func (l Layout) Lock() string             { return l.In("lock") }    // held by up; holds its pid
func (l Layout) Version() string          { return l.In("version") } // of the layout
func (l Layout) Etc() string              { return l.In("etc") }     // root 0711: panel.json 0640, agent.json 0600, …
func (l Layout) MariaDB() string          { return l.In("mariadb") } // data directory, MariaDBUID 0700
func (l Layout) MariaDBSettings() string  { return l.In("etc", "mariadb.cnf") }
func (l Layout) MariaDBTemp() string      { return l.In("mariadb-temp") }  // MariaDBUID 0700
func (l Layout) MariaDBFiles() string     { return l.In("mariadb-files") } // MariaDBUID 0700, always empty: secure_file_priv
func (l Layout) Run() string              { return l.In("run") }           // root 0711
func (l Layout) MariaDBSocket() string    { return l.In("run", "mysqld", "mysqld.sock") }
func (l Layout) AgentSocket() string      { return l.In("run", "agent.sock") }             // datagrams: any byte is a wake-up
func (l Layout) SupervisorSocket() string { return l.In("run", "supervisor.sock") }        // root 0600
func (l Layout) FTPSocket() string        { return l.In("run", "ftpd", "link.sock") }      // root:PanelUID 0660 in 0710: ftplink
func (l Layout) DatabasesSocket() string  { return l.In("run", "databases", "link.sock") } // root:PanelUID 0660 in 0710: ftplink
func (l Layout) Dumps() string            { return l.In("dumps") }                         // root 0700: files of imports under way
func (l Layout) Adminer() string          { return l.In("adminer") }                       // root 0711: its settings and its sessions
func (l Layout) AdminerSocket() string    { return l.In("run", "adminer", "fpm.sock") }    // root:PanelUID 0660 in 0710
func (l Layout) Status() string           { return l.In("run", "status.json") }            // ports and services, written by up
func (l Layout) Homes() string            { return l.In("t") }                             // root 0711: one secret token per site
func (l Layout) Home(token string) string { return l.In("t", token) }
func (l Layout) Bins() string             { return l.In("t", ".bin") } // root 0711; on the file system of the homes
func (l Layout) Bin(token string) string  { return l.In("t", ".bin", token) }
func (l Layout) Trash() string            { return l.In("t", ".trash") } // root 0700: removed homes that can be brought back
func (l Layout) TrashOf(id uint64) string { return l.In("t", ".trash", strconv.FormatUint(id, 10)) }
func (l Layout) Sockets() string          { return l.In("f") } // root 0711: one secret token per site
func (l Layout) SocketDir(token string) string {
	return l.In("f", token)
}
func (l Layout) PHPSocket(token string) string { return l.In("f", token, "fpm.sock") }
func (l Layout) Apache() string                { return l.In("apache") }          // root 0700
func (l Layout) Passwords() string             { return l.In("passwords") }       // root:Apache 0710: one secret token per site
func (l Layout) ApacheRun() string             { return l.In("run", "apache") }   // root 0700: its pid
func (l Layout) ApacheTemp() string            { return l.In("apache-temp") }     // www-data 0300: bodies of requests
func (l Layout) Pages() string                 { return l.In("pages") }           // root 0711: neutral, suspended, default site
func (l Layout) PHP() string                   { return l.In("php") }             // root 0700: one folder per site
func (l Layout) Sandbox() string               { return l.In("sandbox") }         // root 0700: one SITE.json per site, for `enter`
func (l Layout) Instance() string              { return l.In("etc", "instance") } // tells its processes from all others
func (l Layout) Secrets() string               { return l.In("etc", "secrets.json") }
func (l Layout) AgentReady() string            { return l.In("run", "agent.ready") } // holds the agent's pid when it is at work
func (l Layout) Groups() string                { return l.In("run", "groups.json") } // where the control groups of the sites are
func (l Layout) Starved() string               { return l.In("run", "starved") }     // root 0700: a file for each site that ran out of memory
func (l Layout) Logs() string                  { return l.In("log") }                // root:PanelUID 0710; log/sites/<id> per site
func (l Layout) Counts() string                { return l.In("log", "counts") }      // root 0700: what was counted of each site's day
func (l Layout) Memory() string                { return l.In("run", "memory") }      // where Apache sees it: memory, and no disk
func (l Layout) ApacheSites() string           { return l.In("apache", "sites") }    // root 0700: one SITE.conf per site
func (l Layout) SiteLogs(id uint64) string     { return l.In("log", "sites", strconv.FormatUint(id, 10)) }

// SiteLogName is the link by which a host name in the log stream leads to its
// site's own directory.
func (l Layout) SiteLogName(host string) string { return l.In("log", "names", host) }

// maxSocketPath is sockaddr_un's limit (unix(7)).
const maxSocketPath = 107

// SocketPathOK reports an error when a socket's path is too long to be used.
func SocketPathOK(path string) error {
	if len(path) > maxSocketPath {
		return fmt.Errorf("%s: a socket path has at most %d bytes, this one has %d", path, maxSocketPath, len(path))
	}
	return nil
}
