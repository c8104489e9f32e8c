package panel

import (
	"sync"
	"time"
)

// shelf keeps things between the answer to a form and the page that follows
// it: a password that is shown once, the values of a form to be filled in
// again. Each is bound to one session and one path, is taken once, and is
// never written anywhere.
type shelf[T any] struct {
	mu    sync.Mutex
	items map[place]item[T]
}

type place struct{ session, path string }

type item[T any] struct {
	value T
	until time.Time
}

const (
	// shelfLife is how long a thing waits for its page.
	shelfLife = 5 * time.Minute
	// shelfRoom bounds the memory that pages never fetched can hold.
	shelfRoom = 10_000
)

func (s *shelf[T]) put(session, path string, value T, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.items == nil {
		s.items = map[place]item[T]{}
	}
	oldest, first := place{}, now.Add(shelfLife)
	for p, it := range s.items {
		if now.After(it.until) {
			delete(s.items, p)
		} else if it.until.Before(first) {
			oldest, first = p, it.until
		}
	}
	if len(s.items) >= shelfRoom {
		delete(s.items, oldest) // whoever fills the shelf pushes off what waits longest
	}
	s.items[place{session, path}] = item[T]{value, now.Add(shelfLife)}
}

// look is take without taking.
func (s *shelf[T]) look(session, path string, now time.Time) (value T, found bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it, found := s.items[place{session, path}]
	if !found || now.After(it.until) {
		return value, false
	}
	return it.value, true
}

func (s *shelf[T]) take(session, path string, now time.Time) (value T, found bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it, found := s.items[place{session, path}]
	if !found {
		return value, false
	}
	delete(s.items, place{session, path})
	if now.After(it.until) {
		return value, false
	}
	return it.value, true
}
