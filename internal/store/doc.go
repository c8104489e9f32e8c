// Package store keeps what Cancale knows: persons, accounts, plans, the sites,
// databases and FTP logins that should be, and how far each node has come.
//
// It is the only package that speaks GORM. One exported method is one use of
// the system, in one transaction. Every write goes through one function, which
// adds the audit row; every list is read through a hosting.Scope. The package
// never touches the machine: after a commit it only wakes the agent.
package store
