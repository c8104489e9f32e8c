package ftpd

import (
	"bytes"
	"errors"
	"net/textproto"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jlaffaye/ftp"

	"cancale/internal/hosting"
)

// limited makes the plan of the member's account allow so many megabytes.
func (m *member) limited(megabytes int) {
	m.t.Helper()
	const n = hosting.Unlimited
	_, err := m.store.UpdatePlan(m.t.Context(), root, "big", hosting.PlanSpec{Name: "big", Label: "Big", Sites: n, Databases: n, FTPLogins: n, DiskMB: megabytes})
	check(m.t, err)
	m.srv.ledger.Exchange(m.t.Context())
}

// size is what lies in a folder of the site, hidden files included.
func (m *member) size(dir string) (sum int64) {
	m.t.Helper()
	check(m.t, filepath.WalkDir(m.home(m.site, dir), func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			sum += info.Size()
		}
		return err
	}))
	return sum
}

// client is one that speaks FTP by a library.
func (m *member) client() *ftp.ServerConn {
	m.t.Helper()
	c, err := ftp.Dial(m.addr, ftp.DialWithTimeout(10*time.Second))
	check(m.t, err)
	m.t.Cleanup(func() { _ = c.Quit() })
	check(m.t, c.Login(m.login, m.password))
	return c
}

func refusedWith(t *testing.T, err error, code int) {
	t.Helper()
	if e, ok := errors.AsType[*textproto.Error](err); !ok || e.Code != code {
		t.Errorf("%v, want %d", err, code)
	}
}

func TestTheLimitOfThePlanIsMetWhileWriting(t *testing.T) {
	m := newMember(t, quick())
	m.limited(3)
	c := m.client()
	const mb = 1 << 20
	check(t, c.Stor("www/one.bin", bytes.NewReader(make([]byte, 2*mb))))
	check(t, c.Stor("www/old.txt", bytes.NewReader([]byte("old"))))
	before := m.size("www")
	refusedWith(t, c.Stor("www/two.bin", bytes.NewReader(make([]byte, 2*mb))), 552)
	refusedWith(t, c.Stor("www/old.txt", bytes.NewReader(make([]byte, 2*mb))), 552)
	if got := m.size("www"); got != before {
		t.Errorf("something was left behind: %d bytes, before %d", got, before)
	}
	if text := m.read("old.txt"); text != "old" {
		t.Errorf("the old file is now %q", text)
	}
	refusedWith(t, c.Append("www/one.bin", bytes.NewReader(make([]byte, 3*mb))), 552)
	if got := m.size("www"); got != before {
		t.Errorf("an appended piece was left behind: %d bytes, before %d", got, before)
	}
	check(t, c.Stor("www/one.bin", bytes.NewReader(make([]byte, mb)))) // smaller than what it replaces
	check(t, c.Stor("www/two.bin", bytes.NewReader(make([]byte, mb))))
	refusedWith(t, c.Stor("www/three.bin", bytes.NewReader(make([]byte, mb))), 552)
	check(t, c.Delete("www/two.bin"))
}

func TestManySessionsTogetherStayWithinThePlan(t *testing.T) {
	m := newMember(t, quick())
	m.limited(8)
	const mb = 1 << 20
	unmeasured := m.size("www") // the first page
	var all sync.WaitGroup
	for i := range 8 {
		c := m.client()
		all.Go(func() {
			for j := range 4 {
				name := "www/" + string(rune('a'+i)) + string(rune('a'+j))
				if err := c.Stor(name, bytes.NewReader(make([]byte, mb))); err != nil {
					refusedWith(t, err, 552)
				}
			}
		})
	}
	all.Wait()
	if got := m.size("www") - unmeasured; got > 8*mb || got < 4*mb {
		t.Errorf("%d bytes, 8 MB are allowed", got)
	}
}

func TestWhatWasWrittenReachesTheStore(t *testing.T) {
	m := newMember(t, quick())
	m.limited(100)
	c := m.client()
	check(t, c.Stor("www/one.bin", bytes.NewReader(make([]byte, 1<<20))))
	m.stop()
	space, err := m.store.Space(t.Context(), root.Scope(hosting.AdminRead), m.site.AccountID)
	check(t, err)
	if space.Used != 1<<20 || space.Limit != 100<<20 {
		t.Errorf("%+v", space)
	}
}

func TestClientsSeeTheRoomThatIsLeft(t *testing.T) {
	m := newSFTPMember(t, quick())
	m.limited(10)
	c := m.connect()
	const mb = 1 << 20
	c.want(213, "AVBL")
	client := m.sftp()
	check(t, client.Mkdir("www/room"))
	before, err := client.StatVFS("www/room")
	check(t, err)
	f, err := client.Create("www/room/big")
	check(t, err)
	_, err = f.Write(make([]byte, 4*mb))
	check(t, errors.Join(err, f.Close()))
	after, err := client.StatVFS("/")
	check(t, err)
	if before.TotalSpace() != 10*mb || before.FreeSpace()-after.FreeSpace() != 4*mb || after.FreeSpace() >= 6*mb+1 {
		t.Errorf("%d of %d, then %d", before.FreeSpace(), before.TotalSpace(), after.FreeSpace())
	}
	if left := strings.TrimSpace(c.want(213, "AVBL /www")); left != "213 "+strconv.FormatUint(after.FreeSpace(), 10) {
		t.Errorf("%s, by SFTP %d", left, after.FreeSpace())
	}
	c.want(550, "AVBL /www/room/big")
	c.want(550, "AVBL /nothing")
	for _, outside := range []string{"/../../..", "/nothing"} {
		if st, err := client.StatVFS(outside); err == nil && st.TotalSpace() != 10*mb {
			t.Errorf("%s: %+v", outside, st)
		}
	}
}

func TestTheRoomOfAllSitesOfAnAccount(t *testing.T) {
	m := newMember(t, quick())
	m.limited(10)
	_, password := m.world.login(hosting.Account{ID: m.site.AccountID}, hosting.FTPSpec{Login: "tout@voile"})
	c := m.dial("")
	c.want(331, "USER tout@voile")
	c.want(230, "PASS "+password)
	top := c.want(213, "AVBL /")
	if site := c.want(213, "AVBL /voile.asso.fr/www"); site != top {
		t.Errorf("%s, %s", top, site)
	}
}
