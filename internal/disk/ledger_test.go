package disk

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"cancale/internal/hosting"
)

// book is a store of states, and what a ledger told it.
type book struct {
	mu     sync.Mutex
	states map[hosting.AccountID]State
	drift  map[hosting.SiteID]int64
	fail   error
}

func (b *book) load(_ context.Context, accounts []hosting.AccountID) (map[hosting.AccountID]State, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := maps.Clone(b.states)
	for id, state := range found {
		for _, n := range b.drift { // all sites are of the one account
			state.Used += n
		}
		found[id] = state
	}
	return found, b.fail
}

func (b *book) save(_ context.Context, drift map[hosting.SiteID]int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return b.fail
	}
	for site, n := range drift {
		b.drift[site] += n
	}
	return nil
}

func newBook(t *testing.T, used, limit int64) (*book, *Ledger) {
	b := &book{states: map[hosting.AccountID]State{1: {used, limit}}, drift: map[hosting.SiteID]int64{}}
	return b, NewLedger(Config{Load: b.load, Save: b.save, Path: t.TempDir()})
}

// write writes n bytes in pieces and answers how many found room.
func write(s *Space, replaced, n, piece int64) (written int64, err error) {
	w := s.Write(replaced)
	for written < n {
		may, err := w.Room(min(piece, n-written))
		if err != nil {
			w.End(0)
			return written, err
		}
		w.Wrote(may)
		written += may
	}
	w.End(Size(written) - replaced)
	return written, nil
}

const mb = 1 << 20

func TestALimitIsMetWhileWriting(t *testing.T) {
	b, l := newBook(t, 8*mb, 10*mb)
	s := l.Space(1, 7)
	if n, err := write(s, 0, mb, mb/4); n != mb || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	if n, err := write(s, 0, 3*mb, mb/4); n != mb || !errors.Is(err, ErrFull) {
		t.Errorf("%d of 3 MB with one left: %v", n, err)
	}
	if n, err := write(s, 0, mb, mb); n != mb || err != nil {
		t.Errorf("what was refused left nothing behind, so exactly one MB fits: %d, %v", n, err)
	}
	if err := s.Check(); !errors.Is(err, ErrFull) {
		t.Errorf("full: %v", err)
	}
	s.Freed(mb)
	if err := s.Check(); err != nil {
		t.Errorf("after something was deleted: %v", err)
	}
	l.Exchange(t.Context())
	if b.drift[7] != mb {
		t.Errorf("the store was told of %d", b.drift[7])
	}
	if n, err := write(s, 0, 2*mb, mb/4); n != mb || !errors.Is(err, ErrFull) {
		t.Errorf("told once, counted once: %d, %v", n, err)
	}
}

func TestReplacingAFileNeedsOnlyTheDifference(t *testing.T) {
	_, l := newBook(t, 10*mb, 10*mb)
	s := l.Space(1, 7)
	if n, err := write(s, 2*mb, 2*mb, mb/4); n != 2*mb || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := write(s, 2*mb, 3*mb, mb/4); n != 2*mb || !errors.Is(err, ErrFull) {
		t.Errorf("%d, %v", n, err)
	}
	// Many who replace the same file at once share one bound.
	var all []*Writing
	var total int64
	for range 40 {
		w := s.Write(100 * mb)
		for {
			n, err := w.Room(mb)
			if err != nil {
				break
			}
			w.Wrote(n)
			total += n
		}
		all = append(all, w)
	}
	if total > overlap {
		t.Errorf("%d MB beyond the limit", total/mb)
	}
	for _, w := range all {
		w.End(0)
	}
}

func TestManyAtOnceStayWithinTheLimit(t *testing.T) {
	const limit = 300 * mb
	_, l := newBook(t, 0, limit)
	var written atomic.Int64
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			s := l.Space(1, 7)
			for {
				n, err := write(s, 0, 3*mb, 64<<10)
				if err != nil {
					return
				}
				written.Add(n)
			}
		})
	}
	all.Wait()
	if n := written.Load(); n > limit || n < limit-32*3*mb {
		t.Errorf("%d MB were written, %d are allowed", n/mb, limit/mb)
	}
	a := l.account(1)
	if a.reserved != 0 || a.open != 0 || a.overlaps != 0 || a.drifted != written.Load() {
		t.Errorf("promises are left over: %+v", a)
	}
}

func TestWhatTheStoreDoesNotTakeIsKept(t *testing.T) {
	b, l := newBook(t, 0, 10*mb)
	s := l.Space(1, 7)
	if _, err := write(s, 0, 4*mb, mb); err != nil {
		t.Fatal(err)
	}
	b.fail = errors.New("down")
	l.Exchange(t.Context())
	if n, err := write(s, 0, 8*mb, mb); n != 6*mb || !errors.Is(err, ErrFull) {
		t.Errorf("meanwhile: %d, %v", n, err)
	}
	b.fail = nil
	l.Exchange(t.Context())
	l.Exchange(t.Context())
	if b.drift[7] != 4*mb {
		t.Errorf("told %d", b.drift[7])
	}
}

func TestABinIsEmptiedFirst(t *testing.T) {
	b := &book{states: map[hosting.AccountID]State{1: {10 * mb, 10 * mb}}, drift: map[hosting.SiteID]int64{}}
	bin, asked := int64(3*mb), 0
	l := NewLedger(Config{Load: b.load, Save: b.save, Path: t.TempDir(), Reclaim: func(_ context.Context, _ hosting.AccountID, need int64) map[hosting.SiteID]int64 {
		asked++
		n := min(bin, need)
		if bin -= n; n == 0 {
			return nil
		}
		return map[hosting.SiteID]int64{9: n}
	}})
	s := l.Space(1, 7)
	if n, err := write(s, 0, 3*mb, mb); n != 3*mb || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := write(s, 0, mb, mb); n != 0 || !errors.Is(err, ErrFull) {
		t.Errorf("with an empty bin: %d, %v", n, err)
	}
	before := asked
	if _, err := write(s, 0, mb, mb); !errors.Is(err, ErrFull) || asked != before {
		t.Errorf("an empty bin is asked again and again: %v", err)
	}
}

func TestNoLimit(t *testing.T) {
	_, l := newBook(t, 10*mb, hosting.Unlimited)
	if n, err := write(l.Space(1, 7), 0, 500*mb, 8*mb); n != 500*mb || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	var none *Ledger
	if n, err := write(none.Space(1, 7), 0, mb, mb); n != mb || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func TestFloor(t *testing.T) {
	for _, c := range []struct{ total, free, spare int64 }{
		{10 << 30, 1 << 30, 1<<30 - 256*mb},
		{100 << 30, 1 << 30, 1<<30 - 2<<30},
		{10 << 40, 6 << 30, 1 << 30},
	} {
		if got := (FileSystem{c.total, c.free}).Spare(); got != c.spare {
			t.Errorf("%+v: %d", c, got)
		}
	}
	free, err := Free(t.TempDir())
	if err != nil || free.Total < free.Free || free.Free <= 0 {
		t.Errorf("%+v, %v", free, err)
	}
}

func TestMeasure(t *testing.T) {
	dir := t.TempDir()
	for name, size := range map[string]int{"a": 0, "b": 100_000, "sub/c": 1, "sub/deep/d": 5000} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, make([]byte, size), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	outside := t.TempDir()
	if err := errors.Join(os.WriteFile(filepath.Join(outside, "large"), make([]byte, 5*mb), 0o644), os.Symlink(outside, filepath.Join(dir, "link")), os.Symlink("..", filepath.Join(dir, "up"))); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	Idle(func() {
		m, err := Measure(t.Context(), f, Slow)
		if err != nil || m.Entries != 9 || m.Bytes < 100_000+8*4096 || m.Bytes > 300_000 {
			t.Errorf("%+v, %v", m, err)
		}
	})
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := f.Seek(0, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Measure(ended, f, Slow); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
