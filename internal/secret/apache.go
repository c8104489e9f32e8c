package secret

import (
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// apacheCost is low because Apache computes the hash anew for each picture of a
// protected page, in a process that all sites share: some 3 ms. The passwords
// that are drawn here need no more.
const apacheCost = 6

// ForApache makes the bcrypt hash of a password as Apache reads it in a file of
// names and passwords.
func ForApache(password string) (string, error) {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), apacheCost)
	if err != nil {
		return "", fmt.Errorf("secret: %w", err)
	}
	// The same algorithm; Apache's documentation knows it by this letter.
	return "$2y$" + strings.TrimPrefix(string(hash), "$2a$"), nil
}
