<?php
// Adminer for one database, as one user. Which ones, the panel says with each
// request; nothing that the browser sends changes it.

$cancale = array();
foreach (array("USER", "PASSWORD", "DATABASE", "TITLE") as $key) {
	$cancale[$key] = (string) ($_SERVER["CANCALE_$key"] ?? "");
	unset($_SERVER["CANCALE_$key"]);
	if ($cancale[$key] === "") {
		http_response_code(500);
		exit;
	}
}

// Another server, another kind of server, and the pages about the server as a
// whole or about the database itself, which the panel makes and removes.
foreach (array("server", "sqlite", "sqlite2", "pgsql", "oracle", "mssql", "mongo", "elastic", "simpledb", "firebird", "clickhouse", "imap",
	"ns", "database", "scheme", "privileges", "user", "processlist", "variables", "status") as $name) {
	unset($_GET[$name]);
}
if (in_array($_GET["script"] ?? "", array("version", "kill"), true)) {
	exit;
}
unset($_POST["auth"], $_GET["adminer_sid"], $_POST["webfile"]);
$_GET["username"] = $cancale["USER"];
$_GET["db"] = $cancale["DATABASE"];
foreach (array("HTTP_X_FORWARDED_PREFIX", "ORIG_PATH_INFO") as $key) {
	unset($_SERVER[$key]);
}

// Adminer makes addresses out of the one that it is asked for, and takes these
// two to be in it.
list($path, $query) = explode("?", $_SERVER["REQUEST_URI"], 2) + array("", "");
if (strpos($query, "username=") !== 0) {
	$_SERVER["REQUEST_URI"] = $path . "?username=" . urlencode($cancale["USER"]) . "&db=" . urlencode($cancale["DATABASE"]) . ($query === "" ? "" : "&" . $query);
}

if (isset($_POST["logout"])) {
	header("Cancale-Close: 1");
	exit;
}

session_cache_limiter("");
session_name("adminer_sid");
session_start();
$_SESSION["pwds"] = array("server" => array("" => array($cancale["USER"] => "")));

function adminer_object() {
	class Visit extends Adminer {
		private $visit;

		function __construct($visit) {
			$this->visit = $visit;
		}

		function name() {
			return h($this->visit["TITLE"]);
		}

		function credentials() {
			return array("localhost", $this->visit["USER"], $this->visit["PASSWORD"]);
		}

		function connectSsl() {
		}

		function permanentLogin($create = false) {
			return false;
		}

		function bruteForceKey() {
			return session_id();
		}

		function serverName($server) {
			return "MariaDB";
		}

		function database() {
			return $this->visit["DATABASE"];
		}

		function databases($flush = true) {
			return array($this->visit["DATABASE"]);
		}

		function login($login, $password) {
			return true;
		}

		function loginForm() {
		}

		function importServerPath() {
			return "";
		}

		// What is no use here: the choice of a language, which is the panel's,
		// and of another database.
		function head() {
			echo "<style" . nonce() . ">#lang, #dbs, #version { display: none }</style>\n";
			return true;
		}
	}

	return new Visit($GLOBALS["cancale"]);
}

include "/usr/share/adminer/adminer.php";
