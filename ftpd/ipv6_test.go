package ftpd

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

// overIPv6 makes the daemon listen on ::1 alone.
func overIPv6(t *testing.T) func(*Config) {
	return func(cfg *Config) {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "[::1]:0")
		check(t, err)
		check(t, cfg.Listener.Close())
		cfg.Listener, cfg.Active = l, true
	}
}

func TestIPv6(t *testing.T) {
	m := newMember(t, quick(), overIPv6(t))
	m.addr = m.srv.cfg.Listener.Addr().String()
	c := m.connect()
	passive := func(t *testing.T, command string) net.Conn {
		t.Helper()
		text := c.want(229, command)
		var port int
		_, err := fmt.Sscanf(text[strings.Index(text, "(|||"):], "(|||%d|)", &port)
		check(t, err)
		conn, err := net.Dial("tcp", fmt.Sprintf("[::1]:%d", port))
		check(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	t.Run("EPSV, with and without the family", func(t *testing.T) {
		for _, command := range []string{"EPSV", "EPSV 2"} {
			conn := passive(t, command)
			c.want(150, "STOR www/six.txt")
			_, err := io.WriteString(conn, "six")
			check(t, err)
			check(t, conn.Close())
			c.reply(226)
		}
		if m.read("six.txt") != "six" {
			t.Error("not what was sent")
		}
		c.want(522, "EPSV 1")
	})
	t.Run("PASV knows no such address", func(t *testing.T) { c.want(425, "PASV") })
	t.Run("EPRT, to the client alone", func(t *testing.T) {
		l, err := net.Listen("tcp", "[::1]:0")
		check(t, err)
		defer l.Close()
		port := l.Addr().(*net.TCPAddr).Port
		for _, to := range []string{"|2|::2|%d|", "|1|127.0.0.1|%d|", "|2|::ffff:127.0.0.1|%d|"} {
			c.want(504, "EPRT "+fmt.Sprintf(to, port))
		}
		c.want(501, fmt.Sprintf("EPRT |1|::1|%d|", port))
		c.want(504, "EPRT |2|::1|21|")
		c.want(200, fmt.Sprintf("EPRT |2|::1|%d|", port))
		c.send("RETR www/six.txt")
		conn, err := l.Accept()
		check(t, err)
		c.reply(150)
		b, err := io.ReadAll(conn)
		check(t, err)
		c.reply(226)
		if string(b) != "six" {
			t.Errorf("%q", b)
		}
	})
	t.Run("a program that prefers IPv6", func(t *testing.T) {
		c.want(200, "EPSV ALL")
		c.want(503, "PASV")
		conn := passive(t, "EPSV")
		c.want(150, "MLSD www")
		b, err := io.ReadAll(conn)
		check(t, err)
		c.reply(226)
		if !strings.Contains(string(b), "six.txt") {
			t.Errorf("%q", b)
		}
	})
}
