package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"cancale/internal/config"
	"cancale/internal/driver/apache"
	"cancale/internal/driver/mariadb"
	"cancale/internal/driver/phpfpm"
	"cancale/internal/driver/unixacct"
	"cancale/internal/host"
	"cancale/internal/hosting"
	"cancale/internal/i18n"
	"cancale/internal/store"
)

const (
	// partsPause is between two looks at what differs: the agent may be at it.
	partsPause = 2 * time.Second
	// partsPatience is how long what differs may take to come right after the
	// agent has begun, and as long as that it has begun.
	partsPatience = 20 * time.Second
	// mostPartsNamed is how many that differ one row names.
	mostPartsNamed = 5
)

// differenceTexts say how a part differs.
var differenceTexts = map[host.Difference]string{
	host.Missing: "doctor.differs_missing",
	host.Kind:    "doctor.differs_kind",
	host.Owner:   "doctor.differs_owner",
	host.Rights:  "doctor.differs_rights",
	host.Content: "doctor.differs_content",
}

// parts compares each home, virtual host, PHP and database on the machine with
// what is wished, one row for each kind. It only looks; the agent repairs.
func (d *doctor) parts(ctx context.Context) {
	seen, err := d.lookPatiently(ctx)
	if err != nil {
		d.note(ctx, "homes", "", err, "doctor.service", "agent", d.layout.Logs())
		return
	}
	for _, k := range seen {
		d.note(ctx, k.name, i18n.T(ctx, k.text, k.count), k.problem(ctx), "doctor.parts", d.layout.Logs(), d.layout.Root)
	}
}

// lookPatiently looks once when all is well. What differs is looked at again: a
// wish may have come in between, or a limit that the agent has yet to apply.
func (d *doctor) lookPatiently(ctx context.Context) ([]kind, error) {
	l, err := d.newLook(ctx)
	if err != nil {
		return nil, err
	}
	defer l.close()
	patience := partsPause
	if info, err := os.Stat(d.layout.AgentReady()); err == nil && time.Since(info.ModTime()) < partsPatience {
		patience = partsPatience
	}
	seen, err := l.all(ctx)
	began := time.Now() // a look may take longer than the patience; there is a second all the same
	for err == nil && slices.ContainsFunc(seen, kind.differs) && time.Since(began) < patience {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(partsPause):
		}
		var again []kind
		if again, err = l.all(ctx); err == nil {
			for i := range again {
				again[i].keep(seen[i])
			}
			seen = again
		}
	}
	return seen, err
}

// kind is what was seen of all things of one kind.
type kind struct {
	name, text string // of the row, and how many there are
	count      int
	different  map[string]different // by the name of the thing
	err        error                // why they could not be looked at
}

// different is a thing that differs, and the wish that it was compared with.
type different struct {
	wish string
	text func(context.Context) string
}

func (k kind) differs() bool { return len(k.different) > 0 }

// keep forgets what differed from no wish, or another, at an earlier look.
func (k kind) keep(earlier kind) {
	maps.DeleteFunc(k.different, func(name string, now different) bool {
		before, ok := earlier.different[name]
		return !ok || before.wish != now.wish
	})
}

// problem names the first of those that differ.
func (k kind) problem(ctx context.Context) error {
	if k.err != nil || !k.differs() {
		return k.err
	}
	var texts []string
	names := slices.Sorted(maps.Keys(k.different))
	for _, name := range names[:min(len(names), mostPartsNamed)] {
		texts = append(texts, i18n.T(ctx, "doctor.differs", name, k.different[name].text(ctx)))
	}
	if more := len(names) - len(texts); more > 0 {
		texts = append(texts, i18n.T(ctx, "doctor.differs_more", more))
	}
	return errors.New(strings.Join(texts, ", "))
}

// add compares one thing.
func (k kind) add(name, wish string, now host.Differing, err error) {
	switch {
	case err != nil:
		k.different[name] = different{wish, func(ctx context.Context) string { return explain(ctx, err).Message }}
	case now.How != "":
		k.different[name] = different{wish, func(ctx context.Context) string { return i18n.T(ctx, differenceTexts[now.How], now.Part) }}
	}
}

// look compares the machine with the wishes.
type look struct {
	layout    config.Layout
	host      *host.Host
	web       netip.Addr
	store     *store.NodeStore
	databases *mariadb.Driver
	socket    *os.File // keeps the way to MariaDB short, whatever the installation's path
}

func (d *doctor) newLook(ctx context.Context) (*look, error) {
	var set agentSettings
	if err := readSettings(agentFile(d.layout), &set); err != nil {
		return nil, err
	}
	l := &look{layout: d.layout, host: host.New(d.layout, nil), web: set.Apache.Address()}
	// The file has the paths as the daemons see them.
	set.Store.Socket = d.layout.MariaDBSocket()
	var err error
	if l.store, err = store.OpenNode(ctx, set.Store, set.Node); err != nil {
		return nil, err
	}
	if l.socket, err = os.Open(filepath.Dir(set.Store.Socket)); err != nil {
		l.close()
		return nil, err
	}
	short := fmt.Sprintf("/proc/self/fd/%d/%s", l.socket.Fd(), filepath.Base(set.Store.Socket))
	if l.databases, err = mariadb.New(l.host, mariadb.Config{Socket: short}); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *look) close() {
	_ = l.store.Close()
	if l.databases != nil {
		_ = l.databases.Close()
	}
	if l.socket != nil {
		_ = l.socket.Close()
	}
}

// all looks at everything once. What is being changed is left out.
func (l *look) all(ctx context.Context) ([]kind, error) {
	// Before the wishes: whatever is made for a site comes after its row.
	configured, err := entriesOf(l.layout.ApacheSites())
	if err != nil {
		return nil, err
	}
	scripted, err := entriesOf(l.layout.PHP(), l.layout.Sockets())
	if err != nil {
		return nil, err
	}
	wishes, err := l.store.Wishes(ctx)
	if err != nil {
		return nil, err
	}
	homes := kind{name: "homes", text: "doctor.homes", different: map[string]different{}}
	vhosts := kind{name: "vhosts", text: "doctor.vhosts", different: map[string]different{}}
	php := kind{name: "php", text: "doctor.php", different: map[string]different{}}
	grants := kind{name: "grants", text: "doctor.grants", different: map[string]different{}}

	ours := make(map[string]bool, 4*len(wishes.Sites))
	home, seen, steady := unixacct.New(l.host, ""), config.Layout{Root: config.Mount}, true
	for _, s := range wishes.Sites {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for _, name := range apache.Names(s.ID) {
			ours[filepath.Join(l.layout.ApacheSites(), name)] = true
		}
		ours[filepath.Join(l.layout.PHP(), strconv.FormatUint(uint64(s.ID), 10))] = true
		ours[l.layout.SocketDir(string(s.SocketToken))] = true
		if !s.Sync.Steady() {
			steady = false
			continue
		}
		name, wish := s.Host.String(), fmt.Sprint(s.Sync.Generation, s.Frozen)
		differing, err := home.Look(s)
		homes.count++
		homes.add(name, wish, differing, err)
		differing, err = apache.Look(l.host, seen, s)
		vhosts.count++
		vhosts.add(name, wish, differing, err)
		differing, err = phpfpm.Look(l.host, seen, l.web, s)
		php.count++
		php.add(name, wish, differing, err)
	}
	l.foreign(vhosts, configured, ours)
	if steady { // else a changed token's socket may still be on its way
		l.foreign(php, scripted, ours)
	}

	databases := slices.DeleteFunc(wishes.Databases, func(db hosting.Database) bool { return !db.Sync.Steady() })
	grants.count = len(databases)
	differing, err := l.databases.Look(ctx, databases)
	grants.err = err
	for _, db := range databases {
		grants.add(string(db.Name), fmt.Sprint(db.Sync.Generation, db.Full), differing[db.ID], nil)
	}
	return []kind{homes, vhosts, php, grants}, nil
}

// foreign adds what lies in a directory of ours and is no site's.
func (l *look) foreign(k kind, paths []string, ours map[string]bool) {
	for _, path := range paths {
		if !ours[path] && !strings.HasPrefix(filepath.Base(path), host.TempPrefix) {
			k.different[strings.TrimPrefix(path, l.layout.Root+"/")] = different{text: func(ctx context.Context) string { return i18n.T(ctx, "doctor.differs_foreign") }}
		}
	}
}

// entriesOf is what lies in directories of ours.
func entriesOf(dirs ...string) (paths []string, err error) {
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // then each site misses it
			return nil, err
		}
		for _, e := range entries {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths, nil
}
