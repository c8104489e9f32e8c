package ftpd

import (
	"io"
	"os"
	"testing"
	"time"

	"cancale/internal/hosting"
)

func TestSessionsEndWithTheirLogin(t *testing.T) {
	lim := quick()
	lim.recheck = 50 * time.Millisecond
	w := newWorld(t, lim)
	ctx := t.Context()
	type subject struct {
		account hosting.Account
		site    hosting.Site
		login   hosting.FTPLogin
	}
	n := 0
	for what, change := range map[string]func(subject) error{
		"shut":              func(s subject) error { _, err := w.store.SetFTPEnabled(ctx, root, s.login.ID, false); return err },
		"removed":           func(s subject) error { return w.store.RemoveFTPLogin(ctx, root, s.login.ID) },
		"a new password":    func(s subject) error { _, _, err := w.store.ResetFTPPassword(ctx, root, s.login.ID); return err },
		"account suspended": func(s subject) error { return w.store.SuspendAccount(ctx, root, s.account.ID) },
		"site suspended":    func(s subject) error { _, err := w.store.SuspendSite(ctx, root, s.site.ID); return err },
		"site removed":      func(s subject) error { _, err := w.store.RemoveSite(ctx, root, s.site.ID); return err },
		"may only read": func(s subject) error {
			_, err := w.store.UpdateFTPLogin(ctx, root, s.login.ID, hosting.FTPSpec{Site: s.login.SiteID, FTPTerms: hosting.FTPTerms{Rights: hosting.FTPReadOnly}})
			return err
		},
	} {
		for _, whole := range []bool{false, true} {
			name := what + ", a login of the site"
			if whole {
				name = what + ", a login of the account"
			}
			n++
			t.Run(name, func(t *testing.T) {
				account := "a" + string(rune('a'+n))
				a := w.account(account)
				site := w.site(a, account+".example.org")
				spec, prefix := hosting.FTPSpec{Login: hosting.FTPName("web@" + account), Site: site.ID}, "www/"
				if whole {
					spec, prefix = hosting.FTPSpec{Login: hosting.FTPName(account)}, string(site.Host)+"/www/"
				}
				login, password := w.login(a, spec)
				other, otherPassword := w.login(w.account(account+"x"), hosting.FTPSpec{Login: hosting.FTPName(account + "x")})
				enter := func(l hosting.FTPLogin, password string) *client {
					c := w.dial("")
					c.want(331, "USER "+string(l.Login))
					c.want(230, "PASS "+password)
					c.want(200, "TYPE I")
					return c
				}
				idle, busy, untouched := enter(login, password), enter(login, password), enter(other, otherPassword)
				check(t, os.WriteFile(w.home(site, "www/old"), []byte("old"), 0o666))
				check(t, os.Chmod(w.home(site, "www/old"), 0o666))
				d := busy.data()
				busy.want(150, "STOR "+prefix+"old")
				_, err := io.WriteString(d, "half of the new one")
				check(t, err)
				time.Sleep(3 * lim.recheck)
				idle.want(200, "NOOP")

				check(t, change(subject{a, site, login}))
				began := time.Now()
				idle.reply(421)
				idle.ended()
				busy.reply(426)
				busy.reply(421)
				busy.ended()
				if took := time.Since(began); took > 2*time.Second {
					t.Errorf("it took %v", took)
				}
				if b, err := os.ReadFile(w.home(site, "www/old")); err != nil || string(b) != "old" {
					t.Errorf("%q %v", b, err)
				}
				untouched.want(200, "NOOP")
			})
		}
	}
	t.Run("what does not concern it ends no session", func(t *testing.T) {
		a := w.account("calme")
		site := w.site(a, "calme.example.org")
		off := w.site(a, "off.example.org")
		_, err := w.store.SuspendSite(ctx, root, off.ID)
		check(t, err)
		_, password := w.login(a, hosting.FTPSpec{Login: "calme"})
		_, sitePassword := w.login(a, hosting.FTPSpec{Login: "web@calme", Site: site.ID})
		var clients []*client
		for login, password := range map[string]string{"calme": password, "web@calme": sitePassword} {
			c := w.dial("")
			c.want(331, "USER "+login)
			c.want(230, "PASS "+password)
			clients = append(clients, c)
		}
		w.site(a, "more.example.org")
		_, err = w.store.ResumeSite(ctx, root, off.ID)
		check(t, err)
		w.login(a, hosting.FTPSpec{Login: "new@calme", Site: site.ID})
		time.Sleep(5 * lim.recheck)
		for _, c := range clients {
			c.want(257, "PWD")
		}
	})
}
