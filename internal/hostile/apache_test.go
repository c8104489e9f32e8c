package hostile

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// apacheHeavy are those that take the machine to its limits or need its root.
var apacheHeavy = []row{
	{"H04", "RewriteRule [P] to the victim's socket, the victim's script", heavy(func(t *testing.T, w *world) {
		try := func(socket string) string {
			return w.tries(t, "h04", "/x", "RewriteEngine On\nRewriteRule . \"unix:"+socket+"|fcgi://_/srv/site/www/wp-config.php\" [P]\n")
		}
		w.attacker.put(t, "www/wp-config.php", "<?php echo 'mine ran';")
		works(t, "own socket", try(w.attacker.socket), "mine ran")
		for _, socket := range w.guesses() {
			stopped(t, "guessing "+socket, try(socket), "victim ran")
		}
		t.Run("leaked", func(t *testing.T) { // known: the socket's path is the wall
			t.Logf("the victim's own script runs: %v", strings.Contains(try(w.victim.socket), "victim ran"))
		})
	})},
	{"H09", "a setting sent to the victim's pool stays in its workers", heavy(func(t *testing.T, w *world) {
		for _, socket := range append(w.guesses(), w.victim.socket) {
			w.tries(t, "h09", "/x", "SetEnv PHP_VALUE \"auto_prepend_file=/nowhere\"\nSetEnv PHP_ADMIN_VALUE \"memory_limit=1M\"\nRewriteEngine On\nRewriteRule . \"unix:"+socket+"|fcgi://_/srv/site/www/wp-config.php\" [P]\n")
		}
		for range 12 {
			w.alive(t)
		}
	})},
	{"H14", "a link to the victim's files with Options +FollowSymLinks", heavy(func(t *testing.T, w *world) {
		try := func(path string) string {
			w.attacker.sh(t, "rm -rf www/h14")
			w.link(t, path, "h14/x.txt")
			return w.tries(t, "h14", "/x.txt", "Options +FollowSymLinks\n", "Options FollowSymLinks\n", "Options All\n")
		}
		// The attacker's own file, as Apache names it: it is no secret to him.
		works(t, "own file", try(w.attacker.home+"/www/own.txt"), "own")
		for _, path := range w.paths("www/secret.txt") {
			if !strings.Contains(path, filepath.Base(w.victim.home)) {
				stopped(t, "guessing "+path, try(path))
			}
		}
		t.Run("leaked", func(t *testing.T) { // known: the home's path is the wall
			t.Logf("the victim's file is served: %v", strings.Contains(try(w.victim.home+"/www/secret.txt"), secret))
			stopped(t, "what the victim keeps private", w.privately(t, try))
		})
	})},
	{"H17", "a race between a file and a link", heavy(func(t *testing.T, w *world) {
		race := func(target string, want string) (hits int) {
			w.attacker.sh(t, "rm -rf www/h17; mkdir www/h17; echo plain > www/h17/f; ln -s "+target+" www/h17/l; ln www/h17/f www/h17/x.txt")
			var done sync.WaitGroup
			done.Go(func() {
				w.attacker.php(t, "chdir('/srv/site/www/h17'); $end = microtime(true) + 1; while (microtime(true) < $end) { @link('f', 'a'); @rename('a', 'x.txt'); @symlink("+quote(target)+", 'b'); @rename('b', 'x.txt'); }")
			})
			for end := time.Now().Add(time.Second); time.Now().Before(end); {
				if a, err := w.attacker.ask("GET", "/h17/x.txt", ""); err == nil && strings.Contains(a.body, want) {
					hits++
				}
			}
			done.Wait()
			return hits
		}
		works(t, "the race", strconv.FormatBool(race(w.attacker.home+"/www/own.txt", "own") > 0), "true")
		for _, path := range []string{"/srv/victim/www/secret.txt", w.inside.Homes() + "/" + strings.Repeat("0", 32) + "/www/secret.txt"} {
			if race(path, secret) > 0 {
				t.Errorf("%s was served", path)
			}
		}
		t.Run("leaked", func(t *testing.T) { // known, as H14
			t.Logf("the victim's file was served %d times", race(w.victim.home+"/www/secret.txt", secret))
		})
	})},
	{"H18", "the docroot itself becomes a link", heavy(func(t *testing.T, w *world) {
		works(t, "a folder within", w.attacker.sh(t, "mkdir -p www/d && mv www/d www/e && ln -s /srv www/d && echo moved"), "moved")
		stopped(t, "the docroot", w.attacker.sh(t, "mv www w2 && echo moved; rmdir www && echo moved; ln -sfn "+w.victim.home+"/www /srv/site/www2 && echo moved; mv private p2 && echo moved"), "moved")
	})},
	{"H19", "a link and Indexes list directories", heavy(func(t *testing.T, w *world) {
		w.attacker.put(t, "www/h19/sub/listed.txt", "x")
		works(t, "own directory", w.tries(t, "h19", "/sub/", "Options +Indexes\n"), "listed.txt")
		at := func(i int, path string) string {
			name := fmt.Sprintf("/d%d", i)
			w.link(t, path, "h19"+name)
			return w.tries(t, "h19", name+"/", "Options +Indexes +FollowSymLinks\n", "Options Indexes FollowSymLinks\n")
		}
		for i, path := range []string{"/root", w.inside.Root, w.inside.Homes(), w.inside.Sockets(), w.inside.Apache(), w.inside.Logs(), w.victim.home, filepath.Dir(w.victim.socket)} {
			stopped(t, path, at(i, path), "200 map", filepath.Base(w.victim.home), "secret.txt")
		}
		// What everybody on the machine may read does not exist for Apache.
		for i, path := range []string{"/", "/etc", "/usr", "/usr/lib", "/lib", "/bin", "/dev", "/proc", "/proc/self", "/proc/self/fd", "/sys", "/var", "/var/log", "/home", "/tmp", "/run", "/srv", "/mnt", w.inside.Run(), w.inside.MariaDBTemp(), filepath.Dir(w.inside.MariaDBSocket()), w.inside.Pages()} {
			stopped(t, path, at(100+i, path), "200 map", "Index of")
		}
		t.Run("leaked", func(t *testing.T) { // known: the home's path is the wall
			t.Logf("what the victim opened to everybody is listed: %v", strings.Contains(at(99, w.victim.home+"/private"), "secret.txt"))
		})
	})},
	{"H27", "an oracle of what exists", heavy(func(t *testing.T, w *world) {
		exists := func(path string) string {
			return w.tries(t, "h27", "/x", "RewriteEngine On\nRewriteCond "+path+" -f\nRewriteRule . /own.txt [L]\n", "<If \"-f '"+path+"'\">\nErrorDocument 404 own\n</If>\n")
		}
		works(t, "own file", exists(w.attacker.home+"/www/own.txt"), "own")
		for _, path := range w.paths("www/wp-config.php") {
			if !strings.HasPrefix(path, w.victim.home) && !strings.HasPrefix(path, "/srv/site/../") {
				stopped(t, "guessing "+path, exists(path), "\nown", "} own")
			}
		}
		t.Run("leaked", func(t *testing.T) { // known: the home's path is the wall
			t.Logf("it is seen that the file exists: %v", strings.Contains(exists(w.victim.home+"/www/wp-config.php"), "own"))
		})
	})},
	{"H28", "the victim's password file as his own", heavy(func(t *testing.T, w *world) {
		w.attacker.put(t, "www/h28/x.txt", "entered")
		w.attacker.put(t, "www/.htpasswd", "boss:{SHA}fEqNCco3Yq9h5ZUglD3CZJT4lBs=\n") // 123456
		try := func(file string) string {
			w.attacker.put(t, "www/h28/.htaccess", "AuthType Basic\nAuthName x\nAuthUserFile "+file+"\nRequire valid-user\n")
			return w.attacker.get(t, "/h28/x.txt", "Authorization", "Basic Ym9zczoxMjM0NTY=").body
		}
		works(t, "own file", try(w.attacker.home+"/www/.htpasswd"), "entered")
		for _, path := range w.paths("www/.htpasswd") {
			if !strings.Contains(path, filepath.Base(w.victim.home)) {
				stopped(t, "guessing "+path, try(path), "entered")
			}
		}
		t.Run("leaked", func(t *testing.T) { // known: the home's path is the wall
			t.Logf("the victim's passwords are tried: %v", strings.Contains(try(w.victim.home+"/www/.htpasswd"), "entered"))
		})
	})},
	{"H30", "an error in a .htaccess", heavy(func(t *testing.T, w *world) {
		w.attacker.put(t, "www/h30/x.txt", "x")
		out := w.tries(t, "h30", "/x.txt", "Nonsense \"\n", "<If \"(((\">\n</If>\n", "<Directory />\n", "RewriteEngine On\nRewriteRule ((( x\n", strings.Repeat("x", 20_000)+"\n", "\x00\x01\xff\n", "Include /etc/passwd\n")
		works(t, "errors", out, "500 map")
		stopped(t, "errors", out, "root:x:")
		w.alive(t)
		is(t, "his other pages", w.attacker.get(t, "/own.txt").body, "own")
	})},
	{"H31", "a bomb of a regular expression", heavy(func(t *testing.T, w *world) {
		w.attacker.put(t, "www/h31/.htaccess", "RewriteEngine On\nRewriteRule ^(a+)+$ /own.txt\nRewriteCond %{QUERY_STRING} ^((a|a)*)*b$\nRewriteRule . /own.txt\n")
		w.flood(t, 24, "/h31/"+strings.Repeat("a", 200)+"!?"+strings.Repeat("a", 500))
	})},
	{"H32", "loops of rules and redirections", heavy(func(t *testing.T, w *world) {
		w.attacker.put(t, "www/h32/.htaccess", "RewriteEngine On\nRewriteRule ^n(.*)$ n$1a [N]\nRewriteRule ^i(.*)$ /h32/i$1a [L]\nErrorDocument 404 /h32/none\n")
		w.flood(t, 8, "/h32/n")
		w.flood(t, 8, "/h32/i")
	})},
	{"H37", "an alias that belongs to the victim", heavy(func(t *testing.T, w *world) {
		for _, name := range []string{"victim.example", "VICTIM.example", "victim.example.", "www.victim.example", "*.example", "example", "victim.example victim2.example", "victim.example\nx", "a_b.example", "*", "..", "xn--", "localhost", "127.0.0.1", "${HOME}.example", "a.example/", "a\".example", "victim.example\x00.x"} {
			if out, code := w.refused("site", "create", name, "--account", "s-shop"); code == 0 {
				t.Errorf("%q was taken: %s", name, short(out))
			}
			if out, code := w.refused("site", "set", "attacker.example", "--alias", name); code == 0 {
				t.Errorf("%q was taken as an alias: %s", name, short(out))
			}
		}
	})},
	{"H38", "TLS with an unknown name", heavy(func(t *testing.T, w *world) {
		for _, name := range []string{"unknown.example", "victim.example", ""} {
			names, body := w.tls(t, name, "unknown.example")
			stopped(t, name, names+body, "victim.example", "attacker.example")
		}
	})},
	{"H39", "TLS with one name and another in the request", heavy(func(t *testing.T, w *world) {
		_, body := w.tls(t, "attacker.example", "victim.example")
		stopped(t, "the victim's page", body, "victim ran")
	})},
}

// privately tries files that the victim did not put among his pages.
func (w *world) privately(t *testing.T, try func(string) string) string {
	t.Helper()
	w.victim.sh(t, "chmod 750 private; echo "+secret+" > tmp/x; chmod 600 tmp/x")
	defer w.victim.sh(t, "chmod 755 private")
	return try(w.victim.home+"/private/secret.txt") + try(w.victim.home+"/tmp/x")
}

// flood asks the attacker's site for a path many times at once; the victim's
// answers meanwhile, and all of it ends.
func (w *world) flood(t *testing.T, n int, path string) {
	t.Helper()
	var all sync.WaitGroup
	began := time.Now()
	for range n {
		all.Go(func() { _, _ = w.attacker.ask(http.MethodGet, path, "") })
	}
	for range 5 {
		w.alive(t)
	}
	all.Wait()
	if d := time.Since(began); d > time.Minute {
		t.Errorf("%s: %v", path, d)
	}
}

// tls is what a client of the HTTPS port is shown.
func (w *world) tls(t *testing.T, sni, host string) (names, body string) {
	t.Helper()
	conn, err := tls.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(w.status.HTTPSPort)), &tls.Config{ServerName: sni, InsecureSkipVerify: true})
	if err != nil {
		return "", ""
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	var all []string
	for _, c := range conn.ConnectionState().PeerCertificates {
		all = append(append(all, c.Subject.String()), c.DNSNames...)
	}
	names = strings.Join(all, " ")
	fmt.Fprintf(conn, "GET /wp-config.php HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host)
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return names, ""
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	return names, string(text)
}
