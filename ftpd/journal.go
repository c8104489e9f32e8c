package ftpd

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"cancale/internal/hosting"
	"cancale/internal/store"
)

// journal brings what is done to files to the accounts' journals. Whoever adds
// an entry never waits: a goroutine writes them to the database, many at a
// time, and is woken once for each such batch; what it cannot write in time is
// left out and counted.
//
// FTP, SFTP and the file manager all note their acts here.
type journal struct {
	store *store.Store
	left  atomic.Int64  // since it was said last
	wake  chan struct{} // holds one: the first entry came, or a whole batch waits

	mu      sync.Mutex
	entries []hosting.Transfer // that wait, oldest first
	budgets map[hosting.AccountID]*budget
}

// budget is how many entries an account may still make, and how many it made
// beyond.
type budget struct {
	room float64
	at   time.Time
	left int64
}

const (
	journalQueue = 20_000                 // entries that wait
	journalBatch = 500                    // entries in one INSERT
	journalPause = 300 * time.Millisecond // that a lone entry waits for others
	journalTries = 3                      // to write a batch
	journalRetry = 2 * time.Second
	journalFlush = 3 * time.Second // for what waits when the daemon stops

	// An account can fill its journal at once with several web sites of small
	// files; somebody who makes and deletes a folder all day only gets this many
	// rows an hour, for ninety days.
	budgetBurst = 100_000
	budgetHour  = 1000
)

func newJournal(st *store.Store) *journal {
	return &journal{store: st, wake: make(chan struct{}, 1), budgets: map[hosting.AccountID]*budget{}}
}

// add notes an act. At is now when it is zero.
func (j *journal) add(e hosting.Transfer) {
	if e.At.IsZero() {
		e.At = time.Now()
	}
	if !j.within(e.AccountID, e.At) {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.entries) >= journalQueue {
		j.left.Add(1)
		return
	}
	if j.entries = append(j.entries, e); len(j.entries) == 1 || len(j.entries) == journalBatch {
		j.rouse()
	}
}

// rouse wakes who writes.
func (j *journal) rouse() {
	select {
	case j.wake <- struct{}{}:
	default: // it is going to look anyway
	}
}

// waiting is how many entries wait.
func (j *journal) waiting() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.entries)
}

// within takes an entry from the account's budget.
func (j *journal) within(id hosting.AccountID, now time.Time) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	b := j.budgets[id]
	if b == nil {
		b = &budget{room: budgetBurst, at: now}
		j.budgets[id] = b
	}
	b.room, b.at = min(budgetBurst, b.room+now.Sub(b.at).Hours()*budgetHour), now
	if b.room < 1 {
		b.left++
		return false
	}
	b.room--
	return true
}

// lacking gives an entry for each account that made more than its budget since
// the last call, and forgets accounts whose budget is whole again.
func (j *journal) lacking(now time.Time) []hosting.Transfer {
	j.mu.Lock()
	defer j.mu.Unlock()
	var told []hosting.Transfer
	for id, b := range j.budgets {
		if b.left > 0 {
			told = append(told, hosting.Transfer{At: now, AccountID: id, Protocol: hosting.FTP, Action: hosting.Left, Bytes: b.left, Result: hosting.Broken})
			b.left = 0
		}
		if b.room+now.Sub(b.at).Hours()*budgetHour >= budgetBurst {
			delete(j.budgets, id)
		}
	}
	return told
}

// tellLacking is how often an account's journal tells what it leaves out.
const tellLacking = time.Minute

// write writes what is added until ctx ends, and then what waits still.
func (j *journal) write(ctx context.Context) {
	tell := time.NewTicker(tellLacking)
	defer tell.Stop()
	for {
		select {
		case <-ctx.Done():
			flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), journalFlush)
			defer cancel()
			for j.waiting() > 0 && flush.Err() == nil {
				j.bring(flush, j.take())
			}
			j.bring(flush, j.lacking(time.Now()))
			j.left.Add(int64(j.waiting()))
			j.say(ctx)
			return
		case now := <-tell.C:
			j.bring(ctx, j.lacking(now))
			j.say(ctx)
		case <-j.wake:
			j.gather(ctx)
			j.bring(ctx, j.take())
		}
	}
}

// gather waits a moment for more entries, or until they make a batch.
func (j *journal) gather(ctx context.Context) {
	pause := time.NewTimer(journalPause)
	defer pause.Stop()
	for j.waiting() < journalBatch {
		select {
		case <-j.wake:
		case <-pause.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// take is the next batch.
func (j *journal) take() []hosting.Transfer {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := min(len(j.entries), journalBatch)
	batch := j.entries[:n:n]
	if j.entries = j.entries[n:]; len(j.entries) == 0 {
		j.entries = nil // and with it what the batches before took
	} else {
		j.rouse()
	}
	return batch
}

// bring writes a batch. The database may be away for a moment; a batch that it
// does not take is left out, so that the next has a chance.
func (j *journal) bring(ctx context.Context, batch []hosting.Transfer) {
	if len(batch) == 0 {
		return
	}
	// The write that runs when the daemon is told to stop is brought to its end.
	writing := context.WithoutCancel(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		writing, cancel = context.WithDeadline(writing, deadline)
		defer cancel()
	}
	for n := 1; ; n++ {
		err := j.store.AddTransfers(writing, batch)
		if err == nil {
			return
		}
		if n == journalTries || ctx.Err() != nil {
			j.left.Add(int64(len(batch)))
			slog.WarnContext(ctx, "journal of transfers", slog.Any("error", err))
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(journalRetry):
		}
	}
}

// say logs how many entries were left out since it was said last.
func (j *journal) say(ctx context.Context) {
	if n := j.left.Swap(0); n > 0 {
		slog.WarnContext(ctx, "journal of transfers: entries left out", slog.Int64("entries", n))
	}
}

// note adds what a session did since begun. bytes are those that moved, err is
// what it failed of.
func (v *visit) note(protocol hosting.Protocol, action hosting.TransferAction, p, target string, bytes int64, begun time.Time, err error) {
	now := time.Now()
	v.srv.journal.add(hosting.Transfer{
		At: now, AccountID: v.login.AccountID, Who: string(v.login.Login), Protocol: protocol, Source: v.peer.Addr().String(),
		Action: action, Path: p, Target: target, Bytes: bytes, TookMS: now.Sub(begun).Milliseconds(), Result: resultOf(err),
	})
}

// note adds what a session of FTP did.
func (s *session) note(action hosting.TransferAction, p, target string, bytes int64, begun time.Time, err error) {
	s.visit.note(s.protocol(), action, p, target, bytes, begun, err)
}

// cuts are errors of a connection that ended before its transfer.
var cuts = []error{
	errAborted, errLost, errNoDataTLS, errForeign, os.ErrDeadlineExceeded, net.ErrClosed, io.ErrUnexpectedEOF,
	unix.EPIPE, unix.ECONNRESET, unix.ETIMEDOUT,
}

// resultOf is the one word for how an act on a file ended.
func resultOf(err error) hosting.TransferResult {
	_, interrupted := errors.AsType[interruptedError](err)
	switch {
	case err == nil:
		return hosting.Done
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return hosting.Full
	case errors.Is(err, fs.ErrNotExist):
		return hosting.Missing
	case interrupted || slices.ContainsFunc(cuts, func(cut error) bool { return errors.Is(err, cut) }):
		return hosting.Cut
	case errors.Is(err, unix.EIO):
		return hosting.Broken
	}
	return hosting.Refused
}
