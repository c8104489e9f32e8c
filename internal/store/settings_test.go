package store_test

import (
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"cancale/internal/hosting"
	"cancale/internal/store"
	"cancale/internal/testenv"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestSettings(t *testing.T) {
	st := testenv.Store(t)
	ctx := t.Context()
	same := func(t *testing.T, got, want hosting.Settings) {
		t.Helper()
		if diff := gocmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Error(diff)
		}
	}
	t.Run("nobody has changed any", func(t *testing.T) {
		same(t, must(st.Settings(ctx))(t), hosting.DefaultSettings())
	})
	t.Run("what is changed is kept, and what is not follows the defaults", func(t *testing.T) {
		want := hosting.DefaultSettings()
		want.FTP.Idle, want.FTP.TLS = 90*time.Second, hosting.TLSRequired
		got := must(st.UpdateSettings(ctx, root, func(s *hosting.Settings) error {
			s.FTP.Idle, s.FTP.TLS = 90*time.Second, hosting.TLSRequired
			return nil
		}))(t)
		same(t, got, want)
		same(t, must(st.Settings(ctx))(t), want)
		var names []string
		ok(t, st.DB().Raw("SELECT name FROM settings ORDER BY name").Scan(&names).Error)
		if diff := gocmp.Diff([]string{"ftp.idle_seconds", "ftp.tls"}, names); diff != "" {
			t.Error(diff)
		}
		rows, _, err := st.Audit(ctx, everything, store.AuditFilter{Search: "ftp.idle_seconds"})
		ok(t, err)
		if len(rows) != 1 || rows[0].Action != "settings.update" || !strings.Contains(rows[0].Before, "600") || !strings.Contains(rows[0].After, "90") {
			t.Errorf("%+v", rows)
		}
	})
	t.Run("nothing changed leaves no row", func(t *testing.T) {
		before := rowCounts(t, st.DB())
		_, err := st.UpdateSettings(ctx, root, func(*hosting.Settings) error { return nil })
		ok(t, err)
		if diff := gocmp.Diff(before, rowCounts(t, st.DB())); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("settings that do not go together are refused, all of them", func(t *testing.T) {
		before := must(st.Settings(ctx))(t)
		_, err := st.UpdateSettings(ctx, root, func(s *hosting.Settings) error {
			s.FTP.PassiveFirst, s.FTP.Idle = 40000, time.Minute
			return nil
		})
		if hosting.KindOf(err) != hosting.Invalid {
			t.Errorf("%v", err)
		}
		stop := errors.New("stop")
		if _, err := st.UpdateSettings(ctx, root, func(s *hosting.Settings) error { s.FTP.Sessions = 7; return stop }); !errors.Is(err, stop) {
			t.Errorf("%v", err)
		}
		same(t, must(st.Settings(ctx))(t), before)
	})
	t.Run("only an administrator changes them", func(t *testing.T) {
		aPerson(t, st, "tech@example.org", hosting.Technician)
		change := func(s *hosting.Settings) error { s.FTP.Sessions = 9; return nil }
		_, err := st.UpdateSettings(ctx, actorOf(t, st, "tech@example.org"), change)
		refused(t, err, hosting.Forbidden, "", "error.forbidden")
		_, err = st.UpdateSettings(ctx, hosting.Actor{}, change)
		refused(t, err, hosting.Unauthenticated, "", "error.unauthenticated")
	})
	t.Run("two at once lose nothing", func(t *testing.T) {
		var both sync.WaitGroup
		for _, change := range []func(*hosting.Settings) error{
			func(s *hosting.Settings) error { s.FTP.PassiveFirst = 21000; return nil },
			func(s *hosting.Settings) error { s.FTP.PassiveLast = 22000; return nil },
		} {
			both.Go(func() {
				// Alone, the first one makes no range: it is refused or comes second.
				for {
					if _, err := st.UpdateSettings(ctx, root, change); err == nil {
						return
					} else if hosting.KindOf(err) != hosting.Invalid {
						t.Error(err)
						return
					}
				}
			})
		}
		both.Wait()
		if f := must(st.Settings(ctx))(t).FTP; f.PassiveFirst != 21000 || f.PassiveLast != 22000 {
			t.Errorf("%+v", f)
		}
	})
	t.Run("a row of another program is passed over", func(t *testing.T) {
		before := must(st.Settings(ctx))(t)
		ok(t, st.DB().Exec("INSERT INTO settings VALUES ('ftp.of_tomorrow', 'x', NOW()), ('ftp.sessions', 'many', NOW())").Error)
		same(t, must(st.Settings(ctx))(t), before)
	})
}
