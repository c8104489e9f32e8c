package hosting

import (
	"fmt"
	"testing"
)

func TestExceeds(t *testing.T) {
	has := Holdings{Usage: Usage{Sites: 3, Databases: 3, FTPLogins: 3}, Disk: 300 << 20, Database: 30 << 20}
	same := func(n int) Plan {
		return Plan{Sites: n, Databases: n, FTPLogins: n, DiskMB: 100 * n, DatabaseMB: 10 * n}
	}
	for _, c := range []struct {
		what          string
		before, after Plan
		want          string
	}{
		{"lower, and over all", same(5), same(2), "[{disk_mb 314572800 209715200} {database_mb 31457280 20971520} {sites 3 2} {databases 3 2} {ftp_logins 3 2}]"},
		{"lower, and within", same(5), same(3), "[]"},
		{"over already, and not lower", same(2), same(2), "[]"},
		{"over already, and higher", same(1), same(2), "[]"},
		{"without limits before", Plan{Sites: Unlimited, DiskMB: Unlimited}, Plan{Sites: 1, DiskMB: 1}, "[{disk_mb 314572800 1048576} {sites 3 1}]"},
		{"without limits after", same(5), Plan{Sites: Unlimited, Databases: Unlimited, FTPLogins: Unlimited, DiskMB: Unlimited, DatabaseMB: Unlimited}, "[]"},
	} {
		if got := fmt.Sprint(c.after.Exceeds(c.before, has)); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
}
