// Package disk keeps account of the room that each association takes on the
// disk, and says how much may still be written: before each piece of a file,
// whoever writes for a member asks for room, so that a limit is met while
// writing and not found out afterwards.
//
// What lies on the disk is measured by the agent (Measure) and read from the
// store; what has been written since is counted here. The package never opens a
// file of a member by a path, and knows nothing of FTP, of pages or of PHP.
package disk

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"cancale/internal/hosting"
)

// Refusals of Room.
var (
	ErrFull        = errors.New("disk: the association has no room left")
	ErrMachineFull = errors.New("disk: the machine has no room left")
)

// State is what the store knows of an account: what is on the disk, as far as
// it was measured and told, and what its plan allows.
type State struct {
	Used  int64
	Limit int64 // bytes; negative is no limit
}

// Config is what a ledger needs.
type Config struct {
	// Load reads the states of some accounts; one that is gone is left out.
	Load func(ctx context.Context, accounts []hosting.AccountID) (map[hosting.AccountID]State, error)
	// Save adds to what is known of sites what was written since.
	Save func(ctx context.Context, drift map[hosting.SiteID]int64) error
	// Reclaim makes room for an account by emptying its bins, oldest first, and
	// answers how much each site gave. It may be nil.
	Reclaim func(ctx context.Context, account hosting.AccountID, need int64) map[hosting.SiteID]int64
	// Path is on the file system of the homes, whose free room has a floor.
	Path string
}

const (
	// Every is how often what was counted goes to the store, and what the store
	// knows comes back.
	Every = 5 * time.Second
	// idle is how long an account that nobody writes for stays in memory.
	idle = 5 * time.Minute

	// block is what a file on its way takes at a time while there is plenty, so
	// that its next pieces ask nobody.
	block = 4 << 20
	// plenty is how much must be left for that. With less a file is promised a
	// morsel at a time, so that those on their way leave room to each other.
	plenty = 256 << 20
	morsel = 256 << 10

	// overlap bounds, for all files of an account together, how far replacing
	// files may go beyond the limit while the old and the new both lie there.
	overlap = 64 << 20

	// pause is how long a bin is left alone that had too little to give.
	pause = 10 * time.Second
)

// Ledger is the account book. It may be used by several goroutines.
type Ledger struct {
	cfg Config

	exchange sync.Mutex // held while the store is told and asked

	machine atomic.Pointer[look]

	mu       sync.Mutex
	accounts map[hosting.AccountID]*account
}

// account is what is known of one; its fields are guarded by its mu.
type account struct {
	id hosting.AccountID

	mu       sync.Mutex
	state    State
	loaded   time.Time // zero: never
	asked    time.Time // when somebody last wrote
	open     int       // files on their way
	reserved int64     // promised to them
	overlaps int64     // of these, beyond the limit
	drift    map[hosting.SiteID]int64
	drifted  int64     // the sum of drift
	barren   time.Time // when the bins had too little to give
}

// NewLedger makes a ledger.
func NewLedger(cfg Config) *Ledger {
	return &Ledger{cfg: cfg, accounts: map[hosting.AccountID]*account{}}
}

// Run exchanges with the store until ctx ends, and once more then.
func (l *Ledger) Run(ctx context.Context) {
	tick := time.NewTicker(Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), Every)
			defer cancel()
			l.Exchange(last)
			return
		case <-tick.C:
			l.Exchange(ctx)
		}
	}
}

// Exchange tells the store what was written, and reads what it knows.
func (l *Ledger) Exchange(ctx context.Context) {
	l.exchange.Lock()
	defer l.exchange.Unlock()
	drift := map[hosting.SiteID]int64{}
	var ids []hosting.AccountID
	taken := map[*account]map[hosting.SiteID]int64{}
	l.mu.Lock()
	for id, a := range l.accounts {
		a.mu.Lock()
		switch {
		case len(a.drift) > 0:
			taken[a] = a.drift
			for site, n := range a.drift {
				drift[site] += n
			}
			a.drift = nil // drifted counts until the store is read again
			ids = append(ids, id)
		case a.open == 0 && time.Since(a.asked) > idle:
			delete(l.accounts, id)
		case time.Since(a.asked) < idle:
			ids = append(ids, id)
		}
		a.mu.Unlock()
	}
	l.mu.Unlock()
	if len(drift) > 0 {
		if err := l.cfg.Save(ctx, drift); err != nil {
			slog.WarnContext(ctx, "what was written is not noted yet", slog.Any("error", err))
			for a, was := range taken {
				a.mu.Lock()
				for site, n := range was {
					a.add(site, n)
					a.drifted -= n // it never left
				}
				a.mu.Unlock()
			}
			return
		}
	}
	l.load(ctx, ids, taken)
}

// load reads states; told is what the store was just told and now knows.
func (l *Ledger) load(ctx context.Context, ids []hosting.AccountID, told map[*account]map[hosting.SiteID]int64) {
	if len(ids) == 0 {
		return
	}
	states, err := l.cfg.Load(ctx, ids)
	if err != nil {
		if ctx.Err() == nil {
			slog.WarnContext(ctx, "the room of associations is not known anew", slog.Any("error", err))
		}
	}
	for _, id := range ids {
		a := l.account(id)
		a.mu.Lock()
		var known int64
		for _, n := range told[a] {
			known += n
		}
		a.drifted -= known
		if state, found := states[id]; found {
			a.state, a.loaded = state, time.Now()
		} else {
			a.state.Used += known
		}
		a.mu.Unlock()
	}
}

// refresh reads the state of an account that was left alone for a while.
func (l *Ledger) refresh(a *account) {
	stale := func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return time.Since(a.loaded) > 2*Every
	}
	if !stale() {
		return
	}
	l.exchange.Lock()
	defer l.exchange.Unlock()
	if stale() {
		ctx, cancel := context.WithTimeout(context.Background(), Every)
		defer cancel()
		l.load(ctx, []hosting.AccountID{a.id}, nil)
	}
}

func (l *Ledger) account(id hosting.AccountID) *account {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.accounts[id]
	if a == nil {
		a = &account{id: id, asked: time.Now()}
		l.accounts[id] = a
	}
	return a
}

// add counts what a site has more, or less.
func (a *account) add(site hosting.SiteID, n int64) {
	if n == 0 {
		return
	}
	if a.drift == nil {
		a.drift = map[hosting.SiteID]int64{}
	}
	a.drift[site] += n
	a.drifted += n
}

// left is what may still be promised; there is no limit when it is negative in
// the plan.
func (a *account) left() int64 {
	return a.state.Limit - a.state.Used - a.drifted - a.reserved + a.overlaps
}

// Space is the room of one site, as a part of its account's. A nil Space has no
// limit, which is for tests and tools.
type Space struct {
	ledger  *Ledger
	account hosting.AccountID
	site    hosting.SiteID
}

// Space gives the room of a site.
func (l *Ledger) Space(account hosting.AccountID, site hosting.SiteID) *Space {
	if l == nil {
		return nil
	}
	return &Space{ledger: l, account: account, site: site}
}

// Freed counts what was removed from the disk for good.
func (s *Space) Freed(size int64) { s.Changed(-size) }

// Changed counts what became more, or less, without a Writing.
func (s *Space) Changed(n int64) {
	if s == nil || n == 0 {
		return
	}
	a := s.ledger.account(s.account)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = time.Now()
	a.add(s.site, n)
}

// Check refuses when not even one byte may be written, for what has no Writing,
// such as making a folder.
func (s *Space) Check() error {
	w := s.Write(0)
	defer w.End(0)
	_, err := w.Room(1)
	return err
}

// Left is how much may still be written, and of how much that is the rest: of
// the plan, or, where that is larger or has no limit, of the machine.
func (s *Space) Left() (left, total int64, err error) {
	if s == nil {
		return 0, 0, errors.ErrUnsupported
	}
	machine, err := Free(s.ledger.cfg.Path)
	if err != nil {
		return 0, 0, err
	}
	left, total = max(machine.Spare(), 0), machine.Total
	a := s.ledger.account(s.account)
	s.ledger.refresh(a)
	a.mu.Lock()
	defer a.mu.Unlock()
	if limit := a.state.Limit; !a.loaded.IsZero() && limit >= 0 {
		left, total = max(min(left, a.left()), 0), min(total, limit)
	}
	return left, total, nil
}

// Write begins a file. size is what stands already where it will stand: of a
// file that is replaced, or what lies after the place where writing begins.
// The Writing must be ended.
func (s *Space) Write(size int64) *Writing {
	if s == nil {
		return nil
	}
	a := s.ledger.account(s.account)
	a.mu.Lock()
	a.asked = time.Now()
	a.open++
	a.mu.Unlock()
	s.ledger.refresh(a)
	w := &Writing{space: s, account: a}
	if size > 0 {
		a.mu.Lock()
		w.overlap = min(size, overlap-a.overlaps)
		a.overlaps += w.overlap
		a.mu.Unlock()
	}
	return w
}

// Writing is a file on its way. It belongs to one goroutine. A nil Writing has
// no limit.
type Writing struct {
	space    *Space
	account  *account
	reserved int64 // promised by the account
	used     int64 // of that
	overlap  int64
	ended    bool
}

// Room says how much of want may be written now: at least one byte, or an
// error. Wrote must follow before the next call.
func (w *Writing) Room(want int64) (int64, error) {
	if w == nil {
		return want, nil
	}
	if free := w.reserved - w.used; free >= want {
		return want, nil
	}
	if err := w.reserve(want); err != nil {
		return 0, err
	}
	return min(want, w.reserved-w.used), nil
}

// Wrote counts what was written.
func (w *Writing) Wrote(n int64) {
	if w != nil {
		w.used += n
	}
}

// reserve has the account promise more: what is wanted, or what is left of it.
func (w *Writing) reserve(want int64) error {
	free, err := w.space.ledger.free()
	if err == nil && free.Spare() < want {
		return ErrMachineFull
	}
	a := w.account
	got := a.promise(w, want)
	if got == 0 && w.space.reclaim(want) {
		got = a.promise(w, want)
	}
	if got == 0 && w.reserved == w.used {
		return ErrFull
	}
	return nil
}

// promise reserves up to want for w, more when there is plenty.
func (a *account) promise(w *Writing, want int64) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	need := want - (w.reserved - w.used)
	if a.loaded.IsZero() || a.state.Limit < 0 {
		need = max(need, block)
	} else {
		left := a.left()
		if left > plenty {
			need = max(need, block)
		} else {
			need = min(need, morsel)
		}
		need = max(min(need, left), 0)
	}
	a.reserved += need
	w.reserved += need
	return need
}

// reclaim empties bins when there is something in them. Who comes while
// another does waits, and finds what that one made free.
func (s *Space) reclaim(need int64) bool {
	if s.ledger.cfg.Reclaim == nil {
		return false
	}
	a := s.ledger.account(s.account)
	a.mu.Lock()
	barren := time.Since(a.barren) < pause
	if !barren {
		a.barren = time.Now() // until it has given something
		// More than is asked for, so that the next piece need not ask again.
		need = max(need, a.state.Limit/50)
	}
	a.mu.Unlock()
	if barren {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), pause)
	defer cancel()
	freed := s.ledger.cfg.Reclaim(ctx, s.account, need)
	a.mu.Lock()
	defer a.mu.Unlock()
	for site, n := range freed {
		a.add(site, -n)
	}
	if len(freed) > 0 {
		a.barren = time.Time{}
	}
	return len(freed) > 0
}

// End ends the file: grown is by how much the disk now holds more than before
// it began, zero when nothing was left behind.
func (w *Writing) End(grown int64) {
	if w == nil || w.ended {
		return
	}
	w.ended = true
	a := w.account
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open--
	a.asked = time.Now()
	a.reserved -= w.reserved
	a.overlaps -= w.overlap
	a.add(w.space.site, grown)
}

// sector is what the disk gives at a time; a file takes at least one, so that
// millions of empty ones are not for nothing.
const sector = 4096

// Size is what a file of so many bytes takes.
func Size(bytes int64) int64 { return max((bytes+sector-1)/sector, 1) * sector }

// Taken is what is counted as free when a file goes: no more than it really
// takes, for a file with holes is longer than that.
func Taken(st *unix.Stat_t) int64 { return min(Size(st.Size), max(st.Blocks*512, sector)) }

// Floor of the free room of a file system: a fiftieth of it, within bounds.
const (
	minFloor = 256 << 20
	maxFloor = 5 << 30
)

// FileSystem is the room of a file system.
type FileSystem struct {
	Total, Free int64 // bytes; Free is what is not kept for root
}

// Floor is what members leave free, so that the system does not suffer.
func (f FileSystem) Floor() int64 { return min(max(f.Total/50, minFloor), maxFloor) }

// Spare is what members may still take.
func (f FileSystem) Spare() int64 { return f.Free - f.Floor() }

// look is the room of the machine at a moment.
type look struct {
	FileSystem
	at time.Time
}

// fresh is how long a look at the machine's room is good for: what can be
// written meanwhile is little beside the floor.
const fresh = 20 * time.Millisecond

// free is Free of the homes, now or a moment ago.
func (l *Ledger) free() (FileSystem, error) {
	now := time.Now()
	if last := l.machine.Load(); last != nil && now.Sub(last.at) < fresh {
		return last.FileSystem, nil
	}
	found, err := Free(l.cfg.Path)
	if err == nil {
		l.machine.Store(&look{found, now})
	}
	return found, err
}

// Free asks how much room the file system of path has.
func Free(path string) (FileSystem, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return FileSystem{}, err
	}
	return FileSystem{Total: int64(st.Blocks) * st.Bsize, Free: int64(st.Bavail) * st.Bsize}, nil
}
