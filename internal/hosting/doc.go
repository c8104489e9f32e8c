// Package hosting is the domain of Cancale: what an account, a site, a
// database or an FTP login is, how their names are parsed, what a plan allows,
// who may do what, and how a refusal is said.
//
// It holds types and pure rules only. It never reads a database, a file, the
// network or the clock, and it imports nothing of ours.
package hosting
