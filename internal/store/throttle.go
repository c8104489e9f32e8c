package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"cancale/internal/hosting"

	"gorm.io/gorm"
)

// How sign-ins that fail slow down the next ones. The panel and the FTP
// service count together: per name that is tried, and per source. A name is
// counted whether it exists or not.
const (
	freePerName   = 8  // wrong tries that cost nothing; some FTP programs open as many connections at once
	freePerSource = 30 // an association may sit behind one address

	// Beyond that, the wait doubles from one second. A name must not be shut
	// for long by somebody who only wants it shut; a source may be.
	longestForName   = 2 * time.Minute
	longestForSource = 15 * time.Minute

	// familiarFor this long a source from which somebody signed in need not wait
	// for what others try with that name: or whoever knows it could keep its
	// owner out for good, with one try every two minutes.
	familiarFor = 30 * 24 * time.Hour

	// forgiveAfter this much time without a try, the count begins anew.
	forgiveAfter = time.Hour
)

// throttle is a row of throttles.
type throttle struct {
	Subject  []byte `gorm:"primaryKey"`
	Failures uint32
	LastAt   time.Time
	Until    time.Time
	Kind     hosting.BanKind
	Label    string // what it is of, when it may be shown
	Wrong    uint32 // failures that are certain: the password was looked at
	Banned   bool
}

// try is one attempt to sign in, counted as a failure until it has succeeded:
// so a hundred at once are a hundred.
type try struct {
	name, source []byte
	both         []byte // the name from that source, once it has signed in
}

// begin counts the attempt, or refuses it when its name or source has to wait.
func (s *Store) begin(ctx context.Context, service, name, source string) (try, error) {
	name = strings.ToLower(strings.TrimSpace(name))
	a := try{name: subject(service, name), source: subject("source", network(source)), both: subject("familiar "+service, network(source)+"\x00"+name)}
	return a, s.housekeep(ctx, "sign-in", func(db *gorm.DB, now time.Time) error {
		var wait time.Duration
		var counts [2]throttle
		for i, subject := range [][]byte{a.name, a.source} {
			kind, label := hosting.BanKind(service), ""
			if i == 1 {
				kind, label = hosting.BanSource, cut(network(source), longestWho)
			}
			err := db.Exec("INSERT INTO throttles (failures, subject, last_at, until, kind, label) VALUES (0, ?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE subject = subject", subject, now, now, kind, label).Error
			if err != nil {
				return err
			}
			if counts[i], err = one[throttle](db, "SELECT * FROM throttles WHERE subject = ? FOR UPDATE", subject); err != nil {
				return err
			}
			if counts[i].Banned && counts[i].Until.After(now) {
				left := counts[i].Until.Sub(now)
				return hosting.Refuse(hosting.OverLimit, "", "signin.banned", strconv.Itoa(int(math.Ceil(left.Seconds()))), strconv.Itoa(int(math.Ceil(left.Minutes()))))
			}
			// Another attempt's clock may be a moment ahead; that is no wait.
			if !counts[i].Until.After(counts[i].LastAt) || !counts[i].Until.After(now) {
				continue
			}
			if i == 0 {
				if _, err := one[int](db, "SELECT 1 FROM throttles WHERE subject = ? AND until > ?", a.both, now); err == nil {
					continue
				} else if !errors.Is(err, errNoRow) {
					return err
				}
			}
			wait = max(wait, counts[i].Until.Sub(now))
		}
		if wait > 0 {
			return hosting.Refuse(hosting.OverLimit, "", "signin.too_many", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		}
		for i := range counts {
			if now.Sub(counts[i].LastAt) > forgiveAfter || counts[i].Banned { // a ban that is over
				counts[i].Failures, counts[i].Wrong = 0, 0
			}
			counts[i].Failures++
			free, longest := uint32(freePerName), longestForName
			if i == 1 {
				free, longest = freePerSource, longestForSource
			}
			until := now.Add(delay(counts[i].Failures, free, longest))
			if err := db.Exec("UPDATE throttles SET failures = ?, wrong = ?, banned = 0, last_at = ?, until = ? WHERE subject = ?", counts[i].Failures, counts[i].Wrong, now, until, counts[i].Subject).Error; err != nil {
				return err
			}
		}
		return nil
	})
}

// sourceMayTry refuses a source that has to wait, without counting.
func (s *Store) sourceMayTry(ctx context.Context, source string) error {
	row, err := one[throttle](s.db.WithContext(ctx), "SELECT * FROM throttles WHERE subject = ?", subject("source", network(source)))
	if errors.Is(err, errNoRow) {
		return nil
	}
	if wait := row.Until.Sub(now()); err == nil && wait > 0 && row.Until.After(row.LastAt) {
		return hosting.Refuse(hosting.OverLimit, "", "signin.too_many", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
	return err
}

// succeeded takes the attempt back: the name is forgiven, the source is where
// it was before, and familiar with the name.
func (a try) succeeded(db *gorm.DB) error {
	at := now()
	if err := db.Exec("INSERT INTO throttles (failures, subject, last_at, until) VALUES (0, ?, ?, ?) ON DUPLICATE KEY UPDATE until = IF(until < ?, VALUES(until), until)",
		a.both, at, at.Add(familiarFor), at.Add(familiarFor-forgiveAfter)).Error; err != nil {
		return err
	}
	if err := db.Exec("DELETE FROM throttles WHERE subject = ?", a.name).Error; err != nil {
		return err
	}
	return db.Exec("UPDATE throttles SET failures = GREATEST(failures, 1) - 1, until = IF(banned = 1, until, last_at) WHERE subject = ?", a.source).Error
}

// delay is how long the next attempt has to wait after so many failures.
func delay(failures, free uint32, longest time.Duration) time.Duration {
	if failures <= free {
		return 0
	}
	const doublings = 20 // beyond, the wait would overflow before it is cut
	return min(time.Second<<min(failures-free-1, doublings), longest)
}

// subject keeps who tries without writing it down: what is typed as an address
// is sometimes a password.
func subject(kind, name string) []byte {
	sum := sha256.Sum256([]byte(kind + "\x00" + name))
	return sum[:]
}

// network is whom a source address belongs to: one IPv4 address, or the /64
// that every IPv6 host has for itself.
func network(source string) string {
	addr, err := netip.ParseAddr(source)
	if err != nil {
		return source
	}
	if addr = addr.Unmap(); addr.Is4() {
		return addr.String()
	}
	prefix, err := addr.WithZone("").Prefix(64)
	if err != nil {
		return source
	}
	return prefix.String()
}

// refusedSignIn is the one answer to a wrong password, an unknown name and one
// that is shut. The log learns where it came from, not the name: that is
// sometimes a password.
func refusedSignIn(ctx context.Context, service, source string) error {
	slog.WarnContext(ctx, "sign-in refused", slog.String("service", service), slog.String("source", source))
	return hosting.Refuse(hosting.Unauthenticated, "", "signin.wrong")
}

// wrongPassword refuses an attempt for good. name is who was meant, "" for
// nobody.
func (s *Store) wrongPassword(ctx context.Context, a try, service, name, source string) error {
	if err := s.failed(ctx, a, name); err != nil {
		return err
	}
	return refusedSignIn(ctx, service, source)
}
