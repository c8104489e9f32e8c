package agent

import (
	"context"
	"fmt"
	"testing"
	"time"

	"cancale/internal/hosting"
)

// timed adds up how long drivers take.
type timed struct {
	siteDriver
	took *time.Duration
}

func (d timed) Ensure(ctx context.Context, site hosting.Site) error {
	start := time.Now()
	defer func() { *d.took += time.Since(start) }()
	return d.siteDriver.Ensure(ctx, site)
}

// How long a site takes from the wish to the word that it is live, with ten
// others; without the last driver's part, which is Apache's reload.
func BenchmarkSiteAmongTen(b *testing.B) {
	w := newWorld(b)
	a := w.agent()
	var web time.Duration
	last := len(a.sites) - 1
	a.sites[last] = timed{a.sites[last], &web}
	wake, err := listen(w.layout().AgentSocket())
	if err != nil {
		b.Fatal(err)
	}
	defer wake.Close()
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan struct{})
	go func() { a.loop.Run(ctx); close(ended) }()
	go a.claim(ctx, wake.calls(ctx))
	for i := range 10 {
		w.live(w.create(fmt.Sprintf("s%d.example.org", i))...)
	}
	web = 0
	start, n := time.Now(), 0
	for b.Loop() {
		w.live(w.create(fmt.Sprintf("t%d.example.org", n))...)
		n++
	}
	all := time.Since(start)
	b.ReportMetric(float64((all-web).Milliseconds())/float64(n), "ms-without-apache/op")
	cancel()
	<-ended
}

// What one site costs when all are gone over and nothing differs.
func BenchmarkUnchangedSite(b *testing.B) {
	w := newWorld(b)
	a := w.agent()
	const sites = 20
	names := make([]string, sites)
	for i := range names {
		names[i] = fmt.Sprintf("s%d.example.org", i)
	}
	w.create(names...)
	web := time.Duration(0)
	pass := func() {
		keys, err := a.list(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		for _, k := range keys {
			if err := a.reconcile(b.Context(), k); err != nil {
				b.Fatal(err)
			}
		}
	}
	pass()
	last := len(a.sites) - 1
	a.sites[last] = timed{a.sites[last], &web}
	start, n := time.Now(), 0
	for b.Loop() {
		pass()
		n += sites
	}
	all := time.Since(start)
	b.ReportMetric(float64(all.Microseconds())/float64(n), "µs/site")
	b.ReportMetric(float64((all-web).Microseconds())/float64(n), "µs-without-apache/site")
}
