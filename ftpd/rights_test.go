package ftpd

import (
	"io"
	"os"
	"strings"
	"testing"

	"cancale/internal/hosting"
)

// as signs in as another login of the member's site.
func (m *member) as(name string, terms hosting.FTPTerms) *client {
	m.t.Helper()
	name, password := m.newLogin(name, terms)
	c := m.dial("")
	c.want(331, "USER "+name)
	c.want(230, "PASS "+password)
	c.want(200, "TYPE I")
	return c
}

// newLogin is another login of the member's site.
func (m *member) newLogin(name string, terms hosting.FTPTerms) (login, password string) {
	m.t.Helper()
	account, err := m.store.AccountByName(m.t.Context(), root.Scope(hosting.AccountRead), "voile")
	check(m.t, err)
	l, password := m.world.login(account.Account, hosting.FTPSpec{Login: hosting.FTPName(name), Site: m.site.ID, FTPTerms: terms})
	return string(l.Login), password
}

func TestUploadOnly(t *testing.T) {
	m := newMember(t, quick())
	m.write("there.txt", "theirs")
	c := m.as("depot@voile", hosting.FTPTerms{Rights: hosting.FTPUploadOnly})
	c.want(250, "CWD www")
	t.Run("what is new goes in", func(t *testing.T) {
		c.put("STOR new.txt", "mine")
		c.want(257, "MKD folder")
		c.put("STOR folder/b.txt", "b")
		c.put("APPE appended.txt", "a")
		c.put("STOU upload.txt", "u")
		if m.read("new.txt") != "mine" || m.read("folder/b.txt") != "b" || m.read("appended.txt") != "a" {
			t.Error("not what was sent")
		}
	})
	t.Run("names are seen, with what may be done", func(t *testing.T) {
		if list := c.get("LIST"); !strings.Contains(list, "there.txt") {
			t.Error(list)
		}
		list := c.get("MLSD")
		for line := range strings.Lines(list) {
			_, perm, _ := strings.Cut(line, "perm=")
			perm, _, _ = strings.Cut(perm, ";")
			if strings.ContainsAny(perm, "adfprw") {
				t.Errorf("%q promises too much", line)
			}
		}
		c.want(213, "SIZE new.txt")
		c.want(213, "MDTM new.txt")
	})
	t.Run("what is there is neither read nor changed", func(t *testing.T) {
		before := m.read("there.txt")
		for command, code := range map[string]int{
			"RETR there.txt": 550, "RETR new.txt": 550, "STOR there.txt": 553, "APPE there.txt": 553, "STOR new.txt": 553,
			"DELE there.txt": 550, "DELE new.txt": 550, "RNFR there.txt": 550, "RMD folder": 550,
			"MFMT 20200101000000 there.txt": 550, "SITE CHMOD 777 there.txt": 550, "SITE UTIME 20200101000000 there.txt": 550,
		} {
			c.port()
			c.want(code, command)
		}
		c.want(503, "RNTO other.txt")
		c.want(350, "REST 2")
		c.port()
		c.want(553, "STOR there.txt")
		c.want(350, "REST 2")
		c.port()
		c.want(554, "STOR other.txt")
		if m.read("there.txt") != before || m.read("new.txt") != "mine" {
			t.Error("a file was changed")
		}
	})
	t.Run("a name that is taken in the meantime stays its owner's", func(t *testing.T) {
		conn := c.data()
		c.want(150, "STOR race.txt")
		_, err := io.WriteString(conn, "late")
		check(t, err)
		m.write("race.txt", "first")
		check(t, conn.Close())
		c.reply(550)
		if m.read("race.txt") != "first" {
			t.Error("replaced")
		}
	})
	t.Run("one that breaks off leaves nothing, so that it can be sent again", func(t *testing.T) {
		conn := c.data()
		c.want(150, "STOR broken.txt")
		_, err := io.WriteString(conn, "half")
		check(t, err)
		check(t, conn.SetLinger(0))
		check(t, conn.Close())
		c.reply(426)
		if _, err := os.Stat(m.www("broken.txt")); !os.IsNotExist(err) {
			t.Errorf("%v", err)
		}
		c.put("STOR broken.txt", "whole")
	})
}
