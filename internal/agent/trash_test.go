package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"cancale/internal/hosting"
)

// trashed removes a site and waits until it is out of service.
func (w *world) trashed(site hosting.Site) hosting.Site {
	w.t.Helper()
	site, err := w.store.RemoveSite(w.t.Context(), root, site.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	w.wait(hosting.ResourceSite, uint64(site.ID), site.Sync.Generation, hosting.Removed)
	return site
}

func TestARemovedSiteComesBack(t *testing.T) {
	w := newWorld(t)
	w.work()
	empty := w.things()
	site := w.create("www.asso.example.org")[0]
	w.live(site)
	w.script(site, "who.php", `<?php echo "here ", posix_getuid();`)
	if _, body := w.get(site.Host, "/who.php"); body != fmt.Sprint("here ", site.UID) {
		t.Fatal(body)
	}
	w.trashed(site)
	if code, _ := w.get(site.Host, "/who.php"); code != 404 {
		t.Errorf("a removed site answers %d", code)
	}
	if _, err := os.Lstat(w.layout().Home(string(site.HomeToken))); err == nil {
		t.Error("its home is still in its place")
	}
	if _, err := os.Lstat(filepath.Join(w.layout().TrashOf(uint64(site.ID)), "home", "www", "who.php")); err != nil {
		t.Error(err)
	}

	// The whole installation is gone over once more: what is kept stays so.
	a := w.other()
	keys, err := a.list(t.Context())
	a.foreign.Wait()
	if err != nil || len(keys) != 0 {
		t.Errorf("%v, %v", keys, err)
	}

	// Its room counts as long as it is kept.
	if err := a.cfg.Store.ListDisk(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := a.cfg.Store.MeasureDisk(t.Context(), []hosting.SiteID{site.ID}); err != nil {
		t.Fatal(err)
	}
	if err := a.measureDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	if space := w.space(); space.Used < 5000 || space.Trash != space.Used {
		t.Errorf("%+v", space)
	}

	back, err := w.store.RestoreSite(t.Context(), root, site.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	w.live(back)
	if code, body := w.get(site.Host, "/who.php"); code != 200 || body != fmt.Sprint("here ", site.UID) {
		t.Errorf("it came back and answers %d: %s", code, body)
	}

	w.trashed(back)
	gone, err := w.store.PurgeSite(t.Context(), root, site.ID)
	if err != nil {
		t.Fatal(err)
	}
	w.wait(hosting.ResourceSite, uint64(site.ID), gone.Sync.Generation, hosting.Removed)
	if _, err := os.Lstat(w.layout().TrashOf(uint64(site.ID))); err == nil {
		t.Error("it was purged and is still kept")
	}
	if got := w.things(); !slices.Equal(got, empty) {
		t.Errorf("left behind: %v, at first there was: %v", got, empty)
	}
}

// The machine is short of room: the oldest goes, and no more than are needed.
func TestTheOldestTrashMakesRoom(t *testing.T) {
	w := newWorld(t)
	stop := w.work()
	sites := w.create("oldest.example.org", "older.example.org", "old.example.org")
	w.live(sites...)
	for _, site := range sites {
		w.trashed(site)
	}
	stop()
	a := w.agent()
	if err := a.cfg.Store.ListDisk(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := a.measureDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	one := w.space().Trash / int64(len(sites))
	if err := a.endOldest(t.Context(), hosting.ResourceSite, one+one/2); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer w.work()()
	for i, site := range sites {
		if i < 2 {
			w.eventually("it goes", func() bool { _, err := os.Lstat(w.layout().TrashOf(uint64(site.ID))); return err != nil })
			continue
		}
		if back, err := w.store.RestoreSite(t.Context(), root, site.ID, ""); err != nil {
			t.Error(err)
		} else {
			w.live(back)
		}
	}
}

// The agent's process ends itself before each of its steps in turn, while it
// takes a site out of service, brings it back and destroys it: the files are
// there at the end, and nothing is left after the last.
func TestTrashKilledAtEveryStep(t *testing.T) {
	const most = 45 // more than there are steps
	for _, act := range []string{"removal", "restoration", "purge"} {
		t.Run(act, func(t *testing.T) {
			w := newWorld(t)
			stop := w.work() // makes the directories
			empty := w.things()
			names := make([]string, most)
			for i := range names {
				names[i] = fmt.Sprintf("killed-at-%d.example.org", i)
			}
			sites := w.create(names...)
			w.live(sites...)
			for i, site := range sites {
				w.script(site, "a.html", "kept")
				removed, err := w.store.RemoveSite(t.Context(), root, site.ID)
				if err != nil {
					t.Fatal(err)
				}
				sites[i] = removed
			}
			w.removed(sites...)
			// A child of Apache's that has yet to end may answer once more.
			served := func(site hosting.Site) {
				t.Helper()
				w.eventually(string(site.Host)+" answers as before", func() bool {
					code, body := w.get(site.Host, "/a.html")
					return code == 200 && body == "kept"
				})
			}
			// Few are live at a time: an agent that begins goes over all of those.
			back := func(site hosting.Site) {
				t.Helper()
				site, err := w.store.RestoreSite(t.Context(), root, site.ID, "")
				if err != nil {
					t.Fatal(err)
				}
				w.live(site)
				served(site)
			}
			if act == "removal" {
				back(sites[1])
			}
			stop()
			survived := false
			n := 1
			for ; !survived && n < most; n++ {
				site := sites[n]
				var err error
				want := hosting.Removed
				switch act {
				case "removal":
					site, err = w.store.RemoveSite(t.Context(), root, site.ID)
				case "restoration":
					want = hosting.Live
					site, err = w.store.RestoreSite(t.Context(), root, site.ID, "")
				case "purge":
					site, err = w.store.PurgeSite(t.Context(), root, site.ID)
				}
				if err != nil {
					t.Fatal(err)
				}
				survived = w.killed(w.child(n), site, want)

				stop := w.work()
				w.wait(hosting.ResourceSite, uint64(site.ID), site.Sync.Generation, want)
				switch act {
				case "removal":
					w.eventually("the removed site is not served", func() bool {
						code, _ := w.get(site.Host, "/a.html")
						return code == 404
					})
					back(site)
					w.trashed(site)
					back(sites[min(n+1, most-1)])
				case "restoration":
					served(site)
					w.trashed(site)
				}
				stop()
			}
			t.Logf("%d steps", n-1)
			if !survived || n < 4 {
				t.Errorf("it survived %v after %d steps", survived, n-1)
			}
			w.work()
			for i, site := range sites {
				purged, err := w.store.PurgeSite(t.Context(), root, site.ID)
				if err != nil && hosting.KindOf(err) != hosting.NotFound {
					t.Fatal(err)
				}
				if err == nil {
					sites[i] = purged
				}
			}
			w.removed(sites...)
			if got := w.things(); !slices.Equal(got, empty) {
				t.Errorf("left behind: %v, at first there was: %v", got, empty)
			}
			if entries, err := os.ReadDir(w.layout().Trash()); err != nil || len(entries) > 0 {
				t.Errorf("still kept: %v, %v", entries, err)
			}
		})
	}
}

// removed returns when sites are out of service.
func (w *world) removed(sites ...hosting.Site) {
	w.t.Helper()
	for _, s := range sites {
		w.wait(hosting.ResourceSite, uint64(s.ID), s.Sync.Generation, hosting.Removed)
	}
}
