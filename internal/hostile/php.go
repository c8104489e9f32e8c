package hostile

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// phpRows are attacks by PHP and by the programs that it starts.
var phpRows = []row{
	{"P01", "PHP reads the victim's files", func(t tester, w *world) {
		read := func(paths []string) string {
			return w.attacker.php(t, "foreach ("+list(paths...)+" as $p) echo @file_get_contents($p), @implode(',', @file($p) ?: []);")
		}
		w.attacker.put(t, "www/own.txt", "own")
		works(t, "own file", read([]string{"/srv/site/www/own.txt"}), "own")
		stopped(t, "reading", read(slices.Concat(w.paths("www/secret.txt"), w.paths("private/secret.txt"), w.paths("www/wp-config.php"))))
	}},
	{"P02", "a shell from PHP reads the victim's files", func(t tester, w *world) {
		works(t, "own file", w.attacker.sh(t, "cat www/own.txt; find /srv -name own.txt -exec cat {} +"), "ownown")
		stopped(t, "cat", w.attacker.sh(t, "cat "+strings.Join(w.paths("www/secret.txt"), " ")+"; find /srv /run /tmp /var /etc /proc/1/root/srv /proc/[0-9]*/cwd/ -name secret.txt -exec cat {} +"))
	}},
	{"P03", "list the victim's home and docroot", func(t tester, w *world) {
		works(t, "own home", w.attacker.sh(t, "ls /srv/site/www"), "own.txt")
		out := w.attacker.sh(t, "ls "+strings.Join(append(w.paths(""), w.paths("www")...), " ")+" /srv /srv/cancale /srv/cancale/t "+w.layout.Root)
		stopped(t, "ls", out, "secret.txt", "wp-config")
	}},
	{"P04", "write into the victim's home", func(t tester, w *world) {
		write := "foreach (%s as $d) { if (@file_put_contents($d.'/pwned', 'x')) echo 'wrote'; @mkdir($d.'/pwned.d'); }"
		works(t, "own docroot", w.attacker.php(t, fmt.Sprintf(write, list("/srv/site/www"))), "wrote")
		stopped(t, "writing", w.attacker.php(t, fmt.Sprintf(write, list(w.paths("www")...)))+w.attacker.sh(t, "for d in "+strings.Join(w.paths("www"), " ")+"; do touch $d/pwned && echo wrote; done"), "wrote")
		if _, err := os.Lstat(w.victim.outside + "/www/pwned"); err == nil {
			t.Errorf("the victim's docroot was written to")
		}
	}},
	{"P06", "a hard link to the victim's file", func(t tester, w *world) {
		link := "foreach (%s as $i => $p) if (@link($p, '/srv/site/www/hard'.$i)) echo 'linked ', file_get_contents('/srv/site/www/hard'.$i);"
		works(t, "own file", w.attacker.php(t, fmt.Sprintf(link, list("/srv/site/www/own.txt"))), "linked own")
		stopped(t, "link", w.attacker.php(t, fmt.Sprintf(link, list(append(w.paths("www/secret.txt"), "/etc/hosts")...))), "linked")
	}},
	{"P07", "a group that is shared with others", func(t tester, w *world) {
		id := strconv.Itoa(w.attacker.uid)
		is(t, "groups", w.attacker.sh(t, "id -u; id -g; id -G"), id+"\n"+id+"\n"+id)
		if w.attacker.uid == w.victim.uid {
			t.Errorf("both sites have one uid")
		}
	}},
	{"P09", "ways around open_basedir reach the victim", func(t tester, w *world) {
		reach := func(paths []string) string {
			return w.attacker.php(t, `foreach (`+list(paths...)+` as $i => $p) {
				@chdir(dirname($p)); @ini_set('open_basedir', '/'); echo @file_get_contents(basename($p));
				foreach (@scandir('glob://'.$p) ?: [] as $n) echo 'glob:', $n;
				@symlink($p, "/srv/site/www/sym$i"); echo @file_get_contents("/srv/site/www/sym$i");
				$c = curl_init('file://'.$p); curl_setopt($c, CURLOPT_RETURNTRANSFER, true); echo curl_exec($c);
				echo @file_get_contents('php://filter/read=string.rot13|string.rot13/resource='.$p), @file_get_contents('compress.zlib://'.$p);
			}`)
		}
		works(t, "own file", reach([]string{"/srv/site/www/own.txt"}), "own")
		stopped(t, "a way around", reach(w.paths("www/secret.txt")), "glob:secret.txt")
	}},
	{"P10", "processes of others in /proc", func(t tester, w *world) {
		out := w.attacker.sh(t, "cat /proc/[0-9]*/status | grep ^Uid | sort -u; cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
		works(t, "own processes", out, strconv.Itoa(w.attacker.uid))
		stopped(t, "looking", out, "Uid:\t0", "Uid:\t33", "Uid:\t29990", strconv.Itoa(w.victim.uid), "mariadbd", "apache2", "--data")
	}},
	{"P12", "opcache names the victim's scripts", func(t tester, w *world) {
		w.victim.put(t, "www/only-here.php", "<?php echo 1;")
		w.attacker.put(t, "www/mine.php", "<?php echo 1;")
		w.victim.sh(t, "touch -d yesterday www/*.php") // what is new is not kept yet
		w.attacker.sh(t, "touch -d yesterday www/*.php")
		w.victim.get(t, "/only-here.php")
		w.attacker.get(t, "/mine.php")
		out := w.attacker.php(t, "echo json_encode(array_keys(opcache_get_status(true)['scripts'] ?? []));")
		works(t, "own scripts", out, "mine.php")
		stopped(t, "opcache_get_status", out, "only-here", "wp-config")
	}},
	{"P13", "include the victim's script", func(t tester, w *world) {
		w.attacker.put(t, "www/mine.php", "<?php echo 1;")
		include := "foreach (%s as $p) @include $p;"
		works(t, "own script", w.attacker.php(t, fmt.Sprintf(include, list("/srv/site/www/mine.php"))), "1")
		stopped(t, "include", w.attacker.php(t, fmt.Sprintf(include, list(w.paths("www/wp-config.php")...))+" echo $s ?? '';"), "victim ran")
	}},
	{"P15", "take over a session of the victim", func(t tester, w *world) {
		session := "session_id('aaaabbbbccccddddeeeeffffgggghhhh'); ini_set('session.use_strict_mode', '0'); session_start(); echo $_SESSION['who'] ?? 'empty';"
		w.victim.php(t, session+" $_SESSION['who'] = '"+secret+"';")
		works(t, "the victim's session", w.victim.php(t, session), secret)
		is(t, "the session's id on his own site", w.attacker.php(t, session), "empty")
		stopped(t, "reading the files", w.attacker.php(t, "foreach ("+list(append(w.paths("sessions/sess_aaaabbbbccccddddeeeeffffgggghhhh"), "/var/lib/php/sessions/sess_aaaabbbbccccddddeeeeffffgggghhhh")...)+" as $p) echo @file_get_contents($p);"))
	}},
	{"P16", "temporary files of the victim", func(t tester, w *world) {
		w.victim.php(t, "file_put_contents('/tmp/p16', '"+secret+"'); file_put_contents('/var/tmp/p16b', '"+secret+"'); chmod('/tmp/p16', 0666);")
		works(t, "own", w.attacker.php(t, "file_put_contents('/tmp/own', 'own'); echo file_get_contents('/tmp/own');"), "own")
		stopped(t, "reading /tmp", w.attacker.sh(t, "cat /tmp/* /var/tmp/* /dev/shm/*; find /tmp /var/tmp"), "p16")
	}},
	{"P17", "a link at a predictable name in /tmp", func(t tester, w *world) {
		works(t, "the link", w.attacker.sh(t, "ln -s "+w.victim.home+"/www/secret.txt /tmp/cache.lock; ln -s /srv/site/www/secret.txt /tmp/cache2.lock; ls /tmp"), "cache2.lock")
		w.victim.php(t, "file_put_contents('/tmp/cache.lock', 'x'); file_put_contents('/tmp/cache2.lock', 'x');")
		is(t, "the victim's file", w.victim.get(t, "/secret.txt").body, secret)
	}},
	{"P18", "shared memory of the victim", func(t tester, w *world) {
		w.victim.php(t, "$m = shmop_open(0x1234, 'c', 0666, 100); shmop_write($m, '"+secret+"', 0); file_put_contents('/dev/shm/p18', '"+secret+"');")
		works(t, "own segment", w.attacker.php(t, "$m = shmop_open(0x99, 'c', 0666, 100); shmop_write($m, 'own', 0); echo shmop_read($m, 0, 3);"), "own")
		stopped(t, "reading", w.attacker.php(t, "$m = @shmop_open(0x1234, 'a', 0, 0); if ($m) echo shmop_read($m, 0, 100);")+w.attacker.sh(t, "ipcs -m; cat /dev/shm/*"), "0x00001234")
	}},
	{"P19", "PHP connects to an FPM socket", func(t tester, w *world) {
		connect := "foreach (%s as $p) if (@stream_socket_client('unix://'.$p, $e, $s, 2)) echo 'connected';"
		works(t, "MariaDB's socket", w.attacker.php(t, fmt.Sprintf(connect, list("/run/mysqld/mysqld.sock"))), "connected")
		stopped(t, "connecting", w.attacker.php(t, fmt.Sprintf(connect, list("/run/fpm/fpm.sock", w.victim.socket, w.attacker.socket, filepath.Join(w.layout.Sockets(), filepath.Base(filepath.Dir(w.victim.socket)), "fpm.sock")))), "connected")
	}},
	{"P21", "private files of the server", func(t tester, w *world) {
		works(t, "a public file", w.attacker.sh(t, "cat /etc/hosts"), "localhost")
		var all []string
		for _, l := range []string{w.inside.Root, w.layout.Root} {
			all = append(all, l+"/etc/secrets.json", l+"/etc/panel.json", l+"/etc/agent.json", l+"/etc/cli.json", l+"/etc/instance", l+"/apache/apache2.conf", l+"/apache/sites/*.conf", l+"/sandbox/*", l+"/php/*/pool.conf", l+"/log/*.log", l+"/log/sites/*/*", l+"/run/activated/*", l+"/run/status.json", l+"/mariadb/mysql/*")
		}
		all = append(all, "/etc/shadow", "/etc/ssl/private/*", "/root/.*", "/proc/1/environ", "/proc/self/environ", "/etc/mysql/*", "/etc/apache2/*")
		stopped(t, "reading", w.attacker.sh(t, "cat "+strings.Join(all, " ")+" 2>/dev/null"), "password", "secret", filepath.Base(w.victim.home), "root:", "DSN", "CANCALE_SANDBOX")
	}},
	{"P22", "mail() with an envelope sender of his own", func(t tester, w *world) {
		w.attacker.put(t, "www/p22/.user.ini", "mail.force_extra_parameters=-fboss@other.example\n")
		w.attacker.put(t, "www/p22/x.php", "<?php ini_set('mail.force_extra_parameters', '-fboss@other.example'); echo ini_get('mail.force_extra_parameters');")
		is(t, "sender", w.attacker.get(t, "/p22/x.php").body, "-fweb@"+w.attacker.host)
	}},
	{"P30", "raise the memory limit by .user.ini, ini_set", func(t tester, w *world) {
		w.attacker.put(t, "www/p30/.user.ini", "memory_limit=1G\nuser_agent=works\n")
		w.attacker.put(t, "www/p30/x.php", "<?php @ini_set('memory_limit', '1G'); echo ini_get('memory_limit'), ' ', ini_get('user_agent');")
		is(t, "limits", w.attacker.get(t, "/p30/x.php").body, "128M works")
	}},
	{"P31", "an internal service that trusts this machine", func(t tester, w *world) {
		panel := strings.TrimSuffix(w.status.PanelURL, "/")
		ask := "$c = curl_init('%s'); curl_setopt_array($c, [CURLOPT_RETURNTRANSFER => true, CURLOPT_HTTPHEADER => ['X-Forwarded-For: 127.0.0.1', 'X-Real-IP: ::1', 'X-Remote-User: root']]); $b = curl_exec($c); echo curl_getinfo($c, CURLINFO_RESPONSE_CODE), $b;"
		works(t, "the panel answers", w.attacker.php(t, fmt.Sprintf(ask, panel+"/healthz")), "200")
		for _, path := range []string{"/admin", "/sites", "/admin/accounts", "/metrics", "/debug/pprof/"} {
			if out := w.attacker.php(t, fmt.Sprintf(ask, panel+path)); strings.HasPrefix(out, "200") {
				t.Errorf("%s: %s", path, short(out))
			}
		}
	}},
	{"P32", "internal unix sockets", func(t tester, w *world) {
		connect := "foreach (%s as $p) foreach (['unix', 'udg'] as $k) if ($s = @stream_socket_client($k.'://'.$p, $e, $m, 2)) { fwrite($s, 'x'); echo 'connected'; }"
		var all []string
		for _, l := range []interface {
			SupervisorSocket() string
			AgentSocket() string
			MariaDBSocket() string
		}{w.inside, w.layout} {
			all = append(all, l.SupervisorSocket(), l.AgentSocket(), l.MariaDBSocket())
		}
		works(t, "MariaDB's socket", w.attacker.php(t, fmt.Sprintf(connect, list("/run/mysqld/mysqld.sock"))), "connected")
		stopped(t, "connecting", w.attacker.php(t, fmt.Sprintf(connect, list(append(all, "/run/systemd/private", "/run/dbus/system_bus_socket")...))), "connected")
	}},
}
