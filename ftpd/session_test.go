package ftpd

import (
	"testing"
)

func TestSmoke(t *testing.T) {
	m := newMember(t, quick())
	c := m.connect()
	c.put("STOR www/a.txt", "hello")
	if got := c.get("RETR www/a.txt"); got != "hello" {
		t.Errorf("got %q", got)
	}
	t.Log(c.get("LIST"))
	t.Log(c.get("MLSD www"))
	c.want(221, "QUIT")
}
