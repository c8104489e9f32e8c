package hosting

import (
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// FTPKeyID identifies a public key of an FTP login.
type FTPKeyID uint64

// FTPKey is a public key that opens an FTP login by SFTP, in place of the
// password.
type FTPKey struct {
	ID          FTPKeyID
	FTPLoginID  FTPLoginID
	Label       string
	Kind        string // "ssh-ed25519"
	Fingerprint string // "SHA256:…", as ssh-keygen -l shows it
	PublicKey   string // a line of authorized_keys without its comment
	CreatedAt   time.Time
	LastUsedAt  *time.Time
}

// PublicKey is a key as somebody gave it, parsed.
type PublicKey struct {
	Kind        string
	Fingerprint string
	Line        string // as in authorized_keys, without the comment
	Comment     string
}

const (
	maxKeyText = 16 << 10 // bytes of what is pasted
	// MaxFTPKeys is how many keys one login may have.
	MaxFTPKeys = 20
	// What RSA keys have: below it is weak, above it only costs time.
	minRSABits = 2048
	maxRSABits = 8192
)

// ParsePublicKey accepts one public key: a line of OpenSSH's, or what PuTTYgen
// saves (RFC 4716). Options before the key, certificates and weak keys are
// refused.
func ParsePublicKey(text string) (PublicKey, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return PublicKey{}, Refuse(Invalid, "key", "ftpkey.missing")
	case len(text) > maxKeyText:
		return PublicKey{}, Refuse(Invalid, "key", "ftpkey.invalid")
	case strings.Contains(text, "PRIVATE KEY") || strings.HasPrefix(text, "PuTTY-User-Key-File"):
		return PublicKey{}, Refuse(Invalid, "key", "ftpkey.private")
	}
	line, err := oneKeyLine(text)
	if err != nil {
		return PublicKey{}, Refuse(Invalid, "key", "ftpkey.invalid")
	}
	key, comment, options, _, err := ssh.ParseAuthorizedKey([]byte(line))
	switch {
	case err != nil:
		return PublicKey{}, Refuse(Invalid, "key", "ftpkey.invalid")
	case len(options) > 0:
		return PublicKey{}, Refuse(Invalid, "key", "ftpkey.options")
	}
	if err := strongKey(key); err != nil {
		return PublicKey{}, err
	}
	if comment, err = ParseLabel("label", comment); err != nil {
		comment = ""
	}
	return PublicKey{
		Kind: key.Type(), Fingerprint: ssh.FingerprintSHA256(key),
		Line: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))), Comment: comment,
	}, nil
}

var errNoKey = errors.New("not one public key")

// oneKeyLine makes one line of the two forms that a key comes in.
func oneKeyLine(text string) (string, error) {
	const begin, end = "---- BEGIN SSH2 PUBLIC KEY ----", "---- END SSH2 PUBLIC KEY ----"
	if strings.ContainsFunc(text, func(r rune) bool { return isControl(r) && r != '\n' && r != '\r' && r != '\t' }) {
		return "", errNoKey
	}
	if !strings.HasPrefix(text, begin) {
		if strings.ContainsAny(text, "\r\n") {
			return "", errNoKey // several keys, or one that was cut into lines
		}
		return text, nil
	}
	body, after, whole := strings.Cut(strings.TrimPrefix(text, begin), end)
	if !whole || strings.TrimSpace(after) != "" {
		return "", errNoKey
	}
	var key, comment strings.Builder
	continued := false
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		name, value, header := strings.Cut(line, ":")
		if header || continued {
			if strings.EqualFold(name, "Comment") {
				comment.WriteString(strings.Trim(strings.TrimSuffix(strings.TrimSpace(value), `\`), `"`))
			}
			continued = strings.HasSuffix(line, `\`)
			continue
		}
		key.WriteString(line)
	}
	blob, err := base64.StdEncoding.DecodeString(key.String())
	if err != nil {
		return "", err
	}
	parsed, err := ssh.ParsePublicKey(blob)
	if err != nil {
		return "", err
	}
	return parsed.Type() + " " + key.String() + " " + comment.String(), nil
}

// strongKey refuses kinds and lengths of keys that are no longer trusted, and
// those that say more than who somebody is.
func strongKey(key ssh.PublicKey) error {
	if _, ok := key.(*ssh.Certificate); ok {
		return Refuse(Invalid, "key", "ftpkey.certificate")
	}
	switch key.Type() {
	case ssh.KeyAlgoED25519, ssh.KeyAlgoSKED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoSKECDSA256:
		return nil
	case ssh.KeyAlgoRSA:
		crypto, ok := key.(ssh.CryptoPublicKey)
		if !ok {
			return Refuse(Invalid, "key", "ftpkey.weak_kind", key.Type())
		}
		public, ok := crypto.CryptoPublicKey().(*rsa.PublicKey)
		if !ok {
			return Refuse(Invalid, "key", "ftpkey.weak_kind", key.Type())
		}
		if n := public.N.BitLen(); n < minRSABits || n > maxRSABits {
			return Refuse(Invalid, "key", "ftpkey.weak_rsa", strconv.Itoa(n), strconv.Itoa(minRSABits), strconv.Itoa(maxRSABits))
		}
		return nil
	}
	return Refuse(Invalid, "key", "ftpkey.weak_kind", key.Type())
}
