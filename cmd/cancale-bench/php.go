package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"cancale/internal/config"
	"cancale/internal/testenv/fcgi"
)

const (
	coldRounds = 5
	warmRounds = 1000
	phpAnswer  = "42"
	phpScript  = "<?php echo 6 * 7;"
)

// measurePHP times the first PHP answer of a site that sleeps and the answers
// of one that is awake, beside a bare php-fpm without sandbox, Apache or
// supervisor.
func (in *installation) measurePHP(ctx context.Context) error {
	bare, err := newBareFPM()
	if err != nil {
		return err
	}
	defer bare.remove()
	var cold, bareCold, warm, bareWarm []time.Duration
	var site phpSite
	for round := range coldRounds {
		if site, err = in.phpSite(ctx, fmt.Sprintf("php-%d.example", round)); err != nil {
			return err
		}
		start := time.Now()
		code, body, err := in.get(ctx, site.Host, "/bench.php")
		if err != nil || body != phpAnswer {
			return fmt.Errorf("first PHP answer: %d %q, %w", code, body, err)
		}
		cold = append(cold, time.Since(start))
		took, err := bare.cold(ctx)
		if err != nil {
			return err
		}
		bareCold = append(bareCold, took)
	}
	c, b := median(cold), median(bareCold)
	report("first PHP answer of a sleeping site, through Apache", "%s; bare FPM from cold %s; ratio %.2f (reach ≤ 2)", ms(c), ms(b), float64(c)/float64(b))

	for range warmRounds {
		start := time.Now()
		if err := answer(ctx, site.Socket, config.SiteHome+"/www/bench.php"); err != nil {
			return fmt.Errorf("warm, ours: %w", err)
		}
		warm = append(warm, time.Since(start))
		start = time.Now()
		if err := answer(ctx, bare.socket, bare.script); err != nil {
			return fmt.Errorf("warm, bare: %w", err)
		}
		bareWarm = append(bareWarm, time.Since(start))
	}
	c, b = median(warm), median(bareWarm)
	report("PHP answer of a site that is awake, at its socket", "%s; bare FPM %s; ratio %.2f (reach ≤ 1.1)", ms(c), ms(b), float64(c)/float64(b))
	return nil
}

// phpSite is a site with a script in it.
type phpSite struct {
	Host   string `json:"host"`
	Path   string `json:"path"`
	UID    int    `json:"uid"`
	Socket string `json:"-"`
}

var proxySocket = regexp.MustCompile(`unix:[^|"]*/f/([0-9a-f]{32})/fpm\.sock`)

// phpSite creates a site that answers /bench.php.
func (in *installation) phpSite(ctx context.Context, host string) (phpSite, error) {
	out, err := in.cancale(ctx, "", "site", "create", host, "--account", in.account, "--wait", "--json")
	if err != nil {
		return phpSite{}, err
	}
	in.created++
	var site phpSite
	if err := json.Unmarshal([]byte(out), &site); err != nil {
		return phpSite{}, err
	}
	script := filepath.Join(site.Path, "bench.php")
	if err := os.WriteFile(script, []byte(phpScript), 0o644); err != nil {
		return phpSite{}, err
	}
	if err := os.Chown(script, site.UID, site.UID); err != nil {
		return phpSite{}, err
	}
	vhost, err := in.vhost(host)
	if err != nil {
		return phpSite{}, err
	}
	token := proxySocket.FindStringSubmatch(vhost)
	if token == nil {
		return phpSite{}, fmt.Errorf("%s: no PHP socket in its virtual host", host)
	}
	site.Socket = in.layout.PHPSocket(token[1])
	return site, nil
}

// bareFPM is a php-fpm of the distribution with a pool like ours and nothing
// around it.
type bareFPM struct {
	dir, socket, script string
	listener            *os.File
	cmd                 *exec.Cmd
}

func newBareFPM() (*bareFPM, error) {
	dir, err := os.MkdirTemp("", "cancale-bare-fpm-")
	if err != nil {
		return nil, err
	}
	b := &bareFPM{dir: dir, socket: filepath.Join(dir, "fpm.sock"), script: filepath.Join(dir, "bench.php")}
	pool := fmt.Sprintf("[global]\nerror_log = %s/log\n[bare]\nuser = www-data\nlisten = %s\nlisten.mode = 0666\npm = ondemand\npm.max_children = 10\n", dir, b.socket)
	for name, text := range map[string]string{"bench.php": phpScript, "pool.conf": pool} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: b.socket, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	defer l.Close()
	b.listener, err = l.File()
	return b, err
}

// cold starts a master that is handed its listening socket and times its first
// answer, as a supervisor without a sandbox would see it.
func (b *bareFPM) cold(ctx context.Context) (time.Duration, error) {
	b.stop()
	start := time.Now()
	b.cmd = exec.CommandContext(ctx, "/usr/sbin/php-fpm8.2", "-F", "-y", filepath.Join(b.dir, "pool.conf"))
	b.cmd.Env = []string{"FPM_SOCKETS=" + b.socket + "=3"}
	b.cmd.ExtraFiles = []*os.File{b.listener}
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := b.cmd.Start(); err != nil {
		return 0, err
	}
	err := answer(ctx, b.socket, b.script)
	return time.Since(start), err
}

// stop kills the master and its workers, who would go on answering; killed, it
// leaves its socket alone.
func (b *bareFPM) stop() {
	if b.cmd != nil && b.cmd.Process != nil {
		_ = syscall.Kill(-b.cmd.Process.Pid, syscall.SIGKILL) // ended already
		_ = b.cmd.Wait()                                      // killed, so never nil
		b.cmd = nil
	}
}

func (b *bareFPM) remove() {
	b.stop()
	b.listener.Close()
	_ = os.RemoveAll(b.dir) // a temporary directory
}

// answer asks the pool at socket to run the script and checks what it says.
func answer(ctx context.Context, socket, script string) error {
	text, err := fcgi.Get(ctx, socket, script, nil)
	if err == nil && text != phpAnswer {
		err = fmt.Errorf("%s answered %q", socket, text)
	}
	return err
}
