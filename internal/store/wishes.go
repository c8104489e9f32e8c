package store

import (
	"context"

	"cancale/internal/hosting"
)

// Wishes is everything that a node should have, or has to remove, as it was at
// one moment: what Site and Database answer one by one.
type Wishes struct {
	Sites     []hosting.Site
	Databases []hosting.Database
}

// Wishes reads all there is for the node.
func (n *NodeStore) Wishes(ctx context.Context) (Wishes, error) {
	db := n.db.WithContext(ctx)
	sites, err := list[hosting.Site](db, selectWishedSite+fromSites+" WHERE s.node_id = ? AND s.state <> 'removed' ORDER BY s.id", n.node.ID)
	if err != nil {
		return Wishes{}, err
	}
	// By a join and not by ten thousand identifiers.
	names, err := list[hostName](db, "SELECT n.site_id, n.name FROM site_names n JOIN sites s ON s.id = n.site_id"+
		" WHERE s.node_id = ? AND n.position > 0 AND n.dropped = 0 ORDER BY n.site_id, n.position", n.node.ID)
	if err != nil {
		return Wishes{}, err
	}
	at := make(map[hosting.SiteID]*hosting.Site, len(sites))
	for i := range sites {
		at[sites[i].ID] = &sites[i]
	}
	for _, name := range names {
		if s := at[name.SiteID]; s != nil { // nil: it came after the sites were read
			s.Aliases = append(s.Aliases, name.Name)
		}
	}
	databases, err := list[hosting.Database](db, selectWishedDatabase+fromDatabases+" WHERE d.node_id = ? AND d.state <> 'removed' ORDER BY d.id", n.node.ID)
	if err == nil {
		err = n.addSignIns(db, databases, "")
	}
	return Wishes{Sites: sites, Databases: databases}, err
}
