package host

import (
	"context"
	"slices"
	"sync"
)

// Repairs are the parts of one thing that were found different from what they
// were last made to be.
type Repairs struct {
	mu    sync.Mutex
	parts []string
}

// Parts are what was repaired, each once, in order.
func (r *Repairs) Parts() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.Sort(r.parts)
	return slices.Compact(r.parts)
}

type repairsKey struct{}

// CollectRepairs makes a context in which drivers say what they repaired.
func CollectRepairs(ctx context.Context) (context.Context, *Repairs) {
	r := &Repairs{}
	return context.WithValue(ctx, repairsKey{}, r), r
}

// Repaired notes that a part, "vhost" or "grants", was not as it had been left.
func Repaired(ctx context.Context, part string) {
	if r, ok := ctx.Value(repairsKey{}).(*Repairs); ok {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.parts = append(r.parts, part)
	}
}
