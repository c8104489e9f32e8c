package hosting

import (
	"slices"
	"strings"
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
	// DatabasesContent is to see what databases hold, which is personal data as
	// often as files are: who may not look into files may not look there.
	DatabasesContent Permission = "databases.content"
	FTPRead          Permission = "ftp.read"
	FTPWrite         Permission = "ftp.write"
	FilesRead        Permission = "files.read"  // look into members' files
	FilesWrite       Permission = "files.write" // change them
	PeopleRead       Permission = "people.read"
	PeopleWrite      Permission = "people.write"
	RequestsRead     Permission = "requests.read"
	RequestsWrite    Permission = "requests.write" // ask the team something
	ActivityRead     Permission = "activity.read"  // who did what

	// About the platform.
	AdminRead     Permission = "admin.read"     // overview, associations, all sites, services
	AdminAccounts Permission = "admin.accounts" // create, edit and remove associations
	AdminSuspend  Permission = "admin.suspend"  // suspend and resume associations
	AdminNotes    Permission = "admin.notes"    // what the team notes of associations, for itself
	AdminAnnounce Permission = "admin.announce" // tell associations something
	AdminPlans    Permission = "admin.plans"
	AdminPersons  Permission = "admin.persons"
	AdminAudit    Permission = "admin.audit"
	AdminSettings Permission = "admin.settings" // of the installation
	AdminRequests Permission = "admin.requests"
	AdminMails    Permission = "admin.mails"  // what was written to people, and its words
	AdminActAs    Permission = "admin.act_as" // act in the place of an association
)

var roleMay = map[Role][]Permission{
	Owner:      {AccountRead, SitesRead, SitesWrite, SitesRun, DatabasesRead, DatabasesWrite, DatabasesContent, FTPRead, FTPWrite, FilesRead, FilesWrite, PeopleRead, PeopleWrite, RequestsRead, RequestsWrite, ActivityRead},
	Webmaster:  {AccountRead, SitesRead, SitesWrite, SitesRun, DatabasesRead, DatabasesWrite, DatabasesContent, FTPRead, FTPWrite, FilesRead, FilesWrite, PeopleRead, RequestsRead, RequestsWrite},
	Contractor: {AccountRead, SitesRead, DatabasesRead, FTPRead},
}

var platformMay = map[PlatformRole][]Permission{
	Administrator: {AdminRead, AdminAccounts, AdminSuspend, AdminNotes, AdminAnnounce, AdminPlans, AdminPersons, AdminAudit, AdminSettings, AdminMails, AdminRequests, AdminActAs},
	Technician:    {AdminRead, AdminSuspend, AdminNotes, AdminAudit, AdminRequests},
}

// technicianMay is what a technician may do in every account besides.
var technicianMay = []Permission{AccountRead, SitesRead, SitesRun, DatabasesRead, DatabasesContent, FTPRead, FilesRead, PeopleRead, RequestsRead, ActivityRead}

// Actor is who does something: a person, the command line of the machine's
// administrator, or a daemon of ours. The zero Actor is nobody.
type Actor struct {
	Person PersonID
	Name   string // as the audit log shows it: an address, or "cli:root"
	Source string // IP address, "" on the machine itself
	Behalf string // the association in whose place somebody of the team acts, "" for nobody's

	behalf      AccountID
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

// OnBehalf is the actor in the place of an account: with what its owners may
// do, and nothing else. The name stays, beside the account's.
func (a Actor) OnBehalf(account Account) Actor {
	a.platform, a.system = NoRole, false
	a.memberships = []Membership{{PersonID: a.Person, AccountID: account.ID, Role: Owner}}
	a.Behalf, a.behalf = string(account.Name), account.ID
	return a
}

// BehalfOf is the account in whose place the actor acts, 0 for none.
func (a Actor) BehalfOf() AccountID { return a.behalf }

// ownActs are acts that are somebody's own: nobody does them in the place of
// another. "*" stands for all that begin so.
var ownActs = []string{
	"profile.update", "profile.password", "factor.*", "passkey.*", "person.*", "membership.*", "invitation.*", "account.handover",
	"ftp.reset_password", "database.reset_password", "database.user_password", "session.end", "session.end_others",
}

// MayInPlace reports whether an act of the audit log may be done in the place
// of an account.
func MayInPlace(action string) bool {
	return !slices.ContainsFunc(ownActs, func(own string) bool {
		prefix, all := strings.CutSuffix(own, "*")
		return action == own || all && strings.HasPrefix(action, prefix)
	})
}

// lastingActs are acts that let somebody in for as long as nobody undoes them.
var lastingActs = []string{"ftp.create", "ftp.key_add", "database.create", "database.user_add", "site.folder_user"}

// Outlasts reports whether what an act of the audit log gives to who acts in the
// place of an account is still there after that: its owners have to know.
func Outlasts(action string) bool { return slices.Contains(lastingActs, action) }

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
