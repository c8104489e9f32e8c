package apache

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"time"

	"cancale/internal/config"
)

// Arguments are those with which Apache runs in the foreground.
func (d *Driver) Arguments() []string {
	return []string{"-DFOREGROUND", "-f", filepath.Join(d.h.Layout().Apache(), "apache2"+confSuffix)}
}

// Program is the path of the daemon.
func (d *Driver) Program() string { return d.cfg.program() }

// Modules are the files that the server loads code from.
func (d *Driver) Modules() []string {
	files := make([]string, len(modules))
	for i, name := range modules {
		files[i] = filepath.Join(d.cfg.modules(), "mod_"+name+".so")
	}
	return files
}

// Environment is all that Apache may know of its surroundings: a .htaccess can
// read it.
func Environment() []string {
	return []string{"PATH=/usr/bin:/bin", "LANG=C"}
}

func (d *Driver) serverFile() string {
	return filepath.Join(d.h.Layout().Apache(), "server"+confSuffix)
}

func (d *Driver) checkFile() string {
	return filepath.Join(d.h.Layout().Apache(), "check"+confSuffix)
}

// Sweep removes what a killed process left half-written. It is for whoever calls
// Ensure and Remove, before the first of them.
func (d *Driver) Sweep() error {
	l := d.h.Layout()
	for _, dir := range []string{l.Apache(), d.sitesDir(), l.In("log", "names")} {
		if err := d.h.Sweep(dir); err != nil {
			return fmt.Errorf("apache: %w", err)
		}
	}
	return nil
}

// Boot prepares everything for a start of Apache, which must not run: the
// server's own part is written, and site files with which Apache would not
// start are set aside until their next Ensure, so that one of them never stops
// the others. Ensure and Remove may be at work elsewhere meanwhile.
func (d *Driver) Boot(ctx context.Context) error {
	if err := d.ensureDirs(); err != nil {
		return err
	}
	if err := d.ensureCertificate(time.Now()); err != nil {
		return err
	}
	if err := d.writeServer(); err != nil {
		return err
	}
	err := d.runCheck(ctx, append([]string{"-t"}, d.Arguments()[1:]...))
	if err == nil {
		return nil
	}
	return d.setAside(ctx, err)
}

// ensureDirs makes the directories that hold what Apache reads and writes.
func (d *Driver) ensureDirs() error {
	l := d.h.Layout()
	if _, err := d.h.EnsureDir(l.Passwords(), passwordDirMode, 0, config.ApacheUID); err != nil {
		return fmt.Errorf("apache: %w", err)
	}
	for _, dir := range []string{l.Logs(), l.In("log", "sites")} { // the panel reads what visitors did
		if _, err := d.h.EnsureDir(dir, logDirMode, 0, config.PanelUID); err != nil {
			return fmt.Errorf("apache: %w", err)
		}
	}
	for _, dir := range []struct {
		path string
		mode fs.FileMode
	}{
		{l.Apache(), dirMode},
		{d.sitesDir(), dirMode},
		{l.Run(), 0o711},
		{l.ApacheRun(), dirMode},
		{l.Homes(), 0o711},
		{l.Sockets(), 0o711},
		{l.Pages(), 0o711},
		{l.In("log", "names"), dirMode},
		{l.Counts(), dirMode},
	} {
		if _, err := d.h.EnsureDir(dir.path, dir.mode, 0, 0); err != nil {
			return fmt.Errorf("apache: %w", err)
		}
	}
	// Candidates are checked in it, so it is there before the first of them.
	for path, data := range map[string][]byte{d.checkFile(): renderCheck(l, d.cfg), maintenanceFile(l): renderMaintenance()} {
		if _, err := d.h.WriteFile(path, data, fileMode, 0, 0); err != nil {
			return fmt.Errorf("apache: %w", err)
		}
	}
	return nil
}

func (d *Driver) writeServer() error {
	l := d.h.Layout()
	server, err := RenderServer(l, d.cfg)
	if err != nil {
		return err
	}
	main := fmt.Appendf(nil, "Include %q\nIncludeOptional %q\n", d.serverFile(), filepath.Join(d.sitesDir(), "*"+confSuffix))
	for path, data := range map[string][]byte{
		d.serverFile():   server,
		suspendedFile(l): renderSuspended(d.cfg),
		d.Arguments()[2]: main,
	} {
		if _, err := d.h.WriteFile(path, data, fileMode, 0, 0); err != nil {
			return fmt.Errorf("apache: %w", err)
		}
	}
	return nil
}

// setAside finds the files that Apache refuses, alone or among the others, and
// renames them so that it does not read them. refusal is what it said of all.
func (d *Driver) setAside(ctx context.Context, refusal error) error {
	if err := d.checkFiles(ctx, nil); err != nil {
		return fmt.Errorf("apache: the server's own part: %w", err)
	}
	entries, err := os.ReadDir(d.sitesDir())
	if err != nil {
		return fmt.Errorf("apache: %w", err)
	}
	var files []string
	for _, e := range entries {
		if filepath.Ext(e.Name()) == confSuffix {
			files = append(files, filepath.Join(d.sitesDir(), e.Name()))
		}
	}
	var good []string
	var admit func(part []string) error
	admit = func(part []string) error {
		if len(part) == 0 {
			return nil
		}
		err := d.checkFiles(ctx, append(slices.Clip(good), part...))
		switch {
		case err == nil:
			good = append(good, part...)
			return nil
		case ctx.Err() != nil:
			return err
		case len(part) == 1:
			slog.ErrorContext(ctx, "virtual host set aside: Apache would not start with it",
				slog.String("file", filepath.Base(part[0])), slog.Any("error", err))
			return d.h.Rename(part[0], part[0]+asideSuffix)
		}
		return errors.Join(admit(part[:len(part)/2]), admit(part[len(part)/2:]))
	}
	if err := admit(files); err != nil {
		return fmt.Errorf("apache: set aside (%w): %w", refusal, err)
	}
	return nil
}

const (
	certificateYears = 10
	renewBefore      = 180 * 24 * time.Hour
)

// ensureCertificate keeps the neutral certificate, which names no site, for
// visitors who ask on the HTTPS port for a name that no site bears there.
func (d *Driver) ensureCertificate(now time.Time) error {
	path := filepath.Join(d.h.Layout().Apache(), "neutral.pem")
	if data, err := os.ReadFile(path); err == nil && usable(data, now) {
		_, err := d.h.WriteFile(path, data, fileMode, 0, 0) // for its mode
		return err
	}
	data, err := newCertificate(now)
	if err != nil {
		return fmt.Errorf("apache: neutral certificate: %w", err)
	}
	_, err = d.h.WriteFile(path, data, fileMode, 0, 0)
	return err
}

func usable(data []byte, now time.Time) bool {
	key, rest := pem.Decode(data)
	cert, _ := pem.Decode(rest)
	if key == nil || cert == nil {
		return false
	}
	parsed, err := x509.ParseCertificate(cert.Bytes)
	if err != nil || now.Add(renewBefore).After(parsed.NotAfter) {
		return false
	}
	_, err = x509.ParsePKCS8PrivateKey(key.Bytes)
	return err == nil
}

func newCertificate(now time.Time) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: NeutralName},
		DNSNames:     []string{NeutralName},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.AddDate(certificateYears, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = errors.Join(
		pem.Encode(&b, &pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: cert}),
	)
	return b.Bytes(), err
}
