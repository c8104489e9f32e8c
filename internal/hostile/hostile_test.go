package hostile

import (
	"fmt"
	"slices"
	"testing"
)

// table is every row that has a test, in the order in which they run.
func table() []row {
	return slices.Concat(phpRows, phpHeavy, apacheRows, apacheHeavy, rootRows, databaseRows, databaseHeavy, ftpRows, ftpHeavy)
}

func TestHostile(t *testing.T) {
	w := start(t)
	for _, r := range table() {
		t.Run(r.id+" "+r.technique, func(t *testing.T) { r.attack(t, w) })
	}
	t.Run("after all of it the victim's site is as it was", func(t *testing.T) {
		w.alive(t)
		is(t, "secret.txt", w.victim.get(t, "/secret.txt").body, secret)
	})
}

func TestEveryRowHasATest(t *testing.T) {
	have := map[string]int{}
	for _, r := range table() {
		have[r.id]++
	}
	for kind, n := range map[string]int{"P": 32, "H": 42, "R": 6, "D": 13, "F": 3} {
		for i := range n {
			id := fmt.Sprintf("%s%02d", kind, i+1)
			if have[id] != 1 {
				t.Errorf("%s has %d tests", id, have[id])
			}
			delete(have, id)
		}
	}
	for id := range have {
		t.Errorf("%s is no row", id)
	}
}

// An installation at work is asked to stop all that is harmless, and each once.
func TestEveryHarmlessRowIsInAGroup(t *testing.T) {
	have := map[string]int{}
	for _, g := range groups {
		for _, id := range g.rows {
			have[id]++
		}
	}
	for _, r := range harmless() {
		if have[r.id] != 1 {
			t.Errorf("%s is in %d groups", r.id, have[r.id])
		}
		delete(have, r.id)
	}
	for id := range have {
		t.Errorf("%s is no harmless row", id)
	}
}
