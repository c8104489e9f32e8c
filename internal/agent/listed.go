package agent

import (
	"sync"

	"cancale/internal/hosting"
	"cancale/internal/store"
)

// listed holds what the last list of everything said, until each thing has been
// gone over: a resync of thousands then needs no query for each.
//
// It never hides a newer wish: every wish is claimed after it was written, what
// is claimed is forgotten here, and the claimed thing is read anew. What is
// claimed while a list is being read does not enter it.
type listed struct {
	mu        sync.Mutex
	sites     map[hosting.SiteID]hosting.Site
	databases map[hosting.DatabaseID]hosting.Database
	claimed   map[hosting.Key]struct{} // since the list being read was asked for; nil when none is
}

// begin comes before a list is read.
func (l *listed) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.claimed = map[hosting.Key]struct{}{}
}

// end takes what was read.
func (l *listed) end(w store.Wishes) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sites = make(map[hosting.SiteID]hosting.Site, len(w.Sites))
	for _, s := range w.Sites {
		if _, newer := l.claimed[siteKey(s.ID)]; !newer {
			l.sites[s.ID] = s
		}
	}
	l.databases = make(map[hosting.DatabaseID]hosting.Database, len(w.Databases))
	for _, d := range w.Databases {
		if _, newer := l.claimed[databaseKey(d.ID)]; !newer {
			l.databases[d.ID] = d
		}
	}
	l.claimed = nil
}

// forget comes before what was claimed is worked on.
func (l *listed) forget(keys []hosting.Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range keys {
		delete(l.sites, hosting.SiteID(k.ID)) // of the wrong resource, it costs one query
		delete(l.databases, hosting.DatabaseID(k.ID))
		if l.claimed != nil {
			l.claimed[k] = struct{}{}
		}
	}
}

// site gives what was listed of a site, once.
func (l *listed) site(id hosting.SiteID) (hosting.Site, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.sites[id]
	delete(l.sites, id)
	return s, ok
}

// database gives what was listed of a database, once.
func (l *listed) database(id hosting.DatabaseID) (hosting.Database, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d, ok := l.databases[id]
	delete(l.databases, id)
	return d, ok
}

func siteKey(id hosting.SiteID) hosting.Key {
	return hosting.Key{Resource: hosting.ResourceSite, ID: uint64(id)}
}

func databaseKey(id hosting.DatabaseID) hosting.Key {
	return hosting.Key{Resource: hosting.ResourceDatabase, ID: uint64(id)}
}
