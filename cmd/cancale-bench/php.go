package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"cancale/internal/config"
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
		if err := fastCGI(ctx, site.Socket, config.SiteHome+"/www/bench.php"); err != nil {
			return fmt.Errorf("warm, ours: %w", err)
		}
		warm = append(warm, time.Since(start))
		start = time.Now()
		if err := fastCGI(ctx, bare.socket, bare.script); err != nil {
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
	err := fastCGI(ctx, b.socket, b.script)
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

// FastCGI record types and the responder's role (FastCGI Specification,
// section 8).
const (
	fcgiBegin, fcgiEnd, fcgiParams, fcgiStdin, fcgiStdout = 1, 3, 4, 5, 6
	fcgiResponder                                         = 1
)

// fastCGI asks the pool at socket to run script and checks the answer.
func fastCGI(ctx context.Context, socket, script string) error {
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "unix", socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	var request, params bytes.Buffer
	for name, value := range map[string]string{"SCRIPT_FILENAME": script, "REQUEST_METHOD": "GET", "SCRIPT_NAME": "/bench.php", "SERVER_PROTOCOL": "HTTP/1.1"} {
		params.Write([]byte{byte(len(name)), byte(len(value))}) // both below 128 bytes
		params.WriteString(name + value)
	}
	record := func(kind byte, body []byte) {
		request.Write([]byte{1, kind, 0, 1})
		_ = binary.Write(&request, binary.BigEndian, [2]uint16{uint16(len(body)), 0}) // a bytes.Buffer never fails
		request.Write(body)
	}
	record(fcgiBegin, []byte{0, fcgiResponder, 0, 0, 0, 0, 0, 0})
	record(fcgiParams, params.Bytes())
	record(fcgiParams, nil)
	record(fcgiStdin, nil)
	if _, err := conn.Write(request.Bytes()); err != nil {
		return err
	}
	var stdout strings.Builder
	header := make([]byte, 8)
	for {
		if _, err := io.ReadFull(conn, header); err != nil {
			return err
		}
		body := make([]byte, int(binary.BigEndian.Uint16(header[4:6]))+int(header[6]))
		if _, err := io.ReadFull(conn, body); err != nil {
			return err
		}
		switch header[1] {
		case fcgiStdout:
			stdout.Write(body[:len(body)-int(header[6])])
		case fcgiEnd:
			if !strings.HasSuffix(stdout.String(), "\r\n\r\n"+phpAnswer) {
				return fmt.Errorf("%s answered %q", socket, stdout.String())
			}
			return nil
		}
	}
}
