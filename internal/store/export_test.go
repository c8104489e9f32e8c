package store

import (
	"time"

	"cancale/internal/hosting"

	"gorm.io/gorm"
)

// DB lets tests look at rows and break them.
func (s *Store) DB() *gorm.DB { return s.db }

// DB lets tests try what the agent's user may do.
func (n *NodeStore) DB() *gorm.DB { return n.db }

// Expire lets the time of a ceremony run out.
func Expire(c *Ceremony) { c.session.Expires = time.Now().Add(-time.Second) }

// Rows are the structs that are written to and read from each table.
var Rows = map[string]any{
	"nodes":                 &hosting.Node{},
	"plans":                 &hosting.Plan{},
	"accounts":              &hosting.Account{},
	"account_notes":         &hosting.AccountNote{},
	"bulk_acts":             &hosting.Bulk{},
	"bulk_accounts":         &bulkAccount{},
	"announcements":         &hosting.Announcement{},
	"announcement_accounts": &announcementAccount{},
	"announcement_persons":  &announcementPerson{},
	"persons":               &hosting.Person{},
	"memberships":           &hosting.Membership{},
	"invitations":           &invitationRow{},
	"sessions":              &sessionRow{},
	"throttles":             &throttle{},
	"sites":                 &hosting.Site{},
	"site_names":            &hostName{},
	"hosted_databases":      &hosting.Database{},
	"ftp_logins":            &hosting.FTPLogin{},
	"ftp_keys":              &hosting.FTPKey{},
	"mails":                 &mailRow{},
	"mail_texts":            &hosting.MailText{},
	"forgotten":             &forgottenRow{},
	"notices":               &noticeRow{},
	"authenticators":        &authenticatorRow{},
	"recovery_codes":        &recoveryRow{},
	"passkeys":              &hosting.Passkey{},
	"requests":              &hosting.Request{},
	"request_messages":      &hosting.RequestMessage{},
	"audit_entries":         &hosting.AuditEntry{},
	"settings":              &settingRow{},
	"disk_usage":            &diskRow{},
	"database_usage":        &databaseUsageRow{},
	"account_space":         &stopRow{},
	"transfers":             &hosting.Transfer{},
	"tasks":                 &hosting.Task{},
	"task_runs":             &hosting.TaskRun{},
	"database_users":        &hosting.DatabaseUser{},
	"database_passes":       &hosting.DatabasePass{},
	"database_works":        &hosting.DatabaseWork{},
	"site_traffic_names":    &trafficNamesRow{},
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
