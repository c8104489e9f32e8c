package panel

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"cancale/internal/hosting"
)

// BenchmarkPages measures pages of an installation with 10,000 sites, from the
// request to the last byte. Run it with -cpu 1: the figure to reach is a p99
// of 50 ms on one core.
func BenchmarkPages(b *testing.B) {
	const sites = 10_000
	w := newWorld(b)
	_, err := w.store.UpdatePlan(b.Context(), w.root, "grande", hosting.PlanSpec{Name: "grande", Sites: hosting.Unlimited})
	w.must(err)
	all := make([]hosting.SiteSpec, sites)
	for i := range all {
		all[i] = hosting.SiteSpec{Host: hosting.Hostname("site-" + number(hosting.SiteID(i)) + ".asso.example"), DocumentRoot: "www", PHP: "8.2"}
	}
	var one hosting.Site
	const batch = 1000
	for part := range slices.Chunk(all, batch) {
		made, err := w.store.CreateSites(b.Context(), w.root, w.account.ID, part)
		w.must(err)
		one = made[0]
	}
	o, a := w.as(owner), w.as(admin)
	for _, c := range []struct {
		name string
		who  *browser
		path string
	}{
		{"list of 10,000 sites", o, "/sites"},
		{"list, page 200", o, "/sites?page=200"},
		{"list, search", o, "/sites?q=site-77"},
		{"one site", o, "/sites/" + number(one.ID)},
		{"status of a site", o, "/sites/" + number(one.ID) + "/status"},
		{"home", o, "/"},
		{"all sites", a, "/admin/sites"},
		{"all sites, by account", a, "/admin/sites?sort=account&page=100"},
		{"administration", a, "/admin"},
	} {
		b.Run(c.name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				if p := c.who.fetch(c.path); p != http.StatusOK {
					b.Fatal(p)
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}
