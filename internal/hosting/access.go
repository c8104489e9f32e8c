package hosting

import (
	"slices"
	"time"
)

// Permission is what a page, a command or a query needs. A permission about an
// account is held for certain accounts; one about the platform for all.
type Permission string

const (
	// Public needs nobody to be signed in; SignedIn needs somebody.
	Public   Permission = "public"
	SignedIn Permission = "signed_in"

	// About one account.
	AccountRead    Permission = "account.read"
	SitesRead      Permission = "sites.read"
	SitesWrite     Permission = "sites.write"
	SitesRun       Permission = "sites.run" // suspend, resume, try again
	DatabasesRead  Permission = "databases.read"
	DatabasesWrite Permission = "databases.write"
	FTPRead        Permission = "ftp.read"
	FTPWrite       Permission = "ftp.write"
	PeopleRead     Permission = "people.read"
	PeopleWrite    Permission = "people.write"

	// About the platform.
	AdminRead     Permission = "admin.read"     // overview, associations, all sites, services
	AdminAccounts Permission = "admin.accounts" // create, edit and remove associations
	AdminSuspend  Permission = "admin.suspend"  // suspend and resume associations
	AdminPlans    Permission = "admin.plans"
	AdminPersons  Permission = "admin.persons"
	AdminAudit    Permission = "admin.audit"
)

var roleMay = map[Role][]Permission{
	Owner:      {AccountRead, SitesRead, SitesWrite, SitesRun, DatabasesRead, DatabasesWrite, FTPRead, FTPWrite, PeopleRead, PeopleWrite},
	Webmaster:  {AccountRead, SitesRead, SitesWrite, SitesRun, DatabasesRead, DatabasesWrite, FTPRead, FTPWrite, PeopleRead},
	Contractor: {AccountRead, SitesRead, DatabasesRead, FTPRead},
}

var platformMay = map[PlatformRole][]Permission{
	Administrator: {AdminRead, AdminAccounts, AdminSuspend, AdminPlans, AdminPersons, AdminAudit},
	Technician:    {AdminRead, AdminSuspend, AdminAudit},
}

// technicianMay is what a technician may do in every account besides.
var technicianMay = []Permission{AccountRead, SitesRead, SitesRun, DatabasesRead, FTPRead, PeopleRead}

// Actor is who does something: a person, the command line of the machine's
// administrator, or a daemon of ours. The zero Actor is nobody.
type Actor struct {
	Person PersonID
	Name   string // as the audit log shows it: an address, or "cli:root"
	Source string // IP address, "" on the machine itself

	platform    PlatformRole
	memberships []Membership
	system      bool
}

// System is an actor that is the machine itself, such as cli:root. It may do
// everything.
func System(name string) Actor { return Actor{Name: name, system: true} }

// PersonActor is a person who signed in, with the memberships that hold now.
func PersonActor(p Person, memberships []Membership, source string, now time.Time) Actor {
	if p.Disabled {
		return Actor{}
	}
	held := slices.DeleteFunc(slices.Clone(memberships), func(m Membership) bool {
		return m.PersonID != p.ID || m.Until != nil && now.After(*m.Until)
	})
	return Actor{Person: p.ID, Name: string(p.Email), Source: source, platform: p.Role, memberships: held}
}

// SignedIn reports whether the actor is somebody.
func (a Actor) SignedIn() bool { return a.system || a.Person != 0 }

// Platform is the actor's role on the platform.
func (a Actor) Platform() PlatformRole { return a.platform }

// Accounts are the accounts that the actor is a member of, in the order of
// their membership.
func (a Actor) Accounts() []AccountID {
	ids := make([]AccountID, len(a.memberships))
	for i, m := range a.memberships {
		ids[i] = m.AccountID
	}
	return ids
}

// Can reports whether the actor holds p for at least one account, or for the
// platform.
func (a Actor) Can(p Permission) bool { return !a.Scope(p).empty() }

// CanIn reports whether the actor holds p for the account.
func (a Actor) CanIn(p Permission, id AccountID) bool { return a.Scope(p).Has(id) }

// Scope is the only way to make a Scope: the accounts for which the actor
// holds p.
func (a Actor) Scope(p Permission) Scope {
	switch p {
	case Public:
		return Scope{all: true}
	case SignedIn:
		return Scope{all: a.SignedIn()}
	}
	if a.system || a.platform == Administrator ||
		slices.Contains(platformMay[a.platform], p) ||
		a.platform == Technician && slices.Contains(technicianMay, p) {
		return Scope{all: true}
	}
	var s Scope
	for _, m := range a.memberships {
		if slices.Contains(roleMay[m.Role], p) {
			s.accounts = append(s.accounts, m.AccountID)
		}
	}
	return s
}

// Scope limits a query to certain accounts. The zero Scope sees nothing; only
// Actor.Scope makes another.
type Scope struct {
	all      bool
	accounts []AccountID
}

// All reports whether the scope is every account.
func (s Scope) All() bool { return s.all }

// Accounts are the accounts of a scope that is not All.
func (s Scope) Accounts() []AccountID { return slices.Clone(s.accounts) }

// Has reports whether the account is in the scope.
func (s Scope) Has(id AccountID) bool { return s.all || slices.Contains(s.accounts, id) }

// Only narrows the scope to one account; to nothing when it was not in it.
func (s Scope) Only(id AccountID) Scope {
	if !s.Has(id) {
		return Scope{}
	}
	return Scope{accounts: []AccountID{id}}
}

func (s Scope) empty() bool { return !s.all && len(s.accounts) == 0 }
