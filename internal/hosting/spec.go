package hosting

import (
	"strconv"
	"time"
)

// What a person asks for when creating or changing a thing. Every name in a
// spec is parsed already; what depends on other rows (a name taken, a plan
// full) is checked by the store in the transaction that writes.
type (
	AccountSpec struct {
		Name    AccountName
		Label   string
		Plan    PlanName
		Expires *time.Time
		Note    string
	}
	PlanSpec struct {
		Name                                PlanName
		Label                               string
		Sites, Databases, FTPLogins, DiskMB int
		DatabaseMB                          int // of one database; zero, which would be of no use, is no limit
	}
	SiteSpec struct {
		Host         Hostname
		Aliases      []Hostname
		DocumentRoot DocumentRoot
		PHP          PHPVersion
	}
	FTPSpec struct {
		Login FTPName
		Site  SiteID
		Path  DocumentRoot
		FTPTerms
	}
	PersonSpec struct {
		Email    Email
		Name     string
		Role     PlatformRole
		Language string
	}
)

// maxAliases is how many other names one site may have.
const maxAliases = 50

// Check refuses a plan whose limits make no sense.
func (s PlanSpec) Check() error {
	var errs Errors
	for field, n := range map[string]int{"sites": s.Sites, "databases": s.Databases, "ftp_logins": s.FTPLogins, "disk_mb": s.DiskMB, "database_mb": s.DatabaseMB} {
		if n < Unlimited || n > 100_000_000 {
			errs.Add(Refuse(Invalid, field, "plan.limit_invalid"))
		}
	}
	return errs.Err()
}

// Check refuses a site that holds one name twice or too many.
func (s SiteSpec) Check() error {
	if len(s.Aliases) > maxAliases {
		return Refuse(Invalid, "aliases", "site.too_many_aliases", "50")
	}
	seen := map[Hostname]bool{s.Host: true}
	for _, a := range s.Aliases {
		if seen[a] {
			return Refuse(Invalid, "aliases", "site.alias_twice", a.Unicode())
		}
		seen[a] = true
	}
	return nil
}

// CheckRoom refuses one more thing of a kind than the plan allows; kind is
// "sites", "databases" or "ftp_logins".
func (p Plan) CheckRoom(kind string, used Usage) error {
	limit, have := p.Sites, used.Sites
	switch kind {
	case "databases":
		limit, have = p.Databases, used.Databases
	case "ftp_logins":
		limit, have = p.FTPLogins, used.FTPLogins
	}
	if limit != Unlimited && have >= limit {
		return Refuse(OverLimit, "", "plan.full_"+kind, strconv.Itoa(limit))
	}
	return nil
}

// CheckNames refuses a host name that is, contains or lies beneath one of
// another account, or beneath the panel's own name. taken are the names of
// other accounts that may collide.
func CheckNames(names []Hostname, panel Hostname, taken []Hostname) error {
	for i, n := range names {
		field := "host"
		if i > 0 {
			field = "aliases"
		}
		if panel != "" && n.Within(panel) {
			return Refuse(Conflict, field, "host.panel", n.Unicode())
		}
		for _, t := range taken {
			if n == t {
				return Refuse(Conflict, field, "host.taken", n.Unicode())
			}
			if n.Within(t) || t.Within(n) {
				return Refuse(Conflict, field, "host.related", n.Unicode())
			}
		}
	}
	return nil
}
