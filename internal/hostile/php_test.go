package hostile

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// phpRows are attacks by PHP and by the programs that it starts.
var phpRows = []row{
	{"P01", "PHP reads the victim's files", func(t *testing.T, w *world) {
		read := func(paths []string) string {
			return w.attacker.php(t, "foreach ("+list(paths...)+" as $p) echo @file_get_contents($p), @implode(',', @file($p) ?: []);")
		}
		w.attacker.put(t, "www/own.txt", "own")
		works(t, "own file", read([]string{"/srv/site/www/own.txt"}), "own")
		stopped(t, "reading", read(slices.Concat(w.paths("www/secret.txt"), w.paths("private/secret.txt"), w.paths("www/wp-config.php"))))
	}},
	{"P02", "a shell from PHP reads the victim's files", func(t *testing.T, w *world) {
		works(t, "own file", w.attacker.sh(t, "cat www/own.txt; find /srv -name own.txt -exec cat {} +"), "ownown")
		stopped(t, "cat", w.attacker.sh(t, "cat "+strings.Join(w.paths("www/secret.txt"), " ")+"; find /srv /run /tmp /var /etc /proc/1/root/srv /proc/[0-9]*/cwd/ -name secret.txt -exec cat {} +"))
	}},
	{"P03", "list the victim's home and docroot", func(t *testing.T, w *world) {
		works(t, "own home", w.attacker.sh(t, "ls /srv/site/www"), "own.txt")
		out := w.attacker.sh(t, "ls "+strings.Join(append(w.paths(""), w.paths("www")...), " ")+" /srv /srv/cancale /srv/cancale/t "+w.layout.Root)
		stopped(t, "ls", out, "secret.txt", "wp-config")
	}},
	{"P04", "write into the victim's home", func(t *testing.T, w *world) {
		write := "foreach (%s as $d) { if (@file_put_contents($d.'/pwned', 'x')) echo 'wrote'; @mkdir($d.'/pwned.d'); }"
		works(t, "own docroot", w.attacker.php(t, fmt.Sprintf(write, list("/srv/site/www"))), "wrote")
		stopped(t, "writing", w.attacker.php(t, fmt.Sprintf(write, list(w.paths("www")...)))+w.attacker.sh(t, "for d in "+strings.Join(w.paths("www"), " ")+"; do touch $d/pwned && echo wrote; done"), "wrote")
		if _, err := os.Lstat(w.victim.outside + "/www/pwned"); err == nil {
			t.Error("the victim's docroot was written to")
		}
	}},
	{"P05", "the victim opens all that he owns to everybody", func(t *testing.T, w *world) {
		is(t, "chmod of the home itself", w.victim.sh(t, "chmod -R 777 /srv/site/www /srv/site/private; chmod 777 /srv/site 2>/dev/null && echo opened"), "")
		defer w.victim.sh(t, "chmod -R u=rwX,go=rX www private")
		info, err := os.Stat(w.victim.outside + "/www/secret.txt")
		if err != nil || info.Mode().Perm() != 0o777 {
			t.Fatalf("the means do not work: %v %v", info, err)
		}
		stopped(t, "reading", w.attacker.sh(t, "cat "+strings.Join(w.paths("www/secret.txt"), " ")))
		w.attacker.sh(t, "for f in "+strings.Join(w.paths("www/secret.txt"), " ")+"; do echo x > $f; done")
		is(t, "the victim's file", w.victim.get(t, "/secret.txt").body, secret)
	}},
	{"P06", "a hard link to the victim's file", func(t *testing.T, w *world) {
		link := "foreach (%s as $i => $p) if (@link($p, '/srv/site/www/hard'.$i)) echo 'linked ', file_get_contents('/srv/site/www/hard'.$i);"
		works(t, "own file", w.attacker.php(t, fmt.Sprintf(link, list("/srv/site/www/own.txt"))), "linked own")
		stopped(t, "link", w.attacker.php(t, fmt.Sprintf(link, list(append(w.paths("www/secret.txt"), "/etc/hosts")...))), "linked")
	}},
	{"P07", "a group that is shared with others", func(t *testing.T, w *world) {
		id := strconv.Itoa(w.attacker.uid)
		is(t, "groups", w.attacker.sh(t, "id -u; id -g; id -G"), id+"\n"+id+"\n"+id)
		if w.attacker.uid == w.victim.uid {
			t.Error("both sites have one uid")
		}
	}},
	{"P08", "setgid files and directories give Apache's group", func(t *testing.T, w *world) {
		w.attacker.sh(t, "mkdir -p www/p08 && chmod 2777 www www/p08 && cp /usr/bin/id www/p08/id && chmod 6755 www/p08/id && echo > www/p08/new")
		works(t, "the modes", w.attacker.sh(t, "stat -c %a www/p08"), "2777")
		id := strconv.Itoa(w.attacker.uid)
		is(t, "group of a new file, uid and gid of a setuid program", w.attacker.sh(t, "stat -c %g www/p08/new; www/p08/id -u; www/p08/id -G; chmod 755 www"), id+"\n"+id+"\n"+id)
		for _, name := range []string{"", "/www"} {
			var st syscall.Statfs_t
			if err := syscall.Statfs(fmt.Sprintf("/proc/%d/root%s", processes(t, w.attacker.uid)[0], "/srv/site"+name), &st); err != nil || st.Flags&2 == 0 { // ST_NOSUID
				t.Errorf("%s: setuid programs work there (%v)", name, err)
			}
		}
	}},
	{"P09", "ways around open_basedir reach the victim", func(t *testing.T, w *world) {
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
	{"P10", "processes of others in /proc", func(t *testing.T, w *world) {
		out := w.attacker.sh(t, "cat /proc/[0-9]*/status | grep ^Uid | sort -u; cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
		works(t, "own processes", out, strconv.Itoa(w.attacker.uid))
		stopped(t, "looking", out, "Uid:\t0", "Uid:\t33", "Uid:\t29990", strconv.Itoa(w.victim.uid), "mariadbd", "apache2", "--data")
	}},
	{"P11", "signal or inspect a process of the victim", func(t *testing.T, w *world) {
		w.victim.php(t, "shell_exec('sleep 31 > /dev/null 2>&1 &');")
		pids := processes(t, w.victim.uid)
		if len(pids) == 0 {
			t.Fatal("the victim has no process")
		}
		works(t, "own process", w.attacker.sh(t, "sleep 30 & kill -9 $! && echo killed"), "killed")
		var all []string
		for _, pid := range pids {
			all = append(all, strconv.Itoa(pid))
		}
		line := "for p in " + strings.Join(all, " ") + "; do [ -d /proc/$p ] && [ \"$(stat -c %u /proc/$p)\" != " + strconv.Itoa(w.attacker.uid) + " ] && echo seen; " +
			"[ -d /proc/$p ] || { kill -9 $p && echo killed; cat /proc/$p/environ /proc/$p/cwd/secret.txt; ls /proc/$p/fd && echo listed; }; done"
		stopped(t, "reaching processes", w.attacker.sh(t, line), "seen", "killed", "listed")
		for _, pid := range pids {
			if _, err := os.Stat("/proc/" + strconv.Itoa(pid)); err != nil {
				t.Errorf("process %d is gone", pid)
			}
		}
	}},
	{"P12", "opcache names the victim's scripts", func(t *testing.T, w *world) {
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
	{"P13", "include the victim's script", func(t *testing.T, w *world) {
		include := "foreach (%s as $p) @include $p;"
		works(t, "own script", w.attacker.php(t, fmt.Sprintf(include, list("/srv/site/www/mine.php"))), "1")
		stopped(t, "include", w.attacker.php(t, fmt.Sprintf(include, list(w.paths("www/wp-config.php")...))+" echo $s ?? '';"), "victim ran")
	}},
	{"P14", "read opcache's memory natively", func(t *testing.T, w *world) {
		w.attacker.put(t, "www/p14/.htaccess", "SetEnv PHP_ADMIN_VALUE \"ffi.enable=1\"\nSetEnv PHP_VALUE \"ffi.enable=1\"\n")
		w.attacker.put(t, "www/p14/.user.ini", "ffi.enable=1\n")
		w.attacker.put(t, "www/p14/x.php", "<?php try { FFI::cdef('int getpid(void);')->getpid(); echo 'native'; } catch (Throwable $e) { echo 'refused'; }")
		is(t, "FFI in his pool", w.attacker.get(t, "/p14/x.php").body, "refused")
		// A program of his own can do as it likes, and finds only his.
		works(t, "native code", w.attacker.sh(t, `php -n -d extension=ffi -d ffi.enable=1 -r 'echo FFI::cdef("int getppid(void);")->getppid() >= 0 ? "native" : "";'`), "native")
		w.victim.get(t, "/wp-config.php")
		scan := `$found = 0; foreach (glob('/proc/[0-9]*/maps') as $m) { $mem = @fopen(dirname($m).'/mem', 'r'); foreach (@file($m) ?: [] as $l) {
			if (!$mem || !preg_match('/^([0-9a-f]+)-([0-9a-f]+) rw.*(zero|memfd|SYSV|shm)/', $l, $r)) continue; fseek($mem, hexdec($r[1])); $found++;
			$at = hexdec($r[1]); while ($at < hexdec($r[2]) && ($b = @fread($mem, 1 << 20)) !== false && $b !== '') { $at += strlen($b); if (strpos($b, 'the-secret-of-'.'the-victim') !== false) echo 'LEAKED'; if (strpos($b, 'mine'.'.php') !== false) $own = true; } } }
			echo $found ? 'scanned' : 'nothing';`
		works(t, "scan", w.attacker.php(t, scan), "scanned")
		stopped(t, "scan", w.attacker.php(t, scan), "LEAKED")
	}},
	{"P15", "take over a session of the victim", func(t *testing.T, w *world) {
		session := "session_id('aaaabbbbccccddddeeeeffffgggghhhh'); ini_set('session.use_strict_mode', '0'); session_start(); echo $_SESSION['who'] ?? 'empty';"
		w.victim.php(t, session+" $_SESSION['who'] = '"+secret+"';")
		works(t, "the victim's session", w.victim.php(t, session), secret)
		is(t, "the session's id on his own site", w.attacker.php(t, session), "empty")
		stopped(t, "reading the files", w.attacker.php(t, "foreach ("+list(append(w.paths("sessions/sess_aaaabbbbccccddddeeeeffffgggghhhh"), "/var/lib/php/sessions/sess_aaaabbbbccccddddeeeeffffgggghhhh")...)+" as $p) echo @file_get_contents($p);"))
	}},
	{"P16", "temporary files of the victim", func(t *testing.T, w *world) {
		w.victim.php(t, "file_put_contents('/tmp/p16', '"+secret+"'); file_put_contents('/var/tmp/p16b', '"+secret+"'); chmod('/tmp/p16', 0666);")
		works(t, "own", w.attacker.php(t, "file_put_contents('/tmp/own', 'own'); echo file_get_contents('/tmp/own');"), "own")
		stopped(t, "reading /tmp", w.attacker.sh(t, "cat /tmp/* /var/tmp/* /dev/shm/*; find /tmp /var/tmp"), "p16")
	}},
	{"P17", "a link at a predictable name in /tmp", func(t *testing.T, w *world) {
		works(t, "the link", w.attacker.sh(t, "ln -s "+w.victim.home+"/www/secret.txt /tmp/cache.lock; ln -s /srv/site/www/secret.txt /tmp/cache2.lock; ls /tmp"), "cache2.lock")
		w.victim.php(t, "file_put_contents('/tmp/cache.lock', 'x'); file_put_contents('/tmp/cache2.lock', 'x');")
		is(t, "the victim's file", w.victim.get(t, "/secret.txt").body, secret)
	}},
	{"P18", "shared memory of the victim", func(t *testing.T, w *world) {
		w.victim.php(t, "$m = shmop_open(0x1234, 'c', 0666, 100); shmop_write($m, '"+secret+"', 0); file_put_contents('/dev/shm/p18', '"+secret+"');")
		works(t, "own segment", w.attacker.php(t, "$m = shmop_open(0x99, 'c', 0666, 100); shmop_write($m, 'own', 0); echo shmop_read($m, 0, 3);"), "own")
		stopped(t, "reading", w.attacker.php(t, "$m = @shmop_open(0x1234, 'a', 0, 0); if ($m) echo shmop_read($m, 0, 100);")+w.attacker.sh(t, "ipcs -m; cat /dev/shm/*"), "0x00001234")
	}},
	{"P19", "PHP connects to an FPM socket", func(t *testing.T, w *world) {
		connect := "foreach (%s as $p) if (@stream_socket_client('unix://'.$p, $e, $s, 2)) echo 'connected';"
		works(t, "MariaDB's socket", w.attacker.php(t, fmt.Sprintf(connect, list("/run/mysqld/mysqld.sock"))), "connected")
		stopped(t, "connecting", w.attacker.php(t, fmt.Sprintf(connect, list("/run/fpm/fpm.sock", w.victim.socket, w.attacker.socket, filepath.Join(w.layout.Sockets(), filepath.Base(filepath.Dir(w.victim.socket)), "fpm.sock")))), "connected")
	}},
	{"P20", "FPM on a TCP port", func(t *testing.T, w *world) {
		listening := func(uid int) (n int) {
			for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
				text, _ := os.ReadFile(file)
				for line := range strings.Lines(string(text)) {
					if f := strings.Fields(line); len(f) > 7 && f[3] == "0A" && f[7] == strconv.Itoa(uid) {
						n++
					}
				}
			}
			return n
		}
		if listening(w.victim.uid)+listening(w.attacker.uid) != 0 {
			t.Error("a site's process listens on TCP")
		}
		// Nor can it: the port of a service that is being restarted is no site's.
		stopped(t, "listening", w.attacker.php(t, "foreach (['tcp://127.0.0.1:0', 'tcp://[::1]:0', 'unix:///srv/site/www/own.sock'] as $at) if (@stream_socket_server($at)) echo 'listens';"), "listens")
	}},
	{"P21", "private files of the server", func(t *testing.T, w *world) {
		works(t, "a public file", w.attacker.sh(t, "cat /etc/hosts"), "localhost")
		var all []string
		for _, l := range []string{w.inside.Root, w.layout.Root} {
			all = append(all, l+"/etc/secrets.json", l+"/etc/panel.json", l+"/etc/agent.json", l+"/etc/cli.json", l+"/etc/instance", l+"/apache/apache2.conf", l+"/apache/sites/*.conf", l+"/sandbox/*", l+"/php/*/pool.conf", l+"/log/*.log", l+"/log/sites/*/*", l+"/run/activated/*", l+"/run/status.json", l+"/mariadb/mysql/*")
		}
		all = append(all, "/etc/shadow", "/etc/ssl/private/*", "/root/.*", "/proc/1/environ", "/proc/self/environ", "/etc/mysql/*", "/etc/apache2/*")
		stopped(t, "reading", w.attacker.sh(t, "cat "+strings.Join(all, " ")+" 2>/dev/null"), "password", "secret", filepath.Base(w.victim.home), "root:", "DSN", "CANCALE_SANDBOX")
	}},
	{"P22", "mail() with an envelope sender of his own", func(t *testing.T, w *world) {
		w.attacker.put(t, "www/p22/.user.ini", "mail.force_extra_parameters=-fboss@victim.example\n")
		w.attacker.put(t, "www/p22/x.php", "<?php ini_set('mail.force_extra_parameters', '-fboss@victim.example'); echo ini_get('mail.force_extra_parameters');")
		is(t, "sender", w.attacker.get(t, "/p22/x.php").body, "-fweb@attacker.example")
	}},
	{"P23", "more than 200 processes", func(t *testing.T, w *world) {
		works(t, "some processes", w.attacker.sh(t, "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.2 & done; wait; echo all"), "all")
		_, _ = w.attacker.ask("POST", "/run.php", `shell_exec('for i in $(seq 8); do (for j in $(seq 50); do sleep 4 & done; wait) > /dev/null 2>&1 & done; sleep 1');`)
		most := 100 // of the resource limit alone
		if w.bounded(t) {
			most = 64
		}
		if n := len(processes(t, w.attacker.uid)); n > most {
			t.Errorf("%d processes run", n)
		} else if n < most/2 {
			t.Errorf("the means do not work: only %d processes", n)
		}
		w.alive(t)
		eventually(t, "his processes have ended", func() bool { return len(processes(t, w.attacker.uid)) < 15 })
	}},
	{"P24", "more than 700 MB of memory", func(t *testing.T, w *world) {
		hog := `shell_exec('for i in 1 2 3 4; do php -d memory_limit=-1 -r "\$s = str_repeat(chr(120), %d << 20); sleep(1); echo strlen(\$s), PHP_EOL;" >> /srv/site/tmp/hog & done; wait');`
		w.attacker.php(t, fmt.Sprintf(hog, 20))
		works(t, "80 MB", w.attacker.sh(t, "wc -l < tmp/hog; rm tmp/hog"), "4")
		_, _ = w.attacker.ask("POST", "/run.php", fmt.Sprintf(hog, 190))
		eventually(t, "his site answers again", func() bool {
			a, err := w.attacker.ask("GET", "/mine.php", "")
			return err == nil && a.status == 200
		})
		if out := strings.TrimSpace(w.attacker.sh(t, "wc -l < tmp/hog; rm -f tmp/hog")); out == "4" && w.bounded(t) {
			t.Error("760 MB were held at a time")
		}
		w.alive(t)
	}},
	{"P25", "busy loops", func(t *testing.T, w *world) {
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				_, _ = w.attacker.ask("POST", "/run.php", "$end = microtime(true) + 2; while (microtime(true) < $end);")
			})
		}
		time.Sleep(200 * time.Millisecond)
		for range 5 {
			w.alive(t)
		}
		all.Wait()
	}},
	{"P26", "all of Apache's threads by slow PHP", func(t *testing.T, w *world) {
		w.attacker.put(t, "www/slow.php", "<?php sleep(2); echo 'slow';")
		works(t, "slow PHP", w.attacker.get(t, "/slow.php").body, "slow")
		w.hold(t, "/slow.php")
	}},
	{"P28", "fill /tmp with 250 MB", func(t *testing.T, w *world) {
		fill := "for i in $(seq 25); do head -c 10M /dev/zero > /tmp/fill$i || break; done; du -sm /tmp | cut -f1; rm -f /tmp/fill*"
		works(t, "10 MB", w.attacker.sh(t, "head -c 10M /dev/zero > /tmp/fill && stat -c %s /tmp/fill; rm /tmp/fill"), "10485760")
		fields := strings.Fields(w.attacker.sh(t, fill))
		if n, err := strconv.Atoi(fields[len(fields)-1]); err != nil || n > 64 {
			t.Errorf("%q MB fit", fields)
		}
		w.alive(t)
	}},
	{"P30", "raise the memory limit by .user.ini, ini_set", func(t *testing.T, w *world) {
		w.attacker.put(t, "www/p30/.user.ini", "memory_limit=1G\nupload_max_filesize=3M\n")
		w.attacker.put(t, "www/p30/x.php", "<?php @ini_set('memory_limit', '1G'); echo ini_get('memory_limit'), ' ', ini_get('upload_max_filesize');")
		is(t, "limits", w.attacker.get(t, "/p30/x.php").body, "128M 3M")
	}},
	{"P31", "an internal service that trusts this machine", func(t *testing.T, w *world) {
		panel := strings.TrimSuffix(w.status.PanelURL, "/")
		ask := "$c = curl_init('%s'); curl_setopt_array($c, [CURLOPT_RETURNTRANSFER => true, CURLOPT_HTTPHEADER => ['X-Forwarded-For: 127.0.0.1', 'X-Real-IP: ::1', 'X-Remote-User: root']]); $b = curl_exec($c); echo curl_getinfo($c, CURLINFO_RESPONSE_CODE), $b;"
		works(t, "the panel answers", w.attacker.php(t, fmt.Sprintf(ask, panel+"/healthz")), "200")
		for _, path := range []string{"/admin", "/sites", "/admin/accounts", "/metrics", "/debug/pprof/"} {
			if out := w.attacker.php(t, fmt.Sprintf(ask, panel+path)); strings.HasPrefix(out, "200") {
				t.Errorf("%s: %s", path, short(out))
			}
		}
	}},
	{"P32", "internal unix sockets", func(t *testing.T, w *world) {
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
