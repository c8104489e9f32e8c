package main

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"testing"
	"time"

	"cancale/ftpd"
	"cancale/internal/config"
)

func TestCertificate(t *testing.T) {
	l := config.Layout{Root: t.TempDir()}
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ok(os.Mkdir(l.Etc(), 0o700))
	hosts := []string{"panel.example.org", "localhost", "127.0.0.1"}
	now := time.Now()
	ok(makeCertificate(l, hosts, now))
	files, err := openCertificate(l)
	ok(err)
	// again is the certificate that is served, as if some time had passed.
	again := func() *x509.Certificate {
		t.Helper()
		files.looked = time.Time{}
		pair, err := files.ask(nil)
		ok(err)
		return pair.Leaf
	}
	first := again()

	t.Run("it is valid for the names and addresses of the installation", func(t *testing.T) {
		for _, host := range hosts {
			if err := first.VerifyHostname(host); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("only root reads the key", func(t *testing.T) {
		if info, err := os.Stat(keyFile(l)); err != nil || info.Mode() != 0o600 {
			t.Errorf("%v %v", info.Mode(), err)
		}
	})
	t.Run("a second start leaves it", func(t *testing.T) {
		ok(makeCertificate(l, hosts, now))
		if !again().Equal(first) {
			t.Error("it was made anew")
		}
	})
	t.Run("it is made anew before it ends, and served without a restart", func(t *testing.T) {
		ok(makeCertificate(l, hosts, first.NotAfter.Add(-time.Hour)))
		if again().Equal(first) {
			t.Error("the old one is served")
		}
	})
	t.Run("one that was put there is served and never replaced", func(t *testing.T) {
		certificate, key, err := selfSigned([]string{"other.example.org"}, now.Add(-ownValidity))
		ok(err)
		pair, err := tls.X509KeyPair(certificate, key)
		ok(err)
		ok(writeFile(keyFile(l), key, 0o600, 0))
		if again().Equal(pair.Leaf) {
			t.Error("a certificate without its key")
		}
		ok(writeFile(certificateFile(l), certificate, 0o644, 0))
		if !again().Equal(pair.Leaf) {
			t.Error("the old one is served")
		}
		ok(os.WriteFile(certificateFile(l), []byte("broken"), 0o600))
		ok(makeCertificate(l, hosts, now))
		if !again().Equal(pair.Leaf) {
			t.Error("a broken file took the place of the good one")
		}
		if text, err := os.ReadFile(certificateFile(l)); err != nil || string(text) != "broken" {
			t.Errorf("%q %v", text, err)
		}
	})
}

func TestTLSIsOfferedWithACertificateThatClientsTrust(t *testing.T) {
	for _, tt := range []struct {
		asked ftpd.TLSPolicy
		own   bool
		want  ftpd.TLSPolicy
	}{
		{"", true, ftpd.TLSOff},
		{"", false, ftpd.TLSOffered},
		{ftpd.TLSRequired, true, ftpd.TLSRequired},
		{ftpd.TLSOff, false, ftpd.TLSOff},
	} {
		p := ftpPolicy{TLS: tt.asked}
		if p.settle(tt.own); p.TLS != tt.want {
			t.Errorf("%q with a certificate of our own %v: %q, want %q", tt.asked, tt.own, p.TLS, tt.want)
		}
	}
}
