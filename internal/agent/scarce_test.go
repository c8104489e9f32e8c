package agent

import (
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/testenv"
)

// A site that is made while the disk is full says so, and is live soon after
// there is room again, however often it was tried in vain.
func TestTheDiskIsFullForAWhile(t *testing.T) {
	l := testenv.Layout(t)
	if err := syscall.Mount("tmpfs", l.Root, "tmpfs", 0, "size=24M,mode=0711"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(l.Root, syscall.MNT_DETACH) })
	w := newWorldAt(t, l)
	w.work()
	before := w.create("before.example.org")[0]
	w.live(before)
	filler, err := os.Create(l.In("filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer filler.Close()
	for chunk := make([]byte, 64<<10); len(chunk) > 0; {
		if _, err := filler.Write(chunk); err != nil {
			chunk = chunk[:len(chunk)/2]
		}
	}
	site := w.create("during.example.org")[0]
	sync := w.wait(hosting.ResourceSite, uint64(site.ID), site.Sync.Generation, hosting.Failed)
	if sync.Problem.Key != "site.failed_room" {
		t.Errorf("it says %+v", sync.Problem)
	}
	if code, _ := w.get(before.Host, "/"); code != 200 {
		t.Errorf("the other site answers %d", code)
	}
	// As after an hour.
	w.exec("UPDATE "+w.Store.Database+".sites SET attempts = 20, due_at = NOW(6) - INTERVAL 1 SECOND WHERE id = ?", site.ID)
	w.eventually("it was tried once more", func() bool {
		s, err := w.store.Site(t.Context(), root.Scope(hosting.SitesRead), site.ID)
		return err == nil && s.Sync.Attempts > 20
	})
	if err := filler.Truncate(0); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	w.live(site)
	if took := time.Since(began); took > 2*scarceRetry {
		t.Errorf("live only after %v", took)
	}
	if code, _ := w.get(site.Host, "/"); code != 200 {
		t.Errorf("it answers %d", code)
	}
}

// A thousand changes at once, of which one cannot be made: all others are.
func TestOneBadChangeAmongAThousand(t *testing.T) {
	w := newWorld(t)
	names := make([]string, 1000)
	for i := range names {
		names[i] = fmt.Sprintf("site-%d.example.org", i)
	}
	sites := w.create(names...)
	bad := sites[500]
	w.exec("UPDATE "+w.Store.Database+".sites SET php = '5.6' WHERE id = ?", bad.ID)
	w.work()
	began := time.Now()
	for i, s := range sites {
		if s.ID != bad.ID {
			w.wait(hosting.ResourceSite, uint64(s.ID), s.Sync.Generation, hosting.Live)
		}
		if i%333 == 0 {
			if code, _ := w.get(s.Host, "/"); code != 200 {
				t.Errorf("%s answers %d", s.Host, code)
			}
		}
	}
	t.Logf("999 are live after %v", time.Since(began))
	sync := w.wait(hosting.ResourceSite, uint64(bad.ID), bad.Sync.Generation, hosting.Failed)
	if sync.Problem.Key != "site.failed_php" {
		t.Errorf("it says %+v", sync.Problem)
	}
}
