package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"cancale/internal/config"
)

// The installation's own certificate, and its key. `up` makes one that nobody
// has signed; whoever has a better one puts it in its place.
func certificateFile(l config.Layout) string { return l.In("etc", "certificate.pem") }
func keyFile(l config.Layout) string         { return l.In("etc", "key.pem") }

const (
	// ownOrganization marks a certificate that we made ourselves and may replace.
	ownOrganization = "Cancale"
	ownValidity     = 5 * 365 * 24 * time.Hour
	ownRenewal      = 60 * 24 * time.Hour
)

// makeCertificate makes sure that there is a certificate. One of ours is made
// anew before it ends; any other is left alone.
func makeCertificate(l config.Layout, hosts []string, now time.Time) error {
	pair, err := tls.LoadX509KeyPair(certificateFile(l), keyFile(l))
	switch {
	case err == nil:
		if !ours(pair) || now.Add(ownRenewal).Before(pair.Leaf.NotAfter) {
			return nil
		}
	case !errors.Is(err, fs.ErrNotExist):
		slog.Warn("certificate", slog.String("file", certificateFile(l)), slog.Any("error", err))
		return nil // somebody put it there
	}
	certificate, key, err := selfSigned(hosts, now)
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	return errors.Join(writeFile(keyFile(l), key, 0o600, 0), writeFile(certificateFile(l), certificate, 0o644, 0))
}

func ours(pair tls.Certificate) bool {
	return slices.Contains(pair.Leaf.Subject.Organization, ownOrganization)
}

// ownCertificate reports whether the certificate in use is of our own making.
func ownCertificate(l config.Layout) bool {
	pair, err := tls.LoadX509KeyPair(certificateFile(l), keyFile(l))
	return err == nil && ours(pair)
}

// selfSigned is a certificate for some names and addresses, and its key.
func selfSigned(hosts []string, now time.Time) (certificate, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{Organization: []string{ownOrganization}, CommonName: hosts[0]},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(ownValidity),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return nil, nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), nil
}

// certificateFiles is a certificate on the disk, read again when its files have
// changed. A new one that cannot be used does not take the place of the old.
type certificateFiles struct {
	certificate, key string

	mu      sync.Mutex
	pair    *tls.Certificate
	version [2]fileVersion
	looked  time.Time
}

// fileVersion tells whether a file is another one than before.
type fileVersion struct {
	size     int64
	modified time.Time
}

// relook is how often the files are looked at, at most.
const relook = time.Second

// openCertificate reads the installation's certificate.
func openCertificate(l config.Layout) (*certificateFiles, error) {
	c := &certificateFiles{certificate: certificateFile(l), key: keyFile(l)}
	_, err := c.ask(nil)
	return c, err
}

// ask is for tls.Config's GetCertificate.
func (c *certificateFiles) ask(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < relook {
		return c.pair, nil
	}
	version, err := c.versions()
	if err == nil && version != c.version {
		var pair tls.Certificate
		if pair, err = tls.LoadX509KeyPair(c.certificate, c.key); err == nil {
			c.pair, c.version = &pair, version
			slog.Info("certificate read", slog.String("subject", pair.Leaf.Subject.CommonName), slog.Time("until", pair.Leaf.NotAfter))
		}
	}
	if c.pair == nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	if c.looked = time.Now(); err != nil {
		slog.Warn("certificate is not read anew", slog.Any("error", err))
	}
	return c.pair, nil
}

func (c *certificateFiles) versions() (v [2]fileVersion, err error) {
	for i, name := range []string{c.certificate, c.key} {
		info, err := os.Stat(name)
		if err != nil {
			return v, err
		}
		v[i] = fileVersion{info.Size(), info.ModTime()}
	}
	return v, nil
}
