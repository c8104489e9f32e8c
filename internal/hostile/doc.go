// Package hostile attacks an installation as a member would who means harm: two
// sites of two associations, and an attacker who has his own files, his FTP
// login and his database account, and nothing else. What is harmless to an
// installation at work is in the files that are no tests: `cancale doctor
// --attack` does it, too.
//
// Each attack is a row of the isolation model's table of attacks and bears its
// name: P by PHP and shell, H by Apache, R by what root does for members, D by
// the database, F by FTP. Wherever it makes sense a row shows first that the
// means of its attack work on the attacker's own site, so that nothing passes
// because the tool was blunt. The attacker is told the victim's secret paths
// where they must not help him; rows that are stopped by those paths being
// secret say what happens when they are known.
package hostile
