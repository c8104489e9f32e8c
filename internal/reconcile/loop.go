// Package reconcile works on keys: it merges equal ones, gives each to one
// worker at a time, tries again what failed, and goes over all of them again
// and again.
//
// It knows nothing about what a key stands for. A key is a name, not an event:
// whoever works on it reads for himself what should be.
package reconcile

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// Bounds of the wait before something that failed is tried again.
const (
	MinBackoff = time.Second
	MaxBackoff = 10 * time.Minute
)

// Backoff is the wait after so many failures in a row: it doubles from
// MinBackoff to MaxBackoff and is spread by a fifth either way, so that what
// failed together is not tried again together.
func Backoff(failures int) time.Duration {
	d := MaxBackoff
	if n := max(failures, 1) - 1; n < 10 { // 2^10 s is beyond MaxBackoff
		d = min(MinBackoff<<n, MaxBackoff)
	}
	return d + time.Duration((rand.Float64()-0.5)*0.4*float64(d)) //nolint:gosec // G404: a spread, not a secret
}

// Config is what a loop needs to be told.
type Config[K comparable] struct {
	// Workers is how many keys are worked on at a time; Background is how many
	// of these may be taken by keys that only List named, so that there is
	// always room for what somebody waits for.
	Workers, Background int

	// Do brings what the key names to where it should be. An error makes the
	// loop try again after a backoff.
	Do func(ctx context.Context, key K) error

	// Longest bounds the wait before that; zero is MaxBackoff.
	Longest time.Duration

	// List names all keys. It is asked at the start and every Every.
	List  func(ctx context.Context) ([]K, error)
	Every time.Duration

	// Listed is called after each list was queued; Failed with each error of
	// Do (a *PanicError when it panicked) and the wait that follows, and with
	// each error of List, or panic in it, and the zero key. Both may be nil; Failed may be called
	// by several goroutines at once.
	Listed func(n int)
	Failed func(key K, err error, again time.Duration)
}

// PanicError is a panic in Do, which ends that attempt and nothing else.
type PanicError struct {
	Value any
	Stack []byte
}

// Error is the text for logs.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Protect turns a panic in do into an error. A panic ends the process from
// whichever goroutine it comes: who starts one for a key protects it, too.
func Protect(do func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return do()
}

// Loop is a queue of keys and those who work on them.
type Loop[K comparable] struct {
	cfg Config[K]

	mu           sync.Mutex
	ctx          context.Context //nolint:containedctx // of Run: workers are started by Add, too
	states       map[K]*state
	fresh        queue[K]
	background   queue[K]
	running      int // workers
	inBackground int // of these, on keys that only List named
	workers      sync.WaitGroup
}

// lane is where a key waits for a worker.
type lane uint8

const (
	nowhere lane = iota
	inBackground
	inFresh
)

// state is what the loop knows of a key that is queued, worked on or waiting
// to be tried again. A key without a state is at rest.
type state struct {
	queued   lane
	working  bool
	again    lane // asked for while it was worked on
	failures int
	timer    *time.Timer // set while it waits to be tried again
}

// New makes a loop. Keys may be added before it runs.
func New[K comparable](cfg Config[K]) *Loop[K] {
	return &Loop[K]{cfg: cfg, states: map[K]*state{}}
}

// Add asks for keys to be worked on as soon as a worker is free, before all
// that only List named.
func (l *Loop[K]) Add(keys ...K) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range keys {
		l.enqueue(k, inFresh)
	}
	l.dispatch()
}

// Run works until ctx ends and all workers have come back.
func (l *Loop[K]) Run(ctx context.Context) {
	l.mu.Lock()
	l.ctx = ctx
	l.dispatch()
	l.mu.Unlock()

	l.relist(ctx)
	<-ctx.Done()

	l.mu.Lock()
	for _, s := range l.states {
		if s.timer != nil {
			s.timer.Stop()
		}
	}
	l.mu.Unlock()
	l.workers.Wait()
}

// relist queues all keys now and every Every, until ctx ends.
func (l *Loop[K]) relist(ctx context.Context) {
	for failures := 0; ; {
		wait := l.cfg.Every
		var keys []K
		err := Protect(func() (err error) {
			keys, err = l.cfg.List(ctx)
			return err
		})
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			failures++
			wait = min(Backoff(failures), l.cfg.Every)
			l.failed(*new(K), err, wait)
		default:
			failures = 0
			l.addBackground(keys)
			if l.cfg.Listed != nil {
				l.cfg.Listed(len(keys))
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func (l *Loop[K]) addBackground(keys []K) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range keys {
		// What waits to be tried again keeps waiting.
		if s := l.states[k]; s == nil || s.timer == nil {
			l.enqueue(k, inBackground)
		}
	}
	l.dispatch()
}

// enqueue notes that k is to be worked on. A key that is already queued in an
// equal or better lane stays where it is.
func (l *Loop[K]) enqueue(k K, to lane) {
	s := l.states[k]
	if s == nil {
		s = &state{}
		l.states[k] = s
	}
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	if s.working {
		s.again = max(s.again, to)
		return
	}
	if s.queued >= to {
		return
	}
	s.queued = to
	if to == inFresh {
		l.fresh.push(k) // one that waits in the background is passed over there
	} else {
		l.background.push(k)
	}
}

// dispatch gives queued keys to workers while there is room.
func (l *Loop[K]) dispatch() {
	if l.ctx == nil || l.ctx.Err() != nil {
		return
	}
	for l.running < l.cfg.Workers {
		k, from, ok := l.next()
		if !ok {
			return
		}
		s := l.states[k]
		s.queued, s.working = nowhere, true
		l.running++
		if from == inBackground {
			l.inBackground++
		}
		ctx := l.ctx
		l.workers.Go(func() {
			err := Protect(func() error { return l.cfg.Do(ctx, k) })
			l.done(k, from, err)
		})
	}
}

// next is the key to work on now, if any.
func (l *Loop[K]) next() (K, lane, bool) {
	if k, ok := l.pop(&l.fresh, inFresh); ok {
		return k, inFresh, true
	}
	if l.inBackground < l.cfg.Background {
		if k, ok := l.pop(&l.background, inBackground); ok {
			return k, inBackground, true
		}
	}
	return *new(K), nowhere, false
}

// pop takes the first key of a queue that is still meant to be there.
func (l *Loop[K]) pop(q *queue[K], in lane) (K, bool) {
	for {
		k, ok := q.pop()
		if !ok {
			return k, false
		}
		if s := l.states[k]; s != nil && s.queued == in {
			return k, true
		}
	}
}

// done notes how an attempt ended and lets the next key in.
func (l *Loop[K]) done(k K, from lane, err error) {
	wait := l.settle(k, from, err)
	if err != nil {
		l.failed(k, err, wait)
	}
}

func (l *Loop[K]) settle(k K, from lane, err error) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.dispatch()

	l.running--
	if from == inBackground {
		l.inBackground--
	}
	s := l.states[k]
	s.working = false
	again := s.again
	s.again = nowhere
	if err == nil {
		s.failures = 0
	} else {
		s.failures++
		if wait = Backoff(s.failures); l.cfg.Longest > 0 {
			wait = min(wait, l.cfg.Longest)
		}
	}
	switch {
	case again != nowhere:
		l.enqueue(k, again)
	case err != nil:
		s.timer = time.AfterFunc(wait, func() { l.due(k, s, from) })
	default:
		delete(l.states, k)
	}
	return wait
}

// due puts a key that failed back into the queue, unless somebody asked for it
// meanwhile.
func (l *Loop[K]) due(k K, s *state, to lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.timer == nil || l.states[k] != s {
		return
	}
	l.enqueue(k, to)
	l.dispatch()
}

func (l *Loop[K]) failed(k K, err error, wait time.Duration) {
	if l.cfg.Failed != nil {
		l.cfg.Failed(k, err, wait)
	}
}

// queue is first in, first out.
type queue[K any] struct {
	items []K
	head  int
}

func (q *queue[K]) push(k K) { q.items = append(q.items, k) }

func (q *queue[K]) pop() (K, bool) {
	if q.head == len(q.items) {
		q.items, q.head = nil, 0
		return *new(K), false
	}
	k := q.items[q.head]
	if q.head++; q.head > 1024 && q.head > len(q.items)/2 {
		q.items, q.head = slices.Clone(q.items[q.head:]), 0
	}
	return k, true
}
