package testenv

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"slices"
	"testing"
)

// Authenticator keeps passkeys and answers for them, with the browser around it,
// as WebAuthn 3 says: ES256, no attestation. Its fields let a test lie.
type Authenticator struct {
	Origin     string // of the page that asks, as the browser tells it
	RPID       string // which the keys are said to be for, when not what is asked
	Unverified bool   // it does not look who holds it
	Keys       []*AuthenticatorKey
}

// AuthenticatorKey is one passkey.
type AuthenticatorKey struct {
	ID, Handle []byte
	Count      uint32

	rpID    string
	private *ecdsa.PrivateKey
}

// What an authenticator says of itself (WebAuthn 3, §6.1).
const (
	flagPresent  = 1 << 0
	flagVerified = 1 << 2
	flagKey      = 1 << 6
)

type credential struct {
	ID       string            `json:"id"`
	RawID    string            `json:"rawId"`
	Type     string            `json:"type"`
	Response map[string]string `json:"response"`
}

// Create makes a key as the options of a page ask, and gives what the page sends.
func (a *Authenticator) Create(tb testing.TB, options []byte) []byte {
	tb.Helper()
	var asked struct {
		Challenge string
		RP        struct{ ID string }
		User      struct{ ID string }
	}
	if err := json.Unmarshal(options, &asked); err != nil {
		tb.Fatalf("options: %v: %s", err, options)
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	key := &AuthenticatorKey{ID: make([]byte, 16), rpID: asked.RP.ID, private: private}
	_, _ = rand.Read(key.ID)
	if key.Handle, err = base64.RawURLEncoding.DecodeString(asked.User.ID); err != nil {
		tb.Fatal(err)
	}
	a.Keys = append(a.Keys, key)
	point, err := private.PublicKey.Bytes()
	if err != nil {
		tb.Fatal(err)
	}
	data := a.data(key, flagKey)
	data = append(data, make([]byte, 16)...) // of no known make
	data = binary.BigEndian.AppendUint16(data, uint16(len(key.ID)))
	data = append(data, key.ID...)
	data = append(data, 0xa5, 1, 2, 3, 0x26, 0x20, 1) // a map of five: EC2, ES256, P-256, x, y
	data = slices.Concat(data, []byte{0x21, 0x58, 32}, point[1:33], []byte{0x22, 0x58, 32}, point[33:])
	object := slices.Concat([]byte("\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58"), []byte{byte(len(data))}, data)
	return key.answer(tb, map[string]string{"clientDataJSON": text(a.client(tb, "webauthn.create", asked.Challenge)), "attestationObject": text(object)})
}

// Get signs with the first key that the options of a page allow.
func (a *Authenticator) Get(tb testing.TB, options []byte) []byte {
	tb.Helper()
	var asked struct {
		Challenge        string
		AllowCredentials []struct{ ID string }
	}
	if err := json.Unmarshal(options, &asked); err != nil {
		tb.Fatalf("options: %v: %s", err, options)
	}
	for _, key := range a.Keys {
		if len(asked.AllowCredentials) == 0 || slices.Contains(asked.AllowCredentials, struct{ ID string }{text(key.ID)}) {
			return a.Sign(tb, key, asked.Challenge)
		}
	}
	tb.Fatal("the authenticator has no such key")
	return nil
}

// Sign is the answer of one key to a challenge, whether or not it was asked.
func (a *Authenticator) Sign(tb testing.TB, key *AuthenticatorKey, challenge string) []byte {
	tb.Helper()
	key.Count++
	data, client := a.data(key, 0), a.client(tb, "webauthn.get", challenge)
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(slices.Concat(data, hash[:]))
	signature, err := ecdsa.SignASN1(rand.Reader, key.private, digest[:])
	if err != nil {
		tb.Fatal(err)
	}
	return key.answer(tb, map[string]string{
		"clientDataJSON": text(client), "authenticatorData": text(data), "signature": text(signature), "userHandle": text(key.Handle),
	})
}

func (a *Authenticator) data(key *AuthenticatorKey, flags byte) []byte {
	rpID := key.rpID
	if a.RPID != "" {
		rpID = a.RPID
	}
	if flags |= flagPresent; !a.Unverified {
		flags |= flagVerified
	}
	hash := sha256.Sum256([]byte(rpID))
	return binary.BigEndian.AppendUint32(append(hash[:], flags), key.Count)
}

func (a *Authenticator) client(tb testing.TB, act, challenge string) []byte {
	tb.Helper()
	raw, err := json.Marshal(map[string]any{"type": act, "challenge": challenge, "origin": a.Origin, "crossOrigin": false})
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func (k *AuthenticatorKey) answer(tb testing.TB, response map[string]string) []byte {
	tb.Helper()
	raw, err := json.Marshal(credential{ID: text(k.ID), RawID: text(k.ID), Type: "public-key", Response: response})
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func text(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
