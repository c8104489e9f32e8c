package hostile

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// handlers are .htaccess files that hand x.txt to a FastCGI socket, by row.
func handlers(socket, script string) map[string][]string {
	h := "proxy:unix:" + socket + "|fcgi://_"
	return map[string][]string{
		"H01": {"SetHandler \"" + h + "\"\n", "<FilesMatch .>\nSetHandler \"" + h + "\"\n</FilesMatch>\n"},
		"H02": {"RewriteEngine On\nRewriteRule . - [H=" + h + "]\n"},
		"H03": {"RewriteEngine On\nRewriteRule ^x \"unix:" + socket + "|fcgi://_" + script + "\" [P]\n"},
		"H05": {"AddType \"" + h + "\" .txt\n"},
		"H06": {"ForceType \"" + h + "\"\n", "RewriteEngine On\nRewriteRule . - [T=" + h + "]\n"},
		"H07": {"AddHandler \"" + h + "\" .txt\n", "SetHandler \"expr=" + strings.ReplaceAll(h, "|", "%{reqenv:NONE}|") + "\"\n"},
	}
}

// guesses are where an attacker may look for the victim's socket.
func (w *world) guesses() []string {
	return []string{"/run/fpm/fpm.sock", "/run/php/victim.sock", w.inside.PHPSocket(strings.Repeat("0", 32)), w.inside.Sockets() + "/../f/*/fpm.sock", filepath.Dir(w.attacker.socket) + "/../../f/fpm.sock"}
}

// byHandler is an attack that makes another site's PHP answer.
func byHandler(id string) func(tester, *world) {
	return func(t tester, w *world) {
		dir := strings.ToLower(id)
		code := "<?php echo 'ran as ', fileowner('/proc/self');"
		w.attacker.put(t, "www/"+dir+"/x.txt", code)
		w.attacker.put(t, "www/"+dir+"/x.php", code)
		try := func(socket, script string) string {
			var all strings.Builder
			for _, text := range handlers(socket, script)[id] {
				w.attacker.put(t, "www/"+dir+"/.htaccess", text)
				for _, path := range []string{"/x.txt", "/x.php", "/x.txt/x.php"} {
					a := w.attacker.get(t, "/"+dir+path)
					all.WriteString(a.body + "\n")
				}
			}
			return all.String()
		}
		// With his own socket, which he is told for once, his own PHP answers:
		// it runs the script, or says that it runs no .txt.
		if out := try(w.attacker.socket, "/srv/site/www/"+dir+"/x.php"); !strings.Contains(out, "Access denied.") && !strings.Contains(out, "ran as "+strconv.Itoa(w.attacker.uid)) {
			t.Errorf("the means do not work: %s", short(out))
		}
		victim := "ran as " + strconv.Itoa(w.victim.uid)
		for _, socket := range w.guesses() {
			stopped(t, "guessing "+socket, try(socket, w.attacker.home+"/www/"+dir+"/x.php"), victim, "victim ran")
		}
		// Even when he knows the path, the victim's PHP does not see his script.
		stopped(t, "leaked", try(w.victim.socket, w.attacker.home+"/www/"+dir+"/x.php"), victim)
	}
}

// settings is an attack that changes what the platform says to PHP.
func settings(files func(value string) []string) func(tester, *world) {
	return func(t tester, w *world) {
		w.attacker.put(t, "www/ini/x.php", "<?php echo ini_get('memory_limit'), ini_get('auto_prepend_file'), getenv('MARK');")
		w.attacker.put(t, "www/ini/.htaccess", "SetEnv MARK works\n")
		works(t, ".htaccess", w.attacker.get(t, "/ini/x.php").body, "128Mworks")
		for _, name := range []string{"PHP_VALUE", "PHP_ADMIN_VALUE"} {
			for _, text := range files(name) {
				w.attacker.put(t, "www/ini/.htaccess", text)
				if a := w.attacker.get(t, "/ini/x.php"); strings.Contains(a.body, "999M") || a.status == 200 && !strings.HasPrefix(a.body, "128M") {
					t.Errorf("%s: %d %s", text, a.status, short(a.body))
				}
			}
		}
		w.attacker.sh(t, "rm www/ini/.htaccess")
		is(t, "his pool afterwards", w.attacker.get(t, "/ini/x.php").body, "128M")
	}
}

// tries puts .htaccess files in a directory of the attacker's and asks for a
// path there.
func (w *world) tries(t tester, dir, path string, files ...string) string {
	t.Helper()
	var all strings.Builder
	for _, text := range files {
		w.attacker.put(t, "www/"+dir+"/.htaccess", text)
		a := w.attacker.get(t, "/"+dir+path)
		fmt.Fprintf(&all, "%d %v %s\n", a.status, a.header, a.body)
	}
	return all.String()
}

// link makes a symbolic link of the attacker's.
func (w *world) link(t tester, target, name string) {
	t.Helper()
	if out := w.attacker.php(t, "@mkdir(dirname("+quote("/srv/site/www/"+name)+"), 0755, true); echo symlink("+quote(target)+", "+quote("/srv/site/www/"+name)+") ? 'linked' : 'no';"); out != "linked" {
		t.Errorf("link %s: %s", name, out)
	}
}

// raw sends bytes to Apache and reads the first answer.
func (w *world) raw(t tester, request string) string {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", net.JoinHostPort(w.local, strconv.Itoa(w.status.HTTPPort)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(3 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 32<<10)
	n, _ := io.ReadFull(conn, buf)
	return string(buf[:n])
}

// serverHas is what only handlers and modules of the server could say.
var serverHas = []string{"Server Version", "Server Settings", "Scoreboard", "root:x:", "Load Balancer", "cgi-ran", "lua-ran"}

var apacheRows = []row{
	{"H01", "SetHandler with the victim's socket", byHandler("H01")},
	{"H02", "RewriteRule [H=] with the victim's socket", byHandler("H02")},
	{"H03", "RewriteRule [P] to the victim's socket, the attacker's script", byHandler("H03")},
	{"H05", "AddType with the victim's socket", byHandler("H05")},
	{"H06", "ForceType and RewriteRule [T=] with the victim's socket", byHandler("H06")},
	{"H07", "AddHandler and an expression with the victim's socket", byHandler("H07")},
	{"H08", "PHP_ADMIN_VALUE sent to the victim's pool", func(t tester, w *world) {
		const value = "auto_prepend_file=data:text/plain,<?php echo 'in'.'jected';\nallow_url_include=1"
		for _, socket := range append(w.guesses(), w.attacker.socket, w.victim.socket) {
			stopped(t, socket, w.tries(t, "h08", "/x",
				"SetEnv PHP_ADMIN_VALUE \""+value+"\"\nRewriteEngine On\nRewriteRule . \"unix:"+socket+"|fcgi://_/srv/site/www/wp-config.php\" [P]\n",
				"RewriteEngine On\nRewriteRule . \"unix:"+socket+"|fcgi://_/srv/site/www/wp-config.php\" [P,E=PHP_ADMIN_VALUE:auto_prepend_file=/srv/site/www/secret.txt]\n"), "injected")
		}
		w.alive(t)
	}},
	{"H10", "own pool: settings by SetEnv and the like", settings(func(name string) []string {
		return []string{
			"SetEnv " + name + " \"memory_limit=999M\"\n", "SetEnvIf Request_URI . \"" + name + "=memory_limit=999M\"\n",
			"SetEnvIfExpr true \"" + name + "=memory_limit=999M\"\n", "BrowserMatch . \"" + name + "=memory_limit=999M\"\n",
			"RewriteEngine On\nRewriteRule . - [E=" + name + ":memory_limit=999M]\n",
			"<If true>\n<If true>\nSetEnv " + name + " \"memory_limit=999M\"\n</If>\n</If>\n",
			"RequestHeader set " + name + " memory_limit=999M\n", "php_value memory_limit 999M\nphp_admin_value memory_limit 999M\n",
		}
	})},
	{"H11", "own pool: ProxyFCGISetEnvIf in .htaccess, nested", settings(func(name string) []string {
		line := "ProxyFCGISetEnvIf true " + name + " \"memory_limit=999M\"\n"
		return []string{
			line, "<If true>\n" + line + "</If>\n", "<If true>\n<If true>\n" + line + "</If>\n</If>\n", "<Files *>\n<If true>\n" + line + "</If>\n</Files>\n",
			"<If true>\n<Files *>\n<If true>\n" + line + "</If>\n</Files>\n</If>\n", "<Limit GET>\n" + line + "</Limit>\n", "<IfModule proxy_fcgi_module>\n" + line + "</IfModule>\n",
		}
	})},
	{"H12", "RewriteRule [P] to internal services", func(t tester, w *world) {
		panel := strings.TrimPrefix(strings.TrimSuffix(w.status.PanelURL, "/"), "http://")
		out := w.tries(t, "h12", "/x",
			"RewriteEngine On\nRewriteRule . http://"+panel+"/healthz [P]\n", "RewriteEngine On\nRewriteRule . ws://"+panel+"/healthz [P]\n",
			"RewriteEngine On\nRewriteRule . ajp://127.0.0.1:8009/ [P]\n", "RewriteEngine On\nRewriteRule . ftp://127.0.0.1:"+strconv.Itoa(w.status.FTPPort)+"/ [P]\n",
			"SetHandler proxy:http://"+panel+"/healthz\n")
		stopped(t, "proxying", out, "200 map", "\nok", "220 ")
		works(t, "RewriteRule", w.tries(t, "h12", "/x", "RewriteEngine On\nRewriteRule . /mine.php [L]\n"), "200 map")
	}},
	{"H13", "RewriteRule [P] to internal sockets", func(t tester, w *world) {
		var files []string
		for _, socket := range []string{w.inside.SupervisorSocket(), w.inside.AgentSocket(), w.inside.MariaDBSocket()} {
			files = append(files, "RewriteEngine On\nRewriteRule . \"unix:"+socket+"|http://x/\" [P]\n", "RewriteEngine On\nRewriteRule . \"unix:"+socket+"|fcgi://_/y\" [P]\n")
		}
		stopped(t, "proxying", w.tries(t, "h13", "/x", files...), "200 map", "MariaDB-")
	}},
	{"H15", "a link to the victim's files by default", func(t tester, w *world) {
		w.link(t, "/srv/site/www/own.txt", "h15/inside.txt")
		for i, path := range append(w.paths("www/secret.txt"), "/etc/hosts") {
			name := fmt.Sprintf("h15/x%d.txt", i)
			w.link(t, path, name)
			stopped(t, path, w.attacker.get(t, "/"+name).body, "localhost")
		}
	}},
	{"H16", "a link, and types that show the source of scripts", func(t tester, w *world) {
		w.attacker.put(t, "www/h16/own.php", "<?php /* source */ echo 1;")
		for i, path := range w.paths("www/wp-config.php") {
			if strings.Contains(path, filepath.Base(w.victim.home)) && strings.HasPrefix(path, w.victim.home) {
				continue // H14's leak
			}
			w.link(t, path, fmt.Sprintf("h16/x%d.inc.txt", i))
			stopped(t, path, w.tries(t, "h16", fmt.Sprintf("/x%d.inc.txt", i), "Options +FollowSymLinks\nForceType text/plain\n", "Options FollowSymLinks\nRemoveHandler .php\nAddType text/plain .php\n"))
		}
	}},
	{"H20", "a link to private files of the server", func(t tester, w *world) {
		for i, path := range []string{"/etc/shadow", w.inside.Secrets(), w.inside.In("etc", "panel.json"), w.inside.In("apache", "apache2.conf"), w.inside.In("log", "agent.log"), w.inside.In("apache", "neutral.pem"), "/proc/self/environ", "/proc/1/environ", w.inside.In("log", "up.log")} {
			name := fmt.Sprintf("/f%d", i)
			w.link(t, path, "h20"+name)
			stopped(t, path, w.tries(t, "h20", name, "Options +FollowSymLinks\n", "Options FollowSymLinks\n"), "200 map")
		}
		// Nor those that are no secret but no page either.
		for i, path := range []string{"/etc/debian_version", "/etc/ssl/openssl.cnf", "/etc/resolv.conf", "/usr/bin/env", "/usr/lib/os-release", "/proc/version", "/proc/self/mountinfo", "/proc/self/cmdline", "/proc/cpuinfo", "/sys/kernel/mm/transparent_hugepage/enabled"} {
			if _, err := os.Stat(path); err != nil {
				continue
			}
			name := fmt.Sprintf("/g%d", i)
			w.link(t, path, "h20"+name)
			stopped(t, path, w.tries(t, "h20", name, "Options +FollowSymLinks\n", "Options FollowSymLinks\n"), "200 map")
		}
	}},
	{"H21", "server-side includes", func(t tester, w *world) {
		w.attacker.put(t, "www/h21/x.shtml", "<!--#exec cmd=\"echo cgi-r''an\" --><!--#include virtual=\"/mine.php\" --><!--#printenv -->")
		stopped(t, "includes", w.tries(t, "h21", "/x.shtml", "Options +Includes\nAddOutputFilter INCLUDES .shtml\n", "Options +Includes\nSetOutputFilter INCLUDES\n", "Options +Includes\nAddType text/x-server-parsed-html .shtml\nAddHandler server-parsed .shtml\n", "Options +Includes\nXBitHack on\n"), "cgi-ran", "DOCUMENT_ROOT=")
	}},
	{"H22", "CGI", func(t tester, w *world) {
		w.attacker.put(t, "www/h22/x.cgi", "#!/bin/sh\necho Content-Type: text/plain\necho\necho cgi-r''an\n")
		works(t, "the script", w.attacker.sh(t, "chmod 755 www/h22/x.cgi && www/h22/x.cgi"), "cgi-ran")
		stopped(t, "CGI", w.tries(t, "h22", "/x.cgi", "Options +ExecCGI\nAddHandler cgi-script .cgi\n", "Options +ExecCGI\nSetHandler cgi-script\n", "Options +ExecCGI\nAddType application/x-httpd-cgi .cgi\n", "Options +ExecCGI\nRewriteEngine On\nRewriteRule . - [H=cgi-script]\n", "Options +ExecCGI\nAction x /h22/x.cgi\nAddHandler x .cgi\n"), serverHas...)
	}},
	{"H23", "code in Apache's own process", func(t tester, w *world) {
		w.attacker.put(t, "www/h23/x.lua", "function handle(r) r:puts('lua-'..'ran') return apache2.OK end")
		stopped(t, "Lua and filters", w.tries(t, "h23", "/x.lua", "SetHandler lua-script\n", "AddHandler lua-script .lua\n", "LuaHookTranslateName /srv/site/www/h23/x.lua handle\n", "ExtFilterDefine x cmd=\"/bin/echo cgi-ran\"\nSetOutputFilter x\n", "SetHandler perl-script\n"), serverHas...)
	}},
	{"H24", "handlers that tell of the server", func(t tester, w *world) {
		w.attacker.put(t, "www/h24/x.txt", "x")
		var files []string
		for _, h := range []string{"server-status", "server-info", "balancer-manager", "ldap-status", "imap-file", "type-map", "send-as-is", "dav-handler", "redirect-handler"} {
			files = append(files, "SetHandler "+h+"\n", "RewriteEngine On\nRewriteRule . - [H="+h+"]\n", "AddType "+h+" .txt\n")
		}
		stopped(t, "handlers", w.tries(t, "h24", "/x.txt", files...), serverHas...)
	}},
	{"H25", "status pages by loopback or by the victim's address", func(t tester, w *world) {
		for _, path := range []string{"/server-status", "/server-info", "/fpm-status", "/status", "/ping", "/balancer-manager"} {
			stopped(t, path, w.victim.get(t, path).body+w.attacker.get(t, path).body+w.raw(t, "GET "+path+" HTTP/1.0\r\n\r\n"), append(serverHas, "pool:", "pong")...)
		}
	}},
	{"H26", "functions of expressions read files", func(t tester, w *world) {
		w.attacker.put(t, "www/h26/x.txt", "x")
		for _, path := range []string{"/etc/passwd", w.victim.home + "/www/secret.txt", w.victim.home + "/private/secret.txt"} {
			stopped(t, path, w.tries(t, "h26", "/x.txt",
				"Header set X \"expr=%{file:"+path+"}\"\n", "Header set X \"expr=%{base64:%{file:"+path+"}}\"\n", "Require all denied\nErrorDocument 403 \"%{file:"+path+"}\"\n",
				"RewriteEngine On\nRewriteCond expr \"file('"+path+"') =~ /(.+)/\"\nRewriteRule . /mine.php?%1 [R]\n", "<If \"file('"+path+"') =~ /./\">\nHeader set X r00t:x:\n</If>\n"), "root:x:", "r00t:x:", "dGhlLXNlY3Jld")
		}
		works(t, "expressions", w.tries(t, "h26", "/x.txt", "Header set X \"expr=%{base64:own}\"\n"), "b3du")
	}},
	{"H29", "absolute file paths in rules", func(t tester, w *world) {
		for _, path := range []string{w.victim.home + "/www/secret.txt", "/etc/hosts", w.inside.Secrets()} {
			stopped(t, path, w.tries(t, "h29", "/x", "RewriteEngine On\nRewriteRule . "+path+" [L]\n", "RewriteEngine On\nRewriteRule . "+path+" [END,PT]\n", "ErrorDocument 404 "+path+"\n", "FallbackResource "+path+"\n", "Alias /h29/x "+path+"\n", "RewriteEngine On\nRewriteBase /\nRewriteRule . file://"+path+" [P]\n"), "localhost", "app_password")
		}
		works(t, "rules", w.tries(t, "h29", "/x", "RewriteEngine On\nRewriteRule . /own.txt [L]\n"), "own")
	}},
	{"H33", "an image with PHP inside", func(t tester, w *world) {
		for _, name := range []string{"evil.jpg", "evil.php.jpg", "evil.phar", "evil.pht", "evil.php5", "evil.PHP", "evil.php.", "evil.phps"} {
			w.attacker.put(t, "www/h33/"+name, "<?php echo 'it'.'ran';")
		}
		for _, path := range []string{"/evil.jpg/x.php", "/evil.php.jpg", "/evil.jpg", "/evil.jpg%00.php", "/evil.jpg%0a.php", "/evil.jpg%0a", "/evil.phar", "/evil.pht", "/evil.php5", "/evil.PHP", "/evil.php.", "/evil.phps", "/evil.jpg/.php", "/evil.php.jpg/index.php", "/evil.jpg;x.php"} {
			stopped(t, path, w.raw(t, "GET /h33"+path+" HTTP/1.0\r\nHost: "+w.attacker.host+"\r\n\r\n"), "itran")
		}
	}},
	{"H34", "dot files and backups are served", func(t tester, w *world) {
		for _, name := range []string{".env", ".git/config", ".user.ini", ".htpasswd", ".svn/entries", "wp-config.php.bak", "wp-config.php~", "dump.sql", "dump.sql.gz", "x.old", "x.orig", "x.swp", "debug.log", "a.inc", ".well-known/../.env"} {
			w.victim.put(t, "www/h34/"+name, secret)
			if a := w.victim.get(t, "/h34/"+name); a.status == 200 || strings.Contains(a.body, secret) {
				t.Errorf("%s: %d", name, a.status)
			}
		}
		w.victim.put(t, "www/.well-known/x", "public")
		is(t, ".well-known", w.victim.get(t, "/.well-known/x").body, "public")
	}},
	{"H35", "a directory without an index", func(t tester, w *world) {
		w.victim.put(t, "www/h35/hidden-name.pdf", "x")
		if a := w.victim.get(t, "/h35/"); a.status != 403 || strings.Contains(a.body, "hidden-name") {
			t.Errorf("%d %s", a.status, short(a.body))
		}
	}},
	{"H36", "an unknown name, an address, no name", func(t tester, w *world) {
		for _, request := range []string{
			"GET /secret.txt HTTP/1.0\r\n\r\n", "GET /secret.txt HTTP/1.1\r\nHost: unknown.example\r\nConnection: close\r\n\r\n", "GET /secret.txt HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
			"GET /secret.txt HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n", "GET http://unknown.example/secret.txt HTTP/1.1\r\nHost: " + w.victim.host + "\r\nConnection: close\r\n\r\n", "GET /own.txt HTTP/1.1\r\nHost: sub." + w.attacker.host + "\r\nConnection: close\r\n\r\n",
		} {
			if out := w.raw(t, request); strings.Contains(out, " 200 ") || strings.Contains(out, secret) {
				t.Errorf("%q: %s", request, short(out))
			}
		}
	}},
	{"H40", "requests that can be read in two ways", func(t tester, w *world) {
		end := "\r\n\r\nGET /secret.txt HTTP/1.1\r\nHost: " + w.victim.host + "\r\n\r\n"
		for _, request := range []string{
			"POST /mine.php HTTP/1.1\r\nHost: " + w.attacker.host + "\r\nContent-Length: 0\r\nContent-Length: 60" + end,
			"POST /mine.php HTTP/1.1\r\nHost: " + w.attacker.host + "\r\nTransfer-Encoding : chunked" + end,
			"GET /mine.php HTTP/1.1\nHost: " + w.attacker.host + "\n\n", "GET /mine.php HTTP/1.1\r\nHost: " + w.attacker.host + "\r\nHost: " + w.victim.host + "\r\n\r\n",
			"GET  /mine.php  HTTP/1.1\r\nHost: " + w.attacker.host + "\r\n X: y\r\n\r\n", "POST /mine.php HTTP/1.1\r\nHost: " + w.attacker.host + "\r\nTransfer-Encoding: x, chunked" + end,
		} {
			if out := w.raw(t, request); strings.Contains(out, secret) || strings.HasPrefix(out, "HTTP/1.1 200") {
				t.Errorf("%q: %s", request, short(out))
			}
		}
		works(t, "a plain request", w.raw(t, "GET /mine.php HTTP/1.1\r\nHost: "+w.attacker.host+"\r\nConnection: close\r\n\r\n"), " 200 ")
	}},
	{"H41", "headers of requests that become settings", func(t tester, w *world) {
		w.victim.put(t, "www/h41.php", "<?php echo ini_get('memory_limit'), ini_get('auto_prepend_file'), getenv('HTTP_PROXY') ?: '', $_SERVER['HTTP_X'] ?? '';")
		a := w.victim.get(t, "/h41.php", "Proxy", "evil", "PHP_VALUE", "memory_limit=999M", "PHP-ADMIN-VALUE", "memory_limit=999M", "PHP_ADMIN_VALUE", "auto_prepend_file=x", "SCRIPT_FILENAME", "/etc/passwd", "X", "seen")
		is(t, "what PHP was told", a.body, "128Mseen")
	}},
	{"H42", "the victim's secret paths are shown", func(t tester, w *world) {
		tokens := []string{filepath.Base(w.victim.home), filepath.Base(filepath.Dir(w.victim.socket))}
		all := w.attacker.php(t, "phpinfo(); print_r($_SERVER); print_r(getenv()); foreach (glob('/proc/{self,[0-9]*,net}/{mountinfo,mounts,unix,environ,maps,cmdline,cgroup}', GLOB_BRACE) as $f) echo @file_get_contents($f);")
		works(t, "looking", all, "DOCUMENT_ROOT")
		w.attacker.put(t, "www/h42/x.txt", "x")
		all += w.tries(t, "h42", "/x.txt", "Header set X \"expr=%{DOCUMENT_ROOT} %{REQUEST_FILENAME} %{osenv:PATH} %{reqenv:PATH}\"\n", "PassEnv PATH\nHeader set X %{PATH}e\n", "ErrorDocument 404 \"%{CONTEXT_DOCUMENT_ROOT}\"\n")
		var shown []string
		for _, path := range []string{"/", "/missing", "/missing.php", "/.env", "/h35/", "/wp-config.php/x", "/%2e%2e/", "/secret.txt/"} {
			a := w.victim.get(t, path)
			shown = append(shown, a.body, fmt.Sprint(a.header))
		}
		all += strings.Join(shown, "\n")
		stopped(t, "looking", strings.ReplaceAll(all, secret, ""), tokens...)
		is(t, "his own socket's path", strconv.FormatBool(strings.Contains(all, filepath.Base(filepath.Dir(w.attacker.socket)))), "false")
	}},
}
