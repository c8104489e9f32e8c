package panel

import (
	"net/http"

	"cancale/internal/hosting"
	"cancale/views/assets"
)

// routes is every page of the panel, and what a person needs to have it.
func (s *server) routes() {
	const (
		get  = http.MethodGet
		post = http.MethodPost
	)
	s.route(get, "/healthz", hosting.Public, s.healthz)
	s.route(get, assets.Prefix+":hash/:name", hosting.Public, s.asset)

	s.route(get, "/signin", hosting.Public, s.signInPage)
	s.route(post, "/signin", hosting.Public, s.signIn)
	s.route(post, "/signout", hosting.SignedIn, s.signOut)
	s.route(get, "/invitation/:token", hosting.Public, s.invitationPage)
	s.route(post, "/invitation/:token", hosting.Public, s.acceptInvitation)
	s.route(get, "/forgot", hosting.Public, s.forgotPage)
	s.route(post, "/preferences", hosting.Public, s.setPreferences)
	s.route(post, "/account", hosting.SignedIn, s.chooseAccount)
	s.route(get, "/", hosting.SignedIn, s.home)

	s.route(get, "/sites", hosting.SitesRead, s.listSites)
	s.route(get, "/sites/new", hosting.SitesWrite, s.newSite)
	s.route(post, "/sites/new", hosting.SitesWrite, s.createSite)
	s.route(get, "/sites/check", hosting.SitesWrite, s.checkHost)
	s.route(get, "/sites/:id", hosting.SitesRead, s.showSite)
	s.route(get, "/sites/:id/status", hosting.SitesRead, s.siteStatus)
	s.route(get, "/sites/:id/edit", hosting.SitesWrite, s.editSite)
	s.route(post, "/sites/:id/edit", hosting.SitesWrite, s.updateSite)
	s.route(get, "/sites/:id/delete", hosting.SitesWrite, s.confirmSiteRemoval)
	s.route(post, "/sites/:id/delete", hosting.SitesWrite, s.removeSite)
	s.route(post, "/sites/:id/suspend", hosting.SitesRun, s.suspendSite)
	s.route(post, "/sites/:id/resume", hosting.SitesRun, s.resumeSite)
	s.route(post, "/sites/:id/retry", hosting.SitesRun, s.retrySite)

	s.route(get, "/databases", hosting.DatabasesRead, s.listDatabases)
	s.route(get, "/databases/new", hosting.DatabasesWrite, s.newDatabase)
	s.route(post, "/databases/new", hosting.DatabasesWrite, s.createDatabase)
	s.route(get, "/databases/:id", hosting.DatabasesRead, s.showDatabase)
	s.route(get, "/databases/:id/status", hosting.DatabasesRead, s.databaseStatus)
	s.route(post, "/databases/:id/password", hosting.DatabasesWrite, s.resetDatabasePassword)
	s.route(post, "/databases/:id/retry", hosting.DatabasesWrite, s.retryDatabase)
	s.route(get, "/databases/:id/delete", hosting.DatabasesWrite, s.confirmDatabaseRemoval)
	s.route(post, "/databases/:id/delete", hosting.DatabasesWrite, s.removeDatabase)

	s.route(get, "/ftp", hosting.FTPRead, s.listFTP)
	s.route(get, "/ftp/new", hosting.FTPWrite, s.newFTP)
	s.route(post, "/ftp/new", hosting.FTPWrite, s.createFTP)
	s.route(get, "/ftp/:id", hosting.FTPRead, s.showFTP)
	s.route(get, "/ftp/:id/edit", hosting.FTPWrite, s.editFTP)
	s.route(post, "/ftp/:id/edit", hosting.FTPWrite, s.updateFTP)
	s.route(post, "/ftp/:id/password", hosting.FTPWrite, s.resetFTPPassword)
	s.route(post, "/ftp/:id/enable", hosting.FTPWrite, s.enableFTP)
	s.route(post, "/ftp/:id/disable", hosting.FTPWrite, s.disableFTP)
	s.route(get, "/ftp/:id/delete", hosting.FTPWrite, s.confirmFTPRemoval)
	s.route(post, "/ftp/:id/delete", hosting.FTPWrite, s.removeFTP)

	s.route(get, "/people", hosting.PeopleRead, s.listPeople)
	s.route(get, "/people/invite", hosting.PeopleWrite, s.newMember)
	s.route(post, "/people/invite", hosting.PeopleWrite, s.invite)
	s.route(get, "/people/:id/invited", hosting.PeopleWrite, s.showMemberLink)
	s.route(get, "/people/:id/remove", hosting.PeopleWrite, s.confirmMemberRemoval)
	s.route(post, "/people/:id/remove", hosting.PeopleWrite, s.removeMember)

	s.route(get, "/profile", hosting.SignedIn, s.showProfile)
	s.route(post, "/profile", hosting.SignedIn, s.updateProfile)
	s.route(post, "/profile/password", hosting.SignedIn, s.changePassword)
	s.route(post, "/profile/sessions", hosting.SignedIn, s.endSessions)

	s.route(get, "/admin", hosting.AdminRead, s.adminHome)
	s.route(get, "/admin/accounts", hosting.AdminRead, s.listAccounts)
	s.route(get, "/admin/accounts/new", hosting.AdminAccounts, s.newAccount)
	s.route(post, "/admin/accounts/new", hosting.AdminAccounts, s.createAccount)
	s.route(get, "/admin/accounts/:id", hosting.AdminRead, s.showAccount)
	s.route(get, "/admin/accounts/:id/edit", hosting.AdminAccounts, s.editAccount)
	s.route(post, "/admin/accounts/:id/edit", hosting.AdminAccounts, s.updateAccount)
	s.route(post, "/admin/accounts/:id/suspend", hosting.AdminSuspend, s.suspendAccount)
	s.route(post, "/admin/accounts/:id/resume", hosting.AdminSuspend, s.resumeAccount)
	s.route(get, "/admin/accounts/:id/delete", hosting.AdminAccounts, s.confirmAccountRemoval)
	s.route(post, "/admin/accounts/:id/delete", hosting.AdminAccounts, s.removeAccount)
	s.route(get, "/admin/plans", hosting.AdminPlans, s.listPlans)
	s.route(get, "/admin/plans/new", hosting.AdminPlans, s.newPlan)
	s.route(post, "/admin/plans/new", hosting.AdminPlans, s.createPlan)
	s.route(get, "/admin/plans/:id", hosting.AdminPlans, s.showPlan)
	s.route(post, "/admin/plans/:id", hosting.AdminPlans, s.updatePlan)
	s.route(post, "/admin/plans/:id/delete", hosting.AdminPlans, s.deletePlan)
	s.route(get, "/admin/persons", hosting.AdminPersons, s.listPersons)
	s.route(get, "/admin/persons/new", hosting.AdminPersons, s.newPerson)
	s.route(post, "/admin/persons/new", hosting.AdminPersons, s.createPerson)
	s.route(get, "/admin/persons/:id", hosting.AdminPersons, s.showPerson)
	s.route(post, "/admin/persons/:id", hosting.AdminPersons, s.updatePerson)
	s.route(post, "/admin/persons/:id/invite", hosting.AdminPersons, s.invitePerson)
	s.route(get, "/admin/persons/:id/invited", hosting.AdminPersons, s.showPersonLink)
	s.route(post, "/admin/persons/:id/disable", hosting.AdminPersons, s.disablePerson)
	s.route(post, "/admin/persons/:id/enable", hosting.AdminPersons, s.enablePerson)
	s.route(get, "/admin/sites", hosting.AdminRead, s.listAllSites)
	s.route(get, "/admin/audit", hosting.AdminAudit, s.showAudit)
	s.route(get, "/admin/platform", hosting.AdminRead, s.showPlatform)
}

// asset is GET /assets/:hash/:name.
func (s *server) asset(r *Request) error {
	assets.Handler().ServeHTTP(r.echo.Response(), r.echo.Request())
	return nil
}
