// Package hostile attacks an installation as a member would who means harm: two
// sites of two associations, and an attacker who has his own files, his FTP
// login and his database account, and nothing else. It holds tests only.
//
// Each test is a row of the isolation model's table of attacks and bears its
// name: P by PHP and shell, H by Apache, R by what root does for members, D by
// the database, F by FTP. Wherever it makes sense a row shows first that the
// means of its attack work on the attacker's own site, so that nothing passes
// because the tool was blunt. The attacker is told the victim's secret paths
// where they must not help him; rows that are stopped by those paths being
// secret say what happens when they are known.
//
// Rows without a test, because what they attack does not exist here yet:
//
//   - P27, threads of Apache's held by a rule that proxies to a service which
//     never answers: a site can no longer listen itself (P20), but a FastCGI
//     service elsewhere is not refused yet.
//   - P29, a disk that is filled: the space of a plan is recorded, not enforced.
//   - R03, rotation of logs by root: no log of a site is rotated by name; they
//     are in directories of root's (R01).
//   - R05, backups by root: there are none.
package hostile
