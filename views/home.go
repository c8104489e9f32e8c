package views

import "cancale/internal/hosting"

// HomeParams is the member's home for the association acted for.
//
//	templ HomePage(page Page, p HomeParams)      // GET /
//	templ NoAccountPage(page Page)               // GET / of somebody with no association
type HomeParams struct {
	Room     Room
	Sites    []hosting.Site       // the first few, the ones that need a look first
	Changing []hosting.Site       // pending, applying or removing now
	Recent   []hosting.AuditEntry // newest first, of this association
	Failed   int                  // sites in state failed
	CanWrite bool                 // may create sites
	CanFTP   bool                 // may create FTP logins
	CanBases bool                 // may create databases
}
