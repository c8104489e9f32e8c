package agent

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"cancale/internal/hosting"
)

func TestBinsAreEmptiedAfterAWhile(t *testing.T) {
	w := newWorld(t)
	site := w.create("www.asso.example.org")[0]
	a := w.agent()
	if err := a.reconcile(t.Context(), siteKey(site.ID)); err != nil {
		t.Fatal(err)
	}
	bin := w.layout().Bin(string(site.HomeToken))
	outside := t.TempDir()
	now := time.Now().UTC()
	slotOf := func(age time.Duration) string { return now.Add(-age).Format("20060102T15") }
	put := func(name string) {
		t.Helper()
		path := filepath.Join(bin, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, make([]byte, 500_000), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put(slotOf(8*24*time.Hour) + "/www/old")
	put(slotOf(9*24*time.Hour) + "-1/www/old")
	put(slotOf(6*24*time.Hour) + "/www/new")
	put("nothing of ours")
	for name, target := range map[string]string{slotOf(10*24*time.Hour) + "/www/out": outside, slotOf(30 * 24 * time.Hour): outside} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(bin, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(outside, "kept"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	measure := func() int64 {
		t.Helper()
		if err := a.cfg.Store.ListDisk(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := a.measureDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		return w.space().Bin
	}
	if n := measure(); n < 1_900_000 {
		t.Errorf("the bin counts %d bytes", n)
	}
	if err := a.expireBins(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(bin)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range left {
		names = append(names, e.Name())
	}
	if want := []string{slotOf(6 * 24 * time.Hour), "nothing of ours"}; !slices.Equal(names, want) {
		t.Errorf("left: %v, want %v", names, want)
	}
	if _, err := os.Stat(filepath.Join(outside, "kept")); err != nil {
		t.Errorf("what a link leads to: %v", err)
	}
	if n := measure(); n > 1_100_000 {
		t.Errorf("afterwards the bin counts %d bytes", n)
	}
	_, err = w.store.UpdateSettings(t.Context(), root, func(s *hosting.Settings) error { s.Kept.BinDays = 2; return nil })
	if err != nil {
		t.Fatal(err)
	}
	if err := a.expireBins(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(bin, slotOf(6*24*time.Hour))); err == nil {
		t.Error("two days are kept longer")
	}
}
