package panel

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/url"
	"sync"
	"time"
)

// memory is how long the panel remembers what one form led to.
const memory = 15 * time.Minute

// attempts remembers, for each form that was accepted, where it led, so that
// the same form sent again (a double click, a reload) is answered like the
// first time instead of doing it again. It is kept in memory: what a restart
// forgets is still caught by the unique names of the store.
type attempts struct {
	mu    sync.Mutex
	known map[attemptKey]*attempt
	swept time.Time
}

type attemptKey [sha256.Size]byte

type attempt struct {
	done     chan struct{}
	accepted bool
	location string
	at       time.Time
}

// keyOf names one sending of one form: two with the same values are the same,
// a corrected one is another.
func keyOf(n nonce, session, path string, values url.Values) attemptKey {
	return sha256.Sum256(fmt.Appendf(nil, "%x\n%s\n%s\n%s", n, session, path, values.Encode()))
}

// begin waits for an equal attempt under way. It returns the location that an
// earlier one led to, or a function that the caller must call with its own
// outcome.
func (a *attempts) begin(ctx context.Context, key attemptKey, now time.Time) (location string, finish func(location string, accepted bool), err error) {
	for {
		a.mu.Lock()
		a.forget(now)
		earlier, found := a.known[key]
		if !found {
			if a.known == nil {
				a.known = map[attemptKey]*attempt{}
			}
			mine := &attempt{done: make(chan struct{}), at: now}
			a.known[key] = mine
			a.mu.Unlock()
			return "", func(location string, accepted bool) { a.finish(key, mine, location, accepted) }, nil
		}
		a.mu.Unlock()
		select {
		case <-earlier.done:
		case <-ctx.Done():
			return "", nil, ctx.Err()
		}
		if earlier.accepted {
			return earlier.location, nil, nil
		}
	}
}

func (a *attempts) finish(key attemptKey, mine *attempt, location string, accepted bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	mine.location, mine.accepted = location, accepted
	if !accepted {
		delete(a.known, key)
	}
	close(mine.done)
}

// forget drops what is too old; a.mu is held. An attempt under way stays.
func (a *attempts) forget(now time.Time) {
	if now.Sub(a.swept) < memory/10 {
		return
	}
	a.swept = now
	for key, at := range a.known {
		if at.accepted && now.Sub(at.at) > memory {
			delete(a.known, key)
		}
	}
}
