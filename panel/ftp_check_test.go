package panel

import (
	"encoding/xml"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"cancale/internal/config"
	"cancale/internal/driver/unixacct"
	"cancale/internal/host"
	"cancale/internal/hosting"
)

// settle makes the home of the site, and lets the panel find the FTP daemon.
func (w *world) settle() {
	w.t.Helper()
	l := w.srv.conf.Layout
	for p := l.Root; p != os.TempDir(); p = filepath.Dir(p) {
		w.must(os.Chmod(p, 0o755)) // t.TempDir is private to root
	}
	for dir, mode := range map[string]os.FileMode{l.Homes(): 0o711, l.Sockets(): 0o711, l.Sandbox(): 0o700} {
		w.must(os.MkdirAll(dir, mode))
	}
	w.must(unixacct.New(host.New(l, nil), "").Ensure(w.t.Context(), w.site))
	_, port, err := net.SplitHostPort(w.ftp)
	w.must(err)
	w.srv.conf.FTPPort, err = strconv.Atoi(port)
	w.must(err)
	w.srv.conf.FTPTLS = false // as this daemon has no certificate
	_, port, err = net.SplitHostPort(w.sftp)
	w.must(err)
	w.srv.conf.SFTPPort, err = strconv.Atoi(port)
	w.must(err)
	w.srv.conf.HostKeys = []config.HostKey{w.hostKey}
}

// states are what the steps of a check came to, by their order on the page.
func states(p *page) string {
	var list []string
	for _, class := range p.doc.Find(".steps > li").EachIter() {
		state, _ := class.Attr("class")
		list = append(list, strings.TrimPrefix(state, "is-"))
	}
	return strings.Join(list, " ")
}

func TestAMemberTestsTheConnection(t *testing.T) {
	w := newWorld(t)
	w.settle()
	login := func(name string, terms hosting.FTPTerms, site hosting.SiteID) (path, password string) {
		l, password, err := w.store.CreateFTPLogin(t.Context(), w.root, w.account.ID, hosting.FTPSpec{Login: hosting.FTPName(name + "@baie"), Site: site, FTPTerms: terms})
		w.must(err)
		return "/ftp/" + number(l.ID) + "/check", password
	}
	b := w.as(owner)
	path, password := login("essai", hosting.FTPTerms{}, w.site.ID)
	t.Run("without the password it ends at the door", func(t *testing.T) {
		b.get(path)
		if p := b.post(path); p.status != http.StatusOK || states(p) != "done done done todo todo todo todo done" {
			t.Errorf("%d: %s: %s", p.status, states(p), p.text(".steps"))
		}
	})
	t.Run("with it all is tried, and nothing is left behind", func(t *testing.T) {
		b.get(path)
		p := b.post(path, "password", password)
		if states(p) != "done done done done done done done done" {
			t.Errorf("%s: %s", states(p), p.text(".steps"))
		}
		if strings.Contains(p.body, password) {
			t.Error("the password comes back")
		}
		left, err := filepath.Glob(filepath.Join(w.srv.conf.Layout.Home(string(w.site.HomeToken)), "www", "*essai-*"))
		if err != nil || len(left) > 0 {
			t.Errorf("%v, %v", left, err)
		}
		if binned, _, err := w.files().Bin(""); err != nil || len(binned) > 0 {
			t.Errorf("in the bin: %v, %v", binned, err)
		}
	})
	t.Run("a login of the whole association", func(t *testing.T) {
		all, password := login("tout", hosting.FTPTerms{}, 0)
		b.get(all)
		if p := b.post(all, "password", password); states(p) != "done done done done done done done done" {
			t.Errorf("%s: %s", states(p), p.text(".steps"))
		}
	})
	t.Run("who may only read or add is not made to send", func(t *testing.T) {
		for _, rights := range []hosting.FTPRights{hosting.FTPReadOnly, hosting.FTPUploadOnly} {
			path, password := login("droit"+strconv.Itoa(len(rights)), hosting.FTPTerms{Rights: rights}, w.site.ID)
			b.get(path)
			if p := b.post(path, "password", password); states(p) != "done done done done done done todo done" {
				t.Errorf("%s: %s: %s", rights, states(p), p.text(".steps"))
			}
		}
	})
	t.Run("a login that may have one session at a time", func(t *testing.T) {
		path, password := login("seul", hosting.FTPTerms{Sessions: 1}, w.site.ID)
		b.get(path)
		if p := b.post(path, "password", password); states(p) != "done done done done done done done done" {
			t.Errorf("%s: %s", states(p), p.text(".steps"))
		}
	})
	t.Run("who listens at our SFTP port with another key is told no password", func(t *testing.T) {
		w.srv.conf.HostKeys = []config.HostKey{{Fingerprint: "SHA256:another"}}
		defer func() { w.srv.conf.HostKeys = []config.HostKey{w.hostKey} }()
		b.get(path)
		if p := b.post(path, "password", password); states(p) != "done done done done done done done failed" || strings.Contains(p.body, "another") {
			t.Errorf("%s: %s", states(p), p.text(".steps"))
		}
	})
	t.Run("nobody answers by SFTP", func(t *testing.T) {
		port := w.srv.conf.SFTPPort
		defer func() { w.srv.conf.SFTPPort = port }()
		w.srv.conf.SFTPPort = w.srv.conf.FTPPort // somebody, and no SSH
		b.get(path)
		if p := b.post(path, "password", password); states(p) != "done done done done done done done failed" {
			t.Errorf("%s: %s", states(p), p.text(".steps"))
		}
		w.srv.conf.SFTPPort = 0 // it is off
		b.get(path)
		if p := b.post(path, "password", password); states(p) != "done done done done done done done" {
			t.Errorf("%s: %s", states(p), p.text(".steps"))
		}
	})
	t.Run("a wrong password counts as the person's, and our own address is never held up", func(t *testing.T) {
		b.get(path)
		for range 30 {
			b.get(path)
			p := b.post(path, "password", "wrong\r\nDELE x")
			if states(p) != "done done done failed todo todo todo todo" {
				t.Fatalf("%s: %s", states(p), p.text(".steps"))
			}
		}
		_, password := login("autre", hosting.FTPTerms{}, w.site.ID)
		c := w.signInFTP(hosting.FTPLogin{})
		w.must(c.PrintfLine("USER autre@baie"))
		_, _, err := c.ReadResponse(331)
		w.must(err)
		w.must(c.PrintfLine("PASS %s", password))
		if _, line, err := c.ReadResponse(230); err != nil {
			t.Errorf("another login of that address: %s %v", line, err)
		}
	})
	t.Run("of others there is nothing to test", func(t *testing.T) {
		s := w.as(stranger)
		s.get("/ftp")
		if p := s.post(path, "password", password); p.status != http.StatusNotFound {
			t.Errorf("%d", p.status)
		}
		if p := s.get(strings.TrimSuffix(path, "check") + "filezilla"); p.status != http.StatusNotFound {
			t.Errorf("%d", p.status)
		}
	})
}

func TestAnAdministratorTestsThePublicAddress(t *testing.T) {
	w := newWorld(t)
	w.settle()
	b := w.as(admin)
	b.get("/admin/settings/ftp")
	if p := b.post("/admin/settings/ftp/check"); states(p) != "done todo done done" {
		t.Errorf("%s: %s", states(p), p.text(".steps"))
	}
	_, err := w.store.UpdateSettings(t.Context(), w.root, func(s *hosting.Settings) error {
		return mustFind(t, "ftp.public_address").Set(s, "127.0.0.77") // leads to this machine, where nobody listens
	})
	w.must(err)
	b.get("/admin/settings/ftp")
	if p := b.post("/admin/settings/ftp/check"); states(p) != "done done failed todo" || !strings.Contains(p.text(".steps"), "127.0.0.77") {
		t.Errorf("%s: %s", states(p), p.text(".steps"))
	}
}

func mustFind(t *testing.T, name string) hosting.Setting {
	t.Helper()
	s, err := hosting.FindSetting(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConnectionFiles(t *testing.T) {
	w := newWorld(t)
	sftp := w.srv.conf.SFTPPort
	w.srv.conf.SFTPPort = 0
	_, err := w.store.UpdateSettings(t.Context(), w.root, func(s *hosting.Settings) error {
		return mustFind(t, "ftp.host").Set(s, "ftp.asso.example")
	})
	w.must(err)
	b := w.as(contractor)
	path := "/ftp/" + number(w.login.ID)
	p := b.get(path + "/filezilla")
	var file fileZilla
	w.must(xml.Unmarshal([]byte(p.body), &file))
	if len(file.Sites) != 1 || file.Sites[0].Host != "ftp.asso.example" || file.Sites[0].Port != 2121 || file.Sites[0].Protocol != fileZillaFTPES ||
		file.Sites[0].Logontype != fileZillaAsk || file.Sites[0].User != string(w.login.Login) || strings.Contains(p.body, "Pass") {
		t.Errorf("%s", p.body)
	}
	if d := p.header.Get("Content-Disposition"); !strings.HasPrefix(d, "attachment; filename=filezilla-") {
		t.Error(d)
	}
	if p := b.get(path + "/cyberduck"); !strings.Contains(p.body, "<key>Hostname</key>") || !strings.Contains(p.body, "<string>ftps</string>") || xml.Unmarshal([]byte(p.body), new(struct{})) != nil {
		t.Errorf("%s", p.body)
	}
	t.Run("SFTP comes first where it is on", func(t *testing.T) {
		w.srv.conf.SFTPPort = sftp
		if p := b.get(path + "/filezilla"); !strings.Contains(p.body, "<Port>2222</Port>") || !strings.Contains(p.body, "<Protocol>1</Protocol>") {
			t.Errorf("%s", p.body)
		}
		if p := b.get(path + "/cyberduck"); !strings.Contains(p.body, "<string>sftp</string>") || !strings.Contains(p.body, "<string>2222</string>") {
			t.Errorf("%s", p.body)
		}
	})
	if p := b.get(path); !strings.Contains(p.text(".sheet"), "ftp.asso.example") {
		t.Error("the card has another name")
	}
	t.Run("a name that is markup stays a name", func(t *testing.T) {
		out, err := xml.Marshal(dict{{"Nickname", `"><a>&`}})
		w.must(err)
		if strings.Contains(string(out), "<a>") {
			t.Errorf("%s", out)
		}
	})
}
