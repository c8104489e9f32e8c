package store

import (
	"cancale/internal/hosting"

	"gorm.io/gorm"
)

// DB lets tests look at rows and break them.
func (s *Store) DB() *gorm.DB { return s.db }

// DB lets tests try what the agent's user may do.
func (n *NodeStore) DB() *gorm.DB { return n.db }

// Rows are the structs that are written to and read from each table.
var Rows = map[string]any{
	"nodes":            &hosting.Node{},
	"plans":            &hosting.Plan{},
	"accounts":         &hosting.Account{},
	"persons":          &hosting.Person{},
	"memberships":      &hosting.Membership{},
	"invitations":      &invitationRow{},
	"sessions":         &sessionRow{},
	"throttles":        &throttle{},
	"sites":            &hosting.Site{},
	"site_names":       &hostName{},
	"hosted_databases": &hosting.Database{},
	"ftp_logins":       &hosting.FTPLogin{},
	"audit_entries":    &hosting.AuditEntry{},
}

var (
	AuditJSON = auditJSON
	Delay     = delay
	Network   = network
	Reversed  = reversed
	Again     = again
	Like      = like
	Order     = order
)

const (
	FreePerName   = freePerName
	FreePerSource = freePerSource
)
