// Package secret hashes and checks passwords, and draws passwords and tokens.
// It never keeps or logs one.
package secret

import "context"

// Hash makes the encoded argon2id hash of a password.
func Hash(ctx context.Context, password string) (string, error) { panic("unfinished") }

// Check reports whether the password is the one of the encoded hash. An empty
// or unknown hash is checked against a dummy, so that it takes as long, and is
// never right.
func Check(ctx context.Context, encoded, password string) (bool, error) { panic("unfinished") }

// NewPassword draws a password that can be read aloud and typed.
func NewPassword() string { panic("unfinished") }

// NewToken draws a token for an address or a cookie.
func NewToken() string { panic("unfinished") }

// HashToken is what is stored of a token.
func HashToken(token string) []byte { panic("unfinished") }

// NativeHash is the mysql_native_password string of a password.
func NativeHash(password string) string { panic("unfinished") }
