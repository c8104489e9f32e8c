package secret

import (
	"strconv"
	"sync"
	"testing"
	"time"
)

func TestRecentPasswords(t *testing.T) {
	r := NewRecent()
	check := func(encoded, password string, want bool) {
		t.Helper()
		if right, err := r.Check(t.Context(), encoded, password); err != nil || right != want {
			t.Errorf("%q: %v, %v", password, right, err)
		}
	}
	hash, err := Hash(t.Context(), "marée haute")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { check(hash, "marée haute", true) })
	}
	all.Wait()
	begun := time.Now()
	for range 100 {
		check(hash, "marée haute", true)
	}
	if took := time.Since(begun); took > time.Second {
		t.Errorf("a hundred took %s", took)
	}
	check(hash, "marée basse", false)
	check(hash, "marée basse", false)
	check("", "marée haute", false)
	changed, err := Hash(t.Context(), "marée basse")
	if err != nil {
		t.Fatal(err)
	}
	check(changed, "marée haute", false)
	check(changed, "marée basse", true)
	if len(r.right) != 2 {
		t.Errorf("%d are remembered", len(r.right))
	}
	t.Run("not for ever", func(t *testing.T) {
		for mark := range r.right {
			r.right[mark] = time.Now().Add(-time.Second)
		}
		if r.knows(r.mark(hash, "marée haute")) {
			t.Error("still known")
		}
	})
	t.Run("not without end", func(t *testing.T) {
		for n := range 2 * recentMost {
			r.remember(r.mark(strconv.Itoa(n), "x"))
		}
		if len(r.right) > recentMost {
			t.Errorf("%d are remembered", len(r.right))
		}
	})
	t.Run("another process would not understand it", func(t *testing.T) {
		if r.mark("a", "b") == NewRecent().mark("a", "b") {
			t.Error("the same mark")
		}
	})
}
