package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
)

// Sealer encrypts what has to be read again, such as the password of the mail
// server: a copy of the database alone does not tell it. The zero Sealer has
// no key and refuses.
type Sealer struct{ key []byte }

// NewSealer makes a sealer of an installation's secret.
func NewSealer(key []byte) Sealer { return Sealer{key} }

// errSealed is the cause when something cannot be opened.
var errSealed = errors.New("secret: this was not sealed here, or was changed")

// minKey is the shortest secret to seal with, in bytes.
const minKey = 16

// aead is the cipher for one use: what is sealed for one is not opened as
// another.
func (s Sealer) aead(use string) (cipher.AEAD, error) {
	if len(s.key) < minKey {
		return nil, errors.New("secret: no key to seal with")
	}
	key, err := hkdf.Key(sha256.New, s.key, nil, "cancale seal "+use, 32)
	if err != nil {
		return nil, fmt.Errorf("secret: seal: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("secret: seal: %w", err)
	}
	return cipher.NewGCM(block)
}

// Seal encrypts data for one use.
func (s Sealer) Seal(use string, data []byte) ([]byte, error) {
	aead, err := s.aead(use)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails: crypto/rand.Read aborts the program instead
	return aead.Seal(nonce, nonce, data, nil), nil
}

// Open is the way back.
func (s Sealer) Open(use string, sealed []byte) ([]byte, error) {
	aead, err := s.aead(use)
	if err != nil {
		return nil, err
	}
	if len(sealed) < aead.NonceSize() {
		return nil, errSealed
	}
	data, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], nil)
	if err != nil {
		return nil, errSealed
	}
	return data, nil
}
