package hosting

// Excess is what an account has beyond a limit: things, or bytes.
type Excess struct {
	Limit string // as a form names it: "sites", "databases", "ftp_logins", "disk_mb" or "database_mb"
	Used  int64
	Most  int64
}

// Holdings are what an account has of all that a plan limits.
type Holdings struct {
	Usage
	Disk     int64 // bytes
	Database int64 // bytes of the largest
}

// PlanEffect is an account that would be over limits.
type PlanEffect struct {
	Account  Account
	Excesses []Excess
}

// Exceeds are the limits of the plan that are lower than before and that an
// account with these holdings is over.
func (p Plan) Exceeds(before Plan, has Holdings) []Excess {
	var list []Excess
	for _, l := range []struct {
		name       string
		was, is    int
		used, unit int64
	}{
		{"disk_mb", before.DiskMB, p.DiskMB, has.Disk, Bytes(1)},
		{"database_mb", before.DatabaseMB, p.DatabaseMB, has.Database, Bytes(1)},
		{"sites", before.Sites, p.Sites, int64(has.Sites), 1},
		{"databases", before.Databases, p.Databases, int64(has.Databases), 1},
		{"ftp_logins", before.FTPLogins, p.FTPLogins, int64(has.FTPLogins), 1},
	} {
		if most := int64(l.is) * l.unit; lower(l.is, l.was) && l.used > most {
			list = append(list, Excess{Limit: l.name, Used: l.used, Most: most})
		}
	}
	return list
}

// lower reports whether a limit is lower than another.
func lower(limit, than int) bool {
	return limit != Unlimited && (than == Unlimited || limit < than)
}

// SameLimits reports whether two plans limit alike, whatever they are called.
func (p Plan) SameLimits(other Plan) bool {
	return p.Sites == other.Sites && p.Databases == other.Databases && p.FTPLogins == other.FTPLogins && p.DiskMB == other.DiskMB && p.DatabaseMB == other.DatabaseMB
}
