package hostile

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// phpHeavy are those that take the machine to its limits or need its root.
var phpHeavy = []row{
	{"P05", "the victim opens all that he owns to everybody", heavy(func(t *testing.T, w *world) {
		is(t, "chmod of the home itself", w.victim.sh(t, "chmod -R 777 /srv/site/www /srv/site/private; chmod 777 /srv/site 2>/dev/null && echo opened"), "")
		defer w.victim.sh(t, "chmod -R u=rwX,go=rX www private")
		info, err := os.Stat(w.victim.outside + "/www/secret.txt")
		if err != nil || info.Mode().Perm() != 0o777 {
			t.Fatalf("the means do not work: %v %v", info, err)
		}
		stopped(t, "reading", w.attacker.sh(t, "cat "+strings.Join(w.paths("www/secret.txt"), " ")))
		w.attacker.sh(t, "for f in "+strings.Join(w.paths("www/secret.txt"), " ")+"; do echo x > $f; done")
		is(t, "the victim's file", w.victim.get(t, "/secret.txt").body, secret)
	})},
	{"P08", "setgid files and directories give Apache's group", heavy(func(t *testing.T, w *world) {
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
	})},
	{"P11", "signal or inspect a process of the victim", heavy(func(t *testing.T, w *world) {
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
	})},
	{"P14", "read opcache's memory natively", heavy(func(t *testing.T, w *world) {
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
	})},
	{"P20", "FPM on a TCP port", heavy(func(t *testing.T, w *world) {
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
	})},
	{"P23", "more than 200 processes", heavy(func(t *testing.T, w *world) {
		works(t, "some processes", w.attacker.sh(t, "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.2 & done; wait; echo all"), "all")
		_, _ = w.attacker.ask("POST", "/run.php", `shell_exec('for i in $(seq 8); do (for j in $(seq 50); do sleep 4 & done; wait) > /dev/null 2>&1 & done; sleep 1');`)
		const most = 64
		if n := len(processes(t, w.attacker.uid)); n > most {
			t.Errorf("%d processes run", n)
		} else if n < most/2 {
			t.Errorf("the means do not work: only %d processes", n)
		}
		w.alive(t)
		eventually(t, "his processes have ended", func() bool { return len(processes(t, w.attacker.uid)) < 15 })
	})},
	{"P24", "more than 700 MB of memory", heavy(func(t *testing.T, w *world) {
		hog := `shell_exec('for i in 1 2 3 4; do php -d memory_limit=-1 -r "\$s = str_repeat(chr(120), %d << 20); sleep(1); echo strlen(\$s), PHP_EOL;" >> /srv/site/tmp/hog & done; wait');`
		w.attacker.php(t, fmt.Sprintf(hog, 20))
		works(t, "80 MB", w.attacker.sh(t, "wc -l < tmp/hog; rm tmp/hog"), "4")
		_, _ = w.attacker.ask("POST", "/run.php", fmt.Sprintf(hog, 190))
		eventually(t, "his site answers again", func() bool {
			a, err := w.attacker.ask("GET", "/mine.php", "")
			return err == nil && a.status == 200
		})
		if out := strings.TrimSpace(w.attacker.sh(t, "wc -l < tmp/hog; rm -f tmp/hog")); out == "4" {
			t.Error("760 MB were held at a time")
		}
		w.alive(t)
	})},
	{"P25", "busy loops", heavy(func(t *testing.T, w *world) {
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
	})},
	{"P26", "all of Apache's threads by slow PHP", heavy(func(t *testing.T, w *world) {
		w.attacker.put(t, "www/slow.php", "<?php sleep(2); echo 'slow';")
		works(t, "slow PHP", w.attacker.get(t, "/slow.php").body, "slow")
		w.hold(t, "/slow.php")
	})},
	{"P27", "all of Apache's threads by rules that proxy to a service that never answers", heavy(func(t *testing.T, w *world) {
		service, err := net.Listen("tcp", ":0") // of both families
		if err != nil {
			t.Fatal(err)
		}
		defer service.Close()
		var reached atomic.Int32
		go func() {
			for {
				conn, err := service.Accept()
				if err != nil {
					return
				}
				reached.Add(1)
				defer conn.Close()
			}
		}()
		_, port, _ := net.SplitHostPort(service.Addr().String())
		works(t, "his own PHP reaches it", w.attacker.php(t, "echo stream_socket_client('tcp://127.0.0.1:"+port+"', $e, $m, 2) ? 'connected' : $m;"), "connected")
		reached.Store(0)
		var all []string
		for _, host := range []string{"127.0.0.1", "localhost", "LOCALHOST", "[::1]", "[::]", "0", "2130706433", "0x7f000001", "127.1", "%31", "_@127.0.0.1", "_:x@localhost", ""} {
			url := "fcgi://" + host + ":" + port + "/x"
			all = append(all, "RewriteEngine On\nRewriteRule . "+url+" [P]\n", "SetHandler \"proxy:"+url+"\"\n", "RewriteEngine On\nRewriteRule . - [H=proxy:"+url+"]\n")
		}
		for _, text := range all {
			w.tries(t, "p27", "/x.php", text)
			if n := reached.Swap(0); n > 0 {
				t.Errorf("Apache reached it %d times by %q", n, text)
			}
		}
		// Where nothing is reached nothing is held.
		w.attacker.put(t, "www/p27/.htaccess", all[0])
		w.hold(t, "/p27/x.php")
	})},
	{"P28", "fill /tmp with 250 MB", heavy(func(t *testing.T, w *world) {
		fill := "for i in $(seq 25); do head -c 10M /dev/zero > /tmp/fill$i || break; done; du -sm /tmp | cut -f1; rm -f /tmp/fill*"
		works(t, "10 MB", w.attacker.sh(t, "head -c 10M /dev/zero > /tmp/fill && stat -c %s /tmp/fill; rm /tmp/fill"), "10485760")
		fields := strings.Fields(w.attacker.sh(t, fill))
		if n, err := strconv.Atoi(fields[len(fields)-1]); err != nil || n > 64 {
			t.Errorf("%q MB fit", fields)
		}
		w.alive(t)
	})},
	{"P29", "fill the disk beyond his plan", heavy(func(t *testing.T, w *world) {
		w.cancale(nil, "plan", "create", "small", "--disk-mb", "40")
		w.cancale(nil, "plan", "create", "wide")
		w.cancale(nil, "account", "update", "s-shop", "--plan", "small")
		defer func() {
			w.cancale(nil, "account", "update", "s-shop", "--plan", "wide")
			eventually(t, "he may write again", func() bool {
				return strings.Contains(w.attacker.sh(t, "rm -rf www/p29; echo x > www/p29.txt && echo wrote; rm -f www/p29.txt"), "wrote")
			})
		}()
		works(t, "1 MB", w.attacker.sh(t, "mkdir -p www/p29; head -c 1M /dev/zero > www/p29/own && echo wrote"), "wrote")
		w.attacker.sh(t, "head -c 100M /dev/zero > www/p29/fill")
		// By FTP there is an end as soon as the new plan is known there.
		eventually(t, "60 MB are refused by FTP", func() bool {
			return w.attacker.ftp(t).Stor("www/p29/ftp", strings.NewReader(strings.Repeat("x", 60<<20))) != nil
		})
		end := time.Now().Add(time.Minute)
		for strings.Contains(w.attacker.sh(t, "head -c 1M /dev/zero > www/p29/more$(date +%N) && echo wrote"), "wrote") && time.Now().Before(end) {
			time.Sleep(200 * time.Millisecond)
		}
		stopped(t, "writing", w.attacker.sh(t, "echo x > www/p29/last && echo wrote; echo x > private/last && echo wrote"), "wrote")
		is(t, "his pages", w.attacker.get(t, "/own.txt").body, "own")
		w.alive(t)
	})},
}
