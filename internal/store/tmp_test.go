package store_test

import ("testing";"cancale/internal/testenv";"time")

func TestTmp(t *testing.T) {
	for range 3 {
	start := time.Now()
	testenv.Install(t)
	t.Log(time.Since(start))
	}
	testenv.Store(t)
}
