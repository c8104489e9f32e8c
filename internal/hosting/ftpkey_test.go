package hosting_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"math/big"
	"strings"
	"testing"

	"cancale/internal/hosting"

	"golang.org/x/crypto/ssh"
)

func authorized(t *testing.T, public any) string {
	t.Helper()
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

func anEd25519(t *testing.T) (ed25519.PublicKey, ed25519.PrivateKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return public, private
}

// anRSA is a key of that length, not one that could sign.
func anRSA(bits int) *rsa.PublicKey {
	n := make([]byte, bits/8)
	_, _ = rand.Read(n)
	n[0] |= 0x80
	n[len(n)-1] |= 1
	key := &rsa.PublicKey{E: 65537}
	key.N = new(big.Int).SetBytes(n)
	return key
}

func TestParsePublicKey(t *testing.T) {
	public, private := anEd25519(t)
	ed := authorized(t, public)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	blob := strings.Fields(ed)[1]
	putty := "---- BEGIN SSH2 PUBLIC KEY ----\r\nComment: \"portable de Léa\"\r\n" + blob[:40] + "\r\n" + blob[40:] + "\r\n---- END SSH2 PUBLIC KEY ----\r\n"
	for name, text := range map[string]string{
		"ed25519": ed, "with a comment": ed + " lea@portable", "ecdsa": authorized(t, &curve.PublicKey),
		"rsa": authorized(t, anRSA(3072)), "PuTTYgen": putty, "an end of line": ed + "\n",
	} {
		key, err := hosting.ParsePublicKey(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !strings.HasPrefix(key.Fingerprint, "SHA256:") || !strings.HasPrefix(key.Line, key.Kind+" ") || strings.ContainsAny(key.Line, "\r\n") {
			t.Errorf("%s: %+v", name, key)
		}
	}
	if key, err := hosting.ParsePublicKey(putty); err != nil || key.Comment != "portable de Léa" || key.Line != ed {
		t.Errorf("PuTTYgen: %+v, %v", key, err)
	}

	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certificate := &ssh.Certificate{Key: signer.PublicKey(), CertType: ssh.UserCert, ValidBefore: ssh.CertTimeInfinity}
	if err := certificate.SignCert(rand.Reader, signer); err != nil {
		t.Fatal(err)
	}
	dsa := ssh.Marshal(struct {
		Kind       string
		P, Q, G, Y *big.Int
	}{"ssh-dss", anRSA(1024).N, anRSA(160).N, big.NewInt(2), big.NewInt(3)}) // G and Y are below P
	for name, c := range map[string]struct{ text, key string }{
		"nothing":               {" \n", "ftpkey.missing"},
		"a private key":         {"-----BEGIN OPENSSH PRIVATE KEY-----\nxyz\n", "ftpkey.private"},
		"PuTTY's private key":   {"PuTTY-User-Key-File-3: ssh-ed25519\n", "ftpkey.private"},
		"words":                 {"bonjour tout le monde", "ftpkey.invalid"},
		"a command":             {`command="/bin/sh" ` + ed, "ftpkey.options"},
		"an option":             {"no-pty " + ed, "ftpkey.options"},
		"two keys":              {ed + "\n" + ed, "ftpkey.invalid"},
		"a line in the comment": {ed + " a\nssh-rsa b", "ftpkey.invalid"},
		"a control character":   {ed + " \x1b[2J", "ftpkey.invalid"},
		"another name":          {"ssh-rsa " + blob, "ftpkey.invalid"},
		"too long":              {ed + strings.Repeat(" x", 20000), "ftpkey.invalid"},
		"a short RSA key":       {authorized(t, anRSA(1024)), "ftpkey.weak_rsa"},
		"an endless RSA key":    {authorized(t, anRSA(16384)), "ftpkey.weak_rsa"},
		"DSA":                   {"ssh-dss " + base64.StdEncoding.EncodeToString(dsa), "ftpkey.weak_kind"},
		"a certificate":         {string(ssh.MarshalAuthorizedKey(certificate)), "ftpkey.certificate"},
		"half a PuTTY key":      {strings.TrimSuffix(putty, "---- END SSH2 PUBLIC KEY ----\r\n"), "ftpkey.invalid"},
	} {
		_, err := hosting.ParsePublicKey(c.text)
		refused, ok := errors.AsType[*hosting.Error](err)
		if !ok || refused.Message.Key != c.key || refused.Field != "key" {
			t.Errorf("%s: %v, want %s", name, err, c.key)
		}
	}
}

func FuzzParsePublicKey(f *testing.F) {
	f.Add("ssh-ed25519 AAAA comment")
	f.Add("---- BEGIN SSH2 PUBLIC KEY ----\nComment: x\\\ny\nAAAA\n---- END SSH2 PUBLIC KEY ----")
	f.Fuzz(func(t *testing.T, text string) {
		key, err := hosting.ParsePublicKey(text)
		if err == nil && (strings.ContainsAny(key.Line, "\r\n\"\x00") || len(strings.Fields(key.Line)) != 2) {
			t.Errorf("%q makes %q", text, key.Line)
		}
	})
}
