package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The one user of the peers, whose hash is a sha512crypt of "bench".
const (
	peerUser     = "benchftp"
	peerPassword = "bench"
	peerHash     = "sha512crypt"
	peerUID      = 29999
)

// ftpServer is a server under measurement, ours or a peer.
type ftpServer struct {
	name, user, password string
	hash                 string // of the password
	port, sshPort        int
	home                 string // where the login's files lie
	key                  string // file of the key that signs in by SFTP
	pid                  int    // children count as well
}

// peerPackages are Debian's packages of what a host would install instead; they
// are unpacked and run by hand, never installed: an installed one would start
// with the machine.
var peerPackages = []string{"vsftpd", "pure-ftpd", "pure-ftpd-common", "proftpd-core", "proftpd-mod-crypto", "openssh-server", "openssh-sftp-server"}

// peers is the directory of the three, and those that run.
type peers struct {
	dir     string
	running []*exec.Cmd
}

// preparePeers unpacks and configures the peers in a directory.
func preparePeers(ctx context.Context, dir string) (*peers, error) {
	p := &peers{dir: dir}
	if err := p.unpack(ctx); err != nil {
		return p, err
	}
	return p, p.configure(ctx)
}

// startFTP starts the three that speak FTP.
func (p *peers) startFTP(ctx context.Context) ([]ftpServer, error) {
	var servers []ftpServer
	for i, s := range []struct {
		name string
		args []string
	}{
		{"vsftpd", []string{p.bin("vsftpd"), p.in("vsftpd.conf")}},
		{"pure-ftpd", []string{
			p.bin("pure-ftpd"), "-S", "127.0.0.1,%d", "-l", "puredb:" + p.in("pure.pdb"), "-A", "-E", "-H", "-c", "2000", "-C", "2000",
			"-p", "24000:24999", "-Y", "1", "-2", p.in("both.pem"), "-j", "-U", "133:022", "-u", "100",
		}},
		{"proftpd", []string{p.bin("proftpd"), "-n", "-c", p.in("proftpd.conf")}},
	} {
		port := peerPort + i
		for j := range s.args {
			s.args[j] = strings.ReplaceAll(s.args[j], "%d", strconv.Itoa(port))
		}
		pid, err := p.start(ctx, s.args, port)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		servers = append(servers, ftpServer{name: s.name, user: peerUser, password: peerPassword, hash: peerHash, port: port, home: p.in("home"), pid: pid})
	}
	return servers, nil
}

// peerPort is the first of the three ports.
const peerPort = 2401

func (p *peers) in(name string) string  { return filepath.Join(p.dir, name) }
func (p *peers) bin(name string) string { return filepath.Join(p.dir, "root/usr/sbin", name) }

// unpack fetches the packages.
func (p *peers) unpack(ctx context.Context) error {
	for _, d := range []string{"debs", "root", "home", "empty", "etc", "pam.d", "run/sshd"} {
		if err := os.MkdirAll(p.in(d), 0o755); err != nil {
			return err
		}
	}
	fetch := exec.CommandContext(ctx, "apt-get", append([]string{"-q", "download"}, peerPackages...)...)
	fetch.Dir = p.in("debs")
	if out, err := fetch.CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get download: %w: %s", err, out)
	}
	debs, err := filepath.Glob(p.in("debs/*.deb"))
	if err != nil {
		return err
	}
	for _, deb := range debs {
		if out, err := exec.CommandContext(ctx, "dpkg", "-x", deb, p.in("root")).CombinedOutput(); err != nil {
			return fmt.Errorf("dpkg: %w: %s", err, out)
		}
	}
	return nil
}

// configure writes what the peers read. Limits, logs and look-ups that would
// slow them down are off.
func (p *peers) configure(ctx context.Context) error {
	hash, err := exec.CommandContext(ctx, "openssl", "passwd", "-6", peerPassword).Output()
	if err != nil {
		return fmt.Errorf("openssl passwd: %w", err)
	}
	secret, home := strings.TrimSpace(string(hash)), p.in("home")
	key, certificate, err := selfSigned()
	if err != nil {
		return err
	}
	entry := fmt.Sprintf("%s:%%s:%d:%d::%s%%s\n", peerUser, peerUID, peerUID, home)
	for name, text := range map[string]string{
		"key.pem": key, "cert.pem": certificate, "both.pem": key + certificate,
		"passwd":       "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\nsshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n" + fmt.Sprintf(entry, "x", ":/bin/sh"),
		"shadow":       fmt.Sprintf("%s:%s:20000:0:99999:7:::\n", peerUser, secret),
		"proftpd.user": fmt.Sprintf(entry, secret, ":/bin/sh"),
		"pure.passwd":  fmt.Sprintf(entry, secret, "/./::::::::::::"),
		"pam.d/bench":  "auth required pam_unix.so\naccount required pam_permit.so\n",
		"vsftpd.conf": fmt.Sprintf(`listen=YES
listen_ipv6=NO
listen_address=127.0.0.1
listen_port=%d
background=NO
anonymous_enable=NO
local_enable=YES
write_enable=YES
local_umask=022
chroot_local_user=YES
allow_writeable_chroot=YES
pam_service_name=bench
secure_chroot_dir=%s
pasv_min_port=22000
pasv_max_port=22999
max_clients=2000
max_per_ip=2000
ssl_enable=YES
force_local_logins_ssl=NO
force_local_data_ssl=NO
require_ssl_reuse=NO
ssl_ciphers=HIGH
rsa_cert_file=%[3]s
rsa_private_key_file=%[3]s
seccomp_sandbox=NO
`, peerPort, p.in("empty"), p.in("both.pem")),
		"proftpd.conf": fmt.Sprintf(`ServerName bench
ServerType standalone
ModulePath %[1]s/root/usr/lib/proftpd
LoadModule mod_tls.c
DefaultAddress 127.0.0.1
Port %[2]d
SocketBindTight on
UseIPv6 off
UseReverseDNS off
MaxInstances 2000
User nobody
Group nogroup
DefaultRoot ~
AllowOverwrite on
AllowStoreRestart on
RequireValidShell off
DelayEngine off
AuthUserFile %[1]s/proftpd.user
AuthOrder mod_auth_file.c
PassivePorts 23000 23999
PidFile %[1]s/proftpd.pid
ScoreboardFile %[1]s/proftpd.score
SystemLog %[1]s/proftpd.log
TransferLog none
WtmpLog off
TLSEngine on
TLSRequired off
TLSECCertificateFile %[1]s/cert.pem
TLSECCertificateKeyFile %[1]s/key.pem
TLSOptions NoSessionReuseRequired
TLSLog none
`, p.dir, peerPort+2),
	} {
		if err := os.WriteFile(p.in(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	for _, readable := range []string{"passwd", "pam.d/bench"} {
		if err := os.Chmod(p.in(readable), 0o644); err != nil {
			return err
		}
	}
	if out, err := exec.CommandContext(ctx, p.in("root/usr/bin/pure-pw"), "mkdb", p.in("pure.pdb"), "-f", p.in("pure.passwd")).CombinedOutput(); err != nil {
		return fmt.Errorf("pure-pw: %w: %s", err, out)
	}
	return os.Chown(home, peerUID, peerUID)
}

// start runs a peer and waits until it answers. It sees the bench's own users
// and PAM services in place of the machine's, in a mount namespace of its own.
func (p *peers) start(ctx context.Context, args []string, port int) (pid int, err error) {
	if answers(ctx, port) {
		return 0, fmt.Errorf("somebody listens at port %d already", port)
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	log, err := os.Create(args[0] + ".log")
	if err != nil {
		return 0, err
	}
	defer log.Close()
	cmd := exec.Command(self, append([]string{enterPeer, p.dir}, args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	p.running = append(p.running, cmd)
	for range 100 {
		if answers(ctx, port) {
			return cmd.Process.Pid, nil
		}
		pause(ctx, 50*time.Millisecond)
	}
	text, _ := os.ReadFile(log.Name())
	return 0, fmt.Errorf("did not start: %s", text)
}

func answers(ctx context.Context, port int) bool {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// enterPeer is the argument by which the bench runs itself to become a peer.
const enterPeer = "enter-peer"

// becomePeer puts the bench's users in the place of the machine's and becomes
// the program.
func becomePeer(dir string, args []string) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return err
	}
	for from, to := range map[string]string{"passwd": "/etc/passwd", "shadow": "/etc/shadow", "pam.d": "/etc/pam.d", "run": "/run"} {
		if err := syscall.Mount(filepath.Join(dir, from), to, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("%s: %w", to, err)
		}
	}
	return syscall.Exec(args[0], args, os.Environ())
}

// stop ends the peers.
func (p *peers) stop() {
	for _, cmd := range p.running {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if err := cmd.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
			fmt.Fprintln(os.Stderr, "cancale-bench:", err)
		}
	}
}

// selfSigned is a key and a certificate like that of `cancale up`.
func selfSigned() (key, certificate string, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return "", "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})), nil
}
