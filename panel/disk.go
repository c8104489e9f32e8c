package panel

import (
	"cancale/internal/hosting"
	"cancale/views"
)

// mostOnDisk is how many sites are listed by their size: those that take room.
const mostOnDisk = 100

// showDisk is GET /disk: what takes the room of the association.
func (s *server) showDisk(r *Request) error {
	account, err := r.acts()
	if err != nil {
		return err
	}
	sites, err := s.store.DiskUsage(r.Context(), r.Actor.Scope(hosting.AccountRead), account.ID, mostOnDisk)
	if err != nil {
		return err
	}
	params := views.DiskParams{Space: account.Space, Plan: account.Plan, Sites: sites, More: account.Usage.Sites - len(sites)}
	return r.page(func(p views.Page) error { return r.Render(views.DiskPage(p, params)) })
}
