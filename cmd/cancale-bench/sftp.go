package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// openSSH makes a key of the bench, which sftp(1) signs in with, and starts
// Debian's sshd with its sftp-server, which takes it.
func (p *peers) openSSH(ctx context.Context) ([]ftpServer, error) {
	for _, file := range []string{"key", "host"} {
		if out, err := exec.CommandContext(ctx, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", p.in(file)).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("ssh-keygen: %w: %s", err, out)
		}
	}
	const port = peerPort + 3
	config := fmt.Sprintf(`Port %d
ListenAddress 127.0.0.1
HostKey %s
PidFile none
UsePAM no
StrictModes no
AuthorizedKeysFile %s
MaxStartups 1000
Subsystem sftp %s
`, port, p.in("host"), p.in("key.pub"), p.in("root/usr/lib/openssh/sftp-server"))
	if err := os.WriteFile(p.in("sshd.conf"), []byte(config), 0o600); err != nil {
		return nil, err
	}
	if err := os.Chmod(p.in("key.pub"), 0o644); err != nil { // read as the user
		return nil, err
	}
	pid, err := p.start(ctx, []string{p.bin("sshd"), "-D", "-e", "-f", p.in("sshd.conf")}, port)
	if err != nil {
		return nil, fmt.Errorf("sshd: %w", err)
	}
	return []ftpServer{
		{name: "sshd", user: peerUser, password: peerPassword, hash: peerHash, sshPort: port, home: p.in("home"), key: p.in("key"), pid: pid},
	}, nil
}

func (s ftpServer) with(key string) ftpServer {
	s.key = key
	return s
}

// sftp runs a command of sftp(1).
func (l ftpLoad) sftp(ctx context.Context, s ftpServer, command string) (float64, error) {
	batch := filepath.Join(l.dir, "batch")
	if err := os.WriteFile(batch, []byte(command+"\n"), 0o600); err != nil {
		return 0, err
	}
	took, err := l.run(ctx, "sftp", "-q", "-F", "none", "-i", s.key, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
		"-o", "LogLevel=ERROR", "-P", strconv.Itoa(s.sshPort), "-b", batch, s.user+"@127.0.0.1")
	return bigFile / 1e6 / took.Seconds(), err
}

func (l ftpLoad) sftpDownload(ctx context.Context, s ftpServer) (float64, error) {
	file := filepath.Join(l.dir, "down")
	defer os.Remove(file)
	return l.sftp(ctx, s, "get big "+file)
}

func (l ftpLoad) sftpUpload(ctx context.Context, s ftpServer) (float64, error) {
	arrived := filepath.Join(s.home, "up")
	defer os.Remove(arrived)
	speed, err := l.sftp(ctx, s, "put "+l.big()+" up")
	if err != nil {
		return 0, err
	}
	if info, err := os.Stat(arrived); err != nil || info.Size() != bigFile {
		return 0, fmt.Errorf("not all has come: %w", err)
	}
	return speed, nil
}

// signInSFTP signs in with the password.
func (s ftpServer) signInSFTP(context.Context) error {
	c, err := ssh.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.sshPort)), &ssh.ClientConfig{
		User: s.user, Auth: []ssh.AuthMethod{ssh.Password(s.password)}, HostKeyCallback: ssh.InsecureIgnoreHostKey(), Timeout: time.Minute,
	})
	if err != nil {
		return fmt.Errorf("%s: %w", strings.TrimSpace(s.name), err)
	}
	return c.Close()
}
