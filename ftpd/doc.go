// Package ftpd serves the files of the sites by FTP. A login comes from the
// store; its session sees one site's home, a folder of it, or all sites of an
// account as folders, and every file operation goes through internal/jail.
//
// The protocol engine is goftp.io/server/v2: its Serve loop, sessions, line
// dispatch and Driver interface. What it lacks comes in by its own doors: a
// listener with limits, a connection that gives it one line per Read, a driver,
// and a command table of ours. The package never touches a file itself, never
// opens a connection to a client, and never shows a path of the machine.
package ftpd
