package hostile

import (
	"testing"
)

// databaseHeavy are those that take the machine to its limits or need its root.
var databaseHeavy = []row{
	{"D09", "queries of the victim are seen and killed", heavy(func(t *testing.T, w *world) {
		done := make(chan string, 1)
		go func() { done <- w.victim.sql(t, "SELECT SLEEP(1), '"+secret+"'") }()
		for range 5 {
			out := w.attacker.sql(t, "SHOW FULL PROCESSLIST")
			works(t, "own queries", out, w.attacker.database)
			stopped(t, "PROCESSLIST", out, w.victim.database)
		}
		w.attacker.php(t, `mysqli_report(MYSQLI_REPORT_OFF); $c = new mysqli('localhost', `+quote(w.attacker.database)+`, `+quote(w.attacker.dbPass)+`); for ($i = 1, $own = $c->thread_id; $i < $own + 50; $i++) if ($i != $own) $c->query("KILL $i");`)
		is(t, "the victim's query", <-done, "0 "+secret)
	})},
	{"D11", "all connections", heavy(func(t *testing.T, w *world) {
		out := w.attacker.php(t, `mysqli_report(MYSQLI_REPORT_OFF); $n = 0; for ($i = 0; $i < 40; $i++) { $c[$i] = @new mysqli('localhost', `+quote(w.attacker.database)+`, `+quote(w.attacker.dbPass)+`); if (!$c[$i]->connect_errno) $n++; } echo $n;`)
		is(t, "connections of his", out, "15")
		is(t, "the victim's", w.victim.sql(t, "SELECT 1"), "1")
	})},
}
