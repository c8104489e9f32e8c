package secret

import (
	"context"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestHash(t *testing.T) {
	encoded, err := Hash(t.Context(), "pain au levain")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("its password is right", func(t *testing.T) {
		if ok, err := Check(t.Context(), encoded, "pain au levain"); !ok || err != nil {
			t.Fatalf("Check = %v, %v", ok, err)
		}
	})
	t.Run("another is wrong", func(t *testing.T) {
		for _, p := range []string{"", "pain au levain ", "Pain au levain", strings.Repeat("x", 5000)} {
			if ok, err := Check(t.Context(), encoded, p); ok || err != nil {
				t.Errorf("Check(%.20q) = %v, %v", p, ok, err)
			}
		}
	})
	t.Run("two hashes of one password differ", func(t *testing.T) {
		again, err := Hash(t.Context(), "pain au levain")
		if err != nil || again == encoded {
			t.Fatalf("Hash = %q, %v", again, err)
		}
	})
	t.Run("no hash is never right, whatever the password", func(t *testing.T) {
		for _, p := range []string{"", "x"} {
			if ok, err := Check(t.Context(), "", p); ok || err != nil {
				t.Errorf("Check(%q) = %v, %v", p, ok, err)
			}
		}
	})
	t.Run("a corrupt or greedy hash is an error", func(t *testing.T) {
		for _, bad := range []string{
			"x", "$2y$10$abcdefghijklmnopqrstuv", encoded[:40],
			strings.Replace(encoded, "m=7168", "m=99999999", 1), strings.Replace(encoded, "t=5", "t=0", 1),
			strings.Replace(encoded, "p=1", "p=255", 1), strings.Replace(encoded, "v=19", "v=16", 1), encoded + "$x",
		} {
			if ok, err := Check(t.Context(), bad, "pain au levain"); ok || err == nil {
				t.Errorf("Check(%q) = %v, %v", bad, ok, err)
			}
		}
	})
	t.Run("a password of a megabyte is refused", func(t *testing.T) {
		if _, err := Hash(t.Context(), strings.Repeat("x", 1<<20)); err == nil {
			t.Fatal("hashed")
		}
	})
	t.Run("who no longer waits is not hashed for", func(t *testing.T) {
		for range cap(slots) {
			slots <- struct{}{}
		}
		defer func() {
			for range cap(slots) {
				<-slots
			}
		}()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := Hash(ctx, "x"); err == nil {
			t.Fatal("hashed")
		}
	})
}

func TestEightSignInsAtOnceStayBelow64MB(t *testing.T) {
	encoded, err := Hash(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	done := make(chan struct{})
	var peak uint64
	var watch, hashes sync.WaitGroup
	watch.Go(func() {
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse)
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
			}
		}
	})
	for range 8 {
		hashes.Go(func() {
			for range 3 {
				if ok, err := Check(t.Context(), encoded, "x"); !ok || err != nil {
					t.Errorf("Check = %v, %v", ok, err)
				}
			}
		})
	}
	hashes.Wait()
	close(done)
	watch.Wait()
	t.Logf("heap at its peak: %d MB", peak>>20)
	if peak > 64<<20 {
		t.Errorf("the heap grew to %d MB", peak>>20)
	}
}

func TestUnknownCostsWhatKnownDoes(t *testing.T) {
	encoded, err := Hash(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	took := func(encoded string) time.Duration {
		best := time.Hour
		for range 7 {
			start := time.Now()
			_, _ = Check(t.Context(), encoded, "y")
			best = min(best, time.Since(start))
		}
		return best
	}
	known, unknown := took(encoded), took("")
	if unknown < known/2 || unknown > known*2 {
		t.Errorf("known %v, unknown %v", known, unknown)
	}
}

func TestNewPassword(t *testing.T) {
	form := regexp.MustCompile(`^[a-hjkmnp-z2-9]{5}(-[a-hjkmnp-z2-9]{5}){3}$`)
	seen := map[string]bool{}
	for range 1000 {
		p := NewPassword()
		if !form.MatchString(p) || seen[p] {
			t.Fatalf("NewPassword = %q", p)
		}
		seen[p] = true
	}
}

func TestTokens(t *testing.T) {
	a, b := NewToken(), NewToken()
	if a == b || len(a) != 43 {
		t.Fatalf("NewToken = %q, %q", a, b)
	}
	if len(HashToken(a)) != 32 || string(HashToken(a)) == string(HashToken(b)) {
		t.Fatal("HashToken does not tell them apart")
	}
}

func TestNativeHash(t *testing.T) {
	// SELECT PASSWORD('secret') of MariaDB.
	if got, want := NativeHash("secret"), "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7"; got != want {
		t.Errorf("NativeHash = %s, want %s", got, want)
	}
}

func BenchmarkCheck(b *testing.B) {
	encoded, err := Hash(b.Context(), "x")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		_, _ = Check(b.Context(), encoded, "x")
	}
}
