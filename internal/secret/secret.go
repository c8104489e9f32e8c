// Package secret hashes and checks passwords, and draws passwords and tokens.
// It never keeps or logs one.
package secret

import (
	"context"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // MariaDB's mysql_native_password is made of it
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Argon2id, with one of the pairs that OWASP's cheat sheet on password storage
// holds to be equally strong (m=46 MiB t=1 … m=7 MiB t=5). The smallest memory
// is the right one for a panel that shares its machine with the sites it
// serves: a burst of sign-ins costs parallel × 7 MiB and no more.
const (
	memoryKiB = 7 * 1024
	passes    = 5
	lanes     = 1
	saltBytes = 16
	keyBytes  = 32
)

// parallel bounds how many hashes are computed at once; the others wait. Two
// hold 14 MiB, and three times as much before the garbage collector follows:
// eight sign-ins at once stay below 64 MB, and a hundred a second get through.
const parallel = 2

var slots = make(chan struct{}, parallel)

// What an encoded hash may ask for. It comes from a table; a corrupt row must
// not cost a gigabyte.
const (
	maxMemoryKiB = 64 * 1024
	maxPasses    = 16
	maxPassword  = 1024 // bytes; more is no password but an attack
)

// errEncoding is the cause when a stored hash is none of ours.
var errEncoding = errors.New("secret: not an argon2id hash")

// Hash makes the encoded argon2id hash of a password.
func Hash(ctx context.Context, password string) (string, error) {
	if len(password) > maxPassword {
		return "", fmt.Errorf("secret: a password has at most %d bytes", maxPassword)
	}
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails: crypto/rand.Read aborts the program instead
	key, err := derive(ctx, password, salt, passes, memoryKiB, lanes, keyBytes)
	if err != nil {
		return "", err
	}
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memoryKiB, passes, lanes,
		b64.EncodeToString(salt), b64.EncodeToString(key)), nil
}

// dummy is checked when there is no hash, so that an unknown name costs what a
// known one does. No password can be the one of an all-zero key.
var dummy = fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memoryKiB, passes, lanes,
	base64.RawStdEncoding.EncodeToString(make([]byte, saltBytes)), base64.RawStdEncoding.EncodeToString(make([]byte, keyBytes)))

// Check reports whether the password is the one of the encoded hash. An empty
// hash is checked against a dummy: it takes as long, and is never right.
func Check(ctx context.Context, encoded, password string) (bool, error) {
	known := encoded != ""
	if !known {
		encoded = dummy
	}
	var version, memory, time, threads uint32
	params, rest, ok := cutParams(encoded)
	if !ok {
		return false, errEncoding
	}
	if _, err := fmt.Sscanf(params, "$argon2id$v=%d$m=%d,t=%d,p=%d", &version, &memory, &time, &threads); err != nil {
		return false, errEncoding
	}
	saltText, keyText, _ := strings.Cut(rest, "$")
	salt, err1 := base64.RawStdEncoding.DecodeString(saltText)
	key, err2 := base64.RawStdEncoding.DecodeString(keyText)
	switch {
	case err1 != nil || err2 != nil || len(salt) < 8 || len(key) < 16 || len(key) > 64,
		version != argon2.Version, memory == 0 || memory > maxMemoryKiB, time == 0 || time > maxPasses, threads == 0 || threads > 8:
		return false, errEncoding
	}
	if len(password) > maxPassword {
		password, known = "", false
	}
	got, err := derive(ctx, password, salt, time, memory, uint8(threads), uint32(len(key)))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, key) == 1 && known, nil
}

// cutParams splits "$argon2id$v=…$m=…$salt$key" before the salt.
func cutParams(encoded string) (params, rest string, ok bool) {
	at := 0
	for range 4 { // the fourth dollar opens the salt
		i := strings.IndexByte(encoded[at:], '$')
		if i < 0 {
			return "", "", false
		}
		at += i + 1
	}
	return encoded[:at-1], encoded[at:], true
}

// derive waits for a slot and computes.
func derive(ctx context.Context, password string, salt []byte, time, memory uint32, threads uint8, length uint32) ([]byte, error) {
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("secret: waiting to hash: %w", ctx.Err())
	}
	defer func() { <-slots }()
	return argon2.IDKey([]byte(password), salt, time, memory, threads, length), nil
}

// alphabet leaves out what is read as something else: 0 and o, 1, i and l. It
// has 31 letters; a draw that would favour some is thrown away.
const alphabet = "abcdefghjkmnpqrstuvwxyz23456789"

const (
	passwordGroups = 4
	groupLetters   = 5
)

// NewPassword draws a password that can be read aloud and typed: four groups
// of five letters, 99 bits.
func NewPassword() string {
	var b strings.Builder
	var draw [1]byte
	for i := 0; i < passwordGroups*groupLetters; {
		_, _ = rand.Read(draw[:])
		if int(draw[0]) >= 256/len(alphabet)*len(alphabet) {
			continue
		}
		if i > 0 && i%groupLetters == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(alphabet[int(draw[0])%len(alphabet)])
		i++
	}
	return b.String()
}

const tokenBytes = 32

// NewToken draws a token for an address or a cookie: 256 bits.
func NewToken() string {
	var b [tokenBytes]byte
	_, _ = rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// HashToken is what is stored of a token. A token is long and random, so that
// one pass of SHA-256 keeps it.
func HashToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// NativeHash is the mysql_native_password string of a password: "*" and 40 hex
// digits, as the PASSWORD() of MariaDB makes it.
func NativeHash(password string) string {
	first := sha1.Sum([]byte(password)) //nolint:gosec // as above
	second := sha1.Sum(first[:])        //nolint:gosec // as above
	return "*" + strings.ToUpper(hex.EncodeToString(second[:]))
}

// NewBytes draws n bytes.
func NewBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}
