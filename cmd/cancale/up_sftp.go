package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"

	"golang.org/x/crypto/ssh"

	"cancale/internal/config"
)

// hostKeys are what the installation proves itself with to SFTP programs, made
// once. A key that changed would look like somebody in between.
var hostKeys = []struct {
	name string // of the file in etc
	make func() (any, error)
}{
	{"ssh_host_ed25519_key", func() (any, error) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}},
	{"ssh_host_ecdsa_key", func() (any, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }},
}

// makeHostKeys makes those that are missing, and reads them all.
func makeHostKeys(l config.Layout) ([]config.HostKey, error) {
	for _, k := range hostKeys {
		path := l.In("etc", k.name)
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			continue // also one that somebody put there
		}
		key, err := k.make()
		if err != nil {
			return nil, fmt.Errorf("host key: %w", err)
		}
		block, err := ssh.MarshalPrivateKey(key, "cancale")
		if err != nil {
			return nil, fmt.Errorf("host key: %w", err)
		}
		if err := writeFile(path, pem.EncodeToMemory(block), 0o600, 0); err != nil {
			return nil, err
		}
	}
	signers, err := readHostKeys(l)
	if err != nil {
		return nil, err
	}
	keys := make([]config.HostKey, len(signers))
	for i, s := range signers {
		keys[i] = config.HostKey{Type: s.PublicKey().Type(), Fingerprint: ssh.FingerprintSHA256(s.PublicKey())}
	}
	return keys, nil
}

// readHostKeys reads them for the daemon.
func readHostKeys(l config.Layout) ([]ssh.Signer, error) {
	signers := make([]ssh.Signer, len(hostKeys))
	for i, k := range hostKeys {
		path := l.In("etc", k.name)
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if signers[i], err = ssh.ParsePrivateKey(text); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return signers, nil
}

func (u *privateInstallation) makeHostKeys() (err error) {
	u.hostKeys, err = makeHostKeys(u.Layout)
	return err
}

// greetSSH is what the SFTP server says first.
func greetSSH(ctx context.Context, address string) (string, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if end, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(end); err != nil {
			return "", err
		}
	}
	const greeting = "SSH-2.0-Cancale\r\n"
	line := make([]byte, len(greeting))
	if _, err := io.ReadFull(conn, line); err != nil {
		return "", err
	}
	if string(line) != greeting {
		return "", fmt.Errorf("%s: it is no SFTP of ours", address)
	}
	return greeting[:len(greeting)-2], nil
}
