package apache

import (
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// populated is a node with so many sites, loaded.
func populated(b *testing.B, sites int) *node {
	n := newNode(b)
	n.boot()
	for id := 1; id <= sites+100; id++ {
		if err := os.MkdirAll(n.path(numbered(id), ""), 0o755); err != nil {
			b.Fatal(err)
		}
	}
	for id := 1; id <= sites; id++ {
		r, err := render(n.layout, numbered(id))
		if err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(n.driver.siteFile(numbered(id).ID), r.data, fileMode); err != nil {
			b.Fatal(err)
		}
	}
	n.start()
	// The first call reads what lies there and loads it once more.
	if err := n.driver.Ensure(b.Context(), numbered(1)); err != nil {
		b.Fatal(err)
	}
	return n
}

// bare is the floor: one file is written, Apache told, and asked until it
// answers with it.
func (n *node) bare(id int) time.Duration {
	r, err := render(n.layout, numbered(id))
	if err != nil {
		n.tb.Fatal(err)
	}
	if err := os.WriteFile(n.driver.siteFile(numbered(id).ID), r.data, fileMode); err != nil {
		n.tb.Fatal(err)
	}
	start := time.Now()
	if err := n.apache.Reload(n.tb.Context(), "apache"); err != nil {
		n.tb.Fatal(err)
	}
	if err := n.driver.confirm(n.tb.Context(), r.host, r.hash, true); err != nil {
		n.tb.Fatal(err)
	}
	return time.Since(start)
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

// BenchmarkOneMore adds one site to many, by turns bare and through the driver.
func BenchmarkOneMore(b *testing.B) {
	for _, sites := range []int{10, 1000, 10_000} {
		b.Run(strconv.Itoa(sites), func(b *testing.B) {
			n := populated(b, sites)
			next := sites + 1
			var bare, ours []time.Duration
			for b.Loop() {
				bare = append(bare, n.bare(next))
				// The floor's site was put there behind the driver's back.
				if err := n.driver.Ensure(b.Context(), numbered(next)); err != nil {
					b.Fatal(err)
				}
				start := time.Now()
				if err := n.driver.Ensure(b.Context(), numbered(next+1)); err != nil {
					b.Fatal(err)
				}
				ours = append(ours, time.Since(start))
				next += 2
			}
			b.ReportMetric(float64(median(bare))/1e6, "bare-ms")
			b.ReportMetric(float64(median(ours))/1e6, "ensure-ms")
			b.ReportMetric(float64(median(ours))/float64(median(bare)), "ratio")
			b.ReportMetric(float64(n.apache.Memory(b))/(1<<20), "MB")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkThousandAtOnce asks for a thousand sites at the same time.
func BenchmarkThousandAtOnce(b *testing.B) {
	n := populated(b, 1000)
	n.again()
	for b.Loop() {
		var wait sync.WaitGroup
		b.StopTimer()
		for id := range 1000 {
			wait.Go(func() {
				if err := n.driver.Remove(b.Context(), numbered(id+1)); err != nil {
					b.Error(err)
				}
			})
		}
		wait.Wait()
		b.StartTimer()
		for id := range 1000 {
			wait.Go(func() {
				if err := n.driver.Ensure(b.Context(), numbered(id+1)); err != nil {
					b.Error(err)
				}
			})
		}
		wait.Wait()
	}
}

// BenchmarkNothingToDo is what a resync costs for each site.
func BenchmarkNothingToDo(b *testing.B) {
	n := populated(b, 100)
	site := numbered(50)
	if err := n.driver.Ensure(b.Context(), site); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := n.driver.Ensure(b.Context(), site); err != nil {
			b.Fatal(err)
		}
	}
}
