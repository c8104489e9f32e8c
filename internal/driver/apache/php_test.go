package apache

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"cancale/internal/config"
	"cancale/internal/hosting"
)

// php starts a plain PHP-FPM for a site, under its uid, where it sees its home
// as a sandbox shows it. (The sandbox itself is not this package's.)
func (n *node) php(site hosting.Site) {
	n.tb.Helper()
	uid := int(site.UID)
	home := n.layout.Home(string(site.HomeToken))
	socket := n.layout.PHPSocket(string(site.SocketToken))
	if err := os.MkdirAll(filepath.Dir(socket), 0o711); err != nil {
		n.tb.Fatal(err)
	}
	if err := os.Chmod(n.layout.Sockets(), 0o711); err != nil {
		n.tb.Fatal(err)
	}
	if err := filepath.Walk(home, func(path string, _ os.FileInfo, err error) error {
		if err != nil || path == home {
			return err
		}
		return os.Lchown(path, uid, uid)
	}); err != nil {
		n.tb.Fatal(err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		n.tb.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := os.Chmod(socket, 0o666); err != nil {
		n.tb.Fatal(err)
	}
	fd, err := l.File()
	if err != nil {
		n.tb.Fatal(err)
	}
	defer fd.Close()
	defer l.Close()
	pool := filepath.Join(n.layout.Root, fmt.Sprintf("pool-%d.conf", site.ID))
	settings := fmt.Sprintf("[global]\nerror_log = /dev/stderr\n[site]\nuser = %d\ngroup = %d\nlisten = /run/fpm/fpm.sock\npm = static\npm.max_children = 1\nsecurity.limit_extensions = .php .phtml\nphp_admin_value[error_log] = /dev/null\n", uid, uid)
	if err := os.WriteFile(pool, []byte(settings), 0o644); err != nil {
		n.tb.Fatal(err)
	}
	const inside = `mount -t tmpfs tmpfs /srv && mkdir -p /srv/site && mount --bind "$1" /srv/site && exec /usr/sbin/php-fpm8.2 -F -y "$2" -n`
	fpm := exec.Command("/usr/bin/unshare", "-m", "/bin/sh", "-c", inside, "sh", home, "/proc/self/fd/4")
	settingsFile, err := os.Open(pool)
	if err != nil {
		n.tb.Fatal(err)
	}
	defer settingsFile.Close()
	fpm.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "FPM_SOCKETS=/run/fpm/fpm.sock=3"}
	fpm.ExtraFiles = []*os.File{fd, settingsFile}
	fpm.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := fpm.Start(); err != nil {
		n.tb.Fatal(err)
	}
	n.tb.Cleanup(func() {
		_ = syscall.Kill(-fpm.Process.Pid, syscall.SIGKILL)
		_ = fpm.Wait()
	})
}

// dump shows a script what PHP was told.
const dump = `<?php
header('Content-Type: application/json');
echo json_encode(['server' => $_SERVER, 'memory' => ini_get('memory_limit'), 'prepend' => ini_get('auto_prepend_file'), 'uid' => posix_getuid(), 'file' => __FILE__]);
`

type told struct {
	Server  map[string]any `json:"server"`
	Memory  string         `json:"memory"`
	Prepend string         `json:"prepend"`
	UID     int            `json:"uid"`
	File    string         `json:"file"`
}

func (n *node) told(name, path string, header ...string) told {
	n.tb.Helper()
	status, body, _ := n.get(name, path, header...)
	var d told
	if err := json.Unmarshal([]byte(body), &d); err != nil {
		n.tb.Errorf("%s%s: %d %s", name, path, status, short(body))
	}
	return d
}

func TestPHP(t *testing.T) {
	n := startNode(t)
	site := n.site(1, "a.example")
	// posix is a shared extension in Debian; without it a script asks otherwise.
	script := strings.ReplaceAll(dump, "posix_getuid()", "fileowner('/proc/self')")
	n.write(site, "index.php", script)
	n.write(site, "dir/index.php", script)
	n.write(site, "status.php", `<?php http_response_code(404); echo "the site's own page";`)
	n.write(site, "page.phtml", "<?php echo 'phtml'.'ran';")
	n.write(site, "evil.jpg", "<?php echo 'it'.'ran';")
	n.write(site, "evil.php.jpg", "<?php echo 'it'.'ran';")
	n.write(site, "evil.phar", "<?php echo 'it'.'ran';")
	for _, name := range []string{".env", ".git/config", ".htpasswd", "wp-config.php.bak", "dump.sql", "index.php~", ".user.ini", "x.sql.gz"} {
		n.write(site, name, "a secret")
	}
	n.write(site, ".well-known/acme/x", "well known")
	n.php(site)
	n.ensure(site)
	const name = "a.example"

	t.Run("a script runs as its site and sees its constant path", func(t *testing.T) {
		for path, want := range map[string]map[string]string{
			"/":                {"SCRIPT_NAME": "/index.php", "SCRIPT_FILENAME": "/srv/site/www/index.php", "PHP_SELF": "/index.php"},
			"/index.php?q=1":   {"QUERY_STRING": "q=1", "REQUEST_URI": "/index.php?q=1"},
			"/index.php/a/b":   {"PATH_INFO": "/a/b", "SCRIPT_NAME": "/index.php", "SCRIPT_FILENAME": "/srv/site/www/index.php", "PATH_TRANSLATED": "/srv/site/www/a/b"},
			"/dir/":            {"SCRIPT_FILENAME": "/srv/site/www/dir/index.php"},
			"/index.php?auth=": {"HTTP_AUTHORIZATION": "Bearer x", "SERVER_NAME": name, "DOCUMENT_ROOT": "/srv/site/www", "CONTEXT_DOCUMENT_ROOT": "/srv/site/www"},
		} {
			got := n.told(name, path, "Authorization", "Bearer x")
			for key, value := range want {
				if fmt.Sprint(got.Server[key]) != value {
					t.Errorf("%s: %s is %v, want %s", path, key, got.Server[key], value)
				}
			}
			if got.UID != int(site.UID) || !strings.HasPrefix(got.File, config.SiteHome+"/www/") {
				t.Errorf("%s: uid %d, file %s", path, got.UID, got.File)
			}
		}
	})
	t.Run("no secret path is told", func(t *testing.T) { // H42
		n.write(site, ".htaccess", "RewriteEngine On\nRewriteCond %{REQUEST_FILENAME} !-f\nRewriteRule . /index.php [L]\nErrorDocument 403 /index.php\n")
		for _, path := range []string{"/", "/index.php/x/y", "/rewritten/by/htaccess", "/.env", "/index.php?x", "/dir/index.php/z"} {
			_, body, _ := n.get(name, path)
			for _, secret := range []string{string(site.HomeToken), string(site.SocketToken), n.layout.Root} {
				if strings.Contains(body, strings.ReplaceAll(secret, "/", `\/`)) || strings.Contains(body, secret) {
					t.Errorf("%s: PHP is told %s:\n%s", path, secret, body)
				}
			}
		}
	})
	t.Run("permalinks of WordPress", func(t *testing.T) {
		n.write(site, ".htaccess", "# BEGIN WordPress\n<IfModule mod_rewrite.c>\nRewriteEngine On\nRewriteRule .* - [E=HTTP_AUTHORIZATION:%{HTTP:Authorization}]\nRewriteBase /\nRewriteRule ^index\\.php$ - [L]\nRewriteCond %{REQUEST_FILENAME} !-f\nRewriteCond %{REQUEST_FILENAME} !-d\nRewriteRule . /index.php [L]\n</IfModule>\n# END WordPress\n")
		for _, path := range []string{"/2026/11/22/un-titre/", "/missing.php", "/missing.php/x", "/wp-json/wp/v2/posts?x=1"} {
			got := n.told(name, path)
			if got.Server["REQUEST_URI"] != path || got.Server["SCRIPT_FILENAME"] != "/srv/site/www/index.php" {
				t.Errorf("%s: %v %v", path, got.Server["REQUEST_URI"], got.Server["SCRIPT_FILENAME"])
			}
		}
		if err := os.Remove(n.path(site, ".htaccess")); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("what does not exist is our page, what a site says is its own", func(t *testing.T) {
		for _, path := range []string{"/missing.php", "/missing.php/x", "/dir/missing.php", "/missing", "/missing.phtml"} {
			n.expect(name, path, 404, "Cette page n&#8217;existe pas")
		}
		n.expect(name, "/status.php", 404, "the site's own page")
		n.expect(name, "/page.phtml", 200, "phtmlran")
	})
	t.Run("only scripts run", func(t *testing.T) { // H33
		for _, path := range []string{"/evil.jpg/x.php", "/evil.php.jpg", "/evil.jpg", "/evil.jpg%00.php", "/evil.jpg%0a.php", "/evil.phar", "/evil.jpg/.php", "/evil.php.jpg/index.php"} {
			conn, err := net.Dial("tcp", n.driver.probeAddress())
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(conn, "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", path, name)
			buf := make([]byte, 8192)
			m, _ := conn.Read(buf)
			_ = conn.Close()
			if strings.Contains(string(buf[:m]), "itran") {
				t.Errorf("%s ran", path)
			}
		}
	})
	t.Run("secrets are not given out", func(t *testing.T) { // H34
		for _, path := range []string{"/.env", "/.git/config", "/.htpasswd", "/wp-config.php.bak", "/dump.sql", "/index.php~", "/.user.ini", "/x.sql.gz"} {
			if status, body, _ := n.get(name, path); status != 403 || strings.Contains(body, "a secret") {
				t.Errorf("%s: %d %s", path, status, short(body))
			}
		}
		n.expect(name, "/.well-known/acme/x", 200, "well known")
	})
	t.Run("a folder where the site forbids PHP", func(t *testing.T) {
		n.write(site, "uploads/x.php", "<?php echo 'it'.'ran';")
		n.write(site, "uploads/.htaccess", "<FilesMatch \"\\.php$\">\nRequire all denied\n</FilesMatch>\n")
		n.expect(name, "/uploads/x.php", 403, "")
	})
	t.Run("common .htaccess files are accepted", func(t *testing.T) {
		for what, text := range map[string]string{
			"drupal":   "Options -Indexes -ExecCGI -Includes -MultiViews\nSetHandler None\n<FilesMatch \"\\.(engine|inc)$\">\nRequire all denied\n</FilesMatch>\nDirectoryIndex index.php index.html\nAddType image/svg+xml svg svgz\nExpiresActive On\n",
			"laravel":  "<IfModule mod_negotiation.c>\nOptions -MultiViews -Indexes\n</IfModule>\nRewriteEngine On\n",
			"dokuwiki": "Options -Indexes -MultiViews +FollowSymLinks\n<IfModule mod_authz_core.c>\nRequire all granted\n</IfModule>\n",
			"mod_php":  "php_value upload_max_filesize 64M\nphp_flag display_errors off\n",
			"old":      "Order allow,deny\nAllow from all\nOptions FollowSymLinks\n",
		} {
			n.write(site, "cms/index.html", "the cms")
			n.write(site, "cms/.htaccess", text)
			if status, body, _ := n.get(name, "/cms/"); status != 200 || body != "the cms" {
				t.Errorf("%s: %d %s", what, status, short(body))
			}
		}
	})
	t.Run("PHP that does not answer is our page", func(t *testing.T) {
		b := n.site(2, "b.example")
		n.write(b, "index.php", "<?php")
		n.ensure(b)
		n.expect("b.example", "/", 503, "rencontr&#233; un probl&#232;me")
	})
}

// TestAttacks are the techniques of one member against another, or against his
// own PHP's settings, that need Apache.
func TestAttacks(t *testing.T) {
	n := startNode(t)
	attacker, victim := n.site(1, "attacker.example"), n.site(2, "victim.example")
	n.write(victim, "wp-config.php", "<?php $secret = 'of the victim'; echo 'victim ran '.ini_get('memory_limit').ini_get('auto_prepend_file');")
	script := `<?php echo 'memory='.ini_get('memory_limit').' prepend='.ini_get('auto_prepend_file').' uid='.fileowner('/proc/self');`
	n.write(attacker, "x.php", script)
	n.write(attacker, "x.txt", script)
	n.php(attacker)
	n.php(victim)
	n.ensure(attacker)
	n.ensure(victim)
	const name = "attacker.example"
	victimUID := "uid=" + strconv.Itoa(int(victim.UID))

	// The attacker knows what he can see: how such paths are made, and the one
	// name under which every PHP's socket is bound.
	for _, socket := range []string{"/run/fpm/fpm.sock", n.layout.Sockets() + "/" + strings.Repeat("0", 32) + "/fpm.sock", n.layout.Sockets() + "/../f/*/fpm.sock"} {
		handler := "proxy:unix:" + socket + "|fcgi://x"
		for row, text := range map[string]string{
			"H01": "<FilesMatch x\\.>\nSetHandler \"" + handler + "\"\n</FilesMatch>\n",
			"H02": "RewriteEngine On\nRewriteRule . - [H=" + handler + "]\n",
			"H03": "RewriteEngine On\nRewriteRule ^x\\.txt$ \"unix:" + socket + "|fcgi://x" + n.path(attacker, "x.txt") + "\" [P]\n",
			"H04": "RewriteEngine On\nRewriteRule ^x\\.txt$ \"unix:" + socket + "|fcgi://x/srv/site/www/wp-config.php\" [P]\n",
			"H05": "AddType \"" + handler + "\" .txt\n",
			"H06": "ForceType \"" + handler + "\"\n",
			"T=":  "RewriteEngine On\nRewriteRule . - [T=" + handler + "]\n",
			"H07": "AddHandler \"" + handler + "\" .txt\n",
			"H08": "SetEnv PHP_ADMIN_VALUE \"auto_prepend_file=data:,x\"\nSetHandler \"" + handler + "\"\n",
		} {
			n.write(attacker, ".htaccess", text)
			for _, path := range []string{"/x.txt", "/x.php"} {
				if _, body, _ := n.get(name, path); strings.Contains(body, victimUID) || strings.Contains(body, "victim ran") {
					t.Errorf("%s: %s", row, short(body))
				}
			}
		}
	}
	n.expect("victim.example", "/wp-config.php", 200, "victim ran 128M")

	// His own PHP's settings, which the platform sets.
	t.Run("H10 H11", func(t *testing.T) {
		nested := func(inner string) string { return "<If true>\n<If true>\n" + inner + "</If>\n</If>\n" }
		for what, text := range map[string]string{
			"SetEnv":                  "SetEnv PHP_VALUE \"memory_limit=999M\"\nSetEnv PHP_ADMIN_VALUE \"memory_limit=999M\"\n",
			"SetEnvIf":                "SetEnvIf Request_URI . \"PHP_VALUE=memory_limit=999M\" \"PHP_ADMIN_VALUE=memory_limit=999M\"\n",
			"SetEnvIfExpr":            "SetEnvIfExpr true \"PHP_ADMIN_VALUE=memory_limit=999M\"\n",
			"BrowserMatch":            "BrowserMatch . \"PHP_ADMIN_VALUE=memory_limit=999M\"\n",
			"RewriteRule":             "RewriteEngine On\nRewriteRule . - [E=PHP_ADMIN_VALUE:memory_limit=999M]\n",
			"in If":                   "<If true>\nSetEnv PHP_ADMIN_VALUE \"memory_limit=999M\"\n</If>\n",
			"in nested If":            nested("SetEnv PHP_ADMIN_VALUE \"memory_limit=999M\"\n"),
			"ProxyFCGISetEnvIf":       "ProxyFCGISetEnvIf true PHP_ADMIN_VALUE \"memory_limit=999M\"\n",
			"ProxyFCGISetEnvIf in If": nested("ProxyFCGISetEnvIf true PHP_ADMIN_VALUE \"memory_limit=999M\"\n"),
			"in Files in If":          "<If true>\n<Files *>\n<If true>\nProxyFCGISetEnvIf true PHP_ADMIN_VALUE \"memory_limit=999M\"\n</If>\n</Files>\n</If>\n",
			"in Limit":                "<Limit GET>\nProxyFCGISetEnvIf true PHP_ADMIN_VALUE \"memory_limit=999M\"\n</Limit>\n",
			"another script":          "ProxyFCGISetEnvIf true SCRIPT_FILENAME /etc/passwd\nSetEnv SCRIPT_FILENAME /etc/passwd\n",
			"RequestHeader":           "RequestHeader set PHP-ADMIN-VALUE \"memory_limit=999M\"\nRequestHeader set PHP_ADMIN_VALUE \"memory_limit=999M\"\n",
		} {
			n.write(attacker, ".htaccess", text)
			status, body, _ := n.get(name, "/x.php")
			if strings.Contains(body, "999M") || status == 200 && !strings.Contains(body, "memory=128M prepend= ") {
				t.Errorf("%s: %d %s", what, status, short(body))
			}
		}
		if err := os.Remove(n.path(attacker, ".htaccess")); err != nil {
			t.Fatal(err)
		}
		n.expect(name, "/x.php", 200, "memory=128M prepend= ")
		status, body, _ := n.get(name, "/x.php", "PHP_ADMIN_VALUE", "memory_limit=999M", "PHP-ADMIN-VALUE", "memory_limit=999M") // H41
		if status != 200 || strings.Contains(body, "999M") {
			t.Errorf("headers: %d %s", status, short(body))
		}
	})
	t.Run("H12 H13 H21 to H25: handlers that are not there", func(t *testing.T) {
		n.write(attacker, "s.shtml", "<!--#echo var=\"DATE_GMT\" -->")
		for what, text := range map[string]string{
			"ssrf":    "RewriteEngine On\nRewriteRule x.txt http://127.0.0.1:" + strconv.Itoa(n.cfg.HTTPPort) + "/ [P]\n",
			"status":  "SetHandler server-status\n",
			"info":    "SetHandler server-info\n",
			"cgi":     "Options +ExecCGI\nAddHandler cgi-script .txt\n",
			"include": "Options +Includes\nSetOutputFilter INCLUDES\n",
			"lua":     "SetHandler lua-script\n",
		} {
			n.write(attacker, ".htaccess", text)
			status, body, _ := n.get(name, "/x.txt")
			if strings.Contains(body, "Server Version") || strings.Contains(body, "uid=3") || strings.Contains(body, unknownPage) {
				t.Errorf("%s: %d %s", what, status, short(body))
			}
		}
	})
	t.Run("H14 H15 H19: links out of the site", func(t *testing.T) {
		for what, text := range map[string]string{"defaults": "", "plus": "Options +FollowSymLinks\n", "no plus": "Options FollowSymLinks Indexes\n"} {
			n.write(attacker, ".htaccess", text)
			for link, target := range map[string]string{"passwd": "/etc/passwd", "root": "/", "homes": n.layout.Homes(), "conf": n.layout.Apache()} {
				_ = os.Remove(n.path(attacker, link))
				if err := os.Symlink(target, n.path(attacker, link)); err != nil {
					t.Fatal(err)
				}
				if err := os.Lchown(n.path(attacker, link), int(attacker.UID), int(attacker.UID)); err != nil {
					t.Fatal(err)
				}
			}
			for _, path := range []string{"/root/etc/shadow", "/homes/", "/conf/server.conf", "/conf/sites/2.conf", "/homes/" + strings.Repeat("0", 24)} {
				status, body, _ := n.get(name, path)
				if status == 200 || strings.Contains(body, string(victim.HomeToken)) {
					t.Errorf("%s %s: %d %s", what, path, status, short(body))
				}
			}
		}
	})
	// A file that is shortened while it is sent must not end a process that
	// serves others as well.
	t.Run("a file that shrinks while it is read", func(t *testing.T) {
		n.write(attacker, ".htaccess", "EnableMMAP On\nSetOutputFilter DEFLATE\n")
		path := n.path(attacker, "big.txt")
		big := []byte(strings.Repeat("some text that takes a while to compress ", 100_000))
		stop := make(chan struct{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				select {
				case <-stop:
					return
				default:
				}
				_ = os.WriteFile(path, big, 0o644)
				time.Sleep(2 * time.Millisecond)
				_ = os.Truncate(path, 10)
			}
		}()
		for range 60 {
			conn, err := net.Dial("tcp", n.driver.probeAddress())
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(conn, "GET /big.txt HTTP/1.0\r\nHost: %s\r\nAccept-Encoding: gzip\r\n\r\n", name)
			_ = conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			_, _ = conn.Read(make([]byte, 1<<20))
			_ = conn.Close()
		}
		close(stop)
		<-done
		time.Sleep(1200 * time.Millisecond) // Apache looks at its processes every second
		log, _ := os.ReadFile(n.layout.In("log", "server", "error.log"))
		if strings.Contains(string(log), "Bus error") || strings.Contains(string(log), "AH00052") {
			t.Errorf("a process died:\n%s", log)
		}
	})
}
