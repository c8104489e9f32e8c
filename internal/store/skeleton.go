package store

import (
	"context"
	"time"

	"cancale/internal/hosting"
)

// The declarations whose bodies are still to come.

// Persons and sessions.

type Invitation struct {
	Token   string // shown once; empty when the invitation was only looked up or none was needed
	Person  hosting.PersonID
	Reset   bool // it replaces a password that exists
	Expires time.Time
}
type MembershipSpec struct {
	Account hosting.AccountID
	Role    hosting.Role
	Until   *time.Time
}
type Session struct {
	ID        uint64
	Person    hosting.Person
	Actor     hosting.Actor // Source is that of the sign-in; the panel may set it to the request's
	Account   hosting.AccountID
	Flash     []hosting.Message
	CSRF      string
	CreatedAt time.Time
	SeenAt    time.Time
}
type PersonFilter struct {
	Account       hosting.AccountID
	Search        string
	Role          hosting.PlatformRole
	Page, PerPage int
	Sort          string // "email", "name", "created", "seen"; "-" before it turns the order
}
type PersonRow struct {
	hosting.Person
	Memberships []MembershipRow
	Invited     bool // has no password yet
}
type MembershipRow struct {
	hosting.Membership
	Email        hosting.Email
	PersonName   string
	Disabled     bool
	Invited      bool
	AccountName  hosting.AccountName
	AccountLabel string
}

func (s *Store) CreatePerson(ctx context.Context, actor hosting.Actor, spec hosting.PersonSpec, memberships []MembershipSpec) (hosting.Person, Invitation, error) {
	panic("unfinished")
}
func (s *Store) CreatePersonWithPassword(ctx context.Context, actor hosting.Actor, spec hosting.PersonSpec, memberships []MembershipSpec, password string) (hosting.Person, error) {
	panic("unfinished")
}

// AddMember gives the person of that address a role on an account, and creates
// her when she is unknown. The invitation has no token when she needs none.
func (s *Store) AddMember(ctx context.Context, actor hosting.Actor, spec hosting.PersonSpec, membership MembershipSpec) (hosting.Person, Invitation, error) {
	panic("unfinished")
}
func (s *Store) Invite(ctx context.Context, actor hosting.Actor, person hosting.PersonID) (Invitation, error) {
	panic("unfinished")
}
func (s *Store) Invitation(ctx context.Context, token string) (hosting.Person, Invitation, error) {
	panic("unfinished")
}
func (s *Store) AcceptInvitation(ctx context.Context, token, name, password, source string) (hosting.Person, error) {
	panic("unfinished")
}
func (s *Store) SignIn(ctx context.Context, email, password, source string) (Session, string, error) {
	panic("unfinished")
}
func (s *Store) Session(ctx context.Context, token string) (Session, error) { panic("unfinished") }
func (s *Store) SignOut(ctx context.Context, token string) error            { panic("unfinished") }
func (s *Store) ChooseAccount(ctx context.Context, sess Session, account hosting.AccountID) error {
	panic("unfinished")
}
func (s *Store) AddFlash(ctx context.Context, sess Session, msgs ...hosting.Message) error {
	panic("unfinished")
}
func (s *Store) TakeFlash(ctx context.Context, sess Session) ([]hosting.Message, error) {
	panic("unfinished")
}
func (s *Store) SetPreferences(ctx context.Context, actor hosting.Actor, language, theme string) error {
	panic("unfinished")
}
func (s *Store) UpdateProfile(ctx context.Context, actor hosting.Actor, name string, email hosting.Email) error {
	panic("unfinished")
}
func (s *Store) ChangePassword(ctx context.Context, actor hosting.Actor, old, new string, keep Session) error {
	panic("unfinished")
}
func (s *Store) Persons(ctx context.Context, scope hosting.Scope, f PersonFilter) ([]PersonRow, int, error) {
	panic("unfinished")
}
func (s *Store) Person(ctx context.Context, scope hosting.Scope, id hosting.PersonID) (PersonRow, error) {
	panic("unfinished")
}
func (s *Store) PersonByEmail(ctx context.Context, scope hosting.Scope, email hosting.Email) (PersonRow, error) {
	panic("unfinished")
}
func (s *Store) UpdatePerson(ctx context.Context, actor hosting.Actor, id hosting.PersonID, spec hosting.PersonSpec) (hosting.Person, error) {
	panic("unfinished")
}
func (s *Store) DisablePerson(ctx context.Context, actor hosting.Actor, id hosting.PersonID) error {
	panic("unfinished")
}
func (s *Store) EnablePerson(ctx context.Context, actor hosting.Actor, id hosting.PersonID) error {
	panic("unfinished")
}
func (s *Store) Memberships(ctx context.Context, scope hosting.Scope, account hosting.AccountID) ([]MembershipRow, error) {
	panic("unfinished")
}
func (s *Store) SetMembership(ctx context.Context, actor hosting.Actor, person hosting.PersonID, m MembershipSpec) error {
	panic("unfinished")
}
func (s *Store) RemoveMembership(ctx context.Context, actor hosting.Actor, person hosting.PersonID, account hosting.AccountID) error {
	panic("unfinished")
}

// Plans and accounts.

type AccountFilter struct {
	Search        string
	Plan          hosting.PlanName
	State         hosting.State // live, suspended or removing
	Page, PerPage int
	Sort          string // "name", "label", "plan", "created", "expires"; "-" before it turns the order
}
type AccountRow struct {
	hosting.Account
	Plan   hosting.Plan
	Usage  hosting.Usage
	Failed int // sites and databases that could not be applied
}
type Removal struct {
	Account   hosting.Account
	Sites     []hosting.Hostname
	Databases []hosting.DatabaseName
	FTPLogins []hosting.FTPName
	Persons   []hosting.Email // who lose their role on it
}

func (s *Store) CreateAccount(ctx context.Context, actor hosting.Actor, spec hosting.AccountSpec) (hosting.Account, error) {
	panic("unfinished")
}

// UpdateAccount changes everything of an account but its name.
func (s *Store) UpdateAccount(ctx context.Context, actor hosting.Actor, id hosting.AccountID, spec hosting.AccountSpec) (hosting.Account, error) {
	panic("unfinished")
}
func (s *Store) SuspendAccount(ctx context.Context, actor hosting.Actor, id hosting.AccountID) error {
	panic("unfinished")
}
func (s *Store) ResumeAccount(ctx context.Context, actor hosting.Actor, id hosting.AccountID) error {
	panic("unfinished")
}
func (s *Store) RemoveAccount(ctx context.Context, actor hosting.Actor, id hosting.AccountID) error {
	panic("unfinished")
}
func (s *Store) RemovalPreview(ctx context.Context, scope hosting.Scope, id hosting.AccountID) (Removal, error) {
	panic("unfinished")
}
func (s *Store) Accounts(ctx context.Context, scope hosting.Scope, f AccountFilter) ([]AccountRow, int, error) {
	panic("unfinished")
}
func (s *Store) Account(ctx context.Context, scope hosting.Scope, id hosting.AccountID) (AccountRow, error) {
	panic("unfinished")
}
func (s *Store) AccountByName(ctx context.Context, scope hosting.Scope, name hosting.AccountName) (AccountRow, error) {
	panic("unfinished")
}
func (s *Store) Usage(ctx context.Context, scope hosting.Scope, id hosting.AccountID) (hosting.Usage, error) {
	panic("unfinished")
}

// Sites, databases and FTP logins.

type SiteFilter struct {
	Account       hosting.AccountID
	Search        string
	State         hosting.State
	Page, PerPage int
	Sort          string // "host", "account", "state", "created"; "-" before it turns the order
}
type SiteRow struct {
	hosting.Site
	AccountName  hosting.AccountName
	AccountLabel string
}
type DatabaseFilter struct {
	Account       hosting.AccountID
	Search        string
	State         hosting.State
	Page, PerPage int
	Sort          string // "name", "account", "state", "created"
}
type DatabaseRow struct {
	hosting.Database
	AccountName  hosting.AccountName
	AccountLabel string
}
type FTPFilter struct {
	Account       hosting.AccountID
	Site          hosting.SiteID
	Search        string
	Page, PerPage int
	Sort          string // "login", "account", "created", "used"
}
type FTPRow struct {
	hosting.FTPLogin
	AccountName  hosting.AccountName
	AccountLabel string
	Host         hosting.Hostname // of its site; "" when it reaches all of them
}
type FTPSession struct {
	Login hosting.FTPLogin
	Site  hosting.Site   // the one site of the login, zero when it reaches all
	Sites []hosting.Site // what it reaches, in the order of their host names
}

func (s *Store) CreateSite(ctx context.Context, actor hosting.Actor, account hosting.AccountID, spec hosting.SiteSpec) (hosting.Site, error) {
	panic("unfinished")
}
func (s *Store) CreateSites(ctx context.Context, actor hosting.Actor, account hosting.AccountID, specs []hosting.SiteSpec) ([]hosting.Site, error) {
	panic("unfinished")
}
func (s *Store) UpdateSite(ctx context.Context, actor hosting.Actor, id hosting.SiteID, spec hosting.SiteSpec) (hosting.Site, error) {
	panic("unfinished")
}
func (s *Store) SuspendSite(ctx context.Context, actor hosting.Actor, id hosting.SiteID) (hosting.Site, error) {
	panic("unfinished")
}
func (s *Store) ResumeSite(ctx context.Context, actor hosting.Actor, id hosting.SiteID) (hosting.Site, error) {
	panic("unfinished")
}
func (s *Store) RemoveSite(ctx context.Context, actor hosting.Actor, id hosting.SiteID) (hosting.Site, error) {
	panic("unfinished")
}
func (s *Store) RetrySite(ctx context.Context, actor hosting.Actor, id hosting.SiteID) (hosting.Site, error) {
	panic("unfinished")
}
func (s *Store) Sites(ctx context.Context, scope hosting.Scope, f SiteFilter) ([]SiteRow, int, error) {
	panic("unfinished")
}
func (s *Store) Site(ctx context.Context, scope hosting.Scope, id hosting.SiteID) (SiteRow, error) {
	panic("unfinished")
}
func (s *Store) SiteByHost(ctx context.Context, scope hosting.Scope, host hosting.Hostname) (SiteRow, error) {
	panic("unfinished")
}

func (s *Store) CreateDatabase(ctx context.Context, actor hosting.Actor, account hosting.AccountID, name hosting.DatabaseName) (hosting.Database, string, error) {
	panic("unfinished")
}
func (s *Store) ResetDatabasePassword(ctx context.Context, actor hosting.Actor, id hosting.DatabaseID) (hosting.Database, string, error) {
	panic("unfinished")
}
func (s *Store) RemoveDatabase(ctx context.Context, actor hosting.Actor, id hosting.DatabaseID) (hosting.Database, error) {
	panic("unfinished")
}
func (s *Store) RetryDatabase(ctx context.Context, actor hosting.Actor, id hosting.DatabaseID) (hosting.Database, error) {
	panic("unfinished")
}
func (s *Store) Databases(ctx context.Context, scope hosting.Scope, f DatabaseFilter) ([]DatabaseRow, int, error) {
	panic("unfinished")
}
func (s *Store) Database(ctx context.Context, scope hosting.Scope, id hosting.DatabaseID) (DatabaseRow, error) {
	panic("unfinished")
}
func (s *Store) DatabaseByName(ctx context.Context, scope hosting.Scope, name hosting.DatabaseName) (DatabaseRow, error) {
	panic("unfinished")
}

func (s *Store) CreateFTPLogin(ctx context.Context, actor hosting.Actor, account hosting.AccountID, spec hosting.FTPSpec) (hosting.FTPLogin, string, error) {
	panic("unfinished")
}

// UpdateFTPLogin changes the site, the folder and the rights of a login, not
// its name.
func (s *Store) UpdateFTPLogin(ctx context.Context, actor hosting.Actor, id hosting.FTPLoginID, spec hosting.FTPSpec) (hosting.FTPLogin, error) {
	panic("unfinished")
}
func (s *Store) ResetFTPPassword(ctx context.Context, actor hosting.Actor, id hosting.FTPLoginID) (hosting.FTPLogin, string, error) {
	panic("unfinished")
}
func (s *Store) SetFTPEnabled(ctx context.Context, actor hosting.Actor, id hosting.FTPLoginID, enabled bool) (hosting.FTPLogin, error) {
	panic("unfinished")
}
func (s *Store) RemoveFTPLogin(ctx context.Context, actor hosting.Actor, id hosting.FTPLoginID) error {
	panic("unfinished")
}
func (s *Store) FTPLogins(ctx context.Context, scope hosting.Scope, f FTPFilter) ([]FTPRow, int, error) {
	panic("unfinished")
}
func (s *Store) FTPLogin(ctx context.Context, scope hosting.Scope, id hosting.FTPLoginID) (FTPRow, error) {
	panic("unfinished")
}
func (s *Store) FTPLoginByName(ctx context.Context, scope hosting.Scope, login hosting.FTPName) (FTPRow, error) {
	panic("unfinished")
}
func (s *Store) AuthenticateFTP(ctx context.Context, login, password, source string) (FTPSession, error) {
	panic("unfinished")
}

// Audit and housekeeping.

type AuditFilter struct {
	Account       hosting.AccountID
	Since         time.Time
	Search        string
	Page, PerPage int
}
type Counts struct {
	Sites     map[hosting.State]int
	Databases map[hosting.State]int
	FTPLogins int
	Accounts  int
	Persons   int
}

func (s *Store) Audit(ctx context.Context, scope hosting.Scope, f AuditFilter) ([]hosting.AuditEntry, int, error) {
	panic("unfinished")
}

// Sweep deletes what the machine is clean of. It answers how many rows went.
func (s *Store) Sweep(ctx context.Context) (int, error)     { panic("unfinished") }
func (s *Store) Counts(ctx context.Context) (Counts, error) { panic("unfinished") }
func (s *Store) Wait(ctx context.Context, key hosting.Key, generation uint64) (hosting.Sync, error) {
	panic("unfinished")
}

// The agent's side.

type NodeStore struct{}

func OpenNode(ctx context.Context, cfg Config, node string) (*NodeStore, error) { panic("unfinished") }
func (n *NodeStore) Close() error                                               { panic("unfinished") }
func (n *NodeStore) Claim(ctx context.Context, limit int) ([]hosting.Key, error) {
	panic("unfinished")
}
func (n *NodeStore) All(ctx context.Context) ([]hosting.Key, error) { panic("unfinished") }
func (n *NodeStore) Site(ctx context.Context, id hosting.SiteID) (hosting.Site, error) {
	panic("unfinished")
}
func (n *NodeStore) Database(ctx context.Context, id hosting.DatabaseID) (hosting.Database, error) {
	panic("unfinished")
}

// Observe notes what is. A word about an older generation is dropped: the
// newer wish is due already. A zero retryAt is never.
func (n *NodeStore) Observe(ctx context.Context, key hosting.Key, generation uint64, state hosting.State, problem hosting.Message, retryAt time.Time) error {
	panic("unfinished")
}
