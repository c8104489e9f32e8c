package hostile

import (
	"strings"
)

// sql runs statements with the member's database account, from its PHP, and
// prints rows or the number of the error.
func (m *member) sql(t tester, statements ...string) string {
	t.Helper()
	return m.php(t, `mysqli_report(MYSQLI_REPORT_OFF);
		$c = @new mysqli('localhost', `+quote(m.database)+`, `+quote(m.dbPass)+`, `+quote(m.database)+`);
		if ($c->connect_errno) die('connect '.$c->connect_errno);
		foreach (`+list(statements...)+` as $q) { $r = $c->query($q); if ($r === false) echo "error $c->errno\n"; elseif ($r === true) echo "done\n"; else foreach ($r->fetch_all() as $row) echo implode(' ', array_map('strval', $row)), "\n"; }`)
}

// databaseRows are attacks by the attacker's database account.
var databaseRows = []row{
	{"D01", "read the victim's database", func(t tester, w *world) {
		is(t, "the victim's table", w.victim.sql(t, "CREATE TABLE posts (t TEXT)", "INSERT INTO posts VALUES ('"+secret+"')"), "done\ndone")
		is(t, "own table", w.attacker.sql(t, "CREATE TABLE posts (t TEXT)", "INSERT INTO posts VALUES ('own')", "SELECT t FROM posts"), "done\ndone\nown")
		stopped(t, "reading", w.attacker.sql(t, "SELECT * FROM `"+w.victim.database+"`.posts", "USE `"+w.victim.database+"`", "CREATE VIEW v AS SELECT * FROM `"+w.victim.database+"`.posts", "SELECT * FROM v", "SHOW TABLES FROM `"+w.victim.database+"`", "HANDLER `"+w.victim.database+"`.posts OPEN"), "done")
	}},
	{"D02", "change the victim's database", func(t tester, w *world) {
		db := "`" + w.victim.database + "`"
		stopped(t, "changing", w.attacker.sql(t, "INSERT INTO "+db+".posts VALUES ('x')", "DELETE FROM "+db+".posts", "DROP TABLE "+db+".posts", "CREATE TABLE "+db+".x (i INT)", "DROP DATABASE "+db, "RENAME TABLE posts TO "+db+".mine", "ALTER DATABASE "+db+" CHARACTER SET latin1", "LOCK TABLES "+db+".posts WRITE", "CREATE TRIGGER "+db+".t BEFORE INSERT ON "+db+".posts FOR EACH ROW SET @a = 1"), "done")
		is(t, "the victim's table", w.victim.sql(t, "SELECT t FROM posts"), secret)
	}},
	{"D03", "a name that a wildcard of a grant matches", func(t tester, w *world) {
		works(t, "his name", w.attacker.database, "_")
		for _, name := range []string{strings.Replace(w.attacker.database, "_", "x", 1), strings.Replace(w.attacker.database, "_", "1", 1), w.attacker.database + "2", strings.ToUpper(w.attacker.database)} {
			stopped(t, name, w.attacker.sql(t, "CREATE DATABASE `"+name+"`", "CREATE TABLE `"+name+"`.t (i INT)"), "done")
		}
	}},
	{"D04", "LOAD_FILE and INTO OUTFILE", func(t tester, w *world) {
		stopped(t, "files", w.attacker.sql(t, "SELECT 'content: ', LOAD_FILE('/etc/passwd')", "SELECT 'content: ', LOAD_FILE('"+w.victim.home+"/www/secret.txt')", "SELECT 'x' INTO OUTFILE '/tmp/hostile-x'", "SELECT 'x' INTO DUMPFILE '"+w.inside.MariaDBFiles()+"/x'", "LOAD DATA INFILE '/etc/passwd' INTO TABLE posts"), "root:", "done")
	}},
	{"D05", "LOAD DATA LOCAL", func(t tester, w *world) {
		stopped(t, "LOCAL", w.attacker.php(t, `mysqli_report(MYSQLI_REPORT_OFF); $c = mysqli_init(); $c->options(MYSQLI_OPT_LOCAL_INFILE, true); $c->real_connect('localhost', `+quote(w.attacker.database)+`, `+quote(w.attacker.dbPass)+`, `+quote(w.attacker.database)+`); echo $c->query("LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE posts") ? 'done' : 'no';`), "done")
	}},
	{"D06", "sign in as root or as another account", func(t tester, w *world) {
		sign := func(user, password string) string {
			return w.attacker.php(t, "mysqli_report(MYSQLI_REPORT_OFF); $c = @new mysqli('localhost', "+quote(user)+", "+quote(password)+"); echo $c->connect_errno ? 'refused' : 'signed in';")
		}
		works(t, "own account", sign(w.attacker.database, w.attacker.dbPass), "signed in")
		for _, user := range []string{"root", "", "mysql", "mariadb.sys", "cancale", "cancale_agent", w.victim.database, "site"} {
			for _, password := range []string{"", user, "root", w.attacker.dbPass, "password"} {
				is(t, user+" with "+password, sign(user, password), "refused")
			}
		}
	}},
	{"D07", "password hashes and grants", func(t tester, w *world) {
		stopped(t, "mysql", w.attacker.sql(t, "SELECT * FROM mysql.user", "SELECT * FROM mysql.global_priv", "SELECT * FROM mysql.db", "SHOW GRANTS FOR `"+w.victim.database+"`@localhost", "SHOW CREATE USER root@localhost", "SELECT * FROM cancale.persons", "SELECT * FROM cancale.sites"), "done", "localhost")
	}},
	{"D08", "names of other databases and accounts", func(t tester, w *world) {
		out := w.attacker.sql(t, "SHOW DATABASES", "SELECT schema_name FROM information_schema.schemata", "SELECT table_schema, table_name FROM information_schema.tables", "SELECT grantee FROM information_schema.user_privileges", "SELECT grantee FROM information_schema.schema_privileges", "SELECT * FROM information_schema.processlist", "SELECT name FROM information_schema.innodb_sys_tables", "SHOW STATUS LIKE 'x'", "SELECT user FROM information_schema.user_statistics", "SHOW OPEN TABLES", "SHOW ENGINE INNODB STATUS")
		works(t, "own database", out, w.attacker.database)
		stopped(t, "names", out, w.victim.database, "cancale")
	}},
	{"D10", "administration", func(t tester, w *world) {
		stopped(t, "administration", w.attacker.sql(t, "SET GLOBAL max_connections = 1", "SET GLOBAL general_log = 1", "CREATE USER x@localhost", "GRANT ALL ON *.* TO `"+w.attacker.database+"`@localhost", "GRANT SELECT ON `"+w.attacker.database+"`.* TO `"+w.victim.database+"`@localhost", "INSTALL SONAME 'ha_connect'", "CREATE FUNCTION f RETURNS STRING SONAME 'x.so'", "CREATE DEFINER=root@localhost PROCEDURE p() SELECT 1", "CREATE DEFINER=root@localhost VIEW v AS SELECT 1", "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1", "FLUSH TABLES", "FLUSH PRIVILEGES", "SHUTDOWN", "RESET MASTER", "SET PASSWORD FOR root@localhost = PASSWORD('x')", "CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (HOST 'x')", "SET SESSION sql_log_bin = 0", "CHANGE MASTER TO MASTER_HOST='x'"), "done")
	}},
	{"D12", "statements without a limit of time", func(t tester, w *world) {
		is(t, "limit", w.attacker.sql(t, "SELECT @@max_statement_time > 0 AND @@max_statement_time <= 20"), "1")
	}},
	{"D13", "the victim's account from elsewhere", func(t tester, w *world) {
		out := w.attacker.php(t, "mysqli_report(MYSQLI_REPORT_OFF); $c = @new mysqli('127.0.0.1', "+quote(w.victim.database)+", "+quote(w.victim.dbPass)+", '', 3306); echo $c->connect_errno ? 'refused' : 'signed in';")
		is(t, "by TCP", out, "refused")
	}},
}
