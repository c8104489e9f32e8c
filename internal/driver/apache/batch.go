package apache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"cancale/internal/host"
	"cancale/internal/hosting"
	"cancale/internal/reconcile"
)

// request is a site whose file is to change, or to be confirmed, or to go.
type request struct {
	id     hosting.SiteID
	want   *rendered    // nil: no file
	staged *host.Staged // nil: the file is in place already
	err    error
	done   chan struct{}
}

const (
	// maxBatch bounds what one check names on its command line.
	maxBatch = 2000
	// batchWithin bounds everything that one batch does.
	batchWithin = time.Minute
	// probesAtOnce bounds the connections that confirming a batch opens.
	probesAtOnce = 16
)

// submit hands a request to the next batch and waits for its outcome.
func (d *Driver) submit(ctx context.Context, r *request) error {
	r.done = make(chan struct{})
	d.mu.Lock()
	d.queue = append(d.queue, r)
	if !d.leading {
		d.leading = true
		// It outlives this call, as later ones rely on it; each waits for its own part.
		go d.lead(context.WithoutCancel(ctx))
	}
	d.mu.Unlock()
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return fmt.Errorf("apache: site %d: %w", r.id, ctx.Err())
	}
}

// lead works through the queue until it is empty: what comes while a batch is
// at work becomes the next one.
func (d *Driver) lead(ctx context.Context) {
	for {
		d.mu.Lock()
		batch := d.queue[:min(len(d.queue), maxBatch)]
		d.queue = d.queue[len(batch):]
		if len(batch) == 0 {
			d.leading = false
			d.mu.Unlock()
			return
		}
		d.mu.Unlock()
		d.applyEach(ctx, batch)
		for _, r := range batch {
			close(r.done)
		}
	}
}

// applyEach brings a batch to the machine. When that meets a bug, one of the
// sites may be why: it is tried again in ever smaller parts, and only those fail
// that meet it by themselves.
func (d *Driver) applyEach(ctx context.Context, batch []*request) {
	err := reconcile.Protect(func() error {
		d.apply(ctx, batch)
		return nil
	})
	if err == nil {
		return
	}
	if len(batch) == 1 {
		batch[0].err = errors.Join(batch[0].err, err)
		return
	}
	slog.ErrorContext(ctx, "a batch of virtual hosts is tried in parts", slog.Int("sites", len(batch)), slog.Any("cause", err))
	var again []*request
	for _, r := range batch {
		if r.err == nil {
			r.err = reconcile.Protect(func() error { return d.restage(r) })
		}
		if r.err == nil {
			again = append(again, r)
		}
	}
	for part := range slices.Chunk(again, max(1, (len(again)+1)/2)) {
		d.applyEach(ctx, part)
	}
}

// restage makes a request what it was before its batch ended half-way.
func (d *Driver) restage(r *request) error {
	if r.staged != nil {
		r.staged.Discard()
		r.staged = nil
	}
	if r.want == nil {
		return nil
	}
	path := d.siteFile(r.id)
	same, err := d.h.Same(path, r.want.data, fileMode, 0, 0)
	if err == nil && !same {
		r.staged, err = d.h.Stage(path, r.want.data, fileMode, 0, 0)
	}
	if err != nil {
		return fmt.Errorf("apache: site %d: %w", r.id, err)
	}
	return nil
}

// apply brings a batch to the machine and sets each request's outcome.
func (d *Driver) apply(ctx context.Context, batch []*request) {
	ctx, cancel := context.WithTimeout(ctx, batchWithin)
	defer cancel()
	last := map[hosting.SiteID]*request{}
	for _, r := range batch {
		if older := last[r.id]; older != nil && older.staged != nil {
			older.staged.Discard()
			older.staged = nil
		}
		last[r.id] = r
	}
	var wanted []*request
	for _, r := range batch {
		if last[r.id] == r {
			wanted = append(wanted, r)
		}
	}
	d.refuseBad(ctx, wanted)
	if gone, changed := d.commit(wanted); changed {
		err := errors.Join(d.settle(ctx), d.guard(ctx))
		generation := ""
		if err == nil {
			generation, err = d.reload(ctx)
		}
		if err == nil {
			err = d.confirmAll(ctx, wanted, gone, generation)
		}
		for _, r := range wanted {
			r.err = errors.Join(r.err, err)
		}
	}
	for _, r := range batch { // an older wish for a site ends as the newest did
		r.err = last[r.id].err
	}
}

// refuseBad has Apache check the candidates, first all together, then ever
// smaller parts of those that it refuses, and sets the bad ones' outcome.
func (d *Driver) refuseBad(ctx context.Context, wanted []*request) {
	var candidates []*request
	for _, r := range wanted {
		if r.staged != nil {
			candidates = append(candidates, r)
		}
	}
	check := d.checkAlone
	if d.anyAside(candidates) {
		check = d.checkWhole
	}
	var admit func(part []*request)
	var admitted []*request
	admit = func(part []*request) {
		if len(part) == 0 {
			return
		}
		err := check(ctx, append(slices.Clip(admitted), part...))
		switch {
		case err == nil:
			admitted = append(admitted, part...)
		case len(part) == 1:
			part[0].staged.Discard()
			part[0].staged = nil
			part[0].err = err
		default:
			admit(part[:len(part)/2])
			admit(part[len(part)/2:])
		}
	}
	admit(candidates)
}

// anyAside reports whether Apache once did not start with one of these files,
// although each had passed its check alone.
func (d *Driver) anyAside(candidates []*request) bool {
	for _, r := range candidates {
		same, err := d.h.Same(d.siteFile(r.id)+asideSuffix, r.want.data, fileMode, 0, 0)
		if same || err != nil {
			return true
		}
	}
	return false
}

// checkAlone checks candidates in a server that has nothing else: some 15 ms,
// however many sites there are.
func (d *Driver) checkAlone(ctx context.Context, candidates []*request) error {
	args := []string{"-t", "-f", d.checkFile()}
	for _, r := range candidates {
		args = append(args, "-c", `Include "`+r.staged.Path+`"`)
	}
	return d.runCheck(ctx, args)
}

// checkWhole checks candidates among all other sites.
func (d *Driver) checkWhole(ctx context.Context, candidates []*request) error {
	replaced := map[hosting.SiteID]bool{}
	var files []string
	for _, r := range candidates {
		replaced[r.id] = true
		files = append(files, r.staged.Path)
	}
	entries, err := os.ReadDir(d.sitesDir())
	if err != nil {
		return fmt.Errorf("apache: %w", err)
	}
	for _, e := range entries {
		if id, ok := siteOf(e.Name()); ok && !replaced[id] {
			files = append(files, filepath.Join(d.sitesDir(), e.Name()))
		}
	}
	return d.checkFiles(ctx, files)
}

// checkFiles checks the server with just these files of sites.
func (d *Driver) checkFiles(ctx context.Context, files []string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Include %q\n", d.serverFile())
	for _, f := range files {
		fmt.Fprintf(&b, "Include %q\n", f)
	}
	shadow := filepath.Join(d.h.Layout().Apache(), "shadow"+confSuffix)
	if _, err := d.h.WriteFile(shadow, []byte(b.String()), fileMode, 0, 0); err != nil {
		return fmt.Errorf("apache: %w", err)
	}
	return d.runCheck(ctx, []string{"-t", "-f", shadow})
}

// OnlyChecks is the argument by which Apache leaves out what only serving needs.
const OnlyChecks = "-DOnlyChecks"

func (d *Driver) runCheck(ctx context.Context, args []string) error {
	out, err := d.h.Check(ctx, host.Command{Path: d.cfg.program(), Args: append([]string{OnlyChecks}, args...), Env: Environment()})
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("apache: check: %w", err)
	}
	return &hosting.Error{
		Kind: hosting.Internal, Message: hosting.Msg("site.apache_refused", d.reason(string(out))),
		Err: fmt.Errorf("apache: check: %w: %s", err, strings.TrimSpace(string(out))),
	}
}

var (
	anyToken = regexp.MustCompile(`[0-9a-f]{32}`)
	anyPath  = regexp.MustCompile(`/[^\s'",:;]+`)
)

// reason is the line of Apache's refusal that says why, without anything that
// must not be shown: no path, no token, nothing that is not plain text.
func (d *Driver) reason(out string) string {
	const longest = 160
	var why string
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "AH00526:") || strings.HasPrefix(line, "[") {
			continue // "Syntax error on line 3 of …:" comes before the reason
		}
		why = line
		break
	}
	why = anyPath.ReplaceAllString(anyToken.ReplaceAllString(why, "…"), "…")
	why = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, why)
	if runes := []rune(why); len(runes) > longest {
		why = string(runes[:longest]) + "…"
	}
	return why
}

// commit puts the good candidates in their places and removes what is to go.
// It gives what was served of each site that goes, and whether anything at all
// is to be loaded.
func (d *Driver) commit(wanted []*request) (gone map[*request]known, changed bool) {
	gone = map[*request]known{}
	for _, r := range wanted {
		if r.err != nil {
			continue
		}
		d.mu.Lock()
		before, had := d.known[r.id]
		d.mu.Unlock()
		if r.want == nil {
			r.err = d.h.Remove(d.siteFile(r.id))
			if had {
				gone[r] = before
			}
		} else {
			r.err = d.place(r, before)
		}
		if r.err == nil {
			d.mu.Lock()
			d.note(r.id, r.want)
			d.mu.Unlock()
			changed = true
		}
	}
	return gone, changed
}

func (d *Driver) place(r *request, before known) error {
	if before.host != "" && before.host != r.want.host {
		if err := d.unname(before.host, r.id); err != nil {
			return err
		}
	}
	if err := d.name(r.want.host, r.id); err != nil {
		return err
	}
	if r.staged == nil {
		return nil
	}
	if err := r.staged.Commit(); err != nil {
		r.staged.Discard()
		return fmt.Errorf("apache: site %d: %w", r.id, err)
	}
	if err := d.h.Remove(d.siteFile(r.id) + asideSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("apache: site %d: %w", r.id, err)
	}
	return nil
}

// settle comes before a reload. Files that Apache has never loaded, edited by
// hand while nobody was at work, are checked among all others once: with a bad
// one in the directory a reload would be the end of Apache, and of every site.
func (d *Driver) settle(ctx context.Context) error {
	d.mu.Lock()
	strange := d.strange
	d.mu.Unlock()
	if !strange {
		return nil
	}
	err := d.runCheck(ctx, append([]string{"-t"}, d.Arguments()[1:]...))
	if err != nil {
		if err := d.setAside(ctx, err); err != nil {
			return err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for id := range d.known {
		if _, err := os.Lstat(d.siteFile(id)); errors.Is(err, fs.ErrNotExist) {
			d.note(id, nil)
		}
	}
	d.strange = false
	return nil
}

// reload makes Apache read everything anew. It comes even when no file changed:
// a request is here because Apache did not confirm what lies there. What it
// gives is how Apache, once it has read everything, answers to its own name;
// a site's answer alone would prove nothing when that site did not change.
func (d *Driver) reload(ctx context.Context) (generation string, err error) {
	generation = string(hosting.NewToken())
	if _, err := d.h.WriteFile(generationFile(d.h.Layout()), renderGeneration(generation), fileMode, 0, 0); err != nil {
		return "", fmt.Errorf("apache: %w", err)
	}
	if err := d.h.Reload(ctx, "apache"); err != nil {
		return "", unavailable("site.apache_unavailable", err)
	}
	return generation, nil
}

func unavailable(key string, err error) error {
	return &hosting.Error{Kind: hosting.Unavailable, Message: hosting.Msg(key), Err: fmt.Errorf("apache: %w", err)}
}

// confirmAll waits until Apache has read everything, notes that, and then asks
// for each site whether what the batch wanted is served, or no longer is.
func (d *Driver) confirmAll(ctx context.Context, wanted []*request, gone map[*request]known, generation string) error {
	d.mu.Lock()
	tree := d.tree.String()
	d.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, confirmWithin)
	defer cancel()
	if err := d.confirm(ctx, NeutralName, generation, true); err != nil {
		return err
	}
	var wait sync.WaitGroup
	slots := make(chan struct{}, probesAtOnce)
	for _, r := range wanted {
		if r.err != nil {
			continue
		}
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			r.err = reconcile.Protect(func() error {
				if r.want != nil {
					return d.confirm(ctx, r.want.host, r.want.hash, true)
				}
				if old := gone[r]; old.host != "" {
					return d.confirm(ctx, old.host, old.hash, false)
				}
				return nil
			})
		})
	}
	wait.Wait()
	if _, err := d.h.WriteFile(d.markerFile(), []byte(tree+"\n"), fileMode, 0, 0); err != nil {
		return fmt.Errorf("apache: marker: %w", err)
	}
	d.mu.Lock()
	d.loaded = tree
	d.mu.Unlock()
	return nil
}
