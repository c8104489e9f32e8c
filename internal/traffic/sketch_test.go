package traffic

import (
	"crypto/sha256"
	"encoding/binary"
	"testing"
)

func TestCountsOfManyVisitors(t *testing.T) {
	for _, n := range []int{0, 1, 12, 300, 5000, 200_000} {
		var whole, half Sketch
		for i := range n {
			sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
			if h := binary.BigEndian.Uint64(sum[:]); i%2 == 0 {
				whole.Add(h)
			} else {
				half.Add(h)
			}
		}
		whole.Merge(half)
		text, err := whole.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var again Sketch
		if err := again.UnmarshalText(text); err != nil {
			t.Fatal(err)
		}
		if got := again.Count(); got < int64(n)*95/100 || got > int64(n)*105/100 {
			t.Errorf("%d visitors are counted as %d", n, got)
		}
	}
	if err := new(Sketch).UnmarshalText([]byte("AAA!")); err == nil {
		t.Error("anything is a sketch")
	}
}
