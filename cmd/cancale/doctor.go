package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"cancale/internal/config"
	"cancale/internal/driver/apache"
	"cancale/internal/host"
	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/internal/sandbox"
	"cancale/internal/store"
	"cancale/internal/supervise"
)

func doctorCommand() *cobra.Command {
	doctor := &cobra.Command{
		Use:   "doctor",
		Short: "Check the installation, and say what to do about what is wrong",
		Long: `Checks the installation, a row for each thing, and says what to do about what is
wrong; the exit status is then 1.

With --attack it also makes two sites of two associations, lets one attack the
other with all that harms nobody else, and removes both again, also when it is
interrupted. A run that was killed is cleaned up by the next. It takes a minute.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, err := newVerb(cmd)
			if err != nil {
				return err
			}
			attack, err := cmd.Flags().GetBool("attack")
			if err != nil {
				return err
			}
			return examine(speak(cmd.Context()), v, attack)
		},
	}
	doctor.Flags().Bool("attack", false, "let one site attack another as well; both are made for that and removed")
	return doctor
}

// checkView is one check as scripts read it. Name never changes with the
// language.
type checkView struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy"`

	key  string // of the remedy
	args []string
}

// doctor collects checks.
type doctor struct {
	*verb
	checks []checkView
}

// note adds a check: detail is what was seen, err what is wrong with it, and
// remedy the key of what to do then.
func (d *doctor) note(ctx context.Context, name, detail string, err error, remedy string, args ...string) {
	c := checkView{Name: name, OK: err == nil, Detail: detail}
	if err != nil {
		c.Detail, c.Remedy = oneLine(err.Error()), i18n.Message(ctx, remedy, args)
		c.key, c.args = remedy, args
	}
	d.checks = append(d.checks, c)
}

// probeLimit is how long one service may take to answer.
const probeLimit = 5 * time.Second

func examine(ctx context.Context, v *verb, attack bool) error {
	if info, err := os.Stat(v.layout.Root); err != nil || !info.IsDir() {
		return hosting.Refuse(hosting.Unavailable, "", "cli.no_installation", v.layout.Root)
	}
	d := diagnose(ctx, v)
	if attack {
		if err := d.attack(ctx); err != nil {
			return err
		}
	}
	return d.report(ctx)
}

// diagnose looks at everything.
func diagnose(ctx context.Context, v *verb) *doctor {
	d := &doctor{verb: v}
	d.programs(ctx)
	d.permissions(ctx)
	d.space(ctx)
	d.memory(ctx)
	d.certificate(ctx)
	d.services(ctx)
	if alive(v.status) {
		d.limits(ctx)
		d.answers(ctx)
		d.apacheConfiguration(ctx)
		d.database(ctx)
	}
	return d
}

// programs of Debian's packages that an installation runs.
func (d *doctor) programs(ctx context.Context) {
	for _, p := range []struct{ name, path, pkg string }{
		{"apache", "/usr/sbin/apache2", "apache2-bin"},
		{"php", "/usr/sbin/php-fpm" + string(hosting.DefaultPHPVersion), "php" + string(hosting.DefaultPHPVersion) + "-fpm"},
		{"mariadb", "/usr/sbin/mariadbd", "mariadb-server-core"},
	} {
		_, err := os.Stat(p.path)
		d.note(ctx, "program."+p.name, p.path, err, "doctor.install", p.pkg)
	}
}

// permissions of what guards secrets: who owns it, and that nobody else may do
// more than the isolation model says.
func (d *doctor) permissions(ctx context.Context) {
	l := d.layout
	for _, g := range []struct {
		name, path string
		uid        uint32
		most       fs.FileMode
	}{
		{"etc", l.Etc(), 0, 0o711},
		{"etc.cli", l.In("etc", "cli.json"), 0, 0o600},
		{"etc.agent", l.In("etc", "agent.json"), 0, 0o600},
		{"etc.ftpd", l.In("etc", "ftpd.json"), 0, 0o600},
		{"etc.panel", l.In("etc", "panel.json"), 0, 0o640},
		{"etc.ssh_host_ed25519_key", l.In("etc", "ssh_host_ed25519_key"), 0, 0o600},
		{"etc.ssh_host_ecdsa_key", l.In("etc", "ssh_host_ecdsa_key"), 0, 0o600},
		{"mariadb", l.MariaDB(), config.MariaDBUID, 0o700},
		{"run", l.Run(), 0, 0o711},
		{"etc.key", keyFile(l), 0, 0o600},
		{"homes", l.Homes(), 0, 0o711},
		{"trash", l.Trash(), 0, 0o700},
		{"sockets", l.Sockets(), 0, 0o711},
		{"apache", l.Apache(), 0, 0o700},
		{"php", l.PHP(), 0, 0o700},
		{"sandbox", l.Sandbox(), 0, 0o700},
		{"logs", l.Logs(), 0, 0o710},
	} {
		detail, err := guarded(g.path, g.uid, g.most)
		d.note(ctx, "permissions."+g.name, detail, err, "doctor.permissions", g.path, strconv.Itoa(int(g.uid)), fmt.Sprintf("%04o", g.most))
	}
}

// guarded is nil when path belongs to uid and grants nothing that most does
// not.
func guarded(path string, uid uint32, most fs.FileMode) (string, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	owner := uint32(0)
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		owner = st.Uid
	}
	detail := fmt.Sprintf("%s: uid %d, %04o", path, owner, info.Mode().Perm())
	if owner != uid || info.Mode().Perm()&^most != 0 {
		return "", errors.New(detail)
	}
	return detail, nil
}

// What a healthy disk has left.
const (
	freeBytes = 512 << 20
	freeShare = 5 // per cent, of bytes and of inodes
)

func (d *doctor) space(ctx context.Context) {
	var st syscall.Statfs_t
	err := syscall.Statfs(d.layout.Root, &st)
	detail := ""
	if err == nil {
		free, total := st.Bavail*uint64(st.Bsize), st.Blocks*uint64(st.Bsize)
		detail = i18n.T(ctx, "doctor.free", i18n.Bytes(ctx, int64(free)), i18n.Bytes(ctx, int64(total)))
		if free < freeBytes || free*100 < total*freeShare || st.Ffree*100 < st.Files*freeShare {
			err = errors.New(detail)
		}
	}
	d.note(ctx, "disk", detail, err, "doctor.space", d.layout.Root)
}

// What a healthy machine has left of its memory.
const (
	freeMemory      = 64 << 20
	freeMemoryShare = 3 // per cent
)

func (d *doctor) memory(ctx context.Context) {
	free, total, err := host.Memory()
	detail := ""
	if err == nil {
		detail = i18n.T(ctx, "doctor.memory_left", i18n.Bytes(ctx, int64(free)), i18n.Bytes(ctx, int64(total)))
		if free < freeMemory || free*100 < total*freeMemoryShare {
			err = errors.New(detail)
		}
	}
	d.note(ctx, "memory", detail, err, "doctor.memory_do")
}

// starvedShown is how long a site that ran out of memory is named.
const starvedShown = time.Hour

func (d *doctor) starved(ctx context.Context) {
	sites, err := d.store.SitesOutOfMemory(ctx, d.scope(hosting.SitesRead), starvedShown)
	if err == nil && len(sites) > 0 {
		err = errors.New(strings.Join(sites[:min(len(sites), mostNamed)], ", "))
	}
	d.note(ctx, "memory.sites", i18n.T(ctx, "doctor.sites_memory", len(sites)), err, "doctor.sites_memory_do")
}

func (d *doctor) services(ctx context.Context) {
	if !alive(d.status) {
		d.note(ctx, "service.up", "", errors.New(i18n.T(ctx, "doctor.stopped")), "doctor.start", d.layout.Root)
		return
	}
	d.note(ctx, "service.up", "pid "+strconv.Itoa(d.status.PID), nil, "")
	for _, s := range d.status.Services {
		var err error
		switch {
		case s.State != supervise.Running:
			err = errors.New(s.State)
		case !lives(s.PID):
			err = errors.New(i18n.T(ctx, "doctor.pid_gone", strconv.Itoa(s.PID)))
		}
		d.note(ctx, "service."+s.Name, s.State+", pid "+strconv.Itoa(s.PID), err, "doctor.service", s.Name, d.layout.Logs())
	}
}

// lives reports whether a process runs, and does not only wait for its parent
// to notice its end.
func lives(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z") && !strings.HasPrefix(after, "X")
}

// limits says by what the memory and the processes of a site are bounded.
func (d *doctor) limits(ctx context.Context) {
	groups, err := sandbox.LoadGroups(d.layout.Groups())
	if err != nil {
		d.note(ctx, "limits.groups", "", sandbox.ErrNoGroups, "doctor.groups")
		return
	}
	var missing []error
	for _, base := range groups.Bases {
		if _, err := os.Stat(base); err != nil {
			missing = append(missing, err)
		}
	}
	version := "cgroup v1"
	if groups.Unified {
		version = "cgroup v2"
	}
	d.note(ctx, "limits.groups", version+": "+groups.Bases["memory"], errors.Join(missing...), "doctor.restart", d.layout.Root)
}

// answers asks each service the way its users do.
func (d *doctor) answers(ctx context.Context) {
	err := get(ctx, strings.TrimSuffix(d.status.PanelURL, "/")+"/healthz")
	d.note(ctx, "answer.panel", d.status.PanelURL, err, "doctor.service", "panel", d.layout.Logs())
	url := "http://" + net.JoinHostPort(d.address(), strconv.Itoa(d.status.HTTPPort)) + "/"
	err = get(ctx, url)
	d.note(ctx, "answer.http", url, err, "doctor.service", "apache", d.layout.Logs())
	greeting, err := greetFTP(ctx, net.JoinHostPort(d.address(), strconv.Itoa(d.status.FTPPort)))
	d.note(ctx, "answer.ftp", greeting, err, "doctor.service", "ftpd", d.layout.Logs())
	limited, cancel := context.WithTimeout(ctx, probeLimit)
	greeting, err = greetSSH(limited, net.JoinHostPort(d.address(), strconv.Itoa(d.status.SFTPPort)))
	cancel()
	d.note(ctx, "answer.sftp", greeting, err, "doctor.service", "ftpd", d.layout.Logs())
	info, err := os.Stat(d.layout.AgentSocket())
	if err == nil && info.Mode()&fs.ModeSocket == 0 {
		err = errors.New(d.layout.AgentSocket() + ": " + info.Mode().String())
	}
	d.note(ctx, "answer.agent", d.layout.AgentSocket(), err, "doctor.service", "agent", d.layout.Logs())
}

// implicitFTP asks the port of FTP that begins with TLS. Where TLS is off
// there is nobody to ask.
func (d *doctor) implicitFTP(ctx context.Context) {
	address := net.JoinHostPort(d.address(), strconv.Itoa(d.status.FTPSPort))
	var set ftpdSettings
	all, err := d.store.Settings(ctx)
	if err == nil {
		err = readSettings(ftpdFile(d.layout), &set)
	}
	if all.FTP.TLS != hosting.TLSDefault {
		set.TLS = all.FTP.TLS
	}
	if err == nil && (d.status.FTPSPort == 0 || set.TLS == hosting.TLSOff) {
		return
	}
	greeting := ""
	if err == nil {
		greeting, err = greetFTPS(ctx, address)
	}
	d.note(ctx, "answer.ftps", greeting, err, "doctor.service", "ftpd", d.layout.Logs())
}

// address is the one that the installation listens on: it bears a name only
// when it listens on all of them.
func (d *doctor) address() string {
	if at, err := netip.ParseAddr(d.host()); err == nil {
		return at.String()
	}
	return "127.0.0.1"
}

// get is nil when something speaks HTTP there and does not fail; a refusal is
// an answer too.
func get(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode >= http.StatusInternalServerError {
		return errors.New(url + ": " + answer.Status)
	}
	return nil
}

// greetFTP is the first line of the FTP server.
func greetFTP(ctx context.Context, address string) (string, error) {
	return greeting(ctx, new(net.Dialer), address)
}

// greetFTPS is the first line of the FTP server within TLS. Whose certificate
// it has is not the question here.
func greetFTPS(ctx context.Context, address string) (string, error) {
	return greeting(ctx, &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}, address) //nolint:gosec // as said
}

func greeting(ctx context.Context, dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}, address string,
) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if end, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(end); err != nil {
			return "", err
		}
	}
	line, err := bufio.NewReader(io.LimitReader(conn, 512)).ReadString('\n')
	if err == nil && !strings.HasPrefix(line, "220") {
		err = errors.New(strings.TrimSpace(line))
	}
	return strings.TrimSpace(line), err
}

// apacheConfiguration lets Apache read its whole configuration, in the view of
// the file system that `up` gave it.
func (d *doctor) apacheConfiguration(ctx context.Context) {
	up := "/proc/" + strconv.Itoa(d.status.PID)
	out, err := host.New(d.layout, nil).Check(ctx, host.Command{
		Path: "/usr/bin/nsenter",
		Args: []string{
			"--mount=" + up + "/ns/mnt", "--root=" + up + "/root", "--", // the root too: up may run in a chroot
			"/usr/sbin/apache2", apache.OnlyChecks, "-t", "-f", filepath.Join(config.Mount, "apache", "apache2.conf"),
		},
		Env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"},
	})
	text := oneLine(string(out))
	if err != nil {
		err = fmt.Errorf("%s (%w)", text, err)
	}
	d.note(ctx, "apache.configuration", text, err, "doctor.apache")
}

// database asks MariaDB, and what it knows of sites and databases that could
// not be applied.
func (d *doctor) database(ctx context.Context) {
	st, err := openStore(ctx, d.layout)
	if err != nil {
		d.note(ctx, "answer.mariadb", "", errors.New(explain(ctx, err).Message), "doctor.service", "mariadb", d.layout.Logs())
		return
	}
	defer st.Close()
	d.store = st
	d.implicitFTP(ctx)
	d.note(ctx, "answer.mariadb", d.layout.MariaDBSocket(), nil, "")
	d.note(ctx, "mariadb.writable", "", st.Writable(ctx), "doctor.writable")
	d.failedSites(ctx)
	d.failedDatabases(ctx)
	d.starved(ctx)
	d.trash(ctx)
	d.parts(ctx)
}

// trash looks for removed things that should have gone for good and have not.
func (d *doctor) trash(ctx context.Context) {
	n, err := d.store.OverdueTrash(ctx)
	if err == nil && n > 0 {
		err = errors.New(i18n.T(ctx, "doctor.trash_overdue", n))
	}
	d.note(ctx, "trash", "", err, "doctor.trash", d.layout.Logs())
}

// mostNamed is how many things of one kind that failed are named one by one.
const mostNamed = 50

func (d *doctor) failedSites(ctx context.Context) {
	rows, err := everything(func(page int) ([]store.SiteRow, int, error) {
		return d.store.Sites(ctx, d.scope(hosting.SitesRead), store.SiteFilter{State: hosting.Failed, Page: page, PerPage: perPage})
	})
	d.note(ctx, "sites", i18n.T(ctx, "doctor.failed_sites", len(rows)), err, "doctor.service", "mariadb", d.layout.Logs())
	for _, r := range rows[:min(len(rows), mostNamed)] {
		d.note(ctx, "site."+r.Host.String(), "", problemOf(ctx, r.Sync), "doctor.site", r.Host.String())
	}
}

func (d *doctor) failedDatabases(ctx context.Context) {
	rows, err := everything(func(page int) ([]store.DatabaseRow, int, error) {
		return d.store.Databases(ctx, d.scope(hosting.DatabasesRead), store.DatabaseFilter{State: hosting.Failed, Page: page, PerPage: perPage})
	})
	d.note(ctx, "databases", i18n.T(ctx, "doctor.failed_databases", len(rows)), err, "doctor.service", "mariadb", d.layout.Logs())
	for _, r := range rows[:min(len(rows), mostNamed)] {
		d.note(ctx, "database."+string(r.Name), "", problemOf(ctx, r.Sync), "doctor.database", string(r.Name))
	}
}

// report says all checks; one that failed makes the command fail.
func (d *doctor) report(ctx context.Context) error {
	var problem error
	failed := 0
	for _, c := range d.checks {
		if !c.OK {
			failed++
		}
	}
	if failed > 0 {
		problem = hosting.Refuse(hosting.Unavailable, "", "doctor.found", strconv.Itoa(failed))
	}
	document := struct {
		OK     bool        `json:"ok"`
		Checks []checkView `json:"checks"`
	}{failed == 0, d.checks}
	return d.answerApplied(ctx, document, func(w io.Writer) error {
		for _, c := range d.checks {
			mark := "ok  "
			if !c.OK {
				mark = "!!  "
			}
			if _, err := fmt.Fprintln(w, mark+c.Name+": "+c.Detail); err != nil {
				return err
			}
			if c.Remedy != "" {
				if _, err := fmt.Fprintln(w, "      → "+c.Remedy); err != nil {
					return err
				}
			}
		}
		return nil
	}, problem)
}

// problemOf is why something could not be applied, as an error.
func problemOf(ctx context.Context, s hosting.Sync) error {
	if text := say(ctx, s.Problem); text != "" {
		return errors.New(text)
	}
	return errors.New(string(s.State))
}
