package secret

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"maps"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// Recent remembers for a while which passwords were right, so that a program
// that opens ten connections at once pays for one hash and not for ten.
//
// It holds no password: what it holds is an HMAC of the password and of its
// stored hash, under a key that is drawn for this process, stays in its memory
// and ends with it. A password that was changed is therefore not remembered, and
// one that is wrong costs what it always costs.
type Recent struct {
	key    [32]byte
	flight singleflight.Group

	mu    sync.Mutex
	right map[[sha256.Size]byte]time.Time // until when
}

const (
	recentTime = 10 * time.Minute
	recentMost = 4096 // about half a megabyte
)

// NewRecent remembers nothing yet.
func NewRecent() *Recent {
	r := &Recent{right: map[[sha256.Size]byte]time.Time{}}
	_, _ = rand.Read(r.key[:]) // never fails
	return r
}

// Check is the function Check, at once for what was right a moment ago.
func (r *Recent) Check(ctx context.Context, encoded, password string) (bool, error) {
	if encoded == "" || len(password) > maxPassword {
		return Check(ctx, encoded, password)
	}
	mark := r.mark(encoded, password)
	if r.knows(mark) {
		return true, nil
	}
	found, err, shared := r.flight.Do(string(mark[:]), func() (any, error) { return Check(ctx, encoded, password) })
	if err != nil && shared && ctx.Err() == nil { // it was the other's time that was over
		found, err = Check(ctx, encoded, password)
	}
	right, _ := found.(bool)
	if err == nil && right {
		r.remember(mark)
	}
	return right, err
}

func (r *Recent) mark(encoded, password string) (mark [sha256.Size]byte) {
	h := hmac.New(sha256.New, r.key[:])
	_, _ = h.Write([]byte(encoded)) // holds no zero byte
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(password))
	h.Sum(mark[:0])
	return mark
}

func (r *Recent) knows(mark [sha256.Size]byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Before(r.right[mark])
}

func (r *Recent) remember(mark [sha256.Size]byte) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.right) >= recentMost {
		maps.DeleteFunc(r.right, func(_ [sha256.Size]byte, until time.Time) bool { return now.After(until) })
	}
	for other := range r.right { // any one, when all are fresh
		if len(r.right) < recentMost {
			break
		}
		delete(r.right, other)
	}
	r.right[mark] = now.Add(recentTime)
}
