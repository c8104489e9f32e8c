package reconcile

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// ledger records what was worked on, and lets a test hold workers up.
type ledger struct {
	mu   sync.Mutex
	done []string
	busy map[string]int
	most int
	hold map[string]chan struct{}
	err  func(key string, attempt int) error
	n    map[string]int
}

func (l *ledger) do(_ context.Context, key string) error {
	l.mu.Lock()
	l.busy[key]++
	l.most = max(l.most, l.busy[key])
	l.n[key]++
	n, hold := l.n[key], l.hold[key]
	l.mu.Unlock()
	if hold != nil {
		<-hold
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy[key]--
	l.done = append(l.done, key)
	if l.err != nil {
		return l.err(key, n)
	}
	return nil
}

func (l *ledger) seen() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.done)
}

func newLedger() *ledger {
	return &ledger{busy: map[string]int{}, n: map[string]int{}, hold: map[string]chan struct{}{}}
}

// run starts a loop in a bubble of synctest and returns what ends it.
func run(t *testing.T, l *ledger, change func(*Config[string])) (loop *Loop[string], end func()) {
	t.Helper()
	cfg := Config[string]{
		Workers: 4, Background: 2, Every: time.Hour, Do: l.do,
		List: func(context.Context) ([]string, error) { return nil, nil },
	}
	if change != nil {
		change(&cfg)
	}
	loop = New(cfg)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { loop.Run(ctx); close(ended) }()
	synctest.Wait()
	return loop, func() { cancel(); <-ended }
}

func TestLoop(t *testing.T) {
	t.Run("equal keys merge while they wait", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLedger()
			l.hold["slow"] = make(chan struct{})
			loop, end := run(t, l, func(c *Config[string]) { c.Workers = 1 })
			defer end()
			loop.Add("slow")
			synctest.Wait()
			loop.Add("a", "a", "b", "a")
			close(l.hold["slow"])
			synctest.Wait()
			if diff := cmp.Diff([]string{"slow", "a", "b"}, l.seen()); diff != "" {
				t.Error(diff)
			}
		})
	})

	t.Run("a key has one worker, and is worked on again when asked for meanwhile", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLedger()
			l.hold["a"] = make(chan struct{})
			loop, end := run(t, l, nil)
			defer end()
			loop.Add("a")
			synctest.Wait()
			loop.Add("a")
			loop.Add("a")
			synctest.Wait()
			close(l.hold["a"])
			synctest.Wait()
			if diff := cmp.Diff([]string{"a", "a"}, l.seen()); diff != "" || l.most != 1 {
				t.Errorf("at most %d at once; %s", l.most, diff)
			}
		})
	})

	t.Run("what failed is tried again after a growing wait", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLedger()
			l.err = func(_ string, attempt int) error {
				if attempt < 4 {
					return errors.New("not yet")
				}
				return nil
			}
			var waits []time.Duration
			loop, end := run(t, l, func(c *Config[string]) {
				c.Failed = func(_ string, _ error, again time.Duration) {
					l.mu.Lock()
					defer l.mu.Unlock()
					waits = append(waits, again)
				}
			})
			defer end()
			loop.Add("a")
			time.Sleep(30 * time.Second) // of the bubble's clock
			synctest.Wait()
			if len(l.seen()) != 4 || len(waits) != 3 {
				t.Fatalf("%d attempts, waits %v", len(l.seen()), waits)
			}
			if waits[0] > 2*time.Second || waits[2] < 3*time.Second {
				t.Errorf("waits %v do not grow", waits)
			}
			if len(loop.states) != 0 {
				t.Error("a key at rest is remembered")
			}
		})
	})

	t.Run("a panic ends one attempt of one key", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLedger()
			var bad atomic.Int32
			var caught *PanicError
			loop, end := run(t, l, func(c *Config[string]) {
				c.Do = func(ctx context.Context, key string) error {
					if key == "bad" && bad.Add(1) == 1 {
						panic("boom")
					}
					return l.do(ctx, key)
				}
				c.Failed = func(_ string, err error, _ time.Duration) {
					l.mu.Lock()
					defer l.mu.Unlock()
					caught, _ = errors.AsType[*PanicError](err)
				}
			})
			defer end()
			loop.Add("bad", "good")
			time.Sleep(5 * time.Second)
			synctest.Wait()
			if caught == nil || caught.Value != "boom" || len(caught.Stack) == 0 {
				t.Errorf("caught %v", caught)
			}
			if seen := l.seen(); !slices.Contains(seen, "good") || !slices.Contains(seen, "bad") {
				t.Errorf("worked on %v", seen)
			}
		})
	})

	t.Run("a list that panics is asked for again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLedger()
			asked := 0
			_, end := run(t, l, func(c *Config[string]) {
				c.List = func(context.Context) ([]string, error) {
					if asked++; asked == 1 {
						panic("boom")
					}
					return []string{"a"}, nil
				}
			})
			defer end()
			time.Sleep(5 * time.Second)
			synctest.Wait()
			if diff := cmp.Diff([]string{"a"}, l.seen()); diff != "" {
				t.Error(diff)
			}
		})
	})

	t.Run("a fresh key passes all that a resync queued", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLedger()
			keys := []string{"r1", "r2", "r3", "r4", "wanted"}
			for _, k := range keys[:2] {
				l.hold[k] = make(chan struct{})
			}
			loop, end := run(t, l, func(c *Config[string]) {
				c.Workers, c.Background = 3, 2
				c.List = func(context.Context) ([]string, error) { return keys, nil }
			})
			defer end()
			loop.Add("wanted", "fresh") // both background workers are held up
			synctest.Wait()
			if diff := cmp.Diff([]string{"wanted", "fresh"}, l.seen()); diff != "" {
				t.Error(diff)
			}
			close(l.hold["r1"])
			close(l.hold["r2"])
			synctest.Wait()
			got := l.seen()
			slices.Sort(got)
			if diff := cmp.Diff([]string{"fresh", "r1", "r2", "r3", "r4", "wanted"}, got); diff != "" {
				t.Error(diff)
			}
		})
	})

	t.Run("all keys come round again, but one that waits to be tried again keeps waiting", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLedger()
			l.err = func(key string, _ int) error {
				if key == "bad" {
					return errors.New("never")
				}
				return nil
			}
			listed := 0
			_, end := run(t, l, func(c *Config[string]) {
				c.Every = 10 * time.Minute
				c.List = func(context.Context) ([]string, error) { return []string{"good", "bad"}, nil }
				c.Listed = func(int) { listed++ }
			})
			defer end()
			time.Sleep(61 * time.Minute)
			synctest.Wait()
			good, bad := 0, 0
			for _, k := range l.seen() {
				if k == "good" {
					good++
				} else {
					bad++
				}
			}
			if good != 7 || listed != 7 {
				t.Errorf("good was worked on %d times, listed %d times; want 7", good, listed)
			}
			// 1+2+4+…+512 s is 17 minutes for 10 attempts, then every 10 minutes.
			if bad < 12 || bad > 16 {
				t.Errorf("bad was worked on %d times", bad)
			}
		})
	})

	t.Run("a list that cannot be read is asked for again soon", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLedger()
			asked := 0
			_, end := run(t, l, func(c *Config[string]) {
				c.List = func(context.Context) ([]string, error) {
					if asked++; asked < 3 {
						return nil, errors.New("down")
					}
					return []string{"a"}, nil
				}
			})
			defer end()
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if diff := cmp.Diff([]string{"a"}, l.seen()); diff != "" {
				t.Error(diff)
			}
		})
	})

	t.Run("Run waits for its workers", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLedger()
			l.hold["a"] = make(chan struct{})
			loop, end := run(t, l, nil)
			loop.Add("a")
			synctest.Wait()
			ended := false
			go func() { end(); l.mu.Lock(); ended = true; l.mu.Unlock() }()
			synctest.Wait()
			if ended {
				t.Fatal("Run came back while a worker was busy")
			}
			close(l.hold["a"])
			synctest.Wait()
			if !ended {
				t.Error("Run did not come back")
			}
		})
	})
}

func TestBackoff(t *testing.T) {
	for failures, want := range map[int]time.Duration{0: time.Second, 1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 10: 512 * time.Second, 11: 10 * time.Minute, 1 << 30: 10 * time.Minute} {
		for range 100 {
			if got := Backoff(failures); got < want*8/10 || got > want*12/10 {
				t.Errorf("after %d failures: %v, want %v or a fifth more or less", failures, got, want)
			}
		}
	}
}

// Many goroutines add the same few keys: for the race detector, and nothing
// may be lost.
func TestLoopUnderLoad(t *testing.T) {
	var mu sync.Mutex
	version, seen := map[int]int{}, map[int]int{}
	loop := New(Config[int]{
		Workers: 8, Background: 4, Every: time.Millisecond,
		Do: func(_ context.Context, k int) error {
			mu.Lock()
			defer mu.Unlock()
			seen[k] = version[k]
			return nil
		},
		List: func(context.Context) ([]int, error) { return []int{1, 2, 3}, nil },
	})
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { loop.Run(ctx) })
	var adders sync.WaitGroup
	for range 8 {
		adders.Go(func() {
			for i := range 500 {
				k := i % 10
				mu.Lock()
				version[k]++
				mu.Unlock()
				loop.Add(k)
			}
		})
	}
	adders.Wait()
	for settled := false; !settled; {
		loop.mu.Lock()
		settled = len(loop.states) == 0
		loop.mu.Unlock()
	}
	cancel()
	all.Wait()
	if diff := cmp.Diff(version, seen); diff != "" {
		t.Error(diff)
	}
}
