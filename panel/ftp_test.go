package panel

import (
	"strings"
	"testing"
)

func TestConnectionCardSaysWhetherTLSIsOffered(t *testing.T) {
	w := newWorld(t)
	o := w.as("owner")
	path := "/ftp/" + number(w.login.ID)
	if p := o.get(path); !strings.Contains(p.body, "TLS explicite") {
		t.Errorf("the card: %s", p.text(".sheet"))
	}
}
