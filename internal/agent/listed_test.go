package agent

import (
	"testing"

	"cancale/internal/hosting"
	"cancale/internal/store"
)

func TestListedNeverHidesANewerWish(t *testing.T) {
	old := store.Wishes{Sites: []hosting.Site{{ID: 1}, {ID: 2}, {ID: 3}}, Databases: []hosting.Database{{ID: 1}, {ID: 2}}}
	var l listed
	l.forget([]hosting.Key{siteKey(1)}) // before the list was asked for: the list has it as it is now
	l.begin()
	l.forget([]hosting.Key{siteKey(2), databaseKey(1)}) // while it is being read
	l.end(old)
	l.forget([]hosting.Key{siteKey(3)}) // since

	for id, want := range map[hosting.SiteID]bool{1: true, 2: false, 3: false, 4: false} {
		if _, ok := l.site(id); ok != want {
			t.Errorf("site %d: listed %t", id, ok)
		}
	}
	for id, want := range map[hosting.DatabaseID]bool{1: false, 2: true} {
		if _, ok := l.database(id); ok != want {
			t.Errorf("database %d: listed %t", id, ok)
		}
	}
	if _, ok := l.site(1); ok {
		t.Error("what was listed once is given twice")
	}
}
