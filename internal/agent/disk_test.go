package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cancale/internal/hosting"
)

// space is what the store knows of the account's room.
func (w *world) space() hosting.Space {
	w.t.Helper()
	space, err := w.store.Space(w.t.Context(), root.Scope(hosting.AdminRead), w.account.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return space
}

// allow makes the plan of the account allow so many megabytes.
func (w *world) allow(megabytes int) {
	w.t.Helper()
	const n = hosting.Unlimited
	if _, err := w.store.UpdatePlan(w.t.Context(), root, "all", hosting.PlanSpec{Name: "all", Label: "all", Sites: n, Databases: n, FTPLogins: n, DiskMB: megabytes}); err != nil {
		w.t.Fatal(err)
	}
}

func TestASiteThatTakesTooMuchMayNoLongerWrite(t *testing.T) {
	w := newWorld(t)
	w.allow(2)
	site := w.create("www.asso.example.org")[0]
	a := w.agent()
	apply := func() {
		t.Helper()
		if err := a.reconcile(t.Context(), siteKey(site.ID)); err != nil {
			t.Fatal(err)
		}
	}
	measure := func() hosting.Space {
		t.Helper()
		if err := a.cfg.Store.ListDisk(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := a.cfg.Store.MeasureDisk(t.Context(), []hosting.SiteID{site.ID}); err != nil {
			t.Fatal(err)
		}
		if err := a.measureDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		return w.space()
	}
	apply()
	w.script(site, "write.php", `<?php
		session_save_path("/srv/site/sessions"); session_start();
		$n = @file_put_contents(__DIR__ . "/grown", str_repeat("x", 3 << 20), FILE_APPEND);
		$t = @file_put_contents("/srv/site/tmp/t", "t");
		$u = @unlink(__DIR__ . "/grown");
		echo json_encode([$n, $t, $u, $_SESSION["n"] = 1]);`)
	w.script(site, "grow.php", `<?php echo file_put_contents(__DIR__ . "/large", str_repeat("x", 3 << 20));`)
	if space := measure(); space.Used < 20_000 || space.Used > 1<<20 || space.Limit != 2<<20 || space.Stopped {
		t.Errorf("at first: %+v", space)
	}
	if _, body := w.get(site.Host, "/write.php"); body != "[3145728,1,true,1]" {
		t.Fatalf("below the limit: %s", body)
	}
	if _, body := w.get(site.Host, "/grow.php"); body != "3145728" {
		t.Fatalf("PHP is not stopped before somebody has measured: %s", body)
	}
	if space := measure(); !space.Stopped || !space.Full() || space.Used < 3<<20 {
		t.Errorf("after it wrote: %+v", space)
	}
	apply()
	if code, body := w.get(site.Host, "/write.php"); code != 200 || body != "[false,1,false,1]" {
		t.Errorf("beyond the limit: %d %s", code, body)
	}
	if code, _ := w.get(site.Host, "/large"); code != 200 {
		t.Errorf("it is no longer served: %d", code)
	}
	if err := os.Remove(filepath.Join(w.layout().Home(string(site.HomeToken)), "www", "large")); err != nil {
		t.Fatal(err)
	}
	if space := measure(); space.Stopped || space.Full() {
		t.Errorf("after something was deleted: %+v", space)
	}
	apply()
	if _, body := w.get(site.Host, "/write.php"); body != "[3145728,1,true,1]" {
		t.Errorf("below the limit again: %s", body)
	}
}

// A home in which links lead out and round is counted, not followed.
func TestMeasuringFollowsNothing(t *testing.T) {
	w := newWorld(t)
	site := w.create("www.asso.example.org")[0]
	a := w.agent()
	if err := a.reconcile(t.Context(), siteKey(site.ID)); err != nil {
		t.Fatal(err)
	}
	www := filepath.Join(w.layout().Home(string(site.HomeToken)), "www")
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte(strings.Repeat("x", 5<<20)), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"file": outside, "dir": filepath.Dir(outside), "round": ".", "root": "/"} {
		if err := os.Symlink(target, filepath.Join(www, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.cfg.Store.ListDisk(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := a.measureDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	if space := w.space(); space.Used < 20_000 || space.Used > 100_000 {
		t.Errorf("%+v", space)
	}
}
