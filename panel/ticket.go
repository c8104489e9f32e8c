package panel

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"cancale/internal/hosting"
)

// keys are what the panel signs and seals with. All follow from the one
// secret of the installation, so that a restarted panel still knows its own
// forms.
type keys struct {
	tickets []byte
	visits  []byte // the passwords of visits follow from it and their tokens
	sealer  cipher.AEAD
}

func newKeys(secret []byte) (keys, error) {
	if len(secret) < 16 {
		return keys{}, fmt.Errorf("panel: the secret has %d bytes, at least 16 are needed", len(secret))
	}
	derive := func(use string) ([]byte, error) { return hkdf.Key(sha256.New, secret, nil, "cancale panel "+use, 32) }
	tickets, err := derive("tickets")
	if err != nil {
		return keys{}, fmt.Errorf("panel: keys: %w", err)
	}
	visits, err := derive("visits of databases")
	if err != nil {
		return keys{}, fmt.Errorf("panel: keys: %w", err)
	}
	sealing, err := derive("parked forms")
	if err != nil {
		return keys{}, fmt.Errorf("panel: keys: %w", err)
	}
	block, err := aes.NewCipher(sealing)
	if err != nil {
		return keys{}, fmt.Errorf("panel: keys: %w", err)
	}
	sealer, err := cipher.NewGCM(block)
	if err != nil {
		return keys{}, fmt.Errorf("panel: keys: %w", err)
	}
	return keys{tickets: tickets, visits: visits, sealer: sealer}, nil
}

// ticket is what each form carries in its one hidden field. It proves that
// the form is ours and was drawn for this browser (CSRF), says for whom and
// for which account it was drawn, so that a form acts for the account that its
// page showed even when another tab has switched since, and its nonce tells a
// form sent twice from two forms.
type ticket struct {
	Nonce   nonce
	Person  hosting.PersonID
	Account hosting.AccountID
}

type nonce [9]byte

func newNonce() (n nonce) {
	_, _ = rand.Read(n[:]) // never fails: crypto/rand.Read aborts the program instead
	return n
}

// ticketMAC is how much of the MAC a ticket carries, in bytes.
const ticketMAC = 18

// issue writes t for the browser that holds the cookie value bound.
func (k keys) issue(t ticket, bound string) string {
	raw := t.appendTo(nil)
	return base64.RawURLEncoding.EncodeToString(append(raw, k.mac(raw, bound)...))
}

// open reads a ticket. Valid reports whether it is ours and was issued to the
// holder of the cookie value bound; a ticket that is not valid may be looked
// at, and must not be believed.
func (k keys) open(s, bound string) (t ticket, valid bool) {
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(raw) < len(t.Nonce)+2+ticketMAC {
		return ticket{}, false
	}
	body, mac := raw[:len(raw)-ticketMAC], raw[len(raw)-ticketMAC:]
	rest := body[copy(t.Nonce[:], body):]
	person, n := binary.Uvarint(rest)
	if n <= 0 {
		return ticket{}, false
	}
	account, m := binary.Uvarint(rest[n:])
	if m <= 0 || n+m != len(rest) {
		return ticket{}, false
	}
	t.Person, t.Account = hosting.PersonID(person), hosting.AccountID(account)
	return t, bound != "" && hmac.Equal(mac, k.mac(body, bound))
}

func (t ticket) appendTo(b []byte) []byte {
	b = append(b, t.Nonce[:]...)
	b = binary.AppendUvarint(b, uint64(t.Person))
	return binary.AppendUvarint(b, uint64(t.Account))
}

func (k keys) mac(body []byte, bound string) []byte {
	h := hmac.New(sha256.New, k.tickets)
	h.Write(body)
	h.Write([]byte{0})
	h.Write([]byte(bound))
	return h.Sum(nil)[:ticketMAC]
}

// seal encrypts data for ourselves, to travel through a browser that must
// neither read nor change it.
func (k keys) seal(data []byte) string {
	n := make([]byte, k.sealer.NonceSize())
	_, _ = rand.Read(n)
	return base64.RawURLEncoding.EncodeToString(k.sealer.Seal(n, n, data, nil))
}

// unseal is the way back; false when s is not ours.
func (k keys) unseal(s string) ([]byte, bool) {
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(raw) < k.sealer.NonceSize() {
		return nil, false
	}
	n := k.sealer.NonceSize()
	data, err := k.sealer.Open(nil, raw[:n], raw[n:], nil)
	return data, err == nil
}
