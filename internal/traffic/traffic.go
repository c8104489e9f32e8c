// Package traffic holds the figures of what the visitors of a site did on one
// day, and how those of several times are added. It counts nothing by itself
// and keeps nothing that leads back to a visitor.
package traffic

import (
	"cmp"
	"maps"
	"slices"
)

// Kept bounds the names of each kind that are kept of a day: those that came
// most often.
const Kept = 100

// Day is what the visitors of one site did on one day.
type Day struct {
	Hits   int64         `json:"hits"`   // requests
	Pages  int64         `json:"pages"`  // pages that people were shown
	Robots int64         `json:"robots"` // requests of programs that say that they are programs
	Bytes  int64         `json:"bytes"`  // sent
	Status map[int]int64 `json:"status"` // requests by the status that was answered

	Names
	Seen Sketch `json:"seen"` // of visitors
}

// Names are what the figures of a day are about.
type Names struct {
	Top       map[string]int64 `json:"top"`       // pages, by path
	Missing   map[string]int64 `json:"missing"`   // paths where nothing is
	Referrers map[string]int64 `json:"referrers"` // host names that people came from
	Slow      map[string]Slow  `json:"slow"`      // paths that were long in coming
}

// Slow is how often a page took long, and how long.
type Slow struct {
	N     int64 `json:"n"`
	Took  int64 `json:"took"`  // milliseconds, of all of them
	Worst int64 `json:"worst"` // milliseconds
}

// Add adds more to a day.
func (d *Day) Add(more Day) {
	d.Hits += more.Hits
	d.Pages += more.Pages
	d.Robots += more.Robots
	d.Bytes += more.Bytes
	d.Seen.Merge(more.Seen)
	sum(&d.Status, more.Status)
	d.Names.Add(more.Names, Kept)
}

// Class is how many requests were answered with a status of a hundred: 2 is
// 200 to 299.
func (d *Day) Class(hundred int) int64 {
	var n int64
	for status, times := range d.Status {
		if status/100 == hundred {
			n += times
		}
	}
	return n
}

// Add adds more names; of each kind the kept that count most stay.
func (n *Names) Add(more Names, kept int) {
	sum(&n.Top, more.Top)
	sum(&n.Missing, more.Missing)
	sum(&n.Referrers, more.Referrers)
	if n.Slow == nil {
		n.Slow = map[string]Slow{}
	}
	for name, s := range more.Slow {
		was := n.Slow[name]
		n.Slow[name] = Slow{N: was.N + s.N, Took: was.Took + s.Took, Worst: max(was.Worst, s.Worst)}
	}
	n.Cut(kept)
}

// Cut leaves at most kept names of each kind.
func (n *Names) Cut(kept int) {
	most(n.Top, kept, count)
	most(n.Missing, kept, count)
	most(n.Referrers, kept, count)
	most(n.Slow, kept, func(s Slow) int64 { return s.Took })
}

func count(n int64) int64 { return n }

func sum[K comparable](to *map[K]int64, more map[K]int64) {
	if *to == nil {
		*to = make(map[K]int64, len(more))
	}
	for name, n := range more {
		(*to)[name] += n
	}
}

func most[V any](m map[string]V, kept int, weight func(V) int64) {
	if len(m) <= kept {
		return
	}
	for _, name := range Order(m, weight)[kept:] {
		delete(m, name)
	}
}

// Order is the names by weight, the heaviest first.
func Order[V any](m map[string]V, weight func(V) int64) []string {
	return slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		return cmp.Or(cmp.Compare(weight(m[b]), weight(m[a])), cmp.Compare(a, b))
	})
}

// AddNames adds the names of a day and its status codes, and of each kind keeps
// so many.
func (d *Day) AddNames(more Day, kept int) {
	sum(&d.Status, more.Status)
	d.Names.Add(more.Names, kept)
}
