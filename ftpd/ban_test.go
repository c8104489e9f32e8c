package ftpd

import (
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"cancale/internal/hosting"
)

// A source that is banned is refused as it connects, by both protocols, until
// the ban is lifted; others are not.
func TestBannedSources(t *testing.T) {
	change, address, host := overSSH(t)
	m := &sftpMember{newMember(t, fast(), change), address(), host}
	_, err := m.store.UpdateSettings(t.Context(), root, func(s *hosting.Settings) error {
		s.Bans.Failures, s.Bans.For = 3, time.Hour
		return nil
	})
	check(t, err)
	const bad = "127.0.0.5"
	for range 3 {
		c := m.dial(bad)
		c.want(331, "USER nobody@voile")
		c.want(530, "PASS guess")
	}
	open := m.connect()
	eventually(t, "the source is banned", func() bool { return strings.HasPrefix(m.knock(bad), "421 ") })
	overSSH := func(from string) (string, error) {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		conn, err := d.Dial("tcp", m.address)
		check(t, err)
		defer conn.Close()
		check(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
		b := make([]byte, 3)
		_, err = io.ReadFull(conn, b)
		return string(b), err
	}
	if text, err := overSSH(bad); err == nil || text == "SSH" {
		t.Errorf("over SSH: %q %v", text, err)
	}
	if got := m.knock("127.0.0.6"); !strings.HasPrefix(got, "220 ") {
		t.Errorf("a neighbour gets %q", got)
	}
	if text, err := overSSH("127.0.0.6"); err != nil || text != "SSH" {
		t.Errorf("a neighbour over SSH: %q %v", text, err)
	}
	open.want(257, "PWD")
	_, err = m.store.LiftBanOf(t.Context(), root, bad)
	check(t, err)
	eventually(t, "the ban is lifted", func() bool { return strings.HasPrefix(m.knock(bad), "220 ") })
	if text, err := overSSH(bad); err != nil || text != "SSH" {
		t.Errorf("after the ban: %q %v", text, err)
	}
	_ = m.dialSSH(ssh.Password(m.password))
}

// What is deleted by SFTP can be had back, as what is deleted by FTP.
func TestSFTPDeletesIntoTheBin(t *testing.T) {
	link, ask := linked(t)
	change, address, host := overSSH(t)
	m := &sftpMember{newMember(t, quick(), link, change), address(), host}
	c := m.sftp()
	check(t, c.Mkdir("www/d"))
	check(t, send(c, "www/precious", []byte("precious")))
	check(t, c.Remove("www/precious"))
	check(t, c.RemoveDirectory("www/d"))
	if exists(m.www("precious")) || exists(m.www("d")) {
		t.Error("it is still there")
	}
	var bin hosting.Bin
	path := "/sites/" + strconv.FormatUint(uint64(m.site.ID), 10) + "/bin"
	check(t, ask("GET", path, &bin))
	found := map[string]bool{}
	for _, item := range bin.Items {
		found[item.Path] = true
	}
	if !found["www/precious"] || !found["www/d"] {
		t.Errorf("the bin holds %+v", bin.Items)
	}
}

// What SFTP writes is counted as what FTP writes: new files, longer and shorter
// ones, those that are replaced and those that break off.
func TestWhatSFTPWroteReachesTheStore(t *testing.T) {
	m := newSFTPMember(t, quick())
	m.limited(100)
	const mb = 1 << 20
	c := m.sftp()
	check(t, send(c, "www/one", noise(3*mb)))
	check(t, send(c, "www/one", noise(mb))) // replaced by a smaller one
	check(t, send(c, "www/two", noise(mb)))
	f, err := c.OpenFile("www/two", os.O_WRONLY) // grows in place
	check(t, err)
	_, err = f.WriteAt(noise(mb), mb)
	check(t, errors.Join(err, f.Close()))
	check(t, send(c, "www/three", noise(2*mb)))
	check(t, c.Truncate("www/three", mb))
	f, err = c.Create("www/four") // is given up with its connection, and kept to be resumed
	check(t, err)
	_, err = f.Write(noise(mb))
	check(t, err)
	check(t, c.Close())
	m.stop()
	space, err := m.store.Space(t.Context(), root.Scope(hosting.AdminRead), m.site.AccountID)
	check(t, err)
	if want := int64(5 * mb); space.Used != want {
		t.Errorf("%d bytes are counted, %d lie there", space.Used, want)
	}
}
